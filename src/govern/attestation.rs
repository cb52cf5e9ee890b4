//! A retention attestation: what a look at every lock of the log found, so that it can be shown later that it was looked, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::wish::Told;
use crate::clock::UnixSeconds;
use crate::promote::scrub::{Look, Scrub};
use crate::record::canonical::Json;
use crate::tlog::tile::Resource;
use crate::vault::shown;
use crate::verify::{KeyTrust, Kind, LockCheck, LockSums, LogReport, Report, Verdict, is_segment_name};
use crate::worm::{is_name, parse_cosignature_name, parse_seal_name, parse_timestamp_name};

/// Findings that are told one by one. Each takes some 350 bytes at most.
pub const FIRST_MAX: usize = 100;
/// Kinds of objects that are told apart, and kinds of findings. Each takes some 250 bytes at most.
const KINDS_MAX: usize = 64;
/// Longest name of an object that is told, bytes: the longest of a log's own has 110. The rest of a longer one is left out.
const NAME_BYTES_MAX: usize = 200;
/// Where objects are counted whose kind is beyond [`KINDS_MAX`]: strangers may make up any number.
const OTHERS: &str = "others";

/// What was found. All of it is counted, and the first findings are named.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// In one word.
    pub verdict: Verdict,
    /// Where trust in the log's key came from.
    pub key: KeyTrust,
    /// Whether locks were read.
    pub locks: LockCheck,
    /// Seals of the log as far as it was looked.
    pub tree_size: u64,
    /// First and last seal that was looked at; `None`: none was.
    pub covered: Option<(u64, u64)>,
    /// Records of the segments that were looked at.
    pub records: u64,
    /// Locks that end before this moment count as due, seconds since 1970.
    pub due_before: i64,
    /// What the store shows, by kind of object.
    pub objects: BTreeMap<String, LockSums>,
    /// Findings by kind.
    pub findings: BTreeMap<String, u64>,
    /// Findings beyond what a report keeps; their kinds are not known.
    pub uncounted: u64,
    /// What could not be checked.
    pub unchecked: u64,
    /// The first findings.
    pub first: Vec<Found>,
}

/// One finding.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// [`Kind`]
    pub kind: String,
    /// Key below the log.
    pub object: String,
    /// Index of the seal, where known.
    pub seal: Option<u64>,
}

impl Attestation {
    /// Of a report on one log's locks.
    pub fn of(report: &Report, log: &LogReport, due: UnixSeconds) -> Self {
        let mut objects: BTreeMap<String, LockSums> = BTreeMap::new();
        for (kind, sums) in &log.locks {
            let kind = if objects.len() < KINDS_MAX - 1 { cut(kind) } else { OTHERS.to_owned() };
            objects.entry(kind).or_default().merge(sums);
        }
        let mut findings: BTreeMap<String, u64> = BTreeMap::new();
        for item in &report.findings {
            *findings.entry(item.kind.as_str().to_owned()).or_default() += 1;
        }
        let unchecked = report.notes.iter().filter(|note| note.kind == Kind::Unchecked).count();
        let first = report.findings.iter().take(FIRST_MAX);
        Attestation {
            verdict: report.verdict,
            key: report.key,
            locks: report.locks,
            tree_size: log.tree_size,
            covered: log.covered,
            records: log.records,
            due_before: due.0,
            objects,
            findings,
            uncounted: report.findings_more,
            unchecked: u64::try_from(unchecked).unwrap_or(u64::MAX),
            first: first.map(|item| Found { kind: item.kind.as_str().to_owned(), object: cut(&item.object), seal: item.seal }).collect(),
        }
    }

    /// Objects whose lock was read.
    pub fn looked_at(&self) -> u64 {
        self.objects.values().fold(0, |sum, sums| sum.saturating_add(sums.objects))
    }

    /// All findings.
    pub fn found(&self) -> u64 {
        self.findings.values().fold(self.uncounted, |sum, count| sum.saturating_add(*count))
    }
}

/// As much of a name as is told.
fn cut(name: &str) -> String {
    let end = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned()
}

/// Whether a key below the log is one that this program gives, in which no name of a person can stand.
fn is_own(object: &str) -> bool {
    matches!(object, "" | "log.json" | "checkpoint")
        || parse_seal_name(object).is_some()
        || is_segment_name(object)
        || parse_timestamp_name(object).is_some()
        || parse_cosignature_name(object).is_some()
        || Resource::parse(object).is_some()
}

/// How an object is called in the record. Anybody who may write into a bucket may give an object any name.
fn told(object: &str, scrub: &Scrub) -> Json {
    if is_own(object) {
        return Json::string(object);
    }
    let object = scrub.scrubbed(object, Look::Everything).unwrap_or_else(|| object.to_owned());
    // Control characters take more room.
    Json::String(cut(&shown(&object)))
}

