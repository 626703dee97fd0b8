//! The recording's HTTP server: on loopback, inside the process, speaking the real wire.
//!
//! The client that talks to it is the one that talks to live endpoints. The recorded times travel
//! in a header beside the answer, since the pace is scaled and the loopback's own times say nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Entry, Recording};
use crate::wire;

/// Carries the recorded times of a stream's events, then that of its end; milliseconds.
pub const RECORDED_TIMES: &str = "x-ceiling-recorded-ms";

/// Names the repeat that is asked for.
pub const REPEAT: &str = "x-ceiling-repeat";

/// Most bytes of a request body.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

type Body = BoxBody<Bytes, Infallible>;

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct ReplayServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ReplayServer {
    /// Starts a server on a free loopback port. `pace` scales the recorded times: 1 is the real
    /// pace, 0 sends at once.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(recording: Arc<Recording>, pace: f64) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, recording, pace));
        Ok(Self { address, accepting })
    }

    /// The address in front of the wire's paths.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

async fn accept(listener: TcpListener, recording: Arc<Recording>, pace: f64) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, say: the next connection may find one.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let recording = Arc::clone(&recording);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| {
                let recording = Arc::clone(&recording);
                async move { Ok::<_, Infallible>(answer(request, &recording, pace).await) }
            });
            // A client that goes away ends its connection: nothing to report.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, recording: &Recording, pace: f64) -> Response<Body> {
    if request.uri().path() != "/v1/chat/completions" {
        return error(StatusCode::NOT_FOUND, "unknown_url", "the recording answers POST /v1/chat/completions");
    }
    let repeat = request.headers().get(REPEAT).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let Ok(body) = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect().await else {
        return error(StatusCode::BAD_REQUEST, "invalid_request_error", "the request body did not arrive");
    };
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&body.to_bytes()) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request_error", "the request body is not a JSON object");
    };
    let Some(entry) = recording.find(&wire::request_digest(&body), repeat) else {
        return error(StatusCode::NOT_FOUND, "ceiling_not_recorded", "no recording knows this request");
    };
    if body.get("stream") == Some(&Value::Bool(true)) && !entry.chunks.is_empty() {
        stream(&entry, pace)
    } else {
        whole(&entry, pace).await
    }
}

/// A streamed answer at the scaled pace.
fn stream(entry: &Entry, pace: f64) -> Response<Body> {
    let mut times: Vec<f64> = Vec::with_capacity(entry.chunks.len() + 2);
    let mut events: Vec<(f64, Bytes)> = Vec::with_capacity(entry.chunks.len() + 1);
    for (ms, data) in entry.events() {
        times.push(ms);
        events.push((ms, format!("data: {data}\n\n").into()));
    }
    events.push((entry.total_ms, Bytes::from_static(b"data: [DONE]\n\n")));
    times.extend([entry.total_ms, entry.total_ms]);
    let body = if pace <= 0.0 {
        Full::new(events.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Bytes>()).boxed()
    } else {
        paced(events, pace)
    };
    respond(entry.status, "text/event-stream", &times, body)
}

/// Events sent when their scaled time has come.
fn paced(events: Vec<(f64, Bytes)>, pace: f64) -> Body {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let start = tokio::time::Instant::now();
        for (ms, bytes) in events {
            let due = Duration::try_from_secs_f64(ms.max(0.0) * pace / 1000.0).unwrap_or_default();
            tokio::time::sleep_until(start + due).await;
            if sender.send(bytes).await.is_err() {
                return;
            }
        }
    });
    ChannelBody(receiver).boxed()
}

/// A response body fed by a channel.
struct ChannelBody(mpsc::Receiver<Bytes>);

impl hyper::body::Body for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// An answer in one piece.
async fn whole(entry: &Entry, pace: f64) -> Response<Body> {
    let wait = Duration::try_from_secs_f64(entry.total_ms.max(0.0) * pace / 1000.0).unwrap_or_default();
    tokio::time::sleep(wait).await;
    let body = entry.response.clone().unwrap_or_else(|| join(entry));
    respond(entry.status, "application/json", &[entry.total_ms], Full::new(body.to_string().into()).boxed())
}

/// The chunks of a stream as the one answer that the same server would have given.
fn join(entry: &Entry) -> Value {
    let mut text = String::new();
    let mut finish_reason = Value::Null;
    let mut body = entry.envelope.clone();
    body.insert("object".into(), "chat.completion".into());
    for (_, event) in entry.events() {
        let event: Value = serde_json::from_str(&event).unwrap_or_default();
        text.push_str(event.pointer("/choices/0/delta/content").and_then(Value::as_str).unwrap_or_default());
        if let Some(reason) = event.pointer("/choices/0/finish_reason").filter(|reason| !reason.is_null()) {
            finish_reason = reason.clone();
        }
        if let Some(usage) = event.get("usage").filter(|usage| !usage.is_null()) {
            body.insert("usage".into(), usage.clone());
        }
    }
    let message = json!({"role": "assistant", "content": text});
    body.insert("choices".into(), json!([{"index": 0, "message": message, "finish_reason": finish_reason}]));
    Value::Object(body)
}

fn respond(status: u16, content_type: &'static str, times_ms: &[f64], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let times = times_ms.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    if let Ok(times) = HeaderValue::from_str(&times) {
        response.headers_mut().insert(RECORDED_TIMES, times);
    }
    response
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}});
    let mut response = Response::new(Full::new(body.to_string().into()).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
