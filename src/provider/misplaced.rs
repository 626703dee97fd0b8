//! Keys of a provider file that do nothing for its kind: they are faults, since whoever wrote them
//! expects something of them.
//!
//! Files of one name are merged first, so the places of such keys are kept until then.

use std::collections::BTreeMap;

use super::{AuthScheme, Dialect, WireKind};
use crate::diagnostic::Diagnostic;
use crate::document::Section;

/// Where a key stands: a fault without its message.
pub(super) type Places = BTreeMap<&'static str, Diagnostic>;

const PLACED: &[&str] =
    &["dialect", "api_version", "anthropic_version", "wire", "auth", "api_key_env", "api_key_file", "base_url"];

const CODE: &str = "provider/no-effect";

/// The places of the keys that are there.
pub(super) fn placed(root: &Section<'_>) -> Places {
    let place = |key: &&'static str| Some((*key, root.error(CODE, root.key_span(key)?, "")));
    PLACED.iter().filter_map(place).collect()
}

/// What of a merged provider file its other keys are judged by.
pub(super) struct Keys<'a> {
    pub(super) wire: Option<WireKind>,
    pub(super) is_replay: bool,
    pub(super) base_url: Option<&'a str>,
    pub(super) has_key: bool,
    pub(super) auth: Option<AuthScheme>,
    pub(super) dialect: Option<Dialect>,
    pub(super) names_wire: bool,
    pub(super) has_api_version: bool,
    pub(super) has_anthropic_version: bool,
}

impl Keys<'_> {
    /// Every key that does nothing, at its place.
    pub(super) fn misplaced(&self, places: &Places) -> Vec<Diagnostic> {
        let Some(wire) = self.wire else { return Vec::new() };
        let found = [self.dialect(wire), self.version(wire), self.anthropic_version(wire), self.wire(), self.auth()];
        let fault = |(key, message, help): (&str, &str, &str)| {
            let place = places.get(key)?.clone();
            Some(Diagnostic { message: message.to_owned(), ..place }.help(help))
        };
        found.into_iter().flatten().filter_map(fault).collect()
    }

    fn dialect(&self, wire: WireKind) -> Option<(&'static str, &'static str, &'static str)> {
        let fits = match (wire, self.dialect?) {
            (_, Dialect::Plain) => true,
            (WireKind::OpenaiChat | WireKind::OpenaiResponses, dialect) => dialect != Dialect::Vertex,
            (WireKind::Gemini, dialect) => dialect == Dialect::Vertex,
            (WireKind::Anthropic | WireKind::Bedrock, _) => false,
        };
        let message = "the `kind` has no such `dialect`";
        let help = "`vertex` is of `kind = \"gemini\"`; `anthropic` and `bedrock` have none; the others are of \
                    `openai-chat` and `openai-responses`";
        (!fits).then_some(("dialect", message, help))
    }

    fn version(&self, wire: WireKind) -> Option<(&'static str, &'static str, &'static str)> {
        if !self.has_api_version {
            return None;
        }
        if wire != WireKind::OpenaiChat || self.dialect != Some(Dialect::Azure) {
            let message = "`api_version` is of Azure's older addresses alone, and does nothing here";
            let help = "leave it out; those have `kind = \"openai-chat\"` and `dialect = \"azure\"`";
            return Some(("api_version", message, help));
        }
        let twice =
            self.base_url.and_then(|url| url.split_once("://")).is_some_and(|(_, rest)| rest.contains("/openai"));
        let message = "with `api_version` the path under `/openai` is added, and `base_url` has it already";
        let help =
            "end `base_url` behind the host, or leave `api_version` out: the address under /openai/v1 needs none";
        twice.then_some(("api_version", message, help))
    }

    fn anthropic_version(&self, wire: WireKind) -> Option<(&'static str, &'static str, &'static str)> {
        let misplaced = self.has_anthropic_version && wire != WireKind::Anthropic;
        let message = "`anthropic_version` is a header of `kind = \"anthropic\"`, and does nothing here";
        misplaced.then_some(("anthropic_version", message, "leave it out"))
    }

    fn wire(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let misplaced = self.names_wire && !self.is_replay;
        let message = "`wire` says which wire was recorded, and the `kind` is not `replay`";
        misplaced.then_some(("wire", message, "leave it out: `kind` names the wire"))
    }

    fn auth(&self) -> Option<(&'static str, &'static str, &'static str)> {
        if self.is_replay {
            return None;
        }
        match (self.auth?, self.has_key) {
            (AuthScheme::None, true) => {
                Some(("auth", "`auth = \"none\"` sends no key, and a key is named", "leave out one of the two"))
            }
            (AuthScheme::None | AuthScheme::Sigv4, _) | (_, true) => None,
            (_, false) => {
                let help = "name the environment variable that holds it: `api_key_env = \"\u{2026}\"`";
                Some(("auth", "`auth` says how a key is sent, and no key is named", help))
            }
        }
    }
}
