//! `[score]`: which options each kind of scorer has.

use toml::Spanned;

use crate::document::Section;
use crate::suite::{ListMatch, Normalisation, ScorerKind, ScorerSpec, SimilarityMatch};

const NORMALISATIONS: &[(&str, Normalisation)] = &[
    ("case", Normalisation::Case),
    ("whitespace", Normalisation::Whitespace),
    ("nfkc", Normalisation::Nfkc),
    ("punctuation", Normalisation::Punctuation),
];

/// The kinds, in the order of the help; `judge` comes with a later version.
const KINDS: &[(&str, &str)] = &[
    ("exact", "exact"),
    ("field-f1", "field-f1"),
    ("set-f1", "set-f1"),
    ("numeric", "numeric"),
    ("contains", "contains"),
    ("regex", "regex"),
    ("similarity", "similarity"),
    ("command", "command"),
    ("stated", "stated"),
    ("judge", "judge"),
];

/// `[score]`.
#[derive(Debug, Default)]
pub(crate) struct RawScore {
    pub(crate) primary: Option<Spanned<String>>,
    /// Name and scorer, in file order.
    pub(crate) scorers: Vec<(Spanned<String>, ScorerSpec)>,
}

impl RawScore {
    pub(super) fn read(section: Section<'_>) -> Self {
        let primary = section.text("primary");
        let mut scorers = Vec::new();
        if let Some(named) = section.required("scorers", section.section("scorers")) {
            for name in named.names() {
                let Some(scorer) = named.section(name.get_ref()) else { continue };
                if let Some(spec) = read_scorer(scorer, name.get_ref()) {
                    scorers.push((name, spec));
                }
            }
        }
        section.finish();
        Self { primary, scorers }
    }
}

fn read_scorer(section: Section<'_>, id: &str) -> Option<ScorerSpec> {
    let at = pointer(&section, "at").unwrap_or_default();
    let expected_at = pointer(&section, "expected_at").unwrap_or_else(|| at.clone());
    let kind = section.required("kind", section.choice("kind", KINDS)).and_then(|kind| read_kind(&section, &kind));
    // Without a kind, which options are known cannot be said.
    let kind = kind?;
    section.finish();
    Some(ScorerSpec { id: id.to_owned(), kind, at, expected_at })
}

fn read_kind(section: &Section<'_>, kind: &Spanned<&str>) -> Option<ScorerKind> {
    let normalise = || section.choices("normalise", NORMALISATIONS).into_iter().map(Spanned::into_inner).collect();
    let amount = |key: &str| section.number_in(key, 0.0, f64::INFINITY).unwrap_or(0.0);
    Some(match *kind.get_ref() {
        "exact" => ScorerKind::Exact { normalise: normalise() },
        "set-f1" => ScorerKind::SetF1 { normalise: normalise() },
        "contains" => ScorerKind::Contains { normalise: normalise() },
        "numeric" => ScorerKind::Numeric { absolute: amount("absolute"), relative: amount("relative") },
        "field-f1" => {
            let choices = [("position", ListMatch::Position), ("best", ListMatch::Best)];
            let list_match = section.choice("match", &choices).map(Spanned::into_inner).unwrap_or_default();
            ScorerKind::FieldF1 { tolerance: amount("tolerance"), list_match }
        }
        "regex" => {
            let pattern = section.text("pattern");
            if let Some(Err(error)) = pattern.as_ref().map(|pattern| regex::Regex::new(pattern.get_ref())) {
                let message = format!("`pattern` is not a regular expression: {}", last_line(&error.to_string()));
                let span = pattern.as_ref().map_or_else(|| section.span(), Spanned::span);
                section.report(section.error("suite/bad-pattern", span, message));
            }
            ScorerKind::Regex { pattern: pattern.map(Spanned::into_inner) }
        }
        "similarity" => {
            let choices = [("levenshtein", SimilarityMatch::Levenshtein), ("token-f1", SimilarityMatch::TokenF1)];
            let by = section.choice("match", &choices).map_or(SimilarityMatch::Levenshtein, Spanned::into_inner);
            ScorerKind::Similarity { by, threshold: section.number_in("threshold", 0.0, 1.0) }
        }
        "command" => {
            let argv: Vec<String> = section.texts("command").into_iter().map(Spanned::into_inner).collect();
            section.required("command", (!argv.is_empty()).then_some(()))?;
            ScorerKind::Command { argv }
        }
        "stated" => ScorerKind::Stated { metric: section.text("metric").map(Spanned::into_inner) },
        later => {
            let message = format!("scorers of kind `{later}` are not supported yet");
            section.report(section.error("suite/not-yet", kind.span(), message));
            return None;
        }
    })
}

/// The regex library draws a picture; its last line says what is wrong.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

/// A JSON Pointer: empty, or starting with a slash.
fn pointer(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.text(key)?;
    if text.get_ref().is_empty() || text.get_ref().starts_with('/') {
        return Some(text.into_inner());
    }
    let fault = section.error("suite/bad-pointer", text.span(), format!("`{key}` must be a JSON Pointer"));
    section.report(fault.help(format!("write `/{}`", text.get_ref().replace('.', "/"))));
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kinds_are_those_that_can_be_built() {
        let mut built: Vec<_> = crate::score::KINDS.iter().map(|(kind, _)| *kind).collect();
        built.push("judge");
        assert_eq!(super::KINDS.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), built);
    }
}
