//! A small validator for the part of JSON Schema that our schema files use.

use serde_json::Value;

/// Where `value` breaks `schema`; empty when it does not. `root` resolves `#/...` references, other files theirs.
pub fn faults(value: &Value, schema: &Value, root: &Value, path: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let other = (!name.is_empty()).then(|| file(name));
        let root = other.as_ref().unwrap_or(root);
        return faults(value, root.pointer(pointer).expect(reference), root, path);
    }
    let mut faults_here = own_faults(value, schema, path);
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let fits = |schema: &Value| faults(value, schema, root, path).is_empty();
        if !alternatives.iter().any(fits) {
            faults_here.push(format!("{path}: fits no alternative: {value}"));
        }
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(key) {
            faults_here.extend(faults(value, schema, root, &format!("{path}.{key}")));
        }
    }
    if schema["items"].is_object() {
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            faults_here.extend(faults(value, &schema["items"], root, &format!("{path}[{index}]")));
        }
    }
    faults_here
}

/// A schema file of this crate.
pub fn file(name: &str) -> Value {
    let path = format!("{}/schema/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn own_faults(value: &Value, schema: &Value, path: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    if !types.is_empty() && !types.iter().any(|name| has_type(value, name.as_str().unwrap())) {
        faults.push(format!("{path}: {value} is not of type {}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array().filter(|values| !values.contains(value)) {
        faults.push(format!("{path}: {value} is not one of {values:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        faults.push(format!("{path}: {value} is not {}", schema["const"]));
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        if value.is_object() && value.get(key.as_str().unwrap()).is_none() {
            faults.push(format!("{path}: {key} is missing"));
        }
    }
    if schema["minimum"].as_f64().zip(value.as_f64()).is_some_and(|(minimum, number)| number < minimum) {
        faults.push(format!("{path}: {value} is below {}", schema["minimum"]));
    }
    faults
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => panic!("the validator does not know the type {name}"),
    }
}
