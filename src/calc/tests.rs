//! The registry, the vectors of METHODS.md, extremes, and hostile input.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Every vector of METHODS.md: `output` may name some of the fields.
const VECTORS: &str = include_str!("../../tests/fixtures/methods/vectors.json");

/// Relative tolerance of METHODS.md.
const TOLERANCE: f64 = 1e-8;

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Runs a method on JSON text.
fn calc(name: &str, input: &Value) -> Result<Value, CalcError> {
    run(name, &object(input)).map(Value::Object)
}

fn close(got: &Value, expected: &Value, tolerance: f64) -> bool {
    match (got, expected) {
        (Value::Number(_), Value::Number(_)) => {
            let (got, expected) = (got.as_f64().unwrap(), expected.as_f64().unwrap());
            let scale = if expected == 0.0 { 1.0 } else { expected.abs() };
            (got - expected).abs() <= tolerance * scale
        }
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len() && got.iter().zip(expected).all(|(g, e)| close(g, e, tolerance))
        }
        _ => got == expected,
    }
}

#[test]
fn every_vector() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let name = vector["method"].as_str().unwrap();
        let got = calc(name, &vector["input"]).unwrap_or_else(|error| panic!("{vector}: {error}"));
        let tolerance = vector["tolerance"].as_f64().unwrap_or(TOLERANCE);
        for (field, expected) in vector["output"].as_object().unwrap() {
            if !close(&got[field], expected, tolerance) {
                wrong.push(format!("{name} {}: {field} is {}, expected {expected}", vector["input"], got[field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let tested: BTreeSet<&str> = vectors.iter().filter_map(|vector| vector["method"].as_str()).collect();
    let all: BTreeSet<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(tested, all, "a method without a vector");
}

#[test]
fn the_registry_is_whole() {
    let names: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(names.len(), 32);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for known in METHODS {
        assert_eq!(method(&known.name.replace('_', "-")).unwrap().name, known.name);
        let example: Value = serde_json::from_str(known.example).unwrap();
        let answer = calc(known.name, &example).unwrap();
        let fields: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        let outputs: Vec<&str> = known.outputs.iter().map(|field| field.name).collect();
        assert_eq!(fields, outputs, "{}", known.name);
        assert!(known.outputs.iter().all(|field| field.default.is_none()));
        for (field, value) in answer.as_object().unwrap() {
            assert!(!value.is_null(), "{}: the example shows no {field}", known.name);
        }
        for text in [known.question, known.formula, known.source, known.section] {
            assert!(!text.trim().is_empty() && !text.contains("  \n"));
        }
    }
}

#[test]
fn defaults_are_what_they_say() {
    let wilson = calc("wilson", &json!({"x": 88, "n": 100})).unwrap();
    assert_eq!(wilson, calc("wilson", &json!({"x": 88, "n": 100, "alpha": 0.05})).unwrap());
    assert_eq!(wilson, calc("wilson", &json!({"x": 88, "n": 100, "alpha": null})).unwrap());
    let scores = json!([1, 0.5, 0.25, 1]);
    let plain = calc("clustered_accuracy", &json!({"score": scores})).unwrap();
    for same in [
        json!({"score": scores, "cluster": [4, 3, 2, 1], "calls": 4}),
        json!({"score": scores, "cluster": ["a", "b", "c", "d"], "calls": [1, 1, 1, 1]}),
    ] {
        assert!(close(&calc("clustered_accuracy", &same).unwrap()["lo"], &plain["lo"], 1e-12));
    }
    let total = calc("clustered_accuracy", &json!({"score": scores, "calls": 16})).unwrap();
    assert_eq!(total, calc("clustered_accuracy", &json!({"score": scores, "calls": [4, 4, 4, 4]})).unwrap());
    let range = json!({"saving": 0.01, "volume": 1e6, "fixed": [500, 500], "overhead": [0, 0], "horizon_months": 12});
    let short = json!({"saving": 0.01, "volume": 1e6, "fixed": 500});
    assert_eq!(calc("break_even", &range).unwrap(), calc("break_even", &short).unwrap());
    let sums: Vec<f64> = (0..25).map(|i| f64::from(i % 7) - 2.0).collect();
    let seeded = |seed: u64| calc("cluster_signflip", &json!({"cluster_sums": sums, "seed": seed})).unwrap();
    assert_eq!(calc("cluster_signflip", &json!({"cluster_sums": sums})).unwrap(), seeded(1));
}

/// What is said of an input that cannot be used.
fn fault(name: &str, input: &Value) -> String {
    match calc(name, input) {
        Ok(answer) => panic!("{name} {input} gave {answer}"),
        Err(error) => error.hint().map_or(error.to_string(), |hint| format!("{error}; {hint}")),
    }
}

#[test]
fn wrong_input_is_named() {
    let cases = [
        ("wilson", json!({"n": 3}), "`x` is missing: successes, 0 to n"),
        ("wilson", json!({"x": "3", "n": 3}), "`x` is \"3\", expected a number from 0 to 1e12"),
        ("wilson", json!({"x": null, "n": 3}), "`x` is null"),
        ("wilson", json!({"x": true, "n": 3}), "`x` is true"),
        ("wilson", json!({"x": -1, "n": 3}), "`x` is -1"),
        ("wilson", json!({"x": 4, "n": 3}), "`x` is 4, expected at most `n`, which is 3"),
        ("wilson", json!({"x": 1, "n": 1e13}), "`n` is 10000000000000.0"),
        ("wilson", json!({"x": 1, "n": 3, "alpha": 0}), "`alpha` is 0, expected a number above 0 and below 1"),
        ("wilson", json!({"x": 1, "n": 3, "alpha": 1}), "`alpha` is 1"),
        ("wilson", json!({"x": 1, "n": 3, "aplha": 0.1}), "did you mean `alpha`?"),
        ("wilson", json!({"X": 1, "n": 3}), "did you mean `x`?"),
        ("wilson", json!({"x": [1], "n": 3}), "`x` is an array of 1"),
        ("willson", json!({}), "did you mean `wilson`?"),
        ("zzzzzzzz", json!({}), "`ceiling calc --list` shows them all"),
        ("mcnemar", json!({"wins": 2.5, "losses": 1}), "`wins` is 2.5, expected a whole number from 0 to 1e12"),
        ("tango_ci", json!({"wins": 3, "losses": 3, "n": 5}), "`wins + losses` is 6, expected at most `n`"),
        ("clustered_accuracy", json!({"score": [1, 2]}), "`score[1]` is 2, expected a number from 0 to 1"),
        ("clustered_accuracy", json!({"score": [1, null]}), "`score[1]` is null"),
        ("clustered_accuracy", json!({"score": 1}), "`score` is 1, expected an array, each a number from 0 to 1"),
        (
            "clustered_accuracy",
            json!({"score": [1, 1], "cluster": [1]}),
            "an array of 1, expected 2 entries as in `score`",
        ),
        ("clustered_accuracy", json!({"score": [1], "cluster": [[1]]}), "`cluster[0]` is an array of 1"),
        ("clustered_accuracy", json!({"score": [1, 1], "calls": 1}), "`calls` is 1, expected a whole number from 2"),
        ("clustered_accuracy", json!({"score": [1, 1], "calls": [1, 0]}), "`calls[1]` is 0"),
        ("clustered_accuracy", json!({"score": [1, 1], "calls": "2"}), "`calls` is \"2\""),
        ("holm_bh", json!({"p": [0.1, 1.1]}), "`p[1]` is 1.1"),
        ("non_inferiority", json!({"wins": 1, "losses": 1, "n": 9}), "`margin` is missing"),
        ("non_inferiority", json!({"wins": 1, "losses": 1, "n": 9, "margin": 0}), "`margin` is 0"),
        ("non_inferiority", json!({"wins": 1, "losses": 1, "n": 9, "margin": 0.1, "alpha": 0.5}), "below 0.5"),
        ("break_even", json!({"saving": 1, "saving_lo": 2, "volume": 1, "fixed": 1}), "`saving_lo` and `saving_hi`"),
        ("break_even", json!({"saving": 1, "volume": 1, "fixed": [2, 1]}), "`fixed` is [2,1], expected [low, high]"),
        ("break_even", json!({"saving": 1, "volume": 1, "fixed": [1]}), "`fixed` is [1]"),
        ("cost_per_correct_fieller", json!({"cost": [1, -1], "correct": [1, 1]}), "`cost[1]` is -1"),
        ("cost_per_correct_fieller", json!({"cost": [1, 1], "correct": [1]}), "expected 2 entries as in `cost`"),
        ("label_error_from_agreement", json!({"agreement": 1, "classes": 1}), "`classes` is 1"),
        ("power_law_fit", json!({"n": [1, 2], "err": [0.1, 0.2]}), "needs at least 4 values, got 2"),
        ("n_paired_connor", json!({"psi": 0.2, "delta": 0}), "`delta` is 0"),
        ("n_paired_connor", json!({"psi": 0.2, "delta": 0.3}), "`delta` is 0.3"),
        ("power_paired_exact", json!({"n": 1e9, "psi": 0.2, "delta": 0.1}), "at most 200000"),
        ("power_paired_exact", json!({"n": 9, "psi": 0.2, "delta": 0.1, "test": "t"}), "expected midp | exact"),
        ("betting_cs", json!({"y": [0.5, -0.1]}), "`y[1]` is -0.1"),
        ("ppi_mean", json!({"Y": [1], "f": [1], "F": [1]}), "needs at least 2 values"),
        ("ppi_mean", json!({"Y": [1, 0], "f": [1, 0], "F": [1, 0], "lam": 2}), "`lam` is 2"),
        ("ladder", json!({"data": "ok", "triggers": {"T1": "clear"}}), "`triggers.T2` is null, expected clear | fired"),
        ("ladder", json!({"data": "ok", "triggers": {"T6": "clear"}}), "an object with the key `T6`"),
        ("ladder", json!({"data": "ok", "triggers": {"T1": "clear", "t1": "fired"}}), "each key once"),
        ("ladder", json!({"data": 1, "triggers": {}}), "`data` is 1, expected a string"),
    ];
    for (name, input, expected) in cases {
        let said = fault(name, &input);
        assert!(said.contains(expected), "{name} {input}: {said:?} does not say {expected:?}");
    }
}

#[test]
fn extremes_give_the_documented_answer() {
    let nothing = json!({"lo": 0.0, "hi": 1.0});
    for name in ["wilson", "clopper_pearson_one_sided", "jeffreys_ends_modified", "cs_bernoulli"] {
        assert_eq!(calc(name, &json!({"x": 0, "n": 0})).unwrap(), nothing);
        let all = calc(name, &json!({"x": 1e9, "n": 1e9})).unwrap();
        assert!(all["hi"] == 1.0 && all["lo"].as_f64().unwrap() > 1.0 - 1e-7, "{name}: {all}");
        let none = calc(name, &json!({"x": 0, "n": 1e9})).unwrap();
        assert!(none["lo"] == 0.0 && none["hi"].as_f64().unwrap() < 1e-7, "{name}: {none}");
        let one = calc(name, &json!({"x": 1, "n": 1e12})).unwrap();
        assert!(one["lo"].as_f64().unwrap() > 0.0 && one["hi"].as_f64().unwrap() < 1e-10, "{name}: {one}");
    }
    let whole = json!({"lo": -1.0, "hi": 1.0});
    assert_eq!(calc("tango_ci", &json!({"wins": 0, "losses": 0, "n": 0})).unwrap(), whole);
    let mean = json!({"mean": null, "se": null, "n_eff": null, "lo": 0.0, "hi": 1.0});
    assert_eq!(calc("clustered_accuracy", &json!({"score": []})).unwrap(), mean);
    let one = json!({"mean": 1.0, "se": null, "n_eff": null, "lo": 0.0, "hi": 1.0});
    assert_eq!(calc("clustered_accuracy", &json!({"score": [1]})).unwrap(), one);
    let plain = calc("clustered_accuracy", &json!({"score": [1, 1, 1, 1, 0, 1, 1, 1, 1, 1]})).unwrap();
    assert_eq!(plain["n_eff"], 10.0, "no clusters and no repeats");
    assert_eq!(plain["hi"], calc("wilson", &json!({"x": 9, "n": 10})).unwrap()["hi"]);
    let difference = json!({"mean": null, "se": null, "n_eff": null, "lo": -1.0, "hi": 1.0});
    assert_eq!(calc("clustered_paired_difference", &json!({"d": []})).unwrap(), difference);
    assert_eq!(calc("holm_bh", &json!({"p": []})).unwrap(), json!({"holm": [], "bh": []}));
    assert_eq!(calc("cluster_signflip", &json!({"cluster_sums": []})).unwrap(), json!({"p": 1.0}));
    assert_eq!(calc("betting_cs", &json!({"y": []})).unwrap(), nothing);
    assert_eq!(calc("icc_deff", &json!({"score": []})).unwrap(), json!({"icc": null, "deff": 1.0}));
    let unseen = calc("target_verdict", &json!({"x": 0, "n": 0, "target": 0.9})).unwrap();
    assert_eq!(unseen, json!({"verdict": "not-enough-evidence"}));
    let gate = calc("regression_gate", &json!({"newly_right": 0, "newly_wrong": 0, "n": 0})).unwrap();
    assert_eq!(gate, json!({"verdict": "inconclusive"}));
    let ranks = calc("quantile_ranks", &json!({"n": 0, "q": 0.95})).unwrap();
    assert!(ranks.as_object().unwrap().values().all(Value::is_null));
    let unproven = calc("non_inferiority", &json!({"wins": 0, "losses": 0, "n": 0, "margin": 0.02})).unwrap();
    assert_eq!(unproven, json!({"lo": -1.0, "hi": 1.0, "p_ni": 1.0}));
    let fieller = calc("cost_per_correct_fieller", &json!({"cost": [], "correct": []})).unwrap();
    assert_eq!(fieller, json!({"ratio": null, "lo": null, "hi": null, "bounded": false}));
    assert!(calc("evalue_discordant", &json!({"wins": 1e12, "losses": 0})).unwrap()["e"].as_f64().unwrap() > 1e308);
    let broken = calc("ladder", &json!({"data": "one cluster", "triggers": object(&triggers("clear"))})).unwrap();
    assert_eq!(broken, json!({"verdict": "not-enough-evidence", "rule": "L1_no_usable_data"}));
}

fn triggers(state: &str) -> Value {
    json!({"T1": state, "T2": state, "T3": state, "T4": state, "T5": state})
}

/// Values of every kind, the hostile among them.
fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        4 => (0_u32..20).prop_map(|n| json!(n)),
        4 => (0.0_f64..1.0).prop_map(|n| json!(n)),
        2 => (0.0_f64..500.0).prop_map(|n| json!(n)),
        1 => prop::sample::select(vec![-1.0, -0.0, 1e-300, 5e-324, 1e-17, 0.999_999_999_999, 1e9, 1e12, 1e300, f64::MAX])
            .prop_map(|n| json!(n)),
        1 => any::<i64>().prop_map(|n| json!(n)),
    ];
    let word = prop::sample::select(vec!["a", "ok", "midp", "clear", "FIRED", "not_tried", "yes", "é\u{7}"]);
    let leaf = prop_oneof![
        12 => number.clone(),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => word.prop_map(Value::from),
    ];
    let numbers = prop_oneof![
        prop::collection::vec((0.0_f64..=1.0).prop_map(|n| json!(n)), 0..8),
        prop::collection::vec((0_u32..2).prop_map(|n| json!(n)), 0..8),
        prop::collection::vec(leaf.clone(), 0..6),
    ];
    prop_oneof![
        6 => leaf,
        4 => numbers.prop_map(Value::Array),
        1 => Just(triggers("fired")),
        1 => Just(json!({"rag": "na", "lora": "pass"})),
    ]
}

/// Changes to a method's own example: half of its fields stay, so that formulas are reached.
fn changed() -> impl Strategy<Value = (&'static Method, Map<String, Value>)> {
    let method = (0..METHODS.len()).prop_map(|place| &METHODS[place]);
    let fields = prop::collection::vec(prop_oneof![1 => Just(None), 2 => value().prop_map(Some)], 8);
    (method, fields, any::<u8>()).prop_map(|(method, fields, kept)| {
        let mut input: Map<String, Value> = serde_json::from_str(method.example).unwrap();
        for (place, (field, value)) in method.inputs.iter().zip(fields).enumerate() {
            match value {
                Some(value) if kept >> place & 1 == 0 => drop(input.insert(field.name.into(), value)),
                None if kept >> place & 1 == 0 && field.default.is_some() => drop(input.remove(field.name)),
                _ => {}
            }
        }
        (method, input)
    })
}

/// Whether an answer is what its method promises: no null but a documented one, ends in order.
fn sound(method: &Method, answer: &Map<String, Value>) {
    for field in method.outputs {
        let value = &answer[field.name];
        assert!(!value.is_null() || field.what.contains("null"), "{} of {}", field.name, method.name);
    }
    let number = |name: &str| answer.get(name).and_then(Value::as_f64);
    if let (Some(low), Some(high)) = (number("lo"), number("hi")) {
        assert!(low <= high, "{}: {answer:?}", method.name);
        for point in ["mean", "theta", "ratio"].into_iter().filter_map(number) {
            let slack = 1e-9 * point.abs().max(1e-300);
            assert!(low - slack <= point && point <= high + slack, "{}: {answer:?}", method.name);
        }
    }
    for name in ["p", "p_ni", "exact", "midp", "asym", "power", "icc", "eps", "lam"] {
        assert!(number(name).is_none_or(|p| (0.0..=1.0).contains(&p)), "{}: {answer:?}", method.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_input_gives_an_answer_or_a_clear_error((method, input) in changed()) {
        match run(method.name, &input) {
            Ok(answer) => sound(method, &answer),
            Err(error) => prop_assert!(error.to_string().contains('`') || matches!(error, CalcError::Stats(_))),
        }
    }

    #[test]
    fn intervals_of_rates_contain_the_rate(n in 1e-6_f64..1e7, share in 0.0_f64..=1.0, alpha in 1e-9_f64..0.4) {
        let x = share * n;
        for name in ["wilson", "clopper_pearson_one_sided", "cs_bernoulli"] {
            let got = calc(name, &json!({"x": x, "n": n, "alpha": alpha})).unwrap();
            let (low, high) = (got["lo"].as_f64().unwrap(), got["hi"].as_f64().unwrap());
            let slack = 1e-12;
            prop_assert!(low <= share + slack && share <= high + slack && low >= 0.0 && high <= 1.0, "{name}: {got}");
        }
    }
}
