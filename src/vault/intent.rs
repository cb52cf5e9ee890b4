//! Erasures under way. An intent is written before anything is erased: whatever happens until its `erasure` record is sealed, the next start
//! goes through all of it again, and doing so twice is as if it were done once. Then it is marked as done and stays for as long as resends
//! are recognised (`seal.dedup_window`): by it a restart knows what is not to come back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::Kind;
use super::pack::is_random;
use super::persons::{parse_pseudonym, pseudonym_text};
use super::told::{Places, holds, read_places, write_places};
use super::{Vault, VaultError};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::worm::ObjectKey;

/// What an erasure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Whoever is named by any member that names a person.
    Person,
    /// Whoever is named by `subject.id`.
    Subject,
    /// One record.
    Record,
}

impl Scope {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Person => "person",
            Scope::Subject => "subject",
            Scope::Record => "record",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Scope::Person, Scope::Subject, Scope::Record].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// An erasure that was asked for and is not finished. It names persons by pseudonym only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Makes the id of its `erasure` record, so that it is sealed once however often this is begun.
    pub random: [u8; 16],
    /// What it is about.
    pub scope: Scope,
    /// Pseudonyms whose entries and content go, as the vault has them.
    pub pseudonyms: Vec<[u8; 16]>,
    /// Further forms under which evidence names the person: keyed and plain ones, which cannot be erased themselves.
    pub forms: Vec<String>,
    /// The record, where it is about one.
    pub record: Option<RecordId>,
    /// Whether content goes too that records hold which also name others, or stand beside such.
    pub shared: bool,
    /// Who asked for it, as evidence names them.
    pub by: Option<String>,
    /// When it was asked for; `None`: an earlier version wrote it.
    pub asked: Option<UnixSeconds>,
    /// Seals that the log had then: its record is in none of them. `None`: an earlier version wrote it.
    pub begun: Option<u64>,
    /// Why, as given.
    pub ground: String,
    /// The request that it answers, as given.
    pub ticket: Option<String>,
    /// Names of the legal holds that it may go before; once it was searched what it takes, those that it does go before.
    pub despite: BTreeSet<String>,
    /// What it takes and has found in the vault, from before it is taken: a process that dies in between would not find it again.
    pub taking: Places,
    /// What it means to take and has not found there.
    pub absent: Places,
    /// Records that are not to be sealed again, each with the seal that holds it.
    pub known: BTreeSet<(RecordId, u64)>,
    /// Traces all of whose content goes: what still comes of them goes too.
    pub traces: BTreeSet<String>,
    /// Seals below this index were searched for what it takes; `None`: none was.
    pub searched: Option<u64>,
    /// When its record was sealed; `None`: it is under way.
    pub done: Option<UnixSeconds>,
}

impl Intent {
    /// Id of its `erasure` record.
    pub fn record_id(&self) -> RecordId {
        RecordId::derive("control", "", "", &hex::encode(self.random))
    }

    /// What makes the id of its record number `part`, from 0: one record cannot name everything that a large erasure takes.
    pub fn random_of(&self, part: u64) -> [u8; 16] {
        if part == 0 {
            return self.random;
        }
        let digest = Sha256::new().chain_update(self.random).chain_update(part.to_be_bytes()).finalize();
        digest.first_chunk().copied().unwrap_or(self.random)
    }

    /// Whether it takes this record's content, as far as that is known: all of it that names whom it is about, before it was searched what else.
    pub fn concerns(&self, seal: u64, id: RecordId, mut persons: impl Iterator<Item = impl AsRef<str>>) -> bool {
        if holds(&self.taking, seal, id) || holds(&self.absent, seal, id) {
            return true;
        }
        let names = |person: &str| {
            let is_one = parse_pseudonym(person).is_some_and(|pseudonym| self.pseudonyms.contains(&pseudonym));
            is_one || self.forms.iter().any(|form| form == person)
        };
        self.searched.is_none() && (self.record == Some(id) || persons.any(|person| names(person.as_ref())))
    }

