//! Variants, runs, providers and prompts compared on the same examples.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, right, schema_helps};
use crate::support::redact::redact;
use crate::support::server::{last_user, wants_schema};
use crate::support::{Answer, Output, Project, ScriptedServer, say};

const LIVE: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "-q"];

fn recorded() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

/// The comparison as JSON, which is what its schema says.
#[track_caller]
fn compare(project: &Project, arguments: &[&str]) -> Value {
    let output = project.run(["compare"].iter().chain(arguments).chain(&["--json"])).exits(0);
    let document = output.json();
    fits(&document, "compare");
    document
}

/// The first contrast.
fn contrast(document: &Value) -> &Value {
    &document["comparisons"][0]["contrast"]
}

#[track_caller]
fn near(value: &Value, expected: f64) {
    let got = value.as_f64().unwrap_or(f64::NAN);
    assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
}

/// A server that says what is wrong of the examples that the closure names.
fn wrong_where(wrong: impl Fn(&Value) -> bool + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |request, _| if wrong(request) { say("{\"label\":\"blue\"}") } else { right(request) })
}

/// Whether a request is about an example of this number.
fn is_about(request: &Value, number: usize) -> bool {
    last_user(request).contains(&format!("number {number} "))
}

#[test]
fn two_variants_of_a_run_are_compared_in_detail() {
    let project = recorded();
    let document = compare(&project, &["plain", "schema"]);
    assert_eq!((&document["form"], &document["metric"]), (&json!("pair"), &json!("accuracy")));
    let found = contrast(&document);
    // Always red is right for four of twelve; 8 wins and no loss: mid-p is 2^-8.
    assert_eq!([&found["n"], &found["wins"], &found["losses"], &found["ties"]], [12, 8, 0, 4]);
    near(&found["p"], 0.00390625);
    near(&found["difference"]["point"], 8.0 / 12.0);
    near(&found["a"]["point"], 4.0 / 12.0);
    assert_eq!((&found["verdict"], &found["test"]), (&json!("better"), &json!("mcnemar-mid-p")));
    assert_eq!(found["non_inferiority"]["verdict"], "better");
    let detail = &document["detail"];
    assert_eq!(detail["other"]["metric"], "validity");
    assert_eq!(detail["other"]["contrast"]["unsettled"], "no-difference");
    assert_eq!(detail["differences"][0], json!({"what": "interventions", "a": "none", "b": "schema"}));
    assert!(detail["cost"]["saving_usd_per_request"].is_null() && detail["cost"]["notes"][0].is_string());
    assert_eq!(
        (&detail["latency"]["comparable"], &detail["latency"]["ttft_ms"]["p50_change"]),
        (&json!(false), &Value::Null)
    );
    let flips = &detail["flips"];
    assert_eq!([&flips["fixed"], &flips["broken"], &flips["listed"]], [8, 0, 8]);
    let first = &flips["examples"][0];
    assert_eq!((&first["example"], &first["expected"]["label"]), (&json!("e01"), &json!("green")));
    assert_eq!(
        (&first["a"][0]["answer"]["label"], &first["b"][0]["answer"]["label"]),
        (&json!("red"), &json!("green"))
    );
    let slices: Vec<&str> =
        detail["slices"]["rows"].as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap()).collect();
    assert_eq!(slices, ["even", "odd", "blue", "green", "red"]);
    // The other way round everything is mirrored.
    let mirrored = compare(&project, &["last", "schema", "plain"]);
    assert_eq!((&contrast(&mirrored)["losses"], &contrast(&mirrored)["verdict"]), (&json!(8), &json!("worse")));
    assert_eq!(contrast(&mirrored)["non_inferiority"]["verdict"], "inferior");
}

#[test]
fn it_reads_well() {
    let project = recorded();
    let output = project.run(["compare", "tiny-1", "plain", "schema", "--flips", "2"]).exits(0);
    let text = redact(&project, output.stdout());
    // Times that the recording measured, and how wide they are.
    let dull = |line: &&str| ![" p50 / p95", " first token", " whole answer"].iter().any(|name| line.starts_with(name));
    let text: String = text.lines().filter(dull).map(|line| line.to_owned() + "\n").collect();
    let day = text.split("asked ").nth(1).unwrap()[..10].to_owned();
    insta::assert_snapshot!("compare", text.replace(&day, "[day]"));
    assert!(!output.stdout().contains('\u{1b}'));
    let none = project.run(["compare", "plain", "schema", "--flips", "0"]).exits(0);
    assert!(!none.stdout().contains("fixed e") && none.stdout().contains("B fixed 8, B broke 0"), "{}", none.stdout());
}

