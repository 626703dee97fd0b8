//! An evidence file's variants: as written, then as the ladder compares them.

use serde_json::Map;
use toml::Spanned;

use super::outcomes::{Examples, Outcomes};
use super::{CONTRADICTION, FAMILY, GivenRate, GivenTimes, GivenVariant, latency, stated_cost};
use crate::diagnostic::Diagnostic;
use crate::document::Section;
use crate::provider::EndpointId;
use crate::stats::cost::CacheShares;
use crate::suite::{Range, Targets};
use crate::text::one_line;
use crate::variant::{
    PromptCache, Retrieve, RetrieveFrom, Select, Shots, Structured, Tuning, TuningMethod, Variant, VariantId,
};

/// What a variant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prompt,
    FewShot,
    Schema,
    Cached,
    Rag,
    Tuned,
}

const KINDS: &[(&str, Kind)] = &[
    ("prompt", Kind::Prompt),
    ("few-shot", Kind::FewShot),
    ("schema", Kind::Schema),
    ("cached", Kind::Cached),
    ("rag", Kind::Rag),
    ("tuned", Kind::Tuned),
];

const METHODS: &[(&str, TuningMethod)] = &[
    ("lora", TuningMethod::Lora),
    ("distilled", TuningMethod::Distilled),
    ("dpo", TuningMethod::Dpo),
    ("full", TuningMethod::Full),
];

/// Interventions by name, as `interventions` lists them.
const INTERVENTIONS: &[(&str, Kind)] =
    &[("few-shot", Kind::FewShot), ("schema", Kind::Schema), ("cache", Kind::Cached), ("retrieval", Kind::Rag)];

/// Examples in a few-shot prompt that does not say how many.
const USUAL_SHOTS: u32 = 5;

/// One variant as written.
pub(super) struct RawGiven {
    name: Spanned<String>,
    kind: Kind,
    round: Option<u32>,
    k: Option<u32>,
    method: TuningMethod,
    interventions: Option<Vec<Kind>>,
    model: Option<EndpointId>,
    self_hosted: bool,
    retires: Option<String>,
    training_examples: Option<u64>,
    outcomes: Option<Outcomes>,
    accuracy: Option<(f64, u64)>,
    validity: Option<(f64, u64)>,
    n: u64,
    missing: u64,
    ttft: Times,
    cost: Option<Range>,
    caching: Option<CacheShares>,
}

enum Times {
    Unknown,
    Samples(Vec<f64>),
    OverLimit(u64, u64),
}

impl RawGiven {
    pub(super) fn read(section: Section<'_>, targets: &Targets) -> Option<Self> {
        let name = section.required("name", section.text("name")).filter(|name| is_plain(&section, name));
        let kind = section.required("kind", section.choice("kind", KINDS)).map(Spanned::into_inner);
        let method = section.choice("method", METHODS).map(Spanned::into_inner);
        if kind == Some(Kind::Tuned) {
            section.required("method", method);
        }
        let n = count(&section, "n", 1).map(Spanned::into_inner);
        let validity_n = count(&section, "validity_n", 1).map(Spanned::into_inner).or(n);
        let model = section.text("model").filter(|model| is_plain(&section, model)).map(Spanned::into_inner);
        let named = |model: String| EndpointId::parse(&model).unwrap_or_else(|| stated(&model));
        let interventions = section
            .has("interventions")
            .then(|| section.choices("interventions", INTERVENTIONS).into_iter().map(Spanned::into_inner).collect());
        let raw = Self {
            kind: kind.unwrap_or(Kind::Prompt),
            round: section.whole_u32("round", 1),
            k: section.whole_u32("k", 1),
            method: method.unwrap_or(TuningMethod::Lora),
            interventions,
            model: model.map(named),
            self_hosted: section.flag("self_hosted").unwrap_or(false),
            retires: section.day("retires"),
            training_examples: section.whole("training_examples", 1).map(Spanned::into_inner),
            outcomes: read_outcomes(&section),
            accuracy: read_rate(&section, ("right", "accuracy"), n, "n"),
            validity: read_rate(&section, ("valid", "schema_validity"), validity_n, "n` or `validity_n"),
            n: n.unwrap_or(0),
            missing: count(&section, "missing", 0).map_or(0, Spanned::into_inner),
            ttft: read_times(&section, targets),
            cost: read_cost(&section),
            caching: section.section("caching").and_then(read_caching),
            name: name.unwrap_or_else(|| Spanned::new(0..0, String::new())),
        };
        raw.refuse_both(&section);
        section.finish();
        (kind.is_some() && !raw.name.get_ref().is_empty()).then_some(raw)
    }
}

