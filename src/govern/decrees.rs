//! Decrees: what an operator orders about the locks of what is sealed already. A **hold** keeps every segment that holds a matching record
//! from being deleted until it is released, those sealed later too; an **extension** keeps those that are there now until a later date, or in
//! a stronger mode.
//!
//! Each step of a decree is a control record of the log (kind `hold`, or `retention` for an extension) whose `control.filter` is the JCS text
//! of an [`Entry`]. Every entry holds all decrees that are open behind it, so the newest alone tells what a writer has to do; and every
//! statement names the newest seal that holds one (`decrees`), so the chain of them is walked without reading anything else: from a
//! statement to the seal that it names, and on from the statement before that.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::UnixSeconds;
use crate::record::SCHEMA;
use crate::record::canonical::Json;
use crate::tlog::Hash;
use crate::worm::{Lock, Mode};

/// The format of an entry. What an older reader would draw another conclusion from gets another.
pub const FORMAT: &str = "spanseal.decrees/1";
/// Decrees that may be open at a time.
pub const OPEN_MAX: usize = 128;
/// Longest query of a decree, bytes of JCS: all that are open stand in one line of at most 1 MiB.
pub const QUERY_BYTES_MAX: usize = 4 * 1024;
/// Segments that one entry may name, 37 bytes each; more go into further entries.
pub const SEGMENTS_MAX: usize = 8 * 1024;

/// How long a seal with records of others may be sealed before the log says that an open hold was carried out up to it, seconds. What is older
/// and not looked at may hold what has to be kept; the same goes for what an extension means since it was ordered (`crate::format`, section 7).
pub const BEHIND_SECONDS_MAX: i64 = 48 * 3600;

/// Names a segment within its log: the seal that names it, and the first half of its SHA-256 (`<index>-<16 hex digits>`, as in its key).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// Index of the seal.
    pub seal: u64,
    /// First eight bytes of the SHA-256 of what is stored.
    pub short: u64,
}

impl SegmentId {
    /// Of a segment that seal `seal` names.
    pub fn new(seal: u64, sha256: &Hash) -> Self {
        let short = sha256.0.iter().take(8).fold(0, |short, byte| (short << 8) | u64::from(*byte));
        SegmentId { seal, short }
    }

    /// Reads it; only what this writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (seal, short) = text.split_once('-')?;
        let id = SegmentId { seal: decimal(seal)?, short: u64::from_str_radix(short, 16).ok()? };
        (id.to_string() == text).then_some(id)
    }
}

impl std::fmt::Display for SegmentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:016x}", self.seal, self.short)
    }
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A legal hold, until it is released.
    Hold,
    /// At least this lock.
    Extend(Lock),
}

/// A decree that is open: a hold that is not released, or an extension that is not carried out to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Decree {
    /// The matter's name: 1 to 64 of letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// What.
    pub order: Order,
    /// Which records are meant; persons by pseudonym.
    pub query: Json,
    /// When it was placed.
    pub since: UnixSeconds,
    /// Seals below this index were looked at, and what matches is named in entries before.
    pub through: u64,
}

/// A step of a decree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is ordered. Nothing was done for it yet.
    Open,
    /// It was carried out on the segments that the entry names.
    Apply,
    /// It is over: a hold is released, or an extension was carried out on all that matched.
    Close,
    /// It is over: an extension was given up before it was carried out on all that matched.
    GiveUp,
}

const STEPS: [(Step, &str); 4] = [(Step::Open, "open"), (Step::Apply, "apply"), (Step::Close, "close"), (Step::GiveUp, "give_up")];

impl Step {
    /// The word that entries use.
    pub fn as_str(self) -> &'static str {
        STEPS.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }
}

/// What one record of a decree says, in `control.filter`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which step.
    pub step: Step,
    /// Of which decree.
    pub of: Decree,
    /// What the step was carried out on, ascending.
    pub segments: Vec<SegmentId>,
    /// All decrees that are open behind it, by name.
    pub open: Vec<Decree>,
}

