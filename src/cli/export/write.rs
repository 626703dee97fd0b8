//! The three files of an export, and the manifest's facts of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::gather::Gathered;

use super::{Export, ExportArgs};
use crate::cli::output::Output;
use crate::cli::tune::{live_job, training_price, tuning_api};
use crate::digest::Digest;
use crate::error::Error;
use crate::provider::EndpointId;
use crate::report::training::{Classes, Written};
use crate::run::RunError;
use crate::training::manifest::{FAMILY, FileFacts, Files, Manifest, Method, PromptText, Source, SuiteFacts, VERSION};
use crate::training::row::TrainingRow;
use crate::training::size::{FindingSeverity, Size, findings, reserved_word, training_cost};
use crate::training::split::{clusters, validation};

/// Where the files stand.
pub(super) struct Paths {
    pub(super) train: PathBuf,
    pub(super) validation: PathBuf,
    pub(super) manifest: PathBuf,
}

impl Paths {
    /// `out/train.jsonl`, `out/train.validation.jsonl`, `out/train.manifest.json`.
    pub(super) fn of(train: &Path) -> Result<Self, Error> {
        let Some(name) = train.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::usage(
                format!("`{}` names no file", train.display()),
                "-o FILE names the file to write, such as train.jsonl",
            ));
        };
        let stem = name.strip_suffix(".jsonl").unwrap_or(name);
        let beside = |ending: &str| train.with_file_name(format!("{stem}{ending}"));
        let (validation, manifest) = (beside(".validation.jsonl"), beside(".manifest.json"));
        Ok(Self { train: train.to_owned(), validation, manifest })
    }

    /// Refuses what cannot be written, before anything is read; makes the folder that three files go into.
    pub(super) fn check(&self, args: &ExportArgs) -> Result<(), Error> {
        if let Some(folder) = self.train.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            #[expect(clippy::disallowed_methods, reason = "the folder of the files that the user names with -o")]
            std::fs::create_dir_all(folder).map_err(|error| Error::System {
                what: format!("failed to make the folder `{}`", folder.display()),
                error,
            })?;
        }
        for path in [&self.train, &self.validation, &self.manifest] {
            if path.exists() && !args.force {
                return Err(Error::usage(
                    format!("`{}` is there already", path.display()),
                    "--force writes over it; a model may have been trained on it",
                ));
            }
            Output::check(path, "-o", &args.store.store)?;
        }
        if let Some(job) = self.manifest.exists().then(|| live_job(&self.manifest)).transpose()?.flatten() {
            return Err(Error::usage(
                format!("{job} trains on the files of `{}`", self.manifest.display()),
                "its model is judged by this manifest: write to another -o, or end the job (`ceiling tune status` and \
                 `cancel`) first",
            ));
        }
        Ok(())
    }
}

/// One of the files before it is written.
struct Part {
    text: String,
    size: Size,
    clusters: u64,
}

