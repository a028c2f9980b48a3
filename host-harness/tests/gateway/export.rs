//! The spans that the built program exports.

use std::fmt::Write as _;

use http::Method;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;

use crate::{
    collector::{Collector, attribute},
    http_server::call,
    program::{PROGRAM, Running},
    traced::{CLIENTS_SPAN, TRACE, calls, client, configuration, flaky_server, traceparent},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[tokio::test]
async fn a_call_is_a_span_of_the_clients_trace_with_its_attempts_and_decisions_in_it() {
    let (collector, server) = (Collector::start().await, flaky_server().await);
    let otlp = format!("otlp: {{ endpoint: \"{}\" }}", collector.url());
    let file = configuration("exported.yaml", &server.url(), &otlp);
    let variables = [
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k1"),
    ];
    let gateway = Running::start(&["serve", &file], &variables).await;
    let mut client = client(&gateway).await;
    client.set("traceparent", &traceparent());
    client.set("tracestate", "vendor=1");
    assert!(client.ask(call(1)).await["result"]["content"].is_array());
    gateway.ended().await;

    assert!(collector.exports().iter().all(|export| export.headers["x-key"] == "k1"));
    let (resources, spans): (Vec<_>, Vec<_>) = collector.spans().into_iter().unzip();
    let named = |name: &str| -> Vec<&Span> {
        let mut spans: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    };
    let told = |span: &Span, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| attribute(&span.attributes, name).unwrap_or_default()).collect()
    };
    let [call] = named("call")[..] else { panic!("one call: {spans:?}") };
    assert_eq!(hex(&call.parent_span_id), CLIENTS_SPAN);
    assert_eq!(call.kind(), SpanKind::Server);
    assert_eq!(
        told(call, &["hook", "target", "upstream", "attempts", "end"]),
        ["tool_post_invoke", "t", "up", "2", "succeeded"]
    );
    let [first, second] = named("attempt")[..] else { panic!("two attempts: {spans:?}") };
    assert_eq!(told(first, &["retry_attempt", "outcome"]), ["0", "error_result"]);
    assert_eq!(told(second, &["retry_attempt", "outcome"]), ["1", "result"]);
    let code = |span: &Span| span.status.as_ref().map_or(StatusCode::Unset, |status| status.code());
    assert_eq!([first, second].map(code), [StatusCode::Error, StatusCode::Unset]);
    let [again, enough] = named("decision")[..] else { panic!("two decisions: {spans:?}") };
    let names = ["retry_attempt", "retry_count", "retry_delay_ms", "reason"];
    assert_eq!(told(again, &names), ["0", "1", "1", "tool_error"]);
    assert_eq!(told(enough, &names), ["1", "0", "0", "succeeded"]);
    for inner in [first, second, again, enough] {
        assert_eq!(inner.parent_span_id, call.span_id, "{inner:?}");
    }
    assert_eq!(spans.len(), 5, "{spans:?}");
    for (span, resource) in spans.iter().zip(&resources) {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert!(span.events.is_empty(), "logs are no part of it: {span:?}");
        assert_eq!(attribute(resource, "service.name").as_deref(), Some("host-harness"));
        assert_eq!(attribute(resource, "deployment.environment.name").as_deref(), Some("test"));
    }

    // The server's spans go below those of the attempts, whichever it reads.
    for (asked, attempt) in calls(&server).iter().zip([first, second]) {
        let expected = format!("00-{TRACE}-{}-01", hex(&attempt.span_id));
        assert_eq!(asked.header("traceparent"), Some(&*expected));
        assert_eq!(asked.body["params"]["_meta"]["traceparent"], expected);
        assert_eq!(asked.header("tracestate"), Some("vendor=1"));
        assert_eq!(asked.body["params"]["_meta"]["tracestate"], "vendor=1");
    }
}

