//! When an upstream that answered with an HTTP error wants to be called again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A number of this size or more is a time since 1970, not a length of time:
/// as seconds it lies in 2001, and nobody waits for 31 years.
const EPOCH_SECONDS: f64 = 1e9;
/// The same for milliseconds.
const EPOCH_MILLIS: f64 = 1e12;

/// Milliseconds until the upstream wants to be called again, for
/// `http-error.pushback-ms` of the contract; negative: not at all. None if no
/// header says anything. The first that does counts, in this order:
///
/// 1. `Retry-After-Ms`, `X-Ms-Retry-After-Ms`: milliseconds.
/// 2. `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. Dates are
///    also read as RFC 3339 writes them, as seconds since 1970, and with small
///    faults.
/// 3. `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): the `t` of every
///    policy of which `r` is 0.
/// 4. Resets of a family of headers: `X-RateLimit-Reset-After`,
///    `RateLimit-Reset`, `X-RateLimit-Reset`, `X-Rate-Limit-Reset`, and
///    `X-RateLimit-Reset-Requests` and `-Tokens`. A length of time, or a point
///    in it. A reset counts only if its own family does not say that something
///    remains; without status 429 it counts only if nothing does.
///
/// A date is relative to the `Date` of the same answer, so that the clocks of
/// gateway and upstream need not agree; without one, to `now`.
/// Names are compared without case; a value that cannot be read says nothing.
#[must_use]
pub fn pushback_ms<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    now: SystemTime,
) -> Option<i64> {
    let headers = Headers {
        status,
        all: headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
            .collect(),
    };
    let now = headers.get("date").and_then(date).unwrap_or(now);
    let in_millis =
        ["retry-after-ms", "x-ms-retry-after-ms"].into_iter().find_map(|name| headers.get(name));
    in_millis
        .and_then(|value| millis(value.parse().ok()?, 1.0))
        .or_else(|| headers.get("retry-after").and_then(|value| time(value, now)))
        .or_else(|| headers.of("ratelimit").filter_map(reset_of_spent_policies).max())
        .or_else(|| headers.resets(now))
}

struct Headers<'a> {
    status: u16,
    all: Vec<(String, &'a str)>,
}

impl<'a> Headers<'a> {
    fn of(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all.iter().filter(move |(known, _)| known == name).map(|(_, value)| *value)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.of(name).next()
    }

    /// The latest reset of a limit that is reached.
    fn resets(&self, now: SystemTime) -> Option<i64> {
        const FAMILIES: [(&str, &str); 6] = [
            ("x-ratelimit-remaining", "x-ratelimit-reset-after"),
            ("ratelimit-remaining", "ratelimit-reset"),
            ("x-ratelimit-remaining", "x-ratelimit-reset"),
            ("x-rate-limit-remaining", "x-rate-limit-reset"),
            ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
            ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ];
        let resets = FAMILIES.into_iter().filter_map(|(remaining, reset)| {
            let reached = match self.get(remaining).map(|value| value.parse::<f64>()) {
                Some(Ok(left)) => left <= 0.0,
                Some(Err(_)) | None => self.status == 429,
            };
            // "-1" is how some say that there is none.
            let reset = reached.then(|| self.get(reset)).flatten()?;
            time(reset, now).or_else(|| length(reset)).filter(|time| *time >= 0)
        });
        resets.max()
    }
}

/// Seconds, seconds or milliseconds since 1970, or a date. A time that is past
/// asks for nothing any more.
fn time(value: &str, now: SystemTime) -> Option<i64> {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1_000.0;
    match value.parse::<f64>() {
        // Some count to the end of time: that is a length, and a very long one.
        Ok(number) if (EPOCH_MILLIS..1e15).contains(&number) => {
            Some(rounded_up((number - since_1970).max(0.0)))
        }
        Ok(number) if (EPOCH_SECONDS..1e11).contains(&number) => {
            Some(rounded_up((number * 1_000.0 - since_1970).max(0.0)))
        }
        Ok(number) => millis(number, 1_000.0),
        Err(_) => {
            let date = date(value)?;
            let left = date.duration_since(now).map_or(0.0, |left| left.as_secs_f64() * 1_000.0);
            Some(rounded_up(left))
        }
    }
}

/// `6m0s`, `1.5s`, `120ms`, as Go writes lengths of time.
fn length(value: &str) -> Option<i64> {
    let mut rest = value;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[letters..];
    }
    (!value.is_empty()).then(|| rounded_up(total))
}

/// A date of HTTP, of RFC 3339, or nearly one: without a day of the week, with
/// another zone than GMT.
fn date(value: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(value).ok().or_else(|| rfc3339(value)).or_else(|| lenient(value))
}

