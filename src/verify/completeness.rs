//! Whether what reached a log is all there, as far as what was sealed can tell: sums of the counts, sources, and every gap by its name.
//!
//! What never reached the log it cannot know, and it never says so. A gap is not a finding: a writer may be stopped, and a sender may drop.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{Item, Kind, Sink};
use crate::plain::{Page, counted};
use crate::tlog::seal_file::{Counts, Statement};

/// Most services that are told apart; records of further ones are summed. 1,000 names of 256 bytes are 256 KB.
const SOURCES_MAX: usize = 1000;
/// Most services that the text names.
const SOURCES_SHOWN: usize = 8;

/// In what way something is, or may be, missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Seals of the range are not there, or not what the key signed.
    SealMissing,
    /// Seals of which a segment could not be read: gone, also as planned, or not what was sealed.
    SegmentUnread,
    /// What was found, or could not be checked, leaves open whether all is there.
    Unsure,
    /// Times in which a seal was promised and none was made.
    Silence,
    /// Starts of the writer: what it received before and had not sealed is not counted. It was not acknowledged either.
    Restart,
    /// Spans and logs that were refused as malformed: their senders were told.
    Rejected,
    /// Attributes that senders say they dropped before they sent.
    DroppedAttributes,
}

/// What is, or may be, missing in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// In what way.
    pub kind: GapKind,
    /// How much: seals, times, starts, spans and logs, attributes.
    pub count: u64,
    /// The first seal concerned, where one is.
    pub first_seal: Option<u64>,
    /// The last one.
    pub last_seal: Option<u64>,
}

/// Records of one service, by its own word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// `source.service`; `None` where a record names none.
    pub service: Option<String>,
    /// Its records, without those that the writer made itself.
    pub records: u64,
    /// The first seal that holds one.
    pub first_seal: u64,
    /// The last.
    pub last_seal: u64,
}

/// What can be said of the seals that were covered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Nothing that reached the log in these seals is missing from it. What never reached it, nothing here can tell.
    pub complete: bool,
    /// Otherwise, in what ways something is or may be.
    pub gaps: Vec<Gap>,
    /// Counts over the seals.
    pub counts: Counts,
    /// Seals without segments.
    pub heartbeats: u64,
    /// Seals that promise no next one: silence behind them would not show.
    pub unpromised: u64,
    /// Where records came from, by their own word: those named first in the order of names.
    pub sources: Vec<Source>,
    /// Records of further sources.
    pub sources_more: u64,
}

/// Takes what is seen of a log, in whatever order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    gaps: BTreeMap<GapKind, (u64, Option<u64>, Option<u64>)>,
    counts: Counts,
    heartbeats: u64,
    unpromised: u64,
    sources: BTreeMap<Option<String>, (u64, u64, u64)>,
    sources_more: u64,
}

impl Tally {
    /// A gap of this extent, over these seals.
    pub(super) fn gap(&mut self, kind: GapKind, count: u64, seals: Option<(u64, u64)>) {
        if count == 0 {
            return;
        }
        let (sum, first, last) = self.gaps.entry(kind).or_default();
        *sum = sum.saturating_add(count);
        if let Some((from, to)) = seals {
            *first = Some(first.map_or(from, |first| first.min(from)));
            *last = Some(last.map_or(to, |last| last.max(to)));
        }
    }

    /// What one seal says. `whole`: all its segments were read.
    pub(super) fn seal(&mut self, statement: &Statement, whole: bool, sources: BTreeMap<Option<String>, u64>) {
        let (index, counts) = (statement.index, statement.counts);
        let here = Some((index, index));
        self.counts = self.counts.plus(counts);
        self.heartbeats += u64::from(statement.segments.is_empty());
        self.unpromised += u64::from(statement.next_by.is_none());
        self.gap(GapKind::Rejected, counts.rejected, here);
        self.gap(GapKind::DroppedAttributes, counts.dropped_attributes, here);
        self.gap(GapKind::SegmentUnread, u64::from(!whole), here);
        for (service, records) in sources {
            if !self.sources.contains_key(&service) && self.sources.len() >= SOURCES_MAX {
                self.sources_more = self.sources_more.saturating_add(records);
                continue;
            }
            let (sum, first, last) = self.sources.entry(service).or_insert((0, index, index));
            *sum = sum.saturating_add(records);
            (*first, *last) = ((*first).min(index), (*last).max(index));
        }
    }

