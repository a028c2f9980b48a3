//! Where each message to a client goes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;

use super::shared::{self, Own};
use crate::mcp::{
    downstream::Clients,
    front::ToClient,
    headers::Headers,
    outgoing::{Inbox, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, NotQueued, Outgoing},
    peer::Peer,
    reply::NO_ANSWER,
    server_requests::ServerRequests,
    session::{CANCELLED, PROGRESS},
    wire::{Id, IdKey, Kind, Message},
};

/// How long calls have to end once the upstream is gone.
const GRACE: Duration = Duration::from_secs(1);

/// Where messages to the client can go.
pub(super) struct Places {
    clients: Clients,
    /// What the server asks clients that have no session.
    requests: ServerRequests,
    inner: Mutex<Open>,
}

#[derive(Default)]
pub(super) struct Open {
    pub(super) requests: HashMap<IdKey, Place>,
    pub(super) listener: Option<Outgoing>,
    /// What the server said before anybody listened.
    pub(super) early: Early,
}

/// Messages that nobody listens to yet, no more than a queue holds.
#[derive(Default)]
pub(super) struct Early {
    said: VecDeque<ToClient>,
    bytes: usize,
}

impl Early {
    /// Keeps a message if there is room for it.
    fn keep(&mut self, said: ToClient) {
        let bytes = self.bytes + said.message.bytes();
        if self.said.len() < MAX_QUEUED_MESSAGES && bytes <= MAX_QUEUED_BYTES {
            self.bytes = bytes;
            self.said.push_back(said);
        } else {
            tracing::debug!("dropped a message: too much was said before anybody listened");
        }
    }

    /// Takes out all, in their order.
    pub(super) fn take(&mut self) -> VecDeque<ToClient> {
        std::mem::take(self).said
    }
}

/// The answer to one request.
pub(super) struct Place {
    pub(super) id: Id,
    /// The client's own, if the request has others upstream.
    pub(super) names: Option<Own>,
    pub(super) to: Outgoing,
    /// What the server has asked in the middle of it, by the ids that the client knows.
    pub(super) asked: Vec<Id>,
}

/// Where a message goes.
enum Way {
    /// To the client whose request has this id; with an id of nobody, to
    /// whoever is the only client.
    To(Outgoing, Id, ToClient),
    /// To nobody.
    Nowhere,
    /// This goes back to the server, in place of the answer of a client.
    Back(Message),
}

impl Open {
    pub(super) fn is_waited_for(&self) -> bool {
        !self.requests.is_empty() || self.listener.as_ref().is_some_and(|to| !to.is_closed())
    }
}

impl Places {
    pub(super) fn new(clients: Clients) -> Self {
        Self { clients, requests: ServerRequests::default(), inner: Mutex::default() }
    }

    /// A request whose answer is to come here.
    pub(super) fn open(&self, place: Place) {
        self.lock().requests.insert(place.id.key().clone(), place);
    }

    /// Nobody waits for the answer any more, nor answers what the server asks.
    /// False if the answer has come.
    pub(super) fn leave(&self, id: &Id) -> bool {
        let place = self.lock().requests.remove(id.key());
        self.over(place.as_ref());
        place.is_some()
    }

    fn over(&self, place: Option<&Place>) {
        for id in place.into_iter().flat_map(|place| &place.asked) {
            self.requests.forget(id);
        }
    }

    /// What a client may say to the server, in the server's names. Of many
    /// clients none may answer for another, or report progress for it, so that
    /// passes only under a name that the client was given with the question.
    pub(super) fn admitted(&self, said: Message) -> Option<Message> {
        if self.clients == Clients::One {
            return Some(said);
        }
        match said.kind() {
            Kind::Request { .. } => Some(said),
            Kind::Response { .. } => Some(self.requests.answered(said)?.1),
            Kind::Notification { method } => match &**method {
                // Its id is not the one that the server knows, and the stream
                // that its client could close says the same.
                CANCELLED => None,
                PROGRESS => Some(self.requests.progressed(said)?.1),
                _ => Some(said),
            },
        }
    }

