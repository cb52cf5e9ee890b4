//! One true seal's objects: its own versions and lock, those of the tiles that it completes, and each segment that it names, from locator
//! to records.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;

use super::Depth;
use super::configuration::{self, Configuration};
use super::cosignatures::{self, Listed, Said};
use super::decrees::{Decrees, contradicted, unreadable};
use super::demands::Demand;
use super::doubt::{impossible, received_after};
use super::expiry::Named;
use super::listing::Group;
use super::locks::{Held, LockTable};
use super::report::{Item, Kind, Sink};
use super::segment::{Contents, DecreeLines, SegmentError, contradictions, read_segment};
use super::stamps::Attached;
use crate::clock::UnixSeconds;
use crate::govern::decrees::SegmentId;
use crate::plain::counted;
use crate::tlog::Hash;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::worm::{Lock, ReadError, SEGMENT_BYTES_MAX, VERSIONS_READ_MAX, Version, VersionId, WormStore, below};

/// What every check needs.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) store: &'a dyn WormStore,
    pub(super) log: &'a str,
    pub(super) now: UnixSeconds,
    pub(super) due: UnixSeconds,
    pub(super) depth: Depth,
    /// Witnesses whose keys the auditor brings.
    pub(super) witnesses: &'a [WitnessKey],
    /// Holds and extensions on record, once they were read.
    pub(super) decrees: &'a OnceLock<Decrees>,
}

/// A seal whose place in the chain is established, and what it names.
pub(super) struct Sealed {
    pub(super) statement: Statement,
    /// Key of the seal below the log, and the version that is the truth.
    pub(super) object: String,
    pub(super) version: Option<VersionId>,
    pub(super) markers: usize,
    /// Full tiles that it completes and that are there, by their keys below the log.
    pub(super) tiles: Vec<String>,
    /// Time stamps of it, whose form is right.
    pub(super) attached: Vec<Attached>,
    /// Under which configuration the seal directly before stands, where it is known.
    pub(super) configuration_before: Option<Hash>,
    /// What that seal says of decrees, where it is known.
    pub(super) decrees_before: Option<Option<u64>>,
    /// The versions of each segment that the statement names, in its order; `Err` where they could not be listed.
    pub(super) segments: Vec<Result<Group, ReadError>>,
    /// The text of the checkpoint that the seal carries.
    pub(super) text: String,
    /// What witnesses said of it.
    pub(super) cosignatures: Result<Listed, ReadError>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) sink: Sink,
    /// For what is judged in the order of seals.
    pub(super) read: Option<configuration::Read>,
    pub(super) said: Said,
    pub(super) segments: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) locks_read: u64,
    pub(super) locks_unread: u64,
    pub(super) held: LockTable,
    /// Segments that are there, and that are gone since their date.
    pub(super) named: Vec<Named>,
    /// What is found because a hold is open, with the segments that it keeps: it may be released while the log is read.
    pub(super) by_hold: Vec<(Vec<SegmentId>, Item)>,
    /// Records by the service that they name.
    pub(super) sources: BTreeMap<Option<String>, u64>,
}

