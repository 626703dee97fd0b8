//! `[data] audit` put into suite.toml, everything else of it byte for byte as it was.

use std::ops::Range;

use toml::{Spanned, de::DeTable, de::DeValue};

use crate::suite::LabelAudit;

/// Why the file is not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// The key is spread over lines of its own, or `[data]` is.
    #[error("`[data]` or its `audit` is written in a way that is not edited")]
    Written,
    /// The file cannot be parsed.
    #[error("suite.toml cannot be parsed")]
    Syntax,
}

/// The key as it stands in `[data]`.
pub fn line(audit: LabelAudit) -> String {
    format!("audit = {{ checked = {}, wrong = {} }}", audit.checked, audit.wrong)
}

/// The text with the key set in `[data]`: in the place of the one that is there, else after the table's heading.
///
/// # Errors
/// Where the table or the key is written in another way than `[data]` and `audit = { … }`.
pub fn with_audit(text: &str, audit: LabelAudit) -> Result<String, NotEdited> {
    let edited = match audit_span(text)? {
        Some(span) => format!("{}{}{}", &text[..span.start], value(audit), &text[span.end..]),
        None => {
            let end = heading_end(text).ok_or(NotEdited::Written)?;
            let ending = if text[..end].ends_with("\r\n") { "\r\n" } else { "\n" };
            let before = if text[..end].ends_with('\n') { "" } else { ending };
            format!("{}{before}{}{ending}{}", &text[..end], line(audit), &text[end..])
        }
    };
    if says_only_this(text, &edited, audit) { Ok(edited) } else { Err(NotEdited::Written) }
}

fn value(audit: LabelAudit) -> String {
    format!("{{ checked = {}, wrong = {} }}", audit.checked, audit.wrong)
}

/// Where the value of `audit` stands; `None` where there is none.
fn audit_span(text: &str) -> Result<Option<Range<usize>>, NotEdited> {
    let root = DeTable::parse(text).map_err(|_| NotEdited::Syntax)?;
    let get = |table: &DeTable<'_>, name: &str| -> Option<Range<usize>> { table.get(name).map(Spanned::span) };
    let Some(DeValue::Table(data)) = root.get_ref().get("data").map(Spanned::get_ref) else {
        return Err(NotEdited::Written);
    };
    match get(data, "audit") {
        None => Ok(None),
        Some(span) if text[span.clone()].starts_with('{') && text[span.clone()].ends_with('}') => Ok(Some(span)),
        Some(_) => Err(NotEdited::Written),
    }
}

/// The end of the line `[data]`.
fn heading_end(text: &str) -> Option<usize> {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let heading = line.split('#').next().unwrap_or_default().trim();
        if heading.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim) == Some("data") {
            return Some(end);
        }
    }
    None
}

/// Whether the edited file is the old one with this audit: a line that looks like a heading may stand in a text.
fn says_only_this(text: &str, edited: &str, audit: LabelAudit) -> bool {
    let without = |text: &str| -> Option<(toml::Table, Option<toml::Value>)> {
        let mut table: toml::Table = text.parse().ok()?;
        let audit = table.get_mut("data")?.as_table_mut()?.remove("audit");
        Some((table, audit))
    };
    let (Some((before, _)), Some((after, Some(found)))) = (without(text), without(edited)) else { return false };
    let count = |key: &str| found.get(key).and_then(toml::Value::as_integer).and_then(|n| u64::try_from(n).ok());
    before == after && count("checked") == Some(audit.checked) && count("wrong") == Some(audit.wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIT: LabelAudit = LabelAudit { checked: 100, wrong: 3 };

    #[test]
    fn the_key_is_added_after_the_heading_or_takes_the_place_of_the_old_one() {
        let text = "# mine\n[suite]\nname='x'   # keep\n\n[ data ] # where\nexamples = \"t.jsonl\"\n";
        let edited = with_audit(text, AUDIT).unwrap();
        assert_eq!(
            edited,
            "# mine\n[suite]\nname='x'   # keep\n\n[ data ] # where\naudit = { checked = 100, wrong = 3 }\nexamples = \"t.jsonl\"\n"
        );
        let again = with_audit(&edited, LabelAudit { checked: 120, wrong: 4 }).unwrap();
        assert_eq!(again, edited.replace("100, wrong = 3", "120, wrong = 4"));
        let windows = with_audit(&text.replace('\n', "\r\n"), AUDIT).unwrap();
        assert_eq!(windows, edited.replace('\n', "\r\n"));
    }

    #[test]
    fn what_is_written_otherwise_is_left_alone() {
        for text in [
            "[data]\nexamples = \"t\"\n[data.audit]\nchecked = 1\nwrong = 0\n",
            "[data]\nexamples = \"t\"\naudit.checked = 1\naudit.wrong = 0\n",
            "data = { examples = \"t\" }\n",
            "text = \"\"\"\n[data]\n\"\"\"\n[data]\nexamples = 1\n",
            "[suite]\n",
        ] {
            assert_eq!(with_audit(text, AUDIT), Err(NotEdited::Written), "{text}");
        }
        assert_eq!(with_audit("[data", AUDIT), Err(NotEdited::Syntax));
    }
}
