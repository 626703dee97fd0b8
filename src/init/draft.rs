//! From a table to a draft: examples with ids, clusters and slices, the answers in one form, the
//! split, and everything that was concluded on the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::answer::{self, Answer, Hints, plain};
use super::columns::{self, Profiles};
use super::split::{self, Item, Side, Split};
use super::{CarriedPrompt, Judged, LeftOut, Record, Roles, Table};
use crate::init::format::Format;
use crate::suite::leakage::{normalise, text_of};
use crate::suite::{Prompt, Task};
use crate::text::one_line;

/// What the user says beforehand.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Columns.
    pub roles: Roles,
    /// The task.
    pub task: Option<Task>,
    /// The pool's share of the rows.
    pub pool_share: Option<f64>,
    /// Of the split.
    pub seed: u64,
}

/// An example of the new suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file that was read.
    pub line: u32,
    /// Its id.
    pub id: String,
    /// What is asked.
    pub input: Value,
    /// The right answer.
    pub expected: Value,
    /// What it belongs to.
    pub cluster: Option<String>,
    /// Its slices.
    pub tags: BTreeMap<String, String>,
}

/// A suite, before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// What the file was.
    pub format: Format,
    /// More of its form.
    pub detail: String,
    /// Which column became what.
    pub roles: Roles,
    /// Columns that became nothing.
    pub unused: Vec<String>,
    /// What the answers are.
    pub answer: Answer,
    /// The examples.
    pub rows: Vec<Row>,
    /// Where each went.
    pub split: Split,
    /// The seed of that.
    pub seed: u64,
    /// Rows that became no example.
    pub left_out: Vec<LeftOut>,
    /// What was not carried over, and what the user should know.
    pub notes: Vec<String>,
    /// Prompts that the file had.
    pub prompts: Vec<CarriedPrompt>,
}

/// Why there is no draft, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

fn refuse<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), hint: hint.into() })
}

/// Which column is what: what the user says, the format's own, and the rest by name and content.
///
/// # Errors
/// A column that is not there, or none that could be the input or the answer.
pub fn roles(table: &Table, profiles: &Profiles, said: &Roles) -> Result<Roles, Refusal> {
    let mut named =
        said.input.iter().chain(&said.tags).chain([&said.expected, &said.id, &said.cluster].into_iter().flatten());
    if let Some(name) = named.find(|name| !profiles.has(name)) {
        let near = crate::text::nearest(name, profiles.names());
        let hint = near.map_or_else(|| listed(profiles), |near| format!("did you mean `{near}`?"));
        return refuse(format!("there is no column `{}`", one_line(name, 80)), hint);
    }
    let roles = columns::roles(profiles, &table.roles, said);
    if roles.input.is_empty() {
        return refuse(
            "no column could be told to be the input",
            format!("--input COLUMN names it; {}", listed(profiles)),
        );
    }
    Ok(roles)
}

fn listed(profiles: &Profiles) -> String {
    let names: Vec<String> = profiles.names().take(20).map(|name| format!("`{}`", one_line(name, 60))).collect();
    format!("the columns are {}", names.join(", "))
}

