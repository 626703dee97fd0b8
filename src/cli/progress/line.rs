//! The words beside the progress bar: what is known so far, and what of it has room.

use std::time::Duration;

use crate::report::figure::share;
use crate::report::terminal::shortened;
use crate::stats::proportion::wilson;
use crate::text::columns;
use crate::variant::Variant;

/// Most characters of a variant's name.
const MOST_OF_NAME: usize = 24;

/// The same where there is little room.
const SHORT_NAME: usize = 10;

/// Something to say; of two, the one that matters less gives way where both have no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// 0 matters most.
    pub(super) rank: u8,
    pub(super) text: String,
    /// The same in fewer words.
    short: Option<String>,
}

impl Part {
    pub(super) fn new(rank: u8, text: String) -> Self {
        Self { rank, text, short: None }
    }

    /// The same, in fewer words where there is little room.
    pub(super) fn or_shorter(self, short: String) -> Self {
        Self { short: Some(short), ..self }
    }
}

/// The parts in their order; where they have no room, those that can be are shortened, the least important one
/// first, and then the least important ones are left out.
pub(super) fn fitted(mut parts: Vec<Part>, room: usize) -> String {
    loop {
        let line = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" · ");
        let last = (0..parts.len()).max_by_key(|place| (parts[*place].short.is_some(), parts[*place].rank, *place));
        let Some(place) = last.filter(|_| columns(&line) > room) else { return line };
        match parts[place].short.take() {
            Some(short) => parts[place].text = short,
            None => drop(parts.remove(place)),
        }
    }
}

/// Scores of a variant so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Score {
    name: String,
    /// Shows only how far an intervention could go.
    bound: bool,
    scored: u64,
    correct: f64,
}

impl Score {
    pub(super) fn of(variant: &Variant) -> Self {
        Self {
            name: shortened(variant.id.as_str(), MOST_OF_NAME),
            bound: variant.retrieve.as_ref().is_some_and(crate::variant::Retrieve::is_oracle),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, score: f64) {
        self.scored += 1;
        self.correct += score;
    }

    fn mean(&self) -> f64 {
        self.correct / self.scored.max(1) as f64
    }
}

/// The leading variant's accuracy, and that over all; an interval only where it may be looked at.
pub(super) fn accuracy(scores: &[Score], interval: bool) -> Vec<Part> {
    let rate = |score: &Score, interval: bool| {
        let looked = wilson(score.correct, score.scored as f64, 0.05);
        // An end that is not all or nothing does not read so.
        let [low, high] = [looked.low, looked.high].map(|end| share(end, 0).trim_end_matches('%').to_owned());
        let looked = if interval { format!(" [{low}–{high}]") } else { String::new() };
        format!("{}{looked}", share(score.mean(), 1))
    };
    let shippable = || scores.iter().filter(|score| !score.bound);
    let known = || shippable().filter(|score| score.scored > 0);
    let mut parts = Vec::new();
    let leading = known().rev().max_by(|a, b| a.mean().total_cmp(&b.mean()));
    if let Some(leading) = leading {
        let best = if shippable().count() > 1 { "best " } else { "" };
        let text = format!("{best}{} {}", leading.name, rate(leading, interval));
        let short = format!("{} {}", shortened(&leading.name, SHORT_NAME), rate(leading, false));
        parts.push(Part { short: Some(short), ..Part::new(1, text) });
    }
    if shippable().count() > 1 && known().next().is_some() {
        let all = known().fold(Score::default(), |mut all, score| {
            all.scored += score.scored;
            all.correct += score.correct;
            all
        });
        parts.push(Part::new(5, format!("all {}", rate(&all, false))));
    }
    parts
}

/// Trials a second.
pub(super) fn pace(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}/s") } else { format!("{per_second:.0}/s") }
}

/// A time of seconds to days, in its two largest units.
pub(super) fn for_people(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, correct: f64, scored: u64) -> Score {
        Score { name: name.to_owned(), bound: name == "oracle", scored, correct }
    }

    #[test]
    fn the_least_important_part_gives_way_first() {
        let parts =
            || vec![Part::new(1, "best a 44%".into()), Part::new(5, "all 9%".into()), Part::new(0, "ETA 5 s".into())];
        assert_eq!(fitted(parts(), 80), "best a 44% · all 9% · ETA 5 s");
        assert_eq!(fitted(parts(), 29), "best a 44% · all 9% · ETA 5 s");
        assert_eq!(fitted(parts(), 28), "best a 44% · ETA 5 s");
        let short = Part { short: Some("a 44%".into()), ..parts().remove(0) };
        assert_eq!(fitted(vec![short, parts().remove(2)], 15), "a 44% · ETA 5 s");
        assert_eq!(fitted(parts(), 12), "ETA 5 s");
        assert_eq!(fitted(parts(), 3), "");
    }

    #[test]
    fn the_rate_has_room_beside_the_cost() {
        let long = [score("few-shot-5-schema-cached", 999.0, 1000), score("plain", 1.0, 1000)];
        let mut parts = accuracy(&long, true);
        parts.push(Part::new(2, "$0.0123 of about $12.40".into()).or_shorter("$0.0123/$12.40".into()));
        parts.push(Part::new(3, pace(12.0)));
        parts.push(Part::new(6, "16/16 under way".into()));
        parts.push(Part::new(0, "ETA 3 min".into()));
        // What a terminal of 80 columns leaves beside the bar and `1000/2000 · `.
        assert_eq!(fitted(parts, 80 - 11 - 12 - 1), "few-s…ched 99.9% · $0.0123/$12.40 · 12/s · ETA 3 min");
        assert_eq!(accuracy(&[score("a", 9990.0, 10_000)], true)[0].text, "a 99.9% [99.8–99.9]");
    }

    #[test]
    fn the_leading_variant_is_one_that_could_be_shipped() {
        let scores =
            [score("plain", 1.0, 10), score("oracle", 9.0, 10), score("tuned", 5.0, 10), score("later", 0.0, 0)];
        let said: Vec<String> = accuracy(&scores, true).into_iter().map(|part| part.text).collect();
        assert_eq!(said, ["best tuned 50.0% [24–76]", "all 30.0%"]);
        let said: Vec<String> = accuracy(&scores[..1], false).into_iter().map(|part| part.text).collect();
        assert_eq!(said, ["plain 10.0%"]);
        assert_eq!(accuracy(&[score("plain", 0.0, 0)], true), []);
    }
}
