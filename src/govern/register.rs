//! The decrees that are open, as the log's one writer keeps them. Every entry of the log says all that are open behind it, so entries are made
//! here alone, one after the other, and no command can make them wrong.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use super::carry::Untold;
use super::chain::{self, ChainError};
use super::decrees::{Decree, Entry, OPEN_MAX, Order, QUERY_BYTES_MAX, SEGMENTS_MAX, SegmentId, Step, is_id};
use super::query::Query;
use super::wish::Told;
use crate::clock::UnixSeconds;
use crate::promote::scrub::{Look, Scrub};
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::record::canonical::Json;
use crate::retain::Period;
use crate::seal::Status;
use crate::tlog::note::VerifierKey;
use crate::worm::{LINE_BYTES_MAX, Lock, Mode, WormStore};

/// Segments that one step tells, so that a request stays short.
const TOLD_AT_ONCE: usize = 4096;
/// How long a record whose fate is not known is waited for before it counts as not sealed: longer than any put takes.
///
/// KNOWN GAP: a store that takes longer still and then says yes has two entries that do not know of each other; the later one counts.
const FATE_WITHIN: Duration = Duration::from_secs(180);

/// Bytes of an entry in its line: all but what else stands there.
const ENTRY_BYTES_MAX: usize = LINE_BYTES_MAX - 16 * 1024;
/// The same of one that opens another decree, so that those which are to be carried out have room to name [`SEGMENTS_MAX`] segments, of 41
/// bytes each.
const OPEN_BYTES_MAX: usize = ENTRY_BYTES_MAX - 41 * SEGMENTS_MAX;

/// A step of a decree, as it is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Motion {
    /// To place one.
    Open {
        /// Its name.
        id: String,
        /// What it orders.
        order: Ordered,
        /// JCS text of its query.
        query: String,
    },
    /// That it was carried out on these segments, and seals below `through` were looked at.
    Apply {
        /// Its name.
        id: String,
        /// Segments, as entries name them.
        segments: Vec<String>,
        /// Index of a seal.
        through: u64,
    },
    /// To end it: a hold is released; an extension was carried out on these, and on all that matched.
    Close {
        /// Its name.
        id: String,
        /// Segments, as entries name them.
        segments: Vec<String>,
        /// Index of a seal.
        through: u64,
    },
    /// To end an extension that was not carried out on all that matched. What was done of it stays.
    GiveUp {
        /// Its name.
        id: String,
    },
}

/// What a decree orders, as it is asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ordered {
    /// A legal hold.
    Hold,
    /// At least this lock.
    Extend {
        /// Whether nobody may lift it.
        compliance: bool,
        /// Until when, seconds since 1970.
        until: i64,
    },
}

impl From<Order> for Ordered {
    fn from(order: Order) -> Self {
        match order {
            Order::Hold => Ordered::Hold,
            Order::Extend(lock) => Ordered::Extend { compliance: lock.mode == Mode::Compliance, until: lock.retain_until.0 },
        }
    }
}

impl Ordered {
    fn order(self) -> Order {
        match self {
            Ordered::Hold => Order::Hold,
            Ordered::Extend { compliance, until } => {
                let mode = if compliance { Mode::Compliance } else { Mode::Governance };
                Order::Extend(Lock { mode, retain_until: UnixSeconds(until) })
            }
        }
    }
}

impl Motion {
    /// Of which decree.
    pub fn id(&self) -> &str {
        match self {
            Motion::Open { id, .. } | Motion::Apply { id, .. } | Motion::Close { id, .. } | Motion::GiveUp { id } => id,
        }
    }

