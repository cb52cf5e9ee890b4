//! Time stamps beside the seals (`timestamps/`): each token against the checkpoint of its seal, in one pass over their listing, joined with the
//! walk over the seals.
//!
//! A token gives an upper bound: what the checkpoint covers existed by then. So a seal that is dated later than a token that covers it
//! contradicts it. The other way round nothing follows: a checkpoint may be stamped years later, by a further authority too, and seals that
//! came after it may be older than its token.

use std::fmt::Display;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::listing::{Group, Pages};
use super::objects::{Scene, check_markers, foreign};
use super::report::{Item, Kind, Sink};
use crate::clock::UnixSeconds;
use crate::plain::counted;
use crate::timestamp::{Accuracy, Held, Roots, Stamp, TOKEN_BYTES_MAX, TokenError, Trust, claim, held_until, verify};
use crate::tlog::Hash;
use crate::tlog::seal_file::SealFile;
use crate::worm::{Lock, ObjectKey, ReadError, VersionId, below, parse_timestamp_name};

/// How far a seal may be dated after a token that covers it, seconds: a writer further off its store's clock does not seal.
pub(super) const AFTER_TOKEN_MAX_SECONDS: i64 = 300;
/// Objects of one seal's folder that are looked at: two authorities, with a renewal a year, for a century.
const FOLDER_MAX: usize = 256;

/// What is said of a token that [`is_ahead`].
pub(super) const AHEAD: &str = "The time stamp is dated after now: the authority's clock was wrong, or this machine's is. That it saw this \
                                 counts; when, it does not say.";

/// Whether a token is dated after now, by more than two clocks may be apart.
pub(super) fn is_ahead(at: UnixSeconds, now: UnixSeconds) -> bool {
    at.0 > now.0.saturating_add(AFTER_TOKEN_MAX_SECONDS)
}

/// How far a log is time stamped by authorities that the auditor trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timestamped {
    /// Tree size of the newest stamped checkpoint.
    pub up_to: u64,
    /// When it existed at the latest.
    #[serde(serialize_with = "as_text")]
    pub time: UnixSeconds,
    /// How far its clock may be off, which `time` counts in where it is stated.
    #[serde(serialize_with = "as_text")]
    pub accuracy: Accuracy,
    /// Who says so: subject of the certificate.
    pub authority: String,
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// An object beside a seal that must be locked like it.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    /// Key below the log.
    pub(super) object: String,
    pub(super) version: Option<VersionId>,
}

/// Many of a kind are one note: how many, and the first.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    first: Option<(u64, String, String)>,
}

impl Tally {
    fn add(&mut self, seal: u64, object: &str, why: impl Into<String>) {
        self.count += 1;
        self.first.get_or_insert_with(|| (seal, object.to_owned(), why.into()));
    }

    fn note(self, kind: Kind, meaning: &str, sink: &mut Sink) {
        let Some((seal, object, why)) = self.first else { return };
        let more = if self.count > 1 { format!(", and {} further time stamps", self.count - 1) } else { String::new() };
        sink.note(Item::new(kind, object, meaning).seal(seal).found(format!("{why}{more}")));
    }
}

/// A stored token whose name fits its bytes.
struct Stored {
    object: String,
    hash: Hash,
    bytes: Bytes,
}

/// The cursor over the tokens, and what was found of them.
pub(super) struct Stamps<'a> {
    pages: Pages<'a>,
    roots: Roots,
    newest: Option<Timestamped>,
    unknown: Tally,
    unjudged: Tally,
    expired: Tally,
    ahead: Tally,
    without_seal: Tally,
}

impl<'a> Stamps<'a> {
    /// From the first seal of the range on.
    pub(super) fn new(scene: Scene<'a>, from: u64, roots: Roots) -> Self {
        let prefix = format!("{}/timestamps/", scene.log);
        // What lies in the folder of `from` sorts behind this.
        let after = (from > 0).then(|| ObjectKey(format!("{prefix}{from:020}")));
        Stamps {
            pages: Pages::new(scene.store, prefix, after),
            roots,
            newest: None,
            unknown: Tally::default(),
            unjudged: Tally::default(),
            expired: Tally::default(),
            ahead: Tally::default(),
            without_seal: Tally::default(),
        }
    }

    /// The newest that is trusted.
    pub(super) fn newest(&self) -> Option<Timestamped> {
        self.newest.clone()
    }

