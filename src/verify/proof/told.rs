//! What a bundle proved, as a value and in plain words.

use super::{Bundle, Others, ProofError, Stamps, Storage, Unknown};
use crate::clock::UnixSeconds;
use crate::plain::{Page, counted};
use crate::record::content::Referred;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::tlog::{Hash, RootHash};
use crate::verify::doubt::Doubt;
use crate::verify::report::Verdict;
use crate::verify::stamps::AHEAD;

/// What a bundle proved.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The record's id.
    pub record_id: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// What it says of itself, by name: trace, time, service, system, model, type and outcome of a decision; no content and no person.
    pub says: Vec<(&'static str, String)>,
    /// What stands there for its schema, where this version does not know it, so that what its members mean was not judged.
    pub other_schema: Option<String>,
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
    /// The auditor's keys.
    pub under: Under,
    /// Members whose disclosed content is what was committed to.
    pub opened: Vec<String>,
    /// Content that telemetry only named.
    pub referred: Vec<Referred>,
    /// What the log's key signed here and cannot be true.
    pub doubts: Vec<Doubt>,
    /// Which of the auditor's witnesses cosigned the checkpoint.
    pub seen: Vec<SeenBy>,
    /// How many witnesses these are: of one key under two names, one.
    pub cosigned: usize,
    /// How many of them were asked for; `None`: none were brought.
    pub asked: Option<usize>,
    /// Lines of other keys: present, not verified.
    pub cosignatures: usize,
    /// Lines in the names of the auditor's witnesses that do not verify: anybody can write such.
    pub false_cosignatures: usize,
    /// How the checkpoint that the auditor kept stands to that of the bundle; `None`: none was brought.
    pub kept: Option<Kept>,
    /// What the time stamps say.
    pub stamps: Stamps,
    /// When it was asked.
    pub now: UnixSeconds,
    /// Members of the bundle that no signature covers and that were not looked at.
    pub unknown: Unknown,
}

/// Under which of the auditor's keys a bundle was checked. Each key that he brings is enough by itself, so with several of them he has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Under {
    /// The one that it begins with.
    pub key: VerifierKey,
    /// Others of the log that he brought and to which it leads, over changes of key that both sides signed.
    pub led_to: Vec<VerifierKey>,
    /// Others of the log that he brought, of which it shows nothing.
    pub not_shown: Vec<VerifierKey>,
}

/// A witness that cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBy {
    /// Its name.
    pub name: String,
    /// When, by its own clock.
    pub at: UnixSeconds,
    /// Why that cannot be.
    pub doubt: Option<&'static str>,
}

/// How a checkpoint that the auditor kept stands to that of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is of the same tree: what the bundle shows is what the auditor was shown.
    Same,
    /// Same size, another root, and both signed by the log's key: two histories.
    Fork,
    /// It is of a tree of this size, and only the store can tell whether one extends the other.
    OtherSize(u64),
    /// It is of a tree of this size, and signed by no key that the bundle shows to sign such a tree, so it says nothing.
    NotSigned(u64),
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
    fn write_text(&self, out: &mut Page) -> std::fmt::Result;
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
            Ok(proved) if proved.outside().is_short() => Verdict::Unchecked,
            Ok(_) => Verdict::Verified,
            Err(ProofError::Refused(_)) => Verdict::Findings,
            Err(ProofError::NotAProof(_) | ProofError::UnknownFormat(..)) => Verdict::Unchecked,
        };
        CheckReport { verdict, result }
    }

    /// For a reader.
    pub fn to_text(&self) -> String {
        let mut out = Page::default();
        // A page takes every line.
        let _ = match &self.result {
            Ok(proved) => proved.write_text(&mut out),
            Err(ProofError::Refused(why)) => writeln!(out, "REFUSED: this bundle proves nothing: {why}.")
                .and_then(|()| writeln!(out, "Ask for a new bundle (spanseal prove), and make sure that the key is the log's.")),
            Err(ProofError::NotAProof(why)) => writeln!(out, "NOT A PROOF: {why}.")
                .and_then(|()| writeln!(out, "Nothing was checked. Make sure that this is the whole file that `spanseal prove` wrote.")),
            Err(error @ ProofError::UnknownFormat(..)) => writeln!(
                out,
                "UNCHECKED: {error}. A newer spanseal can read it, if one wrote it: whether somebody altered these words was not checked."
            ),
        };
        out.into_text()
    }
}

