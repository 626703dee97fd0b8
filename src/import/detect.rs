//! Which format a file has, by what stands in it.

use std::io::{BufRead, Read as _};

use serde_json::Value;

use super::Format;
use super::document::{self, Finite, Sink, Stop};
use super::lines::LONGEST_LINE;

/// The format of a file; `None` where none is recognised.
pub fn detect(mut reader: impl BufRead) -> Option<Format> {
    let mut first = Vec::new();
    (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut first).ok()?;
    let start = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first).to_vec();
    let line: Option<Value> = serde_json::from_reader(Finite::new(start.as_slice())).ok();
    line.and_then(|value| of_line(&value)).or_else(|| of_document(start.as_slice().chain(reader)))
}

/// By the keys of a line that is an object.
fn of_line(value: &Value) -> Option<Format> {
    let has = |keys: &[&str]| keys.iter().all(|key| value.get(key).is_some());
    if has(&["problem_idx"]) {
        Some(Format::Nemo)
    } else if has(&["doc_id"]) {
        Some(Format::LmEval)
    } else if has(&["testIdx", "promptIdx"]) {
        Some(Format::PromptfooLines)
    } else if has(&["example"]) {
        Some(Format::Plain)
    } else {
        None
    }
}

/// By a key of a document that only one of the tools writes, or by where its rows stand.
fn of_document(reader: impl BufRead) -> Option<Format> {
    let mut keys = Keys(None);
    match document::read(reader, &["results", "results"], &mut keys) {
        Ok(()) | Err(Stop::Enough | Stop::Broken(_)) => keys.0,
    }
}

struct Keys(Option<Format>);

impl Sink for Keys {
    fn wants(&self, key: &str) -> bool {
        self.0.is_none() && matches!(key, "evalId" | "shareableUrl" | "eval" | "plan")
    }

    fn key(&mut self, key: &str, _: Value) {
        self.0 = Some(if matches!(key, "eval" | "plan") { Format::Inspect } else { Format::Promptfoo });
    }

    fn row(&mut self, _: u64, row: Value) -> bool {
        // The oldest files number no tests.
        let has = |keys: &[&str]| keys.iter().all(|key| row.get(key).is_some());
        let is_promptfoo = has(&["testIdx"]) || has(&["provider", "prompt", "success"]);
        self.0 = self.0.or(is_promptfoo.then_some(Format::Promptfoo));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_s_own_keys_tell_it() {
        let of = |text: &str| detect(text.as_bytes());
        assert_eq!(of("{\"evalId\": \"e\",\n \"results\": {}}"), Some(Format::Promptfoo));
        assert_eq!(of("{\"results\": {\"version\": 3, \"results\": [{\"testIdx\": 0}]}}"), Some(Format::Promptfoo));
        let old = "{\"version\": 2, \"results\": [{\"provider\": {}, \"prompt\": {}, \"success\": true}]}";
        assert_eq!(of(old), Some(Format::Promptfoo));
        assert_eq!(of("{\"version\": 2, \"status\": \"success\",\n \"eval\": {}}"), Some(Format::Inspect));
        assert_eq!(of("{\"doc_id\": 0, \"resps\": [], \"bleu\": NaN}\n"), Some(Format::LmEval));
        assert_eq!(of("{\"problem_idx\": 0, \"reward\": 1}\n"), Some(Format::Nemo));
        assert_eq!(of("{\"testIdx\": 0, \"promptIdx\": 0}\n"), Some(Format::PromptfooLines));
        assert_eq!(of("{\"example\": \"a\", \"answer\": \"b\"}\n"), Some(Format::Plain));
        assert_eq!(of("{\"a\": 1}\n"), None);
        assert_eq!(of("id,answer\n"), None);
    }
}
