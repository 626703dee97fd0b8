//! In paused time: what would take minutes of waiting between attempts takes none.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::attempt::BoxFuture;
use super::*;
use crate::provider::{Limits, Price, WireKind};
use crate::trial::{Provenance, Timing};
use crate::units::UsdPerMillionTokens;

type Script = fn(usize, &[Value]) -> (u16, String);

/// Answers the how-manieth request with what the script says.
struct Scripted {
    seen: Mutex<usize>,
    script: Script,
}

impl Transport for Scripted {
    fn send(&self, call: Call) -> BoxFuture<'_, Arrived> {
        let mut seen = self.seen.lock().unwrap();
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((call.route.path.as_ref(), &body["model"]), ("/embeddings", &json!("m")));
        let (status, body) = (self.script)(*seen, body["input"].as_array().unwrap());
        *seen += 1;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let received = Received::Answer { status, body: body.into(), streamed: false };
            let reading = crate::wire::read(WireKind::OpenaiChat, &received);
            Arrived { received, reading, timing: Timing::default(), sent_at_unix_ms: 1 }
        })
    }
}

/// A vector from each text's length and first byte, in reverse order.
fn vectors(inputs: &[Value]) -> (u16, String) {
    let row = |(index, input): (usize, &Value)| {
        let text = input.as_str().unwrap();
        json!({"index": index, "embedding": [text.len(), text.as_bytes()[0]]})
    };
    let data: Vec<Value> = inputs.iter().enumerate().rev().map(row).collect();
    let tokens: usize = inputs.iter().map(|input| input.as_str().unwrap().len()).sum();
    (200, json!({"data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}).to_string())
}

fn embedder(script: Script) -> Embedder {
    Embedder {
        transport: Arc::new(Scripted { seen: Mutex::default(), script }),
        spec: EndpointSpec {
            name: "p/m".into(),
            provider: "p".into(),
            wire: WireKind::OpenaiChat,
            digest: Digest::of(b"p/m"),
            provenance: Provenance::Live,
            limits: Limits { concurrency: 2, ..Limits::default() },
            own_concurrency: None,
            price: Some(Price { input: UsdPerMillionTokens::from_f64(1.0), ..Price::default() }),
        },
        served_as: "m".into(),
        target: Target::default(),
        max_cost: None,
        deadline: None,
    }
}

struct Ended {
    kept: Vec<(Digest, Vec<f32>)>,
    bought: Bought,
    ended: Result<(), EmbedError>,
}

/// Buys `n` texts of ten bytes each.
async fn buy(embedder: &Embedder, n: usize) -> Ended {
    let texts = (0..n).map(|place| format!("{place:010}"));
    let wanted = texts.map(|text| Ok(Wanted { digest: Digest::of(text.as_bytes()), text }));
    let mut kept = Vec::new();
    let mut keep = |vectors: &[(Digest, Vec<f32>)], _: &Bought| {
        kept.extend_from_slice(vectors);
        Ok(())
    };
    let tokens = (CancellationToken::new(), CancellationToken::new());
    let (bought, ended) = embed(embedder, wanted, &mut keep, tokens.0, tokens.1).await;
    Ended { kept, bought, ended }
}

#[tokio::test(start_paused = true)]
async fn every_text_gets_its_own_vector_and_is_counted() {
    let Ended { mut kept, bought, ended } = buy(&embedder(|_, inputs| vectors(inputs)), 70).await;
    ended.unwrap();
    kept.sort_by_key(|(digest, _)| *digest);
    kept.dedup();
    assert_eq!(kept.len(), 70);
    let vector = |text: &[u8]| &kept.iter().find(|(digest, _)| *digest == Digest::of(text)).unwrap().1;
    assert_eq!(*vector(b"0000000033"), [10.0, f32::from(b'0')]);
    assert_eq!((bought.texts, bought.tokens), (70, Some(700)));
    assert_eq!(bought.cost, Some(Usd::from_f64(0.0007).unwrap()));
    assert_eq!(bought.spent, Usd::from_f64(0.0007).unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_can_succeed_later_is_asked_again_and_what_arrived_is_kept() {
    let flaky =
        buy(&embedder(|number, inputs| if number == 0 { (503, String::new()) } else { vectors(inputs) }), 40).await;
    flaky.ended.unwrap();
    assert_eq!(flaky.kept.len(), 40);
    let down = |number: usize, inputs: &[Value]| if number == 0 { vectors(inputs) } else { (503, String::new()) };
    let down = buy(&embedder(down), 40).await;
    assert_eq!(down.kept.len(), MOST_TEXTS);
    let message = down.ended.unwrap_err().to_string();
    assert!(message.contains("`p/m` makes no vectors") && message.contains("8 texts, the first"), "{message}");
    assert!(message.contains("0000000032"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_used_ends_it_at_once() {
    let missing = buy(&embedder(|_, inputs| vectors(&inputs[1..])), 4).await;
    assert!(missing.ended.unwrap_err().to_string().contains("3 vectors came for 4 texts"));
    let longer = |number: usize, inputs: &[Value]| {
        let (status, body) = vectors(inputs);
        (status, if number == 0 { body } else { body.replace("\"embedding\":[", "\"embedding\":[1,") })
    };
    let longer = buy(&embedder(longer), 40).await;
    assert!(longer.ended.unwrap_err().to_string().contains("2 dimensions came first, then some of 3"));
    let refused = buy(&embedder(|_, _| (401, "{\"error\":{\"message\":\"no such key\"}}".into())), 4).await;
    assert!(
        matches!(refused.ended, Err(EmbedError::Failed { failure, .. }) if failure.kind == FailureKind::Unauthorised)
    );
}

#[tokio::test(start_paused = true)]
async fn limits_stop_before_they_are_passed() {
    let mut dear = embedder(|_, inputs| vectors(inputs));
    // A full request may cost (10 + 16) x 32 tokens and does cost 320: two fit, a third does not.
    dear.max_cost = Usd::from_f64(0.001_4);
    let ended = buy(&dear, 200).await;
    assert!(ended.ended.unwrap_err().to_string().contains("the limit of money is reached"));
    assert_eq!(ended.bought.spent, Usd::from_f64(0.000_64).unwrap());
    let mut late = embedder(|_, inputs| vectors(inputs));
    late.deadline = Some(Instant::now() + Duration::from_millis(15));
    let ended = buy(&late, 500).await;
    assert!(ended.ended.unwrap_err().to_string().contains("the time limit is reached"));
    assert_eq!(ended.kept.len(), 4 * MOST_TEXTS, "two at once, twice, and what was under way is kept");
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_waits_for_nothing() {
    let embedder = embedder(|_, inputs| vectors(inputs));
    let wanted = std::iter::once(Ok(Wanted { digest: Digest::of(b"x"), text: "x".into() }));
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    abort.cancel();
    let (bought, ended) = embed(&embedder, wanted, &mut |_, _| Ok(()), stop, abort).await;
    assert!(matches!(ended, Err(EmbedError::Interrupted(_))) && bought.texts == 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_what_arrives() {
    let embedder = embedder(|_, inputs| vectors(inputs));
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    let texts = (0..500).map(|place| format!("{place:010}"));
    let wanted = texts.map(|text| Ok(Wanted { digest: Digest::of(text.as_bytes()), text }));
    let mut kept = 0;
    let mut keep = |vectors: &[(Digest, Vec<f32>)], _: &Bought| {
        kept += vectors.len();
        stopper.cancel();
        Ok(())
    };
    let (bought, ended) = embed(&embedder, wanted, &mut keep, stop, CancellationToken::new()).await;
    assert!(matches!(ended, Err(EmbedError::Interrupted(_))));
    assert!(kept >= MOST_TEXTS && kept as u64 == bought.texts && kept < 500);
}
