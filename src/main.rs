//! The `spanseal` command: parse the arguments, load the configuration, run one command, choose the exit code. Nothing else exits.

use std::process::ExitCode;

use clap::Parser;
use spanseal::cli::{Cli, Command, EXIT_USAGE};
use spanseal::clock::{Clock, SystemClock};
use spanseal::commands::{self, doctor, output};
use spanseal::config::{Config, ConfigError, Environment, Overrides};
use spanseal::plain::{SECRET_KEY, shown};
use spanseal::telemetry;

/// Could not do or check what was asked.
const EXIT_COULD_NOT: u8 = 2;
/// What a shell reports for a process that a closed pipe ended (128 + SIGPIPE).
const EXIT_BROKEN_PIPE: u8 = 141;

fn main() -> ExitCode {
    // The one crypto provider of the process, before anything makes a TLS client or server. It fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are answers (stdout, 0); everything else is a usage error (stderr, 64), in colours where that is a terminal,
            // unless a secret key stands in it.
            let said = usage.render().to_string();
            match said.contains(SECRET_KEY) {
                true => output::tell_lines(said.trim_end()),
                false => drop(usage.print()),
            }
            return if usage.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let environment = Environment::of_process();
    if let Err(sentence) = cli.complete(&environment) {
        output::tell(&format!("error: {sentence}"));
        return ExitCode::from(EXIT_USAGE);
    }
    run(cli, &environment).unwrap_or_else(|error| {
        if error.downcast_ref::<output::BrokenPipe>().is_some() {
            return ExitCode::from(EXIT_BROKEN_PIPE);
        }
        output::tell_lines(&format!("error: {}", sentence(&error)));
        ExitCode::from(EXIT_COULD_NOT)
    })
}

fn run(cli: Cli, environment: &Environment) -> anyhow::Result<ExitCode> {
    let overrides = Overrides { lift_ceiling: cli.command.plans(), ..cli.global.overrides() };
    let nothing = Environment::default();
    let environment = if cli.command.reads_configuration() { environment } else { &nothing };
    let config = match Config::load(&overrides, environment, SystemClock.now().ceil_seconds()) {
        Ok(config) => config,
        Err(error) => match &cli.command {
            Command::Doctor(args) => return doctor::without_configuration(args, &error),
            _ => return Err(error.into()),
        },
    };
    telemetry::start_logs(&config.telemetry, &cli.command);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(commands::run(cli.command, config, &cli.global));
    // What still runs in the background has nothing to say any more; waiting for it could take for ever.
    runtime.shutdown_background();
    code
}

/// The chain of causes as one sentence; a cause that its effect already quotes is not said twice. Only what is wrong in the configuration is
/// shown with lines of the file: what others say, a store among them, stays in one.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let words = if cause.is::<ConfigError>() { cause.to_string() } else { shown(&cause.to_string()) };
        if said.contains(&words) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&words);
    }
    said
}
