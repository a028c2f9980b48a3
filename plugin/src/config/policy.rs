//! Everything that decides about one tool, in types that cannot be wrong.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    codes::Codes,
    keys::{BudgetKeys, PolicyKeys},
    setting::choice,
    signals::OwnSignal,
};
use crate::{
    Millis,
    budget::{Budget, Number, Terms},
    delay::Backoff,
};

/// Retries after the first attempt; attempts = 1 + retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retries(pub u32);

/// Whether JSON in text items counts as a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCheck {
    /// Texts are never read.
    Off,
    /// Texts are read if a result has no structured content.
    On,
}

choice! {
    /// Where the defaults come from.
    pub enum Profile {
        /// As the original plugin.
        Compatible = "compatible",
        /// With everything on that protects upstreams and payments.
        Safe = "safe",
    }
}

choice! {
    /// Which ambiguous failures may be retried: those after which the upstream
    /// may have done the work.
    pub enum ReplaySafety {
        /// All.
        Always = "always",
        /// Those of tools that are known to be safe to call twice.
        Annotated = "annotated",
        /// None.
        Never = "never",
    }
}

choice! {
    /// What to do under a layer that retries the same call.
    pub enum NestedRetries {
        /// Nothing.
        Ignore = "ignore",
        /// Make only the attempts that this layer has more than the outer ones.
        Shrink = "shrink",
        /// Make no retries.
        StandBack = "stand-back",
    }
}

/// How an upstream's wish to be left alone is honoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushback {
    /// A longer wish ends the call.
    pub cap: Millis,
    /// Where in a body it may stand.
    pub pointers: Vec<String>,
}

/// Everything that decides about one tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `max_retries`, already clamped to the gateway's ceiling.
    pub max_retries: Retries,
    /// `backoff_base_ms`, `max_backoff_ms`, `backoff_multiplier` and `jitter`.
    pub backoff: Backoff,
    /// `retry_on_status`.
    pub retry_on_status: Codes,
    /// `status_pointers`.
    pub status_pointers: Vec<String>,
    /// `retry_on_rpc_codes`.
    pub retry_on_rpc_codes: Codes,
    /// `check_text_content`.
    pub text_check: TextCheck,
    /// `signals`, if words are read.
    pub signals: Option<Arc<[OwnSignal]>>,
    /// `retry_unclassified`.
    pub retry_unclassified: bool,
    /// `replay_safety`.
    pub replay_safety: ReplaySafety,
    /// `idempotent`.
    pub idempotent: Option<bool>,
    /// `pushback`, if it is honoured.
    pub pushback: Option<Pushback>,
    /// `budget`, if there is one.
    pub budget: Option<Budget>,
    /// Which of the terms of the whole configuration those of `budget` are.
    pub budget_number: Number,
    /// `deadline_fit`.
    pub deadline_fit: bool,
    /// `nested_retries`.
    pub nested_retries: NestedRetries,
    /// `shadow`.
    pub shadow: bool,
}

impl Policy {
    /// The policy that these keys describe. None if the two bounds of the
    /// backoff contradict each other.
    pub(super) fn of(keys: &PolicyKeys, ceiling: Retries) -> Option<Self> {
        let (base, cap) = (Millis(keys.backoff_base_ms.0), Millis(keys.max_backoff_ms.0));
        // In range by its kind.
        let max_retries = Retries(u32::try_from(keys.max_retries.0).unwrap_or(u32::MAX));
        let pushback = &keys.pushback;
        Some(Self {
            max_retries: max_retries.min(ceiling),
            backoff: Backoff::new(base, cap, keys.backoff_multiplier.0, keys.jitter.0)?,
            retry_on_status: keys.retry_on_status.0.clone(),
            status_pointers: keys.status_pointers.0.clone(),
            retry_on_rpc_codes: keys.retry_on_rpc_codes.0.clone(),
            text_check: if keys.check_text_content { TextCheck::On } else { TextCheck::Off },
            signals: keys.signals.0.clone(),
            retry_unclassified: keys.retry_unclassified,
            replay_safety: keys.replay_safety,
            idempotent: keys.idempotent.0,
            pushback: pushback.honor.then(|| Pushback {
                cap: Millis(pushback.max_ms.0),
                pointers: pushback.pointers.0.clone(),
            }),
            budget: budget(&keys.budget),
            budget_number: Number::default(),
            deadline_fit: keys.deadline_fit,
            nested_retries: keys.nested_retries,
            shadow: keys.shadow,
        })
    }
}

/// The budget that these keys describe, if it is enabled.
fn budget(keys: &BudgetKeys) -> Option<Budget> {
    let terms = |tokens: u64| Terms {
        // In range by its kind: a million tokens at the most.
        size: u32::try_from(tokens.saturating_mul(1_000)).unwrap_or(u32::MAX),
        success: keys.token_ratio.0,
        refill_per_minute: keys.refill_per_minute.0,
        floor_per_minute: keys.floor_per_minute.0,
    };
    keys.enabled.then(|| Budget {
        tool: terms(keys.max_tokens.0),
        upstream: terms(keys.upstream_max_tokens.0),
        retry: keys.retry_cost.0,
        throttle: keys.throttle_cost.0,
        timeout: keys.timeout_cost.0,
    })
}

impl Policy {
    /// No wait that this policy asks for is longer.
    #[must_use]
    pub fn longest_delay(&self) -> Millis {
        let pushed = self.pushback.as_ref().map(|pushback| self.backoff.latest(pushback.cap));
        self.backoff.cap().max(pushed.unwrap_or_default())
    }
}
