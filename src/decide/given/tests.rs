use super::*;
use crate::decide::ladder::{RungStatus, TriggerState, VerdictKind};

fn given(text: &str) -> Given {
    Given::read(&Source::new("evidence.toml", text)).unwrap_or_else(|faults| panic!("{faults:#?}")).0
}

fn decided(text: &str) -> Verdict {
    given(text).decide(Some("2026-11-26".parse().unwrap())).0
}

fn faults(name: &str, text: &str) -> Vec<(String, u32)> {
    let mut faults = Given::read(&Source::new(name, text)).unwrap_err();
    faults.sort();
    faults.iter().map(|fault| (fault.message.clone(), fault.line)).collect()
}

const PLATEAU: &str = r#"
task = "cause codes"
targets = { accuracy = 0.9 }
label_audit = { checked = 300, wrong = 3 }
impossible = ["rag", "dpo"]
[economics]
training_usd = [5000, 15000]
[[variants]]
name = "v1"
kind = "prompt"
n = 2000
right = 600
[[variants]]
name = "v2"
kind = "prompt"
n = 2000
right = 615
[[variants]]
name = "v3"
kind = "prompt"
n = 2000
right = 610
[[variants]]
name = "v4"
kind = "prompt"
n = 2000
accuracy = 0.31
[[variants]]
name = "few-shot"
kind = "few-shot"
n = 2000
accuracy = 0.31
"#;

#[test]
fn counts_alone_are_independent_samples() {
    let verdict = decided(PLATEAU);
    let test = verdict.ceiling_test.as_ref().unwrap();
    assert_eq!(test.rounds.len(), 4);
    assert_eq!(test.gains[0].gain.method, Method::NewcombeIndependent);
    // Unpaired, 30% against 31% of 2,000 examples does not exclude 2 points.
    assert_eq!(verdict.triggers.t2.state, TriggerState::Unknown, "{}", verdict.triggers.t2.explanation);
    assert!(verdict.notes.contains(&"stated-figures".to_owned()));
    // A few points more that would matter, and it is excluded.
    let coarse = PLATEAU.replace("[economics]", "[statistics]\ndelta_min = 0.05\n[economics]");
    let fired = decided(&coarse);
    assert_eq!(fired.triggers.t2.state, TriggerState::Fired, "{}", fired.triggers.t2.explanation);
    assert_eq!(fired.rungs[&Rung::Lora].status, RungStatus::Untried);
    assert_eq!(fired.rule.to_string(), "L9_payback_unknown");
}

#[test]
fn outcomes_by_example_are_paired() {
    let row = |name: &str, right: &str| {
        let list: Vec<String> = right.chars().map(|digit| digit.to_string()).collect();
        format!("[[variants]]\nname = \"{name}\"\nkind = \"prompt\"\noutcomes = [{}]\n", list.join(","))
    };
    let text = format!("targets = {{ accuracy = 0.9 }}\n{}{}", row("a", "1100110011"), row("b", "1111110011"));
    let verdict = decided(&text);
    let paired = verdict.paired.unwrap();
    assert_eq!((paired.wins, paired.losses, paired.difference.method), (0.0, 2.0, Method::Tango));
    assert_eq!(verdict.incumbent.unwrap().as_str(), "b");
}

#[test]
fn a_rung_is_the_variant_in_use_plus_its_kind() {
    let text = r#"
targets = { schema_validity = 0.99 }
[[variants]]
name = "shots"
kind = "few-shot"
n = 4000
valid = 3800
right = 3000
[[variants]]
name = "schema"
kind = "schema"
n = 4000
schema_validity = 1.0
right = 3100
[[variants]]
name = "other"
kind = "schema"
interventions = ["retrieval"]
n = 4000
valid = 4000
right = 3000
"#;
    let verdict = decided(text);
    assert_eq!(verdict.incumbent.as_ref().unwrap().as_str(), "shots");
    let schema = &verdict.rungs[&Rung::Schema];
    assert_eq!(schema.variant.as_ref().unwrap().as_str(), "schema");
    assert_eq!(verdict.triggers.t1.state, TriggerState::Fired);
}

#[test]
fn unknown_stays_unknown() {
    let verdict = decided(
        "targets = { accuracy = 0.9, monthly_requests = 1000, monthly_budget_usd = 100 }\n[[variants]]\nname = \"a\"\nkind = \"prompt\"\nusd_per_million_requests = 2000\n",
    );
    assert_eq!(verdict.triggers.t2.state, TriggerState::Unknown);
    assert_eq!(verdict.triggers.t4.state, TriggerState::Clear);
    assert_eq!(verdict.kind, VerdictKind::NotEnoughEvidence);
    let none = decided("targets = { accuracy = 0.9 }\n[[variants]]\nname = \"a\"\nkind = \"prompt\"\n");
    assert_eq!(none.rule.to_string(), "L1_no_usable_data");
}

