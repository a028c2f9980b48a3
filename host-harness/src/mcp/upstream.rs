//! The way to the upstream: what is sent, and who waits for the response.

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    lines,
    pending::{Pending, UpstreamLost},
    wire::Message,
};

/// Messages that wait for a side to take them. When the queue is full, whoever
/// produces more waits as well.
pub(super) const QUEUE: usize = 64;

/// Sends to the upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) pending: Pending,
    queue: mpsc::Sender<Message>,
    /// Cancellations from destructors, which cannot wait for room. At most one per attempt.
    last_words: mpsc::UnboundedSender<Message>,
}

/// What an [`Upstream`] sends, for the one who writes it.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::Receiver<Message>,
    last_words: mpsc::UnboundedReceiver<Message>,
}

impl Upstream {
    pub(super) fn new() -> (Self, Outbox) {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (last_words, heard) = mpsc::unbounded_channel();
        (
            Self { pending: Pending::default(), queue, last_words },
            Outbox { queue: queued, last_words: heard },
        )
    }

    /// Queues a message, waiting for room.
    pub(super) async fn send(&self, message: Message) -> Result<(), UpstreamLost> {
        self.queue.send(message).await.map_err(|_| UpstreamLost)
    }

    /// Sends a cancellation from where nothing can wait.
    pub(super) fn cancel(&self, notice: Message) {
        // An upstream that is gone needs no cancellation.
        let _ = self.last_words.send(notice);
    }
}

impl Outbox {
    /// Writes until `finish`, then what is left, and closes the stream. Ends early if the stream fails.
    pub(super) async fn write(
        mut self,
        mut to: impl AsyncWrite + Unpin,
        finish: CancellationToken,
    ) {
        loop {
            // In this order: a cancellation follows the request that it speaks of.
            let message = tokio::select! {
                biased;
                Some(message) = self.queue.recv() => message,
                Some(message) = self.last_words.recv() => message,
                () = finish.cancelled() => break,
            };
            if lines::write(&mut to, &message).await.is_err() {
                return;
            }
        }
        // The upstream may have closed its end already; then there is nothing to close.
        let _ = to.shutdown().await;
    }
}
