//! A tuned model against the test that was frozen with its training data.

use std::path::Path;

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::{right, schema_helps};
use crate::support::{Project, ScriptedServer};

const EXPORT: [&str; 8] =
    ["export", "suites/tiny", "--format", "sharegpt", "-o", "train.jsonl", "--validation-share", "0"];
const ACCEPT: [&str; 4] = ["accept", "train.manifest.json", "--model", "live/small"];

/// The tiny suite with this target, exported.
fn exported(server: &ScriptedServer, target: &str) -> Project {
    let project = Project::new().suite("tiny").live(server);
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", &format!("accuracy = {target}"));
    project.run(EXPORT).exits(0);
    project
}

#[test]
fn a_model_that_meets_the_frozen_target_is_accepted() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = exported(&server, "0.7");
    let found = project.run(ACCEPT.iter().chain(&["--json"])).exits(0).json();
    fits(&found, "accept");
    assert_eq!((&found["judgement"]["verdict"], &found["exit_code"]), (&json!("accepted"), &json!(0)));
    assert_eq!(found["judgement"]["n"], 12);
    // It is a run like any other.
    let report = project.run(["report", "last", "--json"]).exits(0).json();
    fits(&report, "run");
    assert_eq!((&report["run"], &report["variants"][0]["variant"]), (&found["run"], &json!("candidate")));
    project.run(["show", "last", "e01"]).exits(0).says("candidate");
    // What is in the store is not paid twice, and says the same.
    assert_eq!(project.run(ACCEPT.iter().chain(&["--json"])).exits(0).json()["judgement"], found["judgement"]);
    assert!(project.run(ACCEPT).exits(0).stdout().contains("ACCEPTED"));
}

#[test]
fn what_an_export_left_out_of_the_pool_does_not_stop_the_test() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", "accuracy = 0.7");
    let example = project.read("suites/tiny/examples.jsonl").lines().next().unwrap().replace("e01", "p99") + "\n";
    project.write("suites/tiny/pool.jsonl", (project.read("suites/tiny/pool.jsonl") + &example).as_bytes());
    project.run(EXPORT).exits(2).says("training/test-leak");
    project.run(EXPORT.iter().chain(&["--drop-leaks"])).exits(0);
    project.run(ACCEPT).exits(0);
}

#[test]
fn twelve_examples_do_not_settle_a_high_target() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = exported(&server, "0.9");
    let found = project.run(ACCEPT.iter().chain(&["--json"])).exits(3).json();
    fits(&found, "accept");
    // ln 0.05 / ln 0.9: all right on 29.
    assert_eq!(found["judgement"]["target"]["n_to_settle"], 29);
    project.run(ACCEPT).exits(3).says("about 29 examples would settle it");
}

#[test]
fn a_model_behind_the_variant_in_use_is_rejected_though_it_meets_the_target() {
    // The schema variant is in use and always right; the tuned model is asked in text, and always says red.
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", "accuracy = 0.05");
    project.edit(
        "suites/tiny/suite.toml",
        "task = \"classification\"",
        "task = \"classification\"\nincumbent = \"schema\"",
    );
    project.edit(
        "suites/tiny/suite.toml",
        "[targets]",
        "[[variants]]\nname = \"tuned\"\nmodel = \"toy/small\"\nprompt = \"v1\"\ntuned = { method = \"lora\" }\n\n[targets]",
    );
    project.edit("suites/tiny/suite.toml", "toy/small", "live/small");
    project.run(["run", "suites/tiny", "--variants", "schema"]).exits(0);
    project.run(EXPORT).exits(0);
    let found = project.run(ACCEPT.iter().chain(&["--json"])).exits(1).json();
    fits(&found, "accept");
    let judged = &found["judgement"];
    assert_eq!((&judged["verdict"], &judged["target"]["answer"]), (&json!("rejected"), &json!("met")));
    assert_eq!((&judged["incumbent"]["answer"], &judged["incumbent"]["run"]), (&json!("inferior"), &json!("tiny-1")));
    // Asked with a schema it is as good as what is in use, as far as twelve examples can tell.
    let schema = project.run(ACCEPT.iter().chain(&["--structured", "json-schema", "--json"])).exits(3).json();
    assert_eq!(schema["judgement"]["accuracy"], 1.0);
    assert!(schema["notes"][0].as_str().unwrap().contains("--structured"), "{}", schema["notes"]);
}

