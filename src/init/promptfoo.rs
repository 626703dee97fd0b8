//! Tests of promptfoo: a configuration (YAML or JSON), a file of tests (YAML, JSON, JSON Lines), or
//! a CSV file with `__expected` columns.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::assertions::{Assertion, settle};
use super::format::Format;
use super::yaml::{Kind, Node};
use super::{CarriedPrompt, Fault, Table, table, yaml};
use crate::diagnostic::{Diagnostic, Source};
use crate::text::one_line;

/// A test: its line, its variables, its assertions.
pub(super) struct Test {
    pub(super) line: u32,
    pub(super) vars: Map<String, Value>,
    pub(super) assertions: Vec<Assertion>,
    /// What else it says, as slices.
    pub(super) metadata: Map<String, Value>,
}

/// How often something could not be carried over, and where first.
pub(super) type Uncarried = BTreeMap<String, (usize, u32)>;

/// Counts one.
pub(super) fn count(uncarried: &mut Uncarried, what: impl Into<String>, line: u32) {
    uncarried.entry(what.into()).or_insert((0, line)).0 += 1;
}

/// Reads tests of promptfoo.
pub(super) fn read(source: &Source) -> Result<Table, Fault> {
    let mut uncarried = Uncarried::new();
    let mut table = Table::new(Format::Promptfoo);
    let extension = source.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let json = source.text.trim_start().starts_with(['{', '[']);
    let tests = if matches!(extension.as_str(), "csv" | "tsv") {
        of_table(table::csv(source)?, &mut table, &mut uncarried)
    } else if json && !matches!(extension.as_str(), "yaml" | "yml") {
        let nodes = nodes(source, &mut table)?;
        match nodes.as_slice() {
            [config] if config.get("vars").is_none() => of_config(source, config, &mut table, &mut uncarried)?,
            tests => of_list(tests, None, &mut table, &mut uncarried),
        }
    } else {
        let root = yaml::parse(source)?;
        match &root.kind {
            Kind::List(tests) => of_list(tests, None, &mut table, &mut uncarried),
            _ => of_config(source, &root, &mut table, &mut uncarried)?,
        }
    };
    settle(tests, &mut table, &mut uncarried);
    table.notes.extend(uncarried.into_iter().map(|(what, (times, line))| match times {
        1 => format!("{what} (line {line})"),
        n => format!("{what} ({n} times, first in line {line})"),
    }));
    Ok(table)
}

fn nodes(source: &Source, table: &mut Table) -> Result<Vec<Node>, Fault> {
    let mut nodes = Vec::new();
    for (line, value) in table::values(source)? {
        match value {
            Ok(value) => nodes.push(Node::of_json(line, value)),
            Err((why, text)) => table.leave_out(line, why, Value::from(text)),
        }
    }
    Ok(nodes)
}

/// The tests of a configuration, and its prompts.
fn of_config(source: &Source, config: &Node, table: &mut Table, uncarried: &mut Uncarried) -> Result<Vec<Test>, Fault> {
    let known = ["prompts", "tests", "defaultTest", "description", "providers", "targets", "$schema"];
    for key in config.keys().filter(|key| !known.contains(key)) {
        count(uncarried, format!("`{key}` of the configuration"), config.get(key).map_or(1, |node| node.line));
    }
    for key in ["providers", "targets"] {
        let named = config.get(key);
        for provider in named.map(Node::items).unwrap_or_default() {
            let name = provider.text().or_else(|| provider.get("id")?.text()).unwrap_or("with options of its own");
            count(
                uncarried,
                format!("the provider `{}`: name it with --model PROVIDER/MODEL", one_line(name, 80)),
                provider.line,
            );
        }
    }
    let prompts = config.get("prompts");
    let listed = prompts.map(Node::items).unwrap_or_default();
    for prompt in listed.iter().chain(prompts.filter(|node| node.text().is_some())) {
        match prompt.text().or_else(|| prompt.get("raw")?.text()) {
            Some(text) if is_file(text) => {
                count(
                    uncarried,
                    format!("the prompt file `{}`: copy it into prompts/", one_line(text, 80)),
                    prompt.line,
                );
            }
            Some(text) => match carried(text) {
                Some(prompt) => table.prompts.push(prompt),
                None => count(uncarried, "a prompt of several turns or with parts that are no text", prompt.line),
            },
            None => count(uncarried, "a prompt that is no text", prompt.line),
        }
    }
    let default = config.get("defaultTest");
    let Some(tests) = config.get("tests") else {
        let fault = Diagnostic::error("init/no-rows", source.path(), "the configuration has no `tests`");
        return Err(Box::new(fault.help("name the file of the tests itself with --from")));
    };
    if let Some(file) = tests.text() {
        let message = format!("the tests stand in another file: `{}`", one_line(file, 200));
        let fault = Diagnostic::error("init/no-rows", source.path(), message).at(tests.line, 1);
        return Err(Box::new(fault.help("name that file with --from")));
    }
    Ok(of_list(tests.items(), default, table, uncarried))
}

