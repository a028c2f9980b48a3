//! Commands and their options.

mod advise;
mod bench;
mod call_log;
mod check;
mod config_source;
mod explain;
mod exporting;
mod inspect;
mod judge;
mod logs;
pub mod plugin;
mod proxy;
mod reload;
mod sandbox_options;
mod serve;
mod serving;
mod signals;
mod simulate;
mod unmatched;
mod upstream;
mod watchers;

use std::{
    ffi::OsString,
    io::{self, Write},
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use host_harness::{advise::Rotation, gateway, mcp};

/// An MCP gateway that retries tool calls as a sandboxed plugin decides.
#[derive(Debug, Parser)]
#[command(name = "host-harness", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put the gateway in front of an MCP server, which it starts or reaches by its URL.
    Proxy(Box<Proxy>),
    /// Run the gateway as a configuration file says: several servers, several plugins.
    Serve {
        /// The configuration; see `host_harness::config`. Plugins read theirs again on SIGHUP.
        #[arg(value_name = "FILE.yaml")]
        file: PathBuf,
        #[command(flatten)]
        exporting: exporting::Exporting,
    },
    /// List the tools of a server, and say of each after which failures it would
    /// be retried, and what changes that.
    Explain(Box<explain::Explain>),
    /// Print the JSON Schema of the plugin's configuration.
    Schema {
        /// A component; the bundled retry-with-backoff if not given.
        #[arg(value_name = "FILE.wasm")]
        plugin: Option<PathBuf>,
    },
    /// Show what retry policies do to a server on a bad day, in simulated time.
    Simulate(simulate::Simulate),
    /// Recommend a configuration from a log of calls, with the numbers behind it.
    Advise(advise::Advise),
    /// Put recorded answers of servers before the plugin, and say what it decides and why.
    Judge(judge::Judge),
    /// Measure what a decision costs, beside the original plugin if Python has it.
    Bench(bench::Bench),
    /// Show what a component imports, exports and says of itself. Nothing of it
    /// is run but `describe` and `config-schema`.
    Inspect {
        /// A component; the bundled retry-with-backoff if not given.
        #[arg(value_name = "FILE.wasm")]
        plugin: Option<PathBuf>,
    },
    /// Try a component against the contract, point by point. Exit code 0: it
    /// keeps it; 1: it does not.
    Check {
        /// A component; the bundled retry-with-backoff if not given.
        #[arg(value_name = "FILE.wasm")]
        plugin: Option<PathBuf>,
        /// A configuration that the component accepts, in a file or itself; its
        /// defaults if not given.
        #[arg(long, value_name = "FILE.json")]
        config: Option<config_source::ConfigSource>,
    },
    /// Run calls against a bundled server that fails on purpose, and show what happens.
    Demo {
        /// Also write what happened as a page for a browser.
        #[arg(long, value_name = "FILE.html")]
        html: Option<PathBuf>,
    },
    /// The server of the demo, on stdin and stdout.
    #[command(hide = true)]
    FlakyServer,
}

