//! What is asked of an eraser, and what it answers: the same for the command line and for the API.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

use super::{EraseError, OnHold};
use crate::govern::decrees::{OPEN_MAX, is_id};
use crate::promote::scrub::{Look, Scrub};
use crate::query::person::is_stored_form;
use crate::vault::{Scope, shown};

/// Whom or what to erase. `Debug` names nobody.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What `who` is.
    pub scope: Scope,
    /// The person's id or pseudonym, or the record's id.
    pub who: String,
    /// Whether `who` is a person's id as it was sent, whatever it begins with.
    #[serde(default)]
    pub as_sent: bool,
    /// Realms of the person, where the id alone could be several people's.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Why.
    pub ground: String,
    /// The request that it answers.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Who asks for it.
    #[serde(default)]
    pub by: Option<String>,
    /// Also erase content that is shared with others.
    #[serde(default)]
    pub shared: bool,
    /// Legal holds, by name, that the erasure is to go before: each that means something of it has to be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub despite_holds: Vec<String>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Longest ground, ticket or name of who asks, bytes: a sentence or two, in a record that is kept for years.
const TEXT_BYTES_MAX: usize = 1024;

/// What is said with an erasure, besides whom or what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// `ground`
    Ground,
    /// `ticket`
    Ticket,
    /// `by`
    By,
}

impl Text {
    fn name(self) -> &'static str {
        match self {
            Text::Ground => "ground",
            Text::Ticket => "ticket",
            Text::By => "name of who asks for it (by)",
        }
    }

    /// Refuses what says nothing or too much, and what would move the cursor of whoever reads it in years. What is wrong follows "is".
    pub fn check(self, text: &str) -> Result<(), String> {
        let what_now = match self {
            Text::Ground => "say why, in words that name nobody",
            Text::Ticket => "name the request that it answers, or leave it away",
            Text::By => "name who asks for it, or leave it away",
        };
        if let Some(c) = text.chars().find(|c| is_unseen(*c)) {
            return Err(format!("not plain text: it holds the character U+{:04X}, which does not show; write it without", u32::from(c)));
        }
        match text.len() {
            0 => Err(format!("empty; {what_now}")),
            n if n > TEXT_BYTES_MAX => Err(format!("{n} bytes long, and may have {TEXT_BYTES_MAX}; {what_now}")),
            _ => Ok(()),
        }
    }
}

/// Whether a character is shown as its number wherever this program shows a text; joiners within words, which some scripts cannot do without,
/// may stand all the same.
fn is_unseen(c: char) -> bool {
    if matches!(c, '\u{200c}' | '\u{200d}') {
        return false;
    }
    let mut bytes = [0; 4];
    let text: &str = c.encode_utf8(&mut bytes);
    shown(text) != text
}

impl Wish {
    /// Refuses what no record of an erasure could say, and what it should not say for years.
    pub(super) fn check(&self, scrub: &Scrub) -> Result<(), EraseError> {
        let texts = [(Text::Ground, Some(&self.ground)), (Text::Ticket, self.ticket.as_ref()), (Text::By, self.by.as_ref())];
        for (of, text) in texts {
            let checked = text.map_or(Ok(()), |text| of.check(text));
            checked.map_err(|why| EraseError::Wrong(format!("the {} is {why}", of.name())))?;
        }
        if self.despite_holds.len() > OPEN_MAX || !self.despite_holds.iter().all(|name| is_id(name)) {
            return Err(EraseError::Wrong(
                "what it is to go before are no names of legal holds; `spanseal hold list` shows them".to_owned(),
            ));
        }
        match self.sealed_texts().find(|(_, text)| scrub.scrubbed(text, Look::Everything).is_some()) {
            None if self.scope == Scope::Record || self.is_stored_form() => Ok(()),
            None => self.expect_unnamed(std::iter::once(self.who.as_str())),
            Some((name, _)) => Err(EraseError::Wrong(format!(
                "the {name} holds what looks like an e-mail address, a telephone number, a network address or a pattern of `identity.scrub`; it \
                 is sealed as it stands and cannot be erased: say it without"
            ))),
        }
    }

