//! The ways to break the contract.

use crate::contract::{Class, Reason};

/// An answer that the contract forbids. The host does not act on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A delay beyond [`Limits::max_delay`](crate::sandbox::Limits::max_delay).
    #[error("it asks to wait {delay_ms} ms; the most is {most_ms}")]
    DelayTooLong {
        /// What it asks for.
        delay_ms: u64,
        /// What it may ask for.
        most_ms: u64,
    },
    /// A reason that speaks for a retry, and no delay.
    #[error("its reason ({0:?}) asks for a retry, but the delay is 0")]
    RetryWithoutDelay(Reason),
    /// A reason that speaks against a retry, and a delay.
    #[error("its reason ({reason:?}) speaks against a retry, but the delay is {delay_ms} ms")]
    DelayWithoutRetry {
        /// The reason.
        reason: Reason,
        /// The delay.
        delay_ms: u64,
    },
    /// A delay above the ceiling that it claims to be drawn from.
    #[error("the delay of {delay_ms} ms is above its own ceiling of {ceiling_ms}")]
    DelayAboveCeiling {
        /// The delay.
        delay_ms: u64,
        /// The claimed ceiling.
        ceiling_ms: u64,
    },
    /// A retry of a result in which nothing speaks of a failure, and whose body it never read.
    #[error("it asks for a retry of a result without any sign of failure")]
    RetryOfSuccess,
    /// A retry of a call that goes on elsewhere, was given up, or was refused.
    #[error("it asks for a retry of an attempt that must not be repeated")]
    RetryOfEnded,
    /// Metadata for a call without a trace, none for one with, or other numbers than the verdict's.
    #[error("its trace metadata do not go with the call and the verdict")]
    WrongMetadata,
    /// A retry, although the gateway's ceiling on retries is reached.
    #[error("it asks for a retry after attempt {attempt}, and {most} retries are the most")]
    RetryPastCeiling {
        /// The attempt that it judged.
        attempt: u32,
        /// The gateway's ceiling.
        most: u32,
    },
    /// A retry of a call that, by its own count, has not failed.
    #[error("it asks for a retry, but counts no failure")]
    RetryWithoutFailure,
    /// A class that cannot be that of an attempt with this reason, or a success
    /// that was surely not executed.
    #[error("its class ({class:?}) does not go with its reason ({reason:?})")]
    WrongClass {
        /// The class.
        class: Class,
        /// The reason.
        reason: Reason,
    },
    /// A ceiling of delays where no retry is asked for.
    #[error("its reason ({reason:?}) speaks against a retry, but its ceiling is {ceiling_ms} ms")]
    CeilingWithoutRetry {
        /// The reason.
        reason: Reason,
        /// The claimed ceiling.
        ceiling_ms: u64,
    },
    /// A retry budget of which nothing was said in the answer to the configuration.
    #[error("it names the terms of budget {number}, but it has {named} of them")]
    UnknownBudget {
        /// The number that it names, counted from 1.
        number: u16,
        /// How many there are.
        named: usize,
    },
    /// A price, and no budget that could pay it.
    #[error("its retry costs {cost} thousandths of a token, but it names no budget")]
    CostWithoutBudget {
        /// The price.
        cost: u32,
    },
    /// A price where no retry is asked for.
    #[error("its reason ({reason:?}) speaks against a retry, which costs {cost} nevertheless")]
    CostWithoutRetry {
        /// The reason.
        reason: Reason,
        /// The price.
        cost: u32,
    },
    /// More retries announced than the gateway's ceiling allows.
    #[error("it announces up to {retries} retries, and {most} are the most")]
    TooManyRetries {
        /// What it announces.
        retries: u32,
        /// The gateway's ceiling.
        most: u32,
    },
    /// Advice on resources that contradicts itself or the gateway's limits.
    #[error("its policy for resources is wrong: {0}")]
    WrongPolicy(&'static str),
    /// A manifest that is not well-formed.
    #[error("its manifest is wrong: {member} {problem}")]
    WrongManifest {
        /// The member of the manifest.
        member: &'static str,
        /// What it has to be.
        problem: &'static str,
    },
    /// A manifest other than the operator expects.
    #[error("its manifest has the {member} {told}, not {expected}")]
    OtherManifest {
        /// The member of the manifest.
        member: &'static str,
        /// What the plugin says.
        told: String,
        /// What the operator expects.
        expected: String,
    },
    /// More metrics than the contract allows.
    #[error("it has {count} metrics, and {most} are the most")]
    TooManyMetrics {
        /// How many it has.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// The name of a metric that is not made as the contract wants it.
    #[error("a metric is called {0:?}; lower case letters, digits, `_` and `.` are allowed")]
    WrongMetricName(String),
    /// Two metrics of one name.
    #[error("two metrics are called {0:?}")]
    RepeatedMetric(String),
    /// A schema longer than [`Limits::schema_bytes`](crate::sandbox::Limits::schema_bytes).
    #[error("its configuration schema has {bytes} bytes, and {most} are the most")]
    SchemaTooLong {
        /// Its size in bytes.
        bytes: usize,
        /// The largest size in bytes.
        most: usize,
    },
    /// A schema that is no JSON object.
    #[error("its configuration schema is no JSON object")]
    SchemaNoObject,
    /// A configuration refused without a reason.
    #[error("it refuses a configuration without saying why")]
    RefusedWithoutIssue,
}

impl Violation {
    /// What it is counted under.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DelayTooLong { .. } => "rejected.delay_too_long",
            Self::RetryWithoutDelay(_) => "rejected.retry_without_delay",
            Self::DelayWithoutRetry { .. } => "rejected.delay_without_retry",
            Self::DelayAboveCeiling { .. } => "rejected.delay_above_ceiling",
            Self::RetryOfSuccess => "rejected.retry_of_success",
            Self::RetryOfEnded => "rejected.retry_of_ended",
            Self::WrongMetadata => "rejected.wrong_metadata",
            Self::RetryPastCeiling { .. } => "rejected.retry_past_ceiling",
            Self::RetryWithoutFailure => "rejected.retry_without_failure",
            Self::CeilingWithoutRetry { .. } => "rejected.ceiling_without_retry",
            Self::UnknownBudget { .. } => "rejected.unknown_budget",
            Self::CostWithoutBudget { .. } => "rejected.cost_without_budget",
            Self::CostWithoutRetry { .. } => "rejected.cost_without_retry",
            Self::TooManyRetries { .. } => "rejected.too_many_retries",
            Self::WrongPolicy(_) => "rejected.wrong_policy",
            Self::WrongManifest { .. } => "rejected.wrong_manifest",
            Self::OtherManifest { .. } => "rejected.other_manifest",
            Self::TooManyMetrics { .. } => "rejected.too_many_metrics",
            Self::WrongMetricName(_) => "rejected.wrong_metric_name",
            Self::RepeatedMetric(_) => "rejected.repeated_metric",
            Self::SchemaTooLong { .. } => "rejected.schema_too_long",
            Self::SchemaNoObject => "rejected.schema_no_object",
            Self::RefusedWithoutIssue => "rejected.refused_without_issue",
            Self::WrongClass { .. } => "rejected.wrong_class",
        }
    }
}
