//! A review read back: every row checked against the suite, the counts, the audit that it makes, and the corrections.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::correct::replace;
use super::file::{Drawn, Header, MOST_FAULTS, ReviewRow, RowAt, ShownLabel, Verdict, label_digest};
use super::review::shown;
use super::sample::draw;
use super::{LabelledRow, Part, Split};
use crate::decide::{LabelReport, label_ceiling};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::suite::schema::{OutputSchema, comparable};
use crate::suite::{LabelAudit, Suite};

/// What labels may be, and what the suite needs.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The suite's name.
    pub suite: &'a str,
    /// The schema of an expected answer.
    pub schema: Option<&'a OutputSchema>,
    /// The classes; empty where there are none.
    pub classes: &'a [String],
    /// Where the label stands in the expected answer; empty for the whole.
    pub at: &'a str,
    /// The target for accuracy.
    pub target: Option<f64>,
    /// The one-sided level of decisions.
    pub alpha: f64,
}

impl<'a> Rules<'a> {
    /// Those of a suite; `at` is where the label stands.
    pub fn of(suite: &'a Suite, at: &'a str) -> Self {
        Self {
            suite: &suite.name,
            schema: suite.schema.as_ref(),
            classes: &suite.labels,
            at,
            target: suite.targets.accuracy,
            alpha: suite.statistics.alpha,
        }
    }
}

/// A label to be replaced.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correction {
    /// Which part of the data the row is of.
    pub split: Split,
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The wrong label.
    pub from: Value,
    /// The right one.
    pub to: Value,
}

/// What a random re-check of labels shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Labels that were checked.
    pub checked: u64,
    /// Of these, wrong.
    pub wrong: u64,
    /// Rows that could be called neither right nor wrong; not counted.
    pub unsure: u64,
    /// Rows at the end that nobody looked at; the others are a random sample without them.
    pub left: u64,
    /// The key for `[data]` of suite.toml.
    pub key: String,
    /// The ceiling that it gives.
    pub ceiling: LabelReport,
}

/// A review that was read back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Applied {
    /// The suite's name.
    pub suite: String,
    /// How the rows were chosen.
    pub drawn: Drawn,
    /// Whether labels were left out.
    pub blind: bool,
    /// Rows of the file.
    pub rows: u64,
    /// Labels called right.
    pub right: u64,
    /// Labels called wrong.
    pub wrong: u64,
    /// Rows called neither.
    pub unsure: u64,
    /// Rows without a verdict.
    pub open: u64,
    /// The audit, or why it is none.
    pub audit: Part<Audit>,
    /// Labels to be replaced.
    pub corrections: Vec<Correction>,
    /// Files that were written.
    pub written: Vec<String>,
}

