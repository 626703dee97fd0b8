//! OpenAI's `POST /embeddings`, which the other servers of its wire copy: texts in, vectors out.
//!
//! Source: the OpenAI API reference, "Create embeddings": at most 2,048 texts and 300,000 tokens a
//! request, no empty text, the results named by `index`.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Route, classify};
use crate::exchange::{Failure, FailureKind, Retry};
use crate::provider::Target;
use crate::text;

/// Texts of one request: servers of the wire take from 32 up.
pub const MOST_TEXTS: usize = 32;

/// Bytes of text in one request, unless one text alone has more; no token is shorter than a byte.
pub const MOST_BYTES: usize = 200_000;

/// The vectors of a request's texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// In the order of the texts, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that are billed, if the server says.
    pub input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Vec<Row>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Row {
    index: Option<usize>,
    embedding: Value,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// The request for some texts; the endpoint's own fields stand last, and win.
pub fn encode(served_as: &str, texts: &[&str], target: &Target) -> (Route, Bytes) {
    let mut body = Map::new();
    body.insert("model".into(), served_as.into());
    body.insert("input".into(), json!(texts));
    super::merge(&mut body, &target.extra_body);
    (Route::fixed("/embeddings"), Value::Object(body).to_string().into())
}

/// A whole, successful (2xx) answer for so many texts.
///
/// # Errors
/// An answer in which a vector is missing, comes twice, is no list of finite numbers, or is longer
/// than the others. Asking again would not help.
pub fn decode(body: &[u8], texts: usize) -> Result<Embedded, Failure> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| unusable(format!("the answer holds no vectors: {error}")))?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(classify::classify_error_object(&error));
    }
    let rows = answer.data.ok_or_else(|| unusable("the answer has no `data`"))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (place, row) in rows.into_iter().enumerate() {
        let index = row.index.unwrap_or(place);
        let slot = vectors
            .get_mut(index)
            .ok_or_else(|| unusable(format!("a vector has the index {index}, of {texts} texts")))?;
        if slot.is_some() {
            return Err(unusable(format!("two vectors have the index {index}")));
        }
        *slot = Some(vector(&row.embedding, index)?);
    }
    let found = vectors.iter().flatten().count();
    let vectors: Vec<Vec<f32>> = vectors.into_iter().flatten().collect();
    if found < texts {
        return Err(unusable(format!("{found} vectors came for {texts} texts")));
    }
    let length = vectors.first().map_or(0, Vec::len);
    if let Some(other) = vectors.iter().find(|vector| vector.len() != length) {
        return Err(unusable(format!("vectors of {length} and of {} dimensions came in one answer", other.len())));
    }
    let input_tokens = answer
        .usage
        .and_then(|usage| usage.prompt_tokens.or(usage.total_tokens))
        .filter(|count| *count <= crate::exchange::MOST_PLAUSIBLE_TOKENS);
    Ok(Embedded { vectors, input_tokens })
}

fn vector(embedding: &Value, index: usize) -> Result<Vec<f32>, Failure> {
    let numbers = embedding.as_array().filter(|numbers| !numbers.is_empty());
    let numbers = numbers.ok_or_else(|| unusable(format!("the vector at index {index} is no list of numbers")))?;
    let finite = |value: &Value| value.as_f64().map(|value| value as f32).filter(|value| value.is_finite());
    let vector: Option<Vec<f32>> = numbers.iter().map(finite).collect();
    vector.ok_or_else(|| unusable(format!("the vector at index {index} has a value that is no number")))
}

fn unusable(message: impl AsRef<str>) -> Failure {
    let message = text::one_line(message.as_ref(), 300);
    Failure { kind: FailureKind::Malformed, status: None, message, retry: Retry::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: &Value, texts: usize) -> String {
        decode(body.to_string().as_bytes(), texts).unwrap_err().message
    }

    #[test]
    fn the_request_names_model_and_texts_and_the_endpoints_own_fields_win() {
        let mut target = Target::default();
        let (route, body) = encode("m", &["a", "b"], &target);
        assert_eq!(route, Route::fixed("/embeddings"));
        assert_eq!(body, r#"{"model":"m","input":["a","b"]}"#);
        target.extra_body.insert("dimensions".into(), 2.into());
        assert_eq!(encode("m", &["a"], &target).1, r#"{"model":"m","input":["a"],"dimensions":2}"#);
    }

    #[test]
    fn vectors_are_joined_by_their_index() {
        let body = json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 9}, "data": [
            {"object": "embedding", "index": 1, "embedding": [0.5, 1]},
            {"object": "embedding", "index": 0, "embedding": [-1, 2e-3]},
        ]});
        let embedded = decode(body.to_string().as_bytes(), 2).unwrap();
        assert_eq!(embedded, Embedded { vectors: vec![vec![-1.0, 0.002], vec![0.5, 1.0]], input_tokens: Some(8) });
    }

    #[test]
    fn what_cannot_be_compared_is_refused_with_the_reason() {
        let row = |index: usize, embedding: Value| json!({"index": index, "embedding": embedding});
        let data = |rows: Vec<Value>| json!({"data": rows});
        assert!(message(&data(vec![row(0, json!([1]))]), 2).contains("1 vectors came for 2 texts"));
        assert!(message(&data(vec![row(0, json!([1])), row(0, json!([1]))]), 2).contains("two vectors"));
        assert!(message(&data(vec![row(7, json!([1]))]), 1).contains("index 7"));
        assert!(message(&data(vec![row(0, json!([1])), row(1, json!([1, 2]))]), 2).contains("of 1 and of 2"));
        for broken in [json!([1, null]), json!(["NaN"]), json!([1e300])] {
            assert!(message(&data(vec![row(0, broken)]), 1).contains("no number"));
        }
        for broken in [json!([]), json!("AACAPw=="), Value::Null] {
            assert!(message(&data(vec![row(0, broken)]), 1).contains("no list of numbers"));
        }
        assert!(decode(b"{\"data\":[{\"index\":0,\"embedding\":[NaN]}]}", 1).is_err());
        assert!(message(&json!({"choices": []}), 1).contains("no `data`"));
        let refused = json!({"error": {"message": "slow down", "code": "429"}});
        assert_eq!(decode(refused.to_string().as_bytes(), 1).unwrap_err().kind, FailureKind::RateLimited);
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in "[\\[\\]{}:,\"a-z0-9.-]{0,80}", texts in 0_usize..4) {
            let _ = decode(body.as_bytes(), texts);
        }
    }
}
