//! Documents in the prompt: found by words, by vectors, or given by an oracle; and what of it went
//! wrong where an answer is wrong.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::resume::{Gate, interrupted};
use crate::schemas::fits;
use crate::support::{Answer, Output, Project, ScriptedServer, last_user, say};

const RUN: [&str; 3] = ["run", "suites/things", "--json"];

const SUITE: &str = r#"[suite]
name = "things"
task = "classification"
incumbent = "plain"
[data]
examples = "examples.jsonl"
documents = "docs.jsonl"
[output]
schema = "schema.json"
[score.scorers.label]
kind = "exact"
at = "/label"
[prompts]
v1 = "prompts/v1.md.j2"
[[variants]]
name = "plain"
model = "live/small"
[[variants]]
name = "words"
model = "live/small"
retrieve = { k = 1 }
[[variants]]
name = "vectors"
model = "live/small"
retrieve = { k = 1, embeddings = "live/embed" }
[[variants]]
name = "oracle"
model = "live/small"
retrieve = { k = 2, from = "oracle" }
[targets]
accuracy = 0.9
"#;

const SCHEMA: &str =
    r#"{"type": "object", "properties": {"label": {"enum": ["red", "green", "blue"]}}, "required": ["label"]}"#;

const DOCUMENTS: &str = r#"{"id": "apple", "text": "apple red"}
{"id": "leaf", "text": "leaf green"}
{"id": "sky", "title": "sky", "text": "blue"}
"#;

/// Input, expected class, right documents.
const EXAMPLES: [(&str, &str, &[&str]); 6] = [
    ("apple", "red", &["apple"]),
    ("leaf", "green", &["leaf"]),
    ("sky", "blue", &["sky"]),
    ("fruit", "red", &["apple"]),
    ("plant", "green", &["leaf"]),
    ("air leaf", "blue", &["sky", "leaf"]),
];

fn project(server: &ScriptedServer) -> Project {
    let row = |(number, (input, label, documents)): (usize, &(&str, &str, &[&str]))| {
        json!({"id": format!("e{}", number + 1), "input": input, "expected": {"label": label}, "documents": documents})
            .to_string()
            + "\n"
    };
    let examples: String = EXAMPLES.iter().enumerate().map(row).collect();
    let provider = format!(
        "kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.small]\n[models.embed]\nid = \"e-1\"\nprice = {{ input = 2.0 }}\n",
        server.base_url()
    );
    Project::new()
        .file("providers/live.toml", &provider)
        .file("suites/things/suite.toml", SUITE)
        .file("suites/things/schema.json", SCHEMA)
        .file("suites/things/docs.jsonl", DOCUMENTS)
        .file("suites/things/examples.jsonl", &examples)
        .file("suites/things/prompts/v1.md.j2", "--- system ---\nName the colour.\n--- user ---\n{{ input }}\n")
}

fn is_embedding(request: &Value) -> bool {
    request.get("input").is_some()
}

