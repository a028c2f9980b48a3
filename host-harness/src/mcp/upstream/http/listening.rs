//! Streams that the server is asked for: what it says by itself, and what
//! follows after an answer broke off.

use std::sync::{Arc, PoisonError};

use http::{HeaderMap, HeaderValue, Method, header};
use tokio::time::sleep;

use super::{
    answer::{failure, is_stream},
    events::{Cursor, Events},
    exchange::{Exchange, speaks_of_session},
    reconnect::{LEAST_PAUSE, LONGEST_PAUSE, PAUSE, Refused},
};
use crate::mcp::{
    headers::{LAST_EVENT_ID, SESSION_ID},
    wire::Unreadable,
};

impl Exchange {
    /// Hears what the server says by itself, from now on.
    pub(super) fn listen(self: &Arc<Self>) {
        let listening = self.ended.child_token();
        let before = {
            let mut current = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, listening.clone())
        };
        before.cancel();
        let exchange = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = listening.cancelled() => {}
                () = exchange.hear_all() => {}
            }
        });
    }

    /// Hears the server until it says that there is nothing to hear.
    async fn hear_all(self: &Arc<Self>) {
        let mut cursor = Cursor::default();
        let (mut pause, mut least) = (PAUSE, LEAST_PAUSE);
        let mut heard = false;
        loop {
            match self.open_stream(cursor.last_event.as_deref()).await {
                Err(Refused::ForGood) => return,
                Err(Refused::ForNow) => {}
                // A server that never gave a stream may answer so to whoever asks for one.
                Err(Refused::Expired(_)) if !heard => return,
                // If it does, this is not the one who listens any more.
                Err(Refused::Expired(session)) => drop(self.renew(&session).await),
                Ok(mut events) => {
                    heard = true;
                    self.unclaimed.set_open(true);
                    while let Some(line) = events.next(&mut cursor).await {
                        (pause, least) = (PAUSE, LEAST_PAUSE);
                        match line {
                            Ok(message) => {
                                self.hear(message, &*self.surroundings.client).await;
                            }
                            Err(Unreadable::NotAMessage(error)) => {
                                tracing::warn!(%error, "skipped JSON of the upstream");
                            }
                            Err(Unreadable::TooMuch(too_much)) => {
                                // Taken up before it, the stream would bring it again.
                                cursor.last_event = None;
                                self.heard_too_much(&too_much).await;
                            }
                        }
                    }
                }
            }
            self.unclaimed.set_open(false);
            sleep(cursor.pause.map_or(pause, |asked| asked.max(least))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            least = (least * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks for a stream, from the beginning or from where it broke off.
    pub(super) async fn open_stream(&self, last_event: Option<&str>) -> Result<Events, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.memory.sign(&mut headers);
        let named = headers.get(SESSION_ID).cloned();
        if let Some(id) = last_event.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        let response = self.client.send(Method::GET, headers, Vec::new()).await;
        let response = response.map_err(|_| Refused::ForNow)?;
        let status = response.status();
        if status.is_client_error() {
            return Err(match named {
                Some(named) if speaks_of_session(status, &failure(response).await) => {
                    Refused::Expired(named)
                }
                _ => Refused::ForGood,
            });
        }
        if !response.status().is_success() || !is_stream(response.headers()) {
            return Err(Refused::ForNow);
        }
        Ok(Events::new(response.into_body(), self.limit()))
    }
}
