//! Where runs begin, go on and end.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{NewRun, RunRow, RunState, Store, StoreError};
use crate::digest::Digest;

impl Store {
    /// Whether no other run is there whose process may write answers.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_no_run_but(&self, run: i64) -> Result<bool, StoreError> {
        self.is_so("SELECT NOT EXISTS (SELECT 1 FROM run WHERE id <> ?1)", run)
    }

    /// Whether there is neither an answer nor another run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_no_answer(&self, run: i64) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM exchange) AND NOT EXISTS (SELECT 1 FROM run WHERE id <> ?1)";
        self.is_so(sql, run)
    }

    /// Whether a run has any trial.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_trials(&self, run: i64) -> Result<bool, StoreError> {
        self.is_so("SELECT EXISTS (SELECT 1 FROM trial WHERE run = ?1)", run)
    }

    fn is_so(&self, sql: &str, run: i64) -> Result<bool, StoreError> {
        let answer = self.connection.prepare_cached(sql).and_then(|mut asks| asks.query_row([run], |row| row.get(0)));
        answer.map_err(|error| self.sqlite(error))
    }

    /// How many trials a run has.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trials_of(&self, run: i64) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM trial WHERE run = ?1";
        let count = self.connection.query_row(sql, [run], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(|error| self.sqlite(error))
    }

    /// Starts a run, or goes on with the newest one of the same plan if that is unfinished. The
    /// second value says whether it goes on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin_run(&self, new: &NewRun<'_>) -> Result<(RunRow, bool), StoreError> {
        // Whoever else begins a run waits, so that no two of them take one name.
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(|error| self.sqlite(error))?;
        let begun = self.resume_or_insert(new)?;
        transaction.commit().map_err(|error| self.sqlite(error))?;
        Ok(begun)
    }

    fn resume_or_insert(&self, new: &NewRun<'_>) -> Result<(RunRow, bool), StoreError> {
        if let Some(row) = self.newest_of_plan(&new.plan_digest)?
            && row.state != RunState::Finished
        {
            self.set_state(row.id, RunState::Running, None)?;
            return Ok((row, true));
        }
        Ok((self.insert_run(new)?, false))
    }

    pub(crate) fn insert_run(&self, new: &NewRun<'_>) -> Result<RunRow, StoreError> {
        let count = self.newest_row().map_err(|error| self.sqlite(error))? + 1;
        let name = format!("{}-{count}", new.suite);
        self.connection
            .execute(
                "INSERT INTO run (id, name, suite, folder, plan_digest, started_at_ms, state, options, version)
                 VALUES (?8, ?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7)",
                params![
                    name,
                    new.suite,
                    new.folder.display().to_string(),
                    new.plan_digest.as_bytes().as_slice(),
                    new.now_ms,
                    new.options,
                    env!("CARGO_PKG_VERSION"),
                    count
                ],
            )
            .map_err(|error| self.sqlite(error))?;
        self.run(&name)
    }

    /// Notes how a run stands.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_state(&self, run: i64, state: RunState, ended_at_ms: Option<i64>) -> Result<(), StoreError> {
        self.connection
            .execute(
                "UPDATE run SET state = ?2, ended_at_ms = ?3 WHERE id = ?1",
                params![run, state.as_str(), ended_at_ms],
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }

    /// The newest run of a plan.
    pub(super) fn newest_of_plan(&self, plan: &Digest) -> Result<Option<RunRow>, StoreError> {
        let name: Option<String> = self
            .connection
            .query_row(
                "SELECT name FROM run WHERE plan_digest = ?1 ORDER BY id DESC LIMIT 1",
                params![plan.as_bytes().as_slice()],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| self.sqlite(error))?;
        name.map(|name| self.run(&name)).transpose()
    }
}
