//! Partial tiles pile up, one of each size that is published, and spanseal deletes nothing. What it does: those that are soon of no use carry a
//! tag, and an operator's lifecycle rule takes them. Whatever such a rule takes, the log stays whole and standard clients read it.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use spanseal::clock::{Clock, SystemClock};
use spanseal::seal::keys::LogKey;
use spanseal::seal::{SealerTask, start};
use spanseal::tlog::TreeSize;
use spanseal::tlog::tile::partials;
use spanseal::verify::{Options, Report, Verdict, verify};
use spanseal::worm::canary::Probed;
use spanseal::worm::memory::CreateOnly;
use spanseal::worm::s3::S3Store;
use spanseal::worm::{ObjectKey, Tag, WormStore, below};

use crate::support::forge::notes;
use crate::support::log::{LOG, ORIGIN, TestLog};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use crate::support::tlog_client::Held;

async fn report(store: &dyn WormStore, now: spanseal::clock::UnixSeconds) -> Report {
    let options = Options { pinned: vec![LogKey::ephemeral(ORIGIN, [5; 32]).unwrap().verifier().clone()], ..Options::new(now) };
    verify(store, &options).await
}

/// Size of the tree that a client of other hands reads out of the store, or why it cannot.
async fn walk(store: &dyn WormStore) -> Result<u64, String> {
    Held::of(store, LOG).await.walk(TestLog::key().verifier()).map(|(size, _)| size)
}

fn is_level_0(key: &ObjectKey) -> bool {
    key.as_str().contains(".p/") && ["/tile/0/", "/tile/entries/"].iter().any(|folder| key.as_str().contains(folder))
}

/// Keys of the partial tiles of level 0 of a size.
fn newest(size: u64) -> Vec<ObjectKey> {
    let tile = partials(TreeSize(size)).find(|tile| tile.level() == 0);
    tile.into_iter().flat_map(|tile| [below(LOG, &tile.path()), below(LOG, &tile.entries_path())]).collect()
}

async fn published(log: &TestLog, task: &mut SealerTask, size: u64) -> u64 {
    task.status.wait_for(|status| status.tree_size >= size).await.unwrap();
    loop {
        // Time is paused: it passes when everybody waits.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Ok(read) = walk(&log.store).await
            && read >= size
        {
            return read;
        }
    }
}

/// Scenario: a log with heartbeats publishes some hundred sizes, and lifecycle rules take what has the tag: all but the newest, then that
/// too, then again after the writer has stopped. Guarantee: only partial tiles of level 0 ever go; while the newest are there, clients read
/// all of the log; without them `verify` notes it and finds nothing, and the next publication mends it; a writer that stops leaves nothing
/// that may go.
#[tokio::test(start_paused = true)]
async fn rules_take_only_what_nobody_needs() {
    let log = TestLog::new(CreateOnly::Honoured);
    let mut options = log.options(&log.store.process());
    options.heartbeat = Some(Duration::from_secs(60));
    let (_handle, mut task) = start(options).await.unwrap();
    let now = || log.clock.now().ceil_seconds();
    let size = published(&log, &mut task, 300).await;
    let partial: Vec<ObjectKey> = log.store.keys().into_iter().filter(is_level_0).collect();
    assert_eq!(log.store.tagged(Tag::PARTIAL), partial);
    assert!(partial.len() > 500, "{}", partial.len());

    let others = |keys: Vec<ObjectKey>| keys.into_iter().filter(|key| !is_level_0(key)).collect::<Vec<_>>();
    let kept = others(log.store.keys());
    log.store.expire(Tag::PARTIAL, &newest(size));
    assert_eq!(log.store.tagged(Tag::PARTIAL), newest(size));
    assert_eq!(others(log.store.keys()), kept);
    assert_eq!(walk(&log.store).await, Ok(size));
    let seen = report(&log.store, now()).await;
    assert_eq!((seen.verdict, notes(&seen).contains(&"tile_absent")), (Verdict::Verified, false), "{}", seen.to_text());

    log.store.expire(Tag::PARTIAL, &[]);
    assert!(walk(&log.store).await.is_err());
    let seen = report(&log.store, now()).await;
    assert_eq!((seen.verdict, notes(&seen).contains(&"tile_absent")), (Verdict::Verified, true), "{}", seen.to_text());
    let size = published(&log, &mut task, size + 1).await;

    // Half-way through a rule: markers lie over versions that are still there.
    for key in log.store.tagged(Tag::PARTIAL) {
        log.store.delete(&key);
    }
    let seen = report(&log.store, now()).await;
    assert_eq!(seen.verdict, Verdict::Verified, "{}", seen.to_text());
    published(&log, &mut task, size + 1).await;

    task.drain().await.unwrap();
    log.store.expire(Tag::PARTIAL, &[]);
    let seen = report(&log.store, now()).await;
    assert_eq!((seen.verdict, notes(&seen).contains(&"tile_absent")), (Verdict::Verified, false), "{}", seen.to_text());
    assert_eq!(walk(&log.store).await, Ok(seen.logs[0].seals));
}

