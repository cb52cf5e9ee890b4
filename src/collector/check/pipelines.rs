//! The pipelines that lead to our exporter, back to the receivers and through connectors: what they take away, hold, or leave out.

use std::collections::BTreeSet;

use super::carried::{self, Judged};
use super::exporter::Blocks;
use super::file::{Component, File, Pipeline, Reference, items, kind_of, said, says_something};
use super::statements::{Judgements, fails_whole_requests, mark_is_taken_off, statement_list};
use super::{Kind, Notes, Receiving, Said, connectors, exporter, receivers};
use crate::collector::filter::{MARK, log_condition, log_marking, span_condition, trace_marking};
use crate::config::yaml::{Node, Value};
use crate::plain::HIDDEN;
use crate::promote::ottl::Filter;

/// Processors that add to the resource and change nothing else.
const HARMLESS: [&str; 1] = ["k8sattributes"];
/// Processors that hand over by themselves: whoever comes to them waits for what is behind them without an end, and what its sender gives up
/// changes nothing of it.
const WAITING: [&str; 4] = ["batch", "tailsampling", "groupbytrace", "logdedup"];
/// Processors and connectors that hand over what comes at once, in the time that its sender has.
const PASSING: [&str; 12] = [
    "attributes",
    "filter",
    "forward",
    "k8sattributes",
    "memorylimiter",
    "probabilisticsampler",
    "redaction",
    "resource",
    "resourcedetection",
    "routing",
    "span",
    "transform",
];

/// Receivers of what systems say of themselves: an application's AI telemetry comes by none of them, unless it writes it where they read.
const OF_SYSTEMS: [&str; 14] = [
    "collectd",
    "dockerstats",
    "filelog",
    "filestats",
    "hostmetrics",
    "journald",
    "k8scluster",
    "k8sevents",
    "k8sobjects",
    "kubeletstats",
    "podmanstats",
    "statsd",
    "syslog",
    "windowseventlog",
];

/// What to do about a processor that the backend needs.
pub(super) const APART: &str = "a pipeline to spanseal of its own, from the same receivers, without this processor";

/// What to do about an exporter that others wait for.
const OWN_QUEUE: &str = "a queue of its own that does not wait (`sending_queue: {enabled: true}` without `block_on_overflow`)";

/// Judges the way to the exporters.
pub(super) fn judge(file: &File<'_>, exporters: &[&Component<'_>], receiving: &Receiving, notes: &mut Notes) {
    undefined(file, notes);
    for exporter in exporters {
        if !is_used(file, exporter) {
            notes.found(
                Kind::Unused,
                exporter.mark,
                &exporter.id,
                "is configured, and no pipeline has it: nothing is sent to spanseal by it",
                "the exporter's name under `exporters` of a pipeline",
            );
        }
    }
    let way = way(file, exporters, notes);
    for pipeline in &way {
        let comes_of_it = match pipeline.signal() {
            "metrics" => "which keeps none of them, and says so in each answer",
            "profiles" => "which refuses them for good, and where other exporters have them too their sender is told that it failed",
            _ => continue,
        };
        for reference in pipeline.exporters.iter().filter(|reference| exporters.iter().any(|exporter| exporter.id == reference.id)) {
            let says = format!("sends {} to spanseal (`{}`), {comes_of_it}", pipeline.signal(), pipeline.id);
            notes.note(reference.mark, &reference.id, says);
        }
    }
    // Metrics and profiles are no evidence.
    let (mut judged, mut statements) = (Vec::new(), Judgements::default());
    for pipeline in way.iter().filter(|pipeline| matches!(pipeline.signal(), "traces" | "logs")) {
        logs_balanced(pipeline, exporters, notes);
        let mut said = notes.beside();
        processors_judged(file, pipeline, receiving, &mut statements, &mut said);
        connectors::judge(file, &way, exporters, pipeline, receiving, &mut said);
        judged.push(Judged { pipeline, said });
    }
    // That nothing leads to spanseal was found with the exporter that is used nowhere.
    for signal in ["traces", "logs"].into_iter().filter(|_| !way.is_empty()) {
        signal_judged(file, &way, signal, notes);
    }
    held_up(file, &way, exporters, notes);
    receivers::judge(file, &way, exporters, receiving, notes);
    // Last, because it is only so where nothing was said of the other pipeline.
    carried::settle(file, exporters, judged, notes);
    statements.tell(notes);
}

