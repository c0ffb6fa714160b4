//! Looking into a [`Value`] whose fields may be missing or of another kind.

use serde_json::Value;

/// The string at `key`; "" where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the array at `key`; none where there is no array.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> std::slice::Iter<'a, Value> {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_and_other_kinds_of_values_read_as_nothing() {
        let object = json!({"text": "a", "list": [1, 2], "null": null});
        assert_eq!(text(&object, "text"), "a");
        assert!(items(&object, "list").eq(&[json!(1), json!(2)]));
        for key in ["list", "null", "missing"] {
            assert_eq!(text(&object, key), "", "{key}");
        }
        for key in ["text", "null", "missing"] {
            assert_eq!(items(&object, key).count(), 0, "{key}");
        }
        for other in [json!(null), json!([{"text": "a"}]), json!("text")] {
            assert_eq!((text(&other, "text"), items(&other, "list").count()), ("", 0));
        }
    }
}
