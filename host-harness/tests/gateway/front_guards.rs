//! The built program, and what it does not let through.

use std::{fs, time::Duration};

use http::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::{
    configuration_file::flaky,
    http_client::HttpClient,
    http_server::{HttpServer, call, initialize, json_body, result},
    line_client::PATIENCE,
    program::{PROGRAM, Running, file},
};

#[tokio::test]
async fn all_hosts_may_be_allowed_without_all_pages() {
    let file = file(
        "all-hosts.yaml",
        "listen: 127.0.0.1:0\nallow_hosts: ['*']\nallow_origins: ['https://app.example.com']\n\
         upstreams: { a: { command: [PROGRAM, flaky-server] } }",
    );
    let gateway = Running::start(&["serve", &file], &[]).await;
    gateway.unheard();
    for (origin, status) in [
        (None, StatusCode::OK),
        (Some("http://localhost:6274"), StatusCode::OK),
        (Some("https://app.example.com"), StatusCode::OK),
        (Some("https://evil.example"), StatusCode::FORBIDDEN),
        // The page of a name that was rebound to this address.
        (Some("http://rebound.example"), StatusCode::FORBIDDEN),
        (Some("null"), StatusCode::FORBIDDEN),
    ] {
        let mut client = HttpClient::at(gateway.address, "/mcp");
        client.set("host", "rebound.example");
        if let Some(origin) = origin {
            client.set("origin", origin);
        }
        assert_eq!(client.post(initialize()).await.status, status, "{origin:?}");
        let status = if status == StatusCode::OK { status } else { StatusCode::FORBIDDEN };
        assert_eq!(client.send(Method::GET, "/metrics", "").await.status, status, "{origin:?}");
    }
}

#[tokio::test]
async fn two_hosts_in_one_request_are_refused() {
    let gateway =
        Running::start(&["proxy", "--listen", "127.0.0.1:0", PROGRAM, "flaky-server"], &[]).await;
    gateway.unheard();
    for (hosts, status) in [
        ("host: localhost\r\nhost: localhost\r\n", "400"),
        ("host: localhost\r\nHost: evil.example\r\n", "400"),
        ("host: evil.example\r\n", "403"),
        ("", "403"),
    ] {
        let mut connection = TcpStream::connect(gateway.address).await.expect("it listens");
        let request = format!("GET /metrics HTTP/1.1\r\nconnection: close\r\n{hosts}\r\n");
        connection.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        let read = timeout(PATIENCE, connection.read_to_string(&mut answer)).await;
        read.expect("an end in time").expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn headers_of_the_connection_can_be_neither_passed_nor_sent() {
    let refusal = async |arguments: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["proxy", "--listen", "127.0.0.1:0", "--upstream-url", "http://localhost:1/mcp"])
            .args(arguments)
            .output();
        let output = timeout(PATIENCE, output).await.expect("an end in time").expect("it starts");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    for name in ["Transfer-Encoding", "Keep-Alive", "Connection"] {
        let told = refusal(&["--pass-header", name]).await;
        assert!(told.contains(name) && told.contains("about the connection itself"), "{told}");
        let told = refusal(&["--upstream-header", &format!("{name}: a")]).await;
        assert!(told.contains(name) && told.contains("about the connection itself"), "{told}");
    }
    let told = refusal(&["--pass-header", "Mcp-Session-Id"]).await;
    assert!(told.contains("for the gateway itself to say"), "{told}");
}

#[tokio::test]
async fn odd_statuses_of_an_upstream_are_an_error_with_a_body() {
    for (upstream, client) in [
        (101, StatusCode::BAD_GATEWAY),
        (304, StatusCode::BAD_GATEWAY),
        (300, StatusCode::BAD_GATEWAY),
        (307, StatusCode::BAD_GATEWAY),
        (600, StatusCode::BAD_GATEWAY),
        (418, StatusCode::IM_A_TEAPOT),
        (507, StatusCode::INSUFFICIENT_STORAGE),
        // No error, but no answer either.
        (204, StatusCode::OK),
        (205, StatusCode::OK),
    ] {
        let server = HttpServer::start(move |asked, _| {
            let mut response = json_body(result(asked, json!({})));
            *response.status_mut() = StatusCode::from_u16(upstream).expect("a status");
            if [101, 204, 205, 304].contains(&upstream) {
                *response.body_mut() = axum::body::Body::empty();
            }
            response
        })
        .await;
        let url = server.url();
        let gateway = Running::start(
            &["proxy", "--no-plugin", "--listen", "127.0.0.1:0", "--upstream-url", &url],
            &[],
        )
        .await;
        gateway.unheard();
        let mut heard = HttpClient::at(gateway.address, "/mcp").post(call(7)).await;
        assert_eq!(heard.status, client, "{upstream}");
        let answer = heard.next().await.expect("a body");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32000)));
        if client != StatusCode::OK {
            assert_eq!(answer["error"]["data"]["httpStatus"], upstream);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_who_ask_for_metrics_take_one_thread_and_get_fresh_numbers() {
    let gateway = Running::start(
        &["proxy", "--listen", "127.0.0.1:0", PROGRAM, "flaky-server"],
        &[("TOKIO_WORKER_THREADS", "2")],
    )
    .await;
    gateway.unheard();
    let mut client = HttpClient::at(gateway.address, "/mcp");
    client.initialize().await;
    client.ask(flaky(0)).await;
    let line = r#"mcp_gateway_calls_total{upstream="",hook="tool_post_invoke",end="succeeded"} "#;
    let mut scraping = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        scraping.spawn(async move {
            let mut last = 0;
            for _ in 0..5 {
                let text = client.send(Method::GET, "/metrics", "").await.text();
                let number = text.lines().find_map(|one| one.strip_prefix(line)).expect("a number");
                let number: u32 = number.parse().expect("a number");
                assert!(number >= last, "{number} after {last}");
                last = number;
            }
        });
    }
    let mut most = 0;
    for calls in 2..20 {
        client.ask(flaky(0)).await;
        // Not older than the question.
        let text = client.send(Method::GET, "/metrics", "").await.text();
        assert!(text.contains(&format!("{line}{calls}\n")), "{calls}: {text}");
        most = most.max(threads(gateway.id()));
    }
    while let Some(done) = scraping.join_next().await {
        done.expect("numbers");
    }
    assert!(most > 0 && most < 20, "{most} threads");
}

