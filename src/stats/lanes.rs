//! Resampling on all cores, the same numbers on any: the work is divided into lanes, whose number and
//! random streams depend on the task alone.

use std::num::NonZero;
use std::thread;

use super::rng::Rng;

/// Lanes of a task that is worth several threads.
const LANES: usize = 16;

/// From so many units of work (random draws, each some nanoseconds) on it is.
const WORTH: usize = 20_000_000;

/// The lanes of a task of so many units. A task of one lane draws from [`Rng::new`]'s stream.
pub(super) fn lanes(units: usize) -> usize {
    if units < WORTH { 1 } else { LANES }
}

/// The random stream of a lane: that of the seed itself for the first. Neighbouring seeds share none.
pub(super) fn stream(seed: u64, lane: usize) -> Rng {
    if lane == 0 {
        return Rng::new(seed);
    }
    Rng::new(Rng::new(seed).next_u64() ^ lane as u64)
}

/// The part of `count` things that is a lane's: as equal as may be.
pub(super) fn share(count: usize, lane: usize, lanes: usize) -> usize {
    count / lanes + usize::from(lane < count % lanes)
}

/// What `work` makes of each lane, in their order.
pub(super) fn each<R: Send>(lanes: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(lanes).max(1);
    let every = |first: usize| (first..lanes).step_by(threads).map(|lane| (lane, work(lane))).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|first| thread::Builder::new().spawn_scoped(scope, move || every(first)).map_err(|_| first))
            .collect();
        let mut done = every(0);
        for other in others {
            match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(part)) => done.extend(part),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // Without another thread this one works.
                Err(first) => done.extend(every(first)),
            }
        }
        done
    });
    done.sort_by_key(|(lane, _)| *lane);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_in_their_order_and_share_everything() {
        for lanes in [1, 2, 5, LANES] {
            assert_eq!(each(lanes, |lane| lane * lane), (0..lanes).map(|lane| lane * lane).collect::<Vec<_>>());
            assert_eq!((0..lanes).map(|lane| share(9_999, lane, lanes)).sum::<usize>(), 9_999);
        }
        assert!(each(0, |lane| lane).is_empty());
    }

    #[test]
    fn streams_differ() {
        let first: std::collections::BTreeSet<u64> = (0..LANES).map(|lane| stream(7, lane).next_u64()).collect();
        assert_eq!(first.len(), LANES);
        assert_eq!(stream(7, 0).next_u64(), Rng::new(7).next_u64());
    }
}
