//! `ceiling tune submit`: what it would cost, then the files and the job, each once.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Value, json};

use super::manifest::Found;
use super::state::{self, JobState, State};
use super::work::{Work, draft};
use super::{Host, ManifestArgs, word};
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::cli::run::parse_usd;
use crate::error::Error;
use crate::provider::{EndpointId, Model, Provider};
use crate::report::tune::Preview;
use crate::run::tuning::Tuner;
use crate::text::one_line;
use crate::training::manifest::Method;
use crate::units::{Usd, UsdPerMillionTokens};

/// Most bytes of a file that is sent: it is held in memory, and sent in one piece.
const MOST_BYTES: u64 = 1_000_000_000;

/// Flags of `ceiling tune submit`.
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// The manifest.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// Who tunes: `openai`, `together`, or a host that speaks OpenAI's fine-tuning API.
    #[arg(long, value_name = "NAME", env = "CEILING_TUNE_PROVIDER")]
    pub provider: String,
    /// The model to tune, as the provider knows it, instead of the manifest's.
    #[arg(long, value_name = "MODEL", env = "CEILING_TUNE_MODEL")]
    pub model: Option<String>,
    /// How often training goes through the file, instead of what the manifest says.
    #[arg(long, value_name = "N", env = "CEILING_TUNE_EPOCHS")]
    pub epochs: Option<u32>,
    /// What the tuned model's name is told by, instead of the suite's name.
    #[arg(long, value_name = "TEXT", env = "CEILING_TUNE_SUFFIX")]
    pub suffix: Option<String>,
    /// The seed of the training.
    #[arg(long, value_name = "N", env = "CEILING_TUNE_SEED")]
    pub seed: Option<u64>,
    /// Start nothing that would cost more than this, as far as it can be estimated.
    #[arg(long, value_name = "USD", value_parser = parse_usd, env = "CEILING_TUNE_MAX_COST")]
    pub max_cost: Option<Usd>,
    /// Start without asking.
    #[arg(long, short, env = "CEILING_TUNE_YES")]
    pub yes: bool,
}

/// What the user chose, or what the manifest says.
pub(super) struct Choice {
    pub(super) model: String,
    pub(super) epochs: Option<u32>,
    pub(super) suffix: String,
    pub(super) seed: Option<u64>,
}

/// Submits.
pub(super) fn submit(args: &SubmitArgs, printer: Printer) -> Result<Exit, Error> {
    let found = Found::open(&args.manifest.manifest)?;
    found.lock()?;
    let host = Host::named(&args.provider, &found.suite())?;
    let choice = choose(args, &found, &host)?;
    check(&found, &host, &choice)?;
    let most = host.wire.limits().bytes.min(MOST_BYTES);
    let files = &found.manifest.files;
    let train = found.read(&files.train, most)?;
    let validation = files.validation.as_ref().map(|facts| found.read(facts, most)).transpose()?;
    let place = state::place(&found.path);
    let earlier = earlier(&place, &found, &host, &choice)?;
    if let Some((state, id)) = earlier.as_ref().and_then(|state| Some((state, state.job.as_ref()?.id.clone()?))) {
        printer.text(&format!("{} has job {id} on these files already; nothing was sent\n", state.provider));
        tell_how_to_follow(&found, printer);
        printer.value(&document(&found, &host, (None, None), Some(state), false));
        return crate::cli::DONE;
    }
    let preview = preview(&found, &host, &choice);
    printer.text(&preview.text());
    let estimates = host.wire.estimate(&draft(&found, &choice, "", None, "")).is_some();
    if preview.cost_usd.is_some() || !estimates {
        keep_within(args.max_cost, &preview)?;
    }
    if !args.yes && !agreed(&format!("Upload the files to {} and start the job?", host.provider.id))? {
        return Err(Error::usage("nothing was sent", "--yes starts the job without asking"));
    }
    let resumed = earlier.is_some();
    let state = earlier.unwrap_or_else(|| fresh(&found, &host));
    let mut work = Work { place, resumed, state, estimate: None };
    let transport = host.connect()?;
    let tuner = Tuner { door: &transport, wire: host.wire };
    let steps = async {
        work.upload(&tuner, &train, validation.as_deref(), printer).await?;
        work.weigh(&tuner, &found, &choice, (args, &preview), printer).await?;
        work.create(&tuner, &found, &choice).await
    };
    let done = crate::cli::runtime()?.block_on(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => None,
            done = steps => Some(done),
        }
    });
    let Some(done) = done else {
        printer.note("what is done is kept; the same command goes on");
        return Ok(Exit::Interrupted);
    };
    done?;
    let id = work.state.job.as_ref().and_then(|job| job.id.clone()).unwrap_or_default();
    printer.text(&format!("{} works on job {id}\n", host.provider.id));
    tell_how_to_follow(&found, printer);
    printer.value(&document(&found, &host, (Some(&preview), work.estimate), Some(&work.state), true));
    crate::cli::DONE
}

