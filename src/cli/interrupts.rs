//! What Ctrl-C does.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::exit::Exit;

/// What Ctrl-C does. While requests are sent, the first stops sending and the second leaves what is
/// under way. At any other time it ends the process: once it was watched for, the system no longer
/// does that.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupts {
    sending: Arc<Mutex<Option<(CancellationToken, CancellationToken)>>>,
}

impl Interrupts {
    /// Sending begins; the tokens say when to stop, and when to leave at once.
    pub(super) fn sending(&self) -> (CancellationToken, CancellationToken) {
        let tokens = (CancellationToken::new(), CancellationToken::new());
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokens.clone());
        tokens
    }

    /// Sending is over.
    pub(super) fn over(&self) {
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Watches for Ctrl-C until the process ends.
    pub(super) async fn watch(self) {
        while tokio::signal::ctrl_c().await.is_ok() {
            match &*self.sending.lock().unwrap_or_else(PoisonError::into_inner) {
                Some((stop, abort)) if stop.is_cancelled() => abort.cancel(),
                Some((stop, _)) => stop.cancel(),
                None => std::process::exit(Exit::Interrupted.code().into()),
            }
        }
    }
}
