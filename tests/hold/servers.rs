//! On real Object Lock servers and in a local folder, through the command line, while `serve` runs.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use spanseal::clock::UnixSeconds;
use spanseal::tlog::Hash;
use spanseal::tlog::seal_file::SealFile;
use spanseal::worm::s3::S3Store;
use spanseal::worm::{Condition, Lock, Mode, ObjectKey, SEAL_BYTES_MAX, WormStore, below, cosignature_name, seal_key};

use crate::erase::{ALICE, BOB, SUBJECT, found, send, span};
use crate::support::receiver::{Finished, Options, Receiver, Site};
use crate::support::s3::{Bucket, Raw, S3Server};
use crate::support::{eventually, runtime};

const LOG: &str = "spanseal";

/// A log in a bucket, and a look at its objects with nobody in between.
struct Rig {
    server: &'static S3Server,
    bucket: String,
    site: Site,
    store: Arc<S3Store>,
    runtime: tokio::runtime::Runtime,
}

fn with_port(site: Site) -> Site {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let api = "api: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(api));
    std::fs::write(&site.config, yaml.replace(api, &format!("api: {{endpoint: '127.0.0.1:{port}'}}"))).unwrap();
    site
}

fn rig(server: &'static S3Server) -> Rig {
    let runtime = runtime();
    let (bucket, store) = runtime.block_on(async {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = Arc::new(S3Store::open(&bucket, "evidence", server.options()).await.unwrap());
        (bucket, store)
    });
    let env = server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let site = Site::with(Options {
        store: format!("s3://{bucket}/evidence"),
        identity: "mode: keyed, ".into(),
        more: "content: {mode: hash}".into(),
        env,
        ..Options::default()
    });
    Rig { server, bucket, site: with_port(site), store, runtime }
}

impl Rig {
    fn seal(&self, index: u64) -> SealFile {
        self.runtime.block_on(async {
            let key = seal_key(LOG, index);
            let bytes = self.store.get(&key, None, SEAL_BYTES_MAX).await.unwrap().unwrap();
            SealFile::parse(&bytes).unwrap()
        })
    }

    /// As a witness would, for who does not ask who it is.
    fn cosign(&self, index: u64) -> ObjectKey {
        let note = self.seal(index).checkpoint.into_bytes();
        let key = below(LOG, &cosignature_name(index, &Hash::of(&note).to_string()));
        let lock = Lock { mode: Mode::Governance, retain_until: UnixSeconds(2_000_000_000) };
        self.runtime.block_on(self.store.put(&key, Bytes::from(note), Condition::CreateOnly, Some(lock))).unwrap();
        key
    }

    /// Keys below the log of all objects with a legal hold, but for the records of holds themselves, which are held as long as these are open.
    fn held(&self) -> BTreeSet<String> {
        let own: BTreeSet<String> = found(&self.site, &["--kind", "hold"])
            .iter()
            .flat_map(|hit| [hit["segment"].as_str().unwrap().to_owned(), seal_name(hit["seal"].as_u64().unwrap())])
            .collect();
        self.all_held().difference(&own).cloned().collect()
    }

    /// Keys below the log of all objects with a legal hold.
    fn all_held(&self) -> BTreeSet<String> {
        self.runtime.block_on(async {
            let mut held = BTreeSet::new();
            for version in self.store.list(&format!("{LOG}/"), None, 10_000).await.unwrap() {
                let head = self.store.head(&version.key, version.id.as_ref()).await.unwrap();
                if head.is_some_and(|head| head.legal_hold) {
                    held.insert(version.key.as_str().strip_prefix("spanseal/").unwrap().to_owned());
                }
            }
            held
        })
    }

    fn lock(&self, key: &str) -> Lock {
        self.runtime.block_on(self.store.head(&below(LOG, key), None)).unwrap().unwrap().lock.unwrap()
    }

    /// The segment of the record of a trace, and its seal.
    fn of_trace(&self, trace: u8) -> (String, u64) {
        let hits = found(&self.site, &["--trace-id", &format!("{trace:032x}")]);
        (hits[0]["segment"].as_str().unwrap().to_owned(), hits[0]["seal"].as_u64().unwrap())
    }
}

fn seal_name(index: u64) -> String {
    format!("seals/{index:020}.json")
}

fn ask(site: &Site, arguments: &[&str]) -> Value {
    let done = site.run(&[arguments, &["--format", "json"]].concat()).success();
    serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done}"))
}

