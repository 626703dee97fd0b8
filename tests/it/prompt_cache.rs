//! What a run says of the provider's prompt cache, of reasoning and of the models that answered.

use serde_json::{Value, json};

use crate::support::project::{EXAMPLES, colour_of};
use crate::support::{Answer, Output, Project, ScriptedServer, events};

const RUN: [&str; 6] = ["run", "suites/tiny", "--provider", "toy=live", "--json", "-q"];

/// Prices of prices.toml for claude-haiku-4-5, on the chat wire of the scripted server.
const PRICE: &str = "[models.small.price]\ninput = 1.0\ncache_read = 0.1\noutput = 5.0\n";

/// The tiny suite, its `schema` variant with a cache, answered by the server.
fn cached(server: &ScriptedServer, cache: &str) -> Project {
    let project = Project::new().suite("tiny").live(server);
    project.edit("suites/tiny/suite.toml", "\"json-schema\"\n", &format!("\"json-schema\"\ncache = {cache}\n"));
    let provider = project.read("providers/live.toml") + PRICE;
    project.write("providers/live.toml", provider.as_bytes());
    project
}

fn row(output: &Output, variant: &str) -> Value {
    let document = output.json();
    document["variants"].as_array().unwrap().iter().find(|row| row["variant"] == variant).unwrap().clone()
}

fn near(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-12)
}

fn label(request: &Value) -> String {
    json!({"label": colour_of(request)}).to_string()
}

/// A right answer whose prompt had 3,202 tokens, so many of them cached.
fn with_cached(request: &Value, cached: u64) -> Answer {
    let usage = json!({"prompt_tokens": 3202, "completion_tokens": 20, "total_tokens": 3222,
                       "prompt_tokens_details": {"cached_tokens": cached}});
    Answer::Stream(events(&[&label(request)], "stop", usage))
}

#[test]
fn a_cache_that_works_is_measured_and_priced() {
    // The first request of a variant reads nothing: it comes alone, so it is the one that leads.
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let server = ScriptedServer::start(move |request, _| {
        let first = seen.lock().unwrap().insert(request.get("response_format").is_some());
        with_cached(request, if first { 0 } else { 3190 })
    });
    let output = cached(&server, "true").run(RUN).exits(0);
    let cache = row(&output, "schema")["cache"].clone();
    assert_eq!((&cache["requests"], &cache["hit_rate"]["n"]), (&json!(EXAMPLES), &json!(EXAMPLES - 1)));
    assert!(near(&cache["hit_rate"]["point"], 1.0), "{cache}");
    assert_eq!((&cache["leader"]["read_tokens"], &cache["fault"]), (&json!(0), &Value::Null));
    // Cold: 3,202 x 1.00 + 20 x 5.00 micro-dollars. A hit: 12 x 1.00 + 3,190 x 0.10 + 100.
    assert!(near(&cache["cold_usd"]["point"], 3302e-6) && near(&cache["steady_usd"]["point"], 431e-6), "{cache}");
    assert!(near(&cache["measured_usd"]["point"], (3302.0 + 11.0 * 431.0) / 12.0 * 1e-6), "{cache}");
    assert!(row(&output, "plain")["cache"].is_null(), "it does not ask for the cache");
    let step = &output.json()["steps"][0];
    assert_eq!(
        (&step["from"], &step["to"], &step["step"]),
        (&json!("plain"), &json!("schema"), &json!("schema + cache"))
    );
}

#[test]
fn a_cache_that_does_not_work_is_flagged_with_the_reason() {
    let server = ScriptedServer::start(|request, _| with_cached(request, 0));
    let project = cached(&server, "true");
    let cache = row(&project.run(RUN).exits(0), "schema")["cache"].clone();
    assert_eq!(cache["fault"]["kind"], "nothing-cached");
    let text = ["run", "suites/tiny", "--provider", "toy=live", "-q", "--fresh"];
    project.run(text).exits(0).says("the cache MOSTLY MISSED: nothing was written or read");
}

#[test]
fn answers_that_the_store_had_are_no_news_of_the_cache() {
    let server = ScriptedServer::start(|request, _| with_cached(request, 0));
    let project = cached(&server, "true");
    project.run(RUN).exits(0);
    // A target is no part of a request: another run, whose answers are all there.
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", "accuracy = 0.8");
    let row = row(&project.run(RUN).exits(0), "schema");
    assert_eq!((&row["reused"], &row["cache"]), (&json!(EXAMPLES), &Value::Null));
}

