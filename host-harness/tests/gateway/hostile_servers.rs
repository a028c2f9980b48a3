//! Servers that mean harm, in front of the built program.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::{
    http_client::HttpClient,
    http_server::{HttpServer, call, json_body, manners, result},
    line_client::PATIENCE,
    program::{Running, file},
};

#[tokio::test]
async fn names_that_a_server_chooses_are_no_lines_of_the_log() {
    let evil = "x\n ERROR credentials leaked\r\u{1b}[2J\u{202e}";
    let server = HttpServer::start(move |asked, _| match asked.rpc_method() {
        "initialize" => json_body(result(
            asked,
            json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {}, "prompts": {} } }),
        )),
        "tools/list" => json_body(result(
            asked,
            json!({ "tools": [{ "name": evil, "inputSchema": {} }, { "name": format!("b_{evil}") },
                { "name": format!("{evil}{}", "y".repeat(100_000)) }] }),
        )),
        "prompts/list" => json_body(result(asked, json!({ "prompts": [{ "name": evil }] }))),
        "tools/call" => json_body(result(asked, json!({ "isError": true, "content": [] }))),
        _ => manners(asked, "s"),
    })
    .await;
    let url = server.url();
    let text = format!(
        r#"
listen: 127.0.0.1:0
upstreams:
  a: {{ url: "{url}" }}
  b: {{ url: "{url}", tool_prefix: b_ }}
plugins:
  - {{ name: r, kind: retry-with-backoff, config: {{ max_retries: 1, backoff_base_ms: 1, max_backoff_ms: 1 }} }}
"#
    );
    let file = file("evil-names.yaml", &text);
    let gateway = Running::start(&["serve", &file], &[("RUST_LOG", "trace")]).await;
    let mut client = HttpClient::at(gateway.address, "/mcp");
    client.initialize().await;
    for method in ["tools/list", "prompts/list"] {
        client.ask(json!({ "jsonrpc": "2.0", "id": 1, "method": method })).await;
    }
    for name in [evil, &format!("none{evil}"), &format!("b_{evil}")] {
        let mut call = call(2);
        call["params"]["name"] = name.into();
        client.ask(call).await;
    }
    let log = gateway.ended().await;
    assert!(log.iter().any(|line| line.contains("x\\n ERROR credentials leaked\\r")), "{log:#?}");
    for line in &log {
        assert!(!line.starts_with(" ERROR cred"), "{line}");
        assert!(!line.contains(['\u{1b}', '\r', '\u{202e}']), "{line}");
        assert!(line.len() < 20_000, "{}", line.len());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_says_nonsense_without_end_does_not_fill_the_log() {
    let script = r#"
i=0
while [ $i -lt 3000 ]; do i=$((i + 1)); printf 'nonsense %s\n[%s]\n' $i $i; done
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}\n'
cat > /dev/null
"#;
    let arguments = ["proxy", "--listen", "127.0.0.1:0", "--", "sh", "-c", script];
    let gateway = Running::start(&arguments, &[]).await;
    let mut client = HttpClient::at(gateway.address, "/mcp");
    timeout(PATIENCE, client.initialize()).await.expect("an answer in time");
    let log = gateway.ended().await;
    let told = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert!((1..200).contains(&told("not JSON")), "{}", told("not JSON"));
    assert!((1..200).contains(&told("skipped JSON")), "{}", told("skipped JSON"));
    assert!(told("come too fast") >= 2, "and it says so: {log:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn when_the_gateway_is_killed_what_a_launcher_has_started_ends_as_well() {
    let notes = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("left-behind-{}", std::process::id()));
    let script = format!(
        r#"
trap '' TERM
sleep 300 &
echo $! > '{}'
read -r line
printf '{{"jsonrpc":"2.0","id":0,"result":{{"protocolVersion":"2025-11-25","capabilities":{{}}}}}}\n'
wait
"#,
        notes.display()
    );
    let arguments = ["proxy", "--listen", "127.0.0.1:0", "--", "sh", "-c", &script];
    let gateway = Running::start(&arguments, &[]).await;
    let mut client = HttpClient::at(gateway.address, "/mcp");
    client.initialize().await;
    let id = std::fs::read_to_string(&notes).expect("an id");
    let id: i32 = id.trim().parse().expect("a number");
    // Killed, not asked to end.
    drop(gateway);
    let id = rustix::process::Pid::from_raw(id).expect("not 0");
    let is_gone = || {
        let id = id.as_raw_nonzero().to_string();
        let told = std::process::Command::new("ps").args(["-o", "stat=", "-p", &id]).output();
        let told = String::from_utf8_lossy(&told.expect("ps").stdout).trim().to_owned();
        told.is_empty() || told.starts_with('Z')
    };
    assert!(!is_gone(), "it lived while the gateway did");
    let ended = async {
        while !is_gone() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("gone in time");
    std::fs::remove_file(&notes).expect("it was there");
}
