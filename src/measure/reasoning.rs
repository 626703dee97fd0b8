//! When reasoning began, where a model shows it before its answer (PROVIDERS.md 1).

use super::accumulate::Times;
use super::grade::GradedTrial;

/// What is kept of reasoning while fresh streamed answers come in: nothing where there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct ReasoningTally {
    /// Of the answers that show reasoning: the place of their first visible token among the times
    /// (`None` where none came), and when their first output of any kind came, in milliseconds.
    shown: Vec<(Option<u32>, f64)>,
    /// Answers that report reasoning tokens of which nothing was seen.
    pub(super) hidden: u64,
}

impl ReasoningTally {
    /// Takes an answer whose first visible token, if any, becomes the `place`-th time.
    pub(super) fn add(&mut self, graded: &GradedTrial, place: usize) {
        match graded.ttft_any_ms.filter(|_| graded.shows_reasoning) {
            Some(any) => self.shown.push((graded.ttft_ms.and(u32::try_from(place).ok()), any)),
            None => self.hidden += u64::from(graded.usage.reasoning_tokens.is_some_and(|tokens| tokens > 0)),
        }
    }

    /// Times to the first output of any kind; `None` where all are those of the first visible token.
    pub(super) fn times(&self, visible: &Times) -> Option<Times> {
        if self.shown.is_empty() {
            return None;
        }
        let mut times = visible.clone();
        for (place, any) in &self.shown {
            match place.and_then(|place| times.ms.get_mut(place as usize)) {
                Some(ms) => *ms = *any,
                None => {
                    times.ms.push(*any);
                    times.censored = times.censored.saturating_sub(1);
                }
            }
        }
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::accumulate::tests::graded;

    #[test]
    fn reasoning_moves_the_first_token_of_the_answers_that_show_it() {
        let mut tally = ReasoningTally::default();
        // The second thinks from 4 ms on, the third thinks and never answers.
        let visible = Times { ms: vec![10.0, 12.0], censored: 1 };
        tally.add(&graded("A", "A"), 0);
        let thinking = GradedTrial { shows_reasoning: true, ..graded("A", "A") };
        tally.add(&GradedTrial { ttft_ms: Some(12.0), ttft_any_ms: Some(4.0), ..thinking.clone() }, 1);
        tally.add(&GradedTrial { ttft_ms: None, ttft_any_ms: Some(5.0), ..thinking }, 2);
        let any = tally.times(&visible).unwrap();
        assert_eq!((any.ms, any.censored, tally.hidden), (vec![10.0, 4.0, 5.0], 0, 0));
    }

    #[test]
    fn reasoning_that_is_only_counted_cannot_be_timed() {
        let mut tally = ReasoningTally::default();
        let mut thought = graded("A", "A");
        thought.usage.reasoning_tokens = Some(30);
        tally.add(&thought, 0);
        thought.usage.reasoning_tokens = Some(0);
        tally.add(&thought, 1);
        assert_eq!(tally.hidden, 1);
        assert!(tally.times(&Times { ms: vec![10.0, 10.0], censored: 0 }).is_none());
    }
}
