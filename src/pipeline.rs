//! Work on many items by all cores: one thread reads, the others work, and what comes of it is taken in the items'
//! own order by the thread that reads, so that nothing shows how many cores there were.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

/// Items that go to a thread at a time: handing one over costs more than grading it.
const BATCH: usize = 128;
/// The bytes after which fewer items go.
pub(crate) const BATCH_BYTES: usize = 1 << 20;
/// Batches under way a thread: enough that none waits, few enough that memory does not grow.
const AHEAD: usize = 3;

/// Calls `work` on every item that `read` hands over with its size in bytes, and `take` on what came of it, in order.
/// What fits a batch is worked on at once, by no other thread.
///
/// # Errors
/// What `read` or `take` says.
pub(crate) fn in_order<T: Send, R: Send, E>(
    read: impl FnOnce(&mut dyn FnMut(T, usize) -> Result<(), E>) -> Result<(), E>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let mut workers = Workers { all: Vec::new(), sent: 0, taken: 0 };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        read(&mut |item, size| {
            batch.push(item);
            bytes += size;
            if batch.len() < BATCH && bytes < BATCH_BYTES {
                return Ok(());
            }
            bytes = 0;
            workers.open(scope, &work);
            workers.send(std::mem::take(&mut batch), &work, &mut take)
        })?;
        workers.send(batch, &work, &mut take)?;
        while workers.taken < workers.sent {
            workers.take_oldest(&mut take)?;
        }
        Ok(())
    })
}

/// The threads, and the batches that they were given in turn.
struct Workers<T, R> {
    all: Vec<Worker<T, R>>,
    sent: usize,
    taken: usize,
}

struct Worker<T, R> {
    to: SyncSender<Vec<T>>,
    from: Receiver<Vec<R>>,
}

impl<T: Send, R: Send> Workers<T, R> {
    /// Starts the threads, unless they are there. They end when the workers are dropped.
    fn open<'scope, W: Fn(T) -> R + Sync>(&mut self, scope: &'scope Scope<'scope, '_>, work: &'scope W)
    where
        T: 'scope,
        R: 'scope,
    {
        if !self.all.is_empty() {
            return;
        }
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let (to, items) = sync_channel::<Vec<T>>(AHEAD);
            let (done, from) = sync_channel(AHEAD);
            let run = move || {
                for batch in items {
                    if done.send(batch.into_iter().map(work).collect()).is_err() {
                        break;
                    }
                }
            };
            // Without another thread this one works.
            if thread::Builder::new().spawn_scoped(scope, run).is_ok() {
                self.all.push(Worker { to, from });
            }
        }
    }

    fn send<E>(
        &mut self,
        batch: Vec<T>,
        work: &impl Fn(T) -> R,
        take: &mut impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.all.is_empty() {
            return batch.into_iter().try_for_each(|item| take(work(item)));
        }
        if self.sent - self.taken == self.all.len() * AHEAD {
            self.take_oldest(take)?;
        }
        // A thread is gone only if it panicked, which the scope passes on.
        if self.all[self.sent % self.all.len()].to.send(batch).is_ok() {
            self.sent += 1;
        }
        Ok(())
    }

    fn take_oldest<E>(&mut self, take: &mut impl FnMut(R) -> Result<(), E>) -> Result<(), E> {
        let done = self.all[self.taken % self.all.len()].from.recv().unwrap_or_default();
        self.taken += 1;
        done.into_iter().try_for_each(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(count: usize, size: usize) -> Vec<usize> {
        let mut taken = Vec::new();
        let read = |hand: &mut dyn FnMut(usize, usize) -> Result<(), ()>| (0..count).try_for_each(|n| hand(n, size));
        let take = |square| {
            taken.push(square);
            Ok(())
        };
        in_order(read, |n| n * n, take).unwrap();
        taken
    }

    #[test]
    fn what_comes_of_items_is_taken_in_their_order() {
        for (count, size) in [(0, 1), (5, 1), (BATCH, 1), (BATCH * 40 + 7, 1), (50, BATCH_BYTES)] {
            assert_eq!(squares(count, size), (0..count).map(|n| n * n).collect::<Vec<_>>(), "{count} of {size}");
        }
    }

    #[test]
    fn an_error_of_the_reader_or_the_taker_ends_the_work() {
        let endless = |hand: &mut dyn FnMut(usize, usize) -> Result<(), &'static str>| loop {
            hand(1, 1)?;
        };
        assert_eq!(in_order(endless, |n| n, |_| Err("enough")), Err("enough"));
        let broken = |hand: &mut dyn FnMut(usize, usize) -> Result<(), &'static str>| {
            (0..BATCH * 9).try_for_each(|n| hand(n, 1))?;
            Err("no more")
        };
        let mut taken = 0;
        let take = |_| {
            taken += 1;
            Ok(())
        };
        assert_eq!(in_order(broken, |n| n, take), Err("no more"));
        assert!(taken < BATCH * 9);
    }
}
