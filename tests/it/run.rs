//! `ceiling run`: from a suite to a scoreboard, on recordings and on live servers.

use serde_json::{Value, json};

use crate::support::project::{EXAMPLES, colour_of, right, schema_helps};
use crate::support::redact::redact;
use crate::support::{Answer, Output, Project, ScriptedServer, events, last_user, say, wants_schema};

const RECORDED: [&str; 3] = ["run", "suites/tiny", "--json"];
const LIVE: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "--json"];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().chain(more).copied().collect()
}

/// A variant's row of `run --json`.
fn row(output: &Output, variant: &str) -> Value {
    let document = output.json();
    let rows = document["variants"].as_array().unwrap();
    rows.iter().find(|row| row["variant"] == variant).unwrap_or_else(|| panic!("no {variant} in {document}")).clone()
}

fn outcomes(row: &Value) -> u64 {
    ["answered", "refused", "truncated", "failed"].iter().map(|key| row["outcomes"][key].as_u64().unwrap()).sum()
}

fn near(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9)
}

/// One trial of `show --json`.
fn trial(project: &Project, example: &str, variant: &str) -> Value {
    let shown = project.run(["show", "last", example, "--variant", variant, "--json"]).exits(0).json();
    shown["trials"][0].clone()
}

#[test]
fn a_recording_runs_to_scoreboard_and_verdict() {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    let output = project.run(RECORDED).exits(0);
    let document = output.json();
    assert_eq!(document["provenance"], "recorded");
    assert_eq!(document["suite"], "tiny");
    assert!(document["verdict"]["kind"].is_string(), "{document}");
    for key in ["run", "suite", "provenance", "variants", "verdict"] {
        assert!(document.get(key).is_some(), "no {key}");
    }
    for (variant, accuracy) in [("plain", 1.0 / 3.0), ("schema", 1.0)] {
        let row = row(&output, variant);
        for key in [
            "endpoint",
            "macro_f1",
            "schema_validity_strict",
            "schema_validity_lenient",
            "ttft_ms",
            "total_ms",
            "usage",
            "cost_usd_per_request",
        ] {
            assert!(row.get(key).is_some(), "{variant} has no {key}");
        }
        assert_eq!(row["n"], EXAMPLES);
        assert_eq!(outcomes(&row), EXAMPLES as u64);
        assert!(near(&row["accuracy"]["point"], accuracy), "{row}");
        let estimate = row["accuracy"].as_object().unwrap();
        for key in ["point", "low", "high", "level", "n", "method"] {
            assert!(estimate.contains_key(key), "the accuracy has no {key}");
        }
        assert!(row["ttft_ms"]["p50"]["point"].is_number(), "the recorded times are shown: {row}");
        assert!(row["cost_usd_per_request"].is_null(), "no price is known, so no cost is");
    }
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/run.schema.json");
    if let Ok(text) = std::fs::read_to_string(schema) {
        let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn the_scoreboard_of_the_tiny_suite() {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    // The times are those of the test's own server: none is the same twice.
    let text = project.read("suites/tiny/recording.jsonl");
    let timeless: String = text
        .lines()
        .map(|line| {
            let mut entry: Value = serde_json::from_str(line).unwrap();
            if entry.get("total_ms").is_some() {
                entry["total_ms"] = json!(40.0);
                for (place, chunk) in entry["chunks"].as_array_mut().unwrap().iter_mut().enumerate() {
                    chunk[0] = json!(5.0 * (place + 1) as f64);
                }
            }
            format!("{entry}\n")
        })
        .collect();
    project.write("suites/tiny/recording.jsonl", timeless.as_bytes());
    let output = project.run(["run", "suites/tiny", "-q"]).exits(0);
    insta::assert_snapshot!("scoreboard", redact(&project, output.stdout()));
    let report = project.run(["report"]).exits(0);
    insta::assert_snapshot!("report", redact(&project, report.stdout()));
    let again = project.run(["run", "suites/tiny", "-v"]).exits(0);
    let report = project.run(["report"]).exits(0);
    let stored = report.stdout().replacen(" · graded by the suite as it stands now", "", 1);
    assert_eq!(again.stdout(), stored, "a run with -v shows every section");
}

#[test]
fn what_real_answers_do_comes_out_right() {
    let usage = |cached: u64| {
        json!({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25,
               "prompt_tokens_details": {"cached_tokens": cached}})
    };
    let project = Project::new().suite("tiny").recorded(move |request, _| {
        let input = last_user(request);
        let is = |number: u32| input.contains(&format!("number {number} "));
        if is(1) {
            say("{\"label\": \"purple\"}")
        } else if is(2) {
            Answer::Stream(events(&["{\"label\":", "\"blue\"}", "\n\n\n", "   "], "length", usage(0)))
        } else if is(3) {
            say("The ball is red, I would say.")
        } else if is(4) {
            Answer::Stream(events(&["{\"label\": \"green\"}"], "stop", usage(16)))
        } else if is(5) {
            Answer::Stream(events(&["{\"label\": \"bl"], "length", usage(0)))
        } else {
            right(request)
        }
    });
    let output = project.run(with(&RECORDED, &["--variants", "plain"])).exits(0);
    let plain = row(&output, "plain");
    assert_eq!(plain["outcomes"], json!({"answered": 10, "refused": 0, "truncated": 2, "failed": 0}));
    assert!(near(&plain["accuracy"]["point"], 9.0 / 12.0), "{plain}");
    assert!(near(&plain["schema_validity_strict"]["point"], 9.0 / 12.0), "{plain}");

    let purple = trial(&project, "e01", "plain");
    assert_eq!((&purple["outcome"], &purple["valid"]), (&json!("answered"), &json!(false)));
    assert!(purple["violation"].as_str().unwrap().contains("/label"), "{purple}");
    let cut = trial(&project, "e02", "plain");
    assert_eq!(cut["outcome"], "truncated");
    assert_eq!((&cut["valid"], &cut["scores"]["label"]), (&json!(true), &json!(1.0)));
    let prose = trial(&project, "e03", "plain");
    assert_eq!((&prose["outcome"], &prose["scores"]["label"]), (&json!("answered"), &json!(0.0)));
    let cached = trial(&project, "e04", "plain");
    assert_eq!(cached["usage"]["cache_read_tokens"], 16);
    assert_eq!(cached["usage"]["input_uncached_tokens"], 4);
    assert_eq!(cached["usage"]["reasoning_tokens"], Value::Null, "what is not reported is unknown, not 0");
    assert!(cached["ttft_ms"].is_number(), "the first chunk has no content, the second does");
}

#[test]
fn a_second_run_asks_nothing_and_keeps_the_times() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    let first = project.run(LIVE).exits(0);
    assert_eq!(first.json()["provenance"], "live");
    assert_eq!(server.count(), 2 * EXAMPLES);
    assert!(row(&first, "plain")["ttft_ms"]["p50"]["point"].is_number());
    let before = trial(&project, "e01", "plain");

    let second = project.run(LIVE).exits(0);
    assert_eq!(server.count(), 2 * EXAMPLES, "an identical request is not paid twice");
    assert_ne!(second.json()["run"], first.json()["run"]);
    let plain = row(&second, "plain");
    assert_eq!(plain["reused"], EXAMPLES);
    assert_eq!(plain["accuracy"], row(&first, "plain")["accuracy"]);
    assert!(!plain["ttft_ms"]["p50"]["point"].is_number(), "an old time is no part of a new measurement: {plain}");
    let after = trial(&project, "e01", "plain");
    assert_eq!(after["reused"], true);
    assert_eq!(after["total_ms"], before["total_ms"]);
}

#[test]
fn repeats_are_different_requests() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(with(&LIVE, &["--repeats", "2"])).exits(0);
    assert_eq!(server.count(), 4 * EXAMPLES);
    let plain = row(&output, "plain");
    assert_eq!(outcomes(&plain), 2 * EXAMPLES as u64);
    assert_eq!(plain["reused"], 0);
}

