//! Erasures under way. An intent is written before anything is erased and removed after the `erasure` record is sealed: whatever happens
//! between the two, the next start goes through all of it again, and doing so twice is as if it were done once.

use serde::{Deserialize, Serialize};

use super::key::Kind;
use super::persons::{parse_pseudonym, pseudonym_text};
use super::{Vault, VaultError};
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
    /// Why, as given.
    pub ground: String,
    /// The request that it answers, as given.
    pub ticket: Option<String>,
}

impl Intent {
    /// Id of its `erasure` record.
    pub fn record_id(&self) -> RecordId {
        RecordId::derive("control", "", "", &hex::encode(self.random))
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
        Json::Object(members)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let json = Json::parse(bytes).ok()?;
        let text = |name: &str| json.get(name).and_then(Json::as_str);
        let texts = |name: &str| json.get(name)?.as_array()?.iter().map(Json::as_str).collect::<Option<Vec<_>>>();
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
            ground: text("ground")?.to_owned(),
            ticket: text("ticket").map(str::to_owned),
        })
    }
}

impl Vault {
    fn intent_key(&self, intent: &Intent) -> ObjectKey {
        self.key(&format!("erasures/{}", hex::encode(intent.random)))
    }

    /// Writes an intent durably, and from then on gives whoever it names a new pseudonym.
    pub async fn intend(&self, intent: &Intent) -> Result<(), VaultError> {
        let key = self.intent_key(intent);
        let body = self.0.key.seal(Kind::Erasure, &key, |out| out.write_all(&intent.to_json().to_jcs()))?;
        self.write(&key, body).await?;
        self.0.persons.forget(&intent.pseudonyms.iter().copied().collect());
        Ok(())
    }

    /// Erasures that are not finished.
    pub async fn intents(&self) -> Result<Vec<Intent>, VaultError> {
        let mut found = Vec::new();
        for listed in self.list_all("erasures/").await? {
            let Some(plain) = self.read(Kind::Erasure, &listed.key).await? else { continue };
            let intent =
                Intent::parse(&plain).ok_or_else(|| VaultError::damaged(&listed.key, "it is no erasure that this version knows"))?;
            found.push(intent);
        }
        Ok(found)
    }

    /// The erasure is finished and sealed.
    pub async fn fulfilled(&self, intent: &Intent) -> Result<(), VaultError> {
        self.delete(&self.intent_key(intent)).await
    }
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
            ground: "Art. 17 \"GDPR\"".into(),
            ticket: Some("DSR-7".into()),
        };
        assert_eq!(Intent::parse(&intent.to_json().to_jcs()), Some(intent.clone()));
        intent = Intent {
            scope: Scope::Record,
            record: Some(RecordId([4; 16])),
            pseudonyms: vec![],
            shared: false,
            by: None,
            ticket: None,
            ..intent
        };
        assert_eq!(Intent::parse(&intent.to_json().to_jcs()), Some(intent));
        assert_eq!(Intent::parse(b"{}"), None);
    }
}