    /// The tokens of the next seal that stands. Answers with those that must be locked.
    pub(super) async fn pass(&mut self, scene: Scene<'_>, seal: &SealFile, sink: &mut Sink) -> Result<Vec<Attached>, ReadError> {
        let index = seal.statement.index;
        let end = ObjectKey(format!("{}/timestamps/{:020}", scene.log, index.saturating_add(1)));
        let (mut stored, mut attached, mut more) = (Vec::new(), Vec::new(), 0_u64);
        while self.pages.peek().await?.is_some_and(|next| *next < end) {
            let Some(group) = self.pages.next().await? else { break };
            let Some((object, named, short)) = name_of(scene, &group) else { continue };
            if named != index {
                // The seal before it does not stand, which was said.
                self.without_seal.add(named, &object, "its seal does not stand");
                continue;
            }
            if stored.len() >= FOLDER_MAX {
                more += 1;
                continue;
            }
            if let Some((token, version)) = read(scene, &group, &object, index, &short, sink).await? {
                if !seal.statement.not_worm {
                    attached.push(Attached { object: object.clone(), version });
                }
                stored.push(token);
            }
        }
        if more > 0 {
            let meaning = "Somebody put more objects beside this seal than there are time stamps of one. The first were looked at. Find out who \
                           can write here.";
            let item = Item::new(Kind::Flooded, format!("timestamps/{index:020}/"), meaning).seal(index);
            sink.finding(item.found(format!("{more} further objects")).intact());
        }
        self.judge(scene, seal, &stored, sink);
        Ok(attached)
    }

    /// The tokens of one seal, which may also be over one another.
    fn judge(&mut self, scene: Scene<'_>, seal: &SealFile, stored: &[Stored], sink: &mut Sink) {
        let index = seal.statement.index;
        let checkpoint = Hash::of(seal.checkpoint.as_bytes());
        let mut good: Vec<(Hash, Hash, Stamp, &str)> = Vec::new();
        for Stored { object, hash, bytes } in stored {
            let judged = claim(bytes).and_then(|claim| {
                let over = claim.imprint.filter(|over| *over == checkpoint || stored.iter().any(|other| other.hash == *over));
                // Over neither, it is compared with what it should be over, which says so.
                let over = over.unwrap_or(checkpoint);
                verify(bytes, over, &self.roots).map(|stamp| (over, stamp))
            });
            match judged {
                Ok((over, stamp)) => {
                    good.push((*hash, over, stamp, object));
                }
                Err(TokenError::Unsupported(why)) => self.unjudged.add(index, object, why),
                Err(error @ TokenError::Foreign { .. }) => {
                    let meaning = "This time stamp is over something else than the checkpoint of its seal, or another time stamp of it, so it \
                                   says nothing about this log. The seals were verified without it. Find out who can write here.";
                    let item = Item::new(Kind::TimestampForeign, object, meaning).seal(index);
                    sink.finding(item.expected(format!("a token over {checkpoint}")).found(error).intact());
                }
                // Its bytes fit its name, so it is what was put there: nothing that was here is gone.
                Err(error @ TokenError::Malformed(_)) => {
                    let meaning =
                        "An object stands where time stamps stand and is none. It is not part of the log. Find out who can write here.";
                    let item = Item::new(Kind::TimestampForeign, object, meaning).seal(index);
                    sink.finding(item.expected("a time stamp token").found(error).intact());
                }
                Err(error) => {
                    let meaning = "This is no time stamp that holds: its bytes are not a sound token, and were not when it was put here. The seals \
                                   were verified without it; that they existed at its time it does not prove. Find out who wrote it.";
                    let item = Item::new(Kind::TimestampInvalid, object, meaning).seal(index);
                    sink.finding(item.expected("a sound token").found(error).intact());
                }
            }
        }
        let sealed_at = seal.statement.sealed_at;
        let all: Vec<Held<'_>> = good.iter().map(|(hash, over, stamp, _)| Held { hash: *hash, over: *over, stamp }).collect();
        for (hash, over, stamp, object) in &good {
            match &stamp.trust {
                Trust::NoRoots => self.unjudged.add(index, object, format!("by `{}`", stamp.authority)),
                Trust::Unknown { why } => self.unknown.add(index, object, format!("by `{}`: {why}", stamp.authority)),
                Trust::Trusted { .. } if *over != checkpoint => {}
                Trust::Trusted { .. } => {
                    let by = stamp.not_later_than();
                    if sealed_at.0.saturating_sub(by.0) > AFTER_TOKEN_MAX_SECONDS {
                        sink.finding(early(object, index, sealed_at, stamp));
                        continue;
                    }
                    if is_ahead(by, scene.now) {
                        self.ahead.add(index, object, format!("not later than {by}, by `{}`", stamp.authority));
                    }
                    let ends = held_until(Held { hash: *hash, over: *over, stamp }, &all);
                    if ends <= scene.now {
                        self.expired.add(index, object, format!("by `{}`, until {ends}", stamp.authority));
                    }
                    let up_to = index.saturating_add(1);
                    if self
                        .newest
                        .as_ref()
                        .is_none_or(|newest| (newest.up_to, std::cmp::Reverse(newest.time)) < (up_to, std::cmp::Reverse(by)))
                    {
                        self.newest = Some(Timestamped { up_to, time: by, accuracy: stamp.accuracy, authority: stamp.authority.clone() });
                    }
                }
            }
        }
    }

