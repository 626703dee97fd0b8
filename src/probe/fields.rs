//! Extraction: a classifier for each field of the record that has few values; the others say why there is none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Step;
use super::baseline::{Bench, ByClass};
use super::cross::Settings;
use super::features::{Representation, Words};
use super::material::{Labelled, Material};
use super::report::{FieldBaseline, TrainedBaseline};
use crate::suite::{Example, ScorerSpec};

/// A field has classes if it has at most so many values in the pool,
const MOST_VALUES: usize = 30;
/// and on average at least so many rows a value.
const ROWS_A_VALUE: usize = 4;
/// Fields of a record that are looked at.
const MOST_FIELDS: usize = 200;

static ABSENT: Value = Value::Null;

/// What stands at a pointer in the rows.
#[derive(Default)]
struct Field {
    values: BTreeMap<String, u64>,
    is_list: bool,
}

/// The row of an extraction: fields, and no whole record.
pub(super) fn extraction(
    material: &Material<'_>,
    primary: &ScorerSpec,
    settings: &Settings,
    step: &mut dyn FnMut(Step),
) -> TrainedBaseline {
    let fields = found(material, primary);
    let labelled = Labelled::of(material, |row| Some(at(row, primary, "")));
    let words = Words::new(labelled.texts().iter().map(String::as_str));
    let of = fields.len() as u64;
    let measured = fields.iter().zip(1..).map(|((pointer, field), done)| {
        step(Step { what: "words: fields".to_owned(), done, of });
        let row = |why: Option<String>| FieldBaseline {
            field: pointer.clone(),
            not_applicable: why,
            values: field.values.len() as u64,
            accuracy: None,
            majority: None,
            cross_validated: None,
        };
        match unfit(field, material.pool.len()) {
            Some(why) => row(Some(why)),
            None => one(material, primary, (pointer, &words), settings, row(None)),
        }
    });
    let fields: Vec<FieldBaseline> = measured.collect();
    let why =
        "a whole record is no class: its fields are below, each by a classifier of its own where it has few values";
    let training_examples = material.pool.len() as u64;
    TrainedBaseline { fields, training_examples, ..TrainedBaseline::absent("words", None, why) }
}

fn one(
    material: &Material<'_>,
    primary: &ScorerSpec,
    (pointer, words): (&str, &dyn Representation),
    settings: &Settings,
    row: FieldBaseline,
) -> FieldBaseline {
    let labelled = Labelled::of(material, |example| Some(at(example, primary, pointer)));
    let statistics = material.suite.statistics;
    let bench = Bench { labelled: &labelled, representation: words, judge: &ByClass, settings, statistics };
    match bench.reach() {
        Ok(reached) => FieldBaseline {
            accuracy: Some(reached.accuracy),
            majority: Some(reached.majority),
            cross_validated: Some(reached.cross_validated),
            ..row
        },
        Err(why) => FieldBaseline { not_applicable: Some(why.to_string()), ..row },
    }
}

fn at<'a>(example: &'a Example, primary: &ScorerSpec, pointer: &str) -> &'a Value {
    example.expected.pointer(&primary.expected_at).and_then(|record| record.pointer(pointer)).unwrap_or(&ABSENT)
}

/// Why a field has no classes; `None` where it has.
fn unfit(field: &Field, rows: usize) -> Option<String> {
    let values = field.values.len();
    if field.is_list {
        return Some("a list has no classes".to_owned());
    }
    if values < 2 {
        return Some("all pool rows have the same value".to_owned());
    }
    let few = values <= MOST_VALUES && values * ROWS_A_VALUE <= rows;
    (!few).then(|| {
        format!(
            "{values} different values in {rows} pool rows: classes are at most {MOST_VALUES}, with {ROWS_A_VALUE} rows \
             each on average"
        )
    })
}

/// The fields of the pool's records, by pointer, in the order in which they first come.
fn found(material: &Material<'_>, primary: &ScorerSpec) -> Vec<(String, Field)> {
    let mut order: Vec<String> = Vec::new();
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    for row in &material.pool {
        let Some(record) = row.expected.pointer(&primary.expected_at) else { continue };
        walk(record, String::new(), &mut |pointer, value| {
            if !fields.contains_key(&pointer) {
                if order.len() == MOST_FIELDS {
                    return;
                }
                order.push(pointer.clone());
            }
            let field = fields.entry(pointer).or_default();
            match value {
                Value::Array(_) => field.is_list = true,
                value => *field.values.entry(value.to_string()).or_default() += 1,
            }
        });
    }
    let rows = material.pool.len() as u64;
    let with_absent = |pointer: String| {
        let mut field = fields.remove(&pointer)?;
        let seen: u64 = field.values.values().sum();
        if !field.is_list && seen < rows {
            field.values.entry(ABSENT.to_string()).or_default();
        }
        Some((pointer, field))
    };
    order.into_iter().filter_map(with_absent).collect()
}

fn walk(value: &Value, pointer: String, each: &mut dyn FnMut(String, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                walk(field, format!("{pointer}/{escaped}"), each);
            }
        }
        other => each(pointer, other),
    }
}
