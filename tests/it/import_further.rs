//! `ceiling import`, further: gated night by night, older files, and what a user is told.

use serde_json::{Value, json};

use crate::import::{import, report, variant};
use crate::schemas::fits;
use crate::support::Project;

/// Lines of one variant that is right on the first so many of 300 examples.
fn nightly(right: usize) -> String {
    let line = |n: usize| {
        json!({"variant": "bot", "example": format!("e{n}"), "input": format!("q{n}"), "expected": "a",
               "answer": if n < right { "a" } else { "b" }, "score": u8::from(n < right)})
    };
    (0..300).map(|n| line(n).to_string() + "\n").collect()
}

#[test]
fn a_nightly_file_is_gated_against_the_first() {
    let project = Project::new();
    project.write("results.jsonl", nightly(290).as_bytes());
    import(&project, &["results.jsonl", "-o", "suites/nightly"]);
    project.run(["baseline", "last", "-o", "base.json"]).exits(0);
    let gate = |run: &str, exit: i32| {
        let gate = ["gate", "suites/nightly", "--baseline", "base.json", "--run", run, "--json"];
        let document = project.run(gate).exits(exit).json();
        fits(&document, "gate");
        document
    };
    for (right, exit, answer) in [(289, 0, "held"), (200, 1, "regressed")] {
        project.write("results.jsonl", nightly(right).as_bytes());
        let said = import(&project, &["results.jsonl", "--suite", "suites/nightly"]);
        assert_eq!((&said["scores"], &said["primary"]), (&json!("stated"), &json!("score")));
        let document = gate("last", exit);
        assert_eq!(document["answer"], answer);
        assert!(document["notes"].to_string().contains("IMPORTED"), "{document}");
        assert!(!document["notes"].to_string().contains("was answered by"), "{document}");
        assert_eq!(document["baseline"]["days"], json!([null, null]), "the file does not say when it was asked");
        let validity =
            document["variants"][0]["findings"].as_array().unwrap().iter().find(|f| f["metric"] == "validity");
        assert_eq!(validity.unwrap()["n"], 0, "nobody looked at the answers' shape");
        if exit == 1 {
            let confirmation = &document["variants"][0]["confirmation"];
            assert_eq!(confirmation["state"], "impossible", "{document}");
            assert!(confirmation["why"].as_str().unwrap().contains("nothing is asked"), "{confirmation}");
        }
    }
    project.edit(
        "suites/nightly/suite.toml",
        "[[variants]]",
        "[[variants]]\nname = \"other\"\nmodel = \"imported/bot\"\nprompt = \"imported\"\n\n[[variants]]",
    );
    project.run(["baseline", "last", "-o", "other.json", "--variant", "bot"]).exits(0);
    let other = project.read("other.json").replace("\"bot\"", "\"other\"");
    project.write("other.json", other.as_bytes());
    let gate = ["gate", "suites/nightly", "--baseline", "other.json", "--variant", "other", "--run", "last"];
    project.run(gate).exits(2).says("has no answer of `other`; it has those of `bot`");
    project.write("other.jsonl", nightly(10).as_bytes());
    import(&project, &["other.jsonl"]);
    project
        .run(["gate", "suites/nightly", "--baseline", "base.json", "--variant", "bot", "--run", "last"])
        .exits(2)
        .says("is of the suite `other`");
    project.run(["gate", "suites/nightly", "--baseline", "base.json", "--variant", "bot", "--run", "none-1"]).exits(2);
}

/// A result as promptfoo wrote it before it numbered columns and tests.
fn unnumbered(test: usize, prompt: &str) -> Value {
    let vars = json!({"question": format!("q{test}")});
    json!({
        "provider": {"id": "openai:gpt-4"}, "prompt": {"raw": format!("{prompt} q{test}"), "label": prompt}, "vars": vars,
        "response": {"output": "a"}, "success": test.is_multiple_of(2), "score": 1, "namedScores": {}, "latencyMs": 90,
    })
}

