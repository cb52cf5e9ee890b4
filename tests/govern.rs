//! What operators do is sealed by the log's one writer, whoever asks for it by the identity key, and with or without a vault.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use serde_json::{Value, json};
use spanseal::api::{Act, Challenge, HELLO, NONCE, PROOF, Proofs, TIME, nonce, parse_nonce};
use spanseal::clock::{Clock, SystemClock};
use spanseal::govern::{Attesting, Deed, GovernError, Governor, Parts, Trial, Wish};
use spanseal::metrics::{Metrics, RetentionFigures};
use spanseal::record::identity::{IdentityKey, IdentityMode};
use spanseal::serve::keys::{load_identity, load_vault_key};
use spanseal::worm::canary::{Attempt, Finding, Tried};
use spanseal::worm::memory::{CreateOnly, Fault};
use spanseal::worm::s3::S3Store;
use spanseal::worm::{Condition, Locks, Mode, WormStore, checkpoint_key, seal_key};

use crate::acts::whose;
use crate::erase::{found, holds, listened, send, span};
use crate::support::log::{LOG, ORIGIN, TestLog};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Options, Receiver, Site};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use crate::support::vault::stored_bytes;
use crate::support::{eventually, runtime};

const OFFICER: &str = "officer@example.com";

/// A site whose API has a port that the command knows; with a vault, or without one.
fn site(vault: bool) -> (Site, u16) {
    let site = match vault {
        true => Site::local(),
        false => Site::with(Options { identity: "mode: keyed, ".into(), more: "content: {mode: hash}".into(), ..Options::default() }),
    };
    let port = with_port(&site);
    (site, port)
}

fn with_port(site: &Site) -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    replace(site, "127.0.0.1:0'}\n", &format!("127.0.0.1:{port}'}}\n"));
    port
}

fn replace(site: &Site, from: &str, to: &str) {
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    assert!(yaml.contains(from), "{from}: {yaml}");
    std::fs::write(&site.config, yaml.replace(from, to)).unwrap();
}

fn attest(site: &Site, more: &[&str]) -> Finished {
    site.run(&[&["retention", "status", "--attest", "--format", "json"], more].concat())
}

/// The records of acts on retention, oldest first.
fn acts(site: &Site) -> Vec<Value> {
    let mut all = found(site, &["--kind", "retention"]);
    all.sort_by_key(|hit| hit["seal"].as_u64());
    all
}

fn filter(act: &Value) -> Value {
    serde_json::from_str(act["record"]["control"]["filter"].as_str().unwrap()).unwrap()
}