fn tell_how_to_follow(found: &Found, printer: Printer) {
    let path = word(&found.path);
    printer.text(&format!("next: ceiling tune status {path} --watch\n"));
}

/// What is to be done, from the flags and the manifest.
fn choose(args: &SubmitArgs, found: &Found, host: &Host) -> Result<Choice, Error> {
    let limits = host.wire.limits();
    let epochs = args.epochs.or(found.manifest.epochs);
    if let Some(epochs) = epochs.filter(|epochs| !limits.epochs.contains(epochs)) {
        return Err(Error::usage(
            format!(
                "{epochs} epochs: `{}` takes {} to {}",
                host.provider.id,
                limits.epochs.start(),
                limits.epochs.end()
            ),
            "--epochs N states them",
        ));
    }
    let suffix = match &args.suffix {
        Some(suffix) if suffix.is_empty() || suffix.chars().count() > limits.suffix => {
            return Err(Error::usage(
                format!("a suffix has 1 to {} characters at `{}`", limits.suffix, host.provider.id),
                "--suffix TEXT states a shorter one",
            ));
        }
        Some(suffix) => suffix.clone(),
        None => plain(&found.manifest.suite.name, limits.suffix),
    };
    Ok(Choice { model: base_model(args, found, &host.provider)?, epochs, suffix, seed: args.seed })
}

/// A name of letters, digits and hyphens, as every provider takes it.
pub(super) fn plain(name: &str, most: usize) -> String {
    let kept: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(most).collect();
    let kept = kept.trim_matches('-').to_owned();
    if kept.is_empty() { "ceiling".to_owned() } else { kept }
}

/// The model to tune, as the provider knows it.
fn base_model(args: &SubmitArgs, found: &Found, provider: &Provider) -> Result<String, Error> {
    const HINT: &str = "--model NAME names the provider's model that is to be tuned";
    let own = |text: &str| EndpointId::parse(text).filter(|named| named.provider == provider.id).map(|it| it.model);
    let name = match (&args.model, &found.manifest.base_model) {
        (Some(model), _) => own(model).unwrap_or_else(|| model.clone()),
        (None, Some(base)) => own(base).ok_or_else(|| {
            Error::usage(
                format!("the manifest's base model is `{}`, not one of `{}`", one_line(base, 100), provider.id),
                HINT,
            )
        })?,
        (None, None) => return Err(Error::usage("no model to tune is named", HINT)),
    };
    Ok(provider.models.get(&name).map_or(name, |model| model.served_as.clone()))
}

