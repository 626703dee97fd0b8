//! `ceiling run --batch`: through the batch API of each vendor, with everything that can go wrong
//! on the way, and after a restart.

use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::support::batch::{BatchServer, Line, NEVER, Vendor, asked, right};
use crate::support::project::{EXAMPLES, KEY_VARIABLE};
use crate::support::{Output, Project};

const KEY: &str = "sk-batch-0123456789";
const RUN: [&str; 7] = ["run", "suites/tiny", "--provider", "toy=vendor", "--batch", "--batch-poll-ms", "1"];

/// The tiny suite with its plain variant alone, asked of the server.
fn project(server: &BatchServer) -> Project {
    let project = Project::new().suite("tiny").file("providers/vendor.toml", &server.provider()).env(KEY_VARIABLE, KEY);
    let second =
        "[[variants]]\nname = \"schema\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nstructured = \"json-schema\"\n";
    project.edit("suites/tiny/suite.toml", second, "");
    let limited = "prompt = \"v1\"\nparams = { max_tokens = 64 }\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "prompt = \"v1\"\n\n\n[targets]", limited);
    project
}

fn run(project: &Project, more: &[&str]) -> Output {
    project.run(RUN.iter().chain(more))
}

fn only_row(output: &Output) -> Value {
    output.json()["variants"][0].clone()
}

/// The numbers of an example in the tiny suite.
fn number(request: &Value) -> usize {
    asked(request).split(' ').nth(3).and_then(|number| number.parse().ok()).unwrap()
}

fn goes_all_the_way(vendor: Vendor) {
    let server = BatchServer::start(vendor, |request, _| right(request));
    let project = project(&server);
    let output = run(&project, &["--json"]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES]);
    let row = only_row(&output);
    assert_eq!((&row["delivery"], &row["n"]), (&"batch".into(), &EXAMPLES.into()));
    assert_eq!(row["accuracy"]["point"], 1.0, "{row}");
    assert_eq!((&row["ttft_ms"]["p50"], &row["total_ms"]["p50"]), (&Value::Null, &Value::Null));
    // 20 tokens at $1 and 5 at $2, a million each.
    let cost = row["cost_usd_per_request"]["point"].as_f64().unwrap();
    assert!((cost - 0.000_03).abs() < 1e-12, "{cost}");
    // Sent one by one: 20 at $2 and 5 at $4.
    let direct = row["cost_batch"]["direct_usd_per_request"].as_f64().unwrap();
    assert!((direct - 0.000_06).abs() < 1e-12, "{direct}");
    crate::schemas::fits(&output.json(), "run");
    assert!(output.stderr().contains("submitted with 12 requests"), "{}", output.stderr());
    assert!(output.stderr().contains("fetched: 12 answered"), "{}", output.stderr());
    // What is shown of it, and what is not.
    let shown = project.run(["show", "last", "e01", "--json"]).exits(0).json();
    crate::schemas::fits(&shown, "show");
    assert_eq!((&shown["trials"][0]["delivery"], &shown["trials"][0]["total_ms"]), (&"batch".into(), &Value::Null));
    let _ = project.run(["show", "last", "e01"]).exits(0).says("not measured: came in a batch of 12 requests");
    let _ = project.run(["record", "last", "-o", "r.jsonl"]).exits(2).says("came by batch");
    // No key anywhere, but with every call.
    assert!(server.calls().iter().all(|call| call.headers.values().any(|value| value.contains(KEY))));
    for (path, bytes) in project.files() {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", path.display());
    }
    // What was answered is not asked again.
    let again = run(&project, &["--fresh"]);
    let again = again.exits(0).says("latency: not measured, answers came by batch");
    let _ = again.says("a request costs $0.0000300 by batch; sent by itself, its tokens would cost $0.0000600");
    assert_eq!(server.batches(), [EXAMPLES, EXAMPLES], "--fresh asks again");
    let again = run(&project, &["--json"]).exits(0);
    assert_eq!((only_row(&again)["reused"].clone(), server.batches().len()), (EXAMPLES.into(), 2));
}

