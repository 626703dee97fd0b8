//! The rows that something speaks against, most suspicious first.
//!
//! Each piece of evidence has a score from 0 to 1; a row's suspicion is 1 − Π (1 − score), divided by 1 + the number of
//! annotators where all of them gave the same label. That orders a list: it is no probability, and the share of wrong
//! labels among the first rows says nothing about the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::against::Outvoted;
use super::annotators::{Confirmed, Disputed};
use super::confident::OffDiagonal;
use super::conflicts::Opposed;
use super::{LabelledRow, Split};

/// A row to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Which part of the data it is of.
    pub split: Split,
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// What is asked about.
    pub input: Value,
    /// Its label.
    pub label: Value,
    /// The label that most speaks for.
    pub suggested: Value,
    /// 0 to 1, for the order of the list: no probability.
    pub suspicion: f64,
    /// What speaks against the label, in words.
    pub reasons: Vec<String>,
}

/// Everything that speaks against labels.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Look-alikes with another label.
    pub opposed: Vec<Opposed>,
    /// Answers that agree on another label.
    pub outvoted: Vec<Outvoted>,
    /// Rows that confidently look like another class.
    pub off_diagonal: Vec<OffDiagonal>,
    /// Annotators that gave another label.
    pub disputed: Vec<Disputed>,
    /// Annotators that all gave the same label: for it, not against it.
    pub confirmed: Vec<Confirmed>,
}

/// One piece of evidence against one row.
struct Piece {
    score: f64,
    suggested: Value,
    reason: String,
}

/// The suspicious rows in order: the most suspicious first, of equally suspicious ones test before dev before pool, and
/// then the order of the data.
pub fn rank(rows: &[LabelledRow], evidence: &Evidence) -> Vec<Suspect> {
    let mut pieces: BTreeMap<usize, Vec<Piece>> = BTreeMap::new();
    let values: BTreeMap<String, &Value> = rows.iter().map(|row| (row.label_text(), &row.label)).collect();
    let confirmed: BTreeMap<usize, &Confirmed> = evidence.confirmed.iter().map(|one| (one.row, one)).collect();
    let value = |label: &str| values.get(label).map_or_else(|| Value::from(label), |value| (*value).clone());
    for one in &evidence.opposed {
        let piece = Piece { score: one.share, suggested: one.other.clone(), reason: of_look_alikes(rows, one) };
        pieces.entry(one.row).or_default().push(piece);
    }
    for one in &evidence.disputed {
        let reason = format!("{} gave `{}`", listed(&one.annotators), shown(&one.other));
        pieces.entry(one.row).or_default().push(Piece { score: one.share, suggested: one.other.clone(), reason });
    }
    for one in &evidence.outvoted {
        let piece = Piece { score: one.answer.score(), suggested: value(&one.answer.answer), reason: of_answers(one) };
        pieces.entry(one.row).or_default().push(piece);
    }
    for one in &evidence.off_diagonal {
        let reason = format!(
            "a classifier trained without this row gives `{}` {:.2} and the label {:.2} (confident learning)",
            one.likely, one.likely_probability, one.given_probability
        );
        pieces.entry(one.row).or_default().push(Piece { score: one.score(), suggested: value(&one.likely), reason });
    }
    let mut list: Vec<Suspect> = pieces
        .into_iter()
        .map(|(place, pieces)| suspect(&rows[place], pieces, confirmed.get(&place).copied()))
        .collect();
    // A stable sort over the order of the data.
    list.sort_by(|a, b| b.suspicion.total_cmp(&a.suspicion).then(a.split.cmp(&b.split)));
    list
}

fn suspect(row: &LabelledRow, pieces: Vec<Piece>, confirmed: Option<&Confirmed>) -> Suspect {
    let sure = 1.0 + confirmed.map_or(0, |one| one.annotators.len()) as f64;
    let innocent: f64 = pieces.iter().map(|piece| 1.0 - piece.score.clamp(0.0, 1.0)).product();
    let mut votes: Vec<(&Value, f64)> = Vec::new();
    for piece in &pieces {
        match votes.iter_mut().find(|(known, _)| **known == piece.suggested) {
            Some((_, votes)) => *votes += piece.score,
            None => votes.push((&piece.suggested, piece.score)),
        }
    }
    let most = votes.into_iter().reduce(|most, next| if next.1 > most.1 { next } else { most });
    Suspect {
        split: row.split,
        id: row.id.clone(),
        file: row.file.clone(),
        line: row.line,
        input: row.input.clone(),
        label: row.label.clone(),
        suggested: most.map_or(Value::Null, |(label, _)| label.clone()),
        // The last digits differ between machines.
        suspicion: ((1.0 - innocent) / sure * 1e4).round() / 1e4,
        reasons: pieces.into_iter().map(|piece| piece.reason).chain(confirmed.map(of_confirmation)).collect(),
    }
}