#[test]
fn identical_variants_are_asked_once() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    let twin = "[[variants]]\nname = \"twin\"\nmodel = \"toy/small\"\nprompt = \"v1\"\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "[targets]", twin);
    let output = project.run(LIVE).exits(0);
    assert_eq!(server.count(), 2 * EXAMPLES);
    for variant in ["plain", "twin", "schema"] {
        assert_eq!(outcomes(&row(&output, variant)), EXAMPLES as u64);
        assert!(near(&row(&output, variant)["accuracy"]["point"], 1.0));
    }
}

#[test]
fn fresh_and_changed_prompts_ask_again() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let fresh = project.run(with(&LIVE, &["--fresh"])).exits(0);
    assert_eq!(server.count(), 4 * EXAMPLES);
    assert_eq!(row(&fresh, "plain")["reused"], 0);
    project.edit("suites/tiny/prompts/v1.md.j2", "Name the colour", "Say which colour it is");
    project.run(LIVE).exits(0);
    assert_eq!(server.count(), 6 * EXAMPLES);
    assert!(server.seen().last().unwrap().body.to_string().contains("Say which colour"));
}

#[test]
fn a_request_that_no_recording_knows_is_named() {
    let project = Project::new().suite("tiny").recorded(|request, _| right(request));
    let mut examples = project.read("suites/tiny/examples.jsonl");
    examples.push_str(
        "{\"id\": \"e99\", \"input\": \"the kite number 99 looks red\", \"expected\": {\"label\": \"red\"}}\n",
    );
    project.write("suites/tiny/examples.jsonl", examples.as_bytes());
    let refused = project.run(["run", "suites/tiny"]).exits(2).says("variant `schema`").says("example `e99`");
    assert!(refused.stderr().contains("--recorded-only"), "{}", refused.stderr());
    let output = project.run(with(&RECORDED, &["--recorded-only"])).exits(0);
    assert_eq!(output.json()["trials_left_out"], 2, "{}", output.json());
    assert_eq!(outcomes(&row(&output, "plain")), EXAMPLES as u64);
    project.run(["run", "suites/tiny", "--recorded-only"]).exits(0).says("left out");

    project.edit("suites/tiny/prompts/v1.md.j2", "Name the colour", "Say which colour it is");
    project.run(["run", "suites/tiny"]).exits(2).says("variant `plain`: 13");
}

