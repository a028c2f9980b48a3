//! What a POST, a GET and a DELETE mean.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    Shared, Underway, answer,
    refused::{beyond_bounds, busy, no_session, too_slow, unknown_server, unknown_session},
    request::request,
    table::Table,
};
use crate::mcp::{
    codes::{INVALID_REQUEST, PARSE_ERROR},
    headers::{passed_on, session_of},
    large::work_on,
    wire::{Kind, Message, Unreadable},
};

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
    if let Some(kind) = headers.get(header::CONTENT_TYPE)
        && !is_json(kind)
    {
        // Web pages may send other types without asking (CORS).
        let why = "the body must be JSON, with the content type application/json";
        return answer::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
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
    let bytes = body.len();
    let refuse =
        |code, text| answer::json(StatusCode::BAD_REQUEST, &Message::error(None, code, text, None));
    let parse = move || serde_json::from_slice::<&RawValue>(&body).map(Message::parse);
    let message = match work_on(bytes, parse).await {
        Err(_) => return refuse(PARSE_ERROR, "Parse error"),
        Ok(Err(Unreadable::NotAMessage(_))) => return refuse(INVALID_REQUEST, "Invalid Request"),
        Ok(Err(Unreadable::TooMuch(too_much))) => return beyond_bounds(&too_much),
        Ok(Ok(message)) => message,
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
    answer::events(conversation.listen().messages())
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    path: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    let Some(table) = shared.table(path.as_deref()) else { return unknown_server() };
    let Some(name) = session_of(&headers) else { return no_session() };
    let Some(session) = table.remove(name) else { return unknown_session() };
    session.end().await;
    StatusCode::OK.into_response()
}

async fn tell(table: &Table, headers: &HeaderMap, message: Message) -> Response {
    let passed = passed_on(headers, table.served.pass_headers());
    let conversation = match session_of(headers) {
        Some(name) => match table.find(name) {
            Some(conversation) => conversation,
            None => return unknown_session(),
        },
        None => match table.shared() {
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

fn is_json(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Whether the client takes all of these media types. One that does not say
/// takes anything (RFC 9110, section 12.5.1).
fn accepts(headers: &HeaderMap, kinds: &[&str]) -> bool {
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
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
