//! `host-harness demo`: real calls through the real path, told as a timeline, and checked.

pub mod flaky_server;
mod page;
mod paint;
mod script;
mod timeline;

use std::{
    ffi::OsString,
    fs,
    io::{Write, stdout},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use host_harness::{
    bundled,
    gateway::{Gateway, Limits, SystemClock},
    mcp::{self, RelayOptions, child::Server},
};
use rmcp::{
    RoleClient, ServiceExt,
    model::CallToolRequestParams,
    service::{Peer, ServiceError},
};
use serde_json::Value;
use tokio::{
    io::{duplex, split},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::demo::{
    page::Played,
    paint::Paint,
    script::{ATTEMPT_TIMEOUT_MS, DEADLINE_MS, Scene, plugin_config, scenes},
    timeline::{Event, Recorder, Timeline},
};

/// No call of the demo takes longer; one that does is a defect and not a reason to hang.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Plays all scenes, and writes them to a page if there is a place for it.
/// Success only if every one ended as it should.
pub async fn run(html: Option<&Path>) -> anyhow::Result<ExitCode> {
    let paint = Paint::of_stdout();
    let config = plugin_config().to_string();
    let plugin = bundled::seeded(&config, Limits::default().max_tool_retries)?;
    let manifest = plugin.describe().context("the plugin does not say who it is")?;
    let size = bundled::COMPONENT.len().div_ceil(1024);
    let description = format!("{} {}, a component of {size} KiB", manifest.name, manifest.version);
    let (events, mut told) = mpsc::unbounded_channel();
    let gateway = Arc::new(Gateway {
        hook: Some(Arc::new(plugin)),
        limits: Limits {
            attempt_timeout: Some(Duration::from_millis(ATTEMPT_TIMEOUT_MS)),
            deadline: Some(Duration::from_millis(DEADLINE_MS)),
            ..Limits::default()
        },
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Recorder(events)),
    });

    let program = std::env::current_exe().context("cannot find our own program")?;
    let (server, upstream) =
        Server::start(&[program.into_os_string(), OsString::from("flaky-server")].into())?;
    let (ours, theirs) = duplex(64 * 1024);
    // The server is a command, and believed as the proxy believes one.
    let options = RelayOptions { trusted: Some(true), ..RelayOptions::default() };
    let stop = CancellationToken::new();
    let relay = tokio::spawn(mcp::relay(gateway, options, split(theirs), upstream, stop));
    let client = ().serve(ours).await.context("no MCP session with the flaky server")?;

    let mut out = stdout();
    let server_name = client
        .peer_info()
        .and_then(|info| Some(info.server_info.as_ref()?.name.clone()))
        .unwrap_or_default();
    writeln!(out, "{}  {description}", paint.dim("plugin"))?;
    writeln!(
        out,
        "{}  {server_name}, a child process behind the proxy: {ATTEMPT_TIMEOUT_MS} ms for an attempt, {DEADLINE_MS} ms for a call",
        paint.dim("server")
    )?;

    let started = Instant::now();
    let scenes = scenes();
    let mut played = Vec::new();
    for scene in &scenes {
        played.push(play(&client, scene, &mut told, paint).await?);
    }
    client.cancel().await.context("the MCP session did not end")?;
    relay.await.context("the relay broke")?;
    server.end(tokio::time::Instant::now()).await.context("lost the flaky server")?;

    let right = played.iter().filter(|scene| scene.right).count();
    let summary = format!(
        "{right} of {} calls went as they should, in {} ms",
        scenes.len(),
        started.elapsed().as_millis()
    );
    let all_right = right == scenes.len();
    if let Some(path) = html {
        let about =
            format!("{description}, in front of a server that fails on purpose. {summary}.");
        fs::write(path, page::page(&played, &about))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    writeln!(out, "\n{}", if all_right { paint.good(summary) } else { paint.bad(summary) })?;
    writeln!(out, "In front of a server of yours:")?;
    writeln!(out, "    host-harness proxy -- npx -y @modelcontextprotocol/server-everything")?;
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays one scene.
async fn play(
    client: &Peer<RoleClient>,
    scene: &Scene,
    told: &mut mpsc::UnboundedReceiver<Event>,
    paint: Paint,
) -> anyhow::Result<Played> {
    let mut out = stdout();
    writeln!(out, "\n{}", paint.bold(scene.title))?;
    let mut request = CallToolRequestParams::new(scene.tool);
    request.arguments = scene.arguments.as_object().cloned();

    let mut timeline = Timeline::new(paint);
    let call = async {
        let answer = client.call_tool(request);
        let telling = async {
            while !timeline.seen.finished {
                let Some(event) = told.recv().await else { bail!("the gateway is gone") };
                timeline.tell(&mut out, event)?;
            }
            Ok(())
        };
        let (answer, telling) = tokio::join!(answer, telling);
        telling.map(|()| answer)
    };
    let answer = timeout(TOO_LONG, call)
        .await
        .with_context(|| format!("`{}` does not end", scene.title))??;

    let seen = timeline.seen;
    let mut faults = Vec::new();
    if seen.attempts != scene.attempts {
        faults.push(format!("{} attempts instead of {}", seen.attempts, scene.attempts));
    }
    if seen.end != Some(scene.end) {
        faults.push(format!("it ended as {:?} instead of {:?}", seen.end, scene.end));
    }
    if seen.bad_delays > 0 {
        faults.push(format!("{} delays outside of 1 ms to their ceiling", seen.bad_delays));
    }
    let text = text_of(answer);
    if text != scene.text {
        faults.push(format!("the client got {text:?} instead of {:?}", scene.text));
    }
    let mark = if faults.is_empty() { paint.good("✓") } else { paint.bad("✗") };
    writeln!(
        out,
        "  {mark} {}; the client got {}",
        timeline.ending,
        paint.dim(format!("{text:?}"))
    )?;
    for fault in &faults {
        writeln!(out, "      {}", paint.bad(fault))?;
    }
    Ok(Played {
        title: scene.title,
        events: timeline.events,
        ending: timeline.plain_ending,
        right: faults.is_empty(),
    })
}

/// The text that a person would read in the answer.
fn text_of(answer: Result<rmcp::model::CallToolResult, ServiceError>) -> String {
    match answer {
        Ok(result) => {
            let result = serde_json::to_value(result).unwrap_or(Value::Null);
            result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
        }
        Err(ServiceError::McpError(error)) => error.message.into_owned(),
        Err(error) => error.to_string(),
    }
}
