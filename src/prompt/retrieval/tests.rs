use super::*;
use crate::suite::ExampleId;
use serde_json::json;

fn document(id: &str, title: Option<&str>, text: &str) -> Document {
    Document { id: id.into(), title: title.map(str::to_owned), text: text.into() }
}

fn library() -> Arc<Library> {
    Arc::new(Library::new(vec![
        document("tides", None, "The moon pulls the sea, and the sea answers with tides."),
        document("cheese", None, "Cheese is made of milk."),
        document("moon", Some("The moon"), "It has no cheese."),
        document("same", None, "Cheese is made of milk."),
    ]))
}

fn example(input: Value, documents: &[&str]) -> Example {
    Example {
        id: ExampleId("e".into()),
        input,
        expected: Value::Null,
        cluster: None,
        tags: std::collections::BTreeMap::new(),
        documents: documents.iter().map(|&id| id.to_owned()).collect(),
    }
}

fn words(k: u32) -> Retriever {
    let library = library();
    let index = Index::Words(Arc::new(WordIndex::new(&library)));
    Retriever::new(library, index, k)
}

#[test]
fn words_are_found_in_title_and_text_with_ties_in_order() {
    assert_eq!(words(4).top(&example(json!("MILK cheese?"), &[])), Some(vec![1, 3, 2]));
    assert_eq!(words(1).top(&example(json!("milk"), &[])), Some(vec![1]));
    assert_eq!(words(2).top(&example(json!("moon"), &[])), Some(vec![2, 0]));
}

#[test]
fn a_document_without_a_common_word_is_not_found() {
    assert_eq!(words(4).top(&example(json!("tides"), &[])), Some(vec![0]));
    assert_eq!(words(4).top(&example(json!("quarks"), &[])), Some(Vec::new()));
    assert_eq!(words(4).top(&example(json!(""), &[])), Some(Vec::new()));
}

#[test]
fn the_fields_of_an_input_are_searched_for_without_their_names() {
    let input = json!({"moon": "tides", "list": ["milk", 7, null]});
    assert_eq!(query_text(&input), "tides\nmilk\n7");
    assert_eq!(words(4).top(&example(input, &[])), Some(vec![0, 1, 3]));
}

#[test]
fn an_oracle_has_the_named_documents_in_the_order_of_the_files() {
    let oracle = |k| Retriever::new(library(), Index::Oracle, k);
    let example = example(json!("anything"), &["moon", "nowhere", "tides"]);
    assert_eq!(oracle(5).top(&example), Some(vec![0, 2]));
    assert_eq!(oracle(1).top(&example), Some(vec![0]));
}

#[test]
fn vectors_are_looked_up_by_the_text_of_the_input() {
    let ranked = Ranked::from([(Digest::of(b"known"), vec![3, 1, 0].into_boxed_slice())]);
    let retriever = Retriever::new(library(), Index::Vectors(Arc::new(ranked)), 2);
    assert_eq!(retriever.top(&example(json!("known"), &[])), Some(vec![3, 1]));
    assert_eq!(retriever.top(&example(json!("unknown"), &[])), None);
    assert_eq!(retriever.top(&example(json!(" "), &[])), Some(Vec::new()), "blank texts have no vector");
}

#[test]
fn documents_stand_in_front_of_a_prompt_that_does_not_place_them() {
    let library = library();
    let text = in_front([&library.documents()[1], &library.documents()[2]].into_iter(), "What is it?");
    let expected = "Use these documents where they help:\n\n[1] Cheese is made of milk.\n\n[2] The moon\nIt has no cheese.\n\nWhat is it?";
    assert_eq!(text, expected);
    assert_eq!(in_front(std::iter::empty(), "What is it?"), "What is it?");
}

/// The request of a suite's only variant, with documents from the library above by words.
fn request(prompt: &str) -> crate::exchange::Request {
    use crate::prompt::Prepared;
    let folder = tempfile::tempdir().unwrap();
    let suite = "[suite]\nname = \"s\"\ntask = \"generation\"\n[data]\nexamples = \"pool.jsonl\"\npool = \"pool.jsonl\"\n\
                 documents = \"docs.jsonl\"\n[score.scorers.s]\nkind = \"exact\"\n[prompts]\np = \"p.md.j2\"\n\
                 [[variants]]\nname = \"v\"\nmodel = \"openai/gpt-5-mini\"\nshots = 1\nretrieve = { k = 1 }\n";
    let pool = "{\"id\": \"p\", \"input\": \"milk\", \"expected\": \"white\"}\n";
    let files = [("suite.toml", suite), ("pool.jsonl", pool), ("docs.jsonl", ""), ("p.md.j2", prompt)];
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    let providers = crate::provider::load::load(&[]).unwrap();
    let suite = crate::suite::load::load(folder.path(), &providers, &Default::default()).unwrap().suite;
    let pool: Vec<Example> = suite.pool.as_ref().unwrap().read().map(|row| row.unwrap().example).collect();
    let (provider, model) = providers.endpoint(&suite.variants[0].endpoint).unwrap();
    let target = (model.served_as.as_str(), provider.target(model));
    let prepared = Prepared::new(&suite, &suite.variants[0], provider.wire, target, &pool).unwrap();
    prepared.with_retriever(Some(Arc::new(words(1)))).render(&example(json!("moon"), &[])).unwrap()
}

#[test]
fn documents_stand_in_the_last_message_and_shots_have_none() {
    let request = request("--- system ---\nS\n--- user ---\n{{ input }}");
    let said: Vec<&str> = request.messages.iter().map(|message| message.content.as_str()).collect();
    let last = "Use these documents where they help:\n\n[1] The moon\nIt has no cheese.\n\nmoon";
    assert_eq!(said, ["S", "milk", "\"white\"", last]);
    assert_eq!(request.stable_messages, 3);
}

#[test]
fn documents_in_the_system_part_leave_no_stable_prefix() {
    let request =
        request("--- system ---\nS{% for d in documents %} {{ d.id }}{% endfor %}\n--- user ---\n{{ input }}");
    assert_eq!(request.messages[0].content, "S moon");
    assert_eq!(request.messages.last().unwrap().content, "moon");
    assert_eq!(request.stable_messages, 0);
}
