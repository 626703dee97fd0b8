//! `ceiling baseline` and `ceiling gate`: one test an answer, each with the exit code that a build sees.

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, colour_of, right};
use crate::support::{Answer, Project, ScriptedServer, events, say, wants_schema};

const LIVE: [&str; 2] = ["--provider", "toy=live"];
const GATE: [&str; 6] = ["gate", "suites/tiny", "--baseline", "base.json", "--variant", "plain"];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().chain(more).copied().collect()
}

/// A live project whose twelve examples can show what its margin asks, with a baseline of `plain`.
fn frozen(server: &ScriptedServer) -> Project {
    let project = Project::new().suite("tiny").live(server);
    project.edit("suites/tiny/suite.toml", "[targets]", "[gate]\nmargin = 0.25\n\n[targets]");
    freeze(&project);
    project
}

fn freeze(project: &Project) {
    project.run(with(&["run", "suites/tiny", "-q"], &LIVE)).exits(0);
    project.run(["baseline", "last", "-o", "base.json", "--variant", "plain"]).exits(0);
}

fn live_gate(project: &Project, more: &[&str], exit: i32) -> Value {
    let document = project.run(with(&with(&GATE, &LIVE), &with(&["--json"], more))).exits(exit).json();
    fits(&document, "gate");
    document
}

fn finding<'a>(document: &'a Value, metric: &str) -> &'a Value {
    let findings = document["variants"][0]["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["metric"] == metric).unwrap()
}

/// Wrong wherever the prompt says `shortly`.
fn shortly_is_wrong(request: &Value, _: usize) -> Answer {
    if request.to_string().contains("shortly") { say("{\"label\":\"none\"}") } else { right(request) }
}

const CHANGED: (&str, &str, &str) = ("suites/tiny/prompts/v1.md.j2", "Answer in JSON", "Answer shortly in JSON");

#[test]
fn the_unchanged_system_holds_and_pays_nothing() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    let asked = server.count();
    let document = live_gate(&project, &["--junit", "gate.xml", "--markdown", "gate.md"], 0);
    assert_eq!(server.count(), asked, "the store has every answer");
    assert_eq!((&document["answer"], &document["exit_code"]), (&json!("held"), &json!(0)));
    assert_eq!(document["variants"][0]["common"]["examples"], EXAMPLES);
    assert!(document["notes"].to_string().contains("came from the store"), "{document}");
    assert!(project.read("gate.xml").contains("failures=\"0\" errors=\"0\""), "{}", project.read("gate.xml"));
    assert!(project.read("gate.md").contains("tiny: held"), "{}", project.read("gate.md"));
    let frozen: Value = serde_json::from_str(&project.read("base.json")).unwrap();
    fits(&frozen, "baseline");
    assert!(project.run(with(&GATE, &LIVE)).exits(0).stdout().contains("HELD"));
}

#[test]
fn a_baseline_is_the_same_file_however_often_it_is_written() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    let first = project.read("base.json");
    let written = project.run(["baseline", "last", "-o", "base.json", "--variant", "plain", "--json"]).exits(0).json();
    fits(&written, "baseline-written");
    assert_eq!(project.read("base.json"), first);
    assert_eq!(first.lines().filter(|line| line.contains("\"asked\"")).count(), EXAMPLES, "one line an example");
    project.run(["baseline", "last", "-o", "all.json", "--variant", "plain,schema"]).exits(0).says("plain, schema");
    project.run(["baseline", "last", "-o", "none.json", "--variant", "nobody"]).exits(2).says("it has plain, schema");
}

