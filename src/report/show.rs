//! One example of a run as a person reads it: what was asked, what is right, and for each trial what came back,
//! what is wrong with it, and what it took.

mod figures;

use crate::exchange::Outcome;
use crate::measure::grade::GradedTrial;
use crate::score::Grade;
use crate::score::answer::{Answer, Validity};
use crate::suite::Example;
use crate::text::{one_line, printable};
use crate::trial::{Exchange, Received};
use crate::wire::conversation::Message;

use super::prose::{block, columns, cut, pretty, score, value_text};

/// Characters of a text that are shown; `--raw` shows all.
const MOST_SHOWN: usize = 4_000;

/// The same of instructions, which every example of the variant shares.
const MOST_INSTRUCTIONS: usize = 600;

/// Columns before a value.
const INDENT: usize = 12;

/// What a reader wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The whole conversation, and what else the request says.
    pub request: bool,
    /// Both bodies, whole.
    pub raw: bool,
    /// Columns.
    pub width: usize,
}

/// A trial with what is known of it.
#[derive(Debug)]
pub struct ShownTrial<'a> {
    /// The variant's name.
    pub variant: &'a str,
    /// Which repeat, from 0, of how many.
    pub repeat: (u32, u32),
    /// What was measured.
    pub exchange: &'a Exchange,
    /// Whether the answer came from the store.
    pub reused: bool,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// The answer as the suite parses it.
    pub answer: Option<&'a Answer>,
    /// Its scores.
    pub graded: &'a GradedTrial,
    /// The scorers' ids, the primary one first.
    pub scorers: Vec<&'a str>,
    /// The documents that were retrieved for it.
    pub documents: Option<String>,
    /// The request as a conversation, where it is one.
    pub messages: Option<Vec<Message>>,
}

/// What the trials have in common.
pub fn heading(run: &str, example: &Example, width: usize) -> String {
    let tags = example.tags.iter().map(|(tag, value)| format!("{tag} {value}"));
    let about: Vec<String> = example.cluster.iter().map(|cluster| format!("cluster {cluster}")).chain(tags).collect();
    let about = about.iter().map(|one| format!(" · {}", one_line(one, 100))).collect::<String>();
    let mut text = format!("{} · {}{about}\n", one_line(run, 200), one_line(&example.id.0, 200));
    for (name, value) in [("Input", &example.input), ("Expected", &example.expected)] {
        text.push_str(&format!("\n{name}\n{}", block(&value_text(value), 2, width)));
    }
    text
}

