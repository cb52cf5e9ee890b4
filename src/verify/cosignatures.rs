//! What witnesses said of one seal's tree: each stored cosignature against the checkpoint that the seal itself carries, under the keys that the
//! auditor brings. Nobody else's word counts for anything, and what anybody could have put there is no proof against the log either.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Serialize;

use super::listing::Group;
use super::locks::Held;
use super::objects::{Outcome, Scene, Sealed, check_markers, foreign};
use super::report::{Item, Kind, Sink};
use crate::clock::UnixSeconds;
use crate::plain::counted;
use crate::tlog::Hash;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{NoteError, UnverifiedCheckpoint};
use crate::tlog::seal_file::Statement;
use crate::worm::{Lock, NOTE_FILE_BYTES_MAX, ReadError, VERSIONS_READ_MAX, Version, parse_cosignature_name};

/// Most cosignatures of one seal that are looked at: more than any log has witnesses, and an intruder may plant millions.
pub(super) const PER_SEAL_MAX: usize = 64;
/// Names of witnesses without a brought key that are told, of one log.
const STRANGERS_MAX: usize = 16;
/// How far two clocks may be apart before it is noted, seconds.
const CLOCKS_APART_MAX_SECONDS: i64 = 300;

/// How far the witnesses that the auditor trusts have cosigned a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    /// Tree size up to which `quorum` of them have; none where they have not. A cosignature covers all that came before.
    pub up_to: Option<u64>,
    /// How many have to agree.
    pub quorum: usize,
    /// Each witness.
    pub witnesses: Vec<Seen>,
}

/// How far one witness has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Tree size of the newest checkpoint that it cosigned.
    pub up_to: Option<u64>,
    /// What was sealed since.
    #[serde(skip)]
    pub(super) since: Since,
}

/// What was sealed behind the newest checkpoint that a witness cosigned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The first seal and the last, and when the first was made.
    pub(super) seals: Option<(u64, u64, UnixSeconds)>,
    /// The first seal that names segments, and when it was made.
    pub(super) records: Option<(u64, UnixSeconds)>,
}

impl Since {
    fn pass(&mut self, statement: &Statement) {
        let (index, at) = (statement.index, statement.sealed_at);
        let (_, last, _) = self.seals.get_or_insert((index, index, at));
        *last = index;
        if !statement.segments.is_empty() {
            self.records.get_or_insert((index, at));
        }
    }
}

impl Cosigned {
    pub(super) fn new(witnesses: &[WitnessKey], quorum: usize) -> Self {
        let seen = |key: &WitnessKey| Seen { name: key.name().to_owned(), ..Seen::default() };
        Cosigned { up_to: None, quorum, witnesses: witnesses.iter().map(seen).collect() }
    }

    /// The next seal, before what was said of it.
    pub(super) fn pass(&mut self, statement: &Statement) {
        self.witnesses.iter_mut().for_each(|seen| seen.since.pass(statement));
    }

    /// "2 witnesses": those whose keys were brought.
    pub(super) fn brought(&self) -> String {
        counted(self.witnesses.len(), "witness", "witnesses")
    }

    /// How many of them have cosigned as far as the quorum, where it has.
    pub(super) fn reached(&self) -> usize {
        self.witnesses.iter().filter(|seen| seen.up_to >= self.up_to).count()
    }

    /// What was sealed since the newest checkpoint that the quorum cosigned; none where there is no such.
    pub(super) fn since(&self) -> Option<Since> {
        self.witnesses.iter().find(|seen| self.up_to.is_some() && seen.up_to == self.up_to).map(|seen| seen.since)
    }

    /// A witness cosigned the checkpoint of the seal that was passed last.
    pub(super) fn saw(&mut self, nth: usize, size: u64) {
        if let Some(seen) = self.witnesses.get_mut(nth) {
            (seen.up_to, seen.since) = (seen.up_to.max(Some(size)), Since::default());
        }
        self.count();
    }

    /// Forgets what one of them saw. Answers whether it saw anything.
    pub(super) fn forget(&mut self, nth: usize) -> bool {
        let saw = self.witnesses.get_mut(nth).and_then(|seen| seen.up_to.take()).is_some();
        self.count();
        saw
    }

    fn count(&mut self) {
        let mut sizes: Vec<u64> = self.witnesses.iter().filter_map(|seen| seen.up_to).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        self.up_to = self.quorum.checked_sub(1).and_then(|at| sizes.get(at).copied());
    }
}

/// What one seal's cosignatures came to.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Tree size, and which of the brought keys verify over it.
    pub(super) by: Option<(u64, Vec<usize>)>,
    /// Names of other keys whose lines are there.
    pub(super) strangers: Strangers,
}

