//! What a verification says: verdict, findings, notes; as one JSON object (`design.md` section 9) and as calm text.
//!
//! A finding is a result, not an error. What could not be read is never silently fine: it stands among the notes with the kind
//! `unchecked`, and the verdict is `unchecked` unless there are findings, which beat it.

mod kind;
mod text;

pub use kind::Kind;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::completeness::Completeness;
use super::cosignatures::Cosigned;
use super::expiry::Expired;
use super::locks::LockSums;
use super::stamps::Timestamped;
use crate::clock::UnixSeconds;
use crate::tlog::RootHash;

/// Most findings, and most notes, that one report keeps; further ones are counted. 10,000 of half a kilobyte are 5 MB.
const ITEMS_MAX: usize = 10_000;

/// The answer in one word, and the exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything asked for was read, re-derived and found as signed.
    Verified,
    /// Something is not as signed.
    Findings,
    /// Nothing was found wrong, but not everything could be checked.
    Unchecked,
}

impl Verdict {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Findings => "findings",
            Verdict::Unchecked => "unchecked",
        }
    }

    /// 0 verified, 1 findings, 2 could not check.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Verified => 0,
            Verdict::Findings => 1,
            Verdict::Unchecked => 2,
        }
    }
}

/// Where trust in the key came from; the weakest of all logs looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyTrust {
    /// From `log.json` alone: only self-consistency was shown.
    #[default]
    Unpinned,
    /// From the key that the configuration names, reached from `log.json` by announced key changes.
    Configured,
    /// The auditor brought it.
    Pinned,
}

impl KeyTrust {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyTrust::Unpinned => "unpinned",
            KeyTrust::Configured => "configured",
            KeyTrust::Pinned => "pinned",
        }
    }
}

/// Whether retention locks were read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockCheck {
    /// Read back and compared.
    Checked,
    /// The store has none.
    None,
    /// Some could not be read.
    Unchecked,
}

impl LockCheck {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            LockCheck::Checked => "checked",
            LockCheck::None => "none",
            LockCheck::Unchecked => "unchecked",
        }
    }
}

/// Whether what a finding is about can still be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Gone, or no longer provable.
    Lost,
    /// Still there and provable, in a store that somebody disturbed.
    Intact,
}

/// One finding or note.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// What was found.
    pub kind: Kind,
    /// Name of the log; empty where the whole store is meant.
    pub log: String,
    /// Key below the log.
    pub object: String,
    /// Index of the seal, where known.
    pub seal: Option<u64>,
    /// What the signed statements lead one to expect.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// In plain words: what it means and what to do now.
    pub meaning: String,
    /// Whether evidence is lost.
    pub evidence: Option<Evidence>,
}

impl Item {
    /// An item without details.
    pub(super) fn new(kind: Kind, object: impl Into<String>, meaning: impl Into<String>) -> Self {
        Item {
            kind,
            log: String::new(),
            object: object.into(),
            seal: None,
            expected: None,
            found: None,
            meaning: meaning.into(),
            evidence: None,
        }
    }

    /// Something that could not be checked, and why.
    pub(super) fn unchecked(object: &str, seal: Option<u64>, why: impl std::fmt::Display) -> Self {
        let meaning = format!("Could not be checked: {why}. Nothing is concluded from it; try again.");
        Item { seal, ..Item::new(Kind::Unchecked, object, meaning) }
    }

    pub(super) fn seal(mut self, index: u64) -> Self {
        self.seal = Some(index);
        self
    }

    pub(super) fn expected(mut self, expected: impl std::fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    pub(super) fn found(mut self, found: impl std::fmt::Display) -> Self {
        self.found = Some(found.to_string());
        self
    }

    pub(super) fn lost(mut self) -> Self {
        self.evidence = Some(Evidence::Lost);
        self
    }

    /// Whether it says that the evidence is still there.
    pub(super) fn is_intact(&self) -> bool {
        self.evidence == Some(Evidence::Intact)
    }

    pub(super) fn intact(mut self) -> Self {
        self.evidence = Some(Evidence::Intact);
        self
    }
}

/// Findings and notes of one log, or of a part of it, on their way into a [`Report`]. Bounded.
#[derive(Debug, Default)]
pub(super) struct Sink {
    findings: Vec<Item>,
    notes: Vec<Item>,
    unchecked: Vec<Item>,
    findings_more: u64,
    notes_more: u64,
    unchecked_more: u64,
}

impl Sink {
    pub(super) fn finding(&mut self, item: Item) {
        push(&mut self.findings, &mut self.findings_more, item);
    }

    pub(super) fn note(&mut self, item: Item) {
        push(&mut self.notes, &mut self.notes_more, item);
    }

