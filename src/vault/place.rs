//! Where a vault may lie: never where evidence lies, never where what is deleted is kept.

use std::path::{Component, Path, PathBuf};

use super::VaultError;
use crate::worm::s3::{S3Store, Versioning};
use crate::worm::{StoreUrl, WormStore};

/// Refuses a vault below the store and a store below the vault: evidence is copied, locked and handed out, and what lies in it cannot be
/// erased. Folders are compared as they are on the disk, links followed.
pub fn expect_apart(store: &StoreUrl, vault: &StoreUrl) -> Result<(), VaultError> {
    let nested = match (store, vault) {
        (StoreUrl::File(store), StoreUrl::File(vault)) => {
            let (store, vault) = (resolved(store), resolved(vault));
            vault.starts_with(&store) || store.starts_with(&vault)
        }
        (StoreUrl::S3 { bucket: of_store, prefix: store }, StoreUrl::S3 { bucket: of_vault, prefix: vault }) => {
            of_store == of_vault && (Path::new(vault).starts_with(store) || Path::new(store).starts_with(vault))
        }
        _ => false,
    };
    if !nested {
        return Ok(());
    }
    Err(VaultError::Refused(format!(
        "`content.vault.url` {vault} and `store.url` {store} lie one inside the other, and what lies with evidence cannot be erased; let \
         `content.vault.url` name a place of its own"
    )))
}

/// An absolute path with its links followed, as far as it exists; the rest by its letters.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => {
                out.push(other);
                if let Ok(real) = out.canonicalize() {
                    out = real;
                }
            }
        }
    }
    out
}

/// Refuses a bucket that keeps versions or has Object Lock.
pub(super) async fn refuse_bucket(bucket: &S3Store) -> Result<(), VaultError> {
    let asked = |e| VaultError::of_read("read the settings of", e);
    let what = match bucket.versioning_status().await.map_err(asked)? {
        Versioning::Enabled => Some("keeps versions of what is deleted"),
        Versioning::Suspended => Some("kept versions once (versioning is suspended), and may keep them again"),
        Versioning::Never => None,
    };
    let what = match what {
        None if bucket.state().await.map_err(asked)?.object_lock == Some(true) => Some("has Object Lock"),
        other => other,
    };
    match what {
        None => Ok(()),
        Some(what) => Err(VaultError::Refused(format!(
            "`content.vault.url` {}: the bucket {what}, so what is erased would not be gone; make a bucket without versioning and without \
             Object Lock for the vault",
            bucket.describe()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_inside_the_store_is_refused_by_whatever_way_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        std::fs::create_dir_all(store.join("inner")).unwrap();
        std::os::unix::fs::symlink(store.join("inner"), folder.path().join("link")).unwrap();
        let file = |path: PathBuf| StoreUrl::File(path);
        let at = |rest: &str| file(folder.path().join(rest));
        for (vault, fine) in [
            ("store", false),
            ("store/", false),
            ("store/vault", false),
            ("store/../store/x/y", false),
            ("link", false),
            ("link/new", false),
            ("link/../other", false),
            (".", false),
            ("store-vault", true),
            ("vault", true),
            ("store/../vault", true),
        ] {
            assert_eq!(expect_apart(&file(store.clone()), &at(vault)).is_ok(), fine, "{vault}");
        }
    }

    #[test]
    fn a_vault_in_the_stores_bucket_may_not_share_its_folder() {
        let s3 = |bucket: &str, prefix: &str| StoreUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
        for (store, vault, fine) in [
            (s3("a", ""), s3("a", "vault"), false),
            (s3("a", "x"), s3("a", "x/vault"), false),
            (s3("a", "x/y"), s3("a", "x"), false),
            (s3("a", "x"), s3("a", "xy"), true),
            (s3("a", "x"), s3("b", "x"), true),
            (s3("a", ""), s3("b", ""), true),
        ] {
            assert_eq!(expect_apart(&store, &vault).is_ok(), fine, "{store} {vault}");
        }
        assert!(expect_apart(&s3("a", ""), &StoreUrl::File("x".into())).is_ok());
    }
}
