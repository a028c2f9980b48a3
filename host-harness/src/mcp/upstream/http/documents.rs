//! The messages of an answer that is plain JSON.

use http_body_util::BodyExt;
use serde_json::value::RawValue;

use crate::mcp::{
    large::work_on,
    upstream::http::client,
    wire::{Message, TooMuch, Unreadable, Was},
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
    /// ended, broken off, is not JSON, or was too long.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Unreadable>> {
        loop {
            if let Some(message) = self.parse().await {
                return Some(message);
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
                        let too_long = TooMuch::bytes(self.limit, Was::Unknown);
                        return Some(Err(Unreadable::TooMuch(too_long)));
                    }
                }
            }
        }
    }

    /// A whole value at the front of what is there.
    async fn parse(&mut self) -> Option<Result<Message, Unreadable>> {
        let rest = &self.buffer[self.read..];
        let bytes = rest.len();
        let whole = rest.trim_ascii_end().ends_with(b"}");
        if !self.at_end && (!whole || bytes > self.credit) {
            return None;
        }
        let (buffer, read) = (std::mem::take(&mut self.buffer), self.read);
        let (buffer, parsed) = work_on(bytes, move || {
            let parsed = first_of(&buffer[read..]);
            (buffer, parsed)
        })
        .await;
        self.buffer = buffer;
        match parsed {
            Some(Ok((message, length))) => {
                self.read += length;
                Some(message)
            }
            Some(Err(_)) => {
                self.credit = self.credit.saturating_sub(bytes);
                None
            }
            None => None,
        }
    }
}

/// The first value of several, and how far it reaches.
fn first_of(json: &[u8]) -> Option<serde_json::Result<(Result<Message, Unreadable>, usize)>> {
    let mut values = serde_json::Deserializer::from_slice(json).into_iter::<Box<RawValue>>();
    let raw = values.next()?;
    Some(raw.map(|raw| (Message::parse(&raw), values.byte_offset())))
}
