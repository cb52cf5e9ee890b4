//! Retention locks: read back from the store, and compared with the least that must be there.
//!
//! A segment has the lock that its seal names. A seal, `log.json` and full tiles have the evidence lock (`store.md`, "Evidence lock"),
//! which no statement names: it follows from the configuration on record, so it is judged where that one is known (`configuration`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::objects::{Outcome, Scene};
use super::report::{Item, Kind};
use crate::clock::UnixSeconds;
use crate::worm::{Head, Lock, Locks, Mode, VersionId, below};

/// Locks of the objects of one kind, as the store shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockSums {
    /// Objects whose lock was read.
    pub objects: u64,
    /// Of these without any lock.
    pub unlocked: u64,
    /// In GOVERNANCE.
    pub governance: u64,
    /// In COMPLIANCE.
    pub compliance: u64,
    /// With a legal hold.
    pub held: u64,
    /// Whose date is past, without a hold: they may go.
    pub over: u64,
    /// Whose date is not past and comes before `Options::due`, without a hold.
    pub due: u64,
    /// The earliest date.
    pub earliest: Option<UnixSeconds>,
    /// The latest date.
    pub latest: Option<UnixSeconds>,
}

impl LockSums {
    fn add(&mut self, head: &Head, now: UnixSeconds, due: UnixSeconds) {
        self.objects += 1;
        self.held += u64::from(head.legal_hold);
        let Some(lock) = head.lock else {
            self.unlocked += 1;
            return;
        };
        match lock.mode {
            Mode::Governance => self.governance += 1,
            Mode::Compliance => self.compliance += 1,
        }
        let until = lock.retain_until;
        if !head.legal_hold {
            self.over += u64::from(until <= now);
            self.due += u64::from(until > now && until <= due);
        }
        self.earliest = Some(self.earliest.map_or(until, |earliest| earliest.min(until)));
        self.latest = Some(self.latest.map_or(until, |latest| latest.max(until)));
    }

    /// The counts, by name.
    pub fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("objects", self.objects),
            ("unlocked", self.unlocked),
            ("governance", self.governance),
            ("compliance", self.compliance),
            ("held", self.held),
            ("over", self.over),
            ("due", self.due),
        ]
    }

    /// Both together.
    pub(crate) fn merge(&mut self, other: &LockSums) {
        for (sum, more) in [
            (&mut self.objects, other.objects),
            (&mut self.unlocked, other.unlocked),
            (&mut self.governance, other.governance),
            (&mut self.compliance, other.compliance),
            (&mut self.held, other.held),
            (&mut self.over, other.over),
            (&mut self.due, other.due),
        ] {
            *sum = sum.saturating_add(more);
        }
        let both =
            |one: Option<UnixSeconds>, other: Option<UnixSeconds>, pick: fn(UnixSeconds, UnixSeconds) -> UnixSeconds| match (one, other) {
                (Some(one), Some(other)) => Some(pick(one, other)),
                (one, other) => one.or(other),
            };
        self.earliest = both(self.earliest, other.earliest, UnixSeconds::min);
        self.latest = both(self.latest, other.latest, UnixSeconds::max);
    }
}

/// What kind of object a key below the log is: its folder, of segments with the class.
fn kind_of(object: &str) -> &str {
    match object.strip_prefix("segments/").and_then(|rest| rest.find('/')) {
        Some(class) => object.get(.."segments/".len() + class).unwrap_or(object),
        None => object.split('/').next().unwrap_or(object),
    }
}

/// Sums by kind of object.
#[derive(Clone, Debug, Default)]
pub(super) struct LockTable(pub(super) BTreeMap<String, LockSums>);

impl LockTable {
    fn add(&mut self, object: &str, head: &Head, now: UnixSeconds, due: UnixSeconds) {
        let kind = kind_of(object);
        match self.0.get_mut(kind) {
            Some(sums) => sums.add(head, now, due),
            None => self.0.entry(kind.to_owned()).or_default().add(head, now, due),
        }
    }

    pub(super) fn merge(&mut self, other: &LockTable) {
        for (kind, sums) in &other.0 {
            self.0.entry(kind.clone()).or_default().merge(sums);
        }
    }
}

/// What the store says of one version's lock.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Key below the log.
    pub(super) object: String,
    /// `None`: it is not locked.
    pub(super) lock: Option<Lock>,
    /// Whether a legal hold is on it.
    pub(super) legal_hold: bool,
}

impl Held {
    /// Reads a lock back. `None` where the store has no locks, or the answer could not be had, which is said.
    pub(super) async fn read(
        scene: Scene<'_>,
        out: &mut Outcome,
        seal: Option<u64>,
        object: &str,
        version: Option<&VersionId>,
    ) -> Option<Self> {
        if scene.store.locks() != Locks::Enforced {
            return None;
        }
        let why = match scene.store.head(&below(scene.log, object), version).await {
            Ok(Some(head)) => {
                out.locks_read += 1;
                out.held.add(object, &head, scene.now, scene.due);
                return Some(Held { object: object.to_owned(), lock: head.lock, legal_hold: head.legal_hold });
            }
            Ok(None) => "the version vanished while it was looked at".to_owned(),
            Err(error) => error.to_string(),
        };
        out.locks_unread += 1;
        out.sink.unchecked(object, seal, format!("its lock: {why}"));
        None
    }