/// Witnesses whose keys were not brought. Bounded: names are anybody's.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    names: BTreeSet<String>,
    lines: u64,
}

impl Strangers {
    fn add(&mut self, name: &str) {
        self.lines += 1;
        if self.names.len() < STRANGERS_MAX {
            self.names.insert(name.chars().take(128).collect());
        }
    }

    pub(super) fn merge(&mut self, other: Strangers) {
        self.lines += other.lines;
        self.names.extend(other.names);
        while self.names.len() > STRANGERS_MAX {
            self.names.pop_last();
        }
    }

    /// One note for all of them. `configured`: names of the witnesses in the configuration on record.
    pub(super) fn end(self, configured: &[String], sink: &mut Sink) {
        if self.lines == 0 {
            return;
        }
        let named: Vec<String> = self
            .names
            .iter()
            .map(|name| {
                let whose = if configured.contains(name) { " (named in the configuration on record)" } else { "" };
                format!("`{}`{whose}", name.escape_debug())
            })
            .collect();
        let meaning = "Witnesses cosigned checkpoints of this log whose keys you did not bring, so what they say counts for nothing here. Whoever \
                       runs them can give you their keys; bring them with --witness.";
        let item = Item::new(Kind::CosignatureUnknown, "cosignatures/", meaning);
        sink.note(item.found(format!("{} cosignature(s) by {}", self.lines, named.join(", "))));
    }
}

/// The cosignatures of one seal, as listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) groups: Vec<Group>,
    /// How many were not kept.
    pub(super) more: u64,
}

/// Checks them all. Answers with the locks of those that are of the log.
pub(super) async fn check(scene: Scene<'_>, out: &mut Outcome, sealed: &Sealed, listed: Result<Listed, ReadError>) -> Vec<Held> {
    let index = sealed.statement.index;
    let folder = format!("cosignatures/{index:020}/");
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            out.sink.unchecked(&folder, Some(index), error);
            return Vec::new();
        }
    };
    if listed.more > 0 {
        let meaning =
            "More cosignatures lie below one seal than a log has witnesses. The first were looked at. Find out who can write here.";
        let found = format!("{} further objects", listed.more);
        out.sink.finding(Item::new(Kind::Flooded, &folder, meaning).seal(index).found(found).intact());
    }
    let mut locks = Vec::new();
    for group in listed.groups {
        let Some(object) = group.key.as_str().strip_prefix(scene.log).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned) else {
            continue;
        };
        match find(scene, out, index, &object, &group).await {
            Some((version, bytes)) => {
                let held = match sealed.statement.not_worm {
                    true => None,
                    false => Held::read(scene, out, Some(index), &object, version.id.as_ref()).await,
                };
                let lock = held.as_ref().and_then(|held| held.lock).or(least(sealed));
                check_markers(scene, &mut out.sink, index, &object, group.markers(), lock);
                judge(scene, out, sealed, &object, &bytes);
                locks.extend(held);
            }
            None if group.data().next().is_none() => gone(scene, out, sealed, &object),
            None => {}
        }
    }
    locks
}

/// The least lock that is known without the configuration.
fn least(sealed: &Sealed) -> Option<Lock> {
    sealed.statement.segments.iter().map(|s| s.lock).reduce(Lock::join)
}

/// The oldest version whose name fits its bytes; all others are told.
async fn find(scene: Scene<'_>, out: &mut Outcome, index: u64, object: &str, group: &Group) -> Option<(Version, Bytes)> {
    let short = parse_cosignature_name(object).map(|(_, short)| short.to_owned())?;
    let mut found: Option<(Version, Bytes)> = None;
    let (mut others, mut unread) = (Vec::new(), false);
    for version in group.data().take(VERSIONS_READ_MAX) {
        let bytes = match scene.store.get(&group.key, version.id.as_ref(), NOTE_FILE_BYTES_MAX).await {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(ReadError::TooLarge { .. }) => Bytes::new(),
            Err(error) => {
                unread = true;
                out.sink.unchecked(object, Some(index), error);
                continue;
            }
        };
        match &found {
            None if Hash::of(&bytes).to_string().starts_with(&short) => found = Some((version.clone(), bytes)),
            Some((_, true_bytes)) if *true_bytes == bytes => {
                let meaning = "The same bytes were stored once more. Harmless.";
                out.sink.note(Item::new(Kind::Duplicate, object, meaning).seal(index).intact());
            }
            _ => others.push(version.clone()),
        }
    }
    let name = |version: &Version| version.id.as_ref().map_or_else(|| "-".to_owned(), |id| id.0.clone());
    if found.is_some() {
        for other in others {
            out.sink.finding(foreign(object, index, &name(&other), &format!("{} bytes", other.size)));
        }
    } else if !others.is_empty() && !unread {
        let meaning = "The bytes of this cosignature are not those that its name was made of: it was changed since it was stored, and what the \
                       witness said is gone from here. The log stands without it. The witness may still have it, or cosign again; find out who \
                       changed it.";
        let item = Item::new(Kind::CosignatureBroken, object, meaning).seal(index).expected(format!("a SHA-256 that begins with {short}"));
        out.sink.finding(item.found(format!("{} version(s) with another", others.len())).lost());
    }
    found
}

