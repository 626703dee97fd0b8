//! Untrusted text in Markdown: whatever it holds, it stays text. Nothing becomes a table cell, a tag, a link,
//! a formula or emphasis, and nobody is pinged.

use crate::digest::Digest;
use crate::text::one_line;

/// Digits of the digest that tells two names apart whose slugs would be the same.
const DIGEST_OF_SLUG: usize = 8;

/// A character of no width that joins: what stands on its two sides is no longer one reference.
const JOINER: char = '\u{2060}';

/// The text on one line as Markdown that reads as the same text, at most `limit` characters of it.
pub(in crate::report) fn escaped(text: &str, limit: usize) -> String {
    let line = one_line(text, limit);
    let mut safe = String::with_capacity(line.len() + 16);
    let characters: Vec<char> = line.chars().collect();
    for (place, &character) in characters.iter().enumerate() {
        push(&mut safe, character, characters.get(place + 1..).unwrap_or_default(), place == 0);
    }
    numbered(unlinked(safe))
}

fn push(safe: &mut String, character: char, rest: &[char], first: bool) {
    match character {
        '&' => safe.push_str("&amp;"),
        '<' => safe.push_str("&lt;"),
        '>' => safe.push_str("&gt;"),
        '|' => safe.push_str("&#124;"),
        '`' => safe.push_str("&#96;"),
        '\\' => safe.push_str("&#92;"),
        '$' => safe.push_str("&#36;"),
        '*' | '_' | '[' | ']' | '~' => safe.extend(['\\', character]),
        '-' | '+' | '=' if first => safe.extend(['\\', character]),
        '#' if first => safe.extend(['\\', character, JOINER]),
        // Mentions, references, addresses and names of pictures are found in the text that is shown, where no
        // escape is left of which they could be told.
        '@' | '#' | '!' => safe.extend([character, JOINER]),
        ':' if rest.first() == Some(&'/') || names_a_picture(rest) => safe.extend([character, JOINER]),
        _ => safe.push(character),
    }
}

/// Whether what follows a colon is a name and another colon, which is shown as a picture.
fn names_a_picture(rest: &[char]) -> bool {
    let length = rest.iter().take_while(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '+' | '-')).count();
    length > 0 && rest.get(length) == Some(&':')
}

/// `www.` and `GH-1` are links without any sign.
fn unlinked(mut safe: String) -> String {
    let lower = safe.to_ascii_lowercase();
    let is_number = |at: usize| lower[at..].starts_with(|next: char| next.is_ascii_digit());
    let sites = lower.match_indices("www.").map(|(at, _)| at + 3);
    let numbers = lower.match_indices("gh-").filter(|(at, _)| is_number(at + 3)).map(|(at, _)| at + 2);
    let mut places: Vec<usize> = sites.chain(numbers).collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        safe.insert(place, JOINER);
    }
    safe
}

/// `1.` at the beginning would be an item of a list.
fn numbered(mut safe: String) -> String {
    let digits = safe.chars().take_while(char::is_ascii_digit).count();
    if digits > 0 && safe[digits..].starts_with(['.', ')']) {
        safe.insert(digits, '\\');
    }
    safe
}

/// A sentence of ours in which names stand between backticks: these become code, all of it stays text.
pub(in crate::report) fn sentence(text: &str, limit: usize) -> String {
    let line = one_line(text, limit);
    let parts: Vec<&str> = line.split('`').collect();
    // An odd backtick is somebody else's.
    if parts.len().is_multiple_of(2) {
        return escaped(&line, limit);
    }
    let part = |(place, part): (usize, &&str)| {
        // Blanks beside code are the sentence's.
        let (before, after) = (part.starts_with(' ') && place > 0, part.ends_with(' ') && place + 1 < parts.len());
        let inner = escaped(part, limit);
        let blank = |is: bool| if is { " " } else { "" };
        match place % 2 {
            1 => format!("<code>{inner}</code>"),
            _ if inner.is_empty() => blank(before || after).to_owned(),
            _ => format!("{}{inner}{}", blank(before), blank(after)),
        }
    };
    parts.iter().enumerate().map(part).collect()
}

