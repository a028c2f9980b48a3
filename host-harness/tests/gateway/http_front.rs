//! Clients on Streamable HTTP, in front of a server behind a URL.

use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{
        Asked, HttpServer, call, json_body, manners, once_released, result, status, stream,
    },
    plugin::gateway,
};

async fn front_of(server: &HttpServer, config: &str, limits: FrontLimits) -> Front {
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    Front::start(gateway(config, Limits::default()), Target::Url(upstream), limits).await
}

/// Fails the first call and answers the others with the id of the attempt.
async fn flaky_server() -> HttpServer {
    HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/call" if before == 0 => json_body(result(asked, json!({ "isError": true }))),
        "tools/call" => json_body(result(asked, json!({ "was": asked.body["id"] }))),
        _ => manners(asked, "upstream-session"),
    })
    .await
}

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

#[tokio::test]
async fn a_session_has_a_name_of_its_own_and_ends_when_the_client_says_so() {
    let server = flaky_server().await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    let hello = client.initialize().await;
    assert_eq!(hello["result"]["serverInfo"]["name"], "played");
    let name = client.headers["mcp-session-id"].to_str().expect("text").to_owned();
    assert_eq!(name.len(), 32, "{name}");

    let answer = client.ask(call(7)).await;
    assert_eq!(answer["id"], 7);
    assert_ne!(answer["result"]["was"], 7);
    let calls = server.asked_for(is_call);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].header("mcp-session-id"), Some("upstream-session"));

    assert_eq!(client.send(Method::DELETE, "/mcp", "").await.status, StatusCode::OK);
    assert_eq!(server.asked().last().expect("a request").method, Method::DELETE);
    assert_eq!(client.post(call(8)).await.status, StatusCode::NOT_FOUND);
    front.ended().await;
}

#[tokio::test]
async fn what_no_client_of_mcp_should_send_is_refused_with_the_right_status() {
    let server = flaky_server().await;
    let limits = FrontLimits { max_body_bytes: 200, ..FrontLimits::default() };
    let front = front_of(&server, "{}", limits).await;
    let client = HttpClient::of(&front);
    let (post, get, delete) = (Method::POST, Method::GET, Method::DELETE);
    let long = json!({ "jsonrpc": "2.0", "id": 1, "method": "m", "params": "x".repeat(200) });
    for (method, path, body, status) in [
        (post.clone(), "/mcp", "nonsense".to_owned(), 400),
        (post.clone(), "/mcp", "[]".to_owned(), 400),
        (post.clone(), "/mcp", long.to_string(), 413),
        (post.clone(), "/mcp/other", call(1).to_string(), 404),
        (post.clone(), "/", call(1).to_string(), 404),
        (get.clone(), "/mcp", String::new(), 405),
        (delete.clone(), "/mcp", String::new(), 405),
        (Method::PUT, "/mcp", String::new(), 405),
    ] {
        let heard = client.send(method.clone(), path, body.clone()).await;
        assert_eq!(heard.status.as_u16(), status, "{method} {path} {body}");
    }
    for (header, value, method, status) in [
        ("host", "evil.example", post.clone(), 403),
        ("origin", "http://evil.example", post.clone(), 403),
        ("accept", "application/json", post.clone(), 406),
        ("mcp-session-id", "of-somebody-else", post, 404),
        ("mcp-session-id", "of-somebody-else", get, 404),
        ("mcp-session-id", "of-somebody-else", delete, 404),
    ] {
        let mut client = HttpClient::of(&front);
        client.set(header, value);
        let heard = client.send(method.clone(), "/mcp", call(1).to_string()).await;
        assert_eq!(heard.status.as_u16(), status, "{method} with {header}: {value}");
    }
    assert!(server.asked().is_empty(), "nothing of it reached the server");
    front.ended().await;
}

#[tokio::test]
async fn clients_without_a_session_may_choose_the_same_ids_and_tokens() {
    let server = HttpServer::start(|asked, _| {
        let name = asked.body["params"]["name"].as_str().expect("a name");
        let (id, token) = (&asked.body["id"], &asked.body["params"]["_meta"]["progressToken"]);
        assert_eq!(asked.header("mcp-param-region"), Some(name));
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": 1, "message": name } });
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": { "for": name } });
        stream(&[&format!("data: {progress}"), &format!("data: {answer}")], false)
    })
    .await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let ask = async |name: &str| {
        let mut client = HttpClient::of(&front);
        client.set("mcp-protocol-version", "2026-07-28");
        client.set("mcp-param-region", name);
        let version = "io.modelcontextprotocol/protocolVersion";
        let mut heard = client
            .post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
                "name": name, "_meta": { "progressToken": 1, version: "2026-07-28" } } }))
            .await;
        assert!(!heard.headers.contains_key("mcp-session-id"));
        let progress = heard.next().await.expect("progress");
        let told = json!({ "progressToken": 1, "progress": 1, "message": name });
        assert_eq!(progress["params"], told);
        let answer = heard.next().await.expect("a response");
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "result": { "for": name } }));
        assert_eq!(heard.next().await, None);
    };
    tokio::join!(ask("a"), ask("b"), ask("c"));
    front.ended().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_call_and_no_other() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/call" => stream(&["data:"], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    {
        let mut calling = std::pin::pin!(client.post(call(7)));
        tokio::select! {
            _ = &mut calling => panic!("nobody answers"),
            _ = server.hears(is_call) => {}
        }
    }
    let notice = server.hears(|asked| asked.rpc_method() == "notifications/cancelled").await;
    assert_eq!(notice.body["params"]["requestId"], server.asked_for(is_call)[0].body["id"]);
    let pong = client.ask(json!({ "jsonrpc": "2.0", "id": 8, "method": "ping" })).await;
    assert_eq!(pong["id"], 8);
    assert_eq!(server.asked_for(is_call).len(), 1, "a cancelled call is not retried");
    front.ended().await;
}

