//! Corrected copies of data files: the lines with wrong labels written anew, every other one byte for byte as it was.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::suite::examples::ExampleFiles;

/// Why a file is not corrected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCorrected {
    /// A line is no JSON object with the expected field, though it was when it was read.
    #[error("line {0} is no longer the row that was read")]
    Changed(u64),
}

/// The text of a .jsonl file with these lines' labels replaced. `at` is where the label stands in the expected answer.
///
/// # Errors
/// A line that is not as it was when it was read.
pub fn lines(text: &str, labels: &BTreeMap<u64, Value>, spec: &ExampleFiles, at: &str) -> Result<String, NotCorrected> {
    let mut corrected = String::with_capacity(text.len());
    for (place, line) in text.split_inclusive('\n').enumerate() {
        let number = place as u64 + 1;
        let Some(label) = labels.get(&number) else {
            corrected.push_str(line);
            continue;
        };
        let body = line.trim_end_matches(['\n', '\r']);
        let mut row: Value =
            serde_json::from_str(body.trim_start_matches('\u{feff}')).map_err(|_| NotCorrected::Changed(number))?;
        let name = spec.map.expected.as_deref().unwrap_or("expected");
        let field = if name.starts_with('/') { row.pointer_mut(name) } else { row.get_mut(name) };
        let expected = field.ok_or(NotCorrected::Changed(number))?;
        replace(expected, label, at);
        corrected.push_str(&row.to_string());
        corrected.push_str(&line[body.len()..]);
    }
    Ok(corrected)
}

/// Sets the label in an expected answer. One that is the label alone is replaced whole.
pub fn replace(expected: &mut Value, label: &Value, at: &str) {
    match expected.pointer_mut(at) {
        Some(place) => *place = label.clone(),
        None => *expected = label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::examples::FieldMap;
    use serde_json::json;

    #[test]
    fn only_the_named_lines_change() {
        let text = "{\"id\":\"a\", \"z\":1, \"expected\": {\"label\":\"A\",\"why\":2}}\r\n\n{ \"id\" : \"b\", \"expected\":{}}";
        let labels = BTreeMap::from([(1, json!("B"))]);
        let corrected = lines(text, &labels, &ExampleFiles::default(), "/label").unwrap();
        assert_eq!(
            corrected,
            "{\"id\":\"a\",\"z\":1,\"expected\":{\"label\":\"B\",\"why\":2}}\r\n\n{ \"id\" : \"b\", \"expected\":{}}"
        );
        assert_eq!(lines("[]\n", &labels, &ExampleFiles::default(), ""), Err(NotCorrected::Changed(1)));
    }

    #[test]
    fn a_mapped_label_that_stands_alone_is_replaced_where_it_is() {
        let spec = ExampleFiles {
            map: FieldMap { expected: Some("/gold/intent".into()), ..FieldMap::default() },
            ..ExampleFiles::default()
        };
        let labels = BTreeMap::from([(1, json!("B"))]);
        let corrected = lines("{\"gold\":{\"intent\":\"A\"}}\n", &labels, &spec, "/label").unwrap();
        assert_eq!(corrected, "{\"gold\":{\"intent\":\"B\"}}\n");
    }
}
