//! Regular expressions that a grammar can be built from.

/// Why a provider would refuse a pattern; `None` where it would not.
pub(super) fn refused(pattern: &str, word_boundaries: bool) -> Option<&'static str> {
    let mut rest = pattern;
    while let Some(at) = rest.find(['\\', '(']) {
        let after = &rest[at + 1..];
        if rest.as_bytes()[at] == b'(' {
            if ["?=", "?!", "?<=", "?<!"].iter().any(|group| after.starts_with(group)) {
                return Some("look-around");
            }
            rest = after;
            continue;
        }
        match after.chars().next() {
            Some('1'..='9' | 'k') => return Some("a back-reference"),
            Some('b' | 'B') if !word_boundaries => return Some("a word boundary"),
            // The escaped character is skipped, so that `\\1` and `\(?=` are what they are.
            Some(escaped) => rest = &after[escaped.len_utf8()..],
            None => break,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_around_and_back_references_are_found_where_they_are_meant() {
        assert_eq!(refused("^(?=a)b$", true), Some("look-around"));
        assert_eq!(refused("(?<!a)b", true), Some("look-around"));
        assert_eq!(refused(r"(a)\1", true), Some("a back-reference"));
        assert_eq!(refused(r"\bword", false), Some("a word boundary"));
        assert_eq!(refused(r"\bword", true), None);
        for plain in ["^[A-Z]{3}-\\d+$", r"\(?=x", r"\\1", "(?:a|b)", "(?<name>a)", "é\\"] {
            assert_eq!(refused(plain, false), None, "{plain}");
        }
    }
}
