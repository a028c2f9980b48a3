//! Asking a server for its tools, through the gateway as a client would.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use host_harness::{
    contract::ToolAnnotations,
    gateway::{Gateway, InProcessBudgets, Limits, SystemClock, Unobserved},
    mcp::{self, Connected, Listed, RelayOptions, Supervised, Target},
};
use serde_json::{Value, json};
use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
        duplex, split,
    },
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a server may take to start and to list. Some are downloaded first.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pages that are asked for.
const MOST_PAGES: usize = 1_000;

type Tools = Vec<(String, ToolAnnotations)>;

/// Keeps the last whole list.
#[derive(Debug, Default)]
struct Heard(Mutex<Tools>);

impl Listed for Heard {
    fn listed(&self, tools: &dyn Fn() -> Tools) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tools();
    }
}

/// The tools of a server, by name, as the gateway itself reads them.
pub(super) async fn tools(target: Target) -> anyhow::Result<Tools> {
    let heard = Arc::new(Heard::default());
    let options = RelayOptions { listed: Some(heard.clone()), ..RelayOptions::default() };
    let gateway = Arc::new(Gateway {
        hook: None,
        limits: Limits::default(),
        budgets: Arc::new(InProcessBudgets::default()),
        clock: Arc::new(SystemClock::new()),
        observer: Arc::new(Unobserved),
    });
    let upstream: Connected = match target {
        Target::Url(upstream) => upstream.into(),
        Target::Command(command) => Supervised::start(command)?.into(),
    };
    let (ours, theirs) = duplex(64 * 1024);
    let (stop, front) = (CancellationToken::new(), split(theirs));
    let relay = tokio::spawn(mcp::relay_to(gateway, options, front, upstream, stop));
    let (reading, writing) = split(ours);
    let mut client = Client { answers: BufReader::new(reading).lines(), writing, asked: 0 };
    let listed = timeout(PATIENCE, client.list()).await;
    // It ends with its client; the server gets the time that it always gets.
    drop(client);
    relay.await.context("the relay broke")?;
    listed
        .with_context(|| format!("the server did not answer within {} s", PATIENCE.as_secs()))??;
    let tools = std::mem::take(&mut *heard.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(tools)
}

/// A client on lines, which knows as much as it takes to list.
struct Client {
    answers: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writing: WriteHalf<DuplexStream>,
    asked: u64,
}

impl Client {
    /// Reads the list to its end, in a session or, from a server that knows none, without.
    async fn list(&mut self) -> anyhow::Result<()> {
        let client = json!({ "name": "host-harness", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client,
        });
        let meta = if self.ask("initialize", hello).await?.is_ok() {
            self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
            None
        } else {
            Some(json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": client,
                "io.modelcontextprotocol/clientCapabilities": {},
            }))
        };
        let mut cursor = Value::Null;
        for _ in 0..MOST_PAGES {
            let mut params = json!({});
            if let Some(meta) = &meta {
                params["_meta"] = meta.clone();
            }
            if !cursor.is_null() {
                params["cursor"] = cursor;
            }
            let page = self.ask("tools/list", params).await?;
            let mut page = page.map_err(|error| {
                let told = error["message"].as_str().unwrap_or_default();
                anyhow::anyhow!("the server does not list its tools: {}", told.escape_debug())
            })?;
            cursor = page["nextCursor"].take();
            if cursor.is_null() {
                return Ok(());
            }
        }
        bail!("the server's list of tools does not end")
    }

    /// The result, or the error.
    async fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<Result<Value, Value>> {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        loop {
            let line = self.answers.next_line().await?;
            let line = line.with_context(|| format!("the server ended before `{method}`"))?;
            let mut message: Value = serde_json::from_str(&line)?;
            if message.get("method").is_some() || message["id"] != id {
                continue;
            }
            return Ok(match message.get_mut("error") {
                Some(error) => Err(error.take()),
                None => Ok(message["result"].take()),
            });
        }
    }

    async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        self.writing
            .write_all(format!("{message}\n").as_bytes())
            .await
            .context("the server ended before it was asked")
    }
}