    /// Whether `who` is what evidence names a person by, taken literally (`record.md` section 3).
    pub fn is_stored_form(&self) -> bool {
        !self.as_sent && is_stored_form(&self.who)
    }

    /// Refuses a ground or ticket in which one of these ids stands as a word, in whatever case.
    pub(super) fn expect_unnamed<'i>(&self, mut ids: impl Iterator<Item = &'i str>) -> Result<(), EraseError> {
        let named = ids.find_map(|id| self.sealed_texts().find(|(_, text)| has_word(text, id)));
        named.map_or(Ok(()), |(name, _)| {
            Err(EraseError::Wrong(format!(
                "the {name} holds the id of the person who is to be erased; it is sealed as it stands and cannot be erased: say it without"
            )))
        })
    }

    /// What stands in the record of the erasure as it was given.
    fn sealed_texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        std::iter::once(("ground", self.ground.as_str())).chain(self.ticket.iter().map(|ticket| ("ticket", ticket.as_str())))
    }
}

/// Whether a word, or several, stand in a text, no letter or digit beside them.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.trim().to_lowercase());
    let part_of_more = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !word.is_empty()
        && text.match_indices(&word).any(|(at, found)| {
            let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + found.len()..).unwrap_or_default());
            !part_of_more(before.chars().next_back()) && !part_of_more(after.chars().next())
        })
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish").field("scope", &self.scope).field("dry_run", &self.dry_run).finish_non_exhaustive()
    }
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was done.
    pub done: bool,
    /// How evidence names the person.
    pub pseudonyms: BTreeSet<String>,
    /// Entries of the person in the vault that went.
    pub persons: u64,
    /// Records whose content went, or would go; with `already`: whose content those erasures took.
    pub records: u64,
    /// Records whose content would have gone too and was not in the vault, though no erasure took it: its time was over, or somebody deleted
    /// it.
    #[serde(default)]
    pub absent: u64,
    /// What of the vault could not be read when it was looked what is there, in words.
    #[serde(default)]
    pub unread: Option<String>,
    /// Contents that were taken out of the vault just now, and their bytes.
    pub contents: u64,
    /// See `contents`.
    pub bytes: u64,
    /// Records that name the person and stay in evidence.
    pub named: u64,
    /// Of the records concerned, those that hold something as keyed hash only.
    pub hashed: u64,
    /// Records of the person in other logs of the store.
    pub elsewhere: u64,
    /// Records that may be the person's and could not be compared, in words.
    #[serde(default)]
    pub uncompared: Vec<String>,
    /// Open holds that mean something of it: what it went before, or would have to.
    #[serde(default)]
    pub on_hold: Vec<OnHold>,
    /// What was left in the vault, and why.
    pub kept: Vec<Kept>,
    /// Records that name nobody and are reached because another sender's record of their trace names the person.
    #[serde(default)]
    pub from_others: Vec<FromOther>,
    /// The record of the erasure.
    pub erasure: Option<Sealed>,
    /// Erasures from before, after which there is nothing left to erase: in order of their seals. Then nothing was done.
    #[serde(default)]
    pub already: Vec<Earlier>,
}

/// An erasure from before.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Earlier {
    /// When, as its record says (RFC 3339).
    pub at: String,
    /// On what ground.
    pub ground: String,
    /// The id of its record.
    pub record: String,
    /// The seal that holds its record.
    pub seal: u64,
}

/// Content that was left.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Kept {
    /// Its trace; `None`: a record without one.
    pub trace: Option<String>,
    /// The records whose content stays.
    pub records: Vec<String>,
    /// How many other persons the trace names.
    pub others: u64,
}

/// What an erasure reaches of a sender that named nobody.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct FromOther {
    /// Who, as its certificate or its token says; `None`: it did not have to identify itself.
    pub peer: Option<String>,
    /// By what it showed that: `mtls` or `token`; else `none`.
    pub method: String,
    /// Its records that hold content, which goes.
    pub records: u64,
}

impl FromOther {
    pub(super) fn new(sender: Option<(String, String)>, records: u64) -> Self {
        match sender {
            Some((method, peer)) => FromOther { peer: Some(peer), method, records },
            None => FromOther { peer: None, method: "none".to_owned(), records },
        }
    }
}

