//! From JSON text to a [`Config`], or to everything that is wrong with it.

use alloc::{format, string::String, vec, vec::Vec};

use super::{
    Config, Issue, Overrides, Policy, Retries, TrustedUpstreams, glob,
    issue::{entry, listed, member, shown},
    json::{Members, Value},
    keys::{PolicyKeys, RootKeys},
    setting::{apply_group, apply_members, names, refuse, refuse_unknown},
};
use crate::budget::{Budget, Listed};

/// The key of the policies of tools.
pub(super) const OVERRIDES: &str = "tool_overrides";

/// A configuration that is in order.
#[derive(Debug)]
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
/// The problems of the text, the first of them one by one and then the number
/// of the rest; never an empty list.
pub fn parse(text: &str, ceiling: Retries) -> Result<Accepted, Vec<Issue>> {
    let root = |message: String| vec![Issue { path: String::new(), message }];
    let members = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => members,
        Ok(Value::Null) => Members::default(),
        Ok(other) => {
            let other = shown(&other);
            return Err(root(format!("a configuration must be an object or null, not {other}")));
        }
        Err(error) => return Err(root(format!("not JSON: {error}"))),
    };

    let mut reader = Reader { ceiling, issues: Vec::new(), notices: Vec::new() };
    // Twice, for the other keys have their defaults from the profile. What is
    // wrong with them is told once.
    let mut root = RootKeys::default();
    apply_members(&mut root, &members, "", &mut Vec::new());
    let profile = root.profile;
    root = RootKeys::of(profile);
    apply_members(&mut root, &members, "", &mut reader.issues);
    let mut keys = PolicyKeys::of(profile);
    apply_members(&mut keys, &members, "", &mut reader.issues);
    let mut known = names(&keys);
    known.extend(names(&root));
    known.push(OVERRIDES);
    refuse_unknown(&members, "", &known, &mut reader.issues);
    let layer = Layer { keys, sound: reader.issues.is_empty() };
    let base = reader.policy(&layer, &members, "");
    let mut overrides = match members.get(OVERRIDES) {
        None => Vec::new(),
        Some(Value::Object(tools)) => reader.overrides(tools, &layer),
        Some(other) => {
            refuse(other, "an object of tool names", OVERRIDES, &mut reader.issues);
            Vec::new()
        }
    };

    let Reader { issues, notices, .. } = reader;
    match base {
        Some(mut base) if issues.is_empty() => {
            let mut budgets = Listed::default();
            let policies = overrides.iter_mut().map(|(_, policy)| policy);
            for policy in core::iter::once(&mut base).chain(policies) {
                policy.budget_number = budgets.number(policy.budget.as_ref());
            }
            let config = Config {
                policies: Overrides::new(base, overrides),
                // In range by its kind.
                max_tracked_calls: u32::try_from(root.max_tracked_calls.0).unwrap_or(u32::MAX),
                trusted: TrustedUpstreams(root.trusted_upstreams.0),
                retry_resources: root.retry_resources,
                budgets,
            };
            Ok(Accepted { config, notices: listed(notices) })
        }
        _ => Err(listed(issues)),
    }
}

struct Reader {
    ceiling: Retries,
    issues: Vec<Issue>,
    notices: Vec<Issue>,
}

impl Reader {
    /// Each over what it inherits from, which is therefore read before it:
    /// patterns inherit from the base, names from the most specific pattern that
    /// covers them, and the name of an upstream's tool from that of the tool.
    fn overrides(&mut self, tools: &Members, base: &Layer) -> Vec<(String, Policy)> {
        let mut overrides = Vec::new();
        let mut patterns = Layers::new();
        self.layers(tools, Rank::Pattern, &mut overrides, &|_| base.clone(), &mut patterns);
        let by_pattern = |name: &str| {
            let tool = name.split_once('/').map_or(name, |(_, tool)| tool);
            let covering = patterns.iter().filter(|(pattern, _)| glob::covers(pattern, tool, name));
            let specific = covering.reduce(|one, other| {
                if glob::specificity(other.0) < glob::specificity(one.0) { other } else { one }
            });
            specific.map_or(base, |(_, layer)| layer).clone()
        };
        let (mut names, mut last) = (Layers::new(), Layers::new());
        self.layers(tools, Rank::Tool, &mut overrides, &by_pattern, &mut names);
        let by_name = |name: &str| {
            let tool = name.split_once('/').map(|(_, tool)| tool);
            match names.iter().find(|(known, _)| Some(*known) == tool) {
                Some((_, layer)) => layer.clone(),
                None => by_pattern(name),
            }
        };
        self.layers(tools, Rank::ToolOfUpstream, &mut overrides, &by_name, &mut last);
        overrides
    }

