//! `host-harness simulate`: a scenario, its report, and a summary for the terminal.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use host_harness::{
    bundled,
    report::{comparison_page, comparison_table, simulation_page, sparkline},
    sandbox::Component,
    simulate::{
        self, Compared, Comparison, PolicyError, PolicyResults, Progress, Results, Scenario,
        scenario::Policy, shipped,
    },
};

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// A scenario that comes with the program (see --list), or a file of one.
    #[arg(required_unless_present_any = ["list", "all"])]
    scenario: Option<String>,
    /// Play the scenarios that come with the program under the same policies,
    /// and print one table of all.
    #[arg(long, conflicts_with_all = ["scenario", "list", "print"])]
    all: bool,
    /// List the scenarios that come with the program.
    #[arg(long)]
    list: bool,
    /// Print the scenario's file, to write another one from it.
    #[arg(long)]
    print: bool,
    /// Where chance starts, in place of the scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the report goes; SCENARIO.html in this directory if not given. With
    /// --all there is none if not given.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Also write all figures as JSON.
    #[arg(long, value_name = "FILE.json")]
    json: Option<PathBuf>,
    /// Another component to simulate in place of the bundled one.
    #[arg(long, value_name = "FILE.wasm")]
    plugin: Option<PathBuf>,
}

pub(super) fn run(options: Simulate) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if options.all {
        return compare(&options, &mut out);
    }
    let Some(name) = options.scenario.as_deref().filter(|_| !options.list) else {
        for (name, text) in shipped::SCENARIOS {
            writeln!(out, "{name:<14} {}", Scenario::parse(name, text)?.title)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let (place, text) = text_of(name)?;
    if options.print {
        write!(out, "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut scenario = Scenario::parse(&place, &text)?;
    scenario.seed = options.seed.unwrap_or(scenario.seed);
    let component = component(options.plugin.as_deref())?;

    let started = Instant::now();
    let results = play(&component, &place, &scenario)?;
    let took = started.elapsed();

    let html = options.html.unwrap_or_else(|| report_file(name));
    write_file(&html, &simulation_page(&scenario, &results))?;
    if let Some(json) = &options.json {
        write_file(json, &format!("{:#}\n", serde_json::to_value(&results)?))?;
    }
    summary(&mut out, &results)?;
    if let Some(sentence) = simulate::sentence(&scenario, &results) {
        writeln!(out, "\n{sentence}")?;
    }
    let calls: u64 = results.policies.iter().flat_map(|policy| &policy.series.calls).sum();
    writeln!(
        out,
        "\n{calls} calls under {} policies in {:.1} s; report: {}",
        results.policies.len(),
        took.as_secs_f64(),
        html.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// All that come with the program and are made to be compared, in one table.
fn compare(options: &Simulate, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let component = component(options.plugin.as_deref())?;
    let policies = Policy::standard();
    let names = policies.iter().map(|policy| policy.name.clone()).collect();
    let mut comparison = Comparison { policies: names, scenarios: Vec::new() };
    for (name, text) in &shipped::SCENARIOS[..shipped::COMPARED] {
        let mut scenario = Scenario::parse(name, text)?;
        scenario.seed = options.seed.unwrap_or(scenario.seed);
        scenario.policies.clone_from(&policies);
        let results = play(&component, name, &scenario)?;
        comparison.scenarios.push(Compared::of(name, &scenario, &results));
    }
    if let Some(html) = &options.html {
        write_file(html, &comparison_page(&comparison))?;
    }
    if let Some(json) = &options.json {
        write_file(json, &format!("{:#}\n", serde_json::to_value(&comparison)?))?;
    }
    write!(out, "{}", comparison_table(&comparison))?;
    Ok(ExitCode::SUCCESS)
}

fn component(file: Option<&Path>) -> anyhow::Result<Component> {
    Ok(match file {
        Some(file) => Component::from_file(file)?,
        None => Component::from_bytes(bundled::NAME, bundled::COMPONENT)?,
    })
}

/// Plays a scenario, and says what is wrong with its policies line by line.
fn play(component: &Component, place: &str, scenario: &Scenario) -> anyhow::Result<Results> {
    let play = |progress: &Arc<Progress>| simulate::simulate(component, scenario, progress);
    with_progress(scenario, play).map_err(|PolicyError { policy, error }| {
        let lines = error.to_string();
        let lines = lines.lines().map(|line| format!("{place}: policy `{policy}`: {line}"));
        anyhow!(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// What to call a scenario in messages, and its text.
fn text_of(name: &str) -> anyhow::Result<(String, String)> {
    if let Some(text) = shipped::shipped(name) {
        return Ok((format!("{name} (bundled)"), text.to_owned()));
    }
    let looks_like_a_file = name.contains(['.', '/', '\\']);
    if !looks_like_a_file && !Path::new(name).exists() {
        let names: Vec<_> = shipped::SCENARIOS.iter().map(|(name, _)| *name).collect();
        bail!("{name}: no such scenario; there are {}, or give a file", names.join(", "));
    }
    let text = fs::read_to_string(name).with_context(|| format!("{name}: cannot be read"))?;
    Ok((name.to_owned(), text))
}

fn report_file(scenario: &str) -> PathBuf {
    let stem = Path::new(scenario).file_stem().unwrap_or_default();
    Path::new(stem).with_extension("html")
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Works, and says how far it is if a person is looking.
fn with_progress<T: Send>(scenario: &Scenario, work: impl FnOnce(&Arc<Progress>) -> T + Send) -> T {
    let progress = Arc::new(Progress::default());
    if !io::stderr().is_terminal() {
        return work(&progress);
    }
    let all = scenario.duration().as_millis() as f64
        * (scenario.policies.len() as u64 * scenario.seeds.0) as f64;
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&progress));
        while !worker.is_finished() {
            thread::sleep(Duration::from_millis(100));
            let part = 100.0 * progress.simulated_ms() as f64 / all;
            eprint!("\r{part:3.0} % simulated ");
        }
        eprint!("\r\u{1b}[K");
        match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The figures of every window, and lines over time.
fn summary(out: &mut impl Write, results: &Results) -> anyhow::Result<()> {
    const COLUMNS: usize = 40;
    writeln!(out, "{}", results.title)?;
    let width = results.policies.iter().map(|policy| policy.name.chars().count()).max();
    let width = width.unwrap_or(0).max(6);
    let windows = results.policies.first().map_or(&[][..], |policy| &policy.windows);
    for (index, window) in windows.iter().enumerate() {
        writeln!(out, "\n{} ({} calls)", window.name, window.calls)?;
        writeln!(
            out,
            "  {:<width$} {:>14} {:>8} {:>9} {:>9}",
            "policy", "attempts/call", "success", "p50 ms", "p99 ms"
        )?;
        for policy in &results.policies {
            let figures = &policy.windows[index];
            writeln!(
                out,
                "  {:<width$} {:>13.2}× {:>6.1} % {:>9.0} {:>9.0}",
                policy.name,
                figures.amplification,
                figures.success * 100.0,
                figures.p50_ms,
                figures.p99_ms
            )?;
        }
    }
    let series = |policy: &PolicyResults| {
        let most = |values: &[Option<f64>]| values.iter().flatten().fold(0.0_f64, |a, b| a.max(*b));
        let all = results.policies.iter().map(|policy| most(&policy.series.attempts_per_second));
        let top = all.fold(0.0_f64, f64::max);
        (
            sparkline(&policy.series.attempts_per_second, COLUMNS, top),
            sparkline(&policy.series.success, COLUMNS, 1.0),
        )
    };
    writeln!(out, "\n  {:<width$} {:<COLUMNS$}  success", "", "load on the server")?;
    for policy in &results.policies {
        let (load, success) = series(policy);
        writeln!(out, "  {:<width$} {load:<COLUMNS$}  {success}", policy.name)?;
    }
    Ok(())
}
