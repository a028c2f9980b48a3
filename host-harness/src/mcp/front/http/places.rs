//! Where each message to a client goes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    conversation::Clients,
    shared::{self, Own},
};
use crate::mcp::{
    front::ToClient,
    peer::Peer,
    wire::{Id, IdKey, Kind},
};

/// Messages that wait for a client to read them.
pub(super) const QUEUE: usize = 64;
/// How long calls have to end once the upstream is gone, and their answers after that.
const GRACE: Duration = Duration::from_secs(1);

/// Where messages to the client can go.
pub(super) struct Places {
    clients: Clients,
    inner: Mutex<Open>,
}

#[derive(Default)]
pub(super) struct Open {
    pub(super) requests: HashMap<IdKey, Place>,
    pub(super) listener: Option<mpsc::Sender<ToClient>>,
    /// What the server said before anybody listened.
    pub(super) early: VecDeque<ToClient>,
}

/// The answer to one request.
pub(super) struct Place {
    pub(super) id: Id,
    /// The client's own, if the request has others upstream.
    pub(super) names: Option<Own>,
    pub(super) to: mpsc::Sender<ToClient>,
}

impl Open {
    pub(super) fn is_waited_for(&self) -> bool {
        !self.requests.is_empty() || self.listener.as_ref().is_some_and(|to| !to.is_closed())
    }
}

impl Places {
    pub(super) fn new(clients: Clients) -> Self {
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
    pub(super) fn close(&self) {
        *self.lock() = Open::default();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Open> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings each message to its place until the upstream is gone.
pub(super) async fn route(peer: Peer, places: Arc<Places>, mut inbox: mpsc::Receiver<ToClient>) {
    let gone = peer.upstream_gone().clone();
    let given_up = async {
        gone.cancelled().await;
        // A call that sleeps would wake up to nothing, but one that is about
        // to be answered deserves the moment.
        tokio::time::sleep(GRACE).await;
        peer.give_up();
        tokio::time::sleep(GRACE).await;
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
                        peer.client_hung_up(&id);
                    }
                }
            }
        }
    };
    tokio::select! {
        () = given_up => {}
        () = routing => {}
        () = peer.client_gone().cancelled() => {}
    }
    places.close();
}