    /// Reads the overrides of a rank, each over the layer that `parent` finds for it.
    #[inline(never)]
    fn layers<'a>(
        &mut self,
        tools: &'a Members,
        rank: Rank,
        overrides: &mut Vec<(String, Policy)>,
        parent: &dyn Fn(&str) -> Layer,
        read: &mut Layers<'a>,
    ) {
        for (tool, value) in tools.iter().filter(|(name, _)| Rank::of(name) == rank) {
            let path = entry(OVERRIDES, tool);
            let Value::Object(members) = value else {
                refuse(value, "an object of policy keys", &path, &mut self.issues);
                continue;
            };
            let before = self.issues.len();
            let mut layer = parent(tool);
            apply_group(&mut layer.keys, value, &path, &mut self.issues);
            layer.sound &= self.issues.len() == before;
            let policy = self.policy(&layer, members, &path);
            overrides.extend(policy.map(|policy| (tool.into(), policy)));
            read.push((tool, layer));
        }
    }

    /// The policy that the object at `path` makes.
    fn policy(&mut self, layer: &Layer, members: &Members, path: &str) -> Option<Policy> {
        let keys = &layer.keys;
        let wanted = keys.max_retries.0;
        let ceiling = self.ceiling.0;
        // An override that is silent here inherits what was said of the base already.
        let said_here = path.is_empty() || members.contains("max_retries");
        if wanted > u64::from(ceiling) && said_here {
            let message =
                format!("{wanted} is above the gateway's ceiling {ceiling}; {ceiling} is used");
            self.notices.push(Issue { path: member(path, "max_retries"), message });
        }
        let policy = Policy::of(keys, self.ceiling);
        if let Some(budget) = policy.as_ref().and_then(|policy| policy.budget)
            && (path.is_empty() || members.contains("budget"))
        {
            self.issues.extend(too_small(&budget, path));
        }
        if policy.is_none() && layer.sound {
            self.issues.push(base_above_cap(keys, members, path));
        }
        policy
    }
}

/// What an override starts from, and what others may start from after it.
#[derive(Clone)]
struct Layer {
    keys: PolicyKeys,
    /// False if a problem with it is known already: then the two bounds of the
    /// backoff are not held against each other, for that would be noise.
    sound: bool,
}

type Layers<'a> = Vec<(&'a str, Layer)>;

/// What a key of the overrides names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Pattern,
    Tool,
    ToolOfUpstream,
}

impl Rank {
    fn of(name: &str) -> Self {
        if glob::is_pattern(name) {
            Self::Pattern
        } else if glob::speaks_of_an_upstream(name) {
            Self::ToolOfUpstream
        } else {
            Self::Tool
        }
    }
}

/// A bucket that never pays for the dearest retry.
fn too_small(budget: &Budget, path: &str) -> Option<Issue> {
    let dearest = budget.dearest();
    let buckets = [("max_tokens", budget.tool.size), ("upstream_max_tokens", budget.upstream.size)];
    let (key, size) = buckets.into_iter().find(|(_, size)| *size < dearest)?;
    let tokens = |thousandths: u32| match thousandths % 1_000 {
        0 => format!("{}", thousandths / 1_000),
        _ => String::from(
            format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000).trim_end_matches('0'),
        ),
    };
    let message = format!(
        "must be at least what the dearest retry costs, which is {}, not {}; such a retry would never be made",
        tokens(dearest),
        tokens(size)
    );
    Some(Issue { path: member(&member(path, "budget"), key), message })
}

/// Named at the key that this object wrote, for that is the one to change.
fn base_above_cap(keys: &PolicyKeys, members: &Members, path: &str) -> Issue {
    let (base, cap) = (keys.backoff_base_ms.0, keys.max_backoff_ms.0);
    if members.contains("max_backoff_ms") {
        let message = format!("must be at least backoff_base_ms, which is {base}, not {cap}");
        Issue { path: member(path, "max_backoff_ms"), message }
    } else {
        let message = format!("must be at most max_backoff_ms, which is {cap}, not {base}");
        Issue { path: member(path, "backoff_base_ms"), message }
    }
}
