//! How many sessions there may be, and which of them give way.

use std::time::Duration;

use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    http_client::{Front, HttpClient},
    http_server::{
        Asked, HttpServer, call, initialize, json_body, manners, once_released, result, stream,
    },
    plugin::gateway,
};

async fn front_of(server: &HttpServer, limits: FrontLimits) -> Front {
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    Front::start(gateway("{}", Limits::default()), Target::Url(upstream), limits).await
}

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

async fn is_known(client: &HttpClient) -> bool {
    client.post(call(9)).await.status != StatusCode::NOT_FOUND
}

#[tokio::test]
async fn the_idlest_session_makes_room_and_those_with_work_or_a_listener_stay() {
    let (release, released) = tokio::sync::watch::channel(false);
    let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
        "tools/call" if before == 0 => once_released(&result(asked, json!({})), &released),
        "tools/call" => json_body(result(asked, json!({}))),
        _ if asked.method == Method::GET => stream(&[], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let limits = FrontLimits { max_sessions: Some(4), ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let mut clients: Vec<_> = (0..4).map(|_| HttpClient::of(&front)).collect();
    for client in &mut clients {
        client.initialize().await;
    }
    let [works, listens, silent, asks] = &clients[..] else { panic!("four") };
    let (working, call_of_it) = (works.clone(), call(1));
    let working = tokio::spawn(async move { working.ask(call_of_it).await });
    server.hears(is_call).await;
    let listening = listens.send(Method::GET, "/mcp", "").await;
    assert!(is_known(asks).await);
    // The second newcomer finds that the first one is not the idlest.
    let (mut new, mut newer) = (HttpClient::of(&front), HttpClient::of(&front));
    new.initialize().await;
    assert!(!is_known(silent).await);
    assert!(is_known(&new).await);
    newer.initialize().await;
    assert!(!is_known(asks).await);
    assert!(is_known(&new).await && is_known(&newer).await && is_known(listens).await);
    drop(listening);
    release.send(true).expect("the server waits");
    assert_eq!(working.await.expect("no panic")["result"], json!({}), "nothing of it was lost");
    front.ended().await;
}

#[tokio::test]
async fn a_session_counts_from_its_initialize_until_its_server_has_ended() {
    let (release, released) = tokio::sync::watch::channel(false);
    let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
        "initialize" if before == 0 => once_released(
            &result(asked, json!({ "protocolVersion": "2025-11-25", "capabilities": {} })),
            &released,
        ),
        _ => manners(asked, "s-1"),
    })
    .await;
    let limits = FrontLimits { max_sessions: Some(1), ..FrontLimits::default() };
    let front = front_of(&server, limits).await;
    let (first, mut other) = (HttpClient::of(&front), HttpClient::of(&front));
    let beginning = tokio::spawn(async move { first.post(initialize()).await });
    server.hears(|asked| asked.rpc_method() == "initialize").await;
    let mut refused = other.post(initialize()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "one is beginning");
    assert!(refused.headers.contains_key("retry-after"));
    let error = refused.next().await.expect("a body");
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(0), &json!(-32000)));
    release.send(true).expect("the server waits");
    assert_eq!(beginning.await.expect("no panic").status, StatusCode::OK);
    // It is idle from now on.
    other.initialize().await;
    front.ended().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_initialize_has_its_time_and_then_takes_no_place() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" if before == 0 => stream(&["data:"], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let limits = FrontLimits {
        max_sessions: Some(1),
        initialize_timeout: Duration::from_millis(50),
        ..FrontLimits::default()
    };
    let front = front_of(&server, limits).await;
    let mut client = HttpClient::of(&front);
    let mut late = client.post(initialize()).await;
    assert_eq!(late.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(!late.headers.contains_key("mcp-session-id"));
    let error = late.next().await.expect("a body");
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(0), &json!(-32001)));
    client.initialize().await;
    front.ended().await;
}

#[tokio::test]
async fn what_a_server_says_before_it_answers_initialize_is_bounded() {
    // Requests count as well as notifications, and many small ones as few large ones.
    let words = |bytes: usize| {
        format!(
            r#"data: {{"jsonrpc":"2.0","id":"p","method":"ping","params":{{"x":"{}"}}}}"#,
            "x".repeat(bytes)
        )
    };
    for (many, one, begins) in
        [(200, words(10), true), (300, words(10), false), (5, words(1 << 20), false)]
    {
        let server = HttpServer::start(move |asked, _| match asked.rpc_method() {
            "initialize" => {
                let answer =
                    result(asked, json!({ "protocolVersion": "2025-11-25", "capabilities": {} }));
                let answer = format!("data: {answer}");
                let mut events = vec![&*one; many];
                events.push(&answer);
                stream(&events, false)
            }
            _ => manners(asked, "s-1"),
        })
        .await;
        let front = front_of(&server, FrontLimits::default()).await;
        let mut heard = HttpClient::of(&front).post(initialize()).await;
        assert_eq!(heard.headers.contains_key("mcp-session-id"), begins, "{many}");
        if begins {
            for _ in 0..many {
                assert_eq!(heard.next().await.expect("a question")["method"], "ping");
            }
            assert!(heard.next().await.expect("a response").get("result").is_some());
        } else {
            assert_eq!(heard.status, StatusCode::BAD_GATEWAY);
            let error = heard.next().await.expect("a body");
            assert_eq!(error["id"], 0);
            let why = error["error"]["message"].as_str().expect("a text");
            assert!(why.contains("256 messages") && why.contains("4194304 bytes"), "{why}");
        }
        front.ended().await;
    }
}
