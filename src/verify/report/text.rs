//! The report as text: short, calm, one line a finding, and what was not covered.

use super::{Cosigned, Evidence, Expired, Item, KeyChange, KeyTrust, Kind, LockCheck, LogReport, OpenOrder, Report, Verdict};
use crate::plain::{Page, counted};

/// Open holds and extensions that are named.
const ORDERS_SHOWN: usize = 10;

impl Report {
    /// For a reader: verdict, what was covered and what was not, then a line a finding.
    pub fn to_text(&self) -> String {
        let mut out = Page::default();
        // A page takes every line.
        let _ = self.write_text(&mut out);
        out.into_text()
    }

    fn write_text(&self, out: &mut Page) -> std::fmt::Result {
        let nothing = self.verdict == Verdict::Unchecked && self.logs.iter().all(|log| log.seals == 0);
        writeln!(out, "{}", self.summary)?;
        for log in &self.logs {
            let range = log.covered.map_or_else(|| "no seals".to_owned(), |(first, last)| format!("seals {first} to {last}"));
            let size = match log.goes_on {
                _ if log.seals == 0 => "none was read".to_owned(),
                true => format!("tree size {} with the last of them; the log goes on", log.tree_size),
                false => format!("tree size {}", log.tree_size),
            };
            writeln!(
                out,
                "  {}: {range} ({size}), {}, {}, {}",
                log.origin,
                counted(log.segments, "segment", "segments"),
                counted(log.records, "record", "records"),
                counted(log.bytes, "byte", "bytes")
            )?;
            if let Some(root) = &log.root {
                writeln!(out, "    root: {root} of {}, as receipts and `checkpoint` write it", counted(log.tree_size, "seal", "seals"))?;
            }
            if log.seals > 0 {
                log.completeness.write_text(out)?;
            }
            if !log.expired.is_empty() {
                let sum = |of: fn(&Expired) -> u64| log.expired.iter().map(of).fold(0, u64::saturating_add);
                let (segments, records) = (sum(|e| e.segments), sum(|e| e.records));
                writeln!(
                    out,
                    "    gone since their date: {segments} segments with {records} records; seals prove that they stood there (see the notes)"
                )?;
            }
            if let Some(from) = log.resumed {
                writeln!(
                    out,
                    "    resumed: seals before {from} were not read; that they are as signed rests on the verification by which you kept the \
                     checkpoint"
                )?;
            }
            if let Some(size) = log.extends {
                let covers = match log.covered.map_or(0, |(first, _)| first) {
                    0 => "nothing that it covers was removed or changed since".to_owned(),
                    first if first < size => format!("of what it covers, nothing from seal {first} on was removed or changed since"),
                    first => format!("what is sealed from seal {first} on goes on from it"),
                };
                writeln!(out, "  kept:  the log begins with the tree of {} that you kept: {covers}", counted(size, "seal", "seals"))?;
            }
            if let Some(stamped) = &log.timestamped {
                let (up_to, time, caveat) = (stamped.up_to, stamped.time, stamped.accuracy.caveat());
                writeln!(out, "  time:  the first {up_to} seals existed not later than {time}{caveat}, by `{}`", stamped.authority)?;
            }
        }
        if nothing {
            // Neither a key nor a lock was put to the test.
            return self.write_items(out, "Notes", &self.notes);
        }
        writeln!(
            out,
            "  key:   {}",
            match self.key {
                KeyTrust::Unpinned if self.logs.iter().all(|log| log.seals == 0) => "no seal was read, so no key was put to the test",
                KeyTrust::Pinned => "pinned: you brought it (--vkey)",
                _ if self.is_of_another_key() => {
                    "not the one that was given, of a log that the findings name: what was read of it was held against the key in the store itself"
                }
                _ if self.is_of_unknown_key() => {
                    "not reached: whether what was read leads to the key that was given is not known, because not all could be read"
                }
                KeyTrust::Configured => "configured: the key of this configuration, not one that an auditor brought",
                KeyTrust::Unpinned => {
                    "unpinned: taken from the store itself, which shows only that the log agrees with itself; bring the key with --vkey"
                }
            }
        )?;
        for log in self.logs.iter().filter(|log| self.logs.len() > 1 && log.key != self.key) {
            writeln!(out, "         of {}: {}", log.origin, log.key.as_str())?;
        }
        for log in &self.logs {
            for OpenOrder { matter, order, through, segments } in log.orders.iter().take(ORDERS_SHOWN) {
                let segments = if *segments == 1 { "1 segment".to_owned() } else { format!("{segments} segments") };
                writeln!(out, "  open {order} `{matter}`: it keeps {segments}, and was carried out on the seals below {through}")?;
            }
            if let Some(more @ 1..) = log.orders.len().checked_sub(ORDERS_SHOWN) {
                writeln!(out, "  and {more} more holds or extensions that are open (--json)")?;
            }
            for KeyChange { seal, from, to } in &log.key_changes {
                writeln!(out, "  key change: seal {seal} announced `{to}`, which alone signs from the next seal on, in place of `{from}`")?;
            }
        }
        writeln!(
            out,
            "  locks: {}",
            match self.locks {
                LockCheck::Checked if self.findings.iter().any(|found| found.kind.is_of_locks()) => {
                    "read back, and not all are as strong and as long as they have to be: see the findings"
                }
                LockCheck::Checked => "read back and as strong and as long as the seals state",
                LockCheck::None => "none: this store keeps no locks, so whoever can write it can delete from it",
                LockCheck::Unchecked => "could not be read",
            }
        )?;
        for log in &self.logs {
            if let Some(cosigned) = &log.cosigned {
                write_cosigned(out, cosigned, log)?;
            }
        }
        self.write_items(out, "Findings", &self.findings)?;
        self.write_items(out, "Notes", &self.notes)?;
        writeln!(out, "Covered: bytes, trees, signatures, order and counts of what is named above.")?;
        let cosigned = self.logs.iter().all(|log| log.cosigned.as_ref().is_some_and(|c| c.up_to.is_some()));
        let kept = self.logs.iter().all(|log| log.extends.is_some());
        let alike = if cosigned {
            "whether what lies behind the last cosignature was shown alike to everyone"
        } else if kept {
            "whether what lies behind the checkpoint that you kept was shown alike to everyone (that needs a cosignature)"
        } else {
            "whether the log was shown alike to everyone (that needs a cosignature or a checkpoint you kept)"
        };
        writeln!(out, "Not covered: whether what senders reported is true, what was never sent, what a vault still keeps, and {alike}.")
    }

