//! `spanseal keygen`.

use std::process::ExitCode;

use crate::cli::KeygenArgs;
use crate::config::Config;

/// Runs it.
pub fn run(_args: &KeygenArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`keygen` is not built in yet")
}
