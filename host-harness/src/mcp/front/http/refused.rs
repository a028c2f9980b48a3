//! What the front itself answers in place of a server.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::{answer, table::NoConversation};
use crate::mcp::{
    codes::{INVALID_REQUEST, NO_ANSWER},
    wire::{Id, Message, TooMuch, Was},
};

/// To a client for whose connection there is no room, before it has said anything.
pub(super) const NO_ROOM: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/json\r\nContent-Length: 100\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"the gateway has too many connections\"}}";

/// There is no conversation for a request.
pub(super) fn unavailable(error: &NoConversation, id: &Id) -> Response {
    tracing::warn!(%error, "no conversation with the server");
    let status = match error {
        NoConversation::TooMany | NoConversation::Resting => StatusCode::SERVICE_UNAVAILABLE,
        NoConversation::Start(_) => StatusCode::BAD_GATEWAY,
    };
    let message = Message::error(Some(id), NO_ANSWER, &error.to_string(), None);
    let mut response = answer::json(status, &message);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The gateway has too much to do; the client may try again.
pub(super) fn busy(why: &str) -> Response {
    let mut response = answer::refusal(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The client's message has more than the gateway reads.
pub(super) fn beyond_bounds(too_much: &TooMuch) -> Response {
    let message = match &too_much.was {
        Was::Request(id) => too_much.error(id, INVALID_REQUEST, "the request"),
        Was::Response(_) | Was::Unknown => {
            Message::error(None, INVALID_REQUEST, &too_much.to_string(), None)
        }
    };
    answer::json(StatusCode::BAD_REQUEST, &message)
}

/// The client did not send its request in time.
pub(super) fn too_slow() -> Response {
    let why = "the body of the request did not come in time";
    let mut response = answer::refusal(StatusCode::REQUEST_TIMEOUT, why);
    // What is still to come is read no more.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// No server has this name.
pub(super) fn unknown_server() -> Response {
    answer::refusal(StatusCode::NOT_FOUND, "there is no server at this path")
}

/// The session is over, or never was: by this answer clients know to begin another.
pub(super) fn unknown_session() -> Response {
    answer::refusal(StatusCode::NOT_FOUND, "Session not found")
}

/// Only a session has a stream to listen to and an end.
pub(super) fn no_session() -> Response {
    let mut response =
        answer::refusal(StatusCode::METHOD_NOT_ALLOWED, "without a session there is only POST");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_without_room_is_whole() {
        let (head, body) = NO_ROOM.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["error"]["code"], NO_ANSWER);
    }
}
