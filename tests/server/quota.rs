//! What a service allows: so many requests a minute, so many at once. What is beyond is turned away.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::faults::RetryAfter;

const MINUTE: Duration = Duration::from_secs(60);

/// A quota and how much of it is used.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    per_minute: Option<usize>,
    at_once: Option<usize>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// When the requests of the last minute were let in.
    let_in: VecDeque<Instant>,
    under_way: usize,
}

impl Quota {
    /// So many requests in any minute; whoever is turned away is told in how many seconds there is room.
    pub(crate) fn per_minute(requests: usize) -> Self {
        Self { per_minute: Some(requests), ..Self::default() }
    }

    /// So many requests at once; nobody knows when there is room.
    pub(crate) fn at_once(requests: usize) -> Self {
        Self { at_once: Some(requests), ..Self::default() }
    }

    /// A place for a request, free again when it is dropped.
    pub(crate) fn take(&self) -> Result<Place<'_>, RetryAfter> {
        let now = Instant::now();
        let mut used = self.used.lock().unwrap();
        while used.let_in.front().is_some_and(|at| now - *at >= MINUTE) {
            used.let_in.pop_front();
        }
        if self.at_once.is_some_and(|most| used.under_way >= most) {
            return Err(RetryAfter::Unsaid);
        }
        if let (Some(most), Some(oldest)) = (self.per_minute, used.let_in.front())
            && used.let_in.len() >= most
        {
            let left = MINUTE.saturating_sub(now - *oldest);
            return Err(RetryAfter::Seconds(left.as_secs_f64().ceil() as u64));
        }
        if self.per_minute.is_some() {
            used.let_in.push_back(now);
        }
        used.under_way += 1;
        Ok(Place { quota: self })
    }
}

/// A request's share of the quota.
pub(crate) struct Place<'a> {
    quota: &'a Quota,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.quota.used.lock().unwrap().under_way -= 1;
    }
}
