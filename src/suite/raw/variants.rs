//! `[[variants]]` and `[matrix]`, which share their fields.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;

use super::params::read_params;
use crate::document::{FlagOrTable, Section, WholeOrTable};
use crate::exchange::CacheLifetime;
use crate::provider::EndpointId;
use crate::variant::{PromptCache, Retrieve, RetrieveFrom, Select, Shots, Structured, Tuning, TuningMethod};

pub(crate) const STRUCTURED: &[(&str, Structured)] = &[
    ("text", Structured::Text),
    ("json-object", Structured::JsonObject),
    ("json-schema", Structured::JsonSchema),
    ("tool", Structured::Tool),
];

const SELECT: &[(&str, Select)] = &[
    ("fixed", Select::Fixed),
    ("random", Select::Random),
    ("balanced", Select::Balanced),
    ("similar", Select::Similar),
];

const LIFETIMES: &[(&str, CacheLifetime)] = &[("5m", CacheLifetime::FiveMinutes), ("1h", CacheLifetime::Hour)];

/// Where documents come from; `embeddings` needs an endpoint beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Bm25,
    Embeddings,
    Oracle,
}

const FROM: &[(&str, From)] = &[("bm25", From::Bm25), ("embeddings", From::Embeddings), ("oracle", From::Oracle)];

const METHODS: &[(&str, TuningMethod)] = &[
    ("lora", TuningMethod::Lora),
    ("full", TuningMethod::Full),
    ("dpo", TuningMethod::Dpo),
    ("distilled", TuningMethod::Distilled),
];

/// Shots as written: with their place, and whether the choice was written too.
#[derive(Debug, Clone)]
pub(crate) struct RawShots {
    pub(crate) shots: Shots,
    pub(crate) select_given: bool,
    pub(crate) span: Range<usize>,
}

/// Retrieval as written, with its place.
#[derive(Debug, Clone)]
pub(crate) struct RawRetrieve {
    pub(crate) retrieve: Retrieve,
    pub(crate) span: Range<usize>,
    /// Where the endpoint that makes vectors stands.
    pub(crate) endpoint_span: Option<Range<usize>>,
}

/// One variant.
#[derive(Debug, Clone)]
pub(crate) struct RawVariant {
    pub(crate) name: Spanned<String>,
    pub(crate) model: Spanned<String>,
    pub(crate) prompt: Option<Spanned<String>>,
    pub(crate) shots: Option<RawShots>,
    pub(crate) structured: Spanned<Structured>,
    pub(crate) cache: Option<PromptCache>,
    pub(crate) retrieve: Option<RawRetrieve>,
    pub(crate) common: Common,
}

/// `[matrix]`: lists of values, each combination of which is a variant.
#[derive(Debug, Clone)]
pub(crate) struct RawMatrix {
    pub(crate) span: Range<usize>,
    pub(crate) model: Vec<Spanned<String>>,
    pub(crate) prompt: Vec<Spanned<String>>,
    pub(crate) shots: Vec<RawShots>,
    pub(crate) structured: Vec<Spanned<Structured>>,
    pub(crate) cache: Vec<Option<PromptCache>>,
    pub(crate) retrieve: Option<RawRetrieve>,
    /// Which of prompt, shots, structured and cache are lists, and so part of the names.
    pub(crate) lists: [bool; 4],
    pub(crate) common: Common,
}

impl RawVariant {
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let name = section.required("name", section.text("name"));
        if let Some(name) = name.as_ref().filter(|name| !super::is_name(name.get_ref())) {
            let message = "a variant's name must be made of letters, digits, `-`, `_`, `.` and `+`";
            section.report(section.error("suite/bad-name", name.span(), message));
        }
        let model = section.required("model", section.text("model"));
        let prompt = section.text("prompt");
        let shots = read_shots(&section);
        if section.is_list("shots") {
            let message = "`shots` of a variant is one number or table; lists belong in `[matrix]`";
            let span = section.key_span("shots").unwrap_or_else(|| section.span());
            section.report(section.error("suite/wrong-type", span, message));
        }
        let structured = section.choice("structured", STRUCTURED);
        if section.is_list("cache") {
            let message = "`cache` of a variant is true, false or one table; lists belong in `[matrix]`";
            let span = section.key_span("cache").unwrap_or_else(|| section.span());
            section.report(section.error("suite/wrong-type", span, message));
        }
        let cache = read_cache(&section).into_iter().next().flatten();
        let retrieve = section.section("retrieve").and_then(read_retrieve);
        let common = read_common(&section);
        let span = section.span();
        section.finish();
        Some(Self {
            name: name?,
            model: model?,
            prompt,
            shots: shots.into_iter().next(),
            structured: structured.unwrap_or_else(|| Spanned::new(span, Structured::Text)),
            cache,
            retrieve,
            common,
        })
    }
}

