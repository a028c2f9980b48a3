//! Where what a server says goes: to the client whose request it is about, or
//! to the only client.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::shared::Own;
use crate::mcp::{
    downstream::Clients,
    front::ToClient,
    handler::{Client, unasked},
    methods::{CANCELLED, PROGRESS},
    outgoing::{MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, NotQueued, Outgoing},
    server_requests::ServerRequests,
    unique::Unique,
    wire::{Id, Kind, Message},
};

/// The downstream side of a conversation.
pub(super) struct Places {
    clients: Clients,
    /// Makes the names of what clients without a session are asked.
    names: Unique,
    /// What the server asks those clients.
    asked: ServerRequests,
    numbers: AtomicU64,
    inner: Mutex<Open>,
    fewer: Notify,
}

#[derive(Default)]
struct Open {
    /// The streams of the requests that are under way, the oldest first.
    requests: BTreeMap<u64, Outgoing>,
    listener: Option<Outgoing>,
    /// What the server said before anybody listened.
    early: Early,
}

/// Messages that nobody listens to yet, no more than a queue holds.
#[derive(Default)]
struct Early {
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
}

impl Open {
    fn is_heard(&self) -> bool {
        self.listener.as_ref().is_some_and(|to| !to.is_closed())
    }
}

impl Places {
    pub(super) fn new(clients: Clients) -> Self {
        Self {
            clients,
            names: Unique::default(),
            asked: ServerRequests::default(),
            numbers: AtomicU64::new(0),
            inner: Mutex::default(),
            fewer: Notify::new(),
        }
    }

    /// A request begins, on whose stream the client hears what goes into `to`.
    pub(super) fn open(self: &Arc<Self>, to: Outgoing, names: Option<(Id, Own)>) -> Arc<Asker> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.lock().requests.insert(number, to.clone());
        let (asked, overrun) = (Mutex::default(), CancellationToken::new());
        Arc::new(Asker { places: self.clone(), number, to, names, asked, overrun })
    }

    /// A name for a request that nothing else has.
    pub(super) fn unique(&self) -> Id {
        Id::text(&self.names.name("request"))
    }

    /// What the server says by itself goes to `to` from now on, and first what
    /// it said before anybody listened.
    pub(super) fn listen(&self, to: Outgoing) {
        let mut open = self.lock();
        // There is room for what came early: it is no more than a queue holds.
        for said in std::mem::take(&mut open.early).said {
            let _ = to.try_send(said);
        }
        open.listener = Some(to);
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
            Kind::Response { .. } => Some(self.asked.answered(said)?.1),
            Kind::Notification { method } => match &**method {
                // Its id is not the one that the server knows, and the stream
                // that its client could close says the same.
                CANCELLED => None,
                PROGRESS => Some(self.asked.progressed(said)?.1),
                _ => Some(said),
            },
        }
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().requests.is_empty()
    }

    /// Whether a client listens to what the server says by itself.
    pub(super) fn is_heard(&self) -> bool {
        self.lock().is_heard()
    }

    /// Waits until no request is under way.
    pub(super) async fn idle(&self) {
        loop {
            let fewer = self.fewer.notified();
            if !self.is_busy() {
                return;
            }
            fewer.await;
        }
    }

    /// All streams end.
    pub(super) fn close(&self) {
        *self.lock() = Open::default();
    }

    /// What is about no request of the only client, and where it goes.
    fn only_client(&self, said: ToClient) -> Option<(Outgoing, ToClient)> {
        let mut open = self.lock();
        if let Some(listener) = open.listener.as_ref().filter(|to| !to.is_closed()) {
            return Some((listener.clone(), said));
        }
        // Better on some stream of this client than nowhere.
        if let Some(to) = open.requests.values().next() {
            return Some((to.clone(), said));
        }
        open.early.keep(said);
        None
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for Places {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        if self.clients == Clients::Many {
            // Whose it is cannot be known, so nobody hears of it. A server that
            // asks is not kept waiting.
            tracing::debug!("dropped a message that is certainly for none of the clients");
            return Box::pin(std::future::ready(unasked(&said.message)));
        }
        let place = self.only_client(said);
        Box::pin(async move {
            if let Some((to, said)) = place {
                // A client that reads slowly keeps itself waiting.
                to.send(said).await;
            }
            None
        })
    }
}

/// A client that waits for the answer to a request.
pub(super) struct Asker {
    places: Arc<Places>,
    number: u64,
    to: Outgoing,
    /// What its request is called upstream, and the client's own names, if they differ.
    names: Option<(Id, Own)>,
    /// What the server has asked in the middle of it, by the ids that the client knows.
    asked: Mutex<Vec<Id>>,
    /// Cancelled when the client is too slow where others would wait for it.
    overrun: CancellationToken,
}

impl Asker {
    /// What is about the request, in the client's names.
    pub(super) fn restored(&self, said: ToClient) -> ToClient {
        match &self.names {
            Some((id, own)) => ToClient { message: own.restore(id, said.message), ..said },
            None => said,
        }
    }