#[derive(Debug, Args)]
struct Proxy {
    /// The plugin, a component; the bundled retry-with-backoff if not given.
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "no_plugin")]
    plugin: Option<PathBuf>,
    /// The plugin's configuration: a file, or the JSON itself (`{"max_retries": 1}`).
    /// Files are read again on SIGHUP. If not given, the bundled plugin runs with
    /// its profile `safe`, another one with its defaults.
    #[arg(long, value_name = "FILE.json", conflicts_with = "no_plugin")]
    config: Option<config_source::ConfigSource>,
    #[command(flatten)]
    changes: config_source::ConfigOptions,
    #[command(flatten)]
    trust: Trust,
    /// An argument that is an idempotency key, as a JSON Pointer into the
    /// arguments (`/request_id`), of the tools that fit a pattern before it or
    /// else of all (`create_*:/request_id`). A call that carries one is safe to
    /// repeat, unless the configuration forbids it for the tool. May be given
    /// several times.
    #[arg(long, value_name = "POINTER")]
    idempotency_key: Vec<mcp::IdempotencyKey>,
    /// What to call the server: `trusted_upstreams` of the configuration names
    /// it so, and all its tools share one retry budget.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Do not tell the server, in the `_meta` of a call, that it may be retried.
    /// Gateways behind this one read it to retry less.
    #[arg(long)]
    no_attempt_marker: bool,
    /// Leave results as the server wrote them: do not say in the `_meta` of one
    /// whose call was repeated or failed how many attempts were made, and why
    /// no more.
    #[arg(long)]
    no_outcome_meta: bool,
    /// Add a text to a failed result whose retries are used up: "tried 3 times
    /// over 2.4 s; trying again now will not help".
    #[arg(long)]
    exhausted_text: bool,
    #[command(flatten)]
    tracing: Tracing,
    /// Load no plugin: relay only, retry nothing.
    #[arg(long)]
    no_plugin: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    front: Front,
    /// The URL of a server that speaks Streamable HTTP, in place of a command.
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    upstream_url: Option<String>,
    /// A header of every request to that server, such as
    /// `Authorization: Bearer ${TOKEN}`: `${TOKEN}` stands for the variable TOKEN
    /// of the environment. Do not write a secret here itself: other users of
    /// the machine can read the command lines of processes.
    #[arg(long, value_name = "NAME: VALUE", requires = "upstream_url")]
    upstream_header: Vec<String>,
    /// Headers of every request to that server, from a file that only its owner
    /// should be able to read: `Name: value`, one a line. Empty lines and lines
    /// that begin with `#` are skipped. May be given several times.
    #[arg(long, value_name = "FILE", requires = "upstream_url")]
    upstream_header_file: Vec<PathBuf>,
    /// The server's command and its arguments. The `--` before it may be left
    /// out: some clients swallow it.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "upstream_url",
        value_name = "COMMAND"
    )]
    server: Vec<OsString>,
    #[command(flatten)]
    exporting: exporting::Exporting,
    #[command(flatten)]
    sandbox: sandbox_options::SandboxOptions,
}

/// The log of calls.
#[derive(Debug, Args)]
struct Tracing {
    /// Append a line of JSON for each call that ends: how its attempts went and
    /// what the plugin made of them, never what was asked or answered.
    /// `host-harness advise` reads it.
    #[arg(long, value_name = "FILE.jsonl")]
    trace: Option<PathBuf>,
    /// Set that file aside, as FILE.jsonl.1 and so on, before it gets larger than this.
    #[arg(long, value_name = "BYTES", requires = "trace", default_value_t = Rotation::MAX_BYTES)]
    trace_max_bytes: NonZeroU64,
    /// Keep so many files of the log, the one that is written included.
    #[arg(long, value_name = "N", requires = "trace", default_value_t = Rotation::FILES)]
    trace_files: NonZeroU32,
}

impl Tracing {
    fn file(&self) -> Option<(&Path, Rotation)> {
        let rotation = Rotation { max_bytes: self.trace_max_bytes, files: self.trace_files };
        Some((self.trace.as_deref()?, rotation))
    }
}

/// Whether what the server says of its tools (MCP tool annotations) is believed.
#[derive(Debug, Args)]
struct Trust {
    /// Believe what a server behind a URL says of its tools, such as that one
    /// only reads: then any transient failure of those is retried. A command's
    /// is believed without it: whoever starts a program trusts it already.
    #[arg(long, conflicts_with = "distrust")]
    trust: bool,
    /// Do not believe it, whatever else is configured: retry only what was
    /// surely not executed, and tools that `--idempotent` or `tool_overrides` name.
    #[arg(long)]
    distrust: bool,
}

impl Trust {
    /// None: the plugin's `trusted_upstreams` decides.
    const fn of(&self, is_command: bool) -> Option<bool> {
        if self.distrust {
            Some(false)
        } else if self.trust || is_command {
            Some(true)
        } else {
            None
        }
    }
}

