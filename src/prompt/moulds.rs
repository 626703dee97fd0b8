//! The moulds of a variant's requests, by their shape.

use std::sync::{Arc, Mutex, PoisonError};

use super::Conversation;
use crate::exchange::Role;
use crate::wire::mould::Mould;

/// Shapes that are kept; where shots vary from example to example, a variant has a few.
const MOST: usize = 16;

/// What a body depends on besides its texts, within a variant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    roles: Vec<Role>,
    stable_messages: usize,
    stream: bool,
}

impl Shape {
    pub(super) fn of(conversation: &Conversation, stream: bool) -> Self {
        let roles = conversation.messages.iter().map(|message| message.role).collect();
        Self { roles, stable_messages: conversation.stable_messages, stream }
    }
}

/// What is known of a shape.
pub(super) enum Known {
    /// Its requests come from this.
    Mould(Arc<Mould>),
    /// Its requests are made one by one.
    None,
    /// Nothing yet.
    New,
}

/// The moulds that were made so far.
#[derive(Debug, Default)]
pub(super) struct Moulds(Mutex<Vec<(Shape, Option<Arc<Mould>>)>>);

impl Moulds {
    pub(super) fn get(&self, shape: &Shape) -> Known {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.iter().find(|(other, _)| other == shape) {
            Some((_, Some(mould))) => Known::Mould(Arc::clone(mould)),
            Some((_, None)) => Known::None,
            None if known.len() >= MOST => Known::None,
            None => Known::New,
        }
    }

    pub(super) fn keep(&self, shape: Shape, mould: Option<Mould>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((shape, mould.map(Arc::new)));
    }
}