/// `2026-11-24T12:00:02.5+01:00`
fn rfc3339(value: &str) -> Option<SystemTime> {
    let (day, clock) = value.split_once(['T', 't', ' '])?;
    let mut day = day.split('-').map(str::parse::<i64>);
    let (year, month, of_month) = (day.next()?.ok()?, day.next()?.ok()?, day.next()?.ok()?);
    let zone = clock.find(['Z', 'z', '+', '-'])?;
    at((year, month, of_month), &clock[..zone], &clock[zone..])
}

/// `24 Nov 2026 12:00:02 +0000`
fn lenient(value: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let value = value.split_once(", ").map_or(value, |(_, rest)| rest);
    let mut words = value.split([' ', '-']).filter(|word| !word.is_empty());
    let of_month = words.next()?.parse().ok()?;
    let name = words.next()?.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| *known == name)? as i64 + 1;
    let year = words.next()?.parse().ok()?;
    let clock = words.next()?;
    at((year, month, of_month), clock, words.next().unwrap_or("GMT"))
}

/// A day, `12:00:02.5`, and `Z`, `GMT`, `UTC`, `+01:00` or `-0100`.
fn at((year, month, day): (i64, i64, i64), clock: &str, zone: &str) -> Option<SystemTime> {
    let mut parts = clock.split(':').map(str::parse::<f64>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().unwrap_or(Ok(0.0)).ok()?;
    let in_range = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0.0..24.0).contains(&hour)
        && (0.0..60.0).contains(&minute)
        && (0.0..61.0).contains(&second);
    if !in_range {
        return None;
    }
    let offset = match zone.as_bytes() {
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let digits: Vec<_> = digits.iter().filter(|byte| byte.is_ascii_digit()).collect();
            let digit = |place: usize| digits.get(place).map_or(0, |byte| i64::from(**byte - b'0'));
            let minutes = (digit(0) * 10 + digit(1)) * 60 + digit(2) * 10 + digit(3);
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => match zone.to_ascii_uppercase().as_str() {
            "Z" | "GMT" | "UTC" | "UT" => 0,
            _ => return None,
        },
    };
    // Days since 1970: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = (days * 86_400 - offset * 60) as f64 + hour * 3_600.0 + minute * 60.0 + second;
    Some(UNIX_EPOCH + Duration::try_from_secs_f64(seconds).ok()?)
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
        if spent { millis(parameter("t")?.trim().parse().ok()?, 1_000.0) } else { None }
    };
    value.split(',').filter_map(policy).max()
}

fn millis(number: f64, factor: f64) -> Option<i64> {
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
    fn retry_after_outranks_every_reset_and_milliseconds_outrank_seconds() {
        let all = [
            ("x-ratelimit-reset", "1"),
            ("RateLimit", r#""day";r=0;t=7200"#),
            ("retry-after", "2"),
            ("retry-after-ms", "2500"),
        ];
        assert_eq!(told(429, &all), Some(2_500));
        assert_eq!(told(429, &all[..3]), Some(2_000));
        assert_eq!(told(429, &all[..2]), Some(7_200_000));
        assert_eq!(told(429, &all[..1]), Some(1_000));
        assert_eq!(told(429, &[("content-type", "text/plain")]), None);
    }

    #[test]
    fn a_reset_of_a_limit_that_is_not_reached_says_nothing() {
        // GitHub's secondary limit, beside a primary one with much left.
        let secondary = [
            ("Retry-After", "1"),
            ("x-ratelimit-remaining", "4987"),
            ("x-ratelimit-reset", "1795524300"),
        ];
        assert_eq!(told(403, &secondary), Some(1_000));
        assert_eq!(told(429, &secondary[1..]), None);
        let other = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(told(429, &other), Some(360_000));
        assert_eq!(told(429, &[("X-RateLimit-Reset", "-1")]), None);
        assert_eq!(told(429, &[("X-RateLimit-Reset-After", "1.25")]), Some(1_250));
    }

    #[test]
    fn a_date_is_relative_to_the_answers_own_clock() {
        let dates = [
            "Tue, 24 Nov 2026 12:05:02 GMT",
            "2026-11-24T12:05:02Z",
            "2026-11-24T13:05:02.0+01:00",
            "24 Nov 2026 12:05:02 +0000",
            "1795521902",
        ];
        for date in dates {
            let clock = ("Date", "Tue, 24 Nov 2026 12:05:01 GMT");
            assert_eq!(told(503, &[("Retry-After", date), clock]), Some(1_000), "{date}");
        }
        for nonsense in ["2026-13-01T00:00:00Z", "2026-11-24T25:00:00Z", "24 Foo 2026 12:00:00"] {
            assert_eq!(told(503, &[("Retry-After", nonsense)]), None, "{nonsense}");
        }
    }
}
