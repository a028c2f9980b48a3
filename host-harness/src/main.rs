//! The command line of the gateway: `proxy` puts it in front of a server, `demo` shows it at work.

mod bench;
mod cli;
mod colour;
mod demo;
#[cfg(unix)]
mod init;
mod memory;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    memory::give_back_large_blocks();
    run().unwrap_or_else(|error| {
        // Lines that name the place of each problem, and never a backtrace:
        // whoever reads them gave a command or wrote a file, and can mend it.
        for line in format!("{error:#}").lines() {
            eprintln!("error: {line}");
        }
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    #[cfg(unix)]
    if let Some(code) = init::first_process()? {
        return Ok(code);
    }
    cli::run(cli::Arguments::parse())
}
