use host_harness::gateway::Limits;
use serde_json::{Value, json};

use super::{Upstreams, list, names, request, server, url};
use crate::{
    http_server::{Asked, HttpServer, as_written, json_body, result},
    plugin::gateway,
};

/// A server that has what begins with its name, and tells so of one resource and one template.
async fn library(name: &'static str) -> HttpServer {
    let offers = json!({
        "resources/list": { "resources": [{ "uri": format!("{name}:listed") }, { "uri": "both:1" }] },
        "resources/templates/list": {
            "resourceTemplates": [{ "uriTemplate": format!("{name}:books/{{id}}") }] },
    });
    server(offers, move |asked, _| {
        let uri = match asked.rpc_method() {
            "resources/read" | "resources/subscribe" => asked.body["params"]["uri"].as_str(),
            "completion/complete" => asked.body["params"]["ref"]["uri"].as_str(),
            _ => return None,
        };
        let uri = uri.expect("a URI");
        let known = uri.starts_with(name) || uri.starts_with("both:");
        Some(json_body(if known {
            result(asked, json!({ "by": name }))
        } else {
            let error = json!({ "code": -32002, "message": "Resource not found" });
            json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error })
        }))
    })
    .await
}

fn read(uri: &str) -> Value {
    request(1, "resources/read", json!({ "uri": uri }))
}

#[tokio::test]
async fn resources_are_read_where_they_are() {
    let (first, second) = (library("a").await, library("b").await);
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let listed = client.ask(list("resources/list")).await;
    assert_eq!(names(&listed, "resources", "uri"), ["a:listed", "both:1", "b:listed"]);
    let listed = client.ask(list("resources/templates/list")).await;
    let templates = names(&listed, "resourceTemplates", "uriTemplate");
    assert_eq!(templates, ["a:books/{id}", "b:books/{id}"]);
    let reads = |server: &HttpServer, uri: &str| {
        server.asked_for(|asked| asked.body["params"]["uri"] == uri).len()
    };
    for (uri, by, asked) in [
        // Listed, and of two the first.
        ("b:listed", Some("b"), (0, 1)),
        ("both:1", Some("a"), (1, 0)),
        // By its template.
        ("b:books/7", Some("b"), (0, 1)),
        // By trial.
        ("b:hidden", Some("b"), (1, 1)),
        ("a:hidden", Some("a"), (1, 0)),
        ("c:none", None, (1, 1)),
    ] {
        let answer = client.ask(read(uri)).await;
        assert_eq!(answer["id"], 1);
        match by {
            Some(by) => assert_eq!(answer["result"]["by"], by, "{uri}"),
            None => assert_eq!(answer["error"]["code"], -32002, "{uri}"),
        }
        assert_eq!((reads(&first, uri), reads(&second, uri)), asked, "{uri}");
    }
    let subscribe = request(2, "resources/subscribe", json!({ "uri": "b:books/8" }));
    assert_eq!(client.ask(subscribe).await["result"]["by"], "b");
    let reference = json!({ "ref": { "type": "ref/resource", "uri": "b:books/{id}" } });
    let completed = client.ask(request(3, "completion/complete", reference)).await;
    assert_eq!(completed["result"]["by"], "b");
    client.leave().await;
}

#[tokio::test]
async fn a_read_is_retried_by_the_policy_of_its_upstream() {
    let offers = json!({ "resources/list": { "resources": [{ "uri": "u:1" }] } });
    let reads = |asked: &Asked| asked.rpc_method() == "resources/read";
    let busy = server(offers, move |asked, before| {
        reads(asked).then(|| {
            let error = json!({ "code": -32603, "message": "busy" });
            json_body(if before < 2 {
                json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error })
            } else {
                result(asked, json!({ "contents": [] }))
            })
        })
    })
    .await;
    let other = library("other").await;
    let gateway = gateway(r#"{"retry_resources": true}"#, Limits::default());
    let upstreams = Upstreams::behind(gateway).with("busy", url(&busy)).with("other", url(&other));
    let mut client = upstreams.client().await;
    let answer = client.ask(read("u:1")).await;
    assert_eq!(as_written(&answer), json!({ "contents": [] }));
    client.leave().await;
    assert_eq!(busy.asked_for(reads).len(), 3);
    assert_eq!(other.asked_for(reads).len(), 0);
}
