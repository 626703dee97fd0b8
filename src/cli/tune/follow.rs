//! `ceiling tune status` and `cancel`: how far a job is, and what becomes of it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::adopt::{Adopted, adopt};
use super::manifest::Found;
use super::state::{self, JobState};
use super::{Host, ManifestArgs, submit, word as shell};
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::digest::Digest;
use crate::error::Error;
use crate::report::tune::{Progress, event_text, state as word};
use crate::run::tuning::Tuner;
use crate::text::one_line;
use crate::training::manifest::Method;
use crate::units::Usd;
use crate::wire::tuning::{Job, JobEvent, Phase};

/// The first wait for a job's state; each further one is longer.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait for a job's state.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// How much longer each wait is than the one before.
const WAIT_GROWTH: f64 = 1.5;

/// Events that are shown of a job.
const MOST_SHOWN: usize = 10;

/// Flags of `ceiling tune status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// The manifest.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// Who tunes; without it, whom the job was submitted to.
    #[arg(long, value_name = "NAME", env = "CEILING_TUNE_PROVIDER")]
    pub provider: Option<String>,
    /// Follow the job until it ends.
    #[arg(long, short, env = "CEILING_TUNE_WATCH")]
    pub watch: bool,
    /// Print what would be written into the suite, and write nothing.
    #[arg(long, env = "CEILING_TUNE_NO_WRITE")]
    pub no_write: bool,
    /// Ask for the job's state this often, in milliseconds, instead of ever less often.
    #[arg(long, hide = true, value_name = "MS", env = "CEILING_TUNE_POLL_MS")]
    pub poll_ms: Option<u64>,
}

/// Flags of `ceiling tune cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// The manifest.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// Who tunes; without it, whom the job was submitted to.
    #[arg(long, value_name = "NAME", env = "CEILING_TUNE_PROVIDER")]
    pub provider: Option<String>,
}

/// A job that was submitted.
struct Submitted {
    found: Found,
    host: Host,
    place: PathBuf,
    job: JobState,
    id: String,
    /// Of the training file that the job was started on.
    trained_on: Digest,
}

impl Submitted {
    fn open(manifest: &ManifestArgs, provider: Option<&str>) -> Result<Self, Error> {
        let found = Found::open(&manifest.manifest)?;
        let place = state::place(&found.path);
        let path = found.path.display();
        let hint = format!("ceiling tune submit {path} --provider NAME");
        let Some(state) = state::read(&place)? else {
            return Err(Error::usage(format!("no job was submitted for `{path}`"), hint));
        };
        if let Some(named) = provider.filter(|named| *named != state.provider) {
            return Err(Error::usage(
                format!("the job was submitted to `{}`, not to `{named}`", one_line(&state.provider, 60)),
                "leave --provider out",
            ));
        }
        let (job, trained_on) = (state.job.clone(), state.train_sha256);
        let Some((job, id)) = job.and_then(|job| job.id.clone().map(|id| (job, id))) else {
            return Err(Error::usage(
                format!("the submission of `{path}` was interrupted before it had a job"),
                format!("run it again: it goes on where it stopped ({hint})"),
            ));
        };
        let host = Host::named(&state.provider, &found.suite())?;
        Ok(Self { found, host, place, job, id, trained_on })
    }

    /// Refuses a manifest of other files than those that the job was started on: its prompt may be another one, and its
    /// test was not frozen before the training.
    fn check_files(&self) -> Result<(), Error> {
        if self.found.manifest.files.train.sha256 == self.trained_on {
            return Ok(());
        }
        let path = self.found.path.display();
        Err(Error::usage(
            format!("`{path}` was written anew since its job was started: the job trains on other files"),
            format!(
                "put back the files and the manifest that were submitted; `ceiling tune cancel {path}` ends the job"
            ),
        ))
    }

