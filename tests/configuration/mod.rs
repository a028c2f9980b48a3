//! The configuration: what is accepted, what is refused and how, and whether
//! what is written about it is true.

mod manifest;
mod reference;
mod schema;
mod strict;

use serde_json::Value;

use crate::plugin_under_test::start;

/// The schema that the component gives of its configuration.
fn schema() -> Value {
    let schema = start("null").config_schema().expect("a schema");
    serde_json::from_str(&schema).expect("a schema is JSON")
}
