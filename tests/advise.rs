//! Logs of calls: written by the gateway, read again, played again under other
//! configurations, and what is recommended for them.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use host_harness::{
    advise::{
        Recorder, Recovery, Trace, advise,
        recommend::{MOST_PEAK, Writes},
        replay,
        trace::{LoggedCall, LoggedClass, LoggedHints, LoggedOutcome},
    },
    bundled,
    contract::{HttpError, Outcome, ToolAnnotations},
    gateway::{CallContext, Clock, Content, Gateway, Limits, LogicalCall, Reply},
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

fn log_of(calls: impl IntoIterator<Item = String>) -> Trace {
    let lines: Vec<_> = calls.into_iter().collect();
    Trace::parse("t", lines.join("\n").as_bytes()).expect("a good log")
}

/// 200 calls of `search`, every tenth busy at first and fine after it, and 200
/// of `pay`, every twentieth of which times out and was left at that.
fn log() -> Trace {
    log_of((0..200).flat_map(|number| {
        let at = number * 250;
        let search = match number % 10 {
            5 => line(at, "search", &[attempt(0, &busy()), attempt(150, &fine())]),
            _ => line(at, "search", &[attempt(0, &fine())]),
        };
        let outcome = if number % 20 == 7 { json!("timed-out") } else { fine() };
        [search, line(at + 1, "pay", &[attempt(0, &outcome)])]
    }))
}

#[test]
fn without_retries_exactly_the_calls_that_failed_at_first_fail() {
    let config = json!({ "max_retries": 0 });
    let replayed = replay(&COMPONENT, &log(), &config, Limits::default()).expect("a good policy");
    assert_eq!((replayed.calls, replayed.succeeded, replayed.attempts), (400, 370, 400));
    assert_eq!((replayed.guessed.len(), replayed.taken_to_fail), (0, 0));
}

#[test]
fn an_attempt_of_the_log_ends_as_it_did_and_what_was_never_retried_lasts() {
    let replayed = replay(&COMPONENT, &log(), &json!({}), Limits::default()).expect("good");
    // Retries of `search` are in the log; those of `pay` are not, whatever its neighbours did.
    assert_eq!((replayed.succeeded, replayed.attempts), (390, 400 + 20 + 10 * 2));
    assert_eq!((replayed.guessed.len(), replayed.taken_to_fail), (0, 20));
}

#[test]
fn other_attempts_end_as_logged_retries_after_the_same_failure_did() {
    // Of ten busy calls one was given up at once; nine were retried, and recovered.
    let busy_call = |number: u64| match number {
        4 => line(number * 1_000, "search", &[attempt(0, &busy())]),
        _ => line(number * 1_000, "search", &[attempt(0, &busy()), attempt(150, &fine())]),
    };
    let other = |number: u64| {
        let retried = [attempt(0, &busy()), attempt(150, &busy())];
        json!({ "at_ms": number * 1_000 + 4, "tool": "search", "upstream": "b", "attempts": retried })
    };
    let trace = log_of((0..10).map(busy_call).chain((0..10).map(|n| other(n).to_string())));
    let replayed = replay(&COMPONENT, &trace, &json!({}), Limits::default()).expect("good");
    // Those of the upstream `b`, which never recovered, do not count for the one without a name.
    assert_eq!((replayed.succeeded, replayed.guessed_to_succeed), (10, 1));
}

/// The case that once talked operators into repeating writes: 2000 calls, 15 %
/// of which end in an `isError` that would come again, and nothing transient.
fn deterministic_errors() -> Trace {
    log_of((0..2_000).map(|number| {
        let outcome = if number % 20 < 3 { is_error() } else { fine() };
        line(number * 500, "create_issue", &[attempt(0, &outcome)])
    }))
}

fn is_error() -> Value {
    json!({ "returned": { "is_error": true, "structured": null } })
}

