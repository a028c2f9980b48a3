//! One instance of the plugin: a configuration, the state of its calls, and chance.

use alloc::vec::Vec;

use rand_core::SeedableRng;
use rand_pcg::Pcg32;

use crate::{
    budget::{Price, Terms},
    config::{self, Accepted, Config, Issue, Policy, Retries},
    context::Context,
    decide::{Invocation, MostRetries, Rules, decide, promised},
    detect::{Content, Outcome, detect},
    state::{Kind, State},
    stats::{Decisions, Metric, add},
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

    /// The terms of the bucket that all tools of an upstream share; none if
    /// there is no budget.
    #[must_use]
    pub fn upstream_budget(&self) -> Option<Terms> {
        self.base().budget.map(|budget| budget.upstream)
    }

    /// The terms of the buckets of single tools; a [`Price`] names them by number.
    #[must_use]
    pub fn tool_budgets(&self) -> &[Terms] {
        self.config.budgets.all()
    }

    /// Judges one attempt; `gateway` answers what the policy asks. Says also
    /// what that comes to within the retry budget. None if what was called is
    /// never retried and so not judged.
    #[inline]
    pub fn handle(
        &mut self,
        invocation: Invocation,
        outcome: Outcome,
        gateway: &(impl Content + Context),
    ) -> Option<(Verdict, Price)> {
        let Config { policies, trusted, retry_resources, .. } = &mut self.config;
        let policy = match invocation.kind {
            Kind::Tool => {
                let asked = policies.by_upstream() && invocation.known.upstream;
                let upstream = if asked { gateway.upstream() } else { None };
                policies.of(&invocation.target, upstream.as_deref())
            }
            Kind::Resource if *retry_resources => policies.base(),
            Kind::Resource => return None,
        };
        let rules = Rules { policy, trusted };
        let answered = outcome.is_answer();
        let detection = detect(outcome, gateway, invocation.known, rules.policy);
        let (state, rng) = (&mut self.state, &mut self.rng);
        let verdict = decide(invocation, answered, detection, &rules, state, rng, gateway);
        self.decisions.count(&verdict);
        let cost = policy.budget.map_or(0, |budget| verdict.cost(&budget));
        Some((verdict, Price { number: policy.budget_number, cost }))
    }

    /// The most retries that a call gets.
    pub fn retries(&mut self, kind: Kind, target: &str, gateway: &impl Context) -> MostRetries {
        let Config { policies, trusted, retry_resources, .. } = &mut self.config;
        let policy = match kind {
            Kind::Tool => {
                let upstream = if policies.by_upstream() { gateway.upstream() } else { None };
                policies.of(target, upstream.as_deref())
            }
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
        add(&mut metrics, "calls.", "tracked", u64::from(self.state.len()));
        add(&mut metrics, "calls.", "capacity", u64::from(self.state.capacity()));
        add(&mut metrics, "calls.", "expired", evicted.expired);
        add(&mut metrics, "calls.", "displaced", evicted.displaced);
        metrics
    }
}
