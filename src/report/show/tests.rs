use super::*;

#[test]
fn the_place_at_which_text_stops_being_json_is_marked() {
    assert_eq!(marked_text("{\"a\": }", 6, "expected value"), "{\"a\": }\n      ^ not JSON: expected value");
    assert_eq!(marked_text("x\ny\nz", 2, "no"), "x\ny\n^ not JSON: no\nz");
    assert_eq!(marked_text("", 0, "nothing"), "(empty)\n^ not JSON: nothing");
    assert_eq!(marked_text("ab", 99, "cut"), "ab\n  ^ not JSON: cut");
    assert!(marked_text(&"x".repeat(90), 80, "no").ends_with("^ character 81 of the line: not JSON: no"));
}