/// Drafts a suite of a table.
///
/// # Errors
/// Columns that are not there or cannot be told, ids that stand twice, answers that do not fit the
/// task, or too few rows.
pub fn draft(mut table: Table, name: &str, wishes: &Wishes, profiles: &Profiles) -> Result<Draft, Refusal> {
    let roles = roles(&table, profiles, &wishes.roles)?;
    let Some(expected) = roles.expected.clone() else {
        return refuse(
            "no column could be told to be the right answer",
            format!("--expected COLUMN names it; {}", listed(profiles)),
        );
    };
    let records = std::mem::take(&mut table.records);
    // Prompts that came along name the fields of the input.
    let named = table.format == Format::Promptfoo && !table.prompts.is_empty() && roles.input != ["input"];
    let (mut kept, mut raw) = (Vec::new(), Vec::new());
    for (number, record) in records.into_iter().enumerate() {
        let right = record.fields.get(&expected).filter(|right| !is_empty(right)).cloned();
        match (input_of(&record, &roles.input, named), right) {
            (Some(input), Some(right)) => {
                kept.push((number, record, input));
                raw.push(right);
            }
            (None, _) => table.leave_out(record.line, "it has no input", Value::Object(record.fields)),
            (_, None) => {
                table.leave_out(record.line, format!("it has no answer in `{expected}`"), Value::Object(record.fields))
            }
        }
    }
    if kept.is_empty() {
        return refuse(
            format!("no row has both an input and an answer in `{expected}`"),
            "--input and --expected name the columns",
        );
    }
    let hints = Hints { column: &expected, task: wishes.task, judged: table.judged, schema: table.schema.as_ref() };
    let concluded = answer::conclude(&raw, hints);
    let (answers, answer) =
        concluded.or_else(|message| refuse(message, "--task names the task, --expected the column"))?;
    let mut rows = Vec::with_capacity(kept.len());
    for ((number, record, input), right) in kept.into_iter().zip(answers) {
        match right {
            Ok(right) => rows.push(row(name, number, &record, input, right, &roles)),
            Err(why) => table.leave_out(record.line, why, Value::Object(record.fields)),
        }
    }
    all_the_same(&rows, table.judged, wishes, &expected)?;
    same_ids(&rows)?;
    let items: Vec<Item<'_>> = rows.iter().map(|row| item(row, &answer)).collect();
    let split = split::split(&items, wishes.pool_share, wishes.seed);
    drop(items);
    if split.count(Side::Test) == 0 {
        return refuse(
            "no row is left for the test",
            "a smaller --pool-share leaves some; rows of one cluster stay together",
        );
    }
    let mut notes = std::mem::take(&mut table.notes);
    notes.extend(answer.notes.iter().cloned());
    notes.extend(conflicts(&rows));
    if roles.cluster.is_none() {
        notes.extend(cluster_alike(&mut rows, &split));
    }
    notes.extend(few(split.count(Side::Test)));
    notes.extend(unusable(&mut table, &answer, rows.first()));
    table.left_out.sort_by_key(|row| row.line);
    let used = |name: &&str| {
        let one = [&roles.expected, &roles.id, &roles.cluster].into_iter().flatten().any(|used| used == name);
        one || roles.input.iter().chain(&roles.tags).any(|used| used == name)
    };
    let unused = profiles.names().filter(|name| !used(name)).map(str::to_owned).collect();
    Ok(Draft {
        name: name.to_owned(),
        format: table.format,
        detail: table.detail,
        roles,
        unused,
        answer,
        rows,
        split,
        seed: wishes.seed,
        left_out: table.left_out,
        notes,
        prompts: table.prompts,
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The input: the one column, or an object of several. A part that is missing is an empty text.
fn input_of(record: &Record, columns: &[String], named: bool) -> Option<Value> {
    let part = |name: &String| record.fields.get(name).filter(|value| !is_empty(value)).cloned();
    match columns {
        [only] if !named => part(only),
        several => {
            if several.iter().all(|name| part(name).is_none()) {
                return None;
            }
            let fields = several.iter().map(|name| (name.clone(), part(name).unwrap_or_else(|| Value::from(""))));
            Some(Value::Object(fields.collect::<Map<_, _>>()))
        }
    }
}

fn row(name: &str, number: usize, record: &Record, input: Value, expected: Value, roles: &Roles) -> Row {
    let text = |column: &String| record.fields.get(column).map(plain).filter(|text| !text.is_empty());
    let bare = |column: &str| {
        let name = column.strip_prefix("tags.").or_else(|| column.strip_prefix("metadata."));
        name.unwrap_or(column).to_owned()
    };
    Row {
        line: record.line,
        id: roles.id.as_ref().and_then(text).unwrap_or_else(|| format!("{name}-{:04}", number + 1)),
        input,
        expected,
        cluster: roles.cluster.as_ref().and_then(text),
        tags: roles.tags.iter().filter_map(|tag| Some((bare(tag), text(tag)?))).collect(),
    }
}

fn item<'a>(row: &'a Row, answer: &Answer) -> Item<'a> {
    let class = if answer.labels.is_empty() { String::new() } else { row.expected.to_string() };
    Item { id: &row.id, input: &row.input, cluster: row.cluster.as_deref(), class }
}

/// Answers that are all the same tell no variant from another.
fn all_the_same(rows: &[Row], judged: Option<Judged>, wishes: &Wishes, column: &str) -> Result<(), Refusal> {
    let [first, others @ ..] = rows else { return Ok(()) };
    let same = !others.is_empty() && others.iter().all(|row| row.expected == first.expected);
    if !same || wishes.task.is_some() || judged.is_some_and(|judged| judged != Judged::Equals) {
        return Ok(());
    }
    refuse(
        format!(
            "all {} rows have the same answer in `{}`: there is nothing to tell apart",
            rows.len(),
            one_line(column, 80)
        ),
        "--expected COLUMN names another column; --task NAME takes it as it is",
    )
}

fn same_ids(rows: &[Row]) -> Result<(), Refusal> {
    let mut known: HashMap<&str, u32> = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Some(first) = known.insert(&row.id, row.line) {
            let message =
                format!("the id `{}` stands twice: in line {first} and line {}", one_line(&row.id, 80), row.line);
            return refuse(message, "name another column with --id; without one that is unique, rows are numbered");
        }
    }
    Ok(())
}

