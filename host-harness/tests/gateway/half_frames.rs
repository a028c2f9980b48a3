//! Messages that break off in the middle.
//!
//! Those of a child that dies are among its crashes (`crashes`, `attempts`).

use axum::{body::Body, response::Response};
use futures_util::stream;
use host_harness::gateway::Limits;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    http_server::{Asked, HttpServer, as_written, call, initialize, json_body, manners, result},
    line_client::{LineClient, PATIENCE},
    plugin::{gateway, watched},
};

/// How a body ends before its time.
#[derive(Debug, Clone, Copy)]
enum End {
    /// As if it were whole.
    Clean,
    /// The connection is reset.
    Reset,
}

fn pieces(kind: &str, pieces: Vec<Vec<u8>>, end: End) -> Response {
    let mut pieces: Vec<Result<Vec<u8>, std::io::Error>> = pieces.into_iter().map(Ok).collect();
    if let End::Reset = end {
        pieces.push(Err(std::io::Error::other("broken on purpose")));
    }
    // Let each piece leave before the next.
    let pieces = stream::unfold(pieces.into_iter(), async |mut rest| {
        tokio::task::yield_now().await;
        Some((rest.next()?, rest))
    });
    let response = Response::builder().header("content-type", kind);
    response.body(Body::from_stream(pieces)).expect("a response")
}

/// The answer to a call up to the middle of a character.
fn half(asked: &Asked) -> Vec<u8> {
    let whole = result(asked, json!({ "text": "Zürich" })).to_string().into_bytes();
    let middle = whole.iter().position(|byte| *byte == 0xc3).expect("a long character") + 1;
    whole[..middle].to_vec()
}

/// What the server does with its first call; the others are answered in three
/// pieces, the middle of a character between them.
async fn server(kind: &'static str, end: End, before: &'static str) -> HttpServer {
    HttpServer::start(move |asked, calls| {
        if asked.rpc_method() != "tools/call" {
            return manners(asked, "s-1");
        }
        let start = if kind == "text/event-stream" { "data: " } else { "" };
        if calls == 0 {
            let first = format!("{before}{start}").into_bytes();
            return pieces(kind, vec![first, half(asked)], end);
        }
        let half = half(asked);
        let whole = result(asked, json!({ "text": "Zürich" })).to_string().into_bytes();
        let rest = [&whole[half.len()..], b"\n\n"].concat();
        pieces(kind, vec![start.into(), half, rest], End::Clean)
    })
    .await
}

#[tokio::test]
async fn an_answer_of_a_url_that_breaks_off_is_no_answer_and_the_next_one_is_whole() {
    // An event before it is whole, and passes.
    let comment = ": hello\n\nevent: other\ndata: 7\n\n";
    for (kind, before) in
        [("application/json", ""), ("text/event-stream", ""), ("text/event-stream", comment)]
    {
        for end in [End::Clean, End::Reset] {
            let server = server(kind, end, before).await;
            let (watch, gateway) = watched("{}", Limits::default());
            let mut client = LineClient::of_url(gateway, &server.url());
            client.ask(initialize()).await;
            let answer = client.ask(call(1)).await;
            let expected = json!({ "text": "Zürich" });
            assert_eq!(as_written(&answer), expected, "{kind} {end:?}: {answer}");
            assert_eq!(watch.attempts(), 2, "{kind} {end:?}");
            client.leave().await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_asked_for_again_where_it_may_have_been_done() {
    for kind in ["application/json", "text/event-stream"] {
        let server = server(kind, End::Clean, "").await;
        let (watch, gateway) = watched(r#"{"profile": "safe"}"#, Limits::default());
        let mut client = LineClient::of_url(gateway, &server.url());
        client.ask(initialize()).await;
        let answer = client.ask(call(1)).await;
        let lost = "the upstream server's answer ended without a response";
        assert_eq!(answer["error"]["message"], lost, "{kind}");
        assert_eq!(watch.attempts(), 1, "{kind}");
        client.leave().await;
    }
}

#[tokio::test]
async fn an_event_that_broke_off_is_taken_up_after_the_last_whole_one() {
    let server = HttpServer::start(|asked, _| {
        match (asked.method.as_str(), asked.header("last-event-id")) {
            ("POST", _) if asked.rpc_method() == "tools/call" => {
                let whole = b"id: 1\nretry: 1\ndata:\n\nid: 2\ndata: ".to_vec();
                pieces("text/event-stream", vec![whole, half(asked)], End::Reset)
            }
            ("GET", Some(last)) => {
                // An attempt's id is all that this test server does not know here.
                let note = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                    "params": { "level": "info", "data": last } });
                let event = format!("data: {note}\n\n");
                pieces("text/event-stream", vec![event.into_bytes()], End::Clean)
            }
            _ => manners(asked, "s-1"),
        }
    })
    .await;
    let once = gateway(r#"{"max_retries": 0}"#, Limits::default());
    let mut client = LineClient::of_url(once, &server.url());
    client.ask(initialize()).await;
    let note = client.ask(call(1)).await;
    assert_eq!(note["params"]["data"], "1", "the event with id 2 never came");
    client.leave().await;
}

#[tokio::test]
async fn half_a_line_of_a_client_that_goes_is_nobodys() {
    let server = HttpServer::start(|asked, _| json_body(result(asked, json!({})))).await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    let whole = call(1).to_string();
    client.say_raw(&whole.as_bytes()[..whole.len() - 1]).await;
    timeout(PATIENCE, client.leave()).await.expect("an end in time");
    let calls = server.asked_for(|asked| asked.body != Value::Null);
    assert!(calls.is_empty(), "{calls:?}");
}