    /// Adds the gaps that another saw.
    pub(super) fn merge_gaps(&mut self, other: Tally) {
        for (kind, (count, first, last)) in other.gaps {
            self.gap(kind, count, first.zip(last));
        }
    }

    pub(super) fn end(mut self, sink: &Sink) -> Completeness {
        self.gap(GapKind::Unsure, sink.count(leaves_open), None);
        let gap = |(kind, (count, first_seal, last_seal))| Gap { kind, count, first_seal, last_seal };
        let source = |(service, (records, first_seal, last_seal))| Source { service, records, first_seal, last_seal };
        let gaps: Vec<Gap> = self.gaps.into_iter().map(gap).collect();
        Completeness {
            complete: gaps.is_empty(),
            gaps,
            counts: self.counts,
            heartbeats: self.heartbeats,
            unpromised: self.unpromised,
            sources: self.sources.into_iter().map(source).collect(),
            sources_more: self.sources_more,
        }
    }
}

/// Whether a finding leaves open that something is missing. A disturbance of the store beside evidence that was read does not, but false
/// counts do.
fn leaves_open(item: &Item) -> bool {
    !item.is_intact() || matches!(item.kind, Kind::CountPromoted | Kind::CountReceived)
}

impl Completeness {
    /// For a reader: lines below that of the log.
    pub(super) fn write_text(&self, out: &mut Page) -> std::fmt::Result {
        let Counts { spans, logs, promoted, skipped, rejected, duplicates, dropped_attributes } = self.counts;
        if self.complete {
            writeln!(
                out,
                "    complete: nothing that reached this log in these seals is missing from it; what never reached it, it cannot know"
            )?;
        } else {
            let gaps = self.gaps.iter().map(Gap::in_words).collect::<Vec<_>>().join("; ");
            writeln!(out, "    gaps: {gaps}")?;
        }
        writeln!(
            out,
            "    received: {spans} spans, {logs} logs; {promoted} records promoted, {duplicates} sealed before, {skipped} without AI meaning, \
             {rejected} rejected, {dropped_attributes} attributes dropped by senders"
        )?;
        let shown = self.sources.iter().take(SOURCES_SHOWN).map(|source| {
            // A sender chose it: whatever could move a terminal's cursor is shown as its number.
            let name = source.service.as_ref().map_or_else(|| "no service named".to_owned(), |name| format!("`{}`", name.escape_debug()));
            format!("{name} {} (seals {} to {})", counted(source.records, "record", "records"), source.first_seal, source.last_seal)
        });
        let mut shown: Vec<String> = shown.collect();
        if self.sources.len() > SOURCES_SHOWN {
            shown.push("and further services (--json)".to_owned());
        }
        if !shown.is_empty() {
            writeln!(out, "    from: {}", shown.join(", "))?;
        }
        if self.unpromised > 0 {
            writeln!(
                out,
                "    unannounced: {} when the next one is due (the writer stopped, or makes no heartbeats), so a silence behind would not be noticed",
                counted(self.unpromised, "seal does not say", "seals do not say")
            )?;
        }
        Ok(())
    }
}

