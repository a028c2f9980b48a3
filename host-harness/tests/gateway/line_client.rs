//! A client that speaks lines, and a relay behind it.

use std::{ffi::OsString, sync::Arc, time::Duration};

use host_harness::{
    gateway::Gateway,
    mcp::{Ended, Group, HttpUpstream, RelayOptions, Supervised, relay_to, relay_to_several},
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
    stop: CancellationToken,
}

impl LineClient {
    /// In front of a server behind a URL.
    pub fn of_url(gateway: Arc<Gateway>, url: &str) -> Self {
        Self::of_url_with(gateway, url, RelayOptions::default())
    }

    pub fn of_url_with(gateway: Arc<Gateway>, url: &str, options: RelayOptions) -> Self {
        let upstream = HttpUpstream::new(url, Default::default()).expect("a good URL");
        let (client, front) = duplex(1 << 16);
        let stop = CancellationToken::new();
        let relay = relay_to(gateway, options, split(front), upstream, stop.clone());
        Self::new(client, relay, stop)
    }

    /// In front of a command.
    pub fn of_child(gateway: Arc<Gateway>, command: Vec<OsString>) -> Self {
        Self::of_child_with(gateway, command, RelayOptions::default())
    }

    pub fn of_child_with(
        gateway: Arc<Gateway>,
        command: Vec<OsString>,
        options: RelayOptions,
    ) -> Self {
        let upstream = Supervised::start(command).expect("it starts");
        let (client, front) = duplex(1 << 16);
        let stop = CancellationToken::new();
        let relay = relay_to(gateway, options, split(front), upstream, stop.clone());
        Self::new(client, relay, stop)
    }

    /// In front of several servers that are joined.
    pub fn of_several(group: Arc<Group>) -> Self {
        let (client, front) = duplex(1 << 16);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let relay = async move {
            relay_to_several(&group, split(front), stopped).await.expect("one of them starts")
        };
        Self::new(client, relay, stop)
    }

    fn new(
        client: DuplexStream,
        relay: impl Future<Output = Ended> + Send + 'static,
        stop: CancellationToken,
    ) -> Self {
        let (from, to) = split(client);
        Self { lines: BufReader::new(from).lines(), to, relay: tokio::spawn(relay), stop }
    }

    pub async fn say(&mut self, message: Value) {
        self.to.write_all(format!("{message}\n").as_bytes()).await.expect("the relay reads");
    }

    /// Says what may be no message.
    pub async fn say_raw(&mut self, bytes: &[u8]) {
        self.to.write_all(bytes).await.expect("the relay reads");
    }

    pub async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).expect("JSON")
    }

    /// The next message as it was written.
    pub async fn hear_text(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        line.expect("text").expect("not the end")
    }

    pub async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    /// Tells the relay to stop, as a signal does.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the end of a relay that was told to stop.
    pub async fn stopped(self) {
        timeout(PATIENCE, self.relay).await.expect("an end in time").expect("no panic");
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
