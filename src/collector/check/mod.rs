//! What a Collector configuration would lose or weaken of the audit data on its way to us, each with its line, and what could not be
//! judged.
//!
//! Looked at is the way that leads to our exporter: the exporter itself, its queue and its storage, every pipeline that reaches it,
//! through connectors too, and how much the OTLP receivers of these let in. Other pipelines may sample and drop as they like.
//!
//! `${env:NAME:-default}` counts as its default: the check says the same on every machine. What has no default is named as not judged, and
//! so is every component of which nothing is known here. A configuration that is assembled from several files is checked file by file only
//! where each makes sense alone; the Collector's `print-config` command writes one.
//!
//! KNOWN GAP: whether spanseal asks for a client certificate or a token, and whether the port is one of its ports at all, is not compared with
//! the exporter.

mod exporter;
mod file;
mod pipelines;
mod receivers;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::config::yaml::{ConfigError, Mark, Source};
use crate::promote::ottl::Filter;
use file::{Component, File, Said};

/// What the configuration of spanseal says about the other end.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// Port of OTLP/gRPC.
    pub grpc_port: Option<u16>,
    /// Port of OTLP/HTTP.
    pub http_port: Option<u16>,
    /// Port of the API, which takes no telemetry.
    pub api_port: u16,
    /// Longest that a request ordinarily waits for its receipt: for room, then for its seal.
    pub receipt: Duration,
    /// Largest request that is taken, bytes.
    pub request_bytes_max: u64,
    /// What is promoted.
    pub filter: Filter,
}

/// A kind of mistake; the word in JSON never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No pipeline has the exporter.
    Unused,
    /// The Collector would refuse this configuration, or does something else than it says.
    DoesNotStart,
    /// Traces or logs come in and do not reach spanseal.
    SignalMissing,
    /// A receiver's telemetry goes elsewhere only.
    ReceiverLeftOut,
    /// Sampled, or merged, before spanseal.
    Sampled,
    /// Held in memory after the sender was answered.
    HeldInMemory,
    /// A queue in memory that answers before spanseal has sealed.
    QueueInMemory,
    /// The queue's storage does not survive what it is for.
    StorageVolatile,
    /// The queue's storage is not written through to the disk.
    StorageNotSynced,
    /// A full queue refuses.
    QueueOverflow,
    /// Batches without a bound that spanseal takes.
    BatchUnbounded,
    /// Batches that may hold less than one span that is let in.
    BatchDrops,
    /// More is acknowledged than spanseal takes.
    LetsInTooMuch,
    /// The Collector gives up before a seal.
    TimeoutShort,
    /// What failed is not tried again.
    RetryOff,
    /// What failed is tried for a while.
    RetryGivesUp,
    /// A processor changes or takes away what is evidence.
    EvidenceCut,
    /// The memory limiter refuses.
    Refuses,
    /// Not by trace.
    NotByTrace,
    /// A filter that is not the one for this configuration.
    FilterDiffers,
    /// A filter that drops a whole request when a condition fails.
    FilterFails,
    /// A transformation that refuses a whole request when a statement fails.
    StatementFails,
    /// The filter's own mark stays on spans.
    MarkLeft,
    /// Plain text off the machine, or a peer that is not checked.
    NotEncrypted,
    /// A port or path that does not take this protocol.
    EndpointWrong,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What kind.
    pub kind: Kind,
    /// Line of the file, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// The component or pipeline.
    pub component: String,
    /// What would be lost, in a sentence.
    pub says: String,
    /// What to write instead.
    pub instead: String,
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// Line of the file, from 1; 0 for the file as a whole.
    pub line: u64,
    /// The component or pipeline.
    pub component: String,
    /// What is not known.
    pub says: String,
}

