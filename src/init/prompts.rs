//! The first prompt of a suite: plain, in one voice with what the answer must look like.

use serde_json::Value;

use super::CarriedPrompt;
use super::answer::Answer;
use super::format::Format;
use super::messages::{CHOICES, SYSTEM, TURNS};
use crate::suite::Task;

/// Text that a template would read as its own, kept as it is.
pub(super) fn literal(text: &str) -> String {
    if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) && !text.contains("endraw") {
        format!("{{% raw %}}{text}{{% endraw %}}")
    } else {
        text.to_owned()
    }
}

/// How an input's parts are shown: the whole input, or one field after the other.
fn user(input: &[String]) -> String {
    if input.len() < 2 {
        return "{{ input }}".to_owned();
    }
    let parts = input.iter().filter(|name| *name != SYSTEM).map(|name| {
        let place = format!("input[{}]", Value::from(name.as_str()));
        match name.as_str() {
            TURNS => format!("{{% for turn in {place} %}}{{{{ turn.role }}}}: {{{{ turn.content }}}}\n{{% endfor %}}"),
            CHOICES => format!("{{% for choice in {place} %}}{{{{ choice }}}}\n{{% endfor %}}"),
            "input" => format!("{{{{ {place} }}}}"),
            _ => format!("{}: {{{{ {place} }}}}", literal(name)),
        }
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// What is said of the task and of the answer's form.
fn instruction(answer: &Answer) -> String {
    let example = answer
        .example
        .as_ref()
        .map(|example| format!("Answer with JSON such as {} and nothing else.", literal(&example.to_string())));
    match (answer.task, &answer.schema) {
        (Task::Classification, _) => {
            format!("Sort the input into one of these labels: {{{{ labels }}}}.\n{}", example.unwrap_or_default())
        }
        (_, Some(_)) if answer.example.is_none() || answer.task == Task::Extraction => {
            "Read the input and answer with one JSON value that follows this JSON Schema, and nothing else.\n{{ schema }}".to_owned()
        }
        (_, Some(_)) => format!("Answer the question with a number.\n{}", example.unwrap_or_default()),
        (_, None) => "Answer the question. Write the answer alone, without a word around it.".to_owned(),
    }
}

/// The files of the prompts, by name: what the data brought along, else a first one.
pub(super) fn files(
    format: Format,
    input: &[String],
    answer: &Answer,
    carried: &[CarriedPrompt],
) -> Vec<(String, String)> {
    let of = |system: &str, user: &str| {
        let system =
            if system.trim().is_empty() { String::new() } else { format!("--- system ---\n{}\n", system.trim()) };
        format!("{system}--- user ---\n{user}\n")
    };
    let form = answer.schema.as_ref().map(|_| instruction(answer));
    let system_field = input.iter().any(|name| name == SYSTEM && input.len() > 1);
    let texts: Vec<String> = if format == Format::Promptfoo && !carried.is_empty() {
        let with_form = |prompt: &CarriedPrompt| match &form {
            // A prompt that was written for texts says nothing of JSON.
            Some(form) if prompt.system.is_empty() => of("", &format!("{}\n\n{form}", prompt.user)),
            Some(form) => of(&format!("{}\n\n{form}", prompt.system), &prompt.user),
            None => of(&prompt.system, &prompt.user),
        };
        carried.iter().map(with_form).collect()
    } else {
        let own = carried.first().map_or("", |prompt| prompt.system.as_str());
        let own = if system_field { "{{ input.system }}" } else { own };
        // A system turn of the data's own says what to do; where it asks for text, nothing is added.
        let system = match (own, &form) {
            ("", _) => instruction(answer),
            (own, Some(form)) => format!("{own}\n\n{form}"),
            (own, None) => own.to_owned(),
        };
        vec![of(&system, &user(input))]
    };
    texts.into_iter().enumerate().map(|(place, text)| (format!("v{}", place + 1), text)).collect()
}
