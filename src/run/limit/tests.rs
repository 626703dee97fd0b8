use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;

fn limits(concurrency: u32) -> Limits {
    Limits { concurrency, ..Limits::default() }
}

/// Turned away, with the time that the server asks for; or let in.
type Said = Option<Option<Duration>>;

/// What a server says, by the time since its start and what is under way.
type Door = Box<dyn FnMut(Duration, usize) -> Said>;

/// What came of a simulated minute after the other.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    let_in: u32,
    rejected: u32,
}

impl Minute {
    fn rejected_share(self) -> f64 {
        f64::from(self.rejected) / f64::from((self.let_in + self.rejected).max(1))
    }
}

/// How long a server takes for what it lets in, up to twice of it, and to turn away; milliseconds.
#[derive(Clone, Copy)]
struct Takes(u64, u64);

/// A client that always has something to send.
fn simulate(minutes: usize, most: u32, door: Door) -> (Vec<Minute>, Limit) {
    simulate_with(Takes(100, 2), minutes, most, door)
}

fn simulate_with(takes: Takes, minutes: usize, most: u32, mut door: Door) -> (Vec<Minute>, Limit) {
    let start = Instant::now();
    let mut limit = Limit::new(&limits(most));
    let mut ends: BinaryHeap<Reverse<(Instant, u64, Said)>> = BinaryHeap::new();
    let mut tickets = std::collections::BTreeMap::new();
    let mut counts = vec![Minute::default(); minutes];
    let (mut now, mut number, mut under_way) = (start, 0_u64, 0_usize);
    while now < start + Duration::from_secs(60 * minutes as u64) {
        let wake = loop {
            match limit.take(now, 1) {
                Err(wake) => break wake,
                Ok(ticket) => {
                    number += 1;
                    let said = door(now - start, under_way);
                    under_way += usize::from(said.is_none());
                    let takes = if said.is_some() { takes.1 } else { takes.0 + number * 37 % (takes.0 + 1) };
                    ends.push(Reverse((now + Duration::from_millis(takes), number, said)));
                    tickets.insert(number, ticket);
                }
            }
        };
        let end = ends.peek().map(|Reverse((at, ..))| *at);
        let next = [wake, end].into_iter().flatten().min().unwrap();
        now = next.max(now);
        let minute = ((now - start).as_secs() / 60) as usize;
        while let Some(Reverse((at, number, said))) = ends.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
            ends.pop();
            let ticket = tickets.remove(&number).unwrap();
            let Some(count) = counts.get_mut(minute) else { break };
            match said {
                None => {
                    under_way -= 1;
                    count.let_in += 1;
                    limit.succeeded(ticket);
                }
                Some(after) => {
                    count.rejected += 1;
                    limit.rate_limited(ticket, at, after);
                }
            }
        }
    }
    (counts, limit)
}

/// One in so many, at random.
fn now_and_then(seed: u64, share: f64, after: Option<Duration>) -> Door {
    let mut state = seed;
    Box::new(move |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 33) as f64 / f64::from(1_u32 << 31)) < share).then_some(after)
    })
}

fn at_once(most: usize, after: Option<Duration>) -> Door {
    Box::new(move |_, under_way| (under_way >= most).then_some(after))
}

/// So many in any 60 s; the server says when there is room.
fn per_minute(most: usize) -> Door {
    let mut let_in: VecDeque<Duration> = VecDeque::new();
    Box::new(move |now, _| {
        while let_in.front().is_some_and(|at| now - *at >= Duration::from_secs(60)) {
            let_in.pop_front();
        }
        if let_in.len() >= most {
            let left = *let_in.front().unwrap() + Duration::from_secs(60) - now;
            return Some(Some(Duration::from_secs(left.as_secs() + 1)));
        }
        let_in.push_back(now);
        None
    })
}

/// A bucket that fills at so many a second and holds so many.
fn bucket(per_s: f64, holds: f64, after: Option<Duration>) -> Door {
    let (mut tokens, mut filled) = (holds, Duration::ZERO);
    Box::new(move |now, _| {
        tokens = (tokens + per_s * (now - filled).as_secs_f64()).min(holds);
        filled = now;
        if tokens < 1.0 {
            return Some(after);
        }
        tokens -= 1.0;
        None
    })
}

#[test]
fn without_a_limit_everything_allowed_is_used() {
    let (minutes, limit) = simulate(2, 64, Box::new(|_, _| None));
    assert_eq!(limit.allowed(), 64);
    // 64 at once of 150 ms on average are 25,600 a minute.
    assert!(minutes[1].let_in > 25_000, "{minutes:?}");
}

