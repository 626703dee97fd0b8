//! A server on loopback that answers at once, or after a stated time, in one piece or as a stream; by its own clock
//! it notes when each request had come and when each answer went.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::answers::{self, Stream};

/// How it answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    pub(crate) streams: bool,
    /// What an answer takes.
    pub(crate) after: Duration,
    /// For a stream: time to its first text and to its end, drawn for each example, and noted.
    pub(crate) drawn: Option<Drawn>,
}

/// Times of a stream's parts: the least of each, and by how much it may be more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) first: Duration,
    pub(crate) rest: Duration,
    pub(crate) spread: Duration,
}

/// When the parts of an exchange happened, as the server saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note {
    /// The last byte of the request had come.
    pub(crate) received: Instant,
    /// The first text went.
    pub(crate) first: Instant,
    /// The end went.
    pub(crate) last: Instant,
}

/// What happened at the server so far.
#[derive(Debug, Default)]
struct Ledger {
    requests: AtomicU64,
    /// All that requests waited, in nanoseconds.
    waited: AtomicU64,
    first_request: Mutex<Option<Instant>>,
    first_has_come: Condvar,
    notes: Mutex<HashMap<usize, Note>>,
}

/// A server; it ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Ledger::default());
        let answering = Arc::new(Answering::new(manner, Arc::clone(&ledger)));
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let answering = Arc::clone(&answering);
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        let answering = Arc::clone(&answering);
                        async move { Ok::<_, Infallible>(answering.answer(request).await) }
                    });
                    let connection =
                        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
                    let _ = connection.await;
                });
            }
        });
        Self { address, ledger, _runtime: runtime }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.ledger.requests.load(Ordering::Relaxed)
    }

    /// What it took for a request on average: timers are late.
    pub(crate) fn mean_wait(&self) -> Duration {
        Duration::from_nanos(self.ledger.waited.load(Ordering::Relaxed) / self.requests().max(1))
    }

    /// Waits for the first request, and says when it had come.
    pub(crate) fn first_request(&self) -> Instant {
        let mut first = self.ledger.first_request.lock().unwrap();
        loop {
            match *first {
                Some(at) => return at,
                None => first = self.ledger.first_has_come.wait(first).unwrap(),
            }
        }
    }

    /// What it noted of each example.
    pub(crate) fn notes(&self) -> HashMap<usize, Note> {
        self.ledger.notes.lock().unwrap().clone()
    }
}

/// What all connections share.
struct Answering {
    manner: Manner,
    body: Bytes,
    stream: Stream,
    ledger: Arc<Ledger>,
}

impl Answering {
    fn new(manner: Manner, ledger: Arc<Ledger>) -> Self {
        let stream = answers::stream();
        let body = if manner.streams { stream.whole() } else { answers::whole() };
        Self { manner, body, stream, ledger }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Either<Full<Bytes>, Parts>> {
        let asked = request.into_body().collect().await.map(|asked| asked.to_bytes()).unwrap_or_default();
        let received = Instant::now();
        if self.ledger.requests.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.ledger.first_request.lock().unwrap() = Some(received);
            self.ledger.first_has_come.notify_all();
        }
        if !self.manner.after.is_zero() {
            wait(received + self.manner.after).await;
            self.ledger.waited.fetch_add(received.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        let kind = if self.manner.streams { "text/event-stream" } else { "application/json" };
        let body = match self.manner.drawn {
            None => Either::Left(Full::new(self.body.clone())),
            Some(drawn) => Either::Right(Parts::new(self, drawn, place(&asked), received)),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert("content-type", kind.parse().unwrap());
        response
    }
}

/// Waits until then, and not a millisecond longer, as a timer of the runtime does.
async fn wait(until: Instant) {
    tokio::time::sleep_until((until - Duration::from_millis(1)).into()).await;
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
}

/// Which example it is: its text begins with `message` and its number.
fn place(asked: &[u8]) -> usize {
    let mut found = memchr::memmem::find_iter(asked, b"message ").map(|at| &asked[at + 8..]);
    let digits = found.find(|rest| rest.first().is_some_and(u8::is_ascii_digit)).unwrap();
    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |all, byte| all * 10 + usize::from(byte - b'0'))
}

/// A stream whose parts go one by one, each when its time has come.
struct Parts {
    answering: Arc<Answering>,
    drawn: Drawn,
    place: usize,
    note: Note,
    sent: usize,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Parts {
    fn new(answering: Arc<Answering>, drawn: Drawn, place: usize, received: Instant) -> Self {
        let wait = drawn.first + spread(drawn.spread, place, 1);
        let sleep = Box::pin(tokio::time::sleep_until((received + wait).into()));
        let note = Note { received, first: received, last: received };
        Self { answering, drawn, place, note, sent: 0, sleep }
    }
}

/// A part of the spread that looks random, and is the same in each run.
fn spread(most: Duration, place: usize, part: u64) -> Duration {
    let mixed = (place as u64 * 2 + part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    most.mul_f64((mixed >> 40) as f64 / f64::from(1 << 24))
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if matches!(self.sent, 1 | 3) && self.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let stream = &self.answering.stream;
        let part = match self.sent {
            0 => stream.opening.clone(),
            1 => stream.first.clone(),
            2 => stream.middle.clone(),
            3 => stream.last.clone(),
            _ => return Poll::Ready(None),
        };
        match self.sent {
            1 => {
                self.note.first = Instant::now();
                let wait = self.drawn.rest + spread(self.drawn.spread, self.place, 2);
                let until = self.note.first + wait;
                self.sleep.as_mut().reset(until.into());
            }
            3 => {
                self.note.last = Instant::now();
                self.answering.ledger.notes.lock().unwrap().insert(self.place, self.note);
            }
            _ => {}
        }
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}
