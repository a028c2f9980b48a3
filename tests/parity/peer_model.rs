//! What the peer does, jitter off, written down plainly from its recorded
//! answers; its quirks can be switched off one by one.

use std::collections::HashMap;

use serde_json::Value;

use super::divergence::Divergence;

/// The peer with these quirks.
pub struct PeerModel<'a> {
    config: &'a Value,
    quirks: &'a [Divergence],
    failures: HashMap<(String, String), u32>,
}

impl<'a> PeerModel<'a> {
    pub fn new(config: &'a Value, quirks: &'a [Divergence]) -> Self {
        Self { config, quirks, failures: HashMap::new() }
    }

    fn has(&self, quirk: Divergence) -> bool {
        self.quirks.contains(&quirk)
    }

    fn setting(&self, tool: &str, key: &str, default: Value) -> Value {
        let own = self.config.get("tool_overrides").and_then(|tools| tools.get(tool)?.get(key));
        own.or_else(|| self.config.get(key)).cloned().unwrap_or(default)
    }

    pub fn delay(&mut self, tool: &str, request_id: &str, result: &Value) -> u64 {
        let key = if self.has(Divergence::JoinedKey) {
            (format!("{tool}:{request_id}"), String::new())
        } else {
            (tool.to_owned(), request_id.to_owned())
        };
        if !self.failed(tool, result) {
            self.failures.remove(&key);
            return 0;
        }
        let number = |key, default: u64| {
            self.setting(tool, key, default.into()).as_u64().expect("a checked configuration")
        };
        let (base, cap) = (number("backoff_base_ms", 200), number("max_backoff_ms", 5_000));
        let retries = number("max_retries", 2);
        let failures = self.failures.get(&key).copied().unwrap_or(0) + 1;
        if u64::from(failures) > retries {
            self.failures.remove(&key);
            return 0;
        }
        self.failures.insert(key, failures);
        base.saturating_mul(2_u64.saturating_pow(failures - 1)).min(cap)
    }

    fn failed(&self, tool: &str, result: &Value) -> bool {
        let structured = result.get("structuredContent").filter(|content| !content.is_null());
        let status = structured.and_then(|content| self.structured_status(content));
        if result.get("isError") == Some(&Value::Bool(true)) {
            return status.is_none_or(|status| self.is_transient(tool, status));
        }
        if let Some(content) = structured {
            let told = content.get("isError") == Some(&Value::Bool(true));
            return told || status.is_some_and(|status| self.is_transient(tool, status));
        }
        let check = self.setting(tool, "check_text_content", false.into()) == Value::Bool(true);
        let items = result.get("content").and_then(Value::as_array);
        check && items.into_iter().flatten().any(|item| self.text_failed(tool, item))
    }

    fn text_failed(&self, tool: &str, item: &Value) -> bool {
        let is_text = item.get("type").and_then(Value::as_str) == Some("text");
        let text = item.get("text").and_then(Value::as_str).filter(|_| is_text);
        let parsed = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(Value::Object(object)) = parsed else { return false };
        let status = object.get("status_code").and_then(|status| self.text_status(status));
        object.get("isError") == Some(&Value::Bool(true))
            || status.is_some_and(|status| self.is_transient(tool, status))
    }

    fn is_transient(&self, tool: &str, status: i32) -> bool {
        let default = Value::from(vec![429, 500, 502, 503, 504]);
        let codes = self.setting(tool, "retry_on_status", default);
        codes.as_array().is_some_and(|codes| codes.contains(&Value::from(status)))
    }

    fn structured_status(&self, content: &Value) -> Option<i32> {
        match content.get("status_code")? {
            Value::Bool(flag) => self.has(Divergence::BooleanStatus).then(|| i32::from(*flag)),
            status => status.as_i64()?.try_into().ok(),
        }
    }

    fn text_status(&self, status: &Value) -> Option<i32> {
        let wide = status.as_i64().or_else(|| status.as_u64().map(u64::cast_signed))?;
        match i32::try_from(wide) {
            // `as` keeps the low 32 bits: that is the quirk.
            Err(_) if self.has(Divergence::WrappedStatus) => Some(wide as i32),
            narrow => narrow.ok(),
        }
    }
}
