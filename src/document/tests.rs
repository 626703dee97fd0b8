//! All faults at once, order, places.

use super::*;

static FAMILY: Family = Family {
    syntax: "suite/syntax",
    unknown_key: "suite/unknown-key",
    missing_key: "suite/missing-key",
    wrong_type: "suite/wrong-type",
    unknown_value: "suite/unknown-value",
    out_of_range: "suite/out-of-range",
    not_yet: "suite/not-yet",
};

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let source = Source::new("s.toml", "a = \"x\"\nb = 3\nnaem = 1\nk = 2.0\n[t]\nzz = 1\n");
    let document = Document::parse(&source, &FAMILY);
    let root = document.root();
    assert_eq!(root.number("a").map(Spanned::into_inner), None);
    assert_eq!(root.whole("b", 0).map(Spanned::into_inner), Some(3));
    root.required("name", root.text("name"));
    root.whole("k", 0);
    root.section("t").unwrap().finish();
    root.finish();
    let mut faults = document.into_faults();
    faults.sort();
    let found: Vec<_> = faults.iter().map(|f| (f.code, f.line, f.column)).collect();
    assert_eq!(
        found,
        [
            ("suite/missing-key", 1, 1),
            ("suite/wrong-type", 1, 5),
            ("suite/unknown-key", 3, 1),
            ("suite/wrong-type", 4, 5),
            ("suite/unknown-key", 6, 1)
        ]
    );
    assert_eq!(faults.iter().nth(2).unwrap().help.as_deref(), Some("did you mean `name`?"));
}

#[test]
fn tables_keep_their_order_as_json() {
    let source = Source::new("s.toml", "p = { z = 1, a = [1.5, \"x\"], m = { y = true, b = 0x10 } }");
    let document = Document::parse(&source, &FAMILY);
    let json = document.root().json("p").unwrap().into_inner();
    assert_eq!(json.to_string(), r#"{"z":1,"a":[1.5,"x"],"m":{"y":true,"b":16}}"#);
}

#[test]
fn what_is_not_toml_is_named_with_its_place() {
    let source = Source::new("s.toml", "a = 1\nb = = 2\n");
    let faults = Document::parse(&source, &FAMILY).into_faults();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.code, fault.line), ("suite/syntax", 2));
}