impl ShownTrial<'_> {
    /// The trial as text; `input` is what the heading has shown already.
    pub fn text(&self, input: &str, wanted: Wanted) -> String {
        let repeat = match self.repeat {
            (_, 0 | 1) => String::new(),
            (repeat, of) => format!(" · repeat {} of {of}", repeat + 1),
        };
        let mut text = format!(
            "\n{}{repeat} · {} · {}\n",
            one_line(self.variant, 200),
            self.in_words(),
            one_line(&self.exchange.endpoint, 200)
        );
        let mut line = |name: &str, value: &str| {
            let lines = block(value, INDENT, wanted.width);
            text.push_str(&format!("  {name:<width$}{}", lines.trim_start(), width = INDENT - 2));
        };
        if let Some(failure) = self.outcome.failure() {
            line("failure", &format!("{} ({})", one_line(&failure.message, 600), failure.kind.as_str()));
        }
        if let Some(answer) = self.answer_text(wanted) {
            line("answer", &answer);
        }
        if self.answer.is_some() {
            line("valid", self.validity());
        }
        if let Some(scores) = self.scores() {
            line("scores", &scores);
        }
        if let Some(documents) = &self.documents {
            line("documents", &one_line(documents, 2000));
        }
        line("time", &self.time());
        line("tokens", &self.tokens());
        line("cost", &self.cost());
        for attempt in &self.exchange.attempts {
            line("tried", &figures::attempt(attempt));
        }
        text.push_str(&self.asked(input, wanted));
        if wanted.raw {
            text.push_str(&self.bodies(wanted.width));
        }
        text
    }

    /// Right or wrong, and how it ended where that is not an answer.
    fn in_words(&self) -> String {
        let verdict = match self.graded.scores.first() {
            _ if self.graded.counts_as_missing => "missing, which is no wrong answer".to_owned(),
            Some(Grade::Scored(of)) if *of >= 1.0 => "right".to_owned(),
            Some(Grade::Scored(of)) if *of <= 0.0 => "wrong".to_owned(),
            Some(Grade::Scored(of)) => format!("partly right ({})", score(*of)),
            Some(Grade::Unscored(_)) | None => "not scored".to_owned(),
        };
        match self.outcome {
            Outcome::Answered(_) => verdict,
            Outcome::Refused(_) => format!("refused: {verdict}"),
            Outcome::Truncated(_) => format!("cut off at the token limit: {verdict}"),
            Outcome::Failed(_) => format!("failed: {verdict}"),
        }
    }

    /// The answer, with what is wrong where it is wrong.
    fn answer_text(&self, wanted: Wanted) -> Option<String> {
        let completion = self.outcome.completion()?;
        let most = if wanted.raw { usize::MAX } else { MOST_SHOWN };
        let (shown, left) = cut(&completion.text, most);
        let width = columns(wanted.width).saturating_sub(INDENT);
        let mut text = match self.answer {
            Some(Answer { value: Some(value), validity }) if left == 0 && !value.is_string() => {
                self.json_text(&completion.text, value, validity, width)
            }
            Some(Answer { validity: Validity::NotJson { offset, message }, .. }) => {
                marked_text(shown, *offset, &one_line(message, 300), width)
            }
            _ => if_empty(shown),
        };
        if left > 0 {
            text.push_str(&format!("\n… {left} more characters (--raw shows all)"));
        }
        match self.answer.map(|answer| &answer.validity) {
            Some(Validity::Invalid(violation)) if !text.contains('←') => {
                text.push_str(&format!("\n← {}: {}", at(&violation.path), one_line(&violation.message, 300)));
            }
            _ => {}
        }
        if !completion.reasoning.is_empty() {
            let (shown, left) = cut(&completion.reasoning, if wanted.request { most } else { 0 });
            let more =
                if left > 0 { format!("({left} characters of reasoning; --request shows it)") } else { String::new() };
            text.push_str(&format!("\nreasoning: {shown}{more}"));
        }
        Some(text)
    }

    fn validity(&self) -> &'static str {
        match (self.graded.valid_strict, self.graded.valid_lenient) {
            (true, _) => "yes",
            (false, true) => "no, but leniently read it would be",
            (false, false) => "no",
        }
    }

    /// A parsed answer: as JSON where the text is nothing else, else both.
    fn json_text(&self, whole: &str, value: &serde_json::Value, validity: &Validity, width: usize) -> String {
        let message = match validity {
            Validity::Invalid(violation) => Some((violation.path.as_str(), one_line(&violation.message, 300))),
            _ => None,
        };
        let fault = message.as_ref().map(|(path, message)| (*path, message.as_str()));
        let read = pretty(value, fault, width);
        match serde_json::from_str::<serde_json::Value>(whole.trim()) {
            Ok(own) if own == *value => read,
            _ => format!("{whole}\nread as\n{read}"),
        }
    }

    /// What was said to the model.
    fn asked(&self, input: &str, wanted: Wanted) -> String {
        let Some(messages) = &self.messages else {
            let body: serde_json::Value = serde_json::from_slice(&self.exchange.request_body).unwrap_or_default();
            return format!("  asked\n{}", block(&pretty(&body, None, 80), 4, wanted.width));
        };
        let whole = wanted.request || wanted.raw;
        let mut text = String::from("  asked\n");
        let first =
            messages.iter().take_while(|message| !matches!(message.role.as_str(), "user" | "assistant")).count();
        let last = messages.len().saturating_sub(1);
        if last > first && !whole {
            let turns = last - first;
            for message in &messages[..first] {
                text.push_str(&turn(message, input, wanted));
            }
            let shots = if turns == 2 { "1 shot".to_owned() } else { format!("{} shots", turns.div_ceil(2)) };
            text.push_str(&format!("    … {shots} ({turns} messages; --request shows them)\n"));
            text.push_str(&turn(&messages[last], input, wanted));
        } else {
            messages.iter().for_each(|message| text.push_str(&turn(message, input, wanted)));
        }
        if whole {
            text.push_str(&self.settings(wanted.width));
        }
        text
    }

    /// What the request says beside the conversation.
    fn settings(&self, width: usize) -> String {
        const SAID: [&str; 8] = [
            "messages",
            "input",
            "instructions",
            "contents",
            "system",
            "systemInstruction",
            "stream",
            "stream_options",
        ];
        let body = serde_json::from_slice::<serde_json::Map<_, _>>(&self.exchange.request_body).unwrap_or_default();
        let rest = body.into_iter().filter(|(key, _)| !SAID.contains(&key.as_str()));
        let rest = serde_json::Value::Object(rest.collect());
        format!("    with\n{}", block(&pretty(&rest, None, columns(width).saturating_sub(6)), 6, width))
    }

    /// Both bodies, byte for byte but for control sequences.
    fn bodies(&self, width: usize) -> String {
        let (Received::Answer { body, .. } | Received::Broken { body, .. }) = &self.exchange.received;
        let request: serde_json::Value = serde_json::from_slice(&self.exchange.request_body).unwrap_or_default();
        format!(
            "  request\n{}  raw\n{}\n",
            block(&pretty(&request, None, columns(width).saturating_sub(4)), 4, usize::MAX),
            printable(&String::from_utf8_lossy(body))
        )
    }
}

