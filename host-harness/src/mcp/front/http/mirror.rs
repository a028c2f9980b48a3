//! Whether the headers of a request of 2026-07-28 say what its body says.
//!
//! A server behind a URL compares them itself. One on lines never sees them,
//! so the front, which is the HTTP server then, has to.

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::mcp::{
    header_value::decoded,
    headers::{METHOD, NAME, PROTOCOL_VERSION, version_of},
    param_headers::ParamHeaders,
    wire::{Kind, Message},
};

/// As [`mismatch`], of the arguments that a call of this tool has to have in headers.
pub(super) fn param_mismatch(
    headers: &HeaderMap,
    arguments: &Value,
    params: &ParamHeaders,
) -> Option<String> {
    let name = params.mismatch(arguments, headers)?;
    Some(if headers.contains_key(&name) { differs(&name) } else { missing(&name) })
}

/// What does not fit; none if all is well, or the request is of before 2026-07-28.
pub(super) fn mismatch(headers: &HeaderMap, message: &Message) -> Option<String> {
    let Kind::Request { method, .. } = message.kind() else { return None };
    let version = version_of(message)?;
    let text = |name: &str| serde_json::from_str::<String>(message.param(name)?.get()).ok();
    let name = match &**method {
        "tools/call" | "prompts/get" => text("name"),
        "resources/read" => text("uri"),
        _ => None,
    };
    compare(headers, &PROTOCOL_VERSION, &version)
        .or_else(|| compare(headers, &METHOD, method))
        .or_else(|| compare(headers, &NAME, &name?))
}

fn compare(headers: &HeaderMap, name: &HeaderName, body: &str) -> Option<String> {
    let Some(value) = headers.get(name) else { return Some(missing(name)) };
    (decoded(value).as_deref() != Some(body)).then(|| differs(name))
}

fn missing(name: &HeaderName) -> String {
    format!("Header mismatch: the header {name} is missing")
}

fn differs(name: &HeaderName) -> String {
    format!("Header mismatch: {name} does not say what the body says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_to_say_what_the_body_says() {
        let request = |version: &str| {
            let text = format!(
                r#"{{"id":1,"method":"tools/call","params":{{"name":"ä","_meta":{{{version}}}}}}}"#
            );
            let raw: Box<serde_json::value::RawValue> = serde_json::from_str(&text).expect("JSON");
            Message::parse(&raw).expect("a request")
        };
        let modern = request(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#);
        let good = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?w6Q=?="),
        ];
        let headers = |values: &[(&'static str, &str)]| -> HeaderMap {
            let values = values.iter().map(|(name, value)| {
                (HeaderName::from_static(name), value.parse().expect("a value"))
            });
            values.collect()
        };
        assert_eq!(mismatch(&headers(&good), &modern), None);
        for changed in 0..good.len() {
            let mut wrong = good;
            wrong[changed].1 = "other";
            let told = mismatch(&headers(&wrong), &modern).expect("a mismatch");
            assert!(told.contains(good[changed].0), "{told}");
            let missing: Vec<_> = good
                .into_iter()
                .enumerate()
                .filter(|(at, _)| *at != changed)
                .map(|(_, one)| one)
                .collect();
            let told = mismatch(&headers(&missing), &modern).expect("a mismatch");
            assert!(told.contains("missing") && told.contains(good[changed].0), "{told}");
        }
        assert_eq!(mismatch(&HeaderMap::new(), &request("")), None);
    }
}
