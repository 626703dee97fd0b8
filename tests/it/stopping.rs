//! `run --stop-when-decided`: fewer requests, the same answer to each target, and no second asking.

use serde_json::{Value, json};

use crate::resume::{Gate, interrupted};
use crate::schemas::fits;
use crate::support::project::{COLOURS, colour_of, right};
use crate::support::{Output, Project, ScriptedServer, say, wants_schema};

const RUN: [&str; 8] =
    ["run", "suites/tiny", "--provider", "toy=live", "--concurrency", "2", "--stop-when-decided", "--json"];

/// Examples of these suites: enough for a sequence to settle a target of 0.5.
const MANY: usize = 120;

/// The tiny suite with many examples and these targets.
fn project(targets: &str) -> Project {
    let project = Project::new().suite("tiny");
    let examples: String = (0..MANY)
        .map(|place| {
            let colour = COLOURS[place % 3];
            let row = json!({"id": format!("e{place:03}"), "input": format!("the ball number {place} looks {colour}"),
                             "expected": {"label": colour}});
            format!("{row}\n")
        })
        .collect();
    project.write("suites/tiny/examples.jsonl", examples.as_bytes());
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9\n", targets);
    project
}

/// Right with a schema; without one always red, so right for a third.
fn schema_helps(request: &Value) -> crate::support::Answer {
    if wants_schema(request) { right(request) } else { say("{\"label\":\"red\"}") }
}

fn stopped<'a>(document: &'a Value, variant: &str) -> &'a Value {
    let all = document["anytime"]["variants"].as_array().unwrap();
    all.iter().find(|one| one["variant"] == variant).unwrap()
}

fn row<'a>(document: &'a Value, variant: &str) -> &'a Value {
    document["variants"].as_array().unwrap().iter().find(|one| one["variant"] == variant).unwrap()
}

/// Requests that came with a schema, and without one.
fn asked(server: &ScriptedServer) -> (usize, usize) {
    let seen = server.seen();
    let schema = seen.iter().filter(|seen| wants_schema(&seen.body)).count();
    (schema, seen.len() - schema)
}

#[test]
fn met_and_missed_targets_end_their_variants_early() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = project("accuracy = 0.7\n").live(&server);
    let output = project.run(RUN).exits(0);
    let document = output.json();
    fits(&document, "run");
    let (with, without) = asked(&server);
    assert!(with < 40 && without < 60, "{with} {without}");
    for (variant, answer, sent) in [("schema", "met", with), ("plain", "not-met", without)] {
        let one = stopped(&document, variant);
        assert_eq!((&one["stopped"], &one["targets"][0]["answer"]), (&json!("decided"), &json!(answer)), "{one}");
        assert_eq!(
            (one["asked_requests"].as_u64(), one["saved_requests"].as_u64()),
            (Some(sent as u64), Some((MANY - sent) as u64))
        );
        let accuracy = &row(&document, variant)["accuracy"];
        assert_eq!((&accuracy["method"], &accuracy["n"]), (&json!("confidence-sequence"), &one["measured"]));
        assert!(one["stopped_at"].as_u64() <= one["measured"].as_u64());
        // Tokens are reported, prices are not.
        assert!(one["saved_tokens"].as_f64().unwrap() > 0.0 && one["saved_usd"].is_null());
    }
    assert_eq!(document["anytime"]["planned"], MANY);
    assert_eq!(document["steps"][0]["accuracy"]["method"], "betting-confidence-sequence");
    let runs = project.run(["runs", "--json"]).exits(0).json();
    assert_eq!(runs["runs"][0]["state"], "finished", "nothing is missing");
    for words in ["variant `schema` is decided (after", "variant `plain` is decided (after"] {
        assert!(output.stderr().contains(words), "{}", output.stderr());
    }
}

#[test]
fn the_terminal_says_what_was_saved() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = project("accuracy = 0.5\n").live(&server);
    let price = "[models.small]\nprice = { input = 1.0, cache_read = 0.1, output = 1.0 }\n";
    project.edit("providers/live.toml", "[models.small]\n", price);
    let output = project.run(RUN.iter().filter(|argument| **argument != "--json")).exits(0);
    let words: Vec<&str> = output.stdout().split_whitespace().collect();
    let text = words.join(" ");
    for said in [
        "schema: stopped early after",
        "of 120 examples",
        "accuracy 50% met; saved",
        "accuracy 50% missed; saved",
        "requests (about $0.00",
        "confidence sequences at 95%: valid at any stop",
        "two variants are compared on the examples that both have",
        "with its 95% confidence sequence",
    ] {
        assert!(text.contains(said), "no {said:?} in\n{}", output.stdout());
    }
}