    /// A token of a seal that is not there; one is enough to see it.
    async fn behind(&mut self, scene: Scene<'_>, sink: &mut Sink) {
        loop {
            let group = match self.pages.next().await {
                Ok(None) => return,
                Ok(Some(group)) => group,
                Err(error) => return sink.unchecked("timestamps/", None, error),
            };
            let named = name_of(scene, &group).filter(|_| group.data().next().is_some());
            if let Some((object, index, _)) = named {
                let oldest = group.data().next().and_then(|version| version.id.as_ref());
                let found = match scene.store.get(&group.key, oldest, limit()).await {
                    Ok(bytes) => match claim(&bytes.unwrap_or_default()) {
                        Ok(claim) => claim.imprint.map_or_else(|| "a time stamp".to_owned(), |over| format!("a time stamp over {over}")),
                        Err(error) => error.to_string(),
                    },
                    Err(error @ ReadError::TooLarge { .. }) => format!("no time stamp token: {error}"),
                    Err(error) => return sink.unchecked(&object, Some(index), error),
                };
                // Whoever has a checkpoint, or makes one up, gets an authority's token over it: it proves no seal.
                let meaning = "An object stands where time stamps of a seal stand that lies behind the end of the log. Anybody who can write here \
                               could have put it; or the end of the log was cut off. Compare with checkpoints and receipts kept elsewhere.";
                let item = Item::new(Kind::TimestampForeign, object, meaning).seal(index);
                return sink.finding(item.expected("a seal that it belongs to").found(found).intact());
            }
        }
    }

    /// Roots were brought, so time stamps were asked for. How often the log is stamped is not known here, so only that no token counts at all is
    /// told, and not that the newest seals have none yet.
    fn none_counts(&self) -> Item {
        let strangers = self.unknown.count;
        let why = match strangers {
            0 => "in the seals that were read there is none".to_owned(),
            1 => "the only one in the seals that were read leads to none of these roots".to_owned(),
            many => format!("of the {many} in the seals that were read none leads to these roots"),
        };
        let meaning = format!(
            "No time stamp by an authority that you trust (--tsa-roots) counts: {why}. When these seals existed only the log's own key says. \
             Ask the operator for the root of the authorities that stamp this log, or why it is not stamped."
        );
        let found = if strangers == 0 {
            "none".to_owned()
        } else {
            counted(strangers, "token of another authority", "tokens of other authorities")
        };
        Item::new(Kind::Unchecked, "timestamps/", meaning).expected("a token that leads to your roots").found(found)
    }

