//! What each command does; one small file each. Errors are `anyhow` here: they end as one sentence in `main`.

pub mod attributes;
pub mod check;
pub mod collector;
mod content;
mod decree;
pub mod demo;
pub mod doctor;
pub mod erase;
pub mod format;
pub mod guide;
pub mod hold;
mod interrupt;
pub mod keygen;
pub mod lint;
pub mod output;
pub mod prove;
mod prove_range;
pub mod query;
pub mod read;
mod reading;
pub mod retention;
pub mod serve;
pub mod show;
pub mod verify;
mod way;
pub mod witness;

use std::process::ExitCode;

use crate::cli::{Command, Global};
use crate::config::Config;

/// Runs one command with its effective configuration; `global` is how the caller came to it.
pub async fn run(command: Command, config: Config, global: &Global) -> anyhow::Result<ExitCode> {
    // Boxed: each is a large state machine, and only one of them is ever needed.
    match command {
        Command::Demo(args) => Box::pin(demo::run(args, &config)).await,
        Command::Serve(args) => Box::pin(serve::run(args, config)).await,
        Command::Verify(args) => Box::pin(verify::run(args, &config)).await,
        Command::Query(args) => Box::pin(query::run(*args, &config)).await,
        Command::Show(args) => Box::pin(show::run(args, &config, global)).await,
        Command::Prove(args) => Box::pin(prove::run(args, &config)).await,
        Command::Check(args) => check::run(&args),
        Command::Erase(args) => Box::pin(erase::run(*args, &config)).await,
        Command::Lint(args) => Box::pin(lint::run(*args, &config)).await,
        Command::Collector(args) => collector::run(args.command, &config),
        Command::Attributes(args) => attributes::run(&args),
        Command::Format => format::run(),
        Command::Guide(args) => guide::run(&args),
        Command::Doctor(args) => Box::pin(doctor::run(args, &config)).await,
        Command::Keygen(args) => Box::pin(keygen::run(args, &config)).await,
        Command::Retention(args) => Box::pin(retention::run(args.command, &config)).await,
        Command::Hold(args) => Box::pin(hold::run(args.command, &config)).await,
        Command::Witness(args) => Box::pin(witness::run(args)).await,
    }
}
