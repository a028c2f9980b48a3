//! When an upstream that answered with an HTTP error wants to be called again.

use std::time::{SystemTime, UNIX_EPOCH};

/// A number of this size or more is a time since 1970, not a length of time:
/// as seconds it lies in 2001, and nobody waits for 31 years.
const EPOCH_SECONDS: f64 = 1e9;
/// The same for milliseconds.
const EPOCH_MILLIS: f64 = 1e12;

/// Milliseconds from `now` until the upstream wants to be called again, for
/// `http-error.pushback-ms` of the contract; negative: not at all. Of several
/// headers the one that names the latest time counts. None if none says anything.
///
/// * `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date.
/// * `Retry-After-Ms`: milliseconds.
/// * `RateLimit-Reset`, `X-RateLimit-Reset`, `X-Rate-Limit-Reset`: seconds, or
///   a time since 1970 in seconds or milliseconds. Many servers send them with
///   every answer, so they count only for status 429 or when the header of the
///   same family says that nothing remains.
/// * `RateLimit` (draft-ietf-httpapi-ratelimit-headers): the `t` of every
///   policy of which `r` is 0.
///
/// Names are compared without case; a value that cannot be read says nothing.
#[must_use]
pub fn pushback_ms<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    now: SystemTime,
) -> Option<i64> {
    let headers: Vec<(String, &str)> = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let spent = |prefix: &str| {
        let remaining = format!("{prefix}remaining");
        status == 429 || headers.iter().any(|(name, value)| *name == remaining && *value == "0")
    };
    let wishes = headers.iter().filter_map(|(name, value)| match name.as_str() {
        "retry-after" => seconds_or_date(value, now),
        "retry-after-ms" => in_millis(value.parse().ok()?, 1.0),
        "ratelimit" => reset_of_spent_policies(value),
        name => {
            let prefix = name.strip_suffix("reset")?;
            let known = ["ratelimit-", "x-ratelimit-", "x-rate-limit-"].contains(&prefix);
            if known && spent(prefix) { reset(value, now) } else { None }
        }
    });
    // "Never" is later than any time.
    wishes.reduce(|one, other| if one < 0 || other < 0 { -1 } else { one.max(other) })
}

fn seconds_or_date(value: &str, now: SystemTime) -> Option<i64> {
    if let Ok(seconds) = value.parse() {
        return in_millis(seconds, 1_000.0);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that is past asks for nothing any more.
    Some(date.duration_since(now).map_or(0, |left| rounded_up(left.as_secs_f64() * 1_000.0)))
}

fn reset(value: &str, now: SystemTime) -> Option<i64> {
    let number: f64 = value.parse().ok()?;
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1_000.0;
    if number >= EPOCH_MILLIS {
        Some(rounded_up((number - since_1970).max(0.0)))
    } else if number >= EPOCH_SECONDS {
        Some(rounded_up((number * 1_000.0 - since_1970).max(0.0)))
    } else {
        in_millis(number, 1_000.0)
    }
}

/// `"burst";r=0;t=30, "day";r=900;t=7200`: items with parameters, as structured
/// fields (RFC 9651) write them.
fn reset_of_spent_policies(value: &str) -> Option<i64> {
    let policy = |policy: &str| {
        let parameter = |name: &str| {
            policy
                .split(';')
                .skip(1)
                .find_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let spent = parameter("r")?.trim() == "0";
        if spent { in_millis(parameter("t")?.trim().parse().ok()?, 1_000.0) } else { None }
    };
    value.split(',').filter_map(policy).max()
}

fn in_millis(number: f64, factor: f64) -> Option<i64> {
    if number.is_nan() {
        None
    } else if number < 0.0 {
        Some(-1)
    } else {
        Some(rounded_up(number * factor))
    }
}

/// Up, so that nobody comes too early. `as` saturates.
fn rounded_up(millis: f64) -> i64 {
    millis.ceil() as i64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2026-11-24T12:00:00.250Z
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_795_521_600_250)
    }

    fn told(status: u16, headers: &[(&str, &str)]) -> Option<i64> {
        pushback_ms(status, headers.iter().copied(), now())
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        for (value, expected) in [
            ("3", Some(3_000)),
            (" 0 ", Some(0)),
            ("1.5", Some(1_500)),
            ("-1", Some(-1)),
            ("99999999999999999999", Some(i64::MAX)),
            ("Tue, 24 Nov 2026 12:00:02 GMT", Some(1_750)),
            ("Tuesday, 24-Nov-26 12:00:02 GMT", Some(1_750)),
            ("Tue Nov 24 12:00:02 2026", Some(1_750)),
            ("Tue, 24 Nov 2026 11:59:00 GMT", Some(0)),
            ("soon", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(told(503, &[("Retry-After", value)]), expected, "{value}");
        }
    }

    #[test]
    fn milliseconds_have_a_header_of_their_own() {
        assert_eq!(told(503, &[("retry-after-ms", "1250")]), Some(1_250));
        assert_eq!(told(503, &[("retry-after-ms", "-1")]), Some(-1));
    }

    #[test]
    fn a_rate_limit_reset_counts_only_when_the_limit_is_reached() {
        let reset = ("X-RateLimit-Reset", "30");
        assert_eq!(told(429, &[reset]), Some(30_000));
        assert_eq!(told(503, &[reset]), None);
        assert_eq!(told(503, &[reset, ("X-RateLimit-Remaining", "7")]), None);
        assert_eq!(told(503, &[reset, ("x-ratelimit-remaining", "0")]), Some(30_000));
        assert_eq!(told(503, &[reset, ("RateLimit-Remaining", "0")]), None, "another family");
    }

    #[test]
    fn a_reset_is_a_length_of_time_or_a_time_since_1970() {
        for (value, expected) in
            [("60", 60_000), ("1795521610", 9_750), ("1795521610000", 9_750), ("1000000000", 0)]
        {
            for name in ["RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"] {
                assert_eq!(told(429, &[(name, value)]), Some(expected), "{name}: {value}");
            }
        }
    }

    #[test]
    fn of_the_policies_of_one_field_those_that_are_spent_count() {
        let field = r#""burst";r=0;t=30, "hour" ; r=0 ; t=90, "day";r=900;t=7200"#;
        assert_eq!(told(503, &[("RateLimit", field)]), Some(90_000));
        assert_eq!(told(429, &[("RateLimit", r#""day";r=900;t=7200"#)]), None);
    }

    #[test]
    fn the_latest_time_counts_and_never_is_the_latest() {
        let headers =
            [("retry-after", "2"), ("retry-after-ms", "2500"), ("x-ratelimit-reset", "1")];
        assert_eq!(told(429, &headers), Some(2_500));
        assert_eq!(told(429, &[headers[0], ("retry-after-ms", "-5")]), Some(-1));
        assert_eq!(told(429, &[("content-type", "text/plain")]), None);
    }
}