fn of_confirmation(one: &Confirmed) -> String {
    format!("but {} gave the same label", listed(&one.annotators))
}

fn of_look_alikes(rows: &[LabelledRow], one: &Opposed) -> String {
    let what = if one.same { "the same input" } else { "an input that is all but the same" };
    let mut places: Vec<String> = one.against.iter().map(|&row| rows[row].place()).collect();
    if one.count > places.len() {
        places.push(format!("{} more", one.count - places.len()));
    }
    let own = match one.alike {
        0 => String::new(),
        1 => "; 1 other has this label".to_owned(),
        n => format!("; {n} others have this label"),
    };
    format!("{what} is labelled `{}` in {}{own}", shown(&one.other), places.join(", "))
}

fn of_answers(one: &Outvoted) -> String {
    let answer = &one.answer;
    let plural = |n: u64, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let who = match answer.variants {
        1 => "the one variant with a valid answer".to_owned(),
        n => format!("all {n} variants with a valid answer"),
    };
    let baseline = if answer.baseline { " and the trained baseline" } else { "" };
    format!("{who} (of {}, {}){baseline} say `{}`", answer.asked, plural(answer.models, "model"), answer.answer)
}

/// `ann`, `ann and bob`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("annotator {one}"),
        [first @ .., last] => format!("annotators {} and {last}", first.join(", ")),
    }
}

/// A label in a sentence.
pub fn shown(label: &Value) -> String {
    crate::text::one_line(&crate::suite::schema::label_text(label), 120)
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::super::{annotators, conflicts};
    use super::*;
    use crate::suite::Task;
    use crate::suite::second::Annotation;
    use serde_json::json;

    #[test]
    fn evidence_adds_up_and_ties_keep_the_order_of_the_data() {
        let rows = [
            row(Split::Pool, "p1", "where is my money", "refund"),
            row(Split::Pool, "p2", "where is my money", "top-up"),
            row(Split::Test, "t3", "close my account please", "close"),
            row(Split::Test, "t4", "where is my money", "refund"),
        ];
        let given = Annotation { annotator: "ann".into(), id: "t3".into(), expected: json!({"label": "delete"}) };
        let same = Annotation { id: "t4".into(), expected: json!("refund"), ..given.clone() };
        let (_, opinions) = annotators::find(&rows, &[given, same], Task::Classification, "/label");
        let off_diagonal =
            vec![OffDiagonal { row: 1, likely: "refund".into(), likely_probability: 0.9, given_probability: 0.1 }];
        let evidence = Evidence {
            opposed: conflicts::find(&rows).1,
            disputed: opinions.disputed,
            confirmed: opinions.confirmed,
            off_diagonal,
            outvoted: Vec::new(),
        };
        let list = rank(&rows, &evidence);
        let ids: Vec<(&str, f64)> = list.iter().map(|one| (one.id.as_str(), one.suspicion)).collect();
        assert_eq!(ids, [("p2", 0.9667), ("t3", 0.5), ("p1", 0.3333), ("t4", 0.1667)]);
        assert_eq!(list[0].suggested, "refund");
        assert_eq!(
            list[0].reasons,
            [
                "the same input is labelled `refund` in pool.jsonl:1, test.jsonl:4",
                "a classifier trained without this row gives `refund` 0.90 and the label 0.10 (confident learning)"
            ]
        );
        assert_eq!(list[1].reasons, ["annotator ann gave `delete`"]);
        assert_eq!(list[2].reasons, ["the same input is labelled `top-up` in pool.jsonl:2; 1 other has this label"]);
        assert_eq!(list[3].reasons[1], "but annotator ann gave the same label");
    }
}