#[test]
fn a_regression_is_confirmed_by_asking_both_sides_afresh() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "summary.md");
    project.write("summary.md", b"before\n");
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    let asked = server.count();
    let output = project.run(with(&with(&GATE, &LIVE), &["--json", "--junit", "gate.xml"])).exits(1);
    let document = output.json();
    fits(&document, "gate");
    assert_eq!(document["answer"], "regressed");
    assert_eq!(document["variants"][0]["confirmation"]["state"], "confirmed", "{document}");
    assert_eq!(finding(&document, "accuracy")["worse"], EXAMPLES);
    let requests = server.seen().split_off(asked);
    let old = requests.iter().filter(|seen| !seen.body.to_string().contains("shortly")).count();
    assert_eq!((requests.len(), old), (3 * EXAMPLES, EXAMPLES), "the prompt of then came from the baseline");
    // The `[[variants]]` of `plain` is on line 22 of its suite.toml.
    let text = project.read("suites/tiny/suite.toml");
    let line = text.lines().position(|line| line.contains("toy/small")).unwrap() + 1;
    let command = format!("::error file=suites/tiny/suite.toml,line={line},title=ceiling gate%3A plain regressed::");
    assert!(output.stderr().contains(&command), "{command}\n{}", output.stderr());
    let summary = project.read("summary.md");
    assert!(summary.starts_with("before\n") && summary.contains("tiny: regressed"), "{summary}");
    let junit = project.read("gate.xml");
    assert!(junit.contains("failures=\"1\"") && junit.contains("type=\"regressed\""), "{junit}");
    // What was asked to confirm it is never used for a run, nor for another confirmation.
    let asked = server.count();
    project.run(with(&["run", "suites/tiny", "--variants", "plain", "-q"], &LIVE)).exits(0);
    assert_eq!(server.count(), asked, "the answers of the gate are there");
    live_gate(&project, &[], 1);
    assert_eq!(server.count(), asked + 2 * EXAMPLES);
}

#[test]
fn examples_in_the_prompt_of_then_are_asked_again_though_the_pool_has_changed() {
    for select in ["random", "similar"] {
        let server = ScriptedServer::start(shortly_is_wrong);
        let project = Project::new().suite("tiny").live(&server);
        let suite = "suites/tiny/suite.toml";
        project.edit(suite, "[targets]", "[gate]\nmargin = 0.25\n\n[targets]");
        let shots = format!("name = \"plain\"\nshots = {{ k = 2, select = \"{select}\", seed = 3 }}\n");
        project.edit(suite, "name = \"plain\"\n", &shots);
        freeze(&project);
        let first: Vec<_> = server.seen().into_iter().filter(|seen| !wants_schema(&seen.body)).collect();
        let pool = project.read("suites/tiny/pool.jsonl").replace("a box", "shortly a stone");
        project.write("suites/tiny/pool.jsonl", pool.as_bytes());
        let asked = server.count();
        let document = live_gate(&project, &[], 1);
        assert_eq!(document["variants"][0]["confirmation"]["state"], "confirmed", "{select}: {document}");
        let then: Vec<_> = server.seen().split_off(asked + EXAMPLES).drain(..EXAMPLES).map(|seen| seen.body).collect();
        assert_eq!((first.len(), then.len()), (EXAMPLES, EXAMPLES));
        assert!(first.iter().all(|seen| then.contains(&seen.body)), "{select}: the same shots in the same order");
    }
}

#[test]
fn answers_are_not_frozen_with_prompts_that_they_are_no_answers_to() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", "accuracy = 0.8");
    project.run(["baseline", "last", "-o", "base.json", "--variant", "plain"]).exits(0);
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    let refused = project.run(["baseline", "last", "-o", "new.json", "--variant", "plain"]).exits(2);
    refused.says("the suite has changed since run `tiny-1`: it asks `plain` otherwise now");
    assert!(!project.path("new.json").exists());
}

#[test]
fn without_confirmation_a_regression_stands_and_is_marked() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    let document = live_gate(&project, &["--no-confirm"], 1);
    assert_eq!(document["variants"][0]["confirmation"]["state"], "impossible");
    project.edit("providers/live.toml", "[models.small]", "[models.small]\nextra_body = { lora = 1 }");
    let said = project.run(with(&GATE, &LIVE)).exits(1);
    assert!(said.stdout().contains("UNCONFIRMED: the baseline was answered by"), "{}", said.stdout());
    assert!(said.stdout().contains("one noisy draw"), "{}", said.stdout());
}

#[test]
fn what_got_worse_behind_the_endpoint_is_no_proof_against_the_change() {
    // After the baseline the server is wrong whatever it is asked.
    let server =
        ScriptedServer::start(
            |request, number| {
                if number < 2 * EXAMPLES { right(request) } else { say("{\"label\":\"none\"}") }
            },
        );
    let project = frozen(&server);
    let document = live_gate(&project, &["--fresh"], 3);
    assert_eq!(document["answer"], "not-enough-evidence");
    let confirmation = &document["variants"][0]["confirmation"];
    assert_eq!((&confirmation["state"], &confirmation["drifted"]), (&json!("not-confirmed"), &json!(["accuracy"])));
}

