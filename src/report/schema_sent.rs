//! In which form the suite's schema was sent: providers take subsets of JSON Schema, and an answer
//! is judged against the schema as it is.

use std::collections::BTreeMap;

use super::Report;
use crate::provider::EndpointId;
use crate::wire::fit::Change;

/// Changes that are shown one by one; `--json` has all.
const SHOWN: usize = 2;

/// One note for each form of the schema that is not the suite's own, with its changes or only their number.
pub(super) fn notes(report: &Report, full: bool) -> Vec<String> {
    let mut forms: Vec<(&[Change], Vec<&EndpointId>)> = Vec::new();
    for measured in &report.measurements.variants {
        let Some(changes) = report.schema_changes.get(&measured.variant.id).filter(|all| !all.is_empty()) else {
            continue;
        };
        let endpoint = &measured.variant.endpoint;
        match forms.iter_mut().find(|(known, _)| *known == changes.as_slice()) {
            Some((_, endpoints)) if endpoints.contains(&endpoint) => {}
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => forms.push((changes, vec![endpoint])),
        }
    }
    let note = |(changes, endpoints): (&[Change], Vec<&EndpointId>)| {
        let to = endpoints.iter().map(|endpoint| endpoint.to_string()).collect::<Vec<_>>().join(", ");
        let plural = if changes.len() == 1 { "" } else { "s" };
        let which = if full { format!(" ({})", listed(changes, SHOWN)) } else { String::new() };
        format!("schema as sent to {to}: {} change{plural}{which}", changes.len())
    };
    forms.into_iter().map(note).collect()
}

/// The first changes with their places, and how many more there are; what was done alike at several
/// places is said once.
pub fn listed(changes: &[Change], most: usize) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for change in changes {
        let at = if change.at.is_empty() { "the root" } else { change.at.as_str() };
        match kinds.iter_mut().find(|(what, _)| *what == change.what) {
            Some((_, places)) => places.push(at),
            None => kinds.push((&change.what, vec![at])),
        }
    }
    let mut shown: Vec<String> = kinds
        .iter()
        .take(most)
        .map(|(what, places)| match places.len() {
            1 => format!("{what} at {}", places[0]),
            n => format!("{what} at {} and {} more", places[0], n - 1),
        })
        .collect();
    if kinds.len() > most {
        shown.push("…".to_owned());
    }
    shown.join("; ")
}

/// The changes by variant.
pub type SchemaChanges = BTreeMap<crate::variant::VariantId, Vec<Change>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_at_several_places_is_said_once() {
        let change = |at: &str, what: &str| Change { at: at.into(), what: what.into(), loses: true };
        let changes = [
            change("", "`if` left out"),
            change("/properties/a", "`minLength` left out"),
            change("/properties/b", "`minLength` left out"),
            change("/properties/c", "`pattern` left out"),
        ];
        assert_eq!(listed(&changes[..1], 2), "`if` left out at the root");
        assert_eq!(
            listed(&changes, 2),
            "`if` left out at the root; `minLength` left out at /properties/a and 1 more; …"
        );
    }
}