/// Scenario: a status is attested by the running `serve`, with a vault and without one; then by the command alone. Guarantee: each is one
/// record of the log's own making that says what was looked at and found, why, and for whom by pseudonym; the command says where it stands;
/// the log verifies, and the story tells it in plain words.
#[test]
fn an_attestation_is_sealed_with_and_without_a_vault_and_a_server() {
    for vault in [true, false] {
        let (site, _) = site(vault);
        let receiver = site.serve();
        send(&receiver, &[span(1, 1, "hello", &[])]);
        let why = ["--reason", "audit of the quarter", "--ticket", "AUD-7", "--by", OFFICER];
        let told = attest(&site, &why).success();
        let status: Value = serde_json::from_str(&told.stdout).unwrap();
        let act = &acts(&site)[0];
        assert_eq!((&act["record"]["id"], &act["seal"]), (&status["attestation"]["record"], &status["attestation"]["seal"]), "{told}");
        let control = &act["record"]["control"];
        assert_eq!((&control["act"], &control["ground"], &control["ticket"]), (&json!("attestation"), &json!(why[1]), &json!("AUD-7")));
        let origin: Value = serde_json::from_slice(&std::fs::read(site.path("store/spanseal/log.json")).unwrap()).unwrap();
        assert_eq!(control["target"], origin["origin"]);
        let by = control["by"].as_str().unwrap();
        assert!(by.starts_with("ps:") && by.starts_with("ps:vault:") == vault, "{by}");
        assert_eq!(act["record"]["source"], json!({"signal": "control"}));
        // A folder has no locks, and the record says so.
        let of = filter(act);
        assert_eq!(
            (&of["locks"], &of["key"], &of["tree_size"], &control["count"]),
            (&json!("none"), &json!("configured"), &json!("2"), &json!("0"))
        );
        assert_eq!((&of["verdict"], &of["covered"]), (&status["verdict"], &json!({"first": "0", "last": "1"})));
        let story = site.run(&["show", status["attestation"]["record"].as_str().unwrap()]).success().stdout;
        let story = story.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in
            ["It was looked whether the locks of the evidence hold.", "The store has no locks", "\"audit of the quarter\"", "seals 0 to 1"]
        {
            assert!(story.contains(words), "{words}: {story}");
        }
        assert!(!holds(receiver.stderr().as_bytes(), "officer"), "{}", receiver.stderr());
        assert!(receiver.stop().success());
        // In words, by the command alone.
        let told = site.run(&["retention", "status", "--attest"]).success();
        let last = acts(&site).pop().unwrap();
        let (id, seal) = (last["record"]["id"].as_str().unwrap(), last["seal"].as_u64().unwrap());
        assert!(told.stdout.contains(&format!("Recorded: attestation {id} in seal {seal} of the log.\n")), "{told}");
        assert_eq!((acts(&site).len(), last["record"]["control"].get("by")), (2, None));
        assert!(acts(&site).iter().all(|act| act["record"]["control"].get("from").is_none()), "on an operator's word");
        assert!(!holds(&stored_bytes(&site.path("store")), OFFICER));
        site.verified();
    }
}

