//! What witnesses said, in the store: one object a witness and checkpoint, create-only, under the evidence lock.

use bytes::Bytes;
use futures::future::join_all;

use super::{Scene, Target};
use crate::clock::UnixSeconds;
use crate::seal::retried;
use crate::tlog::Hash;
use crate::tlog::note::{SignatureLine, UnverifiedCheckpoint};
use crate::worm::{
    ObjectKey, PutError, ReadError, SMALL_BYTES_MAX, VERSIONS_READ_MAX, below, cosignature_name, ensure_locked, parse_cosignature_name,
    put_locked, read_versions,
};

/// Tries of one put before the attempt fails; the witness then gives the same again.
const PUT_TRIES: u32 = 3;
/// Folders that are looked at for what each witness said last.
const FOLDERS_MAX: usize = 4;

impl Scene {
    /// Stores one line. The name is that of the bytes, so putting them again is harmless.
    pub(super) async fn keep(&self, target: &Target, line: &SignatureLine) -> Result<(), PutError> {
        let body = Bytes::from(format!("{}\n{line}", target.text));
        let key = below(&self.log, &cosignature_name(target.size.0.saturating_sub(1), &Hash::of(&body).to_string()));
        // KNOWN GAP: where the configuration was changed to shorter periods since, older seals that this is the first to cover keep longer.
        let now = UnixSeconds(self.clock.now().ceil_seconds().0.saturating_add(self.store.clock_skew_seconds().unwrap_or(0).max(0)));
        let lock = self.classes.evidence_lock(now, []);
        let mut tries = 0;
        loop {
            tries += 1;
            match put_locked(self.store.as_ref(), &key, body.clone(), lock).await {
                Ok(_) => return Ok(()),
                Err(PutError::Exists { .. }) => {
                    // An earlier attempt of ours, or somebody's: its bytes tell.
                    if let Some(version) = self.own_version(&key, &body).await? {
                        return ensure_locked(self.store.as_ref(), &key, version.as_ref(), lock).await;
                    }
                    return Err(PutError::Refused { key, reason: "something else stands there; run `spanseal verify`".to_owned() });
                }
                Err(e) if e.is_retryable() && tries < PUT_TRIES => {}
                Err(e) => return Err(e),
            }
        }
    }

    async fn own_version(&self, key: &ObjectKey, body: &Bytes) -> Result<Option<Option<crate::worm::VersionId>>, PutError> {
        let unread = |e: ReadError| PutError::Unknown { key: key.clone(), reason: e.to_string() };
        let versions = self.versions(key).await.map_err(unread)?;
        Ok(versions.into_iter().find(|(_, bytes)| bytes == body).map(|(version, _)| version.id))
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<(crate::worm::Version, Bytes)>, ReadError> {
        let listed = retried(|| self.store.versions(key)).await?;
        retried(|| read_versions(self.store.as_ref(), &listed, SMALL_BYTES_MAX, VERSIONS_READ_MAX)).await
    }

    /// Sets the figures to what earlier processes have stored. It is a figure only: what the witness has, the witness tells.
    pub(super) async fn remember(&self) {
        let mut before = u64::MAX;
        for _ in 0..FOLDERS_MAX {
            let found = match self.newest_before(before).await {
                Ok(Some(found)) => found,
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "cosignatures.unread"),
            };
            let notes = match self.notes(found).await {
                Ok(notes) => notes,
                Err(error) => return tracing::warn!(%error, "cosignatures.unread"),
            };
            for UnverifiedCheckpoint { note, checkpoint } in notes {
                let ours = checkpoint.origin == self.key.name() && checkpoint.size.0.checked_sub(1) == Some(found);
                for (nth, key) in self.figures.keys().enumerate().filter(|_| ours) {
                    if let Ok(Some(at)) = key.cosigned(&note) {
                        self.figures.reached(nth, checkpoint.size, at);
                    }
                }
            }
            if self.figures.all_reached() {
                return;
            }
            before = found;
        }
    }

    /// The largest seal index below `before` that has cosignatures, by halves: a listing goes forward only.
    async fn newest_before(&self, before: u64) -> Result<Option<u64>, ReadError> {
        let mut found = None;
        // The first folder at or after `low` that lies before `high`, if any, moves `low` up; none moves `high` down.
        let (mut low, mut high) = (0, before);
        while low < high {
            let middle = if found.is_none() && low == 0 { 0 } else { low + (high - low) / 2 };
            match self.first_from(middle).await?.filter(|index| *index < high) {
                Some(index) => {
                    found = Some(index);
                    low = index.saturating_add(1);
                }
                None if middle == 0 => return Ok(None),
                None => high = middle,
            }
        }
        Ok(found)
    }

    /// The first seal index at or after this one that has cosignatures.
    async fn first_from(&self, index: u64) -> Result<Option<u64>, ReadError> {
        let prefix = format!("{}/cosignatures/", self.log);
        let mut after = ObjectKey(format!("{prefix}{index:020}"));
        loop {
            let listed = retried(|| self.store.list(&prefix, Some(&after), 1)).await?;
            let Some(first) = listed.into_iter().next() else { return Ok(None) };
            let name = first.key.as_str().strip_prefix(&self.log).and_then(|rest| rest.strip_prefix('/')).and_then(parse_cosignature_name);
            if let Some((found, _)) = name {
                return Ok(Some(found));
            }
            after = first.key;
        }
    }

    /// The notes of one seal, nobody's signature verified.
    async fn notes(&self, index: u64) -> Result<Vec<UnverifiedCheckpoint>, ReadError> {
        let prefix = format!("{}/cosignatures/{index:020}/", self.log);
        let listed = retried(|| self.store.list(&prefix, None, 64)).await?;
        let mut keys: Vec<ObjectKey> = listed.into_iter().map(|v| v.key).collect();
        keys.dedup();
        let read = join_all(keys.iter().map(|key| self.versions(key))).await;
        let bodies = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().and_then(|text| UnverifiedCheckpoint::parse(text).ok());
        Ok(bodies.iter().flatten().filter_map(|(_, bytes)| text(bytes)).collect())
    }
}
