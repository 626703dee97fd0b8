//! What goes wrong with a service, one fault after the other: what a trial ends as (DESIGN.md 13.3),
//! what is asked again, and what is never read or sent.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use ceiling::exchange::FailureKind;
use serde_json::{Value, json};

use crate::support::fault_run::{self, Account, id};
use crate::support::project::right;
use crate::support::server::faults::{self, RetryAfter};
use crate::support::server::mix::Mix;
use crate::support::server::quota::Quota;
use crate::support::{Answer, Project, ScriptedServer, last_user};

/// Limits that a healthy answer on loopback never meets, and that end a stall.
const IMPATIENT: &str = "first_token_timeout_s = 3\nbetween_chunks_timeout_s = 3\nconcurrency = 32";

const GIB: u64 = 1 << 30;

/// Most bytes of an answer that are read (`MAX_BODY_BYTES`), and what may lie in the sockets' buffers.
const READ: u64 = (64 + 32) << 20;

/// The place of the example that a request is about.
fn place(request: &Value) -> usize {
    let words = last_user(request).split(' ').skip_while(|word| *word != "number");
    words.skip(1).find_map(|word| word.parse().ok()).unwrap()
}

/// Whether a request is the first about its example.
#[derive(Default)]
struct Firsts(Mutex<BTreeSet<usize>>);

impl Firsts {
    fn is_first(&self, place: usize) -> bool {
        self.0.lock().unwrap().insert(place)
    }
}

