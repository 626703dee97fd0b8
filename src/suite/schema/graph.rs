//! A schema as a graph: which part is asked about which part of an answer.
//!
//! It is made from the text alone, so that how much work a schema asks for is known before any of it is done.

use std::collections::HashMap;

use serde_json::{Map, Value};
use url::Url;

/// Where the drafts' own schemas lie, which need no fetching.
const DRAFTS: [&str; 2] = ["http://json-schema.org/", "https://json-schema.org/"];

/// The address of a schema that names none.
const NAMELESS: &str = "json-schema:///";

/// Which part of a value a subschema is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// The value itself.
    Itself,
    /// The member of this name.
    Member(&'a str),
    /// The item at this place.
    Item(usize),
    /// All members.
    Members,
    /// All items.
    Items,
    /// The name of every member.
    Names,
}

/// A subschema.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    /// What it asks, and of what.
    pub(super) edges: Vec<(Reach<'a>, usize)>,
    /// Whether it asks what others have left over, for which they are asked again.
    pub(super) asks_again: bool,
    /// Whether it is a draft's own schema, whose parts are not in the graph.
    pub(super) is_draft: bool,
}

/// The subschemas of a document; the first is the whole.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
}

/// A reference that leaves the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outside(pub(super) String);

type Id = *const Value;

struct Reader<'a> {
    root: &'a Value,
    graph: Graph<'a>,
    known: HashMap<Id, usize>,
    /// The address that references of a subschema are relative to.
    bases: HashMap<Id, Url>,
    /// Subschemas by address, and by address and anchor.
    resources: HashMap<String, &'a Value>,
    anchors: HashMap<(String, &'a str), &'a Value>,
    dynamic: HashMap<&'a str, Vec<&'a Value>>,
}

/// The graph of a schema.
///
/// # Errors
/// The first reference that is neither in the document nor a draft's own schema.
pub(super) fn read(root: &Value) -> Result<Graph<'_>, Outside> {
    let base = Url::parse(NAMELESS).map_err(|_| Outside(String::new()))?;
    let mut reader = Reader {
        root,
        graph: Graph { nodes: Vec::new() },
        known: HashMap::new(),
        bases: HashMap::new(),
        resources: HashMap::from([(base.to_string(), root)]),
        anchors: HashMap::new(),
        dynamic: HashMap::new(),
    };
    reader.collect(root, &base);
    reader.add(root);
    let mut next = 0;
    let mut order = vec![root];
    while let Some(node) = order.get(next).copied() {
        if let Value::Object(fields) = node {
            for (reach, child) in reader.asked(fields, node)? {
                let before = reader.graph.nodes.len();
                let place = match child {
                    Some(child) => reader.add(child),
                    None => reader.add_draft(),
                };
                if let Some(child) = child.filter(|_| place == before) {
                    order.push(child);
                } else if place == before {
                    // A draft's own schema asks nothing that is in the graph.
                    order.push(&Value::Null);
                }
                reader.graph.nodes[next].edges.push((reach, place));
            }
        }
        next += 1;
    }
    Ok(reader.graph)
}

impl<'a> Reader<'a> {
    fn add(&mut self, schema: &'a Value) -> usize {
        let place = self.graph.nodes.len();
        let known = *self.known.entry(std::ptr::from_ref(schema)).or_insert(place);
        if known == place {
            let asks = |key: &str| schema.get(key).is_some_and(|asked| asked != &Value::Bool(true));
            let asks_again = asks("unevaluatedProperties") || asks("unevaluatedItems");
            self.graph.nodes.push(Node { asks_again, ..Node::default() });
        }
        known
    }

    fn add_draft(&mut self) -> usize {
        self.graph.nodes.push(Node { is_draft: true, ..Node::default() });
        self.graph.nodes.len() - 1
    }