#[test]
fn a_key_that_is_not_accepted_stops_its_variant_alone() {
    let server = ScriptedServer::start(|request, _| match wants_schema(request) {
        true => Answer::error(401, "invalid_request_error", "Incorrect API key provided."),
        false => right(request),
    });
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(with(&LIVE, &["--concurrency", "2"])).exits(4);
    let refused = server.seen().iter().filter(|seen| wants_schema(&seen.body)).count();
    assert!(refused <= 2, "{refused} requests after the first refusal");
    assert!(near(&row(&output, "plain")["accuracy"]["point"], 1.0));
    assert!(output.stderr().contains("`schema`") && output.stderr().contains("Incorrect API key"));
    let schema = row(&output, "schema");
    assert_eq!(outcomes(&schema), EXAMPLES as u64, "a trial that was not asked is missing, not gone: {schema}");
    assert_eq!(schema["missing"], EXAMPLES);
}

#[test]
fn a_request_that_is_never_accepted_stops_its_variant() {
    let server = ScriptedServer::start(|request, _| match wants_schema(request) {
        true => Answer::error(400, "invalid_request_error", "Unsupported parameter: 'response_format'."),
        false => right(request),
    });
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(with(&LIVE, &["--concurrency", "1"])).exits(4);
    let refused = server.seen().iter().filter(|seen| wants_schema(&seen.body)).count();
    assert!(refused < EXAMPLES, "{refused}");
    assert!(near(&row(&output, "plain")["accuracy"]["point"], 1.0));
    assert!(output.stderr().contains("Unsupported parameter"));
    let schema = row(&output, "schema");
    assert_eq!(outcomes(&schema), EXAMPLES as u64);
    assert_eq!(schema["missing"], EXAMPLES, "refused like all others is missing, not wrong: {schema}");

    // The same command goes on once the server takes the requests.
    let refused = server.count();
    project.run(with(&LIVE, &["--concurrency", "1"])).exits(4).says("going on with run tiny-1");
    assert!(server.count() > refused, "what was refused is asked again");
}

