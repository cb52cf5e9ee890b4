//! Carrying decrees out in the store: a lock or a legal hold on what makes a segment's evidence, and then on the segment.
//!
//! Every change is read back. An extension raises the mode of evidence only where it is asked for: a seal is as strong as what it names. All of it may be done again, and what has it already is left alone, so whoever was interrupted begins again
//! where the log says that they were. Nothing here shortens a lock.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use futures::stream::FuturesOrdered;

use super::decrees::SegmentId;
use super::places::{Expected, Place, Places};
use crate::query::log::LogReader;
use crate::seal::retried;
use crate::tlog::Hash;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::worm::{Head, Lock, Locks, ObjectKey, PutError, ReadError, SEGMENT_BYTES_MAX, Version, VersionId, WormStore, below};

/// Objects under way at once.
const OBJECTS_AT_ONCE: usize = 8;
/// Tries of one change, which may be made as often as one likes.
const PUT_TRIES: u32 = 4;
/// Wait before the second; it doubles.
const PUT_BACKOFF: Duration = Duration::from_millis(200);
/// Places that are remembered as done; what is forgotten costs a HEAD.
const DONE_MAX: usize = 1 << 20;

/// What objects are to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A legal hold.
    Hold,
    /// No legal hold.
    NoHold,
    /// At least this lock.
    Lock(Lock),
}

impl Want {
    /// What was to be done to an object that has this lock, and what now if it could not be.
    fn words(self, found: Option<Lock>) -> (&'static str, &'static str) {
        match self {
            Want::Lock(lock) if found.is_some_and(|found| found.mode < lock.mode) => (
                "the lock could not be made COMPLIANCE",
                "Ceph RGW and MinIO do that only with the governance bypass, for which spanseal never asks, and Google's storage only for whoever has \
                 storage.objects.overrideUnlockedRetention: extend without --mode COMPLIANCE, which keeps every object's mode; `spanseal retention \
                 extend --resume ID --give-up` ends this one",
            ),
            Want::Hold => (
                "the legal hold could not be set",
                "allow it (S3: s3:PutObjectLegalHold, and s3:GetObjectLegalHold to read it back; Azure: blobs/write; Google: storage.objects.update), \
                 then go on with `hold place --matter NAME --resume`",
            ),
            Want::NoHold => (
                "the legal hold could not be lifted",
                "allow it (S3: s3:PutObjectLegalHold, which a writer's policy may keep from it; Azure: blobs/write; Google: storage.objects.update), then \
                 give the same command again, and it goes on",
            ),
            Want::Lock(_) => (
                "the lock could not be extended",
                "allow it (S3: s3:PutObjectRetention, and s3:GetObjectRetention to read it back; Azure: blobs/write; Google: storage.objects.update and \
                 storage.objects.setRetention), then go on with `retention extend --resume ID`",
            ),
        }
    }
}

/// Why a decree was not carried out to its end. What was done stays done, and doing it again goes on.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// One object did not get what it was to get.
    #[error("`{key}`: {what}: {why}. What was done so far stays; {advice}")]
    Object {
        /// Which.
        key: ObjectKey,
        /// What was to be done.
        what: &'static str,
        /// Why it was not.
        why: String,
        /// What now.
        advice: &'static str,
    },
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl EnforceError {
    /// Worth trying again as it is.
    pub fn is_retryable(&self) -> bool {
        matches!(self, EnforceError::Read(error) if error.is_retryable())
    }
}

/// What was done, in objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Segments that have it now.
    pub segments: u64,
    /// Objects that did not have it before, segments among them.
    pub changed: u64,
    /// Objects that had it already.
    pub already: u64,
    /// Segments that are gone: their time was over, or somebody deleted them.
    pub gone: u64,
    /// Tiles, cosignatures and other objects of evidence that are not there.
    pub absent: u64,
    /// Seals of which a word is still to come.
    pub unjoined: u64,
}

