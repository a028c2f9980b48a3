//! How often the upstream is called, fault by fault and policy by policy, over
//! a URL and over a child.
//!
//! Only a URL has HTTP statuses, sessions that expire, and connections that can
//! be refused or reset. A child crashes instead; an adapter that runs as a child
//! reports the status of the service behind it in its result.

use std::time::Duration;

use axum::response::Response;
use host_harness::gateway::Limits;
use serde_json::{Value, json};

use crate::{
    closed_ports,
    http_server::{
        Asked, HttpServer, call, initialize, json_body, manners, result, status, stream,
    },
    line_client::LineClient,
    plugin::watched,
};

/// The defaults of the original plugin.
const PARITY: &str = "{}";
const SAFE: &str = r#"{"profile": "safe"}"#;

/// What an HTTP server does with a call, after so many others.
type Fault = fn(&Asked, usize) -> Response;

/// A server that does the same to every call.
enum Server {
    Url(Fault),
    /// At a URL where nobody listens.
    Refuses,
    /// At a URL: takes the request and closes the connection.
    HangsUp,
    /// What a shell does, as a child.
    #[cfg(unix)]
    Child(&'static str),
}

/// A fault, the attempts under each policy, and what the client is told at the end.
struct Row(&'static str, Server, u32, u32, &'static str);

fn error(asked: &Asked, code: i64) -> Response {
    let error = json!({ "code": code, "message": "no" });
    json_body(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error }))
}

fn adapted(asked: &Asked, status: u16) -> Response {
    let structured = json!({ "status_code": status });
    json_body(result(asked, json!({ "isError": true, "structuredContent": structured })))
}

fn after(code: u16, name: &'static str, value: &str) -> Response {
    let mut response = status(code);
    response.headers_mut().insert(name, value.parse().expect("a value"));
    response
}

/// A tool of which nothing is known: `safe` repeats only what surely did not
/// run, parity whatever may pass. Neither is asked to wait for an hour: `safe`
/// does not, and parity knows nothing of the wish.
fn over_a_url() -> Vec<Row> {
    use Server::{HangsUp, Refuses, Url};
    vec![
        Row("success", Url(|asked, _| json_body(result(asked, json!({})))), 1, 1, "result"),
        Row(
            "isError",
            Url(|asked, _| json_body(result(asked, json!({ "isError": true })))),
            3,
            1,
            "isError",
        ),
        Row("status_code 503", Url(|asked, _| adapted(asked, 503)), 3, 1, "isError"),
        Row("status_code 404", Url(|asked, _| adapted(asked, 404)), 1, 1, "isError"),
        Row("-32603", Url(|asked, _| error(asked, -32603)), 3, 1, "error -32603"),
        Row("-32602", Url(|asked, _| error(asked, -32602)), 1, 1, "error -32602"),
        Row("HTTP 400", Url(|_, _| status(400)), 1, 1, "HTTP 400"),
        Row("HTTP 401", Url(|_, _| status(401)), 1, 1, "HTTP 401"),
        Row("HTTP 429", Url(|_, _| status(429)), 3, 4, "HTTP 429"),
        Row("HTTP 429, 3 ms", Url(|_, _| after(429, "retry-after-ms", "3")), 3, 4, "HTTP 429"),
        Row("HTTP 429, an hour", Url(|_, _| after(429, "retry-after", "3600")), 3, 1, "HTTP 429"),
        Row("HTTP 500", Url(|_, _| status(500)), 3, 1, "HTTP 500"),
        Row("HTTP 500, 3 ms", Url(|_, _| after(500, "retry-after-ms", "3")), 3, 1, "HTTP 500"),
        Row("HTTP 502", Url(|_, _| status(502)), 3, 1, "HTTP 502"),
        Row("HTTP 502, 3 ms", Url(|_, _| after(502, "retry-after-ms", "3")), 3, 1, "HTTP 502"),
        Row("HTTP 503", Url(|_, _| status(503)), 3, 1, "HTTP 503"),
        Row("HTTP 503, 3 ms", Url(|_, _| after(503, "retry-after-ms", "3")), 3, 1, "HTTP 503"),
        Row("HTTP 503, an hour", Url(|_, _| after(503, "retry-after", "3600")), 3, 1, "HTTP 503"),
        Row("HTTP 504", Url(|_, _| status(504)), 3, 1, "HTTP 504"),
        Row("HTTP 504, 3 ms", Url(|_, _| after(504, "retry-after-ms", "3")), 3, 1, "HTTP 504"),
        Row("refused connection", Refuses, 3, 4, "error -32000"),
        Row("reset before the response", HangsUp, 3, 1, "error -32000"),
        Row("reset mid-response", Url(|_, _| stream(&["data:"], true)), 3, 1, "error -32000"),
        Row("hang", Url(|_, _| stream(&["data:"], false)), 3, 1, "error -32001"),
    ]
}

