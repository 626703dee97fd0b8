//! Status, headers and body of a failed exchange to what it means and whether to ask again.
//!
//! Source: PROVIDERS.md 2 (error table and retry rule of the OpenAI client). Unlike that client,
//! an exhausted quota is money, not rate, and is never asked again.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use crate::exchange::{Failure, FailureKind, Retry};
use crate::text;

/// `type` or `code` words that mean the account's money or quota is used up.
const QUOTA_WORDS: &[&str] = &[
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "billing_error",
    // Groq, with status 400 (console.groq.com/docs/spend-limits).
    "blocked_api_access",
];

/// A wait that a server asks for beyond this is not worth keeping a run open for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// What an answer with an error status means.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    let said = said(body);
    let mut kind = kind_of_status(status);
    if said.words.iter().any(|word| QUOTA_WORDS.contains(&word.as_str())) || status == 402 {
        kind = FailureKind::QuotaExhausted;
    } else if kind == FailureKind::BadRequest && said.words.iter().any(|word| word == "NotFoundError" || word == "404")
    {
        kind = FailureKind::NotFound;
    } else if kind == FailureKind::Unauthorised && said.is_too_long() {
        kind = FailureKind::BadRequest;
    } else if said.words.iter().any(|word| word == "ceiling_not_recorded") {
        kind = FailureKind::NotRecorded;
    }
    let message = match (said.message.is_empty(), header(headers, "location")) {
        (false, _) => said.message,
        (true, None) => format!("the server answered {status} without a word"),
        (true, Some(location)) => format!("the server answered {status}, elsewhere: {}", text::one_line(location, 200)),
    };
    Failure { kind, status: Some(status), message, retry: retry(kind, status, headers) }
}

/// Whether an error body says that a content filter declined: in a word, or as OpenRouter does, which
/// answers 403 with what was flagged (openrouter.ai/docs/api/errors).
pub fn is_content_filter(body: &[u8]) -> bool {
    let flagged = || {
        let body: Option<Value> = serde_json::from_slice(body).ok();
        body.is_some_and(|body| body.pointer("/error/metadata/flagged_input").is_some())
    };
    said(body).words.iter().any(|word| matches!(word.as_str(), "content_filter" | "content_policy_violation"))
        || flagged()
}

/// What an error object inside a stream or a 2xx body means.
pub fn classify_error_object(error: &Value) -> Failure {
    let said = said_by(error);
    let status = said.words.iter().find_map(|word| word.parse().ok()).unwrap_or(500);
    let rate_limited = said.words.iter().any(|word| word.contains("rate_limit"));
    let is_refusal =
        |word: &str| matches!(word, "invalid_request_error" | "invalid_prompt" | "context_length_exceeded");
    let refused = said.words.iter().any(|word| is_refusal(word));
    let kind = match status == 402 || said.words.iter().any(|word| QUOTA_WORDS.contains(&word.as_str())) {
        true => FailureKind::QuotaExhausted,
        false if refused && status == 500 => FailureKind::BadRequest,
        false if rate_limited => FailureKind::RateLimited,
        false => kind_of_status(status),
    };
    Failure { kind, status: None, message: said.message, retry: retry(kind, status, &HeaderMap::new()) }
}

fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Unauthorised,
        // A redirect is not followed, since it could carry the key to another host.
        300..=399 | 404 => FailureKind::NotFound,
        429 => FailureKind::RateLimited,
        408 | 409 => FailureKind::Server,
        400..=499 => FailureKind::BadRequest,
        500..=599 => FailureKind::Server,
        _ => FailureKind::Malformed,
    }
}

fn retry(kind: FailureKind, status: u16, headers: &HeaderMap) -> Retry {
    if let Some(word) = header(headers, "x-should-retry")
        && word == "false"
    {
        return Retry::No;
    }
    match kind {
        FailureKind::RateLimited => rate_limited(retry_after(headers)),
        FailureKind::Server if matches!(status, 503 | 529) => match retry_after(headers) {
            None => Retry::Transient,
            after => rate_limited(after),
        },
        FailureKind::Server | FailureKind::Malformed => Retry::Transient,
        _ => Retry::No,
    }
}

/// Waiting as long as the server asked for, unless that is too long.
pub(super) fn rate_limited(after: Option<Duration>) -> Retry {
    match after {
        Some(after) if after > LONGEST_RETRY_AFTER => Retry::No,
        after => Retry::RateLimited { after },
    }
}

