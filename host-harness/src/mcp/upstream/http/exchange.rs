//! One message to the server, and everything that comes back for it.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Messages, failure, first_response},
    client::{Body, Client},
    events::Cursor,
    headers::headers_of,
    listening::{PAUSE, Refused},
    memory::Memory,
    tools::{lists_tools, without_broken_tools},
};
use crate::mcp::{
    downstream::Clients,
    headers::{Headers, SESSION_ID, version_of},
    reply::{Answer, HttpFailure, Loss},
    session::Session,
    upstream::ToUpstream,
    wire::{Id, Kind, Message, Unreadable},
};

const INITIALIZE: &str = "initialize";
const INITIALIZED: &str = "notifications/initialized";
/// How often in a row the stream of one answer is taken up again without a word from it.
const RESUMPTIONS: u32 = 5;

/// Speaks with the server for one session.
pub(super) struct Exchange {
    pub(super) client: Arc<Client>,
    pub(super) session: Arc<Session>,
    pub(super) memory: Memory,
    /// Cancelled when the link is gone.
    pub(super) ended: CancellationToken,
    /// Cancelled when nobody is to hear what the server says by itself.
    pub(super) listening: Mutex<CancellationToken>,
}

/// Why a request got no response.
enum Failed {
    /// The server does not know the session that was named.
    Expired(HeaderValue, HttpFailure),
    With(Answer),
}

impl From<Loss> for Failed {
    fn from(loss: Loss) -> Self {
        Self::With(Answer::Lost(loss))
    }
}

/// Whether a message is sent in the session, if there is one: all but the one
/// that begins it, and what needs none, since 2026-07-28.
fn belongs_to_session(message: &Message) -> bool {
    let begins = matches!(message.kind(), Kind::Request { method, .. } if method == INITIALIZE);
    !begins && version_of(message).is_none()
}

impl Exchange {
    /// Until `ended` is cancelled.
    pub(super) fn new(
        client: Arc<Client>,
        session: Arc<Session>,
        ended: CancellationToken,
    ) -> Self {
        let listening = Mutex::new(ended.child_token());
        Self { client, session, memory: Memory::default(), ended, listening }
    }

