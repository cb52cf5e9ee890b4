//! Looking at requests: each span and log alone through the promoter, so that what became of it is known for certain, and what its record
//! says of itself counted by service and name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::asked::{ASKED, Asked, When, asks_for};
use super::bodies::{Broken, offset};
use super::described::{MEMBERS, RESOURCE};
use super::report::{AskedBy, FORMAT, Group, Input, InputError, Near, NotAi, Path, Records, Report, Totals, Unknown, Verdict, Wanted, Why};
use crate::clock::UnixNanos;
use crate::otlp::answer::Signal;
use crate::otlp::metrics;
use crate::otlp::view::{Event, LogRecord, ResourceGroup, ScopeGroup, Span, Value, resource_groups};
use crate::otlp::wire::Malformed;
use crate::promote::vocabulary::{Clue, Speller, keys_for, resource_words};
use crate::promote::{Context, Promoter, Tally, Unpromoted};
use crate::record::Batch;
use crate::record::canonical::Json;
use crate::record::registry::{Kind, Member};

/// Names by which spans are told apart; more go together under no name. A name that holds an id has no end.
pub(super) const GROUPS_MAX: usize = 2_000;
/// Services that are still told apart then; more go together under no service. A service's name may hold an id, too.
pub(super) const NAMELESS_MAX: usize = 500;
/// Keys of a group that are listed.
const KEYS_MAX: usize = 24;
/// Misspelt keys of a group that are listed, and spellings that are remembered.
const UNKNOWN_MAX: usize = 64;
const SPELLED_MAX: usize = 10_000;
/// Records that wait for another record to say what they do not.
const OPEN_MAX: usize = 1_000_000;

/// By what spans and logs are told apart.
type Name = (Option<String>, &'static str, Option<String>);

/// Looks at requests and remembers what it saw.
#[derive(Debug)]
pub struct Linter {
    promoter: Promoter,
    /// Ids of the frameworks whose wishes count; empty: all.
    frameworks: Vec<String>,
    speller: Speller,
    spelled: HashMap<String, Option<String>>,
    groups: BTreeMap<Name, Seen>,
    totals: Totals,
    /// What another record may still say: of which group and kind, by which row, about which decision, in which trace.
    open: Vec<Open>,
    /// Kinds of records, by the decision that they name and by their trace.
    said: HashSet<(String, String)>,
}

/// What is known of one name.
#[derive(Debug, Default)]
struct Seen {
    seen: u64,
    promoted: u64,
    rejected: u64,
    rejected_why: Option<String>,
    records: BTreeMap<(String, String), Made>,
    unknown: BTreeMap<String, (String, u64)>,
    /// By rule and what is not met; as many as the configuration has parts of rules.
    near: BTreeMap<(String, String), u64>,
    plain: u64,
    keys: BTreeSet<String>,
    keys_more: u64,
    why: BTreeSet<Why>,
}

/// What is known of the records of one kind and signal.
#[derive(Debug, Default)]
struct Made {
    count: u64,
    dialects: BTreeSet<String>,
    /// Required members first, by their paths.
    missing: BTreeMap<(bool, &'static str), (u64, Option<&'static str>)>,
    conflicts: BTreeMap<String, u64>,
    truncated: BTreeMap<String, u64>,
    scrubbed: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Open {
    name: Name,
    made: (String, String),
    row: &'static Asked,
    about: Vec<String>,
}

/// One span or log, and what stands around it.
struct Item<'a> {
    signal: &'static str,
    name: &'a [u8],
    scope: &'a [u8],
    /// Keys of its attributes, names of its events.
    keys: Vec<&'a [u8]>,
    /// Resource keys of our own namespace.
    resource: &'a [&'a [u8]],
}