#[test]
fn a_recording_gates_what_the_suite_makes_of_it() {
    let fenced = |request: &Value, _: usize| say(&format!("```json\n{{\"label\":\"{}\"}}\n```", colour_of(request)));
    let project = Project::new().suite("tiny");
    project.edit("suites/tiny/suite.toml", "schema = \"schema.json\"", "schema = \"schema.json\"\nparse = \"fenced\"");
    project.edit("suites/tiny/suite.toml", "[targets]", "[gate]\nmargin = 0.25\nvalidity_margin = 0.25\n\n[targets]");
    let project = project.recorded(fenced);
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project.run(["baseline", "last", "-o", "base.json", "--variant", "plain"]).exits(0);
    project.run(GATE).exits(0).says("RECORDED");
    project.edit("suites/tiny/suite.toml", "parse = \"fenced\"", "parse = \"strict\"");
    let document = project.run(with(&GATE, &["--json"])).exits(1).json();
    fits(&document, "gate");
    assert_eq!(
        (&finding(&document, "accuracy")["answer"], &finding(&document, "validity")["answer"]),
        (&json!("regressed"), &json!("regressed"))
    );
    let confirmation = &document["variants"][0]["confirmation"];
    assert_eq!(confirmation["state"], "impossible");
    assert!(confirmation["why"].as_str().unwrap().contains("recording"), "{confirmation}");
    assert!(document["notes"].to_string().contains("`suite.toml`"), "{document}");
    // A changed prompt is in no recording.
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    project.run(GATE).exits(2).says("does not know 12 of the requests");
}

#[test]
fn not_enough_evidence_does_what_the_user_says() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = Project::new().suite("tiny").live(&server).env("GITHUB_ACTIONS", "true");
    freeze(&project);
    for (policy, exit, command) in [("fail", 3, "::error "), ("warn", 0, "::warning "), ("pass", 0, "")] {
        let arguments = with(&with(&GATE, &LIVE), &["--inconclusive", policy, "--json"]);
        let output = project.run(arguments).exits(exit);
        let document = output.json();
        assert_eq!((&document["answer"], &document["inconclusive"]), (&json!("not-enough-evidence"), &json!(policy)));
        let needed = finding(&document, "accuracy")["n_to_settle"].as_u64().unwrap();
        assert!(needed > 100, "two points need more than twelve examples: {needed}");
        assert_eq!(output.stderr().contains("::"), !command.is_empty(), "{}", output.stderr());
        assert!(output.stderr().contains(command), "{}", output.stderr());
    }
    project.run(with(&GATE, &LIVE)).exits(3).says("NOT ENOUGH EVIDENCE").says("needs about");
}

#[test]
fn missing_calls_are_no_wrong_answers() {
    let server = ScriptedServer::start(|request, number| {
        if number < 2 * EXAMPLES { right(request) } else { Answer::error(401, "invalid_api_key", "no such key") }
    });
    let project = frozen(&server);
    let document = live_gate(&project, &["--fresh", "--junit", "gate.xml"], 4);
    assert_eq!(document["answer"], "could-not-run");
    let accuracy = finding(&document, "accuracy");
    assert_eq!((&accuracy["worse"], &accuracy["answer"]), (&json!(0), &json!("could-not-run")));
    assert!(project.read("gate.xml").contains("<error type=\"could-not-run\""), "{}", project.read("gate.xml"));
}

#[test]
fn what_was_not_asked_is_missing_and_no_example_is_called_removed() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server).env("GITHUB_ACTIONS", "true");
    let price = "[models.small]\nprice = { input = 1.0, output = 1.0 }";
    project.edit("providers/live.toml", "[models.small]", price);
    let params = "model = \"toy/small\"\nparams = { max_tokens = 9 }";
    project.edit("suites/tiny/suite.toml", "model = \"toy/small\"", params);
    let fresh = ["--fresh", "--max-cost", "0", "--json", "--markdown", "gate.md"];
    let output = project.run(with(&with(&GATE, &LIVE), &fresh)).exits(4);
    let document = output.json();
    let variant = &document["variants"][0];
    assert_eq!(variant["common"]["removed"]["count"], 0, "{document}");
    assert_eq!((&variant["after"]["calls"], &variant["after"]["missing"]), (&json!(EXAMPLES), &json!(EXAMPLES)));
    assert!(document["notes"].to_string().contains("the run could not finish"), "{document}");
    for text in [output.stderr(), &project.read("gate.md")] {
        assert!(text.contains("12 of 12 calls of now are missing"), "{text}");
    }
}

