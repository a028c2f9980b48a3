//! Did the attempt fail, and would another one be worth its price?

mod text;

use alloc::string::String;

use crate::config::{Policy, TextCheck};

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
    TransportFailed,
    /// A JSON-RPC error of this code.
    RpcError(i64),
    /// An HTTP error of this status.
    HttpError(u16),
}

/// The facts of a `structuredContent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structured {
    /// Its `isError` is `true`.
    pub is_error: bool,
    /// Its `status_code`, if that is an integer of 32 bits.
    pub status_code: Option<i32>,
}

/// The text items of a result, fetched one by one and only on demand.
pub trait Texts {
    /// How many there are.
    fn count(&self) -> u32;
    /// One of them; none if the gateway withholds it.
    fn get(&self, index: u32) -> Option<String>;
}

/// What an outcome means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// No failure.
    Success,
    /// A failure that another attempt may cure.
    Transient(Signal),
    /// A failure that another attempt would repeat.
    Permanent(Permanent),
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
    TransportFailed,
    /// A JSON-RPC error.
    RpcError,
}

/// What makes a failure permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permanent {
    /// A status that is not configured as transient.
    Status,
    /// A JSON-RPC code that blames the request.
    RpcCode,
}

/// Judges one outcome. Signals are looked for in this order, and the first
/// level that has something to say has the last word: the result's `isError`,
/// then its `structuredContent`, then (if the policy wants it and there is no
/// structured content at all) its texts.
pub fn detect(outcome: Outcome, texts: &impl Texts, policy: &Policy) -> Detection {
    match outcome {
        Outcome::Returned { is_error: true, structured } => {
            match structured.and_then(|structured| structured.status_code) {
                Some(status) => gate(status, policy),
                None => Detection::Transient(Signal::ToolError),
            }
        }
        Outcome::Returned { is_error: false, structured: Some(structured) } => {
            in_structured(structured, policy)
        }
        Outcome::Returned { is_error: false, structured: None } => match policy.text_check {
            TextCheck::Off => Detection::Success,
            TextCheck::On => text::in_texts(texts, policy),
        },
        Outcome::TimedOut => Detection::Transient(Signal::TimedOut),
        Outcome::TransportFailed => Detection::Transient(Signal::TransportFailed),
        Outcome::RpcError(code) if blames_the_request(code) => {
            Detection::Permanent(Permanent::RpcCode)
        }
        Outcome::RpcError(_) => Detection::Transient(Signal::RpcError),
        Outcome::HttpError(status) => gate(i32::from(status), policy),
    }
}

/// A failure with a status is transient only if the status is.
fn gate(status: i32, policy: &Policy) -> Detection {
    if policy.retry_on_status.contains(status) {
        Detection::Transient(Signal::RetryableStatus)
    } else {
        Detection::Permanent(Permanent::Status)
    }
}

fn in_structured(structured: Structured, policy: &Policy) -> Detection {
    if structured.is_error {
        return Detection::Transient(Signal::StructuredError);
    }
    match structured.status_code {
        Some(status) => match gate(status, policy) {
            // Nothing but the number says "failure", so it has to look like one.
            Detection::Permanent(_) if status < 400 => Detection::Success,
            gated => gated,
        },
        None => Detection::Success,
    }
}

/// Codes for which the same request would get the same answer: JSON-RPC 2.0,
/// section 5.1 (parse error, invalid request, method not found, invalid params),
/// and those of MCP for "resource not found" (-32002) and for errors that the
/// client itself has to act on (-32020, -32021, -32042).
const fn blames_the_request(code: i64) -> bool {
    matches!(code, -32700 | -32602..=-32600 | -32002 | -32020 | -32021 | -32042)
}
