//! A server on loopback that speaks the fine-tuning APIs of two vendors: it takes files and jobs, goes through the
//! states that it is told, and fails where it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

/// Whose API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Openai,
    Together,
}

/// What happens to the next call of a kind.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered so, and not carried out.
    Refused(u16, Value),
    /// It is carried out, and the connection ends without an answer.
    Cut,
    /// It is carried out, and nothing is said until the client has gone.
    Silence,
}

/// The key that the server takes.
pub(crate) const KEY: &str = "sk-tuning-0123456789";

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    /// Method and path, without the query.
    pub(crate) line: String,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Called {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Which kind of call it is, for faults.
    fn kind(&self) -> &'static str {
        let is_job = self.line.contains("jobs") || self.line.contains("fine-tunes");
        match (self.line.split(' ').next().unwrap(), is_job) {
            ("POST", false) => "upload",
            ("POST", true) if self.line.ends_with("/cancel") => "cancel",
            ("POST", true) if self.line.ends_with("/estimate-price") => "estimate",
            ("POST", true) => "create",
            ("GET", false) => "files",
            ("GET", true) if self.line.ends_with("/events") => "events",
            ("GET", true) if self.line.ends_with("/jobs") || self.line.ends_with("/fine-tunes") => "jobs",
            _ => "job",
        }
    }
}

struct State {
    vendor: Vendor,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// The words of a job's state, one a poll; the last one stays.
    words: VecDeque<&'static str>,
    /// What a job says besides.
    outcome: Value,
    files: Vec<Value>,
    jobs: Vec<Value>,
    calls: Vec<Called>,
}

/// The server; its threads end with the test's process.
pub(crate) struct TuningServer {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl TuningServer {
    pub(crate) fn start(vendor: Vendor) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            vendor,
            faults: BTreeMap::new(),
            words: VecDeque::from(["queued"]),
            outcome: json!({}),
            files: Vec::new(),
            jobs: Vec::new(),
            calls: Vec::new(),
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

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
    }

    /// The next call of a kind ends so: `upload`, `estimate`, `create`, `job`, `jobs`, `files`, `events` or `cancel`.
    pub(crate) fn fault(&self, kind: &'static str, fault: Fault) {
        self.with(|state| state.faults.entry(kind).or_default().push_back(fault));
    }

    /// The job's states from now on, one a poll, and what it says besides.
    pub(crate) fn goes(&self, words: &[&'static str], outcome: Value) {
        self.with(|state| (state.words, state.outcome) = (words.iter().copied().collect(), outcome));
    }

    /// Waits until a call of this kind has been carried out.
    pub(crate) fn wait_for(&self, kind: &str) {
        let missing = |state: &mut State| !state.calls.iter().any(|call| call.kind() == kind);
        drop(self.state.1.wait_while(self.state.0.lock().unwrap(), missing).unwrap());
    }

    /// How many files and jobs were made.
    pub(crate) fn made(&self) -> (usize, usize) {
        let state = self.state.0.lock().unwrap();
        (state.files.len(), state.jobs.len())
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.state.0.lock().unwrap().calls.clone()
    }

    /// The calls of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.calls().iter().filter(|call| call.kind() == kind).count()
    }

    /// The body with which the newest job was made.
    pub(crate) fn created(&self) -> Value {
        self.calls().iter().rfind(|call| call.kind() == "create").unwrap().json()
    }

    /// A provider file for it.
    pub(crate) fn provider(&self) -> String {
        let dialect = match self.state.0.lock().unwrap().vendor {
            Vendor::Openai => "openai",
            Vendor::Together => "together",
        };
        format!(
            "kind = \"openai-chat\"\ndialect = \"{dialect}\"\nbase_url = \"http://{}/v1\"\napi_key_env = \
             \"SCRIPTED_KEY\"\n[models.small]\nprice = {{ input = 2.0, output = 4.0, training = 10.0 }}\n\
             [models.\"ft:small\"]\nprice = {{ input = 3.0, output = 6.0 }}\nretires = \"2999-01-14\"\n",
            self.address
        )
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar)) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(call) = read_call(&mut reader) {
        let (status, body) = {
            let mut state = shared.0.lock().unwrap();
            let answer = state.answer(&call);
            state.calls.push(call);
            shared.1.notify_all();
            match answer {
                Some(answer) => answer,
                None => return,
            }
        };
        if status == 0 {
            // Until the client has gone.
            let _ = reader.read(&mut [0]);
            return;
        }
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\nretry-after-ms: 1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
            return;
        }
    }
}

