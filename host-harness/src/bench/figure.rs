//! Figures, and the runs that they belong to.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds of one decision; less is better.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Decisions in a second, of all threads together; more is better.
    #[serde(rename = "decisions/s")]
    PerSecond,
    /// Bytes; less is better.
    #[serde(rename = "bytes")]
    Bytes,
}

/// What was measured, with its spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// `who/what`.
    pub name: String,
    /// Of the three numbers.
    pub unit: Unit,
    /// Half of the samples are below.
    pub median: f64,
    /// A quarter of the samples is below.
    pub low: f64,
    /// A quarter of the samples is above.
    pub high: f64,
}

/// All that one run measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// The form of this file.
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// Whether its build was optimized.
    pub optimized: bool,
    /// Whether little was measured (`--quick`).
    pub quick: bool,
    /// Cores of the machine.
    pub cores: usize,
    /// Versions of the peer, or why it was not measured.
    pub peer: String,
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
}

const FORMAT: u32 = 1;

impl Run {
    pub fn new(quick: bool) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            optimized: !cfg!(debug_assertions),
            quick,
            cores: thread::available_parallelism().map_or(1, usize::from),
            peer: String::new(),
            figures: Vec::new(),
        }
    }

    /// An earlier run's file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let place = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("{place}: cannot be read"))?;
        let run: Self = serde_json::from_str(&text)
            .with_context(|| format!("{place}: no figures of `host-harness bench`"))?;
        if run.format != FORMAT {
            bail!("{place}: format {} instead of {FORMAT}", run.format);
        }
        let names: BTreeSet<_> = run.figures.iter().map(|figure| &figure.name).collect();
        if names.len() != run.figures.len() {
            bail!("{place}: a figure is there twice");
        }
        Ok(run)
    }

    /// The figure of this name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

impl Figure {
    /// From samples, of which there must be one.
    pub fn of(name: impl Into<String>, unit: Unit, mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| samples[((samples.len() - 1) as f64 * part).round() as usize];
        Self { name: name.into(), unit, median: at(0.5), low: at(0.25), high: at(0.75) }
    }

    /// Something that is counted and not sampled.
    pub fn exact(name: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { name: name.into(), unit, median: value, low: value, high: value }
    }
}

/// Times a call: so many samples, each of as many calls as fill its time.
/// `call` is given numbers from 0 on.
pub fn nanoseconds(
    name: impl Into<String>,
    effort: super::Effort,
    mut call: impl FnMut(u64),
) -> Figure {
    let mut number = 0;
    let mut batch = |calls: u64| {
        let start = Instant::now();
        for _ in 0..calls {
            call(number);
            number += 1;
        }
        start.elapsed()
    };
    let mut calls: u64 = 1;
    while batch(calls).as_millis() < u128::from(effort.sample_ms) {
        calls = calls.saturating_mul(2);
    }
    let sample = |_| batch(calls).as_nanos() as f64 / calls as f64;
    Figure::of(name, Unit::Nanoseconds, (0..effort.samples).map(sample).collect())
}
