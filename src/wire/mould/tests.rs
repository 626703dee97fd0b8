use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::exchange::{CacheAsk, CacheLifetime, NamedSchema, OutputMode, Role};
use crate::provider::WireKind;
use crate::wire;

const WIRES: [WireKind; 5] =
    [WireKind::OpenaiChat, WireKind::OpenaiResponses, WireKind::Anthropic, WireKind::Gemini, WireKind::Bedrock];

fn request(texts: &[String], mode: usize, stream: bool, cached: bool) -> Request {
    let named = NamedSchema {
        name: "answer".into(),
        schema: json!({"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}),
    };
    let output = match mode {
        0 => OutputMode::Text,
        1 => OutputMode::JsonObject,
        2 => OutputMode::JsonSchema(named),
        _ => OutputMode::Tool(named),
    };
    let role = |place: usize| match place {
        0 => Role::System,
        odd if odd % 2 == 1 => Role::User,
        _ => Role::Assistant,
    };
    let messages = texts.iter().enumerate().map(|(place, text)| Message { role: role(place), content: text.clone() });
    let ask = CacheAsk { lifetime: CacheLifetime::Hour, explicit: true, key: "key".into(), stored: None };
    Request {
        model: "m".into(),
        messages: messages.collect(),
        stable_messages: texts.len() - 1,
        cache: cached.then_some(ask),
        params: json!({"max_tokens": 64, "temperature": 0}).as_object().unwrap().clone(),
        output,
        stream,
    }
}

proptest! {
    #[test]
    fn what_comes_out_is_what_the_wire_makes(
        first in prop::collection::vec(".{1,12}", 4),
        second in prop::collection::vec("[\\x00-\\x7f\u{a0}-\u{2fff}\u{1f600}]{1,12}", 4),
        mode in 0..4_usize, stream: bool, cached: bool,
    ) {
        for kind in WIRES {
            let target = Target { extra_body: json!({"top_k": 3}).as_object().unwrap().clone(), ..Target::default() };
            let wire = wire::wire(kind);
            let mould = Mould::of(wire, &request(&first, mode, stream, cached), &target);
            let other = request(&second, mode, stream, cached);
            let cast = mould.map(|mould| mould.cast(&other.messages));
            prop_assert_eq!(cast, Some(wire.encode(&other, &target)), "{:?}", kind);
        }
    }
}

#[test]
fn a_text_that_bears_the_mark_has_no_mould() {
    let mut request = request(&["system".to_owned(), "user".to_owned()], 2, true, false);
    request.model = mark(7);
    assert!(Mould::of(wire::wire(WireKind::OpenaiChat), &request, &Target::default()).is_none());
}

#[test]
fn a_message_that_says_nothing_comes_from_no_mould() {
    let said = |text: &str| request(&["system".to_owned(), text.to_owned()], 0, true, false).messages;
    assert!(Mould::takes(&said("user")) && !Mould::takes(&said("")));
}
