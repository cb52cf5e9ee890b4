//! What a Collector configuration would lose or weaken of the audit data on its way to us, each with its line, and what could not be
//! judged.
//!
//! Looked at is the way that leads to our exporter: the exporter itself, its queue and its storage, every pipeline that reaches it,
//! through connectors too, and how much the OTLP receivers of these let in. Other pipelines may sample and drop as they like, and so may one
//! that reaches it where another carries all of the same.
//!
//! `${env:NAME:-default}` counts as its default: the check says the same on every machine. What has no default is named as not judged, and
//! so is every component of which nothing is known here. Several files count as one, as the Collector reads them: maps are merged, and of
//! everything else the later file's counts (confmap's merge, without its gate that appends lists).

mod batch;
mod carried;
mod connectors;
mod demands;
mod exporter;
mod file;
mod keys;
mod ottl;
mod pipelines;
mod receivers;
mod retry;
mod statements;
mod storage;
mod target;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use serde::Serialize;

use crate::config::Listener;
use crate::config::yaml::{ConfigError, Key, Mark, Node, Source, Value};
use crate::promote::ottl::Filter;
use file::{Component, File, Said};

/// What the configuration of spanseal says about the other end.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// Whether a configuration was given; else these are the defaults, and only ports are compared with them.
    pub is_configured: bool,
    /// Of OTLP/gRPC, where it is taken.
    pub grpc: Option<Listener>,
    /// Of OTLP/HTTP, where it is taken.
    pub http: Option<Listener>,
    /// Port of the API, which takes no telemetry.
    pub api_port: u16,
    /// Longest that a request ordinarily waits for its receipt: for room, then for its seal.
    pub receipt: Duration,
    /// Longest that a request waits for company before it is sealed.
    pub max_delay: Duration,
    /// Largest request that is taken, bytes.
    pub request_bytes_max: u64,
    /// What is promoted.
    pub filter: Filter,
    /// Attribute keys that the configuration itself names: own rules, kept attributes, the realm.
    pub reads: BTreeSet<String>,
}

/// Kinds, and all of them as data, so that none can be without a test.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident,)+) => {
        /// A kind of mistake; the word in JSON never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])+ $kind,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$kind),+];
        }
    };
}

kinds! {
    /// No pipeline has the exporter.
    Unused,
    /// The Collector would refuse this configuration, or does something else than it says.
    DoesNotStart,
    /// Traces or logs come in and do not reach spanseal.
    SignalMissing,
    /// A receiver's telemetry goes elsewhere only.
    ReceiverLeftOut,
    /// A connector drops what meets none of its conditions.
    RouteDrops,
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
    /// Batches so small that tens of requests become of one.
    BatchSmall,
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
    /// What failed is tried again at once, without end.
    RetryWithoutPause,
    /// A queue that holds less than one request that is let in.
    QueueTooSmall,
    /// A queue that lets less than ten requests a second through, because few at a time wait for their seals.
    ConsumersFew,
    /// Logs by way of the load-balancing exporter, one after another.
    LogsCrawl,
    /// Another exporter of the same receiver keeps senders waiting, and with them what goes to spanseal.
    HeldUp,
    /// A processor changes or takes away what is evidence.
    EvidenceCut,
    /// The memory limiter refuses.
    Refuses,
    /// Spans of one trace go to several replicas.
    NotByTrace,
    /// A filter that is not the one for this configuration.
    FilterDiffers,
    /// A filter that refuses a whole request when a condition fails.
    FilterFails,
    /// A transformation that refuses a whole request when a statement fails.
    StatementFails,
    /// The filter's own mark stays on spans.
    MarkLeft,
    /// Plain text off the machine, or a peer that is not checked.
    NotEncrypted,
    /// A port or path that does not take this protocol.
    EndpointWrong,
    /// A compression that spanseal does not take.
    CompressionRefused,
    /// One side speaks TLS and the other plain text.
    TlsDiffers,
    /// No certificate, and spanseal asks for one.
    CertificateMissing,
    /// No bearer token, and spanseal asks for one.
    TokenMissing,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Found {
    /// What kind.
    pub kind: Kind,
    /// The file, as it was named.
    pub file: String,
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

/// Something that was seen and is no mistake: it could not be judged, or should be known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Remark {
    /// The file, as it was named; the first one for the configuration as a whole.
    pub file: String,
    /// Line of the file, from 1; 0 for the configuration as a whole.
    pub line: u64,
    /// The component or pipeline.
    pub component: String,
    /// What is not known, or should be.
    pub says: String,
}

/// The exporter behind which another Collector reads.
const KAFKA: &str = "kafka";
/// What depends on how spanseal is sent to.
const BEHIND_KAFKA: [Kind; 6] =
    [Kind::LetsInTooMuch, Kind::BatchDrops, Kind::QueueTooSmall, Kind::HeldUp, Kind::LogsCrawl, Kind::BatchUnbounded];

/// By what an exporter is taken for spanseal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Whoever asks has named it.
    Option,
    /// It has the name, or the listener, of spanseal in its address.
    Address,
    /// It has spanseal's name in its own.
    Name,
    /// There is no other.
    Only,
}

