//! A request of a client, to its response or to the stream on which that will come.

use std::time::Duration;

use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode};

use super::{
    Underway, answer,
    era::{self, Era},
    initialize::initialize,
    mirror,
    refused::{unavailable, unknown_session},
    status::{is_response, status_of},
    table::Table,
};
use crate::mcp::{
    codes::{HEADER_MISMATCH, INVALID_REQUEST},
    headers::{PROTOCOL_VERSION, passed_on, session_of, version_of},
    methods::INITIALIZE,
    param_headers::ParamHeaders,
    versions,
    wire::{Id, Message},
};
use crate::peer_text::PeerText;

/// How long a response may take before its stream is opened without it.
const EARLY: Duration = Duration::from_secs(5);

/// The answer to a request that came with a POST.
pub(super) async fn request(
    table: &Table,
    headers: &HeaderMap,
    message: Message,
    method: &str,
    id: &Id,
    one: Underway,
) -> Response {
    let passed = passed_on(headers, table.served.pass_headers());
    let modern = version_of(&message).is_some();
    let unchecked = !table.served.compares_headers();
    if let Some(mismatch) = mirror::mismatch(headers, &message).filter(|_| unchecked) {
        let refusal = Message::error(Some(id), HEADER_MISMATCH, &mismatch, None);
        return answer::json(StatusCode::BAD_REQUEST, &refusal);
    }
    let named = headers.get(PROTOCOL_VERSION).map(|version| version.to_str().unwrap_or_default());
    if let Some(version) = named.filter(|version| unchecked && !versions::may_be_named(version)) {
        let why = format!("no version of the protocol is called {}", PeerText(version));
        return answer::json(
            StatusCode::BAD_REQUEST,
            &Message::error(Some(id), INVALID_REQUEST, &why, None),
        );
    }
    // Always in a session of its own: one that all share is nobody's to begin.
    if method == INITIALIZE {
        return initialize(table, message, id, passed, one).await;
    }
    let asks = modern && table.served.is_a_command();
    if asks && table.era.is_legacy() {
        return answer::json(StatusCode::BAD_REQUEST, &era::refusal(id));
    }
    let conversation = match session_of(headers).filter(|_| !modern) {
        Some(name) => match table.find(name) {
            Some(conversation) => conversation,
            None => return unknown_session(),
        },
        None => match table.shared() {
            Ok(conversation) => conversation,
            Err(error) => return unavailable(&error, id),
        },
    };
    if asks && conversation.era(&table.era).await == Era::Legacy {
        return answer::json(StatusCode::BAD_REQUEST, &era::refusal(id));
    }
    if modern && unchecked && method == "tools/call" {
        let mismatch = match conversation.params_of(&message) {
            Some(params) => {
                let arguments = ParamHeaders::arguments_of(&message).await;
                mirror::param_mismatch(headers, &arguments, &params)
            }
            None => None,
        };
        if let Some(mismatch) = mismatch {
            let refusal = Message::error(Some(id), HEADER_MISMATCH, &mismatch, None);
            return answer::json(StatusCode::BAD_REQUEST, &refusal);
        }
    }
    let mut answering = conversation.request(message, id, passed);
    let first = tokio::select! {
        biased;
        first = answering.next() => first,
        () = tokio::time::sleep(EARLY) => return answer::events(answering.rest(one)),
    };
    match first {
        None => answer::refusal(StatusCode::BAD_GATEWAY, "the session ended before the response"),
        Some(said) if is_response(&said) => {
            let otherwise =
                if modern && unchecked { status_of(&said.message) } else { StatusCode::OK };
            answer::response(&said, otherwise)
        }
        Some(said) => {
            let first = stream::once(async { said });
            answer::events(first.chain(answering.rest(one)))
        }
    }
}
