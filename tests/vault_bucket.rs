//! Content apart in a bucket of a real S3 server, by the whole line: sent with an official SDK and as raw OTLP, shown, erased, and looked for
//! afterwards in every byte and every version that the bucket has.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use http::Method;
use spanseal::serve::keys::load_vault_key;
use spanseal::vault::{Options as VaultOptions, Vault, open_place};
use spanseal::worm::{StoreOptions, StoreUrl};

use crate::erase::{ALICE, BOB, GONE, STAYS, SUBJECT, everything, found, holds, send, span};
use crate::sdk_clients::sent;
use crate::support::receiver::{Options, Receiver, Site};
use crate::support::s3::{Bucket, Raw, S3Server};
use crate::support::tools::tool;
use crate::support::{eventually, runtime, tools};

/// What the Python client says, in its chat span.
const ASKED: &str = "a very secret question";

struct Rig {
    server: &'static S3Server,
    vault: String,
    site: Site,
}

/// Evidence in a locked bucket, and a vault in one of this kind. `port`: of the API, 0 takes one that the commands do not know.
fn rig(server: &'static S3Server, kind: Bucket, port: u16) -> Rig {
    let (evidence, vault) = runtime().block_on(async { (server.fresh_bucket(Bucket::Locked).await, server.fresh_bucket(kind).await) });
    let site = Site::with(Options {
        store: format!("s3://{evidence}/evidence"),
        more: format!("content: {{vault: {{url: 's3://{vault}/vault'}}}}\nretention: {{classes: [{{name: standard, period: 1d}}]}}"),
        env: server.environment().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        ..Options::default()
    });
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, yaml.replace("api: {endpoint: '127.0.0.1:0'}", &format!("api: {{endpoint: '127.0.0.1:{port}'}}")))
        .unwrap();
    Rig { server, vault, site }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One version of an object of the vault's bucket: key, version id, the bytes as they are stored.
type Stored = (String, String, Vec<u8>);

impl Rig {
    /// Every version of every object of the vault's bucket; a delete marker is a failure, because it hides something that is still there.
    fn versions(&self) -> Vec<Stored> {
        runtime().block_on(async {
            let listed = self.server.raw(Raw::new(Method::GET, format!("/{}?versions=", self.vault))).await.expect_ok().body;
            assert!(!listed.contains("<DeleteMarker>") && listed.contains("<IsTruncated>false</IsTruncated>"), "{listed}");
            let within = |text: &str, name: &str| {
                let (from, to) = (format!("<{name}>"), format!("</{name}>"));
                text.split(&from).nth(1).and_then(|rest| rest.split(&to).next()).unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
            };
            let mut found = Vec::new();
            for version in listed.split("<Version>").skip(1) {
                let (key, id) = (within(version, "Key"), within(version, "VersionId"));
                let call = Raw::new(Method::GET, format!("/{}/{key}?versionId={id}", self.vault));
                found.push((key, id, self.server.raw(call).await.expect_ok().body.into_bytes()));
            }
            found
        })
    }

    /// Everything that the vault holds, decrypted, and all stored bytes.
    fn bytes(&self) -> Vec<u8> {
        let versions = self.versions();
        let keys: BTreeSet<&String> = versions.iter().map(|(key, _, _)| key).collect();
        assert_eq!(keys.len(), versions.len(), "an object has more than one version");
        let key = load_vault_key(&self.site.path("spanseal-vault.key")).unwrap();
        let objects = runtime().block_on(async {
            let url = StoreUrl::S3 { bucket: self.vault.clone(), prefix: "vault".to_owned() };
            let store = open_place(&url, &StoreOptions { s3: self.server.options(), ..StoreOptions::default() }).await.unwrap();
            Vault::new(VaultOptions { store: Arc::clone(&store), log: "spanseal".to_owned(), key }).every_object().await.unwrap()
        });
        assert_eq!(objects.len(), versions.len(), "an object of the bucket is not of the vault, or was not opened");
        let plain = objects.iter().flat_map(|(_, plain)| plain.to_vec());
        versions.iter().flat_map(|(_, _, stored)| stored.clone()).chain(plain).collect()
    }