    /// Something could not be checked, and why.
    pub(super) fn unchecked(&mut self, object: &str, seal: Option<u64>, why: impl std::fmt::Display) {
        self.unchecked_item(Item::unchecked(object, seal, why));
    }

    pub(super) fn unchecked_item(&mut self, item: Item) {
        push(&mut self.unchecked, &mut self.unchecked_more, item);
    }

    /// What the first finding found.
    pub(super) fn first_found(&self) -> Option<&str> {
        self.findings.first().and_then(|item| item.found.as_deref())
    }

    /// Whether something stands here that keeps a verdict from being `verified`.
    pub(super) fn says_why(&self) -> bool {
        !self.findings.is_empty() || !self.unchecked.is_empty()
    }

    /// How many findings are of this sort, and how many things could not be checked. What a report no longer keeps counts as well.
    pub(super) fn count(&self, sort: impl Fn(&Item) -> bool) -> u64 {
        let kept = self.findings.iter().filter(|item| sort(item)).count() + self.unchecked.len();
        u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(self.findings_more).saturating_add(self.unchecked_more)
    }

    pub(super) fn merge(&mut self, other: Sink) {
        for item in other.findings {
            self.finding(item);
        }
        for item in other.notes {
            self.note(item);
        }
        for item in other.unchecked {
            self.unchecked_item(item);
        }
        self.findings_more += other.findings_more;
        self.notes_more += other.notes_more;
        self.unchecked_more += other.unchecked_more;
    }

    /// Takes the findings and what could not be read, without the notes.
    pub(super) fn merge_findings(&mut self, other: Sink) {
        self.merge(Sink { notes: Vec::new(), notes_more: 0, ..other });
    }

    /// As a report that holds nothing else.
    #[cfg(test)]
    pub(super) fn into_report(self) -> Report {
        Report::new((String::new(), UnixSeconds(0)), KeyTrust::Pinned, LockCheck::None, Vec::new(), self)
    }

    /// Names the log in every item.
    pub(super) fn of_log(mut self, log: &str) -> Self {
        for item in self.findings.iter_mut().chain(&mut self.notes).chain(&mut self.unchecked) {
            log.clone_into(&mut item.log);
        }
        self
    }
}

fn push(items: &mut Vec<Item>, more: &mut u64, item: Item) {
    if items.len() < ITEMS_MAX {
        items.push(item);
    } else {
        *more += 1;
    }
}

/// A change of key that a seal announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    /// The seal that announced it, which both keys signed.
    pub seal: u64,
    /// The key up to then.
    pub from: String,
    /// The key from the next seal on.
    pub to: String,
}

/// A hold or an extension that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenOrder {
    /// Its name.
    pub matter: String,
    /// `hold` or `extension`
    pub order: &'static str,
    /// Seals below this index were looked at for it.
    pub through: u64,
    /// Segments that it keeps because of the records that it means.
    pub segments: u64,
}

/// What was covered of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Origin of the log, as the key names it (as `log.json` says where no key was found).
    pub origin: String,
    /// Where trust in its key came from; the weakest of all logs stands in the report.
    pub key: KeyTrust,
    /// The key that signed the first seal that was looked at, whosever it is; `key_changes` leads on from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vkey: Option<String>,
    /// Tree size that the newest verified seal signed.
    pub tree_size: u64,
    /// Root of the tree of `tree_size` seals.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub root: Option<RootHash>,
    /// First and last seal covered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered: Option<(u64, u64)>,
    /// Whether seals lie behind the range that was asked for.
    pub goes_on: bool,
    /// The log was shown to begin with the tree of a checkpoint that the auditor kept: its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<u64>,
    /// The seals before this one were not read: what is said of them rests on the verification by which the auditor kept a checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<u64>,
    /// Seals verified.
    pub seals: u64,
    /// Segments verified.
    pub segments: u64,
    /// Records inside them.
    pub records: u64,
    /// Stored bytes of those segments.
    pub bytes: u64,
    /// Whether what reached the log is all there, as far as what was sealed can tell.
    pub completeness: Completeness,
    /// The changes of key that were passed on the way, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_changes: Vec<KeyChange>,
    /// Segments that are gone since their date, by class; none where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Expired>,
    /// The holds and extensions that are open, as the newest record of one says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OpenOrder>,
    /// How far it is time stamped by authorities that the auditor trusts; absent where no such token was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamped: Option<Timestamped>,
    /// How far the witnesses that the auditor trusts have cosigned it; absent where none were brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<Cosigned>,
    /// The locks that were read, by kind of object: `seals`, `segments/<class>`, `tile`, `cosignatures`, `timestamps`, `log.json`.
    #[serde(skip)]
    pub locks: BTreeMap<String, LockSums>,
    /// Name of the log.
    #[serde(skip)]
    pub name: String,
}

