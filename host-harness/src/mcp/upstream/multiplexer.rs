//! One connection to a server on lines, shared by all requests.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Surroundings;
use crate::mcp::{
    cancellation::{Cancellation, Notice},
    codes::INVALID_REQUEST,
    front::ToClient,
    handler::{Client, Handler, Request},
    headers::Headers,
    methods::{INITIALIZE, PROGRESS},
    pending::Pending,
    reply::{Answer, Loss},
    subscription_id,
    task::Task,
    wire::{Id, Kind, Message, TooMuch, Unreadable, Was},
};

/// Messages that wait for the server to take them. When the queue is full, whoever
/// produces more waits as well.
const QUEUE: usize = 64;

/// What is said about no request goes to `surroundings`, what is said to the
/// server into the [`Outbox`].
pub(crate) struct Multiplexer {
    pending: Pending,
    queue: mpsc::Sender<Message>,
    /// Cancellations from destructors, which cannot wait for room. At most one a request.
    last_words: mpsc::UnboundedSender<Notice>,
    pub(super) surroundings: Surroundings,
    gone: CancellationToken,
}

/// What a [`Multiplexer`] has for the server, for the one who carries it.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(super) queue: mpsc::Receiver<Message>,
    pub(super) last_words: mpsc::UnboundedReceiver<Notice>,
}

impl Multiplexer {
    pub(super) fn new(surroundings: Surroundings) -> (Arc<Self>, Outbox) {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (last_words, heard) = mpsc::unbounded_channel();
        let gone = CancellationToken::new();
        let multiplexer =
            Self { pending: Pending::default(), queue, last_words, surroundings, gone };
        (Arc::new(multiplexer), Outbox { queue: queued, last_words: heard })
    }

    async fn answer(&self, request: Request, client: Arc<dyn Client>) -> Answer {
        let Request { message, id, method, cancellation, token, .. } = request;
        let Ok(answer) = self.pending.enter(&id, token, client) else {
            return Answer::Lost(Loss::NotSent);
        };
        let mut unanswered = Unanswered {
            connection: self,
            id: &id,
            cancellation: &cancellation,
            // The protocol forbids to cancel it.
            is_cancelled: method != INITIALIZE,
            is_sent: false,
        };
        if self.queue.send(message).await.is_err() {
            return Answer::Lost(Loss::NotSent);
        }
        unanswered.is_sent = true;
        answer.await.unwrap_or(Answer::Lost(Loss::Closed))
    }

    /// A name that nothing else here has.
    pub(super) fn unique(&self, what: &str) -> String {
        self.surroundings.names.name(what)
    }

    /// Handles what the server says.
    pub(super) async fn heard(&self, line: Result<Message, Unreadable>) {
        let message = match line {
            Ok(message) => message,
            Err(Unreadable::NotAMessage(error)) => {
                // An error in return could start an endless exchange of errors.
                return tracing::warn!(%error, "skipped JSON of the upstream");
            }
            Err(Unreadable::TooMuch(too_much)) => return self.heard_too_much(too_much).await,
        };
        let client = match message.kind() {
            Kind::Response { id: Some(id) } if id.raw().get() != "null" => {
                let id = id.clone();
                if !self.pending.respond(&id, message) {
                    tracing::debug!("dropped a response that nobody waits for");
                }
                return;
            }
            Kind::Notification { method } => {
                let id = match &**method {
                    PROGRESS => message.id_in_params("progressToken"),
                    _ => subscription_id::of(&message),
                };
                id.and_then(|id| self.pending.client(&id))
            }
            _ => None,
        };
        let client = client.as_ref().unwrap_or(&self.surroundings.client);
        if let Some(answer) = client.tell(ToClient::from(message)).await {
            let _ = self.queue.send(answer).await;
        }
    }

    /// A message was too long to be read: who waits gets an error.
    async fn heard_too_much(&self, too_much: TooMuch) {
        tracing::warn!(%too_much, "dropped a message of the upstream");
        match &too_much.was {
            Was::Request(id) => {
                let error = too_much.error(id, INVALID_REQUEST, "the request");
                // A server that is gone waits for no answer.
                let _ = self.queue.send(error).await;
            }
            Was::Response(id) => drop(self.pending.answer(id, Answer::too_much(&too_much, id))),
            Was::Unknown => {}
        }
    }

    /// There will be no response to this request.
    pub(super) fn is_lost(&self, id: &Id) {
        self.pending.answer(id, Answer::Lost(Loss::Closed));
    }

    /// Whether somebody waits for the answer to a request.
    pub(super) fn is_waiting(&self, id: &Id) -> bool {
        self.pending.is_waiting(id)
    }

    /// The server is gone for good: nobody waits in vain, nothing new is sent.
    pub(super) fn lose(&self) {
        self.surroundings.no_more_attempts.cancel();
        self.pending.lose();
        self.gone.cancel();
    }
}

/// Cancels what nobody waits for any more.
struct Unanswered<'a> {
    connection: &'a Multiplexer,
    id: &'a Id,
    cancellation: &'a Cancellation,
    is_cancelled: bool,
    is_sent: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let waited = self.connection.pending.abandon(self.id);
        if waited && self.is_sent && self.is_cancelled {
            // A server that is gone needs no cancellation.
            let _ = self.connection.last_words.send(self.cancellation.notice(self.id));
        }
    }
}

/// A server on lines, and the task that carries its lines.
pub(crate) struct Carried {
    connection: Arc<Multiplexer>,
    carrying: Mutex<Option<Task>>,
    finish: CancellationToken,
    /// How long its end may take.
    grace: Duration,
}

impl Carried {
    /// `carry` runs until the token is cancelled, then says what is left and
    /// closes the connection; it has `grace` to do so.
    pub(super) fn by<F: Future<Output = ()> + Send + 'static>(
        surroundings: Surroundings,
        grace: Duration,
        carry: impl FnOnce(Arc<Multiplexer>, Outbox, CancellationToken) -> F,
    ) -> Arc<Self> {
        let (connection, outbox) = Multiplexer::new(surroundings);
        let finish = CancellationToken::new();
        let carrying = Task::spawn(carry(connection.clone(), outbox, finish.clone()));
        Arc::new(Self { connection, carrying: Mutex::new(Some(carrying)), finish, grace })
    }
}

impl Handler for Carried {
    fn answer(
        self: Arc<Self>,
        request: Request,
        client: Arc<dyn Client>,
    ) -> BoxFuture<'static, Answer> {
        Box::pin(async move { self.connection.answer(request, client).await })
    }

    fn take(self: Arc<Self>, message: Message, _: Headers) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // A server that is gone ends its session; this has no answer to give.
            let _ = self.connection.queue.send(message).await;
        })
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.finish.cancel();
            let carrying = self.carrying.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(mut carrying) = carrying {
                let _ = timeout(self.grace, carrying.ended()).await;
            }
        })
    }

    fn gone(&self) -> &CancellationToken {
        &self.connection.gone
    }
}
