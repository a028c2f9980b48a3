//! What a client has set in its session with the server, to be set again in the
//! session that takes its place.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::mcp::{
    members::Members,
    methods::{SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE},
    wire::{Kind, Message},
};

/// So many subscriptions are remembered, the newest ones.
const MOST_SUBSCRIPTIONS: usize = 1024;
/// And none with a longer URI, in bytes.
const LONGEST_URI: usize = 4096;

/// The requests that set something, less those that another one has taken back.
#[derive(Debug, Default)]
pub(super) struct Settings(Mutex<Set>);

#[derive(Debug, Default)]
struct Set {
    level: Option<Message>,
    /// By the resource's URI, the oldest first.
    subscriptions: Vec<(String, Message)>,
}

impl Settings {
    /// Remembers what a message to the server sets.
    pub(super) fn hear(&self, message: &Message) {
        let Kind::Request { method, .. } = message.kind() else { return };
        match &**method {
            SET_LEVEL => self.set().level = Some(message.clone()),
            SUBSCRIBE | UNSUBSCRIBE => {
                let Some(uri) = uri(message) else { return };
                let subscriptions = &mut self.set().subscriptions;
                subscriptions.retain(|(known, _)| *known != uri);
                if method == SUBSCRIBE {
                    if subscriptions.len() == MOST_SUBSCRIPTIONS {
                        subscriptions.remove(0);
                    }
                    subscriptions.push((uri, message.clone()));
                }
            }
            _ => {}
        }
    }

    /// What has to be said to a new session, in this order.
    pub(super) fn to_say(&self) -> Vec<Message> {
        let set = self.set();
        let subscriptions = set.subscriptions.iter().map(|(_, message)| message);
        set.level.iter().chain(subscriptions).cloned().collect()
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resource that a request is about; none if it is too long to be remembered.
fn uri(message: &Message) -> Option<String> {
    let parameters = Members::parse(message.get("params")?).ok()?;
    let uri = parameters.get("uri")?.get();
    let short = uri.len() <= LONGEST_URI;
    short.then(|| serde_json::from_str(uri).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mcp::wire::Id;

    fn request(method: &str, parameters: serde_json::Value) -> Message {
        let text = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let text = serde_json::value::to_raw_value(&text).expect("JSON");
        Message::parse(&text).expect("a message")
    }

    fn said(settings: &Settings) -> Vec<String> {
        settings
            .to_say()
            .iter()
            .map(|message| {
                let sent = String::from_utf8(message.clone().with_id(&Id::text("a")).to_bytes())
                    .expect("text");
                let value: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
                let parameters = &value["params"];
                parameters
                    .get("uri")
                    .or(parameters.get("level"))
                    .expect("what it is about")
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn the_last_level_and_the_subscriptions_that_stand_are_said_again() {
        let settings = Settings::default();
        assert!(settings.to_say().is_empty());
        for (method, parameters) in [
            (SUBSCRIBE, json!({ "uri": "x:1" })),
            (SET_LEVEL, json!({ "level": "info" })),
            (SUBSCRIBE, json!({ "uri": "x:2" })),
            (SUBSCRIBE, json!({ "uri": "x:\u{33}" })),
            (UNSUBSCRIBE, json!({ "uri": "x:1" })),
            (SET_LEVEL, json!({ "level": "debug" })),
            (UNSUBSCRIBE, json!({ "uri": "x:4" })),
            (SUBSCRIBE, json!({ "uri": 5 })),
            ("tools/call", json!({ "uri": "x:6" })),
        ] {
            settings.hear(&request(method, parameters));
        }
        assert_eq!(said(&settings), [r#""debug""#, r#""x:2""#, r#""x:3""#]);
    }

    #[test]
    fn a_client_cannot_make_the_gateway_remember_without_bounds() {
        let settings = Settings::default();
        for number in 0..=MOST_SUBSCRIPTIONS {
            settings.hear(&request(SUBSCRIBE, json!({ "uri": format!("x:{number}") })));
        }
        settings.hear(&request(SUBSCRIBE, json!({ "uri": "x".repeat(LONGEST_URI) })));
        let said = said(&settings);
        assert_eq!(said.len(), MOST_SUBSCRIPTIONS);
        assert_eq!(said[0], r#""x:1""#);
    }
}
