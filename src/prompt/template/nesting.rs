//! How far a template nests, before it is compiled: the compiler calls itself for each operator of a chain and for
//! each `elif`, and has a limit for brackets and blocks alone.

/// Bytes between `{{` and `}}` or `{%` and `%}`, at most.
pub(super) const LONGEST_TAG: usize = 8 * 1024;

/// Most `elif` in a part.
pub(super) const MOST_ELIF: usize = 500;

/// The line, from 1, and what is too much there.
pub(super) fn fault(source: &str) -> Option<(usize, String)> {
    let bytes = source.as_bytes();
    let (mut at, mut elifs, mut is_raw) = (0, 0, false);
    while let Some(found) = next_opening(bytes, at) {
        let start = found + 2;
        if bytes[found + 1] == b'#' && !is_raw {
            at = source[start..].find("#}").map_or(bytes.len(), |length| start + length + 2);
            continue;
        }
        let is_block = bytes[found + 1] == b'%';
        if is_raw {
            // What looks like a tag is text, and may have no end.
            is_raw = !(is_block && is_endraw(&bytes[start..]));
            at = start;
            continue;
        }
        let end = closing(bytes, start, if is_block { b'%' } else { b'}' });
        let inside = source.get(start..end).unwrap_or_default();
        let word = inside.trim_start_matches(['-', '+']).split_whitespace().next().unwrap_or_default();
        is_raw = is_block && word.trim_end_matches(['-', '+']) == "raw";
        elifs += usize::from(is_block && word == "elif");
        let what = match (end - start > LONGEST_TAG, elifs > MOST_ELIF) {
            (true, _) => format!("more than {LONGEST_TAG} bytes between braces"),
            (_, true) => format!("more than {MOST_ELIF} `elif`"),
            _ => {
                at = end;
                continue;
            }
        };
        return Some((1 + source[..found].matches('\n').count(), what));
    }
    None
}

/// Whether a tag that begins here ends a raw block.
fn is_endraw(inside: &[u8]) -> bool {
    let inside = inside.strip_prefix(b"-").or_else(|| inside.strip_prefix(b"+")).unwrap_or(inside);
    let word = inside.trim_ascii_start().strip_prefix(b"endraw");
    word.is_some_and(|after| !after.first().is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_'))
}

/// Where the next tag or comment begins.
fn next_opening(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    tail.windows(2).position(|pair| matches!(pair, [b'{', b'{' | b'%' | b'#'])).map(|at| from + at)
}

/// Where a tag ends: not in a string, and not while a bracket is open.
fn closing(bytes: &[u8], from: usize, last: u8) -> usize {
    let (mut at, mut open) = (from, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at += 1;
                while bytes.get(at).is_some_and(|&inside| inside != byte) {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            _ if open == 0 && byte == last && bytes.get(at + 1) == Some(&b'}') => return at,
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_far_is_named_with_its_line() {
        let long = "\n{{ a".to_owned() + &".a".repeat(LONGEST_TAG) + " }}";
        assert_eq!(fault(&long).map(|(line, _)| line), Some(2));
        for hidden in
            ["{% raw %}{# {% endraw %}{{ a", "{{ '}}' ~ {'a': {'b': 1}}", "{% set x = \"%}\" ~ [1][0]", "{{ '\\'}}' "]
        {
            assert!(fault(&(hidden.to_owned() + &" ~ a".repeat(LONGEST_TAG) + " }}")).is_some(), "{hidden}");
        }
        let elifs = "{% if a %}x".to_owned() + &"{%- elif a %}x".repeat(MOST_ELIF + 1) + "{% endif %}";
        assert!(fault(&elifs).is_some());
    }

    #[test]
    fn raw_text_is_looked_at_once() {
        // Each opening would be followed to the end of the text.
        assert_eq!(fault(&("{% raw %}".to_owned() + &"{{ ".repeat(300_000))), None);
    }

    #[test]
    fn long_text_is_no_long_tag() {
        let text = "don't { ".repeat(10_000);
        for fine in [
            text.clone(),
            format!("{{# {text} #}}"),
            format!("{{% raw %}}{{{{ ' {text}{{% endraw %}}{{{{ a }}}}"),
            format!("{{{{ a }}}}{text}{{% if b %}}{text}{{% elif c %}}{{% endif %}}"),
            "{{".to_owned(),
            "{% 'é".to_owned(),
            "{#".to_owned(),
        ] {
            assert_eq!(fault(&fine), None, "{}", &fine[..20.min(fine.len())].escape_debug());
        }
    }
}
