//! The door to suite files: a folder becomes a [`Suite`], or every fault at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::data::DataCount;
use super::examples::{RowFault, Shard};
use super::raw::{FAMILY, RawSuite};
use super::{Example, OtherSplit, Suite, build};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::document::Document;
use crate::provider::load::{Providers, ReadCodes, read_text};
use crate::variant::{Structured, Tuning};

const READING: ReadCodes =
    ReadCodes { unreadable: "suite/unreadable", not_utf8: "suite/not-utf8", too_large: "suite/too-large" };

/// The file that makes a folder a suite.
pub const SUITE_FILE: &str = "suite.toml";

/// What the command line changes about a suite.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `--provider smollm2=llama-cpp`: the same models, asked of another provider.
    pub provider_overrides: BTreeMap<String, String>,
    /// Only these variants.
    pub variants: Option<Vec<String>>,
    /// Only the first so many examples.
    pub limit: Option<u64>,
    /// Only these examples.
    pub examples: Option<BTreeSet<String>>,
    /// What stands in for files of the folder: the suite as it was. The other data are those of the folder.
    pub frozen: Option<Frozen>,
    /// Only examples with all of these tags.
    pub tags: Vec<(String, String)>,
    /// Only this part of the examples.
    pub shard: Option<Shard>,
    /// The run whose failures the examples are, where they were chosen so.
    pub failures_of: Option<String>,
    /// The split that is asked in place of the test examples.
    pub on: Option<OtherSplit>,
    /// A variant that stands in no file.
    pub added: Option<AddedVariant>,
}

/// A variant beside those of suite.toml: a tuned model, asked as its training data were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedVariant {
    /// Its name.
    pub name: String,
    /// Who answers: `provider/model`.
    pub model: String,
    /// The prompt's name.
    pub prompt: String,
    /// The template of its system part.
    pub system: String,
    /// The template of its user part.
    pub user: String,
    /// How the shape is asked for.
    pub structured: Structured,
    /// Request parameters, sent as they stand.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// What is known of its training.
    pub tuned: Tuning,
}

/// Parts of a suite as they were.
#[derive(Debug, Clone, Default)]
pub struct Frozen {
    /// suite.toml, schema and prompts, by their paths as written.
    pub texts: BTreeMap<String, String>,
    /// The rows that shots are chosen from, in place of the pool.
    pub shots: Option<Vec<Example>>,
}

/// A suite that can run, and what was found that does not stop it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The suite.
    pub suite: Suite,
    /// Warnings only.
    pub warnings: Diagnostics,
    /// What the data come to, where they were read and nothing else goes into their digest.
    pub count: Option<DataCount>,
}

/// Reads a suite's folder: suite.toml, schema and prompts whole; that data files are there.
///
/// What can only be seen by reading the data is found by [`super::check::check`].
pub fn load(folder: &Path, providers: &Providers, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let file = folder.join(SUITE_FILE);
    if !file.is_file() {
        return Err(no_suite(folder).into());
    }
    let source = match options.frozen.as_ref().and_then(|frozen| frozen.texts.get(SUITE_FILE)) {
        Some(text) => Source::new(&file, text.clone()),
        None => read(&file).map_err(|fault| Diagnostics::from(*fault))?,
    };
    let document = Document::parse(&source, &FAMILY);
    let raw = RawSuite::read(&document);
    let sound = document.is_sound();
    let found = document.into_faults();
    if !sound {
        // What else seems wrong may only follow from what could not be read.
        return Err(found.into_result().err().unwrap_or_default());
    }
    let mut faults = build::Faults::new(&source, found);
    let suite = build::build(raw, folder, providers, options, &mut faults);
    let warnings = faults.into_inner().into_result()?;
    match suite {
        Some(suite) => Ok(Loaded { suite, warnings, count: None }),
        None => Err(Diagnostic::error("suite/missing-key", file, "the suite is incomplete").into()),
    }
}

/// The fault for a folder that is no suite, with the nearest one that is.
fn no_suite(folder: &Path) -> Diagnostic {
    let (code, path, message) = if !folder.exists() {
        ("suite/no-folder", folder.to_owned(), format!("there is no folder `{}`", folder.display()))
    } else if !folder.is_dir() {
        ("suite/no-folder", folder.to_owned(), format!("`{}` is a file; a suite is a folder", folder.display()))
    } else if file_names(folder).is_empty() {
        ("suite/no-suite-file", folder.join("suite.toml"), format!("the folder `{}` is empty", folder.display()))
    } else {
        let message = format!("the folder `{}` has no suite.toml", folder.display());
        ("suite/no-suite-file", folder.join("suite.toml"), message)
    };
    let fault = Diagnostic::error(code, path, message);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut known = Vec::new();
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for place in [parent.to_owned(), parent.join("suites"), folder.join("suites"), PathBuf::from("suites")] {
        for entry in file_names(&place) {
            let candidate = place.join(&entry);
            if candidate.join("suite.toml").is_file() && !known.iter().any(|(known, _)| *known == entry) {
                known.push((entry, candidate));
            }
        }
    }
    let near = crate::text::nearest(&name, known.iter().map(|(name, _)| name.as_str()));
    match known.iter().find(|(name, _)| Some(name.as_str()) == near) {
        Some((_, path)) => fault.help(format!("did you mean `{}`?", path.display())),
        None if known.is_empty() => fault.help("the README has a small suite whole"),
        None => fault.suggest(&name, known.iter().map(|(name, _)| name.as_str())),
    }
}

/// Reads a file of the suite whole.
pub(super) fn read(path: &Path) -> Result<Source, Box<Diagnostic>> {
    read_text(path, &READING)
}

/// suite.toml again, to show a place of it.
///
/// # Errors
/// It is no longer there, or no text.
pub fn read_suite_file(suite: &Suite) -> Result<Source, Box<Diagnostic>> {
    read(&suite.file)
}

/// Opens a data file for streaming.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, RowFault> {
    #[expect(clippy::disallowed_methods, reason = "the door for data files")]
    let opened = File::open(path);
    match opened {
        Ok(file) => Ok(Box::new(BufReader::with_capacity(64 * 1024, file))),
        Err(error) => {
            let message = format!("cannot open the file: {error}");
            Err(Box::new(Diagnostic::error("suite/unreadable", path, message)))
        }
    }
}

/// The names in a folder, sorted; none if it cannot be read.
pub(super) fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

#[cfg(test)]
pub(in crate::suite) mod tests;
