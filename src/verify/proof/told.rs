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
pub struct CheckReport {
    /// In one word; `exit_code()` of it is the command's.
    pub verdict: Verdict,
    /// What was proved, or why nothing was.
    pub result: Result<Proved, ProofError>,
}

/// Checks a bundle's bytes against the auditor's key alone. `now` tells which dates cannot be.
pub fn check(bundle: &[u8], vkey: &VerifierKey, now: UnixSeconds) -> CheckReport {
    check_with(bundle, vkey, &Others::default(), now)
}

/// The same, and what others whom the auditor trusts say of its checkpoint.
pub fn check_with(bundle: &[u8], vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> CheckReport {
    let result = Bundle::parse(bundle).and_then(|b| b.check_with(vkey, others, now));
    let verdict = match &result {
        Ok(proved) if !proved.doubts.is_empty() => Verdict::Findings,
        Ok(proved) if proved.asked.is_some() && !proved.is_cosigned() => Verdict::Unchecked,
        Ok(_) => Verdict::Verified,
        Err(ProofError::Refused(_)) => Verdict::Findings,
        Err(ProofError::NotAProof(_) | ProofError::UnknownFormat(..)) => Verdict::Unchecked,
    };
    CheckReport { verdict, result }
}

impl CheckReport {
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
        self.asked.is_some_and(|asked| self.seen.len() >= asked)
    }

    /// Whether somebody else than the log's key, whom the auditor trusts, says that the log was there: enough witnesses, or an authority that
    /// stamped it. What enough witnesses saw was shown alike to everyone; a time stamp says only when it was there.
    pub fn is_published(&self) -> bool {
        self.is_cosigned() || !self.stamps.trusted.is_empty()
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let (s, none) = (&self.statement, "none".to_owned());
        let published = self.is_published();
        match self.asked.filter(|_| !self.is_cosigned()) {
            _ if !self.doubts.is_empty() => {
                writeln!(out, "FINDINGS: this record was sealed and signed, and beside it something that cannot be true.")?;
            }
            Some(asked) => {
                let seen = self.seen.len();
                let what = if published {
                    "sealed, signed and time stamped, but not yet cosigned"
                } else {
                    "sealed and signed, but not yet shown to be published"
                };
                writeln!(out, "UNCHECKED: this record was {what}: {seen} of {asked} witnesses.")?;
            }
            None if published => writeln!(out, "VERIFIED: this record was sealed, signed and published.")?,
            None => writeln!(out, "VERIFIED: this record was sealed and signed.")?,
        }
        let (id, kind) = (self.record_id.as_ref().unwrap_or(&none), self.kind.as_ref().unwrap_or(&none));
        writeln!(out, "  record     {id} (kind {kind}), line {} of {} in its segment", self.leaf_index, self.segment.records)?;
        writeln!(out, "  sealed     {} in seal {} of {}", s.sealed_at, s.index, s.log)?;
        writeln!(out, "  signed by  {} over a tree of {} seals", self.key, self.tree_size)?;
        for SeenBy { name, at } in &self.seen {
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
        let lock = self.segment.lock;
        if s.not_worm {
            writeln!(out, "  storage    class {}; the store enforces no locks (not_worm)", self.segment.class)?;
        } else {
            writeln!(out, "  storage    class {}, {} until {} at least", self.segment.class, lock.mode.as_str(), lock.retain_until)?;
        }
        if self.rotations > 0 {
            writeln!(out, "  key        reached from yours over {} announced change(s) of key", self.rotations)?;
        }
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
            let Doubt { kind, meaning, expected, found, .. } = doubt;
            writeln!(out, "Finding: {}: {meaning} Expected: {expected}. Found: {found}.", kind.as_str())?;
        }
        writeln!(out, "Proved: nobody changed the record since the log's key signed it; it stands at this place of the log.")?;
        let rest = "that what the sender reported is true; that the store still holds and locks it (spanseal verify)";
        if self.is_cosigned() {
            writeln!(out, "Published: the witnesses above cosign one history of the log only, and this record is in it.")?;
            writeln!(out, "Not proved: {rest}.")?;
        } else if published {
            writeln!(out, "Published: the authorities above saw the log, with this record in it.")?;
            writeln!(
                out,
                "Not proved: that the log was shown alike to everyone (that needs cosignatures of witnesses you trust, or a checkpoint you kept); \
                 {rest}."
            )?;
        } else {
            writeln!(
                out,
                "Not proved: that the log was published, or shown alike to everyone (that needs cosignatures of witnesses you trust, a time stamp \
                 or a checkpoint you kept); {rest}."
            )?;
        }
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
        for member in &self.unknown {
            writeln!(out, "Not verified: the bundle's member `{member}`, which this version does not know and no signature covers.")?;
        }
        Ok(())
    }
}
