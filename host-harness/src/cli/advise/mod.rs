//! `host-harness advise`: from a log of calls to a configuration.

mod json;
mod table;

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use host_harness::{
    advise::{Trace, advise},
    bundled,
    sandbox::Component,
};

use crate::cli::{Limits, plugin};

#[derive(Debug, Args)]
pub(super) struct Advise {
    /// The log that `host-harness proxy --trace FILE` wrote; may be given again
    /// for the files that were set aside (`FILE.1`).
    #[arg(long, value_name = "TRACE.jsonl", required = true)]
    from: Vec<PathBuf>,
    /// A tool that may be called twice (`idempotent: true`), or `UPSTREAM/TOOL`;
    /// may be given again.
    #[arg(long, value_name = "TOOL")]
    idempotent: Vec<String>,
    /// Print one JSON object in place of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: Limits,
}

pub(super) fn run(options: Advise) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &options.from {
        let place = path.display().to_string();
        let text = fs::read(path).with_context(|| format!("{place}: cannot be read"))?;
        files.push((place, text));
    }
    let named: Vec<_> = files.iter().map(|(place, text)| (place.as_str(), &text[..])).collect();
    let trace = Trace::parse_all(&named)?;
    for place in &trace.cut_off {
        tracing::warn!("{place}: this line was not written to its end, and is left out");
    }
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
    let advice = advise(&component, &trace, &options.idempotent, options.limits.into())
        .map_err(|error| plugin::complaint(&files[0].0, &error))?;
    let out = &mut io::stdout().lock();
    if options.json {
        writeln!(out, "{:#}", json::of(&advice, &trace))?;
    } else {
        table::print(out, &advice)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What to do about a log that says nothing of retries.
const NO_RETRIES: &str = "This log holds no retries: nothing in it says whether another attempt would have \
helped,\nso no saving is promised. Let the gateway retry for a day what is surely not executed or \
safe\nto repeat (`--profile safe`, which is what it does by itself, with `--idempotent TOOL` for \
tools\nthat may be called twice), write a log of that with `--trace`, and ask again.";