impl Linter {
    /// `frameworks`: whose wishes count beside what the records themselves require; empty for all.
    pub fn new(promoter: Promoter, frameworks: &[String]) -> Linter {
        Linter {
            promoter,
            frameworks: frameworks.to_vec(),
            speller: Speller::default(),
            spelled: HashMap::new(),
            groups: BTreeMap::new(),
            totals: Totals::default(),
            open: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// Looks at one export request. The tally is what a receiver would have counted.
    pub fn body(&mut self, signal: Signal, request: &[u8], received: UnixNanos) -> Result<Tally, Broken> {
        let mut tally = Tally::default();
        if signal == Signal::Metrics {
            let points = metrics::data_points(request).map_err(|malformed| Broken { at: 0, what: malformed.0 })?;
            self.totals.data_points += points;
            return Ok(tally);
        }
        let broken = |part: &[u8], malformed: Malformed| Broken { at: offset(request, part), what: malformed.0 };
        for group in resource_groups(request) {
            let group = group.map_err(|malformed| broken(request, malformed))?;
            let read = ResourceGroup::read(group).map_err(|malformed| broken(group, malformed))?;
            let mut service = None;
            let mut own: Vec<&[u8]> = Vec::new();
            for pair in read.attributes() {
                let pair = pair.map_err(|malformed| broken(group, malformed))?;
                if is_own(pair.key) {
                    own.push(pair.key);
                }
                if let (b"service.name", Ok(Value::Text(name))) = (pair.key, pair.value()) {
                    service = Some(self.promoter.shown(name)).filter(|name| !name.is_empty());
                }
            }
            let around: Vec<&[u8]> = read.resource.parts().collect();
            for scope in read.scopes() {
                let scope = scope.map_err(|malformed| broken(group, malformed))?;
                let read = ScopeGroup::read(scope).map_err(|malformed| broken(scope, malformed))?;
                let scope_name = read.scope().map_err(|malformed| broken(scope, malformed))?.name;
                let below: Vec<&[u8]> = read.scope.parts().collect();
                for item in read.items() {
                    let item = item.map_err(|malformed| broken(scope, malformed))?;
                    let one = alone(&around, &below, item);
                    let item = look_at(signal, item, scope_name, &own);
                    self.item(signal, service.as_ref(), &item, &one, received, &mut tally);
                }
            }
        }
        Ok(tally)
    }

    fn item(&mut self, signal: Signal, service: Option<&String>, item: &Item<'_>, one: &[u8], received: UnixNanos, tally: &mut Tally) {
        let name = Some(self.promoter.shown(item.name)).filter(|name| !name.is_empty());
        let mut key: Name = (service.cloned(), item.signal, name);
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            key.2 = None;
            if self.groups.len() >= GROUPS_MAX + NAMELESS_MAX && !self.groups.contains_key(&key) {
                key.0 = None;
            }
        }
        let mut batch = Batch::default();
        let context = Context::new(received);
        let promoted = match signal {
            Signal::Logs => self.promoter.logs(one, context, &mut batch),
            _ => self.promoter.traces(one, context, &mut batch),
        };
        match signal {
            Signal::Logs => (self.totals.logs, tally.counts.logs) = (self.totals.logs + 1, tally.counts.logs + 1),
            _ => (self.totals.spans, tally.counts.spans) = (self.totals.spans + 1, tally.counts.spans + 1),
        }
        let group = self.groups.entry(key.clone()).or_default();
        group.seen += 1;
        let (rejected, why) = match promoted {
            Ok(one) => {
                tally.misshapen_ids += one.misshapen_ids;
                tally.undecided += one.undecided;
                self.totals.misshapen_ids += one.misshapen_ids;
                self.totals.undecided += one.undecided;
                (one.counts.rejected > 0, one.rejected_why)
            }
            // Its own lengths were followed; what is around it was, too.
            Err(Unpromoted::Malformed(malformed)) => (true, Some(malformed.to_string())),
            Err(Unpromoted::NoRoom | Unpromoted::NoRandomness) => (true, None),
        };
        let plain = batch.records.is_empty();
        if !rejected {
            for near in self.promoter.near_rules(one, signal == Signal::Logs) {
                if near.is_unanswered || plain {
                    *group.near.entry((near.rule, near.lacks)).or_default() += 1;
                }
            }
        }
        if rejected {
            group.rejected += 1;
            self.totals.rejected += 1;
            tally.counts.rejected += 1;
            tally.rejected_why = tally.rejected_why.take().or_else(|| why.clone());
            group.rejected_why = group.rejected_why.take().or(why);
        } else if plain {
            group.plain += 1;
            self.totals.not_ai += 1;
            tally.counts.skipped += 1;
            let [no_ai_meaning] = &mut tally.skipped;
            *no_ai_meaning += 1;
            self.plain(&key, item);
        } else {
            group.promoted += 1;
            self.totals.promoted += 1;
            for record in &batch.records {
                if let Ok(record) = Json::parse(batch.line(record)) {
                    self.record(&key, &record);
                }
            }
            self.unknown(&key, item);
        }
    }

    /// Keys that are not understood and are nearly one that is.
    fn unknown(&mut self, name: &Name, item: &Item<'_>) {
        for key in item.keys.iter().chain(item.resource) {
            if self.promoter.understands(key) {
                continue;
            }
            let key = self.promoter.shown(key);
            let nearest = match self.spelled.get(&key) {
                Some(known) => known.clone(),
                None => {
                    // Of a key inside a carrier its own end is the one that may be misspelt.
                    let own = ["ai_audit.", "ai.audit."].iter().find_map(|own| key.find(own).and_then(|at| key.get(at..)));
                    let nearest = self.speller.nearest(own.unwrap_or(&key)).map(str::to_owned);
                    if self.spelled.len() < SPELLED_MAX {
                        self.spelled.insert(key.clone(), nearest.clone());
                    }
                    nearest
                }
            };
            let Some(nearest) = nearest else { continue };
            let Some(group) = self.groups.get_mut(name) else { continue };
            if group.unknown.len() < UNKNOWN_MAX || group.unknown.contains_key(&key) {
                group.unknown.entry(key).or_insert((nearest, 0)).1 += 1;
            }
        }
    }

    /// Why this is no AI.
    fn plain(&mut self, name: &Name, item: &Item<'_>) {
        let mut why: Vec<Why> = Vec::new();
        let say = |why: &mut Vec<Why>, reason, says: String| why.push(Why { reason, says });
        for key in &item.keys {
            let shown = || self.promoter.shown(key);
            match self.promoter.clue(key) {
                // The whole would be AI; an event's attribute alone proves nothing.
                Clue::Proof(_) | Clue::Ruled | Clue::None => {}
                Clue::SwitchedOff(dialect) => {
                    say(&mut why, "switched_off", format!("`{}` belongs to `{dialect}`, which `promotion.dialects` leaves out", shown()));
                }
                Clue::WithValue(_, wanted) => say(&mut why, "value", format!("`{}` counts only where its value is {wanted}", shown())),
                Clue::Carried(own) => {
                    say(
                        &mut why,
                        "carried",
                        format!("`{}` carries `{own}`, which counts only on a span that is AI by a key of its own", shown()),
                    );
                }
            }
        }
        if item.keys.iter().any(|key| self.promoter.clue(key) == Clue::Ruled) {
            say(&mut why, "rule", "own rules speak of its keys, and it meets none that promotes".to_owned());
        } else if self.groups.get(name).is_some_and(|group| !group.near.is_empty()) {
            say(&mut why, "rule", "own rules nearly apply, and it meets none that promotes".to_owned());
        }
        for dialect in self.promoter.named_dialects(item.scope, item.name) {
            say(&mut why, "name_only", format!("its name or its scope's is one of `{dialect}`; a name alone makes nothing AI"));
        }
        if !item.resource.is_empty() {
            say(&mut why, "resource_only", "its resource has keys of ours, and a resource makes nothing AI".to_owned());
        }
        if why.is_empty() {
            say(&mut why, "no_ai_key", "no attribute key or event name says AI".to_owned());
        }
        if let Some(group) = self.groups.get_mut(name) {
            for key in &item.keys {
                let key = self.promoter.shown(key);
                if group.keys.len() < KEYS_MAX {
                    group.keys.insert(key);
                } else if !group.keys.contains(&key) {
                    group.keys_more += 1;
                }
            }
            group.why.extend(why.into_iter().take(UNKNOWN_MAX));
        }
        self.unknown(name, item);
    }

    fn record(&mut self, name: &Name, record: &Json) {
        let text = |path: &str| record.path(path).and_then(Json::as_str).unwrap_or_default().to_owned();
        let names = |path: &str| record.path(path).and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str);
        let kind = text("kind");
        let about: Vec<String> = [("decision ", "decision.id"), ("trace ", "trace.trace_id")]
            .iter()
            .map(|(what, path)| (what, text(path)))
            .filter(|(_, id)| !id.is_empty())
            .map(|(what, id)| format!("{what}{id}"))
            .collect();
        // Whoever asks for an explanation is content with any record that gives one.
        for group in ["review", "explanation", "lineage", "action"] {
            if (kind == group || record.get(group).is_some()) && self.said.len() < OPEN_MAX {
                self.said.extend(about.iter().map(|about| (group.to_owned(), about.clone())));
            }
        }
        self.totals.records += 1;
        let key = (kind.clone(), text("source.signal"));
        let Some(group) = self.groups.get_mut(name) else { return };
        let made = group.records.entry(key.clone()).or_default();
        made.count += 1;
        made.dialects.extend(names("source.dialects").map(str::to_owned));
        for path in names("evidence.missing") {
            if let Some(member) = Member::find(path) {
                made.missing.entry((false, member.path())).or_default().0 += 1;
            }
        }
        for (list, path) in [
            (&mut made.conflicts, "evidence.conflicts"),
            (&mut made.truncated, "evidence.truncated"),
            (&mut made.scrubbed, "evidence.scrubbed"),
        ] {
            for path in names(path) {
                *list.entry(path.to_owned()).or_default() += 1;
            }
        }
        for row in ASKED.iter().filter(|row| row.kinds.iter().any(|k| k.as_str() == kind)) {
            if !wishes(row, &self.frameworks) || !applies(row, record) || holds(row, record) {
                continue;
            }
            match row.elsewhere {
                Some(_) if self.open.len() < OPEN_MAX => {
                    self.open.push(Open { name: name.clone(), made: key.clone(), row, about: about.clone() });
                }
                _ => made.lacks(row),
            }
        }
    }

