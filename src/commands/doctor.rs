//! `spanseal doctor`: examines configuration, keys, clock and store before they matter. One line a check: what it found and what to do.

mod bucket;
mod canary;
mod checks;
mod vault;

use std::process::ExitCode;

use super::output;
use crate::cli::DoctorArgs;
use crate::config::{Config, ConfigError};
use crate::plain::{counted, shown, without_keys};
use crate::record::canonical::Json;

/// The check of the configuration file.
const CONFIGURATION: &str = "configuration";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it should be.
    Ok,
    /// Allowed, and to be known.
    Warning,
    /// Does not work, or does not keep what is promised.
    Problem,
    /// Could not be found out; never "fine".
    Unchecked,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "problem",
            State::Unchecked => "unchecked",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    state: State,
    text: String,
}

/// All lines so far.
#[derive(Debug, Default)]
struct Report(Vec<Check>);

impl Report {
    fn add(&mut self, name: &'static str, state: State, text: impl Into<String>) {
        self.0.push(Check { name, state, text: text.into() });
    }

    fn ok(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Ok, text);
    }

    fn warning(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Warning, text);
    }

    fn problem(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Problem, text);
    }

    fn unchecked(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Unchecked, text);
    }

    fn has(&self, state: State) -> bool {
        self.0.iter().any(|c| c.state == state)
    }

    /// A problem beats what could not be checked.
    fn exit_code(&self) -> u8 {
        match (self.has(State::Problem), self.has(State::Unchecked)) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    fn to_text(&self) -> String {
        let mut out = String::new();
        for check in &self.0 {
            // What others wrote stays in its line; only the file that the operator names is quoted with lines of its own.
            let text = if check.name == CONFIGURATION { check.text.clone() } else { shown(&check.text) };
            out.push_str(&format!("{:9} {:14} {text}\n", check.state.word(), check.name));
        }
        let count = |state| u64::try_from(self.0.iter().filter(|c| c.state == state).count()).unwrap_or(u64::MAX);
        out.push_str(&format!(
            "\n{} ok, {}, {}, {} unchecked\n",
            count(State::Ok),
            counted(count(State::Warning), "warning", "warnings"),
            counted(count(State::Problem), "problem", "problems"),
            count(State::Unchecked)
        ));
        out
    }

    fn to_json(&self) -> String {
        let checks = self.0.iter().map(|c| {
            Json::object([
                ("name", Json::string(c.name)),
                ("state", Json::string(c.state.word())),
                ("text", Json::string(without_keys(&c.text))),
            ])
        });
        let verdict = match self.exit_code() {
            0 => "ok",
            1 => "problems",
            _ => "unchecked",
        };
        format!("{}\n", Json::object([("verdict", Json::string(verdict)), ("checks", Json::Array(checks.collect()))]))
    }

    fn print(&self, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            output::answer_json(&self.to_json())?
        } else {
            output::answer(&self.to_text())?
        }
        Ok(ExitCode::from(self.exit_code()))
    }
}

/// Runs it.
pub async fn run(args: DoctorArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    checks::configuration(config, &mut report);
    checks::files(config, &mut report);
    let store = checks::store(config, &mut report).await;
    checks::keys(config, store.as_ref(), &mut report).await;
    vault::check(config, store.as_ref(), &mut report).await;
    checks::ports(config, &mut report).await;
    bucket::check(config, store.as_deref(), args.no_canary, &mut report).await;
    let trials = canary::check(config, store.as_deref(), args.no_canary, &mut report).await;
    if args.record {
        canary::record(config, trials, &args, &mut report).await;
    }
    report.print(args.json)
}

/// The report when there is no configuration to examine.
pub fn without_configuration(args: &DoctorArgs, error: &ConfigError) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    report.problem(CONFIGURATION, error.to_string());
    report.print(args.json)
}

#[cfg(test)]
mod tests;
