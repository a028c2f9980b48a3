//! An empty component call: what no decision in a sandbox goes below.

use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker, TypedFunc},
};

/// The text below as binary, so that the program needs no parser for it.
///
/// ```wat
/// (component
///     (core module $m (func (export "empty")))
///     (core instance $i (instantiate $m))
///     (func (export "empty") (canon lift (core func $i "empty"))))
/// ```
const EMPTY: &[u8] = include_bytes!("empty.wasm");

/// A component of one function that does nothing.
pub struct Floor {
    store: Store<()>,
    empty: TypedFunc<(), ()>,
}

impl Floor {
    /// In an engine that is set up like the sandbox's.
    pub fn start() -> anyhow::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true).concurrency_support(false);
        let engine = Engine::new(&config)?;
        let component = Component::from_binary(&engine, EMPTY)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Linker::new(&engine).instantiate(&mut store, &component)?;
        let empty = instance.get_typed_func::<(), ()>(&mut store, "empty")?;
        Ok(Self { store, empty })
    }

    /// One call.
    pub fn call(&mut self) -> anyhow::Result<()> {
        Ok(self.empty.call(&mut self.store, ())?)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_binary_is_what_its_documentation_says() {
        let text = include_str!("floor.rs");
        let wat: String = text
            .lines()
            .skip_while(|line| *line != "/// ```wat")
            .skip(1)
            .take_while(|line| *line != "/// ```")
            .map(|line| line.trim_start_matches('/'))
            .collect();
        assert_eq!(wat::parse_str(&wat).expect("valid text"), super::EMPTY);
        super::Floor::start().expect("a component").call().expect("it does nothing");
    }
}
