//! Built-in providers, the user's files over them, and their faults.

use super::super::{AuthScheme, KeySource, Service};
use super::*;
use crate::provider::Dialect;

fn load_file(name: &str, text: &[u8]) -> Result<Providers, Diagnostics> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("providers")).unwrap();
    std::fs::write(folder.path().join("providers").join(format!("{name}.toml")), text).unwrap();
    load(&[folder.path()])
}

fn fault(text: &str) -> Diagnostic {
    let faults = load_file("mine", text.as_bytes()).unwrap_err();
    assert_eq!(faults.errors(), 1, "{}", faults.render(crate::diagnostic::Style::Plain));
    faults.into_iter().next().unwrap()
}

#[test]
fn every_provider_file_is_built_in_and_loads() {
    let mut files: Vec<_> = provider_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("providers"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    files.sort();
    let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, names);
    let providers = load(&[]).unwrap();
    assert_eq!(providers.names().count(), BUILT_IN.len());
    let openai = providers.get("openai").unwrap();
    let Service::Http { auth, key, .. } = &openai.service else { panic!("not http") };
    assert_eq!((*auth, key), (AuthScheme::Bearer, &KeySource::Environment("OPENAI_API_KEY".into())));
    assert_eq!(providers.get("smollm2").unwrap().service, Service::Replay);
    let lora = &providers.get("llama-cpp").unwrap().models["135m-outages"].extra_body;
    assert_eq!(lora["lora"][0]["scale"], 1.0);
}

#[test]
fn a_users_file_adds_to_a_built_in_one() {
    let providers = load_file("openai", b"[models.mine]\nprice = { input = 1.0, cache_write = 1.25 }\n").unwrap();
    let openai = providers.get("openai").unwrap();
    assert!(openai.models.len() > 1);
    let price = openai.models["mine"].price.unwrap();
    assert_eq!(price.cache_write_5m, UsdPerMillion::from_f64(1.25));
    assert_eq!(price.output, None);
}

use crate::units::UsdPerMillionTokens as UsdPerMillion;

#[test]
fn a_key_in_the_file_is_refused_and_not_shown() {
    let fault = fault("kind = \"openai-chat\"\nbase_url = \"https://a.b/v1\"\napi_key = \"sk-very-secret\"\n");
    assert_eq!((fault.code, fault.line, fault.column), ("provider/key-in-file", 3, 1));
    assert!(!fault.render(crate::diagnostic::Style::Plain).contains("sk-very"));
    assert!(fault.help.unwrap().contains("api_key_env"));
}

#[test]
fn plain_http_needs_permission_unless_on_loopback() {
    let text = "kind = \"openai-chat\"\nbase_url = \"http://10.0.0.2:8000/v1\"\n";
    let fault = fault(text);
    assert_eq!((fault.code, fault.line, fault.column), ("provider/plain-http", 2, 12));
    assert!(load_file("mine", format!("allow_http = true\n{text}").as_bytes()).is_ok());
    assert!(load_file("mine", text.replace("10.0.0.2", "127.0.0.1").as_bytes()).is_ok());
    assert!(load_file("mine", text.replace("10.0.0.2", "[::1]").as_bytes()).is_ok());
}

#[test]
fn every_unknown_key_is_named_with_its_nearest() {
    let faults = load_file("mine", b"kind = \"replay\"\nself_host = true\n[limits]\nconcurency = 3\n").unwrap_err();
    let found: Vec<_> = faults.iter().map(|f| (f.code, f.line, f.help.clone().unwrap())).collect();
    assert_eq!(
        found,
        [
            ("provider/unknown-key", 2, "did you mean `self_hosted`?".to_owned()),
            ("provider/unknown-key", 4, "did you mean `concurrency`?".to_owned())
        ]
    );
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(fault("kind = \"openai-chat\"\n").code, "provider/missing-key");
    assert_eq!(fault("base_url = \"https://a.b\"\n").message, "`kind` is missing");
    let unknown = fault("kind = \"openai-chats\"\nbase_url = \"https://a.b\"\n");
    assert_eq!((unknown.code, unknown.column), ("provider/unknown-value", 8));
}

