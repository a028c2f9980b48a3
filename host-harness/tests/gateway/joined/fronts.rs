use std::process::Stdio;

use host_harness::mcp::front::http::FrontLimits;
use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use super::{Upstreams, call_of, echo, list, names, server, tools, url};
use crate::{
    configuration_file::flaky,
    http_client::{Front, HttpClient},
    http_server::{Asked, initialize, initialized, stream},
    line_client::PATIENCE,
    program::{PROGRAM, Running, file},
};

pub(super) async fn http(upstreams: Upstreams) -> (Front, HttpClient) {
    let front = Front::of(upstreams.services, FrontLimits::default()).await;
    let client = HttpClient::of(&front);
    (front, client)
}

/// The file of a gateway in front of a child and a URL, which retries.
fn configuration(name: &str, listen: &str, url: &str) -> String {
    let text = format!(
        r#"
{listen}
upstreams:
  child: {{ command: [PROGRAM, flaky-server], tool_prefix: child_ }}
  web: {{ url: "{url}" }}
plugins:
  - name: retries
    kind: retry-with-backoff
    conditions: [{{ server_ids: [child], tools: [flaky] }}]
    config: {{ max_retries: 3, backoff_base_ms: 1, max_backoff_ms: 2 }}
"#
    );
    file(name, &text)
}

const ALL: [&str; 5] = ["child_flaky", "child_flaky_patient", "child_send", "child_echo", "find"];

fn child_flaky() -> Value {
    let mut call = flaky(2);
    call["params"]["name"] = "child_flaky".into();
    call
}

#[tokio::test]
async fn a_child_and_a_url_are_one_server_over_http_and_each_at_its_own_path_as_before() {
    let web = server(tools(&["find"]), echo("web")).await;
    let file = configuration("joined-http.yaml", "listen: 127.0.0.1:0", &web.url());
    let gateway = Running::start(&["serve", &file], &[]).await;
    let mut all = HttpClient::at(gateway.address, "/mcp");
    let hello = all.initialize().await;
    assert_eq!(hello["result"]["serverInfo"]["name"], "host-harness");
    let listed = all.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ALL);
    let answer = all.ask(child_flaky()).await;
    assert_eq!(answer["result"]["content"][0]["text"], "flaky recovered after 3 attempt(s)");
    assert_eq!(all.ask(call_of(2, "find")).await["result"]["by"], "web");
    let numbers = all.send(Method::GET, "/metrics", "").await.text();
    for line in [
        r#"mcp_gateway_calls_total{upstream="child",hook="tool_post_invoke",end="succeeded"} 1"#,
        r#"mcp_gateway_attempts_total{upstream="web",hook="tool_post_invoke",retry="false",outcome="result"} 1"#,
    ] {
        assert!(numbers.lines().any(|one| one == line), "{line} in {numbers}");
    }
    let mut one = HttpClient::at(gateway.address, "/mcp/child");
    let hello = one.initialize().await;
    assert_eq!(hello["result"]["serverInfo"]["name"], "flaky-server");
    let listed = one.ask(list("tools/list")).await;
    assert_eq!(names(&listed, "tools", "name"), ["flaky", "flaky_patient", "send", "echo"]);
}

