//! Prompt templates; the only file that names `minijinja`.
//!
//! Templates see `input`, its fields, `schema`, `labels` and `documents`, and nothing else: no file, no other
//! template, no clock. An undefined name is an error, never an empty string.

mod nesting;

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as TemplateValue};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

use crate::suite::documents::Document;

/// Steps that one rendering may take; a template that loops over more does not describe a prompt.
const FUEL: u64 = 2_000_000;

/// Stack for compiling the longest chain of operators that is taken.
const COMPILING_STACK: usize = 64 << 20;

/// Why a template cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// The line within the part, from 1, if known.
    pub line: Option<usize>,
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        let detail =
            error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        Self { message: crate::text::one_line(&detail, 300), line: error.line() }
    }
}

/// What a template may use beside the example's input.
#[derive(Debug, Clone)]
pub struct Shared {
    schema: Option<TemplateValue>,
    labels: TemplateValue,
    has_documents: bool,
}

impl Shared {
    /// The suite's schema as compact JSON and its labels in schema order.
    pub fn new(schema: Option<&Value>, labels: &[String]) -> Self {
        Self {
            schema: schema.map(|schema| TemplateValue::from_safe_string(schema.to_string())),
            labels: TemplateValue::from_object(Labels(
                labels.iter().map(|label| TemplateValue::from(label.as_str())).collect(),
            )),
            has_documents: false,
        }
    }

    /// The same where the suite has documents: `documents` is then a list, empty without retrieval,
    /// and no field of the input.
    pub fn with_documents(self, has_documents: bool) -> Self {
        Self { has_documents, ..self }
    }
}

/// The documents of one request as a template sees them: a list of `{id, title, text}`.
#[derive(Debug, Clone)]
pub struct Documents(TemplateValue);

impl Documents {
    /// The documents, the best first; a document without a title has an empty one.
    pub fn new<'a>(documents: impl Iterator<Item = &'a Document>) -> Self {
        let row = |document: &Document| {
            let title = document.title.as_deref().unwrap_or_default();
            json!({"id": document.id, "title": title, "text": document.text})
        };
        Self(input_value(&documents.map(row).collect()))
    }

    /// None.
    pub fn none() -> Self {
        Self::new(std::iter::empty())
    }
}

/// One part of a prompt, compiled.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
}

impl Template {
    /// Compiles a part; an error names its line.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        if let Some((line, message)) = nesting::fault(source) {
            return Err(TemplateError { message, line: Some(line) });
        }
        let gave_up = |message: String| TemplateError { message, line: None };
        std::thread::scope(|scope| {
            let compile = || environment.add_template_owned("part", source.to_owned());
            let compiling = std::thread::Builder::new().stack_size(COMPILING_STACK).spawn_scoped(scope, compile);
            match compiling.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(compiled)) => compiled.map_err(TemplateError::from),
                Ok(Err(_)) => Err(gave_up("the template could not be compiled".to_owned())),
                Err(error) => Err(gave_up(format!("there is no thread to compile a template: {error}"))),
            }
        })?;
        Ok(Self { environment })
    }

    /// Whether what the part says depends on the example's input: it uses a name that all examples do
    /// not share. Documents are another matter: see [`Template::names`].
    pub fn depends_on_input(&self) -> bool {
        let Ok(template) = self.environment.get_template("part") else { return false };
        let shared = |name: &String| matches!(name.as_str(), "schema" | "labels" | "documents");
        !template.undeclared_variables(false).iter().all(shared)
    }

    /// Whether the part uses a name.
    pub fn names(&self, name: &str) -> bool {
        let template = self.environment.get_template("part");
        template.is_ok_and(|template| template.undeclared_variables(false).contains(name))
    }

    /// Renders the part for one input and its documents, and trims the result.
    pub fn render(&self, input: &Value, shared: &Shared, documents: &Documents) -> Result<String, TemplateError> {
        let scope = TemplateValue::from_object(Scope {
            input: input_value(input),
            shared: shared.clone(),
            documents: documents.0.clone(),
        });
        let rendered = self.environment.get_template("part")?.render(scope)?;
        Ok(rendered.trim().to_owned())
    }
}

