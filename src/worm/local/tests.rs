use super::*;
use std::os::unix::fs::PermissionsExt;

fn key(text: &str) -> ObjectKey {
    ObjectKey(text.to_owned())
}

fn open(root: &Path) -> LocalStore {
    LocalStore::open(root, LocalOptions::default()).unwrap()
}

async fn put(store: &LocalStore, at: &str, condition: Condition) -> Result<Option<VersionId>, PutError> {
    store.put(&key(at), Bytes::from_static(b"body"), condition, None).await
}

/// Opening and reading leave nothing behind: a mistyped path in `verify` makes no folder.
#[tokio::test]
async fn reading_makes_no_folder() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("typo/store");
    let store = open(&root);
    assert_eq!(store.get(&key("a/b"), None, 10).await.unwrap(), None);
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
    assert!(!temp.path().join("typo").exists());
    put(&store, "a/b", Condition::CreateOnly).await.unwrap();
    assert!(root.join("a/b").exists());
    assert!(LocalStore::open(root.join("a/b"), LocalOptions::default()).unwrap_err().to_string().contains("file"));
}

/// Objects are read-only, and no temp file outlives its put, however it went.
#[tokio::test]
async fn a_put_leaves_a_read_only_file_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    put(&store, "log/a", Condition::CreateOnly).await.unwrap();
    assert!(matches!(put(&store, "log/a", Condition::CreateOnly).await, Err(PutError::Exists { .. })));
    put(&store, "log/a", Condition::Any).await.unwrap();
    let mode = fs::metadata(temp.path().join("log/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert_eq!(fs::read_dir(temp.path().join(TEMP)).unwrap().count(), 0);
}

/// A file where a folder belongs, a folder where the object belongs, a key of our own: refused, with a reason.
#[tokio::test]
async fn what_cannot_be_stored_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    put(&store, "a/b", Condition::CreateOnly).await.unwrap();
    for bad in ["a/b/c", "_tmp/x", "_locks/x", "../x", "/x", ""] {
        let error = put(&store, bad, Condition::CreateOnly).await.unwrap_err();
        assert!(matches!(error, PutError::Refused { .. }), "{bad}: {error}");
    }
    assert!(put(&store, "a", Condition::Any).await.unwrap_err().to_string().contains("folder"));
    assert!(matches!(put(&store, "a", Condition::CreateOnly).await, Err(PutError::Exists { .. })));
    assert!(store.get(&key("../x"), None, 10).await.is_err());
    assert_eq!(store.get(&key("a/b/c"), None, 10).await.unwrap(), None);
    assert_eq!(store.get(&key("a"), None, 10).await.unwrap(), None, "a folder is no object");
    let lock = Lock { mode: crate::worm::Mode::Governance, retain_until: crate::clock::UnixSeconds::MAX };
    let locked = store.put(&key("x"), Bytes::from_static(b"x"), Condition::Any, Some(lock)).await;
    assert!(matches!(locked, Err(PutError::Refused { .. })));
}

/// Folders that somebody removes are made again by the next try.
#[tokio::test]
async fn removed_folders_come_back() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    for gone in ["log", TEMP] {
        put(&store, "log/a/b", Condition::Any).await.unwrap();
        fs::remove_dir_all(temp.path().join(gone)).unwrap();
        let first = put(&store, "log/a/b", Condition::Any).await;
        assert!(matches!(first, Err(PutError::NotStored { .. })), "{first:?}");
        put(&store, "log/a/b", Condition::Any).await.unwrap();
    }
}

/// Somebody put a link under the name of an object that leads back to itself: no object is there, and the others are.
#[tokio::test]
async fn a_link_that_leads_nowhere_is_no_object() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    put(&store, "log/b", Condition::CreateOnly).await.unwrap();
    std::os::unix::fs::symlink("a", temp.path().join("log/a")).unwrap();
    std::os::unix::fs::symlink("gone", temp.path().join("log/c")).unwrap();
    let listed = store.list("log/", None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|version| version.key.as_str()).collect::<Vec<_>>(), ["log/b"]);
    assert_eq!(store.get(&key("log/a"), None, 10).await.unwrap(), None);
    assert_eq!(store.head(&key("log/a"), None).await.unwrap(), None);
    assert!(matches!(put(&store, "log/a", Condition::CreateOnly).await, Err(PutError::Exists { .. } | PutError::Unknown { .. })));
}

/// Scenario: the whole folder goes away under a writer (it was a mount), and comes back. Guarantee: no second store is begun in its place,
/// and what was refused meanwhile is taken when it is back.
#[tokio::test]
async fn a_claimed_store_that_is_gone_is_not_begun_anew() {
    let temp = tempfile::tempdir().unwrap();
    let (root, away) = (temp.path().join("store"), temp.path().join("away"));
    let store = open(&root);
    let _guard = store.claim("log").await.unwrap();
    put(&store, "log/a", Condition::CreateOnly).await.unwrap();
    fs::rename(&root, &away).unwrap();
    let gone = put(&store, "log/b", Condition::CreateOnly).await;
    assert!(matches!(&gone, Err(PutError::NotStored { reason, .. }) if reason.contains("moved or unmounted")), "{gone:?}");
    assert!(!root.exists(), "a second store was begun");
    // Another one stands there.
    let other = open(&root);
    let _other = other.claim("log").await.unwrap();
    assert!(matches!(put(&store, "log/b", Condition::Any).await, Err(PutError::NotStored { .. })));
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    put(&store, "log/b", Condition::CreateOnly).await.unwrap();
}

