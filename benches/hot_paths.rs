//! The pure steps that every trial goes through, and the resampling at the end of a run, each by itself.
//!
//! `cargo bench --bench hot_paths -- [NAME]`: all of them, or those whose names contain NAME. The requests and answers
//! are those of the whole-program bench (`--bench performance`).

#![expect(clippy::unwrap_used, reason = "it is no part of the product, and what cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "it writes the suite that it measures with")]

#[path = "performance/answers.rs"]
mod answers;
#[path = "performance/suite.rs"]
mod suite;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ceiling::digest::Digest;
use ceiling::measure::grade::{CacheFacts, EndpointFacts, Grader};
use ceiling::prompt::Prepared;
use ceiling::provider::WireKind;
use ceiling::stats::classes::{BootstrapPlan, macro_f1_estimate};
use ceiling::stats::paired::{cluster_signflip, paired_difference};
use ceiling::suite::load::{LoadOptions, load};
use ceiling::suite::{Example, Suite};
use ceiling::trial::{Delivery, Exchange, Provenance, Received, Timing};
use ceiling::wire::{self, Framing};
use criterion::{Criterion, criterion_group, criterion_main};

/// Examples of the statistics.
const EXAMPLES: usize = 10_000;
const CLASSES: usize = 77;

/// A suite with what a run makes of it.
struct Ready {
    suite: Suite,
    prepared: Prepared,
    grader: Grader,
    example: Example,
}

fn ready() -> Ready {
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), 100, 1, "http://127.0.0.1:9/v1", 64);
    let path = folder.path().join("suites/size");
    let providers = ceiling::provider::load::load_with_suite(&[folder.path()], &path).unwrap();
    let suite = load(&path, &providers, &LoadOptions::default()).unwrap().suite;
    let variant = &suite.variants[0];
    let (provider, model) = providers.endpoint(&variant.endpoint).unwrap();
    let served_as = (&*model.served_as, provider.target(model));
    let prepared = Prepared::new(&suite, variant, WireKind::OpenaiChat, served_as, &[]).unwrap();
    let facts = EndpointFacts {
        served_as: model.served_as.clone(),
        wire: WireKind::OpenaiChat,
        price: model.price,
        gpu: None,
        self_hosted: false,
        null_is_absent: false,
        retires: None,
        cache: CacheFacts::default(),
    };
    let grader = Grader::new(&suite, &[facts]).unwrap();
    let example = suite.examples.read().next().unwrap().unwrap().example;
    Ready { suite, prepared, grader, example }
}

fn exchange(ready: &Ready, body: Vec<u8>, streamed: bool) -> Exchange {
    let request = ready.prepared.encode(&ready.example).unwrap();
    Exchange {
        key: request.digest,
        request_digest: request.digest,
        endpoint: "loopback/m".into(),
        request_body: request.body.to_vec(),
        received: Received::Answer { status: 200, body, streamed },
        timing: Timing { event_ms: vec![1.0; if streamed { 19 } else { 0 }], total_ms: 2.0 },
        attempts: Vec::new(),
        sent_at_unix_ms: 0,
        in_flight: 1,
        provenance: Provenance::Live,
        delivery: Delivery::Direct,
    }
}

/// What a trial costs before it is sent, and after.
fn trials(criterion: &mut Criterion) {
    let ready = ready();
    let request = ready.prepared.encode(&ready.example).unwrap();
    criterion.bench_function("render and encode a request", |bench| {
        bench.iter(|| ready.prepared.encode(black_box(&ready.example)).unwrap());
    });
    criterion.bench_function("digest of a request's body", |bench| {
        bench.iter(|| Digest::of(black_box(&request.body)));
    });
    let stream = answers::stream().whole();
    let whole = exchange(&ready, answers::whole().to_vec(), false);
    let streamed = exchange(&ready, stream.to_vec(), true);
    for (name, exchange) in [("a whole answer", &whole), ("16 chunks", &streamed)] {
        criterion.bench_function(&format!("read {name}"), |bench| {
            bench.iter(|| wire::read(WireKind::OpenaiChat, black_box(&exchange.received)));
        });
        let reading = wire::read(WireKind::OpenaiChat, &exchange.received);
        criterion.bench_function(&format!("grade {name}, already read"), |bench| {
            bench.iter(|| ready.grader.grade_read(0, &ready.example, (black_box(exchange), &reading), None));
        });
    }
    criterion.bench_function("cut a stream into events", |bench| {
        bench.iter(|| {
            let mut events = Framing::Sse.decoder();
            let mut bytes = 0;
            events.feed(black_box(&stream), &mut |data| bytes += data.len());
            bytes
        });
    });
    let answer = serde_json::json!({"label": "label_07"});
    let schema = Arc::new(ready.suite.schema.clone().unwrap());
    criterion.bench_function("judge an answer by its schema", |bench| {
        bench.iter(|| schema.accepts(black_box(&answer)));
    });
}

/// What the scoreboard costs once.
fn intervals(criterion: &mut Criterion) {
    let pairs: Vec<_> = (0..EXAMPLES).map(|n| (n % CLASSES, Some((n + usize::from(n % 7 == 0)) % CLASSES))).collect();
    let clusters: Vec<u32> = (0..EXAMPLES as u32).collect();
    let plan = BootstrapPlan { seed: 1, resamples: ceiling::stats::RESAMPLES, alpha: 0.05 };
    let mut group = criterion.benchmark_group(format!("of {EXAMPLES} examples"));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("bootstrap of macro-F1", |bench| {
        bench.iter(|| macro_f1_estimate(black_box(&pairs), &clusters, CLASSES, plan).unwrap());
    });
    let differences: Vec<f64> = (0..EXAMPLES).map(|n| [1.0, -1.0, 0.0, 0.5][n % 4]).collect();
    group.bench_function("paired difference", |bench| {
        bench.iter(|| paired_difference(black_box(&differences), &clusters, EXAMPLES as u64, 0.05));
    });
    group.bench_function("sign-flip test of pairs", |bench| {
        bench.iter(|| cluster_signflip(black_box(&differences), 1));
    });
    group.finish();
}

criterion_group!(benches, trials, intervals);
criterion_main!(benches);
