//! What one pipeline loses and another one carries: it is not lost.
//!
//! Pipelines of the same receivers each get a copy of what comes in. Where one of them leaves something out, holds it or refuses it, and another
//! passes on all of it to the same exporters, spanseal has it all the same. That is believed only of a pipeline of which nothing at all was said,
//! nor of its receivers, its exporters and what these name, and where nothing keeps telemetry from it: the receiver hands over to one pipeline
//! after another. What changes evidence is no loss and stays what it is: the log then has it in two forms.
//!
//! One pipeline has to carry all of it, to the exporters of the same names: whether two exporters lead to the same log is not known here.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::exporter::{Blocks, answers_before_sealed, blocks};
use super::file::{Component, File, Pipeline, Reference};
use super::pipelines::{Between, Fed, fed_by};
use super::{Kind, Notes};

/// A pipeline, and what was said of its processors and of the connectors that it hands over to.
pub(super) struct Judged<'f> {
    pub(super) pipeline: &'f Pipeline,
    pub(super) said: Notes,
}

impl Judged<'_> {
    fn loses(&self) -> bool {
        self.said.findings.all.iter().any(|(_, found)| lost(found.kind).is_some())
    }
}

/// Adds what was said of the processors to everything else that was said.
pub(super) fn settle(file: &File<'_>, exporters: &[&Component<'_>], judged: Vec<Judged<'_>>, notes: &mut Notes) {
    let carriers: Vec<Option<String>> = match judged.iter().any(Judged::loses) {
        true => Ways::new(file, exporters, &judged, notes).carriers().into_iter().map(|other| Some(other?.id.clone())).collect(),
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

/// The pipelines by what they name.
type ByName<'w> = HashMap<&'w str, Vec<&'w Pipeline>>;

/// The ways to spanseal. A file may be one long chain of connectors, so every question is answered by walking it once, and never by calling itself.
struct Ways<'w, 'n> {
    file: &'w File<'n>,
    /// Those to spanseal.
    exporters: &'w [&'w Component<'n>],
    judged: &'w [Judged<'w>],
    connectors: HashMap<&'w str, &'w Component<'n>>,
    /// By the receivers and connectors that they have their telemetry from, each once.
    from: ByName<'w>,
    /// By the exporters and connectors that they hand over to, each once.
    to: ByName<'w>,
    /// Pipelines that were judged.
    known: HashSet<&'w str>,
    /// Pipelines of which nothing was said, nor of anything that they live by. A note counts, too: it may be of something that is left out.
    clean: HashSet<&'w str>,
    /// What the exporters to spanseal are fed by; asked only where a pipeline may be kept waiting.
    fed: OnceCell<Vec<(&'w Component<'n>, Vec<Fed<'w>>)>>,
}

/// What keeps an exporter's other senders from being served, as seen from a pipeline: whether it is fed from above that, and whether something
/// between waits for it.
struct Held<'w, 'n> {
    exporter: &'w Component<'n>,
    is_fed: bool,
    is_waited_for: bool,
}

impl<'w, 'n> Ways<'w, 'n> {
    fn new(file: &'w File<'n>, exporters: &'w [&'w Component<'n>], judged: &'w [Judged<'w>], notes: &Notes) -> Self {
        let mut ways = Ways {
            file,
            exporters,
            judged,
            connectors: file.connectors.iter().map(|connector| (connector.id.as_str(), connector)).collect(),
            from: by_name(file, |pipeline| &pipeline.receivers),
            to: by_name(file, |pipeline| &pipeline.exporters),
            known: judged.iter().map(|one| one.pipeline.id.as_str()).collect(),
            clean: HashSet::new(),
            fed: OnceCell::new(),
        };
        let mut spoken_of: HashSet<String> = notes.spoken_of().into_iter().collect();
        // What is said of an exporter, or of an extension that it names, is said of every receiver that it has something from.
        let extensions = file.extensions.iter().map(|extension| &extension.id).filter(|id| spoken_of.contains(*id));
        let extensions: HashSet<String> = extensions.cloned().collect();
        for exporter in &file.exporters {
            if spoken_of.contains(&exporter.id) || exporter.texts(&[]).iter().any(|(text, _)| extensions.contains(text.trim())) {
                spoken_of.extend(fed_by(file, &exporter.id).iter().map(|fed| fed.receiver.to_owned()));
            }
        }
        let below = ways.below(&spoken_of);
        let silent = judged.iter().filter(|one| one.said.is_empty()).map(|one| one.pipeline.id.as_str());
        ways.clean = silent.filter(|id| !spoken_of.contains(*id) && !below.contains(id)).collect();
        ways
    }

    /// Of each pipeline that was judged and loses something the first other one that carries everything that comes to it.
    fn carriers(&self) -> Vec<Option<&'w Pipeline>> {
        let mut carriers: Vec<Option<&Pipeline>> = vec![None; self.judged.len()];
        let reached = |one: &Judged<'w>| self.reached(one.pipeline, |_| true);
        let mut open: Vec<(usize, &Pipeline, HashSet<&str>)> =
            self.judged.iter().enumerate().filter(|(_, one)| one.loses()).map(|(at, one)| (at, one.pipeline, reached(one))).collect();
        open.retain(|(_, of, reached)| !reached.is_empty() && !of.receivers.is_empty());
        for other in self.judged.iter().map(|one| one.pipeline).filter(|other| self.clean.contains(other.id.as_str())) {
            if open.is_empty() {
                break;
            }
            let (has, leads_to) = (self.comes_to(other), self.reached(other, |pipeline| self.clean.contains(pipeline.id.as_str())));
            let held = OnceCell::new();
            open.retain(|(at, of, reached)| {
                let carries = other.id != of.id
                    && other.signal() == of.signal()
                    && of.receivers.iter().all(|receiver| has.contains(receiver.id.as_str()))
                    && reached.is_subset(&leads_to)
                    && !self.is_kept_waiting(held.get_or_init(|| self.held(other)), reached);
                if let Some(carrier) = carriers.get_mut(*at).filter(|_| carries) {
                    *carrier = Some(other);
                }
                !carries
            });
        }
        carriers
    }

    /// The receivers and connectors from which a pipeline has all there is: its own, and connectors that only pass on what comes from such.
    fn comes_to(&self, pipeline: &'w Pipeline) -> HashSet<&'w str> {
        let of_signal = |all: &ByName<'w>, id: &str| -> Vec<&'w Pipeline> {
            all.get(id).into_iter().flatten().copied().filter(|known| known.signal() == pipeline.signal()).collect()
        };
        let distinct = |all: &'w [Reference]| -> HashSet<&'w str> { all.iter().map(|reference| reference.id.as_str()).collect() };
        let mut open: Vec<&str> = pipeline.receivers.iter().map(|receiver| receiver.id.as_str()).collect();
        let mut all: HashSet<&str> = HashSet::new();
        // Of how many receivers of a pipeline, and of how many pipelines that hand over to a connector, it is not known yet.
        let (mut receivers, mut above): (HashMap<&str, usize>, HashMap<&str, usize>) = (HashMap::new(), HashMap::new());
        while let Some(id) = open.pop() {
            if !all.insert(id) {
                continue;
            }
            for next in of_signal(&self.from, id) {
                let left = receivers.entry(&next.id).or_insert_with(|| distinct(&next.receivers).len());
                *left = left.saturating_sub(1);
                if *left > 0 {
                    continue;
                }
                for connector in
                    distinct(&next.exporters).into_iter().filter(|id| self.connectors.get(id).is_some_and(|c| c.kind() == "forward"))
                {
                    let left = above.entry(connector).or_insert_with(|| of_signal(&self.to, connector).len());
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        open.push(connector);
                    }
                }
            }
        }
        all
    }

    /// The exporters to spanseal that a pipeline leads to, through connectors too, all of it by such pipelines. Of a connector that does more than
    /// hand over it was said that it is not known.
    fn reached(&self, from: &'w Pipeline, by: impl Fn(&Pipeline) -> bool) -> HashSet<&'w str> {
        let ours: HashSet<&str> = self.exporters.iter().map(|exporter| exporter.id.as_str()).collect();
        let (mut all, mut passed, mut seen) = (HashSet::new(), HashSet::new(), HashSet::from([from.id.as_str()]));
        let mut open = if by(from) { vec![from] } else { Vec::new() };
        while let Some(pipeline) = open.pop() {
            for id in pipeline.exporters.iter().map(|exporter| exporter.id.as_str()) {
                if ours.contains(id) {
                    all.insert(id);
                } else if self.connectors.contains_key(id) && passed.insert(id) {
                    let next = self.from.get(id).into_iter().flatten().copied().filter(|next| {
                        let is_known = self.known.contains(next.id.as_str()) && next.signal() == from.signal();
                        is_known && by(next) && seen.insert(next.id.as_str())
                    });
                    open.extend(next);
                }
            }
        }
        all
    }

    /// The pipelines that have something from such receivers and connectors, through connectors too.
    fn below(&self, receivers: &HashSet<String>) -> HashSet<&'w str> {
        let mut all = HashSet::new();
        let mut open: Vec<&str> = self.from.keys().copied().filter(|id| receivers.contains(*id)).collect();
        let mut passed: HashSet<&str> = open.iter().copied().collect();
        while let Some(id) = open.pop() {
            for pipeline in self.from.get(id).into_iter().flatten().filter(|pipeline| all.insert(pipeline.id.as_str())) {
                let next = pipeline.exporters.iter().map(|exporter| exporter.id.as_str());
                open.extend(next.filter(|id| self.connectors.contains_key(id) && passed.insert(id)));
            }
        }
        all
    }

    /// The receivers and connectors that a pipeline has its telemetry from.
    fn above(&self, pipeline: &'w Pipeline) -> HashSet<&'w str> {
        let (mut all, mut open) = (HashSet::new(), vec![pipeline]);
        while let Some(pipeline) = open.pop() {
            for receiver in pipeline.receivers.iter().map(|receiver| receiver.id.as_str()) {
                if all.insert(receiver) && self.connectors.contains_key(receiver) {
                    open.extend(self.to.get(receiver).into_iter().flatten());
                }
            }
        }
        all
    }

    /// The exporters to spanseal as a pipeline sees them.
    fn held(&self, pipeline: &'w Pipeline) -> Vec<Held<'w, 'n>> {
        let fed = || self.exporters.iter().map(|exporter| (*exporter, fed_by(self.file, &exporter.id))).collect();
        let above = self.above(pipeline);
        let seen = |(exporter, fed): &(&'w Component<'n>, Vec<Fed<'w>>)| {
            let mut between = fed.iter().filter(|fed| above.contains(fed.receiver)).map(|fed| fed.between).peekable();
            let is_fed = between.peek().is_some();
            Held { exporter, is_fed, is_waited_for: between.any(|between| between != Between::Nothing) }
        };
        self.fed.get_or_init(fed).iter().map(seen).collect()
    }

    /// Whether an exporter to spanseal keeps telemetry from a pipeline that carries everything to some; of other exporters `HeldUp` tells. One
    /// that it has itself does so by what waits for it in another pipeline, unless it takes everything at once, to disk; one that it does not have
    /// may also fill by itself.
    fn is_kept_waiting(&self, held: &[Held<'w, 'n>], own: &HashSet<&str>) -> bool {
        let is_own = |held: &Held<'_, '_>| own.contains(held.exporter.id.as_str());
        let waits = held.iter().any(|held| is_own(held) && !answers_before_sealed(held.exporter));
        held.iter().any(|held| match is_own(held) {
            true => held.is_waited_for && !answers_before_sealed(held.exporter),
            false => held.is_fed && blocks(held.exporter) != Blocks::No && (held.is_waited_for || waits),
        })
    }
}

/// The pipelines by what one of their lists names.
fn by_name<'w>(file: &'w File<'_>, list: impl Fn(&'w Pipeline) -> &'w Vec<Reference>) -> ByName<'w> {
    let mut all = ByName::new();
    for pipeline in &file.pipelines {
        for reference in list(pipeline) {
            let known = all.entry(reference.id.as_str()).or_default();
            // What one names twice in a row of its own was added just before.
            if known.last().is_none_or(|last| last.id != pipeline.id) {
                known.push(pipeline);
            }
        }
    }
    all
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
  transform/cut: {error_mode: ignore, trace_statements: ['set(span.name, "x")']}
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
            (both.clone(), "[resourcedetection]", "[transform/cut]", "sampled evidence_cut"),
            (
                both.replace("[probabilistic_sampler]", "[transform/cut]"),
                "[resourcedetection]",
                "[transform/cut, batch]",
                "held_in_memory evidence_cut",
            ),
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
