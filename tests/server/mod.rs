//! A server on loopback that speaks the OpenAI chat wire by a script: one thread a connection, a
//! closure from (request, how many came before) to an answer. A closure that waits holds its
//! answer back, so that a test decides the moment.
//!
//! [`faults`] has everything that goes wrong with a service, [`mix`] sends it at seeded rates,
//! [`quota`] turns requests away as a service with a limit does. The server keeps an account of what
//! it answered, so that a test can hold the program's own account against it.

pub(crate) mod faults;
pub(crate) mod mix;
pub(crate) mod quota;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use self::quota::{Place, Quota};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These data events, then `[DONE]`.
    Stream(Vec<Value>),
    /// A status, headers and a body in one piece.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// These data events, then the body ends properly, without an end signal of the wire.
    Ends(Vec<Value>),
    /// The stream's first so many bytes, then the connection breaks.
    Cut(Vec<Value>, usize),
    /// Bytes as they go out, head and all, under the name that the account has them by.
    Steps(&'static str, Vec<Step>),
}

/// One thing that the server does with its connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes so many times, as long as the client takes them.
    Repeat(Vec<u8>, u64),
    /// Waits.
    Wait(Duration),
    /// Sends nothing more until the client has gone.
    Hang,
    /// Ends the connection properly.
    Close,
    /// Ends the connection with a reset.
    Reset,
}

impl Answer {
    /// An error answer in the wire's form.
    pub(crate) fn error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
        Self::Whole(status, vec![], body.to_string())
    }
}

/// The data events of a stream that says a text and stops for a reason: first a chunk without
/// content, last one without choices that carries the usage.
pub(crate) fn events(pieces: &[&str], finish_reason: &str, usage: Value) -> Vec<Value> {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "small",
               "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": null}), Value::Null)];
    events.extend(pieces.iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    events.push(chunk(json!({}), finish_reason.into()));
    events.push(json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "small",
                       "choices": [], "usage": usage}));
    events
}

/// A whole streamed answer with plain usage.
pub(crate) fn say(text: &str) -> Answer {
    let middle = text.len() / 2;
    let usage = json!({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25,
                       "prompt_tokens_details": {"cached_tokens": 0},
                       "completion_tokens_details": {"reasoning_tokens": 0}});
    Answer::Stream(events(&[&text[..middle], &text[middle..]], "stop", usage))
}

/// The last message of a request.
pub(crate) fn last_user(request: &Value) -> &str {
    request["messages"].as_array().and_then(|all| all.last()?["content"].as_str()).unwrap_or_default()
}

/// Whether a request asks for native structured output.
pub(crate) fn wants_schema(request: &Value) -> bool {
    request.get("response_format").is_some()
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Header names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What the server did with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// What it was: the name of a fault, or `answer`, `ends` and `cut`.
    pub(crate) name: &'static str,
    /// The status of its head, 0 where there was none.
    pub(crate) status: u16,
    /// Bytes that the connection took.
    pub(crate) bytes: u64,
    /// Whether all of it went out.
    pub(crate) whole: bool,
    /// Since the server's start.
    pub(crate) after: Duration,
}

type Script = dyn Fn(&Value, usize) -> Answer + Send + Sync;

/// What the threads of a server share.
struct Shared {
    script: Box<Script>,
    quota: Option<Quota>,
    seen: Mutex<Vec<Seen>>,
    told: Mutex<Vec<Told>>,
    start: std::time::Instant,
}