/// Whether objects of a log are counted under this name.
fn is_kind(kind: &str) -> bool {
    let class = kind.strip_prefix("segments/").unwrap_or(kind);
    is_name(class) || class == "log.json"
}

impl Told for Attestation {
    fn kind(&self) -> &'static str {
        "retention"
    }

    fn act(&self) -> &'static str {
        "attestation"
    }

    fn count(&self) -> Option<u64> {
        Some(self.looked_at())
    }

    fn check(&self) -> Result<(), String> {
        let is_word = |word: &str| (1..=NAME_BYTES_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let wrong = |what: &str| Err(format!("an attestation {what}"));
        if self.objects.len() > KINDS_MAX || self.findings.len() > KINDS_MAX || self.first.len() > FIRST_MAX {
            return wrong(&format!("tells {KINDS_MAX} kinds of objects and findings at most, and names {FIRST_MAX} findings"));
        }
        if self.findings.keys().chain(self.first.iter().map(|found| &found.kind)).any(|kind| !is_word(kind)) {
            return wrong("calls findings by words of lower-case letters");
        }
        if self.objects.keys().any(|kind| kind.len() > NAME_BYTES_MAX) || self.first.iter().any(|found| found.object.len() > NAME_BYTES_MAX)
        {
            return wrong(&format!("names objects in {NAME_BYTES_MAX} bytes"));
        }
        let dates = self.objects.values().flat_map(|sums| [sums.earliest, sums.latest]).flatten();
        if dates.chain([UnixSeconds(self.due_before)]).any(|at| !is_date(at)) {
            return wrong("has dates of the years 1970 to 9999");
        }
        Ok(())
    }

    /// ```text
    /// {"covered":{"first":"0","last":"41"},                    seals that were looked at
    ///  "due_before":"2026-12-21T20:00:00Z",
    ///  "findings":{"lock_weak":"2"},                           how many of each kind
    ///  "first":[{"kind":"lock_weak","object":"segments/...","seal":"7"}],   the first hundred
    ///  "key":"configured","left_out":"3",                      findings that are not named; absent: none
    ///  "locks":"checked","objects":{"seals":{"objects":"42","governance":"42",...}},
    ///  "records":"1200","tree_size":"42","unchecked":"1",      what could not be checked; absent: nothing
    ///  "verdict":"findings"}
    /// ```
    fn filter(&self, scrub: &Scrub) -> Json {
        let number = |n: u64| Json::String(n.to_string());
        let sums = |sums: &LockSums| {
            let counts = sums.counts().into_iter().filter(|(name, count)| *count > 0 || *name == "objects");
            let mut members: Vec<(String, Json)> = counts.map(|(name, count)| (name.to_owned(), number(count))).collect();
            for (name, at) in [("earliest", sums.earliest), ("latest", sums.latest)] {
                members.extend(at.map(|at| (name.to_owned(), Json::String(at.to_string()))));
            }
            Json::Object(members)
        };
        let kind = |kind: &String| if is_kind(kind) { kind.clone() } else { OTHERS.to_owned() };
        let mut objects: BTreeMap<String, LockSums> = BTreeMap::new();
        for (name, of) in &self.objects {
            objects.entry(kind(name)).or_default().merge(of);
        }
        let first = self.first.iter().map(|found| {
            let mut members = vec![("kind".to_owned(), Json::string(&found.kind)), ("object".to_owned(), told(&found.object, scrub))];
            members.extend(found.seal.map(|seal| ("seal".to_owned(), number(seal))));
            Json::Object(members)
        });
        let mut members = vec![
            ("verdict".to_owned(), Json::string(self.verdict.as_str())),
            ("key".to_owned(), Json::string(self.key.as_str())),
            ("locks".to_owned(), Json::string(self.locks.as_str())),
            ("tree_size".to_owned(), number(self.tree_size)),
            ("records".to_owned(), number(self.records)),
            ("due_before".to_owned(), Json::String(UnixSeconds(self.due_before).to_string())),
            ("objects".to_owned(), Json::Object(objects.iter().map(|(kind, of)| (kind.clone(), sums(of))).collect())),
            ("findings".to_owned(), Json::Object(self.findings.iter().map(|(kind, count)| (kind.clone(), number(*count))).collect())),
            ("first".to_owned(), Json::Array(first.collect())),
        ];
        let left_out = self.found().saturating_sub(u64::try_from(self.first.len()).unwrap_or(u64::MAX));
        for (name, count) in [("left_out", left_out), ("unchecked", self.unchecked)] {
            members.extend((count > 0).then(|| (name.to_owned(), number(count))));
        }
        members.extend(
            self.covered.map(|(first, last)| ("covered".to_owned(), Json::object([("first", number(first)), ("last", number(last))]))),
        );
        Json::Object(members)
    }
}

