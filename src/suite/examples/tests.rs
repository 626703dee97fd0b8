//! CSV, maps and samples.

use super::*;

fn source(name: &str, text: &str, spec: ExampleFiles) -> (tempfile::TempDir, ExampleSource) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, ExampleSource::new(ExampleFiles { files: vec![path], ..spec }))
}

fn label() -> Option<Wrap> {
    Some(Wrap { field: "label".into(), as_json: false })
}

#[test]
fn csv_with_other_column_names() {
    let map = FieldMap { input: Some("text".into()), expected: Some("category".into()), ..FieldMap::default() };
    let text = "text,category,tags.region\n\"a, \"\"b\"\"\nc\",A,north\nd,B,\n";
    let (_folder, source) = source("rows.csv", text, ExampleFiles { map, wrap: label(), ..ExampleFiles::default() });
    let rows: Vec<_> = source.read().map(Result::unwrap).collect();
    assert_eq!(rows[0].example.input, "a, \"b\"\nc");
    assert_eq!(rows[0].example.expected, serde_json::json!({"label": "A"}));
    assert_eq!(rows[0].example.tags["region"], "north");
    assert_eq!((rows[1].example.id.0.as_str(), rows[1].line), ("rows-2", 4));
    assert!(rows[1].example.tags.is_empty());
}

#[test]
fn csv_without_its_column_or_with_a_short_row() {
    let (_folder, missing) = source("rows.csv", "text,expected\na,b\n", ExampleFiles::default());
    let fault = missing.read().next().unwrap().unwrap_err();
    assert_eq!((fault.code, fault.line), ("suite/missing-column", 1));
    assert_eq!(missing.read().count(), 1);
    let (_folder, short) = source("rows.csv", "input,expected\na\nb,c\n", ExampleFiles::default());
    let rows: Vec<_> = short.read().collect();
    assert_eq!(rows[0].as_ref().unwrap_err().line, 2);
    assert!(rows[1].is_ok());
}

#[test]
fn csv_rows_know_their_lines_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let rows = ["input,expected", "a,x", "\"b", "c\",x", "", "d,x", "short", "", "", "e,x"];
        for mark in ["", "\u{feff}"] {
            let (_folder, source) = source("rows.csv", &format!("{mark}{}", rows.join(end)), ExampleFiles::default());
            let lines: Vec<u64> =
                source.read().map(|row| row.map_or_else(|fault| u64::from(fault.line), |row| row.line)).collect();
            assert_eq!(lines, [2, 3, 6, 7, 10], "{end:?} {mark:?}");
        }
        let many: String = (0..20_000).map(|n| format!("row {n},x{end}")).collect();
        let (_folder, source) = source("rows.csv", &format!("input,expected{end}{many}"), ExampleFiles::default());
        assert!(source.read().map(|row| row.unwrap().line).eq(2..20_002), "{end:?}");
    }
}

#[test]
fn json_lines_by_pointer() {
    let map = FieldMap {
        id: Some("/meta/n".into()),
        input: Some("text".into()),
        expected: Some("/gold/0".into()),
        ..FieldMap::default()
    };
    let text = r#"{"meta": {"n": 7}, "text": "a", "gold": ["A"], "tags": {"x": true}}"#;
    let (_folder, source) = source("rows.jsonl", text, ExampleFiles { map, wrap: label(), ..ExampleFiles::default() });
    let row = source.read().next().unwrap().unwrap();
    assert_eq!((row.example.id.0.as_str(), row.example.tags["x"].as_str()), ("7", "true"));
    assert_eq!(row.example.expected, serde_json::json!({"label": "A"}));
}

#[test]
fn a_sample_is_the_same_in_any_order_and_keeps_proportions() {
    let row = |n: usize| {
        format!(
            "{{\"id\": \"e{n}\", \"input\": {n}, \"expected\": \"{}\"}}\n",
            if n.is_multiple_of(4) { "A" } else { "B" }
        )
    };
    let sample = Sample { n: 40, seed: 7, stratify: Stratify::parse("expected") };
    let spec = || ExampleFiles { sample: Some(sample.clone()), ..ExampleFiles::default() };
    let chosen = |text: &str| {
        let (_folder, source) = source("rows.jsonl", text, spec());
        let rows: Vec<Example> = source.read().map(|row| row.unwrap().example).collect();
        assert_eq!(rows.iter().filter(|example| example.expected == "A").count(), 10);
        rows.into_iter().map(|example| example.id.0).collect::<BTreeSet<_>>()
    };
    let forward: String = (0..400).map(row).collect();
    let backward: String = (0..400).rev().map(row).collect();
    let ids = chosen(&forward);
    assert_eq!(ids.len(), 40);
    assert_eq!(ids, chosen(&backward));
}

