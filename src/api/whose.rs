//! Which log in which store a process writes, or an asker means.
//!
//! The vault key alone does not say that: a copy of a store has the vault key of the store, and two logs may share one.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::tlog::Hash;
use crate::vault::resolved;
use crate::worm::{ReadError, SMALL_BYTES_MAX, WormStore, log_key, read_versions};

/// A log in a store. Equal where it is the same one; the same store that is reached by two addresses may be two.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Whose {
    /// `log.name`
    pub log: String,
    /// `log.origin`
    pub origin: String,
    /// [`WormStore::address`]; of a folder the path as it is on the disk, links followed.
    pub store: String,
    /// SHA-256 of the log's `log.json`, its oldest version: one machine's folder may have the path of another's.
    pub made: String,
}

impl Whose {
    /// Looks into the store; `None`: there is no such log.
    pub async fn of(store: &dyn WormStore, log: &str, origin: &str) -> Result<Option<Self>, ReadError> {
        let listed = store.versions(&log_key(log)).await?;
        let Some((_, bytes)) = read_versions(store, &listed, SMALL_BYTES_MAX, 1).await?.into_iter().next() else { return Ok(None) };
        let address = store.address();
        let folder = address.strip_prefix("file://").map(|path| format!("file://{}", resolved(Path::new(path)).display()));
        Ok(Some(Whose {
            log: log.to_owned(),
            origin: origin.to_owned(),
            store: folder.unwrap_or(address),
            made: Hash::of(&bytes).to_string(),
        }))
    }

    /// What proofs are bound to.
    pub(super) fn digest(&self) -> [u8; 32] {
        let Whose { log, origin, store, made } = self;
        // Lengths first, so that nothing of one can be taken for another's.
        let texts = [log, origin, store, made].map(|text| format!("{} {text}\n", text.len()));
        Hash::of(texts.concat().as_bytes()).0
    }

    /// What to do for whoever means this one and has met `other`.
    pub fn what_now(&self, other: &Whose) -> &'static str {
        match self.made == other.made && self.log == other.log && self.origin == other.origin {
            true => {
                "both begin alike, so one is a copy of the other, or they are one store by two addresses: for the one that is served give \
                 `store.url` as that `serve` has it, and for a copy another `api.endpoint`"
            }
            false => "give the configuration of the log that is meant, with the `api.endpoint` of its own `serve`",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log `{}` (origin `{}`) in {}", self.log, self.origin, self.store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worm::local::{LocalOptions, LocalStore};
    use crate::worm::{Condition, WormStore};

    /// Scenario: one folder by several spellings, a copy of it, and another log beside. Guarantee: the spellings are the same, nothing else is.
    #[tokio::test]
    async fn a_store_is_known_by_whatever_way_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |rest: &str| LocalStore::open(folder.path().join(rest), LocalOptions::default()).unwrap();
        for (store, log, text) in [("store", "audit", "one"), ("copy", "audit", "one"), ("store", "other", "two")] {
            let put = at(store).put(&log_key(log), text.as_bytes().into(), Condition::CreateOnly, None).await;
            assert!(put.is_ok(), "{put:?}");
        }
        std::os::unix::fs::symlink(folder.path().join("store"), folder.path().join("link")).unwrap();
        let whose = async |rest: &str, log: &str| Whose::of(&at(rest), log, "example.com/audit").await.unwrap().unwrap();
        let meant = whose("store", "audit").await;
        for same in ["store/", "./store", "copy/../store", "link", "store/."] {
            assert_eq!(whose(same, "audit").await, meant, "{same}");
        }
        let (copy, other) = (whose("copy", "audit").await, whose("store", "other").await);
        let elsewhere = Whose { made: other.made.clone(), ..meant.clone() };
        for (found, advice) in [(&copy, "a copy of the other"), (&other, "the log that is meant"), (&elsewhere, "the log that is meant")] {
            assert!(*found != meant && found.digest() != meant.digest() && meant.what_now(found).contains(advice), "{found}");
        }
        assert_eq!(Whose::of(&at("store"), "none", "x").await.unwrap(), None);
        // Nothing slips from one member into the next.
        let cut = |log: &str, origin: &str| Whose { log: log.into(), origin: origin.into(), ..meant.clone() }.digest();
        assert_ne!(cut("ab", "c"), cut("a", "bc"));
    }
}
