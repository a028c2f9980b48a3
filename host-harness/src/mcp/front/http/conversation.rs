//! One session with the upstream, and where each message to its client goes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{Stream, stream};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Service,
    shared::{self, Own},
};
use crate::mcp::{
    child::StartError,
    front::ToClient,
    headers::Headers,
    session::{Ends, Session},
    task::Task,
    upstream::Link,
    wire::{Id, IdKey, Kind, Message},
};

/// Messages that wait for a client to read them.
const QUEUE: usize = 64;
/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Whose requests a conversation carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clients {
    /// Those of one client, which has the session's name.
    One,
    /// Those of all clients that have none.
    Many,
}

pub(super) struct Conversation {
    session: Arc<Session>,
    clients: Clients,
    calls: tokio::sync::Mutex<JoinSet<()>>,
    places: Arc<Places>,
    touched: Mutex<Instant>,
    finish: CancellationToken,
    link: tokio::sync::Mutex<Task>,
    _routing: Task,
}

impl Conversation {
    /// Connects to the server; the conversation ends with `closed`.
    pub(super) fn begin(
        service: &Service,
        clients: Clients,
        closed: &CancellationToken,
    ) -> Result<Arc<Self>, StartError> {
        let link = service.target.connect()?;
        let (gateway, relaying) = (service.gateway.clone(), service.relaying.clone());
        let (session, Ends { outbox, inbox }) = Session::new(gateway, relaying, closed);
        let finish = CancellationToken::new();
        let link = Task::spawn(link.run(session.clone(), outbox, finish.clone()));
        let places = Arc::new(Places::new(clients));
        let routing = Task::spawn(route(session.clone(), places.clone(), inbox));
        Ok(Arc::new(Self {
            session,
            clients,
            calls: tokio::sync::Mutex::default(),
            places,
            touched: Mutex::new(Instant::now()),
            finish,
            link: tokio::sync::Mutex::new(link),
            _routing: routing,
        }))
    }

    /// Makes a request. Dropping the answer is hanging up: the request is cancelled.
    pub(super) async fn request(
        self: &Arc<Self>,
        message: Message,
        own: &Id,
        headers: Headers,
    ) -> Answering {
        let (to, from) = mpsc::channel(QUEUE);
        let (message, id, names) = match self.clients {
            Clients::One => (message, own.clone(), None),
            Clients::Many => {
                let id = Id::text(&self.session.unique("request"));
                let (message, names) = shared::rename(message, own, &id);
                (message, id, Some(names))
            }
        };
        let cancellable =
            !matches!(message.kind(), Kind::Request { method, .. } if method == "initialize");
        self.places.lock().requests.insert(id.key().clone(), Place { id: id.clone(), names, to });
        let answering = Answering { conversation: self.clone(), id, from, cancellable };
        self.say(message, headers).await;
        answering
    }

    /// Says what has no answer.
    pub(super) async fn say(&self, message: Message, headers: Headers) {
        self.touch();
        let mut calls = self.calls.lock().await;
        while calls.try_join_next().is_some() {}
        self.session.client_said(Ok(message), headers, &mut calls).await;
    }

    /// What the server says by itself, from now on; none if somebody listens already.
    pub(super) fn listen(self: &Arc<Self>) -> Option<Listening> {
        self.touch();
        let mut places = self.places.lock();
        if places.listener.as_ref().is_some_and(|listener| !listener.is_closed()) {
            return None;
        }
        let (to, from) = mpsc::channel(QUEUE);
        // There is room for what came early: it is no more than a queue holds.
        for said in places.early.drain(..) {
            let _ = to.try_send(said);
        }
        places.listener = Some(to);
        Some(Listening { conversation: self.clone(), from })
    }

    /// Ends it in order: calls are cancelled, the upstream hears of it and is closed.
    pub(super) async fn end(&self) {
        self.session.client_gone.cancel();
        let mut calls = self.calls.lock().await;
        let _ = timeout(GRACE, async { while calls.join_next().await.is_some() {} }).await;
        self.places.close();
        self.finish.cancel();
        let _ = timeout(3 * GRACE, self.link.lock().await.ended()).await;
    }

    /// Whether the client or the upstream is gone.
    pub(super) fn is_over(&self) -> bool {
        self.session.client_gone.is_cancelled() || self.session.upstream_gone.is_cancelled()
    }

