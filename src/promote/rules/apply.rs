//! What met rules do to a draft: before its attributes are read, and to each of them.

use std::borrow::Cow;

use super::{Planned, Rules, Source};
use crate::otlp::view::{KeyValue, Value};
use crate::otlp::wire::Malformed;
use crate::promote::convert::{self, Converted, Marks, Who};
use crate::promote::dialects::To;
use crate::promote::draft::{Draft, How, Place, Stated};
use crate::record::builder::Val;
use crate::record::registry::{self as member, Kind, Member};

use super::matching::gather;

/// The rules that a record meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruled<'a> {
    rules: &'a Rules,
    bits: u64,
}

/// What rules say of one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing, or something that leaves it to the dialects.
    Nothing,
    /// Its value has a home by a rule, if nobody else has one.
    Read,
    /// It is part of content by a rule, and of nothing else.
    Taken,
    /// It stays in clear, if nobody has a home for it.
    Kept,
    /// It is never stored.
    Dropped,
}

impl<'a> Ruled<'a> {
    /// What the rules say of a key.
    pub(crate) fn of(self, key: &[u8]) -> Said {
        let Some(uses) = self.rules.uses(key) else { return Said::Nothing };
        if uses.drop & self.bits != 0 {
            Said::Dropped
        } else if uses.taken & self.bits != 0 {
            Said::Taken
        } else if uses.read & self.bits != 0 {
            Said::Read
        } else if uses.keep & self.bits != 0 {
            Said::Kept
        } else {
            Said::Nothing
        }
    }

    /// The members that a key is read into.
    fn read_into(self, key: &[u8]) -> impl Iterator<Item = &'static str> {
        let sources = self.rules.of(self.bits).flat_map(|(_, planned)| &planned.rule.from);
        sources.filter(move |source| source.keys.iter().any(|k| k.text().as_bytes() == key)).map(|source| source.target.path())
    }

    /// The kind that the first rule states which states one.
    pub(crate) fn kind(self) -> Option<Kind> {
        self.rules.of(self.bits).find_map(|(_, planned)| planned.rule.kind)
    }
}

impl Rules {
    /// Which of a set of event rules promote.
    pub(crate) fn makes_act(&self, bits: u64) -> bool {
        bits & self.events.promoting != 0
    }
}

impl<'a> Draft<'a> {
    /// What rules say of a key of this record.
    pub(crate) fn said(&self, key: &[u8]) -> Said {
        self.ruled.map_or(Said::Nothing, |ruled| ruled.of(key))
    }

    /// Passes by an attribute that a rule has read. Of a repeated key the first value counts; the others are named, and stay in the rest.
    pub(crate) fn read_by_rule(&mut self, key: &'a [u8], value: Value<'a>) {
        if let Some(at) = self.awaited.iter().position(|awaited| *awaited == key) {
            self.awaited.swap_remove(at);
            return;
        }
        if let Some(ruled) = self.ruled {
            self.conflicts.extend(ruled.read_into(key));
        }
        self.rest.push((String::from_utf8_lossy(key), value));
    }

