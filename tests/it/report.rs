//! A stored run, for whoever reads it.

use serde_json::Value;

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, schema_helps};
use crate::support::server::{last_user, wants_schema};
use crate::support::{Answer, Project, ScriptedServer, say};

const LIVE: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "-q"];

fn recorded() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

/// The records of a CSV text, as fields by name.
fn records(csv: &str) -> Vec<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let fields = |record: csv::StringRecord| names.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| fields(record.unwrap())).collect()
}

fn field<'a>(record: &'a [(String, String)], name: &str) -> &'a str {
    &record.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no column {name}")).1
}

#[test]
fn json_is_what_the_run_printed() {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    let mut run = project.run(["run", "suites/tiny", "--json", "-q"]).exits(0).json();
    let mut report = project.run(["report", "--format", "json"]).exits(0).json();
    fits(&report, "run");
    let without = |document: &mut Value| document.as_object_mut().unwrap().remove("embeddings");
    assert!(without(&mut run).is_some() && without(&mut report).is_some());
    assert_eq!(report, run);
    assert_eq!(project.run(["report", "last", "--json"]).exits(0).json()["run"], run["run"]);
}

#[test]
fn markdown_is_for_a_pull_request() {
    let project = recorded();
    let page = project.run(["report", "--format", "md"]).exits(0);
    let lines: Vec<&str> = page.stdout().lines().collect();
    assert_eq!(lines[..2], ["<!-- ceiling:tiny -->", "<a id=\"ceiling-tiny\"></a>"]);
    assert!(page.stdout().contains("▲ **schema**"), "{}", page.stdout());
    assert!(page.stdout().contains("recorded answers") && page.stdout().contains("<details>"));
}

#[test]
fn the_form_is_that_of_the_files_ending() {
    let project = recorded();
    for (name, begins) in [
        ("a.md", "<!-- ceiling:tiny -->"),
        ("a.csv", "run,suite,variant,"),
        ("a.json", "{\"run\":\"tiny-1\""),
        ("a.txt", "tiny · run tiny-1"),
    ] {
        let told = project.run(["report", "-o", name]).exits(0);
        assert!(told.stdout().is_empty() && told.stderr().contains(&format!("wrote {name} (")), "{}", told.said());
        assert!(project.read(name).starts_with(begins), "{name}: {}", project.read(name));
    }
    project.run(["report", "-o", "a.docx"]).exits(2).says("--format");
    project.run(["report", "-o", "nowhere/a.md"]).exits(2).says("there is no folder `nowhere`");
    project.run(["report", "-o", "suites", "--format", "md"]).exits(2).says("is a folder");
    project.run(["report", "--rows", "variants"]).exits(2).says("--format csv");
    project.run(["report", "--format", "md", "--json"]).exits(2).says("--json");
    assert!(project.run(["report", "-q", "-o", "a.md"]).exits(0).said().is_empty());
    // Nothing is left beside the files.
    let beside = project.files().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".tmp")).count();
    assert_eq!(beside, 0);
}

#[test]
fn a_report_replaces_an_older_file_whole() {
    let project = recorded();
    project.write("report.csv", &vec![b'x'; 1 << 20]);
    project.run(["report", "-o", "report.csv"]).exits(0);
    assert_eq!(records(&project.read("report.csv")).len(), 2 * EXAMPLES);
}

#[test]
fn a_row_is_a_trial_and_formulas_are_text() {
    let server = ScriptedServer::start(|request, _| match wants_schema(request) {
        true => schema_helps(request),
        false if last_user(request).contains("number 2 ") => Answer::error(400, "bad", "=HYPERLINK(\"http://x\")"),
        false => say("=cmd|' /C calc'!A0\n\"x\", é"),
    });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let rows = records(project.run(["report", "--format", "csv"]).exits(0).stdout());
    assert_eq!(rows.len(), 2 * EXAMPLES);
    let of = |variant: &str, example: &str| {
        rows.iter().find(|row| field(row, "variant") == variant && field(row, "example") == example).unwrap()
    };
    let plain = of("plain", "e01");
    assert_eq!(field(plain, "answer"), "'=cmd|' /C calc'!A0\n\"x\", é");
    assert_eq!((field(plain, "score"), field(plain, "score_label"), field(plain, "valid")), ("0", "0", "false"));
    assert_eq!((field(plain, "tags"), field(plain, "round")), ("{\"parity\":\"odd\"}", "1"));
    let failed = of("plain", "e02");
    assert_eq!(
        (field(failed, "outcome"), field(failed, "failure"), field(failed, "answer")),
        ("failed", "bad-request", "")
    );
    let schema = of("schema", "e01");
    assert_eq!((field(schema, "expected_label"), field(schema, "label")), ("green", "green"));
    assert_eq!((field(schema, "output_tokens"), field(schema, "cost_usd")), ("5", ""));
    assert!(field(schema, "sent_at").ends_with('Z') && field(schema, "total_ms").parse::<f64>().is_ok());
    let right: f64 = rows
        .iter()
        .filter(|row| field(row, "variant") == "schema")
        .map(|row| field(row, "score").parse::<f64>().unwrap())
        .sum();
    assert_eq!(right as usize, EXAMPLES);
}

#[test]
fn the_scoreboard_is_a_table_too() {
    let project = recorded();
    let report = project.run(["report", "--format", "json"]).exits(0).json();
    let rows = records(project.run(["report", "--format", "csv", "--rows", "variants"]).exits(0).stdout());
    assert_eq!(rows.len(), 2);
    for (row, variant) in rows.iter().zip(report["variants"].as_array().unwrap()) {
        assert_eq!(field(row, "variant"), variant["variant"].as_str().unwrap());
        for (column, place) in [("accuracy", "point"), ("accuracy_low", "low"), ("accuracy_high", "high")] {
            assert_eq!(field(row, column).parse::<f64>().unwrap(), variant["accuracy"][place].as_f64().unwrap());
        }
    }
    assert_eq!(field(&rows[1], "standing"), "best");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_says_how_to_have_it() {
    let project = recorded();
    project.run(["report", "-o", "trials.parquet"]).exits(2).says("--features parquet");
    assert!(!project.path("trials.parquet").exists());
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_has_the_rows_of_the_csv() {
    let project = recorded();
    project.run(["report", "-o", "trials.parquet"]).exits(0).says("24 rows");
    let bytes = std::fs::read(project.path("trials.parquet")).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
}