/// An exporter that is taken for spanseal's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its name.
    pub exporter: String,
    /// By what.
    pub by: By,
}

/// What the check says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The exporters that were taken for spanseal's.
    pub exporters: Vec<String>,
    /// By what each of them was.
    pub taken: Vec<Taken>,
    /// Why, where nobody named them.
    pub assumed: Option<String>,
    /// In the order of lines.
    pub findings: Vec<Found>,
    /// In the order of lines.
    pub unjudged: Vec<Remark>,
    /// In the order of lines: no loss, and worth knowing.
    pub notes: Vec<Remark>,
}

/// Each once, in the order in which they came. A file may be made of nothing but mistakes, so none is looked for among all the others.
#[derive(Debug)]
struct Once<T> {
    all: Vec<T>,
    known: HashSet<T>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Once { all: Vec::new(), known: HashSet::new() }
    }
}

impl<T: Clone + Eq + Hash> Once<T> {
    fn add(&mut self, item: T) {
        if self.known.insert(item.clone()) {
            self.all.push(item);
        }
    }
}

/// Where the parts of the check put what they see.
#[derive(Debug, Default)]
struct Notes {
    files: Vec<String>,
    findings: Once<(Mark, Found)>,
    unjudged: Once<(Mark, Remark)>,
    notes: Once<(Mark, Remark)>,
    /// Whether more was said, which is told with that of other pipelines.
    is_told_elsewhere: bool,
}

impl Notes {
    fn found(&mut self, kind: Kind, mark: Mark, component: &str, says: impl Into<String>, instead: impl Into<String>) {
        let found = Found {
            kind,
            file: self.file(mark),
            line: mark.line,
            column: mark.column,
            component: component.to_owned(),
            says: says.into(),
            instead: instead.into(),
        };
        self.findings.add((mark, found));
    }

    fn unjudged(&mut self, mark: Mark, component: &str, says: impl Into<String>) {
        let remark = self.remark(mark, component, says.into());
        self.unjudged.add(remark);
    }

    /// No mistake, and nothing that is not known.
    fn note(&mut self, mark: Mark, component: &str, says: impl Into<String>) {
        let remark = self.remark(mark, component, says.into());
        self.notes.add(remark);
    }

    /// Others beside these, for the same files.
    fn beside(&self) -> Notes {
        Notes { files: self.files.clone(), ..Notes::default() }
    }

    /// Whether nothing was said at all.
    fn is_empty(&self) -> bool {
        !self.is_told_elsewhere && self.findings.all.is_empty() && self.unjudged.all.is_empty() && self.notes.all.is_empty()
    }

    /// Of which components and pipelines something was found, or could not be judged.
    fn spoken_of(&self) -> BTreeSet<String> {
        let found = self.findings.all.iter().map(|(_, found)| &found.component);
        found.chain(self.unjudged.all.iter().map(|(_, remark)| &remark.component)).cloned().collect()
    }

    fn remark(&self, mark: Mark, component: &str, says: String) -> (Mark, Remark) {
        (mark, Remark { file: self.file(mark), line: mark.line, component: component.to_owned(), says })
    }

    fn file(&self, mark: Mark) -> String {
        self.files.get(mark.file).cloned().unwrap_or_default()
    }

