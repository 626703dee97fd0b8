//! A fine-tuning job as a person reads it: what it would cost before it is made, and how far it is.

use serde::Serialize;

use crate::text::{one_line, padded};
use crate::training::manifest::{FileFacts, Method};
use crate::units::{Usd, UsdPerMillionTokens, format_bytes, group_thousands};
use crate::wire::tuning::{Job, JobEvent, Phase};

/// Columns before a value.
const INDENT: usize = 16;

/// Characters of what a provider says that are shown.
const MOST_SHOWN: usize = 300;

/// A job that is to be made.
#[derive(Debug, Clone, Serialize)]
pub struct Preview<'a> {
    /// The suite's name.
    pub suite: &'a str,
    /// Who tunes.
    pub provider: &'a str,
    /// `supervised` or `preference`.
    pub method: &'static str,
    /// The model that is tuned, as the provider knows it.
    pub base_model: &'a str,
    /// The training file.
    pub train: &'a FileFacts,
    /// The validation file.
    pub validation: Option<&'a FileFacts>,
    /// Passes over the file; `None` leaves it to the provider.
    pub epochs: Option<u32>,
    /// What the tuned model's name is told by.
    pub suffix: &'a str,
    /// Tokens that are billed, estimated.
    pub billed_tokens: Option<u64>,
    /// The price of training.
    pub usd_per_million_tokens: Option<f64>,
    /// What it costs, estimated; `None` is unknown.
    pub cost_usd: Option<f64>,
    /// Why the cost is unknown.
    pub why_unknown: Option<String>,
}

impl<'a> Preview<'a> {
    /// Puts the cost to what is known.
    #[must_use]
    pub fn priced(mut self, price: Option<UsdPerMillionTokens>) -> Self {
        self.usd_per_million_tokens = price.map(UsdPerMillionTokens::as_f64);
        self.why_unknown = match (price, self.billed_tokens) {
            (None, _) if self.method == Method::Preference.as_str() => {
                Some("the price list has prices of supervised training only, and the files hold pairs".to_owned())
            }
            (None, _) => Some(format!(
                "no training price of `{}` is known; `training` in the price of its row (providers/{}.toml) states one",
                one_line(self.base_model, 80),
                self.provider
            )),
            (Some(_), None) => Some("the provider chooses the epochs; --epochs states them".to_owned()),
            (Some(price), Some(tokens)) => {
                self.cost_usd = Some(price.times(tokens).as_f64());
                None
            }
        };
        self
    }

    /// The preview as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} at {}: {} tuning of {}\n",
            one_line(self.suite, 80),
            self.provider,
            self.method,
            one_line(self.base_model, 120)
        );
        let mut line = |name: &str, value: String| text.push_str(&row(name, &value));
        line("train", file(self.train));
        line("validation", self.validation.map_or_else(|| "none".to_owned(), file));
        line("epochs", self.epochs.map_or_else(|| "as the provider chooses".to_owned(), |epochs| epochs.to_string()));
        line("suffix", self.suffix.to_owned());
        line("cost", self.cost());
        text
    }

    fn cost(&self) -> String {
        let tokens = |tokens: u64| group_thousands(i128::from(tokens));
        match (self.cost_usd, self.usd_per_million_tokens, self.billed_tokens) {
            (Some(cost), Some(price), Some(billed)) => format!(
                "about {}: {} tokens (estimated) at {} a million; check the provider's price page",
                crate::units::format_usd(cost),
                tokens(billed),
                crate::units::format_usd(price)
            ),
            (_, _, billed) => {
                let billed =
                    billed.map_or_else(String::new, |billed| format!(", {} tokens (estimated)", tokens(billed)));
                format!("unknown{billed}: {}", self.why_unknown.as_deref().unwrap_or_default())
            }
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// Who tunes.
    pub provider: &'a str,
    /// The model that is tuned.
    pub base_model: &'a str,
    /// What the provider says.
    pub job: &'a Job,
    /// What it cost, where that can be said.
    pub cost: Option<Usd>,
    /// The newest of what happened, first things first.
    pub events: &'a [JobEvent],
}

impl Progress<'_> {
    /// As text.
    pub fn text(&self) -> String {
        let job = self.job;
        let mut text = format!("{} job {}: {}\n", self.provider, one_line(&job.id, 120), state(job));
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&row(name, &value));
            }
        };
        line("base", Some(one_line(self.base_model, 120)));
        line("epochs", job.epochs.map(|epochs| epochs.to_string()));
        line("expected end", job.expected_end_s.and_then(time).filter(|_| !job.phase.is_over()));
        line("tuned model", job.model.as_deref().map(|model| one_line(model, 200)));
        line("trained tokens", job.trained_tokens.map(|tokens| group_thousands(i128::from(tokens))));
        let cost = self.cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
        line("cost", job.phase.is_over().then_some(cost));
        line("why", job.error.as_deref().map(|error| one_line(error, MOST_SHOWN)));
        for (place, event) in self.events.iter().enumerate() {
            line(if place == 0 { "events" } else { "" }, Some(event_text(event)));
        }
        text
    }
}