fn at(path: &str) -> &str {
    if path.is_empty() { "the whole answer" } else { path }
}

fn if_empty(text: &str) -> String {
    if text.trim().is_empty() { "(empty)".to_owned() } else { text.to_owned() }
}

/// A text that is no JSON, with a mark below the line at which it stops being any.
fn marked_text(text: &str, offset: usize, message: &str, width: usize) -> String {
    let mut marked = String::new();
    let mut start = 0;
    let mut said = false;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        marked.push_str(line.trim_end_matches(['\n', '\r']));
        marked.push('\n');
        if !said && (offset < end || end == text.len()) {
            let before = text.get(start..offset.clamp(start, end)).unwrap_or_default().chars().count();
            // Below a line that is wrapped, no mark can stand under its character.
            let (blanks, place) = match line.trim_end().chars().count() <= width && before + 12 <= width {
                true => (" ".repeat(before), String::new()),
                false => (String::new(), format!("at character {} of this line: ", before + 1)),
            };
            marked.push_str(&format!("{blanks}^ {place}not JSON: {message}\n"));
            said = true;
        }
        start = end;
    }
    if !said {
        marked.push_str(&format!("(empty)\n^ not JSON: {message}\n"));
    }
    marked.truncate(marked.trim_end().len());
    marked
}

fn turn(message: &Message, input: &str, wanted: Wanted) -> String {
    let role = one_line(&message.role, 40);
    if message.text == input && !wanted.raw {
        return format!("    {role}\n      (the input)\n");
    }
    let most = match message.role.as_str() {
        _ if wanted.request || wanted.raw => usize::MAX,
        "user" | "assistant" => MOST_SHOWN,
        _ => MOST_INSTRUCTIONS,
    };
    let (shown, left) = cut(&message.text, most);
    let more =
        if left > 0 { format!("      … {left} more characters (--request shows all)\n") } else { String::new() };
    format!("    {role}\n{}{more}", block(&if_empty(shown), 6, wanted.width))
}

#[cfg(test)]
mod tests;
