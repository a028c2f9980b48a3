//! The bundled component, compiled once, in a gateway that hardly waits.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
    time::Duration,
};

use host_harness::{
    bundled,
    gateway::{Gateway, Limits, LogicalCall, Observer, Step, SystemClock, Unobserved},
    sandbox::{Component, Entropy, Options, Plugin},
};

use crate::line_client::PATIENCE;

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component")
});

/// The real plugin with this configuration, a JSON object, and delays of 1 ms.
pub fn plugin(config: &str) -> Arc<Plugin> {
    plugin_waiting(1, config)
}

/// The same with delays of so many milliseconds.
fn plugin_waiting(delay_ms: u32, config: &str) -> Arc<Plugin> {
    let mut config: serde_json::Value = serde_json::from_str(config).expect("JSON");
    config["backoff_base_ms"] = delay_ms.into();
    config["max_backoff_ms"] = delay_ms.into();
    let mut options = Options {
        config: config.to_string(),
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(42),
        ..Options::default()
    };
    // A test machine that is busy elsewhere is not what is tested here.
    options.limits.call_time = Duration::from_secs(60);
    Arc::new(Plugin::start(&COMPONENT, options).expect("a good configuration"))
}

/// A gateway with the real plugin.
pub fn gateway(config: &str, limits: Limits) -> Arc<Gateway> {
    Arc::new(Gateway {
        hook: Some(plugin(config)),
        limits,
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    })
}

/// Counts the attempts, the ends and the waits of a gateway's calls.
#[derive(Default)]
pub struct Watch(tokio::sync::watch::Sender<(u32, u32, u32)>);

impl Watch {
    pub fn attempts(&self) -> u32 {
        self.0.borrow().0
    }

    /// Waits until so many waits for a retry have begun.
    pub async fn waits(&self, wanted: u32) {
        let mut counts = self.0.subscribe();
        let waiting = counts.wait_for(|(_, _, waits)| *waits >= wanted);
        tokio::time::timeout(PATIENCE, waiting).await.expect("a wait in time").expect("we live");
    }

    /// Waits for a call to end.
    pub async fn finished(&self) {
        let mut counts = self.0.subscribe();
        let finished = counts.wait_for(|(_, finished, _)| *finished > 0);
        tokio::time::timeout(PATIENCE, finished).await.expect("an end in time").expect("we live");
    }
}

impl Observer for Watch {
    fn observe(&self, _: &LogicalCall, step: &Step<'_>) {
        self.0.send_modify(|(attempts, finished, waits)| match step {
            Step::AttemptStarted(_) => *attempts += 1,
            Step::Finished { .. } => *finished += 1,
            Step::Waiting { .. } => *waits += 1,
            Step::AttemptEnded { .. } => {}
        });
    }
}

/// A gateway whose attempts are counted.
pub fn watched(config: &str, limits: Limits) -> (Arc<Watch>, Arc<Gateway>) {
    watching(plugin(config), limits)
}

/// A gateway whose retries wait for a minute, longer than any test.
pub fn patient() -> (Arc<Watch>, Arc<Gateway>) {
    watching(plugin_waiting(60_000, r#"{"jitter":"none"}"#), Limits::default())
}

fn watching(plugin: Arc<Plugin>, limits: Limits) -> (Arc<Watch>, Arc<Gateway>) {
    let watch = Arc::new(Watch::default());
    let gateway = Arc::new(Gateway {
        hook: Some(plugin),
        limits,
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: watch.clone(),
    });
    (watch, gateway)
}
