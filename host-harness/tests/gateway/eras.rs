//! Clients and servers of different eras, and what the gateway adds of its own.

use std::time::Duration;

use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{
        Asked, HttpServer, as_written, call, initialize, json_body, manners, result, status, stream,
    },
    line_client::LineClient,
    plugin::gateway,
};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// A request of 2026-07-28.
fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ VERSION: "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn modern_call(id: u32) -> Value {
    modern(id, "tools/call", json!({ "name": "t", "arguments": {} }))
}

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

/// A server of 2025-11-25 that wants a session, and fails the first call in it.
async fn legacy_server() -> HttpServer {
    HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" => manners(asked, "s-1"),
        _ if asked.header("mcp-session-id").is_none() => {
            let error = json!({ "code": -32000, "message": "Bad Request: no session" });
            let mut response = json_body(json!({ "jsonrpc": "2.0", "id": null, "error": error }));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
        "tools/call" if before == 0 => json_body(result(asked, json!({ "isError": true }))),
        "tools/call" => json_body(result(asked, json!({ "content": [] }))),
        _ => manners(asked, "s-1"),
    })
    .await
}

#[tokio::test]
async fn a_server_of_2025_sees_what_its_client_said_and_two_names_of_the_gateways_own() {
    let server = legacy_server().await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    let mut asked = call(7);
    asked["params"]["_meta"] = json!({ "progressToken": 3, "mine": { "x": 1 } });
    let report = client.ask(asked.clone()).await;
    assert_eq!(report["method"], "notifications/progress", "the gateway waits: {report}");
    client.hear().await;
    client.leave().await;
    let calls = server.asked_for(is_call);
    assert_eq!(calls.len(), 2);
    for (number, attempt) in (1..).zip(&calls) {
        let mut expected = asked.clone();
        expected["id"] = attempt.body["id"].clone();
        expected["params"]["_meta"]["progressToken"] = attempt.body["id"].clone();
        expected["params"]["_meta"]["retry-with-backoff/attempt"] =
            json!({ "attempt": number, "most": 3 });
        assert_eq!(attempt.body, expected);
    }
    // Whatever it was: nothing of 2026-07-28.
    for asked in server.asked() {
        assert!(!asked.body.to_string().contains("io.modelcontextprotocol/"), "{asked:?}");
        for name in asked.headers.keys() {
            let of_2025 = ["mcp-session-id", "mcp-protocol-version"].contains(&name.as_str());
            assert!(of_2025 || !name.as_str().starts_with("mcp-"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_client_of_both_eras_finds_a_server_of_2025_behind_a_url() {
    let server = legacy_server().await;
    // On lines: an error that is none of 2026-07-28 sends the client to `initialize`.
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    let probe = client.ask(modern(1, "server/discover", json!({}))).await;
    assert_eq!((&probe["id"], &probe["error"]["code"]), (&json!(1), &json!(-32000)));
    client.ask(initialize()).await;
    assert_eq!(as_written(&client.ask(call(2)).await), json!({ "content": [] }));
    client.leave().await;
    // On HTTP: the same as a status.
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let gateway = gateway("{}", Limits::default());
    let front = Front::start(gateway, Target::Url(upstream), FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    let mut heard = client.post(modern_call(1)).await;
    assert_eq!(heard.status, StatusCode::BAD_REQUEST);
    assert_eq!(heard.next().await.expect("a body")["error"]["code"], -32000);
    client.initialize().await;
    assert_eq!(as_written(&client.ask(call(2)).await), json!({ "content": [] }));
    front.ended().await;
}

/// A front on HTTP, with a client that says in headers what 2026-07-28 wants for a call.
#[cfg(unix)]
async fn front_of_child(command: Vec<std::ffi::OsString>) -> (Front, HttpClient) {
    let gateway = gateway("{}", Limits::default());
    let front =
        Front::start(gateway, Target::Command(command.into()), FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    for (name, value) in
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "t")]
    {
        client.set(name, value);
    }
    (front, client)
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_of_2025_is_never_given_a_call_of_2026() {
    let server = crate::child_server::ChildServer::new("legacy-child", "answer");
    let (front, client) = front_of_child(server.command()).await;
    for id in 1..3 {
        let mut heard = client.post(modern_call(id)).await;
        assert_eq!(heard.status, StatusCode::BAD_REQUEST);
        let answer = heard.next().await.expect("a body");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32600)));
    }
    assert_eq!(server.read(), ["server/discover"], "asked once");
    // The client begins anew, with a server of its own.
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    assert_eq!(client.ask(call(3)).await["id"], 3);
    front.ended().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_that_ends_at_the_question_is_taken_for_one_of_2025() {
    let script = r#"
while read -r line; do
    case "$line" in
    *server/discover*) exit 1 ;;
    *) printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}\n' ;;
    esac
done
"#;
    let (front, client) = front_of_child(["sh", "-c", script].map(Into::into).into()).await;
    let mut heard = client.post(modern_call(1)).await;
    assert_eq!(heard.status, StatusCode::BAD_REQUEST);
    assert_eq!(heard.next().await.expect("a body")["error"]["code"], -32600);
    let mut client = HttpClient::of(&front);
    let hello = client.initialize().await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    front.ended().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_of_2026_is_asked_once_what_it_is_and_then_left_to_its_clients() {
    // Answers everything.
    let script = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    N=$((N + 1))
    printf '{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","n":%s}}\n' "$id" "$N"
done
"#;
    let (front, client) = front_of_child(["sh", "-c", script].map(Into::into).into()).await;
    for (id, n) in [(1, 2), (2, 3)] {
        let answer = client.ask(modern_call(id)).await;
        assert_eq!(answer["result"], json!({ "resultType": "complete", "n": n }));
    }
    front.ended().await;
}

#[tokio::test]
async fn a_request_of_2026_has_no_part_in_a_session_that_began_before() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        // In 2026-07-28 this status says that there is no such method.
        "server/discover" => status(404),
        "tools/call" if before == 0 => status(404),
        "tools/call" => json_body(result(asked, json!({ "resultType": "complete" }))),
        _ => manners(asked, "s-1"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    client.ask(modern(1, "server/discover", json!({}))).await;
    let refused = client.ask(modern_call(2)).await;
    assert_eq!(refused["error"]["data"]["httpStatus"], 404);
    assert_eq!(client.ask(modern_call(3)).await["result"]["resultType"], "complete");
    let initialized = server.asked_for(|asked| asked.rpc_method() == "initialize");
    assert_eq!(initialized.len(), 1, "nothing was renewed");
    for asked in server.asked_for(|asked| asked.body["params"]["_meta"][VERSION].is_string()) {
        assert_eq!(asked.header("mcp-session-id"), None);
        assert_eq!(asked.header("mcp-protocol-version"), Some("2026-07-28"));
    }
    client.leave().await;
}

#[tokio::test]
async fn an_attempt_of_2026_is_cancelled_by_closing_its_stream_and_nothing_else() {
    let (gone, mut is_gone) = tokio::sync::watch::channel(false);
    let server = HttpServer::start(move |asked, before| {
        if before > 0 {
            return json_body(result(asked, json!({ "resultType": "complete" })));
        }
        let guard = crate::slow_readers::Gone(gone.clone());
        let silence = futures_util::stream::once(async move {
            let _guard = guard;
            std::future::pending::<Result<String, std::io::Error>>().await
        });
        axum::response::Response::builder()
            .header("content-type", "text/event-stream")
            .body(axum::body::Body::from_stream(silence))
            .expect("a response")
    })
    .await;
    let limits = Limits { attempt_timeout: Some(Duration::from_millis(300)), ..Limits::default() };
    let mut client = LineClient::of_url(gateway("{}", limits), &server.url());
    assert_eq!(client.ask(modern_call(1)).await["result"]["resultType"], "complete");
    let closed = tokio::time::timeout(crate::line_client::PATIENCE, is_gone.wait_for(|gone| *gone));
    closed.await.expect("closed in time").expect("the server lives");
    assert_eq!(server.asked().len(), 2, "two calls and no notification");
    client.leave().await;
}

#[tokio::test]
async fn what_the_gateway_says_itself_is_an_error_and_never_a_result() {
    let hangs = HttpServer::start(|_, _| stream(&["data:"], false)).await;
    let breaks = HttpServer::start(|_, _| stream(&["data:"], true)).await;
    let refuses = HttpServer::start(|_, _| status(503)).await;
    let briefly = Some(Duration::from_millis(50));
    for (server, attempt_timeout, code) in
        [(&hangs, briefly, -32001), (&breaks, None, -32000), (&refuses, None, -32000)]
    {
        let limits = Limits { attempt_timeout, ..Limits::default() };
        let once = gateway(r#"{"max_retries": 0}"#, limits);
        let mut client = LineClient::of_url(once, &server.url());
        let answer = client.ask(modern_call(9)).await;
        let members: Vec<_> = answer.as_object().expect("an object").keys().collect();
        // A result would have to name its type; an error is the same in both eras.
        assert_eq!(members, ["jsonrpc", "id", "error"], "{answer}");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(code)));
        client.leave().await;
    }
}

/// A server of 2026-07-28 on lines that refuses every request that does not
/// say all that it has to.
#[cfg(unix)]
const STRICT: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    case "$line" in
    *clientInfo*clientCapabilities\":{*) answer='"result":{"resultType":"complete","content":[]}' ;;
    *) answer='"error":{"code":-32602,"message":"Invalid params"}' ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$answer"
