//! JSON rewritten as TOML of the same length, so that one reader serves both and every place in the
//! rewritten text is the same place in the file.
//!
//! Colons become equals signs, the outer braces blanks, the outer commas line breaks; a member whose
//! value is null is blanked out: it is absent.

/// What is wrong with a text that should be a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFault {
    /// Where, in bytes.
    pub offset: usize,
    /// What.
    pub message: String,
}

/// The text as TOML, byte for byte as long.
///
/// # Errors
/// It is no JSON, or no object.
pub fn as_toml(text: &str) -> Result<String, JsonFault> {
    let whole: serde_json::Value = serde_json::from_str(text).map_err(|error| JsonFault {
        offset: offset(text, error.line(), error.column()),
        message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    })?;
    if !whole.is_object() {
        return Err(JsonFault { offset: 0, message: "expected a JSON object".to_owned() });
    }
    let mut rewriter = Rewriter { text: text.as_bytes(), out: text.as_bytes().to_vec(), at: 0, null_at: None };
    rewriter.value(0);
    if let Some(offset) = rewriter.null_at {
        return Err(JsonFault {
            offset,
            message: "null stands for a member that is absent, and not in a list".to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&rewriter.out).into_owned())
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

const DELETE: u8 = 0x7f;

/// Walks through text that is known to be JSON.
struct Rewriter<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    at: usize,
    /// The first null in a list: TOML has none.
    null_at: Option<usize>,
}

impl Rewriter<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn blank(&mut self, from: usize, to: usize) {
        self.out[from..to].fill(b' ');
    }

    /// Skips white space; inside an inline table a line break is not allowed everywhere.
    fn space(&mut self, depth: usize) {
        while self.at < self.text.len() && self.peek().is_ascii_whitespace() {
            if depth > 1 {
                self.out[self.at] = b' ';
            }
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) {
        self.space(depth);
        match self.peek() {
            b'{' => self.object(depth + 1),
            b'[' => {
                self.at += 1;
                self.space(depth + 2);
                while self.peek() != b']' && self.at < self.text.len() {
                    if self.text[self.at..].starts_with(b"null") {
                        self.null_at.get_or_insert(self.at);
                    }
                    self.value(depth + 2);
                    self.space(depth + 2);
                    if self.peek() == b',' {
                        self.at += 1;
                        self.space(depth + 2);
                    }
                }
                self.at += 1;
            }
            b'"' => self.string(),
            _ => {
                while self.at < self.text.len()
                    && !matches!(self.peek(), b',' | b'}' | b']')
                    && !self.peek().is_ascii_whitespace()
                {
                    self.at += 1;
                }
            }
        }
    }

    fn object(&mut self, depth: usize) {
        let outer = depth == 1;
        if outer {
            self.blank(self.at, self.at + 1);
        }
        self.at += 1;
        // The comma before the first member that is kept, and after one that is not, must go.
        let mut kept_comma: Option<usize> = None;
        loop {
            self.space(depth);
            if self.peek() == b'}' || self.at >= self.text.len() {
                break;
            }
            let start = self.at;
            self.string();
            self.space(depth + 1);
            self.out[self.at] = b'=';
            self.at += 1;
            self.space(depth + 1);
            let absent = self.text[self.at..].starts_with(b"null");
            self.value(depth);
            if absent {
                self.blank(start, self.at);
            }
            self.space(depth);
            let has_comma = self.peek() == b',';
            if has_comma {
                self.out[self.at] = match (outer, absent) {
                    (true, _) => b'\n',
                    (false, true) => b' ',
                    (false, false) => b',',
                };
            }
            if !outer && !absent {
                kept_comma = has_comma.then_some(self.at);
            }
            self.at += usize::from(has_comma);
        }
        // An inline table of TOML 1.0 has no comma at its end.
        if let Some(comma) = kept_comma {
            self.blank(comma, comma + 1);
        }
        if outer && self.at < self.text.len() {
            self.blank(self.at, self.at + 1);
        }
        self.at += 1;
    }

    /// A string; what TOML cannot escape so is written as it is, and blanks make up for the length.
    fn string(&mut self) {
        let start = self.at;
        self.at += 1;
        while self.at < self.text.len() && self.peek() != b'"' {
            // The one control character that JSON takes as it is and TOML does not.
            if self.peek() == DELETE {
                self.out[self.at] = b'?';
            }
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        let raw = &self.text[start..self.at];
        let odd = raw.windows(2).any(|pair| matches!(pair, [b'\\', b'/' | b'u']));
        let Some(plain) = odd.then(|| serde_json::from_slice::<String>(raw).ok()).flatten() else { return };
        let mut written = String::from("\"");
        for character in plain.chars() {
            match character {
                '"' | '\\' => written.extend(['\\', character]),
                '\n' => written.push_str("\\n"),
                '\t' => written.push_str("\\t"),
                '\r' => written.push_str("\\r"),
                '\u{8}' => written.push_str("\\b"),
                '\u{c}' => written.push_str("\\f"),
                control if control.is_ascii_control() => written.push_str(&format!("\\u{:04x}", control as u32)),
                other => written.push(other),
            }
        }
        written.push('"');
        if written.len() <= raw.len() {
            self.blank(start, self.at);
            self.out[start..start + written.len()].copy_from_slice(written.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        let toml = as_toml(text).unwrap();
        assert_eq!(toml.len(), text.len(), "{toml}");
        let table: toml::Table = toml.parse().unwrap_or_else(|error| panic!("{error}\n{toml}"));
        serde_json::to_value(table).unwrap()
    }

    #[test]
    fn places_stay_and_null_is_absent() {
        let text = "{\n  \"a\": 1,\n  \"b\": {\"c\": null, \"d\": [1,\n 2.5e3, {\"e\": \"x: {y}, [z]\"}], \"f\": null},\n  \"g\": null\n}\n";
        assert_eq!(read(text), json!({"a": 1, "b": {"d": [1, 2500.0, {"e": "x: {y}, [z]"}]}}));
        let toml = as_toml(text).unwrap();
        assert_eq!(toml.find("\"d\""), text.find("\"d\""));
        assert_eq!(read("{}"), json!({}));
        assert_eq!(read("{\"a\": {}, \"b\": [], \"c\": [{\"d\": null}]}"), json!({"a": {}, "b": [], "c": [{}]}));
    }

    #[test]
    fn escapes_that_toml_has_not() {
        let text = r#"{"s": "a\/b \ud83d\ude00 \u00e9 \"q\" \\ \n \u001f", "t": "\u0000"}"#;
        assert_eq!(read(text), json!({"s": "a/b \u{1f600} é \"q\" \\ \n \u{1f}", "t": "\0"}));
    }

    #[test]
    fn what_is_no_object_is_named_with_its_place() {
        let fault = as_toml("{\n \"a\": 1,\n \"b\" 2}").unwrap_err();
        assert_eq!(fault.offset, "{\n \"a\": 1,\n \"b\" 2}".find("2}").unwrap());
        assert!(as_toml("[1]").unwrap_err().message.contains("object"));
        assert!(as_toml("{\"a\": NaN}").is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            "[^\u{7f}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z:{}\"\\\\/ ]{0,6}", inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_reads_the_same(map in prop::collection::btree_map("[a-z]{1,6}", any_json(), 0..5), pretty in any::<bool>()) {
            let value = Value::from_iter(map);
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert_eq!(read(&text.unwrap()), value);
        }
    }
}
