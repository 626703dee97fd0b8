//! Together's fine-tuning.
//!
//! Source: <https://docs.together.ai/reference/upload-file>, <https://docs.together.ai/reference/post-fine-tunes> and
//! their OpenAPI description (github.com/togethercomputer/openapi, 2026-04-28): `/files/upload`, `/fine-tunes`,
//! `/fine-tunes/{id}`, `/fine-tunes/{id}/events`, `/fine-tunes/{id}/cancel`; the Python package together 3.1.1:
//! states (`lib/types/fine_tuning.py`, where a suffix has up to 40 characters), prices in billionths of a dollar
//! (`lib/utils/tools.py`), files in one piece up to 5 GB (`lib/constants.py`). What is billed: passes times the
//! training file and evaluations times the validation file (<https://docs.together.ai/docs/fine-tuning-pricing>).

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    BESIDE, Estimate, Job, JobDraft, JobEvent, ListedJob, Objective, Phase, TuningLimits, TuningWire, rows, stateless,
    text,
};
use crate::exchange::Failure;
use crate::units::Usd;
use crate::wire::batch::{BatchCall, count, document, name};
use crate::wire::multipart;

/// The API.
#[derive(Debug)]
pub(super) struct TogetherTuning;

/// Where jobs are.
const JOBS: &str = "/fine-tunes";

/// Passes where none are said: the API's own default.
const DEFAULT_EPOCHS: u32 = 1;

/// A price is a number of billionths of a dollar.
const PICO_PER_UNIT: i128 = 1000;

impl TuningWire for TogetherTuning {
    /// The most passes differ by model (`/fine-tunes/models/limits`); the service says so of a job that has more.
    fn limits(&self) -> TuningLimits {
        TuningLimits { rows: 1, bytes: 5_000_000_000, epochs: 1..=100, suffix: 40 }
    }

