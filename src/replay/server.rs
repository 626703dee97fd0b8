//! The in-process HTTP server: on loopback, speaking every wire as its provider does.
//!
//! The client that talks to it is the one that talks to live endpoints. The path of a request says
//! its wire. The recorded times travel in a header beside the answer, since the pace is scaled and
//! the loopback's own times say nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::framing::{self, Fault, Pieces};
use super::{Asked, Entry, Library, Reply, join};
use crate::provider::WireKind;

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
    pub async fn start(library: Arc<dyn Library>, pace: f64) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, library, pace));
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address in front of a wire's paths.
    pub fn base_url(&self, wire: WireKind) -> String {
        let version = match wire {
            WireKind::OpenaiChat | WireKind::OpenaiResponses | WireKind::Anthropic => "/v1",
            WireKind::Gemini => "/v1beta",
            WireKind::Bedrock => "",
        };
        format!("http://{}{version}", self.address)
    }
}

/// What a path says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route<'a> {
    wire: WireKind,
    /// The path below the wire's base address, with its query.
    path: &'a str,
    /// Whether a stream is asked for, where the path says so and not the body.
    streamed: Option<bool>,
}

/// The wire and the way of answering that a path names. Azure's deployments and Vertex' projects
/// stand in front of the same ends.
fn route(path_and_query: &str) -> Option<Route<'_>> {
    let versions = ["/v1beta", "/v1"];
    let below = versions.iter().find_map(|version| path_and_query.strip_prefix(version)).unwrap_or(path_and_query);
    let (path, query) = below.split_once('?').unwrap_or((below, ""));
    let found = |wire, streamed| Some(Route { wire, path: below, streamed });
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["chat", "completions"] | ["openai", "deployments", _, "chat", "completions"] => {
            found(WireKind::OpenaiChat, None)
        }
        ["responses"] => found(WireKind::OpenaiResponses, None),
        ["messages"] => found(WireKind::Anthropic, None),
        ["model", _, "converse"] => found(WireKind::Bedrock, Some(false)),
        ["model", _, "converse-stream"] => found(WireKind::Bedrock, Some(true)),
        // Any resource may answer: a model, a tuned one, an endpoint of a project.
        [.., _, asked] => match asked.rsplit_once(':')?.1 {
            "generateContent" => found(WireKind::Gemini, Some(false)),
            // Without `alt=sse` the service answers with one JSON array, which nobody here asks for.
            "streamGenerateContent" if query.split('&').any(|part| part == "alt=sse") => {
                found(WireKind::Gemini, Some(true))
            }
            _ => None,
        },
        _ => None,
    }
}

async fn accept(listener: TcpListener, library: Arc<dyn Library>, pace: f64) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, say: the next connection may find one.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let library = Arc::clone(&library);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| {
                let library = Arc::clone(&library);
                async move { Ok::<_, Infallible>(answer(request, &*library, pace).await) }
            });
            // A client that goes away ends its connection: nothing to report.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, library: &dyn Library, pace: f64) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    let Some(route) = route(&path).filter(|_| request.method() == Method::POST) else {
        return fault(WireKind::OpenaiChat, Fault::Path);
    };
    let repeat = request.headers().get(REPEAT).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let Ok(body) = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect().await else {
        return fault(route.wire, Fault::Body("the request body did not arrive"));
    };
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&body.to_bytes()) else {
        return fault(route.wire, Fault::Body("the request body is not a JSON object"));
    };
    let Some(reply) = library.look_up(&Asked { wire: route.wire, path: route.path, body: &body, repeat }) else {
        return fault(route.wire, Fault::NotRecorded);
    };
    let streamed = route.streamed.unwrap_or_else(|| body.get("stream") == Some(&Value::Bool(true)));
    if streamed && reply.entry.response.is_none() { stream(&reply, pace) } else { whole(&reply, pace).await }
}

