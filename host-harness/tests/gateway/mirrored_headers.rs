//! What 2026-07-28 wants to see in headers as well: the version, the method, the
//! name, and the parameters that a tool's schema marks.

use axum::response::Response;
use host_harness::{
    gateway::Limits,
    mcp::{HttpUpstream, Target, front::http::FrontLimits},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{Asked, HttpServer, as_written, initialize, json_body, manners, result},
    line_client::LineClient,
    plugin::gateway,
};

fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "mine": 1,
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn call(id: u32, region: &str) -> Value {
    let arguments = json!({ "region": region, "limits": { "rows": 7 }, "query": "q" });
    modern(id, "tools/call", json!({ "name": "sql", "arguments": arguments }))
}

/// A tool whose region is in this header.
fn sql(header: &str) -> Value {
    json!({ "name": "sql", "inputSchema": { "type": "object", "properties": {
        "region": { "type": "string", "x-mcp-header": header },
        "limits": { "type": "object", "properties": {
            "rows": { "type": "integer", "x-mcp-header": "Rows" } } },
        "query": { "type": "string" } } } })
}

/// A tool that no client on HTTP may call.
fn broken() -> Value {
    let float = json!({ "type": "number", "x-mcp-header": "F" });
    json!({ "name": "broken", "inputSchema": { "type": "object", "properties": { "f": float } } })
}

fn tools(asked: &Asked, tools: Value) -> Response {
    json_body(result(asked, json!({ "resultType": "complete", "tools": tools })))
}

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

fn mismatch(asked: &Asked) -> Response {
    let error = json!({ "code": -32020, "message": "Header mismatch" });
    let body = json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error });
    let mut response = json_body(body);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

#[tokio::test]
async fn a_client_on_lines_has_everything_mirrored_in_every_attempt() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/list" => tools(asked, json!([broken(), sql("Region")])),
        _ => json_body(result(asked, json!({ "isError": before == 0 }))),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    let list = client.ask(modern(1, "tools/list", json!({}))).await;
    assert_eq!(list["result"]["tools"], json!([sql("Region")]), "without the broken one");
    assert_eq!(as_written(&client.ask(call(2, "Zürich")).await), json!({ "isError": false }));
    client.leave().await;

    let calls = server.asked_for(is_call);
    assert_eq!(calls.len(), 2);
    for asked in &calls {
        for (name, value) in [
            ("mcp-protocol-version", Some("2026-07-28")),
            ("mcp-method", Some("tools/call")),
            ("mcp-name", Some("sql")),
            ("mcp-param-region", Some("=?base64?WsO8cmljaA==?=")),
            ("mcp-param-rows", Some("7")),
            ("mcp-param-query", None),
            ("mcp-session-id", None),
        ] {
            assert_eq!(asked.header(name), value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_server_that_wants_other_headers_is_asked_for_its_tools_and_called_once_more() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/list" if before == 0 => tools(asked, json!([sql("Old")])),
        // The new list has two pages.
        "tools/list" if asked.body["params"]["cursor"] == "2" => {
            tools(asked, json!([sql("New"), broken()]))
        }
        "tools/list" => {
            let page = json!({ "tools": [broken()], "nextCursor": "2" });
            json_body(result(asked, page))
        }
        _ if asked.header("mcp-param-new") != Some("eu") => mismatch(asked),
        _ => json_body(result(asked, json!({ "new": true }))),
    })
    .await;
    let (watch, gateway) = crate::plugin::watched("{}", Limits::default());
    let mut client = LineClient::of_url(gateway, &server.url());
    client.ask(modern(1, "tools/list", json!({}))).await;
    assert_eq!(client.ask(call(2, "eu")).await["result"], json!({ "new": true }));
    let methods: Vec<_> =
        server.asked().iter().map(|asked| asked.rpc_method().to_owned()).collect();
    assert_eq!(methods, ["tools/list", "tools/call", "tools/list", "tools/list", "tools/call"]);
    assert_eq!(watch.attempts(), 1);
    // The gateway asks in the client's name, and with nothing else of its own.
    let meta = &server.asked()[2].body["params"]["_meta"];
    assert_eq!(meta.as_object().expect("an object").len(), 2, "{meta}");
    // The next call knows.
    assert_eq!(client.ask(call(3, "eu")).await["result"], json!({ "new": true }));
    assert_eq!(server.asked().len(), 6);
    client.leave().await;
}

