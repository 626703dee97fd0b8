//! The in-process server over a folder of fixtures, for the check by the official clients
//! (`scripts/sdk-check`): the model that a request names is the fixture that it gets.
//!
//! `fixture-server FOLDER…` prints the server's address and answers until its input ends. In a
//! FOLDER is a folder for each wire, with files named `stream_*.sse`, `response_*.json` and
//! `error_*.http.json`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a tool of its own, with its own doors")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ceiling::digest::Digest;
use ceiling::provider::WireKind;
use ceiling::replay::server::ReplayServer;
use ceiling::replay::{Asked, Entry, Library, Reply};
use ceiling::wire::Framing;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() || !folders.iter().all(|folder| folder.is_dir()) {
        println!("usage: fixture-server FOLDER…");
        return ExitCode::from(2);
    }
    let served = tokio::runtime::Runtime::new().and_then(|runtime| {
        let server = runtime.block_on(ReplayServer::start(Arc::new(Fixtures(folders)), 0.0))?;
        println!("http://{}", server.address());
        std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
    });
    if let Err(error) = served {
        println!("failed to serve: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Folders of fixtures.
struct Fixtures(Vec<PathBuf>);

impl Library for Fixtures {
    fn look_up(&self, asked: &Asked<'_>) -> Option<Reply> {
        let name = model(asked)?;
        // A name, never a path.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            return None;
        }
        let places = self.0.iter().flat_map(|root| folders(asked.wire).iter().map(move |folder| root.join(folder)));
        places.into_iter().find_map(|folder| reply(&folder, &name, asked.wire))
    }
}

/// Where the fixtures of a wire lie.
fn folders(kind: WireKind) -> &'static [&'static str] {
    match kind {
        WireKind::OpenaiChat => &["openai_chat", "openai_compatible"],
        WireKind::OpenaiResponses => &["openai_responses"],
        WireKind::Anthropic => &["anthropic_messages"],
        WireKind::Gemini => &["gemini"],
        WireKind::Bedrock => &["bedrock"],
    }
}

/// The model that a request names, in its body or in its path.
fn model(asked: &Asked<'_>) -> Option<String> {
    let path = asked.path.split('?').next()?;
    let name = match asked.wire {
        WireKind::Gemini => path.rsplit_once(':')?.0.rsplit('/').next()?,
        WireKind::Bedrock => path.split('/').nth(2)?,
        _ => asked.body.get("model")?.as_str()?,
    };
    Some(name.to_owned())
}

/// A fixture as an answer.
fn reply(folder: &Path, name: &str, kind: WireKind) -> Option<Reply> {
    let text = |end: &str| std::fs::read_to_string(folder.join(format!("{name}.{end}"))).ok();
    let mut entry = Entry {
        wire: kind,
        request_hash: Digest::of(name.as_bytes()),
        example: name.to_owned(),
        variant: String::new(),
        repeat: 0,
        status: 200,
        envelope: Map::new(),
        chunks: Vec::new(),
        response: None,
        total_ms: 0.0,
        usage: None,
    };
    let mut headers = HeaderMap::new();
    if let Some(stream) = text("sse") {
        let mut events = Vec::new();
        Framing::Sse.decoder().feed(stream.as_bytes(), &mut |data| {
            events.extend(serde_json::from_str(data).map(|event: Value| (0.0, event)));
        });
        entry = Entry::from_events(entry, &events);
    } else if let Some(fixture) = text("http.json") {
        let fixture: Value = serde_json::from_str(&fixture).ok()?;
        entry.status = u16::try_from(fixture["status"].as_u64()?).ok()?;
        entry.response = Some(fixture["body"].clone());
        for (name, value) in fixture["headers"].as_object()? {
            headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::from_str(value.as_str()?).ok()?);
        }
    } else {
        entry.response = Some(serde_json::from_str(&text("json")?).ok()?);
    }
    // What a client gets is what a recording of it would give.
    let line = serde_json::to_string(&entry).ok()?;
    Some(Reply { entry: serde_json::from_str(&line).ok()?, headers })
}