#[test]
fn one_variant_in_two_runs() {
    let better = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&better);
    let server =
        ScriptedServer::start(
            move |request, _| {
                if switch.load(Ordering::SeqCst) { right(request) } else { schema_helps(request) }
            },
        );
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    better.store(true, Ordering::SeqCst);
    project.run(LIVE).exits(0);
    // The second run took its answers from the store.
    let same = compare(&project, &["plain", "tiny-1", "tiny-2"]);
    assert_eq!(same["comparisons"][0]["sameness"], json!({"examples": 12, "same_requests": 12, "same_answers": 12}));
    assert!(same["warnings"][0].as_str().unwrap().contains("--fresh"), "{}", same["warnings"]);
    assert_eq!(contrast(&same)["unsettled"], "no-difference");
    assert!(same["detail"]["latency"]["why_not"].as_str().unwrap().starts_with("B has no fresh times"));

    project.run(LIVE.iter().chain(&["--fresh"])).exits(0);
    let changed = compare(&project, &["plain", "tiny-1", "tiny-3"]);
    assert_eq!((&contrast(&changed)["wins"], &contrast(&changed)["verdict"]), (&json!(8), &json!("better")));
    assert_eq!(changed["comparisons"][0]["sameness"]["same_answers"], 0);
    assert_eq!((&changed["warnings"], &changed["detail"]["differences"]), (&json!([]), &json!([])));
    assert_eq!(changed["sides"][1]["name"], "tiny-3");
    let latency = &changed["detail"]["latency"];
    assert!(latency["comparable"] == true && latency["total_ms"]["p50_change"]["method"] == "bootstrap", "{latency}");

    // Two runs alone: every variant of both.
    let runs = compare(&project, &["tiny-1", "tiny-3"]);
    let names: Vec<&Value> = runs["sides"].as_array().unwrap().iter().map(|side| &side["name"]).collect();
    assert_eq!(names, ["tiny-1:plain", "tiny-3:plain", "tiny-1:schema", "tiny-3:schema"]);
    assert_eq!((&runs["form"], &runs["correction"]), (&json!("runs"), &json!("holm")));
    near(&contrast(&runs)["p_adjusted"], 2.0 * 0.00390625);
    near(&contrast(&runs)["difference"]["level"], 0.975);
    let text = project.run(["compare", "tiny-1", "tiny-3"]).exits(0);
    assert!(text.stdout().contains("each variant against itself"), "{}", text.stdout());
    // And in three runs, by form: a table against the first.
    let three = compare(&project, &["plain", "tiny-1", "tiny-2", "last"]);
    assert_eq!((&three["form"], three["comparisons"].as_array().unwrap().len()), (&json!("baseline"), 2));
}

#[test]
fn a_run_that_may_stop_early_says_so() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE.iter().chain(&["--stop-when-decided"])).exits(0);
    let found = compare(&project, &["plain", "schema"]);
    assert!(found["warnings"][0].as_str().unwrap().contains("too sure"), "{}", found["warnings"]);
}

#[test]
fn a_prompt_that_changed_between_runs_is_noticed() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    project.edit("suites/tiny/prompts/v1.md.j2", "Name the colour", "Say which colour it is");
    project.run(LIVE).exits(0);
    let found = compare(&project, &["tiny-1:plain", "plain"]);
    assert_eq!(found["detail"]["differences"][0]["what"], "requests");
    assert_eq!(found["comparisons"][0]["sameness"]["same_requests"], 0);
}

