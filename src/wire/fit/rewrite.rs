//! One walk over the schema that keeps what a provider takes.

use serde_json::{Map, Value, json};

use super::rules::{ASSERTIONS, BOOKKEEPING, DESCRIPTIONS, Enums, Recursion, Rules};
use super::types::{has_type, types_of};
use super::undo::resolve;
use super::{Change, Fitted, escape, pattern};

pub(super) type Fields = Map<String, Value>;

/// References copied into one another before they are taken for endless.
const MOST_COPIES: usize = 16;

/// Copies of one schema in all: those that copy others more than once would be as many as there are paths.
const MOST_COPIES_IN_ALL: usize = 1_000;

/// The walk.
pub(super) struct Rewriting<'a> {
    pub(super) rules: &'static Rules,
    pub(super) root: &'a Value,
    changes: Vec<Change>,
    pub(super) null_is_absent: bool,
    unsupported: Option<String>,
    copies: usize,
    copies_in_all: usize,
}

/// The schema as the rules want it.
pub(super) fn rewrite(schema: &Value, rules: &'static Rules) -> Fitted {
    let mut this = Rewriting {
        rules,
        root: schema,
        changes: Vec::new(),
        null_is_absent: false,
        unsupported: None,
        copies: 0,
        copies_in_all: 0,
    };
    let rewritten = this.at_root(schema);
    if rules.object_root {
        let is_object = rewritten.get("type").is_some_and(|kind| kind == "object");
        if !is_object || rewritten.get("anyOf").is_some() {
            this.refuse(String::new(), "the root must be an object, and no union");
        }
    }
    Fitted {
        schema: rewritten,
        changes: this.changes,
        null_is_absent: this.null_is_absent,
        unsupported: this.unsupported,
    }
}

