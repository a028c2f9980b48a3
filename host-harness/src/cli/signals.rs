//! What the operating system tells us.

use host_harness::mcp::Shutdown;

/// Stops the gateway in order at the first Ctrl-C or SIGTERM, at once at the second.
pub(super) async fn interruption(shutdown: Shutdown) {
    #[cfg(unix)]
    let mut terminations = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).ok()
    };
    loop {
        #[cfg(unix)]
        let terminated = async {
            match &mut terminations {
                Some(terminations) => drop(terminations.recv().await),
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminated = std::future::pending::<()>();
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
        shutdown.hurry();
    }
}
