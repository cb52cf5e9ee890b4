//! What a reader asks to have recorded: the same for the command line and for the API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::AccessError;
use crate::govern::Words;
use crate::promote::scrub::{Look, Scrub};
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::vault::parse_pseudonym;

/// Most records and persons that one `access` record names. Each takes some 45 bytes in the line at most, and a line has 1 MiB. More are
/// named by further records.
pub const NAMES_MAX: usize = 10_000;

/// Longest value of a condition that is told, bytes.
const VALUE_BYTES_MAX: usize = 256;

/// What is read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// What was said.
    Content,
    /// Who persons are.
    Identities,
    /// Both.
    ContentAndIdentities,
    /// What was said, handed out in a proof that opens it.
    Proof,
}

impl Read {
    /// `control.act`
    pub fn as_str(self) -> &'static str {
        match self {
            Read::Content => "content",
            Read::Identities => "identities",
            Read::ContentAndIdentities => "content_and_identities",
            Read::Proof => "proof",
        }
    }
}

/// What somebody is about to read, and why. `Debug` names nobody.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What is read.
    pub read: Read,
    /// The trace or the record that was asked for, 32 hexadecimal digits; `None`: several.
    #[serde(default)]
    pub target: Option<String>,
    /// Conditions of a query by name; each with the values by which evidence may name it, as far as they name nobody.
    #[serde(default)]
    pub asked: BTreeMap<String, BTreeSet<String>>,
    /// Every record of which something is shown.
    pub records: BTreeSet<String>,
    /// Every person who is named, by pseudonym of the vault.
    #[serde(default)]
    pub persons: BTreeSet<String>,
    /// Which part of one reading this is, from 1.
    #[serde(default = "first")]
    pub part: u64,
    /// Why.
    #[serde(default)]
    pub ground: Option<String>,
    /// The request that it answers.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Who reads.
    #[serde(default)]
    pub by: Option<String>,
}

const fn first() -> u64 {
    1
}

/// Conditions whose values name records, times or machines.
const PLAIN: [&str; 8] = ["trace_id", "record_id", "kind", "model", "prompt_hash", "from", "to", "limit"];
/// Conditions whose values may name somebody: told only as pseudonyms.
const NAMING: [&str; 5] = ["user", "subject", "person", "session", "decision"];

impl Wish {
    /// Whether nothing would be shown.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.persons.is_empty()
    }

    /// The same reading in parts of which each fits into one record.
    pub fn parts(self) -> Vec<Wish> {
        if self.records.len() + self.persons.len() <= NAMES_MAX {
            return vec![self];
        }
        let chunks = |names: &BTreeSet<String>| -> Vec<BTreeSet<String>> {
            let names: Vec<&String> = names.iter().collect();
            names.chunks(NAMES_MAX).map(|chunk| chunk.iter().map(|name| (*name).clone()).collect()).collect()
        };
        let records = chunks(&self.records).into_iter().map(|records| (records, BTreeSet::new()));
        let persons = chunks(&self.persons).into_iter().map(|persons| (BTreeSet::new(), persons));
        (1..).zip(records.chain(persons)).map(|(part, (records, persons))| Wish { part, records, persons, ..self.clone() }).collect()
    }

    /// Whether it says anything in words.
    pub fn says_anything(&self) -> bool {
        self.ground.is_some() || self.ticket.is_some()
    }

    /// Refuses what no record of a reading could say, and what it should not say for years.
    pub(super) fn check(&self, scrub: &Scrub) -> Result<(), AccessError> {
        let wrong = |what: String| Err(AccessError::Wrong(what));
        if self.is_empty() || self.records.len() + self.persons.len() > NAMES_MAX {
            return wrong(format!("a record of a reading names 1 to {NAMES_MAX} records and persons"));
        }
        // What is refused may be anybody's name: it is not repeated.
        if self.target.iter().chain(&self.records).any(|id| RecordId::parse(id).is_none()) {
            return wrong("records and traces that are read are named by 32 hexadecimal digits".to_owned());
        }
        if self.persons.iter().any(|person| parse_pseudonym(person).is_none()) {
            return wrong("persons who are named are recorded by their pseudonyms of the vault only".to_owned());
        }
        self.words().check(scrub).map_err(AccessError::Wrong)
    }

    /// Refuses a ground or ticket in which one of these ids stands as a word, in whatever case.
    pub fn expect_unnamed<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Result<(), AccessError> {
        self.words().expect_unnamed(ids).map_err(AccessError::Wrong)
    }

    fn words(&self) -> Words<'_> {
        Words { ground: self.ground.as_deref(), ticket: self.ticket.as_deref(), by: self.by.as_deref() }
    }

    /// `control.filter`, JCS text:
    ///
    /// ```text
    /// {"asked":{"kind":["decision"],"session":true,"user":["ps:vault:..."]},   of a query; true: a value that is not told
    ///  "part":"2",                                                             absent in the first record of a reading
    ///  "persons":["ps:vault:..."],                                             who was named
    ///  "records":["<record id>",...]}                                          of which something was shown
    /// ```
    pub(super) fn filter_text(&self, scrub: &Scrub) -> String {
        let list = |names: &BTreeSet<String>| Json::Array(names.iter().map(Json::string).collect());
        let mut members = Vec::new();
        let asked: Vec<(String, Json)> = self.asked.iter().filter_map(|(name, values)| told(name, values, scrub)).collect();
        if !asked.is_empty() {
            members.push(("asked".to_owned(), Json::Object(asked)));
        }
        if self.part > 1 {
            members.push(("part".to_owned(), Json::String(self.part.to_string())));
        }
        for (name, names) in [("persons", &self.persons), ("records", &self.records)] {
            if !names.is_empty() {
                members.push((name.to_owned(), list(names)));
            }
        }
        Json::Object(members).to_jcs_string()
    }
}

