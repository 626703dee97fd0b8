//! What `ceiling calc --list` shows: as text, as JSON and as the page docs/reference/calc.md.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Fallback, Field, METHODS, Method, run};

impl Fallback {
    /// As people read it.
    fn to_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Word(text) | Self::Said(text) => text.to_owned(),
        }
    }

    /// A number or word as such; what a text says, as null.
    fn to_json(self) -> Value {
        match self {
            Self::Number(number) if number.fract() == 0.0 => Value::from(number as i64),
            Self::Number(number) => Value::from(number),
            Self::Word(word) => Value::from(word),
            Self::Said(_) => Value::Null,
        }
    }
}

/// The example of a method, and its answer to ten digits: more differ between machines.
fn example(method: &Method) -> (Map<String, Value>, Map<String, Value>) {
    let input: Map<String, Value> = serde_json::from_str(method.example).unwrap_or_default();
    let answer = run(method.name, &input).unwrap_or_default();
    let rounded = answer.into_iter().map(|(field, value)| (field, ten_digits(value))).collect();
    (input, rounded)
}

fn ten_digits(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let text = format!("{:.9e}", number.as_f64().unwrap_or_default());
            text.parse::<f64>().map_or(Value::Number(number), Value::from)
        }
        Value::Array(items) => items.into_iter().map(ten_digits).collect(),
        other => other,
    }
}

fn object(fields: Map<String, Value>) -> String {
    Value::Object(fields).to_string()
}

/// Every method in a few lines each.
pub fn list() -> String {
    let mut text = String::new();
    for method in METHODS {
        let inputs: Vec<String> = method.inputs.iter().map(short).collect();
        let outputs: Vec<&str> = method.outputs.iter().map(|field| field.name).collect();
        let _ = writeln!(text, "{}\n  {}", method.name, method.question);
        let _ = writeln!(text, "  {} -> {}", inputs.join(", "), outputs.join(", "));
        let _ = writeln!(text, "  {} (METHODS.md {})\n", method.source, method.section);
    }
    text + "`ceiling calc METHOD --list` shows one whole, with its formula and an example.\n"
}

fn short(field: &Field) -> String {
    match field.default {
        Some(default) => format!("[{} = {}]", field.name, default.to_text()),
        None => field.name.to_owned(),
    }
}

/// One method whole.
pub fn detail(method: &Method) -> String {
    let mut text = format!("{}: {}\n\n", method.name, method.question);
    for line in method.formula.lines() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\nsource: {} (METHODS.md {})\n", method.source, method.section);
    let width = method.inputs.iter().chain(method.outputs).map(|field| field.name.len()).max().unwrap_or(0);
    for (heading, fields) in [("input", method.inputs), ("output", method.outputs)] {
        let _ = writeln!(text, "{heading}");
        for field in fields {
            let default = field.default.map_or(String::new(), |default| format!(" (default: {})", default.to_text()));
            let _ = writeln!(text, "  {:width$}  {}{default}", field.name, field.what);
        }
    }
    let (input, answer) = example(method);
    let _ = writeln!(text, "\nexample\n  echo '{}' | ceiling calc {}", object(input), method.name);
    let _ = writeln!(text, "  {}", object(answer));
    text
}

/// All methods, or one, as `--list --json` prints them.
pub fn to_json(methods: &[Method]) -> Value {
    let fields = |fields: &[Field]| {
        let each = fields.iter().map(|field| {
            let mut value = json!({"name": field.name, "what": field.what});
            if let (Some(default), Some(object)) = (field.default, value.as_object_mut()) {
                object.insert("default".into(), default.to_json());
                object.insert("default_text".into(), Value::from(default.to_text()));
            }
            value
        });
        each.collect::<Vec<Value>>()
    };
    let each = methods.iter().map(|method| {
        let (input, answer) = example(method);
        let inputs: Vec<Value> = fields(method.inputs);
        let outputs: Vec<Value> = fields(method.outputs);
        json!({
            "name": method.name, "section": method.section, "question": method.question, "formula": method.formula,
            "source": method.source, "inputs": inputs, "outputs": outputs,
            "example": {"input": input, "output": answer},
        })
    });
    json!({"methods": each.collect::<Vec<Value>>()})
}

/// The page docs/reference/calc.md.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The calculator\n\n\
         `ceiling calc METHOD` reads one JSON object, from stdin or `--input FILE`, and prints one. These are the very \
         functions that reports, gates and verdicts use. Wrong input is an error that names the field (exit code 2); \
         null in an answer means what the table says, and no other field is ever null. Words are read without regard \
         to case, `-` or `_`. Examples show ten digits.\n\n\
         This page is written by `ceiling calc --list --markdown`.\n",
    );
    for method in METHODS {
        let (input, answer) = example(method);
        let _ = writeln!(text, "\n## {}\n\n{}\n", method.name, method.question);
        let _ = writeln!(text, "```text\n{}\n```\n", method.formula);
        let _ = writeln!(text, "Source: {}.\n", method.source);
        let _ = writeln!(text, "| input | | default |\n|---|---|---|");
        for field in method.inputs {
            let default = field.default.map_or(String::new(), Fallback::to_text);
            let _ = writeln!(text, "| `{}` | {} | {default} |", field.name, cell(field.what));
        }
        let _ = writeln!(text, "\n| output | |\n|---|---|");
        for field in method.outputs {
            let _ = writeln!(text, "| `{}` | {} |", field.name, cell(field.what));
        }
        let _ = writeln!(text, "\n```sh\necho '{}' | ceiling calc {}\n```\n", object(input), method.name);
        let _ = writeln!(text, "```json\n{}\n```", object(answer));
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
