//! The same judgement with open eyes: typed facts, and then what the server says.

use alloc::{string::String, vec::Vec};

use failure_words::{Class, Text, Words};

use super::{
    Content, Detection, Failure, Outcome, Part, Permanent, Signal, Structured, Wish,
    blames_the_request, status, wish,
};
use crate::{
    Millis,
    config::{Means, OwnSignal, Policy},
    context::Known,
};

/// What is read of the texts of a failure, in bytes.
const MOST: u32 = 6 << 10;
/// What is read of a result that is not marked as an error, to see whether it
/// begins as one.
const START: u32 = 1 << 10;
/// What is read of what is for programs.
const MOST_DATA: u32 = 2 << 10;

/// Judges an outcome. Words may overrule a typed status downwards; upwards only
/// where a status means a refusal that many servers also use for a rate limit.
#[inline(never)]
pub(super) fn detect(
    outcome: Outcome,
    content: &impl Content,
    known: Known,
    policy: &Policy,
    signals: &[OwnSignal],
) -> Detection {
    let reader = Reader { content, known, policy, signals };
    match outcome {
        Outcome::Returned { is_error, structured } => reader.result(is_error, structured),
        Outcome::RpcError(code) => reader.rpc_error(code),
        Outcome::HttpError { status, pushback } => reader.http_error(status, pushback),
        Outcome::TimedOut => Failure::of(Signal::TimedOut),
        Outcome::TransportFailed { dispatched } => {
            Failure::of(Signal::TransportFailed { dispatched })
        }
        Outcome::Unfinished => Detection::Permanent(Permanent::Unfinished),
        Outcome::Cancelled => Detection::Permanent(Permanent::Cancelled),
        Outcome::Refused | Outcome::Other => Detection::Permanent(Permanent::Refused),
    }
}

struct Reader<'a, C> {
    content: &'a C,
    known: Known,
    policy: &'a Policy,
    signals: &'a [OwnSignal],
}

/// What was read of an answer.
struct Answer {
    text: String,
    words: Words,
}

