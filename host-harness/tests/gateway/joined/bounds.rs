//! Lists without an end, and clients that make all upstreams list all the time.

use host_harness::mcp::ListLimits;
use serde_json::{Value, json};

use super::{Upstreams, call_of, echo, list, names, request, server, tools, url};
use crate::http_server::{Asked, json_body, result};

fn lists(asked: &Asked) -> bool {
    asked.rpc_method().ends_with("/list")
}

#[tokio::test]
async fn names_of_nobody_make_the_upstreams_list_a_few_times_and_not_each_time() {
    let offers = json!({ "tools/list": { "tools": [{ "name": "a", "inputSchema": {} }] },
        "prompts/list": { "prompts": [{ "name": "p" }] } });
    let first = server(offers.clone(), echo("a")).await;
    let second = server(offers, echo("b")).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    for id in 1..=100 {
        client.say(call_of(id, &format!("none-{id}"))).await;
        client
            .say(request(1_000 + id, "prompts/get", json!({ "name": format!("none-{id}") })))
            .await;
    }
    for _ in 0..200 {
        assert_eq!(client.hear().await["error"]["code"], -32602);
    }
    assert_eq!(client.ask(call_of(500, "a")).await["result"]["by"], "a");
    client.leave().await;
    for server in [first, second] {
        let listed = server.asked_for(lists).len();
        // Three of each kind at the most, and a little for a machine that takes its time.
        assert!((2..=12).contains(&listed), "{listed} lists for 200 names");
    }
}

#[tokio::test]
async fn pages_that_lead_round_in_circles_have_an_end() {
    let circle = server(tools(&[]), |asked, _| {
        let cursor = asked.body["params"]["cursor"].as_str().unwrap_or("");
        let next = match cursor {
            "" => "x",
            "x" => "y",
            _ => "x",
        };
        lists(asked).then(|| {
            let tools = json!([{ "name": format!("t{cursor}"), "inputSchema": {} }]);
            json_body(result(asked, json!({ "tools": tools, "nextCursor": next })))
        })
    })
    .await;
    let other = server(tools(&["other"]), echo("other")).await;
    let mut client = Upstreams::new().with("a", url(&circle)).with("b", url(&other)).client().await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["t", "tx", "ty", "other"]);
    client.leave().await;
    assert_eq!(circle.asked_for(lists).len(), 3);
}

#[tokio::test]
async fn of_a_list_without_an_end_the_beginning_is_there_and_others_have_all_of_theirs() {
    let endless = server(tools(&[]), |asked, before| {
        lists(asked).then(|| {
            let names: Vec<_> = (0..7).map(|n| format!("t{}", 7 * before + n)).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let mut page = tools(&names)["tools/list"].clone();
            page["nextCursor"] = before.to_string().into();
            json_body(result(asked, page))
        })
    })
    .await;
    let other = server(tools(&["other"]), echo("other")).await;
    for (limits, kept) in [
        (ListLimits { max_listed: 20, ..ListLimits::default() }, 20),
        // By now an entry is `{"inputSchema":{},"name":"t21"}`, of 31 bytes.
        (ListLimits { max_listed_bytes: 300, ..ListLimits::default() }, 9),
    ] {
        let mut upstreams = Upstreams::new().with("a", url(&endless)).with("b", url(&other));
        upstreams.services.get_mut("a").expect("it").relaying.lists = limits;
        let mut client = upstreams.client().await;
        let listed = names(&client.ask(list("tools/list")).await, "tools", "name");
        assert_eq!(listed.len(), kept + 1, "{listed:?}");
        assert_eq!(client.ask(call_of(1, "other")).await["result"]["by"], "other");
        client.leave().await;
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_to_be_called_is_left_out() {
    let (fits, long) = ("n".repeat(256), "n".repeat(257));
    let first = server(tools(&[&fits, &long]), echo("a")).await;
    let second = server(tools(&["b"]), echo("b")).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), [&*fits, "b"]);
    let unknown = client.ask(call_of(1, &format!("{}\u{1b}[31m\n", "x".repeat(200)))).await;
    let told: &Value = &unknown["error"]["message"];
    let told = told.as_str().expect("a message");
    assert!(told.len() < 300 && told.ends_with("x\\u{1b}[31m\\n"), "{told}");
    client.leave().await;
}