/// More answers than anybody measures.
const MOST: u64 = 1_000_000_000_000;
/// Characters of a name.
const LONGEST_NAME: usize = 120;

/// A count that sums of counts can hold.
pub(super) fn count(section: &Section<'_>, key: &str, low: u64) -> Option<Spanned<u64>> {
    let count = section.whole(key, low)?;
    if *count.get_ref() <= MOST {
        return Some(count);
    }
    let message = format!("`{key}` is {}, expected at most {MOST}", count.get_ref());
    section.report(section.error(FAMILY.out_of_range, count.span(), message));
    None
}

/// Whether a name can be shown: names stand in terminals, where a control character could act.
fn is_plain(section: &Section<'_>, name: &Spanned<String>) -> bool {
    let text = name.get_ref();
    let plain =
        !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME && one_line(text, LONGEST_NAME) == *text;
    if !plain {
        let message = format!("a name is one line of up to {LONGEST_NAME} characters, without control characters");
        section.report(section.error(FAMILY.wrong_type, name.span(), message));
    }
    plain
}

/// A model by a name that has no provider.
fn stated(model: &str) -> EndpointId {
    EndpointId { provider: "stated".to_owned(), model: model.to_owned() }
}

impl RawGiven {
    /// Outcomes by example say how many were right: a count beside them may say otherwise.
    fn refuse_both(&self, section: &Section<'_>) {
        let Some(outcomes) = &self.outcomes else { return };
        let of = |key: [&'static str; 2], stated: bool, known: bool| (key, stated && known);
        let scored = outcomes.rows.iter().any(|row| row.score.is_some());
        let judged = outcomes.rows.iter().any(|row| row.valid.is_some());
        let both = [
            of(["right", "accuracy"], self.accuracy.is_some(), scored),
            of(["valid", "schema_validity"], self.validity.is_some(), judged),
        ];
        for (keys, _) in both.into_iter().filter(|(_, both)| *both) {
            let span = keys.iter().find_map(|key| section.key_span(key)).unwrap_or_else(|| section.span());
            let message = format!("`outcomes` and `{}` state the same thing; leave one out", keys.join("` or `"));
            section.report(section.error(CONTRADICTION, span, message));
        }
    }
}

fn read_outcomes(section: &Section<'_>) -> Option<Outcomes> {
    let list = section.json("outcomes")?;
    match Outcomes::read(list.get_ref()) {
        Ok(outcomes) => Some(outcomes),
        Err(why) => {
            section.report(section.error(FAMILY.wrong_type, list.span(), format!("`outcomes`: {why}")));
            None
        }
    }
}

/// A count or a share of `n`. A share without n says nothing of its uncertainty, and stays unknown.
fn read_rate(section: &Section<'_>, (count, share): (&str, &str), n: Option<u64>, of: &str) -> Option<(f64, u64)> {
    let counted = section.number(count);
    let shared = section.number_in(share, 0.0, 1.0);
    let key = if counted.is_some() { count } else { share };
    let span = section.key_span(key).unwrap_or_else(|| section.span());
    if counted.is_some() && shared.is_some() {
        let message = format!("both `{count}` and `{share}` are stated; leave one out");
        section.report(section.error(CONTRADICTION, span, message));
        return None;
    }
    let Some(n) = n.filter(|_| counted.is_some() || shared.is_some()) else {
        if counted.is_some() || shared.is_some() {
            let message = format!("`{key}` without `{of}` is not used: nothing is known of its uncertainty");
            let fault: Diagnostic = section.error(FAMILY.missing_key, span, message);
            section.report(fault.as_warning().help("state how many examples it rests on"));
        }
        return None;
    };
    let right = counted.map(Spanned::into_inner).or_else(|| shared.map(|share| share * n as f64))?;
    // A share of seven digits, such as 0.3107143 of 280, is a count; one of fewer stays what it is.
    let near = (1e-6 * n as f64).min(1e-3);
    let right = if shared.is_some() && (right - right.round()).abs() < near { right.round() } else { right };
    if !(0.0..=n as f64).contains(&right) {
        let message = format!("`{count}` is {right}, expected 0 to {n}");
        section.report(section.error(FAMILY.out_of_range, span, message));
        return None;
    }
    Some((right, n))
}

fn read_times(section: &Section<'_>, targets: &Targets) -> Times {
    let samples = section.items("ttft_ms", "a number of milliseconds, or a list of them", |value| {
        let number = value.as_float().map(|float| float.as_str().parse::<f64>());
        let whole = || value.as_integer().map(|whole| whole.as_str().parse::<f64>());
        number.or_else(whole)?.ok().filter(|ms| ms.is_finite() && *ms >= 0.0)
    });
    let samples: Vec<f64> = samples.into_iter().map(Spanned::into_inner).collect();
    let over = count(section, "ttft_over_limit", 0);
    let n = count(section, "ttft_n", 1);
    let at = |key: &str| section.key_span(key).unwrap_or_else(|| section.span());
    match (samples.is_empty(), over, n) {
        (false, None, None) => Times::Samples(samples),
        (true, None, None) => Times::Unknown,
        (true, Some(over), Some(n)) => {
            if targets.ttft_p95_ms.is_none() {
                let message = "`ttft_over_limit` needs `[targets] ttft_p95_ms`: the limit that it counts";
                section.report(section.error(FAMILY.missing_key, over.span(), message));
            }
            if over.get_ref() > n.get_ref() {
                let message = "`ttft_over_limit` is more than `ttft_n`";
                section.report(section.error(FAMILY.out_of_range, over.span(), message));
                return Times::Unknown;
            }
            Times::OverLimit(over.into_inner(), n.into_inner())
        }
        (true, ..) => {
            let message = "`ttft_over_limit` and `ttft_n` are stated together: answers over the limit, and answers";
            section.report(section.error(FAMILY.missing_key, at("ttft_over_limit"), message));
            Times::Unknown
        }
        (false, ..) => {
            let message = "both `ttft_ms` and `ttft_over_limit` are stated; leave one out";
            section.report(section.error(CONTRADICTION, at("ttft_ms"), message));
            Times::Unknown
        }
    }
}

/// One figure, or the range within which it lies.
fn read_cost(section: &Section<'_>) -> Option<Range> {
    const KEY: &str = "usd_per_million_requests";
    if section.is_list(KEY) {
        return section.range(KEY).map(|(low, high)| Range { low, high });
    }
    section.number_in(KEY, 0.0, 1e15).map(|usd| Range { low: usd, high: usd })
}

fn read_caching(section: Section<'_>) -> Option<CacheShares> {
    let share = |key: &str| section.required(key, section.number_in(key, 0.0, 1.0));
    let input_share = share("input_share");
    let prefix_share = share("prefix_share");
    let shares = CacheShares {
        input_share: input_share.unwrap_or(1.0),
        prefix_share: prefix_share.unwrap_or(1.0),
        hit_rate: section.number_in("hit_rate", 0.0, 1.0).unwrap_or(1.0),
        read_multiplier: section.number_in("read_multiplier", 0.0, 10.0).unwrap_or(0.1),
        write_multiplier: section.number_in("write_multiplier", 0.0, 10.0).unwrap_or(1.25),
    };
    section.finish();
    (input_share.is_some() && prefix_share.is_some()).then_some(shares)
}

/// The variants as the ladder compares them. One that names no interventions is taken as the variant in
/// use plus its kind; `settings` are the design effect and alpha.
pub(super) fn build(
    root: &Section<'_>,
    raw: &[RawGiven],
    (incumbent, self_hosted): (Option<&Spanned<String>>, bool),
    settings: (f64, f64),
    examples: &mut Examples,
) -> Vec<GivenVariant> {
    let mut names: Vec<&str> = Vec::new();
    for given in raw {
        if names.contains(&given.name.get_ref().as_str()) {
            let message = format!("two variants are named `{}`", given.name.get_ref());
            root.report(root.error(CONTRADICTION, given.name.span(), message));
        }
        names.push(given.name.get_ref());
    }
    if let Some(named) = incumbent.filter(|named| !names.contains(&named.get_ref().as_str())) {
        let message = format!("no variant is named `{}`", named.get_ref());
        let fault = root.error(FAMILY.unknown_value, named.span(), message);
        root.report(fault.suggest(named.get_ref(), names.iter().copied()));
    }
    for outcomes in raw.iter().filter_map(|given| given.outcomes.as_ref()) {
        examples.add(outcomes);
    }
    let base = base(raw, incumbent.map(|name| name.get_ref().as_str()), self_hosted);
    raw.iter()
        .enumerate()
        .map(|(place, given)| {
            let round = round(raw, place);
            let variant = variant(given, round, base.as_ref().filter(|(at, _)| *at != place).map(|(_, base)| base));
            finish(given, variant, round, settings, examples)
        })
        .collect()
}

/// A prompt's round: as stated, else its place among the prompts that state none.
fn round(raw: &[RawGiven], place: usize) -> Option<u32> {
    let given = &raw[place];
    let counts = |given: &RawGiven| given.kind == Kind::Prompt;
    match given.round {
        Some(round) => Some(round),
        None if counts(given) => Some(raw[..=place].iter().filter(|given| counts(given)).count() as u32),
        None => None,
    }
}

/// The variant in use: as named, else the prompt of the last round; only what may serve the task.
fn base(raw: &[RawGiven], named: Option<&str>, self_hosted: bool) -> Option<(usize, Variant)> {
    let may_serve = |given: &RawGiven| given.self_hosted || !self_hosted;
    let by_name = raw.iter().position(|given| Some(given.name.get_ref().as_str()) == named && may_serve(given));
    let untuned = |place: &usize| matches!(raw[*place].kind, Kind::Prompt | Kind::FewShot) && may_serve(&raw[*place]);
    let last = || {
        (0..raw.len())
            .filter(untuned)
            .min_by_key(|&place| (std::cmp::Reverse(round(raw, place)), raw[place].kind != Kind::Prompt))
    };
    let place = by_name.or_else(last)?;
    Some((place, variant(&raw[place], round(raw, place), None)))
}

fn variant(given: &RawGiven, round: Option<u32>, base: Option<&Variant>) -> Variant {
    let mut interventions: Vec<Kind> = given.interventions.clone().unwrap_or_default();
    interventions.push(given.kind);
    // Plus its kind and nothing else, where it does not say otherwise.
    let start =
        base.filter(|_| given.interventions.is_none() && given.kind != Kind::Prompt && given.kind != Kind::Tuned);
    let mut built = start.cloned().unwrap_or_else(|| Variant {
        id: VariantId(String::new()),
        endpoint: given.model.clone().unwrap_or_else(|| stated("prompted")),
        prompt: base.map_or(0, |base| base.prompt),
        shots: None,
        structured: Structured::Text,
        cache: None,
        retrieve: None,
        tuned: None,
        params: Map::new(),
    });
    built.id = VariantId(given.name.get_ref().clone());
    if let Some(model) = &given.model {
        built.endpoint = model.clone();
    }
    if let Some(round) = round {
        built.prompt = round as usize;
    }
    for kind in interventions {
        match kind {
            Kind::Prompt => {}
            Kind::FewShot => {
                // Few-shot on a tuned model is a tuned variant, and stated as one.
                if given.kind == Kind::FewShot {
                    built.tuned = None;
                }
                let k = given.k.unwrap_or(USUAL_SHOTS);
                built.shots = Some(Shots { k, select: Select::Fixed, seed: 0 });
            }
            Kind::Schema => built.structured = Structured::JsonSchema,
            Kind::Cached => built.cache = Some(PromptCache::default()),
            Kind::Rag => built.retrieve = Some(Retrieve { k: 1, from: RetrieveFrom::Bm25 }),
            Kind::Tuned => {
                built.tuned = Some(Tuning {
                    method: given.method,
                    training_examples: given.training_examples,
                    base: None,
                    retires: given.retires.clone(),
                });
            }
        }
    }
    built
}

fn finish(
    given: &RawGiven,
    variant: Variant,
    round: Option<u32>,
    (design_effect, alpha): (f64, f64),
    examples: &Examples,
) -> GivenVariant {
    let counts = |rate: Option<(f64, u64)>| match rate {
        Some((right, n)) => GivenRate::Counts { right, n, n_eff: n as f64 / design_effect },
        None => GivenRate::Unknown,
    };
    let by_example = |of: fn(&super::outcomes::Outcome) -> Option<f32>| {
        let vector = examples.vector(given.outcomes.as_ref()?, of);
        vector.iter().any(Option::is_some).then(|| GivenRate::ByExample(vector.into()))
    };
    let answered = given.outcomes.as_ref().map_or(given.n, |outcomes| outcomes.rows.len() as u64);
    GivenVariant {
        round: round.filter(|_| variant.tuned.is_none()),
        self_hosted: given.self_hosted,
        retires: given.retires.as_ref().and_then(|day| day.parse().ok()),
        accuracy: by_example(|outcome| outcome.score).unwrap_or_else(|| counts(given.accuracy)),
        validity: by_example(|outcome| outcome.valid).unwrap_or_else(|| counts(given.validity)),
        asked: answered + given.missing,
        missing: given.missing,
        ttft: match &given.ttft {
            Times::Unknown => GivenTimes::Samples(Box::default()),
            Times::Samples(samples) => GivenTimes::Samples(Box::new(latency(samples.clone(), alpha))),
            Times::OverLimit(over, n) => GivenTimes::OverLimit { over: *over, n: *n },
        },
        per_request: given.cost.map(stated_cost),
        caching: given.caching,
        variant,
    }
}
