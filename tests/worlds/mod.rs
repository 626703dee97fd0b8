//! Simulated worlds with a known truth, to see how often what `ceiling` says is right.
//!
//! A [`World`] is what nobody sees in practice: how good each variant really is, what one more prompt
//! would bring, what the labels are worth. [`observe`] measures it as a run would, the ladder decides
//! on that, and [`truth`] knows the answer. A family of worlds shares a description; one seed a world
//! makes every world one that can be looked at again by its number.

pub(crate) mod bounds;
pub(crate) mod coverage;
pub(crate) mod draw;
pub(crate) mod families;
pub(crate) mod gate;
pub(crate) mod looks;
pub(crate) mod observe;
pub(crate) mod page;
pub(crate) mod power;
pub(crate) mod rounds;
pub(crate) mod rungs;
pub(crate) mod tally;
pub(crate) mod truth;

use ceiling::provider::EndpointId;
use ceiling::suite::{Economics, LabelAudit, Range, Statistics, Targets};
use ceiling::variant::{
    PromptCache, Retrieve, RetrieveFrom, Select, Shots, Structured, Tuning, TuningMethod, Variant, VariantId,
};
use draw::Draw;

/// The accuracy that the worlds ask for.
pub(crate) const TARGET: f64 = 0.9;

/// What an arm adds to its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    Nothing,
    Shots,
    Schema,
    SchemaAndShots,
    Cache,
    Documents,
    Tuning(TuningMethod),
}

/// One way of answering, with what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    pub(crate) name: String,
    /// Its prompt's round; tuned arms have none.
    pub(crate) round: u32,
    pub(crate) adds: Adds,
    /// The share of inputs that it answers right.
    pub(crate) accuracy: f64,
    /// The share of answers that the schema accepts.
    pub(crate) validity: f64,
    /// The share of answers whose first token comes after the limit.
    pub(crate) late: f64,
    /// Mean cost of a request in USD.
    pub(crate) cost_usd: f64,
    /// The share of answers that never come, for reasons that are not the model's.
    pub(crate) missing: f64,
    pub(crate) self_hosted: bool,
    /// Whether the user measured it; what was not measured still counts in the truth.
    pub(crate) measured: bool,
}

impl Arm {
    /// A prompt of this round.
    pub(crate) fn prompt(round: u32, accuracy: f64) -> Self {
        Self {
            name: format!("v{round}"),
            round,
            adds: Adds::Nothing,
            accuracy,
            validity: 1.0,
            late: 0.01,
            cost_usd: 0.002,
            missing: 0.0,
            self_hosted: false,
            measured: true,
        }
    }

    /// This arm with one thing added.
    pub(crate) fn with(&self, name: &str, adds: Adds) -> Self {
        Self { name: name.to_owned(), adds, ..self.clone() }
    }

    pub(crate) fn is_tuned(&self) -> bool {
        matches!(self.adds, Adds::Tuning(_))
    }

    /// The variant as a suite would declare it.
    pub(crate) fn variant(&self) -> Variant {
        let model = if self.is_tuned() { &self.name } else { "small" };
        let schema = matches!(self.adds, Adds::Schema | Adds::SchemaAndShots);
        let shots = matches!(self.adds, Adds::Shots | Adds::SchemaAndShots);
        Variant {
            id: VariantId(self.name.clone()),
            endpoint: EndpointId::parse(&format!("house/{model}")).unwrap(),
            prompt: self.round as usize,
            shots: shots.then_some(Shots { k: 5, select: Select::Balanced, seed: 7 }),
            structured: if schema { Structured::JsonSchema } else { Structured::Text },
            cache: (self.adds == Adds::Cache).then(PromptCache::default),
            retrieve: (self.adds == Adds::Documents).then_some(Retrieve { k: 4, from: RetrieveFrom::Bm25 }),
            tuned: match self.adds {
                Adds::Tuning(method) => Some(Tuning { method, training_examples: None, base: None, retires: None }),
                _ => None,
            },
            params: serde_json::Map::new(),
        }
    }
}

