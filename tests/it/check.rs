//! Wrong input: what is wrong, where, and what to do; exit 2, and nothing half-written.

use serde_json::Value;

use crate::support::Project;
use crate::support::project::right;
use crate::support::redact::redact;

const SUITE: &str = "suites/tiny/suite.toml";
const EXAMPLES: &str = "suites/tiny/examples.jsonl";

/// A recorded project, so that nothing but the spoiled thing is wrong.
fn project() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| right(request));
    project.run(["check", "suites/tiny"]).exits(0);
    project
}

/// `run` and `check` both refuse, say all of `words`, and leave no store behind.
#[track_caller]
fn refused(project: &Project, words: &[&str]) {
    for command in ["run", "check"] {
        let mut output = project.run([command, "suites/tiny"]).exits(2);
        for word in words {
            output = output.says(word);
        }
        assert!(!output.said().contains("panicked"), "{}", output.said());
    }
    assert!(!project.path(".ceiling").exists(), "a refused run leaves no store");
    let document = project.run(["check", "suites/tiny", "--json"]).exits(2).json();
    assert!(document["errors"].as_u64().unwrap() > 0, "{document}");
    for fault in document["diagnostics"].as_array().unwrap() {
        for key in ["code", "severity", "message", "file", "line", "column", "help"] {
            assert!(fault.get(key).is_some(), "no {key} in {fault}");
        }
    }
    let document = project.run(["run", "suites/tiny", "--json"]).exits(2).json();
    assert!(document["diagnostics"].is_array(), "{document}");
}

#[test]
fn a_folder_that_is_not_there() {
    let project = project();
    for command in ["run", "check"] {
        project
            .run([command, "suites/tinny"])
            .exits(2)
            .says("no folder `suites/tinny`")
            .says("did you mean `suites/tiny`?");
    }
    assert!(!project.path(".ceiling").exists());
}

#[test]
fn an_empty_folder() {
    let project = project();
    std::fs::create_dir(project.path("suites/empty")).unwrap();
    project.run(["run", "suites/empty"]).exits(2).says("the folder `suites/empty` is empty");
    assert!(!project.path(".ceiling").exists());
}

#[test]
fn bytes_that_are_no_text() {
    let spoiled = project();
    spoiled.write(SUITE, b"[suite]\nname = \"t\xffny\"\n");
    refused(&spoiled, &["suite/not-utf8", "suites/tiny/suite.toml:2:10", "0xff", "save it as UTF-8"]);
    let spoiled = project();
    let text = spoiled.read(EXAMPLES).replacen("\"e03\",\"input\":\"the", "\"e03\",\"input\":\"th?", 1);
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    assert_ne!(bytes, text.as_bytes());
    spoiled.write(EXAMPLES, &bytes);
    refused(&spoiled, &["suite/not-utf8", "suites/tiny/examples.jsonl:3"]);
}

#[test]
fn one_line_of_100_megabytes() {
    let project = project();
    let mut line = b"{\"id\": \"e01\", \"input\": \"".to_vec();
    line.resize(100 * 1024 * 1024, b'x');
    project.write(EXAMPLES, &line);
    let output = project.run(["run", "suites/tiny"]).exits(2).says("suite/line-too-long").says("jq -c");
    assert!(output.said().len() < 10_000, "the line itself is not printed");
    assert!(!project.path(".ceiling").exists());
}

#[test]
fn a_schema_that_refers_to_an_address() {
    let project = project();
    project.write("suites/tiny/schema.json", b"{\"$ref\": \"https://example.com/answer.json\"}");
    refused(&project, &["suite/external-reference", "https://example.com/answer.json", "never fetched"]);
}

#[test]
fn a_label_outside_the_schema() {
    let project = project();
    project.edit(EXAMPLES, "{\"label\":\"green\"}", "{\"label\":\"gren\"}");
    refused(&project, &["suite/unknown-label", "suites/tiny/examples.jsonl:1", "`gren`", "`green`"]);
}

