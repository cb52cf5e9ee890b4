//! The record of a canary: which attempts on a locked object were made, and how each ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::wish::Told;
use crate::promote::scrub::Scrub;
use crate::record::canonical::Json;
use crate::worm::canary::{Attempt, Grade, Tried};

/// What a canary showed. What the store said to it is not told: it may name anything.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The canary's lock.
    pub mode: crate::worm::Mode,
    /// Each attempt that was made, by its worst end.
    pub tried: BTreeMap<Attempt, Grade>,
}

impl Trial {
    /// Of the attempts of one canary in this mode.
    pub fn of(mode: crate::worm::Mode, all: &[Tried]) -> Self {
        let mut tried = BTreeMap::new();
        for one in all {
            let grade = one.finding.grade();
            let worst = tried.entry(one.attempt).or_insert(grade);
            *worst = grade.max(*worst);
        }
        Trial { mode, tried }
    }

    /// In one word: the worst of all.
    fn verdict(&self) -> &'static str {
        // A tag that is not kept, a second version of a key, and holds that are not for these credentials take nothing from a lock; all else that
        // is odd does.
        let apart = |attempt: &Attempt| matches!(attempt, Attempt::Tag | Attempt::CreateOnly | Attempt::Hold | Attempt::HoldLift);
        let excepted = |(attempt, grade): (&Attempt, &Grade)| *grade == Grade::Odd && !apart(attempt);
        match self.tried.values().max() {
            Some(Grade::Odd) if self.tried.iter().any(excepted) => "with_exceptions",
            Some(Grade::Good | Grade::Odd) => "enforced",
            Some(Grade::Bad) => "not_enforced",
            Some(Grade::Unknown | Grade::NotPut) | None => "unchecked",
        }
    }
}

impl Told for Trial {
    fn kind(&self) -> &'static str {
        "retention"
    }

    fn act(&self) -> &'static str {
        "canary"
    }

    fn count(&self) -> Option<u64> {
        u64::try_from(self.tried.len()).ok()
    }

    fn check(&self) -> Result<(), String> {
        match self.tried.is_empty() {
            true => Err("a record of a canary names at least one attempt".to_owned()),
            false => Ok(()),
        }
    }

    /// ```text
    /// {"mode":"COMPLIANCE",                                 the canary's lock
    ///  "tried":{"bypass_delete":"good","delete":"good",...},  good: as write-once storage; odd: and something is to be known; bad: it is none
    ///  "verdict":"enforced"}                                with_exceptions, not_enforced, unchecked
    /// ```
    fn filter(&self, _: &Scrub) -> Json {
        let tried = self.tried.iter().map(|(attempt, grade)| (attempt.as_str().to_owned(), Json::string(grade.as_str()))).collect();
        Json::object([
            ("mode", Json::string(self.mode.as_str())),
            ("tried", Json::Object(tried)),
            ("verdict", Json::string(self.verdict())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worm::Mode;
    use crate::worm::canary::Finding;

    /// Guarantee: the worst end of an attempt counts, what could not be found out is never "enforced", and a refutation beats it.
    #[test]
    fn the_record_of_a_canary_is_as_bad_as_its_worst_attempt() {
        let one = |attempt, finding: fn(String) -> Finding| Tried { attempt, finding: finding("x".to_owned()) };
        let (put, delete) = (one(Attempt::Put, Finding::Good), one(Attempt::Delete, Finding::Good));
        for (more, verdict) in [
            (vec![], "enforced"),
            (vec![one(Attempt::Tag, Finding::Odd), one(Attempt::CreateOnly, Finding::Odd)], "enforced"),
            (vec![one(Attempt::Hold, Finding::Odd), one(Attempt::HoldLift, Finding::Odd)], "enforced"),
            (vec![one(Attempt::Hold, Finding::Good), one(Attempt::HoldDelete, Finding::Bad)], "not_enforced"),
            (vec![one(Attempt::BypassLift, Finding::Odd)], "with_exceptions"),
            (vec![one(Attempt::Overwrite, Finding::Odd), one(Attempt::Shorten, Finding::Bad)], "not_enforced"),
            (vec![one(Attempt::Delete, Finding::Unknown)], "unchecked"),
            (vec![one(Attempt::Delete, Finding::Bad), one(Attempt::Shorten, Finding::Unknown)], "not_enforced"),
            (vec![one(Attempt::Shorten, Finding::Unknown), one(Attempt::Delete, Finding::Bad)], "not_enforced"),
            (vec![one(Attempt::Put, Finding::NotPut)], "unchecked"),
        ] {
            let all: Vec<Tried> = [put.clone(), delete.clone()].into_iter().chain(more).collect();
            let trial = Trial::of(Mode::Compliance, &all);
            let filter = trial.filter(&Scrub::default());
            assert_eq!(filter.get("verdict").and_then(Json::as_str), Some(verdict), "{}", filter.to_jcs_string());
            assert!(trial.check().is_ok());
        }
        let said = Trial::of(Mode::Governance, &[one(Attempt::Put, Finding::Bad), put]).filter(&Scrub::default()).to_jcs_string();
        assert_eq!(said, r#"{"mode":"GOVERNANCE","tried":{"put":"bad"},"verdict":"not_enforced"}"#);
        assert!(Trial::of(Mode::Governance, &[]).check().is_err());
    }
}