impl Proved {
    /// Whether as many witnesses as were asked for saw it.
    pub fn is_cosigned(&self) -> bool {
        self.outside().is_cosigned()
    }

    /// Whether the log was shown alike to everyone, as far as the auditor can tell: enough witnesses cosigned it, or it is what the checkpoint
    /// that he kept says. A time stamp does not show it: an authority gets one hash, and shows it to nobody.
    pub fn is_published(&self) -> bool {
        self.outside().is_published()
    }

    /// How its segment is locked, by what the log signed; nothing where the store enforces no locks.
    pub fn storage(&self) -> Option<Storage> {
        let (class, lock) = (self.segment.class.clone(), self.segment.lock);
        (!self.statement.not_worm).then_some(Storage { class, mode: lock.mode, retain_until: lock.retain_until, segments: 1 })
    }

    /// When it existed at the latest, by the earliest of the authorities whom the auditor trusts.
    pub fn existed_by(&self) -> Option<UnixSeconds> {
        self.outside().existed_by()
    }
}

impl Told for Proved {
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
        let (s, none, outside) = (&self.statement, "none".to_owned(), self.outside());
        outside.write_verdict(out, "this record was", self.is_doubted())?;
        let (id, kind) = (self.record_id.as_ref().unwrap_or(&none), self.kind.as_ref().unwrap_or(&none));
        // Lines are counted from 1 for a reader, as everywhere; `leaf_index` in JSON from 0.
        let line = self.leaf_index.saturating_add(1);
        writeln!(out, "  record     {id} (kind {kind}), line {line} of {} in its segment", self.segment.records)?;
        if !self.says.is_empty() {
            writeln!(out, "  it says    {} (the record's own words, as its sender reported them)", in_words(&self.says))?;
        }
        writeln!(out, "  sealed     {} in seal {} of {}", s.sealed_at, s.index, s.log)?;
        outside.write_signers(out)?;
        let lock = self.segment.lock;
        if s.not_worm {
            writeln!(out, "  storage    class {}; the store enforces no locks (not_worm)", self.segment.class)?;
        } else {
            writeln!(out, "  storage    class {}, {} until {} at least", self.segment.class, lock.mode.as_str(), lock.retain_until)?;
        }
        outside.write_keys(out)?;
        for member in &self.opened {
            writeln!(out, "  opened     `{member}`: the disclosed content is what the record committed to")?;
        }
        for Referred { member, reference, is_fetched } in &self.referred {
            let what = match is_fetched {
                true => "what the record holds was fetched when it was received",
                false => "not fetched when it was received, so the record does not say what it was",
            };
            writeln!(out, "  elsewhere  `{member}`: kept by the application at {reference}; {what}")?;
        }
        for doubt in &self.doubts {
            write_doubt(out, doubt, "")?;
        }
        writeln!(out, "Proved: nobody changed the record since the log's key signed it; it stands at this place of the log.")?;
        if let Some(schema) = &self.other_schema {
            writeln!(
                out,
                "Not judged: what the members of the record mean, and whether they fit what the seal says of it. Its schema is {schema}, which this \
                 version does not know. Its bytes and its place in the log are proved."
            )?;
        }
        outside.write_published(out, "this record is", "that what the sender reported is true")?;
        outside.write_unverified(out)
    }
}

