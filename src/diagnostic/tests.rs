//! Places, excerpts and the two forms of output.

use super::*;

fn unknown_key() -> Diagnostic {
    let source = Source::new("suites/x/suite.toml", "[suite]\nnam = \"x\"\n");
    Diagnostic::error("suite/unknown-key", &source.path, "unknown key `nam` in [suite]")
        .in_source(&source, 8..11)
        .suggest("nam", ["name", "task"])
}

#[test]
fn a_fault_is_shown_with_its_line_and_hint() {
    let shown = unknown_key().render(Style::Plain);
    assert_eq!(
        shown,
        "error[suite/unknown-key]: unknown key `nam` in [suite]\n \
         --> suites/x/suite.toml:2:1\n  |\n2 | nam = \"x\"\n  | ^^^\n  |\n  = help: did you mean `name`?\n"
    );
    assert!(unknown_key().render(Style::Coloured).contains('\u{1b}'));
}

#[test]
fn json_has_the_place() {
    let json = unknown_key().to_json();
    assert_eq!(json["code"], "suite/unknown-key");
    assert_eq!((json["line"].as_u64(), json["column"].as_u64()), (Some(2), Some(1)));
    assert_eq!(json["severity"], "error");
}

#[test]
fn a_long_line_is_cut_around_the_fault() {
    let line = format!("{}ö{}", "a".repeat(1000), "b".repeat(100_000));
    let fault = Diagnostic::error("suite/bad-json", "x.jsonl", "bad").in_line(7, &line, 1000..1002);
    let excerpt = fault.excerpt.as_ref().unwrap();
    assert!(excerpt.text.len() < 200);
    assert_eq!(&excerpt.text[excerpt.mark.clone()], "ö");
    assert_eq!((fault.line, fault.column), (7, 1001));
    assert!(fault.render(Style::Plain).contains("x.jsonl:7:1001"), "{}", fault.render(Style::Plain));
}

#[test]
fn columns_count_characters() {
    let source = Source::new("s", "é = 1\nü x");
    assert_eq!(source.position(0), (1, 1));
    assert_eq!(source.position(10), (2, 3));
}

#[test]
fn hostile_text_cannot_reach_the_terminal() {
    let fault = Diagnostic::error("suite/bad-json", "x\u{1b}[2J", "bad \u{1b}[31m").in_line(1, "a\u{1b}b", 0..3);
    assert!(!fault.render(Style::Plain).contains('\u{1b}'));
}

#[test]
fn every_code_in_the_source_is_in_the_table_and_every_row_is_used() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = std::collections::BTreeSet::new();
    let mut folders = vec![root];
    let pattern = regex::Regex::new(
        r#""((?:baseline|suite|provider|evidence|init|import|labels|training)/[a-z0-9]+(?:-[a-z0-9]+)*)""#,
    )
    .unwrap();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "codes.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                used.extend(pattern.captures_iter(text).map(|found| found[1].to_owned()));
            }
        }
    }
    let table: std::collections::BTreeSet<String> = CODES.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(table.len(), CODES.len(), "a code stands twice");
    assert_eq!(used, table);
}
