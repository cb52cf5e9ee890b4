//! Where records come from: resource and scope, read once for all spans below them, and only if one of them is promoted.

use std::borrow::Cow;

use super::Promoter;
use super::convert::{self, Marks, Who};
use super::dialects::{Known, RESOURCE_KEEP, RESOURCE_MEMBERS};
use super::draft::{Draft, Place};
use super::encode::{self, Notes};
use crate::otlp::view::{ResourceGroup, Scope, ScopeGroup, Value, key_values};
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::canonical::{compare_names, write_string};
use crate::record::registry::{self as member, Member};

/// What a resource says of every record below it.
#[derive(Debug, Default)]
pub(crate) struct Origin<'a> {
    /// The value of the realm attribute.
    pub(crate) realm: Cow<'a, str>,
    members: Vec<(Member, Cow<'a, str>)>,
    kept: Vec<u8>,
    /// `ai_audit.*` on the resource: claims for each record that does not state its own.
    claims: Vec<(Known, Cow<'a, str>, Value<'a>)>,
    rest: Vec<(Cow<'a, str>, Value<'a>)>,
    withheld: i64,
    dropped_attributes: i64,
    conflicts: Vec<&'static str>,
    marks: Vec<(&'static str, Marks)>,
}

impl<'a> Origin<'a> {
    /// Reads a resource.
    pub(crate) fn read(promoter: &Promoter, group: &ResourceGroup<'a>) -> Result<Self, Malformed> {
        let mut origin = Origin::default();
        let mut notes = Notes::default();
        let mut kept: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let mut named: Vec<(usize, Member, Cow<'a, str>)> = Vec::new();
        let mut shared = Shared::default();
        for pair in group.attributes() {
            let pair = pair?;
            let key = encode::text(pair.key, &mut notes);
            let position = RESOURCE_MEMBERS.iter().position(|(name, _)| *name == key);
            let is_realm = key == promoter.settings.realm.as_str();
            // Who sent it is said in any case, and is short: the members are cut, and so is nobody's realm.
            let is_short = position.is_some() || is_realm && pair.length <= NAMED_MAX;
            if !is_short && !shared.has_room_for(pair.length) {
                continue;
            }
            let value = pair.value()?;
            let text = match &value {
                Value::Text(text) if !text.is_empty() => Some(encode::text(text, &mut notes)),
                _ => None,
            };
            if let Some(text) = &text
                && is_realm
                && origin.realm.is_empty()
            {
                origin.realm = text.clone();
            }
            // The realm must stand in the record, or nobody finds a person in it again.
            let kept_by_order = is_realm || promoter.settings.keep_attributes.iter().any(|k| *k == key);
            if let (Some(rank), Some(text)) = (position, text) {
                let member = RESOURCE_MEMBERS.get(rank).map_or(member::SOURCE_SERVICE, |(_, m)| *m);
                named.push((rank, member, text));
            } else if promoter.tables.withholds(pair.key) {
                origin.withheld += 1;
            } else if RESOURCE_KEEP.contains(&key.as_ref()) || kept_by_order {
                kept.push((key, value));
            } else if let Some(known) = promoter.tables.find(pair.key).filter(|_| is_own(&key)) {
                origin.claims.push((known, key, value));
            } else {
                origin.rest.push((Cow::Owned(format!("resource/{key}")), value));
            }
        }
        // The better name first, whatever order the resource has.
        named.sort_by_key(|(rank, _, _)| *rank);
        for (_, member, text) in named {
            if !origin.members.iter().any(|(m, _)| *m == member) {
                let mut marks = Marks::default();
                let text = convert::word(text, &promoter.scrub, &mut marks);
                origin.members.push((member, text));
                origin.marks.push((member.path(), marks));
            }
        }
        origin.claims.sort_by_key(|(known, _, _)| known.rank);
        if !kept.is_empty() {
            kept.sort_by(|a, b| compare_names(&a.0, &b.0));
            let before = kept.len();
            kept.dedup_by(|later, earlier| later.0 == earlier.0);
            notes.repeated |= kept.len() != before;
            let mut marks = Marks::default();
            origin.kept.push(b'{');
            for (i, (key, value)) in kept.iter().enumerate() {
                if i > 0 {
                    origin.kept.push(b',');
                }
                write_string(&mut origin.kept, key);
                origin.kept.push(b':');
                convert::write_kept(&mut origin.kept, value, &promoter.scrub, &mut notes, &mut marks)?;
            }
            origin.kept.push(b'}');
            origin.marks.push((member::SOURCE_RESOURCE.path(), marks));
        }
        if shared.cut {
            let cut = Marks { cut: true, ..Marks::default() };
            origin.marks.push((member::REST.path(), cut));
        }
        origin.dropped_attributes = i64::from(group.dropped_attributes()?);
        if notes.repaired || notes.repeated {
            origin.conflicts.push(member::SOURCE_RESOURCE.path());
        }
        Ok(origin)
    }

    /// Adds to a draft what its resource says.
    pub(crate) fn apply(&self, draft: &mut Draft<'a>, who: &Who<'_>) -> Result<(), Malformed> {
        for (member, text) in &self.members {
            draft.record.push(*member, Val::Str(text.clone()));
        }
        if !self.kept.is_empty() {
            draft.record.push(member::SOURCE_RESOURCE, Val::Raw(self.kept.clone()));
        }
        for (known, key, value) in &self.claims {
            draft.claim(who, known.to, Place::Resource, Cow::Owned(format!("resource/{key}")), value.clone())?;
        }
        draft.rest.extend(self.rest.iter().cloned());
        draft.withheld += self.withheld;
        draft.dropped_attributes += self.dropped_attributes;
        draft.conflicts.extend(&self.conflicts);
        self.marks.iter().for_each(|(path, marks)| draft.marks(path, *marks));
        Ok(())
    }
}

/// Most bytes of a resource's attributes, and of a scope's, that its records carry: each of them carries all, so that a request of one
/// resource and a hundred thousand spans would otherwise become as many times its size. SDKs send one or two KiB.
const SHARED_MAX: usize = 16 * 1024;

/// Longest realm that is carried besides.
const NAMED_MAX: usize = 1024;

/// What the records below a resource or scope share, while it is read.
#[derive(Debug, Default)]
struct Shared {
    bytes: usize,
    cut: bool,
}

impl Shared {
    fn has_room_for(&mut self, bytes: usize) -> bool {
        // An attribute of which nothing is sent takes room as well.
        let bytes = bytes.max(16);
        let room = self.bytes.saturating_add(bytes) <= SHARED_MAX;
        if room {
            self.bytes += bytes;
        } else {
            self.cut = true;
        }
        room
    }
}

/// Whether a key is of our own namespace: the only one that a resource may speak in for its spans.
fn is_own(key: &str) -> bool {
    key.starts_with("ai_audit.") || key.starts_with("ai.audit.")
}

/// What a scope says of every record below it.
#[derive(Debug, Default)]
pub(crate) struct Below<'a> {
    pub(crate) scope: Scope<'a>,
    members: Vec<(Member, Cow<'a, str>, Marks)>,
    dropped_attributes: i64,
    cut: bool,
    rest: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Below<'a> {
    /// Reads a scope.
    pub(crate) fn read(promoter: &Promoter, group: &ScopeGroup<'a>) -> Result<Self, Malformed> {
        let mut below = Below { scope: group.scope()?, ..Below::default() };
        for (member, text) in [(member::SOURCE_SCOPE, below.scope.name), (member::SOURCE_SCOPE_VERSION, below.scope.version)] {
            if !text.is_empty() {
                let (mut notes, mut marks) = (Notes::default(), Marks::default());
                let text = convert::word(encode::text(text, &mut notes), &promoter.scrub, &mut marks);
                marks.repaired = notes.repaired;
                below.members.push((member, text, marks));
            }
        }
        below.dropped_attributes = i64::from(group.dropped_attributes()?);
        let mut shared = Shared::default();
        for pair in key_values(&group.scope, 3) {
            let pair = pair?;
            if !shared.has_room_for(pair.length) {
                below.cut = true;
                continue;
            }
            let key = String::from_utf8_lossy(pair.key);
            below.rest.push((Cow::Owned(format!("scope/{key}")), pair.value()?));
        }
        Ok(below)
    }

    /// Adds to a draft what its scope says.
    pub(crate) fn apply(&self, draft: &mut Draft<'a>) {
        for (member, text, marks) in &self.members {
            draft.record.push(*member, Val::Str(text.clone()));
            draft.marks(member.path(), *marks);
        }
        if self.cut {
            draft.truncated.push(member::REST.path());
        }
        draft.dropped_attributes += self.dropped_attributes;
        draft.rest.extend(self.rest.iter().cloned());
    }
}
