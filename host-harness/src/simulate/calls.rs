//! Which tool is called next, and what is wrong with the call.

use std::{rc::Rc, sync::Arc};

use super::{
    chance::{Chance, Stream},
    meter::Meter,
    scenario::{CallFault, Scenario},
};
use crate::gateway::{CallContext, LogicalCall};

/// The calls of a run, one after the other.
pub struct Calls {
    scenario: Rc<Scenario>,
    meter: Arc<Meter>,
    /// With the sum of the weights up to and with each.
    tools: Vec<(f64, Tool)>,
    which: Chance,
    faults: Chance,
    made: u64,
}

struct Tool {
    name: String,
    /// An index into those of the scenario.
    kind: usize,
    context: Arc<CallContext>,
}

impl Calls {
    /// Those of a scenario.
    #[must_use]
    pub fn new(scenario: Rc<Scenario>, meter: Arc<Meter>, seed: u64) -> Self {
        let mut tools = Vec::new();
        let mut sum = 0.0;
        for (kind, tool) in scenario.tools.iter().enumerate() {
            let upstream = tool.upstream.clone();
            let context = Arc::new(CallContext { upstream, ..CallContext::default() });
            for name in tool.names() {
                sum += tool.weight.0;
                tools.push((sum, Tool { name, kind, context: context.clone() }));
            }
        }
        let which = Chance::new(seed, Stream::Tools);
        let faults = Chance::new(seed, Stream::Faults);
        Self { scenario, meter, tools, which, faults, made: 0 }
    }

    /// The next call, the kind of its tool, and what is wrong with it.
    pub fn next(&mut self) -> (LogicalCall, usize, Option<CallFault>) {
        self.made += 1;
        let all = self.tools.last().map_or(0.0, |(sum, _)| *sum);
        let drawn = self.which.share() * all;
        let place = self.tools.partition_point(|(sum, _)| *sum <= drawn);
        let (_, tool) = &self.tools[place.min(self.tools.len() - 1)];
        let mut call = LogicalCall::new(tool.name.as_str(), self.made.to_string());
        call.context = tool.context.clone();

        let kind = tool.kind;
        let own = self.scenario.tools[kind].call_faults.as_ref();
        let luck = self.faults.share();
        let fault = struck(own.unwrap_or(&self.scenario.call_faults), luck);
        if fault.is_some_and(|fault| fault.attempts.is_none()) {
            self.meter.hopeless(&call.request_id);
        }
        (call, kind, fault)
    }
}

/// The fault that a number from 0 to 1 falls upon.
fn struck(faults: &[CallFault], luck: f64) -> Option<CallFault> {
    let mut sum = 0.0;
    faults.iter().copied().find(|fault| {
        sum += fault.share.0;
        luck < sum
    })
}
