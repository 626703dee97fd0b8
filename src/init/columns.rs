//! Which column is the input, the answer, the id, the cluster, a slice; by name and by content.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::plain;
use super::{Roles, Table};

/// Names of columns that hold the answer, the surest first.
const ANSWERS: &[&str] = &[
    "expected",
    "ideal",
    "label",
    "labels",
    "target",
    "answer",
    "gold",
    "ground_truth",
    "groundtruth",
    "expected_output",
    "output",
    "category",
    "class",
    "intent",
    "sentiment",
    "topic",
    "queue",
    "team",
    "reference",
    "completion",
    "response",
    "result",
    "y",
];

/// Names of columns that hold what is asked, the surest first.
const INPUTS: &[&str] = &[
    "input",
    "text",
    "message",
    "question",
    "prompt",
    "query",
    "utterance",
    "sentence",
    "content",
    "body",
    "review",
    "comment",
    "email",
    "ticket_text",
    "document_text",
    "passage",
    "context",
    "subject",
    "title",
    "description",
    "instruction",
];

/// Of these two may be asked together.
const TOGETHER: &[&str] =
    &["question", "query", "body", "passage", "context", "subject", "title", "instruction", "input"];

/// Parts of the names of columns that say which rows belong together.
const CLUSTERS: &[&str] = &[
    "cluster",
    "group",
    "document",
    "doc",
    "user",
    "customer",
    "client",
    "account",
    "patient",
    "author",
    "thread",
    "conversation",
    "session",
    "dialog",
    "event",
    "incident",
    "case",
    "order",
    "ticket",
    "template",
    "family",
];

/// Parts of the names of columns that give the answer away, or come after it.
const APART: &[&str] = &[
    "rationale",
    "explanation",
    "reasoning",
    "solution",
    "annotator",
    "confidence",
    "score",
    "prediction",
    "predicted",
    "notes",
    "note",
    "split",
    "created",
    "updated",
    "date",
    "time",
    "index",
    "unnamed",
    "url",
];

/// Most values of a slice.
const MOST_SLICES: usize = 12;

/// Most columns that become slices.
const MOST_TAGS: usize = 8;

/// What a column holds.
#[derive(Debug, Clone, Default)]
struct Profile {
    filled: usize,
    letters: usize,
    counts: BTreeMap<String, usize>,
    scalar: bool,
}

/// What the columns of a table hold.
#[derive(Debug)]
pub struct Profiles {
    rows: usize,
    columns: Vec<(String, Profile)>,
}

