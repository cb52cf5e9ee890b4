//! What a hold or an extension on record demands of one object.

use super::locks::{Held, shown};
use super::objects::Scene;
use super::report::{Item, Kind};
use crate::clock::UnixSeconds;
use crate::govern::decrees::SegmentId;
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::worm::Lock;

/// What is demanded of a segment beyond what its seal states, or of a seal for the segments that it names.
#[derive(Debug, Default)]
pub(super) struct Demand<'a> {
    /// Of which segments, as decrees name them.
    pub(super) ids: Vec<SegmentId>,
    /// Open holds, by name.
    pub(super) holds: Vec<&'a str>,
    /// The least lock by extensions.
    pub(super) extended: Option<Lock>,
}

impl<'a> Demand<'a> {
    pub(super) fn of(scene: Scene<'a>, seal: u64, segment: &SegmentRef) -> Self {
        let id = SegmentId::new(seal, &segment.sha256);
        let Some(decrees) = scene.decrees.get() else { return Demand::default() };
        Demand { ids: vec![id], holds: decrees.holds(id).collect(), extended: decrees.extended(id) }
    }

    /// A seal is kept as its segments are.
    pub(super) fn of_seal(scene: Scene<'a>, statement: &Statement) -> Self {
        let mut all = Demand::default();
        for segment in &statement.segments {
            let Demand { ids, holds, extended } = Demand::of(scene, statement.index, segment);
            if !holds.is_empty() {
                all.ids.extend(ids);
            }
            all.holds.extend(holds);
            all.extended = all.extended.into_iter().chain(extended).reduce(Lock::join);
        }
        all.holds.sort_unstable();
        all.holds.dedup();
        all
    }

    pub(super) fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The least lock now. Past its date what was stated first binds nobody, and only the extension counts.
    pub(super) fn least(&self, stated: Option<Lock>, now: UnixSeconds) -> Option<Lock> {
        match (stated, self.extended) {
            (Some(stated), Some(extended)) if stated.retain_until > now => Some(stated.join(extended)),
            (stated, extended) => extended.or(stated),
        }
    }

    /// What keeps an object that its seal no longer does, in words.
    pub(super) fn kept_by(&self, now: UnixSeconds) -> Option<String> {
        let mut why: Vec<String> = Vec::new();
        if self.is_held() {
            why.push(format!("on legal hold by {}", self.names()));
        }
        if let Some(lock) = self.extended.filter(|lock| lock.retain_until > now) {
            why.push(format!("extended to {}", shown(lock)));
        }
        (!why.is_empty()).then(|| why.join(", "))
    }

    fn names(&self) -> String {
        self.holds.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// Adds to what is found of a lock that it was extended.
    pub(super) fn explain(&self, mut item: Item) -> Item {
        if let (Some(extended), Some(expected)) = (self.extended, &mut item.expected) {
            expected.push_str(&format!("; it was extended to {}", shown(extended)));
        }
        item
    }

    /// What is wrong where an object that a hold keeps is not on legal hold.
    pub(super) fn hold_missing(&self, held: &Held, seal: u64) -> Option<Item> {
        if !self.is_held() || held.legal_hold {
            return None;
        }
        let meaning = "A hold that is open keeps this object, and the store does not have it on legal hold, so it could be deleted once its lock \
                       ends. Nothing is lost yet: `spanseal hold place --matter NAME --resume` puts it back; find out who took it off.";
        let item = Item::new(Kind::HoldMissing, &held.object, meaning).seal(seal);
        Some(item.expected(format!("legal hold by {}", self.names())).found("no legal hold").intact())
    }
}
