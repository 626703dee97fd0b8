//! OpenAI's batches: a file of requests, a batch over it, and one or two files of results.
//!
//! Source: `resources/{batches,files}.py` and `types/batch.py` of the Python package openai
//! 3.57.0, where the limits stand too; the fixtures under batch/. The codes of a refused batch and
//! of lines that were not done are not in its types: `batch_expired` is in the fixtures,
//! `batch_cancelled` and `token_limit_exceeded` are as users report them.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    BatchCall, BatchDraft, BatchLimits, BatchState, BatchWire, LineEnd, Listed, Phase, ResultLine, Results, Submission,
    count, document, each_line, name,
};
use crate::exchange::{Failure, FailureKind, Retry};
use crate::wire::{Route, classify, multipart};

/// The API.
#[derive(Debug)]
pub(super) struct OpenaiBatch;

/// Under this key of a batch's metadata stands our mark.
const TAG: &str = "ceiling";

/// The account has too many tokens queued already: later there will be room.
const QUEUE_FULL: &str = "token_limit_exceeded";

impl BatchWire for OpenaiBatch {
    fn limits(&self) -> BatchLimits {
        BatchLimits { lines: 50_000, bytes: 200_000_000 }
    }

    fn line(&self, id: &str, route: &Route, body: &[u8]) -> Vec<u8> {
        let head = json!({"custom_id": id, "method": "POST", "url": format!("/v1{}", route.path)}).to_string();
        wrapped(&head, "body", body)
    }

    fn submit(&self, draft: &BatchDraft<'_>) -> BatchCall {
        let data = draft.lines.join(&b'\n');
        let form = multipart::form(&[("purpose", "batch")], "ceiling.jsonl", &data);
        BatchCall {
            content_type: Cow::Owned(form.content_type),
            ..BatchCall::post("/files".into(), draft.route, form.body)
        }
    }

    fn submitted(&self, draft: &BatchDraft<'_>, call: usize, answer: &[u8]) -> Result<Submission, Failure> {
        if call > 0 {
            let batch = document(answer, "a batch")?;
            return Ok(Submission::Named(name(batch.get("id"), "the batch")?));
        }
        let file = document(answer, "a file")?;
        let create = json!({
            "input_file_id": name(file.get("id"), "the file")?,
            "endpoint": format!("/v1{}", draft.route.path),
            "completion_window": "24h",
            "metadata": {TAG: draft.tag},
        });
        Ok(Submission::Next(BatchCall::post("/batches".into(), draft.route, create.to_string())))
    }

    fn poll(&self, route: &Route, remote: &str) -> BatchCall {
        BatchCall::get(format!("/batches/{remote}"), route)
    }

    fn state(&self, route: &Route, answer: &[u8]) -> Result<BatchState, Failure> {
        let batch = document(answer, "a batch")?;
        let word = batch.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let phase = match word.as_str() {
            "completed" | "expired" => Phase::Ended { cancelled: false },
            "cancelled" => Phase::Ended { cancelled: true },
            "failed" => Phase::Refused(refusal(&batch)),
            "" => return Err(crate::wire::malformed("the answer is not a batch: it has no status")),
            // Also a word that is newer than this: there will be another one.
            _ => Phase::Working,
        };
        let counts = batch.get("request_counts");
        let part = |key| count(counts.and_then(|counts| counts.get(key)));
        let mut sources = Vec::new();
        if matches!(phase, Phase::Ended { .. }) {
            for key in ["output_file_id", "error_file_id"] {
                if let Some(file) = batch.get(key).filter(|file| !file.is_null()) {
                    let file = name(Some(file), "a file")?;
                    sources.push(BatchCall::get(format!("/files/{file}/content"), route));
                }
            }
        }
        let over = part("completed").zip(part("failed")).map(|(done, failed)| done + failed);
        Ok(BatchState { phase, word, over, sources: Some(sources) })
    }

    fn results(&self, document: &[u8]) -> Results {
        each_line(document, |line| {
            let id = line.get("custom_id")?.as_str()?.to_owned();
            if let Some(response) = line.get("response").filter(|response| !response.is_null()) {
                let status = u16::try_from(response.get("status_code")?.as_u64()?).ok()?;
                return Some(ResultLine { id, end: answer(status, response.get("body")?) });
            }
            let error = line.get("error").filter(|error| !error.is_null())?;
            let end = match error.get("code").and_then(Value::as_str) {
                Some("batch_expired") => LineEnd::Expired,
                Some("batch_cancelled") => LineEnd::Cancelled,
                // The request was not made, for a reason of the service's own.
                _ => answer(500, &json!({"error": error})),
            };
            Some(ResultLine { id, end })
        })
    }

    /// The files that were uploaded and those with the results.
    fn leftovers(&self, route: &Route, state: &[u8]) -> Vec<BatchCall> {
        let Ok(batch) = document(state, "a batch") else { return Vec::new() };
        let files = ["input_file_id", "output_file_id", "error_file_id"].into_iter();
        let files = files.filter_map(|key| name(batch.get(key), "a file").ok());
        files.map(|file| BatchCall::delete(format!("/files/{file}"), route)).collect()
    }

    fn list(&self, route: &Route) -> BatchCall {
        BatchCall::get("/batches?limit=100".into(), route)
    }

