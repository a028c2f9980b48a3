//! From text to a scenario, or one complaint that names the place.

use super::{CallFault, FailureKind, Failures, Scenario, Second};

/// Calls that one run may make for each policy.
const MOST_CALLS: f64 = 5_000_000.0;

/// A scenario that cannot be played, and where the problem is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ScenarioError {
    /// The file, and as far as known the line, the column and the key.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl Scenario {
    /// Reads a scenario. `name` stands for it in errors.
    ///
    /// # Errors
    /// It is no YAML, or not of this form, or contradicts itself.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let mut path = None;
        let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |de| {
            serde_path_to_error::deserialize::<_, Self>(de).map_err(|error| {
                path = Some(error.path().to_string()).filter(|path| path != ".");
                error.into_inner()
            })
        });
        let scenario = read.map_err(|error| {
            let place = match error.location() {
                Some(at) => format!("{name}:{}:{}", at.line(), at.column()),
                None => name.to_owned(),
            };
            let problem = error.without_snippet().to_string();
            // It ends with the place again.
            let problem = problem.rsplit_once(" at line ").map_or(&*problem, |(text, _)| text);
            let problem = match path {
                Some(path) => format!("{path}: {problem}"),
                None => problem.to_owned(),
            };
            ScenarioError { place, problem }
        })?;
        scenario.check().map_err(|(key, problem)| ScenarioError {
            place: format!("{name}{}", line_of(text, key)),
            problem: format!("{key}: {problem}"),
        })?;
        Ok(scenario)
    }

    /// What no key can say alone.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let end = self.duration_s.0;
        if self.load.first().is_none_or(|load| load.from_s.0 != 0) {
            return Err(("load", "must begin with an entry of `from_s: 0`".to_owned()));
        }
        ascending("load", self.load.iter().map(|entry| entry.from_s))?;
        let (failures, faults) = self.all_faults();
        for failures in failures {
            ascending("failures", failures.iter().map(|entry| entry.from_s))?;
        }
        for faults in &faults {
            let all: f64 = faults.iter().map(|fault| fault.share.0).sum();
            if all > 1.0 {
                return Err(("call_faults", format!("the shares are {all} together, above 1")));
            }
        }
        ascending("slowdowns", self.server.slowdowns.iter().map(|entry| entry.from_s))?;
        let (failures, faults) = self.all_faults();
        let mut kinds = (failures.into_iter().flatten().map(|entry| entry.kind))
            .chain(faults.into_iter().flatten().map(|fault| fault.kind));
        let hangs = kinds.any(|kind| kind == FailureKind::Hang);
        let limits = self.gateway;
        if hangs && limits.attempt_timeout_ms.is_none() && limits.deadline_ms.is_none() {
            let problem = "`as: hang` needs `gateway.attempt_timeout_ms` or `deadline_ms`";
            return Err(("failures", problem.to_owned()));
        }
        for window in &self.windows {
            if window.from_s.0 >= window.to_s.0 || window.to_s.0 > end {
                let problem = format!("`{}` must begin before it ends, by {end} s", window.name);
                return Err(("windows", problem));
            }
        }
        for stall in &self.server.stalls {
            if stall.from_s.0 >= stall.to_s.0 {
                return Err(("stalls", "each must begin before it ends".to_owned()));
            }
        }
        ascending(
            "stalls",
            self.server.stalls.iter().flat_map(|stall| [stall.from_s, stall.to_s]),
        )?;
        self.check_tools()?;
        self.check_column()?;
        if self.policies.is_empty() {
            return Err(("policies", "must name at least one".to_owned()));
        }
        for (index, policy) in self.policies.iter().enumerate() {
            if self.policies[..index].iter().any(|other| other.name == policy.name) {
                return Err(("policies", format!("there are two of the name `{}`", policy.name)));
            }
        }
        let calls = self.expected_calls() * self.seeds.0 as f64;
        if calls > MOST_CALLS {
            let problem = format!("about {calls:.0} calls would arrive; the most is {MOST_CALLS}");
            return Err(("load", problem));
        }
        Ok(())
    }

    /// Those of the scenario, and those of its tools.
    fn all_faults(&self) -> (Vec<&Vec<Failures>>, Vec<&Vec<CallFault>>) {
        let tools = self.tools.iter();
        let failures = tools.clone().filter_map(|tool| tool.failures.as_ref());
        let faults = tools.filter_map(|tool| tool.call_faults.as_ref());
        (failures.chain([&self.failures]).collect(), faults.chain([&self.call_faults]).collect())
    }

    fn check_tools(&self) -> Result<(), (&'static str, String)> {
        let mut names: Vec<_> = self.tools.iter().flat_map(super::Tool::names).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(("tools", format!("there are two of the name `{}`", twice[0])));
        }
        if self.tools.iter().all(|tool| tool.weight.0 == 0.0) {
            return Err(("tools", "one of them must have a `weight` above 0".to_owned()));
        }
        Ok(())
    }

    fn check_column(&self) -> Result<(), (&'static str, String)> {
        let column = &self.column;
        let known = |name: &&String| self.windows.iter().any(|window| window.name == **name);
        if let Some(unknown) = column.windows.iter().find(|name| !known(name)) {
            return Err(("column", format!("there is no window of the name `{unknown}`")));
        }
        if let Some(tool) = &column.tool
            && self.tools.iter().all(|other| other.name != *tool)
        {
            return Err(("column", format!("there is no tool of the name `{tool}`")));
        }
        match column.over_at_s {
            Some(over) if over.0 >= self.duration_s.0 => {
                Err(("column", format!("`over_at_s` must be before {} s", self.duration_s.0)))
            }
            _ => Ok(()),
        }
    }
}

fn ascending(
    key: &'static str,
    starts: impl Iterator<Item = Second>,
) -> Result<(), (&'static str, String)> {
    let starts: Vec<_> = starts.map(|start| start.0).collect();
    match starts.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => {
            Err((key, format!("`from_s: {}` must be later than the entry before it", pair[1])))
        }
        None => Ok(()),
    }
}

/// `:line` of a key, wherever it stands; nothing if it is not written out.
fn line_of(text: &str, key: &str) -> String {
    let wanted = format!("{key}:");
    let line = text.lines().position(|line| line.trim_start().starts_with(&wanted));
    line.map_or(String::new(), |line| format!(":{}", line + 1))
}
