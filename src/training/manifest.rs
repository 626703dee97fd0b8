//! What stands beside the training files: what they were made from, and the frozen test by which the tuned model is
//! judged later (docs/reference/training-data.md has every key).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::suite::{Example, Range};
use crate::variant::Structured;

/// The family of files that a manifest belongs to.
pub const FAMILY: &str = "ceiling/training";

/// The version that is written. Another one is refused.
pub const VERSION: u32 = 1;

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a key is missing or of another kind.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Another kind of file.
    #[error("its `family` is `{0}`, not `{FAMILY}`")]
    Family(String),
    /// Written by a newer program, or damaged.
    #[error("its version is {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A number that no export writes: a test by it would accept anything, or nothing.
    #[error("`acceptance.{key}` is {value}, not {wanted}")]
    OutOfRange {
        /// Its key.
        key: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        wanted: &'static str,
    },
}

/// How the model is trained on the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// On prompts and the answers that are wanted.
    Supervised,
    /// On pairs of answers of which one is better.
    Preference,
}

impl Method {
    /// Its name in the manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Preference => "preference",
        }
    }
}

/// Where the answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The labels of the pool.
    Labels,
    /// The answers of one variant.
    Teacher,
    /// Right and wrong answers of variants.
    Preferences,
}

impl SourceKind {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Teacher => "teacher",
            Self::Preferences => "preferences",
        }
    }
}

/// The suite whose pool the rows are from and whose test examples judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteFacts {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the manifest's (absolute where there is no way from one to the other).
    pub folder: String,
    /// Digest of suite.toml, schema and prompts when the files were written.
    pub digest: Digest,
}

/// What the rows were made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The kind.
    pub kind: SourceKind,
    /// The run whose answers they are; `None` for labels.
    pub run: Option<String>,
    /// The variant whose answers they are; `None` for labels, and for pairs from several.
    pub variant: Option<String>,
    /// What each step let through or dropped, by its name.
    pub filters: BTreeMap<String, u64>,
    /// What the answers cost when they were asked, in USD, as far as it is known.
    pub spent_usd: Option<f64>,
}

/// One of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its name, in the manifest's folder.
    pub path: String,
    /// Its lines.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// What `sha256sum` says of it.
    pub sha256: Digest,
    /// Its tokens, estimated from its texts (a tokenizer is each model's own).
    pub tokens_estimated: u64,
    /// Clusters that its rows are of; rows without one count as one each.
    pub clusters: u64,
}

/// The files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// What is trained on.
    pub train: FileFacts,
    /// What shows whether training still helps; `None` where none was wanted.
    pub validation: Option<FileFacts>,
}

/// The prompt that the rows were rendered with: the tuned model is asked with the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptText {
    /// Its name in the suite.
    pub name: String,
    /// The template of its system part; empty where it has none.
    pub system: String,
    /// The template of its user part.
    pub user: String,
}

/// The examples that judge, told by their content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenExamples {
    /// How many.
    pub count: u64,
    /// Of all of them, in the order of their ids.
    pub digest: Digest,
    /// Of each, by its id.
    pub each: BTreeMap<String, Digest>,
}

impl FrozenExamples {
    /// Freezes examples.
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Self {
        let each: BTreeMap<String, Digest> =
            examples.into_iter().map(|example| (example.id.0.clone(), example_digest(example))).collect();
        let parts = each.iter().flat_map(|(id, digest)| [id.as_bytes(), digest.as_bytes().as_slice()]);
        let digest = Digest::of_parts(parts);
        Self { count: each.len() as u64, digest, each }
    }
}

/// What an example asks and wants: its input, the expected answer, and its cluster. Tags do not bear on it.
pub fn example_digest(example: &Example) -> Digest {
    let parts = [example.input.to_string(), example.expected.to_string(), example.cluster.clone().unwrap_or_default()];
    Digest::of_parts(parts.iter().map(String::as_bytes))
}