/// What happened, on one line.
pub fn event_text(event: &JobEvent) -> String {
    let when = event.at_s.and_then(time).map_or_else(String::new, |time| format!("{time}  "));
    let error = if event.is_error { "error: " } else { "" };
    format!("{when}{error}{}", one_line(&event.message, MOST_SHOWN))
}

/// The provider's word for how far a job is, with ours where they differ.
pub fn state(job: &Job) -> String {
    let word = one_line(&job.word, 60);
    match job.phase {
        Phase::Working | Phase::Paused => word,
        over if over.as_str() == word => word,
        over => format!("{} ({word})", over.as_str()),
    }
}

fn row(name: &str, value: &str) -> String {
    format!("  {}{value}\n", padded(name, INDENT))
}

fn file(facts: &FileFacts) -> String {
    format!(
        "{}: {} rows, {}, about {} tokens",
        one_line(&facts.path, 100),
        group_thousands(i128::from(facts.rows)),
        format_bytes(facts.bytes),
        group_thousands(i128::from(facts.tokens_estimated))
    )
}

/// A time in UTC, to the second.
fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn facts(path: &str, rows: u64) -> FileFacts {
        FileFacts {
            path: path.into(),
            rows,
            bytes: rows * 100,
            sha256: Digest::of(b""),
            tokens_estimated: rows * 50,
            clusters: rows,
        }
    }

    #[test]
    fn a_cost_that_is_not_known_is_said_with_its_reason() {
        let train = facts("train.jsonl", 628);
        let preview = |epochs: Option<u32>, price: Option<f64>| {
            Preview {
                suite: "outages",
                provider: "openai",
                method: "supervised",
                base_model: "gpt",
                train: &train,
                validation: None,
                epochs,
                suffix: "outages",
                billed_tokens: epochs.map(|epochs| u64::from(epochs) * train.tokens_estimated),
                usd_per_million_tokens: None,
                cost_usd: None,
                why_unknown: None,
            }
            .priced(price.and_then(UsdPerMillionTokens::from_f64))
        };
        insta::assert_snapshot!(preview(Some(3), Some(5.0)).text(), @r"
        outages at openai: supervised tuning of gpt
          train           train.jsonl: 628 rows, 62.8 kB, about 31,400 tokens
          validation      none
          epochs          3
          suffix          outages
          cost            about $0.47: 94,200 tokens (estimated) at $5.00 a million; check the provider's price page
        ");
        assert!(preview(Some(3), None).text().contains("unknown, 94,200 tokens (estimated): no training price"));
        assert!(preview(None, Some(5.0)).text().contains("unknown: the provider chooses the epochs"));
    }

    #[test]
    fn a_job_that_failed_says_why_and_nothing_of_it_drives_the_terminal() {
        let job = Job {
            id: "ftjob-1".into(),
            phase: Phase::Failed,
            word: "error".into(),
            model: None,
            trained_tokens: None,
            billed: None,
            epochs: Some(3),
            expected_end_s: None,
            error: Some("line 3\u{1b}[2J is no chat".into()),
        };
        let events = [JobEvent { at_s: Some(1_795_500_000), is_error: true, message: "no\nchat".into() }];
        let progress = Progress { provider: "together", base_model: "m", job: &job, cost: None, events: &events };
        insta::assert_snapshot!(progress.text(), @r"
        together job ftjob-1: failed (error)
          base            m
          epochs          3
          cost            unknown
          why             line 3[2J is no chat
          events          2026-11-24 06:00:00  error: no chat
        ");
    }
}
