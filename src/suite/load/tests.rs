//! One fault a test: its code, line and column; and the suites that ship.

use std::fs;

use super::*;
use crate::diagnostic::Style;
use crate::provider::load::load as load_providers;

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
[[variants]]
name = "a"
model = "openai/gpt-5-mini"
prompt = "v1"
"#;

const SCHEMA: &str = r#"{"type": "object", "properties": {"label": {"enum": ["A", "B"]}}, "required": ["label"]}"#;

/// A folder with a small suite, some files replaced.
pub(in crate::suite) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: &str, label: &str| {
        format!("{{\"id\": \"{id}\", \"input\": \"the text of {id}\", \"expected\": {{\"label\": \"{label}\"}}}}\n")
    };
    fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
    fs::write(folder.path().join("schema.json"), SCHEMA).unwrap();
    fs::write(folder.path().join("v1.md.j2"), "--- system ---\nSort.\n--- user ---\n{{ input }}\n").unwrap();
    fs::write(folder.path().join("test.jsonl"), row("t1", "A") + &row("t2", "B")).unwrap();
    fs::write(folder.path().join("pool.jsonl"), row("p1", "A") + &row("p2", "B")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

pub(in crate::suite) fn load_files(files: &[(&str, &[u8])]) -> Result<Loaded, Diagnostics> {
    let folder = folder(files);
    load(folder.path(), &load_providers(&[]).unwrap(), &LoadOptions::default())
}

/// The only fault of the small suite with `from` replaced.
fn fault(from: &str, to: &str) -> Diagnostic {
    assert!(SUITE.contains(from), "{from}");
    only(load_files(&[("suite.toml", SUITE.replacen(from, to, 1).as_bytes())]))
}

fn only(loaded: Result<Loaded, Diagnostics>) -> Diagnostic {
    let faults = match loaded {
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    };
    assert_eq!(faults.iter().count(), 1, "{}", faults.render(Style::Plain));
    faults.into_iter().next().unwrap()
}

/// Asserts code and place, and gives the help.
fn place(fault: Diagnostic, code: &str, line: u32, column: u32) -> String {
    assert_eq!((fault.code, fault.line, fault.column), (code, line, column), "{}", fault.render(Style::Plain));
    fault.help.unwrap_or_default()
}

#[test]
fn a_small_suite_loads_with_its_defaults() {
    let loaded = load_files(&[]).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings.render(Style::Plain));
    let suite = loaded.suite;
    assert_eq!(suite.labels, ["A", "B"]);
    assert_eq!((suite.output_name.as_str(), suite.repeats, suite.gate.margin), ("answer", 1, 0.02));
    assert_eq!((suite.prompts[0].system.as_str(), suite.prompts[0].user.as_str()), ("Sort.", "{{ input }}"));
    assert_eq!(suite.scorers[0].expected_at, "/label");
    assert!(!suite.targets.self_hosted && suite.targets.accuracy.is_none());
}

#[test]
fn the_shipped_suites_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    for name in file_names(&root) {
        let loaded = load(&root.join(&name), &load_providers(&[]).unwrap(), &LoadOptions::default());
        let suite = loaded.unwrap_or_else(|faults| panic!("{}", faults.render(Style::Plain))).suite;
        let found = crate::suite::check::check(&suite, None);
        assert_eq!(found.errors(), 0, "{}", found.render(Style::Plain));
        assert!(
            suite.variants.iter().all(|variant| variant.params.keys().next().is_some_and(|key| key == "temperature"))
        );
    }
}

#[test]
fn typing_errors_name_what_was_meant() {
    assert_eq!(place(fault("prompt = \"v1\"", "promt = \"v1\""), "suite/unknown-key", 17, 1), "did you mean `prompt`?");
    assert_eq!(place(fault("openai/", "opnai/"), "suite/unknown-provider", 16, 9), "did you mean `openai`?");
    assert_eq!(place(fault("gpt-5-mini", "gpt-5-mimi"), "suite/unknown-model", 16, 9), "did you mean `gpt-5-mini`?");
    assert_eq!(
        place(fault("prompt = \"v1\"", "prompt = \"v2\""), "suite/unknown-prompt", 17, 10),
        "did you mean `v1`?"
    );
    assert_eq!(place(fault("\"exact\"", "\"exat\""), "suite/unknown-value", 10, 8), "did you mean `exact`?");
    assert_eq!(place(fault("test.jsonl", "tests.jsonl"), "suite/no-file", 5, 12), "did you mean `test.jsonl`?");
    assert_eq!(place(fault("[output]", "[outputs]"), "suite/unknown-key", 7, 2), "did you mean `output`?");
}

