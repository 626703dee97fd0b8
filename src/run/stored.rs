//! Prompt prefixes that lie at the service while a run lasts (Gemini's `cachedContents`): stored
//! before the first request that leans on them, kept alive, deleted at the end.
//!
//! Their names are no part of what is asked: a request's digest and its stored body are those of
//! the whole request, and what has gone is asked whole. Source: PROVIDERS.md 5 and
//! ai.google.dev/api/caching (`cachedContents` create, patch, delete).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::http::HttpTransport;
use crate::exchange::{CacheLifetime, Failure};
use crate::prompt::Prepared;
use crate::suite::Example;
use crate::wire::gemini::cached::{self, CachedContent};

/// What a variant stores, and where.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Index of the endpoint.
    pub endpoint: usize,
    /// How long it lives without being renewed.
    pub lifetime: CacheLifetime,
}

/// How a variant's prefix stands.
#[derive(Debug, Default)]
enum Slot {
    /// Not asked for yet.
    #[default]
    Untried,
    /// It is there, and this task renews it.
    Stored(CachedContent, JoinHandle<()>),
    /// The service does not store it: the variant goes on without.
    Refused(String),
}

/// The prefixes of a run, one place a variant.
#[derive(Debug)]
pub struct StoredPrefixes {
    transport: Arc<HttpTransport>,
    runtime: Handle,
    wanted: Vec<Option<Wanted>>,
    slots: Vec<Arc<Mutex<Slot>>>,
}

impl StoredPrefixes {
    /// Places for these variants; nothing is sent yet. To be called within the runtime.
    pub fn new(transport: Arc<HttpTransport>, wanted: Vec<Option<Wanted>>) -> Self {
        let slots = wanted.iter().map(|_| Arc::default()).collect();
        Self { transport, runtime: Handle::current(), wanted, slots }
    }

    /// The name of a variant's stored prefix, stored now if it was not; `None` where it wants none
    /// or the service refused. Blocks: for the thread that renders requests.
    pub(super) fn name(&self, lane: usize, prepared: &Prepared, example: &Example) -> Option<String> {
        let (wanted, slot) = (self.wanted.get(lane).copied().flatten()?, self.slots.get(lane)?);
        let mut slot_now = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*slot_now, Slot::Untried) {
            let base_url = self.transport.base_url(wanted.endpoint).unwrap_or_default();
            *slot_now = match prepared.prefix_body(example, base_url) {
                None => Slot::Refused("the prompt has no part that all examples share".to_owned()),
                Some(body) => match self.runtime.block_on(create(&self.transport, wanted.endpoint, body.clone())) {
                    Ok(content) => {
                        let keeper = keep(Arc::clone(&self.transport), wanted, body, Arc::clone(slot));
                        Slot::Stored(content, self.runtime.spawn(keeper))
                    }
                    Err(failure) => Slot::Refused(failure.message),
                },
            };
        }
        match &*slot_now {
            Slot::Stored(content, _) => Some(content.name.clone()),
            Slot::Untried | Slot::Refused(_) => None,
        }
    }

    /// Variants whose prefix was not stored, with what the service said.
    pub fn refusals(&self) -> impl Iterator<Item = (usize, String)> {
        let refusal =
            |(lane, slot): (usize, &Arc<Mutex<Slot>>)| match &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
                Slot::Refused(message) => Some((lane, message.clone())),
                Slot::Untried | Slot::Stored(..) => None,
            };
        self.slots.iter().enumerate().filter_map(refusal)
    }

    /// Deletes everything that is stored: storage is billed while it lies there. What cannot be
    /// deleted runs out by itself.
    pub async fn delete(&self) {
        for (slot, wanted) in self.slots.iter().zip(&self.wanted) {
            // Requests may still be rendered ahead of a run that was stopped: they store nothing more.
            let over = Slot::Refused("the run is over".to_owned());
            let slot = std::mem::replace(&mut *slot.lock().unwrap_or_else(PoisonError::into_inner), over);
            let (Slot::Stored(content, keeper), Some(wanted)) = (slot, wanted) else { continue };
            keeper.abort();
            let path = content.path();
            if let Err(failure) = self.transport.control(wanted.endpoint, http::Method::DELETE, &path, None).await {
                tracing::info!(prefix = content.name, "not deleted: {}", failure.message);
            }
        }
    }
}

async fn create(transport: &HttpTransport, endpoint: usize, body: Bytes) -> Result<CachedContent, Failure> {
    let answer = transport.control(endpoint, http::Method::POST, cached::CREATE_PATH, Some(body)).await?;
    let content = cached::created(&answer)?;
    tracing::info!(prefix = content.name, tokens = content.tokens, "stored");
    Ok(content)
}

/// Renews a prefix at half its lifetime, for ever; one that has gone is stored again.
async fn keep(transport: Arc<HttpTransport>, wanted: Wanted, body: Bytes, slot: Arc<Mutex<Slot>>) {
    let (lives, ttl) = match wanted.lifetime {
        CacheLifetime::FiveMinutes => (Duration::from_secs(300), r#"{"ttl":"300s"}"#),
        CacheLifetime::Hour => (Duration::from_secs(3600), r#"{"ttl":"3600s"}"#),
    };
    loop {
        tokio::time::sleep(lives / 2).await;
        let path = match &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
            Slot::Stored(content, _) => format!("{}?updateMask=ttl", content.path()),
            Slot::Untried | Slot::Refused(_) => return,
        };
        let renewed = transport.control(wanted.endpoint, http::Method::PATCH, &path, Some(ttl.into())).await;
        let Err(failure) = renewed else { continue };
        tracing::info!("a stored prefix was not renewed: {}", failure.message);
        if !cached::is_gone(&failure) {
            continue;
        }
        if let Ok(content) = create(&transport, wanted.endpoint, body.clone()).await
            && let Slot::Stored(kept, _) = &mut *slot.lock().unwrap_or_else(PoisonError::into_inner)
        {
            *kept = content;
        }
    }
}
