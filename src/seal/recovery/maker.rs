//! Whose log it is: whether this key may continue it or make it, and the making of it.
//!
//! "A key signs for one log in one store ... A log is never continued in another or a restored store" (`store.md`). What the key's file
//! remembers of its store is [`Binding`]; what the store says of its log is the **oldest** version of `log.json`.

use bytes::Bytes;

use super::super::chain::versions_with_bytes;
use super::super::keys::{Binding, LogKey, LogKeys};
use super::super::lineage::Lineage;
use super::{KeyTurn, OpenError, Opening, refused};
use crate::tlog::seal_file::LogFile;
use crate::worm::{Condition, Locks, ObjectKey, PutError, ReadError, SMALL_BYTES_MAX, Version, ensure_locked, log_key, put_locked};

impl Opening<'_> {
    /// The version of `log.json` that counts.
    pub(super) async fn oldest_log_file(&self) -> Result<Option<(Version, Bytes)>, ReadError> {
        Ok(versions_with_bytes(self.store.as_ref(), &log_key(self.log), SMALL_BYTES_MAX).await?.into_iter().next())
    }

    /// Whether a key's file means this store. Files from before the endpoint of a bucket was written down have the URL alone: they are
    /// taken at that word, once, and completed ([`bind`](Self::bind)).
    fn is_here(&self, store: &str) -> bool {
        store == self.store.address() || store == self.store.describe()
    }

    /// Whether `log.json` is that of this key's log, and this store the one that the key belongs to.
    pub(super) fn judge_log_file(&self, bytes: &[u8]) -> Result<LogFile, OpenError> {
        let here = self.store.address();
        let file = match LogFile::parse(bytes) {
            Ok(file) => file,
            Err(e) => return refused(format!("`{}/log.json` in {here} is not a log's: {e}. Take another `log.name`", self.log)),
        };
        if file.origin != self.keys.key.origin() {
            return refused(format!(
                "the log `{}` in {here} is `{}`, but the key signs for `{}`: use its own key, or another `log.name`",
                self.log,
                file.origin,
                self.keys.key.origin()
            ));
        }
        if let Binding::Bound(store) | Binding::Creating(store) = self.keys.key.binding()
            && !self.is_here(store)
        {
            return refused(format!(
                "the key of `{}` belongs to the log in {store}, not to this copy in {here}: a log is never continued in another or a \
                 restored store. Start a new log (new `log.name` and key) here; the old one stays verifiable as it is{}",
                file.origin,
                self.if_only_renamed(store)
            ));
        }
        Ok(file)
    }

    /// What the operator of the same bucket under a new address can do. Nothing in a store tells it from a copy, so it is his word: an edit
    /// of the key's file, after which the newest seal that the key is known to have signed must still be there.
    fn if_only_renamed(&self, store: &str) -> String {
        let same_bucket = store.strip_prefix(&self.store.describe()).is_some_and(|rest| rest.starts_with(" at "));
        let (true, Some(path), Some(line)) = (same_bucket, self.keys.key.path(), self.keys.key.binding().line()) else {
            return String::new();
        };
        format!(
            ". If this is that very store, not a copy of it, and only its address is new, say so: change the line `{line}` of \
             `{}` to `log: bound {}`",
            path.display(),
            self.store.address()
        )
    }

    /// A log that exists is continued by the key that made it, or by the one that its seals lead to from there. Another key of the same
    /// origin would see none of its seals as the log, and begin a second log in further versions of the same keys.
    pub(super) fn judge_keys(&self, file: &LogFile, lineage: &Lineage) -> Result<KeyTurn, OpenError> {
        let LogKeys { key, next } = &*self.keys;
        let (own, current) = (key.verifier(), lineage.current());
        if lineage.keys().all(|known| known != own) {
            return refused(format!(
                "the log `{}` in {} was made with another key ({}) than this one ({own}), and no seal of it announced this one: bring the \
                 right key file back, or start a new log with a new `log.name`",
                file.origin,
                self.store.describe(),
                file.vkey,
            ));
        }
        let Some(next) = next else {
            return match lineage.end_of(own) {
                None => Ok(KeyTurn::Key),
                Some(seal) => refused(format!(
                    "seal {seal} of the log `{}` in {} announced that {current} signs from then on, and `log.key_file` holds the key that signed \
                     until then ({own}), which signs nothing any more: let `log.key_file` name the file of that key (the one that \
                     `log.next_key_file` named)",
                    file.origin,
                    self.store.describe()
                )),
            };
        };
        self.judge_next(next)?;
        let successor = next.verifier();
        if successor == current && own != current {
            return Ok(KeyTurn::Next);
        }
        if let Some(seal) = lineage.end_of(successor) {
            return refused(format!(
                "`log.next_key_file` holds a key that the log `{}` has left: {successor} signed until seal {seal}, and a log never comes back to \
                 a key. Make a new one with `spanseal keygen --next`, or remove `log.next_key_file`",
                file.origin
            ));
        }
        match lineage.end_of(own) {
            None => Ok(KeyTurn::Announces),
            Some(seal) => refused(format!(
                "`log.key_file` holds a key that the log `{}` has left: {own} signed until seal {seal}, and {current} signs since. Let \
                 `log.key_file` name the file of that key; then the log can go on to the one in `log.next_key_file`",
                file.origin
            )),
        }
    }

    /// Whether a key may follow in this log: one of the same origin that belongs to no other store.
    fn judge_next(&self, next: &LogKey) -> Result<(), OpenError> {
        next.expect_origin(self.keys.key.origin())?;
        if next.verifier() == self.keys.key.verifier() {
            return refused("`log.next_key_file` holds the very key of `log.key_file`; make another with `spanseal keygen --next`");
        }
        match next.binding() {
            Binding::Bound(store) | Binding::Creating(store) if !self.is_here(store) => refused(format!(
                "the key in `log.next_key_file` belongs to the log in {store}, not to the one in {}: a key signs for one log in one store. \
                 Make another with `spanseal keygen --next`",
                self.store.address()
            )),
            _ => Ok(()),
        }
    }

    /// Which key signs the first seal of a log.
    pub(super) fn turn_of_new(&self) -> KeyTurn {
        if self.keys.next.is_some() { KeyTurn::Announces } else { KeyTurn::Key }
    }

    /// Whether this key may make the log that is not there.
    pub(super) fn judge_creation(&self) -> Result<(), OpenError> {
        let (here, key) = (self.store.address(), log_key(self.log));
        if let Some(next) = &self.keys.next {
            self.judge_next(next)?;
        }
        match self.keys.key.binding() {
            Binding::Bound(store) => refused(format!(
                "the key already belongs to the log in {store}, and there is no `{key}` in {here}: was the store emptied, or does \
                 `store.url` point elsewhere? A key signs for one log in one store; for a new log take a new `log.key_file` and `log.name`"
            )),
            Binding::Creating(store) if !self.is_here(store) => {
                refused(format!("the key was about to make a log in {store}, not in {here}; take a new `log.key_file`"))
            }
            Binding::Creating(_) | Binding::Fresh => Ok(()),
        }
    }

    /// Makes the log. The put alone does not: where create-only is ignored, two processes that start at once both get a 200, and the one
    /// whose `log.json` is the oldest version has made it.
    pub(super) async fn create(&mut self, key: &ObjectKey) -> Result<Bytes, OpenError> {
        let now = self.clock.now().ceil_seconds();
        let file = LogFile { origin: self.keys.key.origin().to_owned(), vkey: self.keys.key.verifier().clone(), created: now };
        let bytes = Bytes::from(file.to_bytes());
        self.keys.key.bind(Binding::Creating(self.store.address()))?;
        let lock = self.classes.evidence_lock(now, []);
        let doubt = match put_locked(self.store.as_ref(), key, bytes.clone(), lock).await {
            Ok(_) => None,
            Err(e @ (PutError::Exists { .. } | PutError::Unknown { .. })) => Some(e),
            Err(e) => return Err(e.into()),
        };
        match (self.oldest_log_file().await?, doubt) {
            (Some((_, oldest)), None) if oldest == bytes => {}
            (Some((version, oldest)), Some(_)) if oldest == bytes => {
                ensure_locked(self.store.as_ref(), key, version.id.as_ref(), lock).await?;
            }
            (None, Some(e)) => return Err(e.into()),
            (None, None) => return refused(format!("`{key}` was put, and {} does not list it; look at the store", self.store.describe())),
            (Some(_), _) => {
                return refused(format!(
                    "the log `{}` in {} was made by another process at the same time; this one has signed nothing. Run one writer a log; \
                     for a log of its own, this one needs another `log.name` and `log.key_file`",
                    self.log,
                    self.store.describe()
                ));
            }
        }
        tracing::info!(log = self.log, origin = self.keys.key.origin(), "log.created");
        Ok(bytes)
    }

    /// Puts `log.json` once more, create-only and with the same bytes: 412 means that the condition holds; a 200 that it is ignored
    /// and that an equal, equally locked version more lies there. A probing object of its own would break the rule that `serve`
    /// leaves nothing unlocked below a log.
    pub(super) async fn ignores_create_only(&self, key: &ObjectKey, bytes: Bytes) -> Result<bool, OpenError> {
        let lock = (self.store.locks() == Locks::Enforced).then(|| self.classes.evidence_lock(self.clock.now().ceil_seconds(), []));
        match self.store.put(key, bytes, Condition::CreateOnly, lock).await {
            Ok(_) => Ok(true),
            Err(PutError::Exists { .. }) => Ok(false),
            // Not known: the careful way is right on every store.
            Err(PutError::Unknown { .. }) if self.store.versioned() => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    /// Ties the keys to this store, durably, before anything is signed: from now on they continue this log and make no other.
    pub(super) fn bind(&mut self) -> Result<(), OpenError> {
        let here = self.store.address();
        let LogKeys { key, next } = &mut *self.keys;
        for key in std::iter::once(key).chain(next) {
            match key.binding() {
                Binding::Bound(store) if *store == here => continue,
                Binding::Bound(store) => tracing::info!(from = store, to = here, "key.address.completed"),
                Binding::Creating(_) | Binding::Fresh => {}
            }
            key.bind(Binding::Bound(here.clone()))?;
        }
        Ok(())
    }
}
