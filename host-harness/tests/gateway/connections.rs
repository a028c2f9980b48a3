//! How many connections there may be, and what each may hold.

use std::{net::SocketAddr, time::Duration};

use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{HttpServer, call, json_body, manners, once_released, result, stream},
    line_client::PATIENCE,
    plugin::gateway,
};

async fn front_of(server: &HttpServer, limits: FrontLimits) -> Front {
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    Front::start(gateway("{}", Limits::default()), Target::Url(upstream), limits).await
}

/// A request as it is written.
fn written(body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn connection(front: SocketAddr, said: &str) -> TcpStream {
    let mut connection = TcpStream::connect(front).await.expect("the front listens");
    connection.write_all(said.as_bytes()).await.expect("the front reads");
    connection
}

/// All that comes until the connection ends, in whichever way.
async fn all_of(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, connection.read_to_end(&mut answer)).await.expect("an end in time");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn connections_that_ask_nothing_make_room_for_those_that_do() {
    let server = HttpServer::start(|asked, _| json_body(result(asked, json!({})))).await;
    let limits = FrontLimits { max_connections: 3, ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let mut idle = Vec::new();
    // Some say nothing at all, some begin a head, and some have asked and are done.
    for said in ["", "POST /mcp HT", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n"] {
        for _ in 0..5 {
            idle.push(connection(front.address, said).await);
            let answer = HttpClient::of(&front).ask(call(1)).await;
            assert_eq!(answer["result"], json!({}), "after {said:?}");
        }
    }
    for closed in idle.drain(..12) {
        assert_eq!(all_of(closed).await, "");
    }
    front.ended().await;
}

#[tokio::test]
async fn connections_that_wait_for_an_answer_stay_and_one_too_many_hears_why() {
    let (release, released) = tokio::sync::watch::channel(false);
    let server =
        HttpServer::start(move |asked, _| once_released(&result(asked, json!({})), &released))
            .await;
    let limits = FrontLimits { max_connections: 2, ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let mut waiting = Vec::new();
    for id in 1..3 {
        waiting.push(connection(front.address, &written(&call(id))).await);
        server.hears(|_| server.asked().len() == id as usize).await;
    }
    let mut refused = connection(front.address, &written(&call(3))).await;
    refused.shutdown().await.expect("an end");
    let answer = all_of(refused).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: 1"), "{head}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["error"]["message"], "the gateway has too many connections");
    release.send(true).expect("the server waits");
    for waiting in waiting {
        assert!(all_of(waiting).await.contains(r#""result":{}"#));
    }
    front.ended().await;
}

/// A client that asks, and has room for little of the answer until it reads.
async fn deaf(front: SocketAddr, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut connection = socket.connect(front).await.expect("the front listens");
    connection.write_all(written(body).as_bytes()).await.expect("the front reads");
    connection
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off_in_time() {
    const LENGTH: usize = 16 << 20;
    let long = "x".repeat(LENGTH);
    let server = HttpServer::start(move |asked, _| match asked.rpc_method() {
        "tools/call" => json_body(result(asked, json!({ "text": long }))),
        _ if asked.method == Method::GET => stream(&[], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let limits =
        FrontLimits { write_timeout: Duration::from_millis(100), ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let mut quiet = HttpClient::of(&front);
    quiet.initialize().await;
    let mut listening = quiet.send(Method::GET, "/mcp", "").await;
    let deaf = deaf(front.address, &call(1)).await;
    // One that reads gets it all, however long that takes, and one that has nothing to read stays.
    let whole = HttpClient::of(&front).ask(call(2)).await;
    assert_eq!(whole["result"]["text"].as_str().expect("a text").len(), LENGTH);
    server.hears(|_| server.asked_for(|asked| asked.rpc_method() == "tools/call").len() == 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rest = all_of(deaf).await;
    assert!(rest.len() < LENGTH, "{}", rest.len());
    assert!(timeout(Duration::ZERO, listening.next()).await.is_err(), "a quiet stream is open");
    front.ended().await;
}

#[tokio::test]
async fn of_clients_that_do_not_read_the_one_behind_for_the_longest_time_is_cut_off_first() {
    const LENGTH: usize = 16 << 20;
    let long = "x".repeat(LENGTH);
    let server =
        HttpServer::start(move |asked, _| json_body(result(asked, json!({ "text": long })))).await;
    // Nobody is too slow here; there are too many of them.
    let limits = FrontLimits { max_unread_bytes: 2 * LENGTH, ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let mut all = Vec::new();
    for id in 1..4 {
        let mut client = deaf(front.address, &call(id)).await;
        // Its answer has begun.
        timeout(PATIENCE, client.read_exact(&mut [0; 12])).await.expect("in time").expect("a head");
        all.push(client);
    }
    let mut all = all.into_iter();
    let first = all.next().expect("the first");
    assert!(all_of(first).await.len() < LENGTH, "cut off");
    let last = all.next_back().expect("the last");
    assert!(all_of(last).await.len() > LENGTH, "the whole answer");
    drop(all);
    front.ended().await;
}

#[tokio::test]
async fn a_head_that_is_too_long_or_has_too_many_headers_is_refused() {
    let server = HttpServer::start(|asked, _| json_body(result(asked, json!({})))).await;
    let limits = FrontLimits { max_header_bytes: 2000, ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let many: String = (0..101).map(|number| format!("x-{number}: a\r\n")).collect();
    for headers in [format!("x: {}\r\n", "y".repeat(2000)), many] {
        let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        let answer = all_of(connection(front.address, &head).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut fits = HttpClient::of(&front);
    fits.set("x", &"y".repeat(1500));
    assert_eq!(fits.ask(call(1)).await["result"], json!({}));
    front.ended().await;
}

#[tokio::test]
async fn bodies_of_other_types_than_json_are_refused() {
    let server = HttpServer::start(|asked, _| json_body(result(asked, json!({})))).await;
    let front = front_of(&server, FrontLimits::default()).await;
    for (kind, status) in [
        ("application/json", StatusCode::OK),
        ("Application/JSON; charset=utf-8", StatusCode::OK),
        ("application/vnd.mcp+json", StatusCode::OK),
        // What a web page may send to anybody.
        ("text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("text/plain; application/json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("multipart/form-data", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/x-www-form-urlencoded", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let mut client = HttpClient::of(&front);
        client.set("content-type", kind);
        assert_eq!(client.post(call(1)).await.status, status, "{kind}");
    }
    front.ended().await;
}
