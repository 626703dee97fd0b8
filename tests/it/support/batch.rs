//! A server on loopback that speaks the batch APIs of three vendors: it takes batches, works on
//! them for as many polls as it is told, and hands results out last first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

/// Whose API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenaiChat,
    OpenaiResponses,
    Anthropic,
    Gemini,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Says(String),
    /// An HTTP status and the vendor's word for it.
    Fails(u16, &'static str),
    Expired,
    Cancelled,
    /// No line in the results.
    Lost,
    /// Two lines, the second saying something else.
    Twice(String),
}

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    /// Method and path, with the query.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Batch {
    requests: Vec<(String, Value)>,
    tag: Value,
    polls: usize,
}

type Plan = dyn Fn(&Value, usize) -> Line + Send + Sync;

struct State {
    vendor: Vendor,
    plan: Box<Plan>,
    /// Polls before a batch has ended.
    patience: usize,
    /// What the next submissions are answered with; `true` takes the batch all the same.
    refusals: VecDeque<(u16, String, bool)>,
    /// What the next batches end as, instead of with results.
    failures: VecDeque<Value>,
    files: HashMap<String, String>,
    batches: Vec<Batch>,
    calls: Vec<Called>,
    deleted: Vec<String>,
    holds: bool,
}

/// The server; its threads end with the test's process.
pub(crate) struct BatchServer {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

/// No batch of a test takes so many polls.
pub(crate) const NEVER: usize = usize::MAX;

impl BatchServer {
    /// A server whose batches end at the third poll; the plan gets a request and the number of its batch.
    pub(crate) fn start(vendor: Vendor, plan: impl Fn(&Value, usize) -> Line + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            vendor,
            plan: Box::new(plan),
            patience: 2,
            refusals: VecDeque::new(),
            failures: VecDeque::new(),
            files: HashMap::new(),
            batches: Vec::new(),
            calls: Vec::new(),
            deleted: Vec::new(),
            holds: false,
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, state }
    }

    /// Changes what it does from now on.
    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    pub(crate) fn patience(&self, polls: usize) {
        self.with(|state| state.patience = polls);
    }

    /// Answers the next submission so, and does not take it.
    pub(crate) fn refuse(&self, status: u16, body: &Value) {
        self.with(|state| state.refusals.push_back((status, body.to_string(), false)));
    }

    /// Answers the next submission so, and takes it all the same.
    pub(crate) fn take_and_answer(&self, status: u16, body: &Value) {
        self.with(|state| state.refusals.push_back((status, body.to_string(), true)));
    }

    /// The next batch ends as this, instead of with results.
    pub(crate) fn fail(&self, batch: Value) {
        self.with(|state| state.failures.push_back(batch));
    }

    /// Holds the answers to submissions back, for ever or until it is told otherwise.
    pub(crate) fn hold(&self, holds: bool) {
        self.with(|state| state.holds = holds);
    }

    /// How many requests each batch has.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.state.0.lock().unwrap().batches.iter().map(|batch| batch.requests.len()).collect()
    }

    /// Waits until so many batches were taken and asked for so often in all.
    pub(crate) fn wait_for(&self, batches: usize, polls: usize) {
        let enough = |state: &mut State| {
            state.batches.len() < batches || state.batches.iter().map(|batch| batch.polls).sum::<usize>() < polls
        };
        drop(self.state.1.wait_while(self.state.0.lock().unwrap(), enough).unwrap());
    }

    /// Files that were deleted.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.state.0.lock().unwrap().deleted.clone()
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.state.0.lock().unwrap().calls.clone()
    }

    /// A provider file for it, with prices of which the batch's are half.
    pub(crate) fn provider(&self) -> String {
        let (kind, dialect, version) = match self.state.0.lock().unwrap().vendor {
            Vendor::OpenaiChat => ("openai-chat", "dialect = \"openai\"\n", "v1"),
            Vendor::OpenaiResponses => ("openai-responses", "dialect = \"openai\"\n", "v1"),
            Vendor::Anthropic => ("anthropic", "", "v1"),
            Vendor::Gemini => ("gemini", "", "v1beta"),
        };
        format!(
            "kind = \"{kind}\"\n{dialect}base_url = \"http://{}/{version}\"\napi_key_env = \"SCRIPTED_KEY\"\n\
             [models.small]\nprice = {{ input = 2.0, output = 4.0, cache_read = 0.2, batch_input = 1.0, \
             batch_output = 2.0, batch_cache_read = 0.1 }}\n",
            self.address
        )
    }
}

