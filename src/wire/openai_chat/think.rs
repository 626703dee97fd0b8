//! Reasoning that a model writes into its answer between `<think>` and `</think>`.
//!
//! A server with a reasoning parser sends it apart; others pass it on as it was written. Templates
//! that open the tag themselves (DeepSeek-R1 since 2025-02, deepseek-ai/DeepSeek-R1 issue 526, and
//! vllm-project/vllm issue 13125) leave an answer with the closing tag alone: all before it is
//! reasoning then too. That is known only once the tag comes, so the first visible event is
//! settled at the end of the stream.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Where in the answer the last piece ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// White space or a beginning of the opening tag: not settled yet.
    #[default]
    Undecided,
    /// Between the tags.
    Thinking,
    /// Behind the closing tag, before the answer's first character.
    Closed,
    /// In the answer; a closing tag may still make reasoning of all before it.
    Plain,
    /// In the answer behind the closing tag.
    Answer,
}

/// An answer's content, pushed in as it comes; the same at any split of the text.
#[derive(Debug, Default)]
pub(super) struct Content {
    state: State,
    text: String,
    /// Bytes of white space with which the text begins, as far as it is undecided.
    blank: usize,
    reasoning: String,
    /// Event of the first non-empty piece.
    began: Option<usize>,
    /// Event of the first visible text.
    visible: Option<usize>,
}

impl Content {
    /// Takes the next piece, which came in this event.
    pub(super) fn push(&mut self, piece: &str, event: usize) {
        if piece.is_empty() {
            return;
        }
        self.began.get_or_insert(event);
        match self.state {
            State::Undecided => {
                self.text.push_str(piece);
                self.decide(event);
            }
            State::Thinking => {
                let before = self.reasoning.len();
                self.reasoning.push_str(piece);
                self.close_thinking(before, event);
            }
            State::Closed => self.answer(piece, event),
            State::Plain => {
                let before = self.text.len();
                self.text.push_str(piece);
                self.close_plain(before, event);
            }
            State::Answer => self.text.push_str(piece),
        }
    }

    /// Takes a piece of the answer whose reasoning came apart: tags in it are its own.
    pub(super) fn push_answer(&mut self, piece: &str, event: usize) {
        if matches!(self.state, State::Undecided) {
            self.state = State::Answer;
            self.visible = self.began;
        }
        if self.state == State::Answer && !piece.is_empty() {
            self.visible.get_or_insert(event);
        }
        self.push(piece, event);
    }

    /// Event of the first visible text, as far as it is settled.
    pub(super) fn visible(&self) -> Option<usize> {
        self.visible
    }

    /// Text, reasoning, and the event of the first visible text.
    pub(super) fn finish(self) -> (String, String, Option<usize>) {
        let visible = if self.state == State::Undecided { self.began } else { self.visible };
        let reasoning = self.reasoning.trim();
        (self.text, reasoning.to_owned(), visible)
    }

    fn decide(&mut self, event: usize) {
        // A model may write nothing but white space for long: what was looked at is not looked at again.
        let start = self.text[self.blank..].trim_start();
        self.blank = self.text.len() - start.len();
        if let Some(rest) = start.strip_prefix(OPEN) {
            self.reasoning = rest.to_owned();
            self.text.clear();
            self.state = State::Thinking;
            self.close_thinking(0, event);
        } else if !OPEN.starts_with(start) {
            self.state = State::Plain;
            self.visible = self.began;
            self.close_plain(0, event);
        }
    }

    /// Looks for the closing tag in what came last, and in what may be the tag's beginning.
    fn close_thinking(&mut self, before: usize, event: usize) {
        if let Some(at) = find(&self.reasoning, before) {
            let rest = self.reasoning.split_off(at);
            self.state = State::Closed;
            self.answer(&rest[CLOSE.len()..], event);
        }
    }

