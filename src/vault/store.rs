//! Where a vault's objects lie: a folder, or a bucket **without** versions and locks, because what is deleted must be gone.
//!
//! # The contract of [`VaultStore`]
//!
//! 1. `put` makes or replaces an object as one step, and it is durable when it answers. The same put may be made again.
//! 2. `delete` removes an object for good, as far as the store knows; an absent one is fine.
//! 3. `list` gives keys in the order of their bytes, only those greater than `after`, at most `limit` and at least one if there is any.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::VaultError;
use super::key::STORED_MAX;
use super::place::refuse_bucket;
use crate::worm::local::{LocalOptions, LocalStore};
use crate::worm::s3::S3Store;
use crate::worm::{Condition, ObjectKey, StoreOptions, StoreUrl, Version, WormStore, WriterGuard};

/// See the module.
#[async_trait]
pub trait VaultStore: Send + Sync + fmt::Debug {
    /// The vault's URL for messages; never credentials.
    fn describe(&self) -> String;

    /// Claims a log's folder for this process, where the place can do that, and removes what a killed writer left half written.
    async fn claim(&self, log: &str) -> Result<WriterGuard, VaultError>;

    /// Refuses a place that keeps what is deleted.
    async fn check(&self) -> Result<(), VaultError>;

    /// Makes or replaces an object.
    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError>;

    /// An object's bytes; `None` where there is none.
    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, VaultError>;

    /// Keys and sizes below `prefix`.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Listed>, VaultError>;

    /// Removes an object.
    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError>;

    /// Names of a log's folder at which something else stands than belongs there; it looks like nothing to all others of these. Only a place
    /// with folders can have any.
    fn misplaced(&self, _log: &str) -> Vec<VaultError> {
        Vec::new()
    }

    /// Names of what lies among the files that are being written, and that no writer can have put there.
    fn foreign(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Bytes.
    pub size: u64,
}

/// Opens the place that `content.vault.url` names. A bucket is reached with the options of `store.s3`.
pub async fn open_place(url: &StoreUrl, options: &StoreOptions) -> Result<Arc<dyn VaultStore>, VaultError> {
    Ok(match url {
        StoreUrl::File(path) => Arc::new(FolderVault::open(path)?),
        StoreUrl::S3 { bucket, prefix } => {
            // Nothing in a vault is locked, and the bucket must not keep versions.
            let options = crate::worm::s3::S3Options { not_worm: true, ..options.s3.clone() };
            Arc::new(BucketVault(S3Store::open(bucket, prefix, options).await?))
        }
        StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => {
            return Err(VaultError::Refused(format!("{url}: a vault is a folder or an s3:// bucket in this version")));
        }
    })
}

fn listed(versions: Vec<Version>) -> Vec<Listed> {
    versions.into_iter().filter(|v| !v.is_delete_marker).map(|v| Listed { key: v.key, size: v.size }).collect()
}

/// A folder. Its writer makes it, with access for its owner only.
#[derive(Debug)]
struct FolderVault {
    root: PathBuf,
    store: LocalStore,
}

impl FolderVault {
    fn open(root: &Path) -> Result<Self, VaultError> {
        Ok(FolderVault { root: root.to_owned(), store: LocalStore::open(root, LocalOptions { private: true, ..LocalOptions::default() })? })
    }
}

#[async_trait]
impl VaultStore for FolderVault {
    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, VaultError> {
        let guard = self.store.claim(log).await.map_err(|e| VaultError::of_put("claim", e))?;
        for folder in [self.root.clone(), self.root.join(log)] {
            if let Some(warning) = open_to_others(&folder) {
                tracing::warn!(warning, "vault.folder.open");
            }
        }
        Ok(guard)
    }

    async fn check(&self) -> Result<(), VaultError> {
        Ok(())
    }

    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError> {
        self.store.put(key, body, Condition::Any, None).await.map(|_| ()).map_err(|e| VaultError::of_put("write", e))
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, VaultError> {
        self.store.get(key, None, STORED_MAX).await.map_err(|e| VaultError::of_read("read", e))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Listed>, VaultError> {
        self.store.list(prefix, after, limit).await.map(listed).map_err(|e| VaultError::of_read("list", e))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError> {
        self.store.remove(key).await.map_err(|e| VaultError::of_put("delete", e))
    }

    fn misplaced(&self, log: &str) -> Vec<VaultError> {
        let mut found = Vec::new();
        for (name, is_folder) in [("packs", true), ("persons", true), ("erasures", true), ("owner", false), ("state", false)] {
            // What cannot be looked at is told by whoever reads it.
            let Ok(there) = std::fs::metadata(self.root.join(log).join(name)) else { continue };
            let what = match is_folder {
                true if !there.is_dir() => "something that is no folder stands in the place of this folder of the vault",
                false if !there.is_file() => "something that is no file stands in the place of this object of the vault",
                _ => continue,
            };
            let what = format!("{what}: take it away, and put back what was there from a backup");
            found.push(VaultError::damaged(format!("{log}/{name}"), what));
        }
        found
    }

    fn foreign(&self) -> Vec<String> {
        // What cannot be looked at is told by whoever writes there.
        let Ok(entries) = std::fs::read_dir(self.root.join("_tmp")) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| !is_temp(name)).map(|name| format!("_tmp/{name}")).collect()
    }
}

/// Whether a name is that of a file that a writer is about to put in its place: `<log>.<process>.<number>`.
fn is_temp(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = name.rsplitn(3, '.');
    matches!((parts.next(), parts.next(), parts.next()), (Some(nth), Some(pid), Some(log)) if is_number(nth) && is_number(pid) && !log.is_empty())
}

/// What to say of a folder of a vault that others than its owner can look into. What lies there is encrypted; its names and sizes are not.
pub fn open_to_others(folder: &Path) -> Option<String> {
    let mode = std::fs::metadata(folder).ok()?.permissions().mode() & 0o777;
    let shown = folder.display();
    (mode & 0o077 != 0).then(|| format!("the vault's folder `{shown}` is open to others (mode {mode:o}); run `chmod 700 {shown}`"))
}

/// A bucket, or a folder of it.
#[derive(Debug)]
struct BucketVault(S3Store);

#[async_trait]
impl VaultStore for BucketVault {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, VaultError> {
        self.0.claim(log).await.map_err(|e| VaultError::of_put("claim", e))
    }

    async fn check(&self) -> Result<(), VaultError> {
        refuse_bucket(&self.0).await
    }

    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError> {
        self.0.put(key, body, Condition::Any, None).await.map(|_| ()).map_err(|e| VaultError::of_put("write", e))
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, VaultError> {
        self.0.get(key, None, STORED_MAX).await.map_err(|e| VaultError::of_read("read", e))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Listed>, VaultError> {
        self.0.list(prefix, after, limit).await.map(listed).map_err(|e| VaultError::of_read("list", e))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError> {
        self.0.remove(key).await.map_err(|e| VaultError::of_put("delete", e))
    }
}