    /// How long the client has had nothing to do with it.
    pub(super) fn silent_for(&self) -> Duration {
        if self.places.lock().is_waited_for() {
            return Duration::ZERO;
        }
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// What comes back for a request.
pub(super) struct Answering {
    conversation: Arc<Conversation>,
    id: Id,
    from: mpsc::Receiver<ToClient>,
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
        let waiting = self.conversation.places.lock().requests.remove(self.id.key()).is_some();
        self.conversation.touch();
        if waiting && self.cancellable {
            self.conversation.session.client_hung_up(&self.id);
        }
    }
}

/// What the server says by itself.
pub(super) struct Listening {
    conversation: Arc<Conversation>,
    from: mpsc::Receiver<ToClient>,
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

/// Where messages to the client can go.
struct Places {
    clients: Clients,
    inner: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    requests: HashMap<IdKey, Place>,
    listener: Option<mpsc::Sender<ToClient>>,
    /// What the server said before anybody listened.
    early: VecDeque<ToClient>,
}

/// The answer to one request.
struct Place {
    id: Id,
    /// The client's own, if the request has others upstream.
    names: Option<Own>,
    to: mpsc::Sender<ToClient>,
}

impl Open {
    fn is_waited_for(&self) -> bool {
        !self.requests.is_empty() || self.listener.as_ref().is_some_and(|to| !to.is_closed())
    }
}

impl Places {
    fn new(clients: Clients) -> Self {
        Self { clients, inner: Mutex::default() }
    }

    /// Where a message goes, in the names that are known there. A response leaves its place free.
    fn find(&self, mut said: ToClient) -> Option<(mpsc::Sender<ToClient>, Id, ToClient)> {
        let mut open = self.lock();
        let restored = |place: &Place, said: ToClient| match &place.names {
            Some(names) => ToClient { message: names.restore(&place.id, said.message), ..said },
            None => said,
        };
        if let Kind::Response { id } = said.message.kind() {
            let place = open.requests.remove(id.as_ref()?.key())?;
            let said = restored(&place, said);
            return Some((place.to, place.id, said));
        }
        let about = said.about.take().or_else(|| shared::about(&said.message));
        if let Some(place) = about.and_then(|id| open.requests.get(id.key())) {
            return Some((place.to.clone(), place.id.clone(), restored(place, said)));
        }
        match self.clients {
            Clients::One => {
                let nobody = Id::text("");
                if let Some(listener) = open.listener.as_ref().filter(|to| !to.is_closed()) {
                    return Some((listener.clone(), nobody, said));
                }
                // Better on some stream of this client than nowhere.
                if let Some(place) = open.requests.values().next() {
                    return Some((place.to.clone(), nobody, said));
                }
                if open.early.len() < QUEUE {
                    open.early.push_back(said);
                }
                None
            }
            // Whose it is cannot be known, unless there is but one.
            Clients::Many if open.requests.len() == 1 => {
                let place = open.requests.values().next()?;
                Some((place.to.clone(), place.id.clone(), restored(place, said)))
            }
            Clients::Many => {
                tracing::debug!("dropped a message that is about no request");
                None
            }
        }
    }

    /// All streams end.
    fn close(&self) {
        *self.lock() = Open::default();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings each message to its place until the upstream is gone.
async fn route(session: Arc<Session>, places: Arc<Places>, mut inbox: mpsc::Receiver<ToClient>) {
    let gone = session.upstream_gone.clone();
    let given_up = async {
        gone.cancelled().await;
        // A call that sleeps would wake up to nothing, but one that is about
        // to be answered deserves the moment.
        tokio::time::sleep(GRACE / 2).await;
        session.given_up.cancel();
        tokio::time::sleep(GRACE / 2).await;
    };
    let routing = async {
        while let Some(said) = inbox.recv().await {
            let Some((to, id, said)) = places.find(said) else { continue };
            match places.clients {
                // A client that reads slowly keeps itself waiting.
                Clients::One => drop(to.send(said).await),
                // Here it would keep others waiting.
                Clients::Many => {
                    if let Err(mpsc::error::TrySendError::Full(_)) = to.try_send(said) {
                        tracing::warn!(
                            "a client does not read its answer; its request is given up"
                        );
                        places.lock().requests.remove(id.key());
                        session.client_hung_up(&id);
                    }
                }
            }
        }
    };
    tokio::select! {
        () = given_up => {}
        () = routing => {}
        () = session.client_gone.cancelled() => {}
    }
    places.close();
}
