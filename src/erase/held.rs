//! What of an erasure is on legal hold: evidence stays whatever is erased, but what was said, and who the persons were, goes. So an erasure
//! asks which open holds mean what it takes, and goes before such a hold only if it is told so by the hold's name.
//!
//! A hold means here the records that its query matches and all else that was said in their traces: a person is often named on the root of
//! a trace only. Where the person's entry goes, every record that names them counts, and a hold on one of their pseudonyms, whatever it
//! matches by now. Nothing is guessed the other way: what cannot be searched is an error of the search, and a hold whose query is of a later
//! version means everything.
//!
//! KNOWN GAP: a hold that is placed while an erasure takes out what it had found is too late for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::{EraseError, Eraser};
use crate::clock::UnixSeconds;
use crate::govern::decrees::{Decree, Order};
use crate::govern::query::Query;
use crate::query::Hit;
use crate::query::filter::{Filter, Look, Matcher};
use crate::record::RecordId;

/// A hold that means something of an erasure.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct OnHold {
    /// Its name.
    pub matter: String,
    /// Records that it means, of those that lose what was said in them or whom they name. It may be none where it is on the person.
    pub records: u64,
    /// The erasure is to go before it.
    pub despite: bool,
    /// Its query is of a later version, so it is taken to mean everything.
    #[serde(default)]
    pub unread: bool,
}

/// Why it may not be known what is open though all can be read.
pub(super) const PENDING: &str =
    "it is not known yet whether a hold that was placed or released just now is sealed; that takes minutes at most";

/// The holds that are open, ready to be held against records.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Hold>);

#[derive(Debug)]
struct Hold {
    matter: String,
    since: UnixSeconds,
    /// `None`: a query that this version cannot ask.
    query: Option<(Filter, Matcher)>,
}

/// Numbers of holds.
pub(super) type Meaning = BTreeSet<usize>;

/// By number of the hold, records that it means.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    /// What was said in them goes.
    said: BTreeMap<usize, BTreeSet<(u64, RecordId)>>,
    /// They name the person.
    named: BTreeMap<usize, BTreeSet<(u64, RecordId)>>,
}

impl Touched {
    /// What was said in this record goes.
    pub(super) fn take(&mut self, hit: &Hit, meaning: &Meaning) {
        note(&mut self.said, hit, meaning);
    }

    /// This record names the person.
    pub(super) fn name(&mut self, hit: &Hit, meaning: &Meaning) {
        note(&mut self.named, hit, meaning);
    }
}

fn note(of: &mut BTreeMap<usize, BTreeSet<(u64, RecordId)>>, hit: &Hit, meaning: &Meaning) {
    let id = hit.text("id").and_then(RecordId::parse).unwrap_or(RecordId([0; 16]));
    for nth in meaning {
        of.entry(*nth).or_default().insert((hit.place.seal.statement.index, id));
    }
}

impl Holds {
    fn new(open: Vec<Decree>) -> Self {
        let hold = |decree: Decree| Hold {
            query: Query::parse(&decree.query).ok().map(|query| query.filter()).map(|filter| (filter.clone(), Matcher::new(filter))),
            matter: decree.id,
            since: decree.since,
        };
        Holds(open.into_iter().filter(|decree| decree.order == Order::Hold).map(hold).collect())
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The holds that mean this record by itself.
    pub(super) fn meaning(&mut self, hit: &Hit) -> Meaning {
        let means = |hold: &mut Hold| match &mut hold.query {
            // What cannot be compared may be meant.
            Some((_, matcher)) => !matches!(matcher.look(&hit.line), Look::No),
            None => true,
        };
        self.0.iter_mut().enumerate().filter_map(|(nth, hold)| means(hold).then_some(nth)).collect()
    }

    /// The holds that mean any of these records, which are those of one trace.
    pub(super) fn meaning_any<'h>(&mut self, hits: impl IntoIterator<Item = &'h Hit>) -> Meaning {
        if self.is_empty() {
            return Meaning::new();
        }
        hits.into_iter().flat_map(|hit| self.meaning(hit)).collect()
    }