/// A streamed answer at the scaled pace.
fn stream(reply: &Reply, pace: f64) -> Response<Body> {
    let entry = &reply.entry;
    let pieces = framing::pieces(entry);
    let times: Vec<f64> = pieces.iter().map(|(ms, _)| *ms).chain([entry.total_ms]).collect();
    let body = if pace <= 0.0 {
        Full::new(pieces.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Bytes>()).boxed()
    } else {
        paced(pieces, pace)
    };
    respond(reply, framing::content_type(entry.wire), &times, body)
}

/// Pieces sent when their scaled time has come.
fn paced(pieces: Pieces, pace: f64) -> Body {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let start = tokio::time::Instant::now();
        for (ms, bytes) in pieces {
            let due = Duration::try_from_secs_f64(ms.max(0.0) * pace / 1000.0).unwrap_or_default();
            // A time that no clock reaches is none.
            tokio::time::sleep_until(start.checked_add(due).unwrap_or(start)).await;
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
async fn whole(reply: &Reply, pace: f64) -> Response<Body> {
    let entry = &reply.entry;
    let Some(body) = text_of(entry) else { return fault(entry.wire, Fault::StreamOnly) };
    let wait = Duration::try_from_secs_f64(entry.total_ms.max(0.0) * pace / 1000.0).unwrap_or_default();
    tokio::time::sleep(wait).await;
    respond(reply, "application/json", &[entry.total_ms], Full::new(body.into()).boxed())
}

/// The body of an answer in one piece; a recorded text is no JSON (a gateway's page, say).
fn text_of(entry: &Entry) -> Option<String> {
    match &entry.response {
        Some(Value::String(text)) => Some(text.clone()),
        Some(body) => Some(body.to_string()),
        None => join::join(entry).map(|body| body.to_string()),
    }
}

fn respond(reply: &Reply, content_type: &'static str, times_ms: &[f64], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.entry.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(reply.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    let times = times_ms.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    if let Ok(times) = HeaderValue::from_str(&times) {
        headers.insert(RECORDED_TIMES, times);
    }
    response
}

fn fault(wire: WireKind, fault: Fault) -> Response<Body> {
    let (status, headers, body) = framing::error(wire, fault);
    let mut response = Response::new(Full::new(body.to_string().into()).boxed());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_the_wire() {
        let wire = |path: &'static str| route(path).map(|route| (route.wire, route.path, route.streamed));
        let chat = |path| Some((WireKind::OpenaiChat, path, None));
        let gemini = |path, streamed| Some((WireKind::Gemini, path, Some(streamed)));
        assert_eq!(wire("/v1/chat/completions"), chat("/chat/completions"));
        let azure = "/openai/deployments/d/chat/completions?api-version=2024-10-21";
        assert_eq!(wire(azure), chat(azure));
        assert_eq!(wire("/v1/responses"), Some((WireKind::OpenaiResponses, "/responses", None)));
        assert_eq!(wire("/v1/messages"), Some((WireKind::Anthropic, "/messages", None)));
        assert_eq!(wire("/v1beta/models/g-3:generateContent"), gemini("/models/g-3:generateContent", false));
        let stream = "/v1/models/g-3:streamGenerateContent?alt=sse";
        assert_eq!(wire(stream), gemini("/models/g-3:streamGenerateContent?alt=sse", true));
        let vertex = "/projects/p/locations/l/publishers/google/models/g:generateContent";
        assert_eq!(route(&format!("/v1{vertex}")).map(|route| route.path), Some(vertex));
        let bedrock = |path, streamed| Some((WireKind::Bedrock, path, Some(streamed)));
        assert_eq!(wire("/model/a.b-v1%3A0/converse"), bedrock("/model/a.b-v1%3A0/converse", false));
        assert_eq!(wire("/model/a/converse-stream"), bedrock("/model/a/converse-stream", true));
        for other in ["/", "/v1", "/v1/models/g-3", "/v1/models/g:streamGenerateContent", "/v1/embeddings", "*"] {
            assert_eq!(wire(other), None, "{other}");
        }
    }
}
