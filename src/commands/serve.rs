//! `spanseal serve`: prints its configuration, or serves until told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::{self, tell, tell_lines};
use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{Config, ContentMode, IdentityMode};
use crate::plain::without_keys;
use crate::seal::KeyTurn;
use crate::serve::{self, Serving};

/// A second signal: left in the middle of draining.
const EXIT_LEFT_AT_ONCE: u8 = 1;

/// Runs it.
pub async fn run(args: ServeArgs, config: Config) -> anyhow::Result<ExitCode> {
    if let Some(format) = args.print_config {
        output::answer_bytes(without_keys(&config.print(format.into())).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::new()?;
    tell_lines(&introduction(&config));
    let serving = tokio::select! {
        started = serve::start(&config, Arc::new(SystemClock), &output::tell_made) => started?,
        // Nothing was received yet, and recovery takes up whatever this start left behind.
        () = signals.next() => return Ok(ExitCode::from(EXIT_LEFT_AT_ONCE)),
    };
    tell_lines(&statement(&config, &serving));
    let mut serving = serving;
    tokio::select! {
        error = serving.failed() => return Err(error.into()),
        () = signals.next() => {}
    }
    tell("stopping: open requests get their receipts first; a second signal leaves at once, which is safe");
    tokio::select! {
        drained = serving.drain() => drained?,
        () = signals.next() => {
            tell("left at once: what was not acknowledged will be sent again");
            return Ok(ExitCode::from(EXIT_LEFT_AT_ONCE));
        }
    }
    tell("stopped");
    Ok(ExitCode::SUCCESS)
}

/// SIGINT and SIGTERM; both mean the same.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(super) async fn next(&mut self) {
        // Both arms are cancel-safe: `recv` loses no signal.
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Said before anything is opened.
fn introduction(config: &Config) -> String {
    let mut out = format!("spanseal {}", env!("CARGO_PKG_VERSION"));
    match &config.file {
        Some(file) => out.push_str(&format!(", configuration {}", file.display())),
        None => out.push_str(", embedded default configuration"),
    }
    // Absolute: a relative path counts from the working directory, and the wrong one would begin another log without a word.
    out.push_str(&format!("\nstore     {}", output::absolute_store(&config.store.url)));
    out.push_str(&format!("\nlog key   {}", output::absolute(&config.log.key_file)));
    if let Some(next) = &config.log.next_key_file {
        out.push_str(&format!("\nnext key  {}", output::absolute(next)));
    }
    out.push_str(&format!("\nidentity  {}", output::absolute(&config.identity.key_file)));
    if let Some(vault) = &config.content.vault {
        out.push_str(&format!("\nvault     {}", output::absolute_store(&vault.url)));
        out.push_str(&format!("\nvault key {}", output::absolute(&vault.key_file)));
    }
    for warning in &config.warnings {
        out.push_str(&format!("\nwarning: {warning}"));
    }
    out
}

/// Said once everything runs: what an operator and an auditor need to know.
fn statement(config: &Config, serving: &Serving) -> String {
    let mut lines = Vec::new();
    for (what, at) in serving.listening() {
        lines.push(format!("listening {at}  {what}"));
    }
    lines.push(format!("config    config_sha256 {} (the configuration and the identity key's id)", serving.config_sha256));
    lines.push(format!("log       {}  (auditors verify with --vkey '{}')", config.log.origin, serving.vkey));
    match serving.key_turn() {
        KeyTurn::Key => {}
        KeyTurn::Announces => lines
            .push("          its key has changed at this start; `log.key_file` may now name the file of `log.next_key_file`".to_owned()),
        KeyTurn::Next => {
            lines.push("          its key has changed before; `log.key_file` may now name the file of `log.next_key_file`".to_owned())
        }
    }
    let default = config.retention.classes.default_class();
    let enforced = output::enforced(serving.store.locks());
    for (index, class) in config.retention.classes.iter() {
        let is_default = if index == default { ", default" } else { "" };
        lines.push(format!("retention {}: {} for {}{is_default}{enforced}", class.name, class.mode.as_str(), class.period));
    }
    if let Some(skew) = serving.store.clock_skew_seconds() {
        lines.push(format!("clock     {skew} s off the store's"));
    }
    for (witness, place) in config.log.witnesses.iter().enumerate().map(|(nth, place)| (nth + 1, place)) {
        lines.push(format!("witness   {witness}: {} at {}", place.key.name(), place.url));
    }
    if let Some(vault) = &config.content.vault {
        lines.push(format!("vault     {} keeps content for {}", output::absolute_store(&vault.url), vault.retention));
    }
    let persons = match config.identity.mode {
        IdentityMode::Vault => "are sealed as random pseudonyms; who they are stands in the vault, where `spanseal erase` erases it",
        IdentityMode::Keyed => "are sealed as keyed pseudonyms: only destroying the identity key erases, and it erases everybody",
        IdentityMode::Plain => "are sealed as sent and cannot be erased before their retention ends",
    };
    lines.push(format!("persons   {persons}"));
    let content = match config.content.mode {
        ContentMode::Vault => "is sealed by commitment; what was said stands in the vault, where `spanseal erase` erases it",
        ContentMode::Hash => "is sealed as keyed hash and kept nowhere",
    };
    lines.push(format!("content   {content}"));
    lines.join("\n")
}
