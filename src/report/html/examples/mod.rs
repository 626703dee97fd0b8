//! The examples that a page holds: chunks of compressed JSON, which the script opens when they are looked
//! at, and an index that is enough to filter by.
//!
//! What is written is base64 in elements that nothing executes or parses: no answer can end them.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde_json::Value;

use crate::exchange::Usage;
use crate::measure::rounds::RIGHT;
use crate::measure::slices::{CLASS_TAG, MAX_VALUES};
use crate::score::answer::Validity;
use crate::suite::Example;

/// Bytes of JSON after which a chunk of examples is closed.
const CHUNK_BYTES: usize = 256 * 1024;
/// The same for requests and responses, which are looked at one by one.
const BODIES_BYTES: usize = 1024 * 1024;
/// Bytes of an answer that a page holds; more is cut, and said to be.
const MOST_OF_ANSWER: usize = 2 * 1024 * 1024;
/// Bytes of a request or a response that a page holds.
const MOST_OF_BODY: usize = 128 * 1024;
/// Classes that can be filtered by.
const MOST_CLASSES: usize = 500;

/// Where an answer is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The JSON pointer of the value that the schema does not accept.
    Pointer(String),
    /// Where the text stops being JSON, in UTF-16 units as browsers count them.
    Offset(usize),
}

impl Fault {
    /// What an answer's judge says, in a page's terms; `None` for a valid one.
    pub fn of(validity: &Validity, text: &str) -> Option<Self> {
        match validity {
            Validity::Valid => None,
            Validity::Invalid(violation) => Some(Self::Pointer(violation.path.clone())),
            Validity::NotJson { offset, .. } => {
                let before = text.get(..*offset).unwrap_or(text);
                Some(Self::Offset(before.encode_utf16().count()))
            }
        }
    }
}

/// One trial as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct TrialView {
    /// The variant's place.
    #[serde(skip)]
    pub variant: usize,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// `answered`, `refused`, `truncated` or `failed`.
    pub outcome: &'static str,
    /// What the failure said.
    pub failure: Option<String>,
    /// Whether it is missing: no part of any score.
    pub missing: bool,
    /// The primary scorer's score.
    pub score: Option<f64>,
    /// Whether the suite's schema accepts the answer.
    pub valid: bool,
    /// The same, parsed leniently.
    pub valid_lenient: bool,
    /// The first thing that is wrong with it.
    pub violation: Option<String>,
    /// Where in the answer that is.
    pub fault: Option<Fault>,
    /// The answer.
    pub text: Option<String>,
    /// Reasoning shown beside it.
    pub reasoning: Option<String>,
    /// Whether the answer is longer than what is kept of it.
    pub cut: bool,
    /// Milliseconds to the first visible token.
    pub ttft_ms: Option<f64>,
    /// Milliseconds to the whole answer.
    pub total_ms: Option<f64>,
    /// `live` or `recorded`, and whether it came from the store.
    pub source: String,
    /// Tokens.
    pub usage: Usage,
    /// What it cost, in USD.
    pub cost_usd: Option<f64>,
    /// Attempts that failed before.
    pub attempts: Vec<String>,
    /// Documents that were given, the right ones marked with a star.
    pub documents: Option<String>,
    /// The request's and the response's bodies.
    #[serde(skip)]
    pub bodies: [Vec<u8>; 2],
}

impl TrialView {
    /// Keeps of an answer what a page can hold.
    pub fn with_text(mut self, text: &str) -> Self {
        let (kept, cut) = kept(text, MOST_OF_ANSWER);
        (self.text, self.cut) = (Some(kept.to_owned()), cut);
        self
    }
}

/// The beginning of a text that is at most so many bytes long, and whether that is less than all.
fn kept(text: &str, most: usize) -> (&str, bool) {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    (&text[..end], end < text.len())
}

#[derive(Serialize)]
struct ExampleView<'a> {
    id: &'a str,
    input: &'a Value,
    expected: &'a Value,
    cluster: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    /// By variant, then by repeat.
    trials: Vec<Vec<&'a TrialView>>,
}

