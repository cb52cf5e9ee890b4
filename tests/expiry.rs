//! Promise: on a real server what is past its date goes, by the bucket's own rule, and the log still verifies and says so; what a hold or an
//! extension keeps cannot go, and where it is gone all the same that is found.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use spanseal::clock::{Clock, SystemClock, UnixSeconds};
use spanseal::verify::{Options, Report, Verdict, verify};
use spanseal::worm::s3::S3Store;
use spanseal::worm::{Condition, Lock, Locks, Mode, ObjectKey, Version, WormStore, seal_key};

use crate::partial_tiles::xml;
use crate::support::forge::{Forge, LOG, kinds, notes};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use crate::tamper_matrix::decrees::{EXTENDED, HELD, LONGER, PAST, RELEASED, made};

/// The log of the tampering matrix in a bucket: all that seals promise is past for who verifies, and over within seconds for the server.
struct Real {
    server: &'static S3Server,
    bucket: String,
    store: Arc<S3Store>,
    forge: Forge,
}

impl Real {
    async fn new(server: &'static S3Server) -> Self {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = Arc::new(S3Store::open(&bucket, "evidence", server.options()).await.unwrap());
        let forge = made(Locks::Enforced).await;
        let soon = Lock { mode: Mode::Governance, retain_until: UnixSeconds(SystemClock.now().ceil_seconds().0 + 2) };
        // With the records that say so.
        let of = |seals: &[usize]| -> Vec<ObjectKey> {
            seals.iter().flat_map(|seal| [forge.segment_key(*seal), seal_key(LOG, *seal as u64)]).collect()
        };
        let (held, longer) = (of(&[HELD, 4, 5]), of(&[LONGER, 7]));
        for key in forge.store.keys() {
            let bytes = forge.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
            let free = key.as_str().ends_with("/checkpoint") || key.as_str().contains(".p/");
            let lock = if longer.contains(&key) { EXTENDED } else { soon };
            let version = store.put(&key, bytes, Condition::Any, (!free).then_some(lock)).await.unwrap();
            if held.contains(&key) {
                store.hold(&key, version.as_ref(), true).await.unwrap();
            }
        }
        Real { server, bucket, store, forge }
    }

    async fn verify(&self) -> Report {
        verify(self.store.as_ref(), &Options { now: PAST, ..self.forge.options() }).await
    }

    fn path(&self, version: &Version) -> String {
        format!("/{}/evidence/{}?versionId={}", self.bucket, version.key, version.id.as_ref().unwrap().0)
    }

    /// Deletes one version, or is told why not.
    async fn delete(&self, version: &Version) -> StatusCode {
        self.server.raw(Raw::new(Method::DELETE, self.path(version))).await.status
    }

    async fn versions(&self, key: &ObjectKey) -> Vec<Version> {
        self.store.versions(key).await.unwrap()
    }

    async fn data(&self, key: &ObjectKey) -> Vec<Version> {
        self.versions(key).await.into_iter().filter(|v| !v.is_delete_marker).collect()
    }

    /// The report without the markers that the bucket's rules put over what is kept, which are taken away: RGW may be carrying out a rule that is gone
    /// still, and hides what it may not delete once more.
    async fn settled(&self, keys: &[ObjectKey]) -> Report {
        let settled = async {
            loop {
                let report = self.verify().await;
                if !kinds(&report).contains(&"hidden") {
                    return report;
                }
                for key in keys {
                    for marker in self.versions(key).await.iter().filter(|v| v.is_delete_marker) {
                        assert!(self.delete(marker).await.is_success());
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), settled).await.expect("nothing puts markers any more")
    }

    /// The shipped rule for a class, enabled and with the least of days.
    fn rule(&self) -> String {
        let text = include_str!("../collector-config/bucket/lifecycle.json");
        let text = text.replace("${PREFIX}", "evidence/").replace("${LOG}", LOG);
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of = |id: &str| {
            let mut rule = all["Rules"].as_array().unwrap().iter().find(|rule| rule["ID"] == id).unwrap().clone();
            rule["Status"] = "Enabled".into();
            if !rule["Expiration"]["Days"].is_null() {
                rule["Expiration"]["Days"] = 1.into();
            }
            format!("<Rule>{}</Rule>", xml(&rule))
        };
        let rules = of("segments-after-their-time") + &of("markers-over-segments-that-are-gone");
        format!("<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_date_goes_and_what_is_kept_stays() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        let (kind, key) = (server.kind, |seal: usize| real.forge.segment_key(seal));
        let report = real.verify().await;
        assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec![]), "{kind:?}: {}", report.to_text());
        if kind == Kind::Rgw {
            // A day is two seconds there. It puts a marker over everything of the class, and then deletes what nothing keeps.
            let call = Raw::new(Method::PUT, format!("/{}?lifecycle=", real.bucket)).body(real.rule());
            server.raw(call).await.expect_ok();
            let done = async {
                while !real.versions(&key(RELEASED)).await.is_empty()
                    || !real.versions(&key(8)).await.is_empty()
                    || real.versions(&key(HELD)).await.len() < 2
                    || real.versions(&key(LONGER)).await.len() < 2
                {}
            };
            tokio::time::timeout(Duration::from_secs(120), done).await.expect("the server carries its rules out");
            server.raw(Raw::new(Method::DELETE, format!("/{}?lifecycle=", real.bucket))).await.expect_ok();
            let hidden = real.verify().await;
            assert_eq!(kinds(&hidden), ["hidden"; 2], "{kind:?}: {}", hidden.to_text());
        } else {
            for seal in [RELEASED, 8] {
                let version = real.data(&key(seal)).await.remove(0);
                let gone = async { while !real.delete(&version).await.is_success() {} };
                tokio::time::timeout(Duration::from_secs(60), gone).await.expect("its date is past");
            }
        }
        let report = real.settled(&[key(HELD), key(LONGER)]).await;
        assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["segment_expired"]), "{kind:?}: {}", report.to_text());
        let expired = &report.logs[0].expired;
        assert_eq!((expired.len(), expired[0].segments, expired[0].records), (1, 2, 5), "{kind:?}");

        for seal in [HELD, LONGER] {
            for version in [real.data(&key(seal)).await.remove(0), real.data(&seal_key(LOG, seal as u64)).await.remove(0)] {
                let refused = real.delete(&version).await;
                if kind == Kind::Versity && seal == HELD {
                    // It forgets a legal hold once the date is past, and root may delete. What it let go is found.
                    assert!(refused.is_success(), "Versity keeps what is on hold now: demand it here");
                    continue;
                }
                assert!(refused.is_client_error(), "{kind:?}: {} of seal {seal} was deleted: {refused}", version.key);
            }
        }
        if kind == Kind::Versity {
            assert_eq!(kinds(&real.verify().await), ["seal_missing"], "{}", real.verify().await.to_text());
            continue;
        }
        assert_eq!(kinds(&real.settled(&[key(HELD), key(LONGER)]).await), [""; 0], "{kind:?}");
        // Whoever may take a hold off can delete what it kept; both are found.
        let version = real.data(&key(HELD)).await.remove(0);
        real.store.hold(&key(HELD), version.id.as_ref(), false).await.unwrap();
        assert_eq!(kinds(&real.settled(&[key(HELD), key(LONGER)]).await), ["hold_missing"], "{kind:?}");
        assert!(real.delete(&version).await.is_success(), "{kind:?}");
        let report = real.settled(&[key(HELD), key(LONGER)]).await;
        assert_eq!(kinds(&report), ["segment_missing"], "{kind:?}: {}", report.to_text());
    }
}
