//! Reading and writing messages, one a line.

use std::io;

use bytes::{Buf, BytesMut};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::mcp::{
    large::Work,
    too_long::Edges,
    wire::{Bound, Line, Message, TooMuch, Unreadable, Was},
};

/// What is read at a time at the least, in bytes.
const READ: usize = 8 * 1024;
/// RFC 8259: a parser may ignore it.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads messages from a byte stream.
///
/// Not with rmcp's line codec, which reads the same lines: of one that is too
/// long it says nothing but that, and whoever waits for it would wait in vain.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    side: &'static str,
    limit: usize,
    buffer: BytesMut,
    /// How much of the buffer holds no end of a line.
    searched: usize,
    /// Of a line that is not kept.
    skipped: Option<Edges>,
    /// On a long line that is being parsed.
    parsing: Work<Parsed>,
    at_end: bool,
}

/// What a line comes to: nothing, if it is empty or not JSON.
type Parsed = Option<Result<Message, Unreadable>>;

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from `from`, which log lines call `side`, messages of at most
    /// `limit` bytes.
    pub fn new(from: R, side: &'static str, limit: usize) -> Self {
        let buffer = BytesMut::new();
        let parsing = Work::NONE;
        Self { from, side, limit, buffer, searched: 0, skipped: None, parsing, at_end: false }
    }

    /// The same with another limit.
    #[must_use]
    pub fn within(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The next message, or what came in place of one; nothing once the stream
    /// has ended or failed. Lines that are not JSON, and in which no id is found
    /// to answer to, are skipped. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Message, Unreadable>> {
        loop {
            let parsed = match self.parsing.finish().await {
                None => match self.line() {
                    Some(Ok(line)) => {
                        let (side, bytes) = (self.side, line.len());
                        match self.parsing.start(bytes, move || parse(&line, side)) {
                            None => continue,
                            parsed => parsed,
                        }
                    }
                    Some(Err(too_much)) => return Some(Err(Unreadable::TooMuch(too_much))),
                    None => None,
                },
                parsed => parsed,
            };
            match parsed {
                Some(Some(message)) => return Some(message),
                Some(None) => continue,
                None => {}
            }
            if self.at_end {
                return None;
            }
            self.let_go();
            self.buffer.reserve(READ);
            match self.from.read_buf(&mut self.buffer).await {
                Ok(0) => self.at_end = true,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(side = self.side, %error, "reading failed");
                    return None;
                }
            }
        }
    }

    /// A whole line of what was read, without its end; the last one has none.
    fn line(&mut self) -> Option<Result<BytesMut, TooMuch>> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = end.map(|at| self.searched + at);
        let length = end.unwrap_or(self.buffer.len());
        self.searched = length;
        if length > self.limit || self.skipped.is_some() {
            let edges = self.skipped.get_or_insert_default();
            edges.push(&self.buffer[..length]);
            self.buffer.advance(length);
            self.searched = 0;
            // One that breaks off has no end by which to know it.
            end?;
            self.buffer.advance(1);
            let was = self.skipped.take().unwrap_or_default().was();
            return Some(Err(TooMuch::bytes(self.limit, was)));
        }
        if end.is_none() && !(self.at_end && length > 0) {
            return None;
        }
        let line = self.buffer.split_to(length);
        self.buffer.advance(usize::from(end.is_some()));
        self.searched = 0;
        Some(Ok(line))
    }

    /// Keeps no room that only a long line needed.
    fn let_go(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * READ {
            self.buffer = BytesMut::new();
        }
    }
}

/// What a line of this side comes to.
fn parse(line: &[u8], side: &'static str) -> Parsed {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return None;
    }
    let error = match serde_json::from_slice::<&RawValue>(line) {
        Ok(raw) => return Some(Message::parse(raw)),
        Err(error) => error,
    };
    // A text in a legacy code page: what cannot be read of it is replaced.
    if std::str::from_utf8(line).is_err() {
        let text = String::from_utf8_lossy(line);
        if let Ok(raw) = serde_json::from_str::<&RawValue>(&text) {
            tracing::warn!(side, "a line is not UTF-8; what cannot be read is replaced");
            return Some(Message::parse(raw));
        }
    }
    // Only where it is broken: a message may hold secrets.
    tracing::warn!(side, column = error.column(), "skipped a line that is not JSON");
    let mut edges = Edges::default();
    edges.push(line);
    match edges.was() {
        Was::Unknown => None,
        was => Some(Err(Unreadable::TooMuch(TooMuch { bound: Bound::Json, was }))),
    }
}