#[test]
fn openai_chat_goes_all_the_way() {
    goes_all_the_way(Vendor::OpenaiChat);
}

#[test]
fn openai_responses_goes_all_the_way() {
    goes_all_the_way(Vendor::OpenaiResponses);
}

#[test]
fn anthropic_goes_all_the_way() {
    goes_all_the_way(Vendor::Anthropic);
}

#[test]
fn gemini_goes_all_the_way() {
    goes_all_the_way(Vendor::Gemini);
}

/// Lines of every kind: what can be asked again is, in one further batch.
fn survives_every_line(vendor: Vendor) {
    let server = BatchServer::start(vendor, |request, batch| match (number(request), batch) {
        (1, 0) => Line::Expired,
        (2, 0) => Line::Lost,
        (3, 0) => Line::Fails(500, "api_error"),
        (4, _) => Line::Fails(400, "invalid_request_error"),
        (5, _) => {
            let Line::Says(text) = right(request) else { unreachable!() };
            Line::Twice(text)
        }
        _ => right(request),
    });
    let project = project(&server);
    let output = run(&project, &["--json"]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES, 3]);
    let row = only_row(&output);
    assert_eq!((&row["outcomes"]["answered"], &row["outcomes"]["failed"]), (&11.into(), &1.into()), "{row}");
    assert_eq!(row["failures"][0]["kind"], "bad-request");
    assert_eq!((&row["missing"], &row["accuracy"]["n"]), (&0.into(), &EXAMPLES.into()));
    assert!(output.stderr().contains("1 with a second result"), "{}", output.stderr());
    assert!(output.stderr().contains("3 asked again"), "{}", output.stderr());
    let shown = project.run(["show", "last", "e02", "--json"]).exits(0).json();
    assert_eq!(shown["trials"][0]["attempts"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn openai_survives_every_line() {
    survives_every_line(Vendor::OpenaiChat);
}

#[test]
fn anthropic_survives_every_line() {
    survives_every_line(Vendor::Anthropic);
}

#[test]
fn gemini_survives_every_line() {
    survives_every_line(Vendor::Gemini);
}

#[test]
fn what_expires_again_and_again_is_missing() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| match number(request) {
        7 => Line::Expired,
        8 => Line::Cancelled,
        _ => right(request),
    });
    let project = project(&server);
    let output = run(&project, &["--json"]).exits(4);
    assert_eq!(server.batches(), [EXAMPLES, 1, 1], "a cancelled one is not asked again");
    assert_eq!(only_row(&output)["missing"], 2);
    // Another invocation tries both again.
    let _ = run(&project, &[]).exits(4);
    assert_eq!(server.batches(), [EXAMPLES, 1, 1, 2, 1, 1]);
}

#[test]
fn a_variant_that_is_only_refused_is_stopped() {
    let server = BatchServer::start(Vendor::OpenaiChat, |_, _| Line::Fails(400, "invalid_request_error"));
    let output = run(&project(&server), &["--json"]).exits(4);
    assert_eq!(only_row(&output)["missing"], EXAMPLES);
    let _ = output.says("variant `plain` was stopped: not so");
}

fn interrupted(mut child: Child) -> Output {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    Output::of(child.wait_with_output().unwrap())
}

fn is_waited_for_after_an_interrupt(vendor: Vendor) {
    let server = BatchServer::start(vendor, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let child = project.start(RUN);
    server.wait_for(1, 3);
    let _ = interrupted(child).says("1 batch goes on at the provider");
    server.patience(0);
    let output = run(&project, &["--json"]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES], "nothing was submitted twice");
    assert_eq!(only_row(&output)["accuracy"]["point"], 1.0);
    assert!(output.stderr().contains("waited for again: 12 requests"), "{}", output.stderr());
}

#[test]
fn openai_is_waited_for_after_an_interrupt() {
    is_waited_for_after_an_interrupt(Vendor::OpenaiChat);
}

