//! `host-harness judge`: what the plugin makes of recorded answers.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use clap::Args;
use host_harness::judge::{self, Judged, Recorded, Share, Table};
use serde_json::{Map, Value, json};

use host_harness::{bundled, gateway::sentences};

use crate::cli::{config_source::ConfigSource, plugin::complaint};

#[derive(Debug, Args)]
pub(super) struct Judge {
    /// Recorded answers, one a line of JSON: {"answer": {"kind": "result", "result": {...}}},
    /// also of kind `error` and `http`; with `class` and `pushback_ms` if they are known.
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    /// The plugin's configuration, in a file or itself; its profile `safe`, with the annotations of
    /// the file believed, if not given.
    #[arg(long, value_name = "FILE.json")]
    config: Option<ConfigSource>,
    /// Take every tool for one that is safe to call twice, so that the kind of
    /// the failure alone decides.
    #[arg(long)]
    all_safe: bool,
    /// Print one object of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: Judge) -> anyhow::Result<ExitCode> {
    let name = options.file.display().to_string();
    let text =
        fs::read_to_string(&options.file).with_context(|| format!("{name}: cannot be read"))?;
    let lines = judge::parse(&name, &text).map_err(|problem| anyhow!(problem))?;
    let mut config = match &options.config {
        Some(config) => serde_json::from_str(&config.json()?)?,
        None => json!({ "profile": "safe", "trusted_upstreams": [judge::UPSTREAM] }),
    };
    if options.all_safe
        && let Value::Object(members) = &mut config
    {
        members.insert("trusted_upstreams".to_owned(), json!([judge::UPSTREAM]));
    }
    // The ceiling is the gateway's default, as for a proxy.
    let ceiling = host_harness::gateway::Limits::default().max_tool_retries;
    let hook = bundled::seeded(&config.to_string(), ceiling)
        .map_err(|error| complaint(bundled::NAME, &error))?;
    let judged =
        judge::judge(&hook, &name, lines, options.all_safe).map_err(|problem| anyhow!(problem))?;
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{:#}", as_json(&judged))?;
    } else {
        as_text(&judged, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(judged: &[Judged]) -> Value {
    let table = Table::of(judged);
    let shares = |share: fn(&Table, Recorded) -> Share| {
        let shares =
            Recorded::ALL.map(|class| (class.name().to_owned(), json!(share(&table, class))));
        shares.into_iter().collect::<Map<_, _>>()
    };
    let mut object = shares(Table::class);
    object.insert("waits".to_owned(), json!(table.waits));
    object.insert("open".to_owned(), Value::Object(shares(Table::open)));
    let differ: Vec<_> = judged.iter().filter(|judged| judged.differs()).map(differing).collect();
    object.insert("differ".to_owned(), Value::Array(differ));
    Value::Object(object)
}

fn differing(judged: &Judged) -> Value {
    json!({
        "line": judged.number,
        "server": judged.line.server,
        "case": judged.line.case,
        "class": judged.line.class.map(Recorded::name),
        "open": judged.line.open,
        "pushback_ms": judged.line.pushback_ms,
        "retried": judged.retried(),
        "judged": class(judged),
        "reason": reason(judged),
        "wait_ms": judged.wait_ms(),
    })
}

fn class(judged: &Judged) -> String {
    format!("{:?}", judged.verdict.class).trim_start_matches("Class::").to_lowercase()
}

fn reason(judged: &Judged) -> &'static str {
    sentences::reason(judged.verdict.reason)
}

fn as_text(judged: &[Judged], out: &mut impl Write) -> io::Result<()> {
    for one in judged {
        let what = if one.retried() { "retry" } else { "     " };
        let wait = one.wait_ms().map_or_else(String::new, |time| format!(", wait {time} ms"));
        let mark = if one.differs() { "!" } else { " " };
        let (server, case) = (&one.line.server, &one.line.case);
        writeln!(out, "{mark} {what} {server}, {case}: {}{wait}", reason(one))?;
    }
    let table = Table::of(judged);
    if Recorded::ALL.iter().all(|class| table.class(*class).total + table.open(*class).total == 0) {
        return Ok(());
    }
    writeln!(out, "\n{:<10} {:>8} {:>6}   (open: retried of all)", "class", "retried", "of")?;
    for class in Recorded::ALL {
        let (share, open) = (table.class(class), table.open(class));
        let name = class.name();
        writeln!(
            out,
            "{name:<10} {:>8} {:>6}   {} of {}",
            share.retried, share.total, open.retried, open.total
        )?;
    }
    let waits = table.waits;
    writeln!(
        out,
        "waits: {} named, {} right, {} early, {} invented",
        waits.named, waits.right, waits.early, waits.invented
    )?;
    for one in judged.iter().filter(|one| one.differs()) {
        let class = one.line.class.map_or("", Recorded::name);
        let open = if one.line.open.is_some() { ", open" } else { "" };
        writeln!(
            out,
            "  line {}: {}, {} ({class}{open}): {}",
            one.number,
            one.line.server,
            one.line.case,
            reason(one)
        )?;
    }
    Ok(())
}
