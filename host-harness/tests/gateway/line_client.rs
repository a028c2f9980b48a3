//! A client that speaks lines, and a relay behind it.

use std::{ffi::OsString, sync::Arc, time::Duration};

use host_harness::{
    gateway::Gateway,
    mcp::{Ended, HttpUpstream, RelayOptions, Supervised, relay_to_child, relay_to_http},
};
use serde_json::Value;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
        duplex, split,
    },
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct LineClient {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    to: WriteHalf<DuplexStream>,
    relay: JoinHandle<Ended>,
}

impl LineClient {
    /// In front of a server behind a URL.
    pub fn of_url(gateway: Arc<Gateway>, url: &str) -> Self {
        let upstream = HttpUpstream::new(url, Default::default()).expect("a good URL");
        let (client, front) = duplex(1 << 16);
        let (options, stop) = (RelayOptions::default(), CancellationToken::new());
        Self::new(client, relay_to_http(gateway, options, split(front), upstream, stop))
    }

    /// In front of a command.
    pub fn of_child(gateway: Arc<Gateway>, command: Vec<OsString>) -> Self {
        let upstream = Supervised::start(command).expect("it starts");
        let (client, front) = duplex(1 << 16);
        let (options, stop) = (RelayOptions::default(), CancellationToken::new());
        Self::new(client, relay_to_child(gateway, options, split(front), upstream, stop))
    }

    fn new(client: DuplexStream, relay: impl Future<Output = Ended> + Send + 'static) -> Self {
        let (from, to) = split(client);
        Self { lines: BufReader::new(from).lines(), to, relay: tokio::spawn(relay) }
    }

    pub async fn say(&mut self, message: Value) {
        self.to.write_all(format!("{message}\n").as_bytes()).await.expect("the relay reads");
    }

    pub async fn hear(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        serde_json::from_str(&line.expect("text").expect("not the end")).expect("JSON")
    }

    pub async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    /// Waits for an end that the upstream brings about.
    pub async fn abandoned(self) {
        let ended = timeout(PATIENCE, self.relay).await.expect("an end in time");
        assert_eq!(ended.expect("no panic"), Ended::ByUpstream);
    }

    /// Closes its side and waits for the relay to end.
    pub async fn leave(mut self) {
        self.to.shutdown().await.expect("the relay reads");
        drop(self.to);
        timeout(PATIENCE, self.relay).await.expect("an end in time").expect("no panic");
    }
}
