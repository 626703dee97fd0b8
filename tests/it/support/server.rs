//! A server on loopback that speaks the OpenAI chat wire by a script: one thread a connection, a
//! closure from (request, how many came before) to an answer. A closure that waits holds its
//! answer back, so that a test decides the moment.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

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

type Script = dyn Fn(&Value, usize) -> Answer + Send + Sync;

/// The server; its threads end with the test's process.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ScriptedServer {
    pub(crate) fn start(script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared: (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = shared.clone();
                std::thread::spawn(move || serve(&stream, &*script, &seen));
            }
        });
        Self { address, seen }
    }

    /// The address in front of the wire's paths.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests that came.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, script: &Script, seen: &Mutex<Vec<Seen>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let answer = script(&request.body, number);
        // A client that was killed has closed its end: that ends the connection, not the test.
        if !write_answer(stream, &answer).unwrap_or(false) {
            return;
        }
    }
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

/// Whether the connection can be used again.
fn write_answer(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<bool> {
    const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let data = |events: &[Value]| events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>();
    match answer {
        Answer::Stream(events) | Answer::Ends(events) => {
            stream.write_all(STREAM.as_bytes())?;
            let mut pieces = data(events);
            if matches!(answer, Answer::Stream(_)) {
                pieces.push("data: [DONE]\n\n".to_owned());
            }
            for piece in pieces {
                stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes())?;
            }
            stream.write_all(b"0\r\n\r\n")?;
            Ok(true)
        }
        Answer::Whole(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                head.push_str("content-type: application/json\r\n");
            }
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
            Ok(true)
        }
        Answer::Cut(events, bytes) => {
            stream.write_all(STREAM.as_bytes())?;
            let all = data(events).concat();
            let part = &all.as_bytes()[..(*bytes).min(all.len())];
            stream.write_all(format!("{:x}\r\n", all.len() + 1).as_bytes())?;
            stream.write_all(part)?;
            stream.shutdown(std::net::Shutdown::Both)?;
            Ok(false)
        }
    }
}
