//! What a bundle of several records proved, in plain words.

use super::{Between, Lapse, RangeDoubt, RangeProved, ShownRecord, Storage};
use crate::clock::UnixSeconds;
use crate::plain::{Page, counted};
use crate::retain::CLASSES_MAX;
use crate::tlog::seal_file::Counts;
use crate::verify::proof::told::{Outside, Told, in_words, write_doubt};

/// Records that the text names; `--json` has all.
const RECORDS_TOLD: usize = 20;
/// Gaps of one kind that the text names; `--json` has all.
const GAPS_TOLD: usize = 3;

impl RangeProved {
    /// Whether as many witnesses as were asked for saw it.
    pub fn is_cosigned(&self) -> bool {
        self.outside().is_cosigned()
    }

    /// Whether the log was shown alike to everyone, as far as the auditor can tell: as [`Proved::is_published`](crate::verify::Proved).
    pub fn is_published(&self) -> bool {
        self.outside().is_published()
    }

    /// When it existed at the latest, by the earliest of the authorities whom the auditor trusts.
    pub fn existed_by(&self) -> Option<UnixSeconds> {
        self.outside().existed_by()
    }
}

impl Told for RangeProved {
    fn is_doubted(&self) -> bool {
        !self.doubts.is_empty()
    }

    fn outside(&self) -> Outside<'_> {
        Outside {
            tree_size: self.tree_size,
            root: self.root,
            key: &self.key,
            rotations: self.rotations,
            under: &self.under,
            seen: &self.seen,
            cosigned: self.cosigned,
            asked: self.asked,
            cosignatures: self.cosignatures,
            false_cosignatures: self.false_cosignatures,
            kept: self.kept,
            stamps: &self.stamps,
            now: self.now,
            unknown: &self.unknown,
        }
    }

    fn write_text(&self, out: &mut Page) -> std::fmt::Result {
        let outside = self.outside();
        let shown = counted(self.shown.len(), "record", "records");
        let what = match self.shown.len() {
            1 => "this record was".to_owned(),
            _ => format!("these {shown} were"),
        };
        outside.write_verdict(out, &what, self.is_doubted())?;
        match &self.between {
            None => {
                for record in self.shown.iter().take(RECORDS_TOLD) {
                    write_record(out, "record", record)?;
                }
                write_more(out, self.shown.len())?;
            }
            Some(between) => self.write_between(out, between)?,
        }
        let ((first, last), (from, to)) = (self.seals, self.sealed);
        let seals = match (last - first, &self.between) {
            (0, _) => format!("in seal {first}"),
            (_, Some(_)) => format!("in the seals {first} to {last}, of which none is left out,"),
            (_, None) => format!("in {} of the seals {first} to {last}", self.seal_count),
        };
        let times = if from == to { from.to_string() } else { format!("{from} to {to}") };
        writeln!(out, "  sealed     {times} {seals} of {}", self.log)?;
        if let Some(between) = &self.between {
            between.write_seals(out)?;
        }
        outside.write_signers(out)?;
        outside.write_keys(out)?;
        for Storage { class, mode, retain_until, segments } in self.storage.iter().take(CLASSES_MAX) {
            let many = if *segments == 1 { String::new() } else { format!(", the earliest of {segments} segments") };
            writeln!(out, "  storage    class {class}, {} until {retain_until} at least{many}", mode.as_str())?;
        }
        if let Some(more) = self.storage.len().checked_sub(CLASSES_MAX).filter(|more| *more > 0) {
            writeln!(out, "  storage    and {more} classes more; no configuration has so many")?;
        }
        if self.not_worm > 0 {
            writeln!(out, "  storage    {} of these seals say that the store enforces no locks (not_worm)", self.not_worm)?;
        }
        if self.referred > 0 {
            writeln!(
                out,
                "  elsewhere  {} of these records: kept by the application, see the proof of each record alone",
                counted(self.referred, "content", "contents")
            )?;
        }
        for RangeDoubt { seal, doubt } in &self.doubts {
            write_doubt(out, doubt, &format!("seal {seal}: "))?;
        }
        if self.doubts_more > 0 {
            writeln!(out, "Finding: {} more of them.", self.doubts_more)?;
        }
        writeln!(out, "Proved: nobody changed these records since the log's key signed them; they stand at these places of the log.")?;
        let also = match &self.between {
            None => {
                "that there is no other record of the same matter (that needs all records of a range, `prove A --through B --all`); that what \
                 the senders reported is true"
            }
            Some(between) if between.withheld() > 0 => {
                "how many records are withheld: their number is stated by the log's key, and not proved; what they say; that nothing happened \
                 between the two times: a record stands where it was sealed, and one reported late stands behind; what never reached the \
                 receiver, or was refused or set aside by it (the counts above are its own word); that what the senders reported is true"
            }
            Some(_) => {
                "that nothing happened between the two times: a record stands where it was sealed, and one reported late stands behind; what \
                 never reached the receiver, or was refused or set aside by it (the counts above are its own word); that what the senders \
                 reported is true"
            }
        };
        if self.other_schema > 0 {
            writeln!(
                out,
                "Not judged: what the members of {} of these records mean, and whether they fit what the seals say of them. This version does not \
                 know their schema. Their bytes and their places in the log are proved.",
                self.other_schema
            )?;
        }
        if let Some(between) = &self.between {
            between.write_meaning(out)?;
        }
        if let Some(incomplete) = &self.incomplete {
            writeln!(
                out,
                "Incomplete: there may be more records of what was asked for. Whoever made the bundle says, and no signature covers it: `{}`",
                // Its own quotation marks would end ours, and what stands behind them would be taken for our words.
                incomplete.replace('`', "'")
            )?;
        }
        outside.write_published(out, "these records are", also)?;
        outside.write_unverified(out)
    }
}

