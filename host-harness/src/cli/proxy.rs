//! `host-harness proxy`: the gateway in front of a server.

use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use host_harness::{
    gateway::{Gateway, RetryHook, SystemClock},
    mcp::{
        self, Ended, HttpUpstream, RelayOptions, Target,
        child::Server,
        front::http::{Admission, FrontLimits, HttpFront, Service},
    },
    sandbox::Plugin,
};
use tokio::net::TcpListener;
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

    let relaying = RelayOptions {
        upstream_name: options.name.clone(),
        mark_attempts: !options.no_attempt_marker,
    };
    let target = match options.upstream_url {
        Some(url) => {
            Target::Url(HttpUpstream::new(&url, options.upstream_header.into_iter().collect())?)
        }
        None => Target::Command(options.server),
    };
    let result = match options.front.listen {
        Some(address) => {
            let name = options.name.unwrap_or_else(|| "server".to_owned());
            let pass_headers = options.front.pass_header;
            let service = Service { gateway, relaying, target, pass_headers };
            let admission =
                Admission { hosts: options.front.allow_host, origins: options.front.allow_origin };
            listen(address, [(name, service)].into(), admission, stop).await
        }
        None => serve_lines(gateway, relaying, target, stop).await,
    };
    interrupted.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    result
}

/// Serves the client on our own stdin and stdout.
async fn serve_lines(
    gateway: Arc<Gateway>,
    relaying: RelayOptions,
    target: Target,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    // Pipes where the client gave us pipes: no thread hand-off per message.
    let front = rmcp::transport::io::stdio_pipes();
    match target {
        Target::Url(upstream) => {
            mcp::relay_to_http(gateway, relaying, front, upstream, stop).await;
            Ok(ExitCode::SUCCESS)
        }
        Target::Command(command) => {
            let Some((command, arguments)) = command.split_first() else {
                bail!("no server command given");
            };
            let (server, upstream) = Server::start(command, arguments)?;
            let ended = mcp::relay(gateway, relaying, front, upstream, stop).await;
            judge_end(server, ended).await
        }
    }
}

/// Serves clients on Streamable HTTP.
async fn listen(
    address: SocketAddr,
    services: BTreeMap<String, Service>,
    admission: Admission,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    if !address.ip().is_loopback() && admission.hosts.is_empty() {
        bail!(
            "{address} can be reached from other machines: name the hosts under which clients \
             reach the gateway with `--allow-host` (`*` for all)"
        );
    }
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}/mcp");
    let front = HttpFront { services, admission, limits: FrontLimits::default() };
    front.serve(listener, stop).await?;
    Ok(ExitCode::SUCCESS)
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
