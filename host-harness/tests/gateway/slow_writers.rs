//! Clients that send what they ask drip by drip.

use std::{net::SocketAddr, time::Duration};

use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{HttpServer, call, json_body, manners, result},
    line_client::PATIENCE,
    plugin::gateway,
};

/// The head of a request with a body of so many bytes.
fn head(length: usize) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Sends the first bytes at once, and the others one by one, until the front has
/// had enough. Returns all that it answers.
async fn drip(address: SocketAddr, at_once: &str, slowly: &str) -> String {
    let (mut from, mut to) = TcpStream::connect(address).await.expect("a front").into_split();
    to.write_all(at_once.as_bytes()).await.expect("the front reads");
    let drops = slowly.to_owned();
    let dripping = tokio::spawn(async move {
        for byte in drops.bytes() {
            sleep(Duration::from_millis(10)).await;
            if to.write_all(&[byte]).await.is_err() {
                return;
            }
        }
        // As one that has nothing more to say, but does not go.
        std::future::pending::<()>().await;
    });
    let mut answer = Vec::new();
    // The connection may be reset, since the front reads no more.
    let _ = timeout(PATIENCE, from.read_to_end(&mut answer)).await.expect("an end in time");
    dripping.abort();
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_request_that_comes_too_slowly_is_ended_and_takes_nobodys_place() {
    let server = HttpServer::start(|asked, _| json_body(result(asked, json!({})))).await;
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let limits = FrontLimits {
        // More than a second's worth of drops.
        read_timeout: Duration::from_millis(200),
        max_requests: 1,
        ..FrontLimits::default()
    };
    let gateway = gateway("{}", Limits::default());
    let front = Front::start(gateway, Target::Url(upstream), limits).await;
    let body = call(1).to_string();
    let slow_body = drip(front.address, &head(10_000), &" ".repeat(10_000)).await;
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    assert!(slow_body.contains("did not come in time"), "{slow_body}");
    let silent_body = drip(front.address, &head(body.len()), "").await;
    assert!(silent_body.starts_with("HTTP/1.1 408 "), "{silent_body}");
    let endless_head = format!("x: {}", "y".repeat(10_000));
    for (at_once, slowly) in [("POST /mcp HTTP/1.1\r\n", &*endless_head), ("", &head(1)), ("", "")]
    {
        assert_eq!(drip(front.address, at_once, slowly).await, "", "closed without a word");
    }
    // Its only place is free: a client that asks in one go is served.
    let whole = drip(front.address, &format!("{}{body}", head(body.len())), "").await;
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
    assert!(whole.contains(r#""result":{}"#), "{whole}");
    front.ended().await;
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_request_may() {
    let read_timeout = Duration::from_millis(100);
    let server = HttpServer::start_slow(move |asked, _| {
        Box::pin(async move {
            if asked.rpc_method() == "tools/call" {
                sleep(3 * read_timeout).await;
                return json_body(result(&asked, json!({})));
            }
            manners(&asked, "s-1")
        })
    })
    .await;
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let limits = FrontLimits { read_timeout, ..FrontLimits::default() };
    let gateway = gateway("{}", Limits::default());
    let front = Front::start(gateway, Target::Url(upstream), limits).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    let mut listening = client.send(Method::GET, "/mcp", "").await;
    // Twice, so that the second call comes on a connection that was idle for a while or is new.
    for id in 1..3 {
        assert_eq!(client.ask(call(id)).await["result"], json!({}));
        sleep(2 * read_timeout).await;
    }
    // The stream was quiet all the time, and is open still.
    let end = timeout(Duration::ZERO, listening.next()).await;
    assert!(end.is_err(), "{end:?}");
    front.ended().await;
}