#[test]
fn all_faults_come_at_once() {
    let text = SUITE.replace("at = \"/label\"", "at = \"label\"\nabsolut = 3").replace("v1.md.j2", "v9.md.j2");
    let faults = load_files(&[("suite.toml", text.as_bytes())]).unwrap_err();
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert!(codes.contains(&"suite/bad-pointer") && codes.contains(&"suite/unknown-key"), "{codes:?}");
    assert!(codes.contains(&"suite/no-file"), "{codes:?}");
}

#[test]
fn what_a_later_version_serves_is_refused_by_name() {
    place(fault("[prompts]", "[latency]\nsamples = 5\n[prompts]"), "suite/not-yet", 12, 2);
    place(fault("\"exact\"", "\"judge\""), "suite/not-yet", 10, 8);
    let parquet = SUITE.replace("test.jsonl", "test.parquet");
    place(only(load_files(&[("suite.toml", parquet.as_bytes()), ("test.parquet", b"")])), "suite/not-yet", 5, 12);
}

#[test]
fn variants_must_fit_together() {
    let end = "prompt = \"v1\"\n";
    let add = |text: &str| fault(end, &format!("{end}{text}\n"));
    place(add("params = { messages = [] }"), "suite/reserved-param", 18, 12);
    place(add("[[variants]]\nname = \"a\"\nmodel = \"openai/gpt-5-mini\""), "suite/duplicate-variant", 19, 8);
    place(add("shots = \"five\""), "suite/wrong-type", 18, 9);
    place(add("[targets]\naccuracy = 90"), "suite/out-of-range", 19, 12);
    for repeats in ["0", "1001", "4000000000"] {
        let many = format!("pool = \"pool.jsonl\"\nrepeats = {repeats}\n");
        assert_eq!(fault("pool = \"pool.jsonl\"\n", &many).code, "suite/out-of-range", "{repeats}");
    }
    place(add("[targets]\nself_hosted = true"), "suite/hosted-provider", 16, 9);
    assert_eq!(
        place(fault("task =", "incumbent = \"aa\"\ntask ="), "suite/unknown-variant", 3, 13),
        "did you mean `a`?"
    );
    let pool = SUITE.replace("pool = \"pool.jsonl\"\n", "") + "shots = 3\n";
    place(only(load_files(&[("suite.toml", pool.as_bytes())])), "suite/no-pool", 17, 9);
    let unused = fault("v1 = \"v1.md.j2\"", "v1 = \"v1.md.j2\"\nv2 = \"./v1.md.j2\"");
    assert_eq!(unused.severity, crate::diagnostic::Severity::Warning);
    place(unused, "suite/unused-prompt", 14, 7);
}

#[test]
fn a_matrix_is_every_combination_named_from_its_parts() {
    let text = SUITE.split("[[variants]]").next().unwrap().to_owned()
        + "[matrix]\nmodel = [\"openai/gpt-5-mini\", \"openai/gpt-5\"]\nshots = [0, 1, { k = 2, select = \"balanced\" }]\ncache = true\n";
    let suite = load_files(&[("suite.toml", text.as_bytes())]).unwrap().suite;
    let names: Vec<_> = suite.variants.iter().map(|variant| variant.id.as_str()).collect();
    assert_eq!(names[..3], ["gpt-5-mini", "gpt-5-mini-few-shot-1", "gpt-5-mini-few-shot-2-balanced"]);
    assert_eq!(names.len(), 6);
    assert!(suite.variants[0].cache.is_some() && suite.variants[0].shots.is_none());
}

#[test]
fn a_schema_that_refers_to_an_address_is_refused() {
    let text = b"{\n  \"$ref\": \"https://example.com/s.json\"\n}";
    let faults = load_files(&[("schema.json", text)]).unwrap_err();
    let fault = faults.into_iter().find(|fault| fault.code == "suite/external-reference").unwrap();
    assert_eq!((fault.line, fault.column), (2, 11));
}

#[test]
fn bytes_that_are_no_text_have_their_offset() {
    let fault = only(load_files(&[("suite.toml", b"[suite]\n# caf\xe9\n")]));
    assert!(fault.message.contains("0xe9 at offset 13"), "{}", fault.message);
    place(fault, "suite/not-utf8", 2, 6);
}