/// How a variant did on an example, as one character of the index.
fn code(trials: &[&TrialView]) -> char {
    let scores: Vec<f64> = trials.iter().filter(|trial| !trial.missing).filter_map(|trial| trial.score).collect();
    let all = |outcome: &str| trials.iter().all(|trial| trial.outcome == outcome);
    if trials.is_empty() {
        '-'
    } else if !scores.is_empty() && scores.iter().sum::<f64>() / scores.len() as f64 >= f64::from(RIGHT) {
        'r'
    } else if trials.iter().all(|trial| trial.missing) {
        'x'
    } else if all("refused") {
        'f'
    } else if all("truncated") {
        'c'
    } else if scores.is_empty() {
        'u'
    } else if trials.iter().any(|trial| trial.valid) {
        'w'
    } else {
        'i'
    }
}

/// A tag's values, numbered as they come.
#[derive(Debug, Default, Serialize)]
struct TagColumn {
    values: Vec<String>,
    /// By example; −1 where it has none.
    of: Vec<i32>,
    #[serde(skip)]
    most: usize,
}

/// What filters need of all examples.
#[derive(Debug, Default, Serialize)]
struct Index {
    variants: Vec<String>,
    ids: Vec<String>,
    /// One text a variant, one character an example.
    codes: Vec<String>,
    tags: BTreeMap<String, TagColumn>,
    /// The first example of each chunk.
    chunks: Vec<usize>,
    /// The same of the chunks of requests and responses.
    bodies: Vec<usize>,
    /// How many examples have their requests and responses in the page.
    with_bodies: usize,
    /// Tags with too many values to choose from.
    dropped: Vec<String>,
    /// The least score that counts as right.
    right: f32,
}

/// An example as a page holds it: what takes long to make and leans on no other example.
#[derive(Debug)]
pub struct PackedExample {
    id: String,
    tags: BTreeMap<String, String>,
    class: Option<String>,
    /// One a variant.
    codes: Vec<char>,
    json: String,
    /// Requests and responses, as JSON.
    bodies: Option<String>,
}

impl PackedExample {
    /// An example with its trials by so many variants; with requests and responses, if a page still wants them.
    ///
    /// # Errors
    /// When a value cannot be written as JSON: never, for these types.
    pub fn new(
        example: &Example,
        class: Option<String>,
        (trials, variants): (&[TrialView], usize),
        with_bodies: bool,
    ) -> serde_json::Result<Self> {
        let by_variant: Vec<Vec<&TrialView>> =
            (0..variants).map(|variant| trials.iter().filter(|trial| trial.variant == variant).collect()).collect();
        let codes = by_variant.iter().map(|trials| code(trials)).collect();
        let bodies = with_bodies.then(|| bodies(&by_variant)).transpose()?;
        let view = ExampleView {
            id: &example.id.0,
            input: &example.input,
            expected: &example.expected,
            cluster: example.cluster.as_deref(),
            tags: &example.tags,
            trials: by_variant,
        };
        let json = serde_json::to_string(&view)?;
        Ok(Self { id: example.id.0.clone(), tags: example.tags.clone(), class, codes, json, bodies })
    }
}

fn bodies(by_variant: &[Vec<&TrialView>]) -> serde_json::Result<String> {
    let text = |body: &[u8]| {
        let whole = String::from_utf8_lossy(body);
        let (kept, cut) = kept(&whole, MOST_OF_BODY);
        if cut { format!("{kept}\n… (cut)") } else { kept.to_owned() }
    };
    let pair = |trial: &&TrialView| -> [String; 2] { [text(&trial.bodies[0]), text(&trial.bodies[1])] };
    let all: Vec<Vec<[String; 2]>> = by_variant.iter().map(|trials| trials.iter().map(pair).collect()).collect();
    serde_json::to_string(&all)
}

/// An element of the page that is full.
#[derive(Debug)]
pub enum Piece {
    /// Still to be compressed, which leans on no other.
    Open {
        /// Its name.
        id: String,
        /// What it holds.
        json: String,
    },
    /// Compressed.
    Packed {
        /// Its name.
        id: String,
        /// What it holds.
        packed: String,
    },
}

impl Piece {
    /// How much it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Open { json: text, .. } | Self::Packed { packed: text, .. } => text.len(),
        }
    }

    /// The element.
    pub fn render(self) -> String {
        match self {
            Self::Open { id, json } => element(&id, &pack(json.as_bytes())),
            Self::Packed { id, packed } => element(&id, &packed),
        }
    }
}

/// Packs examples one after another; what it returns is to be written at once.
#[derive(Debug)]
pub struct Packer {
    index: Index,
    examples: String,
    bodies: String,
    bodies_left: usize,
}