#[test]
fn an_unknown_key_and_the_nearest_known_one() {
    let project = project();
    project.edit(SUITE, "name = \"schema\"\n", "name = \"schema\"\nstructurd = \"text\"\n");
    refused(&project, &["suite/unknown-key", "suites/tiny/suite.toml", "`structurd`", "`structured`"]);
    let output = project.run(["check", "suites/tiny"]).exits(2);
    insta::assert_snapshot!("diagnostic", redact(&project, &output.said()));
}

#[test]
fn a_line_that_is_no_json_is_named_by_its_number() {
    let project = project();
    project.edit(EXAMPLES, "{\"id\":\"e05\"", "{\"id\":,\"e05\"");
    refused(&project, &["suite/bad-json", "suites/tiny/examples.jsonl:5"]);
}

#[test]
fn an_id_twice() {
    let project = project();
    project.edit(EXAMPLES, "\"e07\"", "\"e02\"");
    refused(&project, &["suite/duplicate-id", "`e02`", "suites/tiny/examples.jsonl:7", "first at line 2"]);
}

#[test]
fn a_test_example_in_the_pool() {
    let leaked = project();
    leaked.edit("suites/tiny/pool.jsonl", "a box number 4 looks green", "the ball number 4 looks green");
    refused(&leaked, &["suite/leak", "`e04`", "pool.jsonl:4", "take it out"]);
    let nearly = project();
    nearly.edit("suites/tiny/pool.jsonl", "a box number 4 looks green", "The BALL, number 4: looks green!");
    refused(&nearly, &["suite/near-leak", "`e04`", "pool.jsonl:4"]);
}

#[test]
fn a_template_with_a_field_that_inputs_lack() {
    let project = project();
    project.edit("suites/tiny/prompts/v1.md.j2", "{{ input }}", "{{ input.colour_name }}");
    refused(&project, &["suite/bad-template", "suites/tiny/prompts/v1.md.j2:4"]);
}

#[test]
fn every_fault_is_listed_at_once() {
    let project = project();
    project.edit(EXAMPLES, "{\"label\":\"green\"}", "{\"label\":\"gren\"}");
    project.edit(EXAMPLES, "\"e07\"", "\"e02\"");
    project.edit("suites/tiny/prompts/v1.md.j2", "{{ input }}", "{{ input.colour_name }}");
    let document = project.run(["check", "suites/tiny", "--json"]).exits(2).json();
    let mut codes: Vec<&str> =
        document["diagnostics"].as_array().unwrap().iter().filter_map(|fault| fault["code"].as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, ["suite/bad-template", "suite/duplicate-id", "suite/unknown-label"]);
}

#[test]
fn a_sound_suite_says_so_in_json_too() {
    let document = project().run(["check", "suites/tiny", "--json"]).exits(0).json();
    assert_eq!((&document["errors"], &document["diagnostics"]), (&Value::from(0), &Value::Array(vec![])));
}

#[test]
fn flags_that_are_not_there_are_wrong_input() {
    let project = project();
    project.run(["run", "suites/tiny", "--resume"]).exits(2).says("--resume");
    project.run(["run"]).exits(2).says("Usage:");
    project.run(["run", "suites/tiny", "--provider", "toy"]).exits(2).says("FROM=TO");
    project.run(["run", "suites/tiny", "--variants", "palin"]).exits(2).says("`plain`");
    project.run(["run", "suites/tiny", "--provider", "toy=nobody"]).exits(2).says("`nobody`");
}

#[test]
fn a_provider_that_the_command_line_names_is_blamed_by_its_flag_and_for_the_chosen_variants_alone() {
    let project = Project::new().suite("tiny");
    let output = project.run(["run", "suites/tiny", "--provider", "toy=ollama", "--variants", "plain"]).exits(2);
    let said = output.stderr();
    assert!(said.contains("`ollama` has no model `small` (asked instead of `toy`, as --provider says)"), "{said}");
    assert_eq!(said.matches("suite/unknown-model").count(), 1, "{said}");
}
