//! The door to the user's scoring processes: questions in as JSON lines, replies out as JSON lines.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, Command};

/// A scoring process that is silent for this long is not working.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// Of what it writes to its error output, this much is kept.
const KEPT_COMPLAINTS: usize = 4096;

/// How long the rest of its error output is waited for after it was stopped: a child of its own may hold it open.
const COMPLAINTS_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a scoring process gave no replies.
#[derive(Debug, thiserror::Error)]
pub enum AssistError {
    /// It cannot be started.
    #[error("failed to start the scorer `{program}`: {error}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It ended, or its output was closed, before every question had a reply.
    #[error("the scorer `{program}` ended after {replies} of {questions} replies{said}")]
    Ended {
        /// The program.
        program: String,
        /// Replies that came.
        replies: usize,
        /// Questions asked.
        questions: usize,
        /// What it wrote to its error output.
        said: String,
    },
    /// A reply is not what the protocol says.
    #[error("the scorer `{program}`, reply {number}: {message}")]
    Reply {
        /// The program.
        program: String,
        /// Which reply, from 1.
        number: usize,
        /// What is wrong.
        message: String,
    },
    /// It said nothing.
    #[error("the scorer `{program}` gave no reply within {} s", REPLY_TIMEOUT.as_secs())]
    Silent {
        /// The program.
        program: String,
    },
}

/// Starts the process in the suite's folder and asks every question; one reply a question, in order.
///
/// # Errors
/// The process cannot be started, ends early, is silent, or replies with something else.
pub async fn ask_process(argv: &[String], folder: &Path, questions: &[Value]) -> Result<Vec<Value>, AssistError> {
    let program = argv.first().cloned().unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "this is the door for child processes")]
    let mut child = Command::new(&program)
        .args(argv.iter().skip(1))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| AssistError::Start { program: program.clone(), error })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writing = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // A process that closes its input early is noticed by its missing replies.
            let _ = stdin.write_all(lines.as_bytes()).await;
        }
    });
    let said = Arc::new(Mutex::new(Vec::new()));
    let complaints = tokio::spawn(read_complaints(stderr, Arc::clone(&said)));
    let mut replies = Vec::with_capacity(questions.len());
    if let Some(stdout) = stdout {
        let mut lines = BufReader::new(stdout).lines();
        while replies.len() < questions.len() {
            let line = tokio::time::timeout(REPLY_TIMEOUT, lines.next_line())
                .await
                .map_err(|_| AssistError::Silent { program: program.clone() })?;
            let Ok(Some(line)) = line else { break };
            let fault =
                |message: String| AssistError::Reply { program: program.clone(), number: replies.len() + 1, message };
            let reply: Value = serde_json::from_str(&line).map_err(|error| fault(format!("not JSON: {error}")))?;
            if reply.get("score").is_none() && reply.get("error").is_none() {
                return Err(fault("has neither `score` nor `error`".into()));
            }
            replies.push(reply);
        }
    }
    writing.abort();
    if replies.len() < questions.len() {
        let _ = child.start_kill();
        let _ = tokio::time::timeout(COMPLAINTS_TIMEOUT, complaints).await;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = crate::text::one_line(&String::from_utf8_lossy(&said), 300);
        let said = if said.is_empty() { said } else { format!("; it said: {said}") };
        return Err(AssistError::Ended { program, replies: replies.len(), questions: questions.len(), said });
    }
    Ok(replies)
}

/// Keeps the start of the error output and reads on to its end: a pipe that nobody reads stops the process.
async fn read_complaints(stderr: Option<ChildStderr>, said: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = vec![0; KEPT_COMPLAINTS];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_COMPLAINTS.saturating_sub(said.len());
        said.extend(buffer.iter().take(count.min(room)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(script: &str) -> Result<Vec<Value>, AssistError> {
        let argv = ["sh", "-c", script].map(String::from);
        ask_process(&argv, Path::new("."), &[Value::from(1), Value::from(2)]).await
    }

    #[tokio::test]
    async fn a_talkative_process_is_heard_to_its_end() {
        let script = r#"head -c 300000 /dev/zero >&2; while read -r _; do echo '{"score": 1}'; done"#;
        assert_eq!(ask(script).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_process_that_ends_early_is_not_waited_for_by_its_children() {
        // The sleeper holds the error output open.
        let asked = ask("echo no model >&2; sleep 20 >/dev/null & exit 1");
        let error = tokio::time::timeout(Duration::from_secs(15), asked).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("ended after 0 of 2 replies; it said: no model"), "{error}");
    }
}
