//! `ceiling compare`: variants, runs, providers or prompts on the same examples.

mod detail;
pub(super) mod flips;
pub(super) mod names;
pub(super) mod sides;
mod warnings;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::StoreArgs;
use super::exit::Exit;
use super::part;
use super::printer::Printer;
use crate::error::Error;
use crate::measure::contrast::{self, Contrast, Correction, PairedScores, Rules, Unsettled, contrast};
use crate::measure::matching::{self, Matching};
use crate::measure::side::{Metric, Side};
use crate::report::compare::{Compared, Comparison, Form, to_value};
use crate::report::terminal;
use crate::run::RunError;
use crate::store::Store;
use crate::suite::{Statistics, Suite};
use names::Chosen;
use sides::Sides;

/// Flips that are kept at most, in `--json` too: each one is two answers or more.
const MAX_FLIPS: u32 = 1000;

/// Flags of `ceiling compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// `RUN A B` compares variants of a run, `VARIANT RUN1 RUN2` one variant in several runs, `RUN1
    /// RUN2` every variant that both have, `A B` two sides, each a variant of the newest run or
    /// RUN:VARIANT. The first side is the baseline; more than two give a table.
    #[arg(required = true, num_args = 2.., value_name = "SIDE")]
    pub sides: Vec<String>,
    /// The rate that is compared.
    #[arg(long, value_enum, default_value_t = Rate::Accuracy, env = "CEILING_METRIC")]
    pub metric: Rate,
    /// Every side against every other, for exploring.
    #[arg(long, env = "CEILING_ALL_PAIRS")]
    pub all_pairs: bool,
    /// How many examples are printed whose scores differ, the largest change first.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_FLIPS)),
          env = "CEILING_FLIPS")]
    pub flips: u32,
    /// Only the slices of this tag; `label` is the expected class.
    #[arg(long, value_name = "TAG", env = "CEILING_TAG")]
    pub tag: Option<String>,
    /// The suite's folder, where it is no longer where the runs found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A rate, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rate {
    /// The primary scorer's mean.
    Accuracy,
    /// The share of schema-valid answers.
    Validity,
}

impl Rate {
    fn metric(self) -> Metric {
        match self {
            Self::Accuracy => Metric::Accuracy,
            Self::Validity => Metric::Validity,
        }
    }
}

