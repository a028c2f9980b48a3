//! What the gateway adds to a `tools/call` over Streamable HTTP: directly, through
//! the gateway without a plugin, and with it, in one run, in turns.
//!
//!     cargo bench --package host-harness --bench overhead
//!
//! Server, gateway and clients share this process and its cores, so the figures
//! are for comparison with each other only. At the end: what sessions cost that
//! nobody uses.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Bytes, http::header, routing::post};
use host_harness::{
    bundled,
    contract::{Invocation, MostRetries, Outcome, Verdict},
    gateway::{Background, CallContext, Gateway, Hook, Limits, RetryHook, SystemClock, Unobserved},
    mcp::{
        HttpUpstream, RelayOptions, Target,
        front::http::{Admission, FrontLimits, HttpFront, Service},
    },
    sandbox::{Component, HookFailure, Options, Plugin},
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 10;
/// Calls of all clients together in one round.
const CALLS: usize = 2_000;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}"#;

/// A plugin, and the time that it has taken.
struct Timed {
    plugin: Plugin,
    nanos: AtomicU64,
    verdicts: AtomicU64,
}

impl RetryHook for Timed {
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        let begun = Instant::now();
        let verdict = self.plugin.judge(hook, invocation, outcome, background);
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(took, Ordering::Relaxed);
        self.verdicts.fetch_add(1, Ordering::Relaxed);
        verdict
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<MostRetries, HookFailure> {
        let begun = Instant::now();
        let retries = self.plugin.retries(hook, target, context);
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(took, Ordering::Relaxed);
        retries
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext) {
        self.plugin.forget(hook, target, request_id, context);
    }
}

/// A server that answers every call at once.
async fn server() -> SocketAddr {
    let answer = async |body: Bytes| {
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        let text = "x".repeat(200);
        let result = serde_json::json!({ "content": [{ "type": "text", "text": text }] });
        let answer = serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        ([(header::CONTENT_TYPE, "application/json")], answer.to_string())
    };
    let app = axum::Router::new().route("/mcp", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn front(server: SocketAddr, hook: Option<Arc<dyn RetryHook>>) -> SocketAddr {
    let url = format!("http://{server}/mcp");
    let gateway = Arc::new(Gateway {
        hook,
        limits: Limits::default(),
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    });
    let target = Target::Url(HttpUpstream::new(&url, Default::default()).expect("a good URL"));
    let relaying = RelayOptions::default();
    let service = Service { gateway, relaying, target, pass_headers: Vec::new() };
    let front = HttpFront {
        services: [("server".to_owned(), service)].into(),
        admission: Admission::default(),
        limits: FrontLimits::default(),
        metrics: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(front.serve(listener, CancellationToken::new()));
    address
}

/// Calls from so many clients at once, each with a connection of its own.
async fn round(address: SocketAddr, clients: usize, calls: usize) -> Vec<Duration> {
    let mut working = JoinSet::new();
    for _ in 0..clients {
        working.spawn(async move {
            let http: Client<HttpConnector, Full<Bytes>> =
                Client::builder(TokioExecutor::new()).build(HttpConnector::new());
            let mut took = Vec::with_capacity(calls / clients);
            // The first call connects, and is not counted.
            for number in 0..=calls / clients {
                let request = Request::post(format!("http://{address}/mcp"))
                    .header("content-type", "application/json")
                    .header("accept", "application/json, text/event-stream")
                    .body(Full::from(CALL))
                    .expect("a request");
                let begun = Instant::now();
                let answer = http.request(request).await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
                let body = answer.into_body().collect().await.expect("a body").to_bytes();
                assert!(body.windows(8).any(|part| part == b"\"result\""));
                if number > 0 {
                    took.push(begun.elapsed());
                }
            }
            took
        });
    }
    working.join_all().await.concat()
}

/// Begins sessions that nobody uses, and says what each costs in memory.
async fn idle_sessions(address: SocketAddr, count: usize) {
    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    let http: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let before = resident_kib();
    for _ in 0..count {
        let request = Request::post(format!("http://{address}/mcp"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Full::from(INITIALIZE))
            .expect("a request");
        let answer = http.request(request).await.expect("an answer");
        assert!(answer.headers().contains_key("mcp-session-id"), "{}", answer.status());
        answer.into_body().collect().await.expect("a body");
    }
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        let each = after.saturating_sub(before) as f64 / count as f64;
        println!("{count} idle sessions: {each:.1} KiB each");
    }
}

/// The resident memory of this process, where the system tells (Linux).
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn percentile(sorted: &[Duration], percent: usize) -> u128 {
    sorted[(sorted.len() - 1) * percent / 100].as_micros()
}

#[tokio::main]
async fn main() {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("bundled");
    let options = Options { config: r#"{"profile":"safe"}"#.to_owned(), ..Options::default() };
    let plugin = Plugin::start(&component, options).expect("a good configuration");
    let timed = Arc::new(Timed { plugin, nanos: AtomicU64::new(0), verdicts: AtomicU64::new(0) });
    let direct = server().await;
    let off = front(direct, None).await;
    let on = front(direct, Some(timed.clone())).await;
    println!("clients  way      p50 µs  p99 µs  plugin's share");
    for clients in [1, 64] {
        let ways = [("direct", direct), ("off", off), ("plugin", on)];
        let mut took = [const { Vec::new() }; 3];
        for (_, address) in ways {
            round(address, clients, CALLS / 4).await;
        }
        let before = timed.nanos.load(Ordering::Relaxed);
        for _ in 0..ROUNDS {
            for (way, (_, address)) in ways.into_iter().enumerate() {
                took[way].extend(round(address, clients, CALLS).await);
            }
        }
        let in_plugin = Duration::from_nanos(timed.nanos.load(Ordering::Relaxed) - before);
        for ((name, _), mut took) in ways.into_iter().zip(took) {
            let whole: Duration = took.iter().sum();
            took.sort_unstable();
            let share = if name == "plugin" {
                format!("{:.2} %", 100.0 * in_plugin.as_secs_f64() / whole.as_secs_f64())
            } else {
                String::new()
            };
            let (p50, p99) = (percentile(&took, 50), percentile(&took, 99));
            println!("{clients:>7}  {name:<7}  {p50:>6}  {p99:>6}  {share}");
        }
    }
    idle_sessions(on, 9_999).await;
    assert!(timed.verdicts.load(Ordering::Relaxed) > 0, "the plugin was asked");
}
