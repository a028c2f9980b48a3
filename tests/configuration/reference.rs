//! `plugin/CONFIGURATION.md`: its tables are written from the schema, and its
//! examples are configurations that the plugin takes.
//!
//! `UPDATE_REFERENCE=1 cargo test --package boundary-tests reference` writes the tables anew.

use std::{env, fmt::Write, fs, path::PathBuf};

use serde_json::{Map, Value};

use super::schema;
use crate::plugin_under_test::{start, try_start};

const BEGIN: &str = "<!-- reference -->\n";
const END: &str = "<!-- /reference -->";

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugin/CONFIGURATION.md")
}

/// The tables, in Markdown.
fn tables() -> String {
    let schema = schema();
    let properties = schema["properties"].as_object().expect("properties");
    let in_overrides = schema["properties"]["tool_overrides"]["additionalProperties"]["properties"]
        .as_object()
        .expect("the policy keys");
    let safe = safe_defaults(&properties["profile"]);
    let (mut root, mut policy, mut groups) = (Map::new(), Map::new(), Vec::new());
    for (name, property) in properties {
        match property.get("properties") {
            Some(inner) if in_overrides.contains_key(name) => {
                groups.push((name, property, inner.as_object().expect("properties")));
            }
            _ if in_overrides.contains_key(name) => {
                drop(policy.insert(name.clone(), property.clone()))
            }
            _ => drop(root.insert(name.clone(), property.clone())),
        }
    }
    let mut text = String::new();
    table(&mut text, "Once", "", &root, &safe);
    table(&mut text, "For all tools, and again for some", "", &policy, &safe);
    for (name, property, inner) in groups {
        let title =
            format!("`{name}`: {}", property["description"].as_str().expect("a description"));
        table(&mut text, title.trim_end_matches('.'), &format!("{name}."), inner, &safe);
    }
    text
}

fn table(text: &mut String, title: &str, path: &str, properties: &Map<String, Value>, safe: &str) {
    write!(text, "\n### {title}\n\n| key | default | allowed | effect |\n|---|---|---|---|\n")
        .expect("a text takes everything");
    for (name, property) in properties {
        let name = format!("{path}{name}");
        let default = shown(&property["default"]);
        let changed =
            safe.split(", ").find_map(|change| change.strip_prefix(&format!("{name} = ")));
        let safe = changed
            .map_or(String::new(), |value| format!("; safe: `{}`", value.trim_end_matches('.')));
        let effect = property["description"].as_str().expect("a description");
        // What `safe` changes stands at each key.
        let effect = effect.split(" `safe` sets ").next().unwrap_or(effect);
        writeln!(text, "| `{name}` | `{default}`{safe} | {} | {effect} |", allowed(property))
            .expect("a text takes everything");
    }
}

/// As configurations write it.
fn shown(value: &Value) -> String {
    value.to_string().replace(',', ", ")
}

/// The list of changes in the description of `profile`.
fn safe_defaults(profile: &Value) -> String {
    let description = profile["description"].as_str().expect("a description");
    description.split_once(" `safe` sets ").expect("it names them").1.to_owned()
}

fn allowed(property: &Value) -> String {
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match &property["type"] {
        Value::String(kind) if kind == "integer" || kind == "number" => {
            format!("{kind}, {} to {}", property["minimum"], property["maximum"])
        }
        Value::String(kind) if kind == "boolean" => "`true`, `false`".to_owned(),
        Value::String(kind) if kind == "array" => match property["items"].get("anyOf") {
            Some(_) => "list of codes".to_owned(),
            None => "list of texts".to_owned(),
        },
        Value::String(kind) if kind == "object" => "object: name or pattern to keys".to_owned(),
        Value::Array(kinds) if kinds.iter().any(|kind| kind == "array") => {
            "list of signals, `null`".to_owned()
        }
        Value::Array(_) => "`true`, `false`, `null`".to_owned(),
        other => panic!("no words for {other}"),
    }
}

#[test]
fn the_reference_says_what_the_schema_says() {
    let path = document();
    let text = fs::read_to_string(&path).expect("the document");
    let (before, rest) = text.split_once(BEGIN).expect("where the reference begins");
    let (written, after) = rest.split_once(END).expect("where it ends");
    let tables = tables() + "\n";
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}")).expect("writable");
    } else {
        assert!(
            written == tables,
            "out of date; UPDATE_REFERENCE=1 cargo test --package boundary-tests reference"
        );
    }
}

#[test]
fn every_example_is_a_configuration_that_is_taken() {
    let text = fs::read_to_string(document()).expect("the document");
    let examples: Vec<&str> = text
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect();
    assert!(examples.len() >= 12, "{}", examples.len());
    for example in examples {
        if let Err(error) = try_start(example, 10) {
            panic!("{error}\n{example}");
        }
    }
}

#[test]
fn the_configurations_in_the_readme_are_taken() {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).expect("the README");
    let mut taken = 0;
    for block in text.split("```json\n").skip(1) {
        let block = block.split("```").next().expect("an end");
        let value: Value = serde_json::from_str(block).expect("JSON");
        // The others are configurations of clients.
        if value.get("mcpServers").or(value.get("servers")).is_none() {
            try_start(block, 10).unwrap_or_else(|error| panic!("{error}\n{block}"));
            taken += 1;
        }
    }
    assert!(taken > 0);
}

#[test]
fn every_feature_has_an_example() {
    let text = fs::read_to_string(document()).expect("the document");
    let examples: String = text
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect();
    for key in schema()["properties"].as_object().expect("properties").keys() {
        // Not a feature, but a bound; and the original's, described in prose.
        if !["max_tracked_calls", "check_text_content"].contains(&key.as_str()) {
            assert!(examples.contains(&format!("\"{key}\"")), "{key}");
        }
    }
}

#[test]
fn every_reason_against_a_retry_is_explained_with_the_key_that_changes_it() {
    const FOR_A_RETRY: [&str; 9] = [
        "tool_error",
        "structured_error",
        "text_error",
        "retryable_status",
        "timed_out",
        "transport_failed",
        "rpc_error",
        "transient",
        "throttled",
    ];
    let text = fs::read_to_string(document()).expect("the document");
    let (_, behind) = text.split_once("## Why was my call not retried?").expect("the section");
    let (section, _) = behind.split_once("\n## ").expect("its end");
    let first_columns =
        section.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let mut explained: Vec<_> = first_columns.flat_map(|names| names.split('`')).collect();
    explained.retain(|word| word.contains(|char: char| char.is_ascii_lowercase()));
    explained.retain(|word| word.trim() != "reason");
    explained.sort_unstable();
    let metrics = start("null").stats().expect("stats");
    let reasons = metrics.iter().filter_map(|metric| metric.name.strip_prefix("decisions."));
    let mut against: Vec<_> = reasons.filter(|reason| !FOR_A_RETRY.contains(reason)).collect();
    // The gateway's own: it pays for a retry, or does not.
    against.push("budget_exhausted");
    against.sort_unstable();
    assert_eq!(explained, against);
}
