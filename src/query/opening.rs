//! Bringing back what was said: from a record's commitments to the vault's content, each checked against the commitment that was sealed.
//!
//! What the vault says is believed only where SHA-256(salt, x) is what the record commits to. What it does not have is never passed over:
//! erased, expired, or gone without an explanation.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::filter::persons_of;
use super::{Again, Hit, Standing};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::record::content::{commitment, commitment_text, contents};
use crate::retain::Period;
use crate::vault::{Contents, Entry, Told, Vaults, is_expired};

/// A content object of a record that commits to what the vault has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its dotted path: `input`, `retrieval.documents[2].content`.
    pub member: String,
    /// As it stands in the record.
    pub commitment: String,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Opened {
    /// It is there, and it is what was committed to.
    Content(Entry),
    /// It is not in the vault.
    Absent,
    /// What the vault has in its place does not fit the commitment.
    Other,
    /// The vault could not be asked, in words.
    Unasked(String),
}

/// All content of one record that evidence holds by commitment, in the order of the record.
pub fn held(record: &Json) -> Vec<Held> {
    let of = |(member, content): (String, &Json)| {
        let text = |name: &str| content.get(name).and_then(Json::as_str);
        let commitment = text("commitment").filter(|_| text("captured") == Some("vault"))?;
        Some(Held { member, commitment: commitment.to_owned() })
    };
    contents(record).into_iter().filter_map(of).collect()
}

/// Brings back the content of one record, and says which objects of its seal could not be read.
pub async fn open(vaults: &Vaults, hit: &Hit) -> (Vec<(Held, Opened)>, Vec<String>) {
    let held = held(&hit.record);
    let Some(id) = hit.text("id").and_then(RecordId::parse).filter(|_| !held.is_empty()) else { return Default::default() };
    let statement = &hit.place.seal.statement;
    let contents = vaults.of(&hit.place.log).content(statement.index, statement.sealed_at, id).await;
    let Contents { entries, problems } = match contents {
        Ok(contents) => contents,
        Err(error) => return (held.into_iter().map(|held| (held, Opened::Unasked(error.to_string()))).collect(), Vec::new()),
    };
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let opened = held
        .into_iter()
        .map(|held| {
            let mut of_member = entries.iter().filter(|entry| entry.member == held.member).peekable();
            let any = of_member.peek().is_some();
            let fitting = of_member.find(|entry| fits(entry, &held));
            let opened = match fitting {
                Some(entry) => Opened::Content(entry.clone()),
                // Another record of this id may have its own there.
                None if any && is_alone(hit) => Opened::Other,
                None => problems.first().map_or(Opened::Absent, |problem| Opened::Unasked(problem.clone())),
            };
            (held, opened)
        })
        .collect();
    (opened, problems)
}

/// Whether no other record stands under its id in its seal, as far as the answer knows.
fn is_alone(hit: &Hit) -> bool {
    let is_beside =
        |again: &Again| (&again.hit.place.log, again.hit.place.seal.statement.index) == (&hit.place.log, hit.place.seal.statement.index);
    hit.standing == Standing::Single && !hit.copies.iter().any(is_beside)
}

fn fits(entry: &Entry, held: &Held) -> bool {
    commitment_text(&commitment(&entry.salt, &entry.content)) == held.commitment
}

/// An erasure that is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When, as its record says.
    pub at: String,
    /// On what ground.
    pub ground: String,
    /// Its record.
    pub record: String,
    /// Records of further erasures that say the same later, in order of the log.
    pub later: Vec<String>,
}

impl Erasure {
    fn of(hit: &Hit) -> Self {
        let text = |path: &str| hit.text(path).unwrap_or("not recorded").to_owned();
        Erasure { at: text("time.start"), ground: text("control.ground"), record: text("id"), later: Vec::new() }
    }
}

/// Why content that the vault does not have is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// An erasure took it.
    Erased(Erasure),
    /// It was kept as long as the configuration says.
    Expired(Period),
    /// Nothing says why.
    Unexplained,
}

/// Every erasure of some logs, as their records tell it.
#[derive(Debug, Default)]
pub struct Erasures(Vec<(Hit, Told)>);

impl Erasures {
    /// Of these records, those that are erasures of the writer's own making.
    pub fn new(hits: Vec<Hit>) -> Self {
        let mut all: Vec<(Hit, Told)> = hits.into_iter().filter_map(|hit| Told::parse(&hit.record).map(|told| (hit, told))).collect();
        // The log's own order: of several that say the same, the first is the one that made it true.
        all.sort_by_key(|(erasure, _)| (erasure.place.seal.statement.index, erasure.place.leaf_index));
        Erasures(all)
    }

    /// The one that says that it took a record's content.
    pub fn that_took(&self, hit: &Hit) -> Option<Erasure> {
        let (seal, id) = (hit.place.seal.statement.index, hit.text("id").and_then(RecordId::parse)?);
        let took = self.later(hit).find(|(_, told)| told.took(seal, id));
        took.map(|(erasure, _)| Erasure::of(erasure))
    }

    /// The one that means a record's content, whether it took it or did not find it.
    pub fn that_means(&self, hit: &Hit) -> Option<Erasure> {
        let (seal, id) = (hit.place.seal.statement.index, hit.text("id").and_then(RecordId::parse)?);
        self.later(hit).find(|(_, told)| told.meant(seal, id)).map(|(erasure, _)| Erasure::of(erasure))
    }

