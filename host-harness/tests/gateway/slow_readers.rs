//! Clients that do not read what they asked for.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, response::Response};
use futures_util::stream;
use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{HttpServer, json_body, result},
    line_client::PATIENCE,
    plugin::gateway,
};

/// Says so when it is gone.
pub struct Gone(pub watch::Sender<bool>);

impl Drop for Gone {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.0.send(true);
    }
}

fn call(name: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": name, "_meta": { "progressToken": 1 } } })
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_and_keeps_nobody_waiting() {
    let (gone, mut is_gone) = watch::channel(false);
    let server = HttpServer::start(move |asked, _| {
        if asked.body["params"]["name"] != "endless" {
            return json_body(result(asked, json!({})));
        }
        let report = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {
            "progressToken": asked.body["params"]["_meta"]["progressToken"],
            "progress": 1, "message": "x".repeat(20_000) } });
        let event = format!("data: {report}\n\n");
        let reports = stream::unfold(Gone(gone.clone()), move |gone| {
            let event = event.clone();
            async move {
                tokio::task::yield_now().await;
                Some((Ok::<_, Infallible>(event), gone))
            }
        });
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(reports))
            .expect("a response")
    })
    .await;
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let gateway = gateway("{}", Limits::default());
    // There is nothing to wait for at the end: it will never read.
    let limits = FrontLimits {
        drain: Duration::ZERO,
        write_timeout: Duration::from_millis(500),
        ..FrontLimits::default()
    };
    let front = Front::start(gateway, Target::Url(upstream), limits).await;
    let _never_read = HttpClient::of(&front).post(call("endless")).await;
    let quick = HttpClient::of(&front).ask(call("quick")).await;
    assert_eq!(quick["result"], json!({}));
    let given_up = timeout(PATIENCE, is_gone.wait_for(|gone| *gone)).await;
    given_up.expect("given up in time").expect("the server lives");
    let calls = server.asked_for(|asked| asked.body["params"]["name"] == "endless");
    assert_eq!(calls.len(), 1, "and not retried");
    front.ended().await;
}
