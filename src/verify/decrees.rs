//! What holds and extensions are on record (`govern::decrees`): read before the walk, along the chain that statements name, and shown to be the
//! log's own word by the walk.
//!
//! The chain is begun at the newest seal that the store shows, under keys that nobody has confirmed yet, because the walk has to know what
//! to demand of the first segment. At the end every seal that it rests on bears the signature of a key of the walk, and is the one that
//! the walk passed in its place; and no seal that was passed names a decree which was not read. What is not shown so is `unchecked`, never silently believed.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::listing::Group;
use super::log::seal_object;
use super::objects::{Scene, candidates, hash};
use super::report::{Item, Kind, OpenOrder, Sink};
use super::segment::read_segment;
use crate::clock::UnixSeconds;
use crate::govern::decrees::{BEHIND_SECONDS_MAX, Decree, Entry, Ledger, Order, SegmentId};
use crate::record::SCHEMA;
use crate::record::canonical::Json;
use crate::tlog::LeafHash;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::{SealFile, SegmentRef, Statement};
use crate::worm::{Lock, ReadError, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, VERSIONS_READ_MAX, Version, below, read_versions, seal_key};

/// Seals with decrees whose segments are read at the same time. Each may hold 64 MiB.
const SEALS_AT_ONCE: usize = 4;
/// What is kept of the seals that are followed, bytes. A log has some thousands a year with records of decrees where holds are open, and one that
/// names two segments takes about 1.5 KiB with the seal before it: that is 40,000. A server that makes seals up as they are asked for would have them
/// followed for ever, and none needs a signature until the walk looks for one.
const FOLLOWED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Changes of key that are followed to the newest seal, for the same reason: each takes up to some hundred reads. Who brings the key that the log has
/// now, and published a checkpoint with, needs none.
const TURNS_MAX: usize = 256;
/// Two clocks that are further apart are not believed, seconds (`doubt`).
const CLOCKS_APART_MAX_SECONDS: i64 = 300;

/// What a line says of decrees.
#[derive(Debug)]
pub(super) enum Word {
    /// A step of one.
    Entry(Box<Entry>),
    /// It claims to be one, and is none.
    Broken(String),
    /// In a format that only a newer program reads.
    Newer(String),
}

/// Reads a record; `None`: it says nothing of decrees. What members of another schema mean is not known.
pub(super) fn word(record: &Json) -> Option<Word> {
    if record.get("schema").and_then(Json::as_str) != Some(SCHEMA) {
        return None;
    }
    match Entry::of(record) {
        Some(Ok(entry)) => return Some(Word::Entry(Box::new(entry))),
        Some(Err(why)) => return Some(Word::Broken(why)),
        None => {}
    }
    let text = |path: &str| record.path(path).and_then(Json::as_str);
    if text("source.signal") != Some("control") || !matches!(text("kind"), Some("hold" | "retention")) {
        return None;
    }
    let filter = Json::parse(text("control.filter")?.as_bytes()).ok()?;
    let format = filter.get("format").and_then(Json::as_str)?;
    format.starts_with("spanseal.decrees/").then(|| Word::Newer(format.to_owned()))
}

/// What a statement says of decrees against the rules: what it should say, and what it does. `before`: what the seal directly before says, where
/// that one is known. `holds`: whether its segments hold a record of a decree, where all of them could be read.
pub(super) fn contradicted(statement: &Statement, before: Option<Option<u64>>, holds: Option<bool>) -> Option<Item> {
    let own = Some(statement.index);
    let expected = match (holds, before) {
        (Some(true), _) => own,
        (None, _) if statement.decrees == own => own,
        (_, Some(before)) => before,
        // From somewhere in the middle any seal before may be the newest one with a decree.
        (_, None) if statement.decrees == own => None,
        (_, None) => statement.decrees,
    };
    if expected == statement.decrees {
        return None;
    }
    let meaning = "The seal does not name the newest seal that holds the record of a hold or an extension, so a reader who follows it misses what \
                   has to be kept. The records are as signed; ask the operator how it arose, and look at what this log holds and extends.";
    let named = |decrees: Option<u64>| decrees.map_or_else(|| "none".to_owned(), |index| format!("seal {index}"));
    let item = Item::new(Kind::DecreesWrong, seal_object(statement.index), meaning).seal(statement.index);
    Some(item.expected(named(expected)).found(named(statement.decrees)).intact())
}

