//! A log that is served with authorities: one of two is enough, none holds anything up, and what is not good is not stored.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spanseal::clock::{Clock, ManualClock, UnixNanos, UnixSeconds};
use spanseal::seal::Status;
use spanseal::stamping::{Authority, Figures, Newest, Options, Parts, Stamper, Stamping};
use spanseal::timestamp::{Roots, verify};
use spanseal::tlog::merkle::{CompactRange, leaf_hash, root_of};
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::seal_file::{Counts, SealFile, Statement};
use spanseal::tlog::{Hash, TreeSize};
use spanseal::worm::memory::{MemoryOptions, MemoryStore};
use spanseal::worm::{Locks, WormStore};
use tokio::sync::watch;

use crate::support::log::{LOG, TestLog};
use crate::support::receiver::{self, Receiver, Site};
use crate::support::token::{self, granted};
use crate::support::tsa::{self, OpenSsl, Server};
use crate::support::{eventually, runtime};

const NOW: i64 = 1_800_000_000;

/// A log of which only the newest commit is known, with its authorities.
struct Scene {
    store: MemoryStore,
    clock: ManualClock,
    status: watch::Sender<Status>,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let clock = ManualClock::new(UnixNanos(u64::try_from(NOW).unwrap() * 1_000_000_000));
        let store = MemoryStore::new(Arc::new(clock.clone()), MemoryOptions { locks: Locks::Enforced, ..MemoryOptions::default() });
        Scene { store, clock, status: watch::channel(Status::default()).0, folder: tempfile::tempdir().unwrap() }
    }

    fn commit(&self, tree_size: u64) {
        let sealed_at = self.clock.now().ceil_seconds();
        self.status.send_replace(Status { tree_size, checkpoint: format!("checkpoint of {tree_size}\n"), sealed_at, records: tree_size });
    }

    fn authority(&self, url: String, root_pem: &str) -> Authority {
        let ca_file = self.folder.path().join(format!("{}.pem", Hash::of(root_pem.as_bytes())));
        std::fs::write(&ca_file, root_pem).unwrap();
        Authority { url, ca_file, tls_ca_file: None }
    }

    async fn start(&self, authorities: Vec<Authority>) -> (Stamping, Arc<Figures>) {
        let stamper = Stamper::open(&Options { authorities, interval: Duration::from_millis(50) }).await.unwrap();
        let figures = stamper.figures();
        let parts = Parts {
            store: Arc::new(self.store.clone()),
            log: LOG.into(),
            keys: vec![NoteSigner::new("x.test/test", &[1; 32]).unwrap().verifier().clone()],
            classes: TestLog { store: self.store.clone(), clock: self.clock.clone(), place: None }.classes(),
            clock: Arc::new(self.clock.clone()),
            status: self.status.subscribe(),
        };
        (stamper.start(parts), figures)
    }

    fn tokens(&self) -> Vec<String> {
        self.store.keys().into_iter().map(|k| k.0).filter(|k| k.contains("/timestamps/")).collect()
    }
}

fn up_to(figures: &Figures) -> Option<u64> {
    figures.newest().map(|newest| newest.up_to)
}

fn count(figures: &Figures, authority: &str, outcome: &str) -> u64 {
    figures.outcomes().find(|(a, o, _)| (*a, *o) == (authority, outcome)).map(|(.., n)| n).unwrap()
}

/// Answers requests with tokens of an authority made by hand; `change` is the time and the parts.
fn answering(authority: Arc<token::Authority>, at: &'static str, change: fn(&mut token::Parts)) -> Server {
    Server::answering(move |query, _| {
        // Our request has one form: the hash stands at 25, the nonce at 59.
        let (over, nonce) = (query[24..56].try_into().unwrap(), query[58..66].to_vec());
        granted(&authority.token_with(over, at, |parts| {
            parts.info.push(token::tlv(2, &[&nonce]));
            change(parts);
        }))
    })
}

