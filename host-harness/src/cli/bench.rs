//! `host-harness bench`.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::bench;

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// A glance at everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// The Python that has the original plugin (`pip install cpex-retry-with-backoff`);
    /// without it, it is left out.
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Leave the original plugin out.
    #[arg(long)]
    no_peer: bool,
    /// Where the figures go.
    #[arg(long, value_name = "FILE.json", default_value = "bench.json")]
    json: PathBuf,
    /// Say what became faster or slower since an earlier run.
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
}

pub(super) fn run(options: Bench) -> anyhow::Result<ExitCode> {
    let python = (!options.no_peer).then_some(options.python);
    let Bench { quick, json, compare, .. } = options;
    bench::run(&bench::Options { quick, python, json, compare }, &mut io::stdout().lock())
}