/// A record that claims to be of a decree, and that nobody can read.
pub(super) fn unreadable(segment: &str, seal: u64, line: u64, why: &str) -> Item {
    let meaning = "A record of a hold or an extension that no reader understands: what it orders is kept by nobody. It is as signed; ask the \
                   operator what wrote it, and order again what it was meant to.";
    Item::new(Kind::DecreesWrong, segment, meaning)
        .seal(seal)
        .expected("an entry of a decree")
        .found(format!("line {line}: {why}"))
        .intact()
}

/// A seal that the chain rests on.
#[derive(Debug)]
struct Link {
    leaf: LeafHash,
    /// The note that it carries, as stored: read anew where it is asked whose signature it bears, since parsed it is longer.
    checkpoint: String,
}

impl Link {
    /// Whether it bears a signature that counts.
    fn is_signed(&self, signed: impl Fn(&UnverifiedCheckpoint) -> bool) -> bool {
        UnverifiedCheckpoint::parse(&self.checkpoint).is_ok_and(|read| signed(&read))
    }
}

/// A seal that holds records of decrees, as far as these are found by it.
struct Holder {
    index: u64,
    sealed_at: UnixSeconds,
    segments: Vec<SegmentRef>,
}

impl Holder {
    fn of(statement: Statement) -> Self {
        let Statement { index, sealed_at, segments, .. } = statement;
        Holder { index, sealed_at, segments }
    }

    /// What it takes, bytes.
    fn weight(&self) -> usize {
        let segment = |segment: &SegmentRef| {
            let version = segment.version_id.as_ref().map_or(0, |id| id.0.len());
            size_of::<SegmentRef>() + segment.key.len() + segment.class.len() + version
        };
        size_of::<Self>() + self.segments.iter().map(segment).sum::<usize>()
    }
}

/// What is on record.
#[derive(Debug, Default)]
pub(super) struct Decrees {
    /// KNOWN GAP: it grows with what entries name. A store that makes up seals and their segments fills it before the walk shows that nobody signed them.
    ledger: Ledger,
    /// The seal at which it was begun.
    newest: Option<u64>,
    /// Whether that seal, whose signature nobody has checked yet, names any.
    any: bool,
    links: BTreeMap<u64, Link>,
    /// What is kept of seals that were followed, bytes.
    followed_bytes: usize,
    /// Whether what is open is known: the records of the newest step were read.
    last_read: bool,
    /// Why it is not whole.
    unread: Vec<(String, u64, String)>,
    /// The newest seal of which the records are gone since their date.
    gone: Option<(u64, UnixSeconds)>,
}

