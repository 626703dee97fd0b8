//! Gemini's batches: one call with all requests inline, and an operation that ends with the answers.
//!
//! Source: `batches.py` of the Python package google-genai 3.6.1 (`_CreateBatchJobParameters_to_mldev`,
//! `_BatchJob_from_mldev`, `t_job_state`) and ai.google.dev/api/batch-api. Where the answers stand
//! is described in two ways (`response` of the operation, `metadata.output` in the client): both
//! are read. Inline requests take less than 20 MB in all (ai.google.dev/gemini-api/docs/batch-api);
//! larger files are not used.

use serde_json::{Value, json};

use super::openai::wrapped;
use super::{
    BatchCall, BatchDraft, BatchLimits, BatchState, BatchWire, LineEnd, Listed, Phase, ResultLine, Results, Submission,
    count, document, each_line, name,
};
use crate::exchange::{Failure, FailureKind, Retry};
use crate::wire::{Route, classify};

/// The API.
#[derive(Debug)]
pub(super) struct GeminiBatch;

/// Before our mark in a batch's display name.
const NAME: &str = "ceiling-";

impl BatchWire for GeminiBatch {
    fn limits(&self) -> BatchLimits {
        // No number of lines is documented: the size limits it.
        BatchLimits { lines: 50_000, bytes: 19_000_000 }
    }

    fn line(&self, id: &str, _route: &Route, body: &[u8]) -> Vec<u8> {
        wrapped(&json!({"metadata": {"key": id}}).to_string(), "request", body)
    }

    fn submit(&self, draft: &BatchDraft<'_>) -> BatchCall {
        let head = format!("{{\"batch\":{{\"displayName\":\"{NAME}{}\",\"inputConfig\":{{\"requests\":", draft.tag);
        let mut body = head.into_bytes();
        body.extend(b"{\"requests\":[");
        body.extend(draft.lines.join(&b','));
        body.extend(b"]}}}}");
        let path = draft.route.path.split(':').next().unwrap_or_default();
        BatchCall::post(format!("{path}:batchGenerateContent"), draft.route, body)
    }

    fn submitted(&self, _draft: &BatchDraft<'_>, _call: usize, answer: &[u8]) -> Result<Submission, Failure> {
        Ok(Submission::Named(id_of(&document(answer, "an operation")?)?))
    }

    fn poll(&self, route: &Route, remote: &str) -> BatchCall {
        BatchCall::get(format!("{}/{remote}", batches(route)), route)
    }

    fn state(&self, _route: &Route, answer: &[u8]) -> Result<BatchState, Failure> {
        let operation = document(answer, "an operation")?;
        let field = |key: &str| operation.pointer(&format!("/metadata/{key}")).or_else(|| operation.get(key));
        let word = field("state").and_then(Value::as_str).unwrap_or_default().to_owned();
        let done = operation.get("done").and_then(Value::as_bool).unwrap_or(false);
        let bare = word.trim_start_matches("BATCH_STATE_").trim_start_matches("JOB_STATE_");
        let phase = match bare {
            "SUCCEEDED" | "PARTIALLY_SUCCEEDED" | "EXPIRED" => Phase::Ended { cancelled: false },
            "CANCELLED" => Phase::Ended { cancelled: true },
            "FAILED" => Phase::Refused(refusal(&operation)),
            _ if done && operation.get("error").is_some() => Phase::Refused(refusal(&operation)),
            _ if done => Phase::Ended { cancelled: false },
            "" if operation.get("name").is_none() => {
                return Err(crate::wire::malformed("the answer is not an operation: it has neither name nor state"));
            }
            _ => Phase::Working,
        };
        let stat = |key: &str| count(field("batchStats").and_then(|stats| stats.get(key)));
        // Counts of zero are left out of the answer, as in all of Google's JSON.
        let over = stat("requestCount")
            .map(|_| stat("successfulRequestCount").unwrap_or(0) + stat("failedRequestCount").unwrap_or(0));
        Ok(BatchState { phase, word: bare.to_ascii_lowercase(), over, sources: None })
    }

    fn results(&self, document: &[u8]) -> Results {
        let read = |line: &Value| {
            let id = line.pointer("/metadata/key").or_else(|| line.get("key"))?.as_str()?.to_owned();
            if let Some(response) = line.get("response").filter(|response| !response.is_null()) {
                return Some(ResultLine {
                    id,
                    end: LineEnd::Answer { status: 200, body: response.to_string().into_bytes() },
                });
            }
            let error = line.get("error").filter(|error| !error.is_null())?;
            let status = status_of(count(error.get("code")).unwrap_or(2));
            let body = json!({"error": error}).to_string().into_bytes();
            Some(ResultLine { id, end: LineEnd::Answer { status, body } })
        };
        let Ok(operation) = serde_json::from_slice::<Value>(document) else { return each_line(document, read) };
        let places = [
            "/response/inlinedResponses/inlinedResponses",
            "/metadata/output/inlinedResponses/inlinedResponses",
            "/output/inlinedResponses/inlinedResponses",
        ];
        let found = places.iter().find_map(|place| operation.pointer(place)?.as_array());
        let Some(found) = found else {
            // A file of results may have one line, and is then a document of its own.
            let is_line = operation.get("metadata").is_none_or(|metadata| metadata.get("key").is_some())
                && (operation.get("key").is_some() || operation.get("metadata").is_some());
            return if is_line { each_line(document, read) } else { Results::default() };
        };
        let lines: Vec<ResultLine> = found.iter().filter_map(read).collect();
        let malformed = (found.len() - lines.len()) as u64;
        Results { lines, malformed }
    }

