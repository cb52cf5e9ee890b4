//! `spanseal check`.

use std::process::ExitCode;

use crate::cli::CheckArgs;

/// Runs it.
pub fn run(_args: &CheckArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`check` is not built in yet")
}