/// The server; its threads end with the test's process.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl ScriptedServer {
    pub(crate) fn start(script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, script)
    }

    /// A server that turns away what is beyond its quota; the script answers the rest.
    pub(crate) fn with_quota(quota: Quota, script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(Some(quota), script)
    }

    fn start_with(quota: Option<Quota>, script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            quota,
            seen: Mutex::default(),
            told: Mutex::default(),
            start: std::time::Instant::now(),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// The address in front of the wire's paths.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests that came.
    pub(crate) fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What was answered, in the order in which it ended.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// How often each answer was given, by its name.
    pub(crate) fn account(&self) -> BTreeMap<&'static str, usize> {
        self.shared.told.lock().unwrap().iter().fold(BTreeMap::new(), |mut account, told| {
            *account.entry(told.name).or_default() += 1;
            account
        })
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let place = shared.quota.as_ref().map(Quota::take);
        let number = {
            let mut seen = shared.seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let (answer, place) = match place {
            Some(Err(after)) => (faults::rate_limited(after), None),
            Some(Ok(place)) => ((shared.script)(&request.body, number), Some(place)),
            None => ((shared.script)(&request.body, number), None),
        };
        let (name, steps) = steps(answer);
        let mut sink = Sink { stream, bytes: 0 };
        // A client that was killed has closed its end: that ends the connection, not the test.
        let reusable = sink.play(&steps, place);
        let status = steps.iter().find_map(status_of).unwrap_or(0);
        let (bytes, whole) = (sink.bytes, reusable.is_ok());
        let after = shared.start.elapsed();
        shared.told.lock().unwrap().push(Told { name, status, bytes, whole, after });
        if !reusable.unwrap_or(false) {
            return;
        }
    }
}

/// The status in the first line of a head.
fn status_of(step: &Step) -> Option<u16> {
    let Step::Send(bytes) = step else { return None };
    std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { method, headers, path, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// The head of a streamed answer.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A piece of a body whose length is not known.
pub(crate) fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// An event of a stream.
pub(crate) fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// An answer with its length.
fn whole(status: u16, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head.push_str("content-type: application/json\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// What the server does for an answer, and the name that the account has it by.
fn steps(answer: Answer) -> (&'static str, Vec<Step>) {
    let stream = |events: &[Value]| {
        let chunks = events.iter().map(|event| Step::Send(chunk(data(event).as_bytes())));
        std::iter::once(Step::Send(STREAM.into())).chain(chunks).collect::<Vec<_>>()
    };
    match answer {
        Answer::Stream(events) => {
            let mut steps = stream(&events);
            steps.push(Step::Send([chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat()));
            ("answer", steps)
        }
        Answer::Ends(events) => {
            let mut steps = stream(&events);
            steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
            ("ends", steps)
        }
        Answer::Cut(events, bytes) => {
            let all: String = events.iter().map(data).collect();
            let part = &all.as_bytes()[..bytes.min(all.len())];
            let open = [format!("{:x}\r\n", all.len() + 1).as_bytes(), part].concat();
            ("cut", vec![Step::Send(STREAM.into()), Step::Send(open), Step::Close])
        }
        Answer::Whole(status, headers, body) => {
            (if status < 300 { "answer" } else { "error" }, vec![Step::Send(whole(status, &headers, &body))])
        }
        Answer::Steps(name, steps) => (name, steps),
    }
}

/// A connection that counts what it took.
struct Sink<'a> {
    stream: &'a TcpStream,
    bytes: u64,
}

impl Sink<'_> {
    /// Does what an answer is; whether the connection can be used again. Who waits for the end finds
    /// the place free.
    fn play(&mut self, steps: &[Step], place: Option<Place<'_>>) -> std::io::Result<bool> {
        let mut place = place;
        for (at, step) in steps.iter().enumerate() {
            if at + 1 == steps.len() {
                place = None;
            }
            match step {
                Step::Send(bytes) => self.send(bytes)?,
                Step::Repeat(bytes, times) => {
                    for _ in 0..*times {
                        self.send(bytes)?;
                    }
                }
                Step::Wait(time) => std::thread::sleep(*time),
                Step::Hang => {
                    // A client sends nothing before its answer: what comes is its end.
                    let _ = self.stream.read(&mut [0]);
                    return Ok(false);
                }
                Step::Close => {
                    self.stream.shutdown(std::net::Shutdown::Both)?;
                    return Ok(false);
                }
                Step::Reset => {
                    socket2::SockRef::from(self.stream).set_linger(Some(Duration::ZERO))?;
                    return Ok(false);
                }
            }
        }
        drop(place);
        Ok(true)
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let taken = self.stream.write(left)?;
            self.bytes += taken as u64;
            left = &left[taken..];
        }
        Ok(())
    }
}
