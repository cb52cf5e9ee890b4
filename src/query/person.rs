//! How persons and references are named in evidence (`record.md` section 3), from the asker's side: from `alice@example.com` to every
//! form under which a record may name her.
//!
//! The keyed form depends on the realm (by default the sender's `service.namespace`), which the asker does not know. So the realms are
//! collected from the evidence while it is read ([`realm`](super::realm)), and each new one is tried.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use memchr::memmem;

use super::realm::{Realm, realms_of};
use crate::record::apart::{PersonEntry, as_kept};
use crate::record::canonical::Json;
use crate::record::identity::{IdentityKey, pseudonym, vault_pseudonym};
use crate::vault::parse_pseudonym;

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

    /// The keyed form of a value in a realm.
    pub(crate) fn pseudonym(self, key: &IdentityKey, realm: &str, value: &str) -> String {
        pseudonym(&key.keyed(), self.as_str(), realm, value)
    }
}

/// What the asker knows of how names became pseudonyms.
#[derive(Clone, Debug)]
pub struct Names {
    /// The identity key, if the asker has it.
    pub key: Option<IdentityKey>,
    /// Realms to try besides those that the evidence names.
    pub realms: Vec<String>,
    /// `identity.realm`: the resource attribute whose value is the realm.
    pub realm_attribute: String,
    /// What the vault knows of the persons asked for; `None` where it was not asked.
    pub vault: Option<Vec<PersonEntry>>,
    /// Every pseudonym that the vault has: whoever a record names by another is nobody that it could tell. `None`: that is no matter.
    pub everybody: Option<Arc<HashSet<[u8; 16]>>>,
    /// Whether who is asked for is an id as it was sent, whatever it begins with.
    pub as_sent: bool,
}

impl Default for Names {
    fn default() -> Self {
        let realm_attribute = "service.namespace".to_owned();
        Names { key: None, realms: Vec::new(), realm_attribute, vault: None, everybody: None, as_sent: false }
    }
}

/// One person or reference as asked for, with all forms it may have. Grows as realms are seen.
#[derive(Clone, Debug)]
pub struct Wanted {
    label: Label,
    asked: String,
    key: Option<IdentityKey>,
    realm: Realm,
    /// The `source` seen last: most records have the same as the one before.
    source: Vec<u8>,
    literal: bool,
    /// The vault has said all that it knows of who is asked for.
    vault_asked: bool,
    everybody: Option<Arc<HashSet<[u8; 16]>>>,
    /// Every form so far.
    forms: HashSet<String>,
    realms: BTreeSet<String>,
}

impl Wanted {
    /// Input that starts with `ps:` or `id:` is taken literally, unless it is said to be an id as sent; anything else is a name to be tried
    /// in all its forms, in the empty realm, in the realms given and in every realm that [`see_realms`](Self::see_realms) finds.
    pub fn new(label: Label, asked: &str, names: &Names) -> Self {
        let literal = is_stored_form(asked) && !(names.as_sent && label == Label::Person);
        let mut wanted = Wanted {
            label,
            asked: asked.to_owned(),
            key: names.key.clone(),
            realm: Realm::new(&names.realm_attribute),
            source: Vec::new(),
            literal,
            vault_asked: names.vault.is_some(),
            everybody: names.everybody.clone(),
            forms: HashSet::new(),
            realms: BTreeSet::new(),
        };
        match (literal, label) {
            (true, _) | (_, Label::Reference) => wanted.forms.insert(asked.to_owned()),
            (false, Label::Person) => wanted.forms.insert(format!("id:{asked}")),
        };
        if let (Label::Person, false, Some(known)) = (label, literal, &names.vault) {
            wanted.forms.extend(known.iter().filter(|entry| entry.id == as_kept(asked)).map(|entry| vault_pseudonym(&entry.pseudonym)));
        }
        wanted.try_realm("");
        for realm in &names.realms {
            wanted.try_realm(realm);
        }
        wanted
    }

    /// Whoever is stored under one of these forms.
    pub fn stored(forms: impl IntoIterator<Item = String>) -> Self {
        let mut wanted = Wanted::new(Label::Person, "ps:", &Names::default());
        wanted.forms = forms.into_iter().collect();
        wanted
    }

    /// Whether a stored value that stands in this line is this person; unlike [`is`](Self::is) it knows the line's realms.
    pub fn is_in(&self, stored: &str, line: &[u8]) -> bool {
        self.is(stored) || self.realm_of(stored, line).is_some()
    }

    /// The realm in which a stored form is this person, of those that a line shows; `None` where the form does not depend on one, or the
    /// line does not show it.
    pub fn realm_of(&self, stored: &str, line: &[u8]) -> Option<String> {
        let mut of_line = self.clone();
        of_line.see_realms(line);
        let key = of_line.key.as_ref().filter(|_| !of_line.literal)?;
        of_line.realms.iter().find(|realm| of_line.label.pseudonym(key, realm, &of_line.asked) == stored).cloned()
    }

