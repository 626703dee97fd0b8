//! What was measured, in one SQLite file; the only folder that names `rusqlite`.
//!
//! One writer thread commits in groups; readers never block it (WAL). What a run shows as done is
//! committed before it is shown, so that killing the process at any moment loses nothing shown.

mod batch;
mod check;
mod claim;
mod label_review;
mod merge;
mod order;
mod pack;
mod probe;
mod prune;
mod raw;
mod read;
mod runs;
mod size;
mod vectors;
mod write;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub use batch::{BatchItem, BatchPhase, BatchRow, NewBatch};
pub use check::{Checked, Fault};
pub use claim::Claim;
pub use merge::{Merged, ShardRun};
pub use prune::Pruned;
pub use raw::{Bodies, Damaged, RawTrial};
pub use read::{CachedExchange, StoredTrial};
pub use size::{FileSize, RunSize};
pub use write::{Committed, Write, Writer};

/// Migrations in order; each is applied once. Their count is the store's version.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_first.sql"),
    include_str!("migrations/002_second.sql"),
    include_str!("migrations/003_delivery.sql"),
    include_str!("migrations/004_packed.sql"),
    include_str!("migrations/005_ordered.sql"),
    include_str!("migrations/006_before_training.sql"),
];

/// Marks a file as a store of this program ("ceil").
const APPLICATION_ID: i32 = 0x6365_696c;

/// How long one process waits for another's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("failed to use the store `{path}`: {error}")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// The folder cannot be made.
    #[error("failed to make the folder of the store `{path}`: {error}")]
    Folder {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is no store yet.
    #[error("there is no store at `{0}` yet")]
    Missing(String),
    /// Another program's file.
    #[error("`{0}` is not a store of ceiling")]
    Foreign(String),
    /// A newer version wrote it.
    #[error("the store `{path}` has format {found}; this version of ceiling reads up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: usize,
        /// The newest version known.
        known: usize,
    },
    /// No such run.
    #[error("the store has no run `{0}`")]
    NoRun(String),
    /// The writer thread is gone.
    #[error("the store's writer stopped: {0}")]
    Writer(String),
    /// Two stores answer one trial differently.
    #[error("`{store}` and `{other}` have different answers of variant `{variant}` to example `{example}`")]
    Disagree {
        /// The store that is written.
        store: String,
        /// The store that is read.
        other: String,
        /// The variant.
        variant: String,
        /// The example.
        example: String,
    },
    /// Another process asks the same run.
    #[error("another process is asking this very run, in the store `{0}`")]
    Claimed(String),
    /// Another process asks some run of the store.
    #[error("another process is asking a run of the store `{0}`")]
    Busy(String),
    /// A row that this program did not write.
    #[error("a row of the store cannot be read: {0}")]
    Row(String),
}

impl StoreError {
    /// Whether it is only that nothing can be written.
    fn is_write_protected(&self) -> bool {
        let Self::Sqlite { error, .. } = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Under way, or the process was killed.
    Running,
    /// Stopped by the user or by a limit; it can go on.
    Stopped,
    /// Every trial is settled.
    Finished,
}

impl RunState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "finished" => Self::Finished,
            "stopped" => Self::Stopped,
            _ => Self::Running,
        }
    }
}

/// A run as the store knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its row.
    #[serde(skip)]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The suite's name.
    pub suite: String,
    /// The suite's folder.
    pub folder: String,
    /// How it stands.
    pub state: RunState,
    /// When it began, milliseconds since 1970-01-01 UTC.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// The options that it ran with, as JSON.
    #[serde(skip)]
    pub options: String,
    /// Trials in it.
    pub trials: u64,
}

/// A run to begin.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The suite's name.
    pub suite: &'a str,
    /// The suite's folder.
    pub folder: &'a Path,
    /// Digest of everything that decides what is asked; a run goes on only where it is equal.
    pub plan_digest: Digest,
    /// The options as JSON.
    pub options: &'a str,
    /// Now, milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Whether nothing can be written through this connection.
    read_only: bool,
    unpacker: pack::Unpacker,
    /// Views since the log was last brought into the file.
    views: Cell<u32>,
}

