//! A server on loopback that answers at once, or after a stated time, in one piece or as a stream.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};

/// Data events of a stream with text.
const CHUNKS: usize = 16;

/// How it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) streams: bool,
    /// What an answer takes.
    pub(crate) after: Duration,
}

/// A server; it ends with the process.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let body = if manner.streams { stream() } else { whole() };
        let count = Arc::clone(&requests);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let (body, count) = (body.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let answer = service_fn(move |request| answer(request, manner, body.clone(), Arc::clone(&count)));
                    let connection =
                        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
                    let _ = connection.await;
                });
            }
        });
        Self { address, requests, _runtime: runtime }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn answer(
    request: Request<Incoming>,
    manner: Manner,
    body: Bytes,
    count: Arc<AtomicU64>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    count.fetch_add(1, Ordering::Relaxed);
    if !manner.after.is_zero() {
        tokio::time::sleep(manner.after).await;
    }
    let kind = if manner.streams { "text/event-stream" } else { "application/json" };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("content-type", kind.parse().unwrap());
    Ok(response)
}

const SAID: &str = "{\"label\":\"label_07\"}";

fn usage() -> Value {
    json!({"prompt_tokens": 320, "completion_tokens": 12, "total_tokens": 332,
           "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}})
}

fn whole() -> Bytes {
    let message = json!({"role": "assistant", "content": SAID, "refusal": null});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let body = json!({"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                      "usage": usage()});
    Bytes::from(body.to_string())
}

fn stream() -> Bytes {
    let event = |choices: Value, usage: Value| {
        let data = json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                          "choices": choices, "usage": usage});
        format!("data: {data}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        event(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
    };
    let mut body = delta(json!({"role": "assistant", "content": ""}), Value::Null);
    let letters: Vec<char> = SAID.chars().collect();
    for piece in 0..CHUNKS {
        let (from, to) = (piece * letters.len() / CHUNKS, (piece + 1) * letters.len() / CHUNKS);
        let text: String = letters[from..to].iter().collect();
        body += &delta(json!({ "content": text }), Value::Null);
    }
    body += &delta(json!({}), "stop".into());
    body += &event(json!([]), usage());
    body += "data: [DONE]\n\n";
    Bytes::from(body)
}
