//! `ceiling init`: each form of labelled data becomes a suite that passes `check`; nothing is lost
//! without a word, and nothing is overwritten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::evidence::prints;
use crate::schemas::fits;
use crate::support::{Output, Project, ScriptedServer, last_user, say, wants_schema};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/init").join(name)
}

/// A project with the file, and one provider whose key is set.
fn project(file: &str) -> Project {
    let bytes = std::fs::read(fixture(file)).unwrap();
    let project = Project::new().env("OPENAI_API_KEY", "sk-test");
    project.write(file, &bytes);
    project
}

/// What `init` made of the file, as JSON; the suite passes `check`.
fn made(project: &Project, file: &str, more: &[&str]) -> Value {
    let arguments = ["init", "new", "--from", file, "--json"].into_iter().chain(more.iter().copied());
    let document = project.run(arguments).exits(0).json();
    fits(&document, "init");
    let checked = project.run(["check", "suites/new", "--json"]).exits(0).json();
    assert_eq!(checked["errors"], 0, "{checked}");
    document
}

fn rows(project: &Project, name: &str) -> Vec<Value> {
    project.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_table_of_300_rows_is_understood() {
    let project = project("tickets.csv");
    let made = made(&project, "tickets.csv", &[]);
    assert_eq!((&made["task"], &made["format"]), (&"classification".into(), &"csv".into()));
    assert_eq!(made["labels"].as_array().unwrap().len(), 4);
    let columns = &made["columns"];
    assert_eq!(columns["input"], serde_json::json!(["message"]));
    assert_eq!(
        (&columns["expected"], &columns["id"], &columns["cluster"]),
        (&"team".into(), &"ticket".into(), &"customer".into())
    );
    assert_eq!(columns["tags"], serde_json::json!(["channel"]));
    assert_eq!(columns["unused"], serde_json::json!(["agent_notes"]));
    let sides = ["test", "dev", "pool"].map(|side| rows(&project, &format!("suites/new/{side}.jsonl")));
    assert_eq!(sides.iter().map(Vec::len).sum::<usize>(), 300);
    let mut side_of: BTreeMap<String, usize> = BTreeMap::new();
    for (side, rows) in sides.iter().enumerate() {
        for row in rows {
            let cluster = row["cluster"].as_str().unwrap().to_owned();
            assert_eq!(*side_of.entry(cluster).or_insert(side), side, "a customer is on two sides");
        }
    }
    let again = project.read("suites/new/test.jsonl");
    project.run(["init", "new", "--from", "tickets.csv", "--force"]).exits(0).says("suites/new.old-1");
    assert_eq!(again, project.read("suites/new/test.jsonl"), "the same seed gives the same split");
    project.run(["init", "other", "--from", "tickets.csv", "--seed", "8"]).exits(0);
    assert_ne!(again, project.read("suites/other/test.jsonl"));
}

#[test]
fn what_promptfoo_has_is_carried_over_or_named() {
    let project = project("promptfooconfig.yaml");
    let made = made(&project, "promptfooconfig.yaml", &[]);
    assert_eq!(made["format"], "promptfoo");
    assert_eq!(made["rows"]["left_out"], 2);
    let said = made["notes"].to_string();
    for word in ["`javascript` (line 24)", "`latency`", "openai:gpt-5-mini", "prompts/long.txt", "`anchors`"] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    let left: Vec<Value> = rows(&project, "suites/new/left-out.jsonl");
    assert!(left[0]["why"].as_str().unwrap().contains("`thing` is a list"), "{left:?}");
    assert_eq!(left[1]["line"], 55, "{left:?}");
    assert!(project.read("suites/new/prompts/v1.md.j2").contains("Name the colour of {{thing}}. One word."));
    assert!(project.read("suites/new/README.md").contains("`javascript`"));
}

#[test]
fn a_table_of_promptfoo_tests() {
    let project = project("promptfoo.csv");
    let made = made(&project, "promptfoo.csv", &[]);
    assert_eq!((&made["format"], &made["task"]), (&"promptfoo".into(), &"generation".into()));
    assert!(made["notes"].to_string().contains("`python` (line 6)"), "{}", made["notes"]);
    assert!(project.read("suites/new/suite.toml").contains("kind = \"contains\""));
}

#[test]
fn samples_of_openai_evals() {
    let project = project("evals.jsonl");
    let made = made(&project, "evals.jsonl", &[]);
    assert_eq!(made["format"], "openai-evals");
    assert!(made["notes"].to_string().contains("several right answers"));
    assert!(project.read("suites/new/prompts/v1.md.j2").contains("Answer with the name of the capital alone."));
    let suite = project.read("suites/new/suite.toml");
    assert!(
        suite.contains("kind = \"regex\"") && !suite.contains("name = \"few-shot"),
        "a pattern is no shot\n{suite}"
    );
}

#[test]
fn rows_of_chat_fine_tuning() {
    let project = project("chat.jsonl");
    let made = made(&project, "chat.jsonl", &[]);
    assert_eq!((&made["format"], &made["task"]), (&"openai-chat".into(), &"classification".into()));
    assert_eq!(made["left_out"][0]["line"], 13);
    assert_eq!(rows(&project, "suites/new/test.jsonl")[0]["expected"], serde_json::json!({"colour": "red"}));
}

#[test]
fn samples_of_inspect() {
    let project = project("inspect.json");
    let made = made(&project, "inspect.json", &[]);
    assert_eq!((&made["format"], &made["columns"]["id"]), (&"inspect".into(), &"id".into()));
    assert!(made["notes"].to_string().contains("`sandbox`, 12 rows"), "{}", made["notes"]);
    let first = &rows(&project, "suites/new/test.jsonl")[0];
    assert_eq!(first["input"]["choices"][1], "B) green");
    assert!(first["tags"]["kind"].is_string());
}

#[test]
fn the_user_may_say_it_otherwise() {
    let project = project("tickets.csv");
    let flags =
        ["--expected", "channel", "--input", "message", "--input", "team", "--id", "ticket", "--cluster", "team"];
    let more =
        ["--tag", "customer", "--pool-share", "0.4", "--task", "classification", "--model", "llama-cpp/135m-instruct"];
    let made = made(&project, "tickets.csv", &[flags.as_slice(), more.as_slice()].concat());
    assert_eq!(made["columns"]["input"], serde_json::json!(["message", "team"]));
    assert_eq!(made["labels"].as_array().unwrap().len(), 3);
    assert_eq!(made["models"][0]["model"], "llama-cpp/135m-instruct");
    assert!(rows(&project, "suites/new/test.jsonl")[0]["input"]["team"].is_string());
}

#[test]
fn without_a_key_a_model_of_this_machine_stands_in() {
    let project = Project::new();
    project.write("tickets.csv", &std::fs::read(fixture("tickets.csv")).unwrap());
    let made = made(&project, "tickets.csv", &[]);
    assert_eq!(made["models"][0]["model"], "llama-cpp/135m-instruct");
    let suite = project.read("suites/new/suite.toml");
    assert!(suite.contains("# Next: no key is set") && suite.contains("needs OPENAI_API_KEY"), "{suite}");
}

#[track_caller]
fn refused(project: &Project, file: &str, more: &[&str]) -> Output {
    let output = project.run(["init", "new", "--from", file].into_iter().chain(more.iter().copied())).exits(2);
    assert!(output.said().len() < 10_000 && !output.said().contains("panicked"), "{}", output.said());
    let left = std::fs::read_dir(project.path("suites")).map(|entries| entries.count()).unwrap_or(0);
    assert_eq!(left, 0, "a refused draft leaves nothing");
    output
}

#[test]
fn what_cannot_be_read_is_refused_and_leaves_nothing() {
    let project = Project::new();
    let rows = "hello there,a\n".repeat(12);
    let wide: String = (0..100_000).map(|n| format!("c{n},")).collect();
    project.write("wide.csv", format!("{wide}x\n").as_bytes());
    refused(&project, "wide.csv", &[]).says("init/syntax").says("100001 columns");
    project.write("latin.csv", b"text,label\ncaf\xe9,a\n");
    refused(&project, "latin.csv", &[]).says("init/not-utf8").says("latin.csv:2:4");
    project.write("twice.csv", format!("text,label,text\n{rows}").as_bytes());
    refused(&project, "twice.csv", &[]).says("`text` stands twice");
    project.write("open.csv", format!("text,label\n\"{rows}").as_bytes());
    refused(&project, "open.csv", &[]);
    project.write("empty.csv", b"");
    refused(&project, "empty.csv", &[]);
    project.write("broken.json", b"[{\"input\": \"a\", \"expected\": \"b\"},\n {\"input\": ]");
    refused(&project, "broken.json", &[]).says("broken.json:2");
    project.write("broken.yaml", b"tests:\n  - vars: {a: [\n");
    refused(&project, "broken.yaml", &[]).says("not YAML");
    project.write("elsewhere.yaml", b"tests: file://cases.csv\n");
    refused(&project, "elsewhere.yaml", &[]).says("cases.csv").says("--from");
    refused(&project, "missing.csv", &[]).says("init/unreadable");
    project.write("plain.csv", format!("text,label\n{rows}").as_bytes());
    refused(&project, "plain.csv", &["--expected", "lable"]).says("did you mean `label`?");
    refused(&project, "plain.csv", &["--model", "opnai/gpt"]).says("did you mean `openai`?");
    project.run(["init", "../up", "--from", "plain.csv"]).exits(2).says("cannot be a suite's name");
}

#[test]
fn marks_separators_and_huge_cells_are_no_obstacle() {
    let project = Project::new();
    let row = |n: usize| format!("\"case {n}; what about {}?\";{}\r\n", n * 7919 % 1000, ["yes", "no"][n % 2]);
    let huge = format!("{};yes\r\n", "x".repeat(2 * 1024 * 1024));
    let text: String = (0..30).map(row).collect();
    project.write("export.csv", format!("\u{feff}text;label\r\n{text}{huge}").as_bytes());
    let made = made(&project, "export.csv", &[]);
    assert_eq!((&made["rows"]["left_out"], &made["left_out"][0]["line"]), (&1.into(), &32.into()));
}

#[test]
fn a_folder_that_is_there_is_not_overwritten() {
    let project = project("tickets.csv").file("suites/new/mine.txt", "mine");
    project.run(["init", "new", "--from", "tickets.csv"]).exits(2).says("is there already").says("--force");
    project.run(["init", "new", "--from", "tickets.csv", "--force"]).exits(0);
    assert_eq!(project.read("suites/new.old-1/mine.txt"), "mine");
}

/// Sorts by words that the messages have; with the schema it is sure of itself, else it talks.
fn sorts(request: &Value) -> String {
    let message = last_user(request).to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let team = if has(&["money", "payment", "pay me back", "difference"]) {
        "refunds"
    } else if has(&["password", "profile", "signed in", "about me"]) {
        "accounts"
    } else if has(&["parcel", "driver", "go to a shop", "arrive"]) {
        "delivery"
    } else {
        "faults"
    };
    let answer = serde_json::json!({"label": team}).to_string();
    if wants_schema(request) { answer } else { format!("Sure! {answer}") }
}

/// The README's way, command by command, with the 300 rows and a server in place of the provider's.
#[test]
fn the_readme_leads_from_a_table_to_a_verdict() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let part = readme.split_once("## Your own suite in ten minutes").unwrap().1.split_once("\n## ").unwrap().0;
    let server = ScriptedServer::start(|request, _| say(&sorts(request)));
    let provider = format!("base_url = \"{}\"\n", server.base_url());
    let project = project("tickets.csv").file("providers/openai.toml", &provider);
    let table = crate::evidence::block(part, "tickets.csv", "csv");
    let whole = project.read("tickets.csv");
    assert!(table.lines().take_while(|line| *line != "…").all(|line| whole.contains(line)), "{table}");
    let mut outputs = BTreeMap::new();
    for block in part.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0) {
        for command in block.lines().filter_map(|line| line.strip_prefix("ceiling ")) {
            let command = command.split(" #").next().unwrap();
            let words: Vec<&str> = command.split_whitespace().collect();
            let output = project.run(&words).exits(0);
            outputs.insert(words[0].to_owned(), output);
        }
    }
    prints(&outputs["init"], crate::evidence::block(part, "<!-- init -->", "text"));
    assert!(outputs["run"].stdout().contains("VERDICT"), "{}", outputs["run"].stdout());
    assert!(outputs.contains_key("plan") && outputs.contains_key("check"), "{:?}", outputs.keys());
    let report = project.run(["run", "suites/tickets", "--json", "-q"]).exits(0).json();
    assert!(report["verdict"]["kind"].is_string());
    let schema = report["variants"].as_array().unwrap().iter().find(|row| row["variant"] == "schema").unwrap();
    assert_eq!(schema["accuracy"]["point"], 1.0);
    // So few examples can hold the margin that was written for them.
    project.run(["baseline", "last", "-o", "base.json", "--variant", "schema"]).exits(0);
    let gate = ["gate", "suites/tickets", "--baseline", "base.json", "--variant", "schema"];
    assert!(project.run(gate).exits(0).stdout().contains("HELD"));
}

/// The sets of real data beside the project, where they are.
#[test]
fn public_data_becomes_suites_that_pass_check() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from).join("data");
    if !folder.is_dir() {
        println!("skipped: public data: there is no {} (set CEILING_SHARED)", folder.display());
        return;
    }
    let tasks = [
        ("banking77/sub16-test", "classification"),
        ("banking77/dev", "classification"),
        ("sms_spam/dev", "classification"),
        ("gsm8k/test", "generation"),
        ("nlupp/dev", "extraction"),
        ("snips_slots/dev", "extraction"),
        ("wnut17_ner/dev", "extraction"),
    ];
    for (file, task) in tasks {
        let project = Project::new().env("OPENAI_API_KEY", "sk-test").env("ANTHROPIC_API_KEY", "sk-test");
        let path = folder.join(format!("{file}.jsonl"));
        let made = made(&project, path.to_str().unwrap(), &[]);
        assert_eq!((made["task"].as_str(), &made["columns"]["id"]), (Some(task), &"id".into()), "{file}");
        assert_eq!(made["models"].as_array().unwrap().len(), 2, "{file}");
    }
}