/// Whether a text may name a decree.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl Decree {
    /// Whether a seal with records of others, sealed then, should have been looked at by now, and the log does not say that it was.
    pub fn is_behind(&self, index: u64, sealed_at: UnixSeconds, now: UnixSeconds) -> bool {
        let late = now.0.saturating_sub(BEHIND_SECONDS_MAX);
        index >= self.through
            && match self.order {
                Order::Hold => sealed_at.0 < late,
                Order::Extend(lock) => self.since.0 < late && sealed_at <= self.since && lock.retain_until > now,
            }
    }

    fn to_json(&self) -> Json {
        let text = |name: &str, value: &dyn std::fmt::Display| (name.to_owned(), Json::String(value.to_string()));
        let mut members = vec![
            text("id", &self.id),
            ("query".to_owned(), self.query.clone()),
            text("since", &self.since),
            text("through", &self.through),
        ];
        match self.order {
            Order::Hold => members.push(text("order", &"hold")),
            Order::Extend(lock) => {
                members.extend([text("order", &"extend"), text("mode", &lock.mode.as_str()), text("until", &lock.retain_until)])
            }
        }
        Json::Object(members)
    }

    fn parse(json: &Json) -> Result<Self, String> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).ok_or_else(|| format!("a decree without `{name}`"));
        let time = |name: &str| UnixSeconds::parse_strict(text(name)?).ok_or_else(|| format!("`{name}` of a decree is no time"));
        let order = match text("order")? {
            "hold" => Order::Hold,
            "extend" => {
                let mode = Mode::parse(text("mode")?).ok_or("a decree of an unknown mode")?;
                Order::Extend(Lock { mode, retain_until: time("until")? })
            }
            _ => return Err("a decree of an unknown order".to_owned()),
        };
        let id = text("id")?.to_owned();
        if !is_id(&id) {
            return Err("a decree with a name that none can have".to_owned());
        }
        let query = json.get("query").filter(|query| query.as_object().is_some()).ok_or("a decree without `query`")?.clone();
        let through = decimal(text("through")?).ok_or("`through` of a decree is no number")?;
        Ok(Decree { id, order, query, since: time("since")?, through })
    }
}

impl Entry {
    /// The text of `control.filter`.
    pub fn to_text(&self) -> String {
        Json::object([
            ("format", Json::string(FORMAT)),
            ("step", Json::string(self.step.as_str())),
            ("of", self.of.to_json()),
            ("segments", Json::Array(self.segments.iter().map(|id| Json::String(id.to_string())).collect())),
            ("open", Json::Array(self.open.iter().map(Decree::to_json).collect())),
        ])
        .to_jcs_string()
    }

    /// Reads a record; `None`: it is none of a decree. An error says what is wrong with one that claims to be.
    pub fn of(record: &Json) -> Option<Result<Self, String>> {
        let text = |path: &str| record.path(path).and_then(Json::as_str);
        // What members of another schema mean is not known.
        if text("schema") != Some(SCHEMA) {
            return None;
        }
        if text("source.signal") != Some("control") || !matches!(text("kind"), Some("hold" | "retention")) {
            return None;
        }
        let filter = Json::parse(text("control.filter")?.as_bytes()).ok()?;
        (filter.get("format").and_then(Json::as_str) == Some(FORMAT)).then(|| Self::parse(&filter))
    }

    fn parse(filter: &Json) -> Result<Self, String> {
        let list = |name: &str| filter.get(name).and_then(Json::as_array).ok_or_else(|| format!("an entry without `{name}`"));
        let step = filter.get("step").and_then(Json::as_str).ok_or("an entry without `step`")?;
        let (step, _) = STEPS.iter().find(|(_, name)| *name == step).ok_or("an entry of an unknown step")?;
        let id = |json: &Json| json.as_str().and_then(SegmentId::parse).ok_or("a segment with a name that none can have");
        let segments = list("segments")?.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        if !segments.is_sorted_by(|a, b| a < b) {
            return Err("segments that are not in order".to_owned());
        }
        let of = Decree::parse(filter.get("of").ok_or("an entry without `of`")?)?;
        let open = list("open")?.iter().map(Decree::parse).collect::<Result<Vec<_>, _>>()?;
        if !open.is_sorted_by(|a, b| a.id < b.id) {
            return Err("decrees that are not in order of their names".to_owned());
        }
        Ok(Entry { step: *step, of, segments, open })
    }
}

