//! The sessions with what is served at one path, and the one that all requests without a session share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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

pub(super) struct Table {
    pub(super) served: Served,
    /// Of a server in a command.
    pub(super) era: era::Known,
    max_sessions: usize,
    idle: Duration,
    shutdown: Shutdown,
    sessions: Mutex<HashMap<String, Arc<Conversation>>>,
    shared: Mutex<SharedOne>,
}

#[derive(Default)]
struct SharedOne {
    conversation: Option<Arc<Conversation>>,
    started: Option<Instant>,
    pause: Duration,
}

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConversation {
    #[error("too many sessions")]
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
            max_sessions: limits.max_sessions.unwrap_or(by_default),
            idle: limits.session_idle,
            shutdown,
            sessions: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// Begins a conversation that has no name yet.
    pub(super) fn begin(&self) -> Result<Arc<Conversation>, NoConversation> {
        if self.sessions().len() >= self.max_sessions {
            return Err(NoConversation::TooMany);
        }
        Ok(Conversation::begin(&self.served, &Downstream::one(&self.shutdown))?)
    }

    /// Gives a conversation a name that nobody can guess.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub(super) fn enter(&self, one: Arc<Conversation>) -> Result<String, getrandom::Error> {
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
        if sessions.get(name)?.is_over() {
            sessions.remove(name);
        }
        sessions.get(name).cloned()
    }

    pub(super) fn remove(&self, name: &str) -> Option<Arc<Conversation>> {
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
        let mut ended = Vec::new();
        self.sessions().retain(|_, one| {
            let stays = !one.is_over() && one.silent_for() < self.idle;
            if !stays {
                ended.push(one.clone());
            }
            stays
        });
        for one in ended {
            tokio::spawn(async move { one.end().await });
        }
    }

    /// Ends all.
    pub(super) async fn end(&self) {
        let mut all: Vec<_> = self.sessions().drain().map(|(_, one)| one).collect();
        {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shared.conversation.take());
        }
        let mut ending = tokio::task::JoinSet::new();
        for one in all {
            ending.spawn(async move { one.end().await });
        }
        while ending.join_next().await.is_some() {}
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Conversation>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