    fn listed(&self, answer: &[u8]) -> Vec<Listed> {
        let Ok(list) = document(answer, "a list") else { return Vec::new() };
        let batches = list.get("data").and_then(Value::as_array).into_iter().flatten();
        let read = |batch: &Value| {
            let tag = batch.pointer("/metadata/ceiling").and_then(Value::as_str);
            Some(Listed {
                remote: name(batch.get("id"), "a batch").ok()?,
                // One without our mark is not ours: we always set it.
                tag: Some(tag.unwrap_or_default().to_owned()),
                lines: count(batch.pointer("/request_counts/total")),
                created_ms: batch.get("created_at").and_then(Value::as_i64).map(|seconds| seconds.saturating_mul(1000)),
            })
        };
        batches.filter_map(read).collect()
    }
}

/// Adds a document that is JSON already to an object, as its last field, without parsing it.
pub(super) fn wrapped(head: &str, key: &str, body: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(head.len() + key.len() + body.len() + 8);
    line.extend(head.strip_suffix('}').unwrap_or(head).as_bytes());
    line.extend(format!(",\"{key}\":").into_bytes());
    line.extend(body);
    line.push(b'}');
    line
}

fn answer(status: u16, body: &Value) -> LineEnd {
    LineEnd::Answer { status, body: body.to_string().into_bytes() }
}

/// Why none of a batch was done.
fn refusal(batch: &Value) -> Failure {
    let errors: Vec<&Value> = batch.pointer("/errors/data").and_then(Value::as_array).into_iter().flatten().collect();
    let Some(first) = errors.first() else {
        let message = "the provider refused the batch without a word".to_owned();
        return Failure { kind: FailureKind::Stopped, status: None, message, retry: Retry::No };
    };
    let failure = classify::classify_error_object(first);
    if errors.iter().any(|error| error.get("code").and_then(Value::as_str) == Some(QUEUE_FULL)) {
        return Failure { kind: FailureKind::RateLimited, retry: Retry::RateLimited { after: None }, ..failure };
    }
    let kind = match first.get("code").and_then(Value::as_str) {
        _ if failure.kind == FailureKind::QuotaExhausted => FailureKind::QuotaExhausted,
        Some("model_not_found") => FailureKind::NotFound,
        _ => FailureKind::Stopped,
    };
    let message = format!("the provider refused the batch: {}", failure.message);
    Failure { kind, message, retry: Retry::No, ..failure }
}

/// For tests that look into what is sent.
#[cfg(test)]
fn body_text(call: &BatchCall) -> String {
    String::from_utf8(call.body.to_vec()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route::fixed("/chat/completions");

    #[test]
    fn a_file_then_a_batch() {
        let lines = [OpenaiBatch.line("c-1", &ROUTE, br#"{"model":"m"}"#), OpenaiBatch.line("c-2", &ROUTE, b"{}")];
        let draft = BatchDraft { tag: "t-1", route: &ROUTE, lines: &lines };
        let upload = OpenaiBatch.submit(&draft);
        assert_eq!(upload.route.path, "/files");
        let boundary = upload.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(boundary.len() <= 70);
        let body = body_text(&upload);
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "{body}");
        assert!(parts[1].contains("name=\"purpose\"\r\n\r\nbatch\r\n"), "{body}");
        let file = parts[2].split("\r\n\r\n").nth(1).unwrap().trim_end();
        let sent: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            sent[0],
            json!({"custom_id": "c-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}})
        );
        let Submission::Next(create) = OpenaiBatch.submitted(&draft, 0, br#"{"id":"file-1"}"#).unwrap() else {
            panic!("a file is no batch");
        };
        let create: Value = serde_json::from_slice(&create.body).unwrap();
        assert_eq!(create["input_file_id"], "file-1");
        assert_eq!(create["endpoint"], "/v1/chat/completions");
        assert_eq!(create["completion_window"], "24h");
        assert_eq!(create["metadata"]["ceiling"], "t-1");
        let named = OpenaiBatch.submitted(&draft, 1, br#"{"id":"batch_1"}"#).unwrap();
        assert_eq!(named, Submission::Named("batch_1".into()));
        assert!(OpenaiBatch.submitted(&draft, 0, br#"{"id":"../files"}"#).is_err());
    }

    #[test]
    fn a_full_queue_is_waited_for_and_a_bad_file_is_not() {
        let refused = |code: &str| {
            let batch = json!({"status": "failed", "errors": {"data": [{"code": code, "message": "no", "line": 1}]}});
            match OpenaiBatch.state(&ROUTE, batch.to_string().as_bytes()).unwrap().phase {
                Phase::Refused(failure) => failure,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused("token_limit_exceeded").retry, Retry::RateLimited { after: None });
        assert_eq!(refused("invalid_json_line").kind, FailureKind::Stopped);
        assert_eq!(refused("model_not_found").kind, FailureKind::NotFound);
        assert_eq!(refused("insufficient_quota").kind, FailureKind::QuotaExhausted);
    }

    #[test]
    fn a_line_is_read_however_it_ended() {
        let lines = [
            r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"bad"}}},"error":null}"#,
            r#"{"custom_id":"b","response":null,"error":{"code":"batch_expired","message":"late"}}"#,
            r#"{"custom_id":"c","response":null,"error":{"code":"batch_cancelled","message":"stopped"}}"#,
            r#"{"custom_id":"d","response":null,"error":{"code":"odd","message":"hm"}}"#,
            r#"{"custom_id":"e","response":null,"error":null}"#,
            "not JSON",
        ];
        let results = OpenaiBatch.results(lines.join("\n").as_bytes());
        assert_eq!(results.malformed, 2);
        assert!(matches!(results.lines[0].end, LineEnd::Answer { status: 400, .. }));
        assert_eq!(results.lines[1].end, LineEnd::Expired);
        assert_eq!(results.lines[2].end, LineEnd::Cancelled);
        assert!(matches!(results.lines[3].end, LineEnd::Answer { status: 500, .. }));
    }
}
