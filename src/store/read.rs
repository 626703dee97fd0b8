//! Reading: cursors over trials, never whole tables.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{ErrorCode, OptionalExtension, Row, params};

use super::raw::{Bodies, EXCHANGE_ID, RawTrial, exchange};
use super::{BUSY_TIMEOUT, RunRow, RunState, Store, StoreError};
use crate::digest::Digest;
use crate::suite::Example;
use crate::trial::Exchange;

/// An answer that the store already has.
#[derive(Debug, Clone)]
pub struct CachedExchange {
    /// Its row.
    pub row: i64,
    /// What was measured then.
    pub exchange: Arc<Exchange>,
}

/// A trial as the store has it.
#[derive(Debug, Clone)]
pub struct StoredTrial {
    /// The variant's name.
    pub variant: String,
    /// Which repeat.
    pub repeat: u32,
    /// The example as it was asked.
    pub example: Example,
    /// The example's digest.
    pub example_digest: Digest,
    /// What was measured.
    pub exchange: Exchange,
    /// Whether the answer came from the store rather than from a request of its run.
    pub reused: bool,
}

/// Views of the store after which its log is brought into the file.
const VIEWS_A_LOG: u32 = 16;

/// The longest wait for others before the log is brought into the file.
const LOG_TIMEOUT: Duration = Duration::from_millis(50);

