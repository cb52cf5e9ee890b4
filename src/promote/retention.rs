//! Which retention policies a record matches (`retention.policies` and `retention.presets`; `record.md` section 2, `retention`).
//!
//! All that match count, and each demands a class; what comes of that is arithmetic ([`Classes::meet`]). Those that match stand in
//! `retention.policies`, also where another demands more.

use std::borrow::Cow;
use std::cell::Cell;

use super::draft::Draft;
use super::finish::Signal;
use super::given;
use super::rules::{Condition, Given, Named};
use crate::record::builder::Val;
use crate::record::canonical::Json;
use crate::record::registry::{self as member, Kind};
use crate::retain::{ClassIndex, Classes};

/// Most policies, those of presets included: each is asked of every record.
pub const POLICIES_MAX: usize = 64;

/// A retention policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `id`
    pub id: String,
    /// `version`: of its text, by the operator's counting; of a preset the day on which its source was looked at.
    pub version: Option<String>,
    /// `when`: of which records, asked of the record itself so that whoever holds it can ask again. `None`: of all.
    pub when: Option<Condition>,
    /// `class`: what it demands.
    pub class: ClassIndex,
}

impl Policy {
    /// How records name it: `id` or `id@version`.
    pub fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.id),
            None => self.id.clone(),
        }
    }

    /// Whether it matches. A condition that asks for a member which the record does not have does not hold; one that cannot be decided for
    /// another reason (a text that is compared with a number) does not either, and is counted.
    fn matches<'v>(&self, value: &dyn Fn(&Named) -> Option<Given<'v>>, undecided: &mut u64) -> bool {
        let Some(condition) = &self.when else { return true };
        let absent = Cell::new(false);
        let given = |named: &Named| {
            let value = value(named);
            absent.set(absent.get() | value.is_none());
            value
        };
        condition.holds(&given).unwrap_or_else(|_| {
            *undecided += u64::from(!absent.get());
            false
        })
    }
}

/// What the policies say of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Its class.
    pub class: ClassIndex,
    /// Those that match, as records name them.
    pub policies: Vec<String>,
    /// Conditions that could not be decided.
    pub undecided: u64,
}

fn decide<'v>((classes, policies): (&Classes, &[Policy]), claimed: Option<&str>, value: &dyn Fn(&Named) -> Option<Given<'v>>) -> Decided {
    let mut undecided = 0;
    let matching: Vec<&Policy> = policies.iter().filter(|policy| policy.matches(value, &mut undecided)).collect();
    let claimed = claimed.and_then(|name| classes.claimed(name));
    let class = classes.meet(matching.iter().map(|policy| policy.class).chain(claimed));
    Decided { class, policies: matching.into_iter().map(Policy::label).collect(), undecided }
}

/// What policies say of a sealed record: what [`retention`] said, if they are those that held then.
pub fn of_record(classes: &Classes, policies: &[Policy], record: &Json) -> Decided {
    let claimed = record.path(member::RETENTION_CLAIMED.path()).and_then(Json::as_str);
    decide((classes, policies), claimed, &|named| given::of_record(record, named))
}

/// The class of a record in the making, by the policies and by what telemetry asked for.
pub(super) fn retention<'a>(classes: &'a Classes, policies: &[Policy], draft: &mut Draft<'a>, kind: Kind, signal: Signal) -> ClassIndex {
    let claimed = draft.text(member::RETENTION_CLAIMED);
    let Decided { class, policies, undecided } = decide((classes, policies), claimed, &|named| given::of_draft(draft, named, kind, signal));
    draft.undecided += undecided;
    draft.record.push(member::RETENTION_CLASS, Val::Str(Cow::Borrowed(&classes.class(class).name)));
    if !policies.is_empty() {
        draft.record.push(member::RETENTION_POLICIES, Val::Texts(policies.into_iter().map(Cow::Owned).collect()));
    }
    class
}
