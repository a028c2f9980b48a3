//! Lists of tools without those whose annotations break the rules of
//! 2026-07-28, where the gateway is the HTTP client: its own client is on lines.

use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    mcp::{
        handler::Request, headers::version_of, listing, members::Members, methods::TOOLS_LIST,
        param_headers::ParamHeaders, wire::Message,
    },
    peer_text::PeerText,
};

/// Whether the headers of this message are the gateway's own.
pub(super) fn is_mirrored(sent: &Request) -> bool {
    !sent.headers.are_the_clients() && version_of(&sent.message).is_some()
}

/// Whether the answer is a list of tools that has to be looked through.
pub(super) fn lists_tools(sent: &Request) -> bool {
    sent.method == TOOLS_LIST && is_mirrored(sent)
}

/// The same list without the tools whose annotations break the rules.
pub(super) fn without_broken_tools(list: Message) -> Message {
    let kept = || {
        let all = list.get("result")?;
        // Where they stand: there may be a great many.
        let tools: Vec<&RawValue> =
            serde_json::from_str(listing::member(all, "tools")?.get()).ok()?;
        let (kept, broken): (Vec<_>, Vec<_>) = tools.into_iter().partition(|tool| is_sound(tool));
        if broken.is_empty() {
            return None;
        }
        let mut result = Members::parse(all).ok()?;
        result.set("tools", to_raw_value(&kept).ok()?);
        to_raw_value(&result).ok()
    };
    match kept() {
        Some(result) => list.with_member("result", result),
        None => list,
    }
}

fn is_sound(tool: &RawValue) -> bool {
    let Ok(tool) = serde_json::from_str::<Value>(tool.get()) else { return true };
    let Err(problem) = ParamHeaders::of(&tool["inputSchema"]) else { return true };
    let name = tool["name"].as_str().unwrap_or_default();
    tracing::warn!(tool = %PeerText(name), %problem, "left a tool out of the list");
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_loses_its_broken_tools_and_nothing_else() {
        let sound = r#"{"name":"a","n":1e2,"inputSchema":{"properties":{"x":{"type":"string","x-mcp-header":"X"}}}}"#;
        let broken = r#"{"name":"b","inputSchema":{"properties":{"x":{"type":"number","x-mcp-header":"X"}}}}"#;
        let list =
            |tools: &str| format!(r#"{{"id":1,"result":{{"z":0.10,"tools":[{tools}],"a":null}}}}"#);
        let told = |text: &str| {
            serde_json::to_string(&without_broken_tools(Message::written(text))).expect("JSON")
        };
        assert_eq!(told(&list(&format!("{broken},{sound},{broken}"))), list(sound));
        for untouched in [
            &list(&format!("{sound}, 7 ,{{}}")),
            r#"{"id":1,"result":{"tools":{}}}"#,
            r#"{"id":1,"error":{"code":1,"message":"m"}}"#,
        ] {
            assert_eq!(told(untouched), *untouched);
        }
    }
}
