//! `host-harness serve`: the gateway as its configuration file says.

use std::{
    collections::BTreeMap,
    env,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use anyhow::{Context, anyhow, bail};
use host_harness::{
    bundled,
    chain::{Chain, Member},
    config::{Code, Config, ConfigError, PluginEntry, Upstream},
    contract::Issue,
    gateway::{Gateway, InProcessBudgets, RetryHook, SystemClock},
    mcp::{
        Listed, RelayOptions, Shutdown, Target,
        front::http::{Admission, Service},
    },
    metrics::{Measured, Metrics},
    sandbox::{Component, Options, Plugin, StartError},
};

use crate::cli::{
    call_log::CallLog,
    explain::{Start, Startup, Upstream as Explained},
    exporting::{self, Exporting},
    reload::{self, Triggers},
    serving, signals,
    unmatched::Patterns,
    watchers::Watchers,
};

/// A gateway as its file plans it, before anything of it runs.
pub(super) struct Planned {
    file: PathBuf,
    config: Config,
}

impl Planned {
    /// Reads the file.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        Ok(Self { file: file.to_owned(), config: read(file)? })
    }

    /// Retries of one call at the most.
    pub(super) fn max_tool_retries(&self) -> u32 {
        self.config.general.limits.of_calls().max_tool_retries
    }

    /// Its servers, and where they are.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = (Explained, Target)> {
        self.config.upstreams.iter().map(|(name, upstream)| {
            let named = Explained { name: Some(name.clone()), trusted: upstream.trusted };
            (named, upstream.target.clone())
        })
    }

    /// Starts its plugins once more, for questions that are to leave no trace.
    pub(super) fn start_aside(&self) -> Arc<Start> {
        aside(&self.file, &self.config.plugins, self.max_tool_retries())
    }
}

/// Starts the plugins once more, each in one instance that serves no calls.
fn aside(file: &Path, plugins: &[PluginEntry], max_tool_retries: u32) -> Arc<Start> {
    let plugins: Vec<_> =
        plugins.iter().map(|entry| (entry.clone(), OnceLock::<Component>::new())).collect();
    let file = file.to_owned();
    Arc::new(move || {
        let members = plugins.iter().map(|(entry, loaded)| {
            let component = match loaded.get() {
                Some(component) => component,
                None => {
                    let component = load(&file, entry)?;
                    loaded.get_or_init(|| component)
                }
            };
            let options = Options { shards: NonZeroUsize::MIN, ..options(entry, max_tool_retries) };
            let plugin = Plugin::start(component, options);
            let plugin = plugin.map_err(|error| refused(&file, entry, error))?;
            Ok(member(entry, Arc::new(plugin)))
        });
        let members = members.collect::<anyhow::Result<_>>()?;
        Ok(Arc::new(Chain::new(members)) as Arc<dyn RetryHook>)
    })
}

fn member(entry: &PluginEntry, plugin: Arc<dyn RetryHook>) -> Member {
    let (name, hooks) = (entry.name.clone(), entry.hooks.clone());
    Member { name, hooks, conditions: entry.conditions.clone(), plugin }
}