/// What is true, and what is asked.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Examples in the test set.
    pub(crate) n: usize,
    /// Into how many clusters they fall; `None`: each is its own.
    pub(crate) groups: Option<usize>,
    /// Correlation of the latent difficulty within a cluster.
    pub(crate) icc: f64,
    pub(crate) repeats: u32,
    /// Correlation between what two arms find hard: near 1, they fail on the same examples.
    pub(crate) alike: f64,
    /// Correlation of the times of answers that were sent in the same minute.
    pub(crate) slow_minutes: f64,
    /// Spread of the logarithm of a request's cost.
    pub(crate) cost_sigma: f64,
    /// The share of labels that are wrong.
    pub(crate) label_error: f64,
    pub(crate) audit: Option<LabelAudit>,
    pub(crate) targets: Targets,
    pub(crate) economics: Option<Economics>,
    pub(crate) impossible: Vec<String>,
    pub(crate) incumbent: Option<VariantId>,
    pub(crate) statistics: Statistics,
    pub(crate) arms: Vec<Arm>,
    /// What the next prompt would reach.
    pub(crate) next_round: Option<f64>,
}

impl World {
    /// Prompts of these accuracies, asked for [`TARGET`], with clean labels that were audited.
    pub(crate) fn of_prompts(n: usize, accuracies: &[f64], draw: &mut Draw) -> Self {
        let arms = accuracies.iter().zip(1..).map(|(accuracy, round)| Arm::prompt(round, *accuracy)).collect();
        Self {
            n,
            groups: None,
            icc: 0.0,
            repeats: 1,
            alike: draw.between(0.6, 0.98),
            slow_minutes: 0.0,
            cost_sigma: 0.4,
            label_error: 0.0,
            audit: Some(LabelAudit { checked: 600, wrong: 0 }),
            targets: Targets { accuracy: Some(TARGET), monthly_requests: Some(1_000_000), ..Targets::default() },
            economics: None,
            // Otherwise no ceiling is called before few-shot was measured.
            impossible: vec!["few-shot".to_owned()],
            incumbent: None,
            statistics: Statistics::default(),
            arms,
            next_round: None,
        }
    }

    /// The prompt in use by default: the last round without additions.
    pub(crate) fn last(&self) -> &Arm {
        let plain = |arm: &&Arm| arm.adds == Adds::Nothing;
        self.arms.iter().filter(plain).max_by_key(|arm| arm.round).unwrap()
    }

    /// The best prompt without additions that was measured.
    pub(crate) fn best_round(&self) -> f64 {
        let plain = self.arms.iter().filter(|arm| arm.adds == Adds::Nothing && arm.measured);
        plain.map(|arm| arm.accuracy).fold(0.0, f64::max)
    }

    /// Adds an arm.
    pub(crate) fn and(mut self, arm: Arm) -> Self {
        self.arms.push(arm);
        self
    }

    /// Everything but the statistics speaks for training: a tuned model that is really better, faster,
    /// cheaper and always valid was measured, pays back, and the steps before it are ruled out.
    pub(crate) fn tempted(mut self) -> Self {
        let best = self.arms.iter().map(|arm| arm.accuracy).fold(0.0, f64::max);
        let tuned = Arm {
            accuracy: (best + 0.05).min(0.995),
            cost_usd: 0.0002,
            ..self.last().with("lora", Adds::Tuning(TuningMethod::Lora))
        };
        self.arms.push(Arm { validity: 1.0, late: 0.005, missing: 0.0, ..tuned });
        self.economics = Some(ECONOMICS);
        for rung in ["rag", "dpo"] {
            self.impossible.push(rung.to_owned());
        }
        self
    }
}

/// $5,000 to $15,000 once, within a year.
pub(crate) const ECONOMICS: Economics = Economics {
    training_usd: Range { low: 2_000.0, high: 5_000.0 },
    labelling_usd: Range { low: 3_000.0, high: 10_000.0 },
    upkeep_usd_per_month: Range { low: 0.0, high: 0.0 },
    horizon_months: 12.0,
    value_per_error_usd: None,
    requests_per_month: None,
};
