//! Ten thousand clients that have a session and an open stream, and say nothing:
//! what each costs the gateway in memory, and whether a call still goes through.
//!
//!     cargo bench --package host-harness --bench idle_clients [-- COUNT]
//!
//! The gateway is a process of its own; its server, which offers no streams, and
//! the clients are in this one. Ends after two minutes at the latest.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::header, routing::post};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::timeout,
};

/// The gateway's own limit of sessions for a URL.
const CLIENTS: usize = 10_000;
/// Clients that arrive at the same time.
const AT_A_TIME: usize = 64;
const AT_MOST: Duration = Duration::from_secs(120);

/// A client's connection.
struct Client {
    stream: BufReader<TcpStream>,
    session: Option<String>,
}

/// An answer's head, and its body unless that is a stream.
struct Answer {
    status: u16,
    session: Option<String>,
    is_stream: bool,
    body: String,
}

impl Client {
    async fn connect(gateway: SocketAddr) -> Self {
        let stream = TcpStream::connect(gateway).await.expect("the gateway listens");
        Self { stream: BufReader::with_capacity(256, stream), session: None }
    }

    async fn ask(&mut self, method: &str, body: &str) -> Answer {
        let session = self.session.as_ref().map(|name| format!("mcp-session-id: {name}\r\n"));
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, \
             text/event-stream\r\ncontent-type: application/json\r\n{}content-length: {}\r\n\r\n{body}",
            session.unwrap_or_default(),
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.expect("the gateway reads");
        self.answer().await
    }

    async fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.expect("a status line");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let (mut session, mut length, mut is_stream) = (None, 0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name {
                "mcp-session-id" => session = Some(value.to_owned()),
                "content-length" => length = value.parse().expect("a length"),
                "content-type" => is_stream = value.starts_with("text/event-stream"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a body");
        let body = String::from_utf8(body).expect("text");
        Answer { status, session, is_stream, body }
    }

    /// Begins a session.
    async fn begin(gateway: SocketAddr) -> (Self, Answer) {
        let mut client = Self::connect(gateway).await;
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "idle", "version": "1" } } });
        let answer = client.ask("POST", &initialize.to_string()).await;
        client.session = answer.session.clone();
        (client, answer)
    }

    /// Begins a session and listens.
    async fn listen(gateway: SocketAddr) -> Self {
        let (mut client, answer) = Self::begin(gateway).await;
        assert!(client.session.is_some(), "{}: {}", answer.status, answer.body);
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(client.ask("POST", &initialized.to_string()).await.status, 202);
        let stream = client.ask("GET", "").await;
        assert!(stream.status == 200 && stream.is_stream, "{}: {}", stream.status, stream.body);
        client
    }

    /// Whether the stream is still open: there is nothing to read, not even an end.
    fn is_open(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0; 1]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// A server of 2025-11-25 whose sessions all have one name.
async fn server() -> SocketAddr {
    let answer = async |body: Bytes| {
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "content": [] });
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        let status = if request["id"].is_null() { 202 } else { 200 };
        let status = axum::http::StatusCode::from_u16(status).expect("a status");
        let headers =
            [(header::CONTENT_TYPE.as_str(), "application/json"), ("mcp-session-id", "s")];
        (status, headers, if status == 202 { String::new() } else { answer.to_string() })
    };
    let app = axum::Router::new().route("/mcp", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn gateway(server: SocketAddr) -> (Child, SocketAddr) {
    let url = format!("http://{server}/mcp");
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_host-harness"))
        .args(["proxy", "--listen", "127.0.0.1:0", "--upstream-url", &url])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(gateway.stderr.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await.expect("text") {
        if let Some((_, url)) = line.split_once("listening on http://") {
            let address = url.split('/').next().and_then(|address| address.parse().ok());
            // What it says later is nobody's to read, but its to say.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (gateway, address.expect("an address"));
        }
    }
    panic!("the gateway ends before it listens");
}

/// The resident memory of a process in KiB; 0 where nobody tells (not Linux).
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Raises the limit of open files, here and for the gateway, as far as may be;
/// the clients that there is room for.
fn room(wanted: usize) -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // If not, there is room for fewer.
        let _ = setrlimit(Resource::Nofile, limit);
        let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        wanted.min(usize::try_from(open).unwrap_or(usize::MAX).saturating_sub(500))
    }
    #[cfg(not(unix))]
    wanted
}

async fn run(clients: usize) {
    let (gateway, address) = gateway(server().await).await;
    let process = gateway.id().expect("it runs");
    // Code and connections that every session shares are there after the first.
    let first = Client::listen(address).await;
    let before = resident_kib(process);
    let begun = Instant::now();
    let mut idle: Vec<_> = stream::iter(1..clients)
        .map(|_| Client::listen(address))
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    idle.push(first);
    let (took, after) = (begun.elapsed().as_secs_f64(), resident_kib(process));
    let each = after.saturating_sub(before) as f64 / (clients - 1) as f64;
    println!(
        "{clients} idle clients in {took:.1} s: {each:.1} KiB each in the gateway, {} MiB in all",
        after / 1024
    );
    if clients == CLIENTS {
        let (_, answer) = Client::begin(address).await;
        assert_eq!(answer.status, 503, "one more than the limit: {}", answer.body);
    }
    let begun = Instant::now();
    for one in [0, clients / 2, clients - 1] {
        let mut caller = Client::connect(address).await;
        caller.session = idle[one].session.clone();
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "t", "arguments": {} } });
        let answer = caller.ask("POST", &call.to_string()).await;
        assert!(answer.body.contains("\"result\""), "{}: {}", answer.status, answer.body);
    }
    println!("three calls among them: {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    let open = idle.iter().filter(|client| client.is_open()).count();
    assert_eq!(open, clients, "streams that are still open");
}

#[tokio::main]
async fn main() {
    let wanted = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CLIENTS);
    let clients = room(wanted);
    if clients < wanted {
        println!("only {clients} clients: each needs a file descriptor, see `ulimit -Hn`");
    }
    timeout(AT_MOST, run(clients.max(2))).await.expect("done within two minutes");
}
