//! `ceiling accept`: a tuned model, judged by the test that was frozen with its training data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::{SelectionArgs, StoreArgs};
use super::exit::Exit;
use super::export::{load_sound, schema_digest, scorer};
use super::printer::Printer;
use super::run::asking::{self, Answered};
use super::run::{RunArgs, parse_pace, parse_usd};
use super::{assemble, measuring};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::RunProvenance;
use crate::measure::grade::Grader;
use crate::provider::load::{Providers, ReadCodes, read_text_up_to};
use crate::report::training::{Accepted, accepted};
use crate::run::RunError;
use crate::score::Grade;
use crate::store::Store;
use crate::suite::load::{AddedVariant, LoadOptions};
use crate::suite::{Example, Suite};
use crate::training::accept::{Scored, Verdict, judge};
use crate::training::manifest::{FrozenExamples, Manifest, Method, SourceKind};
use crate::trial::Provenance;
use crate::units::Usd;
use crate::variant::{Structured, Tuning, TuningMethod};

/// Flags of `ceiling accept`.
///
/// Asks the frozen test examples of a model that was trained on exported data, and answers with an exit code: accepted (0),
/// rejected (1), not enough evidence (3), could not finish (4).
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The manifest that `ceiling export` wrote beside the training file.
    #[arg(value_name = "MANIFEST")]
    pub manifest: PathBuf,
    /// The tuned model.
    #[arg(long, value_name = "PROVIDER/MODEL", env = "CEILING_MODEL")]
    pub model: String,
    /// How the shape of the answer is asked for, instead of what the manifest says.
    #[arg(long, value_enum, env = "CEILING_STRUCTURED")]
    pub structured: Option<StructuredChoice>,
    /// The suite's folder, where it is no longer where the manifest found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Ask again, whatever the store has.
    #[arg(long, env = "CEILING_FRESH")]
    pub fresh: bool,
    /// Pace of a recording: 1 is the real pace, 0 at once.
    #[arg(long, value_name = "FACTOR", default_value_t = 0.02, value_parser = parse_pace, env = "CEILING_PACE")]
    pub pace: f64,
    /// Most requests at once, instead of the provider's own limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), env = "CEILING_CONCURRENCY")]
    pub concurrency: Option<u32>,
    /// Spend at most this much: a request is sent only if its worst case fits.
    #[arg(long, value_name = "USD", value_parser = parse_usd, env = "CEILING_MAX_COST")]
    pub max_cost: Option<Usd>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// How the shape is asked for, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StructuredChoice {
    /// The prompt alone.
    Text,
    /// The provider's JSON mode.
    JsonObject,
    /// The provider's native structured output.
    JsonSchema,
}

impl From<StructuredChoice> for Structured {
    fn from(choice: StructuredChoice) -> Self {
        match choice {
            StructuredChoice::Text => Self::Text,
            StructuredChoice::JsonObject => Self::JsonObject,
            StructuredChoice::JsonSchema => Self::JsonSchema,
        }
    }
}

const READING: ReadCodes =
    ReadCodes { unreadable: "training/unreadable", not_utf8: "training/not-utf8", too_large: "training/too-large" };

/// The largest manifest that is read: a line an example, of which a suite may have a million.
const LARGEST_MANIFEST: u64 = 1 << 30;

/// The name of the tuned model's variant in its run.
const CANDIDATE: &str = "candidate";

/// Ids that are named at most.
const MOST_NAMED: usize = 10;

