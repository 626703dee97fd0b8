use super::*;
use crate::plan::cost::{Month, Quote, UsdSpan};
use crate::plan::needs::{ceiling_test_of, undecided};
use crate::plan::preview::{Earlier, ProviderTime, Requests, TimePreview, Total, Warning};
use crate::plan::size::{Beliefs, Sample, Supply, Wanted, need, reach};
use crate::plan::time::{Binds, Seconds};
use crate::plan::tokens::Span;
use crate::provider::EndpointId;
use crate::units::Usd;

fn dollars(low: f64, likely: f64, high: Option<f64>) -> Quote {
    let usd = |usd| Usd::from_f64(usd).unwrap();
    Quote { usd: Some(UsdSpan(Span { low: usd(low), likely: Some(usd(likely)), high: high.map(usd) })), note: None }
}

fn variant(name: &str, cached: bool) -> VariantPreview {
    VariantPreview {
        variant: VariantId(name.to_owned()),
        endpoint: EndpointId::parse("anthropic/claude-haiku-4-5").unwrap(),
        billing: Billing::Tokens,
        requests: 300,
        known: 20,
        to_ask: 280,
        not_recorded: 0,
        input_tokens: Span { low: 3_264.0, likely: Some(4_671.0), high: Some(8_176.0) },
        output_tokens: Span { low: 0.0, likely: Some(11.0), high: Some(64.0) },
        tokens_measured_on: None,
        cached,
        cost_without_cache: dollars(0.92, 1.32, Some(2.38)),
        cost_with_cache: dollars(0.15, 0.16, Some(2.95)),
        cost_by_batch: Quote::unknown("no batch price is known"),
        worst_case: Usd::from_f64(9.62),
        cache_effect: cached.then_some(CacheEffect {
            prefix_tokens: Span { low: 3_250.0, likely: Some(4_651.0), high: Some(8_141.0) },
            min_tokens: Some(4_096),
            prefix_share: 0.996,
            input_share: 0.988,
            factor_hit: 0.114,
            factor_miss: 1.246,
            pays_from_hit_rate: Some(0.217),
        }),
        month: Some(Month {
            requests: (500_000, 2_000_000),
            usd: dollars(269.95, 674.88, None).usd.unwrap(),
            in_budget: Some(InBudget::Open),
        }),
        hardware: None,
        seconds: Some(Seconds { low: 0.5, high: 5.0 }),
        seconds_measured: false,
    }
}

fn preview() -> Preview {
    let variants = vec![variant("haiku", false), variant("haiku-cached", true)];
    let sample = Sample { examples: 300, cluster_sizes: vec![3; 100], repeats: 1 };
    let beliefs = Beliefs {
        alpha: 0.05,
        delta_min: 0.02,
        margin: 0.02,
        accuracy: Some(0.9),
        discordance: Some(0.149),
        icc: Some(0.31),
    };
    let reach = reach(&sample, &beliefs);
    let supply = Supply::of(&sample, &reach);
    let expected = Some((0.931, "`haiku` in run triage-4".to_owned()));
    let needs = vec![
        need(Wanted::Accuracy, 0.9, supply, expected, 0.05),
        need(Wanted::SchemaValidity, 0.999, supply, None, 0.05),
    ];
    let ceiling_test = ceiling_test_of(3, &beliefs);
    Preview {
        suite: "triage".to_owned(),
        requests: Requests {
            examples: 300,
            clusters: 100,
            repeats: 1,
            pool: 60,
            rendered: 300,
            total: 600,
            known: 40,
            to_ask: 560,
        },
        earlier: Some(Earlier {
            run: "triage-4".to_owned(),
            variants: 2,
            best: Some((VariantId("haiku".to_owned()), 0.931)),
            validity: None,
            discordance: Some(0.149),
            pairs: 1,
            icc: Some(0.31),
        }),
        total: Total::of(&variants, &[]),
        variants,
        vectors: vec![],
        time: TimePreview {
            providers: vec![ProviderTime {
                provider: "anthropic".to_owned(),
                requests: 560,
                concurrency: 8,
                requests_per_minute: Some(500),
                tokens_per_minute: None,
                seconds: Seconds { low: 67.2, high: 350.0 },
                binds_low: Binds::RequestsPerMinute,
                binds_high: Binds::Concurrency,
            }],
            seconds: Some(Seconds { low: 67.2, high: 350.0 }),
            by_variant: false,
        },
        undecided: undecided(&reach, &needs, &ceiling_test),
        reach,
        ceiling_test,
        needs,
        warnings: vec![Warning {
            code: "suite/short-prefix".to_owned(),
            message: "a \u{1b}[31mred\u{1b}[0m warning".to_owned(),
        }],
    }
}

#[test]
fn a_narrow_terminal_reads_every_figure() {
    let text = render(&preview(), 80);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!text.contains('\u{1b}'), "a warning is text");
    insta::assert_snapshot!("narrow", text);
}

#[test]
fn a_wide_one_has_one_table_of_costs() {
    let text = render(&preview(), 200);
    assert!(text.lines().any(|line| line.contains("tokens in") && line.contains("$ at worst")), "{text}");
}
