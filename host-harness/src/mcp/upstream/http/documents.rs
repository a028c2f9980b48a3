//! The messages of an answer that is plain JSON.

use http_body_util::BodyExt;
use serde_json::value::RawValue;

use crate::mcp::{
    too_long::{TooLong, Unreadable, Was},
    upstream::http::client,
    wire::Message,
};

/// Bytes that may be parsed in vain for every byte that arrives: what comes in
/// many small pieces is not parsed anew at each of them.
const VAIN: usize = 8;

/// Reads JSON from a body. It should be one message, at the body's end; some
/// servers write several, one after the other, while they work.
pub(super) struct Documents {
    body: client::Body,
    limit: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was read already.
    read: usize,
    /// What may still be parsed in vain.
    credit: usize,
    at_end: bool,
}

impl Documents {
    /// Of at most `limit` bytes each.
    pub(super) fn new(body: client::Body, limit: usize) -> Self {
        Self { body, limit, buffer: Vec::new(), read: 0, credit: 0, at_end: false }
    }

    /// The next message, or what came in place of one; nothing once the body has
    /// ended, broken off, is not JSON, or was too long. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Unreadable>> {
        loop {
            if let Some(raw) = self.parse() {
                return Some(Message::parse(&raw).map_err(Into::into));
            }
            if self.at_end {
                return None;
            }
            match self.body.frame().await {
                None => self.at_end = true,
                Some(Err(error)) => {
                    tracing::debug!(%error, "the body of an answer broke off");
                    return None;
                }
                Some(Ok(frame)) => {
                    let Some(data) = frame.data_ref() else { continue };
                    self.buffer.drain(..self.read);
                    self.read = 0;
                    self.buffer.extend_from_slice(data);
                    self.credit = self.credit.saturating_add(VAIN * data.len());
                    if self.buffer.len() > self.limit {
                        self.at_end = true;
                        self.buffer = Vec::new();
                        let limit = self.limit;
                        return Some(Err(Unreadable::TooLong(TooLong {
                            limit,
                            was: Was::Unknown,
                        })));
                    }
                }
            }
        }
    }

    /// A whole value at the front of what is there.
    fn parse(&mut self) -> Option<Box<RawValue>> {
        let rest = &self.buffer[self.read..];
        let whole = rest.trim_ascii_end().ends_with(b"}");
        if !self.at_end && (!whole || rest.len() > self.credit) {
            return None;
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Box<RawValue>>();
        match values.next() {
            Some(Ok(raw)) => {
                self.read += values.byte_offset();
                Some(raw)
            }
            Some(Err(_)) => {
                self.credit = self.credit.saturating_sub(rest.len());
                None
            }
            None => None,
        }
    }
}