    fn try_realm(&mut self, realm: &str) {
        if self.literal || !self.realms.insert(realm.to_owned()) {
            return;
        }
        if let Some(key) = &self.key {
            self.forms.insert(self.label.pseudonym(key, realm, &self.asked));
        }
    }

    /// Tries every realm that a line with a pseudonym of the key may have, if it is new.
    pub fn see_realms(&mut self, line: &[u8]) {
        let Some(key) = self.key.as_ref().filter(|_| !self.literal) else { return };
        if memmem::find(line, prefix(key).as_bytes()).is_none() {
            return;
        }
        let sources: Vec<&[u8]> = self.realm.sources(line).filter(|source| *source != self.source).collect();
        for source in sources {
            realms_of(source).iter().for_each(|realm| self.try_realm(realm));
            self.source = source.to_vec();
        }
    }

    /// Cheap look: whether the line holds a pseudonym that [`incomparable`](Self::incomparable) would name.
    pub fn may_escape_in(&self, line: &[u8]) -> bool {
        const PREFIX: &[u8] = b"\"ps:";
        if self.literal {
            return false;
        }
        let mut own = false;
        let foreign = memmem::find_iter(line, PREFIX).any(|at| {
            let rest = line.get(at + PREFIX.len()..).unwrap_or_default();
            let is_own = self.key.as_ref().is_some_and(|key| rest.starts_with(key.id().as_bytes()));
            own |= is_own;
            let told = || match rest.strip_prefix(b"vault:") {
                Some(digits) if self.vault_asked => {
                    self.everybody.is_none() || digits.get(..32).and_then(digits_of).is_some_and(|p| self.knows(&p))
                }
                _ => false,
            };
            !(is_own || told())
        });
        foreign || own && self.realm.may_be_hidden_in(line)
    }

    /// Whether a stored value is this person or reference.
    pub fn is(&self, stored: &str) -> bool {
        self.forms.contains(stored)
    }

    /// Cheap look: whether the line holds any of the forms as a whole JSON string.
    pub fn may_be_in(&self, line: &[u8]) -> bool {
        // Pseudonyms share a prefix: one search for it, then a look into the set, however many realms there are.
        let pseudonyms = self.key.as_ref().filter(|_| !self.literal).is_some_and(|key| {
            let prefix = prefix(key);
            memmem::find_iter(line, prefix.as_bytes()).any(|at| {
                let form = line.get(at..at + prefix.len() + 32).and_then(|b| std::str::from_utf8(b).ok());
                form.is_some_and(|form| self.forms.contains(form))
            })
        });
        pseudonyms
            || self
                .forms
                .iter()
                .filter(|form| self.literal || !form.starts_with("ps:") || form.starts_with("ps:vault:"))
                .any(|form| memmem::find(line, &Json::string(form.as_str()).to_jcs()).is_some())
    }

    /// How a stored value of a record escapes the comparison, if it does: a pseudonym under a key that was not given, in the vault, or in
    /// a realm that the record may hide.
    pub fn incomparable(&self, stored: &str, record: &Json) -> Option<Incomparable> {
        if self.literal {
            return None;
        }
        let (key, _) = stored.strip_prefix("ps:")?.split_once(':')?;
        match key {
            "vault" if !self.vault_asked => Some(Incomparable::Vault),
            // Who is asked for has none of the pseudonyms there. One that is not there is somebody who was erased, or the vault has lost them.
            "vault" => parse_pseudonym(stored).filter(|pseudonym| !self.knows(pseudonym)).map(Incomparable::Unknown),
            key if self.key.as_ref().is_some_and(|own| own.id() == key) => self.realm.is_hidden_in(record).then_some(Incomparable::Realm),
            key => Some(Incomparable::Key(key.to_owned())),
        }
    }
}

impl Wanted {
    /// Whether the vault has this pseudonym, or that is no matter.
    fn knows(&self, pseudonym: &[u8; 16]) -> bool {
        self.everybody.as_ref().is_none_or(|everybody| everybody.contains(pseudonym))
    }
}

