//! What the requests of a variant have in common, written once: each of them is that with its own texts.
//!
//! A body is the same for all examples but for what its messages say, and that stands in it as JSON texts.
//! So one request is encoded whole, with a mark in place of each text, and cut at the marks.

use super::{Encoded, HttpRequest, Route, Wire};
use crate::digest::Digest;
use crate::exchange::{Message, Request};
use crate::provider::Target;

/// The requests of one shape: so many messages of these roles, all else alike.
#[derive(Debug)]
pub struct Mould {
    route: Route,
    body: Pieces,
    asked: Pieces,
}

/// A text cut at its marks: a piece, and the message that stands behind it.
#[derive(Debug)]
struct Pieces {
    before: Vec<(Vec<u8>, usize)>,
    last: Vec<u8>,
}

impl Mould {
    /// The mould that this request comes from; `None` where it would not come out of it as the wire makes it.
    pub fn of(wire: &dyn Wire, request: &Request, target: &Target) -> Option<Self> {
        let marked = |(place, message): (usize, &Message)| Message { role: message.role, content: mark(place) };
        let messages: Vec<Message> = request.messages.iter().enumerate().map(marked).collect();
        let count = messages.len();
        let Encoded { route, body, asked } = wire.encode_body(&Request { messages, ..request.clone() }, target);
        let mould = Self { route, body: Pieces::of(&body, count)?, asked: Pieces::of(&asked, count)? };
        (mould.cast(&request.messages) == wire.encode(request, target)).then_some(mould)
    }

    /// Whether messages may come from a mould: some wires leave out one that says nothing.
    pub fn takes(messages: &[Message]) -> bool {
        messages.iter().all(|message| !message.content.is_empty())
    }

    /// A request with these messages.
    pub fn cast(&self, messages: &[Message]) -> HttpRequest {
        let mut texts = Vec::with_capacity(1024);
        let ends: Vec<usize> = messages
            .iter()
            .map(|message| {
                // Writing to a vector cannot fail.
                let _ = serde_json::to_writer(&mut texts, &message.content);
                texts.len()
            })
            .collect();
        // Without its quotation marks, which are the mould's.
        let text = |place: usize| {
            let from = place.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |end| *end);
            ends.get(place).and_then(|end| texts.get(from + 1..end.checked_sub(1)?)).unwrap_or_default()
        };
        let body = self.body.fill(&text, texts.len());
        HttpRequest {
            route: self.route.clone(),
            body: body.into(),
            digest: Digest::of(&self.asked.fill(&text, texts.len())),
        }
    }
}

/// What stands for a message: nothing in it is escaped in JSON, and no request says it.
fn mark(place: usize) -> String {
    format!("{MARK}{place};")
}

/// The SHA-256 of "what a message says".
const MARK: &str = "894cf24e93f64747888361c49d7ca11862752a82fe1c0d8ebb2a79bd47399eef-";

impl Pieces {
    /// `None` where a mark is of no message.
    fn of(whole: &[u8], messages: usize) -> Option<Self> {
        let finder = memchr::memmem::Finder::new(MARK);
        let (mut before, mut rest) = (Vec::new(), whole);
        while let Some(at) = finder.find(rest) {
            let (piece, behind) = (rest.get(..at)?, rest.get(at + MARK.len()..)?);
            let end = memchr::memchr(b';', behind)?;
            let place: usize = std::str::from_utf8(behind.get(..end)?).ok()?.parse().ok()?;
            before.push((piece.to_vec(), Some(place).filter(|place| *place < messages)?));
            rest = behind.get(end + 1..)?;
        }
        Some(Self { before, last: rest.to_vec() })
    }

    fn fill<'a>(&self, text: &impl Fn(usize) -> &'a [u8], texts_bytes: usize) -> Vec<u8> {
        let fixed: usize = self.before.iter().map(|(piece, _)| piece.len()).sum();
        let mut whole = Vec::with_capacity(fixed + self.last.len() + texts_bytes);
        for (piece, place) in &self.before {
            whole.extend_from_slice(piece);
            whole.extend_from_slice(text(*place));
        }
        whole.extend_from_slice(&self.last);
        whole
    }
}

#[cfg(test)]
mod tests;
