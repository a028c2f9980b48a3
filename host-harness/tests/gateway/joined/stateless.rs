use axum::response::Response;
use host_harness::mcp::Prefixes;
use serde_json::{Value, json};

use super::{Upstreams, fronts, names, server, silent, tools, url};
use crate::{
    http_client::HttpClient,
    http_server::{Asked, HttpServer, json_body, result, status, stream},
};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

pub(super) fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ VERSION: "2026-07-28", CAPABILITIES: {} });
    super::request(id, method, params)
}

/// A server of 2026-07-28 with a tool.
pub(super) async fn modern_server(
    tool: &'static str,
    play: impl Fn(&Asked) -> Option<Response> + Send + Sync + 'static,
) -> HttpServer {
    HttpServer::start(move |asked, _| {
        let version = asked.body["params"]["_meta"][VERSION].as_str();
        assert!(version.is_some(), "{}", asked.body);
        assert_eq!(asked.header("mcp-protocol-version"), version);
        assert_eq!(asked.header("mcp-method"), Some(asked.rpc_method()));
        if let Some(response) = play(asked) {
            return response;
        }
        json_body(match asked.rpc_method() {
            "server/discover" => result(
                asked,
                json!({ "resultType": "complete", "supportedVersions": ["2026-07-28", tool],
                    "capabilities": { "tools": {} }, "ttlMs": 1000, "cacheScope": "public" }),
            ),
            "tools/list" => result(
                asked,
                json!({ "resultType": "complete", "tools": [{ "name": tool, "inputSchema": {} }],
                    "ttlMs": if tool == "a" { 5000 } else { 7000 }, "cacheScope": "public" }),
            ),
            "tools/call" => {
                assert_eq!(asked.header("mcp-name"), asked.body["params"]["name"].as_str());
                result(asked, json!({ "resultType": "complete", "by": tool }))
            }
            _ => result(asked, json!({})),
        })
    })
    .await
}

fn plain(_: &Asked) -> Option<Response> {
    None
}

/// Posts with the headers that have to mirror the body.
pub(super) async fn ask(client: &HttpClient, message: Value) -> (u16, Value) {
    let mut client = client.clone();
    client.set("mcp-protocol-version", "2026-07-28");
    let method: &str = message["method"].as_str().expect("a method");
    client.headers.insert("mcp-method", method.parse().expect("a value"));
    if let Some(name) = message["params"]["name"].as_str() {
        client.headers.insert("mcp-name", name.parse().expect("a value"));
    }
    let mut heard = client.post(message).await;
    (heard.status.as_u16(), heard.next().await.expect("a response"))
}

#[tokio::test]
async fn servers_of_2026_are_joined_without_a_session_and_one_of_before_is_left_out() {
    let (first, second) = (modern_server("a", plain).await, modern_server("b", plain).await);
    let legacy = server(tools(&["old"]), |asked, _| {
        (asked.rpc_method() != "initialize").then(|| status(400))
    })
    .await;
    let told = Prefixes { tools: Some("x_".to_owned()), ..Prefixes::default() };
    let upstreams = Upstreams::new()
        .with("a", url(&first))
        .with_prefixes("b", url(&second), told)
        .with("c", url(&legacy));
    let (front, client) = fronts::http(upstreams).await;
    // The names of nobody are known yet.
    let (code, answer) = ask(&client, modern(1, "tools/call", json!({ "name": "x_b" }))).await;
    assert_eq!((code, &answer["result"]["by"]), (200, &json!("b")), "{answer}");
    let (_, answer) = ask(&client, modern(2, "server/discover", json!({}))).await;
    let info = json!({ "name": "host-harness", "version": env!("CARGO_PKG_VERSION") });
    let meta = json!({ "io.modelcontextprotocol/serverInfo": info });
    assert_eq!(
        answer["result"],
        json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            "resultType": "complete", "ttlMs": 1000, "cacheScope": "public", "_meta": meta })
    );
    let (_, answer) = ask(&client, modern(3, "tools/list", json!({}))).await;
    assert_eq!(names(&answer, "tools", "name"), ["a", "x_b"]);
    let result = &answer["result"];
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(5000), &json!("public")));
    assert_eq!((&result["resultType"], &result["_meta"]), (&json!("complete"), &meta));
    let (code, answer) = ask(&client, modern(4, "tools/call", json!({ "name": "none" }))).await;
    assert_eq!((code, &answer["error"]["code"]), (200, &json!(-32602)));
    let mut wrong = client.clone();
    wrong.set("mcp-method", "tools/list");
    let refused = wrong.post(modern(5, "tools/call", json!({ "name": "a" }))).await;
    assert_eq!(refused.status, 400, "headers have to say what the body says");
    front.ended().await;
    let asked: Vec<_> = legacy.asked().iter().map(|one| one.rpc_method().to_owned()).collect();
    assert_eq!(asked, ["server/discover"], "once it is known, it is left alone");
    // The one request that names nothing that is known, and the client's own.
    let discovered = first.asked_for(|asked| asked.rpc_method() == "server/discover").len();
    assert_eq!(discovered, 2);
}