/// What the processors of a pipeline do, one after another.
fn processors_judged(file: &File<'_>, pipeline: &Pipeline, receiving: &Receiving, statements: &mut Judgements, notes: &mut Notes) {
    for (at, reference) in pipeline.processors.iter().enumerate() {
        let Some(processor) = file.processor(reference) else { continue };
        if processor.is_variable() {
            let says =
                format!("is a variable as a whole: what it does to telemetry on the way to spanseal (`{}`) is not known here", pipeline.id);
            notes.unjudged(processor.mark, &processor.id, says);
            continue;
        }
        for (path, mark) in processor.variables() {
            notes.unjudged(mark, &processor.id, format!("what the variable at `{path}` stands for (`{}`) is not known here", pipeline.id));
        }
        let before = pipeline.processors.get(..at).unwrap_or_default();
        processor_judged(file, pipeline, before, processor, receiving, statements, notes);
        let behind = pipeline.processors.get(at.saturating_add(1)..).unwrap_or_default();
        mark_is_taken_off(file, pipeline, processor, behind, notes);
    }
}

/// A receiver gives what comes in to one pipeline after another, and a connector to one exporter after another. Where an exporter blocks, what is
/// behind it waits, and has the time that the sender has left: a queue on disk takes it all the same, one that waits for the seal does not. Where
/// a processor before it waits for it without an end, nothing takes it.
fn held_up(file: &File<'_>, way: &[&Pipeline], exporters: &[&Component<'_>], notes: &mut Notes) {
    let waits = exporters.iter().filter(|exporter| is_used(file, exporter)).any(|exporter| !exporter::answers_before_sealed(exporter));
    let evidence = || way.iter().filter(|pipeline| matches!(pipeline.signal(), "traces" | "logs"));
    for exporter in file.exporters.iter().filter(|exporter| !exporters.iter().any(|ours| ours.id == exporter.id)) {
        let blocks = exporter::blocks(exporter);
        if blocks == Blocks::No {
            continue;
        }
        let is_beside = |fed: &&Fed<'_>| {
            let comes_to_both = evidence().any(|pipeline| pipeline.signal() == fed.signal && names(&pipeline.receivers, fed.receiver));
            comes_to_both && !file.is_connector(fed.receiver)
        };
        let fed = fed_by(file, &exporter.id);
        let Some(Fed { receiver, between, .. }) = fed.iter().filter(is_beside).max_by_key(|fed| fed.between) else { continue };
        let shared = evidence()
            .find(|pipeline| names(&pipeline.exporters, &exporter.id) && exporters.iter().any(|ours| names(&pipeline.exporters, &ours.id)));
        match (blocks, between) {
            (Blocks::Yes(says, place), Between::Nothing | Between::Unknown(_)) if let Some(pipeline) = shared => {
                let says = format!(
                    "{says}, and shares `{}` with spanseal: while its backend is away senders wait until they give up, and what they gave up on may \
                     never have come to spanseal, whatever queue that has",
                    pipeline.id
                );
                notes.found(Kind::HeldUp, place, &exporter.id, says, OWN_QUEUE);
            }
            (Blocks::Yes(says, place), Between::Waiting(processor)) => {
                let says = format!(
                    "{says}, and `{processor}` before it waits for it without an end: while its backend is away, what `{receiver}` took stays there, \
                     also when senders give up, and may never have come to spanseal, whatever queue that has"
                );
                notes.found(Kind::HeldUp, place, &exporter.id, says, OWN_QUEUE);
            }
            (Blocks::Yes(says, place), _) if waits => {
                let says = format!(
                    "{says}, and `{receiver}` hands over to it and to spanseal one after another: while its backend is away senders wait until they \
                     give up, and what they gave up on may never have come to spanseal"
                );
                notes.found(Kind::HeldUp, place, &exporter.id, says, format!("{OWN_QUEUE}, or `storage` in the queue to spanseal"));
            }
            (Blocks::Yes(says, place), Between::Unknown(processor)) => {
                let says = format!(
                    "{says}: whether `{processor}` waits for it without an end, and holds up what `{receiver}` has for spanseal, is not known here"
                );
                notes.unjudged(place, &exporter.id, says);
            }
            (Blocks::Unknown(mark), between) if waits || *between != Between::Nothing => {
                let says = format!(
                    "whether it keeps senders waiting while its backend is away is not known here: `{receiver}` hands over to it and to spanseal one \
                     after another"
                );
                notes.unjudged(mark, &exporter.id, says);
            }
            (Blocks::No | Blocks::Yes(..) | Blocks::Unknown(_), _) => {}
        }
    }
}

