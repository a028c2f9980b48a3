//! What an HTTP answer of the server holds.

use std::time::SystemTime;

use http::{HeaderMap, Response, header};
use http_body_util::{BodyExt, Limited};
use serde_json::value::RawValue;

use super::{
    client::Body,
    documents::Documents,
    events::{Cursor, Events},
};
use crate::{
    gateway::pushback_ms,
    mcp::{
        front::HttpStatus,
        reply::HttpFailure,
        wire::{Kind, Message, Unreadable},
    },
};

/// What is read of the body of an HTTP error.
const MAX_ERROR_BODY: usize = 64 * 1024;

pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}

/// All that comes back for a request.
pub(super) enum Messages {
    Events(Events),
    Documents(Documents),
}

impl Messages {
    /// Messages of more than `limit` bytes are not read.
    pub(super) fn of(response: Response<Body>, limit: usize) -> Self {
        if is_stream(response.headers()) {
            Self::Events(Events::new(response.into_body(), limit))
        } else {
            Self::Documents(Documents::new(response.into_body(), limit))
        }
    }

    pub(super) async fn next(
        &mut self,
        cursor: &mut Cursor,
    ) -> Option<Result<Message, Unreadable>> {
        match self {
            Self::Events(events) => events.next(cursor).await,
            Self::Documents(documents) => documents.next().await,
        }
    }
}

/// The first response of an answer.
pub(super) async fn first_response(answer: Response<Body>, limit: usize) -> Option<Message> {
    let mut messages = Messages::of(answer, limit);
    let mut cursor = Cursor::default();
    while let Some(line) = messages.next(&mut cursor).await {
        if let Ok(message) = line
            && matches!(message.kind(), Kind::Response { .. })
        {
            return Some(message);
        }
    }
    None
}

/// The message that a short body is.
async fn read(body: Body) -> Option<Message> {
    let bytes = Limited::new(body, MAX_ERROR_BODY).collect().await.ok()?.to_bytes();
    let raw: Box<RawValue> = serde_json::from_slice(&bytes).ok()?;
    Message::parse(&raw).ok()
}

/// What an error says.
pub(super) async fn failure(response: Response<Body>) -> HttpFailure {
    let code = response.status().as_u16();
    let headers = response.headers();
    let texts =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let pushback_ms = pushback_ms(code, texts, SystemTime::now());
    let kept = [header::RETRY_AFTER, header::WWW_AUTHENTICATE];
    let headers =
        kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    let status = HttpStatus { code, headers: headers.collect() };
    let message = read(response.into_body()).await;
    let response = message.filter(|message| message.get("error").is_some());
    HttpFailure { status, pushback_ms, response }
}