fn digits_of(digits: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// Whether what is asked for is written as evidence stores persons (`record.md` section 3).
pub fn is_stored_form(asked: &str) -> bool {
    asked.starts_with("ps:") || asked.starts_with("id:")
}

/// What every pseudonym under a key begins with.
fn prefix(key: &IdentityKey) -> String {
    format!("ps:{}:", key.id())
}

/// Why a stored person could not be compared with the one asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incomparable {
    /// It is a pseudonym under this key.
    Key(String),
    /// Only the vault knows who it is, and it was not asked.
    Vault,
    /// This one is not in the vault.
    Unknown([u8; 16]),
    /// It is a pseudonym in a realm that the record may not show as it was.
    Realm,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: &IdentityKey) -> Names {
        Names { key: Some(key.clone()), ..Names::default() }
    }

    #[test]
    fn a_person_is_found_in_a_realm_that_only_the_evidence_knows() {
        let key = IdentityKey::new([7; 32]);
        let stored = Label::Person.pseudonym(&key, "loans \"eu\"", "alice@example.com");
        let line = format!(r#"{{"actor":{{"user_id":"{stored}"}},"source":{{"service_namespace":"loans \"eu\""}}}}"#);
        let mut wanted = Wanted::new(Label::Person, "alice@example.com", &keyed(&key));
        assert!(!wanted.may_be_in(line.as_bytes()) && !wanted.is(&stored));
        wanted.see_realms(line.as_bytes());
        assert!(wanted.may_be_in(line.as_bytes()) && wanted.is(&stored));
        assert!(wanted.is("id:alice@example.com"));
        assert!(!wanted.is("alice@example.com"), "a stored person always has a prefix");
        // The same name in another realm is another person, and another name in this realm too.
        assert!(!wanted.is(&Label::Person.pseudonym(&key, "shop", "alice@example.com")));
        assert!(!wanted.is(&Label::Person.pseudonym(&key, "loans \"eu\"", "bob@example.com")));
    }

    /// Scenario: the realm is an attribute that the asker's configuration does not name, as where an auditor has the key only. Guarantee:
    /// whatever the record shows of its resource is tried.
    #[test]
    fn the_realm_is_tried_whatever_attribute_it_was() {
        let key = IdentityKey::new([7; 32]);
        let names = keyed(&key);
        for source in [r#"{"resource":{"app.id":"a"},"service":"x"}"#, r#"{"service":"a"}"#, r#"{"environment":"a"}"#] {
            let stored = Label::Person.pseudonym(&key, "a", "42");
            let line = format!(
                r#"{{"actor":{{"user_id":"{stored}"}},"attributes":{{"source":{{"kvlistValue":{{"}}":"\"{{"}}}}}},"source":{source}}}"#
            );
            let mut wanted = Wanted::new(Label::Person, "42", &names);
            wanted.see_realms(line.as_bytes());
            assert!(wanted.is(&stored) && wanted.may_be_in(line.as_bytes()), "{line}");
        }
    }

    /// Scenario: the realm does not stand in the record as it was when the pseudonym was made. Guarantee: nobody is said to be somebody else.
    #[test]
    fn a_person_in_a_hidden_realm_is_not_compared() {
        let key = IdentityKey::new([7; 32]);
        let stored = Label::Person.pseudonym(&key, "mail bob@example.com", "alice");
        let line = |source: &str, evidence: &str| {
            format!(r#"{{"actor":{{"user_id":"{stored}"}},"evidence":{{{evidence}}},"source":{{{source}}}}}"#)
        };
        for (attribute, source, evidence, hidden) in [
            ("app.id", r#""resource":{"app.id":"mail [scrubbed]"}"#, r#""scrubbed":["source.resource"]"#, true),
            ("app.id", r#""service":"x""#, r#""truncated":["source.resource"]"#, true),
            ("app.id", r#""resource":{"app.id":""}"#, r#""conflicts":["source.resource"]"#, true),
            ("service.namespace", r#""service_namespace":"mail [scrubbed]""#, r#""scrubbed":["source.service_namespace"]"#, true),
            ("service.namespace", r#""service_namespace":"mail""#, r#""truncated":["source.service_namespace"]"#, true),
            // Two attributes have this member; the other may stand in it.
            ("deployment.environment", r#""environment":"eu""#, r#""missing":["x"]"#, true),
            ("deployment.environment.name", r#""environment":"eu""#, r#""missing":["x"]"#, false),
            // Absent is the empty realm, and shown is shown: it is another person.
            ("app.id", r#""service":"x""#, r#""missing":["x"]"#, false),
            ("app.id", r#""resource":{"app.id":"shop"}"#, r#""truncated":["output.text"]"#, false),
            ("app.id", r#""resource":{"app.id":"shop"},"service":"x""#, r#""conflicts":["confidence.score","rest"]"#, false),
            // The configuration named another attribute when the pseudonym was made.
            ("app.id", r#""resource":{"app.id":"shop","x":"[scrubbed]"}"#, r#""scrubbed":["source.resource"]"#, true),
            ("service.namespace", r#""resource":{"tenant.id":"acme [scrubbed]"}"#, r#""scrubbed":["source.resource"]"#, true),
            ("service.namespace", r#""resource":{"tenant":{"a":["acme [scrubbed]"]}}"#, r#""missing":["x"]"#, true),
            ("service.namespace", r#""resource":{"tenant.id":"a"},"service_namespace":"x""#, r#""conflicts":["source.resource"]"#, true),
            ("service.namespace", r#""service":"x","service_namespace":"x""#, r#""truncated":["source.service"]"#, true),
            ("service.namespace", r#""service_namespace":"x""#, r#""truncated":["rest"]"#, true),
            ("service.namespace", r#""service":"x""#, r#""scrubbed":["source.instance"]"#, true),
        ] {
            let line = line(source, evidence);
            let record = Json::parse(line.as_bytes()).unwrap();
            let mut wanted = Wanted::new(Label::Person, "alice", &Names { realm_attribute: attribute.to_owned(), ..keyed(&key) });
            wanted.see_realms(line.as_bytes());
            assert!(!wanted.is(&stored));
            assert_eq!(wanted.incomparable(&stored, &record), hidden.then_some(Incomparable::Realm), "{attribute} {line}");
            assert!(!hidden || wanted.may_escape_in(line.as_bytes()), "{attribute} {line}");
        }
    }

    #[test]
    fn literal_input_is_taken_as_it_is() {
        let key = IdentityKey::new([7; 32]);
        for literal in ["ps:vault:00112233445566778899aabbccddeeff", "id:42"] {
            let wanted = Wanted::new(Label::Person, literal, &keyed(&key));
            assert!(wanted.is(literal) && wanted.may_be_in(format!("{{\"id\":\"{literal}\"}}").as_bytes()));
            assert!(!wanted.may_be_in(format!("{{\"id\":\"{literal}0\"}}").as_bytes()), "whole strings only");
            assert_eq!(wanted.incomparable("ps:0badc0de:00", &Json::Null), None);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let key = IdentityKey::new([0; 32]);
        let wanted = Wanted::new(Label::Person, "alice", &keyed(&key));
        assert_eq!(wanted.incomparable("ps:66687aad:00", &Json::Null), None);
        assert_eq!(wanted.incomparable("ps:0badc0de:00", &Json::Null), Some(Incomparable::Key("0badc0de".to_owned())));
        assert_eq!(wanted.incomparable("ps:vault:00", &Json::Null), Some(Incomparable::Vault));
        assert_eq!(wanted.incomparable("id:bob", &Json::Null), None);
    }

    /// Scenario: one id of two applications, in the vault under two pseudonyms, and a third person's. Guarantee: who is asked for is found
    /// under both, nobody else is, and nothing is called incomparable that the vault could tell.
    #[test]
    fn a_person_is_found_by_what_the_vault_knows() {
        let entry = |n: u8, id: &str| PersonEntry { key: [n; 32], pseudonym: [n; 16], realm: n.to_string(), id: id.to_owned() };
        let known = vec![entry(1, "alice"), entry(2, "alice"), entry(3, "bob")];
        let stored = |n: u8| vault_pseudonym(&[n; 16]);
        let line = |n: u8| format!(r#"{{"actor":{{"user_id":"{}"}}}}"#, stored(n));
        let key = IdentityKey::new([7; 32]);
        for names in [Names { vault: Some(known.clone()), ..Names::default() }, Names { vault: Some(known), ..keyed(&key) }] {
            let wanted = Wanted::new(Label::Person, "alice", &names);
            for n in [1, 2] {
                assert!(wanted.is(&stored(n)) && wanted.may_be_in(line(n).as_bytes()));
            }
            for n in [3, 4] {
                assert!(!wanted.is(&stored(n)) && !wanted.may_be_in(line(n).as_bytes()) && !wanted.may_escape_in(line(n).as_bytes()));
                assert_eq!(wanted.incomparable(&stored(n), &Json::Null), None);
            }
            assert!(wanted.is("id:alice"), "all forms at once");
        }
        let asked_nobody = Wanted::new(Label::Person, "alice", &keyed(&key));
        assert!(asked_nobody.may_escape_in(line(1).as_bytes()));
        assert_eq!(asked_nobody.incomparable(&stored(1), &Json::Null), Some(Incomparable::Vault));
    }

    #[test]
    fn references_are_compared_as_sent_and_keyed() {
        let key = IdentityKey::new([7; 32]);
        let wanted = Wanted::new(Label::Reference, "session-1", &Names { realms: vec!["shop".to_owned()], ..keyed(&key) });
        assert!(wanted.is("session-1"));
        assert!(wanted.is(&Label::Reference.pseudonym(&key, "shop", "session-1")));
        assert!(!wanted.is(&Label::Person.pseudonym(&key, "shop", "session-1")));
    }
}