#[tokio::test]
async fn a_mismatch_that_other_headers_do_not_mend_is_the_clients_to_hear() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/list" => tools(asked, json!([sql("Region")])),
        _ => mismatch(asked),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    // The first time the tool was not known.
    for calls in [2, 3] {
        assert_eq!(client.ask(call(calls, "eu")).await["error"]["code"], -32020);
        assert_eq!(server.asked_for(is_call).len(), calls as usize);
    }
    client.leave().await;
}

#[tokio::test]
async fn a_session_of_2025_knows_nothing_of_it() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/list" => tools(asked, json!([broken(), sql("Region")])),
        "tools/call" => json_body(result(asked, json!({}))),
        _ => manners(asked, "s-1"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    let list = client.ask(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await;
    assert_eq!(list["result"]["tools"], json!([broken(), sql("Region")]));
    let arguments = json!({ "region": "eu" });
    client
        .ask(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": "sql", "arguments": arguments } }))
        .await;
    let asked = &server.asked_for(is_call)[0];
    for name in ["mcp-param-region", "mcp-method", "mcp-name"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
    assert_eq!(asked.header("mcp-protocol-version"), Some("2025-11-25"));
    client.leave().await;
}

#[tokio::test]
async fn a_client_on_http_mirrors_for_itself_and_the_server_judges_it() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/list" => tools(asked, json!([broken(), sql("Region")])),
        _ => mismatch(asked),
    })
    .await;
    let upstream = HttpUpstream::new(&server.url(), Default::default()).expect("a good URL");
    let gateway = gateway("{}", Limits::default());
    let front = Front::start(gateway, Target::Url(upstream), FrontLimits::default()).await;
    let client = HttpClient::of(&front);
    let list = client.ask(modern(1, "tools/list", json!({}))).await;
    assert_eq!(list["result"]["tools"], json!([broken(), sql("Region")]));
    let mut heard = client.post(call(2, "eu")).await;
    assert_eq!(heard.status, StatusCode::BAD_REQUEST);
    assert_eq!(heard.next().await.expect("a body")["error"]["code"], -32020);
    let calls = server.asked_for(is_call);
    assert_eq!(calls.len(), 1);
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"] {
        assert_eq!(calls[0].header(name), None, "{name}: the client did not say it");
    }
    front.ended().await;
}

/// Lists a tool, and answers everything else with an empty result.
#[cfg(unix)]
const SCRIPT: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    case "$line" in
    *tools/list*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[%s]}}\n' "$id" "$TOOL" ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id" ;;
    esac
done
"#;

#[cfg(unix)]
#[tokio::test]
async fn in_front_of_a_child_the_gateway_compares_parameters_itself() {
    let script = format!("TOOL='{}'\n{SCRIPT}", sql("Region"));
    let target = Target::Command(["sh", "-c", &script].map(Into::into).into());
    let gateway = gateway("{}", Limits::default());
    let front = Front::start(gateway, target, FrontLimits::default()).await;
    let said = |headers: &[(&'static str, &str)]| {
        let mut client = HttpClient::of(&front);
        client.set("mcp-protocol-version", "2026-07-28");
        for (name, value) in headers {
            client.set(name, value);
        }
        client
    };
    let list = said(&[("mcp-method", "tools/list")]);
    assert_eq!(
        list.ask(modern(1, "tools/list", json!({}))).await["result"]["tools"],
        json!([sql("Region")])
    );
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "sql"));
    let rows = ("mcp-param-rows", "7.0");
    for (region, status) in [(Some("eu"), 200), (Some("us"), 400), (None, 400)] {
        let mut headers = vec![method, name, rows];
        headers.extend(region.map(|region| ("mcp-param-region", region)));
        let mut heard = said(&headers).post(call(2, "eu")).await;
        assert_eq!(heard.status.as_u16(), status, "{region:?}");
        let answer = heard.next().await.expect("a body");
        let refused = answer["error"]["code"] == -32020;
        assert_eq!(refused, status == 400, "{answer}");
    }
    front.ended().await;
}