    fn close_plain(&mut self, before: usize, event: usize) {
        let Some(at) = find(&self.text, before) else { return };
        if self.text[..at].contains(OPEN) {
            // The answer speaks of the tags.
            self.state = State::Answer;
            return;
        }
        let rest = self.text.split_off(at);
        self.reasoning = std::mem::take(&mut self.text);
        self.visible = None;
        self.state = State::Closed;
        self.answer(&rest[CLOSE.len()..], event);
    }

    fn answer(&mut self, piece: &str, event: usize) {
        let start = piece.trim_start();
        if !start.is_empty() {
            self.text.push_str(start);
            self.visible = Some(event);
            self.state = State::Answer;
        }
    }
}

/// Where the closing tag stands, if its end lies behind `before`.
fn find(text: &str, before: usize) -> Option<usize> {
    let mut from = before.saturating_sub(CLOSE.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    text[from..].find(CLOSE).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text, reasoning and first visible event of pieces that came one an event.
    fn read(pieces: &[&str]) -> (String, String, Option<usize>) {
        let mut content = Content::default();
        for (event, piece) in pieces.iter().enumerate() {
            content.push(piece, event);
        }
        content.finish()
    }

    fn owned(text: &str, reasoning: &str, visible: Option<usize>) -> (String, String, Option<usize>) {
        (text.into(), reasoning.into(), visible)
    }

    #[test]
    fn reasoning_between_tags_is_kept_apart() {
        assert_eq!(read(&["<think>\nfirst\n</think>\n\nyes"]), owned("yes", "first", Some(0)));
        assert_eq!(read(&["\n<th", "ink>a", "</thi", "nk>", "\n", "yes", "!"]), owned("yes!", "a", Some(5)));
        assert_eq!(read(&["<think></think>yes"]), owned("yes", "", Some(0)));
    }

    #[test]
    fn a_closing_tag_alone_ends_reasoning_too() {
        assert_eq!(read(&["So ", "it is", "</think>", "\n\n", "yes"]), owned("yes", "So it is", Some(4)));
    }

    #[test]
    fn an_answer_that_was_cut_in_its_reasoning_has_no_text() {
        assert_eq!(read(&["<think>", "endless"]), owned("", "endless", None));
    }

    #[test]
    fn an_answer_without_tags_stays_as_it_is() {
        assert_eq!(read(&["\n", " yes ", "<b>"]), owned("\n yes <b>", "", Some(0)));
        assert_eq!(read(&["<th", "is>"]), owned("<this>", "", Some(0)));
        assert_eq!(read(&[" ", "<thi"]), owned(" <thi", "", Some(0)));
        assert_eq!(read(&["Use <think>a</think> here"]), owned("Use <think>a</think> here", "", Some(0)));
        assert_eq!(read(&[]), owned("", "", None));
    }

    #[test]
    fn endless_white_space_takes_no_endless_time() {
        let mut content = Content::default();
        (0..500_000).for_each(|event| content.push(" ", event));
        content.push("<think>a</think>b", 500_000);
        assert_eq!(content.finish(), owned("b", "a", Some(500_000)));
    }

    #[test]
    fn tags_are_text_where_reasoning_came_apart() {
        let mut content = Content::default();
        content.push_answer("a</think>b", 3);
        assert_eq!(content.finish(), owned("a</think>b", "", Some(3)));
    }

    const ANSWERS: &[&str] = &[
        "<think>äöü 1 < 2</think>\n\nja",
        " \n<think>\n</think>ja",
        "thought </think> ja </think>",
        "plain </thin answer ä",
        "<thi",
        "x <think>y</think> z",
    ];

    proptest! {
        #[test]
        fn any_split_says_the_same(which in 0..ANSWERS.len(), cuts in prop::collection::vec(0.0..1.0_f64, 0..6)) {
            let whole = ANSWERS[which];
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * whole.len() as f64) as usize).collect();
            cuts.retain(|cut| whole.is_char_boundary(*cut));
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
            let (text, reasoning, visible) = read(&pieces);
            let (all, thought, _) = read(&[whole]);
            prop_assert_eq!((&text, &reasoning), (&all, &thought));
            if let Some(event) = visible {
                prop_assert!(!pieces[event].is_empty());
            }
        }
    }
}
