//! `spanseal attributes`: the reference for application developers, out of the tables of this very program.

use std::process::ExitCode;

use super::output;
use crate::cli::{AttributesArgs, AttributesFormat};
use crate::lint::reference;

/// Runs it.
pub fn run(args: &AttributesArgs) -> anyhow::Result<ExitCode> {
    match args.format {
        AttributesFormat::Markdown => output::answer(&reference::markdown())?,
        AttributesFormat::Json => output::answer_json(&reference::json()?)?,
    }
    Ok(ExitCode::SUCCESS)
}
