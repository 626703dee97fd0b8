//! A tuned model becomes a variant of its suite: a row of a provider file, its prompt where that is gone, and a
//! `[[variants]]` block at the end of suite.toml. All is tried before anything is written; what would not load is
//! printed instead.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::block::{self, Tuned};
use super::manifest::Found;
use super::{Host, bare_model, state, submit};
use crate::cli::assemble;
use crate::cli::export::load_sound;
use crate::diagnostic::{Diagnostics, Severity, Source};
use crate::error::Error;
use crate::provider::load::Providers;
use crate::provider::render::{key, quoted};
use crate::provider::{EndpointId, Model};
use crate::suite::load::{Frozen, LoadOptions, Loaded, SUITE_FILE};
use crate::text::one_line;
use crate::training::manifest::SourceKind;
use crate::wire::tuning::Job;

/// What became of it.
pub(super) enum Adopted {
    /// The suite has it.
    Written {
        /// The variant.
        variant: String,
        /// Files that were written or added to; none where it was there before.
        files: Vec<PathBuf>,
        /// The untuned variant that it will be compared with, if there is one.
        beside: Option<String>,
        /// What a check of the suite finds.
        warnings: Diagnostics,
        /// What is to be said of the prompt.
        prompt: Option<String>,
    },
    /// Nothing was written.
    Printed {
        /// What would have been.
        text: String,
        /// Why not.
        why: String,
    },
}

impl Adopted {
    /// What `--json` says of it.
    pub(super) fn document(&self) -> Value {
        match self {
            Self::Written { variant, files, warnings, .. } => json!({
                "variant": variant, "written": files, "diagnostics": warnings.to_json(),
            }),
            Self::Printed { text, why } => json!({"variant": null, "written": [], "block": text, "why": why}),
        }
    }
}

/// Writes the tuned variant into the suite, unless it is there or is not to be written.
pub(super) fn adopt(found: &Found, host: &Host, base: &str, job: &Job, may_write: bool) -> Result<Adopted, Error> {
    let Some(model) = job.model.as_deref() else {
        let why = "the provider names no tuned model".to_owned();
        return Ok(Adopted::Printed { text: String::new(), why });
    };
    // Whoever follows the same job waits, and then finds what was written here.
    found.wait_for_lock();
    let folder = found.suite();
    let method = match found.manifest.source.kind {
        SourceKind::Teacher => "distilled",
        SourceKind::Labels | SourceKind::Preferences => host.wire.method(found.objective()),
    };
    let like = submit::tuned_row(&host.provider, base);
    let manifest_path = found.path.display().to_string();
    let tuned = Tuned {
        manifest: &found.manifest,
        manifest_path: &manifest_path,
        provider: &host.provider.id,
        job: &job.id,
        model,
        base,
        method,
        epochs: job.epochs,
        retires: like.and_then(|row| row.retires.as_deref()),
    };
    let endpoint = EndpointId { provider: host.provider.id.clone(), model: model.to_owned() };
    let loaded = assemble::providers(&folder).and_then(|providers| {
        let loaded = load_sound(&folder, &providers, &LoadOptions::default())?;
        Ok((providers, loaded))
    });
    match loaded {
        Ok((providers, loaded)) => {
            Plan::new(tuned, &folder, endpoint, providers, &loaded, like)?.carry_out(loaded, may_write)
        }
        Err(error) => {
            let name = variant_name(&found.manifest.suite.name, |_| false);
            let text = block::variant(&tuned, &name, &found.manifest.prompt.name);
            let row = block::row(&tuned, like, bare_model());
            let prompt = &found.manifest.prompt;
            let path = format!("prompts/{}.md.j2", block::file_stem(&prompt.name));
            let file = block::prompt_file(prompt);
            Ok(Adopted::Printed {
                text: format!("{text}\n{row}\n# into {path}, unless the suite has this prompt:\n{file}"),
                why: format!("the suite does not load: {}", said(&error)),
            })
        }
    }
}

fn variant_name(suite: &str, is_taken: impl Fn(&str) -> bool) -> String {
    block::free(&format!("tuned-{}", submit::plain(suite, 60)), is_taken)
}