fn read_call(reader: &mut BufReader<&TcpStream>) -> Option<Called> {
    let super::batch::Called { line, headers, body } = super::batch::read_call(reader)?;
    Some(Called { line: line.split('?').next().unwrap().to_owned(), headers, body })
}

impl State {
    /// Status and body; no connection where there is none, no status where nothing is said.
    fn answer(&mut self, call: &Called) -> Option<(u16, String)> {
        let sent = call.headers.get("authorization").cloned().unwrap_or_default();
        if sent != format!("Bearer {KEY}") {
            let message = format!("Incorrect API key provided: {sent}");
            return Some((401, json!({"error": {"message": message, "code": "invalid_api_key"}}).to_string()));
        }
        match self.faults.get_mut(call.kind()).and_then(VecDeque::pop_front) {
            None => Some((200, self.carried_out(call).to_string())),
            Some(Fault::Refused(status, body)) => Some((status, body.to_string())),
            Some(fault) => {
                self.carried_out(call);
                matches!(fault, Fault::Silence).then(|| (0, String::new()))
            }
        }
    }

    fn carried_out(&mut self, call: &Called) -> Value {
        match call.kind() {
            "upload" => {
                let name = self.field(call, "filename=\"", "\"");
                let content = self.field(call, "application/jsonl\r\n\r\n", "\r\n--ceiling-");
                assert_eq!(self.field(call, "name=\"purpose\"\r\n\r\n", "\r\n"), "fine-tune");
                let id = format!("file-{}", self.files.len() + 1);
                let file = json!({"id": id, "object": "file", "filename": name, "bytes": content.len(),
                                  "purpose": "fine-tune", "created_at": 1});
                self.files.push(file.clone());
                file
            }
            "files" => json!({"data": self.files}),
            "estimate" => json!({"estimation_available": true, "estimated_total_price": 0.05}),
            "create" => {
                let mut job = call.json();
                let known = |file: &Value| file.is_null() || self.files.iter().any(|known| known["id"] == *file);
                assert!(known(&job["training_file"]) && known(&job["validation_file"]), "{job}");
                job["id"] = format!("ftjob-{}", self.jobs.len() + 1).into();
                job["status"] = self.words.front().copied().unwrap_or("queued").into();
                job["user_provided_suffix"] = job["suffix"].clone();
                self.jobs.push(job.clone());
                job
            }
            "jobs" => json!({"data": self.jobs.iter().rev().collect::<Vec<_>>()}),
            "events" => match self.vendor {
                Vendor::Openai => json!({"data": [
                    {"created_at": 1_795_500_060, "level": "info", "message": "Fine-tuning job started"},
                    {"created_at": 1_795_500_000, "level": "info", "message": "Created fine-tuning job"},
                ]}),
                Vendor::Together => json!({"data": [
                    {"created_at": "2026-11-24T06:00:00Z", "level": "info", "type": "job_start", "message": "Job started"},
                    {"created_at": "2026-11-24T06:05:00Z", "level": "error", "type": "job_error", "message": "Row 3 is odd"},
                ]}),
            },
            kind => {
                if kind == "cancel" {
                    self.words = VecDeque::from(["cancelled"]);
                }
                let number: usize =
                    call.line.split('/').find_map(|part| part.strip_prefix("ftjob-")?.parse().ok()).unwrap();
                let mut job = self.jobs[number - 1].clone();
                let word = if self.words.len() > 1 { self.words.pop_front() } else { self.words.front().copied() };
                job["status"] = word.unwrap().into();
                if matches!(word, Some("succeeded" | "completed" | "failed")) {
                    job.as_object_mut().unwrap().extend(self.outcome.as_object().unwrap().clone());
                }
                job
            }
        }
    }

    /// What stands in a form between two texts.
    fn field(&self, call: &Called, before: &str, after: &str) -> String {
        let body = String::from_utf8(call.body.clone()).unwrap();
        let rest = body.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {body}")).1;
        rest.split(after).next().unwrap().to_owned()
    }
}