impl RangeProved {
    fn write_between(&self, out: &mut Page, between: &Between) -> std::fmt::Result {
        let is_at = |seal: u64, segment: &str, leaf: u64, record: &&ShownRecord| {
            (record.seal, record.segment.as_str(), record.leaf_index) == (seal, segment, leaf)
        };
        let (from, to) = (&between.from, &between.to);
        let is_from = |record: &&ShownRecord| is_at(from.seal, &from.segment, from.leaf_index.0, record);
        let is_to = |record: &&ShownRecord| is_at(to.seal, &to.segment, to.leaf_index.0, record);
        for record in self.shown.iter().filter(is_from) {
            write_record(out, "from", record)?;
        }
        let inner = self.shown.iter().filter(|record| !is_from(record) && !is_to(record));
        for record in inner.take(RECORDS_TOLD) {
            write_record(out, "between", record)?;
        }
        write_more(out, usize::try_from(between.shown).unwrap_or(usize::MAX))?;
        for record in self.shown.iter().filter(is_to) {
            write_record(out, "to", record)?;
        }
        Ok(())
    }
}

impl Between {
    /// Records between the ends that are not shown.
    pub fn withheld(&self) -> u128 {
        self.records.saturating_sub(self.shown.into())
    }

    fn write_seals(&self, out: &mut Page) -> std::fmt::Result {
        let Counts { spans, logs, promoted, skipped, rejected, duplicates, dropped_attributes } = self.counts;
        if self.heartbeats > 0 {
            writeln!(out, "  heartbeats {} of these seals hold no record", self.heartbeats)?;
        }
        writeln!(
            out,
            "  received   {spans} spans, {logs} logs; {promoted} records promoted, {duplicates} left out as duplicates, {skipped} without AI \
             meaning, {rejected} rejected, {dropped_attributes} attributes dropped by senders"
        )?;
        writeln!(
            out,
            "             (counted in these seals, from the one before on; not a count of what lies between; requests refused as a whole are not counted)"
        )?;
        if !self.silences.is_empty() {
            let (many, which) = (self.silences.len(), named(&self.silences));
            writeln!(out, "  silence    {many} of these seals came later than the one before had promised: {which}")?;
        }
        if self.unpromised > 0 {
            writeln!(
                out,
                "  silence    {} of these seals do not say when the next one is due, so a silence behind them would not be noticed",
                self.unpromised
            )?;
        }
        if !self.restarts.is_empty() {
            let (many, which) = (self.restarts.len(), named(&self.restarts));
            writeln!(out, "  restarts   {many} of the writer, before which the counts may be short: {which}")?;
        }
        Ok(())
    }

    fn write_meaning(&self, out: &mut Page) -> std::fmt::Result {
        let (records, shown, withheld) = (self.records, self.shown, self.withheld());
        match (records, withheld) {
            (0, _) => writeln!(out, "Between them: the log sealed nothing else.")?,
            (_, 0) => writeln!(out, "Between them: the log sealed {}, all shown here.", counted(records, "record", "records"))?,
            _ => writeln!(
                out,
                "Between them: the log's key states {}, of which {shown} shown here and {withheld} withheld. Their number is stated by the log's \
                 key, and not proved.",
                counted(records, "record", "records")
            )?,
        }
        if self.unordered > 0 {
            let what = if self.unordered == records { "all".to_owned() } else { format!("{} of these {records}", self.unordered) };
            writeln!(
                out,
                "Order: {what} stand in other segments of the first or the last seal. Segments of one seal have no order among each other, so \
                 they may also lie before the first record or behind the last."
            )?;
        }
        if self.from.seal == self.to.seal && self.from.segment != self.to.segment {
            writeln!(out, "Order: the two ends stand in two segments of one seal: which of them came first is not known.")?;
        }
        Ok(())
    }
}

fn write_record(out: &mut Page, what: &str, record: &ShownRecord) -> std::fmt::Result {
    let text = |text: &Option<String>| text.as_deref().unwrap_or("none").to_owned();
    let (id, kind, class) = (text(&record.record_id), text(&record.kind), record.segment.split('/').nth(1).unwrap_or_default());
    // Lines are counted from 1 for a reader, as everywhere; `leaf_index` in JSON from 0.
    let line = record.leaf_index.saturating_add(1);
    writeln!(out, "  {what:<10} {id} (kind {kind}), seal {}, class {class}, line {line}", record.seal)?;
    if record.says.is_empty() {
        return Ok(());
    }
    writeln!(out, "             says {}", in_words(&record.says))
}

/// The first of them, in words.
fn named(gaps: &[Lapse]) -> String {
    let one = |Lapse { seal, from, to }: &Lapse| format!("{from} to {to} (seal {seal})");
    let told: Vec<String> = gaps.iter().take(GAPS_TOLD).map(one).collect();
    let more = gaps.len().saturating_sub(GAPS_TOLD);
    told.join(", ") + &if more == 0 { String::new() } else { format!(" and {more} more (--json names all)") }
}

fn write_more(out: &mut Page, shown: usize) -> std::fmt::Result {
    match shown.saturating_sub(RECORDS_TOLD) {
        0 => Ok(()),
        more => writeln!(out, "             and {more} more (--json names all)"),
    }
}
