//! Answers of a log, put before the plugin again.
//!
//! A log holds no words of servers, but what the plugin made of them: its class.
//! Words that have the same class stand for them, so that a policy that reads
//! words sees the same kind of failure again.

use std::{sync::Arc, time::Duration};

use super::trace::{LoggedAttempt, LoggedClass, LoggedOutcome};
use crate::{
    contract::{Outcome, Scalar},
    gateway::{Content, Reply},
};

/// How an attempt of a log ended, and words for its class.
pub(super) struct Replied {
    outcome: Outcome,
    words: Option<&'static str>,
}

impl Replied {
    pub(super) fn new(logged: &LoggedAttempt) -> Self {
        let outcome = logged.outcome.into();
        let has_words = match logged.outcome {
            LoggedOutcome::Returned { is_error, .. } => is_error,
            LoggedOutcome::RpcError(_) | LoggedOutcome::HttpError { .. } => true,
            _ => false,
        };
        let words = match logged.class {
            Some(LoggedClass::Transient) => Some("503 Service Unavailable"),
            Some(LoggedClass::Throttled) => Some("429 Too Many Requests"),
            Some(LoggedClass::Permanent) => Some("insufficient_quota"),
            Some(LoggedClass::Succeeded | LoggedClass::Unknown) | None => None,
        };
        Self { outcome, words: words.filter(|_| has_words) }
    }
}

impl Reply for Replied {
    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        self.words.map(|words| Arc::new(Words(words)) as Arc<dyn Content>)
    }

    fn timed_out(_: Duration) -> Self {
        Self { outcome: Outcome::TimedOut, words: None }
    }
}

struct Words(&'static str);

impl Content for Words {
    fn text_count(&self) -> usize {
        1
    }

    fn text(&self, index: usize) -> Option<&str> {
        (index == 0).then_some(self.0)
    }

    fn has_fields(&self) -> bool {
        false
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        None
    }
}