/// Judges, and answers with an exit code.
pub(super) fn accept(args: &AcceptArgs, printer: Printer) -> Result<Exit, Error> {
    let (_watching, interrupts) = asking::watched()?;
    let manifest = read_manifest(&args.manifest)?;
    let folder = match &args.suite {
        Some(folder) => folder.clone(),
        None => args.manifest.parent().unwrap_or(Path::new("")).join(&manifest.suite.folder),
    };
    let providers = assemble::providers(&folder)?;
    let added = added(args, &manifest);
    let options = LoadOptions { variants: Some(Vec::new()), added: Some(added.clone()), ..LoadOptions::default() };
    let mut suite = load_sound(&folder, &providers, &options)?.suite;
    suite.repeats = manifest.acceptance.repeats.clamp(1, 1000);
    let examples = check_frozen(&manifest, &suite)?;
    let run_args = RunArgs {
        fresh: args.fresh,
        pace: args.pace,
        concurrency: args.concurrency,
        max_cost: args.max_cost,
        added: Some(Box::new(added)),
        ..RunArgs::plain(&folder, nothing_else(), args.store.clone())
    };
    let answered = asking::ask(&run_args, (&suite, &providers), printer, &interrupts)?;
    if answered.exit == Exit::Interrupted {
        return Ok(Exit::Interrupted);
    }
    let found = found(args, &manifest, (&suite, &providers), &answered, &examples)?;
    printer.text(&accepted(&found, printer.look()));
    printer.value(&serde_json::to_value(&found).map_err(|error| RunError::Bug(error.to_string()))?);
    Ok(exit_of(found.judged.verdict))
}

const fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Accepted => Exit::Done,
        Verdict::Rejected => Exit::GateFailed,
        Verdict::NotEnoughEvidence => Exit::NotEnoughEvidence,
        Verdict::CouldNotFinish => Exit::CouldNotFinish,
    }
}

/// Reads a manifest; whatever is wrong with it is the user's input.
pub(super) fn read_manifest(file: &Path) -> Result<Manifest, Error> {
    let source =
        read_text_up_to(LARGEST_MANIFEST, file, &READING).map_err(|fault| *fault).map_err(Diagnostics::from)?;
    Manifest::parse(&source.text).map_err(|error| {
        Error::usage(
            format!("`{}` is no manifest: {error}", file.display()),
            "`ceiling export` writes one beside the training file",
        )
    })
}

/// The variant of the suite that the tuned model is.
fn added(args: &AcceptArgs, manifest: &Manifest) -> AddedVariant {
    let method = match (manifest.method, manifest.source.kind) {
        (Method::Preference, _) => TuningMethod::Dpo,
        (Method::Supervised, SourceKind::Teacher) => TuningMethod::Distilled,
        (Method::Supervised, _) => TuningMethod::Lora,
    };
    AddedVariant {
        name: CANDIDATE.to_owned(),
        model: args.model.clone(),
        prompt: manifest.prompt.name.clone(),
        system: manifest.prompt.system.clone(),
        user: manifest.prompt.user.clone(),
        structured: args.structured.map_or(manifest.structured, Structured::from),
        params: manifest.params.clone(),
        tuned: Tuning {
            method,
            training_examples: Some(manifest.files.train.rows),
            base: manifest.base_model.clone(),
            retires: None,
        },
    }
}

/// No variant of the suite's own, and every example.
fn nothing_else() -> SelectionArgs {
    SelectionArgs { variants: Some(Vec::new()), limit: None, examples: None, tag: Vec::new(), provider: Vec::new() }
}

/// That what judges is what was frozen: examples, scorer, schema. Answers the examples.
fn check_frozen(manifest: &Manifest, suite: &Suite) -> Result<Vec<Example>, Error> {
    let rows = suite.examples.read().map(|row| row.map(|row| row.example));
    let examples: Vec<Example> =
        rows.collect::<Result<_, _>>().map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
    let (then, now) = (&manifest.acceptance, FrozenExamples::of(&examples));
    let mut changes = Vec::new();
    if now.digest != then.examples.digest {
        let ids = |of: &mut dyn Iterator<Item = &String>| {
            let all: Vec<String> = of.map(|id| format!("`{}`", crate::text::one_line(id, 100))).collect();
            let named = all.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = all.len().saturating_sub(MOST_NAMED);
            (all.len(), if more > 0 { format!("{named} and {more} more") } else { named })
        };
        let (old, new) = (&then.examples.each, &now.each);
        let removed = ids(&mut old.keys().filter(|id| !new.contains_key(*id)));
        let added = ids(&mut new.keys().filter(|id| !old.contains_key(*id)));
        let changed =
            ids(&mut new.iter().filter(|(id, now)| old.get(*id).is_some_and(|old| old != *now)).map(|(id, _)| id));
        for (word, (count, named)) in [("gone", removed), ("new", added), ("not as before", changed)] {
            if count > 0 {
                let examples = if count == 1 { "test example is" } else { "test examples are" };
                changes.push(format!("{count} {examples} {word}: {named}"));
            }
        }
    }
    if scorer(suite) != then.scorer {
        changes.push("the primary scorer, or how answers are read, is another".to_owned());
    }
    if schema_digest(suite) != then.schema_digest {
        changes.push("the schema of an answer is another".to_owned());
    }
    if suite.name != manifest.suite.name {
        changes.push(format!(
            "the suite is `{}`, not `{}`",
            suite.name,
            crate::text::one_line(&manifest.suite.name, 200)
        ));
    }
    if changes.is_empty() {
        return Ok(examples);
    }
    Err(Error::usage(
        format!("the test is not the one that was frozen\n  {}", changes.join("\n  ")),
        "put back what changed, or export anew: a test that is chosen after training proves nothing",
    ))
}