/// The variant in use when the files were written, on the examples that judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incumbent {
    /// Its name.
    pub variant: String,
    /// The run in which it was measured.
    pub run: String,
    /// Its mean primary score over the repeats, 0 to 1, by example.
    pub scores: BTreeMap<String, f64>,
}

/// The test that the tuned model must pass, as it stood before there was one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The least mean of the primary scorer, 0 to 1; `None` where the suite states no target.
    pub target: Option<f64>,
    /// One-sided level of the decision.
    pub alpha: f64,
    /// How much worse than the variant in use is still as good.
    pub margin: f64,
    /// How often each example is asked.
    pub repeats: u32,
    /// The examples.
    pub examples: FrozenExamples,
    /// The primary scorer with its options, and how an answer is read.
    pub scorer: Value,
    /// Of the schema; `None` where there is none.
    pub schema_digest: Option<Digest>,
    /// The variant in use, where it was measured on these examples.
    pub incumbent: Option<Incumbent>,
}

impl Acceptance {
    /// Whether its numbers are such as decide something.
    fn check(&self) -> Result<(), ManifestError> {
        const UNIT: &str = "from 0 to 1";
        let is_unit = |value: f64| (0.0..=1.0).contains(&value);
        let scores = self.incumbent.iter().flat_map(|incumbent| incumbent.scores.values());
        let mut numbers = vec![
            ("alpha", self.alpha, self.alpha > 0.0 && self.alpha < 0.5, "above 0 and below 0.5"),
            ("margin", self.margin, (0.0..1.0).contains(&self.margin), "from 0 to below 1"),
            ("repeats", f64::from(self.repeats), self.repeats >= 1, "at least 1"),
        ];
        numbers.extend(self.target.map(|target| ("target", target, is_unit(target), UNIT)));
        numbers.extend(scores.map(|score| ("incumbent.scores", *score, is_unit(*score), UNIT)));
        match numbers.into_iter().find(|(_, _, is_fine, _)| !is_fine) {
            Some((key, value, _, wanted)) => Err(ManifestError::OutOfRange { key, value, wanted }),
            None => Ok(()),
        }
    }
}

/// The manifest of a set of training files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FAMILY`].
    pub family: String,
    /// [`VERSION`].
    pub version: u32,
    /// The day on which it was written, YYYY-MM-DD.
    pub created: String,
    /// The suite.
    pub suite: SuiteFacts,
    /// The format of the files, as `--format` names it.
    pub format: String,
    /// How the model is trained on them.
    pub method: Method,
    /// What they were made from.
    pub source: Source,
    /// The files.
    pub files: Files,
    /// The prompt.
    pub prompt: PromptText,
    /// How the shape of the answer is asked for.
    pub structured: Structured,
    /// Request parameters of the tuned variant, sent as they stand.
    pub params: Map<String, Value>,
    /// The model that is to be tuned, `provider/model`, if stated.
    pub base_model: Option<String>,
    /// How often training goes through the file, if stated.
    pub epochs: Option<u32>,
    /// What training on the files costs, in USD; `None` where no price is known.
    pub training_cost_usd: Option<Range>,
    /// The test.
    pub acceptance: Acceptance,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        /// What any version has.
        #[derive(Deserialize)]
        struct Head {
            family: String,
            version: u32,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.family != FAMILY {
            return Err(ManifestError::Family(crate::text::one_line(&head.family, 100)));
        }
        if head.version != VERSION {
            return Err(ManifestError::Version(head.version));
        }
        let manifest: Self = serde_json::from_str(text)?;
        manifest.acceptance.check()?;
        Ok(manifest)
    }

    /// The text of its file: keys sorted, a line each, so that two can be compared by eye.
    ///
    /// # Errors
    /// A number that JSON cannot write.
    pub fn text(&self) -> Result<String, ManifestError> {
        let value = sorted(serde_json::to_value(self)?);
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }
}