    fn to_json(&self) -> Json {
        let pseudonyms = self.pseudonyms.iter().map(|p| Json::String(pseudonym_text(p))).collect();
        let mut members = vec![
            ("random".to_owned(), Json::String(hex::encode(self.random))),
            ("scope".to_owned(), Json::string(self.scope.as_str())),
            ("pseudonyms".to_owned(), Json::Array(pseudonyms)),
            ("forms".to_owned(), Json::Array(self.forms.iter().map(Json::string).collect())),
            ("ground".to_owned(), Json::string(&self.ground)),
        ];
        members.extend(self.shared.then(|| ("shared".to_owned(), Json::Bool(true))));
        members.extend(self.by.as_ref().map(|by| ("by".to_owned(), Json::string(by))));
        members.extend(self.record.map(|id| ("record".to_owned(), Json::String(id.to_string()))));
        members.extend(self.ticket.as_ref().map(|ticket| ("ticket".to_owned(), Json::string(ticket))));
        if !self.despite.is_empty() {
            members.push(("despite".to_owned(), Json::Array(self.despite.iter().map(Json::string).collect())));
        }
        let known = self.known.iter().map(|(id, seal)| Json::Array(vec![Json::String(id.to_string()), Json::String(seal.to_string())]));
        members.push(("taking".to_owned(), write_places(&self.taking)));
        members.push(("absent".to_owned(), write_places(&self.absent)));
        members.push(("known".to_owned(), Json::Array(known.collect())));
        members.push(("traces".to_owned(), Json::Array(self.traces.iter().map(Json::string).collect())));
        members.extend(self.asked.map(|asked| ("asked".to_owned(), Json::String(asked.to_string()))));
        members.extend(self.begun.map(|begun| ("begun".to_owned(), Json::String(begun.to_string()))));
        members.extend(self.searched.map(|searched| ("searched".to_owned(), Json::String(searched.to_string()))));
        members.extend(self.done.map(|done| ("done".to_owned(), Json::String(done.to_string()))));
        Json::Object(members)
    }

    fn of(json: &Json) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Json::as_str);
        let texts = |name: &str| json.get(name)?.as_array()?.iter().map(Json::as_str).collect::<Option<Vec<_>>>();
        // An intent of a version before has none of these.
        let array = |name: &str| json.get(name).and_then(Json::as_array).unwrap_or_default();
        let known = |one: &Json| match one.as_array()? {
            [id, seal] => Some((RecordId::parse(id.as_str()?)?, seal.as_str()?.parse().ok()?)),
            _ => None,
        };
        let mut random = [0; 16];
        hex::decode_to_slice(text("random")?, &mut random).ok()?;
        Some(Intent {
            random,
            scope: Scope::parse(text("scope")?)?,
            pseudonyms: texts("pseudonyms")?.into_iter().map(parse_pseudonym).collect::<Option<_>>()?,
            forms: texts("forms")?.into_iter().map(str::to_owned).collect(),
            record: match text("record") {
                Some(id) => Some(RecordId::parse(id)?),
                None => None,
            },
            shared: json.get("shared").is_some(),
            by: text("by").map(str::to_owned),
            asked: match text("asked") {
                Some(asked) => Some(UnixSeconds::parse_strict(asked)?),
                None => None,
            },
            begun: match text("begun") {
                Some(begun) => Some(begun.parse().ok()?),
                None => None,
            },
            ground: text("ground")?.to_owned(),
            ticket: text("ticket").map(str::to_owned),
            despite: array("despite").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            taking: read_places(array("taking")),
            absent: read_places(array("absent")),
            known: array("known").iter().map(known).collect::<Option<_>>()?,
            traces: array("traces").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            searched: match text("searched") {
                Some(searched) => Some(searched.parse().ok()?),
                None => None,
            },
            done: match text("done") {
                Some(done) => Some(UnixSeconds::parse_strict(done)?),
                None => None,
            },
        })
    }
}

impl Vault {
    fn intent_key(&self, intent: &Intent) -> ObjectKey {
        self.key(&format!("erasures/{}", hex::encode(intent.random)))
    }

    /// Writes an intent durably, as it is now, and from then on gives whoever it names a new pseudonym.
    pub async fn intend(&self, intent: &Intent) -> Result<(), VaultError> {
        let key = self.intent_key(intent);
        self.write_own(Kind::Erasure, &key, intent.to_json()).await?;
        self.0.persons.forget(&intent.pseudonyms.iter().copied().collect());
        Ok(())
    }