    fn report(self, taken: Vec<Taken>, assumed: Option<String>) -> Report {
        let (mut findings, mut unjudged, mut notes) = (self.findings.all, self.unjudged.all, self.notes.all);
        findings.sort_by_key(|(mark, found)| (mark.file, mark.line, mark.column, found.kind));
        unjudged.sort_by_key(|(mark, _)| (mark.file, mark.line));
        notes.sort_by_key(|(mark, _)| (mark.file, mark.line));
        Report {
            exporters: taken.iter().map(|taken| taken.exporter.clone()).collect(),
            taken,
            assumed,
            findings: findings.into_iter().map(|(_, found)| found).collect(),
            unjudged: unjudged.into_iter().map(|(_, remark)| remark).collect(),
            notes: notes.into_iter().map(|(_, remark)| remark).collect(),
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Input {
    /// As it is named in messages.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// The files in their order, for messages with a place.
struct Sources(Vec<Source>);

impl Sources {
    fn error(&self, mark: Mark, sentence: impl Into<String>) -> ConfigError {
        let sentence = sentence.into();
        match self.0.get(mark.file) {
            Some(source) => source.error(mark, sentence),
            None => ConfigError::new(sentence),
        }
    }

    /// What is wrong with the configuration as a whole.
    fn whole(&self, sentence: impl std::fmt::Display) -> ConfigError {
        let names: Vec<&str> = self.0.iter().map(|source| source.name.as_str()).collect();
        ConfigError::new(format!("{}: {sentence}", names.join(", ")))
    }

    /// The later written over the earlier.
    fn merged(&self) -> Result<Node, ConfigError> {
        let mut whole: Option<Node> = None;
        for (at, source) in self.0.iter().enumerate() {
            let node = unfolded(source.parse()?.of_file(at), 0).map_err(|mark| {
                let sentence = format!("is deeper than {DEPTH_MAX} maps, lists and parts of a key (`a::b`): is this the configuration?");
                source.error(mark, sentence)
            })?;
            let Value::Map(_) = &node.value else {
                let sentence = format!("a Collector configuration is a map of keys, and here stands {}", node.value.kind());
                return Err(source.error(node.mark, sentence));
            };
            whole = Some(match whole {
                None => node,
                Some(whole) => whole.overwritten(node),
            });
        }
        whole.ok_or_else(|| ConfigError::new("no file to check"))
    }
}

/// Maps and lists in each other, and parts of keys. A real file has a dozen; who reads them calls itself for each, and has so much room.
const DEPTH_MAX: usize = 256;

/// `exporters::otlp::endpoint` as a key is as good as three maps. The error is the place where it becomes too deep.
fn unfolded(node: Node, depth: usize) -> Result<Node, Mark> {
    let value = match node.value {
        Value::Map(members) => {
            let mut entries = Vec::with_capacity(members.len());
            for (key, inner) in members {
                // Of too many parts no more are looked at than tell it.
                let mut parts: Vec<&str> = key.name.split("::").take(DEPTH_MAX + 1).collect();
                let depth = depth.saturating_add(parts.len());
                if depth > DEPTH_MAX {
                    return Err(key.mark);
                }
                parts.reverse();
                let parts = parts.into_iter().map(str::to_owned).collect();
                entries.push(Entry { parts, mark: key.mark, node: unfolded(inner, depth)? });
            }
            Value::Map(joined(entries))
        }
        // In lists the Collector unfolds nothing.
        Value::List(items) => {
            items.iter().try_for_each(|item| is_shallow(item, depth.saturating_add(1)))?;
            Value::List(items)
        }
        single => single,
    };
    Ok(Node { mark: node.mark, value })
}

fn is_shallow(node: &Node, depth: usize) -> Result<(), Mark> {
    if depth > DEPTH_MAX {
        return Err(node.mark);
    }
    match &node.value {
        Value::Map(members) => members.iter().try_for_each(|(_, inner)| is_shallow(inner, depth.saturating_add(1))),
        Value::List(items) => items.iter().try_for_each(|item| is_shallow(item, depth.saturating_add(1))),
        Value::Null | Value::Scalar(_) => Ok(()),
    }
}

/// What is written in a map, under what is left of its key.
struct Entry {
    /// The next last; none is left where the node is the whole.
    parts: Vec<String>,
    mark: Mark,
    node: Node,
}

/// The members that entries make up, each at its first place: a later one is written over an earlier one, and maps are made one.
fn joined(entries: Vec<Entry>) -> Vec<(Key, Node)> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Vec<Entry>)> = Vec::new();
    for mut entry in entries {
        let Some(name) = entry.parts.pop() else { continue };
        let at = *known.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            // What is no map is written over all before it, and a map over what is none: that stands alone in its group.
            Some((_, group)) if !entry.is_map() || !group.first().is_some_and(Entry::is_map) => *group = vec![entry],
            Some((_, group)) => group.push(entry),
            None => groups.push((name, vec![entry])),
        }
    }
    let member = |(name, mut group): (String, Vec<Entry>)| {
        let mark = group.first().map(|entry| entry.mark).unwrap_or_default();
        let key = Key { name, mark };
        let node = match group.pop() {
            Some(entry) if group.is_empty() && entry.parts.is_empty() => entry.node,
            last => Node {
                mark: group.first().or(last.as_ref()).map(Entry::map_mark).unwrap_or_default(),
                value: Value::Map(joined(group.into_iter().chain(last).flat_map(Entry::members).collect())),
            },
        };
        (key, node)
    };
    groups.into_iter().map(member).collect()
}

impl Entry {
    fn is_map(&self) -> bool {
        !self.parts.is_empty() || matches!(self.node.value, Value::Map(_))
    }

