//! Segments that are gone since their date, as planned: how many, and which seals prove that they were there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{Item, Kind, Sink};
use crate::clock::UnixSeconds;
use crate::tlog::seal_file::SegmentRef;

/// Runs of seals that are told of one class; what expires goes oldest first, so there is hardly more than one.
const RUNS_MAX: usize = 1000;
/// Runs that the note names.
const RUNS_SHOWN: usize = 8;

/// Segments of one class that are gone since their date, without a hold or an extension on record that should have kept them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Retention class.
    pub class: String,
    /// Segments.
    pub segments: u64,
    /// Records that were in them, as their seals prove.
    pub records: u64,
    /// Stored bytes that they had.
    pub bytes: u64,
    /// The latest date until which one of them had to be kept, `retain_until` of its seal.
    pub kept_until: String,
    /// The seals that name them, as runs of the first and the last: of the class, no segment that a seal from the first to the last names is there
    /// (of the seals at the ends, not every one).
    pub seals: Vec<[u64; 2]>,
    /// Runs that are not listed.
    pub runs_more: u64,
}

/// A segment that one seal names.
#[derive(Clone, Debug)]
pub(super) struct Named {
    class: String,
    /// Of one that is gone: records, stored bytes, and until when it had to be kept.
    gone: Option<(u64, u64, UnixSeconds)>,
}

impl Named {
    pub(super) fn gone(segment: &SegmentRef) -> Self {
        Named { class: segment.class.clone(), gone: Some((segment.records, segment.bytes, segment.lock.retain_until)) }
    }

    pub(super) fn there(segment: &SegmentRef) -> Self {
        Named { class: segment.class.clone(), gone: None }
    }
}

#[derive(Debug, Default)]
struct Class {
    expired: Expired,
    latest: Option<UnixSeconds>,
    /// Whether the last run goes on, the last seal of it, and whether it is listed.
    runs: bool,
    last: Option<u64>,
    listed: bool,
}

/// Takes seals in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Expiry(BTreeMap<String, Class>);

impl Expiry {
    /// The segments of the next seal.
    pub(super) fn take(&mut self, seal: u64, named: Vec<Named>) {
        for Named { class, gone } in named {
            let Some((records, bytes, until)) = gone else {
                if let Some(class) = self.0.get_mut(&class) {
                    class.runs = false;
                }
                continue;
            };
            let class = self.0.entry(class).or_default();
            let expired = &mut class.expired;
            expired.segments += 1;
            expired.records = expired.records.saturating_add(records);
            expired.bytes = expired.bytes.saturating_add(bytes);
            class.latest = class.latest.max(Some(until));
            if class.runs || class.last == Some(seal) {
                if let Some([_, last]) = expired.seals.last_mut().filter(|_| class.listed) {
                    *last = seal;
                }
            } else if expired.seals.len() < RUNS_MAX {
                expired.seals.push([seal, seal]);
                class.listed = true;
            } else {
                expired.runs_more += 1;
                class.listed = false;
            }
            (class.runs, class.last) = (true, Some(seal));
        }
    }

    /// Whether any is gone.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One note a class.
    pub(super) fn end(self, sink: &mut Sink) -> Vec<Expired> {
        let mut all = Vec::new();
        for (name, Class { mut expired, latest, .. }) in self.0 {
            (expired.class, expired.kept_until) = (name, latest.map_or_else(String::new, |at| at.to_string()));
            let meaning = "Their retention is over and they are gone, as planned. The seals still prove how many records of this class stood there, and \
                           their hashes; no hold and no extension on record should have kept them.";
            let item = Item::new(Kind::SegmentExpired, format!("segments/{}/", expired.class), meaning);
            let item = Item { seal: expired.seals.first().map(|[first, _]| *first), ..item };
            sink.note(item.expected(format!("kept until {} at the latest", expired.kept_until)).found(expired.in_words()));
            all.push(expired);
        }
        all
    }
}

