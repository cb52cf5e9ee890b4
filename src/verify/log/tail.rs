//! Where the log ends. What lies behind the last seal that stands is a gap if a seal of the log follows, or if a key of the log signed a tree
//! that reaches as far; else anybody could have put it there, and it says nothing about the log.

use super::{AHEAD_MAX_SECONDS, Walk, seal_object};
use crate::clock::UnixSeconds;
use crate::tlog::note::UnverifiedCheckpoint;
use crate::verify::Bound;
use crate::verify::chain::{Signer, fetch, missing};
use crate::verify::completeness::GapKind;
use crate::verify::listing::Group;
use crate::verify::report::{Item, Kind, Sink};
use crate::worm::{ReadError, seal_key};

/// Objects behind the end of the log that are looked at. An intruder may plant millions, and a store may list what it makes up.
const TAIL_MAX: u64 = 10_000;

/// Keys of seals behind the last one that stands, until it is known what they are.
#[derive(Default)]
pub(super) struct Tail {
    /// What is found if they are a gap.
    gap: Sink,
    /// How many seals that gap has, its first and its last.
    seals: Option<(u64, u64, u64)>,
    /// Objects that no key of the log signed, and that are no seals of a stranger and no mere markers: the first, the last, how many, and what the first is.
    foreign: Option<(u64, u64, u64, Option<String>)>,
    /// All of them.
    objects: u64,
}

impl Tail {
    pub(super) fn is_empty(&self) -> bool {
        self.seals.is_none()
    }

    fn count(&mut self, first: u64, last: u64) {
        let more = last.saturating_sub(first).saturating_add(1);
        let (seals, from, to) = self.seals.unwrap_or((0, first, last));
        self.seals = Some((seals.saturating_add(more), from.min(first), to.max(last)));
    }

    /// Seals that are not listed.
    pub(super) fn missing(&mut self, first: u64, last: u64) {
        self.count(first, last);
        self.gap.finding(missing(&seal_object(first), first, last).found("nothing"));
    }

    /// A key that holds no seal of the log. `is_said`: besides these nothing has to be said of it.
    pub(super) fn push(&mut self, index: u64, found: Sink, is_said: bool) {
        self.count(index, index);
        self.objects += 1;
        if !is_said {
            let why = || found.first_found().map(str::to_owned);
            let (_, last, objects, _) = self.foreign.get_or_insert_with(|| (index, index, 0, why()));
            (*last, *objects) = (index, *objects + 1);
        }
        self.gap.merge(found);
    }

    /// Whether no more are looked at.
    pub(super) fn is_full(&self) -> bool {
        self.objects >= TAIL_MAX
    }
}

/// What lies behind the last seal that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing.
    End,
    /// The log went on while it was read.
    Grown,
    /// Seals that the store does not list.
    Hidden,
    /// What a checkpoint names, or the next seal, and it could not be read.
    Unread,
}

impl Behind {
    /// What is said of objects that belong to seals there.
    pub(super) fn meaning(self, what: &str) -> String {
        let why = match self {
            Behind::Hidden => "The store's listing of seals stops before what the log's key signed.",
            Behind::Unread => "What lies behind the last seal that was listed could not be read.",
            Behind::End | Behind::Grown => "The log went on while it was read.",
        };
        format!("{why} {what}")
    }
}

