//! What requests cost, by example.

use super::{Numbers, Scores};
use crate::units::Usd;

/// Mean USD a request by example, from exact sums; an example whose cost is unknown has none.
#[derive(Debug, Clone, Default)]
pub struct Costs(Form);

#[derive(Debug, Clone)]
enum Form {
    /// Sums in 1e-12 USD, and of how many requests.
    Small(Vec<u32>, Numbers),
    /// The same, where a sum is more than half a cent.
    Large(Vec<Usd>, Numbers),
    /// The same for every example that has a score.
    Flat(f64, Scores),
    /// As they were stated.
    Each(Vec<Option<f64>>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Small(Vec::new(), Numbers::default())
    }
}

impl Costs {
    /// The same cost for every example that has a score.
    pub(in crate::measure) fn flat(usd: f64, scores: &Scores) -> Self {
        Self(Form::Flat(usd, scores.clone()))
    }

    /// Adds what a request cost.
    pub(in crate::measure) fn add(&mut self, example: usize, cost: Usd) {
        if let Form::Small(sums, counts) = &mut self.0 {
            let sum = sums.get(example).map_or(0, |sum| i128::from(*sum)) + cost.as_pico();
            if let Ok(sum) = u32::try_from(sum) {
                return note(sums, counts, example, sum);
            }
            let large = sums.iter().map(|sum| Usd::from_pico(i128::from(*sum))).collect();
            self.0 = Form::Large(large, std::mem::take(counts));
        }
        if let Form::Large(sums, counts) = &mut self.0 {
            let sum = sums.get(example).copied().unwrap_or_default() + cost;
            note(sums, counts, example, sum);
        }
    }

    /// The mean of an example's requests.
    pub fn get(&self, place: usize) -> Option<f64> {
        let mean = |sum: Usd, counts: &Numbers| Some(sum.as_f64() / f64::from(counts.get(place)?));
        match &self.0 {
            Form::Small(sums, counts) => mean(Usd::from_pico(i128::from(*sums.get(place)?)), counts),
            Form::Large(sums, counts) => mean(*sums.get(place)?, counts),
            Form::Flat(usd, scores) => scores.get(place).map(|_| *usd),
            Form::Each(costs) => costs.get(place).copied().flatten(),
        }
    }

    /// Whether nothing is known of any example.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Small(sums, _) => sums.is_empty(),
            Form::Large(sums, _) => sums.is_empty(),
            Form::Flat(_, scores) => scores.is_empty(),
            Form::Each(costs) => costs.is_empty(),
        }
    }
}

/// Keeps an example's new sum, and that one more request is in it.
fn note<T: Copy + Default>(sums: &mut Vec<T>, counts: &mut Numbers, example: usize, sum: T) {
    super::put(sums, example, sum);
    counts.set(example, counts.get(example).unwrap_or(0) + 1);
}

impl From<Vec<Option<f64>>> for Costs {
    fn from(costs: Vec<Option<f64>>) -> Self {
        Self(Form::Each(costs))
    }
}