#[test]
fn a_regression_whose_confirmation_breaks_off_is_no_answer() {
    let server = ScriptedServer::start(|request, number| {
        let is_confirmation = number >= 3 * EXAMPLES;
        if is_confirmation { Answer::error(401, "invalid_api_key", "no") } else { shortly_is_wrong(request, number) }
    });
    let project = frozen(&server);
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    let document = live_gate(&project, &["--junit", "gate.xml"], 4);
    assert_eq!(finding(&document, "accuracy")["answer"], "could-not-run");
    let confirmation = &document["variants"][0]["confirmation"];
    assert_eq!(confirmation["state"], "impossible");
    assert!(confirmation["why"].as_str().unwrap().contains("could not finish"), "{confirmation}");
    let junit = project.read("gate.xml");
    assert!(junit.contains("type=\"could-not-run\" message=\"asking both sides afresh could not finish"), "{junit}");
}

#[test]
fn a_run_that_is_gone_on_with_is_said() {
    let refuses = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&refuses);
    let server = ScriptedServer::start(move |request, _| {
        if seen.load(std::sync::atomic::Ordering::SeqCst) && request.to_string().contains("number 12 ") {
            return Answer::error(401, "invalid_api_key", "no such key");
        }
        right(request)
    });
    let project = frozen(&server);
    refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    live_gate(&project, &["--fresh", "--concurrency", "1"], 4);
    refuses.store(false, std::sync::atomic::Ordering::SeqCst);
    let document = live_gate(&project, &["--fresh"], 0);
    assert!(document["notes"].to_string().contains("11 answers are of an earlier start"), "{document}");
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_asked() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    let (asked, baseline) = (server.count(), project.read("base.json"));
    for (flags, says) in [
        (vec!["--junit", "nowhere/gate.xml"], "there is no folder `nowhere`"),
        (vec!["--markdown", "suites"], "`suites` is a folder"),
        (vec!["--junit", "base.json"], "--junit and --baseline both name"),
        (vec!["--markdown", "./gate.xml", "--junit", "gate.xml"], "--junit and --markdown both name"),
        (vec!["--step-summary", "gate.xml", "--junit", "gate.xml"], "--junit and --step-summary both name"),
    ] {
        let arguments = with(&with(&GATE, &LIVE), &with(&["--fresh"], &flags));
        project.run(arguments).exits(2).says(says);
    }
    assert_eq!((server.count(), project.read("base.json")), (asked, baseline));
    project.run(with(&with(&GATE, &LIVE), &["--junit", "/dev/stdout", "--markdown", "/dev/stdout"])).exits(0);
}

#[test]
fn examples_that_changed_are_named_and_not_compared() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    project.edit("suites/tiny/suite.toml", "margin = 0.25", "margin = 0.3");
    let text = project.read("suites/tiny/examples.jsonl");
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.remove(11);
    rows[2]["input"] = json!("the ball, once more, looks red");
    rows[2]["expected"] = json!({"label": "red"});
    rows[3]["tags"] = json!({"parity": "other"});
    rows.push(json!({"id": "e99", "input": "the cube looks blue", "expected": {"label": "blue"}}));
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    project.write("suites/tiny/examples.jsonl", text.as_bytes());
    let document = live_gate(&project, &[], 0);
    let common = &document["variants"][0]["common"];
    assert_eq!(common["examples"], 10, "a tag is no part of what is asked");
    assert_eq!((&common["added"]["ids"], &common["removed"]["ids"]), (&json!(["e99"]), &json!(["e12"])));
    assert_eq!(common["changed"]["ids"], json!(["e03"]));
    project.run(with(&GATE, &LIVE)).exits(0).says("1 added (e99), 1 removed (e12), 1 changed (e03)");
}

