//! Training data from a pool: what is written, what is never written, and what says so.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::evidence::{block, prints, reference};
use crate::plan::shipped;
use crate::schemas::fits;
use crate::support::project::{COLOURS, EXAMPLES, schema_helps};
use crate::support::{Project, ScriptedServer};

const LABELS: [&str; 6] = ["export", "suites/tiny", "--format", "trl-conversational", "-o", "out/train.jsonl"];

/// The tiny suite with a pool of so many rows, in clusters of two.
fn tiny(pool: usize) -> Project {
    let row = |place: usize| {
        let colour = COLOURS[place % 3];
        let things = ["a box", "my old coat", "one kite", "the neighbour's roof", "some bicycle"];
        let input = format!("{} that {place} people saw is {colour}", things[place % 5]);
        json!({"id": format!("p{place:02}"), "input": input, "expected": {"label": colour},
               "cluster": format!("k{}", (place - 1) / 2)})
        .to_string()
            + "\n"
    };
    let rows: String = (1..=pool).map(row).collect();
    let project = Project::new().suite("tiny").file("suites/tiny/pool.jsonl", &rows);
    std::fs::create_dir(project.path("out")).unwrap();
    project
}

fn lines(project: &Project, path: &str) -> Vec<Value> {
    project.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn labels_become_rows_with_the_prompt_that_will_be_asked() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = tiny(30).live(&server);
    let said = project.run(LABELS.iter().chain(&["--json", "--validation-share", "0.2"])).exits(0).json();
    fits(&said, "export");
    let (train, held_out) = (lines(&project, "out/train.jsonl"), lines(&project, "out/train.validation.jsonl"));
    assert_eq!(train.len() + held_out.len(), 30);
    assert!((4..=8).contains(&held_out.len()), "{}", held_out.len());
    let manifest: Value = serde_json::from_str(&project.read("out/train.manifest.json")).unwrap();
    assert_eq!(manifest, said["manifest"]);
    assert_eq!(manifest["suite"]["folder"], "../suites/tiny");
    assert_eq!(manifest["files"]["train"]["rows"], train.len());
    assert_eq!(manifest["acceptance"]["examples"]["count"], EXAMPLES);
    assert_eq!(manifest["acceptance"]["target"], 0.9);
    // A row asks what a model is asked of the same row, and answers with its label.
    project.run(["run", "suites/tiny", "--provider", "toy=live", "--on", "pool"]).exits(0);
    let shown = project.run(["show", "last", "p07", "--variant", "plain", "--json"]).exits(0).json();
    let asked = shown["trials"][0]["request"]["messages"].as_array().unwrap();
    let row = train.iter().chain(&held_out).find(|row| row["messages"][1] == asked[1]).unwrap();
    assert_eq!(row["messages"].as_array().unwrap()[..2], asked[..]);
    assert_eq!(row["messages"][2], json!({"role": "assistant", "content": "{\"label\":\"green\"}"}));
    // Clusters are whole.
    let seen = |rows: &[Value]| -> BTreeSet<u64> {
        let place =
            |row: &Value| row["messages"][1]["content"].as_str().unwrap().split(' ').find_map(|w| w.parse().ok());
        rows.iter().map(|row| (place(row).unwrap_or(1_u64) - 1) / 2).collect()
    };
    assert!(seen(&train).is_disjoint(&seen(&held_out)));
}

#[test]
fn the_same_input_gives_the_same_bytes_and_nothing_is_written_over_unasked() {
    let project = tiny(30);
    project.run(LABELS).exits(0);
    let files = ["out/train.jsonl", "out/train.validation.jsonl", "out/train.manifest.json"];
    let before = files.map(|file| project.read(file));
    project.run(LABELS).exits(2).says("is there already");
    project.run(LABELS.iter().chain(&["--force"])).exits(0);
    assert_eq!(files.map(|file| project.read(file)), before);
    project.run(LABELS.iter().chain(&["--force", "--validation-share", "0"])).exits(0);
    assert!(!project.path(files[1]).exists(), "a validation file of an earlier export does not stay");
    assert_eq!(lines(&project, files[0]).len(), 30);
}

