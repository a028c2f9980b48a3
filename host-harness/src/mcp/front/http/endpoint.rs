//! What a POST, a GET and a DELETE mean.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    Shared, Underway, answer,
    conversation::{Answering, Conversation},
    era::{self, Era},
    mirror,
    table::{NoConversation, Table},
};
use crate::mcp::{
    front::ToClient,
    headers::{HEADER_MISMATCH, SESSION_ID, UNSUPPORTED_VERSION, passed_on, version_of},
    wire::{Id, Kind, Message},
};

/// How long a response may take before its stream is opened without it.
const EARLY: Duration = Duration::from_secs(5);
const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;

pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    path: Option<Path<String>>,
    headers: HeaderMap,
    whole: Request,
) -> Response {
    let Some(table) = shared.table(path.as_deref()) else { return unknown_server() };
    if !accepts(&headers, &["application/json", "text/event-stream"]) {
        let why = "the client must accept both application/json and text/event-stream";
        return answer::refusal(StatusCode::NOT_ACCEPTABLE, why);
    }
    // Before the body: bodies that are still coming need memory as well.
    let Some(one) = Underway::begin(&shared) else {
        return busy("the gateway has too many requests under way");
    };
    let body = Bytes::from_request(whole, &());
    let body = match timeout(shared.limits.read_timeout, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return answer::refusal(rejection.status(), &rejection.body_text()),
        Err(_) => return too_slow(),
    };
    let refuse =
        |code, text| answer::json(StatusCode::BAD_REQUEST, &Message::error(None, code, text, None));
    let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(&body) else {
        return refuse(PARSE_ERROR, "Parse error");
    };
    let Ok(message) = Message::parse(&raw) else {
        return refuse(INVALID_REQUEST, "Invalid Request");
    };
    match message.kind().clone() {
        Kind::Request { method, id } => request(table, &headers, message, &method, &id, one).await,
        Kind::Notification { .. } | Kind::Response { .. } => tell(table, &headers, message).await,
    }
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    path: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    let Some(table) = shared.table(path.as_deref()) else { return unknown_server() };
    let Some(name) = session_of(&headers) else { return no_session() };
    if !accepts(&headers, &["text/event-stream"]) {
        let why = "the client must accept text/event-stream";
        return answer::refusal(StatusCode::NOT_ACCEPTABLE, why);
    }
    let Some(conversation) = table.find(name) else { return unknown_session() };
    match conversation.listen() {
        Some(listening) => answer::events(listening.messages()),
        None => answer::refusal(StatusCode::CONFLICT, "this session has a stream already"),
    }
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    path: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    let Some(table) = shared.table(path.as_deref()) else { return unknown_server() };
    let Some(name) = session_of(&headers) else { return no_session() };
    let Some(conversation) = table.remove(name) else { return unknown_session() };
    conversation.end().await;
    StatusCode::OK.into_response()
}

