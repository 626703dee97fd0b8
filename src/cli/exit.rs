//! The exit codes, documented once.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done. A verdict is output, not an exit code.
    Done,
    /// 1: a gate failed.
    GateFailed,
    /// 2: the user's input is wrong; nothing was done.
    WrongInput,
    /// 3: not enough evidence.
    NotEnoughEvidence,
    /// 4: the run could not finish: provider down, limit reached, store broken. It can go on.
    CouldNotFinish,
    /// 130: interrupted by Ctrl-C. It can go on.
    Interrupted,
}

impl Exit {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::GateFailed => 1,
            Self::WrongInput => 2,
            Self::NotEnoughEvidence => 3,
            Self::CouldNotFinish => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
