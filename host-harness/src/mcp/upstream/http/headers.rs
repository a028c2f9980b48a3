//! What the headers of a request say.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::mcp::{
    headers::{METHOD, NAME, PROTOCOL_VERSION, version_of},
    wire::{Kind, Message},
};

/// The headers of a message that came with `received`: those, and where the
/// client gave none (it is not on HTTP), what 2026-07-28 wants to be mirrored.
pub(super) fn headers_of(message: &Message, received: &HeaderMap) -> HeaderMap {
    let mut headers = received.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let both = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(header::ACCEPT, both);
    let Some(version) = version_of(message).filter(|_| !received.contains_key(PROTOCOL_VERSION))
    else {
        return headers;
    };
    let mut mirror = |name: HeaderName, value: &str| {
        if !headers.contains_key(&name) {
            headers.insert(name, encoded(value));
        }
    };
    mirror(PROTOCOL_VERSION, &version);
    if let Kind::Request { method, .. } | Kind::Notification { method } = message.kind() {
        mirror(METHOD, method);
        let name = match &**method {
            "tools/call" | "prompts/get" => message.param("name"),
            "resources/read" => message.param("uri"),
            _ => None,
        };
        if let Some(name) = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok()) {
            mirror(NAME, &name);
        }
    }
    headers
}

/// A text as a header's value: as it is if it can be, else in the form that
/// 2026-07-28 gives it.
fn encoded(text: &str) -> HeaderValue {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'))
        && text.trim() == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    let coded = || HeaderValue::from_str(&format!("=?base64?{}?=", STANDARD.encode(text)));
    let value = if plain { HeaderValue::from_str(text) } else { coded() };
    // Neither form holds a byte that a header cannot.
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(text).expect("JSON");
        Message::parse(&raw).expect("a message")
    }

    #[test]
    fn names_that_no_header_can_hold_are_encoded() {
        for (text, value) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encoded(text), value);
        }
    }

    #[test]
    fn a_message_of_2026_is_mirrored_unless_the_client_did_so_itself() {
        let modern = r#"{"id":1,"method":"resources/read","params":{"uri":"u:1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let told = |text: &str, received: &HeaderMap| {
            let headers = headers_of(&message(text), received);
            [PROTOCOL_VERSION, METHOD, NAME]
                .map(|name| headers.get(name).map(|value| value.to_str().expect("text").to_owned()))
        };
        let none = HeaderMap::new();
        let mirrored = ["2026-07-28", "resources/read", "u:1"];
        assert_eq!(told(modern, &none), mirrored.map(|value| Some(value.to_owned())));
        let legacy = r#"{"id":1,"method":"resources/read","params":{"uri":"u:1"}}"#;
        assert_eq!(told(legacy, &none), [None, None, None]);
        // What the client got wrong is the server's to refuse.
        let mut wrong = HeaderMap::new();
        wrong.insert(PROTOCOL_VERSION, HeaderValue::from_static("1"));
        assert_eq!(told(modern, &wrong), [Some("1".to_owned()), None, None]);
    }
}