    /// Takes an intent back of which nothing was done: whoever it names has their pseudonym again.
    pub async fn take_back(&self, intent: &Intent) -> Result<(), VaultError> {
        self.delete(&self.intent_key(intent)).await?;
        for entry in self.resolve(&intent.pseudonyms.iter().copied().collect()).await? {
            self.0.persons.load(entry.key, entry.pseudonym);
        }
        Ok(())
    }

    /// Erasures that are not finished.
    pub async fn intents(&self) -> Result<Vec<Intent>, VaultError> {
        Ok(self.all_intents().await?.into_iter().filter(|intent| intent.done.is_none()).collect())
    }

    /// The same, and those that were finished lately.
    pub async fn all_intents(&self) -> Result<Vec<Intent>, VaultError> {
        Ok(self.look_at_intents().await?.0)
    }

    /// Objects of other logs that say what is or was to be erased, put here by somebody; by none of them anything is.
    pub async fn refused(&self) -> Result<Vec<VaultError>, VaultError> {
        let mut refused = self.look_at_intents().await?.1;
        match self.find_state().await {
            Err(error @ VaultError::OtherOwner { .. }) => refused.push(error),
            other => drop(other?),
        }
        Ok(refused)
    }

    async fn look_at_intents(&self) -> Result<(Vec<Intent>, Vec<VaultError>), VaultError> {
        let (mut found, mut refused) = (Vec::new(), Vec::new());
        for listed in self.list_all("erasures/").await? {
            if !self.below(&listed.key).is_some_and(is_name) {
                continue;
            }
            let json = match self.read_own(Kind::Erasure, &listed.key).await {
                Err(error @ VaultError::OtherOwner { .. }) => {
                    refused.push(error);
                    continue;
                }
                other => other?,
            };
            let Some(json) = json else { continue };
            let intent = Intent::of(&json).ok_or_else(|| VaultError::damaged(&listed.key, "it is no erasure that this version knows"))?;
            found.push(intent);
        }
        Ok((found, refused))
    }

    /// The erasure is finished and sealed, and nothing of it is to be remembered any more.
    pub async fn fulfilled(&self, intent: &Intent) -> Result<(), VaultError> {
        self.delete(&self.intent_key(intent)).await
    }
}

/// Whether a key below its log is that of an intent.
pub(super) fn is_name(name: &str) -> bool {
    name.strip_prefix("erasures/").is_some_and(|random| is_random(random, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_read_back_as_written() {
        let mut intent = Intent {
            random: [1; 16],
            scope: Scope::Person,
            pseudonyms: vec![[2; 16], [3; 16]],
            forms: vec!["ps:66687aad:00".into()],
            record: None,
            shared: true,
            by: Some("ps:66687aad:01".into()),
            asked: Some(UnixSeconds(86_399)),
            begun: Some(8),
            ground: "Art. 17 \"GDPR\"".into(),
            ticket: Some("DSR-7".into()),
            despite: BTreeSet::from(["LH-1".to_owned()]),
            taking: Places::from([((3, UnixSeconds(86_400)), BTreeSet::from([RecordId([5; 16])]))]),
            absent: Places::from([((4, UnixSeconds(86_400)), BTreeSet::from([RecordId([6; 16])]))]),
            known: BTreeSet::from([(RecordId([5; 16]), 3)]),
            traces: BTreeSet::from(["t1".to_owned()]),
            searched: Some(9),
            done: Some(UnixSeconds(86_401)),
        };
        assert_eq!(Intent::of(&intent.to_json()), Some(intent.clone()));
        intent = Intent {
            scope: Scope::Record,
            record: Some(RecordId([4; 16])),
            pseudonyms: vec![],
            shared: false,
            by: None,
            ticket: None,
            asked: None,
            begun: None,
            searched: None,
            done: None,
            ..intent
        };
        assert_eq!(Intent::of(&intent.to_json()), Some(intent));
        assert_eq!(Intent::of(&Json::object([])), None);
        let before = br#"{"forms":[],"ground":"asked","pseudonyms":[],"random":"01010101010101010101010101010101","scope":"person"}"#;
        let before = Json::parse(before).unwrap();
        assert!(Intent::of(&before).is_some_and(|intent| intent.taking.is_empty() && intent.done.is_none()), "of the version before");
        let intent = Intent { random: [1; 16], ..Intent::of(&before).unwrap() };
        assert_eq!(intent.random_of(0), [1; 16]);
        assert!(intent.random_of(1) != intent.random_of(2) && intent.random_of(1) != [1; 16]);
    }
}
