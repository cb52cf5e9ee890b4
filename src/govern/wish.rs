//! What an operator, or a task of `serve`, asks to have recorded: the same for the command line and for the API.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::attestation::Attestation;
use super::register::Motion;
use super::trial::Trial;
use super::words::Words;
use crate::promote::scrub::Scrub;
use crate::record::canonical::Json;

/// Longest `control.filter`, bytes: a record line has 1 MiB, and what is told by a record should be read by somebody.
pub const FILTER_BYTES_MAX: usize = 64 * 1024;

/// An act, and what is said with it. `Debug` says nothing of that.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What was done. One that this version does not know is refused.
    pub deed: Deed,
    /// Why.
    #[serde(default)]
    pub ground: Option<String>,
    /// The request that it answers.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Who asks for it.
    #[serde(default)]
    pub by: Option<String>,
}

/// What was done. A further one is a variant here, a [`Told`] beside it, and a sentence in `query::story::control`.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It was looked whether the locks hold.
    Attestation(Attestation),
    /// It was tried whether the store enforces locks.
    Canary(Trial),
    /// A step of a hold or an extension. Its entry is made by the writer ([`super::register`]).
    Decree(Motion),
}

/// How an act stands in its record.
pub(super) trait Told {
    /// `kind`
    fn kind(&self) -> &'static str;
    /// `control.act`
    fn act(&self) -> &'static str;
    /// `control.target`, of an act on the log of this origin.
    fn target(&self, origin: &str) -> Option<String> {
        Some(origin.to_owned())
    }
    /// `control.count`
    fn count(&self) -> Option<u64>;
    /// Refuses what no such record could say: too much, characters that do not show. The error is a sentence, and repeats nothing.
    fn check(&self) -> Result<(), String>;
    /// `control.filter`. Names nobody, as far as that can be told.
    fn filter(&self, scrub: &Scrub) -> Json;
}

impl Deed {
    pub(super) fn told(&self) -> &dyn Told {
        match self {
            Deed::Attestation(attestation) => attestation,
            Deed::Canary(trial) => trial,
            Deed::Decree(motion) => motion,
        }
    }

    /// `control.act`, as a word for messages.
    pub fn name(&self) -> &'static str {
        self.told().act()
    }
}

impl Wish {
    /// An act of the process itself, with which nothing is said.
    pub fn of(deed: Deed) -> Self {
        Wish { deed, ground: None, ticket: None, by: None }
    }

    pub(super) fn words(&self) -> Words<'_> {
        Words { ground: self.ground.as_deref(), ticket: self.ticket.as_deref(), by: self.by.as_deref() }
    }

    /// Refuses what no record of it could say. Returns `control.filter`.
    pub(super) fn check(&self, scrub: &Scrub) -> Result<String, String> {
        self.words().check(scrub)?;
        let told = self.deed.told();
        told.check()?;
        let filter = told.filter(scrub).to_jcs_string();
        match filter.len() {
            0..=FILTER_BYTES_MAX => Ok(filter),
            n => Err(format!("what the record of the {} would tell has {n} bytes, and may have {FILTER_BYTES_MAX}", told.act())),
        }
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish").field("deed", &self.deed.name()).finish_non_exhaustive()
    }
}
