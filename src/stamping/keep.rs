//! Tokens in the store: one object a token, create-only, under the evidence lock.

use bytes::Bytes;

use super::{LATE_MAX_SECONDS, Newest, Task};
use crate::seal::retried;
use crate::timestamp::{TOKEN_BYTES_MAX, verify};
use crate::tlog::Hash;
use crate::tlog::seal_file::SealFile;
use crate::worm::{
    ObjectKey, PutError, ReadError, SEAL_BYTES_MAX, VERSIONS_READ_MAX, below, ensure_locked, parse_timestamp_name, put_locked,
    read_versions, seal_key, timestamp_name,
};

/// Tries of one put before the attempt fails; the next token is another one.
const PUT_TRIES: u32 = 3;

impl Task {
    /// Stores a token. The name is that of the bytes, so putting them again is harmless.
    pub(super) async fn keep(&self, index: u64, token: Bytes) -> Result<(), PutError> {
        let store = self.parts.store.as_ref();
        let key = below(&self.parts.log, &timestamp_name(index, &Hash::of(&token).to_string()));
        // KNOWN GAP: where the configuration was changed to shorter periods since, older seals that this is the first to cover keep longer.
        let lock = self.parts.classes.evidence_lock(self.now(), []);
        let mut tries = 0;
        loop {
            tries += 1;
            match put_locked(store, &key, token.clone(), lock).await {
                Ok(_) => return Ok(()),
                Err(PutError::Exists { .. }) => {
                    // An earlier attempt of ours, or somebody's: its bytes tell.
                    let unread = |e: ReadError| PutError::Unknown { key: key.clone(), reason: e.to_string() };
                    let listed = retried(|| store.versions(&key)).await.map_err(unread)?;
                    let limit = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX);
                    let stored = retried(|| read_versions(store, &listed, limit, VERSIONS_READ_MAX)).await.map_err(unread)?;
                    return match stored.into_iter().find(|(_, bytes)| *bytes == token) {
                        Some((version, _)) => ensure_locked(store, &key, version.id.as_ref(), lock).await,
                        None => Err(PutError::Refused { key, reason: "something else stands there; run `spanseal verify`".to_owned() }),
                    };
                }
                Err(e) if e.is_retryable() && tries < PUT_TRIES => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The newest stamped checkpoint in the store, as far as it holds: what is there may be anybody's who can write there. A token counts that a
    /// configured authority made over the checkpoint of a seal that the log signed, and whose date has come.
    pub(super) async fn newest_stored(&self) -> Result<Option<Newest>, ReadError> {
        let (roots, status) = (self.roots(), self.parts.status.borrow().clone());
        let latest = self.now().0.saturating_add(LATE_MAX_SECONDS);
        let mut before = status.tree_size;
        for _ in 0..FOLDERS_MAX {
            let Some(index) = self.newest_index(before).await? else { return Ok(None) };
            let up_to = index.saturating_add(1);
            // The newest one is known from the writer itself.
            let own = (up_to == status.tree_size).then(|| Hash::of(status.checkpoint.as_bytes()));
            let seals = if own.is_some() { Vec::new() } else { self.seals(index).await? };
            let is_own = |seal: &&SealFile| seal.statement.index == index && self.parts.keys.iter().any(|key| seal.open(key).is_ok());
            let signed = seals.iter().filter(is_own).map(|seal| Hash::of(seal.checkpoint.as_bytes()));
            let checkpoints: Vec<Hash> = own.into_iter().chain(signed).collect();
            let mut newest = None;
            for (_, bytes) in self.tokens(index).await? {
                let stamps = checkpoints.iter().filter_map(|over| verify(&bytes, *over, &roots).ok());
                let held = stamps.filter(|stamp| stamp.is_trusted()).map(|stamp| stamp.at.ceil_seconds()).filter(|at| at.0 <= latest);
                newest = newest.max(held.max());
            }
            if let Some(at) = newest {
                return Ok(Some(Newest { up_to, at }));
            }
            tracing::warn!(seal = index, advice = "run `spanseal verify` with --tsa-roots", "timestamps.unbelieved");
            before = index;
        }
        // Not knowing costs one token too many.
        Ok(None)
    }

    /// What is stored of a seal, anybody's.
    pub(super) async fn seals(&self, index: u64) -> Result<Vec<SealFile>, ReadError> {
        let (store, key) = (self.parts.store.as_ref(), seal_key(&self.parts.log, index));
        let listed = retried(|| store.versions(&key)).await?;
        let read = retried(|| read_versions(store, &listed, SEAL_BYTES_MAX, VERSIONS_READ_MAX)).await?;
        Ok(read.iter().filter_map(|(_, bytes)| SealFile::parse(bytes).ok()).collect())
    }

    /// The tokens in a seal's folder, by their SHA-256.
    pub(super) async fn tokens(&self, index: u64) -> Result<Vec<(Hash, Bytes)>, ReadError> {
        let store = self.parts.store.as_ref();
        let prefix = format!("{}/timestamps/{index:020}/", self.parts.log);
        let listed = retried(|| store.list(&prefix, None, FOLDER_MAX)).await?;
        let mut found = Vec::new();
        for version in listed.iter().filter(|v| !v.is_delete_marker && self.index_of(&v.key).is_some()).take(FOLDER_MAX) {
            let limit = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX);
            match retried(|| store.get(&version.key, version.id.as_ref(), limit)).await {
                Ok(Some(bytes)) => found.push((Hash::of(&bytes), bytes)),
                Ok(None) | Err(ReadError::TooLarge { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }

    /// The largest seal index below `before` that has time stamps, by halves: a listing goes forward only.
    async fn newest_index(&self, before: u64) -> Result<Option<u64>, ReadError> {
        let mut high = before;
        let Some(mut found) = self.index_from(0).await?.filter(|index| *index < high) else { return Ok(None) };
        while found.saturating_add(1) < high {
            let middle = found + (high - found) / 2;
            match self.index_from(middle).await?.filter(|index| *index < high) {
                Some(index) => found = index,
                None => high = middle,
            }
        }
        Ok(Some(found))
    }

    /// The first seal index at or after this one that has time stamps.
    pub(super) async fn index_from(&self, index: u64) -> Result<Option<u64>, ReadError> {
        let store = self.parts.store.as_ref();
        let prefix = format!("{}/timestamps/", self.parts.log);
        let mut after = ObjectKey(format!("{prefix}{index:020}"));
        loop {
            let Some(first) = retried(|| store.list(&prefix, Some(&after), 1)).await?.into_iter().next() else { return Ok(None) };
            if let Some(found) = self.index_of(&first.key) {
                return Ok(Some(found));
            }
            after = first.key;
        }
    }

    fn index_of(&self, key: &ObjectKey) -> Option<u64> {
        let name = key.as_str().strip_prefix(&self.parts.log)?.strip_prefix('/')?;
        parse_timestamp_name(name).map(|(index, _)| index)
    }
}

/// Tokens of one folder that are looked at: two authorities and a renewal of each a year, for decades.
const FOLDER_MAX: usize = 256;
/// Folders that are looked at for the newest token that holds.
const FOLDERS_MAX: usize = 16;
