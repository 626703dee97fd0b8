//! The provider files that ship, against the price list that they were made from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ceiling::exchange::{Message, OutputMode, Request, Role};
use ceiling::provider::{LongPromptPrice, Model, Price, Service, load};
use ceiling::units::UsdPerMillionTokens;
use ceiling::wire;
use toml::Table;

/// Hosts of the price list without a file of their own.
const WITHOUT_FILE: &[&str] = &["deepinfra"];

/// What the price list says of every model of a provider that does not say it itself.
const OPENAI_CACHE_MIN_TOKENS: u64 = 1024;

/// The price list, or a line that says what is skipped without it.
#[expect(clippy::print_stdout, reason = "what a test skips must be seen")]
fn price_list() -> Option<Table> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from).join("prices.toml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: prices of the provider files: there is no {} (set CEILING_SHARED)", path.display());
        return None;
    };
    Some(text.parse().unwrap())
}

fn rate(row: &Table, key: &str) -> Option<UsdPerMillionTokens> {
    row.get(key).map(|value| UsdPerMillionTokens::from_f64(value.as_float().unwrap()).unwrap())
}

fn whole(row: &Table, key: &str) -> Option<u64> {
    row.get(key).map(|value| value.as_integer().unwrap().try_into().unwrap())
}

/// The price that a row of the list gives.
fn listed_price(row: &Table) -> Price {
    let mut price = Price {
        input: rate(row, "input"),
        cache_read: rate(row, "cache_read"),
        cache_write_5m: rate(row, "cache_write_5m").or(rate(row, "cache_write")),
        cache_write_1h: rate(row, "cache_write_1h"),
        output: rate(row, "output"),
        training: rate(row, "training"),
        ..Price::default()
    };
    price.batch.input = rate(row, "batch_input");
    price.batch.cache_read = rate(row, "batch_cache_read");
    price.batch.output = rate(row, "batch_output");
    price.long_prompt = row.get("long_prompt").and_then(toml::Value::as_table).map(|long| LongPromptPrice {
        above_tokens: whole(long, "above_tokens").unwrap(),
        input: rate(long, "input"),
        cache_read: rate(long, "cache_read"),
        cache_write_5m: rate(long, "cache_write_5m").or(rate(long, "cache_write")),
        cache_write_1h: rate(long, "cache_write_1h"),
        output: rate(long, "output"),
    });
    price
}

/// The row, with everything that the list says, as the file must have it.
#[track_caller]
fn agrees(name: &str, provider: &str, model: &Model, row: &Table) {
    let flag = |key: &str| row.get(key).map(|value| value.as_bool().unwrap());
    let texts = |key: &str| {
        row.get(key)
            .map(|value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect())
    };
    assert_eq!(model.price, Some(listed_price(row)), "{provider}/{name}");
    let facts = &model.facts;
    assert_eq!(facts.sampling, flag("sampling"), "{provider}/{name}");
    assert_eq!(facts.forced_tool, flag("forced_tool"), "{provider}/{name}");
    assert_eq!(facts.reasoning, flag("reasoning"), "{provider}/{name}");
    assert_eq!(facts.extra_efforts, texts("extra_efforts"), "{provider}/{name}");
    assert_eq!(facts.context_tokens, whole(row, "context_tokens"), "{provider}/{name}");
    assert_eq!(facts.max_output_tokens, whole(row, "max_output_tokens"), "{provider}/{name}");
    let cache_min = whole(row, "cache_min_tokens")
        .or((row["provider"].as_str() == Some("openai")).then_some(OPENAI_CACHE_MIN_TOKENS));
    assert_eq!(facts.cache_min_tokens, cache_min, "{provider}/{name}");
    assert_eq!(model.retires.as_deref(), row.get("retires").and_then(toml::Value::as_str), "{provider}/{name}");
    assert_eq!(model.served_as, row["id"].as_str().unwrap(), "{provider}/{name}");
}