/// What stands between a receiver and an exporter; of several what is later here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Between<'f> {
    /// Nothing that waits.
    Nothing,
    /// A processor or connector of which it is not known.
    Unknown(&'f str),
    /// A processor that waits for what is behind it without an end.
    Waiting(&'f str),
}

impl Between<'_> {
    fn of(component: &str) -> Between<'_> {
        match kind_of(component).as_str() {
            kind if WAITING.contains(&kind) => Between::Waiting(component),
            kind if PASSING.contains(&kind) => Between::Nothing,
            _ => Between::Unknown(component),
        }
    }
}

/// A receiver that an exporter has its telemetry from.
pub(super) struct Fed<'f> {
    signal: &'f str,
    pub(super) receiver: &'f str,
    pub(super) between: Between<'f>,
}

/// The receivers that an exporter has its telemetry from, through connectors too.
pub(super) fn fed_by<'f>(file: &'f File<'_>, exporter: &'f str) -> Vec<Fed<'f>> {
    let (mut all, mut open): (Vec<Fed<'_>>, Vec<(&str, Between<'_>)>) = (Vec::new(), vec![(exporter, Between::Nothing)]);
    while let Some((id, behind)) = open.pop() {
        for pipeline in file.pipelines.iter().filter(|pipeline| names(&pipeline.exporters, id)) {
            let between = pipeline.processors.iter().map(|processor| Between::of(&processor.id)).fold(behind, Ord::max);
            for receiver in pipeline.receivers.iter().map(|receiver| receiver.id.as_str()) {
                let known = all.iter_mut().find(|known| known.signal == pipeline.signal() && known.receiver == receiver);
                match known {
                    Some(known) if known.between >= between => continue,
                    Some(known) => known.between = between,
                    None => all.push(Fed { signal: pipeline.signal(), receiver, between }),
                }
                let is_connector = file.is_connector(receiver);
                open.push((receiver, if is_connector { between.max(Between::of(receiver)) } else { between }));
            }
        }
    }
    all
}

/// Whether a pipeline has it.
pub(super) fn is_used(file: &File<'_>, exporter: &Component<'_>) -> bool {
    file.pipelines.iter().any(|pipeline| names(&pipeline.exporters, &exporter.id))
}

/// Whether a pipeline of a signal has it.
pub(super) fn is_used_for(file: &File<'_>, exporter: &Component<'_>, signal: &str) -> bool {
    file.pipelines.iter().any(|pipeline| pipeline.signal() == signal && names(&pipeline.exporters, &exporter.id))
}

pub(super) fn names(references: &[Reference], id: &str) -> bool {
    references.iter().any(|reference| reference.id == id)
}

/// What pipelines name and nothing defines.
fn undefined(file: &File<'_>, notes: &mut Notes) {
    for pipeline in &file.pipelines {
        let parts = [
            ("receiver", &pipeline.receivers, &file.receivers, true),
            ("processor", &pipeline.processors, &file.processors, false),
            ("exporter", &pipeline.exporters, &file.exporters, true),
        ];
        for (what, references, components, or_connector) in parts {
            for reference in references {
                let known = components.iter().any(|c| c.id == reference.id) || (or_connector && file.is_connector(&reference.id));
                if !known {
                    let says = format!("`{}` is no {what} of this configuration: the Collector does not start with it", reference.id);
                    notes.found(
                        Kind::DoesNotStart,
                        reference.mark,
                        &pipeline.id,
                        says,
                        format!("the name of one that is defined under `{what}s`"),
                    );
                }
            }
        }
    }
}

