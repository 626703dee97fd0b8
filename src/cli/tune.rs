//! `ceiling tune`: a managed fine-tune from exported training files, or the command that trains on them here.

mod adopt;
mod block;
mod follow;
mod local;
mod manifest;
mod state;
mod submit;
mod work;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
pub(super) use submit::training_price;

use super::assemble;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::provider::{Model, Provider, Service};
use crate::run::http::HttpTransport;
use crate::text;
use crate::wire::tuning::{TuningWire, tuning_wire};

/// Flags of `ceiling tune`.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TuneCommand,
}

/// What `ceiling tune` does.
#[derive(Debug, Clone, Subcommand)]
pub enum TuneCommand {
    /// Upload the training files and start a fine-tuning job, after a preview of its cost.
    #[command(
        after_help = "Example:\n  ceiling tune submit out/train.manifest.json --provider openai --model gpt-4.1-mini-2025-04-14"
    )]
    Submit(submit::SubmitArgs),
    /// Say how far the job is; once it has succeeded, write the tuned variant into the suite.
    Status(follow::StatusArgs),
    /// Cancel the job.
    Cancel(follow::CancelArgs),
    /// Print the commands that train on the files on a machine of your own.
    Local(local::LocalArgs),
}

/// Runs one of them.
pub(super) fn tune(args: &TuneArgs, printer: Printer) -> Result<Exit, Error> {
    match &args.command {
        TuneCommand::Submit(args) => submit::submit(args, printer),
        TuneCommand::Status(args) => follow::status(args, printer),
        TuneCommand::Cancel(args) => follow::cancel(args, printer),
        TuneCommand::Local(args) => local::local(args, printer),
    }
}

/// The job that still trains on the files of this manifest, as far as is known, in words.
pub(super) fn live_job(manifest: &Path) -> Result<Option<String>, Error> {
    let Some(state) = state::read(&state::place(manifest))? else { return Ok(None) };
    let live = state.job.filter(|job| !job.is_lost && job.tuned_model.is_none());
    Ok(live.map(|job| match job.id {
        Some(id) => format!("job {} at {}", text::one_line(&id, 120), text::one_line(&state.provider, 60)),
        None => format!("a job at {} that may have been started", text::one_line(&state.provider, 60)),
    }))
}

/// The fine-tuning API of a provider, if it has one.
pub(super) fn tuning_api(provider: &Provider) -> Option<&'static dyn TuningWire> {
    matches!(provider.service, Service::Http { .. }).then(|| tuning_wire(provider.wire, provider.dialect)).flatten()
}

/// Who tunes.
struct Host {
    provider: Provider,
    wire: &'static dyn TuningWire,
}

impl Host {
    /// The provider of this name, if it has a fine-tuning API; the suite's folder may have one of its own.
    fn named(name: &str, suite: &Path) -> Result<Self, Error> {
        let providers = match suite.is_dir() {
            true => assemble::providers(suite)?,
            false => crate::provider::load::load(&[Path::new(".")])?,
        };
        let Some(provider) = providers.get(name) else {
            let near = crate::text::nearest(name, providers.names());
            let hint = near.map_or_else(
                || "`ceiling providers list` lists them".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Error::usage(format!("there is no provider `{name}`"), hint));
        };
        match tuning_api(provider) {
            Some(wire) => Ok(Self { provider: provider.clone(), wire }),
            None => Err(Error::usage(
                format!("`{name}` has no fine-tuning API that ceiling speaks"),
                "`openai`, `together` and hosts that speak OpenAI's have one; `ceiling tune local MANIFEST` prints how \
                 to train on a machine of your own",
            )),
        }
    }

    /// A connection, with the provider's key.
    fn connect(&self) -> Result<HttpTransport, Error> {
        let endpoint = assemble::http_endpoint(&self.provider, &bare_model(), None)?;
        Ok(HttpTransport::new(vec![endpoint])?)
    }
}

/// Calls beside the models go to the provider's own address.
fn bare_model() -> Model {
    Model {
        served_as: String::new(),
        base_url: None,
        extra_body: serde_json::Map::new(),
        concurrency: None,
        price: None,
        gpu: None,
        retires: None,
        facts: crate::provider::ModelFacts::default(),
    }
}

/// A word of a POSIX shell, for commands that are printed to be run: names come from files and providers.
fn word(word: impl AsRef<Path>) -> String {
    let word = word.as_ref().display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The manifest that `ceiling export` wrote.
#[derive(Debug, Clone, Args)]
pub struct ManifestArgs {
    /// The manifest that `ceiling export` wrote beside the training files.
    #[arg(value_name = "MANIFEST")]
    pub manifest: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are() {
        assert_eq!(word("out/train.jsonl"), "out/train.jsonl");
        assert_eq!(word("my data/it's.jsonl"), r"'my data/it'\''s.jsonl'");
        assert_eq!(word("$(x)"), "'$(x)'");
    }
}
