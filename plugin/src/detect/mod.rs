//! Did the attempt fail, and would another one be worth its price?

mod status;
mod text;
mod wish;
mod words;

use alloc::string::String;

pub use wish::Wish;

use crate::{
    config::{Policy, TextCheck},
    context::Known,
};

/// How an attempt ended, as the gateway saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A result arrived.
    Returned {
        /// Its `isError` is `true`.
        is_error: bool,
        /// The facts of its `structuredContent`, unless that is absent or null.
        structured: Option<Structured>,
    },
    /// The attempt was given up when its time was over.
    TimedOut,
    /// The connection failed.
    TransportFailed {
        /// The request may have reached the upstream.
        dispatched: bool,
    },
    /// A JSON-RPC error of this code.
    RpcError(i64),
    /// An HTTP error.
    HttpError {
        /// Its status.
        status: u16,
        /// Milliseconds for which the upstream wants to be left alone;
        /// negative: for good.
        pushback: Option<i64>,
    },
    /// The call goes on elsewhere.
    Unfinished,
    /// The client gave the call up.
    Cancelled,
    /// Another plugin refused the call or its result.
    Refused,
    /// In a way that has no name yet.
    Other,
}

impl Outcome {
    /// Whether the upstream worked on the request until it had an answer. What
    /// was given up, lost, or turned away at the door (425, 429) says nothing
    /// of how long the work takes.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        match self {
            Self::HttpError { status, .. } => !matches!(status, 425 | 429),
            Self::Returned { .. } | Self::RpcError(_) => true,
            _ => false,
        }
    }
}

/// The facts of a `structuredContent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structured {
    /// Its `isError` is `true`.
    pub is_error: bool,
    /// Its `status_code`, if that is an integer of 32 bits.
    pub status_code: Option<i32>,
}

/// The body of an answer, fetched piece by piece and only on demand.
pub trait Content {
    /// How many text items there are.
    fn text_count(&self) -> u32;
    /// One of them; none if the gateway withholds it.
    fn text(&self, index: u32) -> Option<String>;
    /// At most so many bytes of a part.
    fn excerpt(&self, part: Part, most: u32) -> Option<String>;
    /// What stands at a JSON Pointer.
    fn field(&self, pointer: &str) -> Option<Scalar>;
}

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its texts.
    Texts,
    /// What is for programs.
    Data,
}

/// A JSON value that holds no others.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A number that was written as an integer.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
}

/// What an outcome means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// No failure.
    Success,
    /// A failure that another attempt may cure.
    Transient(Failure),
    /// Something that another attempt would not change.
    Permanent(Permanent),
}

/// A transient failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What gave it away.
    pub signal: Signal,
    /// Its status, if it has one.
    pub status: Option<i32>,
    /// When the upstream wants to be called again.
    pub wish: Option<Wish>,
    /// Whether the upstream certainly did not do the work: it never got the
    /// request, or it says itself that it refused it. A 429 in a result is the
    /// tool's word for something that may have happened on its way.
    pub not_executed: bool,
}

/// What gave a transient failure away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `isError` of the result.
    ToolError,
    /// `isError` of the `structuredContent`.
    StructuredError,
    /// `isError` of JSON in a text item.
    TextError,
    /// A status that is configured as transient.
    RetryableStatus,
    /// The attempt's time was over.
    TimedOut,
    /// The connection failed.
    TransportFailed {
        /// The request may have reached the upstream.
        dispatched: bool,
    },
    /// A JSON-RPC error.
    RpcError,
    /// Words for a failure that passes.
    Transient,
    /// Words for too many requests.
    Throttled,
}

impl Failure {
    const fn of(signal: Signal) -> Detection {
        let not_executed = matches!(signal, Signal::TransportFailed { dispatched: false });
        Detection::Transient(Self { signal, status: None, wish: None, not_executed })
    }

    /// Whether the upstream says that it gets too many requests.
    #[must_use]
    pub const fn is_throttling(&self) -> bool {
        matches!((self.status, self.signal), (Some(429), _) | (_, Signal::Throttled))
    }

    /// Whether the attempt took too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.signal, Signal::TimedOut)
    }
}