#[test]
fn a_folder_that_is_no_suite_is_said_so() {
    let root = folder(&[]);
    let providers = load_providers(&[]).unwrap();
    fs::create_dir_all(root.path().join("suites/outages")).unwrap();
    fs::write(root.path().join("suites/outages/suite.toml"), SUITE).unwrap();
    let missing = load(&root.path().join("suites/outage"), &providers, &LoadOptions::default()).unwrap_err();
    let missing = missing.into_iter().next().unwrap();
    assert!(missing.help.as_ref().unwrap().contains("suites/outages"), "{missing:?}");
    assert_eq!(missing.code, "suite/no-folder");
    fs::create_dir(root.path().join("empty")).unwrap();
    let empty = load(&root.path().join("empty"), &providers, &LoadOptions::default()).unwrap_err();
    assert!(empty.iter().next().unwrap().message.ends_with("is empty"));
}

#[cfg(unix)]
#[test]
fn paths_stay_inside_the_folder() {
    place(fault("\"test.jsonl\"", "\"../x.jsonl\""), "suite/outside-folder", 5, 12);
    place(fault("\"test.jsonl\"", "\"/etc/passwd\""), "suite/outside-folder", 5, 12);
    let outside = folder(&[]);
    let inside = folder(&[]);
    fs::remove_file(inside.path().join("test.jsonl")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("test.jsonl"), inside.path().join("test.jsonl")).unwrap();
    let providers = load_providers(&[]).unwrap();
    let linked = load(inside.path(), &providers, &LoadOptions::default());
    place(only(linked), "suite/outside-folder", 5, 12);
    let allowed = SUITE.replace("[data]", "[data]\nallow_outside = true");
    fs::write(inside.path().join("suite.toml"), allowed).unwrap();
    assert!(load(inside.path(), &providers, &LoadOptions::default()).is_ok());
}

#[test]
fn the_command_line_changes_providers_and_variants() {
    let folder = folder(&[]);
    let providers = load_providers(&[]).unwrap();
    let overrides = BTreeMap::from([("openai".to_owned(), "groq".to_owned())]);
    let options = LoadOptions { provider_overrides: overrides, ..LoadOptions::default() };
    let fault = only(load(folder.path(), &providers, &options));
    assert!(fault.message.contains("`groq` has no model"), "{}", fault.message);
    let options = LoadOptions { variants: Some(vec!["b".to_owned()]), limit: Some(1), ..LoadOptions::default() };
    assert_eq!(only(load(folder.path(), &providers, &options)).code, "suite/unknown-variant");
    let options = LoadOptions { limit: Some(1), ..LoadOptions::default() };
    assert_eq!(load(folder.path(), &providers, &options).unwrap().suite.examples.read().count(), 1);
}

#[test]
fn no_damaged_file_panics() {
    let text = SUITE.to_owned() + "shots = [1, { k = \"é\" }]\n[matrix]\nmodel = [3]\n[data.map]\ntags = 1\n";
    for cut in (0..text.len()).filter(|&cut| text.is_char_boundary(cut)) {
        for damaged in [text[..cut].to_owned(), format!("{}{}", &text[..cut], text.get(cut + 1..).unwrap_or_default())]
        {
            let source = Source::new("suite.toml", damaged);
            let document = Document::parse(&source, &FAMILY);
            RawSuite::read(&document);
            document.into_faults().render(Style::Plain);
        }
    }
}

/// The faults of the small suite's variant with `keys`, as (code, line, column, is an error, message and hint).
fn of_variant(keys: &str) -> Vec<(&'static str, u32, u32, bool, String)> {
    let faults = match load_files(&[("suite.toml", format!("{SUITE}{keys}\n").as_bytes())]) {
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    };
    let told = |fault: crate::diagnostic::Diagnostic| {
        let is_error = fault.severity == crate::diagnostic::Severity::Error;
        let said = format!("{} ({})", fault.message, fault.help.unwrap_or_default());
        (fault.code, fault.line, fault.column, is_error, said)
    };
    faults.into_iter().map(told).collect()
}