#[test]
fn a_dearer_prompt_is_a_regression_where_cost_is_gated() {
    let server = ScriptedServer::start(|request, _| {
        let input = if request.to_string().contains("shortly") { 40 } else { 20 };
        let usage = json!({"prompt_tokens": input, "completion_tokens": 5, "total_tokens": input + 5});
        let text = format!("{{\"label\":\"{}\"}}", colour_of(request));
        Answer::Stream(events(&[&text], "stop", usage))
    });
    let project = Project::new().suite("tiny").live(&server);
    let priced = project
        .read("providers/live.toml")
        .replace("[models.small]\n", "[models.small]\nprice = { input = 1.0, output = 1.0 }\n");
    project.write("providers/live.toml", priced.as_bytes());
    project.edit(
        "suites/tiny/suite.toml",
        "[targets]",
        "[gate]\nmargin = 0.25\ncost_margin = 0.1\nlatency_margin_ms = 1e6\n\n[targets]",
    );
    freeze(&project);
    let held = live_gate(&project, &[], 0);
    assert_eq!(finding(&held, "cost")["answer"], "held");
    assert_eq!(finding(&held, "latency")["answer"], Value::Null, "nobody said where the times were measured");
    project.edit(CHANGED.0, CHANGED.1, CHANGED.2);
    let dearer = live_gate(&project, &[], 1);
    let cost = finding(&dearer, "cost");
    assert_eq!((&cost["answer"], &finding(&dearer, "accuracy")["answer"]), (&json!("regressed"), &json!("held")));
    assert!((cost["change"].as_f64().unwrap() - 0.8).abs() < 1e-9, "25 tokens became 45: {cost}");
    assert_eq!(dearer["variants"][0]["confirmation"]["state"], "confirmed");
}

#[test]
fn the_real_system_is_calibrated_against_itself() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    let asked = server.count();
    let arguments = with(&["gate", "suites/tiny", "--calibrate", "2", "--variant", "plain", "--json"], &LIVE);
    let document = project.run(arguments).exits(0).json();
    fits(&document, "gate");
    let found = &document["calibrations"][0];
    assert_eq!((&found["pairs"], &found["alarms"], &found["held"]), (&json!(2), &json!(0), &json!(2)));
    // The first repeat is the answer that the run had.
    assert_eq!(server.count() - asked, 3 * EXAMPLES);
    project.run(["gate", "suites/tiny"]).exits(2);
}

/// The script of the action's step that gates, as bash gets it.
fn script_of_the_action() -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, script) = text.split_once("- name: Gate").unwrap().1.split_once("run: |\n").unwrap();
    script.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

#[test]
fn the_action_hands_on_every_argument() {
    let project = Project::new().suite("tiny").recorded(|request, _| right(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project.run(["baseline", "last", "-o", "base.json", "--variant", "plain"]).exits(0);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_ceiling")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for arguments in ["--variant plain\n  --markdown gate.md --json\n", "--variant plain --markdown gate.md --json"] {
        let mut bash = std::process::Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script_of_the_action()]);
        bash.current_dir(project.path("")).env_clear().env("PATH", &path).env("GATE_ARGUMENTS", arguments);
        bash.envs([("GATE_SUITE", "suites/tiny"), ("CEILING_BASELINE", "base.json"), ("CEILING_JUNIT", "")]);
        let output = bash.env("CEILING_INCONCLUSIVE", "warn").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(project.read("gate.md").contains("not enough evidence"), "{}", project.read("gate.md"));
        std::fs::remove_file(project.path("gate.md")).unwrap();
    }
}

#[test]
fn a_file_that_is_no_baseline_is_the_users_input() {
    let server = ScriptedServer::start(shortly_is_wrong);
    let project = frozen(&server);
    let good = project.read("base.json");
    let hostile = good.replacen("\"ceiling_baseline\": 1", "\"ceiling_baseline\": 7", 1);
    for (text, says) in [
        ("", "no baseline"),
        ("{}", "missing field"),
        (hostile.as_str(), "format 7"),
        (&good.replacen("\"suite\": \"tiny\"", "\"suite\": \"other\\u001b[31m\"", 1), "not of `tiny`"),
        (&good.replacen("\"plain\": {", "\"pla in\": {", 1), "none of its variants"),
    ] {
        project.write("base.json", text.as_bytes());
        let output = project.run(with(&GATE, &LIVE)).exits(2).says(says);
        assert!(!output.said().contains('\u{1b}'), "{}", output.said());
    }
    project.run(["gate", "suites/tiny", "--baseline", "nowhere.json"]).exits(2);
    project.write("base.json", good.as_bytes());
    let other = ["gate", "suites/tiny", "--baseline", "base.json", "--variant", "schema"];
    project.run(with(&other, &LIVE)).exits(2).says("has no variant `schema`; it has plain");
    project.edit("suites/tiny/suite.toml", "margin = 0.25", "margin = 0");
    project.run(with(&GATE, &LIVE)).exits(2).says("margin");
}
