//! TOML values as numbers and JSON.

use serde_json::Value;
use toml::de::{DeInteger, DeValue};

/// A number of either kind; infinities and NaN are none.
pub(super) fn as_number(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok()? as f64,
        DeValue::Float(float) => float.as_str().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

pub(super) fn as_whole(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Any value as JSON; `None` for numbers that JSON cannot hold.
pub(super) fn as_json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok()?.into(),
        DeValue::Float(_) => Value::Number(serde_json::Number::from_f64(as_number(value)?)?),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| as_json(item.get_ref())).collect::<Option<_>>()?),
        DeValue::Table(table) => {
            let mut fields: Vec<_> = table.iter().collect();
            fields.sort_by_key(|(key, _)| key.span().start);
            let fields =
                fields.into_iter().map(|(key, field)| Some((key.get_ref().to_string(), as_json(field.get_ref())?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}

/// Whether the text is YYYY-MM-DD.
pub(super) fn is_day(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10
}