/// Nothing but delete markers is left.
fn gone(scene: Scene<'_>, out: &mut Outcome, sealed: &Sealed, object: &str) {
    let index = sealed.statement.index;
    if least(sealed).is_some_and(|lock| lock.retain_until <= scene.now) {
        return check_markers(scene, &mut out.sink, index, object, 1, least(sealed));
    }
    let meaning = "A cosignature was deleted before its time: what a witness said of this seal is gone from here. The log stands without it. Find \
                   out who could delete it.";
    out.sink.finding(
        Item::new(Kind::CosignatureBroken, object, meaning).seal(index).expected("the cosignature").found("only delete markers").lost(),
    );
}

/// One stored note against the seal's own checkpoint.
fn judge(scene: Scene<'_>, out: &mut Outcome, sealed: &Sealed, object: &str, bytes: &[u8]) {
    let index = sealed.statement.index;
    let item = |kind, meaning: &str| Item::new(kind, object, meaning).seal(index);
    let read = std::str::from_utf8(bytes).ok().and_then(|text| UnverifiedCheckpoint::parse(text).ok());
    let Some(UnverifiedCheckpoint { note, checkpoint }) = read else {
        let meaning = "An object stands where cosignatures stand and is none. It is not part of the log. Find out who can write here.";
        return out.sink.finding(item(Kind::CosignatureForeign, meaning).expected("a checkpoint with a witness's signature").intact());
    };
    if note.text != sealed.text {
        let witness = scene.witnesses.iter().find(|key| matches!(key.cosigned(&note), Ok(Some(_))));
        let same_place = checkpoint.origin == sealed.statement.log && checkpoint.size.0 == index.saturating_add(1);
        let (expected, found) = (told(&sealed.text), told(&note.text));
        return out.sink.finding(match witness {
            Some(witness) if same_place => {
                let meaning = format!(
                    "The witness `{}`, whose key you brought, cosigned another tree of this size than the one that is here. It cosigns only what \
                     the log's key signed, so the log has two histories, and you are shown the other one than it was. Keep this object: it proves \
                     the fork. Ask the operator, and the witness for what it keeps.",
                    witness.name()
                );
                item(Kind::Fork, &meaning).expected(expected).found(found).lost()
            }
            _ => {
                let meaning = "This is not a cosignature of this seal's checkpoint: it is of another tree or another log, and nobody whose key you \
                               brought made it for this one. Anybody who can write here could have put it. Find out who did.";
                item(Kind::CosignatureForeign, meaning).expected(expected).found(found).intact()
            }
        });
    }
    let size = checkpoint.size.0;
    for line in &note.signatures {
        let Some((nth, key)) = scene.witnesses.iter().enumerate().find(|(_, key)| key.owns(line)) else {
            out.said.strangers.add(&line.name);
            continue;
        };
        match key.verify(&note.text, line) {
            Ok(at) => {
                out.said.by.get_or_insert_with(|| (size, Vec::new())).1.push(nth);
                doubt_time(scene, out, sealed, object, (key, at));
            }
            Err(NoteError::BadSignature(name)) => {
                let meaning = "A line claims to be a cosignature by a witness whose key you brought, and does not verify. It counts for nothing. \
                               Either it was made up, or the key that you brought is not the witness's.";
                let item = item(Kind::CosignatureBroken, meaning).expected(format!("a signature by {key}"));
                out.sink.finding(item.found(format!("a line of `{name}` that does not verify")).intact());
            }
            Err(error) => out.sink.unchecked(object, Some(index), error),
        }
    }
}

/// Size and root of a checkpoint's text, for a reader.
fn told(text: &str) -> String {
    let mut lines = text.lines();
    let mut part = |what: &str| format!("{what} {}", lines.next().unwrap_or_default().escape_debug());
    format!("{}, {}, {}", part("log"), part("size"), part("root"))
}

