//! An upstream that reads and writes lines.

use std::{sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{
    Connect, Surroundings,
    multiplexer::{Carried, Multiplexer, Outbox},
};
use crate::mcp::{
    handler::Handler,
    lines::{self, Reader},
    task::Task,
};

/// Pipes that do not end by themselves are their owner's to end.
const GRACE: Duration = Duration::from_secs(2);

/// A pair of what the upstream says and what it hears.
#[derive(Debug)]
pub(crate) struct Lines<R, W>(pub(crate) R, pub(crate) W);

impl<R, W> Connect for Lines<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    fn connect(self, surroundings: Surroundings) -> Arc<dyn Handler> {
        Carried::by(surroundings, GRACE, |connection, outbox, finish| {
            self.carry(connection, outbox, finish)
        })
    }
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    async fn carry(self, connection: Arc<Multiplexer>, outbox: Outbox, finish: CancellationToken) {
        let Self(from, to) = self;
        let mut writing = Task::spawn({
            let connection = connection.clone();
            async move {
                write(outbox, to, finish.clone()).await;
                if !finish.is_cancelled() {
                    connection.lose();
                }
            }
        });
        let limit = connection.surroundings.max_message_bytes;
        let mut reader = Reader::new(from, "upstream", limit);
        while let Some(line) = reader.next().await {
            connection.heard(line).await;
        }
        connection.lose();
        writing.ended().await;
    }
}

/// Writes until `finish`, then what is left, and closes the stream. Ends early if the stream fails.
async fn write(mut outbox: Outbox, mut to: impl AsyncWrite + Unpin, finish: CancellationToken) {
    loop {
        // In this order: a cancellation follows the request that it speaks of.
        let (message, delivering) = tokio::select! {
            biased;
            Some(message) = outbox.queue.recv() => (message, None),
            Some(notice) = outbox.last_words.recv() => (notice.message, Some(notice.delivering)),
            () = finish.cancelled() => break,
        };
        if lines::write(&mut to, &message).await.is_err() {
            return;
        }
        drop(delivering);
    }
    // The upstream may have closed its end already; then there is nothing to close.
    let _ = to.shutdown().await;
}
