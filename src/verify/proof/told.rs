//! What a bundle proved, as a value and in plain words.

use std::fmt::Write;

use super::{Bundle, Others, ProofError, Stamps};
use crate::clock::UnixSeconds;
use crate::record::content::Referred;
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::verify::doubt::Doubt;
use crate::verify::report::Verdict;

/// What a bundle proved.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The record's id.
    pub record_id: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// Its line in the segment.
    pub leaf_index: u64,
    /// The segment, as the statement names it.
    pub segment: SegmentRef,
    /// The statement.
    pub statement: Statement,
    /// Size of the signed tree.
    pub tree_size: u64,
    /// Its root.
    pub root: Hash,
    /// The key that signed the checkpoint.
    pub key: VerifierKey,
    /// Changes of key between the auditor's and that one.
    pub rotations: usize,
    /// Members whose disclosed content is what was committed to.
    pub opened: Vec<String>,
    /// Content that telemetry only named.
    pub referred: Vec<Referred>,
    /// What the log's key signed here and cannot be true.
    pub doubts: Vec<Doubt>,
    /// Which of the auditor's witnesses cosigned the checkpoint.
    pub seen: Vec<SeenBy>,
    /// How many of them were asked for; `None`: none were brought.
    pub asked: Option<usize>,
    /// Lines of other keys: present, not verified.
    pub cosignatures: usize,
    /// What the time stamps say.
    pub stamps: Stamps,
    /// When it was asked.
    pub now: UnixSeconds,
    /// Members of the bundle that no signature covers and that were not looked at.
    pub unknown: Vec<String>,
}

/// A witness that cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBy {
    /// Its name.
    pub name: String,
    /// When, by its own clock.
    pub at: UnixSeconds,
}

/// What `check` says.
#[derive(Clone, Debug)]
pub struct CheckReport<P = Proved> {
    /// In one word; `exit_code()` of it is the command's.
    pub verdict: Verdict,
    /// What was proved, or why nothing was.
    pub result: Result<P, ProofError>,
}

/// What a bundle of any format proves.
pub(super) trait Told {
    /// Whether the log's key signed something that cannot be true.
    fn is_doubted(&self) -> bool;
    /// What others say of the checkpoint.
    fn outside(&self) -> Outside<'_>;
    /// For a reader.
    fn write_text(&self, out: &mut String) -> std::fmt::Result;
}

/// Checks a bundle's bytes against the auditor's key alone. `now` tells which dates cannot be.
pub fn check(bundle: &[u8], vkey: &VerifierKey, now: UnixSeconds) -> CheckReport {
    check_with(bundle, vkey, &Others::default(), now)
}

/// The same, and what others whom the auditor trusts say of its checkpoint.
pub fn check_with(bundle: &[u8], vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> CheckReport {
    CheckReport::of(Bundle::parse(bundle).and_then(|b| b.check_with(vkey, others, now)))
}

#[expect(private_bounds, reason = "what can be told is decided here, and nobody else makes a report")]
impl<P: Told> CheckReport<P> {
    pub(super) fn of(result: Result<P, ProofError>) -> Self {
        let verdict = match &result {
            Ok(proved) if proved.is_doubted() => Verdict::Findings,
            Ok(proved) if proved.outside().short_of().is_some() => Verdict::Unchecked,
            Ok(_) => Verdict::Verified,
            Err(ProofError::Refused(_)) => Verdict::Findings,
            Err(ProofError::NotAProof(_) | ProofError::UnknownFormat(..)) => Verdict::Unchecked,
        };
        CheckReport { verdict, result }
    }

    /// For a reader.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = match &self.result {
            Ok(proved) => proved.write_text(&mut out),
            Err(ProofError::Refused(why)) => {
                writeln!(
                    out,
                    "REFUSED: this bundle proves nothing: {why}.\nAsk for a new bundle (spanseal prove), and make sure that the key is the log's."
                )
            }
            Err(ProofError::NotAProof(why)) => writeln!(
                out,
                "NOT A PROOF: {why}.\nNothing was checked. Make sure that this is the whole file that `spanseal prove` wrote."
            ),
            Err(error @ ProofError::UnknownFormat(..)) => writeln!(out, "UNCHECKED: {error}. A newer spanseal can read it."),
        };
        out
    }
}