/// `/dev/full` stands in for a full disk: the words name the cause, and the outcome is known.
#[test]
fn failures_are_named() {
    let full = File::options().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
    let error = not_stored(&key("k"), "write", &full);
    assert!(matches!(&error, PutError::Refused { reason, .. } if reason.contains("disk is full")), "{error}");
    let kinds = [
        (ErrorKind::ReadOnlyFilesystem, "mounted read-only"),
        (ErrorKind::PermissionDenied, "not permitted"),
        (ErrorKind::QuotaExceeded, "quota"),
    ];
    for (kind, word) in kinds {
        let error = not_stored(&key("k"), "write", &io::Error::from(kind));
        assert!(matches!(&error, PutError::Refused { reason, .. } if reason.contains(word)), "{error}");
    }
    let short = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
    assert!(not_stored(&key("k"), "write", &short).is_retryable(), "too many open files passes");
    let broken = io::Error::from_raw_os_error(Errno::IO.raw_os_error());
    assert!(matches!(not_stored(&key("k"), "write", &broken), PutError::Refused { .. }), "EIO before the link: known, and no use");
}

/// Keys come in the order of their bytes, where a folder's slash counts like any byte, and pages join without a seam.
#[tokio::test]
async fn a_listing_is_ordered_by_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    let mut keys = vec!["l/a", "l/a-b/c", "l/a.b", "l/a/b", "l/a0", "l/ab", "l/b/c/d", "l/b/c/e", "l/b/d", "m/x", "_other/x"];
    keys.retain(|k| *k != "l/a"); // a file cannot be a folder too
    for at in &keys {
        put(&store, at, Condition::CreateOnly).await.unwrap();
    }
    keys.retain(|k| !k.starts_with('_'));
    keys.sort_unstable();
    for prefix in ["", "l", "l/", "l/a", "l/a/", "l/b/", "l/b/c/", "l/b/c/e", "m/", "none", "_other/", "../", "/"] {
        let want: Vec<_> = keys.iter().filter(|k| k.starts_with(prefix)).copied().collect();
        for page in 1..=3 {
            let mut seen: Vec<String> = Vec::new();
            loop {
                let after = seen.last().map(|k| key(k));
                let found = store.list(prefix, after.as_ref(), page).await.unwrap();
                assert!(found.len() <= page);
                if found.is_empty() {
                    break;
                }
                seen.extend(found.into_iter().map(|v| v.key.0));
            }
            assert_eq!(seen, want, "prefix {prefix:?}, pages of {page}");
        }
    }
    assert_eq!(store.list("", Some(&key("l/b")), 1).await.unwrap()[0].key, key("l/b/c/d"), "`after` need not exist");
}

/// Scenario: a folder holds more names than a page keeps in memory, and most of the least are no objects (they lead nowhere). Guarantee:
/// pages of every size still find every object, in order, and hold only as many names as they want.
#[tokio::test]
async fn a_listing_holds_the_least_names_and_looks_again_when_they_are_no_objects() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    put(&store, "l/z", Condition::CreateOnly).await.unwrap();
    let mut want = vec!["l/z".to_owned()];
    for n in 0..1200 {
        let at = temp.path().join(format!("l/{n:04}"));
        if n % 400 == 399 {
            fs::write(at, "x").unwrap();
            want.push(format!("l/{n:04}"));
        } else {
            std::os::unix::fs::symlink("nowhere", at).unwrap();
        }
    }
    want.sort();
    for page in [1, 2, 3, 300, 2000] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let found = store.list("l/", seen.last().map(|k| key(k)).as_ref(), page).await.unwrap();
            if found.is_empty() {
                break;
            }
            seen.extend(found.into_iter().map(|v| v.key.0));
        }
        assert_eq!(seen, want, "pages of {page}");
    }
    let query = walk::Query { prefix: "l/".into(), after: Some("l/0009".into()), limit: 3 };
    let names = walk::least(&temp.path().join("l"), "l/", &query, Some("l/0010"), 3).unwrap();
    assert_eq!(names.iter().map(|(own, _)| own.as_str()).collect::<Vec<_>>(), ["l/0011", "l/0012", "l/0013"]);
}