impl Done {
    /// Both together.
    pub fn add(&mut self, other: Done) {
        self.segments += other.segments;
        self.changed += other.changed;
        self.already += other.already;
        self.gone += other.gone;
        self.absent += other.absent;
        self.unjoined += other.unjoined;
    }
}

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Changed,
    Already,
    Gone,
}

/// See the module. Takes seals in ascending order.
pub struct Enforcer<'l> {
    store: Arc<dyn WormStore>,
    log: &'l LogReader,
    want: Want,
    places: Places<'l>,
    /// What has it by now.
    done: HashSet<Place>,
    /// Places that others need, and that are left alone.
    spared: BTreeSet<Place>,
}

impl std::fmt::Debug for Enforcer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enforcer").field("want", &self.want).finish_non_exhaustive()
    }
}

impl<'l> Enforcer<'l> {
    /// Of one log.
    pub fn new(store: Arc<dyn WormStore>, log: &'l LogReader, want: Want, expected: Expected) -> Self {
        let places = Places::new(Arc::clone(&store), log, expected);
        Enforcer { store, log, want, places, done: HashSet::new(), spared: BTreeSet::new() }
    }

    /// Leaves everything alone that the segments of these seals need. Ascending.
    pub async fn spare(&mut self, seals: impl IntoIterator<Item = u64>) -> Result<(), ReadError> {
        let mut places = Places::new(Arc::clone(&self.store), self.log, Expected::default());
        for seal in seals {
            self.spared.extend(places.of(seal).await?.places);
        }
        Ok(())
    }

    /// Does it to what one seal's segments need, and then to them. Nothing, where the store has no locks.
    pub async fn seal(&mut self, seal: u64, segments: &[&SegmentRef]) -> Result<Done, EnforceError> {
        let mut done = Done::default();
        if segments.is_empty() {
            return Ok(done);
        }
        if self.store.locks() == Locks::None {
            done.segments = count(segments.len());
            return Ok(done);
        }
        // What is kept is kept from its evidence on, and let go in the other order.
        if self.want != Want::NoHold {
            done.add(self.evidence(seal).await?);
        }
        done.add(self.segments(segments).await?);
        if self.want == Want::NoHold {
            done.add(self.evidence(seal).await?);
        }
        Ok(done)
    }

    /// Does it to what joins a seal to the checkpoints of others, and to the seal.
    pub async fn evidence(&mut self, seal: u64) -> Result<Done, EnforceError> {
        let mut done = Done::default();
        let of = self.places.of(seal).await?;
        done.unjoined += u64::from(!of.is_joined);
        let is_new = |place: &Place| !self.spared.contains(place) && !self.done.contains(place);
        let new: Vec<Place> = of.places.into_iter().filter(is_new).collect();
        let mut became: Vec<Vec<Became>> = Vec::with_capacity(new.len());
        let mut all = FuturesOrdered::new();
        for place in new.clone() {
            if all.len() >= OBJECTS_AT_ONCE {
                became.extend(all.try_next().await?);
            }
            all.push_back(self.place(place));
        }
        while let Some(one) = all.try_next().await? {
            became.push(one);
        }
        drop(all);
        for became in became {
            done.absent += u64::from(became.is_empty());
            became.into_iter().for_each(|became| tally(&mut done, became));
        }
        if self.done.len() > DONE_MAX {
            self.done.clear();
        }
        self.done.extend(new);
        Ok(done)
    }

    async fn segments(&self, segments: &[&SegmentRef]) -> Result<Done, EnforceError> {
        let mut done = Done::default();
        let (mut all, mut became) = (FuturesOrdered::new(), Vec::with_capacity(segments.len()));
        for segment in segments {
            if all.len() >= OBJECTS_AT_ONCE {
                became.extend(all.try_next().await?);
            }
            all.push_back(self.segment((*segment).clone()));
        }
        while let Some(one) = all.try_next().await? {
            became.push(one);
        }
        drop(all);
        for became in became {
            if became.is_empty() {
                done.gone += 1;
            } else {
                done.segments += 1;
            }
            became.into_iter().for_each(|became| tally(&mut done, became));
        }
        Ok(done)
    }

