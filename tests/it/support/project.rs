//! A project in a temporary folder, and the program run in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Answer, ScriptedServer, last_user, say, wants_schema};

/// The classes of the tiny suite.
pub(crate) const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// Examples of the tiny suite.
pub(crate) const EXAMPLES: usize = 12;

/// The key that providers of the tests ask for.
pub(crate) const KEY_VARIABLE: &str = "SCRIPTED_KEY";

/// A folder with suites and providers.
pub(crate) struct Project {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Writes a classification suite of twelve examples and two variants: `plain` asks in words,
    /// `schema` asks for native structured output. Both are answered by `toy/small`: a recording,
    /// or what `--provider toy=live` names.
    pub(crate) fn suite(self, name: &str) -> Self {
        let row = |id: String, thing: &str, place: usize| {
            let colour = COLOURS[place % 3];
            let tags = json!({"parity": if place.is_multiple_of(2) { "even" } else { "odd" }});
            json!({"id": id, "input": format!("{thing} number {place} looks {colour}"),
                   "expected": {"label": colour}, "tags": tags})
            .to_string()
                + "\n"
        };
        let examples: String = (1..=EXAMPLES).map(|place| row(format!("e{place:02}"), "the ball", place)).collect();
        let pool: String = (1..=6).map(|place| row(format!("p{place:02}"), "a box", place)).collect();
        let folder = format!("suites/{name}");
        self.file("providers/toy.toml", "kind = \"replay\"\n[models.small]\n")
            .file(&format!("{folder}/suite.toml"), &SUITE.replace("NAME", name))
            .file(&format!("{folder}/schema.json"), SCHEMA)
            .file(&format!("{folder}/examples.jsonl"), &examples)
            .file(&format!("{folder}/pool.jsonl"), &pool)
            .file(&format!("{folder}/prompts/v1.md.j2"), PROMPT)
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text.as_bytes());
        self
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Replaces a text that stands in a file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, text.replace(from, to).as_bytes());
    }

    /// A provider `live` at the server, without a key.
    pub(crate) fn live(self, server: &ScriptedServer) -> Self {
        let text = format!("kind = \"openai-chat\"\nbase_url = \"{}\"\n[models.small]\n", server.base_url());
        self.file("providers/live.toml", &text)
    }

    /// The same with a key, and the key in the environment.
    pub(crate) fn live_with_key(self, server: &ScriptedServer, key: &str) -> Self {
        let text = format!(
            "kind = \"openai-chat\"\nbase_url = \"{}\"\napi_key_env = \"{KEY_VARIABLE}\"\n[models.small]\n",
            server.base_url()
        );
        self.file("providers/live.toml", &text).env(KEY_VARIABLE, key)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Records the answers of a script: the suite then runs without `--provider`.
    pub(crate) fn recorded(self, script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        let server = ScriptedServer::start(script);
        let this = self.live(&server);
        let store = ["--store", "recording.db"];
        this.run(["run", "suites/tiny", "--provider", "toy=live"].into_iter().chain(store)).exits(0);
        this.run(["record", "last", "-o", "suites/tiny/recording.jsonl"].into_iter().chain(store)).exits(0);
        this
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Runs the program to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        Output::of(self.command(arguments).output().unwrap())
    }

    /// Runs the program to its end with these variables as well.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        Output::of(self.command(arguments).envs(variables.iter().copied()).output().unwrap())
    }

    /// Runs the program to its end in another folder.
    pub(crate) fn run_in<A: AsRef<OsStr>>(&self, folder: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
        Output::of(self.command(arguments).current_dir(folder).output().unwrap())
    }

    /// Runs the program to its end with this as its stdout.
    #[cfg(unix)]
    pub(crate) fn run_into<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        stdout: std::fs::File,
    ) -> Output {
        Output::of(self.command(arguments).stdout(stdout).stderr(Stdio::piped()).output().unwrap())
    }

    /// Runs the program to its end with this text on its stdin.
    pub(crate) fn run_reading<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>, input: &str) -> Output {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // A program that refuses its flags does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Output::of(child.wait_with_output().unwrap())
    }

    /// Starts the program, to be stopped or waited for.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The program with nothing of the tester's environment but the search path.
    fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceiling"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Every byte of the store.
    pub(crate) fn read_store(&self) -> Vec<u8> {
        std::fs::read(self.path(".ceiling/store.db")).unwrap()
    }

    /// Every byte of every file below the project, with its path.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn below(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, found);
                } else {
                    found.push((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        below(self.folder.path(), &mut found);
        found
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Output {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The exit code; -1 where a signal ended it.
    pub(crate) fn code(&self) -> i32 {
        self.code.unwrap_or(-1)
    }

    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Both, for what must stand in neither.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.said()))
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.said().contains(text), "no {text:?} in\n{}", self.said());
        self
    }
}

/// The colour that an input of the tiny suite names.
pub(crate) fn colour_of(request: &Value) -> &str {
    last_user(request).rsplit(' ').next().unwrap_or_default()
}

/// The right answer.
pub(crate) fn right(request: &Value) -> Answer {
    say(&json!({"label": colour_of(request)}).to_string())
}

/// Always right with a schema; without one, always red: right for four of the twelve.
pub(crate) fn schema_helps(request: &Value) -> Answer {
    if wants_schema(request) { right(request) } else { say("{\"label\":\"red\"}") }
}

const SUITE: &str = r#"[suite]
name = "NAME"
description = "Which colour a thing has"
task = "classification"

[data]
examples = "examples.jsonl"
pool = "pool.jsonl"

[output]
schema = "schema.json"

[score]
primary = "label"
[score.scorers.label]
kind = "exact"
at = "/label"

[prompts]
v1 = "prompts/v1.md.j2"

[[variants]]
name = "plain"
model = "toy/small"
prompt = "v1"

[[variants]]
name = "schema"
model = "toy/small"
prompt = "v1"
structured = "json-schema"

[targets]
accuracy = 0.9
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": { "label": { "enum": ["red", "green", "blue"] } },
  "required": ["label"],
  "additionalProperties": false
}
"#;

const PROMPT: &str = "--- system ---\nName the colour: {{ labels }}. Answer in JSON.\n--- user ---\n{{ input }}\n";