/// The lifecycle configuration that the README shows, for a log `audit` in `evidence/` of a bucket, as S3 takes it.
fn rules() -> String {
    let readme = include_str!("../README.md");
    let block =
        readme.split("```json\n").map(|rest| rest.split("```").next().unwrap()).find(|block| block.contains("\"spanseal\"")).unwrap();
    let rules: serde_json::Value = serde_json::from_str(block).unwrap();
    let xml = rules["Rules"].as_array().unwrap().iter().map(|rule| format!("<Rule>{}</Rule>", xml(rule))).collect::<String>();
    assert!(xml.contains("prod/prod/tile/"), "{xml}");
    let xml = xml.replace("prod/prod/", &format!("evidence/{LOG}/"));
    format!("<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{xml}</LifecycleConfiguration>")
}

/// The AWS command line's JSON as the XML that it makes of it.
pub(crate) fn xml(value: &serde_json::Value) -> String {
    let Some(members) = value.as_object() else { return value.to_string().trim_matches('"').to_owned() };
    // The order of S3's schema.
    let order = ["ID", "Prefix", "Key", "Filter", "Status"];
    let mut names: Vec<&String> = members.keys().collect();
    names.sort_by_key(|name| order.iter().position(|known| known == name).unwrap_or(order.len()));
    let element = |name: &String| match &members[name] {
        serde_json::Value::Array(tags) => tags.iter().map(|tag| format!("<Tag>{}</Tag>", xml(tag))).collect(),
        inner => format!("<{name}>{}</{name}>", xml(inner)),
    };
    names.into_iter().map(element).collect()
}

/// Scenario: a log on each real server, under the README's rules where the server has such; Ceph carries them out (a day is two seconds
/// there), elsewhere an operator deletes what they name, version by version. Guarantee: the server keeps the tag, on partial tiles of level 0
/// alone; the rules take those and nothing else; nothing is found, and a client of other hands reads the log.
#[tokio::test(flavor = "multi_thread")]
async fn rules_work_on_real_servers() {
    for server in S3Server::all() {
        let kind = server.kind;
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = Arc::new(S3Store::open(&bucket, "evidence", server.options()).await.unwrap());
        let log = TestLog::new(CreateOnly::Honoured);
        let mut options = log.options(&log.store);
        options.store = Arc::clone(&store) as Arc<dyn WormStore>;
        options.clock = Arc::new(SystemClock);
        options.heartbeat = Some(Duration::from_millis(20));
        options.publish_interval = Duration::from_millis(100);
        options.fence = Duration::from_millis(300);
        let (_handle, mut task) = start(options).await.unwrap();
        task.status.wait_for(|status| status.tree_size >= 40).await.unwrap();
        task.drain().await.unwrap();
        assert_eq!(store.tags_refused(), None, "{kind:?}");

        let listed = store.list("", None, 10_000).await.unwrap();
        let last = newest(report(store.as_ref(), SystemClock.now().ceil_seconds()).await.logs[0].seals);
        let mut tagged = Vec::new();
        for version in &listed {
            let has = store.has_tag(&version.key, version.id.as_ref(), Tag::PARTIAL).await.unwrap();
            let may = is_level_0(&version.key) && !last.contains(&version.key);
            assert!(if has { is_level_0(&version.key) } else { !may }, "{kind:?}: {} {has}", version.key);
            tagged.extend(has.then_some(version));
        }
        assert!(tagged.len() >= 4, "{kind:?}: {}", tagged.len());

        let set = server.raw(Raw::new(Method::PUT, format!("/{bucket}?lifecycle=")).body(rules())).await;
        let unknown = set.status == StatusCode::NOT_IMPLEMENTED || kind == Kind::Versity;
        assert!(unknown || set.status.is_success(), "{kind:?}: {} {}", set.status, set.body);
        if kind == Kind::Rgw {
            let keys: Vec<&ObjectKey> = tagged.iter().map(|version| &version.key).filter(|key| !last.contains(key)).collect();
            let gone =
                async { while store.list(&format!("{LOG}/tile/"), None, 10_000).await.unwrap().iter().any(|v| keys.contains(&&v.key)) {} };
            tokio::time::timeout(Duration::from_secs(120), gone).await.expect("the server carries its rules out");
        } else {
            for version in &tagged {
                let id = version.id.as_ref().unwrap();
                let path = format!("/{bucket}/evidence/{}?versionId={}", version.key, id.0);
                server.raw(Raw::new(Method::DELETE, path)).await.expect_ok();
            }
        }
        let left = store.list("", None, 10_000).await.unwrap();
        let tags: Vec<_> = tagged.iter().map(|v| (&v.key, &v.id)).collect();
        // Of a pointer the rules take what is no longer current.
        let kept = listed.iter().filter(|v| !tags.contains(&(&v.key, &v.id)) && !v.key.as_str().ends_with("/checkpoint"));
        for version in kept {
            let there: Vec<_> = left.iter().filter(|l| l.key == version.key).collect();
            assert!(there.iter().any(|l| **l == *version), "{kind:?}: {version:?} {there:?} of {}", left.len());
        }
        let seen = report(store.as_ref(), SystemClock.now().ceil_seconds()).await;
        assert_eq!((seen.verdict, notes(&seen).contains(&"tile_absent")), (Verdict::Verified, false), "{kind:?}: {}", seen.to_text());
        assert_eq!(walk(store.as_ref()).await, Ok(seen.logs[0].seals), "{kind:?}");
    }
}
