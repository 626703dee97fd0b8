//! Every module's error under one roof, with its exit code and a hint.

use crate::calc::CalcError;
use crate::cli::exit::Exit;
use crate::diagnostic::Diagnostics;
use crate::prompt::PromptError;
use crate::replay::RecordingError;
use crate::run::RunError;
use crate::run::assist::AssistError;
use crate::run::embed::EmbedError;
use crate::run::http::TransportError;
use crate::run::tuning::TuningError;
use crate::score::ScorerError;
use crate::store::StoreError;

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's files or flags are wrong: every fault, with its place.
    #[error("{} faults", .0.errors())]
    Input(Diagnostics),
    /// The user's input is wrong, in one sentence, with a hint.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A scorer.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// A scoring process.
    #[error(transparent)]
    Assist(#[from] AssistError),
    /// HTTP cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The calculator's input.
    #[error(transparent)]
    Calc(#[from] CalcError),
    /// Vectors that could not be bought.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A fine-tuning job at a provider.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// The world: files, sockets.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl Error {
    /// A fault of the user's input with a hint.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// The exit code (DESIGN.md 5).
    pub fn exit(&self) -> Exit {
        match self {
            Self::Input(_)
            | Self::Usage { .. }
            | Self::Prompt(_)
            | Self::Scorer(_)
            | Self::Recording(_)
            | Self::Calc(_) => Exit::WrongInput,
            Self::Transport(TransportError::Header(_)) => Exit::WrongInput,
            Self::Store(
                StoreError::Missing(_)
                | StoreError::NoRun(_)
                | StoreError::Foreign(_)
                | StoreError::Newer { .. }
                | StoreError::Disagree { .. }
                | StoreError::Claimed(_)
                | StoreError::Busy(_),
            ) => Exit::WrongInput,
            Self::Run(RunError::Input(_)) | Self::Embed(EmbedError::Run(RunError::Input(_))) | Self::Assist(_) => {
                Exit::WrongInput
            }
            Self::Embed(EmbedError::Interrupted(_)) => Exit::Interrupted,
            Self::Store(_)
            | Self::Transport(_)
            | Self::Run(_)
            | Self::Embed(_)
            | Self::Tuning(_)
            | Self::System { .. } => Exit::CouldNotFinish,
        }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::Calc(error) => error.hint(),
            Self::Store(StoreError::Missing(_)) => {
                Some("`ceiling run SUITE` makes one; --store PATH names another".into())
            }
            Self::Store(StoreError::NoRun(_)) => Some("`ceiling runs` lists them; `last` is the newest".into()),
            Self::Store(StoreError::Newer { .. }) => {
                Some("use the version of ceiling that wrote it, or another --store".into())
            }
            Self::Store(StoreError::Disagree { .. }) => Some(
                "nothing was joined: name the stores of one split, and another --store if it has this run already"
                    .into(),
            ),
            Self::Store(StoreError::Claimed(_)) => Some(
                "wait until it is done: its answers then serve this command too; --store PATH asks anew beside it"
                    .into(),
            ),
            Self::Store(StoreError::Busy(_)) => {
                Some("wait until it is done: it may be using answers of other runs, and is writing its own".into())
            }
            Self::Store(StoreError::Foreign(_)) => Some("name another file with --store".into()),
            Self::Run(RunError::Store(_)) => {
                Some("what was shown as done is kept; run the same command again to go on".into())
            }
            Self::Embed(error) if !matches!(error, EmbedError::Run(_)) => {
                Some("the vectors that came are kept; run the same command again to go on".into())
            }
            Self::Tuning(error) => Some(error.hint()),
            Self::Assist(_) => Some(
                "a `command` scorer reads one JSON object a line and writes {\"score\": 0..1} a line, in order".into(),
            ),
            _ => None,
        }
    }
}

impl From<Diagnostics> for Error {
    fn from(faults: Diagnostics) -> Self {
        Self::Input(faults)
    }
}
