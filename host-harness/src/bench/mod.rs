//! `host-harness bench`: what a decision costs, beside the same policy without
//! a sandbox, an empty component call, and the peer, all in one run by one clock.

mod cases;
mod compare;
mod concurrent;
mod figure;
mod floor;
mod memory;
mod native;
mod peer;
mod sequential;
mod table;

use std::{
    fs,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;

use crate::bench::figure::Run;

/// What to measure, and where the figures go.
#[derive(Debug)]
pub struct Options {
    /// A few samples of everything, to see that it works.
    pub quick: bool,
    /// Python with the peer; none to leave it out.
    pub python: Option<PathBuf>,
    /// Where the figures go.
    pub json: PathBuf,
    /// An earlier run.
    pub compare: Option<PathBuf>,
}

/// How much is measured of everything.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Samples of each case.
    pub samples: usize,
    /// Milliseconds that one sample takes at least.
    pub sample_ms: u64,
    /// Rounds of the concurrent scenario, and how often it is measured.
    pub rounds: usize,
    /// Calls that are alive at a time.
    pub live: u32,
    /// Calls that are abandoned.
    pub abandoned: u32,
}

impl Effort {
    const FULL: Self =
        Self { samples: 41, sample_ms: 5, rounds: 150, live: 100_000, abandoned: 1_000_000 };
    const QUICK: Self =
        Self { samples: 3, sample_ms: 1, rounds: 1, live: 2_000, abandoned: 20_000 };
}

/// Measures everything and tells it.
pub fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let earlier = match &options.compare {
        Some(path) => Some(Run::read(path)?),
        None => None,
    };
    if cfg!(debug_assertions) {
        writeln!(out, "This is a debug build: its figures say nothing. Build with --release.\n")?;
    }
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let mut run = Run::new(options.quick);
    stage("one decision after the other");
    run.figures.extend(sequential::measure(effort)?);
    stage("threads");
    run.figures.extend(concurrent::measure(effort)?);
    stage("memory");
    run.figures.extend(memory::measure(effort)?);
    match &options.python {
        Some(python) => {
            stage("the peer; where it hangs it is given up after 30 s");
            run.peer = peer::measure(python, effort, &mut run.figures);
        }
        None => run.peer = "left out (--no-peer)".to_owned(),
    }
    stage("");
    let json = serde_json::to_string_pretty(&run).context("figures are JSON")?;
    let place = options.json.display();
    fs::write(&options.json, json + "\n").with_context(|| format!("{place}: cannot be written"))?;
    table::print(&run, out)?;
    if let Some(earlier) = &earlier {
        compare::print(earlier, &run, out)?;
    }
    writeln!(out, "\nwritten to {place}")?;
    Ok(ExitCode::SUCCESS)
}

/// Says what is being measured, if a person is looking.
fn stage(name: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // Nobody is served by a benchmark that ends because its progress cannot be shown.
        let _ = write!(stderr, "\r{name}\u{1b}[K");
    }
}
