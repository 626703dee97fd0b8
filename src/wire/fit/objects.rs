//! Objects as strict modes want them: closed, and with every field required.

use serde_json::{Value, json};

use super::rewrite::{Fields, Rewriting, below};
use super::rules::DESCRIPTIONS;
use super::undo::accepts_null;

impl Rewriting<'_> {
    /// Closes an object, and makes its optional fields nullable where all must be required.
    pub(super) fn finish_object(&mut self, fields: &Fields, at: &str, out: &mut Fields) {
        if !self.rules.closed {
            return;
        }
        let rest = out.get("additionalProperties").cloned();
        let named = out.get("properties").and_then(Value::as_object).is_some_and(|named| !named.is_empty());
        if !named && rest != Some(Value::Bool(false)) {
            self.refuse(at.to_owned(), "an object must name its fields");
        }
        match rest {
            Some(Value::Bool(false)) => {}
            None => self.change(at, "`additionalProperties` false added", false),
            Some(_) => self.change(at, "`additionalProperties` sent as false", true),
        }
        if !out.contains_key("properties") {
            out.insert("properties".to_owned(), json!({}));
        }
        out.insert("additionalProperties".to_owned(), false.into());
        self.require(fields, at, out);
    }

    fn require(&mut self, fields: &Fields, at: &str, out: &mut Fields) {
        let asked: Vec<String> = match out.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let Some(Value::Object(properties)) = out.get_mut("properties") else { return };
        let unnamed = asked.iter().find(|name| !properties.contains_key(*name)).cloned();
        let mut optional = Vec::new();
        if self.rules.all_required {
            for (name, property) in properties.iter_mut().filter(|(name, _)| !asked.contains(name)) {
                let own = fields.get("properties").and_then(|own| own.get(name));
                let nullable = own.is_some_and(|own| accepts_null(own, self.root));
                if !nullable {
                    make_nullable(property);
                }
                optional.push((name.clone(), nullable));
            }
        }
        let all: Vec<String> = properties.keys().cloned().collect();
        if let Some(name) = unnamed {
            self.refuse(at.to_owned(), &format!("`{name}` is required and has no schema"));
        }
        for (name, nullable) in optional {
            let place = below(&below(at, "properties"), &name);
            self.null_is_absent |= !nullable;
            let what = if nullable { "optional field required" } else { "optional field required, null for absent" };
            self.change(&place, what, false);
        }
        let complete = all.len() == asked.len() && all.iter().all(|name| asked.contains(name));
        if self.rules.all_required && !(complete && out.contains_key("required")) {
            out.insert("required".to_owned(), all.into());
        }
    }
}

/// Lets null stand where a fitted schema does not.
fn make_nullable(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let single = !["anyOf", "$ref", "const"].iter().any(|key| fields.contains_key(*key));
    let union_alone = fields.keys().all(|key| key == "anyOf" || DESCRIPTIONS.contains(&key.as_str()));
    match fields.get_mut("type") {
        Some(kind) if single => {
            match kind {
                Value::Array(kinds) if !kinds.contains(&json!("null")) => kinds.push("null".into()),
                Value::String(name) if name != "null" => *kind = json!([name, "null"]),
                _ => {}
            }
            if let Some(Value::Array(values)) = fields.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
        }
        None if union_alone => {
            if let Some(Value::Array(members)) = fields.get_mut("anyOf") {
                members.push(json!({"type": "null"}));
            }
        }
        _ => *schema = json!({"anyOf": [std::mem::take(schema), {"type": "null"}]}),
    }
}