/// What all entries of a log, oldest first, come to.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    open: Vec<Decree>,
    held: BTreeMap<String, BTreeSet<SegmentId>>,
    /// Segments with the records of open holds.
    own: BTreeMap<String, BTreeSet<SegmentId>>,
    extended: BTreeMap<SegmentId, Lock>,
}

impl Ledger {
    /// Takes the next entry. `at`: the segment that it stands in, which is kept as long as what it says is in force.
    pub fn take(&mut self, entry: Entry, at: Option<SegmentId>) {
        let Entry { step, of, segments, open } = entry;
        match (step, of.order) {
            (Step::Apply | Step::Close, Order::Extend(lock)) => {
                for id in segments.into_iter().chain(at) {
                    self.extended.entry(id).and_modify(|before| *before = before.join(lock)).or_insert(lock);
                }
            }
            (Step::Open | Step::Apply, Order::Hold) => {
                self.own.entry(of.id.clone()).or_default().extend(at);
                if step == Step::Apply {
                    self.held.entry(of.id).or_default().extend(segments);
                }
            }
            (Step::Close, Order::Hold) => {
                self.held.remove(&of.id);
                self.own.remove(&of.id);
            }
            // What it was carried out on until then stays extended.
            (Step::Open | Step::GiveUp, _) => {}
        }
        self.open = open;
    }

    /// All decrees that are open now.
    pub fn open(&self) -> &[Decree] {
        &self.open
    }

    /// The open holds that keep a segment, for a record that they mean or for one of their own.
    pub fn holds(&self, id: SegmentId) -> impl Iterator<Item = &str> {
        let own =
            self.own.iter().filter(move |(name, own)| own.contains(&id) && !self.held.get(*name).is_some_and(|held| held.contains(&id)));
        self.held.iter().filter(move |(_, segments)| segments.contains(&id)).chain(own).map(|(name, _)| name.as_str())
    }

    /// The lock that extensions have given a segment, on top of what its seal promises.
    pub fn extended(&self, id: SegmentId) -> Option<Lock> {
        self.extended.get(&id).copied()
    }

    /// The segments that a hold keeps for what it means, ascending.
    pub fn held_by(&self, hold: &str) -> impl Iterator<Item = SegmentId> {
        self.held.get(hold).into_iter().flatten().copied()
    }

    /// The same, and those with the records of the hold itself.
    pub fn kept_by(&self, hold: &str) -> BTreeSet<SegmentId> {
        self.held_by(hold).chain(self.own.get(hold).into_iter().flatten().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decree(id: &str, order: Order) -> Decree {
        let query = Json::object([("model", Json::string("gpt"))]);
        Decree { id: id.to_owned(), order, query, since: UnixSeconds(1_800_000_000), through: 7 }
    }

    fn segment(seal: u64) -> SegmentId {
        SegmentId::new(seal, &Hash::of(&seal.to_be_bytes()))
    }

    fn record(kind: &str, signal: &str, filter: &str) -> Json {
        Json::object([
            ("schema", Json::string(SCHEMA)),
            ("kind", Json::string(kind)),
            ("source", Json::object([("signal", Json::string(signal))])),
            ("control", Json::object([("filter", Json::string(filter))])),
        ])
    }

    const UNTIL: Lock = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(1_900_000_000) };

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for (step, order) in [
            (Step::Open, Order::Hold),
            (Step::Apply, Order::Extend(UNTIL)),
            (Step::Close, Order::Hold),
            (Step::GiveUp, Order::Extend(UNTIL)),
        ] {
            let entry = Entry {
                step,
                of: decree("LH-2026-014", order),
                segments: vec![segment(2), segment(17)],
                open: vec![decree("LH-2026-014", order), decree("b", Order::Hold)],
            };
            assert_eq!(Entry::of(&record("hold", "control", &entry.to_text())), Some(Ok(entry)));
        }
    }

