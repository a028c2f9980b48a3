//! The calls of the demo, and what should come of them.

use serde_json::{Value, json};

use crate::demo::flaky_server::{ECHO, FLAKY, FLAKY_PATIENT, SEND};

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The first attempt succeeded.
    AtOnce,
    /// A later attempt succeeded.
    Recovered,
    /// It failed for good: no retries left.
    Exhausted,
    /// It failed in a way that no retry mends.
    NotRetryable,
    /// It may have been done, and nobody says that twice is safe.
    NotReplayed,
    /// The next wait would not have ended in time.
    OutOfTime,
}

/// One call and its expectation.
#[derive(Debug)]
pub struct Scene {
    pub title: &'static str,
    pub tool: &'static str,
    pub arguments: Value,
    pub attempts: u32,
    pub end: End,
    /// The text of what the client gets.
    pub text: &'static str,
}

/// The plugin's configuration: that of the proxy, with waits short enough to watch.
pub fn plugin_config() -> Value {
    json!({
        "profile": "safe",
        "backoff_base_ms": 40,
        "max_backoff_ms": 500,
        "tool_overrides": {
            FLAKY_PATIENT: { "idempotent": true, "backoff_base_ms": 60_000, "max_backoff_ms": 60_000, "jitter": false },
        },
    })
}

/// What one attempt may take, in milliseconds.
pub const ATTEMPT_TIMEOUT_MS: u64 = 250;
/// What a call may take, in milliseconds. Far beyond what the other calls need, even on a busy machine.
pub const DEADLINE_MS: u64 = 5_000;

/// All calls, in order.
pub fn scenes() -> Vec<Scene> {
    let flaky = |title, mode: &str, fail_times: u32, attempts, end, text| Scene {
        title,
        tool: FLAKY,
        arguments: json!({ "key": title, "fail_times": fail_times, "mode": mode }),
        attempts,
        end,
        text,
    };
    vec![
        Scene {
            title: "no failure at all",
            tool: ECHO,
            arguments: json!({ "text": "hello" }),
            attempts: 1,
            end: End::AtOnce,
            text: "hello",
        },
        flaky(
            "two errors of the tool, then fine",
            "isError",
            2,
            3,
            End::Recovered,
            "flaky recovered after 3 attempt(s)",
        ),
        flaky(
            "status 503 once",
            "status-503",
            1,
            2,
            End::Recovered,
            "flaky recovered after 2 attempt(s)",
        ),
        flaky(
            "a JSON-RPC error once",
            "rpc-error",
            1,
            2,
            End::Recovered,
            "flaky recovered after 2 attempt(s)",
        ),
        flaky(
            "hangs once, past the attempt's timeout",
            "hang",
            1,
            2,
            End::Recovered,
            "flaky recovered after 2 attempt(s)",
        ),
        flaky(
            "fails more often than it is retried",
            "isError",
            9,
            4,
            End::Exhausted,
            "flaky transient failure (attempt 4/9)",
        ),
        flaky(
            "status 404: no retry can mend it",
            "status-404",
            9,
            1,
            End::NotRetryable,
            "flaky transient failure (attempt 1/9)",
        ),
        Scene {
            title: "a tool that may have sent its message, and says nothing of twice",
            tool: SEND,
            arguments: json!({ "key": "sent", "fail_times": 1, "mode": "status-503" }),
            attempts: 1,
            end: End::NotReplayed,
            text: "flaky transient failure (attempt 1/1)",
        },
        Scene {
            title: "a wait longer than the call's deadline",
            tool: FLAKY_PATIENT,
            arguments: json!({ "key": "patient", "fail_times": 1, "mode": "isError" }),
            attempts: 1,
            end: End::OutOfTime,
            text: "flaky transient failure (attempt 1/1)",
        },
    ]
}
