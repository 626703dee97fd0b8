//! Requests of every wire read as a conversation.

use ceiling::provider::WireKind;
use ceiling::wire::conversation::conversation;

use super::fixtures;

#[test]
fn every_published_request_reads_as_a_conversation() {
    let Some(fixtures) = fixtures("requests as conversations") else { return };
    let folders = [
        (WireKind::OpenaiChat, "openai_chat"),
        (WireKind::OpenaiChat, "openai_compatible"),
        (WireKind::OpenaiResponses, "openai_responses"),
        (WireKind::Anthropic, "anthropic_messages"),
        (WireKind::Gemini, "gemini"),
    ];
    let mut read = 0;
    for (kind, folder) in folders {
        for entry in std::fs::read_dir(fixtures.join("providers").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !(name.starts_with("request_") && name.ends_with(".json")) {
                continue;
            }
            let turns = conversation(kind, &std::fs::read(&path).unwrap()).unwrap_or_default();
            let last = turns.last().unwrap_or_else(|| panic!("{} has no turn", path.display()));
            assert_eq!(last.role, "user", "{}", path.display());
            assert!(turns.iter().all(|turn| !turn.text.is_empty()), "{}: {turns:?}", path.display());
            if name == "request_fewshot.json" {
                assert!(turns.iter().any(|turn| turn.role == "assistant"), "{}: {turns:?}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 20, "{read} requests were read");
}
