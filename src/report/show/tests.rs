use super::*;

#[test]
fn the_place_at_which_text_stops_being_json_is_marked() {
    assert_eq!(marked_text("{\"a\": }", 6, "expected value", 80), "{\"a\": }\n      ^ not JSON: expected value");
    assert_eq!(marked_text("x\ny\nz", 2, "no", 80), "x\ny\n^ not JSON: no\nz");
    assert_eq!(marked_text("", 0, "nothing", 80), "(empty)\n^ not JSON: nothing");
    assert_eq!(marked_text("ab", 99, "cut", 80), "ab\n  ^ not JSON: cut");
    assert!(marked_text(&"x".repeat(90), 80, "no", 80).ends_with("^ at character 81 of this line: not JSON: no"));
}
