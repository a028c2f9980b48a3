//! `host-harness proxy`: the gateway between our own stdin and stdout and a child.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use host_harness::{
    gateway::{Gateway, RetryHook, SystemClock},
    mcp::{self, Ended, RelayOptions, child::Server},
};
use tokio_util::sync::CancellationToken;

use crate::cli::{
    Proxy,
    call_log::CallLog,
    plugin::Source,
    reload::{self, Triggers},
};

pub(super) async fn run(options: Proxy) -> anyhow::Result<ExitCode> {
    let source = Source {
        file: options.plugin,
        config: options.config,
        loader: options.sandbox.loader()?,
        options: options.sandbox.options(),
    };
    let triggers = Triggers::new(options.sandbox.watch.then(|| source.files()));
    let plugin =
        if options.no_plugin { None } else { Some(source.start(options.limits.max_tool_retries)?) };
    let clock = Arc::new(SystemClock::new());
    let gateway = Arc::new(Gateway {
        hook: plugin.clone().map(|plugin| plugin as Arc<dyn RetryHook>),
        limits: options.limits.into(),
        observer: Arc::new(CallLog::new(options.trace.as_deref(), clock.clone())?),
        clock,
    });
    let Some((command, arguments)) = options.server.split_first() else {
        bail!("no server command given");
    };
    let (server, upstream) = Server::start(command, arguments)?;
    let name = server.command().to_owned();
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(interruption(stop.clone()));
    let reloads = plugin.map(|plugin| tokio::spawn(reload::on_request(triggers, source, plugin)));

    // Pipes where the client gave us pipes: no thread hand-off per message.
    let front = rmcp::transport::io::stdio_pipes();
    let relaying =
        RelayOptions { upstream_name: options.name, mark_attempts: !options.no_attempt_marker };
    let ended = mcp::relay(gateway, relaying, front, upstream, stop).await;
    interrupted.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    let status = server.end().await.with_context(|| format!("lost the server `{name}`"))?;
    match (ended, status) {
        // It failed by itself, perhaps before it served anything.
        (Ended::ByClient, Some(status)) if !status.success() => {
            bail!("the server `{name}` failed ({status})")
        }
        (Ended::ByClient, _) => Ok(ExitCode::SUCCESS),
        (Ended::ByUpstream, Some(status)) => {
            bail!("the server `{name}` ended while its client was connected ({status})")
        }
        (Ended::ByUpstream, None) => {
            bail!("the server `{name}` closed the connection to its client")
        }
    }
}

/// Waits for Ctrl-C, or to be told to end.
async fn interruption(stop: CancellationToken) {
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