    async fn place(&self, place: Place) -> Result<Vec<Became>, EnforceError> {
        let mut became = Vec::new();
        for Version { key, id, .. } in self.places.versions(&place).await? {
            became.push(self.ensure(&key, id.as_ref()).await?);
        }
        became.retain(|became| *became != Became::Gone);
        Ok(became)
    }

    /// The version that its seal names; where that is gone, every version with the sealed bytes is the segment.
    async fn segment(&self, segment: SegmentRef) -> Result<Vec<Became>, EnforceError> {
        let key = below(self.log.name(), &segment.key);
        if segment.version_id.is_some() {
            let became = self.ensure(&key, segment.version_id.as_ref()).await?;
            if became != Became::Gone {
                return Ok(vec![became]);
            }
        }
        let mut all = Vec::new();
        for version in self.versions(&segment).await? {
            all.push(self.ensure(&key, version.id.as_ref()).await?);
        }
        all.retain(|became| *became != Became::Gone);
        Ok(all)
    }

    /// Every version with the sealed bytes.
    async fn versions(&self, segment: &SegmentRef) -> Result<Vec<Version>, ReadError> {
        let key = below(self.log.name(), &segment.key);
        let mut all = Vec::new();
        let versions = retried(|| self.store.versions(&key)).await?;
        for version in versions.into_iter().filter(|version| !version.is_delete_marker && version.size == segment.bytes) {
            let bytes = retried(|| self.store.get(&key, version.id.as_ref(), SEGMENT_BYTES_MAX)).await?;
            if bytes.is_some_and(|bytes| Hash::of(&bytes) == segment.sha256) {
                all.push(version);
            }
        }
        Ok(all)
    }

    async fn ensure(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Became, EnforceError> {
        let (store, want) = (self.store.as_ref(), self.want);
        let has = |head: &Head| match want {
            Want::Hold => head.legal_hold,
            Want::NoHold => !head.legal_hold,
            Want::Lock(lock) => head.lock.is_some_and(|found| found.covers(lock)),
        };
        let mut head = match self.head(key, version).await? {
            None => return Ok(Became::Gone),
            Some(head) if has(&head) => return Ok(Became::Already),
            Some(head) => head,
        };
        let (what, advice) = want.words(head.lock);
        let failed = |why: String| EnforceError::Object { key: key.clone(), what, why, advice };
        let mut wait = PUT_BACKOFF;
        let mut tries = 0;
        loop {
            tries += 1;
            let put = match want {
                Want::Hold => store.hold(key, version, true).await,
                Want::NoHold => store.hold(key, version, false).await,
                Want::Lock(lock) => store.extend(key, version, head.lock.map_or(lock, |found| found.join(lock))).await,
            };
            match put {
                Ok(()) => break,
                Err(error) if error.is_retryable() && tries < PUT_TRIES => {
                    tokio::time::sleep(wait).await;
                    // Somebody else may have extended it meanwhile, and nothing is shortened.
                    head = match self.head(key, version).await? {
                        None => return Ok(Became::Gone),
                        Some(head) if has(&head) => return Ok(Became::Changed),
                        Some(head) => head,
                    };
                }
                Err(PutError::Refused { reason, .. }) => return Err(failed(reason)),
                Err(error) => return Err(failed(error.to_string())),
            }
            wait *= 2;
        }
        match self.head(key, version).await? {
            None => Ok(Became::Gone),
            Some(head) if has(&head) => Ok(Became::Changed),
            Some(head) => Err(failed(format!(
                "the store said yes, and then shows {}, legal hold {}",
                head.lock.map_or_else(|| "no lock".to_owned(), |lock| format!("{} until {}", lock.mode.as_str(), lock.retain_until)),
                if head.legal_hold { "on" } else { "off" }
            ))),
        }
    }

    /// What keeps a version. A hold that is not shown may only be hidden from who asks, and is asked for where it is wanted or not.
    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        let head = retried(|| self.store.head(key, version)).await?;
        match (head, self.want) {
            (Some(head), Want::Hold | Want::NoHold) if !head.legal_hold => {
                let held = retried(|| self.store.is_on_hold(key, version)).await?;
                Ok(held.map(|legal_hold| Head { legal_hold, ..head }))
            }
            (head, _) => Ok(head),
        }
    }

