//! The cancellation of a request, and the moment when the upstream has it.

use std::convert::Infallible;

use tokio::sync::oneshot;

use crate::mcp::wire::Message;

/// A `notifications/cancelled` on its way to the upstream.
#[derive(Debug)]
pub(crate) struct Cancellation {
    pub(super) notice: Message,
    /// Kept by who delivers the notice, for as long as that takes.
    pub(super) delivering: Delivering,
}

/// Dropped when the upstream has taken a cancellation, or never will.
#[derive(Debug)]
pub(super) struct Delivering(
    #[expect(dead_code, reason = "kept to be dropped")] oneshot::Sender<Infallible>,
);

/// Waits for the upstream to take a cancellation.
#[derive(Debug)]
pub(crate) struct Taken(oneshot::Receiver<Infallible>);

impl Cancellation {
    pub(super) fn new(notice: Message) -> (Self, Taken) {
        let (delivering, taken) = oneshot::channel();
        (Self { notice, delivering: Delivering(delivering) }, Taken(taken))
    }
}

impl Taken {
    /// Completes once the upstream has it, or never will.
    pub(crate) async fn wait(self) {
        // There is nothing but the end to be received.
        let _ = self.0.await;
    }
}
