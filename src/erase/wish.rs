//! What is asked of an eraser, and what it answers: the same for the command line and for the API.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

use super::EraseError;
use crate::vault::Scope;

/// Whom or what to erase. `Debug` names nobody.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What `who` is.
    pub scope: Scope,
    /// The person's id or pseudonym, or the record's id.
    pub who: String,
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
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Longest ground or ticket, bytes: a sentence or two, in a record that is kept for years.
const GROUND_BYTES_MAX: usize = 1024;

/// Refuses a ground (or ticket) that says nothing or too much.
pub fn check_ground(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("empty; say why, in words that name nobody".to_owned()),
        n if n > GROUND_BYTES_MAX => Err(format!("{n} bytes long; {GROUND_BYTES_MAX} are enough to say why")),
        _ => Ok(()),
    }
}

impl Wish {
    /// Refuses what no record of an erasure could say.
    pub(super) fn check(&self) -> Result<(), EraseError> {
        let texts = [("ground", Some(&self.ground)), ("ticket", self.ticket.as_ref()), ("by", self.by.as_ref())];
        texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .try_for_each(|(name, text)| check_ground(text).map_err(|why| EraseError::Wrong(format!("the {name} is {why}"))))
    }
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
    /// Records whose content went, or is gone already.
    pub records: u64,
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
    /// What was left in the vault, and why.
    pub kept: Vec<Kept>,
    /// The record of the erasure.
    pub erasure: Option<Sealed>,
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

/// Where the record of an erasure is.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Sealed {
    /// Its id.
    pub record: String,
    /// Its seal.
    pub seal: u64,
}
