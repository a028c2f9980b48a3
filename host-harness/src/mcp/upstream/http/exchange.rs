//! One message to the server, and everything that comes back for it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Messages, failure, first_response},
    client::{Body, Client as HttpClient},
    events::Cursor,
    headers::headers_of,
    listed_tools::{lists_tools, without_broken_tools},
    memory::Memory,
    reconnect::{LEAST_PAUSE, PAUSE, Refused},
    unclaimed::Unclaimed,
};
use crate::mcp::{
    codes::INVALID_REQUEST,
    downstream::Clients,
    handler::{Client, Request},
    headers::{Headers, SESSION_ID, version_of},
    methods::{INITIALIZE, INITIALIZED},
    reply::{Answer, HttpFailure, Loss},
    upstream::Surroundings,
    wire::{Id, Kind, Message, TooMuch, Unreadable, Was},
};

/// How often in a row the stream of one answer is taken up again without a word from it.
const RESUMPTIONS: u32 = 5;
/// How long a new session may take to take one thing that the client has set.
const SETTING: Duration = Duration::from_secs(5);

/// Speaks with the server for one session.
pub(super) struct Exchange {
    pub(super) client: Arc<HttpClient>,
    pub(super) surroundings: Surroundings,
    pub(super) memory: Memory,
    pub(super) unclaimed: Unclaimed,
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

/// A response without an id, which on the answer to one request can be about
/// no other.
fn answers_nobody_else(message: &Message) -> bool {
    match message.kind() {
        Kind::Response { id: None } => true,
        Kind::Response { id: Some(id) } => id.raw().get() == "null",
        _ => false,
    }
}

/// Whether the server says that it does not know the session: by 404 as it
/// should, or by another refusal that names it.
pub(super) fn speaks_of_session(status: StatusCode, failure: &HttpFailure) -> bool {
    let names_it = || {
        let body = failure.body.as_deref().unwrap_or_default().to_ascii_lowercase();
        body.contains("session")
    };
    match status {
        StatusCode::NOT_FOUND => true,
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => names_it(),
        _ => false,
    }
}

impl Exchange {
    /// Until `ended` is cancelled.
    pub(super) fn new(
        client: Arc<HttpClient>,
        surroundings: Surroundings,
        ended: CancellationToken,
    ) -> Self {
        let listening = Mutex::new(ended.child_token());
        Self {
            client,
            surroundings,
            memory: Memory::default(),
            unclaimed: Unclaimed::default(),
            ended,
            listening,
        }
    }

    /// What a message of the server may have, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.surroundings.max_message_bytes
    }

    /// Whether the requests of many clients go through here.
    pub(super) fn carries_many_clients(&self) -> bool {
        self.surroundings.clients == Clients::Many
    }

    /// Whether the server is one of 2025-11-25 or before, as far as is known.
    pub(super) fn has_sessions(&self) -> bool {
        self.memory.is_begun()
    }

    /// Makes a request, and a second time if the server has surely not executed
    /// it and would now: it wants other headers, or another session.
    pub(super) async fn request(
        self: &Arc<Self>,
        request: &Request,
        id: &Id,
        client: &dyn Client,
    ) -> Answer {
        match self.post(request, id, client).await {
            Ok(response) => return Answer::Response(response),
            Err(Failed::With(Answer::Http(failure))) => {
                if !self.relearns(request, &failure).await {
                    return Answer::Http(failure);
                }
            }
            Err(Failed::With(answer)) => return answer,
            Err(Failed::Expired(expired, failure)) => {
                if !self.renew(&expired).await {
                    return Answer::Http(failure);
                }
            }
        }
        match self.post(request, id, client).await {
            Ok(response) => Answer::Response(response),
            Err(Failed::With(answer)) => answer,
            Err(Failed::Expired(_, failure)) => Answer::Http(failure),
        }
    }

