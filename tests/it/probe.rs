//! What trained baselines say of a suite's labels before anything is tuned.

use serde_json::{Value, json};

use crate::evidence::{block, prints, reference};
use crate::plan::shipped;
use crate::schemas::fits;
use crate::support::{Answer, Project, ScriptedServer};

fn probe(project: &Project, suite: &str, flags: &[&str]) -> crate::support::Output {
    let suite = shipped(suite);
    let given = ["probe".as_ref(), suite.as_os_str()].into_iter().chain(flags.iter().map(|flag| flag.as_ref()));
    project.run(given)
}

fn words(document: &Value) -> &Value {
    &document["baselines"][0]
}

#[test]
fn a_small_pool_gets_a_baseline_a_curve_and_no_interval_beyond_it() {
    let project = Project::new();
    let first = probe(&project, "routing", &["--json"]).exits(0).json();
    fits(&first, "probe");
    let accuracy = words(&first)["accuracy"]["point"].as_f64().unwrap();
    assert!((0.45..0.65).contains(&accuracy), "{accuracy}");
    assert_eq!(words(&first)["scores"].as_object().unwrap().len(), 150);
    let curve = &words(&first)["curve"];
    assert_eq!(curve["points"][0]["fitted"], false, "three rows of five classes");
    assert_eq!(curve["more_examples_help"], "unknown");
    assert!(curve["projection"]["low"].is_null());
    assert_eq!(first["baselines"][1]["not_applicable"], "no embeddings endpoint is configured");
    assert!(first["comparison"].is_null(), "there is no run");
    assert!(project.path(".ceiling/store.db").exists());
    assert_eq!(probe(&project, "routing", &["--json", "-q"]).exits(0).json(), first, "the same comes of the same");
    let far = probe(&project, "routing", &["--json", "--train-examples", "500"]).exits(0).json();
    assert!(words(&far)["curve"]["projection_refused"].as_str().unwrap().contains("more than 4 times"));
}

#[test]
fn a_run_in_the_store_is_set_against_the_baseline() {
    let project = Project::new();
    let suite = shipped("routing");
    project.run(["run".as_ref(), suite.as_os_str(), "-q".as_ref()]).exits(0);
    let output = probe(&project, "routing", &["-q"]).exits(0);
    insta::assert_snapshot!("probe_routing", output.stdout());
    let found = probe(&project, "routing", &["--json", "--run", "last"]).exits(0).json();
    fits(&found, "probe");
    let best = &found["comparison"]["best_prompted"];
    assert_eq!(best["n"], 150);
    assert!(["above", "below", "not-distinguishable"].contains(&best["stands"].as_str().unwrap()));
    probe(&project, "routing", &["--run", "nobody"]).exits(2).says("no run `nobody`");
}

#[test]
fn lines_fit_the_terminal() {
    let project = Project::new();
    for columns in ["40", "60", "100", "200"] {
        let suite = shipped("routing");
        let output = project.run_with(&[("COLUMNS", columns)], &["probe", suite.to_str().unwrap(), "-q"]).exits(0);
        let widest = output.stdout().lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{widest} columns of {columns}:\n{}", output.stdout());
    }
}

#[test]
fn of_records_each_field_with_few_values_gets_a_baseline() {
    let found = probe(&Project::new(), "claims", &["--json"]).exits(0).json();
    fits(&found, "probe");
    assert!(words(&found)["accuracy"].is_null());
    let fields = words(&found)["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["field"] == name).unwrap();
    assert!(field("/prior_auth")["accuracy"]["point"].as_f64().is_some());
    assert!(field("/claim_id")["not_applicable"].as_str().unwrap().contains("different values"));
    assert!(field("/service_lines")["not_applicable"].as_str().unwrap().contains("list"));
}

#[test]
fn the_guide_says_what_the_shipped_suite_gives() {
    let page = reference("../guide/before-you-train.md");
    let (project, suite) = (Project::new(), shipped("outages"));
    project.run(["run".as_ref(), suite.as_os_str(), "-q".as_ref()]).exits(0);
    let said = probe(&project, "outages", &["-q"]).exits(0);
    prints(&said, block(&page, "# Before you train", "text"));
    prints(&said, block(&page, "## The curve", "text"));
    prints(&said, block(&page, "## Against what you have", "text"));
}

#[test]
fn without_a_pool_there_is_nothing_to_train_on_and_free_text_is_not_applicable() {
    let project = Project::new().suite("tiny");
    project.edit("suites/tiny/suite.toml", "pool = \"pool.jsonl\"\n", "");
    project.run(["probe", "suites/tiny"]).exits(2).says("no pool to train a classifier on").says("hint:");
    project.edit("suites/tiny/suite.toml", "\"classification\"", "\"generation\"");
    project.run(["probe", "suites/tiny"]).exits(0).says("not applicable: free text has no classes");
}

#[test]
fn a_tiny_pool_is_refused_in_words() {
    let project = Project::new().suite("tiny");
    project.run(["probe", "suites/tiny"]).exits(0).says("6 labelled rows are too few");
    project.run(["probe", "suites/tiny", "--embeddings", "no/such"]).exits(2).says("no/such");
}

/// Vectors by the colour that a text names.
fn vectors(request: &Value) -> Answer {
    let inputs = request["input"].as_array().unwrap();
    let vector = |text: &Value| {
        ["red", "green", "blue"].map(|colour| if text.as_str().unwrap().contains(colour) { 1.0 } else { 0.1 })
    };
    let row = |(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)});
    let data: Vec<Value> = inputs.iter().enumerate().map(row).collect();
    let usage = json!({"prompt_tokens": 5 * data.len(), "total_tokens": 5 * data.len()});
    Answer::Whole(200, vec![], json!({"object": "list", "data": data, "model": "e", "usage": usage}).to_string())
}

#[test]
fn vectors_are_bought_once_and_learned_from() {
    let server = ScriptedServer::start(|request, _| vectors(request));
    let pool: String = (0..30)
        .map(|place| {
            let colour = ["red", "green", "blue"][place % 3];
            json!({"id": format!("p{place}"), "input": format!("box {place} is {colour}"), "expected": {"label": colour}})
                .to_string()
                + "\n"
        })
        .collect();
    let provider = format!(
        "kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.embed]\nid = \"e\"\nprice = {{ input = 2.0 }}\n",
        server.base_url()
    );
    let project =
        Project::new().suite("tiny").file("suites/tiny/pool.jsonl", &pool).file("providers/live.toml", &provider);
    let flags = ["probe", "suites/tiny", "--embeddings", "live/embed", "--json"];
    let found = project.run(flags).exits(0).json();
    fits(&found, "probe");
    assert_eq!(
        found["vectors_bought"],
        json!({"endpoint": "live/embed", "texts": 42, "tokens": 210, "cost_usd": 0.00042})
    );
    assert_eq!(found["baselines"][1]["accuracy"]["point"], 1.0);
    let asked = server.seen().len();
    let again = project.run(flags).exits(0).json();
    assert!(again["vectors_bought"].is_null());
    assert_eq!(again["baselines"], found["baselines"]);
    assert_eq!(server.seen().len(), asked, "what the store has is not bought again");
}
