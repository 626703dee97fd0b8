//! `ceiling store` and `ceiling runs --size`: what is kept can be looked after.

use serde_json::Value;

use crate::resume::{half_way, holding};
use crate::schemas::fits;
use crate::support::project::{EXAMPLES, right, schema_helps};
use crate::support::{Output, Project, ScriptedServer, say, wants_schema};

const RUN: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "-q"];

/// A project whose suite was run so often, each time asked anew.
fn measured(server: &ScriptedServer, runs: usize) -> Project {
    let project = Project::new().suite("tiny").live(server);
    for _ in 0..runs {
        project.run(RUN.iter().chain(&["--fresh"])).exits(0);
    }
    project
}

fn sql(project: &Project, statement: &str) {
    let store = rusqlite::Connection::open(project.path(".ceiling/store.db")).unwrap();
    store.pragma_update(None, "foreign_keys", false).unwrap();
    store.execute_batch(statement).unwrap();
}

fn names(project: &Project) -> Vec<String> {
    let runs = project.run(["runs", "--json"]).exits(0).json();
    runs["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
}

fn lines(project: &Project, path: &str) -> Vec<Value> {
    project.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sizes_say_what_was_sent_and_received_and_what_it_is_packed_to() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = measured(&server, 1);
    let document = project.run(["runs", "--size", "--json"]).exits(0).json();
    fits(&document, "runs");
    let size = &document["runs"][0]["size"];
    project.run(["store", "export", "last", "-o", "run.jsonl"]).exits(0);
    let answers: usize = lines(&project, "run.jsonl").iter().map(|line| line["body"].as_str().unwrap().len()).sum();
    let requests: usize = server.seen().iter().map(|seen| seen.body.to_string().len()).sum();
    assert_eq!(size["body_bytes"], answers + requests);
    assert_eq!(size["exchanges"], 2 * EXAMPLES);
    let stored = size["stored_body_bytes"].as_u64().unwrap() as usize;
    assert!(stored < (answers + requests) / 2, "{stored} of {}", answers + requests);
    assert!(document["file"]["file_bytes"].as_u64().unwrap() as usize > stored);
    project.run(["runs", "--size"]).exits(0).says("tiny-1").says("a trial").says(".ceiling/store.db: ");
}

#[test]
fn a_sound_store_is_said_to_be_and_a_damaged_one_says_where() {
    let server = ScriptedServer::start(|request, _| {
        // No answer of one variant is one of the other, whichever comes first.
        if wants_schema(request) { right(request) } else { say("red, I think") }
    });
    let project = measured(&server, 1);
    let document = project.run(["store", "check", "--json"]).exits(0).json();
    fits(&document, "store-check");
    assert_eq!((&document["sound"], &document["checked"]["exchanges"]), (&true.into(), &(2 * EXAMPLES).into()));
    assert_eq!(document["checked"]["dictionaries"], 4, "requests and answers of two variants");
    project.run(["store", "check"]).exits(0).says("everything can be read");
    for (damage, says) in [
        ("UPDATE example SET document = replace(document, 'ball', 'bell') WHERE document LIKE '%e03%'", "`e03` is not"),
        ("UPDATE exchange SET body = substr(body, 1, length(body) - 1) WHERE id = 5", "5: "),
        ("UPDATE dictionary SET bytes = x'00'", "other bytes"),
        ("DELETE FROM dictionary", "is not there"),
    ] {
        let project = measured(&server, 1);
        sql(&project, damage);
        project.run(["store", "check"]).exits(2).says(says);
        let document = project.run(["store", "check", "--json"]).exits(2).json();
        fits(&document, "store-check");
        assert_eq!(document["sound"], false, "{damage}");
    }
}

#[test]
fn a_run_whose_answers_are_damaged_is_an_error_and_not_another_answer() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = measured(&server, 1);
    sql(&project, "UPDATE exchange SET body = CAST(substr(body, 1, length(body) - 1) || x'aa' AS BLOB) WHERE id = 5");
    project.run(["report", "--json"]).exits(4).says("a packed body that is damaged");
    project.run(["store", "export", "last", "-o", "run.jsonl"]).exits(4);
    assert!(!project.path("run.jsonl").exists());
}