impl Expired {
    fn in_words(&self) -> String {
        let run = |[first, last]: &[u64; 2]| if first == last { first.to_string() } else { format!("{first} to {last}") };
        let mut runs: Vec<String> = self.seals.iter().take(RUNS_SHOWN).map(run).collect();
        if self.seals.len() > RUNS_SHOWN {
            runs.push("further ones (--json)".to_owned());
        }
        format!("{} segments with {} records, {} bytes, named by seals {}", self.segments, self.records, self.bytes, runs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(class: &str) -> Named {
        Named { class: class.to_owned(), gone: Some((3, 100, UnixSeconds(1_800_000_000))) }
    }

    fn there(class: &str) -> Named {
        Named { class: class.to_owned(), gone: None }
    }

    #[test]
    fn runs_name_exactly_what_is_gone() {
        let mut expiry = Expiry::default();
        for (seal, named) in [
            (0, vec![gone("a"), gone("a")]),
            (1, vec![]),
            (2, vec![gone("a"), there("b")]),
            (3, vec![there("a"), gone("b")]),
            (4, vec![there("a")]),
            (9, vec![gone("a")]),
        ] {
            expiry.take(seal, named);
        }
        let mut sink = Sink::default();
        let all = expiry.end(&mut sink);
        let runs: Vec<_> = all.iter().map(|e| (e.class.as_str(), e.segments, e.records, e.seals.clone())).collect();
        assert_eq!(runs, [("a", 4, 12, vec![[0, 2], [9, 9]]), ("b", 1, 3, vec![[3, 3]])]);
        assert_eq!(all[0].in_words(), "4 segments with 12 records, 400 bytes, named by seals 0 to 2, 9");
    }

    /// Each class is one note, at the first seal of its first run; the words name a few runs and say that there are more.
    #[test]
    fn each_class_is_one_note() {
        let mut expiry = Expiry::default();
        assert!(expiry.is_empty());
        for seal in 0..20 {
            expiry.take(seal, vec![if seal % 2 == 1 { gone("a") } else { there("a") }]);
        }
        expiry.take(20, vec![there("c")]);
        expiry.take(21, vec![gone("b")]);
        assert!(!expiry.is_empty());
        let mut sink = Sink::default();
        assert_eq!(expiry.end(&mut sink).len(), 2);
        let report = sink.into_report();
        let told: Vec<_> = report.notes.iter().map(|note| (note.object.as_str(), note.seal, note.found.as_deref().unwrap())).collect();
        let runs = "10 segments with 30 records, 1000 bytes, named by seals 1, 3, 5, 7, 9, 11, 13, 15, further ones (--json)";
        assert_eq!(
            told,
            [("segments/a/", Some(1), runs), ("segments/b/", Some(21), "1 segments with 3 records, 100 bytes, named by seals 21")]
        );
        assert_eq!(report.notes[0].expected.as_deref(), Some("kept until 2027-01-15T08:00:00Z at the latest"));
        // Behind what fits, a run that is not listed makes none that is listed longer.
        let mut expiry = Expiry::default();
        let most = 2 * u64::try_from(RUNS_MAX).unwrap();
        for seal in (0..most).step_by(2) {
            expiry.take(seal, vec![gone("a")]);
            expiry.take(seal + 1, vec![there("a")]);
        }
        for seal in [most, most + 1] {
            expiry.take(seal, vec![gone("a")]);
        }
        let all = expiry.end(&mut Sink::default());
        assert_eq!((all[0].runs_more, all[0].seals.last()), (1, Some(&[most - 2, most - 2])));
        assert!(all[0].in_words().ends_with(", further ones (--json)"), "{}", all[0].in_words());
        // A class whose segments of one seal are gone in part is one run, too.
        let mut expiry = Expiry::default();
        expiry.take(5, vec![gone("a"), there("a"), gone("a")]);
        assert_eq!(expiry.end(&mut Sink::default())[0].seals, [[5, 5]]);
    }

    #[test]
    fn runs_are_bounded_and_the_rest_is_counted() {
        let mut expiry = Expiry::default();
        for seal in 0..2 * u64::try_from(RUNS_MAX).unwrap() + 2 {
            expiry.take(seal, vec![if seal.is_multiple_of(2) { gone("a") } else { there("a") }]);
        }
        let all = expiry.end(&mut Sink::default());
        assert_eq!((all[0].seals.len(), all[0].runs_more), (RUNS_MAX, 1));
    }
}