/// Vectors in reverse order, each told by its index; like things are near each other.
fn vectors(request: &Value) -> Answer {
    let axis = |text: &str, words: [&str; 2]| words.iter().filter(|word| text.contains(**word)).count() as f64;
    let rows: Vec<Value> = request["input"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .rev()
        .map(|(index, text)| {
            let text = text.as_str().unwrap();
            let vector =
                [axis(text, ["apple", "fruit"]), axis(text, ["leaf", "plant"]) / 2.0, axis(text, ["sky", "air"])];
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    let texts = rows.len();
    let body = json!({"object": "list", "data": rows, "model": "e-1", "usage": {"prompt_tokens": 10 * texts, "total_tokens": 10 * texts}});
    Answer::Whole(200, vec![], body.to_string())
}

/// The colour of the first document; without one, red. It never believes that the sky is blue.
fn answer(request: &Value) -> Answer {
    if is_embedding(request) {
        return vectors(request);
    }
    let prompt = last_user(request);
    let first = prompt.split("[1] ").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let colour = ["red", "green", "blue"].into_iter().find(|colour| first.contains(colour)).unwrap_or("red");
    let colour = if prompt.ends_with("\n\nsky") { "red" } else { colour };
    say(&json!({"label": colour}).to_string())
}

fn row(output: &Output, variant: &str) -> Value {
    let document = output.json();
    let rows = document["variants"].as_array().unwrap();
    rows.iter().find(|row| row["variant"] == variant).unwrap().clone()
}

/// Points of recall, hit rate, accuracy if found and if not; wrong answers, and those without a document.
fn figures(row: &Value) -> (Vec<Option<f64>>, [u64; 2]) {
    let known = &row["retrieval"];
    let points = ["recall", "hit_rate", "accuracy_found", "accuracy_not_found"].map(|key| known[key]["point"].as_f64());
    (points.to_vec(), ["wrong", "wrong_not_found"].map(|key| known[key].as_u64().unwrap()))
}

fn embedded(server: &ScriptedServer) -> Vec<Vec<String>> {
    let texts = |body: &Value| serde_json::from_value(body["input"].clone()).unwrap();
    server.seen().iter().filter(|seen| seen.path.ends_with("/embeddings")).map(|seen| texts(&seen.body)).collect()
}

#[track_caller]
fn close(found: &[Option<f64>], expected: &[Option<f64>]) {
    let near = |pair: (&Option<f64>, &Option<f64>)| match pair {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => a == b,
    };
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?} is not {expected:?}");
}

#[test]
fn a_retrieval_failure_is_told_from_a_failure_to_use_what_was_found() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server);
    let output = project.run(RUN).exits(0);
    assert!(row(&output, "plain")["retrieval"].is_null());
    // By words: three whole, half of the sixth, nothing of the fourth and fifth. Found, but not
    // believed: the sky. Not found and right by chance: the fourth.
    let (points, wrong) = figures(&row(&output, "words"));
    close(&points, &[Some(3.5 / 6.0), Some(0.5), Some(2.0 / 3.0), Some(1.0 / 3.0)]);
    assert_eq!(wrong, [3, 2]);
    let (points, wrong) = figures(&row(&output, "vectors"));
    close(&points, &[Some(5.5 / 6.0), Some(5.0 / 6.0), Some(0.8), Some(1.0)]);
    assert_eq!(wrong, [1, 0]);
    // The documents of the sixth come in the order of the file, and the leaf misleads.
    let (points, wrong) = figures(&row(&output, "oracle"));
    close(&points, &[Some(1.0), Some(1.0), Some(4.0 / 6.0), None]);
    assert_eq!(wrong, [2, 0]);
    assert_eq!(row(&output, "words")["interventions"], json!(["retrieval"]));
    let document = output.json();
    let purchase = json!([{"endpoint": "live/embed", "texts": 9, "tokens": 90, "cost_usd": 0.00018}]);
    assert_eq!(document["embeddings"], purchase);
    fits(&document, "run");
    let rag = document["verdict"]["rungs"]["rag"].clone();
    assert!(["words", "vectors"].contains(&rag["variant"].as_str().unwrap()), "{rag}");
    assert!(rag["explanation"].as_str().unwrap().contains("(`oracle`) accuracy is 66.7%"), "{rag}");
    let requests = embedded(&server);
    assert_eq!(
        requests.concat(),
        ["apple red", "leaf green", "sky\nblue", "apple", "leaf", "sky", "fruit", "plant", "air leaf"]
    );
    assert!(server.seen().iter().filter(|seen| is_embedding(&seen.body)).all(|seen| seen.body["model"] == "e-1"));
}

#[test]
fn the_section_on_retrieval() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server);
    let output = project.run(["run", "suites/things", "-v"]).exits(0);
    let text = output.stdout();
    let section = &text[text.find("\nRetrieval\n").unwrap() + 1..];
    insta::assert_snapshot!("retrieval", section);
    project.run(["show", "last", "e6", "--variant", "words"]).exits(0).says("documents leaf* (* right; missed: sky)");
    project.run(["show", "last", "e4", "--variant", "words"]).exits(0).says("documents none (* right; missed: apple)");
    let shown = project.run(["show", "last", "e6", "--variant", "vectors", "--json"]).exits(0).json();
    assert_eq!(shown["trials"][0]["retrieval"], json!({"retrieved": ["sky"], "right": ["sky"], "missed": ["leaf"]}));
    fits(&shown, "show");
    let plain = project.run(["show", "last", "e6", "--variant", "plain", "--json"]).exits(0).json();
    assert!(plain["trials"][0]["retrieval"].is_null());
}

#[test]
fn a_prompt_gets_documents_in_front_or_where_it_wants_them() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server);
    let prompt = "--- system ---\nName the colour.\n--- user ---\n{{ input }}{% for d in documents %}\n<{{ d.id }}|{{ d.title }}>{{ d.text }}{% endfor %}\n";
    let messages = |example: &str, variant: &str| {
        let shown = project.run(["show", "last", example, "--variant", variant, "--json"]).exits(0).json();
        shown["trials"][0]["request"]["messages"].as_array().unwrap().clone()
    };
    project.run(RUN).exits(0);
    assert_eq!(messages("e2", "plain").last().unwrap()["content"], "leaf");
    assert_eq!(
        messages("e3", "words").last().unwrap()["content"],
        "Use these documents where they help:\n\n[1] sky\nblue\n\nsky"
    );
    project.write("suites/things/prompts/v1.md.j2", prompt.as_bytes());
    project.run(["check", "suites/things"]).exits(0);
    project.run(RUN).exits(0);
    assert_eq!(messages("e2", "plain").last().unwrap()["content"], "leaf");
    assert_eq!(messages("e6", "oracle").last().unwrap()["content"], "air leaf\n<leaf|>leaf green\n<sky|sky>blue");
    assert_eq!(embedded(&server).concat().len(), 9, "a changed prompt needs no new vectors");
    project.write("suites/things/prompts/v1.md.j2", b"{{ documents[0].text }} {{ input }}");
    project.run(["check", "suites/things"]).exits(2).says("suite/bad-template");
}

