//! The errors that the gateway makes itself: what became of the call, so that a
//! client knows whether the work may be done, and the next gateway in a row
//! judges what really happened and not an error code.
//!
//! All of them are written here, as a member of the error's `data`, and read
//! back here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    contract::{HttpError, Outcome, TransportFailure},
    mcp::wire::Message,
};

use crate::mcp::codes::{NO_ANSWER, TIMED_OUT};

/// The member of `data`.
const MEMBER: &str = "retry-with-backoff";
/// A longer error is not one of ours.
const MOST_BYTES: usize = 64 << 10;
/// What is passed on of the body of an HTTP error, in bytes.
pub(super) const MOST_BODY_BYTES: usize = 2 << 10;

/// What became of the last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ended {
    /// No answer in time.
    TimedOut,
    /// It did not reach the upstream.
    NotSent,
    /// The connection was lost after it was sent.
    Lost,
    /// An HTTP error.
    Http,
    /// An answer that is more than the gateway reads.
    TooLarge,
    /// The gateway's plugin broke, and the call was to fail with it.
    PluginFailed,
}

/// Whether the upstream has done the work, of all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Executed {
    /// Surely not.
    No,
    /// It may have.
    Unknown,
    /// Surely.
    Yes,
}

/// What is said of a call at its end.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// How many attempts were made; 0 if the call was not even tried.
    pub(super) attempts: u32,
    /// Why there was no other, as the plugin's reasons are called.
    pub(super) reason: String,
    pub(super) executed: Executed,
    /// How long the upstream asked not to be called.
    pub(super) retry_after_ms: Option<u64>,
}

impl Account {
    /// Of a request that runs through no plugin and is never repeated.
    pub(super) fn of_one(failure: TransportFailure) -> Self {
        let (attempts, executed) = match failure {
            TransportFailure::BeforeDispatch => (0, Executed::No),
            TransportFailure::AfterDispatch => (1, Executed::Unknown),
        };
        Self { attempts, reason: "not-judged".to_owned(), executed, retry_after_ms: None }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    outcome: Ended,
    executed: Executed,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Negative: the upstream asked not to be called again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// What an HTTP error was, for the next gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Http<'a> {
    pub(super) status: u16,
    pub(super) pushback_ms: Option<i64>,
    /// At most [`MOST_BODY_BYTES`].
    pub(super) body: Option<&'a str>,
}

/// The `data` of an error of the gateway's own. `more` stands beside what is said here.
pub(super) fn data(
    ended: Ended,
    account: &Account,
    http: Option<Http<'_>>,
    more: Map<String, Value>,
) -> Value {
    let asked = account.retry_after_ms.and_then(|time| i64::try_from(time).ok());
    let said = Said {
        outcome: ended,
        executed: account.executed,
        attempts: account.attempts,
        reason: account.reason.clone(),
        status: http.map(|http| http.status),
        retry_after_ms: http.and_then(|http| http.pushback_ms).or(asked),
        body: http.and_then(|http| http.body).map(ToOwned::to_owned),
    };
    let mut data = more;
    data.insert(MEMBER.to_owned(), json!(said));
    Value::Object(data)
}

/// What an error of another gateway stands for.
#[derive(Debug, PartialEq)]
pub(super) struct Original {
    pub(super) outcome: Outcome,
    /// The body of the HTTP error, as far as it was passed on.
    pub(super) body: Option<Arc<str>>,
}

/// Reads an error of the gateway behind this one. None if it is none, or says
/// something that cannot be.
///
/// Anybody may write such an error. It says no more than its writer could bring
/// about otherwise: by closing the connection, or by an HTTP status.
pub(super) fn read(error: &str) -> Option<Original> {
    let said = said(error)?;
    let lost = Outcome::TransportFailed(TransportFailure::AfterDispatch);
    let surely_not = said.executed == Executed::No;
    let outcome = match (said.outcome, said.status) {
        (Ended::TimedOut, None) => Outcome::TimedOut,
        (Ended::NotSent, None) if surely_not => {
            Outcome::TransportFailed(TransportFailure::BeforeDispatch)
        }
        // An attempt before it may have been executed.
        (Ended::NotSent, None) | (Ended::Http, Some(425 | 429)) if !surely_not => lost,
        (Ended::Lost, None) => lost,
        (Ended::Http, Some(status @ 300..=599)) => {
            Outcome::HttpError(HttpError { status, pushback_ms: said.retry_after_ms })
        }
        _ => return None,
    };
    let body = said.body.filter(|body| body.len() <= MOST_BODY_BYTES).map(Into::into);
    let body = body.filter(|_| matches!(outcome, Outcome::HttpError(_)));
    Some(Original { outcome, body })
}

/// What an error says in the form of [`data`].
fn said(error: &str) -> Option<Said> {
    #[derive(Deserialize)]
    struct Error<'a> {
        code: i64,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "retry-with-backoff")]
        said: Said,
    }

    if error.len() > MOST_BYTES {
        return None;
    }
    let Error { code, data } = serde_json::from_str(error).ok()?;
    if ![NO_ANSWER, TIMED_OUT].contains(&code) {
        return None;
    }
    Some(serde_json::from_str::<Data>(data.get()).ok()?.said)
}

