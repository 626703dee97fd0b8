//! A run of many trials against a server that follows a script, and what became of each: the store's
//! account, to be held against the server's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ceiling::exchange::FailureKind;
use ceiling::provider::WireKind;
use ceiling::store::{Store, StoreError};
use ceiling::wire;
use serde_json::json;

use super::project::{COLOURS, Output, Project};
use super::server::ScriptedServer;

const RUN: [&str; 8] = ["run", "suites/tiny", "--provider", "toy=live", "--variants", "plain", "--json", "-q"];

/// The tiny suite with so many examples, and a provider `live` at the server with these limits.
pub(crate) fn project(trials: usize, server: &ScriptedServer, limits: &str) -> Project {
    let project = Project::new().suite("tiny");
    let examples: String = (0..trials)
        .map(|place| {
            let colour = COLOURS[place % 3];
            let row = json!({"id": id(place), "input": format!("the ball number {place} looks {colour}"),
                             "expected": {"label": colour}});
            format!("{row}\n")
        })
        .collect();
    project.write("suites/tiny/examples.jsonl", examples.as_bytes());
    let provider =
        format!("kind = \"openai-chat\"\nbase_url = \"{}\"\n[limits]\n{limits}\n[models.small]\n", server.base_url());
    project.file("providers/live.toml", &provider)
}

/// The name of an example by its place.
pub(crate) fn id(place: usize) -> String {
    format!("e{place:05}")
}

/// What the store has of a run.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Trials by example.
    pub(crate) trials: BTreeMap<String, usize>,
    /// Trials that ended in an answer.
    pub(crate) answered: usize,
    /// Trials whose answer is the expected one.
    pub(crate) right: usize,
    /// The kinds that a trial's earlier attempts failed with, in order, by example.
    pub(crate) attempts: BTreeMap<String, Vec<FailureKind>>,
    /// What the trials that have no answer ended with, by example.
    pub(crate) failed: BTreeMap<String, FailureKind>,
}

impl Account {
    /// Reads the only run of a project's store.
    pub(crate) fn of(project: &Project) -> Self {
        let store = Store::open_existing(&project.path(".ceiling/store.db")).unwrap();
        let run = store.run("last").unwrap();
        let mut account = Self::default();
        let each = store.each_trial(run.id, None, |trial| -> Result<(), StoreError> {
            let id = trial.example.id.0.clone();
            *account.trials.entry(id.clone()).or_default() += 1;
            let kinds: Vec<FailureKind> = trial.exchange.attempts.iter().map(|attempt| attempt.kind).collect();
            if !kinds.is_empty() {
                account.attempts.insert(id.clone(), kinds);
            }
            let outcome = wire::read(WireKind::OpenaiChat, &trial.exchange.received).outcome;
            match (outcome.completion(), outcome.failure()) {
                (Some(said), _) => {
                    account.answered += 1;
                    let said: serde_json::Value = serde_json::from_str(&said.text).unwrap_or_default();
                    account.right += usize::from(said == trial.example.expected);
                }
                (None, failure) => drop(account.failed.insert(id, failure.unwrap().kind)),
            }
            Ok(())
        });
        each.unwrap();
        account
    }

    /// How often each kind made a request be sent again.
    pub(crate) fn retried(&self) -> BTreeMap<FailureKind, usize> {
        self.attempts.values().flatten().fold(BTreeMap::new(), |mut counts, kind| {
            *counts.entry(*kind).or_default() += 1;
            counts
        })
    }

    /// Requests that the trials took.
    pub(crate) fn requests(&self) -> usize {
        self.trials.values().sum::<usize>() + self.retried().values().sum::<usize>()
    }
}

/// Runs the variant `plain` with this concurrency; how long it took.
pub(crate) fn run(project: &Project, concurrency: usize) -> (Output, Duration) {
    let start = Instant::now();
    let concurrency = concurrency.to_string();
    let output = project.run(RUN.iter().copied().chain(["--concurrency", &concurrency]));
    (output, start.elapsed())
}
