//! One message to the server, and everything that comes back for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::value::RawValue;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    client::{Body, Client},
    documents::Documents,
    events::{Cursor, Events},
    headers::headers_of,
    memory::Memory,
};
use crate::{
    gateway::pushback_ms,
    mcp::{
        front::HttpStatus,
        headers::{LAST_EVENT_ID, SESSION_ID, version_of},
        reply::{Answer, HttpFailure, Loss},
        session::Session,
        upstream::ToUpstream,
        wire::{Id, Kind, Message, NotAMessage},
    },
};

const INITIALIZE: &str = "initialize";
const INITIALIZED: &str = "notifications/initialized";
/// The pause before a stream is taken up again if the server names none; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often in a row the stream of one answer is taken up again without a word from it.
const RESUMPTIONS: u32 = 5;
/// What is read of the body of an HTTP error.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Speaks with the server for one session.
pub(super) struct Exchange {
    client: Arc<Client>,
    session: Arc<Session>,
    memory: Memory,
    /// Cancelled when the link is gone.
    ended: CancellationToken,
    /// Cancelled when nobody is to hear what the server says by itself.
    listening: Mutex<CancellationToken>,
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

    /// Whether the server is one of 2025-11-25 or before, as far as is known.
    pub(super) fn has_sessions(&self) -> bool {
        self.memory.is_begun()
    }

    /// Makes a request; the session hears all that comes back for it, or that nothing will.
    pub(super) async fn request(self: &Arc<Self>, sent: ToUpstream, id: &Id) {
        let answer = match self.post(&sent, id).await {
            Ok(()) => return,
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

    async fn send(&self, sent: &ToUpstream) -> Result<Response<Body>, Loss> {
        let mut headers = headers_of(&sent.message, &sent.headers);
        let begins =
            matches!(sent.message.kind(), Kind::Request { method, .. } if method == INITIALIZE);
        if !begins {
            self.memory.sign(&mut headers);
        }
        // A message that was read can be written.
        let body = serde_json::to_vec(&sent.message).unwrap_or_default();
        self.client.send(Method::POST, headers, body).await
    }

    async fn post(&self, sent: &ToUpstream, id: &Id) -> Result<(), Failed> {
        let named = self.memory.id();
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
        let headers = response.headers().clone();
        let mut answer = Messages::of(response);
        let mut cursor = Cursor::default();
        let mut silent = 0;
        loop {
            while let Some(line) = answer.next(&mut cursor).await {
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
        let mut answer = Messages::of(response);
        let message = loop {
            match answer.next(&mut Cursor::default()).await {
                Some(Ok(message)) if matches!(message.kind(), Kind::Response { .. }) => {
                    break Some(message);
                }
                Some(_) => {}
                None => break None,
            }
        };
        let Some(message) = message else { return false };
        self.memory.begin(greeting, &headers, &message);
        if self.memory.id().is_none_or(|id| id == *expired) {
            return false;
        }
        let message = Message::notification(INITIALIZED, &serde_json::json!({}));
        let sent = ToUpstream { message, headers: Arc::default() };
        let taken = self.send(&sent).await.is_ok_and(|response| response.status().is_success());
        if taken {
            self.listen();
        }
        taken
    }

    /// Hears what the server says by itself, from now on.
    fn listen(self: &Arc<Self>) {
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
                () = exchange.hear() => {}
            }
        });
    }

    /// Hears the server until it says that there is nothing to hear.
    async fn hear(&self) {
        let mut cursor = Cursor::default();
        let mut pause = PAUSE;
        loop {
            match self.open_stream(cursor.last_event.as_deref()).await {
                Err(Refused::ForGood) => return,
                Err(Refused::ForNow) => {}
                Ok(mut events) => {
                    while let Some(line) = events.next(&mut cursor).await {
                        pause = PAUSE;
                        self.session.upstream_said(line, None).await;
                    }
                }
            }
            sleep(cursor.pause.unwrap_or(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open_stream(&self, last_event: Option<&str>) -> Result<Events, Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.memory.sign(&mut headers);
        if let Some(id) = last_event.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        let response = self.client.send(Method::GET, headers, Vec::new()).await;
        let response = response.map_err(|_| Refused::ForNow)?;
        if response.status().is_client_error() {
            return Err(Refused::ForGood);
        }
        if !response.status().is_success() || !is_stream(response.headers()) {
            return Err(Refused::ForNow);
        }
        Ok(Events::new(response.into_body()))
    }
}

/// Why there is no stream.
enum Refused {
    /// The server has none to give.
    ForGood,
    ForNow,
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}

/// All that comes back for a request.
enum Messages {
    Events(Events),
    Documents(Documents),
}

impl Messages {
    fn of(response: Response<Body>) -> Self {
        if is_stream(response.headers()) {
            Self::Events(Events::new(response.into_body()))
        } else {
            Self::Documents(Documents::new(response.into_body()))
        }
    }

    async fn next(&mut self, cursor: &mut Cursor) -> Option<Result<Message, NotAMessage>> {
        match self {
            Self::Events(events) => events.next(cursor).await,
            Self::Documents(documents) => documents.next().await,
        }
    }
}

/// The message that a short body is.
async fn read(body: Body) -> Option<Message> {
    let bytes = Limited::new(body, MAX_ERROR_BODY).collect().await.ok()?.to_bytes();
    let raw: Box<RawValue> = serde_json::from_slice(&bytes).ok()?;
    Message::parse(&raw).ok()
}

async fn failure(response: Response<Body>) -> HttpFailure {
    let code = response.status().as_u16();
    let headers = response.headers();
    let texts =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let pushback_ms = pushback_ms(code, texts, SystemTime::now());
    let kept = [header::RETRY_AFTER, header::WWW_AUTHENTICATE];
    let headers =
        kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    let status = HttpStatus { code, headers: headers.collect() };
    let message = read(response.into_body()).await;
    let response = message.filter(|message| message.get("error").is_some());
    HttpFailure { status, pushback_ms, response }
}
