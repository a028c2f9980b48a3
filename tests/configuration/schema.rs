//! The schema says what the plugin does, value by value.

use serde_json::{Map, Value, json};

use super::schema;
use crate::plugin_under_test::try_start;

/// A key that holds no others: the names that lead to it, and its schema.
type Key = (Vec<String>, Value);

fn keys(properties: &Value, path: &[String]) -> Vec<Key> {
    let properties = properties.as_object().expect("an object of properties");
    let key = |(name, schema): (&String, &Value)| {
        let path = [path, std::slice::from_ref(name)].concat();
        match schema.get("properties") {
            Some(inner) => keys(inner, &path),
            None => vec![(path, schema.clone())],
        }
    };
    properties.iter().flat_map(key).collect()
}

/// A configuration in which only this key is set.
fn only(path: &[String], value: Value) -> Value {
    path.iter()
        .rev()
        .fold(value, |inner, name| Value::Object(Map::from_iter([(name.clone(), inner)])))
}

fn accepted(config: &Value) -> bool {
    match try_start(&config.to_string(), 10) {
        Ok(_) => true,
        Err(host_harness::sandbox::StartError::Config(issues)) => {
            assert!(!issues.is_empty());
            false
        }
        Err(other) => panic!("{config}: {other}"),
    }
}

/// A value at the edge of what is allowed, and whether it is. The two bounds
/// of the backoff depend on each other, so the other one is set to go with it.
fn assert_edge(path: &[String], value: Value, allowed: bool) {
    let mut config = only(path, value.clone());
    match path[0].as_str() {
        "backoff_base_ms" => config["max_backoff_ms"] = json!(3_600_000),
        "max_backoff_ms" => config["backoff_base_ms"] = json!(1),
        _ => {}
    }
    assert_eq!(accepted(&config), allowed, "{config}");
    // In an override it is the same.
    if path[0] != "tool_overrides" && !at_root_only(&path[0]) {
        let config = json!({ "tool_overrides": { "t": config } });
        assert_eq!(accepted(&config), allowed, "{config}");
    }
}

fn at_root_only(name: &str) -> bool {
    schema()["properties"]["tool_overrides"]["additionalProperties"]["properties"]
        .get(name)
        .is_none()
}

#[test]
fn every_default_may_be_written_down() {
    for (path, schema) in keys(&schema()["properties"], &[]) {
        let default = schema.get("default").unwrap_or_else(|| panic!("{path:?} has a default"));
        assert_edge(&path, default.clone(), true);
        let description = schema["description"].as_str().expect("a description");
        assert!(description.len() > 10, "{path:?}");
    }
}

#[test]
fn every_bound_is_exact() {
    let mut bounds = 0;
    for (path, schema) in keys(&schema()["properties"], &[]) {
        let step = match schema["type"].as_str() {
            Some("integer") => 1.0,
            Some("number") => 0.001,
            _ => continue,
        };
        let number = |value: f64| if step == 1.0 { json!(value as i64) } else { json!(value) };
        let edge = |name: &str| schema[name].as_f64().expect("a bound");
        let (least, most) = (edge("minimum"), edge("maximum"));
        assert_edge(&path, number(least), true);
        assert_edge(&path, number(most), true);
        assert_edge(&path, number(least - step), false);
        assert_edge(&path, number(most + step), false);
        if step == 1.0 {
            assert_edge(&path, json!(least + 0.5), false);
        } else {
            assert_edge(&path, json!(least + 0.000_5), false);
        }
        bounds += 1;
    }
    assert!(bounds > 10, "{bounds}");
}

#[test]
fn every_listed_word_is_taken_and_no_other() {
    for (path, schema) in keys(&schema()["properties"], &[]) {
        for word in schema["enum"].as_array().into_iter().flatten() {
            assert_edge(&path, word.clone(), true);
        }
        if path[0] != "tool_overrides" {
            for wrong in [json!("nonsense"), json!({ "no": "such key" })] {
                assert_edge(&path, wrong, false);
            }
        }
    }
}

#[test]
fn it_is_a_schema_of_an_object_that_knows_all_its_keys() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["type"], json!(["object", "null"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let overrides = &schema["properties"]["tool_overrides"]["additionalProperties"];
    for (name, reference) in overrides["properties"].as_object().expect("the policy keys") {
        let target = reference["$ref"].as_str().expect("a reference");
        assert!(schema.pointer(&target[1..]).is_some(), "{name}: {target}");
    }
}