#[test]
fn two_providers_with_prices() {
    let (cheap, dear) =
        (wrong_where(|request| is_about(request, 3)), ScriptedServer::start(|request, _| right(request)));
    let provider = |server: &ScriptedServer, price: &str| {
        format!("kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.small]\n{price}", server.base_url())
    };
    let project = Project::new()
        .suite("tiny")
        .file("providers/live.toml", &provider(&cheap, "price = { input = 1.0, cache_read = 0.1, output = 2.0 }\n"))
        .file("providers/other.toml", &provider(&dear, "price = { input = 10.0, cache_read = 1.0, output = 20.0 }\n"));
    project.run(LIVE).exits(0);
    project.run(["run", "suites/tiny", "--provider", "toy=other", "-q"]).exits(0);
    let found = compare(&project, &["plain", "tiny-2", "tiny-1"]);
    assert_eq!(found["detail"]["differences"][0], json!({"what": "model", "a": "other/small", "b": "live/small"}));
    assert_eq!((&contrast(&found)["losses"], &contrast(&found)["verdict"]), (&json!(1), &json!("not-enough-evidence")));
    assert_eq!(
        (&contrast(&found)["unsettled"], contrast(&found)["n_to_settle"].is_u64()),
        (&json!("more-examples"), true)
    );
    // 20 tokens in and 5 out: 300 and 30 millionths of a dollar.
    let cost = &found["detail"]["cost"];
    near(&cost["a_usd_per_request"], 300e-6);
    near(&cost["saving_usd_per_request"]["point"], 270e-6);
    near(&cost["saving_usd_per_request"]["low"], 270e-6);
    let text = project.run(["compare", "plain", "tiny-2", "tiny-1"]).exits(0);
    assert!(text.stdout().contains("B saves $0.000270"), "{}", text.stdout());
    project.run(["compare", "plain", "tiny-1", "tiny-2"]).exits(0).says("B costs $0.000270 more");
    assert!(text.stdout().contains("broke e03") && text.stdout().contains("NOT ENOUGH EVIDENCE"), "{}", text.stdout());
}

#[test]
fn changed_and_absent_examples_are_in_neither_side() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let rows = project.read("suites/tiny/examples.jsonl");
    let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
    // e01 has another answer, e02 another question, e03 only another tag, e04 is gone, e99 is new.
    rows[0] = rows[0].replace("{\"label\":\"green\"}", "{\"label\":\"red\"}");
    rows[1] = rows[1].replace("number 2", "number two");
    rows[2] = rows[2].replace("odd", "strange");
    rows[3] = rows[3].replace("e04", "e99");
    project.write("suites/tiny/examples.jsonl", (rows.join("\n") + "\n").as_bytes());
    project.run(LIVE).exits(0);
    let found = compare(&project, &["plain", "tiny-1", "tiny-2"]);
    let dropped = &found["comparisons"][0]["dropped"];
    assert_eq!(
        dropped,
        &json!({"examples": 4, "changed": 2, "not_asked": [1, 1], "missing": [0, 0], "unscored": [0, 0]})
    );
    assert_eq!((&found["comparisons"][0]["common"], &contrast(&found)["n"]), (&json!(9), &json!(9)));
    project
        .run(["compare", "plain", "tiny-1", "tiny-2"])
        .exits(0)
        .says("4 examples are left out: 2 changed between the sides, 1 not asked of A, 1 not asked of B");
}

#[test]
fn missing_answers_are_dropped_and_leave_no_verdict() {
    // The header spares the test the waits between attempts.
    let down = || Answer::Whole(503, vec![("x-should-retry", "false".into())], "{\"error\":\"down\"}".into());
    let server = ScriptedServer::start(move |request, _| {
        if wants_schema(request) && is_about(request, 5) { down() } else { schema_helps(request) }
    });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(4);
    let found = compare(&project, &["plain", "schema"]);
    let compared = &found["comparisons"][0];
    assert_eq!((&compared["dropped"]["missing"], &compared["common"]), (&json!([0, 1]), &json!(12)));
    assert_eq!((&contrast(&found)["n"], &contrast(&found)["unsettled"]), (&json!(11), &json!("missing")));
    assert_eq!(contrast(&found)["verdict"], "not-enough-evidence");
    // e05 is blue, which always red gets wrong: B would win or tie.
    near(&compared["difference_bounds"][0], 7.0 / 12.0);
    near(&compared["difference_bounds"][1], 8.0 / 12.0);
    let text = project.run(["compare", "plain", "schema"]).exits(0).says("1 missing in B").says("no verdict");
    assert!(text.stdout().contains("is not finished"), "{}", text.stdout());
}

/// The tiny suite with a third variant, which is wrong where the closure says.
fn three() -> Project {
    let project = Project::new().suite("tiny");
    let third = "[[variants]]\nname = \"json\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nstructured = \"json-object\"\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "[targets]", third);
    let server = ScriptedServer::start(|request, _| match request["response_format"]["type"].as_str() {
        Some("json_object") if !is_about(request, 1) => right(request),
        Some("json_schema") => right(request),
        _ => say("{\"label\":\"red\"}"),
    });
    let project = project.live(&server);
    project.run(LIVE).exits(0);
    project
}