    /// How many spans and logs were looked at.
    pub fn items(&self) -> u64 {
        self.totals.spans + self.totals.logs
    }

    /// A name out of what was sent, as it may be shown: without persons, and short.
    pub fn shown(&self, name: &str) -> String {
        self.promoter.shown(name.as_bytes())
    }

    /// Sums so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// All that was seen. The verdict is that of a run in which nothing is to fail; `inputs` are named by the caller.
    pub fn finish(mut self, mut inputs: Vec<Input>) -> Report {
        if self.items() == 0 {
            // Nothing was looked at: what would only have been odd is why.
            for input in &mut inputs {
                input.error = input.error.take().or_else(|| Some(InputError { what: input.nothing.take()?, ..InputError::default() }));
            }
        }
        for open in std::mem::take(&mut self.open) {
            let kind = open.row.elsewhere.map(|kind| kind.as_str()).unwrap_or_default();
            if !open.about.iter().any(|about| self.said.contains(&(kind.to_owned(), about.clone())))
                && let Some(made) = self.groups.get_mut(&open.name).and_then(|group| group.records.get_mut(&open.made))
            {
                made.lacks(open.row);
            }
        }
        let mut totals = self.totals;
        let frameworks = self.frameworks;
        let groups: Vec<Group> = self.groups.into_iter().map(|(name, seen)| seen.into_group(name, &frameworks)).collect();
        for records in groups.iter().flat_map(|group| &group.records) {
            let lacking = |level| u64::try_from(records.missing.iter().filter(|wanted| wanted.level == level).count()).unwrap_or(0);
            totals.missing += lacking(REQUIRED);
            totals.recommended += lacking(RECOMMENDED);
            totals.conflicts += u64::try_from(records.conflicts.len()).unwrap_or(0);
            totals.truncated += u64::try_from(records.truncated.len()).unwrap_or(0);
        }
        totals.unknown = groups.iter().map(|group| u64::try_from(group.unknown.len()).unwrap_or(0)).sum();
        let read = inputs.iter().all(|input| input.error.is_none()) && totals.spans + totals.logs > 0;
        Report { format: FORMAT, verdict: if read { Verdict::Fine } else { Verdict::Unread }, inputs, totals, groups }
    }
}

