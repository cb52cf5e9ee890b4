//! Logs of our own, on stderr. They name objects, counts and errors; never content, never a person.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::cli::Command;
use crate::config::{Level, LogFormat, Telemetry};
use crate::plain::{shown, shown_json, without_keys};

/// Stderr, for lines in which others are quoted: a store, an authority, a witness. Each write is one line.
struct Lines {
    format: LogFormat,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = match self.format {
            LogFormat::Text => shown(text),
            LogFormat::Json => shown_json(&without_keys(text)),
        };
        io::stderr().write_all(format!("{text}\n").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

/// Starts logging for the process. Only `serve` is a daemon whose every state change is worth a line; a command that answers a question
/// says what it has to say itself, so it logs warnings only unless more was asked for.
pub fn start_logs(telemetry: &Telemetry, command: &Command) {
    let quiet = !matches!(command, Command::Serve(_) | Command::Witness(_)) && telemetry.level == Level::Info;
    let level = if quiet { LevelFilter::WARN } else { LevelFilter::from(telemetry.level) };
    // Libraries below (HTTP/2 frames, connection pools) can print header values at their finest levels, and talk of themselves at info.
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("spanseal", level);
    let format = telemetry.format;
    let writer = move || Lines { format };
    let layer = match format {
        LogFormat::Text => fmt::layer().with_writer(writer).with_ansi(false).with_target(false).boxed(),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).with_writer(writer).boxed()
        }
    };
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