impl Decrees {
    /// Reads them. `keys`: those that were given or found. `size`: of the published checkpoint, which nobody has verified; it only shows where
    /// to look.
    ///
    /// A box with a named lifetime, because only so the compiler sees that the whole is `Send` and may be spawned.
    pub(super) fn read(scene: Scene<'_>, keys: Vec<VerifierKey>, published: Option<UnverifiedCheckpoint>) -> BoxFuture<'_, Self> {
        async move { Self::of(scene, &keys, published).await }.boxed()
    }

    async fn of(scene: Scene<'_>, keys: &[VerifierKey], published: Option<UnverifiedCheckpoint>) -> Self {
        let mut read = Decrees::default();
        let mut known = Known::of(keys);
        let newest = match known.newest(scene, published.as_ref().map(|read| read.checkpoint.size.0)).await {
            Ok(newest) => newest,
            Err(error) => {
                read.unread("seals/", 0, error);
                return read;
            }
        };
        // No seal, or none that is one: the walk says so.
        let Some(Newest { at: (newest, whose), turns }) = newest else { return read };
        let index = newest.statement.index;
        read.newest = Some(index);
        if turns == Turns::TooMany {
            let why = format!(
                "the log changed its key more often than is followed to its newest seal ({TURNS_MAX} times): bring the key that it has now (--vkey)"
            );
            read.unread(&seal_object(index), index, why);
        }
        // A key that the log has left can still sign seals behind its end, which name what they like.
        if let Some(whose) = whose {
            match known.is_led_to(scene, index, whose, published).await {
                Ok(true) => {}
                Ok(false) => {
                    let why = "neither the seal before it nor the published checkpoint leads to its key: one of them is missing or is not as it was \
                               signed, or a key that the log has left signed this seal";
                    read.unread(&seal_object(index), index, why);
                }
                Err(error) => read.unread(&seal_object(index), index, error),
            }
        }
        let holders = read.follow(scene, &known, newest).await;
        let mut entries = entries(scene, holders);
        while let Some((holder, entries, lost)) = entries.next().await {
            let (index, found) = (holder.index, !entries.is_empty());
            // A writer keeps them too, once it has sealed them; until then nobody is to blame.
            let is_kept = holder.sealed_at.0 < scene.now.0.saturating_sub(BEHIND_SECONDS_MAX);
            entries.into_iter().for_each(|(at, entry)| read.ledger.take(entry, is_kept.then_some(at)));
            // What was not read may have released any hold that the entries before it tell of.
            read.last_read = found && !matches!(lost, Some(Lost::Unread(..)));
            match lost {
                // Its records of decrees are in one class, so that what else it holds may go before them.
                Some(Lost::Gone) if found => {}
                Some(Lost::Gone) => read.gone = Some((index, holder.sealed_at)),
                Some(Lost::Unread(object, why)) => read.unread(&object, index, why),
                None if !found => {
                    read.unread(&seal_object(index), index, "a statement says that it holds such a record, and none is in its segments")
                }
                None => {}
            }
        }
        read
    }

    fn unread(&mut self, object: &str, seal: u64, why: impl std::fmt::Display) {
        self.unread.push((object.to_owned(), seal, why.to_string()));
    }

    fn link(&mut self, seal: &SealFile) {
        let link = Link { leaf: seal.leaf(), checkpoint: seal.checkpoint.clone() };
        self.followed_bytes += size_of::<(u64, Link)>() + link.checkpoint.len();
        self.links.insert(seal.statement.index, link);
    }

    /// The seals that hold records of decrees, newest first.
    async fn follow(&mut self, scene: Scene<'_>, known: &Known, newest: SealFile) -> Vec<Holder> {
        let mut holders = Vec::new();
        let mut at = newest;
        self.any = at.statement.decrees.is_some();
        self.link(&at);
        while let Some(named) = at.statement.decrees {
            if self.followed_bytes >= FOLLOWED_BYTES_MAX {
                let why = format!("more seals hold such records than are followed: these take {} MiB", FOLLOWED_BYTES_MAX >> 20);
                self.unread(&seal_object(named), named, why);
                break;
            }
            if named != at.statement.index {
                let Some(seal) = self.seal(scene, known, named).await else { break };
                at = seal;
            }
            let before = named.checked_sub(1);
            let holder = Holder::of(at.statement);
            self.followed_bytes += holder.weight();
            holders.push(holder);
            let Some(before) = before else { break };
            let Some(seal) = self.seal(scene, known, before).await else { break };
            at = seal;
        }
        holders
    }

    async fn seal(&mut self, scene: Scene<'_>, known: &Known, index: u64) -> Option<SealFile> {
        let found = known.stands(scene, index).await;
        match found {
            Ok(Some((seal, _))) => {
                self.link(&seal);
                return Some(seal);
            }
            Ok(None) => self.unread(&seal_object(index), index, "there is no such seal"),
            Err(error) => self.unread(&seal_object(index), index, error),
        }
        None
    }

    /// The holds that keep a segment, as far as they are known to be open still.
    pub(super) fn holds(&self, id: SegmentId) -> impl Iterator<Item = &str> {
        let open = move |name: &&str| self.last_read && self.ledger.open().iter().any(|d| d.id == *name && d.order == Order::Hold);
        self.ledger.holds(id).filter(open)
    }

    /// What is open, as far as that is known.
    fn open(&self) -> impl Iterator<Item = &Decree> {
        self.ledger.open().iter().filter(|_| self.last_read)
    }

    /// The same for a reader.
    pub(super) fn orders(&self) -> Vec<OpenOrder> {
        let order = |open: &Decree| OpenOrder {
            matter: open.id.clone(),
            order: if open.order == Order::Hold { "hold" } else { "extension" },
            through: open.through,
            segments: u64::try_from(self.ledger.held_by(&open.id).count()).unwrap_or(u64::MAX),
        };
        self.open().map(order).collect()
    }

    /// The lock that extensions have given a segment.
    pub(super) fn extended(&self, id: SegmentId) -> Option<Lock> {
        self.ledger.extended(id)
    }

    /// Whether all of it was read, and is the same log as it was before, or grown. `signed`: whether a key of the log signed a checkpoint.
    ///
    /// A store can show less the second time; what was on record then still is.
    pub(super) fn follows(&self, before: &Self, signed: impl Fn(&UnverifiedCheckpoint) -> bool) -> bool {
        let same = |(index, link): (&u64, &Link)| match before.links.get(index) {
            Some(known) => known.leaf == link.leaf,
            None => link.is_signed(&signed),
        };
        let known = self.newest.is_some() && self.newest >= before.newest && self.unread.is_empty() && self.last_read;
        known && self.gone == before.gone && self.links.iter().all(same)
    }
}

/// Keys, each with the last seal that it may sign, where that is known by now.
struct Known(Vec<(VerifierKey, Option<u64>)>);

/// A seal, and under which of the known keys it stands; `None`: under somebody's.
type Stands = (SealFile, Option<usize>);

/// The newest seal, as far as one was led to it.
struct Newest {
    at: Stands,
    turns: Turns,
}

/// Which of the changes of key on the way were followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    All,
    TooMany,
}