    /// Keeps what the provider says now, unless another job was submitted meanwhile.
    fn note(&mut self, job: &Job) -> Result<(), Error> {
        self.job.status = Some(job.word.clone());
        self.job.is_lost = matches!(job.phase, Phase::Failed | Phase::Cancelled);
        self.job.tuned_model.clone_from(&job.model);
        let Some(mut kept) = state::read(&self.place)? else { return Ok(()) };
        let is_ours = |job: &&JobState| job.id.as_deref() == Some(&self.id) && **job != self.job;
        if kept.job.as_ref().filter(is_ours).is_none() {
            return Ok(());
        }
        kept.job = Some(self.job.clone());
        state::write(&self.place, &kept)
    }

    /// What the job cost: what the provider says, or its tokens at the known price, which is that of supervised training.
    fn cost(&self, job: &Job) -> Option<Usd> {
        let is_supervised = self.found.manifest.method == Method::Supervised;
        let price = submit::training_price(&self.host.provider, &self.job.model).filter(|_| is_supervised);
        job.billed.or_else(|| Some(price?.times(job.trained_tokens?)))
    }

    fn document(&self, action: &str, job: &Job, events: &[JobEvent], adopted: Option<&Adopted>) -> Value {
        json!({
            "action": action,
            "manifest": self.found.path,
            "state": self.place,
            "provider": self.host.provider.id,
            "base_model": self.job.model,
            "job": job.id,
            "phase": job.phase.as_str(),
            "status": job.word,
            "tuned_model": job.model,
            "trained_tokens": job.trained_tokens,
            "cost_usd": self.cost(job).map(Usd::as_f64),
            "epochs": job.epochs,
            "error": job.error,
            "events": events.iter().map(|event| json!({
                "at_unix_s": event.at_s, "is_error": event.is_error, "message": event.message,
            })).collect::<Vec<_>>(),
            "suite": adopted.map(Adopted::document),
        })
    }
}

/// The job and what happened to it; `None` where the user left it.
type Followed = Option<(Job, Vec<JobEvent>)>;

/// Says how far a job is.
pub(super) fn status(args: &StatusArgs, printer: Printer) -> Result<Exit, Error> {
    let mut submitted = Submitted::open(&args.manifest, args.provider.as_deref())?;
    submitted.check_files()?;
    let transport = submitted.host.connect()?;
    let tuner = Tuner { door: &transport, wire: submitted.host.wire };
    let followed = crate::cli::runtime()?.block_on(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c(), if args.watch => Ok(None),
            followed = follow(&mut submitted, &tuner, args, printer) => followed,
        }
    })?;
    let Some((job, events)) = followed else {
        printer.note("the job goes on at the provider; the same command follows it again");
        return Ok(Exit::Interrupted);
    };
    let newest = &events[events.len().saturating_sub(MOST_SHOWN)..];
    let cost = submitted.cost(&job);
    let (provider, base_model) = (submitted.host.provider.id.as_str(), submitted.job.model.as_str());
    printer.text(&Progress { provider, base_model, job: &job, cost, events: newest }.text());
    let adopted = match job.phase {
        Phase::Succeeded => Some(adopt(&submitted.found, &submitted.host, &submitted.job.model, &job, !args.no_write)?),
        _ => None,
    };
    match &adopted {
        Some(adopted) => tell_of_suite(&submitted, adopted, &job, printer),
        None => tell_what_next(&submitted, &job, printer),
    }
    printer.value(&submitted.document("status", &job, newest, adopted.as_ref()));
    Ok(match job.phase {
        Phase::Working | Phase::Succeeded => Exit::Done,
        Phase::Paused | Phase::Failed | Phase::Cancelled => Exit::CouldNotFinish,
    })
}

