use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::record::RecordId;
use crate::record::apart::{Piece, SALT_BYTES};
use crate::record::content::Scheme;
use crate::record::identity::Given;
use crate::worm::StoreUrl;

const LOG: &str = "audit";

/// A vault in memory. The Nth change fails: not done, or done and reported as failed.
#[derive(Debug, Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// Changes until one fails; negative: none does.
    until_failure: AtomicI64,
    done_all_the_same: bool,
}

impl Memory {
    fn change(&self, key: &ObjectKey, act: impl FnOnce(&mut BTreeMap<String, Bytes>)) -> Result<(), VaultError> {
        let fails = self.until_failure.fetch_sub(1, Ordering::Relaxed) == 0;
        if !fails || self.done_all_the_same {
            act(&mut self.objects.lock().unwrap());
        }
        if fails {
            return Err(VaultError::Place { doing: "write", key: key.0.clone(), reason: "told to".into(), passing: false });
        }
        Ok(())
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn fail_after(&self, changes: i64) {
        self.until_failure.store(changes, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl VaultStore for Memory {
    fn describe(&self) -> String {
        "memory".into()
    }

    async fn claim(&self, _log: &str) -> Result<WriterGuard, VaultError> {
        Ok(WriterGuard(None))
    }

    async fn check(&self) -> Result<(), VaultError> {
        Ok(())
    }

    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError> {
        self.change(key, |objects| drop(objects.insert(key.0.clone(), body)))
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, VaultError> {
        Ok(self.objects.lock().unwrap().get(&key.0).cloned())
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Listed>, VaultError> {
        let objects = self.objects.lock().unwrap();
        let wanted = objects.iter().filter(|(k, _)| k.starts_with(prefix) && after.is_none_or(|a| **k > a.0));
        Ok(wanted.take(limit).map(|(k, v)| Listed { key: ObjectKey(k.clone()), size: v.len() as u64 }).collect())
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError> {
        self.change(key, |objects| drop(objects.remove(&key.0)))
    }
}

fn memory(done_all_the_same: bool) -> Arc<Memory> {
    Arc::new(Memory { until_failure: AtomicI64::new(-1), done_all_the_same, ..Memory::default() })
}

fn open(store: &Arc<Memory>) -> Vault {
    Vault::new(Options { store: Arc::clone(store) as Arc<dyn VaultStore>, log: LOG.into(), key: VaultKey::new(&[7; 32]) })
}

async fn claimed(store: &Arc<Memory>) -> Vault {
    let vault = open(store);
    vault.claim("key of the log").await.unwrap();
    vault
}

fn at(text: &str) -> UnixSeconds {
    UnixSeconds::parse_strict(text).unwrap()
}

fn today() -> UnixSeconds {
    at("2026-11-21T10:00:00Z")
}

fn id(n: u8) -> RecordId {
    RecordId([n; 16])
}

fn person(n: u8) -> PersonEntry {
    PersonEntry { key: [n; 32], pseudonym: [n; 16], realm: "shop".into(), id: format!("person-{n}@example.com") }
}

/// What records `numbers` said, each with an input of its own and a person of its own.
fn apart(numbers: &[u8]) -> Apart {
    let mut apart = Apart::default();
    for n in numbers {
        let from = apart.bytes.len();
        apart.bytes.extend_from_slice(said(*n).as_bytes());
        let content = from..apart.bytes.len();
        apart.pieces.push(Piece { record: id(*n), member: "input".into(), scheme: Scheme::Utf8, salt: [*n; SALT_BYTES], content });
        apart.persons.push(person(*n));
    }
    apart
}

fn said(n: u8) -> String {
    format!("what record {n} said")
}

async fn content(vault: &Vault, seal: u64, n: u8) -> Vec<String> {
    let found = vault.content(seal, today(), id(n)).await.unwrap().entries;
    found.into_iter().map(|e| String::from_utf8(e.content.to_vec()).unwrap()).collect()
}

/// Everything that the vault holds, decrypted.
async fn all_plain(vault: &Vault) -> Vec<u8> {
    vault.every_object().await.unwrap().into_iter().flat_map(|(_, plain)| plain.to_vec()).collect()
}

fn holds(all: &[u8], text: &str) -> bool {
    memchr::memmem::find(all, text.as_bytes()).is_some()
}

#[tokio::test]
async fn what_was_put_is_found_by_seal_and_record_and_persons_by_id_and_pseudonym() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let packs = vault.put(3, today(), vec![apart(&[1, 2]), Apart::default(), apart(&[4])]).await.unwrap();
    assert_eq!(packs.0.len(), 1, "one object a seal");
    assert_eq!(content(&vault, 3, 1).await, [said(1)]);
    assert_eq!(content(&vault, 3, 4).await, [said(4)]);
    assert!(content(&vault, 3, 9).await.is_empty() && content(&vault, 4, 1).await.is_empty());
    let entry = vault.content(3, today(), id(2)).await.unwrap().entries.remove(0);
    assert_eq!((entry.member.as_str(), entry.scheme, entry.salt), ("input", Scheme::Utf8, [2; SALT_BYTES]));
    let known = vault.resolve(&HashSet::from([[1; 16], [9; 16]])).await.unwrap();
    assert_eq!(known.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["person-1@example.com"]);
    assert_eq!(vault.find(&HashSet::from(["person-4@example.com"]), None).await.unwrap().entries[0].pseudonym, [4; 16]);
    // The next process knows them, and nothing lies there that can be read without the key.
    let again = claimed(&store).await;
    assert_eq!(again.persons().pseudonym([4; 32], || [0; 16]), Given { pseudonym: [4; 16], stored: true });
    for body in store.objects.lock().unwrap().values() {
        assert!(!holds(body, "said") && !holds(body, "example.com"));
    }
    assert!(vault.put(4, today(), vec![Apart::default()]).await.unwrap().0.is_empty(), "nothing to say, no object");
}

/// Scenario: any change of the place fails, done or not done, while a seal's content is written. Guarantee: no pack of the attempt lies
/// there when the next seal's is, so packs of committed seals are never mixed with those of attempts.
#[tokio::test]
async fn a_failed_attempt_leaves_no_pack() {
    for done in [false, true] {
        for nth in 0..2 {
            let store = memory(done);
            let vault = claimed(&store).await;
            store.fail_after(nth);
            assert!(vault.put(3, today(), vec![apart(&[1])]).await.is_err());
            // And the removal of an attempt fails too, once.
            let packs = vault.put(3, today(), vec![apart(&[1])]).await.unwrap();
            store.fail_after(0);
            vault.remove(packs).await;
            let packs = vault.put(3, today(), vec![apart(&[1])]).await.unwrap();
            let lying: Vec<String> = store.keys().into_iter().filter(|k| k.contains("/packs/")).collect();
            assert_eq!(lying, packs.0.iter().map(|k| k.0.clone()).collect::<Vec<_>>(), "{done} {nth}");
            assert_eq!(content(&vault, 3, 1).await, [said(1)]);
        }
    }
}

#[tokio::test]
async fn a_person_counts_as_stored_only_when_they_are() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let given = vault.persons().pseudonym([1; 32], || [1; 16]);
    assert!(!given.stored);
    store.fail_after(0);
    let failed = vault.put(3, today(), vec![apart(&[1])]).await;
    store.fail_after(-1);
    assert!(failed.is_err() && !vault.persons().pseudonym([1; 32], || [0; 16]).stored);
    let _packs = vault.put(3, today(), vec![apart(&[1])]).await.unwrap();
    assert!(vault.persons().pseudonym([1; 32], || [0; 16]).stored);
}

#[tokio::test]
async fn packs_of_seals_that_never_came_to_be_are_removed_at_start() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let (before, tomorrow) = (at("2026-11-20T23:59:59Z"), at("2026-11-22T00:00:00Z"));
    let mut names = Vec::new();
    for (seal, sealed_at) in [(1, before), (2, today()), (3, today()), (4, tomorrow)] {
        names.extend(vault.put(seal, sealed_at, vec![apart(&[1])]).await.unwrap().0);
    }
    assert_eq!(vault.clean(3, Some(today())).await.unwrap(), 2);
    let lying = store.keys();
    assert_eq!(names.iter().map(|n| lying.contains(&n.0)).collect::<Vec<_>>(), [true, true, false, false]);
    // A log without seals.
    assert_eq!(vault.clean(0, None).await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_erased_is_gone_and_nothing_else_is() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let _packs = vault.put(3, today(), vec![apart(&[1, 2])]).await.unwrap();
    let _packs = vault.put(4, today(), vec![apart(&[1])]).await.unwrap();
    let erased = vault.erase(3, today(), &HashSet::from([id(1)])).await.unwrap();
    assert_eq!(erased, Erased { contents: 1, bytes: said(1).len() as u64 });
    assert!(content(&vault, 3, 1).await.is_empty());
    assert_eq!((content(&vault, 3, 2).await, content(&vault, 4, 1).await), (vec![said(2)], vec![said(1)]));
    assert_eq!(vault.erase(3, today(), &HashSet::from([id(1)])).await.unwrap(), Erased::default(), "twice is once");
    vault.erase(4, today(), &HashSet::from([id(1)])).await.unwrap();
    assert!(!store.keys().iter().any(|k| k.contains("00000004-")), "an empty pack is no object");

    assert_eq!(vault.erase_persons(&HashSet::from([[1; 16]])).await.unwrap(), 1);
    let all = all_plain(&vault).await;
    assert!(!holds(&all, &said(1)) && !holds(&all, "person-1@") && holds(&all, "person-2@") && holds(&all, &said(2)));
    assert_eq!(vault.persons().pseudonym([1; 32], || [8; 16]), Given { pseudonym: [8; 16], stored: false });
    assert!(vault.resolve(&HashSet::from([[1; 16]])).await.unwrap().is_empty());
}

/// An erasure of person 1 that has just begun.
fn of_person_one() -> Intent {
    Intent {
        random: [1; 16],
        scope: Scope::Person,
        pseudonyms: vec![[1; 16]],
        forms: Vec::new(),
        record: None,
        shared: false,
        by: None,
        asked: None,
        begun: None,
        ground: "asked".into(),
        ticket: None,
        despite: BTreeSet::new(),
        taking: Places::new(),
        absent: Places::new(),
        known: BTreeSet::new(),
        traces: BTreeSet::new(),
        searched: None,
        done: None,
    }
}

/// Scenario: the process dies at any step of an erasure. Guarantee: the next one knows of it, gives the person a new pseudonym, and going
/// through all steps again erases everything.
#[tokio::test]
async fn an_erasure_that_broke_off_is_finished() {
    let intent = of_person_one();
    async fn go(vault: &Vault, intent: &Intent) -> Result<(), VaultError> {
        vault.intend(intent).await?;
        for seal in [3, 4] {
            vault.erase(seal, today(), &HashSet::from([id(1)])).await?;
        }
        vault.erase_persons(&intent.pseudonyms.iter().copied().collect()).await?;
        vault.fulfilled(intent).await
    }
    for done in [false, true] {
        for nth in 0.. {
            let store = memory(done);
            let vault = claimed(&store).await;
            for seal in [3, 4] {
                let _packs = vault.put(seal, today(), vec![apart(&[1, 2])]).await.unwrap();
            }
            store.fail_after(nth);
            let went = go(&vault, &intent).await;
            store.fail_after(-1);
            let vault = claimed(&store).await;
            let open = vault.intents().await.unwrap();
            let begun = nth > 0 || done;
            if went.is_err() && begun && (!done || !open.is_empty()) {
                assert_eq!(open, std::slice::from_ref(&intent), "{done} {nth}");
                assert_ne!(vault.persons().pseudonym([1; 32], || [8; 16]).pseudonym, [1; 16], "{done} {nth}");
            }
            for intent in open {
                go(&vault, &intent).await.unwrap();
            }
            let all = all_plain(&vault).await;
            assert_eq!(holds(&all, &said(1)) || holds(&all, "person-1@"), !begun, "{done} {nth}");
            assert!(holds(&all, &said(2)) && holds(&all, "person-2@") && vault.intents().await.unwrap().is_empty());
            if went.is_ok() {
                assert!(nth >= 5, "an intent, two packs, two objects of persons and the intent again are changed");
                break;
            }
        }
    }
}

#[tokio::test]
async fn who_is_being_erased_is_somebody_new_at_once() {
    let store = memory(false);
    let vault = claimed(&store).await;
    for n in [1, 2] {
        vault.persons().pseudonym([n; 32], || [n; 16]);
    }
    let _packs = vault.put(3, today(), vec![apart(&[1, 2])]).await.unwrap();
    let intent = of_person_one();
    vault.intend(&intent).await.unwrap();
    assert_eq!(vault.persons().pseudonym([1; 32], || [8; 16]), Given { pseudonym: [8; 16], stored: false });
    assert!(vault.persons().pseudonym([2; 32], || [8; 16]).stored);
}

/// Scenario: many small objects of persons; the merge dies at any step. Guarantee: nobody is lost, and few objects are left in the end.
#[tokio::test]
async fn small_objects_of_persons_are_merged_without_losing_anybody() {
    for nth in [-1, 0, 1, 30] {
        let store = memory(false);
        let vault = claimed(&store).await;
        for n in 0..70 {
            let _packs = vault.put(u64::from(n), today(), vec![apart(&[n])]).await.unwrap();
        }
        store.fail_after(nth);
        assert_eq!(vault.merge_persons().await.is_err(), nth >= 0);
        store.fail_after(-1);
        vault.merge_persons().await.unwrap();
        let vault = claimed(&store).await;
        assert_eq!(vault.persons().len(), 70);
        assert_eq!(vault.find(&HashSet::from(["person-69@example.com"]), None).await.unwrap().entries.len(), 1);
        let left = store.keys().iter().filter(|k| k.contains("/persons/")).count();
        assert!(left <= 64, "{nth}: {left}");
    }
}

/// Scenario: objects of persons that are small as they are stored and large once decoded, more of them than one object holds. Guarantee:
/// everything that is written, merged or not, can be read back.
#[tokio::test]
async fn objects_of_persons_are_closed_by_what_they_decode_to() {
    let store = memory(false);
    let vault = claimed(&store).await;
    for n in 0..70 {
        vault.remember(&[PersonEntry { id: "a".repeat(1024 * 1024), ..person(n) }]).await.unwrap();
    }
    vault.merge_persons().await.unwrap();
    assert_eq!(claimed(&store).await.persons().len(), 70);
    let largest = all_objects(&vault).await.into_iter().max().unwrap();
    assert!(largest <= 2 * pack::PACK_BYTES, "{largest}");
}

async fn all_objects(vault: &Vault) -> Vec<usize> {
    vault.every_object().await.unwrap().into_iter().map(|(_, plain)| plain.len()).collect()
}

#[tokio::test]
async fn packs_go_when_their_time_is_over_and_not_a_day_earlier() {
    let store = memory(false);
    let vault = claimed(&store).await;
    for (seal, sealed_at) in [(1, "2026-11-20T00:00:00Z"), (2, "2026-11-20T23:59:59Z"), (3, "2026-11-21T00:00:00Z")] {
        let _packs = vault.put(seal, at(sealed_at), vec![apart(&[1])]).await.unwrap();
    }
    let period: crate::retain::Period = "30d".parse().unwrap();
    for (now, removed) in [("2026-12-20T23:59:59Z", 0), ("2026-12-21T00:00:00Z", 2), ("2026-12-21T00:00:01Z", 0)] {
        assert_eq!(vault.expire(period, at(now), &Keep::Nothing).await.unwrap(), Expired { deleted: removed, kept: 0 }, "{now}");
    }
    assert_eq!(content(&vault, 3, 1).await, [said(1)]);
    assert!(is_expired(at("2026-11-20T23:59:59Z"), period, at("2026-12-21T00:00:00Z")));
    assert!(!is_expired(at("2026-11-21T00:00:00Z"), period, at("2026-12-21T00:00:00Z")));
}

/// Scenario: packs are counted; then one is deleted, one becomes junk, one is erased, and those of a day expire, in this order, while more
/// come. Guarantee: what somebody took is missed by its day, again and again and by the next process too, until it is there again; what was
/// erased or has expired is not.
#[tokio::test]
async fn packs_that_somebody_took_are_missed_until_they_are_back() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let by = |now: &str| ("30d".parse::<crate::retain::Period>().unwrap(), at(now));
    let soon = by("2026-11-22T10:00:00Z");
    let yesterday = at("2026-11-20T10:00:00Z");
    let mut names = Vec::new();
    for (seal, sealed_at) in [(1, yesterday), (2, yesterday), (4, today()), (5, today())] {
        names.extend(vault.put(seal, sealed_at, vec![apart(&[u8::try_from(seal).unwrap()])]).await.unwrap().0);
    }
    assert_eq!(vault.count_all_packs(5, soon).await.unwrap(), PacksSeen { packs: 4, ..PacksSeen::default() });
    assert_eq!(vault.state().await.packs.into_values().collect::<Vec<_>>(), [2, 1], "seal 5 is not committed");
    vault.count_new_packs(6).await.unwrap();
    vault.count_new_packs(6).await.unwrap();
    assert_eq!(vault.state().await.packs.into_values().collect::<Vec<_>>(), [2, 2]);
    let taken = store.objects.lock().unwrap().remove(&names[0].0).unwrap();
    let day = |text: &str| at(&format!("{text}T00:00:00Z"));
    for _ in 0..2 {
        assert_eq!(vault.count_all_packs(6, soon).await.unwrap().missing, BTreeMap::from([(day("2026-11-20"), 1)]));
        assert_eq!(vault.lost().packs, 1);
        vault.count_new_packs(6).await.unwrap();
    }
    let vault = claimed(&store).await;
    assert_eq!(open(&store).look_at_packs(soon).await.unwrap().missing.len(), 1);
    assert_eq!(vault.count_all_packs(6, soon).await.unwrap().lost(), 1, "the next process too");
    store.objects.lock().unwrap().insert(names[0].0.clone(), taken);
    assert_eq!((vault.count_all_packs(6, soon).await.unwrap().lost(), vault.lost().packs), (0, 0));
    let whole = store.objects.lock().unwrap().insert(names[3].0.clone(), Bytes::from_static(b"junk")).unwrap();
    let seen = vault.count_all_packs(6, soon).await.unwrap();
    assert_eq!((seen.lost(), seen.short.as_slice()), (1, &[names[3].0.clone()][..]));
    let (tried, failed) = vault.try_packs(4, 1000).await.unwrap();
    assert!(tried == 4 && failed.len() == 1 && failed[0].to_string().contains(&names[3].0), "{failed:?}");
    assert_eq!(vault.try_packs(4, 2).await.unwrap().0, 2, "two that lie evenly among four");
    store.objects.lock().unwrap().insert(names[3].0.clone(), whole);
    // An erasure says what it takes before it does, and the state after it.
    let place = (4, day("2026-11-21"));
    let taking = Places::from([(place, BTreeSet::from([id(4)]))]);
    vault.intend(&Intent { taking: taking.clone(), ..of_person_one() }).await.unwrap();
    vault.erase(4, today(), &HashSet::from([id(4)])).await.unwrap();
    assert_eq!(vault.count_all_packs(6, soon).await.unwrap().lost(), 0);
    vault.fulfilled(&of_person_one()).await.unwrap();
    vault.change_state(|state| state.taken = taking).await.unwrap();
    assert_eq!(vault.count_all_packs(6, soon).await.unwrap().lost(), 0);
    let later = by("2026-12-21T00:00:01Z");
    vault.expire(later.0, later.1, &Keep::Nothing).await.unwrap();
    assert_eq!(vault.count_all_packs(6, later).await.unwrap(), PacksSeen { packs: 1, ..PacksSeen::default() });
}

#[tokio::test]
async fn a_vault_that_keeps_things_and_does_not_say_whose_is_damaged() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let _packs = vault.put(3, today(), vec![apart(&[1])]).await.unwrap();
    for with_state in [true, false] {
        store.objects.lock().unwrap().remove(&format!("{LOG}/owner")).unwrap();
        let error = open(&store).is_owned_by("key of the log").await.unwrap_err().to_string();
        assert!(error.contains("`audit/owner`: it is not there, and other objects of the vault are"), "{error}");
        if !with_state {
            store.objects.lock().unwrap().remove(&format!("{LOG}/state")).unwrap();
        }
        open(&store).mend_owner("another key").await.unwrap();
        assert!(open(&store).is_owned_by("key of the log").await.is_err(), "only its own log mends it");
        open(&store).mend_owner("key of the log").await.unwrap();
        assert_eq!(open(&store).is_owned_by("key of the log").await.is_ok_and(|owned| owned), with_state);
    }
}

#[tokio::test]
async fn the_vault_of_another_log_or_under_another_key_is_refused() {
    let store = memory(false);
    claimed(&store).await;
    let other = open(&store).claim("another key").await.unwrap_err();
    assert!(matches!(&other, VaultError::OtherLog { found, .. } if found == "key of the log"), "{other}");
    let options = Options { store: store.clone(), log: LOG.into(), key: VaultKey::new(&[8; 32]) };
    let other = Vault::new(options).claim("key of the log").await.unwrap_err();
    assert!(matches!(other, VaultError::OtherKey { .. }), "{other}");
    assert!(Vault::exists(store.as_ref(), LOG).await.unwrap() && !Vault::exists(store.as_ref(), "aud").await.unwrap());
}

/// Scenario: someone who can write to the vault swaps, copies and shortens objects. Guarantee: none of it is taken for content.
#[tokio::test]
async fn a_changed_place_is_refused() {
    let store = memory(false);
    let vault = claimed(&store).await;
    let first = vault.put(1, today(), vec![apart(&[1])]).await.unwrap().0.remove(0).0;
    let second = vault.put(2, today(), vec![apart(&[2])]).await.unwrap().0.remove(0).0;
    let swapped = store.objects.lock().unwrap()[&first].clone();
    store.objects.lock().unwrap().insert(second, swapped);
    let found = vault.content(2, today(), id(1)).await.unwrap();
    assert!(found.entries.is_empty() && matches!(found.problems[..], [VaultError::Damaged { .. }]), "{:?}", found.problems);
}

#[tokio::test]
async fn a_folder_keeps_the_contract_and_is_the_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("above/vault");
    let store = open_place(&StoreUrl::File(root.clone()), &crate::worm::StoreOptions::default()).await.unwrap();
    assert!(!Vault::exists(store.as_ref(), LOG).await.unwrap() && !root.exists(), "looking makes nothing");
    let vault = Vault::new(Options { store: Arc::clone(&store), log: LOG.into(), key: VaultKey::new(&[7; 32]) });
    vault.claim("owner").await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for made in [folder.path().join("above"), root.clone(), root.join(LOG), root.join("_tmp"), root.join("_locks")] {
        assert_eq!(mode(&made), 0o700, "{}", made.display());
    }
    assert_eq!((mode(&root.join(LOG).join("owner")), mode(&root.join("_locks").join(LOG))), (0o600, 0o600));
    assert_eq!(open_to_others(&root), None);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o750)).unwrap();
    let told = open_to_others(&root).unwrap();
    assert!(told.contains("is open to others (mode 750); run `chmod 700"), "{told}");
    assert!(vault.clone().0.store.claim(LOG).await.is_err(), "one writer");
    let _packs = vault.put(3, today(), vec![apart(&[1, 2])]).await.unwrap();
    vault.erase(3, today(), &HashSet::from([id(1)])).await.unwrap();
    assert_eq!(content(&vault, 3, 2).await, [said(2)]);
    vault.erase(3, today(), &HashSet::from([id(2)])).await.unwrap();
    let key = ObjectKey(format!("{LOG}/none"));
    store.delete(&key).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert!(store.list(&format!("{LOG}/packs/"), None, 10).await.unwrap().is_empty());
}
