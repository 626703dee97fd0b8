use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::{Hints, conclude};
use super::columns::Profiles;
use super::draft::{Draft, Refusal, Wishes, draft};
use super::format::Format;
use super::split::{Item, Side, groups, sizes, split};
use super::{Roles, Table, read};
use crate::diagnostic::Source;
use crate::suite::Task;
use crate::suite::near::Grams;

fn wishes() -> Wishes {
    Wishes { roles: Roles::default(), task: None, pool_share: None, seed: 7 }
}

fn table(name: &str, text: &str) -> Table {
    let source = Source::new(name, text);
    read(&source, Format::of(&source)).unwrap()
}

fn drafted(name: &str, text: &str) -> Result<Draft, Refusal> {
    let table = table(name, text);
    let profiles = Profiles::of(&table);
    draft(table, "t", &wishes(), &profiles)
}

fn task_of(values: &[Value]) -> (Task, &'static str) {
    let (_, answer) = conclude(values, Hints { column: "expected", ..Hints::default() }).unwrap();
    (answer.task, answer.scorers[0].kind)
}

#[test]
fn answers_are_told_by_what_they_are() {
    let again = |value: Value| vec![value; 6];
    let labels = [again(json!("red")), again(json!("blue"))].concat();
    assert_eq!(task_of(&labels), (Task::Classification, "exact"));
    assert_eq!(task_of(&(0..12).map(|n| json!(n * 7)).collect::<Vec<_>>()), (Task::Generation, "numeric"));
    assert_eq!(task_of(&(0..12).map(|n| json!(format!("{n}.5"))).collect::<Vec<_>>()), (Task::Generation, "numeric"));
    assert_eq!(task_of(&again(json!({"a": 1, "b": [2]}))), (Task::Extraction, "field-f1"));
    assert_eq!(task_of(&again(json!("{\"a\": 1, \"b\": 2}"))), (Task::Extraction, "field-f1"));
    assert_eq!(task_of(&again(json!(["a", "b"]))), (Task::Extraction, "set-f1"));
    assert_eq!(task_of(&(0..12).map(|n| json!(format!("name {n}"))).collect::<Vec<_>>()), (Task::Generation, "exact"));
    let long = |n: usize| json!(format!("{n} {}", "a long answer in many words ".repeat(4)));
    assert_eq!(task_of(&(0..12).map(long).collect::<Vec<_>>()), (Task::Generation, "similarity"));
}

#[test]
fn an_object_of_one_field_keeps_its_name() {
    let values: Vec<Value> = (0..12).map(|n| json!({"team": if n % 2 == 0 { "a" } else { "b" }})).collect();
    let (settled, answer) = conclude(&values, Hints::default()).unwrap();
    assert_eq!(answer.scorers[0].at, "/team");
    assert_eq!(settled[0], Ok(json!({"team": "a"})));
    assert_eq!(answer.schema.unwrap()["properties"]["team"]["enum"], json!(["a", "b"]));
}

#[test]
fn an_answer_of_another_form_is_left_out_with_its_reason() {
    let mut values = vec![json!({"a": 1, "b": 2}); 9];
    values.push(json!("none"));
    let (settled, _) = conclude(&values, Hints::default()).unwrap();
    assert_eq!(settled.iter().filter(|row| row.is_ok()).count(), 9);
    assert!(settled[9].as_ref().unwrap_err().contains("objects"), "{:?}", settled[9]);
}

#[test]
fn a_schema_holds_what_the_data_shows() {
    let rows: Vec<Value> = (0..20)
        .map(|n| json!({"kind": if n % 2 == 0 { "in" } else { "out" }, "n": n, "note": Value::Null, "parts": [{"x": 0.5}]}))
        .chain([json!({"kind": "in", "n": 1, "parts": [], "extra": "free text"})])
        .collect();
    let schema = super::schema::schema_of(&rows.iter().collect::<Vec<_>>());
    assert_eq!(schema["required"], json!(["kind", "n", "parts"]));
    assert_eq!(schema["properties"]["kind"]["enum"], json!(["in", "out"]));
    assert_eq!(schema["properties"]["n"], json!({"type": "integer"}));
    assert_eq!(schema["properties"]["parts"]["items"]["properties"]["x"], json!({"type": "number"}));
    let compiled = crate::suite::schema::OutputSchema::compile(schema).unwrap();
    assert!(rows.iter().all(|row| compiled.accepts(row)));
}

