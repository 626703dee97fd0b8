//! What right answers are: labels, numbers, records, lists or texts; and how answers are judged.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use super::Judged;
use super::schema::schema_of;
use crate::suite::Task;

/// Most labels of a classification.
const MOST_LABELS: usize = 300;

/// Longest label, in characters.
const LONGEST_LABEL: usize = 80;

/// Integers up to which a column that is named like a label is one.
const MOST_NUMBERED: usize = 12;

/// How one scorer looks at answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scorer {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Where it looks; empty is the whole answer.
    pub at: String,
    /// Further keys, as they stand in the file.
    pub options: &'static str,
}

/// What was concluded from the right answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The task.
    pub task: Task,
    /// In words: `6 labels`, `numbers`.
    pub said: String,
    /// How often each label comes up, the commonest first.
    pub labels: Vec<(String, usize)>,
    /// The scorers, the one that "accuracy" means first.
    pub scorers: Vec<Scorer>,
    /// The schema of a right answer; none where the answer is a text.
    pub schema: Option<Value>,
    /// An answer as it may look, for the prompt.
    pub example: Option<Value>,
    /// Tokens that an answer may take.
    pub max_tokens: u32,
    /// What the user should know of it.
    pub notes: Vec<String>,
}

/// What the data or the user says beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The column.
    pub column: &'a str,
    /// The task that the user names.
    pub task: Option<Task>,
    /// How the file judges.
    pub judged: Option<Judged>,
    /// The schema that the file has.
    pub schema: Option<&'a Value>,
}

/// The right answers in the suite's form (`None` where one does not fit the others, with the reason),
/// and what they are.
///
/// # Errors
/// They cannot be answers of the task that the user names.
pub fn conclude(raw: &[Value], hints: Hints<'_>) -> Result<(Vec<Result<Value, String>>, Answer), String> {
    if let Some(judged) = hints.judged.filter(|judged| *judged != Judged::Equals) {
        return Ok((raw.iter().map(|value| Ok(Value::from(plain(value)))).collect(), judged_text(judged)));
    }
    let values = containers(raw);
    let most = majority(&values);
    let fits: Vec<bool> = values.iter().map(|value| form(value) == most).collect();
    let kept: Vec<&Value> = values.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(value, _)| value).collect();
    let (field, inner) = unwrapped(&kept);
    let (mut done, answer): (Vec<Value>, Answer) = match most {
        Form::Scalar => scalars(&inner, field.as_deref(), hints)?,
        Form::Object if field.is_some() => scalars(&inner, field.as_deref(), hints)?,
        Form::Object | Form::List if matches!(hints.task, Some(Task::Classification)) => {
            return Err("the answers are records or lists, and a classification has labels".to_owned());
        }
        Form::Object => (kept.iter().map(|value| (*value).clone()).collect(), records(&kept, hints)),
        Form::List => lists(&kept),
    };
    done.reverse();
    let other = || Err(format!("its answer is {}, and most are {}", other_form(most), most.said()));
    let settled = fits.iter().map(|fits| if *fits { done.pop().ok_or_else(String::new) } else { other() }).collect();
    Ok((settled, answer))
}

/// What an answer is at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Scalar,
    List,
    Object,
}

impl Form {
    fn said(self) -> &'static str {
        match self {
            Self::Scalar => "texts or numbers",
            Self::List => "lists",
            Self::Object => "objects",
        }
    }
}

fn other_form(most: Form) -> &'static str {
    if most == Form::Scalar { "an object or a list" } else { "of another form" }
}

fn form(value: &Value) -> Form {
    match value {
        Value::Array(_) => Form::List,
        Value::Object(_) => Form::Object,
        _ => Form::Scalar,
    }
}

fn majority(values: &[Value]) -> Form {
    let count = |wanted: Form| values.iter().filter(|value| form(value) == wanted).count();
    // Of equals the plainest.
    [Form::Object, Form::List, Form::Scalar].into_iter().max_by_key(|form| count(*form)).unwrap_or(Form::Scalar)
}

/// Texts that are JSON objects or lists as these, where most are.
fn containers(raw: &[Value]) -> Vec<Value> {
    let parsed = |value: &Value| match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array())
        }
        Value::Object(_) | Value::Array(_) => Some(value.clone()),
        _ => None,
    };
    let all: Vec<Option<Value>> = raw.iter().map(parsed).collect();
    if all.iter().flatten().count() * 2 > raw.len() {
        all.into_iter().zip(raw).map(|(parsed, raw)| parsed.unwrap_or_else(|| raw.clone())).collect()
    } else {
        raw.to_vec()
    }
}

/// Objects of one field, the same in all, stand for what is in the field.
fn unwrapped(values: &[&Value]) -> (Option<String>, Vec<Value>) {
    let only = |value: &Value| match value {
        Value::Object(fields) if fields.len() == 1 => {
            fields.iter().next().filter(|(_, inner)| form(inner) == Form::Scalar).map(|(name, _)| name.clone())
        }
        _ => None,
    };
    let field = values.first().and_then(|value| only(value));
    match field {
        Some(field) if values.iter().all(|value| only(value).as_ref() == Some(&field)) => {
            (Some(field.clone()), values.iter().map(|value| value[field.as_str()].clone()).collect())
        }
        _ => (None, values.iter().map(|value| (*value).clone()).collect()),
    }
}