async fn request(
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
    if method == "initialize" && !modern {
        return match table.begin() {
            Ok(conversation) => {
                let answering = conversation.request(message, id, passed).await;
                initialize(table, conversation, answering, one).await
            }
            Err(error) => unavailable(&error, id),
        };
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
    if asks && conversation.era(&table.era, &message).await == Era::Legacy {
        return answer::json(StatusCode::BAD_REQUEST, &era::refusal(id));
    }
    if modern && unchecked && method == "tools/call" {
        let params = conversation.params_of(&message);
        let mismatch = params.and_then(|params| mirror::param_mismatch(headers, &message, &params));
        if let Some(mismatch) = mismatch {
            let refusal = Message::error(Some(id), HEADER_MISMATCH, &mismatch, None);
            return answer::json(StatusCode::BAD_REQUEST, &refusal);
        }
    }
    let mut answering = conversation.request(message, id, passed).await;
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

/// Waits for the server's word on a new session, which gets a name if it is a good one.
async fn initialize(
    table: &Table,
    conversation: Arc<Conversation>,
    mut answering: Answering,
    one: Underway,
) -> Response {
    let mut before = Vec::new();
    let said = loop {
        match answering.next().await {
            Some(said) if is_response(&said) => break said,
            Some(said) => before.push(said),
            None => {
                let why = "the server ended before it answered `initialize`";
                return answer::refusal(StatusCode::BAD_GATEWAY, why);
            }
        }
    };
    drop((answering, one));
    let begun = said.status.is_none() && said.message.get("result").is_some();
    let mut response = if before.is_empty() {
        answer::response(&said, StatusCode::OK)
    } else {
        before.push(said);
        answer::events(stream::iter(before))
    };
    if !begun {
        conversation.end().await;
        return response;
    }
    let name = table.enter(conversation).ok().and_then(|name| HeaderValue::from_str(&name).ok());
    let Some(name) = name else {
        return answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "no name for the session");
    };
    response.headers_mut().insert(SESSION_ID, name);
    response
}

async fn tell(table: &Table, headers: &HeaderMap, message: Message) -> Response {
    let passed = passed_on(headers, table.served.pass_headers());
    let conversation = match session_of(headers) {
        Some(name) => match table.find(name) {
            Some(conversation) => conversation,
            None => return unknown_session(),
        },
        None => match table.shared() {
            // Its id is not the one that the server knows, and the stream that
            // it could close says the same.
            Ok(_) if message.is_cancellation() => return StatusCode::ACCEPTED.into_response(),
            Ok(conversation) => conversation,
            Err(error) => {
                return answer::refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
            }
        },
    };
    conversation.say(message, passed).await;
    StatusCode::ACCEPTED.into_response()
}

impl Shared {
    /// Of the server with this name, or of all.
    fn table(&self, name: Option<&String>) -> Option<&Table> {
        match name {
            Some(name) => self.tables.get(name),
            None => self.all.as_ref().or_else(|| self.tables.values().next()),
        }
    }
}

fn is_response(said: &ToClient) -> bool {
    matches!(said.message.kind(), Kind::Response { .. })
}

fn session_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_ID)?.to_str().ok()
}

/// Whether the client takes all of these media types.
fn accepts(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let accepted: Vec<String> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    kinds.iter().all(|kind| {
        let family = kind.split('/').next().unwrap_or_default();
        accepted.iter().any(|one| one == kind || one == "*/*" || *one == format!("{family}/*"))
    })
}

/// The HTTP status that 2026-07-28 gives to an error of a server that knows no HTTP.
fn status_of(response: &Message) -> StatusCode {
    let code = response
        .get("error")
        .and_then(|error| serde_json::from_str::<serde_json::Value>(error.get()).ok())
        .and_then(|error| error.get("code")?.as_i64());
    match code {
        Some(-32601) => StatusCode::NOT_FOUND,
        Some(PARSE_ERROR | INVALID_REQUEST | UNSUPPORTED_VERSION..=HEADER_MISMATCH) => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}

fn unavailable(error: &NoConversation, id: &Id) -> Response {
    tracing::warn!(%error, "no conversation with the server");
    let status = match error {
        NoConversation::TooMany | NoConversation::Resting => StatusCode::SERVICE_UNAVAILABLE,
        NoConversation::Start(_) => StatusCode::BAD_GATEWAY,
    };
    let message = Message::error(Some(id), crate::mcp::reply::NO_ANSWER, &error.to_string(), None);
    let mut response = answer::json(status, &message);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn busy(why: &str) -> Response {
    let mut response = answer::refusal(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn too_slow() -> Response {
    let why = "the body of the request did not come in time";
    let mut response = answer::refusal(StatusCode::REQUEST_TIMEOUT, why);
    // What is still to come is read no more.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn unknown_server() -> Response {
    answer::refusal(StatusCode::NOT_FOUND, "there is no server at this path")
}

fn unknown_session() -> Response {
    answer::refusal(StatusCode::NOT_FOUND, "Session not found")
}

fn no_session() -> Response {
    let mut response =
        answer::refusal(StatusCode::METHOD_NOT_ALLOWED, "without a session there is only POST");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}
