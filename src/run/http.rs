//! The transport over HTTP; the only file that names `reqwest`, and the only one that sees keys.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::attempt::{Arrived, BoxFuture, Call, Transport};
use super::batch::BatchDoor;
use crate::exchange::{Failure, FailureKind, Outcome, Retry};
use crate::provider::{AuthScheme, WireKind};
use crate::replay::server::{RECORDED_TIMES, REPEAT};
use crate::text;
use crate::trial::{Received, Timing};
use crate::wire::batch::{BatchCall, Method};
use crate::wire::gemini::cached;
use crate::wire::{self, Frames, Framing, Reading};

/// Time to make a connection; a server that takes longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of an answer: far beyond any model's output limit.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of a batch's results: many answers in one document.
const MAX_RESULT_BYTES: usize = 1024 * 1024 * 1024;

/// Time for one call to a batch API: files of many megabytes go up and come down.
const BATCH_TIMEOUT: Duration = Duration::from_secs(600);

/// A shorter key is a placeholder of a local server, and may well be a word of an answer.
const SHORTEST_KEY: usize = 8;

/// Content types of streamed answers.
const STREAM_TYPES: &[&str] = &["text/event-stream", "application/vnd.amazon.eventstream"];

/// What stands where a server echoed the key.
const REDACTED: &[u8] = b"[key]";

/// How an endpoint is reached.
#[derive(Debug, Clone)]
pub struct HttpEndpoint {
    /// The protocol.
    pub wire: WireKind,
    /// The address in front of the wire's paths.
    pub base_url: String,
    /// How the key is sent.
    pub auth: AuthScheme,
    /// The key.
    pub key: Option<SecretString>,
    /// The keys that sign each request, where that is how a key is sent.
    #[cfg(feature = "sigv4")]
    pub aws: Option<super::sigv4::AwsKeys>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
    /// Seconds after which a request is given up.
    pub timeout_s: f64,
    /// Whether it is the recording's server, whose header has the times.
    pub replay: bool,
}

/// Why the transport cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A header name or value, or a key, that HTTP does not allow.
    #[error("header `{0}` has a name or value that HTTP does not allow")]
    Header(String),
    /// The HTTP client cannot be made.
    #[error("failed to set up HTTP: {0}")]
    Client(String),
    /// An address that names no AWS region, so that nothing can be signed for it.
    #[error("`{0}` names no AWS region, as https://bedrock-runtime.REGION.amazonaws.com does")]
    Region(String),
}

struct Endpoint {
    client: reqwest::Client,
    wire: WireKind,
    base_url: String,
    headers: HeaderMap,
    timeout: Duration,
    replay: bool,
    key: Option<SecretString>,
    #[cfg(feature = "sigv4")]
    signer: Option<(super::sigv4::AwsKeys, super::sigv4::Scope)>,
}

/// Sends over HTTP.
pub struct HttpTransport {
    endpoints: Vec<Endpoint>,
}

impl HttpTransport {
    /// A transport for these endpoints, in their order.
    ///
    /// # Errors
    /// Headers that HTTP does not allow; no TLS.
    pub fn new(endpoints: Vec<HttpEndpoint>) -> Result<Self, TransportError> {
        // Another part of the process may have chosen a provider already: that one is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoints = endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?;
        Ok(Self { endpoints })
    }
}

fn endpoint(spec: HttpEndpoint) -> Result<Endpoint, TransportError> {
    let timeout = Duration::try_from_secs_f64(spec.timeout_s).unwrap_or(Duration::from_secs(60));
    let mut builder = reqwest::Client::builder()
        // Shorter than the whole: a host that is not there must not look like a slow answer.
        .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
        // A redirect could carry a key to another host.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1024)
        .tcp_nodelay(true)
        .user_agent(concat!("ceiling/", env!("CARGO_PKG_VERSION")));
    if spec.replay {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|error| TransportError::Client(chain(&error)))?;
    #[cfg(feature = "sigv4")]
    let signer = signer(&spec)?;
    Ok(Endpoint {
        client,
        #[cfg(feature = "sigv4")]
        signer,
        wire: spec.wire,
        headers: headers(&spec)?,
        base_url: spec.base_url.trim_end_matches('/').to_owned(),
        timeout,
        replay: spec.replay,
        key: spec.key.filter(|key| key.expose_secret().len() >= SHORTEST_KEY),
    })
}

