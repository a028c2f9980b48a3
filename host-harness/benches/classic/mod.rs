//! The calls that the benches of a decision have in common.

use host_harness::contract::{Invocation, Known, Outcome, Returned, Structured};

/// A first attempt at this time.
pub fn invocation(now_ms: u64) -> Invocation<'static> {
    Invocation {
        target: "search",
        request_id: "0123456789abcdef",
        attempt: 1,
        now_ms,
        time_left_ms: None,
        known: Known::empty(),
    }
}

fn returned(is_error: bool, status_code: Option<i32>) -> Outcome {
    let structured = status_code.map(|_| Structured { is_error: false, status_code });
    Outcome::Returned(Returned { is_error, structured })
}

/// The four cases that the original plugin's benchmark has.
pub fn classic_cases() -> [(&'static str, Outcome); 4] {
    [
        ("isError", returned(true, None)),
        ("status 500", returned(false, Some(500))),
        ("no error", returned(false, None)),
        ("status 200", returned(false, Some(200))),
    ]
}
