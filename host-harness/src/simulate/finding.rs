//! What a scenario comes to: a few figures for each policy, and one sentence.

use serde::Serialize;

use super::{Measure, PolicyResults, Recovery, Results, Scenario, WindowResults, scenario::Column};

/// What the table over all scenarios shows of a scenario under a policy.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Of each window of the scenario's [`Column`], in its order.
    pub windows: Vec<Figures>,
    /// Time to recover; none if the scenario does not ask.
    pub recovery: Option<Recovery>,
}

/// Three figures of a window.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The window.
    pub window: String,
    /// What the scenario's column measures, from 0 to 1; of its tool alone, if it names one.
    pub measured: f64,
    /// The part of the calls that succeeded in the end, of the same tool.
    pub success: f64,
    /// Attempts for each call, of all tools.
    pub load: f64,
}

impl Finding {
    /// That of a scenario under a policy.
    #[must_use]
    pub fn of(scenario: &Scenario, policy: &PolicyResults) -> Self {
        let column = &scenario.column;
        let figures = |window: &WindowResults| {
            let of = counted(column, window);
            let measured = match column.measure {
                Measure::Success => of.success,
                Measure::Retried => of.retried,
                Measure::Saved => of.saved,
            };
            let name = window.name.clone();
            Figures { window: name, measured, success: of.success, load: window.amplification }
        };
        let windows = shown(scenario, policy).into_iter().map(figures).collect();
        Self { windows, recovery: policy.recovery }
    }
}

/// The windows that a scenario's column shows.
fn shown<'a>(scenario: &Scenario, policy: &'a PolicyResults) -> Vec<&'a WindowResults> {
    let named = &scenario.column.windows;
    let trouble =
        |name: &str| scenario.windows.iter().any(|window| window.trouble && window.name == name);
    let any = scenario.windows.iter().any(|window| window.trouble);
    let chosen = |window: &&WindowResults| match named.is_empty() {
        true => !any || trouble(&window.name),
        false => named.contains(&window.name),
    };
    policy.windows.iter().filter(chosen).collect()
}

/// The figures of the column's tool, or of all.
fn counted<'a>(column: &Column, window: &'a WindowResults) -> &'a WindowResults {
    let tool = column.tool.as_ref();
    tool.and_then(|tool| window.tools.iter().find(|of| of.name == *tool)).unwrap_or(window)
}

/// What the scenario comes to under the policy that ships, in a sentence: under
/// `default` or `safe`, or else under the last of its policies. None if it has none.
#[must_use]
pub fn sentence(scenario: &Scenario, results: &Results) -> Option<String> {
    let named = |name| results.policies.iter().find(|policy| policy.name == name);
    let policy = named("default").or_else(|| named("safe")).or(results.policies.last())?;
    let who = match &*policy.name {
        "default" => "The default".to_owned(),
        name => format!("`{name}`"),
    };
    let windows: Vec<_> = shown(scenario, policy);
    let counted = |policy| -> Vec<_> {
        shown(scenario, policy).into_iter().map(|it| counted(&scenario.column, it)).collect()
    };
    let own = counted(policy);
    let percent = |part: fn(&WindowResults) -> f64, of: &[&WindowResults]| {
        listed(of.iter().map(|window| format!("{:.1}", 100.0 * part(window))))
    };
    let failing: Vec<_> = own.iter().copied().filter(|window| window.failed_first > 0).collect();
    let mut text = if failing.is_empty() {
        format!("No call failed at first under `{}`", policy.name)
    } else {
        let calls = match &scenario.column.tool {
            Some(tool) => format!("the calls to `{tool}`"),
            None => "the calls".to_owned(),
        };
        let saved = percent(|it| it.saved, &failing);
        format!("{who} saved {saved} % of {calls} that failed at first")
    };
    let named_each = |which: &dyn Fn(&WindowResults) -> bool| {
        let names = windows.iter().zip(&own).filter(|(_, own)| which(own));
        format!(" ({})", listed(names.map(|(window, _)| window.name.clone())))
    };
    if windows.len() > 1 && !failing.is_empty() {
        text += &named_each(&|window| window.failed_first > 0);
    }
    let load = listed(windows.iter().map(|window| format!("{:.2}", window.amplification)));
    text += &format!(", at {load} times the load");
    if failing.len() < windows.len() && windows.len() > 1 {
        text += &named_each(&|_| true);
    }
    if let Some(none) = named("none").filter(|none| none.name != policy.name) {
        text += &format!(
            "; {} % succeeded in the end, and {} % without retries",
            percent(|it| it.success, &own),
            percent(|it| it.success, &counted(none))
        );
    }
    match policy.recovery {
        Some(Recovery::Seconds { mean }) => {
            text += &format!("; all was well again {mean:.0} s after the trouble");
        }
        Some(Recovery::Never { within }) => {
            text += &format!("; all was not well again within {within} s after the trouble");
        }
        None => {}
    }
    text.push('.');
    Some(text)
}

/// "a, b and c".
fn listed(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} and {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_as_one_would_say_it() {
        let of = |parts: &[&str]| listed(parts.iter().map(|part| (*part).to_owned()));
        assert_eq!(of(&[]), "");
        assert_eq!(of(&["a"]), "a");
        assert_eq!(of(&["a", "b"]), "a and b");
        assert_eq!(of(&["a", "b", "c"]), "a, b and c");
    }
}