/// Scenario: the first authority is away, and the second gives good tokens. Guarantee: each commit is stamped, stored under the evidence
/// lock by its name, and counted; a process that starts anew knows where it was.
#[test]
fn one_of_two_authorities_is_enough() {
    runtime().block_on(async {
        let scene = Scene::new();
        let authority = Arc::new(token::Authority::honest());
        let away = Server::answering(|_, _| Vec::new());
        let good = answering(Arc::clone(&authority), "20270115080000Z", |_| {});
        let both = || vec![scene.authority(away.url(), &authority.root_pem), scene.authority(good.url(), &authority.root_pem)];
        let (stamping, figures) = scene.start(both()).await;
        for tree_size in [1, 7] {
            scene.commit(tree_size);
            tokio::task::block_in_place(|| eventually("a stamped commit", || (up_to(&figures) == Some(tree_size)).then_some(())));
        }
        stamping.stop().await;
        assert_eq!((count(&figures, "1", "refused"), count(&figures, "2", "stamped")), (2, 2));
        assert_eq!(figures.newest(), Some(Newest { up_to: 7, at: UnixSeconds(NOW) }));
        let tokens = scene.tokens();
        assert_eq!(tokens.len(), 2, "{tokens:?}");
        assert!(tokens[1].starts_with("test/timestamps/00000000000000000006/"), "{tokens:?}");
        let key = spanseal::worm::ObjectKey(tokens[1].clone());
        let bytes = scene.store.get(&key, None, 1 << 16).await.unwrap().unwrap();
        assert!(tokens[1].ends_with(&format!("/{}.tsr", &Hash::of(&bytes).to_string()[..16])));
        let roots = Roots::from_pem(authority.root_pem.as_bytes()).unwrap();
        assert!(verify(&bytes, Hash::of(b"checkpoint of 7\n"), &roots).unwrap().is_trusted());
        let version = scene.store.versions(&key).await.unwrap()[0].id.clone();
        let lock = scene.store.head(&key, version.as_ref()).await.unwrap().unwrap().lock.unwrap();
        // The strongest mode and the longest period of both classes of this log.
        let wanted =
            TestLog { store: scene.store.clone(), clock: scene.clock.clone(), place: None }.classes().evidence_lock(UnixSeconds(NOW), []);
        assert!(lock.covers(wanted), "{lock:?}");

        let asked = good.asked();
        let (stamping, figures) = scene.start(both()).await;
        tokio::task::block_in_place(|| eventually("what was stamped before", || (up_to(&figures) == Some(7)).then_some(())));
        stamping.stop().await;
        assert_eq!((good.asked(), scene.tokens().len()), (asked, 2), "nothing new was committed");
    });
}

/// Every answer that is no good token: counted by its kind, and nothing is stored. The next authority is asked each time.
#[test]
fn what_is_no_good_token_is_not_stored() {
    type Change = fn(&mut token::Parts);
    let authority = Arc::new(token::Authority::honest());
    let stranger = Arc::new(token::Authority::honest());
    let of = |at: &'static str, change: Change| answering(Arc::clone(&authority), at, change);
    let old = authority.token(Hash::of(b"checkpoint of 1\n").0, "20270115080000Z");
    let closed = Server::answering(|_, _| Vec::new());
    let cases: [(&str, Server); 9] = [
        ("refused", closed),
        ("refused", Server::answering(|_, _| vec![0x30, 5, 0x30, 3, 2, 1, 2])),
        ("bad_token", Server::answering(|_, _| b"<html>".to_vec())),
        ("bad_token", Server::answering(|_, _| vec![0x30; 70_000])),
        // Good by itself, and an answer to nothing that we asked.
        ("bad_token", Server::answering(move |_, _| granted(&old))),
        ("bad_token", of("20270115080000Z", |p| p.digest = Some(vec![0; 32]))),
        ("untrusted", answering(stranger, "20270115080000Z", |_| {})),
        ("early", of("20270115075459Z", |_| {})),
        ("late", of("20270115080501Z", |_| {})),
    ];
    for (outcome, server) in cases {
        runtime().block_on(async {
            let scene = Scene::new();
            scene.commit(1);
            let (stamping, figures) = scene.start(vec![scene.authority(server.url(), &authority.root_pem)]).await;
            tokio::task::block_in_place(|| eventually("two attempts", || (count(&figures, "1", outcome) >= 2).then_some(())));
            stamping.stop().await;
            assert_eq!((scene.tokens(), figures.newest(), count(&figures, "1", "stamped")), (vec![], None, 0), "{outcome}");
        });
    }
}

/// The first seal of the log, as it stands in the store; the answer is the SHA-256 of its checkpoint.
async fn seal(scene: &Scene) -> [u8; 32] {
    let at = UnixSeconds(NOW);
    let statement = Statement {
        log: "x.test/test".into(),
        index: 0,
        sealed_at: at,
        started: at,
        previous: None,
        segments: vec![],
        counts: Counts::default(),
        config_sha256: Hash([0; 32]),
        next_by: None,
        next_vkey: None,
        not_worm: false,
        decrees: None,
    };
    let entry = statement.entry();
    let checkpoint = NoteSigner::new("x.test/test", &[1; 32]).unwrap().checkpoint(TreeSize(1), root_of(&[leaf_hash(&entry)]));
    let over = Hash::of(checkpoint.as_bytes()).0;
    let seal = SealFile { statement, entry, checkpoint, frontier: CompactRange::new() };
    scene.store.overwrite_foreign(&spanseal::worm::seal_key(LOG, 0), seal.to_bytes().unwrap());
    over
}