/// Every pipeline from which the exporters are reached. What a connector makes of another signal is no way for that signal.
fn way<'f>(file: &'f File<'_>, exporters: &[&Component<'_>], notes: &mut Notes) -> Vec<&'f Pipeline> {
    let mut way: Vec<&Pipeline> = Vec::new();
    let mut open: Vec<&Pipeline> =
        file.pipelines.iter().filter(|pipeline| exporters.iter().any(|exporter| names(&pipeline.exporters, &exporter.id))).collect();
    while let Some(pipeline) = open.pop() {
        if way.iter().any(|known| known.id == pipeline.id) {
            continue;
        }
        way.push(pipeline);
        for connector in pipeline.receivers.iter().filter_map(|r| file.connectors.iter().find(|connector| connector.id == r.id)) {
            let upstream = file.pipelines.iter().filter(|upstream| names(&upstream.exporters, &connector.id));
            let (same, other): (Vec<&Pipeline>, Vec<&Pipeline>) = upstream.partition(|upstream| upstream.signal() == pipeline.signal());
            for upstream in &other {
                let (from, to) = (upstream.signal(), pipeline.signal());
                let says = format!(
                    "makes {to} of {from} (`{}`): what these say of them is not known here, and the {from} themselves go another way",
                    upstream.id
                );
                notes.unjudged(connector.mark, &connector.id, says);
            }
            if other.is_empty() && same.is_empty() {
                notes.unjudged(
                    connector.mark,
                    &connector.id,
                    format!("no pipeline hands over to it, and `{}` has nothing from it", pipeline.id),
                );
            }
            open.extend(same);
        }
    }
    // In the order of the file.
    file.pipelines.iter().filter(|pipeline| way.iter().any(|known| known.id == pipeline.id)).collect()
}

