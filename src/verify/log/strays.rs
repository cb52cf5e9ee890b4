//! Segments that no seal names: a crash before the commit, an intruder's object, or the trace of seals that are gone.

use super::Walk;
use crate::tlog::Hash;
use crate::verify::listing::{Group, SegmentName, Segments, Strays, seal_from};
use crate::verify::objects::Scene;
use crate::verify::report::{Item, Kind};
use crate::worm::{ReadError, SEGMENT_BYTES_MAX};

impl Walk<'_> {
    /// A segment that no seal names, with the newest index that the walk knows.
    pub(super) async fn stray(&mut self, group: Group, reached: u64) {
        let Some(relative) = group.key.as_str().strip_prefix(self.scene.log).and_then(|rest| rest.strip_prefix('/')) else { return };
        let Some(name) = SegmentName::parse(relative) else { return };
        if name.index > reached {
            if self.ahead.len() < Strays::MAX {
                self.ahead.push_back(group);
            } else {
                self.sink.unchecked("segments/", None, "more unnamed segments than are kept in mind");
            }
            return;
        }
        if name.index >= self.from {
            let relative = relative.to_owned();
            self.unnamed(&group, &name, &relative, false).await;
        }
    }

    async fn unnamed(&mut self, group: &Group, name: &SegmentName, object: &str, beyond: bool) {
        // Nothing but markers: somebody hid what no seal names.
        let Some(version) = group.data().next() else { return };
        let fits = match self.scene.store.get(&group.key, version.id.as_ref(), SEGMENT_BYTES_MAX).await {
            Ok(bytes) => bytes.is_some_and(|b| Hash::of(&b).to_string().starts_with(&name.short)),
            Err(ReadError::TooLarge { .. }) => false,
            Err(error) => return self.sink.unchecked(object, Some(name.index), error),
        };
        let item = |kind, meaning| Item::new(kind, object, meaning).seal(name.index);
        if beyond {
            let meaning = "A segment of a seal that lies beyond the end of the log: the writer sealed further than what is stored now, so \
                           seals at the end are gone. Compare with checkpoints and receipts kept elsewhere.";
            self.sink.finding(item(Kind::SegmentUnnamed, meaning).expected("at most one seal beyond the newest").lost());
        } else if !fits {
            let meaning = "An object stands where segments stand, its name does not fit its bytes, and no seal names it. It is not part of \
                           the log. Find out who can write here.";
            self.sink.finding(item(Kind::SegmentUnnamed, meaning).expected("a name that begins its SHA-256").intact());
        } else {
            let meaning = "No seal that stands names this segment: the writer stopped before the commit (harmless, nobody was given a \
                           receipt), or its seal is reported above.";
            self.sink.note(item(Kind::Orphan, meaning).intact());
        }
    }

    /// Segments behind the last one that a seal names.
    pub(super) async fn drain(&mut self) -> Result<(), ReadError> {
        let Scene { store, log, .. } = self.scene;
        if self.segments.is_none() && !self.beyond && self.from == 0 {
            self.segments = Some(Segments::open(store, log, None).await?);
        }
        let end = if self.beyond { self.newest.zip(self.last_time) } else { None };
        let reached = self.expected.saturating_sub(1);
        while let Some(group) = match &mut self.segments {
            Some(segments) => segments.rest(end).await?,
            None => None,
        } {
            self.stray(group, reached).await;
        }
        if self.beyond {
            return Ok(());
        }
        let grown = seal_from(store, log, self.expected).await?.is_some();
        for group in std::mem::take(&mut self.ahead) {
            let relative = group.key.as_str().strip_prefix(&format!("{log}/")).unwrap_or_default().to_owned();
            let Some(name) = SegmentName::parse(&relative) else { continue };
            // A log that is being written went on while it was read: what is beyond is for the next verification.
            if !grown {
                self.unnamed(&group, &name, &relative, name.index > self.expected).await;
            }
        }
        Ok(())
    }
}
