//! Sizes beyond which a provider refuses a schema whole. Our own count is no authority, so passing
//! one is said and nothing is changed.

use serde_json::{Map, Value};

use super::{Change, Profile};

/// What is counted.
#[derive(Debug, Default)]
struct Counts {
    properties: usize,
    enum_values: usize,
    /// Characters of names and of enum values.
    characters: usize,
    optional: usize,
    unions: usize,
    depth: usize,
}

/// Source: PROVIDERS.md 2 and 4.
pub(super) fn passed(schema: &Value, profile: Profile) -> Vec<Change> {
    let mut counts = Counts::default();
    counts.add(schema, 0);
    let limits: &[(usize, usize, &str)] = match profile {
        Profile::OpenaiStrict | Profile::OpenaiTuned => &[
            (counts.properties, 5000, "properties"),
            (counts.depth, 10, "levels"),
            (counts.enum_values, 1000, "enum values"),
            (counts.characters, 120_000, "characters of names and enum values"),
        ],
        Profile::Anthropic => {
            &[(counts.optional, 24, "optional fields"), (counts.unions, 16, "fields of several types")]
        }
        Profile::Gemini | Profile::AsIs => &[],
    };
    let passed = limits.iter().filter(|(count, most, _)| count > most);
    passed
        .map(|(count, most, what)| Change {
            at: String::new(),
            what: format!("nothing changed, but it has {count} {what} and the limit is said to be {most}"),
            loses: true,
        })
        .collect()
}

impl Counts {
    fn add(&mut self, node: &Value, depth: usize) {
        let Value::Object(fields) = node else { return };
        if let Some(Value::Array(values)) = fields.get("enum") {
            self.enum_values += values.len();
            self.characters +=
                values.iter().map(|value| value.as_str().map_or(0, |text| text.chars().count())).sum::<usize>();
        }
        if let Some(Value::Object(properties)) = fields.get("properties") {
            self.depth = self.depth.max(depth + 1);
            self.add_properties(fields, properties, depth + 1);
        }
        for key in ["$defs", "definitions"] {
            if let Some(Value::Object(definitions)) = fields.get(key) {
                self.characters += definitions.keys().map(|name| name.chars().count()).sum::<usize>();
                definitions.values().for_each(|definition| self.add(definition, 0));
            }
        }
        if let Some(items) = fields.get("items") {
            self.add(items, depth);
        }
        for key in ["anyOf", "prefixItems"] {
            if let Some(Value::Array(members)) = fields.get(key) {
                members.iter().for_each(|member| self.add(member, depth));
            }
        }
    }

    fn add_properties(&mut self, fields: &Map<String, Value>, properties: &Map<String, Value>, depth: usize) {
        let required = fields.get("required").and_then(Value::as_array);
        for (name, property) in properties {
            self.properties += 1;
            self.characters += name.chars().count();
            let is_required = required.is_some_and(|names| names.iter().any(|one| one == name.as_str()));
            self.optional += usize::from(!is_required);
            let union = property.get("anyOf").is_some() || property.get("type").is_some_and(Value::is_array);
            self.unions += usize::from(union);
            self.add(property, depth);
        }
    }
}