/// How clients reach the gateway.
#[derive(Debug, Args)]
struct Front {
    /// Serve Streamable HTTP at `http://ADDRESS/mcp` in place of stdin and
    /// stdout, such as `127.0.0.1:8080`.
    #[arg(long, value_name = "ADDRESS", value_parser = host_harness::config::listen_address)]
    listen: Option<SocketAddr>,
    /// A host, without a port, under which clients may reach it, beside
    /// `localhost` and loopback addresses; `*` for all.
    #[arg(long, value_name = "HOST", requires = "listen")]
    allow_host: Vec<String>,
    /// An origin whose web pages may reach it, beside those of allowed hosts.
    #[arg(long, value_name = "ORIGIN", requires = "listen")]
    allow_origin: Vec<String>,
    /// A header of the client's requests that the server at the URL gets as well.
    #[arg(long, value_name = "NAME", requires = "listen", value_parser = mcp::header_to_pass)]
    pass_header: Vec<http::HeaderName>,
}

/// What the gateway allows at the most, whatever the plugin asks for.
#[derive(Debug, Args)]
struct Limits {
    /// Retries of one call; 0 for none.
    #[arg(long, value_name = "N", default_value_t = gateway::Limits::default().max_tool_retries)]
    max_tool_retries: u32,
    /// Milliseconds that one attempt may take; unlimited if not given.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    attempt_timeout: Option<u64>,
    /// Milliseconds that a call may take, with all attempts and waits; unlimited if not given.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    deadline: Option<u64>,
    /// Milliseconds that a call may wait before a retry. A call whose plugin asks
    /// for more ends with the server's last answer.
    #[arg(
        long,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(1..),
        default_value_t = 60_000
    )]
    max_wait: u64,
}

impl From<Limits> for gateway::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            max_tool_retries: limits.max_tool_retries,
            attempt_timeout: limits.attempt_timeout.map(Duration::from_millis),
            deadline: limits.deadline.map(Duration::from_millis),
            max_wait: Duration::from_millis(limits.max_wait),
            ..Self::default()
        }
    }
}

/// Runs a command to its end. An error is one line for the person who gave the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // In virtual time, and so outside of the runtime: within it a decision that
    // takes long is made on another thread, for which virtual time does not wait.
    match arguments.command {
        Command::Simulate(options) => {
            logs::to_stderr(logs::NORMAL, None);
            simulate::run(options)
        }
        Command::Advise(options) => {
            logs::to_stderr(logs::NORMAL, None);
            advise::run(options)
        }
        command => run_in_a_runtime(command),
    }
}

fn run_in_a_runtime(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    match command {
        // They may export spans, and say so first.
        Command::Proxy(_) | Command::Serve { .. } => {}
        // Its failures are no news.
        Command::FlakyServer => logs::to_stderr("error", None),
        _ => logs::to_stderr(logs::NORMAL, None),
    }
    let result = runtime.block_on(async {
        match command {
            Command::Proxy(options) => proxy::run(*options).await,
            Command::Serve { file, exporting } => serve::run(file, exporting).await,
            Command::Explain(options) => explain::run(*options).await,
            Command::Schema { plugin } => {
                writeln!(io::stdout(), "{}", plugin::schema(plugin.as_deref())?)?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Simulate(_) | Command::Advise(_) => unreachable!("they need no runtime"),
            Command::Judge(options) => judge::run(options),
            Command::Bench(options) => bench::run(options),
            Command::Demo { html } => crate::demo::run(html.as_deref()).await,
            Command::Inspect { plugin } => inspect::run(plugin.as_deref()),
            Command::Check { plugin, config } => check::run(plugin.as_deref(), config.as_ref()),
            Command::FlakyServer => crate::demo::flaky_server::run().await,
        }
    });
    // Not dropped: a blocked read of stdin cannot be cancelled, and would keep us until its next line.
    runtime.shutdown_background();
    result
}
