//! The door to provider files: those that ship, and the user's over them.

mod trust;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::raw::{RawProvider, read_source};
use super::{EndpointId, Model, Provider};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::document::Family;

/// Largest file that is read whole: suite, provider, schema and prompt files.
pub const LARGEST_FILE: u64 = 64 * 1024 * 1024;

pub(super) static FAMILY: Family = Family {
    syntax: "provider/syntax",
    unknown_key: "provider/unknown-key",
    missing_key: "provider/missing-key",
    wrong_type: "provider/wrong-type",
    unknown_value: "provider/unknown-value",
    out_of_range: "provider/out-of-range",
    not_yet: "provider/not-yet",
};

const READING: ReadCodes =
    ReadCodes { unreadable: "provider/unreadable", not_utf8: "provider/not-utf8", too_large: "provider/too-large" };

/// The providers that ship, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("anthropic", include_str!("../../providers/anthropic.toml")),
    ("azure-openai", include_str!("../../providers/azure-openai.toml")),
    ("bedrock", include_str!("../../providers/bedrock.toml")),
    ("deepseek", include_str!("../../providers/deepseek.toml")),
    ("fireworks", include_str!("../../providers/fireworks.toml")),
    ("gemini", include_str!("../../providers/gemini.toml")),
    ("groq", include_str!("../../providers/groq.toml")),
    ("huggingface", include_str!("../../providers/huggingface.toml")),
    ("llama-cpp", include_str!("../../providers/llama-cpp.toml")),
    ("mistral", include_str!("../../providers/mistral.toml")),
    ("modal", include_str!("../../providers/modal.toml")),
    ("ollama", include_str!("../../providers/ollama.toml")),
    ("openai", include_str!("../../providers/openai.toml")),
    ("openai-responses", include_str!("../../providers/openai-responses.toml")),
    ("openrouter", include_str!("../../providers/openrouter.toml")),
    ("smollm2", include_str!("../../providers/smollm2.toml")),
    ("together", include_str!("../../providers/together.toml")),
    ("vertex", include_str!("../../providers/vertex.toml")),
    ("vllm", include_str!("../../providers/vllm.toml")),
];

/// Every provider that a suite may name.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    served: BTreeMap<String, Provider>,
}

impl Providers {
    /// The provider of this name.
    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.served.get(name)
    }

    /// An endpoint's provider and model.
    pub fn endpoint(&self, endpoint: &EndpointId) -> Option<(&Provider, &Model)> {
        let provider = self.get(&endpoint.provider)?;
        Some((provider, provider.models.get(&endpoint.model)?))
    }

    /// The names of all providers that can be used, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.served.keys().map(String::as_str)
    }

    /// Adds or replaces a provider; for tests and generated ones.
    pub fn insert(&mut self, provider: Provider) {
        self.served.insert(provider.id.clone(), provider);
    }
}

/// The providers that ship, with those of `DIR/providers/*.toml` over them, later folders last.
///
/// A file that bears the name of an earlier one changes only the keys that it has; a model row
/// replaces the whole row of that name. Folders without a `providers` folder are passed over.
pub fn load(dirs: &[&Path]) -> Result<Providers, Diagnostics> {
    let mut faults = Diagnostics::new();
    let mut sources = Vec::new();
    for (name, text) in BUILT_IN {
        sources.push(((*name).to_owned(), Source::new(format!("providers/{name}.toml"), *text)));
    }
    for dir in dirs {
        for (name, path) in provider_files(&dir.join("providers")) {
            match read_text(&path, &READING) {
                Ok(source) => sources.push((name, source)),
                Err(fault) => faults.push(*fault),
            }
        }
    }
    let mut merged: BTreeMap<String, (RawProvider, PathBuf)> = BTreeMap::new();
    for (name, source) in sources {
        let (mut raw, found) = read_source(&source);
        faults.extend(found);
        if let Some((earlier, _)) = merged.remove(&name) {
            raw = raw.over(earlier);
        }
        merged.insert(name, (raw, source.path));
    }
    let mut providers = Providers::default();
    for (name, (raw, path)) in merged {
        faults.extend(raw.misplaced());
        match raw.build(&name) {
            Ok(provider) => providers.insert(provider),
            Err(key) if faults.iter().any(|fault| fault.file == path) => {
                // What is missing may only be unreadable; the file's own faults come first.
                let _ = key;
            }
            Err(key) => faults.push(Diagnostic::error(FAMILY.missing_key, path, format!("`{key}` is missing"))),
        }
    }
    faults.into_result().map(|_| providers)
}

/// The same with the suite's folder on top, whose files send a key only where a provider of `dirs`, or one
/// that ships, sends it too.
///
/// # Errors
/// Every fault of the files, and keys that would go elsewhere.
pub fn load_with_suite(dirs: &[&Path], suite: &Path) -> Result<Providers, Diagnostics> {
    let whole = load(&[dirs, &[suite]].concat())?;
    if !provider_files(&suite.join("providers")).is_empty() {
        trust::check(&whole, &load(dirs)?, suite)?;
    }
    Ok(whole)
}

/// The day of the prices and the model rows of one provider file, without those that it stands over.
///
/// # Errors
/// Every fault of the file.
pub fn rows_of(source: &Source) -> Result<(Option<String>, BTreeMap<String, Model>), Diagnostics> {
    let (raw, faults) = read_source(source);
    faults.into_result().map(|_| raw.into_rows())
}

/// Reads a provider file or a price list whole.
///
/// # Errors
/// A file that cannot be read, is too large or is no text.
pub fn read_file(path: &Path) -> Result<Source, Box<Diagnostic>> {
    read_text(path, &READING)
}

/// Name and path of each `*.toml` of a folder, sorted; nothing for a folder that is not there.
fn provider_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned();
            // A pipe would be waited for.
            path.is_file().then_some((name, path))
        })
        .collect();
    files.sort();
    files
}

/// The codes of faults in reading a file whole.
#[derive(Debug)]
pub(crate) struct ReadCodes {
    pub(crate) unreadable: &'static str,
    pub(crate) not_utf8: &'static str,
    pub(crate) too_large: &'static str,
}

/// Reads a text file whole, unless it is larger than [`LARGEST_FILE`] or not UTF-8.
pub(crate) fn read_text(path: &Path, codes: &ReadCodes) -> Result<Source, Box<Diagnostic>> {
    read_text_up_to(LARGEST_FILE, path, codes)
}

/// Reads a text file whole, unless it is larger than so many bytes or not UTF-8.
pub(crate) fn read_text_up_to(largest: u64, path: &Path, codes: &ReadCodes) -> Result<Source, Box<Diagnostic>> {
    let unreadable = |error: std::io::Error| {
        Box::new(Diagnostic::error(codes.unreadable, path, format!("cannot read the file: {error}")))
    };
    #[expect(clippy::disallowed_methods, reason = "the door for files that are read whole")]
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > largest {
        let message = format!("the file is larger than {} MiB", largest / 1024 / 1024);
        return Err(Box::new(Diagnostic::error(codes.too_large, path, message)));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(error) => Err(Box::new(not_utf8(codes.not_utf8, path, error.as_bytes(), error.utf8_error().valid_up_to()))),
    }
}

/// The fault for bytes that are no UTF-8, with line and column of the first one.
fn not_utf8(code: &'static str, path: &Path, bytes: &[u8], offset: usize) -> Diagnostic {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = format!("the file is not UTF-8: byte 0x{:02x} at offset {offset}", bytes[offset]);
    Diagnostic::error(code, path, message)
        .at(u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
        .help("save it as UTF-8")
}

#[cfg(test)]
mod tests;