/// What of a name can stand in an anchor and in an HTML comment. A name of which something is lost ends in a short
/// digest of the whole: two names never share a slug, and the same name always has the same.
pub(in crate::report) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().take(120) {
        let kept = if character.is_ascii_alphanumeric() || matches!(character, '_' | '.') { character } else { '-' };
        // Two dashes would end a comment.
        if kept != '-' || !slug.ends_with('-') {
            slug.push(kept);
        }
    }
    if slug == name {
        return slug;
    }
    let digest = Digest::of(name.as_bytes()).to_string();
    let whole: String = digest.chars().filter(char::is_ascii_hexdigit).take(DIGEST_OF_SLUG).collect();
    format!("{}-{whole}", slug.trim_matches('-')).trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_markdown_reads_is_left() {
        for (text, safe) in [
            ("a|b", "a&#124;b"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("`rm`", "&#96;rm&#96;"),
            ("[x](y)", "\\[x\\](y)"),
            ("![x](y)", "!\u{2060}\\[x\\](y)"),
            ("**b** _i_ ~~s~~", "\\*\\*b\\*\\* \\_i\\_ \\~\\~s\\~\\~"),
            ("ask @octocat", "ask @\u{2060}octocat"),
            ("fixes #12, GH-12", "fixes #\u{2060}12, GH\u{2060}-12"),
            ("http://evil.example www.evil.example", "http:\u{2060}//evil.example www\u{2060}.evil.example"),
            (":tada:", ":\u{2060}tada:"),
            ("# heading", "\\#\u{2060} heading"),
            ("- item", "\\- item"),
            ("1. item", "1\\. item"),
            ("$x$", "&#36;x&#36;"),
            ("&copy; \\|", "&amp;copy; &#92;&#124;"),
            ("two\nlines\u{202e}\u{1b}[31m", "two lines\\[31m"),
        ] {
            assert_eq!(escaped(text, 200), safe);
        }
        assert_eq!(escaped("abcdef", 3), "abc…");
    }

    #[test]
    fn names_in_our_sentences_are_code() {
        assert_eq!(sentence("best `rag_3` at 20.4% (n 280)", 200), "best <code>rag\\_3</code> at 20.4% (n 280)");
        assert_eq!(sentence("`a` and `b`", 200), "<code>a</code> and <code>b</code>");
        assert_eq!(sentence("a `<b>` c", 200), "a <code>&lt;b&gt;</code> c");
        assert_eq!(sentence("one ` alone", 200), "one &#96; alone");
    }

    #[test]
    fn a_slug_cannot_end_a_comment() {
        assert_eq!(slug("outages"), "outages");
        assert!(slug("a --> <b>").starts_with("a-b-"));
        assert!(!slug("a --> <b>").contains("--") && !slug("--").contains("--"));
    }

    #[test]
    fn names_that_differ_have_slugs_that_differ() {
        let names = ["日本", "中国", "a b", "a-b", "a/b", "", "-", &"x".repeat(120), &"x".repeat(121)];
        let slugs: std::collections::BTreeSet<String> = names.iter().map(|name| slug(name)).collect();
        assert_eq!(slugs.len(), names.len(), "{slugs:?}");
        assert_eq!(slug("日本"), slug("日本"));
    }

    proptest! {
        #[test]
        fn no_text_opens_anything(text in "(?s).{0,60}") {
            let safe = escaped(&text, 200);
            prop_assert!(!safe.contains(['<', '>', '|', '`', '$', '\n', '\r']));
            prop_assert!(!safe.contains("](") || safe.contains("\\]("));
            for (place, _) in safe.match_indices('@') {
                prop_assert!(safe[place + 1..].starts_with(JOINER));
            }
            prop_assert!(!safe.contains("://"));
        }
    }
}
