//! Few-shot examples from the pool: fixed, random, balanced, similar. Deterministic for a seed.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use serde_json::Value;

use super::PromptError;
use crate::digest::Digest;
use crate::exchange::Message;
use crate::suite::Example;
use crate::suite::near::Grams;
use crate::variant::{Select, Shots};

/// A shot: the user's turn and the assistant's.
type Shot = [Message; 2];

/// Where a variant's shots come from.
pub(super) enum ShotSource {
    /// No shots.
    None,
    /// The same for every example, but for those that are all but the same as one of them.
    Same {
        /// The chosen ones.
        rows: Vec<Row>,
        /// Those that step in, in order.
        spare: Vec<Row>,
    },
    /// By likeness to the example.
    Similar { k: usize, rows: Vec<Row>, index: Box<bm25::SearchEngine<u32, u32, Words>> },
}

impl std::fmt::Debug for ShotSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Same { .. } => "Same",
            Self::Similar { .. } => "Similar",
        })
    }
}

/// A pool row, rendered.
pub(super) struct Row {
    id: String,
    key: String,
    class: String,
    grams: Grams,
    shot: Shot,
}

impl Row {
    fn new(row: &Example, render: &dyn Fn(&Example) -> Result<Shot, PromptError>) -> Result<Self, PromptError> {
        Ok(Self {
            id: row.id.0.clone(),
            key: plain(&row.input),
            class: row.expected.to_string(),
            grams: Grams::of(&row.input),
            shot: render(row)?,
        })
    }

    /// Whether it would show the model the example itself.
    fn gives_away(&self, example: &Example, key: &str, grams: &Grams) -> bool {
        self.key == key || self.id == example.id.0 || self.grams.is_near(grams)
    }
}

/// Rows beside the chosen ones that are kept to step in.
const SPARE: usize = 16;

impl ShotSource {
    /// Chooses once what does not depend on the example. `render` makes a pool row's two turns.
    pub(super) fn choose(
        shots: Shots,
        pool: &[Example],
        render: &dyn Fn(&Example) -> Result<Shot, PromptError>,
    ) -> Result<Self, PromptError> {
        let k = shots.k as usize;
        let rows = chosen_from(shots, pool).into_iter().map(|row| Row::new(row, render));
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        if shots.select == Select::Similar {
            let documents =
                rows.iter().enumerate().map(|(index, row)| bm25::Document::new(index as u32, row.key.clone()));
            let index = bm25::SearchEngineBuilder::with_tokenizer_and_documents(Words, documents.collect::<Vec<_>>());
            return Ok(Self::Similar { k, rows, index: Box::new(index.build()) });
        }
        let spare = rows.split_off(k.min(rows.len()));
        Ok(Self::Same { rows, spare })
    }

    /// Adds the example's shots to the conversation; how many of its messages are now the same for
    /// every example.
    pub(super) fn append(&self, example: &Example, messages: &mut Vec<Message>) -> usize {
        let before = messages.len();
        match self {
            Self::None => before,
            Self::Same { rows, spare } => {
                let (key, grams) = (plain(&example.input), Grams::of(&example.input));
                let given_away = |row: &&Row| row.gives_away(example, &key, &grams);
                let mut spare: Vec<&Row> = spare.iter().filter(|row| !given_away(row)).collect();
                let mut stable = None;
                for row in rows {
                    if !given_away(&row) {
                        messages.extend(row.shot.iter().cloned());
                        continue;
                    }
                    stable.get_or_insert(messages.len());
                    let alike = spare.iter().position(|other| other.class == row.class).unwrap_or(0);
                    if alike < spare.len() {
                        messages.extend(spare.remove(alike).shot.iter().cloned());
                    }
                }
                stable.unwrap_or(messages.len())
            }
            Self::Similar { k, rows, index } => {
                // The likest stands last, next to the example.
                let nearest = nearest(index, rows, example, *k);
                messages.extend(nearest.into_iter().rev().flat_map(|row| row.shot.iter().cloned()));
                before
            }
        }
    }
}

/// The rows that a variant's shots are chosen from, in order. The first of them with
/// [`Select::Fixed`] are the same shots again, but for `similar`, which weighs words by the whole pool.
pub fn chosen_from(shots: Shots, pool: &[Example]) -> Vec<&Example> {
    let most = shots.k as usize + SPARE;
    match shots.select {
        Select::Fixed => pool.iter().take(most).collect(),
        Select::Random => by_lot(pool, shots.seed).into_iter().take(most).collect(),
        Select::Balanced => balanced(pool, most, shots.seed),
        Select::Similar => pool.iter().collect(),
    }
}

/// The k rows with the most in common, likest first, the example itself and its near-duplicates
/// left out; filled up in pool order where fewer share a word.
fn nearest<'a>(
    index: &bm25::SearchEngine<u32, u32, Words>,
    rows: &'a [Row],
    example: &Example,
    k: usize,
) -> Vec<&'a Row> {
    let (key, grams) = (plain(&example.input), Grams::of(&example.input));
    let other = |row: &&Row| !row.gives_away(example, &key, &grams);
    let mut hits = index.search(&key, None);
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.id.cmp(&b.document.id)));
    let found: Vec<u32> = hits.iter().map(|hit| hit.document.id).collect();
    let rest = (0..rows.len() as u32).filter(|id| !found.contains(id));
    found.iter().copied().chain(rest).filter_map(|id| rows.get(id as usize)).filter(other).take(k).collect()
}

/// The rows in an order that only the seed and their ids decide.
fn by_lot(rows: &[Example], seed: u64) -> Vec<&Example> {
    let mut rows: Vec<&Example> = rows.iter().collect();
    rows.sort_by_cached_key(|row| Digest::of_parts([seed.to_le_bytes().as_slice(), row.id.0.as_bytes()]));
    rows
}

