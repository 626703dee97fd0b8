//! suite.toml as written: every `Option` lives here, with its place where a later check needs it.

mod params;
mod score;
mod variants;

use std::collections::BTreeMap;

use toml::Spanned;

use super::examples::{FieldMap, Sample, Stratify};
use super::{Budget, Economics, GateRules, LabelAudit, ParseMode, Range, Statistics, Targets, Task};
use crate::document::{Document, Family, Section};
pub(super) use score::RawScore;
pub(super) use variants::{RawMatrix, RawRetrieve, RawShots, RawVariant};

pub(super) static FAMILY: Family = Family {
    syntax: "suite/syntax",
    unknown_key: "suite/unknown-key",
    missing_key: "suite/missing-key",
    wrong_type: "suite/wrong-type",
    unknown_value: "suite/unknown-value",
    out_of_range: "suite/out-of-range",
    not_yet: "suite/not-yet",
};

/// Repeats at most, as on the command line.
const MOST_REPEATS: u32 = 1000;

const TASKS: &[(&str, Task)] =
    &[("classification", Task::Classification), ("extraction", Task::Extraction), ("generation", Task::Generation)];

const PARSE_MODES: &[(&str, ParseMode)] =
    &[("strict", ParseMode::Strict), ("fenced", ParseMode::Fenced), ("lenient", ParseMode::Lenient)];

/// Steps that `[ladder] impossible` may name: the ladder's rungs, and few-shot.
pub(crate) const STEPS: &[(&str, &str)] = &[
    ("few-shot", "few-shot"),
    ("schema", "schema"),
    ("cache", "cache"),
    ("rag", "rag"),
    ("dpo", "dpo"),
    ("lora", "lora"),
    ("full", "full"),
];

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct RawSuite {
    pub(super) name: Option<String>,
    pub(super) description: String,
    pub(super) task: Option<Spanned<Task>>,
    pub(super) incumbent: Option<Spanned<String>>,
    pub(super) data: RawData,
    pub(super) output: RawOutput,
    pub(super) score: RawScore,
    /// Name and path, in file order.
    pub(super) prompts: Vec<(Spanned<String>, Spanned<String>)>,
    pub(super) variants: Vec<RawVariant>,
    pub(super) matrix: Option<RawMatrix>,
    pub(super) targets: Targets,
    pub(super) economics: Option<Economics>,
    pub(super) gate: GateRules,
    pub(super) statistics: Statistics,
    pub(super) budget: Budget,
    pub(super) impossible: Vec<String>,
}

/// `[data]`.
#[derive(Debug, Default)]
pub(super) struct RawData {
    pub(super) examples: Vec<Spanned<String>>,
    pub(super) pool: Vec<Spanned<String>>,
    pub(super) dev: Vec<Spanned<String>>,
    pub(super) documents: Vec<Spanned<String>>,
    pub(super) map: FieldMap,
    pub(super) sample: Option<Sample>,
    pub(super) repeats: Option<u32>,
    pub(super) audit: Option<LabelAudit>,
    /// Second labels.
    pub(super) annotations: Vec<Spanned<String>>,
    /// Causes of errors, labelled by hand.
    pub(super) error_classes: Option<Spanned<String>>,
    pub(super) allow_outside: bool,
}

/// `[output]`.
#[derive(Debug, Default)]
pub(super) struct RawOutput {
    pub(super) schema: Option<Spanned<String>>,
    pub(super) parse: ParseMode,
    pub(super) name: Option<String>,
    pub(super) score_invalid: bool,
    pub(super) stated_validity: bool,
}

impl RawSuite {
    /// Reads the file; faults stay in the document.
    pub(super) fn read(document: &Document<'_>) -> Self {
        let root = document.root();
        let mut raw = Self::default();
        raw.read_suite(&root);
        if let Some(section) = root.required("data", root.section("data")) {
            raw.data = read_data(section);
        }
        if let Some(section) = root.section("output") {
            raw.output = read_output(section);
        }
        if let Some(section) = root.required("score", root.section("score")) {
            raw.score = RawScore::read(section);
        }
        if let Some(section) = root.section("prompts") {
            for name in section.names() {
                if let Some(path) = section.text(name.get_ref()) {
                    raw.prompts.push((name, path));
                }
            }
        }
        raw.variants = root.sections("variants").into_iter().filter_map(RawVariant::read).collect();
        raw.matrix = root.section("matrix").map(RawMatrix::read);
        raw.read_aims(&root);
        root.not_yet(&["latency"]);
        root.finish();
        raw
    }

