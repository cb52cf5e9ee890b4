//! `spanseal query`.

use std::process::ExitCode;

use crate::cli::QueryArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: QueryArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`query` is not built in yet")
}