/// Rows that ask the same and expect otherwise: one of them is wrong.
fn conflicts(rows: &[Row]) -> Option<String> {
    let mut known: HashMap<String, (u32, &Value)> = HashMap::new();
    let mut found: Vec<(u32, u32)> = Vec::new();
    for row in rows {
        let text = text_of(&row.input);
        let key = normalise(&text).unwrap_or(text);
        match known.get(&key) {
            Some((line, expected)) if **expected != row.expected => found.push((*line, row.line)),
            Some(_) => {}
            None => drop(known.insert(key, (row.line, &row.expected))),
        }
    }
    let (first, second) = found.first()?;
    let n = found.len();
    Some(format!(
        "{n} row{} the same input as an earlier one and another answer, the first in lines {first} and {second}: labels that contradict each other cap the accuracy",
        if n == 1 { " has" } else { "s have" }
    ))
}

/// Rows whose inputs are all but the same are not independent: they become clusters.
fn cluster_alike(rows: &mut [Row], split: &Split) -> Option<String> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for group in &split.groups {
        *sizes.entry(*group).or_default() += 1;
    }
    let firsts: HashMap<usize, String> =
        sizes.iter().filter(|(_, size)| **size > 1).map(|(group, _)| (*group, rows[*group].id.clone())).collect();
    for (row, group) in rows.iter_mut().zip(&split.groups) {
        row.cluster = firsts.get(group).map(|first| format!("like-{first}"));
    }
    let groups: HashSet<usize> = firsts.keys().copied().collect();
    let alike = split.groups.iter().filter(|group| groups.contains(group)).count();
    (alike > 0).then(|| {
        format!(
            "{alike} rows are all but the same as another one: they form {}, on one side each",
            plural(groups.len(), "cluster")
        )
    })
}

/// Prompts of the file that cannot be rendered here are left out, and said to be.
fn unusable(table: &mut Table, answer: &Answer, first: Option<&Row>) -> Vec<String> {
    let (Some(first), Format::Promptfoo) = (first, table.format) else { return Vec::new() };
    let labels: Vec<String> = answer.labels.iter().map(|(label, _)| label.clone()).collect();
    let mut notes = Vec::new();
    table.prompts.retain(|carried| {
        let prompt = Prompt {
            name: "carried".into(),
            path: "carried".into(),
            system: carried.system.clone(),
            user: carried.user.clone(),
        };
        let tried = crate::prompt::try_prompt(&prompt, answer.schema.as_ref(), &labels, &first.input, None);
        if let Err(why) = &tried {
            let begin = one_line(&carried.user, 60);
            notes.push(format!("the prompt that begins `{begin}`: {}", one_line(&why.to_string(), 200)));
        }
        tried.is_ok()
    });
    notes
}

/// What so few test examples can show.
fn few(test: usize) -> Option<String> {
    let half = 196.0 * (0.09 / test as f64).sqrt();
    (test < 200).then(|| {
        let examples = if test == 1 { "example is" } else { "examples are" };
        format!("{test} test {examples} few: at 90% accuracy the interval is about {half:.0} points to each side")
    })
}

/// A number with its noun.
fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
