//! One scenario under one policy.

use std::{num::NonZeroUsize, rc::Rc, sync::Arc, time::Duration};

use super::{
    calls::Calls,
    chance::{Chance, Stream, seconds},
    executor::{Executor, Spawner},
    meter::{Counted, Meter, Watched},
    policy::Modelled,
    results::windows,
    scenario::{Arrivals, Decider, Policy, Scenario},
    server::{Attempted, Server},
    time::VirtualClock,
};
use crate::{
    gateway::{
        Attempt, BudgetStore, Clock, Gateway, InProcessBudgets, Limits, LogicalCall, Observer,
        RetryHook, Step,
    },
    sandbox::{Component, Entropy, Options, Plugin, StartError},
};

/// The slices that a run is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// How long each is.
    pub width: Duration,
    /// How many there are.
    pub count: usize,
}

impl Slices {
    /// About a hundred, of a round length.
    #[must_use]
    pub fn of(duration: Duration) -> Self {
        const MOST: u128 = 120;
        let least = duration.as_millis().div_ceil(MOST).max(1);
        let round = |power: u32| [1, 2, 5].map(|digit| digit * 10_u128.pow(power));
        let width = (0..).flat_map(round).find(|width| *width >= least).unwrap_or(least);
        let count = duration.as_millis().div_ceil(width);
        let width = Duration::from_millis(u64::try_from(width).unwrap_or(u64::MAX));
        Self { width, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }
}

/// Who decides, at one gateway.
enum Hook {
    Component(Arc<Plugin>),
    Model(Arc<Modelled>),
}

impl Hook {
    fn start(
        component: &Component,
        policy: &Policy,
        scenario: &Scenario,
        seed: u64,
    ) -> Result<Self, StartError> {
        match &policy.decider {
            Decider::Model(published) => Ok(Self::Model(Arc::new(Modelled::new(*published, seed)))),
            Decider::Component(config) => {
                let mut options = Options {
                    config: config.to_string(),
                    max_tool_retries: limits(scenario).max_tool_retries,
                    shards: NonZeroUsize::MIN,
                    entropy: Entropy::Seeded(seed),
                    ..Options::default()
                };
                // The one clock that is not ours: a busy machine must not change a result.
                options.limits.call_time = Duration::from_secs(600);
                Ok(Self::Component(Arc::new(Plugin::start(component, options)?)))
            }
        }
    }

    fn hook(&self) -> Arc<dyn RetryHook> {
        match self {
            Self::Component(plugin) => plugin.clone(),
            Self::Model(model) => model.clone(),
        }
    }

    /// What is left in its emptiest bucket; none if it has none, or if the
    /// gateway's are all full.
    fn tokens(&self, budgets: &InProcessBudgets) -> Option<f64> {
        match self {
            Self::Model(model) => model.left(),
            Self::Component(_) => budgets.levels().emptiest.map(|left| left as f64 / 1_000.0),
        }
    }
}

/// Counts for the scenario, and tells a model what it counts itself.
struct Watch {
    meter: Arc<Meter>,
    model: Option<Arc<Modelled>>,
    clock: VirtualClock,
}

impl Observer for Watch {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        self.meter.observe(call, step);
        if let Some(model) = &self.model {
            model.observe(call, step, self.clock.now());
        }
    }
}

fn limits(scenario: &Scenario) -> Limits {
    let told = scenario.gateway;
    let millis = |millis: super::scenario::SomeMillis| Duration::from_millis(millis.0);
    let mut limits = Limits {
        attempt_timeout: told.attempt_timeout_ms.map(millis),
        deadline: told.deadline_ms.map(millis),
        ..Limits::default()
    };
    if let Some(most) = told.max_tool_retries {
        limits.max_tool_retries = u32::try_from(most.0).unwrap_or(u32::MAX);
    }
    limits
}

/// What the scenario's figures need.
fn watched(scenario: &Scenario) -> Watched {
    let kinds = scenario.tools.iter().enumerate();
    let named = kinds.flat_map(|(kind, tool)| tool.names().into_iter().map(move |it| (it, kind)));
    Watched {
        spans: windows(scenario).into_iter().map(|(_, from, to)| (from, to)).collect(),
        kinds: named.collect(),
        kind_count: scenario.tools.len(),
        seconds: match scenario.column.over_at_s {
            Some(_) => usize::try_from(scenario.duration_s.0).unwrap_or(usize::MAX),
            None => 0,
        },
    }
}