    /// Where a message goes, in the names that are known there; `unique` makes
    /// new ones. A response leaves its place free.
    fn way(&self, said: ToClient, unique: impl FnOnce() -> Id) -> Way {
        let mut open = self.lock();
        if let Kind::Response { id } = said.message.kind() {
            let place = id.as_ref().and_then(|id| open.requests.remove(id.key()));
            drop(open);
            self.over(place.as_ref());
            let Some(place) = place else { return Way::Nowhere };
            let said = place.restored(said);
            return Way::To(place.to, place.id, said);
        }
        let about = said.about.clone().or_else(|| shared::about(&said.message));
        let place = about.and_then(|id| open.requests.get_mut(id.key()));
        match (self.clients, place) {
            (Clients::One, Some(place)) => {
                Way::To(place.to.clone(), place.id.clone(), place.restored(said))
            }
            (Clients::One, None) => open.only_client(said),
            (Clients::Many, Some(place)) => self.to_asker(place, said, unique),
            (Clients::Many, None) => answer_for_nobody(&said.message),
        }
    }

    /// To one of many clients, which may answer it if it is a question.
    fn to_asker(&self, place: &mut Place, said: ToClient, unique: impl FnOnce() -> Id) -> Way {
        let ToClient { message, about, status } = said;
        let message = match message.kind().clone() {
            Kind::Request { id, .. } => {
                let ours = unique();
                match self.requests.asked(0, &id, ours.clone(), message) {
                    Ok(message) => {
                        place.asked.push(ours);
                        message
                    }
                    Err(refusal) => return Way::Back(refusal),
                }
            }
            Kind::Notification { method } if method == CANCELLED => {
                self.requests.withdrawn(0, message)
            }
            _ => message,
        };
        let said = place.restored(ToClient { message, about, status });
        Way::To(place.to.clone(), place.id.clone(), said)
    }