#[test]
fn a_missing_key_is_wrong_input() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live_with_key(&server, "");
    project.run(["run", "suites/tiny", "--provider", "toy=live"]).exits(2).says("SCRIPTED_KEY");
    assert_eq!(server.count(), 0);
    assert!(!project.path(".ceiling").exists());
}

#[test]
fn the_key_is_nowhere_even_when_the_server_echoes_it() {
    const KEY: &str = "sk-scripted-0123456789abcdef";
    let server = ScriptedServer::start(|request, _| {
        let is = |number: u32| last_user(request).contains(&format!("number {number} "));
        let echo = format!("no such thing for the key {KEY}, sorry");
        if is(1) {
            Answer::error(400, "invalid_request_error", &echo)
        } else if is(2) {
            Answer::Whole(400, vec![("content-type", "text/html".into())], format!("<b>{echo}</b>"))
        } else if is(3) {
            Answer::Stream(events(&[&json!({"label": KEY}).to_string()], "stop", Value::Null))
        } else if is(12) {
            Answer::Whole(302, vec![("location", format!("/v1/{KEY}"))], echo)
        } else {
            right(request)
        }
    });
    let project = Project::new().suite("tiny").live_with_key(&server, KEY);
    let run = project.run(["run", "suites/tiny", "--provider", "toy=live", "-vv", "--variants", "plain"]).exits(4);
    assert_eq!(server.seen()[0].headers["authorization"], format!("Bearer {KEY}"));
    let recorded = project.run(["record", "last", "-o", "recording.jsonl"]).exits(0);
    let mut said = run.said() + &recorded.said();
    for example in ["e01", "e02", "e03", "e12"] {
        said.push_str(&project.run(["show", "last", example, "--raw"]).said());
        said.push_str(&project.run(["show", "last", example, "--json"]).said());
    }
    assert!(!said.contains(KEY), "{said}");
    for (path, bytes) in project.files() {
        let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "the key stands in {}", path.display());
    }
}

#[test]
fn what_can_succeed_is_asked_again_and_each_attempt_is_kept() {
    let server = ScriptedServer::start(|request, number| {
        let broken = events(&["{\"label\":"], "stop", Value::Null)[..2].to_vec();
        match number {
            0 => {
                let body =
                    json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
                Answer::Whole(429, vec![("retry-after", "0".into())], body.to_string())
            }
            1 => Answer::error(500, "server_error", "it failed"),
            2 => Answer::Ends(broken),
            3 => Answer::Cut(broken, 90),
            _ => right(request),
        }
    });
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(LIVE).exits(0);
    assert_eq!(server.count(), 2 * EXAMPLES + 4);
    for variant in ["plain", "schema"] {
        assert_eq!(row(&output, variant)["outcomes"]["answered"], EXAMPLES);
        assert!(near(&row(&output, variant)["accuracy"]["point"], 1.0));
    }
    let mut kinds = Vec::new();
    for example in 1..=EXAMPLES {
        let shown = project.run(["show", "last", &format!("e{example:02}"), "--json"]).exits(0).json();
        assert_eq!(shown["trials"].as_array().unwrap().len(), 2, "a trial asked again is one trial");
        for trial in shown["trials"].as_array().unwrap() {
            for attempt in trial["attempts"].as_array().unwrap() {
                assert!(attempt["took_ms"].is_number() && attempt["waited_ms"].is_number(), "{attempt}");
                kinds.push((attempt["kind"].as_str().unwrap().to_owned(), attempt["status"].clone()));
            }
        }
    }
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<&str> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(names, ["cut", "cut", "rate-limited", "server"]);
    assert_eq!((&kinds[2].1, &kinds[3].1), (&json!(429), &json!(500)));
}

