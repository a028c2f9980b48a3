//! The events of an answer that is a stream.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body::{Body, Frame, SizeHint};
use serde_json::value::RawValue;
use sse_stream::SseStream;

use crate::mcp::{
    large::work_on,
    upstream::http::client,
    wire::{Message, TooMuch, Unreadable, Was},
};

/// A pause that a server asks for before a stream is taken up again is cut to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Reads the messages of a stream, and remembers where it can be taken up again.
#[derive(Default)]
pub(super) struct Cursor {
    /// The id of the last event that had one.
    pub(super) last_event: Option<String>,
    /// How long the server wants to be left alone before that.
    pub(super) pause: Option<Duration>,
}

/// A body that events can be read from.
pub(super) trait EventBody:
    Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin
{
}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> EventBody for B {}

/// The events of one HTTP answer.
pub(super) struct Events<B: EventBody = client::Body> {
    stream: SseStream<Bounded<B>>,
    limit: usize,
    since_last: Arc<AtomicUsize>,
    is_over: bool,
}

impl<B: EventBody> Events<B> {
    /// Of at most `limit` bytes each.
    pub(super) fn new(body: B, limit: usize) -> Self {
        let since_last = Arc::new(AtomicUsize::new(0));
        let bounded = Bounded { body, limit, since_last: since_last.clone() };
        Self { stream: SseStream::new(bounded), limit, since_last, is_over: false }
    }

    /// The next message, or what came in place of one; nothing once the stream
    /// has ended or broken off, or an event was too long. Events without data
    /// and data that is not JSON are skipped.
    pub(super) async fn next(
        &mut self,
        cursor: &mut Cursor,
    ) -> Option<Result<Message, Unreadable>> {
        if self.is_over {
            return None;
        }
        let limit = self.limit;
        let too_long = Unreadable::TooMuch(TooMuch::bytes(limit, Was::Unknown));
        loop {
            let event = match self.stream.next().await? {
                Ok(event) => event,
                Err(_) if self.since_last.load(Ordering::Relaxed) > limit => {
                    self.is_over = true;
                    return Some(Err(too_long));
                }
                Err(error) => {
                    tracing::debug!(%error, "a stream of the upstream broke off");
                    return None;
                }
            };
            self.since_last.store(0, Ordering::Relaxed);
            if let Some(id) = event.id {
                cursor.last_event = Some(id).filter(|id| !id.is_empty());
            }
            if let Some(retry) = event.retry {
                cursor.pause = Some(Duration::from_millis(retry).min(LONGEST_PAUSE));
            }
            // Other events than messages have names of their own.
            let is_message = event.event.is_none_or(|name| name.is_empty() || name == "message");
            let data = event.data.filter(|data| is_message && !data.is_empty());
            let Some(data) = data else { continue };
            let bytes = data.len();
            if bytes > limit {
                return Some(Err(too_long));
            }
            let parse = move || serde_json::from_str::<&RawValue>(&data).map(Message::parse);
            match work_on(bytes, parse).await {
                Ok(message) => return Some(message),
                // Only where it is broken: a message may hold secrets.
                Err(error) => {
                    tracing::warn!(column = error.column(), "skipped an event that is not JSON");
                }
            }
        }
    }
}

/// A body that breaks off when an event in it becomes longer than a message may
/// be, give or take what comes at once.
struct Bounded<B> {
    body: B,
    limit: usize,
    since_last: Arc<AtomicUsize>,
}

impl<B: EventBody> Body for Bounded<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(io::Error::other)?;
            let length = frame.data_ref().map_or(0, Bytes::len);
            if self.since_last.fetch_add(length, Ordering::Relaxed) > self.limit {
                return Err(io::Error::other("an event is too long"));
            }
            Ok(frame)
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;

    use super::*;
    use crate::scaling::assert_linear;

    async fn count(text: &str, piece: usize) -> usize {
        let pieces = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice);
        let frames = pieces.map(|piece| Ok::<_, io::Error>(Frame::data(piece)));
        let body = StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()));
        let (mut events, mut cursor) = (Events::new(body, usize::MAX), Cursor::default());
        let mut count = 0;
        while let Some(Ok(_)) = events.next(&mut cursor).await {
            count += 1;
        }
        count
    }

    #[test]
    fn events_are_read_in_linear_time_however_they_come() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let one = |count| format!("data: {{\"id\":1,\"result\":\"{}\"}}\n\n", "x".repeat(count));
        let lines = |count| format!("data: {{\n{}data: \"id\":1}}\n\n", "data: \n".repeat(count));
        let many = |count| ": comment\nid: 7\ndata: {\"method\":\"a\"}\n\n".repeat(count);
        for piece in [16, 4096] {
            assert_linear(10_000, one, |text| runtime.block_on(count(text, piece)));
            assert_linear(2000, lines, |text| runtime.block_on(count(text, piece)));
            assert_linear(500, many, |text| runtime.block_on(count(text, piece)));
        }
        assert_eq!(runtime.block_on(count(&many(3), 5)), 3);
    }
}
