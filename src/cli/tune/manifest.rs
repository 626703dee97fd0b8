//! The manifest and its files, as they lie in its folder.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::Error;
use crate::text::one_line;
use crate::training::manifest::{FileFacts, Manifest, Method};
use crate::wire::tuning::Objective;

/// A manifest as it was found.
pub(super) struct Found {
    pub(super) manifest: Manifest,
    pub(super) path: PathBuf,
    file: std::fs::File,
}

impl Found {
    /// Reads a manifest.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        const HINT: &str = "`ceiling export SUITE --format FORMAT -o FILE` writes FILE and its manifest";
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("cannot read the manifest `{}`: {error}", path.display()), HINT)
        };
        #[expect(clippy::disallowed_methods, reason = "the file that the user names")]
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut &file, &mut text).map_err(unreadable)?;
        let manifest = Manifest::parse(&text).map_err(|error| {
            Error::usage(format!("`{}` is no manifest of training files: {error}", path.display()), HINT)
        })?;
        Ok(Self { manifest, path: path.to_owned(), file })
    }

    /// Keeps others from submitting the same files until this is dropped. Where files cannot be locked, nothing does.
    pub(super) fn lock(&self) -> Result<(), Error> {
        match self.file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::usage(
                format!("another `ceiling tune submit` works on `{}`", self.path.display()),
                "wait until it is done: two at once could start two jobs",
            )),
            _ => Ok(()),
        }
    }

    /// Waits until no other command writes what these files end in, and keeps others from it until this is dropped.
    /// Where files cannot be locked, nothing does.
    pub(super) fn wait_for_lock(&self) {
        drop(self.file.lock());
    }

    /// The folder that the files lie in.
    pub(super) fn folder(&self) -> PathBuf {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    }

    /// The suite's folder, short where it lies below the current one.
    pub(super) fn suite(&self) -> PathBuf {
        let joined = self.folder().join(&self.manifest.suite.folder);
        let Ok(whole) = std::fs::canonicalize(&joined) else { return joined };
        let here = std::path::absolute(".").and_then(std::fs::canonicalize).unwrap_or_default();
        match whole.strip_prefix(&here) {
            Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
            _ => whole,
        }
    }

    /// Where one of its files lies.
    pub(super) fn place(&self, facts: &FileFacts) -> Result<PathBuf, Error> {
        let is_name = Path::new(&facts.path).file_name().is_some_and(|name| name == facts.path.as_str());
        if !is_name {
            return Err(Error::usage(
                format!("the manifest names a file `{}` outside its folder", one_line(&facts.path, 100)),
                "training files lie beside their manifest",
            ));
        }
        Ok(self.folder().join(&facts.path))
    }

    /// One of its files whole, if it is still what was exported.
    pub(super) fn read(&self, facts: &FileFacts, most_bytes: u64) -> Result<Vec<u8>, Error> {
        let path = self.place(facts)?;
        let shown = path.display();
        if facts.bytes > most_bytes {
            return Err(Error::usage(
                format!(
                    "`{shown}` has {} bytes, and files of at most {} can be sent",
                    crate::units::group_thousands(i128::from(facts.bytes)),
                    crate::units::group_thousands(i128::from(most_bytes)),
                ),
                "export fewer rows, or upload the file with the provider's own client",
            ));
        }
        #[expect(clippy::disallowed_methods, reason = "the file that the manifest names, in its folder")]
        let data = std::fs::read(&path).map_err(|error| {
            Error::usage(format!("cannot read `{shown}`: {error}"), "the file lies beside its manifest: export again")
        })?;
        if Digest::of(&data) != facts.sha256 {
            return Err(Error::usage(
                format!("`{shown}` is not the file that was exported: its SHA-256 is another one"),
                "export again: leakage checks and the acceptance test hold for the exported rows alone",
            ));
        }
        Ok(data)
    }

    /// How the model is trained.
    pub(super) fn objective(&self) -> Objective {
        match self.manifest.method {
            Method::Supervised => Objective::Supervised,
            Method::Preference => Objective::Preference,
        }
    }
}
