//! A page on its way to the browser: the first piece says under which policy, the rest follows as it
//! is made, and nothing more is made once the browser has gone.

use std::io::{Error, ErrorKind, Result, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot};

use crate::report::html::policy_of;

/// Bytes that go out together.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait for the browser.
const WAITING: usize = 16;

/// The longest that a browser takes nothing of a page before it ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// What stands before a page.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// The content security policy that the page carries itself.
    pub(super) policy: Option<String>,
}

/// Where a page is written to.
pub(super) struct Out {
    head: Option<oneshot::Sender<Head>>,
    pieces: mpsc::Sender<Result<Bytes>>,
    held: Vec<u8>,
    /// How long a browser may take nothing before its page ends.
    patience: Duration,
    /// Whether the page ended before its end.
    broken: Arc<AtomicBool>,
}

/// The end at which a page is written, and the two at which its head and its body come out.
pub(super) fn page() -> (Out, oneshot::Receiver<Head>, Body) {
    let (head, headed) = oneshot::channel();
    let (pieces, body) = mpsc::channel(WAITING);
    let broken = Arc::new(AtomicBool::new(false));
    let out = Out { head: Some(head), pieces, held: Vec::new(), patience: PATIENCE, broken: Arc::clone(&broken) };
    (out, headed, Body { pieces: body, broken })
}

impl Out {
    /// Whether something was sent.
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_none()
    }

    /// Sends a whole page.
    pub(super) fn page(&mut self, status: StatusCode, html: &str) {
        self.begin(status, html);
        self.held.extend_from_slice(html.as_bytes());
        self.end();
    }

    /// Sends what is left.
    pub(super) fn end(&mut self) {
        // A browser that has gone away needs it no more.
        let _ = self.flush();
    }

    /// Ends a page that cannot be finished, in a way that does not look like its end.
    pub(super) fn fail(&mut self) {
        self.broken.store(true, Ordering::Release);
    }

    fn begin(&mut self, status: StatusCode, first: &str) {
        if let Some(head) = self.head.take() {
            let _ = head.send(Head { status, policy: policy_of(first).map(str::to_owned) });
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if !self.has_begun() {
            self.begin(StatusCode::OK, &String::from_utf8_lossy(bytes));
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.held);
        let sent = match Handle::try_current() {
            Ok(runtime) => runtime.block_on(self.pieces.send_timeout(Ok(piece.into()), self.patience)),
            Err(_) => self.pieces.blocking_send(Ok(piece.into())).map_err(|gone| SendTimeoutError::Closed(gone.0)),
        };
        sent.map_err(|unsent| match unsent {
            SendTimeoutError::Closed(_) => Error::from(ErrorKind::BrokenPipe),
            SendTimeoutError::Timeout(_) => {
                self.fail();
                Error::from(ErrorKind::TimedOut)
            }
        })
    }
}

/// The body of a page that is still being made.
pub(super) struct Body {
    pieces: mpsc::Receiver<Result<Bytes>>,
    broken: Arc<AtomicBool>,
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        // Every piece was sent before its writer went: what is missing then was never made.
        let lost = || self.broken.swap(false, Ordering::AcqRel).then(|| Err(Error::from(ErrorKind::UnexpectedEof)));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)).or_else(lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[test]
    fn the_first_piece_says_the_policy_and_the_rest_follows() {
        let (mut out, mut head, mut body) = page();
        let html = crate::report::html::document("x", &maud::html! { p { "y" } });
        let (first, rest) = html.split_at(html.find("<body>").unwrap_or_default());
        out.write_all(first.as_bytes()).unwrap();
        let said = head.try_recv().unwrap();
        assert!(
            said.status == StatusCode::OK && said.policy.is_some_and(|policy| policy.starts_with("default-src 'none'"))
        );
        out.write_all(rest.as_bytes()).unwrap();
        out.end();
        assert_eq!(body.pieces.try_recv().unwrap().unwrap(), html.as_bytes());
    }

    #[tokio::test]
    async fn a_reader_that_stops_ends_its_page_and_the_page_says_so() {
        let (mut out, _head, mut body) = page();
        out.patience = Duration::from_millis(5);
        let stalled = tokio::task::spawn_blocking(move || {
            let piece = vec![b'x'; PIECE];
            (0..=WAITING).try_for_each(|_| out.write_all(&piece)).unwrap_err().kind()
        });
        assert_eq!(stalled.await.unwrap(), ErrorKind::TimedOut);
        for _ in 0..WAITING {
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(body.frame().await.unwrap().is_err() && body.frame().await.is_none());
    }

    #[test]
    fn nothing_more_is_made_for_a_browser_that_has_gone() {
        let (mut out, _head, body) = page();
        drop(body);
        let ended = (0..3).try_for_each(|_| out.write_all(&vec![b'x'; PIECE]));
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
