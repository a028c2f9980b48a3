//! What a component shows of itself without being run.

use wasmtime::{Engine, component::types::ComponentItem};

/// An interface that a component imports or exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, with package and version.
    pub name: String,
    /// The names of its functions.
    pub functions: Vec<String>,
}

impl Interface {
    pub(super) fn of(name: &str, item: &ComponentItem, engine: &Engine) -> Self {
        let functions = match item {
            ComponentItem::ComponentInstance(instance) => instance
                .exports(engine)
                .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                .map(|(name, _)| name.to_owned())
                .collect(),
            _ => Vec::new(),
        };
        Self { name: name.to_owned(), functions }
    }
}
