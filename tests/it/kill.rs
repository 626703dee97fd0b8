//! A run that is killed again and again: nothing that was shown is lost, hardly anything is asked
//! twice, and the end is that of a run which nobody killed.
//!
//! A dozen times here; `CEILING_KILLS=100 cargo test --test it kill::` does it a hundred times.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ceiling::stats::rng::Rng;
use serde_json::{Value, json};

use crate::resume::{Gate, scoreboard};
use crate::support::project::{COLOURS, schema_helps};
use crate::support::{Project, ScriptedServer};

/// How often, where nothing else is said.
const KILLS: usize = 12;

/// Requests at once.
const IN_FLIGHT: usize = 4;

/// Requests between two kills are at most this many.
const MOST_BETWEEN: u64 = 7;

/// Longer than any run here takes.
const LONGEST: Duration = Duration::from_secs(120);

const RUN: [&str; 6] = ["run", "suites/tiny", "--provider", "toy=live", "--concurrency", "4"];

/// When a server has its client killed.
struct Plan {
    /// Requests until then.
    left: u64,
    /// Whether the answer to the last of them is held back until the client is dead.
    held: bool,
    gate: Arc<Gate>,
}

struct Killer {
    server: ScriptedServer,
    plan: Arc<Mutex<Option<Plan>>>,
    due: Receiver<()>,
}

impl Killer {
    fn start() -> Self {
        let plan: Arc<Mutex<Option<Plan>>> = Arc::default();
        let (due_sender, due): (Sender<()>, _) = channel();
        let (shared, due_sender) = (Arc::clone(&plan), Mutex::new(due_sender));
        let server = ScriptedServer::start(move |request, _| {
            let held = {
                let mut plan = shared.lock().unwrap();
                let gate = plan.as_mut().and_then(|plan| {
                    plan.left = plan.left.saturating_sub(1);
                    (plan.left == 0).then(|| plan.held.then(|| Arc::clone(&plan.gate)))
                });
                if gate.is_some() {
                    *plan = None;
                    due_sender.lock().unwrap().send(()).unwrap();
                }
                gate.flatten()
            };
            if let Some(gate) = held {
                gate.pass();
            }
            schema_helps(request)
        });
        Self { server, plan, due }
    }

    /// Runs until the plan's moment and kills; what the terminal had shown as done.
    fn kill(&self, project: &Project, requests: u64, held: bool) -> u64 {
        let gate = Arc::new(Gate::default());
        *self.plan.lock().unwrap() = Some(Plan { left: requests, held, gate: Arc::clone(&gate) });
        let mut child = in_terminal(project);
        // A run that ended by itself is never due: better a failure than a wait without end.
        self.due.recv_timeout(LONGEST).unwrap();
        let pid = project.read("pid");
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        let mut shown = String::new();
        child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        child.wait().unwrap();
        gate.open();
        most_shown(&shown)
    }
}

/// Starts the run as a user sees it, with the bar that is drawn ten times a second.
fn in_terminal(project: &Project) -> Child {
    let program = env!("CARGO_BIN_EXE_ceiling");
    let line = format!("echo $$ > pid; exec '{program}' {}", RUN.join(" "));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).current_dir(project.path("")).env("HOME", project.path(""));
    command.env("COLUMNS", "200").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The most trials that any line showed as done, as `12/400`.
fn most_shown(text: &str) -> u64 {
    let plain = console::strip_ansi_codes(text);
    let counts = plain.split_whitespace().filter_map(|word| word.split_once('/'));
    counts.filter_map(|(done, of)| of.parse::<u64>().ok().and(done.parse().ok())).max().unwrap_or(0)
}

/// Trials in the store, which must be sound.
fn stored(project: &Project) -> u64 {
    let store = rusqlite::Connection::open(project.path(".ceiling/store.db")).unwrap();
    let sound: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let broken: i64 = store.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
    let sql = "SELECT count(*), count(DISTINCT variant || '/' || example_id || '/' || repeat) FROM trial";
    let (all, distinct): (i64, i64) = store.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(all, distinct, "no trial is there twice");
    all as u64
}

/// A project with enough examples to be killed so often.
fn project(server: &ScriptedServer, examples: usize) -> Project {
    let row = |place: usize| {
        let colour = COLOURS[place % 3];
        json!({"id": format!("e{place:04}"), "input": format!("the ball number {place} looks {colour}"),
               "expected": {"label": colour}})
    };
    let rows: String = (0..examples).map(|place| format!("{}\n", row(place))).collect();
    let project = Project::new().suite("tiny").live(server);
    project.write("suites/tiny/examples.jsonl", rows.as_bytes());
    project
}

/// A well-mixed number of a seed.
fn mixed(seed: u64) -> u64 {
    Rng::new(seed).next_u64()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_like_any_other() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` here, which makes a terminal");
        return;
    }
    let kills = std::env::var("CEILING_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let examples = (kills * MOST_BETWEEN as usize / 2).max(40);
    let killer = Killer::start();
    let project = project(&killer.server, examples);
    let (mut most_resent, mut resent, mut lost) = (0, 0, 0);
    for kill in 0..kills {
        let (before, had) = (killer.server.count(), stored_if_any(&project));
        let drawn = mixed(kill as u64);
        let shown = killer.kill(&project, 1 + drawn % MOST_BETWEEN, drawn & 64 == 0);
        let has = stored(&project);
        lost += shown.saturating_sub(has);
        assert!(shown <= has, "kill {kill}: {shown} were shown, and {has} are there");
        // What was asked and is not there is asked again.
        let again = (killer.server.count() - before) as u64 - (has - had);
        (most_resent, resent) = (most_resent.max(again), resent + again);
        assert!(again <= IN_FLIGHT as u64, "kill {kill}: {again} requests were for nothing");
    }
    let output = project.run(RUN.iter().chain(&["--json"])).exits(0);
    assert_eq!(stored(&project), 2 * examples as u64);
    assert_eq!(killer.server.count() as u64, 2 * examples as u64 + resent, "each other request is there");
    let quiet = ScriptedServer::start(|request, _| schema_helps(request));
    let undisturbed = self::project(&quiet, examples).run(RUN.iter().chain(&["--json"])).exits(0);
    assert_eq!(scoreboard(&output), scoreboard(&undisturbed));
    let runs: Value = project.run(["runs", "--json"]).exits(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "it was one run all along");
    println!(
        "{kills} kills over {} trials: {lost} shown and lost, {resent} requests sent again, {most_resent} at most",
        2 * examples
    );
}

fn stored_if_any(project: &Project) -> u64 {
    if project.path(".ceiling/store.db").exists() { stored(project) } else { 0 }
}