/// What a record says of itself: "time `...`, model `...`".
pub(super) fn in_words(says: &[(&'static str, String)]) -> String {
    says.iter().map(|(name, value)| format!("{name} `{value}`")).collect::<Vec<_>>().join(", ")
}

/// A finding; `place` stands before its kind.
pub(super) fn write_doubt(out: &mut Page, doubt: &Doubt, place: &str) -> std::fmt::Result {
    let Doubt { kind, meaning, expected, found, .. } = doubt;
    writeln!(out, "Finding: {place}{}: {meaning} Expected: {expected}. Found: {found}.", kind.as_str())
}

/// What stands around the records, whatever the format.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    pub(super) tree_size: u64,
    pub(super) root: Hash,
    pub(super) key: &'a VerifierKey,
    pub(super) rotations: usize,
    pub(super) under: &'a Under,
    pub(super) seen: &'a [SeenBy],
    pub(super) cosigned: usize,
    pub(super) asked: Option<usize>,
    pub(super) cosignatures: usize,
    pub(super) false_cosignatures: usize,
    pub(super) kept: Option<Kept>,
    pub(super) stamps: &'a Stamps,
    pub(super) now: UnixSeconds,
    pub(super) unknown: &'a Unknown,
}

impl Outside<'_> {
    pub(super) fn is_cosigned(&self) -> bool {
        self.asked.is_some_and(|asked| self.cosigned >= asked)
    }

    pub(super) fn is_published(&self) -> bool {
        // A key that signed two trees of one size showed somebody another log, whoever cosigned this one.
        self.kept != Some(Kept::Fork) && (self.is_cosigned() || self.kept == Some(Kept::Same))
    }

    /// The stamps are sorted, earliest first; one that is dated after now says nothing.
    pub(super) fn existed_by(&self) -> Option<UnixSeconds> {
        let said = self.stamps.trusted.iter().find(|stamped| !stamped.is_ahead(self.now));
        said.map(|stamped| stamped.not_later_than)
    }

    /// Whether something that the auditor asked for could not be shown.
    fn is_short(&self) -> bool {
        self.short_of().is_some() || self.stamps.missing().is_some() || matches!(self.kept, Some(Kept::OtherSize(_) | Kept::NotSigned(_)))
    }

    /// How many witnesses were asked for, where fewer saw it.
    fn short_of(&self) -> Option<usize> {
        self.asked.filter(|_| !self.is_cosigned())
    }

    /// The first line. `what`: "this record was".
    pub(super) fn write_verdict(&self, out: &mut Page, what: &str, is_doubted: bool) -> std::fmt::Result {
        let existed = self.existed_by().map_or_else(String::new, |by| format!(", and existed by {by}"));
        let sealed = if self.is_published() { "sealed, signed and published" } else { "sealed and signed" };
        match self.short_of() {
            _ if is_doubted => {
                writeln!(out, "FINDINGS: {what} sealed and signed, and beside it something that cannot be true.")
            }
            Some(asked) => {
                let (seen, but) = (self.cosigned, if self.is_published() { "cosigned" } else { "shown to be published" });
                writeln!(
                    out,
                    "UNCHECKED: {what} {sealed}{existed}, but not yet {but}: {seen} of {}.",
                    counted(asked, "witness", "witnesses")
                )?;
                match self.stamps.missing() {
                    Some(why) => writeln!(out, "           No time stamp by an authority that you trust is on it either: {why}."),
                    None => Ok(()),
                }
            }
            None if self.stamps.missing().is_some() => {
                let why = self.stamps.missing().unwrap_or_default();
                writeln!(out, "UNCHECKED: {what} {sealed}, but no time stamp by an authority that you trust is on it: {why}.")
            }
            None if self.is_short() => {
                writeln!(out, "UNCHECKED: {what} {sealed}{existed}, but the checkpoint that you kept could not be compared.")
            }
            None => writeln!(out, "VERIFIED: {what} {sealed}{existed}."),
        }
    }

    pub(super) fn write_signers(&self, out: &mut Page) -> std::fmt::Result {
        writeln!(
            out,
            "  signed by  {} over a tree of {}, root {}",
            self.key,
            counted(self.tree_size, "seal", "seals"),
            RootHash(self.root)
        )?;
        for SeenBy { name, at, doubt } in self.seen {
            writeln!(out, "  seen by    {name} at {at} (its time), as part of a tree of {} seals", self.tree_size)?;
            if let Some(doubt) = doubt {
                writeln!(out, "             {doubt}")?;
            }
        }
        for stamped in &self.stamps.trusted {
            let (at, caveat) = (stamped.not_later_than, stamped.accuracy.caveat());
            writeln!(out, "  existed    not later than {at}{caveat} by `{}` (root `{}`)", stamped.authority, stamped.root)?;
            if stamped.is_ahead(self.now) {
                writeln!(out, "             {AHEAD}")?;
            }
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

    pub(super) fn write_keys(&self, out: &mut Page) -> std::fmt::Result {
        let Under { key, led_to, not_shown } = self.under;
        if self.rotations > 0 {
            let changes = counted(self.rotations, "announced change of key", "announced changes of key");
            writeln!(out, "  key        reached from yours, {}, over {changes}", key.short())?;
        }
        if !led_to.is_empty() || !not_shown.is_empty() {
            let brought = led_to.len().saturating_add(not_shown.len()).saturating_add(1);
            writeln!(out, "  checked    under {key}, with which the proof begins, one of {brought} keys of this log that you brought")?;
        }
        for other in led_to {
            writeln!(out, "             it leads to {other}, which you brought too")?;
        }
        for other in not_shown {
            writeln!(
                out,
                "             it shows nothing of {other}, which you brought too: whoever has the first key alone, also one that the log has \
                 left since, can make such a proof. Trust it as far as you trust that key; --vkey with the other alone asks for a proof that \
                 begins there"
            )?;
        }
        Ok(())
    }

    /// `what`: "this record is"; `also`: what else is not proved.
    pub(super) fn write_published(&self, out: &mut Page, what: &str, also: &str) -> std::fmt::Result {
        match self.kept {
            Some(Kept::Same) => writeln!(out, "Published: the checkpoint that you kept is of the very same tree, and {what} in it.")?,
            Some(Kept::OtherSize(size)) => writeln!(
                out,
                "Not compared: the checkpoint that you kept is of a tree of {size} seals, that of the bundle of {}. Whether one extends the other \
                 only the store can show: spanseal verify --since-checkpoint.",
                self.tree_size
            )?,
            Some(Kept::NotSigned(size)) if size == self.tree_size => {
                writeln!(out, "Not compared: the checkpoint that you kept is not signed by {}, which signed that of the bundle.", self.key)?
            }
            Some(Kept::NotSigned(size)) => writeln!(
                out,
                "Not compared: the checkpoint that you kept, of a tree of {size} seals, is not signed by a key that signs such trees as far as this \
                 bundle shows. It is by a key of the log that the bundle does not show, or it is not the log's: spanseal verify \
                 --since-checkpoint tells."
            )?,
            Some(Kept::Fork) | None => {}
        }
        if self.is_cosigned() && self.kept != Some(Kept::Fork) {
            writeln!(out, "Published: the witnesses above cosign one history of the log only, and {what} in it.")?;
        }
        if !self.seen.is_empty() {
            writeln!(
                out,
                "Not known: whether one of these witnesses is a key that the log itself had at another time, and that this bundle does not show. \
                 spanseal verify reads the log's keys and would not count it."
            )?;
        }
        let published = match self.is_published() {
            true => "",
            false => {
                "that the log was published, or shown alike to everyone (that needs cosignatures of witnesses you trust, or a checkpoint that you \
                 kept); "
            }
        };
        writeln!(out, "Not proved: {published}{also}; that the store still holds and locks it (spanseal verify).")
    }

    /// What is in the bundle and was not looked at.
    pub(super) fn write_unverified(&self, out: &mut Page) -> std::fmt::Result {
        if self.cosignatures > 0 {
            writeln!(
                out,
                "Not verified: {} in the bundle by witnesses whose keys you did not bring (--witness), which therefore counts for nothing here.",
                counted(self.cosignatures, "cosignature", "cosignatures")
            )?;
        }
        if self.false_cosignatures > 0 {
            writeln!(
                out,
                "Not counted: {} in the name of your witnesses without a signature that verifies; anybody can write such.",
                counted(self.false_cosignatures, "line", "lines")
            )?;
        }
        for why in &self.stamps.uncounted {
            writeln!(out, "Not counted: {why}.")?;
        }
        for member in &self.unknown.names {
            writeln!(out, "Not verified: the bundle's member `{member}`, which this version does not know and no signature covers.")?;
        }
        if self.unknown.more > 0 {
            writeln!(out, "Not verified: {} more members of that sort.", self.unknown.more)?;
        }
        Ok(())
    }
}