/// The same with the keys of every object in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::suite::ExampleId;
    use serde_json::json;

    fn example(id: &str, input: &str) -> Example {
        Example {
            id: ExampleId(id.to_owned()),
            input: json!(input),
            expected: json!({"code": "A"}),
            cluster: None,
            tags: BTreeMap::new(),
            documents: Vec::new(),
        }
    }

    /// A manifest of two examples.
    pub(in crate::training) fn manifest() -> Manifest {
        let file = FileFacts {
            path: "train.jsonl".into(),
            rows: 2,
            bytes: 10,
            sha256: Digest::of(b""),
            tokens_estimated: 9,
            clusters: 2,
        };
        let examples = FrozenExamples::of(&[example("b", "two"), example("a", "one")]);
        Manifest {
            family: FAMILY.to_owned(),
            version: VERSION,
            created: "2026-11-26".to_owned(),
            suite: SuiteFacts { name: "s".into(), folder: "../suites/s".into(), digest: Digest::of(b"s") },
            format: "openai-chat".into(),
            method: Method::Supervised,
            source: Source {
                kind: SourceKind::Labels,
                run: None,
                variant: None,
                filters: BTreeMap::new(),
                spent_usd: None,
            },
            files: Files { train: file, validation: None },
            prompt: PromptText { name: "p".into(), system: String::new(), user: "{{ input }}".into() },
            structured: Structured::Text,
            params: Map::new(),
            base_model: None,
            epochs: Some(3),
            training_cost_usd: None,
            acceptance: Acceptance {
                target: Some(0.9),
                alpha: 0.05,
                margin: 0.02,
                repeats: 1,
                examples,
                scorer: json!({"id": "label"}),
                schema_digest: None,
                incumbent: None,
            },
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_its_keys_are_sorted() {
        let text = manifest().text().unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest());
        assert!(text.starts_with("{\n  \"acceptance\": {\n    \"alpha\": 0.05,"), "{text}");
    }

    #[test]
    fn keys_that_are_not_known_are_let_be_and_other_files_are_refused() {
        let mut value: Value = serde_json::from_str(&manifest().text().unwrap()).unwrap();
        value["note"] = json!("mine");
        assert!(Manifest::parse(&value.to_string()).is_ok());
        value["version"] = json!(2);
        assert!(matches!(Manifest::parse(&value.to_string()), Err(ManifestError::Version(2))));
        value["family"] = json!("other");
        assert!(matches!(Manifest::parse(&value.to_string()), Err(ManifestError::Family(_))));
        assert!(matches!(Manifest::parse("[]"), Err(ManifestError::Json(_))));
    }

    #[test]
    fn a_test_that_would_accept_anything_is_refused() {
        let with = |key: &str, wrong: Value| {
            let mut value: Value = serde_json::from_str(&manifest().text().unwrap()).unwrap();
            value["acceptance"][key] = wrong;
            Manifest::parse(&value.to_string())
        };
        assert!(with("alpha", json!(0.1)).is_ok());
        let scores = json!({"variant": "v", "run": "r", "scores": {"a": 1.5}});
        let wrong = [
            ("alpha", json!(0.9)),
            ("alpha", json!(0)),
            ("margin", json!(1)),
            ("margin", json!(-0.1)),
            ("target", json!(-1)),
            ("repeats", json!(0)),
            ("incumbent", scores),
        ];
        for (key, wrong) in wrong {
            assert!(matches!(with(key, wrong.clone()), Err(ManifestError::OutOfRange { .. })), "{key} {wrong}");
        }
    }

    #[test]
    fn an_example_is_told_by_what_it_asks_and_wants() {
        let one = example("a", "one");
        let retagged = Example { tags: BTreeMap::from([("t".into(), "x".into())]), ..one.clone() };
        assert_eq!(example_digest(&one), example_digest(&retagged));
        assert_ne!(example_digest(&one), example_digest(&example("a", "two")));
        let in_a_cluster = Example { cluster: Some("c".into()), ..one.clone() };
        assert_ne!(example_digest(&one), example_digest(&in_a_cluster));
    }
}
