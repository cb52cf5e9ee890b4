//! How persons and references are named in evidence (`record.md` section 3), from the asker's side: from `alice@example.com` to every
//! form under which a record may name her.
//!
//! The keyed form depends on the realm (by default the sender's `service.namespace`), which the asker does not know. So the realms are
//! collected from the evidence while it is read, and each new one is tried.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use memchr::memmem;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::record::canonical::Json;
use crate::tlog::Hash;

/// The identity key K: 32 random bytes of the store. `Debug` shows its id only.
#[derive(Clone)]
pub struct IdentityKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

/// Which label of `H(label, ...)` a value is hashed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A person id, type `P`.
    Person,
    /// A reference id, type `R`.
    Reference,
}

impl Label {
    fn as_str(self) -> &'static str {
        match self {
            Label::Person => "person",
            Label::Reference => "ref",
        }
    }
}

impl IdentityKey {
    /// From the 32 bytes.
    pub fn new(key: [u8; 32]) -> Self {
        let id = Hash::of(&key).to_string().chars().take(8).collect();
        IdentityKey { id, key: Zeroizing::new(key) }
    }

    /// From `identity.key_file`: 32 raw bytes, or 64 hexadecimal digits on one line.
    pub fn load(path: &Path) -> Result<Self, String> {
        let bytes = Zeroizing::new(std::fs::read(path).map_err(|e| format!("identity key `{}`: {e}", path.display()))?);
        let raw = <[u8; 32]>::try_from(bytes.as_slice()).ok();
        let hex = || {
            let mut key = [0; 32];
            hex::decode_to_slice(bytes.trim_ascii(), &mut key).ok().map(|()| key)
        };
        raw.or_else(hex).map(Self::new).ok_or_else(|| format!("identity key `{}` is not 32 bytes (or 64 hexadecimal digits)", path.display()))
    }

    /// First 8 hex digits of SHA-256 over the key, as pseudonyms carry it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// First 32 hex digits of `H(label, realm, value)`.
    fn tail(&self, label: Label, realm: &str, value: &str) -> String {
        let preimage = Json::Array(vec![Json::string(label.as_str()), Json::string(realm), Json::string(value)]).to_jcs();
        // HMAC takes keys of any length, so 32 bytes are never refused.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.as_slice()) else { return String::new() };
        mac.update(&preimage);
        hex::encode(mac.finalize().into_bytes()).chars().take(32).collect()
    }

    /// The pseudonym of a value in a realm.
    pub fn pseudonym(&self, label: Label, realm: &str, value: &str) -> String {
        format!("ps:{}:{}", self.id, self.tail(label, realm, value))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({})", self.id)
    }
}

/// One person or reference as asked for, with all forms it may have. Grows as realms are seen.
#[derive(Clone, Debug)]
pub struct Wanted {
    label: Label,
    asked: String,
    key: Option<IdentityKey>,
    literal: bool,
    /// Every form so far.
    forms: HashSet<String>,
    realms: BTreeSet<String>,
}

impl Wanted {
    /// Input that starts with `ps:` or `id:` is taken literally; anything else is a name to be tried in all its forms, in the empty
    /// realm, in `realms` and in every realm that [`see_realms`](Self::see_realms) finds.
    pub fn new(label: Label, asked: &str, key: Option<IdentityKey>, realms: &[String]) -> Self {
        let literal = asked.starts_with("ps:") || asked.starts_with("id:");
        let mut wanted = Wanted { label, asked: asked.to_owned(), key, literal, forms: HashSet::new(), realms: BTreeSet::new() };
        match (literal, label) {
            (true, _) | (_, Label::Reference) => wanted.forms.insert(asked.to_owned()),
            (false, Label::Person) => wanted.forms.insert(format!("id:{asked}")),
        };
        wanted.try_realm("");
        for realm in realms {
            wanted.try_realm(realm);
        }
        wanted
    }

    fn try_realm(&mut self, realm: &str) {
        if self.literal || !self.realms.insert(realm.to_owned()) {
            return;
        }
        if let Some(key) = &self.key {
            self.forms.insert(key.pseudonym(self.label, realm, &self.asked));
        }
    }

    /// Tries the realm that a line names, if it is new.
    pub fn see_realms(&mut self, line: &[u8]) {
        if self.literal || self.key.is_none() {
            return;
        }
        for realm in realms_in(line) {
            if !self.realms.contains(&realm) {
                self.try_realm(&realm);
            }
        }
    }

    /// Cheap look: whether the line holds a pseudonym that [`incomparable`](Self::incomparable) would name.
    pub fn may_escape_in(&self, line: &[u8]) -> bool {
        const PREFIX: &[u8] = b"\"ps:";
        !self.literal
            && memmem::find_iter(line, PREFIX).any(|at| {
                let rest = line.get(at + PREFIX.len()..).unwrap_or_default();
                let own = self.key.as_ref().is_some_and(|key| rest.starts_with(key.id.as_bytes()));
                !own
            })
    }

    /// Whether a stored value is this person or reference.
    pub fn is(&self, stored: &str) -> bool {
        self.forms.contains(stored)
    }