/// `retry-after-ms`, else `retry-after` in seconds or as an HTTP date relative to the `date` header.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |text: &str| text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    if let Some(ms) = header(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let text = header(headers, "retry-after")?;
    seconds(text).or_else(|| {
        let at = http_date(text)?;
        let now = http_date(header(headers, "date")?)?;
        Some(Duration::from_secs(u64::try_from(at - now).unwrap_or(0)))
    })
}

/// Seconds since 1970 of an HTTP date; the server's own `date` is the clock, so none is read here.
fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What an error body says: its words (`type`, `code`, `status`) and its message.
struct Said {
    words: Vec<String>,
    message: String,
}

impl Said {
    /// Whether it is about this prompt's length. Together answers 403 where prompt and `max_tokens`
    /// do not fit into the context (docs.together.ai/docs/error-codes): not the key's fault.
    fn is_too_long(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        let speaks = ["context length", "context window", "max_tokens", "max_new_tokens"];
        self.words.iter().any(|word| word == "context_length_exceeded")
            || speaks.iter().any(|words| message.contains(words))
    }
}

fn said(body: &[u8]) -> Said {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => said_by(value.get("error").filter(|error| !error.is_null()).unwrap_or(&value)),
        Err(_) => Said {
            words: Vec::new(),
            message: text::one_line(&String::from_utf8_lossy(&body[..body.len().min(2000)]), 300),
        },
    }
}

fn said_by(error: &Value) -> Said {
    if let Value::String(message) = error {
        return Said { words: Vec::new(), message: text::one_line(message, 300) };
    }
    // Anthropic's details are an object, Google's a list.
    let details = error.pointer("/details/error_code").or_else(|| error.pointer("/details/0/reason"));
    let words: Vec<String> = ["type", "code", "status"]
        .iter()
        .filter_map(|key| error.get(key))
        .chain(details)
        .filter_map(|value| match value {
            Value::String(word) => Some(word.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    let message = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    let known = words.first().filter(|word| !message.contains(word.as_str()) && word.parse::<u16>().is_err());
    let message = known.map_or(message.clone(), |word| format!("{message} ({word})"));
    Said { words, message: text::one_line(&message, 300) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let after = |pairs: &[(&'static str, &'static str)]| match classify(429, &headers(pairs), b"{}").retry {
            Retry::RateLimited { after } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(&[("retry-after", "1.5")]), Some(Duration::from_millis(1500)));
        assert_eq!(after(&[("retry-after-ms", "250")]), Some(Duration::from_millis(250)));
        assert_eq!(
            after(&[("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(classify(429, &headers(&[("retry-after", "3600")]), b"{}").retry, Retry::No);
    }

    #[test]
    fn money_is_not_rate() {
        let body = br#"{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let failure = classify(429, &HeaderMap::new(), body);
        assert_eq!((failure.kind, failure.retry), (FailureKind::QuotaExhausted, Retry::No));
    }

    #[test]
    fn a_flat_body_that_says_not_found_is_not_found() {
        let body = br#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#;
        assert_eq!(classify(400, &HeaderMap::new(), body).kind, FailureKind::NotFound);
    }

    #[test]
    fn a_403_for_a_long_prompt_stops_nothing() {
        let said = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` \
                    tokens and 100 `max_new_tokens`";
        let body = serde_json::json!({"error": {"message": said, "type": "invalid_request_error", "code": null}});
        let failure = classify(403, &HeaderMap::new(), body.to_string().as_bytes());
        assert_eq!((failure.kind, failure.retry, failure.status), (FailureKind::BadRequest, Retry::No, Some(403)));
        let denied =
            br#"{"error":{"message":"Project `p` does not have access to model `m`","type":"invalid_request_error"}}"#;
        assert_eq!(classify(403, &HeaderMap::new(), denied).kind, FailureKind::Unauthorised);
    }

    #[test]
    fn a_redirect_is_not_asked_again() {
        let failure = classify(307, &headers(&[("location", "https://elsewhere.example/v1")]), b"moved");
        assert_eq!((failure.kind, failure.retry), (FailureKind::NotFound, Retry::No));
    }

    #[test]
    fn an_html_page_is_shown_on_one_line() {
        let failure = classify(502, &HeaderMap::new(), b"<html>\n<b>bad\x1b[31m</b>");
        assert_eq!(failure.message, "<html> <b>bad[31m</b>");
        assert_eq!(failure.retry, Retry::Transient);
    }
}
