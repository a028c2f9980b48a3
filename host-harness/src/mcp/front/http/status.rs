//! The HTTP status of a response.

use http::StatusCode;

use crate::mcp::{
    codes::{HEADER_MISMATCH, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, UNSUPPORTED_VERSION},
    front::ToClient,
    wire::{Kind, Message},
};

/// Whether it is the response, and not something before it.
pub(super) fn is_response(said: &ToClient) -> bool {
    matches!(said.message.kind(), Kind::Response { .. })
}

/// The HTTP status that 2026-07-28 gives to an error of a server that knows no HTTP.
pub(super) fn status_of(response: &Message) -> StatusCode {
    let code = response
        .get("error")
        .and_then(|error| serde_json::from_str::<serde_json::Value>(error.get()).ok())
        .and_then(|error| error.get("code")?.as_i64());
    match code {
        Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(PARSE_ERROR | INVALID_REQUEST | UNSUPPORTED_VERSION..=HEADER_MISMATCH) => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}