    /// Cheap look: whether the line holds any of the forms as a whole JSON string.
    pub fn may_be_in(&self, line: &[u8]) -> bool {
        // Pseudonyms share a prefix: one search for it, then a look into the set, however many realms there are.
        let pseudonyms = self.key.as_ref().filter(|_| !self.literal).is_some_and(|key| {
            let prefix = format!("ps:{}:", key.id);
            memmem::find_iter(line, prefix.as_bytes()).any(|at| {
                let form = line.get(at..at + prefix.len() + 32).and_then(|b| std::str::from_utf8(b).ok());
                form.is_some_and(|form| self.forms.contains(form))
            })
        });
        pseudonyms
            || self.forms.iter().filter(|form| self.literal || !form.starts_with("ps:")).any(|form| {
                memmem::find(line, &Json::string(form.as_str()).to_jcs()).is_some()
            })
    }

    /// How a stored value escapes the comparison, if it does: a pseudonym under a key that was not given, or in the vault.
    pub fn incomparable(&self, stored: &str) -> Option<Incomparable> {
        if self.literal {
            return None;
        }
        let (key, _) = stored.strip_prefix("ps:")?.split_once(':')?;
        match key {
            "vault" => Some(Incomparable::Vault),
            key if self.key.as_ref().is_some_and(|own| own.id == key) => None,
            key => Some(Incomparable::Key(key.to_owned())),
        }
    }
}

/// Why a stored person could not be compared with the one asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incomparable {
    /// It is a pseudonym under this key.
    Key(String),
    /// Only the vault knows who it is.
    Vault,
}

/// All values of `service_namespace` in a line: usually one, in `source`. Superfluous ones only cost a hash.
fn realms_in(line: &[u8]) -> Vec<String> {
    const MEMBER: &[u8] = b"\"service_namespace\":";
    let mut realms = Vec::new();
    for at in memmem::find_iter(line, MEMBER) {
        let Some(rest) = line.get(at + MEMBER.len()..) else { continue };
        let mut escaped = false;
        let end = rest.iter().skip(1).position(|&b| {
            let closing = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            closing
        });
        let Some(Ok(Json::String(realm))) = end.and_then(|end| rest.get(..end + 2)).map(Json::parse) else { continue };
        realms.push(realm);
    }
    realms
}

/// Counts what could not be compared, for one message at the end instead of one a line.
pub type IncomparableCounts = HashMap<Incomparable, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of `record.md` section 3.
    #[test]
    fn the_vector_of_the_contract() {
        let key = IdentityKey::new([0; 32]);
        assert_eq!(key.pseudonym(Label::Person, "", "alice@example.com"), "ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8");
        assert_eq!(format!("{key:?}"), "IdentityKey(66687aad)");
    }

    #[test]
    fn a_person_is_found_in_a_realm_that_only_the_evidence_knows() {
        let key = IdentityKey::new([7; 32]);
        let stored = key.pseudonym(Label::Person, "loans \"eu\"", "alice@example.com");
        let line = format!(r#"{{"actor":{{"user_id":"{stored}"}},"source":{{"service_namespace":"loans \"eu\""}}}}"#);
        let mut wanted = Wanted::new(Label::Person, "alice@example.com", Some(key.clone()), &[]);
        assert!(!wanted.may_be_in(line.as_bytes()) && !wanted.is(&stored));
        wanted.see_realms(line.as_bytes());
        assert!(wanted.may_be_in(line.as_bytes()) && wanted.is(&stored));
        assert!(wanted.is("id:alice@example.com"));
        assert!(!wanted.is("alice@example.com"), "a stored person always has a prefix");
        // The same name in another realm is another person, and another name in this realm too.
        assert!(!wanted.is(&key.pseudonym(Label::Person, "shop", "alice@example.com")));
        assert!(!wanted.is(&key.pseudonym(Label::Person, "loans \"eu\"", "bob@example.com")));
    }

    #[test]
    fn literal_input_is_taken_as_it_is() {
        let key = IdentityKey::new([7; 32]);
        for literal in ["ps:vault:00112233445566778899aabbccddeeff", "id:42"] {
            let wanted = Wanted::new(Label::Person, literal, Some(key.clone()), &[]);
            assert!(wanted.is(literal) && wanted.may_be_in(format!("{{\"id\":\"{literal}\"}}").as_bytes()));
            assert!(!wanted.may_be_in(format!("{{\"id\":\"{literal}0\"}}").as_bytes()), "whole strings only");
            assert_eq!(wanted.incomparable("ps:0badc0de:00"), None);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let key = IdentityKey::new([0; 32]);
        let wanted = Wanted::new(Label::Person, "alice", Some(key), &[]);
        assert_eq!(wanted.incomparable("ps:66687aad:00"), None);
        assert_eq!(wanted.incomparable("ps:0badc0de:00"), Some(Incomparable::Key("0badc0de".to_owned())));
        assert_eq!(wanted.incomparable("ps:vault:00"), Some(Incomparable::Vault));
        assert_eq!(wanted.incomparable("id:bob"), None);
    }

    #[test]
    fn references_are_compared_as_sent_and_keyed() {
        let key = IdentityKey::new([7; 32]);
        let wanted = Wanted::new(Label::Reference, "session-1", Some(key.clone()), &["shop".to_owned()]);
        assert!(wanted.is("session-1"));
        assert!(wanted.is(&key.pseudonym(Label::Reference, "shop", "session-1")));
        assert!(!wanted.is(&key.pseudonym(Label::Person, "shop", "session-1")));
    }
}
