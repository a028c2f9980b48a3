//! `host-harness check`: does a component keep the contract?

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use host_harness::sandbox::{
    Options,
    conformance::{self, Check},
};

use crate::cli::{config_source::ConfigSource, plugin::component};

pub(super) fn run(file: Option<&Path>, config: Option<&ConfigSource>) -> anyhow::Result<ExitCode> {
    let (place, component) = component(file)?;
    let mut options = Options::default();
    if let Some(config) = config {
        options.config = config.json()?;
    }
    let checks = conformance::run(&component, &options);
    let mut out = io::stdout().lock();
    writeln!(out, "{place}, sha256 {}", component.digest())?;
    writeln!(out, "  ok    it is a component that imports and exports what the contract says")?;
    for Check { name, outcome } in &checks {
        match outcome {
            Ok(()) => writeln!(out, "  ok    it {name}")?,
            Err(problem) => writeln!(out, "  FAIL  it {name}\n        {problem}")?,
        }
    }
    let failed = checks.iter().filter(|check| check.outcome.is_err()).count();
    let checked = checks.len() + 1;
    if failed == 0 {
        writeln!(out, "it keeps the contract: {checked} of {checked} checks passed")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "it breaks the contract: {failed} of {checked} checks failed")?;
    Ok(ExitCode::FAILURE)
}
