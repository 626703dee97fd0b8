//! Stopping half way, by kill -9 and by Ctrl-C, and going on; what the store shows of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::support::project::{EXAMPLES, schema_helps};
use crate::support::server::say;
use crate::support::{Output, Project, ScriptedServer};

const RUN: [&str; 6] = ["run", "suites/tiny", "--provider", "toy=live", "--concurrency", "2"];

/// Answers that come before the server holds back.
const BEFORE: usize = 7;

/// Closed until it is opened, once and for all.
#[derive(Default)]
pub(crate) struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub(crate) fn pass(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
    }

    pub(crate) fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// A server that answers [`BEFORE`] requests and holds the others until the gate opens.
pub(crate) fn holding() -> (ScriptedServer, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let server = ScriptedServer::start(move |request, number| {
        if number >= BEFORE {
            held.pass();
        }
        schema_helps(request)
    });
    (server, gate)
}

/// Trials that the store has, as a second process sees them.
fn trials(project: &Project) -> u64 {
    if !project.path(".ceiling/store.db").exists() {
        return 0;
    }
    let runs = project.run(["runs", "--json"]);
    let runs: Value = serde_json::from_str(runs.stdout()).unwrap_or_default();
    runs["runs"][0]["trials"].as_u64().unwrap_or(0)
}

/// Starts a run and waits until the first answers are committed and two requests are held.
pub(crate) fn half_way(project: &Project, server: &ScriptedServer) -> Child {
    half_way_with(project, server, &[])
}

fn half_way_with(project: &Project, server: &ScriptedServer, more: &[&str]) -> Child {
    let mut child = project.start(RUN.iter().chain(more));
    while trials(project) < BEFORE as u64 || server.count() < BEFORE + 2 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
    }
    child
}

/// What must be the same however often a run was stopped: all but times and names.
pub(crate) fn scoreboard(output: &Output) -> Vec<Value> {
    let document = output.json();
    let keys =
        ["variant", "n", "outcomes", "missing", "accuracy", "macro_f1", "usage", "confusion", "schema_validity_strict"];
    let rows = document["variants"].as_array().unwrap();
    rows.iter().map(|row| keys.iter().map(|key| row[*key].clone()).collect()).collect()
}

fn undisturbed() -> Vec<Value> {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    scoreboard(&project.run(RUN.iter().chain(&["--json"])).exits(0))
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut child = half_way(&project, &server);
    child.kill().unwrap();
    child.wait().unwrap();
    gate.open();
    let listed = project.run(["runs"]).exits(0);
    assert!(listed.stdout().contains("tiny-1") && listed.stdout().contains("killed"), "{}", listed.stdout());

    let output = project.run(RUN.iter().chain(&["--json"])).exits(0);
    // Only the two that were under way when it was killed are asked twice.
    assert_eq!(server.count(), 2 * EXAMPLES + 2);
    assert_eq!(output.json()["run"], "tiny-1");
    assert_eq!(scoreboard(&output), undisturbed());
    let runs = project.run(["runs", "--json"]).exits(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert_eq!((&runs["runs"][0]["state"], &runs["runs"][0]["trials"]), (&"finished".into(), &24.into()));
}

#[test]
fn ctrl_c_keeps_what_is_under_way_and_says_how_to_go_on() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut child = half_way(&project, &server);
    let (mut stderr, mut said) = interrupted(&mut child);
    gate.open();
    while stderr.read_line(&mut said).unwrap() > 0 {}
    let output = Output::of(child.wait_with_output().unwrap()).exits(130);
    assert!(said.contains("run the same command again"), "{said}");
    assert!(output.stdout().contains("tiny"), "what was measured so far is shown");
    assert_eq!(trials(&project), BEFORE as u64 + 2, "what was under way is kept");

    let again = project.run(RUN.iter().chain(&["--json"])).exits(0);
    assert!(again.stderr().contains("going on with run tiny-1"), "{}", again.stderr());
    assert_eq!(server.count(), 2 * EXAMPLES, "nothing is asked twice");
    assert_eq!(scoreboard(&again), undisturbed());
}

/// Interrupts the program and waits until it says that it sends no more; the rest of what it says.
pub(crate) fn interrupted(child: &mut Child) -> (BufReader<std::process::ChildStderr>, String) {
    interrupt(child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("no more requests are sent") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended without draining: {said}");
    }
    (stderr, said)
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut child = half_way(&project, &server);
    let (_stderr, _) = interrupted(&mut child);
    interrupt(&child);
    let output = Output::of(child.wait_with_output().unwrap()).exits(130);
    assert_eq!(output.stdout(), "", "nothing is measured");
    gate.open();
}