impl Walk<'_> {
    /// Whose signature a checkpoint bears. While no seal of the auditor's key is known, the keys that were given may have signed it too.
    pub(super) fn signer_of(&self, read: &UnverifiedCheckpoint) -> Signer {
        match self.chain.signer_of(read) {
            Signer::Nobody if self.may_be_given() && self.given_keys().any(|key| read.is_signed_by(key)) => Signer::Own,
            signer => signer,
        }
    }

    /// Whether keys count that no seal which was read has shown to be the log's.
    pub(super) fn may_be_given(&self) -> bool {
        self.beyond || !self.chain.is_anchored()
    }

    /// Size of the largest tree that a key of the log signed, as the checkpoints show that were read before any seal.
    pub(super) fn signed_size(&self) -> u64 {
        let read = [self.published.as_ref().map(|p| &p.read), self.kept.as_ref().map(|k| &k.checkpoint)];
        let own = read.into_iter().flatten().filter(|read| self.signer_of(read) == Signer::Own);
        own.map(|read| read.checkpoint.size.0).max().unwrap_or(0)
    }

    /// What lay behind the last seal was a gap.
    pub(super) fn end_gap(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        let Some((seals, first, last)) = tail.seals else { return };
        self.sink.merge_findings(tail.gap);
        self.tally.gap(GapKind::SealMissing, seals, Some((first, last)));
        self.tiles = None;
    }

    /// Behind the last seal of the listing: says what lies beyond the end, and whether the listing is whole.
    pub(super) async fn end_seals(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if self.stopped || self.beyond || !self.walked {
            return;
        }
        let end = self.expected.checked_sub(1).map_or_else(|| "no seal".to_owned(), |newest| format!("newest seal {newest}"));
        let expected = format!("nothing behind the end of the log ({end})");
        if let Some((first, last, objects, why)) = &tail.foreign {
            let meaning = "What lies here is behind the end of the log, and no key of the log signed it. Anybody who can write here could have put \
                           it; or the newest seals were changed and the published checkpoint taken back. It holds no records of the log. Find out \
                           who can write here, and compare with a checkpoint kept elsewhere.";
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let found = if *objects == 1 { format!("1 object{why}") } else { format!("{objects} objects, the last at seal {last}{why}") };
            let item = Item::new(Kind::SealForeign, seal_object(*first), meaning).seal(*first);
            self.sink.finding(item.expected(expected).found(found).intact());
        }
        if tail.is_full() {
            self.sink.unchecked(
                "seals/",
                None,
                "more objects lie behind the end of the log than are looked at; remove those that are no seals",
            );
        }
        let asked_beyond = matches!(self.options.to, Some(Bound::Seal(to)) if self.expected > to);
        self.named = self.signed_size();
        if let Some(named) = self.named.checked_sub(1).filter(|named| *named >= self.expected) {
            match self.stands(named).await {
                Err(error) => {
                    self.behind = Some(Behind::Unread);
                    self.sink.unchecked(&seal_object(named), Some(named), error);
                }
                Ok(false) => {}
                Ok(true) => {
                    self.behind = Some(Behind::Hidden);
                    // Nothing is claimed beyond what was asked for.
                    if asked_beyond {
                        return;
                    }
                    let first = self.expected;
                    let why = format!(
                        "seal {named} is there when it is asked for by its name, and a checkpoint that was read before names it, but the store's \
                         listing of seals ends before seal {first}: the listing hides seals {first} to {named}, and they were not looked at"
                    );
                    let item = Item::unchecked(&seal_object(named), Some(named), why);
                    self.sink.unchecked_item(item.expected(format!("a listing up to seal {named}")).found(end));
                }
            }
        }
        if self.behind.is_none() && !asked_beyond {
            self.expect_listed().await;
        }
    }

    /// A seal that stands behind the last one of the listing came since, or the listing leaves it out: then it is older than this look.
    async fn expect_listed(&mut self) {
        let first = self.expected;
        let sealed_at = match self.standing(first).await {
            Err(error) => {
                self.behind = Some(Behind::Unread);
                return self.sink.unchecked(&seal_object(first), Some(first), error);
            }
            Ok(None) => return,
            Ok(Some(sealed_at)) => sealed_at,
        };
        if sealed_at.0.saturating_add(AHEAD_MAX_SECONDS) >= self.options.now.0 {
            return;
        }
        self.behind = Some(Behind::Hidden);
        let why = format!(
            "seal {first} was made at {sealed_at} and is there when it is asked for by its name, but the store's listing of seals, made later, ends \
             before it: the listing hides seals from {first} on, and they were not looked at"
        );
        let item = Item::unchecked(&seal_object(first), Some(first), why);
        self.sink.unchecked_item(item.expected(format!("a listing that holds seal {first}")).found("a listing that ends before it"));
    }

    /// Whether a seal of this log stands at a place behind those that were followed, whatever the listing says.
    async fn stands(&self, index: u64) -> Result<bool, ReadError> {
        Ok(self.standing(index).await?.is_some())
    }

    /// When it was made, if it does; an error where none stands of the versions that could be read.
    async fn standing(&self, index: u64) -> Result<Option<UnixSeconds>, ReadError> {
        let key = seal_key(self.scene.log, index);
        let versions = self.scene.store.versions(&key).await?;
        let fetched = fetch(self.scene.store, index, Group { key, versions }).await;
        match self.chain.would_stand(&fetched) {
            Some(sealed_at) => Ok(Some(sealed_at)),
            None => fetched.into_unread().map_or(Ok(None), Err),
        }
    }

    /// What lies behind the last seal that was read. Only a seal that follows it shows that the log has grown: other objects may lie there.
    pub(super) async fn behind(&self) -> Result<Behind, ReadError> {
        match (self.beyond, self.behind) {
            (true, _) => Ok(Behind::End),
            (_, Some(behind)) => Ok(behind),
            // What a checkpoint from before names was there before.
            _ if self.named > self.expected => Ok(Behind::End),
            _ => Ok(if self.stands(self.expected).await? { Behind::Grown } else { Behind::End }),
        }
    }
}