impl Known {
    fn of(keys: &[VerifierKey]) -> Self {
        Known(keys.iter().map(|key| (key.clone(), None)).collect())
    }

    fn place(&self, key: &VerifierKey) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == key)
    }

    /// Whether a seal bears the signature of a key. One that changes the key bears two.
    fn is_by(&self, seal: &SealFile, nth: usize) -> bool {
        let read = UnverifiedCheckpoint::parse(&seal.checkpoint);
        read.is_ok_and(|read| self.0.get(nth).is_some_and(|(key, _)| read.is_signed_by(key)))
    }

    /// Learns from a seal which key follows. Whether there was something to learn.
    fn learn(&mut self, seal: &SealFile) -> bool {
        let Some(next) = &seal.statement.next_vkey else { return false };
        let mut learned = false;
        for nth in 0..self.0.len() {
            let leaves = self.is_by(seal, nth);
            if let Some((key, until @ None)) = self.0.get_mut(nth).filter(|_| leaves)
                && key != next
            {
                *until = Some(seal.statement.index);
                learned = true;
            }
        }
        if self.place(next).is_none() {
            self.0.push((next.clone(), None));
            learned = true;
        }
        learned
    }

    /// The newest seal: from one that stands on, by steps that double and then halve, under the keys that are known and those that they announce;
    /// where nothing stands under them, under any. Nothing is listed: a store may list without end. Behind a gap it may not be found, and then
    /// the walk says what was missed.
    async fn newest(&mut self, scene: Scene<'_>, size: Option<u64>) -> Result<Option<Newest>, ReadError> {
        let published = size.and_then(|size| size.checked_sub(1));
        for by in [By::Known, By::Somebody] {
            let mut at = None;
            for start in published.into_iter().chain([0]) {
                if at.is_none() {
                    at = self.probe(scene, start, by).await?;
                }
            }
            let Some(mut at) = at else { continue };
            for _ in 0..TURNS_MAX {
                at = self.climb(scene, at, by).await?;
                if !self.learn(&at.0) {
                    return Ok(Some(Newest { at, turns: Turns::All }));
                }
            }
            return Ok(Some(Newest { at, turns: Turns::TooMany }));
        }
        Ok(None)
    }

    /// The last of the seals from this one on that stand without a gap that is met.
    async fn climb(&self, scene: Scene<'_>, mut at: Stands, by: By) -> Result<Stands, ReadError> {
        let (mut step, mut doubles) = (1_u64, true);
        loop {
            let next = match at.0.statement.index.checked_add(step) {
                Some(index) => self.probe(scene, index, by).await?,
                None => None,
            };
            doubles = doubles && next.is_some();
            at = next.unwrap_or(at);
            step = if doubles { step.saturating_mul(2) } else { step / 2 };
            if step == 0 {
                return Ok(at);
            }
        }
    }

    async fn probe(&self, scene: Scene<'_>, index: u64, by: By) -> Result<Option<Stands>, ReadError> {
        Ok(self.stands(scene, index).await?.filter(|(_, whose)| whose.is_some() || by == By::Somebody))
    }

    /// The seal at an index: the oldest version that stands under a key that is known, else the oldest that agrees with itself.
    async fn stands(&self, scene: Scene<'_>, index: u64) -> Result<Option<Stands>, ReadError> {
        let versions = scene.store.versions(&seal_key(scene.log, index)).await?;
        let bodies = read_versions(scene.store, &versions, SEAL_BYTES_MAX, VERSIONS_READ_MAX).await?;
        // Read once, however many keys are tried. What `judge` calls the truth where the seal before is not known.
        let parsed = bodies.iter().filter_map(|(_, bytes)| SealFile::parse(bytes).ok());
        let mut seals: Vec<SealFile> = parsed.filter(|seal| seal.statement.index == index).collect();
        let may_sign = |until: &Option<u64>| until.is_none_or(|until| index <= until);
        for (nth, (key, _)) in self.0.iter().enumerate().filter(|(_, (_, until))| may_sign(until)) {
            if let Some(at) = seals.iter().position(|seal| seal.open(key).is_ok()) {
                return Ok(Some((seals.swap_remove(at), Some(nth))));
            }
        }
        let agrees = |seal: &SealFile| {
            let after = seal.range_after();
            let read = UnverifiedCheckpoint::parse(&seal.checkpoint).map(|read| read.checkpoint);
            read.is_ok_and(|read| (read.size, read.root) == (after.size(), after.root()))
        };
        Ok(seals.into_iter().find(agrees).map(|seal| (seal, None)))
    }

    /// Whether the key of the newest seal is that of the seal before it and of the published checkpoint, or one to which these lead.
    async fn is_led_to(
        &self,
        scene: Scene<'_>,
        newest: u64,
        whose: usize,
        published: Option<UnverifiedCheckpoint>,
    ) -> Result<bool, ReadError> {
        if let Some(before) = newest.checked_sub(1)
            && !self.leads(scene, before, newest, whose).await?
        {
            return Ok(false);
        }
        let Some(published) = published else { return Ok(true) };
        if !self.0.iter().any(|(key, _)| published.is_signed_by(key)) {
            return Ok(false);
        }
        match published.checkpoint.size.0.checked_sub(1).filter(|last| *last < newest) {
            Some(last) => self.leads(scene, last, newest, whose).await,
            // What it covers and the store does not show, the walk misses.
            None => Ok(true),
        }
    }

    /// Whether the key of a seal is the one that is asked about, or the seals up to the newest lead from it to that.
    async fn leads(&self, scene: Scene<'_>, from: u64, newest: u64, whose: usize) -> Result<bool, ReadError> {
        let Some((mut at, Some(mut key))) = self.stands(scene, from).await? else { return Ok(false) };
        // Each key signs a stretch of its own.
        for _ in 0..=self.0.len() {
            if key == whose {
                return Ok(true);
            }
            let (mut last, mut behind) = (at.statement.index, newest);
            while behind - last > 1 {
                let middle = last + (behind - last) / 2;
                match self.stands(scene, middle).await? {
                    Some((seal, _)) if self.is_by(&seal, key) => (last, at) = (middle, seal),
                    _ => behind = middle,
                }
            }
            let Some(next) = at.statement.next_vkey.as_ref().and_then(|next| self.place(next)) else { return Ok(false) };
            if next == whose {
                return Ok(true);
            }
            match self.stands(scene, last.saturating_add(1)).await? {
                Some((seal, _)) if self.is_by(&seal, next) => (at, key) = (seal, next),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}

/// Under whose signature a seal is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Of a key that is known.
    Known,
    /// Of any.
    Somebody,
}

/// Why the records of a seal could not all be read.
enum Lost {
    /// A segment is gone since its date.
    Gone,
    /// Which object, and why.
    Unread(String, String),
}

/// What seals hold that come newest first, oldest first.
fn entries(scene: Scene<'_>, holders: Vec<Holder>) -> BoxStream<'_, (Holder, Placed, Option<Lost>)> {
    let read = move |holder| entries_of(scene, holder).boxed();
    stream::iter(holders.into_iter().rev()).map(read).buffered(SEALS_AT_ONCE).boxed()
}

/// Entries, each with the segment that holds it.
type Placed = Vec<(SegmentId, Entry)>;

/// What the segments of one seal hold, in their order.
async fn entries_of(scene: Scene<'_>, holder: Holder) -> (Holder, Placed, Option<Lost>) {
    let (mut entries, mut lost, mut other) = (Vec::new(), None, None);
    for segment in &holder.segments {
        let stored = match stored(scene, segment).await {
            Ok(Some(stored)) => stored,
            Ok(None) if segment.lock.retain_until <= scene.now => {
                lost.get_or_insert(Lost::Gone);
                continue;
            }
            Ok(None) => {
                lost = Some(Lost::Unread(segment.key.clone(), "the segment is gone".to_owned()));
                continue;
            }
            Err(why) => {
                lost = Some(Lost::Unread(segment.key.clone(), why));
                continue;
            }
        };
        let class = segment.class.clone();
        match tokio::task::spawn_blocking(move || words(&stored, &class)).await.unwrap_or_else(|e| Err(e.to_string())) {
            Ok(Words { entries: read, lost: why, other: has_other }) => {
                let id = SegmentId::new(holder.index, &segment.sha256);
                entries.extend(read.into_iter().map(|entry| (id, entry)));
                lost = why.map(|why| Lost::Unread(segment.key.clone(), why)).or(lost);
                if has_other {
                    other.get_or_insert_with(|| segment.key.clone());
                }
            }
            Err(why) => lost = Some(Lost::Unread(segment.key.clone(), why)),
        }
    }
    if let (None, true, Some(segment)) = (&lost, entries.is_empty(), other) {
        lost = Some(Lost::Unread(segment, "it holds records of a schema that this version does not know".to_owned()));
    }
    (holder, entries, lost)
}

/// What a segment says of decrees.
struct Words {
    entries: Vec<Entry>,
    /// Why there may be more.
    lost: Option<String>,
    /// It holds records of an unknown schema.
    other: bool,
}

fn words(stored: &[u8], class: &str) -> Result<Words, String> {
    let (mut entries, mut lost) = (Vec::new(), None);
    let contents = read_segment(stored, class, |index, line, _| {
        // Lines are canonical, so the member of a control record has this form and no other; most lines need no second look.
        if memchr::memmem::find(line, br#""signal":"control""#).is_none() {
            return;
        }
        match Json::parse(line).ok().as_ref().and_then(word) {
            Some(Word::Entry(entry)) => entries.push(*entry),
            Some(Word::Broken(why)) => lost = Some(format!("line {index}, the record of a hold or an extension, cannot be read: {why}")),
            Some(Word::Newer(format)) => lost = Some(format!("line {index} has format `{format}`; a newer spanseal can read it")),
            None => {}
        }
    })
    .map_err(|error| error.to_string())?;
    Ok(Words { entries, lost, other: contents.other_schema > 0 })
}

/// The bytes that the seal signed; `None`: no version is there.
async fn stored(scene: Scene<'_>, segment: &SegmentRef) -> Result<Option<Bytes>, String> {
    let key = below(scene.log, &segment.key);
    let versions = scene.store.versions(&key).await.map_err(|e| e.to_string())?;
    let data: Vec<Version> = Group { key: key.clone(), versions }.data().cloned().collect();
    for version in candidates(segment, &data).filter(|v| v.size == segment.bytes) {
        let bytes = scene.store.get(&key, version.id.as_ref(), SEGMENT_BYTES_MAX).await.map_err(|e| e.to_string())?;
        if let Some(bytes) = bytes
            && hash(bytes.clone()).await == Some(segment.sha256)
        {
            return Ok(Some(bytes));
        }
    }
    if data.is_empty() { Ok(None) } else { Err("the stored bytes are not those that were sealed".to_owned()) }
}

/// What the walk shows of the seals that [`Decrees`] rests on.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The first seal that the store showed otherwise before.
    differs: Option<u64>,
    /// The first seal with a decree that was not read.
    unread: Option<u64>,
    /// The first seal for each open decree that nobody has said to have looked at for too long, by name.
    behind: BTreeMap<String, u64>,
}

impl Shown {
    /// A seal stands that was to be looked at: its records may be meant by what is open.
    pub(super) fn look(&mut self, decrees: Option<&Decrees>, statement: &Statement, now: UnixSeconds) {
        if statement.counts.promoted == 0 {
            return;
        }
        for open in decrees.into_iter().flat_map(Decrees::open) {
            if open.is_behind(statement.index, statement.sealed_at, now) && !self.behind.contains_key(&open.id) {
                self.behind.insert(open.id.clone(), statement.index);
            }
        }
    }

    /// Whether it is to be asked again what is open.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Says of which decrees the log does not say that they were carried out. `again`: what is on record by now.
    pub(super) fn end_behind(&self, again: &Decrees, sink: &mut Sink) {
        for (id, index) in &self.behind {
            let Some(open) = again.open().find(|open| open.id == *id && open.through <= *index) else { continue };
            let (what, now) = match open.order {
                Order::Hold => {
                    ("hold", "what it means there may be unheld: let `serve` run, or ask the operator for `hold place --resume`")
                }
                Order::Extend(_) => {
                    ("extension", "what it means there may be gone too soon: ask the operator for `retention extend --resume`")
                }
            };
            let why =
                format!("the {what} `{id}` is open, and nothing says that it was carried out at seal {} and behind: {now}", open.through);
            sink.unchecked(&seal_object(*index), Some(*index), why);
        }
    }

    /// A seal stands.
    pub(super) fn pass(&mut self, decrees: Option<&Decrees>, seal: &SealFile, now: UnixSeconds) {
        let statement = &seal.statement;
        let index = statement.index;
        match decrees.and_then(|decrees| decrees.links.get(&index)) {
            Some(link) if link.leaf == seal.leaf() => {}
            Some(_) => drop(self.differs.get_or_insert(index)),
            None if statement.decrees == Some(index) => {
                // A log that is being written has newer ones by now; nothing is demanded for them yet.
                let newer = decrees.and_then(|decrees| decrees.newest).is_some_and(|newest| index > newest);
                if !newer || statement.sealed_at.0 < now.0.saturating_sub(CLOCKS_APART_MAX_SECONDS) {
                    self.unread.get_or_insert(index);
                }
            }
            None => {}
        }
    }

    /// Says what was not shown. `signed`: whether a key of the log signed a checkpoint. `gone`: whether a segment is gone since its date.
    pub(super) fn end(&self, decrees: &Decrees, signed: impl Fn(&UnverifiedCheckpoint) -> bool, gone: bool, sink: &mut Sink) {
        let said = |why: &str| format!("which holds and extensions are in force: {why}");
        for (object, seal, why) in &decrees.unread {
            sink.unchecked(object, Some(*seal), said(why));
        }
        if let Some(index) = self.unread {
            sink.unchecked(
                &seal_object(index),
                Some(index),
                said("it holds a record of one, to which the chain from the newest seal does not lead"),
            );
        }
        if let Some(index) = self.differs {
            sink.unchecked(&seal_object(index), Some(index), said("the store showed another seal here when it was asked first"));
        }
        let stranger = decrees.links.iter().find(|(_, link)| !link.is_signed(&signed));
        // Where none is named and nothing is gone, there is nothing that it could have kept.
        if let Some((index, _)) = stranger.filter(|_| decrees.any || gone) {
            let why = "this seal is signed by a key to which the seals that were looked at do not lead; verify the whole log for that";
            sink.unchecked(&seal_object(*index), Some(*index), said(why));
        }
        let Some((index, sealed_at)) = decrees.gone else { return };
        // What an order says that is still in force is lost with the records of its steps. An extension lasts until a date that is not known any more.
        let open = decrees.ledger.open().iter().find(|d| d.order == Order::Hold && d.since <= sealed_at);
        match open {
            Some(hold) => {
                let why =
                    format!("records of the hold `{}`, which is open, are gone since their date: not all that it keeps is known", hold.id);
                sink.unchecked(&seal_object(index), Some(index), said(&why));
            }
            None => {
                // KNOWN GAP: an extension, or a hold without a later record, that lasts longer than the class that its own records are in.
                let meaning = "The records of holds and extensions up to this seal are gone since their date, as planned. What they ordered is not \
                               known any more, unless later records say it.";
                sink.note(Item::new(Kind::NotCovered, seal_object(index), meaning).seal(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(signal: &str, kind: &str, filter: &str) -> Json {
        Json::object([
            ("control", Json::object([("filter", Json::string(filter))])),
            ("kind", Json::string(kind)),
            ("schema", Json::string(SCHEMA)),
            ("source", Json::object([("signal", Json::string(signal))])),
        ])
    }

    /// Only a control record of a hold or an extension says something of one, in whatever format a later program writes.
    #[test]
    fn only_control_records_of_decrees_speak() {
        let newer = r#"{"format":"spanseal.decrees/2"}"#;
        for kind in ["hold", "retention"] {
            assert!(matches!(word(&record("control", kind, newer)), Some(Word::Newer(format)) if format == "spanseal.decrees/2"), "{kind}");
            assert!(matches!(word(&record("control", kind, r#"{"format":"spanseal.decrees/1"}"#)), Some(Word::Broken(_))), "{kind}");
        }
        for (signal, kind, filter) in [
            ("span", "hold", newer),
            ("log", "retention", newer),
            ("control", "event", newer),
            ("control", "config_change", newer),
            ("control", "hold", r#"{"format":"spanseal.status/1"}"#),
            ("control", "hold", r#"{"format":2}"#),
            ("control", "hold", "not JSON"),
        ] {
            assert!(word(&record(signal, kind, filter)).is_none(), "{signal} {kind} {filter}");
        }
        let text = record("control", "hold", newer).to_jcs_string();
        assert!(word(&Json::parse(text.replace(SCHEMA, "spanseal.record/2").as_bytes()).unwrap()).is_none());
        assert!(word(&Json::object([("kind", Json::string("hold")), ("schema", Json::string(SCHEMA))])).is_none());
    }

    fn statement(decrees: Option<u64>) -> Statement {
        let time = UnixSeconds(1_800_000_000);
        Statement {
            log: "x/log".into(),
            index: 9,
            sealed_at: time,
            started: time,
            previous: None,
            segments: Vec::new(),
            counts: Default::default(),
            config_sha256: crate::tlog::Hash([0; 32]),
            next_by: None,
            next_vkey: None,
            not_worm: false,
            decrees,
        }
    }

    /// A statement names itself where its segments hold a record of a decree, and else what the seal before names. Where one of the two is not known,
    /// only what cannot be is found.
    #[test]
    fn what_a_statement_says_of_decrees_is_held_to_what_is_known() {
        let wrong = |says, before, holds| contradicted(&statement(says), before, holds).and_then(|item| item.expected);
        let none = || Some("none".to_owned());
        let seal = |index: u64| Some(format!("seal {index}"));
        for before in [None, Some(None), Some(Some(4))] {
            assert_eq!(wrong(Some(9), before, Some(true)), None, "{before:?}");
            assert_eq!(wrong(Some(9), before, None), None, "{before:?}: it may hold one");
            for says in [None, Some(4), Some(8)] {
                assert_eq!(wrong(says, before, Some(true)), seal(9), "{says:?} {before:?}");
            }
        }
        // Its own index without a record, whatever came before.
        assert_eq!(wrong(Some(9), None, Some(false)), none());
        assert_eq!(wrong(Some(9), Some(None), Some(false)), none());
        assert_eq!(wrong(Some(9), Some(Some(4)), Some(false)), seal(4));
        for holds in [None, Some(false)] {
            assert_eq!((wrong(None, None, holds), wrong(Some(4), None, holds)), (None, None));
            assert_eq!((wrong(None, Some(None), holds), wrong(Some(4), Some(Some(4)), holds)), (None, None));
            assert_eq!((wrong(Some(4), Some(None), holds), wrong(None, Some(Some(4)), holds)), (none(), seal(4)));
            assert_eq!(wrong(Some(5), Some(Some(4)), holds), seal(4));
        }
    }

    /// A second look counts only where it goes on from the first: what was never begun, shows less, or could not be read takes nothing back.
    #[test]
    fn a_second_look_goes_on_from_the_first() {
        let read = |newest, last_read| Decrees { newest, last_read, ..Decrees::default() };
        let before = read(Some(4), true);
        let follows = |now: &Decrees| now.follows(&before, |_| true);
        assert!(follows(&read(Some(4), true)) && follows(&read(Some(5), true)));
        for less in [read(None, true), read(Some(3), true), read(Some(4), false)] {
            assert!(!follows(&less), "{less:?}");
        }
        let gone = Decrees { gone: Some((2, UnixSeconds(1))), ..read(Some(4), true) };
        assert!(!follows(&gone));
        let mut unread = read(Some(4), true);
        unread.unread("seals/", 4, "no answer");
        assert!(!follows(&unread));
    }
}
