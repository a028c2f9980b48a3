//! What is for one client, or for it to say, is not for another.

use host_harness::{
    gateway::Limits,
    mcp::{
        HttpUpstream, RelayOptions, Target,
        front::http::{FrontLimits, Service},
    },
};
use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{Asked, HttpServer, call, json_body, manners, result, status, stream},
    plugin::gateway,
};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

fn modern_call(front: &Front, name: &str) -> (HttpClient, Value) {
    let mut client = HttpClient::of(front);
    client.set("mcp-protocol-version", "2026-07-28");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": name, "_meta": { VERSION: "2026-07-28" } } });
    (client, call)
}

fn front_of(server: &HttpServer) -> impl Future<Output = Front> {
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let gateway = gateway("{}", Limits::default());
    Front::start(gateway, Target::Url(upstream), FrontLimits::default())
}

fn is_answer(asked: &Asked) -> bool {
    asked.body.get("result").is_some()
}

#[tokio::test]
async fn only_the_client_that_was_asked_can_answer_the_server() {
    let question = json!({ "jsonrpc": "2.0", "id": "q-1", "method": "elicitation/create",
        "params": { "message": "transfer?", "_meta": { "progressToken": "q-1" } } });
    let server = HttpServer::start(move |asked, _| match asked.rpc_method() {
        "tools/call" => stream(&[&format!("data: {question}")], false),
        _ => status(202),
    })
    .await;
    let front = front_of(&server).await;
    let (alice, asks) = modern_call(&front, "ask");
    let mut heard = alice.post(asks).await;
    let asked = heard.next().await.expect("a question");
    assert_eq!(asked["method"], "elicitation/create");
    assert_ne!(asked["id"], "q-1");
    assert_eq!(asked["params"]["_meta"]["progressToken"], asked["id"]);

    let mallory = HttpClient::of(&front);
    // The question after it, with the seal of this one.
    let name = asked["id"].as_str().expect("a text");
    let (kind, rest) = name.split_once('-').expect("a name of parts");
    let (number, seal) = rest.split_once('-').expect("a name of parts");
    let number: u32 = number.parse().expect("a number");
    let guessed = format!("{kind}-{}-{seal}", number + 1);
    for forged in [
        json!({ "jsonrpc": "2.0", "id": "q-1", "result": { "action": "accept" } }),
        json!({ "jsonrpc": "2.0", "id": guessed, "result": { "action": "accept" } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": "q-1", "progress": 1 } }),
    ] {
        assert_eq!(mallory.post(forged).await.status, StatusCode::ACCEPTED);
    }
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "decline" } });
    assert_eq!(alice.post(answer.clone()).await.status, StatusCode::ACCEPTED);
    let came = server.hears(is_answer).await.body;
    assert_eq!(came, json!({ "jsonrpc": "2.0", "id": "q-1", "result": { "action": "decline" } }));
    // Once, and nothing of what others said has come.
    alice.post(answer).await;
    let rest = server.asked_for(|asked| asked.rpc_method() != "tools/call");
    assert_eq!(rest.len(), 1, "{rest:?}");
    front.ended().await;
}

#[tokio::test]
async fn a_server_that_takes_no_notification_holds_up_who_sent_it_and_nobody_else() {
    let server = HttpServer::start_slow(|asked, _| {
        Box::pin(async move {
            match asked.rpc_method() {
                "tools/call" => json_body(result(&asked, json!({ "content": [] }))),
                _ => std::future::pending().await,
            }
        })
    })
    .await;
    let front = front_of(&server).await;
    let mallory = HttpClient::of(&front);
    for _ in 0..20 {
        let changed = json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" });
        assert_eq!(mallory.post(changed).await.status, StatusCode::ACCEPTED);
    }
    let (alice, call) = modern_call(&front, "t");
    assert_eq!(alice.ask(call).await["id"], 1);
    front.ended().await;
}

#[tokio::test]
async fn the_gateway_signs_what_it_sends_in_a_session_as_its_client_last_did() {
    let server = HttpServer::start(|asked, before| {
        let authorized = asked.header("authorization").is_some_and(|it| it.starts_with("Bearer "));
        match (asked.method.as_str(), asked.rpc_method()) {
            _ if !authorized => status(401),
            ("GET", _) => stream(&[": hello"], false),
            // The first session expires at its second call.
            ("POST", "tools/call") if before == 1 => status(404),
            ("POST", "tools/call") if asked.body["params"]["name"] == "hang" => {
                stream(&["data:"], false)
            }
            ("POST", "tools/call") => json_body(result(asked, json!({ "content": [] }))),
            ("POST", "initialize") => manners(asked, &format!("session-{before}")),
            _ => manners(asked, ""),
        }
    })
    .await;
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let service = Service {
        gateway: gateway("{}", Limits::default()),
        relaying: RelayOptions::default(),
        target: Target::Url(upstream),
        pass_headers: vec![AUTHORIZATION],
    };
    let front = Front::of([("played".to_owned(), service)].into(), FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    client.set("authorization", "Bearer first");
    client.initialize().await;
    server.hears(|asked| asked.method == Method::GET).await;
    // A token that was refreshed in the middle of the session.
    client.set("authorization", "Bearer second");
    for id in [1, 2, 3] {
        let answer = client.ask(call(id)).await;
        assert!(answer.get("result").is_some(), "{answer}");
    }
    {
        let mut hanging = call(4);
        hanging["params"]["name"] = "hang".into();
        let mut calling = std::pin::pin!(client.post(hanging));
        tokio::select! {
            _ = &mut calling => panic!("nobody answers"),
            _ = server.hears(|asked| asked.body["params"]["name"] == "hang") => {}
        }
    }
    server.hears(|asked| asked.rpc_method() == "notifications/cancelled").await;
    assert_eq!(client.send(Method::DELETE, "/mcp", "").await.status, StatusCode::OK);

    let second = |asked: &&Asked| asked.header("authorization") == Some("Bearer second");
    let (signed, others): (Vec<_>, Vec<_>) = {
        let asked = server.asked();
        let (signed, others): (Vec<_>, Vec<_>) = asked.iter().partition(second);
        (signed.into_iter().cloned().collect(), others.into_iter().cloned().collect())
    };
    let what = |asked: &Asked| format!("{} {}", asked.method, asked.rpc_method());
    let before: Vec<_> = others.iter().map(what).collect();
    assert_eq!(before, ["POST initialize", "POST notifications/initialized", "GET "]);
    let by_itself = ["POST initialize", "POST notifications/initialized", "GET ", "DELETE "];
    for expected in by_itself {
        assert!(signed.iter().any(|asked| what(asked) == expected), "{expected}: {signed:?}");
    }
    front.ended().await;
}
