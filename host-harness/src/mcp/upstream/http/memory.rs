//! What is remembered of a session of 2025-11-25 and before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderValue};

use crate::mcp::{
    handler::Request,
    headers::{Headers, PROTOCOL_VERSION, SESSION_ID},
    upstream::settings::Settings,
    wire::Message,
};

/// The session with the server, from its `initialize` on.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Mutex<Known>,
    /// What the client has set in it.
    pub(super) settings: Settings,
    /// Held by the one who renews the session.
    pub(super) renewal: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// The client's own words, to say again when the session has expired.
    greeting: Option<Request>,
    /// What the server named it; not every server does.
    id: Option<HeaderValue>,
    /// The version that the server chose.
    version: Option<HeaderValue>,
    /// What the client last said of itself, such as its credentials: what the
    /// gateway sends by itself in the session is to be as good.
    client: HeaderMap,
}

impl Memory {
    /// The server has answered `greeting`.
    pub(super) fn begin(&self, greeting: &Request, headers: &HeaderMap, response: &Message) {
        let version = response
            .get("result")
            .and_then(|result| crate::mcp::members::Members::parse(result).ok())
            .and_then(|result| {
                serde_json::from_str::<String>(result.get("protocolVersion")?.get()).ok()
            });
        let Some(version) = version else { return };
        let mut known = self.known();
        known.greeting = Some(greeting.clone());
        known.id = headers.get(SESSION_ID).cloned();
        known.version = HeaderValue::from_str(&version).ok();
    }

    /// Remembers what the only client says of itself with this message.
    pub(super) fn hear(&self, headers: &Headers) {
        let client = headers.of_the_client();
        if !client.is_empty() {
            self.known().client = client;
        }
    }

    /// Adds what every request of the session says.
    pub(super) fn sign(&self, headers: &mut HeaderMap) {
        let known = self.known();
        for (name, value) in &known.client {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if let Some(id) = &known.id {
            headers.insert(SESSION_ID, id.clone());
        }
        if let Some(version) = &known.version {
            headers.entry(PROTOCOL_VERSION).or_insert(version.clone());
        }
    }

    /// The name of the session, if it has one.
    pub(super) fn id(&self) -> Option<HeaderValue> {
        self.known().id.clone()
    }

    /// Whether there was an `initialize`.
    pub(super) fn is_begun(&self) -> bool {
        self.known().greeting.is_some()
    }

    /// The client's `initialize`.
    pub(super) fn greeting(&self) -> Option<Request> {
        let known = self.known();
        let mut greeting = known.greeting.clone()?;
        // The credentials of that time may have expired.
        for (name, value) in &known.client {
            greeting.headers.map_mut().insert(name, value.clone());
        }
        Some(greeting)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
