//! The folder of the suite that goes with an imported run: there whole, or not at all.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::graded::Grading;
use crate::error::Error;
use crate::import::Format;
use crate::import::suite_files::{About, EXAMPLES, PROMPT, provider_toml, suite_toml};
use crate::import::survey::Survey;
use crate::suite::Example;

/// A folder that is being written beside the one that is meant.
pub(super) struct Folder {
    meant: PathBuf,
    beside: PathBuf,
    examples: BufWriter<fs::File>,
}

impl Folder {
    /// Begins a folder that must not be there yet.
    pub(super) fn begin(meant: &Path) -> Result<Self, Error> {
        if meant.exists() {
            return Err(Error::usage(
                format!("`{}` is there already", meant.display()),
                "-o FOLDER names another folder for the suite; --suite FOLDER grades by one that is there",
            ));
        }
        let mut name = meant.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = meant.with_file_name(name);
        let made = ["prompts", "providers"].iter().try_for_each(|below| make(&beside.join(below)));
        #[expect(clippy::disallowed_methods, reason = "the suite's own folder")]
        let opened = made.and_then(|()| fs::File::create(beside.join(EXAMPLES)));
        match opened {
            Ok(file) => Ok(Self { meant: meant.to_owned(), beside, examples: BufWriter::new(file) }),
            Err(error) => {
                let _ = fs::remove_dir_all(&beside);
                Err(cannot_write(meant, &error))
            }
        }
    }

    /// Adds an example.
    pub(super) fn add(&mut self, example: &Example) -> Result<(), Error> {
        let mut line = json!({"id": example.id, "input": example.input, "expected": example.expected});
        if let Some(cluster) = &example.cluster {
            line["cluster"] = cluster.as_str().into();
        }
        if !example.tags.is_empty() {
            line["tags"] = json!(example.tags);
        }
        writeln!(self.examples, "{line}").map_err(|error| cannot_write(&self.meant, &error))
    }

    /// Writes the files beside the examples.
    pub(super) fn describe(
        &mut self,
        survey: &Survey,
        format: Format,
        (name, setting, variants): (&str, &str, &[String]),
        grading: &Grading,
    ) -> Result<(), Error> {
        let Grading::Stated { primary } = grading else { return Ok(()) };
        let about = About { name, setting, primary, variants };
        let files = [
            ("suite.toml", suite_toml(survey, format, &about)),
            ("prompts/imported.md.j2", PROMPT.to_owned()),
            ("providers/imported.toml", provider_toml(survey)),
        ];
        #[expect(clippy::disallowed_methods, reason = "the suite's own folder")]
        let put = |(name, text): (&str, String)| fs::write(self.beside.join(name), text);
        files.into_iter().try_for_each(put).map_err(|error| cannot_write(&self.meant, &error))
    }

    /// Makes the folder what was written.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        #[expect(clippy::disallowed_methods, reason = "the suite's own folder")]
        let renamed = self.examples.flush().and_then(|()| fs::rename(&self.beside, &self.meant));
        renamed.map_err(|error| {
            let _ = fs::remove_dir_all(&self.beside);
            cannot_write(&self.meant, &error)
        })
    }

    /// Takes back what was written.
    pub(super) fn discard(self) {
        let _ = fs::remove_dir_all(&self.beside);
    }
}

fn make(folder: &Path) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the suite's own folder")]
    fs::create_dir_all(folder)
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("cannot write `{}`: {error}", path.display()), "-o FOLDER names another folder")
}
