//! What stands around the records of a bundle, of one or of several: the checkpoint, and who signed it, saw it and stamped it.

use super::{Kept, Others, ProofError, Rotation, SeenBy, Under, included, read, refused};
use crate::clock::UnixSeconds;
use crate::plain::brief;
use crate::tlog::TreeSize;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{Checkpoint, SignatureLine, SignedNote, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::Statement;
use crate::verify::cosignatures::date_doubt;
use crate::verify::doubt::Doubt;
use crate::verify::report::Kind;

/// Characters that are told of the name of a log.
const ORIGIN_CHARS_MAX: usize = 200;

/// The same members of every format.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// Of the checkpoint's tree.
    pub(super) size: TreeSize,
    pub(super) checkpoint: &'a str,
    pub(super) cosignatures: &'a [String],
    pub(super) timestamps: &'a [String],
    pub(super) rotations: &'a [Rotation],
}

/// What the auditor's witnesses say of a checkpoint.
#[derive(Default)]
pub(super) struct Seen {
    /// Who cosigned, by their names.
    pub(super) by: Vec<SeenBy>,
    /// With which keys.
    keys: Vec<WitnessKey>,
    /// Lines of nobody among them.
    pub(super) strangers: usize,
    /// Lines in the name of one of them that do not verify.
    pub(super) unsound: usize,
}

impl Seen {
    /// How many of these witnesses they are.
    pub(super) fn many(&self, witnesses: &[WitnessKey]) -> usize {
        WitnessKey::many(witnesses.iter().filter(|key| self.keys.contains(key)))
    }
}

