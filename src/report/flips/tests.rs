use serde_json::{Value, json};

use super::*;

fn answer(value: Option<Value>, text: &str, violation: Option<&str>) -> Answer {
    Answer {
        repeat: 0,
        outcome: "answered",
        failure: None,
        text: Some(text.to_owned()),
        cut: false,
        answer: value,
        valid: violation.is_none(),
        violation: violation.map(str::to_owned),
        score: Some(0.0),
    }
}

fn report() -> FlipReport {
    let side = |name: &str| FlipSide {
        name: name.to_owned(),
        run: "tiny-1".to_owned(),
        variant: VariantId(name.into()),
        endpoints: vec!["toy/small".to_owned()],
    };
    let flip = Flip {
        example: "e01".to_owned(),
        a_score: 0.0,
        b_score: 1.0,
        input: json!("the ball\nnumber 1 looks green"),
        expected: json!({"label": "green"}),
        a: vec![answer(
            Some(json!({"label": "mauve"})),
            "{\"label\":\"mauve\"}",
            Some("/label: not one of red, green"),
        )],
        b: vec![answer(Some(json!({"label": "green"})), "{\"label\":\"green\"}", None)],
    };
    FlipReport {
        suite: "tiny".to_owned(),
        scorer: "label".to_owned(),
        sides: [side("plain"), side("schema")],
        common: 12,
        fixed: 8,
        broken: 0,
        alike: 4,
        left_out: 0,
        only: None,
        tag: None,
        listed: 1,
        examples: vec![flip],
    }
}

#[test]
fn answers_stand_beside_each_other_where_there_is_room() {
    insta::assert_snapshot!("wide", render(&report(), 120));
}

#[test]
fn and_below_each_other_where_there_is_none() {
    insta::assert_snapshot!("narrow", render(&report(), 60));
}

#[test]
fn hostile_text_moves_nothing() {
    let mut hostile = report();
    let evil = "\u{1b}[2J\u{202e}evil\r\n\u{7}".to_owned() + &"x".repeat(5000);
    hostile.examples[0].example = evil.clone();
    hostile.examples[0].input = json!(evil);
    hostile.examples[0].a = vec![answer(None, &evil, Some(&evil))];
    hostile.examples[0].b = vec![Answer { failure: Some(evil.clone()), ..answer(None, &evil, None) }];
    hostile.sides[0].name = evil.clone();
    hostile.sides[1].variant = VariantId(evil);
    for width in [40, 60, 100, 200] {
        let text = render(&hostile, width);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']), "{text:?}");
        let widest = text.lines().skip(3).filter(|line| line.starts_with("  ")).map(|line| line.chars().count()).max();
        assert!(widest.unwrap() <= width.clamp(40, 140), "{widest:?} of {width}:\n{text}");
    }
}

#[test]
fn lines_keep_to_the_width_and_the_command_can_be_pasted() {
    let mut long = report();
    long.left_out = 7;
    long.sides[0].variant = VariantId("日本".repeat(40));
    long.sides[1].variant = VariantId("it's".to_owned());
    long.examples[0].example = "a b".to_owned();
    for width in [40, 60, 80, 120] {
        let text = render(&long, width);
        for line in text.lines().filter(|line| !line.starts_with('`')) {
            assert!(columns(line) <= width, "{width}: {line}");
        }
        assert!(text.contains("'a b' --variant 'it'\\''s'`"), "{text}");
    }
    long.examples[0].example = "a\u{1b}b".to_owned();
    assert!(render(&long, 80).contains("holds control characters"));
}
