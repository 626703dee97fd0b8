//! The verdict in brief: the headline, at most three figures that decide, the ladder, the next step.

use super::verdict::{headline, next_step};
use super::{hung, level, percent_interval, shortened};
use crate::decide::Verdict;
use crate::measure::VariantMeasurements;
use crate::report::brief::{Decisive, LadderStep, decisive, ladder, mark};
use crate::report::figure::Figure;
use crate::report::look::{Look, Tone};
use crate::text;
use crate::variant::VariantId;

/// The level that goes without saying.
const USUAL_LEVEL: f64 = 0.95;

/// What one reads of a verdict in five seconds.
pub(super) fn brief(verdict: &Verdict, variants: &[VariantMeasurements], look: Look) -> String {
    let mut text = headline(verdict, look);
    let figures = decisive(verdict);
    if !figures.is_empty() {
        text.push('\n');
        text.push_str(&figures_text(&figures, look));
    }
    text.push('\n');
    text.push_str(&ladder_text(&ladder(verdict), variants, look));
    text.push_str(&next_step(verdict, look));
    text
}

/// The figures, aligned where they fit, else each in its own lines.
fn figures_text(figures: &[Decisive], look: Look) -> String {
    let cells: Vec<[String; 3]> = figures.iter().map(|figure| cells(figure, look.width)).collect();
    let width = |column: usize| cells.iter().map(|row| text::columns(&row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let says = figures.iter().map(|figure| text::columns(figure.says)).max().unwrap_or(0);
    let fits = 2 + widths.iter().map(|width| width + 2).sum::<usize>() + says <= look.width;
    let mut drawn = String::new();
    for (figure, [name, value, target]) in figures.iter().zip(&cells) {
        let lines = if fits {
            let [first, second, third] = widths;
            let third = if third == 0 { String::new() } else { text::padded(target, third) + "  " };
            let (name, value) = (text::padded(name, first), text::padded(value, second));
            format!("  {name}  {value}  {third}{}\n", figure.says)
        } else {
            let parts = [value, target, figure.says].into_iter().filter(|part| !part.is_empty());
            format!("  {name}\n{}", hung(parts, "; ", "    ", "    ", look.width))
        };
        drawn.push_str(&look.paint_last(tone(figure.says), figure.says, lines));
    }
    drawn
}

/// `A over B` in at most so many columns: each of the names has its share of them.
fn each_shortened(name: &str, most: usize) -> String {
    const OVER: &str = " over ";
    if text::columns(name) <= most {
        return name.to_owned();
    }
    let names: Vec<&str> = name.split(OVER).collect();
    let room = most.saturating_sub((names.len() - 1) * OVER.len()) / names.len();
    names.iter().map(|name| shortened(name, room)).collect::<Vec<_>>().join(OVER)
}

/// Name, value with interval, target. What has no room in a line of its own is shortened in the middle.
fn cells(decisive: &Decisive, width: usize) -> [String; 3] {
    let target = decisive.target.clone().or(decisive.caution.map(str::to_owned)).unwrap_or_default();
    [each_shortened(&decisive.name, width.saturating_sub(2)), value(&decisive.figure), target]
}

/// The figure with its interval, and the interval's level where it is not the usual one.
fn value(figure: &Figure) -> String {
    match figure.level.filter(|of| (of - USUAL_LEVEL).abs() > 1e-9) {
        Some(of) => format!("{} ({})", figure.text(), level(Some(of))),
        None => figure.text(),
    }
}

fn tone(says: &str) -> Tone {
    match says {
        "met" | "better" | "pays back" => Tone::Good,
        "missed" | "worse" | "does not" => Tone::Bad,
        "not shown" => Tone::Unsure,
        _ => Tone::Dim,
    }
}

/// One line a step; where the terminal is narrow, what is known of it stands below its name.
fn ladder_text(steps: &[LadderStep], variants: &[VariantMeasurements], look: Look) -> String {
    let width = |of: &dyn Fn(&LadderStep) -> usize| steps.iter().map(of).max().unwrap_or(0);
    let name_width = width(&|step| step.name.chars().count());
    let state_width = width(&|step| mark(step.state).1.chars().count());
    let answer_width = width(&|step| step.answer.chars().count());
    let measured: Vec<Vec<String>> = steps.iter().map(|step| accuracies(step, variants)).collect();
    let before = 6 + name_width + 2 + state_width + 2 + answer_width + 2;
    let beside = measured.iter().flatten().map(|one| text::columns(one) + 1).max().unwrap_or(0);
    let mut drawn = String::new();
    for (step, measured) in steps.iter().zip(&measured) {
        let ((mark, state), number, name, answer) = (mark(step.state), step.number, step.name, step.answer);
        let lines = if before + beside <= look.width {
            let first =
                format!("  {mark} {number} {name:<name_width$}  {state:<state_width$}  {answer:<answer_width$}  ");
            hung(measured.iter().map(String::as_str), ", ", &first, &" ".repeat(before), look.width)
        } else {
            let known = format!("{state}: {answer}");
            let parts = std::iter::once(known.as_str()).chain(measured.iter().map(String::as_str));
            format!("  {mark} {number} {name}\n{}", hung(parts, "; ", "      ", "      ", look.width))
        };
        drawn.push_str(&look.paint_lines(step.state.into(), &lines));
    }
    drawn
}

/// A step's variants with what they reach.
fn accuracies(step: &LadderStep, variants: &[VariantMeasurements]) -> Vec<String> {
    let of = |id: &VariantId| variants.iter().find(|measured| measured.variant.id == *id);
    let known = step.variants.iter().map(|id| match of(id).filter(|measured| measured.accuracy.point.is_some()) {
        Some(measured) => format!("{id} {}", percent_interval(&measured.accuracy)),
        None => id.to_string(),
    });
    known.collect()
}
