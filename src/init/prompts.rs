//! The first prompt of a suite: plain, in one voice with what the answer must look like.

use serde_json::Value;

use super::CarriedPrompt;
use super::answer::Answer;
use super::format::Format;
use super::messages::{CHOICES, SYSTEM, TURNS};
use crate::suite::Task;
use crate::text::one_line;

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

/// Names of columns that say nothing of what stands in them.
const SAYS_NOTHING: [&str; 18] = [
    "expected",
    "ideal",
    "label",
    "labels",
    "class",
    "category",
    "target",
    "answer",
    "gold",
    "ground_truth",
    "groundtruth",
    "expected_output",
    "output",
    "completion",
    "response",
    "result",
    "reference",
    "y",
];

/// The column of the answers, where its name says what is asked for.
fn asked_for(column: &str) -> Option<String> {
    let name = one_line(column.trim(), 60);
    (!SAYS_NOTHING.contains(&name.to_lowercase().as_str())).then(|| literal(&name))
}

/// What is said of the task and of the answer's form. Labels such as `true` mean nothing without the name of
/// the column that they stand in.
fn instruction(answer: &Answer, column: &str, choices: bool) -> String {
    let asked_for = asked_for(column);
    let example = answer
        .example
        .as_ref()
        .map(|example| format!("Answer with JSON such as {} and nothing else.", literal(&example.to_string())));
    match (answer.task, &answer.schema) {
        (Task::Classification, _) => {
            let example = example.unwrap_or_default();
            match asked_for {
                _ if choices => format!("Name the right choice, one of {{{{ labels }}}}.\n{example}"),
                Some(name) => format!("Tell the input's {name}, which is one of {{{{ labels }}}}.\n{example}"),
                None => format!("Sort the input into one of these labels: {{{{ labels }}}}.\n{example}"),
            }
        }
        (_, Some(_)) if answer.example.is_none() || answer.task == Task::Extraction => {
            let what = asked_for.map_or_else(String::new, |name| format!(" with its {name}"));
            format!(
                "Read the input and answer{what} as one JSON value that follows this JSON Schema, and nothing else.\n{{{{ schema }}}}"
            )
        }
        (_, Some(_)) => match asked_for {
            Some(name) => format!("Tell the input's {name} as a number.\n{}", example.unwrap_or_default()),
            None => format!("Answer the question with a number.\n{}", example.unwrap_or_default()),
        },
        (_, None) => match asked_for {
            Some(name) => format!("Tell the input's {name}. Write it alone, without a word around it."),
            None => "Answer the question. Write the answer alone, without a word around it.".to_owned(),
        },
    }
}

/// The files of the prompts, by name: what the data brought along, else a first one.
pub(super) fn files(
    format: Format,
    (input, column): (&[String], &str),
    answer: &Answer,
    carried: &[CarriedPrompt],
) -> Vec<(String, String)> {
    let of = |system: &str, user: &str| {
        let system =
            if system.trim().is_empty() { String::new() } else { format!("--- system ---\n{}\n", system.trim()) };
        format!("{system}--- user ---\n{user}\n")
    };
    let choices = input.iter().any(|name| name == CHOICES);
    let instruction = instruction(answer, column, choices);
    let form = answer.schema.as_ref().map(|_| instruction.clone());
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
            ("", _) => instruction,
            (own, Some(form)) => format!("{own}\n\n{form}"),
            (own, None) => own.to_owned(),
        };
        vec![of(&system, &user(input))]
    };
    texts.into_iter().enumerate().map(|(place, text)| (format!("v{}", place + 1), text)).collect()
}
