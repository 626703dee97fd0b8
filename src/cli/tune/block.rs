//! What a tuned model adds to a suite, as text: a variant, a prompt, and a row of a provider file. Pure.

use serde_json::Value;

use crate::provider::Model;
use crate::provider::render::{inline, key, model_row, quoted};
use crate::training::manifest::{Manifest, PromptText};

/// What is known of a tuned model.
pub(super) struct Tuned<'a> {
    /// What its files were made from.
    pub(super) manifest: &'a Manifest,
    /// How the manifest's file is named in comments.
    pub(super) manifest_path: &'a str,
    /// Who tuned it.
    pub(super) provider: &'a str,
    /// The job.
    pub(super) job: &'a str,
    /// Its name at the provider.
    pub(super) model: &'a str,
    /// The model that was tuned.
    pub(super) base: &'a str,
    /// `lora`, `dpo` or `distilled`.
    pub(super) method: &'a str,
    /// Passes over the file.
    pub(super) epochs: Option<u64>,
    /// The day of its base's end.
    pub(super) retires: Option<&'a str>,
}

/// The variant of a tuned model.
pub(super) fn variant(tuned: &Tuned<'_>, name: &str, prompt: &str) -> String {
    let manifest = tuned.manifest;
    let epochs = tuned.epochs.map_or_else(String::new, |epochs| format!(", {epochs} epochs"));
    let structured = serde_json::to_value(manifest.structured).unwrap_or_default();
    let mut facts = format!("method = {}", quoted(tuned.method));
    facts.push_str(&format!(", base = {}", quoted(&format!("{}/{}", tuned.provider, tuned.base))));
    facts.push_str(&format!(", training_examples = {}", manifest.files.train.rows));
    facts.extend(tuned.retires.map(|day| format!(", retires = {}", quoted(day))));
    let mut text = format!(
        "# Tuned by job {} at {}: {} rows{epochs}. Judged by `ceiling accept {}`.\n[[variants]]\n",
        comment(tuned.job),
        tuned.provider,
        manifest.files.train.rows,
        comment(tuned.manifest_path)
    );
    text.push_str(&format!("name = {}\n", quoted(name)));
    text.push_str(&format!("model = {}\n", quoted(&format!("{}/{}", tuned.provider, tuned.model))));
    text.push_str(&format!("prompt = {}\n", quoted(prompt)));
    text.push_str(&format!("structured = {}\n", inline(&structured)));
    text.push_str(&format!("tuned = {{ {facts} }}\n"));
    if !manifest.params.is_empty() {
        text.push_str(&format!("params = {}\n", inline(&Value::Object(manifest.params.clone()))));
    }
    text
}

/// The file of a prompt, as the suite reads it.
pub(super) fn prompt_file(prompt: &PromptText) -> String {
    let system = if prompt.system.is_empty() { String::new() } else { format!("--- system ---\n{}\n", prompt.system) };
    format!("{system}--- user ---\n{}\n", prompt.user)
}

/// The row of a tuned model: what holds for models tuned from its base, under its own name.
pub(super) fn row(tuned: &Tuned<'_>, like: Option<&Model>, bare: Model) -> String {
    let model = Model { served_as: tuned.model.to_owned(), ..like.cloned().unwrap_or(bare) };
    let mut text = format!("# Tuned from {} by job {}.\n", comment(tuned.base), comment(tuned.job));
    if like.is_none() {
        text.push_str(
            "# Its price is not known: state `price`, or `gpu` where it is served on a dedicated endpoint, which is \
             billed by the minute.\n",
        );
    }
    text + &model_row(tuned.model, &model)
}

/// suite.toml with a variant at its end and, where one is new, a prompt at the end of `[prompts]`; the rest stays byte
/// for byte. `None` where there is no such table to add to.
pub(super) fn with_variant(suite: &str, variant: &str, prompt: Option<(&str, &str)>) -> Option<String> {
    let mut text = match prompt {
        None => suite.to_owned(),
        Some((name, path)) => with_prompt(suite, name, path)?,
    };
    text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    text.push_str(variant);
    Some(text)
}

fn with_prompt(suite: &str, name: &str, path: &str) -> Option<String> {
    let line = format!("{} = {}\n", key(name), quoted(path));
    let (mut offset, mut end, mut inside) = (0, None, false);
    for row in suite.split_inclusive('\n') {
        let plain = row.trim();
        if plain.starts_with('[') {
            inside = plain.split('#').next().is_some_and(|head| head.trim() == "[prompts]");
        }
        offset += row.len();
        if inside && !plain.is_empty() && !plain.starts_with('#') {
            end = Some(offset);
        }
    }
    let (before, after) = suite.split_at(end?);
    let gap = if before.ends_with('\n') { "" } else { "\n" };
    Some(format!("{before}{gap}{line}{after}"))
}

/// A prompt's name as the name of its file, which must not lead anywhere: a manifest may come from elsewhere.
pub(super) fn file_stem(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let kept: String = name.chars().take(100).map(plain).collect();
    let kept = kept.trim_start_matches('.');
    if kept.is_empty() { "prompt".to_owned() } else { kept.to_owned() }
}

/// The first of `name`, `name-2`, `name-3` … that is free.
pub(super) fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// A text within a comment.
fn comment(text: &str) -> String {
    crate::text::one_line(text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_goes_to_the_end_of_its_table_and_the_rest_stays() {
        let suite = "[suite]\nname = \"s\"\n\n[prompts]   # rounds\nv1 = \"a\"\n# why\n\n[[variants]]\nname = \"x\"";
        let text = with_variant(suite, "[[variants]]\nname = \"t\"\n", Some(("short", "prompts/short.md.j2"))).unwrap();
        let expected = "[suite]\nname = \"s\"\n\n[prompts]   # rounds\nv1 = \"a\"\nshort = \"prompts/short.md.j2\"\n\
                        # why\n\n[[variants]]\nname = \"x\"\n\n[[variants]]\nname = \"t\"\n";
        assert_eq!(text, expected);
        assert_eq!(with_variant("prompts = { a = \"b\" }\n", "", Some(("c", "d"))), None);
        assert_eq!(with_variant("a = 1\n", "b\n", None).unwrap(), "a = 1\n\nb\n");
    }

    #[test]
    fn a_prompts_file_lies_where_prompts_do() {
        assert_eq!(file_stem("v1.2_short"), "v1.2_short");
        assert_eq!(file_stem("../../../evil"), "-..-..-evil");
        assert_eq!(file_stem("C:\\a/b"), "C--a-b");
        assert_eq!((file_stem(".hidden"), file_stem("..")), ("hidden".into(), "prompt".into()));
    }

    #[test]
    fn a_name_is_free_once_nobody_has_it() {
        assert_eq!(free("tuned", |name| ["tuned", "tuned-2"].contains(&name)), "tuned-3");
        assert_eq!(free("tuned", |_| false), "tuned");
    }
}
