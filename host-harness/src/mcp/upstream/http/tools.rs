//! What 2026-07-28 asks of an HTTP client about the tools that it lists and
//! calls, where the gateway is that client: its own client is on lines.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{answer::first_response, exchange::Exchange};
use crate::mcp::{
    handler::Request,
    headers::{HEADER_MISMATCH, Headers, protocol_meta, version_of},
    listing,
    members::Members,
    param_headers::ParamHeaders,
    reply::HttpFailure,
    wire::{Id, Message},
};
use crate::peer_text::PeerText;

/// Pages of a list of tools that are asked for in a row.
const MOST_PAGES: usize = 100;

/// Whether the headers of this message are the gateway's own.
fn is_mirrored(sent: &Request) -> bool {
    !sent.headers.are_the_clients() && version_of(&sent.message).is_some()
}

/// Whether the answer is a list of tools that has to be looked through.
pub(super) fn lists_tools(sent: &Request) -> bool {
    sent.method == "tools/list" && is_mirrored(sent)
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

impl Exchange {
    /// Lists the tools anew if the server says that the gateway's headers do not
    /// fit. True if the called one is to be called with other headers.
    pub(super) async fn relearns(&self, call: &Request, failure: &HttpFailure) -> bool {
        if !is_mirrored(call) || !is_mismatch(failure) {
            return false;
        }
        let name = call.message.param("name");
        let name = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
        let Some(name) = name else { return false };
        let catalogue = &self.surroundings.catalogue;
        let before = catalogue.params(&name);
        let mut cursor = None;
        let mut cursors = HashSet::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = self.page_of_tools(&call.message, cursor.as_deref()).await else {
                return false;
            };
            catalogue.learn(&page);
            cursor = Members::parse(&page)
                .ok()
                .and_then(|page| page.get("nextCursor").map(ToOwned::to_owned));
            // A cursor that was there before would lead round in circles.
            if cursor.as_ref().is_none_or(|cursor| !cursors.insert(cursor.get().to_owned())) {
                break;
            }
        }
        let after = catalogue.params(&name);
        let differs = after.is_some() && after.as_deref() != before.as_deref();
        tracing::debug!(tool = %PeerText(&name), differs, "the server wants other headers");
        differs
    }

    /// The result of a `tools/list` on behalf of the client that makes this call.
    async fn page_of_tools(
        &self,
        call: &Message,
        cursor: Option<&RawValue>,
    ) -> Option<Box<RawValue>> {
        let id = Id::text(&self.surroundings.names.name("tools"));
        let list = json!({ "jsonrpc": "2.0", "id": 0, "method": "tools/list",
            "params": { "_meta": protocol_meta(call) } });
        let mut list = Message::parse(&to_raw_value(&list).ok()?).ok()?.with_id(&id);
        if let Some(cursor) = cursor {
            list = list.with_param("cursor", cursor.to_owned());
        }
        let response = self.send(&list, &Headers::default()).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        Some(first_response(response, self.limit()).await?.get("result")?.to_owned())
    }
}

fn is_mismatch(failure: &HttpFailure) -> bool {
    let error = failure.response.as_ref().and_then(|response| response.get("error"));
    error
        .and_then(|error| serde_json::from_str::<Value>(error.get()).ok())
        .is_some_and(|error| error["code"] == HEADER_MISMATCH)
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