    fn read_suite(&mut self, root: &Section<'_>) {
        let Some(suite) = root.required("suite", root.section("suite")) else {
            return;
        };
        let name = suite.required("name", suite.text("name"));
        if let Some(name) = name.as_ref().filter(|name| !is_name(name.get_ref())) {
            let message = "the suite's name must be made of letters, digits, `-`, `_` and `.`";
            suite.report(suite.error("suite/bad-name", name.span(), message));
        }
        self.name = name.map(Spanned::into_inner);
        self.description = suite.text("description").map(Spanned::into_inner).unwrap_or_default();
        self.task = suite.required("task", suite.choice("task", TASKS));
        self.incumbent = suite.text("incumbent");
        suite.finish();
    }

    /// Targets, economics, gate, statistics, budget, ladder.
    fn read_aims(&mut self, root: &Section<'_>) {
        if let Some(section) = root.section("targets") {
            self.targets = read_targets(section);
        }
        self.economics = root.section("economics").map(read_economics);
        if let Some(section) = root.section("gate") {
            self.gate.margin = section.number_in("margin", 0.0, 1.0).unwrap_or(self.gate.margin);
            self.gate.validity_margin = section.number_in("validity_margin", f64::MIN_POSITIVE, 1.0);
            self.gate.cost_margin = section.number_in("cost_margin", f64::MIN_POSITIVE, f64::INFINITY);
            self.gate.latency_margin_ms = section.number_in("latency_margin_ms", f64::MIN_POSITIVE, f64::INFINITY);
            section.finish();
        }
        if let Some(section) = root.section("statistics") {
            self.statistics.alpha = section.number_in("alpha", 0.000_001, 0.49).unwrap_or(self.statistics.alpha);
            self.statistics.delta_min = section.number_in("delta_min", 0.0, 1.0).unwrap_or(self.statistics.delta_min);
            self.statistics.seed = section.whole("seed", 0).map_or(self.statistics.seed, Spanned::into_inner);
            section.finish();
        }
        if let Some(section) = root.section("budget") {
            self.budget.max_usd = section.number_in("max_usd", 0.0, f64::INFINITY);
            self.budget.max_time_s = section.number_in("max_time_s", 0.0, f64::INFINITY);
            section.finish();
        }
        if let Some(section) = root.section("ladder") {
            let rungs = section.choices("impossible", STEPS);
            self.impossible = rungs.into_iter().map(|rung| rung.into_inner().to_owned()).collect();
            section.finish();
        }
    }
}

/// Whether a name can stand in file names, on command lines and in reports.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    !name.is_empty() && name.len() <= 120 && name.chars().all(allowed) && !name.starts_with(['.', '-'])
}

fn read_data(section: Section<'_>) -> RawData {
    let examples = section.texts("examples");
    section.required("examples", (!examples.is_empty()).then_some(()));
    let data = RawData {
        examples,
        pool: section.texts("pool"),
        dev: section.texts("dev"),
        documents: section.texts("documents"),
        map: section.section("map").map(read_map).unwrap_or_default(),
        sample: section.section("sample").and_then(read_sample),
        repeats: section.whole_u32_in("repeats", 1, MOST_REPEATS),
        audit: section.section("audit").and_then(read_audit),
        annotations: section.texts("annotations"),
        error_classes: section.text("error_classes"),
        allow_outside: section.flag("allow_outside").unwrap_or(false),
    };
    section.finish();
    data
}

