//! The bundled component, compiled once, in a gateway whose sleeps take no time.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
    time::Duration,
};

use host_harness::{
    bundled,
    gateway::{Clock, Gateway, Limits, Sleep, SystemClock, Unobserved},
    sandbox::{Component, Entropy, Options, Plugin},
};

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component")
});

/// The real plugin with this configuration.
pub fn plugin(config: &str) -> Arc<Plugin> {
    let mut options = Options {
        config: config.to_owned(),
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
        clock: Arc::new(Impatient(SystemClock::new())),
        observer: Arc::new(Unobserved),
    })
}

/// Real time for what has to be measured, but nobody waits out a back-off.
struct Impatient(SystemClock);

impl Clock for Impatient {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration.min(Duration::from_millis(1)))
    }
}