/// The keys and the scope with which requests are signed.
#[cfg(feature = "sigv4")]
fn signer(spec: &HttpEndpoint) -> Result<Option<(super::sigv4::AwsKeys, super::sigv4::Scope)>, TransportError> {
    let Some(keys) = &spec.aws else { return Ok(None) };
    let scope = super::sigv4::bedrock_scope(&spec.base_url);
    Ok(Some((keys.clone(), scope.ok_or_else(|| TransportError::Region(spec.base_url.clone()))?)))
}

fn headers(spec: &HttpEndpoint) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &spec.headers {
        let fault = || TransportError::Header(name.clone());
        let name = HeaderName::try_from(name.as_str()).map_err(|_| fault())?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| fault())?);
    }
    if let Some(key) = &spec.key {
        let (name, text) = match spec.auth {
            AuthScheme::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose_secret())),
            AuthScheme::XApiKey => (HeaderName::from_static("x-api-key"), key.expose_secret().to_owned()),
            AuthScheme::ApiKey => (HeaderName::from_static("api-key"), key.expose_secret().to_owned()),
            AuthScheme::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), key.expose_secret().to_owned()),
            // The signature is made for each request.
            AuthScheme::None | AuthScheme::Sigv4 => return Ok(headers),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| TransportError::Header(name.to_string()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpTransport")
    }
}

impl HttpTransport {
    /// The address in front of an endpoint's paths.
    pub(super) fn base_url(&self, endpoint: usize) -> Option<&str> {
        self.endpoints.get(endpoint).map(|endpoint| endpoint.base_url.as_str())
    }

    /// A request beside the trials (to store, renew or delete something), sent once; the body of a
    /// 2xx answer.
    pub(super) async fn control(
        &self,
        endpoint: usize,
        method: http::Method,
        path: &str,
        body: Option<bytes::Bytes>,
    ) -> Result<Vec<u8>, Failure> {
        let Some(endpoint) = self.endpoints.get(endpoint) else {
            return Err(failure(FailureKind::Connect, "no such endpoint".into(), Retry::No));
        };
        let url = format!("{}{path}", endpoint.base_url);
        let request = endpoint.client.request(method, url).headers(endpoint.headers.clone()).timeout(endpoint.timeout);
        let request = request.body(body.unwrap_or_default());
        let response = request.send().await.map_err(|error| connection_failure(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if response.content_length().is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            return Err(failure(FailureKind::Malformed, "the answer is too large".into(), Retry::No));
        }
        let mut body = response.bytes().await.map_err(|error| cut_failure(&error, status))?.to_vec();
        if let Some(key) = &endpoint.key {
            redact(&mut body, key.expose_secret().as_bytes());
        }
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(wire::wire(endpoint.wire).classify(status, &headers, &body))
    }
}

impl Transport for HttpTransport {
    fn send(&self, call: Call) -> BoxFuture<'_, Arrived> {
        Box::pin(async move {
            let Some(endpoint) = self.endpoints.get(call.endpoint) else {
                return broken(
                    failure(FailureKind::Connect, "no such endpoint".into(), Retry::No),
                    Vec::new(),
                    Timing::default(),
                    0,
                );
            };
            let whole = call.whole.clone().map(|body| Call { body, whole: None, ..call.clone() });
            let arrived = endpoint.send(call).await;
            let gone = arrived.reading.outcome.failure().is_some_and(cached::is_gone);
            match whole.filter(|_| gone) {
                Some(whole) => endpoint.send(whole).await,
                None => arrived,
            }
        })
    }
}

impl BatchDoor for HttpTransport {
    fn call(&self, endpoint: usize, call: BatchCall) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            match self.endpoints.get(endpoint) {
                Some(endpoint) => endpoint.call(call).await,
                None => Err(failure(FailureKind::Connect, "no such endpoint".into(), Retry::No)),
            }
        })
    }

    fn now_unix_ms(&self) -> i64 {
        now().0
    }
}

