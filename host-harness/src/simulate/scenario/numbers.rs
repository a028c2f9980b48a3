//! Numbers of a scenario, each within its bounds from the moment it is read.

use serde::Deserialize;

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Whole<const LEAST: u64, const MOST: u64>(pub u64);

impl<const LEAST: u64, const MOST: u64> TryFrom<i64> for Whole<LEAST, MOST> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match u64::try_from(number) {
            Ok(whole) if (LEAST..=MOST).contains(&whole) => Ok(Self(whole)),
            _ => Err(format!("must be an integer from {LEAST} to {MOST}, not {number}")),
        }
    }
}

/// A number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Real<const LEAST: u64, const MOST: u64>(pub f64);

impl<const LEAST: u64, const MOST: u64> TryFrom<f64> for Real<LEAST, MOST> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        // Bounds are small enough to be exact.
        if (LEAST as f64..=MOST as f64).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("must be a number from {LEAST} to {MOST}, not {number}"))
        }
    }
}

/// A probability, or a part of a whole.
pub type Share = Real<0, 1>;
/// Events in a second.
pub type PerSecond = Real<0, 1_000_000>;
/// Milliseconds, up to an hour.
pub type Millis = Whole<0, 3_600_000>;
/// Milliseconds, of which there must be one.
pub type SomeMillis = Whole<1, 3_600_000>;
/// A second of the simulation, up to a day.
pub type Second = Whole<0, 86_400>;