    /// OpenAI's two formats are the very ones that it reads.
    fn formats(&self, objective: Objective) -> &'static [&'static str] {
        match objective {
            Objective::Supervised => &["together", "openai-chat"],
            Objective::Preference => &["together", "openai-dpo"],
        }
    }

    /// A job is a LoRA unless it says otherwise.
    fn method(&self, objective: Objective) -> &'static str {
        match objective {
            Objective::Supervised => "lora",
            Objective::Preference => "dpo",
        }
    }

    /// A job that validates does so once a pass.
    fn billed_tokens(&self, train: u64, validation: Option<u64>, epochs: Option<u32>) -> Option<u64> {
        let passes = u64::from(epochs.unwrap_or(DEFAULT_EPOCHS));
        Some(train.saturating_add(validation.unwrap_or(0)).saturating_mul(passes))
    }

    fn upload(&self, file_name: &str, data: &[u8]) -> BatchCall {
        let fields = [("purpose", "fine-tune"), ("file_name", file_name), ("file_type", "jsonl")];
        let form = multipart::form(&fields, file_name, data);
        BatchCall {
            content_type: Cow::Owned(form.content_type),
            ..BatchCall::post("/files/upload".into(), &BESIDE, form.body)
        }
    }

    fn files(&self) -> BatchCall {
        BatchCall::get("/files".into(), &BESIDE)
    }

    /// <https://docs.together.ai/reference/post-fine-tunes-estimate-price>
    fn estimate(&self, draft: &JobDraft<'_>) -> Option<BatchCall> {
        let epochs = draft.epochs.unwrap_or(DEFAULT_EPOCHS);
        let mut body = json!({
            "model": draft.model,
            "training_file": draft.train,
            "n_epochs": epochs,
            "training_method": method(draft.objective),
        });
        if let Some(validation) = draft.validation {
            body["validation_file"] = validation.into();
            body["n_evals"] = epochs.into();
        }
        Some(BatchCall::post(format!("{JOBS}/estimate-price"), &BESIDE, body.to_string()))
    }

    /// A price in dollars, unlike that of a job.
    fn read_estimate(&self, answer: &[u8]) -> Estimate {
        let Ok(said) = document(answer, "an estimate") else { return Estimate::Unknown("not JSON".into()) };
        let price = said.get("estimated_total_price").and_then(Value::as_f64).and_then(Usd::from_f64);
        match (said.get("estimation_available").and_then(Value::as_bool), price, text(said.get("unavailable_reason"))) {
            (Some(true) | None, Some(price), _) => Estimate::Price(price),
            (_, _, Some(reason)) if reason.ends_with("not_validated") => Estimate::Waiting,
            (_, _, reason) => Estimate::Unknown(reason.unwrap_or_else(|| "no reason is stated".into())),
        }
    }

    fn serving(&self) -> Option<&'static str> {
        Some("Together serves it on a dedicated endpoint, billed by the minute until you stop it: start one first")
    }

    fn create(&self, draft: &JobDraft<'_>) -> BatchCall {
        let epochs = draft.epochs.unwrap_or(DEFAULT_EPOCHS);
        let mut body = json!({
            "model": draft.model,
            "training_file": draft.train,
            "suffix": draft.suffix,
            "n_epochs": epochs,
            "training_method": method(draft.objective),
        });
        if let Some(validation) = draft.validation {
            body["validation_file"] = validation.into();
            // Without a number of evaluations the file is not looked at.
            body["n_evals"] = epochs.into();
        }
        if let Some(seed) = draft.seed {
            body["random_seed"] = seed.into();
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
            "completed" => Phase::Succeeded,
            "error" | "user_error" => Phase::Failed,
            "cancelled" => Phase::Cancelled,
            _ => Phase::Working,
        };
        let price = job.get("total_price").and_then(Value::as_i64).filter(|price| *price > 0);
        let model = text(job.get("model_output_name")).or_else(|| text(job.get("output_name")));
        Ok(Job {
            id: name(job.get("id"), "the job")?,
            phase,
            word,
            // It is named from the start, and is there at the end.
            model: model.filter(|_| phase == Phase::Succeeded),
            trained_tokens: count(job.get("token_count")).filter(|tokens| *tokens > 0),
            billed: price.map(|price| Usd::from_pico(i128::from(price) * PICO_PER_UNIT)),
            epochs: job.get("n_epochs").and_then(Value::as_u64),
            expected_end_s: None,
            error: None,
        })
    }

    fn events(&self, id: &str) -> BatchCall {
        BatchCall::get(format!("{JOBS}/{id}/events"), &BESIDE)
    }

    fn read_events(&self, answer: &[u8]) -> Vec<JobEvent> {
        let Ok(list) = document(answer, "a list of events") else { return Vec::new() };
        let read = |event: &Value| {
            let of_error =
                |key: &str| event.get(key).and_then(Value::as_str).is_some_and(|word| word.ends_with("error"));
            Some(JobEvent {
                at_s: seconds(event.get("created_at")),
                is_error: of_error("level") || of_error("type"),
                message: text(event.get("message"))?,
            })
        };
        let mut events: Vec<JobEvent> = rows(&list).filter_map(read).collect();
        events.sort_by_key(|event| event.at_s);
        events
    }

    fn jobs(&self) -> BatchCall {
        BatchCall::get(JOBS.into(), &BESIDE)
    }

    /// It keeps no mark of ours.
    fn listed_jobs(&self, answer: &[u8]) -> Vec<ListedJob> {
        let Ok(list) = document(answer, "a list of jobs") else { return Vec::new() };
        let read = |job: &Value| {
            Some(ListedJob {
                id: name(job.get("id"), "a job").ok()?,
                tag: None,
                train: text(job.get("training_file")),
                suffix: text(job.get("suffix")),
            })
        };
        rows(&list).filter_map(read).collect()
    }
}

fn method(objective: Objective) -> Value {
    match objective {
        // The prompt is learnt from, not learnt: only the answer carries loss.
        Objective::Supervised => json!({"method": "sft", "train_on_inputs": false}),
        Objective::Preference => json!({"method": "dpo"}),
    }
}

