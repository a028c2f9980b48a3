//! Whether a server in a command knows 2026-07-28.
//!
//! A client on HTTP finds that out from the status of its first request, in
//! whichever method that is; a server on lines has no status to give, and one of
//! before might even do what the request says. So the front asks first, as
//! 2026-07-28 advises clients on lines to, and speaks for the server then.

use std::time::Duration;

use serde_json::{Value, json, value::to_raw_value};
use tokio::{sync::OnceCell, time::timeout};

use crate::mcp::{
    headers::{HEADER_MISMATCH, UNSUPPORTED_VERSION, protocol_meta},
    reply::{Answer, Loss},
    session::Session,
    wire::{INVALID_REQUEST, Id, Message},
};

/// How long a server may take to say what it is. One that is silent knows nothing of the question.
const PATIENCE: Duration = Duration::from_secs(30);

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
pub(super) struct Known(OnceCell<Era>);

impl Known {
    /// Whether it is known that the server speaks no later version.
    pub(super) fn is_legacy(&self) -> bool {
        self.0.get() == Some(&Era::Legacy)
    }

    /// Asks the server, once, on behalf of the client that makes this request.
    pub(super) async fn of(&self, session: &Session, request: &Message) -> Era {
        let asked = self.0.get_or_try_init(|| async {
            match timeout(PATIENCE, ask(session, request)).await {
                Ok(Ok(era)) => Ok(era),
                // That it is gone is the request's own to find out.
                Ok(Err(Loss::NotSent)) => Err(Era::Modern),
                // It ended at the question, or said nothing: most likely that is
                // its answer, but not for good, since it may just have been slow to start.
                Ok(Err(_)) | Err(_) => Err(Era::Legacy),
            }
        });
        asked.await.copied().unwrap_or_else(|guess| guess)
    }
}

async fn ask(session: &Session, request: &Message) -> Result<Era, Loss> {
    let discover = json!({ "jsonrpc": "2.0", "id": 0, "method": "server/discover",
        "params": { "_meta": protocol_meta(request) } });
    let raw = to_raw_value(&discover).map_err(|_| Loss::NotSent)?;
    let discover = Message::parse(&raw).map_err(|_| Loss::NotSent)?;
    let answer = session.ask(discover).await?;
    let Answer::Response(response) = answer else { return Err(Loss::Closed) };
    Ok(era_of(&response))
}

/// A server of 2026-07-28 has to answer; whatever else it says is said by an older one.
fn era_of(response: &Message) -> Era {
    let Some(error) = response.get("error") else { return Era::Modern };
    let code =
        serde_json::from_str::<Value>(error.get()).ok().and_then(|error| error["code"].as_i64());
    match code {
        Some(UNSUPPORTED_VERSION..=HEADER_MISMATCH) => Era::Modern,
        _ => Era::Legacy,
    }
}

/// What a client of 2026-07-28 is told in front of a server of before.
pub(super) fn refusal(id: &Id) -> Message {
    let text = "the server knows no protocol version after 2025-11-25: begin with `initialize`";
    // None of the errors by which it would take the server for one of 2026-07-28.
    Message::error(Some(id), INVALID_REQUEST, text, None)
}