/// Scenario: what is said with an attestation names somebody, the asker has another identity key, or wants it in another log. Guarantee:
/// nothing is sealed, it is said why, and the status is shown wherever it was looked.
#[test]
fn what_cannot_be_recorded_is_refused_and_the_status_is_shown_all_the_same() {
    let (site, _) = site(false);
    let receiver = site.serve();
    let refuse = |more: &[&str], words: &str, shown: bool| {
        let told = attest(&site, more);
        assert!(told.status.code() == Some(2) && told.stderr.contains(words) && told.stdout.is_empty() != shown, "{words}: {told}");
        assert!(!told.stderr.contains("officer"), "{told}");
    };
    refuse(&["--reason", "asked by officer@example.com"], "the ground holds what looks like an e-mail address", false);
    refuse(&["--reason", "for officer-7", "--by", "officer-7"], "the ground holds the id of a person", false);
    refuse(&["--by", &format!("ps:vault:{}", "0".repeat(32))], "nobody in the vault has the pseudonym", true);
    let other = format!("other.example/log+{}", "1a2b3c4d+AZ8DHuXKhyQWAHSWLZmrzNLbGdAYlhLsZVfTqXoVzI0T");
    let told = attest(&site, &["--vkey", &other]);
    assert!(!told.status.success() && told.stdout.is_empty(), "{told}");
    let key = std::fs::read(site.path("identity.key")).unwrap();
    std::fs::remove_file(site.path("identity.key")).unwrap();
    refuse(&[], "`identity.key_file`", true);
    std::fs::write(site.path("identity.key"), "ab".repeat(32)).unwrap();
    std::fs::set_permissions(site.path("identity.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    refuse(&[], "does not show that it has the identity key of this configuration (`identity.key_file`)", true);
    std::fs::write(site.path("identity.key"), key).unwrap();
    assert!(acts(&site).is_empty());
    attest(&site, &[]).success();
    assert_eq!(acts(&site).len(), 1);
    assert!(receiver.stop().success());
}

/// Scenario: somebody on the machine has the vault key but not the identity key, has listened to another act, shows a proof a second time, or
/// asks for an act that is none; then somebody else has the port. Guarantee: no record is made for them, and whoever listens is told nothing.
#[test]
fn nobody_has_an_act_recorded_without_the_identity_key() {
    let (site, port) = site(true);
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "hello", &[])]);
    let identity = IdentityKey::new(*load_identity(&site.path("identity.key")).unwrap().0);
    let vault = load_vault_key(&site.path("spanseal-vault.key")).unwrap();
    let whose = whose(&site);
    let trial = json!({"deed": {"canary": {"mode": "COMPLIANCE", "tried": {"delete": "good"}}}}).to_string();
    let ask = |method, path, headers: Vec<(&'static str, &str)>, body: &[u8]| {
        let request = HttpRequest { method, path, headers, body, chunked: false };
        let (status, answer) = http(([127, 0, 0, 1], port).into(), &request).unwrap();
        (status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    let hello = |proofs: &Proofs, path| {
        let (asker, now) = (nonce().unwrap(), SystemClock.now().ceil_seconds());
        let (own, at, shown) = (hex::encode(asker), now.0.to_string(), proofs.of_hello(&asker, now));
        ask("GET", path, vec![(NONCE, &own), (TIME, &at), (HELLO, &shown)], b"")
    };
    let own = Proofs::new(&identity, Act::Govern, &whose).unwrap();
    let of_vault = Proofs::new(&vault, Act::Govern, &whose).unwrap();
    let other_act = Proofs::new(&identity, Act::Access, &whose).unwrap();
    let stranger = Proofs::new(&IdentityKey::new([9; 32]), Act::Govern, &whose).unwrap();
    let challenge = || -> Challenge { serde_json::from_str(&hello(&own, "/govern").1).unwrap() };
    for wrong in [&of_vault, &other_act, &stranger] {
        let (status, answer) = hello(wrong, "/govern");
        assert!(status == 401 && answer.contains("identity.key_file"), "{status} {answer}");
        let given = challenge();
        let proof = wrong.of_asker(&parse_nonce(&given.nonce).unwrap(), trial.as_bytes());
        assert_eq!(ask("POST", "/govern", vec![(NONCE, &given.nonce), (PROOF, &proof)], trial.as_bytes()).0, 401);
    }
    assert_eq!(hello(&own, "/access").0, 401, "who has the identity key reads nothing of the vault");
    assert!(acts(&site).is_empty());
    let post = |body: &str| {
        let given = challenge();
        let proof = own.of_asker(&parse_nonce(&given.nonce).unwrap(), body.as_bytes());
        (ask("POST", "/govern", vec![(NONCE, &given.nonce), (PROOF, &proof)], body.as_bytes()), given.nonce, proof)
    };
    let ((status, answer), given, proof) = post(&trial);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ask("POST", "/govern", vec![(NONCE, &given), (PROOF, &proof)], trial.as_bytes()).0, 401, "once");
    for unknown in [
        json!({"deed": {"amnesty": {}}}),
        json!({"deed": {"canary": {"mode": "COMPLIANCE", "tried": {"delete": "good"}, "who": OFFICER}}}),
        json!({"deed": {"canary": {"mode": "COMPLIANCE", "tried": {}}}}),
        json!({"deed": {"canary": {"mode": "COMPLIANCE", "tried": {"delete": "good"}}}, "from": "serve"}),
        json!({"deed": {"canary": {"mode": "COMPLIANCE", "tried": {"delete": "good"}}}, "ground": format!("for {OFFICER}")}),
    ] {
        let ((status, answer), ..) = post(&unknown.to_string());
        assert!(status == 400 && !answer.contains("officer"), "{status} {answer}");
    }
    let of = acts(&site);
    assert_eq!((of.len(), &of[0]["record"]["control"]["act"]), (1, &json!("canary")));
    assert_eq!(filter(&of[0]), json!({"mode": "COMPLIANCE", "tried": {"delete": "good"}, "verdict": "enforced"}));
    assert!(receiver.stop().success());
    site.verified();

    let heard = listened(&format!("127.0.0.1:{port}"), || {
        let refused = attest(&site, &["--by", OFFICER]);
        assert!(refused.status.code() == Some(2) && refused.stderr.contains("does not show that it has the identity key"), "{refused}");
    });
    assert!(holds(&heard, "GET /govern"));
    for secret in ["POST", "officer", "attestation"] {
        assert!(!holds(&heard, secret), "{secret}: {}", String::from_utf8_lossy(&heard));
    }
}