fn place(site: &Site, matter: &str, whom: &[&str]) -> Value {
    ask(site, &[&["hold", "place", "--matter", matter, "--reason", "file 12 O 34/26", "--ticket", "T-1"], whom].concat())
}

fn say(receiver: &Receiver, trace: u8, who: &'static str) {
    send(receiver, &[span(trace, 1, "said", &[(SUBJECT, who)])]);
}

/// Scenario: on each server, holds on one person's and on all records while `serve` runs; more is sent; `serve` is started anew; the holds are
/// released, and one person's records kept longer. Guarantee: what is held and extended is, object by object, as the store itself shows it,
/// with the seal, the cosignature and the seals that join them; the hold withstands the governance bypass; what comes later is held too, and
/// nobody else's; a release lifts what no other hold needs; all of it is on record, and the log verifies.
#[test]
fn a_hold_is_on_every_object_that_it_needs_and_on_no_other() {
    for server in S3Server::all() {
        let rig = rig(server);
        let (site, what) = (&rig.site, format!("{:?}", server.kind));
        let receiver = site.serve();
        say(&receiver, 1, ALICE);
        say(&receiver, 2, BOB);
        let ((of_alice, alice), (of_bob, bob)) = (rig.of_trace(1), rig.of_trace(2));
        assert_eq!(bob, alice + 1, "{what}");
        let said = rig.cosign(bob).as_str().strip_prefix("spanseal/").unwrap().to_owned();

        let dry = ask(site, &["hold", "place", "--matter", "A", "--reason", "x", "--subject", ALICE, "--dry-run"]);
        assert_eq!((&dry["records"], &dry["segments"], &dry["dry_run"]), (&json!(1), &json!(1), &json!(true)), "{what} {dry}");
        assert_eq!(rig.held(), BTreeSet::new(), "{what}");
        let held = place(site, "A", &["--subject", ALICE]);
        assert_eq!((&held["segments"], &held["objects_already"], &held["locks"]), (&json!(1), &json!(0), &json!(true)), "{what} {held}");
        let of_a: BTreeSet<String> = [of_alice.clone(), seal_name(alice), seal_name(bob), said.clone()].into();
        assert_eq!(rig.held(), of_a, "{what}");
        // Not even whoever may bypass governance deletes it.
        let version = rig.runtime.block_on(rig.store.versions(&below(LOG, &of_alice))).unwrap()[0].id.clone().unwrap();
        let path = format!("/{}/evidence/{LOG}/{of_alice}?versionId={}", rig.bucket, version.0);
        let delete = Raw::new(Method::DELETE, path).header("x-amz-bypass-governance-retention", "true");
        let refused = rig.runtime.block_on(server.raw(delete));
        assert!(refused.status.is_client_error(), "{what}: {}", refused.status);

        // Again: it is open. Gone on with, there is nothing left to do.
        let again = site.run(&["hold", "place", "--matter", "A", "--reason", "x", "--subject", BOB]);
        assert!(again.status.code() == Some(2) && again.stderr.contains("open already"), "{what} {again}");
        let resumed = place(site, "A", &["--resume"]);
        assert_eq!(resumed["objects_changed"], 0, "{what} {resumed}");
        place(site, "B", &["--subject", BOB]);
        let of_b = [of_bob.clone()];
        assert_eq!(rig.held(), of_a.iter().cloned().chain(of_b).collect(), "{what}");

        let list = ask(site, &["hold", "list"]);
        let of = |list: &Value, nth: usize| {
            let hold = &list["holds"][nth];
            (hold["matter"].as_str().unwrap().to_owned(), hold["segments"].as_u64().unwrap(), hold["reason"].as_str().unwrap().to_owned())
        };
        let reason = "file 12 O 34/26".to_owned();
        assert_eq!((of(&list, 0), of(&list, 1)), (("A".into(), 1, reason.clone()), ("B".into(), 1, reason)), "{what} {list}");
        assert!(
            !list.to_string().contains("alice") && list["holds"][0]["query"]["subject"][0].as_str().unwrap().starts_with("ps:"),
            "{list}"
        );
        let text = site.run(&["hold", "list"]).success().stdout;
        assert!(text.contains("file 12 O 34/26") && !text.contains("alice"), "{text}");

        ask(site, &["hold", "release", "--matter", "A", "--reason", "settled"]);
        assert_eq!(rig.held(), [of_bob.clone(), seal_name(bob), said.clone()].into(), "{what}");

        // What comes later.
        say(&receiver, 3, BOB);
        say(&receiver, 4, ALICE);
        let (later, later_seal) = rig.of_trace(3);
        assert!(receiver.stop().success(), "{what}");
        let mut receiver = site.serve();
        eventually("the later one is held", || rig.held().contains(&later).then_some(()));
        let all = rig.held();
        assert!(all.contains(&seal_name(later_seal)) && !all.contains(&rig.of_trace(4).0) && !all.contains(&of_alice), "{what} {all:?}");
        let own = found(site, &["--kind", "hold"]);
        let own = own.iter().filter(|hit| hit["record"]["control"]["target"] == "B").map(|hit| hit["segment"].as_str().unwrap().to_owned());
        let own: BTreeSet<String> = own.collect();
        eventually("the records of B are held", || own.is_subset(&rig.all_held()).then_some(()));
        ask(site, &["hold", "release", "--matter", "B", "--reason", "settled"]);
        eventually("nothing is held", || rig.all_held().is_empty().then_some(()));
        let again = ask(site, &["hold", "release", "--matter", "B", "--reason", "settled"]);
        assert_eq!(again["objects_lifted"], 0, "{what} {again}");
        let list = ask(site, &["hold", "list"]);
        assert_eq!((&list["holds"], &list["released_not_lifted"]), (&json!([]), &json!([])), "{what} {list}");

        extended(&rig, &of_alice, (alice, bob), &said, &of_bob);
        receiver.assert_healthy();
        assert!(receiver.stop().success(), "{what}");
        let acts: Vec<String> =
            found(site, &["--kind", "hold"]).iter().map(|hit| hit["record"]["control"]["act"].as_str().unwrap().to_owned()).collect();
        let times = |act: &str| acts.iter().filter(|found| *found == act).count();
        assert_eq!((times("place"), times("release")), (2, 2), "{what} {acts:?}");
        assert!(times("apply") >= 3, "{what} {acts:?}");
        site.verified();
    }
}