    /// Sends what has no response.
    pub(super) async fn tell(self: &Arc<Self>, message: &Message, headers: &Headers) {
        let begins =
            matches!(message.kind(), Kind::Notification { method } if method == INITIALIZED);
        let response = match self.send(message, headers).await {
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

    pub(super) async fn send(
        &self,
        message: &Message,
        received: &Headers,
    ) -> Result<Response<Body>, Loss> {
        let mut headers = headers_of(message, received, &self.surroundings.catalogue).await;
        if !self.carries_many_clients() {
            self.memory.hear(received);
        }
        if belongs_to_session(message) {
            self.memory.sign(&mut headers);
            if !self.carries_many_clients() {
                self.memory.settings.hear(message);
            }
        }
        let body = message.to_bytes();
        self.client.send(Method::POST, headers, body).await
    }

    async fn post(
        self: &Arc<Self>,
        request: &Request,
        id: &Id,
        client: &dyn Client,
    ) -> Result<Message, Failed> {
        let Request { message, headers: received, method, .. } = request;
        let named = self.memory.id().filter(|_| belongs_to_session(message));
        let response = self.send(message, received).await?;
        let status = response.status();
        if !status.is_success() {
            let failure = failure(response).await;
            return Err(match named {
                Some(named) if speaks_of_session(status, &failure) => {
                    Failed::Expired(named, failure)
                }
                _ => Failed::With(Answer::Http(failure)),
            });
        }
        if status == StatusCode::ACCEPTED
            && let Some(response) = self.unclaimed.take(id).await
        {
            return Ok(response.with_id(id));
        }
        let lists = lists_tools(request);
        let begins = (method == INITIALIZE).then(|| response.headers().clone());
        let mut answer = Messages::of(response, self.limit());
        let mut cursor = Cursor::default();
        let mut silent = 0;
        loop {
            while let Some(line) = answer.next(&mut cursor).await {
                silent = 0;
                match line {
                    Ok(message) if message.answers(id) || answers_nobody_else(&message) => {
                        let message = message.with_id(id);
                        if let Some(headers) = &begins {
                            self.memory.begin(request, headers, &message);
                        }
                        let sound = if lists { without_broken_tools(message) } else { message };
                        return Ok(sound);
                    }
                    Ok(message) => self.hear(message, client).await,
                    Err(Unreadable::NotAMessage(error)) => {
                        tracing::warn!(%error, "skipped JSON of the upstream");
                    }
                    Err(Unreadable::TooMuch(too_much)) => {
                        tracing::warn!(%too_much, "dropped a message of the upstream");
                        return Err(Failed::With(Answer::too_much(&too_much, id)));
                    }
                }
            }
            // There is nothing to take up since 2026-07-28, and no id before if the server gave none.
            let last_event = cursor.last_event.clone().filter(|_| version_of(message).is_none());
            let Some(last_event) = last_event.filter(|_| silent < RESUMPTIONS) else {
                return Err(Loss::Interrupted.into());
            };
            silent += 1;
            sleep(cursor.pause.unwrap_or(PAUSE).max(LEAST_PAUSE)).await;
            match self.open_stream(Some(&last_event)).await {
                Ok(events) => answer = Messages::Events(events),
                Err(Refused::ForNow) => {}
                Err(Refused::ForGood | Refused::Expired(_)) => {
                    return Err(Loss::Interrupted.into());
                }
            }
        }
    }

    /// Passes on what the server says to a client, who may be asked something
    /// that cannot be put to anybody.
    pub(super) async fn hear(self: &Arc<Self>, message: Message, client: &dyn Client) {
        if matches!(message.kind(), Kind::Response { id: Some(id) } if id.raw().get() != "null") {
            return self.unclaimed.put(message);
        }
        if let Some(answer) = client.tell(message.into()).await {
            self.tell(&answer, &Headers::default()).await;
        }
    }

    /// What came was too much to be read: a server that asked gets an error.
    pub(super) async fn heard_too_much(self: &Arc<Self>, too_much: &TooMuch) {
        tracing::warn!(%too_much, "dropped a message of the upstream");
        if let Was::Request(id) = &too_much.was {
            let error = too_much.error(id, INVALID_REQUEST, "the request");
            self.tell(&error, &Headers::default()).await;
        }
    }

    /// Opens a new session in place of `expired`, unless somebody did so already.
    pub(super) async fn renew(self: &Arc<Self>, expired: &HeaderValue) -> bool {
        let _renewal = self.memory.renewal.lock().await;
        if self.memory.id().is_some_and(|id| id != *expired) {
            return true;
        }
        let Some(greeting) = self.memory.greeting() else { return false };
        tracing::info!("the upstream's session has expired; opening a new one");
        let Ok(response) = self.send(&greeting.message, &greeting.headers).await else {
            return false;
        };
        let headers = response.headers().clone();
        if !response.status().is_success() || !headers.contains_key(SESSION_ID) {
            return false;
        }
        let Some(message) = first_response(response, self.limit()).await else { return false };
        self.memory.begin(&greeting, &headers, &message);
        if self.memory.id().is_none_or(|id| id == *expired) {
            return false;
        }
        let message = Message::notification(INITIALIZED, &serde_json::json!({}));
        let sent = self.send(&message, &Headers::default()).await;
        let taken = sent.is_ok_and(|response| response.status().is_success());
        if taken {
            self.set_again().await;
            self.listen();
        }
        taken
    }

    /// Says to a new session what the client has set in the one before.
    async fn set_again(&self) {
        for message in self.memory.settings.to_say() {
            let id = Id::text(&self.surroundings.names.name("again"));
            let answered = async {
                let response = self.send(&message.with_id(&id), &Headers::default()).await.ok()?;
                let answered = response.status().is_success();
                first_response(response, self.limit()).await.filter(|_| answered)
            };
            let answer = timeout(SETTING, answered).await.ok().flatten();
            if answer.is_none_or(|answer| answer.get("result").is_none()) {
                tracing::warn!(
                    "a new session of the upstream did not take what the client had set"
                );
            }
        }
    }
}
