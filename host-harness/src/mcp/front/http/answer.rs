//! HTTP responses: JSON, a stream of events, or a refusal.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::mcp::{
    codes::NO_ANSWER,
    front::ToClient,
    wire::{Line, Message},
};

/// A comment this often keeps a quiet stream from being closed on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One message.
pub(super) fn json(status: StatusCode, message: &Message) -> Response {
    let body = message.to_bytes();
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

/// An answer of the upstream, with its HTTP status if it had one.
pub(super) fn response(said: &ToClient, otherwise: StatusCode) -> Response {
    let Some(status) = &said.status else { return json(otherwise, &said.message) };
    let mut response = json(passed_on(status.code), &said.message);
    response.headers_mut().extend(status.headers.iter().cloned());
    response
}

/// The status under which a client gets an upstream's HTTP error: the same if it
/// is one of an error. Others would say something about the client's connection
/// (101), its cache (304) or another place (307), and some of them forbid the body.
fn passed_on(status: u16) -> StatusCode {
    let status = StatusCode::from_u16(status).ok();
    let error = status.filter(|status| status.is_client_error() || status.is_server_error());
    error.unwrap_or(StatusCode::BAD_GATEWAY)
}

/// A stream of messages.
pub(super) fn events(messages: impl Stream<Item = ToClient> + Send + 'static) -> Response {
    let events = messages
        .map(|said| Ok::<_, Infallible>(Event::default().data(Line::of(&said.message).as_str())));
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // Proxies such as nginx would gather the events otherwise.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// An error that is about no request in particular.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    json(status, &Message::error(None, NO_ANSWER, why, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_keep_the_status_of_the_upstream() {
        for kept in [400, 401, 404, 418, 429, 499, 500, 503, 599] {
            assert_eq!(passed_on(kept).as_u16(), kept);
        }
        for odd in [0, 100, 101, 103, 199, 200, 204, 205, 206, 301, 304, 308, 399, 600, 999, 65535]
        {
            assert_eq!(passed_on(odd), StatusCode::BAD_GATEWAY, "{odd}");
        }
    }
}
