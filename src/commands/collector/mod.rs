//! `spanseal collector`: for the OpenTelemetry Collectors before us.

mod check;
mod example;
mod filter;

use std::process::ExitCode;

use crate::cli::CollectorCommand;
use crate::config::Config;

/// Runs one of its commands.
pub fn run(command: CollectorCommand, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        CollectorCommand::Filter(args) => filter::run(&args, config),
        CollectorCommand::Check(args) => check::run(&args, config),
        CollectorCommand::Example(args) => example::run(&args),
    }
}