fn canary() -> Wish {
    let tried = [Tried { attempt: Attempt::Delete, finding: Finding::Good("refused".into()) }];
    Wish::of(Deed::Canary(Trial::of(Mode::Compliance, &tried)))
}

/// Scenario: who asks is named, in each identity mode, with a vault and without. Guarantee: evidence names them as it names persons; in a log
/// with persons in the vault they have an entry there; nobody who is not known by their pseudonym, and nobody in words.
#[tokio::test(start_paused = true)]
async fn who_asks_is_named_as_persons_are() {
    for (mode, vault) in
        [(IdentityMode::Vault, true), (IdentityMode::Keyed, true), (IdentityMode::Keyed, false), (IdentityMode::Plain, false)]
    {
        let log = if vault { TestLog::with_vault(CreateOnly::Honoured) } else { TestLog::new(CreateOnly::Honoured) };
        let process = log.open().await.unwrap().unwrap();
        let governor = Governor { identity_mode: mode, scrub: vec!["CUST-####".into()], ..process.governor(&log) };
        let by = |by: &str| Wish { by: Some(by.to_owned()), ..canary() };
        governor.seal(&by("alice@example.com")).await.unwrap();
        let contents = log.check_log().await;
        let record: Value = serde_json::from_slice(&contents.lines.last().unwrap().1).unwrap();
        let (control, named) = (&record["control"], record["control"]["by"].as_str().unwrap());
        match mode {
            IdentityMode::Vault => assert!(named.starts_with("ps:vault:"), "{named}"),
            IdentityMode::Keyed => assert_eq!(named, "ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8"),
            IdentityMode::Plain => assert_eq!(named, "id:alice@example.com"),
        }
        assert_eq!((&record["kind"], &control["target"], &control["count"]), (&json!("retention"), &json!(ORIGIN), &json!("1")));
        assert_eq!(record["retention"]["class"], "strict", "it answers for as long as anything is kept");
        // By the name that evidence has for them, again.
        governor.seal(&by(named)).await.unwrap();
        let nobody = format!("ps:vault:{}", "0".repeat(32));
        let ground = |ground: &str, by: &str| Wish { ground: Some(ground.to_owned()), by: Some(by.to_owned()), ..canary() };
        let wrongs = [by(&nobody), ground("for ALICE@example.com", "x"), ground("for Bob", "bob"), ground("CUST-1234", "x"), by("")];
        for wrong in wrongs {
            let refused = governor.seal(&wrong).await;
            let Err(GovernError::Wrong(said)) = refused else { panic!("{refused:?}") };
            assert!(!said.to_lowercase().contains("alice") && !said.contains("1234"), "{said}");
        }
        if mode == IdentityMode::Vault {
            governor.seal(&by("carol-7")).await.unwrap();
            let contents = log.check_log().await;
            let record: Value = serde_json::from_slice(&contents.lines.last().unwrap().1).unwrap();
            let refused = governor.seal(&ground("says Carol-7", record["control"]["by"].as_str().unwrap())).await;
            assert!(matches!(refused, Err(GovernError::Wrong(_))), "{refused:?}");
        }
        let expected = if mode == IdentityMode::Vault { 3 } else { 2 };
        assert_eq!(log.check_log().await.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"retention\"")).count(), expected);
        drop(process.drain().await);
    }
}

/// Scenario: the store takes no more seals for a moment. Guarantee: whoever asks gets an error, and never the word that it is recorded.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_records_no_act() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let governor = process.governor(&log);
    log.store.fail_key("segments/", 1000, Fault::Refused);
    let refused = governor.seal(&canary()).await;
    assert!(matches!(refused, Err(GovernError::Unsealed(_))), "{refused:?}");
    log.store.clear_faults();
    let sealed = governor.seal(&canary()).await.unwrap();
    let contents = log.check_log().await;
    let acts: Vec<_> = contents.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"retention\"")).collect();
    assert_eq!((acts.len(), acts[0].0.to_string()), (1, sealed.record));
    drop(process.drain().await);
}

