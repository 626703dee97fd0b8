//! Documents, and the examples that name them as the right ones.

use std::collections::BTreeMap;

use super::super::Suite;
use super::super::examples::{ExampleSource, Row};
use super::{Tally, row_error};
use crate::diagnostic::Diagnostic;

/// With more documents than this, no nearest id is looked for.
const MOST_COMPARED: usize = 2_000;

/// The ids of the suite's documents.
#[derive(Debug, Default)]
pub(super) struct Named {
    has_documents: bool,
    /// File and line of each.
    ids: BTreeMap<String, (usize, u64)>,
}

impl Named {
    /// Reads the documents; what is wrong with them goes to the tally.
    pub(super) fn read(suite: &Suite, tally: &mut Tally) -> Self {
        let Some(source) = &suite.documents else { return Self::default() };
        let mut named = Self { has_documents: true, ..Self::default() };
        let mut sound = true;
        for row in source.read() {
            let row = match row {
                Ok(row) => row,
                Err(fault) => {
                    sound = false;
                    tally.add(*fault);
                    continue;
                }
            };
            let id = row.document.id;
            if let Some((file, line)) = named.ids.get(&id) {
                let first = source.files()[*file].file_name().unwrap_or_default().to_string_lossy();
                let message = format!("the id `{id}` stands twice in the documents: first at {first}:{line}");
                let line = u32::try_from(row.line).unwrap_or(u32::MAX);
                tally.add(Diagnostic::error("suite/duplicate-id", &source.files()[row.file], message).at(line, 1));
            } else {
                named.ids.insert(id, (row.file, row.line));
            }
        }
        if named.ids.is_empty() && sound {
            let file = source.files().first().unwrap_or(&suite.file);
            tally.add(Diagnostic::error("suite/no-documents", file, "there are no documents"));
        }
        // An id whose row could not be read is not unknown.
        named.has_documents = sound;
        named
    }

    /// A document that an example names and that is not there.
    pub(super) fn unknown(&self, row: &Row, source: &ExampleSource) -> Option<Diagnostic> {
        let id = row.example.documents.iter().find(|id| self.has_documents && !self.ids.contains_key(*id))?;
        let message = format!("`{}` names the document `{id}`, which is not there", row.example.id);
        let fault = row_error("suite/unknown-document", row, source, message);
        let near = self.ids.len() <= MOST_COMPARED;
        Some(if near { fault.suggest(id, self.ids.keys().map(String::as_str)) } else { fault })
    }

    /// An oracle needs examples that name their documents: so many of so many do.
    pub(super) fn check_oracle(suite: &Suite, (naming, examples): (u64, u64), tally: &mut Tally) {
        let is_oracle = |retrieve: &crate::variant::Retrieve| retrieve.is_oracle();
        let oracle = suite.variants.iter().find(|variant| variant.retrieve.as_ref().is_some_and(is_oracle));
        let Some(oracle) = oracle.filter(|_| naming < examples) else { return };
        let name = &oracle.id;
        let spec = suite.examples.spec();
        let is_part = spec.limit.is_some() || spec.only.is_some();
        let fault = if naming == 0 && !is_part {
            let message = format!("variant `{name}` is given the right documents, and no example names any");
            Diagnostic::error("suite/no-right-documents", &suite.file, message)
        } else {
            let without = examples - naming;
            let message = format!("{without} of {examples} examples name no document, so `{name}` gets none for them");
            Diagnostic::error("suite/no-right-documents", &suite.file, message).as_warning()
        };
        tally.add(fault.help("name them in the example: \"documents\": [\"ID\"]"));
    }
}