impl Export<'_> {
    /// Divides, formats, checks and writes the rows.
    pub(super) fn write(&self, paths: &Paths, gathered: Gathered) -> Result<Written, Error> {
        let Gathered { rows, variant, filters, spent, teacher, leaks, test, mut notes } = gathered;
        if let Some((place, word)) = reserved_word(self.format, &rows) {
            return Err(Error::usage(
                format!(
                    "the prompt of `{}` holds `{word}`, at which {} ends the job",
                    rows[place].id, self.format.reader
                ),
                format!("write it otherwise in the prompt or in the pool ({})", self.format.limits.source),
            ));
        }
        let seed = self.args.seed.unwrap_or(self.suite.statistics.seed);
        let validates = validation(&rows, self.args.validation_share, seed);
        let train = self.part(&rows, |place| !validates[place])?;
        let held_out = Some(self.part(&rows, |place| validates[place])?).filter(|part| part.size.rows > 0);
        let found = findings(self.format, &train.size, held_out.as_ref().map(|part| &part.size));
        if let Some(refused) = found.iter().find(|finding| finding.severity == FindingSeverity::Error) {
            return Err(Error::usage(refused.message.clone(), "nothing was written; another --format may take it"));
        }
        notes.extend(self.format.notice.map(str::to_owned));
        let acceptance = self.freeze(&test, &mut notes)?;
        let cost = self.cost(&train.size, held_out.as_ref().map(|part| &part.size), &mut notes)?;
        let prompt = &self.suite.prompts[variant.prompt];
        let manifest = Manifest {
            family: FAMILY.to_owned(),
            version: VERSION,
            created: crate::cli::today().to_string(),
            suite: SuiteFacts {
                name: self.suite.name.clone(),
                folder: relative(&paths.manifest, &self.suite.folder),
                digest: self.suite.digest,
            },
            format: self.format.name.to_owned(),
            method: self.method,
            source: Source {
                kind: self.kind,
                run: self.run.as_ref().filter(|_| self.reads_answers()).map(|run| run.row.name.clone()),
                variant: teacher,
                filters,
                spent_usd: spent.map(|spent| spent.as_f64()).filter(|_| self.reads_answers()),
            },
            files: Files {
                train: facts(&paths.train, &train),
                validation: held_out.as_ref().map(|part| facts(&paths.validation, part)),
            },
            prompt: PromptText { name: prompt.name.clone(), system: prompt.system.clone(), user: prompt.user.clone() },
            structured: variant.structured,
            params: variant.params.clone(),
            base_model: self.args.base_model.clone(),
            epochs: self.args.epochs,
            training_cost_usd: cost,
            acceptance,
        };
        let text = manifest.text().map_err(|error| RunError::Bug(error.to_string()))?;
        let store = &self.args.store.store;
        // An export that breaks off leaves no manifest, rather than one of other files.
        drop(std::fs::remove_file(&paths.manifest));
        put(&paths.train, &train.text, store)?;
        match &held_out {
            Some(part) => put(&paths.validation, &part.text, store)?,
            // That of an earlier export would be taken for this one's.
            None => drop(std::fs::remove_file(&paths.validation)),
        }
        put(&paths.manifest, &text, store)?;
        Ok(Written {
            train: paths.train.clone(),
            validation: held_out.as_ref().map(|_| paths.validation.clone()),
            manifest_file: paths.manifest.clone(),
            train_size: train.size,
            validation_size: held_out.as_ref().map(|part| part.size),
            classes: classes(&rows, &validates),
            leaks,
            findings: found,
            economics_training_usd: self.suite.economics.map(|economics| economics.training_usd),
            notes,
            manifest,
        })
    }

    /// Whether the answers are those of a run.
    pub(super) fn reads_answers(&self) -> bool {
        self.kind != crate::training::manifest::SourceKind::Labels
    }

    fn part(&self, rows: &[TrainingRow], wanted: impl Fn(usize) -> bool) -> Result<Part, Error> {
        let mut part = Part { text: String::new(), size: Size::default(), clusters: 0 };
        for (_, row) in rows.iter().enumerate().filter(|(place, _)| wanted(*place)) {
            let line =
                self.format.line(row).ok_or_else(|| RunError::Bug("a row that its format does not hold".into()))?;
            part.size.add(row, &line);
            part.text += &line;
            part.text.push('\n');
        }
        part.clusters = clusters(rows.iter().enumerate().filter(|(place, _)| wanted(*place)).map(|(_, row)| row));
        Ok(part)
    }

    /// What training costs by the price of the model that is to be tuned, as `ceiling tune submit` reckons it.
    fn cost(
        &self,
        train: &Size,
        validation: Option<&Size>,
        notes: &mut Vec<String>,
    ) -> Result<Option<crate::suite::Range>, Error> {
        let Some(name) = &self.args.base_model else { return Ok(None) };
        let Some(id) = EndpointId::parse(name) else {
            return Err(Error::usage(
                format!("`{}` is no `provider/model`", crate::text::one_line(name, 100)),
                "--base-model names both, such as openai/gpt-4.1-mini",
            ));
        };
        let (provider, model) =
            (self.providers.get(&id.provider), self.providers.endpoint(&id).map(|(_, model)| model));
        let base = model.map_or(id.model.as_str(), |model| model.served_as.as_str());
        if self.method == Method::Preference {
            notes.push("the price list has prices of supervised training only: what pairs cost is not known".into());
            return Ok(None);
        }
        let epochs = self.args.epochs;
        let api = provider.and_then(tuning_api);
        let billed = |train: u64, validation: Option<u64>| match api {
            Some(api) => api.billed_tokens(train, validation, epochs),
            None => Some(train.saturating_mul(u64::from(epochs?))),
        };
        let cost = training_cost((train, validation), billed, provider.and_then(|it| training_price(it, base)));
        match (model, provider.and_then(|it| training_price(it, base)), &cost) {
            (None, None, _) => {
                notes.push(format!("no provider file has `{id}`, so that the price of training is not known"));
            }
            (Some(_), None, _) => notes.push(format!("the provider file has no training price of `{id}`")),
            (_, Some(_), None) => {
                notes.push("--epochs N says how often training reads the file, which its cost hangs on".into());
            }
            _ => {}
        }
        Ok(cost)
    }
}

fn facts(path: &Path, part: &Part) -> FileFacts {
    FileFacts {
        path: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        rows: part.size.rows,
        bytes: part.text.len() as u64,
        sha256: Digest::of(part.text.as_bytes()),
        tokens_estimated: part.size.tokens.likely.unwrap_or(part.size.tokens.low),
        clusters: part.clusters,
    }
}

fn put(path: &Path, text: &str, store: &Path) -> Result<(), Error> {
    let mut output = Output::open(Some(path), store)?;
    let written = output.write_all(text.as_bytes());
    output.close(written)
}

/// Rows by class; none where there are no classes.
fn classes(rows: &[TrainingRow], validates: &[bool]) -> Vec<Classes> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (row, validates) in rows.iter().zip(validates).filter(|(row, _)| !row.class.is_empty()) {
        let count = counts.entry(&row.class).or_default();
        if *validates { count.1 += 1 } else { count.0 += 1 }
    }
    counts
        .into_iter()
        .map(|(class, (train, validation))| Classes { class: class.to_owned(), train, validation })
        .collect()
}

/// The way from a file's folder to a folder, with `/` on every system; the whole path where there is no such way.
fn relative(from: &Path, to: &Path) -> String {
    let absolute = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let folder = from.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(from), Ok(to)) = (absolute(folder), absolute(to)) else { return to.display().to_string() };
    let (from, to_parts): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to_parts).take_while(|(a, b)| a == b).count();
    // Another drive has no way there.
    if from.first() != to_parts.first() {
        return to.display().to_string();
    }
    let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    let down = to_parts[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let way: Vec<String> = up.chain(down).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}
