//! The progress of one call, told by several attempts.

use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use crate::mcp::{
    methods::PROGRESS,
    wire::{Id, IdKey, Message},
};

/// What the client has heard of a call's progress.
///
/// An attempt reports under a token of its own. Reports of an attempt that was
/// given up are dropped, and so are those of a later attempt until it is
/// further than the earlier ones were: a client sees progress grow, as the
/// protocol has it, and never sees it start again.
#[derive(Debug)]
pub(super) struct Progress {
    /// The client's own, as it was written.
    token: Box<RawValue>,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    attempt: Option<IdKey>,
    /// The furthest report of all attempts.
    furthest: Option<f64>,
    /// What a report of this attempt has to exceed.
    floor: Option<f64>,
}

/// How much further each report of the gateway's own is, in parts of the whole.
const STEP: f64 = 1e-6;

impl Progress {
    /// Nothing was reported yet.
    pub(super) fn new(token: Box<RawValue>) -> Self {
        Self { token, heard: Mutex::default() }
    }

    /// Whether the client's own token is an integer.
    pub(super) fn wants_integers(&self) -> bool {
        Id::new(&self.token).is_integer()
    }

    /// From now on this attempt reports, and no other.
    pub(super) fn begin(&self, attempt: &Id) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.attempt = Some(attempt.key().clone());
        heard.floor = heard.furthest;
    }

    /// A report of the gateway's own, between two attempts: a little further
    /// than all reports before it, so that there is room for those of the
    /// attempts to come.
    pub(super) fn waits(&self, words: &str) -> Option<Message> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = match heard.furthest {
            None => 0.0,
            Some(furthest) => furthest + STEP * furthest.abs().max(1.0),
        };
        // Nothing is further than an attempt that reported infinity.
        if !progress.is_finite() {
            return None;
        }
        heard.furthest = Some(progress);
        let report = serde_json::json!({ "progress": progress, "message": words });
        let report = Message::notification(PROGRESS, &report);
        Some(report.with_param("progressToken", self.token.clone()))
    }

    /// The report as the client may hear it, if it may.
    pub(super) fn report(&self, attempt: &Id, report: Message) -> Option<Message> {
        let progress = report.params().and_then(|params| params.get("progress"));
        let progress = progress.and_then(|progress| progress.get().parse::<f64>().ok());
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.attempt.as_ref() != Some(attempt.key()) {
            return None;
        }
        // What is no number cannot be compared; the client judges it.
        if let Some(progress) = progress {
            if heard.floor.is_some_and(|floor| progress <= floor) {
                return None;
            }
            heard.furthest = Some(heard.furthest.map_or(progress, |most| most.max(progress)));
        }
        Some(report.with_param("progressToken", self.token.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_pass_while_their_attempt_lives_and_is_further_than_the_ones_before() {
        let progress = Progress::new(serde_json::from_str("7").expect("JSON"));
        let (first, second) = (Id::text("a"), Id::text("b"));
        let told = |attempt: &Id, value: &str| {
            let report = format!(
                r#"{{"method":"notifications/progress","params":{{"progressToken":"x","progress":{value},"z":1e1}}}}"#
            );
            let report: Box<RawValue> = serde_json::from_str(&report).expect("JSON");
            let report = Message::parse(&report).expect("a notification");
            let told = progress.report(attempt, report);
            let told = told.map(|told| serde_json::to_string(&told).expect("JSON"));
            if let Some(told) = &told {
                let expected =
                    format!(r#""params":{{"progressToken":7,"progress":{value},"z":1e1}}"#);
                assert!(told.contains(&expected), "{told}");
            }
            told.is_some()
        };
        progress.begin(&first);
        assert!(!told(&second, "1"));
        // An upstream that repeats itself is its own business.
        for value in ["0", "0", "0.50", "1e0", "null"] {
            assert!(told(&first, value), "{value}");
        }
        progress.begin(&second);
        assert!(!told(&first, "9"));
        for value in ["0", "1", "0.999"] {
            assert!(!told(&second, value), "{value}");
        }
        for value in ["1.5", "1.25", "2"] {
            assert!(told(&second, value), "{value}");
        }
    }

    #[test]
    fn reports_of_the_gateway_grow_and_leave_room_for_those_of_the_attempts() {
        let progress = Progress::new(serde_json::from_str(r#""mine""#).expect("JSON"));
        let (first, second) = (Id::text("a"), Id::text("b"));
        let waits = || {
            let said = progress.waits("attempt 1 failed").map(|message| message.text());
            let said: serde_json::Value =
                serde_json::from_str(&said.expect("a report")).expect("JSON");
            assert_eq!(said["params"]["progressToken"], "mine");
            said["params"]["progress"].as_f64().expect("a number")
        };
        let reports = |attempt: &Id, value: f64| {
            let text = format!(
                r#"{{"method":"notifications/progress","params":{{"progressToken":1,"progress":{value}}}}}"#
            );
            progress.report(attempt, Message::written(&text)).is_some()
        };
        progress.begin(&first);
        assert_eq!(waits(), 0.0);
        assert!(reports(&first, 40.0));
        let (one, other) = (waits(), waits());
        assert!(40.0 < one && one < other && other < 40.001, "{one} {other}");
        progress.begin(&second);
        assert!(!reports(&second, 40.0), "the client has heard of more");
        assert!(reports(&second, 41.0));
        for furthest in [-7.0, 0.0, 1e300] {
            let progress = Progress::new(serde_json::from_str("1").expect("JSON"));
            progress.heard.lock().expect("one thread").furthest = Some(furthest);
            progress.waits("");
            assert!(progress.heard.lock().expect("one thread").furthest > Some(furthest));
        }
    }
}
