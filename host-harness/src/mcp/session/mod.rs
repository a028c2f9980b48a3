//! One client in front of one upstream, and what happens to each message of theirs.

mod from_client;
mod from_upstream;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        catalogue::Catalogue,
        downstream::{Clients, Downstream},
        front::ToClient,
        headers::Headers,
        live::LiveCalls,
        outgoing::{self, Inbox, Outgoing},
        pending::Pending,
        relay::RelayOptions,
        reply::{Answer, Loss},
        upstream::{Outbox, Upstream},
        wire::{Id, Message},
    },
};

pub(super) const CANCELLED: &str = "notifications/cancelled";
pub(super) const PROGRESS: &str = "notifications/progress";

/// One client in front of one upstream.
pub(crate) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) options: RelayOptions,
    pub(super) upstream: Upstream,
    pub(super) catalogue: Arc<Catalogue>,
    /// To the client. When it is gone, what was for it is dropped.
    front: Outgoing,
    pub(super) live: Arc<LiveCalls>,
    /// Whose requests it carries.
    pub(in crate::mcp) clients: Clients,
    /// Cancels every live call.
    pub(crate) client_gone: CancellationToken,
    pub(crate) upstream_gone: CancellationToken,
    /// Calls that wait for another attempt end with the reply that they have.
    pub(super) no_more_attempts: CancellationToken,
}

/// Whoever asked may not wait for the answer any more.
struct Asked<'a>(&'a Pending, &'a Id);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.abandon(self.1);
    }
}

/// The far ends of a [`Session`].
pub(crate) struct Ends {
    /// What goes to the upstream, for its link.
    pub(crate) outbox: Outbox,
    /// What goes to the client, for the front.
    pub(crate) inbox: Inbox,
}

impl Session {
    /// A session that ends with its downstream side, and whose ends are not connected yet.
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        options: RelayOptions,
        downstream: &Downstream,
    ) -> (Arc<Self>, Ends) {
        let (front, inbox) = outgoing::queue();
        let (upstream, outbox) = Upstream::new();
        let catalogue = Catalogue::new(options.upstream_name.clone(), options.lists);
        let session = Self {
            gateway,
            options,
            upstream,
            catalogue: Arc::new(catalogue),
            front,
            live: Arc::new(LiveCalls::default()),
            clients: downstream.clients,
            client_gone: downstream.closed.child_token(),
            upstream_gone: CancellationToken::new(),
            no_more_attempts: downstream.drain.child_token(),
        };
        (Arc::new(session), Ends { outbox, inbox })
    }

    /// Asks the upstream something on the gateway's own account.
    ///
    /// # Errors
    /// The upstream is gone.
    pub(crate) async fn ask(&self, question: Message) -> Result<Answer, Loss> {
        // Nobody's: no client cancels it, and none hears of its progress.
        let (id, answer) = self.upstream.pending.attempt(&Id::text("gateway"), None)?;
        let _asked = Asked(&self.upstream.pending, &id);
        self.upstream.send(question.with_id(&id), Headers::default()).await?;
        answer.await.map_err(|_| Loss::Closed)
    }

    /// A name that nothing else in this session has.
    pub(crate) fn unique(&self, what: &str) -> String {
        self.upstream.pending.unique(what)
    }

    /// Whether somebody waits for the answer to a request.
    pub(super) fn is_waiting(&self, id: &Id) -> bool {
        self.upstream.pending.is_waiting(id)
    }

    /// Whether a request is an attempt at a call, which the loop may repeat.
    pub(super) fn is_attempt(&self, id: &Id) -> bool {
        self.upstream.pending.client_id(id).is_some()
    }

    /// The upstream is gone: nobody waits in vain, nothing new is sent.
    pub(super) async fn lose_upstream(&self) {
        self.no_more_attempts.cancel();
        for id in self.upstream.pending.lose() {
            self.respond(&id, Loss::Closed.into_response(&id)).await;
        }
        // Last: it ends the session, and the errors are to reach the client.
        self.upstream_gone.cancel();
    }

    /// Gives the client the response to its request.
    async fn respond(&self, id: &Id, response: Message) {
        let about = Some(id.clone());
        self.tell_client(ToClient { message: response, about, status: None }).await;
    }

    pub(super) async fn tell_client(&self, message: ToClient) {
        self.front.send(message).await;
    }

    async fn tell_upstream(&self, message: Message, headers: Headers) {
        // An upstream that is gone ends the session; a notification has no answer to give.
        let _ = self.upstream.send(message, headers).await;
    }
}
