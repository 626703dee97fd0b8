//! A store that cannot be written, is not ours, or is used twice: a clear error or right behaviour,
//! and never a broken store.

use std::process::{Command, Stdio};

use crate::resume::{half_way, holding, scoreboard};
use crate::support::project::{EXAMPLES, schema_helps};
use crate::support::{Output, Project, ScriptedServer};

const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];

/// What `half_way` runs.
const SAME: [&str; 6] = ["run", "suites/tiny", "--provider", "toy=live", "--concurrency", "2"];

fn store(project: &Project) -> rusqlite::Connection {
    rusqlite::Connection::open(project.path(".ceiling/store.db")).unwrap()
}

fn is_sound(project: &Project) {
    let sound: String = store(project).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn two_suites_at_once_share_a_store() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").suite("other").live(&server);
    let first = half_way(&project, &server);
    let quick = ScriptedServer::start(|request, _| schema_helps(request));
    let text = format!("kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.small]\n", quick.base_url());
    project.write("providers/quick.toml", text.as_bytes());
    let second = project.run(["run", "suites/other", "--provider", "toy=quick", "--json"]).exits(0);
    gate.open();
    let first = Output::of(first.wait_with_output().unwrap()).exits(0);
    assert!(first.stdout().contains("tiny-1"), "{}", first.stdout());
    let first = project.run(["report", "tiny-1", "--json"]).exits(0);
    assert_eq!(scoreboard(&first), scoreboard(&second));
    is_sound(&project);
}

#[test]
fn the_same_suite_twice_at_once_is_asked_once() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let first = half_way(&project, &server);
    let refused = project.run(SAME).exits(2).says("another process is asking this very run");
    assert!(refused.stderr().contains("wait until it is done"), "{}", refused.stderr());
    gate.open();
    Output::of(first.wait_with_output().unwrap()).exits(0);
    let again = project.run(SAME.iter().chain(&["--json"])).exits(0).json();
    assert_eq!(again["run"], "tiny-2", "the first run is done");
    assert_eq!(server.count(), 2 * EXAMPLES, "and its answers serve the second");
    is_sound(&project);
}

/// A limit on the size of files stands in for a disk that is full.
#[test]
fn a_full_disk_stops_the_run_and_loses_nothing_that_is_there() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(RUN.iter().chain(&["--limit", "2"])).exits(0);
    // As much as is there already: what the log may grow to is less than the run's answers take.
    let kilobytes = std::fs::metadata(project.path(".ceiling/store.db")).unwrap().len().div_ceil(1024);
    let program = env!("CARGO_BIN_EXE_ceiling");
    let line = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec '{program}' {}", RUN.join(" "));
    let mut command = Command::new("bash");
    command.args(["-c", &line]).current_dir(project.path("")).env("HOME", project.path("")).stdin(Stdio::null());
    let full = Output::of(command.output().unwrap());
    let full = full.exits(4);
    assert!(full.stderr().contains("the store's writer stopped"), "{}", full.stderr());
    assert!(full.stderr().contains("what was shown as done is kept"), "{}", full.stderr());
    is_sound(&project);
    let asked = server.count();
    let kept = project.run(["runs", "--json"]).exits(0).json()["runs"][0]["trials"].as_u64().unwrap();
    let done = project.run(RUN.iter().chain(&["--json"])).exits(0).json();
    assert!(done["variants"].as_array().unwrap().iter().all(|row| row["n"] == EXAMPLES), "{done}");
    assert!(kept > 0 && server.count() - asked == 2 * EXAMPLES - kept as usize, "{kept} were kept");
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(RUN).exits(0);
    store(&project).pragma_update(None, "user_version", 99).unwrap();
    let before = project.read_store();
    let asked = server.count();
    for command in [&RUN[..], &["report"], &["runs"], &["record", "last", "-o", "r.jsonl"]] {
        project.run(command).exits(2).says("has format 99").says("the version of ceiling that wrote it");
    }
    assert_eq!((server.count(), project.read_store()), (asked, before));
}