    /// What is wrong with it. Where nobody knows the least that must be there (`None`), some lock must be, whatever its date.
    pub(super) fn judge(&self, least: Option<Lock>, seal: Option<u64>, now: UnixSeconds) -> Option<Item> {
        // Past its date a lock binds nobody, and a store may no longer show it.
        if least.is_some_and(|least| least.retain_until <= now) {
            return None;
        }
        let (kind, meaning) = match (self.lock, least) {
            (None, _) => (
                Kind::LockMissing,
                "The object is not locked, so it could be deleted before its time. Nothing is lost yet: lock it again and find out who lifted the \
                 lock.",
            ),
            (Some(lock), Some(least)) if !lock.covers(least) => (
                Kind::LockWeak,
                "The lock is shorter or weaker than it must be by what the log's key signed: the seal and, for all but segments, the longest \
                 of the retention classes on record. Nothing is lost yet: extend it and find out who changed it.",
            ),
            _ => return None,
        };
        let meaning = format!("{meaning} {}", mended(&self.object, self.lock, least));
        let expected = least.map_or_else(|| "a lock".to_owned(), |least| format!("at least {}", shown(least)));
        let found = self.lock.map_or_else(|| "no lock".to_owned(), shown);
        Some(Item { seal, ..Item::new(kind, &self.object, meaning).expected(expected).found(found).intact() })
    }
}

/// With what the lock of an object is mended. `extend` reaches segments, their seals and what joins those to the word of others.
pub(super) fn mended(object: &str, found: Option<Lock>, least: Option<Lock>) -> String {
    let until = least.map_or_else(|| "DATE".to_owned(), |least| least.retain_until.to_string());
    let mode = least.map_or("MODE", |least| least.mode.as_str());
    let raises = least.is_some_and(|least| least.mode == Mode::Compliance);
    let command = format!(
        "`spanseal retention extend --record-id ID --until {until}{} --reason TEXT`",
        if raises { " --mode COMPLIANCE" } else { "" }
    );
    let with_tools = format!(
        "the store's own tools do (S3: `aws s3api put-object-retention` with the version id, Mode={mode} and RetainUntilDate={until})"
    );
    let mut said = match object.split('/').next() {
        Some("segments") => {
            format!("{command} does that, with the id of any record in it (`spanseal query --format csv` shows both side by side).")
        }
        Some("seals") => format!(
            "{command} does that, with the id of any record that this seal holds (`spanseal query --format csv` shows both side by side); for a \
             seal without records {with_tools}."
        ),
        _ => format!("No command of spanseal locks just this object; {with_tools}."),
    };
    if raises && found.is_some_and(|found| found.mode == Mode::Governance) {
        said.push_str(
            " Making COMPLIANCE of GOVERNANCE is refused by some stores (Ceph RGW, MinIO) without the governance bypass, for which spanseal never \
             asks: there an administrator does it with the store's own tools.",
        );
    }
    said
}

/// A lock in words.
pub(super) fn shown(lock: Lock) -> String {
    format!("{} until {}", lock.mode.as_str(), lock.retain_until)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn meaning(object: &str, lock: Option<Lock>, least: Lock) -> String {
        let held = Held { object: object.to_owned(), lock, legal_hold: false };
        held.judge(Some(least), Some(3), NOW).unwrap().meaning
    }

    /// Guarantee: whoever reads of a lock that is missing or weak reads what mends it: a command that this program takes, where it reaches the
    /// object, and else the store's own tools; and nothing is promised that some stores refuse.
    #[test]
    fn what_mends_a_lock_is_named() {
        let lock = |mode, after: i64| Lock { mode, retain_until: UnixSeconds(NOW.0 + after) };
        let (weak, strong) = (lock(Mode::Governance, 100), lock(Mode::Compliance, 200));
        for object in ["segments/standard/2026/11/21/x.jsonl.zst", "seals/00000000000000000003.json"] {
            for (found, least, raises, warns) in [
                (None, weak, false, false),
                (None, strong, true, false),
                (Some(weak), strong, true, true),
                (Some(weak), lock(Mode::Governance, 200), false, false),
            ] {
                let said = meaning(object, found, least);
                let command = said.split('`').find(|part| part.starts_with("spanseal retention extend")).unwrap();
                assert!(Cli::try_parse_from(command.replace("ID", &"a".repeat(32)).split(' ')).is_ok(), "{command}");
                assert!(command.contains(&least.retain_until.to_string()), "{command}");
                assert_eq!(command.contains("--mode COMPLIANCE"), raises, "{said}");
                assert_eq!(said.contains("without the governance bypass"), warns, "{said}");
                assert_eq!(said.contains("put-object-retention"), object.starts_with("seals/"), "a seal may hold no record: {said}");
            }
        }
        for object in ["log.json", "tile/0/000", "cosignatures/x/y.note"] {
            let said = meaning(object, None, strong);
            assert!(
                said.contains("Mode=COMPLIANCE and RetainUntilDate=2027-01-15T08:03:20Z") && !said.contains("retention extend"),
                "{said}"
            );
        }
    }
}