/// The attestations of a log in memory, oldest first.
async fn attestations(log: &TestLog) -> Vec<Value> {
    let lines = log.check_log().await.lines;
    let records = lines.iter().map(|(_, line)| serde_json::from_slice::<Value>(line).unwrap());
    records.filter(|record| record["control"]["act"] == "attestation").collect()
}

const DAY: Duration = Duration::from_secs(86_400);

/// Scenario: a log is served for days; a lock is lifted meanwhile, and for a day the store takes no segments. Guarantee: the locks are looked
/// at a while after the start, not at once, and then every day; what is found is sealed and stands in the figures; what cannot be sealed is
/// looked at again soon.
#[tokio::test(start_paused = true)]
async fn locks_are_attested_at_an_interval_and_drift_is_told() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let attesting = Attesting::start(Parts {
        store: Arc::new(log.store.clone()),
        log: LOG.into(),
        key: TestLog::key().verifier().clone(),
        status: process.task.status.clone(),
        governor: process.governor(&log),
        clock: Arc::new(log.clock.clone()),
        every: DAY,
    });
    let metrics = Metrics::default();
    metrics.register(Arc::new(RetentionFigures { figures: attesting.figures(), clock: Arc::new(log.clock.clone()) }));
    tokio::time::sleep(Duration::from_secs(599)).await;
    assert_eq!(attestations(&log).await.len(), 0);
    assert!(!metrics.prometheus().contains("spanseal_retention"), "nothing was looked at, so nothing is well");
    tokio::time::sleep(Duration::from_secs(602)).await;
    let first = attestations(&log).await;
    let filter = |record: &Value| serde_json::from_str::<Value>(record["control"]["filter"].as_str().unwrap()).unwrap();
    assert_eq!((first.len(), &filter(&first[0])["locks"], &filter(&first[0])["findings"]), (1, &json!("checked"), &json!({})));
    assert_ne!(first[0]["control"]["count"], "0");
    assert_eq!(first[0]["control"]["from"], "serve");
    let figures = metrics.prometheus();
    for line in ["spanseal_retention_findings{kind=\"lock_missing\"} 0\n", "spanseal_retention_attested_age_seconds 0\n"] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    log.store.relock(&seal_key(LOG, 0), None);
    log.clock.advance(Duration::from_secs(7));
    assert!(metrics.prometheus().contains("spanseal_retention_attested_age_seconds 7\n"));
    tokio::time::sleep(DAY - Duration::from_secs(602)).await;
    assert_eq!(attestations(&log).await.len(), 1);
    tokio::time::sleep(Duration::from_secs(602)).await;
    let second = attestations(&log).await;
    assert_eq!((second.len(), &filter(&second[1])["findings"]), (2, &json!({"lock_missing": "1"})));
    assert_eq!(filter(&second[1])["first"][0]["object"], "seals/00000000000000000000.json");
    let figures = metrics.prometheus();
    for line in [
        "spanseal_retention_findings{kind=\"lock_missing\"} 1\n",
        "spanseal_retention_objects{lock=\"unlocked\"} 1\n",
        "spanseal_retention_last_verdict{verdict=\"findings\"} 1\n",
        "spanseal_retention_last_verdict{verdict=\"verified\"} 0\n",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    log.store.fail_key("segments/", 100_000, Fault::Refused);
    tokio::time::sleep(DAY).await;
    assert_eq!(attestations(&log).await.len(), 2);
    log.store.clear_faults();
    tokio::time::sleep(Duration::from_secs(1300)).await;
    assert_eq!(attestations(&log).await.len(), 3);
    attesting.stop().await;
    tokio::time::sleep(DAY * 2).await;
    assert_eq!(attestations(&log).await.len(), 3);
    drop(process.drain().await);
}