/// Reads the locks of one seal and its tiles, checks its segments and counts.
pub(super) async fn check_sealed(scene: Scene<'_>, mut sealed: Sealed) -> Outcome {
    let mut out = Outcome::default();
    let listed = std::mem::take(&mut sealed.segments);
    let cosignatures = std::mem::replace(&mut sealed.cosignatures, Ok(Listed::default()));
    let statement = &sealed.statement;
    let seal = Some(statement.index);
    let mut locks = Vec::new();
    if !statement.not_worm {
        locks.extend(Held::read(scene, &mut out, seal, &sealed.object, sealed.version.as_ref()).await);
    }
    let demand = Demand::of_seal(scene, statement);
    if let Some(held) = locks.first() {
        judge_hold(scene, &mut out, &demand, (held, sealed.version.as_ref()), statement.index).await;
    }
    let stated = demand.least(statement.segments.iter().map(|s| s.lock).reduce(Lock::join), scene.now);
    let held = locks.first().and_then(|held| held.lock).or(stated).filter(|_| !demand.is_held());
    check_markers(scene, &mut out.sink, statement.index, &sealed.object, sealed.markers, held);
    if !statement.not_worm {
        for tile in &sealed.tiles {
            locks.extend(Held::read(scene, &mut out, seal, tile, None).await);
        }
        for Attached { object, version } in &sealed.attached {
            locks.extend(Held::read(scene, &mut out, seal, object, version.as_ref()).await);
        }
    }

    locks.extend(cosignatures::check(scene, &mut out, &sealed, cosignatures).await);

    for doubt in impossible(statement) {
        out.sink.finding(doubt.finding(&sealed.object, statement.index));
    }

    let mut sums = Counted::default();
    let mut complete = true;
    // Under the configuration of the seal before there is no record of another one in it.
    let only_looked = scene.depth == Depth::Locks && sealed.configuration_before == Some(statement.config_sha256);
    for (segment, listed) in statement.segments.iter().zip(listed) {
        if only_looked {
            look_at_segment(scene, &mut out, statement, segment, listed).await;
            continue;
        }
        match check_segment(scene, &mut out, statement, segment, listed).await {
            Some(contents) => {
                judge_decrees(&contents.decrees, &mut out.sink, &segment.key, statement.index);
                sums.take(contents);
            }
            None => complete = false,
        }
    }
    sums.judge(&sealed, complete && !only_looked, &mut out.sink);
    out.sources = sums.sources;
    let recorded = sums.configurations;
    let extended = demand.extended;
    let Sealed { statement, object, configuration_before: before, .. } = sealed;
    out.read = Some(configuration::Read { statement, object, locks, extended, before, recorded, complete });
    out
}

/// What the segments of one seal were found to hold.
#[derive(Default)]
struct Counted {
    records: u64,
    control: u64,
    /// Of a schema that this version does not know.
    other: u64,
    /// Whether there is a record of a hold or an extension.
    decrees: bool,
    configurations: Vec<Configuration>,
    /// Records by the service that they name.
    sources: BTreeMap<Option<String>, u64>,
}

impl Counted {
    fn take(&mut self, contents: Contents) {
        self.control += contents.control;
        self.records += contents.records;
        self.other += contents.other_schema;
        self.decrees |= contents.decrees.is_any();
        self.configurations.extend(contents.configuration);
        for (service, records) in contents.sources {
            *self.sources.entry(service).or_default() += records;
        }
    }

    /// Holds it against what the statement says. `whole`: every segment could be read; one that could not was reported, and the sums say
    /// something only over all of them.
    fn judge(&self, sealed: &Sealed, whole: bool, sink: &mut Sink) {
        let Sealed { statement, object, .. } = sealed;
        let most = self.records - self.control;
        if whole && !(most - self.other..=most).contains(&statement.counts.promoted) {
            let meaning = "The statement's count of promoted records is not what its segments hold. The records themselves are as signed; \
                           ask the operator how the count arose.";
            sink.finding(
                Item::new(Kind::CountPromoted, object, meaning)
                    .seal(statement.index)
                    .expected(format!("{} promoted", statement.counts.promoted))
                    .found(format!("{most} records that are not control records"))
                    .intact(),
            );
        }
        // A record that could not be read, or that this version does not know, may be one.
        let holds = if self.decrees { Some(true) } else { (whole && self.other == 0).then_some(false) };
        if let Some(item) = contradicted(statement, sealed.decrees_before, holds) {
            sink.finding(item);
        }
        if self.other > 0 {
            let meaning =
                "Records of a schema that this version does not know: hashed and counted, shown raw, their members not interpreted.";
            let found = counted(self.other, "record", "records");
            sink.note(Item::new(Kind::OtherSchema, object, meaning).seal(statement.index).found(found).intact());
        }
    }
}

/// Records of holds and extensions that cannot be read.
fn judge_decrees(lines: &DecreeLines, sink: &mut Sink, segment: &str, seal: u64) {
    if let Some((line, why)) = &lines.broken {
        sink.finding(unreadable(segment, seal, *line, why));
    }
    if let Some((line, format)) = &lines.newer {
        let why = format!("the record of a hold or an extension in line {line} has format `{format}`; a newer spanseal can read it");
        sink.unchecked(segment, Some(seal), why);
    }
}