/// The same error, which says that the answer was more than the gateway reads.
/// What became of the call is [said later](passed_on).
pub(super) fn too_large(error: Message) -> Message {
    let marked = || {
        let mut value: Value = serde_json::from_str(error.get("error")?.get()).ok()?;
        let more = value.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let account = Account { attempts: 0, ..Account::of_one(TransportFailure::AfterDispatch) };
        value["data"] = data(Ended::TooLarge, &account, None, more);
        serde_json::value::to_raw_value(&value).ok()
    };
    match marked() {
        Some(value) => error.with_member("error", value),
        None => error,
    }
}

/// The error of a gateway, as this one passes it on after several attempts, or
/// if nobody has counted them yet. Every other error stays as it came.
pub(super) fn passed_on(response: Message, account: &Account) -> Message {
    let counted = || {
        let error = response.get("error")?.get();
        let said = said(error)?;
        if account.attempts <= 1 && said.attempts > 0 {
            return None;
        }
        let mut error: Value = serde_json::from_str(error).ok()?;
        let said = error.get_mut("data")?.get_mut(MEMBER)?;
        said["attempts"] = json!(account.attempts);
        said["reason"] = json!(account.reason);
        if account.executed != Executed::No {
            said["executed"] = json!(account.executed);
        }
        serde_json::value::to_raw_value(&error).ok()
    };
    match counted() {
        Some(error) => response.with_member("error", error),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(executed: Executed) -> Account {
        let reason = "not-replay-safe".to_owned();
        Account { attempts: 2, reason, executed, retry_after_ms: Some(7) }
    }

    fn written(ended: Ended, executed: Executed, http: Option<Http<'_>>) -> String {
        let data = data(ended, &account(executed), http, Map::new());
        json!({ "code": NO_ANSWER, "message": "m", "data": data }).to_string()
    }

    #[test]
    fn what_one_gateway_says_the_next_one_reads() {
        let (before, after) = (
            Outcome::TransportFailed(TransportFailure::BeforeDispatch),
            Outcome::TransportFailed(TransportFailure::AfterDispatch),
        );
        for (ended, executed, outcome) in [
            (Ended::TimedOut, Executed::Unknown, Outcome::TimedOut),
            (Ended::NotSent, Executed::No, before),
            // An earlier attempt was lost: the call as a whole may be done.
            (Ended::NotSent, Executed::Unknown, after),
            (Ended::Lost, Executed::Unknown, after),
        ] {
            let read = read(&written(ended, executed, None)).expect("one of ours");
            assert_eq!(read, Original { outcome, body: None }, "{ended:?}");
        }
        for ended in [Ended::TooLarge, Ended::PluginFailed] {
            assert_eq!(read(&written(ended, Executed::Unknown, None)), None, "{ended:?}");
        }
    }

    #[test]
    fn an_http_error_keeps_its_status_its_wait_and_its_body() {
        let http =
            |status| Some(Http { status, pushback_ms: Some(1500), body: Some("quota exceeded") });
        let original = read(&written(Ended::Http, Executed::No, http(429))).expect("one of ours");
        let expected = HttpError { status: 429, pushback_ms: Some(1500) };
        assert_eq!(original.outcome, Outcome::HttpError(expected));
        assert_eq!(original.body.as_deref(), Some("quota exceeded"));
        // A refusal after an attempt that may be done proves nothing any more.
        let later = read(&written(Ended::Http, Executed::Unknown, http(429))).expect("one of ours");
        assert_eq!(later.outcome, Outcome::TransportFailed(TransportFailure::AfterDispatch));
        let unproven = read(&written(Ended::Http, Executed::Unknown, http(503)));
        assert!(matches!(unproven.expect("one of ours").outcome, Outcome::HttpError(_)));
    }

    #[test]
    fn what_is_not_quite_such_an_error_is_none() {
        let good = written(Ended::TimedOut, Executed::Unknown, None);
        assert!(read(&good).is_some());
        let long = "x".repeat(MOST_BYTES);
        for (from, to) in [
            ("-32000", "-32603"),
            ("-32000", r#""-32000""#),
            ("timed-out", "too-late"),
            ("unknown", "perhaps"),
            ("timed-out", "http"),
            (r#""executed":"unknown","#, ""),
            ("retry-with-backoff", "retry"),
            (r#""message":"m""#, &format!(r#""message":"{long}""#)),
        ] {
            assert_ne!(good.replace(from, to), good, "{from}");
            assert_eq!(read(&good.replace(from, to)), None, "{from} {to:.20}");
        }
        for status in [0, 200, 204, 600] {
            let http = Some(Http { status, pushback_ms: None, body: None });
            assert_eq!(read(&written(Ended::Http, Executed::No, http)), None, "{status}");
        }
    }
}
