//! One request of the client.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::mcp::{
    attempt_marker,
    cancellation::Cancellation,
    front::ToClient,
    handler::Client,
    headers::{Headers, PROTOCOL_VERSION, version_of},
    introduction::CLIENT_CAPABILITIES,
    members::Members,
    versions,
    wire::{Id, Message},
};

/// How a client and a server get to know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// By `initialize`, once for a session: 2025-11-25 and before.
    Sessions,
    /// In every request: since 2026-07-28.
    Stateless,
}

impl Era {
    /// By what the message says, or the headers that came with it.
    pub(super) fn of(message: &Message, headers: &Headers) -> Self {
        let named = headers.map().get(PROTOCOL_VERSION).and_then(|version| version.to_str().ok());
        let stateless = named.is_some_and(|version| version > versions::LAST_WITH_SESSIONS);
        if stateless || version_of(message).is_some() { Self::Stateless } else { Self::Sessions }
    }
}

/// One request of the client, while it is being answered.
#[derive(Clone)]
pub(super) struct Query {
    pub(super) message: Message,
    pub(super) method: String,
    pub(super) id: Id,
    /// What came with it over HTTP.
    pub(super) headers: Headers,
    /// Hears what is said about it.
    pub(super) client: Arc<dyn Client>,
    /// Ends it.
    pub(super) cancelled: CancellationToken,
    /// What becomes of it then.
    pub(super) cancellation: Cancellation,
}

impl Query {
    pub(super) fn era(&self) -> Era {
        Era::of(&self.message, &self.headers)
    }

    /// Whether it says of its client what every request has to since 2026-07-28.
    pub(super) fn introduces_its_client(&self) -> bool {
        let meta = self.message.param("_meta").and_then(|meta| Members::parse(&meta).ok());
        let capable = meta.as_ref().and_then(|meta| meta.get(CLIENT_CAPABILITIES));
        version_of(&self.message).is_some()
            && capable.is_some_and(|raw| Members::parse(raw).is_ok())
    }

    /// A request of our own on behalf of the client: with its `_meta`, but not
    /// what there is about this one request.
    pub(super) fn aside(&self, id: &Id, method: &str) -> Message {
        let request = Message::request(id, method);
        let meta = self.message.param("_meta").filter(|meta| Members::parse(meta).is_ok());
        match meta {
            Some(meta) => request
                .with_param("_meta", meta)
                .without_meta("progressToken")
                .without_meta(attempt_marker::NAME),
            None => request,
        }
    }

    /// The answer with this result.
    pub(super) fn result(&self, result: &(impl serde::Serialize + ?Sized)) -> ToClient {
        self.answer(Message::result(&self.id, result))
    }

    /// The answer with this error.
    pub(super) fn error(&self, code: i64, text: &str) -> ToClient {
        self.answer(Message::error(Some(&self.id), code, text, None))
    }

    /// As [`Self::error`], with `data`.
    pub(super) fn error_with(&self, code: i64, text: &str, data: serde_json::Value) -> ToClient {
        self.answer(Message::error(Some(&self.id), code, text, Some(data)))
    }

    fn answer(&self, message: Message) -> ToClient {
        message.into()
    }
}
