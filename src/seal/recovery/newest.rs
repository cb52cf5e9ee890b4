//! Where the log ends, and which key signs what in it: from the key in `log.json` over every key that a seal announced.
//!
//! Within the seals of one key the newest is found by probing exact keys, exponentially and then by halves; if it announces another key,
//! the search goes on behind it with that one. What else the keys that this process holds tell keeps an older key, should it be in other
//! hands by now, from leading the search astray: it can stop it, which is noticed, but not make it believe anything.

use super::{BEYOND_LIST_MAX, OpenError, Opening, refused};
use crate::seal::chain::{retried, seal_at};
use crate::seal::lineage::Lineage;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::worm::{NOTE_FILE_BYTES_MAX, ReadError, checkpoint_key, parse_seal_name, seal_key};

/// The seals of one key, as far as they are known before they are searched.
struct Reign {
    /// Its first.
    from: u64,
    /// None is behind this one.
    most: u64,
}

impl Opening<'_> {
    /// The log's keys, and its newest seal.
    pub(super) async fn find(&self, first: &VerifierKey) -> Result<(Lineage, Option<SealFile>), OpenError> {
        let published = self.published().await?;
        let mut lineage = Lineage::new(first.clone());
        let mut newest: Option<SealFile> = None;
        while let Some(seal) = self.newest_of_current(&lineage, newest.as_ref(), published.as_ref()).await? {
            let goes_on = seal.statement.next_vkey.is_some();
            lineage.follow(&seal);
            newest = Some(seal);
            if !goes_on {
                break;
            }
        }
        self.expect_published(&lineage, published.as_ref()).await?;
        self.nothing_beyond(&lineage, newest.as_ref().map(|s| s.statement.index)).await?;
        Ok((lineage, newest))
    }

    /// What is published as the log's checkpoint, unverified. It may lag or be anybody's.
    async fn published(&self) -> Result<Option<UnverifiedCheckpoint>, OpenError> {
        let key = checkpoint_key(self.log);
        let note = match retried(|| self.store.get(&key, None, NOTE_FILE_BYTES_MAX)).await {
            Err(ReadError::TooLarge { .. }) => None,
            note => note?,
        };
        let text = note.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        Ok(text.and_then(|text| UnverifiedCheckpoint::parse(&text).ok()))
    }

    /// Refuses a store without what the published checkpoint names, if the key that signs there has signed it. An older key signs nothing
    /// there any more, whoever holds it.
    async fn expect_published(&self, lineage: &Lineage, published: Option<&UnverifiedCheckpoint>) -> Result<(), OpenError> {
        let Some(published) = published else { return Ok(()) };
        let size = published.checkpoint.size.0;
        let Some(last) = size.checked_sub(1).filter(|last| published.is_signed_by(lineage.at(*last))) else { return Ok(()) };
        if self.truth(lineage, last, None).await?.is_some() {
            return Ok(());
        }
        refused(format!(
            "this log has published a checkpoint of {size} seals, but {} does not hold seal {last}: the store has lost or hidden what \
             was committed. Nothing is written on top; run `spanseal verify`",
            self.store.describe()
        ))
    }

    /// The newest seal of the key that comes last in `lineage`, whose seals begin behind `before`. `None`: there is none.
    async fn newest_of_current(
        &self,
        lineage: &Lineage,
        before: Option<&SealFile>,
        published: Option<&UnverifiedCheckpoint>,
    ) -> Result<Option<SealFile>, OpenError> {
        let from = before.map_or(0, |seal| seal.statement.index.saturating_add(1));
        let reign = Reign { from, most: self.most_of(lineage, from)? };
        let hint = published.filter(|note| note.is_signed_by(lineage.current())).and_then(|note| note.checkpoint.size.0.checked_sub(1));
        let Some((mut low, mut high)) = self.bracket(lineage, &reign, hint).await? else { return Ok(None) };
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.is_of_current(lineage, middle, &reign).await? { low = middle } else { high = middle }
        }
        self.settle(lineage, low, before).await
    }

    /// The last seal that the newest key of `lineage` can have signed. Another key of this log that this process holds, and that is not in
    /// `lineage` yet, comes later; it is known to have committed the seal of its mark.
    fn most_of(&self, lineage: &Lineage, from: u64) -> Result<u64, OpenError> {
        let mut most = u64::MAX;
        for key in self.keys.all().filter(|key| lineage.keys().all(|known| known != key.verifier())) {
            most = key.mark()?.map_or(most, |mark| mark.index.max(from).min(most));
        }
        Ok(most)
    }

    /// Whether the newest key of `lineage` signed the seal at `index`, and no key that comes later and that this process holds.
    async fn is_of_current(&self, lineage: &Lineage, index: u64, reign: &Reign) -> Result<bool, OpenError> {
        if index > reign.most {
            return Ok(false);
        }
        let at = self.at(lineage.current(), index, None).await?;
        if at.truth.is_none() || at.others == 0 {
            return Ok(at.truth.is_some());
        }
        for key in self.keys.all().map(|key| key.verifier()).filter(|key| lineage.keys().all(|known| known != *key)) {
            if seal_at(self.store.as_ref(), self.log, index, &Lineage::new(key.clone()), None).await?.truth.is_some() {
                tracing::warn!(index, key = %lineage.current(), advice = "somebody signs with a key that this log has left", "log.fork.seen");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An index that holds a seal of the key and a greater one that does not. `None`: no seal at all.
    async fn bracket(&self, lineage: &Lineage, reign: &Reign, hint: Option<u64>) -> Result<Option<(u64, u64)>, OpenError> {
        let mut low = match hint.filter(|low| *low > reign.from) {
            Some(low) if self.is_of_current(lineage, low, reign).await? => low,
            _ if self.is_of_current(lineage, reign.from, reign).await? => reign.from,
            _ => return Ok(None),
        };
        let mut step = 1_u64;
        loop {
            let probe = low.saturating_add(step);
            if !self.is_of_current(lineage, probe, reign).await? {
                return Ok(Some((low, probe)));
            }
            low = probe;
            step = step.saturating_mul(2);
        }
    }

    /// The truth at `index`, judged against the seal before it: a signed version that does not extend the log is not the log, nor is what a
    /// key signs behind the seal that announced its successor.
    async fn settle(&self, lineage: &Lineage, index: u64, before: Option<&SealFile>) -> Result<Option<SealFile>, OpenError> {
        let Some(previous) = index.checked_sub(1) else { return self.truth(lineage, index, None).await };
        if let Some(before) = before.filter(|before| before.statement.index == previous) {
            return self.truth(lineage, index, Some(before)).await;
        }
        let Some(before) = self.truth(lineage, previous, None).await? else {
            return refused(format!(
                "seal {previous} is missing in {} though seal {index} is there; run `spanseal verify`",
                self.store.describe()
            ));
        };
        match self.truth(lineage, index, Some(&before)).await? {
            Some(seal) if before.statement.next_vkey.is_none() => Ok(Some(seal)),
            // A late put of a displaced writer; the log ends before it.
            _ => Ok(Some(before)),
        }
    }

    /// The end of the log must be its end: a signed seal behind it means a hole.
    async fn nothing_beyond(&self, lineage: &Lineage, newest: Option<u64>) -> Result<(), OpenError> {
        let next = newest.map_or(0, |n| n + 1);
        let after = newest.map(|n| seal_key(self.log, n));
        let prefix = format!("{}/seals/", self.log);
        for version in retried(|| self.store.list(&prefix, after.as_ref(), BEYOND_LIST_MAX)).await? {
            let name = version.key.as_str().strip_prefix(self.log).and_then(|k| k.strip_prefix('/')).unwrap_or_default();
            let Some(index) = parse_seal_name(name).filter(|i| *i > next) else { continue };
            if self.truth(lineage, index, None).await?.is_some() {
                return refused(format!(
                    "seal {index} is in {} though seal {next} is not: the store has lost or hidden what was committed. Nothing is \
                     written on top; run `spanseal verify`",
                    self.store.describe()
                ));
            }
        }
        Ok(())
    }
}