/// Compares, and prints what it found; the answer is no exit code.
pub(super) fn compare(args: &CompareArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let comparison = comparison(&store, args, printer.is_json())?;
    printer.text(&terminal::compare::render(&comparison, args.flips as usize, printer.width()));
    if printer.is_json() {
        printer.value(&to_value(&comparison).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    super::DONE
}

/// What the flags ask for, found but not printed; with as many flips as they want, or all that are kept.
pub(super) fn comparison(store: &Store, args: &CompareArgs, all_flips: bool) -> Result<Comparison, Error> {
    let (names, pairs) = match names::resolve(store, &args.sides)? {
        Chosen::Sides(sides) => (sides, None),
        Chosen::Runs(pairs) => {
            let mut sides: Vec<names::SideName> = Vec::new();
            let mut place = |side: names::SideName| {
                sides.iter().position(|known| *known == side).unwrap_or_else(|| {
                    sides.push(side);
                    sides.len() - 1
                })
            };
            let pairs: Vec<[usize; 2]> = pairs.into_iter().map(|pair| pair.map(&mut place)).collect();
            (sides, Some(pairs))
        }
    };
    let sides = Sides::read(store, &names, args.suite.as_deref())?;
    let comparing = Comparing { args, store, sides: &sides, metric: args.metric.metric() };
    comparing.check()?;
    match pairs {
        Some(pairs) => comparing.runs(&pairs),
        None if sides.all.len() == 2 => comparing.pair(all_flips),
        None => comparing.table(),
    }
}

/// The sides, and how they are to be compared.
struct Comparing<'a> {
    args: &'a CompareArgs,
    store: &'a Store,
    sides: &'a Sides,
    metric: Metric,
}

impl Comparing<'_> {
    fn side(&self, place: usize) -> &Side {
        &self.sides.all[place].side
    }

    /// The baseline's suite: its levels, margin and seed hold.
    fn suite(&self) -> Result<&Suite, Error> {
        Ok(&self.sides.graded(&self.sides.all[0])?.suite)
    }

    fn statistics(&self) -> Result<Statistics, Error> {
        let statistics = self.suite()?.statistics;
        let usable = statistics.alpha > 0.0 && statistics.alpha < 0.5;
        Ok(if usable { statistics } else { Statistics { alpha: Statistics::default().alpha, ..statistics } })
    }

    /// Refuses what the suites cannot answer.
    fn check(&self) -> Result<(), Error> {
        let unchecked = self.sides.all.iter().find(|read| !read.side.checks_validity());
        if let (Metric::Validity, Some(read)) = (self.metric, unchecked) {
            return Err(Error::usage(
                format!("variant `{}` has no schema that its answers could break", read.name.variant),
                "leave --metric out to compare accuracy",
            ));
        }
        let Some(tag) = &self.args.tag else { return Ok(()) };
        let (roster, tags) = (&self.sides.roster, self.sides.roster.tags());
        if tags.contains(&tag.as_str()) {
            return Ok(());
        }
        if roster.is_too_fine(tag) {
            return Err(Error::usage(
                format!("the tag `{tag}` has more than {} values", crate::measure::slices::MAX_VALUES),
                "slices of so few examples say nothing",
            ));
        }
        let near = crate::text::nearest(tag, tags.iter().copied());
        let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        let known =
            if tags.is_empty() { "they have none".to_owned() } else { format!("they have {}", tags.join(", ")) };
        Err(Error::usage(
            format!("no example has the tag `{}`", crate::text::one_line(tag, 200)),
            format!("{near}{known}"),
        ))
    }

    /// Two sides, in detail.
    fn pair(&self, all_flips: bool) -> Result<Comparison, Error> {
        let both = [0, 1];
        let matched = self.matched(&both)?;
        let found = self.contrast(both, &matched, 1, Some(self.suite()?.gate.margin))?;
        let compared = self.compared(both, &matched, found);
        let detail = self.detail(&matched, compared.sameness, all_flips)?;
        self.comparison(Form::Pair, None, vec![compared], Some(detail))
    }

    /// Each against the first, or all against all, on the examples that all have.
    fn table(&self) -> Result<Comparison, Error> {
        let count = self.sides.all.len();
        let everyone: Vec<usize> = (0..count).collect();
        let matched = self.matched(&everyone)?;
        let (form, correction, pairs): (_, _, Vec<[usize; 2]>) = if self.args.all_pairs {
            let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| [a, b])).collect();
            (Form::AllPairs, Correction::BenjaminiHochberg, pairs)
        } else {
            (Form::Baseline, Correction::Holm, (1..count).map(|b| [0, b]).collect())
        };
        let tests = if correction == Correction::Holm { pairs.len() } else { 1 };
        let found = pairs.iter().map(|pair| {
            let found = self.contrast(*pair, &matched, tests, None)?;
            Ok(self.compared(*pair, &matched, found))
        });
        let found = found.collect::<Result<_, Error>>()?;
        self.comparison(form, Some(correction), found, None)
    }

    /// Every variant of one run against itself in another, each on what both have of it.
    fn runs(&self, pairs: &[[usize; 2]]) -> Result<Comparison, Error> {
        let matched: Vec<Matching> = pairs.iter().map(|pair| self.matching(pair)).collect();
        if let (true, Some(pair)) = (matched.iter().all(|matched| matched.common == 0), pairs.first()) {
            return Err(self.sides.nothing_common(pair, &matched[0]));
        }
        let found = pairs.iter().zip(&matched).map(|(pair, matched)| {
            let found = self.contrast(*pair, matched, pairs.len(), None)?;
            Ok(self.compared(*pair, matched, found))
        });
        let found = found.collect::<Result<_, Error>>()?;
        self.comparison(Form::Runs, Some(Correction::Holm), found, None)
    }

    fn matching(&self, places: &[usize]) -> Matching {
        let sides: Vec<&Side> = places.iter().map(|place| self.side(*place)).collect();
        matching::matching(&self.sides.roster, &sides, self.metric)
    }

    /// The examples that these sides have in common; at least one.
    fn matched(&self, places: &[usize]) -> Result<Matching, Error> {
        let matched = self.matching(places);
        if matched.common == 0 { Err(self.sides.nothing_common(places, &matched)) } else { Ok(matched) }
    }

    fn contrast(
        &self,
        [a, b]: [usize; 2],
        matched: &Matching,
        tests: usize,
        margin: Option<f64>,
    ) -> Result<Contrast, Error> {
        let sides = [self.side(a), self.side(b)];
        let pairs = matching::pairs(&self.sides.roster, sides, self.metric, &matched.places);
        Ok(self.judged([a, b], &pairs, &self.rules(sides, tests, margin)?))
    }

    /// B against A; where one of them was asked another split than the test examples, without a verdict.
    fn judged(&self, sides: [usize; 2], pairs: &PairedScores, rules: &Rules) -> Contrast {
        let mut found = contrast(pairs, rules);
        let options = |side: usize| part::options(&self.sides.all[side].name.run);
        if sides.into_iter().any(|side| part::asked_instead(&options(side)).is_some()) {
            found.withhold(Unsettled::OtherSplit);
        }
        found
    }

    fn compared(&self, [a, b]: [usize; 2], matched: &Matching, contrast: Contrast) -> Compared {
        let sides = [self.side(a), self.side(b)];
        Compared {
            a,
            b,
            common: matched.common,
            dropped: matched.dropped.clone(),
            difference_bounds: matching::difference_bounds(&self.sides.roster, sides, self.metric),
            sameness: matching::sameness(sides, &matched.places),
            contrast,
        }
    }

    fn rules(&self, sides: [&Side; 2], tests: usize, margin: Option<f64>) -> Result<Rules, Error> {
        let Statistics { alpha, seed, .. } = self.statistics()?;
        Ok(Rules { alpha, seed, tests, margin, too_many_missing: sides.into_iter().any(matching::lacks_too_many) })
    }

    fn comparison(
        &self,
        form: Form,
        correction: Option<Correction>,
        mut comparisons: Vec<Compared>,
        detail: Option<crate::report::compare::Detail>,
    ) -> Result<Comparison, Error> {
        let Statistics { alpha, seed, .. } = self.statistics()?;
        if let Some(correction) = correction {
            let mut family: Vec<Contrast> = comparisons.iter().map(|compared| compared.contrast).collect();
            contrast::correct(&mut family, correction, alpha);
            comparisons.iter_mut().zip(family).for_each(|(compared, corrected)| compared.contrast = corrected);
        }
        let facts: Vec<_> = self.sides.all.iter().map(|side| self.sides.facts(side)).collect::<Result<_, _>>()?;
        Ok(Comparison {
            form,
            metric: self.metric,
            scorer: self.suite()?.scorers.first().map_or(String::new(), |scorer| scorer.id.clone()),
            suite: self.suite()?.name.clone(),
            alpha,
            seed,
            correction,
            exploratory: form == Form::AllPairs,
            warnings: warnings::warnings(self.sides, &facts, &comparisons)?,
            sides: facts,
            comparisons,
            detail,
        })
    }
}
