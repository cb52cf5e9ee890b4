//! What one pipeline loses and another one carries: it is not lost.
//!
//! Pipelines of the same receivers each get a copy of what comes in. Where one of them leaves something out, holds it or refuses it, and another
//! passes on all of it to the same exporters, spanseal has it all the same. That is believed only of a pipeline of which nothing at all was said,
//! nor of its receivers, its exporters and what these name, and where nothing keeps telemetry from it: the receiver hands over to one pipeline
//! after another. What changes evidence is no loss and stays what it is: the log then has it in two forms.
//!
//! One pipeline has to carry all of it, to the exporters of the same names: whether two exporters lead to the same log is not known here.

use std::collections::BTreeSet;

use super::exporter::{Blocks, answers_before_sealed, blocks};
use super::file::{Component, File, Pipeline};
use super::pipelines::{Between, fed_by, names};
use super::{Kind, Notes};

/// A pipeline, and what was said of its processors and of the connectors that it hands over to.
pub(super) struct Judged<'f> {
    pub(super) pipeline: &'f Pipeline,
    pub(super) said: Notes,
}

/// Adds what was said of the processors to everything else that was said.
pub(super) fn settle(file: &File<'_>, exporters: &[&Component<'_>], judged: Vec<Judged<'_>>, notes: &mut Notes) {
    let loses = |one: &Judged<'_>| one.said.findings.all.iter().any(|(_, found)| lost(found.kind).is_some());
    let carriers: Vec<Option<String>> = match judged.iter().any(loses) {
        true => {
            let ways = Ways::new(file, exporters, &judged, notes);
            let carrier = |one| loses(one).then(|| ways.carrier(one.pipeline)).flatten();
            judged.iter().map(|one| carrier(one).map(|other| other.id.clone())).collect()
        }
        false => vec![None; judged.len()],
    };
    for (one, carrier) in judged.into_iter().zip(carriers) {
        let Notes { findings, unjudged, notes: remarks, .. } = one.said;
        for (mark, found) in findings.all {
            match (&carrier, lost(found.kind)) {
                (Some(carrier), Some(what)) => {
                    let says = format!(
                        "{what} (`{}`) is not lost: `{carrier}` carries everything from the same receivers to spanseal. What comes there by both, and \
                         is the same, counts once: the second is known as a duplicate for as long as `seal.dedup_window`",
                        one.pipeline.id
                    );
                    notes.note(mark, &found.component, says);
                }
                _ => notes.findings.add((mark, found)),
            }
        }
        unjudged.all.into_iter().for_each(|remark| notes.unjudged.add(remark));
        remarks.all.into_iter().for_each(|remark| notes.notes.add(remark));
    }
}

/// What a processor loses by such a mistake, where it loses something.
fn lost(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Sampled | Kind::FilterDiffers | Kind::RouteDrops => Some("what it leaves out"),
        Kind::HeldInMemory => Some("what it holds in memory"),
        Kind::Refuses | Kind::FilterFails | Kind::StatementFails => Some("what it refuses"),
        _ => None,
    }
}

/// The ways to spanseal.
struct Ways<'w, 'f, 'n> {
    file: &'w File<'n>,
    /// Those to spanseal.
    exporters: &'w [&'w Component<'n>],
    judged: &'w [Judged<'f>],
    /// Pipelines of which nothing was said, nor of anything that they live by. A note counts, too: it may be of something that is left out.
    clean: BTreeSet<&'w str>,
}

impl<'w, 'f, 'n> Ways<'w, 'f, 'n> {
    fn new(file: &'w File<'n>, exporters: &'w [&'w Component<'n>], judged: &'w [Judged<'f>], notes: &Notes) -> Self {
        let mut ways = Ways { file, exporters, judged, clean: BTreeSet::new() };
        let mut spoken_of = notes.spoken_of();
        // What is said of an exporter, or of an extension that it names, is said of every receiver that it has something from.
        for exporter in &file.exporters {
            let texts = exporter.texts(&[]);
            let names = |id: &str| texts.iter().any(|(text, _)| text.trim() == id);
            let extensions = || file.extensions.iter().map(|extension| extension.id.as_str());
            if spoken_of.contains(&exporter.id) || extensions().any(|id| spoken_of.contains(id) && names(id)) {
                spoken_of.extend(fed_by(file, &exporter.id).iter().map(|fed| fed.receiver.to_owned()));
            }
        }
        let silent = judged.iter().filter(|one| one.said.is_empty()).map(|one| one.pipeline.id.as_str());
        let silent = silent.filter(|id| !spoken_of.contains(*id));
        ways.clean = silent.filter(|id| !ways.above(id).iter().any(|receiver| spoken_of.contains(*receiver))).collect();
        ways
    }

    /// The pipeline that carries everything that comes to another one.
    fn carrier(&self, of: &Pipeline) -> Option<&'f Pipeline> {
        let ours = self.exporters.iter().map(|exporter| exporter.id.as_str());
        let reached: Vec<&str> = ours.filter(|exporter| self.leads(of, exporter, |_| true, &mut Vec::new())).collect();
        let has_all = |other: &Pipeline| {
            other.id != of.id
                && other.signal() == of.signal()
                && !of.receivers.is_empty()
                && of.receivers.iter().all(|receiver| self.comes_to(other, &receiver.id, &mut Vec::new()))
        };
        let is_clean = |pipeline: &Pipeline| self.clean.contains(pipeline.id.as_str());
        let carries = |other: &Pipeline| reached.iter().all(|exporter| self.leads(other, exporter, is_clean, &mut Vec::new()));
        let mut others = self.judged.iter().map(|judged| judged.pipeline);
        others.find(|other| {
            !reached.is_empty() && is_clean(other) && has_all(other) && carries(other) && !self.is_kept_waiting(other, &reached)
        })
    }

