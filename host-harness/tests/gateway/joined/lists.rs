use host_harness::mcp::Prefixes;
use serde_json::json;

use super::{Upstreams, call_of, echo, list, names, request, server, silent, tools, url};
use crate::http_server::{json_body, result};

#[tokio::test]
async fn lists_are_joined_in_order_and_read_to_their_end() {
    let first = server(tools(&[]), |asked, _| {
        let (names, next) = match (asked.rpc_method(), asked.body["params"]["cursor"].as_str()) {
            ("tools/list", None) => (["a1", "a2"], Some("")),
            ("tools/list", Some("")) => (["a3", "a4"], Some("2")),
            ("tools/list", Some("2")) => (["a5", "a6"], None),
            _ => return None,
        };
        let mut page = tools(&names)["tools/list"].clone();
        if let Some(next) = next {
            page["nextCursor"] = next.into();
        }
        Some(json_body(result(asked, page)))
    })
    .await;
    let second = server(tools(&["b1"]), silent).await;
    let mut client = Upstreams::new().with("b", url(&second)).with("a", url(&first)).client().await;
    let answer = client.ask(list("tools/list")).await;
    assert_eq!(names(&answer, "tools", "name"), ["a1", "a2", "a3", "a4", "a5", "a6", "b1"]);
    assert_eq!(answer["result"].as_object().expect("a result").len(), 1, "nothing but the tools");
    let pages = first.asked_for(|asked| asked.rpc_method() == "tools/list");
    let ids: Vec<_> = pages.iter().map(|page| page.body["id"].to_string()).collect();
    assert!(ids.len() == 3 && ids[1] != ids[2] && ids[0] != ids[1], "{ids:?}");
    let made_up = client.ask(request(6, "tools/list", json!({ "cursor": "2" }))).await;
    assert_eq!(made_up["error"]["code"], -32602);
    client.leave().await;
}

#[tokio::test]
async fn entries_pass_as_they_were_written() {
    let tool = r#"{"title":"ä","name":"t","inputSchema":{"z":1.0,"a":[1e2,-0]},"x":null}"#;
    let prefixed = server(tools(&[]), move |asked, _| {
        (asked.rpc_method() == "tools/list").then(|| {
            let id = &asked.body["id"];
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[{tool}]}}}}"#);
            let body = axum::body::Body::from(text);
            let response = axum::response::Response::builder();
            response.header("content-type", "application/json").body(body).expect("a response")
        })
    })
    .await;
    let tools = Some("p.".to_owned());
    let upstreams = Upstreams::new().with("plain", url(&prefixed)).with_prefixes(
        "pre",
        url(&prefixed),
        Prefixes { tools, ..Prefixes::default() },
    );
    let mut client = upstreams.client().await;
    client.say(list("tools/list")).await;
    let renamed = tool.replace(r#""t""#, r#""p.t""#);
    assert_eq!(
        client.hear_text().await,
        format!(r#"{{"jsonrpc":"2.0","id":5,"result":{{"tools":[{tool},{renamed}]}}}}"#)
    );
    client.leave().await;
}

#[tokio::test]
async fn of_two_tools_of_one_name_the_first_is_there_and_a_prefix_brings_the_other_back() {
    let first = server(tools(&["find", "a"]), echo("a")).await;
    let second = server(tools(&["find", "b"]), echo("b")).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let answer = client.ask(list("tools/list")).await;
    assert_eq!(names(&answer, "tools", "name"), ["find", "a", "b"]);
    let answer = client.ask(call_of(1, "find")).await;
    assert_eq!(answer["result"], json!({ "by": "a", "tool": "find" }));
    client.leave().await;

    let told = Prefixes { tools: Some("b_".to_owned()), ..Prefixes::default() };
    let upstreams = Upstreams::new().with("a", url(&first)).with_prefixes("b", url(&second), told);
    let mut client = upstreams.client().await;
    let answer = client.ask(list("tools/list")).await;
    assert_eq!(names(&answer, "tools", "name"), ["find", "a", "b_find", "b_b"]);
    for (tool, by, own) in [("find", "a", "find"), ("b_find", "b", "find"), ("b_b", "b", "b")] {
        let answer = client.ask(call_of(1, tool)).await;
        assert_eq!(answer["result"], json!({ "by": by, "tool": own }), "{tool}");
    }
    client.leave().await;
}

#[tokio::test]
async fn prompts_have_a_prefix_of_their_own() {
    let prompts =
        json!({ "prompts/list": { "prompts": [{ "name": "p" }] }, "completions/none": {} });
    let play = |name: &'static str| {
        move |asked: &crate::http_server::Asked, _: usize| match asked.rpc_method() {
            "prompts/get" | "completion/complete" => Some(json_body(result(
                asked,
                json!({ "by": name, "params": asked.body["params"] }),
            ))),
            _ => None,
        }
    };
    let first = server(prompts.clone(), play("a")).await;
    let second = server(prompts, play("b")).await;
    let told = Prefixes { prompts: Some("b.".to_owned()), ..Prefixes::default() };
    let upstreams = Upstreams::new().with("a", url(&first)).with_prefixes("b", url(&second), told);
    let mut client = upstreams.client().await;
    // Without a list: they are asked for one.
    let answer = client.ask(request(1, "prompts/get", json!({ "name": "b.p" }))).await;
    assert_eq!(answer["result"], json!({ "by": "b", "params": { "name": "p" } }));
    let answer = client.ask(list("prompts/list")).await;
    assert_eq!(names(&answer, "prompts", "name"), ["p", "b.p"]);
    let reference = |name: &str| json!({ "ref": { "type": "ref/prompt", "name": name }, "z": 1 });
    let answer = client.ask(request(2, "completion/complete", reference("b.p"))).await;
    assert_eq!(answer["result"], json!({ "by": "b", "params": reference("p") }));
    let unknown = client.ask(request(3, "prompts/get", json!({ "name": "q" }))).await;
    assert_eq!(unknown["error"], json!({ "code": -32602, "message": "Unknown prompt: q" }));
    client.leave().await;
}
