//! A native async function, retried by the component:
//! `cargo run --package host-harness --example embed`

use std::sync::{Arc, atomic::AtomicU32, atomic::Ordering::Relaxed};

use host_harness::{
    bundled,
    contract::Outcome,
    gateway::{Finished, Gateway, LogicalCall},
    sandbox::{Component, Options, Plugin},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
    let config = r#"{"profile": "safe", "idempotent": true}"#.to_owned();
    let plugin = Plugin::start(&component, Options { config, ..Options::default() })?;
    let gateway = Gateway::new(Arc::new(plugin));

    // Whatever it is: it says how it failed, so that the plugin can judge that.
    let asked = AtomicU32::new(0);
    let search = async |_| match asked.fetch_add(1, Relaxed) {
        0 => Err(Outcome::http(503)),
        1 => Err(Outcome::lost()),
        _ => Ok("found"),
    };

    let call = LogicalCall::new("search", "request-1");
    let Finished::Answered { reply, attempts, .. } = gateway.run(&call, search).await else {
        return Err("nobody cancels this call".into());
    };
    println!("{reply:?} after {attempts} attempts");
    (reply == Ok("found")).then_some(()).ok_or_else(|| "not recovered".into())
}
