//! Fine-tuning jobs at a provider: files go up once, a job is made once, and it is followed.
//!
//! Uploads and jobs cannot be taken back by asking again, so a call whose end is not known (a connection that broke,
//! a 5xx, an answer that cannot be read) is looked up at the provider before it is made again: a file by its name,
//! which tells its content, a job by our mark or by its file. Whoever starts again after a crash says so, and it is
//! looked up first.

use std::time::Duration;

use tokio::time::Instant;

use super::attempt;
use super::batch::BatchDoor;
use crate::exchange::{Failure, FailureKind};
use crate::wire::batch::BatchCall;
use crate::wire::tuning::{Estimate, Job, JobDraft, JobEvent, Phase, TuningWire, recognise_file, recognise_job};

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// The provider does not do it.
    #[error("{what}: {}", .failure.message)]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What came back.
        failure: Failure,
    },
    /// The provider may have done it.
    #[error("{what}: {}; whether the provider did it all the same is not known", .failure.message)]
    Unknown {
        /// What was tried.
        what: &'static str,
        /// What came back.
        failure: Failure,
    },
}

impl TuningError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                "run the same command again: it first asks the provider, and sends nothing twice".into()
            }
            Self::Refused { failure, .. } => match failure.kind {
                FailureKind::Unauthorised => "check the provider's key, and that it may make fine-tuning jobs".into(),
                FailureKind::NotFound => {
                    "the provider has no such job, model or fine-tuning API; check --provider and --model".into()
                }
                FailureKind::QuotaExhausted => "what is done is kept; go on when the account has credit".into(),
                FailureKind::BadRequest => "the provider says what it does not take; --model names another base".into(),
                _ => "what is done is kept; run the same command again to go on".into(),
            },
        }
    }
}

/// The first wait for an estimate while the provider looks at the files; each further one is twice as long.
const ESTIMATE_WAIT: Duration = Duration::from_secs(2);

/// How often an estimate is asked for.
const ESTIMATE_ASKS: u32 = 6;

/// A file to be uploaded.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// The name under which it goes up; it tells the content.
    pub name: &'a str,
    /// Its bytes.
    pub data: &'a [u8],
}

/// Speaks with one provider.
pub struct Tuner<'a> {
    /// What makes the calls; the provider is its endpoint 0.
    pub door: &'a dyn BatchDoor,
    /// The API.
    pub wire: &'static dyn TuningWire,
}

