//! `ceiling flips`: the examples on which two sides differ, with both answers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::StoreArgs;
use super::compare::flips::read;
use super::compare::names::{self, Chosen};
use super::compare::sides::Sides;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::measure::matching::{self, Flip};
use crate::measure::side::Metric;
use crate::report::flips::{Direction, FlipReport, FlipSide, render};
use crate::run::RunError;
use crate::store::Store;
use crate::text;

/// Flags of `ceiling flips`.
#[derive(Debug, Clone, Args)]
pub struct FlipsArgs {
    /// `A B`, each a variant of the newest run or RUN:VARIANT; `RUN A B`, two variants of a run; or
    /// `VARIANT RUN1 RUN2`.
    #[arg(required = true, num_args = 2..=3, value_name = "SIDE")]
    pub sides: Vec<String>,
    /// Only the examples that B fixes, or those that it breaks.
    #[arg(long, value_enum, env = "CEILING_ONLY")]
    pub only: Option<Only>,
    /// How many are shown, the largest change first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000),
          env = "CEILING_LIMIT")]
    pub limit: u32,
    /// Only examples with this tag; `label` is the expected class.
    #[arg(long, value_name = "TAG=VALUE", env = "CEILING_TAG")]
    pub tag: Option<String>,
    /// The suite's folder, where it is no longer where the runs found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A direction, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// B scores higher.
    Fixed,
    /// B scores lower.
    Broken,
}

/// Shows the flips.
pub(super) fn flips(args: &FlipsArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let names = match names::resolve(&store, &args.sides)? {
        Chosen::Sides(names) if names.len() == 2 => names,
        Chosen::Sides(_) | Chosen::Runs(_) => {
            return Err(Error::usage(
                "flips are those between two sides",
                "name one variant of each: RUN1:VARIANT RUN2:VARIANT; `ceiling compare` takes more",
            ));
        }
    };
    let sides = Sides::read(&store, &names, args.suite.as_deref())?;
    let report = found(args, &store, &sides)?;
    printer.text(&render(&report, printer.width()));
    if printer.is_json() {
        printer.value(&serde_json::to_value(&report).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    super::DONE
}

fn found(args: &FlipsArgs, store: &Store, sides: &Sides) -> Result<FlipReport, Error> {
    let both = [&sides.all[0].side, &sides.all[1].side];
    let matched = matching::matching(&sides.roster, &both, Metric::Accuracy);
    if matched.common == 0 {
        return Err(sides.nothing_common(&[0, 1], &matched));
    }
    let tag = args.tag.as_deref().map(tag_and_value).transpose()?;
    let places = match &tag {
        None => matched.places,
        Some(tag) => tagged(sides, tag, &matched.places)?,
    };
    let mut flips = matching::flips(both, Metric::Accuracy, &places);
    let is_fixed = |flip: &Flip| flip.b > flip.a;
    let all = flips.len() as u64;
    let fixed = flips.iter().filter(|flip| is_fixed(flip)).count() as u64;
    let only = args.only.map(|only| match only {
        Only::Fixed => Direction::Fixed,
        Only::Broken => Direction::Broken,
    });
    flips.retain(|flip| only.is_none_or(|only| is_fixed(flip) == (only == Direction::Fixed)));
    let examples = read(store, sides, flips, args.limit as usize)?;
    let suite = &sides.graded(&sides.all[0])?.suite;
    let common = places.len() as u64;
    Ok(FlipReport {
        suite: suite.name.clone(),
        scorer: suite.scorers.first().map_or(String::new(), |scorer| scorer.id.clone()),
        sides: [side(sides, 0)?, side(sides, 1)?],
        common,
        fixed,
        broken: all - fixed,
        alike: common - all,
        left_out: matched.dropped.examples,
        only,
        tag,
        listed: examples.len() as u64,
        examples,
    })
}

fn side(sides: &Sides, place: usize) -> Result<FlipSide, Error> {
    let facts = sides.facts(&sides.all[place])?;
    Ok(FlipSide { name: facts.name, run: facts.run, variant: facts.variant, endpoints: facts.endpoints })
}

fn tag_and_value(text: &str) -> Result<[String; 2], Error> {
    match text.split_once('=') {
        Some((tag, value)) if !tag.is_empty() => Ok([tag.to_owned(), value.to_owned()]),
        _ => Err(Error::usage(
            format!("`{}` is no TAG=VALUE", text::one_line(text, 200)),
            "write --tag site=north; the tag `label` is the expected class",
        )),
    }
}

/// The examples with a tag.
fn tagged(sides: &Sides, [tag, value]: &[String; 2], places: &[u32]) -> Result<Vec<u32>, Error> {
    let roster = &sides.roster;
    if let Some(places) = roster.within(tag, value, places) {
        return Ok(places);
    }
    let (tags, values) = (roster.tags(), roster.values(tag));
    let (word, known) = if values.is_empty() { (tag, tags) } else { (value, values) };
    let near = text::nearest(word, known.iter().copied());
    let near = near.map_or(String::new(), |near| format!("did you mean `{}`? ", text::one_line(near, 100)));
    let listed = known.iter().map(|known| text::one_line(known, 100)).collect::<Vec<_>>().join(", ");
    let listed = if listed.is_empty() { "there are none".to_owned() } else { format!("there are: {listed}") };
    let too_fine = if roster.is_too_fine(tag) { "; tags of very many values cannot be asked for" } else { "" };
    Err(Error::usage(
        format!("no example has the tag {}={}", text::one_line(tag, 200), text::one_line(value, 200)),
        format!("{near}{listed}{too_fine}"),
    ))
}
