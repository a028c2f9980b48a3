//! Whom a scenario compares.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};
use serde_json::{Value, json};

use crate::simulate::policy::{BucketTerms, Published};

/// Someone who decides about retries, under a name.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What to call it in the report.
    pub name: String,
    /// Who decides.
    pub decider: Decider,
}

/// Who decides.
#[derive(Debug, Clone)]
pub enum Decider {
    /// The component with this configuration.
    Component(Value),
    /// A model of a published policy, to compare the component with.
    Model(Published),
}

impl Policy {
    /// Names that a scenario may use without saying more.
    pub const NAMES: [&str; 11] = [
        "none",
        "fixed",
        "exponential",
        "grpc",
        "aws-standard",
        "finagle",
        "envoy",
        "compatible",
        "default",
        "safe",
        "budget",
    ];

    /// The policies of the table over all scenarios: what is published, and
    /// what ships.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        Self::NAMES[..9].iter().filter_map(|name| Self::named(name)).collect()
    }

    /// The policy of such a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        use Decider::{Component, Model};
        let decider = match name {
            "none" => Component(json!({ "max_retries": 0 })),
            "fixed" => {
                Component(json!({ "max_retries": 3, "max_backoff_ms": 200, "jitter": "none" }))
            }
            "exponential" => Component(json!({ "max_retries": 3, "jitter": "none" })),
            "grpc" => Model(Published::Grpc),
            "aws-standard" => Model(Published::AwsStandard),
            "finagle" => Model(Published::Finagle),
            "envoy" => Model(Published::Envoy),
            // The defaults of the original plugin are those of the component.
            "compatible" => Component(json!({})),
            // What the proxy starts with, for tools that may be called twice; of
            // others it repeats only what surely was not done.
            "default" | "safe" => Component(json!({ "profile": "safe", "idempotent": true })),
            "budget" => Component(json!({ "max_retries": 3, "budget": { "enabled": true } })),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), decider })
    }
}

/// `name` alone, or a map with `name` and either `config` or `model`.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    name: String,
    config: Option<Value>,
    model: Option<BucketTerms>,
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Policy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Policy::NAMES.join(", ");
        write!(f, "one of {names}, or a map with `name` and either `config` or `model`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Policy, E> {
        Policy::named(name).ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Policy, A::Error> {
        let own = Own::deserialize(MapAccessDeserializer::new(map))?;
        let decider = match (own.config, own.model) {
            (Some(config), None) => Decider::Component(config),
            (None, Some(model)) => Decider::Model(Published::Bucket(model)),
            _ => return Err(de::Error::custom("needs either `config` or `model`")),
        };
        Ok(Policy { name: own.name, decider })
    }
}