    /// Lifts the legal hold from these segments, by the seals that name them, and from what nobody else needs. The last one goes at the
    /// very end, so that where it has none, nothing of this is left to do.
    pub async fn lift(&mut self, held: &BTreeMap<u64, Vec<SegmentRef>>, progress: impl Fn()) -> Result<Done, EnforceError> {
        let mut done = Done::default();
        let last = held.last_key_value().and_then(|(_, segments)| segments.last());
        for (seal, segments) in held {
            let first: Vec<&SegmentRef> = segments.iter().filter(|segment| last.is_none_or(|last| last.key != segment.key)).collect();
            if self.store.locks() == Locks::Enforced {
                done.add(self.segments(&first).await?);
                done.add(self.evidence(*seal).await?);
            }
            progress();
        }
        if let (Some(last), Locks::Enforced) = (last, self.store.locks()) {
            done.add(self.segments(&[last]).await?);
        }
        Ok(done)
    }

    /// Whether a segment has a legal hold; `None`: it is not there. Where the version that its seal names is gone, any with the sealed bytes is
    /// it, as for who puts the hold there.
    pub async fn is_held(&self, segment: &SegmentRef) -> Result<Option<bool>, ReadError> {
        let key = below(self.log.name(), &segment.key);
        let held = async |id: Option<&VersionId>| {
            let head = retried(|| self.store.head(&key, id)).await?;
            Ok::<_, ReadError>(head.map(|head| head.legal_hold))
        };
        if segment.version_id.is_some()
            && let Some(held) = held(segment.version_id.as_ref()).await?
        {
            return Ok(Some(held));
        }
        let mut any = None;
        for version in self.versions(segment).await? {
            any = any.max(held(version.id.as_ref()).await?);
        }
        Ok(any)
    }
}

/// The segments that entries name, by seal, as far as their seals have them.
pub async fn named(log: &LogReader, ids: impl IntoIterator<Item = SegmentId>) -> Result<BTreeMap<u64, Vec<SegmentRef>>, ReadError> {
    const SEALS_AT_ONCE: u64 = 256;
    let mut ids: BTreeSet<SegmentId> = ids.into_iter().collect();
    let mut all: BTreeMap<u64, Vec<SegmentRef>> = BTreeMap::new();
    while let Some(first) = ids.first().copied() {
        let upto = first.seal.saturating_add(SEALS_AT_ONCE).min(log.size());
        let of = |seal: &SealFile, segment: &SegmentRef| SegmentId::new(seal.statement.index, &segment.sha256);
        // Up to the last that is asked for of these, and not one seal more.
        let last = ids.range(first..).take_while(|id| id.seal < upto).last().copied().unwrap_or(first);
        if first.seal < log.size() {
            for seal in log.seals(first.seal..last.seal.saturating_add(1)).await?.found.values() {
                let segments: Vec<SegmentRef> = seal.statement.segments.iter().filter(|s| ids.contains(&of(seal, s))).cloned().collect();
                if !segments.is_empty() {
                    all.insert(seal.statement.index, segments);
                }
            }
        }
        ids.retain(|id| *id > last);
    }
    Ok(all)
}

fn tally(done: &mut Done, became: Became) {
    match became {
        Became::Changed => done.changed += 1,
        Became::Already => done.already += 1,
        Became::Gone => {}
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