/// A file for `kind` with the usual keys, then `rest` from line 4 on.
fn of_kind(kind: &str, rest: &str) -> String {
    format!("kind = \"{kind}\"\nbase_url = \"https://a.b/v1\"\napi_key_env = \"K\"\n{rest}\n")
}

#[test]
fn a_key_that_does_nothing_for_its_kind_is_a_fault() {
    let wrong = [
        ("gemini", "dialect = \"groq\""),
        ("anthropic", "dialect = \"vertex\""),
        ("openai-chat", "dialect = \"vertex\""),
        ("bedrock", "dialect = \"openai\""),
        ("openai-chat", "api_version = \"2024-10-21\""),
        ("gemini", "api_version = \"2024-10-21\""),
        ("openai-chat", "anthropic_version = \"2023-06-01\""),
        ("openai-chat", "wire = \"gemini\""),
        ("openai-chat", "auth = \"none\""),
    ];
    for (kind, rest) in wrong {
        let fault = fault(&of_kind(kind, rest));
        assert_eq!((fault.code, fault.line, fault.column), ("provider/no-effect", 4, 1), "{kind} {rest}");
        assert!(fault.help.is_some());
    }
    let right = [("gemini", "dialect = \"vertex\""), ("anthropic", "anthropic_version = \"2023-06-01\"")];
    for (kind, rest) in right.into_iter().chain([("openai-responses", "dialect = \"azure\"")]) {
        assert!(load_file("mine", of_kind(kind, rest).as_bytes()).is_ok(), "{kind} {rest}");
    }
    let keyless = "kind = \"openai-chat\"\nbase_url = \"https://a.b/v1\"\nauth = \"bearer\"\n";
    assert_eq!(fault(keyless).line, 3, "a key would never be sent");
    assert_eq!(fault(&of_kind("anthropic", "anthropic_version = \"newest\"")).code, "provider/wrong-type");
}

#[test]
fn a_merged_file_is_judged_at_the_key_that_was_written() {
    let fault = load_file("openai", b"# mine\ndialect = \"vertex\"\n").unwrap_err().into_iter().next().unwrap();
    assert_eq!((fault.code, fault.line), ("provider/no-effect", 2));
    assert!(fault.file.ends_with("providers/openai.toml"));
    let other_wire = load_file("openai", b"kind = \"anthropic\"\nbase_url = \"https://a.b\"\n").unwrap();
    assert_eq!(other_wire.get("openai").unwrap().dialect, Dialect::Plain, "a dialect is not inherited by another wire");
    let responses = load_file("openai", b"kind = \"openai-responses\"\n").unwrap();
    assert_eq!(responses.get("openai").unwrap().dialect, Dialect::Openai, "both wires of OpenAI have it");
    let recorded = load_file("openai", b"kind = \"replay\"\n").unwrap();
    assert_eq!(recorded.get("openai").unwrap().dialect, Dialect::Openai, "the recording's bodies are in it");
}

#[test]
fn azures_two_addresses_are_not_mixed() {
    let mixed = load_file("azure-openai", b"api_version = \"2024-10-21\"\n").unwrap_err();
    assert_eq!(mixed.iter().next().unwrap().code, "provider/no-effect");
    let older = b"base_url = \"https://mine.openai.azure.com\"\napi_version = \"2024-10-21\"\n";
    assert!(load_file("azure-openai", older).is_ok());
}