    /// Whether the same are open in those.
    fn are(&self, others: &Holds) -> bool {
        let names = |holds: &Holds| holds.0.iter().map(|hold| (hold.matter.clone(), hold.since)).collect::<Vec<_>>();
        names(self) == names(others)
    }

    /// Those that mean something of a plan. `names`: by which forms evidence has the person whose entry goes; none where no entry does.
    fn touched(&self, plan: &Plan, names: &BTreeSet<String>, despite: &BTreeSet<String>) -> Vec<OnHold> {
        let none = BTreeSet::new();
        let mut all = Vec::new();
        for (nth, hold) in self.0.iter().enumerate() {
            let said = plan.touched.said.get(&nth).unwrap_or(&none);
            let named = plan.touched.named.get(&nth).filter(|_| !names.is_empty()).unwrap_or(&none);
            let is_on_person = match &hold.query {
                Some((filter, _)) => filter.named().any(|(_, wanted, _)| names.iter().any(|name| wanted.is(name))),
                None => true,
            };
            let records = u64::try_from(said.union(named).count()).unwrap_or(u64::MAX);
            if records > 0 || is_on_person {
                let despite = despite.contains(&hold.matter);
                all.push(OnHold { matter: hold.matter.clone(), records, despite, unread: hold.query.is_none() });
            }
        }
        all
    }

    /// The first of these names that no open hold has.
    pub(super) fn unknown<'n>(&self, mut names: impl Iterator<Item = &'n String>) -> Option<&'n String> {
        names.find(|name| !self.0.iter().any(|hold| hold.matter == **name))
    }
}

impl Eraser {
    /// The holds that are open; an error where that is not known, for then anything may be on hold.
    pub(super) async fn holds(&self) -> Result<Holds, EraseError> {
        match self.parts.register.open().await {
            Ok(Some(open)) => Ok(Holds::new(open)),
            Ok(None) => Err(EraseError::HoldsUnknown(PENDING.to_owned())),
            Err(error) => Err(EraseError::HoldsUnknown(error.to_string())),
        }
    }

    /// Whether the same holds are open as before.
    pub(super) async fn are_open(&self, holds: &Holds) -> Result<bool, EraseError> {
        Ok(self.holds().await?.are(holds))
    }
}

/// What open holds mean of a plan that takes these forms of a person out of the vault, or none.
pub(super) fn on_hold(holds: &Holds, plan: &Plan, forms: Option<&BTreeSet<String>>, despite: &BTreeSet<String>) -> Vec<OnHold> {
    // Who a keyed pseudonym is can be told as before by whoever has the key.
    let in_vault = |forms: &&BTreeSet<String>| forms.iter().any(|form| crate::vault::parse_pseudonym(form).is_some());
    let names = forms.filter(in_vault).cloned().unwrap_or_default();
    holds.touched(plan, &names, despite)
}

/// Refuses where one of these is not to be gone before.
pub(super) fn expect_free(on_hold: &[OnHold]) -> Result<(), EraseError> {
    let standing: Vec<OnHold> = on_hold.iter().filter(|hold| !hold.despite).cloned().collect();
    if standing.is_empty() { Ok(()) } else { Err(EraseError::OnHold(standing)) }
}

/// Holds with what they mean, for people.
pub fn on_hold_in_words(holds: &[OnHold]) -> String {
    let one = |hold: &OnHold| {
        let OnHold { matter, records, unread, .. } = hold;
        let why = if *unread { ", as its query is of a later version and may mean all" } else { "" };
        match records {
            0 => format!("`{matter}` (on the person{why})"),
            1 => format!("`{matter}` (1 record{why})"),
            n => format!("`{matter}` ({n} records{why})"),
        }
    };
    holds.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What can be done about them.
pub(super) fn what_now(holds: &[OnHold]) -> String {
    let flags: Vec<String> = holds.iter().map(|hold| format!("--despite-hold {}", hold.matter)).collect();
    format!(
        "release what is over (`spanseal hold release`), or, where the erasure has to go before a hold, ask again with {}: its record then \
         says so",
        flags.join(" ")
    )
}
