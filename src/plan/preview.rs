//! What a run would come to, whole: what `ceiling plan` prints.

use serde::{Serialize, Serializer};

use super::cost::{CacheEffect, Hardware, Month, Quote, UsdSpan};
use super::size::{Need, Reach};
use super::time::{Binds, Seconds};
use super::tokens::Span;
use crate::provider::EndpointId;
use crate::units::Usd;
use crate::variant::VariantId;

/// Everything that is said of a suite before it is run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The suite's name.
    pub suite: String,
    /// How much is asked.
    pub requests: Requests,
    /// What the store knows of earlier.
    pub earlier: Option<Earlier>,
    /// The variants, in the suite's order.
    pub variants: Vec<VariantPreview>,
    /// Vectors that are bought before anything is asked.
    pub vectors: Vec<VectorsPreview>,
    /// All variants and vectors together.
    pub total: Total,
    /// How long it takes.
    pub time: TimePreview,
    /// What the examples can show.
    pub reach: Reach,
    /// What the ceiling test needs.
    pub ceiling_test: CeilingTest,
    /// What each target needs.
    pub needs: Vec<Need>,
    /// What no run of these examples can settle, whatever the answers.
    pub undecided: Vec<String>,
    /// What `check` warns of, in short.
    pub warnings: Vec<Warning>,
}

/// A warning of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its code.
    pub code: String,
    /// What it says.
    pub message: String,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Requests {
    /// Examples.
    pub examples: u64,
    /// Independent units among them.
    pub clusters: u64,
    /// How often each example is asked of each variant.
    pub repeats: u32,
    /// Rows that few-shot may draw from.
    pub pool: u64,
    /// Examples whose requests were rendered; fewer than all are a random sample.
    pub rendered: u64,
    /// Requests of all variants.
    pub total: u64,
    /// Of these, answered in the store already: not asked again.
    pub known: u64,
    /// Requests to send or to take from the recording.
    pub to_ask: u64,
}

/// What earlier answers in the store say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Earlier {
    /// The run.
    pub run: String,
    /// Variants of this plan that it measured.
    pub variants: u64,
    /// The variant that others are compared with, and its accuracy.
    pub best: Option<(VariantId, f64)>,
    /// The same variant's share of valid answers.
    pub validity: Option<f64>,
    /// Share of examples on which two variants differ: upper limit of the median pair.
    pub discordance: Option<f64>,
    /// Pairs of variants behind it.
    pub pairs: u64,
    /// Likeness within clusters: the median of the variants.
    pub icc: Option<f64>,
}

/// Who is paid for the answers, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Billing {
    /// By the token.
    Tokens,
    /// By the hour of hardware.
    Hardware,
    /// Nobody: the answers are recorded.
    Recorded,
    /// Nothing is known.
    Unknown,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantPreview {
    /// Its name.
    pub variant: VariantId,
    /// Who is asked.
    pub endpoint: EndpointId,
    /// How it is paid.
    pub billing: Billing,
    /// Requests.
    pub requests: u64,
    /// Of these, answered in the store already.
    pub known: u64,
    /// Of these, to be asked.
    pub to_ask: u64,
    /// Requests that the recording does not know, for a recorded variant.
    pub not_recorded: u64,
    /// Prompt tokens of a request.
    pub input_tokens: Span<f64>,
    /// Generated tokens of a request.
    pub output_tokens: Span<f64>,
    /// Answers whose reported usage the tokens rest on; `None`: estimated from the text.
    pub tokens_measured_on: Option<u64>,
    /// Whether the variant asks for the prompt cache.
    pub cached: bool,
    /// USD of what is to be asked, without a prompt cache.
    pub cost_without_cache: Quote,
    /// The same with the prompt cache.
    pub cost_with_cache: Quote,
    /// The same through the batch API, without the prompt cache.
    pub cost_by_batch: Quote,
    /// What `--max-cost` would set aside for all of it; `None` where nothing bounds it.
    #[serde(rename = "worst_case_usd", serialize_with = "dollars")]
    pub worst_case: Option<Usd>,
    /// How the cache changes the cost of a request.
    pub cache_effect: Option<CacheEffect>,
    /// A month of the product.
    pub month: Option<Month>,
    /// What must be measured first, for a model that is paid by the hour.
    pub hardware: Option<Hardware>,
    /// Seconds of a request; `None` for recorded answers.
    pub seconds: Option<Seconds>,
    /// Whether they were measured.
    pub seconds_measured: bool,
}

