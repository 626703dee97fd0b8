//! Each format's lines, held against its reader's rules as they are stated: a checker of its own, not the writer's code.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::training::row::tests::row;

/// The lines of two rows, one with marks that JSON escapes and without a system part.
fn lines(format: &Format) -> String {
    let plain = row("1", "A", None);
    let mut odd = row("2", "B", None);
    odd.messages.remove(0);
    odd.messages[0].content = "a \"quote\",\na new line, a \u{1F6B0} and a \u{2028}".to_owned();
    let mut text = String::new();
    for one in [plain, odd] {
        for rejected in [None, Some("{\"code\":\"C\"}".to_owned())] {
            if let Some(line) = format.line(&TrainingRow { rejected, ..one.clone() }) {
                text += &line;
                text.push('\n');
            }
        }
    }
    text
}

#[test]
fn a_few_lines_of_each_format() {
    for format in FORMATS {
        insta::assert_snapshot!(format.name, lines(format));
    }
}

#[test]
fn names_are_unique_and_each_says_what_it_implements() {
    for format in FORMATS {
        assert_eq!(named(format.name).unwrap().page, format.page, "{}", format.name);
        assert_eq!(FORMATS.iter().filter(|other| other.name == format.name).count(), 1);
        assert!(format.page.starts_with("https://"), "{}", format.name);
        assert!(format.supervised.is_some() || format.preference.is_some());
        assert!(!format.limits.source.is_empty());
    }
    assert!(named("parquet").is_none());
}

/// The keys of an object, in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// A message of the OpenAI form: role and content, nothing else.
fn turn<'a>(message: &'a Value, roles: &[&str]) -> Result<&'a str, String> {
    let role = message["role"].as_str().unwrap_or_default();
    let sound = keys(message) == ["role", "content"] && is_text(&message["content"]) && roles.contains(&role);
    if sound { Ok(role) } else { Err(format!("not a message: {message}")) }
}

/// A system message first or none, then user and assistant in turn (Together; OpenAI takes it too).
fn alternates(messages: &Value, ends_with: &str) -> Result<(), String> {
    let messages = messages.as_array().ok_or("no list of messages")?;
    let mut roles = Vec::new();
    for message in messages {
        roles.push(turn(message, &["system", "user", "assistant"])?);
    }
    let spoken = roles.strip_prefix(&["system"]).unwrap_or(&roles);
    let in_turn = spoken.iter().enumerate().all(|(at, role)| *role == ["user", "assistant"][at % 2]);
    if in_turn && spoken.last() == Some(&ends_with) { Ok(()) } else { Err(format!("roles {roles:?}")) }
}

/// One message of the assistant.
fn one_answer(output: &Value) -> Result<(), String> {
    match output.as_array().map(Vec::as_slice) {
        Some([message]) => turn(message, &["assistant"]).map(|_| ()),
        _ => Err(format!("not one message: {output}")),
    }
}

/// PROVIDERS.md 8 and the pages that the formats name.
fn obeys(format: &str, line: &Value) -> Result<(), String> {
    match (format, keys(line).as_slice()) {
        ("openai-chat" | "together" | "trl-conversational", ["messages"]) => alternates(&line["messages"], "assistant"),
        ("openai-dpo" | "together", ["input", "preferred_output", "non_preferred_output"]) => {
            alternates(&line["input"]["messages"], "user")?;
            one_answer(&line["preferred_output"])?;
            one_answer(&line["non_preferred_output"])?;
            match line["preferred_output"] == line["non_preferred_output"] {
                true => Err("both outputs are the same".to_owned()),
                false => Ok(()),
            }
        }
        ("trl-preference", ["prompt", "chosen", "rejected"]) => {
            alternates(&line["prompt"], "user")?;
            one_answer(&line["chosen"])?;
            one_answer(&line["rejected"])
        }
        ("vertex-gemini", ["systemInstruction", "contents"] | ["contents"]) => {
            let texts =
                |parts: &Value| parts.as_array().is_some_and(|parts| parts.iter().all(|part| is_text(&part["text"])));
            let system = line.get("systemInstruction").is_none_or(|system| texts(&system["parts"]));
            let contents = line["contents"].as_array().ok_or("no contents")?;
            let roles: Vec<&str> = contents.iter().filter_map(|content| content["role"].as_str()).collect();
            let sound = system && roles == ["user", "model"] && contents.iter().all(|content| texts(&content["parts"]));
            if sound { Ok(()) } else { Err(format!("{line}")) }
        }
        ("bedrock-converse", ["schemaVersion", "system", "messages"] | ["schemaVersion", "messages"]) => {
            let blocks =
                |content: &Value| content.as_array().is_some_and(|all| all.iter().all(|block| is_text(&block["text"])));
            let messages = line["messages"].as_array().ok_or("no messages")?;
            let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
            let sound = line["schemaVersion"] == "bedrock-conversation-2024"
                && line.get("system").is_none_or(blocks)
                && roles == ["user", "assistant"]
                && messages.iter().all(|message| blocks(&message["content"]));
            if sound { Ok(()) } else { Err(format!("{line}")) }
        }
        ("sharegpt", ["conversations"] | ["conversations", "chosen", "rejected"]) => {
            let turns = line["conversations"].as_array().ok_or("no conversations")?;
            let from: Vec<&str> = turns.iter().filter_map(|turn| turn["from"].as_str()).collect();
            let spoken = from.strip_prefix(&["system"]).unwrap_or(&from);
            let paired = line.get("chosen").is_some();
            let wanted: &[&str] = if paired { &["human"] } else { &["human", "gpt"] };
            let answers = !paired || (line["chosen"]["from"] == "gpt" && line["rejected"]["from"] == "gpt");
            if spoken == wanted && answers && turns.iter().all(|turn| is_text(&turn["value"])) {
                Ok(())
            } else {
                Err(format!("{line}"))
            }
        }
        (_, keys) => Err(format!("keys {keys:?}")),
    }
}

proptest! {
    #[test]
    fn every_line_obeys_its_readers_rules(
        system in prop::option::of("\\PC{1,20}"),
        user in "(\\PC|[\"\\\\\n\t\u{0}\u{2028}]){1,40}",
        answer in "(\\PC|[\"\\\\\n]){1,20}",
        rejected in prop::option::of("\\PC{1,20}"),
    ) {
        prop_assume!(rejected.as_ref() != Some(&answer));
        let mut messages = Vec::new();
        messages.extend(system.map(|content| Message { role: Role::System, content }));
        messages.push(Message { role: Role::User, content: user.clone() });
        let row = TrainingRow { messages, answer: answer.clone(), rejected: rejected.clone(), ..row("1", "A", None) };
        for format in FORMATS {
            let method = if rejected.is_some() { Method::Preference } else { Method::Supervised };
            let line = format.line(&row);
            prop_assert_eq!(line.is_some(), format.takes(method));
            let Some(line) = line else { continue };
            prop_assert!(!line.contains('\n'), "a row is one line");
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(obeys(format.name, &value), Ok(()), "{}", format.name);
            // What was put in stands there, byte for byte.
            let holds = |wanted: &str| texts(&value).contains(&wanted);
            prop_assert!(holds(&user) && holds(&answer));
        }
    }
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