/// What is to be written.
struct Plan {
    folder: PathBuf,
    endpoint: EndpointId,
    /// A new row of a provider file.
    row: Option<NewRow>,
    /// A new prompt: its path within the suite, and its text.
    prompt: Option<(String, String)>,
    /// The line of `[prompts]` that names it.
    prompt_line: String,
    said_of_prompt: Option<String>,
    variant: String,
    block: String,
    /// suite.toml as it will be; `None` where it cannot be added to, or has the variant.
    suite: Option<String>,
    is_there: bool,
    beside: Option<String>,
    providers: Providers,
}

impl Plan {
    fn new(
        tuned: Tuned<'_>,
        folder: &Path,
        endpoint: EndpointId,
        mut providers: Providers,
        loaded: &Loaded,
        like: Option<&Model>,
    ) -> Result<Self, Error> {
        let suite = &loaded.suite;
        let row = match providers.endpoint(&endpoint) {
            Some(_) => None,
            None => Some(NewRow::of(
                provider_file(folder, tuned.provider),
                block::row(&tuned, like, bare_model()),
                tuned.model,
            )?),
        };
        if row.is_some()
            && let Some(mut provider) = providers.get(tuned.provider).cloned()
        {
            let model = Model { served_as: tuned.model.to_owned(), ..like.cloned().unwrap_or_else(bare_model) };
            provider.models.insert(tuned.model.to_owned(), model);
            providers.insert(provider);
        }
        let there = suite.variants.iter().find(|variant| variant.endpoint == endpoint);
        let wanted = &tuned.manifest.prompt;
        let is_same = |prompt: &&crate::suite::Prompt| {
            (prompt.system.trim(), prompt.user.trim()) == (wanted.system.trim(), wanted.user.trim())
        };
        let named = suite.prompts.iter().find(|prompt| prompt.name == wanted.name);
        let same = named.filter(is_same).or_else(|| suite.prompts.iter().find(is_same));
        let name = match same {
            Some(prompt) => prompt.name.clone(),
            None => block::free(&block::file_stem(&wanted.name), |name| {
                suite.prompts.iter().any(|prompt| prompt.name == name)
                    || folder.join(format!("prompts/{name}.md.j2")).exists()
            }),
        };
        let path = format!("prompts/{name}.md.j2");
        let prompt = same.is_none().then(|| (path.clone(), block::prompt_file(wanted)));
        let said_of_prompt = same.is_none().then(|| {
            let how = if named.is_some() { "was changed since" } else { "is not in the suite any more" };
            format!(
                "the prompt `{}` that the model was trained on {how}: it is written to {path} as `{name}`",
                wanted.name
            )
        });
        let is_taken = |name: &str| suite.variants.iter().any(|variant| variant.id.as_str() == name);
        let variant =
            there.map_or_else(|| variant_name(&suite.name, is_taken), |variant| variant.id.as_str().to_owned());
        let block = block::variant(&tuned, &variant, &name);
        let text =
            crate::suite::load::read_suite_file(suite).map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
        let new = prompt.as_ref().map(|(path, _)| (name.as_str(), path.as_str()));
        let suite_text = block::with_variant(&text.text, &block, new).filter(|_| there.is_none());
        let beside = suite.in_use().map(|variant| variant.id.as_str().to_owned());
        Ok(Self {
            folder: folder.to_owned(),
            endpoint,
            row,
            prompt: prompt.filter(|_| there.is_none()),
            prompt_line: format!("{} = {}\n", key(&name), quoted(&path)),
            said_of_prompt: said_of_prompt.filter(|_| there.is_none()),
            variant,
            block,
            suite: suite_text,
            is_there: there.is_some(),
            beside,
            providers,
        })
    }

    fn carry_out(self, loaded: Loaded, may_write: bool) -> Result<Adopted, Error> {
        let nothing = |why: &str| Ok(Adopted::Printed { text: self.text(), why: why.to_owned() });
        if self.is_there && self.row.is_none() {
            return Ok(self.written(Vec::new(), loaded.warnings));
        }
        if !may_write {
            return nothing("--no-write leaves the suite as it is");
        }
        if let Some(suite) = &self.suite {
            if let Err(error) = self.tried(suite, &loaded) {
                return nothing(&format!("the suite would not load with it: {}", said(&error)));
            }
        } else if !self.is_there {
            return nothing("suite.toml has no table `[prompts]` that a prompt can be added to");
        }
        let mut files = Vec::new();
        // In this order, so that whatever is there at any moment loads.
        if let Some(row) = &self.row {
            let whole = match &row.whole {
                Ok(whole) => whole,
                Err(why) => {
                    return nothing(&format!("`{}` would not load with the model's row: {why}", row.path.display()));
                }
            };
            make_folder(&row.path)?;
            state::put(&row.path, whole)?;
            files.push(row.path.clone());
        }
        if let Some((path, text)) = &self.prompt {
            let path = self.folder.join(path);
            make_folder(&path)?;
            state::put(&path, text)?;
            files.push(path);
        }
        if let Some(suite) = &self.suite {
            let path = self.folder.join(SUITE_FILE);
            state::put(&path, suite)?;
            files.push(path);
        }
        let providers = assemble::providers(&self.folder)?;
        let checked = load_sound(&self.folder, &providers, &LoadOptions::default())?;
        Ok(self.written(files, checked.warnings))
    }