impl Proved {
    /// Whether as many witnesses as were asked for saw it.
    pub fn is_cosigned(&self) -> bool {
        self.outside().is_cosigned()
    }

    /// Whether somebody else than the log's key, whom the auditor trusts, says that the log was there: enough witnesses, or an authority that
    /// stamped it. What enough witnesses saw was shown alike to everyone; a time stamp says only when it was there.
    pub fn is_published(&self) -> bool {
        self.outside().is_published()
    }
}

impl Told for Proved {
    fn is_doubted(&self) -> bool {
        !self.doubts.is_empty()
    }

    fn outside(&self) -> Outside<'_> {
        Outside {
            tree_size: self.tree_size,
            key: &self.key,
            rotations: self.rotations,
            seen: &self.seen,
            asked: self.asked,
            cosignatures: self.cosignatures,
            stamps: &self.stamps,
            now: self.now,
            unknown: &self.unknown,
        }
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let (s, none, outside) = (&self.statement, "none".to_owned(), self.outside());
        outside.write_verdict(out, "this record was", self.is_doubted())?;
        let (id, kind) = (self.record_id.as_ref().unwrap_or(&none), self.kind.as_ref().unwrap_or(&none));
        writeln!(out, "  record     {id} (kind {kind}), line {} of {} in its segment", self.leaf_index, self.segment.records)?;
        writeln!(out, "  sealed     {} in seal {} of {}", s.sealed_at, s.index, s.log)?;
        outside.write_signers(out)?;
        let lock = self.segment.lock;
        if s.not_worm {
            writeln!(out, "  storage    class {}; the store enforces no locks (not_worm)", self.segment.class)?;
        } else {
            writeln!(out, "  storage    class {}, {} until {} at least", self.segment.class, lock.mode.as_str(), lock.retain_until)?;
        }
        outside.write_rotations(out)?;
        for member in &self.opened {
            writeln!(out, "  opened     `{member}`: the disclosed content is what the record committed to")?;
        }
        for Referred { member, reference, is_fetched } in &self.referred {
            let what = match is_fetched {
                true => "what the record holds was fetched when it was received",
                false => "not fetched when it was received, so the record does not say what it was",
            };
            // A sender chose it: whatever could move a terminal's cursor is shown as its number.
            writeln!(out, "  elsewhere  `{member}`: kept by the application at {}; {what}", reference.escape_debug())?;
        }
        for doubt in &self.doubts {
            write_doubt(out, doubt, "")?;
        }
        writeln!(out, "Proved: nobody changed the record since the log's key signed it; it stands at this place of the log.")?;
        outside.write_published(out, "this record is", "that what the sender reported is true")?;
        outside.write_unverified(out)
    }
}

/// A finding; `place` stands before its kind.
pub(super) fn write_doubt(out: &mut String, doubt: &Doubt, place: &str) -> std::fmt::Result {
    let Doubt { kind, meaning, expected, found, .. } = doubt;
    writeln!(out, "Finding: {place}{}: {meaning} Expected: {expected}. Found: {found}.", kind.as_str())
}

/// What stands around the records, whatever the format.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    pub(super) tree_size: u64,
    pub(super) key: &'a VerifierKey,
    pub(super) rotations: usize,
    pub(super) seen: &'a [SeenBy],
    pub(super) asked: Option<usize>,
    pub(super) cosignatures: usize,
    pub(super) stamps: &'a Stamps,
    pub(super) now: UnixSeconds,
    pub(super) unknown: &'a [String],
}

