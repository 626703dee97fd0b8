//! Everything that `--json` prints is what its schema under docs/reference says; few-shot and CSV
//! by the way, since their runs are printed too.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Project;
use crate::support::project::{EXAMPLES, schema_helps};

#[track_caller]
pub(crate) fn fits(document: &Value, name: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/reference/{name}.schema.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let validator = jsonschema::options().build(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

#[test]
fn each_command_prints_what_its_schema_says() {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    fits(&project.run(["check", "suites/tiny", "--json"]).exits(0).json(), "check");
    fits(&project.run(["run", "suites/tiny", "--json", "-q"]).exits(0).json(), "run");
    fits(&project.run(["runs", "--json"]).exits(0).json(), "runs");
    fits(&project.run(["show", "last", "e01", "--json"]).exits(0).json(), "show");
    fits(&project.run(["compare", "plain", "schema", "--json"]).exits(0).json(), "compare");
    fits(&project.run(["record", "last", "-o", "again.jsonl", "--json"]).exits(0).json(), "record");
    fits(&project.run(["show", "last", "nobody", "--json"]).exits(2).json(), "error");
}

#[test]
fn faults_are_printed_as_their_schema_says() {
    let project = Project::new().suite("tiny");
    project.edit("suites/tiny/suite.toml", "[suite]", "[suite]\nnmae = 1");
    fits(&project.run(["check", "suites/tiny", "--json"]).exits(2).json(), "check");
}

#[test]
fn shots_and_csv_go_all_the_way() {
    let project = Project::new().suite("tiny");
    let rows: String = (1..=EXAMPLES).map(|n| format!("c{n},the ball number {n} looks red,red,odd\n")).collect();
    let project = project.file("suites/tiny/examples.csv", &format!("id,input,expected,tags.parity\n{rows}"));
    project.edit("suites/tiny/suite.toml", "examples.jsonl", "examples.csv");
    let shots = "\n[[variants]]\nname = \"shots\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nshots = { k = 2, select = \"balanced\", seed = 3 }\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", shots);
    let project = project.recorded(|request, _| schema_helps(request));
    let report = project.run(["run", "suites/tiny", "--json", "-q"]).exits(0).json();
    fits(&report, "run");
    let shots = report["variants"].as_array().unwrap().iter().find(|row| row["variant"] == "shots").unwrap();
    assert_eq!(shots["n"], EXAMPLES);
    assert_eq!(shots["interventions"], serde_json::json!(["few-shot"]));
    let trial = project.run(["show", "last", "c1", "--variant", "shots", "--json"]).exits(0).json();
    let messages = trial["trials"][0]["request"]["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles.iter().filter(|role| **role == "assistant").count(), 2, "{roles:?}");
}

/// The shipped files of a kind, as JSON, with their text.
fn shipped(folder: &str, file: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path().join(file));
    let files = entries.map(|path| path.components().collect::<PathBuf>());
    files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn shipped_suites_and_providers_fit_the_schemas_that_their_first_line_names() {
    for (name, files) in [("suite", shipped("suites", "suite.toml")), ("provider", shipped("providers", ""))] {
        assert!(files.len() >= 3);
        for (path, text) in files {
            let first = text.lines().next().unwrap();
            let named = first.strip_prefix("#:schema ").unwrap_or_else(|| panic!("{}: {first}", path.display()));
            let schema = path.parent().unwrap().join(named);
            assert!(schema.ends_with(format!("docs/reference/{name}.schema.json")) && schema.exists(), "{named}");
            let table: toml::Table = text.parse().unwrap();
            fits(&serde_json::to_value(&table).unwrap(), name);
        }
    }
}

#[test]
fn the_schemas_of_files_are_printed_for_editors() {
    let project = Project::new();
    for name in ["suite", "provider"] {
        let printed = project.run(["schema", name]).exits(0);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/reference/{name}.schema.json"));
        assert_eq!(printed.stdout(), std::fs::read_to_string(path).unwrap());
    }
}