#[test]
fn a_log_without_retries_promises_nothing() {
    for marked in [vec![], vec!["create_issue".to_owned()]] {
        let advice = advise(&COMPONENT, &deterministic_errors(), &marked, Limits::default())
            .expect("good policies");
        assert_eq!(advice.learned.all(), Recovery::default());
        assert_eq!((advice.saved(), advice.tools.len()), (None, 0));
        assert_eq!(advice.best().config["profile"], "safe");
        for candidate in &advice.candidates {
            assert_eq!(candidate.replayed.succeeded, 1_700, "{}", candidate.name);
        }
    }
}

#[test]
fn errors_that_came_again_whenever_they_were_retried_are_never_said_to_be_saved() {
    let trace = log_of((0..500).map(|number| match number % 10 {
        0 => {
            let again = [attempt(0, &is_error()), attempt(100, &is_error())];
            line(number * 500, "create_issue", &again)
        }
        5 => line(number * 500, "create_issue", &[attempt(0, &is_error())]),
        _ => line(number * 500, "create_issue", &[attempt(0, &fine())]),
    }));
    let advice = advise(&COMPONENT, &trace, &[], Limits::default()).expect("good policies");
    assert_eq!(advice.learned.all(), Recovery { retried: 50, recovered: 0 });
    assert_eq!(advice.saved().map(|saved| saved.calls), Some(0));
    assert!(advice.tools.is_empty(), "{:?}", advice.tools);
}

/// `pay` times out every twentieth time; every other of these was called again,
/// and that helped.
fn payments(hints: &Value) -> Trace {
    log_of((0..400).map(|number| {
        let attempts = match number % 40 {
            7 => vec![attempt(0, &json!("timed-out"))],
            27 => vec![attempt(0, &json!("timed-out")), attempt(300, &fine())],
            _ => vec![attempt(0, &fine())],
        };
        json!({
            "at_ms": number * 1_000, "tool": "pay", "upstream": "bank", "attempts": attempts,
            "hints": hints, "trusted": true,
        })
        .to_string()
    }))
}

#[test]
fn a_mark_is_advised_only_where_repeated_attempts_recovered_and_says_what_the_tool_does() {
    let advice = advise(&COMPONENT, &log(), &[], Limits::default()).expect("good policies");
    assert_eq!(advice.best().config["profile"], "safe");
    assert!(advice.within_bound());
    // A rate limit is always safe to retry; that a payment recovers is in no line.
    assert_eq!(advice.best().replayed.succeeded, 390);
    assert_eq!(advice.saved().map(|saved| (saved.calls, saved.between)), Some((20, (20, 20))));
    assert!(advice.tools.is_empty(), "{:?}", advice.tools);

    let silent = json!({ "read_only": null, "destructive": null, "idempotent": null });
    let writes = json!({ "read_only": false, "destructive": true, "idempotent": null });
    for (hints, writes) in [(silent, Writes::Unknown), (writes, Writes::Writes)] {
        let advice = advise(&COMPONENT, &payments(&hints), &[], Limits::default()).expect("good");
        let [pay] = &advice.tools[..] else { panic!("{:?}", advice.tools) };
        assert_eq!((pay.tool.as_str(), pay.failures, pay.saved_by_mark), ("bank/pay", 20, 20));
        assert_eq!(pay.recovery, Recovery { retried: 10, recovered: 10 });
        assert_eq!(pay.writes, writes);

        let marked = ["bank/pay".to_owned()];
        let advice = advise(&COMPONENT, &payments(&hints), &marked, Limits::default());
        let advice = advice.expect("good policies");
        assert!(advice.tools.is_empty());
        // Ten are in the log; the other ten as far as ten of ten say it.
        let saved = advice.saved().expect("there are retries");
        assert_eq!((saved.calls, saved.between), (20, (17, 20)));
    }
}

