//! Rows as they stand in the store, which any thread can make trials of: parsing and unpacking them takes longer than
//! reading them.

use rusqlite::Row;

use super::pack::PackedBody;
use super::read::{StoredTrial, digest, unreadable};
use super::{Store, StoreError};
use crate::digest::Digest;
use crate::trial::{Delivery, Exchange, Provenance, Received, Timing};

/// Columns of an exchange, its bodies and their dictionaries among them.
const COLUMNS: [&str; 17] = [
    "x.key",
    "x.request_digest",
    "x.endpoint",
    "x.request_body",
    "x.status",
    "x.streamed",
    "x.body",
    "x.failure",
    "x.event_ms",
    "x.total_ms",
    "x.attempts",
    "x.sent_at_ms",
    "x.in_flight",
    "x.provenance",
    "x.delivery",
    "x.request_dictionary",
    "x.body_dictionary",
];

/// The column after those of an exchange.
pub(super) const EXCHANGE_ID: usize = COLUMNS.len();

/// Which bodies of an exchange are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// Those of request and answer.
    Both,
    /// The answer's alone; that of the request is empty.
    Answer,
}

impl Bodies {
    /// What is selected of an exchange.
    pub(super) fn columns(self) -> String {
        let column = |name: &&'static str| match (self, *name) {
            (Self::Answer, "x.request_body") => "x''",
            (Self::Answer, "x.request_dictionary") => "NULL",
            (_, name) => name,
        };
        COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

/// A trial as it stands in the store.
pub struct RawTrial {
    /// The variant's name.
    pub variant: String,
    /// The example's digest.
    pub example_digest: Digest,
    repeat: u32,
    document: String,
    reused: bool,
    exchange: RawExchange,
}

/// What is wrong with a row that was read; [`Store::damaged`] says of which store.
#[derive(Debug)]
pub struct Damaged(rusqlite::Error);

impl Store {
    /// A row that could not be read, with the store that holds it.
    pub fn damaged(&self, Damaged(error): Damaged) -> StoreError {
        self.sqlite(error)
    }
}

impl RawTrial {
    /// A row that begins with the columns of an exchange.
    pub(super) fn of(store: &Store, row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            exchange: RawExchange::of(store, row)?,
            variant: row.get(17)?,
            repeat: row.get(18)?,
            document: row.get(19)?,
            example_digest: digest(row, 20)?,
            reused: row.get(21)?,
        })
    }

    /// How long its bodies and its example are.
    pub fn bytes(&self) -> usize {
        self.exchange.request.length() + self.exchange.body.length() + self.document.len()
    }

    /// The trial.
    ///
    /// # Errors
    /// What of the row cannot be read.
    pub fn read(self) -> Result<StoredTrial, Damaged> {
        self.parsed().map_err(Damaged)
    }

    /// The trial without the body of its request.
    ///
    /// # Errors
    /// What of the row cannot be read.
    pub fn read_answer(mut self) -> Result<StoredTrial, Damaged> {
        self.exchange.request = PackedBody::default();
        self.read()
    }

    pub(super) fn parsed(self) -> rusqlite::Result<StoredTrial> {
        Ok(StoredTrial {
            exchange: self.exchange.parsed()?,
            variant: self.variant,
            repeat: self.repeat,
            example: serde_json::from_str(&self.document).map_err(|error| unreadable(19, error))?,
            example_digest: self.example_digest,
            reused: self.reused,
        })
    }
}

/// An exchange as it stands in the store.
struct RawExchange {
    digests: [Digest; 2],
    endpoint: String,
    request: PackedBody,
    status: Option<u16>,
    streamed: bool,
    body: PackedBody,
    failure: Option<String>,
    event_ms: Vec<f64>,
    total_ms: f64,
    attempts: Option<String>,
    sent_at_unix_ms: i64,
    in_flight: u32,
    provenance: Provenance,
    delivery: Delivery,
}

/// An exchange of a row that begins with its columns.
pub(super) fn exchange(store: &Store, row: &Row<'_>) -> rusqlite::Result<Exchange> {
    RawExchange::of(store, row)?.parsed()
}

impl RawExchange {
    fn of(store: &Store, row: &Row<'_>) -> rusqlite::Result<Self> {
        let failure: Option<String> = row.get(7)?;
        let events = row.get_ref(8)?.as_blob().map_err(|error| unreadable(8, error))?;
        let attempts = row.get_ref(10)?.as_str().map_err(|error| unreadable(10, error))?;
        let body = |(bytes, dictionary): (usize, usize)| {
            let packed = row.get_ref(bytes)?.as_blob().map_err(|error| unreadable(bytes, error))?;
            store.packed(bytes, packed, row.get(dictionary)?)
        };
        Ok(Self {
            digests: [digest(row, 0)?, digest(row, 1)?],
            endpoint: row.get(2)?,
            request: body((3, 15))?,
            status: if failure.is_none() { Some(row.get(4)?) } else { None },
            streamed: failure.is_none() && row.get(5)?,
            body: body((6, 16))?,
            failure,
            event_ms: events
                .chunks_exact(8)
                .filter_map(|bytes| bytes.try_into().ok().map(f64::from_le_bytes))
                .collect(),
            total_ms: row.get(9)?,
            // Most had no attempt that failed.
            attempts: (attempts != "[]").then(|| attempts.to_owned()),
            sent_at_unix_ms: row.get(11)?,
            in_flight: row.get(12)?,
            provenance: match row.get_ref(13)?.as_str() {
                Ok("recorded") => Provenance::Recorded,
                Ok("imported") => Provenance::Imported,
                _ => Provenance::Live,
            },
            delivery: if row.get_ref(14)?.as_str().is_ok_and(|word| word == Delivery::Batch.as_str()) {
                Delivery::Batch
            } else {
                Delivery::Direct
            },
        })
    }

    fn parsed(self) -> rusqlite::Result<Exchange> {
        let body = self.body.unpack()?;
        let received = match self.failure {
            Some(failure) => Received::Broken {
                failure: serde_json::from_str(&failure).map_err(|error| unreadable(7, error))?,
                body,
            },
            None => Received::Answer { status: self.status.unwrap_or_default(), body, streamed: self.streamed },
        };
        let attempts = self.attempts.map(|attempts| serde_json::from_str(&attempts)).transpose();
        let [key, request_digest] = self.digests;
        Ok(Exchange {
            key,
            request_digest,
            endpoint: self.endpoint,
            request_body: self.request.unpack()?,
            received,
            timing: Timing { event_ms: self.event_ms, total_ms: self.total_ms },
            attempts: attempts.map_err(|error| unreadable(10, error))?.unwrap_or_default(),
            sent_at_unix_ms: self.sent_at_unix_ms,
            in_flight: self.in_flight,
            provenance: self.provenance,
            delivery: self.delivery,
        })
    }
}