fn plant(scene: &Scene, token: &[u8]) {
    let key = spanseal::worm::below(LOG, &spanseal::worm::timestamp_name(0, &Hash::of(token).to_string()));
    scene.store.overwrite_foreign(&key, token.to_vec());
}

/// Scenario: whoever can write into the store puts tokens there before a process starts: of strangers and of later days, over the newest
/// checkpoint, the authority's own over one that the log never signed, in the folder of a seal and under a seal that somebody made, and
/// behind the end. Guarantee: the newest that holds is told, size and time of one token, and the next checkpoint is stamped all the same.
#[test]
fn what_was_planted_is_not_believed() {
    runtime().block_on(async {
        let authority = Arc::new(token::Authority::honest());
        let stranger = token::Authority::honest();
        let scene = Scene::new();
        let plant = |index: u64, token: &[u8]| {
            let key = spanseal::worm::below(LOG, &spanseal::worm::timestamp_name(index, &Hash::of(token).to_string()));
            scene.store.overwrite_foreign(&key, token.to_vec());
        };
        let over = seal(&scene).await;
        plant(0, &authority.token(over, "20270115075900Z"));
        // A seal that the log did not sign, and the true one under another index.
        let own = scene.store.get(&spanseal::worm::seal_key(LOG, 0), None, 1 << 18).await.unwrap().unwrap();
        let first = SealFile::parse(&own).unwrap();
        let (previous, frontier) = (Some(first.leaf()), first.range_after());
        let statement = Statement { index: 1, previous, ..first.statement };
        let mut forged = SealFile { entry: statement.entry(), statement, checkpoint: String::new(), frontier };
        let tree = forged.range_after();
        forged.checkpoint = NoteSigner::new("x.test/test", &[2; 32]).unwrap().checkpoint(tree.size(), tree.root());
        let forged_over = Hash::of(forged.checkpoint.as_bytes()).0;
        scene.store.overwrite_foreign(&spanseal::worm::seal_key(LOG, 1), forged.to_bytes().unwrap());
        scene.store.overwrite_foreign(&spanseal::worm::seal_key(LOG, 2), own.to_vec());
        plant(1, &authority.token(forged_over, "20270115080000Z"));
        plant(2, &authority.token(over, "20270115080000Z"));
        scene.commit(4);
        let newest = Hash::of(b"checkpoint of 4\n").0;
        plant(3, &stranger.token(newest, "20270115080000Z"));
        plant(3, &stranger.token(newest, "20990115080000Z"));
        plant(3, &authority.token(newest, "20270115080501Z"));
        plant(3, &authority.token(over, "20270115080000Z"));
        plant(9, &authority.token(newest, "20270115080000Z"));
        let away = Server::answering(|_, _| Vec::new());
        let (stamping, figures) = scene.start(vec![scene.authority(away.url(), &authority.root_pem)]).await;
        tokio::task::block_in_place(|| eventually("what was stamped before", || figures.newest().map(|_| ())));
        assert_eq!(figures.newest(), Some(Newest { up_to: 1, at: UnixSeconds(NOW - 60) }));
        stamping.stop().await;
        let good = answering(Arc::clone(&authority), "20270115080000Z", |_| {});
        let (stamping, figures) = scene.start(vec![scene.authority(good.url(), &authority.root_pem)]).await;
        tokio::task::block_in_place(|| eventually("a stamped commit", || (up_to(&figures) == Some(4)).then_some(())));
        stamping.stop().await;
        assert_eq!(figures.newest(), Some(Newest { up_to: 4, at: UnixSeconds(NOW) }));
    });
}

/// What the tokens in the store are over, as far as this authority made them.
async fn stamped_by(scene: &Scene, authority: &token::Authority) -> Vec<Hash> {
    let roots = Roots::from_pem(authority.root_pem.as_bytes()).unwrap();
    let mut found = Vec::new();
    for key in scene.tokens() {
        let bytes = scene.store.get(&spanseal::worm::ObjectKey(key), None, 1 << 16).await.unwrap().unwrap();
        let over = spanseal::timestamp::claim(&bytes).unwrap().imprint.unwrap();
        found.extend(verify(&bytes, over, &roots).ok().filter(|stamp| stamp.is_trusted()).map(|_| over));
    }
    found
}

