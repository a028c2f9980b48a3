//! The built program, listening.

use std::{fs, net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::line_client::PATIENCE;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_host-harness");

/// A file for one test; `PROGRAM` in it stands for the program.
pub fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text.replace("PROGRAM", PROGRAM)).expect("a place to write");
    path.to_str().expect("a plain path").to_owned()
}

/// A gateway that listens.
pub struct Running {
    gateway: Child,
    pub address: SocketAddr,
    log: JoinHandle<Vec<String>>,
}

impl Running {
    /// Starts it and waits for the address that it tells. The environment is
    /// ours without what would change logs and spans, and with `variables`.
    pub async fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let inherited = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            name != "RUST_LOG" && !name.starts_with("OTEL_")
        });
        let mut gateway = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .envs(inherited)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(gateway.stderr.take().expect("a pipe")).lines();
        let told = async {
            let mut log = Vec::new();
            loop {
                let line = lines.next_line().await.expect("text").expect("an address");
                log.push(line.clone());
                if let Some((_, url)) = line.split_once("listening on http://") {
                    let address = url.split('/').next().and_then(|at| at.parse().ok());
                    return (log, address.expect("an address"));
                }
            }
        };
        let (mut log, address) = timeout(PATIENCE, told).await.expect("an address in time");
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.push(line);
            }
            log
        });
        Self { gateway, address, log }
    }

    /// Its process.
    #[cfg(target_os = "linux")]
    pub fn id(&self) -> u32 {
        self.gateway.id().expect("it runs")
    }

    /// Nobody reads its log any more, and it must not care.
    pub fn unheard(&self) {
        self.log.abort();
    }

    /// Tells it to read its files again.
    #[cfg(unix)]
    pub fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.gateway.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
        let id = rustix::process::Pid::from_raw(id).expect("not 0");
        rustix::process::kill_process(id, signal).expect("it lives");
    }

    /// Tells it to end, which it does as it should. Its log, if somebody read it.
    #[cfg(unix)]
    pub async fn ended(mut self) -> Vec<String> {
        self.signal(rustix::process::Signal::TERM);
        let status = timeout(PATIENCE, self.gateway.wait()).await.expect("an end in time");
        assert!(status.expect("it was ours").success());
        self.log.await.unwrap_or_default()
    }
}
