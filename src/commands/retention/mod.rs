//! `spanseal retention`: what is kept for how long, why, and what a change would mean before it is irreversible.

mod extend;
mod plan;
mod presets;
mod status;

use std::process::ExitCode;

use crate::cli::RetentionCommand;
use crate::config::Config;

/// Runs it.
pub async fn run(command: RetentionCommand, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        RetentionCommand::Presets(args) => presets::run(&args),
        RetentionCommand::Extend(args) => Box::pin(extend::run(&args, config)).await,
        RetentionCommand::Plan(args) => Box::pin(plan::run(&args, config)).await,
        RetentionCommand::Status(args) => Box::pin(status::run(&args, config)).await,
    }
}