/// Delete markers: somebody issued a DELETE. Over an object whose time has come that is housekeeping.
pub(super) fn check_markers(scene: Scene<'_>, sink: &mut Sink, seal: u64, object: &str, markers: usize, lock: Option<Lock>) {
    if markers == 0 {
        return;
    }
    let found = counted(markers, "delete marker", "delete markers");
    if lock.is_some_and(|l| l.retain_until <= scene.now) {
        let meaning = "A DELETE hides an object whose retention is over. Expected housekeeping.";
        sink.note(Item::new(Kind::MarkerPastDate, object, meaning).seal(seal).found(found).intact());
    } else {
        let meaning = "Somebody issued a DELETE: the object is hidden from plain reads, but its locked version is still there: a \
                       reader who asks for versions gets it. Remove the delete marker and find out who sent the DELETE.";
        sink.finding(Item::new(Kind::Hidden, object, meaning).seal(seal).expected("no delete marker").found(found).intact());
    }
}

/// Finds the version that is the segment, checks lock and content. `None` where the content could not be established.
async fn check_segment(
    scene: Scene<'_>,
    out: &mut Outcome,
    statement: &Statement,
    segment: &SegmentRef,
    listed: Result<Group, ReadError>,
) -> Option<Contents> {
    let seal = statement.index;
    let group = match listed {
        Ok(group) => group,
        Err(error) => {
            out.sink.unchecked(&segment.key, Some(seal), error);
            return None;
        }
    };
    let markers = group.markers();
    let data: Vec<Version> = group.data().cloned().collect();
    if data.is_empty() {
        missing_segment(scene, out, seal, segment, markers);
        return None;
    }
    let (version, stored) = locate(scene, out, seal, segment, &data).await?;
    judge_segment(scene, out, statement, (segment, version.as_ref()), markers).await;
    other_versions(scene, out, seal, segment, &data, version.as_ref()).await;

    let (class, bytes) = (segment.class.clone(), u64::try_from(stored.len()).unwrap_or(u64::MAX));
    // Hashing and decoding take long: they leave the async threads.
    let read = tokio::task::spawn_blocking(move || read_segment(&stored, &class, |_, _, _| {})).await;
    let contents = match read {
        Ok(Ok(contents)) => contents,
        Ok(Err(error)) => {
            malformed_segment(out, seal, segment, &error);
            return None;
        }
        Err(error) => {
            out.sink.unchecked(&segment.key, Some(seal), format!("the checking thread ended early: {error}"));
            return None;
        }
    };
    let late = contents.received.and_then(|(line, at)| {
        let place = format!(" in line {}", line.saturating_add(1));
        received_after(at, statement.sealed_at, &place)
    });
    if let Some(doubt) = late {
        out.sink.finding(doubt.finding(&segment.key, seal));
    }
    let contradictions = contradictions(segment, &contents);
    let whole = contradictions.is_empty();
    for contradiction in contradictions {
        let meaning = format!(
            "The seal signed this segment, but states a `{}` that its records do not have. The writer sealed something false or was \
             altered: treat the records of this seal as unproven and ask the operator.",
            contradiction.member
        );
        let item = Item::new(Kind::SegmentContent, &segment.key, meaning).seal(seal);
        out.sink.finding(item.expected(contradiction.expected).found(contradiction.found).lost());
    }
    if whole {
        out.segments += 1;
        out.records = out.records.saturating_add(contents.records);
        out.bytes = out.bytes.saturating_add(bytes);
    }
    Some(contents)
}

/// Finds the version that the seal names, by its size alone where the seal names none, and looks at its lock.
async fn look_at_segment(
    scene: Scene<'_>,
    out: &mut Outcome,
    statement: &Statement,
    segment: &SegmentRef,
    listed: Result<Group, ReadError>,
) {
    let seal = statement.index;
    let group = match listed {
        Ok(group) => group,
        Err(error) => return out.sink.unchecked(&segment.key, Some(seal), error),
    };
    let markers = group.markers();
    let data: Vec<Version> = group.data().cloned().collect();
    if data.is_empty() {
        return missing_segment(scene, out, seal, segment, markers);
    }
    let named = data.iter().find(|v| v.id.is_some() && v.id == segment.version_id);
    let version = match named {
        Some(version) if version.size == segment.bytes => version.id.clone(),
        // Which of the others it is, only its bytes tell; and of another size it is what somebody made of it.
        _ => match locate(scene, out, seal, segment, &data).await {
            Some((version, _)) => version,
            None => return,
        },
    };
    judge_segment(scene, out, statement, (segment, version.as_ref()), markers).await;
    other_versions(scene, out, seal, segment, &data, version.as_ref()).await;
    out.segments += 1;
    // Stated and not counted: any number.
    out.records = out.records.saturating_add(segment.records);
    out.bytes = out.bytes.saturating_add(segment.bytes);
}