#[test]
fn several_sides_give_a_table_with_its_corrections() {
    let project = three();
    let table = compare(&project, &["tiny-1", "plain", "schema", "json"]);
    assert_eq!(
        (&table["form"], &table["correction"], &table["exploratory"]),
        (&json!("baseline"), &json!("holm"), &json!(false))
    );
    let rows = table["comparisons"].as_array().unwrap();
    let p: Vec<f64> = rows.iter().map(|row| row["contrast"]["p"].as_f64().unwrap()).collect();
    assert_eq!((rows.len(), &rows[1]["b"]), (2, &json!(2)));
    // 8 and 7 wins without a loss: 2^-8 and 2^-7; Holm doubles the smaller one.
    assert!((p[0] - 0.00390625).abs() < 1e-9 && (p[1] - 0.0078125).abs() < 1e-9, "{p:?}");
    near(&rows[0]["contrast"]["p_adjusted"], 0.0078125);
    near(&rows[1]["contrast"]["p_adjusted"], 0.0078125);
    near(&rows[1]["contrast"]["difference"]["level"], 0.975);
    assert_eq!((&rows[0]["contrast"]["non_inferiority"], &table["detail"]), (&Value::Null, &Value::Null));
    let pairs = compare(&project, &["plain", "schema", "json", "--all-pairs"]);
    assert_eq!((&pairs["form"], &pairs["exploratory"]), (&json!("all-pairs"), &json!(true)));
    let rows = pairs["comparisons"].as_array().unwrap();
    assert_eq!(
        rows.iter().map(|row| (row["a"].as_u64(), row["b"].as_u64())).collect::<Vec<_>>(),
        [(0, 1), (0, 2), (1, 2)].map(|(a, b)| (Some(a), Some(b)))
    );
    near(&rows[0]["contrast"]["p_adjusted"], 3.0 * 0.00390625);
    near(&rows[0]["contrast"]["difference"]["level"], 0.95);
    let text = project.run(["compare", "plain", "schema", "json", "--all-pairs"]).exits(0).says("exploratory");
    assert!(text.stdout().contains("plain → json"), "{}", text.stdout());
    project.run(["compare", "plain", "schema", "json"]).exits(0).says("baseline").says("p (Holm)");
}

#[test]
fn names_that_mean_nothing_or_two_things_are_refused() {
    let project = recorded();
    let refused = |arguments: &[&str]| -> Output { project.run(["compare"].iter().chain(arguments)).exits(2) };
    refused(&["plain", "shema"]).says("neither a run nor a variant").says("did you mean `schema`").says("RUN A B");
    refused(&["tiny-1", "plain", "schma"]).says("run `tiny-1`");
    refused(&["tiny-9:plain", "schema"]).says("the store has no run `tiny-9`").says("did you mean `tiny-1`");
    refused(&["tiny-1:pain", "schema"]).says("no variant of run `tiny-1`");
    refused(&["tiny-1", "schema"]).says("is a run, and which of its variants is meant cannot be told");
    refused(&["plain", "plain"]).says("named twice");
    refused(&["tiny-1", "last"]).says("compared with itself");
    refused(&["plain"]);
    refused(&["plain", "schema", "--tag", "parrity"]).says("did you mean `parity`");
    fits(&project.run(["compare", "plain", "nobody", "--json"]).exits(2).json(), "error");
    project.run(["compare", "plain", "schema", "--store", "none.db"]).exits(2).says("there is no store");
    // A variant that is called like a run.
    project.edit("suites/tiny/suite.toml", "name = \"plain\"", "name = \"tiny-1\"");
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    refused(&["tiny-1", "schema"]).says("both a run and a variant of run `tiny-2`").says("tiny-2:tiny-1");
    let named = compare(&project, &["tiny-2:tiny-1", "schema"]);
    assert_eq!(contrast(&named)["wins"], 8);
    // Its suite no longer has the variant that the first run asked.
    refused(&["tiny-1:plain", "schema"]).says("has no variant `plain` any more").says("--suite");
}