#[test]
fn reasoning_before_the_answer_has_a_time_and_a_count_of_its_own() {
    let server = ScriptedServer::start(|request, number| {
        if number == 0 {
            return Answer::error(500, "server_error", "once");
        }
        let usage = json!({"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18,
                           "completion_tokens_details": {"reasoning_tokens": 7}});
        let mut said = events(&[&label(request)], "stop", usage);
        if request.get("response_format").is_some() {
            let mut thought = said[1].clone();
            thought["choices"][0]["delta"] = json!({"reasoning_content": "hm"});
            said.insert(1, thought);
        }
        said.iter_mut().for_each(|event| event["model"] = json!("small-2026-11"));
        Answer::Stream(said)
    });
    let project = Project::new().suite("tiny").live(&server);
    let output = project.run(RUN).exits(0);
    let (plain, schema) = (row(&output, "plain"), row(&output, "schema"));
    assert_eq!((&plain["ttft_any_ms"], &plain["reasoning_hidden"]), (&Value::Null, &json!(EXAMPLES)));
    assert!(schema["ttft_any_ms"]["p50"]["point"].is_number(), "{schema}");
    assert_eq!((&schema["reasoning_hidden"], &schema["usage"]["reasoning_tokens"]), (&json!(0), &json!(7.0)));
    assert_eq!(schema["asked_model"], "small");
    assert_eq!(schema["served_models"], json!([{"model": "small-2026-11", "answers": EXAMPLES}]));
    assert_eq!(plain["retries"].as_u64().unwrap() + schema["retries"].as_u64().unwrap(), 1);
    project
        .run(["run", "suites/tiny", "--provider", "toy=live", "-v", "--fresh"])
        .exits(0)
        .says("live was asked for `small` and says that it served `small-2026-11` (24 answers)")
        .says("time to first reasoning");
}

/// The last user turn of a Gemini request.
fn gemini_answer(request: &Value, cached: u64) -> Answer {
    let input = request["contents"].as_array().and_then(|all| all.last()?["parts"][0]["text"].as_str());
    let colour = input.unwrap_or_default().rsplit(' ').next().unwrap_or_default().to_owned();
    Answer::Ends(vec![json!({
        "candidates": [{"index": 0, "finishReason": "STOP",
                        "content": {"role": "model", "parts": [{"text": json!({"label": colour}).to_string()}]}}],
        "usageMetadata": {"promptTokenCount": 920, "cachedContentTokenCount": cached, "candidatesTokenCount": 5,
                          "totalTokenCount": 925},
        "modelVersion": "small"
    })])
}

const STORED: &str = r#"{"name": "cachedContents/p1", "expireTime": "2026-11-24T21:45:00Z",
                         "usageMetadata": {"totalTokenCount": 900}}"#;

/// The tiny suite on a server that speaks Gemini, its `schema` variant with a stored prefix.
fn gemini(server: &ScriptedServer) -> Project {
    let project = cached(server, "{ explicit = true }");
    project.edit("providers/live.toml", "openai-chat", "gemini");
    project
}

fn is_creation(request: &Value) -> bool {
    request.get("ttl").is_some()
}

fn gone() -> Answer {
    let message = "CachedContent not found (or permission denied)";
    let error = json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}});
    Answer::Whole(403, vec![], error.to_string())
}

#[test]
fn a_prefix_is_stored_before_it_is_used_and_deleted_after() {
    let server = ScriptedServer::start(|request, _| match request.get("cachedContent") {
        Some(_) => gemini_answer(request, 900),
        None if is_creation(request) => Answer::Whole(200, vec![], STORED.to_owned()),
        None if request.is_null() => Answer::Whole(200, vec![], "{}".to_owned()),
        None => gemini_answer(request, 0),
    });
    let project = gemini(&server);
    let cache = row(&project.run(RUN).exits(0), "schema")["cache"].clone();
    assert!(near(&cache["hit_rate"]["point"], 1.0) && cache["storage_not_priced"] == true, "{cache}");
    let seen = server.seen();
    let paths = |method: &str| -> Vec<String> {
        seen.iter()
            .filter(|seen| seen.method == method && !seen.path.contains(":"))
            .map(|seen| seen.path.clone())
            .collect()
    };
    assert_eq!(
        (paths("POST"), paths("DELETE")),
        (vec!["/v1/cachedContents".into()], vec!["/v1/cachedContents/p1".into()])
    );
    let leaning: Vec<&Value> =
        seen.iter().map(|seen| &seen.body).filter(|body| body["cachedContent"].is_string()).collect();
    assert_eq!(leaning.len(), EXAMPLES);
    assert!(
        leaning.iter().all(|body| body["cachedContent"] == "cachedContents/p1" && body["systemInstruction"].is_null())
    );
    // What is kept is the whole request, so that it can be looked up and recorded.
    let shown = project.run(["show", "last", "e01", "--variant", "schema", "--json"]).exits(0).json();
    assert!(shown["trials"][0]["request"]["systemInstruction"].is_object(), "{shown}");
    // With every answer there, nothing is stored again.
    project.run(RUN).exits(0);
    assert_eq!(server.seen().len(), seen.len());
}

