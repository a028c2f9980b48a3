//! A message is one line, and one event, however its JSON was laid out.

use host_harness::{
    gateway::Limits,
    mcp::{Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    http_client::{Front, HttpClient},
    http_server::{HttpServer, call, initialize, manners},
    line_client::LineClient,
    plugin::gateway,
};

#[cfg(unix)]
#[tokio::test]
async fn a_body_in_many_lines_is_one_message_of_a_child() {
    use crate::child_server::ChildServer;
    let child = ChildServer::new("frames", "answer");
    let gateway = gateway("{}", Limits::default());
    let front =
        Front::start(gateway, Target::Command(child.command().into()), FrontLimits::default())
            .await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    for end in ["\n", "\r", "\r\n"] {
        let smuggled = r#"{"jsonrpc":"2.0","method":"admin/secret"}"#;
        let body = format!(
            r#"{{"jsonrpc":"2.0",{end}"id":5,"method":"tools/call","params":{{"name":"t","arguments":{{"a":[{end}{smuggled}{end}]}},"_meta":{{{end}"b":{end}1}}}}}}"#
        );
        let mut heard = client.send(Method::POST, "/mcp", body).await;
        assert_eq!(heard.status, StatusCode::OK);
        assert_eq!(heard.next().await.expect("a response")["id"], 5);
        let relayed =
            format!(r#"{{"id":6,"method":"ping",{end}"params":{{"x":[{end}{smuggled}]}}}}"#);
        client.send(Method::POST, "/mcp", relayed).await;
        let told = format!(r#"{{"method":"notifications/x",{end}"params":[{end}{smuggled}]}}"#);
        client.send(Method::POST, "/mcp", told).await;
    }
    client.ask(json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" })).await;
    let read = child.read();
    assert!(!read.iter().any(|method| method == "admin/secret"), "{read:?}");
    assert_eq!(read.iter().filter(|method| *method == "tools/call").count(), 3, "{read:?}");
    front.ended().await;
}

#[tokio::test]
async fn answers_in_many_lines_reach_a_client_on_lines_and_one_that_reads_events() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/call" => {
            let (id, token) = (&asked.body["id"], &asked.body["params"]["_meta"]["progressToken"]);
            // Two messages, so that a client on HTTP gets them as events.
            let body = format!(
                "{{\r\"jsonrpc\":\"2.0\",\r\n\"method\":\"notifications/progress\",\n\"params\":\r{{\"progressToken\":{token},\n\"progress\":1}}}}\r\n{{\"jsonrpc\":\"2.0\",\r\"id\":\n{id},\"result\":{{\r\n\"content\":[\n\r]}}}}\n"
            );
            let response = http::Response::builder().header("content-type", "application/json");
            response.body(body.into()).expect("a response")
        }
        _ => manners(asked, "s"),
    })
    .await;
    let mut asks = call(7);
    asks["params"]["_meta"] = json!({ "progressToken": "p" });

    let mut lines = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    lines.ask(initialize()).await;
    let progress = lines.ask(asks.clone()).await;
    assert_eq!(progress["params"], json!({ "progressToken": "p", "progress": 1 }));
    assert_eq!(lines.hear().await["result"], json!({ "content": [] }));
    lines.leave().await;

    let upstream = host_harness::mcp::HttpUpstream::new(&server.url(), Default::default());
    let target = Target::Url(upstream.expect("a good URL"));
    let front =
        Front::start(gateway("{}", Limits::default()), target, FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    let mut heard = client.post(asks).await;
    assert_eq!(heard.next().await.expect("progress")["params"]["progress"], 1);
    assert_eq!(heard.next().await.expect("a response")["result"], json!({ "content": [] }));
    assert_eq!(heard.next().await, None);
    front.ended().await;
}
