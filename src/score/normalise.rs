//! What the `exact`, `set-f1` and `contains` scorers forgive, and when two JSON values are equal.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization;

use crate::suite::Normalisation;

/// The normalisations of one scorer; applied to texts, never to keys.
///
/// Whatever order the suite names them in, Unicode comes first and white space last, so that a
/// later step never undoes an earlier one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Normaliser {
    nfkc: bool,
    case: bool,
    punctuation: bool,
    whitespace: bool,
}

impl Normaliser {
    /// The named normalisations.
    pub(super) fn new(names: &[Normalisation]) -> Self {
        Self {
            nfkc: names.contains(&Normalisation::Nfkc),
            case: names.contains(&Normalisation::Case),
            punctuation: names.contains(&Normalisation::Punctuation),
            whitespace: names.contains(&Normalisation::Whitespace),
        }
    }

    /// The text, normalised.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if self.nfkc {
            text = Cow::Owned(text.nfkc().collect());
        }
        if self.case {
            text = Cow::Owned(text.to_lowercase());
        }
        if self.punctuation {
            text = Cow::Owned(without_punctuation(&text));
        }
        if self.whitespace {
            text = Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        text
    }

    /// Text that two values share if and only if they are equal: numbers compare as numbers, the
    /// order of keys does not matter, texts are normalised.
    pub(super) fn key(&self, value: &Value) -> String {
        let mut key = String::new();
        self.write_key(value, &mut key);
        key
    }

    fn write_key(&self, value: &Value, key: &mut String) {
        match value {
            Value::Null => key.push_str("null"),
            Value::Bool(flag) => key.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => write_number(number, key),
            Value::String(text) => write_quoted(&self.text(text), key),
            Value::Array(items) => {
                key.push('[');
                for item in items {
                    self.write_key(item, key);
                    key.push(',');
                }
                key.push(']');
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| name.as_str());
                key.push('{');
                for (name, value) in fields {
                    write_quoted(name, key);
                    key.push(':');
                    self.write_key(value, key);
                    key.push(',');
                }
                key.push('}');
            }
        }
    }
}

/// Without punctuation: ASCII's, and that of the General Punctuation and CJK blocks.
pub(super) fn without_punctuation(text: &str) -> String {
    text.chars().filter(|&character| !is_punctuation(character)).collect()
}

fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation()
        || matches!(character,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// 1 and 1.0 are written alike.
fn write_number(number: &Number, key: &mut String) {
    // Whole numbers below 2^63 are exact in both forms; others stand as they are.
    let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 9.2e18);
    // Writing to a String cannot fail.
    let _ = match whole {
        Some(float) => write!(key, "{}", float as i64),
        None => write!(key, "{number}"),
    };
}

fn write_quoted(text: &str, key: &mut String) {
    let _ = write!(key, "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_as_numbers_and_keys_without_order() {
        let plain = Normaliser::default();
        assert_eq!(plain.key(&json!({"a": 1, "b": [1.0, -0.0]})), plain.key(&json!({"b": [1, 0], "a": 1.0})));
        assert_ne!(plain.key(&json!("1")), plain.key(&json!(1)));
        assert_ne!(plain.key(&json!(["a,b"])), plain.key(&json!(["a", "b"])));
        assert_ne!(plain.key(&json!(9_007_199_254_740_993_u64)), plain.key(&json!(9_007_199_254_740_992_u64)));
    }

    #[test]
    fn each_normalisation_forgives_its_own() {
        let read = |name, text: &str| Normaliser::new(&[name]).text(text).into_owned();
        assert_eq!(read(Normalisation::Case, "ÄB"), "äb");
        assert_eq!(read(Normalisation::Whitespace, " a \n b "), "a b");
        assert_eq!(read(Normalisation::Nfkc, "ﬁ①"), "fi1");
        assert_eq!(read(Normalisation::Punctuation, "a-b, “c”!"), "ab c");
        let all = [Normalisation::Whitespace, Normalisation::Punctuation, Normalisation::Case];
        assert_eq!(Normaliser::new(&all).text("A . B"), "a b");
    }
}