/// What the model did, judged.
fn found(
    args: &AcceptArgs,
    manifest: &Manifest,
    (suite, providers): (&Suite, &Providers),
    answered: &Answered,
    examples: &[Example],
) -> Result<Accepted, Error> {
    let (rows, provenance) = scored((suite, providers), answered, examples, &args.store)?;
    let mut judged = judge(&manifest.acceptance, &rows);
    if answered.exit != Exit::Done {
        judged.verdict = Verdict::CouldNotFinish;
    }
    let mut notes = Vec::new();
    if provenance != RunProvenance::Live {
        notes.push("the answers come from a recording: this says what was recorded, not what is served".to_owned());
    }
    if args.structured.is_some_and(|choice| Structured::from(choice) != manifest.structured) {
        notes.push(
            "--structured asks otherwise than the manifest says, and than the training rows were written for".into(),
        );
    }
    if suite.digest != manifest.suite.digest {
        notes.push("suite.toml, schema or prompts have changed since; the frozen test has not".to_owned());
    }
    Ok(Accepted {
        manifest: args.manifest.clone(),
        suite: suite.name.clone(),
        model: args.model.clone(),
        run: answered.run.name.clone(),
        provenance,
        exit_code: exit_of(judged.verdict).code(),
        judged,
        notes,
    })
}

/// The scores of every example; one that was not asked is missing.
fn scored(
    (suite, providers): (&Suite, &Providers),
    answered: &Answered,
    examples: &[Example],
    store: &StoreArgs,
) -> Result<(Vec<Scored>, RunProvenance), Error> {
    let store = Store::open_existing(&store.store)?;
    let grader = Grader::new(suite, &assemble::endpoint_facts(suite, providers)?)?;
    if grader.wants_command() {
        measuring::ask_processes(&store, answered.run.id, suite, &grader)?;
    }
    let repeats = u64::from(suite.repeats);
    let mut sums: BTreeMap<String, (f64, u64)> = BTreeMap::new();
    let (mut live, mut recorded) = (false, false);
    measuring::each_graded(
        (&store, &grader),
        (answered.run.id, Some(CANDIDATE)),
        |_| Some(0),
        |_, _| (),
        |_, trial, graded, ()| {
            live |= trial.exchange.provenance == Provenance::Live;
            recorded |= trial.exchange.provenance != Provenance::Live;
            let score = graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing);
            let sum = sums.entry(trial.example.id.0).or_default();
            *sum = score.map_or(*sum, |score| (sum.0 + score, sum.1 + 1));
            Ok(())
        },
    )?;
    let row = |example: &Example| {
        let (sum, calls) = sums.get(&example.id.0).copied().unwrap_or_default();
        Scored {
            id: example.id.0.clone(),
            cluster: example.cluster.clone(),
            score: (calls > 0).then(|| sum / calls as f64),
            calls,
            missing: repeats.saturating_sub(calls),
        }
    };
    let provenance = match (live, recorded) {
        (_, false) => RunProvenance::Live,
        (false, true) => RunProvenance::Recorded,
        (true, true) => RunProvenance::Mixed,
    };
    Ok((examples.iter().map(row).collect(), provenance))
}
