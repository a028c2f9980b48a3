//! Upstreams that are processes, and do what processes do.

use host_harness::{gateway::Limits, mcp::Target};
use serde_json::{Value, json};

use super::{
    Upstreams, call_of, echo, greeted, list, names, server, stateless::modern, tools, url,
};
use crate::{
    http_server::{initialize, initialized},
    line_client::LineClient,
    plugin::gateway,
};

/// Crashes at every call, and lists the tool `crash`.
const CRASHES: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    case "$line" in
    *tools/call*) exit 3 ;;
    *initialize\"*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}' ;;
    *) result='{"tools":[{"name":"crash"}]}' ;;
    esac
    case "$line" in
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result" ;;
    esac
done
"#;

/// The answer to a request, and the methods of what came before it.
async fn ask_past(news: &mut Vec<String>, client: &mut LineClient, request: Value) -> Value {
    client.say(request).await;
    loop {
        let heard = client.hear().await;
        match heard["method"].as_str() {
            Some(method) => news.push(method.to_owned()),
            None => return heard,
        }
    }
}

#[tokio::test]
async fn a_child_that_crashes_for_good_does_not_take_the_others_along() {
    let steady = server(tools(&["steady"]), echo("steady")).await;
    let child = Target::Command(["sh", "-c", CRASHES].map(Into::into).into());
    let gateway = gateway(r#"{"max_retries": 0}"#, Limits::default());
    let mut client =
        Upstreams::behind(gateway).with("child", child).with("steady", url(&steady)).client().await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["crash", "steady"]);
    // The fifth crash in a row is the last: then it is gone for good.
    let mut news = Vec::new();
    for id in 1..=7 {
        let lost = ask_past(&mut news, &mut client, call_of(id, "crash")).await;
        let told = &lost["error"]["message"];
        assert_eq!(told, "the upstream server closed the connection", "{lost}");
        let answer = ask_past(&mut news, &mut client, call_of(100 + id, "steady")).await;
        assert_eq!(answer["result"]["by"], "steady");
    }
    assert_eq!(news, ["notifications/tools/list_changed"]);
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["steady"]);
    client.leave().await;
}

/// Answers `initialize`, and reads no further.
const DEAF: &str = r#"
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}\n'
exec sleep 60
"#;

#[tokio::test]
async fn an_upstream_that_reads_nothing_keeps_nobody_waiting() {
    let steady = server(tools(&["steady"]), echo("steady")).await;
    let deaf = Target::Command(["sh", "-c", DEAF].map(Into::into).into());
    let group = Upstreams::new().with("deaf", deaf).with("steady", url(&steady)).joined();
    let mut client = greeted(LineClient::of_several(group)).await;
    // More than the pipe and the queues hold.
    let news = json!({ "jsonrpc": "2.0", "method": "notifications/of/tomorrow",
        "params": { "x": "x".repeat(10_000) } });
    for _ in 0..1_200 {
        client.say(news.clone()).await;
    }
    let answer = client.ask(call_of(1, "steady")).await;
    assert_eq!(answer["result"]["by"], "steady");
    let heard = steady.asked_for(|asked| asked.rpc_method() == "notifications/of/tomorrow");
    assert_eq!(heard.len(), 1_200, "the other one hears all of it");
    // Not in order, for that would wait for the end of its sleep.
    drop(client);
}

#[tokio::test]
async fn when_the_last_upstream_has_ended_so_does_the_session() {
    let ends = || Target::Command(["sh", "-c", "exit 3"].map(Into::into).into());
    let group = Upstreams::new().with("a", ends()).with("b", ends()).joined();
    LineClient::of_several(group).abandoned().await;
}

/// Ends at everything that is not `initialize` before it, as older servers do.
const EASILY_OFFENDED: &str = r#"
read -r line
case "$line" in *initialize\"*) ;; *) exit 3 ;; esac
printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}\n' 7
read -r line
read -r line
printf '{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"old"}]}}\n'
read -r line
"#;

#[tokio::test]
async fn a_client_of_both_eras_finds_older_servers_alive_that_do_not_survive_its_first_question() {
    let command = || Target::Command(["sh", "-c", EASILY_OFFENDED].map(Into::into).into());
    let group = Upstreams::new().with("a", command()).joined();
    let mut client = LineClient::of_several(group);
    let discovered = client.ask(modern(1, "server/discover", json!({}))).await;
    assert_eq!(discovered["error"]["code"], -32600, "{discovered}");
    let mut hello = initialize();
    hello["id"] = json!(7);
    let answer = client.ask(hello).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
    client.say(initialized()).await;
    let listed = client.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["old"]);
    client.leave().await;
}