/// Looks whether an object that a hold keeps is on legal hold. A hold that is not shown may only be hidden from who asks.
async fn judge_hold(scene: Scene<'_>, out: &mut Outcome, demand: &Demand<'_>, (held, version): (&Held, Option<&VersionId>), seal: u64) {
    let Some(item) = demand.hold_missing(held, seal) else { return };
    match scene.store.is_on_hold(&below(scene.log, &held.object), version).await {
        Ok(Some(true)) => {}
        Ok(_) => out.by_hold.push((demand.ids.clone(), item)),
        Err(error) => {
            out.locks_unread += 1;
            out.sink.unchecked(&held.object, Some(seal), format!("whether it is on legal hold: {error}"));
        }
    }
}

/// Looks at what keeps a segment that is there: its lock, holds on it, and whether it is hidden.
async fn judge_segment(
    scene: Scene<'_>,
    out: &mut Outcome,
    statement: &Statement,
    (segment, version): (&SegmentRef, Option<&VersionId>),
    markers: usize,
) {
    let seal = statement.index;
    let demand = Demand::of(scene, seal, segment);
    let least = demand.least(Some(segment.lock), scene.now);
    let held = if statement.not_worm { None } else { Held::read(scene, out, Some(seal), &segment.key, version).await };
    if let Some(item) = held.as_ref().and_then(|held| held.judge(least, Some(seal), scene.now)) {
        out.sink.finding(demand.explain(item));
    }
    if let Some(held) = &held {
        judge_hold(scene, out, &demand, (held, version), seal).await;
    }
    // On hold its date is not what it waits for.
    let lock = held.and_then(|held| held.lock).or(least).filter(|_| !demand.is_held());
    check_markers(scene, &mut out.sink, seal, &segment.key, markers, lock);
    out.named.push(Named::there(segment));
}

fn missing_segment(scene: Scene<'_>, out: &mut Outcome, seal: u64, segment: &SegmentRef, markers: usize) {
    let found = if markers > 0 { "only delete markers" } else { "nothing" };
    let expected = format!("an object with SHA-256 {}", segment.sha256);
    let demand = Demand::of(scene, seal, segment);
    let kept_by = demand.kept_by(scene.now);
    let over = segment.lock.retain_until <= scene.now;
    if over && kept_by.is_none() {
        return out.named.push(Named::gone(segment));
    }
    let (why, expected) = match kept_by.filter(|_| over) {
        Some(kept) => ("though a hold or an extension keeps it beyond its date", format!("{expected}, {kept}")),
        None => ("before its time", expected),
    };
    let meaning = format!(
        "A sealed segment is gone {why}, and its {} records with it. Restore the object from a copy (the seal's SHA-256 proves a true one), \
         with its lock; then place each hold that is open anew (`spanseal hold place --matter NAME --resume`), and find out who could delete it.",
        segment.records
    );
    let item = Item::new(Kind::SegmentMissing, &segment.key, meaning).seal(seal).expected(expected).found(found).lost();
    match over && demand.extended.is_none_or(|lock| lock.retain_until <= scene.now) {
        true => out.by_hold.push((demand.ids, item)),
        false => out.sink.finding(item),
    }
}

fn malformed_segment(out: &mut Outcome, seal: u64, segment: &SegmentRef, error: &SegmentError) {
    let meaning = "The bytes are those that the seal signed, but they are not a segment as the format demands, so two readers could read \
                   two things. Treat its records as unproven and ask the operator what wrote them.";
    let item = Item::new(Kind::SegmentForm, &segment.key, meaning).seal(seal);
    out.sink.finding(item.expected("one zstd frame of canonical lines within the limits").found(error).lost());
}