/// The text of the last user message, in any vendor's words.
pub(crate) fn asked(request: &Value) -> &str {
    let last = |key: &str| request.get(key).and_then(Value::as_array).and_then(|all| all.last());
    let message = last("messages").or_else(|| last("input")).or_else(|| last("contents")).unwrap_or(&Value::Null);
    let content = message.get("content").or_else(|| message.get("parts")).unwrap_or(&Value::Null);
    let part = || content.as_array().and_then(|parts| parts.last()?.get("text")?.as_str());
    content.as_str().or_else(part).unwrap_or_default()
}

/// The right answer to a question of the tiny suite.
pub(crate) fn right(request: &Value) -> Line {
    Line::Says(json!({"label": asked(request).rsplit(' ').next()}).to_string())
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar)) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(call) = read_call(&mut reader) {
        let (status, body) = {
            let mut state = shared.0.lock().unwrap();
            state.calls.push(call.clone());
            let (status, body, submits) = state.answer(&call);
            shared.1.notify_all();
            if submits {
                drop(shared.1.wait_while(state, |state| state.holds).unwrap());
            }
            (status, body)
        };
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\nretry-after-ms: 1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // A client that was killed has closed its end.
        let mut stream = stream;
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
            return;
        }
    }
}

pub(super) fn read_call(reader: &mut BufReader<&TcpStream>) -> Option<Called> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Called { line, headers, body })
}