#[test]
fn what_no_answers_could_settle_is_given_up() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = project("accuracy = 0.7\nschema_validity = 0.999\n").live(&server);
    let document = project.run(RUN).exits(0).json();
    fits(&document, "run");
    let one = stopped(&document, "plain");
    assert_eq!(one["stopped"], "futile");
    let answers: Vec<&Value> = one["targets"].as_array().unwrap().iter().map(|goal| &goal["answer"]).collect();
    assert_eq!(answers, [&json!("met"), &json!("not-enough-evidence")]);
    assert!(server.count() < MANY, "{}", server.count());
}

/// The run's own words for how each variant stopped, and its figures.
fn result(output: &Output) -> Vec<Value> {
    let document = output.json();
    ["plain", "schema"]
        .iter()
        .map(|name| {
            let one = stopped(&document, name);
            json!([one["stopped"], one["stopped_at"], one["targets"]])
        })
        .collect()
}

#[test]
fn an_interrupted_run_goes_on_and_asks_nothing_twice() {
    let undisturbed = {
        let server = ScriptedServer::start(|request, _| schema_helps(request));
        result(&project("accuracy = 0.7\n").live(&server).run(RUN).exits(0))
    };
    // The variant without a schema is held back from its 12th request on; the other one is decided meanwhile.
    let gate = std::sync::Arc::new(Gate::default());
    let held = std::sync::Arc::clone(&gate);
    let plain = std::sync::atomic::AtomicUsize::new(0);
    let server = ScriptedServer::start(move |request, _| {
        if !wants_schema(request) && plain.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 11 {
            held.pass();
        }
        schema_helps(request)
    });
    let project = project("accuracy = 0.7\n").live(&server);
    let mut child = project.start(RUN.iter().chain(&["--order", "interleaved"]));
    while asked(&server).1 < 12 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
    }
    let (mut stderr, mut said) = interrupted(&mut child);
    gate.open();
    while std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0 {}
    Output::of(child.wait_with_output().unwrap()).exits(130);

    let before = server.count();
    let again = project.run(RUN.iter().chain(&["--order", "interleaved"])).exits(0);
    assert_eq!(again.json()["run"], "tiny-1");
    assert_eq!(result(&again), undisturbed);
    let bodies: std::collections::BTreeSet<String> = server.seen().iter().map(|seen| seen.body.to_string()).collect();
    assert_eq!(bodies.len(), server.count(), "nothing is asked twice");
    assert!(server.count() > before);

    // It is finished: the next run finds every answer in the store and comes to the same end.
    let all = server.count();
    let third = project.run(RUN.iter().chain(&["--order", "interleaved"])).exits(0);
    assert_eq!(third.json()["run"], "tiny-2");
    assert_eq!((server.count(), result(&third)), (all, undisturbed));
}

#[test]
fn a_killed_run_does_not_ask_a_decided_variant_again() {
    // Right for a third, against 35%: the variant without a schema goes on, and one answer of it is held
    // back, so that it is not at its end. One only: two would take both places that the run has.
    let gate = std::sync::Arc::new(Gate::default());
    let held = std::sync::Arc::clone(&gate);
    let plain = std::sync::atomic::AtomicUsize::new(0);
    let server = ScriptedServer::start(move |request, _| {
        if !wants_schema(request) && plain.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 40 {
            held.pass();
        }
        schema_helps(request)
    });
    let project = project("accuracy = 0.35\n").live(&server);
    let mut child = project.start(RUN);
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("variant `schema` is decided") {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    gate.open();
    let (with, without) = asked(&server);
    let document = project.run(RUN).exits(0).json();
    assert_eq!((&document["run"], &stopped(&document, "schema")["stopped"]), (&json!("tiny-1"), &json!("decided")));
    let after = asked(&server);
    // What the killed process had written may still have been read by the server after it was counted.
    assert!(after.0 <= with + 2 && after.1 > without, "the decided variant is asked no more: {with} {after:?}");
}

#[test]
fn by_variant_clusters_and_repeats_work_the_same() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = project("accuracy = 0.7\n").live(&server);
    let text = project.read("suites/tiny/examples.jsonl");
    let clustered: String = text
        .lines()
        .enumerate()
        .map(|(place, line)| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row["cluster"] = json!(format!("c{}", place / 4));
            format!("{row}\n")
        })
        .collect();
    project.write("suites/tiny/examples.jsonl", clustered.as_bytes());
    let more = ["--order", "by-variant", "--repeats", "2"];
    let document = project.run(RUN.iter().chain(&more)).exits(0).json();
    fits(&document, "run");
    let schema = stopped(&document, "schema");
    assert_eq!((&schema["stopped"], &schema["targets"][0]["answer"]), (&json!("decided"), &json!("met")));
    assert_eq!(schema["stopped_at"].as_u64().unwrap() % 4, 0, "whole clusters");
    assert_eq!(document["anytime"]["largest_cluster"], 4);
    assert_eq!(row(&document, "schema")["accuracy"]["method"], "betting-confidence-sequence");
    assert!(schema["saved_requests"].as_u64().unwrap() > 0);
    // A cluster of which only a part was asked is in no figure.
    assert_eq!(row(&document, "schema")["accuracy"]["n"].as_u64().unwrap() % 4, 0);
}

