//! What the attempts of a call leave behind, beside the reply of the last one.

use std::time::Duration;

use crate::contract::{Outcome, TransportFailure, Verdict};

/// What the attempts of a call leave behind, beside the reply of the last one.
#[derive(Debug)]
pub struct Past<R> {
    /// Time from the start of the first attempt, waits included.
    pub took: Duration,
    /// Time between the attempts.
    pub waited: Duration,
    /// Whether the upstream surely executed none of the attempts.
    pub not_executed: bool,
    /// The last reply before the final one that stands for no answer at all
    /// although the upstream may have executed the attempt.
    pub unanswered: Option<R>,
}

impl<R> Default for Past<R> {
    fn default() -> Self {
        Self { took: Duration::ZERO, waited: Duration::ZERO, not_executed: true, unanswered: None }
    }
}

impl<R> Past<R> {
    /// An attempt has ended, and the plugin has judged it if it could.
    pub(super) fn ends(&mut self, outcome: &Outcome, verdict: Option<&Verdict>) {
        // Whatever the plugin makes of them: these say so by themselves.
        let by_form = match outcome {
            Outcome::TransportFailed(TransportFailure::BeforeDispatch) => true,
            Outcome::HttpError(error) => matches!(error.status, 425 | 429),
            _ => false,
        };
        self.not_executed &= by_form || verdict.is_some_and(|verdict| verdict.not_executed);
    }

    /// Another attempt follows the one with this reply.
    pub(super) fn keep(&mut self, reply: R, outcome: &Outcome) {
        let lost = Outcome::TransportFailed(TransportFailure::AfterDispatch);
        if *outcome == Outcome::TimedOut || *outcome == lost {
            self.unanswered = Some(reply);
        }
    }
}
