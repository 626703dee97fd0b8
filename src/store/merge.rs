//! Joins the shards of a run into one: rows are copied as they are, one at a time, in one transaction.

use std::collections::{HashMap, HashSet};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, Statement, Transaction, TransactionBehavior, params};

use super::read::unreadable;
use super::{NewRun, RunRow, RunState, Store, StoreError, pack};

/// A shard in the store that asked it.
#[derive(Debug, Clone, Copy)]
pub struct ShardRun<'a> {
    /// Its store.
    pub store: &'a Store,
    /// Its row there.
    pub run: i64,
}

/// What joining shards came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The joined run.
    pub run: RunRow,
    /// Trials that it had not before.
    pub added: u64,
}

/// Where a trial stands in its run.
struct Place {
    variant: String,
    example_id: String,
    repeat: u32,
}

const COPIED: &str = "key, request_digest, endpoint, request_body, status, streamed, body, failure, event_ms, total_ms, \
                      attempts, sent_at_ms, in_flight, provenance, reusable, delivery, request_dictionary, body_dictionary";

/// Pages that are held while shards are joined, in KiB.
const CACHE_KIB: i64 = 96 * 1024;

/// How many of the copied columns, the last ones, name a dictionary.
const DICTIONARIES: usize = 2;

impl Store {
    /// Copies the trials of all shards into the run of this plan, which is made where there is none.
    /// Trials that are there already stay. Nothing is kept of a merge that fails.
    ///
    /// # Errors
    /// When two stores, or a store and the run, answer one trial differently, or what SQLite says.
    pub fn merge(&self, new: &NewRun<'_>, shards: &[ShardRun<'_>], state: RunState) -> Result<Merged, StoreError> {
        let wrap = |error| self.sqlite(error);
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(wrap)?;
        let known = self.newest_of_plan(&new.plan_digest)?;
        let mut is_empty = known.is_none();
        let run = known.map_or_else(|| self.insert_run(new), Ok)?;
        // Examples stand in the order of their digests: with few pages at hand most rows would be read and written anew.
        self.connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(wrap)?;
        let mut added = 0;
        let mut ended = run.ended_at_ms;
        for shard in shards {
            added += self.copy_trials(run.id, shard, is_empty)?;
            is_empty = false;
            self.copy_kept(shard.store)?;
            let row: Option<i64> = shard
                .store
                .connection
                .query_row("SELECT ended_at_ms FROM run WHERE id = ?1", [shard.run], |row| row.get(0))
                .map_err(|error| shard.store.sqlite(error))?;
            ended = ended.max(row);
        }
        // A joined run that went on and was finished since is not undone by its shards.
        let state = if run.state == RunState::Finished { RunState::Finished } else { state };
        self.set_state(run.id, state, ended)?;
        transaction.commit().map_err(wrap)?;
        Ok(Merged { run: self.run(&run.name)?, added })
    }

    /// `is_empty` says that the run has no trial yet.
    fn copy_trials(&self, run: i64, shard: &ShardRun<'_>, is_empty: bool) -> Result<u64, StoreError> {
        let (wrap, unread) = (|error| self.sqlite(error), |error| shard.store.sqlite(error));
        // One view of the shard, should its run still be under way.
        let _view = shard.store.connection.unchecked_transaction().map_err(unread)?;
        let columns: Vec<String> = COPIED.split(',').map(|column| format!("x.{}", column.trim())).collect();
        let sql = format!(
            "SELECT {}, t.variant, t.example_id, t.repeat, t.example, t.exchange, t.reused, t.settled, e.document
             FROM trial t LEFT JOIN exchange x ON x.id = t.exchange
             JOIN example e ON e.id = t.example_id AND e.digest = t.example
             WHERE t.run = ?1 ORDER BY t.variant, t.example_id, t.repeat",
            columns.join(", ")
        );
        let mut statement = shard.store.connection.prepare(&sql).map_err(unread)?;
        let mut rows = statement.query([shard.run]).map_err(unread)?;
        let mut copier = Copier::new(self, shard, columns.len()).map_err(wrap)?;
        let mut added = 0;
        while let Some(row) = rows.next().map_err(unread)? {
            let from = columns.len();
            let read = || -> rusqlite::Result<_> {
                let place =
                    Place { variant: row.get(from)?, example_id: row.get(from + 1)?, repeat: row.get(from + 2)? };
                let example = row.get_ref(from + 3)?.as_blob().map_err(|error| unreadable(from + 3, error))?;
                Ok((place, example, row.get::<_, i64>(from + 4)?, row.get::<_, bool>(from + 6)?))
            };
            let (place, example, exchange, settled) = read().map_err(unread)?;
            let known = || self.known(run, &place, example, (shard.store, exchange, settled));
            match if is_empty { Known::Not } else { known()? } {
                Known::Same => continue,
                Known::Other => return Err(self.disagree(&place, shard.store)),
                Known::Not | Known::Missing => {}
            }
            let new = copier.exchange(row, exchange)?;
            copier.trial(row, (run, &place, new)).map_err(wrap)?;
            added += 1;
        }
        Ok(added)
    }

    /// What is kept beside trials: replies of scoring processes, and vectors that retrieval bought.
    fn copy_kept(&self, from: &Self) -> Result<(), StoreError> {
        let (wrap, unread) = (|error| self.sqlite(error), |error| from.sqlite(error));
        let mut statement = from.connection.prepare("SELECT question, reply FROM reply").map_err(unread)?;
        let mut rows = statement.query([]).map_err(unread)?;
        while let Some(row) = rows.next().map_err(unread)? {
            let (question, reply): (Vec<u8>, String) =
                row.get(0).and_then(|question| Ok((question, row.get(1)?))).map_err(unread)?;
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO reply (question, reply) VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute(params![question, reply]))
                .map_err(wrap)?;
        }
        let mut statement = from.connection.prepare("SELECT endpoint, text, vector FROM embedding").map_err(unread)?;
        let mut rows = statement.query([]).map_err(unread)?;
        while let Some(row) = rows.next().map_err(unread)? {
            let read = || -> rusqlite::Result<[Vec<u8>; 3]> { Ok([row.get(0)?, row.get(1)?, row.get(2)?]) };
            let [endpoint, text, vector] = read().map_err(unread)?;
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO embedding (endpoint, text, vector) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.execute(params![endpoint, text, vector]))
                .map_err(wrap)?;
        }
        Ok(())
    }

    /// Copies a dictionary that some body is packed with.
    fn copy_dictionary(&self, from: &Self, id: i64) -> Result<(), StoreError> {
        let has = || self.connection.prepare_cached("SELECT 1 FROM dictionary WHERE id = ?1")?.exists([id]);
        if has().map_err(|error| self.sqlite(error))? {
            return Ok(());
        }
        let bytes = from.dictionary(id).map_err(|error| from.sqlite(error))?;
        let sound = bytes.filter(|bytes| pack::dictionary_id(bytes) == id);
        let bytes = sound
            .ok_or_else(|| StoreError::Row(format!("a dictionary of `{}` is gone or damaged", from.path.display())))?;
        pack::keep_dictionary(&self.connection, id, &bytes).map_err(|error| self.sqlite(error))
    }

    fn disagree(&self, place: &Place, from: &Self) -> StoreError {
        StoreError::Disagree {
            store: self.path.display().to_string(),
            other: from.path.display().to_string(),
            variant: place.variant.clone(),
            example: place.example_id.clone(),
        }
    }

    /// What a run has of a trial, whose exchange in another store is this one.
    fn known(
        &self,
        run: i64,
        place: &Place,
        example: &[u8],
        (from, exchange, is_answer): (&Self, i64, bool),
    ) -> Result<Known, StoreError> {
        let find = || {
            self.connection
                .prepare_cached(
                    "SELECT example, exchange, settled FROM trial
                     WHERE run = ?1 AND variant = ?2 AND example_id = ?3 AND repeat = ?4",
                )?
                .query_row(params![run, place.variant, place.example_id, place.repeat], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        };
        let Some((known_example, known_exchange, settled)) = find().map_err(|error| self.sqlite(error))? else {
            return Ok(Known::Not);
        };
        if known_example == example && self.identity(known_exchange)? == from.identity(exchange)? {
            return Ok(Known::Same);
        }
        Ok(match (settled, is_answer) {
            (false, _) => Known::Missing,
            // The joined run went on and got what the shard is missing.
            (true, false) => Known::Same,
            (true, true) => Known::Other,
        })
    }

    /// The body is compared as it came: two stores pack it with dictionaries of their own.
    fn identity(&self, exchange: i64) -> Result<Identity, StoreError> {
        let sql = "SELECT request_digest, body, body_dictionary, sent_at_ms, total_ms FROM exchange WHERE id = ?1";
        let read = || {
            self.connection.prepare_cached(sql)?.query_row([exchange], |row| {
                let packed = row.get_ref(1)?.as_blob().map_err(|error| unreadable(1, error))?;
                Ok((row.get(0)?, self.unpack(1, packed, row.get(2)?)?, row.get(3)?, row.get(4)?))
            })
        };
        read().map_err(|error| self.sqlite(error))
    }
}

