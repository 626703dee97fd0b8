//! Which trials a run has and in which order they are sent; what they will cost, how long they take
//! and what they can show, before a cent is spent.

pub mod cost;
pub mod needs;
pub mod preview;
pub mod size;
pub mod time;
pub mod tokens;
pub mod variant;

pub mod shuffle;

use serde::{Deserialize, Serialize};

/// The order of the trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Example by example, so that what drifts on the server meets every variant alike.
    #[default]
    Interleaved,
    /// Variant by variant, so that a server with one slot keeps each variant's prefix.
    ByVariant,
}

impl Order {
    /// The passes over the examples: in each, every example meets these variants.
    pub fn passes(self, variants: usize) -> Vec<Vec<usize>> {
        match self {
            Self::Interleaved => vec![(0..variants).collect()],
            Self::ByVariant => (0..variants).map(|variant| vec![variant]).collect(),
        }
    }
}

/// The order that suits the endpoints: one that answers a single request at a time holds one
/// prefix, and changing variants at every request would make it read every prompt anew.
pub fn default_order(least_concurrency: u32) -> Order {
    if least_concurrency <= 1 { Order::ByVariant } else { Order::Interleaved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_meets_every_variant_once() {
        assert_eq!(Order::Interleaved.passes(3), [vec![0, 1, 2]]);
        assert_eq!(Order::ByVariant.passes(2), [vec![0], vec![1]]);
    }
}