impl Packer {
    /// A packer; of requests and responses it keeps at most so many bytes, compressed.
    pub fn new(variants: Vec<String>, most_of_bodies: usize) -> Self {
        let codes = vec![String::new(); variants.len()];
        Self {
            index: Index { variants, codes, right: RIGHT, ..Index::default() },
            examples: String::new(),
            bodies: String::new(),
            bodies_left: most_of_bodies,
        }
    }

    /// Whether requests and responses are still wanted.
    pub fn wants_bodies(&self) -> bool {
        self.bodies_left > 0
    }

    /// Takes an example; gives the elements that are full.
    pub fn add(&mut self, example: PackedExample) -> Vec<Piece> {
        let place = self.index.ids.len();
        for (codes, code) in self.index.codes.iter_mut().zip(&example.codes) {
            codes.push(*code);
        }
        self.index.ids.push(example.id);
        for (tag, value) in &example.tags {
            self.tag(tag, value, place, MAX_VALUES);
        }
        // A tag of that name says more than the class, and both cannot have it.
        if let Some(class) = example.class.filter(|_| !example.tags.contains_key(CLASS_TAG)) {
            self.tag(CLASS_TAG, &class, place, MOST_CLASSES);
        }
        let mut full = Vec::new();
        if let Some(bodies) = example.bodies.filter(|_| self.wants_bodies()) {
            if self.bodies.is_empty() {
                self.index.bodies.push(place);
            }
            append(&mut self.bodies, &bodies);
            self.index.with_bodies = place + 1;
            full.extend(self.close_bodies(BODIES_BYTES));
        }
        if self.examples.is_empty() {
            self.index.chunks.push(place);
        }
        append(&mut self.examples, &example.json);
        full.extend(self.close_examples(CHUNK_BYTES));
        full
    }

    fn tag(&mut self, tag: &str, value: &str, place: usize, most: usize) {
        if self.index.dropped.iter().any(|dropped| dropped == tag) {
            return;
        }
        let column = self.index.tags.entry(tag.to_owned()).or_default();
        column.most = most;
        let number = column.values.iter().position(|known| known == value).unwrap_or_else(|| {
            column.values.push(value.to_owned());
            column.values.len() - 1
        });
        if column.values.len() > column.most {
            self.index.tags.remove(tag);
            self.index.dropped.push(tag.to_owned());
            return;
        }
        column.of.resize(place, -1);
        column.of.push(number as i32);
    }

    fn close_examples(&mut self, from: usize) -> Option<Piece> {
        if self.examples.len() < from || self.examples.is_empty() {
            return None;
        }
        let json = std::mem::take(&mut self.examples) + "]";
        Some(Piece::Open { id: format!("chunk-{}", self.index.chunks.len() - 1), json })
    }

    /// Packed at once: how long it is decides whether there is room for more.
    fn close_bodies(&mut self, from: usize) -> Option<Piece> {
        if self.bodies.len() < from || self.bodies.is_empty() {
            return None;
        }
        let packed = pack((std::mem::take(&mut self.bodies) + "]").as_bytes());
        self.bodies_left = self.bodies_left.saturating_sub(packed.len());
        Some(Piece::Packed { id: format!("bodies-{}", self.index.bodies.len() - 1), packed })
    }

    /// The chunks that are left, and the index.
    ///
    /// # Errors
    /// As [`PackedExample::new`].
    pub fn finish(mut self) -> serde_json::Result<Vec<Piece>> {
        let mut left: Vec<Piece> = self.close_bodies(1).into_iter().chain(self.close_examples(1)).collect();
        let examples = self.index.ids.len();
        for column in self.index.tags.values_mut() {
            column.of.resize(examples, -1);
        }
        left.push(Piece::Open { id: "index".to_owned(), json: serde_json::to_string(&self.index)? });
        Ok(left)
    }
}

fn append(list: &mut String, item: &str) {
    list.push(if list.is_empty() { '[' } else { ',' });
    list.push_str(item);
}

/// Compressed as raw DEFLATE (RFC 1951), which browsers decompress by themselves; in base64.
fn pack(bytes: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    // Writing into memory cannot fail.
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

/// An element that holds data and runs nothing.
fn element(id: &str, packed: &str) -> String {
    format!("<script type=\"application/octet-stream\" id=\"{id}\">{packed}</script>\n")
}

#[cfg(test)]
mod tests;
