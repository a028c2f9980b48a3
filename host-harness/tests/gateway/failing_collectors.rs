//! Collectors that take no spans: they cost spans and no calls.

use http::Method;
use tokio::net::TcpListener;

use crate::{
    http_server::call,
    program::Running,
    traced::{client, configuration, flaky_server},
};

/// Makes calls while the collector is no good; what `/metrics` says of spans,
/// and the log.
async fn exported_to(name: &str, collector: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let server = flaky_server().await;
    // No longer than needed: it is waited for in vain.
    let otlp = format!("limits: {{ drain_ms: 200 }}\notlp: {{ endpoint: \"{collector}\" }}");
    let file = configuration(name, &server.url(), &otlp);
    let gateway = Running::start(&["serve", &file], variables).await;
    let client = client(&gateway).await;
    for id in 1..=20 {
        let answer = client.ask(call(id)).await;
        assert!(answer["result"]["content"].is_array(), "{answer}");
    }
    let mut told = client.send(Method::GET, "/metrics", "").await.text();
    told.push_str(&gateway.ended().await.join("\n"));
    told.lines().map(str::to_owned).collect()
}

fn says(told: &[String], line: &str) -> bool {
    told.iter().any(|one| one.contains(line))
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_spans_and_no_calls() {
    // A port that was free a moment ago.
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let told = exported_to("nowhere.yaml", &format!("http://{address}"), &[]).await;
    assert!(says(&told, "spans were not exported lost=62"), "{told:#?}");
}

#[tokio::test]
async fn a_collector_that_never_answers_fills_the_queue_and_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let taken = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    let variables = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
    ];
    let told = exported_to("deaf.yaml", &format!("http://{address}"), &variables).await;
    assert!(says(&told, r#"mcp_gateway_spans_total{outcome="dropped"} 52"#), "{told:#?}");
    assert!(says(&told, "spans were not exported lost=62"), "{told:#?}");
    taken.abort();
}