fn extended(rig: &Rig, of_alice: &str, (alice, bob): (u64, u64), said: &str, of_bob: &str) {
    let (site, what) = (&rig.site, format!("{:?}", rig.server.kind));
    let before = rig.lock(of_bob);
    let extend = ["retention", "extend", "--subject", ALICE, "--trace-id", &format!("{:032x}", 1), "--reason", "claim"];
    let refused = site.run(&[&extend[..], &["--for", "11y", "--mode", "COMPLIANCE", "--yes"]].concat());
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("compliance_ceiling"), "{what} {refused}");
    let asks = site.run(&[&extend[..], &["--for", "1y"]].concat());
    assert!(asks.status.code() == Some(2) && asks.stderr.contains("--yes"), "{what} {asks}");
    let done = ask(site, &[&extend[..], &["--until", "2028-12-31", "--yes"]].concat());
    let until = UnixSeconds::parse("2029-01-01T00:00:00Z").unwrap();
    assert_eq!((&done["segments"], &done["until"]), (&json!(1), &json!(until.to_string())), "{what} {done}");
    for key in [of_alice, &seal_name(alice), &seal_name(bob), said] {
        let lock = rig.lock(key);
        assert!(lock.retain_until >= until, "{what}: {key}: {lock:?}");
    }
    assert_eq!(rig.lock(of_alice).mode, Mode::Governance, "{what}");
    assert_eq!(rig.lock(of_bob), before, "{what}");
    // Less is nothing to do, and shortens nothing.
    let less = ask(site, &[&extend[..], &["--for", "200d", "--yes"]].concat());
    assert_eq!(less["objects_changed"], 0, "{what} {less}");
    assert!(rig.lock(of_alice).retain_until >= until, "{what}");
    let raise = site.run(&[&extend[..], &["--for", "200d", "--mode", "COMPLIANCE", "--yes", "--format", "json"]].concat());
    if raise.status.success() {
        for key in [of_alice, &seal_name(alice), said] {
            let lock = rig.lock(key);
            assert!(lock.mode == Mode::Compliance && lock.retain_until >= until, "{what}: {key}: {lock:?}");
        }
    } else {
        // Ceph RGW and MinIO want the bypass for that.
        assert!(raise.stderr.contains("extend without --mode COMPLIANCE") && raise.stderr.contains("--give-up"), "{raise}");
        let list = ask(site, &["hold", "list"]);
        let id = list["extensions"][0]["matter"].as_str().unwrap();
        site.run(&["retention", "extend", "--resume", id, "--give-up", "--reason", "not here", "--yes"]).success();
        assert_eq!(ask(site, &["hold", "list"])["extensions"], json!([]));
    }
    let nobody = site.run(&[&extend[..4], &["--model", "none", "--reason", "x", "--for", "1y", "--yes"]].concat());
    assert_eq!(nobody.status.code(), Some(1), "{what} {nobody}");
}