/// The version with the sha256 that the seal signed: the one it names first, then any (`store.md`: "`version_id` is a locator").
async fn locate(
    scene: Scene<'_>,
    out: &mut Outcome,
    seal: u64,
    segment: &SegmentRef,
    data: &[Version],
) -> Option<(Option<VersionId>, Bytes)> {
    let key = below(scene.log, &segment.key);
    let (mut found, mut unread) = (None, None);
    for version in candidates(segment, data) {
        match scene.store.get(&key, version.id.as_ref(), SEGMENT_BYTES_MAX).await {
            Ok(Some(bytes)) => {
                let sha256 = hash(bytes.clone()).await;
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                if sha256 == Some(segment.sha256) && size == segment.bytes {
                    return Some((version.id.clone(), bytes));
                }
                found.get_or_insert_with(|| match sha256 {
                    Some(sha256) => format!("{size} bytes with SHA-256 {sha256}"),
                    None => "bytes that could not be hashed".to_owned(),
                });
            }
            Ok(None) => {}
            Err(ReadError::TooLarge { size, .. }) => {
                found.get_or_insert_with(|| format!("{size} bytes"));
            }
            Err(error) => unread = Some(error),
        }
    }
    if let Some(error) = unread {
        out.sink.unchecked(&segment.key, Some(seal), error);
        return None;
    }
    if data.len() > VERSIONS_READ_MAX {
        let why = format!("{} versions lie over it, of which {VERSIONS_READ_MAX} were read, and none of these is the segment", data.len());
        out.sink.unchecked(&segment.key, Some(seal), why);
        return None;
    }
    let meaning = format!(
        "The stored bytes are not those that were sealed: its {} records cannot be proved. Restore the object from a copy (the seal's \
         SHA-256 proves a true one) and find out who changed it.",
        segment.records
    );
    let item = Item::new(Kind::SegmentBytes, &segment.key, meaning).seal(seal);
    let expected = format!("{} bytes with SHA-256 {}", segment.bytes, segment.sha256);
    out.sink.finding(item.expected(expected).found(found.unwrap_or_else(|| "nothing readable".to_owned())).lost());
    None
}

/// Versions that may be the segment, as many as are looked at: the one that the seal names, and then the oldest.
pub(super) fn candidates<'v>(segment: &SegmentRef, data: &'v [Version]) -> impl Iterator<Item = &'v Version> {
    let named = data.iter().find(|v| v.id == segment.version_id);
    let others = data.iter().filter(move |v| named.is_none_or(|named| named.id != v.id));
    named.into_iter().chain(others.take(VERSIONS_READ_MAX))
}

pub(super) async fn hash(bytes: Bytes) -> Option<Hash> {
    tokio::task::spawn_blocking(move || Hash::of(&bytes)).await.ok()
}

/// Versions of the key that are not the segment.
async fn other_versions(scene: Scene<'_>, out: &mut Outcome, seal: u64, segment: &SegmentRef, data: &[Version], truth: Option<&VersionId>) {
    let key = below(scene.log, &segment.key);
    let others = data.iter().filter(|v| v.id.as_ref() != truth);
    if let Some(more) = others.clone().count().checked_sub(VERSIONS_READ_MAX).filter(|more| *more > 0) {
        let meaning = "Somebody wrote more versions over this segment than a reader looks at. The one that the seal names is there; what the \
                       others are was not looked at. Find out who can write here.";
        let item = Item::new(Kind::Flooded, &segment.key, meaning).seal(seal);
        out.sink.finding(item.found(counted(more, "further version", "further versions")).intact());
    }
    for version in others.take(VERSIONS_READ_MAX) {
        let same = if version.size != segment.bytes {
            Ok(false)
        } else {
            match scene.store.get(&key, version.id.as_ref(), SEGMENT_BYTES_MAX).await {
                Ok(Some(bytes)) => Ok(hash(bytes).await == Some(segment.sha256)),
                Ok(None) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let name = version.id.as_ref().map_or("-", |id| id.0.as_str());
        match same {
            Ok(true) => {
                let meaning = "The same bytes were stored once more. Harmless.";
                out.sink.note(Item::new(Kind::Duplicate, &segment.key, meaning).seal(seal).found(format!("version {name}")).intact());
            }
            Ok(false) => {
                out.sink.finding(foreign(&segment.key, seal, name, &format!("{} bytes", version.size)));
            }
            Err(error) => out.sink.unchecked(&segment.key, Some(seal), error),
        }
    }
}

/// A version over an object of the log that the log never wrote.
pub(super) fn foreign(object: &str, seal: u64, version: &str, what: &str) -> Item {
    let meaning = "Somebody wrote another version over an object of the log. The true version is still there; plain reads may show the false one. \
                   Find out who can write here.";
    Item::new(Kind::ForeignVersion, object, meaning).seal(seal).found(format!("version {version}: {what}")).intact()
}