/// Plays a scenario under one policy, once. `progress` is told the simulated time now and then.
///
/// # Errors
/// The component refuses the policy's configuration, or breaks.
pub fn play(
    component: &Component,
    scenario: &Scenario,
    policy: &Policy,
    seed: u64,
    progress: impl Fn(Duration) + 'static,
) -> Result<Counted, StartError> {
    let slices = Slices::of(scenario.duration());
    let mut executor = Executor::default();
    let (clock, spawner) = (executor.clock(), executor.spawner());
    let watched = watched(scenario);
    let meter = Arc::new(Meter::watching(clock.clone(), slices.width, slices.count, watched));
    let mut hooks = Vec::new();
    for gateway in 0..scenario.gateways.0 {
        // Gateways that drew the same delays would come back together.
        hooks.push(Hook::start(component, policy, scenario, seed.wrapping_add(gateway))?);
    }
    let budgets: Vec<_> = hooks.iter().map(|_| Arc::new(InProcessBudgets::default())).collect();
    let gateway = |(hook, budgets): (&Hook, &Arc<InProcessBudgets>)| {
        Rc::new(Gateway {
            hook: Some(hook.hook()),
            limits: limits(scenario),
            clock: Arc::new(clock.clone()),
            budgets: budgets.clone(),
            observer: Arc::new(Watch {
                meter: meter.clone(),
                model: match hook {
                    Hook::Model(model) => Some(model.clone()),
                    Hook::Component(_) => None,
                },
                clock: clock.clone(),
            }),
        })
    };
    let gateways: Vec<_> = hooks.iter().zip(&budgets).map(gateway).collect();
    let scenario = Rc::new(scenario.clone());
    let server = Server::new(scenario.clone(), clock.clone(), spawner.clone(), seed);
    let calls = Calls::new(scenario.clone(), meter.clone(), seed);

    let sampled = meter.clone();
    let sampling = sample(clock.clone(), slices, move |now| {
        // Of several gateways the mean: one whose bucket is empty tells little.
        let left: Vec<_> =
            hooks.iter().zip(&budgets).filter_map(|(hook, budgets)| hook.tokens(budgets)).collect();
        let mean = left.iter().sum::<f64>() / left.len() as f64;
        sampled.sample((!left.is_empty()).then_some(mean));
        progress(now);
    });
    spawner.spawn(sampling);
    let arrivals = Chance::new(seed, Stream::Arrivals);
    spawner.spawn(arrive(scenario, clock, spawner.clone(), gateways, server, calls, arrivals));
    executor.run();
    Ok(meter.finish())
}

/// Looks in the middle of every slice.
async fn sample(clock: VirtualClock, slices: Slices, look: impl Fn(Duration)) {
    clock.sleep(slices.width / 2).await;
    for _ in 0..slices.count {
        look(clock.now());
        clock.sleep(slices.width).await;
    }
}

/// Lets calls arrive, in turn at each gateway.
async fn arrive(
    scenario: Rc<Scenario>,
    clock: VirtualClock,
    spawner: Spawner,
    gateways: Vec<Rc<Gateway>>,
    server: Rc<Server>,
    mut calls: Calls,
    mut chance: Chance,
) {
    for gateway in gateways.iter().cycle() {
        if !next_arrival(&scenario, &clock, &mut chance).await {
            return;
        }
        let (gateway, server) = (gateway.clone(), server.clone());
        let (call, kind, fault) = calls.next();
        spawner.spawn(async move {
            let attempt = |attempt: Attempt| {
                server.clone().attempt(Attempted { kind, number: attempt.number(), fault })
            };
            gateway.run(&call, attempt).await;
        });
    }
}

/// Waits for the next call; false when no more arrive.
async fn next_arrival(scenario: &Scenario, clock: &VirtualClock, chance: &mut Chance) -> bool {
    loop {
        let now = clock.now();
        let per_second = scenario.load_at(now);
        let change = scenario.next_load(now).map(|at| at.saturating_sub(now));
        let gap = match scenario.arrivals {
            _ if per_second == 0.0 => Duration::MAX,
            Arrivals::Constant => seconds(1.0 / per_second),
            Arrivals::Poisson => chance.gap(per_second),
        };
        match change {
            // A Poisson process has no memory: it starts anew with the new rate.
            Some(change) if change <= gap => clock.sleep(change).await,
            None if gap == Duration::MAX => return false,
            _ => {
                clock.sleep(gap).await;
                return clock.now() < scenario.duration();
            }
        }
    }
}
