//! The checkpoint that an auditor kept from earlier: the log that is there now must hold that very tree as its beginning.
//!
//! No consistency proof (RFC 6962 section 2.1.2) is asked for, because the walk passes the place: each seal extends the one before, and its
//! frontier is the compact range of the tree before it. So the tree of the kept size is re-derived, and equal roots are equal beginnings.

use super::receipts::KeptReceipt;
use super::{Walk, seal_object};
use crate::tlog::RootHash;
use crate::tlog::note::{Checkpoint, NoteError, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::verify::chain::Signer;
use crate::verify::report::{Item, Kind};
use crate::worm::seal_key;

/// A kept checkpoint, and what the walk found at its place.
pub(super) struct Kept {
    pub(super) checkpoint: UnverifiedCheckpoint,
    root: Option<RootHash>,
}

impl Kept {
    pub(super) fn new(checkpoint: UnverifiedCheckpoint) -> Self {
        Kept { checkpoint, root: None }
    }

    /// The last seal of its tree; `None` for the empty tree.
    pub(super) fn last(&self) -> Option<u64> {
        self.checkpoint.checkpoint.size.0.checked_sub(1)
    }
}

impl Walk<'_> {
    /// The seal at which the walk has to begin at the latest, so that it passes what was kept and the keys are known.
    pub(super) fn latest_start(&self) -> u64 {
        let kept = self.kept.as_ref().and_then(Kept::last).unwrap_or(0);
        self.receipts.iter().map(KeptReceipt::seal).fold(kept, u64::min)
    }

    /// Whether nothing behind a range is still needed to judge it.
    pub(super) fn is_past_kept(&self) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.root.is_some()) && self.receipts.iter().all(KeptReceipt::is_passed)
    }

    /// Takes the tree of the kept size from the seal that completes it or, where that one does not stand, from the one behind it.
    pub(super) fn pass_kept(&mut self, seal: &SealFile) {
        self.receipts.iter_mut().for_each(|receipt| receipt.pass(seal));
        let Some(kept) = &mut self.kept else { return };
        if kept.last() == Some(seal.statement.index) {
            kept.root = Some(seal.range_after().root());
        } else if kept.root.is_none() && kept.checkpoint.checkpoint.size.0 == seal.statement.index {
            kept.root = Some(seal.frontier.root());
        }
    }

    /// Where a log ends that is shorter than it was. That was read to its end, also where less of it was asked for.
    pub(super) fn end_of_log(&self) -> String {
        self.expected.checked_sub(1).map_or_else(|| "no seal that stands".to_owned(), |newest| format!("newest seal {newest}"))
    }

    /// How the kept checkpoint and the log stand to each other, when the walk is over.
    fn relation(&self, kept: &Kept) -> Relation {
        let Checkpoint { size, root, .. } = &kept.checkpoint.checkpoint;
        let mut keys: Vec<_> = self.chain.keys().cloned().collect();
        if keys.is_empty() {
            for key in self.given_keys() {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
        }
        let is_signed = keys.iter().any(|key| kept.checkpoint.is_signed_by(key));
        // Where the listing broke off, or a seal could not be read, a later key may have signed it. What a known key signed is compared all the
        // same: whoever could break a listing off would hide a fork so.
        if keys.is_empty() || (self.stopped || self.chain.may_miss_key_of(size.0)) && !is_signed {
            return Relation::Unknown;
        }
        if let Signer::Left(until) = self.chain.signer_of(&kept.checkpoint) {
            return Relation::Left(until);
        }
        match kept.root {
            _ if !is_signed => Relation::Unsigned(keys),
            // Every log, also one written anew or cut off, begins with no seals.
            Some(now) if now == *root && size.0 == 0 => Relation::Empty,
            Some(now) if now == *root => Relation::Beginning,
            Some(now) => Relation::Other(now),
            None => Relation::NotPassed,
        }
    }

    /// Judges the kept checkpoint, when the walk is over. `sound`: nothing was found against the log.
    pub(super) async fn end_kept(&mut self, sound: bool) {
        let Some(kept) = self.kept.take() else { return };
        let place = kept.last();
        let object = place.map_or_else(|| "seals/".to_owned(), seal_object);
        let item = |kind, meaning: String| Item { seal: place, ..Item::new(kind, &object, meaning) };
        match self.relation(&kept) {
            Relation::Unknown => {
                let why = "the checkpoint that you kept: the log could not be read as far as it, or no key is known to check it with";
                self.sink.unchecked(&object, place, why);
            }
            Relation::Left(until) => self.sink.finding(left(item, &kept, until)),
            Relation::Unsigned(keys) => self.sink.finding(unsigned(item, &kept, &keys)),
            Relation::Empty => {
                let meaning = "The checkpoint that you kept is of size 0: it was made before the first seal, and every log begins like that. It \
                               proves nothing about what was sealed or removed since. Keep a newer one, of the log as it is now.";
                let found = "a checkpoint that covers no seal";
                self.sink.note(item(Kind::NotCovered, meaning.to_owned()).expected("a checkpoint of at least one seal").found(found));
            }
            Relation::Beginning if sound => self.say_extends(item, &kept),
            // What was found against the log is said.
            Relation::Beginning => {}
            Relation::Other(now) => self.sink.finding(fork(item, &kept, now)),
            Relation::NotPassed => self.end_not_passed(item, &kept, &object).await,
        }
    }

    /// The log that is here begins with the tree that was kept.
    fn say_extends(&mut self, item: impl Fn(Kind, String) -> Item, kept: &Kept) {
        let (size, root) = (kept.checkpoint.checkpoint.size.0, kept.checkpoint.checkpoint.root);
        let covers = match self.first_walked {
            0 => "no seal that it covers was removed or changed since.".to_owned(),
            from if from < size => format!("of the seals that it covers, none from {from} on was removed or changed since."),
            _ => "what was sealed behind it goes on from there.".to_owned(),
        };
        let mut meaning = format!(
            "The checkpoint that you kept is signed by the log's key, and its tree is the beginning of the log that is here: {covers}"
        );
        if self.covered.is_some() && (1..=size).contains(&self.from) {
            self.resumed = Some(self.from);
        }
        if self.resumed.is_some() && self.options.resume {
            meaning.push_str(&format!(
                " What seals before {} name was not read again: that it is there, and as signed, rests on the earlier verification.",
                self.from
            ));
        } else if self.from > 0 {
            meaning.push_str(&format!(" What the seals before {} name was not read.", self.from));
        }
        self.extends = Some(size);
        let tree = self.expected.max(size);
        let least = if self.beyond { "at least " } else { "" };
        let found = format!("the same root over its first {size} seals, of {least}{tree}");
        let expected = format!("a log of at least {size} seals with root {root}");
        self.sink.note(item(Kind::Extends, meaning).expected(expected).found(found).intact());
    }

    /// No seal of the walk tells the tree of the kept size: the log ends before it, or what stands at its place does not stand.
    async fn end_not_passed(&mut self, item: impl Fn(Kind, String) -> Item, kept: &Kept, object: &str) {
        let (size, place) = (kept.checkpoint.checkpoint.size.0, kept.last());
        match self.scene.store.versions(&seal_key(self.scene.log, size.saturating_sub(1))).await {
            Ok(versions) if self.expected < size && versions.iter().all(|version| version.is_delete_marker) => {
                let meaning = format!(
                    "The log's key signed a tree of {size} seals, as the checkpoint that you kept shows, and now the log ends before: its \
                     end was cut off, or an old copy was put in its place. Restore from a copy and find out who could delete seals."
                );
                let item = item(Kind::Rollback, meaning).expected(format!("at least {size} seals")).found(self.end_of_log());
                self.sink.finding(item.lost());
            }
            Ok(_) => {
                let why = "the checkpoint that you kept: the seals at its place were not reached, or do not stand";
                self.sink.unchecked(object, place, why);
            }
            Err(error) => self.sink.unchecked(object, place, error),
        }
    }
}