#[tokio::test]
async fn if_all_are_of_before_the_client_is_told_to_begin_a_session() {
    let refuses =
        |asked: &Asked, _: usize| (asked.rpc_method() == "server/discover").then(|| status(400));
    // The other one takes it for a notification.
    let servers = [server(tools(&["a"]), refuses).await, server(tools(&["b"]), silent).await];
    let (front, mut client) =
        fronts::http(Upstreams::new().with("a", url(&servers[0])).with("b", url(&servers[1])))
            .await;
    let (code, answer) = ask(&client, modern(1, "tools/list", json!({}))).await;
    assert_eq!((code, &answer["error"]["code"]), (400, &json!(-32600)), "{answer}");
    client.initialize().await;
    let listed = client.ask(super::list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["a", "b"]);
    front.ended().await;
}

#[tokio::test]
async fn however_many_clients_come_first_each_server_is_asked_once_what_it_is() {
    let (first, second) = (modern_server("a", plain).await, modern_server("b", plain).await);
    let (front, client) =
        fronts::http(Upstreams::new().with("a", url(&first)).with("b", url(&second))).await;
    let calls = (0..20).map(|n| {
        let tool = if n % 2 == 0 { "a" } else { "b" };
        let (client, call) = (&client, modern(1, "tools/call", json!({ "name": tool })));
        async move {
            let (_, answer) = ask(client, call).await;
            assert_eq!(answer["result"]["by"], tool);
        }
    });
    futures_util::future::join_all(calls).await;
    front.ended().await;
    for server in [first, second] {
        let asked = server.asked_for(|asked| asked.rpc_method() == "server/discover");
        assert_eq!(asked.len(), 1);
    }
}

#[tokio::test]
async fn what_one_client_gets_wrong_is_no_word_on_the_servers() {
    let first = modern_server("a", |asked: &Asked| {
        let version = &asked.body["params"]["_meta"][VERSION];
        (version != "2026-07-28").then(|| {
            let data = json!({ "supported": ["2026-07-28"], "requested": version });
            let error = json!({ "code": -32022, "message": "no", "data": data });
            let answer = json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error });
            let mut response = json_body(answer);
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            response
        })
    })
    .await;
    let second = modern_server("b", plain).await;
    let (front, client) =
        fronts::http(Upstreams::new().with("a", url(&first)).with("b", url(&second))).await;
    let mut unsaid = modern(1, "tools/list", json!({}));
    unsaid["params"]["_meta"] = json!({ VERSION: "2026-07-28" });
    let (code, answer) = ask(&client, unsaid).await;
    assert_eq!((code, &answer["error"]["code"]), (400, &json!(-32602)), "{answer}");
    assert!(first.asked().is_empty(), "nothing of it reached the servers");
    let mut future = modern(2, "tools/call", json!({ "name": "a" }));
    future["params"]["_meta"][VERSION] = "2999-01-01".into();
    let mut later = client.clone();
    for (name, value) in
        [("mcp-protocol-version", "2999-01-01"), ("mcp-method", "tools/call"), ("mcp-name", "a")]
    {
        later.set(name, value);
    }
    let mut heard = later.post(future).await;
    assert_eq!(heard.status, 400);
    let answer = heard.next().await.expect("a response");
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"]["supported"], json!(["2026-07-28"]));
    let (_, answer) = ask(&client, modern(3, "tools/call", json!({ "name": "a" }))).await;
    assert_eq!(answer["result"]["by"], "a", "others are served as before: {answer}");
    front.ended().await;
}

#[tokio::test]
async fn a_subscription_is_one_to_all_and_names_the_clients_request() {
    let subscribes = |uri: &'static str| {
        move |asked: &Asked| {
            (asked.rpc_method() == "subscriptions/listen").then(|| {
                let meta = json!({ "io.modelcontextprotocol/subscriptionId": asked.body["id"] });
                let told = |method: &str, params: Value| {
                    let mut params = params;
                    params["_meta"] = meta.clone();
                    let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
                    format!("data: {message}")
                };
                let agreed = told(
                    "notifications/subscriptions/acknowledged",
                    json!({ "notifications": { "resourceSubscriptions": [uri] } }),
                );
                let news = told("notifications/resources/updated", json!({ "uri": uri }));
                stream(&[&agreed, &news], false)
            })
        }
    };
    let first = modern_server("a", subscribes("u:a")).await;
    let second = modern_server("b", subscribes("u:b")).await;
    let (front, mut client) =
        fronts::http(Upstreams::new().with("a", url(&first)).with("b", url(&second))).await;
    client.set("mcp-protocol-version", "2026-07-28");
    client.set("mcp-method", "subscriptions/listen");
    let wanted = json!({ "notifications": { "resourceSubscriptions": ["u:a", "u:b"] } });
    let mut heard = client.post(modern(9, "subscriptions/listen", wanted)).await;
    let agreed = heard.next().await.expect("an acknowledgement");
    assert_eq!(agreed["method"], "notifications/subscriptions/acknowledged");
    let uris = &agreed["params"]["notifications"]["resourceSubscriptions"];
    let mut uris: Vec<_> =
        uris.as_array().expect("URIs").iter().map(|uri| uri.as_str().expect("text")).collect();
    uris.sort_unstable();
    assert_eq!(uris, ["u:a", "u:b"]);
    let mut news = [heard.next().await.expect("news"), heard.next().await.expect("news")];
    news.sort_by_key(|one| one["params"]["uri"].to_string());
    for (one, uri) in news.iter().zip(["u:a", "u:b"]) {
        assert_eq!(one["params"]["uri"], uri);
        let meta = &one["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], 9);
    }
    drop(heard);
    front.ended().await;
}
