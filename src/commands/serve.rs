//! `spanseal serve`: prints its configuration, or serves until told to stop.

use std::process::ExitCode;

use super::output;
use crate::cli::ServeArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(args: ServeArgs, config: Config) -> anyhow::Result<ExitCode> {
    if let Some(format) = args.print_config {
        output::answer(&config.print(format.into()))?;
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::bail!("`serve` is not built in yet")
}
