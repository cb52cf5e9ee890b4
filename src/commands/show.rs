//! `spanseal show`.

use std::process::ExitCode;

use crate::cli::ShowArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: ShowArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`show` is not built in yet")
}
