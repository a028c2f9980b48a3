//! The sessions with what is served at one path, and the one that all requests without a session share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{FrontLimits, conversation::Conversation, era, served::Served};
use crate::mcp::{
    child::StartError,
    downstream::{Clients, Downstream, Shutdown},
};

/// Sessions at a time, if each starts a server of its own.
const MAX_CHILDREN: usize = 64;
const MAX_SESSIONS: usize = 10_000;
/// The pause before the shared server is started again; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long several servers go on as one without those of them that have ended.
const RENEWAL: Duration = Duration::from_secs(5 * 60);
/// How long a session may take to end before the one that it makes room for is refused.
const GIVING_WAY: Duration = Duration::from_secs(10);

pub(super) struct Table {
    pub(super) served: Served,
    /// Of a server in a command.
    pub(super) era: era::Known,
    pub(super) initialize_timeout: Duration,
    /// One for each session, from before its server is started until after that has ended.
    places: Arc<Semaphore>,
    idle: Duration,
    shutdown: Shutdown,
    sessions: Mutex<HashMap<String, Begun>>,
    shared: Mutex<SharedOne>,
}

#[derive(Default)]
struct SharedOne {
    conversation: Option<Arc<Conversation>>,
    started: Option<Instant>,
    pause: Duration,
}

/// A session, counted until this is dropped.
pub(super) struct Begun {
    pub(super) conversation: Arc<Conversation>,
    place: OwnedSemaphorePermit,
}

impl Begun {
    /// Ends it in order, and only then makes room for another.
    pub(super) async fn end(self) {
        self.conversation.end().await;
        drop(self.place);
    }
}

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConversation {
    #[error("too many sessions, and none of them is idle")]
    TooMany,
    #[error("the server ended a moment ago and is not started again yet")]
    Resting,
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Table {
    pub(super) fn new(served: Served, limits: FrontLimits, shutdown: Shutdown) -> Self {
        let by_default = if served.starts_children() { MAX_CHILDREN } else { MAX_SESSIONS };
        Self {
            served,
            era: era::Known::default(),
            initialize_timeout: limits.initialize_timeout,
            places: Arc::new(Semaphore::new(
                limits.max_sessions.unwrap_or(by_default).min(Semaphore::MAX_PERMITS),
            )),
            idle: limits.session_idle,
            shutdown,
            sessions: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// Begins a session that has no name yet. If there are as many as may be,
    /// the idlest of those that nobody waits for ends first.
    pub(super) async fn begin(&self) -> Result<Begun, NoConversation> {
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let idlest = self.take_idlest().ok_or(NoConversation::TooMany)?;
                tracing::info!("a session that was idle makes room for another");
                tokio::spawn(idlest.end());
                let place = timeout(GIVING_WAY, self.places.clone().acquire_owned()).await;
                place.ok().and_then(Result::ok).ok_or(NoConversation::TooMany)?
            }
        };
        let conversation = Conversation::begin(&self.served, &Downstream::one(&self.shutdown))?;
        Ok(Begun { conversation, place })
    }

    /// Of the sessions without work the one that was silent for the longest
    /// time; one whose client listens only if there is no other.
    fn take_idlest(&self) -> Option<Begun> {
        let mut sessions = self.sessions();
        let idle = sessions.iter().filter_map(|(name, Begun { conversation, .. })| {
            let (silent, is_heard) = conversation.idle_for()?;
            Some(((std::cmp::Reverse(is_heard), silent), name))
        });
        let name = idle.max().map(|(_, name)| name.clone())?;
        sessions.remove(&name)
    }

    /// Gives a session a name that nobody can guess.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub(super) fn enter(&self, one: Begun) -> Result<String, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.sessions().insert(name.clone(), one);
        Ok(name)
    }

    /// The session of this name. One whose upstream is gone is none any more:
    /// its client is to begin anew.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Conversation>> {
        let mut sessions = self.sessions();
        if sessions.get(name)?.conversation.is_over() {
            sessions.remove(name);
        }
        sessions.get(name).map(|one| one.conversation.clone())
    }

    pub(super) fn remove(&self, name: &str) -> Option<Begun> {
        self.sessions().remove(name)
    }

    /// The conversation of all requests without a session.
    pub(super) fn shared(&self) -> Result<Arc<Conversation>, NoConversation> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shared.conversation.clone().filter(|one| !one.is_over());
        if let Some(one) = before.as_ref().filter(|one| one.is_whole()) {
            return Ok(one.clone());
        }
        if let Some(age) = shared.started.map(|started| started.elapsed()) {
            match before {
                // Some servers are better than none, and those are not to be
                // started again and again for one that always ends.
                Some(one) if age < RENEWAL => return Ok(one),
                None if age < shared.pause => return Err(NoConversation::Resting),
                _ => {}
            }
            // A server that lived for a while deserves to be started at once.
            shared.pause = if age > LONGEST_PAUSE {
                Duration::ZERO
            } else {
                (shared.pause * 2).clamp(PAUSE, LONGEST_PAUSE)
            };
        }
        shared.started = Some(Instant::now());
        let many = Downstream { clients: Clients::Many, ..Downstream::one(&self.shutdown) };
        let one = Conversation::begin(&self.served, &many)?;
        shared.conversation = Some(one.clone());
        Ok(one)
    }

    /// Ends sessions that were silent for too long, or are over.
    pub(super) fn sweep(&self) {
        let idle = self.idle;
        let mut sessions = self.sessions();
        let ended = sessions.extract_if(|_, Begun { conversation: one, .. }| {
            one.is_over() || one.silent_for() >= idle
        });
        for (_, one) in ended {
            tokio::spawn(one.end());
        }
    }

    /// Ends all.
    pub(super) async fn end(&self) {
        let mut ending = tokio::task::JoinSet::new();
        for (_, one) in self.sessions().drain() {
            ending.spawn(one.end());
        }
        let shared = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.conversation.take()
        };
        if let Some(one) = shared {
            ending.spawn(async move { one.end().await });
        }
        while ending.join_next().await.is_some() {}
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Begun>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
