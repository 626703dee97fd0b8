//! The key of a provider goes to the provider and nowhere else, whatever the server makes of it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::project::{KEY_VARIABLE, right};
use crate::support::{Answer, Project, ScriptedServer, events, last_user};

const KEY: &str = "sk-scripted-0123456789abcdef";
const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];
const FORMS: [&str; 5] = ["json", "md", "html", "csv", "jsonl"];

fn echo() -> String {
    format!("the request with `Authorization: Bearer {KEY}` was not taken")
}

fn page(status: u16) -> Answer {
    let header = ("x-echo", format!("Bearer {KEY}"));
    Answer::Whole(status, vec![("content-type", "text/html".into()), header], format!("<b>{}</b>", echo()))
}

/// What is said to the first request of each example; the second is answered.
fn first_answers(number: u32) -> Answer {
    let echo = echo();
    let said = |text: &str| events(&[text], "stop", Value::Null);
    match number {
        1 => Answer::error(429, "requests", &echo),
        2 => Answer::Whole(429, vec![("retry-after", format!("Bearer {KEY}"))], echo),
        3 => page(500),
        4 => Answer::error(529, "overloaded_error", &echo),
        5 => Answer::Ends(said(&echo)[..2].to_vec()),
        6 => Answer::Cut(said(&echo), 300),
        7 => Answer::Stream(vec![json!({"error": {"message": echo, "type": "server_error", "code": null}})]),
        8 => Answer::Stream(vec![Value::String(echo)]),
        9 => Answer::error(400, "invalid_request_error", &echo),
        10 => Answer::Stream(said(&json!({ "label": KEY }).to_string())),
        11 => Answer::Whole(200, vec![], json!({"choices": [], "error": echo}).to_string()),
        _ => Answer::Whole(200, vec![], echo),
    }
}

fn never_written(project: &Project, said: &str) {
    // Bodies are packed in the store: a key within one would be seen only here.
    for run in project.run(["runs", "--json"]).json()["runs"].as_array().into_iter().flatten() {
        let name = run["name"].as_str().unwrap();
        let output = format!("unpacked-{name}.jsonl");
        project.run(["store", "export", name, "-o", &output]).exits(0);
    }
    assert!(!said.contains(KEY), "{said}");
    for (path, bytes) in project.files() {
        let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "the key stands in {}", path.display());
    }
}

fn everything_said(project: &Project) -> String {
    let run = |arguments: &[&str]| project.run(arguments).said();
    let mut said = run(&["runs"]) + &run(&["record", "last", "-o", "recording.jsonl"]);
    for form in FORMS {
        said += &run(&["report", "last", "--format", form, "-o", &format!("report.{form}")]);
    }
    said += &run(&["report", "last", "--format", "csv", "--rows", "trials", "--bodies"]);
    for number in 1..=12 {
        said += &run(&["show", "last", &format!("e{number:02}"), "--raw"]);
        said += &run(&["show", "last", &format!("e{number:02}"), "--json"]);
    }
    said
}

#[test]
fn no_failure_writes_the_key_anywhere() {
    let met = Mutex::new(BTreeSet::new());
    let server = ScriptedServer::start(move |request, _| {
        let words: Vec<&str> = last_user(request).split(' ').collect();
        let number: u32 = words.iter().find_map(|word| word.parse().ok()).unwrap_or(0);
        if met.lock().unwrap().insert(number) { first_answers(number) } else { right(request) }
    });
    // Everything that any library logs.
    let project = Project::new().suite("tiny").live_with_key(&server, KEY).env("RUST_LOG", "trace");
    let run = project.run(RUN.iter().chain(&["--variants", "plain"]));
    assert!(run.stderr().contains("TRACE"), "the logs are whole");
    assert!(server.seen().iter().all(|seen| seen.headers["authorization"] == format!("Bearer {KEY}")));
    assert!(server.count() > 12 + 5, "{} requests: what can be tried again was", server.count());
    never_written(&project, &(run.said() + &everything_said(&project)));
}

#[test]
fn no_refusal_writes_the_key_anywhere() {
    for status in [400, 401, 402, 403, 404] {
        let moved = ("location", format!("http://127.0.0.1:1/{KEY}"));
        let answers = [
            Answer::error(status, "invalid_request_error", &echo()),
            page(status),
            Answer::Whole(status - 93, vec![moved], echo()),
        ];
        for answer in answers {
            let server = ScriptedServer::start(move |_, _| answer.clone());
            let project = Project::new().suite("tiny").live_with_key(&server, KEY).env("RUST_LOG", "trace");
            let run = project.run(RUN).exits(4);
            assert!(server.count() > 0);
            let report = project.run(["report", "last", "--json"]).said();
            never_written(&project, &(run.said() + &report));
        }
    }
}