    /// Where the map stands.
    fn map_mark(&self) -> Mark {
        if self.parts.is_empty() { self.node.mark } else { self.mark }
    }

    /// Itself, or what is in it.
    fn members(self) -> Vec<Entry> {
        match (self.parts.is_empty(), self.node.value) {
            (true, Value::Map(members)) => {
                let entry = |(key, node): (Key, Node)| Entry { parts: vec![key.name], mark: key.mark, node };
                members.into_iter().map(entry).collect()
            }
            (_, value) => vec![Entry { node: Node { value, ..self.node }, ..self }],
        }
    }
}

/// Checks a configuration of one file or several. The error says why it cannot be read, or which exporter is meant.
pub fn check(inputs: Vec<Input>, exporter: Option<&str>, receiving: &Receiving) -> Result<Report, ConfigError> {
    let sources = inputs.into_iter().map(|input| Source { name: input.name, text: input.text }.first_document());
    let (sources, ignored): (Vec<Source>, Vec<Option<Mark>>) = sources.unzip();
    let sources = Sources(sources);
    let root = sources.merged()?;
    let file = File::read(&sources, &root)?;
    let Chosen { exporters, assumed, left } = chosen(&sources, &file, exporter, receiving)?;
    let taken = exporters.iter().map(|(exporter, by)| Taken { exporter: exporter.id.clone(), by: *by }).collect();
    let exporters: Vec<&Component<'_>> = exporters.into_iter().map(|(exporter, _)| exporter).collect();
    let mut notes = Notes { files: sources.0.iter().map(|source| source.name.clone()).collect(), ..Notes::default() };
    if !receiving.is_configured {
        notes.note(
            Mark::default(),
            "spanseal",
            "no --config: its ports count as the default ones, and whether it asks for TLS, certificates or tokens is not compared",
        );
    }
    for (at, mark) in ignored.into_iter().enumerate().filter_map(|(at, mark)| Some((at, mark?))) {
        let says = "a second document begins here: the Collector reads the first alone, and says nothing of the others";
        notes.found(
            Kind::DoesNotStart,
            Mark { file: at, ..mark },
            "---",
            says,
            "one document: several files (`--config a.yaml --config b.yaml`) are read as one",
        );
    }
    for exporter in left {
        let says = "has spanseal's name and another address than what leads to it, so it was not looked at: --exporter names it";
        notes.unjudged(exporter.mark, &exporter.id, says);
    }
    if exporters.iter().all(|exporter| exporter.kind() == KAFKA) {
        before_kafka(&file, &exporters, receiving, &mut notes);
        return Ok(notes.report(taken, assumed));
    }
    // Of what is used nowhere that is all there is to say.
    for exporter in exporters.iter().filter(|exporter| pipelines::is_used(&file, exporter)) {
        exporter::judge(&file, exporter, receiving, &mut notes);
    }
    pipelines::judge(&file, &exporters, receiving, &mut notes);
    Ok(notes.report(taken, assumed))
}

/// The way to Kafka: what its processors and pipelines take away is lost for spanseal, too. What spanseal takes, and when senders are answered, is
/// the matter of the Collector that reads.
fn before_kafka(file: &File<'_>, exporters: &[&Component<'_>], receiving: &Receiving, notes: &mut Notes) {
    let mut way = notes.beside();
    pipelines::judge(file, exporters, receiving, &mut way);
    let is_kafka = |component: &str| exporters.iter().any(|exporter| exporter.id == component);
    for (mark, found) in way.findings.all.into_iter().filter(|(_, found)| !BEHIND_KAFKA.contains(&found.kind)) {
        notes.findings.add((mark, found));
    }
    for remark in way.unjudged.all.into_iter().filter(|(_, remark)| !is_kafka(&remark.component)) {
        notes.unjudged.add(remark);
    }
    for remark in way.notes.all.into_iter().filter(|(_, remark)| !is_kafka(&remark.component)) {
        notes.notes.add(remark);
    }
    for exporter in exporters {
        let says = "hands over by Kafka: whether it is kept there, and reaches spanseal, is for the Collector that reads the topic to say. Check its \
                    configuration, too; what this exporter itself may lose is not known here";
        notes.unjudged(exporter.mark, &exporter.id, says);
    }
}

/// The exporters that lead to spanseal, by what they are known, and why, where nobody said it and it may be otherwise.
struct Chosen<'f, 'n> {
    exporters: Vec<(&'f Component<'n>, By)>,
    assumed: Option<String>,
    /// Those that have spanseal's name, and another address than those that were taken for its by theirs.
    left: Vec<&'f Component<'n>>,
}

