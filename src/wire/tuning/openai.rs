//! OpenAI's fine-tuning, and hosts that speak it.
//!
//! Source: `resources/fine_tuning/jobs/jobs.py`, `resources/files.py` (files of at most 512 MB) and
//! `types/fine_tuning/{fine_tuning_job,job_create_params,fine_tuning_job_event}.py` of the Python package openai
//! 3.57.0; <https://developers.openai.com/api/docs/guides/supervised-fine-tuning> (at least 10 lines);
//! 1 to 50 passes from the job's own type of earlier versions of that package. `paused` is in the service's OpenAPI
//! description (PROVIDERS.md 8) and not in those types.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    BESIDE, Job, JobDraft, JobEvent, ListedJob, MOST_EVENTS, Objective, Phase, TuningLimits, TuningWire, rows,
    stateless, text,
};
use crate::exchange::Failure;
use crate::wire::batch::{BatchCall, count, document, name};
use crate::wire::multipart;

/// The API.
#[derive(Debug)]
pub(super) struct OpenaiTuning;

/// Under this key of a job's metadata stands our mark.
const TAG: &str = "ceiling";

/// Where jobs are.
const JOBS: &str = "/fine_tuning/jobs";

impl TuningWire for OpenaiTuning {
    fn limits(&self) -> TuningLimits {
        TuningLimits { rows: 10, bytes: 512_000_000, epochs: 1..=50, suffix: 64 }
    }

    fn formats(&self, objective: Objective) -> &'static [&'static str] {
        match objective {
            Objective::Supervised => &["openai-chat"],
            Objective::Preference => &["openai-dpo"],
        }
    }

    /// The service does not say which weights it trains; a supervised job goes by the name that is likeliest.
    fn method(&self, objective: Objective) -> &'static str {
        match objective {
            Objective::Supervised => "lora",
            Objective::Preference => "dpo",
        }
    }

    /// `trained_tokens` counts the passes; what validation costs is not said to be billed.
    fn billed_tokens(&self, train: u64, _validation: Option<u64>, epochs: Option<u32>) -> Option<u64> {
        Some(train.saturating_mul(u64::from(epochs?)))
    }

    fn upload(&self, file_name: &str, data: &[u8]) -> BatchCall {
        let form = multipart::form(&[("purpose", "fine-tune")], file_name, data);
        BatchCall {
            content_type: Cow::Owned(form.content_type),
            ..BatchCall::post("/files".into(), &BESIDE, form.body)
        }
    }

    fn files(&self) -> BatchCall {
        BatchCall::get("/files?purpose=fine-tune".into(), &BESIDE)
    }

    fn create(&self, draft: &JobDraft<'_>) -> BatchCall {
        let mut settings = Map::new();
        if let Some(epochs) = draft.epochs {
            settings.insert("n_epochs".into(), epochs.into());
        }
        let kind = match draft.objective {
            Objective::Supervised => "supervised",
            Objective::Preference => "dpo",
        };
        let mut body = json!({
            "model": draft.model,
            "training_file": draft.train,
            "suffix": draft.suffix,
            "method": {"type": kind, kind: {"hyperparameters": settings}},
            "metadata": {TAG: draft.tag},
        });
        if let Some(validation) = draft.validation {
            body["validation_file"] = validation.into();
        }
        if let Some(seed) = draft.seed {
            body["seed"] = seed.into();
        }
        BatchCall::post(JOBS.into(), &BESIDE, body.to_string())
    }

    fn path(&self) -> &'static str {
        JOBS
    }

    fn read_job(&self, answer: &[u8]) -> Result<Job, Failure> {
        let job = document(answer, "a fine-tuning job")?;
        let word = text(job.get("status")).ok_or_else(stateless)?;
        let phase = match word.as_str() {
            "succeeded" => Phase::Succeeded,
            "failed" => Phase::Failed,
            "cancelled" => Phase::Cancelled,
            "paused" => Phase::Paused,
            _ => Phase::Working,
        };
        let epochs = job.pointer("/hyperparameters/n_epochs").and_then(Value::as_u64);
        let of_method = |kind: &str| job.pointer(&format!("/method/{kind}/hyperparameters/n_epochs"))?.as_u64();
        Ok(Job {
            id: name(job.get("id"), "the job")?,
            phase,
            word,
            model: text(job.get("fine_tuned_model")),
            trained_tokens: count(job.get("trained_tokens")),
            billed: None,
            epochs: epochs.or_else(|| of_method("supervised")).or_else(|| of_method("dpo")),
            expected_end_s: job.get("estimated_finish").and_then(Value::as_i64),
            error: why(&job),
        })
    }

    fn events(&self, id: &str) -> BatchCall {
        BatchCall::get(format!("{JOBS}/{id}/events?limit={MOST_EVENTS}"), &BESIDE)
    }

    fn read_events(&self, answer: &[u8]) -> Vec<JobEvent> {
        let Ok(list) = document(answer, "a list of events") else { return Vec::new() };
        let read = |event: &Value| {
            Some(JobEvent {
                at_s: event.get("created_at").and_then(Value::as_i64),
                is_error: event.get("level").and_then(Value::as_str) == Some("error"),
                message: text(event.get("message"))?,
            })
        };
        let mut events: Vec<JobEvent> = rows(&list).filter_map(read).collect();
        // The newest come first.
        events.reverse();
        events.sort_by_key(|event| event.at_s);
        events
    }

    fn jobs(&self) -> BatchCall {
        BatchCall::get(format!("{JOBS}?limit=100"), &BESIDE)
    }

    fn listed_jobs(&self, answer: &[u8]) -> Vec<ListedJob> {
        let Ok(list) = document(answer, "a list of jobs") else { return Vec::new() };
        let read = |job: &Value| {
            Some(ListedJob {
                id: name(job.get("id"), "a job").ok()?,
                // A compatible host may keep no metadata at all.
                tag: job
                    .get("metadata")
                    .filter(|kept| kept.is_object())
                    .map(|kept| kept.get(TAG).and_then(Value::as_str).unwrap_or_default().to_owned()),
                train: text(job.get("training_file")),
                suffix: text(job.get("user_provided_suffix")),
            })
        };
        rows(&list).filter_map(read).collect()
    }
}