    #[test]
    fn other_records_are_none_and_broken_ones_say_what_is_wrong() {
        let entry =
            Entry { step: Step::Apply, of: decree("a", Order::Extend(UNTIL)), segments: vec![segment(1), segment(2)], open: vec![] };
        let text = entry.to_text();
        assert_eq!(Entry::of(&record("event", "control", &text)), None);
        assert_eq!(Entry::of(&record("hold", "span", &text)), None, "telemetry decrees nothing");
        assert_eq!(Entry::of(&record("hold", "control", &text.replace("decrees/1", "decrees/2"))), None);
        assert_eq!(Entry::of(&record("retention", "control", "{}")), None);
        let later = record("hold", "control", &text).to_jcs_string().replace(SCHEMA, "spanseal.record/2");
        assert_eq!(Entry::of(&Json::parse(later.as_bytes()).unwrap()), None, "of another schema");
        for (from, to, why) in [
            ("\"apply\"", "\"applied\"", "step"),
            ("\"extend\"", "\"shorten\"", "order"),
            ("COMPLIANCE", "COMPLY", "mode"),
            ("\"id\":\"a\"", "\"id\":\"a b\"", "name"),
            ("\"through\":\"7\"", "\"through\":\"07\"", "through"),
            ("\"open\":[]", "\"open\":{}", "open"),
            ("\"query\":{\"model\":\"gpt\"}", "\"query\":\"gpt\"", "query"),
            (&segment(1).to_string(), &segment(3).to_string(), "order"),
            (&segment(1).to_string(), "01-0000000000000000", "name"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            let said = Entry::of(&record("hold", "control", &broken)).unwrap().unwrap_err();
            assert!(said.contains(why), "{from}: {said}");
        }
    }

    #[test]
    fn a_ledger_keeps_what_is_open_and_never_shortens() {
        let mut ledger = Ledger::default();
        let step = |step, of: &Decree, segments: &[u64], open: &[&Decree]| Entry {
            step,
            of: of.clone(),
            segments: segments.iter().map(|seal| segment(*seal)).collect(),
            open: open.iter().map(|decree| (*decree).clone()).collect(),
        };
        let (a, b) = (decree("a", Order::Hold), decree("b", Order::Hold));
        for entry in [
            step(Step::Open, &a, &[], &[&a]),
            step(Step::Apply, &a, &[1, 2], &[&a]),
            step(Step::Open, &b, &[], &[&a, &b]),
            step(Step::Apply, &b, &[2, 3], &[&a, &b]),
        ] {
            ledger.take(entry, Some(segment(40)));
        }
        assert_eq!(ledger.holds(segment(40)).collect::<Vec<_>>(), ["a", "b"], "their own records");
        assert_eq!(ledger.kept_by("a").into_iter().collect::<Vec<_>>(), [segment(1), segment(2), segment(40)]);
        assert_eq!(ledger.holds(segment(2)).collect::<Vec<_>>(), ["a", "b"]);
        ledger.take(step(Step::Close, &a, &[], &[&b]), Some(segment(41)));
        assert_eq!((ledger.holds(segment(40)).collect::<Vec<_>>(), ledger.holds(segment(41)).count()), (vec!["b"], 0));
        assert_eq!(ledger.holds(segment(1)).count(), 0);
        assert_eq!(ledger.holds(segment(2)).collect::<Vec<_>>(), ["b"]);
        assert_eq!(ledger.held_by("b").collect::<Vec<_>>(), [segment(2), segment(3)]);
        assert_eq!(ledger.open(), std::slice::from_ref(&b));
        let lock = |mode, at| Lock { mode, retain_until: UnixSeconds(at) };
        for (mode, at) in [(Mode::Governance, 9), (Mode::Compliance, 5), (Mode::Governance, 7)] {
            ledger.take(step(Step::Close, &decree("x", Order::Extend(lock(mode, at))), &[4], &[&b]), Some(segment(5)));
        }
        assert_eq!(ledger.extended(segment(4)), Some(lock(Mode::Compliance, 9)));
        assert_eq!((ledger.extended(segment(2)), ledger.extended(segment(5))), (None, Some(lock(Mode::Compliance, 9))));
        ledger.take(step(Step::GiveUp, &decree("x", Order::Extend(lock(Mode::Compliance, 99))), &[4, 2], &[&b]), Some(segment(6)));
        assert_eq!((ledger.extended(segment(4)), ledger.extended(segment(2))), (Some(lock(Mode::Compliance, 9)), None));
    }
}