#[test]
fn anthropic_is_waited_for_after_an_interrupt() {
    is_waited_for_after_an_interrupt(Vendor::Anthropic);
}

#[test]
fn gemini_is_waited_for_after_an_interrupt() {
    is_waited_for_after_an_interrupt(Vendor::Gemini);
}

/// Killed after the provider took the batch, before its name came back.
fn is_found_after_a_crash_in_between(vendor: Vendor) {
    let server = BatchServer::start(vendor, |request, _| right(request));
    server.hold(true);
    let project = project(&server);
    let mut child = project.start(RUN);
    server.wait_for(1, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    server.hold(false);
    let output = run(&project, &["--json"]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES], "nothing was submitted twice");
    assert_eq!(only_row(&output)["n"], EXAMPLES);
}

#[test]
fn openai_is_found_after_a_crash_in_between() {
    is_found_after_a_crash_in_between(Vendor::OpenaiChat);
}

#[test]
fn anthropic_is_found_after_a_crash_in_between() {
    is_found_after_a_crash_in_between(Vendor::Anthropic);
}

#[test]
fn gemini_is_found_after_a_crash_in_between() {
    is_found_after_a_crash_in_between(Vendor::Gemini);
}

/// An account lists the batches of all its models together.
#[test]
fn a_batch_of_another_model_is_not_taken_for_the_lost_one() {
    let server = BatchServer::start(Vendor::Anthropic, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let provider = project.read("providers/vendor.toml");
    let price = provider.lines().last().unwrap();
    project.write("providers/vendor.toml", format!("{provider}[models.big]\n{price}\n").as_bytes());
    let second = "[[variants]]\nname = \"other\"\nmodel = \"vendor/big\"\nprompt = \"v1\"\nparams = { max_tokens = 64 }\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", second);
    let with =
        |variant: &str| RUN.iter().copied().chain(["--variants", variant]).map(str::to_owned).collect::<Vec<_>>();
    let child = project.start(with("plain"));
    server.wait_for(1, 1);
    let _ = interrupted(child);
    server.hold(true);
    let mut child = project.start(with("other"));
    server.wait_for(2, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    server.hold(false);
    server.patience(0);
    let output = project.run(with("other").iter().map(String::as_str).chain(["--json"])).exits(0);
    assert_eq!(server.batches(), [EXAMPLES, EXAMPLES], "nothing was submitted twice");
    assert_eq!(only_row(&output)["accuracy"]["point"], 1.0);
}

#[test]
fn what_was_paid_for_is_fetched_without_money_for_more() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let child = project.start(RUN.iter().chain(&["--max-cost", "0.004"]));
    server.wait_for(1, 1);
    let _ = interrupted(child);
    let sent = server.batches();
    assert!(sent.len() == 1 && sent[0] < EXAMPLES, "{sent:?}");
    server.patience(0);
    let output = run(&project, &["--max-cost", "0", "--json"]).exits(4);
    assert_eq!((server.batches(), only_row(&output)["n"].clone()), (sent.clone(), sent[0].into()));
    let _ = output.says("could exceed the budget").says(&format!("{} trials to go", EXAMPLES - sent[0]));
}

#[test]
fn files_are_deleted_once_their_answers_are_in_the_store() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, batch| match (number(request), batch) {
        (1, 0) => Line::Lost,
        _ => right(request),
    });
    let _ = run(&project(&server), &[]).exits(0);
    assert_eq!(server.deleted(), ["file_1", "out_1", "error_1"], "not those of results that are odd");
}

#[test]
fn a_run_without_batches_says_which_are_open() {
    let server = BatchServer::start(Vendor::Gemini, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let child = project.start(RUN);
    server.wait_for(1, 1);
    let _ = interrupted(child);
    let directly = ["run", "suites/tiny", "--provider", "toy=vendor", "--max-time", "0"];
    let _ = project.run(directly).says("1 batch of run tiny-1 is still open");
    server.patience(0);
    let _ = run(&project, &[]).exits(0);
    assert!(!project.run(directly).stderr().contains("still open"));
}

#[test]
fn an_error_that_hides_a_success_does_not_submit_twice() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    server.take_and_answer(502, &json!({"error": "bad gateway"}));
    let _ = run(&project(&server), &[]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES]);
}