/// Scenario: somebody takes the newest seals away, with what they name, and puts the checkpoint from before back, so that the store agrees with
/// itself. Guarantee: the writer, which committed them, says so in its own look.
#[tokio::test(start_paused = true)]
async fn an_end_that_was_cut_off_is_not_attested_as_whole() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let trial = || Deed::Canary(Trial::of(Mode::Compliance, &[Tried { attempt: Attempt::Delete, finding: Finding::Good(String::new()) }]));
    process.governor(&log).seal_own(trial()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let (before, checkpoint) = (log.store.keys(), log.store.get(&checkpoint_key(LOG), None, u64::MAX).await.unwrap().unwrap());
    process.governor(&log).seal_own(trial()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    log.store.keys().iter().filter(|key| !before.contains(key)).for_each(|key| log.store.purge(key, None));
    log.store.put(&checkpoint_key(LOG), checkpoint, Condition::Any, None).await.unwrap();
    let parts = Parts {
        store: Arc::new(log.store.clone()),
        log: LOG.into(),
        key: TestLog::key().verifier().clone(),
        status: process.task.status.clone(),
        governor: process.governor(&log),
        clock: Arc::new(log.clock.clone()),
        every: DAY,
    };
    let attesting = Attesting::start(parts);
    tokio::time::sleep(Duration::from_secs(1300)).await;
    let told = attesting.figures().last().unwrap();
    assert_eq!(told.findings["rollback"], 1, "{told:?}");
    attesting.stop().await;
    drop(process.drain().await);
}

/// Takes the newest seal of a log in a folder away, with what it names and the checkpoint, which is a pointer only.
fn cut_off(site: &Site) -> u64 {
    let log = site.path("store/spanseal");
    let newest = std::fs::read_dir(log.join("seals")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let seal: Value = serde_json::from_slice(&std::fs::read(&newest).unwrap()).unwrap();
    for segment in seal["statement"]["segments"].as_array().unwrap() {
        std::fs::remove_file(log.join(segment["key"].as_str().unwrap())).unwrap();
    }
    std::fs::remove_file(&newest).unwrap();
    let _ = std::fs::remove_file(log.join("checkpoint"));
    newest.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// The same, asked by the command: of a `serve` that runs, and by what stands beside the key where none does. Guarantee: it is a finding, the record
/// of the attestation says so, and `verify` by whoever has the configuration does, too; an answer of `query` or `show` is called incomplete. A
/// stranger's look, who has neither, shows nothing.
#[test]
fn who_knows_the_writer_sees_that_the_end_is_gone() {
    let (site, _) = site(false);
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "hello", &[])]);
    let lost = cut_off(&site);
    let told = attest(&site, &[]);
    assert_eq!(told.status.code(), Some(1), "{told}");
    let status: Value = serde_json::from_str(&told.stdout).unwrap();
    let findings = status["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &findings[0]["kind"], &findings[0]["seal"]), (1, &json!("rollback"), &json!(lost)), "{told}");
    // The seal that is gone is a problem of every answer.
    let answer: Value = serde_json::from_str(&site.run(&["query", "--kind", "retention", "--format", "json"]).stdout).unwrap();
    assert_eq!(filter(&answer[0])["findings"], json!({"rollback": "1"}));
    assert!(receiver.stop().success());
    let lost = cut_off(&site);
    for command in [["retention", "status"].as_slice(), &["verify"]] {
        let told = site.run(command);
        assert!(told.status.code() == Some(1) && told.stdout.contains("has committed seal"), "{told}");
        assert!(told.stdout.contains(&lost.to_string()), "{told}");
    }
    let vkey: Value = serde_json::from_slice(&std::fs::read(site.path("store/spanseal/log.json")).unwrap()).unwrap();
    let id = answer[0]["record"]["id"].as_str().unwrap();
    for command in [["query"].as_slice(), &["query", "--limit", "1"], &["show", id], &["show", id, "--json"]] {
        for own in [[].as_slice(), &["--vkey", vkey["vkey"].as_str().unwrap()]] {
            let told = site.run(&[command, own].concat());
            assert!(told.status.code() == Some(2) && told.stderr.contains("has committed this seal"), "{told}");
            assert!(told.stderr.contains(&format!("seals/{lost:020}.json")), "{told}");
            assert_eq!(told.stdout.contains("may lack something"), command[0] == "show", "{told}");
        }
    }
    for command in [["retention", "status"].as_slice(), &["verify"]] {
        let told = site.run(&[command, &["--vkey", vkey["vkey"].as_str().unwrap()]].concat());
        assert!(told.stdout.contains("has committed seal"), "the configuration is of that log: {told}");
    }
}

/// Scenario: a store without locks is served. Guarantee: that stands in the record, for whoever asks later what was kept from deletion.
#[tokio::test(start_paused = true)]
async fn a_store_without_locks_is_attested_as_one() {
    let log = TestLog::without_locks();
    let process = log.open().await.unwrap().unwrap();
    let parts = Parts {
        store: Arc::new(log.store.clone()),
        log: LOG.into(),
        key: TestLog::key().verifier().clone(),
        status: process.task.status.clone(),
        governor: process.governor(&log),
        clock: Arc::new(log.clock.clone()),
        every: DAY,
    };
    assert_eq!(parts.store.locks(), Locks::None);
    let attesting = Attesting::start(parts);
    tokio::time::sleep(DAY * 2).await;
    let records: Vec<Value> = plain_attestations(&log).await;
    assert_eq!(records.len(), 2);
    for record in records {
        let filter: Value = serde_json::from_str(record["control"]["filter"].as_str().unwrap()).unwrap();
        assert_eq!((&filter["locks"], &filter["objects"], &record["control"]["count"]), (&json!("none"), &json!({}), &json!("0")));
    }
    attesting.stop().await;
    drop(process.drain().await);
}

/// The same where nothing is locked, read as a reader does.
async fn plain_attestations(log: &TestLog) -> Vec<Value> {
    let keys = log.store.keys().into_iter().filter(|key| key.as_str().contains("/segments/"));
    let mut found = Vec::new();
    for key in keys {
        let bytes = log.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
        let lines = String::from_utf8(zstd::decode_all(bytes.as_ref()).unwrap()).unwrap();
        found.extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    found.retain(|record| record["control"]["act"] == "attestation");
    found
}

fn figures(receiver: &Receiver) -> String {
    let request = HttpRequest { method: "GET", path: "/metrics", headers: Vec::new(), body: b"", chunked: false };
    String::from_utf8(http(receiver.api, &request).unwrap().1.body).unwrap()
}

/// Scenario: a log is made in a bucket of every server that is installed, and served; `doctor --record` is asked meanwhile; then somebody with
/// the bypass shortens the lock of a segment. Guarantee: the canary that was tried before the log was made stands in its first seal, the other
/// one as a record too; `serve` looks by itself, and it and the command find the drift, name it in the record, in the figures and in the log.
#[test]
fn on_a_bucket_the_canaries_and_a_drift_are_on_record() {
    for server in S3Server::all() {
        let runtime = runtime();
        let bucket = runtime.block_on(server.fresh_bucket(Bucket::Locked));
        let class = "classes: [{name: standard, mode: GOVERNANCE, period: 2d}]";
        let site = Site::with(Options {
            store: format!("s3://{bucket}/evidence"),
            identity: "mode: keyed, ".into(),
            more: format!("content: {{mode: hash}}\nretention: {{{class}, attest_every: 10s}}"),
            env: server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Options::default()
        });
        let port = with_port(&site);
        let receiver = site.serve();
        assert_eq!(receiver.api.port(), port);
        let made = &acts(&site)[0];
        assert_eq!((&made["seal"], &made["record"]["control"]["act"]), (&json!(0), &json!("canary")), "{:?}", server.kind);
        assert_eq!(made["record"]["control"]["from"], "serve", "its own, and not told on anybody's word");
        let of = filter(made);
        assert_eq!((&of["mode"], &of["verdict"]), (&json!("GOVERNANCE"), &json!("with_exceptions")), "{of}");
        for attempt in ["put", "read_lock", "delete", "shorten"] {
            assert_eq!(of["tried"][attempt], "good", "{:?}: {of}", server.kind);
        }
        // Whose credentials these are may do everything.
        let expected = if server.kind == Kind::Minio { &["odd"][..] } else { &["odd", "good", "unknown"] };
        assert!(expected.contains(&of["tried"]["bypass_lift"].as_str().unwrap()), "{:?}: {of}", server.kind);
        send(&receiver, &[span(1, 1, "hello", &[])]);

        let doctor = site.run(&["doctor", "--record"]);
        let line = doctor.stdout.lines().find(|line| line.starts_with("ok        record")).unwrap_or_else(|| panic!("{doctor}"));
        let tried: Vec<Value> = acts(&site).into_iter().filter(|act| act["record"]["control"]["act"] == "canary").collect();
        assert!(tried.len() == 2 && line.contains(tried[1]["record"]["id"].as_str().unwrap()), "{line}");
        let story = site.run(&["show", tried[1]["record"]["id"].as_str().unwrap()]).success().stdout;
        let story = story.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            story.contains("It was tried whether the store enforces locks.")
                && story.contains("The store enforced the lock against some of these attempts only"),
            "{story}"
        );

        eventually("the locks are attested", || {
            figures(&receiver).contains("spanseal_retention_last_verdict{verdict=\"verified\"} 1\n").then_some(())
        });
        let told = attest(&site, &[]).success();
        let status: Value = serde_json::from_str(&told.stdout).unwrap();
        let id = status["attestation"]["record"].as_str().unwrap();
        let found = acts(&site).into_iter().find(|act| act["record"]["id"] == id).unwrap();
        assert_eq!((&filter(&found)["locks"], &filter(&found)["verdict"]), (&json!("checked"), &json!("verified")), "{:?}", server.kind);
        assert!(filter(&found)["objects"]["segments/standard"]["governance"].is_string(), "{found}");

        let segment = runtime.block_on(async {
            let store = S3Store::open(&bucket, "evidence", server.options()).await.unwrap();
            let version = store.list("spanseal/segments/", None, 100).await.unwrap().swap_remove(0);
            let id = version.id.as_ref().unwrap().0.clone();
            let path = format!("/{bucket}/evidence/{}?retention=&versionId={id}", version.key);
            let soon = spanseal::clock::UnixSeconds(SystemClock.now().ceil_seconds().0 + 600);
            let body = format!(
                "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>GOVERNANCE</Mode><RetainUntilDate>{soon}</RetainUntilDate></Retention>"
            );
            server.raw(Raw::new(Method::PUT, path).header("x-amz-bypass-governance-retention", "true").body(body)).await.expect_ok();
            version.key.as_str().strip_prefix("spanseal/").unwrap().to_owned()
        });
        let told = attest(&site, &["--reason", "somebody was here"]);
        assert_eq!(told.status.code(), Some(1), "{told}");
        let status: Value = serde_json::from_str(&told.stdout).unwrap();
        let id = status["attestation"]["record"].as_str().unwrap();
        let found = acts(&site).into_iter().find(|act| act["record"]["id"] == id).unwrap();
        let of = filter(&found);
        assert_eq!((&of["verdict"], &of["findings"]), (&json!("findings"), &json!({"lock_weak": "1"})), "{:?}", server.kind);
        assert_eq!((&of["first"][0]["object"], &of["first"][0]["kind"]), (&json!(segment), &json!("lock_weak")));
        let story = site.run(&["show", id]).success().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(story.contains("Not all was as promised: \"lock_weak\" (1).") && story.contains("\"somebody was here\""), "{story}");
        eventually("the drift is found", || {
            figures(&receiver).contains("spanseal_retention_findings{kind=\"lock_weak\"} 1\n").then_some(())
        });
        eventually("the drift is told", || {
            let told = |line: &str| line.contains("WARN") && line.contains("retention.attested") && line.contains("found=1");
            receiver.stderr().lines().any(told).then_some(())
        });
        assert!(receiver.stop().success());
    }
}