/// Scenario: a local folder, where nothing is locked, with no `serve` running. Guarantee: the hold and the extension are on record, with the
/// segments that they mean and persons by pseudonym only; and it is said plainly that nothing keeps them from being deleted.
#[test]
fn in_a_folder_there_are_records_alone() {
    let site = with_port(Site::local());
    let receiver = site.serve();
    say(&receiver, 1, ALICE);
    say(&receiver, 2, BOB);
    assert!(receiver.stop().success());
    let held = site.run(&["hold", "place", "--matter", "LH-1", "--reason", "file 12", "--person", ALICE]).success();
    assert!(held.stdout.contains("no locks") && held.stdout.contains("1 segment with 1 matching record"), "{held}");
    let filters = |kind: &str| -> Vec<Value> {
        let mut all = found(&site, &["--kind", kind]);
        all.sort_by_key(|hit| hit["seal"].as_u64());
        all.iter().map(|hit| serde_json::from_str(hit["record"]["control"]["filter"].as_str().unwrap()).unwrap()).collect()
    };
    let records = filters("hold");
    assert_eq!(records.iter().map(|entry| entry["step"].as_str().unwrap()).collect::<Vec<_>>(), ["open", "apply"]);
    assert_eq!(records[1]["segments"].as_array().unwrap().len(), 1);
    let person = records[0]["of"]["query"]["person"].as_array().unwrap();
    assert!(person.iter().all(|person| person.as_str().unwrap().starts_with("ps:vault:")), "{person:?}");
    let extended = ask(&site, &["retention", "extend", "--all", "--for", "3y", "--reason", "x", "--yes"]);
    assert_eq!((&extended["locks"], &extended["objects_changed"]), (&json!(false), &json!(0)));
    let records = filters("retention");
    assert_eq!(records.last().unwrap()["step"], "close");
    // Whatever the mode, and before anything is done.
    let longer = site.run(&["retention", "extend", "--all", "--for", "11y", "--reason", "x", "--dry-run"]);
    assert!(longer.status.code() == Some(2) && longer.stderr.contains("in GOVERNANCE no more than in COMPLIANCE"), "{longer}");
    let id = records.last().unwrap()["of"]["id"].as_str().unwrap();
    let over = site.run(&["retention", "extend", "--resume", id, "--reason", "x", "--yes"]).success();
    assert!(over.stdout.contains("was carried out to its end before, in seal "), "{over}");
    let never = site.run(&["retention", "extend", "--resume", "ext-none", "--reason", "x", "--yes"]);
    assert_eq!(never.status.code(), Some(1), "{never}");
    let nobody = site.run(&["hold", "place", "--matter", "LH-2", "--reason", "x", "--person", "carol@example.com"]);
    assert!(nobody.status.code() == Some(1) && nobody.stderr.contains("--person"), "{nobody}");
    let unclear = site.run(&["hold", "place", "--matter", "LH-2", "--reason", "for alice@example.com", "--all"]);
    assert!(unclear.status.code() == Some(2) && !unclear.stderr.contains("alice"), "{unclear}");
    let nothing = site.run(&["hold", "place", "--matter", "LH-2", "--reason", "x"]);
    assert_eq!(nothing.status.code(), Some(64), "{nothing}");
    let unknown: Finished = site.run(&["hold", "release", "--matter", "LH-2", "--reason", "x"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown}");
    ask(&site, &["hold", "release", "--matter", "LH-1", "--reason", "settled"]);
    site.verified();
}

/// Scenario: the lock of a segment is shortened by the governance bypass. Guarantee: `verify` finds it and names a command; that command, with the
/// id of a record in the segment, mends it, and the log verifies.
#[test]
fn the_command_that_verify_names_mends_a_lock() {
    for server in S3Server::all() {
        let rig = rig(server);
        let receiver = rig.site.serve();
        say(&receiver, 1, ALICE);
        assert!(receiver.stop().success());
        rig.site.verified();
        let (segment, _) = rig.of_trace(1);
        let version = rig.runtime.block_on(rig.store.versions(&below(LOG, &segment))).unwrap()[0].id.clone().unwrap();
        let path = format!("/{}/evidence/{LOG}/{segment}?retention=&versionId={}", rig.bucket, version.0);
        let soon = rig.lock(&segment).retain_until.0 - 100 * 86_400;
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>GOVERNANCE</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
            UnixSeconds(soon)
        );
        let shorten = Raw::new(Method::PUT, path).header("x-amz-bypass-governance-retention", "true").body(body);
        rig.runtime.block_on(server.raw(shorten)).expect_ok();
        let found = rig.site.run(&["verify", "--json"]);
        let report: Value = serde_json::from_str(&found.stdout).unwrap();
        let finding = &report["findings"][0];
        assert_eq!((&finding["kind"], &finding["object"]), (&json!("lock_weak"), &json!(segment)), "{:?} {found}", server.kind);
        let named = finding["meaning"].as_str().unwrap().split('`').find(|part| part.starts_with("spanseal retention extend")).unwrap();
        let record = self::found(&rig.site, &["--trace-id", &format!("{:032x}", 1)])[0]["record"]["id"].as_str().unwrap().to_owned();
        let command = named.replace("ID", &record).replace("TEXT", "mended") + " --yes";
        rig.site.run(&command.split(' ').skip(1).collect::<Vec<_>>()).success();
        rig.site.verified();
    }
}

