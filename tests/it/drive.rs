//! The run's driver against a scripted transport, in paused time: what would take minutes of
//! waiting between attempts takes none.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ceiling::digest::Digest;
use ceiling::provider::{Limits, WireKind};
use ceiling::run::attempt::{Arrived, BoxFuture, Call, Transport};
use ceiling::run::event::Silent;
use ceiling::run::feed::Work;
use ceiling::run::{Ask, EndpointSpec, Job, Lane, MAX_ATTEMPTS, Summary, drive};
use ceiling::store::{NewRun, Store, StoredTrial, Writer};
use ceiling::suite::{Example, ExampleId};
use ceiling::trial::{CacheMode, Provenance, Received, Timing, Trial};
use ceiling::units::Usd;
use ceiling::variant::VariantId;
use ceiling::wire;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Answers the how-manieth request with what the script says, half of `takes` after its first
/// token; notes when each was sent.
struct Scripted {
    sent_ms: Mutex<Vec<u128>>,
    start: tokio::time::Instant,
    takes: Duration,
    script: Script,
    /// A store that has every answer before time goes on: paused time leaps while nothing but the disk is waited for.
    store: Option<PathBuf>,
}

/// Waits on a thread of its own, which holds paused time, until the store has so many trials.
fn hold_until_stored(store: PathBuf, trials: usize) {
    tokio::task::spawn_blocking(move || {
        let store = Store::open_existing(&store).unwrap();
        while store.run("last").unwrap().trials < trials as u64 {
            std::thread::yield_now();
        }
    });
}

type Script = fn(usize) -> (u16, &'static str);

impl Transport for Scripted {
    fn send(&self, call: Call) -> BoxFuture<'_, Arrived> {
        let mut sent = self.sent_ms.lock().unwrap();
        let (status, body) = (self.script)(sent.len());
        sent.push(self.start.elapsed().as_millis());
        let sent_at_unix_ms = sent.len() as i64;
        Box::pin(async move {
            tokio::time::sleep(self.takes / 2).await;
            if let (Some(told), 200) = (&call.first_output, status) {
                told.send(()).unwrap();
            }
            tokio::time::sleep(self.takes / 2).await;
            if let Some(store) = &self.store {
                hold_until_stored(store.clone(), sent_at_unix_ms as usize);
            }
            let received = Received::Answer { status, body: body.into(), streamed: status == 200 };
            let reading = wire::read(WireKind::OpenaiChat, &received);
            Arrived { received, reading, timing: Timing::default(), sent_at_unix_ms }
        })
    }
}

/// What a job is made of, where it matters.
struct World {
    trials: usize,
    /// Variants that share the endpoint, asked in turn.
    lanes: usize,
    max_cost: Option<Usd>,
    max_time: Option<Duration>,
    leader_first: bool,
    concurrency: u32,
    takes: Duration,
}

impl World {
    fn of(trials: usize) -> Self {
        let takes = Duration::ZERO;
        Self { trials, lanes: 1, max_cost: None, max_time: None, leader_first: false, concurrency: 16, takes }
    }
}

/// What a script does to one trial without a budget.
async fn one_trial(script: Script) -> (Summary, Vec<StoredTrial>, usize) {
    run_trials(World::of(1), script).await
}

/// Runs trials that may cost a dollar each; what came of it, what the store has, how often was asked.
async fn run_trials(world: World, script: Script) -> (Summary, Vec<StoredTrial>, usize) {
    let (summary, trials, sent_ms) = run_timed(world, script).await;
    (summary, trials, sent_ms.len())
}

