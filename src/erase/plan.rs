//! Which content goes, and which stays because it is somebody else's too.
//!
//! A person named only on a trace's root reaches the content of all its records. Where a trace names nobody else, all its content goes.
//! Where it does, only what records hold that name this person alone: content that names others, and content that nobody is named beside,
//! may be theirs, so it stays, and is listed. So does content of a record that shares its id and seal with such a one: the vault keeps both
//! under that id.
//!
//! A trace id joins records whoever sent them, so the content of one sender may go because another's record names the person: that is what
//! an erasure is for where a service behind the one that knows its users reports what it did, and what a stranger may misuse. How many
//! records of which sender that are is told before it is done.
//!
//! KNOWN GAP: of records without a trace only those are looked at that name the person. Two log records that are the same to the byte, from
//! resources that name different people, in one seal, are taken together.
//!
//! KNOWN GAP: the records of the person and of their traces are held in memory at once, at most 256 MiB of lines; beyond that nothing is
//! erased and the answer says so. Whoever has so many is erased record by record.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::held::{Holds, Meaning, Touched};
use super::wish::{FromOther, Kept, Outcome};
use super::{EraseError, Eraser, Target, forms_of};
use crate::clock::UnixSeconds;
use crate::query::Hit;
use crate::query::filter::{Filter, persons_of};
use crate::query::opening::{held, lost_in_words};
use crate::query::scan::Answer;
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::vault::told::{self, day_of};
use crate::vault::{Intent, Places, Scope};

/// What an erasure takes and what it leaves.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Records whose content goes.
    pub(super) records: Places,
    /// Traces all of whose content goes.
    pub(super) whole: Vec<String>,
    /// Seals of the log that were searched.
    pub(super) searched: u64,
    /// Forms under which evidence names the person, each with the realm that it is of, where that can be told.
    pub(super) forms: BTreeMap<String, Option<String>>,
    /// Every record that names the person or loses its content, with its seal: what comes again is a duplicate of it.
    pub(super) known: Vec<(RecordId, u64)>,
    /// What of it open holds mean.
    pub(super) touched: Touched,
    named: u64,
    hashed: u64,
    elsewhere: u64,
    uncompared: Vec<String>,
    kept: Vec<Kept>,
    /// Records that name nobody, by their sender, whose content goes because another sender's record of their trace names the person.
    from_others: BTreeMap<Sender, u64>,
}

/// By what a sender showed who it is, and who: `None` did not have to.
type Sender = Option<(String, String)>;

impl Plan {
    /// Whether evidence knows nothing of it.
    pub(super) fn is_empty(&self) -> bool {
        self.named == 0 && self.records.is_empty()
    }

    /// What can be said of it before it is done.
    pub(super) fn outcome(self, pseudonyms: BTreeSet<String>, persons: u64) -> Outcome {
        Outcome {
            pseudonyms,
            persons,
            records: told::count(&self.records),
            named: self.named,
            hashed: self.hashed,
            elsewhere: self.elsewhere,
            uncompared: self.uncompared,
            kept: self.kept,
            from_others: self.from_others.into_iter().map(|(sender, records)| FromOther::new(sender, records)).collect(),
            ..Outcome::default()
        }
    }

    fn know(&mut self, hit: &Hit) {
        self.known.extend(hit.text("id").and_then(RecordId::parse).map(|id| (id, hit.place.seal.statement.index)));
    }

    /// This record's content goes, which these holds mean.
    fn take(&mut self, hit: &Hit, meaning: &Meaning) {
        self.hashed += u64::from(has_hashes(&hit.record));
        self.know(hit);
        let statement = &hit.place.seal.statement;
        if let Some(id) = hit.text("id").and_then(RecordId::parse).filter(|_| !held(&hit.record).is_empty()) {
            self.records.entry((statement.index, day_of(statement.sealed_at))).or_default().insert(id);
            self.touched.take(hit, meaning);
        }
    }
}

