//! The server: on loopback, for whoever has the address with its token, and reading only.
//!
//! Another page in the same browser must neither read these nor reach them: the name in the `Host`
//! header says by which address a request came (a name that an attacker points at 127.0.0.1 is
//! refused), the token is in no page that others see, and nothing may frame or embed an answer.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::out::{self, Head};
use super::pages::{self, Pages};
use crate::digest::Digest;

/// Pages that are made at once: each may grade a whole run.
const AT_ONCE: usize = 2;

/// The longest that a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What every answer says of itself.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // The token is in the address.
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

type Body = BoxBody<Bytes, std::io::Error>;

/// A server that listens.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    token: String,
    door: Arc<Door>,
}

/// What decides on a request, and what answers it.
struct Door {
    port: u16,
    token: Digest,
    pages: Arc<Pages>,
    at_once: Arc<Semaphore>,
}

impl Server {
    /// Listens on loopback.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub(super) async fn bind(port: u16, token: &str, pages: Arc<Pages>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        let door = Door { port: address.port(), token: Digest::of(token.as_bytes()), pages, at_once };
        Ok(Self { listener, address, token: token.to_owned(), door: Arc::new(door) })
    }

    /// The address to open.
    pub(super) fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.token)
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(&self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file handles, say: the next connection may find one.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let door = Arc::clone(&self.door);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| {
                    let door = Arc::clone(&door);
                    async move { Ok::<_, Infallible>(door.answer(request).await) }
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                // A browser that goes away ends its connection: nothing to report.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

impl Door {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        if !self.is_meant(request.headers(), authority) {
            return bare(StatusCode::FORBIDDEN);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = bare(StatusCode::METHOD_NOT_ALLOWED);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let path = request.uri().path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let (token, below) = path.split_once('/').map_or((path, None), |(token, below)| (token, Some(below)));
        // Digests are compared, so that the time it takes says nothing of the token.
        if Digest::of(token.as_bytes()) != self.token {
            return bare(StatusCode::NOT_FOUND);
        }
        let Some(below) = below else { return moved(&format!("/{token}/")) };
        let (below, query) = (below.to_owned(), request.uri().query().unwrap_or_default().to_owned());
        // The list, a choice and what is not there are made at once, however many pages are being read.
        let turn = match pages::takes_long(&below, &query) {
            true => match Arc::clone(&self.at_once).acquire_owned().await {
                Ok(turn) => Some(turn),
                Err(_) => return bare(StatusCode::SERVICE_UNAVAILABLE),
            },
            false => None,
        };
        let pages = Arc::clone(&self.pages);
        let (mut out, head, body) = out::page();
        // The turn is the work's, which a browser that goes away does not end at once.
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            pages.answer(&below, &query, &mut out);
        });
        head.await.map_or_else(|_| bare(StatusCode::INTERNAL_SERVER_ERROR), |head| whole(&head, body.boxed()))
    }

    /// Whether a request came by our own address, and says so once.
    fn is_meant(&self, headers: &HeaderMap, authority: Option<&str>) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        host.to_str().is_ok_and(|host| self.is_own(host)) && authority.is_none_or(|authority| self.is_own(authority))
    }

    fn is_own(&self, host: &str) -> bool {
        let (name, port) = host.split_once(':').unwrap_or((host, "80"));
        let own_name = name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost");
        own_name && port.parse() == Ok(self.port)
    }
}

fn with_headers(status: StatusCode, kind: &'static str, policy: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let policy = HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'"));
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// An answer that says nothing but its status.
fn bare(status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default().to_ascii_lowercase() + "\n";
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed();
    with_headers(status, "text/plain; charset=utf-8", "default-src 'none'", body)
}

/// The address without its last slash: links are relative to it.
fn moved(to: &str) -> Response<Body> {
    let mut response = bare(StatusCode::PERMANENT_REDIRECT);
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// A page, under the very policy that it carries itself.
fn whole(head: &Head, body: Body) -> Response<Body> {
    let policy = head.policy.as_deref().unwrap_or("default-src 'none'");
    with_headers(head.status, "text/html; charset=utf-8", policy, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_list_waits_for_nobody() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let pages = Arc::new(Pages { store: "none.db".into() });
        let server = Server::bind(0, "t", pages).await.unwrap();
        let _all = Arc::clone(&server.door.at_once).acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let address = server.address;
        tokio::spawn(async move { server.serve().await });
        for below in ["", "compare?a=x", "nothing"] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET /t/{below} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
            assert!(read.is_ok() && answer.starts_with("HTTP/1.1 404"), "{below}: {answer}");
        }
    }

    #[test]
    fn only_our_own_address_is_answered() {
        let door = |port| Door {
            port,
            token: Digest::of(b"t"),
            pages: Arc::new(Pages { store: "none.db".into() }),
            at_once: Arc::new(Semaphore::new(1)),
        };
        let meant = |port, hosts: &[&'static str], authority| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            door(port).is_meant(&headers, authority)
        };
        for own in ["127.0.0.1:8123", "localhost:8123", "LOCALHOST:8123"] {
            assert!(meant(8123, &[own], None), "{own}");
        }
        for other in
            ["127.0.0.1", "localhost:8124", "evil.example:8123", "127.0.0.1.evil.example:8123", "[::1]:8123", ""]
        {
            assert!(!meant(8123, &[other], None), "{other}");
        }
        assert!(meant(80, &["localhost"], None));
        assert!(!meant(8123, &[], None) && !meant(8123, &["localhost:8123", "localhost:8123"], None));
        assert!(!meant(8123, &["localhost:8123"], Some("evil.example:8123")));
    }
}