#[cfg(target_os = "linux")]
fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).expect("it lives").count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_more_servers_are_started_than_there_may_be_sessions() {
    let file = file(
        "few-sessions.yaml",
        "listen: 127.0.0.1:0\nlimits: { max_sessions: 3, initialize_timeout_ms: 60000 }\n\
         upstreams: { a: { command: [sleep, '600'] } }",
    );
    let gateway = Running::start(&["serve", &file], &[]).await;
    gateway.unheard();
    let body = initialize().to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut waiting = Vec::new();
    for number in 0..10 {
        let mut client = TcpStream::connect(gateway.address).await.expect("it listens");
        client.write_all(request.as_bytes()).await.expect("it reads");
        if number < 3 {
            until(|| children(gateway.id()) == number + 1).await;
            waiting.push(client);
        } else {
            let mut head = [0; 12];
            let read = timeout(PATIENCE, client.read_exact(&mut head)).await;
            read.expect("in time").expect("a head");
            assert_eq!(&head, b"HTTP/1.1 503");
        }
    }
    assert_eq!(children(gateway.id()), 3);
    // Their clients hang up, and they end.
    drop(waiting);
    until(|| children(gateway.id()) == 0).await;
}

#[cfg(target_os = "linux")]
async fn until(holds: impl Fn() -> bool) {
    let watching = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, watching).await.expect("in time");
}

#[cfg(target_os = "linux")]
fn children(process: u32) -> usize {
    let parent_of = |entry: fs::DirEntry| -> Option<u32> {
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which may hold anything, come the state and the parent.
        let (name, told) = text.rsplit_once(')')?;
        // The gateway may have other children than servers.
        name.ends_with("(sleep").then_some(())?;
        let mut told = told.split_whitespace();
        // One that was killed is no server any more, even if nobody has asked how it ended.
        told.next().filter(|state| *state != "Z")?;
        told.next()?.parse().ok()
    };
    let all = fs::read_dir("/proc").expect("processes");
    let parents = all.filter_map(|entry| parent_of(entry.ok()?));
    parents.filter(|parent| *parent == process).count()
}