fn chosen<'f, 'n>(
    sources: &Sources,
    file: &'f File<'n>,
    named: Option<&str>,
    receiving: &Receiving,
) -> Result<Chosen<'f, 'n>, ConfigError> {
    const ADD: &str = "`spanseal collector filter` prints an exporter with its pipelines";
    let taken = |exporter: &'f Component<'n>, by: By, assumed: Option<String>| {
        Ok(Chosen { exporters: vec![(exporter, by)], assumed, left: Vec::new() })
    };
    if let Some(named) = named {
        let known = listed(file.exporters.iter());
        return match file.exporters.iter().find(|exporter| exporter.id == named) {
            Some(exporter) if exporter.is_otlp() || exporter.is_balancer() || exporter.kind() == KAFKA => taken(exporter, By::Option, None),
            Some(exporter) => {
                Err(sources
                    .error(exporter.mark, format!("--exporter {named}: no exporter of OTLP (otlp_grpc, otlp_http or loadbalancing)")))
            }
            None => Err(sources.whole(format!("--exporter {named}: there is no such exporter; it has: {known}"))),
        };
    }
    let able: Vec<&Component<'n>> = file.exporters.iter().filter(|e| e.is_otlp() || e.is_balancer()).collect();
    let by = |exporter: &Component<'_>| match (demands::leads_to(exporter, receiving), exporter.name().contains("spanseal")) {
        (demands::Leads::Here, _) => Some(By::Address),
        (demands::Leads::Unknown | demands::Leads::Elsewhere, true) => Some(By::Name),
        (demands::Leads::Unknown | demands::Leads::Elsewhere, false) => None,
    };
    let ours: Vec<(&Component<'n>, By)> = able.iter().filter_map(|exporter| Some((*exporter, by(exporter)?))).collect();
    let is_known_by_address = ours.iter().any(|(_, by)| *by == By::Address);
    // A name says less than an address that leads elsewhere, where another leads here. Of one that is used nowhere just that is told.
    let (ours, left): (Vec<_>, Vec<_>) = ours.into_iter().partition(|(exporter, by)| {
        let leads_elsewhere = demands::leads_to(exporter, receiving) == demands::Leads::Elsewhere;
        !is_known_by_address || *by == By::Address || !leads_elsewhere || !pipelines::is_used(file, exporter)
    });
    if !ours.is_empty() {
        let by_address = || ours.iter().filter(|(exporter, by)| *by == By::Address && !exporter.name().contains("spanseal"));
        let assumed = if by_address().next().is_some() {
            let ids = listed(by_address().map(|(exporter, _)| *exporter));
            Some(format!("{ids} is taken for the exporter to spanseal, because of its address"))
        } else if !is_known_by_address && able.len() > ours.len() {
            let ids = listed(ours.iter().map(|(exporter, _)| *exporter));
            Some(format!("{ids} is taken for the exporter to spanseal, because of its name; say --exporter if it is another"))
        } else {
            None
        };
        return Ok(Chosen { exporters: ours, assumed, left: left.into_iter().map(|(exporter, _)| exporter).collect() });
    }
    let kafka: Vec<&Component<'n>> = file.exporters.iter().filter(|exporter| exporter.kind() == KAFKA).collect();
    let by_kafka = |exporters: Vec<&'f Component<'n>>, by: By| {
        let ids = listed(exporters.iter().copied());
        let why = format!("no exporter of OTLP is known to lead to spanseal: {ids}, which hands over by Kafka, is taken for the way there");
        Ok(Chosen { exporters: exporters.into_iter().map(|exporter| (exporter, by)).collect(), assumed: Some(why), left: Vec::new() })
    };
    let named: Vec<&Component<'n>> = kafka.iter().copied().filter(|exporter| exporter.name().contains("spanseal")).collect();
    if !named.is_empty() {
        return by_kafka(named, By::Name);
    }
    match able.as_slice() {
        [one] => {
            let why = format!(
                "`{}` is taken for the exporter to spanseal, because it is the only one of OTLP. If it leads elsewhere, nothing reaches spanseal: {ADD}",
                one.id
            );
            taken(one, By::Only, Some(why))
        }
        [] if !kafka.is_empty() => by_kafka(kafka, By::Only),
        [] => {
            let has = if file.exporters.is_empty() { "none at all".to_owned() } else { listed(file.exporters.iter()) };
            Err(sources.whole(format!("has no exporter of OTLP (it has: {has}), so nothing leads to spanseal; {ADD}")))
        }
        several => Err(sources.whole(format!(
            "which exporter leads to spanseal? None has `spanseal` in its name or address. Say --exporter with one of: {}. If none of them \
             does, nothing reaches spanseal: {ADD}",
            listed(several.iter().copied())
        ))),
    }
}

