//! Reading and writing messages, one a line.

use std::io;

use rmcp::transport::async_rw::{JsonRpcMessageCodec, JsonRpcMessageCodecError};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::{bytes::BytesMut, codec::Decoder};

use crate::mcp::wire::{Message, NotAMessage};

/// The longest line that is read, in bytes. A peer that never ends a line
/// cannot make the proxy run out of memory; a longer message is dropped whole.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// Reads messages from a byte stream.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    side: &'static str,
    buffer: BytesMut,
    // Of raw JSON, not of messages: the codec skips what its type does not
    // know, and knows the methods of one protocol version only.
    codec: JsonRpcMessageCodec<Box<RawValue>>,
    at_end: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from `from`, which log lines call `side`.
    pub fn new(from: R, side: &'static str) -> Self {
        let codec = JsonRpcMessageCodec::new_with_max_length(MAX_LINE);
        Self { from, side, buffer: BytesMut::new(), codec, at_end: false }
    }

    /// The next message, or a line of JSON that is none; nothing once the
    /// stream has ended or failed. Lines that are not JSON or too long are
    /// skipped: they carry no id to answer to. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Message, NotAMessage>> {
        loop {
            let decoded = if self.at_end {
                self.codec.decode_eof(&mut self.buffer)
            } else {
                self.codec.decode(&mut self.buffer)
            };
            match decoded {
                Ok(Some(line)) => return Some(Message::parse(&line)),
                Ok(None) if self.at_end => return None,
                Ok(None) => match self.from.read_buf(&mut self.buffer).await {
                    Ok(0) => self.at_end = true,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(side = self.side, %error, "reading failed");
                        return None;
                    }
                },
                Err(JsonRpcMessageCodecError::MaxLineLengthExceeded) => {
                    tracing::error!(
                        side = self.side,
                        limit = MAX_LINE,
                        "skipped a message that is too long"
                    );
                }
                // Only where it is broken: a message may hold secrets.
                Err(JsonRpcMessageCodecError::Serde(error)) => {
                    tracing::warn!(
                        side = self.side,
                        column = error.column(),
                        "skipped a line that is not JSON"
                    );
                }
                Err(error) => {
                    tracing::warn!(side = self.side, %error, "reading failed");
                    return None;
                }
            }
        }
    }
}

/// Writes one message and flushes it.
///
/// # Errors
/// The stream does not take it.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_that_are_not_json_are_skipped_and_the_rest_is_read() {
        let input: &[u8] =
            b"\xEF\xBB\xBF{\"method\":\"a\"}\r\nnonsense\n\n\xff\n[1]\n{\"method\":\"b\"}";
        let mut reader = Reader::new(input, "test");
        let mut seen = Vec::new();
        while let Some(line) = reader.next().await {
            seen.push(line.ok().map(|message| serde_json::to_string(&message).expect("JSON")));
        }
        assert_eq!(
            seen,
            [Some(r#"{"method":"a"}"#.to_owned()), None, Some(r#"{"method":"b"}"#.to_owned())]
        );
    }
}
