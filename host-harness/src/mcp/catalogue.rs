//! What the upstream says of its tools, picked up from the lists that pass by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, value::RawValue};

use crate::{contract::ToolAnnotations, mcp::param_headers::ParamHeaders};

/// Tools that are remembered; a list that is longer is remembered in part.
const MOST: usize = 10_000;

/// What is known of the upstream's tools.
#[derive(Debug, Default)]
pub(super) struct Catalogue(Mutex<HashMap<String, Known>>);

#[derive(Debug)]
struct Known {
    annotations: ToolAnnotations,
    params: Arc<ParamHeaders>,
}

impl Catalogue {
    /// Picks up the result of a `tools/list`, which may be one page of several.
    pub(super) fn learn(&self, result: &RawValue) {
        let Ok(result) = serde_json::from_str::<Value>(result.get()) else { return };
        let mut tools = self.tools();
        for tool in result.get("tools").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            if tools.len() < MOST || tools.contains_key(name) {
                // A tool whose annotations break the rules is not to be called.
                let params = tool.get("inputSchema").map(ParamHeaders::of);
                let params = Arc::new(params.and_then(Result::ok).unwrap_or_default());
                tools.insert(name.to_owned(), Known { annotations: annotations(tool), params });
            }
        }
    }

    /// The upstream says that its tools have changed: nothing that was known need be true.
    pub(super) fn forget_all(&self) {
        self.tools().clear();
    }

    /// What is known of a tool.
    pub(super) fn of(&self, tool: &str) -> Option<ToolAnnotations> {
        Some(self.tools().get(tool)?.annotations)
    }

    /// The parameters of a tool that are in headers as well.
    pub(super) fn params(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        Some(self.tools().get(tool)?.params.clone())
    }

    fn tools(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let catalogue = Catalogue::default();
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
        let catalogue = Catalogue::default();
        let tools: Vec<_> =
            (0..MOST + 5).map(|n| serde_json::json!({ "name": n.to_string() })).collect();
        learn(&catalogue, &serde_json::json!({ "tools": tools }).to_string());
        assert_eq!(catalogue.tools().len(), MOST);
    }
}
