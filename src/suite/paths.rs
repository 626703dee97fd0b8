//! Which files a path of suite.toml means, and that they stay inside the suite's folder.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;

use super::build::Faults;
use super::load;
use crate::diagnostic::{Diagnostic, Source};

/// The recording's name in every suite's folder.
const RECORDING: &str = "recording.jsonl";

const LEADS_OUT: &str = "leads out of the suite's folder";
const OUTSIDE: &str = "copy the file into the folder, or set `[data] allow_outside = true` if you trust the suite";

/// Resolves the paths of one suite.
#[derive(Debug)]
pub(super) struct Folder<'a> {
    pub(super) path: &'a Path,
    pub(super) allow_outside: bool,
    /// Texts that stand in for files, by their paths as suite.toml writes them.
    pub(super) frozen: Option<&'a BTreeMap<String, String>>,
}

impl Folder<'_> {
    /// The files that paths and globs name, in order; the files of a glob are sorted.
    pub(super) fn data_files(&self, patterns: &[Spanned<String>], faults: &mut Faults<'_>) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for pattern in patterns {
            let found = self.matching(pattern, faults);
            for file in &found {
                check_format(file, pattern.span(), faults);
            }
            files.extend(found);
        }
        files
    }

    /// The same for documents, which are .jsonl files.
    pub(super) fn document_files(&self, patterns: &[Spanned<String>], faults: &mut Faults<'_>) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for pattern in patterns {
            let found = self.matching(pattern, faults);
            for file in found.iter().filter(|file| !is_jsonl(file)) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let message = format!("`{name}` is no .jsonl file, which documents are");
                faults.error("suite/unknown-format", pattern.span(), message);
            }
            files.extend(found);
        }
        files
    }

    fn matching(&self, pattern: &Spanned<String>, faults: &mut Faults<'_>) -> Vec<PathBuf> {
        let text = pattern.get_ref();
        if !text.contains(['*', '?', '[']) {
            return self.file(pattern, faults).into_iter().collect();
        }
        if !self.stays_inside(text, pattern.span(), faults) {
            return Vec::new();
        }
        let full = format!("{}/{text}", glob::Pattern::escape(&self.path.to_string_lossy()));
        let paths = match glob::glob(&full) {
            Ok(paths) => paths,
            Err(error) => {
                faults.error("suite/no-file", pattern.span(), format!("`{text}` is not a glob: {}", error.msg));
                return Vec::new();
            }
        };
        let mut found: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| path.is_file()).collect();
        found.sort();
        found.retain(|path| self.really_inside(path, text, pattern.span(), faults));
        if found.is_empty() {
            faults.error("suite/no-file", pattern.span(), format!("no file matches `{text}`"));
        }
        found
    }

    /// A text of the suite whole, from its file or from what stands in for it.
    pub(super) fn text(&self, path: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Source> {
        if let Some(frozen) = self.frozen {
            if !self.stays_inside(path.get_ref(), path.span(), faults) {
                return None;
            }
            let text = frozen.get(path.get_ref());
            if text.is_none() {
                faults.error("suite/no-file", path.span(), format!("the text of `{}` was not kept", path.get_ref()));
            }
            return text.map(|text| Source::new(self.path.join(path.get_ref()), text.clone()));
        }
        match load::read(&self.file(path, faults)?) {
            Ok(source) => Some(source),
            Err(fault) => {
                faults.push(*fault);
                None
            }
        }
    }

    /// The file at a path; a fault if it is not there or outside.
    pub(super) fn file(&self, path: &Spanned<String>, faults: &mut Faults<'_>) -> Option<PathBuf> {
        let text = path.get_ref();
        if !self.stays_inside(text, path.span(), faults) {
            return None;
        }
        let full = self.path.join(text);
        if !full.is_file() {
            let fault = faults.at("suite/no-file", path.span(), format!("there is no file `{text}`"));
            let parent = full.parent().unwrap_or(self.path);
            let names = load::file_names(parent);
            let name = Path::new(text).file_name().unwrap_or_default().to_string_lossy();
            faults.push(fault.suggest(&name, names.iter().map(String::as_str)));
            return None;
        }
        self.really_inside(&full, text, path.span(), faults).then_some(full)
    }

    /// The suite's recording, where it has one.
    pub(super) fn recording(&self, faults: &mut Faults<'_>) -> Option<PathBuf> {
        let path = self.path.join(RECORDING);
        if !path.is_file() {
            return None;
        }
        if !self.is_inside(&path) {
            let fault = Diagnostic::error("suite/outside-folder", &path, format!("`{RECORDING}` {LEADS_OUT}"));
            faults.push(fault.help(OUTSIDE));
            return None;
        }
        Some(path)
    }

    fn stays_inside(&self, text: &str, span: Range<usize>, faults: &mut Faults<'_>) -> bool {
        let path = Path::new(text);
        let leaves = path.is_absolute()
            || path.components().any(|part| matches!(part, Component::ParentDir | Component::Prefix(_)));
        if leaves && !self.allow_outside {
            self.refuse(text, span, faults);
        }
        !leaves || self.allow_outside
    }

    /// Whether the file is in the folder once links are followed.
    fn really_inside(&self, path: &Path, text: &str, span: Range<usize>, faults: &mut Faults<'_>) -> bool {
        let inside = self.is_inside(path);
        if !inside {
            self.refuse(text, span, faults);
        }
        inside
    }

    fn is_inside(&self, path: &Path) -> bool {
        self.allow_outside
            || match (path.canonicalize(), self.path.canonicalize()) {
                (Ok(path), Ok(folder)) => path.starts_with(folder),
                _ => false,
            }
    }

    fn refuse(&self, text: &str, span: Range<usize>, faults: &mut Faults<'_>) {
        let fault = faults.at("suite/outside-folder", span, format!("`{text}` {LEADS_OUT}"));
        faults.push(fault.help(OUTSIDE));
    }
}

fn is_jsonl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"))
}

fn check_format(path: &Path, span: Range<usize>, faults: &mut Faults<'_>) {
    match path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "csv") => {}
        Some("parquet") => faults.error("suite/not-yet", span, "data files ending in `.parquet` are not supported yet"),
        _ => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            faults.error("suite/unknown-format", span, format!("`{name}` is neither a .jsonl nor a .csv file"));
        }
    }
}