impl Rewriting<'_> {
    pub(super) fn change(&mut self, at: &str, what: impl Into<String>, loses: bool) {
        self.changes.push(Change { at: at.to_owned(), what: what.into(), loses });
    }

    fn left_out(&mut self, at: &str, key: &str) {
        let loses = ASSERTIONS.contains(&key);
        self.change(at, format!("`{key}` left out"), loses);
    }

    /// Notes why no form of the schema is taken; the first reason is enough.
    pub(super) fn refuse(&mut self, at: String, why: &str) {
        let place = if at.is_empty() { String::new() } else { format!(" at `{at}`") };
        let who = self.rules.who;
        self.unsupported.get_or_insert_with(|| format!("{who} does not take the schema{place}: {why}"));
    }

    /// The root; where it is only a reference, what it refers to stands in its place.
    fn at_root(&mut self, schema: &Value) -> Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        let (Value::Object(fields), Some(target)) = (schema, target) else { return self.schema(schema, "") };
        let Some(Value::Object(named)) = resolve(target, self.root).filter(|named| named.get("$ref").is_none()) else {
            return self.schema(schema, "");
        };
        self.change("", format!("`{target}` copied to the root"), false);
        let mut whole = named.clone();
        for (key, value) in fields.iter().filter(|(key, _)| *key != "$ref") {
            if !whole.contains_key(key) {
                whole.insert(key.clone(), value.clone());
            }
        }
        self.node(&whole, "", true)
    }

    fn schema(&mut self, node: &Value, at: &str) -> Value {
        match node {
            Value::Object(fields) => self.node(fields, at, true),
            Value::Bool(true) => self.anything(at),
            other => other.clone(),
        }
    }

    /// A place where any value may stand.
    pub(super) fn anything(&mut self, at: &str) -> Value {
        if self.rules.typed {
            self.refuse(at.to_owned(), "nothing says what type of value stands there");
        }
        json!({})
    }

    /// One schema object. A member of `allOf` is not `whole`: what is around it says the rest.
    fn node(&mut self, fields: &Fields, at: &str, whole: bool) -> Value {
        if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
            return self.reference(fields, target, at);
        }
        if let Some(target) = lone_reference(fields) {
            let target = target.to_owned();
            return self.reference(fields, &target, at);
        }
        let mut out = Fields::new();
        for (key, value) in fields {
            self.keyword(fields, key, value, at, &mut out);
        }
        if whole {
            self.add_type(fields, at, &mut out);
            if has_type(&out, "object") {
                self.finish_object(fields, at, &mut out);
            }
            if self.rules.items_needed && has_type(&out, "array") && !out.contains_key("items") {
                self.refuse(at.to_owned(), "nothing says what the list's items are");
            }
        }
        Value::Object(out)
    }

    fn keyword(&mut self, fields: &Fields, key: &str, value: &Value, at: &str, out: &mut Fields) {
        match key {
            _ if BOOKKEEPING.contains(&key) => {}
            "$defs" | "definitions" => self.definitions(key, value, at, out),
            "properties" => self.properties(value, at, out),
            "items" => match value {
                Value::Object(_) | Value::Bool(true) => {
                    let items = self.schema(value, &below(at, key));
                    out.insert(key.to_owned(), items);
                }
                _ => self.left_out(at, key),
            },
            "additionalProperties" if !self.rules.closed && value.is_object() => {
                let rest = self.schema(value, &below(at, key));
                out.insert(key.to_owned(), rest);
            }
            "prefixItems" if self.rules.keywords.contains(&key) => {
                let items = self.members(value, &below(at, key));
                out.insert(key.to_owned(), items);
            }
            "anyOf" | "oneOf" => self.union(fields, key, value, at, out),
            "allOf" => self.all_of(fields, value, at, out),
            "enum" => self.enumeration(value, at, out),
            "const" => self.constant(fields, value, at, out),
            "format" | "pattern" | "minItems" => self.limited(key, value, at, out),
            "type" | "required" | "additionalProperties" => {
                out.insert(key.to_owned(), value.clone());
            }
            _ if DESCRIPTIONS.contains(&key) || self.rules.keywords.contains(&key) => {
                out.insert(key.to_owned(), value.clone());
            }
            _ => self.left_out(at, key),
        }
    }

    fn definitions(&mut self, key: &str, value: &Value, at: &str, out: &mut Fields) {
        let Value::Object(definitions) = value else { return };
        let place = below(at, key);
        let fitted =
            definitions.iter().map(|(name, definition)| (name.clone(), self.schema(definition, &below(&place, name))));
        let fitted: Fields = fitted.collect();
        let name = if self.rules.older_definitions { key } else { "$defs" };
        if name != key {
            self.change(at, format!("`{key}` sent as `{name}`"), false);
        }
        match out.get_mut(name) {
            Some(Value::Object(already)) => already.extend(fitted),
            _ => {
                out.insert(name.to_owned(), Value::Object(fitted));
            }
        }
    }

    fn properties(&mut self, value: &Value, at: &str, out: &mut Fields) {
        let Value::Object(properties) = value else { return };
        let place = below(at, "properties");
        let mut kept = Fields::new();
        for (name, property) in properties {
            let at = below(&place, name);
            if property == &Value::Bool(false) {
                self.change(&at, "left out: no value is allowed there", !self.rules.closed);
            } else {
                let fitted = self.schema(property, &at);
                kept.insert(name.clone(), fitted);
            }
        }
        out.insert("properties".to_owned(), Value::Object(kept));
    }

    fn members(&mut self, value: &Value, at: &str) -> Value {
        let members = value.as_array().into_iter().flatten().enumerate();
        members.map(|(index, member)| self.schema(member, &below(at, &index.to_string()))).collect()
    }

    /// A union of whole schemas. Beside fields of its own an object's union only narrows them, which
    /// a closed object cannot say.
    fn union(&mut self, fields: &Fields, key: &str, value: &Value, at: &str, out: &mut Fields) {
        let narrows = self.rules.closed && (fields.contains_key("properties") || has_type(fields, "object"));
        if narrows || out.contains_key("anyOf") || (key == "oneOf" && fields.contains_key("anyOf")) {
            self.left_out(at, key);
            return;
        }
        if key == "oneOf" {
            self.change(at, "`oneOf` sent as `anyOf`", true);
        }
        let kept: Vec<Value> = value.as_array().into_iter().flatten().cloned().collect();
        let members = self.members(&Value::Array(kept), &below(at, key));
        out.insert("anyOf".to_owned(), members);
    }

    /// One member is written in its place; several are what no subset takes.
    fn all_of(&mut self, fields: &Fields, value: &Value, at: &str, out: &mut Fields) {
        let member = match value.as_array().map(Vec::as_slice) {
            Some([Value::Object(member)]) => member,
            _ => return self.left_out(at, "allOf"),
        };
        // What stands in the member's own `allOf` is written in place before.
        let spared = |key: &String| key == "allOf" || DESCRIPTIONS.contains(&key.as_str());
        let conflicts = |key: &String| fields.contains_key(key) && !spared(key);
        if member.contains_key("$ref") || member.keys().any(conflicts) {
            return self.left_out(at, "allOf");
        }
        let Value::Object(member) = self.node(member, &below(&below(at, "allOf"), "0"), false) else { return };
        self.change(at, "`allOf` of one written in place", false);
        for (key, value) in member {
            if !fields.contains_key(&key) && !out.contains_key(&key) {
                out.insert(key, value);
            }
        }
    }

    fn enumeration(&mut self, value: &Value, at: &str, out: &mut Fields) {
        let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let taken = |value: &Value| match self.rules.enums {
            Enums::Any => true,
            Enums::Scalars => !value.is_object() && !value.is_array(),
            Enums::StringsAndNumbers => value.is_string() || value.is_number(),
        };
        if values.iter().all(taken) {
            out.insert("enum".to_owned(), value.clone());
            return;
        }
        let others: Vec<Value> = values.iter().filter(|value| !value.is_null()).cloned().collect();
        if !others.is_empty() && others.iter().all(taken) && !out.contains_key("anyOf") {
            // Null is a type where it may not be a value.
            self.change(at, "`null` of `enum` sent as a type of its own", false);
            let types = types_of(&others);
            out.remove("type");
            out.insert("anyOf".to_owned(), json!([{"type": types, "enum": others}, {"type": "null"}]));
        } else {
            self.left_out(at, "enum");
        }
    }

    fn constant(&mut self, fields: &Fields, value: &Value, at: &str, out: &mut Fields) {
        if self.rules.constants {
            if self.rules.enums == Enums::Scalars && (value.is_object() || value.is_array()) {
                return self.left_out(at, "const");
            }
            out.insert("const".to_owned(), value.clone());
        } else if fields.contains_key("enum") {
            self.left_out(at, "const");
        } else {
            self.change(at, "`const` sent as `enum`", false);
            self.enumeration(&json!([value]), at, out);
        }
    }

    /// Keywords of which only some values are taken.
    fn limited(&mut self, key: &str, value: &Value, at: &str, out: &mut Fields) {
        if !self.rules.keywords.contains(&key) {
            return self.left_out(at, key);
        }
        let refused = match (key, value) {
            ("format", Value::String(format)) => {
                let unknown = self.rules.formats.is_some_and(|known| !known.contains(&format.as_str()));
                unknown.then(|| format!("`format` {format} left out"))
            }
            ("pattern", Value::String(text)) => pattern::refused(text, self.rules.word_boundaries)
                .map(|why| format!("`pattern` left out: it has {why}")),
            _ => None,
        };
        if let Some(what) = refused {
            return self.change(at, what, true);
        }
        let most = self.rules.most_min_items;
        if let Some(least) = value.as_u64().filter(|&least| key == "minItems" && least > most) {
            self.change(at, format!("`minItems` {least} sent as {most}"), true);
            out.insert(key.to_owned(), most.into());
            return;
        }
        out.insert(key.to_owned(), value.clone());
    }

    /// A reference stands alone.
    fn reference(&mut self, fields: &Fields, target: &str, at: &str) -> Value {
        let named = ["#/$defs/", "#/definitions/"].iter().find_map(|head| target.strip_prefix(head));
        let keeps = target == "#" || named.is_some_and(|name| !name.contains('/'));
        if !keeps {
            return self.copied(target, at);
        }
        for key in fields.keys().filter(|key| !key.starts_with('$') && *key != "allOf") {
            self.change(at, format!("`{key}` beside `$ref` left out"), ASSERTIONS.contains(&key.as_str()));
        }
        let definitions = ["$defs", "definitions"].iter().filter_map(|key| Some((*key, fields.get(*key)?)));
        let mut out = Fields::new();
        if self.rules.recursion != Recursion::Taken && refers_to_itself(target, self.root) {
            if self.rules.recursion == Recursion::Refused {
                self.refuse(at.to_owned(), &format!("`{target}` contains itself"));
            } else {
                let what = format!("`{target}` contains itself, and is followed to a limited depth");
                self.change(at, what, true);
            }
        }
        let sent = match named {
            Some(name) if !self.rules.older_definitions => format!("#/$defs/{name}"),
            _ => target.to_owned(),
        };
        out.insert("$ref".to_owned(), sent.into());
        for (key, value) in definitions {
            self.definitions(key, value, at, &mut out);
        }
        Value::Object(out)
    }

    /// What a reference to anywhere else points to, in its place.
    fn copied(&mut self, target: &str, at: &str) -> Value {
        let is_endless = self.copies >= MOST_COPIES || self.copies_in_all >= MOST_COPIES_IN_ALL;
        let Some(named) = resolve(target, self.root).filter(|_| !is_endless) else {
            self.refuse(at.to_owned(), &format!("`{target}` is no definition below `$defs`, or contains itself"));
            return json!({});
        };
        self.change(at, format!("`{target}` copied in"), false);
        self.copies += 1;
        self.copies_in_all += 1;
        let copy = self.schema(named, at);
        self.copies -= 1;
        copy
    }
}

