//! `host-harness inspect`: what a component is, without putting it to work.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use host_harness::{contract::Manifest, sandbox::Interface};

use crate::cli::plugin::{Described, component};

pub(super) fn run(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let (place, component) = component(file)?;
    let described = Described::of(&component).with_context(|| place.clone())?;
    let mut out = io::stdout().lock();
    writeln!(out, "file      {place}")?;
    writeln!(out, "size      {} bytes", component.size())?;
    writeln!(out, "sha256    {}", component.digest())?;
    // It fits, or it would not have been loaded.
    writeln!(out, "world     mcp-gateway:hooks/retry-plugin@0.1.0")?;
    interfaces(&mut out, "imports", &component.imports())?;
    interfaces(&mut out, "exports", &component.exports())?;
    let Manifest { name, version, description, hooks } = described.manifest;
    writeln!(out, "name      {name}")?;
    writeln!(out, "version   {version}")?;
    writeln!(out, "about     {description}")?;
    writeln!(out, "hooks     {}", hooks.join(", "))?;
    writeln!(out, "schema of its configuration:\n{:#}", described.schema)?;
    Ok(ExitCode::SUCCESS)
}

/// One a line, its functions behind it.
fn interfaces(out: &mut impl Write, title: &str, interfaces: &[Interface]) -> io::Result<()> {
    let mut title = title;
    for Interface { name, functions } in interfaces {
        let colon = if functions.is_empty() { "" } else { ": " };
        writeln!(out, "{title:<10}{name}{colon}{}", functions.join(", "))?;
        title = "";
    }
    Ok(())
}