/// As every time is written for a reader.
fn as_date<S: Serializer>(at: &UnixSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// As receipts and checkpoints write a root.
fn as_text<S: Serializer>(root: &Option<RootHash>, serializer: S) -> Result<S::Ok, S::Error> {
    root.map(|root| root.to_string()).serialize(serializer)
}

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In one word.
    pub verdict: Verdict,
    /// What that word means here: `verified` without a key that somebody brought says less than with one.
    pub summary: &'static str,
    /// The store, by its address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub store: String,
    /// When it was looked at, by the clock of this machine.
    #[serde(serialize_with = "as_date")]
    pub at: UnixSeconds,
    /// Where trust in the key came from.
    pub key: KeyTrust,
    /// Whether locks were read back.
    pub locks: LockCheck,
    /// What was covered.
    pub logs: Vec<LogReport>,
    /// What is not as signed.
    pub findings: Vec<Item>,
    /// What a reader should know; `unchecked` ones first.
    pub notes: Vec<Item>,
    /// Findings that are not kept: more than fit. A note says it too.
    #[serde(skip)]
    pub findings_more: u64,
}

impl Report {
    /// `place`: the store and the time.
    pub(super) fn new((store, at): (String, UnixSeconds), key: KeyTrust, locks: LockCheck, logs: Vec<LogReport>, sink: Sink) -> Self {
        let Sink { mut findings, mut notes, mut unchecked, findings_more, notes_more, unchecked_more } = sink;
        let verdict = if !findings.is_empty() {
            Verdict::Findings
        } else if !unchecked.is_empty() || locks == LockCheck::Unchecked || logs.iter().all(|log| log.seals == 0) {
            // Without a seal nothing was proved, whatever else was looked at.
            Verdict::Unchecked
        } else {
            Verdict::Verified
        };
        for items in [&mut findings, &mut notes, &mut unchecked] {
            items.sort_by(|a, b| (&a.log, a.seal, &a.object, a.kind).cmp(&(&b.log, b.seal, &b.object, b.kind)));
        }
        unchecked.append(&mut notes);
        for (more, what) in [(findings_more, "findings"), (notes_more, "notes"), (unchecked_more, "unchecked objects")] {
            if more > 0 {
                let meaning = format!("More {what} than a report keeps. Verify a smaller range (--from, --to) to see the rest.");
                unchecked.push(Item::new(Kind::More, "", meaning).found(format!("{more} further {what}")));
            }
        }
        let summary = summary(verdict, key, logs.iter().all(|log| log.seals == 0));
        Report { verdict, summary, store, at, key, locks, logs, findings, notes: unchecked, findings_more }
    }

    /// Whether a key was brought that is not the log's.
    pub(super) fn is_of_another_key(&self) -> bool {
        self.key == KeyTrust::Unpinned && self.findings.iter().any(|found| found.kind == Kind::WrongKey)
    }

    /// Whether a key was brought, and it is not known whether it is the log's.
    pub(super) fn is_of_unknown_key(&self) -> bool {
        self.key == KeyTrust::Unpinned && self.notes.iter().any(|note| note.kind == Kind::Unchecked && note.meaning.contains(NOT_LED_TO))
    }

