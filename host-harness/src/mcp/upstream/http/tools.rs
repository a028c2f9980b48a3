//! What 2026-07-28 asks of an HTTP client about the tools that it calls, where
//! the gateway is that client: its own client is on lines.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{answer::first_response, exchange::Exchange, listed_tools::is_mirrored};
use crate::mcp::{
    codes::HEADER_MISMATCH,
    handler::Request,
    headers::{Headers, protocol_meta},
    members::Members,
    methods::TOOLS_LIST,
    reply::HttpFailure,
    wire::{Id, Message},
};
use crate::peer_text::PeerText;

/// Pages of a list of tools that are asked for in a row.
const MOST_PAGES: usize = 100;

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
        let list = json!({ "jsonrpc": "2.0", "id": 0, "method": TOOLS_LIST,
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