    /// Notes addresses and anchors of every subschema.
    fn collect(&mut self, schema: &'a Value, base: &Url) {
        let Value::Object(fields) = schema else { return };
        let id = ["$id", "id"].iter().find_map(|key| fields.get(*key)).and_then(Value::as_str);
        let mut base = base.clone();
        match id.map(|id| (id, base.join(id))) {
            Some((id, _)) if id.starts_with('#') => {
                self.anchors.insert((base.to_string(), &id[1..]), schema);
            }
            Some((_, Ok(mut address))) => {
                address.set_fragment(None);
                self.resources.insert(address.to_string(), schema);
                base = address;
            }
            _ => {}
        }
        for key in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = fields.get(key).and_then(Value::as_str) {
                self.anchors.insert((base.to_string(), name), schema);
                if key == "$dynamicAnchor" {
                    self.dynamic.entry(name).or_default().push(schema);
                }
            }
        }
        if fields.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            self.dynamic.entry("").or_default().push(schema);
        }
        self.bases.insert(std::ptr::from_ref(schema), base.clone());
        for (_, child) in below(fields) {
            self.collect(child, &base);
        }
    }

    /// What a subschema asks; a draft's own schema stands as nothing.
    fn asked(&self, fields: &'a Map<String, Value>, node: &'a Value) -> Result<Vec<Asked<'a>>, Outside> {
        let mut asked: Vec<Asked<'a>> =
            below(fields).filter_map(|(reach, child)| Some((reach?, Some(child)))).collect();
        for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let Some(target) = fields.get(key).and_then(Value::as_str) else { continue };
            asked.extend(self.targets(key, target, node)?.into_iter().map(|named| (Reach::Itself, named)));
        }
        Ok(asked)
    }

    fn targets(&self, key: &str, target: &'a str, node: &'a Value) -> Result<Vec<Option<&'a Value>>, Outside> {
        let nameless = || Url::parse(NAMELESS);
        let base = self.bases.get(&std::ptr::from_ref(node)).cloned().map_or_else(nameless, Ok);
        let address = base.and_then(|base| base.join(target)).map_err(|_| Outside(target.to_owned()))?;
        let (resource, fragment) = (without_fragment(&address), address.fragment().unwrap_or_default());
        let mut found = Vec::new();
        if key != "$ref" {
            let anchor = if key == "$recursiveRef" { "" } else { fragment };
            found.extend(self.dynamic.get(anchor).into_iter().flatten().copied().map(Some));
        }
        let Some(whole) = self.resources.get(&resource).copied() else {
            if DRAFTS.iter().any(|draft| resource.starts_with(draft)) {
                return Ok(vec![None]);
            }
            if target.starts_with('#') {
                return Ok(self.root.pointer(fragment).into_iter().map(Some).collect());
            }
            return Err(Outside(target.to_owned()));
        };
        let fragment = decoded(fragment);
        let named = match fragment.as_str() {
            "" => Some(whole),
            path if path.starts_with('/') => whole.pointer(path),
            anchor => {
                self.anchors.iter().find(|((at, name), _)| *at == resource && *name == anchor).map(|found| *found.1)
            }
        };
        if let Some(named) = named
            && !found.iter().flatten().any(|known| std::ptr::eq(*known, named))
        {
            found.push(Some(named));
        }
        Ok(found)
    }
}

/// What is asked and of what; `None` is a draft's own schema.
type Asked<'a> = (Reach<'a>, Option<&'a Value>);

fn without_fragment(address: &Url) -> String {
    let mut address = address.clone();
    address.set_fragment(None);
    address.to_string()
}

/// A fragment without its percent signs.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The subschemas right below one; those that are only kept to be referred to reach nothing.
fn below<'a>(fields: &'a Map<String, Value>) -> impl Iterator<Item = (Option<Reach<'a>>, &'a Value)> {
    fields.iter().flat_map(|(key, value)| {
        let mut found: Vec<(Option<Reach<'a>>, &'a Value)> = Vec::new();
        let members = || value.as_object().into_iter().flatten();
        let list = || value.as_array().into_iter().flatten();
        match key.as_str() {
            "allOf" | "anyOf" | "oneOf" => found.extend(list().map(|child| (Some(Reach::Itself), child))),
            "not" | "if" | "then" | "else" => found.push((Some(Reach::Itself), value)),
            "dependentSchemas" | "dependencies" => {
                found.extend(members().map(|(_, child)| (Some(Reach::Itself), child)));
            }
            "properties" => found.extend(members().map(|(name, child)| (Some(Reach::Member(name)), child))),
            "patternProperties" => found.extend(members().map(|(_, child)| (Some(Reach::Members), child))),
            "additionalProperties" | "unevaluatedProperties" => found.push((Some(Reach::Members), value)),
            "propertyNames" => found.push((Some(Reach::Names), value)),
            "prefixItems" => found.extend(list().enumerate().map(|(at, child)| (Some(Reach::Item(at)), child))),
            "items" if value.is_array() => {
                found.extend(list().enumerate().map(|(at, child)| (Some(Reach::Item(at)), child)));
            }
            "items" | "additionalItems" | "contains" | "unevaluatedItems" => found.push((Some(Reach::Items), value)),
            "$defs" | "definitions" => found.extend(members().map(|(_, child)| (None, child))),
            _ => {}
        }
        found.into_iter().filter(|(_, child)| child.is_object() || child.is_boolean())
    })
}
