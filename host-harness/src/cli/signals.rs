//! What the operating system tells us.

use std::sync::Arc;

use host_harness::metrics::Metrics;
use tokio_util::sync::CancellationToken;

/// Reads configurations again whenever SIGHUP asks for it. Calls go on
/// meanwhile; a configuration that is refused changes nothing.
#[cfg(unix)]
pub(super) async fn reload_on_hangup(
    metrics: Arc<Metrics>,
    reload: impl Fn() -> anyhow::Result<()>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return tracing::warn!("SIGHUP cannot be heard; the configuration is read once only");
    };
    while hangup.recv().await.is_some() {
        let answer = reload();
        metrics.reloaded(answer.is_ok());
        match answer {
            Ok(()) => tracing::info!("the configuration was read again and is in force"),
            Err(error) => {
                for line in format!("{error:#}").lines() {
                    tracing::error!("{line}");
                }
                tracing::error!("the old configuration stays in force");
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn reload_on_hangup(_: Arc<Metrics>, _: impl Fn() -> anyhow::Result<()>) {}

/// Waits for Ctrl-C, or to be told to end.
pub(super) async fn interruption(stop: CancellationToken) {
    #[cfg(unix)]
    let told = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let told = std::future::pending::<()>();
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = told => {}
    }
    stop.cancel();
}
