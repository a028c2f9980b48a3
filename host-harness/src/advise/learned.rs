//! What the retries of a log say: how often another attempt helped, after what.

use std::{collections::BTreeMap, fmt};

use super::trace::{
    LoggedAttempt, LoggedCall, LoggedClass, LoggedOutcome, Trace, TransportFailure, Unfinished,
};

/// What a failed attempt looked like: the plugin's class and the typed facts.
///
/// The plugin's reason is no part of it, for it also says why there is *no*
/// retry: the same failure is `transient` at first and `retries_exhausted` later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal {
    /// None in logs of earlier versions.
    pub class: Option<LoggedClass>,
    /// The facts, in a few words: `HTTP 503`.
    pub facts: String,
}

impl Signal {
    /// That of an attempt.
    #[must_use]
    pub fn of(attempt: &LoggedAttempt) -> Self {
        let facts = match attempt.outcome {
            LoggedOutcome::Returned { is_error, structured } => {
                match structured.and_then(|facts| facts.status_code) {
                    Some(status) => format!("status {status}"),
                    None if is_error => "isError".to_owned(),
                    None => "a result".to_owned(),
                }
            }
            LoggedOutcome::TimedOut => "timed out".to_owned(),
            LoggedOutcome::TransportFailed(TransportFailure::BeforeDispatch) => {
                "not sent".to_owned()
            }
            LoggedOutcome::TransportFailed(TransportFailure::AfterDispatch) => {
                "connection lost".to_owned()
            }
            LoggedOutcome::RpcError(code) => format!("JSON-RPC error {code}"),
            LoggedOutcome::HttpError { status, .. } => format!("HTTP {status}"),
            LoggedOutcome::Unfinished(Unfinished::InputRequired) => "input required".to_owned(),
            LoggedOutcome::Unfinished(Unfinished::Task) => "a task".to_owned(),
            LoggedOutcome::Cancelled => "cancelled".to_owned(),
            LoggedOutcome::Refused => "refused".to_owned(),
            LoggedOutcome::Other => "other".to_owned(),
        };
        Self { class: attempt.class, facts }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.facts)?;
        match self.class {
            Some(LoggedClass::Succeeded) | None => Ok(()),
            Some(LoggedClass::Transient) => f.write_str(" (transient)"),
            Some(LoggedClass::Throttled) => f.write_str(" (throttled)"),
            Some(LoggedClass::Permanent) => f.write_str(" (permanent)"),
            Some(LoggedClass::Unknown) => f.write_str(" (unknown)"),
        }
    }
}

/// Whose failures they are, and what they look like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The operator's name for the upstream.
    pub upstream: Option<String>,
    /// The tool.
    pub tool: String,
    /// What the failed attempt looked like.
    pub signal: Signal,
}

impl Kind {
    /// That of a failed attempt of a call.
    #[must_use]
    pub fn of(call: &LoggedCall, attempt: &LoggedAttempt) -> Self {
        let (upstream, tool) = (call.upstream.clone(), call.tool.clone());
        Self { upstream, tool, signal: Signal::of(attempt) }
    }
}

/// How many retries were made, and how many of them succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Retries.
    pub retried: u64,
    /// Those that succeeded.
    pub recovered: u64,
}

impl Recovery {
    /// The share that succeeded; 0 where there were none.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.recovered as f64 / self.retried.max(1) as f64
    }

    /// Where the rate is with a confidence of 95 %, from what was seen: the score
    /// interval of Wilson, "Probable inference, the law of succession, and
    /// statistical inference", JASA 22 (1927), which Brown, Cai and DasGupta,
    /// "Interval estimation for a binomial proportion" (2001), recommend for
    /// few observations:
    ///
    /// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`
    ///
    /// From 0 to 1 where there were no retries.
    #[must_use]
    pub fn interval(self) -> (f64, f64) {
        if self.retried == 0 {
            return (0.0, 1.0);
        }
        const Z: f64 = 1.959_964;
        let (p, n) = (self.rate(), self.retried as f64);
        let z2 = Z * Z;
        let middle = p + z2 / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { retried: self.retried + other.retried, recovered: self.recovered + other.recovered }
    }
}

/// How often another attempt helped, by whose failure it followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Of all kinds that were retried in the log.
    pub kinds: BTreeMap<Kind, Recovery>,
}

impl Learned {
    /// From the retries of a log.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut kinds: BTreeMap<Kind, Recovery> = BTreeMap::new();
        for call in &trace.calls {
            for pair in call.attempts.windows(2) {
                let [failed, retry] = pair else { continue };
                let recovery = kinds.entry(Kind::of(call, failed)).or_default();
                recovery.retried += 1;
                recovery.recovered += u64::from(retry.outcome.succeeds());
            }
        }
        Self { kinds }
    }

    /// All retries of the log.
    #[must_use]
    pub fn all(&self) -> Recovery {
        self.kinds.values().fold(Recovery::default(), |all, one| all.and(*one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_published_formula() {
        // Brown, Cai and DasGupta: for n = 10 and no success (0, 0.2775).
        let near = |retried, recovered, low: f64, high: f64| {
            let (l, h) = Recovery { retried, recovered }.interval();
            assert!((l - low).abs() < 5e-4 && (h - high).abs() < 5e-4, "{l} {h}");
        };
        near(10, 0, 0.0, 0.2775);
        near(10, 10, 0.7225, 1.0);
        near(10, 5, 0.2366, 0.7634);
        near(1, 1, 0.2065, 1.0);
        near(0, 0, 0.0, 1.0);
    }
}