#[test]
fn separators_marks_and_quotes_are_read() {
    for (separator, name) in [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")] {
        let rows: String =
            (0..12).map(|n| format!("\"text, number; {n}\"{separator}{}\n", ["a", "b"][n % 2])).collect();
        let table = table("t.csv", &format!("text{separator}label\n{rows}"));
        assert_eq!((table.detail.as_str(), table.records.len()), (name, 12));
    }
}

#[test]
fn rows_without_input_or_answer_are_kept_aside_with_their_lines() {
    let rows: String = (0..20).map(|n| format!("what about {n} then,{}\n", ["x", "y"][n % 2])).collect();
    let draft = drafted("t.csv", &format!("text,label\n{rows},x\nno label here,\nodd,row,here\n")).unwrap();
    let lines: Vec<u32> = draft.left_out.iter().map(|row| row.line).collect();
    assert_eq!((draft.rows.len(), lines), (20, vec![22, 23, 24]));
}

#[test]
fn a_yaml_file_that_stands_for_gigabytes_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let again = format!("*a{},", n - 1).repeat(10);
        text.push_str(&format!("a{n}: &a{n} [{again}]\n"));
    }
    let source = Source::new("t.yaml", text);
    let fault = read(&source, Format::Promptfoo).unwrap_err();
    assert!(fault.message.contains("two million"), "{}", fault.message);
    let deep = Source::new("t.yaml", format!("tests: {}{}", "[".repeat(5_000), "]".repeat(5_000)));
    assert_eq!(read(&deep, Format::Promptfoo).unwrap_err().code, "init/syntax");
}

#[test]
fn sizes_leave_most_rows_to_the_test() {
    assert_eq!(sizes(6, None), [6, 0, 0]);
    assert_eq!(sizes(300, None), [210, 30, 60]);
    assert_eq!(sizes(10_000, None), [1_000, 200, 8_800]);
    assert_eq!(sizes(300, Some(0.5)), [120, 30, 150]);
    assert_eq!(sizes(100, Some(0.0)), [100, 0, 0]);
}

