//! The beginning of a session: what the server says to `initialize`.

use std::time::Duration;

use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, StatusCode};
use tokio::time::timeout;

use super::{
    Underway, answer,
    conversation::Answering,
    refused::unavailable,
    status::{is_response, status_of},
    table::{Begun, Table},
};
use crate::mcp::{
    codes::{NO_ANSWER, TIMED_OUT},
    front::ToClient,
    headers::{Headers, SESSION_ID, version_of},
    wire::{Id, Line, Message},
};

/// What a server may say before it answers `initialize`: so many messages, of so
/// many bytes together. They are held until then, since only the answer
/// decides whether there is a session for the client to hear them in.
const MOST_BEFORE: usize = 256;
const MOST_BYTES_BEFORE: usize = 4 << 20;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum NoSession {
    #[error("the server ended before it answered `initialize`")]
    Ended,
    #[error(
        "the server said more than {MOST_BEFORE} messages or {MOST_BYTES_BEFORE} bytes before it \
         answered `initialize`"
    )]
    TooMuch,
    #[error("the server did not answer `initialize` within {} ms", .0.as_millis())]
    TooLate(Duration),
}

/// Begins a session for the client that makes this request. The session gets a
/// name if the server has a result for it.
pub(super) async fn initialize(
    table: &Table,
    message: Message,
    id: &Id,
    passed: Headers,
    one: Underway,
) -> Response {
    // 2026-07-28 has no such method, which its clients see by the status.
    let speaks_of_status = version_of(&message).is_some() && !table.served.compares_headers();
    let begun = match table.begin().await {
        Ok(begun) => begun,
        Err(error) => return unavailable(&error, id),
    };
    let mut answering = begun.conversation.request(message, id, passed);
    let patience = table.initialize_timeout;
    let said = timeout(patience, all_until_the_response(&mut answering)).await;
    drop((answering, one));
    match said.unwrap_or(Err(NoSession::TooLate(patience))) {
        Ok(said) => answered(table, begun, said, speaks_of_status).await,
        Err(error) => {
            tracing::warn!(%error, "no session with the server");
            begun.end().await;
            refused(&error, id)
        }
    }
}

/// What the server says, to its response.
async fn all_until_the_response(answering: &mut Answering) -> Result<Vec<ToClient>, NoSession> {
    let (mut said, mut bytes) = (Vec::new(), 0);
    while let Some(next) = answering.next().await {
        if is_response(&next) {
            said.push(next);
            return Ok(said);
        }
        // There are not many of them.
        bytes += Line::of(&next.message).as_str().len();
        if said.len() == MOST_BEFORE || bytes > MOST_BYTES_BEFORE {
            return Err(NoSession::TooMuch);
        }
        said.push(next);
    }
    Err(NoSession::Ended)
}

/// The answer for what the server said, the last of which is its response.
async fn answered(
    table: &Table,
    begun: Begun,
    mut said: Vec<ToClient>,
    speaks_of_status: bool,
) -> Response {
    let is_good = said
        .last()
        .is_some_and(|last| last.status.is_none() && last.message.get("result").is_some());
    let mut response = match said.pop() {
        Some(only) if said.is_empty() => {
            let otherwise =
                if speaks_of_status { status_of(&only.message) } else { StatusCode::OK };
            answer::response(&only, otherwise)
        }
        last => {
            said.extend(last);
            answer::events(stream::iter(said))
        }
    };
    if !is_good {
        begun.end().await;
        return response;
    }
    let name = table.enter(begun).ok().and_then(|name| HeaderValue::from_str(&name).ok());
    let Some(name) = name else {
        return answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "no name for the session");
    };
    response.headers_mut().insert(SESSION_ID, name);
    response
}

fn refused(error: &NoSession, id: &Id) -> Response {
    let (status, code) = match error {
        NoSession::Ended | NoSession::TooMuch => (StatusCode::BAD_GATEWAY, NO_ANSWER),
        NoSession::TooLate(_) => (StatusCode::GATEWAY_TIMEOUT, TIMED_OUT),
    };
    answer::json(status, &Message::error(Some(id), code, &error.to_string(), None))
}
