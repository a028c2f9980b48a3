//! What a session has to know of its downstream side: whose requests it
//! carries, and when they are to end.

use tokio_util::sync::CancellationToken;

/// How the gateway stops: first in order, then at once.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Cancelled when the gateway is to stop. No new call begins, a call that
    /// waits for its next attempt ends with the reply that it has, and attempts
    /// that are under way get a bounded time to end.
    pub drain: CancellationToken,
    /// Cancelled when what is still under way is to end as well.
    pub now: CancellationToken,
}

impl Shutdown {
    /// Asks for the next step: to drain, or to stop now.
    pub fn hurry(&self) {
        if self.drain.is_cancelled() {
            self.now.cancel();
        }
        self.drain.cancel();
    }
}

impl From<CancellationToken> for Shutdown {
    /// Drains when `drain` is cancelled, and never hurries.
    fn from(drain: CancellationToken) -> Self {
        Self { drain, now: CancellationToken::new() }
    }
}

/// Whose requests a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Those of one client. They keep their order.
    One,
    /// Those of all clients without a session. None of them waits for another,
    /// and what is not certainly for one of them is for nobody.
    Many,
}

/// The downstream side of a session.
#[derive(Debug, Clone)]
pub(crate) struct Downstream {
    pub(crate) clients: Clients,
    /// As [`Shutdown::drain`].
    pub(crate) drain: CancellationToken,
    /// Ends every call.
    pub(crate) closed: CancellationToken,
}

impl Downstream {
    /// One client, until the gateway stops.
    pub(crate) fn one(shutdown: &Shutdown) -> Self {
        let Shutdown { drain, now } = shutdown.clone();
        Self { clients: Clients::One, drain, closed: now }
    }
}
