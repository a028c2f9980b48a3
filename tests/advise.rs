//! Logs of calls: written by the gateway, read again, played again under other
//! configurations, and what is recommended for them.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use host_harness::{
    advise::{Recorder, Trace, advise, recommend::MOST_PEAK, replay, trace::LoggedOutcome},
    bundled,
    contract::{HttpError, Outcome},
    gateway::{Clock, Content, Gateway, Limits, LogicalCall, Reply},
    sandbox::Component,
    simulate::executor::Executor,
};
use serde_json::{Value, json};

use crate::plugin_under_test::{OK, start};

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component")
});

fn fine() -> Value {
    json!({ "returned": { "is_error": false, "structured": null } })
}

fn busy() -> Value {
    json!({ "http-error": { "status": 429, "pushback_ms": null } })
}

fn attempt(after_ms: u64, outcome: &Value) -> Value {
    json!({ "after_ms": after_ms, "took_ms": 20, "outcome": outcome })
}

fn line(at_ms: u64, tool: &str, attempts: &[Value]) -> String {
    json!({ "at_ms": at_ms, "tool": tool, "upstream": null, "attempts": attempts }).to_string()
}

/// 200 calls of `search`, every tenth busy at first and fine after it, and 200
/// of `pay`, every twentieth of which times out and was left at that.
fn log() -> String {
    let call = |number: u64| {
        let at = number * 250;
        let search = match number % 10 {
            5 => line(at, "search", &[attempt(0, &busy()), attempt(150, &fine())]),
            _ => line(at, "search", &[attempt(0, &fine())]),
        };
        let outcome = if number % 20 == 7 { json!("timed-out") } else { fine() };
        [search, line(at + 1, "pay", &[attempt(0, &outcome)])].join("\n")
    };
    (0..200).map(call).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_retries_exactly_the_calls_that_failed_at_first_fail() {
    let trace = Trace::parse("t", &log()).expect("a good log");
    let config = json!({ "max_retries": 0 });
    let replayed = replay(&COMPONENT, &trace, &config, Limits::default()).expect("a good policy");
    assert_eq!((replayed.calls, replayed.succeeded, replayed.attempts), (400, 370, 400));
    assert_eq!(replayed.guessed, 0);
}

#[test]
fn an_attempt_of_the_log_ends_as_it_did_and_others_as_their_neighbours() {
    let trace = Trace::parse("t", &log()).expect("a good log");
    let replayed = replay(&COMPONENT, &trace, &json!({}), Limits::default()).expect("good");
    // Retries of `search` are in the log; those of `pay` are not, and its neighbours are fine.
    assert_eq!((replayed.succeeded, replayed.attempts, replayed.guessed), (400, 430, 10));
}

#[test]
fn the_advice_never_repeats_what_may_have_been_done_unless_told() {
    let trace = Trace::parse("t", &log()).expect("a good log");
    let advice = advise(&COMPONENT, &trace, &[], Limits::default()).expect("good policies");
    let best = &advice.candidates[advice.best];
    assert_eq!(best.config["profile"], "safe");
    assert!(best.replayed.peak <= MOST_PEAK);
    // A rate limit is always safe to retry, a timeout of a payment is not.
    assert_eq!(best.replayed.succeeded, 390);
    assert_eq!(advice.logged.succeeded, 390);
    let [pay] = &advice.tools[..] else { panic!("{:?}", advice.tools) };
    assert_eq!((pay.tool.as_str(), pay.failures, pay.saved_by_mark), ("pay", 10, 10));

    let told = advise(&COMPONENT, &trace, &["pay".to_owned()], Limits::default()).expect("good");
    assert_eq!(told.candidates[told.best].replayed.succeeded, 400);
    assert!(told.tools.is_empty());
}

#[test]
fn a_line_that_is_no_call_is_named() {
    let wrong = |text: &str| Trace::parse("calls.jsonl", text).expect_err("wrong").to_string();
    let told = wrong(&format!("{}\n{{\"at_ms\":1}}\n", line(0, "t", &[attempt(0, &fine())])));
    assert!(told.starts_with("calls.jsonl:2: missing field `tool`"), "{told}");
    assert_eq!(wrong(&line(0, "t", &[])), "calls.jsonl:1: `attempts` must not be empty");
    assert!(wrong("\n").starts_with("calls.jsonl: there is no call in it"));
    let told = wrong(&line(0, "t", &[attempt(0, &json!("fell asleep"))]));
    assert!(told.contains("unknown variant `fell asleep`"), "{told}");
}

/// What is written, for whoever looks.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Answer(Outcome);

impl Reply for Answer {
    fn outcome(&self) -> Outcome {
        self.0
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        Self(Outcome::TimedOut)
    }
}

#[test]
fn the_gateway_writes_the_log_that_is_read() {
    let mut executor = Executor::default();
    let (clock, written) = (executor.clock(), Shared::default());
    let recorder = Recorder::new(Arc::new(clock.clone()), Box::new(written.clone()));
    let gateway = Gateway {
        hook: Some(Arc::new(start(r#"{"jitter": false}"#))),
        limits: Limits { attempt_timeout: Some(Duration::from_millis(50)), ..Limits::default() },
        clock: Arc::new(clock.clone()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(recorder),
    };
    executor.spawner().spawn(async move {
        clock.sleep(Duration::from_millis(7)).await;
        let call = LogicalCall::new("search", "1");
        gateway
            .run(&call, |attempt| {
                let clock = clock.clone();
                async move {
                    let unavailable = HttpError { status: 503, pushback_ms: Some(40) };
                    let (millis, outcome) = match attempt.number() {
                        1 => (30, Outcome::HttpError(unavailable)),
                        2 => (1_000, OK),
                        _ => (20, OK),
                    };
                    clock.sleep(Duration::from_millis(millis)).await;
                    Answer(outcome)
                }
            })
            .await;
    });
    executor.run();

    let text = String::from_utf8(written.0.lock().expect("one thread").clone()).expect("text");
    let trace = Trace::parse("log", &text).expect("what was written can be read");
    let [call] = &trace.calls[..] else { panic!("{text}") };
    assert_eq!((call.at_ms, call.tool.as_str()), (7, "search"));
    let told: Vec<_> =
        call.attempts.iter().map(|one| (one.after_ms, one.took_ms, one.outcome)).collect();
    let unavailable = LoggedOutcome::HttpError { status: 503, pushback_ms: Some(40) };
    assert_eq!(told[0], (0, 30, unavailable));
    assert_eq!(told[1], (30 + 200, 50, LoggedOutcome::TimedOut));
    assert_eq!(told[2], (280 + 400, 20, LoggedOutcome::from(&OK)));
    assert_eq!(told.len(), 3);
}
