//! Logs of our own, on stderr. They name objects, counts and errors; never content, never a person.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, Location};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    panic::set_hook(Box::new(|info| {
        let at = info.location().map_or_else(String::new, Location::to_string);
        let (thread, why) = (std::thread::current(), program_words(info.payload()));
        // Only where RUST_BACKTRACE asks for one; it has names of functions and no values.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(at, thread = thread.name(), why, backtrace, "thread.panicked");
    }));
}

/// The words of a panic if they stand in the program as they are. What was put together while it ran may quote what it stumbled over, a
/// prompt as well as a number, and the standard library's hook would print it. Where it happened says what is needed to mend it.
fn program_words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("not said here: the words of this panic may quote what it stumbled over")
}

/// Keeps a line that strangers can bring about from filling the log: it comes once a minute, and says how often it would have come since.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    /// No second line comes sooner.
    const BETWEEN: Duration = Duration::from_secs(60);

    /// Nothing was said yet.
    pub(crate) const fn new() -> Self {
        Seldom(Mutex::new(None))
    }

    /// Whether the line is due: how often it was not said since it was.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some((at, untold)) if now.saturating_duration_since(*at) < Self::BETWEEN => {
                *untold += 1;
                None
            }
            last => Some(last.replace((now, 0)).map_or(0, |(_, untold)| untold)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_a_minute_and_says_how_often_it_did_not() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        let due = |seconds| seldom.due(start + Duration::from_secs(seconds));
        assert_eq!([0, 1, 59, 60, 61, 300].map(due), [Some(0), None, None, Some(2), None, Some(1)]);
    }
    use std::panic::catch_unwind;

    /// Guarantee: of a panic only words of the program are told, none of a text that it met.
    #[test]
    fn what_a_panic_quotes_is_not_told() {
        let met = String::from("m\u{fc}ller asks");
        let told = |work: &dyn Fn()| program_words(catch_unwind(panic::AssertUnwindSafe(work)).unwrap_err().as_ref());
        for work in [&(|| assert!(met[..2].is_empty())) as &dyn Fn(), &|| panic!("{met}")] {
            assert!(told(work).starts_with("not said here"));
        }
        assert_eq!(told(&|| panic!("a pool is never closed")), "a pool is never closed");
        assert_eq!(told(&|| assert_eq!(met.find('?').unwrap(), 1)), "called `Option::unwrap()` on a `None` value");
    }
}
