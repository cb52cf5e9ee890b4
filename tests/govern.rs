//! What operators do is sealed by the log's one writer, whoever asks for it by the identity key, and with or without a vault.

use std::net::TcpListener;

use serde_json::{Value, json};
use spanseal::api::{Act, Challenge, HELLO, NONCE, PROOF, Proofs, TIME, nonce, parse_nonce};
use spanseal::clock::{Clock, SystemClock};
use spanseal::govern::{Deed, GovernError, Governor, Trial, Wish};
use spanseal::record::identity::{IdentityKey, IdentityMode};
use spanseal::serve::keys::{load_identity, load_vault_key};
use spanseal::worm::Mode;
use spanseal::worm::memory::{CreateOnly, Fault};
use spanseal::worm::s3::canary::{Attempt, Finding, Tried};

use crate::acts::whose;
use crate::erase::{found, holds, listened, send, span};
use crate::support::log::{ORIGIN, TestLog};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Options, Site};
use crate::support::vault::stored_bytes;

const OFFICER: &str = "officer@example.com";

/// A site whose API has a port that the command knows; with a vault, or without one.
fn site(vault: bool) -> (Site, u16) {
    let site = match vault {
        true => Site::local(),
        false => Site::with(Options { identity: "mode: keyed, ".into(), more: "content: {mode: hash}".into(), ..Options::default() }),
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    replace(&site, "127.0.0.1:0'}\n", &format!("127.0.0.1:{port}'}}\n"));
    (site, port)
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