#[test]
fn a_submission_is_retried_and_a_full_queue_waited_for() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    server.refuse(429, &json!({"error": {"message": "slow down", "type": "rate_limit_error"}}));
    let full = json!({"status": "failed", "errors": {"data": [{"code": "token_limit_exceeded", "message": "full"}]}});
    server.fail(full);
    let output = run(&project(&server), &[]).exits(0);
    assert_eq!(server.batches(), [EXAMPLES, EXAMPLES], "the first was refused as a whole");
    assert!(output.stderr().contains("given up: full"), "{}", output.stderr());
}

#[test]
fn a_refused_batch_says_why() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    let body =
        json!({"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}});
    server.refuse(404, &body);
    let output = run(&project(&server), &["--json"]).exits(4);
    assert_eq!((server.batches().len(), only_row(&output)["missing"].clone()), (0, EXAMPLES.into()));
    let _ = output.says("no such model");
}

#[test]
fn a_limit_of_money_is_kept_at_batch_prices() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    let project = project(&server);
    let _ = run(&project, &["--max-cost", "0.0001"]).exits(4).says("could exceed the budget");
    assert_eq!(server.batches(), [0; 0]);
    // About 700 bytes a request at $1 and 64 tokens at $2: under $0.001 each, so that some fit at a
    // time; what they really cost is far less, so that the others follow.
    let output = run(&project, &["--max-cost", "0.004", "--json"]).exits(0);
    assert!(server.batches().len() > 1 && server.batches().iter().sum::<usize>() == EXAMPLES, "{:?}", server.batches());
    assert_eq!(only_row(&output)["n"], EXAMPLES);
    project.edit("providers/vendor.toml", ", batch_output = 2.0", "");
    let _ = run(&project, &["--max-cost", "1", "--fresh"]).exits(2).says("batch_output");
}

#[test]
fn providers_without_a_batch_api_are_named() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    let project = project(&server);
    project.edit("providers/vendor.toml", "dialect = \"openai\"\n", "");
    let output = run(&project, &[]).exits(2).says("variant `plain` (`vendor/small`)");
    assert!(output.stderr().contains("hint: OpenAI"), "{}", output.stderr());
    let _ = project.run(["run", "suites/tiny", "--batch"]).exits(2).says("answered from a recording");
    assert!(server.calls().is_empty());
}

#[test]
fn the_time_limit_leaves_a_batch_to_the_next_run() {
    let server = BatchServer::start(Vendor::Gemini, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let _ = run(&project, &["--max-time", "0"]).exits(4);
    server.patience(0);
    let _ = run(&project, &[]).exits(0);
    // Another plan with every answer in the store: there is nothing that the limit could stop.
    let _ = run(&project, &["--max-time", "0", "--limit", "3"]).exits(0);
    assert!(server.batches().len() <= 1, "{:?}", server.batches());
}

#[test]
fn a_shard_that_waits_for_a_batch_is_not_joined_before_it_is_fetched() {
    let server = BatchServer::start(Vendor::OpenaiChat, |request, _| right(request));
    server.patience(NEVER);
    let project = project(&server);
    let shard = || RUN.iter().chain(&["--shard", "1/1", "--store", "shard.db"]);
    let child = project.start(shard());
    server.wait_for(1, 1);
    let _ = interrupted(child);
    let _ = project.run(["merge", "shard.db"]).exits(2).says("shard 1/1 in `shard.db` waits for a batch");
    server.patience(0);
    let _ = project.run(shard()).exits(0);
    let _ = project.run(["merge", "shard.db"]).exits(0).says("12 trials (12 of them new)");
    assert_eq!(server.batches(), [EXAMPLES], "nothing was submitted twice");
}