    /// What the log is told of what was done, in as many steps as it needs. `from`: where it was told before that it stands. `over`: nothing is
    /// left to do of an extension.
    pub fn told(id: &str, untold: Untold, from: u64, over: bool) -> Vec<Motion> {
        let mut all: Vec<Motion> = untold
            .segments
            .chunks(TOLD_AT_ONCE)
            .map(|some| Motion::Apply { id: id.to_owned(), segments: Motion::names(some.iter().copied()), through: from })
            .collect();
        match (all.pop(), over) {
            (Some(Motion::Apply { id, segments, .. }), false) => all.push(Motion::Apply { id, segments, through: untold.through }),
            (Some(Motion::Apply { id, segments, .. }), true) => all.push(Motion::Close { id, segments, through: untold.through }),
            (_, false) if untold.through == from => {}
            (_, false) => all.push(Motion::Apply { id: id.to_owned(), segments: Vec::new(), through: untold.through }),
            (_, true) => all.push(Motion::Close { id: id.to_owned(), segments: Vec::new(), through: untold.through }),
        }
        all
    }

    /// Names segments as a motion does.
    pub fn names(segments: impl IntoIterator<Item = SegmentId>) -> Vec<String> {
        segments.into_iter().map(|id| id.to_string()).collect()
    }

    /// Refuses a query that would name somebody for years. The error is a sentence.
    pub(super) fn expect_unnamed(&self, scrub: &Scrub) -> Result<(), String> {
        match self {
            Motion::Open { id, .. } if scrub.scrubbed(id, Look::NotAddresses).is_some() => Err(
                "its name holds what looks like a telephone number or a pattern of `identity.scrub`; it is sealed as it stands and cannot be \
                 erased: give it another one"
                    .to_owned(),
            ),
            Motion::Open { query, .. } => read_query(query)?.expect_unnamed(scrub),
            Motion::Apply { .. } | Motion::Close { .. } | Motion::GiveUp { .. } => Ok(()),
        }
    }
}

fn read_query(text: &str) -> Result<Query, String> {
    let json = (text.len() <= QUERY_BYTES_MAX).then(|| Json::parse(text.as_bytes()).ok()).flatten();
    let json = json.ok_or_else(|| format!("its query is no JSON, or longer than {QUERY_BYTES_MAX} bytes"))?;
    Query::parse(&json).map_err(|why| format!("its query cannot be: {why}"))
}

/// Who carries a decree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A task of this process.
    Own,
    /// A command.
    Others,
}

/// The wish says no more than what is to be done; what stands in the record is the entry.
impl Told for Motion {
    fn kind(&self) -> &'static str {
        "hold"
    }

    fn act(&self) -> &'static str {
        match self {
            Motion::Open { .. } => "place",
            Motion::Apply { .. } => "apply",
            Motion::Close { .. } => "release",
            Motion::GiveUp { .. } => "give_up",
        }
    }

    fn count(&self) -> Option<u64> {
        None
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn filter(&self, _: &Scrub) -> Json {
        Json::object([])
    }
}

/// What a motion is held against.
#[derive(Debug)]
struct Ground<'g> {
    /// Open now, by name.
    open: &'g [Decree],
    /// Seals committed.
    size: u64,
    now: UnixSeconds,
    /// The latest date that an extension may have.
    ceiling: UnixSeconds,
}