#[test]
fn requests_turned_away_now_and_then_slow_nothing_but_themselves() {
    for takes in [Takes(100, 2), Takes(1_000, 5), Takes(200, 200)] {
        let free = simulate_with(takes, 2, 64, Box::new(|_, _| None)).0;
        for seed in 0..20 {
            let after = (seed % 2 == 0).then_some(Duration::from_secs(1));
            let (minutes, limit) = simulate_with(takes, 2, 64, now_and_then(seed, 0.05, after));
            // A chance run of them at the start is found out within the first minute.
            for (minute, least) in [(0, 0.75), (1, 0.9)] {
                let share = f64::from(minutes[minute].let_in) / f64::from(free[minute].let_in);
                assert!(share > least, "{seed}: {minutes:?} {free:?}");
            }
            assert!(limit.pace.is_none() && limit.allowed() > 56, "{seed}: {minutes:?} {limit:?}");
        }
    }
}

/// Whether what is allowed is what a server takes, or a little less for some rounds.
fn is_near(limit: &Limit, most: usize) -> bool {
    (most * 4 / 5..=most + 2).contains(&limit.allowed().max(1))
}

#[test]
fn the_concurrency_settles_at_what_the_server_takes_at_once() {
    for (most, after) in [(16, None), (16, Some(Duration::from_secs(1))), (4, None), (40, None), (1, None)] {
        let (minutes, limit) = simulate(3, 64, at_once(most, after));
        assert!(is_near(&limit, most), "{most}: {}", limit.allowed());
        for minute in &minutes[1..] {
            assert!(minute.rejected_share() < 0.03, "{most}: {minutes:?}");
            // Places of 150 ms on average.
            let possible = most as f64 * 60.0 / 0.15;
            assert!(f64::from(minute.let_in) > 0.9 * possible, "{most}: {minutes:?}");
        }
    }
    for (takes, most) in [(Takes(1_000, 5), 16), (Takes(20, 1), 16), (Takes(500, 50), 8)] {
        let (minutes, limit) = simulate_with(takes, 4, 64, at_once(most, Some(Duration::from_secs(1))));
        assert!(is_near(&limit, most), "{most}: {}", limit.allowed());
        assert!(minutes[1..].iter().all(|minute| minute.rejected_share() < 0.03), "{most}: {minutes:?}");
    }
}

#[test]
fn the_pace_settles_at_what_the_server_takes_in_a_minute() {
    for most in [20, 200, 1_000, 6_000] {
        let (minutes, limit) = simulate(6, 64, per_minute(most));
        for minute in &minutes[1..] {
            assert!(minute.rejected_share() < 0.03, "{most}: {minutes:?} {limit:?}");
        }
        for minute in &minutes[2..] {
            assert!(f64::from(minute.let_in) > 0.9 * most as f64, "{most}: {minutes:?} {limit:?}");
        }
    }
    for most in [1, 2, 5] {
        let (minutes, _) = simulate(4, most, per_minute(200));
        assert!(minutes[1..].iter().all(|minute| minute.rejected_share() < 0.03), "{most}: {minutes:?}");
    }
    for takes in [Takes(1_000, 5), Takes(20, 1), Takes(300, 300)] {
        let (minutes, limit) = simulate_with(takes, 6, 64, per_minute(200));
        assert!(minutes[1..].iter().all(|minute| minute.rejected_share() < 0.03), "{minutes:?} {limit:?}");
        assert!(minutes[2..].iter().all(|minute| minute.let_in > 180), "{minutes:?} {limit:?}");
    }
}

#[test]
fn the_pace_settles_at_what_fills_a_bucket() {
    for (per_s, holds, after) in [(3.3, 3.0, Some(1)), (3.3, 200.0, Some(1)), (50.0, 50.0, None), (50.0, 5.0, Some(1))]
    {
        let (minutes, limit) = simulate(6, 64, bucket(per_s, holds, after.map(Duration::from_secs)));
        for minute in &minutes[2..] {
            assert!(minute.rejected_share() < 0.03, "{per_s} {holds}: {minutes:?} {limit:?}");
            assert!(f64::from(minute.let_in) > 0.75 * per_s * 60.0, "{per_s} {holds}: {minutes:?} {limit:?}");
        }
    }
}

#[test]
fn what_the_server_asks_for_is_kept_once_it_lets_nothing_in() {
    let now = Instant::now();
    let mut limit = Limit::new(&limits(16));
    let tickets: Vec<Ticket> = (0..8).map(|_| limit.take(now, 1).unwrap()).collect();
    for ticket in tickets {
        limit.rate_limited(ticket, now, Some(Duration::from_secs(7)));
    }
    assert_eq!(limit.take(now, 1), Err(Some(now + Duration::from_secs(7))));
    assert!(limit.take(now + Duration::from_secs(7), 1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_are_spread() {
    let now = Instant::now();
    let mut limit = Limit::new(&Limits { requests_per_minute: Some(60), ..limits(16) });
    assert!(limit.take(now, 1).is_ok());
    assert!(matches!(limit.take(now, 1), Err(Some(_))));
}

#[test]
fn an_answer_keeps_its_place_until_it_is_on_disk() {
    let now = Instant::now();
    let mut limit = Limit::new(&limits(1));
    let ticket = limit.take(now, 1).unwrap();
    limit.writing();
    limit.succeeded(ticket);
    assert_eq!(limit.take(now, 1), Err(None));
    limit.written();
    assert!(limit.take(now, 1).is_ok());
}
