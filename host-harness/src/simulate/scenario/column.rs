//! What a scenario shows in the table over all of them.

use serde::Deserialize;

use super::Second;

/// A scenario's column.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Names of the windows whose figures are shown; all that are trouble if not given.
    #[serde(default)]
    pub windows: Vec<String>,
    /// Only calls of this tool, or kind of tools.
    pub tool: Option<String>,
    /// The first figure; default `success`.
    #[serde(default)]
    pub measure: Measure,
    /// When what is wrong is over, in seconds: time to recover counts from then.
    pub over_at_s: Option<Second>,
}

/// What the first figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The part of the calls that succeeded in the end.
    #[default]
    Success,
    /// Of the calls that failed at first, the part that got a retry; without
    /// those that can never succeed.
    Retried,
    /// Of the calls that failed at first, the part that succeeded in the end;
    /// without those that can never succeed.
    Saved,
}
