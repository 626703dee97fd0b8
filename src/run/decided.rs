//! Which variants need no more answers: told by whoever looks at them, heeded by the thread that
//! renders requests and by the driver.

use std::sync::atomic::{AtomicBool, Ordering};

/// One mark a variant; a mark is never taken back.
#[derive(Debug)]
pub struct Decided(Vec<AtomicBool>);

impl Decided {
    /// None of so many variants.
    pub fn none(variants: usize) -> Self {
        Self((0..variants).map(|_| AtomicBool::new(false)).collect())
    }

    /// Marks a variant.
    pub fn mark(&self, variant: usize) {
        if let Some(mark) = self.0.get(variant) {
            mark.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a variant needs no more answers.
    pub fn is_marked(&self, variant: usize) -> bool {
        self.0.get(variant).is_some_and(|mark| mark.load(Ordering::Relaxed))
    }
}