    fn write_items(&self, out: &mut Page, title: &str, items: &[Item]) -> std::fmt::Result {
        if items.is_empty() {
            return Ok(());
        }
        writeln!(out, "{title} ({}):", items.len())?;
        for item in items {
            let is_told = item.log.is_empty() || matches!(self.logs.as_slice(), [one] if one.name == item.log);
            let log = if !is_told { format!(" {}", item.log) } else { String::new() };
            let object = if item.object.is_empty() { String::new() } else { format!(" {}", item.object) };
            let seal = item.seal.map_or_else(String::new, |seal| format!(" (seal {seal})"));
            let expected = item.expected.as_ref().map_or_else(String::new, |expected| format!(" Expected: {expected}."));
            let found = item.found.as_ref().map_or_else(String::new, |found| format!(" Found: {found}."));
            let evidence = match item.evidence {
                Some(Evidence::Lost) if item.kind == Kind::WrongKey => " Evidence: none under that key.",
                Some(Evidence::Lost) => " Evidence: lost.",
                Some(Evidence::Intact) => " Evidence: intact.",
                None => "",
            };
            writeln!(out, "  {}{log}{object}{seal}: {}{expected}{found}{evidence}", item.kind.as_str(), item.meaning)?;
        }
        Ok(())
    }
}

fn write_cosigned(out: &mut Page, cosigned: &Cosigned, log: &LogReport) -> std::fmt::Result {
    let (quorum, of) = (cosigned.quorum, cosigned.brought());
    let reached = match cosigned.up_to {
        None => match cosigned.witnesses.iter().filter(|seen| seen.up_to.is_some()).count() {
            0 => format!("not yet by {quorum} of your {of}"),
            some => format!("by {some} of your {of}, and not yet by the {quorum} asked for"),
        },
        Some(size) => {
            let newer = match log.tree_size.saturating_sub(size) {
                0 => String::new(),
                behind => format!(", {} not yet", counted(behind, "newer seal", "newer seals")),
            };
            format!("up to tree size {size} by {} of your {of} ({quorum} asked for){newer}", cosigned.reached())
        }
    };
    let seen = cosigned.witnesses.iter().map(|seen| match seen.up_to {
        Some(size) => format!("{} up to {size}", seen.name),
        None => format!("{} nothing", seen.name),
    });
    writeln!(out, "  seen:  {reached}: {}", seen.collect::<Vec<_>>().join(", "))
}
