//! Hostile files and answers, as a user meets them: each has a defined outcome, in bounded time and memory.

use std::fmt::Write as _;

use ceiling::provider::WireKind;
use ceiling::score::answer::parse;
use ceiling::suite::ParseMode;
use ceiling::suite::schema::OutputSchema;
use ceiling::trial::Received;
use ceiling::wire::read;
use serde_json::{Value, json};

use crate::support::project::EXAMPLES;
use crate::support::{Output, Project, ScriptedServer, last_user, say};

const LIVE: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];

/// What no terminal, page or table may be given as it is.
const EVIL: &str = "a\u{1b}[31m\u{1b}]0;owned\u{7}\u{202e}b\r\n::error file=x::owned\n=1+1";

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// JSON that is on or beyond the edge of what JSON is.
fn torture() -> Vec<(&'static str, String)> {
    vec![
        ("deep", nested(100_000)),
        ("deep objects", "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000)),
        ("open", "[".repeat(1_000_000)),
        ("digits", format!("{{\"label\": {}}}", "9".repeat(10_000))),
        ("fraction", format!("{{\"label\": 0.{}}}", "3".repeat(10_000))),
        ("exponent", "{\"label\": 1e99999}".to_owned()),
        ("twice", "{\"label\": \"red\", \"label\": \"green\"}".to_owned()),
        ("surrogate", "{\"label\": \"\\ud800\"}".to_owned()),
        ("null byte", "{\"label\": \"\u{0}\"}".to_owned()),
        ("escaped null byte", "{\"label\": \"\\u0000red\"}".to_owned()),
        ("nothing", String::new()),
        ("evil", EVIL.to_owned()),
    ]
}

#[test]
fn an_answer_of_any_kind_is_an_answer() {
    let kinds = torture();
    assert_eq!(kinds.len(), EXAMPLES);
    let texts: Vec<String> = kinds.into_iter().map(|(_, text)| text).collect();
    let server = ScriptedServer::start(move |request: &Value, _| {
        let asked = last_user(request);
        let place = (1..=EXAMPLES).find(|place| asked.contains(&format!("number {place} "))).unwrap_or(1);
        say(&texts[place - 1])
    });
    let project = Project::new().suite("tiny").live(&server);
    let toml = project.read("suites/tiny/suite.toml");
    for mode in ["strict", "fenced", "lenient"] {
        let parse = format!("schema = \"schema.json\"\nparse = \"{mode}\"\n");
        project.write("suites/tiny/suite.toml", toml.replace("schema = \"schema.json\"\n", &parse).as_bytes());
        let report = project.run(LIVE.iter().chain(&["--json", "-q", "--variants", "plain"])).exits(0).json();
        let row = &report["variants"][0];
        assert_eq!(row["outcomes"]["failed"], 0, "{mode}: {row}");
        assert_eq!(row["outcomes"]["answered"], 12, "{mode}: {row}");
    }
    for more in [&["show", "last", "e01"][..], &["show", "last", "e11"], &["report", "last", "--format", "html"]] {
        let said = project.run(more).exits(0).said();
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{7}', '\u{0}']), "{more:?}");
    }
}

#[test]
fn a_reply_of_any_kind_or_size_is_read_to_an_end() {
    let big =
        ["x".repeat(50_000_000), format!("{{\"choices\":{}", "[".repeat(50_000_000)), "data: \n".repeat(7_000_000)];
    for text in torture().into_iter().map(|(_, text)| text).chain(big) {
        let small = text.len() < 1_000_000;
        for kind in
            [WireKind::OpenaiChat, WireKind::OpenaiResponses, WireKind::Anthropic, WireKind::Gemini, WireKind::Bedrock]
        {
            for (status, streamed) in [(200, false), (200, true), (500, false)] {
                if small || kind == WireKind::OpenaiChat {
                    let body = text.clone().into_bytes();
                    assert!(read(kind, &Received::Answer { status, body, streamed }).outcome.completion().is_none());
                }
            }
        }
    }
}

#[test]
fn an_answer_of_fifty_megabytes_is_parsed_in_one_pass() {
    let object = OutputSchema::compile(json!({"type": "object"})).unwrap();
    let number = OutputSchema::compile(json!({"type": "number"})).unwrap();
    let whole = format!("{{\"a\": \"{}\"}}", "x".repeat(50_000_000));
    assert!(parse(&whole, ParseMode::Strict, Some(&object), true).validity.is_valid());
    for piece in ["[", "{\"a\":", "-9a", "\""] {
        let text = piece.repeat(50_000_000 / piece.len());
        for schema in [&object, &number] {
            assert!(!parse(&text, ParseMode::Lenient, Some(schema), true).validity.is_valid(), "{piece:?}");
        }
        assert!(!parse(&text, ParseMode::Fenced, Some(&object), true).validity.is_valid(), "{piece:?}");
    }
}

/// `ceiling check` with some bytes in place of a file.
fn checked(name: &str, bytes: &[u8]) -> Output {
    let project = Project::new().suite("tiny").recorded(|_, _| say("{\"label\": \"red\"}"));
    project.write(&format!("suites/tiny/{name}"), bytes);
    project.run(["check", "suites/tiny"])
}

#[test]
fn a_row_of_any_kind_is_an_example_or_a_fault_with_its_line() {
    let mut rows = String::new();
    for (place, (_, text)) in torture().iter().enumerate() {
        let text = if text.is_empty() || text.contains('\n') { "\"x\"" } else { text };
        writeln!(rows, "{{\"id\": \"t{place}\", \"input\": {text}, \"expected\": {{\"label\": \"red\"}}}}").unwrap();
    }
    let output = checked("examples.jsonl", rows.as_bytes()).exits(2);
    for line in [1, 2, 3, 8, 9] {
        assert!(output.said().contains(&format!("examples.jsonl:{line}:")), "line {line}: {}", output.said());
    }
    assert!(output.said().contains("recursion limit"), "{}", output.said());
}

#[test]
fn schemas_prompts_recordings_of_any_kind_are_faults() {
    for (kind, text) in torture() {
        for name in ["schema.json", "recording.jsonl", "suite.toml"] {
            let output = checked(name, text.as_bytes());
            let harmless = name == "recording.jsonl" || (name == "schema.json" && output.code() == 0);
            assert!(harmless || output.code() == 2, "{kind} as {name}: {}", output.said());
            assert!(!output.said().contains(['\u{1b}', '\u{202e}']), "{kind} as {name}");
        }
    }
}

#[test]
fn a_table_of_a_million_columns_is_read_or_named() {
    let columns: String = (0..1_000_000).fold(String::new(), |mut all, at| {
        let _ = write!(all, ",c{at}");
        all
    });
    let cells = ",".repeat(1_000_000);
    let project = Project::new().suite("tiny").recorded(|_, _| say("{\"label\": \"red\"}"));
    project.edit("suites/tiny/suite.toml", "examples.jsonl", "wide.csv");
    project.write("suites/tiny/wide.csv", format!("id,input,expected{columns}\nw1,x,red{cells}\n").as_bytes());
    project.run(["check", "suites/tiny"]).exits(0);
    project.write("suites/tiny/wide.csv", format!("id,input,expectd{columns}\nw1,x,red{cells}\n").as_bytes());
    let output = project.run(["check", "suites/tiny"]).exits(2).says("did you mean `expectd`?");
    assert!(output.said().len() < 5_000);
    let long = "c".repeat(20_000_000);
    project.write("suites/tiny/wide.csv", format!("id,input,{long}\nw1,x,red\n").as_bytes());
    let output = project.run(["check", "suites/tiny"]).exits(2).says("there is no column `expected`");
    assert!(output.said().len() < 5_000);
}

#[cfg(unix)]
#[test]
fn files_outside_the_suite_and_devices_are_refused() {
    use std::os::unix::fs::symlink;
    let project = Project::new().suite("tiny").recorded(|_, _| say("{\"label\": \"red\"}"));
    project.write("secret.jsonl", b"{\"root\": \"hunter2\"}\n");
    let secret = project.path("secret.jsonl");
    project.run(["check", "suites/tiny"]).exits(0);
    for name in ["examples.jsonl", "pool.jsonl", "schema.json", "prompts/v1.md.j2", "recording.jsonl"] {
        let path = project.path(&format!("suites/tiny/{name}"));
        let kept = std::fs::read(&path).unwrap();
        for target in [&secret, std::path::Path::new("/dev/zero"), std::path::Path::new("/dev/stdin")] {
            std::fs::remove_file(&path).unwrap();
            symlink(target, &path).unwrap();
            let output = project.run(["check", "suites/tiny"]);
            // A recording that is no file is none.
            let is_none = name == "recording.jsonl" && *target != *secret;
            assert!(output.code() == 2 || is_none, "{name} -> {}: {}", target.display(), output.said());
            assert!(!output.said().contains("hunter2"), "{}", output.said());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let code = project.run(["check", "suites/tiny"]).code();
        assert!(code == 2 || name == "recording.jsonl", "{name} as a pipe");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, kept).unwrap();
    }
    assert!(std::process::Command::new("mkfifo").arg(project.path("providers/pipe.toml")).status().unwrap().success());
    project.run(["check", "suites/tiny"]).exits(0);
}

#[test]
fn names_in_data_cannot_write_to_what_shows_them() {
    let project = Project::new()
        .suite("tiny")
        .recorded(|_, place| say(if place % 2 == 0 { "{\"label\": \"red\"}" } else { EVIL }));
    let row = |place: usize| {
        json!({"id": format!("{EVIL}{place}"), "input": format!("the ball number {place} looks red"),
               "expected": {"label": "red"}, "tags": {EVIL: EVIL}, "cluster": EVIL})
        .to_string()
            + "\n"
    };
    project.write("suites/tiny/examples.jsonl", (1..=EXAMPLES).map(row).collect::<String>().as_bytes());
    let server = ScriptedServer::start(|request: &Value, _| match last_user(request).contains("number 1") {
        true => say(EVIL),
        false => say("{\"label\": \"red\"}"),
    });
    let project = project.live(&server);
    project.run(LIVE).exits(0);
    let forms: [&[&str]; 7] = [
        &["report", "last"],
        &["report", "last", "--format", "md"],
        &["report", "last", "--format", "html"],
        &["report", "last", "--format", "csv"],
        &["report", "last", "--format", "csv", "--rows", "trials"],
        &["check", "suites/tiny"],
        &["runs"],
    ];
    for form in forms {
        // Data for scripts is data: the scripts put it into the page as text.
        let said: String = project
            .run(form)
            .said()
            .split("<script")
            .map(|part| part.rsplit("</script>").next().unwrap_or(part))
            .collect();
        let at = said.find(['\u{1b}', '\u{202e}', '\u{7}']);
        assert_eq!(
            at.map(|at| said[..at].chars().rev().take(200).collect::<String>().chars().rev().collect::<String>()),
            None,
            "{form:?}"
        );
        // A table's cell may have lines of its own.
        let is_table = form.contains(&"csv");
        let commands = said.lines().any(|line| line.starts_with("::error") || line.starts_with("=1+1"));
        assert!(is_table || !commands, "{form:?}: {said}");
    }
}