/// Writes one message and flushes it.
///
/// # Errors
/// The stream does not take it.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), message: &Message) -> io::Result<()> {
    to.write_all(&Line::of(message).ended()).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::ReadBuf;

    use super::*;
    use crate::{mcp::wire::Was, scaling::assert_linear};

    /// What is read from these bytes when they come in pieces of any length.
    async fn read(input: &[u8], limit: usize) -> Vec<String> {
        let mut told = Vec::new();
        for piece in [1, 3, 1000] {
            let (mut to, from) = tokio::io::duplex(piece);
            let input = input.to_vec();
            tokio::spawn(async move { to.write_all(&input).await });
            let mut reader = Reader::new(from, "test", limit);
            let mut seen = Vec::new();
            while let Some(line) = reader.next().await {
                seen.push(match line {
                    Ok(message) => serde_json::to_string(&message).expect("JSON"),
                    Err(Unreadable::NotAMessage(_)) => "no message".to_owned(),
                    Err(Unreadable::TooMuch(TooMuch { was: Was::Response(id), .. })) => {
                        format!("too long: {}", id.raw())
                    }
                    Err(Unreadable::TooMuch(_)) => "too long".to_owned(),
                });
            }
            assert!(told.is_empty() || told == seen, "{piece}: {told:?}, {seen:?}");
            told = seen;
        }
        told
    }

    #[tokio::test]
    async fn lines_that_are_not_json_are_skipped_and_the_rest_is_read() {
        let input =
            b"\xEF\xBB\xBF{\"method\":\"a\"}\r\nnonsense\n\n\xff\n[1]\n \n{\"method\":\"b\"}";
        let seen = read(input, 100).await;
        assert_eq!(seen, [r#"{"method":"a"}"#, "no message", r#"{"method":"b"}"#]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_and_the_next_one_is_read() {
        let long = format!(r#"{{"id":7,"result":"{}"}}"#, "x".repeat(50));
        let short = r#"{"id":8,"result":1}"#;
        let seen = read(format!("{long}\n{short}\n{long}").as_bytes(), long.len()).await;
        assert_eq!(seen, [&*long, short, &*long]);
        let seen = read(format!("{long}\n{short}\n{long}").as_bytes(), long.len() - 1).await;
        assert_eq!(seen, ["too long: 7", short], "one without an end is not told");
        assert_eq!(read(format!("{long}\n\n{short}").as_bytes(), 19).await, ["too long: 7", short]);
        assert_eq!(
            read(format!("{long}\n{short}\n").as_bytes(), 18).await,
            ["too long: 7", "too long: 8"]
        );
    }

    /// Bytes as a peer sends them that wants the same to be read again and again.
    struct Pieces<'a>(&'a [u8]);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            to: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let (piece, rest) = self.0.split_at(self.0.len().min(64));
            to.put_slice(piece);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn lines_are_read_in_linear_time_however_they_come() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let many = |count| "{\"method\":\"a\"}\n\nnonsense\n".repeat(count).into_bytes();
        let one = |count| format!("{{\"method\":\"{}\"}}\n", "a".repeat(count)).into_bytes();
        let read = |input: &Vec<u8>| {
            runtime.block_on(async {
                let mut reader = Reader::new(Pieces(input), "test", usize::MAX);
                while reader.next().await.is_some() {}
            });
        };
        assert_linear(1000, many, read);
        assert_linear(10_000, one, read);
    }

    #[tokio::test]
    async fn memory_of_a_long_line_is_let_go() {
        let long = format!("{{\"id\":7,\"result\":\"{}\"}}\n", "x".repeat(1 << 20));
        for limit in [1 << 16, 1 << 21] {
            let mut reader = Reader::new(long.as_bytes(), "test", limit);
            let told = reader.next().await.expect("a line");
            let is_kept = !matches!(told, Err(Unreadable::TooMuch(_)));
            assert_eq!(is_kept, limit > long.len(), "{told:?}");
            assert!(reader.next().await.is_none());
            assert!(reader.buffer.capacity() <= 2 * READ, "{}", reader.buffer.capacity());
        }
    }
}
