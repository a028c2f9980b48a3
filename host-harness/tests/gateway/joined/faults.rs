use std::time::Duration;

use serde_json::json;

use super::{Upstreams, call_of, echo, greeted, list, names, server, tools, url};
use crate::{
    http_server::{Asked, json_body, once_released, result, stream},
    line_client::LineClient,
};

#[tokio::test]
async fn an_upstream_that_is_silent_is_left_out_of_lists_and_keeps_nobody_waiting() {
    let steady = server(tools(&["steady", "both"]), echo("steady")).await;
    let mute = server(tools(&["mute", "both"]), |asked: &Asked, before| {
        let silent = asked.rpc_method() == "tools/list" && before > 0;
        if silent { Some(stream(&["data:"], false)) } else { echo("mute")(asked, before) }
    })
    .await;
    let group = Upstreams::new().with("mute", url(&mute)).with("steady", url(&steady));
    // Long enough for an answer on a busy machine, short enough to wait for.
    let group = group.joined_with(Duration::from_millis(400));
    let mut client = greeted(LineClient::of_several(group)).await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["mute", "both", "steady"]);
    let listed = client.ask(list("tools/list")).await;
    let left = "what the silent one has is not handed to the other";
    assert_eq!(names(&listed, "tools", "name"), ["steady"], "{left}");
    mute.hears(|asked| asked.rpc_method() == "notifications/cancelled").await;
    let unknown = client.ask(call_of(1, "none")).await;
    assert_eq!(unknown["error"]["message"], "Unknown tool: none (no answer from `mute`)");
    assert_eq!(client.ask(call_of(2, "both")).await["result"]["by"], "mute");
    client.leave().await;
}

#[tokio::test]
async fn an_upstream_that_is_late_joins_the_others_when_it_has_agreed() {
    let steady = server(tools(&["steady"]), echo("steady")).await;
    let (release, released) = tokio::sync::watch::channel(false);
    let late = server(tools(&["late"]), move |asked: &Asked, _| {
        (asked.rpc_method() == "initialize").then(|| {
            let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} } });
            once_released(&result(asked, hello), &released)
        })
    })
    .await;
    let group = Upstreams::new().with("late", url(&late)).with("steady", url(&steady));
    let group = group.joined_with(Duration::from_millis(400));
    let mut client = greeted(LineClient::of_several(group)).await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["steady"]);
    release.send(true).expect("it waits");
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["late", "steady"]);
    client.leave().await;
    let methods: Vec<_> = late.asked_for(|asked| asked.method == "POST");
    let methods: Vec<_> = methods.iter().map(Asked::rpc_method).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized", "tools/list"]);
}

#[tokio::test]
async fn a_list_that_fails_everywhere_is_the_error_of_the_first() {
    let fails = |code: i64| {
        move |asked: &Asked, _: usize| {
            let error = json!({ "code": code, "message": "no" });
            let begun = asked.body["params"].get("cursor").is_none();
            (asked.rpc_method() == "tools/list").then(|| {
                json_body(if begun {
                    result(asked, json!({ "tools": [], "nextCursor": "2" }))
                } else {
                    json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error })
                })
            })
        }
    };
    let first = server(tools(&[]), fails(-32603)).await;
    let second = server(tools(&[]), fails(7)).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let answer = client.ask(list("tools/list")).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(5), &json!(-32603)));
    client.leave().await;
}

#[tokio::test]
async fn an_upstream_whose_session_is_over_does_not_end_the_clients() {
    let gone = server(tools(&["gone"]), |asked: &Asked, _| {
        let begun = asked.rpc_method() != "tools/call";
        (!begun).then(|| crate::http_server::status(404))
    })
    .await;
    let steady = server(tools(&["steady"]), |asked: &Asked, _| {
        (asked.rpc_method() == "tools/call").then(|| json_body(result(asked, json!({}))))
    })
    .await;
    let group = Upstreams::new().with("gone", url(&gone)).with("steady", url(&steady));
    let (front, mut client) = super::fronts::http(group).await;
    client.initialize().await;
    let mut heard = client.post(call_of(1, "gone")).await;
    assert_eq!(heard.status, 200, "404 would say that the client's own session is over");
    assert!(heard.next().await.expect("a response").get("error").is_some());
    assert!(client.ask(call_of(2, "steady")).await.get("result").is_some());
    front.ended().await;
}

#[tokio::test]
async fn an_upstream_that_refused_the_session_is_asked_again_and_joins_the_others() {
    let steady = server(tools(&["steady"]), echo("steady")).await;
    let busy = server(tools(&["busy"]), |asked: &Asked, before| {
        let refuses = asked.rpc_method() == "initialize" && before == 0;
        if refuses { Some(crate::http_server::status(503)) } else { echo("busy")(asked, before) }
    })
    .await;
    let group = Upstreams::new().with("busy", url(&busy)).with("steady", url(&steady));
    let group = group.joined_with(Duration::from_millis(400));
    let mut client = greeted(LineClient::of_several(group)).await;
    let joins = async {
        loop {
            client.say(list("tools/list")).await;
            let heard = client.hear().await;
            if heard["method"] == "notifications/tools/list_changed" {
                return;
            }
            assert_eq!(names(&heard, "tools", "name"), ["steady"]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::line_client::PATIENCE, joins).await.expect("it joins in time");
    // The answer to the last list comes as well.
    client.hear().await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["busy", "steady"]);
    client.leave().await;
    let greetings = busy.asked_for(|asked| asked.rpc_method() == "initialize").len();
    assert_eq!(greetings, 2, "once more, not each time");
}
