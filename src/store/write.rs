//! The writer thread: a bounded channel in, group commits, acknowledgements out.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::mpsc;

use super::pack::{Packer, Part};
use super::{NewRun, RunRow, RunState, Store, StoreError};
use crate::digest::Digest;
use crate::trial::{Exchange, Received, TrialRecord};

/// Finished trials that may wait for the disk before the run waits too.
const QUEUE: usize = 1024;

/// Most trials of one transaction: larger groups no longer save time, and delay what is shown.
const GROUP: usize = 256;

/// A trial to commit.
#[derive(Debug)]
pub struct Write {
    /// What was measured.
    pub record: TrialRecord,
    /// The name of its variant.
    pub variant: Arc<str>,
    /// The row of an exchange that is in the store already.
    pub exchange_row: Option<i64>,
    /// Whether a resumed run need not ask again.
    pub settled: bool,
    /// Whether the answer may serve a later identical request.
    pub reusable: bool,
}

/// What the writer says back.
#[derive(Debug)]
pub enum Committed {
    /// These are on disk.
    Trials(Vec<TrialRecord>),
    /// Nothing more will be written.
    Failed(String),
}

/// The handle of a run's writer thread.
#[derive(Debug)]
pub struct Writer {
    sender: mpsc::Sender<Write>,
    thread: JoinHandle<Result<(), String>>,
}

impl Writer {
    /// Starts a writer for one run; acknowledgements come on the returned channel.
    ///
    /// # Errors
    /// When the store cannot be opened a second time.
    pub fn start(store: &Store, run: i64) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), StoreError> {
        let connection = Store::open_existing(store.path())?.connection;
        tune(&connection).map_err(|error| store.sqlite(error))?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (committed, acknowledgements) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let outcome = write_all(connection, run, receiver, &committed).map_err(|error| error.to_string());
            if let Err(message) = &outcome {
                // The run may be gone already; then nobody needs to know.
                let _ = committed.send(Committed::Failed(message.clone()));
            }
            outcome
        });
        Ok((Self { sender, thread }, acknowledgements))
    }

    /// The channel for finished trials. It is bounded: a slow disk slows the run down.
    pub fn sender(&self) -> mpsc::Sender<Write> {
        self.sender.clone()
    }

    /// Waits until everything sent is on disk. All other senders must be dropped before.
    ///
    /// # Errors
    /// What kept the writer from writing.
    pub fn finish(self) -> Result<(), StoreError> {
        drop(self.sender);
        match self.thread.join() {
            Ok(outcome) => outcome.map_err(StoreError::Writer),
            Err(_) => Err(StoreError::Writer("it ended unexpectedly".into())),
        }
    }
}

impl Store {
    /// The newest run of a plan, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run_of_plan(&self, plan: &Digest) -> Result<Option<RunRow>, StoreError> {
        let sql = "SELECT name FROM run WHERE plan_digest = ?1 ORDER BY id DESC LIMIT 1";
        let name: Option<String> = self
            .connection
            .query_row(sql, [plan.as_bytes().as_slice()], |row| row.get(0))
            .optional()
            .map_err(|error| self.sqlite(error))?;
        name.map(|name| self.run(&name)).transpose()
    }

    /// A finished run of trials that `fill` gives one by one: all of it, or nothing.
    ///
    /// # Errors
    /// What SQLite or `fill` says.
    pub fn import<E: From<StoreError>>(
        &self,
        new: &NewRun<'_>,
        fill: impl FnOnce(&mut dyn FnMut(&Write) -> Result<(), StoreError>) -> Result<(), E>,
    ) -> Result<RunRow, E> {
        let wrap = |error| E::from(self.sqlite(error));
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(wrap)?;
        let run = self.insert_run(new)?;
        let mut packer = Packer::default();
        fill(&mut |write| {
            write_trial(&self.connection, run.id, write, &mut packer).map_err(|error| self.sqlite(error))
        })?;
        self.set_state(run.id, RunState::Finished, Some(new.now_ms))?;
        transaction.commit().map_err(wrap)?;
        Ok(self.run(&run.name)?)
    }
}

/// Pages of the log after which they go into the database: few go more than once (32 MiB).
const LOG_PAGES: i64 = 8192;