/// The load-balancing exporter keeps the traces of a request together for each replica, and logs it does not.
fn logs_balanced(pipeline: &Pipeline, exporters: &[&Component<'_>], notes: &mut Notes) {
    for reference in pipeline.exporters.iter().filter(|_| pipeline.signal() == "logs") {
        if exporters.iter().any(|exporter| exporter.id == reference.id && exporter.is_balancer()) {
            notes.found(
                Kind::LogsCrawl,
                reference.mark,
                &reference.id,
                format!(
                    "with contrib 0.152 sends logs one trace, scope and resource after another, each when the one before is sealed, so they crawl; what \
                     has no trace goes to another replica each time it is tried, where it is not recognised as sent before (`{}`)",
                    pipeline.id
                ),
                "an `otlp_grpc` exporter for logs, to one replica or to a load balancer before them",
            );
        }
    }
}

fn signal_judged(file: &File<'_>, way: &[&Pipeline], signal: &str, notes: &mut Notes) {
    let what = if signal == "traces" { "AI spans" } else { "AI log events (of GenAI instrumentations, of coding agents)" };
    let of_signal = || file.pipelines.iter().filter(|pipeline| pipeline.signal() == signal);
    let Some(first) = of_signal().next() else {
        return notes.unjudged(
            Default::default(),
            signal,
            format!("no pipeline takes {signal}: {what} would have to come to spanseal another way"),
        );
    };
    let reached = || way.iter().filter(|pipeline| pipeline.signal() == signal);
    let from_outside = || of_signal().flat_map(|pipeline| &pipeline.receivers).filter(|receiver| !file.is_connector(&receiver.id));
    if reached().next().is_none() && from_outside().next().is_some() && from_outside().all(|receiver| is_of_systems(&receiver.id)) {
        let all: BTreeSet<String> = from_outside().map(|receiver| format!("`{}`", receiver.id)).collect();
        let says = format!(
            "{signal} come in by {} alone, and go elsewhere: if an application of yours writes AI events there, they never reach spanseal",
            all.into_iter().collect::<Vec<_>>().join(", ")
        );
        return notes.note(first.mark, &first.id, says);
    }
    if reached().next().is_none() {
        let says = format!("{signal} come in and go elsewhere only: {what} never reach spanseal");
        return notes.found(
            Kind::SignalMissing,
            first.mark,
            &first.id,
            says,
            format!("a pipeline `{signal}/spanseal` with the same receivers"),
        );
    }
    for pipeline in of_signal().filter(|pipeline| !way.iter().any(|known| known.id == pipeline.id)) {
        for receiver in pipeline.receivers.iter().filter(|receiver| !file.is_connector(&receiver.id)) {
            if reached().any(|pipeline| names(&pipeline.receivers, &receiver.id)) {
                continue;
            }
            if is_of_systems(&receiver.id) {
                let says = format!(
                    "{signal} that come in by `{}` go to `{}`: if an application of yours writes AI events there, they never reach spanseal",
                    receiver.id, pipeline.id
                );
                notes.note(receiver.mark, &pipeline.id, says);
            } else {
                let says = format!("{signal} that come in by `{}` go to `{}` and never reach spanseal", receiver.id, pipeline.id);
                let instead = format!("`{}` under `receivers` of the pipeline to spanseal", receiver.id);
                notes.found(Kind::ReceiverLeftOut, receiver.mark, &pipeline.id, says, instead);
            }
        }
    }
}

fn is_of_systems(receiver: &str) -> bool {
    OF_SYSTEMS.contains(&kind_of(receiver).as_str())
}

fn processor_judged(
    file: &File<'_>,
    pipeline: &Pipeline,
    before: &[Reference],
    processor: &Component<'_>,
    receiving: &Receiving,
    statements: &mut Judgements,
    notes: &mut Notes,
) {
    let (id, mark, on) = (processor.id.as_str(), processor.mark, &pipeline.id);
    match processor.kind() {
        "tailsampling" => tail_sampling(processor, on, notes),
        "probabilisticsampler" => probabilistic(processor, pipeline, notes),
        "logdedup" => {
            notes.found(Kind::Sampled, mark, id, format!("makes one log of several on the way to spanseal (`{on}`)"), APART);
        }
        "batch" | "groupbytrace" => notes.found(
            Kind::HeldInMemory,
            mark,
            id,
            format!("holds telemetry in memory after the sender was answered (`{on}`), before any queue: it is lost with the Collector"),
            "a pipeline to spanseal of its own without it; batches are made behind the queue, by `sending_queue: {batch: ...}` of the exporter",
        ),
        "memorylimiter" => notes.found(
            Kind::Refuses,
            mark,
            id,
            format!("refuses audit telemetry when memory runs short (`{on}`), and senders that do not try again for long lose it"),
            "the limiter on the other pipelines, which can give way; `block_on_overflow: true` and a queue on disk bound this one",
        ),
        "redaction" => notes.found(
            Kind::EvidenceCut,
            mark,
            id,
            format!(
                "takes values away or masks them (`{on}`): spanseal could not tell what was said, and its hashes are of something else"
            ),
            "without it; spanseal keeps content apart, encrypted and erasable (`content.mode: vault`) or as hashes only (`hash`)",
        ),
        "span" => notes.found(Kind::EvidenceCut, mark, id, format!("gives spans other names (`{on}`)"), APART),
        "attributes" => statements.actions(processor, "actions", on, receiving, notes),
        "resource" => statements.actions(processor, "attributes", on, receiving, notes),
        "transform" => statements.judge(processor, pipeline, receiving, notes),
        "resourcedetection" => {
            if !matches!(processor.said(&["override"]), Said::Is(text, _) if text == "false") {
                notes.found(
                    Kind::EvidenceCut,
                    processor.place(&["override"]),
                    id,
                    format!("writes what it detects over what the application says of itself and its host (`{on}`)"),
                    "`override: false`: only what is missing is added",
                );
            }
        }
        "filter" if is_somebody_elses(processor, pipeline) => own_filter(processor, pipeline, notes),
        "filter" => filter(file, pipeline, before, processor, &receiving.filter, notes),
        "remotetap" => notes.note(mark, id, format!("shows what passes (`{on}`), prompts too, to whoever connects to it")),
        kind if HARMLESS.contains(&kind) => {}
        _ => notes.unjudged(mark, id, format!("what this processor does to telemetry on the way to spanseal (`{on}`) is not known here")),
    }
}

/// One that keeps every trace loses none by choice, and all that it holds by accident.
fn tail_sampling(processor: &Component<'_>, pipeline: &str, notes: &mut Notes) {
    let types: Vec<String> = items(processor.node(&["policies"]))
        .iter()
        .map(|policy| match super::file::below(policy, "type").map(said) {
            Some(Said::Is(text, _)) => text,
            _ => String::new(),
        })
        .collect();
    // These, and what is unknown, may take a trace away that another policy keeps.
    let takes_away = types.iter().any(|kind| matches!(kind.as_str(), "drop" | "not" | "composite" | "and" | ""))
        || processor.texts(&["policies"]).iter().any(|(text, _)| text.contains("${"))
        || inverts(processor.node(&["policies"]));
    let keeps_all = types.iter().any(|kind| kind == "always_sample") && !takes_away;
    const SIZE_MAX: [&str; 1] = ["maximum_trace_size_bytes"];
    // Of a variable it was told that it is not known.
    if keeps_all && matches!(processor.said(&SIZE_MAX), Said::Is(size, _) if !is_zero(&size)) {
        let says = format!("keeps every trace but those that are larger than `{}`, which it drops (`{pipeline}`)", SIZE_MAX.concat());
        return notes.found(Kind::Sampled, processor.place(&SIZE_MAX), &processor.id, says, APART);
    }
    if keeps_all {
        let says = format!(
            "keeps every trace, and holds it in memory after the sender was answered (`{pipeline}`), at most `num_traces` of them: it is lost with \
             the Collector"
        );
        return notes.found(Kind::HeldInMemory, processor.mark, &processor.id, says, APART);
    }
    let says = format!("samples on the way to spanseal (`{pipeline}`): what it leaves out is no evidence");
    notes.found(Kind::Sampled, processor.mark, &processor.id, says, APART);
}

/// Which is no limit.
fn is_zero(number: &str) -> bool {
    number.replace('_', "").parse::<u64>().is_ok_and(|number| number == 0)
}

/// Whether `invert_match` stands somewhere below.
fn inverts(node: Option<&Node>) -> bool {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().any(|item| inverts(Some(item))),
        Some(Value::Map(members)) => members.iter().any(|(key, inner)| key.name == "invert_match" || inverts(Some(inner))),
        _ => false,
    }
}