#[tokio::test]
async fn without_an_address_they_are_one_server_on_stdin_and_stdout() {
    let web = server(tools(&["find"]), echo("web")).await;
    let file = configuration("joined-lines.yaml", "", &web.url());
    let mut gateway = Command::new(PROGRAM)
        .args(["serve", &file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut to = gateway.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(gateway.stdout.take().expect("a pipe")).lines();
    let mut ask = async |message: Value| -> Value {
        to.write_all(format!("{message}\n").as_bytes()).await.expect("the gateway reads");
        if message.get("id").is_none() {
            return Value::Null;
        }
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time");
        serde_json::from_str(&line.expect("text").expect("not the end")).expect("JSON")
    };
    ask(initialize()).await;
    ask(initialized()).await;
    assert_eq!(names(&ask(list("tools/list")).await, "tools", "name"), ALL);
    let answer = ask(child_flaky()).await;
    assert_eq!(answer["result"]["content"][0]["text"], "flaky recovered after 3 attempt(s)");
    assert_eq!(ask(call_of(2, "find")).await["result"]["by"], "web");
    drop(to);
    let status = timeout(PATIENCE, gateway.wait()).await.expect("an end in time");
    assert!(status.expect("it was ours").success());
}

/// What the gateway answers to `lines`, which come all at once and are the
/// last of its client, and what it logs.
async fn at_once(file: &str, lines: &[Value]) -> (Vec<Value>, String) {
    let mut gateway = Command::new(PROGRAM)
        .args(["serve", file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_remove("RUST_LOG")
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut to = gateway.stdin.take().expect("a pipe");
    to.write_all(text.as_bytes()).await.expect("the gateway reads");
    drop(to);
    let output = timeout(PATIENCE, gateway.wait_with_output()).await.expect("an end in time");
    let output = output.expect("it was ours");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    let said = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (said, String::from_utf8(output.stderr).expect("text"))
}

const TWINS: &str = r#"
upstreams:
  one: { command: [PROGRAM, flaky-server] }
  two: { command: [PROGRAM, flaky-server] }
  none: { command: [/nowhere/to/be/found] }
"#;

#[tokio::test]
async fn a_client_that_says_everything_at_once_is_answered_and_the_operator_is_told_what_is_left_out()
 {
    let file = file("joined-twins.yaml", TWINS);
    let (said, log) = at_once(&file, &[initialize(), initialized(), list("tools/list")]).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((&said[0]["id"], &said[1]["id"]), (&json!(0), &json!(5)));
    assert_eq!(names(&said[1], "tools", "name"), ["flaky", "flaky_patient", "send", "echo"]);
    for told in [
        r#"left out upstream="none" error=cannot start the server `/nowhere/to/be/found`"#,
        "`echo` is in the tools of both `one` and `two`: that of `two` is left out; \
         `upstreams.two.tool_prefix` would tell them apart",
    ] {
        assert!(log.contains(told), "{told} in {log}");
    }
}

#[tokio::test]
async fn without_a_session_they_are_one_server_on_lines_as_well() {
    let meta = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} } });
    let listed = super::request(1, "tools/list", meta);
    let (said, _) = at_once(&file("joined-twins-2026.yaml", TWINS), &[listed]).await;
    assert_eq!(names(&said[0], "tools", "name"), ["flaky", "flaky_patient", "send", "echo"]);
    assert_eq!(said[0]["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_single_upstream_has_its_prefix_at_the_path_of_all() {
    let web = server(tools(&["find"]), echo("web")).await;
    let text = format!(
        "listen: 127.0.0.1:0\nupstreams: {{ web: {{ url: \"{}\", tool_prefix: w_ }} }}\n",
        web.url()
    );
    let gateway = Running::start(&["serve", &file("joined-single.yaml", &text)], &[]).await;
    for (path, name) in [("/mcp", "w_find"), ("/mcp/web", "find")] {
        let mut client = HttpClient::at(gateway.address, path);
        client.initialize().await;
        assert_eq!(names(&client.ask(list("tools/list")).await, "tools", "name"), [name]);
        assert_eq!(client.ask(call_of(1, name)).await["result"]["tool"], "find", "{path}");
    }
}

#[tokio::test]
async fn credentials_reach_the_upstream_that_they_are_for_and_no_other() {
    let first = server(tools(&["a"]), echo("a")).await;
    let second = server(tools(&["b"]), echo("b")).await;
    let mut upstreams = Upstreams::new().with("a", url(&first)).with("b", url(&second));
    let a = upstreams.services.get_mut("a").expect("it was added");
    a.pass_headers = vec![http::header::AUTHORIZATION];
    let (front, mut client) = http(upstreams).await;
    client.set("authorization", "Bearer secret");
    client.initialize().await;
    for tool in ["a", "b"] {
        assert_eq!(client.ask(call_of(1, tool)).await["result"]["by"], tool);
    }
    front.ended().await;
    let with = |asked: &Asked| asked.header("authorization").is_some();
    assert_eq!(first.asked_for(with).len(), first.asked().len());
    assert_eq!(second.asked_for(with).len(), 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_call_upstream() {
    let first = server(tools(&["a"]), echo("a")).await;
    let second = server(tools(&["b"]), |asked: &Asked, _| {
        (asked.rpc_method() == "tools/call").then(|| stream(&["data:"], false))
    })
    .await;
    let (front, mut client) =
        http(Upstreams::new().with("a", url(&first)).with("b", url(&second))).await;
    client.initialize().await;
    let is_call = |asked: &Asked| asked.rpc_method() == "tools/call";
    {
        let mut calling = std::pin::pin!(client.post(call_of(7, "b")));
        tokio::select! {
            _ = &mut calling => panic!("nobody answers"),
            _ = second.hears(is_call) => {}
        }
    }
    let notice = second.hears(|asked| asked.rpc_method() == "notifications/cancelled").await;
    assert_eq!(notice.body["params"]["requestId"], second.asked_for(is_call)[0].body["id"]);
    assert_eq!(client.ask(call_of(8, "a")).await["result"], json!({ "by": "a", "tool": "a" }));
    front.ended().await;
}