/// Scenario: a token whose certificate ends within 90 days, one that has longer, and what somebody planted beside them: tokens of strangers
/// over the first one, and sound ones of the very authority over something else, or over the same checkpoint. Guarantee: the first is stamped
/// itself, once, and nothing else is.
#[test]
fn a_token_that_ends_soon_is_renewed() {
    runtime().block_on(async {
        let soon = token::Authority::new(|p| p.not_after = rcgen::date_time_ymd(2027, 4, 1));
        let sooner = token::Authority::new(|p| p.not_after = rcgen::date_time_ymd(2027, 3, 1));
        let long = Arc::new(token::Authority::honest());
        let at = "20270115080000Z";
        let scene = Scene::new();
        let over = seal(&scene).await;
        let ends = soon.token(over, at);
        for token in [&ends, &long.token(over, at)] {
            plant(&scene, token);
        }
        let hash = Hash::of(&ends).0;
        plant(&scene, &token::Authority::honest().token(hash, at));
        plant(&scene, &long.token_with(hash, at, |p| p.digest = Some(vec![0; 32])));
        // Sound and trusted, and it makes nothing last longer.
        plant(&scene, &sooner.token(hash, at));
        // Whatever order they are looked at in, some of these come before it.
        for n in 0..8 {
            plant(&scene, &soon.token([n; 32], at));
        }
        let good = answering(Arc::clone(&long), at, |_| {});
        // The others are asked for nothing: they are there for their roots.
        let roots = [soon.root_pem.as_str(), &sooner.root_pem, &long.root_pem].concat();
        let (stamping, figures) = scene.start(vec![scene.authority(good.url(), &roots)]).await;
        tokio::task::block_in_place(|| eventually("a renewal", || (figures.renewals() == 1).then_some(())));
        stamping.stop().await;
        let mut stamped = stamped_by(&scene, &long).await;
        stamped.sort();
        let mut expected = vec![Hash(over), Hash(hash)];
        expected.sort();
        assert_eq!(stamped, expected);
    });
}

/// Scenario: the authority has no newer certificate yet. Guarantee: a token that outlasts nothing is not stored day by day.
#[test]
fn what_outlasts_nothing_is_no_renewal() {
    runtime().block_on(async {
        let soon = Arc::new(token::Authority::new(|p| p.not_after = rcgen::date_time_ymd(2027, 4, 1)));
        let scene = Scene::new();
        let over = seal(&scene).await;
        plant(&scene, &soon.token(over, "20270115080000Z"));
        let server = answering(Arc::clone(&soon), "20270115080000Z", |_| {});
        let (stamping, figures) = scene.start(vec![scene.authority(server.url(), &soon.root_pem)]).await;
        tokio::task::block_in_place(|| eventually("an attempt", || (count(&figures, "1", "too_short") >= 1).then_some(())));
        stamping.stop().await;
        assert_eq!((scene.tokens().len(), figures.renewals()), (1, 0));
    });
}