/// Checks what the provider is known to take.
fn check(found: &Found, host: &Host, choice: &Choice) -> Result<(), Error> {
    let (manifest, provider) = (&found.manifest, &host.provider.id);
    let formats = host.wire.formats(found.objective());
    if !formats.contains(&manifest.format.as_str()) {
        return Err(Error::usage(
            format!("files of format `{}` are not what `{provider}` trains on", one_line(&manifest.format, 40)),
            format!(
                "export them anew: ceiling export SUITE --format {} -o FILE",
                formats.first().unwrap_or(&"openai-chat")
            ),
        ));
    }
    let fewest = host.wire.limits().rows;
    if manifest.files.train.rows < fewest {
        return Err(Error::usage(
            format!("{} rows to train on; `{provider}` takes no fewer than {fewest}", manifest.files.train.rows),
            "export more rows",
        ));
    }
    if let Some(retires) = row(&host.provider, &choice.model).and_then(|model| model.retires.as_deref()) {
        let today = crate::cli::today().to_string();
        if retires <= today.as_str() {
            return Err(Error::usage(
                format!("`{}` has stopped answering on {retires}", one_line(&choice.model, 100)),
                "--model NAME names another base",
            ));
        }
    }
    Ok(())
}

/// The row of a model, by the name that the provider knows.
fn row<'a>(provider: &'a Provider, served: &str) -> Option<&'a Model> {
    provider.models.values().find(|model| model.served_as == served)
}

/// The row whose prices hold for models tuned from a base: `ft:BASE`, also of a snapshot of it.
pub(super) fn tuned_row<'a>(provider: &'a Provider, base: &str) -> Option<&'a Model> {
    let named = format!("ft:{base}");
    let snapshot = |name: &str| name.strip_prefix(named.as_str()).is_some_and(|rest| rest.starts_with("-2"));
    let exact = provider.models.get(&named);
    exact.or_else(|| provider.models.iter().find(|(name, _)| snapshot(name)).map(|(_, model)| model))
}

/// The price of training a base.
pub(in crate::cli) fn training_price(provider: &Provider, base: &str) -> Option<UsdPerMillionTokens> {
    let of = |model: &Model| model.price.and_then(|price| price.training);
    row(provider, base).and_then(of).or_else(|| tuned_row(provider, base).and_then(of))
}

fn preview<'a>(found: &'a Found, host: &'a Host, choice: &'a Choice) -> Preview<'a> {
    let manifest = &found.manifest;
    let (train, validation) = (&manifest.files.train, manifest.files.validation.as_ref());
    let tokens = validation.map(|file| file.tokens_estimated);
    Preview {
        suite: &manifest.suite.name,
        provider: &host.provider.id,
        method: manifest.method.as_str(),
        base_model: &choice.model,
        train,
        validation,
        epochs: choice.epochs,
        suffix: &choice.suffix,
        billed_tokens: host.wire.billed_tokens(train.tokens_estimated, tokens, choice.epochs),
        usd_per_million_tokens: None,
        cost_usd: None,
        why_unknown: None,
    }
    .priced(training_price(&host.provider, &choice.model).filter(|_| manifest.method == Method::Supervised))
}

/// Refuses what costs more than the user wants to spend, or what nobody can say the cost of.
fn keep_within(most: Option<Usd>, preview: &Preview<'_>) -> Result<(), Error> {
    let Some(most) = most else { return Ok(()) };
    match preview.cost_usd {
        Some(cost) => within(most, cost),
        None => Err(Error::usage(
            format!("--max-cost cannot be kept: {}", preview.why_unknown.as_deref().unwrap_or("the cost is unknown")),
            "without --max-cost the job starts at an unknown cost",
        )),
    }
}

pub(super) fn within(most: Usd, cost: f64) -> Result<(), Error> {
    if cost <= most.as_f64() {
        return Ok(());
    }
    Err(Error::usage(
        format!("the job would cost about {}, more than --max-cost {most}", crate::units::format_usd(cost)),
        "no job was started; fewer epochs or rows cost less",
    ))
}

