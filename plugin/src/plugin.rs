//! One instance of the plugin: a configuration, the state of its calls, and chance.

use alloc::{string::String, vec::Vec};

use rand_core::SeedableRng;
use rand_pcg::Pcg32;

use crate::{
    config::{self, Accepted, Config, Issue, Retries},
    context::Context,
    decide::{Invocation, Rules, Verdict, decide, retries},
    detect::{Content, Outcome, detect},
    state::State,
    stats::{Decisions, Metric},
};

/// A configured plugin.
#[derive(Debug)]
pub struct RetryPlugin {
    config: Config,
    state: State,
    rng: Pcg32,
    decisions: Decisions,
}

impl RetryPlugin {
    /// A plugin with this configuration (JSON), and what was adjusted in it.
    /// `seed` feeds the jitter and the hash of the state.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub fn new(
        config: &str,
        ceiling: Retries,
        seed: u64,
    ) -> Result<(Self, Vec<Issue>), Vec<Issue>> {
        let Accepted { config, notices } = config::parse(config, ceiling)?;
        let state = State::new(config.max_tracked_calls, config.state_ttl(), seed);
        let rng = Pcg32::seed_from_u64(seed);
        Ok((Self { config, state, rng, decisions: Decisions::default() }, notices))
    }

    /// Puts another configuration into force, and returns what was adjusted in
    /// it. The calls that are alive keep their state.
    ///
    /// # Errors
    /// Every problem of the configuration; then nothing has changed.
    pub fn reconfigure(
        &mut self,
        config: &str,
        ceiling: Retries,
    ) -> Result<Vec<Issue>, Vec<Issue>> {
        let Accepted { config, notices } = config::parse(config, ceiling)?;
        self.state.rebound(config.max_tracked_calls, config.state_ttl());
        self.config = config;
        Ok(notices)
    }

    /// Judges one attempt of a tool call; `gateway` answers what the policy asks.
    pub fn handle(
        &mut self,
        invocation: Invocation,
        outcome: Outcome,
        gateway: &(impl Content + Context),
    ) -> Verdict {
        let Config { policies, trusted, .. } = &mut self.config;
        let rules = Rules { policy: policies.of(&invocation.target), trusted };
        let detection = detect(outcome, gateway, rules.policy);
        let verdict =
            decide(invocation, detection, &rules, &mut self.state, &mut self.rng, gateway);
        self.decisions.count(&verdict);
        verdict
    }

    /// The most retries that a call to this tool gets.
    pub fn retries(&mut self, tool: &str, gateway: &impl Context) -> Retries {
        Retries(retries(self.config.policies.of(tool), gateway))
    }

    /// The call is over without a further verdict.
    pub fn forget(&mut self, target: &str, request_id: &str) {
        if self.state.end(target, request_id) {
            self.decisions.forgotten += 1;
        }
    }

    /// What it works by.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Counters and gauges; always the same names.
    #[must_use]
    pub fn stats(&self) -> Vec<Metric> {
        let mut metrics = self.decisions.metrics();
        let evicted = self.state.evicted();
        let mut gauge =
            |name: &str, value| metrics.push(Metric { name: String::from(name), value });
        gauge("calls.tracked", u64::from(self.state.len()));
        gauge("calls.capacity", u64::from(self.state.capacity()));
        gauge("calls.expired", evicted.expired);
        gauge("calls.displaced", evicted.displaced);
        let (buckets, emptiest) = self.state.budgets.emptiest();
        gauge("budget.buckets", u64::from(buckets));
        if let Some(tokens) = emptiest {
            gauge("budget.least_tokens_left", tokens.in_thousandths() / 1_000);
        }
        metrics
    }
}