impl Gap {
    fn in_words(&self) -> String {
        let (one, many) = match self.kind {
            GapKind::SealMissing => ("seal that is gone or not what was signed", "seals that are gone or not what was signed"),
            GapKind::SegmentUnread => ("seal of which not every segment was read", "seals of which not every segment was read"),
            GapKind::Unsure => ("finding or thing unchecked that leaves it open", "findings or things unchecked that leave it open"),
            GapKind::Silence => (
                "time of silence, in which no seal was made though one was promised",
                "times of silence, in which no seal was made though one was promised",
            ),
            GapKind::Restart => {
                ("start of the writer, before which counts may be short", "starts of the writer, before which counts may be short")
            }
            GapKind::Rejected => ("span or log refused as malformed", "spans or logs refused as malformed"),
            GapKind::DroppedAttributes => ("attribute dropped by a sender", "attributes dropped by senders"),
        };
        let what = counted(self.count, one, many);
        let seals = match (self.first_seal, self.last_seal) {
            (Some(first), Some(last)) if first == last => format!(" (seal {first})"),
            (Some(first), Some(last)) => format!(" (seals {first} to {last})"),
            _ => String::new(),
        };
        format!("{what}{seals}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was disturbed beside evidence that was read leaves nothing open; what is lost, what nobody said anything of, what could not be checked,
    /// and counts that are false do.
    #[test]
    fn only_what_leaves_it_open_is_a_gap() {
        let unsure = |say: &dyn Fn(&mut Sink)| {
            let mut sink = Sink::default();
            say(&mut sink);
            let ended = Tally::default().end(&sink);
            assert_eq!(ended.complete, ended.gaps.is_empty());
            ended.gaps.iter().map(|gap| (gap.kind, gap.count)).collect::<Vec<_>>()
        };
        let finding = |kind, intact: bool| {
            move |sink: &mut Sink| {
                let item = Item::new(kind, "", "");
                sink.finding(if intact { item.intact() } else { item });
            }
        };
        assert_eq!(unsure(&|_| {}), []);
        assert_eq!(unsure(&|sink| sink.note(Item::new(Kind::Restart, "", ""))), []);
        assert_eq!(unsure(&finding(Kind::Hidden, true)), []);
        for say in [finding(Kind::Hidden, false), finding(Kind::CountPromoted, true), finding(Kind::CountReceived, true)] {
            assert_eq!(unsure(&say), [(GapKind::Unsure, 1)]);
        }
        assert_eq!(unsure(&|sink| sink.unchecked("", None, "no answer")), [(GapKind::Unsure, 1)]);
    }

    /// A sender names its service as it likes: so many are told apart, and records of all others are counted.
    #[test]
    fn services_are_bounded_and_no_record_is_left_out() {
        let mut tally = Tally::default();
        let most = u64::try_from(SOURCES_MAX).unwrap();
        let statement = |index| Statement { index, ..heartbeat() };
        let named = |n: u64| Some(format!("service {n:04}"));
        tally.seal(&statement(3), true, (0..most + 2).map(|n| (named(n), 2)).collect());
        tally.seal(&statement(5), true, BTreeMap::from([(named(0), 1), (named(most), 7)]));
        let ended = tally.end(&Sink::default());
        assert_eq!((ended.sources.len(), ended.sources_more), (SOURCES_MAX, 11));
        let first = Source { service: named(0), records: 3, first_seal: 3, last_seal: 5 };
        assert_eq!(ended.sources.first(), Some(&first));
        let mut page = Page::default();
        ended.write_text(&mut page).unwrap();
        let text = page.into_text();
        assert!(text.contains("`service 0000` 3 records (seals 3 to 5), ") && text.contains(", and further services (--json)"), "{text}");
        assert!(text.contains("2 seals do not say when the next one is due"), "{text}");
    }

    #[test]
    fn gaps_name_their_seals() {
        let words = |first_seal, last_seal| Gap { kind: GapKind::Silence, count: 2, first_seal, last_seal }.in_words();
        let what = "2 times of silence, in which no seal was made though one was promised";
        assert_eq!(words(Some(4), Some(4)), format!("{what} (seal 4)"));
        assert_eq!(words(Some(4), Some(9)), format!("{what} (seals 4 to 9)"));
        assert_eq!(words(None, None), what);
    }

    fn heartbeat() -> Statement {
        let hash = crate::tlog::Hash([0; 32]);
        let time = crate::clock::UnixSeconds(1_800_000_000);
        Statement {
            log: "x/log".into(),
            index: 0,
            sealed_at: time,
            started: time,
            previous: None,
            segments: Vec::new(),
            counts: Counts::default(),
            config_sha256: hash,
            next_by: None,
            next_vkey: None,
            not_worm: false,
            decrees: None,
        }
    }
}