    /// Completes when the client did not read what it was sent.
    pub(super) async fn overrun(&self) {
        self.overrun.cancelled().await;
    }

    /// The request is over: nobody answers what was asked in the middle of it.
    pub(super) fn leave(&self) {
        self.places.lock().requests.remove(&self.number);
        self.places.fewer.notify_waiters();
        let asked = std::mem::take(&mut *self.asked());
        asked.iter().for_each(|id| self.places.asked.forget(id));
    }

    /// As one of many clients may hear it, who may answer it if it is a question.
    fn named_for_one_of_many(&self, message: Message) -> Result<Message, Message> {
        match message.kind().clone() {
            Kind::Request { id, .. } => {
                let ours = Id::text(&self.places.names.name("question"));
                let question = self.places.asked.asked(0, &id, ours.clone(), message)?;
                self.asked().push(ours);
                Ok(question)
            }
            Kind::Notification { method } if method == CANCELLED => {
                Ok(self.places.asked.withdrawn(0, message))
            }
            _ => Ok(message),
        }
    }

    fn say(&self, said: ToClient) -> Option<Message> {
        let ToClient { message, status } = said;
        let message = match self.named_for_one_of_many(message) {
            Ok(message) => message,
            Err(refusal) => return Some(refusal),
        };
        let said = self.restored(ToClient { message, status });
        // To wait for this client would keep others waiting.
        if self.to.try_send(said) == Err(NotQueued::Full) {
            tracing::warn!("a client does not read its answer; its request is given up");
            self.overrun.cancel();
        }
        None
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Id>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for Asker {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        match self.places.clients {
            Clients::One => Box::pin(async move {
                self.to.send(said).await;
                None
            }),
            Clients::Many => Box::pin(std::future::ready(self.say(said))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::{front::http::shared, outgoing};

    fn open(places: &Arc<Places>, id: &str, own: &str) -> (Arc<Asker>, outgoing::Inbox) {
        let (to, from) = outgoing::queue();
        let id = Id::text(id);
        let request = Message::written(r#"{"id":1,"method":"tools/call","params":{}}"#);
        let (_, names) = shared::rename(request, &Id::text(own), &id);
        (places.open(to, Some((id, names))), from)
    }

    async fn told(client: &dyn Client, text: &str) -> Option<String> {
        client.tell(Message::written(text).into()).await.map(|back| back.text().to_string())
    }

    async fn heard(from: &mut outgoing::Inbox) -> Message {
        from.recv().await.expect("a message").message
    }

    const QUESTION: &str = r#"{"id":7,"method":"elicitation/create","params":{}}"#;
    const WORD: &str = r#"{"method":"notifications/message","params":{}}"#;

    #[tokio::test]
    async fn of_many_clients_none_gets_what_may_be_for_another_even_if_it_is_the_only_one_left() {
        let places = Arc::new(Places::new(Clients::Many));
        let (alice, mut from) = open(&places, "a", "1");
        assert_eq!(told(&*places, WORD).await, None);
        assert_eq!(told(&*alice, WORD).await, None);
        assert_eq!(heard(&mut from).await.text(), WORD);
        let refused = told(&*places, QUESTION).await.expect("an answer");
        assert!(refused.starts_with(r#"{"jsonrpc":"2.0","id":7,"error""#), "{refused}");
        let ping = told(&*places, r#"{"id":8,"method":"ping"}"#).await;
        assert_eq!(ping.as_deref(), Some(r#"{"jsonrpc":"2.0","id":8,"result":{}}"#));
        alice.leave();
    }

    #[tokio::test]
    async fn only_who_was_asked_can_answer_and_only_while_its_request_is_open() {
        let places = Arc::new(Places::new(Clients::Many));
        let admitted =
            |text: &str| places.admitted(Message::written(text)).map(|it| it.text().to_string());
        let (alice, mut from) = open(&places, "a", "1");
        assert_eq!(told(&*alice, QUESTION).await, None);
        let question = heard(&mut from).await;
        let Kind::Request { id, .. } = question.kind() else { panic!("{question:?}") };
        assert_eq!(question.text(), QUESTION.replace('7', id.raw().get()));
        for forged in [
            r#"{"id":7,"result":{}}"#,
            r#"{"id":"7","error":{"code":1}}"#,
            r#"{"id":null,"result":{}}"#,
            r#"{"method":"notifications/progress","params":{"progressToken":7}}"#,
            r#"{"method":"notifications/cancelled","params":{"requestId":"a"}}"#,
        ] {
            assert_eq!(admitted(forged), None, "{forged}");
        }
        let answer = format!(r#"{{"id":{},"result":{{}}}}"#, id.raw());
        assert_eq!(admitted(&answer).as_deref(), Some(r#"{"id":7,"result":{}}"#));
        assert_eq!(admitted(&answer), None, "once");
        told(&*alice, QUESTION).await;
        let Kind::Request { id, .. } = heard(&mut from).await.kind().clone() else { panic!() };
        alice.leave();
        let late = format!(r#"{{"id":{},"result":{{}}}}"#, id.raw());
        assert_eq!(admitted(&late), None, "its client is gone");
    }
}
