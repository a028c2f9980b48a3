//! Whether a server in a command knows 2026-07-28.
//!
//! A client on HTTP finds that out from the status of its first request, in
//! whichever method that is; a server on lines has no status to give, and one of
//! before might even do what the request says. So the front asks first, as
//! 2026-07-28 advises clients on lines to, and speaks for the server then.
//!
//! It asks in words of its own, so that no client's request decides what the
//! others may do, and it believes a no for a while only.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::mcp::{
    codes::{HEADER_MISMATCH, INVALID_REQUEST, METHOD_NOT_FOUND, UNSUPPORTED_VERSION},
    handler::{Handler, Nobody, Request},
    headers::Headers,
    introduction,
    reply::{Answer, Loss},
    unique::Unique,
    wire::{Id, Message},
};

/// How long a server may take to say what it is. One that is silent knows nothing of the question.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is believed that a server is of before: it said so, or did not
/// survive the question. Another may run in its place by then.
const REST: Duration = Duration::from_secs(10);
/// And how long if it answered with an error that says something else.
const SHORT_REST: Duration = Duration::from_secs(1);

/// The era of the protocol that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// 2026-07-28 and later: every request says all that it needs.
    Modern,
    /// 2025-11-25 and before: a session begins with `initialize`.
    Legacy,
}

/// What is known of a server.
#[derive(Debug, Default)]
pub(super) struct Known {
    belief: Mutex<Belief>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Belief {
    #[default]
    None,
    Modern,
    LegacyUntil(Instant),
}

impl Belief {
    /// None if the server has to be asked.
    fn era(self, now: Instant) -> Option<Era> {
        match self {
            Self::Modern => Some(Era::Modern),
            Self::LegacyUntil(end) if now < end => Some(Era::Legacy),
            Self::LegacyUntil(_) | Self::None => None,
        }
    }
}

impl Known {
    /// Whether the server is known to speak no later version.
    pub(super) fn is_legacy(&self) -> bool {
        self.era() == Some(Era::Legacy)
    }

    /// Asks the server unless it is known; those who ask at the same time wait for one answer.
    pub(super) async fn of(&self, server: &Arc<dyn Handler>) -> Era {
        if let Some(era) = self.era() {
            return era;
        }
        let _asking = self.asking.lock().await;
        if let Some(era) = self.era() {
            return era;
        }
        let belief = match timeout(PATIENCE, ask(server)).await {
            Ok(Ok(response)) => belief_of(&response, Instant::now()),
            // That it is gone is the request's own to find out.
            Ok(Err(Loss::NotSent)) => return Era::Modern,
            // It ended at the question, or said nothing: most likely that is its answer.
            Ok(Err(_)) | Err(_) => Belief::LegacyUntil(Instant::now() + REST),
        };
        *self.belief.lock().unwrap_or_else(PoisonError::into_inner) = belief;
        if belief == Belief::Modern { Era::Modern } else { Era::Legacy }
    }

    fn era(&self) -> Option<Era> {
        self.belief.lock().unwrap_or_else(PoisonError::into_inner).era(Instant::now())
    }
}

async fn ask(server: &Arc<dyn Handler>) -> Result<Message, Loss> {
    // A name that no client's request can have.
    let id = Id::number_of(Unique::default().integer());
    let question = introduction::discover(&id, introduction::STATELESS);
    let Some(question) = Request::new(question, Headers::default()) else {
        return Err(Loss::NotSent);
    };
    match server.clone().answer(question, Arc::new(Nobody)).await {
        Answer::Response(response) => Ok(response),
        Answer::Lost(loss) => Err(loss),
        _ => Err(Loss::Closed),
    }
}

/// A server of 2026-07-28 has to answer; whatever else it says is said by an older one.
fn belief_of(response: &Message, now: Instant) -> Belief {
    if response.get("error").is_none() {
        return Belief::Modern;
    }
    match response.error_code() {
        Some(UNSUPPORTED_VERSION..=HEADER_MISMATCH) => Belief::Modern,
        Some(METHOD_NOT_FOUND) => Belief::LegacyUntil(now + REST),
        _ => Belief::LegacyUntil(now + SHORT_REST),
    }
}

/// What a client of 2026-07-28 is told in front of a server of before.
pub(super) fn refusal(id: &Id) -> Message {
    let text = "the server knows no protocol version after 2025-11-25: begin with `initialize`";
    // None of the errors by which it would take the server for one of 2026-07-28.
    Message::error(Some(id), INVALID_REQUEST, text, None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_no_is_believed_for_a_while_and_a_yes_for_good() {
        let now = Instant::now();
        let answered = |code: i64| {
            let error = json!({ "code": code, "message": "no" });
            let response = json!({ "jsonrpc": "2.0", "id": 1, "error": error });
            belief_of(&Message::written(&response.to_string()), now)
        };
        let (no, doubt, yes) =
            (answered(METHOD_NOT_FOUND), answered(-32603), answered(UNSUPPORTED_VERSION));
        let eras = |later| [no, doubt, yes].map(|belief| belief.era(now + later));
        let (old, new) = (Some(Era::Legacy), Some(Era::Modern));
        assert_eq!(eras(Duration::ZERO), [old, old, new]);
        assert_eq!(eras(SHORT_REST), [old, None, new]);
        assert_eq!(eras(REST), [None, None, new]);
    }
}
