//! When an upstream that failed wants to be called again.

use alloc::string::String;

use super::{Content, Outcome, Scalar};
use crate::Millis;

/// What the upstream asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Not before so long.
    Wait(Millis),
    /// Not again.
    Stop,
}

/// The wish of this attempt's answer. Of several the one that lasts longest counts.
pub(super) fn told(outcome: &Outcome, content: &impl Content, pointers: &[String]) -> Option<Wish> {
    match outcome {
        Outcome::HttpError { pushback, .. } => pushback.map(of),
        Outcome::Returned { structured: Some(_), .. } | Outcome::RpcError(_) => {
            in_fields(content, pointers)
        }
        _ => None,
    }
}

/// What stands at the configured places of a body.
pub(super) fn in_fields(content: &impl Content, pointers: &[String]) -> Option<Wish> {
    let told = pointers.iter().filter_map(|pointer| {
        Some(of(in_milliseconds(content.field(pointer)?, is_in_milliseconds(pointer))?))
    });
    told.reduce(later)
}

fn later(one: Wish, other: Wish) -> Wish {
    match (one, other) {
        (Wish::Wait(one), Wish::Wait(other)) => Wish::Wait(one.max(other)),
        _ => Wish::Stop,
    }
}

/// Negative: not again.
pub(super) fn of(milliseconds: i64) -> Wish {
    u64::try_from(milliseconds).map_or(Wish::Stop, |time| Wish::Wait(Millis(time)))
}

fn is_in_milliseconds(pointer: &str) -> bool {
    pointer.ends_with("ms") || pointer.ends_with("Ms") || pointer.ends_with("MS")
}

/// Rounded up, so that nobody comes too early. A text may hold an integer.
fn in_milliseconds(value: Scalar, already: bool) -> Option<i64> {
    let factor = if already { 1 } else { 1_000 };
    match value {
        Scalar::Integer(number) => Some(number.saturating_mul(factor)),
        Scalar::Text(text) => Some(text.trim_ascii().parse::<i64>().ok()?.saturating_mul(factor)),
        Scalar::Number(number) if number < 0.0 => Some(-1),
        Scalar::Number(number) => {
            let exact = number * factor as f64;
            // `as` saturates; one more if that cut something off.
            let whole = exact as i64;
            Some(whole.saturating_add(i64::from((whole as f64) < exact)))
        }
        Scalar::Boolean(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds_are_told_apart_by_the_name() {
        for (pointer, already) in
            [("/retry_after", false), ("/retryAfterMs", true), ("/retry-after-ms", true)]
        {
            assert_eq!(is_in_milliseconds(pointer), already, "{pointer}");
        }
    }

    #[test]
    fn every_way_to_write_a_number_is_rounded_up_to_milliseconds() {
        for (value, already, expected) in [
            (Scalar::Integer(3), false, Some(3_000)),
            (Scalar::Integer(3), true, Some(3)),
            (Scalar::Integer(i64::MAX), false, Some(i64::MAX)),
            (Scalar::Integer(-1), false, Some(-1_000)),
            (Scalar::Number(1.5), false, Some(1_500)),
            (Scalar::Number(0.0001), false, Some(1)),
            (Scalar::Number(-0.5), true, Some(-1)),
            (Scalar::Number(1e300), false, Some(i64::MAX)),
            (Scalar::Text(" 30 ".into()), false, Some(30_000)),
            (Scalar::Text("soon".into()), false, None),
            (Scalar::Boolean(true), false, None),
        ] {
            assert_eq!(in_milliseconds(value.clone(), already), expected, "{value:?} {already}");
        }
    }

    #[test]
    fn the_longest_wish_counts_and_no_more_calls_is_the_longest() {
        let wait = |time| Wish::Wait(Millis(time));
        assert_eq!(later(wait(1), wait(2)), wait(2));
        assert_eq!(later(Wish::Stop, wait(2)), Wish::Stop);
        assert_eq!(of(-1), Wish::Stop);
    }
}
