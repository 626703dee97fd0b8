//! What a provider does not take: the schema as it is sent and judged, and what is said before.

use serde_json::json;

use crate::support::project::{EXAMPLES, colour_of};
use crate::support::{Project, ScriptedServer, say, wants_schema};

const SUITE: &str = "suites/tiny/suite.toml";

/// The tiny suite with an optional field and a limit that OpenAI's strict mode does not take.
const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "label": {"enum": ["red", "green", "blue"]},
    "why": {"type": "string", "minLength": 2}
  },
  "required": ["label"],
  "additionalProperties": false
}"#;

/// A provider in the words of OpenAI's own host.
fn openai(base_url: &str, keys: &str, model: &str) -> String {
    format!(
        "kind = \"openai-chat\"\ndialect = \"openai\"\nbase_url = \"{base_url}\"\n{keys}\n[models.small]\n{model}\n"
    )
}

fn project(provider: &str) -> Project {
    Project::new().suite("tiny").file("suites/tiny/schema.json", SCHEMA).file("providers/live.toml", provider)
}

const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];
const CHECK: [&str; 4] = ["check", "suites/tiny", "--provider", "toy=live"];

#[test]
fn a_schema_is_sent_in_the_providers_subset_and_judged_by_the_suites_own() {
    let server = ScriptedServer::start(|request, _| {
        let colour = colour_of(request);
        // Held to the schema that it is sent, the model writes null for what it has not.
        let answer =
            if wants_schema(request) { json!({"label": colour, "why": null}) } else { json!({"label": colour}) };
        say(&answer.to_string())
    });
    let project = project(&openai(&server.base_url(), "", ""));
    let report = project.run(RUN.into_iter().chain(["--json"])).exits(0).json();
    let sent = server.seen().into_iter().find(|seen| wants_schema(&seen.body)).unwrap().body;
    assert_eq!(
        sent["response_format"]["json_schema"]["schema"],
        json!({
            "type": "object",
            "properties": {
                "label": {"type": "string", "enum": ["red", "green", "blue"]},
                "why": {"type": ["string", "null"]}
            },
            "required": ["label", "why"],
            "additionalProperties": false
        })
    );
    let row = |name: &str| report["variants"].as_array().unwrap().iter().find(|row| row["variant"] == name).unwrap();
    assert_eq!(row("schema")["schema_validity_strict"]["point"], 1.0);
    assert_eq!(row("schema")["accuracy"]["point"], 1.0);
    assert_eq!(row("plain")["schema_changes"], json!([]));
    let changes = row("schema")["schema_changes"].as_array().unwrap();
    assert!(changes.contains(&json!({"at": "/properties/why", "what": "`minLength` left out"})), "{changes:?}");

    let output = project.run(RUN).exits(0).says("suite/fitted-schema").says("`minLength` left out at /properties/why");
    let board = output.stdout();
    assert!(board.contains("schema as sent to live/small: 3 changes"), "{board}");
    assert_eq!(server.count(), 2 * EXAMPLES, "the second run is served from the store");
}

#[test]
fn a_null_is_no_absence_where_the_schema_went_as_it_is() {
    let server =
        ScriptedServer::start(|request, _| say(&json!({"label": colour_of(request), "why": null}).to_string()));
    let project = project(&format!("kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.small]\n", server.base_url()));
    let report = project.run(RUN.into_iter().chain(["--json"])).exits(0).json();
    for row in report["variants"].as_array().unwrap() {
        assert_eq!(row["schema_validity_strict"]["point"], 0.0, "{row}");
        assert_eq!(row["schema_changes"], json!([]));
    }
}

#[test]
fn a_schema_that_no_form_fits_is_refused_before_anything_is_sent() {
    let server = ScriptedServer::start(|_, _| say("{}"));
    let list = r#"{"type": "array", "items": {"enum": ["red", "green", "blue"]}}"#;
    let project = project(&openai(&server.base_url(), "", "")).file("suites/tiny/schema.json", list);
    project.edit(SUITE, "at = \"/label\"", "at = \"/0\"\nexpected_at = \"/label\"");
    project.run(RUN).exits(2).says("suite/unfit-schema").says("variant `schema`").says("the root must be an object");
    assert_eq!(server.count(), 0);
    project.run(["check", "suites/tiny", "--provider", "toy=live", "--variants", "plain"]).exits(0);
}

#[test]
fn what_a_model_refuses_is_said_at_its_variant() {
    let server = ScriptedServer::start(|_, _| say("{}"));
    let facts = "sampling = false\nretires = \"2020-01-01\"\ncache_min_tokens = 4096";
    let project = project(&openai(&server.base_url(), "", facts));
    project.edit(SUITE, "name = \"schema\"\n", "name = \"schema\"\nparams = { temperature = 0 }\ncache = true\n");
    let document = project.run(CHECK.into_iter().chain(["--json"])).exits(2).json();
    let said: Vec<(&str, &str)> = document["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["code"].as_str().unwrap(), fault["severity"].as_str().unwrap()))
        .collect();
    for expected in [
        ("suite/refused-parameter", "error"),
        ("suite/retired-model", "error"),
        ("suite/short-prefix", "warning"),
        ("suite/fitted-schema", "warning"),
    ] {
        assert!(said.contains(&expected), "{expected:?} in {said:?}");
    }
    let refused =
        document["diagnostics"].as_array().unwrap().iter().find(|fault| fault["code"] == "suite/refused-parameter");
    assert!(refused.unwrap()["line"].as_u64().unwrap() > 0, "{refused:?}");
    project.run(RUN).exits(2).says("takes no `temperature`");
    assert_eq!(server.count(), 0);
    let recorded = project.run(["check", "suites/tiny"]);
    assert!(!recorded.said().contains("refused-parameter"), "nothing is sent to a recording");
}

#[test]
fn a_cached_prefix_that_changes_with_the_example_is_said() {
    let server = ScriptedServer::start(|_, _| say("{}"));
    let project = project(&openai(&server.base_url(), "", "cache_min_tokens = 1"));
    project.edit(SUITE, "name = \"schema\"\n", "name = \"schema\"\ncache = true\n");
    let check = || project.run(CHECK).exits(0);
    assert!(!check().said().contains("prefix"), "{}", check().said());
    project.edit(SUITE, "cache = true\n", "cache = true\nshots = { k = 2, select = \"similar\" }\n");
    check().says("suite/unstable-prefix").says("the shots differ from example to example");
    project.edit(SUITE, "shots = { k = 2, select = \"similar\" }\n", "");
    let prompt = project.read("suites/tiny/prompts/v1.md.j2");
    let prompt = prompt.replace("--- user ---", "About {{ input }}\n--- user ---");
    project.write("suites/tiny/prompts/v1.md.j2", prompt.as_bytes());
    check().says("suite/unstable-prefix").says("the system part differs");
}