/// The entry that a motion makes. The error is a sentence.
fn decide(motion: &Motion, ground: &Ground<'_>) -> Result<Entry, String> {
    let id = motion.id();
    let at = ground.open.binary_search_by(|open| open.id.as_str().cmp(id));
    let mut open = ground.open.to_vec();
    let unknown = || format!("no hold or extension of the name `{id}` is open; `spanseal hold list` shows those that are");
    let (step, of, segments) = match (motion, at) {
        (Motion::Open { order, query, .. }, at) => {
            if !is_id(id) {
                return Err("a name has 1 to 64 letters, digits, `.`, `_` and `-`".to_owned());
            }
            let Err(at) = at else {
                return Err(format!(
                    "`{id}` is open already; to go on with it ask with --resume, to hold something else give it another name"
                ));
            };
            if open.len() >= OPEN_MAX {
                return Err(format!("{OPEN_MAX} holds and extensions are open, and no more can be: release one first"));
            }
            let order = order.order();
            if let Order::Extend(lock) = order {
                check_lock(lock, ground.now, ground.ceiling)?;
            }
            let of = Decree { id: id.to_owned(), order, query: read_query(query)?.to_json(), since: ground.now, through: 0 };
            open.insert(at, of.clone());
            (Step::Open, of, Vec::new())
        }
        (_, Err(_)) => return Err(unknown()),
        (Motion::GiveUp { .. }, Ok(at)) => {
            if open.get(at).is_none_or(|open| open.order == Order::Hold) {
                return Err("a hold is not given up, it is released".to_owned());
            }
            (Step::GiveUp, open.remove(at), Vec::new())
        }
        (Motion::Apply { segments, through, .. } | Motion::Close { segments, through, .. }, Ok(at)) => {
            let segments = read_segments(segments, ground.size)?;
            let of = open.get_mut(at).ok_or_else(unknown)?;
            if *through > ground.size {
                return Err(format!("seals below {through} cannot have been looked at: there are {}", ground.size));
            }
            let closes = matches!(motion, Motion::Close { .. });
            match (closes, of.order) {
                (true, Order::Hold) if !segments.is_empty() => return Err("the release of a hold names no segments".to_owned()),
                // Whoever releases has not looked any further.
                (true, Order::Hold) => {}
                _ if *through < of.through => {
                    return Err(format!("`{id}` was carried out below seal {} already, which is more than {through}", of.through));
                }
                _ => of.through = *through,
            }
            let of = of.clone();
            if closes {
                open.remove(at);
            }
            (if closes { Step::Close } else { Step::Apply }, of, segments)
        }
    };
    let entry = Entry { step, of, segments, open };
    // As a text within a line.
    let (bytes, most) = (Json::string(entry.to_text()).to_jcs().len(), if step == Step::Open { OPEN_BYTES_MAX } else { ENTRY_BYTES_MAX });
    if bytes > most {
        return Err(format!("its record would have {bytes} bytes with all that is open, and may have {most}: release something first"));
    }
    Ok(entry)
}

/// Refuses a lock that no extension can give. `ceiling`: the latest date. The error is a sentence.
pub fn check_lock(lock: Lock, now: UnixSeconds, ceiling: UnixSeconds) -> Result<(), String> {
    if lock.retain_until <= now {
        return Err(format!("{} is past, so nothing would be extended", lock.retain_until));
    }
    if lock.retain_until >= UnixSeconds::MAX {
        return Err("it would last beyond the year 9999, the last one that a store can be told".to_owned());
    }
    // In whatever mode: what is in COMPLIANCE stays in it, with the later date, and a seal is in the strongest mode of what it names. What that
    // is nobody knows before the last of it is read, so the rule does not ask.
    if lock.retain_until > ceiling {
        return Err(format!(
            "{} is beyond compliance_ceiling ({ceiling}), and nothing is extended so far, in GOVERNANCE no more than in COMPLIANCE: what is in \
             COMPLIANCE among it, or comes to be, nobody could shorten again. Raise `retention.compliance_ceiling` only if that is really meant",
            lock.retain_until
        ));
    }
    Ok(())
}

fn read_segments(segments: &[String], size: u64) -> Result<Vec<SegmentId>, String> {
    if segments.len() > SEGMENTS_MAX {
        return Err(format!("{} segments at once, and {SEGMENTS_MAX} is the most", segments.len()));
    }
    let read = |text: &String| SegmentId::parse(text).filter(|id| id.seal < size).ok_or("it names a segment that this log cannot have");
    let segments = segments.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if !segments.is_sorted_by(|a, b| a < b) {
        return Err("its segments are not in order".to_owned());
    }
    Ok(segments)
}

/// Where the register is read from when a writer starts, and by which rules it decides.
#[derive(Debug)]
pub struct Parts {
    /// Where evidence lies.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// The log's newest key.
    pub vkey: VerifierKey,
    /// The newest commit.
    pub status: watch::Receiver<Status>,
    /// `retention.compliance_ceiling`
    pub ceiling: Period,
}

