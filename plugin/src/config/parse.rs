//! From JSON text to a [`Config`], or to everything that is wrong with it.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec, vec::Vec};

use serde_json::{Map, Value};

use super::{
    Config, Issue, Policy, Retries, StatusSet, TextCheck, defaults,
    issue::{entry, shown},
    object::Object,
};
use crate::{
    Millis,
    delay::{Backoff, Jitter},
};

const POLICY_KEYS: [&str; 6] = [
    "max_retries",
    "backoff_base_ms",
    "max_backoff_ms",
    "retry_on_status",
    "jitter",
    "check_text_content",
];
const ROOT_KEYS: [&str; 8] = [
    "max_retries",
    "backoff_base_ms",
    "max_backoff_ms",
    "retry_on_status",
    "jitter",
    "check_text_content",
    "tool_overrides",
    "max_tracked_calls",
];

/// A configuration that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What it says.
    pub config: Config,
    /// What was adjusted: values above the gateway's ceiling.
    pub notices: Vec<Issue>,
}

/// Reads a configuration: a JSON object, or `null` for the defaults. Every
/// `max_retries`, written or not, is clamped to `ceiling`.
///
/// # Errors
/// Every problem of the text at once; never an empty list.
pub fn parse(text: &str, ceiling: Retries) -> Result<Accepted, Vec<Issue>> {
    let root = |message: String| vec![Issue { path: String::new(), message }];
    let members = match serde_json::from_str(text) {
        Ok(Value::Object(members)) => members,
        Ok(Value::Null) => Map::new(),
        Ok(other) => {
            let other = shown(&other);
            return Err(root(format!("a configuration must be an object or null, not {other}")));
        }
        Err(error) => return Err(root(format!("not JSON: {error}"))),
    };

    let mut issues = Vec::new();
    let mut notices = Vec::new();
    let object = Object::open("", &members, &ROOT_KEYS, &mut issues);
    let fields = Fields::read(&object, &mut issues);
    let sound_base = issues.is_empty();
    let base = fields.clone().complete(&object, sound_base, ceiling, &mut issues, &mut notices);
    let max_tracked_calls = object
        .integer("max_tracked_calls", &(1..=100_000), &mut issues)
        .and_then(|calls| u32::try_from(calls).ok())
        .unwrap_or(defaults::MAX_TRACKED_CALLS);
    let overrides =
        read_overrides(&object, &fields, sound_base, ceiling, &mut issues, &mut notices);

    if issues.is_empty() {
        Ok(Accepted { config: Config { base, overrides, max_tracked_calls }, notices })
    } else {
        Err(issues)
    }
}

fn read_overrides(
    root: &Object<'_>,
    base: &Fields,
    sound_base: bool,
    ceiling: Retries,
    issues: &mut Vec<Issue>,
    notices: &mut Vec<Issue>,
) -> BTreeMap<String, Policy> {
    const KEY: &str = "tool_overrides";
    let mut overrides = BTreeMap::new();
    let tools = match root.get(KEY) {
        None => return overrides,
        Some(Value::Object(tools)) => tools,
        Some(other) => {
            let message = format!("must be an object of tool names, not {}", shown(other));
            issues.push(Issue { path: root.path_of(KEY), message });
            return overrides;
        }
    };
    for (tool, value) in tools {
        let path = entry(KEY, tool);
        let Value::Object(members) = value else {
            let message = format!("must be an object of policy keys, not {}", shown(value));
            issues.push(Issue { path, message });
            continue;
        };
        let before = issues.len();
        let object = Object::open(&path, members, &POLICY_KEYS, issues);
        let fields = Fields::read(&object, issues);
        let sound = sound_base && issues.len() == before;
        let policy = fields.over(base).complete(&object, sound, ceiling, issues, notices);
        overrides.insert(tool.to_owned(), policy);
    }
    overrides
}

