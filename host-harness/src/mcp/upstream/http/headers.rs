//! What the headers of a request say.

use http::{HeaderMap, HeaderValue, header};

use crate::mcp::{
    catalogue::Catalogue,
    header_value::encoded,
    headers::{Headers, METHOD, NAME, PROTOCOL_VERSION, version_of},
    param_headers::ParamHeaders,
    wire::{Kind, Message},
};

/// The headers of a message that came with `received`: those, and if the client
/// is not on HTTP what 2026-07-28 wants to be mirrored, as far as the tools are known.
pub(super) async fn headers_of(
    message: &Message,
    received: &Headers,
    tools: &Catalogue,
) -> HeaderMap {
    let mut headers = received.map().clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let both = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(header::ACCEPT, both);
    let Some(version) = version_of(message).filter(|_| !received.are_the_clients()) else {
        return headers;
    };
    headers.insert(PROTOCOL_VERSION, encoded(&version));
    if let Kind::Request { method, .. } | Kind::Notification { method } = message.kind() {
        headers.insert(METHOD, encoded(method));
        let name = match &**method {
            "tools/call" | "prompts/get" => message.param("name"),
            "resources/read" => message.param("uri"),
            _ => None,
        };
        if let Some(name) = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok()) {
            headers.insert(NAME, encoded(&name));
            if let Some(params) = tools.params(&name).filter(|_| method == "tools/call") {
                params.mirror(&ParamHeaders::arguments_of(message).await, &mut headers);
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::listing::ListLimits;

    #[tokio::test]
    async fn a_message_of_2026_is_mirrored_unless_its_client_is_on_http_itself() {
        let modern = r#"{"id":1,"method":"resources/read","params":{"uri":"u:1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let told = async |text: &str, received: &Headers| {
            let tools = Catalogue::new(None, ListLimits::default());
            let headers = headers_of(&Message::written(text), received, &tools).await;
            [PROTOCOL_VERSION, METHOD, NAME]
                .map(|name| headers.get(name).map(|value| value.to_str().expect("text").to_owned()))
        };
        let none = Headers::default();
        let mirrored = ["2026-07-28", "resources/read", "u:1"];
        assert_eq!(told(modern, &none).await, mirrored.map(|value| Some(value.to_owned())));
        let legacy = r#"{"id":1,"method":"resources/read","params":{"uri":"u:1"}}"#;
        assert_eq!(told(legacy, &none).await, [None, None, None]);
        // What the client got wrong is the server's to refuse.
        let wrong = [(PROTOCOL_VERSION, HeaderValue::from_static("1"))].into_iter().collect();
        let wrong = Headers::of_http(wrong);
        assert_eq!(told(modern, &wrong).await, [Some("1".to_owned()), None, None]);
        assert_eq!(told(modern, &Headers::of_http(HeaderMap::new())).await, [None, None, None]);
    }
}