impl Store {
    /// All runs, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.query_runs("ORDER BY id DESC", [])
    }

    /// Runs of a suite of this name that have answers: how often its test examples were scored
    /// (METHODS.md 0.6). Those that were removed since were scored, too.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn times_scored(&self, suite: &str) -> Result<u64, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM run
                           WHERE suite = ?1 AND json_extract(options, '$.on') IS NULL
                             AND EXISTS (SELECT 1 FROM trial WHERE trial.run = run.id))
                        + (SELECT count(*) FROM pruned WHERE suite = ?1 AND scored = 1)";
        let count: i64 =
            self.connection.query_row(sql, [suite], |row| row.get(0)).map_err(|error| self.sqlite(error))?;
        Ok(count.unsigned_abs())
    }

    /// A run by its name; `last` is the newest.
    ///
    /// # Errors
    /// When there is none, or what SQLite says.
    pub fn run(&self, name: &str) -> Result<RunRow, StoreError> {
        let found = if name == "last" {
            self.query_runs("ORDER BY id DESC LIMIT 1", [])?
        } else {
            self.query_runs("WHERE name = ?1", [name])?
        };
        found.into_iter().next().ok_or_else(|| StoreError::NoRun(name.to_owned()))
    }

    fn query_runs(&self, clause: &str, parameters: impl rusqlite::Params) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!(
            "SELECT id, name, suite, folder, state, started_at_ms, ended_at_ms, options,
                    (SELECT count(*) FROM trial WHERE trial.run = run.id) FROM run {clause}"
        );
        let rows = |error| self.sqlite(error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(rows)?;
        let found = statement.query_map(parameters, run_row).map_err(rows)?;
        found.collect::<rusqlite::Result<_>>().map_err(rows)
    }

    /// Looks at the store as it is now until this is called again: what is committed meanwhile is not seen, and
    /// pages that were read once stay valid. Without a write-ahead log nothing is held, since readers would
    /// keep the writer waiting.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn look_anew(&self) -> Result<(), StoreError> {
        let wrap = |error| self.sqlite(error);
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(wrap)?;
            self.let_log_begin_anew().map_err(wrap)?;
            return self.connection.execute_batch("BEGIN").map_err(wrap);
        }
        let mode: String = self.connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(wrap)?;
        if mode.eq_ignore_ascii_case("wal") { self.connection.execute_batch("BEGIN").map_err(wrap) } else { Ok(()) }
    }

    /// Now and then brings the whole write-ahead log into the file, so that the writer begins it anew: as long as
    /// somebody always looks at its end, it only grows (<https://www.sqlite.org/wal.html>, "Avoiding Excessively
    /// Large WAL Files").
    fn let_log_begin_anew(&self) -> rusqlite::Result<()> {
        let views = self.views.get() + 1;
        self.views.set(views % VIEWS_A_LOG);
        if views < VIEWS_A_LOG || self.read_only {
            return Ok(());
        }
        // It waits for the writer, and for other readers, who may take as long as they like: then the log goes on until
        // the next time.
        self.connection.busy_timeout(LOG_TIMEOUT)?;
        let begun = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        begun.or_else(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Ok(()),
            _ => Err(error),
        })
    }

    /// Whether a resumed run already has this trial, asked of the very same example.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_settled(
        &self,
        run: i64,
        variant: &str,
        example_id: &str,
        repeat: u32,
        example: &Digest,
    ) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT 1 FROM trial WHERE run = ?1 AND variant = ?2 AND example_id = ?3 AND repeat = ?4
                 AND settled = 1 AND example = ?5",
            )
            .and_then(|mut statement| {
                statement.exists(params![run, variant, example_id, repeat, example.as_bytes().as_slice()])
            })
            .map_err(|error| self.sqlite(error))
    }

    /// The newest answer to an identical request, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn cached(&self, key: &Digest) -> Result<Option<CachedExchange>, StoreError> {
        let sql = format!(
            "SELECT {}, x.id FROM exchange x WHERE x.key = ?1 AND x.reusable = 1 ORDER BY x.id DESC LIMIT 1",
            Bodies::Both.columns()
        );
        let found = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                statement
                    .query_row([key.as_bytes().as_slice()], |row| {
                        Ok((row.get::<_, i64>(EXCHANGE_ID)?, exchange(self, row)?))
                    })
                    .optional()
            })
            .map_err(|error| self.sqlite(error))?;
        Ok(found.map(|(row, exchange)| CachedExchange { row, exchange: Arc::new(exchange) }))
    }

    /// Whether there is an answer to an identical request.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_answer(&self, key: &Digest) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("SELECT 1 FROM exchange WHERE key = ?1 AND reusable = 1")
            .and_then(|mut statement| statement.exists([key.as_bytes().as_slice()]))
            .map_err(|error| self.sqlite(error))
    }

    /// Goes through a run's trials, variant by variant in the order of their examples' ids;
    /// `example_id` narrows it to one example.
    ///
    /// # Errors
    /// What SQLite or `each` says.
    pub fn each_trial<E: From<StoreError>>(
        &self,
        run: i64,
        example_id: Option<&str>,
        each: impl FnMut(StoredTrial) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_where("t.run = ?1 AND (?2 IS NULL OR t.example_id = ?2)", params![run, example_id], each)
    }

    /// Goes through the trials of one variant of a run, in the order of their examples' ids.
    ///
    /// # Errors
    /// What SQLite or `each` says.
    pub fn each_trial_of<E: From<StoreError>>(
        &self,
        run: i64,
        variant: &str,
        each: impl FnMut(StoredTrial) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_where("t.run = ?1 AND t.variant = ?2", params![run, variant], each)
    }

    /// Goes through a run's trials as they stand in the store, variant by variant in the order of their examples'
    /// ids; `variant` narrows it to one.
    ///
    /// # Errors
    /// What SQLite or `each` says.
    pub fn each_raw<E: From<StoreError>>(
        &self,
        (run, variant): (i64, Option<&str>),
        bodies: Bodies,
        mut each: impl FnMut(RawTrial) -> Result<(), E>,
    ) -> Result<(), E> {
        let (clause, all) = ("t.run = ?1 AND t.variant = ?2", "t.run = ?1");
        match variant {
            Some(variant) => self.each_row(&trials_sql(clause, bodies), params![run, variant], &mut each),
            None => self.each_row(&trials_sql(all, bodies), params![run], &mut each),
        }
    }

    /// Goes through a run example by example in the order of their ids, with all trials of each, variant
    /// by variant. One cursor a variant, so that memory holds one example however many there are.
    ///
    /// # Errors
    /// What SQLite or `each` says.
    pub fn raw_by_example<E: From<StoreError>>(
        &self,
        run: i64,
        mut each: impl FnMut(Vec<RawTrial>) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrap = |error| E::from(self.sqlite(error));
        let sql = trials_sql("t.run = ?1 AND t.variant = ?2", Bodies::Both);
        let names = self.variants_of(run)?;
        let prepared = names.iter().map(|_| self.connection.prepare(&sql)).collect::<rusqlite::Result<Vec<_>>>();
        let mut statements = prepared.map_err(wrap)?;
        let opened = statements.iter_mut().zip(&names).map(|(statement, name)| statement.query(params![run, name]));
        let mut cursors = opened.collect::<rusqlite::Result<Vec<_>>>().map_err(wrap)?;
        let mut ahead = Vec::with_capacity(cursors.len());
        for cursor in &mut cursors {
            ahead.push(next_trial(self, cursor).map_err(wrap)?);
        }
        while let Some(id) = ahead.iter().flatten().map(|next| &next.id).min().cloned() {
            let mut trials = Vec::new();
            for (cursor, next) in cursors.iter_mut().zip(&mut ahead) {
                while next.as_ref().is_some_and(|next| next.id == id) {
                    let taken = std::mem::replace(next, next_trial(self, cursor).map_err(wrap)?);
                    trials.extend(taken.map(|taken| taken.trial));
                }
            }
            each(trials)?;
        }
        Ok(())
    }

    /// The trials of one example by one variant of a run, in the order of their repeats.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trials(&self, run: i64, variant: &str, example_id: &str) -> Result<Vec<StoredTrial>, StoreError> {
        let mut found = Vec::new();
        let clause = "t.run = ?1 AND t.variant = ?2 AND t.example_id = ?3";
        self.each_where(clause, params![run, variant, example_id], |trial| -> Result<(), StoreError> {
            found.push(trial);
            Ok(())
        })?;
        Ok(found)
    }

    fn each_where<E: From<StoreError>>(
        &self,
        clause: &str,
        parameters: impl rusqlite::Params,
        mut each: impl FnMut(StoredTrial) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = trials_sql(clause, Bodies::Both);
        self.each_row(&sql, parameters, &mut |trial| each(trial.parsed().map_err(|error| E::from(self.sqlite(error)))?))
    }

    fn each_row<E: From<StoreError>>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        each: &mut dyn FnMut(RawTrial) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrap = |error| E::from(self.sqlite(error));
        let mut statement = self.connection.prepare_cached(sql).map_err(wrap)?;
        let mut rows = statement.query(parameters).map_err(wrap)?;
        while let Some(row) = rows.next().map_err(wrap)? {
            each(RawTrial::of(self, row).map_err(wrap)?)?;
        }
        Ok(())
    }

    /// The names of the variants that a run has trials of, sorted. Looks at one row a variant.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn variants_of(&self, run: i64) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = Vec::new();
        let sql = "SELECT variant FROM trial WHERE run = ?1 AND variant > ?2 ORDER BY variant LIMIT 1";
        let next = |after: &str| -> rusqlite::Result<Option<String>> {
            self.connection.prepare_cached(sql)?.query_row(params![run, after], |row| row.get(0)).optional()
        };
        while let Some(name) = next(names.last().map_or("", String::as_str)).map_err(|error| self.sqlite(error))? {
            names.push(name);
        }
        Ok(names)
    }

    /// The stored reply to a scorer's question.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply(&self, question: &Digest) -> Result<Option<String>, StoreError> {
        self.connection
            .query_row("SELECT reply FROM reply WHERE question = ?1", [question.as_bytes().as_slice()], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|error| self.sqlite(error))
    }

    /// Keeps replies to scorers' questions.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_replies(&self, replies: &[(Digest, String)]) -> Result<(), StoreError> {
        let keep = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            for (question, reply) in replies {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO reply (question, reply) VALUES (?1, ?2)")?
                    .execute(params![question.as_bytes().as_slice(), reply])?;
            }
            transaction.commit()
        };
        keep().map_err(|error| self.sqlite(error))
    }
}