#[tokio::test]
async fn the_trace_that_the_request_itself_names_counts_before_that_of_its_headers() {
    let (collector, server) = (Collector::start().await, flaky_server().await);
    let file = configuration("meta.yaml", &server.url(), "");
    let url = format!("--otlp={}", collector.url());
    let gateway = Running::start(&["serve", &url, &file], &[("OTEL_SERVICE_NAME", "mine")]).await;
    let mut client = client(&gateway).await;
    client.set("traceparent", "00-11111111111111111111111111111111-2222222222222222-01");
    client.set("tracestate", "of=another");
    let mut traced = call(1);
    traced["params"]["_meta"] = json!({ "traceparent": traceparent() });
    client.ask(traced).await;
    // Whose trace is not sampled has no spans here, and keeps its trace id.
    let mut unsampled = call(2);
    unsampled["params"]["_meta"] = json!({ "traceparent": traceparent().replace("-01", "-00") });
    client.ask(unsampled).await;
    gateway.ended().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 5);
    for (resource, span) in &spans {
        assert_eq!(attribute(resource, "service.name").as_deref(), Some("mine"));
        assert_eq!(hex(&span.trace_id), TRACE);
    }
    let asked = calls(&server);
    assert_eq!(asked.len(), 3);
    for (asked, flags) in asked.iter().zip(["01", "01", "00"]) {
        let told = asked.header("traceparent").expect("a trace");
        assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with(flags), "{told}");
        assert!(!told.contains(CLIENTS_SPAN), "ours come between: {told}");
        assert_eq!(asked.body["params"]["_meta"]["traceparent"], told);
        assert_eq!(asked.header("tracestate"), None, "it is of another trace");
    }
}

#[tokio::test]
async fn a_flag_without_a_url_leaves_it_to_the_environment_to_say_where() {
    let (collector, server) = (Collector::start().await, flaky_server().await);
    let arguments = ["proxy", "--otlp", "--listen", "127.0.0.1:0", "--upstream-url", &server.url()];
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url())];
    let gateway = Running::start(&arguments, &variables).await;
    let client = client(&gateway).await;
    client.ask(call(1)).await;
    let numbers = client.send(Method::GET, "/metrics", "").await.text();
    let refused = r#"plugin_stat{plugin="retry-with-backoff",stat="decisions.unclassified"} 1"#;
    assert!(numbers.contains(refused), "the safe profile repeats nothing: {numbers}");
    gateway.ended().await;
    let names: Vec<_> = collector.spans().into_iter().map(|(_, span)| span.name).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn what_cannot_be_exported_to_is_told_at_the_start() {
    let file = configuration("refused.yaml", "http://127.0.0.1:9/", "");
    for (arguments, variable, told) in [
        (
            vec!["serve", "--otlp", &file],
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            "error: spans cannot be exported: `OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc`, and only",
        ),
        (
            vec!["serve", "--otlp", &file],
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "a b"),
            "OTEL_EXPORTER_OTLP_ENDPOINT: invalid endpoint 'a b'",
        ),
        (
            vec!["serve", "--otlp=localhost:4318", &file],
            ("X", "y"),
            "`localhost:4318` is no URL of a collector: it must begin with `http://` or",
        ),
    ] {
        let output = tokio::process::Command::new(PROGRAM)
            .args(arguments)
            .env(variable.0, variable.1)
            .output()
            .await
            .expect("it starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
}

#[tokio::test]
async fn without_an_export_the_clients_trace_passes_untouched() {
    let server = flaky_server().await;
    let file = configuration("untouched.yaml", &server.url(), "");
    let gateway = Running::start(&["serve", &file], &[]).await;
    let mut client = client(&gateway).await;
    client.set("traceparent", &traceparent());
    client.set("tracestate", "vendor=1");
    let mut traced = call(1);
    traced["params"]["_meta"] = json!({ "traceparent": "not even one" });
    client.ask(traced).await;
    client.headers.remove("traceparent");
    client.ask(call(2)).await;
    gateway.ended().await;
    let asked = calls(&server);
    assert_eq!(asked.len(), 3);
    for asked in &asked[..2] {
        assert_eq!(asked.header("traceparent"), Some(&*traceparent()));
        assert_eq!(asked.header("tracestate"), Some("vendor=1"));
        assert_eq!(asked.body["params"]["_meta"]["traceparent"], "not even one");
    }
    assert_eq!(asked[2].header("traceparent"), None);
    assert_eq!(asked[2].body["params"]["_meta"].get("traceparent"), None);
}