/// Whether a prompt is the name of a file.
fn is_file(text: &str) -> bool {
    let ends = [".txt", ".json", ".yaml", ".yml", ".js", ".ts", ".py", ".md", ".j2", ".csv", ".mjs", ".cjs"];
    text.starts_with("file://") || (!text.contains(char::is_whitespace) && ends.iter().any(|end| text.ends_with(end)))
}

/// A prompt as system and user part: text, or a list of messages in JSON.
fn carried(text: &str) -> Option<CarriedPrompt> {
    let Ok(Value::Array(messages)) = serde_json::from_str::<Value>(text) else {
        return Some(CarriedPrompt { system: String::new(), user: text.to_owned() });
    };
    let mut prompt = CarriedPrompt { system: String::new(), user: String::new() };
    for message in &messages {
        let content = message.get("content")?.as_str()?;
        let part = match message.get("role")?.as_str()? {
            "system" | "developer" if prompt.system.is_empty() => &mut prompt.system,
            "user" if prompt.user.is_empty() => &mut prompt.user,
            _ => return None,
        };
        content.clone_into(part);
    }
    (!prompt.user.is_empty()).then_some(prompt)
}

fn of_list(tests: &[Node], default: Option<&Node>, table: &mut Table, uncarried: &mut Uncarried) -> Vec<Test> {
    let common = default.and_then(|default| default.get("vars")).map(Node::value);
    let shared: Vec<&Node> =
        default.and_then(|default| default.get("assert")).map(Node::items).unwrap_or_default().iter().collect();
    for key in default.into_iter().flat_map(Node::keys).filter(|key| !["vars", "assert"].contains(key)) {
        count(uncarried, format!("`{key}` of `defaultTest`"), default.map_or(1, |node| node.line));
    }
    let mut read = Vec::new();
    for test in tests {
        if let Some(file) = test.text() {
            table.leave_out(test.line, "it is a file of tests: name that file with --from", Value::from(file));
            continue;
        }
        let mut vars = match &common {
            Some(Value::Object(vars)) => vars.clone(),
            _ => Map::new(),
        };
        match test.get("vars").map(Node::value) {
            Some(Value::Object(own)) => vars.extend(own),
            Some(other) => {
                table.leave_out(test.line, "its `vars` are not written out here", other);
                continue;
            }
            None => {}
        }
        if let Some((name, _)) = vars.iter().find(|(_, value)| value.is_array()) {
            let why = format!("`{name}` is a list, which promptfoo makes several tests of: write them out");
            table.leave_out(test.line, why, test.value());
            continue;
        }
        if let Some((name, _)) =
            vars.iter().find(|(_, value)| value.as_str().is_some_and(|text| text.starts_with("file://")))
        {
            table.leave_out(test.line, format!("`{name}` is the name of a file"), test.value());
            continue;
        }
        let known = ["vars", "assert", "description", "metadata"];
        for key in test.keys().filter(|key| !known.contains(key)) {
            count(uncarried, format!("`{key}` of a test"), test.line);
        }
        let own = test.get("assert").map(Node::items).unwrap_or_default();
        let assertions = own.iter().chain(shared.iter().copied()).map(Assertion::of).collect();
        let metadata = match test.get("metadata").map(Node::value) {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        read.push(Test { line: test.line, vars, assertions, metadata });
    }
    read
}

/// The rows of a CSV file of tests: `__expected` holds assertions, the other columns are variables.
fn of_table(rows: Table, table: &mut Table, uncarried: &mut Uncarried) -> Vec<Test> {
    table.detail = rows.detail;
    table.left_out = rows.left_out;
    let mut tests = Vec::new();
    for record in rows.records {
        let (mut vars, mut assertions, mut metadata) = (Map::new(), Vec::new(), Map::new());
        for (name, value) in record.fields {
            let text = value.as_str().unwrap_or_default();
            if let Some(key) = name.strip_prefix("__metadata:") {
                metadata.insert(key.trim_end_matches("[]").to_owned(), value);
            } else if name.starts_with("__expected") {
                if !text.trim().is_empty() {
                    assertions.push(Assertion::of_cell(text.trim(), record.line));
                }
            } else if !name.starts_with("__") {
                vars.insert(name, value);
            } else if name != "__description" && !text.is_empty() {
                count(uncarried, format!("the column `{name}`"), record.line);
            }
        }
        tests.push(Test { line: record.line, vars, assertions, metadata });
    }
    tests
}
