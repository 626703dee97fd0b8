//! The folder of a new suite: there whole or not at all, and never over another one unasked.

use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::init::write::File;

/// Refuses a folder that is there, unless it may be put aside.
pub(super) fn check_free(folder: &Path, force: bool) -> Result<(), Error> {
    if folder.file_name().is_none() {
        return Err(Error::usage(format!("`{}` names no folder", folder.display()), "--output names the new folder"));
    }
    if force || folder.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::usage(
        format!("`{}` is there already", folder.display()),
        "another NAME or --output; --force puts what is there aside and writes anew",
    ))
}

/// Writes the files into a folder beside, has it checked, and gives it its name. Answers where the
/// folder that bore the name is now, and what the check says.
pub(super) fn write(
    folder: &Path,
    files: &[File],
    check: &dyn Fn(&Path) -> Result<Diagnostics, Error>,
) -> Result<(Option<PathBuf>, Diagnostics), Error> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let done = fill(&beside, files).and_then(|()| check(&beside)).and_then(|found| {
        let kept = put_aside(folder)?;
        rename(&beside, folder)?;
        Ok((kept, found))
    });
    if done.is_err() {
        let _ = std::fs::remove_dir_all(&beside);
    }
    let renamed = |found: Diagnostics| {
        let mut placed = Diagnostics::new();
        for mut fault in found {
            if let Ok(inside) = fault.file.strip_prefix(&beside) {
                fault.file = folder.join(inside);
            }
            fault.message = fault.message.replace(&*beside.to_string_lossy(), &folder.to_string_lossy());
            placed.push(fault);
        }
        placed
    };
    match done {
        Ok((kept, found)) => Ok((kept, renamed(found))),
        Err(Error::Input(found)) => Err(Error::Input(renamed(found))),
        Err(other) => Err(other),
    }
}

fn fill(folder: &Path, files: &[File]) -> Result<(), Error> {
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        #[expect(clippy::disallowed_methods, reason = "the folder of the suite that the user asks for")]
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| {
            Error::usage(format!("cannot write `{}`: {error}", path.display()), "--output names another folder")
        })?;
    }
    Ok(())
}

/// Gives what bears the name another one.
fn put_aside(folder: &Path) -> Result<Option<PathBuf>, Error> {
    if folder.symlink_metadata().is_err() {
        return Ok(None);
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let free =
        (1..).map(|n| folder.with_file_name(format!("{name}.old-{n}"))).find(|path| path.symlink_metadata().is_err());
    let Some(free) = free else { return Ok(None) };
    rename(folder, &free)?;
    Ok(Some(free))
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "the folder of the suite that the user asks for")]
    std::fs::rename(from, to)
        .map_err(|error| Error::System { what: format!("cannot rename to `{}`", to.display()), error })
}