/// All exchanges, each with its row's number in the column [`EXCHANGE_ID`].
pub(super) fn exchanges_sql() -> String {
    format!("SELECT {}, x.id FROM exchange x", Bodies::Both.columns())
}

fn trials_sql(clause: &str, bodies: Bodies) -> String {
    format!(
        "SELECT {}, t.variant, t.repeat, e.document, t.example, t.reused, t.example_id
         FROM trial t JOIN exchange x ON x.id = t.exchange JOIN example e ON e.id = t.example_id AND e.digest = t.example
         WHERE {clause} ORDER BY t.variant, t.example_id, t.repeat",
        bodies.columns()
    )
}

fn next_trial(store: &Store, cursor: &mut rusqlite::Rows<'_>) -> rusqlite::Result<Option<Ahead>> {
    let ahead = |row: &Row<'_>| Ok(Ahead { id: row.get(22)?, trial: RawTrial::of(store, row)? });
    cursor.next()?.map(ahead).transpose()
}

/// The next trial of a cursor.
struct Ahead {
    id: String,
    trial: RawTrial,
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        name: row.get(1)?,
        suite: row.get(2)?,
        folder: row.get(3)?,
        state: RunState::parse(&row.get::<_, String>(4)?),
        started_at_ms: row.get(5)?,
        ended_at_ms: row.get(6)?,
        options: row.get(7)?,
        trials: row.get::<_, i64>(8)?.unsigned_abs(),
    })
}

pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|error| unreadable(column, error))?;
    Digest::from_bytes(bytes).ok_or_else(|| unreadable(column, "not a digest"))
}

pub(super) fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_store_that_is_looked_at_all_the_time_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (writer, looking) = (Store::open(&path).unwrap(), Store::open_existing(&path).unwrap());
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let mut longest = 0;
        for number in 0..20 * VIEWS_A_LOG {
            looking.look_anew().unwrap();
            let reply = (Digest::of(&number.to_le_bytes()), "\"".repeat(20_000));
            assert_eq!(looking.reply(&reply.0).unwrap(), None);
            writer.keep_replies(&[reply]).unwrap();
            longest = longest.max(std::fs::metadata(&log).unwrap().len());
        }
        // What is written between two looks, twice: not all of it, some 8 MB.
        assert!(longest < 4_000_000, "{longest}");
    }

    #[test]
    fn a_store_that_is_opened_to_read_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let writable = Store::open(&path).unwrap();
        let replies = [(Digest::of(b"question"), "{}".to_owned())];
        let looking = Store::open_to_read(&path).unwrap();
        assert!(looking.is_read_only() && !writable.is_read_only());
        assert!(looking.keep_replies(&replies).is_err());
        writable.keep_replies(&replies).unwrap();
        assert_eq!(looking.reply(&replies[0].0).unwrap().as_deref(), Some("{}"));
    }
}
