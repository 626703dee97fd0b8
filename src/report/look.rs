//! How text is drawn: so many columns, with colour or without. Escape codes are written here and nowhere
//! else; what they say also stands in the words and marks.

use crate::decide::{QuestionState, RungStatus, TriggerState};
use crate::measure::standing::Standing;

/// A terminal, or what stands in for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether escape codes are wanted.
    pub colour: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// What the eye should find.
    Strong,
    /// The best of all.
    Best,
    /// Met, better, as good as the best.
    Good,
    /// Missed, worse, failed.
    Bad,
    /// Not shown.
    Unsure,
    /// What to do now.
    Next,
    /// Of no concern yet.
    Dim,
}

impl Look {
    /// Text without escape codes.
    pub fn plain(width: usize) -> Self {
        Self { width, colour: false }
    }

    /// The text in its colour. Columns are counted before.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Best => "1;32",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Unsure => "33",
            Tone::Next => "1;36",
            Tone::Dim => "2",
        };
        if !self.colour || code.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Each line in its colour.
    pub fn paint_lines(self, tone: Tone, lines: &str) -> String {
        lines.lines().map(|line| self.paint(tone, line) + "\n").collect()
    }

    /// The text with the first of this word in its colour.
    pub fn paint_first(self, tone: Tone, word: &str, text: String) -> String {
        match text.split_once(word).filter(|_| self.colour) {
            Some((before, after)) => format!("{before}{}{after}", self.paint(tone, word)),
            None => text,
        }
    }

    /// The text with the last of this word in its colour.
    pub fn paint_last(self, tone: Tone, word: &str, text: String) -> String {
        match text.rsplit_once(word).filter(|_| self.colour) {
            Some((before, after)) => format!("{before}{}{after}", self.paint(tone, word)),
            None => text,
        }
    }
}

impl From<Option<Standing>> for Tone {
    fn from(standing: Option<Standing>) -> Self {
        match standing {
            Some(Standing::Best) => Self::Best,
            Some(Standing::Tied) => Self::Good,
            Some(Standing::Behind) | None => Self::Plain,
        }
    }
}

impl From<QuestionState> for Tone {
    fn from(state: QuestionState) -> Self {
        match state {
            QuestionState::Done => Self::Plain,
            QuestionState::Next => Self::Next,
            QuestionState::Skipped | QuestionState::Waiting => Self::Dim,
        }
    }
}

impl From<TriggerState> for Tone {
    fn from(state: TriggerState) -> Self {
        match state {
            TriggerState::Fired | TriggerState::Open => Self::Bad,
            TriggerState::Clear => Self::Good,
            TriggerState::Unknown => Self::Unsure,
            TriggerState::Na => Self::Dim,
        }
    }
}

impl From<RungStatus> for Tone {
    fn from(status: RungStatus) -> Self {
        match status {
            RungStatus::Pass | RungStatus::Better => Self::Good,
            RungStatus::Fail => Self::Bad,
            RungStatus::Unknown => Self::Unsure,
            RungStatus::Untried | RungStatus::Na => Self::Dim,
        }
    }
}
