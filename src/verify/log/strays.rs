//! Segments that no seal names: a crash before the commit, an intruder's object, or the trace of seals that are gone.

use super::Walk;
use super::tail::Behind;
use crate::tlog::Hash;
use crate::verify::listing::{Group, SegmentName, Segments, Strays};
use crate::verify::objects::Scene;
use crate::verify::report::{Item, Kind};
use crate::worm::{ReadError, SEGMENT_BYTES_MAX};

impl Walk<'_> {
    /// A segment that no seal names, with the newest index that the walk knows.
    pub(super) async fn stray(&mut self, group: Group, reached: u64) {
        let Some((name, object)) = self.name_of(&group) else { return };
        if name.index > reached {
            if self.ahead.len() < Strays::MAX {
                self.ahead.push_back(group);
            } else {
                self.ahead_more += 1;
            }
        } else if name.index >= self.from
            && let Some(fits) = self.fits(&group, &name, &object).await
        {
            self.unnamed(&name, &object, fits);
        }
    }

    fn name_of(&self, group: &Group) -> Option<(SegmentName, String)> {
        let object = group.key.as_str().strip_prefix(self.scene.log)?.strip_prefix('/')?;
        Some((SegmentName::parse(object)?, object.to_owned()))
    }

    /// Whether the name fits the bytes; `None` where there are none, or they could not be read, which is said.
    async fn fits(&mut self, group: &Group, name: &SegmentName, object: &str) -> Option<bool> {
        // Nothing but markers: somebody hid what no seal names.
        let version = group.data().next()?;
        match self.scene.store.get(&group.key, version.id.as_ref(), SEGMENT_BYTES_MAX).await {
            Ok(bytes) => Some(bytes.is_some_and(|b| Hash::of(&b).to_string().starts_with(&name.short))),
            Err(ReadError::TooLarge { .. }) => Some(false),
            Err(error) => {
                self.sink.unchecked(object, Some(name.index), error);
                None
            }
        }
    }

    fn unnamed(&mut self, name: &SegmentName, object: &str, fits: bool) {
        let item = |kind, meaning| Item::new(kind, object, meaning).seal(name.index);
        if fits {
            let meaning = "No seal that stands names this segment: the writer stopped before the commit (harmless, nobody was given a \
                           receipt), or its seal is reported above.";
            self.sink.note(item(Kind::Orphan, meaning).intact());
        } else {
            let meaning = "An object stands where segments stand, its name does not fit its bytes, and no seal names it. It is not part of \
                           the log. Find out who can write here.";
            self.sink.finding(item(Kind::SegmentUnnamed, meaning).expected("a name that begins its SHA-256").intact());
        }
    }

    /// No key signs a segment, so it alone does not tell a cut end from an intruder's object; taken is the worse of both.
    fn beyond_the_end(&mut self, name: &SegmentName, object: &str) {
        let meaning = "A segment of a seal that lies beyond the end of the log. Either the writer sealed further than what is stored now, and seals \
                       at the end are gone; or somebody who can write here put it there. Compare with checkpoints, receipts and cosignatures kept \
                       elsewhere.";
        let item = Item::new(Kind::SegmentUnnamed, object, meaning).seal(name.index);
        self.sink.finding(item.expected("at most one seal beyond the newest").lost());
    }

    /// Segments behind the last one that a seal names, and those that were met before their seal could be.
    pub(super) async fn drain(&mut self) -> Result<(), ReadError> {
        let Scene { store, log, .. } = self.scene;
        if self.segments.is_none() && !self.beyond && self.from == 0 {
            self.segments = Some(Segments::open(store, log, None).await?);
        }
        let end = if self.beyond { self.newest.zip(self.last_time) } else { None };
        let reached = self.newest.filter(|_| self.beyond).unwrap_or(self.expected.saturating_sub(1));
        // A log that is being written went on while it was read: seals that were not read may name what lies behind the last one that was.
        let (mut behind, mut later) = (self.behind().await?, 0_u64);
        while let Some(group) = match &mut self.segments {
            Some(segments) => segments.rest(end).await?,
            None => None,
        } {
            if behind != Behind::End && self.name_of(&group).is_some_and(|(name, _)| name.index > self.expected) {
                later += 1;
            } else {
                self.stray(group, reached).await;
            }
        }
        if behind == Behind::End {
            behind = self.behind().await?;
        }
        let grown = behind != Behind::End;
        for group in std::mem::take(&mut self.ahead) {
            let Some((name, object)) = self.name_of(&group) else { continue };
            if self.beyond && name.index > reached {
                // Outside the range that was asked for.
                continue;
            }
            if name.index > self.expected {
                match group.data().next() {
                    None => {}
                    Some(_) if grown => later += 1,
                    Some(_) => match self.fits(&group, &name, &object).await {
                        None => {}
                        Some(true) => self.beyond_the_end(&name, &object),
                        Some(false) => self.unnamed(&name, &object, false),
                    },
                }
                continue;
            }
            match self.fits(&group, &name, &object).await {
                None => {}
                Some(true) if grown && name.index == self.expected => later += 1,
                Some(fits) => self.unnamed(&name, &object, fits),
            }
        }
        if self.ahead_more > 0 {
            self.sink.unchecked("segments/", None, format!("{} further unnamed segments", self.ahead_more));
        }
        if later > 0 {
            let meaning = behind.meaning(
                "These segments lie behind the last seal that was read, so whether seals name them was not looked at; the next verification will.",
            );
            self.sink.note(Item::new(Kind::NotCovered, "segments/", meaning).found(format!("{later} segments")).intact());
        }
        Ok(())
    }
}
