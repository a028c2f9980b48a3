//! What the contract asks of the hooks.

use std::sync::Arc;

use super::{
    Outcome as Checked,
    subject::{Asked, Subject, Trial},
};
use crate::{
    contract::{
        HookError, HttpError, Outcome, Returned, Scalar, Structured, TransportFailure, Unfinished,
    },
    gateway::{Background, Content, Hook},
    sandbox::boundary,
};

pub(super) const HOOKS: [Hook; 2] = [Hook::ToolPostInvoke, Hook::ResourcePostFetch];

pub(super) const FAILED: Outcome = Outcome::Returned(Returned { is_error: true, structured: None });

/// Every kind of outcome, with the values at the edges of their types.
fn outcomes() -> Vec<Outcome> {
    let mut outcomes = vec![
        Outcome::TimedOut,
        Outcome::TransportFailed(TransportFailure::BeforeDispatch),
        Outcome::TransportFailed(TransportFailure::AfterDispatch),
        Outcome::Unfinished(Unfinished::InputRequired),
        Outcome::Unfinished(Unfinished::Task),
        Outcome::Cancelled,
        Outcome::Refused,
    ];
    let statuses =
        [None, Some(200), Some(404), Some(429), Some(500), Some(i32::MIN), Some(i32::MAX)];
    for is_error in [false, true] {
        outcomes.push(Outcome::Returned(Returned { is_error, structured: None }));
        for (inner, status_code) in statuses.into_iter().flat_map(|s| [(false, s), (true, s)]) {
            let structured = Some(Structured { is_error: inner, status_code });
            outcomes.push(Outcome::Returned(Returned { is_error, structured }));
        }
    }
    let codes = [-32_603, -32_600, -32_001, 0, i64::MIN, i64::MAX];
    outcomes.extend(codes.map(Outcome::RpcError));
    for status in [0, 400, 429, 503, u16::MAX] {
        for pushback_ms in [None, Some(0), Some(1), Some(-1), Some(i64::MIN), Some(i64::MAX)] {
            outcomes.push(Outcome::HttpError(HttpError { status, pushback_ms }));
        }
    }
    outcomes
}

pub(super) fn declines_unconfigured(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.fresh()?;
    for hook in HOOKS {
        match trial.judge(Asked::first(hook, FAILED))? {
            Err(HookError::NotConfigured | HookError::Unsupported) => {}
            Err(error) => return Err(format!("it answers `{error}` in place of `not-configured`")),
            Ok(_) => return Err("it gives a verdict".to_owned()),
        }
    }
    Ok(())
}

pub(super) fn answers_every_outcome(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.configured()?;
    for (number, outcome) in outcomes().into_iter().enumerate() {
        for hook in HOOKS {
            for traced in [false, true] {
                let request_id = &format!("{number}-{traced}");
                let asked = Asked { request_id, traced, ..Asked::first(hook, outcome) };
                expect_a_judge(trial.judge(asked)?)?;
            }
        }
    }
    Ok(())
}

/// A configured guest judges, or does not judge outcomes of this kind.
fn expect_a_judge<T>(answer: Result<T, HookError>) -> Checked {
    match answer {
        Ok(_) | Err(HookError::Unsupported) => Ok(()),
        Err(error) => Err(format!("it answers `{error}` although it is configured")),
    }
}

pub(super) fn keeps_to_the_ceiling(subject: &Subject<'_>) -> Checked {
    for ceiling in [0, 1, subject.options.max_tool_retries] {
        let mut trial = subject.configured_for(ceiling)?;
        for hook in HOOKS {
            for (number, outcome) in outcomes().into_iter().enumerate() {
                let request_id = &format!("{ceiling}-{number}");
                let mut now_ms = 0;
                // The boundary refuses a retry past the ceiling.
                for attempt in 1..=ceiling.saturating_add(2).min(100) {
                    let asked =
                        Asked { request_id, attempt, now_ms, ..Asked::first(hook, outcome) };
                    match trial.judge(asked)? {
                        Ok(verdict) if verdict.retry_delay_ms > 0 => {
                            now_ms += verdict.retry_delay_ms;
                        }
                        _ => break,
                    }
                }
            }
        }
    }
    Ok(())
}

