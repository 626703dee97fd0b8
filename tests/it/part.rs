//! Runs of a part of the examples: by tag, and by what failed before.

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, right, schema_helps};
use crate::support::{Project, ScriptedServer};

const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];

fn run(project: &Project, more: &[&str]) -> Value {
    project.run(RUN.iter().chain(more).chain(&["--json"])).exits(0).json()
}

#[test]
fn only_examples_with_all_tags_are_asked() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let odd = run(&project, &["--tag", "parity=odd"]);
    fits(&odd, "run");
    assert_eq!(odd["variants"][0]["n"], EXAMPLES / 2);
    assert_eq!(odd["part"], "only examples with parity=odd");
    // Measured again it is the same, and the whole suite is another run.
    let again = project.run(["report", "last", "--json"]).exits(0).json();
    assert_eq!(again, odd);
    assert_eq!(run(&project, &[])["run"], "tiny-2");
    let heading = project.run(["report", "tiny-1"]).exits(0);
    assert!(heading.stdout().contains("only examples with parity=odd"), "{}", heading.stdout());
    let both = ["--tag", "parity=odd", "--tag", "parity=even"];
    project.run(RUN.iter().chain(&both)).exits(2).says("none of the examples is wanted");
    project.run(RUN.iter().chain(&["--tag", "parity"])).exits(2).says("expected NAME=VALUE");
    let plan = ["plan", "suites/tiny", "--provider", "toy=live", "--tag", "parity=odd", "--limit", "4", "--json"];
    assert_eq!(project.run(plan).exits(0).json()["requests"]["examples"], 4);
}

#[test]
fn an_example_that_the_suite_does_not_have_is_named() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let some = ["--examples", "e01,e1,nobody,e02"];
    let output = project.run(RUN.iter().chain(&some)).exits(0);
    assert!(output.stderr().contains("`tiny` has no example `e1`, `nobody`"), "{}", output.stderr());
    let none = ["--examples", "e1,nobody"];
    project.run(RUN.iter().chain(&none)).exits(2).says("none of the examples is wanted");
    // What another part leaves out is there all the same.
    let part = ["--examples", "e01,e02", "--tag", "parity=odd"];
    let output = project.run(RUN.iter().chain(&part)).exits(0);
    assert!(!output.stderr().contains("has no example"), "{}", output.stderr());
}

#[test]
fn failures_are_asked_again_and_no_verdict_is_drawn_from_them() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    run(&project, &[]);
    // `plain` says red to all: right for four of the twelve.
    let output = project.run(RUN.iter().chain(&["--only-failed", "last", "--fresh", "--json"])).exits(0);
    assert!(output.stderr().contains("8 of 12 examples failed in run tiny-1"), "{}", output.stderr());
    let report = output.json();
    fits(&report, "run");
    assert_eq!((&report["run"], &report["variants"][0]["n"]), (&json!("tiny-2"), &json!(8)));
    assert_eq!(report["variants"][0]["accuracy"]["point"], 0.0);
    let part = report["part"].as_str().unwrap();
    assert!(part.contains("8 examples that FAILED in run tiny-1"), "{part}");
    let verdict = &report["verdict"];
    assert_eq!((&verdict["kind"], &verdict["rule"]), (&json!("not-enough-evidence"), &json!("L1_no_usable_data")));
    assert!(verdict["reasons"][0].as_str().unwrap().contains("those that failed in run tiny-1"), "{verdict}");
    assert_eq!(verdict["triggers"]["t2"]["state"], "unknown");
    assert_eq!((&verdict["any_prompt"]["status"], &verdict["paired"]), (&json!("unknown"), &Value::Null));
    // It stays so when it is measured again.
    assert_eq!(project.run(["report", "tiny-2", "--json"]).exits(0).json(), report);
    let decided = project.run(["decide", "tiny-2", "--json"]).exits(0).json();
    assert_eq!(decided["verdict"], report["verdict"]);
    project.run(["baseline", "tiny-2", "-o", "b.json"]).exits(2).says("it is no baseline");
    for form in ["md", "html", "text"] {
        let text = project.run(["report", "tiny-2", "--format", form]).exits(0);
        assert!(text.stdout().contains("FAILED in run tiny-1"), "{form}");
    }
}

#[test]
fn whose_failures_count_can_be_said() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    run(&project, &[]);
    // `schema` is always right, so nothing of it failed.
    let schema = RUN.iter().chain(&["--only-failed", "tiny-1", "--variants", "schema"]);
    project.run(schema).exits(2).says("nothing to ask");
    // A variant that the run did not have is tried on what failed in the others.
    let third = "[[variants]]\nname = \"new\"\nmodel = \"toy/small\"\nprompt = \"v1\"\n[targets]";
    project.edit("suites/tiny/suite.toml", "[targets]", third);
    let new = run(&project, &["--only-failed", "tiny-1", "--variants", "new", "--examples", "e01,e02,e03"]);
    assert_eq!(new["variants"][0]["n"], 2, "e01 and e02 of e01 to e03 failed or not: {}", new["part"]);
}

#[test]
fn what_is_missing_failed() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(RUN.iter().chain(&["--max-time", "0"])).exits(4);
    project.run(RUN.iter().chain(&["--only-failed", "last"])).exits(2).says("no finished run of `tiny`");
    assert_eq!(run(&project, &["--only-failed", "tiny-1"])["variants"][0]["n"], EXAMPLES);
    let other = Project::new().suite("tiny").suite("other").live(&server);
    run(&other, &[]);
    let of_another = ["run", "suites/other", "--provider", "toy=live", "--only-failed", "tiny-1"];
    other.run(of_another).exits(2).says("is of the suite `tiny`");
    other.run(RUN.iter().chain(&["--only-failed", "tiny-1", "--stop-when-decided"])).exits(2);
}

#[test]
fn several_suites_end_with_one_table() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").suite("other").live(&server);
    let arguments = ["run", "suites/tiny", "suites/nowhere", "suites/other", "--provider", "toy=live"];
    let output = project.run(arguments).exits(2);
    let table = output.stdout().split("Suites\n").nth(1).unwrap();
    for row in [
        "tiny     tiny-1",
        "▲ schema 100.0% [75.8–100.0]",
        "plain 33.3% [13.8–60.9]",
        "(L3_trigger_unknown)",
        "wrong input",
    ] {
        let row: Vec<&str> = row.split_whitespace().collect();
        let words: Vec<&str> = table.split_whitespace().collect();
        assert!(words.windows(row.len()).any(|window| window == row), "{row:?} in\n{table}");
    }
    assert_eq!(table.lines().count(), 4, "{table}");
    // A narrow terminal has the same in words.
    let narrow = Project::new().suite("tiny").suite("other").live(&server).env("COLUMNS", "60");
    let output = narrow.run(["run", "suites/tiny", "suites/other", "--provider", "toy=live"]).exits(0);
    let table = output.stdout().split("Suites\n").nth(1).unwrap();
    assert!(table.contains("tiny: run tiny-1;") && table.lines().all(|line| line.chars().count() <= 60), "{table}");
    let one = project.run(["run", "suites/tiny", "--provider", "toy=live"]).exits(0);
    assert!(!one.stdout().contains("Suites"));
    let documents = project.run(arguments.iter().chain(&["--json"])).exits(2).json();
    assert_eq!(documents.as_array().unwrap().len(), 3);
}
