//! What the upstream says of its tools, picked up from the lists that pass by.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    contract::ToolAnnotations,
    mcp::{
        listing::{self, Allowance, Beyond, ListLimits, MOST_NAME_BYTES},
        param_headers::ParamHeaders,
    },
};

/// A list of tools that failed is asked for again after so long at the earliest.
const AGAIN: Duration = Duration::from_secs(10);

/// Hears what a server lists.
pub trait Listed: fmt::Debug + Send + Sync {
    /// A list of tools has passed to its end, page by page. Must not take long:
    /// the server's next message waits for it.
    fn listed(&self, tools: &dyn Fn() -> Vec<(String, ToolAnnotations)>);
}

/// A list of tools that the gateway asks for itself.
#[derive(Debug)]
pub(super) enum Asking {
    /// It is to be asked for now; the token is to be cancelled at the end.
    Begin(CancellationToken),
    /// It is on its way.
    Begun(CancellationToken),
}

/// What is known of the upstream's tools.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// The operator's name for the upstream.
    upstream: Option<String>,
    limits: ListLimits,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    tools: HashMap<String, Known>,
    left: Allowance,
    /// That something is beyond the limits was said.
    warned: bool,
    /// A list has passed to its end.
    complete: bool,
    /// When the gateway itself asked last, and what ends with the answer.
    asked: Option<(Instant, CancellationToken)>,
}

#[derive(Debug)]
struct Known {
    annotations: ToolAnnotations,
    params: Arc<ParamHeaders>,
    /// Those of its entry in the list, which are no fewer than what is kept.
    bytes: usize,
}

impl Catalogue {
    /// Of this upstream, with at most so many tools.
    pub(super) fn new(upstream: Option<String>, limits: ListLimits) -> Self {
        let inner = Inner {
            tools: HashMap::new(),
            left: limits.into(),
            warned: false,
            complete: false,
            asked: None,
        };
        Self { upstream, limits, inner: Mutex::new(inner) }
    }

    /// Picks up the result of a `tools/list`, which may be one page of several.
    /// What is beyond the limits, or has a longer name than is called, is not remembered.
    /// True if it is the last page.
    pub(super) fn learn(&self, result: &RawValue) -> bool {
        let Some(tools) = listing::member(result, "tools") else { return false };
        let last = next_cursor(result).is_none();
        let mut inner = self.inner();
        inner.complete |= last;
        let learnt = listing::each_entry(tools, |tool| inner.learn(tool));
        if let (Some(Err(Beyond(key))), false) = (learnt, inner.warned) {
            inner.warned = true;
            tracing::warn!(
                upstream = self.upstream,
                "the upstream lists more tools than are remembered: nothing is known of the rest; \
                 see `{key}`"
            );
        }
        last
    }

    /// Whether the gateway is to ask for the list, since no client has; none if
    /// that would bring nothing new.
    pub(super) fn asking(&self) -> Option<Asking> {
        let mut inner = self.inner();
        if inner.complete {
            return None;
        }
        match &inner.asked {
            Some((_, answered)) if !answered.is_cancelled() => {
                return Some(Asking::Begun(answered.clone()));
            }
            Some((at, _)) if at.elapsed() < AGAIN => return None,
            _ => {}
        }
        let answered = CancellationToken::new();
        inner.asked = Some((Instant::now(), answered.clone()));
        Some(Asking::Begin(answered))
    }

    /// All tools that are known, by name.
    pub(super) fn tools(&self) -> Vec<(String, ToolAnnotations)> {
        let inner = self.inner();
        let tools = inner.tools.iter().map(|(name, known)| (name.clone(), known.annotations));
        let mut tools: Vec<_> = tools.collect();
        tools.sort_by(|(one, _), (other, _)| one.cmp(other));
        tools
    }

    /// The upstream says that its tools have changed: nothing that was known need be true.
    pub(super) fn forget_all(&self) {
        let mut inner = self.inner();
        inner.tools = HashMap::new();
        inner.left = self.limits.into();
        inner.complete = false;
        inner.asked = None;
    }

    /// What is known of a tool.
    pub(super) fn of(&self, tool: &str) -> Option<ToolAnnotations> {
        Some(self.inner().tools.get(tool)?.annotations)
    }