pub(super) fn announces_no_more(subject: &Subject<'_>) -> Checked {
    for ceiling in [0, 1, subject.options.max_tool_retries] {
        let mut trial = subject.configured_for(ceiling)?;
        for hook in HOOKS {
            let answer =
                trial.ask(|instance| instance.retries(hook, "search", Background::none()))?;
            if let Ok(retries) = answer {
                boundary::most_retries(retries, ceiling)
                    .map_err(|violation| violation.to_string())?;
            }
            expect_a_judge(answer)?;
        }
        let policy = trial.ask(|instance| {
            let hook = instance.exports.mcp_gateway_hooks_resource_post_fetch();
            hook.call_policy(&mut instance.store)
        })?;
        if let Ok(policy) = &policy {
            boundary::policy(policy, ceiling, &subject.options.limits)
                .map_err(|violation| violation.to_string())?;
        }
        expect_a_judge(policy)?;
    }
    Ok(())
}

pub(super) fn takes_any_text(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.configured()?;
    let long = "x".repeat(20_000);
    let texts =
        ["", " ", "a:b", "\0", "\u{1b}[2J", "\u{202e}", "żółw 🐢", "file:///%2e%2e/", &long];
    for hook in HOOKS {
        for target in texts {
            for request_id in texts {
                let asked = Asked { target, request_id, ..Asked::first(hook, FAILED) };
                expect_a_judge(trial.judge(asked)?)?;
            }
        }
    }
    Ok(())
}

/// Texts and fields of every kind, as long as they may be.
struct Anything(Vec<String>);

impl Anything {
    fn new(longest: usize) -> Self {
        Self(vec![
            String::new(),
            "\0\u{1b}\u{202e}".to_owned(),
            r#"{"isError": true, "status_code": 503}"#.to_owned(),
            r#"{"isError": "true", "status_code": 1e400}"#.to_owned(),
            "[".repeat(100_000.min(longest)),
            r#"{"a":"#.repeat(10_000.min(longest / 5)),
            "\"".repeat(1_000.min(longest)),
            "9".repeat(longest),
        ])
    }
}

impl Content for Anything {
    fn text_count(&self) -> usize {
        self.0.len()
    }

    fn text(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        Some(match pointer.len() % 5 {
            0 => Scalar::Boolean(true),
            1 => Scalar::Integer(i64::MIN),
            2 => Scalar::Number(f64::NAN),
            3 => Scalar::Number(-f64::INFINITY),
            _ => Scalar::Text(self.0[1].clone()),
        })
    }
}

pub(super) fn survives_any_content(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.configured()?;
    let content: Arc<dyn Content> = Arc::new(Anything::new(subject.options.limits.text_bytes));
    for (number, outcome) in outcomes().into_iter().enumerate() {
        for hook in HOOKS {
            let (request_id, content) = (&number.to_string(), Some(content.clone()));
            let asked = Asked { request_id, content, ..Asked::first(hook, outcome) };
            expect_a_judge(trial.judge(asked)?)?;
        }
    }
    Ok(())
}

pub(super) fn forgets(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.configured()?;
    for hook in HOOKS {
        for request_id in ["never seen", "1", "1"] {
            trial.ask(|instance| instance.forget(hook, "search", request_id))?;
            // The call that is forgotten may come again, and is a new one.
            expect_a_judge(trial.judge(Asked::first(hook, FAILED))?)?;
        }
    }
    Ok(())
}

/// Calls that fail once and are never heard of again.
const ABANDONED: u32 = 30_000;

pub(super) fn stays_small(subject: &Subject<'_>) -> Checked {
    let mut trial = subject.configured()?;
    for n in 0..ABANDONED {
        abandon(&mut trial, n)?;
    }
    Ok(())
}

fn abandon(trial: &mut Trial, n: u32) -> Checked {
    let (request_id, now_ms) = (&format!("{n:064}"), u64::from(n));
    let asked = Asked { request_id, now_ms, ..Asked::first(Hook::ToolPostInvoke, FAILED) };
    expect_a_judge(trial.judge(asked)?).map_err(|problem| format!("call {n}: {problem}"))
}