#[test]
fn limit_and_ids_choose_after_the_sample() {
    let text: String = (0..9).map(|n| format!("{{\"id\": \"e{n}\", \"input\": 1, \"expected\": 2}}\n")).collect();
    let only = Some(BTreeSet::from(["e3".to_owned(), "e5".to_owned()]));
    let (_folder, source) =
        source("rows.jsonl", &text, ExampleFiles { only, limit: Some(1), ..ExampleFiles::default() });
    let ids: Vec<_> = source.read().map(|row| row.unwrap().example.id.0).collect();
    assert_eq!(ids, ["e3"]);
    assert_eq!(source.read_all().count(), 9);
}

/// Rows and faults as text, one way and the other.
fn both_ways(source: &ExampleSource) -> [Vec<String>; 2] {
    let mut on_all_cores = Vec::new();
    source.each(|row| format!("{row:?}"), |row| on_all_cores.push(row));
    [source.read().map(|row| format!("{row:?}")).collect(), on_all_cores]
}

#[test]
fn all_cores_read_what_one_reads() {
    let pad = "x".repeat(300);
    let rows = (0..6_000).map(|n| match n % 1_000 {
        500 => "not JSON\n".to_owned(),
        501 => "\n".to_owned(),
        502 => format!("{{\"id\": {n}, \"input\": \"{pad}\", \"expected\": [1]}}\n"),
        503 => "{\"id\": \"\", \"input\": 1, \"expected\": 2}\n".to_owned(),
        504 => "{\"id\": \"t\", \"input\": 1, \"expected\": 2, \"tags\": {\"a\": true}}\r\n".to_owned(),
        _ => format!("{{\"id\": \"e{n}\", \"input\": \"{pad}\", \"expected\": {{\"label\": {}}}}}\n", n % 7),
    });
    let lines: String = rows.collect();
    let csv: String = (0..5_000).map(|n| if n == 4_000 { "short\n".into() } else { format!("{pad}{n},x\n") }).collect();
    let csv = format!("input,expected\n{csv}");
    let shard = Some("2/3".parse().unwrap());
    let sample = Some(Sample { n: 90, seed: 7, stratify: None });
    let plain = ExampleFiles::default;
    let specs = [
        plain(),
        ExampleFiles { limit: Some(0), ..plain() },
        ExampleFiles { limit: Some(3_700), ..plain() },
        ExampleFiles { limit: Some(3_700), shard, ..plain() },
        ExampleFiles { sample, shard, ..plain() },
        ExampleFiles { tags: vec![("a".into(), "true".into())], ..plain() },
    ];
    for spec in specs {
        for (name, text) in [("rows.jsonl", &lines), ("rows.csv", &csv), ("none.csv", &String::new())] {
            let (_folder, source) = source(name, text, spec.clone());
            let [one, all] = both_ways(&source);
            assert!(one == all, "{name} {spec:?}: {} and {} rows", one.len(), all.len());
        }
    }
    let gone = ExampleSource::of_file("/nowhere/rows.jsonl");
    let [one, all] = both_ways(&gone);
    assert_eq!((one.len(), &one), (1, &all));
}

#[test]
fn what_is_read_at_once_is_what_its_tree_says() {
    let place = |text| row::RowPlace { path: Path::new("r.jsonl"), line: 1, row: 1, text };
    for text in [
        r#"{"id":"a","input":{"b":[1,2.50]},"expected":"x"}"#,
        r#"{"id":"a","input":null,"expected":null,"cluster":"c","tags":{"t":"u"},"documents":["d"],"more":{"x":1}}"#,
        r#"{"id":"\u00e9","input":"\ud83d\ude00","expected":{"z":1,"a":2},"tags":null,"cluster":null}"#,
        r#"{"id":1,"input":"i","expected":"x","tags":{"t":1}}"#,
        r#"{"id":"a","id":"b","input":"i","expected":"x"}"#,
    ] {
        let value = serde_json::from_str(text).unwrap();
        let slowly = row::example_of(&value, &place(text), &ExampleFiles::default()).unwrap();
        if let Some(at_once) = row::plain_example(text.as_bytes(), &ExampleFiles::default()) {
            assert_eq!(at_once, slowly, "{text}");
        }
    }
}

#[test]
fn a_list_is_no_example() {
    let (_folder, source) = source("rows.jsonl", "[\"e1\", \"text\", \"A\", null, null]\n", ExampleFiles::default());
    assert_eq!(source.read().next().unwrap().unwrap_err().code, "suite/bad-example");
}
