//! Recorded answers: one a line, as JSON.
//!
//! ```json
//! {"server":"github","case":"limit","class":"throttled","pushback_ms":12000,
//!  "annotations":{"readOnlyHint":true},"answer":{"kind":"result","result":{
//!  "isError":true,"content":[{"type":"text","text":"rate limit exceeded. Retry after 12s."}]}}}
//! ```
//!
//! `class`, `pushback_ms`, `annotations` and `open` may be left out. `answer` is a
//! `result`, an `error` (of JSON-RPC) or `http` with a `status`, a `body` and
//! `retry_after_ms`.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    contract::ToolAnnotations,
    mcp::{
        reply::{Answer, AttemptReply, HttpFailure},
        wire::Message,
    },
};

/// What kind of answer it is, by who wrote the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recorded {
    /// A failure that passes.
    Transient,
    /// A failure that passes, because of too many requests.
    Throttled,
    /// A failure that stays.
    Permanent,
    /// No failure.
    Succeeded,
}

impl Recorded {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Transient, Self::Throttled, Self::Permanent, Self::Succeeded];

    /// Its name in a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Permanent => "permanent",
            Self::Succeeded => "succeeded",
        }
    }

    /// Whether another attempt is worth it.
    #[must_use]
    pub const fn wants_retry(self) -> bool {
        matches!(self, Self::Transient | Self::Throttled)
    }
}

/// A line of a file.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    /// Who answered.
    #[serde(default)]
    pub server: String,
    /// In which case.
    #[serde(default)]
    pub case: String,
    /// What kind of answer it is.
    pub class: Option<Recorded>,
    /// The answer.
    pub answer: RecordedAnswer,
    /// What the server says of the tool in `tools/list`.
    #[serde(default)]
    pub annotations: Map<String, Value>,
    /// The wait that the answer names, in milliseconds.
    pub pushback_ms: Option<u64>,
    /// Why the class can be argued about (or only `true`); such a line is not counted.
    #[serde(default, deserialize_with = "open")]
    pub open: Option<String>,
}

/// A reason, or only `true`.
fn open<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::Null | Value::Bool(false) => None,
        Value::String(reason) => Some(reason),
        other => Some(other.to_string()),
    })
}

/// An answer, as it was recorded.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum RecordedAnswer {
    /// A result.
    Result {
        /// It.
        result: Value,
    },
    /// A JSON-RPC error.
    Error {
        /// It.
        error: Value,
    },
    /// An HTTP error.
    Http {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, in milliseconds.
        retry_after_ms: Option<u64>,
        /// Its body.
        body: Option<String>,
    },
}

impl Line {
    /// The answer as the gateway reads it from a server.
    ///
    /// # Errors
    /// It is none that a server could send.
    pub fn reply(&self) -> Result<AttemptReply, String> {
        let response = |name: &str, value: &Value| {
            let text = json!({ "jsonrpc": "2.0", "id": 1, name: value }).to_string();
            let raw: Box<RawValue> =
                serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let message = Message::parse(&raw).map_err(|error| error.to_string())?;
            Ok(AttemptReply::of(Answer::Response(message)))
        };
        match &self.answer {
            RecordedAnswer::Result { result } => response("result", result),
            RecordedAnswer::Error { error } => response("error", error),
            RecordedAnswer::Http { status, retry_after_ms, body } => {
                let status = StatusCode::from_u16(*status)
                    .map_err(|_| format!("`status` must be an HTTP status, not {status}"))?;
                let mut headers = HeaderMap::new();
                if let Some(time) = retry_after_ms {
                    headers.insert("retry-after-ms", HeaderValue::from(*time));
                }
                let body = body.as_deref().unwrap_or_default().as_bytes();
                let failure = HttpFailure::read(status, &headers, body, UNIX_EPOCH);
                Ok(AttemptReply::of(Answer::Http(failure)))
            }
        }
    }

    /// The annotations as the gateway reads them.
    #[must_use]
    pub fn hints(&self) -> ToolAnnotations {
        let hint = |name| self.annotations.get(name).and_then(Value::as_bool);
        ToolAnnotations {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
            idempotent: hint("idempotentHint"),
        }
    }
}

/// Reads a file. `name` stands for it in errors.
///
/// # Errors
/// The first line that is none, with its place; or that there is none at all.
pub fn parse(name: &str, text: &str) -> Result<Vec<(usize, Line)>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<(usize, Line)> = lines
        .map(|(number, line)| {
            let line =
                serde_json::from_str(line).map_err(|error| format!("{name}:{number}: {error}"))?;
            Ok((number, line))
        })
        .collect::<Result<_, String>>()?;
    if lines.is_empty() {
        Err(format!("{name}: there is no recorded answer in it"))
    } else {
        Ok(lines)
    }
}
