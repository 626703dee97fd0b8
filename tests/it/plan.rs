//! What `ceiling plan` says before a cent is spent: nothing is sent, no key is read, no store is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, right, schema_helps};
use crate::support::redact::redact;
use crate::support::{Answer, Project, ScriptedServer, events};

const PLAN: [&str; 5] = ["plan", "suites/tiny", "--provider", "toy=live", "--json"];

/// The prices of claude-haiku-4-5, half of them by batch, at OpenAI's address: nothing is ever sent there.
const PRICED: &str = "kind = \"openai-chat\"\ndialect = \"openai\"\nbase_url = \"https://api.openai.com/v1\"\n\
    api_key_env = \"NO_SUCH_KEY\"\n[limits]\nconcurrency = 4\n[models.small]\ncache_min_tokens = 1024\n\
    price = { input = 1.0, cache_read = 0.1, cache_write = 1.25, output = 5.0, batch_input = 0.5, batch_output = 2.5 }\n";

/// The tiny suite, its variants with a limit of 16 output tokens, asked of a provider of this file.
fn tiny(provider: &str) -> Project {
    let project = Project::new().suite("tiny").file("providers/live.toml", provider);
    let limited = project
        .read("suites/tiny/suite.toml")
        .replace("prompt = \"v1\"\n", "prompt = \"v1\"\nparams = { max_tokens = 16 }\n");
    project.write("suites/tiny/suite.toml", limited.as_bytes());
    project
}

fn variant<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["variants"].as_array().unwrap().iter().find(|row| row["variant"] == name).unwrap()
}

fn need<'a>(document: &'a Value, wanted: &str) -> &'a Value {
    document["needs"].as_array().unwrap().iter().find(|row| row["wanted"] == wanted).unwrap()
}

/// What is printed for people, in one line.
fn words(project: &Project) -> String {
    let output = project.run(&PLAN[..4]).exits(0);
    output.stdout().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[track_caller]
fn near(value: &Value, expected: f64) {
    let got = value.as_f64().unwrap_or(f64::NAN);
    assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{got} is not {expected}");
}

pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(name)
}

/// Mean prompt tokens of each recorded variant.
fn recorded_tokens(suite: &Path) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let text = std::fs::read_to_string(suite.join("recording.jsonl")).unwrap();
    for line in text.lines().skip(1) {
        let entry: Value = serde_json::from_str(line).unwrap();
        let usage = &entry["usage"];
        let tokens = |name: &str| usage[name].as_u64().unwrap_or(0);
        let sum = sums.entry(entry["variant"].as_str().unwrap().to_owned()).or_default();
        sum.0 += tokens("input_uncached_tokens") + tokens("cache_read_tokens");
        sum.1 += 1;
    }
    sums.into_iter().map(|(name, (tokens, answers))| (name, tokens as f64 / answers as f64)).collect()
}

#[test]
fn the_range_of_tokens_holds_for_what_was_recorded() {
    let project = Project::new();
    let mut seen = 0;
    for name in ["outages", "claims", "routing"] {
        let suite = shipped(name);
        let plan = project.run(["plan".as_ref(), suite.as_os_str(), "--json".as_ref()]).exits(0).json();
        fits(&plan, "plan");
        let recorded = recorded_tokens(&suite);
        for row in plan["variants"].as_array().unwrap() {
            let Some(mean) = recorded.get(row["variant"].as_str().unwrap()) else { continue };
            let tokens = &row["input_tokens"];
            let (low, high) = (tokens["low"].as_f64().unwrap(), tokens["high"].as_f64().unwrap());
            assert!(low <= *mean && *mean <= high, "{name}: {row}: {mean}");
            assert_eq!((&row["billing"], &row["not_recorded"]), (&json!("recorded"), &json!(0)), "{row}");
            seen += 1;
        }
        assert_eq!(plan["time"]["seconds"], Value::Null);
    }
    // Of the 25 `schema` of outages asks the same as `cached`: one of them is in the recording by name.
    assert_eq!(seen, 24);
    assert!(!project.path(".ceiling").exists(), "planning makes no store");
}

