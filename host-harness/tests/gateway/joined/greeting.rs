use serde_json::json;

use super::{Upstreams, request, server, silent, tools, url};
use crate::{
    http_server::{HttpServer, initialize, initialized, json_body, manners, result, status},
    line_client::LineClient,
};

async fn server_that_says(hello: serde_json::Value) -> HttpServer {
    HttpServer::start(move |asked, _| match asked.rpc_method() {
        "initialize" => json_body(result(asked, hello.clone())),
        _ => manners(asked, "s"),
    })
    .await
}

#[tokio::test]
async fn a_client_meets_one_server_that_can_do_what_all_can() {
    let first =
        server_that_says(json!({ "protocolVersion": "2025-11-25", "instructions": "Search.",
        "capabilities": { "tools": { "listChanged": true }, "logging": {} } }))
        .await;
    let second =
        server_that_says(json!({ "protocolVersion": "2025-06-18", "instructions": "Read.",
        "capabilities": { "tools": {}, "resources": { "subscribe": true } } }))
        .await;
    let third = HttpServer::start(|_, _| status(401)).await;
    let group = Upstreams::new()
        .with("a", url(&first))
        .with("b", url(&second))
        .with("c", url(&third))
        .with("d", super::Target::Command(["/nowhere/to/be/found".into()].into()));
    let mut client = LineClient::of_several(group.joined());
    let hello = client.ask(initialize()).await;
    assert_eq!(
        hello,
        json!({ "jsonrpc": "2.0", "id": 0, "result": {
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": { "listChanged": true }, "logging": {},
                "resources": { "subscribe": true, "listChanged": true } },
            "serverInfo": { "name": "host-harness", "version": env!("CARGO_PKG_VERSION") },
            "instructions": "# a\n\nSearch.\n\n# b\n\nRead." } })
    );
    client.say(initialized()).await;
    for server in [&first, &second] {
        let said = server.hears(|asked| asked.rpc_method() == "initialize").await;
        assert_eq!(said.body, initialize(), "in the client's own words");
        server.hears(|asked| asked.rpc_method() == "notifications/initialized").await;
    }
    let level = request(1, "logging/setLevel", json!({ "level": "error" }));
    client.say(level.clone()).await;
    // Nobody but the one that logs; what it answers is its own affair.
    first.hears(|asked| asked.body == level).await;
    client.leave().await;
    assert_eq!(second.asked_for(|asked| asked.rpc_method() == "logging/setLevel").len(), 0);
    assert_eq!(third.asked().len(), 1, "who is left out hears nothing more");
}

#[tokio::test]
async fn if_nobody_agrees_the_client_hears_what_the_first_has_to_say() {
    let servers = [HttpServer::start(|_, _| status(403)).await, {
        HttpServer::start(|_, _| status(500)).await
    }];
    let group = Upstreams::new().with("a", url(&servers[0])).with("b", url(&servers[1]));
    let mut client = LineClient::of_several(group.joined());
    let hello = client.ask(initialize()).await;
    assert_eq!(hello["error"]["data"]["httpStatus"], 403, "{hello}");
    client.leave().await;
}

#[tokio::test]
async fn a_ping_is_answered_and_a_method_that_nobody_knows_is_not_found() {
    let knows = |asked: &crate::http_server::Asked, _: usize| match asked.rpc_method() {
        "of/tomorrow" => Some(json_body(result(asked, json!({ "by": "b" })))),
        _ => None,
    };
    let unknown = |asked: &crate::http_server::Asked, _: usize| match asked.rpc_method() {
        "of/tomorrow" | "of/never" => {
            let error = json!({ "code": -32601, "message": "what?" });
            Some(json_body(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error })))
        }
        _ => None,
    };
    let (first, second) = (server(tools(&[]), unknown).await, {
        server(tools(&[]), move |asked, before| {
            knows(asked, before).or_else(|| unknown(asked, before))
        })
        .await
    });
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    assert_eq!(client.ask(request(1, "ping", json!({}))).await["result"], json!({}));
    let answer = client.ask(request(2, "of/tomorrow", json!({}))).await;
    assert_eq!(answer["result"]["by"], "b");
    let answer = client.ask(request(3, "of/never", json!({}))).await;
    assert_eq!((&answer["id"], &answer["error"]["message"]), (&json!(3), &json!("what?")));
    client.leave().await;
}

#[tokio::test]
async fn the_clients_news_goes_to_all() {
    let servers = [server(tools(&[]), silent).await, server(tools(&[]), silent).await];
    let mut client =
        Upstreams::new().with("a", url(&servers[0])).with("b", url(&servers[1])).client().await;
    let news = json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" });
    client.say(news.clone()).await;
    for server in &servers {
        server.hears(|asked| asked.body == news).await;
    }
    client.leave().await;
}
