//! What is wrong with the input of a method.

use serde_json::Value;

use super::METHODS;
use crate::stats::StatsError;
use crate::text;

/// Characters of a wrong value that an error shows.
const SHOWN: usize = 60;

/// Why a method gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalcError {
    /// No method has this name.
    #[error("there is no method `{name}`")]
    UnknownMethod {
        /// What was asked for.
        name: String,
        /// The method that is probably meant.
        near: Option<&'static str>,
    },
    /// The method has no such field.
    #[error("`{method}` has no field `{field}`; its fields are {known}")]
    UnknownField {
        /// The method.
        method: &'static str,
        /// The field that was given.
        field: String,
        /// The field that is probably meant.
        near: Option<&'static str>,
        /// All fields.
        known: String,
    },
    /// A field without a default is not there.
    #[error("`{field}` is missing: {what}")]
    Missing {
        /// The method.
        method: &'static str,
        /// The field.
        field: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// A value of the wrong type, or outside its domain.
    #[error("`{field}` is {got}, expected {expected}")]
    Wrong {
        /// The field, with its place in an array or object.
        field: String,
        /// What was given.
        got: String,
        /// What it should be.
        expected: String,
    },
    /// The formula's own domain.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// The result is no finite number.
    #[error("`{field}` of the answer is beyond what a double holds; the input is too extreme")]
    Overflow {
        /// The output field.
        field: &'static str,
    },
}

impl CalcError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMethod { near: Some(near), .. } | Self::UnknownField { near: Some(near), .. } => {
                Some(format!("did you mean `{near}`?"))
            }
            Self::UnknownMethod { .. } => Some("`ceiling calc --list` shows them all".into()),
            Self::UnknownField { method, .. } | Self::Missing { method, .. } => {
                Some(format!("`ceiling calc {method} --list` shows its fields and an example"))
            }
            _ => None,
        }
    }

    /// The error of a name that no method has.
    pub fn unknown_method(name: &str) -> Self {
        let plain = name.to_ascii_lowercase().replace('-', "_");
        let near = text::nearest(&plain, METHODS.iter().map(|method| method.name));
        Self::UnknownMethod { name: text::one_line(name, SHOWN), near }
    }

    /// A value that was given, shortened.
    pub(super) fn wrong(field: impl Into<String>, got: &Value, expected: impl Into<String>) -> Self {
        let got = match got {
            Value::Array(items) => format!("an array of {}", items.len()),
            Value::Object(_) => "an object".to_owned(),
            other => text::one_line(&other.to_string(), SHOWN),
        };
        Self::Wrong { field: field.into(), got, expected: expected.into() }
    }

    /// A key or word from the user, shortened and made harmless.
    pub(super) fn shown(text: &str) -> String {
        text::one_line(text, SHOWN)
    }
}
