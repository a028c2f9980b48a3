//! HTTP headers that travel with a message.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use crate::mcp::{header_names::stays, wire::Message};

/// The era of a protocol version, and the headers that mirror the body since 2026-07-28.
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Of a session of 2025-11-25 and before.
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The JSON-RPC method.
pub(crate) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The tool, the prompt or the URI.
pub(crate) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Where a stream is to be taken up again.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The session that a request is made in.
pub(crate) fn session_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_ID)?.to_str().ok()
}

/// Where a message names its protocol version since 2026-07-28.
pub(crate) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The members of a request's `_meta` that belong to the protocol, since 2026-07-28.
pub(crate) fn protocol_meta(request: &Message) -> Map<String, Value> {
    let meta = request.param("_meta").and_then(|meta| serde_json::from_str(meta.get()).ok());
    let Some(Value::Object(meta)) = meta else { return Map::new() };
    meta.into_iter().filter(|(name, _)| name.starts_with("io.modelcontextprotocol/")).collect()
}

/// The protocol version that a message names; none before 2026-07-28.
pub(crate) fn version_of(message: &Message) -> Option<String> {
    serde_json::from_str(message.meta()?.get(VERSION)?.get()).ok()
}

/// Headers that travel with a message. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers {
    map: Arc<HeaderMap>,
    client_on_http: bool,
}

impl Headers {
    /// Those of a client on HTTP that the upstream is to see as well. What is
    /// missing or wrong is between the client and the upstream. Of a message that
    /// came over lines, or from the gateway itself, they are [`default`](Self::default):
    /// the gateway is the upstream's client then, and mirrors what has to be mirrored.
    pub(crate) fn of_http(map: HeaderMap) -> Self {
        Self { map: Arc::new(map), client_on_http: true }
    }

    /// As [`default`](Self::default), with these among them.
    pub(crate) fn of_the_gateway(map: HeaderMap) -> Self {
        Self { map: Arc::new(map), client_on_http: false }
    }

    /// Those that speak of the client, such as its credentials.
    pub(crate) fn of_the_client(&self) -> HeaderMap {
        let kept = self.map.iter().filter(|(name, _)| !is_of_the_message(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether the client says for itself what headers have to say.
    pub(crate) fn are_the_clients(&self) -> bool {
        self.client_on_http
    }

    /// All of them.
    pub(crate) fn map(&self) -> &HeaderMap {
        &self.map
    }

    /// To add to them.
    pub(crate) fn map_mut(&mut self) -> &mut HeaderMap {
        Arc::make_mut(&mut self.map)
    }
}

/// Whether a header speaks of the message that it comes with, or of its trace;
/// whatever else passes speaks of the client.
fn is_of_the_message(name: &HeaderName) -> bool {
    const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];
    [PROTOCOL_VERSION, METHOD, NAME].contains(name)
        || name.as_str().starts_with("mcp-param-")
        || TRACE.contains(&name.as_str())
}

/// Which headers of a client's request go on to the upstream: those that
/// mirror the message, which the upstream compares with it, and those of a
/// trace. Not cookies and not credentials: they are meant for the gateway. And
/// nothing that the client's own `Connection` says is for that connection only.
pub(crate) fn passed_on(received: &HeaderMap, also: &[HeaderName]) -> Headers {
    let passes = |name: &HeaderName| is_of_the_message(name) || also.contains(name);
    let only_here: Vec<_> = received
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let kept = received.iter().filter(|(name, _)| {
        passes(name) && !stays(name) && !only_here.iter().any(|here| here == name.as_str())
    });
    Headers::of_http(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_pass_only_if_the_operator_says_so() {
        let mut received = HeaderMap::new();
        for name in
            ["mcp-param-region", "traceparent", "authorization", "cookie", "host", "mcp-session-id"]
        {
            received.insert(HeaderName::from_static(name), "x".parse().expect("a value"));
        }
        let names = |also: &[HeaderName]| {
            let kept = passed_on(&received, also);
            let mut names: Vec<_> =
                kept.map().keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&[]), ["mcp-param-region", "traceparent"]);
        assert_eq!(
            names(&[http::header::AUTHORIZATION]),
            ["authorization", "mcp-param-region", "traceparent"]
        );
    }

    #[test]
    fn what_is_about_the_connection_does_not_pass_even_if_it_is_asked_for() {
        let mut received = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-User"),
            ("x-user", "a"),
            ("x-team", "b"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("mcp-session-id", "c"),
        ] {
            received.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        let also: Vec<_> = received.keys().cloned().collect();
        let kept = passed_on(&received, &also);
        let names: Vec<_> = kept.map().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-team"]);
    }
}
