//! What each provider takes, as data.

use super::Profile;

/// What an endpoint takes of JSON Schema.
#[derive(Debug)]
pub(super) struct Rules {
    /// Whose rules, for messages.
    pub(super) who: &'static str,
    /// Keywords that are sent as they stand, besides those that the rewriting itself knows.
    pub(super) keywords: &'static [&'static str],
    /// Formats of strings; `None` takes any.
    pub(super) formats: Option<&'static [&'static str]>,
    /// Whether the root must be an object, and no union.
    pub(super) object_root: bool,
    /// Whether every object must say `additionalProperties: false`.
    pub(super) closed: bool,
    /// Whether every field must be required.
    pub(super) all_required: bool,
    /// Whether every place needs a type.
    pub(super) typed: bool,
    /// Whether a list must say what its items are.
    pub(super) items_needed: bool,
    /// Whether `const` is taken.
    pub(super) constants: bool,
    /// What an `enum` may hold.
    pub(super) enums: Enums,
    /// Whether definitions may stand under the older name `definitions`.
    pub(super) older_definitions: bool,
    /// Whether a definition may refer to itself.
    pub(super) recursion: Recursion,
    /// Whether `\b` is taken in a pattern.
    pub(super) word_boundaries: bool,
    /// The largest `minItems`.
    pub(super) most_min_items: u64,
}

/// What an `enum` may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enums {
    /// Anything.
    Any,
    /// Strings, numbers, true, false and null.
    Scalars,
    /// Strings and numbers.
    StringsAndNumbers,
}

/// Whether a definition may refer to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recursion {
    /// It may.
    Taken,
    /// It may, but is followed to a limited depth.
    Limited,
    /// It may not.
    Refused,
}

/// Formats that OpenAI names.
const OPENAI_FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Source: developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas". Its lists
/// name neither `minLength` and `maxLength` nor `uniqueItems`, `const`, `oneOf` and `prefixItems`.
/// `default` is answered with 400. That a pattern with look-around or back-references is refused is
/// remembered, not confirmed.
const OPENAI_STRICT: Rules = Rules {
    who: "OpenAI's strict mode",
    keywords: &[
        "format",
        "pattern",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "minItems",
        "maxItems",
    ],
    formats: Some(OPENAI_FORMATS),
    object_root: true,
    closed: true,
    all_required: true,
    typed: true,
    items_needed: true,
    constants: false,
    enums: Enums::Any,
    older_definitions: true,
    recursion: Recursion::Taken,
    word_boundaries: true,
    most_min_items: u64::MAX,
};

/// The same page: fine-tuned models take no limits on strings, numbers and lists.
const OPENAI_TUNED: Rules = Rules { who: "OpenAI's strict mode of fine-tuned models", keywords: &[], ..OPENAI_STRICT };

/// Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema
/// limitations". That a place without a type is refused is what the official SDK says, not the page.
const ANTHROPIC: Rules = Rules {
    who: "Anthropic",
    keywords: &["format", "pattern", "minItems", "default"],
    formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]),
    object_root: false,
    closed: true,
    all_required: false,
    typed: true,
    items_needed: false,
    constants: true,
    enums: Enums::Scalars,
    older_definitions: true,
    recursion: Recursion::Refused,
    word_boundaries: false,
    most_min_items: 1,
};

/// Source: the description of `responseJsonSchema` in the API's discovery document (also in the
/// google-genai SDK): `$ref` and `$defs` are taken, a reference stands alone, `oneOf` is read as
/// `anyOf`, `enum` holds strings and numbers, and references in a circle are unrolled a few times.
const GEMINI: Rules = Rules {
    who: "Gemini",
    keywords: &["format", "minimum", "maximum", "minItems", "maxItems", "prefixItems"],
    formats: None,
    object_root: false,
    closed: false,
    all_required: false,
    typed: false,
    items_needed: false,
    constants: false,
    enums: Enums::StringsAndNumbers,
    older_definitions: false,
    recursion: Recursion::Limited,
    word_boundaries: true,
    most_min_items: u64::MAX,
};

/// The rules of a profile; `None` takes any schema.
pub(super) fn rules(profile: Profile) -> Option<&'static Rules> {
    match profile {
        Profile::AsIs => None,
        Profile::OpenaiStrict => Some(&OPENAI_STRICT),
        Profile::OpenaiTuned => Some(&OPENAI_TUNED),
        Profile::Anthropic => Some(&ANTHROPIC),
        Profile::Gemini => Some(&GEMINI),
    }
}

/// Keywords that say something about answers; leaving one out loses it.
pub(super) const ASSERTIONS: &[&str] = &[
    "additionalItems",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Keys that mean something only to whoever reads the file: left out without a word.
pub(super) const BOOKKEEPING: &[&str] = &["$schema", "$id", "$comment", "$anchor", "$vocabulary"];

/// Keys that describe and do not constrain, and that every provider takes.
pub(super) const DESCRIPTIONS: &[&str] = &["title", "description"];
