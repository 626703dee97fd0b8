//! A run of thousands of trials through a server that fails at stated rates, and runs against servers
//! with limits: whether every trial is answered once, at what throughput, and how much is turned away.
//!
//! `cargo bench --bench faults -- [--trials N] [--seed N]`: N trials (10,000) of the run through faults.
//! Prints one table; exits 1 where a promise is missed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its table is what it is run for")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it is no part of the product, and what cannot go on has failed"
)]

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use what this does not")]
mod support;

use std::process::ExitCode;
use std::time::Duration;

use support::ScriptedServer;
use support::fault_run::{self, Account};
use support::project::right;
use support::server::Told;
use support::server::mix::Mix;
use support::server::quota::Quota;

/// What the server takes for an answer.
const LATENCY: Duration = Duration::from_millis(200);

const CONCURRENCY: usize = 64;

/// Ends a stall; no answer of a server that is well takes so long.
const IMPATIENT: &str = "first_token_timeout_s = 10\nbetween_chunks_timeout_s = 2";

/// Trials against 200 requests a minute, and against 16 at once: some minutes each.
const PACED_TRIALS: usize = 850;
const CROWDED_TRIALS: usize = 14_000;

/// The word after a flag.
fn value(flag: &str) -> Option<usize> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(place + 1).map(|text| text.parse().unwrap())
}

/// One line of the table.
struct Line {
    what: String,
    found: String,
    bound: String,
    met: bool,
}

fn line(what: &str, found: impl ToString, bound: &str, met: bool) -> Line {
    Line { what: what.to_owned(), found: found.to_string(), bound: bound.to_owned(), met }
}

fn main() -> ExitCode {
    let trials = value("--trials").unwrap_or(10_000);
    let seed = value("--seed").unwrap_or(7) as u64;
    let (free, faulty) = (without_faults(trials), through_faults(trials, seed));
    let mut lines = faulty.lines;
    let share = free.as_secs_f64() / faulty.wall.as_secs_f64();
    let found =
        format!("{:.1}% ({:.1} s, {:.1} s without)", 100.0 * share, faulty.wall.as_secs_f64(), free.as_secs_f64());
    lines.push(line("throughput, of that without faults", found, ">= 80%", share >= 0.8));
    let (paced, crowded) = std::thread::scope(|scope| {
        let paced = scope.spawn(|| with_quota("200 requests a minute", Quota::per_minute(200), PACED_TRIALS));
        let crowded = with_quota("16 at once", Quota::at_once(16), CROWDED_TRIALS);
        (paced.join().unwrap(), crowded)
    });
    lines.extend(paced);
    lines.extend(crowded);
    println!("| what | measured | bound | |\n|---|---|---|---|");
    for Line { what, found, bound, met } in &lines {
        let verdict = match (bound.is_empty(), met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "missed",
        };
        println!("| {what} | {found} | {bound} | {verdict} |");
    }
    if lines.iter().all(|line| line.met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long as many trials take of a server that always answers.
fn without_faults(trials: usize) -> Duration {
    let server = ScriptedServer::start(|request, _| {
        std::thread::sleep(LATENCY);
        right(request)
    });
    let project = fault_run::project(trials, &server, IMPATIENT);
    let (output, wall) = fault_run::run(&project, CONCURRENCY);
    drop(output.exits(0));
    wall
}

/// What came of a run through faults.
struct Faulty {
    wall: Duration,
    lines: Vec<Line>,
}

fn through_faults(trials: usize, seed: u64) -> Faulty {
    let mix = Mix::usual(seed);
    let server = ScriptedServer::start(move |request, number| {
        let answer = mix.answer(number, right(request));
        if !matches!(&answer, support::Answer::Steps("rate-limited", _)) {
            std::thread::sleep(LATENCY);
        }
        answer
    });
    let project = fault_run::project(trials, &server, IMPATIENT);
    let (output, wall) = fault_run::run(&project, CONCURRENCY);
    drop(output.exits(0));
    let (store, told) = (Account::of(&project), server.account());
    eprintln!("sent again: {:?}\nthe server's account: {told:?}", store.retried());
    let once = store.trials.len() == trials && store.trials.values().all(|times| *times == 1);
    let lost = told["answer"].abs_diff(store.answered);
    let requests = server.count();
    let lines = vec![
        line("trials answered", store.answered, &trials.to_string(), store.answered == trials),
        line("answers that are their own example's", store.right, &trials.to_string(), store.right == trials),
        line("examples once in the store", if once { "all" } else { "not all" }, "all", once),
        line("answers sent and not stored, or stored twice", lost, "0", lost == 0),
        line(
            "requests that the server counted, attempts that the store has",
            format!("{requests}, {}", store.requests()),
            "equal",
            requests == store.requests(),
        ),
    ];
    Faulty { wall, lines }
}

/// How much a server with a limit turns away once the first minute is over.
fn with_quota(name: &str, quota: Quota, trials: usize) -> Vec<Line> {
    let server = ScriptedServer::with_quota(quota, |request, _| {
        std::thread::sleep(LATENCY);
        right(request)
    });
    let project = fault_run::project(trials, &server, IMPATIENT);
    let (output, wall) = fault_run::run(&project, CONCURRENCY);
    drop(output.exits(0));
    let store = Account::of(&project);
    let told = server.told();
    for minute in 0..=wall.as_secs() / 60 {
        let (rejected, all) = counts(told.iter().filter(|told| told.after.as_secs() / 60 == minute));
        eprintln!("{name}, minute {}: {rejected} of {all} turned away", minute + 1);
    }
    let (rejected, all) = counts(told.iter().filter(|told| told.after >= Duration::from_secs(60)));
    let share = rejected as f64 / all.max(1) as f64;
    let found = format!("{:.2}% ({rejected} of {all})", 100.0 * share);
    let per_minute = (all - rejected) as f64 * 60.0 / (wall.as_secs_f64() - 60.0);
    vec![
        line(&format!("{name}: turned away after the first minute"), found, "< 3%", share < 0.03),
        line(&format!("{name}: let in a minute after the first"), format!("{per_minute:.0}"), "", true),
        line(&format!("{name}: trials answered"), store.answered, &trials.to_string(), store.answered == trials),
    ]
}

fn counts<'a>(told: impl Iterator<Item = &'a Told>) -> (usize, usize) {
    told.fold((0, 0), |(rejected, all), told| (rejected + usize::from(told.name == "rate-limited"), all + 1))
}