/// Two clocks that contradict each other: noted, because one of them dates evidence.
fn doubt_time(scene: Scene<'_>, out: &mut Outcome, sealed: &Sealed, object: &str, (key, at): (&WitnessKey, UnixSeconds)) {
    let index = sealed.statement.index;
    let note = |meaning: String| {
        Item::new(Kind::CosignedTime, object, meaning)
            .seal(index)
            .expected(format!("a time from {} to {}", sealed.statement.sealed_at, scene.now))
            .found(format!("{at} by `{}`", key.name()))
    };
    if let Some(meaning) = date_doubt(at, sealed.statement.sealed_at, scene.now) {
        out.sink.note(note(meaning.to_owned()));
    }
}

/// Whether a witness's time cannot be, and why: `verify` and `check` note it alike.
pub(super) fn date_doubt(at: UnixSeconds, sealed_at: UnixSeconds, now: UnixSeconds) -> Option<&'static str> {
    if at.0.saturating_add(CLOCKS_APART_MAX_SECONDS) < sealed_at.0 {
        Some(
            "By its own clock the witness saw this seal before the log says that it was made: one of the two clocks was wrong. That it was seen \
             counts; which of the times is right, a third one tells.",
        )
    } else if at.0 > now.0.saturating_add(CLOCKS_APART_MAX_SECONDS) {
        Some(
            "The cosignature is dated after now: the witness's clock was wrong, or this machine's is. That it was seen counts; when, it does not \
             say.",
        )
    } else {
        None
    }
}

/// A cosignature behind the end of the log.
pub(super) async fn behind_the_end(scene: Scene<'_>, sink: &mut Sink, origin: Option<&str>, group: &Group, newest: Option<u64>) {
    let Some(object) = group.key.as_str().strip_prefix(scene.log).and_then(|rest| rest.strip_prefix('/')) else { return };
    let Some((index, _)) = parse_cosignature_name(object) else { return };
    let mut witness = None;
    for version in group.data().take(VERSIONS_READ_MAX) {
        let read = match scene.store.get(&group.key, version.id.as_ref(), NOTE_FILE_BYTES_MAX).await {
            Ok(bytes) => bytes.and_then(|b| String::from_utf8(b.into()).ok()).and_then(|text| UnverifiedCheckpoint::parse(&text).ok()),
            Err(ReadError::TooLarge { .. }) => None,
            Err(error) => return sink.unchecked(object, Some(index), error),
        };
        let Some(UnverifiedCheckpoint { note, checkpoint }) = read else { continue };
        if Some(checkpoint.origin.as_str()) == origin && checkpoint.size.0 == index.saturating_add(1) {
            witness = scene.witnesses.iter().find(|key| matches!(key.cosigned(&note), Ok(Some(_)))).or(witness);
        }
    }
    let found = newest.map_or_else(|| "no seal".to_owned(), |n| format!("newest seal {n}"));
    sink.finding(match witness {
        Some(witness) => {
            let meaning = format!(
                "The witness `{}`, whose key you brought, saw a log of {} seals, and this one ends before: its end was cut off, or an old copy \
                 was put in its place. Restore from a copy and find out who could delete seals.",
                witness.name(),
                index.saturating_add(1)
            );
            Item::new(Kind::Rollback, object, meaning).seal(index).expected(format!("seal {index}")).found(found).lost()
        }
        None => {
            let meaning = "A cosignature lies behind the end of the log. Nobody whose key you brought made it, so anybody who can write here could \
                           have put it; or the end of the log was cut off. Bring the keys of the witnesses (--witness): then it tells.";
            Item::new(Kind::CosignatureForeign, object, meaning).seal(index).expected(format!("seal {index}")).found(found).intact()
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witnesses without a brought key are named, and of which of them the configuration on record knows: so an auditor finds out whom to ask.
    #[test]
    fn strangers_are_named_and_bounded() {
        let mut strangers = Strangers::default();
        for name in ["w.test/2", "w.test/1", "w.test/1"] {
            strangers.add(name);
        }
        let mut other = Strangers::default();
        other.add("w.test/3");
        strangers.merge(other);
        let mut sink = Sink::default();
        strangers.end(&["w.test/1".to_owned(), "w.test/9".to_owned()], &mut sink);
        let report = sink.into_report();
        let found: Vec<_> = report.notes.iter().map(|note| note.found.as_deref().unwrap_or_default()).collect();
        assert_eq!(found, ["4 cosignature(s) by `w.test/1` (named in the configuration on record), `w.test/2`, `w.test/3`"]);
        let mut many = Strangers::default();
        for n in 0..STRANGERS_MAX + 1 {
            many.add(&format!("{n:03}"));
        }
        let mut both = Strangers::default();
        both.add("000000");
        both.merge(many);
        assert_eq!((both.names.len(), both.lines), (STRANGERS_MAX, 18));
        let mut sink = Sink::default();
        Strangers::default().end(&[], &mut sink);
        assert!(sink.into_report().notes.is_empty());
    }
}
