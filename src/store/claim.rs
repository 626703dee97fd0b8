//! One process at a time asks a run: a second one would pay for the same answers again.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::{Store, StoreError};
use crate::digest::Digest;

/// Digits of a plan's digest in the name of its lock.
const DIGITS: usize = 12;

/// Times that a lock is taken whose file its last holder was about to remove.
const TRIES: usize = 8;

/// A run that this process alone asks, until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Claim(Option<(File, PathBuf)>);

impl Store {
    /// Claims the run of a plan. Where the file system knows no locks, nothing is claimed.
    ///
    /// # Errors
    /// Another process has it.
    pub fn claim(&self, plan: &Digest) -> Result<Claim, StoreError> {
        let mut name = self.path().as_os_str().to_owned();
        name.push(format!("-{}.lock", &plan.to_string()[..DIGITS]));
        let path = PathBuf::from(name);
        for _ in 0..TRIES {
            let Ok(file) = OpenOptions::new().create(true).write(true).truncate(false).open(&path) else {
                return Ok(Claim(None));
            };
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Ok(Claim(Some((file, path)))),
                // It was removed between being opened and being locked.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::Claimed(self.path().display().to_string())),
                Err(TryLockError::Error(_)) => return Ok(Claim(None)),
            }
        }
        Ok(Claim(None))
    }
}

impl Claim {
    /// Whether nobody else can ask the run: where there are no locks, somebody may.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((file, path)) = self.0.take() {
            // Removed while it is still locked, so that nobody's lock is on a file that is gone.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
    }
}

/// Whether the path still leads to the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// An open file cannot be removed elsewhere.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_claimed_once_and_again_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).unwrap();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let first = store.claim(&one).unwrap();
        assert!(matches!(store.claim(&one), Err(StoreError::Claimed(_))));
        let _other = store.claim(&other).unwrap();
        drop(first);
        drop(store.claim(&one).unwrap());
        let left = std::fs::read_dir(folder.path()).unwrap().flatten();
        let locks = left.filter(|file| file.file_name().to_string_lossy().ends_with(".lock")).count();
        assert_eq!(locks, 1, "only that of the other plan");
    }
}