/// Every number of the list is in a file, and no file has a number that the list has not.
#[test]
fn the_files_say_what_the_price_list_says_and_nothing_else() {
    let Some(list) = price_list() else { return };
    let providers = load::load(&[]).unwrap();
    let mut listed = BTreeSet::new();
    for row in list["model"].as_array().unwrap() {
        let row = row.as_table().unwrap();
        let (id, host) = (row["id"].as_str().unwrap(), row["provider"].as_str().unwrap());
        if WITHOUT_FILE.contains(&host) {
            continue;
        }
        let files: &[&str] = if host == "openai" { &["openai", "openai-responses"] } else { &[host] };
        for file in files {
            let provider = providers.get(file).unwrap_or_else(|| panic!("no file for {host}"));
            assert_eq!(provider.as_of.as_deref(), list["as_of"].as_str(), "{file}");
            agrees(id, file, provider.models.get(id).unwrap_or_else(|| panic!("{file} has no {id}")), row);
            listed.insert(((*file).to_owned(), id.to_owned()));
        }
    }
    for name in providers.names() {
        let provider = providers.get(name).unwrap();
        for (model, row) in &provider.models {
            let known = listed.contains(&(name.to_owned(), model.clone()));
            assert!(known || row.price.is_none(), "{name}/{model} has a price that no list backs");
        }
    }
}

/// Prices say where they are from and from when; a host without any says so.
#[test]
fn each_file_tells_the_source_of_its_prices() {
    let providers = load::load(&[]).unwrap();
    for (name, text) in load::BUILT_IN {
        let provider = providers.get(name).unwrap();
        let priced = provider.models.values().any(|model| model.price.is_some());
        assert_eq!(priced, provider.as_of.is_some(), "{name}");
        assert_eq!(priced, text.contains("from litellm"), "{name}");
        assert!(priced || provider.self_hosted || text.contains("o price") || text.contains("gpu = "), "{name}");
        assert_eq!(text.contains("\ndialect = "), *name != "smollm2", "{name}");
    }
}

/// Where each wire's requests go: address and path together, as the providers' pages have them.
const ADDRESSES: &[(&str, &str, &str)] = &[
    ("anthropic", "claude-haiku-5-5", "https://api.anthropic.com/v1/messages"),
    ("azure-openai", "gpt-4.1-mini", "https://RESOURCE.openai.azure.com/openai/v1/chat/completions"),
    (
        "bedrock",
        "gpt-oss-120b",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/openai.gpt-oss-120b-1%3A0/converse",
    ),
    ("openai-responses", "gpt-6-luna", "https://api.openai.com/v1/responses"),
    ("deepseek", "deepseek-v4-pro", "https://api.deepseek.com/chat/completions"),
    (
        "gemini",
        "gemini-3.8-flash",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.8-flash:generateContent",
    ),
    ("groq", "openai/gpt-oss-20b", "https://api.groq.com/openai/v1/chat/completions"),
    ("openai", "gpt-6-luna", "https://api.openai.com/v1/chat/completions"),
    (
        "vertex",
        "gemini-3.8-flash",
        "https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/gemini-3.8-flash:generateContent",
    ),
];

#[test]
fn addresses_and_paths_fit_together() {
    let providers = load::load(&[]).unwrap();
    for (name, model, wanted) in ADDRESSES {
        let provider = providers.get(name).unwrap();
        let model = &provider.models[*model];
        let Service::Http { base_url, .. } = &provider.service else { panic!("{name} is not asked over HTTP") };
        let request = Request {
            model: model.served_as.clone(),
            messages: vec![Message { role: Role::User, content: "Say hello.".into() }],
            stable_messages: 0,
            cache: None,
            params: serde_json::Map::new(),
            output: OutputMode::Text,
            stream: false,
        };
        let encoded = wire::wire(provider.wire).encode(&request, &provider.target(model));
        assert_eq!(format!("{base_url}{}", encoded.route.path), *wanted);
    }
}