/// Why a job failed, with what it was about.
fn why(job: &Value) -> Option<String> {
    let error = job.get("error").filter(|error| !error.is_null())?;
    let message = text(error.get("message")).or_else(|| text(error.get("code")))?;
    Some(match text(error.get("param")) {
        Some(param) => format!("{message} ({param})"),
        None => message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAFT: JobDraft<'_> = JobDraft {
        model: "gpt-4.1-mini-2025-04-14",
        objective: Objective::Supervised,
        train: "file-train1",
        validation: Some("file-valid1"),
        epochs: Some(3),
        suffix: "tickets",
        seed: Some(7),
        tag: "t-1",
    };

    /// The job of the reference's example, once it has succeeded.
    const SUCCEEDED: &str = r#"{"object": "fine_tuning.job", "id": "ftjob-fx1", "model": "gpt-4.1-mini-2025-04-14",
        "created_at": 1795500000, "finished_at": 1795503600, "status": "succeeded", "trained_tokens": 45120,
        "fine_tuned_model": "ft:gpt-4.1-mini-2025-04-14:acme:tickets:AbC123xy", "training_file": "file-train1",
        "hyperparameters": {"n_epochs": 3, "batch_size": 1}, "error": null, "seed": 7, "estimated_finish": null,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}, "metadata": null}"#;

    #[test]
    fn a_job_says_its_files_method_and_mark() {
        let call = OpenaiTuning.create(&DRAFT);
        assert_eq!(call.route.path, "/fine_tuning/jobs");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({
            "model": "gpt-4.1-mini-2025-04-14", "training_file": "file-train1", "validation_file": "file-valid1",
            "suffix": "tickets", "seed": 7, "metadata": {"ceiling": "t-1"},
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        });
        assert_eq!(body, expected);
        let bare = JobDraft { objective: Objective::Preference, validation: None, epochs: None, seed: None, ..DRAFT };
        let body: Value = serde_json::from_slice(&OpenaiTuning.create(&bare).body).unwrap();
        assert_eq!(body["method"], json!({"type": "dpo", "dpo": {"hyperparameters": {}}}));
        assert!(body.get("seed").is_none() && body.get("validation_file").is_none());
    }

    #[test]
    fn a_job_that_succeeded_has_a_model_and_its_tokens() {
        let job = OpenaiTuning.read_job(SUCCEEDED.as_bytes()).unwrap();
        assert_eq!((job.phase, job.id.as_str()), (Phase::Succeeded, "ftjob-fx1"));
        assert_eq!(job.model.as_deref(), Some("ft:gpt-4.1-mini-2025-04-14:acme:tickets:AbC123xy"));
        assert_eq!((job.trained_tokens, job.epochs, job.error), (Some(45_120), Some(3), None));
    }

    #[test]
    fn states_are_read_and_unknown_ones_are_kept_as_said() {
        let phase = |word: &str| {
            let job = OpenaiTuning.read_job(json!({"id": "j", "status": word}).to_string().as_bytes()).unwrap();
            assert_eq!(job.word, word);
            job.phase
        };
        for word in ["validating_files", "queued", "running", "warming_up"] {
            assert_eq!(phase(word), Phase::Working, "{word}");
        }
        assert_eq!(phase("paused"), Phase::Paused);
        assert_eq!(phase("cancelled"), Phase::Cancelled);
        assert!(OpenaiTuning.read_job(br#"{"id": "j"}"#).is_err());
        assert!(OpenaiTuning.read_job(br#"{"id": "../files", "status": "running"}"#).is_err());
        assert!(OpenaiTuning.read_job(b"<html>").is_err());
    }

    #[test]
    fn a_failed_job_says_why() {
        let failed = json!({"id": "j", "status": "failed", "error":
            {"code": "invalid_training_file", "message": "line 3 is no chat", "param": "training_file"}});
        let job = OpenaiTuning.read_job(failed.to_string().as_bytes()).unwrap();
        assert_eq!(job.error.as_deref(), Some("line 3 is no chat (training_file)"));
    }

    #[test]
    fn events_come_in_the_order_of_time() {
        let events = json!({"object": "list", "has_more": false, "data": [
            {"object": "fine_tuning.job.event", "id": "2", "created_at": 20, "level": "error", "message": "second"},
            {"object": "fine_tuning.job.event", "id": "1", "created_at": 10, "level": "info", "message": "first"},
            {"no": "message"},
        ]});
        let events = OpenaiTuning.read_events(events.to_string().as_bytes());
        assert_eq!(events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(), ["first", "second"]);
        assert!(events[1].is_error && !events[0].is_error);
        assert!(OpenaiTuning.read_events(b"no").is_empty());
    }

    #[test]
    fn what_the_account_has_is_listed() {
        let jobs = json!({"data": [
            {"id": "a", "metadata": {"ceiling": "t-1"}, "training_file": "file-1"},
            {"id": "b", "metadata": {}, "training_file": "file-1"},
            {"id": "c", "metadata": null, "training_file": "file-1", "user_provided_suffix": "s"},
        ]});
        let jobs = OpenaiTuning.listed_jobs(jobs.to_string().as_bytes());
        let tags: Vec<Option<&str>> = jobs.iter().map(|job| job.tag.as_deref()).collect();
        assert_eq!(tags, [Some("t-1"), Some(""), None]);
        let files = json!({"data": [{"id": "file-1", "filename": "a.jsonl", "bytes": 5, "purpose": "fine-tune"}]});
        let files = OpenaiTuning.listed_files(files.to_string().as_bytes());
        assert_eq!((files[0].name.as_str(), files[0].bytes), ("a.jsonl", Some(5)));
    }
}