#[test]
fn a_row_that_is_a_test_example_stops_the_export_at_its_line() {
    let project = tiny(30);
    let pool = project.read("suites/tiny/pool.jsonl");
    let text = "The second ball from the left in the third row of the window display looks red";
    let row = |id: &str, input: &str| json!({"id": id, "input": input, "expected": {"label": "red"}});
    let (near, long) = (row("near", &format!("{text} today")), row("long", text));
    project.write("suites/tiny/pool.jsonl", format!("{pool}{near}\n").as_bytes());
    let examples = project.read("suites/tiny/examples.jsonl");
    let grouped = json!({"id": "grouped", "input": "something else", "expected": {"label": "red"}, "cluster": "k3"});
    project.write("suites/tiny/examples.jsonl", format!("{examples}{long}\n{grouped}\n").as_bytes());
    let stopped = project.run(LABELS).exits(2);
    let stopped = stopped.says("training/near-leak").says("training/cluster-leak");
    assert!(stopped.stderr().contains("pool.jsonl:31:1"), "{}", stopped.stderr());
    assert!(!project.path("out/train.jsonl").exists());
    let said = project.run(LABELS.iter().chain(&["--drop-leaks", "--json"])).exits(0).json();
    assert_eq!(said["leaks"], json!({"near-leak": 1, "cluster-leak": 2}));
    fits(&said, "export");
    let files = project.read("out/train.jsonl") + &project.read("out/train.validation.jsonl");
    for text in ["red today", "that 7 people", "that 8 people"] {
        assert!(!files.contains(text), "{text}");
    }
    assert!(files.contains("that 9 people"));
    // The very same input is a fault of the suite, too: it can be left out all the same.
    project.write("suites/tiny/pool.jsonl", format!("{pool}{long}\n").as_bytes());
    project.run(LABELS.iter().chain(&["--force"])).exits(2).says("training/test-leak");
    let said = project.run(LABELS.iter().chain(&["--force", "--drop-leaks", "--json"])).exits(0).json();
    assert_eq!(said["leaks"], json!({"test-leak": 1, "cluster-leak": 2}));
    assert!(!project.read("out/train.jsonl").contains(text));
}

#[test]
fn a_document_that_holds_a_test_example_stops_the_export() {
    let project = tiny(30).file(
        "suites/tiny/docs.jsonl",
        "{\"id\": \"d1\", \"text\": \"Colours of things\"}\n{\"id\": \"d2\", \"text\": \"As in: a ball that nobody has seen for years looks red.\"}\n",
    );
    let examples = project.read("suites/tiny/examples.jsonl");
    let long =
        json!({"id": "long", "input": "a ball that nobody has seen for years looks red", "expected": {"label": "red"}});
    project.write("suites/tiny/examples.jsonl", format!("{examples}{long}\n").as_bytes());
    project.edit("suites/tiny/suite.toml", "pool = ", "documents = \"docs.jsonl\"\npool = ");
    let stopped = project.run(LABELS).exits(2).says("training/document-leak");
    assert!(stopped.stderr().contains("docs.jsonl:2:1"), "{}", stopped.stderr());
}

#[test]
fn a_teacher_answers_the_pool_and_only_what_is_right_is_taught() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = tiny(30).live(&server);
    project.edit("suites/tiny/suite.toml", "toy/small", "live/small");
    let run = ["run", "suites/tiny", "--json"];
    let report = project.run(run.iter().chain(&["--on", "pool"])).exits(0).json();
    fits(&report, "run");
    assert_eq!((&report["run"], &report["variants"][0]["n"]), (&json!("tiny-1"), &json!(30)));
    assert_eq!(report["verdict"]["kind"], "not-enough-evidence");
    assert!(report["part"].as_str().unwrap().contains("the pool and not the test examples"), "{}", report["part"]);
    assert_eq!(project.run(["report", "tiny-1", "--json"]).exits(0).json()["verdict"], report["verdict"]);
    project.run(["baseline", "tiny-1", "-o", "b.json"]).exits(2).says("asked the pool");
    let teach = ["export", "tiny-1", "--source", "teacher", "--format", "openai-chat", "-o", "out/t.jsonl"];
    let teach: Vec<&str> = teach.into_iter().chain(["--json", "--validation-share", "0"]).collect();
    project.run(&teach).exits(2).says("of which one is to teach");
    // Always red: right for ten of thirty.
    let said = project.run(teach.iter().chain(&["--variant", "plain"])).exits(0).json();
    fits(&said, "export");
    let source = &said["manifest"]["source"];
    assert_eq!((&source["run"], &source["variant"]), (&json!("tiny-1"), &json!("plain")));
    assert_eq!((&source["filters"]["kept"], &source["filters"]["wrong"]), (&json!(10), &json!(20)));
    let rows = lines(&project, "out/t.jsonl");
    assert!(rows.iter().all(|row| row["messages"][2]["content"] == "{\"label\":\"red\"}"));
    project.run(run).exits(0);
    project
        .run(["export", "tiny-2", "--source", "teacher", "--format", "together", "-o", "x.jsonl"])
        .exits(2)
        .says("asked the test examples, which must never be trained on");
    // The run of the test examples is what the tuned model is held against.
    let said = project.run(teach.iter().chain(&["--variant", "schema", "--force"])).exits(0).json();
    assert_eq!(said["manifest"]["acceptance"]["incumbent"]["run"], "tiny-2");
    assert_eq!(said["manifest"]["acceptance"]["incumbent"]["scores"].as_object().unwrap().len(), EXAMPLES);
    project.run(["run", "suites/tiny", "--on", "dev"]).exits(2).says("suite/no-split");
}