/// A condition as it is told: with all its values, or by its name alone. `None`: no condition that this version knows.
fn told(name: &str, values: &BTreeSet<String>, scrub: &Scrub) -> Option<(String, Json)> {
    let harmless = |value: &&String| match NAMING.contains(&name) {
        true => value.starts_with("ps:"),
        false => value.len() <= VALUE_BYTES_MAX && scrub.scrubbed(value, Look::Everything).is_none(),
    };
    (PLAIN.contains(&name) || NAMING.contains(&name)).then_some(())?;
    let told: Vec<Json> = values.iter().filter(harmless).map(Json::string).collect();
    Some((name.to_owned(), if told.is_empty() { Json::Bool(true) } else { Json::Array(told) }))
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish").field("read", &self.read).field("records", &self.records.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            read: Read::Content,
            target: None,
            asked: BTreeMap::new(),
            records: BTreeSet::from(["00".repeat(16)]),
            persons: BTreeSet::new(),
            part: 1,
            ground: None,
            ticket: None,
            by: None,
        }
    }

    /// What is sealed with a reading names nobody, as far as that can be told, and an error does not either.
    #[test]
    fn a_record_of_a_reading_names_nobody() {
        let scrub = Scrub::new(&["CUST-####".to_owned()]).unwrap();
        let some = |text: &str| Some(text.to_owned());
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        assert!(wish().check(&scrub).is_ok());
        for (wrong, says) in [
            (Wish { records: BTreeSet::new(), ..wish() }, "names 1 to"),
            (Wish { target: some("alice@example.com"), ..wish() }, "32 hexadecimal digits"),
            (Wish { records: set("alice@example.com"), ..wish() }, "32 hexadecimal digits"),
            (Wish { persons: set("id:alice@example.com"), ..wish() }, "by their pseudonyms"),
            (Wish { ground: some(""), ..wish() }, "the ground is empty"),
            (Wish { ground: some("for alice@example.com"), ..wish() }, "the ground holds what looks like"),
            (Wish { ticket: some("CUST-1234"), ..wish() }, "the ticket holds what looks like"),
            (Wish { by: some(""), ..wish() }, "the by is empty"),
        ] {
            let said = wrong.check(&scrub).unwrap_err().to_string();
            assert!(said.contains(says) && !said.contains("alice") && !said.contains("CUST-1"), "{said}");
        }
        let named = Wish { ground: some("complaint of ALICE"), ..wish() };
        let said = named.expect_unnamed(["alice"].into_iter()).unwrap_err().to_string();
        assert!(said.starts_with("the ground holds the id of a person") && !said.to_lowercase().contains("alice"), "{said}");
        assert!(named.expect_unnamed(["ali", "bob"].into_iter()).is_ok());
    }

    #[test]
    fn conditions_are_told_without_names() {
        let scrub = Scrub::new(&[]).unwrap();
        let asked = [
            ("decision", vec!["loan-1"]),
            ("kind", vec!["inference"]),
            ("model", vec!["of alice@example.com"]),
            ("secret", vec!["x"]),
            ("user", vec!["alice", "id:alice", "ps:vault:00"]),
        ];
        let asked = asked.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect())).into_iter().collect();
        let wish = Wish { asked, part: 2, ..wish() };
        assert_eq!(
            wish.filter_text(&scrub),
            format!(
                r#"{{"asked":{{"decision":true,"kind":["inference"],"model":true,"user":["ps:vault:00"]}},"part":"2","records":["{}"]}}"#,
                "00".repeat(16)
            )
        );
        assert!(!format!("{wish:?}").contains("alice"));
    }

    /// However many records are read, each is named once, in records that fit.
    #[test]
    fn a_long_reading_is_recorded_in_parts() {
        let scrub = Scrub::new(&[]).unwrap();
        for (records, persons, parts) in [(NAMES_MAX, 0, 1), (NAMES_MAX - 1, 1, 1), (NAMES_MAX, 1, 2), (2 * NAMES_MAX + 1, 0, 3)] {
            let records: BTreeSet<String> = (0..records).map(|n| format!("{n:032x}")).collect();
            let persons: BTreeSet<String> = (0..persons).map(|n| format!("ps:vault:{n:032x}")).collect();
            let of = Wish { records: records.clone(), persons: persons.clone(), ..wish() }.parts();
            assert_eq!(of.len(), parts);
            assert!(of.iter().zip(1..).all(|(wish, part)| wish.part == part && wish.check(&scrub).is_ok()));
            assert!(of.iter().all(|wish| wish.filter_text(&scrub).len() < 512 * 1024));
            assert_eq!(of.iter().flat_map(|wish| wish.records.clone()).collect::<BTreeSet<_>>(), records);
            assert_eq!(of.iter().flat_map(|wish| wish.persons.clone()).collect::<BTreeSet<_>>(), persons);
        }
    }
}