/// What makes another attempt useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permanent {
    /// A status that is not configured as transient.
    Status,
    /// A JSON-RPC code that blames the request, or is not configured as transient.
    RpcCode,
    /// Words for a failure that stays.
    Words,
    /// Words for a quota that is spent.
    Quota,
    /// Nothing that speaks for one kind or the other.
    Unclassified,
    /// The call is not over.
    Unfinished,
    /// The client gave it up.
    Cancelled,
    /// Another plugin refused it.
    Refused,
}

/// Judges one outcome. Signals are looked for in this order, and the first
/// level that has something to say has the last word: the result's `isError`,
/// then its `structuredContent`, then (if the policy wants it and there is no
/// structured content at all) its texts.
#[inline]
pub fn detect(
    outcome: Outcome,
    content: &impl Content,
    known: Known,
    policy: &Policy,
) -> Detection {
    if let Some(signals) = &policy.signals {
        return words::detect(outcome, content, known, policy, signals);
    }
    let deeper = || if known.fields { status::deeper(content, policy) } else { None };
    let detection = match outcome {
        Outcome::Returned { is_error, structured: Some(mut structured) } => {
            structured.status_code = structured.status_code.or_else(deeper);
            in_structured(is_error, structured, policy)
        }
        Outcome::Returned { is_error: true, structured: None } => Failure::of(Signal::ToolError),
        Outcome::Returned { is_error: false, structured: None } => match policy.text_check {
            TextCheck::Off => Detection::Success,
            TextCheck::On => text::in_texts(content, policy),
        },
        Outcome::TimedOut => Failure::of(Signal::TimedOut),
        Outcome::TransportFailed { dispatched } => {
            Failure::of(Signal::TransportFailed { dispatched })
        }
        Outcome::RpcError(code) if blames_the_request(code) => {
            Detection::Permanent(Permanent::RpcCode)
        }
        Outcome::RpcError(code) => match deeper() {
            Some(status) => gate(status, policy),
            None if policy.retry_on_rpc_codes.contains(code) => Failure::of(Signal::RpcError),
            None => Detection::Permanent(Permanent::RpcCode),
        },
        Outcome::HttpError { status, .. } => match gate(i32::from(status), policy) {
            // The server itself refused it: RFC 6585 and RFC 8470.
            Detection::Transient(failure) if matches!(status, 425 | 429) => {
                Detection::Transient(Failure { not_executed: true, ..failure })
            }
            gated => gated,
        },
        Outcome::Unfinished => Detection::Permanent(Permanent::Unfinished),
        Outcome::Cancelled => Detection::Permanent(Permanent::Cancelled),
        Outcome::Refused | Outcome::Other => Detection::Permanent(Permanent::Refused),
    };
    match (detection, &policy.pushback) {
        (Detection::Transient(failure), Some(pushback)) => {
            let pointers: &[_] = if known.fields { &pushback.pointers } else { &[] };
            let wish = wish::told(&outcome, content, pointers);
            Detection::Transient(Failure { wish, ..failure })
        }
        _ => detection,
    }
}

/// A failure with a status is transient only if the status is.
#[inline]
fn gate(status: i32, policy: &Policy) -> Detection {
    if policy.retry_on_status.contains(i64::from(status)) {
        let signal = Signal::RetryableStatus;
        Detection::Transient(Failure {
            signal,
            status: Some(status),
            wish: None,
            not_executed: false,
        })
    } else {
        Detection::Permanent(Permanent::Status)
    }
}

#[inline]
fn in_structured(is_error: bool, structured: Structured, policy: &Policy) -> Detection {
    match structured.status_code {
        Some(status) if is_error => gate(status, policy),
        status if structured.is_error => {
            let signal = Signal::StructuredError;
            Detection::Transient(Failure { signal, status, wish: None, not_executed: false })
        }
        None if is_error => Failure::of(Signal::ToolError),
        None => Detection::Success,
        Some(status) => match gate(status, policy) {
            // Nothing but the number says "failure", so it has to look like one.
            Detection::Permanent(_) if status < 400 => Detection::Success,
            gated => gated,
        },
    }
}

/// Codes for which the same request would get the same answer: JSON-RPC 2.0,
/// section 5.1 (parse error, invalid request, method not found, invalid params),
/// that of MCP for "resource not found" (-32002), and the range that MCP keeps
/// for itself (-32099 to -32020), in which nothing stands for "too many requests".
const fn blames_the_request(code: i64) -> bool {
    matches!(code, -32700 | -32602..=-32600 | -32002 | -32099..=-32020)
}
