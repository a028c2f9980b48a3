//! Every key of the configuration: its kind, its default, and what it does.
//! The texts are the schema's, and through it the reference's.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    Issue, NestedRetries, Profile, ReplaySafety,
    codes::{Codes, RpcCodes, Statuses, numbers},
    json::Value,
    schema::group_schema,
    setting::{Group, Key, Setting, apply_group, settings},
    signals::Signals,
    values::{Integer, JitterSwitch, Mark, Names, Pointers, Thousandths},
};
use crate::{Millis, delay::Jitter};

const HOUR: u64 = Millis::HOUR.0;

settings! {
    /// What can be said once for the whole plugin.
    pub(super) struct RootKeys {
        /// The defaults of all other keys: `compatible` behaves as the original plugin did, `safe` turns on what protects upstreams and payments.
        profile: Profile = Profile::Compatible,
        /// Failing calls that are remembered at a time, of tools and of resources each; beyond that the oldest are forgotten.
        max_tracked_calls: Integer<1, 100_000> = Integer(10_000),
        /// Names or patterns of the upstreams whose tool annotations are believed.
        trusted_upstreams: Names = Names(Vec::new()),
        /// Whether reads of resources are retried, by the policy of the tools without an override.
        retry_resources: bool = false,
    }
}

settings! {
    /// What can be said for all tools, and again for some of them.
    pub(super) struct PolicyKeys {
        /// Retries of one call after its first attempt. The gateway's ceiling bounds it.
        max_retries: Integer<0, 10> = Integer(2),
        /// Milliseconds: the longest delay before the first retry.
        backoff_base_ms: Integer<1, HOUR> = Integer(200),
        /// Milliseconds: the longest delay before any retry. At least `backoff_base_ms`.
        max_backoff_ms: Integer<1, HOUR> = Integer(5_000),
        /// What the delay is multiplied by with every retry.
        backoff_multiplier: Thousandths<1_000, 10_000> = Thousandths(2_000),
        /// How a delay is drawn below its bound: `full` from 1 ms on, `equal` from the half on, `decorrelated` between the base and three times the last delay, `none` not at all. `true` is `full`, `false` is `none`.
        jitter: JitterSwitch = JitterSwitch(Jitter::Full),
        /// Status codes that are worth a retry: numbers, ranges like "500..599", classes like "5xx".
        retry_on_status: Statuses = Statuses(numbers(&[429, 500, 502, 503, 504])),
        /// JSON Pointers into structuredContent (or error.data) where a status is looked for if there is no `status_code`.
        status_pointers: Pointers = Pointers(Vec::new()),
        /// JSON-RPC error codes that are worth a retry: numbers and ranges like "-32019..-32000". 0 is what the Python SDK makes of an exception in a handler. Codes that blame the request never are retried.
        retry_on_rpc_codes: RpcCodes = RpcCodes(numbers(&[-32603, 0])),
        /// Whether JSON in text items counts as a signal if there is no structuredContent.
        check_text_content: bool = false,
        /// What servers say in words, read by these signals first and by the shipped rules after them; `null` reads no words.
        signals: Signals = Signals(None),
        /// Whether a failure is retried of which no words say what kind it is.
        retry_unclassified: bool = true,
        /// Which failures are retried of which the upstream may have done the work: `always` all, `annotated` those of tools that are read-only or idempotent by `idempotent` or by the annotations of a trusted upstream, `never` none.
        replay_safety: ReplaySafety = ReplaySafety::Always,
        /// The operator's own mark: doing it twice is safe (true), or not (false). It outranks annotations; false also outranks `replay_safety`.
        idempotent: Mark = Mark(None),
        /// When an upstream says when to come back.
        pushback: PushbackKeys = PushbackKeys::default(),
        /// How many retries an upstream gets for how many successes.
        budget: BudgetKeys = BudgetKeys::default(),
        /// Whether a retry is refused if an attempt of the usual length would not end before the deadline of the call.
        deadline_fit: bool = false,
        /// What to do if a layer before the gateway retries the same call: `ignore` it, `shrink` to what all layers together may make, `stand-back` and leave the retries to it.
        nested_retries: NestedRetries = NestedRetries::Ignore,
        /// Decide and count everything, but ask for no retry.
        shadow: bool = false,
    }
}

settings! {
    /// `pushback`.
    pub(super) struct PushbackKeys {
        /// Whether the upstream's wish bounds the delay from below.
        honor: bool = false,
        /// Milliseconds: a longer wish ends the call instead.
        max_ms: Integer<1, HOUR> = Integer(60_000),
        /// JSON Pointers into structuredContent (or error.data) where the wish is looked for; in milliseconds if the name ends with `ms`, else in seconds.
        pointers: Pointers = Pointers(
            ["/retry_after", "/retry_after_seconds", "/retryAfterMs"].map(Into::into).into(),
        ),
    }
}

settings! {
    /// `budget`.
    pub(super) struct BudgetKeys {
        /// Whether there is one: a token bucket for each tool, and one for all tools of an upstream. A retry needs what it costs in both.
        enabled: bool = false,
        /// The size of the bucket of a tool; at least what the dearest retry costs.
        max_tokens: Integer<1, 1_000_000> = Integer(20),
        /// The size of the bucket that the tools of an upstream share; at least what the dearest retry costs. That of the base configuration counts.
        upstream_max_tokens: Integer<1, 1_000_000> = Integer(60),
        /// Tokens that a success puts into both buckets.
        token_ratio: Thousandths<0, 10_000> = Thousandths(100),
        /// Tokens that a retry costs.
        retry_cost: Thousandths<0, 100_000> = Thousandths(1_000),
        /// Tokens that a retry costs after status 429 and the like; a tenth if it says when to come back.
        throttle_cost: Thousandths<0, 100_000> = Thousandths(1_000),
        /// Tokens that a retry costs after a timeout.
        timeout_cost: Thousandths<0, 100_000> = Thousandths(1_000),
        /// Tokens that time brings while the upstream answers: a success brings those of the time since the last one, of a minute at most.
        refill_per_minute: Thousandths<0, 1_000_000> = Thousandths(2_000),
        /// Tokens that time brings even if nothing succeeds: how often what is long down is asked.
        floor_per_minute: Thousandths<0, 1_000_000> = Thousandths(200),
    }
}

impl RootKeys {
    /// The defaults of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        Self { profile, retry_resources: profile == Profile::Safe, ..Self::default() }
    }
}

impl PolicyKeys {
    /// The defaults of a profile.
    pub(super) fn of(profile: Profile) -> Self {
        let mut keys = Self::default();
        if profile == Profile::Safe {
            // The budget bounds what all calls together may add, so one call may try more.
            keys.max_retries = Integer(3);
            // Whatever an edge says of the server behind it, too; not 526: a bad certificate stays bad.
            keys.retry_on_status = Statuses(Codes::new(&[
                408..=408,
                425..=425,
                429..=429,
                500..=500,
                502..=504,
                520..=525,
                527..=527,
                529..=530,
            ]));
            // -32603 and 0 say nothing; the words beside them do.
            keys.retry_on_rpc_codes = RpcCodes(numbers(&[]));
            keys.signals = Signals(Some(Arc::new([])));
            keys.retry_unclassified = false;
            keys.replay_safety = ReplaySafety::Annotated;
            keys.pushback.honor = true;
            keys.budget.enabled = true;
            keys.deadline_fit = true;
            keys.nested_retries = NestedRetries::Shrink;
        }
        keys
    }
}