impl Eraser {
    /// Reads evidence for what a target concerns, and which of these holds mean it.
    pub(super) async fn plan(&self, target: &Target, shared: bool, holds: &mut Holds) -> Result<Plan, EraseError> {
        match target {
            Target::Record(id) => {
                let found = self.search(Filter { record_id: Some(id.to_string()), ..Filter::default() }).await?;
                let mut plan = Plan { searched: self.size(&found), ..Plan::default() };
                let (own, elsewhere) = self.own(found.hits);
                plan.elsewhere = elsewhere;
                plan.named = u64::try_from(own.len()).unwrap_or(u64::MAX);
                let traces = if holds.is_empty() { BTreeMap::new() } else { self.of_traces(traces_of(&own), 0).await? };
                for hit in own.iter().filter(|hit| !is_control(hit)) {
                    let of_trace = hit.text("trace.trace_id").and_then(|trace| traces.get(trace)).into_iter().flatten();
                    let meaning = holds.meaning_any(of_trace.chain([hit]));
                    plan.take(hit, &meaning);
                }
                Ok(plan)
            }
            Target::Person { scope, wanted } => {
                let (subject, person) = match scope {
                    Scope::Subject => (Some(wanted.clone()), None),
                    Scope::Person | Scope::Record => (None, Some(wanted.clone())),
                };
                let found = self.search(Filter { subject, person, ..Filter::default() }).await?;
                let mut uncompared: Vec<String> = found.uncompared.iter().map(|problem| problem.what.clone()).collect();
                uncompared.extend(self.unknown(&found).await?);
                let searched = self.size(&found);
                let (naming, elsewhere) = self.own(found.hits);
                let mut plan =
                    Plan { uncompared, searched, elsewhere, named: u64::try_from(naming.len()).unwrap_or(u64::MAX), ..Plan::default() };
                for hit in &naming {
                    for form in persons_of(&hit.record).filter(|form| wanted.is_in(form, &hit.line)) {
                        let realm = wanted.realm_of(form, &hit.line);
                        plan.forms.entry(form.to_owned()).or_insert(realm);
                    }
                    plan.know(hit);
                    plan.touched.name(hit, &holds.meaning(hit));
                }
                if *scope == Scope::Subject && !holds.is_empty() {
                    // The entry goes for the records too that name the person otherwise.
                    let found = self.search(Filter { person: Some(wanted.clone()), ..Filter::default() }).await?;
                    self.note_names(&mut plan, &self.own(found.hits).0, holds).await?;
                }
                // The records of our own that name them (who asked for an erasure, say) hold no content.
                let traces = traces_of(&naming);
                let alone = naming.iter().filter(|hit| hit.text("trace.trace_id").is_none() && !is_control(hit));
                for hit in alone {
                    plan.judge(None, std::slice::from_ref(hit), shared, holds);
                }
                if traces.is_empty() {
                    return Ok(plan);
                }
                for (trace, hits) in self.of_traces(traces, 0).await? {
                    plan.judge(Some(trace), &hits, shared, holds);
                }
                Ok(plan)
            }
        }
    }

    /// Notes which holds mean records that name the person, by themselves or by their traces.
    async fn note_names(&self, plan: &mut Plan, naming: &[Hit], holds: &mut Holds) -> Result<(), EraseError> {
        let traces = self.of_traces(traces_of(naming), 0).await?;
        for hit in naming {
            let of_trace = hit.text("trace.trace_id").and_then(|trace| traces.get(trace)).into_iter().flatten();
            plan.touched.name(hit, &holds.meaning_any(of_trace.chain([hit])));
        }
        Ok(())
    }

    /// Everything that these traces have in the own log since a seal, but records of our own making.
    pub(super) async fn of_traces(&self, traces: HashSet<String>, since: u64) -> Result<BTreeMap<String, Vec<Hit>>, EraseError> {
        let found = self.search_since(Filter { traces: Some(Arc::new(traces)), ..Filter::default() }, since).await?.hits;
        let mut by_trace: BTreeMap<String, Vec<Hit>> = BTreeMap::new();
        for hit in found.into_iter().filter(|hit| !is_control(hit)) {
            if let Some(trace) = hit.text("trace.trace_id").map(str::to_owned) {
                by_trace.entry(trace).or_default().push(hit);
            }
        }
        Ok(by_trace)
    }

    /// What to say of persons whom evidence names and the vault does not have, though no erasure took them: one may be meant.
    async fn unknown(&self, found: &Answer) -> Result<Option<String>, EraseError> {
        let Some(unknown) = found.unknown.get(&self.parts.log).filter(|unknown| !unknown.is_empty()) else { return Ok(None) };
        let wanted: HashSet<[u8; 16]> = unknown.iter().copied().collect();
        // They may have come since they were looked for.
        let known: HashSet<[u8; 16]> = self.parts.vault.resolve(&wanted).await?.iter().map(|entry| entry.pseudonym).collect();
        let erased = self.parts.vault.state().await.persons;
        let lost = unknown.iter().filter(|pseudonym| !known.contains(*pseudonym) && !erased.contains(*pseudonym)).count();
        Ok((lost > 0).then(|| lost_in_words(lost)))
    }

    /// Seals of the own log that were searched.
    fn size(&self, found: &Answer) -> u64 {
        found.logs.iter().find(|log| log.name() == self.parts.log).map_or(0, |log| log.size())
    }

