//! What an HTTP answer of the server holds.

use std::time::SystemTime;

use http::{HeaderMap, Response, header};
use http_body_util::BodyExt;

use super::{
    client::Body,
    documents::Documents,
    events::{Cursor, Events},
};
use crate::mcp::{
    reply::HttpFailure,
    wire::{Kind, Message, Unreadable},
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

/// The start of a body, as far as it comes.
async fn read(body: Body) -> Vec<u8> {
    let mut body = body;
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ERROR_BODY {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let room = MAX_ERROR_BODY - bytes.len();
                    bytes.extend_from_slice(&data[..data.len().min(room)]);
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    bytes
}

/// What an error says.
pub(super) async fn failure(response: Response<Body>) -> HttpFailure {
    let (parts, body) = response.into_parts();
    HttpFailure::read(parts.status, &parts.headers, &read(body).await, SystemTime::now())
}
