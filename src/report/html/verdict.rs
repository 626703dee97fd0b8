//! What stands on top of a report: the decision, its three figures, the ladder.

use maud::{Markup, html};

use super::{accuracy, figure};
use crate::decide::{QuestionState, TriggerState, Verdict};
use crate::measure::RunProvenance;
use crate::report::Report;
use crate::report::brief::{self, Decisive, LadderStep, TRIGGERS};
use crate::report::terminal::{kebab, notes};
use crate::units::format_usd;

/// Suite, run, and where the answers come from.
pub(super) fn heading(report: &Report) -> Markup {
    let measurements = &report.measurements;
    let (badge, class) = match measurements.provenance {
        RunProvenance::Live => ("live answers", "good"),
        RunProvenance::Recorded => ("RECORDED answers", "unsure"),
        RunProvenance::Mixed => ("partly RECORDED answers", "unsure"),
        RunProvenance::Imported => ("IMPORTED answers", "unsure"),
    };
    let began =
        jiff::Timestamp::from_millisecond(report.began_unix_ms).map_or_else(|_| String::new(), |at| format!("{at:.0}"));
    html! {
        h1 { (crate::text::one_line(&report.suite, 200)) " " span.badge.(class) { (badge) } }
        @if !report.description.is_empty() { p { (crate::text::one_line(&report.description, 1000)) } }
        p.soft.small {
            "run " code { (report.run) } " · "
            @if let Some(from) = report.imported() { (from) " · " }
            (measurements.clusters.len()) " examples · "
            (measurements.variants.len()) " variants · began " (began)
            @if let Some(part) = &report.part { " · " (part) }
            @if report.left_out > 0 { " · " (report.left_out) " trials left out: not recorded" }
        }
    }
}

/// The verdict, to be read in five seconds.
pub(super) fn verdict(report: &Report) -> Markup {
    let verdict = &report.verdict;
    html! {
        section.verdict id="verdict" aria-label="Verdict" {
            div.kind { (kebab(&verdict.kind)) small { (kebab(&verdict.rule)) } }
            p.headline { (verdict.headline) }
            div.decisive { @for one in brief::decisive(verdict) { (decisive(&one)) } }
            @if let Some(step) = &verdict.next_step {
                p.next {
                    b { "Next:" } (step.what)
                    @if let Some(usd) = step.usual_cost_usd.filter(|usd| usd.high > 0.0) {
                        span.soft {
                            " (usually " (format_usd(usd.low))
                            @if usd.high > usd.low { " to " (format_usd(usd.high)) }
                            ")"
                        }
                    }
                }
            }
            ol.ladder { @for step in brief::ladder(verdict) { (rung(report, &step)) } }
        }
    }
}

fn decisive(one: &Decisive) -> Markup {
    let class = match one.says {
        "missed" | "worse" | "does not" | "too little" => "bad",
        "met" | "better" | "pays back" | "enough" => "good",
        _ => "unsure",
    };
    let level = one.figure.level.filter(|level| (level - 0.95).abs() > 1e-9);
    html! {
        div {
            div.name { (one.name) }
            div.value { (figure(&one.figure)) }
            div.says {
                b.(class) { (one.says) }
                @if let Some(target) = &one.target { " · target " (target) }
                @if let Some(caution) = one.caution { span.soft { " · " (caution) } }
                @if let Some(level) = level {
                    span.soft { " · a " (crate::report::terminal::level(Some(level))) " interval" }
                }
            }
        }
    }
}

fn rung(report: &Report, step: &LadderStep) -> Markup {
    let (mark, word) = brief::mark(step.state);
    let class = match step.state {
        QuestionState::Done => "done",
        QuestionState::Next => "next-step",
        QuestionState::Skipped => "skipped",
        QuestionState::Waiting => "waiting",
    };
    html! {
        li.(class) {
            b { (step.number) " " (step.name) }
            span.state { (mark) " " (word) ": " (step.answer) }
            @for id in &step.variants {
                @if let Some((place, row)) = report.variant(id) {
                    span { (id) " " (figure(&accuracy(place, row))) }
                }
            }
        }
    }
}

/// Why, the triggers, the rungs, and what would change the verdict: for the second look.
pub(super) fn reasons(verdict: &Verdict) -> Markup {
    html! {
        details id="why" {
            summary { "Why, in sentences" }
            ul.plain { @for reason in &verdict.reasons { li { (reason) } } }
        }
        details {
            summary { "The five triggers and the rungs" }
            div.scroll { table {
                thead { tr { th { "trigger" } th.text { "state" } th.text { "why" } } }
                tbody { @for (name, trigger) in TRIGGERS.iter().zip(verdict.triggers.in_order()) {
                    tr { td { (name) } td.text { (state(trigger.state)) } td.wrap { (trigger.explanation) } }
                } }
            } }
            div.scroll { table {
                thead { tr { th { "rung" } th.text { "status" } th.text { "why" } } }
                tbody { @for (rung, report) in &verdict.rungs {
                    tr { td { (rung.name()) } td.text { (kebab(&report.status)) } td.wrap { (report.explanation) } }
                } }
            } }
        }
        @if !verdict.flips_if.is_empty() {
            details {
                summary { "What would change this" }
                ul.plain { @for flip in &verdict.flips_if { li { (flip) } } }
            }
        }
    }
}

fn state(state: TriggerState) -> Markup {
    let (class, word) = match state {
        TriggerState::Fired => ("bad", "fired"),
        TriggerState::Open => ("bad", "open"),
        TriggerState::Clear => ("good", "clear"),
        TriggerState::Unknown => ("unsure", "unknown"),
        TriggerState::Na => ("soft", "no target"),
    };
    html! { span.(class) { (word) } }
}

/// What a reader must know to read the figures right.
pub(super) fn footnotes(report: &Report) -> Markup {
    html! { ul.plain.soft.small { @for note in notes(report) { li { (note) } } } }
}
