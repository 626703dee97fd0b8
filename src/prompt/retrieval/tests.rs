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
    assert_eq!(words(2).top(&example(json!("the moon"), &[])), Some(vec![2, 0]));
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
