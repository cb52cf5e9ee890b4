//! `spanseal prove`.

use std::process::ExitCode;

use crate::cli::ProveArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: ProveArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`prove` is not built in yet")
}
