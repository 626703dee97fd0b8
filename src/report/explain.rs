//! `--explain`: each figure of a verdict with its method, formula and numbers, computed anew.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::terminal::wrap;
use crate::calc;
use crate::decide::Derivation;

/// Entries of a list that are shown; more are counted.
const SHOWN: usize = 6;

/// The derivations for a terminal.
pub fn text(derivations: &[Derivation], width: usize) -> String {
    let mut text = String::from("\nHOW EACH FIGURE CAME ABOUT\n");
    text.push_str(&wrap(
        "Each can be computed again: `ceiling calc METHOD` takes the input as JSON, and --json has it whole.",
        "  ",
        "  ",
        width,
    ));
    let mut about = "";
    let mut known: Vec<&str> = Vec::new();
    for derivation in derivations {
        if derivation.about != about {
            about = &derivation.about;
            let _ = writeln!(text, "\n{}", title(about));
        }
        // A formula stands where its method is met first.
        let first = derivation.method.is_some_and(|method| !known.contains(&method));
        known.extend(derivation.method.filter(|_| first));
        text.push_str(&one(derivation, first, width));
    }
    text
}

fn title(about: &str) -> String {
    let name = match about {
        "t1" => "T1 schema validity",
        "t2" => "T2 quality ceiling",
        "t3" => "T3 first token",
        "t4" => "T4 monthly cost",
        "label-ceiling" => "Label ceiling",
        "rungs" => "All rungs together",
        "break-even" => "Break-even",
        "paired" => "The best other variant",
        "ladder" => "The ladder",
        other => return other.strip_prefix("rung-").map_or_else(|| other.to_owned(), |rung| format!("Rung {rung}")),
    };
    name.to_owned()
}

fn one(derivation: &Derivation, first: bool, width: usize) -> String {
    let mut text = wrap(&derivation.what, "  - ", "    ", width);
    if let Some(method) = derivation.method.and_then(calc::method) {
        let source =
            if first { format!("  [METHODS {}; {}]", method.section, short(method.source)) } else { String::new() };
        let _ = writeln!(text, "      {}{source}", method.name);
        for line in method.formula.lines().filter(|_| first) {
            text.push_str(&wrap(line, "        ", "          ", width));
        }
        text.push_str(&wrap(&fields(&derivation.input), "      in   ", "           ", width));
        text.push_str(&wrap(&fields(&derivation.used), "      out  ", "           ", width));
    }
    if !derivation.judged.is_empty() {
        text.push_str(&wrap(&derivation.judged, "      so   ", "           ", width));
    }
    text
}

/// The first paper of a list.
fn short(source: &str) -> &str {
    source.split(';').next().unwrap_or(source).trim()
}

fn fields(fields: &Map<String, Value>) -> String {
    let each: Vec<String> = fields.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
    each.join(", ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), significant),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.len() > SHOWN => {
            let first: Vec<String> = items.iter().take(SHOWN).map(shown).collect();
            format!("[{}, … {} in all]", first.join(" "), items.len())
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(inner) => format!("{{{}}}", fields(inner)),
        Value::Null => "none".to_owned(),
        Value::Bool(flag) => flag.to_string(),
    }
}

/// Up to eight significant digits, without trailing zeros.
fn significant(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = 7 - value.abs().log10().floor().clamp(-12.0, 7.0) as i32;
    let text = format!("{value:.*}", digits.max(0) as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The derivations for machines: each with its method's formula and source, and what the method gives
/// for the input.
pub fn to_json(derivations: &[Derivation]) -> Value {
    let one = |derivation: &Derivation| {
        let method = derivation.method.and_then(calc::method);
        let output = derivation.method.and_then(|name| calc::run(name, &derivation.input).ok());
        json!({
            "about": derivation.about,
            "what": derivation.what,
            "method": derivation.method,
            "section": method.map(|method| method.section),
            "formula": method.map(|method| method.formula),
            "source": method.map(|method| method.source),
            "input": derivation.input,
            "output": output,
            "used": derivation.used,
            "judged": derivation.judged,
        })
    };
    Value::Array(derivations.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_eight_digits() {
        assert_eq!(significant(0.05), "0.05");
        assert_eq!(significant(0.000_012_345_678_9), "0.000012345679");
        assert_eq!(significant(5.585_940_966_1), "5.585941");
        assert_eq!(significant(2995.0), "2995");
        assert_eq!(shown(&json!([1, 0, 1, 1, 0, 1, 1, 0])), "[1 0 1 1 0 1, … 8 in all]");
    }
}
