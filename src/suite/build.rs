//! [`RawSuite`] to [`Suite`]: what the parts of the file mean together.

mod variants;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Spanned;

use super::documents::DocumentSource;
use super::examples::{ExampleFiles, ExampleSource, Wrap};
use super::load::{self, AddedVariant, LoadOptions};
use super::paths::Folder;
use super::prompt_file;
use super::raw::{RawData, RawScore, RawSuite};
use super::schema::{OutputSchema, SchemaError};
use super::second;
use super::{DoubleAnnotation, OtherSplit, Prompt, ScorerSpec, Suite, Task};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::digest::Digest;
use crate::provider::EndpointId;
use crate::provider::load::Providers;
use crate::variant::{Variant, VariantId};

/// Collects faults of one suite.toml.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    source: &'a Source,
    list: Diagnostics,
}

impl<'a> Faults<'a> {
    pub(super) fn new(source: &'a Source, list: Diagnostics) -> Self {
        Self { source, list }
    }

    /// An error at a place of suite.toml, not yet added.
    pub(super) fn at(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.source.path, message).in_source(self.source, span)
    }

    /// Adds a fault. Variants of a matrix stand at one place: what is wrong there is said once, not for each of them.
    pub(super) fn push(&mut self, fault: Diagnostic) {
        let is_said = |known: &Diagnostic| known.code == fault.code && known.span == fault.span;
        if fault.span.is_none() || !self.list.iter().any(is_said) {
            self.list.push(fault);
        }
    }

    /// Adds an error.
    pub(super) fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>) {
        let fault = self.at(code, span, message);
        self.push(fault);
    }

    /// Adds an error about the file as a whole.
    pub(super) fn whole(&mut self, code: &'static str, message: impl Into<String>) {
        self.push(Diagnostic::error(code, &self.source.path, message));
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>) {
        let fault = self.at(code, span, message).as_warning();
        self.push(fault);
    }

    pub(super) fn into_inner(self) -> Diagnostics {
        self.list
    }
}