#[test]
fn vectors_are_bought_once_and_a_stopped_purchase_goes_on() {
    let refusing = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&refusing);
    let server = ScriptedServer::start(move |request, _| {
        let last = request["input"].as_array().is_some_and(|texts| texts.iter().any(|text| text == "air leaf"));
        if last && refuses.load(Ordering::SeqCst) { Answer::error(401, "auth", "who are you") } else { answer(request) }
    });
    let project = project(&server);
    let more: String = (0..32).map(|n| format!("{{\"id\": \"n{n}\", \"text\": \"nothing {n}\"}}\n")).collect();
    let project = project.file("suites/things/docs.jsonl", &format!("{DOCUMENTS}{more}"));
    let stopped = project.run(["run", "suites/things"]).exits(4);
    let stopped =
        stopped.says("`live/embed` makes no vectors: who are you (auth) [for 9 texts, the first “nothing 29”]");
    stopped.says("the vectors that came are kept");
    assert_eq!(embedded(&server).concat().len(), 41);
    refusing.store(false, Ordering::SeqCst);
    let whole = project.run(RUN).exits(0);
    assert_eq!(whole.json()["embeddings"][0]["texts"], 9);
    assert_eq!(embedded(&server).concat().len(), 50);
    let asked = server.count();
    let again = project.run(RUN).exits(0);
    assert_eq!(again.json()["embeddings"], json!([]));
    assert_eq!(server.count(), asked, "everything is in the store");
    assert_eq!(figures(&row(&again, "vectors")), figures(&row(&whole, "vectors")));
}

#[test]
fn ctrl_c_keeps_the_vectors_that_are_under_way() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let server = ScriptedServer::start(move |request, _| {
        held.pass();
        answer(request)
    });
    let more: String = (0..32).map(|n| format!("{{\"id\": \"n{n}\", \"text\": \"nothing {n}\"}}\n")).collect();
    let project = project(&server).file("suites/things/docs.jsonl", &format!("{DOCUMENTS}{more}"));
    let mut child = project.start(["run", "suites/things", "--concurrency", "1"]);
    while server.count() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
    }
    let (mut stderr, mut said) = interrupted(&mut child);
    gate.open();
    while stderr.read_line(&mut said).unwrap() > 0 {}
    Output::of(child.wait_with_output().unwrap()).exits(130);
    assert!(said.contains("interrupted while vectors were bought of `live/embed`"), "{said}");
    assert_eq!(embedded(&server).concat().len(), 32, "the second request is not sent");
    let whole = project.run(RUN).exits(0);
    assert_eq!(whole.json()["embeddings"][0]["texts"], 9);
}

#[test]
fn vectors_that_cannot_be_compared_end_the_run() {
    for (broken, says) in [
        (json!({"data": [{"index": 0, "embedding": [1.0]}]}), "1 vectors came for 9 texts"),
        (json!({"data": [{"index": 0, "embedding": [null]}]}), "no number"),
        (json!({"choices": []}), "no `data`"),
    ] {
        let body = broken.to_string();
        let server = ScriptedServer::start(move |_, _| Answer::Whole(200, vec![], body.clone()));
        project(&server).run(["run", "suites/things"]).exits(4).says(says);
        assert_eq!(server.count(), 1, "asking again would not help");
    }
}

#[test]
fn a_limit_of_money_holds_for_vectors_too() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server);
    project
        .run(["run", "suites/things", "--max-cost", "0.0001"])
        .exits(4)
        .says("the limit of money is reached while vectors");
    assert_eq!(server.count(), 0);
    project.edit("providers/live.toml", "price = { input = 2.0 }", "");
    project.run(["run", "suites/things", "--max-cost", "1"]).exits(2).says("whose price is not known");
}

#[test]
fn other_documents_make_another_run() {
    let refusing =
        ScriptedServer::start(
            |request, _| {
                if is_embedding(request) { vectors(request) } else { Answer::error(401, "auth", "no") }
            },
        );
    let project = project(&refusing);
    project.run(["run", "suites/things"]).exits(4);
    let goes_on = project.run(["run", "suites/things"]).exits(4);
    assert!(goes_on.stderr().contains("going on with run things-1"), "{}", goes_on.said());
    project.edit("suites/things/docs.jsonl", "leaf green", "leaf green!");
    let other = project.run(["run", "suites/things"]).exits(4);
    assert!(!other.stderr().contains("going on"), "{}", other.said());
}

