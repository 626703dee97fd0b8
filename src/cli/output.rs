//! Where a report goes: stdout, or a file that is there whole or not at all.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A destination that is being written.
pub(super) enum Output {
    /// Whoever reads stdout.
    Stdout(BufWriter<io::Stdout>),
    /// A file beside the one that is meant, until it is whole.
    File { writer: BufWriter<std::fs::File>, beside: PathBuf, path: PathBuf },
}

impl Output {
    /// Stdout, or this file.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout()))) };
        if path.is_dir() {
            return Err(Error::usage(format!("`{}` is a folder", path.display()), "-o names a file within it"));
        }
        let Some(name) = path.file_name() else {
            return Err(Error::usage(format!("`{}` names no file", path.display()), "-o FILE names the file to write"));
        };
        let mut beside = name.to_owned();
        beside.push(format!(".{}.tmp", std::process::id()));
        let beside = path.with_file_name(beside);
        #[expect(clippy::disallowed_methods, reason = "the file that the user names with -o")]
        let file = std::fs::File::create(&beside).map_err(|error| cannot_write(path, &error))?;
        Ok(Self::File { writer: BufWriter::new(file), beside, path: path.to_owned() })
    }

    /// Writes a file at once.
    pub(super) fn put(path: &Path, text: &str) -> Result<(), Error> {
        let mut output = Self::open(Some(path))?;
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
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let hint = match folder {
        Some(folder) if !folder.exists() => format!("there is no folder `{}`: make it first", folder.display()),
        _ => "-o FILE names another file".to_owned(),
    };
    Error::usage(format!("cannot write `{}`: {error}", path.display()), hint)
}