fn listed<'c, 'n: 'c>(components: impl Iterator<Item = &'c Component<'n>>) -> String {
    let ids: BTreeSet<&str> = components.map(|component| component.id.as_str()).collect();
    ids.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;

    /// A spanseal that listens on these ports of 127.0.0.1.
    pub(super) fn listening(grpc: u16, http: u16) -> Receiving {
        let listener = |port| Some(Listener { endpoint: Endpoint::loopback(port), tls: None, token_file: None });
        Receiving {
            is_configured: true,
            grpc: listener(grpc),
            http: listener(http),
            api_port: 8720,
            receipt: Duration::from_secs(3),
            max_delay: Duration::from_secs(1),
            request_bytes_max: 16 << 20,
            filter: Filter::default(),
            reads: BTreeSet::new(),
        }
    }

    pub(super) fn checked_with(text: &str, receiving: &Receiving) -> Report {
        let input = Input { name: "otelcol.yaml".to_owned(), text: text.replace("  SPANSEAL\n", SPANSEAL) };
        check(vec![input], None, receiving).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    pub(super) fn checked(text: &str) -> Report {
        checked_with(text, &listening(14317, 14318))
    }

    /// The words for the kinds of what was found, but for exporters that are used nowhere.
    pub(super) fn kinds(report: &Report) -> String {
        let word = |kind: &Kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
        let kinds = report.findings.iter().map(|found| found.kind).filter(|kind| *kind != Kind::Unused);
        kinds.map(|kind| word(&kind)).collect::<Vec<_>>().join(" ")
    }

    /// What `SPANSEAL` stands for among the exporters of a text: one in which nothing is wrong.
    pub(super) const SPANSEAL: &str = r#"  otlp_grpc/spanseal:
    endpoint: 127.0.0.1:14317
    tls: {insecure: true}
    timeout: 30s
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}
"#;

    /// One exporter of OTLP/HTTP in whose configuration nothing is wrong.
    pub(super) const HTTP: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}}}
exporters:
  otlp_http/spanseal:
    endpoint: http://127.0.0.1:14318
    retry_on_failure: {max_elapsed_time: 0s}
    MORE
    sending_queue: {wait_for_result: true, block_on_overflow: true, num_consumers: 100, QUEUE}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_http/spanseal]}
    logs: {receivers: [otlp], exporters: [otlp_http/spanseal]}
"#;

    /// The same with more settings, and with more of its queue.
    pub(super) fn http(more: &str, queue: &str) -> Report {
        checked(&HTTP.replace("MORE", more).replace("QUEUE", queue))
    }

    /// The same of an exporter of either protocol and any address.
    pub(super) const GRPC: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}}}