/// How a name is compared: letters and digits, small, other signs as `_`.
fn folded(name: &str) -> String {
    let name = name.strip_prefix("metadata.").or_else(|| name.strip_prefix("tags.")).unwrap_or(name);
    name.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// Whether one of the words of a name is this.
fn has_word(name: &str, words: &[&str]) -> bool {
    let folded = folded(name);
    folded.split('_').any(|part| words.contains(&part)) || words.contains(&folded.as_str())
}

impl Profiles {
    /// Looks at every column once.
    pub fn of(table: &Table) -> Self {
        let names = table.columns();
        let columns = names.into_iter().map(|name| {
            let mut profile = Profile { scalar: true, ..Profile::default() };
            for value in table.records.iter().filter_map(|record| record.fields.get(&name)) {
                let text = match value {
                    Value::Null => continue,
                    Value::Array(_) | Value::Object(_) => {
                        profile.scalar = false;
                        value.to_string()
                    }
                    scalar => plain(scalar),
                };
                if text.is_empty() {
                    continue;
                }
                profile.filled += 1;
                profile.letters += text.chars().count();
                *profile.counts.entry(text).or_default() += 1;
            }
            (name, profile)
        });
        Self { rows: table.records.len(), columns: columns.collect() }
    }

    /// The names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is such a column.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The first column that bears one of these names and is not taken.
    fn named(&self, wanted: &[&str], taken: &[String]) -> Option<String> {
        wanted.iter().find_map(|wanted| {
            let found = self
                .columns
                .iter()
                .find(|(name, profile)| folded(name) == *wanted && profile.filled > 0 && !taken.contains(name));
            found.map(|(name, _)| name.clone())
        })
    }

    /// The column of the answers: by its name, else the only one with few values that come up again.
    pub fn expected(&self, taken: &[String]) -> Option<String> {
        let by_name = self.named(ANSWERS, taken).or_else(|| {
            let parts = ["label", "labels", "category", "answer", "intent", "class", "expected", "target"];
            let mut found = self.columns.iter().filter(|(name, profile)| {
                has_word(name, &parts) && !has_word(name, APART) && profile.filled > 0 && !taken.contains(name)
            });
            found.next().map(|(name, _)| name.clone())
        });
        by_name.or_else(|| {
            let mut few = self.columns.iter().filter(|(name, profile)| {
                let repeated = profile.counts.len() >= 2 && profile.counts.len() * 5 <= self.rows;
                repeated
                    && profile.scalar
                    && !taken.contains(name)
                    && !has_word(name, APART)
                    && !has_word(name, CLUSTERS)
            });
            let only = few.next()?;
            few.next().is_none().then(|| only.0.clone())
        })
    }

    /// The columns of the input: by name, else the one with the longest texts.
    pub fn input(&self, taken: &[String]) -> Vec<String> {
        if let Some(first) = self.named(INPUTS, taken) {
            let mut input = vec![first.clone()];
            if TOGETHER.contains(&folded(&first).as_str()) && folded(&first) != "input" {
                let others = self.names().filter(|name| TOGETHER.contains(&folded(name).as_str()) && **name != first);
                input.extend(others.filter(|name| !taken.iter().any(|taken| taken == name)).map(str::to_owned));
            }
            return input;
        }
        let free = self.columns.iter().filter(|(name, _)| !taken.contains(name) && !has_word(name, APART));
        let texts =
            free.filter(|(_, profile)| profile.filled * 2 > self.rows && profile.counts.len() * 2 > profile.filled);
        let longest = texts.max_by_key(|(_, profile)| profile.letters / profile.filled.max(1));
        longest.map(|(name, _)| name.clone()).into_iter().collect()
    }

    /// The column of the ids: named so, filled everywhere, each value once and without a space.
    pub fn id(&self, taken: &[String]) -> Option<String> {
        let rank = |name: &str| match folded(name).as_str() {
            "id" => Some(0),
            "uuid" | "guid" | "key" | "number" | "ref" | "nr" => Some(1),
            name if name.ends_with("_id") || name.ends_with("_uuid") || name.ends_with("_number") => Some(2),
            name if CLUSTERS.contains(&name) => Some(3),
            _ => None,
        };
        let unique = |profile: &Profile| {
            let bare = profile.counts.keys().all(|value| !value.contains(char::is_whitespace));
            profile.scalar && profile.counts.len() == self.rows && bare
        };
        let free = self.columns.iter().filter(|(name, profile)| !taken.contains(name) && unique(profile));
        let ranked = free.filter_map(|(name, _)| Some((rank(name)?, name)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, name)| name.clone())
    }

    /// The column that says which rows belong together: named so, with values that come up again.
    pub fn cluster(&self, taken: &[String]) -> Option<String> {
        let named = self.columns.iter().filter(|(name, _)| !taken.contains(name) && has_word(name, CLUSTERS));
        let mut again = named.filter(|(_, profile)| {
            let groups = profile.counts.len();
            profile.scalar
                && profile.filled * 2 > self.rows
                && groups < profile.filled
                && groups * 20 >= profile.filled
                && groups > 5
        });
        again.next().map(|(name, _)| name.clone())
    }

    /// Columns with few values, for slices.
    pub fn tags(&self, taken: &[String]) -> Vec<String> {
        let free = self.columns.iter().filter(|(name, _)| !taken.contains(name));
        let few = free.filter(|(name, profile)| {
            let slices = (2..=MOST_SLICES).contains(&profile.counts.len()) && profile.counts.len() * 5 <= self.rows;
            let short = profile.letters <= 40 * profile.filled;
            name.starts_with("tags.") && profile.scalar || slices && short && profile.scalar && !has_word(name, APART)
        });
        few.take(MOST_TAGS).map(|(name, _)| name.clone()).collect()
    }
}

/// What the user says beforehand; the format's own roles stand where the user is silent, and the
/// rest is concluded. The answer may stay open.
pub fn roles(profiles: &Profiles, of_format: &Roles, said: &Roles) -> Roles {
    let mut taken: Vec<String> = said.input.clone();
    taken.extend([&said.expected, &said.id, &said.cluster].into_iter().flatten().cloned());
    taken.extend(said.tags.iter().cloned());
    taken.extend(of_format.input.iter().cloned());
    let own = |said: &Option<String>, of_format: &Option<String>| said.clone().or_else(|| of_format.clone());
    let expected = own(&said.expected, &of_format.expected).or_else(|| profiles.expected(&taken));
    taken.extend(expected.clone());
    let unique = |name: &String| {
        profiles.columns.iter().any(|(known, profile)| known == name && profile.counts.len() == profiles.rows)
    };
    let id = said.id.clone().or_else(|| of_format.id.clone().filter(unique)).or_else(|| profiles.id(&taken));
    taken.extend(id.clone());
    let cluster = own(&said.cluster, &of_format.cluster).or_else(|| profiles.cluster(&taken));
    taken.extend(cluster.clone());
    let input = match (&said.input, &of_format.input) {
        (said, _) if !said.is_empty() => said.clone(),
        (_, own) if !own.is_empty() => own.clone(),
        _ => profiles.input(&taken),
    };
    taken.extend(input.clone());
    let tags = if said.tags.is_empty() { profiles.tags(&taken) } else { said.tags.clone() };
    Roles { input, expected, id, cluster, tags }
}