#[test]
fn only_what_the_suite_sets_is_sent() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(with(&LIVE, &["--limit", "1"])).exits(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for one in &seen {
        assert_eq!(one.path, "/v1/chat/completions");
        let mut keys: Vec<&str> = one.body.as_object().unwrap().keys().map(String::as_str).collect();
        keys.retain(|key| *key != "response_format");
        assert_eq!(keys, ["model", "messages", "stream", "stream_options"]);
        assert!(!one.headers.contains_key("authorization"));
        assert_eq!(colour_of(&one.body), "green");
    }
}

#[test]
fn a_provider_that_is_down_leaves_a_run_to_go_on_with() {
    let server = ScriptedServer::start(|request, number| match number {
        // The header spares the test the waits between attempts.
        0..24 => Answer::Whole(503, vec![("x-should-retry", "false".into())], "{\"error\":\"down\"}".into()),
        _ => right(request),
    });
    let project = Project::new().suite("tiny").live(&server);
    let down = project.run(LIVE).exits(4);
    assert_eq!(row(&down, "plain")["missing"], EXAMPLES);
    assert_eq!(outcomes(&row(&down, "plain")), EXAMPLES as u64);
    assert!(!row(&down, "plain")["accuracy"]["point"].is_number(), "what is missing is neither right nor wrong");
    assert!(down.stderr().contains("are missing") && down.stderr().contains("again"), "{}", down.stderr());
    let up = project.run(LIVE).exits(0);
    assert_eq!(up.json()["run"], down.json()["run"]);
    assert_eq!(server.count(), 4 * EXAMPLES);
    assert!(near(&row(&up, "plain")["accuracy"]["point"], 1.0));
}

#[test]
fn a_content_filter_is_a_refusal_however_it_is_said() {
    let server = ScriptedServer::start(|request, _| {
        let is = |number: u32| last_user(request).contains(&format!("number {number} "));
        let refusal =
            |kind: Value| json!({"error": {"message": "filtered", "type": kind, "code": "content_filter"}}).to_string();
        if is(1) {
            Answer::Whole(400, vec![], refusal("invalid_request_error".into()))
        } else if is(2) {
            Answer::Whole(400, vec![], refusal(Value::Null))
        } else if is(3) {
            Answer::Stream(events(&["{\"label\":"], "content_filter", Value::Null))
        } else {
            right(request)
        }
    });
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(with(&LIVE, &["--variants", "plain"])).exits(0);
    let plain = row(&output, "plain");
    assert_eq!(plain["outcomes"], json!({"answered": 9, "refused": 3, "truncated": 0, "failed": 0}));
    assert!(near(&plain["accuracy"]["point"], 9.0 / 12.0), "a refusal is a wrong answer: {plain}");
}

#[test]
fn an_answer_cannot_write_to_the_terminal() {
    let project = Project::new()
        .suite("tiny")
        .recorded(|_, _| say("{\"label\": \"\u{1b}[31mred\u{7}\u{202e}\"} \u{1b}]0;owned\u{7}"));
    let mut said = project.run(["run", "suites/tiny"]).exits(0).said();
    for more in [&["show", "last", "e01"][..], &["show", "last", "e01", "--raw"], &["runs"]] {
        said.push_str(&project.run(more).exits(0).said());
    }
    let unsafe_one = said.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
    assert_eq!(unsafe_one, None, "{said:?}");
}