impl Tuner<'_> {
    /// The file's name at the provider, uploaded unless it is there. `may_be_there` says that an earlier try may have
    /// put it there.
    ///
    /// # Errors
    /// The provider does not take it, or may have taken it.
    pub async fn upload(&self, upload: Upload<'_>, may_be_there: bool) -> Result<String, TuningError> {
        const WHAT: &str = "the file was not uploaded";
        let read = |answer: &[u8]| self.wire.uploaded(answer);
        self.once(WHAT, &self.wire.upload(upload.name, upload.data), may_be_there, &read, async || {
            let listed = self.call(self.wire.files()).await?;
            Ok(recognise_file(&self.wire.listed_files(&listed), upload.name, upload.data.len() as u64))
        })
        .await
    }

    /// What the provider says that a job would cost; `None` where it does not say such things.
    pub async fn estimate(&self, draft: &JobDraft<'_>) -> Option<Estimate> {
        let call = self.wire.estimate(draft)?;
        for asked in 0..ESTIMATE_ASKS {
            let said = match self.call(call.clone()).await {
                Ok(answer) => self.wire.read_estimate(&answer),
                Err(failure) => Estimate::Unknown(failure.message),
            };
            if said != Estimate::Waiting {
                return Some(said);
            }
            tokio::time::sleep(ESTIMATE_WAIT * 2_u32.pow(asked)).await;
        }
        Some(Estimate::Waiting)
    }

    /// The job's name, made unless it is there. `known` are jobs that are others.
    ///
    /// # Errors
    /// The provider does not take it, or may have taken it.
    pub async fn create(
        &self,
        draft: &JobDraft<'_>,
        known: &[String],
        may_be_there: bool,
    ) -> Result<String, TuningError> {
        const WHAT: &str = "the job was not made";
        let read = |answer: &[u8]| self.wire.read_job(answer).map(|job| job.id);
        self.once(WHAT, &self.wire.create(draft), may_be_there, &read, async || {
            let listed = self.call(self.wire.jobs()).await?;
            Ok(recognise_job(&self.wire.listed_jobs(&listed), draft, known))
        })
        .await
    }

    /// How far a job is; of one that failed without a reason, the last error among its events is the reason.
    ///
    /// # Errors
    /// The provider does not say.
    pub async fn job(&self, id: &str) -> Result<Job, TuningError> {
        let refused = |failure| TuningError::Refused { what: "the job's state is not known", failure };
        let answer = self.call(self.wire.job(id)).await.map_err(refused)?;
        let mut job = self.wire.read_job(&answer).map_err(refused)?;
        if job.phase == Phase::Failed && job.error.is_none() {
            let events = self.events(id).await;
            job.error = events.into_iter().rev().find(|event| event.is_error).map(|event| event.message);
        }
        Ok(job)
    }

    /// What happened to a job; nothing where the provider does not say.
    pub async fn events(&self, id: &str) -> Vec<JobEvent> {
        match self.call(self.wire.events(id)).await {
            Ok(answer) => self.wire.read_events(&answer),
            Err(failure) => {
                tracing::warn!(what = failure.message, "the job's events are not known");
                Vec::new()
            }
        }
    }

    /// Cancels a job. One that is over already is none the worse for it.
    ///
    /// # Errors
    /// The provider does not do it.
    pub async fn cancel(&self, id: &str) -> Result<(), TuningError> {
        let refused = |failure| TuningError::Refused { what: "the job was not cancelled", failure };
        self.call(self.wire.cancel(id)).await.map(drop).map_err(refused)
    }

    /// A call that must not be carried out twice.
    async fn once(
        &self,
        what: &'static str,
        call: &BatchCall,
        may_be_there: bool,
        read: &dyn Fn(&[u8]) -> Result<String, Failure>,
        find: impl AsyncFn() -> Result<Option<String>, Failure>,
    ) -> Result<String, TuningError> {
        let (start, mut made, mut unsure) = (Instant::now(), 0, may_be_there);
        loop {
            if unsure {
                match find().await {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => {}
                    Err(failure) => return Err(TuningError::Unknown { what, failure }),
                }
            }
            let answer = self.door.call(0, call.clone()).await;
            let failure = match answer.as_ref().map(|answer| read(answer)) {
                Ok(Ok(name)) => return Ok(name),
                Ok(Err(failure)) => {
                    unsure = true;
                    failure
                }
                Err(failure) => {
                    unsure = may_have_worked(failure);
                    failure.clone()
                }
            };
            made += 1;
            match attempt::next_delay(&failure, made, start.elapsed(), made as u64) {
                Some(delay) => tokio::time::sleep(delay).await,
                None if unsure => match find().await {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => return Err(TuningError::Refused { what, failure }),
                    Err(_) => return Err(TuningError::Unknown { what, failure }),
                },
                None => return Err(TuningError::Refused { what, failure }),
            }
        }
    }

    /// A call that may be made any number of times.
    async fn call(&self, call: BatchCall) -> Result<Vec<u8>, Failure> {
        let (start, mut made) = (Instant::now(), 0);
        loop {
            let failure = match self.door.call(0, call.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            made += 1;
            match attempt::next_delay(&failure, made, start.elapsed(), made as u64) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(failure),
            }
        }
    }
}