    /// The parameters of a tool that are in headers as well; none if there are none.
    pub(super) fn params(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        let params = self.inner().tools.get(tool)?.params.clone();
        (!params.is_empty()).then_some(params)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn learn(&mut self, tool: &RawValue) -> Result<(), Beyond> {
        let name = listing::member(tool, "name")
            .and_then(|name| serde_json::from_str::<String>(name.get()).ok());
        let Some(name) = name.filter(|name| name.len() <= MOST_NAME_BYTES) else { return Ok(()) };
        // What was known of it need not be true any more, whether there is room or not.
        if let Some(before) = self.tools.remove(&name) {
            self.left.give_back(before.bytes);
        }
        let bytes = tool.get().len();
        self.left.take(bytes)?;
        let Ok(tool) = serde_json::from_str::<Value>(tool.get()) else { return Ok(()) };
        // A tool whose annotations break the rules is not to be called.
        let params = tool.get("inputSchema").map(ParamHeaders::of);
        let params = Arc::new(params.and_then(Result::ok).unwrap_or_default());
        self.tools.insert(name, Known { annotations: annotations(&tool), params, bytes });
        Ok(())
    }
}

/// Where the next page begins; none after the last.
pub(super) fn next_cursor(page: &RawValue) -> Option<&RawValue> {
    listing::member(page, "nextCursor").filter(|cursor| cursor.get() != "null")
}

fn annotations(tool: &Value) -> ToolAnnotations {
    let hint = |name| tool.get("annotations")?.get(name)?.as_bool();
    ToolAnnotations {
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(catalogue: &Catalogue, result: &str) {
        catalogue.learn(serde_json::from_str(result).expect("JSON"));
    }

    #[test]
    fn hints_are_picked_up_page_by_page_and_a_silent_tool_says_nothing() {
        let catalogue = Catalogue::new(None, ListLimits::default());
        learn(
            &catalogue,
            r#"{"tools":[{"name":"a","annotations":{"readOnlyHint":true,"title":"A"}},{"name":"b"},7,{}],"nextCursor":"2"}"#,
        );
        learn(
            &catalogue,
            r#"{"tools":[{"name":"c","annotations":{"idempotentHint":"yes","destructiveHint":false}}]}"#,
        );
        for broken in ["null", "{}", r#"{"tools":{}}"#] {
            learn(&catalogue, broken);
        }
        let silent = ToolAnnotations { read_only: None, destructive: None, idempotent: None };
        assert_eq!(catalogue.of("a"), Some(ToolAnnotations { read_only: Some(true), ..silent }));
        assert_eq!(catalogue.of("b"), Some(silent));
        assert_eq!(catalogue.of("c"), Some(ToolAnnotations { destructive: Some(false), ..silent }));
        assert_eq!(catalogue.of("d"), None);
        catalogue.forget_all();
        assert_eq!(catalogue.of("a"), None);
    }

    #[test]
    fn no_list_makes_it_grow_without_bound() {
        let limits = ListLimits { max_listed: 100, max_listed_bytes: 10_000 };
        let catalogue = Catalogue::new(None, limits);
        let list = |names: std::ops::Range<usize>, more: usize| {
            let tools: Vec<_> = names
                .map(|n| serde_json::json!({ "name": n.to_string(), "x": "y".repeat(more) }))
                .collect();
            serde_json::json!({ "tools": tools }).to_string()
        };
        let known = || catalogue.inner().tools.len();
        learn(&catalogue, &list(0..200, 0));
        assert_eq!(known(), 100);
        // Those that are known already are known by what was said last.
        learn(&catalogue, &list(0..100, 50));
        assert_eq!(known(), 100);
        learn(&catalogue, &list(0..100, 1_000));
        assert!(known() < 100, "their bytes are counted as well");
        catalogue.forget_all();
        learn(&catalogue, &list(100..200, 0));
        assert_eq!(known(), 100, "all of the room is there again");
        learn(
            &catalogue,
            &serde_json::json!({ "tools": [{ "name": "n".repeat(257) }] }).to_string(),
        );
        assert_eq!(catalogue.of(&"n".repeat(257)), None);
    }
}