fn read_map(section: Section<'_>) -> FieldMap {
    let text = |key: &str| section.text(key).map(Spanned::into_inner);
    let mut tags = BTreeMap::new();
    if let Some(named) = section.section("tags") {
        for name in named.names() {
            if let Some(column) = named.text(name.get_ref()) {
                tags.insert(name.into_inner(), column.into_inner());
            }
        }
    }
    let map = FieldMap {
        id: text("id"),
        input: text("input"),
        expected: text("expected"),
        cluster: text("cluster"),
        documents: text("documents"),
        tags,
    };
    section.finish();
    map
}

fn read_sample(section: Section<'_>) -> Option<Sample> {
    let n = section.required("n", section.whole("n", 1));
    let seed = section.whole("seed", 0).map_or(7, Spanned::into_inner);
    let stratify = section.text("stratify").and_then(|text| {
        let parsed = Stratify::parse(text.get_ref());
        if parsed.is_none() {
            let message = format!("`stratify` cannot be `{}`", text.get_ref());
            let fault = section.error("suite/unknown-value", text.span(), message);
            section.report(fault.help("one of `expected`, `expected.FIELD`, `/json/pointer`, `tags.NAME`"));
        }
        parsed
    });
    section.finish();
    Some(Sample { n: n?.into_inner(), seed, stratify })
}

fn read_audit(section: Section<'_>) -> Option<LabelAudit> {
    let checked = section.required("checked", section.whole("checked", 1));
    let wrong = section.required("wrong", section.whole("wrong", 0));
    if let (Some(checked), Some(wrong)) = (&checked, &wrong)
        && wrong.get_ref() > checked.get_ref()
    {
        let message = "more labels are `wrong` than were `checked`";
        section.report(section.error("suite/out-of-range", wrong.span(), message));
    }
    section.finish();
    Some(LabelAudit { checked: checked?.into_inner(), wrong: wrong?.into_inner() })
}

fn read_output(section: Section<'_>) -> RawOutput {
    let name = section.text("name").filter(|name| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let good = !name.get_ref().is_empty() && name.get_ref().len() <= 64 && name.get_ref().chars().all(fits);
        if !good {
            let message = "providers take a schema's name only from up to 64 letters, digits, `-` and `_`";
            section.report(section.error("suite/bad-name", name.span(), message));
        }
        good
    });
    let output = RawOutput {
        schema: section.text("schema"),
        parse: section.choice("parse", PARSE_MODES).map(Spanned::into_inner).unwrap_or_default(),
        name: name.map(Spanned::into_inner),
        score_invalid: section.flag("score_invalid").unwrap_or(false),
        stated_validity: section.flag("stated_validity").unwrap_or(false),
    };
    section.finish();
    output
}

pub(crate) fn read_targets(section: Section<'_>) -> Targets {
    let targets = Targets {
        accuracy: section.number_in("accuracy", 0.0, 1.0),
        schema_validity: section.number_in("schema_validity", 0.0, 1.0),
        ttft_p95_ms: section.number_in("ttft_p95_ms", f64::MIN_POSITIVE, f64::INFINITY),
        monthly_requests: section.whole("monthly_requests", 1).map(Spanned::into_inner),
        monthly_budget_usd: section.number_in("monthly_budget_usd", 0.0, f64::INFINITY),
        self_hosted: section.flag("self_hosted").unwrap_or(false),
    };
    section.finish();
    targets
}

pub(crate) fn read_economics(section: Section<'_>) -> Economics {
    let range = |key: &str| section.range(key).map(|(low, high)| Range { low, high });
    let none = Range { low: 0.0, high: 0.0 };
    let economics = Economics {
        training_usd: range("training_usd").unwrap_or(none),
        labelling_usd: range("labelling_usd").unwrap_or(none),
        upkeep_usd_per_month: range("upkeep_usd_per_month").unwrap_or(none),
        horizon_months: section.number_in("horizon_months", f64::MIN_POSITIVE, f64::INFINITY).unwrap_or(12.0),
        value_per_error_usd: section.number_in("value_per_error_usd", 0.0, f64::INFINITY),
        requests_per_month: range("requests_per_month"),
    };
    section.finish();
    economics
}

#[cfg(test)]
mod tests;
