//! The section on retrieval: were the right documents found, and what came of it.

use serde::Serialize;

use super::table::Table;
use super::terminal::{level, percent_interval, table_or_list, wrap};
use crate::measure::VariantMeasurements;
use crate::provider::EndpointId;
use crate::units::{Usd, group_thousands};
use crate::variant::RetrieveFrom;

/// Vectors that this invocation bought of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmbeddingPurchase {
    /// Who made them.
    pub endpoint: EndpointId,
    /// Texts that got one; those of earlier runs are in the store and not counted.
    pub texts: u64,
    /// Tokens; `None` where the server did not say.
    pub tokens: Option<u64>,
    /// What they cost; `None` where a count or the price is not known.
    #[serde(rename = "cost_usd", serialize_with = "as_dollars")]
    pub cost: Option<Usd>,
}

impl EmbeddingPurchase {
    /// What was bought, in a sentence.
    pub(super) fn note(&self) -> String {
        let tokens = self.tokens.map_or("an unknown number of".to_owned(), |n| group_thousands(i128::from(n)));
        let cost = self.cost.map_or("cost unknown".to_owned(), |cost| cost.to_string());
        format!(
            "vectors of {} texts were bought of {}: {tokens} tokens, {cost}; they are kept, and no part of $/request",
            self.texts, self.endpoint
        )
    }
}

fn as_dollars<S: serde::Serializer>(cost: &Option<Usd>, serializer: S) -> Result<S::Ok, S::Error> {
    cost.map(Usd::as_f64).serialize(serializer)
}

/// The section; empty where no variant retrieves.
pub(super) fn section(variants: &[VariantMeasurements], bought: &[EmbeddingPurchase], width: usize) -> String {
    let retrieving: Vec<&VariantMeasurements> =
        variants.iter().filter(|measured| measured.variant.retrieve.is_some()).collect();
    if retrieving.is_empty() {
        return String::new();
    }
    let recall = retrieving.iter().find_map(|row| Some(row.retrieval.as_ref()?.recall.level));
    let recall = format!("recall [{}]", level(recall));
    let names = ["variant", "by", "k", &recall, "all found", "accuracy if found", "if not"];
    let table = Table {
        header: names.map(|name| name.to_owned().into()).to_vec(),
        rows: retrieving.iter().map(|measured| row(measured)).collect(),
    };
    let notes = notes(&retrieving, bought);
    let notes = notes.iter().fold(String::new(), |text, note| text + &wrap(note, " ", "   ", width));
    format!("\nRetrieval\n{}{}{notes}", table_or_list(table, width), if notes.is_empty() { "" } else { "\n" })
}

fn row(measured: &VariantMeasurements) -> Vec<String> {
    let by = measured.variant.retrieve.as_ref().map_or_else(String::new, |retrieve| match &retrieve.from {
        RetrieveFrom::Bm25 => "words (BM25)".to_owned(),
        RetrieveFrom::Embeddings(endpoint) => endpoint.to_string(),
        RetrieveFrom::Oracle => "oracle".to_owned(),
    });
    let k = measured.variant.retrieve.as_ref().map_or_else(String::new, |retrieve| retrieve.k.to_string());
    let mut row = vec![measured.variant.id.0.clone(), by, k];
    match &measured.retrieval {
        None => row.extend(std::iter::repeat_n("–".to_owned(), 4)),
        Some(known) => {
            let estimates = [known.recall, known.hit_rate, known.accuracy_found, known.accuracy_not_found];
            row.extend(estimates.iter().map(percent_interval));
        }
    }
    row
}

/// What stands below the table, for a page.
pub(super) fn notes_of(report: &super::Report) -> Vec<String> {
    let variants = &report.measurements.variants;
    let retrieving: Vec<&VariantMeasurements> = variants.iter().filter(|row| row.variant.retrieve.is_some()).collect();
    notes(&retrieving, &report.embeddings)
}

fn notes(retrieving: &[&VariantMeasurements], bought: &[EmbeddingPurchase]) -> Vec<String> {
    let mut notes = Vec::new();
    for measured in retrieving {
        let name = &measured.variant.id;
        match &measured.retrieval {
            None if measured.outcomes.total() == 0 => {
                notes.push(format!("{name}: recall is not known: nothing was asked"))
            }
            None => {
                notes.push(format!("{name}: recall is not known, since no example that was asked names its documents"))
            }
            Some(known) if known.wrong > 0 => {
                let answers = if known.wrong == 1 { "answer" } else { "answers" };
                notes.push(format!(
                    "{name}: of {} {answers} not fully right {} lacked a right document, {} had them all",
                    known.wrong,
                    known.wrong_not_found,
                    known.wrong - known.wrong_not_found
                ));
            }
            Some(_) => {}
        }
    }
    notes.extend(bought.iter().map(EmbeddingPurchase::note));
    notes
}