/// What one object says about a policy; none = it is silent.
#[derive(Clone)]
struct Fields {
    max_retries: Option<u64>,
    base: Option<u64>,
    cap: Option<u64>,
    retry_on_status: Option<Vec<i32>>,
    jitter: Option<bool>,
    check_text_content: Option<bool>,
}

impl Fields {
    fn read(object: &Object<'_>, issues: &mut Vec<Issue>) -> Self {
        let milliseconds = 1..=Millis::HOUR.0;
        Self {
            max_retries: object.integer("max_retries", &(0..=10), issues),
            base: object.integer("backoff_base_ms", &milliseconds, issues),
            cap: object.integer("max_backoff_ms", &milliseconds, issues),
            retry_on_status: object.statuses("retry_on_status", issues),
            jitter: object.boolean("jitter", issues),
            check_text_content: object.boolean("check_text_content", issues),
        }
    }

    /// These fields, and those of `base` where these are silent.
    fn over(self, base: &Self) -> Self {
        Self {
            max_retries: self.max_retries.or(base.max_retries),
            base: self.base.or(base.base),
            cap: self.cap.or(base.cap),
            retry_on_status: self.retry_on_status.or_else(|| base.retry_on_status.clone()),
            jitter: self.jitter.or(base.jitter),
            check_text_content: self.check_text_content.or(base.check_text_content),
        }
    }

    /// The policy that these fields and the defaults make. `sound` is false if
    /// a problem with the fields is known already: then the two bounds of the
    /// backoff are not held against each other, for that would be noise.
    fn complete(
        self,
        object: &Object<'_>,
        sound: bool,
        ceiling: Retries,
        issues: &mut Vec<Issue>,
        notices: &mut Vec<Issue>,
    ) -> Policy {
        let base = self.base.map_or(Backoff::DEFAULT.base(), Millis);
        let cap = self.cap.map_or(Backoff::DEFAULT.cap(), Millis);
        let jitter = match self.jitter {
            None => Backoff::DEFAULT.jitter(),
            Some(true) => Jitter::Full,
            Some(false) => Jitter::None,
        };
        let backoff = Backoff::new(base, cap, jitter).unwrap_or_else(|| {
            if sound {
                issues.push(base_above_cap(object, base, cap));
            }
            Backoff::DEFAULT
        });
        Policy {
            max_retries: clamp(self.max_retries, object, ceiling, notices),
            backoff,
            retry_on_status: StatusSet::new(
                self.retry_on_status.unwrap_or_else(|| defaults::RETRY_ON_STATUS.to_vec()),
            ),
            text_check: match self.check_text_content {
                None => defaults::TEXT_CHECK,
                Some(true) => TextCheck::On,
                Some(false) => TextCheck::Off,
            },
        }
    }
}

/// Named at the key that this object wrote, for that is the one to change.
fn base_above_cap(object: &Object<'_>, base: Millis, cap: Millis) -> Issue {
    if object.get("max_backoff_ms").is_some() {
        let message = format!("must be at least backoff_base_ms, which is {base}, not {cap}");
        Issue { path: object.path_of("max_backoff_ms"), message }
    } else {
        let message = format!("must be at most max_backoff_ms, which is {cap}, not {base}");
        Issue { path: object.path_of("backoff_base_ms"), message }
    }
}

fn clamp(
    wanted: Option<u64>,
    object: &Object<'_>,
    ceiling: Retries,
    notices: &mut Vec<Issue>,
) -> Retries {
    let wanted = wanted.and_then(|retries| u32::try_from(retries).ok());
    let wanted = wanted.unwrap_or(defaults::MAX_RETRIES);
    // An override that is silent here inherits what was said of the base already.
    let said_here = object.path.is_empty() || object.get("max_retries").is_some();
    if wanted > ceiling.0 && said_here {
        let ceiling = ceiling.0;
        let message =
            format!("{wanted} is above the gateway's ceiling {ceiling}; {ceiling} is used");
        notices.push(Issue { path: object.path_of("max_retries"), message });
    }
    Retries(wanted).min(ceiling)
}
