//! Whoever ends a wait ends the call with the reply that it has.

use std::time::Duration;

use host_harness::mcp::{HttpUpstream, RelayOptions, Target, front::http::FrontLimits};
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    http_server::{HttpServer, call, initialize, initialized, json_body, manners, result},
    line_client::LineClient,
    plugin::{gateway, patient},
};

/// Answers every call with a failure of its own.
async fn failing_server() -> HttpServer {
    HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/call" => json_body(result(asked, json!({ "isError": true, "call": before }))),
        _ => manners(asked, "s"),
    })
    .await
}

fn url(server: &HttpServer) -> Target {
    Target::Url(HttpUpstream::new(&server.url(), Default::default()).expect("a good URL"))
}

fn is_the_failure(answer: &Value) {
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}

#[tokio::test]
async fn calls_that_wait_over_http_are_answered_with_what_they_have_when_the_gateway_stops() {
    let server = failing_server().await;
    let (watch, gateway) = patient();
    let limits = FrontLimits { drain: Duration::from_secs(3600), ..FrontLimits::default() };
    let front = Front::start(gateway, url(&server), limits).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    // One of a session, one of the clients that have none.
    let (in_session, without) = (client.clone(), HttpClient::of(&front));
    let calls = tokio::spawn(async move {
        tokio::join!(in_session.ask(call(1)), in_session.ask(call(2)), without.ask(call(1)))
    });
    watch.waits(3).await;
    front.shutdown.drain.cancel();
    let (one, two, three) = calls.await.expect("no panic");
    for (answer, id) in [(one, 1), (two, 2), (three, 1)] {
        is_the_failure(&answer);
        assert_eq!(answer["id"], id);
    }
    assert_eq!(watch.attempts(), 3);
    front.ended().await;
}

#[tokio::test]
async fn a_call_that_waits_over_lines_is_answered_with_what_it_has_when_the_gateway_stops() {
    let server = failing_server().await;
    let (watch, gateway) = patient();
    let mut client = LineClient::of_url(gateway, &server.url());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    client.say(call(7)).await;
    watch.waits(1).await;
    client.stop();
    is_the_failure(&client.hear().await);
    client.stopped().await;
}

#[tokio::test]
async fn who_has_to_hurry_does_not_wait_for_an_attempt_that_never_ends() {
    let server = HttpServer::start_slow(|asked, _| {
        Box::pin(async move {
            match asked.rpc_method() {
                "tools/call" => std::future::pending().await,
                _ => manners(&asked, "s"),
            }
        })
    })
    .await;
    let limits = FrontLimits { drain: Duration::from_secs(3600), ..FrontLimits::default() };
    let front = Front::start(gateway("{}", Default::default()), url(&server), limits).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    let calling = tokio::spawn(async move { client.post(call(1)).await.status });
    server.hears(|asked| asked.rpc_method() == "tools/call").await;
    front.shutdown.hurry();
    assert!(!front.shutdown.now.is_cancelled() && !front.serving.is_finished());
    front.shutdown.hurry();
    front.ended().await;
    assert!(calling.await.expect("no panic").is_server_error());
}

/// A server that answers one call with a failure and ends, and ends at once each
/// time that it is started again.
#[cfg(unix)]
fn mortal(name: &str) -> Vec<std::ffi::OsString> {
    let tmp = env!("CARGO_TARGET_TMPDIR");
    let grave = format!("{tmp}/{name}-{}", std::process::id());
    let _ = std::fs::remove_file(&grave);
    let script = format!(
        r#"[ -e '{grave}' ] && exit 1
        while read -r line; do
            id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
            case "$line" in
            *tools/call*)
                printf '{{"jsonrpc":"2.0","id":%s,"result":{{"isError":true}}}}\n' "$id"
                touch '{grave}'; exit 1 ;;
            *'"id"'*) printf '{{"jsonrpc":"2.0","id":%s,"result":{{}}}}\n' "$id" ;;
            esac
        done"#
    );
    ["sh", "-c", &script].map(Into::into).into()
}

#[cfg(unix)]
#[tokio::test]
async fn a_call_that_waits_is_answered_with_what_it_has_when_its_server_ends_for_good() {
    let (watch, gateway) = patient();
    let command = mortal("mortal-lines");
    let mut client = LineClient::of_child_with(gateway, command, RelayOptions::default());
    client.ask(initialize()).await;
    client.say(call(7)).await;
    watch.waits(1).await;
    is_the_failure(&client.hear().await);
    client.abandoned().await;

    let (watch, gateway) = patient();
    let command = Target::Command(mortal("mortal-http").into());
    let front = Front::start(gateway, command, FrontLimits::default()).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    is_the_failure(&client.ask(call(7)).await);
    assert_eq!(watch.attempts(), 1);
    front.ended().await;
}