/// See the module. Clones share it.
#[derive(Clone, Debug)]
pub struct Register(Arc<(Parts, Mutex<State>)>);

#[derive(Debug, Default)]
struct State {
    /// `None`: not read yet, or no longer known.
    open: Option<Vec<Decree>>,
    /// A record that may still come to be sealed.
    fate: Option<(String, Instant)>,
    /// Whether an extension came to its end since that was asked last, so that its own records are still to be kept as long.
    ended: bool,
    /// When a decree was last carried on by somebody else than this process's own task.
    touched: std::collections::BTreeMap<String, Instant>,
}

/// Why a motion made no entry.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It cannot be.
    #[error("{0}")]
    Wrong(String),
    /// What is open is not known.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The one before may still come.
    #[error("it is not known yet whether the one before was sealed; ask again in a minute")]
    Pending,
}

/// A turn: until it is dropped nobody else makes an entry.
pub(super) struct Turn<'r> {
    parts: &'r Parts,
    state: MutexGuard<'r, State>,
}

impl Register {
    /// Of one log. Nothing is read before it is asked for.
    pub fn new(parts: Parts) -> Self {
        Register(Arc::new((parts, Mutex::default())))
    }

    /// How many seals of the log are committed.
    pub fn committed(&self) -> u64 {
        self.0.0.status.borrow().tree_size
    }

    /// All decrees that are open; `None`: not known yet, because one may still come to be sealed.
    pub async fn open(&self) -> Result<Option<Vec<Decree>>, ChainError> {
        let (parts, state) = self.0.as_ref();
        Ok(state.lock().await.known(parts).await?.map(<[Decree]>::to_vec))
    }

    /// How long ago somebody else than this process's own task carried a decree on.
    pub async fn untouched(&self, id: &str) -> Option<Duration> {
        self.0.1.lock().await.touched.get(id).map(Instant::elapsed)
    }

    /// Whether an extension came to its end since this was asked last, or may have.
    pub async fn take_ended(&self) -> bool {
        std::mem::take(&mut self.0.1.lock().await.ended)
    }

    pub(super) async fn turn(&self) -> Turn<'_> {
        let (parts, state) = self.0.as_ref();
        Turn { parts, state: state.lock().await }
    }
}

impl Parts {
    /// What is open, and the newest record that says so.
    async fn read(&self) -> Result<(Vec<Decree>, Option<String>), ChainError> {
        let trusted = [TrustedKey { key: self.vkey.clone(), source: KeySource::Configured }];
        let log = LogReader::open(Arc::clone(&self.store), &self.log, &trusted).await?;
        let newest = chain::newest_link(&self.store, &log).await?;
        Ok(newest.map_or_else(Default::default, |link| (link.entry.open, Some(link.record))))
    }
}

impl State {
    /// What is open; `None`: not known yet, because of a record that may still come to be sealed.
    async fn known(&mut self, parts: &Parts) -> Result<Option<&[Decree]>, ChainError> {
        if self.open.is_none() {
            let (open, newest) = parts.read().await?;
            if let Some((record, since)) = &self.fate
                && newest.as_ref() != Some(record)
                && since.elapsed() < FATE_WITHIN
            {
                return Ok(None);
            }
            self.fate = None;
            self.open = Some(open);
        }
        Ok(self.open.as_deref())
    }
}

