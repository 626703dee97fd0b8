//! The transport over HTTP; the only file that names `reqwest` and that sends keys.

mod arriving;
mod leaving;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use self::arriving::{Body, Patience, ms_since, now, recorded_times};
use self::leaving::{Departure, Leaving};
use super::attempt::{Arrived, BoxFuture, Call, Transport};
use super::batch::BatchDoor;
use super::redact::Secrets;
use crate::exchange::{Failure, FailureKind, Outcome, Retry};
use crate::provider::{AuthScheme, Timeouts, WireKind};
use crate::replay::server::REPEAT;
use crate::text;
use crate::trial::{Received, Timing};
use crate::wire::batch::{BatchCall, Method};
use crate::wire::gemini::cached;
use crate::wire::{self, Framing, Reading, Route, event_stream};

/// Most bytes of an answer: far beyond any model's output limit.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of a batch's results: many answers in one document.
const MAX_RESULT_BYTES: usize = 1024 * 1024 * 1024;

/// Time for one call to a batch API: files of many megabytes go up and come down.
const BATCH_TIMEOUT: Duration = Duration::from_secs(600);

/// Content types of streamed answers.
const STREAM_TYPES: &[&str] = &["text/event-stream", "application/vnd.amazon.eventstream"];

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
    /// How long a request and its parts may take.
    pub timeouts: Timeouts,
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
    patience: Patience,
    replay: bool,
    secrets: Secrets,
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
    let timeout = arriving::seconds(spec.timeouts.total_s);
    let mut builder = reqwest::Client::builder()
        // Shorter than the whole: a host that is not there must not look like a slow answer.
        .connect_timeout(arriving::seconds(spec.timeouts.connect_s).min(timeout / 2))
        // A redirect could carry a key to another host.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1024)
        .tcp_nodelay(true)
        .user_agent(concat!("ceiling/", env!("CARGO_PKG_VERSION")));
    if spec.replay {
        builder = builder.no_proxy();
    }
    if is_plain_loopback(&spec.base_url) {
        // Nobody has to prove who it is: reading a system's certificates takes longer than a request.
        builder = builder.tls_certs_only([]);
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
        patience: Patience::new(&spec.timeouts),
        replay: spec.replay,
        secrets: secrets(&spec),
    })
}

/// Whether an address is this machine's, without TLS.
fn is_plain_loopback(base_url: &str) -> bool {
    let Ok(url) = url::Url::parse(base_url) else { return false };
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_loopback
}

