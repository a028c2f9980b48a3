//! Checks on what is not a verdict.

use std::{collections::HashSet, time::Duration};

use serde::de::IgnoredAny;

use super::{Violation, text};
use crate::{
    contract::{Metric, MostRetries, RetryPolicy},
    sandbox::Limits,
};

/// The most metrics that the contract allows.
const MOST_METRICS: usize = 64;
/// The longest name of a metric, in bytes.
const MOST_METRIC_NAME_BYTES: usize = 128;

/// Checks the answer to `retries`.
pub(in crate::sandbox) fn most_retries(retries: MostRetries, most: u32) -> Result<(), Violation> {
    self::retries(retries.maybe_executed.max(retries.not_executed), most)
}

fn retries(retries: u32, most: u32) -> Result<(), Violation> {
    if retries > most { Err(Violation::TooManyRetries { retries, most }) } else { Ok(()) }
}

/// Checks the policy that a plugin advises for resources.
pub(in crate::sandbox) fn policy(
    policy: &RetryPolicy,
    max_retries: u32,
    limits: &Limits,
) -> Result<(), Violation> {
    let RetryPolicy { max_retries: retries, backoff_base_ms, max_backoff_ms, retry_on_status } =
        policy;
    self::retries(*retries, max_retries)?;
    if backoff_base_ms > max_backoff_ms {
        return Err(Violation::WrongPolicy("its first delay is above its longest"));
    }
    if Duration::from_millis(*max_backoff_ms) > limits.max_delay {
        return Err(Violation::WrongPolicy("its longest delay is above the gateway's"));
    }
    if !retry_on_status.is_sorted_by(|one, next| one < next) {
        return Err(Violation::WrongPolicy("its status codes are not ascending"));
    }
    Ok(())
}

/// Checks the metrics of one instance.
pub(in crate::sandbox) fn metrics(metrics: &[Metric]) -> Result<(), Violation> {
    let (count, most) = (metrics.len(), MOST_METRICS);
    if count > most {
        return Err(Violation::TooManyMetrics { count, most });
    }
    let mut names = HashSet::new();
    for Metric { name, .. } in metrics {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.');
        if !(1..=MOST_METRIC_NAME_BYTES).contains(&name.len()) || !name.bytes().all(allowed) {
            let start: String = name.chars().take(MOST_METRIC_NAME_BYTES).collect();
            return Err(Violation::WrongMetricName(text::clean(&start)));
        }
        if !names.insert(name) {
            return Err(Violation::RepeatedMetric(name.clone()));
        }
    }
    Ok(())
}

/// Checks a configuration schema.
pub(in crate::sandbox) fn schema(schema: &str, limits: &Limits) -> Result<(), Violation> {
    let (bytes, most) = (schema.len(), limits.schema_bytes);
    if bytes > most {
        return Err(Violation::SchemaTooLong { bytes, most });
    }
    // Skims the text without building it, and not deeper than serde_json goes.
    let is_object =
        schema.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(schema).is_ok();
    if is_object { Ok(()) } else { Err(Violation::SchemaNoObject) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> Metric {
        Metric { name: name.to_owned(), value: 1 }
    }

    #[test]
    fn metrics_are_few_and_each_has_a_name_of_its_own() {
        let many = |count| (0..count).map(|n| metric(&format!("calls.{n}"))).collect::<Vec<_>>();
        assert_eq!(metrics(&many(64)), Ok(()));
        assert_eq!(metrics(&many(65)), Err(Violation::TooManyMetrics { count: 65, most: 64 }));
        for name in ["", "Calls", "calls total", "calls\u{1b}", "żółw", &"x".repeat(129)] {
            let found = metrics(&[metric(name)]);
            assert!(matches!(found, Err(Violation::WrongMetricName(_))), "{name}: {found:?}");
        }
        let twice = metrics(&[metric("a"), metric("b"), metric("a")]);
        assert_eq!(twice, Err(Violation::RepeatedMetric("a".to_owned())));
    }

    #[test]
    fn a_schema_is_an_object_of_a_bounded_size() {
        let limits = Limits { schema_bytes: 20, ..Limits::default() };
        assert_eq!(schema(r#" {"type": "object"}"#, &limits), Ok(()));
        for text in ["", "[]", "{", "{}}", "true", "{\"a\u{7}\":1}"] {
            assert_eq!(schema(text, &limits), Err(Violation::SchemaNoObject), "{text}");
        }
        let long = schema(&format!("{{}}{}", " ".repeat(19)), &limits);
        assert_eq!(long, Err(Violation::SchemaTooLong { bytes: 21, most: 20 }));
    }

    #[test]
    fn advice_on_resources_keeps_to_the_gateways_limits() {
        let good = || RetryPolicy {
            max_retries: 3,
            backoff_base_ms: 200,
            max_backoff_ms: 3_600_000,
            retry_on_status: vec![-1, 429, 500],
        };
        let checked = |policy: &RetryPolicy| super::policy(policy, 3, &Limits::default());
        assert_eq!(checked(&good()), Ok(()));
        let many = checked(&RetryPolicy { max_retries: 4, ..good() });
        assert_eq!(many, Err(Violation::TooManyRetries { retries: 4, most: 3 }));
        for policy in [
            RetryPolicy { backoff_base_ms: 5, max_backoff_ms: 4, ..good() },
            RetryPolicy { max_backoff_ms: 3_600_001, ..good() },
            RetryPolicy { max_backoff_ms: u64::MAX, ..good() },
            RetryPolicy { retry_on_status: vec![500, 500], ..good() },
            RetryPolicy { retry_on_status: vec![500, 429], ..good() },
        ] {
            assert!(matches!(checked(&policy), Err(Violation::WrongPolicy(_))), "{policy:?}");
        }
    }
}