/// A scalar as text, as a label would be written.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A scalar as the number that it is.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<i64>().ok().map(Number::from);
            whole.or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()).and_then(Number::from_f64))
        }
        _ => None,
    }
}

/// Names of columns that hold a class.
const LABEL_NAMES: [&str; 14] = [
    "label",
    "labels",
    "class",
    "category",
    "intent",
    "sentiment",
    "topic",
    "queue",
    "team",
    "tag",
    "type",
    "target",
    "gold",
    "y",
];

fn scalars(values: &[Value], field: Option<&str>, hints: Hints<'_>) -> Result<(Vec<Value>, Answer), String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(plain(value)).or_default() += 1;
    }
    let numbers: Vec<Option<Number>> = values.iter().map(number).collect();
    let numeric = numbers.iter().all(Option::is_some);
    let named = LABEL_NAMES.contains(&field.unwrap_or(hints.column).to_lowercase().as_str());
    let repeated = if named { 2 * values.len() >= 3 * counts.len() } else { values.len() >= 3 * counts.len() };
    let short = counts.keys().all(|label| label.chars().count() <= LONGEST_LABEL && !label.contains('\n'));
    let classes = short && repeated && counts.len() >= 2 && counts.len() <= MOST_LABELS;
    let is_labels = match hints.task {
        Some(Task::Classification) => true,
        Some(Task::Generation | Task::Extraction) => false,
        None if numeric => classes && named && counts.len() <= MOST_NUMBERED,
        None => classes,
    };
    if is_labels && !short {
        return Err(format!("a label is longer than {LONGEST_LABEL} characters, so these are no labels"));
    }
    if is_labels {
        let field = field.unwrap_or("label").to_owned();
        let wrapped = values.iter().map(|value| wrap(&field, Value::from(plain(value)))).collect();
        return Ok((wrapped, labels(&field, counts)));
    }
    if numeric {
        let field = field.unwrap_or("answer").to_owned();
        let wrapped = numbers.into_iter().flatten().map(|number| wrap(&field, Value::Number(number))).collect();
        return Ok((wrapped, numeric_answer(&field)));
    }
    if hints.task == Some(Task::Extraction) {
        return Err("the answers are plain texts, and an extraction has records or lists".to_owned());
    }
    match field {
        // A record of one text stays what it is.
        Some(field) => {
            let wrapped: Vec<Value> = values.iter().map(|value| wrap(field, value.clone())).collect();
            let answer = records(&wrapped.iter().collect::<Vec<_>>(), hints);
            Ok((wrapped, answer))
        }
        None => {
            let mut answer = match hints.judged {
                Some(judged) => judged_text(judged),
                None => text(&counts),
            };
            if named && values.len() > 1 {
                answer.notes.push(format!(
                    "the answers are {} different texts in {} rows, so they were not taken as labels; --task classification says that they are",
                    counts.len(),
                    values.len()
                ));
            }
            Ok((values.iter().map(|value| Value::from(plain(value))).collect(), answer))
        }
    }
}

fn wrap(field: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(field.to_owned(), value)]))
}

/// The object with one required field.
fn closed(field: &str, inner: Value) -> Value {
    json!({"type": "object", "properties": wrap(field, inner), "required": [field], "additionalProperties": false})
}

/// A JSON Pointer to a field.
fn pointer(field: &str) -> String {
    format!("/{}", field.replace('~', "~0").replace('/', "~1"))
}

fn labels(field: &str, counts: BTreeMap<String, usize>) -> Answer {
    let names: Vec<&String> = counts.keys().collect();
    let schema = closed(field, json!({"type": "string", "enum": names}));
    let example = names.last().map(|last| wrap(field, json!(last)));
    let rare = counts.values().filter(|count| **count < 5).count();
    let mut notes = Vec::new();
    if rare > 0 {
        notes.push(format!("{rare} of the labels have fewer than 5 examples: little can be said of them"));
    }
    notes.extend(doubtful(&counts));
    let mut labels: Vec<(String, usize)> = counts.into_iter().collect();
    labels.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    Answer {
        task: Task::Classification,
        said: format!("{} labels", labels.len()),
        labels,
        scorers: vec![Scorer { name: "label", kind: "exact", at: pointer(field), options: "" }],
        schema: Some(schema),
        example,
        max_tokens: 64,
        notes,
    }
}

