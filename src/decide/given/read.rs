//! An evidence file's sections.

use toml::Spanned;

use super::outcomes::Examples;
use super::variants::{self, RawGiven};
use super::{CONTRADICTION, Given, rung_named};
use crate::decide::rungs::rung_of;
use crate::document::{Document, Section};
use crate::suite::raw::{STEPS, read_economics, read_targets};
use crate::suite::{DoubleAnnotation, ErrorClasses, LabelAudit, Statistics};
use crate::variant::{Intervention, VariantId};

/// The file; `None` where a fault leaves nothing to build.
pub(super) fn read(document: &Document<'_>) -> Option<Given> {
    let root = document.root();
    let targets = root.section("targets").map(read_targets).unwrap_or_default();
    let economics = root.section("economics").map(read_economics);
    let statistics = root.section("statistics").map(read_statistics).unwrap_or_default();
    let audit = root.section("label_audit").and_then(read_audit);
    let annotations = root.section("double_annotation").and_then(read_annotations);
    let error_classes = root.section("error_classes").and_then(read_error_classes);
    let steps = |key: &str| root.choices(key, STEPS);
    let (impossible, not_tried) = (steps("impossible"), steps("not_tried"));
    let incumbent = root.text("incumbent");
    let design_effect = root.number_in("design_effect", 1.0, 1e6).unwrap_or(1.0);
    let raw: Vec<RawGiven> =
        root.sections("variants").into_iter().filter_map(|section| RawGiven::read(section, &targets)).collect();
    root.required("variants", (!raw.is_empty()).then_some(()));
    if raw.is_empty() && root.is_list("variants") {
        let span = root.key_span("variants").unwrap_or_default();
        root.report(root.error(super::FAMILY.missing_key, span, "no variant is stated"));
    }
    let mut examples = Examples::default();
    let built = variants::build(
        &root,
        &raw,
        (incumbent.as_ref(), targets.self_hosted),
        (design_effect, statistics.alpha),
        &mut examples,
    );
    let given = Given {
        task: root.text("task").map(Spanned::into_inner).unwrap_or_default(),
        targets,
        economics,
        statistics,
        audit,
        annotations,
        error_classes,
        margin: root.number_in("margin", 0.0, 1.0).unwrap_or(0.02),
        incumbent: incumbent.map(|name| VariantId(name.into_inner())),
        impossible: names(&impossible),
        not_tried: names(&not_tried),
        variants: built,
        clustered: examples.is_clustered(),
        clusters: examples.clusters(),
    };
    refuse_contradictions(&root, &given, &not_tried);
    root.finish();
    (!raw.is_empty()).then_some(given)
}

fn names(steps: &[Spanned<&'static str>]) -> Vec<String> {
    steps.iter().map(|step| (*step.get_ref()).to_owned()).collect()
}

/// A step that was not tried has no figures.
fn refuse_contradictions(root: &Section<'_>, given: &Given, not_tried: &[Spanned<&'static str>]) {
    for step in not_tried {
        let does = |variant: &&super::GivenVariant| {
            let interventions = variant.variant.interventions();
            let tuned = variant.variant.tuned.as_ref().map(|tuned| rung_of(tuned.method));
            match *step.get_ref() {
                "few-shot" => interventions.contains(&Intervention::FewShot) && tuned.is_none(),
                "schema" => interventions.contains(&Intervention::Schema) && tuned.is_none(),
                "cache" => interventions.contains(&Intervention::Cache) && tuned.is_none(),
                "rag" => interventions.contains(&Intervention::Retrieval) && tuned.is_none(),
                name => tuned.is_some() && tuned == rung_named(name),
            }
        };
        if let Some(variant) = given.variants.iter().find(does) {
            let message = format!(
                "`{}` is listed in `not_tried`, and `{}` has figures of it",
                step.get_ref(),
                variant.variant.id
            );
            root.report(root.error(CONTRADICTION, step.span(), message));
        }
    }
}

fn read_statistics(section: Section<'_>) -> Statistics {
    let default = Statistics::default();
    let statistics = Statistics {
        alpha: section.number_in("alpha", 0.000_001, 0.49).unwrap_or(default.alpha),
        delta_min: section.number_in("delta_min", 0.0, 1.0).unwrap_or(default.delta_min),
        seed: section.whole("seed", 0).map_or(default.seed, Spanned::into_inner),
    };
    section.finish();
    statistics
}

/// `part` of `whole`, the first no larger than the second.
fn part_of(section: &Section<'_>, part: &str, whole: &str) -> Option<(u64, u64)> {
    let all = section.required(whole, super::variants::count(section, whole, 1));
    let some = section.required(part, super::variants::count(section, part, 0));
    let (all, some) = (all?, some?);
    if some.get_ref() > all.get_ref() {
        let message = format!("`{part}` is more than `{whole}`");
        section.report(section.error(super::FAMILY.out_of_range, some.span(), message));
        return None;
    }
    Some((some.into_inner(), all.into_inner()))
}

fn read_audit(section: Section<'_>) -> Option<LabelAudit> {
    let audit = part_of(&section, "wrong", "checked").map(|(wrong, checked)| LabelAudit { checked, wrong });
    section.finish();
    audit
}

fn read_annotations(section: Section<'_>) -> Option<DoubleAnnotation> {
    let counts = part_of(&section, "agreed", "pairs");
    let classes = section.required("classes", section.whole_u32("classes", 2));
    section.finish();
    let (agreed, pairs) = counts?;
    Some(DoubleAnnotation { pairs, agreed, classes: classes? })
}

fn read_error_classes(section: Section<'_>) -> Option<ErrorClasses> {
    let checked = section.required("checked", super::variants::count(&section, "checked", 1)).map(Spanned::into_inner);
    let count = |key: &str| {
        let count = super::variants::count(&section, key, 0)?;
        if checked.is_some_and(|checked| *count.get_ref() > checked) {
            let message = format!("`{key}` is more than `checked`");
            section.report(section.error(super::FAMILY.out_of_range, count.span(), message));
        }
        Some(count.into_inner())
    };
    // A class that is not counted may be all of them.
    let (knowledge, preference) = (count("knowledge"), count("preference"));
    section.finish();
    let checked = checked?;
    Some(ErrorClasses { checked, knowledge: knowledge.unwrap_or(checked), preference: preference.unwrap_or(checked) })
}
