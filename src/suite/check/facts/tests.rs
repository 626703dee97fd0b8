//! One fact a test: what is said of a variant that goes against it.

use super::super::super::load::tests::folder;
use super::super::super::load::{LoadOptions, load};
use super::*;
use crate::diagnostic::{Severity, Style};

const SUITE: &str = r#"[suite]
name = "tiny"
task = "classification"
[data]
examples = "test.jsonl"
pool = "pool.jsonl"
[output]
schema = "schema.json"
[score.scorers.label]
kind = "exact"
at = "/label"
[prompts]
v1 = "v1.md.j2"
"#;

const TODAY: &str = "2026-11-24";

/// What is said of variants `a`, `b`, … with these keys, asked of the model `p/m`.
fn check(variants: &[&str], provider: &str, model: &str, prefix: Option<Prefix>) -> Diagnostics {
    let mut suite = SUITE.to_owned();
    for (name, keys) in ["a", "b", "c", "d"].iter().zip(variants) {
        suite += &format!("[[variants]]\nname = \"{name}\"\nmodel = \"p/m\"\nprompt = \"v1\"\n{keys}\n");
    }
    let folder = folder(&[("suite.toml", suite.as_bytes())]);
    let file = format!("base_url = \"https://p.example/v1\"\n{provider}\n[models.m]\n{model}\n");
    std::fs::create_dir(folder.path().join("providers")).unwrap();
    std::fs::write(folder.path().join("providers/p.toml"), file).unwrap();
    let providers = crate::provider::load::load(&[folder.path()]).unwrap();
    let suite = load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite;
    model_facts(&suite, &providers, TODAY.parse().unwrap(), &|_| prefix)
}

/// The only thing said of one variant: its code, whether it is an error, the message and the hint.
fn only(variant: &str, provider: &str, model: &str) -> (&'static str, bool, String, String) {
    let found = check(&[variant], provider, model, None);
    assert_eq!(found.iter().count(), 1, "{}", found.render(Style::Plain));
    let fault = found.into_iter().next().unwrap();
    assert_eq!(fault.line, 16, "the variant's model");
    (fault.code, fault.severity == Severity::Error, fault.message, fault.help.unwrap_or_default())
}

#[track_caller]
fn refuses(variant: &str, provider: &str, model: &str, said: &str) {
    let (code, is_error, message, help) = only(variant, provider, model);
    assert_eq!((code, is_error), ("suite/refused-parameter", true), "{message}");
    assert!(format!("{message} ({help})").contains(said), "{message} ({help})");
}

#[track_caller]
fn passes(variant: &str, provider: &str, model: &str) {
    let found = check(&[variant], provider, model, None);
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
}

const OPENAI: &str = "kind = \"openai-chat\"\ndialect = \"openai\"";
const ANTHROPIC: &str = "kind = \"anthropic\"";
const COLD: &str = "params = { temperature = 0 }";

#[test]
fn sampling_is_refused_by_model_by_version_and_by_reasoning() {
    refuses(COLD, ANTHROPIC, "sampling = false", "`p/m` takes no `temperature`");
    refuses("params = { top_p = 0.5, top_k = 3 }", ANTHROPIC, "sampling = false", "no `top_p` and `top_k`");
    passes(COLD, ANTHROPIC, "");
    let newest = format!("{ANTHROPIC}\nanthropic_version = \"2026-10-21\"");
    refuses(COLD, &newest, "", "`anthropic_version` 2026-10-21 of `p` takes no `temperature`");
    passes(COLD, &format!("{ANTHROPIC}\nanthropic_version = \"2023-06-01\""), "");
    refuses(COLD, OPENAI, "reasoning = true\nextra_efforts = [\"none\"]", "set `reasoning_effort = \"none\"`");
    refuses(COLD, OPENAI, "reasoning = true\nextra_efforts = [\"minimal\"]", "always reasons");
    let none = "params = { temperature = 0, reasoning_effort = \"none\" }";
    passes(none, OPENAI, "reasoning = true\nextra_efforts = [\"none\"]");
    passes(COLD, OPENAI, "reasoning = false");
    passes(COLD, "kind = \"openai-chat\"\ndialect = \"groq\"", "reasoning = true");
}