#[test]
fn only_the_variant_in_use_as_it_stands_is_frozen() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = tiny(30).live(&server);
    let export = |more: &[&str]| project.run(LABELS.iter().chain(&["--force", "--json"]).chain(more));
    let incumbent =
        |output: crate::support::Output| output.exits(0).json()["manifest"]["acceptance"]["incumbent"].clone();
    project.run(["run", "suites/tiny", "--provider", "toy=live"]).exits(0);
    // A run that cannot be read any more stops nothing, unless it is the one that is named.
    let live = project.read("providers/live.toml");
    std::fs::remove_file(project.path("providers/live.toml")).unwrap();
    assert_eq!(incumbent(export(&[]).exits(0).says("run `tiny-1` cannot stand for")), Value::Null);
    let _ = export(&["--against", "tiny-1"]).exits(2);
    project.write("providers/live.toml", live.as_bytes());
    // The suite names `toy`: scores of another model say nothing of it.
    let said = export(&[]).exits(0).says("its answers came from `live/small`, and the suite names `toy/small`");
    assert_eq!(incumbent(said), Value::Null);
    let _ = export(&["--against", "tiny-1"]).exits(2).says("its answers came from `live/small`");
    project.edit("suites/tiny/suite.toml", "toy/small", "live/small");
    assert_eq!(incumbent(export(&[]))["run"], "tiny-1");
    // Nor do those of another prompt.
    project.edit("suites/tiny/prompts/v1.md.j2", "{{ input }}", "Now: {{ input }}");
    let said = export(&[]).exits(0).says("the suite asks it otherwise now");
    assert_eq!(incumbent(said), Value::Null);
    let _ = export(&["--against", "tiny-1"]).exits(2).says("the suite asks it otherwise now");
    project.run(["run", "suites/tiny"]).exits(0);
    assert_eq!(incumbent(export(&[]))["run"], "tiny-2");
}

#[test]
fn what_the_pool_was_asked_is_no_verdict() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = tiny(30).live(&server);
    let run = ["run", "suites/tiny", "--provider", "toy=live"];
    project.run(run).exits(0);
    let said = project.run(run.iter().chain(&["--on", "pool"])).exits(0).says("run without --on");
    assert!(!said.stdout().contains("repeat"), "{}", said.stdout());
    // `schema` is right of all and `plain` of a third, in both; the test examples alone decide.
    let compared = |run: &str| {
        let said = project.run(["compare", run, "plain", "schema", "--json"]).exits(0).json();
        fits(&said, "compare");
        let contrast = said["comparisons"][0]["contrast"].clone();
        assert_eq!(contrast["verdict"] == "better", run == "tiny-1", "{contrast}");
        contrast["unsettled"].clone()
    };
    assert_eq!((compared("tiny-1"), compared("tiny-2")), (Value::Null, json!("other-split")));
    let said = project.run(["compare", "tiny-2", "plain", "schema"]).exits(0);
    let _ = said.says("run tiny-2 asked the pool, not the test examples").says("NOT ENOUGH EVIDENCE");
    // Nor do its answers say which labels of the test are wrong.
    let labels = project.run(["labels", "suites/tiny", "--json"]).exits(0).json();
    assert!(labels.to_string().contains("tiny-1") && !labels.to_string().contains("tiny-2"), "{labels}");
}

