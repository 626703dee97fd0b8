//! What is known of a job: a file beside the manifest, written whole after each step. No key is ever in it.
//!
//! Before a step that cannot be taken back it says that the step began. Whoever finds it so asks the provider first.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;

/// The family of files that a state belongs to.
const FAMILY: &str = "ceiling/tune";

/// The version that is written.
const VERSION: u32 = 1;

/// What a manifest's name ends in.
const MANIFEST: &str = ".manifest.json";

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadState {
    /// The name under which it goes up; it tells the content.
    pub(super) name: String,
    /// Its name at the provider, once it is there.
    pub(super) id: Option<String>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobState {
    /// The model that is tuned, as the provider knows it.
    pub(super) model: String,
    /// Passes over the file, where they were said.
    pub(super) epochs: Option<u32>,
    /// What the tuned model's name is told by.
    pub(super) suffix: String,
    /// The seed, where one was said.
    pub(super) seed: Option<u64>,
    /// Our mark of it.
    pub(super) tag: String,
    /// Its name at the provider; `None` while it is not known whether the provider has it.
    pub(super) id: Option<String>,
    /// The provider's last word on it.
    pub(super) status: Option<String>,
    /// Whether it will never have a model.
    pub(super) is_lost: bool,
    /// The tuned model, once there is one.
    pub(super) tuned_model: Option<String>,
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    family: String,
    version: u32,
    /// Who tunes.
    pub(super) provider: String,
    /// Of the training file.
    pub(super) train_sha256: Digest,
    /// The training file.
    pub(super) train: UploadState,
    /// The validation file.
    pub(super) validation: Option<UploadState>,
    /// The job, once its making began.
    pub(super) job: Option<JobState>,
    /// Jobs on these files that came to nothing.
    pub(super) earlier: Vec<String>,
}

impl State {
    /// The state of files of which nothing is done.
    pub(super) fn new(provider: &str, train: &Digest, validation: Option<&Digest>) -> Self {
        Self {
            family: FAMILY.to_owned(),
            version: VERSION,
            provider: provider.to_owned(),
            train_sha256: *train,
            train: UploadState { name: file_name(train), id: None },
            validation: validation.map(|digest| UploadState { name: file_name(digest), id: None }),
            job: None,
            earlier: Vec::new(),
        }
    }
}

/// A file's name at the provider, which tells its content.
fn file_name(digest: &Digest) -> String {
    let digest = digest.to_string();
    format!("ceiling-{}.jsonl", digest.get(..32).unwrap_or(&digest))
}

/// Where a manifest's state lies: `train.tune.json` beside `train.manifest.json`.
pub(super) fn place(manifest: &Path) -> PathBuf {
    let name = manifest.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(MANIFEST).or_else(|| name.strip_suffix(".json")).unwrap_or(&name);
    manifest.with_file_name(format!("{stem}.tune.json"))
}

/// Reads the state; `None` where there is none yet.
pub(super) fn read(path: &Path) -> Result<Option<State>, Error> {
    let damaged = |what: String| {
        Error::usage(
            format!("`{}` is no state of a fine-tuning job: {what}", path.display()),
            "look at the provider's site whether there is a job; without this file a new one would be made",
        )
    };
    #[expect(clippy::disallowed_methods, reason = "the state of a job, beside its manifest")]
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let state: State = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if (state.family.as_str(), state.version) != (FAMILY, VERSION) {
        return Err(damaged(format!("it is of version {}; this program reads version {VERSION}", state.version)));
    }
    Ok(Some(state))
}

/// Writes the state whole: what was there before stays until all of it is on the disk.
pub(super) fn write(path: &Path, state: &State) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(state).unwrap_or_default() + "\n";
    put(path, &text)
}

/// Writes a file whole, or leaves what was there. A link stays one.
pub(super) fn put(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error| Error::System { what: format!("failed to write `{}`", path.display()), error };
    let meant = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = meant.with_file_name(format!(".ceiling-{}.tmp", std::process::id()));
    #[expect(clippy::disallowed_methods, reason = "the state of a job, and the files of the suite that it ends in")]
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        if let Ok(known) = std::fs::metadata(&meant) {
            file.set_permissions(known.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &meant)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&beside))).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lies_beside_its_manifest_and_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = place(&folder.path().join("train.manifest.json"));
        assert_eq!(path, folder.path().join("train.tune.json"));
        assert_eq!(read(&path).unwrap(), None);
        let state = State::new("openai", &Digest::of(b"a"), Some(&Digest::of(b"b")));
        write(&path, &state).unwrap();
        assert_eq!(read(&path).unwrap(), Some(state));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::write(&path, "{}").unwrap();
        assert!(read(&path).is_err());
    }
}
