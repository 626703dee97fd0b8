//! A suite of any number of examples: 77 labels, a schema, one text each.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::json;

const LABELS: usize = 77;

/// Writes a suite and its provider into a folder.
pub(crate) fn write(folder: &Path, examples: usize, variants: usize, base_url: &str, concurrency: usize) {
    let suite = folder.join("suites/size");
    std::fs::create_dir_all(suite.join("prompts")).unwrap();
    std::fs::create_dir_all(folder.join("providers")).unwrap();
    let provider = format!(
        "kind = \"openai-chat\"\nbase_url = \"{base_url}\"\n[limits]\nconcurrency = {concurrency}\n[models.m]\n\
         price = {{ input = 0.25, output = 2.0 }}\n"
    );
    std::fs::write(folder.join("providers/loopback.toml"), provider).unwrap();
    let mut text = "[suite]\nname = \"size\"\ntask = \"classification\"\n[data]\nexamples = \"examples.jsonl\"\n\
                    [output]\nschema = \"schema.json\"\n[score]\nprimary = \"label\"\n[score.scorers.label]\n\
                    kind = \"exact\"\nat = \"/label\"\n[prompts]\n"
        .to_owned();
    for variant in 1..=variants {
        text += &format!("v{variant} = \"prompts/v{variant}.md.j2\"\n");
        let prompt = format!(
            "--- system ---\nName the intent of the customer's message, one of: {{{{ labels }}}}. Round {variant}.\n\
             --- user ---\n{{{{ input }}}}\n"
        );
        std::fs::write(suite.join(format!("prompts/v{variant}.md.j2")), prompt).unwrap();
    }
    for variant in 1..=variants {
        text += &format!(
            "[[variants]]\nname = \"prompt-{variant}\"\nmodel = \"loopback/m\"\nprompt = \"v{variant}\"\n\
             structured = \"json-schema\"\nparams = {{ max_tokens = 64 }}\n"
        );
    }
    text += "[targets]\naccuracy = 0.9\nschema_validity = 0.999\n";
    std::fs::write(suite.join("suite.toml"), text).unwrap();
    let labels: Vec<String> = (0..LABELS).map(label).collect();
    let schema = json!({"type": "object", "properties": {"label": {"enum": labels}}, "required": ["label"],
                        "additionalProperties": false});
    std::fs::write(suite.join("schema.json"), schema.to_string()).unwrap();
    let mut rows = BufWriter::new(std::fs::File::create(suite.join("examples.jsonl")).unwrap());
    for place in 0..examples {
        let input = format!(
            "message {place}: I still have not received the card that I ordered {} days ago, what can I do about it?",
            place % 31
        );
        let row = json!({"id": format!("e{place:07}"), "input": input, "expected": {"label": label(place % LABELS)}});
        writeln!(rows, "{row}").unwrap();
    }
    rows.flush().unwrap();
}

fn label(place: usize) -> String {
    format!("label_{place:02}")
}
