//! The document as OpenAPI 3.0, for generators that know no other: the same, said in the words that were there then.

use serde_json::{Map, Value, json};

/// What 3.1 says, as 3.0 says it. Nothing is lost that a client can see.
pub(crate) fn document(document: &Value) -> Value {
    let mut older = document.clone();
    older["openapi"] = json!("3.0.3");
    // Names of licences came later.
    older["info"]["license"] = json!({"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"});
    if let Some(schemas) = older.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.values_mut().for_each(schema);
    }
    anything(&mut older);
    older
}

/// Finds the schemas outside of the components.
fn anything(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => schema(member),
                    // Those of the components are done, and examples are no part of the description.
                    "schemas" | "example" => {}
                    _ => anything(member),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(anything),
        _ => {}
    }
}

fn schema(value: &mut Value) {
    let Some(members) = value.as_object_mut() else { return };
    refer(members);
    kinds(members);
    if let Some(word) = members.remove("const") {
        members.insert("enum".to_owned(), json!([word]));
    }
    if let Some(Value::Array(examples)) = members.remove("examples") {
        members.extend(examples.into_iter().next().map(|example| ("example".to_owned(), example)));
    }
    bound(members, "exclusiveMinimum", "minimum");
    bound(members, "exclusiveMaximum", "maximum");
    members.remove("contentMediaType");
    if members.remove("contentEncoding").is_some_and(|encoding| encoding == "base64") {
        members.insert("format".to_owned(), json!("byte"));
    }
    for (name, member) in members {
        match (name.as_str(), member) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(schema),
            ("items" | "additionalProperties" | "not", member) => schema(member),
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter_mut().for_each(schema),
            _ => {}
        }
    }
}

/// A reference could have nothing beside it.
fn refer(members: &mut Map<String, Value>) {
    if members.len() > 1
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
}

/// There was one type, and none for nothing.
fn kinds(members: &mut Map<String, Value>) {
    let Some(Value::Array(kinds)) = members.get("type").cloned() else { return };
    let (nothing, some): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|kind| kind == "null");
    members.remove("type");
    match some.as_slice() {
        [kind] => drop(members.insert("type".to_owned(), kind.clone())),
        kinds => {
            let each = kinds.iter().map(|kind| json!({ "type": kind })).collect();
            members.insert("anyOf".to_owned(), Value::Array(each));
        }
    }
    if !nothing.is_empty() {
        members.insert("nullable".to_owned(), json!(true));
    }
}

/// That a bound is excluded was said beside it.
fn bound(members: &mut Map<String, Value>, excluded: &str, bound: &str) {
    if members.get(excluded).is_some_and(Value::is_number)
        && let Some(number) = members.insert(excluded.to_owned(), json!(true))
    {
        members.insert(bound.to_owned(), number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(mut newer: Value, older: &Value) {
        schema(&mut newer);
        assert_eq!(newer, *older);
    }

    #[test]
    fn words_of_now_become_words_of_then() {
        becomes(json!({"type": ["string", "null"]}), &json!({"type": "string", "nullable": true}));
        becomes(
            json!({"type": ["integer", "string"], "description": "both"}),
            &json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "description": "both"}),
        );
        becomes(json!({"const": "put"}), &json!({"enum": ["put"]}));
        becomes(json!({"type": "string", "examples": ["a", "b"]}), &json!({"type": "string", "example": "a"}));
        becomes(json!({"exclusiveMinimum": 0}), &json!({"minimum": 0, "exclusiveMinimum": true}));
        becomes(
            json!({"exclusiveMaximum": 9, "minimum": 1}),
            &json!({"maximum": 9, "exclusiveMaximum": true, "minimum": 1}),
        );
        becomes(
            json!({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
            &json!({"type": "string", "format": "byte"}),
        );
        becomes(json!({"$ref": "#/a"}), &json!({"$ref": "#/a"}));
        becomes(json!({"$ref": "#/a", "description": "b"}), &json!({"allOf": [{"$ref": "#/a"}], "description": "b"}));
    }

    #[test]
    fn they_do_so_wherever_they_stand_and_names_of_fields_stay() {
        becomes(
            json!({"properties": {"const": {"const": 1}, "type": {"items": {"const": 2}}}, "oneOf": [{"const": 3}]}),
            &json!({"properties": {"const": {"enum": [1]}, "type": {"items": {"enum": [2]}}}, "oneOf": [{"enum": [3]}]}),
        );
        let newer = json!({
            "openapi": "3.1.0",
            "info": {"license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "paths": {"/a": {"get": {"parameters": [{"schema": {"const": 1}}], "example": {"schema": {"const": 1}}}}},
            "components": {"schemas": {"schema": {"const": 4}}, "responses": {"A": {"schema": {"const": 5}}}},
        });
        let older = document(&newer);
        assert_eq!(older["paths"]["/a"]["get"]["parameters"][0]["schema"], json!({"enum": [1]}));
        assert_eq!(older["paths"]["/a"]["get"]["example"], newer["paths"]["/a"]["get"]["example"]);
        assert_eq!(older["components"]["schemas"]["schema"], json!({"enum": [4]}));
        assert_eq!(older["components"]["responses"]["A"]["schema"], json!({"enum": [5]}));
        assert_eq!((&older["openapi"], older["info"]["license"].get("identifier")), (&json!("3.0.3"), None));
    }
}