type Fault = (fn(Answer) -> Answer, &'static [FailureKind]);

/// What heals when asked again, and what it was.
const PASSING: &[Fault] = &[
    (|_| faults::rate_limited(RetryAfter::Unsaid), &[FailureKind::RateLimited]),
    (|_| faults::rate_limited(RetryAfter::Seconds(1)), &[FailureKind::RateLimited]),
    (|_| faults::rate_limited(RetryAfter::Milliseconds(5)), &[FailureKind::RateLimited]),
    (|_| faults::rate_limited(RetryAfter::Date(1)), &[FailureKind::RateLimited]),
    (|_| faults::failed(500), &[FailureKind::Server]),
    (|_| faults::failed(503), &[FailureKind::Server]),
    (|_| faults::failed(529), &[FailureKind::Server]),
    (|_| faults::html(502), &[FailureKind::Server]),
    (|_| faults::html(200), &[FailureKind::Malformed]),
    (|_| faults::reset(), &[FailureKind::Connect]),
    (faults::reset_midway, &[FailureKind::Cut]),
    (faults::truncated, &[FailureKind::Cut]),
    (faults::ends_early, &[FailureKind::Cut]),
    (faults::garbled, &[FailureKind::Malformed]),
    (faults::error_event, &[FailureKind::Server]),
    (faults::wrong_type, &[FailureKind::Malformed]),
    (|_| faults::gzip_bomb(GIB / 8), &[FailureKind::Malformed]),
    (|_| faults::endless_head(), &[FailureKind::Connect]),
    (faults::stalling, &[FailureKind::Stalled]),
    (|_| faults::tokenless(), &[FailureKind::FirstTokenTimeout]),
    (|_| faults::kept_alive(), &[FailureKind::FirstTokenTimeout]),
    (|_| faults::silent(), &[FailureKind::FirstTokenTimeout]),
    // What is only odd is an answer.
    (|right| faults::slow_chunks(right, Duration::from_millis(20)), &[]),
    (|right| faults::slow_headers(right, Duration::from_millis(20)), &[]),
    (faults::foreign_ids, &[]),
    (faults::without_ids, &[]),
    (faults::without_usage, &[]),
    (|right| faults::with_usage(right, json!({"prompt_tokens": u64::MAX, "completion_tokens": 1e300})), &[]),
    (|right| faults::with_usage(right, json!({"prompt_tokens": -1, "completion_tokens": "many"})), &[]),
];

#[test]
fn what_passes_is_asked_again_once_and_each_fault_is_named() {
    let firsts = Firsts::default();
    let server = ScriptedServer::start(move |request, _| {
        let place = place(request);
        match PASSING.get(place).filter(|_| firsts.is_first(place)) {
            Some((fault, _)) => fault(right(request)),
            None => right(request),
        }
    });
    // The last ones are answered at once: a service of which nothing is known but faults is given up.
    let trials = PASSING.len() + 11;
    let project = fault_run::project(trials, &server, IMPATIENT);
    let (output, _) = fault_run::run(&project, 32);
    let account = Account::of(&project);
    for (place, (_, kinds)) in PASSING.iter().enumerate() {
        let found = account.attempts.get(&id(place)).map_or(&[][..], Vec::as_slice);
        assert_eq!(found, *kinds, "of fault {place}");
    }
    let output = output.exits(0);
    assert_eq!((account.answered, account.right), (trials, trials), "{:?}", account.failed);
    assert!(account.trials.len() == trials && account.trials.values().all(|times| *times == 1));
    assert_eq!(server.count(), account.requests(), "{:?}", server.account());
    let row = &output.json()["variants"][0];
    assert_eq!(row["outcomes"], json!({"answered": trials, "refused": 0, "truncated": 0, "failed": 0}));
    assert_eq!((&row["missing"], &row["accuracy"]["point"]), (&json!(0), &json!(1.0)));
    let endless = server.told().into_iter().find(|told| told.name == "endless-head").unwrap();
    assert!(!endless.whole && endless.bytes < READ, "{endless:?}");
}

#[test]
fn usage_that_is_absurd_or_not_there_is_unknown() {
    let server = ScriptedServer::start(|request, _| match place(request) {
        0 => faults::without_usage(right(request)),
        1 => faults::with_usage(right(request), json!({"prompt_tokens": u64::MAX, "completion_tokens": 7})),
        _ => right(request),
    });
    let project = fault_run::project(3, &server, "");
    fault_run::run(&project, 1).0.exits(0);
    for (place, output_tokens) in [(0, Value::Null), (1, json!(7)), (2, json!(5))] {
        let shown = project.run(["show", "last", &id(place), "--json"]).exits(0).json();
        let usage = &shown["trials"][0]["usage"];
        let input = if place == 2 { json!(20) } else { Value::Null };
        assert_eq!((&usage["input_uncached_tokens"], &usage["output_tokens"]), (&input, &output_tokens), "{place}");
    }
}

#[test]
fn an_answer_without_measure_is_left_after_a_part_of_it() {
    let server = ScriptedServer::start(|request, _| match place(request) {
        0 => faults::huge(GIB),
        1 => faults::huge_whole(GIB),
        2 => faults::huge_error(GIB),
        _ => right(request),
    });
    let project = fault_run::project(12, &server, "");
    // One at a time, so that what is read at most is what one answer is read at most.
    let (output, _) = fault_run::run(&project, 1);
    let account = Account::of(&project);
    let row = &output.exits(0).json()["variants"][0];
    assert_eq!(row["outcomes"], json!({"answered": 9, "refused": 0, "truncated": 0, "failed": 3}));
    assert_eq!((&row["missing"], &row["accuracy"]["point"]), (&json!(0), &json!(0.75)), "they count as wrong");
    assert!(account.failed.values().all(|kind| *kind == FailureKind::Malformed), "{:?}", account.failed);
    assert!(account.attempts.is_empty(), "what is too large is not asked again: {:?}", account.attempts);
    for told in server.told().iter().filter(|told| told.name.starts_with("huge")) {
        assert!(!told.whole && told.bytes < READ, "{told:?}");
    }
}

#[test]
fn a_total_timeout_is_wrong_and_not_asked_again() {
    let server = ScriptedServer::start(|request, _| match place(request) {
        0 => faults::silent(),
        1 => faults::kept_alive(),
        _ => right(request),
    });
    let project = fault_run::project(8, &server, "timeout_s = 3");
    let (output, _) = fault_run::run(&project, 8);
    let account = Account::of(&project);
    let row = &output.exits(0).json()["variants"][0];
    assert_eq!(account.failed.values().collect::<Vec<_>>(), [&FailureKind::Timeout; 2]);
    assert!(account.attempts.is_empty() && server.count() == 8);
    assert_eq!((&row["missing"], &row["accuracy"]["point"]), (&json!(0), &json!(0.75)));
    assert_eq!(row["failures"][0]["kind"], "timeout", "{row}");
}

#[test]
fn an_exhausted_quota_stops_its_variant() {
    let server = ScriptedServer::start(|_, _| faults::quota_exhausted());
    let project = fault_run::project(50, &server, "");
    let (output, _) = fault_run::run(&project, 2);
    let output = output.exits(4).says("You exceeded your current quota");
    assert!(server.count() <= 2, "{} requests", server.count());
    let row = &output.json()["variants"][0];
    assert_eq!((&row["missing"], &row["outcomes"]["failed"]), (&json!(50), &json!(50)));
    let stopped = |kind: &FailureKind| matches!(kind, FailureKind::QuotaExhausted | FailureKind::Stopped);
    assert!(Account::of(&project).failed.values().all(stopped));
}

#[test]
fn a_redirect_takes_no_key_to_another_host() {
    const KEY: &str = "sk-scripted-fedcba9876543210";
    let elsewhere = ScriptedServer::start(|request, _| right(request));
    for status in [301, 302, 307, 308] {
        let to = format!("{}/chat/completions", elsewhere.base_url());
        let server = ScriptedServer::start(move |_, _| faults::redirect(status, &to));
        let project = Project::new().suite("tiny").live_with_key(&server, KEY);
        let run = ["run", "suites/tiny", "--provider", "toy=live", "--variants", "plain", "--concurrency", "1"];
        project.run(run).exits(4).says(&format!("the server answered {status}, elsewhere"));
        assert_eq!(server.seen()[0].headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(server.count(), 1, "a redirect stops its variant");
    }
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn no_answer_is_lost_or_counted_twice_among_faults() {
    const TRIALS: usize = 400;
    let mix = Mix::usual(7);
    let server = ScriptedServer::start(move |request, number| mix.answer(number, right(request)));
    let project = fault_run::project(TRIALS, &server, IMPATIENT);
    let (output, _) = fault_run::run(&project, 64);
    let output = output.exits(0);
    let account = Account::of(&project);
    assert_eq!((account.answered, account.right), (TRIALS, TRIALS), "{:?}", account.failed);
    assert!(account.trials.len() == TRIALS && account.trials.values().all(|times| *times == 1));
    // Each request that the server counted is an attempt that the store has.
    let told = server.account();
    assert_eq!(server.count(), account.requests(), "{told:?}");
    let retried = account.retried();
    let of = |names: &[&str]| names.iter().map(|name| told.get(name).copied().unwrap_or(0)).sum::<usize>();
    let kinds = |kinds: &[FailureKind]| kinds.iter().map(|kind| retried.get(kind).copied().unwrap_or(0)).sum::<usize>();
    assert_eq!(kinds(&[FailureKind::RateLimited]), of(&["rate-limited"]));
    assert_eq!(kinds(&[FailureKind::Server]), of(&["failed"]));
    assert_eq!(kinds(&[FailureKind::Connect]), of(&["reset"]));
    assert_eq!(kinds(&[FailureKind::Cut]), of(&["reset-midway", "truncated"]));
    assert_eq!(kinds(&[FailureKind::Stalled]), of(&["stalling"]));
    assert_eq!(of(&["answer"]), TRIALS);
    assert!(of(&["rate-limited"]) > 0 && of(&["failed"]) > 0 && of(&["truncated"]) > 0, "{told:?}");
    assert_eq!(output.json()["variants"][0]["outcomes"]["answered"], TRIALS);
}

#[test]
fn what_a_service_turns_away_comes_again_until_it_is_let_in() {
    const TRIALS: usize = 200;
    let server = ScriptedServer::with_quota(Quota::at_once(3), |request, _| {
        std::thread::yield_now();
        right(request)
    });
    let project = fault_run::project(TRIALS, &server, "concurrency = 32");
    fault_run::run(&project, 32).0.exits(0);
    let account = Account::of(&project);
    assert_eq!((account.answered, account.right), (TRIALS, TRIALS), "{:?}", account.failed);
    assert_eq!(server.count(), account.requests());
    assert_eq!(server.account()["answer"], TRIALS);
}

#[test]
fn a_quota_of_the_servers_own_says_when_there_is_room() {
    let quota = Quota::per_minute(2);
    let places: Vec<_> = (0..3).map(|_| quota.take().map(drop)).collect();
    assert!(matches!(places[..], [Ok(()), Ok(()), Err(RetryAfter::Seconds(1..=60))]));
}
