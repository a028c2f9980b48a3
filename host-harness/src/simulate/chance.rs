//! Chance from a seed.

use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// One stream of random draws. Each thing that is drawn has a stream of its
/// own, so that all policies of a run meet the same arrivals.
#[derive(Debug)]
pub struct Chance(Pcg64);

/// What a stream is for.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// When calls arrive.
    Arrivals = 1,
    /// How long attempts take.
    Latency = 2,
    /// Which attempts fail.
    Failures = 3,
    /// What the models of published algorithms draw.
    Models = 4,
    /// Which tool a call is for.
    Tools = 5,
    /// Which calls fail whatever the server does.
    Faults = 6,
}

impl Chance {
    /// A stream of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: Stream) -> Self {
        Self(Pcg64::seed_from_u64(seed ^ (stream as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Uniform from 0 up to, but without, 1.
    pub fn share(&mut self) -> f64 {
        const BITS: u32 = 53;
        (self.0.next_u64() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
    }

    /// The time to the next of events that are independent of each other (a Poisson process).
    pub fn gap(&mut self, per_second: f64) -> Duration {
        // Not the system's logarithm: the last digit would differ between machines.
        seconds(-libm::log(1.0 - self.share()) / per_second)
    }
}

/// Seconds as a duration; whatever is no length of time is none.
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 {
        Duration::MAX
    } else {
        Duration::ZERO
    })
}
