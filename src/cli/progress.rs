//! Progress while a run lasts: a bar on a terminal, a line now and then elsewhere.

mod line;

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::line::{Part, Score, accuracy, fitted, for_people, pace};
use super::printer::{Printer, columns, is_dumb};
use super::run::stopping::Live;
use crate::measure::grade::{GradedTrial, Grader};
use crate::measure::stopping::Stop;
use crate::run::event::{BatchNews, Event, Observer};
use crate::trial::TrialRecord;
use crate::units::{Usd, format_usd};
use crate::variant::{Variant, VariantId};

/// What the first Ctrl-C does.
pub(super) const DRAINING: &str =
    "no more requests are sent; waiting for those under way (Ctrl-C again leaves at once)";

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Between two messages beside the bar.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

/// Fewest columns of a terminal in which a bar is drawn, and of the bar.
const WITH_BAR: usize = 60;
const FEWEST_OF_BAR: usize = 10;

/// Shows a run's progress. Only what the store has committed is counted.
pub(super) struct Progress<'a> {
    printer: Printer,
    grader: &'a Grader,
    variants: Vec<VariantId>,
    bar: ProgressBar,
    lines: bool,
    /// When something was last said.
    last: Duration,
    total: u64,
    done: u64,
    scores: Vec<Score>,
    /// What this invocation asked, and what that cost.
    asked: u64,
    /// What an earlier invocation had done.
    before: u64,
    spent: Option<Usd>,
    retries: u64,
    in_flight: (usize, usize),
    /// What is waited for, in a batch run.
    waiting: Option<String>,
    /// The last state of each batch.
    states: HashMap<String, (String, Option<u64>)>,
    /// What a run that stops when it is decided knows.
    live: Option<Live>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(printer: Printer, grader: &'a Grader, variants: &[Variant], total: u64) -> Self {
        let shown = printer.shows_progress();
        let moves = shown && !is_dumb();
        let target = if moves { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let with_bar = columns(&console::Term::stderr()) >= WITH_BAR;
        let template = if with_bar { "{wide_bar} {pos}/{len} · {msg}" } else { "{pos}/{len} · {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message("sending");
        let lines = shown && bar.is_hidden();
        Self {
            printer,
            grader,
            variants: variants.iter().map(|variant| variant.id.clone()).collect(),
            bar,
            lines,
            last: Duration::ZERO,
            total,
            done: 0,
            scores: variants.iter().map(Score::of).collect(),
            asked: 0,
            before: 0,
            spent: Some(Usd::ZERO),
            retries: 0,
            in_flight: (0, 0),
            waiting: None,
            states: HashMap::new(),
            live: None,
        }
    }

    /// Shows what is decided, too.
    pub(super) fn deciding(mut self, live: Option<Live>) -> Self {
        self.live = live;
        self.count_decided();
        self
    }

    /// What a run that stops when it is decided knows.
    pub(super) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// What is left once variants are decided is less than was planned.
    fn count_decided(&mut self) {
        if let Some(live) = &self.live {
            self.done = live.done();
            self.total = live.done() + live.to_go();
            self.bar.set_length(self.total);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// What is known so far, in the order in which it is shown.
    fn parts(&self) -> Vec<Part> {
        // An interval of a fixed length is not to be looked at to stop by.
        let mut parts = accuracy(&self.scores, self.live.is_none());
        if let Some(spent) = self.spent.filter(|spent| *spent > Usd::ZERO) {
            let to_go = self.total.saturating_sub(self.done) as f64;
            let projected = spent.as_f64() * (1.0 + to_go / self.asked.max(1) as f64);
            let projected = format_usd(projected);
            let part = Part::new(2, format!("{spent} of about {projected}"));
            parts.push(part.or_shorter(format!("{spent}/{projected}")));
        }
        if self.before > 0 && !parts.is_empty() {
            parts.push(Part::new(4, format!("without the {} done before", self.before)));
        }
        if let Some(live) = &self.live {
            let names: Vec<&str> =
                live.stopped().filter_map(|place| self.variants.get(place)).map(VariantId::as_str).collect();
            let decided =
                if names.is_empty() { "none decided".into() } else { format!("decided: {}", names.join(", ")) };
            parts.push(Part::new(3, decided));
        }
        if self.done > 0 {
            parts.push(Part::new(3, pace(self.bar.per_sec())));
        }
        if self.retries > 0 {
            parts.push(Part::new(4, format!("{} retries", self.retries)));
        }
        match &self.waiting {
            Some(waiting) => parts.push(Part::new(1, waiting.clone())),
            None if self.in_flight.1 > 0 && self.done < self.total => {
                parts.push(Part::new(6, format!("{}/{} under way", self.in_flight.0, self.in_flight.1)));
            }
            None => {}
        }
        if self.done == self.total {
            parts.push(Part::new(0, format!("took {}", for_people(self.bar.elapsed()))));
        } else if self.done > 0 && self.waiting.is_none() {
            parts.push(Part::new(0, format!("ETA {}", for_people(self.bar.eta()))));
        }
        parts
    }

    /// Columns beside the bar and the count; a log has as many as it takes.
    fn room(&self) -> usize {
        let terminal = console::Term::stderr();
        if !terminal.is_term() {
            return usize::MAX;
        }
        let all = columns(&terminal);
        let bar = if all >= WITH_BAR && !self.lines { FEWEST_OF_BAR + 1 } else { 0 };
        // The last column stays free: some terminals wrap when it is written.
        all.saturating_sub(bar + format!("{}/{} · ", self.done, self.total).chars().count() + 1)
    }

    fn show(&mut self) {
        self.bar.set_position(self.done);
        let elapsed = self.bar.elapsed();
        let due = if self.lines { LINE_EVERY } else { DRAWN_EVERY };
        let whole = self.done == self.total && self.done > 0;
        if !self.printer.shows_progress() || (elapsed.saturating_sub(self.last) < due && !whole) {
            return;
        }
        self.last = elapsed;
        if self.lines {
            let known = fitted(self.parts(), self.room());
            self.printer.note(&format!("{}/{} · {known}", self.done, self.total));
        } else {
            self.bar.set_message(fitted(self.parts(), self.room()));
        }
    }
}

impl Progress<'_> {
    /// Tells the rule of a trial, and says if its variant is asked no more.
    fn decide(&mut self, record: &TrialRecord, graded: &GradedTrial) {
        let Some(live) = &mut self.live else { return };
        let variant = record.trial.variant;
        if let (Some(stop), Some(name)) = (live.take(record, graded), self.variants.get(variant)) {
            let what = match stop {
                Stop::Decided => "decided",
                Stop::Futile => "given up: the examples left would not settle its targets",
            };
            let note = format!("variant `{name}` is {what} (after {} examples)", live.stopped_at(variant));
            self.bar.suspend(|| self.printer.note(&note));
        }
        self.count_decided();
    }

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

impl Observer for Progress<'_> {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Finished(record) => {
                self.done += 1;
                if !self.printer.shows_progress() && self.live.is_none() {
                    return;
                }
                let (trial, exchange) = (&record.trial, &record.exchange);
                let graded = match &record.reading {
                    Some(read) => self.grader.grade_read(trial.variant, &trial.example, (exchange, read), None),
                    None => self.grader.grade(trial.variant, &trial.example, exchange, None),
                };
                self.decide(record, &graded);
                let score = graded.scores.first().and_then(|grade| grade.score());
                let score = score.filter(|_| !graded.counts_as_missing);
                if let (Some(score), Some(of)) = (score, self.scores.get_mut(trial.variant)) {
                    of.add(score);
                }
                if !record.reused && graded.failure_message.is_none() {
                    self.asked += 1;
                    self.spent = self.spent.zip(graded.cost).map(|(spent, cost)| spent + cost);
                }
                self.show();
            }
            Event::AlreadyDone => {
                self.done += u64::from(self.live.is_none());
                self.before += 1;
                self.bar.set_position(self.done);
                self.bar.tick();
                // The rate is that of what is asked now.
                self.bar.reset_eta();
            }
            Event::Retrying { .. } => self.retries += 1,
            Event::VariantStopped { variant, failure } => {
                let name = self.variants.get(variant).map_or("", |name| name.as_str());
                let note = format!("variant `{name}` is stopped: {} ({})", failure.message, failure.kind.as_str());
                self.bar.suspend(|| self.printer.note(&note));
            }
            Event::InFlight { requests, allowed } => {
                self.in_flight = (requests, allowed);
                if self.done < self.total {
                    self.show();
                }
            }
            Event::Batch { endpoint, remote, news } => self.batch(endpoint, remote, &news),
            Event::Draining => {
                self.bar.suspend(|| self.printer.note(DRAINING));
            }
        }
    }
}
