//! Progress while a run lasts: a bar on a terminal, a line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;
use crate::measure::grade::Grader;
use crate::run::event::{Event, Observer};
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
        parts.push(format!("{}/{} under way", self.in_flight.0, self.in_flight.1));
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
            Event::Draining => {
                self.bar.suspend(|| self.printer.note(DRAINING));
            }
        }
    }
}