impl RawMatrix {
    pub(super) fn read(section: Section<'_>) -> Self {
        let model = section.texts("model");
        section.required("model", (!model.is_empty()).then_some(()));
        let common = read_common(&section);
        let matrix = Self {
            span: section.span(),
            model,
            prompt: section.texts("prompt"),
            shots: read_shots(&section),
            structured: section.choices("structured", STRUCTURED),
            cache: read_cache(&section),
            retrieve: section.section("retrieve").and_then(read_retrieve),
            lists: ["prompt", "shots", "structured", "cache"].map(|key| section.is_list(key)),
            common,
        };
        section.finish();
        matrix
    }
}

fn read_shots(section: &Section<'_>) -> Vec<RawShots> {
    let mut read = Vec::new();
    for item in section.wholes_or_tables("shots") {
        match item {
            WholeOrTable::Whole(k) => {
                let shots = Shots { k: clamp(*k.get_ref()), select: Select::Fixed, seed: 7 };
                read.push(RawShots { shots, select_given: false, span: k.span() });
            }
            WholeOrTable::Table(table) => {
                let k = table.required("k", table.whole("k", 0));
                let select = table.choice("select", SELECT);
                let seed = table.whole("seed", 0).map_or(7, Spanned::into_inner);
                let span = table.span();
                let select_given = select.is_some();
                let select = select.map_or(Select::Fixed, Spanned::into_inner);
                table.finish();
                if let Some(k) = k {
                    read.push(RawShots { shots: Shots { k: clamp(k.into_inner()), select, seed }, select_given, span });
                }
            }
        }
    }
    read
}

fn read_cache(section: &Section<'_>) -> Vec<Option<PromptCache>> {
    let items = section.flags_or_tables("cache").into_iter();
    let read = items.map(|item| match item {
        FlagOrTable::Flag(flag) => flag.then(PromptCache::default),
        FlagOrTable::Table(table) => {
            let lifetime = table.choice("ttl", LIFETIMES).map(Spanned::into_inner).unwrap_or_default();
            let explicit = table.flag("explicit").unwrap_or(false);
            table.finish();
            Some(PromptCache { lifetime, explicit })
        }
    });
    read.collect()
}

fn read_retrieve(section: Section<'_>) -> Option<RawRetrieve> {
    let span = section.span();
    let k = section.required("k", section.whole_u32("k", 1));
    let endpoint = section.text("embeddings");
    let endpoint_span = endpoint.as_ref().map(Spanned::span);
    let from = section.choice("from", FROM).map(Spanned::into_inner);
    let from = match (from, endpoint) {
        (None | Some(From::Embeddings), Some(endpoint)) => match EndpointId::parse(endpoint.get_ref()) {
            Some(id) => RetrieveFrom::Embeddings(id),
            None => {
                let message = format!("`{}` is not `provider/model`", endpoint.get_ref());
                section.report(section.error("suite/bad-model", endpoint.span(), message));
                RetrieveFrom::Bm25
            }
        },
        (Some(From::Embeddings), None) => {
            let fault =
                section.error("suite/missing-key", span.clone(), "`embeddings` is missing: who makes the vectors");
            section.report(fault.help("name an endpoint: `embeddings = \"openai/text-embedding-3-small\"`"));
            RetrieveFrom::Bm25
        }
        (Some(From::Oracle), None) => RetrieveFrom::Oracle,
        (Some(From::Bm25) | None, None) => RetrieveFrom::Bm25,
        (Some(From::Oracle | From::Bm25), Some(endpoint)) => {
            let message = "`embeddings` names who makes vectors, and `from` says that none are used";
            section.report(
                section.error("suite/unknown-value", endpoint.span(), message).help("leave out one of the two"),
            );
            RetrieveFrom::Bm25
        }
    };
    section.finish();
    Some(RawRetrieve { retrieve: Retrieve { k: k?, from }, span, endpoint_span })
}

/// A number of shots; the pool's size is checked later, so that any too large one is still too large.
fn clamp(k: u64) -> u32 {
    u32::try_from(k).unwrap_or(u32::MAX)
}

fn read_common(section: &Section<'_>) -> Common {
    let tuned = section.section("tuned");
    let base = tuned.as_ref().and_then(|tuned| tuned.key_span("base"));
    Common { tuned: tuned.and_then(read_tuning), base, params: read_params(section) }
}

/// What variants and the matrix have alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Common {
    pub(crate) tuned: Option<Tuning>,
    /// Where `tuned.base` stands.
    pub(crate) base: Option<Range<usize>>,
    pub(crate) params: Map<String, Value>,
}

fn read_tuning(section: Section<'_>) -> Option<Tuning> {
    let method = section.required("method", section.choice("method", METHODS));
    let tuning = method.map(|method| Tuning {
        method: method.into_inner(),
        training_examples: section.whole("training_examples", 0).map(Spanned::into_inner),
        base: section.text("base").map(Spanned::into_inner),
        retires: section.day("retires"),
    });
    if tuning.is_none() {
        for key in ["training_examples", "base", "retires"] {
            section.has(key);
        }
    }
    section.finish();
    tuning
}