    /// Whether a pipeline has what a receiver takes, or all that a connector only passes on.
    fn comes_to<'p>(&'p self, pipeline: &Pipeline, receiver: &'p str, known: &mut Vec<&'p str>) -> bool {
        if names(&pipeline.receivers, receiver) {
            return true;
        }
        let passes_on = self.file.connectors.iter().any(|connector| connector.id == receiver && connector.kind() == "forward");
        if !passes_on || known.contains(&receiver) {
            return false;
        }
        known.push(receiver);
        let is_above = |above: &&Pipeline| above.signal() == pipeline.signal() && names(&above.exporters, receiver);
        let mut from = self.file.pipelines.iter().filter(is_above).flat_map(|above| &above.receivers).peekable();
        from.peek().is_some() && from.all(|receiver| self.comes_to(pipeline, &receiver.id, known))
    }

    /// Whether a pipeline leads to an exporter, through connectors too, all of it by such pipelines. Of a connector that does more than hand over
    /// it was said that it is not known.
    fn leads<'p>(&self, from: &'p Pipeline, exporter: &str, by: impl Fn(&Pipeline) -> bool + Copy, known: &mut Vec<&'p str>) -> bool
    where
        'f: 'p,
    {
        if known.contains(&from.id.as_str()) || !by(from) {
            return false;
        }
        known.push(&from.id);
        let connectors: Vec<&str> = from.exporters.iter().map(|e| e.id.as_str()).filter(|id| self.file.is_connector(id)).collect();
        let is_next = |next: &&Pipeline| next.signal() == from.signal() && connectors.iter().any(|id| names(&next.receivers, id));
        names(&from.exporters, exporter)
            || (!connectors.is_empty()
                && self.judged.iter().map(|judged| judged.pipeline).filter(is_next).any(|next| self.leads(next, exporter, by, known)))
    }

    /// The receivers and connectors that a pipeline has its telemetry from.
    fn above(&self, pipeline: &str) -> BTreeSet<&'w str> {
        let (mut all, mut open): (BTreeSet<&str>, Vec<&Pipeline>) = (BTreeSet::new(), Vec::new());
        open.extend(self.file.pipelines.iter().filter(|known| known.id == pipeline));
        while let Some(pipeline) = open.pop() {
            for receiver in pipeline.receivers.iter().map(|receiver| receiver.id.as_str()) {
                if all.insert(receiver) && self.file.is_connector(receiver) {
                    open.extend(self.file.pipelines.iter().filter(|above| names(&above.exporters, receiver)));
                }
            }
        }
        all
    }

    /// Whether an exporter to spanseal keeps telemetry from a pipeline that carries everything to some; of other exporters `HeldUp` tells. One
    /// that it has itself does so by what waits for it in another pipeline, unless it takes everything at once, to disk; one that it does not have
    /// may also fill by itself.
    fn is_kept_waiting(&self, pipeline: &Pipeline, own: &[&str]) -> bool {
        let above = self.above(&pipeline.id);
        let is_own = |exporter: &Component<'_>| own.contains(&exporter.id.as_str());
        let waits = self.exporters.iter().any(|exporter| is_own(exporter) && !answers_before_sealed(exporter));
        self.exporters.iter().any(|exporter| {
            let fed = fed_by(self.file, &exporter.id);
            let mut between = fed.iter().filter(|fed| above.contains(fed.receiver)).map(|fed| fed.between).peekable();
            let is_fed = between.peek().is_some();
            let is_waited_for = between.any(|between| between != Between::Nothing);
            match is_own(exporter) {
                true => is_waited_for && !answers_before_sealed(exporter),
                false => is_fed && blocks(exporter) != Blocks::No && (is_waited_for || waits),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{checked, kinds};

    const BEFORE: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
  otlp/more: {protocols: {grpc: {endpoint: 127.0.0.1:5317, max_recv_msg_size_mib: 14}}}
processors:
  batch: {}
  probabilistic_sampler: {sampling_percentage: 10}
  probabilistic_sampler/all: {sampling_percentage: 100}
  memory_limiter: {}
  filter/own: {error_mode: ignore, trace_conditions: ['span.name == "x"']}
  filter/fails: {}
  transform/fails: {trace_statements: []}
  resourcedetection: {override: false}
  span: {}
  mystery: {}
connectors:
  forward: {}
  routing: {}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
exporters:
  otlp_grpc/spanseal: &on_disk
    endpoint: 127.0.0.1:14317
    tls: {insecure: true}
    timeout: 30s
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}
  otlp_grpc/spanseal-2: *on_disk
  otlp_grpc/backend: {endpoint: 127.0.0.1:24317, tls: {insecure: true}}
service:
  extensions: [file_storage]
  pipelines:
    logs: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}
"#;

    const LOSES: &str = "    traces/a: {receivers: [otlp], processors: [probabilistic_sampler], exporters: [otlp_grpc/spanseal]}\n";
    const CARRIES: &str = "    traces/b: {receivers: [otlp], processors: [resourcedetection], exporters: [otlp_grpc/spanseal]}\n";

    /// What is said of these pipelines, with something in the file in the place of something else.
    fn with(pipelines: &str, from: &str, to: &str) -> Report {
        let text = format!("{BEFORE}{pipelines}");
        assert!(text.contains(from), "{from}");
        checked(&text.replace(from, to))
    }

    /// Scenario: one pipeline loses something, another of the same receiver passes everything on to the same exporter. Guarantee: nothing is
    /// found, and a note says who carries it, and what comes of two that send the same.
    #[test]
    fn what_another_pipeline_carries_is_not_lost() {
        for (processor, what) in [
            ("probabilistic_sampler", "what it leaves out"),
            ("filter/own", "what it leaves out"),
            ("batch", "what it holds in memory"),
            ("memory_limiter", "what it refuses"),
            ("transform/fails", "what it refuses"),
        ] {
            let report = with(&format!("{LOSES}{CARRIES}"), "[probabilistic_sampler]", &format!("[{processor}]"));
            assert_eq!(kinds(&report), "", "{processor}: {report:#?}");
            let note = report.notes.iter().find(|note| note.component == processor);
            let says = &note.unwrap_or_else(|| panic!("{processor}: {report:#?}")).says;
            assert!(says.starts_with(&format!("{what} (`traces/a`) is not lost: `traces/b` carries everything")), "{says}");
            assert!(says.contains("is known as a duplicate"), "{says}");
            // Alone it is a mistake.
            assert_ne!(kinds(&with(LOSES, "[probabilistic_sampler]", &format!("[{processor}]"))), "", "{processor}");
        }
        // More receivers than those that are carried, and through a connector on either side.
        for pipelines in [
            LOSES.to_owned() + &CARRIES.replace("[otlp]", "[otlp/more, otlp]"),
            "    traces/a: {receivers: [otlp], processors: [probabilistic_sampler], exporters: [forward]}\n    traces/c: {receivers: [forward], exporters: [otlp_grpc/spanseal]}\n".to_owned() + CARRIES,
            "    traces/b: {receivers: [otlp], exporters: [forward]}\n    traces/c: {receivers: [forward], exporters: [otlp_grpc/spanseal]}\n".to_owned() + LOSES,
            "    traces/in: {receivers: [otlp], exporters: [forward]}\n".to_owned() + &LOSES.replace("otlp]", "forward]") + CARRIES,
            "    traces/in: {receivers: [otlp], exporters: [forward]}\n".to_owned() + &LOSES.replace("otlp]", "forward]") + &CARRIES.replace("otlp]", "forward]"),
        ] {
            assert_eq!(kinds(&with(&pipelines, "", "")), "", "{pipelines}");
        }
        // Where senders wait for the seal, too.
        let waits = with(&format!("{LOSES}{CARRIES}"), "storage: file_storage,", "wait_for_result: true,");
        assert_eq!(kinds(&waits), "", "{waits:#?}");
    }

    /// Nothing is excused by a pipeline that carries less, of which something was said, or that something keeps waiting.
    #[test]
    fn what_is_not_surely_carried_stays_lost() {
        let both = format!("{LOSES}{CARRIES}");
        for (pipelines, from, to, expected) in [
            // It loses something itself, or may.
            (both.clone(), "[resourcedetection]", "[batch]", "held_in_memory sampled"),
            (both.clone(), "[resourcedetection]", "[mystery]", "sampled"),
            (both.clone(), "[resourcedetection]", "[probabilistic_sampler/all]", "sampled"),
            (both.clone(), "[resourcedetection]", "[span]", "sampled evidence_cut"),
            // Another signal, fewer receivers, another exporter, or not all of them.
            (both.clone(), "traces/b", "logs/b", "sampled"),
            (both.clone(), "{receivers: [otlp], processors: [prob", "{receivers: [otlp, otlp/more], processors: [prob", "sampled"),
            (
                both.clone(),
                "[resourcedetection], exporters: [otlp_grpc/spanseal]",
                "[resourcedetection], exporters: [otlp_grpc/spanseal-2]",
                "sampled",
            ),
            (
                both.clone(),
                "[probabilistic_sampler], exporters: [",
                "[probabilistic_sampler], exporters: [otlp_grpc/spanseal-2, ",
                "sampled",
            ),
            // Through a connector that does not pass on everything.
            (
                format!(
                    "{LOSES}    traces/b: {{receivers: [otlp], exporters: [routing]}}\n    traces/c: {{receivers: [routing], exporters: [otlp_grpc/spanseal]}}\n"
                ),
                "",
                "",
                "sampled route_drops",
            ),
            // From a connector that others hand over to, too, or that does not pass on everything.
            (
                format!(
                    "    traces/in: {{receivers: [otlp, otlp/more], exporters: [forward]}}\n{}{CARRIES}",
                    LOSES.replace("otlp]", "forward]")
                ),
                "",
                "",
                "sampled",
            ),
            (
                format!("    traces/in: {{receivers: [otlp], exporters: [routing]}}\n{}{CARRIES}", LOSES.replace("otlp]", "routing]")),
                "",
                "",
                "sampled",
            ),
            // Through a pipeline that loses.
            (
                format!(
                    "{LOSES}    traces/b: {{receivers: [otlp], exporters: [forward]}}\n    traces/c: {{receivers: [forward], processors: [batch], exporters: [otlp_grpc/spanseal]}}\n"
                ),
                "",
                "",
                "held_in_memory sampled",
            ),
            // What both live by.
            (both.clone(), "fsync: true", "fsync: false", "sampled storage_not_synced"),
            (both.clone(), "fsync: true", "fsync: \"${env:FSYNC}\"", "sampled"),
            (both.clone(), "timeout: 30s", "timeout: 2s", "sampled timeout_short"),
            (both.clone(), "max_recv_msg_size_mib: 14", "max_recv_msg_size_mib: 64", "lets_in_too_much sampled"),
            (both.clone(), "  otlp: {protocols", "  zipkin: {}\n  otlp: {protocols", ""),
            (both.replace("[otlp]", "[otlp, zipkin]"), "  otlp: {protocols", "  zipkin: {}\n  otlp: {protocols", "sampled"),
            // Another exporter that holds up both, or may.
            (
                format!("{both}    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc/backend]}}\n"),
                "24317, tls",
                "24317, sending_queue: {block_on_overflow: true}, tls",
                "sampled held_up",
            ),
            (
                format!("{both}    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc/backend]}}\n"),
                "24317, tls",
                "24317, sending_queue: {block_on_overflow: \"${env:BLOCK}\"}, tls",
                "sampled",
            ),
            // Such an exporter in the very pipeline that loses.
            (
                both.replace("[probabilistic_sampler], exporters: [", "[probabilistic_sampler], exporters: [otlp_grpc/backend, "),
                "24317, tls",
                "24317, sending_queue: {block_on_overflow: true}, tls",
                "sampled held_up",
            ),
            // A batch that waits for each seal holds up the receiver.
            (both.replace("[probabilistic_sampler]", "[batch]"), "storage: file_storage,", "wait_for_result: true,", "held_in_memory"),
            // One to spanseal that the other does not have.
            (
                format!("{both}    traces/d: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc/spanseal-2]}}\n"),
                "",
                "",
                "held_in_memory sampled",
            ),
        ] {
            let report = with(&pipelines, from, to);
            assert_eq!(kinds(&report), expected, "{from} -> {to}: {report:#?}");
        }
        // What changes evidence is no loss: the log has both.
        let cut = with(&both, "[probabilistic_sampler]", "[probabilistic_sampler, span]");
        assert_eq!(kinds(&cut), "evidence_cut", "{cut:#?}");
    }
}
