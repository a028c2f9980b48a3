//! The bundled plugin without any limit.

use std::sync::Mutex;

use host_harness::{
    bundled,
    contract::{
        GatewayLimits, HookError, Invocation, Outcome, OuterAttempts, RetryPlugin, Scalar,
        ToolAnnotations, Verdict, content, context, types,
    },
    gateway::Background,
};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use wasmtime::{
    Config, Engine, Result, Store,
    component::{Component, HasSelf, Linker},
};

/// A host that is told about the attempt in question, as the sandbox is, and
/// that has nothing to tell but randomness.
struct Host {
    random: Pcg64,
    background: Option<Background>,
}

impl types::Host for Host {}

impl content::Host for Host {
    fn text_count(&mut self) -> Result<u32> {
        Ok(0)
    }

    fn text(&mut self, _: u32) -> Result<Option<String>> {
        Ok(None)
    }

    fn field(&mut self, _: String) -> Result<Option<Scalar>> {
        Ok(None)
    }

    fn excerpt(&mut self, _: content::Part, _: u32) -> Result<Option<String>> {
        Ok(None)
    }
}

impl context::Host for Host {
    fn upstream(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn annotations(&mut self) -> Result<Option<ToolAnnotations>> {
        Ok(None)
    }

    fn trusted(&mut self) -> Result<Option<bool>> {
        Ok(None)
    }

    fn took_ms(&mut self) -> Result<u64> {
        Ok(0)
    }

    fn outer(&mut self) -> Result<Option<OuterAttempts>> {
        Ok(None)
    }
}

/// One instance behind a lock.
pub struct Unlimited(Mutex<(Store<Host>, RetryPlugin)>);

impl Unlimited {
    pub fn start(config: &str, max_retries: u32) -> Self {
        let mut engine = Config::new();
        // As the sandbox has it, for it is no limit.
        engine.concurrency_support(false);
        let engine = Engine::new(&engine).expect("a valid configuration");
        let component = Component::from_binary(&engine, bundled::COMPONENT).expect("valid");
        let mut linker = Linker::<Host>::new(&engine);
        RetryPlugin::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host).expect("new");
        let mut random = linker.instance("wasi:random/random@0.2.0").expect("a new name");
        random
            .func_wrap("get-random-u64", |mut store, ()| Ok((store.data_mut().random.next_u64(),)))
            .expect("a new name");
        let host = Host { random: Pcg64::seed_from_u64(1), background: None };
        let mut store = Store::new(&engine, host);
        store.set_hostcall_fuel(usize::MAX);
        store.set_max_component_handles(usize::MAX);
        let plugin = RetryPlugin::instantiate(&mut store, &component, &linker).expect("it starts");
        plugin
            .mcp_gateway_hooks_lifecycle()
            .call_configure(&mut store, config, GatewayLimits { max_retries })
            .expect("no trap")
            .expect("a good configuration");
        Self(Mutex::new((store, plugin)))
    }

    pub fn judge(
        &self,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<std::result::Result<Verdict, HookError>> {
        let (store, plugin) = &mut *self.0.lock().expect("nobody panics");
        store.data_mut().background = Some(background);
        let hook = plugin.mcp_gateway_hooks_tool_post_invoke();
        let answer = hook.call_handle(&mut *store, invocation, *outcome);
        store.data_mut().background = None;
        answer
    }
}
