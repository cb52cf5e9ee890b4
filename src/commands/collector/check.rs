//! `spanseal collector check`: reads a Collector configuration and says what it would lose, for people and for CI.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{CheckFormat, CollectorCheckArgs};
use crate::collector::check::{self, By, Input, Receiving, Report};
use crate::commands::output;
use crate::config::Config;
use crate::plain::shown;

/// Largest Collector configuration that is read, bytes: as for one of ours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What standard input is called in messages.
const STDIN: &str = "standard input";

/// Runs it.
pub(super) fn run(args: &CollectorCheckArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let inputs = args.files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<Input>>>()?;
    let report = check::check(inputs, args.exporter.as_deref(), &receiving(config)?)?;
    match args.format {
        CheckFormat::Text => output::answer(&told(&report))?,
        CheckFormat::Json => {
            let mut json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
            json.push('\n');
            output::answer_json(&json)?;
        }
    }
    let is_unjudged = args.strict && !report.unjudged.is_empty();
    Ok(ExitCode::from(u8::from(!report.findings.is_empty() || is_unjudged)))
}

fn read(file: &Path) -> anyhow::Result<Input> {
    let (name, from): (String, Box<dyn Read>) = match file == Path::new("-") {
        true => (STDIN.to_owned(), Box::new(std::io::stdin().lock())),
        false => {
            let name = file.display().to_string();
            let opened = std::fs::File::open(file).with_context(|| format!("{name} cannot be read"))?;
            (name, Box::new(opened))
        }
    };
    let mut bytes = Vec::new();
    from.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("{name} cannot be read"))?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX);
    anyhow::ensure!(fits, "{name}: longer than {FILE_BYTES_MAX} bytes; is this a Collector configuration?");
    let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{name} is not UTF-8 text; is this a Collector configuration?"))?;
    Ok(Input { name, text })
}

fn receiving(config: &Config) -> anyhow::Result<Receiving> {
    let receivers = &config.receivers;
    let listener = |receiver: &Option<crate::config::Receiver>| receiver.as_ref().map(|receiver| receiver.listener.clone());
    let most = [&receivers.grpc, &receivers.http].into_iter().flatten().map(|receiver| receiver.request_bytes_max).min();
    Ok(Receiving {
        is_configured: config.file.is_some(),
        grpc: listener(&receivers.grpc),
        http: listener(&receivers.http),
        api_port: config.api.endpoint.port,
        receipt: config.seal.admission_wait + config.seal.max_delay,
        max_delay: config.seal.max_delay,
        request_bytes_max: most.unwrap_or(u64::MAX),
        filter: config.collector_filter().map_err(|why| anyhow::anyhow!("{why}"))?,
        reads: reads(config),
    })
}

/// By what the exporters were taken for spanseal's, where nobody named one.
fn taken_by(report: &Report) -> String {
    let word = |by: By| match by {
        By::Option => None,
        By::Address => Some("by its address"),
        By::Name => Some("by its name"),
        By::Only => Some("for want of another"),
    };
    let words: Vec<(&str, &str)> = report.taken.iter().filter_map(|taken| Some((taken.exporter.as_str(), word(taken.by)?))).collect();
    let by = match words.as_slice() {
        [] => return String::new(),
        [(_, first), rest @ ..] if rest.iter().all(|(_, word)| word == first) => (*first).to_owned(),
        several => several.iter().map(|(exporter, word)| format!("{word} ({exporter})")).collect::<Vec<_>>().join(", "),
    };
    format!(" (taken for spanseal's {by}; --exporter names another)")
}

/// Attribute keys that the configuration names, whatever the tables know of them.
fn reads(config: &Config) -> BTreeSet<String> {
    let promotion = &config.promotion;
    let rules = promotion.rules.iter().flat_map(|rule| rule.reads()).map(str::to_owned);
    rules.chain(promotion.keep_attributes.iter().cloned()).chain([config.identity.realm.clone()]).collect()
}

/// The report for a reader. What it quotes of the file stays in its line.
fn told(report: &Report) -> String {
    let mut text = String::new();
    if let Some(assumed) = &report.assumed {
        text.push_str(&format!("assumed: {}\n", shown(assumed)));
    }
    for found in &report.findings {
        let (file, line, column) = (shown(&found.file), found.line, found.column);
        text.push_str(&format!("{file}:{line}:{column}: {}: {}\n", shown(&found.component), shown(&found.says)));
        text.push_str(&format!("    instead: {}\n", shown(&found.instead)));
    }
    for (remarks, what) in [(&report.unjudged, "not judged: "), (&report.notes, "note: ")] {
        for remark in remarks {
            let place = if remark.line == 0 { String::new() } else { format!("{}:{}: ", shown(&remark.file), remark.line) };
            text.push_str(&format!("{place}{what}{}: {}\n", shown(&remark.component), shown(&remark.says)));
        }
    }
    let (exporters, found, unjudged) = (report.exporters.join(", "), report.findings.len(), report.unjudged.len());
    text.push_str(&format!("{found} found, {unjudged} not judged, on the way to {}{}\n", shown(&exporters), shown(&taken_by(report))));
    text
}
