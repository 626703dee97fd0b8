//! Untrusted text made safe to show: whatever a model or a server says is data.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The text on one line, without control, escape and bidirectional-override characters, at most
/// `limit` characters long. Line breaks and tabs become a space.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut spaced = true;
    for character in text.chars() {
        let shown = if character.is_whitespace() { ' ' } else { character };
        if is_unsafe(shown) || (shown == ' ' && spaced) {
            continue;
        }
        if length == limit {
            line.push('…');
            break;
        }
        spaced = shown == ' ';
        line.push(shown);
        length += 1;
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text with its line breaks and tabs, but without terminal control sequences.
pub fn printable(text: &str) -> String {
    text.chars().filter(|&character| character == '\n' || character == '\t' || !is_unsafe(character)).collect()
}

/// Control characters, the bidirectional controls that can make text read as something else, and what cannot be
/// seen at all. Joiners stay: scripts are written with them.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Columns that the text takes in a terminal: two for a wide character, none for a joiner or an accent of its own.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The same of a character.
pub fn columns_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The text, filled with blanks to so many columns.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Characters beyond which a name is nobody's typo: distances take time and memory by both lengths.
const LONGEST_TYPED: usize = 200;

/// The nearest of `names` to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = |name: &str| name.chars().take(LONGEST_TYPED + 1).count();
    let typed = length(word);
    let may_be_meant = |name: &&str| {
        let length = length(name);
        typed.max(length) <= LONGEST_TYPED && typed.abs_diff(length) <= (typed.max(length) / 3).max(1)
    };
    names
        .into_iter()
        .filter(may_be_meant)
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(word.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_overrides_are_dropped() {
        assert_eq!(one_line("a\u{1b}[31mred\u{202e}\n\n b", 80), "a[31mred b");
        assert_eq!(printable("x\u{7}\ny"), "x\ny");
        let unseen = "a\u{61c}\u{180e}\u{200b}\u{2060}\u{2064}\u{e0041}\u{e007f}b";
        assert_eq!((printable(unseen), printable("a\u{200d}b\u{200c}")), ("ab".into(), "a\u{200d}b\u{200c}".into()));
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(["abc", "日本", "e\u{301}", "▲ ≈ –"].map(columns), [3, 4, 1, 5]);
        assert_eq!((padded("日", 4), padded("abcde", 4)), ("日  ".to_owned(), "abcde".to_owned()));
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        assert_eq!(one_line("abcdef", 3), "abc…");
    }

    #[test]
    fn a_typo_finds_its_word() {
        assert_eq!(nearest("promt", ["model", "prompt", "name"]), Some("prompt"));
        assert_eq!(nearest("zzz", ["model", "prompt"]), None);
        let endless = "prompt".repeat(5_000_000);
        assert_eq!(nearest("promt", [&endless, "prompt"]), Some("prompt"));
        assert_eq!(nearest(&endless, [endless.as_str()]), None);
    }
}
