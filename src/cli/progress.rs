//! Progress while a run lasts: a bar on a terminal, a line now and then elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;
use crate::measure::grade::Grader;
use crate::run::event::{BatchNews, Event, Observer};
use crate::stats::proportion::wilson;
use crate::units::{Usd, format_usd};
use crate::variant::VariantId;

/// What the first Ctrl-C does.
pub(super) const DRAINING: &str =
    "no more requests are sent; waiting for those under way (Ctrl-C again leaves at once)";

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows a run's progress. Only what the store has committed is counted.
pub(super) struct Progress<'a> {
    printer: Printer,
    grader: &'a Grader,
    variants: Vec<VariantId>,
    bar: ProgressBar,
    lines: bool,
    last_line: Duration,
    total: u64,
    done: u64,
    scored: u64,
    correct: f64,
    spent: Option<Usd>,
    retries: u64,
    in_flight: (usize, usize),
    /// What is waited for, in a batch run.
    waiting: Option<String>,
    /// The last state of each batch.
    states: HashMap<String, (String, Option<u64>)>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(printer: Printer, grader: &'a Grader, variants: Vec<VariantId>, total: u64) -> Self {
        let shown = printer.shows_progress();
        let target = if shown { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} · {msg} · ETA {eta}") {
            bar.set_style(style);
        }
        let lines = shown && bar.is_hidden();
        Self {
            printer,
            grader,
            variants,
            bar,
            lines,
            last_line: Duration::ZERO,
            total,
            done: 0,
            scored: 0,
            correct: 0.0,
            spent: Some(Usd::ZERO),
            retries: 0,
            in_flight: (0, 0),
            waiting: None,
            states: HashMap::new(),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn message(&self) -> String {
        let mut parts = vec![format!("{:.0}/s", self.bar.per_sec())];
        if self.scored > 0 {
            let n = self.scored as f64;
            let interval = wilson(self.correct, n, 0.05);
            let (mean, low, high) = (self.correct / n * 100.0, interval.low * 100.0, interval.high * 100.0);
            parts.push(format!("all variants {mean:.1}% [{low:.1}–{high:.1}]"));
        }
        if let Some(spent) = self.spent.filter(|spent| *spent > Usd::ZERO) {
            let projected = spent.as_f64() * self.total as f64 / self.done.max(1) as f64;
            parts.push(format!("{spent} of about {}", format_usd(projected)));
        }
        if self.retries > 0 {
            parts.push(format!("{} retries", self.retries));
        }
        match &self.waiting {
            Some(waiting) => parts.push(waiting.clone()),
            None if self.in_flight.1 > 0 => {
                parts.push(format!("{}/{} under way", self.in_flight.0, self.in_flight.1));
            }
            None => {}
        }
        parts.join(" · ")
    }

    fn show(&mut self) {
        self.bar.set_position(self.done);
        let elapsed = self.bar.elapsed();
        if self.lines && (elapsed - self.last_line.min(elapsed) >= LINE_EVERY || self.done == self.total) {
            self.last_line = elapsed;
            let eta = self.bar.eta().as_secs();
            self.printer.note(&format!("{}/{} · {} · ETA {eta} s", self.done, self.total, self.message()));
        } else if !self.lines {
            self.bar.set_message(self.message());
        }
    }
}

impl Progress<'_> {
    /// Says what happened to a batch; its state only where that is another one.
    fn batch(&mut self, endpoint: &str, remote: &str, news: &BatchNews<'_>) {
        let what = match news {
            BatchNews::Submitted { requests } => {
                format!("submitted with {requests} requests; typically done within 24 h, often much sooner")
            }
            BatchNews::Resumed { requests, submitted_unix_ms } => {
                let since = jiff::Timestamp::from_millisecond(*submitted_unix_ms)
                    .map_or(String::new(), |at| format!(", submitted {at:.0}"));
                format!("waited for again: {requests} requests{since}")
            }
            BatchNews::State { word, over, requests, elapsed } => {
                let state = (word.to_string(), *over);
                let over = over.map_or(String::new(), |over| format!(" {over}/{requests}"));
                let text = format!("{word}{over} after {}", for_people(*elapsed));
                self.waiting = Some(format!("batch {text}"));
                if self.states.insert(remote.to_owned(), state.clone()).as_ref() == Some(&state) || !self.lines {
                    return self.show();
                }
                text
            }
            BatchNews::Fetched(joined) => {
                self.waiting = None;
                let parts = [
                    (joined.answered, "answered"),
                    (joined.expired, "expired"),
                    (joined.cancelled, "cancelled"),
                    (joined.again, "asked again"),
                ];
                let parts = parts.iter().filter(|(count, what)| *count > 0 || *what == "answered");
                let all: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
                let all: Vec<String> = all.into_iter().chain(joined.oddities()).collect();
                format!("fetched: {}", all.join(", "))
            }
            BatchNews::GivenUp { failure } => format!("given up: {} ({})", failure.message, failure.kind.as_str()),
        };
        let note = format!("batch {} of {endpoint}: {what}", crate::text::one_line(remote, 80));
        self.bar.suspend(|| self.printer.note(&note));
    }
}

/// A time of seconds to days, in its two largest units.
fn for_people(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

impl Observer for Progress<'_> {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Finished(record) => {
                let trial = &record.trial;
                let graded = self.grader.grade(trial.variant, &trial.example, &record.exchange, None);
                self.done += 1;
                if let Some(score) =
                    graded.scores.first().and_then(|grade| grade.score()).filter(|_| !graded.counts_as_missing)
                {
                    self.scored += 1;
                    self.correct += score;
                }
                if !record.reused && graded.failure_message.is_none() {
                    self.spent = self.spent.zip(graded.cost).map(|(spent, cost)| spent + cost);
                }
                self.show();
            }
            Event::AlreadyDone => {
                self.done += 1;
                self.bar.inc(1);
            }
            Event::Retrying { .. } => self.retries += 1,
            Event::VariantStopped { variant, failure } => {
                let name = self.variants.get(variant).map_or("", |name| name.as_str());
                let note = format!("variant `{name}` is stopped: {} ({})", failure.message, failure.kind.as_str());
                self.bar.suspend(|| self.printer.note(&note));
            }
            Event::InFlight { requests, allowed } => self.in_flight = (requests, allowed),
            Event::Batch { endpoint, remote, news } => self.batch(endpoint, remote, &news),
            Event::Draining => {
                self.bar.suspend(|| self.printer.note(DRAINING));
            }
        }
    }
}
