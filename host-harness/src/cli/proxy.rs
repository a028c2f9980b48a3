//! `host-harness proxy`: the gateway in front of a server.

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::bail;
use host_harness::{
    gateway::{Gateway, InProcessBudgets, RetryHook, SystemClock},
    mcp::{
        HttpUpstream, Listed, RelayOptions, Shutdown, Target,
        front::http::{Admission, FrontLimits, Service},
    },
    metrics::{Measured, Metrics},
};

use crate::cli::{
    Proxy,
    call_log::CallLog,
    explain::{self, Startup},
    exporting,
    plugin::Source,
    reload::{self, Triggers},
    serving, signals,
    unmatched::Patterns,
    upstream,
    watchers::Watchers,
};

pub(super) async fn run(options: Proxy) -> anyhow::Result<ExitCode> {
    let metrics = Metrics::new();
    let export = options.exporting.start(None, &metrics)?;
    let result = relay(options, metrics).await;
    exporting::finish(export, FrontLimits::default().drain).await;
    result
}

async fn relay(options: Proxy, metrics: Arc<Metrics>) -> anyhow::Result<ExitCode> {
    if options.no_plugin && options.changes.are_any() {
        bail!("with `--no-plugin` nothing is retried: leave out `--profile` and `--idempotent`");
    }
    let source = Source {
        file: options.plugin,
        config: options.config,
        changes: options.changes,
        loader: options.sandbox.loader()?,
        options: options.sandbox.options(),
        loaded: OnceLock::new(),
    };
    let triggers = Triggers::new(options.sandbox.watch.then(|| source.files()));
    let plugin =
        if options.no_plugin { None } else { Some(source.start(options.limits.max_tool_retries)?) };
    // Nobody else has named it. The name stays when its component changes.
    let name = plugin.as_ref().and_then(|plugin| plugin.describe().ok());
    let name = name.map_or_else(|| "plugin".to_owned(), |manifest| manifest.name);
    if let Some(plugin) = &plugin {
        metrics.watch(&name, plugin.clone());
    }
    let measured = |plugin| Measured { name: name.clone(), plugin, metrics: metrics.clone() };
    let clock = Arc::new(SystemClock::new());
    let log = CallLog::new(options.tracing.file(), clock.clone())?;
    let budgets = Arc::new(InProcessBudgets::default());
    metrics.watch_budgets(budgets.clone(), clock.clone());
    let gateway = Arc::new(Gateway {
        hook: plugin.clone().map(|plugin| Arc::new(measured(plugin)) as Arc<dyn RetryHook>),
        limits: options.limits.into(),
        budgets,
        observer: Arc::new(Watchers { log, metrics: metrics.clone() }),
        clock,
    });
    let trusted = options.trust.of(options.upstream_url.is_none());
    let listed = plugin.is_some().then(|| {
        let upstream = explain::Upstream { name: options.name.clone(), trusted };
        startup(upstream, &source, gateway.limits.max_tool_retries)
    });
    let relaying = RelayOptions {
        upstream_name: options.name.clone(),
        trusted,
        idempotency_keys: options.idempotency_key.into_iter().collect(),
        listed: listed.transpose()?.map(|startup| Arc::new(startup) as Arc<dyn Listed>),
        mark_attempts: !options.no_attempt_marker,
        outcome_meta: !options.no_outcome_meta,
        exhausted_text: options.exhausted_text,
        ..RelayOptions::default()
    };
    let target = match options.upstream_url {
        Some(url) => {
            let headers =
                upstream::headers(&options.upstream_header, &options.upstream_header_file)?;
            Target::Url(HttpUpstream::new(&url, headers)?)
        }
        None => Target::Command(options.server.into()),
    };
    let pass_headers = options.front.pass_header;
    let service = Service { gateway, relaying, target, pass_headers };
    let services = [(options.name.unwrap_or_else(|| "server".to_owned()), service)].into();

    let shutdown = Shutdown::default();
    let interrupted = tokio::spawn(signals::interruption(shutdown.clone()));
    let reloads = plugin.map(|plugin| {
        let (counted, name) = (metrics.clone(), name.clone());
        let reload = move || source.reload(&plugin, |ok| counted.plugin_reloaded(&name, ok));
        tokio::spawn(reload::on_request(triggers, metrics.clone(), reload))
    });
    let result = match options.front.listen {
        Some(address) => {
            let admission =
                Admission { hosts: options.front.allow_host, origins: options.front.allow_origin };
            let limits = FrontLimits::default();
            serving::listen(address, services, admission, limits, metrics, shutdown).await
        }
        // There is but one to wait for.
        None => serving::serve_lines(services, Duration::MAX, shutdown).await,
    };
    interrupted.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    result
}

/// What is to be said when the server has listed its tools. What of the
/// configuration can have no effect whatever it lists is said at once.
fn startup(upstream: explain::Upstream, source: &Source, ceiling: u32) -> anyhow::Result<Startup> {
    let mut patterns = Patterns::new([upstream.name.clone()]);
    if source.file.is_none() {
        for warning in patterns.configuration(&source.place(), &source.json()?) {
            // Whoever is trusted needs no name to be.
            if upstream.trusted.is_none() {
                tracing::warn!("{warning}");
            }
        }
    }
    let source = source.clone();
    let start = move || Ok(source.start_aside(ceiling)? as Arc<dyn RetryHook>);
    Ok(Startup::new(upstream, Arc::new(start), ceiling, Arc::new(patterns)))
}
