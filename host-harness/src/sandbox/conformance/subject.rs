//! Instances to try things on.

use std::sync::Arc;

use crate::{
    contract::{Configured, HookError, Invocation, Issue, Known, Outcome, Verdict},
    gateway::{Background, Content, Hook},
    sandbox::{
        Component, Options, boundary,
        boundary::Judged,
        instance::{Instance, breakage},
    },
};

/// What is tried, and within which bounds.
pub(super) struct Subject<'a> {
    pub(super) component: &'a Component,
    pub(super) options: &'a Options,
}

impl Subject<'_> {
    /// An instance that nobody has configured.
    pub(super) fn fresh(&self) -> Result<Trial, String> {
        self.component.needs.check(&self.options.limits).map_err(|error| error.to_string())?;
        let instance = Instance::new(self.component, self.options, 0)
            .map_err(|breakage| format!("it does not start: {breakage}"))?;
        Ok(Trial { instance, options: self.options.clone(), budgets: 0 })
    }

    /// An instance under the configuration of the options.
    pub(super) fn configured(&self) -> Result<Trial, String> {
        self.configured_for(self.options.max_tool_retries)
    }

    /// The same under another ceiling on retries.
    pub(super) fn configured_for(&self, max_tool_retries: u32) -> Result<Trial, String> {
        let mut trial = self.fresh()?;
        trial.options.max_tool_retries = max_tool_retries;
        match trial.configure(&self.options.config.clone())? {
            Ok(_) => Ok(trial),
            Err(issues) => {
                let issue =
                    |Issue { path, message }: &Issue| format!("it refuses {path}: {message}");
                Err(issues.iter().map(issue).collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// One instance. After an error it must not be used any more.
pub(super) struct Trial {
    instance: Box<Instance>,
    pub(super) options: Options,
    /// How many terms of retry budgets it has named.
    budgets: usize,
}

/// One attempt to be judged.
#[derive(Clone)]
pub(super) struct Asked<'a> {
    pub(super) hook: Hook,
    pub(super) target: &'a str,
    pub(super) request_id: &'a str,
    pub(super) attempt: u32,
    pub(super) now_ms: u64,
    pub(super) outcome: Outcome,
    pub(super) traced: bool,
    pub(super) content: Option<Arc<dyn Content>>,
}

impl Asked<'_> {
    /// The first attempt of a call that had this outcome.
    pub(super) const fn first(hook: Hook, outcome: Outcome) -> Self {
        Self {
            hook,
            target: "search",
            request_id: "1",
            attempt: 1,
            now_ms: 0,
            outcome,
            traced: false,
            content: None,
        }
    }
}

impl Trial {
    /// Any question; the error says how the guest broke.
    pub(super) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, String> {
        let limits = &self.options.limits;
        self.instance.begin(limits.lifecycle_result_bytes);
        question(&mut self.instance)
            .map_err(|error| format!("it broke: {}", breakage(&error, limits.call_time)))
    }

    /// Offers a configuration; the inner result is the guest's own.
    pub(super) fn configure(
        &mut self,
        config: &str,
    ) -> Result<Result<Configured, Vec<Issue>>, String> {
        let options = Options { config: config.to_owned(), ..self.options.clone() };
        let answer = self.ask(|instance| instance.call_configure(&options))?;
        if let Ok(configured) = &answer {
            self.budgets = configured.tool_budgets.len();
        }
        match answer {
            Err(issues) if issues.is_empty() => {
                Err("it refuses a configuration without saying why".to_owned())
            }
            answer => Ok(answer.map_err(boundary::issues)),
        }
    }

    /// Has an attempt judged, and checks the verdict as the gateway does.
    pub(super) fn judge(&mut self, asked: Asked<'_>) -> Result<Result<Verdict, HookError>, String> {
        let Asked { hook, target, request_id, attempt, now_ms, outcome, traced, content } = asked;
        let background = Background { content, ..Background::none() };
        let known = background.known(traced);
        let invocation =
            Invocation { target, request_id, attempt, now_ms, time_left_ms: None, known };
        let (answer, read_content) =
            self.ask(|instance| instance.handle(hook, invocation, &outcome, background))?;
        let Ok(verdict) = answer else { return Ok(answer) };
        let judged = Judged {
            outcome: &outcome,
            attempt,
            with_metadata: known.contains(Known::TRACE) && hook == Hook::ToolPostInvoke,
            read_content,
            max_retries: self.options.max_tool_retries,
            budgets: self.budgets,
        };
        match boundary::verdict(&verdict, &judged, &self.options.limits) {
            Ok(()) => Ok(Ok(verdict)),
            Err(violation) => Err(format!("{outcome:?}, attempt {attempt}: {violation}")),
        }
    }
}