    /// By pseudonym, the first one of a log that took a person's entry; it names the later ones that concern the person too.
    pub fn of_persons(&self, log: &str) -> HashMap<[u8; 16], Erasure> {
        let mut found: HashMap<[u8; 16], Erasure> = HashMap::new();
        for (erasure, told) in self.0.iter().filter(|(erasure, _)| erasure.place.log == log) {
            for person in &told.persons {
                match found.entry(*person) {
                    Slot::Vacant(slot) => drop(slot.insert(Erasure::of(erasure))),
                    Slot::Occupied(mut slot) => slot.get_mut().later.extend(erasure.text("id").map(str::to_owned)),
                }
            }
        }
        found
    }

    /// The one that took the entry of a person whom these records name.
    pub fn of_person(&self, id: &str, hits: &[Hit]) -> Option<Erasure> {
        let pseudonym = crate::vault::parse_pseudonym(id)?;
        let logs = hits.iter().filter(|hit| persons_of(&hit.record).any(|person| person == id)).map(|hit| hit.place.log.as_str());
        let logs: HashSet<&str> = logs.collect();
        let mut own = self.0.iter().filter(|(erasure, _)| logs.contains(erasure.place.log.as_str()));
        own.find(|(_, told)| told.persons.contains(&pseudonym)).map(|(erasure, _)| Erasure::of(erasure))
    }

    /// Whether the record with this id is one of them.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|(_, told)| told.id == id)
    }

    /// Whether one does not say what it took: then whom the traces concerned name must tell.
    pub fn any_silent(&self) -> bool {
        self.0.iter().any(|(_, told)| told.records.is_none())
    }

    /// The log as a whole is in order of its seals: what was sealed later was not erased by this.
    fn later(&self, hit: &Hit) -> impl Iterator<Item = &(Hit, Told)> {
        self.0.iter().filter(|(erasure, _)| {
            erasure.place.log == hit.place.log && erasure.place.seal.statement.index >= hit.place.seal.statement.index
        })
    }
}

/// What explains why content is gone.
#[derive(Debug)]
pub struct Reasons<'a> {
    /// All erasures.
    pub erasures: &'a Erasures,
    /// Records of the traces concerned: an erasure names a person, who may stand in another record of the trace.
    pub of_traces: &'a [Hit],
    /// `content.vault.retention`
    pub retention: Option<Period>,
    /// The time.
    pub now: UnixSeconds,
}

impl Reasons<'_> {
    /// Why a record's content is gone.
    pub fn of(&self, hit: &Hit) -> Gone {
        if let Some(erasure) = self.erasures.that_took(hit).or_else(|| self.inferred(hit)) {
            return Gone::Erased(erasure);
        }
        match self.retention {
            Some(period) if is_expired(hit.place.seal.statement.sealed_at, period, self.now) => Gone::Expired(period),
            _ => Gone::Unexplained,
        }
    }

    /// An erasure that does not say what it took, and that concerns the record by whom it names.
    fn inferred(&self, hit: &Hit) -> Option<Erasure> {
        let mut named = persons_in(&hit.record);
        if let Some(trace) = hit.text("trace.trace_id") {
            let same =
                self.of_traces.iter().filter(|other| other.text("trace.trace_id") == Some(trace) && other.place.log == hit.place.log);
            named.extend(same.flat_map(|other| persons_in(&other.record)));
        }
        named.extend(hit.text("id"));
        let silent = self.erasures.later(hit).filter(|(_, told)| told.records.is_none());
        let concerning: Vec<&Hit> = silent
            .filter(|(_, told)| told.targets.iter().any(|target| named.contains(target.as_str())))
            .map(|(erasure, _)| erasure)
            .collect();
        // An erasure of a person may have left this record, which is others' too; one of the record itself says for certain why.
        let own = concerning.iter().find(|erasure| erasure.text("control.target") == hit.text("id"));
        own.or(concerning.first()).map(|erasure| Erasure::of(erasure))
    }
}

fn persons_in(record: &Json) -> HashSet<&str> {
    persons_of(record).collect()
}

/// What to say of so many persons whom records name and the vault does not have, though no erasure took them.
pub fn lost_in_words(persons: usize) -> String {
    let who = if persons == 1 { "1 person whom records name is".to_owned() } else { format!("{persons} persons whom records name are") };
    format!(
        "{who} not in the vault, and no erasure took them: whoever is asked for may be among them; somebody deleted objects of the vault, \
         or put back older ones"
    )
}

/// Whether these records name anything that the vault was given.
pub fn is_apart(hits: &[Hit]) -> bool {
    hits.iter().any(|hit| !held(&hit.record).is_empty()) || !pseudonyms(hits).is_empty()
}

/// Every pseudonym of the vault in these records, each with the logs that name it.
pub fn pseudonyms(hits: &[Hit]) -> BTreeMap<String, BTreeSet<[u8; 16]>> {
    let mut found: BTreeMap<String, BTreeSet<[u8; 16]>> = BTreeMap::new();
    for hit in hits {
        let own = persons_of(&hit.record).filter_map(crate::vault::parse_pseudonym);
        found.entry(hit.place.log.clone()).or_default().extend(own);
    }
    found.retain(|_, own| !own.is_empty());
    found
}

#[cfg(test)]
mod tests;
