//! `host-harness proxy`: the gateway in front of a server.

use std::{process::ExitCode, sync::Arc};

use host_harness::{
    bundled,
    gateway::{Gateway, RetryHook, SystemClock},
    mcp::{
        HttpUpstream, RelayOptions, Target,
        front::http::{Admission, FrontLimits, Service},
    },
    metrics::{Measured, Metrics},
};
use tokio_util::sync::CancellationToken;

use crate::cli::{Proxy, plugin::Source, serving, signals, watchers::Watchers};

pub(super) async fn run(options: Proxy) -> anyhow::Result<ExitCode> {
    let source = Source { file: options.plugin, config: options.config };
    let plugin =
        if options.no_plugin { None } else { Some(source.start(options.limits.max_tool_retries)?) };
    let metrics = Metrics::new();
    let measured =
        |plugin| Measured { name: bundled::NAME.to_owned(), plugin, metrics: metrics.clone() };
    let gateway = Arc::new(Gateway {
        hook: plugin.clone().map(|plugin| Arc::new(measured(plugin)) as Arc<dyn RetryHook>),
        limits: options.limits.into(),
        clock: Arc::new(SystemClock::new()),
        observer: Arc::new(Watchers(metrics.clone())),
    });
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(signals::interruption(stop.clone()));
    let reloads = plugin.map(|plugin| {
        let reload = move || source.reload(&plugin);
        tokio::spawn(signals::reload_on_hangup(metrics.clone(), reload))
    });

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
    let pass_headers = options.front.pass_header;
    let service = Service { gateway, relaying, target, pass_headers };
    let result = match options.front.listen {
        Some(address) => {
            let name = options.name.unwrap_or_else(|| "server".to_owned());
            let admission =
                Admission { hosts: options.front.allow_host, origins: options.front.allow_origin };
            let limits = FrontLimits::default();
            serving::listen(address, [(name, service)].into(), admission, limits, metrics, stop)
                .await
        }
        None => serving::serve_lines(service, stop).await,
    };
    interrupted.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    result
}