#[test]
fn a_read_only_tool_needs_no_mark() {
    let reads = json!({ "read_only": true, "destructive": null, "idempotent": null });
    let advice = advise(&COMPONENT, &payments(&reads), &[], Limits::default()).expect("good");
    assert!(advice.tools.is_empty());
    assert_eq!(advice.best().replayed.succeeded, 400);
}

#[test]
fn what_the_plugin_read_out_of_words_is_read_again() {
    let reads = json!({ "read_only": true, "destructive": null, "idempotent": null });
    for (class, succeeded) in
        [("transient", 40), ("throttled", 40), ("permanent", 36), ("unknown", 36)]
    {
        let trace = log_of((0..40).map(|number| {
            let mut failed = attempt(0, &is_error());
            failed["class"] = json!(class);
            let attempts = match number % 10 {
                3 => vec![failed, attempt(200, &fine())],
                _ => vec![attempt(0, &fine())],
            };
            json!({
                "at_ms": number * 1_000, "tool": "read", "upstream": null, "attempts": attempts,
                "hints": reads, "trusted": true,
            })
            .to_string()
        }));
        let config = json!({ "profile": "safe" });
        let replayed = replay(&COMPONENT, &trace, &config, Limits::default()).expect("good");
        assert_eq!(replayed.succeeded, succeeded, "{class}");
    }
}

#[test]
fn a_pick_above_the_bound_says_so() {
    // Every call is busy, and fine only at its third attempt.
    let attempts = [attempt(0, &busy()), attempt(150, &busy()), attempt(400, &fine())];
    let trace = log_of((0..60).map(|number| line(number * 9_000, "search", &attempts)));
    let advice = advise(&COMPONENT, &trace, &[], Limits::default()).expect("good policies");
    let peak = advice.best().replayed.peak.expect("there are calls enough");
    assert_eq!(advice.within_bound(), peak <= MOST_PEAK);
    assert!(peak > MOST_PEAK, "{peak}");
    assert_eq!(advice.within(), 0);
}

#[test]
fn a_line_that_is_no_call_is_named() {
    let wrong =
        |text: &str| Trace::parse("calls.jsonl", text.as_bytes()).expect_err("wrong").to_string();
    let good = line(0, "t", &[attempt(0, &fine())]);
    let told = wrong(&format!("{good}\n{{\"at_ms\":1}}\n"));
    assert!(told.starts_with("calls.jsonl:2: missing field `tool`"), "{told}");
    assert_eq!(wrong(&line(0, "t", &[])), "calls.jsonl:1: `attempts` must not be empty");
    assert!(wrong("\n").starts_with("calls.jsonl: there is no call in it"));
    let told = wrong(&line(0, "t", &[attempt(0, &json!("fell asleep"))]));
    assert!(told.contains("unknown variant `fell asleep`"), "{told}");
    let told = wrong(&format!("{good}\n{good}x"));
    assert!(told.starts_with("calls.jsonl:2: trailing characters"), "{told}");
}

#[test]
fn a_line_that_was_cut_off_is_all_that_is_lost() {
    let good = |at| line(at, "t\u{e9}", &[attempt(0, &fine())]);
    let whole = [good(0), good(1)].join("\n") + "\n";
    let last = good(2);
    for cut in 1..last.len() {
        // At the end, and where another process has gone on after it.
        for (rest, calls) in [("", 2), ("\n", 2), (&*format!("\n{}\n", good(3)), 3)] {
            let text = [whole.as_bytes(), &last.as_bytes()[..cut], rest.as_bytes()].concat();
            let trace = Trace::parse("c", &text).expect("only a line is cut off");
            assert_eq!((trace.calls.len(), &trace.cut_off[..]), (calls, &["c:3".to_owned()][..]));
        }
    }
}

