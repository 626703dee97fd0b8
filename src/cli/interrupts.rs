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

    /// Watches for Ctrl-C until the process ends. One listener for all of them: what comes between
    /// two would be lost, and a run that is told to leave at once would not. To be called within
    /// a runtime.
    ///
    /// # Errors
    /// When the system does not let us listen.
    pub(super) fn watch(&self) -> std::io::Result<impl Future<Output = ()> + Send + use<>> {
        #[cfg(unix)]
        let mut signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        #[cfg(windows)]
        let mut signals = tokio::signal::windows::ctrl_c()?;
        let interrupts = self.clone();
        Ok(async move {
            while signals.recv().await.is_some() {
                interrupts.came();
            }
        })
    }

    fn came(&self) {
        match &*self.sending.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((stop, abort)) if stop.is_cancelled() => abort.cancel(),
            Some((stop, _)) => stop.cancel(),
            None => std::process::exit(Exit::Interrupted.code().into()),
        }
    }
}
