//! Long texts and JSON as a person reads them: wrapped, indented, with the fault marked where it is. Whatever
//! a model wrote is stripped of control sequences on the way.

use serde_json::Value;

use crate::text::{columns as columns_of_text, columns_of, printable};

/// Columns of text however wide the terminal is: longer lines are hard to read.
const WIDEST: usize = 100;

/// Columns below which nothing can be laid out.
const NARROWEST: usize = 40;

/// Columns that are used of a terminal's.
pub fn columns(width: usize) -> usize {
    width.clamp(NARROWEST, WIDEST)
}

/// The text with its own line breaks, each line wrapped to `width` columns and indented by `indent`.
pub fn block(text: &str, indent: usize, width: usize) -> String {
    let room = columns(width).saturating_sub(indent).max(20);
    let mut block = String::new();
    for line in printable(text).lines() {
        for part in wrapped(&line.replace('\t', "    "), room) {
            block.push_str(format!("{:indent$}{part}", "").trim_end());
            block.push('\n');
        }
    }
    block
}

/// A line in parts of at most `room` columns, cut between words where there are any.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut length = 0;
    for word in line.split_inclusive(' ') {
        let size = columns_of_text(word.trim_end());
        if length > 0 && length + size > room {
            parts.push(std::mem::take(&mut part));
            length = 0;
        }
        for character in word.chars() {
            let wide = columns_of(character);
            if length > 0 && length + wide > room {
                if character == ' ' {
                    continue;
                }
                parts.push(std::mem::take(&mut part));
                length = 0;
            }
            part.push(character);
            length += wide;
        }
    }
    parts.push(part);
    parts
}

/// The first `most` characters, and how many were cut.
pub fn cut(text: &str, most: usize) -> (&str, usize) {
    match text.char_indices().nth(most) {
        Some((end, _)) => (&text[..end], text[end..].chars().count()),
        None => (text, 0),
    }
}

/// `1`, `0.5`, `0.667`: with more decimals where it would read 0 or 1 and is not.
pub fn score(score: f64) -> String {
    let shown = |decimals: usize| {
        let text = format!("{score:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    let is_end = |text: &str| (text == "1" && score < 1.0) || (matches!(text, "0" | "-0") && score > 0.0);
    (3..=9).map(shown).find(|text| !is_end(text)).unwrap_or_else(|| format!("{score:e}"))
}

/// A value for people: text as it is, else JSON.
pub fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| pretty(value, None, WIDEST - 10), str::to_owned)
}

/// JSON in lines of at most about `width` columns: what fits stands on one. The line at the fault's path bears
/// what is wrong there.
pub fn pretty(value: &Value, fault: Option<(&str, &str)>, width: usize) -> String {
    let mut writer = Writer { text: String::new(), fault, width };
    writer.value(value, "", 0, "", "");
    writer.text
}

struct Writer<'a> {
    text: String,
    /// A JSON pointer, and what is wrong there.
    fault: Option<(&'a str, &'a str)>,
    width: usize,
}

impl Writer<'_> {
    fn line(&mut self, path: &str, depth: usize, words: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(words);
        if let Some((_, message)) = self.fault.filter(|(at, _)| *at == path) {
            self.text.push_str(&format!("   ← {message}"));
            self.fault = None;
        }
    }

    /// Whether the fault lies below this path, not at it.
    fn holds_fault(&self, path: &str) -> bool {
        self.fault.is_some_and(|(at, _)| at.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    fn value(&mut self, value: &Value, path: &str, depth: usize, before: &str, after: &str) {
        let compact = compact(value);
        let fits = columns_of_text(before) + columns_of_text(&compact) + 2 * depth <= self.width;
        let (open, close, count) = match value {
            Value::Array(items) => ("[", "]", items.len()),
            Value::Object(fields) => ("{", "}", fields.len()),
            _ => ("", "", 0),
        };
        if count == 0 || (fits && !self.holds_fault(path)) {
            return self.line(path, depth, &format!("{before}{compact}{after}"));
        }
        self.line(path, depth, &format!("{before}{open}"));
        let comma = |place: usize| if place + 1 < count { "," } else { "" };
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}/{place}"), depth + 1, "", comma(place));
                }
            }
            Value::Object(fields) => {
                for (place, (key, item)) in fields.iter().enumerate() {
                    let below = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    let before = format!("{}: ", Value::String(key.clone()));
                    self.value(item, &below, depth + 1, &before, comma(place));
                }
            }
            _ => {}
        }
        self.line("\0", depth, &format!("{close}{after}"));
    }
}

/// On one line, with a blank behind each comma and colon.
fn compact(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, item): (&String, &Value)| format!("{}: {}", Value::String(key.clone()), compact(item));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_that_fits_stands_on_one_line() {
        assert_eq!(pretty(&json!({"code": "A", "n": [1, 2]}), None, 80), r#"{"code": "A", "n": [1, 2]}"#);
        assert_eq!(pretty(&json!({"code": "A", "n": [1, 2]}), None, 20), "{\n  \"code\": \"A\",\n  \"n\": [1, 2]\n}");
    }

    #[test]
    fn the_fault_is_marked_where_it_is() {
        let value = json!({"a": {"b/c": [1, "x"]}, "d": 2});
        let marked = pretty(&value, Some(("/a/b~1c/1", "not a number")), 80);
        let wanted =
            "{\n  \"a\": {\n    \"b/c\": [\n      1,\n      \"x\"   ← not a number\n    ]\n  },\n  \"d\": 2\n}";
        assert_eq!(marked, wanted);
        assert_eq!(pretty(&json!({"d": 2}), Some(("", "\"a\" is required")), 80), "{\"d\": 2}   ← \"a\" is required");
    }

    #[test]
    fn lines_keep_to_the_width_and_no_character_is_lost() {
        let text = format!("one two three\n\n{} end\u{1b}[31m", "x".repeat(120));
        let block = block(&text, 4, 44);
        assert!(block.lines().all(|line| line.chars().count() <= 44), "{block}");
        assert_eq!(block.matches('x').count(), 120);
        assert!(block.starts_with("    one two three\n\n    xxx") && !block.contains('\u{1b}'), "{block:?}");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let block = block(&"日本".repeat(40), 4, 44);
        assert!(block.lines().all(|line| columns_of_text(line) <= 44), "{block}");
        assert_eq!(block.matches('日').count(), 40);
    }

    #[test]
    fn no_score_reads_as_all_or_nothing_where_it_is_not() {
        let shown = [0.0, 1.0, 0.5, 2.0 / 3.0, 0.9996, 0.99996, 0.0002, 1e-12].map(score);
        assert_eq!(shown, ["0", "1", "0.5", "0.667", "0.9996", "0.99996", "0.0002", "1e-12"]);
    }

    #[test]
    fn a_cut_says_how_much() {
        assert_eq!(cut("äöü", 2), ("äö", 1));
        assert_eq!(cut("äö", 2), ("äö", 0));
    }
}