/// At 100 % it leaves nothing out, but what it cannot read: of logs those without a trace id.
fn probabilistic(processor: &Component<'_>, pipeline: &Pipeline, notes: &mut Notes) {
    let (mark, id, on) = (processor.mark, &processor.id, &pipeline.id);
    let is_all = matches!(processor.said(&["sampling_percentage"]), Said::Is(text, _) if text.parse::<f64>().is_ok_and(|all| all >= 100.0));
    let fails_open = matches!(processor.said(&["fail_closed"]), Said::Is(text, _) if text == "false");
    match (is_all, pipeline.signal() == "logs" && !fails_open) {
        (false, _) => {
            let says = format!("samples on the way to spanseal (`{on}`): what it leaves out is no evidence");
            notes.found(Kind::Sampled, mark, id, says, APART);
        }
        (true, true) => {
            let says = format!("keeps 100 %, and yet drops logs without a trace id (`{on}`): they are no evidence");
            notes.found(Kind::Sampled, mark, id, says, format!("`fail_closed: false`, or {APART}"));
        }
        (true, false) => {
            let says = format!("keeps 100 % (`{on}`): no loss, but for spans that ask to be left out (`sampling.priority` 0)");
            notes.note(mark, id, says);
        }
    }
}

/// Whether a filter was written for something else than the choice of AI: none of ours, and its conditions say what is dropped.
fn is_somebody_elses(processor: &Component<'_>, pipeline: &Pipeline) -> bool {
    let list = if pipeline.signal() == "logs" { "log_conditions" } else { "trace_conditions" };
    let conditions = conditions(processor.node(&[list]));
    let ours = |condition: &String| condition.is_empty() || condition.trim_start().starts_with("not");
    !processor.name().contains("spanseal") && !conditions.is_empty() && !conditions.iter().any(ours)
}

const EVENTS: &str = "events of spans";

fn own_filter(processor: &Component<'_>, pipeline: &Pipeline, notes: &mut Notes) {
    let (what, list) = match pipeline.signal() {
        "logs" => ("logs", "log_conditions"),
        _ if is_of_events(processor) => (EVENTS, "trace_conditions"),
        _ => ("spans", "trace_conditions"),
    };
    let ours = if what == EVENTS { "Events of AI, prompts among them," } else { &format!("AI {what}") };
    let conditions: Vec<String> = conditions(processor.node(&[list])).iter().map(|condition| format!("`{}`", quoted(condition))).collect();
    let says = format!(
        "drops {what} by a condition of your own (`{}`): {}. {ours} that meet it never reach spanseal",
        pipeline.id,
        conditions.join(", ")
    );
    let instead = "without it on the way to spanseal: what has no AI meaning, as health checks, becomes no record there anyway; to save the network, \
                   what `spanseal collector filter` prints";
    notes.found(Kind::FilterDiffers, processor.place(&[list]), &processor.id, says, instead);
    condition_fails(pipeline, processor, list, notes);
}

/// Whether all that a filter drops are events of spans: each group says so, or each condition asks for one.
fn is_of_events(processor: &Component<'_>) -> bool {
    let groups = items(processor.node(&["trace_conditions"]));
    let is_of_event = |group: &Node| match super::file::below(group, "context").map(said) {
        Some(Said::Is(context, _)) if !context.is_empty() => context == "spanevent",
        _ => conditions(Some(&Node { mark: group.mark, value: Value::List(vec![group.clone()]) })).iter().all(|c| c.contains("spanevent.")),
    };
    !groups.is_empty() && groups.iter().all(is_of_event)
}