exporters:
  KIND/spanseal:
    endpoint: "ENDPOINT"
    tls: {insecure: true}
    timeout: 30s
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {wait_for_result: true, block_on_overflow: true, num_consumers: 100}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [KIND/spanseal]}
"#;

    /// What is seen several times is told once, in the order in which it was first seen.
    #[test]
    fn the_same_is_told_once_and_in_its_order() {
        let mut once = Once::default();
        for item in ["b", "a", "b", "c", "a"] {
            once.add(item);
        }
        assert_eq!(once.all, ["b", "a", "c"]);

        let mut notes = Notes { files: vec!["a.yaml".to_owned()], ..Notes::default() };
        let at = |line| Mark { file: 0, line, column: 1 };
        for line in [2, 1, 2] {
            notes.found(Kind::Unused, at(line), "otlp", "says", "instead");
            notes.unjudged(at(line), "otlp", "says");
            notes.note(at(line), "otlp", "says");
        }
        // The same at another line is something else.
        let report = notes.report(Vec::new(), None);
        let lines = |remarks: &[Remark]| remarks.iter().map(|remark| remark.line).collect::<Vec<_>>();
        assert_eq!(report.findings.iter().map(|found| found.line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((lines(&report.unjudged), lines(&report.notes)), (vec![1, 2], vec![1, 2]));
    }

    fn files(base: &str, site: &str) -> Report {
        let input = |name: &str, text: &str| Input { name: name.to_owned(), text: text.to_owned() };
        check(vec![input("base.yaml", base), input("site.yaml", site)], None, &listening(14317, 14318)).unwrap()
    }

    /// Scenario: a later file writes over what an earlier one says. Guarantee: the line is that of the value that counts.
    #[test]
    fn the_line_is_that_of_the_value_that_counts() {
        let base = HTTP.replace("MORE", "").replace(", QUEUE", "");
        let queue = |keys: &str| format!("\nexporters: {{otlp_http/spanseal: {{sending_queue: {{\n{keys}}}}}}}");
        for (site, kind, line) in [
            (queue("wait_for_result: false"), "queue_in_memory", 3),
            (queue("block_on_overflow: false"), "queue_overflow", 3),
            (queue("\nwait_for_result: null"), "queue_in_memory", 4),
            ("\nservice: {pipelines: {traces: {\nexporters: [debug]}}}\nexporters: {debug: {}}".to_owned(), "signal_missing", 3),
        ] {
            let report = files(&base, &site);
            let found = &report.findings[0];
            assert_eq!((kinds(&report).as_str(), found.file.as_str(), found.line), (kind, "site.yaml", line), "{site}: {report:#?}");
        }
        // The list of extensions that a later file has in place of an earlier one.
        let disk = base.replace("wait_for_result: true", "storage: file_storage");
        let disk = disk.replace("service:\n", "extensions: {file_storage: {fsync: true}}\nservice:\n  extensions: [file_storage]\n");
        let report = files(&disk, "extensions: {zpages: {}}\nservice:\n  extensions: [zpages]");
        let found = &report.findings[0];
        assert_eq!((kinds(&report).as_str(), found.file.as_str(), found.line), ("does_not_start", "site.yaml", 3), "{report:#?}");
    }

    /// Scenario: a key of many parts. Guarantee: what is too deep to be a configuration is refused with its line, and nothing else is.
    #[test]
    fn a_key_has_so_many_parts() {
        let with = |parts: usize| {
            let key = vec!["a"; parts].join("::");
            let text = HTTP.replace("MORE", "").replace(", QUEUE", "") + &format!("? \"{key}\"\n: 1\n");
            check(vec![Input { name: "otelcol.yaml".to_owned(), text }], None, &listening(14317, 14318)).map(|report| kinds(&report))
        };
        assert_eq!([1, 2, DEPTH_MAX].map(|parts| with(parts).unwrap()), [""; 3]);
        for parts in [DEPTH_MAX + 1, 60_000] {
            let error = with(parts).unwrap_err().to_string();
            assert!(error.starts_with("otelcol.yaml:14:") && error.contains("deeper than 256"), "{error}");
        }
        let below = |depth: usize| {
            let key = vec!["a"; DEPTH_MAX - 1].join("::");
            let text = HTTP.replace("MORE", "").replace(", QUEUE", "") + &format!("{key}: {}{}\n", "[".repeat(depth), "]".repeat(depth));
            check(vec![Input { name: "otelcol.yaml".to_owned(), text }], None, &listening(14317, 14318)).is_ok()
        };
        assert_eq!([1, 2, 3].map(below), [true, true, false]);
    }

    /// Scenario: the same member under its name and under keys of several parts, in all orders. Guarantee: it is as if one were written over the
    /// other: maps become one, of everything else the later counts, and each stands where it was first written.
    #[test]
    fn keys_of_several_parts_are_written_over_each_other_in_their_order() {
        fn shown(node: &Node) -> String {
            match &node.value {
                Value::Map(members) => {
                    let members: Vec<String> =
                        members.iter().map(|(key, node)| format!("{}@{}{}", key.name, key.mark.line, shown(node))).collect();
                    format!("{{{}}}", members.join(" "))
                }
                Value::Scalar(text) => format!("={text}"),
                Value::List(_) | Value::Null => "=?".to_owned(),
            }
        }
        let read = |text: &str| Source { name: "a.yaml".to_owned(), text: text.to_owned() }.parse().unwrap();
        for (text, expected) in [
            ("a::b: 1\na::c: 2\na::b::d: 3", "{a@1{b@3{d@3=3} c@2=2}}"),
            ("a: {b: 1}\nz: 0\na::c: 2", "{a@1{b@1=1 c@3=2} z@2=0}"),
            ("a::b: 1\na: {b: 2, c: 3}", "{a@1{b@2=2 c@2=3}}"),
            ("a::b: 1\na: 2\na::c: 3", "{a@3{c@3=3}}"),
            ("a: 1\na::b: 2", "{a@2{b@2=2}}"),
            ("a::b: 1\na: 2", "{a@2=2}"),
            ("a: {b::c: 1, b: {d: 2}}\na::b::e: 3", "{a@1{b@1{c@1=1 d@1=2 e@2=3}}}"),
            ("a: {}\na::b: 1", "{a@1{b@2=1}}"),
        ] {
            assert_eq!(shown(&unfolded(read(text), 0).unwrap()), expected, "{text}");
        }
        for (one, other, expected) in [
            ("a: {b: 1}\nc: 2", "c: 3\na: {d: 4}\ne: 5", "{a@1{b@1=1 d@2=4} c@1=3 e@3=5}"),
            ("a: {b: 1}", "a: 2", "{a@1=2}"),
            ("\na: 1", "a: {b: 2}", "{a@1{b@1=2}}"),
        ] {
            assert_eq!(shown(&read(one).overwritten(read(other))), expected, "{one} {other}");
        }
    }

    /// `%YAML` before a document is no document of its own.
    #[test]
    fn what_directs_how_a_document_is_written_is_none() {
        let text = HTTP.replace("MORE", "").replace(", QUEUE", "");
        for (before, expected) in [("%YAML 1.1\n---", ""), ("# x\n%YAML 1.1\n%TAG ! tag:x,2000:\n--- # y", ""), ("---", "")] {
            assert_eq!(kinds(&checked(&format!("{before}{text}"))), expected, "{before}");
        }
        let two = checked(&format!("%YAML 1.1\n---{text}---\na: 1\n"));
        assert_eq!((kinds(&two).as_str(), two.findings[0].line), ("does_not_start", 15), "{two:#?}");
    }

    const TWO: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}}}
