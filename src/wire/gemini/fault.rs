//! What an error answer means. The status alone does not say it: a bad key is a 400, and the time
//! to wait is in the body (dev.to/nils44344, 2026-10-07; PROVIDERS.md 5).

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::exchange::{Failure, FailureKind, Retry};
use crate::wire::classify;

/// A wait beyond this is a daily quota, whatever it is called.
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    // A stream that never began answers with an array of one.
    let parsed = parsed.map(|body| match body {
        Value::Array(items) => items.into_iter().next().unwrap_or_default(),
        other => other,
    });
    let error = parsed.as_ref().and_then(|body| body.get("error"));
    let plain = match error {
        Some(error) => classify::classify(status, headers, json!({"error": error}).to_string().as_bytes()),
        None => classify::classify(status, headers, body),
    };
    error.map_or(plain.clone(), |error| refine(plain, error))
}

/// What an error object inside a 2xx answer or stream means: as if it had come with its own code.
pub(super) fn classify_error_object(error: &Value) -> Failure {
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
    let body = json!({"error": error}).to_string();
    Failure { status: None, ..classify(code, &HeaderMap::new(), body.as_bytes()) }
}

/// What the error's status word and details add to its HTTP status.
fn refine(failure: Failure, error: &Value) -> Failure {
    let never = |kind, failure| Failure { kind, retry: Retry::No, ..failure };
    let details = || error.get("details").and_then(Value::as_array).into_iter().flatten();
    let bad_key = details()
        .filter_map(|detail| detail.get("reason").and_then(Value::as_str))
        .any(|reason| reason.starts_with("API_KEY_"));
    // FAILED_PRECONDITION: the service is not there for this account (its country, no billing).
    let not_for_us = error.get("status").is_some_and(|status| status == "FAILED_PRECONDITION");
    match failure.kind {
        FailureKind::BadRequest if bad_key || not_for_us => never(FailureKind::Unauthorised, failure),
        // A stored prefix that is gone is not the key's fault.
        FailureKind::Unauthorised if super::cached::is_gone(&failure) => never(FailureKind::NotFound, failure),
        FailureKind::RateLimited => {
            let violations = || details().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
            let says = |key, holds: &dyn Fn(&str) -> bool| {
                violations().filter_map(|violation| violation.get(key)?.as_str()).any(holds)
            };
            let after = details().find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?));
            // A quota of 0 is a model that the account's tier does not have.
            let exhausted = says("quotaId", &|id| id.contains("PerDay")) || says("quotaValue", &|value| value == "0");
            match after {
                _ if exhausted => never(FailureKind::QuotaExhausted, failure),
                Some(after) if after >= HOUR => never(FailureKind::QuotaExhausted, failure),
                Some(after) if failure.retry == (Retry::RateLimited { after: None }) => {
                    Failure { retry: classify::rate_limited(Some(after)), ..failure }
                }
                _ => failure,
            }
        }
        _ => failure,
    }
}

/// A duration as Protocol Buffers write it in JSON: `46s`, `46.2s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}
