//! The suite that imported answers are graded by, where no suite of the user's is named: its files
//! as texts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Format;
use super::survey::{Survey, slug};
use crate::text::one_line;

/// The provider's name in the suite's files.
pub const PROVIDER: &str = "imported";

/// The file that holds the examples.
pub const EXAMPLES: &str = "examples.jsonl";

/// A prompt that no one is asked with; `check` renders it.
pub const PROMPT: &str =
    "{# The other tool's prompts stand in its own files: nothing is asked with this one. #}\n{{ input }}\n";

/// What the suite's file says beside what the survey found.
#[derive(Debug)]
pub struct About<'a> {
    /// The suite's name.
    pub name: &'a str,
    /// From where its answers come.
    pub setting: &'a str,
    /// The score that stands for accuracy, by the tool's name.
    pub primary: &'a str,
    /// The variants' names, in the survey's order.
    pub variants: &'a [String],
}

/// suite.toml.
pub fn suite_toml(survey: &Survey, format: Format, about: &About<'_>) -> String {
    let mut file = format!(
        "# Written by `ceiling import`; it is yours: add targets, economics, the variants' places.\n\
         # Scores, times and costs are those that {} stated; docs/reference/import.md says how they are read.\n\
         [suite]\nname = {}\ndescription = {}\ntask = \"generation\"\n\n[data]\nexamples = \"{EXAMPLES}\"\n",
        if format == Format::Plain { "whoever wrote the lines" } else { format.tool() },
        quoted(about.name),
        quoted(about.setting)
    );
    let mut line = |text: String| file.push_str(&text);
    if survey.repeats > 1 {
        line(format!("repeats = {}\n", survey.repeats));
    }
    if states_validity(survey) {
        line("\n[output]\nstated_validity = true\n".to_owned());
    }
    let mut taken = BTreeSet::new();
    let others = survey.metrics.keys().filter(|name| *name != about.primary);
    for (place, metric) in std::iter::once(about.primary).chain(others.map(String::as_str)).enumerate() {
        let plain = slug(metric);
        let mut id = plain.clone();
        while !taken.insert(id.clone()) {
            id = format!("{plain}-{}", taken.len());
        }
        if place == 0 {
            line(format!("\n[score]\nprimary = {}\n", quoted(&id)));
        }
        line(format!("\n[score.scorers.{}]\nkind = \"stated\"\n", quoted(&id)));
        if id != metric {
            line(format!("metric = {}\n", exact(metric)));
        }
    }
    line("\n[prompts]\nimported = \"prompts/imported.md.j2\"\n".to_owned());
    for (name, variant) in about.variants.iter().zip(&survey.variants) {
        let model = quoted(&format!("{PROVIDER}/{}", variant.model));
        line(format!("\n[[variants]]\nname = {}\nmodel = {model}\nprompt = \"imported\"\n", quoted(name)));
    }
    file
}

/// Whether validity is what the file states: it must state it of every answer.
pub fn states_validity(survey: &Survey) -> bool {
    survey.with_validity > 0 && survey.with_validity >= survey.trials - survey.failed
}

/// providers/imported.toml.
pub fn provider_toml(survey: &Survey) -> String {
    let mut file = "# Models that another tool asked. A `price` here stands above the costs that it states.\n\
                    kind = \"imported\"\n"
        .to_owned();
    let models: BTreeSet<&str> = survey.variants.iter().map(|variant| variant.model.as_str()).collect();
    for model in models {
        // Writing to a text cannot fail.
        let _ = write!(file, "\n[models.{}]\n", quoted(model));
    }
    file
}

/// A text as TOML's basic string, on one line and without control characters.
fn quoted(text: &str) -> String {
    exact(&one_line(text, 300))
}

/// A text as TOML's basic string, every character kept.
fn exact(text: &str) -> String {
    // JSON's escapes are TOML's; TOML alone wants one for DEL.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_quotes() {
        for text in ["a\"]\n[x]", "back\\slash", "\u{7f}\u{1}", "'''"] {
            let file = format!("key = {}", exact(text));
            let read: toml::Table = toml::from_str(&file).unwrap();
            assert_eq!(read["key"].as_str(), Some(text));
        }
    }
}
