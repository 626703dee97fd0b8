use super::*;
use crate::decide::label_ceiling;
use crate::labels::against::{self, Answers, Variants};
use crate::labels::review::{Evidence, rank};
use crate::labels::testing::row;
use crate::labels::{LabelledRow, Part, RowCounts, Split, annotators, confident, conflicts};
use crate::probe::OutOfFold;
use crate::suite::second::Annotation;
use crate::suite::{LabelAudit, Task};
use serde_json::json;

/// A review with something in every part.
pub(crate) fn review() -> LabelReview {
    let rows = [
        row(Split::Test, "t1", "Where is the money that I sent to my friend <b>yesterday</b>?", "refund"),
        row(Split::Pool, "p1", "where is the money that I sent to my friend <b>yesterday</b>", "transfer"),
        row(Split::Test, "t2", "How do I close my account", "close-account"),
        row(Split::Pool, "p2", "a card for my child", "card"),
    ];
    let classes: Vec<String> = ["card", "close-account", "refund", "transfer"].map(str::to_owned).into();
    let row_of = |place: usize| (0..4).map(|class| if class == place { 0.85 } else { 0.05 }).collect::<Vec<f32>>();
    let out_of_fold = OutOfFold { classes: classes.clone(), probabilities: [3, 3, 1, 0].map(row_of).into() };
    let labels: Vec<String> = rows.iter().map(LabelledRow::label_text).collect();
    let (conflicts, opposed) = conflicts::find(&rows);
    let (confident, off_diagonal) = confident::find(&labels, &out_of_fold).unwrap();
    let answers: Answers = [(
        "t1".to_owned(),
        [("v1".to_owned(), vec![Some("transfer".to_owned())]), ("v2".to_owned(), vec![None])].into(),
    )]
    .into();
    let variants: Variants = [("v1", "m1"), ("v2", "m2")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let (against, outvoted) = against::find(&rows, (&answers, &variants), Some(&out_of_fold), &classes);
    let given = |id: &str, label: &str| Annotation {
        annotator: "ann".into(),
        id: id.into(),
        expected: json!({"label": label}),
    };
    let given = [given("t1", "transfer"), given("t2", "close-account")];
    let (annotators, opinions) = annotators::find(&rows, &given, Task::Classification, "/label");
    let list = rank(
        &rows,
        &Evidence { opposed, outvoted, off_diagonal, disputed: opinions.disputed, confirmed: opinions.confirmed },
    );
    LabelReview {
        suite: "tickets".into(),
        task: Task::Classification,
        run: Some("tickets-1".into()),
        rows: RowCounts::of(&rows),
        conflicts,
        against: Part::found(against),
        confident: Part::found(confident),
        annotators: Part::found(annotators),
        ceiling: label_ceiling(Some(0.97), Some(LabelAudit { checked: 100, wrong: 2 }), None, 0.05),
        target: Some(0.97),
        suspicious: list.len() as u64,
        list,
    }
}

#[test]
fn a_review_reads_at_every_width() {
    let review = review();
    for width in [40, 60, 80, 120, 200] {
        let text = render(&review, width);
        let widest = text.lines().map(crate::text::columns).max().unwrap_or(0);
        assert!(widest <= width, "{widest} columns of {width}:\n{text}");
    }
    insta::assert_snapshot!("review", render(&review, 100));
}

#[test]
fn a_review_with_nothing_in_it_says_why() {
    let none = LabelReview {
        conflicts: conflicts::Conflicts::default(),
        against: Part::not("there is no run"),
        confident: Part::not("it is no classification"),
        annotators: Part::not("no second labels"),
        ceiling: label_ceiling(None, None, None, 0.05),
        suspicious: 0,
        list: Vec::new(),
        ..review()
    };
    let text = render(&none, 80);
    for said in ["there is no run", "it is no classification", "no second labels", "nothing speaks against"] {
        assert!(text.contains(said), "{text}");
    }
}