/// Whether a call may have been carried out although it failed. Whether it may be made again says nothing of that: a
/// gateway in front of the service asks for patience, or for none, after it passed the call on.
fn may_have_worked(failure: &Failure) -> bool {
    use FailureKind::{Connect, Cut, Malformed, Server, Stalled, Timeout};
    [Connect, Cut, Malformed, Server, Stalled, Timeout].contains(&failure.kind)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::exchange::Retry;
    use crate::provider::{Dialect, WireKind};
    use crate::run::attempt::BoxFuture;
    use crate::wire::batch::Method;
    use crate::wire::tuning::{Objective, tuning_wire};

    type Answer = Result<Vec<u8>, Failure>;

    /// Answers from a list, and keeps the lines of what it was asked.
    struct Script(Mutex<(Vec<Answer>, Vec<String>)>);

    impl Script {
        fn new(answers: Vec<Answer>) -> Self {
            Self(Mutex::new((answers.into_iter().rev().collect(), Vec::new())))
        }

        fn asked(&self) -> Vec<String> {
            self.0.lock().unwrap().1.clone()
        }
    }

    impl BatchDoor for Script {
        fn call(&self, _endpoint: usize, call: BatchCall) -> BoxFuture<'_, Answer> {
            let mut state = self.0.lock().unwrap();
            let method = if call.method == Method::Post { "POST" } else { "GET" };
            state.1.push(format!("{method} {}", call.route.path));
            let answer = state.0.pop().expect("an answer is left");
            Box::pin(async move { answer })
        }

        fn now_unix_ms(&self) -> i64 {
            0
        }
    }

    fn fine(body: &str) -> Answer {
        Ok(body.as_bytes().to_vec())
    }

    fn fails(kind: FailureKind, retry: Retry) -> Answer {
        Err(Failure { kind, status: None, message: "no".into(), retry })
    }

    const DRAFT: JobDraft<'_> = JobDraft {
        model: "m",
        objective: Objective::Supervised,
        train: "file-1",
        validation: None,
        epochs: None,
        suffix: "s",
        seed: None,
        tag: "t",
    };

    async fn create(script: &Script, may_be_there: bool) -> Result<String, TuningError> {
        let wire = tuning_wire(WireKind::OpenaiChat, Dialect::Openai).unwrap();
        Tuner { door: script, wire }.create(&DRAFT, &[], may_be_there).await
    }

    const JOB: &str = r#"{"id": "j-1", "status": "queued"}"#;
    const LISTED: &str = r#"{"data": [{"id": "j-1", "metadata": {"ceiling": "t"}}]}"#;

    #[tokio::test(start_paused = true)]
    async fn a_job_that_may_be_there_is_looked_up_before_it_is_made() {
        let script = Script::new(vec![fine(LISTED)]);
        assert_eq!(create(&script, true).await.unwrap(), "j-1");
        assert_eq!(script.asked(), ["GET /fine_tuning/jobs?limit=100"]);
        let script = Script::new(vec![fine(r#"{"data": []}"#), fine(JOB)]);
        assert_eq!(create(&script, true).await.unwrap(), "j-1");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_broken_answer_it_is_looked_up_and_after_a_refusal_it_is_not() {
        let script = Script::new(vec![fails(FailureKind::Cut, Retry::Transient), fine(LISTED)]);
        assert_eq!(create(&script, false).await.unwrap(), "j-1");
        let limited = fails(FailureKind::RateLimited, Retry::RateLimited { after: None });
        let script = Script::new(vec![limited, fine(JOB)]);
        assert_eq!(create(&script, false).await.unwrap(), "j-1");
        assert_eq!(script.asked(), ["POST /fine_tuning/jobs", "POST /fine_tuning/jobs"]);
        let script = Script::new(vec![fails(FailureKind::BadRequest, Retry::No)]);
        assert!(matches!(create(&script, false).await, Err(TuningError::Refused { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_the_server_is_looked_up_though_it_is_not_to_be_tried_again() {
        for kind in [FailureKind::Server, FailureKind::Malformed] {
            let script = Script::new(vec![fails(kind, Retry::No), fine(LISTED)]);
            assert_eq!(create(&script, false).await.unwrap(), "j-1");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_looked_up_is_not_made_again() {
        let lost = || fails(FailureKind::Unauthorised, Retry::No);
        let script = Script::new(vec![fails(FailureKind::Server, Retry::Transient), lost()]);
        assert!(matches!(create(&script, false).await, Err(TuningError::Unknown { .. })));
        assert_eq!(script.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_without_a_reason_takes_it_from_the_events() {
        let wire = tuning_wire(WireKind::OpenaiChat, Dialect::Together).unwrap();
        let events =
            r#"{"data": [{"created_at": "2026-01-01T00:00:00Z", "type": "job_error", "message": "bad rows"}]}"#;
        let script = Script::new(vec![fine(r#"{"id": "ft-1", "status": "error"}"#), fine(events)]);
        let job = Tuner { door: &script, wire }.job("ft-1").await.unwrap();
        assert_eq!((job.phase, job.error.as_deref()), (Phase::Failed, Some("bad rows")));
    }
}
