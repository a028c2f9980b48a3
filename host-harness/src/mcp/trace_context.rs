//! The trace that a call belongs to (W3C Trace Context): in the `_meta` of the
//! request, as MCP has it, or in the headers of HTTP.
//!
//! Where spans are exported, those of the call go between the client's span and
//! the upstream's. Where they are not, what the client sent passes untouched.

use std::collections::HashMap;

use http::{HeaderMap, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde_json::Value;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::mcp::{headers::Headers, wire::Message};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The `_meta` of a request.
struct Meta<'a>(&'a Value);

impl Extractor for Meta<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.as_object().into_iter().flatten().map(|(key, _)| &**key).collect()
    }
}

/// Puts the call under the client's span; says whether the client traces it.
/// What `_meta` says counts before what HTTP says: it is nearer to the call.
pub(super) fn adopt(call: &Span, meta: &Value, headers: &HeaderMap) -> bool {
    let (meta, headers) = (Meta(meta), HeaderExtractor(headers));
    let traced = [meta.get(PARENT), headers.get(PARENT)].iter().any(Option::is_some);
    if traced && !call.is_disabled() {
        let of = |carrier: &dyn Extractor| {
            TraceContextPropagator::new().extract_with_context(&Context::new(), carrier)
        };
        let parent =
            Some(of(&meta)).filter(Context::has_active_span).unwrap_or_else(|| of(&headers));
        // It fails where nothing is exported, and then there is nothing to do.
        let _ = call.set_parent(parent);
    }
    traced
}

/// The request of an attempt, within its span, as it goes to the upstream.
pub(super) fn hand_on(request: Message, mut headers: Headers) -> (Message, Headers) {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return (request, headers);
    }
    let mut told = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut told);
    // That of another trace, if the client's `_meta` and headers disagree.
    headers.map_mut().remove(STATE);
    let told = told.into_iter().filter(|(_, value)| !value.is_empty());
    let request = told.fold(request, |request, (name, value)| {
        let header = if name == PARENT { PARENT } else { STATE };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.map_mut().insert(header, value);
        }
        request.with_meta(header, &value)
    });
    (request, headers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_traced_by_its_meta_or_by_its_headers() {
        let mut headers = HeaderMap::new();
        let traced = |meta: Value, headers: &HeaderMap| adopt(&Span::none(), &meta, headers);
        assert!(!traced(json!(null), &headers));
        assert!(!traced(json!({ "traceparent": 7 }), &headers));
        assert!(traced(json!({ "traceparent": "x" }), &headers));
        headers.insert(PARENT, HeaderValue::from_static("x"));
        assert!(traced(json!(null), &headers));
    }

    #[test]
    fn nothing_is_touched_where_nothing_is_exported() {
        let text = r#"{"id":1,"method":"tools/call","params":{"_meta":{"traceparent":"00-1"}}}"#;
        let request = Message::parse(serde_json::from_str(text).expect("JSON")).expect("a call");
        let headers = Headers::of_http(HeaderMap::from_iter([(
            http::HeaderName::from_static(STATE),
            HeaderValue::from_static("a=1"),
        )]));
        let (request, passed) = hand_on(request, headers.clone());
        assert_eq!(serde_json::to_string(&request).expect("JSON"), text);
        assert_eq!(passed.map(), headers.map());
    }
}