/// The names that a template sees.
#[derive(Debug)]
struct Scope {
    input: TemplateValue,
    shared: Shared,
    documents: TemplateValue,
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &TemplateValue) -> Option<TemplateValue> {
        match key.as_str()? {
            "input" => Some(self.input.clone()),
            "schema" => self.shared.schema.clone(),
            "labels" => Some(self.shared.labels.clone()),
            "documents" if self.shared.has_documents => Some(self.documents.clone()),
            field => self.input.get_attr(field).ok().filter(|value| !value.is_undefined()),
        }
    }
}

/// The labels: `{{ labels }}` is "a, b, c", and they can be joined or looped over.
#[derive(Debug)]
struct Labels(Vec<TemplateValue>);

impl Object for Labels {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &TemplateValue) -> Option<TemplateValue> {
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{label}")?;
        }
        Ok(())
    }
}

/// An object or list of an input: renders as compact JSON, its fields and items can be named.
#[derive(Debug)]
struct Json(Value);

impl Object for Json {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.0.is_array() { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &TemplateValue) -> Option<TemplateValue> {
        let found = match key.as_str() {
            Some(name) => self.0.get(name),
            None => self.0.get(key.as_usize()?),
        };
        found.map(input_value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.0 {
            Value::Array(items) => Enumerator::Seq(items.len()),
            Value::Object(fields) => {
                Enumerator::Values(fields.keys().map(|key| TemplateValue::from(key.as_str())).collect())
            }
            _ => Enumerator::Empty,
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn input_value(value: &Value) -> TemplateValue {
    match value {
        Value::String(text) => TemplateValue::from(text.as_str()),
        Value::Array(_) | Value::Object(_) => TemplateValue::from_object(Json(value.clone())),
        Value::Null => TemplateValue::from(()),
        Value::Bool(truth) => TemplateValue::from(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => TemplateValue::from(number),
            (None, Some(number), _) => TemplateValue::from(number),
            (None, None, number) => TemplateValue::from(number.unwrap_or_default()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn render(source: &str, input: Value) -> Result<String, TemplateError> {
        let shared = Shared::new(Some(&json!({"b": 1, "a": [2]})), &["x".into(), "y".into()]);
        Template::compile(source)?.render(&input, &shared, &Documents::none())
    }

    #[test]
    fn the_names_of_the_contract_render() {
        assert_eq!(render(" {{ input }}\n", json!("hi")).unwrap(), "hi");
        assert_eq!(render("{{ labels }}|{{ labels | join('/') }}", json!("")).unwrap(), "x, y|x/y");
        assert_eq!(render("{{ schema }}", json!("")).unwrap(), r#"{"b":1,"a":[2]}"#);
        assert_eq!(render("{{ input }}", json!({"z": 1, "a": "é"})).unwrap(), r#"{"z":1,"a":"é"}"#);
        assert_eq!(
            render("{{ input.z }} {{ a }} {% for i in l %}{{ i }}{% endfor %}", json!({"z": 1, "a": "b", "l": [1, 2]}))
                .unwrap(),
            "1 b 12"
        );
        assert_eq!(render("{{ input }}", json!(7)).unwrap(), "7");
    }

    #[test]
    fn documents_are_a_list_where_the_suite_has_some() {
        let document =
            |title: Option<&str>| Document { id: "d".into(), title: title.map(str::to_owned), text: "t".into() };
        let documents = [document(None), document(Some("T"))];
        let render = |source: &str, input: Value, has: bool, documents: &[Document]| {
            let shared = Shared::new(None, &[]).with_documents(has);
            Template::compile(source).unwrap().render(&input, &shared, &Documents::new(documents.iter()))
        };
        let source = "{% for d in documents %}{{ d.id }}|{{ d.title }}|{{ d.text }};{% endfor %}";
        assert_eq!(render(source, json!("x"), true, &documents).unwrap(), "d||t;d|T|t;");
        assert_eq!(render(source, json!("x"), true, &[]).unwrap(), "");
        assert!(render(source, json!("x"), false, &[]).is_err());
        assert_eq!(render("{{ documents }}", json!({"documents": "own"}), false, &[]).unwrap(), "own");
        assert!(Template::compile(source).unwrap().names("documents"));
        assert!(!Template::compile("documents {{ input.documents }}").unwrap().names("documents"));
    }

    #[test]
    fn an_unknown_name_is_an_error_with_its_line() {
        let error = render("a\n{{ inptu }}", json!("x")).unwrap_err();
        assert_eq!(error.line, Some(2));
        assert!(render("{{ input.missing }}", json!({"a": 1})).is_err());
    }

    #[test]
    fn a_template_reaches_no_other_file_and_ends() {
        assert!(render("{% include '/etc/passwd' %}", json!("x")).is_err());
        assert!(
            render("{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}", json!("x"))
                .is_err()
        );
    }

    #[test]
    fn a_template_builds_no_huge_text() {
        let doubled: String = (0..64).map(|at| format!("{{% set a{} = a{at} ~ a{at} %}}", at + 1)).collect();
        for source in [
            format!("{{% set a0 = 'xxxxxxxx' %}}{doubled}{{{{ a64 | length }}}}"),
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}"
                .to_owned(),
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}"
                .to_owned(),
            "{{ 'x' * 99999999 }}{{ 'x' * 99999999 }}".to_owned(),
            "{{ 'x' * 99999999999999 }}".to_owned(),
            "{{ ([1] * 99999999) | list | length }}{{ ([1] * 99999999) | list | length }}".to_owned(),
            "{{ range(99999) | join('x' * 99999) }}".to_owned(),
            "{{ ('x' * 99999) | replace('', 'y' * 99999) }}".to_owned(),
            "{{ ('x\n' * 99999) | indent(99999) }}".to_owned(),
            "{{ '%99999999999d' | format(1) }}".to_owned(),
            "{% for i in range(99999) %}{% filter upper %}TEXT{% endfilter %}{% endfor %}"
                .replace("TEXT", &"x".repeat(99_999)),
            "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}".to_owned(),
            "{% for i in range(999999999999) %}{% endfor %}".to_owned(),
            "{% for i in input recursive %}{{ loop(input) }}{% endfor %}".to_owned(),
            "{{ input ~ input }}".repeat(2_000),
        ] {
            let input = Value::Array(vec![json!("x".repeat(9_999)); 9]);
            let error = render(&source, input).unwrap_err();
            assert!(error.message.chars().count() <= 301, "{}", error.message);
        }
    }

    #[test]
    fn a_template_that_nests_without_end_is_refused() {
        let chain = |head: &str, piece: &str, times: usize, tail: &str| head.to_owned() + &piece.repeat(times) + tail;
        for (head, piece, tail) in [
            ("{{ ", "(", "a"),
            ("", "{% if a %}", ""),
            ("{{ a", "[a", ""),
            ("{{ a", ".a", " }}"),
            ("{{ ", "not ", "a }}"),
            ("{{ ", "-", "1 }}"),
            ("{{ a", " ~ a", " }}"),
            ("{{ a", "|upper", " }}"),
            ("{{ a", "()", " }}"),
            ("{{ a", " if a else a", " }}"),
            ("{% if a %}", "{% elif a %}", "{% endif %}"),
        ] {
            assert!(Template::compile(&chain(head, piece, 100_000, tail)).is_err(), "{piece}");
            // As much as is taken compiles, or is refused, on a stack of any size.
            let most = (nesting::LONGEST_TAG - 16) / piece.len();
            let _ = Template::compile(&chain(head, piece, most.min(nesting::MOST_ELIF), tail));
            let _ = Template::compile(&chain(head, piece, most, tail));
        }
    }

    proptest! {
        #[test]
        fn an_input_is_data_never_a_template(text in "\\PC*") {
            let text = text.trim().to_owned();
            prop_assert_eq!(render("{{ input }}", json!(format!("x{text}x"))).unwrap(), format!("x{text}x"));
        }

        #[test]
        fn no_template_panics(source in "[{}%a-z ._|\\[\\]()'0-9]{0,60}") {
            let _ = render(&source, json!({"a": "b"}));
        }
    }
}
