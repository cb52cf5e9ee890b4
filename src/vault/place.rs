//! Where a vault may lie: never where evidence lies, never where what is deleted is kept.

use std::path::{Component, Path, PathBuf};

use super::VaultError;
use crate::worm::s3::{S3Store, Versioning};
use crate::worm::{StoreUrl, WormStore};

/// Refuses a vault below the store and a store below the vault: evidence is copied, locked and handed out, and what lies in it cannot be
/// erased. Folders are compared as they are on the disk, links followed, those of the log `log` inside both too.
pub fn expect_apart(store: &StoreUrl, vault: &StoreUrl, log: &str) -> Result<(), VaultError> {
    let nested = match (store, vault) {
        (StoreUrl::File(store), StoreUrl::File(vault)) => {
            let (stores, vaults) = (all_of(store, log), all_of(vault, log));
            vaults.iter().any(|vault| stores.iter().any(|store| vault.starts_with(store) || store.starts_with(vault)))
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

/// Where a folder of logs lies: itself, the folder of one log, and what is linked into that.
fn all_of(root: &Path, log: &str) -> Vec<PathBuf> {
    let own = root.join(log);
    let inside = std::fs::read_dir(&own).into_iter().flatten().flatten();
    let links: Vec<PathBuf> = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink())).map(|e| e.path()).collect();
    [root.to_owned(), own].into_iter().chain(links).map(|path| resolved(&path)).collect()
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
            assert_eq!(expect_apart(&file(store.clone()), &at(vault), "log").is_ok(), fine, "{vault}");
        }
    }

    /// Scenario: the two folders lie apart, and a folder of the log inside one of them, or inside that, is a link into the other.
    #[test]
    fn a_link_below_the_vault_or_the_store_is_followed() {
        for (from, to, fine) in [
            ("vault/log", "store/log", false),
            ("vault/log", "store/elsewhere", false),
            ("vault/log/packs", "store/log/segments", false),
            ("store/log", "vault/log", false),
            ("store/log/segments", "vault/x", false),
            ("vault/log", "disk/vault", true),
            ("vault/other", "store/log", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let at = |rest: &str| folder.path().join(rest);
            for made in ["store", "vault", to, from] {
                std::fs::create_dir_all(at(made)).unwrap();
            }
            std::fs::remove_dir(at(from)).unwrap();
            std::os::unix::fs::symlink(at(to), at(from)).unwrap();
            let (store, vault) = (StoreUrl::File(at("store")), StoreUrl::File(at("vault")));
            assert_eq!(expect_apart(&store, &vault, "log").is_ok(), fine, "{from} -> {to}");
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
            assert_eq!(expect_apart(&store, &vault, "log").is_ok(), fine, "{store} {vault}");
        }
        assert!(expect_apart(&s3("a", ""), &StoreUrl::File("x".into()), "log").is_ok());
    }
}