/// The same with the virtual time at which each request was sent.
async fn run_timed(world: World, script: Script) -> (Summary, Vec<StoredTrial>, Vec<u128>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).unwrap();
    let digest = Digest::of(b"plan");
    let new = NewRun { suite: "s", folder: folder.path(), plan_digest: digest, options: "{}", now_ms: 1 };
    let (row, _) = store.begin_run(&new).unwrap();
    let transport = Arc::new(Scripted {
        sent_ms: Mutex::default(),
        start: tokio::time::Instant::now(),
        takes: world.takes,
        script,
        store: world.max_time.map(|_| store.path().to_owned()),
    });
    let job = Job {
        lanes: (0..world.lanes)
            .map(|lane| Lane {
                id: VariantId(format!("v{lane}")),
                endpoint: 0,
                cache: if world.leader_first { CacheMode::Warm } else { CacheMode::Off },
                most_output_tokens: None,
            })
            .collect(),
        endpoints: vec![EndpointSpec {
            own_concurrency: None,
            name: "p/m".into(),
            provider: "p".into(),
            wire: WireKind::OpenaiChat,
            digest,
            provenance: Provenance::Live,
            limits: Limits { concurrency: world.concurrency, ..Limits::default() },
            price: None,
        }],
        transport: Arc::clone(&transport) as Arc<dyn Transport>,
        run: row.id,
        max_time: world.max_time,
        max_cost: world.max_cost,
        decided: None,
    };
    let (sender, work) = tokio::sync::mpsc::channel(world.trials);
    for number in 0..world.trials {
        let key = Digest::of(&number.to_le_bytes());
        let ask = Ask {
            trial: Trial { variant: number % world.lanes, example: Arc::new(example(number)), repeat: 0 },
            key,
            request_digest: key,
            route: ceiling::wire::Route::fixed("/x"),
            body: bytes::Bytes::from_static(b"{}"),
            whole: None,
            worst_case: dollars(1.0),
        };
        assert!(sender.send(Work::Ask(ask)).await.is_ok());
    }
    drop(sender);
    let writer = Writer::start(&store, row.id).unwrap();
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let summary = drive(&job, work, writer, &mut Silent, stop, abort).await.unwrap();
    let mut trials = Vec::new();
    store
        .each_trial(row.id, None, |trial| -> Result<(), ceiling::store::StoreError> {
            trials.push(trial);
            Ok(())
        })
        .unwrap();
    let sent_ms = transport.sent_ms.lock().unwrap().clone();
    (summary, trials, sent_ms)
}

fn example(number: usize) -> Example {
    Example {
        id: ExampleId(format!("e{number}")),
        input: json!("i"),
        expected: json!("x"),
        cluster: None,
        tags: std::collections::BTreeMap::new(),
        documents: Vec::new(),
    }
}

fn dollars(amount: f64) -> Usd {
    Usd::from_f64(amount).unwrap()
}

const CUT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"{\"},\"finish_reason\":null}]}\n\n";
const WHOLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"{}\"},\"finish_reason\":\"stop\"}]}\n\n";