/// Checks a review against the suite's rows and counts it.
///
/// # Errors
/// Every row that is not of the suite, is not as it was, or corrects to what cannot be right.
pub fn apply(
    file: &Path,
    header: &Header,
    review: &[ReviewRow],
    rows: &[LabelledRow],
    rules: &Rules<'_>,
) -> Result<Applied, Diagnostics> {
    let mut faults = Diagnostics::new();
    if header.suite != rules.suite {
        let message = format!("the review is of the suite `{}`, not of `{}`", header.suite, rules.suite);
        faults.push(Diagnostic::error("labels/unknown-row", file, message).at(1, 1));
        return Err(faults);
    }
    let by_id: HashMap<(Split, &str), usize> =
        rows.iter().enumerate().map(|(place, row)| ((row.split, row.id.as_str()), place)).collect();
    let mut seen = BTreeSet::new();
    let (mut verdicts, mut corrections, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for one in review {
        if faults.errors() >= MOST_FAULTS {
            break;
        }
        let Some(&place) = by_id.get(&(one.split, one.id.as_str())) else {
            let message =
                format!("the suite has no {} row `{}`", one.split.as_str(), shown(&Value::from(one.id.as_str())));
            faults.push(one.at.fault("labels/unknown-row", file, "id", message));
            continue;
        };
        if !seen.insert(place) {
            faults.push(one.at.fault("labels/bad-row", file, "id", "this row stands twice".to_owned()));
            continue;
        }
        match judge(file, one, &rows[place], rules) {
            Ok((verdict, correction)) => {
                verdicts.push(verdict);
                places.push(place);
                corrections.extend(correction);
            }
            Err(fault) => faults.push(*fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count() as u64;
    Ok(Applied {
        suite: rules.suite.to_owned(),
        drawn: header.drawn,
        blind: header.blind,
        rows: verdicts.len() as u64,
        right: count(Some(Verdict::Right)),
        wrong: count(Some(Verdict::Wrong)),
        unsure: count(Some(Verdict::Unsure)),
        open: count(None),
        audit: audit(header, &verdicts, &places, rows, rules),
        corrections,
        written: Vec::new(),
    })
}

type Judged = (Option<Verdict>, Option<Correction>);

/// What a row says, and the correction that it makes. A label of the reviewer's own without a verdict is compared.
fn judge(file: &Path, one: &ReviewRow, row: &LabelledRow, rules: &Rules<'_>) -> Result<Judged, Box<Diagnostic>> {
    let fault = |code, field: &str, message: String| Box::new(one.at.fault(code, file, field, message));
    let blind = matches!(one.label, ShownLabel::Hidden(_));
    match &one.label {
        ShownLabel::Plain(label) if comparable(label) != row.label_text() => {
            let message = format!("the label of `{}` is `{}` now", one.id, shown(&row.label));
            return Err(fault("labels/unknown-row", "label", message));
        }
        ShownLabel::Hidden(digest) if *digest != label_digest(&row.id, &row.label) => {
            let message = format!(
                "the label of `{}` is another now: a blind review tells of the labels that stood when it was written",
                one.id
            );
            return Err(fault("labels/unknown-row", "label_digest", message));
        }
        _ => {}
    }
    if !is_same(&one.input, &row.input) {
        let message = format!("the input of `{}` is another now", one.id);
        return Err(fault("labels/unknown-row", "input", message));
    }
    if blind && one.corrected.is_none() && matches!(one.verdict, Some(Verdict::Right | Verdict::Wrong)) {
        let message = "in a blind review a label is given in `corrected`: nothing else tells what is meant".to_owned();
        return Err(fault("labels/bad-row", "verdict", message));
    }
    let Some(given) = one.corrected.as_ref().filter(|_| one.verdict != Some(Verdict::Unsure)) else {
        return Ok((one.verdict, None));
    };
    let given = as_label(given, &row.label);
    let same = comparable(&given) == row.label_text();
    match one.verdict {
        Some(Verdict::Right) if !same && !blind => {
            let message = "`corrected` is another label, and the verdict is `right`".to_owned();
            return Err(fault("labels/bad-row", "corrected", message));
        }
        Some(Verdict::Wrong) if same && !blind => {
            let message = "`corrected` is the label itself, and the verdict is `wrong`".to_owned();
            return Err(fault("labels/bad-row", "corrected", message));
        }
        _ if same => return Ok((Some(Verdict::Right), None)),
        _ => {}
    }
    refused(&given, row, rules, &one.at, file).map_or(Ok(()), Err)?;
    let correction = Correction {
        split: row.split,
        id: row.id.clone(),
        file: row.file.clone(),
        line: row.line,
        from: row.label.clone(),
        to: given,
    };
    Ok((Some(Verdict::Wrong), Some(correction)))
}

/// Whether an input is the one that was written: the last digit of a number may have moved on the way.
fn is_same(read: &Value, input: &Value) -> bool {
    let written = || serde_json::from_str::<Value>(&input.to_string());
    read == input || written().is_ok_and(|written| written == *read)
}

/// A label as the reviewer wrote it, of the kind that the row has: a number may have been written as a text.
fn as_label(given: &Value, label: &Value) -> Value {
    match (given, label) {
        (Value::String(text), label) if !label.is_string() => {
            serde_json::from_str(text).unwrap_or_else(|_| given.clone())
        }
        _ => given.clone(),
    }
}

/// Why a corrected label cannot be right.
fn refused(given: &Value, row: &LabelledRow, rules: &Rules<'_>, at: &RowAt, file: &Path) -> Option<Box<Diagnostic>> {
    let fault = |message| at.fault("labels/bad-correction", file, "corrected", message);
    if !rules.classes.is_empty() && !rules.classes.contains(&comparable(given)) {
        let fault = fault(format!("`{}` is none of the classes", shown(given)));
        return Some(Box::new(fault.suggest(&comparable(given), rules.classes.iter().map(String::as_str))));
    }
    let mut expected = row.expected.clone();
    replace(&mut expected, given, rules.at);
    let violation = rules.schema?.first_violation(&expected)?;
    let place = if violation.path.is_empty() { String::new() } else { format!(" at `{}`", violation.path) };
    Some(Box::new(fault(format!("the schema refuses the corrected answer{place}: {}", violation.message))))
}

/// The audit that a random sample makes: its rows are those that the seed draws, and those without a verdict, if any,
/// are the last.
fn audit(
    header: &Header,
    verdicts: &[Option<Verdict>],
    places: &[usize],
    rows: &[LabelledRow],
    rules: &Rules<'_>,
) -> Part<Audit> {
    let (Drawn::Random, Some(seed)) = (header.drawn, header.seed) else {
        return Part::not(
            "the rows were chosen because they are suspicious: how many of them are wrong says nothing about the other \
             labels; `--random N` draws an audit",
        );
    };
    if draw(rows, usize::try_from(header.rows).unwrap_or(usize::MAX), seed) != places {
        return Part::not(format!(
            "the rows are not the {} that seed {seed} draws from the test examples as they stand, in that order: rows \
             were left out, added or moved, or the examples changed",
            header.rows
        ));
    }
    let looked_at = verdicts.iter().take_while(|verdict| verdict.is_some()).count();
    if verdicts[looked_at..].iter().any(Option::is_some) {
        return Part::not(
            "some rows have no verdict and stand among rows that have one: which were left out is not random",
        );
    }
    let count = |wanted| verdicts.iter().filter(|verdict| **verdict == Some(wanted)).count() as u64;
    let (right, wrong) = (count(Verdict::Right), count(Verdict::Wrong));
    if right + wrong == 0 {
        return Part::not("no row has a verdict yet");
    }
    let found = LabelAudit { checked: right + wrong, wrong };
    Part::found(Audit {
        checked: found.checked,
        wrong,
        unsure: count(Verdict::Unsure),
        left: (verdicts.len() - looked_at) as u64,
        key: super::edit::line(found),
        ceiling: label_ceiling(rules.target, Some(found), None, rules.alpha),
    })
}

#[cfg(test)]
mod tests {
    use super::super::file::{of_sample, read};
    use super::super::testing::row;
    use super::*;
    use crate::diagnostic::Source;
    use serde_json::json;

    const FILE: &str = "review.jsonl";

    fn rows() -> Vec<LabelledRow> {
        (1..=10).map(|n| row(Split::Test, &format!("t{n}"), &format!("text {n}"), "A")).collect()
    }

    fn classes() -> Vec<String> {
        ["A", "B"].map(str::to_owned).into()
    }

    /// A random sample of four rows with these verdicts and corrections.
    fn applied(drawn: Drawn, blind: bool, said: [(&str, &str); 4]) -> Result<Applied, Diagnostics> {
        let rows = rows();
        let sample = draw(&rows, 4, 3);
        let header = Header::new("tiny", (drawn, Some(3)), 10, 4, blind);
        let chosen: Vec<&LabelledRow> = sample.iter().map(|&place| &rows[place]).collect();
        let text = of_sample(&header, &chosen);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, (verdict, corrected)) in lines.iter_mut().skip(1).zip(said) {
            let mut row: Value = serde_json::from_str(line).unwrap();
            (row["verdict"], row["corrected"]) = (json!(verdict), json!(corrected));
            *line = row.to_string();
        }
        let (header, review) = read(&Source::new(FILE, lines.join("\n"))).unwrap();
        let classes = classes();
        let rules =
            Rules { suite: "tiny", schema: None, classes: &classes, at: "/label", target: Some(0.9), alpha: 0.05 };
        apply(Path::new(FILE), &header, &review, &rows, &rules)
    }

    #[test]
    fn a_random_sample_is_an_audit_and_a_ranked_list_is_not() {
        let said = [("right", ""), ("wrong", "B"), ("unsure", ""), ("", "")];
        let found = applied(Drawn::Random, false, said).unwrap();
        assert_eq!((found.right, found.wrong, found.unsure, found.open), (1, 1, 1, 1));
        let audit = found.audit.found.unwrap();
        assert_eq!((audit.key.as_str(), audit.left), ("audit = { checked = 2, wrong = 1 }", 1));
        assert_eq!((&found.corrections[0].from, &found.corrections[0].to), (&json!("A"), &json!("B")));
        let ranked = applied(Drawn::Suspicion, false, said).unwrap();
        assert!(ranked.audit.why_not.unwrap().contains("suspicious"));
        let gap = applied(Drawn::Random, false, [("right", ""), ("", ""), ("right", ""), ("", "")]).unwrap();
        assert!(gap.audit.why_not.unwrap().contains("not random"));
    }

    #[test]
    fn rows_that_are_missing_make_no_audit() {
        let rows = rows();
        let header = Header::new("tiny", (Drawn::Random, Some(3)), 10, 4, false);
        let chosen: Vec<&LabelledRow> = draw(&rows, 4, 3).into_iter().skip(1).map(|place| &rows[place]).collect();
        let text = of_sample(&header, &chosen).replace("\"verdict\":\"\"", "\"verdict\":\"right\"");
        let (header, review) = read(&Source::new(FILE, text)).unwrap();
        let rules = Rules { suite: "tiny", schema: None, classes: &[], at: "/label", target: None, alpha: 0.05 };
        let found = apply(Path::new(FILE), &header, &review, &rows, &rules).unwrap();
        assert!(found.audit.why_not.unwrap().contains("seed 3"));
    }

    #[test]
    fn a_blind_review_compares_labels() {
        let found = applied(Drawn::Random, true, [("", "A"), ("", "B"), ("wrong", "B"), ("unsure", "")]).unwrap();
        assert_eq!((found.right, found.wrong, found.unsure), (1, 2, 1));
        let faults = applied(Drawn::Random, true, [("right", ""), ("", ""), ("", ""), ("", "")]).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, "labels/bad-row");
    }

    #[test]
    fn a_review_of_other_labels_or_inputs_is_refused() {
        let (rows, classes) = (rows(), classes());
        let rules =
            Rules { suite: "tiny", schema: None, classes: &classes, at: "/label", target: Some(0.9), alpha: 0.05 };
        let sample = draw(&rows, 4, 3);
        for blind in [false, true] {
            let header = Header::new("tiny", (Drawn::Random, Some(3)), 10, 4, blind);
            let chosen: Vec<&LabelledRow> = sample.iter().map(|&place| &rows[place]).collect();
            let text = of_sample(&header, &chosen).replace("\"corrected\":\"\"", "\"corrected\":\"B\"");
            let (header, review) = read(&Source::new(FILE, text)).unwrap();
            let found = apply(Path::new(FILE), &header, &review, &rows, &rules).unwrap();
            assert_eq!(found.wrong, 4);
            // The corrections are in place: the same review must not call these labels right.
            let mut corrected = rows.clone();
            sample.iter().for_each(|&place| corrected[place].label = json!("B"));
            let mut edited = rows.clone();
            edited[sample[0]].input = json!("quite another text");
            for (now, faults, field) in [(corrected, 4, "label"), (edited, 1, "input")] {
                let refused = apply(Path::new(FILE), &header, &review, &now, &rules).unwrap_err();
                let found: Vec<_> = refused.iter().map(|fault| fault.code).collect();
                assert_eq!(found, vec!["labels/unknown-row"; faults], "{field}");
                let first = refused.iter().next().unwrap();
                assert!(first.message.contains(&format!("the {field} of")) && first.column > 1, "{first:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_fault_at_its_place() {
        let said = [("right", "B"), ("wrong", "A"), ("wrong", "C"), ("wrong", "")];
        let faults = applied(Drawn::Random, false, said).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.code, fault.line)).collect();
        assert_eq!(found, [("labels/bad-row", 2), ("labels/bad-row", 3), ("labels/bad-correction", 4)]);
        assert!(faults.iter().all(|fault| fault.column > 1));
    }
}
