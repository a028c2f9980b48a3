//! Everything that decides about one tool, in types that cannot be wrong.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{codes::Codes, keys::PolicyKeys, setting::choice, signals::OwnSignal};
use crate::{
    Millis,
    budget::{Terms, Tokens},
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
    pub budget: Option<Terms>,
    /// Whether the budget is this tool's alone, because its override says something about it.
    pub own_budget: bool,
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
    pub(super) fn of(keys: &PolicyKeys, ceiling: Retries, own_budget: bool) -> Option<Self> {
        let (base, cap) = (Millis(keys.backoff_base_ms.0), Millis(keys.max_backoff_ms.0));
        // In range by its kind.
        let max_retries = Retries(u32::try_from(keys.max_retries.0).unwrap_or(u32::MAX));
        let pushback = &keys.pushback;
        let budget = &keys.budget;
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
            budget: budget.enabled.then_some(Terms {
                size: Tokens::whole(budget.max_tokens.0),
                success: Tokens::thousandths(budget.token_ratio.0),
                failure: Tokens::thousandths(budget.failure_cost.0),
                throttle: Tokens::thousandths(budget.throttle_cost.0),
                timeout: Tokens::thousandths(budget.timeout_cost.0),
                refill_per_minute: Tokens::thousandths(budget.refill_per_minute.0),
            }),
            own_budget,
            deadline_fit: keys.deadline_fit,
            nested_retries: keys.nested_retries,
            shadow: keys.shadow,
        })
    }
}

impl Policy {
    /// No wait that this policy asks for is longer.
    #[must_use]
    pub fn longest_delay(&self) -> Millis {
        let pushed = self.pushback.as_ref().map(|pushback| self.backoff.latest(pushback.cap));
        self.backoff.cap().max(pushed.unwrap_or_default())
    }
}