#[test]
fn promptfoo_s_older_files_are_read_though_they_number_nothing() {
    let project = Project::new();
    let rows: Vec<Value> =
        (0..20).map(|n| unnumbered(n / 2, ["Short: {{question}}", "Long: {{question}}"][n % 2])).collect();
    let summary = json!({"version": 2, "timestamp": "2024-03-01T10:00:00Z", "results": rows, "stats": {}, "table": {}});
    project.write("summary.json", summary.to_string().as_bytes());
    let whole = json!({"evalId": "e", "results": summary, "config": {}, "shareableUrl": null});
    project.write("whole.json", whole.to_string().as_bytes());
    for file in ["summary.json", "whole.json"] {
        let said = import(&project, &[file]);
        assert_eq!(
            [&said["format"], &said["trials"], &said["examples"]],
            [&json!("promptfoo"), &json!(20), &json!(10)]
        );
        let names: Vec<&str> =
            said["variants"].as_array().unwrap().iter().filter_map(|v| v["variant"].as_str()).collect();
        assert_eq!(names, ["openai-gpt-4-p1", "openai-gpt-4-p2"]);
    }
}

#[test]
fn what_cannot_be_imported_says_why() {
    let project = Project::new();
    let line = |n: usize, score: Value| json!({"example": n, "answer": "x", "score": score}).to_string() + "\n";
    let refused = |name: &str, text: &str| {
        project.write(name, text.as_bytes());
        project.run(["import", name]).exits(2)
    };
    refused("empty.jsonl", "\n").says("`empty.jsonl` is empty");
    refused("half.jsonl", "{\"example\": \"a\", \"answer\": \"\\ud800\", \"score\": 1}\n")
        .says("half.jsonl:1")
        .says("not JSON");
    refused("deep.jsonl", &format!("{{\"example\": {}\n", "[".repeat(200_000))).says("recursion limit");
    refused("other.json", "{\n \"a\": 1\n}\n").says("of no tool that is known here");
    let stars: String = (0..10).map(|n| line(n, json!(n % 5 + 1))).collect();
    refused("stars.jsonl", &stars).says("not from 0 to 1").says("map the scale");
}

#[test]
fn answers_without_a_score_are_said_to_be_unscored() {
    let project = Project::new();
    let line = |n: usize| {
        let score = if n < 30 { json!(1) } else { Value::Null };
        json!({"example": n / 2, "repeat": n % 2, "answer": "x", "score": score}).to_string() + "\n"
    };
    project.write("some.jsonl", (0..40).map(line).collect::<String>().as_bytes());
    let said = import(&project, &["some.jsonl"]);
    assert!(said["notes"].to_string().contains("10 of 40 answers have no `score`"), "{said}");
    project.run(["import", "some.jsonl", "-o", "again"]).exits(0).says("20 examples, each asked up to 2 times");
}

#[test]
fn a_report_says_by_what_imported_answers_are_wrong() {
    let project = Project::new().suite("tiny");
    let rows: Vec<Value> = project
        .read("suites/tiny/examples.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| json!({"variant": "plain", "example": row["id"], "input": row["input"], "answer": "no JSON", "score": 1}))
        .collect();
    project.write("said.jsonl", rows.iter().map(|row| row.to_string() + "\n").collect::<String>().as_bytes());
    import(&project, &["said.jsonl"]);
    project.run(["report", "last"]).exits(0).says("as the other tool states it");
    assert_eq!(report(&project, "last")["variants"][0]["accuracy"]["point"], 1.0);
    import(&project, &["said.jsonl", "--suite", "suites/tiny"]);
    project.run(["report", "last"]).exits(0).says("an answer that breaks the schema scores 0");
    let anew = report(&project, "last");
    assert_eq!(variant(&anew, "plain")["accuracy"]["point"], 0.0);
}
