//! One example of a run, as a person reads it.

use serde_json::json;

use crate::schemas::fits;
use crate::support::project::schema_helps;
use crate::support::server::{last_user, wants_schema};
use crate::support::{Project, ScriptedServer, say};

const LIVE: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "-q"];

/// Without what a clock measured: all that stands between `time` and `tokens`.
fn timeless(text: &str) -> String {
    let mut kept = String::new();
    let mut in_times = false;
    for line in text.lines() {
        in_times = line.starts_with("  time ") || (in_times && !line.starts_with("  tokens "));
        if !in_times {
            kept.push_str(&format!("{line}\n"));
        }
    }
    kept
}

#[test]
fn a_trial_reads_like_a_page() {
    let server = ScriptedServer::start(|request, _| match wants_schema(request) {
        true => schema_helps(request),
        false => say("{\"label\":\"mauve\",\"sure\":true}"),
    });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let shown = project.run(["show", "last", "e01"]).exits(0);
    insta::assert_snapshot!("show", timeless(shown.stdout()));
    assert!(shown.stdout().contains("to the first token"), "{}", shown.stdout());
    let whole = project.run(["show", "last", "e01", "--variant", "schema", "--request"]).exits(0);
    assert!(whole.stdout().contains("\"response_format\""), "{}", whole.stdout());
    let raw = project.run(["show", "last", "e01", "--variant", "schema", "--raw"]).exits(0);
    assert!(raw.stdout().contains("data: {"), "{}", raw.stdout());
}

#[test]
fn text_that_is_no_json_is_marked_where_it_stops_being_any() {
    let server = ScriptedServer::start(|_, _| say("{\"label\": mauve}\nor so\u{1b}[2J"));
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let shown = project.run(["show", "last", "e01", "--variant", "plain"]).exits(0);
    assert!(shown.stdout().contains("\n             or so[2J") && !shown.stdout().contains('\u{1b}'));
    let lines: Vec<&str> = shown.stdout().lines().collect();
    let at = lines.iter().position(|line| line.contains("{\"label\": mauve}")).unwrap();
    assert_eq!(lines[at].find("mauve").unwrap(), lines[at + 1].find("^ not JSON").unwrap(), "{}", shown.stdout());
}

#[test]
fn shots_are_folded_until_they_are_asked_for() {
    let project = Project::new().suite("tiny");
    let shots =
        "\n[[variants]]\nname = \"shots\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nshots = { k = 2 }\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", shots);
    let server = ScriptedServer::start(|request, _| say(&json!({"label": last_user(request)}).to_string()));
    let project = project.live(&server);
    project.run(LIVE).exits(0);
    let shown = project.run(["show", "last", "e01", "--variant", "shots"]).exits(0);
    assert!(shown.stdout().contains("… 2 shots (4 messages; --request shows them)"), "{}", shown.stdout());
    assert!(!shown.stdout().contains("a box number") && shown.stdout().contains("(the input)"));
    let whole = project.run(["show", "last", "e01", "--variant", "shots", "--request"]).exits(0);
    assert_eq!(whole.stdout().matches("a box number").count(), 2, "{}", whole.stdout());
    let document = project.run(["show", "last", "e01", "--variant", "shots", "--json"]).exits(0).json();
    fits(&document, "show");
    let messages = document["trials"][0]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[0]["role"], "system");
}
