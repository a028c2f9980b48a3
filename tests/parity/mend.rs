//! Brings a configuration that only the peer accepts into one that we accept too.

use serde_json::{Map, Value};

use super::divergence::Divergence;

pub const HOUR: u64 = 3_600_000;

const KEYS: [&str; 7] = [
    "max_retries",
    "backoff_base_ms",
    "max_backoff_ms",
    "retry_on_status",
    "jitter",
    "check_text_content",
    "tool_overrides",
];

/// What was mended: the path as our issue must name it, and why the peer did not mind.
pub type Mended = Vec<(String, Divergence)>;

/// Drops unknown keys, writes booleans as integers, lowers milliseconds to an
/// hour. Everything else stays, right or wrong.
pub fn mend(config: &Value) -> (Value, Mended) {
    let mut config = config.clone();
    let mut mended = Vec::new();
    if let Value::Object(root) = &mut config {
        mend_object("", root, &KEYS, &mut mended);
        if let Some(Value::Object(tools)) = root.get_mut("tool_overrides") {
            for (tool, policy) in tools {
                let path = format!("tool_overrides[{}]", Value::from(tool.as_str()));
                if let Value::Object(policy) = policy {
                    mend_object(&path, policy, &KEYS[..6], &mut mended);
                }
            }
        }
    }
    (config, mended)
}

fn mend_object(path: &str, object: &mut Map<String, Value>, known: &[&str], mended: &mut Mended) {
    let path_of = |key: &str| {
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match (plain, path.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{path}.{key}"),
            (false, _) => format!("{path}[{}]", Value::from(key)),
        }
    };
    object.retain(|key, _| {
        let is_known = known.contains(&key.as_str());
        if !is_known {
            mended.push((path_of(key), Divergence::UnknownKey));
        }
        is_known
    });
    for (key, value) in object {
        match key.as_str() {
            "max_retries" | "backoff_base_ms" | "max_backoff_ms" if value.is_boolean() => {
                mended.push((path_of(key), Divergence::BooleanInteger));
                *value = Value::from(u8::from(*value == Value::Bool(true)));
            }
            "backoff_base_ms" | "max_backoff_ms" if value.as_u64().is_some_and(|ms| ms > HOUR) => {
                mended.push((path_of(key), Divergence::LongLimit));
                *value = Value::from(HOUR);
            }
            "retry_on_status" => {
                for (index, code) in value.as_array_mut().into_iter().flatten().enumerate() {
                    if let Value::Bool(flag) = *code {
                        let path = format!("{}[{index}]", path_of(key));
                        mended.push((path, Divergence::BooleanInteger));
                        *code = Value::from(u8::from(flag));
                    }
                }
            }
            _ => {}
        }
    }
}
