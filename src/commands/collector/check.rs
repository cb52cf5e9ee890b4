//! `spanseal collector check`: reads a Collector configuration and says what it would lose, for people and for CI.

use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{CheckFormat, CollectorCheckArgs};
use crate::collector::check::{self, Receiving, Report};
use crate::commands::output;
use crate::config::Config;
use crate::plain::shown;

/// Largest Collector configuration that is read, bytes: as for one of ours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Runs it.
pub(super) fn run(args: &CollectorCheckArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let name = args.file.display().to_string();
    let length = std::fs::metadata(&args.file).with_context(|| format!("{name} cannot be read"))?.len();
    anyhow::ensure!(length <= FILE_BYTES_MAX, "{name}: longer than {FILE_BYTES_MAX} bytes; is this a Collector configuration?");
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("{name} cannot be read"))?;
    let report = check::check(&name, &text, args.exporter.as_deref(), &receiving(config)?)?;
    match args.format {
        CheckFormat::Text => output::answer(&told(&name, &report))?,
        CheckFormat::Json => {
            let mut json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
            json.push('\n');
            output::answer_json(&json)?;
        }
    }
    Ok(ExitCode::from(u8::from(!report.findings.is_empty())))
}

fn receiving(config: &Config) -> anyhow::Result<Receiving> {
    let receivers = &config.receivers;
    let port = |receiver: &Option<crate::config::Receiver>| receiver.as_ref().map(|receiver| receiver.listener.endpoint.port);
    let most = [&receivers.grpc, &receivers.http].into_iter().flatten().map(|receiver| receiver.request_bytes_max).min();
    Ok(Receiving {
        grpc_port: port(&receivers.grpc),
        http_port: port(&receivers.http),
        api_port: config.api.endpoint.port,
        receipt: config.seal.admission_wait + config.seal.max_delay,
        request_bytes_max: most.unwrap_or(u64::MAX),
        filter: config.collector_filter().map_err(|why| anyhow::anyhow!("{why}"))?,
    })
}

/// The report for a reader. What it quotes of the file stays in its line.
fn told(name: &str, report: &Report) -> String {
    let mut text = String::new();
    if let Some(assumed) = &report.assumed {
        text.push_str(&format!("assumed: {}\n", shown(assumed)));
    }
    for found in &report.findings {
        text.push_str(&format!("{}:{}:{}: {}: {}\n", shown(name), found.line, found.column, shown(&found.component), shown(&found.says)));
        text.push_str(&format!("    instead: {}\n", shown(&found.instead)));
    }
    for unjudged in &report.unjudged {
        let place = if unjudged.line == 0 { String::new() } else { format!(":{}", unjudged.line) };
        text.push_str(&format!("{}{place}: not judged: {}: {}\n", shown(name), shown(&unjudged.component), shown(&unjudged.says)));
    }
    let (exporters, found, unjudged) = (report.exporters.join(", "), report.findings.len(), report.unjudged.len());
    text.push_str(&format!("{found} found, {unjudged} not judged, on the way to {}\n", shown(&exporters)));
    text
}
