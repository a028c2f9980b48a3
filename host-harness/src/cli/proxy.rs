//! `host-harness proxy`: the gateway between our own stdin and stdout and a server.

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use host_harness::{
    gateway::{Gateway, RetryHook, SystemClock},
    mcp::{self, Ended, HttpUpstream, RelayOptions, child::Server},
    sandbox::Plugin,
};
use tokio::process::{ChildStdin, ChildStdout};
use tokio_util::sync::CancellationToken;

use crate::cli::{Proxy, call_log::CallLog, plugin::Source};

pub(super) async fn run(options: Proxy) -> anyhow::Result<ExitCode> {
    let source = Source { file: options.plugin, config: options.config };
    let plugin =
        if options.no_plugin { None } else { Some(source.start(options.limits.max_tool_retries)?) };
    let gateway = Arc::new(Gateway {
        hook: plugin.clone().map(|plugin| plugin as Arc<dyn RetryHook>),
        limits: options.limits.into(),
        clock: Arc::new(SystemClock::new()),
        observer: Arc::new(CallLog),
    });
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(interruption(stop.clone()));
    let reloads = plugin.map(|plugin| tokio::spawn(reload_on_hangup(source, plugin)));

    // Pipes where the client gave us pipes: no thread hand-off per message.
    let front = rmcp::transport::io::stdio_pipes();
    let relaying =
        RelayOptions { upstream_name: options.name, mark_attempts: !options.no_attempt_marker };
    let result = match options.upstream_url {
        Some(url) => {
            let upstream = HttpUpstream::new(&url, options.upstream_header.into_iter().collect())?;
            mcp::relay_to_http(gateway, relaying, front, upstream, stop).await;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let (server, upstream) = start(&options.server)?;
            let ended = mcp::relay(gateway, relaying, front, upstream, stop).await;
            judge_end(server, ended).await
        }
    };
    interrupted.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    result
}

fn start(command: &[OsString]) -> anyhow::Result<(Server, (ChildStdout, ChildStdin))> {
    let Some((command, arguments)) = command.split_first() else {
        bail!("no server command given");
    };
    Ok(Server::start(command, arguments)?)
}

/// Whether the server did what servers should when their client goes.
async fn judge_end(server: Server, ended: Ended) -> anyhow::Result<ExitCode> {
    let name = server.command().to_owned();
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

/// Reads the plugin's configuration again whenever SIGHUP asks for it. Calls
/// go on meanwhile; a configuration that is refused changes nothing.
#[cfg(unix)]
async fn reload_on_hangup(source: Source, plugin: Arc<Plugin>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return tracing::warn!("SIGHUP cannot be heard; the configuration is read once only");
    };
    while hangup.recv().await.is_some() {
        match source.reload(&plugin) {
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
async fn reload_on_hangup(_: Source, _: Arc<Plugin>) {}

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