/// How a kept checkpoint and the log that is here stand to each other.
enum Relation {
    /// It is not known whose the checkpoint is.
    Unknown,
    /// Its key could not sign that tree any more: the seal that announced the next one.
    Left(u64),
    /// None of the log's keys, which these are, signed it.
    Unsigned(Vec<VerifierKey>),
    /// It is of no seal.
    Empty,
    /// Its tree is the beginning of the log.
    Beginning,
    /// The log has another tree of its size, with this root.
    Other(RootHash),
    /// The walk met no tree of its size.
    NotPassed,
}

/// Not a rollback or a fork by itself: whoever has that key by now could have made this file, and had it handed to the auditor.
fn left(item: impl Fn(Kind, String) -> Item, kept: &Kept, until: u64) -> Item {
    let meaning = format!(
        "The checkpoint that you kept is of a tree that its key could not sign any more: seal {until} of the log that is here announced \
         another key. If the log gave you this file itself, its history was rewritten since with that older key, and the file proves it: \
         keep it, and ask the operator. If anybody else could have given it to you, somebody has the older key, and it proves nothing."
    );
    let expected = format!("a tree of at most {} seals, or a newer key's signature", until.saturating_add(1));
    item(Kind::KeptCheckpoint, meaning).expected(expected).found(format!("a tree of {} seals", kept.checkpoint.checkpoint.size.0))
}

fn unsigned(item: impl Fn(Kind, String) -> Item, kept: &Kept, keys: &[VerifierKey]) -> Item {
    // The newest key: that of the log as it is.
    let why = keys.last().map(|key| match kept.checkpoint.note.verify(key) {
        Err(NoteError::Unsigned(name)) => format!("no signature by a key of `{name}`"),
        Err(error) => error.to_string(),
        Ok(()) => format!("signed, but with the origin `{}`", kept.checkpoint.checkpoint.origin),
    });
    let meaning = "No key of the log that is here signed the checkpoint that you kept. Either the file is not what the log gave you, or this is \
                   another log in its place, under another key, or the seal that announced its key is gone. Compare the log's key with the one \
                   that you were given.";
    let expected = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    item(Kind::KeptCheckpoint, meaning.to_owned()).expected(format!("a signature by {expected}")).found(why.unwrap_or_default())
}

fn fork(item: impl Fn(Kind, String) -> Item, kept: &Kept, now: RootHash) -> Item {
    let Checkpoint { size, root, .. } = &kept.checkpoint.checkpoint;
    let meaning = format!(
        "The log's key signed another tree of {} seals than the one that is here: its history was rewritten since you kept the checkpoint, or \
         you were shown another log then. Your checkpoint proves it: keep it, and ask the operator.",
        size.0
    );
    let item = item(Kind::Fork, meaning).expected(format!("root {root}, as in the checkpoint that you kept"));
    item.found(format!("root {now}")).lost()
}