/// What the API answers, with its head.
fn get(serving: &Receiver, path: &str) -> String {
    // Said after the ports that `serve` is waited for.
    let api = eventually("serve says where its API listens", || {
        let said = serving.stderr();
        let line = said.lines().find(|line| line.contains("API (health"))?;
        line.split_whitespace().find_map(|word| word.parse::<std::net::SocketAddr>().ok())
    });
    let mut stream = TcpStream::connect(api).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The whole way with OpenSSL as the authority: `serve` stamps, `verify`, `prove` and `check` tell it, and `openssl ts -verify` accepts what is
/// stored, by the command line that the README shows. With a second authority that is down; and where both are, nothing waits.
#[test]
fn openssl_verifies_what_serve_has_stored() {
    if !tsa::has_openssl("serve with openssl as the authority") {
        return;
    }
    let authority = Arc::new(OpenSsl::new(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
    let server = Server::of(Arc::clone(&authority));
    // A port that nobody listens at: the listener that had it is gone.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let roots = authority.roots().display().to_string();
    let entry = |url: String| format!("{{url: '{url}', ca_file: '{roots}'}}");
    let log = |urls: &[String]| {
        let entries: Vec<String> = urls.iter().cloned().map(entry).collect();
        format!("timestamp_interval: 10s, timestamping: [{}], ", entries.join(", "))
    };
    let site = Site::with(receiver::Options { log: log(&[format!("http://{nobody}/"), server.url()]), ..receiver::Options::default() });
    let serving = site.serve();
    let tokens = |site: &Site| {
        let mut found: Vec<PathBuf> = Vec::new();
        let mut folders = vec![site.path("store/spanseal/timestamps")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    };
    let stored = eventually("a token in the store", || tokens(&site).into_iter().find(|path| path.extension().is_some_and(|e| e == "tsr")));
    // The figures follow the object.
    let told = eventually("the API tells of the token", || {
        let status = get(&serving, "/status");
        let told: serde_json::Value =
            serde_json::from_str(status.split_once("\r\n\r\n").map_or(status.as_str(), |(_, body)| body)).unwrap();
        told["timestamped"]["up_to"].is_u64().then_some(told)
    });
    let stamped = &told["timestamped"];
    let (up_to, size) = (stamped["up_to"].as_u64().unwrap(), told["tree_size"].as_u64().unwrap());
    assert_eq!((stamped["seal"].as_u64(), stamped["lag"].as_u64()), (Some(up_to - 1), Some(size - up_to)), "{told:#}");
    assert!(stamped["at"].as_str().unwrap().starts_with("20") && told.get("cosigned").is_none(), "{told:#}");
    let metrics = get(&serving, "/metrics");
    for line in [
        "spanseal_timestamp_attempts_total{authority=\"1\",outcome=\"unreachable\"} ",
        "spanseal_timestamp_attempts_total{authority=\"2\",outcome=\"stamped\"} ",
        "spanseal_tlog_timestamped_age_seconds ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    serving.stop();

    let index: u64 = stored.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
    let seal = site.path(&format!("store/spanseal/seals/{index:020}.json"));
    let seal: serde_json::Value = serde_json::from_slice(&std::fs::read(seal).unwrap()).unwrap();
    std::fs::write(site.path("stamped"), seal["checkpoint"].as_str().unwrap()).unwrap();
    std::fs::copy(&stored, site.path("token.tsr")).unwrap();
    // The README's own line, with the names of this log.
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with("openssl ts ")).expect("README.md shows how to check a token");
    let meant = |word: &str| match word {
        word if word.starts_with("timestamps/") => "token.tsr".to_owned(),
        "tsa-root.pem" => roots.clone(),
        word => word.to_owned(),
    };
    let words: Vec<String> = line.split_whitespace().skip(1).map(meant).collect();
    let said = tsa::openssl(site.dir.path(), &words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert!(String::from_utf8(said).unwrap().contains("Verification: OK"));

    let report = site.run(&["verify", "--json", "--tsa-roots", &roots]).success();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["verdict"], "verified");
    assert!(report["logs"][0]["timestamped"]["up_to"].as_u64().unwrap() > index, "{report}");
    assert_eq!(report["logs"][0]["timestamped"]["authority"], "O=tests, CN=signer");
    let first = site.run(&["query", "--kind", "config_change", "--format", "json"]).success();
    let first: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    let proof = site.run(&["prove", first[0]["record"]["id"].as_str().unwrap()]).success();
    std::fs::write(site.path("proof.json"), &proof.stdout).unwrap();
    let vkey = site.run(&["keygen", "--public"]).success();
    let check = |more: &[&str]| {
        let mut words = vec!["check", "proof.json", "--json", "--vkey", vkey.stdout.trim()];
        words.extend(more);
        let checked = site.run(&words).success();
        serde_json::from_str::<serde_json::Value>(&checked.stdout).unwrap()
    };
    let checked = check(&["--tsa-roots", &roots]);
    assert_eq!((&checked["published"], &checked["timestamps"][0]["root"]), (&false.into(), &"O=tests, CN=root".into()), "{checked}");
    assert_eq!(checked["existed_by"], checked["timestamps"][0]["not_later_than"]);
    assert!(checked["existed_by"].is_string(), "{checked}");
    let checked = check(&[]);
    assert_eq!((&checked["published"], &checked["not_verified"]["timestamps"]), (&false.into(), &1.into()), "{checked}");
    assert!(checked.get("existed_by").is_some_and(serde_json::Value::is_null), "{checked}");

    let alone = Site::with(receiver::Options { log: log(&[format!("http://{nobody}/")]), ..receiver::Options::default() });
    let serving = alone.serve();
    let unreachable = || {
        get(&serving, "/metrics").contains("spanseal_timestamp_attempts_total{authority=\"1\",outcome=\"unreachable\"} 1\n").then_some(())
    };
    eventually("a failed attempt in the figures", unreachable);
    assert!(get(&serving, "/readyz").contains("200 OK"));
    serving.stop();
    assert_eq!(tokens(&alone), Vec::<PathBuf>::new());
    alone.verified();
}