#[test]
fn a_key_that_is_named_over_a_server_without_one_is_sent() {
    let providers = load_file("vllm", b"api_key_env = \"VLLM_API_KEY\"\n").unwrap();
    let Service::Http { auth, .. } = &providers.get("vllm").unwrap().service else { panic!("not http") };
    assert_eq!(*auth, AuthScheme::Bearer);
    let providers = load_file("openai", b"base_url = \"http://127.0.0.1:9/v1\"\nauth = \"none\"\n").unwrap();
    let Service::Http { key, .. } = &providers.get("openai").unwrap().service else { panic!("not http") };
    assert_eq!(*key, KeySource::None);
}

#[test]
fn prices_in_another_unit_are_out_of_range_and_never_free() {
    for price in ["input = -1", "input = 3e-7", "output = 1e30", "long_prompt = { above_tokens = 9, input = 0.00001 }"]
    {
        let fault = fault(&of_kind("openai-chat", &format!("[models.m]\nprice = {{ {price} }}")));
        assert_eq!((fault.code, fault.line), ("provider/out-of-range", 5), "{price}");
        assert!(fault.help.unwrap().contains("per million"));
    }
    let twice = fault(&of_kind("openai-chat", "[models.m]\nprice = { cache_write = 1, cache_write_5m = 2 }"));
    assert_eq!((twice.code, twice.column), ("provider/no-effect", 11));
    assert!(load_file("mine", of_kind("openai-chat", "[models.m]\nprice = { input = 0 }").as_bytes()).is_ok());
}

#[test]
fn addresses_and_headers_that_cannot_be_sent_are_faults() {
    let text = "kind = \"openai-chat\"\nbase_url = \"https://a.b/v1?key=sk-very-secret\"\n";
    let query = fault(text);
    assert_eq!((query.code, query.line), ("provider/bad-url", 2));
    assert!(!query.render(crate::diagnostic::Style::Plain).contains("sk-very"));
    for header in ["\"my header\" = \"x\"", "mine = \"a\\nb\""] {
        let fault = fault(&of_kind("openai-chat", &format!("[headers]\n{header}")));
        assert_eq!((fault.code, fault.line), ("provider/bad-header", 5), "{header}");
    }
}

#[test]
fn bytes_that_are_no_text_have_their_offset() {
    let faults = load_file("mine", b"kind = \"replay\"\n# \xff\n").unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.code, fault.line, fault.column), ("provider/not-utf8", 2, 3));
    assert!(fault.message.contains("offset 18"), "{}", fault.message);
}

#[test]
fn a_dialect_is_one_of_the_known_names() {
    let text = "kind = \"openai-chat\"\nbase_url = \"https://a.b/v1\"\n";
    let unknown = fault(&format!("{text}dialect = \"lama-cpp\"\n"));
    assert_eq!((unknown.code, unknown.line), ("provider/unknown-value", 3));
    assert!(unknown.help.unwrap().contains("`llama-cpp`"));
    let providers = load_file("mine", format!("{text}dialect = \"vllm\"\n").as_bytes()).unwrap();
    assert_eq!(providers.get("mine").unwrap().dialect, Dialect::Vllm);
}

#[cfg(not(feature = "sigv4"))]
#[test]
fn signing_needs_a_build_that_can_sign() {
    let fault = fault("kind = \"bedrock\"\nbase_url = \"https://a.b\"\nauth = \"sigv4\"\n");
    assert_eq!((fault.code, fault.line, fault.column), ("provider/no-feature", 3, 8));
    assert!(fault.message.contains("built without the feature `sigv4`"));
}

#[test]
fn the_json_schema_has_the_keys_that_are_read() {
    let text = "headers = { NAME = \"v\" }\nlimits = {}\n[models.NAME]\nprice = { long_prompt = { above_tokens = 1 } }\n\
                gpu = { usd_per_hour = 1 }\n";
    let source = Source::new("p.toml", text);
    let document = crate::document::Document::parse(&source, &FAMILY);
    crate::provider::raw::RawProvider::read(&document);
    crate::document::tests::same_keys(&document, include_str!("../../../docs/reference/provider.schema.json"));
}