/// A time as a text or as seconds.
fn seconds(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAFT: JobDraft<'_> = JobDraft {
        model: "Qwen/Qwen3.5-9B",
        objective: Objective::Supervised,
        train: "file-1",
        validation: Some("file-2"),
        epochs: Some(3),
        suffix: "tickets",
        seed: Some(7),
        tag: "t-1",
    };

    #[test]
    fn a_file_goes_up_with_its_name_and_kind() {
        let call = TogetherTuning.upload("a.jsonl", b"{}\n");
        assert_eq!(call.route.path, "/files/upload");
        let body = String::from_utf8(call.body.to_vec()).unwrap();
        for field in
            ["name=\"purpose\"\r\n\r\nfine-tune", "name=\"file_name\"\r\n\r\na.jsonl", "\"file_type\"\r\n\r\njsonl"]
        {
            assert!(body.contains(field), "{body}");
        }
    }

    #[test]
    fn a_job_says_its_files_method_and_evaluations() {
        let call = TogetherTuning.create(&DRAFT);
        assert_eq!(call.route.path, "/fine-tunes");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({
            "model": "Qwen/Qwen3.5-9B", "training_file": "file-1", "validation_file": "file-2", "n_epochs": 3,
            "n_evals": 3, "suffix": "tickets", "random_seed": 7,
            "training_method": {"method": "sft", "train_on_inputs": false},
        });
        assert_eq!(body, expected);
        let preference = JobDraft { objective: Objective::Preference, validation: None, epochs: None, ..DRAFT };
        let body: Value = serde_json::from_slice(&TogetherTuning.create(&preference).body).unwrap();
        assert_eq!((&body["training_method"], &body["n_epochs"]), (&json!({"method": "dpo"}), &1.into()));
        assert!(body.get("n_evals").is_none());
    }

    /// The reference's example of a job, completed.
    #[test]
    fn a_job_that_is_complete_has_a_model_a_price_and_tokens() {
        let job = json!({
            "id": "ft-01234567890123456789", "status": "completed", "created_at": "2023-05-17T17:35:45.123Z",
            "updated_at": "2023-05-17T18:46:23.456Z", "user_id": "user_01234567890123456789",
            "total_price": 1_500_000_000_i64, "token_count": 850_000, "events": [], "model": "meta-llama/Llama-2-7b-hf",
            "model_output_name": "mynamespace/meta-llama/Llama-2-7b-hf-32162631", "n_epochs": 3,
            "training_file": "file-01234567890123456789",
        });
        let read = TogetherTuning.read_job(job.to_string().as_bytes()).unwrap();
        assert_eq!((read.phase, read.epochs, read.trained_tokens), (Phase::Succeeded, Some(3), Some(850_000)));
        assert_eq!(read.model.as_deref(), Some("mynamespace/meta-llama/Llama-2-7b-hf-32162631"));
        assert_eq!(read.billed.map(Usd::as_f64), Some(1.5));
        let running = json!({"id": "ft-1", "status": "running", "model_output_name": "a/b"});
        let read = TogetherTuning.read_job(running.to_string().as_bytes()).unwrap();
        assert_eq!((read.phase, read.model), (Phase::Working, None), "a model that is not there yet");
    }

    #[test]
    fn states_are_read_and_unknown_ones_are_kept_as_said() {
        let phase = |word: &str| {
            let job = json!({"id": "ft-1", "status": word}).to_string();
            TogetherTuning.read_job(job.as_bytes()).unwrap().phase
        };
        for word in ["pending", "queued", "running", "compressing", "uploading", "cancel_requested", "folding"] {
            assert_eq!(phase(word), Phase::Working, "{word}");
        }
        assert_eq!([phase("error"), phase("user_error")], [Phase::Failed; 2]);
        assert_eq!(phase("cancelled"), Phase::Cancelled);
    }

    #[test]
    fn events_come_in_the_order_of_time() {
        let events = json!({"data": [
            {"object": "fine-tune-event", "type": "job_error", "created_at": "2026-04-03T03:19:48Z", "message": "no"},
            {"object": "fine-tune-event", "type": "job_start", "created_at": "2026-04-03T03:19:46Z", "message": "go"},
        ]});
        let events = TogetherTuning.read_events(events.to_string().as_bytes());
        assert_eq!(events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>(), ["go", "no"]);
        assert!(events[1].is_error);
    }

    #[test]
    fn an_estimate_is_a_price_or_a_reason() {
        let call = TogetherTuning.estimate(&DRAFT).unwrap();
        assert_eq!(call.route.path, "/fine-tunes/estimate-price");
        let read = |said: Value| TogetherTuning.read_estimate(said.to_string().as_bytes());
        let price = json!({"estimation_available": true, "estimated_total_price": 1.25, "allowed_to_proceed": true});
        assert_eq!(read(price), Estimate::Price(Usd::from_f64(1.25).unwrap()));
        let waits = json!({"estimation_available": false, "unavailable_reason": "train_file_not_validated"});
        assert_eq!(read(waits), Estimate::Waiting);
        let never = json!({"estimation_available": false, "unavailable_reason": "train_file_invalid"});
        assert_eq!(read(never), Estimate::Unknown("train_file_invalid".into()));
    }

    #[test]
    fn a_price_counts_the_passes_over_both_files() {
        assert_eq!(TogetherTuning.billed_tokens(100, Some(10), Some(3)), Some(330));
        assert_eq!(TogetherTuning.billed_tokens(100, None, None), Some(100));
    }
}
