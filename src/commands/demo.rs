//! `spanseal demo`.

use std::process::ExitCode;

use crate::cli::DemoArgs;
use crate::config::Config;

/// Runs it.
pub async fn run(_args: DemoArgs, _config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`demo` is not built in yet")
}