/// What the check of one file says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The exporters that were taken for spanseal's.
    pub exporters: Vec<String>,
    /// Why, where nobody named them.
    pub assumed: Option<String>,
    /// In the order of lines.
    pub findings: Vec<Found>,
    /// In the order of lines.
    pub unjudged: Vec<Unjudged>,
}

/// Where the parts of the check put what they see.
#[derive(Debug, Default)]
struct Notes {
    findings: Vec<Found>,
    unjudged: Vec<Unjudged>,
}

impl Notes {
    fn found(&mut self, kind: Kind, mark: Mark, component: &str, says: impl Into<String>, instead: impl Into<String>) {
        let found = Found {
            kind,
            line: mark.line,
            column: mark.column,
            component: component.to_owned(),
            says: says.into(),
            instead: instead.into(),
        };
        if !self.findings.contains(&found) {
            self.findings.push(found);
        }
    }

    fn unjudged(&mut self, mark: Mark, component: &str, says: impl Into<String>) {
        let unjudged = Unjudged { line: mark.line, component: component.to_owned(), says: says.into() };
        if !self.unjudged.contains(&unjudged) {
            self.unjudged.push(unjudged);
        }
    }
}

/// Checks one file. The error says why it cannot be read, or which exporter is meant.
pub fn check(name: &str, text: &str, exporter: Option<&str>, receiving: &Receiving) -> Result<Report, ConfigError> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let root = source.parse()?;
    let file = File::read(&source, &root)?;
    let (exporters, assumed) = chosen(&source, &file, exporter)?;
    let mut notes = Notes::default();
    for exporter in &exporters {
        exporter::judge(&file, exporter, receiving, &mut notes);
    }
    pipelines::judge(&file, &exporters, receiving, &mut notes);
    notes.findings.sort_by_key(|found| (found.line, found.column, found.kind));
    notes.unjudged.sort_by_key(|unjudged| unjudged.line);
    Ok(Report {
        exporters: exporters.iter().map(|exporter| exporter.id.clone()).collect(),
        assumed,
        findings: notes.findings,
        unjudged: notes.unjudged,
    })
}

/// The exporters that lead to spanseal, and how that is known where nobody said it.
fn chosen<'f, 'n>(
    source: &Source,
    file: &'f File<'n>,
    named: Option<&str>,
) -> Result<(Vec<&'f Component<'n>>, Option<String>), ConfigError> {
    if let Some(named) = named {
        let known: BTreeSet<&str> = file.exporters.iter().map(|exporter| exporter.id.as_str()).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return match file.exporters.iter().find(|exporter| exporter.id == named) {
            Some(exporter) if exporter.is_otlp() || exporter.is_balancer() => Ok((vec![exporter], None)),
            Some(exporter) => {
                Err(source.error(exporter.mark, format!("--exporter {named}: no exporter of OTLP (otlp_grpc, otlp_http or loadbalancing)")))
            }
            None => Err(ConfigError::new(format!("--exporter {named}: {} has no such exporter; it has: {known}", source.name))),
        };
    }
    let able: Vec<&Component<'n>> = file.exporters.iter().filter(|e| e.is_otlp() || e.is_balancer()).collect();
    let ours: Vec<&Component<'n>> = able.iter().copied().filter(|e| e.name().contains("spanseal")).collect();
    if !ours.is_empty() {
        return Ok((ours, None));
    }
    match able.as_slice() {
        [one] => {
            let why = format!("`{}` is taken for the exporter to spanseal, because it is the only one of OTLP", one.id);
            Ok((vec![one], Some(why)))
        }
        [] => Err(ConfigError::new(format!(
            "{}: has no exporter of OTLP, so nothing leads to spanseal; `spanseal collector filter` prints one",
            source.name
        ))),
        several => {
            let names: Vec<&str> = several.iter().map(|e| e.id.as_str()).collect();
            let names = names.join(", ");
            Err(ConfigError::new(format!("{}: which exporter leads to spanseal? Say --exporter with one of: {names}", source.name)))
        }
    }
}
