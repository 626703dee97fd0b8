//! The exact scaling of prices, and a provider against a small table.

use super::*;
use crate::provider::load;
use proptest::prelude::*;

fn micro(text: &str) -> u64 {
    per_million(text).unwrap().as_micro()
}

#[test]
fn a_price_per_token_becomes_one_per_million_without_dust() {
    assert_eq!(per_million("3e-07").unwrap().to_string(), "0.3");
    assert_eq!(per_million("1.25e-05").unwrap().to_string(), "12.5");
    assert_eq!(per_million("0.00001").unwrap().to_string(), "10.0");
    assert_eq!(per_million("5E-9").unwrap().to_string(), "0.005");
    assert_eq!(micro("0"), 0);
    assert_eq!(micro("0.0e-7"), 0);
    // Finer than a micro-dollar: half up.
    assert_eq!(micro("1.5e-12"), 2);
    assert_eq!(micro("1.49e-12"), 1);
    assert_eq!(micro("1e-400"), 0);
    assert_eq!(micro("0.000000299999999999999999999999999999999999999"), 300_000);
}

#[test]
fn what_is_no_price_is_said() {
    assert_eq!(per_million("-1e-6"), Err("is negative"));
    assert_eq!(per_million("\"3e-7\""), Err("is not a number"));
    assert_eq!(per_million("[1]"), Err("is not a number"));
    assert_eq!(per_million("1e9"), Err("is too large for a price"));
    assert_eq!(per_million("1e99999999999999999999"), Err("is too large for a price"));
    assert_eq!(per_million("1e4000"), Err("is too large for a price"));
}

proptest! {
    #[test]
    fn any_text_of_a_number_is_read_or_refused(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][-+]?[0-9]{1,25})?") {
        let _ = per_million(&text);
    }

    #[test]
    fn what_is_written_is_read_again(micro in 0_u64..1_000_000_000_000) {
        let rate = UsdPerMillionTokens::from_micro(micro).unwrap();
        prop_assert_eq!(per_million(&format!("{rate}e-6")).unwrap(), rate);
    }
}

fn compared(rows: &str) -> Result<Comparison, Diagnostics> {
    let source = Source::new("table.json", rows);
    let providers = load::load(&[]).unwrap();
    PriceTable::parse(&source).map_err(|fault| Diagnostics::from(*fault))?.compare(providers.get("anthropic").unwrap())
}

#[test]
fn only_what_differs_changes_and_what_the_table_does_not_say_stays() {
    let row = r#"{"claude-haiku-5-5": {"litellm_provider": "anthropic", "input_cost_per_token": 2e-07,
        "output_cost_per_token": 5e-07, "cache_creation_input_token_cost": 0.0, "max_output_tokens": 128000.0,
        "input_cost_per_token_above_100k_tokens": 5e-07, "supports_sampling_params": null}}"#;
    let found = compared(row).unwrap();
    let changed = &found.changed[0];
    assert_eq!(changed.name, "claude-haiku-5-5");
    let change = Change { field: "input", old: Some("0.1".into()), new: "0.2".into() };
    assert_eq!(changed.changes, [change]);
    let price = changed.model.price.unwrap();
    assert_eq!(price.cache_write_5m.unwrap().to_string(), "0.125");
    assert_eq!(price.long_prompt.unwrap().output.unwrap().to_string(), "2.5");
    assert_eq!(changed.model.facts.sampling, Some(false));
    assert!(found.absent.contains(&"claude-opus-5".to_owned()) && found.same.is_empty());
}

#[test]
fn a_row_of_another_host_is_not_taken() {
    let found =
        compared(r#"{"claude-opus-5": {"litellm_provider": "vertex_ai", "input_cost_per_token": 1e-9}}"#).unwrap();
    assert!(found.changed.is_empty());
}

#[test]
fn every_wrong_value_is_named() {
    let row = r#"{"claude-opus-5": {"litellm_provider": "anthropic", "input_cost_per_token": -1e-6,
        "output_cost_per_token": "free", "max_input_tokens": 1.5, "supports_sampling_params": "no",
        "deprecation_date": "soon\u001b[31m"}, "other": {"input_cost_per_token": -1}}"#;
    let faults = compared(row).unwrap_err();
    let said: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "`claude-opus-5`: `input_cost_per_token` is negative: -1e-6",
            "`claude-opus-5`: `output_cost_per_token` is not a number: \"free\"",
            "`claude-opus-5`: `max_input_tokens` is not a whole number: 1.5",
            "`claude-opus-5`: `supports_sampling_params` is not true or false: \"no\"",
            "`claude-opus-5`: `deprecation_date` is not a day (YYYY-MM-DD): soon[31m",
        ]
    );
}

#[test]
fn what_is_no_table_has_its_place() {
    for text in ["", "[]", "<html>", "{\"a\": "] {
        let fault = compared(text).unwrap_err().into_iter().next().unwrap();
        assert_eq!(fault.code, "provider/bad-price-list", "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(compared(&format!("{{\"claude-opus-5\": {deep}")).is_err());
}