#[test]
fn a_stored_prefix_and_one_that_the_service_finds_share_no_answer() {
    let server = ScriptedServer::start(|request, _| match request.get("cachedContent") {
        Some(_) => gemini_answer(request, 900),
        None if is_creation(request) => Answer::Whole(200, vec![], STORED.to_owned()),
        None if request.is_null() => Answer::Whole(200, vec![], "{}".to_owned()),
        None => gemini_answer(request, 0),
    });
    let project = gemini(&server);
    let third = "[[variants]]\nname = \"implicit\"\nmodel = \"toy/small\"\nprompt = \"v1\"\n\
                 structured = \"json-schema\"\ncache = true\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", third);
    let output = project.run(RUN).exits(0);
    let read = |variant: &str| row(&output, variant)["usage"]["cache_read_tokens"].clone();
    assert_eq!((read("schema"), read("implicit")), (json!(900.0), json!(0.0)));
    assert_eq!(row(&output, "implicit")["reused"], 0);
}

#[test]
fn a_cached_answer_outlives_an_edit_that_is_no_part_of_it() {
    let server = ScriptedServer::start(|request, _| with_cached(request, 0));
    let project = cached(&server, "true");
    project.edit("providers/live.toml", "\"openai-chat\"", "\"openai-chat\"\ndialect = \"openai\"");
    project.run(RUN).exits(0);
    assert!(server.seen().iter().any(|seen| seen.body["prompt_cache_key"].is_string()));
    let asked = server.count();
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", "accuracy = 0.8");
    project.run(RUN).exits(0);
    assert_eq!(server.count(), asked);
}

#[test]
fn a_prefix_that_is_not_stored_is_sent_with_each_request() {
    let refusal =
        json!({"error": {"code": 400, "message": "Cached content is too small", "status": "INVALID_ARGUMENT"}});
    let server = ScriptedServer::start(move |request, _| {
        if is_creation(request) { Answer::Whole(400, vec![], refusal.to_string()) } else { gemini_answer(request, 0) }
    });
    let row = row(&gemini(&server).run(RUN).exits(0), "schema");
    assert_eq!(row["outcomes"]["answered"], EXAMPLES);
    assert_eq!(row["cache"]["fault"]["kind"], "not-stored", "{}", row["cache"]);
    assert!(row["cache"]["fault"]["message"].as_str().unwrap().contains("too small"));
    assert_eq!(server.seen().iter().filter(|seen| is_creation(&seen.body)).count(), 1, "asked once");
}

#[test]
fn a_limit_of_money_is_not_claimed_over_storage_without_a_price() {
    let server = ScriptedServer::start(|request, _| gemini_answer(request, 0));
    let project = gemini(&server);
    let limited = "cache = { explicit = true }\nparams = { max_tokens = 9 }";
    project.edit("suites/tiny/suite.toml", "cache = { explicit = true }", limited);
    let run = RUN.iter().chain(&["--variants", "schema", "--max-cost", "1"]);
    project.run(run).exits(2).says("variant `schema` stores its prefix");
    assert_eq!(server.count(), 0);
}

#[test]
fn a_stored_prefix_that_has_gone_costs_no_answer() {
    let server = ScriptedServer::start(|request, _| match request.get("cachedContent") {
        Some(_) => gone(),
        None if is_creation(request) => Answer::Whole(200, vec![], STORED.to_owned()),
        None => gemini_answer(request, 0),
    });
    let row = row(&gemini(&server).run(RUN).exits(0), "schema");
    assert_eq!((&row["outcomes"]["answered"], &row["retries"]), (&json!(EXAMPLES), &json!(0)), "{row}");
}
