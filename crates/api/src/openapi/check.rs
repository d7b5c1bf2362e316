//! Whether an answer is what the description says: as much of JSON Schema as our schemas use.

use serde_json::Value;

/// What is wrong with `value` by `schema` of `document`; nothing when it is as described.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(keys) = schema.as_object() else {
        return match schema {
            Value::Bool(true) => Ok(()),
            other => Err(format!("no schema: {other}")),
        };
    };
    for (key, rule) in keys {
        let fine = match key.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap_or_default().trim_start_matches('#');
                let target = document.pointer(pointer);
                check(document, target.ok_or_else(|| format!("no {rule}"))?, value)
            }
            "type" => types(rule, value),
            "const" => same(rule == value, rule, value),
            "enum" => same(
                rule.as_array().is_some_and(|all| all.contains(value)),
                rule,
                value,
            ),
            "anyOf" | "oneOf" => any(document, rule, value),
            "allOf" => each(rule, |schema| check(document, schema, value)),
            "items" => each(value, |item| check(document, rule, item)),
            "required" => each(rule, |name| {
                let name = name.as_str().unwrap_or_default();
                same(value.get(name).is_some(), &name.into(), value)
            }),
            "properties" => properties(document, rule, value),
            "additionalProperties" => additional(document, schema, rule, value),
            "description" | "title" | "format" | "minimum" | "maximum" | "default" => Ok(()),
            other => Err(format!("an unknown keyword {other}")),
        };
        fine.map_err(|wrong| format!("{key}: {wrong}"))?;
    }
    Ok(())
}

fn same(is_fine: bool, rule: &Value, value: &Value) -> Result<(), String> {
    if is_fine {
        Ok(())
    } else {
        Err(format!("{rule} and {value}"))
    }
}

fn each(list: &Value, fine: impl FnMut(&Value) -> Result<(), String>) -> Result<(), String> {
    list.as_array().into_iter().flatten().try_for_each(fine)
}

fn types(rule: &Value, value: &Value) -> Result<(), String> {
    let is = |word: &Value| match word.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fine = rule
        .as_array()
        .map_or_else(|| is(rule), |words| words.iter().any(is));
    same(fine, rule, value)
}

fn any(document: &Value, rule: &Value, value: &Value) -> Result<(), String> {
    let mut schemas = rule.as_array().into_iter().flatten();
    same(
        schemas.any(|schema| check(document, schema, value).is_ok()),
        rule,
        value,
    )
}

fn properties(document: &Value, rule: &Value, value: &Value) -> Result<(), String> {
    let mut named = rule.as_object().into_iter().flatten();
    named.try_for_each(|(name, schema)| match value.get(name) {
        Some(value) => check(document, schema, value).map_err(|wrong| format!("{name}: {wrong}")),
        None => Ok(()),
    })
}

fn additional(document: &Value, schema: &Value, rule: &Value, value: &Value) -> Result<(), String> {
    let mut others = value.as_object().into_iter().flatten();
    let others = others
        .by_ref()
        .filter(|(name, _)| schema["properties"].get(name).is_none());
    let mut others = others;
    others.try_for_each(|(name, value)| match rule {
        Value::Bool(false) => Err(format!("an unknown {name}")),
        rule => check(document, rule, value),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_as_described_is_found() {
        let document = json!({"s": {"type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {"a": {"type": ["string", "null"]}, "b": {"items": {"enum": ["x"]}}}}});
        let schema = json!({"$ref": "#/s"});
        for good in [json!({"a": null}), json!({"a": "", "b": ["x"]})] {
            assert_eq!(check(&document, &schema, &good), Ok(()));
        }
        for wrong in [
            json!({}),
            json!([]),
            json!({"a": 1}),
            json!({"a": "", "b": ["y"]}),
            json!({"a": "", "c": 1}),
        ] {
            assert!(check(&document, &schema, &wrong).is_err(), "{wrong}");
        }
    }
}
