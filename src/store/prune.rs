//! Removes runs, and what only they used; gives the room back.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::size::{EXCHANGE_REST, TRIAL_ROW};
use super::{Claim, FileSize, RunState, Store, StoreError};
use crate::digest::Digest;

/// What goes with some runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Their trials.
    pub trials: u64,
    /// Exchanges that no other run uses.
    pub exchanges: u64,
    /// Bytes of those rows. The file keeps them as free room until it is vacuumed.
    pub bytes: u64,
    /// Batches that a provider still works on: nobody fetches their answers then.
    pub open_batches: u64,
}

/// Exchanges that no trial but those of doomed runs refers to.
const DOOMED_EXCHANGES: &str = "x.id NOT IN (SELECT exchange FROM trial WHERE run NOT IN (SELECT id FROM temp.doomed))";

impl Store {
    /// What would go with these runs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn weigh(&self, runs: &[i64]) -> Result<Pruned, StoreError> {
        let weigh = || {
            self.doom(runs)?;
            self.weighed()
        };
        weigh().map_err(|error| self.sqlite(error))
    }

    /// Removes these runs, and the exchanges, examples and dictionaries that no other run uses: all or
    /// nothing. Replies of scoring processes and vectors stay, since they belong to no run.
    ///
    /// # Errors
    /// When a run of the store is being asked, since its answers may be those of another run; or what
    /// SQLite says.
    pub fn prune(&self, runs: &[i64]) -> Result<Pruned, StoreError> {
        let _claims = self.claim_unfinished()?;
        let prune = || {
            self.doom(runs)?;
            // What refers to what is known here; SQLite would look for each removed row in all others.
            self.connection.pragma_update(None, "foreign_keys", false)?;
            let pruned = self.remove_doomed();
            self.connection.pragma_update(None, "foreign_keys", true)?;
            pruned
        };
        prune().map_err(|error| self.sqlite(error))
    }

    /// Writes the file anew, without what is free in it, and gives its size before and after.
    ///
    /// # Errors
    /// When a run of the store is being asked: its writer would have to wait. Or what SQLite says, such
    /// as that the disk has no room for the second copy that this takes; the store is as it was then.
    pub fn vacuum(&self) -> Result<(FileSize, FileSize), StoreError> {
        let _claims = self.claim_unfinished()?;
        let before = self.file_size()?;
        // What is written beside the file goes into it, so that the file alone is the store.
        let sql = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        self.connection.execute_batch(sql).map_err(|error| self.sqlite(error))?;
        Ok((before, self.file_size()?))
    }

    /// Batches of a run that a provider still works on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_batches_of(&self, run: i64) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM batch WHERE run = ?1 AND state IN ('submitting', 'open')";
        let count: i64 = self.connection.query_row(sql, [run], |row| row.get(0)).map_err(|error| self.sqlite(error))?;
        Ok(count.unsigned_abs())
    }

    /// Claims every run that can go on: whoever holds one of them is asking it.
    fn claim_unfinished(&self) -> Result<Vec<Claim>, StoreError> {
        let read = || {
            let sql = "SELECT DISTINCT plan_digest FROM run WHERE state <> ?1";
            let mut statement = self.connection.prepare(sql)?;
            let plans = statement.query_map([RunState::Finished.as_str()], |row| row.get::<_, Vec<u8>>(0))?;
            plans.collect::<rusqlite::Result<Vec<_>>>()
        };
        let plans = read().map_err(|error| self.sqlite(error))?;
        let claim = |plan: Digest| {
            self.claim(&plan).map_err(|error| match error {
                StoreError::Claimed(path) => StoreError::Busy(path),
                other => other,
            })
        };
        plans.iter().filter_map(|plan| Digest::from_bytes(plan)).map(claim).collect()
    }

    /// Names the runs that go.
    fn doom(&self, runs: &[i64]) -> rusqlite::Result<()> {
        self.connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY); DELETE FROM temp.doomed;",
        )?;
        let mut statement = self.connection.prepare("INSERT OR IGNORE INTO temp.doomed (id) VALUES (?1)")?;
        for run in runs {
            statement.execute([run])?;
        }
        Ok(())
    }

    fn weighed(&self) -> rusqlite::Result<Pruned> {
        let pair = |sql: &str| {
            self.connection.query_row(sql, [], |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
            })
        };
        let (runs, open_batches) = pair(
            "SELECT (SELECT count(*) FROM run WHERE id IN (SELECT id FROM temp.doomed)),
                    (SELECT count(*) FROM batch WHERE run IN (SELECT id FROM temp.doomed)
                                                      AND state IN ('submitting', 'open'))",
        )?;
        let (trials, trial_bytes) = pair(&format!(
            "SELECT count(*), coalesce(sum({TRIAL_ROW}), 0) FROM trial t WHERE run IN (SELECT id FROM temp.doomed)"
        ))?;
        let (exchanges, exchange_bytes) = pair(&format!(
            "SELECT count(*), coalesce(sum(length(x.request_body) + length(x.body) + {EXCHANGE_REST}), 0)
             FROM exchange x WHERE {DOOMED_EXCHANGES}"
        ))?;
        Ok(Pruned { runs, trials, exchanges, bytes: trial_bytes + exchange_bytes, open_batches })
    }

    fn remove_doomed(&self) -> rusqlite::Result<Pruned> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let pruned = self.weighed()?;
        // How often examples were scored is counted on, and no later run gets the name of one that is gone.
        transaction.execute(
            "INSERT INTO pruned (run, suite, scored)
             SELECT id, suite, json_extract(options, '$.on') IS NULL
                               AND EXISTS (SELECT 1 FROM trial WHERE trial.run = run.id) FROM run
             WHERE id IN (SELECT id FROM temp.doomed)",
            [],
        )?;
        transaction.execute(&format!("DELETE FROM exchange AS x WHERE {DOOMED_EXCHANGES}"), [])?;
        transaction.execute_batch(
            "DELETE FROM trial WHERE run IN (SELECT id FROM temp.doomed);
             DELETE FROM batch WHERE run IN (SELECT id FROM temp.doomed);
             DELETE FROM run WHERE id IN (SELECT id FROM temp.doomed);
             DELETE FROM example WHERE (id, digest) NOT IN (SELECT example_id, example FROM trial);
             DELETE FROM dictionary WHERE id NOT IN
                 (SELECT request_dictionary FROM exchange WHERE request_dictionary IS NOT NULL
                  UNION SELECT body_dictionary FROM exchange WHERE body_dictionary IS NOT NULL);",
        )?;
        transaction.commit()?;
        Ok(pruned)
    }

    /// The highest row that a run ever had here.
    pub(super) fn newest_row(&self) -> rusqlite::Result<i64> {
        let highest = |sql| self.connection.query_row(sql, params![], |row| row.get::<_, Option<i64>>(0)).optional();
        let there = highest("SELECT max(id) FROM run")?.flatten();
        Ok(there.max(highest("SELECT max(run) FROM pruned")?.flatten()).unwrap_or(0))
    }
}
