//! What came in place of a message.

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Id, Kind, Message};
use crate::mcp::members::MAX_MEMBERS;

/// What came in place of a message.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unreadable {
    /// Well-formed JSON of another kind.
    #[error(transparent)]
    NotAMessage(#[from] NotAMessage),
    /// A message that was dropped.
    #[error("{0}")]
    TooMuch(TooMuch),
}

/// Well-formed JSON that is not a JSON-RPC message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON-RPC message")]
pub struct NotAMessage;

/// A message beyond what the gateway reads.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a message {bound}")]
pub struct TooMuch {
    /// What it may have.
    pub bound: Bound,
    /// What it was, as far as can be told.
    pub was: Was,
}

/// A bound on messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// A message has at most so many bytes.
    #[error("is longer than {0} bytes")]
    Bytes(usize),
    /// It is not JSON (RFC 8259), though nearly: `NaN`, for one, is a value elsewhere.
    #[error("is not JSON")]
    Json,
    /// An object that the gateway reads has at most 65,536 members.
    #[error("has an object of more than {MAX_MEMBERS} members")]
    Members,
}

/// What a message was that nobody has read whole.
#[derive(Debug, Clone)]
pub enum Was {
    /// A request with this id.
    Request(Id),
    /// The answer to the request with this id.
    Response(Id),
    /// A notification, or something else that nobody waits for or can be told of.
    Unknown,
}

impl TooMuch {
    /// A message of more than `limit` bytes.
    #[must_use]
    pub fn bytes(limit: usize, was: Was) -> Self {
        Self { bound: Bound::Bytes(limit), was }
    }

    /// An object of too many members that is a message itself.
    pub(super) fn members_of_message(raw: &RawValue) -> Self {
        /// What is left of it if nothing else is kept.
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            #[serde(borrow)]
            method: Option<&'a RawValue>,
            #[serde(borrow)]
            result: Option<&'a RawValue>,
            #[serde(borrow)]
            error: Option<&'a RawValue>,
        }

        let was = match serde_json::from_str(raw.get()) {
            Ok(Envelope { id: Some(id), method: Some(_), .. }) => Was::Request(Id::new(id)),
            Ok(
                Envelope { id: Some(id), result: Some(_), .. }
                | Envelope { id: Some(id), error: Some(_), .. },
            ) => Was::Response(Id::new(id)),
            _ => Was::Unknown,
        };
        Self { bound: Bound::Members, was }
    }

    /// A message whose parameters, or the `_meta` of those, have too many members.
    pub(super) fn members_of_params(kind: &Kind) -> Self {
        let was = match kind {
            Kind::Request { id, .. } => Was::Request(id.clone()),
            Kind::Response { id: Some(id) } => Was::Response(id.clone()),
            Kind::Response { id: None } | Kind::Notification { .. } => Was::Unknown,
        };
        Self { bound: Bound::Members, was }
    }

    /// The error in its place, under an id. `what` it was, for people.
    pub(in crate::mcp) fn error(&self, id: &Id, code: i64, what: &str) -> Message {
        let Self { bound, .. } = self;
        let data = match bound {
            Bound::Bytes(limit) => Some(json!({ "maxBytes": limit })),
            Bound::Members => Some(json!({ "maxMembers": MAX_MEMBERS })),
            Bound::Json => None,
        };
        Message::error(Some(id), code, &format!("{what} {bound}"), data)
    }
}