#[test]
fn parameters_of_the_wrong_kind_are_faults_and_no_mystery_400() {
    let wrong = [
        ("temperature = \"0\"", "suite/wrong-type", 26),
        ("temperature = -1", "suite/out-of-range", 26),
        ("max_tokens = 0", "suite/out-of-range", 25),
        ("top_p = 3", "suite/out-of-range", 20),
        ("seed = 1.5", "suite/out-of-range", 19),
        ("stop = 7", "suite/wrong-type", 19),
        ("reasoning_effort = 2", "suite/wrong-type", 31),
        ("max_tokens = 5, max_completion_tokens = 6", "suite/reserved-param", 28),
        ("model = \"x\"", "suite/reserved-param", 12),
    ];
    for (params, code, column) in wrong {
        let found = of_variant(&format!("params = {{ {params} }}"));
        assert_eq!(found.len(), 1, "{params}: {found:?}");
        assert_eq!((found[0].0, found[0].1, found[0].2, found[0].3), (code, 18, column, true), "{params}");
    }
    let right = "temperature = 0.5, max_tokens = 1, top_p = 1, seed = -3, stop = [\"a\"], min_tokens = 1, top_k = -1";
    assert_eq!(of_variant(&format!("params = {{ {right} }}")), []);
}

#[test]
fn a_parameter_that_looks_mistyped_is_a_warning() {
    let found = of_variant("params = { temperatur = 0, mine = 1 }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1, found[0].2, found[0].3), ("suite/unknown-param", 18, 12, false));
    assert!(found[0].4.contains("did you mean `temperature`?"));
}

#[test]
fn a_base_that_nothing_measures_is_a_warning() {
    let tuned = |base: &str| {
        let row = "[[variants]]\nname = \"t\"\nmodel = \"openai/gpt-5\"\nprompt = \"v1\"\n";
        of_variant(&format!("{row}tuned = {{ method = \"lora\", base = \"{base}\" }}"))
    };
    let found = tuned("openai/gpt-5-nano");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1, found[0].2, found[0].3), ("suite/unknown-base", 22, 28, false));
    for base in ["a", "openai/gpt-5-mini", "gpt-5-mini"] {
        assert_eq!(tuned(base), [], "{base}");
    }
    assert_eq!(tuned("t").len(), 1, "a tuned variant is no base");
}

#[test]
fn an_unknown_model_says_how_to_add_it() {
    let fault = fault("openai/gpt-5-mini", "openai/text-embedding-3-small");
    assert_eq!(fault.code, "suite/unknown-model");
    assert!(
        fault.help.unwrap().ends_with("or add a row `[models.\"text-embedding-3-small\"]` to providers/openai.toml")
    );
}

#[test]
fn a_fault_of_a_matrix_is_said_once() {
    let matrix = "[matrix]\nmodel = [\"openai/gpt-5-mimi\"]\nprompt = \"v1\"\nshots = [0, 1, 2]\ncache = [false, true]\n\
                  retrieve = { k = 1 }\n";
    let found: Vec<_> = of_variant(matrix).into_iter().map(|fault| (fault.0, fault.1)).collect();
    assert_eq!(found, [("suite/unknown-model", 19), ("suite/no-documents", 23)]);
}

#[test]
fn second_looks_at_labels_are_counted() {
    let suite = SUITE.replace("[output]", "annotations = \"second.jsonl\"\nerror_classes = \"errors.jsonl\"\n[output]");
    let second =
        b"{\"id\": \"t1\", \"expected\": {\"label\": \"A\"}}\n{\"id\": \"t2\", \"expected\": {\"label\": \"A\"}}\n";
    let errors = b"{\"id\": \"t1\", \"class\": \"knowledge\"}\n{\"id\": \"t2\", \"class\": \"other\"}\n";
    let files: [(&str, &[u8]); 3] =
        [("suite.toml", suite.as_bytes()), ("second.jsonl", second), ("errors.jsonl", errors)];
    let loaded = load_files(&files).unwrap().suite;
    let pairs = loaded.annotations.unwrap();
    assert_eq!((pairs.pairs, pairs.agreed, pairs.classes), (2, 1, 2));
    let classes = loaded.error_classes.unwrap();
    assert_eq!((classes.checked, classes.knowledge, classes.preference), (2, 1, 0));
    let twice = b"{\"id\": \"t1\", \"class\": \"knowledge\"}\n{\"id\": \"t1\", \"class\": \"knowlege\"}\n";
    let found = only(load_files(&[files[0], files[1], ("errors.jsonl", twice)]));
    assert_eq!((found.code, found.line), ("suite/bad-second-look", 2));
    let others = b"{\"id\": \"x\", \"expected\": {\"label\": \"A\"}}\n";
    assert_eq!(only(load_files(&[files[0], files[2], ("second.jsonl", others)])).code, "suite/no-pairs");
}