exporters:
  otlp/A: {endpoint: "FIRST"}
  otlp/B: {endpoint: "SECOND"}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp/A, otlp/B]}
"#;

    /// Which exporter is spanseal's is known by its address where that tells, else by its name, and the report says by what.
    #[test]
    fn by_what_an_exporter_is_taken_for_ours_is_said() {
        let with = |first: &str, address: &str, second: &str, other: &str| {
            let report =
                checked(&TWO.replace("otlp/A", first).replace("FIRST", address).replace("otlp/B", second).replace("SECOND", other));
            let taken: Vec<String> = report
                .taken
                .iter()
                .map(|taken| format!("{} {}", taken.exporter, serde_json::to_value(taken.by).unwrap().as_str().unwrap()))
                .collect();
            (taken.join(", "), report)
        };
        const COPY: &str = "otlp/spanseal-copy-of-backend";
        let (taken, report) = with(COPY, "tempo:4317", "otlp/audit", "${env:AUDIT_ENDPOINT}");
        assert_eq!((taken.as_str(), report.assumed.is_some()), ("otlp/spanseal-copy-of-backend name", true), "{report:#?}");
        assert!(report.assumed.unwrap().contains("--exporter"));
        // The listener of the configuration, and an address that says so, are better than a name.
        for address in ["127.0.0.1:14317", "spanseal.example.com:4317"] {
            let (taken, report) = with(COPY, "tempo:4317", "otlp/audit", address);
            assert_eq!(taken, "otlp/audit address", "{report:#?}");
            assert!(report.unjudged.iter().any(|told| told.component == COPY && told.says.contains("--exporter")), "{report:#?}");
        }
        // An address that is not known here may be its.
        let (taken, _) = with("otlp/spanseal", "${env:AUDIT_ENDPOINT}", "otlp/audit", "127.0.0.1:14317");
        assert_eq!(taken, "otlp/spanseal name, otlp/audit address");
        let (taken, report) = with("otlp/spanseal", "127.0.0.1:14317", "otlp/tempo", "tempo:4317");
        assert_eq!((taken.as_str(), report.assumed), ("otlp/spanseal address", None));
    }

    const KAFKA: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 64}}}
processors:
  probabilistic_sampler: {sampling_percentage: 15}
exporters:
  kafka/audit: {brokers: [k]}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [PROCESSORS], exporters: [kafka/audit]}
"#;

    /// Scenario: a Collector that hands over by Kafka. Guarantee: not judged is what is behind it, and what is lost before it is found.
    #[test]
    fn the_way_through_kafka_goes_on_elsewhere() {
        for exporter in [None, Some("kafka/audit")] {
            let with = |processors: &str| {
                let input = Input { name: "otelcol.yaml".to_owned(), text: KAFKA.replace("PROCESSORS", processors) };
                check(vec![input], exporter, &listening(14317, 14318)).unwrap()
            };
            let report = with("");
            assert_eq!(kinds(&report), "", "{report:#?}");
            assert!(
                report.unjudged.iter().any(|told| told.component == "kafka/audit" && told.says.contains("reads the topic")),
                "{report:#?}"
            );
            assert_eq!(report.exporters, ["kafka/audit"]);
            assert_eq!(kinds(&with("probabilistic_sampler")), "sampled");
        }
        // Beside an exporter of OTLP the one that has the name.
        let text = KAFKA
            .replace("PROCESSORS", "")
            .replace("exporters:\n  kafka/audit", "exporters:\n  otlp/tempo: {endpoint: tempo:4317}\n  kafka/spanseal");
        let report = checked(&text.replace("[kafka/audit]", "[kafka/spanseal, otlp/tempo]"));
        assert_eq!((report.exporters, report.taken[0].by), (vec!["kafka/spanseal".to_owned()], By::Name));
    }
}