#[test]
fn ctrl_c_while_a_scorer_is_at_work_ends_the_run() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let scorer = "kind = \"command\"\ncommand = [\"sh\", \"score.sh\"]\nat = \"/label\"";
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"\nat = \"/label\"", scorer);
    project.write("suites/tiny/score.sh", b"echo > started; exec sleep 20");
    let child = project.start(RUN);
    while !project.path("suites/tiny/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    interrupt(&child);
    Output::of(child.wait_with_output().unwrap()).exits(130);
}

#[test]
fn edited_data_start_a_new_run_of_the_examples_that_there_are() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut child = half_way(&project, &server);
    child.kill().unwrap();
    child.wait().unwrap();
    gate.open();
    let text = project.read("suites/tiny/examples.jsonl");
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.contains("e01"));
    project.write("suites/tiny/examples.jsonl", rest.as_bytes());
    let output = project.run(RUN.iter().chain(&["--json"])).exits(0).json();
    assert_eq!((&output["run"], &output["variants"][0]["n"]), (&"tiny-2".into(), &(EXAMPLES - 1).into()));
}

#[test]
fn a_fresh_run_goes_on_after_it_was_killed() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut child = half_way_with(&project, &server, &["--fresh"]);
    child.kill().unwrap();
    child.wait().unwrap();
    gate.open();
    let run = |name: &str| {
        let output = project.run(RUN.iter().chain(&["--fresh", "--json"])).exits(0);
        assert_eq!(output.json()["run"], name);
    };
    run("tiny-1");
    assert_eq!(server.count(), 2 * EXAMPLES + 2);
    // It is whole now: the next one asks everything again.
    run("tiny-2");
    assert_eq!(server.count(), 4 * EXAMPLES + 2);
}

#[test]
fn a_provider_file_that_changes_what_is_asked_asks_again() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let run = || drop(project.run(RUN).exits(0));
    run();
    let all = server.count();
    let file = "providers/live.toml";
    project.edit(file, "[models.small]", "[models.small]\nprice = { input = 1.0, output = 1.0 }");
    run();
    assert_eq!(server.count(), all, "a price changes no answer");
    let edits = [
        ("[models.small]", "[headers]\nx-tier = \"a\"\n[models.small]"),
        ("[models.small]", "[models.small]\nextra_body = { min_p = 0.1 }"),
    ];
    for (place, (from, to)) in edits.iter().enumerate() {
        project.edit(file, from, to);
        run();
        assert_eq!(server.count(), all * (place + 2), "{to}");
    }
}

#[test]
fn a_trial_is_shown_whole() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(RUN).exits(0);
    let shown = project.run(["show", "last", "e01"]).exits(0);
    for part in ["the ball number 1 looks green", "{\"label\": \"red\"}", "wrong", "label 1", "asked", "tokens"] {
        assert!(shown.stdout().contains(part), "no {part} in\n{}", shown.stdout());
    }
    let raw = project.run(["show", "tiny-1", "e01", "--variant", "plain", "--raw"]).exits(0);
    assert!(raw.stdout().contains("data: [DONE]"), "{}", raw.stdout());
    let json = project.run(["show", "last", "e01", "--json"]).exits(0).json();
    assert_eq!(json["trials"][0]["answer"], "{\"label\":\"red\"}");
    assert_eq!(json["trials"][0]["request"]["model"], "small");
    assert_eq!(json["trials"][1]["scores"]["label"], 1.0);
    project.run(["show", "last", "e99"]).exits(2).says("no trial of example `e99`");
    project.run(["show", "tiny-9", "e01"]).exits(2).says("hint:");
    Project::new().run(["runs"]).exits(2).says("there is no store");
    let fault = Project::new().run(["runs", "--json"]).exits(2).json();
    assert!(fault["error"]["message"].is_string() && fault["error"]["hint"].is_string(), "{fault}");
}

#[test]
fn another_version_of_an_api_does_not_answer_for_the_first() {
    let server = ScriptedServer::start(|_, _| say("red"));
    let file = |version: &str| {
        let address = server.base_url();
        format!(
            "kind = \"openai-chat\"\nbase_url = \"{address}\"\ndialect = \"azure\"\napi_version = \"{version}\"\n[models.small]\n"
        )
    };
    let project = Project::new().suite("tiny");
    let ask = |version: &str| {
        project.write("providers/live.toml", file(version).as_bytes());
        project.run(["run", "suites/tiny", "--provider", "toy=live", "--variants", "plain"]).exits(0);
        server.count()
    };
    assert_eq!((ask("1"), ask("2"), ask("1")), (EXAMPLES, 2 * EXAMPLES, 2 * EXAMPLES));
}
