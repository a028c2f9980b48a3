use std::sync::{Arc, Mutex};

use axum::response::Response;
use host_harness::{
    gateway::{Gateway, Limits, LogicalCall, Observer, Step, SystemClock},
    mcp::Prefixes,
};
use serde_json::{Value, json};

use super::{Upstreams, call_of, echo, list, request, server, silent, tools, url};
use crate::{
    http_server::{Asked, HttpServer, as_written, json_body, result, status, stream},
    plugin::{gateway, plugin},
};

/// Who was called for what, attempt by attempt.
#[derive(Default)]
struct Seen(Mutex<Vec<(Option<String>, String)>>);

impl Observer for Seen {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        if let Step::AttemptStarted(_) = step {
            let seen = (call.context.upstream.clone(), call.target.to_string());
            self.0.lock().expect("no panic").push(seen);
        }
    }
}

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

/// Fails as often, then answers.
fn failing(times: usize) -> impl Fn(&Asked, usize) -> Option<Response> {
    move |asked, before| {
        let failed = json!({ "isError": before < times, "attempt": before + 1 });
        is_call(asked).then(|| json_body(result(asked, failed)))
    }
}

#[tokio::test]
async fn each_upstream_has_its_own_retries_and_the_plugin_sees_it_under_its_own_names() {
    let first = server(tools(&["t"]), failing(2)).await;
    let second = server(tools(&["t"]), failing(9)).await;
    let seen = Arc::new(Seen::default());
    let gateway = Arc::new(Gateway {
        hook: Some(plugin(r#"{"tool_overrides": {"t": {"max_retries": 3}}}"#)),
        limits: Limits::default(),
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: seen.clone(),
    });
    let told = Prefixes { tools: Some("b_".to_owned()), ..Prefixes::default() };
    let upstreams =
        Upstreams::behind(gateway).with("a", url(&first)).with_prefixes("b", url(&second), told);
    let mut client = upstreams.client().await;
    client.ask(list("tools/list")).await;
    let answer = client.ask(call_of(7, "t")).await;
    assert_eq!(as_written(&answer), json!({ "isError": false, "attempt": 3 }));
    assert_eq!(answer["id"], 7);
    let answer = client.ask(call_of(8, "b_t")).await;
    assert_eq!(as_written(&answer), json!({ "isError": true, "attempt": 4 }));
    client.leave().await;
    assert_eq!((first.asked_for(is_call).len(), second.asked_for(is_call).len()), (3, 4));
    let attempts = seen.0.lock().expect("no panic").clone();
    let of = |name: &str| (Some(name.to_owned()), "t".to_owned());
    assert_eq!(attempts, [vec![of("a"); 3], vec![of("b"); 4]].concat());
    let call = &second.asked_for(is_call)[0].body;
    assert_eq!(call["params"]["name"], "t");
    assert_ne!(call["id"], 8, "an attempt has an id of its own");
}

#[tokio::test]
async fn an_unknown_tool_may_be_new_so_the_upstreams_are_asked_once_more() {
    let first = server(tools(&["a"]), echo("a")).await;
    let second = server(json!({ "tools/x": {} }), |asked, before| {
        let names: &[&str] = if before == 0 { &["old"] } else { &["old", "new"] };
        match asked.rpc_method() {
            "tools/list" => Some(json_body(result(asked, tools(names)["tools/list"].clone()))),
            _ => echo("b")(asked, before),
        }
    })
    .await;
    let lists = |asked: &Asked| asked.rpc_method() == "tools/list";
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    // Never listed, so nothing is known of it.
    let answer = client.ask(call_of(1, "old")).await;
    assert_eq!(answer["result"]["by"], "b");
    assert_eq!(second.asked_for(lists).len(), 1);
    let answer = client.ask(call_of(2, "new")).await;
    assert_eq!(answer["result"]["by"], "b");
    assert_eq!(second.asked_for(lists).len(), 2);
    let unknown = client.ask(call_of(3, "never")).await;
    assert_eq!(unknown["error"], json!({ "code": -32602, "message": "Unknown tool: never" }));
    assert_eq!((first.asked_for(lists).len(), second.asked_for(lists).len()), (3, 3));
    client.leave().await;
}

#[tokio::test]
async fn a_cancellation_reaches_the_upstream_that_is_at_work_and_no_other() {
    let hangs = |asked: &Asked, _: usize| is_call(asked).then(|| stream(&["data:"], false));
    let first = server(tools(&["a"]), echo("a")).await;
    let second = server(tools(&["b"]), hangs).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    client.ask(list("tools/list")).await;
    client.say(call_of(7, "b")).await;
    let call = second.hears(is_call).await;
    client
        .say(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": 7, "reason": "bored" } }))
        .await;
    let cancelled = |asked: &Asked| asked.rpc_method() == "notifications/cancelled";
    let notice = second.hears(cancelled).await;
    assert_eq!(notice.body["params"], json!({ "requestId": call.body["id"], "reason": "bored" }));
    assert_eq!(client.ask(call_of(8, "a")).await["id"], 8, "and the session goes on");
    client.leave().await;
    assert!(first.asked_for(cancelled).is_empty());
    assert_eq!(second.asked_for(is_call).len(), 1, "a cancelled call is not retried");
}

#[tokio::test]
async fn progress_comes_under_the_clients_token() {
    let first = server(tools(&["a"]), silent).await;
    let second = server(tools(&["b"]), |asked, _| {
        is_call(asked).then(|| {
            let token = &asked.body["params"]["_meta"]["progressToken"];
            let report = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "progressToken": token, "progress": 1 } });
            let answer = result(asked, json!({}));
            stream(&[&format!("data: {report}"), &format!("data: {answer}")], false)
        })
    })
    .await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let call = json!({ "name": "b", "_meta": { "progressToken": "mine" } });
    let report = client.ask(request(7, "tools/call", call)).await;
    assert_eq!(report["params"], json!({ "progressToken": "mine", "progress": 1 }));
    assert_eq!(client.hear().await["id"], 7);
    client.leave().await;
}