impl Endpoint {
    /// One call to a batch API: the body of a successful answer.
    async fn call(&self, call: BatchCall) -> Result<Vec<u8>, Failure> {
        let address = format!("{}{}", self.base_url, call.route.path);
        let mut request = match call.method {
            Method::Get => self.client.get(address),
            Method::Post => self.client.post(address).body(call.body.clone()),
            Method::Delete => self.client.delete(address),
        };
        let mut headers = self.headers.clone();
        let kind = HeaderValue::from_str(&call.content_type).unwrap_or(HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, kind);
        request = request.headers(headers);
        for (name, value) in &call.route.headers {
            request = request.header(*name, value.as_ref());
        }
        let timeout = BATCH_TIMEOUT.max(self.timeout);
        let received = tokio::time::timeout(timeout, read_whole(request)).await.unwrap_or_else(|_| {
            let message = format!("no whole answer within {} s", timeout.as_secs());
            Err(failure(FailureKind::Timeout, message, Retry::Transient))
        });
        let (status, headers, mut body) = received?;
        if let Some(key) = &self.key {
            redact(&mut body, key.expose_secret().as_bytes());
        }
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(wire::wire(self.wire).classify(status, &headers, &body))
    }

    async fn send(&self, call: Call) -> Arrived {
        let mut request = self
            .client
            .post(format!("{}{}", self.base_url, call.route.path))
            .headers(self.headers.clone())
            .body(call.body.clone());
        for (name, value) in &call.route.headers {
            request = request.header(*name, value.as_ref());
        }
        if self.replay {
            request = request.header(REPEAT, call.repeat);
        }
        #[cfg(feature = "sigv4")]
        let request = self.signed(request, &call);
        let (sent_at_unix_ms, start) = now();
        let mut body = Body::new(start, wire::wire(self.wire).framing());
        let received = tokio::time::timeout(self.timeout, self.exchange(request, &call, &mut body)).await;
        let total_ms = ms_since(start);
        let timing = Timing { event_ms: std::mem::take(&mut body.event_ms), total_ms };
        if let Some(key) = &self.key {
            redact(&mut body.bytes, key.expose_secret().as_bytes());
        }
        match received {
            Err(_) => {
                let message = format!("no whole answer within {} s", self.timeout.as_secs_f64());
                broken(failure(FailureKind::Timeout, message, Retry::No), body.bytes, timing, sent_at_unix_ms)
            }
            Ok(Err(failure)) => broken(failure, body.bytes, timing, sent_at_unix_ms),
            Ok(Ok(Head { status, headers, streamed })) => {
                let timing = if self.replay { recorded_times(&headers, timing) } else { timing };
                let received = Received::Answer { status, body: body.bytes, streamed };
                let reading = self.read(&received, &headers);
                Arrived { received, reading, timing, sent_at_unix_ms }
            }
        }
    }

