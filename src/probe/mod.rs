//! Trained baselines: what a small supervised classifier reaches on a suite's own labels, before anything is tuned.
//!
//! Rows in, a report out: no file, clock or thread count shows in it. The learner is a linear classifier with softmax
//! (multinomial logistic regression) on words and letter n-grams, or on embeddings ([`features`], [`classifier`]);
//! how strongly it is held back is chosen on the training rows by cross-validation ([`out_of_fold`]).
//!
//! What it reaches is a lower bound on what supervised training reaches on these labels. It is never the fine-tune.

pub mod classifier;
mod cross;
pub mod features;
pub mod folds;

pub use cross::{OutOfFold, Settings, Trained, choose, fit, out_of_fold};

/// A labelled text. Rows that share a `cluster` are never split between the training and the held-out part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledText {
    /// Its id.
    pub id: String,
    /// What is read.
    pub text: String,
    /// Its class.
    pub label: String,
    /// Rows of one cluster are not independent; `None` is a cluster of its own.
    pub cluster: Option<String>,
}

/// Why no classifier can be trained on these rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inapplicable {
    /// Fewer rows than cross-validation can do anything with.
    #[error("{rows} labelled rows are too few to train and check a classifier: {needed} are needed")]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Nothing to tell apart.
    #[error("all labelled rows have the label `{label}`")]
    OneClass {
        /// That label.
        label: String,
    },
    /// Rows that cannot be held out apart from one another.
    #[error("the labelled rows make {clusters} clusters, and {needed} are needed to hold some out")]
    TooFewClusters {
        /// How many there are.
        clusters: usize,
        /// How many it takes.
        needed: usize,
    },
    /// About as many labels as rows: free text, not classes.
    #[error("{rows} labelled rows have {classes} different labels: too many to be classes")]
    TooManyClasses {
        /// How many rows there are.
        rows: usize,
        /// How many labels.
        classes: usize,
    },
}