#[test]
fn one_cluster_gives_no_verdict() {
    let project = Project::new().suite("tiny");
    let rows = project.read("suites/tiny/examples.jsonl").replace("{\"id\"", "{\"cluster\": \"storm\", \"id\"");
    project.write("suites/tiny/examples.jsonl", rows.as_bytes());
    let project = project.recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    let found = compare(&project, &["plain", "schema"]);
    let contrast = contrast(&found);
    assert_eq!(
        (&contrast["clusters"], &contrast["unsettled"], &contrast["n_to_settle"]),
        (&json!(1), &json!("one-cluster"), &Value::Null)
    );
    near(&contrast["p_floor"], 1.0);
    near(&contrast["difference"]["low"], -1.0);
    project.run(["compare", "plain", "schema"]).exits(0).says("only 1 cluster: the smallest p-value possible is 1");
    // Three clusters: the floor of the p-value is a quarter.
    let three: String =
        (1..).zip(rows.lines()).map(|(line, row)| row.replace("storm", &format!("s{}", line % 3)) + "\n").collect();
    project.write("suites/tiny/examples.jsonl", three.as_bytes());
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    let found = compare(&project, &["plain", "schema"]);
    near(&found["comparisons"][0]["contrast"]["p_floor"], 0.25);
    assert_eq!(found["comparisons"][0]["contrast"]["unsettled"], "few-clusters");
}

#[test]
fn runs_without_a_common_example_are_not_compared() {
    let project = recorded();
    let rows = project.read("suites/tiny/examples.jsonl").replace("\"id\":\"e", "\"id\":\"f");
    project.write("suites/tiny/examples.jsonl", rows.as_bytes());
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    for arguments in [vec!["plain", "tiny-1", "tiny-2"], vec!["tiny-1", "tiny-2"]] {
        let refused = project.run(["compare"].iter().chain(&arguments)).exits(2);
        refused.says("have no example in common").says("12 were not asked of `tiny-1:plain`").says("paired by id");
    }
    let both = compare(&project, &["tiny-1:plain", "tiny-1:schema"]);
    assert_eq!(contrast(&both)["wins"], 8, "the run's own answers are in the store, whatever the files say now");
}

#[test]
fn hostile_answers_are_shown_without_their_controls() {
    const HOSTILE: &str = "{\"label\": \"red\"}\u{1b}[2J\u{202e}\r\n<script>=1+1\u{7}";
    let server = ScriptedServer::start(|request, _| if wants_schema(request) { right(request) } else { say(HOSTILE) });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE).exits(0);
    let text = project.run(["compare", "plain", "schema", "--flips", "12"]).exits(0);
    let shown = text.stdout();
    assert!(shown.contains("<script>=1+1") && shown.contains("not valid"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r', '\u{7}']), "{shown:?}");
    assert_eq!(shown.matches("\n fixed ").count(), EXAMPLES, "{shown}");
    let document = compare(&project, &["plain", "schema"]);
    let answer = &document["detail"]["flips"]["examples"][0]["a"][0];
    assert_eq!((&answer["text"], &answer["valid"]), (&json!(HOSTILE), &json!(false)));
    let validity = compare(&project, &["plain", "schema", "--metric", "validity"]);
    assert_eq!((&validity["metric"], &contrast(&validity)["wins"]), (&json!("validity"), &json!(12)));
    assert_eq!(validity["detail"]["other"]["metric"], "accuracy");
}

#[test]
fn repeats_are_averaged() {
    let asked_plainly = AtomicUsize::new(0);
    let server = ScriptedServer::start(move |request, _| match wants_schema(request) {
        true => right(request),
        // Now right, now wrong, whatever is asked between.
        false if asked_plainly.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => right(request),
        false => say("{\"label\":\"violet\"}"),
    });
    let project = Project::new().suite("tiny").live(&server);
    project.run(LIVE.iter().chain(&["--repeats", "3", "--concurrency", "1"])).exits(0);
    let found = compare(&project, &["plain", "schema", "--tag", "label"]);
    assert_eq!((&contrast(&found)["n"], &contrast(&found)["paired_calls"]), (&json!(12), &json!(36)));
    assert_eq!((&contrast(&found)["test"], &found["sides"][0]["repeats"]), (&json!("sign-flip"), &json!(3)));
    let flips = found["detail"]["flips"]["examples"].as_array().unwrap();
    let changes: Vec<f64> =
        flips.iter().map(|flip| flip["b_score"].as_f64().unwrap() - flip["a_score"].as_f64().unwrap()).collect();
    assert!(changes.is_sorted_by(|a, b| a >= b) && flips[0]["a"].as_array().unwrap().len() == 3, "{changes:?}");
    let tags = found["detail"]["slices"]["rows"].as_array().unwrap();
    assert!(tags.len() == 3 && tags.iter().all(|row| row["tag"] == "label"), "{tags:?}");
}
