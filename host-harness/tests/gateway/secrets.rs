//! What was asked and answered is in no log and in no span.

use std::process::Stdio;

use axum::response::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};

use crate::{
    collector::{Collector, attribute},
    http_server::{Asked, HttpServer, call, initialize, json_body, manners, result, status},
    line_client::PATIENCE,
    program::{PROGRAM, Running},
    traced::{calls, client, configuration, traceparent},
};

const SECRET: &str = "hunter2";

#[tokio::test]
async fn neither_logs_nor_spans_say_what_was_asked_or_answered() {
    let failed = |asked: &Asked, before: usize| -> Response {
        let text = json!([{ "type": "text", "text": format!("{{\"isError\": true, \"s\": \"{SECRET}\"}}") }]);
        match before {
            0 => json_body(result(asked, json!({ "isError": true, "content": text }))),
            1 => {
                let error = json!({ "code": -32603, "message": SECRET, "data": { "s": SECRET } });
                json_body(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error }))
            }
            2 => {
                let mut response = status(503);
                *response.body_mut() = SECRET.into();
                response
            }
            _ => json_body(result(
                asked,
                json!({ "content": text, "structuredContent": { "s": SECRET } }),
            )),
        }
    };
    let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
        "tools/call" => failed(asked, before),
        "resources/read" => failed(asked, before.min(1)),
        _ => manners(asked, "s"),
    })
    .await;
    let collector = Collector::start().await;
    let otlp = format!("otlp: {{ endpoint: \"{}\" }}", collector.url());
    let file = configuration("secrets.yaml", &server.url(), &otlp);
    let gateway = Running::start(&["serve", &file], &[("RUST_LOG", "trace")]).await;
    let client = client(&gateway).await;
    let mut call = call(1);
    call["params"]["arguments"] = json!({ "password": SECRET });
    call["params"]["_meta"] = json!({ "traceparent": traceparent(), "mine": SECRET });
    let answer = client.ask(call).await;
    let asked = calls(&server);
    assert_eq!(asked.len(), 4, "{answer}");
    let passed = |value: &Value| value.to_string().contains(SECRET);
    assert!(passed(&answer) && asked.iter().all(|asked| passed(&asked.body)), "it was there");
    let uri = format!("db://me:{SECRET}@host/table?key={SECRET}#{SECRET}");
    let read = json!({ "jsonrpc": "2.0", "id": 2, "method": "resources/read",
        "params": { "uri": uri } });
    assert!(passed(&client.ask(read).await));
    let log = gateway.ended().await;
    assert!(log.iter().any(|line| line.contains("db://host/table")), "{log:#?}");
    assert!(log.len() > 20, "it says all that it ever says: {log:#?}");
    for line in &log {
        assert!(!line.contains(SECRET), "{line}");
    }
    let targets = collector.spans();
    let targets = targets.iter().filter_map(|(_, span)| attribute(&span.attributes, "target"));
    assert_eq!(targets.collect::<Vec<_>>(), ["t", "db://host/table"]);
    for export in collector.exports() {
        let found = export.body.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
        assert!(!found, "{:?}", collector.spans());
    }
}

#[tokio::test]
async fn logs_of_messages_on_lines_do_not_say_it_either() {
    let mut gateway = tokio::process::Command::new(PROGRAM)
        // The server would log what it hears.
        .args(["proxy", "--", "env", "-u", "RUST_LOG", PROGRAM, "flaky-server"])
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut input = gateway.stdin.take().expect("a pipe");
    let mut output = BufReader::new(gateway.stdout.take().expect("a pipe")).lines();
    let arguments = json!({ "key": SECRET, "fail_times": 1, "mode": "isError" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "flaky", "arguments": arguments } });
    for message in [initialize(), call] {
        input.write_all(format!("{message}\n").as_bytes()).await.expect("it reads");
        let line = timeout(PATIENCE, output.next_line()).await.expect("an answer in time");
        assert!(line.expect("text").is_some());
    }
    drop(input);
    let ended = timeout(PATIENCE, gateway.wait_with_output()).await.expect("an end in time");
    let log = String::from_utf8(ended.expect("it was ours").stderr).expect("text");
    assert!(log.contains("tool=\"flaky\"") && !log.contains(SECRET), "{log}");
}
