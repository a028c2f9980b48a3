//! A server as a child process, which is started again when it crashes.

use std::{
    collections::HashSet,
    io,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    process::{ChildStdin, ChildStdout},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    child::{CLOSED, Server, ServerCommand, StartError},
    handler::Handler,
    lines::{self, Reader},
    live::MAX_LIVE_CALLS,
    methods::{INITIALIZE, INITIALIZED},
    too_long::MAX_MESSAGE_BYTES,
    upstream::{
        Connect, Surroundings,
        multiplexer::{Carried, Multiplexer, Outbox},
        settings::Settings,
    },
    wire::{Id, IdKey, Kind, Message},
};

/// How long it is read what a child said before it failed.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long the end may take: a child has 2 s to say the rest and end, and 1 s to hear SIGTERM.
const END: Duration = Duration::from_secs(4);
/// How long a fresh child may take to answer the client's `initialize` again.
const GREETING: Duration = Duration::from_secs(60);
/// How long it may take to take what the client has set.
const SETTING: Duration = Duration::from_secs(5);
/// The rest after the second crash in a row; it doubles with each further one.
const FIRST_REST: Duration = Duration::from_millis(100);
/// A child that lives this long before it crashes is no crash in a row.
const GOOD_LIFE: Duration = Duration::from_secs(30);
/// Crashes in a row after which there is no other child.
const MOST_CRASHES: u32 = 5;

/// How the last child ended; nothing while it runs. None within if it had to be told.
pub type EndStatus = Arc<Mutex<Option<io::Result<Option<ExitStatus>>>>>;

/// A command that is running, and is started again when it crashes.
///
/// A child that ends before it has answered anything is not started again: it
/// would do the same. The client's `initialize` is said to each further child,
/// so that the session goes on; what the child remembered of it is lost.
/// Requests that were on their way are sent to the next child, those that the
/// crashed one had got are lost: it may have done what they say.
pub struct Supervised {
    command: ServerCommand,
    first: Life,
    end: EndStatus,
}

/// One child.
struct Life {
    server: Server,
    from: Reader<ChildStdout>,
    /// None once it is over.
    to: Option<ChildStdin>,
    /// When its input was closed.
    closed: Option<Instant>,
}

impl Life {
    fn start(command: &ServerCommand) -> Result<Self, StartError> {
        let (server, (from, to)) = Server::start(command)?;
        let from = Reader::new(from, "upstream", MAX_MESSAGE_BYTES);
        Ok(Self { server, from, to: Some(to), closed: None })
    }

    /// The same, reading messages of at most so many bytes.
    fn within(self, limit: usize) -> Self {
        Self { from: self.from.within(limit), ..self }
    }
}

/// What outlives a child.
#[derive(Default)]
struct Account {
    /// The client's `initialize`.
    greeting: Option<(Id, Message)>,
    /// What the client has set since.
    settings: Settings,
    /// Whether a child has ever answered anything.
    answered: bool,
    /// Requests that the child has got, and perhaps not answered.
    sent: HashSet<IdKey>,
    ids: Vec<Id>,
    /// What is being written.
    in_hand: Option<Message>,
}

/// Why a life is over.
enum Over {
    Crashed,
    Finished,
}

impl Supervised {
    /// Starts a command.
    ///
    /// # Errors
    /// The operating system does not start it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(command: impl Into<ServerCommand>) -> Result<Self, StartError> {
        let command = command.into();
        let first = Life::start(&command)?;
        Ok(Self { command, first, end: EndStatus::default() })
    }

    /// The command's name, as the operator wrote it.
    #[must_use]
    pub fn name(&self) -> String {
        self.first.server.command().to_owned()
    }

    /// Where to learn how the last child ended.
    #[must_use]
    pub fn end_status(&self) -> EndStatus {
        self.end.clone()
    }
}

impl Connect for Supervised {
    fn connect(self, surroundings: Surroundings) -> Arc<dyn Handler> {
        Carried::by(surroundings, END, |connection, outbox, finish| {
            self.carry(connection, outbox, finish)
        })
    }
}

impl Supervised {
    async fn carry(
        self,
        connection: Arc<Multiplexer>,
        mut outbox: Outbox,
        finish: CancellationToken,
    ) {
        let Self { command, first, end } = self;
        let mut account = Account::default();
        let limit = connection.surroundings.max_message_bytes;
        let mut life = first.within(limit);
        let mut crashes = 0;
        loop {
            let born = Instant::now();
            let over = account.live(&mut life, &connection, &mut outbox, &finish).await;
            let name = life.server.command().to_owned();
            let status = goodbye(life).await;
            if matches!(over, Over::Finished) || !account.answered {
                *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
                break;
            }
            account.settle(&connection);
            crashes = if born.elapsed() > GOOD_LIFE { 1 } else { crashes + 1 };
            tracing::warn!(server = name, ?status, crashes, "the server crashed");
            let next = tokio::select! {
                () = finish.cancelled() => None,
                next = account.next_life(&command, &connection, &mut crashes) => next,
            };
            match next {
                Some(next) => life = next.within(limit),
                None => {
                    *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
                    break;
                }
            }
        }
        connection.lose();
    }
}