    /// What a client of the official Python SDK says, if there is Python: its trace.
    fn python(&self, receiver: &Receiver) -> Option<String> {
        let python = tool("python", "content apart in a bucket, sent by the Python SDK")?;
        let mut client = Command::new(python);
        client.arg(tools::scripts().join("clients/python_sdk.py")).args(["http", &format!("http://{}", receiver.http)]);
        Some(sent(client).spans["chat"]["trace_id"].as_str().unwrap().to_owned())
    }
}

/// Scenario: evidence in a bucket with Object Lock, the vault in one without; spans of the Python SDK and raw OTLP name a person; she is shown,
/// erased through the running process, and everything is sent once more. Guarantee: the buckets hold nothing of it in clear; what was said
/// comes back word for word; afterwards it is in no byte, no version and no decrypted object, what is others' is, and the log verifies.
#[test]
fn what_was_said_goes_into_a_bucket_and_out_of_it_for_good() {
    let Some(server) = S3Server::minio() else { return };
    let rig = rig(server, Bucket::Plain, free_port());
    let site = &rig.site;
    let mut receiver = site.serve();
    everything(&receiver);
    let python = rig.python(&receiver);
    let secrets = || GONE.into_iter().chain([ALICE]).chain(python.is_some().then_some(ASKED));

    // There, and nowhere in clear.
    let before = rig.bytes();
    secrets().chain(STAYS).chain([BOB]).for_each(|text| assert!(holds(&before, text), "{text} is not in the vault"));
    let stored: Vec<u8> = rig.versions().into_iter().flat_map(|(_, _, stored)| stored).collect();
    let lines = site.run(&["query", "--format", "jsonl"]).success().stdout;
    for text in secrets().chain(STAYS).chain([BOB]) {
        assert!(!holds(&stored, text), "{text} stands in the vault's bucket in clear");
        assert!(!lines.contains(text), "{text} stands in evidence");
    }
    let root = format!("{:032x}", 1);
    let shown = site.run(&["show", &root, "--content", "--identities"]).success().stdout;
    assert!(shown.contains("ROOT-OF-ALICE") && shown.contains("CHILD-OF-ALICE") && shown.contains(ALICE), "{shown}");
    if let Some(trace) = &python {
        let shown = site.run(&["show", trace, "--content", "--identities"]).success().stdout;
        assert!(shown.contains(ASKED) && shown.contains(&format!("{ALICE} (in tests)")), "{shown}");
    }

    // She is known in two realms if Python spoke too.
    let ask = ["erase", "--person", ALICE, "--realm", "", "--realm", "tests", "--ground", "asked", "--yes", "--json"];
    let outcome: serde_json::Value = serde_json::from_str(&site.run(&ask).success().stdout).unwrap();
    let expected = 3 + u64::from(python.is_some());
    assert_eq!((&outcome["done"], outcome["records"].as_u64()), (&true.into(), Some(expected)), "{outcome}");
    let expect_gone = |when: &str| {
        let after = rig.bytes();
        secrets().for_each(|text| assert!(!holds(&after, text), "{text} is in the vault {when}"));
        STAYS.into_iter().chain([BOB]).for_each(|text| assert!(holds(&after, text), "{text} is not in the vault {when}"));
    };
    expect_gone("after the erasure");
    // A sender that had no answer sends again.
    everything(&receiver);
    expect_gone("after a resend");
    let shown = site.run(&["show", &root, "--content", "--identities"]).success().stdout;
    assert!(shown.split_whitespace().collect::<Vec<_>>().join(" ").contains("erased on 20") && !shown.contains("ROOT-OF-ALICE"), "{shown}");
    assert!(found(site, &["--person", ALICE]).is_empty());
    receiver.assert_healthy();
    assert!(receiver.stop().success());
    expect_gone("after the end");
    site.verified();
}