/// Whether a filter is the one for this configuration.
fn filter(file: &File<'_>, pipeline: &Pipeline, before: &[Reference], processor: &Component<'_>, ours: &Filter, notes: &mut Notes) {
    const INSTEAD: &str = "what `spanseal collector filter` prints, with the same --config";
    let logs = pipeline.signal() == "logs";
    let (list, older) = if logs { ("log_conditions", ["logs", "logs"]) } else { ("trace_conditions", ["traces", "spans"]) };
    let mut found = |says: String, instead: &str| notes.found(Kind::FilterDiffers, processor.place(&[list]), &processor.id, says, instead);
    if older.iter().any(|key| processor.node(&[key]).is_some_and(says_something)) {
        found(
            format!("drops by conditions in the older form, which cannot be compared with what spanseal promotes (`{}`)", pipeline.id),
            INSTEAD,
        );
    }
    let conditions = conditions(processor.node(&[list]));
    if conditions.is_empty() {
        return;
    }
    let (expected, marking) = if logs { (log_condition(ours), log_marking(ours)) } else { (span_condition(ours), trace_marking(ours)) };
    if conditions.iter().any(|condition| flat(condition) != flat(&expected)) {
        let says =
            "drops by conditions that are not those of this configuration of spanseal: nobody can say that no AI telemetry meets them";
        found(format!("{says} (`{}`)", pipeline.id), INSTEAD);
    } else if !marking.is_empty() {
        let wanted: Vec<Vec<String>> = marking.iter().map(|group| group.iter().map(|statement| flat(statement)).collect()).collect();
        let before = || before.iter().filter_map(|reference| file.processor(reference)).filter(|before| before.kind() == "transform");
        let list = statement_list(pipeline);
        let marks = |before: &Component<'_>| groups(before.node(&[list])).as_ref() == Some(&wanted);
        // Whoever speaks of the mark behind the last that sets it may have taken it off again.
        let last = before().rfind(|before| before.texts(&[list]).iter().any(|(text, _)| text.contains(MARK)));
        if !last.is_some_and(marks) {
            let what = if logs { "logs by their keys" } else { "spans by their keys and events" };
            let nothing = if logs { "logs" } else { "spans" };
            let outdated = before().flat_map(|before| before.texts(&[list])).any(|(text, _)| text.contains(MARK));
            let says = if before().any(marks) {
                format!("what marks {what} is taken off again before it, so {nothing} that are AI by them are dropped")
            } else if outdated {
                format!("what marks {what} before it is not that of this configuration (any more)")
            } else {
                format!("nothing before it marks {what}, so {nothing} that are AI by them are dropped")
            };
            found(format!("{says} (`{}`)", pipeline.id), "`transform/spanseal_mark` before it, as `spanseal collector filter` prints it");
        }
    }
    condition_fails(pipeline, processor, list, notes);
}

/// A filter that refuses a whole request.
fn condition_fails(pipeline: &Pipeline, processor: &Component<'_>, list: &str, notes: &mut Notes) {
    if let Some((place, says)) = fails_whole_requests(processor, list, "condition") {
        let says = format!("{says} (`{}`), and senders give up at last", pipeline.id);
        notes.found(Kind::FilterFails, place, &processor.id, says, "`error_mode: ignore`: what a condition fails on stays");
    }
}

/// The conditions of a filter, written as texts or as groups of them.
fn conditions(node: Option<&Node>) -> Vec<String> {
    let mut all = Vec::new();
    for item in items(node) {
        match said(item) {
            Said::Is(text, _) => all.push(text),
            Said::Nothing | Said::Unknown(_) => {
                let inner: Vec<String> = items(super::file::below(item, "conditions"))
                    .iter()
                    .map(|node| match said(node) {
                        Said::Is(text, _) => text,
                        Said::Nothing | Said::Unknown(_) => String::new(),
                    })
                    .collect();
                // A group that cannot be read drops something all the same.
                if inner.is_empty() { all.push(String::new()) } else { all.extend(inner) }
            }
        }
    }
    all
}

/// The statements of a transform processor in their groups; `None` where a group is under a condition, or cannot be read.
fn groups(node: Option<&Node>) -> Option<Vec<Vec<String>>> {
    let texts = |items: &[Node]| -> Option<Vec<String>> {
        let text = |item: &Node| match said(item) {
            Said::Is(text, _) => Some(flat(&text)),
            Said::Nothing | Said::Unknown(_) => None,
        };
        items.iter().map(text).collect()
    };
    let all = items(node);
    // Texts alone are one group.
    if let Some(flat) = texts(all) {
        return Some(if flat.is_empty() { Vec::new() } else { vec![flat] });
    }
    // What comes of a statement that fails is judged by itself.
    let changes_nothing = |key: &str| matches!(key, "statements" | "error_mode");
    let group = |item: &Node| match &item.value {
        Value::Map(members) if members.iter().all(|(key, value)| changes_nothing(&key.name) || !says_something(value)) => {
            texts(items(super::file::below(item, "statements")))
        }
        _ => None,
    };
    all.iter().map(group).collect()
}