const REQUIRED: &str = "required";
const RECOMMENDED: &str = "recommended";

impl Made {
    fn lacks(&mut self, row: &Asked) {
        let when = match row.when {
            When::Case(when) => Some(when),
            _ => None,
        };
        let lack = self.missing.entry((true, row.member.path())).or_default();
        *lack = (lack.0 + 1, lack.1.or(when));
    }
}

impl Seen {
    fn into_group(self, (service, signal, name): Name, frameworks: &[String]) -> Group {
        let records = self.records.into_iter().map(|((kind, signal), made)| {
            let missing = made.missing.into_iter().map(|((besides, path), (count, when))| Wanted {
                count,
                when,
                ..wanted(&kind, path, besides, frameworks)
            });
            let missing: Vec<Wanted> = missing.collect();
            Records {
                kind,
                signal,
                count: made.count,
                dialects: made.dialects.into_iter().collect(),
                missing,
                conflicts: paths(made.conflicts),
                truncated: paths(made.truncated),
                scrubbed: paths(made.scrubbed),
            }
        });
        let unknown = self.unknown.into_iter().map(|(key, (nearest, count))| Unknown { key, nearest, count });
        let near_rules = self.near.into_iter().map(|((rule, lacks), count)| Near { rule, lacks, count });
        let not_ai = NotAi {
            count: self.plain,
            keys: self.keys.into_iter().collect(),
            keys_more: self.keys_more,
            why: self.why.into_iter().collect(),
        };
        Group {
            service,
            signal,
            name,
            seen: self.seen,
            promoted: self.promoted,
            rejected: self.rejected,
            rejected_why: self.rejected_why,
            records: records.collect(),
            unknown: unknown.collect(),
            near_rules: near_rules.collect(),
            not_ai: Some(not_ai).filter(|not_ai| not_ai.count > 0),
        }
    }
}