    /// What lies behind the last seal, and the notes. `open`: whether seals may lie there that were not read. `whole`: whether the log was asked for
    /// from its first seal to its last.
    pub(super) async fn end(mut self, scene: Scene<'_>, (open, whole): (bool, bool), sink: &mut Sink) {
        if !open {
            self.behind(scene, sink).await;
        }
        if self.newest.is_none() && !self.roots.is_empty() {
            let none = self.none_counts();
            match whole {
                true => sink.unchecked_item(none),
                // Others may lie outside of the range.
                false => sink.note(Item { kind: Kind::NotCovered, ..none }),
            }
        }
        let no_roots = "Time stamps were not checked: whether their authorities are to be believed only you can say. Bring their root certificates with \
                        --tsa-roots. Nothing is concluded from them.";
        self.unjudged.note(Kind::TimestampUnchecked, no_roots, sink);
        let unknown = "Time stamps of authorities that lead to none of the roots you brought, or whose certificates were not valid at their time. They \
                       count for nothing.";
        self.unknown.note(Kind::TimestampUnknown, unknown, sink);
        self.ahead.note(Kind::TimestampAhead, AHEAD, sink);
        let expired = "The certificates behind these time stamps have expired since, and no renewal from before is there. They hold for the time that \
                       they name, as far as nobody got hold of the authority's key after it stopped answering for it.";
        self.expired.note(Kind::TimestampExpired, expired, sink);
        let lost = "Time stamps of seals that do not stand were not looked at.";
        self.without_seal.note(Kind::NotCovered, lost, sink);
    }
}

fn early(object: &str, index: u64, sealed_at: UnixSeconds, stamp: &Stamp) -> Item {
    let meaning = "An authority that you trust saw the checkpoint of this seal before the time that the seal gives for itself. The record of \
                   what was sealed is as signed, but its time is wrong: the writer's clock ran ahead, was set back afterwards, or the authority's was \
                   wrong. Ask the operator, and do not rely on the times of this seal and those before it.";
    Item::new(Kind::TimestampEarly, object, meaning)
        .seal(index)
        .expected(format!("a token of {sealed_at} or later (less five minutes), when the seal closed"))
        .found(format!("{} by `{}`", stamp.at.rfc3339(), stamp.authority))
        .intact()
}

fn name_of(scene: Scene<'_>, group: &Group) -> Option<(String, u64, String)> {
    let object = group.key.as_str().strip_prefix(scene.log)?.strip_prefix('/')?;
    parse_timestamp_name(object).map(|(index, short)| (object.to_owned(), index, short.to_owned()))
}

fn limit() -> u64 {
    u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX)
}

/// The version of a token that fits its name; what lies over it is said.
async fn read(
    scene: Scene<'_>,
    group: &Group,
    object: &str,
    index: u64,
    short: &str,
    sink: &mut Sink,
) -> Result<Option<(Stored, Option<VersionId>)>, ReadError> {
    let mut found: Option<(Stored, Option<VersionId>)> = None;
    let mut others = Vec::new();
    for version in group.data().take(FOLDER_MAX) {
        let bytes = match scene.store.get(&group.key, version.id.as_ref(), limit()).await {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(ReadError::TooLarge { .. }) => Bytes::new(),
            Err(error) => return Err(error),
        };
        let hash = Hash::of(&bytes);
        match &found {
            None if hash.to_string().starts_with(short) => {
                found = Some((Stored { object: object.to_owned(), hash, bytes }, version.id.clone()));
            }
            Some((token, _)) if token.hash == hash => {
                let meaning = "The same time stamp was stored once more: a repeated put. Harmless.";
                sink.note(Item::new(Kind::Duplicate, object, meaning).seal(index).intact());
            }
            _ => others.push((version.id.as_ref().map_or_else(|| "-".to_owned(), |id| id.0.clone()), bytes.len())),
        }
    }
    if found.is_some() {
        for (version, bytes) in others {
            sink.finding(foreign(object, index, &version, &format!("{bytes} bytes")));
        }
        let lock = match &found {
            Some((_, version)) if group.markers() > 0 => {
                scene.store.head(&below(scene.log, object), version.as_ref()).await?.and_then(|head| head.lock)
            }
            _ => None::<Lock>,
        };
        check_markers(scene, sink, index, object, group.markers(), lock);
    } else if !others.is_empty() {
        let meaning = "The bytes of this time stamp are not those that its name was given for: it was changed, or somebody put it there. The seals \
                       were verified without it; that they existed at its time it does not prove. Restore the object from a copy.";
        let item = Item::new(Kind::TimestampInvalid, object, meaning).seal(index);
        sink.finding(item.expected(format!("bytes whose SHA-256 begins with {short}")).found("other bytes").lost());
    } else if group.markers() > 0 {
        let meaning = "A DELETE was issued for a time stamp, and no version of it is left. The seals were verified without it; that they existed \
                       at its time nothing here proves any more.";
        sink.finding(Item::new(Kind::Hidden, object, meaning).seal(index).expected("no delete marker").lost());
    }
    Ok(found)
}
