//! A warm instance, and its replacement when it breaks.

mod budgets;
mod hooks;
mod lifecycle;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use super::{
    Component, Options, Violation,
    error::{Breakage, HookFailure, StartError},
    instance::{Instance, breakage},
    pace::{Average, Pace},
    strikes::Strikes,
    ticks,
};
use crate::contract::Configured;
use budgets::Budgets;

pub(super) struct Shard {
    component: Component,
    options: Arc<Options>,
    number: u64,
    instance: Option<Box<Instance>>,
    /// The terms of retry budgets, as the configuration in force has them.
    budgets: Budgets,
    strikes: Strikes,
    /// Of the plugin.
    pace: Arc<Pace>,
    /// Of the calls here.
    average: Average,
    /// How often the plugin failed, by the name of the failure.
    faults: BTreeMap<&'static str, u64>,
    /// The latest time that a call told.
    now: Duration,
}

impl Shard {
    /// A shard with a running instance, and what came of its configuration.
    pub(super) fn start(
        component: &Component,
        options: &Arc<Options>,
        pace: &Arc<Pace>,
        number: u64,
    ) -> Result<(Self, Configured), StartError> {
        let mut instance = Instance::new(component, options, number)?;
        let configured = instance.configure(options)?;
        let shard = Self {
            component: component.clone(),
            options: options.clone(),
            number,
            instance: Some(instance),
            budgets: Budgets::of(&configured),
            strikes: Strikes::none(options.replacement),
            pace: pace.clone(),
            average: Average::default(),
            faults: BTreeMap::new(),
            now: Duration::ZERO,
        };
        Ok((shard, configured))
    }

    /// `successor` is at work here from now on, with a clean record; the faults
    /// of the two are added up.
    pub(super) fn change_places(&mut self, successor: &mut Self) {
        successor.now = self.now;
        for (name, count) in std::mem::take(&mut self.faults) {
            let sum = successor.faults.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
        std::mem::swap(self, successor);
    }

    /// The size of the instance's linear memory; 0 without an instance.
    pub(super) fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, |instance| instance.store.data().resources.memory_bytes())
    }

    /// How often the plugin failed, by the name of the failure.
    pub(super) const fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }

    /// One call into the instance, which may return so many bytes. A store in
    /// which a call failed (or panicked) is never entered again: only a good
    /// answer brings the instance back to its place.
    fn call<T>(
        &mut self,
        result_bytes: usize,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Breakage> {
        let begun = ticks::now();
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        instance.begin(result_bytes);
        let answer = call(&mut instance);
        let took = ticks::now().saturating_sub(begun);
        match answer {
            Ok(answer) => {
                self.average.add(took, &self.pace);
                self.strikes.good();
                self.instance = Some(instance);
                if self.average.exceeds(self.options.limits.average_time) {
                    self.slow();
                }
                Ok(answer)
            }
            Err(error) => {
                self.pace.broke_after(took);
                drop(instance);
                Err(self.broke(breakage(&error, self.options.limits.call_time)))
            }
        }
    }

    /// An instance in place of one that broke.
    fn fresh(&mut self) -> Result<Box<Instance>, Breakage> {
        if let Err(breakage) = self.strikes.may_start(self.now) {
            self.count(breakage.name());
            return Err(breakage);
        }
        let configured = Instance::new(&self.component, &self.options, self.number)
            .map_err(StartError::Broke)
            .and_then(|mut instance| {
                let configured = instance.configure(&self.options)?;
                Ok((instance, Budgets::of(&configured)))
            });
        match configured {
            Ok((instance, budgets)) => {
                self.budgets = budgets;
                tracing::info!(shard = self.number, "a fresh instance of the plugin is at work");
                Ok(instance)
            }
            Err(StartError::Config(_)) => {
                let problem = "it refuses the configuration that it had accepted before";
                Err(self.broke(Breakage::NoInstance(problem.to_owned())))
            }
            Err(error) => Err(self.broke(Breakage::NoInstance(error.to_string()))),
        }
    }

    /// The instance is gone, or there never was one.
    fn broke(&mut self, breakage: Breakage) -> Breakage {
        self.count(breakage.name());
        if self.strikes.broke(self.now) {
            self.set_aside(&breakage);
        }
        breakage
    }

    /// It answers, and takes too long over it. The answer is as good as any.
    #[cold]
    fn slow(&mut self) {
        self.count("slow");
        if self.strikes.failed(self.now) {
            let most = self.options.limits.average_time;
            let told = format!("it takes more than {} ms on average", most.as_secs_f64() * 1e3);
            self.set_aside(&told);
        }
    }

    /// What the instance said, if it passed its check.
    fn checked<T>(&mut self, said: T, check: Result<(), Violation>) -> Result<T, HookFailure> {
        match check {
            Ok(()) => Ok(said),
            Err(violation) => Err(self.rejected(violation)),
        }
    }

    /// The instance lives, but what it said is not to be used.
    fn rejected(&mut self, violation: Violation) -> HookFailure {
        self.count(violation.name());
        if self.strikes.failed(self.now) {
            self.set_aside(&violation);
        }
        HookFailure::Rejected(violation)
    }

    /// Nobody asks the plugin here for a while. Loudly, for its calls are no longer judged.
    fn set_aside(&mut self, last: &dyn fmt::Display) {
        self.instance = None;
        self.count("set_aside");
        let policy = self.options.replacement;
        tracing::error!(
            shard = self.number,
            %last,
            "the plugin failed {} times within {} s and is set aside for {} s",
            policy.strikes.max(1),
            policy.window.as_secs_f64(),
            policy.cool_down.as_secs_f64(),
        );
    }

    fn count(&mut self, name: &'static str) {
        let count = self.faults.entry(name).or_default();
        *count = count.saturating_add(1);
    }
}