#[test]
fn efforts_lengths_and_parameters_that_are_not_there() {
    let effort = |name: &str| format!("params = {{ reasoning_effort = \"{name}\" }}");
    refuses(&effort("xhigh"), OPENAI, "reasoning = true\nextra_efforts = [\"minimal\"]", "`high`, `minimal`");
    passes(&effort("minimal"), OPENAI, "reasoning = true\nextra_efforts = [\"minimal\"]");
    passes(&effort("xhigh"), OPENAI, "");
    refuses(&effort("low"), OPENAI, "reasoning = false", "does not reason");
    let responses = "kind = \"openai-responses\"\ndialect = \"openai\"";
    let nested = "params = { reasoning = { effort = \"huge\" } }";
    refuses(nested, responses, "extra_efforts = []", "\"huge\"");
    refuses("params = { max_tokens = 70000 }", ANTHROPIC, "max_output_tokens = 64000", "at most 64000 tokens");
    passes("params = { max_tokens = 64000 }", ANTHROPIC, "max_output_tokens = 64000");
    refuses("params = { logprobs = true, n = 2 }", ANTHROPIC, "", "Anthropic Messages has no `n` and `logprobs`");
    refuses("params = { n = 1, stop = [\"x\"] }", responses, "", "OpenAI Responses has no `n` and `stop`");
    refuses("params = { top_k = 1 }", OPENAI, "", "no `top_k`");
    passes("params = { top_k = 1, seed = 1 }", "kind = \"openai-chat\"", "");
    passes("params = { top_k = 1, seed = 1 }", "kind = \"gemini\"", "");
}

#[test]
fn shapes_that_a_model_cannot_be_asked_for() {
    refuses("structured = \"json-object\"", ANTHROPIC, "", "has no JSON mode");
    refuses("structured = \"json-object\"", "kind = \"bedrock\"", "", "has no JSON mode");
    passes("structured = \"json-object\"", "kind = \"gemini\"", "");
    let (code, is_error, message, _) = only("structured = \"tool\"", ANTHROPIC, "forced_tool = false");
    assert_eq!((code, is_error), ("suite/unforced-tool", false), "{message}");
    passes("structured = \"tool\"", ANTHROPIC, "forced_tool = true");
    let (code, is_error, message, help) = only("structured = \"tool\"", OPENAI, "id = \"gpt-6-luna\"");
    assert_eq!((code, is_error), ("suite/refused-parameter", false), "{message}");
    assert!(help.contains("openai-responses"));
    let none = "structured = \"tool\"\nparams = { reasoning_effort = \"none\" }";
    passes(none, OPENAI, "id = \"gpt-6-luna\"");
}

#[test]
fn variants_with_short_prefixes_of_one_model_are_said_together() {
    let variants = ["cache = true", "cache = true\nstructured = \"json-schema\""];
    let mut suite = SUITE.to_owned();
    for (name, keys) in ["a", "b"].iter().zip(variants) {
        suite +=
            &format!("[[variants]]\nname = \"{name}\"\nmodel = \"openai/gpt-4.1-nano-x\"\nprompt = \"v1\"\n{keys}\n");
    }
    let folder = folder(&[("suite.toml", suite.as_bytes())]);
    std::fs::create_dir(folder.path().join("providers")).unwrap();
    std::fs::write(folder.path().join("providers/openai.toml"), "[models.\"gpt-4.1-nano-x\"]\n").unwrap();
    let providers = crate::provider::load::load(&[folder.path()]).unwrap();
    let suite = load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite;
    let prefix = |index: usize| Some(Prefix { characters: [40, 400][index], unstable: None });
    let found = model_facts(&suite, &providers, TODAY.parse().unwrap(), &prefix);
    assert_eq!(found.iter().count(), 1, "{}", found.render(Style::Plain));
    assert!(found.iter().next().unwrap().message.contains("the longest of these has about 100:"));
}