/// The suite; `None` only where a fault says why.
pub(super) fn build(
    raw: RawSuite,
    folder: &Path,
    providers: &Providers,
    options: &LoadOptions,
    faults: &mut Faults<'_>,
) -> Option<Suite> {
    let paths = Folder {
        path: folder,
        allow_outside: raw.data.allow_outside,
        frozen: options.frozen.as_ref().map(|frozen| &frozen.texts),
    };
    let mut texts = vec![(load::SUITE_FILE.to_owned(), faults.source.text.clone())];
    let schema = read_schema(raw.output.schema.as_ref(), &paths, &mut texts, faults);
    let mut prompts = read_prompts(&raw.prompts, &paths, &mut texts, faults);
    let scorers = order_scorers(raw.score, faults);
    let labels = match (&schema, scorers.first()) {
        (Some(schema), Some(primary)) => schema.enum_at(&primary.at),
        _ => Vec::new(),
    };
    // After an error it may only follow from what could not be read.
    if labels.is_empty() && faults.list.errors() == 0 {
        warn_without_labels(raw.task.as_ref(), scorers.first(), faults);
    }
    let recording = paths.recording(faults);
    let schema_given = raw.output.schema.is_some();
    let (placed, incumbent) = variants::Builder {
        providers,
        options,
        prompts: &prompts,
        has_schema: schema_given,
        has_pool: !raw.data.pool.is_empty(),
        has_documents: !raw.data.documents.is_empty(),
        has_labels: !labels.is_empty(),
        has_recording: recording.is_some(),
        self_hosted: raw.targets.self_hosted,
    }
    .build(raw.variants, raw.matrix, raw.incumbent, faults);
    let (mut variants, mut variant_spans): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
    if let Some(added) = &options.added {
        match EndpointId::parse(&added.model) {
            Some(endpoint) => {
                variants.push(add(added, endpoint, &mut prompts));
                variant_spans.push(0..0);
            }
            None => faults.whole("suite/bad-model", format!("`{}` is no `provider/model`", added.model)),
        }
    }
    let wrap = wrap_of(schema.as_ref(), scorers.first());
    let sources = Sources::read(&raw.data, wrap, &paths, options, faults);
    let annotation_files: Vec<PathBuf> =
        raw.data.annotations.iter().filter_map(|name| paths.file(name, faults)).collect();
    let annotations = second_labels(&raw.data, &annotation_files, &sources.examples, (&scorers, &labels), faults);
    let error_classes = raw.data.error_classes.as_ref().and_then(|name| {
        let path = paths.file(name, faults)?;
        second::error_classes(&path, faults)
    });
    Some(Suite {
        name: raw.name?,
        description: raw.description,
        task: raw.task?.into_inner(),
        folder: folder.to_owned(),
        incumbent,
        examples: sources.asked(options, faults),
        failures_of: options.failures_of.clone(),
        asked_instead: options.on,
        pool: sources.pool,
        kept_shots: options.frozen.as_ref().and_then(|frozen| frozen.shots.clone()),
        dev: sources.dev,
        documents: sources.documents,
        repeats: raw.data.repeats.unwrap_or(1),
        schema,
        output_name: raw.output.name.unwrap_or_else(|| "answer".to_owned()),
        parse: raw.output.parse,
        score_invalid: raw.output.score_invalid,
        stated_validity: raw.output.stated_validity,
        scorers,
        labels,
        prompts,
        variants,
        variant_spans,
        targets: raw.targets,
        economics: raw.economics,
        gate: raw.gate,
        statistics: raw.statistics,
        budget: raw.budget,
        audit: raw.data.audit,
        annotations,
        annotation_files,
        error_classes,
        impossible: raw.impossible,
        recording,
        digest: Digest::of_parts(texts.iter().map(|(_, text)| text.as_bytes())),
        texts: texts.into_iter().collect(),
        file: faults.source.path.clone(),
    })
}

/// A variant that stands in no file; its prompt is one of the suite's where that has the same text.
fn add(added: &AddedVariant, endpoint: EndpointId, prompts: &mut Vec<Prompt>) -> Variant {
    let known =
        |prompt: &Prompt| prompt.name == added.prompt && prompt.system == added.system && prompt.user == added.user;
    let prompt = prompts.iter().position(known).unwrap_or_else(|| {
        let (system, user) = (added.system.clone(), added.user.clone());
        prompts.push(Prompt { name: added.prompt.clone(), path: PathBuf::new(), system, user });
        prompts.len() - 1
    });
    Variant {
        id: VariantId(added.name.clone()),
        endpoint,
        prompt,
        shots: None,
        structured: added.structured,
        cache: None,
        retrieve: None,
        tuned: Some(added.tuned.clone()),
        params: added.params.clone(),
    }
}

/// How far second labels agree with the first, where the suite names files of them.
fn second_labels(
    data: &RawData,
    files: &[PathBuf],
    examples: &ExampleSource,
    (scorers, labels): (&[ScorerSpec], &[String]),
    faults: &mut Faults<'_>,
) -> Option<DoubleAnnotation> {
    let name = data.annotations.first().filter(|_| files.len() == data.annotations.len())?;
    let at = scorers.first().map_or("", |primary| primary.expected_at.as_str());
    let labels = second::Labels { examples, at, classes: labels.len() };
    second::agreement(files, name.span(), &labels, faults)
}

fn warn_without_labels(task: Option<&Spanned<Task>>, primary: Option<&ScorerSpec>, faults: &mut Faults<'_>) {
    let (Some(task), Some(primary)) = (task.filter(|task| *task.get_ref() == Task::Classification), primary) else {
        return;
    };
    let at = if primary.at.is_empty() { "its top".to_owned() } else { format!("`{}`", primary.at) };
    let message = format!("a classification, but the schema has no `enum` at {at}, where the primary scorer looks");
    let fault = faults.at("suite/no-labels", task.span(), message).as_warning();
    faults.push(fault.help("without one, classes and answers outside them cannot be told"));
}