impl Outside<'_> {
    pub(super) fn is_cosigned(&self) -> bool {
        self.asked.is_some_and(|asked| self.seen.len() >= asked)
    }

    pub(super) fn is_published(&self) -> bool {
        self.is_cosigned() || !self.stamps.trusted.is_empty()
    }

    /// How many witnesses were asked for, where fewer saw it.
    fn short_of(&self) -> Option<usize> {
        self.asked.filter(|_| !self.is_cosigned())
    }

    /// The first line. `what`: "this record was".
    pub(super) fn write_verdict(&self, out: &mut String, what: &str, is_doubted: bool) -> std::fmt::Result {
        let published = self.is_published();
        match self.short_of() {
            _ if is_doubted => {
                writeln!(out, "FINDINGS: {what} sealed and signed, and beside it something that cannot be true.")
            }
            Some(asked) => {
                let seen = self.seen.len();
                let how = if published {
                    "sealed, signed and time stamped, but not yet cosigned"
                } else {
                    "sealed and signed, but not yet shown to be published"
                };
                writeln!(out, "UNCHECKED: {what} {how}: {seen} of {asked} witnesses.")
            }
            None if published => writeln!(out, "VERIFIED: {what} sealed, signed and published."),
            None => writeln!(out, "VERIFIED: {what} sealed and signed."),
        }
    }

    pub(super) fn write_signers(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "  signed by  {} over a tree of {} seals", self.key, self.tree_size)?;
        for SeenBy { name, at } in self.seen {
            writeln!(out, "  seen by    {name} at {at} (its time), as part of a tree of {} seals", self.tree_size)?;
        }
        for stamped in &self.stamps.trusted {
            writeln!(out, "  existed    not later than {} by `{}` (root `{}`)", stamped.not_later_than, stamped.authority, stamped.root)?;
            if stamped.held_until <= self.now {
                writeln!(
                    out,
                    "             its certificates ended on {}: it holds as far as nobody got hold of the authority's key after that",
                    stamped.held_until
                )?;
            }
        }
        Ok(())
    }

    pub(super) fn write_rotations(&self, out: &mut String) -> std::fmt::Result {
        match self.rotations {
            0 => Ok(()),
            n => writeln!(out, "  key        reached from yours over {n} announced change(s) of key"),
        }
    }

    /// `what`: "this record is"; `also`: what else is not proved.
    pub(super) fn write_published(&self, out: &mut String, what: &str, also: &str) -> std::fmt::Result {
        let rest = format!("{also}; that the store still holds and locks it (spanseal verify)");
        if self.is_cosigned() {
            writeln!(out, "Published: the witnesses above cosign one history of the log only, and {what} in it.")?;
            writeln!(out, "Not proved: {rest}.")
        } else if self.is_published() {
            writeln!(out, "Published: the authorities above saw the log, and {what} in it.")?;
            writeln!(
                out,
                "Not proved: that the log was shown alike to everyone (that needs cosignatures of witnesses you trust, or a checkpoint you kept); \
                 {rest}."
            )
        } else {
            writeln!(
                out,
                "Not proved: that the log was published, or shown alike to everyone (that needs cosignatures of witnesses you trust, a time stamp \
                 or a checkpoint you kept); {rest}."
            )
        }
    }

    /// What is in the bundle and was not looked at.
    pub(super) fn write_unverified(&self, out: &mut String) -> std::fmt::Result {
        if self.cosignatures > 0 {
            writeln!(
                out,
                "Not verified: {} cosignature(s) in the bundle by witnesses whose keys you did not bring (--witness); they count for nothing here.",
                self.cosignatures
            )?;
        }
        for why in &self.stamps.uncounted {
            writeln!(out, "Not counted: {why}.")?;
        }
        for member in self.unknown {
            writeln!(out, "Not verified: the bundle's member `{member}`, which this version does not know and no signature covers.")?;
        }
        Ok(())
    }
}
