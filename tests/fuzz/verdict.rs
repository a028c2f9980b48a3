//! The lifting of a guest's answer, and the boundary checks on it.
//!
//! The guest returns whatever bytes it is sent: the input's first 56 bytes are
//! its `result<verdict, hook-error>`, the rest says what it is asked about.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use host_harness::{
    contract::{
        Class, HttpError, Invocation, Known, Outcome, Reason, Returned, Structured,
        TransportFailure, Unfinished, Verdict,
    },
    gateway::{Background, Hook, RetryHook},
    sandbox::{Breakage, HookFailure, Options, Plugin, Replacement},
};

use super::run;
use crate::hostile::guest::Guest;

/// Size of `result<verdict, hook-error>` in memory.
const RESULT: usize = 80;
const CEILING: u32 = 3;

/// Two letters from `a` to `p` of the request id make a byte at 4096.
fn mirror() -> Guest {
    let letter = |offset: u32| {
        format!(
            "(i32.sub (i32.load8_u offset={offset} (i32.add (local.get $id)
                (i32.mul (local.get $at) (i32.const 2)))) (i32.const 97))"
        )
    };
    let (high, low) = (letter(0), letter(1));
    let handle = format!(
        "(local $at i32)
        (loop $more
            (i32.store8 offset=4096 (local.get $at)
                (i32.or (i32.shl {high} (i32.const 4)) {low}))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const {RESULT}))))
        (i32.const 4096)"
    );
    Guest { handle, ..Guest::polite() }
}

fn start() -> Arc<Plugin> {
    let mut options =
        Options { shards: NonZeroUsize::MIN, max_tool_retries: CEILING, ..Options::default() };
    options.limits.call_time = Duration::from_secs(60);
    // It lies and breaks all the time, and is to be asked again all the same.
    options.replacement = Replacement {
        first_rest: Duration::ZERO,
        strikes: usize::MAX,
        window: Duration::ZERO,
        ..Replacement::default()
    };
    Arc::new(Plugin::start(&mirror().component(), options).expect("it starts"))
}

/// What the guest is asked about, from a few bytes.
fn question(bytes: &[u8]) -> (Outcome, u32, bool) {
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let code = i32::from(byte(2)) * 4;
    let structured = (byte(1) & 2 > 0).then(|| Structured {
        is_error: byte(1) & 4 > 0,
        status_code: (byte(1) & 8 > 0).then_some(code),
    });
    let outcome = match byte(0) % 9 {
        0 | 1 => Outcome::Returned(Returned { is_error: byte(1) & 1 > 0, structured }),
        2 => Outcome::TimedOut,
        3 => Outcome::TransportFailed(TransportFailure::AfterDispatch),
        4 => Outcome::RpcError(code.into()),
        5 => Outcome::HttpError(HttpError { status: u16::from(byte(2)) * 4, pushback_ms: None }),
        6 => Outcome::Unfinished(Unfinished::Task),
        7 => Outcome::Cancelled,
        _ => Outcome::Refused,
    };
    (outcome, u32::from(byte(3) % 8) + 1, byte(4) & 1 > 0)
}

/// All that the contract asks of a verdict, said once more.
fn keeps_the_contract(verdict: &Verdict, outcome: &Outcome, attempt: u32, traced: bool) -> bool {
    let retries = verdict.retry_delay_ms > 0;
    let asks = [
        Reason::ToolError,
        Reason::StructuredError,
        Reason::TextError,
        Reason::RetryableStatus,
        Reason::TimedOut,
        Reason::TransportFailed,
        Reason::RpcError,
        Reason::Transient,
        Reason::Throttled,
    ]
    .contains(&verdict.reason);
    let may_fail = match outcome {
        Outcome::Returned(Returned { is_error, structured }) => {
            *is_error || structured.is_some_and(|it| it.is_error || it.status_code.is_some())
        }
        Outcome::Unfinished(_) | Outcome::Cancelled | Outcome::Refused => false,
        _ => true,
    };
    let retry = may_fail
        && attempt <= CEILING
        && verdict.failures > 0
        && verdict.retry_delay_ms <= verdict.delay_ceiling_ms
        && verdict.retry_delay_ms <= 3_600_000;
    let no_retry = verdict.delay_ceiling_ms == 0 || verdict.reason == Reason::Shadow;
    let metadata = verdict.metadata.is_some() == traced
        && verdict.metadata.is_none_or(|told| {
            (told.retry_count, told.retry_delay_ms) == (verdict.failures, verdict.retry_delay_ms)
        });
    let class = match verdict.reason {
        Reason::Succeeded => verdict.class == Class::Succeeded && !verdict.not_executed,
        Reason::Other => verdict.class != Class::Succeeded || !verdict.not_executed,
        _ => verdict.class != Class::Succeeded,
    };
    asks == retries && (if retries { retry } else { no_retry }) && metadata && class
}

/// The verdict in these bytes, as the canonical ABI lays it out; none if there is none.
fn verdict_in(bytes: &[u8; RESULT]) -> Option<(u64, u32, u64)> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    let known = bytes[0] == 0
        && bytes[16] <= Reason::Other as u8
        && bytes[32] <= Class::Unknown as u8
        && bytes[40] <= 1
        && bytes[56] <= 1;
    known.then(|| (word(8), word(16).checked_shr(32).unwrap_or(0) as u32, word(24)))
}

#[test]
fn no_answer_is_acted_on_that_breaks_the_contract() {
    let plugin = start();
    run("verdict", |input| {
        let mut answer = [0; RESULT];
        let given = input.len().min(RESULT);
        answer[..given].copy_from_slice(&input[..given]);
        let (outcome, attempt, traced) = question(&input[given..]);
        let letters: String = answer
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|nibble| char::from(b'a' + nibble))
            .collect();
        let known = if traced { Known::TRACE } else { Known::empty() };
        let invocation = Invocation {
            target: "fuzzed",
            request_id: &letters,
            attempt,
            now_ms: 0,
            time_left_ms: None,
            known,
        };
        let judged = plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, Background::none());
        let in_bytes = verdict_in(&answer);
        match judged {
            Ok(verdict) => {
                let told = (verdict.retry_delay_ms, verdict.failures, verdict.delay_ceiling_ms);
                assert_eq!(Some(told), in_bytes);
                assert!(keeps_the_contract(&verdict, &outcome, attempt, traced), "{verdict:?}");
            }
            Err(HookFailure::Rejected(_)) => assert!(in_bytes.is_some(), "it can be read"),
            Err(HookFailure::Refused(_)) => assert!(answer[0] == 1 && answer[8] <= 2),
            Err(HookFailure::Broke(Breakage::Trapped(what))) => {
                assert!(what.contains("discriminant"), "{what}");
                assert_eq!(in_bytes, None);
            }
            Err(other) => panic!("{other}"),
        }
    });
}