#[cfg(unix)]
fn over_a_child() -> Vec<Row> {
    use Server::Child;
    vec![
        Row("success", Child("answer"), 1, 1, "result"),
        Row("isError", Child(r#"respond '"result":{"isError":true}'"#), 3, 1, "isError"),
        Row(
            "status_code 503",
            Child(r#"respond '"result":{"isError":true,"structuredContent":{"status_code":503}}'"#),
            3,
            1,
            "isError",
        ),
        Row(
            "status_code 404",
            Child(r#"respond '"result":{"isError":true,"structuredContent":{"status_code":404}}'"#),
            1,
            1,
            "isError",
        ),
        Row(
            "-32603",
            Child(r#"respond '"error":{"code":-32603,"message":"no"}'"#),
            3,
            1,
            "error -32603",
        ),
        Row(
            "-32602",
            Child(r#"respond '"error":{"code":-32602,"message":"no"}'"#),
            1,
            1,
            "error -32602",
        ),
        Row("hang", Child(":"), 3, 1, "error -32001"),
        Row("crash before the response", Child("exit 3"), 3, 1, "error -32000"),
        Row("crash mid-response", Child("printf '{\"jsonrpc\"'; exit 3"), 3, 1, "error -32000"),
        Row("crash by signal", Child("kill -9 $$"), 3, 1, "error -32000"),
    ]
}

#[cfg(not(unix))]
fn over_a_child() -> Vec<Row> {
    Vec::new()
}

/// Calls a tool once. Says how many attempts the gateway made, how many calls
/// the server saw (if it is there to see them), and what the client got.
async fn attempts(config: &str, name: &str, server: &Server) -> (u32, Option<usize>, Value) {
    // Long enough to reach the server on a busy machine, short enough to wait for three times.
    let hangs = (name == "hang").then_some(Duration::from_millis(400));
    let limits = Limits { attempt_timeout: hangs, ..Limits::default() };
    let (watch, gateway) = watched(config, limits);
    let ask = async |mut client: LineClient, greets: bool| {
        if greets {
            client.ask(initialize()).await;
        }
        let answer = client.ask(call(1)).await;
        client.leave().await;
        answer
    };
    let (seen, answer) = match server {
        Server::Url(fault) => {
            let fault = *fault;
            let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
                "tools/call" => fault(asked, before),
                // Each session has another name.
                _ => manners(asked, &format!("s-{before}")),
            })
            .await;
            let answer = ask(LineClient::of_url(gateway, &server.url()), true).await;
            let calls = server.asked_for(|asked| asked.rpc_method() == "tools/call");
            (Some(calls.len()), answer)
        }
        Server::Refuses => {
            let url = closed_ports::nobody_listens().await;
            (None, ask(LineClient::of_url(gateway, &url), false).await)
        }
        Server::HangsUp => {
            let (url, seen) = closed_ports::hangs_up().await;
            let answer = ask(LineClient::of_url(gateway, &url), false).await;
            let seen = *seen.borrow();
            (Some(seen), answer)
        }
        #[cfg(unix)]
        Server::Child(to_a_call) => {
            let notes = format!("attempts-{}-{}", config.len(), name.replace(' ', "-"));
            let server = crate::child_server::ChildServer::new(&notes, to_a_call);
            let answer = ask(LineClient::of_child(gateway, server.command()), true).await;
            let calls = server.read().into_iter().filter(|method| method == "tools/call");
            (Some(calls.count()), answer)
        }
    };
    (watch.attempts(), seen, answer)
}

/// An answer in a word.
fn told(answer: &Value) -> String {
    match (&answer["error"]["code"], &answer["error"]["data"]["httpStatus"]) {
        (Value::Null, _) if answer["result"]["isError"] == true => "isError".to_owned(),
        (Value::Null, _) => "result".to_owned(),
        (code, Value::Null) => format!("error {code}"),
        (_, status) => format!("HTTP {status}"),
    }
}

async fn check(matrix: Vec<Row>) {
    let mut wrong = Vec::new();
    for Row(name, server, parity, safe, end) in matrix {
        for (config, expected) in [(PARITY, parity), (SAFE, safe)] {
            let (made, seen, answer) = attempts(config, name, &server).await;
            let seen_as_made = seen.is_none_or(|seen| seen == made as usize);
            if made != expected || !seen_as_made || told(&answer) != end {
                wrong.push(format!(
                    "{name} with {config}: {made} attempts ({seen:?} seen), not {expected}; \
                     {answer}, not {end}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_matrix_of_faults_and_policies_over_a_url() {
    check(over_a_url()).await;
}

#[tokio::test]
async fn the_matrix_of_faults_and_policies_over_a_child() {
    check(over_a_child()).await;
}