impl Outer<'_> {
    /// The statements of the changes of key.
    pub(super) fn announcements(&self) -> Result<Vec<Statement>, ProofError> {
        self.rotations.iter().map(|rotation| read::statement(&rotation.statement)).collect()
    }

    /// The note that the auditor's key has to have signed: that of the first change of key, or the checkpoint.
    fn first_note(&self) -> Option<SignedNote> {
        SignedNote::parse(self.rotations.first().map_or(self.checkpoint, |rotation| &rotation.checkpoint)).ok()
    }

    /// Whether it claims to begin with this key.
    pub(super) fn begins_with(&self, vkey: &VerifierKey) -> bool {
        self.first_note().is_some_and(|note| note.signatures.iter().any(|line| line.is_of(vkey)))
    }

    /// Refuses a bundle that begins with another key of the same log, and says what to ask for: after a change of key there is a proof for each.
    fn expect_begins_with(&self, announcements: &[Statement], vkey: &VerifierKey) -> Result<(), ProofError> {
        let Some(note) = self.first_note() else { return Ok(()) };
        let origin = note.text.lines().next().unwrap_or_default();
        if origin != vkey.name() && !self.begins_with(vkey) {
            return Err(refused(format!(
                "it is of the log `{}`, and the key that you brought is of `{}`: bring the key of that log",
                brief(origin, ORIGIN_CHARS_MAX),
                vkey.name()
            )));
        }
        let ask = format!("ask for a proof for your key (spanseal prove RECORD_ID --vkey '{vkey}')");
        let other = note.other_of(vkey).map_or_else(|| vkey.name().to_owned(), SignatureLine::short);
        // The first change is signed by both its keys.
        let is_mine = |announced: &Statement| announced.next_vkey.as_ref() == Some(vkey);
        if announcements.first().is_some_and(is_mine) || !self.begins_with(vkey) && announcements.iter().any(is_mine) {
            return Err(refused(format!("it begins with an older key of the log, `{other}`, and the log came to yours later: {ask}")));
        }
        if note.other_of(vkey).is_some() && !self.begins_with(vkey) {
            return Err(refused(format!(
                "it begins with another key of that name, `{other}`, than the one that you brought, `{}`. A log that changed its key has \
                 several: if yours is one of them, {ask}; if not, this is signed by a key that says nothing to you",
                vkey.short()
            )));
        }
        Ok(())
    }

    /// From the auditor's key to the one that signed the checkpoint, over seals that both keys signed.
    pub(super) fn follow_rotations(&self, announcements: &[Statement], vkey: &VerifierKey) -> Result<VerifierKey, ProofError> {
        self.expect_begins_with(announcements, vkey)?;
        let mut key = vkey.clone();
        let mut had = vec![vkey.clone()];
        let mut after = 0;
        for (rotation, announced) in self.rotations.iter().zip(announcements) {
            let next = announced.next_vkey.clone().ok_or_else(|| refused("rotations: a statement without next_vkey"))?;
            // A log never comes back to a key: who has stolen an old one could announce it anew.
            if had.contains(&next) || next.name() != key.name() {
                return Err(refused("rotations: next_vkey is not a new key of the same origin"));
            }
            let checkpoint = included(&rotation.statement, announced, &rotation.log, &rotation.checkpoint, &key)?;
            Checkpoint::open(&rotation.checkpoint, &next).map_err(|e| refused(format!("rotations: the new key did not sign: {e}")))?;
            if Some(checkpoint.size.0) != announced.index.checked_add(1) || checkpoint.size.0 <= after {
                return Err(refused("rotations: not the announcing seals' own checkpoints, in order"));
            }
            after = checkpoint.size.0;
            had.push(next.clone());
            key = next;
        }
        if self.size.0 < after {
            return Err(refused("the checkpoint is older than a change of key that leads to it"));
        }
        Ok(key)
    }

    /// Signature lines of others than the log: those that are listed, and those in the checkpoint besides that of the key.
    pub(super) fn beside(&self, key: &VerifierKey, statement: &Statement) -> Result<Vec<SignatureLine>, ProofError> {
        let lines = SignedNote::parse(self.checkpoint).map(|note| note.signatures).unwrap_or_default();
        let announced = self.announced(statement);
        let mut found: Vec<SignatureLine> =
            lines.into_iter().filter(|line| !line.is_of(key) && announced.is_none_or(|next| !line.is_of(next))).collect();
        for line in self.cosignatures {
            let line = SignatureLine::parse(line.strip_suffix('\n').unwrap_or(line));
            found.push(line.map_err(|e| refused(format!("cosignatures: {e}")))?);
        }
        Ok(found)
    }

    /// The key that signed the checkpoint beside the one that it replaces: that of the seal which announces it is signed by both, and `signed`
    /// has verified both.
    fn announced<'s>(&self, statement: &'s Statement) -> Option<&'s VerifierKey> {
        statement.next_vkey.as_ref().filter(|_| Some(self.size.0) == statement.index.checked_add(1))
    }

    /// What a bundle that was checked shows of the keys that the auditor brought. `statement`: its last.
    pub(super) fn under(&self, vkey: &VerifierKey, turns: &[Statement], statement: &Statement, others: &Others) -> Under {
        let way: Vec<&VerifierKey> = turns.iter().filter_map(|turn| turn.next_vkey.as_ref()).chain(self.announced(statement)).collect();
        let (led_to, not_shown) = others.other_keys.iter().cloned().partition(|key| way.contains(&key));
        Under { key: vkey.clone(), led_to, not_shown }
    }

    /// Every key of the log that the bundle or the auditor shows: those that he brought, those that lead on from his, those that its seals announce,
    /// and, of his witnesses, those that signed for the log what is at hand: its checkpoints, and the one that he kept.
    ///
    /// KNOWN GAP: a key that the log had before his, or will have, and that none of these shows is not known here; the answer says so.
    pub(super) fn keys_of_log(
        &self,
        vkey: &VerifierKey,
        turns: &[Statement],
        statements: &[Statement],
        others: &Others,
    ) -> Vec<VerifierKey> {
        let announced = turns.iter().chain(statements).filter_map(|statement| statement.next_vkey.as_ref());
        let mut found: Vec<VerifierKey> = std::iter::once(vkey).chain(&others.other_keys).chain(announced).cloned().collect();
        let notes = self.rotations.iter().map(|rotation| rotation.checkpoint.as_str()).chain([self.checkpoint]);
        let notes: Vec<UnverifiedCheckpoint> =
            notes.filter_map(|note| UnverifiedCheckpoint::parse(note).ok()).chain(others.kept.clone()).collect();
        let as_log = others.witnesses.iter().map(|witness| witness.as_log(vkey.name()));
        found.extend(as_log.filter(|key| notes.iter().any(|note| note.is_signed_by(key))));
        found
    }

    /// Which of these witnesses cosigned the checkpoint of a bundle that was checked. A line in the name of one of them that does not verify
    /// counts for nothing: no signature covers the list, so anybody through whose hands the bundle goes can add one.
    pub(super) fn seen(
        &self,
        (key, of_log): (&VerifierKey, &[VerifierKey]),
        statement: &Statement,
        witnesses: &[WitnessKey],
        now: UnixSeconds,
    ) -> Result<Seen, ProofError> {
        let text = SignedNote::parse(self.checkpoint).map(|note| note.text).map_err(|e| refused(format!("checkpoint: {e}")))?;
        let mut seen = Seen::default();
        for line in self.beside(key, statement)? {
            let Some(witness) = witnesses.iter().find(|key| key.owns(&line)) else {
                seen.strangers += 1;
                continue;
            };
            if of_log.iter().any(|own| witness.is_of_log(own)) {
                return Err(refused(format!(
                    "cosignatures: `{}` is a key of the log itself, which is no witness of its own log",
                    witness.name()
                )));
            }
            let Ok(at) = witness.verify(&text, &line) else {
                seen.unsound += 1;
                continue;
            };
            if !seen.keys.contains(witness) {
                seen.keys.push(witness.clone());
            }
            match seen.by.iter_mut().find(|other| other.name == witness.name()) {
                // The first time that it was seen says the most.
                Some(other) => other.at = other.at.min(at),
                None => seen.by.push(SeenBy { name: witness.name().to_owned(), at, doubt: None }),
            }
        }
        // The checkpoint may be of a later seal, and none of an earlier one.
        seen.by.iter_mut().for_each(|seen| seen.doubt = date_doubt(seen.at, statement.sealed_at, now));
        Ok(seen)
    }

    /// Which keys sign trees of which sizes, as far as the bundle shows it, on the way from `vkey`: each with the smallest size and the largest, if it
    /// has been left. The tree of a seal that announces a key is signed by two. `last`: the last statement.
    pub(super) fn terms(&self, vkey: &VerifierKey, turns: &[Statement], last: &Statement) -> Vec<(VerifierKey, u64, Option<u64>)> {
        let mut terms = vec![(vkey.clone(), 0, None)];
        let announced = Some(last).filter(|last| self.announced(last).is_some());
        for turn in turns.iter().chain(announced) {
            let (Some(next), size) = (&turn.next_vkey, turn.index.saturating_add(1)) else { continue };
            if terms.last().is_some_and(|(key, ..)| key == next) {
                continue;
            }
            if let Some((_, _, until)) = terms.last_mut() {
                *until = Some(size);
            }
            terms.push((next.clone(), size, None));
        }
        terms
    }

    /// How a checkpoint that the auditor kept stands to the bundle's; and the finding, where they are two histories. `terms`: who signs which sizes.
    pub(super) fn compared(
        &self,
        others: &Others,
        own: &Checkpoint,
        terms: &[(VerifierKey, u64, Option<u64>)],
    ) -> (Option<Kept>, Option<Doubt>) {
        let Some(kept) = &others.kept else { return (None, None) };
        let (size, root) = (kept.checkpoint.size, kept.checkpoint.root);
        let within = |(_, from, until): &&(VerifierKey, u64, Option<u64>)| *from <= size.0 && until.is_none_or(|until| size.0 <= until);
        let mut signers: Vec<&VerifierKey> = terms.iter().filter(within).map(|(key, ..)| key).collect();
        if size != own.size {
            // When the log had another key that the auditor brought the bundle need not show.
            signers.extend(others.other_keys.iter().filter(|key| !terms.iter().any(|(known, ..)| known == *key)));
        }
        if !signers.iter().any(|key| kept.is_signed_by(key)) {
            return (Some(Kept::NotSigned(size.0)), None);
        }
        if size != own.size {
            return (Some(Kept::OtherSize(size.0)), None);
        }
        if root == own.root {
            return (Some(Kept::Same), None);
        }
        let fork = Doubt {
            kind: Kind::Fork,
            member: "checkpoint",
            expected: format!("root {root} of the checkpoint that you kept, of {} seals", size.0),
            found: format!("root {}", own.root),
            meaning: "The log's key signed two trees of one size: somebody is shown another history than you were. Keep both checkpoints, they \
                      prove it; and ask the operator.",
        };
        (Some(Kept::Fork), Some(fork))
    }
}
