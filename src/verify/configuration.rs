//! Under which configuration a seal was made, and whether it keeps its segments, and the store what joins them to the log, as long as that
//! one says (`store.md`, "The seal" and "Evidence lock").
//!
//! A statement names its configuration by a hash. The text stands in a `config_change` record, which the first seal under it holds; from
//! there on the periods of the classes are known, in the order of the log.

use super::demands::Demand;
use super::locks::{Held, mended, shown};
use super::report::{Item, Kind, Sink};
use crate::clock::UnixSeconds;
use crate::plain::counted;
use crate::record::canonical::Json;
use crate::retain::Period;
use crate::tlog::Hash;
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::worm::{Lock, Mode};

/// What a `config_change` record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// SHA-256 of its text, as statements name it.
    pub sha256: Hash,
    /// Mode and period of each retention class; a class that is not written as this version writes it is left out.
    pub classes: Vec<(String, Mode, Period)>,
    /// Whether every class is among them.
    pub complete: bool,
    /// Names of the witnesses that it says are asked (`log.witnesses`): told, never trusted.
    pub witnesses: Vec<String>,
}

impl Configuration {
    /// Reads a record; `None` where it is not the change of a configuration.
    pub(super) fn of(record: &Json) -> Option<Self> {
        (record.get("kind").and_then(Json::as_str) == Some("config_change")).then_some(())?;
        let after = record.path("change.after").and_then(Json::as_str)?;
        let text = Json::parse(after.as_bytes()).ok();
        let listed = text.as_ref().and_then(|t| t.path("retention.classes")).and_then(Json::as_array).unwrap_or_default();
        let member = |class: &Json, name: &str| class.get(name).and_then(Json::as_str).map(str::to_owned);
        let read =
            |class: &Json| Some((member(class, "name")?, Mode::parse(&member(class, "mode")?)?, member(class, "period")?.parse().ok()?));
        let classes: Vec<_> = listed.iter().filter_map(read).collect();
        let complete = !listed.is_empty() && classes.len() == listed.len();
        let asked = text.as_ref().and_then(|t| t.path("log.witnesses")).and_then(Json::as_array).unwrap_or_default();
        let named = |witness: &Json| Some(member(witness, "vkey")?.split('+').next()?.to_owned());
        let witnesses = asked.iter().filter_map(named).take(64).collect();
        Some(Configuration { sha256: Hash::of(after.as_bytes()), classes, complete, witnesses })
    }

    /// The least lock, at this moment, of what has to outlive every record: the strongest mode and the latest date of any class. `None`
    /// where a class is not known.
    pub(super) fn evidence_lock(&self, at: UnixSeconds) -> Option<Lock> {
        let locks = self.classes.iter().map(|(_, mode, period)| Lock { mode: *mode, retain_until: period.after(at) });
        locks.reduce(Lock::join).filter(|_| self.complete)
    }

    /// The least lock of a class for what is sealed at this moment.
    fn lock(&self, class: &str, sealed_at: UnixSeconds) -> Option<Lock> {
        let (_, mode, period) = self.classes.iter().find(|(name, ..)| name == class)?;
        Some(Lock { mode: *mode, retain_until: period.after(sealed_at) })
    }
}

/// A segment of a class that was made up: no period was ever promised for it, so nothing says how long it had to be kept.
fn unconfigured(configuration: &Configuration, segment: &SegmentRef, seal: u64, whole: bool) -> Item {
    let meaning = "The configuration in force has no such class, so no rule of the log says how long this segment has to be kept, and the date \
                   in the seal can be any. If the segment is gone, it did not go as planned. Ask the operator what chose the class and the \
                   date; until then `spanseal retention extend --record-id ID --until DATE --reason TEXT`, with the id of any record in it, keeps it.";
    let item = Item::new(Kind::RetentionShort, &segment.key, meaning).seal(seal);
    let names: Vec<String> = configuration.classes.iter().map(|(name, ..)| format!("`{name}`")).collect();
    let item = item.expected(format!("a class of the configuration in force: {}", names.join(", ")));
    let item = item.found(format!("class `{}`, to be kept until {}", segment.class, segment.lock.retain_until));
    // Of a segment that was not read nothing is said.
    if whole { item.intact() } else { item }
}

/// One seal, as its segments were read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) statement: Statement,
    /// Key of the seal below the log.
    pub(super) object: String,
    /// Locks of the seal and of the tiles that it completes, as the store has them.
    pub(super) locks: Vec<Held>,
    /// The least lock of the seal by extensions of what it names.
    pub(super) extended: Option<Lock>,
    /// Under which configuration the seal directly before stands, where it is known.
    pub(super) before: Option<Hash>,
    /// The configurations that its segments record, at most one each.
    pub(super) recorded: Vec<Configuration>,
    /// Whether all its segments were read.
    pub(super) complete: bool,
}

/// Follows seals in the order of the log.
#[derive(Debug)]
pub(super) struct Configurations {
    /// When it is asked.
    now: UnixSeconds,
    /// That of seal 0, under which the log was made.
    first: Option<Configuration>,
    in_force: Option<Configuration>,
    /// A configuration that the log holds no record of, and that was noted.
    unrecorded: Option<Hash>,
    /// Seals with segments whose periods are not known, for a reason that was not noted yet.
    unjudged: u64,
    /// Objects of which the least lock is not known.
    locks_unjudged: u64,
}

