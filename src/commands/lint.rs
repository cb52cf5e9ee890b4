//! `spanseal lint`: what telemetry would become. Reads files or receives, prints, stores nothing.

mod files;
mod listen;
mod print;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use super::output;
use super::read::width;
use crate::cli::{LintArgs, LintFormat};
use crate::config::Config;
use crate::lint::{Finding, Input, Linter, Report, Verdict};
use crate::promote::{ContentMode, IdentityKey, IdentityMode, Promoter};
use crate::vault::Persons;

/// Runs it.
pub async fn run(args: LintArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let linter = Arc::new(Mutex::new(Linter::new(promoter(config)?, &args.framework)));
    let inputs = match &args.listen {
        Some(endpoint) => vec![listen::receive(&args, endpoint.as_ref(), config, &linter).await?],
        None => {
            let (files, signal, there) = (args.files.clone(), args.signal, Arc::clone(&linter));
            // Reading, decompressing and promoting are no work for an async thread.
            tokio::task::spawn_blocking(move || files::read_all(&files, signal, &there)).await?
        }
    };
    let linter = Arc::try_unwrap(linter).ok().context("the receiver still runs; try again")?;
    let mut report = linter.into_inner().unwrap_or_else(PoisonError::into_inner).finish(inputs);
    let fail_on: Vec<Finding> = args.fail_on.iter().filter_map(|fail_on| fail_on.0).collect();
    judge(&mut report, &fail_on);
    match args.format {
        LintFormat::Table => output::answer(&print::text(&report, args.columns.or_else(width), &fail_on))?,
        LintFormat::Json => {
            let mut json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
            json.push('\n');
            output::answer_json(&json)?;
        }
    }
    tell_errors(&report.inputs);
    Ok(ExitCode::from(match report.verdict {
        Verdict::Fine => 0,
        Verdict::Findings => 1,
        Verdict::Unread => 2,
    }))
}

/// The promoter as `serve` would have it, except that nothing leaves this process: persons become pseudonyms under a key that is forgotten at
/// the end.
fn promoter(config: &Config) -> anyhow::Result<Promoter> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| anyhow::anyhow!("the system has no randomness to give"))?;
    let mut settings = config.promotion_settings(IdentityKey::new(key), Persons::default());
    settings.identity_mode = IdentityMode::Keyed;
    settings.content = ContentMode::Hash;
    Promoter::new(settings).map_err(|why| anyhow::anyhow!("{why}"))
}

/// The verdict, by what was to fail.
fn judge(report: &mut Report, fail_on: &[Finding]) {
    let found = fail_on.iter().map(|finding| report.totals.findings(*finding)).sum::<u64>();
    if report.verdict == Verdict::Fine && found > 0 {
        report.verdict = Verdict::Findings;
    }
}

/// What could not be read, for the person at the terminal.
fn tell_errors(inputs: &[Input]) {
    for (input, why) in inputs.iter().filter_map(|input| Some((input, input.nothing.as_ref()?))) {
        output::tell(&format!("note: {}: {why}", input.name));
    }
    for (input, error) in inputs.iter().filter_map(|input| Some((input, input.error.as_ref()?))) {
        let mut place = input.name.clone();
        if let Some(line) = error.line {
            place.push_str(&format!(", line {line}"));
        }
        match (error.at_in_line, error.at) {
            (Some(at), _) => place.push_str(&format!(", byte {at} of the line")),
            (None, Some(at)) => place.push_str(&format!(", byte {at}")),
            (None, None) => {}
        }
        let rest = if error.rest_unread { "; what follows it was not read" } else { "" };
        output::tell(&format!("error: {place}: {}{rest}", error.what));
    }
}
