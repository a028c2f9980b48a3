//! What is simulated: a small file of YAML.

mod column;
mod faults;
mod numbers;
mod parse;
mod policy;
mod server;
mod tools;

use std::time::Duration;

use serde::Deserialize;

pub use column::{Column, Measure};
pub use faults::{ApiWindow, CallFault, FailureKind, Failures, RateLimit};
pub use numbers::{Millis, PerSecond, Real, Second, Share, SomeMillis, Whole};
pub use parse::ScenarioError;
pub use policy::{Decider, Policy};
pub use server::{Abandoned, Server, Slowdown, Stall};
pub use tools::Tool;

/// A day on which calls arrive, a server answers as it can, and policies are compared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for the list of scenarios.
    pub title: String,
    /// What it is about, for the report.
    #[serde(default)]
    pub description: String,
    /// Where chance starts; default 1.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// How often it is played, each time with another seed; figures are of all
    /// together. Default 1.
    #[serde(default = "defaults::seeds")]
    pub seeds: Whole<1, 100>,
    /// How long calls arrive, in seconds. Those that are alive then are followed to their end.
    pub duration_s: Whole<1, 86_400>,
    /// Calls that arrive, whatever becomes of the others (an open loop).
    pub load: Vec<Load>,
    /// How they arrive.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// The tools that are called; one if not given.
    #[serde(default = "Tool::only")]
    pub tools: Vec<Tool>,
    /// Gateways with a plugin each, to which calls go in turn; default 1.
    #[serde(default = "defaults::gateways")]
    pub gateways: Whole<1, 1_000>,
    /// What every gateway allows.
    #[serde(default)]
    pub gateway: GatewayLimits,
    /// Whom they call.
    pub server: Server,
    /// When attempts fail, beside those that take too long.
    #[serde(default)]
    pub failures: Vec<Failures>,
    /// Seconds after which `failures` start over; never if not given.
    pub failures_repeat_s: Option<Whole<1, 86_400>>,
    /// Calls that fail by themselves, whatever the server does.
    #[serde(default)]
    pub call_faults: Vec<CallFault>,
    /// A limit on the server's side.
    pub rate_limit: Option<RateLimit>,
    /// A limit on the server's side that counts in windows of time.
    pub api_window: Option<ApiWindow>,
    /// Parts of the time whose figures are told apart; the whole if none.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// What the table over all scenarios shows of it.
    #[serde(default)]
    pub column: Column,
    /// Whom to compare; [`Policy::standard`] if not given.
    #[serde(default = "Policy::standard")]
    pub policies: Vec<Policy>,
}

mod defaults {
    use super::Whole;

    pub fn seed() -> u64 {
        1
    }

    pub fn seeds() -> Whole<1, 100> {
        Whole(1)
    }

    pub fn gateways() -> Whole<1, 1_000> {
        Whole(1)
    }
}

/// From a moment on, until the next entry.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Since when, in seconds.
    pub from_s: Second,
    /// Calls in a second.
    pub calls_per_second: PerSecond,
}

/// How calls are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Independent of each other.
    #[default]
    Poisson,
    /// At equal distances.
    Constant,
}

/// The limits of every gateway; as those of the proxy.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayLimits {
    /// Ceiling on retries of one call; default 3.
    pub max_tool_retries: Option<Whole<0, 10>>,
    /// Milliseconds that an attempt may take; unlimited if not given.
    pub attempt_timeout_ms: Option<SomeMillis>,
    /// Milliseconds that a call may take; unlimited if not given.
    pub deadline_ms: Option<SomeMillis>,
}

/// A part of the time with figures of its own: the calls that arrive in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What to call it.
    pub name: String,
    /// Its start, in seconds.
    pub from_s: Second,
    /// Its end, in seconds.
    pub to_s: Second,
    /// Whether charts set it apart, because something is wrong in it.
    #[serde(default)]
    pub trouble: bool,
}

impl Scenario {
    /// How long calls arrive.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        Duration::from_secs(self.duration_s.0)
    }

    /// Calls in a second at a moment.
    #[must_use]
    pub fn load_at(&self, now: Duration) -> f64 {
        in_force(&self.load, now, |load| load.from_s).map_or(0.0, |load| load.calls_per_second.0)
    }

    /// When the load changes next.
    #[must_use]
    pub fn next_load(&self, now: Duration) -> Option<Duration> {
        self.load.iter().map(|load| Duration::from_secs(load.from_s.0)).find(|from| *from > now)
    }

    /// How attempts at a tool fail that start at a moment.
    #[must_use]
    pub fn failures_at(&self, tool: &Tool, now: Duration) -> Option<Failures> {
        let now = match self.failures_repeat_s {
            Some(period) => Duration::from_secs(now.as_secs() % period.0),
            None => now,
        };
        let failures = tool.failures.as_ref().unwrap_or(&self.failures);
        in_force(failures, now, |failures| failures.from_s)
    }

    /// When work ends that begins at a moment and takes so long, stalls aside.
    #[must_use]
    pub fn end_of_work(&self, begins: Duration, takes: Duration) -> Duration {
        let mut end = begins.saturating_add(takes);
        for stall in &self.server.stalls {
            let from = Duration::from_secs(stall.from_s.0).max(begins);
            let to = Duration::from_secs(stall.to_s.0);
            if from < end && from < to {
                end = end.saturating_add(to.saturating_sub(from));
            }
        }
        end
    }

    /// What latency is multiplied by at a moment.
    #[must_use]
    pub fn slowdown_at(&self, now: Duration) -> f64 {
        in_force(&self.server.slowdowns, now, |slowdown| slowdown.from_s)
            .map_or(1.0, |slowdown| slowdown.factor.0)
    }

    /// Calls that arrive, more or less.
    #[must_use]
    pub fn expected_calls(&self) -> f64 {
        let end = self.duration().as_secs_f64();
        let ends = self.load.iter().skip(1).map(|load| load.from_s.0 as f64).chain([end]);
        let part = |(load, to): (&Load, f64)| {
            load.calls_per_second.0 * (to.min(end) - load.from_s.0 as f64).max(0.0)
        };
        self.load.iter().zip(ends).map(part).sum()
    }
}

/// The last entry that began before `now`.
fn in_force<T: Copy>(entries: &[T], now: Duration, from: impl Fn(&T) -> Second) -> Option<T> {
    let begun = |entry: &&T| Duration::from_secs(from(entry).0) <= now;
    entries.iter().take_while(begun).last().copied()
}

impl<const LEAST: u64, const MOST: u64> Default for Real<LEAST, MOST> {
    fn default() -> Self {
        Self(LEAST as f64)
    }
}
