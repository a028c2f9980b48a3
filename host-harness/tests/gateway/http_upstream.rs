//! A client on lines, in front of a server behind a URL.

use host_harness::gateway::Limits;
use serde_json::json;

use crate::{
    http_server::{
        Asked, HttpServer, as_written, call, initialize, initialized, json_body, manners, result,
        status, stream,
    },
    line_client::LineClient,
    plugin::gateway,
};

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

#[tokio::test]
async fn a_session_is_opened_named_in_every_request_listened_to_and_closed() {
    let server = HttpServer::start(|asked, _| match asked.method.as_str() {
        "GET" => stream(&[r#"data: {"jsonrpc":"2.0","method":"notifications/by/itself"}"#], false),
        _ if is_call(asked) => json_body(result(asked, json!({ "content": [], "n": 1.0 }))),
        _ => manners(asked, "s-1"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    let hello = client.ask(initialize()).await;
    assert_eq!(
        (&hello["id"], &hello["result"]["serverInfo"]["name"]),
        (&json!(0), &json!("played"))
    );
    client.say(initialized()).await;
    assert_eq!(client.hear().await["method"], "notifications/by/itself");
    let answer = client.ask(call(7)).await;
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "n": 1.0 } }));
    client.leave().await;

    let asked = server.asked();
    let methods: Vec<_> =
        asked.iter().map(|asked| (asked.method.as_str(), asked.rpc_method())).collect();
    assert_eq!(
        methods,
        [
            ("POST", "initialize"),
            ("POST", "notifications/initialized"),
            ("GET", ""),
            ("POST", "tools/call"),
            ("DELETE", "")
        ]
    );
    assert_eq!(asked[0].header("mcp-session-id"), None);
    for later in &asked[1..] {
        assert_eq!(later.header("mcp-session-id"), Some("s-1"));
        assert_eq!(later.header("mcp-protocol-version"), Some("2025-11-25"));
    }
    assert_eq!(asked[3].header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(asked[2].header("accept"), Some("text/event-stream"));
}

#[tokio::test]
async fn an_answer_may_be_a_stream_that_breaks_and_is_taken_up_again_where_it_broke() {
    let server = HttpServer::start(|asked, _| match asked.method.as_str() {
        "POST" if is_call(asked) => {
            // Each as the client's own: an integer, and a text.
            let id = asked.body["id"].as_u64().expect("an attempt's id");
            let token = &asked.body["params"]["_meta"]["progressToken"];
            assert!(token.is_string(), "{token}");
            let progress = format!(
                r#"data: {{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
            );
            let id = format!("id: {id}\nretry: 1\ndata:");
            stream(&[&id, &progress], true)
        }
        "GET" if asked.header("last-event-id").is_some() => {
            let id = asked.header("last-event-id").expect("an id");
            stream(&[&format!(r#"data: {{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)], false)
        }
        _ => manners(asked, "s-1"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    let mut call = call(7);
    call["params"]["_meta"] = json!({ "progressToken": "mine" });
    let progress = client.ask(call).await;
    assert_eq!(progress["params"], json!({ "progressToken": "mine", "progress": 1 }));
    assert_eq!(client.hear().await, json!({ "jsonrpc": "2.0", "id": 7, "result": {} }));
    assert_eq!(server.asked_for(is_call).len(), 1);
    client.leave().await;
}

#[tokio::test]
async fn an_expired_session_is_renewed_and_only_then_the_call_is_made_again() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" => manners(asked, if before == 0 { "s-1" } else { "s-2" }),
        _ if asked.header("mcp-session-id") == Some("s-1") && asked.body["id"] != json!(null) => {
            status(404)
        }
        "tools/call" => json_body(result(asked, json!({}))),
        _ => manners(asked, "none"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    assert_eq!(as_written(&client.ask(call(1)).await), json!({}));
    let methods: Vec<_> = server
        .asked_for(|asked| asked.method == "POST")
        .iter()
        .map(|asked| {
            (asked.rpc_method().to_owned(), asked.header("mcp-session-id").map(str::to_owned))
        })
        .collect();
    let seen =
        |method: &str, session: Option<&str>| (method.to_owned(), session.map(str::to_owned));
    assert_eq!(
        methods,
        [
            seen("initialize", None),
            seen("notifications/initialized", Some("s-1")),
            seen("tools/call", Some("s-1")),
            seen("initialize", None),
            seen("notifications/initialized", Some("s-2")),
            seen("tools/call", Some("s-2")),
        ]
    );
    // The same attempt once more: the server has not executed it.
    let calls = server.asked_for(is_call);
    assert_eq!(calls[0].body["id"], calls[1].body["id"]);
    client.leave().await;
}

#[tokio::test]
async fn an_expired_session_is_renewed_for_a_call_that_may_not_be_retried() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" => manners(asked, if before == 0 { "s-1" } else { "s-2" }),
        // As the SDK's example for TypeScript has it.
        _ if asked.header("mcp-session-id") == Some("s-1") && asked.body["id"] != json!(null) => {
            let refusal = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000,
                "message": "Bad Request: No valid session ID provided" } });
            let mut response = json_body(refusal);
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            response
        }
        "tools/call" => json_body(result(asked, json!({}))),
        _ => manners(asked, "none"),
    })
    .await;
    let never = gateway(r#"{"max_retries": 0}"#, Limits::default());
    let mut client = LineClient::of_url(never, &server.url());
    client.ask(initialize()).await;
    let answer = client.ask(call(1)).await;
    assert_eq!(as_written(&answer), json!({}), "{answer}");
    let pong = client.ask(json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" })).await;
    assert_eq!(pong["result"], json!({}));
    assert_eq!(server.asked_for(is_call).len(), 2, "refused, and made");
    client.leave().await;
}

#[tokio::test]
async fn a_request_that_is_no_call_is_sent_again_in_the_renewed_session() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" => manners(asked, if before == 0 { "s-1" } else { "s-2" }),
        "ping" if asked.header("mcp-session-id") == Some("s-1") => status(404),
        _ => manners(asked, "none"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    let pong = client.ask(json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" })).await;
    assert_eq!(pong, json!({ "jsonrpc": "2.0", "id": 2, "result": {} }));
    client.leave().await;
}

#[tokio::test]
async fn the_errors_of_a_server_of_2026_keep_their_words() {
    let server = HttpServer::start(|asked, _| {
        let error = json!({ "code": -32022, "message": "Unsupported protocol version",
            "data": { "supported": ["2027-01-01"] } });
        let body = json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error });
        let mut response = json_body(body);
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        response
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    let mut call = call(3);
    call["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let answer = client.ask(call).await;
    assert_eq!(answer["error"]["data"]["supported"], json!(["2027-01-01"]));
    assert_eq!(answer["id"], 3);
    client.leave().await;
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "no retry, no session to end: {asked:?}");
}