fn paths(counted: BTreeMap<String, u64>) -> Vec<Path> {
    counted.into_iter().map(|(path, count)| Path { path, count }).collect()
}

/// What libraries report by themselves, in the standard's words; of other kinds the application's own word is nearer.
const BY_LIBRARIES: [Kind; 7] = [Kind::Inference, Kind::Embedding, Kind::Retrieval, Kind::Rerank, Kind::Tool, Kind::Agent, Kind::Workflow];

/// A member that records of a kind lack, with all that helps to put it there.
fn wanted(kind: &str, path: &'static str, besides: bool, frameworks: &[String]) -> Wanted {
    let described = MEMBERS.iter().chain(RESOURCE).find(|(member, ..)| member.path() == path);
    let asked_by = asks_for(path, Some(kind)).into_iter().map(|(framework, reference)| AskedBy { framework, reference });
    let mut set = keys_for(path);
    if !BY_LIBRARIES.iter().any(|by| by.as_str() == kind) {
        // The sort is stable: within both halves the best stays first.
        set.sort_by_key(|key| !is_own(key.as_bytes()));
    }
    Wanted {
        path,
        level: if besides { RECOMMENDED } else { REQUIRED },
        count: 0,
        set,
        resource: resource_words().any(|(_, member)| member.path() == path),
        example: described.map(|(_, example, _)| *example).unwrap_or_default(),
        purpose: described.map(|(.., purpose)| *purpose).unwrap_or_default(),
        when: None,
        asked_by: asked_by.filter(|by| !besides || frameworks.is_empty() || frameworks.iter().any(|f| f == by.framework)).collect(),
    }
}

/// Whether somebody whose wishes count asks for it.
fn wishes(row: &Asked, frameworks: &[String]) -> bool {
    frameworks.is_empty() || row.by.iter().any(|(framework, _)| frameworks.iter().any(|wanted| wanted == framework))
}

fn applies(row: &Asked, record: &Json) -> bool {
    match row.when {
        When::Always | When::Case(_) => true,
        When::With(member) => has(record, member),
        When::Is(member, wanted) => match record.path(member.path()) {
            Some(Json::String(text)) => text == wanted,
            Some(Json::Bool(flag)) => wanted == if *flag { "true" } else { "false" },
            _ => false,
        },
    }
}

fn holds(row: &Asked, record: &Json) -> bool {
    has(record, row.member) || row.or.iter().any(|member| has(record, *member))
}

/// Whether a record has a member; content that is said to be absent is not there.
fn has(record: &Json, member: Member) -> bool {
    record.path(member.path()).is_some_and(|value| value.get("captured").and_then(Json::as_str) != Some("absent"))
}

fn is_own(key: &[u8]) -> bool {
    key.starts_with(b"ai_audit.") || key.starts_with(b"ai.audit.")
}

fn look_at<'a>(signal: Signal, item: &'a [u8], scope: &'a [u8], resource: &'a [&'a [u8]]) -> Item<'a> {
    // What cannot be read here is rejected by the promoter, with its reason.
    if signal == Signal::Logs {
        let log = LogRecord::read(item).unwrap_or_default();
        let mut name = log.event_name;
        let mut keys = Vec::new();
        for pair in log.attributes().flatten() {
            if let (true, b"event.name", Ok(Value::Text(text))) = (name.is_empty(), pair.key, pair.value()) {
                name = text;
            }
            keys.push(pair.key);
        }
        return Item { signal: "log", name, scope, keys, resource };
    }
    let span = Span::read(item).unwrap_or_default();
    let mut keys: Vec<&[u8]> = span.attributes().flatten().map(|pair| pair.key).collect();
    keys.extend(span.events().flatten().map(|event: Event<'a>| event.name).filter(|name| !name.is_empty()));
    Item { signal: "span", name: span.name, scope, keys, resource }
}

/// A request of one item, with its resource and its scope.
fn alone(resource: &[&[u8]], scope: &[&[u8]], item: &[u8]) -> Vec<u8> {
    let mut scoped = Vec::new();
    scope.iter().for_each(|part| field(&mut scoped, 1, part));
    field(&mut scoped, 2, item);
    let mut group = Vec::new();
    resource.iter().for_each(|part| field(&mut group, 1, part));
    field(&mut group, 2, &scoped);
    let mut request = Vec::with_capacity(group.len() + 8);
    field(&mut request, 1, &group);
    request
}

/// A length-delimited field; its number is below 16.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length > 0x7f {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(bytes);
}