impl Store {
    /// Opens the store, making it and its folder where there is none.
    ///
    /// # Errors
    /// A file of another program or of a newer version, or what the system says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            #[expect(clippy::disallowed_methods, reason = "the store is a door")]
            std::fs::create_dir_all(folder)
                .map_err(|error| StoreError::Folder { path: path.display().to_string(), error })?;
        }
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// An empty store that is never written to disk, for whoever only looks things up.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::connect(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens a store that must exist; where nothing can be written, for reading only.
    ///
    /// # Errors
    /// As [`Store::open`], and when there is none.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.display().to_string()));
        }
        match Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(error) if error.is_write_protected() => Self::connect_read_only(path).ok_or(error),
            opened => opened,
        }
    }

    /// Opens a store that must exist to look at it: whatever is tried, no row of it changes.
    ///
    /// # Errors
    /// As [`Store::open_existing`].
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let store = Self::open_existing(path)?;
        store.connection.pragma_update(None, "query_only", true).map_err(|error| store.sqlite(error))?;
        Ok(Self { read_only: true, ..store })
    }

    /// Opens a store whose file or folder is write-protected; `None` where it cannot be read so.
    fn connect_read_only(path: &Path) -> Option<Self> {
        Self::read_only(path, false).or_else(|| {
            // Without the files of a WAL, SQLite wants to make them, unless it is told that nobody
            // writes. Then it looks at no WAL either, so there must be nothing in one.
            let mut wal = path.as_os_str().to_owned();
            wal.push("-wal");
            let pending = std::fs::metadata(wal).is_ok_and(|file| file.len() > 0);
            if pending { None } else { Self::read_only(path, true) }
        })
    }

    fn read_only(path: &Path, immutable: bool) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if immutable {
            let path = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).ok()?
        } else {
            Connection::open_with_flags(path, flags).ok()?
        };
        connection.busy_timeout(BUSY_TIMEOUT).ok()?;
        let store = Self {
            path: path.to_owned(),
            connection,
            read_only: true,
            unpacker: pack::Unpacker::default(),
            views: Cell::default(),
        };
        // What an older version wrote cannot be brought up to date here.
        (store.check().ok()? == MIGRATIONS.len()).then_some(store)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        if path.is_dir() {
            return Err(StoreError::Foreign(shown));
        }
        let sqlite = |error| StoreError::Sqlite { path: shown.clone(), error };
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
        // Otherwise a statement whose plan leans on a partial index is planned anew for each value it is given
        // (<https://www.sqlite.org/c3ref/c_dbconfig_defensive.html>, SQLITE_DBCONFIG_ENABLE_QPSG).
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sqlite)?;
        let mut store = Self {
            path: path.to_owned(),
            connection,
            read_only: false,
            unpacker: pack::Unpacker::default(),
            views: Cell::default(),
        };
        store.check_and_migrate()?;
        Ok(store)
    }

    fn check_and_migrate(&mut self) -> Result<(), StoreError> {
        let version = self.check()?;
        self.use_wal().map_err(|error| self.sqlite(error))?;
        self.connection.pragma_update(None, "synchronous", "NORMAL").map_err(|error| self.sqlite(error))?;
        if version < MIGRATIONS.len() {
            self.migrate().map_err(|error| self.sqlite(error))?;
        }
        Ok(())
    }

    /// SQLite does not wait for others with a change of the journal's mode, so this does
    /// (<https://www.sqlite.org/wal.html>, "Sometimes Queries Return SQLITE_BUSY").
    fn use_wal(&self) -> rusqlite::Result<()> {
        const PAUSE: Duration = Duration::from_millis(5);
        let mut left = BUSY_TIMEOUT;
        loop {
            match self.connection.pragma_update(None, "journal_mode", "WAL") {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && !left.is_zero() => {
                    std::thread::sleep(PAUSE);
                    left = left.saturating_sub(PAUSE);
                }
                done => return done,
            }
        }
    }

    /// The version of the store's format, if this program can read it.
    fn check(&self) -> Result<usize, StoreError> {
        let shown = self.path.display().to_string();
        let sqlite = |error| StoreError::Sqlite { path: shown.clone(), error };
        // One view of all three figures: another process may be making this store.
        let _view = self.connection.unchecked_transaction().map_err(sqlite)?;
        let pragma =
            |connection: &Connection, name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let version = pragma(&self.connection, "user_version").map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign(shown.clone()),
            _ => sqlite(error),
        })?;
        let application = pragma(&self.connection, "application_id").map_err(sqlite)?;
        let tables: i64 =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sqlite)?;
        if application != APPLICATION_ID && tables > 0 {
            return Err(StoreError::Foreign(shown));
        }
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > MIGRATIONS.len() {
            return Err(StoreError::Newer { path: shown, found: version, known: MIGRATIONS.len() });
        }
        Ok(version)
    }

    /// Applies what is missing in one transaction; another process may have been quicker.
    fn migrate(&mut self) -> rusqlite::Result<()> {
        // A table that others refer to can be replaced only so (<https://www.sqlite.org/lang_altertable.html>, 7).
        self.connection.pragma_update(None, "foreign_keys", false)?;
        self.migrate_at_once()?;
        self.connection.pragma_update(None, "foreign_keys", true)
    }

    fn migrate_at_once(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for migration in MIGRATIONS.iter().skip(version as usize) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
        transaction.commit()
    }

    fn sqlite(&self, error: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.display().to_string(), error }
    }

    /// Whether nothing can be written.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;