    /// All streams end.
    pub(super) fn close(&self) {
        *self.lock() = Open::default();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Open> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What is about its request, in the client's names.
    fn restored(&self, said: ToClient) -> ToClient {
        match &self.names {
            Some(names) => ToClient { message: names.restore(&self.id, said.message), ..said },
            None => said,
        }
    }
}

impl Open {
    /// What is about no request of the only client.
    fn only_client(&mut self, said: ToClient) -> Way {
        let nobody = Id::text("");
        if let Some(listener) = self.listener.as_ref().filter(|to| !to.is_closed()) {
            return Way::To(listener.clone(), nobody, said);
        }
        // Better on some stream of this client than nowhere.
        if let Some(place) = self.requests.values().next() {
            return Way::To(place.to.clone(), nobody, said);
        }
        self.early.keep(said);
        Way::Nowhere
    }
}

/// Whose it is cannot be known, so nobody hears of it. A server that asks is
/// not kept waiting.
fn answer_for_nobody(said: &Message) -> Way {
    tracing::debug!("dropped a message that is certainly for none of the clients");
    match said.kind() {
        Kind::Request { method, id } if method == "ping" => {
            Way::Back(Message::result(id, &serde_json::json!({})))
        }
        Kind::Request { id, .. } => {
            let text = "there is no client that this is certainly for";
            Way::Back(Message::error(Some(id), NO_ANSWER, text, None))
        }
        _ => Way::Nowhere,
    }
}

/// Brings each message to its place until the upstream is gone.
pub(super) async fn route(peer: Peer, places: Arc<Places>, mut inbox: Inbox) {
    let gone = peer.upstream_gone().clone();
    let lost = async {
        gone.cancelled().await;
        // What its calls come to then is still brought to their clients.
        tokio::time::sleep(GRACE).await;
    };
    let routing = async {
        while let Some(said) = inbox.recv().await {
            let (to, id, said) = match places.way(said, || Id::text(&peer.unique("question"))) {
                Way::To(to, id, said) => (to, id, said),
                Way::Nowhere => continue,
                Way::Back(answer) => {
                    let mut none = JoinSet::new();
                    peer.client_said(answer, Headers::default(), &mut none).await;
                    continue;
                }
            };
            match places.clients {
                // A client that reads slowly keeps itself waiting.
                Clients::One => to.send(said).await,
                // Here it would keep others waiting.
                Clients::Many => {
                    if to.try_send(said) == Err(NotQueued::Full) {
                        tracing::warn!(
                            "a client does not read its answer; its request is given up"
                        );
                        places.leave(&id);
                        peer.client_hung_up(&id);
                    }
                }
            }
        }
    };
    tokio::select! {
        () = lost => {}
        () = routing => {}
        () = peer.client_gone().cancelled() => {}
    }
    places.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::outgoing;

    fn open(places: &Places, id: &str, own: &str) -> Inbox {
        let (to, from) = outgoing::queue();
        let id = Id::text(id);
        let request = Message::written(r#"{"id":1,"method":"tools/call","params":{}}"#);
        let (_, names) = shared::rename(request, &Id::text(own), &id);
        places.open(Place { id, names: Some(names), to, asked: Vec::new() });
        from
    }

    fn way(places: &Places, about: Option<&str>, text: &str) -> String {
        let about = about.map(Id::text);
        let said = ToClient { message: Message::written(text), about, status: None };
        match places.way(said, || Id::text("secret")) {
            Way::To(_, id, said) => format!("to {}: {}", id.raw(), said.message.text()),
            Way::Nowhere => "nowhere".to_owned(),
            Way::Back(message) => format!("back: {}", message.text()),
        }
    }

    const QUESTION: &str = r#"{"id":7,"method":"elicitation/create","params":{}}"#;
    const WORD: &str = r#"{"method":"notifications/message","params":{}}"#;

    #[test]
    fn of_many_clients_none_gets_what_may_be_for_another_even_if_it_is_the_only_one_left() {
        let places = Places::new(Clients::Many);
        let _alice = open(&places, "a", "1");
        assert_eq!(way(&places, None, WORD), "nowhere");
        assert_eq!(way(&places, Some("gone"), WORD), "nowhere");
        assert_eq!(way(&places, Some("a"), WORD), format!(r#"to "a": {WORD}"#));
        assert!(
            way(&places, None, QUESTION).starts_with(r#"back: {"jsonrpc":"2.0","id":7,"error""#)
        );
        let ping = way(&places, None, r#"{"id":8,"method":"ping"}"#);
        assert_eq!(ping, r#"back: {"jsonrpc":"2.0","id":8,"result":{}}"#);
    }

    #[test]
    fn only_who_was_asked_can_answer_and_only_while_its_request_is_open() {
        let places = Places::new(Clients::Many);
        let admitted = |text: &str| places.admitted(Message::written(text)).map(|it| it.text());
        let _alice = open(&places, "a", "1");
        let asked = QUESTION.replace('7', r#""secret""#);
        assert_eq!(way(&places, Some("a"), QUESTION), format!(r#"to "a": {asked}"#));
        for forged in [
            r#"{"id":7,"result":{}}"#,
            r#"{"id":"7","error":{"code":1}}"#,
            r#"{"id":null,"result":{}}"#,
            r#"{"method":"notifications/progress","params":{"progressToken":7}}"#,
            r#"{"method":"notifications/cancelled","params":{"requestId":"a"}}"#,
        ] {
            assert_eq!(admitted(forged), None, "{forged}");
        }
        let answer = r#"{"id":"secret","result":{}}"#;
        assert_eq!(admitted(answer).as_deref(), Some(r#"{"id":7,"result":{}}"#));
        assert_eq!(admitted(answer), None, "once");
        way(&places, Some("a"), QUESTION);
        assert!(places.leave(&Id::text("a")));
        assert_eq!(admitted(answer), None, "its client is gone");
    }
}