/// Where the record of an erasure is.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Sealed {
    /// Its id.
    pub record: String,
    /// Its seal.
    pub seal: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(who: &str, ground: &str, ticket: Option<&str>) -> Wish {
        Wish {
            scope: Scope::Person,
            who: who.to_owned(),
            as_sent: false,
            realms: Vec::new(),
            ground: ground.to_owned(),
            ticket: ticket.map(str::to_owned),
            by: None,
            shared: false,
            despite_holds: Vec::new(),
            dry_run: false,
        }
    }

    fn judged(who: &str, ground: &str, ticket: Option<&str>) -> Result<(), String> {
        let wish = wish(who, ground, ticket);
        let scrub = Scrub::new(&["CUST-####".to_owned()]).unwrap();
        wish.check(&scrub).and_then(|()| wish.expect_unnamed(["j-7"].into_iter())).map_err(|e| e.to_string())
    }

    /// What is sealed with an erasure names nobody, as far as that can be told.
    #[test]
    fn ground_and_ticket_name_nobody() {
        for (who, ground, ticket, refused) in [
            ("alice", "request under Art. 17 GDPR of 2026-11-20", Some("DSR-42"), None),
            ("ali", "alice's objection, says ALICIA", None, None),
            ("ps:vault:00", "of ps:vault:00", None, None),
            ("7", "asked by bob@example.com", None, Some("the ground holds what looks like an e-mail address")),
            (
                "7",
                "asked",
                Some("called from +49 170 1234567"),
                Some("the ticket holds what looks like an e-mail address, a telephone number"),
            ),
            ("7", "asked from 10.0.0.7", None, Some("the ground holds what looks like")),
            ("7", "customer CUST-1234", None, Some("the ground holds what looks like")),
            ("Alice", "because alice asked", None, Some("the ground holds the id of the person")),
            ("alice", "asked", Some("DSR/ALICE/1"), Some("the ticket holds the id of the person")),
            ("ps:vault:00", "asked by J-7.", None, Some("the ground holds the id of the person")),
        ] {
            match (judged(who, ground, ticket), refused) {
                (Ok(()), None) => {}
                (Err(said), Some(expected)) => assert!(said.starts_with(expected) && !said.contains(ground), "{ground}: {said}"),
                (got, _) => panic!("{ground} {ticket:?}: {got:?}"),
            }
        }
    }

    /// How one of the texts of a wish is set.
    type Set = fn(&mut Wish, String);

    /// What is said with an erasure is shown for years on terminals that it must not move. The error says which text it was, and of which
    /// character, not the text.
    #[test]
    fn what_is_said_is_plain_text_of_some_length() {
        let scrub = Scrub::new(&[]).unwrap();
        let set: [(&str, Set); 3] = [
            ("the ground is ", |wish, text| wish.ground = text),
            ("the ticket is ", |wish, text| wish.ticket = Some(text)),
            ("the name of who asks for it (by) is ", |wish, text| wish.by = Some(text)),
        ];
        for (named, set) in set {
            for (text, refused) in [
                ("x".repeat(TEXT_BYTES_MAX), None),
                ("Art. 17 GDPR \u{2014} g\u{fc}ltig".to_owned(), None),
                ("x".repeat(TEXT_BYTES_MAX + 1), Some("1025 bytes long")),
                (String::new(), Some("empty")),
                ("red \u{1b}[31m".to_owned(), Some("not plain text: it holds the character U+001B")),
                ("two\nlines".to_owned(), Some("not plain text: it holds the character U+000A")),
                ("\u{202e}backwards".to_owned(), Some("not plain text: it holds the character U+202E")),
            ] {
                let mut wish = wish("somebody", "asked", None);
                set(&mut wish, text.clone());
                match (wish.check(&scrub).map_err(|e| e.to_string()), refused) {
                    (Ok(()), None) => {}
                    (Err(said), Some(why)) => {
                        assert!(said.starts_with(&format!("{named}{why}")) && !said.contains("red"), "{said}");
                    }
                    (got, _) => panic!("{named}{text:?}: {got:?}"),
                }
            }
        }
    }
}
