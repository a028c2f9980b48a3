//! The messages of an answer that is plain JSON.

use std::fmt;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::value::RawValue;

use crate::mcp::{
    large::work_on,
    lines::BYTE_ORDER_MARK,
    upstream::http::client,
    wire::{Message, TooMuch, Unreadable, Was},
};

/// Bytes that may be parsed in vain for every byte that arrives: what comes in
/// many small pieces is not parsed anew at each of them.
const VAIN: usize = 8;

/// Reads JSON from a body. It should be one message, at the body's end; some
/// servers write several, one after the other, while they work.
pub(super) struct Documents<B = client::Body> {
    body: B,
    limit: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was read already.
    read: usize,
    /// What may still be parsed in vain.
    credit: usize,
    at_end: bool,
    /// Nothing was read yet, so that a byte order mark may come.
    is_at_start: bool,
}

impl<B: Body<Data = Bytes, Error: fmt::Display> + Unpin> Documents<B> {
    /// Of at most `limit` bytes each.
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self {
            body,
            limit,
            buffer: Vec::new(),
            read: 0,
            credit: 0,
            at_end: false,
            is_at_start: true,
        }
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
                    if self.is_at_start && self.buffer.len() >= BYTE_ORDER_MARK.len() {
                        self.is_at_start = false;
                        if self.buffer.starts_with(BYTE_ORDER_MARK) {
                            self.read = BYTE_ORDER_MARK.len();
                        }
                    }
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
    let mut values = serde_json::Deserializer::from_slice(json).into_iter::<&RawValue>();
    let raw = values.next()?;
    let first = raw.map(|raw| (Message::parse(raw), values.byte_offset()));
    if first.is_err() && std::str::from_utf8(json).is_err_and(|error| error.error_len().is_some()) {
        // A text in a legacy code page: what cannot be read of it is replaced.
        let text = String::from_utf8_lossy(json);
        let raw = serde_json::from_str::<&RawValue>(&text);
        return Some(raw.map(|raw| (Message::parse(raw), json.len())));
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::scaling::assert_linear;

    /// Reads a body that comes in pieces of so many bytes; how many messages it has.
    async fn count(text: &str, piece: usize) -> usize {
        let pieces = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice);
        let frames = pieces.map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let mut documents = Documents::new(body, usize::MAX);
        let mut count = 0;
        while let Some(Ok(_)) = documents.next().await {
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn several_messages_of_one_body_are_read_however_they_come() {
        let text = r#"{"id":1,"result":"}"} {"method":"a"}{"id":2,"result":{}}"#;
        for piece in [1, 7, 1000] {
            assert_eq!(count(text, piece).await, 3, "{piece}");
        }
    }

    #[test]
    fn a_body_is_read_in_linear_time_however_it_comes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let one = |count| format!(r#"{{"id":1,"result":[{}1]}}"#, "{},".repeat(count));
        let many = |count| r#"{"method":"a"}"#.repeat(count);
        // In small pieces each of which could be the end.
        assert_linear(4000, one, |text| runtime.block_on(count(text, 6)));
        assert_linear(1000, many, |text| runtime.block_on(count(text, 14)));
        assert_linear(1000, many, |text| runtime.block_on(count(text, 1000)));
    }
}