#[test]
fn another_test_than_the_frozen_one_is_refused() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = exported(&server, "0.7");
    let examples = project.read("suites/tiny/examples.jsonl");
    project.write("suites/tiny/examples.jsonl", examples.replace("number 5 looks", "number 5 seems").as_bytes());
    project.run(ACCEPT).exits(2).says("1 test example is not as before: `e05`");
    let fewer: String = examples.lines().skip(1).map(|line| format!("{line}\n")).collect();
    project.write("suites/tiny/examples.jsonl", fewer.as_bytes());
    project.run(ACCEPT).exits(2).says("1 test example is gone: `e01`");
    project.write("suites/tiny/examples.jsonl", examples.as_bytes());
    project.edit("suites/tiny/schema.json", "\"additionalProperties\": false", "\"additionalProperties\": true");
    project.run(ACCEPT).exits(2).says("the schema of an answer is another");
    project.edit("suites/tiny/schema.json", "\"additionalProperties\": true", "\"additionalProperties\": false");
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"", "kind = \"contains\"");
    project.run(ACCEPT).exits(2).says("the primary scorer, or how answers are read, is another");
    project.edit("suites/tiny/suite.toml", "kind = \"contains\"", "kind = \"exact\"");
    // Another target in suite.toml moves nothing: what was frozen stands.
    project.edit("suites/tiny/suite.toml", "accuracy = 0.7", "accuracy = 0.99");
    let found = project.run(ACCEPT.iter().chain(&["--json"])).exits(0).json();
    assert_eq!(found["judgement"]["target"]["target"], 0.7);
    assert!(found["notes"][0].as_str().unwrap().contains("the frozen test has not"), "{}", found["notes"]);
}

#[test]
fn what_cannot_be_asked_is_no_verdict() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = exported(&server, "0.7");
    project.run(["accept", "train.manifest.json", "--model", "nobody/small"]).exits(2).says("no provider file has");
    project.run(["accept", "train.manifest.json", "--model", "small"]).exits(2).says("provider/model");
    project.run(["accept", "train.jsonl", "--model", "live/small"]).exits(2).says("is no manifest");
    project.run(["accept", "nothing.json", "--model", "live/small"]).exits(2).says("training/unreadable");
    drop(server);
    let server = ScriptedServer::start(|_, _| crate::support::Answer::error(401, "invalid_request_error", "no"));
    let project = project.live(&server);
    let found = project.run(ACCEPT.iter().chain(&["--json"])).exits(4).json();
    fits(&found, "accept");
    assert_eq!(found["judgement"]["verdict"], "could-not-finish");
}

#[test]
fn the_shipped_adapter_is_judged_by_its_recording() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/outages");
    let project = Project::new();
    let suite = suite.to_str().unwrap();
    project.run(["export", suite, "--format", "openai-chat", "-o", "train.jsonl"]).exits(0);
    let manifest: Value = serde_json::from_str(&project.read("train.manifest.json")).unwrap();
    assert_eq!(manifest["prompt"]["name"], "short", "the prompt of the suite's tuned variants");
    let rows = manifest["files"]["train"]["rows"].as_u64().unwrap()
        + manifest["files"]["validation"]["rows"].as_u64().unwrap();
    assert_eq!(rows, 698);
    let accept = ["accept", "train.manifest.json", "--model", "smollm2/135m-outages", "--json"];
    let found = project.run(accept).exits(1).json();
    fits(&found, "accept");
    assert_eq!((&found["provenance"], &found["judgement"]["n"]), (&json!("recorded"), &json!(280)));
    assert_eq!(found["judgement"]["target"]["answer"], "not-met");
}