#[test]
fn a_label_without_a_schema_is_taught_as_it_is_judged() {
    let project = tiny(12);
    project.edit("suites/tiny/suite.toml", "at = \"/label\"", "at = \"\"\nexpected_at = \"/label\"");
    let text = project.read("suites/tiny/suite.toml");
    let kept: String =
        text.lines().filter(|line| !line.starts_with("schema = ")).map(|line| format!("{line}\n")).collect();
    let kept = kept.replace("structured = \"json-schema\"\n", "").replace("[output]\n", "");
    project.write("suites/tiny/suite.toml", kept.as_bytes());
    project.run(LABELS.iter().chain(&["--validation-share", "0"])).exits(0);
    let said: BTreeSet<String> = lines(&project, "out/train.jsonl")
        .iter()
        .map(|row| row["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said, COLOURS.iter().map(|colour| (*colour).to_owned()).collect());
}

#[test]
fn pairs_are_of_a_right_and_a_wrong_answer() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = tiny(30).live(&server);
    project.run(["run", "suites/tiny", "--provider", "toy=live", "--on", "pool"]).exits(0);
    let pair = ["export", "last", "--source", "preferences", "--json", "--validation-share", "0"];
    let said = project.run(pair.iter().chain(&["--format", "openai-dpo", "-o", "out/dpo.jsonl"])).exits(0).json();
    fits(&said, "export");
    assert_eq!(said["manifest"]["method"], "preference");
    let rows = lines(&project, "out/dpo.jsonl");
    assert_eq!(rows.len(), 20, "`plain` is wrong of twenty, `schema` right of all");
    for row in &rows {
        assert_eq!(row["non_preferred_output"][0]["content"], "{\"label\":\"red\"}");
        assert_ne!(row["preferred_output"], row["non_preferred_output"]);
    }
    project.run(pair.iter().chain(&["--format", "openai-chat", "-o", "y.jsonl"])).exits(2).says("no pairs");
    let one = ["--format", "together", "-o", "y.jsonl", "--variant", "schema"];
    project.run(pair.iter().chain(&one)).exits(2).says("no row is left to train on");
}

#[test]
fn what_its_reader_would_refuse_is_not_written() {
    let project = tiny(9);
    let openai = ["export", "suites/tiny", "--format", "openai-chat", "-o", "out/train.jsonl"];
    project.run(openai).exits(2).says("refuses fewer than 10");
    assert!(!project.path("out/train.jsonl").exists());
    let project = tiny(30);
    let said = project.run(openai.iter().chain(&["--base-model", "openai/gpt-4.1-mini", "--epochs", "2"])).exits(0);
    let said = said.says("$0.").says("26 rows to train on; 50 are advised at least");
    assert!(said.stdout().contains("ceiling accept out/train.manifest.json --model PROVIDER/MODEL"));
    project.edit("suites/tiny/prompts/v1.md.j2", "{{ input }}", "User: {{ input }}");
    let bedrock = ["export", "suites/tiny", "--format", "bedrock-converse", "-o", "out/b.jsonl"];
    project.run(bedrock).exits(2).says("holds `User:`");
}

#[test]
fn training_costs_what_its_provider_bills() {
    let project = tiny(30).file(
        "providers/vendor.toml",
        "kind = \"openai-chat\"\nbase_url = \"http://localhost:1\"\n\
         [models.\"ft:small\"]\nprice = { input = 3.0, output = 6.0, training = 10.0 }\n",
    );
    let export = |format: &str, share: &str| {
        let flags = ["--force", "--json", "--epochs", "2", "--base-model", "vendor/small", "--validation-share", share];
        let of = ["export", "suites/tiny", "-o", "out/train.jsonl", "--format", format];
        let said = project.run(of.iter().chain(&flags)).exits(0).json();
        said["manifest"]["training_cost_usd"]["low"].as_f64().unwrap()
    };
    // The base has no row of its own: the price is that of models tuned from it.
    let (whole, part) = (export("openai-chat", "0"), export("openai-chat", "0.5"));
    assert!(whole > 0.0 && part < 0.8 * whole, "{part} of {whole}");
    project.edit("providers/vendor.toml", "base_url", "dialect = \"together\"\nbase_url");
    let both = export("together", "0.5");
    assert!((both - export("together", "0")).abs() < 1e-12, "validation is billed, too");
}

#[test]
fn flags_that_do_not_fit_are_named() {
    let project = tiny(12);
    let export = |more: &[&str]| project.run(["export", "suites/tiny", "-o", "out/x.jsonl"].iter().chain(more));
    export(&["--format", "openai-chats"]).exits(2).says("did you mean `openai-chat`?");
    export(&["--format", "openai-dpo"]).exits(2).says("pairs, no single answers");
    export(&["--format", "sharegpt", "--prompt", "v9"]).exits(2).says("has no prompt `v9`");
    export(&["--format", "sharegpt", "--validation-share", "0.6"]).exits(2);
    export(&["--format", "sharegpt", "--source", "teacher"]).exits(2).says("--on pool");
    project.edit("suites/tiny/suite.toml", "pool = \"pool.jsonl\"\n", "");
    export(&["--format", "sharegpt"]).exits(2).says("has no pool");
    project.run(["export", "nothing", "--format", "sharegpt", "-o", "out/x.jsonl"]).exits(2);
}

#[test]
fn the_guide_prints_what_it_says() {
    let (page, project) = (reference("../guide/training-data.md"), Project::new());
    std::fs::create_dir(project.path("out")).unwrap();
    let suite = shipped("outages");
    let export = ["--format", "trl-conversational", "-o", "out/train.jsonl"].map(std::ffi::OsStr::new);
    let said = project.run(["export".as_ref(), suite.as_os_str()].into_iter().chain(export)).exits(0);
    prints(&said, block(&page, "## 1. Export", "text"));
    let accept = ["accept", "out/train.manifest.json", "--model", "smollm2/135m-outages"];
    prints(&project.run(accept).exits(1), block(&page, "## 4. Accept", "text"));
}