/// Scenario: a `serve` is alive, on a bucket and with an API port that the command does not know. Guarantee: the command does not displace it:
/// nothing is erased, it says why, and the writer goes on sealing. Told that it is dead, the command displaces it, and what it had not sealed
/// is refused, not lost.
#[test]
fn a_living_writer_of_a_bucket_is_not_displaced() {
    let Some(server) = S3Server::minio() else { return };
    let rig = rig(server, Bucket::Plain, 0);
    let site = &rig.site;
    let mut receiver = site.serve();
    everything(&receiver);
    let ask = ["erase", "--person", ALICE, "--ground", "asked", "--yes"];
    let refused = site.run(&ask);
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("promises another by 20") && refused.stderr.contains("--offline"), "{refused}");
    receiver.assert_healthy();
    send(&receiver, &[span(8, 1, "SAID-AFTER-IT", &[(SUBJECT, BOB)])]);
    let all = rig.bytes();
    assert!(GONE.iter().chain(&["SAID-AFTER-IT"]).all(|text| holds(&all, text)));
    assert!(found(site, &["--kind", "erasure"]).is_empty());

    site.run(&[&ask[..], &["--offline"]].concat()).success();
    let all = rig.bytes();
    assert!(GONE.iter().all(|text| !holds(&all, text)) && holds(&all, "SAID-AFTER-IT"));
    assert!(!receiver.stop().success(), "the displaced writer says that it could not go on");
    site.verified();
}

/// Scenario: a `serve` on a bucket dies, and its newest seal promised another within seconds. Guarantee: while the promise stands the command
/// waits for somebody's word, and when it is over it erases without.
#[test]
fn a_dead_writers_promise_ends() {
    let Some(server) = S3Server::minio() else { return };
    let rig = rig(server, Bucket::Plain, 0);
    let yaml = std::fs::read_to_string(&rig.site.config).unwrap();
    let seal = "seal: {max_delay: 20ms}";
    assert!(yaml.contains(seal));
    std::fs::write(&rig.site.config, yaml.replace(seal, "seal: {max_delay: 20ms, heartbeat: 5s}")).unwrap();
    let receiver = rig.site.serve();
    everything(&receiver);
    receiver.kill();
    let ask = ["erase", "--person", ALICE, "--ground", "asked", "--yes"];
    eventually("the promise is over", || {
        let told = rig.site.run(&ask);
        if told.status.success() {
            return Some(());
        }
        assert!(told.stderr.contains("promises another by 20"), "{told}");
        None
    });
    let all = rig.bytes();
    assert!(GONE.iter().all(|text| !holds(&all, text)));
    rig.site.verified();
}

/// Scenario: a vault is configured in a bucket with Object Lock, and in one whose versioning is suspended. Guarantee: `doctor` names the bucket
/// and what is wrong, `serve` does not start, nothing is written there and no key is made.
#[test]
fn a_bucket_that_keeps_what_is_deleted_is_named_and_refused() {
    let Some(server) = S3Server::minio() else { return };
    for (kind, words) in [(Bucket::Locked, "keeps versions of what is deleted"), (Bucket::Versioned, "kept versions once")] {
        let rig = rig(server, kind, 0);
        let (site, vault) = (&rig.site, &rig.vault);
        if kind == Bucket::Versioned {
            let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Suspended</Status></VersioningConfiguration>";
            let call = Raw::new(Method::PUT, format!("/{vault}?versioning=")).body(body);
            runtime().block_on(async { server.raw(call).await.expect_ok() });
        }
        let named = format!("`content.vault.url` s3://{vault}/vault: the bucket {words}");
        let doctor = site.run(&["doctor", "--no-canary"]);
        assert_eq!(doctor.status.code(), Some(1), "{doctor}");
        assert!(doctor.stdout.contains("problem   vault") && doctor.stdout.contains(&named), "{doctor}");
        let serve = site.run(&["serve"]);
        assert_eq!(serve.status.code(), Some(2), "{serve}");
        assert!(serve.stderr.contains(&named) && serve.stderr.contains("make a bucket without versioning"), "{serve}");
        assert!(rig.versions().is_empty(), "something was written into it");
        for key in ["log.key", "identity.key", "spanseal-vault.key"] {
            assert!(!site.path(key).exists(), "{key} was made");
        }
    }
}