/// The target of `{"allOf": [{"$ref": …}]}` with nothing but descriptions beside it.
fn lone_reference(fields: &Fields) -> Option<&str> {
    let described = |key: &String| key == "allOf" || DESCRIPTIONS.contains(&key.as_str()) || key == "default";
    let [Value::Object(member)] = fields.get("allOf")?.as_array()?.as_slice() else { return None };
    let target = member.get("$ref")?.as_str()?;
    (fields.keys().all(described) && member.len() == 1).then_some(target)
}

pub(super) fn below(at: &str, step: &str) -> String {
    format!("{at}/{}", escape(step))
}

/// Whether what a reference names contains the reference again.
fn refers_to_itself(target: &str, root: &Value) -> bool {
    fn reaches<'a>(node: &'a Value, goal: &str, root: &'a Value, seen: &mut Vec<&'a str>) -> bool {
        match node {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    if target == goal {
                        return true;
                    }
                    if !seen.contains(&target) {
                        seen.push(target);
                        if resolve(target, root).is_some_and(|named| reaches(named, goal, root, seen)) {
                            return true;
                        }
                    }
                }
                fields.iter().any(|(key, child)| {
                    // A field may bear one of these names; then its schema is an object.
                    let data = matches!(key.as_str(), "enum" | "const" | "default" | "examples") && !child.is_object();
                    !(data || matches!(key.as_str(), "$defs" | "definitions")) && reaches(child, goal, root, seen)
                })
            }
            Value::Array(items) => items.iter().any(|item| reaches(item, goal, root, seen)),
            _ => false,
        }
    }
    resolve(target, root).is_some_and(|named| reaches(named, target, root, &mut Vec::new()))
}
