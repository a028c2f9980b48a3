//! An upstream that reads and writes lines, such as a child process.

use std::{sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    lines::{self, Reader},
    session::Session,
    task::Task,
    upstream::{Link, Outbox},
};

/// A pair of what the upstream says and what it hears.
#[derive(Debug)]
pub(crate) struct Lines<R, W>(pub(crate) R, pub(crate) W);

impl<R, W> Link for Lines<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// Pipes that do not end by themselves are their owner's to end.
    const GRACE: Duration = Duration::from_secs(2);

    async fn run(self, session: Arc<Session>, outbox: Outbox, finish: CancellationToken) {
        let Self(from, to) = self;
        let mut writing = Task::spawn({
            let session = session.clone();
            async move {
                write(outbox, to, finish.clone()).await;
                if !finish.is_cancelled() {
                    session.lose_upstream().await;
                }
            }
        });
        let mut reader = Reader::new(from, "upstream", session.options.max_message_bytes);
        while let Some(line) = reader.next().await {
            session.upstream_said(line, None).await;
        }
        session.lose_upstream().await;
        writing.ended().await;
    }
}

/// Writes until `finish`, then what is left, and closes the stream. Ends early if the stream fails.
async fn write(mut outbox: Outbox, mut to: impl AsyncWrite + Unpin, finish: CancellationToken) {
    loop {
        // In this order: a cancellation follows the request that it speaks of.
        let (message, delivering) = tokio::select! {
            biased;
            Some(sent) = outbox.queue.recv() => (sent.message, None),
            Some(word) = outbox.last_words.recv() => (word.notice, Some(word.delivering)),
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
