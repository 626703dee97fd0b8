//! Which documents go before the model: by words (BM25), by vectors, or those that the example
//! names. Pure, and the same in every run: ties go to the document that stands first.

pub mod vectors;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::shots::Words;
use crate::digest::Digest;
use crate::suite::Example;
use crate::suite::documents::Document;
use crate::suite::near::values_text;

/// A suite's documents, in order.
#[derive(Debug, Default)]
pub struct Library {
    documents: Vec<Document>,
    places: HashMap<String, usize>,
}

impl Library {
    /// The documents in their order; of two with one id the first is the one that is named.
    pub fn new(documents: Vec<Document>) -> Self {
        let mut places = HashMap::with_capacity(documents.len());
        for (place, document) in documents.iter().enumerate() {
            places.entry(document.id.clone()).or_insert(place);
        }
        Self { documents, places }
    }

    /// The documents.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The places of the documents that an example names, in the order of the files.
    pub fn named(&self, example: &Example) -> Vec<usize> {
        let mut places: Vec<usize> = example.documents.iter().filter_map(|id| self.places.get(id)).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// BM25 over the documents' titles and texts.
pub struct WordIndex(bm25::SearchEngine<u32, u32, Words>);

impl fmt::Debug for WordIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WordIndex")
    }
}

impl WordIndex {
    /// Indexes the documents, once for all variants.
    pub fn new(library: &Library) -> Self {
        let documents: Vec<_> = library
            .documents
            .iter()
            .enumerate()
            .map(|(place, document)| bm25::Document::new(place as u32, document.searched()))
            .collect();
        Self(bm25::SearchEngineBuilder::with_tokenizer_and_documents(Words, documents).build())
    }

    /// The documents that share a word with the query, the best first; fewer than k where fewer do.
    fn top(&self, query: &str, k: usize) -> Vec<usize> {
        let mut hits = self.0.search(query, None);
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.id.cmp(&b.document.id)));
        hits.iter().take(k).map(|hit| hit.document.id as usize).collect()
    }
}

/// The nearest documents of each input, worked out once its vector was there: by the digest of the
/// input's text, the nearest first.
pub type Ranked = HashMap<Digest, Box<[u32]>>;

/// How documents are found.
#[derive(Debug, Clone)]
pub enum Index {
    /// By the words that they share with the input.
    Words(Arc<WordIndex>),
    /// By the cosine of their vectors and the input's.
    Vectors(Arc<Ranked>),
    /// Those that the example names.
    Oracle,
}

/// Finds a variant's documents.
#[derive(Debug, Clone)]
pub struct Retriever {
    library: Arc<Library>,
    index: Index,
    k: usize,
}

impl Retriever {
    /// A retriever of up to `k` documents.
    pub fn new(library: Arc<Library>, index: Index, k: u32) -> Self {
        Self { library, index, k: k as usize }
    }

    /// The same number of documents by the words that they share with the input: as long as those
    /// that vectors would find, before there are any vectors.
    pub fn by_words(&self) -> Self {
        let index = Index::Words(Arc::new(WordIndex::new(&self.library)));
        Self { library: Arc::clone(&self.library), index, k: self.k }
    }

    /// The places of the documents for an example, the best first; `None` where the vector of its
    /// input is not known.
    pub fn top(&self, example: &Example) -> Option<Vec<usize>> {
        match &self.index {
            Index::Words(index) => Some(index.top(&query_text(&example.input), self.k)),
            Index::Oracle => {
                let mut named = self.library.named(example);
                named.truncate(self.k);
                Some(named)
            }
            Index::Vectors(ranked) => {
                let text = query_text(&example.input);
                if text.trim().is_empty() {
                    return Some(Vec::new());
                }
                let places = ranked.get(&Digest::of(text.as_bytes()))?;
                Some(places.iter().take(self.k).map(|&place| place as usize).collect())
            }
        }
    }

    /// The documents at some places.
    pub fn at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Document> + 'a {
        places.iter().filter_map(|&place| self.library.documents.get(place))
    }

    /// All documents.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Most documents of a request.
    pub fn k(&self) -> usize {
        self.k
    }
}

/// What of an input is searched for: a text as it is; of an object or list every value, without the
/// names of the fields, which are the same in all inputs.
pub fn query_text(input: &Value) -> String {
    values_text(input)
}

/// The user part of a prompt that does not say where documents go: they stand in front of it.
pub(super) fn in_front<'a>(documents: impl Iterator<Item = &'a Document>, user: &str) -> String {
    let mut text = String::new();
    for (number, document) in documents.enumerate() {
        if number == 0 {
            text.push_str("Use these documents where they help:\n\n");
        }
        text.push_str(&format!("[{}] ", number + 1));
        if let Some(title) = &document.title {
            text.push_str(title.trim());
            text.push('\n');
        }
        text.push_str(document.text.trim());
        text.push_str("\n\n");
    }
    text + user
}

#[cfg(test)]
mod tests;
