use serde_json::{Value, json};

use super::{Upstreams, server, tools, url};
use crate::http_server::{Asked, HttpServer, stream};

async fn server_that_asks() -> HttpServer {
    server(tools(&[]), |asked, _| {
        let question = r#"data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
        (asked.method == "GET").then(|| stream(&[question], false))
    })
    .await
}

#[tokio::test]
async fn two_upstreams_that_ask_under_the_same_id_each_get_their_own_answer() {
    let servers = [server_that_asks().await, server_that_asks().await];
    let mut client =
        Upstreams::new().with("a", url(&servers[0])).with("b", url(&servers[1])).client().await;
    let questions = [client.hear().await, client.hear().await];
    let ids: Vec<&Value> = questions.iter().map(|question| &question["id"]).collect();
    assert_ne!(ids[0], ids[1]);
    for question in &questions {
        assert_eq!(question["method"], "roots/list");
        let root = json!({ "uri": format!("file:///{}", question["id"].as_str().expect("text")) });
        let roots = json!({ "roots": [root] });
        client.say(json!({ "jsonrpc": "2.0", "id": question["id"], "result": roots })).await;
    }
    let answers = |asked: &Asked| asked.body.get("result").is_some();
    let mut heard = Vec::new();
    for server in &servers {
        let answer = server.hears(answers).await.body;
        assert_eq!(answer["id"], 1, "under the upstream's own id");
        heard.push(answer["result"]["roots"][0]["uri"].clone());
    }
    assert_ne!(heard[0], heard[1], "each its own");
    client.leave().await;
    for server in &servers {
        assert_eq!(server.asked_for(answers).len(), 1);
    }
}
