//! Columns by example, as narrow as what stands in them: a run may have a million examples.
//!
//! Each begins narrow and widens as soon as something does not fit, so that no figure depends on the form.

mod costs;
mod scores;

pub use costs::Costs;
pub use scores::Scores;
pub(super) use scores::{Column, fixed_point_scale};

/// A whole number by place; a place may have none. Kept as the number plus one, and 0 for none.
#[derive(Debug, Clone)]
pub(super) enum Numbers {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Numbers {
    /// The number of a place.
    pub(super) fn get(&self, place: usize) -> Option<u32> {
        let kept = match self {
            Self::Bytes(kept) => u32::from(*kept.get(place)?),
            Self::Shorts(kept) => u32::from(*kept.get(place)?),
            Self::Words(kept) => *kept.get(place)?,
        };
        kept.checked_sub(1)
    }

    /// Gives a place a number below `u32::MAX`.
    pub(super) fn set(&mut self, place: usize, number: u32) {
        let kept = number.saturating_add(1);
        loop {
            match self {
                Self::Bytes(all) => match u8::try_from(kept) {
                    Ok(kept) => return put(all, place, kept),
                    Err(_) => *self = Self::Shorts(all.iter().map(|kept| u16::from(*kept)).collect()),
                },
                Self::Shorts(all) => match u16::try_from(kept) {
                    Ok(kept) => return put(all, place, kept),
                    Err(_) => *self = Self::Words(all.iter().map(|kept| u32::from(*kept)).collect()),
                },
                Self::Words(all) => return put(all, place, kept),
            }
        }
    }

    /// One more than the last place that has a number.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(all) => all.len(),
            Self::Shorts(all) => all.len(),
            Self::Words(all) => all.len(),
        }
    }
}

/// Sets a place of a list that grows up to it.
fn put<T: Copy + Default>(all: &mut Vec<T>, place: usize, value: T) {
    if all.len() <= place {
        all.resize(place + 1, T::default());
    }
    all[place] = value;
}

/// The answered class of each trial that is not missing, by example: one, and the others apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// The first answer of each example: 0 for no class, else its number plus one.
    first: Numbers,
    /// Answers to further repeats: example, and class as in `first`.
    others: Vec<(u32, u32)>,
}

impl Answers {
    pub(super) fn add(&mut self, example: u32, class: Option<u32>) {
        let kept = class.map_or(0, |class| class + 1);
        if self.first.get(example as usize).is_none() {
            self.first.set(example as usize, kept);
        } else {
            self.others.push((example, kept));
        }
    }

    /// Answers.
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.others.len()
    }

    /// All answers: example by example, and of one example by class, answers without one last.
    pub(super) fn sorted(&mut self) -> impl Iterator<Item = (usize, Option<u32>)> + Clone {
        // No class is above every other.
        let rank = |kept: u32| kept.wrapping_sub(1);
        self.others.sort_unstable_by_key(|&(example, kept)| (example, rank(kept)));
        let (first, others) = (&self.first, &self.others);
        (0..first.len()).flat_map(move |place| {
            let kept = first.get(place);
            let begin = others.partition_point(|(example, _)| (*example as usize) < place);
            let count = others[begin..].iter().take_while(|(example, _)| *example as usize == place).count();
            let rest = &others[begin..begin + count];
            let before = rest.partition_point(move |&(_, other)| kept.is_some_and(|kept| rank(other) < rank(kept)));
            let (less, more) = rest.split_at(before);
            let one = |&(_, kept): &(u32, u32)| kept;
            less.iter().map(one).chain(kept).chain(more.iter().map(one)).map(move |kept| (place, kept.checked_sub(1)))
        })
    }
}

#[cfg(test)]
mod tests;
