//! The tables of `docs/concepts/calibration.md`, from worlds that were run.

use std::fmt::Write as _;

use super::tally::{Counts, Family, Promise, Share, Truth, run};
use super::{bounds, coverage, families, gate, looks, power, rounds, rungs};

/// Where the tables stand in the page.
pub(crate) const BEGIN: &str = "<!-- tables: begin -->";
/// See [`BEGIN`].
pub(crate) const END: &str = "<!-- tables: end -->";

/// How many worlds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Of each family and size.
    pub(crate) worlds: u64,
    /// Of each kind of sample.
    pub(crate) samples: u64,
    /// Stored baselines.
    pub(crate) baselines: u64,
}

impl Scale {
    pub(crate) fn of(worlds: u64) -> Self {
        Self { worlds, samples: worlds * 20, baselines: worlds * 2 }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// With two decimals, for small shares.
fn fine(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

fn count(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    grouped.collect::<Vec<_>>().join(",")
}

/// Reasons why a promise is out of reach, numbered in the order of their first use.
#[derive(Default)]
struct Reasons(Vec<&'static str>);

impl Reasons {
    fn number(&mut self, why: &'static str) -> usize {
        let known = self.0.iter().position(|known| *known == why);
        known.unwrap_or_else(|| {
            self.0.push(why);
            self.0.len() - 1
        }) + 1
    }

    fn list(&self, text: &mut String) {
        if !self.0.is_empty() {
            text.push_str("\nWhy not:\n\n");
        }
        for (place, why) in self.0.iter().enumerate() {
            let _ = writeln!(text, "{}. {why}.", place + 1);
        }
    }
}

/// Whether a share keeps a promise of at most so much.
fn kept(share: Share, promise: Promise, reasons: &mut Reasons) -> (String, String) {
    let judged = |most: f64| match share {
        share if share.high() <= most => "met",
        share if share.low() > most => "missed",
        _ => "not settled",
    };
    match promise {
        Promise::AtMost(most) => (format!("≤ {}", percent(most)), judged(most).to_owned()),
        Promise::OutOfReach(most, _, why) => {
            let judged = judged(most);
            let why = if judged == "met" { String::new() } else { format!(" ({})", reasons.number(why)) };
            (format!("≤ {}", percent(most)), format!("{judged}{why}"))
        }
        Promise::None => ("–".to_owned(), "–".to_owned()),
    }
}

/// The families' results, by family and size.
struct Ran<'a> {
    family: &'a Family,
    sizes: Vec<(usize, Counts)>,
}

impl Ran<'_> {
    fn share(&self, counts: Counts) -> Share {
        Share { events: counts.events(self.family.truth), worlds: counts.worlds }
    }

    /// The size at which the event is most frequent.
    fn worst(&self) -> Share {
        let shares = self.sizes.iter().map(|(_, counts)| self.share(*counts));
        shares.fold(Share { events: 0, worlds: 0 }, |worst, share| {
            if worst.worlds == 0 || share.events > worst.events { share } else { worst }
        })
    }
}

fn ran(families: &'static [Family], worlds: u64) -> Vec<Ran<'static>> {
    let all = |family: &'static Family| Ran {
        family,
        sizes: family.sizes.iter().map(|n| (*n, run(family, *n, worlds))).collect(),
    };
    families.iter().map(all).collect()
}

/// All sizes that any of the families has.
fn sizes(all: &[Ran<'_>]) -> Vec<usize> {
    let mut sizes: Vec<usize> = all.iter().flat_map(|ran| ran.sizes.iter().map(|(n, _)| *n)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// One cell a size, a dash where the family has none.
fn cells(ran: &Ran<'_>, sizes: &[usize], cell: impl Fn(Counts) -> String) -> String {
    let of = |n: &usize| ran.sizes.iter().find(|(size, _)| size == n).map_or("–".to_owned(), |(_, c)| cell(*c));
    sizes.iter().map(of).collect::<Vec<_>>().join(" | ")
}

fn head(text: &mut String, first: &str, sizes: &[usize], rest: &[&str]) {
    let sizes: Vec<String> = sizes.iter().map(|n| format!("n = {}", count(*n as u64))).collect();
    let columns: Vec<&str> =
        std::iter::once(first).chain(sizes.iter().map(String::as_str)).chain(rest.iter().copied()).collect();
    let _ = writeln!(text, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

/// A table of families with a promise.
fn promised(text: &mut String, all: &[Ran<'_>], first: &str, strict: bool) {
    let sizes = sizes(all);
    let mut reasons = Reasons::default();
    let mut rest = vec!["worlds each", "worst, upper bound", "promise", ""];
    if strict {
        rest.insert(2, "worst at alpha 1%");
    }
    head(text, first, &sizes, &rest);
    for ran in all {
        let worst = ran.worst();
        let rates = cells(ran, &sizes, |counts| fine(ran.share(counts).rate()));
        let (promise, verdict) = kept(worst, ran.family.promise, &mut reasons);
        let at_one = ran.sizes.iter().map(|(_, counts)| counts.training_at_one_percent).max().unwrap_or(0);
        let at_one = fine(Share { events: at_one, worlds: worst.worlds }.rate());
        let at_one = if strict { format!(" | {at_one}") } else { String::new() };
        let name = ran.family.name;
        let (worlds, high) = (count(worst.worlds), fine(worst.high()));
        let _ = writeln!(text, "| {name} | {rates} | {worlds} | {high}{at_one} | {promise} | {verdict} |");
    }
    reasons.list(text);
}

/// One of the counts.
type Counted = fn(&Counts) -> u64;

/// All worlds of a list together: how they ended, by size.
fn together(text: &mut String, all: &[Ran<'_>], what: &str) {
    let sizes = sizes(all);
    head(text, what, &sizes, &[]);
    let total = |n: &usize, of: Counted| {
        let found = all.iter().flat_map(|ran| ran.sizes.iter().filter(|(size, _)| size == n));
        let (events, worlds) = found.fold((0, 0), |sum, (_, counts)| (sum.0 + of(counts), sum.1 + counts.worlds));
        percent(Share { events, worlds }.rate())
    };
    let rows: [(&str, Counted); 4] = [
        ("training", |counts| counts.training),
        ("a cheaper step", |counts| counts.cheaper_step),
        ("keep prompting", |counts| counts.keep_prompting),
        ("not enough evidence", |counts| counts.not_enough_evidence),
    ];
    for (name, of) in rows {
        let cells: Vec<String> = sizes.iter().map(|n| total(n, of)).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

fn needless_training(text: &mut String, scale: Scale) {
    text.push_str("### Training recommended where it is needless\n\n");
    let mut all = ran(families::FAMILIES, scale.worlds);
    all.extend(ran(rungs::FAMILIES, scale.worlds));
    promised(text, &all, "worlds", true);
    text.push_str("\nHow these worlds ended, all together:\n\n");
    together(text, &all, "verdict");
}

fn ceilings_too_soon(text: &mut String, scale: Scale) {
    text.push_str("\n### A ceiling called where one more round would gain 2 points\n\n");
    promised(text, &ran(rounds::FAMILIES, scale.worlds), "worlds", false);
}

fn power_table(text: &mut String, scale: Scale) {
    text.push_str("\n### Training recommended where it is right\n\n");
    text.push_str("Share of worlds with that verdict / with not enough evidence.\n\n");
    let all = ran(power::FAMILIES, (scale.worlds / 4).max(20));
    let sizes = sizes(&all);
    head(text, "worlds", &sizes, &["worlds each"]);
    for ran in &all {
        let rate = |events: u64, counts: Counts| 100.0 * Share { events, worlds: counts.worlds }.rate();
        let cell = |c: Counts| format!("{:.0}% / {:.0}%", rate(c.training, c), rate(c.not_enough_evidence, c));
        let worlds = count(ran.worst().worlds);
        let _ = writeln!(text, "| {} | {} | {worlds} |", ran.family.name, cells(ran, &sizes, cell));
    }
}

fn coverage_table(text: &mut String, scale: Scale) {
    text.push_str("\n### How often 95% intervals cover\n\n");
    text.push_str("| interval | samples | covered | 95% bounds | promise | |\n|---|---|---|---|---|---|\n");
    let mut reasons = Reasons::default();
    let range = coverage::PROMISED;
    for row in coverage::all() {
        let share = row.run(scale.samples);
        let (low, high) = (share.low(), share.high());
        let judged = match share {
            _ if low >= range.low && high <= range.high => "met",
            _ if high < range.low => "missed: too narrow",
            _ if low > range.high => "missed: too wide",
            _ => "not settled",
        };
        let why = row
            .known
            .filter(|_| judged != "met")
            .map_or(String::new(), |(_, why)| format!(" ({})", reasons.number(why)));
        let samples = count(share.worlds);
        let covered = percent(share.rate());
        let (low, high) = (percent(low), percent(high));
        let _ =
            writeln!(text, "| {} | {samples} | {covered} | {low} to {high} | 94% to 96% | {judged}{why} |", row.name);
    }
    reasons.list(text);
}

/// A table of events that must be rare.
fn rare(text: &mut String, first: &str, rows: impl Iterator<Item = (String, Share, Promise)>) {
    let _ = writeln!(text, "| {first} | worlds | rate | upper bound | promise | |\n|---|---|---|---|---|---|");
    let mut reasons = Reasons::default();
    for (name, share, promise) in rows {
        let (promise, verdict) = kept(share, promise, &mut reasons);
        let (worlds, rate, high) = (count(share.worlds), fine(share.rate()), fine(share.high()));
        let _ = writeln!(text, "| {name} | {worlds} | {rate} | {high} | {promise} | {verdict} |");
    }
    reasons.list(text);
}

fn bounds_table(text: &mut String, scale: Scale) {
    text.push_str("\n### How often the one-sided bounds that decide are wrong\n\n");
    rare(text, "bound", bounds::all().into_iter().map(|row| (row.name.clone(), row.run(scale.samples), row.promise)));
}

fn gate_table(text: &mut String, scale: Scale) {
    text.push_str("\n### The gate\n\n");
    text.push_str("| change | worlds | alarms | upper bound | confirmed alarms | promise, before confirmation | |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for change in gate::CHANGES {
        let [alarms, confirmed] = change.run(scale.samples);
        let (promise, verdict) = match change.at_least {
            Some(least) if alarms.low() >= least => (format!("≥ {}", percent(least)), "met".to_owned()),
            Some(least) if alarms.high() < least => (format!("≥ {}", percent(least)), "missed".to_owned()),
            Some(least) => (format!("≥ {}", percent(least)), "not settled".to_owned()),
            None => kept(alarms, change.promise, &mut Reasons::default()),
        };
        let (worlds, rate, high) = (count(alarms.worlds), fine(alarms.rate()), fine(alarms.high()));
        let (name, confirmed) = (change.name(), fine(confirmed.rate()));
        let _ = writeln!(text, "| {name} | {worlds} | {rate} | {high} | {confirmed} | {promise} | {verdict} |");
    }
    let stored = gate::stored_baselines(scale.baselines);
    let _ = writeln!(
        text,
        "\nOne stored baseline of 300 examples at 89% against {} later runs in which nothing changed, for {} baselines: \
         {} of runs alarm; {} of baselines alarm in more than 5% of their runs, the worst in {}. Confirmed on a fresh \
         pair, {} of runs alarm (at most {} by its 95% bound).",
        count(stored.runs / stored.baselines.max(1)),
        count(stored.baselines),
        fine(stored.alarm_rate().rate()),
        percent(stored.bad_baselines().rate()),
        percent(stored.worst()),
        fine(stored.confirmed_rate().rate()),
        fine(stored.confirmed_rate().high()),
    );
}

fn looks_table(text: &mut String, scale: Scale) {
    text.push_str("\n### Stopping early\n\n");
    let rows = looks::ALL.iter().map(|row| (row.name.to_owned(), row.run(scale.worlds * 8), row.promise));
    rare(text, "looking again and again", rows);
}

/// A table and what it is called.
pub(crate) type Section = (&'static str, fn(&mut String, Scale));

/// All tables in the order of the page.
pub(crate) const SECTIONS: &[Section] = &[
    ("needless training", needless_training),
    ("ceilings", ceilings_too_soon),
    ("power", power_table),
    ("coverage", coverage_table),
    ("bounds", bounds_table),
    ("gate", gate_table),
    ("looks", looks_table),
];

/// The tables of a text, each with its heading.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let starts: Vec<usize> = text.match_indices("### ").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let section = |(start, end): (&usize, usize)| {
        let section = text[*start..end].trim_end();
        (section.lines().next().unwrap_or_default(), section)
    };
    starts.iter().zip(ends).map(section).collect()
}

/// The page with these tables in place of those with the same headings; `None` where it lacks the marks.
pub(crate) fn with_tables(page: &str, tables: &str) -> Option<String> {
    let begin = page.find(BEGIN)? + BEGIN.len();
    let end = page.find(END).filter(|end| begin <= *end)?;
    let mut all = sections(&page[begin..end]);
    for new in sections(tables) {
        match all.iter_mut().find(|old| old.0 == new.0) {
            Some(old) => *old = new,
            None => all.push(new),
        }
    }
    let all: Vec<&str> = all.into_iter().map(|(_, section)| section).collect();
    Some(format!("{}\n\n{}\n\n{}", &page[..begin], all.join("\n\n"), &page[end..]))
}

/// Every row that the page must have: it is as old as the worlds otherwise.
pub(crate) fn rows() -> Vec<String> {
    let families = [families::FAMILIES, rungs::FAMILIES, rounds::FAMILIES, power::FAMILIES].into_iter().flatten();
    let mut rows: Vec<String> = families.map(|family| family.name.to_owned()).collect();
    rows.extend(coverage::all().into_iter().map(|row| row.name));
    rows.extend(bounds::all().into_iter().map(|row| row.name));
    rows.extend(gate::CHANGES.iter().map(gate::Change::name));
    rows.extend(looks::ALL.iter().map(|row| row.name.to_owned()));
    rows
}

/// The truths that families claim, for messages.
pub(crate) fn asked(truth: Truth) -> &'static str {
    match truth {
        Truth::TrainingIsNeedless => "recommends needless training",
        Truth::TrainingIsRight => "recommends training",
        Truth::NextRoundHelps => "calls a ceiling too soon",
    }
}