done
"#;

#[cfg(unix)]
#[tokio::test]
async fn what_one_client_leaves_out_is_no_word_on_the_child_for_the_others() {
    let mut whole = modern_call(9);
    whole["params"]["_meta"] = json!({ VERSION: "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} });
    let mut silent = whole.clone();
    silent["params"]["_meta"]
        .as_object_mut()
        .expect("members")
        .remove("io.modelcontextprotocol/clientInfo");
    let mut odd = whole.clone();
    odd["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!(7);
    let mut greets = whole.clone();
    greets["method"] = "initialize".into();
    greets["params"].as_object_mut().expect("members").remove("name");
    for first in [silent, odd, greets] {
        let (front, client) = front_of_child(["sh", "-c", STRICT].map(Into::into).into()).await;
        let mut one = client.clone();
        one.set(
            "mcp-method",
            if first["method"] == "initialize" { "initialize" } else { "tools/call" },
        );
        if first["method"] == "initialize" {
            one.headers.remove("mcp-name");
        }
        one.post(first.clone()).await.next().await;
        let answer = client.ask(whole.clone()).await;
        assert!(answer.get("result").is_some(), "after {first}: {answer}");
        front.ended().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_that_was_not_ready_for_the_question_is_asked_again() {
    // Its first answer is an error that says nothing of its era.
    let script = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    if [ -z "$N" ]; then answer='"error":{"code":-32603,"message":"still loading"}'
    else answer='"result":{"resultType":"complete"}'; fi
    N=1
    printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$answer"
done
"#;
    let (front, client) = front_of_child(["sh", "-c", script].map(Into::into).into()).await;
    let served = async {
        loop {
            if client.post(modern_call(1)).await.status == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::line_client::PATIENCE, served).await.expect("served in time");
    front.ended().await;
}
