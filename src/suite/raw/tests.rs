use super::*;
use crate::diagnostic::Source;
use crate::document::tests::same_keys;

/// A suite with every table that there is; keys that it lacks are asked for all the same.
const EVERY_TABLE: &str = r#"
suite = { name = "s", task = "extraction" }
data = { examples = "e", map = { tags = { NAME = "t" } }, sample = { n = 1 }, audit = { checked = 1, wrong = 0 } }
output = {}
prompts = { NAME = "p" }
targets = {}
economics = {}
gate = {}
statistics = {}
budget = {}
ladder = {}
[score.scorers]
NAME-1 = { kind = "exact" }
NAME-2 = { kind = "field-f1" }
NAME-3 = { kind = "set-f1" }
NAME-4 = { kind = "numeric" }
NAME-5 = { kind = "contains" }
NAME-6 = { kind = "regex" }
NAME-7 = { kind = "similarity" }
NAME-8 = { kind = "command", command = "c" }
[[variants]]
name = "v"
model = "p/m"
shots = { k = 1 }
cache = { ttl = "5m" }
retrieve = { k = 1 }
tuned = { method = "lora" }
params = {}
[matrix]
model = "p/m"
shots = { k = 1 }
cache = { ttl = "5m" }
retrieve = { k = 1 }
tuned = { method = "lora" }
params = {}
"#;

#[test]
fn the_json_schema_has_the_keys_that_are_read() {
    let source = Source::new("suite.toml", EVERY_TABLE);
    let document = Document::parse(&source, &FAMILY);
    RawSuite::read(&document);
    same_keys(&document, include_str!("../../../docs/reference/suite.schema.json"));
    assert_eq!(document.into_faults().errors(), 0);
}
