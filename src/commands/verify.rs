//! `spanseal verify`: re-derives everything and says what is not as it was signed.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{output, read};
use crate::cli::VerifyArgs;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::verify::{Options, Progress, verify};

/// Runs it.
pub async fn run(args: VerifyArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let store = read::store(config).await?;
    let bar = Bar::new();
    let show = |at: &Progress<'_>| bar.show(at);
    let committed = read::committed(&args.keys, config);
    let pinned = args.keys.vkey;
    // Whoever names a configuration and brings no key means the log of that configuration; else every log of the store is looked at.
    let logs = if config.file.is_some() && pinned.is_empty() { vec![config.log.name.clone()] } else { Vec::new() };
    let configured = read::own_key(config);
    if let (true, Err(why)) = (pinned.is_empty(), &configured) {
        read::tell_no_key(why);
    }
    let options = Options {
        logs,
        committed,
        configured: configured.unwrap_or_default(),
        pinned,
        from: args.from,
        to: args.to,
        since: args.since_checkpoint,
        receipts: args.receipt,
        tsa_roots: args.tsa_roots.joined(),
        witnesses: args.trust.witness,
        quorum: args.trust.quorum,
        progress: Some(&show),
        ..Options::new(SystemClock.now().ceil_seconds())
    };
    let options = match args.resume_from {
        Some(kept) => options.resumed(kept),
        None => options,
    };
    let report = verify(store.as_ref(), &options).await;
    bar.end();
    match args.json {
        true => output::answer_json(&(report.to_json() + "\n"))?,
        false => output::answer(&report.to_text())?,
    }
    Ok(ExitCode::from(report.verdict.exit_code()))
}

/// A bar that appears only on a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("  verified {pos} of about {len} seals {bar:30} {eta}  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Bar(bar)
    }

    pub(super) fn show(&self, at: &Progress<'_>) {
        if let Some(expected) = at.seals_expected {
            self.0.set_length(expected.max(at.seals));
        }
        self.0.set_position(at.seals);
        self.0.set_message(format!("{}: {} records, {}", at.log, at.records, HumanBytes(at.bytes)));
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