impl Account {
    /// Carries messages while a child lives.
    async fn live(
        &mut self,
        life: &mut Life,
        connection: &Arc<Multiplexer>,
        outbox: &mut Outbox,
        finish: &CancellationToken,
    ) -> Over {
        let Life { server, from, to, closed } = life;
        let Some(mut to) = to.take() else { return Over::Crashed };
        let answered = &mut self.answered;
        let reading = async {
            while let Some(line) = from.next().await {
                *answered |=
                    line.as_ref().is_ok_and(|line| matches!(line.kind(), Kind::Response { .. }));
                connection.heard(line).await;
            }
        };
        let (greeting, in_hand) = (&mut self.greeting, &mut self.in_hand);
        let (sent, ids, settings) = (&mut self.sent, &mut self.ids, &self.settings);
        let writing = async move {
            loop {
                let (message, delivering) = match in_hand.take() {
                    Some(message) => (message, None),
                    // In this order: a cancellation follows the request that it speaks of.
                    None => tokio::select! {
                        biased;
                        Some(message) = outbox.queue.recv() => (message, None),
                        Some(notice) = outbox.last_words.recv() => {
                            (notice.message, Some(notice.delivering))
                        }
                        () = finish.cancelled() => break,
                    },
                };
                let message = in_hand.insert(message);
                if lines::write(&mut to, message).await.is_err() {
                    // The end of what it says comes next.
                    std::future::pending::<()>().await;
                }
                if let Kind::Request { method, id } = message.kind() {
                    if method == INITIALIZE {
                        *greeting = Some((id.clone(), message.clone()));
                    }
                    settings.hear(message);
                    if sent.insert(id.key().clone()) {
                        ids.push(id.clone());
                    }
                    if ids.len() > 4 * MAX_LIVE_CALLS {
                        ids.retain(|id| connection.is_waiting(id));
                        *sent = ids.iter().map(|id| id.key().clone()).collect();
                    }
                }
                *in_hand = None;
                drop(delivering);
            }
            // Dropped here, which is what closes a pipe.
            drop(to);
        };
        let both = async {
            tokio::pin!(reading, writing);
            tokio::select! {
                () = &mut reading => return,
                () = &mut writing => *closed = Some(Instant::now()),
                // Another process may hold its output open for ever.
                () = server.failed() => {
                    let _ = timeout(LAST_WORDS, reading).await;
                    return;
                }
            }
            // What it still has to say is passed on.
            let _ = timeout(CLOSED, reading).await;
        };
        both.await;
        if finish.is_cancelled() { Over::Finished } else { Over::Crashed }
    }

    /// Tells all who wait for the child that crashed.
    fn settle(&mut self, connection: &Multiplexer) {
        self.sent.clear();
        for id in self.ids.drain(..) {
            connection.is_lost(&id);
        }
    }

    /// Another child that knows of the session; none after too many crashes.
    async fn next_life(
        &mut self,
        command: &ServerCommand,
        connection: &Arc<Multiplexer>,
        crashes: &mut u32,
    ) -> Option<Life> {
        while *crashes < MOST_CRASHES {
            if let Some(doublings) = crashes.checked_sub(2) {
                sleep(FIRST_REST * 2_u32.saturating_pow(doublings)).await;
            }
            match Life::start(command) {
                Ok(mut life) => match timeout(GREETING, self.greet(&mut life, connection)).await {
                    Ok(Some(())) => return Some(life),
                    Ok(None) | Err(_) => drop(goodbye(life).await),
                },
                Err(error) => tracing::warn!(%error, "the server is not started again"),
            }
            *crashes += 1;
        }
        tracing::error!(crashes, "the server crashed too often; it is not started again");
        None
    }

    /// Says the client's `initialize` to a fresh child. None if it does not like it.
    async fn greet(&self, life: &mut Life, connection: &Arc<Multiplexer>) -> Option<()> {
        let Some((_, greeting)) = &self.greeting else { return Some(()) };
        let id = Id::text(&connection.unique("again"));
        let to = life.to.as_mut()?;
        lines::write(to, &greeting.clone().with_id(&id)).await.ok()?;
        loop {
            match life.from.next().await? {
                Ok(message) if message.answers(&id) => {
                    message.get("result")?;
                    break;
                }
                line => connection.heard(line).await,
            }
        }
        let told = Message::notification(INITIALIZED, &serde_json::json!({}));
        lines::write(to, &told).await.ok()?;
        // A child that takes its time is not waited for.
        let _ = timeout(SETTING, self.set_again(to, &mut life.from, connection)).await;
        Some(())
    }

    /// Says to a fresh child what the client has set, and hears its answers.
    async fn set_again(
        &self,
        to: &mut ChildStdin,
        from: &mut Reader<ChildStdout>,
        connection: &Arc<Multiplexer>,
    ) -> Option<()> {
        for message in self.settings.to_say() {
            let id = Id::text(&connection.unique("again"));
            lines::write(to, &message.with_id(&id)).await.ok()?;
            loop {
                match from.next().await? {
                    Ok(message) if message.answers(&id) => {
                        if message.get("result").is_none() {
                            tracing::warn!("a new child did not take what the client had set");
                        }
                        break;
                    }
                    line => connection.heard(line).await,
                }
            }
        }
        Some(())
    }
}

/// Closes a child's input and waits for its end.
async fn goodbye(life: Life) -> io::Result<Option<ExitStatus>> {
    drop(life.to);
    life.server.end(life.closed.unwrap_or_else(Instant::now)).await
}