impl Turn<'_> {
    /// The entry that a motion makes.
    pub(super) async fn decide(&mut self, motion: &Motion, now: UnixSeconds) -> Result<Entry, Refusal> {
        let size = self.parts.status.borrow().tree_size;
        let open = self.state.known(self.parts).await?.ok_or(Refusal::Pending)?;
        let ground = Ground { open, size, now, ceiling: self.parts.ceiling.after(now) };
        decide(motion, &ground).map_err(Refusal::Wrong)
    }

    /// The entry is sealed.
    pub(super) fn sealed(&mut self, entry: Entry, whose: By) {
        if whose == By::Others {
            self.state.touched.insert(entry.of.id.clone(), Instant::now());
        }
        self.state.ended |= entry.step == Step::Close && entry.of.order != Order::Hold;
        let State { open, touched, .. } = &mut *self.state;
        touched.retain(|id, _| entry.open.iter().any(|open| open.id == *id));
        *open = Some(entry.open);
    }

    /// Whether this record was sealed is not known.
    pub(super) fn lost(&mut self, record: String) {
        self.state.open = None;
        self.state.ended = true;
        self.state.fate = Some((record, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn ground(open: &[Decree]) -> Ground<'_> {
        Ground { open, size: 10, now: NOW, ceiling: UnixSeconds(NOW.0 + 1000) }
    }

    fn place(id: &str, order: Ordered) -> Motion {
        Motion::Open { id: id.to_owned(), order, query: r#"{"model":"gpt"}"#.to_owned() }
    }

    fn segment(seal: u64) -> SegmentId {
        SegmentId::new(seal, &crate::tlog::Hash::of(b"x"))
    }

    fn apply(id: &str, seals: &[u64], through: u64) -> Motion {
        Motion::Apply { id: id.to_owned(), segments: Motion::names(seals.iter().map(|seal| segment(*seal))), through }
    }

    fn close(id: &str, seals: &[u64], through: u64) -> Motion {
        Motion::Close { id: id.to_owned(), segments: Motion::names(seals.iter().map(|seal| segment(*seal))), through }
    }

    fn refused(motion: &Motion, open: &[Decree]) -> String {
        decide(motion, &ground(open)).unwrap_err()
    }

    fn extend(compliance: bool, by: i64) -> Ordered {
        Ordered::Extend { compliance, until: NOW.0 + by }
    }

    #[test]
    fn every_entry_says_all_that_is_open_behind_it() {
        let b = decide(&place("b", Ordered::Hold), &ground(&[])).unwrap();
        assert_eq!((b.step, b.of.through, b.of.since, b.open.len()), (Step::Open, 0, NOW, 1));
        let a = decide(&place("a", extend(true, 1000)), &ground(&b.open)).unwrap();
        assert_eq!(a.open.iter().map(|open| open.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let applied = decide(&apply("b", &[1, 4], 5), &ground(&a.open)).unwrap();
        assert_eq!((applied.step, applied.of.through, applied.segments.len()), (Step::Apply, 5, 2));
        assert_eq!(applied.open.iter().map(|open| open.through).collect::<Vec<_>>(), [0, 5]);
        let over = decide(&close("a", &[9], 10), &ground(&applied.open)).unwrap();
        assert_eq!((over.step, over.open.len(), over.of.through), (Step::Close, 1, 10));
        let given_up = decide(&Motion::GiveUp { id: "a".into() }, &ground(&applied.open)).unwrap();
        assert_eq!((given_up.step, given_up.of.id.as_str(), given_up.of.through, given_up.open.len()), (Step::GiveUp, "a", 0, 1));
        let released = decide(&close("b", &[], 0), &ground(&over.open)).unwrap();
        assert_eq!((released.step, released.open.len(), released.of.through), (Step::Close, 0, 5));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let open = decide(&place("b", Ordered::Hold), &ground(&[])).unwrap().open;
        let open = decide(&apply("b", &[], 5), &ground(&open)).unwrap().open;
        assert!(refused(&place("b", Ordered::Hold), &open).contains("open already"));
        assert!(refused(&place("a b", Ordered::Hold), &open).contains("name"));
        for unknown in [apply("a", &[], 1), close("a", &[], 1)] {
            assert!(refused(&unknown, &open).contains("no hold"));
        }
        assert!(refused(&apply("b", &[], 4), &open).contains("already"), "through goes back");
        assert!(refused(&apply("b", &[], 11), &open).contains("cannot have been"), "through is ahead of the log");
        assert!(refused(&apply("b", &[10], 10), &open).contains("cannot have"), "a segment that is still to come");
        assert!(refused(&apply("b", &[2, 1], 10), &open).contains("order"));
        assert!(refused(&close("b", &[1], 10), &open).contains("names no"));
        assert!(refused(&Motion::GiveUp { id: "b".into() }, &open).contains("released"));
        let many: Vec<String> = (0..=u64::try_from(SEGMENTS_MAX).unwrap()).map(|n| format!("1-{n:016x}")).collect();
        assert!(refused(&Motion::Apply { id: "b".into(), segments: many.clone(), through: 10 }, &open).contains("most"));
        let most = many[1..].to_vec();
        assert!(decide(&Motion::Apply { id: "b".into(), segments: most, through: 10 }, &ground(&open)).is_ok());
    }

    #[test]
    fn a_name_or_a_query_that_would_name_somebody_is_refused() {
        let scrub = Scrub::new(&["doe".to_owned()]).unwrap();
        for id in ["LH-2026-014", "12-O-34-26", "CASE-2026-001234", "2026.0012345", "ext-20261120-0a1b2c3d", "1-23-cv-04567"] {
            assert!(place(id, Ordered::Hold).expect_unnamed(&scrub).is_ok(), "{id}");
        }
        let why = place("LH-doe-2026", Ordered::Hold).expect_unnamed(&scrub).unwrap_err();
        assert!(why.contains("name") && !why.contains("doe"), "{why}");
        let query = Motion::Open { id: "x".into(), order: Ordered::Hold, query: r#"{"model":["a@example.com"]}"#.into() };
        assert!(query.expect_unnamed(&scrub).unwrap_err().contains("model"));
    }

    #[test]
    fn an_extension_is_within_the_ceiling_and_to_come() {
        assert!(decide(&place("x", extend(true, 1000)), &ground(&[])).is_ok());
        assert!(refused(&place("x", extend(true, 1001)), &[]).contains("compliance_ceiling"));
        assert!(refused(&place("x", extend(false, 1001)), &[]).contains("compliance_ceiling"), "objects of it are in COMPLIANCE");
        assert!(decide(&place("x", extend(false, 1000)), &ground(&[])).is_ok());
        assert!(refused(&place("x", extend(false, 0)), &[]).contains("past"));
        let never = Ordered::Extend { compliance: false, until: UnixSeconds::MAX.0 };
        assert!(refused(&place("x", never), &[]).contains("9999"));
    }

    /// Guarantee: as many as may be open fit into a line, each with the longest query; what fits no more is refused when it is placed, not when
    /// it is to be carried out.
    #[test]
    fn no_more_are_open_than_fit_into_a_record() {
        let fill = |of: &str| {
            let query = format!(r#"{{"session":["{}"]}}"#, of.repeat((QUERY_BYTES_MAX - 20) / of.len()));
            let mut open = Vec::new();
            loop {
                let motion = Motion::Open { id: format!("{:064}", open.len()), order: extend(true, 5), query: query.clone() };
                match decide(&motion, &ground(&open)) {
                    Ok(entry) => open = entry.open,
                    Err(why) => return (open, why),
                }
            }
        };
        let most = |open: &[Decree]| {
            let segments = (1..=u64::try_from(SEGMENTS_MAX).unwrap()).map(|n| SegmentId { seal: 9, short: n });
            let motion = Motion::Apply { id: open[0].id.clone(), segments: Motion::names(segments), through: 10 };
            decide(&motion, &Ground { size: u64::MAX, ..ground(open) }).unwrap()
        };
        let (open, why) = fill("x");
        assert!(why.contains("release one") && open.len() == OPEN_MAX, "{} {why}", open.len());
        most(&open);
        let (open, why) = fill("\\\"");
        assert!(why.contains("release something") && open.len() > OPEN_MAX / 2, "{} {why}", open.len());
        most(&open);
    }
}