#[test]
fn no_wire_writes_its_key_anywhere() {
    for (kind, header) in
        [("anthropic", "x-api-key"), ("gemini", "x-goog-api-key"), ("openai-responses", "authorization")]
    {
        let server = ScriptedServer::start(|_, _| page(401));
        let project = Project::new().suite("tiny").live_with_key(&server, KEY).env("RUST_LOG", "trace");
        project.edit("providers/live.toml", "openai-chat", kind);
        let run = project.run(RUN).exits(4);
        assert!(server.seen().iter().all(|seen| seen.headers[header].ends_with(KEY)), "{kind}");
        never_written(&project, &run.said());
    }
}

#[test]
fn a_key_of_a_file_stays_in_the_file() {
    let server = ScriptedServer::start(|_, number| if number == 0 { page(500) } else { page(401) });
    let project = Project::new().suite("tiny").live_with_key(&server, KEY);
    let variable = format!("api_key_env = \"{KEY_VARIABLE}\"");
    project.edit("providers/live.toml", &variable, "api_key_file = \"key.txt\"");
    project.write("providers/key.txt", format!("{KEY}\n").as_bytes());
    let run = project.run(RUN).exits(4);
    assert!(server.seen().iter().all(|seen| seen.headers["authorization"] == format!("Bearer {KEY}")));
    std::fs::remove_file(project.path("providers/key.txt")).unwrap();
    never_written(&project, &run.said());
    let missing = project.run(RUN).exits(2);
    assert!(missing.said().contains("key.txt"), "{}", missing.said());
}

/// A key in the file itself, or in an address, is the mistake that puts it into a repository and into `ps`.
#[test]
fn a_key_that_is_written_down_is_refused_and_not_repeated() {
    let server = ScriptedServer::start(|request, _| right(request));
    for wrong in [
        format!("api_key = \"{KEY}\""),
        format!("api_key_env = \"{KEY}\""),
        format!("headers = {{ Authorization = \"Bearer {KEY}\" }}"),
    ] {
        let project = Project::new().suite("tiny").live_with_key(&server, KEY);
        project.edit("providers/live.toml", &format!("api_key_env = \"{KEY_VARIABLE}\""), &wrong);
        let refused = project.run(RUN).exits(2);
        assert!(!refused.said().contains(KEY), "{wrong}\n{}", refused.said());
    }
    assert_eq!(server.count(), 0);
}

/// A suite comes from others; what it may not do is send the user's keys to them.
#[test]
fn a_suite_sends_no_key_to_a_host_of_its_own() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live_with_key(&server, KEY).env("OPENAI_API_KEY", KEY);
    let refused = |name: &str, text: &str| {
        let file = format!("suites/tiny/providers/{name}.toml");
        project.write(&file, text.as_bytes());
        for command in [&["check", "suites/tiny"][..], &RUN] {
            let said = project.run(command).exits(2);
            assert!(said.stderr().contains("provider/foreign-host"), "{name}: {}", said.stderr());
            assert!(said.stderr().contains("evil.example"), "{name}: {}", said.stderr());
        }
        std::fs::remove_file(project.path(&file)).unwrap();
    };
    refused("openai", "base_url = \"https://evil.example/v1\"\n");
    refused("openai", "[models.m]\nbase_url = \"https://evil.example/v1\"\n");
    refused("openai", "base_url = \"https://api.openai.com.evil.example/v1\"\n");
    let other = "kind = \"openai-chat\"\nbase_url = \"https://evil.example/v1\"\n";
    refused("other", &format!("{other}api_key_env = \"AWS_SECRET_ACCESS_KEY\"\n"));
    refused("other", &format!("{other}api_key_file = \"/etc/passwd\"\n"));
    assert_eq!(server.count(), 0);
    // Prices, limits and providers of this machine or without a key are its own affair.
    project.write("suites/tiny/providers/openai.toml", b"[models.m]\nprice = { input = 1.0, output = 2.0 }\n");
    project.write("suites/tiny/providers/other.toml", other.as_bytes());
    project.run(RUN).exits(0);
}
