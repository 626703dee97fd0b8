//! Outcomes by example, so that variants are compared on the same ones.

use std::collections::BTreeMap;

use serde_json::Value;

/// Outcomes of one variant; one that stands twice or is no score is a fault in words.
pub(super) struct Outcomes {
    pub(super) rows: Vec<Outcome>,
}

/// One example's outcome.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) score: Option<f32>,
    pub(super) valid: Option<f32>,
    pub(super) cluster: Option<String>,
}

impl Outcomes {
    /// A list of scores (true and false, or 0 to 1) in the same order for every variant, or of tables
    /// `{id, score, valid, cluster}`.
    ///
    /// # Errors
    /// What is wrong with which entry.
    pub(super) fn read(list: &Value) -> Result<Self, String> {
        let Some(list) = list.as_array() else {
            return Err("expected a list of scores, or of tables with `id` and `score`".to_owned());
        };
        let rows: Result<Vec<Outcome>, String> =
            list.iter().enumerate().map(|(place, entry)| outcome(place + 1, entry)).collect();
        let rows = rows?;
        let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("the id `{}` stands twice", crate::text::one_line(pair[0], 80))),
            None => Ok(Self { rows }),
        }
    }
}

fn outcome(number: usize, entry: &Value) -> Result<Outcome, String> {
    let fault = |what: &str| format!("entry {number}: {what}");
    let Some(fields) = entry.as_object() else {
        let score = score(entry).ok_or_else(|| fault("a score is true, false, or a number from 0 to 1"))?;
        return Ok(Outcome { id: format!("#{number}"), score: Some(score), valid: None, cluster: None });
    };
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        let near = crate::text::nearest(unknown, KNOWN.iter().copied());
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(fault(&format!("unknown key `{}`{hint}", crate::text::one_line(unknown, 80))));
    }
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = fields.get("id").and_then(text).ok_or_else(|| fault("`id` is missing"))?;
    let share = |key: &str| match fields.get(key) {
        None => Ok(None),
        Some(value) => {
            score(value).map(Some).ok_or_else(|| fault(&format!("`{key}` is true, false, or a number from 0 to 1")))
        }
    };
    // One of another type must not pass for none: the example would count by itself.
    let cluster =
        fields.get("cluster").map(|value| text(value).ok_or_else(|| fault("`cluster` is a text or a number")));
    Ok(Outcome { id, score: share("score")?, valid: share("valid")?, cluster: cluster.transpose()? })
}

const KNOWN: [&str; 4] = ["id", "score", "valid", "cluster"];

fn score(value: &Value) -> Option<f32> {
    let number = match value {
        Value::Bool(right) => f64::from(u8::from(*right)),
        value => value.as_f64()?,
    };
    (0.0..=1.0).contains(&number).then_some(number as f32)
}

/// The examples of all variants, each with its place and cluster.
#[derive(Default)]
pub(super) struct Examples {
    places: BTreeMap<String, usize>,
    clusters: Vec<Option<String>>,
}

impl Examples {
    /// Makes the outcomes' examples known.
    pub(super) fn add(&mut self, outcomes: &Outcomes) {
        for row in &outcomes.rows {
            let next = self.clusters.len();
            let place = *self.places.entry(row.id.clone()).or_insert(next);
            if place == next {
                self.clusters.push(None);
            }
            if self.clusters[place].is_none() {
                self.clusters[place].clone_from(&row.cluster);
            }
        }
    }

    /// A figure by example, in the order of the examples.
    pub(super) fn vector(&self, outcomes: &Outcomes, of: impl Fn(&Outcome) -> Option<f32>) -> Vec<Option<f32>> {
        let mut vector = vec![None; self.clusters.len()];
        for row in &outcomes.rows {
            if let Some(&place) = self.places.get(&row.id) {
                vector[place] = of(row);
            }
        }
        vector
    }

    /// Each example's cluster as a number; an example without one is its own.
    pub(super) fn clusters(&self) -> Vec<u32> {
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut next = 0;
        self.clusters
            .iter()
            .map(|cluster| {
                let fresh = next;
                let number = match cluster {
                    Some(name) => *numbers.entry(name).or_insert(fresh),
                    None => fresh,
                };
                next += u32::from(number == fresh);
                number
            })
            .collect()
    }

    /// Whether some cluster holds several examples.
    pub(super) fn is_clustered(&self) -> bool {
        let numbers = self.clusters();
        let distinct = numbers.iter().max().map_or(0, |most| *most as usize + 1);
        distinct < numbers.len()
    }
}
