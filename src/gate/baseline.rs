//! A run frozen for the gate: JSON with sorted keys and one line an example, small enough to be kept
//! with the suite and to be read as a diff.
//!
//! Beside what came of every call it holds the texts of suite.toml, schema and prompts, so that the
//! system of then can be asked again.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::calls::{CallsByVariant, GateSide};
use super::frozen::FrozenExamples;
use crate::digest::Digest;
use crate::measure::RunProvenance;
use crate::suite::Example;
use crate::text::one_line;

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// Why a file is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// It is not what the format says.
    #[error("line {line}, column {column}: {message}")]
    Form {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Another version's format.
    #[error("it has format {found}; this version of ceiling reads format {FORMAT}")]
    Format {
        /// The format that it states.
        found: u64,
    },
    /// What stands in it cannot be.
    #[error("{0}")]
    Content(String),
}

/// A frozen run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The format.
    pub ceiling_baseline: u32,
    /// Digest of the documents, where a variant retrieves from them.
    pub documents: Option<Digest>,
    /// The examples, sorted by id.
    pub examples: FrozenExamples,
    /// suite.toml, schema and prompts as they were, line by line.
    pub files: BTreeMap<String, Vec<String>>,
    /// Where it was measured, in the user's words: times are compared only with those of the same place.
    pub place: Option<String>,
    /// Digest of the pool, where a variant shows examples from it and the pool was as the run had it.
    pub pool: Option<Digest>,
    /// The run.
    pub run: String,
    /// By variant, the rows that its examples in the prompt are chosen from, in order, where they were kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shots: BTreeMap<String, Vec<Example>>,
    /// The suite's name.
    pub suite: String,
    /// Digest of the suite's texts.
    pub suite_digest: Digest,
    /// The variants that can be gated.
    pub variants: BTreeMap<String, FrozenVariant>,
    /// The version that wrote it.
    pub version: String,
}

/// What is known of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenVariant {
    /// When its first and last answer were asked for, milliseconds since 1970-01-01 UTC.
    pub asked_unix_ms: [i64; 2],
    /// Whether its answers can be invalid at all.
    pub checks_validity: bool,
    /// Who answered, as `provider/model`.
    pub endpoint: String,
    /// What tells this endpoint from another: address, model, extra fields.
    pub endpoint_digest: Digest,
    /// The most requests under way at once.
    pub in_flight: u32,
    /// Live, recorded, or both.
    pub provenance: RunProvenance,
    /// How often each example was asked at most.
    pub repeats: u32,
    /// The models that the server said had answered.
    pub served_models: Vec<String>,
    /// Why its times are not to be compared, if so.
    pub why_no_times: Option<String>,
}

/// An example with what each variant did on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenExample {
    /// Part of the digest of its input and expected answer.
    pub asked: String,
    /// Its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its id.
    pub id: String,
    /// Calls by variant.
    pub of: CallsByVariant,
}

/// Only what tells the format; everything else is left unread.
#[derive(Deserialize)]
struct Format {
    ceiling_baseline: u64,
}

impl Baseline {
    /// Reads a file's text, and that everything in it can be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        if let Ok(Format { ceiling_baseline: found }) = serde_json::from_str(text)
            && found != u64::from(FORMAT)
        {
            return Err(BaselineError::Format { found });
        }
        let baseline: Self = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message);
            BaselineError::Form { line: error.line(), column: error.column(), message: one_line(message, 300) }
        })?;
        baseline.check()?;
        Ok(baseline)
    }

    fn check(&self) -> Result<(), BaselineError> {
        let wrong = |message: String| Err(BaselineError::Content(message));
        if self.variants.is_empty() {
            return wrong("it has no variant".to_owned());
        }
        if let Some(variant) = self.shots.keys().find(|variant| !self.variants.contains_key(*variant)) {
            let variant = one_line(variant, 80);
            return wrong(format!("it has examples in the prompt of `{variant}`, which is none of its variants"));
        }
        if self.examples.is_empty() {
            return wrong("it has no example".to_owned());
        }
        self.examples.check(|variant| self.variants.contains_key(variant)).or_else(wrong)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Memory takes everything.
        let _ = self.write(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Writes the file, example by example.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let fields = match serde_json::to_value(self.header()) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        to.write_all(b"{")?;
        for (place, (key, value)) in fields.iter().enumerate() {
            write!(to, "{}\n  \"{key}\": ", if place == 0 { "" } else { "," })?;
            match key.as_str() {
                "examples" => add_one_a_line(to, self.examples.rows(), "")?,
                "shots" => self.add_shots(to)?,
                _ => {
                    let pretty = serde_json::to_string_pretty(value).unwrap_or_default().replace('\n', "\n  ");
                    to.write_all(pretty.as_bytes())?;
                }
            }
        }
        to.write_all(b"\n}\n")
    }

    /// Everything but the examples, of which there may be a million.
    fn header(&self) -> Self {
        Self {
            ceiling_baseline: self.ceiling_baseline,
            documents: self.documents,
            examples: FrozenExamples::default(),
            files: self.files.clone(),
            place: self.place.clone(),
            pool: self.pool,
            run: self.run.clone(),
            shots: self.shots.clone(),
            suite: self.suite.clone(),
            suite_digest: self.suite_digest,
            variants: self.variants.clone(),
            version: self.version.clone(),
        }
    }

    fn add_shots(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(b"{")?;
        for (place, (variant, rows)) in self.shots.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(to, "{comma}\n    {}: ", serde_json::to_string(variant).unwrap_or_default())?;
            add_one_a_line(to, rows.iter(), "  ")?;
        }
        to.write_all(b"\n  }")
    }

    /// A variant's side.
    pub fn side(&self, variant: &str) -> Option<GateSide> {
        let facts = self.variants.get(variant)?;
        Some(GateSide {
            checks_validity: facts.checks_validity,
            why_no_times: facts.why_no_times.clone(),
            place: place(facts.provenance, self.place.as_deref()),
            examples: self.examples.of(variant).cloned().unwrap_or_default(),
            ..GateSide::default()
        })
    }

    /// The frozen texts, whole.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|(path, lines)| (path.clone(), lines.join("\n"))).collect()
    }
}

/// A list with one line a row, so that a diff shows rows.
fn add_one_a_line<T: Serialize>(to: &mut dyn Write, rows: impl Iterator<Item = T>, indent: &str) -> io::Result<()> {
    to.write_all(b"[")?;
    for (place, row) in rows.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(to, "{comma}\n    {indent}{}", serde_json::to_string(&row).unwrap_or_default())?;
    }
    write!(to, "\n  {indent}]")
}

/// Where times were measured: recorded ones are of their recording, wherever it is replayed.
pub fn place(provenance: RunProvenance, named: Option<&str>) -> Option<String> {
    if provenance == RunProvenance::Recorded { Some("a recording".to_owned()) } else { named.map(str::to_owned) }
}

/// A text as lines that joined give it back.
pub fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}