/// A condition as it is shown: what is compared with the name of a secret may be one.
fn quoted(condition: &str) -> String {
    const SECRETS: [&str; 9] = ["auth", "token", "secret", "password", "passwd", "credential", "cookie", "bearer", "key"];
    let condition = flat(condition);
    if !SECRETS.iter().any(|secret| condition.to_ascii_lowercase().contains(secret)) {
        return condition;
    }
    let hidden = |(nth, part)| if nth % 2 == 1 { HIDDEN } else { part };
    let shown: Vec<&str> = condition.split('"').enumerate().map(hidden).collect();
    shown.join("\"")
}

/// Line ends and indents mean nothing in a condition.
pub(super) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checked, kinds};

    const TEXT: &str = r#"
receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}, SYSTEM: {}}
extensions: {file_storage: {directory: /var/lib/otelcol, fsync: true}}
exporters:
  debug: {}
  SPANSEAL
service:
  extensions: [file_storage]
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}
    logs/system: {receivers: [SYSTEM], exporters: [debug]}
"#;
    const OURS: &str = "    logs: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}\n";

    /// A filter of span events takes prompts away, and no span.
    #[test]
    fn a_filter_of_events_drops_events() {
        for (conditions, says) in [
            ("{context: spanevent, conditions: ['name == \"gen_ai.content.prompt\"']}", "drops events of spans"),
            ("'spanevent.name == \"gen_ai.content.prompt\"'", "drops events of spans"),
            ("{context: span, conditions: ['name == \"x\"']}", "drops spans"),
            ("{context: spanevent, conditions: ['name == \"x\"']}, 'span.name == \"x\"'", "drops spans"),
            ("'span.name == \"x\"'", "drops spans"),
        ] {
            let text = TEXT.replace("SYSTEM", "journald").replace(
                "exporters:\n  debug",
                &format!("processors:\n  filter: {{error_mode: ignore, trace_conditions: [{conditions}]}}\nexporters:\n  debug"),
            );
            let report = checked(&text.replace("{receivers: [otlp], exp", "{receivers: [otlp], processors: [filter], exp"));
            assert_eq!(kinds(&report), "filter_differs", "{conditions}: {report:#?}");
            assert!(report.findings[0].says.starts_with(says), "{conditions}: {report:#?}");
        }
    }

    /// Scenario: logs of the system go elsewhere, beside those of applications or without any. Guarantee: nobody is accused, and it is noted; of
    /// a receiver that applications send to it is a mistake.
    #[test]
    fn logs_of_systems_may_go_elsewhere() {
        let systems = [
            "journald",
            "filelog/nginx",
            "file_log",
            "k8s_events",
            "k8sobjects",
            "syslog",
            "windowseventlog",
            "hostmetrics",
            "docker_stats",
        ];
        for receiver in systems {
            for (more, says) in
                [("", "alone, and go elsewhere: if an application"), (OURS, "go to `logs/system`: if an application of yours")]
            {
                let report = checked(&format!("{}{more}", TEXT.replace("SYSTEM", receiver)));
                assert_eq!(kinds(&report), "", "{receiver}: {report:#?}");
                let note = report.notes.iter().find(|note| note.component == "logs/system");
                assert!(note.is_some_and(|note| note.says.contains(says) && note.line == 16), "{receiver}: {report:#?}");
            }
        }
        for receiver in ["otlp/other", "zipkin", "fluentforward", "kafka", "filelogs"] {
            let text = TEXT.replace("SYSTEM", receiver);
            assert_eq!(kinds(&checked(&text)), "signal_missing", "{receiver}");
            assert_eq!(kinds(&checked(&format!("{text}{OURS}"))), "receiver_left_out", "{receiver}");
        }
        // One of both kinds in one pipeline.
        let both = TEXT.replace("[SYSTEM]", "[SYSTEM, otlp]").replace("SYSTEM", "journald");
        assert_eq!(kinds(&checked(&both)), "signal_missing");
    }
}