/// As equal a number from each class as k allows, classes and rows by lot.
fn balanced(pool: &[Example], k: usize, seed: u64) -> Vec<&Example> {
    let mut classes: BTreeMap<String, VecDeque<&Example>> = BTreeMap::new();
    let drawn = by_lot(pool, seed);
    let mut order: Vec<String> = Vec::new();
    for row in drawn {
        let class = row.expected.to_string();
        let rows = classes.entry(class.clone()).or_insert_with(|| {
            order.push(class);
            VecDeque::new()
        });
        rows.push_back(row);
    }
    let mut chosen = Vec::with_capacity(k);
    while chosen.len() < k.min(pool.len()) {
        for class in &order {
            if chosen.len() < k
                && let Some(row) = classes.get_mut(class).and_then(VecDeque::pop_front)
            {
                chosen.push(row);
            }
        }
    }
    chosen
}

/// The input's words in lower case, one space between: twins differ only in case, space and
/// punctuation.
fn plain(input: &Value) -> String {
    let text = match input {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    words(&text).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Splits at everything that is neither letter nor digit, in any language.
pub(super) struct Words;

impl bm25::Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        words(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Role;
    use crate::suite::ExampleId;
    use serde_json::json;

    fn row(id: &str, input: &str, class: &str) -> Example {
        Example {
            id: ExampleId(id.into()),
            input: json!(input),
            expected: json!({"c": class}),
            cluster: None,
            tags: BTreeMap::new(),
            documents: Vec::new(),
        }
    }

    fn pool() -> Vec<Example> {
        vec![
            row("p1", "the dog barks", "a"),
            row("p2", "a cat sleeps on the mat", "b"),
            row("p3", "dogs and cats", "a"),
            row("p4", "stock prices fell", "c"),
            row("p5", "the cat sleeps", "b"),
        ]
    }

    fn inputs(select: Select, k: u32, example: &Example) -> Vec<String> {
        drawn(&pool(), select, k, example)
    }

    fn drawn(pool: &[Example], select: Select, k: u32, example: &Example) -> Vec<String> {
        let render = |row: &Example| {
            Ok([
                Message { role: Role::User, content: row.input.as_str().unwrap().to_owned() },
                Message { role: Role::Assistant, content: row.expected.to_string() },
            ])
        };
        let source = ShotSource::choose(Shots { k, select, seed: 7 }, pool, &render).unwrap();
        let mut messages = Vec::new();
        source.append(example, &mut messages);
        messages.iter().step_by(2).map(|message| message.content.clone()).collect()
    }

    #[test]
    fn fixed_takes_the_first_rows() {
        assert_eq!(inputs(Select::Fixed, 2, &row("t", "x", "a")), ["the dog barks", "a cat sleeps on the mat"]);
    }

    #[test]
    fn random_and_balanced_do_not_change_between_runs() {
        let example = row("t", "x", "a");
        assert_eq!(inputs(Select::Random, 3, &example), inputs(Select::Random, 3, &example));
        let balanced = inputs(Select::Balanced, 3, &example);
        let pool = pool();
        let classes: std::collections::BTreeSet<_> = balanced
            .iter()
            .map(|input| pool.iter().find(|row| row.input == json!(input)).unwrap().expected.to_string())
            .collect();
        assert_eq!(classes.len(), 3, "one of each class: {balanced:?}");
    }

    #[test]
    fn what_shots_are_chosen_from_gives_the_same_shots_again() {
        let (pool, example) = (pool(), row("t", "A cat sleeps on the mat!", "b"));
        for select in [Select::Fixed, Select::Random, Select::Balanced, Select::Similar] {
            let kept: Vec<Example> = chosen_from(Shots { k: 3, select, seed: 7 }, &pool).into_iter().cloned().collect();
            let again = if select == Select::Similar { select } else { Select::Fixed };
            assert_eq!(drawn(&kept, again, 3, &example), drawn(&pool, select, 3, &example), "{select:?}");
        }
    }

    #[test]
    fn a_shot_that_gives_the_example_away_is_replaced() {
        let example = row("t", "A cat sleeps on the mat!", "b");
        // The second row is the example's twin; the next of its class steps in, before others.
        assert_eq!(inputs(Select::Fixed, 2, &example), ["the dog barks", "the cat sleeps"]);
        let near = row("t", "a cat sleeps on the mats", "b");
        assert_eq!(inputs(Select::Fixed, 2, &near), ["the dog barks", "the cat sleeps"]);
        assert!(!inputs(Select::Similar, 4, &near).contains(&"a cat sleeps on the mat".to_owned()));
        let mut messages = Vec::new();
        let render = |row: &Example| Ok([0, 1].map(|_| Message { role: Role::User, content: row.input.to_string() }));
        let shots = Shots { k: 2, select: Select::Fixed, seed: 7 };
        let source = ShotSource::choose(shots, &pool(), &render).unwrap();
        assert_eq!(source.append(&example, &mut messages), 2, "the prefix is the same up to the first shot");
    }

    #[test]
    fn similar_puts_the_likest_last_and_leaves_out_twins() {
        let shots = inputs(Select::Similar, 2, &row("t", "The cat sleeps!", "b"));
        assert_eq!(shots.last().unwrap(), "a cat sleeps on the mat");
        assert!(!shots.contains(&"the cat sleeps".to_owned()), "a twin of the example is never a shot");
        assert_eq!(inputs(Select::Similar, 4, &row("t", "zebra", "b")).len(), 4);
    }
}
