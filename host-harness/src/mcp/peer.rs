//! What a client speaks with: one upstream, or several as one.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        downstream::Downstream,
        front::ToClient,
        headers::Headers,
        joined::Joined,
        outgoing::Inbox,
        relay::RelayOptions,
        session::{Ends, Session},
        task::Task,
        upstream::Link,
        wire::{Id, Message},
    },
};

/// What a client speaks with. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Peer {
    One(Arc<Session>),
    Several(Arc<Joined>),
}

/// A [`Peer`], connected to its upstreams; they are left alone when this is dropped.
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    /// What goes to the client.
    pub(crate) inbox: Inbox,
    /// Carries messages to and from the upstreams.
    pub(crate) link: Task,
    /// Ends the link in order.
    pub(crate) finish: CancellationToken,
    /// How long that may take.
    pub(crate) grace: Duration,
}

impl Connection {
    /// With the upstream behind `link`, until the downstream side ends.
    pub(crate) fn to_one(
        gateway: Arc<Gateway>,
        relaying: RelayOptions,
        link: impl Link,
        downstream: &Downstream,
    ) -> Self {
        fn grace<L: Link>(_: &L) -> Duration {
            L::GRACE
        }
        let grace = grace(&link);
        let (session, Ends { outbox, inbox }) = Session::new(gateway, relaying, downstream);
        let finish = CancellationToken::new();
        let link = Task::spawn(link.run(session.clone(), outbox, finish.clone()));
        Self { peer: Peer::One(session), inbox, link, finish, grace }
    }
}

impl Peer {
    /// Handles a message of the client, and what came with it over HTTP. What
    /// takes longer goes on in `calls`.
    pub(crate) async fn client_said(
        &self,
        message: Message,
        headers: Headers,
        calls: &mut JoinSet<()>,
    ) {
        match self {
            Self::One(session) => session.client_said(message, headers, calls).await,
            Self::Several(joined) => joined.client_said(message, headers, calls).await,
        }
    }

    /// Says something to the client, on the gateway's own account.
    pub(crate) async fn tell_client(&self, said: ToClient) {
        match self {
            Self::One(session) => session.tell_client(said).await,
            Self::Several(joined) => joined.tell_client(said).await,
        }
    }

    /// The longest line of the client that is read, in bytes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        match self {
            Self::One(session) => session.options.max_message_bytes,
            Self::Several(joined) => joined.max_message_bytes(),
        }
    }

    /// The client has closed the stream that the answer to this request was to come on.
    pub(crate) fn client_hung_up(&self, id: &Id) {
        match self {
            Self::One(session) => session.client_hung_up(id),
            Self::Several(joined) => joined.client_hung_up(id),
        }
    }

    /// A name that nothing else has here.
    pub(crate) fn unique(&self, what: &str) -> String {
        match self {
            Self::One(session) => session.unique(what),
            Self::Several(joined) => joined.unique(what),
        }
    }

    /// Cancels every live call.
    pub(crate) fn client_gone(&self) -> &CancellationToken {
        match self {
            Self::One(session) => &session.client_gone,
            Self::Several(joined) => &joined.client_gone,
        }
    }

    /// Cancelled when there is no upstream any more.
    pub(crate) fn upstream_gone(&self) -> &CancellationToken {
        match self {
            Self::One(session) => &session.upstream_gone,
            Self::Several(joined) => &joined.upstream_gone,
        }
    }

    /// Whether every upstream that there was at the beginning is still there.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::One(session) => !session.upstream_gone.is_cancelled(),
            Self::Several(joined) => joined.is_whole(),
        }
    }
}