    /// Applies rules to an empty draft. `values` are its attributes by slot.
    pub(crate) fn apply(&mut self, who: &Who<'_>, rules: &'a Rules, bits: u64, values: &[Option<Value<'a>>]) -> Result<(), Malformed> {
        if bits == 0 {
            return Ok(());
        }
        // KNOWN GAP: the record does not name the rules that it met. `spanseal.record/1` has no member for it: `source.dialects` are ids of
        // published vocabularies, `evidence.derived` knows `configured` and `fallback:<key>`, `retention.policies` chose a class. A reader
        // infers the rule from those paths and keys and from the effective rules, which the `config_change` record of that time holds; where
        // two rules read the same key into the same member, the first of them that the record meets. A member of its own would be an addition
        // to the record's format, and has to be made there first.
        let ruled = Ruled { rules, bits };
        self.ruled = Some(ruled);
        for (_, planned) in rules.of(bits) {
            self.sources(who, ruled, planned, values)?;
            for constant in &planned.rule.set {
                self.stated(Stated {
                    member: constant.target.member,
                    place: Place::Configured,
                    key: Cow::Borrowed(""),
                    value: Value::Empty,
                    converted: Converted::To(constant.value.clone()),
                    marks: Marks::default(),
                    strict: true,
                });
            }
        }
        // What several members of rules refused is in the rest once.
        let mut seen: Vec<Cow<'a, str>> = Vec::new();
        self.rest.retain(|(key, _)| {
            let fresh = !seen.contains(key);
            if fresh {
                seen.push(key.clone());
            }
            fresh
        });
        Ok(())
    }

    /// The same for a span event, whose values nobody gathered yet.
    pub(crate) fn apply_to_event(
        &mut self,
        who: &Who<'_>,
        rules: &'a Rules,
        bits: u64,
        pairs: impl Iterator<Item = Result<KeyValue<'a>, Malformed>>,
    ) -> Result<(), Malformed> {
        if bits == 0 {
            return Ok(());
        }
        let values = gather(&rules.slots, pairs)?;
        self.apply(who, rules, bits, &values)
    }

    fn sources(&mut self, who: &Who<'_>, ruled: Ruled<'a>, planned: &'a Planned, values: &[Option<Value<'a>>]) -> Result<(), Malformed> {
        for (source, slots) in planned.rule.from.iter().zip(&planned.from) {
            let found = source.keys.iter().zip(slots).filter(|(key, _)| ruled.of(key.text().as_bytes()) != Said::Dropped);
            let found = found.filter_map(|(key, slot)| Some((key.text(), values.get(usize::from(*slot))?.clone()?)));
            let found: Vec<(&'a str, Value<'a>)> = found.collect();
            let several = found.len() > 1;
            for (index, (key, value)) in found.into_iter().enumerate() {
                if !self.awaited.contains(&key.as_bytes()) {
                    self.awaited.push(key.as_bytes());
                }
                self.source(who, source, (index, several), Cow::Borrowed(key), value)?;
            }
        }
        Ok(())
    }

    fn source(
        &mut self,
        who: &Who<'_>,
        source: &'a Source,
        (index, several): (usize, bool),
        key: Cow<'a, str>,
        value: Value<'a>,
    ) -> Result<(), Malformed> {
        let target = source.target.member;
        match source.target.to {
            // The first is what the operator prefers; a later one that says otherwise is a weaker witness, as of every member.
            To::Member(_) => {
                let meant = meaning(source, &value);
                self.instead(value, |draft| draft.member(who, target, Place::Rule, key, meant, index == 0))
            }
            to => {
                let before = self.holds(target, to);
                self.place(who, to, Place::Own, key.clone(), value)?;
                if !before && self.holds(target, to) && !several {
                    self.derived.push((target, How::Fallback(key.into_owned())));
                }
                Ok(())
            }
        }
    }

    fn holds(&self, target: Member, to: To) -> bool {
        match to {
            To::Side(side, _) => !self.side_ref(side).is_empty(),
            To::Documents => !self.documents.is_empty(),
            _ => self.record.has(target),
        }
    }

    /// Whether a claim of telemetry raises a risk class that the configuration set: the only constant that telemetry moves, and only upwards.
    pub(crate) fn raises(&self, stated: Member, present: &Val<'_>, claimed: &Val<'_>) -> bool {
        let rank = |value: &Val<'_>| match value {
            Val::Str(class) => stated.spec().listed.iter().position(|listed| *listed == class.as_ref()),
            _ => None,
        };
        stated == member::SYSTEM_RISK_CLASS
            && self.derived.contains(&(stated, How::Configured))
            && matches!((rank(claimed), rank(present)), (Some(claimed), Some(present)) if claimed < present)
    }
}

/// The record's word for what an attribute says.
fn meaning<'a>(source: &'a Source, value: &Value<'a>) -> Value<'a> {
    if source.values.is_empty() {
        return value.clone();
    }
    let text = convert::scalar_text(value, &mut crate::promote::encode::Notes::default());
    let word = text.and_then(|text| source.values.iter().find(|(sent, _)| *sent == text));
    word.map_or_else(|| value.clone(), |(_, word)| Value::Text(word.as_bytes()))
}
