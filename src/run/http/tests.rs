use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::json;

use super::*;
use crate::wire::Route;
use crate::wire::event_stream::message;

const KEY: &str = "sk-very-secret/1";

/// A server that answers every connection with these bytes; the requests' heads come out of it.
fn server(answer: Vec<u8>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            sender.send(String::from_utf8(head).unwrap()).unwrap();
            // Who reads no further has gone.
            let _ = stream.write_all(&answer);
        }
    });
    (address, heads)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    [format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n").as_bytes(), body].concat()
}

fn transport(wire: WireKind, base_url: String, headers: &[(&str, &str)]) -> HttpTransport {
    impatient(Timeouts::default(), wire, base_url, headers)
}

fn impatient(timeouts: Timeouts, wire: WireKind, base_url: String, headers: &[(&str, &str)]) -> HttpTransport {
    let endpoint = HttpEndpoint {
        wire,
        base_url,
        auth: AuthScheme::Bearer,
        key: Some(KEY.to_owned().into()),
        #[cfg(feature = "sigv4")]
        aws: None,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        timeouts,
        replay: true,
    };
    HttpTransport::new(vec![endpoint]).unwrap()
}

fn call(route: Route) -> Call {
    Call { endpoint: 0, route, body: "{}".into(), whole: None, repeat: 0, first_output: None }
}

#[tokio::test]
async fn a_request_says_how_long_it_is() {
    let (base_url, heads) = server(answer("200 OK", b"{}"));
    transport(WireKind::OpenaiChat, base_url, &[]).send(call(Route::fixed("/c"))).await;
    let head = heads.recv().unwrap();
    assert!(head.contains("content-length: 2\r\n") && !head.contains("transfer-encoding"), "{head}");
}

#[test]
fn times_begin_when_a_request_goes() {
    let departure = Departure::default();
    let times = |total_ms: f64| Timing { event_ms: vec![1e9], total_ms };
    let start = now().1;
    assert_eq!(departure.timing(start, times(5.0)), times(5.0), "a request that never went");
    let mut leaving = Leaving::new("{}".into(), departure.clone());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(hyper::body::Body::poll_frame(std::pin::Pin::new(&mut leaving), &mut context).is_ready());
    let earlier = start.checked_sub(Duration::from_secs(1)).unwrap();
    let told = departure.timing(earlier, times(1.0));
    assert!(told.total_ms == 0.0 && told.event_ms[0] < 1e9 - 999.0, "{told:?}");
}

#[test]
fn certificates_are_read_for_whoever_must_show_one() {
    for address in ["http://127.0.0.1:8080/v1", "http://localhost", "http://[::1]:1"] {
        assert!(is_plain_loopback(address), "{address}");
    }
    for address in ["https://127.0.0.1/v1", "http://10.0.0.7:8000/v1", "http://localhost.example.com", "127.0.0.1"] {
        assert!(!is_plain_loopback(address), "{address}");
    }
}

#[tokio::test]
async fn an_echo_within_a_binary_stream_leaves_it_readable() {
    let event = |name: &str, payload: serde_json::Value| {
        message(&[(":event-type", name), (":message-type", "event")], payload.to_string().as_bytes())
    };
    let body = [
        event("contentBlockDelta", json!({"delta": {"text": format!("you sent {KEY}")}})),
        event("messageStop", json!({"stopReason": "end_turn"})),
        event("metadata", json!({"usage": {"inputTokens": 3, "outputTokens": 2}})),
    ]
    .concat();
    let (base_url, _heads) = server(answer("200 OK\r\ncontent-type: application/vnd.amazon.eventstream", &body));
    let arrived =
        transport(WireKind::Bedrock, base_url, &[]).send(call(Route::fixed("/model/m/converse-stream"))).await;
    let completion = arrived.reading.outcome.completion().expect("the stream can be read");
    assert_eq!(completion.text, "you sent [key***********]");
    assert_eq!(completion.usage.output_tokens, Some(2));
}

#[tokio::test]
async fn an_echo_is_in_no_failure() {
    let escaped = KEY.replace('/', "\\/");
    let body = format!("{{\"error\":{{\"message\":\"bad key {escaped}\",\"type\":\"x\"}}}}");
    for answer in [answer("401 No", body.as_bytes()), answer(&format!("302 Go\r\nlocation: http://x/?k={KEY}"), b"")] {
        let (base_url, _heads) = server(answer);
        let arrived = transport(WireKind::OpenaiChat, base_url, &[]).send(call(Route::fixed("/c"))).await;
        let shown = format!("{:?} {:?}", arrived.reading, arrived.received);
        assert!(shown.contains("[key**") && !shown.contains("very-secret"), "{shown}");
    }
}