#[test]
fn times_begin_at_nought_and_long_pauses_are_shortened() {
    let hour = 3_600_000;
    let one = |at| line(at, "t", &[attempt(0, &fine())]);
    // An old log, that a process of today went on with.
    let trace = log_of([one(5), one(1_764_176_400_000), one(1_764_176_400_250), one(7)]);
    let times: Vec<_> = trace.calls.iter().map(|call| call.at_ms).collect();
    assert_eq!(times, [0, 2, hour + 2, hour + 252]);
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

/// A call of which 503, a timeout and a result come back, in the log.
fn written(config: &str, context: CallContext) -> LoggedCall {
    let mut executor = Executor::default();
    let (clock, written) = (executor.clock(), Shared::default());
    let recorder = Recorder::new(Arc::new(clock.clone()), Box::new(written.clone()));
    let recorder = recorder.since_1970(UNIX_EPOCH + Duration::from_secs(1));
    let gateway = Gateway {
        hook: Some(Arc::new(start(config))),
        limits: Limits { attempt_timeout: Some(Duration::from_millis(50)), ..Limits::default() },
        clock: Arc::new(clock.clone()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(recorder),
    };
    executor.spawner().spawn(async move {
        clock.sleep(Duration::from_millis(7)).await;
        let mut call = LogicalCall::new("search", "1");
        call.context = Arc::new(context);
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
    let text = written.0.lock().expect("one thread").clone();
    let [line, rest @ ..] = &text.split(|byte| *byte == b'\n').collect::<Vec<_>>()[..] else {
        panic!("nothing is written")
    };
    assert_eq!(rest, [b""]);
    assert_eq!(Trace::parse("log", line).expect("what was written can be read").calls.len(), 1);
    serde_json::from_slice(line).expect("a call")
}

#[test]
fn the_gateway_writes_the_log_that_is_read() {
    let call = written(r#"{"jitter": false}"#, CallContext::default());
    assert_eq!((call.at_ms, call.tool.as_str()), (1_007, "search"));
    let told: Vec<_> =
        call.attempts.iter().map(|one| (one.after_ms, one.took_ms, one.outcome)).collect();
    let unavailable = LoggedOutcome::HttpError { status: 503, pushback_ms: Some(40) };
    assert_eq!(told[0], (0, 30, unavailable));
    assert_eq!(told[1], (30 + 200, 50, LoggedOutcome::TimedOut));
    assert_eq!(told[2], (280 + 400, 20, LoggedOutcome::from(&OK)));
    assert_eq!(told.len(), 3);

    let judged: Vec<_> = call
        .attempts
        .iter()
        .map(|one| (one.class, one.reason.as_deref(), one.not_executed, one.planned_delay_ms))
        .collect();
    let transient = Some(LoggedClass::Transient);
    assert_eq!(judged[0], (transient, Some("retryable_status"), Some(false), Some(200)));
    assert_eq!(judged[1], (transient, Some("timed_out"), Some(false), Some(400)));
    let succeeded = Some(LoggedClass::Succeeded);
    assert_eq!(judged[2], (succeeded, Some("succeeded"), Some(false), None));
    assert_eq!((call.hints, call.trusted, call.ended.as_deref()), (None, None, Some("succeeded")));
}

#[test]
fn the_log_has_the_hints_and_why_a_call_ended() {
    let annotations =
        ToolAnnotations { read_only: Some(false), destructive: None, idempotent: None };
    let context = CallContext {
        upstream: Some("web".to_owned()),
        annotations: Some(annotations),
        trusted: Some(true),
        ..CallContext::default()
    };
    let call = written(r#"{"profile": "safe"}"#, context);
    assert_eq!(call.upstream.as_deref(), Some("web"));
    let hints = LoggedHints { read_only: Some(false), destructive: None, idempotent: None };
    assert_eq!((call.hints, call.trusted), (Some(hints), Some(true)));
    assert_eq!(call.ended.as_deref(), Some("hints_silent"));
    let [only] = &call.attempts[..] else { panic!("{call:?}") };
    assert_eq!(only.reason.as_deref(), Some("hints_silent"));
    assert_eq!((only.class, only.planned_delay_ms), (Some(LoggedClass::Transient), None));
}