#[test]
fn words_and_oracles_can_be_recorded_and_replayed() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server).file("providers/toy.toml", "kind = \"replay\"\n[models.small]\n[models.embed]\n");
    let path = "suites/things/suite.toml";
    project.edit(path, "live/small", "toy/small");
    project.edit(path, "retrieve = { k = 1, embeddings = \"live/embed\" }", "retrieve = { k = 2 }");
    let live = project.run(RUN.iter().chain(&["--provider", "toy=live", "--store", "live.db"])).exits(0);
    let to = ["record", "last", "-o", "suites/things/recording.jsonl", "--store", "live.db"];
    project.run(to).exits(0);
    let recorded = project.run(RUN).exits(0);
    assert_eq!(recorded.json()["provenance"], "recorded");
    assert_eq!(figures(&row(&recorded, "words")), figures(&row(&live, "words")));
    project.edit(path, "retrieve = { k = 2 }", "retrieve = { k = 2, embeddings = \"toy/embed\" }");
    project.run(["check", "suites/things"]).exits(2).says("suite/no-embeddings").says("which has no vectors");
    project.run(["check", "suites/things", "--provider", "toy=live"]).exits(0);
}

#[test]
fn faults_of_documents_stand_at_their_place() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let path = "suites/things/suite.toml";
    let fault = |change: &dyn Fn(&Project), says: &[&str]| {
        let project = project(&server);
        change(&project);
        let found = project.run(["check", "suites/things"]).exits(2);
        says.iter().fold(found, |found, text| found.says(text));
    };
    let docs = "suites/things/docs.jsonl";
    fault(&|p| p.edit(path, "documents = \"docs.jsonl\"", ""), &["suite/no-documents", "suite.toml:21:12"]);
    fault(&|p| p.edit(path, "live/embed", "live/embd"), &["suite/unknown-model", "did you mean `embed`?"]);
    fault(&|p| p.edit(path, "live/embed", "lve/embed"), &["suite/unknown-provider"]);
    fault(&|p| p.edit(path, "incumbent = \"plain\"", "incumbent = \"oracle\""), &["suite/oracle-incumbent"]);
    fault(
        &|p| p.edit(path, "from = \"oracle\"", "from = \"oracle\", embeddings = \"live/embed\""),
        &["suite/unknown-value"],
    );
    fault(&|p| p.edit(path, "docs.jsonl", "schema.json"), &["suite/unknown-format"]);
    fault(&|p| p.write(docs, b"{\"id\": \"apple\"}\n"), &["suite/bad-document", "docs.jsonl:1:1"]);
    fault(&|p| p.write(docs, b"\n"), &["suite/no-documents"]);
    let twice = format!("{DOCUMENTS}{{\"id\": \"leaf\", \"text\": \"x\"}}\n");
    fault(&|p| p.write(docs, twice.as_bytes()), &["suite/duplicate-id", "docs.jsonl:4:1", "first at docs.jsonl:2"]);
    let examples = "suites/things/examples.jsonl";
    fault(
        &|p| p.edit(examples, "[\"sky\",\"leaf\"]", "[\"sky\",\"leef\"]"),
        &["suite/unknown-document", "examples.jsonl:6:1", "did you mean `leaf`?"],
    );
    fault(&|p| p.edit(examples, "[\"sky\",\"leaf\"]", "[1.5, {}]"), &["suite/bad-example", "`documents` must be"]);
    fault(&|p| p.edit(examples, "\"documents\"", "\"docs\""), &["suite/no-right-documents", "no example names any"]);
    let project = project(&server);
    project.edit(examples, "\"documents\":[\"apple\"]", "\"docs\":[]");
    project.run(["check", "suites/things", "--limit", "1"]).exits(0).says("1 of 1 examples name no document");
}

#[test]
fn documents_are_named_in_other_columns_too() {
    let server = ScriptedServer::start(|request, _| answer(request));
    let project = project(&server);
    let csv = "id,input,expected,source\na,apple,red,apple\nb,air leaf,blue,\"[\"\"sky\"\", \"\"leaf\"\"]\"\nc,plant,green,\n";
    let project = project.file("suites/things/examples.csv", csv);
    project.edit(
        "suites/things/suite.toml",
        "examples = \"examples.jsonl\"",
        "examples = \"examples.csv\"\nmap = { documents = \"source\" }",
    );
    project.run(["check", "suites/things"]).exits(0).says("1 of 3 examples name no document");
    let output = project.run(RUN).exits(0);
    let known = row(&output, "words")["retrieval"].clone();
    assert_eq!(known["recall"]["n"], 2);
    close(&[known["recall"]["point"].as_f64()], &[Some(0.75)]);
}