#[tokio::test]
async fn a_header_goes_out_once_and_the_files_own_stands() {
    let route = Route { headers: vec![("anthropic-version", "2026-10-21".into())], ..Route::fixed("/messages") };
    for (own, sent) in [(&[("Anthropic-Version", "2023-06-01")][..], "2023-06-01"), (&[], "2026-10-21")] {
        let (base_url, heads) = server(answer("200 OK", b"{}"));
        transport(WireKind::Anthropic, base_url, own).send(call(route.clone())).await;
        let head = heads.recv().unwrap();
        let versions: Vec<&str> = head.lines().filter(|line| line.starts_with("anthropic-version")).collect();
        assert_eq!(versions, [format!("anthropic-version: {sent}")]);
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let (base_url, _heads) = server([head, vec![b' '; MAX_BODY_BYTES + 1]].concat());
    let transport = transport(WireKind::Gemini, base_url, &[]);
    let failure = transport.control(0, http::Method::POST, "/cachedContents", None).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
}

/// The failure of one streamed request to a server that ends its answers in silence.
async fn silence(timeouts: Timeouts, answer: &[u8]) -> Failure {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_vec();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Who is answered before it has asked takes it for a fault.
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(&answer).unwrap();
        // Until the client has gone.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let call = Call { body: r#"{"stream":true}"#.into(), ..call(Route::fixed("/c")) };
    let arrived = impatient(timeouts, WireKind::OpenaiChat, base_url, &[]).send(call).await;
    arrived.reading.outcome.failure().unwrap().clone()
}

#[tokio::test]
async fn each_time_that_passes_is_a_failure_of_its_own() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n";
    const TOKEN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let long = Timeouts { first_token_s: Some(60.0), between_chunks_s: 60.0, total_s: 60.0, ..Timeouts::default() };
    let first = Timeouts { first_token_s: Some(0.05), ..long };
    let between = Timeouts { between_chunks_s: 0.05, ..long };
    let total = Timeouts { total_s: 0.05, ..long };
    for (timeouts, answer, kind, retry) in [
        (first, String::new(), FailureKind::FirstTokenTimeout, Retry::Transient),
        (first, HEAD.to_owned(), FailureKind::FirstTokenTimeout, Retry::Transient),
        (first, format!("{HEAD}{ROLE}: ping\n\n"), FailureKind::FirstTokenTimeout, Retry::Transient),
        (between, format!("{HEAD}{ROLE}{TOKEN}"), FailureKind::Stalled, Retry::Transient),
        (total, format!("{HEAD}{ROLE}{TOKEN}"), FailureKind::Timeout, Retry::No),
        (total, String::new(), FailureKind::Timeout, Retry::No),
    ] {
        let failure = silence(timeouts, answer.as_bytes()).await;
        assert_eq!((failure.kind, failure.retry), (kind, retry), "{answer:?}: {}", failure.message);
        assert!(failure.message.contains("0.05 s"), "{}", failure.message);
    }
}

#[tokio::test]
async fn no_connection_in_time_is_a_failure_of_its_own() {
    // A queue of connections that nobody takes: once it is full, no further one is made.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap();
    let waiting: Vec<socket2::Socket> = (0..3)
        .map(|_| {
            let waiting = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            waiting.set_nonblocking(true).unwrap();
            // It is under way, and stays so.
            let _ = waiting.connect(&address);
            waiting
        })
        .collect();
    let base_url = format!("http://{}", address.as_socket().unwrap());
    let timeouts = Timeouts { connect_s: 0.2, ..Timeouts::default() };
    let arrived = impatient(timeouts, WireKind::OpenaiChat, base_url, &[]).send(call(Route::fixed("/c"))).await;
    let failure = arrived.reading.outcome.failure().unwrap();
    assert_eq!((failure.kind, failure.retry), (FailureKind::ConnectTimeout, Retry::Transient), "{}", failure.message);
    assert!(!failure.kind.counts_as_wrong());
    drop(waiting);
}

#[test]
fn nothing_prints_a_key() {
    let endpoint = HttpEndpoint {
        wire: WireKind::Bedrock,
        base_url: "https://bedrock-runtime.us-east-1.amazonaws.com".into(),
        auth: AuthScheme::Bearer,
        key: Some(KEY.to_owned().into()),
        #[cfg(feature = "sigv4")]
        aws: Some(super::super::sigv4::AwsKeys {
            access_key_id: KEY.to_owned().into(),
            secret_access_key: KEY.to_owned().into(),
            session_token: Some(KEY.to_owned().into()),
        }),
        headers: BTreeMap::new(),
        timeouts: Timeouts::default(),
        replay: false,
    };
    let sent = headers(&endpoint).unwrap();
    let shown =
        format!("{endpoint:?} {sent:?} {:?} {:?}", secrets(&endpoint), HttpTransport::new(vec![endpoint.clone()]));
    assert!(!shown.contains("very-secret"), "{shown}");
}
