//! `plugin/plugin-manifest.yaml`, for gateways that list plugins by such a
//! file: written from what the component says of itself.
//!
//! `UPDATE_REFERENCE=1 cargo test --package boundary-tests manifest` writes it anew.

use std::{env, fmt::Write, fs, path::Path};

use serde_json::{Map, Value};

use super::schema;
use crate::plugin_under_test::start;

const ABOUT: &str = "# For gateways that list their plugins by such a file, as ContextForge does.\n\
    # Written by a test from what the component says of itself: tests/configuration/manifest.rs\n";

/// The manifest. Its values are JSON, which is YAML as well.
fn manifest() -> String {
    let described = start("null").describe().expect("it says who it is");
    let text = |text: &str| Value::from(text).to_string();
    let mut yaml = ABOUT.to_owned();
    let mut line = |name: &str, value: String| {
        writeln!(yaml, "{name}: {value}").expect("a text takes everything");
    };
    line("name", text(&described.name));
    line("description", text(&described.description));
    line("author", text("The retry-with-backoff maintainers"));
    line("version", text(&described.version));
    line("kind", text("wasm://retry_with_backoff.wasm"));
    line("available_hooks", Value::from(described.hooks).to_string());
    yaml += "default_configs:\n";
    write_defaults(&mut yaml, &schema()["properties"], 1);
    yaml
}

fn write_defaults(yaml: &mut String, properties: &Value, depth: usize) {
    for (name, property) in properties.as_object().expect("properties") {
        let indent = "  ".repeat(depth);
        match property.get("properties") {
            Some(inner) => {
                writeln!(yaml, "{indent}{name}:").expect("a text takes everything");
                write_defaults(yaml, inner, depth + 1);
            }
            None => {
                writeln!(yaml, "{indent}{name}: {}", property["default"])
                    .expect("a text takes everything");
            }
        }
    }
}

/// The defaults as a configuration.
fn defaults(properties: &Value) -> Value {
    let properties = properties.as_object().expect("properties");
    let default = |(name, property): (&String, &Value)| {
        let value =
            property.get("properties").map_or_else(|| property["default"].clone(), defaults);
        (name.clone(), value)
    };
    Value::Object(properties.iter().map(default).collect::<Map<_, _>>())
}

#[test]
fn the_manifest_says_what_the_component_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin/plugin-manifest.yaml");
    let manifest = manifest();
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, &manifest).expect("writable");
    }
    let written = fs::read_to_string(&path).expect("the manifest");
    assert!(
        written == manifest,
        "out of date; UPDATE_REFERENCE=1 cargo test --package boundary-tests manifest"
    );
}

#[test]
fn its_defaults_are_a_configuration_that_changes_nothing() {
    let written = start(&defaults(&schema()["properties"]).to_string());
    let silent = start("null");
    assert!(written.notices().is_empty());
    assert_eq!(
        written.resource_policy().expect("a policy"),
        silent.resource_policy().expect("a policy")
    );
}