/// Everything that a server could echo and that nobody is to see.
fn secrets(spec: &HttpEndpoint) -> Secrets {
    let keys = spec.key.iter();
    #[cfg(feature = "sigv4")]
    let keys = keys.chain(spec.aws.iter().flat_map(super::sigv4::AwsKeys::secrets));
    Secrets::new(keys.map(|key| key.expose_secret()))
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
        endpoint.whole(read_whole(request, MAX_BODY_BYTES).await?)
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
        let mut headers = self.headers_with(&call.route);
        let kind = HeaderValue::from_str(&call.content_type).unwrap_or(HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, kind);
        request = request.headers(headers);
        let timeout = BATCH_TIMEOUT.max(self.timeout);
        let received =
            tokio::time::timeout(timeout, read_whole(request, MAX_RESULT_BYTES)).await.unwrap_or_else(|_| {
                let message = format!("no whole answer within {} s", timeout.as_secs());
                Err(failure(FailureKind::Timeout, message, Retry::Transient))
            });
        self.whole(received?)
    }

    /// The body of a successful answer.
    fn whole(&self, (status, headers, mut body): (u16, HeaderMap, Vec<u8>)) -> Result<Vec<u8>, Failure> {
        self.secrets.redact(&mut body);
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(wire::wire(self.wire).classify(status, &self.secrets.clean(&headers), &body))
    }

    /// The endpoint's own headers and those of the wire. Each goes out once: what the provider file
    /// sets itself stands.
    fn headers_with(&self, route: &Route) -> HeaderMap {
        let mut headers = self.headers.clone();
        for (name, value) in &route.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.entry(*name).or_insert(value);
            }
        }
        headers
    }

    async fn send(&self, call: Call) -> Arrived {
        let departure = Departure::default();
        let mut request = self
            .client
            .post(format!("{}{}", self.base_url, call.route.path))
            .headers(self.headers_with(&call.route))
            .body(reqwest::Body::wrap(Leaving::new(call.body.clone(), departure.clone())));
        if self.replay {
            request = request.header(REPEAT, call.repeat);
        }
        #[cfg(feature = "sigv4")]
        let request = self.signed(request, &call);
        let (sent_at_unix_ms, start) = now();
        let mut body = Body::new(start, wire::wire(self.wire).framing());
        let received = tokio::time::timeout(self.timeout, self.exchange(request, &call, &mut body)).await;
        let total_ms = ms_since(start);
        let timing = departure.timing(start, Timing { event_ms: std::mem::take(&mut body.event_ms), total_ms });
        // What has come on other connections gets its times before this answer is read.
        tokio::task::yield_now().await;
        match wire::wire(self.wire).framing() {
            Framing::Sse => drop(self.secrets.redact(&mut body.bytes)),
            Framing::EventStream => event_stream::amend(&mut body.bytes, &mut |part| self.secrets.redact(part)),
        }
        match received {
            Err(_) => {
                let message = format!("no whole answer within {} s", self.timeout.as_secs_f64());
                broken(failure(FailureKind::Timeout, message, Retry::No), body.bytes, timing, sent_at_unix_ms)
            }
            Ok(Err(failure)) => broken(failure, body.bytes, timing, sent_at_unix_ms),
            Ok(Ok(Head { status, headers, streamed })) => {
                let headers = self.secrets.clean(&headers);
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
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let headers = [("content-type", kind)];
        let unsigned = super::sigv4::Unsigned { method: "POST", url: &url, headers: &headers, body: &call.body };
        let (unix_ms, _) = now();
        let added = super::sigv4::sign(&unsigned, keys, scope, unix_ms);
        added.into_iter().fold(request, |request, (name, value)| match HeaderValue::from_str(&value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(name, value)
            }
            // What HTTP does not allow makes a request that cannot be sent, and is said so.
            Err(_) => request.header(name, value),
        })
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
        let wire = wire::wire(self.wire);
        let asks = |route: &Route| wire.asks_for_stream(&route.path, &call.body);
        let wait = self.patience.until_head(body, || asks(&call.route));
        let sent = within(wait, request.send()).await?;
        let mut response = sent.map_err(|error| connection_failure(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let streamed = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| STREAM_TYPES.iter().any(|known| kind.trim_start().starts_with(known)));
        body.watch(streamed.then(|| wire.stream()));
        loop {
            let chunk = within(self.patience.until_chunk(body), response.chunk()).await?;
            let Some(chunk) = chunk.map_err(|error| cut_failure(&error, status))? else { break };
            if body.bytes.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(failure(
                    FailureKind::Malformed,
                    format!("the answer is larger than {MAX_BODY_BYTES} bytes"),
                    Retry::No,
                ));
            }
            body.bytes.extend_from_slice(&chunk);
            if streamed {
                body.mark(&chunk);
            }
            if let Some(told) = call.first_output.as_ref().filter(|_| body.is_visible()) {
                // Whoever waits for the first token may have gone.
                let _ = told.send(());
            }
        }
        Ok(Head { status, headers, streamed })
    }
}

/// A part of an exchange within its time, where it has one.
async fn within<T>(wait: Option<arriving::Wait>, part: impl Future<Output = T>) -> Result<T, Failure> {
    match wait {
        None => Ok(part.await),
        Some(wait) => tokio::time::timeout(wait.most, part).await.map_err(|_| wait.failure()),
    }
}

/// Sends a request beside the trials and reads its answer to the end.
async fn read_whole(request: reqwest::RequestBuilder, most_bytes: usize) -> Result<(u16, HeaderMap, Vec<u8>), Failure> {
    let mut response = request.send().await.map_err(|error| connection_failure(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut_failure(&error, status))? {
        if body.len() + chunk.len() > most_bytes {
            let message = format!("the answer is larger than {most_bytes} bytes");
            return Err(failure(FailureKind::Malformed, message, Retry::No));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// The start of an answer.
struct Head {
    status: u16,
    headers: HeaderMap,
    streamed: bool,
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
    match error.is_connect() && error.is_timeout() {
        true => failure(FailureKind::ConnectTimeout, "no connection within its time limit".into(), Retry::Transient),
        false => failure(FailureKind::Connect, chain(error), Retry::Transient),
    }
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
mod tests;
