//! Bringing back what was said: from a record's commitments to the vault's content, each checked against the commitment that was sealed.
//!
//! What the vault says is believed only where SHA-256(salt, x) is what the record commits to. What it does not have is never passed over:
//! erased, expired, or gone without an explanation.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Hit;
use super::filter::persons_of;
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::record::content::{commitment, commitment_text};
use crate::retain::Period;
use crate::vault::{Entry, Vaults, is_expired};

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
    fn walk(json: &Json, path: &str, found: &mut Vec<Held>) {
        match json {
            Json::Object(members) => {
                let text = |name: &str| json.get(name).and_then(Json::as_str);
                if let (Some("vault"), Some(commitment)) = (text("captured"), text("commitment")) {
                    found.push(Held { member: path.to_owned(), commitment: commitment.to_owned() });
                    return;
                }
                for (name, value) in members {
                    let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    // What a sender called so is no content object.
                    if at != "attributes" && at != "source" {
                        walk(value, &at, found);
                    }
                }
            }
            Json::Array(items) => items.iter().enumerate().for_each(|(i, item)| walk(item, &format!("{path}[{i}]"), found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(record, "", &mut found);
    found
}

/// Brings back the content of one record.
pub async fn open(vaults: &Vaults, hit: &Hit) -> Vec<(Held, Opened)> {
    let held = held(&hit.record);
    let Some(id) = hit.text("id").and_then(RecordId::parse).filter(|_| !held.is_empty()) else { return Vec::new() };
    let statement = &hit.place.seal.statement;
    let entries = vaults.of(&hit.place.log).content(statement.index, statement.sealed_at, id).await;
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return held.into_iter().map(|held| (held, Opened::Unasked(error.to_string()))).collect(),
    };
    held.into_iter()
        .map(|held| {
            let mut of_member = entries.iter().filter(|entry| entry.member == held.member).peekable();
            let any = of_member.peek().is_some();
            let fitting = of_member.find(|entry| fits(entry, &held));
            let opened = match fitting {
                Some(entry) => Opened::Content(entry.clone()),
                // Another record of this id may have its own there.
                None if any && hit.standing == super::Standing::Single => Opened::Other,
                None => Opened::Absent,
            };
            (held, opened)
        })
        .collect()
}

fn fits(entry: &Entry, held: &Held) -> bool {
    commitment_text(&commitment(&entry.salt, &entry.content)) == held.commitment
}

/// Why content that the vault does not have is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// An erasure that is sealed took it.
    Erased {
        /// When, as the erasure record says.
        at: String,
        /// On what ground.
        ground: String,
        /// The erasure record.
        record: String,
    },
    /// It was kept as long as the configuration says.
    Expired(Period),
    /// Nothing says why.
    Unexplained,
}

/// What explains why content is gone.
#[derive(Debug)]
pub struct Reasons<'a> {
    /// All records of kind `erasure`.
    pub erasures: &'a [Hit],
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
        let mut named = persons_in(&hit.record);
        if let Some(trace) = hit.text("trace.trace_id") {
            let same =
                self.of_traces.iter().filter(|other| other.text("trace.trace_id") == Some(trace) && other.place.log == hit.place.log);
            named.extend(same.flat_map(|other| persons_in(&other.record)));
        }
        named.extend(hit.text("id"));
        // The log as a whole is in order of its seals: what was sealed later was not erased by this.
        let later =
            |erasure: &&Hit| erasure.place.log == hit.place.log && erasure.place.seal.statement.index >= hit.place.seal.statement.index;
        let concerned = |erasure: &&Hit| targets(&erasure.record).iter().any(|target| named.contains(target.as_str()));
        let concerning: Vec<&Hit> = self.erasures.iter().filter(later).filter(concerned).collect();
        // An erasure of a person may have left this record, which is others' too; one of the record itself says for certain why.
        let own = concerning.iter().find(|erasure| erasure.text("control.target") == hit.text("id"));
        if let Some(erasure) = own.or(concerning.first()) {
            return Gone::by(erasure);
        }
        match self.retention {
            Some(period) if is_expired(hit.place.seal.statement.sealed_at, period, self.now) => Gone::Expired(period),
            _ => Gone::Unexplained,
        }
    }
}

impl Gone {
    fn by(erasure: &Hit) -> Gone {
        let text = |path: &str| erasure.text(path).unwrap_or("not recorded").to_owned();
        Gone::Erased { at: text("time.start"), ground: text("control.ground"), record: text("id") }
    }
}

/// Why the vault of a log does not know a pseudonym, by all records of kind `erasure`: one names it, or nothing says why. Persons do not
/// expire.
pub fn erasure_of(erasures: &[Hit], log: &str, pseudonym: &str) -> Gone {
    let found = erasures.iter().find(|erasure| erasure.place.log == log && targets(&erasure.record).contains(pseudonym));
    found.map_or(Gone::Unexplained, Gone::by)
}

fn persons_in(record: &Json) -> HashSet<&str> {
    persons_of(record).collect()
}

/// Whom or what an erasure record names: its target, and the further pseudonyms in its filter.
fn targets(record: &Json) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = record.path("control.target").and_then(Json::as_str).map(str::to_owned).into_iter().collect();
    let filter = record.path("control.filter").and_then(Json::as_str).and_then(|text| Json::parse(text.as_bytes()).ok());
    let persons = filter.as_ref().and_then(|f| f.get("persons")).and_then(Json::as_array).unwrap_or_default();
    all.extend(persons.iter().filter_map(Json::as_str).map(str::to_owned));
    all
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