    /// The request with its signature, where there are keys that sign.
    #[cfg(feature = "sigv4")]
    fn signed(&self, request: reqwest::RequestBuilder, call: &Call) -> reqwest::RequestBuilder {
        let url = url::Url::parse(&format!("{}{}", self.base_url, call.route.path));
        let (Some((keys, scope)), Ok(url)) = (&self.signer, url) else { return request };
        let headers = [("content-type", "application/json")];
        let unsigned = super::sigv4::Unsigned { method: "POST", url: &url, headers: &headers, body: &call.body };
        let (unix_ms, _) = now();
        let added = super::sigv4::sign(&unsigned, keys, scope, unix_ms);
        added.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// What the answer says, with what the headers of an error say about asking again.
    fn read(&self, received: &Received, headers: &HeaderMap) -> Reading {
        let mut reading = wire::read(self.wire, received);
        if let (Outcome::Failed(failure), Received::Answer { status, body, .. }) = (&mut reading.outcome, received)
            && !(200..300).contains(status)
        {
            *failure = wire::wire(self.wire).classify(*status, headers, body);
        }
        reading
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, call: &Call, body: &mut Body) -> Result<Head, Failure> {
        let mut response = request.send().await.map_err(|error| connection_failure(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let streamed = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| STREAM_TYPES.iter().any(|known| kind.trim_start().starts_with(known)));
        let mut decoder = (streamed && call.first_output.is_some()).then(|| wire::wire(self.wire).stream());
        while let Some(chunk) = response.chunk().await.map_err(|error| cut_failure(&error, status))? {
            if body.bytes.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(failure(
                    FailureKind::Malformed,
                    format!("the answer is larger than {MAX_BODY_BYTES} bytes"),
                    Retry::No,
                ));
            }
            body.bytes.extend_from_slice(&chunk);
            if streamed {
                body.mark(&chunk, decoder.as_deref_mut());
            }
            if let (Some(told), Some(decoder)) = (&call.first_output, &decoder)
                && decoder.first_visible_event().is_some()
            {
                // Whoever waits for the first token may have gone.
                let _ = told.send(());
            }
        }
        Ok(Head { status, headers, streamed })
    }
}

/// Sends a request of a batch API and reads its answer to the end.
async fn read_whole(request: reqwest::RequestBuilder) -> Result<(u16, HeaderMap, Vec<u8>), Failure> {
    let mut response = request.send().await.map_err(|error| connection_failure(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut_failure(&error, status))? {
        if body.len() + chunk.len() > MAX_RESULT_BYTES {
            let message = format!("the answer is larger than {MAX_RESULT_BYTES} bytes");
            return Err(failure(FailureKind::Malformed, message, Retry::No));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// Replaces the key wherever a server echoes it: nothing that leaves this file has it.
fn redact(body: &mut Vec<u8>, key: &[u8]) {
    let mut clean = Vec::new();
    let mut from = 0;
    while let Some(at) = body[from..].windows(key.len()).position(|window| window == key) {
        clean.extend_from_slice(&body[from..from + at]);
        clean.extend_from_slice(REDACTED);
        from += at + key.len();
    }
    if from > 0 {
        clean.extend_from_slice(&body[from..]);
        *body = clean;
    }
}

/// The start of an answer.
struct Head {
    status: u16,
    headers: HeaderMap,
    streamed: bool,
}

/// An answer's body as it comes, with the times of its events.
struct Body {
    start: Instant,
    bytes: Vec<u8>,
    event_ms: Vec<f64>,
    events: Box<dyn Frames>,
}

impl Body {
    fn new(start: Instant, framing: Framing) -> Self {
        Self { start, bytes: Vec::new(), event_ms: Vec::new(), events: framing.decoder() }
    }

    /// Notes one time for all events that this chunk completes; the time is taken first.
    fn mark(&mut self, chunk: &[u8], mut decoder: Option<&mut (dyn wire::StreamDecoder + 'static)>) {
        let ms = ms_since(self.start);
        let event_ms = &mut self.event_ms;
        self.events.feed(chunk, &mut |data| {
            event_ms.push(ms);
            if let Some(decoder) = decoder.as_deref_mut() {
                decoder.event(data);
            }
        });
    }
}

/// The wall clock for the record, and the monotonic clock for measuring.
fn now() -> (i64, Instant) {
    #[expect(clippy::disallowed_methods, reason = "the transport is the clock's door")]
    let (wall, monotonic) = (SystemTime::now(), Instant::now());
    let unix_ms = wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    (unix_ms, monotonic)
}

fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// The times that the recording's server sent instead of those of the loopback.
fn recorded_times(headers: &HeaderMap, measured: Timing) -> Timing {
    let Some(text) = headers.get(RECORDED_TIMES).and_then(|value| value.to_str().ok()) else { return measured };
    let mut times: Vec<f64> = text.split(',').filter_map(|ms| ms.parse().ok()).collect();
    let total_ms = times.pop().unwrap_or(measured.total_ms);
    Timing { event_ms: times, total_ms }
}

fn broken(failure: Failure, body: Vec<u8>, timing: Timing, sent_at_unix_ms: i64) -> Arrived {
    let reading =
        Reading { outcome: Outcome::Failed(failure.clone()), first_output_event: None, first_visible_event: None };
    Arrived { received: Received::Broken { failure, body }, reading, timing, sent_at_unix_ms }
}

fn failure(kind: FailureKind, message: String, retry: Retry) -> Failure {
    Failure { kind, status: None, message: text::one_line(&message, 300), retry }
}

fn connection_failure(error: &reqwest::Error) -> Failure {
    failure(FailureKind::Connect, chain(error), Retry::Transient)
}

/// The connection broke within the answer.
fn cut_failure(error: &reqwest::Error, status: u16) -> Failure {
    let kind = if (200..300).contains(&status) { FailureKind::Cut } else { FailureKind::Connect };
    Failure {
        status: Some(status),
        ..failure(kind, format!("the connection broke: {}", chain(error)), Retry::Transient)
    }
}

/// An error with its causes, without the address (it may hold what a user would not show).
fn chain(error: &reqwest::Error) -> String {
    let mut message = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        message = error.to_string();
        cause = error.source();
    }
    if message.is_empty() { "the connection failed".into() } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_key_is_replaced_wherever_it_stands() {
        let mut body = b"sk-12345678 and sk-12345678sk-12345678".to_vec();
        redact(&mut body, b"sk-12345678");
        assert_eq!(body, b"[key] and [key][key]");
        redact(&mut body, b"a key longer than what is left of the body after this");
        assert_eq!(body, b"[key] and [key][key]");
    }
}