impl VariantPreview {
    /// The cost of what is to be asked, as the suite has it.
    pub fn cost(&self) -> &Quote {
        if self.cached { &self.cost_with_cache } else { &self.cost_without_cache }
    }
}

/// Vectors that retrieval needs and the store lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VectorsPreview {
    /// Who makes them.
    pub endpoint: EndpointId,
    /// Texts without one.
    pub texts: u64,
    /// Their tokens.
    pub tokens: Span<u64>,
    /// What they cost.
    pub cost: Quote,
}

/// A sum over the variants whose cost is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sum {
    /// USD of those.
    pub usd: UsdSpan,
    /// Variants whose cost is not known and not in it.
    pub without: Vec<VariantId>,
}

/// All variants together, and the vectors that they need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// As the suite has it: with the prompt cache where a variant asks for it.
    pub as_written: Sum,
    /// All without the prompt cache.
    pub without_cache: Sum,
    /// All with the prompt cache.
    pub with_cache: Sum,
    /// All through batch APIs.
    pub by_batch: Sum,
    /// What `--max-cost` would set aside for all; `None` where nothing bounds it.
    #[serde(rename = "worst_case_usd", serialize_with = "dollars")]
    pub worst_case: Option<Usd>,
}

impl Total {
    /// The sums.
    pub fn of(variants: &[VariantPreview], vectors: &[VectorsPreview]) -> Self {
        let bought = vectors.iter().filter_map(|vectors| vectors.cost.usd).fold(UsdSpan::ZERO, UsdSpan::plus);
        let sum = |cost: fn(&VariantPreview) -> &Quote| {
            let mut sum = Sum { usd: bought, without: Vec::new() };
            for variant in variants {
                match cost(variant).usd {
                    Some(usd) => sum.usd = sum.usd.plus(usd),
                    None => sum.without.push(variant.variant.clone()),
                }
            }
            sum
        };
        let bounded = vectors.iter().map(|vectors| vectors.cost.usd?.0.high).sum::<Option<Usd>>();
        Self {
            as_written: sum(VariantPreview::cost),
            without_cache: sum(|variant| &variant.cost_without_cache),
            with_cache: sum(|variant| &variant.cost_with_cache),
            by_batch: sum(|variant| &variant.cost_by_batch),
            worst_case: variants.iter().map(|variant| variant.worst_case).chain([bounded]).sum(),
        }
    }
}

/// How long one provider's requests take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderTime {
    /// The provider.
    pub provider: String,
    /// Requests to it.
    pub requests: u64,
    /// Most requests at once.
    pub concurrency: u32,
    /// Most requests a minute, if limited.
    pub requests_per_minute: Option<u32>,
    /// Most tokens a minute, if limited.
    pub tokens_per_minute: Option<u32>,
    /// Wall time.
    pub seconds: Seconds,
    /// What decides at the low end.
    pub binds_low: Binds,
    /// What decides at the high end.
    pub binds_high: Binds,
}

/// How long a run takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimePreview {
    /// By live provider.
    pub providers: Vec<ProviderTime>,
    /// All of them; `None` where nothing is sent.
    pub seconds: Option<Seconds>,
    /// Whether each variant is asked whole before the next one.
    pub by_variant: bool,
}

/// What the ceiling test needs in each of its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CeilingTest {
    /// The gain that must be excluded.
    pub delta_min: f64,
    /// Examples that it takes, at the stated or usual discordance.
    pub n: Option<u64>,
    /// Prompt rounds of untuned variants.
    pub rounds: u32,
    /// Rounds that it takes.
    pub rounds_needed: u32,
}

fn dollars<S: Serializer>(usd: &Option<Usd>, to: S) -> Result<S::Ok, S::Error> {
    usd.map(Usd::as_f64).serialize(to)
}