/// What the writer's connection keeps of the database, in KiB: the pages that keys fall on.
const CACHE_KIB: i64 = 8192;

/// Sets up a connection for one task: many small commits of rows that refer to each other as they must,
/// since they are made here (`store check` looks all the same).
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", false)
}

fn write_all(
    mut connection: Connection,
    run: i64,
    mut receiver: mpsc::Receiver<Write>,
    committed: &mpsc::UnboundedSender<Committed>,
) -> rusqlite::Result<()> {
    let mut group = Vec::with_capacity(GROUP);
    let mut packer = Packer::default();
    while receiver.blocking_recv_many(&mut group, GROUP) > 0 {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        packer.begin();
        for write in &group {
            write_trial(&transaction, run, write, &mut packer)?;
        }
        transaction.commit()?;
        let _ = committed.send(Committed::Trials(group.drain(..).map(|write| write.record).collect()));
    }
    Ok(())
}

fn write_trial(connection: &Connection, run: i64, write: &Write, packer: &mut Packer) -> rusqlite::Result<()> {
    let record = &write.record;
    let example = &record.trial.example;
    let document = serde_json::to_string(&**example).unwrap_or_default();
    let digest = Digest::of(document.as_bytes());
    connection
        .prepare_cached("INSERT OR IGNORE INTO example (id, digest, document) VALUES (?1, ?2, ?3)")?
        .execute(params![example.id.0, digest.as_bytes().as_slice(), document])?;
    let exchange = match write.exchange_row {
        Some(row) => row,
        // The twin of a request of this run: its exchange was written before. The index has answers only.
        None if record.reused => connection
            .prepare_cached(if write.reusable {
                "SELECT max(id) FROM exchange WHERE key = ?1 AND reusable = 1"
            } else {
                "SELECT max(id) FROM exchange WHERE key = ?1"
            })?
            .query_row([record.exchange.key.as_bytes().as_slice()], |row| row.get(0))?,
        None => write_exchange(connection, write, packer)?,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO trial (run, variant, example_id, repeat, example, exchange, reused, settled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            run,
            &*write.variant,
            example.id.0,
            record.trial.repeat,
            digest.as_bytes().as_slice(),
            exchange,
            record.reused,
            write.settled
        ])?;
    Ok(())
}

fn write_exchange(connection: &Connection, write: &Write, packer: &mut Packer) -> rusqlite::Result<i64> {
    let (exchange, variant): (&Exchange, _) = (&write.record.exchange, &*write.variant);
    let (status, streamed, body, failure) = match &exchange.received {
        Received::Answer { status, body, streamed } => (Some(*status), *streamed, body, None),
        Received::Broken { failure, body } => (failure.status, false, body, serde_json::to_string(failure).ok()),
    };
    let (request, request_dictionary) =
        packer.pack(connection, (variant, Part::Request), &exchange.request_body, true)?;
    // What an error says is no pattern of answers.
    let is_sample = failure.is_none() && status.is_some_and(|status| (200..300).contains(&status));
    let (body, body_dictionary) = packer.pack(connection, (variant, Part::Answer), body, is_sample)?;
    let event_ms: Vec<u8> = exchange.timing.event_ms.iter().flat_map(|ms| ms.to_le_bytes()).collect();
    connection
        .prepare_cached(
            "INSERT INTO exchange (key, request_digest, endpoint, request_body, status, streamed, body, failure,
                                   event_ms, total_ms, attempts, sent_at_ms, in_flight, provenance, reusable,
                                   delivery, request_dictionary, body_dictionary)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            exchange.key.as_bytes().as_slice(),
            exchange.request_digest.as_bytes().as_slice(),
            exchange.endpoint,
            request,
            status,
            streamed,
            body,
            failure,
            event_ms,
            exchange.timing.total_ms,
            serde_json::to_string(&exchange.attempts).unwrap_or_default(),
            exchange.sent_at_unix_ms,
            exchange.in_flight,
            exchange.provenance.as_str(),
            write.reusable,
            exchange.delivery.as_str(),
            request_dictionary,
            body_dictionary
        ])?;
    Ok(connection.last_insert_rowid())
}