#[tokio::test]
async fn a_task_belongs_to_who_has_made_it() {
    let play = |name: &'static str| {
        move |asked: &Asked, _: usize| match asked.rpc_method() {
            "tools/call" => {
                let task =
                    json!({ "task": { "taskId": format!("{name}-1"), "status": "working" } });
                Some(json_body(result(asked, task)))
            }
            "tasks/get" => Some(json_body(result(asked, json!({ "by": name })))),
            _ => None,
        }
    };
    let first = server(tools(&["a"]), play("a")).await;
    let second = server(tools(&["b"]), play("b")).await;
    let mut client = Upstreams::new().with("a", url(&first)).with("b", url(&second)).client().await;
    let task = json!({ "name": "b", "task": { "ttl": 1000 } });
    let made = client.ask(request(1, "tools/call", task)).await;
    assert_eq!(made["result"]["task"]["taskId"], "b-1");
    let got = client.ask(request(2, "tasks/get", json!({ "taskId": "b-1" }))).await;
    assert_eq!(got["result"]["by"], "b");
    let unknown = client.ask(request(3, "tasks/get", json!({ "taskId": "c-1" }))).await;
    assert_eq!(unknown["error"], json!({ "code": -32602, "message": "Task not found: c-1" }));
    client.leave().await;
}

#[tokio::test]
async fn a_client_that_never_lists_gets_retries_by_the_hints_of_the_upstream_that_has_the_tool() {
    let offers = |name: &str, hints: Value| {
        let tool = json!({ "name": name, "inputSchema": {}, "annotations": hints });
        json!({ "tools/list": { "tools": [tool] } })
    };
    let fails_first = |asked: &Asked, before: usize| match asked.rpc_method() {
        "tools/call" if before == 0 => Some(status(503)),
        "tools/call" => Some(json_body(result(asked, json!({ "content": [] })))),
        _ => None,
    };
    let reads = server(offers("read", json!({ "readOnlyHint": true })), fails_first).await;
    let writes = server(offers("write", json!({ "readOnlyHint": false })), fails_first).await;
    // The name `reads` is trusted, the name `writes` too: only the hints differ.
    let safe = r#"{"profile": "safe", "trusted_upstreams": ["*s"]}"#;
    let upstreams = Upstreams::behind(gateway(safe, Limits::default()))
        .with("reads", url(&reads))
        .with("writes", url(&writes));
    let mut client = upstreams.client().await;
    let call = |id, name: &str| request(id, "tools/call", json!({ "name": name, "arguments": {} }));
    assert_eq!(as_written(&client.ask(call(1, "read")).await), json!({ "content": [] }));
    assert!(client.ask(call(2, "write")).await.get("error").is_some());
    client.leave().await;
    let calls = |server: &HttpServer| server.asked_for(|asked| asked.rpc_method() == "tools/call");
    assert_eq!((calls(&reads).len(), calls(&writes).len()), (2, 1));
}