impl<C: Content> Reader<'_, C> {
    #[inline(never)]
    fn texts(&self, most: u32) -> String {
        self.content.excerpt(Part::Texts, most).unwrap_or_default()
    }

    #[inline(never)]
    fn data(&self) -> Option<String> {
        if self.known.fields { self.content.excerpt(Part::Data, MOST_DATA) } else { None }
    }

    /// All that is said.
    #[inline(never)]
    fn read(&self) -> Answer {
        let mut text = self.texts(MOST);
        if let Some(data) = self.data() {
            text.push('\n');
            text.push_str(&data);
        }
        let words = Text::read(&text).words();
        Answer { text, words }
    }

    fn result(&self, is_error: bool, structured: Option<Structured>) -> Detection {
        let marked = is_error || structured.is_some_and(|structured| structured.is_error);
        let typed = structured.and_then(|structured| structured.status_code).or_else(|| {
            if self.known.fields { status::deeper(self.content, self.policy) } else { None }
        });
        if !marked && typed.is_none_or(|status| status < 400) {
            return self.unmarked();
        }
        if !marked && self.data().is_some_and(|data| says_success(&data)) {
            return Detection::Success;
        }
        let answer = self.read();
        if let Some(own) = self.own(&answer, None, false) {
            return own;
        }
        match typed {
            Some(status) => self.gated(status, &answer.words, Signal::RetryableStatus),
            None => self.by_words(&answer.words, Signal::ToolError),
        }
    }

    /// A result that is not marked as an error is one only by its form.
    fn unmarked(&self) -> Detection {
        let start = self.texts(START);
        if self.signals.iter().any(|signal| signal.without_is_error) {
            let answer = self.read();
            if let Some(own) = self.own(&answer, None, true) {
                return own;
            }
        }
        let fails = Text::read(&start).is_failure()
            || self.data().is_some_and(|data| Text::read(&data).is_failure());
        if !fails {
            return Detection::Success;
        }
        let answer = self.read();
        if let Some(own) = self.own(&answer, None, false) {
            return own;
        }
        match answer.words.class {
            // Nothing but its form says "failure", and nothing that it passes.
            None => Detection::Success,
            Some(_) => self.by_words(&answer.words, Signal::TextError),
        }
    }

    fn rpc_error(&self, code: i64) -> Detection {
        let answer = self.read();
        if let Some(own) = self.own(&answer, Some(code), false) {
            return own;
        }
        let words = &answer.words;
        let throttled = words.strong && words.class == Some(Class::Throttled);
        // -32600 is what some servers make of a 429 behind them, and -32029 what others
        // made up for it: in the range that MCP keeps for itself, but not yet given a meaning.
        let ambiguous = matches!(code, -32_600 | -32_099..=-32_043 | -32_041..=-32_023);
        if blames_the_request(code) && !(throttled && ambiguous) {
            return Detection::Permanent(Permanent::RpcCode);
        }
        let typed =
            if self.known.fields { status::deeper(self.content, self.policy) } else { None };
        let typed =
            typed.or_else(|| i32::try_from(code).ok().filter(|code| (400..600).contains(code)));
        let detection = match typed {
            Some(status) => self.gated(status, words, Signal::RetryableStatus),
            None if words.class.is_none() && self.policy.retry_on_rpc_codes.contains(code) => {
                Failure::of(Signal::RpcError)
            }
            None => match self.by_words(words, Signal::RpcError) {
                // The original retries no code that is not listed.
                Detection::Transient(Failure { signal: Signal::RpcError, .. }) => {
                    Detection::Permanent(Permanent::RpcCode)
                }
                detection => detection,
            },
        };
        match detection {
            // The server itself refused it.
            Detection::Transient(failure) if code == 429 => {
                Detection::Transient(Failure { not_executed: true, ..failure })
            }
            detection => detection,
        }
    }

    fn http_error(&self, status: u16, pushback: Option<i64>) -> Detection {
        let answer = self.read();
        let detection = self.own(&answer, None, false).unwrap_or_else(|| {
            self.gated(i32::from(status), &answer.words, Signal::RetryableStatus)
        });
        match detection {
            Detection::Transient(failure) => {
                let told = pushback.filter(|_| self.policy.pushback.is_some()).map(wish::of);
                let not_executed = failure.not_executed || matches!(status, 425 | 429);
                Detection::Transient(Failure {
                    wish: told.or(failure.wish),
                    not_executed,
                    ..failure
                })
            }
            detection => detection,
        }
    }

    /// A typed status, and words that may overrule it.
    #[inline(never)]
    fn gated(&self, status: i32, words: &Words, signal: Signal) -> Detection {
        let transient = self.policy.retry_on_status.contains(i64::from(status));
        match words.class {
            Some(Class::Spent) => Detection::Permanent(Permanent::Quota),
            Some(Class::Permanent) if transient && words.strong && status == 500 => {
                Detection::Permanent(Permanent::Words)
            }
            Some(Class::Throttled)
                if !transient && words.strong && matches!(status, 400 | 403 | 409) =>
            {
                self.failure(Signal::Throttled, None, words)
            }
            Some(Class::Transient) if !transient && matches!(status, 409) => {
                self.failure(Signal::Transient, None, words)
            }
            _ if transient => self.failure(signal, Some(status), words),
            _ => Detection::Permanent(Permanent::Status),
        }
    }

    /// No typed fact: the words alone, and without them what the policy makes
    /// of failures that nothing is known of.
    #[inline(never)]
    fn by_words(&self, words: &Words, otherwise: Signal) -> Detection {
        match words.class {
            Some(Class::Transient) => {
                self.failure(Signal::Transient, words.status.map(i32::from), words)
            }
            Some(Class::Throttled) => {
                self.failure(Signal::Throttled, words.status.map(i32::from), words)
            }
            Some(Class::Permanent) => Detection::Permanent(Permanent::Words),
            Some(Class::Spent) => Detection::Permanent(Permanent::Quota),
            None if self.policy.retry_unclassified => self.failure(otherwise, None, words),
            None => Detection::Permanent(Permanent::Unclassified),
        }
    }

    #[inline(never)]
    fn failure(&self, signal: Signal, status: Option<i32>, words: &Words) -> Detection {
        let wish = self.policy.pushback.as_ref().and_then(|pushback| {
            let pointers: &[String] = if self.known.fields { &pushback.pointers } else { &[] };
            wish::in_fields(self.content, pointers)
                .or(words.wait_ms.map(|time| Wish::Wait(Millis(time))))
        });
        Detection::Transient(Failure { signal, status, wish, not_executed: false })
    }

    /// What the operator's own signals say: the first that fits decides.
    #[inline(never)]
    fn own(&self, answer: &Answer, code: Option<i64>, without_is_error: bool) -> Option<Detection> {
        let signals =
            self.signals.iter().filter(|signal| !without_is_error || signal.without_is_error);
        let mut found: Vec<(&OwnSignal, Option<u64>)> = signals
            .filter_map(|signal| Some((signal, self.fits(signal, answer, code)?)))
            .take(1)
            .collect();
        let (signal, wait) = found.pop()?;
        let words = Words { wait_ms: wait.or(answer.words.wait_ms), ..answer.words };
        Some(match signal.means {
            Means::Transient => self.failure(Signal::Transient, None, &words),
            Means::Throttled => self.failure(Signal::Throttled, None, &words),
            Means::Permanent => Detection::Permanent(Permanent::Words),
            Means::Refused => match self.failure(Signal::Transient, None, &words) {
                Detection::Transient(failure) => {
                    Detection::Transient(Failure { not_executed: true, ..failure })
                }
                other => other,
            },
        })
    }

    /// Whether everything that a signal asks for is there, and the wait that it
    /// captures.
    #[inline(never)]
    fn fits(&self, signal: &OwnSignal, answer: &Answer, code: Option<i64>) -> Option<Option<u64>> {
        let mut wait = None;
        if let Some(codes) = &signal.codes
            && !code.is_some_and(|code| codes.contains(code))
        {
            return None;
        }
        if let Some(message) = &signal.message {
            code?;
            wait = message.find(&answer.text)?;
        }
        if let Some(text) = &signal.text {
            wait = text.find(&answer.text)?.or(wait);
        }
        if let Some((pointer, value)) = &signal.pointer {
            let found = if self.known.fields { self.content.field(pointer)? } else { return None };
            if value.as_ref().is_some_and(|value| !value.is(&found)) {
                return None;
            }
        }
        Some(wait)
    }
}

/// JSON that says at its top that all is well.
fn says_success(data: &str) -> bool {
    Text::read(data).says_success()
}
