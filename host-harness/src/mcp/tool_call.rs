//! A request that runs through the retry loop, as far as the gateway reads it.

use serde_json::{Value, value::RawValue};

use crate::{
    gateway::{Hook, Target},
    mcp::wire::Message,
};

/// What the gateway needs to know of a `tools/call` or a `resources/read`; the
/// rest is the upstream's.
#[derive(Debug)]
pub(super) struct ToolCall {
    /// Who judges its attempts.
    pub(super) hook: Hook,
    /// The tool's name, or the resource's URI.
    pub(super) target: Target,
    /// `null` if it has none.
    pub(super) meta: Value,
    /// What the client wants its progress reported under, as it was written.
    pub(super) progress_token: Option<Box<RawValue>>,
    /// Whether it continues a call that asked for input (2026-07-28).
    pub(super) continuation: bool,
}

impl ToolCall {
    /// None if the request is of another method, or does not say what it is
    /// about: then it is the upstream's to refuse.
    pub(super) fn of(method: &str, request: &Message) -> Option<Self> {
        let (hook, target) = match method {
            "tools/call" => (Hook::ToolPostInvoke, "name"),
            "resources/read" => (Hook::ResourcePostFetch, "uri"),
            _ => return None,
        };
        let params = request.params()?;
        let target = serde_json::from_str::<String>(params.get(target)?.get()).ok()?.into();
        let token = request.meta().and_then(|meta| meta.get("progressToken"));
        let progress_token = token.map(ToOwned::to_owned);
        let meta = params.get("_meta");
        let meta = meta.and_then(|meta| serde_json::from_str(meta.get()).ok()).unwrap_or_default();
        let continuation =
            ["requestState", "inputResponses"].iter().any(|name| params.get(name).is_some());
        Some(Self { hook, target, meta, progress_token, continuation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, params: &str) -> Option<(Hook, String, Option<String>)> {
        let request = format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#);
        let raw: Box<RawValue> = serde_json::from_str(&request).expect("JSON");
        let call = ToolCall::of(method, &Message::parse(&raw).expect("a request"))?;
        let token = call.progress_token.map(|token| token.get().to_owned());
        Some((call.hook, call.target.to_string(), token))
    }

    #[test]
    fn calls_of_tools_and_reads_of_resources_are_told_from_the_rest() {
        let token = r#"{"name":"t","uri":"u:1","_meta":{"progressToken":1.0}}"#;
        let (tool, resource) = (Hook::ToolPostInvoke, Hook::ResourcePostFetch);
        let written = Some("1.0".to_owned());
        assert_eq!(call("tools/call", token), Some((tool, "t".to_owned(), written.clone())));
        assert_eq!(call("resources/read", token), Some((resource, "u:1".to_owned(), written)));
        assert_eq!(
            call("tools/call", r#"{"name":"t","_meta":7}"#),
            Some((tool, "t".to_owned(), None))
        );
        for (method, params) in [
            ("prompts/get", token),
            ("tools/call", r#"{"uri":"u:1"}"#),
            ("resources/read", r#"{"uri":7}"#),
            ("tools/call", "[]"),
        ] {
            assert_eq!(call(method, params), None, "{method} {params}");
        }
    }
}