/// Names in the file that nothing has. What can be said at once is said.
fn patterns(
    file: &Path,
    upstreams: &BTreeMap<String, Upstream>,
    plugins: &[PluginEntry],
) -> Arc<Patterns> {
    let mut patterns = Patterns::new(upstreams.keys().cloned().map(Some));
    for entry in plugins {
        let place = format!("{}: {}", file.display(), entry.path);
        let mut warnings = patterns.conditions(&place, &entry.conditions);
        if entry.code == Code::Bundled {
            let found = patterns.configuration(&format!("{place}.config"), &entry.config);
            warnings.extend(found);
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    Arc::new(patterns)
}

pub(super) async fn run(file: PathBuf, exporting: Exporting) -> anyhow::Result<ExitCode> {
    let config = read(&file)?;
    let metrics = Metrics::new();
    let export = exporting.start(config.general.otlp.as_ref(), &metrics)?;
    let drain = config.general.limits.of_the_front().drain;
    let result = serve(file, config, metrics).await;
    exporting::finish(export, drain).await;
    result
}

async fn serve(file: PathBuf, config: Config, metrics: Arc<Metrics>) -> anyhow::Result<ExitCode> {
    let triggers = Triggers::new(None);
    let Config { general, upstreams, plugins } = config;
    let limits = general.limits.of_calls();
    let mut running = Vec::new();
    for entry in &plugins {
        running.push(start(&file, entry, limits.max_tool_retries)?);
    }
    for (entry, plugin) in plugins.iter().zip(&running) {
        metrics.watch(&entry.name, plugin.clone());
    }
    let members = plugins.iter().zip(&running).map(|(entry, plugin)| {
        let measured =
            Measured { name: entry.name.clone(), plugin: plugin.clone(), metrics: metrics.clone() };
        member(entry, Arc::new(measured))
    });
    let chain = Chain::new(members.collect());
    let clock = Arc::new(SystemClock::new());
    let log = CallLog::new(general.trace.as_ref().map(|(path, it)| (&**path, *it)), clock.clone())?;
    let budgets = Arc::new(InProcessBudgets::default());
    metrics.watch_budgets(budgets.clone(), clock.clone());
    let gateway = Arc::new(Gateway {
        hook: if plugins.is_empty() { None } else { Some(Arc::new(chain) as Arc<dyn RetryHook>) },
        limits,
        budgets,
        observer: Arc::new(Watchers { log, metrics: metrics.clone() }),
        clock,
    });
    let patterns = patterns(&file, &upstreams, &plugins);
    let ceiling = limits.max_tool_retries;
    let start_aside = aside(&file, &plugins, ceiling);
    let services = upstreams.into_iter().map(|(name, upstream)| {
        let explained = Explained { name: Some(name.clone()), trusted: upstream.trusted };
        let startup = Startup::new(explained, start_aside.clone(), ceiling, patterns.clone());
        let listed = (!plugins.is_empty()).then(|| Arc::new(startup) as Arc<dyn Listed>);
        let relaying = RelayOptions {
            upstream_name: Some(name.clone()),
            trusted: upstream.trusted,
            idempotency_keys: upstream.idempotency_keys,
            listed,
            prefixes: upstream.prefixes,
            max_message_bytes: general.limits.of_messages(),
            lists: general.limits.of_lists(),
            outcome_meta: general.outcome_meta,
            exhausted_text: general.exhausted_text,
            ..RelayOptions::default()
        };
        let (target, pass_headers) = (upstream.target, upstream.pass_headers);
        (name, Service { gateway: gateway.clone(), relaying, target, pass_headers })
    });
    let services: BTreeMap<_, _> = services.collect();

    let shutdown = Shutdown::default();
    let interrupted = tokio::spawn(signals::interruption(shutdown.clone()));
    let reload = move || reload(&file, &plugins, &running);
    let reloads = tokio::spawn(reload::on_request(triggers, metrics.clone(), reload));
    let result = match general.listen {
        None => serving::serve_lines(services, general.limits.join_timeout(), shutdown).await,
        Some(address) => {
            let admission =
                Admission { hosts: general.allow_hosts, origins: general.allow_origins };
            let limits = general.limits.of_the_front();
            serving::listen(address, services, admission, limits, metrics, shutdown).await
        }
    };
    interrupted.abort();
    reloads.abort();
    result
}

fn read(file: &Path) -> anyhow::Result<Config> {
    Config::from_file(file, &|name| env::var(name).ok()).map_err(|error| {
        let place = file.display();
        match error {
            ConfigError::Shape { .. } => anyhow!("{place}:{error}"),
            ConfigError::Unreadable(_) => anyhow!("{place}: {error}"),
            ConfigError::Issues(issues) => complaint(file, "", &issues),
        }
    })
}

fn start(file: &Path, entry: &PluginEntry, max_tool_retries: u32) -> anyhow::Result<Arc<Plugin>> {
    let plugin = Plugin::start(&load(file, entry)?, options(entry, max_tool_retries))
        .map_err(|error| refused(file, entry, error))?;
    tell(file, entry, plugin.notices());
    Ok(Arc::new(plugin))
}

fn options(entry: &PluginEntry, max_tool_retries: u32) -> Options {
    Options {
        config: entry.config.clone(),
        max_tool_retries,
        fail_policy: entry.on_error.fail_policy(),
        replacement: entry.on_error.replacement(),
        ..Options::default()
    }
}

fn load(file: &Path, entry: &PluginEntry) -> anyhow::Result<Component> {
    let place = || format!("{}: {}", file.display(), entry.path);
    let component = match &entry.code {
        Code::Bundled => Component::from_bytes(bundled::NAME, bundled::COMPONENT),
        Code::File(path) => Component::from_file(path),
    };
    component.with_context(|| format!("{}.kind", place()))
}

/// Puts the plugins' configurations into force again. What else the file says
/// is read at the start only.
fn reload(
    file: &Path,
    before: &[PluginEntry],
    running: &[Arc<Plugin>],
) -> anyhow::Result<&'static str> {
    let entries = read(file)?.plugins;
    let same = |one: &PluginEntry, other: &PluginEntry| {
        (&one.name, &one.code, &one.hooks, &one.conditions, one.on_error)
            == (&other.name, &other.code, &other.hooks, &other.conditions, other.on_error)
    };
    if entries.len() != before.len() || !entries.iter().zip(before).all(|(one, old)| same(one, old))
    {
        bail!(
            "{}: plugins: only their `config` can change while the gateway runs; start it again",
            file.display()
        );
    }
    for (entry, plugin) in entries.iter().zip(running) {
        let notices =
            plugin.reconfigure(&entry.config).map_err(|error| refused(file, entry, error))?;
        tell(file, entry, &notices);
    }
    Ok("the plugins' configuration")
}

fn tell(file: &Path, entry: &PluginEntry, notices: &[Issue]) {
    for Issue { path, message } in notices {
        let dot = if path.is_empty() { "" } else { "." };
        tracing::warn!("{}: {}.config{dot}{path}: {message}", file.display(), entry.path);
    }
}

fn refused(file: &Path, entry: &PluginEntry, error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(issues) => complaint(file, &format!("{}.config", entry.path), &issues),
        other => anyhow!(other).context(format!("{}: {}", file.display(), entry.path)),
    }
}

/// Every problem on a line of its own, with the file and its path there.
fn complaint(file: &Path, within: &str, issues: &[Issue]) -> anyhow::Error {
    let dot = |path: &str| if within.is_empty() || path.is_empty() { "" } else { "." };
    let lines = issues.iter().map(|Issue { path, message }| {
        format!("{}: {within}{}{path}: {message}", file.display(), dot(path))
    });
    anyhow!(lines.collect::<Vec<_>>().join("\n"))
}