#[test]
fn a_recording_stops_early_too_and_left_out_examples_are_no_gap() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = project("accuracy = 0.7\n").live(&server);
    let store = ["--store", "recording.db"];
    project.run(["run", "suites/tiny", "--provider", "toy=live"].into_iter().chain(store)).exits(0);
    project.run(["record", "last", "-o", "suites/tiny/recording.jsonl"].into_iter().chain(store)).exits(0);
    let run = ["run", "suites/tiny", "--stop-when-decided", "--json", "--concurrency", "2"];
    let document = project.run(run).exits(0).json();
    assert_eq!(stopped(&document, "schema")["stopped"], "decided");
    assert!(stopped(&document, "schema")["saved_requests"].as_u64().unwrap() > 0);

    // Every fifth request is not in the recording.
    let text = project.read("suites/tiny/recording.jsonl");
    let fewer: Vec<&str> =
        text.lines().enumerate().filter(|(place, _)| *place == 0 || place % 5 != 2).map(|(_, line)| line).collect();
    project.write("suites/tiny/recording.jsonl", (fewer.join("\n") + "\n").as_bytes());
    let output = project.run(run.iter().chain(&["--recorded-only"])).exits(0);
    let document = output.json();
    for (variant, answer) in [("schema", "met"), ("plain", "not-met")] {
        let one = stopped(&document, variant);
        assert_eq!((&one["stopped"], &one["targets"][0]["answer"]), (&json!("decided"), &json!(answer)), "{one}");
        assert!(one["measured"].as_u64().unwrap() < one["stopped_at"].as_u64().unwrap() + 10);
    }
}

#[test]
fn what_cannot_be_decided_is_said_before_anything_is_asked() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = project("monthly_budget_usd = 5.0\n").live(&server);
    let error = project.run(RUN).exits(2).json();
    fits(&error, "error");
    assert!(error["error"]["message"].as_str().unwrap().contains("nothing to decide"), "{error}");
    project.edit("suites/tiny/suite.toml", "monthly_budget_usd = 5.0\n", "accuracy = 0.7\n");
    let words = "--stop-when-decided does not go with --batch";
    project.run(RUN.iter().chain(&["--batch"])).exits(2).says(words);
    let scorer = "kind = \"command\"\ncommand = [\"sh\", \"score.sh\"]\nat = \"/label\"";
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"\nat = \"/label\"", scorer);
    project.run(RUN).exits(2).says("the primary scorer `label` is a process");
    assert_eq!(server.count(), 0);
}

#[test]
fn a_run_of_fixed_length_says_nothing_of_stopping() {
    let server = ScriptedServer::start(|request, _| say(&json!({"label": colour_of(request)}).to_string()));
    let project = project("accuracy = 0.7\n").live(&server);
    let fixed = project.run(["run", "suites/tiny", "--provider", "toy=live", "--json", "--limit", "9"]).exits(0).json();
    assert!(fixed["anytime"].is_null());
    assert_eq!(fixed["variants"][0]["accuracy"]["method"], "wilson");
    // Another run, since the order is another; its answers serve, and too few examples settle nothing.
    let few = project.run(RUN.iter().chain(&["--limit", "9"])).exits(0).json();
    assert_eq!((&few["run"], server.count()), (&json!("tiny-2"), 18));
    let one = stopped(&few, "plain");
    assert_eq!((&one["stopped"], &one["measured"], &one["saved_requests"]), (&Value::Null, &json!(9), &json!(0)));
}
