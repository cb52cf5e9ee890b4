//! `spanseal verify`.

use std::process::ExitCode;

use crate::cli::VerifyArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: VerifyArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`verify` is not built in yet")
}
