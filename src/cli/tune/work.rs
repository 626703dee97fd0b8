//! A submission's steps at the provider, each noted before and after.

use std::path::PathBuf;

use super::manifest::Found;
use super::state::{self, JobState, State};
use super::submit::{Choice, SubmitArgs, agreed, within};
use crate::cli::printer::Printer;
use crate::digest::Digest;
use crate::error::Error;
use crate::report::tune::Preview;
use crate::run::tuning::{Tuner, TuningError, Upload};
use crate::text::one_line;
use crate::units::Usd;
use crate::wire::tuning::{Estimate, JobDraft};

/// A submission, step by step.
pub(super) struct Work {
    pub(super) place: PathBuf,
    pub(super) state: State,
    /// Whether an earlier process may have done steps that it could not note.
    pub(super) resumed: bool,
    /// What the provider says that the job costs.
    pub(super) estimate: Option<Usd>,
}

impl Work {
    pub(super) async fn upload(
        &mut self,
        tuner: &Tuner<'_>,
        train: &[u8],
        validation: Option<&[u8]>,
        printer: Printer,
    ) -> Result<(), Error> {
        state::write(&self.place, &self.state)?;
        if self.state.train.id.is_none() {
            printer.note("uploading the training file …");
            let upload = Upload { name: &self.state.train.name, data: train };
            self.state.train.id = Some(tuner.upload(upload, self.resumed).await?);
            state::write(&self.place, &self.state)?;
        }
        if let (Some(kept), Some(data)) = (&mut self.state.validation, validation)
            && kept.id.is_none()
        {
            printer.note("uploading the validation file …");
            kept.id = Some(tuner.upload(Upload { name: &kept.name, data }, self.resumed).await?);
            state::write(&self.place, &self.state)?;
        }
        Ok(())
    }

    /// Hears what the provider says of the cost, where it does, and whether that is agreed to.
    pub(super) async fn weigh(
        &mut self,
        tuner: &Tuner<'_>,
        found: &Found,
        choice: &Choice,
        (args, preview): (&SubmitArgs, &Preview<'_>),
        printer: Printer,
    ) -> Result<(), Error> {
        // A job that may be there already is not weighed again.
        let is_under_way = self.state.job.is_some();
        let (train, validation) = self.files();
        let estimate = match is_under_way {
            true => None,
            false => tuner.estimate(&draft(found, choice, train, validation, "")).await,
        };
        match (estimate, args.max_cost) {
            (Some(Estimate::Price(price)), most) => {
                self.estimate = Some(price);
                printer.text(&format!("the provider estimates {price}\n"));
                most.map_or(Ok(()), |most| within(most, price.as_f64()))?;
                if !args.yes && !agreed("Start the job?")? {
                    return Err(Error::usage("no job was started", "the files are uploaded, and are not sent again"));
                }
                Ok(())
            }
            (Some(said), Some(_)) if preview.cost_usd.is_none() => {
                let why = match said {
                    Estimate::Unknown(why) if !why.is_empty() => one_line(&why, 200),
                    _ => "it still looks at the files".to_owned(),
                };
                Err(Error::usage(
                    format!("--max-cost cannot be kept: the provider gives no estimate ({why}); no job was started"),
                    "the files are uploaded; run the same command again later",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The files' names at the provider.
    fn files(&self) -> (&str, Option<&str>) {
        let validation = self.state.validation.as_ref().and_then(|file| file.id.as_deref());
        (self.state.train.id.as_deref().unwrap_or_default(), validation)
    }

    pub(super) async fn create(&mut self, tuner: &Tuner<'_>, found: &Found, choice: &Choice) -> Result<(), Error> {
        let began = self.state.job.is_some();
        let tag = self.state.job.as_ref().map_or_else(|| tag(&self.state, choice), |job| job.tag.clone());
        let mut job = JobState {
            model: choice.model.clone(),
            epochs: choice.epochs,
            suffix: choice.suffix.clone(),
            seed: choice.seed,
            tag,
            id: None,
            status: None,
            is_lost: false,
            tuned_model: None,
        };
        self.state.job = Some(job.clone());
        state::write(&self.place, &self.state)?;
        let (train, validation) = self.files();
        let draft = draft(found, choice, train, validation, &job.tag);
        match tuner.create(&draft, &self.state.earlier, began).await {
            Ok(id) => job.id = Some(id),
            Err(error) => {
                // A job that was refused is none: other settings may be tried.
                if matches!(error, TuningError::Refused { .. }) {
                    self.state.job = None;
                    state::write(&self.place, &self.state)?;
                }
                return Err(error.into());
            }
        }
        self.state.job = Some(job);
        state::write(&self.place, &self.state)
    }
}

/// The job to be made.
pub(super) fn draft<'a>(
    found: &Found,
    choice: &'a Choice,
    train: &'a str,
    validation: Option<&'a str>,
    tag: &'a str,
) -> JobDraft<'a> {
    JobDraft {
        model: &choice.model,
        objective: found.objective(),
        train,
        validation,
        epochs: choice.epochs,
        suffix: &choice.suffix,
        seed: choice.seed,
        tag,
    }
}

/// Our mark of a job: what it trains on, how, and which try it is.
fn tag(state: &State, choice: &Choice) -> String {
    let parts = [
        state.train_sha256.to_string(),
        choice.model.clone(),
        choice.suffix.clone(),
        format!("{:?} {:?} {}", choice.epochs, choice.seed, state.earlier.len()),
    ];
    let digest = Digest::of_parts(parts.iter().map(String::as_bytes)).to_string();
    digest.get(..32).unwrap_or(&digest).to_owned()
}
