//! `spanseal collector filter`: prints what makes a Collector pass on what `serve` would promote with this configuration.

use std::process::ExitCode;

use crate::cli::{CollectorFilterArgs, FilterFormat};
use crate::collector::filter;
use crate::commands::output;
use crate::config::Config;

/// Runs it.
pub(super) fn run(args: &CollectorFilterArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let conditions = config.collector_filter().map_err(|why| anyhow::anyhow!("{why}"))?;
    let text = match args.format {
        FilterFormat::Yaml if args.everything => filter::everything(),
        FilterFormat::Yaml => filter::configuration(&conditions),
        FilterFormat::Conditions => filter::conditions(&conditions),
    };
    output::answer_bytes(text.as_bytes())?;
    if !args.everything {
        for sentence in &conditions.wider {
            output::tell(&format!("note: passes more than is promoted: {sentence}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