#[test]
fn every_fault_at_once_with_its_line() {
    let text = r#"targets = { acuracy = 0.9 }
not_tried = ["schema"]
[[variants]]
name = "a"
kind = "promt"
[[variants]]
name = "b"
kind = "schema"
n = 10
right = 11
valid = 9
schema_validity = 0.9
[[variants]]
name = "b"
kind = "tuned"
accuracy = 0.9
outcomes = [1, 2]
"#;
    let found = faults("evidence.toml", text);
    let has = |part: &str, line: u32| {
        assert!(found.iter().any(|(message, at)| message.contains(part) && *at == line), "{part}: {found:#?}");
    };
    has("unknown key `acuracy`", 1);
    has("`schema` is listed in `not_tried`", 2);
    has("promt", 5);
    has("`right` is 11, expected 0 to 10", 10);
    has("both `valid` and `schema_validity`", 11);
    has("two variants are named `b`", 14);
    has("`method` is missing", 13);
    has("`accuracy` without `n`", 16);
    has("entry 2: a score is true, false", 17);
}

#[test]
fn json_is_read_the_same_and_its_faults_have_places() {
    let toml = decided(PLATEAU);
    let table: toml::Table = PLATEAU.parse().unwrap();
    let json = serde_json::to_string_pretty(&table).unwrap();
    let read = Given::read(&Source::new("evidence.json", json)).unwrap().0;
    assert_eq!(read.decide(Some("2026-11-26".parse().unwrap())).0, toml);
    let found =
        faults("e.json", "{\n  \"targets\": {\"accuracy\": 2},\n  \"variants\": [{\"name\": \"a\",\n \"kynd\": 1}]\n}");
    assert!(found.iter().any(|(message, line)| message.contains("kynd") && *line == 4), "{found:#?}");
    assert!(found.iter().any(|(message, line)| message.contains("accuracy") && *line == 2), "{found:#?}");
    assert_eq!(faults("e.json", "{\"a\": }")[0].1, 1);
}

#[test]
fn names_that_could_act_on_a_terminal_are_refused() {
    let text =
        "targets = { accuracy = 0.9 }\n[[variants]]\nname = \"a\\u001b[31m\"\nkind = \"prompt\"\nn = 5\nright = 1\n";
    let found = faults("evidence.toml", text);
    assert!(found.iter().any(|(message, line)| message.contains("control characters") && *line == 3), "{found:#?}");
    let huge =
        text.replace("a\\u001b[31m", "a").replace("n = 5", "n = 9223372036854775807\nmissing = 9223372036854775807");
    let found = faults("evidence.toml", &huge);
    assert_eq!(found.iter().filter(|(message, _)| message.contains("expected at most")).count(), 2, "{found:#?}");
    let none = faults("e.json", "{\"variants\": []}");
    assert_eq!(none.len(), 1, "{none:#?}");
}

#[test]
fn few_shot_beside_a_tuned_model_in_use_is_prompted() {
    let verdict = decided(
        "targets = { accuracy = 0.9 }\nincumbent = \"lora\"\n[[variants]]\nname = \"lora\"\nkind = \"tuned\"\nmethod = \"lora\"\nn = 100\nright = 80\n[[variants]]\nname = \"fs\"\nkind = \"few-shot\"\nn = 100\nright = 50\n",
    );
    assert_eq!(verdict.ceiling_test.unwrap().few_shot, crate::decide::FewShot::Measured);
}

#[test]
fn a_value_an_error_puts_stated_accuracy_into_money() {
    let verdict = decided(
        "targets = { monthly_requests = 1000000 }\n[economics]\ntraining_usd = [5000, 15000]\nvalue_per_error_usd = 0.01\n[[variants]]\nname = \"p\"\nkind = \"prompt\"\nn = 10000\nright = 5000\nusd_per_million_requests = 1000\n[[variants]]\nname = \"l\"\nkind = \"tuned\"\nmethod = \"lora\"\nn = 10000\nright = 9000\nusd_per_million_requests = 1000\n",
    );
    // 40 points more right, at a cent each: $0.004 a request.
    let saving = verdict.break_even.unwrap().saving_usd.unwrap();
    assert!((saving.point.unwrap() - 0.004).abs() < 1e-12 && saving.low < 0.004 && saving.high > 0.004, "{saving:?}");
}

#[test]
fn a_cluster_of_another_type_does_not_pass_for_none() {
    let of = |cluster: &str| {
        format!(
            "[[variants]]\nname = \"a\"\nkind = \"prompt\"\noutcomes = [{{ id = \"1\", score = 1, cluster = {cluster} }}]\n"
        )
    };
    assert!(Given::read(&Source::new("evidence.toml", of("\"g\""))).is_ok());
    for odd in ["true", "[\"g\"]"] {
        let found = faults("evidence.toml", &of(odd));
        assert!(found[0].0.contains("`cluster` is a text or a number"), "{found:?}");
    }
}