    /// One JSON object, as `verify --json` prints it.
    pub fn to_json(&self) -> String {
        // The types hold no maps and no floats: serializing them cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// What is said of a key that was brought, where what would lead to it could not be read.
pub(super) const NOT_LED_TO: &str = "whether this is the log of the key that was given: nothing that could be read leads to it";

fn summary(verdict: Verdict, key: KeyTrust, is_empty: bool) -> &'static str {
    match verdict {
        Verdict::Unchecked if is_empty => "NOTHING CHECKED: no seal was read, so nothing is said about any record.",
        // Nothing is wrong, and whose log it is nobody has said.
        Verdict::Verified if key == KeyTrust::Unpinned => {
            "CONSISTENT with itself; no key was brought: everything read is what the key in the store signed, whosever that is."
        }
        Verdict::Verified => "VERIFIED: everything read is what the log's key signed.",
        Verdict::Findings => "FINDINGS: something is not as it was signed, or not as it has to be.",
        Verdict::Unchecked => "UNCHECKED: nothing wrong was found, but not everything could be checked.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (String, UnixSeconds) = (String::new(), UnixSeconds(0));

    fn report(sink: Sink) -> Report {
        Report::new(
            HERE,
            KeyTrust::Pinned,
            LockCheck::None,
            vec![LogReport { origin: "x/log".into(), seals: 1, ..LogReport::default() }],
            sink,
        )
    }

    #[test]
    fn findings_beat_unchecked_and_notes_change_nothing() {
        assert_eq!(report(Sink::default()).verdict.exit_code(), 0);
        let mut sink = Sink::default();
        sink.note(Item::new(Kind::Restart, "", ""));
        assert_eq!(report(sink).verdict.exit_code(), 0);
        let mut sink = Sink::default();
        sink.unchecked("seals/", None, "no answer");
        assert_eq!(report(sink).verdict.exit_code(), 2);
        let mut sink = Sink::default();
        sink.unchecked("seals/", None, "no answer");
        sink.finding(Item::new(Kind::Fork, "", "").intact());
        assert_eq!(report(sink).verdict.exit_code(), 1);
        let logs = report(Sink::default()).logs;
        assert_eq!(Report::new(HERE, KeyTrust::Pinned, LockCheck::Unchecked, logs, Sink::default()).verdict.exit_code(), 2);
    }

    #[test]
    fn a_report_that_read_no_seal_is_not_verified() {
        for logs in [vec![], vec![LogReport::default()]] {
            let report = Report::new(HERE, KeyTrust::Pinned, LockCheck::None, logs, Sink::default());
            let text = report.to_text();
            assert_eq!(report.verdict.exit_code(), 2);
            assert!(text.starts_with("NOTHING CHECKED: ") && !text.contains("locks:"), "{text}");
        }
        let mut sink = Sink::default();
        sink.finding(Item::new(Kind::LogFile, "log.json", ""));
        assert!(Report::new(HERE, KeyTrust::Pinned, LockCheck::None, vec![], sink).to_text().starts_with("FINDINGS: "));
    }

    /// The shape that scripts rely on (`design.md` section 9).
    #[test]
    fn json_has_the_members_of_the_contract() {
        let mut sink = Sink::default();
        sink.finding(Item::new(Kind::SealMissing, "seals/1", "gone").seal(1).expected("a").found("b").lost());
        sink.unchecked("checkpoint", None, "no answer");
        let json: serde_json::Value = serde_json::from_str(&report(sink.of_log("log")).to_json()).unwrap();
        let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["verdict", "summary", "at", "key", "locks", "logs", "findings", "notes"]);
        let members: Vec<_> = json["logs"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["origin", "key", "tree_size", "goes_on", "seals", "segments", "records", "bytes", "completeness"]);
        assert!(json["logs"][0]["seals"].is_u64());
        let expected = serde_json::json!({"kind": "seal_missing", "log": "log", "object": "seals/1", "seal": 1,
            "expected": "a", "found": "b", "meaning": "gone", "evidence": "lost"});
        assert_eq!(json["findings"][0], expected);
        assert_eq!(json["notes"][0]["kind"], "unchecked");
    }

    /// Whoever reads nothing but JSON sees that `verified` without a key is another thing than with one, of which store and when.
    #[test]
    fn json_says_what_its_verdict_means() {
        let of = |key| {
            let logs = vec![LogReport { seals: 1, root: Some(RootHash(crate::tlog::Hash([0; 32]))), ..LogReport::default() }];
            let report = Report::new(("s3://b".to_owned(), UnixSeconds(0)), key, LockCheck::None, logs, Sink::default());
            serde_json::from_str::<serde_json::Value>(&report.to_json()).unwrap()
        };
        let (pinned, unpinned) = (of(KeyTrust::Pinned), of(KeyTrust::Unpinned));
        assert_eq!(
            (&pinned["verdict"], &pinned["store"], &pinned["at"]),
            (&"verified".into(), &"s3://b".into(), &"1970-01-01T00:00:00Z".into())
        );
        assert_eq!(pinned["logs"][0]["root"], format!("{}=", "A".repeat(43)), "base64, as in receipts");
        assert!(
            pinned["summary"].as_str().unwrap().starts_with("VERIFIED: ")
                && unpinned["summary"].as_str().unwrap().starts_with("CONSISTENT ")
        );
    }

    #[test]
    fn witnesses_that_are_too_few_are_counted_all_the_same() {
        let seen = |name: &str, up_to| super::super::Seen { name: name.to_owned(), up_to, ..super::super::Seen::default() };
        for (one, told) in [
            (None, "not yet by 2 of your 2 witnesses: a nothing, b nothing"),
            (Some(1), "by 1 of your 2 witnesses, and not yet by the 2 asked for"),
        ] {
            let cosigned = Some(Cosigned { up_to: None, quorum: 2, witnesses: vec![seen("a", one), seen("b", None)] });
            let logs = vec![LogReport { seals: 1, tree_size: 1, cosigned, ..LogReport::default() }];
            let text = Report::new(HERE, KeyTrust::Pinned, LockCheck::None, logs, Sink::default()).to_text();
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn a_report_is_bounded_and_says_so() {
        let mut sink = Sink::default();
        for _ in 0..=ITEMS_MAX {
            sink.finding(Item::new(Kind::Fork, "", ""));
        }
        let report = report(sink);
        assert_eq!(report.findings.len(), ITEMS_MAX);
        assert_eq!(report.notes[0].found.as_deref(), Some("1 further findings"));
    }
}