/// Writes the rows of one shard. A row begins with the columns of the exchange.
struct Copier<'a> {
    to: &'a Store,
    shard: &'a ShardRun<'a>,
    columns: usize,
    exchanges: Statement<'a>,
    examples: Statement<'a>,
    trials: Statement<'a>,
    /// The new number of each exchange that was copied, however many trials share it.
    copied: HashMap<i64, i64>,
    /// The dictionaries that the store has of those that bodies were packed with.
    dictionaries: HashSet<i64>,
}

impl<'a> Copier<'a> {
    fn new(to: &'a Store, shard: &'a ShardRun<'a>, columns: usize) -> rusqlite::Result<Self> {
        let marks = (1..=columns).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
        let prepare = |sql: &str| to.connection.prepare(sql);
        Ok(Self {
            to,
            shard,
            columns,
            exchanges: prepare(&format!("INSERT INTO exchange ({COPIED}) VALUES ({marks})"))?,
            examples: prepare("INSERT OR IGNORE INTO example (id, digest, document) VALUES (?1, ?2, ?3)")?,
            trials: prepare(
                "INSERT OR REPLACE INTO trial (run, variant, example_id, repeat, example, exchange, reused, settled)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            copied: HashMap::new(),
            dictionaries: HashSet::new(),
        })
    }

    /// Copies the exchange of a row, once.
    fn exchange(&mut self, row: &Row<'_>, old: i64) -> Result<i64, StoreError> {
        if let Some(new) = self.copied.get(&old) {
            return Ok(*new);
        }
        let (wrap, unread) = (|error| self.to.sqlite(error), |error| self.shard.store.sqlite(error));
        // A trial whose exchange is gone is a fault of the shard, not a trial less.
        if row.get_ref(0).map_err(unread)? == ValueRef::Null {
            return Err(unread(rusqlite::Error::QueryReturnedNoRows));
        }
        for column in self.columns - DICTIONARIES..self.columns {
            if let Some(id) = row.get(column).map_err(unread)?
                && self.dictionaries.insert(id)
            {
                self.to.copy_dictionary(self.shard.store, id)?;
            }
        }
        let mut write = || {
            copy(&mut self.exchanges, (0..self.columns).map(|column| row.get_ref(column)))?;
            Ok(self.to.connection.last_insert_rowid())
        };
        let new = write().map_err(wrap)?;
        self.copied.insert(old, new);
        Ok(new)
    }

    /// Copies the trial of a row, and its example.
    fn trial(&mut self, row: &Row<'_>, (run, place, exchange): (i64, &Place, i64)) -> rusqlite::Result<()> {
        let from = self.columns;
        copy(&mut self.examples, [from + 1, from + 3, from + 7].into_iter().map(|column| row.get_ref(column)))?;
        let example = row.get_ref(from + 3)?.as_blob().map_err(|error| unreadable(from + 3, error))?;
        let (reused, settled): (bool, bool) = (row.get(from + 5)?, row.get(from + 6)?);
        self.trials.execute(params![
            run,
            place.variant,
            place.example_id,
            place.repeat,
            example,
            exchange,
            reused,
            settled
        ])?;
        Ok(())
    }
}

/// Executes a statement with values of a row.
fn copy<'r>(
    statement: &mut Statement<'_>,
    values: impl Iterator<Item = rusqlite::Result<ValueRef<'r>>>,
) -> rusqlite::Result<()> {
    for (place, value) in values.enumerate() {
        statement.raw_bind_parameter(place + 1, ToSqlOutput::Borrowed(value?))?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// What a run has of a trial.
enum Known {
    /// Nothing.
    Not,
    /// A failure that a shard which went on since has an answer for.
    Missing,
    /// The very same answer, or a better one.
    Same,
    /// Another answer, or one to another example.
    Other,
}

/// What tells an exchange from another: no two were sent at the same time with the same answer.
type Identity = (Vec<u8>, Vec<u8>, i64, f64);

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::digest::Digest;
    use crate::store::Write;
    use crate::suite::{Example, ExampleId};
    use crate::trial::{Delivery, Exchange, Provenance, Received, Timing, Trial, TrialRecord};

    /// A trial of the example of this number, answered by these words.
    fn write(number: i64, answer: &str) -> Write {
        let example = Example {
            id: ExampleId(format!("e{number}")),
            input: number.into(),
            expected: 0.into(),
            cluster: None,
            tags: [].into(),
            documents: vec![],
        };
        let body = format!("{}{number}: {answer}", "what every answer has ".repeat(20)).into_bytes();
        let exchange = Exchange {
            key: Digest::of(&body),
            request_digest: Digest::of(&number.to_le_bytes()),
            endpoint: "p/m".into(),
            request_body: body.clone(),
            received: Received::Answer { status: 200, body, streamed: false },
            timing: Timing { event_ms: vec![], total_ms: 1.0 },
            attempts: vec![],
            sent_at_unix_ms: number,
            in_flight: 1,
            provenance: Provenance::Live,
            delivery: Delivery::Direct,
        };
        let trial = Trial { variant: 0, example: Arc::new(example), repeat: 0 };
        let record = TrialRecord { trial, exchange: Arc::new(exchange), reused: false, reading: None };
        Write { record, variant: "v".into(), exchange_row: None, settled: true, reusable: true }
    }

    fn plan() -> NewRun<'static> {
        NewRun { suite: "s", folder: Path::new("f"), plan_digest: Digest::of(b"p"), options: "{}", now_ms: 1 }
    }

    /// A store with a run of these trials, packed with the first of them.
    fn store(path: &Path, trials: &[(i64, &str)]) -> (Store, i64) {
        let store = Store::open(path).unwrap();
        let run = store.import(&plan(), |add| -> Result<(), StoreError> {
            trials.iter().try_for_each(|(number, answer)| add(&write(*number, answer)))
        });
        let run = run.unwrap().id;
        (store, run)
    }

    #[test]
    fn answers_are_compared_as_they_came_whatever_they_are_packed_with() {
        let folder = tempfile::tempdir().unwrap();
        let (to, _) = store(&folder.path().join("to.db"), &[(1, "yes"), (2, "no"), (3, "yes")]);
        let (same, run) = store(&folder.path().join("same.db"), &[(2, "no"), (4, "yes"), (1, "yes")]);
        let merged = to.merge(&plan(), &[ShardRun { store: &same, run }], RunState::Finished).unwrap();
        assert_eq!((merged.run.trials, merged.added), (4, 1));
        let mut found = Vec::new();
        let each = to.each_trial(merged.run.id, None, |trial| -> Result<(), StoreError> {
            found.push(trial.exchange.request_body);
            Ok(())
        });
        each.unwrap();
        let wanted = [(1, "yes"), (2, "no"), (3, "yes"), (4, "yes")];
        let wanted = wanted.map(|(number, answer)| write(number, answer).record.exchange.request_body.clone());
        assert_eq!(found, wanted);
        assert_eq!(to.check_all().unwrap().fault_count, 0);
        let (other, run) = store(&folder.path().join("other.db"), &[(2, "yes")]);
        let refused = to.merge(&plan(), &[ShardRun { store: &other, run }], RunState::Finished);
        assert!(matches!(refused, Err(StoreError::Disagree { .. })));
    }
}