impl Configurations {
    pub(super) fn new(now: UnixSeconds) -> Self {
        Configurations { now, first: None, in_force: None, unrecorded: None, unjudged: 0, locks_unjudged: 0 }
    }

    /// Names of the witnesses of the newest configuration that was read.
    pub(super) fn witnesses(&self) -> &[String] {
        self.in_force.as_ref().map_or(&[], |c| &c.witnesses)
    }

    /// Takes the next seal.
    pub(super) fn judge(&mut self, read: Read, sink: &mut Sink) {
        let Read { statement, object, locks, extended, before, recorded, complete } = read;
        let wanted = statement.config_sha256;
        if let Some(found) = recorded.iter().find(|c| c.sha256 == wanted) {
            self.in_force = Some(found.clone());
        } else if complete && before.map_or(statement.index == 0, |before| before != wanted) {
            // What could not be read, or is gone after its time, may have held it.
            let meaning = "From this seal on a configuration is in force of which the seal does not hold the record. What was sealed is as \
                           signed; under which rules, and for how long it should be kept, only the operator can say.";
            let found = if recorded.is_empty() { "no such record" } else { "the record of another configuration" };
            let item = Item::new(Kind::ConfigUnrecorded, &object, meaning).seal(statement.index);
            sink.note(item.expected(format!("a config_change record whose text has SHA-256 {wanted}")).found(found).intact());
            self.unrecorded = Some(wanted);
        }
        let in_force = self.in_force.as_ref().filter(|c| c.sha256 == wanted);
        let mut unknown = false;
        for segment in &statement.segments {
            let Some(least) = in_force.and_then(|c| c.lock(&segment.class, statement.sealed_at)) else {
                match in_force.filter(|c| c.complete) {
                    Some(c) => sink.finding(unconfigured(c, segment, statement.index, complete)),
                    None => unknown = true,
                }
                continue;
            };
            // Longer and stronger are allowed: a hold, or a claim.
            if !segment.lock.covers(least) {
                let meaning = format!(
                    "The seal promises to keep this segment shorter, or under a weaker lock, than the configuration that the log records for its \
                     class. Nothing is lost yet: extend its lock and ask the operator what set the date. {} What the seal promises stays as it was \
                     signed, so this stays a finding.",
                    mended(&segment.key, Some(segment.lock), Some(least))
                );
                let item = Item::new(Kind::RetentionShort, &segment.key, meaning).seal(statement.index);
                let expected = format!("at least {}, as class `{}` is configured", shown(least), segment.class);
                sink.finding(item.expected(expected).found(shown(segment.lock)).intact());
            }
        }
        self.unjudged += u64::from(unknown && self.unrecorded != Some(wanted));
        let evidence = in_force.and_then(|c| c.evidence_lock(statement.sealed_at));
        if statement.index == 0 {
            self.first = in_force.cloned();
        }
        let named = statement.segments.iter().map(|s| s.lock);
        self.judge_locks(&locks, (evidence, named), extended.map(|lock| (object.as_str(), lock)), Some(statement.index), sink);
    }

    /// `log.json` was locked when it was made, before there was a seal.
    pub(super) fn judge_log_file(&mut self, held: &Held, created: UnixSeconds, sink: &mut Sink) {
        let evidence = self.first.as_ref().and_then(|c| c.evidence_lock(created));
        self.judge_locks(std::slice::from_ref(held), (evidence, []), None, None, sink);
    }

    fn judge_locks(
        &mut self,
        locks: &[Held],
        (evidence, named): (Option<Lock>, impl IntoIterator<Item = Lock>),
        extended: Option<(&str, Lock)>,
        seal: Option<u64>,
        sink: &mut Sink,
    ) {
        if evidence.is_none() {
            self.locks_unjudged += u64::try_from(locks.len()).unwrap_or(u64::MAX);
        }
        // Where the classes are not known, the segments named are: their seal is locked no less.
        let least = evidence.into_iter().chain(named).reduce(Lock::join);
        for held in locks {
            // KNOWN GAP: the tiles, cosignatures and time stamps that join an extended or held segment to what others saw are to be kept with it
            // (`store.md`, "Evidence lock"); which those are is known only behind it, and they are judged as if nothing were extended.
            let own = extended.filter(|(object, _)| *object == held.object).map(|(_, lock)| lock);
            let demand = Demand { extended: own, ..Demand::default() };
            if let Some(item) = held.judge(demand.least(least, self.now), seal, self.now) {
                sink.finding(demand.explain(item));
            }
        }
    }

    /// Says what could not be judged.
    pub(super) fn end(self, sink: &mut Sink) {
        if self.unjudged > 0 {
            let meaning = "Whether segments are kept as long as their class is configured was not judged: the record of the configuration lies \
                           outside the seals that were read, or does not say the period of the class. Verify the whole log for that.";
            sink.note(Item::new(Kind::NotCovered, "segments/", meaning).found(counted(self.unjudged, "seal", "seals")));
        }
        if self.locks_unjudged > 0 {
            let meaning = "Whether seals, tiles, cosignatures and log.json are locked as long as the longest retention class was not judged: the record of the \
                           configuration lies outside the seals that were read, is not there, or does not say mode and period of every \
                           class. That they are locked at all was looked at, and seals against the segments that they name. Verify the \
                           whole log, or ask the operator.";
            sink.note(Item::new(Kind::NotCovered, "seals/", meaning).found(counted(self.locks_unjudged, "object", "objects")));
        }
    }
}
