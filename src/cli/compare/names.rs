//! What the names on the command line mean: runs, variants, or `RUN:VARIANT`.

use crate::error::Error;
use crate::store::{RunRow, Store, StoreError};
use crate::text;

/// Names that a message lists at most.
const MOST_LISTED: usize = 12;

/// The forms, for a hint.
const FORMS: &str = "write `RUN A B` (variants of a run), `VARIANT RUN1 RUN2`, `RUN1 RUN2` (every variant of both), or \
                     `A B`, each a variant of the newest run or RUN:VARIANT";

/// A variant of a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct SideName {
    pub(in crate::cli) run: RunRow,
    pub(in crate::cli) variant: String,
}

impl SideName {
    fn full(&self) -> String {
        format!("{}:{}", self.run.name, self.variant)
    }
}

/// What is to be compared.
#[derive(Debug)]
pub(in crate::cli) enum Chosen {
    /// These, the first one being the baseline; at least two.
    Sides(Vec<SideName>),
    /// Each with itself in another run: baseline and other.
    Runs(Vec<[SideName; 2]>),
}

/// Finds out what is to be compared.
pub(in crate::cli) fn resolve(store: &Store, names: &[String]) -> Result<Chosen, Error> {
    let names = Names { store, runs: store.runs()?, given: names };
    let Some(last) = names.runs.first() else { return Err(StoreError::NoRun("last".into()).into()) };
    let is_run: Vec<bool> = names.given.iter().map(|name| names.run(name).is_some()).collect();
    let others_are_runs = is_run[1..].iter().all(|is_run| *is_run);
    if is_run[0] && others_are_runs {
        return names.whole_runs();
    }
    let many = names.given.len() > 2;
    let sides = match names.run(&names.given[0]) {
        Some(run) if many && !is_run[1..].contains(&true) => {
            names.check_ambiguous(run)?;
            names.given[1..].iter().map(|name| names.side(name, run)).collect::<Result<_, _>>()?
        }
        None if many && others_are_runs => {
            let variant = names.given[0].as_str();
            let of_run = |run: &RunRow| names.side(variant, run);
            names.given[1..].iter().filter_map(|name| names.run(name)).map(of_run).collect::<Result<_, _>>()?
        }
        _ => {
            names.check_ambiguous(last)?;
            names.given.iter().map(|name| names.side(name, last)).collect::<Result<Vec<_>, _>>()?
        }
    };
    check_distinct(&sides)?;
    Ok(Chosen::Sides(sides))
}

struct Names<'a> {
    store: &'a Store,
    /// The newest first.
    runs: Vec<RunRow>,
    given: &'a [String],
}

impl Names<'_> {
    fn run(&self, name: &str) -> Option<&RunRow> {
        if name == "last" { self.runs.first() } else { self.runs.iter().find(|run| run.name == name) }
    }

    /// A side by its name: `RUN:VARIANT`, or a variant of `run`.
    fn side(&self, name: &str, run: &RunRow) -> Result<SideName, Error> {
        let (run, variant) = match name.split_once(':') {
            Some((named, variant)) => (self.run(named).ok_or_else(|| self.unknown_run(named))?, variant),
            None => (run, name),
        };
        let variants = self.store.variants_of(run.id)?;
        if variants.iter().any(|known| known == variant) {
            return Ok(SideName { run: run.clone(), variant: variant.to_owned() });
        }
        if name == variant && self.run(name).is_some() {
            let message = format!("`{name}` is a run, and which of its variants is meant cannot be told");
            return Err(Error::usage(message, format!("write {name}:VARIANT; or {FORMS}")));
        }
        let what = if name == variant { "neither a run nor a variant" } else { "no variant" };
        let message = format!("`{}` is {what} of run `{}`", text::one_line(variant, 200), run.name);
        Err(Error::usage(message, self.hint(variant, &variants)))
    }

    fn unknown_run(&self, name: &str) -> Error {
        let near = text::nearest(name, self.runs.iter().map(|run| run.name.as_str()));
        let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        Error::usage(
            format!("the store has no run `{}`", text::one_line(name, 200)),
            format!("{near}`ceiling runs` lists them; `last` is the newest"),
        )
    }

    fn hint(&self, name: &str, variants: &[String]) -> String {
        let known = variants.iter().map(String::as_str).chain(self.runs.iter().map(|run| run.name.as_str()));
        let near = text::nearest(name, known).map_or(String::new(), |near| format!("did you mean `{near}`? "));
        format!("{near}its variants: {}; {FORMS}", listed(variants))
    }

    /// A name that is a run and a variant at once is refused: whichever was taken could be the wrong one.
    fn check_ambiguous(&self, run: &RunRow) -> Result<(), Error> {
        let variants = self.store.variants_of(run.id)?;
        let both = |name: &&String| self.run(name).is_some() && variants.contains(name);
        match self.given.iter().find(both) {
            None => Ok(()),
            Some(name) => Err(Error::usage(
                format!("`{name}` is both a run and a variant of run `{}`", run.name),
                format!("write {}:{name} for the variant; {FORMS}", run.name),
            )),
        }
    }

    /// Every variant that the first run shares with each other one.
    fn whole_runs(&self) -> Result<Chosen, Error> {
        let runs: Vec<&RunRow> = self.given.iter().filter_map(|name| self.run(name)).collect();
        let first = runs[0];
        self.check_ambiguous(first)?;
        if let Some(again) = runs.iter().skip(1).find(|run| run.id == first.id) {
            return Err(Error::usage(format!("run `{}` is to be compared with itself", again.name), FORMS));
        }
        let own = self.store.variants_of(first.id)?;
        let mut pairs = Vec::new();
        for other in &runs[1..] {
            let theirs = self.store.variants_of(other.id)?;
            pairs.extend(own.iter().filter(|variant| theirs.contains(variant)).map(|variant| {
                let side = |run: &RunRow| SideName { run: run.clone(), variant: variant.clone() };
                [side(first), side(other)]
            }));
        }
        match pairs.len() {
            0 => {
                let other = runs[1];
                let theirs = self.store.variants_of(other.id)?;
                Err(Error::usage(
                    format!("runs `{}` and `{}` have no variant in common", first.name, other.name),
                    format!(
                        "name the sides: {}:… ({}) and {}:… ({})",
                        first.name,
                        listed(&own),
                        other.name,
                        listed(&theirs)
                    ),
                ))
            }
            1 => Ok(Chosen::Sides(pairs.into_iter().flatten().collect())),
            _ => Ok(Chosen::Runs(pairs)),
        }
    }
}

fn check_distinct(sides: &[SideName]) -> Result<(), Error> {
    for (place, side) in sides.iter().enumerate() {
        if sides[..place].contains(side) {
            return Err(Error::usage(format!("`{}` is named twice", side.full()), FORMS));
        }
    }
    Ok(())
}

/// The first names, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_LISTED).map(String::as_str).collect();
    let more = names.len().saturating_sub(MOST_LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