#[tokio::test]
async fn the_upstreams_http_errors_keep_their_status_and_what_a_client_needs_with_it() {
    let server = HttpServer::start(|_, _| {
        let mut response = status(401);
        response.headers_mut().insert("www-authenticate", "Bearer x".parse().expect("a value"));
        response
    })
    .await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let mut heard = HttpClient::of(&front).post(call(1)).await;
    assert_eq!(heard.status, StatusCode::UNAUTHORIZED);
    assert_eq!(heard.headers["www-authenticate"], "Bearer x");
    assert_eq!(heard.next().await.expect("a body")["id"], 1);
    let heard = HttpClient::of(&front).post(crate::http_server::initialize()).await;
    assert_eq!(heard.status, StatusCode::UNAUTHORIZED);
    assert!(!heard.headers.contains_key("mcp-session-id"), "no session began");
    front.ended().await;
}

#[tokio::test]
async fn what_the_server_says_by_itself_comes_on_the_clients_stream() {
    let server = HttpServer::start(|asked, _| match asked.method.as_str() {
        "GET" => stream(&[r#"data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}"#], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    let mut stream = client.send(Method::GET, "/mcp", "").await;
    assert_eq!(stream.next().await.expect("a request")["method"], "roots/list");
    // The newest wins: the client may have lost the first without anybody hearing of it.
    let second = client.send(Method::GET, "/mcp", "").await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(stream.next().await, None::<Value>);
    let mut stream = second;
    let roots = json!({ "jsonrpc": "2.0", "id": 1, "result": { "roots": [] } });
    assert_eq!(client.post(roots.clone()).await.status, StatusCode::ACCEPTED);
    assert_eq!(server.hears(|asked| asked.body.get("result").is_some()).await.body, roots);
    front.ended().await;
    assert_eq!(stream.next().await, None::<Value>);
}

#[tokio::test]
async fn a_front_that_is_told_to_stop_ends_what_is_under_way_and_takes_no_more() {
    let (release, released) = tokio::sync::watch::channel(false);
    let server = HttpServer::start(move |asked, _| {
        once_released(&result(asked, json!({ "late": true })), &released)
    })
    .await;
    let front = front_of(&server, "{}", FrontLimits::default()).await;
    let (client, other) = (HttpClient::of(&front), HttpClient::of(&front));
    assert_eq!(other.send(Method::GET, "/healthz", "").await.status, StatusCode::OK);
    assert_eq!(other.send(Method::GET, "/readyz", "").await.status, StatusCode::OK);
    let calling = tokio::spawn(async move { client.ask(call(1)).await });
    server.hears(is_call).await;
    front.shutdown.drain.cancel();
    // The connection that was open can still ask; it is told to go elsewhere.
    loop {
        let heard = other.send(Method::GET, "/readyz", "").await;
        if heard.status == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        tokio::task::yield_now().await;
    }
    let refused = other.post(call(2)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key("retry-after"));
    release.send(true).expect("the server waits");
    assert_eq!(calling.await.expect("no panic")["result"], json!({ "late": true }));
    front.ended().await;
}

#[tokio::test]
async fn sessions_and_requests_have_their_limits_and_silent_sessions_end() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/call" => stream(&["data:"], false),
        _ => manners(asked, "s-1"),
    })
    .await;
    let limits = FrontLimits {
        max_sessions: Some(1),
        max_requests: 1,
        session_idle: std::time::Duration::from_millis(50),
        ..FrontLimits::default()
    };
    let front = front_of(&server, "{}", limits).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    {
        let mut calling = std::pin::pin!(client.post(call(7)));
        tokio::select! {
            _ = &mut calling => panic!("nobody answers"),
            _ = server.hears(is_call) => {}
        }
        let other = HttpClient::of(&front);
        let refused = other.post(crate::http_server::initialize()).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "too many requests");
    }
    // The session that nobody uses any more goes, and makes room.
    server.hears(|asked| asked.method == Method::DELETE).await;
    HttpClient::of(&front).initialize().await;
    front.ended().await;
}
