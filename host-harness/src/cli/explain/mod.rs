//! `host-harness explain`: which tools of a server would be retried after what,
//! and what changes that.

mod list;
mod startup;
mod table;
mod tool;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use anyhow::{anyhow, bail};
use clap::Args;
use host_harness::{
    gateway::{Limits, RetryHook},
    mcp::{HttpUpstream, Target},
    sandbox::{Loader, Options},
};

use crate::cli::{
    Trust,
    config_source::{ConfigOptions, ConfigSource},
    plugin::Source,
    serve, upstream,
};
pub(super) use startup::Startup;
pub(super) use tool::{Start, Upstream};

/// As for `proxy`, so that a command line of it can be explained as it is.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The plugin, a component; the bundled retry-with-backoff if not given.
    #[arg(long, value_name = "FILE.wasm")]
    plugin: Option<PathBuf>,
    /// The plugin's configuration: a file, or the JSON itself. The bundled
    /// plugin's profile `safe` if not given.
    #[arg(long, value_name = "FILE.json")]
    config: Option<ConfigSource>,
    #[command(flatten)]
    changes: ConfigOptions,
    #[command(flatten)]
    trust: Trust,
    /// What the server is called; `trusted_upstreams` names it so.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Retries of one call at the most.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_tool_retries)]
    max_tool_retries: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The URL of a server, in place of a command.
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    upstream_url: Option<String>,
    /// A header of every request to that server; see `proxy`.
    #[arg(long, value_name = "NAME: VALUE", requires = "upstream_url")]
    upstream_header: Vec<String>,
    /// Headers of every request to that server, from a file; see `proxy`.
    #[arg(long, value_name = "FILE", requires = "upstream_url")]
    upstream_header_file: Vec<PathBuf>,
    /// The server's command and its arguments; or a gateway's configuration
    /// (`FILE.yaml`), whose servers are explained one after the other.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "upstream_url",
        value_name = "COMMAND"
    )]
    server: Vec<OsString>,
}

pub(super) async fn run(options: Explain) -> anyhow::Result<ExitCode> {
    if let [file] = &options.server[..]
        && Path::new(file).extension().is_some_and(|name| name == "yaml" || name == "yml")
    {
        return gateway_file(&options, Path::new(file)).await;
    }
    let ceiling = options.max_tool_retries;
    let source = Source {
        file: options.plugin,
        config: options.config,
        changes: options.changes,
        loader: Loader::default(),
        options: Options::default(),
        loaded: OnceLock::new(),
    };
    // A wrong configuration is found before a server is started.
    source.start_aside(ceiling)?;
    let upstream =
        Upstream { name: options.name, trusted: options.trust.of(options.upstream_url.is_none()) };
    let target = match &options.upstream_url {
        Some(url) => {
            let headers =
                upstream::headers(&options.upstream_header, &options.upstream_header_file)?;
            Target::Url(HttpUpstream::new(url, headers)?)
        }
        None => Target::Command(options.server.into()),
    };
    let tools = list::tools(target).await?;
    let start = || Ok(source.start_aside(ceiling)? as Arc<dyn RetryHook>);
    let explained = upstream.explain(tools, &start, ceiling)?;
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{:#}", table::as_json(&upstream, &explained))?;
    } else {
        table::as_text(&upstream, &explained, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All servers of a gateway's configuration. One that does not answer is said
/// to be so, and the others are explained.
async fn gateway_file(options: &Explain, file: &Path) -> anyhow::Result<ExitCode> {
    if options.config.is_some()
        || options.plugin.is_some()
        || options.name.is_some()
        || options.changes.are_any()
        || options.trust.of(false).is_some()
    {
        bail!(
            "{}: with a gateway's configuration all of the plugins and servers is said there; \
             leave the other options out",
            file.display()
        );
    }
    let planned = serve::Planned::read(file)?;
    let start = planned.start_aside();
    start()?;
    let (mut all, mut failed) = (Vec::new(), false);
    for (upstream, target) in planned.upstreams() {
        match list::tools(target).await {
            Ok(tools) => {
                let explained = upstream.explain(tools, &*start, planned.max_tool_retries())?;
                if options.json {
                    all.push(table::as_json(&upstream, &explained));
                } else {
                    let mut out = io::stdout().lock();
                    table::as_text(&upstream, &explained, &mut out)?;
                    writeln!(out)?;
                }
            }
            Err(error) => {
                failed = true;
                let name = upstream.name.as_deref().unwrap_or_default();
                let error = anyhow!("{error:#}");
                if options.json {
                    let told = error.to_string();
                    all.push(serde_json::json!({ "upstream": name, "error": told }));
                } else {
                    writeln!(io::stdout(), "{name}\n{error}\n")?;
                }
            }
        }
    }
    if options.json {
        writeln!(io::stdout(), "{:#}", serde_json::Value::Array(all))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
