//! The peer, in a Python process of its own that times itself by the same clock.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{
    Effort,
    concurrent::{THREADS, WATCHDOG},
    figure::{Figure, Unit},
};

const SCRIPT: &str = include_str!("peer.py");

#[derive(Deserialize)]
struct Told {
    version: String,
    framework: String,
    #[serde(default)]
    figures: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    nanoseconds: f64,
    #[serde(default)]
    decisions: f64,
}

/// Measures the peer if it is there. Returns its versions, or why there is nothing.
pub fn measure(python: &Path, effort: Effort, figures: &mut Vec<Figure>) -> String {
    let arguments =
        ["sequential".to_owned(), effort.samples.to_string(), effort.sample_ms.to_string()];
    let told = match ask(python, &arguments) {
        Ok(told) => told,
        Err(error) => return format!("not measured: {error:#}"),
    };
    for (name, samples) in told.figures {
        if !samples.is_empty() {
            figures.push(Figure::of(name, Unit::Nanoseconds, samples));
        }
    }
    let mut about = format!("cpex-retry-with-backoff {}, cpex {}", told.version, told.framework);
    for threads in THREADS {
        let arguments = ["concurrent".to_owned(), threads.to_string(), effort.rounds.to_string()];
        match ask(python, &arguments) {
            Ok(told) => figures.push(Figure::exact(
                format!("peer concurrent/{threads} threads"),
                Unit::PerSecond,
                told.decisions * 1e9 / told.nanoseconds,
            )),
            Err(error) => about += &format!("; {threads} threads: {error:#}"),
        }
    }
    about
}

/// Runs the script and reads what it tells, unless it takes too long.
fn ask(python: &Path, arguments: &[String]) -> anyhow::Result<Told> {
    let mut child = Command::new(python)
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} does not start", python.display()))?;
    // Python reads all of its script before it runs a line of it.
    let mut script = child.stdin.take().context("no pipe")?;
    script.write_all(SCRIPT.as_bytes()).context("it does not read its script")?;
    drop(script);
    let stdout = drain(child.stdout.take().context("no pipe")?);
    let stderr = drain(child.stderr.take().context("no pipe")?);
    let status = ended(&mut child)?;
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    if !status.success() {
        let last = stderr.lines().last().unwrap_or("no message").to_owned();
        bail!("{last}");
    }
    serde_json::from_str(&stdout).context("it tells no figures")
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        // What came before an error is still worth showing.
        let _ = pipe.read_to_string(&mut text);
        text
    })
}

/// Waits for the end, or kills it when the watchdog barks.
fn ended(child: &mut Child) -> anyhow::Result<std::process::ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > WATCHDOG {
            child.kill()?;
            child.wait()?;
            bail!("hangs (killed after {} s)", WATCHDOG.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