/// Whether a moment is written with four digits of a year.
fn is_date(at: UnixSeconds) -> bool {
    (0..253_402_300_800).contains(&at.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::FILTER_BYTES_MAX;

    fn attestation() -> Attestation {
        Attestation {
            verdict: Verdict::Findings,
            key: KeyTrust::Configured,
            locks: LockCheck::Checked,
            tree_size: 42,
            covered: Some((0, 41)),
            records: 7,
            due_before: 1_795_000_000,
            objects: BTreeMap::from([("seals".to_owned(), LockSums { objects: 42, governance: 42, ..LockSums::default() })]),
            findings: BTreeMap::from([("lock_weak".to_owned(), 2)]),
            uncounted: 0,
            unchecked: 0,
            first: vec![Found { kind: "lock_weak".to_owned(), object: "seals/00000000000000000007.json".to_owned(), seal: Some(7) }],
        }
    }

    #[test]
    fn an_attestation_is_told_as_counts_and_names() {
        assert_eq!(
            attestation().filter(&Scrub::default()).to_jcs_string(),
            r#"{"covered":{"first":"0","last":"41"},"due_before":"2026-11-18T11:06:40Z","findings":{"lock_weak":"2"},"#.to_owned()
                + r#""first":[{"kind":"lock_weak","object":"seals/00000000000000000007.json","seal":"7"}],"key":"configured","#
                + r#""left_out":"1","locks":"checked","objects":{"seals":{"governance":"42","objects":"42"}},"records":"7","#
                + r#""tree_size":"42","verdict":"findings"}"#
        );
    }

    /// Guarantee: whatever strangers call their objects, no address and no telephone number is sealed, nothing that moves a cursor, and the
    /// names that the log itself gives stay whole, digits and all.
    #[test]
    fn no_object_brings_a_name_into_the_record() {
        let class = "segments/standard/2026/11/20/00000000000000000007-0123456789abcdef.jsonl.zst";
        let scrub = Scrub::new(&["CUST-####".to_owned()]).unwrap();
        for (object, said) in [
            (class, class),
            ("timestamps/00000000000000000007/0123456789012345.tsr", "timestamps/00000000000000000007/0123456789012345.tsr"),
            ("tile/0/x001/234", "tile/0/x001/234"),
            ("junk/alice@example.com", "junk/[scrubbed]"),
            ("seals/+49 170 1234567.json", "seals/[scrubbed].json"),
            ("x/CUST-1234", "x/[scrubbed]"),
        ] {
            assert_eq!(told(object, &scrub), Json::string(said), "{object}");
        }
        let Json::String(moved) = told("a\u{1b}[31m\nb", &scrub) else { panic!() };
        assert!(!moved.contains(char::is_control), "{moved}");
        let stranger = Attestation {
            objects: BTreeMap::from([("alice@example.com".to_owned(), LockSums { objects: 3, ..LockSums::default() })]),
            ..attestation()
        };
        let text = stranger.filter(&scrub).to_jcs_string();
        assert!(text.contains(r#""objects":{"others":{"objects":"3"}}"#), "{text}");
    }

    /// Guarantee: however much was found, by however strange names, the record has room for it, and says how much it leaves out.
    #[test]
    fn the_largest_attestation_fits() {
        let most = LockSums {
            objects: u64::MAX,
            unlocked: u64::MAX,
            governance: u64::MAX,
            compliance: u64::MAX,
            held: u64::MAX,
            over: u64::MAX,
            due: u64::MAX,
            earliest: Some(UnixSeconds(253_402_300_799)),
            latest: Some(UnixSeconds(253_402_300_799)),
        };
        let largest = |kinds: usize, first: usize| Attestation {
            objects: (0..kinds).map(|n| (format!("segments/{n:0>60}"), most)).collect(),
            findings: (0..KINDS_MAX).map(|n| ("a".repeat(n + 1), u64::MAX)).collect(),
            first: vec![Found { kind: "k".repeat(30), object: "\u{202e}".repeat(NAME_BYTES_MAX / 3), seal: Some(u64::MAX) }; first],
            ..attestation()
        };
        let fits = largest(KINDS_MAX, FIRST_MAX);
        assert_eq!(fits.check(), Ok(()));
        let length = fits.filter(&Scrub::default()).to_jcs_string().len();
        assert!(length <= FILTER_BYTES_MAX, "{length}");
        assert!(largest(KINDS_MAX + 1, 0).check().is_err() && largest(0, FIRST_MAX + 1).check().is_err());
        for (wrong, says) in [
            (Attestation { findings: BTreeMap::from([("Lock Weak".to_owned(), 1)]), ..attestation() }, "lower-case"),
            (Attestation { due_before: -1, ..attestation() }, "dates"),
            (Attestation { objects: BTreeMap::from([("x".repeat(NAME_BYTES_MAX + 1), most)]), ..attestation() }, "bytes"),
        ] {
            let said = wrong.check().unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }
}
