//! The door to the user's scoring processes: questions in as JSON lines, replies out as JSON lines.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// A scoring process that is silent for this long is not working.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

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
    let complaints = tokio::spawn(async move {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            let mut stderr = tokio::io::AsyncReadExt::take(stderr, 4096);
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut stderr, &mut said).await;
        }
        crate::text::one_line(&String::from_utf8_lossy(&said), 300)
    });
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
        let said = complaints.await.unwrap_or_default();
        let said = if said.is_empty() { said } else { format!("; it said: {said}") };
        return Err(AssistError::Ended { program, replies: replies.len(), questions: questions.len(), said });
    }
    Ok(replies)
}
