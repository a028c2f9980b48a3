//! One session with what is served.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{Stream, stream};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    era::{self, Era},
    places::{Place, Places, route},
    served::Served,
    shared,
};
use crate::mcp::{
    child::StartError,
    downstream::{Clients, Downstream},
    front::ToClient,
    headers::Headers,
    outgoing::{self, Inbox},
    param_headers::ParamHeaders,
    peer::{Connection, Peer},
    task::Task,
    wire::{Id, Kind, Message},
};

/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Whether a client listens to what the server says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IsHeard(pub(super) bool);

pub(super) struct Conversation {
    peer: Peer,
    clients: Clients,
    calls: tokio::sync::Mutex<JoinSet<()>>,
    places: Arc<Places>,
    touched: Mutex<Instant>,
    finish: CancellationToken,
    link: tokio::sync::Mutex<Task>,
    _routing: Task,
}

impl Conversation {
    /// Connects to the server; the conversation ends with its downstream side.
    pub(super) fn begin(served: &Served, downstream: &Downstream) -> Result<Arc<Self>, StartError> {
        let Connection { peer, inbox, link, finish, .. } = served.connect(downstream)?;
        let clients = downstream.clients;
        let places = Arc::new(Places::new(clients));
        let routing = Task::spawn(route(peer.clone(), places.clone(), inbox));
        Ok(Arc::new(Self {
            peer,
            clients,
            calls: tokio::sync::Mutex::default(),
            places,
            touched: Mutex::new(Instant::now()),
            finish,
            link: tokio::sync::Mutex::new(link),
            _routing: routing,
        }))
    }

    /// Which era of the protocol the server speaks, by its own account.
    pub(super) async fn era(&self, known: &era::Known) -> Era {
        match &self.peer {
            Peer::One(session) => known.of(session).await,
            // They know each of theirs.
            Peer::Several(_) => Era::Modern,
        }
    }

    /// Which parameters of a `tools/call` are in headers as well, if its tool is known.
    pub(super) fn params_of(&self, call: &Message) -> Option<Arc<ParamHeaders>> {
        let name: String = serde_json::from_str(call.param("name")?.get()).ok()?;
        // Several upstreams are each other's to compare.
        let Peer::One(session) = &self.peer else { return None };
        session.catalogue.params(&name)
    }

    /// Makes a request. Dropping the answer is hanging up: the request is cancelled.
    pub(super) async fn request(
        self: &Arc<Self>,
        message: Message,
        own: &Id,
        headers: Headers,
    ) -> Answering {
        let (to, from) = outgoing::queue();
        let (message, id, names) = match self.clients {
            Clients::One => (message, own.clone(), None),
            Clients::Many => {
                let id = Id::text(&self.peer.unique("request"));
                let (message, names) = shared::rename(message, own, &id);
                (message, id, Some(names))
            }
        };
        let cancellable =
            !matches!(message.kind(), Kind::Request { method, .. } if method == "initialize");
        self.places.open(Place { id: id.clone(), names, to, asked: Vec::new() });
        let answering = Answering { conversation: self.clone(), id, from, cancellable };
        self.say(message, headers).await;
        answering
    }

    /// Says what has no answer, as far as the client may.
    pub(super) async fn say(&self, message: Message, headers: Headers) {
        self.touch();
        let Some(message) = self.places.admitted(message) else {
            return tracing::debug!("dropped what a client said that was not for it to say");
        };
        let said = async {
            let mut calls = self.calls.lock().await;
            while calls.try_join_next().is_some() {}
            self.peer.client_said(message, headers, &mut calls).await;
        };
        // An upstream that takes nothing more must not keep the end waiting.
        tokio::select! {
            biased;
            () = said => {}
            () = self.peer.client_gone().cancelled() => {}
            () = self.peer.upstream_gone().cancelled() => {}
        }
    }

    /// What the server says by itself, from now on; none if somebody listens already.
    pub(super) fn listen(self: &Arc<Self>) -> Option<Listening> {
        self.touch();
        let mut places = self.places.lock();
        if places.listener.as_ref().is_some_and(|listener| !listener.is_closed()) {
            return None;
        }
        let (to, from) = outgoing::queue();
        // There is room for what came early: it is no more than a queue holds.
        for said in places.early.take() {
            let _ = to.try_send(said);
        }
        places.listener = Some(to);
        Some(Listening { conversation: self.clone(), from })
    }

    /// Ends it in order: calls are cancelled, the upstream hears of it and is closed.
    pub(super) async fn end(&self) {
        self.peer.client_gone().cancel();
        let mut calls = self.calls.lock().await;
        let _ = timeout(GRACE, async { while calls.join_next().await.is_some() {} }).await;
        self.places.close();
        self.finish.cancel();
        let _ = timeout(3 * GRACE, self.link.lock().await.ended()).await;
    }

    /// Whether the client or the upstream is gone.
    pub(super) fn is_over(&self) -> bool {
        self.peer.client_gone().is_cancelled() || self.peer.upstream_gone().is_cancelled()
    }

    /// Whether every upstream of the beginning is still there.
    pub(super) fn is_whole(&self) -> bool {
        self.peer.is_whole()
    }

    /// How long the client has had nothing to do with it.
    pub(super) fn silent_for(&self) -> Duration {
        if self.places.lock().is_waited_for() {
            return Duration::ZERO;
        }
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// How long ago the client asked or heard something, if nothing is under
    /// way for it, and whether it listens to what the server says by itself.
    pub(super) fn idle_for(&self) -> Option<(Duration, IsHeard)> {
        let places = self.places.lock();
        if !places.requests.is_empty() {
            return None;
        }
        let is_heard = places.is_waited_for();
        drop(places);
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        Some((touched.elapsed(), IsHeard(is_heard)))
    }

    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// What comes back for a request.
pub(super) struct Answering {
    conversation: Arc<Conversation>,
    id: Id,
    from: Inbox,
    cancellable: bool,
}

impl Answering {
    /// The next message; none after the response. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<ToClient> {
        self.from.recv().await
    }

    /// The messages that are still to come. `kept` lives as long as they are wanted.
    pub(super) fn rest<K: Send>(self, kept: K) -> impl Stream<Item = ToClient> + Send {
        stream::unfold((self, kept), async |(mut answering, kept)| {
            Some((answering.next().await?, (answering, kept)))
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let waiting = self.conversation.places.leave(&self.id);
        self.conversation.touch();
        if waiting && self.cancellable {
            self.conversation.peer.client_hung_up(&self.id);
        }
    }
}

/// What the server says by itself.
pub(super) struct Listening {
    conversation: Arc<Conversation>,
    from: Inbox,
}

impl Listening {
    pub(super) fn messages(self) -> impl Stream<Item = ToClient> + Send {
        stream::unfold(self, async |mut listening| {
            let said = listening.from.recv().await?;
            listening.conversation.touch();
            Some((said, listening))
        })
    }
}