#[test]
fn what_a_matrix_shares_is_said_to_be_set_apart() {
    let matrix = "[matrix]\nmodel = [\"openai/gpt-5-mini\", \"anthropic/claude-opus-5-5\"]\nprompt = \"v1\"\n\
                  params = { temperature = 0 }\n";
    let folder = folder(&[("suite.toml", format!("{SUITE}{matrix}").as_bytes())]);
    let providers = crate::provider::load::load(&[]).unwrap();
    let suite = load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite;
    let found = model_facts(&suite, &providers, "2026-01-01".parse().unwrap(), &|_| None);
    assert_eq!(found.errors(), 2, "{}", found.render(Style::Plain));
    assert!(found.iter().all(|fault| fault.help.as_deref().unwrap().contains("as `[[variants]]` of its own")));
}

#[test]
fn a_seed_for_bedrock_may_be_refused() {
    let (code, is_error, message, _) = only("params = { seed = 1 }", "kind = \"bedrock\"", "");
    assert_eq!((code, is_error), ("suite/refused-parameter", false), "{message}");
    refuses("params = { temperature = 9 }", OPENAI, "", "at most 2");
}

#[test]
fn a_prefix_that_no_cache_keeps() {
    let found = |provider: &str, model: &str, characters: u64, unstable| {
        let found = check(&["cache = true"], provider, model, Some(Prefix { characters, unstable }));
        assert_eq!(found.errors(), 0);
        found.into_iter().map(|fault| (fault.code, fault.message)).collect::<Vec<_>>()
    };
    let short = found(ANTHROPIC, "cache_min_tokens = 512", 2001, None);
    assert_eq!(short.len(), 1);
    assert_eq!(short[0].0, "suite/short-prefix");
    assert!(short[0].1.contains("from 512 tokens on") && short[0].1.contains("about 501"), "{}", short[0].1);
    assert_eq!(found(ANTHROPIC, "cache_min_tokens = 512", 2048, None), []);
    assert_eq!(found(OPENAI, "", 4092, None)[0].0, "suite/short-prefix", "1,024 unless the file says otherwise");
    assert_eq!(found(OPENAI, "", 4096, None), []);
    assert_eq!(found("kind = \"openai-chat\"", "", 4, None), []);
    let unstable = found(OPENAI, "", 8000, Some("the shots differ from example to example"));
    assert_eq!(unstable[0].0, "suite/unstable-prefix");
    assert!(check(&[""], OPENAI, "", Some(Prefix { characters: 1, unstable: None })).is_empty(), "no cache is asked");
}

#[test]
fn a_model_retires() {
    let said = |day: &str| {
        let found = check(&[""], OPENAI, &format!("retires = \"{day}\""), None);
        found.into_iter().next().map(|fault| (fault.severity, fault.message))
    };
    assert_eq!(said("2027-02-23"), None);
    let (severity, message) = said("2027-02-22").unwrap();
    assert_eq!(severity, Severity::Warning);
    assert_eq!(message, "variant `a`: `p/m` retires in 90 days, on 2027-02-22");
    assert!(said("2026-11-25").unwrap().1.contains("tomorrow"));
    let (severity, message) = said("2026-11-24").unwrap();
    assert_eq!((severity, message.contains("retired since 2026-11-24")), (Severity::Error, true));
    let tuned = "tuned = { method = \"lora\", retires = \"2026-12-01\" }";
    let (code, is_error, message, _) = only(tuned, OPENAI, "retires = \"2027-12-01\"");
    assert_eq!((code, is_error), ("suite/retired-model", false));
    assert!(message.contains("in 7 days"), "the earlier day counts: {message}");
}

#[test]
fn what_is_true_of_several_variants_is_said_once() {
    let found = check(&[COLD, "", COLD, COLD], ANTHROPIC, "sampling = false", None);
    assert_eq!(found.iter().count(), 1);
    let fault = found.iter().next().unwrap();
    assert!(fault.message.starts_with("variants `a`, `c`, `d`: "), "{}", fault.message);
}

#[test]
fn a_recording_is_not_asked() {
    let found = check(&[COLD], "kind = \"replay\"", "sampling = false\nretires = \"2020-01-01\"", None);
    assert!(found.is_empty());
}