/// What about the labels themselves looks wrong.
fn doubtful(counts: &BTreeMap<String, usize>) -> Vec<String> {
    let mut notes = Vec::new();
    if counts.keys().all(|label| label.parse::<f64>().is_ok()) {
        notes.push("the labels are numbers: write in the prompt what each stands for, or no model can know".to_owned());
    }
    let mut small: BTreeMap<String, &str> = BTreeMap::new();
    let same = |label: &str| label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let twice = counts.keys().find_map(|label| Some((small.insert(same(label), label)?, label)));
    if let Some((one, other)) = twice {
        notes.push(format!("`{one}` and `{other}` are two labels that differ in case or spaces alone: are they one?"));
    }
    for mark in [";", "|", ","] {
        let joined: Vec<&String> = counts.keys().filter(|label| label.contains(mark)).collect();
        let parts = |label: &str| label.split(mark).map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        let again = |label: &&&String| parts(label).iter().filter(|part| counts.contains_key(*part)).count() > 0;
        if joined.len() > 1 && 2 * joined.iter().filter(again).count() > joined.len() {
            notes.push(format!(
                "labels such as `{}` look like several joined by `{mark}`: as a JSON list (`[\"a\", \"b\"]`) each counts for itself",
                joined[0]
            ));
            break;
        }
    }
    notes
}

fn numeric_answer(field: &str) -> Answer {
    Answer {
        task: Task::Generation,
        said: "numbers".to_owned(),
        labels: Vec::new(),
        scorers: vec![Scorer { name: "number", kind: "numeric", at: pointer(field), options: "absolute = 0.000001" }],
        schema: Some(closed(field, json!({"type": "number"}))),
        example: Some(wrap(field, json!(0))),
        max_tokens: 512,
        notes: Vec::new(),
    }
}

fn records(values: &[&Value], hints: Hints<'_>) -> Answer {
    let schema = hints.schema.cloned().unwrap_or_else(|| schema_of(values));
    let has_lists = schema.to_string().contains("\"array\"");
    Answer {
        task: hints.task.unwrap_or(Task::Extraction),
        said: "JSON objects".to_owned(),
        labels: Vec::new(),
        scorers: vec![
            Scorer {
                name: "fields",
                kind: "field-f1",
                at: String::new(),
                options: if has_lists { "match = \"best\"" } else { "" },
            },
            Scorer { name: "whole", kind: "exact", at: String::new(), options: "" },
        ],
        schema: Some(schema),
        example: None,
        max_tokens: 1024,
        notes: vec!["schema.json holds what the data shows: widen it where the product may answer more".to_owned()],
    }
}

/// A list at the top is put into a field: providers want an object there.
fn lists(values: &[&Value]) -> (Vec<Value>, Answer) {
    let plain = values.iter().filter_map(|value| value.as_array()).flatten().all(|item| form(item) == Form::Scalar);
    let wrapped: Vec<Value> = values.iter().map(|value| wrap("items", (*value).clone())).collect();
    let scorer = if plain {
        Scorer { name: "items", kind: "set-f1", at: "/items".to_owned(), options: "" }
    } else {
        Scorer { name: "items", kind: "field-f1", at: "/items".to_owned(), options: "match = \"best\"" }
    };
    let answer = Answer {
        task: Task::Extraction,
        said: "lists".to_owned(),
        labels: Vec::new(),
        scorers: vec![scorer],
        schema: Some(schema_of(&wrapped.iter().collect::<Vec<_>>())),
        example: Some(json!({"items": []})),
        max_tokens: 1024,
        notes: vec!["a list at the top became {\"items\": […]}: providers want an object there".to_owned()],
    };
    (wrapped, answer)
}

/// Free text: short ones are compared as they stand, long ones by the words they share.
fn text(counts: &BTreeMap<String, usize>) -> Answer {
    let letters: usize = counts.iter().map(|(text, times)| text.chars().count() * times).sum();
    let short = letters <= 40 * counts.values().sum::<usize>();
    let (scorer, note) = if short {
        let normalise = "normalise = [\"case\", \"whitespace\", \"punctuation\"]";
        (Scorer { name: "text", kind: "exact", at: String::new(), options: normalise }, None)
    } else {
        let scorer = Scorer { name: "words", kind: "similarity", at: String::new(), options: "match = \"token-f1\"" };
        (scorer, Some("shared words are a poor judge of free text: a `command` scorer of your own judges better"))
    };
    Answer { notes: note.map(str::to_owned).into_iter().collect(), ..free(scorer) }
}

fn free(scorer: Scorer) -> Answer {
    Answer {
        task: Task::Generation,
        said: "texts".to_owned(),
        labels: Vec::new(),
        scorers: vec![scorer],
        schema: None,
        example: None,
        max_tokens: 1024,
        notes: Vec::new(),
    }
}

fn judged_text(judged: Judged) -> Answer {
    let (kind, options, said) = match judged {
        Judged::Equals => ("exact", "", "texts"),
        Judged::Contains => ("contains", "", "texts that the answer must contain"),
        Judged::ContainsAnyCase => ("contains", "normalise = [\"case\"]", "texts that the answer must contain"),
        Judged::Regex => ("regex", "", "patterns that the answer must match"),
    };
    Answer { said: said.to_owned(), ..free(Scorer { name: "text", kind, at: String::new(), options }) }
}