/// Asks whether to go on; without anybody to ask, the flag is needed.
pub(super) fn agreed(question: &str) -> Result<bool, Error> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Error::usage(
            "nobody is there to agree to the cost, and nothing was sent",
            "--yes starts the job without asking; --max-cost USD bounds it",
        ));
    }
    let broken = |error| Error::System { what: "cannot ask".to_owned(), error };
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [no] ").and_then(|()| stderr.flush()).map_err(broken)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(broken)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn fresh(found: &Found, host: &Host) -> State {
    let files = &found.manifest.files;
    State::new(&host.provider.id, &files.train.sha256, files.validation.as_ref().map(|file| &file.sha256))
}

/// What an earlier submission of these files has done. A job that came to nothing makes room for another one.
fn earlier(place: &std::path::Path, found: &Found, host: &Host, choice: &Choice) -> Result<Option<State>, Error> {
    let Some(mut state) = state::read(place)? else { return Ok(None) };
    let is_same = state.provider == host.provider.id && state.train_sha256 == found.manifest.files.train.sha256;
    if let Some(job) = state.job.take_if(|job| job.is_lost) {
        if !is_same {
            return Ok(None);
        }
        state.earlier.extend(job.id);
        return Ok(Some(state));
    }
    if !is_same {
        return Err(Error::usage(
            format!(
                "`{}` is of other files or another provider (`{}`)",
                place.display(),
                one_line(&state.provider, 60)
            ),
            "`ceiling tune status` and `cancel` take that job; move the file away to start another one",
        ));
    }
    if let Some(job) = state.job.as_ref().filter(|job| job.id.is_none()) {
        let same = (&job.model, job.epochs, &job.suffix, job.seed)
            == (&choice.model, choice.epochs, &choice.suffix, choice.seed);
        if !same {
            return Err(Error::usage(
                "a submission with other settings was interrupted, and may have started a job",
                format!("give the same flags, so that it is found: {}", settings(job)),
            ));
        }
    }
    Ok(Some(state))
}

fn settings(job: &JobState) -> String {
    let mut text = format!("--model {} --suffix {}", one_line(&job.model, 100), one_line(&job.suffix, 80));
    text.extend(job.epochs.map(|epochs| format!(" --epochs {epochs}")));
    text.extend(job.seed.map(|seed| format!(" --seed {seed}")));
    text
}

/// What `--json` prints.
fn document(
    found: &Found,
    host: &Host,
    (preview, estimate): (Option<&Preview<'_>>, Option<Usd>),
    state: Option<&State>,
    is_new: bool,
) -> Value {
    let job = state.and_then(|state| state.job.as_ref());
    json!({
        "action": "submit",
        "manifest": found.path,
        "state": state::place(&found.path),
        "provider": host.provider.id,
        "base_model": job.map(|job| &job.model),
        "job": job.and_then(|job| job.id.as_ref()),
        "is_new": is_new,
        "files": state.map(|state| json!({
            "train": state.train.id,
            "validation": state.validation.as_ref().and_then(|file| file.id.as_ref()),
        })),
        "preview": preview,
        "provider_estimate_usd": estimate.map(Usd::as_f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_made_of_what_every_provider_takes() {
        assert_eq!(plain("outages", 64), "outages");
        assert_eq!(plain("Störung: a/b", 64), "St-rung--a-b");
        assert_eq!(plain("ä", 64), "ceiling");
        assert_eq!(plain("abcdef", 3), "abc");
    }

    #[test]
    fn the_price_of_training_is_that_of_the_base_or_of_its_tuned_row() {
        let providers = crate::provider::load::load(&[]).unwrap();
        let openai = providers.get("openai").unwrap();
        let price = |base: &str| training_price(openai, base).map(UsdPerMillionTokens::as_f64);
        assert_eq!(price("gpt-4.1-mini-2025-04-14"), Some(5.0));
        assert_eq!(price("gpt-4.1-mini"), Some(5.0));
        assert_eq!(price("gpt-4.1"), Some(25.0), "and not that of gpt-4.1-mini");
        assert_eq!(price("another"), None);
    }
}
