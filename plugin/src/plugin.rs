//! One instance of the plugin: a configuration, the state of its calls, and chance.

use alloc::{string::String, vec::Vec};

use rand_core::SeedableRng;
use rand_pcg::Pcg32;

use crate::{
    config::{self, Accepted, Affinity, Config, Issue, Policy, Retries},
    context::Context,
    decide::{Invocation, MostRetries, Rules, decide, promised},
    detect::{Content, Outcome, detect},
    state::{Kind, State},
    stats::{Decisions, Metric},
    verdict::Verdict,
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
        let (calls, reads) = config.tracked();
        let state = State::new(calls, reads, config.state_ttl(), seed);
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
        let (calls, reads) = config.tracked();
        self.state.rebound(calls, reads, config.state_ttl());
        self.config = config;
        Ok(notices)
    }

    /// Which calls one instance has to judge, where a gateway runs several.
    #[must_use]
    pub fn affinity(&self) -> Affinity {
        self.config.affinity()
    }

    /// Judges one attempt; `gateway` answers what the policy asks. None if
    /// what was called is never retried and so not judged.
    #[inline]
    pub fn handle(
        &mut self,
        invocation: Invocation,
        outcome: Outcome,
        gateway: &(impl Content + Context),
    ) -> Option<Verdict> {
        let Config { policies, trusted, retry_resources, .. } = &mut self.config;
        let policy = match invocation.kind {
            Kind::Tool => policies.of(&invocation.target),
            Kind::Resource if *retry_resources => policies.base(),
            Kind::Resource => return None,
        };
        let rules = Rules { policy, trusted };
        let detection = detect(outcome, gateway, invocation.known, rules.policy);
        let verdict =
            decide(invocation, detection, &rules, &mut self.state, &mut self.rng, gateway);
        self.decisions.count(&verdict);
        Some(verdict)
    }

    /// The most retries that a call gets.
    pub fn retries(&mut self, kind: Kind, target: &str, gateway: &impl Context) -> MostRetries {
        let Config { policies, trusted, retry_resources, .. } = &mut self.config;
        let policy = match kind {
            Kind::Tool => policies.of(target),
            Kind::Resource if *retry_resources => policies.base(),
            Kind::Resource => return MostRetries::NONE,
        };
        promised(kind, &Rules { policy, trusted }, gateway)
    }

    /// The call is over without a further verdict.
    pub fn forget(&mut self, kind: Kind, target: &str, request_id: &str) {
        if self.state.end(kind, target, request_id) {
            self.decisions.forgotten += 1;
        }
    }

    /// The policy of whatever has none of its own.
    #[must_use]
    pub fn base(&self) -> &Policy {
        self.config.policies.base()
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
        let budgets = self.state.budgets.levels();
        gauge("budget.buckets", budgets.buckets);
        gauge("budget.drained", budgets.drained);
        gauge("budget.tokens_capacity", budgets.size.in_thousandths() / 1_000);
        gauge("budget.tokens_left", budgets.left.in_thousandths() / 1_000);
        metrics
    }
}