/// Scenario: one record is on hold, one is kept longer, one is neither; then the record of the hold is taken away. Guarantee: `show` says what keeps
/// each, by which record, in words and for machines; a line of `query` names matter and reason; and what is not known is never told as nothing.
#[test]
fn a_story_says_what_keeps_its_records() {
    let site = with_port(Site::local());
    let receiver = site.serve();
    (1..=3).for_each(|trace| say(&receiver, trace, ALICE));
    assert!(receiver.stop().success());
    let trace = |n: u8| format!("{n:032x}");
    let shown = |n: u8| {
        let (text, json) = (site.run(&["show", &trace(n)]), site.run(&["show", &trace(n), "--json"]));
        let kept: Value = serde_json::from_str::<Value>(&json.stdout).unwrap()["kept"].clone();
        let words = text.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.status.code(), json.status.code());
        (words, kept, text.status.code())
    };
    let nothing = "No legal hold that is open and no extension is on record that keeps it beyond that.";
    assert!(shown(1).0.contains(nothing), "{}", shown(1).0);
    site.run(&["hold", "place", "--matter", "LH-1", "--reason", "file 12", "--trace-id", &trace(1)]).success();
    site.run(&["retention", "extend", "--trace-id", &trace(2), "--for", "3y", "--reason", "audit", "--yes"]).success();
    let placed = found(&site, &["--kind", "hold"]).into_iter().find(|hit| hit["record"]["control"]["act"] == "place").unwrap();
    let record = placed["record"]["id"].as_str().unwrap();

    let (words, kept, code) = shown(1);
    assert!(words.contains("is on legal hold for the matter \"LH-1\" since") && words.contains(&format!("by record {record}:")), "{words}");
    assert!(
        words.contains("The reason given is \"file 12\"") && words.contains("This store does not enforce it") && code == Some(0),
        "{words}"
    );
    let hold = &kept[0]["holds"][0];
    assert_eq!((&hold["matter"], &hold["means"], &hold["record"]), (&json!("LH-1"), &json!("record"), &json!(record)), "{kept}");
    let (words, kept, _) = shown(2);
    assert!(words.contains("is kept longer: until") && words.contains("by the extension \"ext-"), "{words}");
    assert_eq!((&kept[0]["extensions"][0]["carried_out"], &kept[0]["holds"]), (&json!(true), &json!([])), "{kept}");
    assert!(shown(3).0.contains(nothing));
    let table = site.run(&["query", "--kind", "hold"]).success().stdout;
    assert!(table.lines().any(|line| line.contains(" place ") && line.contains(" LH-1 ") && line.contains(" file 12 ")), "{table}");

    std::fs::remove_file(site.path("store/spanseal").join(placed["segment"].as_str().unwrap())).unwrap();
    let (words, kept, code) = shown(1);
    assert!(words.contains("whether a legal hold or an extension keeps it cannot be known here") && code == Some(2), "{words}");
    assert!(kept[0]["unknown"].is_string() && kept[0].get("holds").is_none(), "{kept}");
}