#[test]
fn each_label_keeps_its_share() {
    let inputs: Vec<Value> =
        (0..300_u64).map(|n| json!(format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).collect();
    let ids: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let item =
        |n: usize| Item { id: &ids[n], input: &inputs[n], cluster: None, class: ["a", "b", "c"][n % 3].to_owned() };
    let items: Vec<Item<'_>> = (0..300).map(item).collect();
    let split = split(&items, None, 7);
    assert_eq!([Side::Test, Side::Dev, Side::Pool].map(|side| split.count(side)), [210, 30, 60]);
    for class in 0..3 {
        let pool = (0..300).filter(|n| n % 3 == class && split.sides[*n] == Side::Pool).count();
        assert_eq!(pool, 20);
    }
}

/// The right answers by input, and why rows were left out.
fn carried(name: &str, text: &str) -> (Vec<Value>, Vec<String>) {
    let table = table(name, text);
    let right = table.records.iter().map(|record| record.fields["expected"].clone()).collect();
    (right, table.left_out.into_iter().map(|row| row.why).collect())
}

#[test]
fn tests_that_compare_in_several_ways_become_patterns() {
    let kinds = [
        ("equals", "\"4.0\""),
        ("icontains", "Paris"),
        ("starts-with", "'Dear {{who}}'"),
        ("contains-any", "[red, blue]"),
        ("regex", "'\\d+'"),
        ("regex", "'(?=x)y'"),
        ("contains-all", "[red, blue]"),
        ("equals", "file://right.txt"),
    ];
    let test = |(kind, value): &(&str, &str)| {
        format!(
            "- {{vars: {{q: x, who: Ann}}, assert: [{{type: {kind}, value: {value}}}, {{type: latency, threshold: 9}}]}}\n"
        )
    };
    let text: String = kinds.iter().map(test).collect();
    let (right, why) = carried("t.yaml", &text);
    assert_eq!(
        right,
        ["^(?:4\\.0)$", "(?i)(?:Paris)", "^(?:Dear Ann)", "(?:red|blue)", "\\d+"].map(|right| json!(right))
    );
    assert_eq!(why.len(), 3, "{why:?}");
    for (why, part) in why.iter().zip(["`(?=x)y`", "`contains-all`, `latency`", "right.txt"]) {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn equality_is_as_strict_as_in_the_file_it_comes_from() {
    let text: String = (0..12)
        .map(|n| format!("- {{vars: {{q: {n} or so}}, assert: [{{type: equals, value: Text {n}.}}]}}\n"))
        .collect();
    let draft = drafted("t.yaml", &text).unwrap();
    assert_eq!((draft.answer.scorers[0].kind, draft.answer.scorers[0].options), ("exact", ""));
}

#[test]
fn a_variable_that_a_prompt_shows_stays_in_the_input() {
    let test = |n: usize| {
        format!("- {{vars: {{topic: topic {n}, gold: sea}}, assert: [{{type: icontains, value: '{{{{topic}}}}'}}]}}\n")
    };
    let tests: String = (0..3).map(test).collect();
    let shown = table("t.yaml", &format!("prompts: ['About {{{{ topic }}}}']\ntests:\n{tests}"));
    assert_eq!(
        (shown.roles.input, &shown.records[1].fields["expected"]),
        (vec!["topic".into(), "gold".into()], &json!("topic 1"))
    );
    let unseen = table("t.yaml", &format!("prompts: ['About {{{{gold}}}}, topic']\ntests:\n{tests}"));
    assert_eq!(unseen.roles.input, ["gold"]);
    assert!(unseen.notes.iter().any(|note| note.contains("`topic` holds the right answers")), "{:?}", unseen.notes);
}

#[test]
fn turns_that_are_marked_as_no_right_answer_are_none() {
    let row = |last: Value| json!({"messages": [{"role": "user", "content": "hello"}, last]}).to_string() + "\n";
    let rows = [
        json!({"role": "assistant", "content": "right", "weight": 1, "function_call": null, "tool_calls": null}),
        json!({"role": "assistant", "content": "wrong", "weight": 0}),
        json!({"role": "assistant", "content": null, "refusal": "I cannot"}),
    ];
    let (right, why) = carried("t.jsonl", &rows.map(row).concat());
    assert_eq!(right, ["right"]);
    assert!(why[0].contains("weight 0") && why[1].contains("refusal"), "{why:?}");
}

#[test]
fn several_right_choices_are_a_list_and_several_right_texts_a_pattern() {
    let rows = |choices: Value| -> String {
        let row = |target: Value| json!({"input": "which", "target": target, "choices": choices}).to_string() + "\n";
        row(json!(["A", "C"])) + &row(json!("B"))
    };
    assert_eq!(carried("t.jsonl", &rows(json!(["x", "y", "z"]))).0, [json!(["A", "C"]), json!(["B"])]);
    assert_eq!(carried("t.jsonl", &rows(Value::Null)).0[0], "^\\s*(?:A|C)\\s*$");
}

#[test]
fn rows_of_hosted_evals_have_their_columns_in_item() {
    let table = table("t.jsonl", "{\"item\": {\"question\": \"why\", \"label\": \"a\"}}\n");
    assert_eq!(table.columns(), ["question", "label"]);
}

#[test]
fn doubtful_labels_are_said_to_be() {
    let note = |labels: &[&str]| {
        let values: Vec<Value> = labels.iter().flat_map(|label| vec![json!(label); 6]).collect();
        conclude(&values, Hints { column: "label", ..Hints::default() }).unwrap().1.notes.join(" ")
    };
    assert!(note(&["0", "1", "2"]).contains("labels are numbers"));
    assert!(note(&["Refund", "refund ", "fault"]).contains("`Refund` and `refund` are two labels"));
    assert!(note(&["a", "a;b", "b;c", "b"]).contains("`a;b` look like several joined by `;`"));
    assert_eq!(note(&["yes, sir", "no, sir", "red"]), "");
    let many: Vec<Value> = (0..40).map(|n| json!(format!("l{n}"))).collect();
    assert!(
        conclude(&many, Hints { column: "label", ..Hints::default() }).unwrap().1.notes[0].contains("40 different")
    );
}

#[test]
fn answers_that_are_all_the_same_are_refused_unless_the_task_is_named() {
    let rows: String = (0..20).map(|n| format!("what about {n} then,x\n")).collect();
    let table = table("t.csv", &format!("text,label\n{rows}"));
    let profiles = Profiles::of(&table);
    let refusal = draft(table.clone(), "t", &wishes(), &profiles).unwrap_err();
    assert!(refusal.message.contains("all 20 rows have the same answer in `label`"), "{}", refusal.message);
    let named = Wishes { task: Some(Task::Classification), ..wishes() };
    assert!(draft(table, "t", &named, &profiles).is_ok());
}

#[test]
fn a_row_that_swallows_others_says_how_far_it_goes() {
    let rows =
        |end: &str| (0..20).map(|n| format!("what about {n} then,{}{end}", ["x", "y"][n % 2])).collect::<String>();
    for end in ["\n", "\r\n"] {
        let text = format!("text,label{end}{}\"open,x{end}it{end}goes,x{end}", rows(end));
        let (line, why) = table("t.csv", &text).left_out.into_iter().map(|row| (row.line, row.why)).next().unwrap();
        assert_eq!(line, 22);
        assert!(why.contains("1 column, the header 2, and it goes on to line 24"), "{why}");
    }
    let fault = read(&Source::new("t.csv", " \n"), Format::Csv).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), ("init/no-rows", "the file is empty"));
}

#[test]
fn a_first_prompt_names_what_the_answers_are() {
    let rows: String = (0..20).map(|n| format!("what about {n} then,{}\n", n % 2 == 0)).collect();
    let prompt = |column: &str| {
        let draft = drafted("t.csv", &format!("text,{column}\n{rows}")).unwrap();
        super::write::files(&draft, &super::models::Choice::default(), "t.csv")
            .into_iter()
            .find(|(name, _)| name == "prompts/v1.md.j2")
            .unwrap()
            .1
    };
    assert!(prompt("is_spam").contains("the input's is_spam, which is one of {{ labels }}"), "{}", prompt("is_spam"));
    assert!(prompt("label").contains("one of these labels: {{ labels }}"), "{}", prompt("label"));
}

proptest! {
    #[test]
    fn no_two_rows_that_are_all_but_the_same_are_on_two_sides(
        rows in prop::collection::vec(("[ab .]{0,30}", prop::option::of(0_u8..6)), 1..60),
        seed in 0_u64..1000,
    ) {
        let inputs: Vec<Value> = rows.iter().map(|(text, _)| json!(text)).collect();
        let clusters: Vec<Option<String>> = rows.iter().map(|(_, cluster)| cluster.map(|n| n.to_string())).collect();
        let ids: Vec<String> = (0..rows.len()).map(|n| n.to_string()).collect();
        let items: Vec<Item<'_>> = (0..rows.len())
            .map(|n| Item { id: &ids[n], input: &inputs[n], cluster: clusters[n].as_deref(), class: String::new() })
            .collect();
        let split = split(&items, None, seed);
        prop_assert_eq!(&groups(&items), &split.groups);
        for one in 0..rows.len() {
            for other in 0..one {
                let near = Grams::of(&inputs[one]).is_near(&Grams::of(&inputs[other]));
                let together = clusters[one].is_some() && clusters[one] == clusters[other];
                if near || together || inputs[one] == inputs[other] {
                    prop_assert_eq!(split.sides[one], split.sides[other], "{:?} and {:?}", inputs[one], inputs[other]);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(text in "[\\x00-\\x7f]{0,200}", format in 0_usize..6) {
        for name in ["t.csv", "t.json", "t.jsonl", "t.yaml"] {
            let source = Source::new(name, text.clone());
            for format in [Format::ALL[format].1, Format::of(&source)] {
                if let Ok(table) = read(&source, format) {
                    let profiles = Profiles::of(&table);
                    let _ = draft(table, "t", &wishes(), &profiles);
                }
            }
        }
    }
}
