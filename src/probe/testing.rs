//! A suite and rows for tests.

use serde_json::json;

use crate::suite::load::{LoadOptions, load};
use crate::suite::{Example, ExampleId, Suite};

/// A suite of this task whose primary scorer looks at `/label`.
pub(super) fn suite(task: &str) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    let scorer = match task {
        "extraction" => "kind = \"field-f1\"",
        "generation" => "kind = \"similarity\"\nmatch = \"token-f1\"",
        _ => "kind = \"exact\"\nat = \"/label\"",
    };
    let text = format!(
        "[suite]\nname = \"things\"\ntask = \"{task}\"\n[data]\nexamples = \"e.jsonl\"\n[score.scorers.main]\n{scorer}\n\
         [prompts]\nv1 = \"v1.md.j2\"\n[[variants]]\nname = \"plain\"\nmodel = \"smollm2/135m-instruct\"\nprompt = \"v1\"\n"
    );
    std::fs::write(folder.path().join("suite.toml"), text).unwrap();
    std::fs::write(folder.path().join("v1.md.j2"), "--- user ---\n{{ input }}\n").unwrap();
    std::fs::write(
        folder.path().join("e.jsonl"),
        "{\"id\": \"e\", \"input\": \"x\", \"expected\": {\"label\": \"a\"}}\n",
    )
    .unwrap();
    let providers = crate::provider::load::load(&[]).unwrap();
    load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite
}

/// A row.
pub(super) fn example(id: &str, input: &str, label: &str) -> Example {
    Example {
        id: ExampleId(id.to_owned()),
        input: json!(input),
        expected: json!({"label": label}),
        cluster: None,
        tags: std::collections::BTreeMap::new(),
        documents: Vec::new(),
    }
}
