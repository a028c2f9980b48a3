//! The command line of the gateway: `proxy` puts it in front of a server, `demo` shows it at work.

mod bench;
mod cli;
mod colour;
mod demo;

use std::process::ExitCode;

use clap::Parser;

/// A fifth of what a call costs is spent in the allocator, and glibc's keeps more
/// of large blocks the longer they were. This one took a seventh less for a call
/// (`benches/hop/run`, the same build with either).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::run(arguments).unwrap_or_else(|error| {
        // Lines that name the place of each problem, and never a backtrace:
        // whoever reads them gave a command or wrote a file, and can mend it.
        for line in format!("{error:#}").lines() {
            eprintln!("error: {line}");
        }
        ExitCode::FAILURE
    })
}