    fn list(&self, route: &Route) -> BatchCall {
        BatchCall::get(format!("{}?pageSize=100", batches(route)), route)
    }

    fn listed(&self, answer: &[u8]) -> Vec<Listed> {
        let Ok(list) = document(answer, "a list") else { return Vec::new() };
        let operations = list.get("operations").or_else(|| list.get("batches")).and_then(Value::as_array);
        let read = |operation: &Value| {
            let field = |key: &str| operation.pointer(&format!("/metadata/{key}")).or_else(|| operation.get(key));
            let shown = field("displayName").and_then(Value::as_str).unwrap_or_default();
            let made = field("createTime").and_then(Value::as_str);
            Some(Listed {
                remote: id_of(operation).ok()?,
                tag: Some(shown.strip_prefix(NAME).unwrap_or_default().to_owned()),
                lines: count(field("batchStats").and_then(|stats| stats.get("requestCount"))),
                created_ms: made.and_then(|made| Some(made.parse::<jiff::Timestamp>().ok()?.as_millisecond())),
            })
        };
        operations.into_iter().flatten().filter_map(read).collect()
    }
}

/// The path of batches beside that of models.
fn batches(route: &Route) -> String {
    let before = route.path.split("/models/").next().unwrap_or_default();
    format!("{before}/batches")
}

/// What stands after `batches/` in an operation's name.
fn id_of(operation: &Value) -> Result<String, Failure> {
    let full = operation.get("name").and_then(Value::as_str).unwrap_or_default();
    name(Some(&full.strip_prefix("batches/").unwrap_or_default().into()), "the batch")
}

/// Why none of a batch was done.
fn refusal(operation: &Value) -> Failure {
    let error = operation.get("error").or_else(|| operation.pointer("/metadata/error"));
    let Some(error) = error else {
        let message = "the provider gave the batch up without a word".to_owned();
        return Failure { kind: FailureKind::Stopped, status: None, message, retry: Retry::No };
    };
    let failure = classify::classify_error_object(error);
    let message = format!("the provider gave the batch up: {}", failure.message);
    match status_of(count(error.get("code")).unwrap_or(2)) {
        429 => {
            Failure { kind: FailureKind::RateLimited, message, retry: Retry::RateLimited { after: None }, ..failure }
        }
        500..=599 => Failure { kind: FailureKind::Server, message, retry: Retry::Transient, ..failure },
        404 => Failure { kind: FailureKind::NotFound, message, retry: Retry::No, ..failure },
        _ => Failure { kind: FailureKind::Stopped, message, retry: Retry::No, ..failure },
    }
}

/// An error's code is an HTTP status, or one of google.rpc.Code (google/rpc/code.proto, which
/// names the HTTP status of each).
fn status_of(code: u64) -> u16 {
    match code {
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        400..=599 => u16::try_from(code).unwrap_or(500),
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route::fixed("/models/gemini-x:generateContent");

    #[test]
    fn requests_go_inline_with_their_keys() {
        let lines = [GeminiBatch.line("c-1", &ROUTE, br#"{"contents":[]}"#), GeminiBatch.line("c-2", &ROUTE, b"{}")];
        let call = GeminiBatch.submit(&BatchDraft { tag: "t-1", route: &ROUTE, lines: &lines });
        assert_eq!(call.route.path, "/models/gemini-x:batchGenerateContent");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let requests = json!([
            {"metadata": {"key": "c-1"}, "request": {"contents": []}},
            {"metadata": {"key": "c-2"}, "request": {}},
        ]);
        let batch = json!({"displayName": "ceiling-t-1", "inputConfig": {"requests": {"requests": requests}}});
        assert_eq!(body, json!({"batch": batch}));
        let versioned = Route::fixed("/v1beta/models/m:generateContent");
        assert_eq!(GeminiBatch.poll(&versioned, "b1").route.path, "/v1beta/batches/b1");
        assert_eq!(GeminiBatch.poll(&ROUTE, "b1").route.path, "/batches/b1");
    }

    #[test]
    fn answers_are_found_in_either_place() {
        let answers = json!({"inlinedResponses": {"inlinedResponses": [
            {"metadata": {"key": "b"}, "response": {"candidates": []}},
            {"metadata": {"key": "a"}, "error": {"code": 8, "message": "much"}},
            {"response": {}},
        ]}});
        let places = [
            json!({"name": "batches/1", "done": true, "response": answers}),
            json!({"name": "batches/1", "metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": answers}}),
        ];
        for operation in places {
            let document = operation.to_string();
            let state = GeminiBatch.state(&ROUTE, document.as_bytes()).unwrap();
            assert_eq!(state.phase, Phase::Ended { cancelled: false });
            let results = GeminiBatch.results(document.as_bytes());
            assert_eq!((results.lines.len(), results.malformed), (2, 1), "an answer without a key is nobody's");
            assert!(matches!(results.lines[1].end, LineEnd::Answer { status: 429, .. }));
        }
    }

    #[test]
    fn states_have_two_spellings() {
        let phase = |state: &str| {
            let operation = json!({"name": "batches/1", "metadata": {"state": state}});
            GeminiBatch.state(&ROUTE, operation.to_string().as_bytes()).unwrap().phase
        };
        for prefix in ["BATCH_STATE_", "JOB_STATE_"] {
            assert_eq!(phase(&format!("{prefix}RUNNING")), Phase::Working);
            assert_eq!(phase(&format!("{prefix}EXPIRED")), Phase::Ended { cancelled: false });
            assert_eq!(phase(&format!("{prefix}CANCELLED")), Phase::Ended { cancelled: true });
            assert!(matches!(phase(&format!("{prefix}FAILED")), Phase::Refused(_)));
        }
    }
}