#[tokio::test(start_paused = true)]
async fn a_stream_without_its_end_is_asked_again_and_then_wrong() {
    let (summary, trials, asked) = one_trial(|_| (200, CUT)).await;
    assert_eq!(asked, MAX_ATTEMPTS);
    assert_eq!(summary.missing, 0, "a stream that never ends is a wrong answer, not a missing one");
    assert_eq!(trials[0].exchange.attempts.len(), MAX_ATTEMPTS - 1);
    let reading = wire::read(WireKind::OpenaiChat, &trials[0].exchange.received);
    assert!(reading.outcome.failure().unwrap().kind.counts_as_wrong());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_to_the_end_leaves_a_missing_trial() {
    let (summary, trials, asked) = one_trial(|_| (503, "{\"error\":{\"message\":\"down\"}}")).await;
    assert_eq!((asked, summary.missing), (MAX_ATTEMPTS, 1));
    let reading = wire::read(WireKind::OpenaiChat, &trials[0].exchange.received);
    assert!(!reading.outcome.failure().unwrap().kind.counts_as_wrong());
}

#[tokio::test(start_paused = true)]
async fn three_failures_then_an_answer_is_an_answer() {
    let (summary, trials, asked) = one_trial(|n| if n < 3 { (500, "{}") } else { (200, WHOLE) }).await;
    assert_eq!((asked, summary.missing, summary.retries, summary.done), (4, 0, 3, 1));
    assert_eq!(trials[0].exchange.attempts.len(), 3);
    assert!(wire::read(WireKind::OpenaiChat, &trials[0].exchange.received).outcome.completion().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_is_asked_once() {
    let (summary, _, asked) =
        one_trial(|_| (429, "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\"}}")).await;
    assert_eq!(asked, 1);
    assert_eq!(summary.stopped_variants.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_lost_requests_used_up_ends_the_run() {
    let (summary, trials, asked) =
        run_trials(World { max_cost: Some(dollars(2.5)), ..World::of(5) }, |_| (200, CUT)).await;
    assert_eq!(asked, 2, "each may have cost its worst case, and a third does not fit");
    assert!(summary.limit_reached.is_some());
    assert!(trials.len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_short_run_of_refusals_is_missing_not_wrong() {
    let (summary, trials, _) =
        run_trials(World::of(3), |_| (400, "{\"error\":{\"message\":\"no such parameter\"}}")).await;
    assert_eq!((summary.missing, summary.stopped_variants.len(), trials.len()), (3, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_among_answers_is_wrong() {
    let refuse_first = |n| if n == 0 { (400, "{\"error\":{\"message\":\"too long\"}}") } else { (200, WHOLE) };
    let (summary, trials, _) = run_trials(World::of(3), refuse_first).await;
    assert_eq!((summary.missing, summary.stopped_variants.len(), trials.len()), (0, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_speaks_something_else_stops_its_variant() {
    let (summary, ..) = run_trials(World::of(8), |_| (200, "data: <html>\n\n")).await;
    assert_eq!((summary.missing, summary.stopped_variants.len()), (8, 1));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_ends_sending_and_keeps_what_is_under_way() {
    let world = World {
        max_time: Some(Duration::from_secs(25)),
        concurrency: 1,
        takes: Duration::from_secs(10),
        ..World::of(9)
    };
    let (summary, trials, sent_ms) = run_timed(world, |_| (200, WHOLE)).await;
    assert_eq!(sent_ms, [0, 10_000, 20_000]);
    assert!(summary.limit_reached.is_some() && !summary.interrupted);
    assert_eq!(trials.len(), 3, "the one under way was awaited");
}

#[tokio::test(start_paused = true)]
async fn the_request_that_writes_a_prefix_goes_alone_until_its_first_token() {
    let world = World { leader_first: true, takes: Duration::from_secs(10), ..World::of(4) };
    let (_, trials, sent_ms) = run_timed(world, |_| (200, WHOLE)).await;
    assert_eq!(sent_ms, [0, 5_000, 5_000, 5_000]);
    assert_eq!(trials.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn followers_wait_for_another_leader_when_the_first_fails() {
    let world = World { leader_first: true, takes: Duration::from_secs(10), ..World::of(3) };
    let fail_first = |n| if n == 0 { (400, "{\"error\":{\"message\":\"too long\"}}") } else { (200, WHOLE) };
    let (_, trials, sent_ms) = run_timed(world, fail_first).await;
    assert_eq!(sent_ms, [0, 10_000, 15_000], "the second leads, the third waits for its first token");
    assert_eq!(trials.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn variants_on_one_endpoint_have_a_leader_each_and_do_not_wait_for_the_others() {
    let world = World { lanes: 2, leader_first: true, takes: Duration::from_secs(10), ..World::of(6) };
    let (_, trials, sent_ms) = run_timed(world, |_| (200, WHOLE)).await;
    assert_eq!(sent_ms, [0, 0, 5_000, 5_000, 5_000, 5_000], "two lead at once, then all follow");
    assert_eq!(trials.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_fails_for_a_while_does_not_hold_its_followers_up() {
    let world = World { leader_first: true, takes: Duration::from_secs(10), ..World::of(3) };
    let fail_first = |n| if n == 0 { (503, "{}") } else { (200, WHOLE) };
    let (summary, trials, sent_ms) = run_timed(world, fail_first).await;
    assert_eq!((summary.retries, trials.len()), (1, 3));
    assert_eq!(sent_ms[1], 10_000, "the next in line leads while the first waits for its second attempt");
    assert!(sent_ms[2..].iter().all(|ms| *ms >= 15_000), "{sent_ms:?}: the others wait for its first token");
}

#[tokio::test(start_paused = true)]
async fn variants_take_turns_where_there_is_room_for_one_request() {
    let world = World { lanes: 3, concurrency: 1, takes: Duration::from_secs(1), ..World::of(9) };
    let (_, trials, _) = run_timed(world, |_| (200, WHOLE)).await;
    let mut order: Vec<(usize, String)> =
        trials.iter().map(|trial| (trial.exchange.sent_at_unix_ms as usize, trial.variant.clone())).collect();
    order.sort();
    let turns: Vec<&str> = order.iter().map(|(_, variant)| variant.as_str()).collect();
    assert_eq!(turns, ["v0", "v1", "v2"].repeat(3));
}
