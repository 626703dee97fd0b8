//! Where a report goes: stdout, or a file that is there whole or not at all.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use crate::error::Error;

/// A destination that is being written.
pub(super) enum Output {
    /// Whoever reads stdout.
    Stdout(BufWriter<io::Stdout>),
    /// What exists and is no regular file: a pipe, a device. It is written as it is made.
    Special { writer: BufWriter<std::fs::File>, path: PathBuf },
    /// A file beside the one that is meant, until it is whole.
    File { writer: BufWriter<std::fs::File>, beside: PathBuf, path: PathBuf },
}

impl Output {
    /// Stdout, or this file, which may not be one of the store's.
    pub(super) fn open(path: Option<&Path>, store: &Path) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout()))) };
        if path.is_dir() {
            return Err(Error::usage(format!("`{}` is a folder", path.display()), "-o names a file within it"));
        }
        if path.file_name().is_none() {
            return Err(Error::usage(format!("`{}` names no file", path.display()), "-o FILE names the file to write"));
        }
        if is_special(path) {
            // What is behind `/dev/stdout` may be a file that others write, too.
            let file = std::fs::File::options().append(true).open(path).map_err(|error| cannot_write(path, &error))?;
            return Ok(Self::Special { writer: BufWriter::new(file), path: path.to_owned() });
        }
        let meant = followed(path);
        if is_of_store(&meant, store) {
            return Err(Error::usage(
                format!("`{}` is the store, which holds every run", path.display()),
                "-o FILE names another file",
            ));
        }
        let (file, beside) = beside(&meant).map_err(|error| cannot_write(path, &error))?;
        let output = Self::File { writer: BufWriter::new(file), beside: beside.clone(), path: meant.clone() };
        if let Ok(known) = std::fs::metadata(&meant)
            && let Err(error) = std::fs::set_permissions(&beside, known.permissions())
        {
            output.discard();
            return Err(cannot_write(path, &error));
        }
        removed_when_interrupted(beside);
        Ok(output)
    }

    /// Whether a file can be written here, which a flag names: for who learns only later what is to be written.
    pub(super) fn check(path: &Path, flag: &str, store: &Path) -> Result<(), Error> {
        let another = format!("{flag} FILE names another file");
        if path.is_dir() {
            return Err(Error::usage(format!("`{}` is a folder", path.display()), another));
        }
        let meant = followed(path);
        if is_of_store(&meant, store) {
            return Err(Error::usage(format!("`{}` is the store, which holds every run", path.display()), another));
        }
        if is_special(path) {
            return Ok(());
        }
        let (_, beside) = beside(&meant).map_err(|error| cannot_write(path, &error))?;
        let _ = std::fs::remove_file(&beside);
        Ok(())
    }

    /// Whether two names are of one file, which need not be there yet.
    pub(super) fn is_same(one: &Path, other: &Path) -> bool {
        /// The file in its folder: a folder is there before a file.
        fn whole(path: &Path) -> PathBuf {
            let path = followed(path);
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match (std::fs::canonicalize(folder), path.file_name()) {
                (Ok(folder), Some(name)) => folder.join(name),
                _ => path,
            }
        }
        !is_special(one) && whole(one) == whole(other)
    }

    /// Writes a file at once.
    pub(super) fn put(path: &Path, text: &str, store: &Path) -> Result<(), Error> {
        let mut output = Self::open(Some(path), store)?;
        let written = output.write_all(text.as_bytes());
        output.close(written)
    }

    /// Makes the file what was written, if all of it was; else nothing of it stays.
    pub(super) fn close(mut self, written: io::Result<()>) -> Result<(), Error> {
        let written = written.and_then(|()| self.flush());
        match self {
            // A reader that has gone away is no error of ours.
            Self::Stdout(_) => match written {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(Error::System { what: "failed to write to stdout".to_owned(), error })
                }
                _ => Ok(()),
            },
            Self::Special { path, .. } => match written {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(Error::System { what: format!("failed to write `{}`", path.display()), error })
                }
                _ => Ok(()),
            },
            Self::File { writer, beside, path } => {
                let renamed = written.and_then(|()| writer.get_ref().sync_all()).and_then(|()| {
                    #[expect(clippy::disallowed_methods, reason = "the file that the user names with -o")]
                    std::fs::rename(&beside, &path)
                });
                renamed.map_err(|error| {
                    let _ = std::fs::remove_file(&beside);
                    cannot_write(&path, &error)
                })
            }
        }
    }

    /// Takes back what was written of a file.
    pub(super) fn discard(self) {
        if let Self::File { beside, .. } = self {
            let _ = std::fs::remove_file(&beside);
        }
    }

    /// Whether bytes would go to somebody's terminal.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "text may go there"))]
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout(_)) && io::stdout().is_terminal()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(writer) => writer.write(bytes),
            Self::Special { writer, .. } | Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::Special { writer, .. } | Self::File { writer, .. } => writer.flush(),
        }
    }
}

/// Whether something other than a regular file is there already.
fn is_special(path: &Path) -> bool {
    let is_kept_by_the_system = cfg!(unix) && (path.starts_with("/dev") || path.starts_with("/proc"));
    std::fs::metadata(path).is_ok_and(|known| is_kept_by_the_system || !known.is_file())
}

/// Where a link leads, though nothing need be there yet.
fn followed(path: &Path) -> PathBuf {
    /// Links that follow each other, at most.
    const MOST_LINKS: usize = 40;
    if let Ok(whole) = std::fs::canonicalize(path) {
        return whole;
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = std::fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    path
}

/// Whether this is the store, or what belongs to it while it is open.
fn is_of_store(path: &Path, store: &Path) -> bool {
    ["", "-wal", "-shm", "-journal"].iter().any(|ending| {
        let mut file = store.as_os_str().to_owned();
        file.push(ending);
        std::fs::canonicalize(file).is_ok_and(|file| std::fs::canonicalize(path).is_ok_and(|path| path == file))
    })
}

/// A new file in the same folder, of a short name.
fn beside(path: &Path) -> io::Result<(std::fs::File, PathBuf)> {
    let mut taken = 0;
    loop {
        let beside = path.with_file_name(format!(".ceiling-{}-{taken}.tmp", std::process::id()));
        match std::fs::File::create_new(&beside) {
            // What an older process of this number left there.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && taken < 100 => taken += 1,
            opened => return opened.map(|file| (file, beside)),
        }
    }
}

/// Ctrl-C ends the process, and leaves nothing half-written. Where that cannot be watched for, the file stays.
fn removed_when_interrupted(beside: PathBuf) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            let _ = std::fs::remove_file(&beside);
            std::process::exit(Exit::Interrupted.code().into());
        }
    });
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let hint = match folder {
        Some(folder) if !folder.exists() => format!("there is no folder `{}`: make it first", folder.display()),
        _ => "-o FILE names another file".to_owned(),
    };
    Error::usage(format!("cannot write `{}`: {error}", path.display()), hint)
}
