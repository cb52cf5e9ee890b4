//! What a statement says that cannot be true, whoever signed it: pure, so that `verify` and `check` doubt alike.
//!
//! Doubted is only what the definitions of `store.md` ("The seal") make impossible. Counts of records may exceed those of spans (events of
//! a span are records of their own), and a record may be sealed later than its span was counted, so neither is doubted.

use super::report::{Item, Kind};
use crate::clock::{UnixNanos, UnixSeconds};
use crate::tlog::seal_file::Statement;

/// Furthest that a record may be received after its seal, seconds. `sealed_at` is rounded up to whole seconds and never goes back, so a
/// later record is impossible unless the writer's clock was set back while the record waited; small steps of that kind are forgiven.
const RECEIVED_AFTER_MAX_SECONDS: i64 = 5 * 60;

/// Furthest that a seal may be dated after the reader's clock, seconds: a writer further off its store's clock does not seal.
pub(super) const AHEAD_MAX_SECONDS: i64 = 5 * 60;

/// One thing that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What kind of thing.
    pub kind: Kind,
    /// Which member says it.
    pub member: &'static str,
    /// What the definition demands of it.
    pub expected: String,
    /// What it says.
    pub found: String,
    /// In plain words: what it means and what to do now.
    pub meaning: &'static str,
}

impl Doubt {
    /// As a finding on the seal that says it. What it names is as signed: the evidence is intact.
    pub(super) fn finding(self, object: &str, index: u64) -> Item {
        Item::new(self.kind, object, self.meaning).seal(index).expected(self.expected).found(self.found).intact()
    }
}

/// What contradicts itself in one statement.
pub(super) fn impossible(statement: &Statement) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if statement.started > statement.sealed_at {
        doubts.push(Doubt {
            kind: Kind::StatementTime,
            member: "started",
            expected: format!("`started` not after `sealed_at`, {}", statement.sealed_at),
            found: format!("`started` {}", statement.started),
            meaning: "The seal says that its writer was started only after it had written it. What was sealed is as signed, but its times \
                      are not to be relied on: ask the operator what set them.",
        });
    }
    if let Some(next_by) = statement.next_by.filter(|by| *by < statement.sealed_at) {
        doubts.push(Doubt {
            kind: Kind::StatementTime,
            member: "next_by",
            expected: format!("`next_by` not before `sealed_at`, {}", statement.sealed_at),
            found: format!("`next_by` {next_by}"),
            meaning: "The seal promises the next one for a time before its own, so the promise could not be kept and silence after it shows \
                      nothing. What was sealed is as signed: ask the operator what set the promise.",
        });
    }
    let counts = statement.counts;
    // Every span and log is counted once as received, and at most once as skipped or rejected, in the same seal.
    let (received, set_aside) = (counts.spans.saturating_add(counts.logs), counts.skipped.checked_add(counts.rejected));
    if set_aside.is_none_or(|n| n > received) {
        doubts.push(Doubt {
            kind: Kind::CountReceived,
            member: "counts",
            expected: format!("at most {received} skipped and rejected, which is all that was received"),
            found: format!("{} skipped and {} rejected", counts.skipped, counts.rejected),
            meaning: "The seal counts more spans and logs as skipped or rejected than it counts as received, so its counts say nothing about \
                      what was left out. The records themselves are as signed; ask the operator how the counts arose.",
        });
    }
    doubts
}

/// A seal of a later time than now: the date was made up, or one of two clocks is wrong.
pub(super) fn ahead(statement: &Statement, now: UnixSeconds) -> Option<Doubt> {
    let latest = UnixSeconds(now.0.saturating_add(AHEAD_MAX_SECONDS));
    (statement.sealed_at > latest).then(|| Doubt {
        kind: Kind::SealedAhead,
        member: "sealed_at",
        expected: format!("`sealed_at` at most {latest}, five minutes after this machine's clock"),
        found: format!("`sealed_at` {}", statement.sealed_at),
        meaning: "The seal is dated after now, so its date shows nothing about when it was made. What was sealed is as signed. Make sure that \
                  this machine's clock is right; if it is, ask the operator what the writer's clock was.",
    })
}

/// A record that says it was received after it was sealed; `which` names it among others.
pub(super) fn received_after(received: UnixNanos, sealed_at: UnixSeconds, which: &str) -> Option<Doubt> {
    let latest = UnixSeconds(sealed_at.0.saturating_add(RECEIVED_AFTER_MAX_SECONDS));
    (received.ceil_seconds() > latest).then(|| Doubt {
        kind: Kind::SegmentContent,
        member: "time.received",
        expected: format!("`time.received` at most {latest}, five minutes after `sealed_at`"),
        found: format!("`time.received` {}{which}", received.rfc3339()),
        meaning: "A record says that it was received after it was sealed, which cannot be: one of the two times is wrong. What was sealed is \
                  as signed, but these times are not to be relied on: ask the operator whether the writer's clock was set back, and what \
                  wrote the record.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::Hash;
    use crate::tlog::seal_file::Counts;

    const AT: i64 = 1_800_000_000;

    fn statement(change: impl FnOnce(&mut Statement)) -> Statement {
        let mut statement = Statement {
            log: "spanseal.test/log".into(),
            index: 0,
            sealed_at: UnixSeconds(AT),
            started: UnixSeconds(AT),
            previous: None,
            segments: vec![],
            counts: Counts { spans: 2, logs: 1, skipped: 2, rejected: 1, promoted: 9, duplicates: 9, dropped_attributes: 9 },
            config_sha256: Hash([0; 32]),
            next_by: Some(UnixSeconds(AT)),
            next_vkey: None,
            not_worm: false,
            decrees: None,
        };
        change(&mut statement);
        statement
    }

    /// Each limit: what is just possible is not doubted, one more is, and the member is named.
    #[test]
    fn only_the_impossible_is_doubted() {
        type Change = fn(&mut Statement);
        let cases: [(&[&str], Change); 9] = [
            (&[], |_| {}),
            (&["started"], |s| s.started.0 += 1),
            (&["next_by"], |s| s.next_by = Some(UnixSeconds(AT - 1))),
            (&[], |s| s.next_by = None),
            (&["counts"], |s| s.counts.skipped += 1),
            (&["counts"], |s| s.counts.rejected += 1),
            (&["counts"], |s| s.counts.spans -= 1),
            (&["counts"], |s| (s.counts.skipped, s.counts.rejected) = (u64::MAX, u64::MAX)),
            (&["started", "next_by", "counts"], |s| (s.sealed_at.0, s.next_by, s.counts.logs) = (AT - 1, Some(UnixSeconds(AT - 2)), 0)),
        ];
        for (expected, change) in cases {
            let statement = statement(change);
            let members: Vec<&str> = impossible(&statement).iter().map(|d| d.member).collect();
            assert_eq!(members, expected, "{statement:?}");
        }
    }

    #[test]
    fn five_minutes_ahead_are_forgiven_and_no_more() {
        let now = |seconds| UnixSeconds(AT - seconds);
        assert_eq!(ahead(&statement(|_| {}), now(AHEAD_MAX_SECONDS)), None);
        assert_eq!(ahead(&statement(|_| {}), now(AHEAD_MAX_SECONDS + 1)).map(|d| d.member), Some("sealed_at"));
    }
}
