//! Messages that are longer than they may be: an error for who waits, and
//! nothing for the others.

use host_harness::{
    gateway::Limits,
    mcp::{RelayOptions, too_long::MAX_MESSAGE_BYTES},
};
use serde_json::{Value, json};

use crate::{
    http_server::{HttpServer, call, initialize, initialized, json_body, manners, result, stream},
    line_client::LineClient,
    plugin::watched,
};

/// A limit that only what is long on purpose exceeds.
const LIMIT: usize = 4000;

fn within_the_limit() -> RelayOptions {
    RelayOptions { max_message_bytes: LIMIT, ..RelayOptions::default() }
}

/// Makes a call that is answered at too great a length, and one that is not.
async fn one_call_too_long(mut client: LineClient, limit: usize) {
    client.ask(initialize()).await;
    let answer = client.ask(call(1)).await;
    let message = format!("the upstream server's answer is longer than {limit} bytes");
    let said = json!({ "outcome": "too-large", "executed": "unknown", "attempts": 1,
                       "reason": "rpc-code-not-retryable" });
    let data = json!({ "maxBytes": limit, "retry-with-backoff": said });
    let error = json!({ "code": -32000, "message": message, "data": data });
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
    let answer = client.ask(call(2)).await;
    assert_eq!((&answer["id"], answer.get("error")), (&json!(2), None), "{answer}");
    client.leave().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_whose_line_is_too_long_loses_that_answer_and_no_other() {
    // As most servers write it, as those in TypeScript do, and one that really is long.
    let first = r#"respond "\"result\":{\"x\":\"$(x $LONG)\"}""#;
    let last = r#"id=$(printf '%s' "$line" | sed 's/.*"id":\([^,]*\),.*/\1/')
        printf '{"result":{"x":"'; x $LONG; printf '"},"jsonrpc":"2.0","id":%s}\n' "$id""#;
    for (name, limit, to_a_call) in
        [("long-1", LIMIT, first), ("long-2", LIMIT, last), ("long-3", MAX_MESSAGE_BYTES, last)]
    {
        let to_a_call = format!(
            r#"x() {{ head -c $1 /dev/zero | tr '\0' x; }}
            LONG={limit}
            if [ $CALLS = 1 ]; then {to_a_call}
            else answer; fi"#
        );
        let server = crate::child_server::ChildServer::new(name, &to_a_call);
        let (watch, gateway) = watched("{}", Limits::default());
        let options = RelayOptions { max_message_bytes: limit, ..RelayOptions::default() };
        let client = LineClient::of_child_with(gateway, server.command(), options);
        one_call_too_long(client, limit).await;
        assert_eq!(watch.attempts(), 2, "one each: {name}");
    }
}

#[tokio::test]
async fn a_url_whose_answer_is_too_long_loses_that_answer_and_no_other() {
    for is_stream in [false, true] {
        let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
            "tools/call" if before == 0 => {
                let long = result(asked, json!({ "x": "x".repeat(LIMIT) }));
                if is_stream {
                    stream(&["id: 1\nretry: 1\ndata:", &format!("id: 2\ndata: {long}")], false)
                } else {
                    json_body(long)
                }
            }
            "tools/call" => json_body(result(asked, json!({}))),
            _ => manners(asked, "s-1"),
        })
        .await;
        let (watch, gateway) = watched("{}", Limits::default());
        let client = LineClient::of_url_with(gateway, &server.url(), within_the_limit());
        one_call_too_long(client, LIMIT).await;
        assert_eq!(watch.attempts(), 2, "one each");
        let taken_up = server.asked_for(|asked| asked.header("last-event-id").is_some());
        assert!(taken_up.is_empty(), "it would only be as long again");
    }
}

#[tokio::test]
async fn an_event_that_never_ends_is_cut_off() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/call" if before == 0 => {
            let pieces = futures_util::stream::repeat_with(|| {
                Ok::<_, std::io::Error>(format!("data: {}\n", "x".repeat(LIMIT / 4)))
            });
            axum::response::Response::builder()
                .header("content-type", "text/event-stream")
                .body(axum::body::Body::from_stream(pieces))
                .expect("a response")
        }
        "tools/call" => json_body(result(asked, json!({}))),
        _ => manners(asked, "s-1"),
    })
    .await;
    let (_, gateway) = watched("{}", Limits::default());
    let client = LineClient::of_url_with(gateway, &server.url(), within_the_limit());
    one_call_too_long(client, LIMIT).await;
}

#[tokio::test]
async fn a_client_whose_line_is_too_long_hears_so_under_its_id() {
    let server = HttpServer::start(|asked, _| manners(asked, "s-1")).await;
    let (watch, gateway) = watched("{}", Limits::default());
    let mut client = LineClient::of_url_with(gateway, &server.url(), within_the_limit());
    client.ask(initialize()).await;
    let mut long = call(1);
    long["params"]["arguments"] = json!({ "x": "x".repeat(LIMIT) });
    let answer = client.ask(long).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32600)));
    let ping = client.ask(json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" })).await;
    assert_eq!(ping["result"], json!({}));
    // A long answer to a question of the server is an error to the server.
    let answer = json!({ "jsonrpc": "2.0", "id": "q", "result": { "x": "x".repeat(LIMIT) } });
    client.say(answer).await;
    let told = server.hears(|asked| asked.body["id"] == "q").await;
    assert_eq!(told.body["error"]["code"], -32000);
    assert_eq!(told.body.get("result"), None::<&Value>);
    client.leave().await;
    assert_eq!(watch.attempts(), 0);
}

#[tokio::test]
async fn what_the_server_says_by_itself_at_too_great_a_length_is_left_out() {
    let server = HttpServer::start(|asked, before| match asked.method.as_str() {
        "GET" if before == 0 => {
            let note = |data: &str| {
                let note = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                    "params": { "level": "info", "data": data } });
                format!("id: 7\ndata: {note}")
            };
            stream(&[&note(&"x".repeat(LIMIT)), &note("short")], false)
        }
        _ => manners(asked, "s-1"),
    })
    .await;
    let (_, gateway) = watched("{}", Limits::default());
    let mut client = LineClient::of_url_with(gateway, &server.url(), within_the_limit());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    assert_eq!(client.hear().await["params"]["data"], "short");
    client.leave().await;
}