/// Asks once, or until the job ends.
async fn follow(
    submitted: &mut Submitted,
    tuner: &Tuner<'_>,
    args: &StatusArgs,
    printer: Printer,
) -> Result<Followed, Error> {
    let (mut seen, mut last, mut asked) = (HashSet::new(), String::new(), 0);
    loop {
        let mut job = tuner.job(&submitted.id).await?;
        job.epochs = job.epochs.or(submitted.job.epochs.map(u64::from));
        submitted.note(&job)?;
        let events = tuner.events(&submitted.id).await;
        if !args.watch || job.phase != Phase::Working {
            return Ok(Some((job, events)));
        }
        let now = word(&job);
        if now != last {
            printer.note(&format!("{}: {now}", one_line(&job.id, 120)));
            last = now;
        }
        for event in &events {
            if seen.insert((event.at_s, event.message.clone())) {
                printer.note(&event_text(event));
            }
        }
        let grown = FIRST_WAIT.as_secs_f64() * WAIT_GROWTH.powi(asked.min(30));
        let wait = args.poll_ms.map(Duration::from_millis);
        let wait = wait.unwrap_or_else(|| Duration::from_secs_f64(grown).min(LONGEST_WAIT));
        asked += 1;
        tokio::time::sleep(wait).await;
    }
}

/// What a job without a model asks of the user.
fn tell_what_next(submitted: &Submitted, job: &Job, printer: Printer) {
    let (path, provider) = (shell(&submitted.found.path), &submitted.host.provider.id);
    match job.phase {
        Phase::Working => printer.text(&format!("next: ceiling tune status {path} --watch\n")),
        Phase::Paused => printer.text(&format!("the job waits to be resumed at {provider}\n")),
        Phase::Failed | Phase::Cancelled => printer.text(&format!(
            "next: ceiling tune submit {path} --provider {provider} starts another job on the same files\n"
        )),
        Phase::Succeeded => {}
    }
}

/// What became of the tuned model in the suite, and how it is judged.
fn tell_of_suite(submitted: &Submitted, adopted: &Adopted, job: &Job, printer: Printer) {
    let (suite, path) = (shell(submitted.found.suite()), shell(&submitted.found.path));
    match adopted {
        Adopted::Written { variant, files, beside, warnings, prompt } => {
            if let Some(prompt) = prompt {
                printer.text(&format!("{prompt}\n"));
            }
            let what = if files.is_empty() { "is in the suite already" } else { "is a variant of the suite now" };
            printer.text(&format!("`{variant}` {what}\n"));
            for file in files {
                printer.text(&format!("  wrote {}\n", file.display()));
            }
            printer.warnings(warnings);
            let beside = beside.as_ref().map_or_else(String::new, |name| format!("{name},"));
            printer.text(&format!("next: ceiling run {suite} --variants {beside}{variant}\n"));
        }
        Adopted::Printed { text, why } => {
            printer.text(&format!("nothing was written into the suite: {why}\n"));
            if !text.is_empty() {
                printer.text(&format!("to be added to {suite}/suite.toml by hand:\n\n{text}\n"));
            }
        }
    }
    if let Some(model) = &job.model {
        if let Some(serving) = submitted.host.wire.serving() {
            printer.text(&format!("{serving}\n"));
        }
        let endpoint = shell(format!("{}/{}", submitted.host.provider.id, one_line(model, 200)));
        printer.text(&format!("next: ceiling accept {path} --model {endpoint}\n"));
    }
}

/// Cancels a job.
pub(super) fn cancel(args: &CancelArgs, printer: Printer) -> Result<Exit, Error> {
    let mut submitted = Submitted::open(&args.manifest, args.provider.as_deref())?;
    let transport = submitted.host.connect()?;
    let tuner = Tuner { door: &transport, wire: submitted.host.wire };
    let (job, was_over) = crate::cli::runtime()?.block_on(async {
        let job = tuner.job(&submitted.id).await?;
        if job.phase.is_over() {
            return Ok::<_, Error>((job, true));
        }
        tuner.cancel(&submitted.id).await?;
        Ok((tuner.job(&submitted.id).await?, false))
    })?;
    submitted.note(&job)?;
    let note = if was_over { "it was over already" } else { "what was trained until now may be billed" };
    let id = one_line(&job.id, 120);
    printer.text(&format!("{} job {id}: {}; {note}\n", submitted.host.provider.id, word(&job)));
    printer.value(&submitted.document("cancel", &job, &[], None));
    crate::cli::DONE
}