/// One writer a log: the second is told who the first is; when it ends, the log is free and its leftovers are swept.
#[tokio::test]
async fn a_log_has_one_writer() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    let first = store.claim("log").await.unwrap();
    let error = open(temp.path()).claim("log").await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PutError::Refused { .. }));
    assert!(text.contains(&format!("pid {}", std::process::id())) && text.contains("stop it"), "{text}");
    let _other = store.claim("other").await.unwrap();
    drop(first);
    fs::write(temp.path().join(TEMP).join("log.1.0"), "left by a killed writer").unwrap_or_else(|_| {
        fs::create_dir(temp.path().join(TEMP)).unwrap();
        fs::write(temp.path().join(TEMP).join("log.1.0"), "left").unwrap();
    });
    fs::write(temp.path().join(TEMP).join("other.1.0"), "not ours").unwrap();
    store.claim("log").await.unwrap();
    let left: Vec<_> = fs::read_dir(temp.path().join(TEMP)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["other.1.0"]);
    for bad in ["", "a/b", "..", "UPPER"] {
        assert!(matches!(store.claim(bad).await, Err(PutError::Refused { .. })), "{bad}");
    }
}

/// Asked for and possible: the file cannot even be removed by root. Asked for and not possible: an error at the claim.
#[tokio::test]
async fn immutable_is_kept_or_refused() {
    let temp = tempfile::tempdir().unwrap();
    let store = LocalStore::open(temp.path(), LocalOptions { immutable: true, ..LocalOptions::default() }).unwrap();
    match store.claim("log").await {
        Err(error) => assert!(error.to_string().contains("CAP_LINUX_IMMUTABLE"), "{error}"),
        Ok(_guard) => {
            put(&store, "log/a", Condition::CreateOnly).await.unwrap();
            put(&store, "log/checkpoint", Condition::Any).await.unwrap();
            put(&store, "log/checkpoint", Condition::Any).await.unwrap();
            let path = temp.path().join("log/a");
            let removed = fs::remove_file(&path);
            let overwritten = put(&store, "log/a", Condition::Any).await;
            let file = File::open(&path).unwrap();
            let flags = rustix::fs::ioctl_getflags(&file).unwrap();
            rustix::fs::ioctl_setflags(&file, flags - IFlags::IMMUTABLE).unwrap(); // before anything can fail: else it stays for ever
            assert!(flags.contains(IFlags::IMMUTABLE));
            assert!(removed.is_err());
            assert!(overwritten.unwrap_err().to_string().contains("chattr -i"));
        }
    }
}

/// Scenario: the disk fails just after the link, so the put is unknown; made again, it finds its own file. Guarantee: "already there" is
/// answered only once the file is known to be on the disk, because the caller takes equal bytes there for a success.
#[tokio::test]
async fn what_is_already_there_is_made_durable_before_it_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    store.0.failing_syncs.store(2, Ordering::Relaxed);
    for _ in 0..2 {
        let put = put(&store, "log/a", Condition::CreateOnly).await;
        assert!(matches!(put, Err(PutError::Unknown { .. })), "{put:?}");
    }
    assert!(matches!(put(&store, "log/a", Condition::CreateOnly).await, Err(PutError::Exists { .. })));
    assert_eq!(store.0.failing_syncs.load(Ordering::Relaxed), 0);
}

/// Scenario: the immutable flag was not set on a file that is there (the flag failed, or its writer died before it). Guarantee: the next
/// create-only put of that key sets it before it answers.
#[tokio::test]
async fn a_missing_immutable_flag_is_set_by_the_next_put() {
    let temp = tempfile::tempdir().unwrap();
    put(&open(temp.path()), "log/a", Condition::CreateOnly).await.unwrap();
    let store = LocalStore::open(temp.path(), LocalOptions { immutable: true, ..LocalOptions::default() }).unwrap();
    if store.claim("log").await.is_err() {
        return; // Not permitted here: `immutable_is_kept_or_refused` shows what is said then.
    }
    let again = put(&store, "log/a", Condition::CreateOnly).await;
    let on_folder = put(&store, "log", Condition::CreateOnly).await;
    let flags_of = |at: &str| {
        let file = File::open(temp.path().join(at)).unwrap();
        let flags = rustix::fs::ioctl_getflags(&file).unwrap();
        rustix::fs::ioctl_setflags(&file, flags - IFlags::IMMUTABLE).unwrap(); // before anything can fail: else it stays for ever
        flags.contains(IFlags::IMMUTABLE)
    };
    let (file, folder) = (flags_of("log/a"), flags_of("log"));
    assert!(matches!(again, Err(PutError::Exists { .. })) && file, "{again:?}");
    assert!(matches!(on_folder, Err(PutError::Exists { .. })) && !folder, "a folder would never take a file again");
}

/// A reader without rights gets a refusal, not "absent". (Root reads everything: then there is nothing to see.)
#[tokio::test]
async fn no_permission_is_not_absence() {
    let temp = tempfile::tempdir().unwrap();
    let store = open(temp.path());
    put(&store, "log/a", Condition::CreateOnly).await.unwrap();
    fs::set_permissions(temp.path().join("log"), fs::Permissions::from_mode(0o000)).unwrap();
    let found = store.get(&key("log/a"), None, 10).await;
    let listed = store.list("", None, 10).await;
    fs::set_permissions(temp.path().join("log"), fs::Permissions::from_mode(0o755)).unwrap();
    if !rustix::process::geteuid().is_root() {
        assert!(matches!(found, Err(ReadError::Refused { .. })));
        assert!(matches!(listed, Err(ReadError::Refused { .. })));
    }
}