    /// Records of our own log; of others only how many.
    fn own(&self, hits: Vec<Hit>) -> (Vec<Hit>, u64) {
        let all = hits.len();
        let own: Vec<Hit> = hits.into_iter().filter(|hit| hit.place.log == self.parts.log).collect();
        let elsewhere = u64::try_from(all - own.len()).unwrap_or(u64::MAX);
        (own, elsewhere)
    }
}

impl Plan {
    /// What still came of an erasure's traces after they were searched, and was sealed no later than `until`.
    pub(super) fn late(intent: &Intent, by_trace: &BTreeMap<String, Vec<Hit>>, until: Option<UnixSeconds>) -> Plan {
        let mut plan = Plan { forms: forms_of(intent).into_iter().map(|form| (form, None)).collect(), ..Plan::default() };
        for trace in &intent.traces {
            let hits = by_trace.get(trace).into_iter().flatten();
            let is_late = |hit: &&Hit| {
                let statement = &hit.place.seal.statement;
                intent.searched.is_none_or(|searched| statement.index >= searched) && until.is_none_or(|until| statement.sealed_at <= until)
            };
            let late: Vec<Hit> = hits.filter(is_late).cloned().collect();
            plan.judge(Some(trace.clone()), &late, intent.shared, &mut Holds::default());
        }
        plan
    }

    /// Divides the records of one trace, or one record without a trace.
    fn judge(&mut self, trace_id: Option<String>, hits: &[Hit], shared: bool, holds: &mut Holds) {
        let meaning = holds.meaning_any(hits);
        let is_own = |form: &str| self.forms.contains_key(form);
        let others: BTreeSet<&str> = hits.iter().flat_map(|hit| persons_of(&hit.record)).filter(|form| !is_own(form)).collect();
        let stays = |hit: &&Hit| {
            let mut named = persons_of(&hit.record).peekable();
            !shared && !others.is_empty() && (named.peek().is_none() || !named.all(is_own))
        };
        let (mut staying, going): (Vec<&Hit>, Vec<&Hit>) = hits.iter().partition(stays);
        // Two records of one id and one seal contradict each other and are both kept. The vault knows their content by id and seal: what it
        // has of one cannot go without what it has of the other.
        let place = |hit: &Hit| (hit.place.seal.statement.index, hit.text("id").map(str::to_owned));
        let shared_places: HashSet<(u64, Option<String>)> = staying.iter().map(|hit| place(hit)).collect();
        let (beside, going): (Vec<&Hit>, Vec<&Hit>) = going.into_iter().partition(|hit| shared_places.contains(&place(hit)));
        staying.extend(beside);
        let records: BTreeSet<String> =
            staying.iter().filter(|hit| !held(&hit.record).is_empty()).filter_map(|hit| hit.text("id")).map(str::to_owned).collect();
        let others = u64::try_from(others.len()).unwrap_or(u64::MAX);
        if !records.is_empty() {
            self.kept.push(Kept { trace: trace_id.clone(), records: records.into_iter().collect(), others });
        }
        if staying.is_empty() {
            self.whole.extend(trace_id);
        }
        let names_them = |hit: &&Hit| persons_of(&hit.record).any(is_own);
        let namers: BTreeSet<Sender> = hits.iter().filter(names_them).map(sender_of).collect();
        for sender in going.iter().filter(|hit| !names_them(hit) && !held(&hit.record).is_empty()).map(|hit| sender_of(hit)) {
            if !namers.contains(&sender) {
                *self.from_others.entry(sender).or_default() += 1;
            }
        }
        let named: Vec<&Hit> = hits.iter().filter(names_them).collect();
        for hit in named {
            self.touched.name(hit, &meaning);
        }
        for hit in going {
            self.take(hit, &meaning);
        }
    }
}

fn traces_of(hits: &[Hit]) -> HashSet<String> {
    hits.iter().filter_map(|hit| hit.text("trace.trace_id")).map(str::to_owned).collect()
}

fn sender_of(hit: &Hit) -> Sender {
    let method = hit.text("source.peer.method").filter(|method| *method != "none")?;
    Some((method.to_owned(), hit.text("source.peer.id").unwrap_or_default().to_owned()))
}

fn is_control(hit: &Hit) -> bool {
    hit.text("source.signal") == Some("control")
}

/// Whether any content of a record is held as keyed hash, which stays: it says nothing of the content without the identity key, and cannot
/// be taken back.
fn has_hashes(record: &Json) -> bool {
    match record {
        Json::Object(members) => {
            let is_hash = |name: &str, value: &Json| name == "hash" && value.as_str().is_some_and(|hash| hash.starts_with("hmac-sha256:"));
            members.iter().any(|(name, value)| name != "attributes" && (is_hash(name, value) || has_hashes(value)))
        }
        Json::Array(items) => items.iter().any(has_hashes),
        _ => false,
    }
}
