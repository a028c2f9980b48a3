//! The relay between a client and an upstream that are both played here.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
    },
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    contract::{Class, Invocation, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Gateway, Hook, Limits, RetryHook, SystemClock, Unobserved},
    mcp::{Ended, RelayOptions, relay},
    sandbox::HookFailure,
};

/// Retries whatever is no success, once, after 1 ms.
struct OnceMore;

impl RetryHook for OnceMore {
    fn judge(
        &self,
        _: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        _: Background,
    ) -> Result<Verdict, HookFailure> {
        let failed = !matches!(outcome, Outcome::Returned(facts) if !facts.is_error);
        let delay = u64::from(failed && invocation.attempt == 1);
        let reason = if delay == 1 { Reason::ToolError } else { Reason::Succeeded };
        Ok(Verdict {
            retry_delay_ms: delay,
            reason,
            failures: 0,
            delay_ceiling_ms: delay,
            class: if failed { Class::Transient } else { Class::Succeeded },
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            pushback_ms: None,
            metadata: None,
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        Ok(MostRetries { maybe_executed: 1, not_executed: 1 })
    }

    fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {}
}

/// One side of the relay, speaking in lines.
struct Side {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    to: WriteHalf<DuplexStream>,
}

impl Side {
    fn new(stream: DuplexStream) -> Self {
        let (from, to) = split(stream);
        Self { lines: BufReader::new(from).lines(), to }
    }

    async fn say(&mut self, line: &str) {
        self.to.write_all(format!("{line}\n").as_bytes()).await.expect("the relay reads");
    }

    async fn hear(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        line.expect("a line in time").expect("readable").expect("not the end")
    }

    /// Hears an attempt of [`CALL`] and returns its id, quoted.
    async fn hear_attempt(&mut self) -> String {
        let line = self.hear().await;
        let id =
            line.strip_prefix(r#"{"jsonrpc":"2.0","id":"#).and_then(|rest| rest.split(',').next());
        let id = id.expect("an id").to_owned();
        assert_eq!(line, CALL.replace(":7,", &format!(":{id},")));
        id
    }
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":1e2,"name":"t","arguments":{"z":0,"a":1}},"y":null}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

/// A relay in the middle of its session.
struct Session {
    client: Side,
    upstream: Side,
    relay: JoinHandle<Ended>,
}

impl Session {
    fn new(limits: Limits) -> Self {
        let (client, front) = duplex(1 << 16);
        let (upstream, back) = duplex(1 << 16);
        let gateway = Gateway {
            hook: Some(Arc::new(OnceMore)),
            limits,
            clock: Arc::new(SystemClock::new()),
            budgets: Arc::new(crate::gateway::InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        // Unmarked, so that an attempt is the client's request to the letter.
        let options = RelayOptions { mark_attempts: false, ..RelayOptions::default() };
        let stop = CancellationToken::new();
        let relay = relay(Arc::new(gateway), options, split(front), split(back), stop);
        Self {
            client: Side::new(client),
            upstream: Side::new(upstream),
            relay: tokio::spawn(relay),
        }
    }

    /// Nothing else is on its way to either side.
    async fn assert_quiet(&mut self) {
        self.client.say(PING).await;
        assert_eq!(self.upstream.hear().await, PING);
        let pong = r#"{"id":"p","result":{},"jsonrpc":"2.0"}"#;
        self.upstream.say(pong).await;
        assert_eq!(self.client.hear().await, pong);
    }
}

#[tokio::test]
async fn what_is_no_tool_call_passes_byte_for_byte_in_both_directions() {
    let mut session = Session::new(Limits::default());
    for (request, response) in [
        (
            r#"{"id":1,"jsonrpc":"2.0","method":"initialize","params":{"new":[1.0,0.10,-0]},"q":1}"#,
            r#"{"jsonrpc":"2.0","x":{},"id":1,"result":{"n":12345678901234567890123,"t":"\ud800"}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":"1","method":"of/tomorrow"}"#,
            r#"{"jsonrpc":"2.0","id":"1","error":{"code":-99999999999,"message":"m","data":null,"more":1}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":null}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"no":"name"}}"#,
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no name"}}"#,
        ),
    ] {
        session.client.say(request).await;
        assert_eq!(session.upstream.hear().await, request);
        session.upstream.say(response).await;
        assert_eq!(session.client.hear().await, response);
    }
    let request = r#"{"jsonrpc":"2.0","id":0,"method":"sampling/createMessage","params":{}}"#;
    let response = r#"{"jsonrpc":"2.0","id":0,"result":{"role":"assistant"}}"#;
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#;
    for line in [request, progress] {
        session.upstream.say(line).await;
        assert_eq!(session.client.hear().await, line);
    }
    for line in [response, progress] {
        session.client.say(line).await;
        assert_eq!(session.upstream.hear().await, line);
    }
}

#[tokio::test]
async fn a_retried_call_is_one_call_to_the_client_and_new_ids_to_the_upstream() {
    let mut session = Session::new(Limits::default());
    session.client.say(CALL).await;
    let first = session.upstream.hear_attempt().await;
    session
        .upstream
        .say(&format!(r#"{{"jsonrpc":"2.0","id":{first},"result":{{"isError":true}}}}"#))
        .await;
    let second = session.upstream.hear_attempt().await;
    assert_ne!(first, second);
    session.upstream.say(&format!(r#"{{"u":1,"result":{{"b":1.0,"a":[]}},"id":{second}}}"#)).await;
    let answer = session.client.hear().await;
    let meta = r#""_meta":{"retry-with-backoff/outcome":{"attempts":2,"reason":"succeeded","executed":"yes","waited_ms":"#;
    let (before, waited) = answer.split_once(meta).expect("what became of the call");
    assert_eq!(before, r#"{"u":1,"result":{"b":1.0,"a":[],"#);
    assert_eq!(waited.trim_start_matches(|digit: char| digit.is_ascii_digit()), r#"}}},"id":7}"#);
    session.assert_quiet().await;
}

#[tokio::test]
async fn the_last_error_reaches_the_client_as_it_is() {
    let mut session = Session::new(Limits { max_tool_retries: 0, ..Limits::default() });
    session.client.say(CALL).await;
    let id = session.upstream.hear_attempt().await;
    let error = r#""error":{"data":{"z":1,"a":null},"code":-32603,"message":"m"}"#;
    session.upstream.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},{error}}}"#)).await;
    assert_eq!(session.client.hear().await, format!(r#"{{"jsonrpc":"2.0","id":7,{error}}}"#));
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_upstream_under_its_own_id_and_gets_no_response() {
    let mut session = Session::new(Limits::default());
    session.client.say(CALL).await;
    let id = session.upstream.hear_attempt().await;
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"bored"}}"#;
    session.client.say(notice).await;
    assert_eq!(session.upstream.hear().await, notice.replace(":7,", &format!(":{id},")));
    session.upstream.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)).await;
    session.assert_quiet().await;
}

#[tokio::test]
async fn a_cancellation_of_another_request_passes_and_its_late_response_is_dropped() {
    let mut session = Session::new(Limits::default());
    let request = r#"{"jsonrpc":"2.0","id":8,"method":"resources/read"}"#;
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#;
    for line in [request, notice] {
        session.client.say(line).await;
        assert_eq!(session.upstream.hear().await, line);
    }
    session.upstream.say(r#"{"jsonrpc":"2.0","id":8,"result":{}}"#).await;
    session.assert_quiet().await;
}

#[tokio::test]
async fn an_attempt_that_times_out_is_cancelled_upstream_and_the_last_one_is_an_error() {
    let attempt_timeout = Some(Duration::from_millis(5));
    let mut session = Session::new(Limits { attempt_timeout, ..Limits::default() });
    session.client.say(CALL).await;
    for _ in 0..2 {
        let id = session.upstream.hear_attempt().await;
        let notice = session.upstream.hear().await;
        assert!(notice.contains("notifications/cancelled") && notice.contains(&id), "{notice}");
    }
    assert_eq!(
        session.client.hear().await,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"Request timed out","data":{"timeoutMs":5,"retry-with-backoff":{"outcome":"timed-out","executed":"unknown","attempts":2,"reason":"succeeded"}}}}"#
    );
    session.assert_quiet().await;
}

#[tokio::test]
async fn when_the_upstream_goes_every_request_gets_an_error() {
    let mut session = Session::new(Limits::default());
    session.client.say(CALL).await;
    session.upstream.hear_attempt().await;
    session.client.say(PING).await;
    session.upstream.hear().await;
    drop(session.upstream);
    let mut errors = [session.client.hear().await, session.client.hear().await];
    errors.sort();
    let lost = r#""error":{"code":-32000,"message":"the upstream server closed the connection","data":{"retry-with-backoff":{"outcome":"lost","executed":"unknown","attempts":1,"reason":"#;
    let expected = [("\"p\"", "not-judged"), ("7", "no-more-attempts")]
        .map(|(id, reason)| format!(r#"{{"jsonrpc":"2.0","id":{id},{lost}"{reason}"}}}}}}}}"#));
    assert_eq!(errors, expected);
    assert_eq!(session.relay.await.expect("no panic"), Ended::ByUpstream);
}

#[tokio::test]
async fn when_the_client_goes_its_calls_are_cancelled_and_the_upstream_is_closed() {
    let Session { client, mut upstream, relay } = Session::new(Limits::default());
    let mut client = client;
    client.say(CALL).await;
    let id = upstream.hear_attempt().await;
    drop(client);
    let notice = upstream.hear().await;
    assert!(notice.contains("notifications/cancelled") && notice.contains(&id), "{notice}");
    assert_eq!(upstream.lines.next_line().await.expect("readable"), None);
    drop(upstream);
    assert_eq!(relay.await.expect("no panic"), Ended::ByClient);
}

#[tokio::test]
async fn json_that_is_no_message_is_refused_and_the_session_goes_on() {
    let mut session = Session::new(Limits::default());
    session.client.say("[1]").await;
    let refusal = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"}}"#;
    assert_eq!(session.client.hear().await, refusal);
    session.client.say("not JSON").await;
    session.upstream.say("a banner").await;
    session.upstream.say("{}").await;
    session.assert_quiet().await;
}

const READ: &str = r#"{"jsonrpc":"2.0","id":9,"method":"resources/read","params":{"uri":"u:1","_meta":{"progressToken":3}}}"#;

/// The id, quoted, and the whole of a request.
fn id_of(request: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(request).expect("JSON");
    request["id"].to_string()
}

fn progress(token: &str, progress: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress},"total":4}}}}"#
    )
}

#[tokio::test]
async fn progress_of_several_attempts_reaches_the_client_as_that_of_one_call() {
    let mut session = Session::new(Limits::default());
    session.client.say(READ).await;
    let first = id_of(&session.upstream.hear().await);
    session.upstream.say(&progress(&first, 2)).await;
    assert_eq!(session.client.hear().await, progress("3", 2));
    let failed =
        format!(r#"{{"jsonrpc":"2.0","id":{first},"error":{{"code":-32603,"message":"m"}}}}"#);
    session.upstream.say(&failed).await;
    let request = session.upstream.hear().await;
    let second = id_of(&request);
    let waits = session.client.hear().await;
    assert!(waits.contains(r#""progress":2.000002,"message":"attempt 1 failed"#), "{waits}");
    assert_eq!(
        request,
        READ.replace(":9,", &format!(":{second},")).replace(":3}", &format!(":{second}}}"))
    );
    // The first attempt is over, and the second is not further yet.
    for (attempt, value) in [(&first, 3), (&second, 1), (&second, 2), (&second, 3)] {
        session.upstream.say(&progress(attempt, value)).await;
    }
    assert_eq!(session.client.hear().await, progress("3", 3));
    session.upstream.say(&format!(r#"{{"jsonrpc":"2.0","id":{second},"result":{{}}}}"#)).await;
    let answer = session.client.hear().await;
    assert!(answer.starts_with(r#"{"jsonrpc":"2.0","id":9,"result":{"_meta":{"#), "{answer}");
    session.upstream.say(&progress(&second, 4)).await;
    session.assert_quiet().await;
}