    /// The suite as it will be, without a byte of it on the disk.
    fn tried(&self, suite: &str, loaded: &Loaded) -> Result<(), Error> {
        let mut texts = loaded.suite.texts.clone();
        texts.insert(SUITE_FILE.to_owned(), suite.to_owned());
        texts.extend(self.prompt.clone());
        let frozen = Some(Frozen { texts, shots: None });
        let tried = load_sound(&self.folder, &self.providers, &LoadOptions { frozen, ..LoadOptions::default() })?;
        let is_ours = |variant: &crate::variant::Variant| variant.endpoint == self.endpoint;
        let whole = tried.suite.variants.len() == loaded.suite.variants.len() + 1;
        if !(whole && tried.suite.variant(&self.variant).is_some_and(is_ours)) {
            return Err(Error::usage("the variant would not stand at its end", "add the block by hand"));
        }
        Ok(())
    }

    fn written(self, files: Vec<PathBuf>, warnings: Diagnostics) -> Adopted {
        Adopted::Written { variant: self.variant, files, beside: self.beside, warnings, prompt: self.said_of_prompt }
    }

    /// What would be written, for whoever writes it by hand.
    fn text(&self) -> String {
        let mut text = String::new();
        if !self.is_there {
            text.push_str(&self.block);
        }
        if let Some((path, prompt)) = &self.prompt {
            text.push_str(&format!("\n# into `[prompts]`:\n{}\n# into {path}:\n{prompt}", self.prompt_line));
        }
        if let Some(row) = &self.row {
            text.push_str(&format!("\n# into {}:\n{}", row.path.display(), row.text));
        }
        text
    }
}

/// A row that a provider file is to have.
struct NewRow {
    path: PathBuf,
    text: String,
    /// The file with the row at its end, or why that would be none.
    whole: Result<String, String>,
}

impl NewRow {
    fn of(path: PathBuf, text: String, model: &str) -> Result<Self, Error> {
        let known = match path.is_file() {
            true => {
                crate::provider::load::read_file(&path).map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.text
            }
            false => "# Rows that stand beside those that ship with ceiling.\n".to_owned(),
        };
        let gap = if known.ends_with('\n') { "\n" } else { "\n\n" };
        let whole = format!("{known}{gap}{text}");
        // A table that the file writes in braces cannot be added to at its end.
        let whole = match crate::provider::load::rows_of(&Source::new(&path, whole.as_str())) {
            Ok((_, rows)) if rows.contains_key(model) => Ok(whole),
            Ok(_) => Err("the row would not stand among its models".to_owned()),
            Err(faults) => Err(said(&Error::Input(faults))),
        };
        Ok(Self { path, text, whole })
    }
}

/// The provider file that a row goes into: one that is there, the suite's first; else a new one of the suite's.
fn provider_file(suite: &Path, provider: &str) -> PathBuf {
    let own = suite.join("providers").join(format!("{provider}.toml"));
    let here = Path::new("providers").join(format!("{provider}.toml"));
    if !own.is_file() && here.is_file() { here } else { own }
}

fn make_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    #[expect(clippy::disallowed_methods, reason = "a folder of the suite")]
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::System { what: format!("failed to make `{}`", folder.display()), error })
}

/// An error on one line.
fn said(error: &Error) -> String {
    match error {
        Error::Input(faults) => {
            let first = faults.iter().find(|fault| fault.severity == Severity::Error).or_else(|| faults.iter().next());
            first.map_or_else(String::new, |fault| one_line(&fault.message, 300))
        }
        error => one_line(&error.to_string(), 300),
    }
}
