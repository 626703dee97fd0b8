//! Limits of money: never exceeded, whatever usage the server reports within what was set aside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ceiling::stats::rng::Rng;
use serde_json::{Value, json};

use crate::support::project::{EXAMPLES, colour_of};
use crate::support::{Answer, Project, ScriptedServer, events};

const RUN: [&str; 5] = ["run", "suites/tiny", "--provider", "toy=live", "--json"];

/// What the provider asks for: 1 USD a million tokens in, 10 out.
const PRICE: &str = "\n[models.small]\nprice = { input = 1.0, output = 10.0 }\n";

/// Most tokens of an answer.
const MOST_OUT: u64 = 50;

/// A well-mixed number of a seed.
fn mixed(seed: u64) -> u64 {
    Rng::new(seed).next_u64()
}

/// A server that bills as it likes, up to a token for each byte of the request, and keeps its own account.
fn billing(usage: impl Fn(u64, u64) -> (u64, u64) + Send + Sync + 'static) -> (ScriptedServer, Arc<AtomicU64>) {
    let micro_usd = Arc::new(AtomicU64::new(0));
    let account = Arc::clone(&micro_usd);
    let server = ScriptedServer::start(move |request, number| {
        let bytes = request.to_string().len() as u64;
        let (input, output) = usage(number as u64, bytes);
        account.fetch_add(input + 10 * output, Ordering::SeqCst);
        let said = json!({"label": colour_of(request)}).to_string();
        let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
        Answer::Stream(events(&[&said], "stop", usage))
    });
    (server, micro_usd)
}

fn priced(server: &ScriptedServer) -> Project {
    let project = Project::new().suite("tiny").live(server);
    project.edit("providers/live.toml", "\n[models.small]\n", PRICE);
    let params = format!("prompt = \"v1\"\nparams = {{ max_tokens = {MOST_OUT} }}\n");
    project.edit("suites/tiny/suite.toml", "prompt = \"v1\"\n", &params);
    project
}

fn usd(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

#[test]
fn no_bill_within_what_was_set_aside_exceeds_the_limit() {
    for seed in 0..6 {
        let (server, billed) = billing(move |number, bytes| {
            let drawn = mixed(seed * 1000 + number);
            match drawn % 3 {
                0 => (bytes, MOST_OUT),
                1 => (drawn % bytes, drawn / 7 % MOST_OUT),
                _ => (1, 1),
            }
        });
        let project = priced(&server);
        // All requests cost more than this, whichever comes first.
        let most = 2_500 + mixed(seed) % 2_000;
        let limited = project.run(RUN.iter().chain(&["--max-cost", &usd(most), "--concurrency", "8"])).exits(4);
        assert!(limited.stderr().contains("could exceed the budget"), "{}", limited.stderr());
        let spent = billed.load(Ordering::SeqCst);
        assert!(spent <= most, "seed {seed}: {spent} of {most} micro-dollars");
        let asked = server.count();
        let rest = project.run(RUN.iter().chain(&["--max-cost", "1"])).exits(0).json();
        assert!(rest["variants"].as_array().unwrap().iter().all(|row| row["n"] == EXAMPLES), "{rest}");
        assert_eq!((rest["run"].as_str(), server.count()), (Some("tiny-1"), 2 * EXAMPLES), "{asked} were kept");
    }
}

#[test]
fn the_budget_of_a_suite_is_that_of_the_run_however_often_it_is_started() {
    let (server, billed) = billing(|_, bytes| (bytes, MOST_OUT));
    let project = priced(&server);
    let suite = "suites/tiny/suite.toml";
    project.edit(suite, "[targets]", "[budget]\nmax_usd = 0.006\n\n[targets]");
    project.run(RUN).exits(4);
    let (first, asked) = (billed.load(Ordering::SeqCst), server.count());
    assert!(asked > 2 && first <= 6_000, "{first}");
    // What was spent is spent; the same command does not get the same budget again.
    let again = project.run(RUN).exits(4);
    assert!(again.stderr().contains("earlier invocations"), "{}", again.stderr());
    assert!(billed.load(Ordering::SeqCst) <= 6_000, "{}", billed.load(Ordering::SeqCst));
    project.run(RUN.iter().chain(&["--max-cost", "0.002"])).exits(4);
    let more = billed.load(Ordering::SeqCst) - first;
    assert!(more > 0 && more <= 2_000, "--max-cost is what this invocation may spend: {more}");
}

#[test]
fn usage_that_cannot_be_is_billed_at_the_worst() {
    let met = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&met);
    let server = ScriptedServer::start(move |request, _| {
        *count.lock().unwrap() += 1;
        let said = json!({"label": colour_of(request)}).to_string();
        let absurd = json!({"prompt_tokens": -5, "completion_tokens": 1e30, "total_tokens": "many"});
        let usage = if count.lock().unwrap().is_multiple_of(2) { absurd } else { Value::Null };
        Answer::Stream(events(&[&said], "stop", usage))
    });
    let project = priced(&server);
    let limited = project.run(RUN.iter().chain(&["--max-cost", "0.01"])).exits(4).json();
    // A worst case is about 512 tokens of a template, some 300 bytes, and 50 tokens out at ten times the price.
    let asked = *met.lock().unwrap();
    assert!((4..=12).contains(&asked), "{asked}");
    assert!(limited["variants"][0]["cost_usd_per_request"]["point"].is_null(), "what is not known is not made up");
}

#[test]
fn time_is_up_cleanly_and_the_rest_is_asked_later() {
    let (server, _) = billing(|_, _| (10, 5));
    let project = priced(&server);
    project.edit("suites/tiny/suite.toml", "[targets]", "[budget]\nmax_time_s = 0.0\n\n[targets]");
    let over = project.run(RUN).exits(4);
    assert!(over.stderr().contains("the time limit is reached"), "{}", over.stderr());
    assert_eq!(server.count(), 0);
    project.run(RUN.iter().chain(&["--max-time", "600"])).exits(0);
    assert_eq!(server.count(), 2 * EXAMPLES);
}