    /// What a message of the server may have, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.session.options.max_message_bytes
    }

    /// Whether the requests of many clients go through here.
    pub(super) fn carries_many_clients(&self) -> bool {
        self.session.clients == Clients::Many
    }

    /// Whether the server is one of 2025-11-25 or before, as far as is known.
    pub(super) fn has_sessions(&self) -> bool {
        self.memory.is_begun()
    }

    /// Makes a request; the session hears all that comes back for it, or that nothing will.
    pub(super) async fn request(self: &Arc<Self>, sent: ToUpstream, id: &Id) {
        let answer = match self.post(&sent, id).await {
            Ok(()) => return,
            // The server has not executed it.
            Err(Failed::With(Answer::Http(failure))) if self.relearns(&sent, &failure).await => {
                match self.post(&sent, id).await {
                    Ok(()) => return,
                    Err(Failed::With(answer)) => answer,
                    Err(Failed::Expired(_, failure)) => Answer::Http(failure),
                }
            }
            Err(Failed::With(answer)) => answer,
            Err(Failed::Expired(expired, failure)) => {
                if !self.renew(&expired).await {
                    Answer::Http(failure)
                } else if self.session.is_attempt(id) {
                    // Not made again here: whether to try again is for the plugin to say.
                    Answer::Lost(Loss::SessionExpired)
                } else {
                    match self.post(&sent, id).await {
                        Ok(()) => return,
                        Err(Failed::With(answer)) => answer,
                        Err(Failed::Expired(_, failure)) => Answer::Http(failure),
                    }
                }
            }
        };
        self.session.unanswered(id, answer).await;
    }

    /// Sends what has no response.
    pub(super) async fn tell(self: &Arc<Self>, sent: ToUpstream) {
        let begins =
            matches!(sent.message.kind(), Kind::Notification { method } if method == INITIALIZED);
        let response = match self.send(&sent).await {
            Ok(response) => response,
            Err(loss) => return tracing::warn!(%loss, "the upstream did not get a notification"),
        };
        let status = response.status();
        if status == StatusCode::NOT_FOUND && self.memory.id().is_some() {
            tracing::debug!("the upstream's session has expired; the next request renews it");
        } else if !status.is_success() {
            tracing::warn!(status = status.as_u16(), "the upstream refused a notification");
        } else if begins {
            self.listen();
        }
    }

    /// Ends the session with the server, if the server has one.
    pub(super) async fn say_goodbye(&self) {
        self.ended.cancel();
        if self.memory.id().is_none() {
            return;
        }
        let mut headers = HeaderMap::new();
        self.memory.sign(&mut headers);
        // It may have ended already, or not be ours to end (405).
        let _ = self.client.send(Method::DELETE, headers, Vec::new()).await;
    }

    pub(super) async fn send(&self, sent: &ToUpstream) -> Result<Response<Body>, Loss> {
        let mut headers = headers_of(&sent.message, &sent.headers, &self.session.catalogue).await;
        if !self.carries_many_clients() {
            self.memory.hear(&sent.headers);
        }
        if belongs_to_session(&sent.message) {
            self.memory.sign(&mut headers);
        }
        // A message that was read can be written.
        let body = serde_json::to_vec(&sent.message).unwrap_or_default();
        self.client.send(Method::POST, headers, body).await
    }

    async fn post(&self, sent: &ToUpstream, id: &Id) -> Result<(), Failed> {
        let named = self.memory.id().filter(|_| belongs_to_session(&sent.message));
        let response = self.send(sent).await?;
        let status = response.status();
        if !status.is_success() {
            let failure = failure(response).await;
            return Err(match named {
                Some(named) if status == StatusCode::NOT_FOUND => Failed::Expired(named, failure),
                _ => Failed::With(Answer::Http(failure)),
            });
        }
        let begins =
            matches!(sent.message.kind(), Kind::Request { method, .. } if method == INITIALIZE);
        let lists = lists_tools(sent);
        let headers = response.headers().clone();
        let mut answer = Messages::of(response, self.limit());
        let mut cursor = Cursor::default();
        let mut silent = 0;
        loop {
            while let Some(line) = answer.next(&mut cursor).await {
                if let Err(Unreadable::TooMuch(too_much)) = &line {
                    return Err(Failed::With(Answer::too_much(too_much, id)));
                }
                let line = if lists { line.map(without_broken_tools) } else { line };
                silent = 0;
                let answers = line.as_ref().is_ok_and(|message| message.answers(id));
                if let (true, true, Ok(message)) = (begins, answers, &line) {
                    self.begin(sent, &headers, message);
                }
                self.session.upstream_said(line, Some(id)).await;
                if answers {
                    return Ok(());
                }
            }
            // There is nothing to take up since 2026-07-28, and no id before if the server gave none.
            let last_event =
                cursor.last_event.clone().filter(|_| version_of(&sent.message).is_none());
            let Some(last_event) = last_event.filter(|_| silent < RESUMPTIONS) else {
                return Err(Loss::Interrupted.into());
            };
            silent += 1;
            sleep(cursor.pause.unwrap_or(PAUSE)).await;
            match self.open_stream(Some(&last_event)).await {
                Ok(events) => answer = Messages::Events(events),
                Err(Refused::ForNow) => {}
                Err(Refused::ForGood) => return Err(Loss::Interrupted.into()),
            }
        }
    }

    fn begin(&self, sent: &ToUpstream, headers: &HeaderMap, response: &Message) {
        let greeting = ToUpstream { message: sent.message.clone(), headers: sent.headers.clone() };
        self.memory.begin(greeting, headers, response);
    }

    /// Opens a new session in place of `expired`, unless somebody did so already.
    async fn renew(self: &Arc<Self>, expired: &HeaderValue) -> bool {
        let _renewal = self.memory.renewal.lock().await;
        if self.memory.id().is_some_and(|id| id != *expired) {
            return true;
        }
        let Some(greeting) = self.memory.greeting() else { return false };
        tracing::info!("the upstream's session has expired; opening a new one");
        let Ok(response) = self.send(&greeting).await else { return false };
        let headers = response.headers().clone();
        if !response.status().is_success() || !headers.contains_key(SESSION_ID) {
            return false;
        }
        let Some(message) = first_response(response, self.limit()).await else { return false };
        self.memory.begin(greeting, &headers, &message);
        if self.memory.id().is_none_or(|id| id == *expired) {
            return false;
        }
        let message = Message::notification(INITIALIZED, &serde_json::json!({}));
        let sent = ToUpstream { message, headers: Headers::default() };
        let taken = self.send(&sent).await.is_ok_and(|response| response.status().is_success());
        if taken {
            self.listen();
        }
        taken
    }
}
