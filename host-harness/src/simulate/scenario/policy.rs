//! Whom a scenario compares.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};
use serde_json::{Value, json};

use super::{Real, SomeMillis, Whole};

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
    /// A model of a published algorithm, to compare the component with.
    Model(ModelBudget),
}

/// Retries with full jitter, each of which takes a token out of a bucket that
/// calls or successes fill.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelBudget {
    /// Retries of one call; default 3.
    #[serde(default = "three")]
    pub max_retries: Whole<0, 10>,
    /// The longest first delay; default 200 ms. It doubles with every retry.
    #[serde(default = "base")]
    pub backoff_base_ms: SomeMillis,
    /// The longest delay; default 5 s.
    #[serde(default = "cap")]
    pub max_backoff_ms: SomeMillis,
    /// Tokens that a new call puts in, as in Finagle's `RetryBudget`; default 0.
    #[serde(default)]
    pub tokens_per_call: Real<0, 1>,
    /// Tokens that a success puts in, as in the token buckets of AWS; default 0.
    #[serde(default)]
    pub tokens_per_success: Real<0, 1>,
    /// The size of the bucket, which starts full.
    pub max_tokens: Whole<1, 1_000_000>,
}

fn three() -> Whole<0, 10> {
    Whole(3)
}

fn base() -> SomeMillis {
    Whole(200)
}

fn cap() -> SomeMillis {
    Whole(5_000)
}

impl Policy {
    /// Names that a scenario may use without saying more.
    pub const NAMES: [&str; 6] = ["none", "fixed", "exponential", "peer", "budget", "safe"];

    /// The policy of such a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let config = match name {
            "none" => json!({ "max_retries": 0 }),
            "fixed" => json!({ "max_retries": 3, "max_backoff_ms": 200, "jitter": "none" }),
            "exponential" => json!({ "max_retries": 3, "jitter": "none" }),
            // The defaults of the original plugin are those of the component.
            "peer" => json!({}),
            "budget" => json!({ "max_retries": 3, "budget": { "enabled": true } }),
            // For a tool that may be called twice; of others it repeats only what surely was not done.
            "safe" => json!({ "profile": "safe", "idempotent": true }),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), decider: Decider::Component(config) })
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
    model: Option<ModelBudget>,
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
            (None, Some(model)) => Decider::Model(model),
            _ => return Err(de::Error::custom("needs either `config` or `model`")),
        };
        Ok(Policy { name: own.name, decider })
    }
}
