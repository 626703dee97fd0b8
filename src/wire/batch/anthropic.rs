//! Anthropic's message batches: one call with all requests, and one document of results.
//!
//! Source: `resources/messages/batches.py` and `types/messages/message_batch*.py` of the Python
//! package anthropic 2.13.0; limits after platform.claude.com (creating message batches: 100,000
//! requests, 256 MB). An id has 1 to 64 letters, digits, hyphens and underscores, as the service's
//! own error says it.

use serde_json::{Value, json};

use super::openai::wrapped;
use super::{
    BatchCall, BatchDraft, BatchLimits, BatchState, BatchWire, LineEnd, Listed, Phase, ResultLine, Results, Submission,
    count, document, each_line, name,
};
use crate::exchange::Failure;
use crate::wire::Route;

/// The API.
#[derive(Debug)]
pub(super) struct AnthropicBatch;

impl BatchWire for AnthropicBatch {
    fn limits(&self) -> BatchLimits {
        BatchLimits { lines: 100_000, bytes: 256_000_000 }
    }

    fn line(&self, id: &str, _route: &Route, body: &[u8]) -> Vec<u8> {
        wrapped(&json!({"custom_id": id}).to_string(), "params", body)
    }

    fn submit(&self, draft: &BatchDraft<'_>) -> BatchCall {
        let mut body = b"{\"requests\":[".to_vec();
        body.extend(draft.lines.join(&b','));
        body.extend(b"]}");
        BatchCall::post(batches(draft.route), draft.route, body)
    }

    fn submitted(&self, _draft: &BatchDraft<'_>, _call: usize, answer: &[u8]) -> Result<Submission, Failure> {
        let batch = document(answer, "a message batch")?;
        Ok(Submission::Named(name(batch.get("id"), "the batch")?))
    }

    fn poll(&self, route: &Route, remote: &str) -> BatchCall {
        BatchCall::get(format!("{}/{remote}", batches(route)), route)
    }

    /// The results are read below the endpoint's own address, whatever `results_url` says: the key
    /// goes nowhere else.
    fn state(&self, route: &Route, answer: &[u8]) -> Result<BatchState, Failure> {
        let batch = document(answer, "a message batch")?;
        let word = batch.get("processing_status").and_then(Value::as_str).unwrap_or_default().to_owned();
        if word.is_empty() {
            return Err(crate::wire::malformed("the answer is not a message batch: it has no processing_status"));
        }
        let ended = word == "ended";
        let part = |key: &str| count(batch.pointer(&format!("/request_counts/{key}")));
        let all = ["succeeded", "errored", "canceled", "expired"].into_iter().map(part).sum();
        // Each line says itself whether it was cancelled.
        let phase = if ended { Phase::Ended { cancelled: false } } else { Phase::Working };
        let sources = if ended {
            let id = name(batch.get("id"), "the batch")?;
            vec![BatchCall::get(format!("{}/{id}/results", batches(route)), route)]
        } else {
            Vec::new()
        };
        Ok(BatchState { phase, word, over: all, sources: Some(sources) })
    }

    fn results(&self, document: &[u8]) -> Results {
        each_line(document, |line| {
            let id = line.get("custom_id")?.as_str()?.to_owned();
            let result = line.get("result")?;
            let end = match result.get("type")?.as_str()? {
                "succeeded" => LineEnd::Answer { status: 200, body: result.get("message")?.to_string().into_bytes() },
                "errored" => {
                    let error = result.get("error")?;
                    let kind = error.pointer("/error/type").and_then(Value::as_str).unwrap_or_default();
                    LineEnd::Answer { status: status_of(kind), body: error.to_string().into_bytes() }
                }
                "expired" => LineEnd::Expired,
                "canceled" => LineEnd::Cancelled,
                _ => return None,
            };
            Some(ResultLine { id, end })
        })
    }

    fn list(&self, route: &Route) -> BatchCall {
        BatchCall::get(format!("{}?limit=100", batches(route)), route)
    }

    fn listed(&self, answer: &[u8]) -> Vec<Listed> {
        let Ok(list) = document(answer, "a list") else { return Vec::new() };
        let batches = list.get("data").and_then(Value::as_array).into_iter().flatten();
        let read = |batch: &Value| {
            let counts = batch.get("request_counts").and_then(Value::as_object);
            let made = batch.get("created_at").and_then(Value::as_str);
            Some(Listed {
                remote: name(batch.get("id"), "a batch").ok()?,
                tag: None,
                lines: counts.map(|counts| counts.values().filter_map(Value::as_u64).sum()),
                created_ms: made.and_then(|made| Some(made.parse::<jiff::Timestamp>().ok()?.as_millisecond())),
            })
        };
        batches.filter_map(read).collect()
    }
}

/// The path of batches, from that of messages.
fn batches(route: &Route) -> String {
    let path = route.path.split('?').next().unwrap_or_default();
    format!("{path}/batches")
}

/// The HTTP status of an error's type (PROVIDERS.md 4).
fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_has_all_requests() {
        let route = Route { headers: vec![("anthropic-version", "2023-06-01".into())], ..Route::fixed("/v1/messages") };
        let lines = [AnthropicBatch.line("c-1", &route, br#"{"a":1}"#), AnthropicBatch.line("c-2", &route, b"{}")];
        let draft = BatchDraft { tag: "t", route: &route, lines: &lines };
        let call = AnthropicBatch.submit(&draft);
        assert_eq!((call.route.path.as_ref(), &call.route.headers), ("/v1/messages/batches", &route.headers));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(
            body,
            json!({"requests": [{"custom_id": "c-1", "params": {"a": 1}}, {"custom_id": "c-2", "params": {}}]})
        );
        assert_eq!(AnthropicBatch.poll(&route, "msgbatch_1").route.path, "/v1/messages/batches/msgbatch_1");
    }

    #[test]
    fn results_are_read_below_the_own_address() {
        let batch = json!({"id": "b1", "processing_status": "ended", "results_url": "https://elsewhere.example/x"});
        let state = AnthropicBatch.state(&Route::fixed("/messages"), batch.to_string().as_bytes()).unwrap();
        assert_eq!(state.sources.unwrap()[0].route.path, "/messages/batches/b1/results");
        let hostile = json!({"id": "../../x", "processing_status": "ended"});
        assert!(AnthropicBatch.state(&Route::fixed("/messages"), hostile.to_string().as_bytes()).is_err());
    }

    #[test]
    fn a_list_says_when_and_how_many() {
        let list = json!({"data": [
            {"id": "b1", "created_at": "1970-01-01T00:00:01.5Z", "request_counts": {"processing": 2, "expired": 1}},
            {"id": "../x"},
        ]});
        let listed = AnthropicBatch.listed(list.to_string().as_bytes());
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].lines, listed[0].created_ms), (Some(3), Some(1500)));
    }
}
