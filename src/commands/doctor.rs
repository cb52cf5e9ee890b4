//! `spanseal doctor`.

use std::process::ExitCode;

use crate::cli::DoctorArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: DoctorArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`doctor` is not built in yet")
}
