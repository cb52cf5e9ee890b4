//! `spanseal hold`: legal holds on what holds matching records.

mod list;
mod place;
mod release;

use std::process::ExitCode;

use crate::cli::HoldCommand;
use crate::config::Config;

/// Runs it.
pub async fn run(command: HoldCommand, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        HoldCommand::Place(args) => Box::pin(place::run(&args, config)).await,
        HoldCommand::Release(args) => Box::pin(release::run(&args, config)).await,
        HoldCommand::List(args) => Box::pin(list::run(&args, config)).await,
    }
}