#[test]
fn what_a_removed_run_shares_with_another_stays() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = measured(&server, 1);
    // The same answers, and some of their own.
    project.run(RUN).exits(0);
    project.run(RUN.iter().chain(&["--fresh"])).exits(0);
    let before = project.run(["report", "tiny-2", "--json"]).exits(0).json();
    let document = project.run(["store", "prune", "tiny-1", "last", "--yes", "--json"]).exits(0).json();
    fits(&document, "store-prune");
    assert_eq!(document["runs"], serde_json::json!(["tiny-3", "tiny-1"]));
    assert_eq!((&document["trials"], &document["exchanges"]), (&(4 * EXAMPLES).into(), &(2 * EXAMPLES).into()));
    assert_eq!(names(&project), ["tiny-2"]);
    assert_eq!(project.run(["report", "tiny-2", "--json"]).exits(0).json(), before);
    project.run(["store", "check"]).exits(0).says(&format!("{} exchanges", 2 * EXAMPLES));
    // Neither a name comes back, nor is it forgotten that the examples were scored.
    let asked = server.count();
    project.run(RUN).exits(0);
    assert_eq!((names(&project)[0].as_str(), server.count()), ("tiny-4", asked));
    let freed = project.run(["store", "vacuum", "--json"]).exits(0).json();
    fits(&freed, "store-vacuum");
    assert!(freed["bytes_after"].as_u64() < freed["bytes_before"].as_u64(), "{freed}");
    project.run(["store", "check"]).exits(0);
}

#[test]
fn how_often_examples_were_scored_outlives_the_runs() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = measured(&server, 3);
    let scored = |project: &Project| {
        let report = project.run(["report", "--json"]).exits(0).json();
        report["times_scored"].clone()
    };
    let before = scored(&project);
    project.run(["store", "prune", "tiny-1", "tiny-2", "--yes"]).exits(0);
    assert_eq!(scored(&project), before);
}

#[test]
fn runs_are_chosen_by_age_and_by_number() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = measured(&server, 3);
    project.run(["store", "prune", "--older-than", "1", "--yes"]).exits(0).says("no run is to be removed");
    sql(&project, "UPDATE run SET started_at_ms = started_at_ms - 2 * 86400000 WHERE id = 1");
    let tried = project.run(["store", "prune", "--older-than", "1", "--dry-run", "--json"]).exits(0).json();
    fits(&tried, "store-prune");
    assert_eq!((&tried["removed"], &tried["runs"]), (&false.into(), &serde_json::json!(["tiny-1"])));
    assert_eq!(names(&project).len(), 3);
    project.run(["store", "prune", "--keep", "2", "-y"]).exits(0).says("tiny-1");
    assert_eq!(names(&project), ["tiny-3", "tiny-2"]);
    project.run(["store", "prune", "--keep", "1", "--older-than", "1", "-y"]).exits(2);
    project.run(["store", "prune", "-y"]).exits(2);
    project.run(["store", "prune", "nobody", "-y"]).exits(2).says("no run `nobody`");
}

#[test]
fn nothing_goes_where_nobody_said_yes() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = measured(&server, 1);
    project.run(["store", "prune", "last"]).exits(2).says("--yes removes it");
    project.run(["store", "prune", "last", "--json"]).exits(2);
    assert_eq!(names(&project), ["tiny-1"]);
}

#[test]
fn nothing_goes_while_a_run_is_being_asked() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").suite("other").live(&server);
    let child = half_way(&project, &server);
    for command in [&["store", "prune", "last", "--yes"][..], &["store", "vacuum"]] {
        project.run(command).exits(2).says("another process is asking a run of the store");
    }
    gate.open();
    Output::of(child.wait_with_output().unwrap()).exits(0);
    project.run(["store", "prune", "last", "--yes"]).exits(0);
    assert!(names(&project).is_empty());
}

#[test]
fn an_exported_run_has_all_that_is_stored_on_lines_of_one_shape() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = measured(&server, 1);
    let document = project.run(["store", "export", "last", "-o", "run.jsonl", "--json"]).exits(0).json();
    fits(&document, "store-export");
    let lines = lines(&project, "run.jsonl");
    assert_eq!((lines.len(), &document["trials"]), (2 * EXAMPLES, &lines.len().into()));
    for line in &lines {
        fits(line, "store-export-line");
        let shown = project.run(["show", "last", line["example"]["id"].as_str().unwrap(), "--json"]).exits(0).json();
        let trials = shown["trials"].as_array().unwrap();
        let trial = trials.iter().find(|trial| trial["variant"] == line["variant"]).unwrap();
        assert_eq!((&trial["request"], &trial["request_hash"]), (&line["request"], &line["request_digest"]));
        assert!(line["body"].as_str().unwrap().contains("data: "));
        assert!(!line["event_ms"].as_array().unwrap().is_empty());
    }
    project.run(["store", "export", "nobody", "-o", "none.jsonl"]).exits(2);
    project.run(["store", "export", "last", "-o", ".ceiling/store.db"]).exits(2).says("is the store");
}