impl State {
    /// Status, body, and whether it was the submission of a batch.
    fn answer(&mut self, call: &Called) -> (u16, String, bool) {
        let (method, address) = call.line.split_once(' ').unwrap();
        let path = address.split('?').next().unwrap();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let number = |name: &str| name.rsplit('_').next().unwrap().parse::<usize>().unwrap();
        let fine = |body: Value| (200, body.to_string(), false);
        match (self.vendor, method, &parts[1..]) {
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, "POST", ["files"]) => {
                let name = format!("file_{}", self.files.len());
                self.files.insert(name.clone(), uploaded(call));
                fine(json!({"id": name, "object": "file", "purpose": "batch"}))
            }
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, "POST", ["batches"]) => {
                assert_eq!(body["completion_window"], "24h");
                let file = &self.files[body["input_file_id"].as_str().unwrap()];
                let lines = file.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
                let requests: Vec<(String, Value)> = lines
                    .map(|line| {
                        assert_eq!((&line["method"], &line["url"]), (&"POST".into(), &body["endpoint"]));
                        (line["custom_id"].as_str().unwrap().to_owned(), line["body"].clone())
                    })
                    .collect();
                let mut tag = body["metadata"].clone();
                tag["input_file_id"] = body["input_file_id"].clone();
                self.submitted(requests, tag)
            }
            (Vendor::Anthropic, "POST", ["messages", "batches"]) => {
                let requests = body["requests"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|request| (request["custom_id"].as_str().unwrap().to_owned(), request["params"].clone()));
                self.submitted(requests.collect(), Value::Null)
            }
            (Vendor::Gemini, "POST", ["models", "small:batchGenerateContent"]) => {
                let requests = body["batch"]["inputConfig"]["requests"]["requests"].as_array().unwrap();
                let requests = requests.iter().map(|request| {
                    (request["metadata"]["key"].as_str().unwrap().to_owned(), request["request"].clone())
                });
                self.submitted(requests.collect(), body["batch"]["displayName"].clone())
            }
            (_, "GET", ["batches"] | ["messages", "batches"]) => {
                let batches: Vec<Value> = (0..self.batches.len()).map(|number| self.shown(number)).collect();
                fine(json!({"data": batches, "operations": batches}))
            }
            (_, "GET", ["batches", name] | ["messages", "batches", name]) => {
                let number = number(name);
                self.batches[number].polls += 1;
                fine(self.shown(number))
            }
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, "GET", ["files", name, "content"]) => {
                (200, self.results(number(name), name.starts_with("error")), false)
            }
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, "DELETE", ["files", name]) => {
                self.files.remove(*name);
                self.deleted.push((*name).to_owned());
                fine(json!({"id": name, "object": "file", "deleted": true}))
            }
            (Vendor::Anthropic, "GET", ["messages", "batches", name, "results"]) => {
                (200, self.results(number(name), false), false)
            }
            other => panic!("{other:?}"),
        }
    }

    fn submitted(&mut self, requests: Vec<(String, Value)>, tag: Value) -> (u16, String, bool) {
        let refusal = self.refusals.pop_front();
        if refusal.as_ref().is_none_or(|(_, _, takes)| *takes) {
            self.batches.push(Batch { requests, tag, polls: 0 });
        }
        match refusal {
            Some((status, body, _)) => (status, body, true),
            None => (200, self.shown(self.batches.len() - 1).to_string(), true),
        }
    }

    /// A batch as the vendor shows it.
    fn shown(&mut self, number: usize) -> Value {
        let batch = self.batches[number].clone();
        let (total, ended) = (batch.requests.len(), batch.polls > self.patience);
        if ended && let Some(mut failed) = self.failures.pop_front() {
            failed["id"] = format!("batch_{number}").into();
            failed["name"] = format!("batches/batch_{number}").into();
            return failed;
        }
        match self.vendor {
            Vendor::OpenaiChat | Vendor::OpenaiResponses => {
                let status = if ended { "completed" } else { ["validating", "in_progress"][batch.polls.min(1)] };
                let input = batch.tag["input_file_id"].clone();
                let file = |kind: &str| if ended { json!(format!("{kind}_{number}")) } else { Value::Null };
                let done = if ended { total } else { 0 };
                json!({"id": format!("batch_{number}"), "object": "batch", "status": status, "metadata": batch.tag,
                       "request_counts": {"total": total, "completed": done, "failed": 0},
                       "input_file_id": input, "output_file_id": file("out"), "error_file_id": file("error"), "created_at": 1})
            }
            Vendor::Anthropic => {
                let (processing, succeeded) = if ended { (0, total) } else { (total, 0) };
                json!({"id": format!("msgbatch_{number}"), "type": "message_batch",
                       "processing_status": if ended { "ended" } else { "in_progress" },
                       "request_counts": {"processing": processing, "succeeded": succeeded, "errored": 0,
                                          "canceled": 0, "expired": 0},
                       "created_at": jiff::Timestamp::now().to_string(), "results_url": "https://elsewhere.invalid/"})
            }
            Vendor::Gemini => {
                let state = if ended { "BATCH_STATE_SUCCEEDED" } else { "BATCH_STATE_RUNNING" };
                let stats = json!({"requestCount": total.to_string()});
                let mut shown = json!({"name": format!("batches/batch_{number}"),
                    "metadata": {"state": state, "batchStats": stats, "displayName": batch.tag}});
                if ended {
                    let lines: Vec<Value> =
                        self.results(number, false).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                    shown["done"] = true.into();
                    shown["response"] = json!({"inlinedResponses": {"inlinedResponses": lines}});
                }
                shown
            }
        }
    }

    /// The lines of a batch's results, last first; for OpenAI those of one of its two files.
    fn results(&self, number: usize, errors: bool) -> String {
        let mut lines = Vec::new();
        for (id, request) in self.batches[number].requests.iter().rev() {
            let line = (self.plan)(request, number);
            let is_error = matches!(line, Line::Fails(..) | Line::Expired | Line::Cancelled);
            let openai = matches!(self.vendor, Vendor::OpenaiChat | Vendor::OpenaiResponses);
            if openai && is_error != errors {
                continue;
            }
            match line {
                Line::Lost => {}
                Line::Twice(text) => {
                    lines.push(self.line(id, &Line::Says(text)));
                    lines.push(self.line(id, &Line::Says("no".into())));
                }
                line => lines.push(self.line(id, &line)),
            }
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn line(&self, id: &str, line: &Line) -> Value {
        let (status, body) = match line {
            Line::Fails(status, kind) => (*status, self.error(*status, kind)),
            Line::Says(text) => (200, self.says(text)),
            _ => (0, Value::Null),
        };
        match (self.vendor, line) {
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, Line::Expired | Line::Cancelled) => {
                let code = if matches!(line, Line::Expired) { "batch_expired" } else { "batch_cancelled" };
                json!({"custom_id": id, "response": null, "error": {"code": code, "message": "too late"}})
            }
            (Vendor::OpenaiChat | Vendor::OpenaiResponses, _) => {
                json!({"custom_id": id, "response": {"status_code": status, "body": body}, "error": null})
            }
            (Vendor::Anthropic, Line::Expired) => json!({"custom_id": id, "result": {"type": "expired"}}),
            (Vendor::Anthropic, Line::Cancelled) => json!({"custom_id": id, "result": {"type": "canceled"}}),
            (Vendor::Anthropic, Line::Fails(..)) => {
                json!({"custom_id": id, "result": {"type": "errored", "error": body}})
            }
            (Vendor::Anthropic, _) => json!({"custom_id": id, "result": {"type": "succeeded", "message": body}}),
            (Vendor::Gemini, Line::Fails(..)) => json!({"metadata": {"key": id}, "error": body["error"]}),
            (Vendor::Gemini, Line::Expired) => {
                json!({"metadata": {"key": id}, "error": {"code": 4, "message": "too late"}})
            }
            (Vendor::Gemini, Line::Cancelled) => json!({"metadata": {"key": id}, "error": {"code": 1, "message": ""}}),
            (Vendor::Gemini, _) => json!({"metadata": {"key": id}, "response": body}),
        }
    }

    fn error(&self, status: u16, kind: &str) -> Value {
        match self.vendor {
            Vendor::OpenaiChat | Vendor::OpenaiResponses => json!({"error": {"message": "not so", "type": kind}}),
            Vendor::Anthropic => json!({"type": "error", "error": {"type": kind, "message": "not so"}}),
            Vendor::Gemini => json!({"error": {"code": status, "status": kind, "message": "not so"}}),
        }
    }

    /// A whole answer for 20 tokens of prompt and 5 of text.
    fn says(&self, text: &str) -> Value {
        match self.vendor {
            Vendor::OpenaiChat => json!({"id": "c", "object": "chat.completion", "model": "small",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}}),
            Vendor::OpenaiResponses => json!({"id": "r", "object": "response", "model": "small", "status": "completed",
                "output": [{"type": "message", "role": "assistant", "status": "completed",
                            "content": [{"type": "output_text", "text": text, "annotations": []}]}],
                "usage": {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25,
                          "input_tokens_details": {"cached_tokens": 0},
                          "output_tokens_details": {"reasoning_tokens": 0}}}),
            Vendor::Anthropic => json!({"id": "m", "type": "message", "role": "assistant", "model": "small",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 20, "output_tokens": 5, "cache_creation_input_tokens": 0,
                          "cache_read_input_tokens": 0}}),
            Vendor::Gemini => json!({"modelVersion": "small",
                "candidates": [{"index": 0, "finishReason": "STOP",
                                "content": {"role": "model", "parts": [{"text": text}]}}],
                "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 5, "totalTokenCount": 25}}),
        }
    }
}

/// The file part of a multipart body.
fn uploaded(call: &Called) -> String {
    let kind = &call.headers["content-type"];
    let boundary = format!("--{}", kind.split("boundary=").nth(1).unwrap());
    let body = String::from_utf8(call.body.clone()).unwrap();
    let parts: Vec<&str> = body.split(&boundary).collect();
    assert!(parts.iter().any(|part| part.contains("name=\"purpose\"\r\n\r\nbatch\r\n")), "{body}");
    let file = parts.iter().find(|part| part.contains("name=\"file\"; filename=")).unwrap();
    file.split_once("\r\n\r\n").unwrap().1.trim_end().to_owned()
}