#[test]
fn each_request_is_priced_by_hand_with_and_without_cache_and_batch() {
    let project = tiny(PRICED);
    let plan = project.run(PLAN).exits(0).json();
    fits(&plan, "plan");
    let plain = variant(&plan, "plain");
    assert_eq!((&plain["to_ask"], &plain["known"], &plain["billing"]), (&json!(12), &json!(0), &json!("tokens")));
    // `Name the colour: red, green, blue. Answer in JSON.` and `the ball number N looks COLOUR`.
    let system = "Name the colour: red, green, blue. Answer in JSON.".len();
    let (mut low, mut likely, mut high) = (0, 0, 0);
    for place in 1..=EXAMPLES {
        let colour = ["red", "green", "blue"][place % 3];
        let bytes = (system + format!("the ball number {place} looks {colour}").len()) as f64;
        // An answer of `{"label":"COLOUR"}` has a token for two bytes and one at the end.
        let answer = (format!("{{\"label\":\"{colour}\"}}").len() as u64).div_ceil(2) + 1;
        low += (bytes / 5.0).ceil() as u64;
        likely += (bytes / 3.5).ceil() as u64 + 8 + 5 * answer;
        high += (bytes / 2.0).ceil() as u64 + 16 + 5 * 16;
    }
    let cost = &plain["cost_without_cache"]["usd"];
    near(&cost["low"], low as f64 / 1e6);
    near(&cost["likely"], likely as f64 / 1e6);
    near(&cost["high"], high as f64 / 1e6);
    near(&plain["cost_by_batch"]["usd"]["likely"], likely as f64 / 2e6);
    // The prompt is too short to be cached.
    assert_eq!(plain["cost_with_cache"]["usd"], *cost);
    near(&plan["total"]["as_written"]["usd"]["low"], {
        let schema = &variant(&plan, "schema")["cost_without_cache"]["usd"]["low"];
        cost["low"].as_f64().unwrap() + schema.as_f64().unwrap()
    });
    assert_eq!(plan["total"]["as_written"]["without"], json!([]));
    // Four at once, half a second to five seconds each.
    near(&plan["time"]["seconds"]["low"], 3.0);
    near(&plan["time"]["seconds"]["high"], 30.0);
    assert_eq!(plan["time"]["providers"][0]["binds_low"], "concurrency");
    assert!(plan["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == "provider/no-key"));
}

#[test]
fn the_worst_case_is_what_a_limit_of_money_sets_aside() {
    let server = ScriptedServer::start(|request, _| right(request));
    let address = format!("base_url = \"{}\"\n", server.base_url());
    let provider = PRICED
        .replace("base_url = \"https://api.openai.com/v1\"\n", &address)
        .replace("api_key_env = \"NO_SUCH_KEY\"\n", "");
    let project = tiny(&provider);
    let worst = project.run(PLAN).exits(0).json()["total"]["worst_case_usd"].as_f64().unwrap();
    assert_eq!(server.count(), 0, "nothing is sent");
    // The answers report no usage that is billed less, so each is taken at its worst.
    let run = |most: f64, store: &str| {
        let most = format!("{most:.12}");
        project.run(["run", "suites/tiny", "--provider", "toy=live", "--json", "--store", store, "--max-cost", &most])
    };
    run(worst, "enough.db").exits(0);
    let short = run(worst / 24.0 * 0.5, "short.db").exits(4);
    assert!(short.said().contains("budget"), "{}", short.said());
}

/// The tiny suite with a prompt of so many bytes before the example, cached at this share of the price.
fn long_prompt(bytes: usize, read: f64) -> Project {
    let price = format!("cache_read = {read}");
    let provider = PRICED.replace("cache_read = 0.1", &price).replace("output = 5.0", "output = 1.0");
    let project = tiny(&provider);
    project.edit("suites/tiny/suite.toml", "\"json-schema\"\n", "\"json-schema\"\ncache = true\n");
    let prompt = format!("--- system ---\n{}\n--- user ---\n{{{{ input }}}}\n", "name a colour ".repeat(bytes / 14));
    project.write("suites/tiny/prompts/v1.md.j2", prompt.as_bytes());
    project
}

#[test]
fn a_cached_prefix_of_4000_tokens_cuts_a_request_by_60_to_90_percent() {
    for (read, least, most) in [(0.1, 0.88, 0.90), (0.4, 0.585, 0.60)] {
        let plan = long_prompt(14_000, read).run(PLAN).exits(0).json();
        let row = variant(&plan, "schema");
        let effect = &row["cache_effect"];
        let prefix = effect["prefix_tokens"]["likely"].as_f64().unwrap();
        assert!((3_990.0..4_100.0).contains(&prefix), "{prefix}");
        let saved = 1.0 - effect["factor_hit"].as_f64().unwrap();
        assert!((least..=most).contains(&saved), "read at {read}: {saved}");
        // Writing it for nobody costs more than no cache, and that is said.
        assert!(effect["factor_miss"].as_f64().unwrap() > 1.0);
        near(&effect["pays_from_hit_rate"], 0.25 / (1.25 - read));
        let usd = |cost: &str| row[cost]["usd"]["likely"].as_f64().unwrap();
        assert!(usd("cost_with_cache") < usd("cost_without_cache"));
        assert_eq!(row["cached"], true);
        // As it is written, one variant is cached and the other is not.
        let plain = variant(&plan, "plain")["cost_without_cache"]["usd"]["likely"].as_f64().unwrap();
        near(&plan["total"]["as_written"]["usd"]["likely"], plain + usd("cost_with_cache"));
    }
    let long = words(&long_prompt(14_000, 0.1));
    says(&long, &["a request that reads it costs 90% less", "25% MORE than without a cache", "(cached)"]);
    let short = words(&long_prompt(1_400, 0.1));
    says(&short, &["the model keeps prefixes of 1,024 on: likely nothing is cached", "suite/short-prefix"]);
}

#[test]
fn an_unknown_price_is_said_and_never_nothing() {
    let project =
        tiny("kind = \"openai-chat\"\nbase_url = \"https://example.com/v1\"\nauth = \"none\"\n[models.small]\n");
    let plan = project.run(PLAN).exits(0).json();
    fits(&plan, "plan");
    let plain = variant(&plan, "plain");
    assert_eq!((&plain["billing"], &plain["cost_without_cache"]["usd"]), (&json!("unknown"), &Value::Null));
    assert_eq!((&plain["worst_case_usd"], &plan["total"]["worst_case_usd"]), (&Value::Null, &Value::Null));
    assert_eq!(plan["total"]["as_written"]["without"], json!(["plain", "schema"]));
    says(&words(&project), &["no price of `live/small` is known", "--max-cost cannot be kept"]);
    let no_batch = tiny(&PRICED.replace(", batch_input = 0.5, batch_output = 2.5", ""));
    let plan = no_batch.run(PLAN).exits(0).json();
    let plain = variant(&plan, "plain");
    assert!(plain["cost_without_cache"]["usd"]["low"].is_number());
    assert_eq!(
        (&plain["cost_by_batch"]["usd"], &plain["cost_by_batch"]["note"]),
        (&Value::Null, &json!("no batch price is known"))
    );
    let no_cache = PRICED
        .replace("cache_read = 0.1, ", "")
        .replace("cache_min_tokens = 1024\n", "")
        .replace("dialect = \"openai\"\n", "");
    let plan = tiny(&no_cache).run(PLAN).exits(0).json();
    let plain = variant(&plan, "plain");
    assert_eq!((&plain["cost_with_cache"]["usd"], &plain["cache_effect"]), (&Value::Null, &Value::Null));
    assert_eq!(plain["cost_by_batch"]["note"], "no batch API is known");
    // Without a limit of output tokens there is no upper end.
    let open = tiny(PRICED);
    open.edit("suites/tiny/suite.toml", "params = { max_tokens = 16 }\n", "");
    let plan = open.run(PLAN).exits(0).json();
    assert_eq!(variant(&plan, "plain")["cost_without_cache"]["usd"]["high"], Value::Null);
    assert_eq!(variant(&plan, "plain")["worst_case_usd"], Value::Null);
    says(&words(&open), &["no upper end: no `max_tokens` is set", "unbounded"]);
}

#[test]
fn what_the_store_has_is_measured_and_not_asked_again() {
    let server = ScriptedServer::start(|request, _| {
        let usage = json!({"prompt_tokens": 61, "completion_tokens": 7, "total_tokens": 68});
        let schema = request.get("response_format").is_some();
        let said = if schema { right(request) } else { schema_helps(request) };
        let Answer::Stream(chunks) = said else { return said };
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        Answer::Stream(events(&[text.as_str()], "stop", usage))
    });
    let address = format!("base_url = \"{}\"\n", server.base_url());
    let provider = PRICED
        .replace("base_url = \"https://api.openai.com/v1\"\n", &address)
        .replace("api_key_env = \"NO_SUCH_KEY\"\n", "");
    let project = tiny(&provider);
    project.run(["run", "suites/tiny", "--provider", "toy=live", "-q"]).exits(0);
    let asked = server.count();
    let plan = project.run(PLAN).exits(0).json();
    fits(&plan, "plan");
    assert_eq!((&plan["requests"]["known"], &plan["requests"]["to_ask"]), (&json!(24), &json!(0)));
    let plain = variant(&plan, "plain");
    assert_eq!((&plain["tokens_measured_on"], &plain["seconds_measured"]), (&json!(12), &json!(true)));
    near(&plain["output_tokens"]["likely"], 7.0);
    assert!((plain["input_tokens"]["likely"].as_f64().unwrap() - 61.0).abs() < 1.0, "{plain}");
    near(&plan["total"]["as_written"]["usd"]["high"], 0.0);
    // Of twelve `plain` has four right and `schema` all: they differ on eight.
    assert_eq!(plan["earlier"]["best"], json!(["schema", 1.0]));
    let discordance = plan["earlier"]["discordance"].as_f64().unwrap();
    assert!((discordance - 0.8618).abs() < 1e-3, "upper Wilson limit of 8 of 12: {discordance}");
    assert_eq!(plan["reach"]["discordance_measured"], true);
    assert_eq!(need(&plan, "accuracy")["expected"]["source"], "`schema` in run tiny-1");
    let fresh = project.run(PLAN.iter().chain(&["--fresh"])).exits(0).json();
    assert_eq!(fresh["requests"]["to_ask"], 24);
    near(&variant(&fresh, "plain")["cost_without_cache"]["usd"]["likely"], 12.0 * (61.0 + 35.0) / 1e6);
    // Another prompt: other requests, whose tokens are scaled by their length.
    project.edit("suites/tiny/prompts/v1.md.j2", "Name the colour", "Name the one colour that the thing has");
    let changed = project.run(PLAN).exits(0).json();
    assert_eq!(
        (&changed["requests"]["known"], &variant(&changed, "plain")["tokens_measured_on"]),
        (&json!(0), &json!(12))
    );
    assert!(variant(&changed, "plain")["input_tokens"]["likely"].as_f64().unwrap() > 61.0);
    assert_eq!(server.count(), asked, "planning asks nobody");
}

#[test]
fn hardware_by_the_hour_has_no_cost_before_its_throughput_is_measured() {
    let server = ScriptedServer::start(|request, _| right(request));
    let provider = format!(
        "kind = \"openai-chat\"\nbase_url = \"{}\"\nself_hosted = true\n[models.small]\ngpu = {{ usd_per_hour = 2.1, replicas = 2, utilisation = 0.5 }}\n",
        server.base_url()
    );
    let project = tiny(&provider);
    project.edit(
        "suites/tiny/suite.toml",
        "accuracy = 0.9",
        "accuracy = 0.9\nmonthly_requests = 1_000_000\nmonthly_budget_usd = 10_000",
    );
    let plan = project.run(PLAN).exits(0).json();
    let plain = variant(&plan, "plain");
    assert_eq!((&plain["billing"], &plain["cost_without_cache"]["usd"]), (&json!("hardware"), &Value::Null));
    near(&plain["hardware"]["usd_per_hour"], 4.2);
    near(&plain["hardware"]["requests_per_second_for_budget"], 4.2 / 3600.0 / 0.5 * 1e6 / 1e4);
    says(&words(&project), &["unknown until its throughput is measured", "$4.20 an hour, used at 50%"]);
    project.run(["run", "suites/tiny", "--provider", "toy=live", "-q"]).exits(0);
    let plan = project.run(PLAN.iter().chain(&["--fresh"])).exits(0).json();
    fits(&plan, "plan");
    assert!(variant(&plan, "plain")["cost_without_cache"]["usd"]["likely"].as_f64().unwrap() > 0.0);
    assert!(variant(&plan, "plain")["month"]["usd"]["likely"].is_number());
}

#[test]
fn a_target_of_99_9_percent_needs_2995_clean_answers() {
    let project = Project::new();
    let suite = shipped("routing");
    let plan = project.run(["plan".as_ref(), suite.as_os_str(), "--json".as_ref()]).exits(0).json();
    let validity = need(&plan, "schema-validity");
    assert_eq!(validity["proving"][0], json!({"failures": 0, "n": 2995}));
    assert_eq!(
        (&validity["n"], &validity["enough"], &validity["short_by"]),
        (&json!(150), &json!(false), &json!(2845))
    );
    let said = "even if all 150 answers are valid, 99.9% cannot be shown: it needs 2,995";
    assert!(plan["undecided"].as_array().unwrap().contains(&json!(said)), "{}", plan["undecided"]);
    assert_eq!(plan["ceiling_test"]["n"], 1546);
    let accuracy = need(&plan, "accuracy");
    assert_eq!((&accuracy["proving"][0]["n"], &accuracy["proving"][1]["n"]), (&json!(29), &json!(46)));
    // METHODS.md 4: 85 of 100 against 90% takes 253.
    let expected = ["plan".as_ref(), suite.as_os_str(), "--json".as_ref(), "--expect".as_ref(), "0.85".as_ref()];
    let plan = project.run(expected).exits(0).json();
    let accuracy = need(&plan, "accuracy");
    assert_eq!((&accuracy["expected"]["n_to_settle"], &accuracy["short_by"]), (&json!(253), &json!(103)));
}

#[test]
fn an_audit_of_labels_counts() {
    let project = tiny(PRICED);
    let labels = |plan: Value| {
        let need = need(&plan, "label-audit").clone();
        (need["n"].clone(), need["enough"].clone(), need["short_by"].clone())
    };
    assert_eq!(labels(project.run(PLAN).exits(0).json()), (json!(0), json!(false), json!(29)));
    project.edit("suites/tiny/suite.toml", "[data]\n", "[data]\naudit = { checked = 40, wrong = 1 }\n");
    assert_eq!(labels(project.run(PLAN).exits(0).json()), (json!(40), json!(false), json!(6)));
    project.edit("suites/tiny/suite.toml", "checked = 40", "checked = 46");
    assert_eq!(labels(project.run(PLAN).exits(0).json()), (json!(46), json!(true), Value::Null));
}

#[test]
fn clusters_repeats_and_samples_count_as_they_should() {
    let project = tiny(PRICED);
    let rows: String = (0..2_500)
        .map(|n| {
            json!({"id": format!("e{n}"), "input": format!("thing {n} of {}", n * 7919 % 10_007), "expected": {"label": "red"},
                   "cluster": format!("c{}", n / 10)})
            .to_string()
                + "\n"
        })
        .collect();
    project.write("suites/tiny/examples.jsonl", rows.as_bytes());
    let plan = project.run(PLAN.iter().chain(&["--repeats", "3"])).exits(0).json();
    fits(&plan, "plan");
    let requests = &plan["requests"];
    assert_eq!(
        (&requests["rendered"], &requests["examples"], &requests["clusters"]),
        (&json!(500), &json!(2500), &json!(250))
    );
    assert_eq!((&requests["total"], &requests["to_ask"]), (&json!(15_000), &json!(15_000)));
    // METHODS.md 9.5: clusters of ten at an assumed likeness of 0.2.
    near(&plan["reach"]["shows"][1]["design_effect"], 2.8);
    let few = project.run(PLAN.iter().chain(&["--limit", "30"])).exits(0).json();
    near(&few["reach"]["smallest_p"], 0.25);
    assert!(few["undecided"].to_string().contains("smallest p-value is 0.250"), "{}", few["undecided"]);
    assert_eq!(few["requests"]["rendered"], 30);
    says(&words(&project), &["rest on a random 500 of the 2,500 examples"]);
}

#[test]
fn vectors_that_are_not_bought_yet_are_priced_and_stood_in_for() {
    let project = tiny(&(PRICED.to_owned() + "[models.embed]\nid = \"e-1\"\nprice = { input = 2.0 }\n"));
    project.edit(
        "suites/tiny/suite.toml",
        "pool = \"pool.jsonl\"\n",
        "pool = \"pool.jsonl\"\ndocuments = \"docs.jsonl\"\n",
    );
    let retrieves = "\n[[variants]]\nname = \"vectors\"\nmodel = \"toy/small\"\nparams = { max_tokens = 16 }\n\
                     retrieve = { k = 1, embeddings = \"live/embed\" }\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", retrieves);
    let document = json!({"id": "d", "text": "the ball ".repeat(50)}).to_string() + "\n";
    project.write("suites/tiny/docs.jsonl", document.as_bytes());
    let plan = project.run(PLAN).exits(0).json();
    fits(&plan, "plan");
    let bought = &plan["vectors"][0];
    assert_eq!((&bought["endpoint"], &bought["texts"]), (&json!("live/embed"), &json!(13)));
    near(&bought["cost"]["usd"]["low"], bought["tokens"]["low"].as_f64().unwrap() * 2.0 / 1e6);
    let tokens = |name: &str| variant(&plan, name)["input_tokens"]["likely"].as_f64().unwrap();
    assert!(tokens("vectors") > tokens("plain") + 100.0, "the document is part of the prompt");
    says(&words(&project), &["vectors of 13 texts by live/embed"]);
}

#[test]
fn what_cannot_be_planned_is_said_without_a_panic() {
    let project = tiny(PRICED);
    for rate in ["2", "-0.1", "NaN", "ninety"] {
        project.run(PLAN.iter().chain(&["--expect", rate])).exits(2).says("expected a share from 0 to 1");
    }
    project.run(PLAN.iter().chain(&["--expect-validity", "1.5"])).exits(2).says("expected a share");
    project.run(PLAN.iter().chain(&["--repeats", "0"])).exits(2);
    project.run(PLAN.iter().chain(&["--variants", "nobody"])).exits(2).says("nobody");
    project.run(["plan", "suites/nowhere"]).exits(2);
    project.write("foreign.db", b"not a store, but a text that is long enough to be taken for one");
    project.run(PLAN.iter().chain(&["--store", "foreign.db"])).exits(2);
    // A suite that is answered from a recording which is not there.
    project.run(["plan", "suites/tiny"]).exits(2).says("no recording.jsonl");
    // Of several suites the others are planned.
    let both =
        project.run(["plan", "suites/tiny", "suites/nowhere", "--provider", "toy=live", "--json"]).exits(2).json();
    fits(&both[0], "plan");
    assert!(both[1]["error"].is_object(), "{both}");
}

#[test]
fn a_plan_reads_well() {
    let project = long_prompt(14_000, 0.1);
    let targets = "accuracy = 0.9\nschema_validity = 0.99\nttft_p95_ms = 300\nmonthly_requests = 300_000\nmonthly_budget_usd = 200";
    project.edit("suites/tiny/suite.toml", "accuracy = 0.9", targets);
    let output = project.run(&PLAN[..4]).exits(0);
    insta::assert_snapshot!("plan", redact(&project, output.stdout()));
}