fn read_schema(
    path: Option<&Spanned<String>>,
    folder: &Folder<'_>,
    texts: &mut Vec<(String, String)>,
    faults: &mut Faults<'_>,
) -> Option<OutputSchema> {
    let path = path?;
    let source = folder.text(path, faults)?;
    let file = source.path.clone();
    texts.push((path.get_ref().clone(), source.text.clone()));
    let document: Value = match serde_json::from_str(&source.text) {
        Ok(document) => document,
        Err(error) => {
            let line = source.text.split_inclusive('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            let at = error.column().saturating_sub(1);
            let text = error.to_string();
            let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            let fault = Diagnostic::error("suite/bad-json", &file, format!("not JSON: {message}"));
            faults.push(fault.in_line(u32::try_from(error.line()).unwrap_or(0), line, at..at + 1));
            return None;
        }
    };
    match OutputSchema::compile(document) {
        Ok(schema) => Some(schema),
        Err(SchemaError::ExternalReference(target)) => {
            let message = format!("the schema refers to `{target}`; references outside the file are never fetched");
            let fault = Diagnostic::error("suite/external-reference", &file, message);
            let quoted = Value::String(target).to_string();
            let fault = match source.text.find(&quoted) {
                Some(start) => fault.in_source(&source, start..start + quoted.len()),
                None => fault,
            };
            faults.push(fault.help("copy the definition into `$defs` and refer to `#/$defs/NAME`"));
            None
        }
        Err(SchemaError::Endless(message)) => {
            let fault = Diagnostic::error("suite/bad-schema", &file, message);
            faults.push(fault.help("say less twice: refer to a definition once, or write it out"));
            None
        }
        Err(SchemaError::Invalid(message)) => {
            faults.push(Diagnostic::error("suite/bad-schema", &file, format!("not a JSON Schema: {message}")));
            None
        }
    }
}

/// The prompts in order; a suite without any gets one that is the input alone.
fn read_prompts(
    written: &[(Spanned<String>, Spanned<String>)],
    folder: &Folder<'_>,
    texts: &mut Vec<(String, String)>,
    faults: &mut Faults<'_>,
) -> Vec<Prompt> {
    if written.is_empty() {
        return vec![Prompt {
            name: "input".to_owned(),
            path: PathBuf::new(),
            system: String::new(),
            user: "{{ input }}".to_owned(),
        }];
    }
    let mut prompts = Vec::new();
    for (name, path) in written {
        // A prompt that cannot be read keeps its place, so that variants that name it are not blamed.
        let mut prompt = Prompt {
            name: name.get_ref().clone(),
            path: PathBuf::from(path.get_ref()),
            system: String::new(),
            user: String::new(),
        };
        if let Some(source) = folder.text(path, faults) {
            match prompt_file::split(&source.text) {
                Ok(parts) => (prompt.system, prompt.user) = (parts.system, parts.user),
                Err(fault) => faults.push(prompt_fault(&source, &fault)),
            }
            texts.push((path.get_ref().clone(), source.text));
        }
        prompts.push(prompt);
    }
    prompts
}

fn prompt_fault(source: &Source, fault: &prompt_file::PartFault) -> Diagnostic {
    let line = source.text.lines().nth(fault.line.saturating_sub(1) as usize).unwrap_or_default();
    Diagnostic::error("suite/bad-prompt", &source.path, fault.message.clone())
        .in_line(fault.line, line, 0..line.len())
        .help("a prompt file is `--- system ---`, its text, `--- user ---`, its text")
}

/// The scorers with the primary one first.
fn order_scorers(score: RawScore, faults: &mut Faults<'_>) -> Vec<ScorerSpec> {
    let names: Vec<&str> = score.scorers.iter().map(|(name, _)| name.get_ref().as_str()).collect();
    let first = match &score.primary {
        Some(primary) => names.iter().position(|name| name == primary.get_ref()).or_else(|| {
            // A scorer that has faults of its own is named, only not usable.
            if !faults.source.text.contains(&format!("scorers.{}", primary.get_ref())) {
                let message = format!("there is no scorer `{}`", primary.get_ref());
                let fault = faults.at("suite/unknown-scorer", primary.span(), message);
                faults.push(fault.suggest(primary.get_ref(), names.iter().copied()));
            }
            None
        }),
        None if names.len() > 1 => {
            faults.whole("suite/missing-key", "`primary` is missing in `[score]`: there are several scorers");
            None
        }
        None => Some(0),
    };
    let mut scorers: Vec<ScorerSpec> = score.scorers.into_iter().map(|(_, spec)| spec).collect();
    if let Some(first) = first.filter(|&first| first < scorers.len()) {
        scorers[..=first].rotate_right(1);
    }
    scorers
}

/// How plain text becomes an expected object: the primary scorer's field, if it is a direct one.
fn wrap_of(schema: Option<&OutputSchema>, primary: Option<&ScorerSpec>) -> Option<Wrap> {
    let document = schema?.document();
    let field = primary?.expected_at.strip_prefix('/').filter(|field| !field.contains('/'))?;
    let field = field.replace("~1", "/").replace("~0", "~");
    if document.get("type").and_then(Value::as_str) != Some("object") {
        return None;
    }
    let kind = document.get("properties").and_then(|all| all.get(&field)).and_then(|one| one.get("type"));
    let as_json = matches!(kind.and_then(Value::as_str), Some("number" | "integer" | "boolean"));
    Some(Wrap { field, as_json })
}

struct Sources {
    examples: ExampleSource,
    pool: Option<ExampleSource>,
    dev: Option<ExampleSource>,
    documents: Option<DocumentSource>,
}

impl Sources {
    fn read(
        data: &RawData,
        wrap: Option<Wrap>,
        folder: &Folder<'_>,
        options: &LoadOptions,
        faults: &mut Faults<'_>,
    ) -> Self {
        let mut plain = |patterns: &[Spanned<String>]| ExampleFiles {
            files: folder.data_files(patterns, faults),
            map: data.map.clone(),
            wrap: wrap.clone(),
            documents: !data.documents.is_empty(),
            ..ExampleFiles::default()
        };
        let examples = plain(&data.examples);
        let kept = options.frozen.as_ref().is_some_and(|frozen| frozen.shots.is_some());
        let pool = (!data.pool.is_empty() && !kept).then(|| ExampleSource::new(plain(&data.pool)));
        let dev = (!data.dev.is_empty()).then(|| ExampleSource::new(plain(&data.dev)));
        let examples = ExampleSource::new(ExampleFiles {
            sample: data.sample.clone(),
            only: options.examples.clone(),
            tags: options.tags.clone(),
            limit: options.limit,
            shard: options.shard,
            ..examples
        });
        let documents =
            (!data.documents.is_empty()).then(|| DocumentSource::new(folder.document_files(&data.documents, faults)));
        Self { examples, pool, dev, documents }
    }

    /// The examples that are asked: those of the test, or another split in their place.
    fn asked(&self, options: &LoadOptions, faults: &mut Faults<'_>) -> ExampleSource {
        let split = match options.on {
            None => return self.examples.clone(),
            Some(OtherSplit::Pool) => self.pool.as_ref(),
            Some(OtherSplit::Dev) => self.dev.as_ref(),
        };
        let Some(split) = split else {
            let name = options.on.map_or("", OtherSplit::as_str);
            faults.whole("suite/no-split", format!("the suite has no `{name}` in `[data]`, which is to be asked"));
            return self.examples.clone();
        };
        ExampleSource::new(ExampleFiles {
            only: options.examples.clone(),
            tags: options.tags.clone(),
            limit: options.limit,
            shard: options.shard,
            ..split.spec().clone()
        })
    }
}
