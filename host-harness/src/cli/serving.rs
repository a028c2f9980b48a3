//! Serving clients, on our own standard streams or on HTTP.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    process::{ExitCode, ExitStatus},
    sync::{Arc, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use host_harness::{
    mcp::{
        self, Ended, Group, Shutdown, Supervised, Target,
        front::http::{Admission, FrontLimits, HttpFront, Service},
    },
    metrics::Metrics,
};
use tokio::net::TcpListener;

/// Serves the client on our own stdin and stdout. Several servers have
/// `join_timeout` to answer where all are asked.
pub(super) async fn serve_lines(
    mut services: BTreeMap<String, Service>,
    join_timeout: Duration,
    shutdown: Shutdown,
) -> anyhow::Result<ExitCode> {
    // Pipes where the client gave us pipes: no thread hand-off per message.
    let front = rmcp::transport::io::stdio_pipes();
    if Group::needed(&services) {
        let group = Group::new(services, join_timeout);
        return match mcp::relay_to_several(&group, front, shutdown).await? {
            Ended::ByClient => Ok(ExitCode::SUCCESS),
            Ended::ByUpstream => bail!("all servers ended while their client was connected"),
        };
    }
    let Some((_, Service { gateway, relaying, target, .. })) = services.pop_first() else {
        bail!("no upstream")
    };
    match target {
        Target::Url(upstream) => {
            mcp::relay_to(gateway, relaying, front, upstream, shutdown).await;
            Ok(ExitCode::SUCCESS)
        }
        Target::Command(command) => {
            let server = Supervised::start(command)?;
            let (name, end) = (server.name(), server.end_status());
            let ended = mcp::relay_to(gateway, relaying, front, server, shutdown).await;
            let status = end.lock().unwrap_or_else(PoisonError::into_inner).take();
            judge_end(&name, ended, status)
        }
    }
}

/// Serves clients on Streamable HTTP.
pub(super) async fn listen(
    address: SocketAddr,
    services: BTreeMap<String, Service>,
    admission: Admission,
    limits: FrontLimits,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> anyhow::Result<ExitCode> {
    if !address.ip().is_loopback() && admission.hosts.is_empty() {
        bail!(
            "{address} can be reached from other machines: name the hosts under which clients \
             reach the gateway with `--allow-host` or `allow_hosts` (`*` for all)"
        );
    }
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}/mcp");
    if services.len() > 1 {
        for name in services.keys() {
            tracing::info!("listening on http://{address}/mcp/{name}");
        }
    }
    let front = HttpFront { services, admission, limits, metrics: Some(metrics) };
    front.serve(listener, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

/// Whether the server did what servers should when their client goes.
fn judge_end(
    name: &str,
    ended: Ended,
    status: Option<io::Result<Option<ExitStatus>>>,
) -> anyhow::Result<ExitCode> {
    let status = status.transpose().with_context(|| format!("lost the server `{name}`"))?;
    match (ended, status.flatten()) {
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
