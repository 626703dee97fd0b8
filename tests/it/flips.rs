//! The examples on which two sides differ.

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::schema_helps;
use crate::support::server::{last_user, wants_schema};
use crate::support::{Project, ScriptedServer, say};

const LIVE: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "-q"];

fn recorded() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

#[track_caller]
fn flips(project: &Project, arguments: &[&str]) -> Value {
    let document = project.run(["flips"].iter().chain(arguments).chain(&["--json"])).exits(0).json();
    fits(&document, "flips");
    document
}

#[test]
fn both_answers_are_shown_and_counted() {
    let project = recorded();
    let found = flips(&project, &["plain", "schema"]);
    assert_eq!([&found["common"], &found["fixed"], &found["broken"], &found["alike"]], [12, 8, 0, 4]);
    assert_eq!((&found["listed"], &found["left_out"]), (&json!(8), &json!(0)));
    let first = &found["examples"][0];
    assert_eq!((&first["example"], &first["a_score"], &first["b_score"]), (&json!("e01"), &json!(0.0), &json!(1.0)));
    assert_eq!(
        (&first["a"][0]["answer"]["label"], &first["b"][0]["answer"]["label"]),
        (&json!("red"), &json!("green"))
    );
    let text = project.run(["flips", "tiny-1", "plain", "schema", "--limit", "1"]).exits(0);
    insta::assert_snapshot!("flips", text.stdout());
}

#[test]
fn only_limit_and_tag_narrow_what_is_listed() {
    let project = recorded();
    assert_eq!(flips(&project, &["schema", "plain", "--only", "fixed"])["listed"], 0);
    let broken = flips(&project, &["schema", "plain", "--only", "broken", "--limit", "3"]);
    assert_eq!((&broken["only"], &broken["listed"], &broken["broken"]), (&json!("broken"), &json!(3), &json!(8)));
    let even = flips(&project, &["plain", "schema", "--tag", "parity=even"]);
    assert_eq!((&even["common"], &even["tag"]), (&json!(6), &json!(["parity", "even"])));
    let red = flips(&project, &["plain", "schema", "--tag", "label=red"]);
    assert_eq!((&red["common"], &red["fixed"], &red["alike"]), (&json!(4), &json!(0), &json!(4)));
    project.run(["flips", "plain", "schema", "--tag", "parity=evn"]).exits(2).says("did you mean `even`?");
    project.run(["flips", "plain", "schema", "--tag", "pariti=even"]).exits(2).says("did you mean `parity`?");
    let _ = project.run(["flips", "plain", "schema", "--tag", "parity"]).exits(2).says("--tag site=north");
}

#[test]
fn sides_are_named_as_for_compare() {
    let project = recorded();
    project.run(["run", "suites/tiny", "-q", "--fresh"]).exits(0);
    for sides in [&["tiny-1:plain", "tiny-2:schema"][..], &["tiny-1", "plain", "schema"], &["last", "plain", "schema"]]
    {
        assert_eq!(flips(&project, sides)["fixed"], 8, "{sides:?}");
    }
    assert_eq!(flips(&project, &["plain", "tiny-1", "tiny-2"])["alike"], 12);
    project.run(["flips", "tiny-1", "tiny-2"]).exits(2).says("RUN1:VARIANT RUN2:VARIANT");
    project.run(["flips", "plain", "nobody"]).exits(2).says("hint:");
}

#[test]
fn hostile_answers_stay_text() {
    let server = ScriptedServer::start(|request, _| match wants_schema(request) {
        true => schema_helps(request),
        false if last_user(request).contains("number 1 ") => say("\u{1b}[2J\u{202e}{\"label\": <script>\r\n\u{7}}"),
        false => say("{\"label\":\"mauve\"}"),
    });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let text = project.run(["flips", "plain", "schema"]).exits(0);
    assert!(!text.stdout().contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']), "{}", text.stdout());
    assert!(text.stdout().contains("\"mauve\"   ← "), "{}", text.stdout());
    let document = flips(&project, &["plain", "schema"]);
    assert_eq!(document["examples"][0]["a"][0]["valid"], false);
}
