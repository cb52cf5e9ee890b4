//! No new key is made over a vault in use: it would open nothing that lies there.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::erase::{ALICE, everything, found, holds, site, vault_bytes};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{BINARY, Finished, Options, Site};

/// Scenario: a vault keeps things of a log, and its key file is away; keys are made on purpose, all of them or the vault's alone, once with
/// the log's other keys there, once with all of them away and the log in another store. Guarantee: refused with what to do, no file is
/// made, and with the old key everything is read again.
#[test]
fn no_key_is_made_over_a_vault_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let more =
        format!("content: {{vault: {{url: 'file://{}', key_file: '{}'}}}}", vault.display(), folder.path().join("vault.key").display());
    let site = Site::with(Options { more, ..Options::default() });
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let keys = [site.path("log.key"), site.path("identity.key"), folder.path().join("vault.key")];
    let away = |path: &std::path::Path| path.with_extension("away");
    let refused = |ask: &[&str]| {
        let refused = site.run(ask);
        assert_eq!(refused.status.code(), Some(2), "{refused}");
        let words = ["vault.key` does not exist, but the vault", "keeps things of the log `spanseal`", "bring the file back"];
        assert!(words.iter().all(|words| refused.stderr.contains(words)), "{refused}");
        assert!(refused.stdout.is_empty(), "{refused}");
    };
    std::fs::rename(&keys[2], away(&keys[2])).unwrap();
    refused(&["keygen"]);
    refused(&["keygen", "--only", "vault"]);
    assert!(!keys[2].exists());
    // The vault is asked, not the log: here there is none.
    keys[..2].iter().for_each(|key| std::fs::rename(key, away(key)).unwrap());
    let nowhere = site.path("nowhere").display().to_string();
    refused(&["keygen", "--store", &nowhere]);
    refused(&["keygen", "--only", "vault", "--store", &nowhere]);
    assert!(keys.iter().all(|key| !key.exists()), "half a set of keys was made");
    // Which key it lacks is no reason not to make the others.
    site.run(&["keygen", "--only", "identity", "--store", &nowhere]).success();
    keys.iter().for_each(|key| std::fs::rename(away(key), key).unwrap());
    let trace = format!("{:032x}", 1);
    let shown = site.run(&["show", &trace, "--content", "--identities"]).success().stdout;
    assert!(shown.contains("ROOT-OF-ALICE") && shown.contains(ALICE), "{shown}");
    let again = site.run(&["keygen"]).success();
    assert!(again.stderr.contains("vault key") && again.stderr.contains("exists already and is kept"), "{again}");
    assert!(site.serve().stop().success());
}

/// A `serve` that should refuse to start; one that does not would serve for ever.
fn served_for_a_minute(site: &Site) -> Finished {
    let mut command = Command::new("timeout");
    command.args(["60", BINARY, "serve", "--config", site.config.to_str().unwrap()]).current_dir(site.path(""));
    Finished::of(command)
}

/// Scenario: the first start makes the keys of the log and then fails, over the file of the vault's key. Guarantee: the files that it made are named
/// all the same, for the next start finds them there and says nothing of them.
#[test]
fn files_that_a_start_made_are_told_though_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (vault, key) = (folder.path().join("vault"), folder.path().join("vault.key"));
    std::fs::write(&key, format!("{}\n", "0".repeat(64))).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let more = format!("content: {{vault: {{url: 'file://{}', key_file: '{}'}}}}", vault.display(), key.display());
    let site = Site::with(Options { more, ..Options::default() });
    let failed = served_for_a_minute(&site);
    assert_eq!(failed.status.code(), Some(2), "{failed}");
    assert!(failed.stderr.contains("can be read by others (mode 644)"), "{failed}");
    for (name, file) in [("log.key_file", "log.key"), ("identity.key_file", "identity.key")] {
        let told = format!("made      {name} {} (mode 0600): back it up", site.path(file).display());
        assert!(failed.stderr.contains(&told), "{told}\n{failed}");
    }
}

/// Scenario: the folder of the vault is gone when `serve` starts again, with and without its key file; then it is back. Guarantee: neither
/// `serve` nor `erase` begins a new one or makes a key, what to do is said, evidence is still read, and with the folder everything is there.
#[test]
fn a_vault_that_is_gone_stops_a_start_and_is_not_begun_anew() {
    let site = Site::local();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let (vault, key) = (site.path("store-vault"), site.path("spanseal-vault.key"));
    let seals = site.verified()["logs"][0]["seals"].clone();
    std::fs::rename(&vault, site.path("away")).unwrap();
    for with_key in [true, false] {
        if !with_key {
            std::fs::rename(&key, site.path("key-away")).unwrap();
        }
        let refused = served_for_a_minute(&site);
        assert_eq!(refused.status.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains("nothing of that vault is there: mount it, or bring it back"), "{refused}");
        let refused = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
        assert_eq!(refused.status.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains("nothing of that vault is there"), "{refused}");
        let left = std::fs::read_dir(&vault).map_or(0, |entries| entries.filter(|e| e.as_ref().unwrap().file_name() != "_locks").count());
        assert_eq!((left, key.exists()), (0, with_key), "nothing is made");
    }
    assert_eq!(site.verified()["logs"][0]["seals"], seals, "nothing was sealed, and evidence needs no vault");
    let shown = site.run(&["show", &format!("{:032x}", 1), "--content"]);
    assert!(shown.status.code() == Some(2) && !shown.stdout.contains("ROOT-OF-ALICE") && !shown.stdout.contains("erased on"), "{shown}");
    std::fs::rename(site.path("key-away"), &key).unwrap();
    if vault.exists() {
        std::fs::remove_dir_all(&vault).unwrap();
    }
    std::fs::rename(site.path("away"), &vault).unwrap();
    let receiver = site.serve();
    assert!(holds(&vault_bytes(&site), "ROOT-OF-ALICE"));
    assert_eq!(found(&site, &["--person", ALICE]).len(), 3);
    assert!(receiver.stop().success());
}

/// Scenario: the folder of the vault goes away while `serve` runs (it was a mount), something is sent, and the folder comes back. Guarantee: what
/// cannot be kept in that vault is not acknowledged, and no second vault is begun in its place; sent again, it is acknowledged and shown.
#[test]
fn a_vault_that_goes_away_while_it_is_served_is_not_begun_anew() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let vault = site.path("store-vault");
    std::fs::rename(&vault, site.path("away")).unwrap();
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}","name":"chat","startTimeUnixNano":"1790000000000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.output.messages","value":{{"stringValue":"SAID-WITHOUT-IT"}}}},{{"key":"ai_audit.subject.id","value":{{"stringValue":"{ALICE}"}}}}]}}]}}]}}]}}"#,
        7, 7
    );
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, _) = http(receiver.http, &request).unwrap();
    assert!(!vault.join("spanseal/packs").exists(), "a second vault was begun where the first one was; answered {status}");
    assert_eq!(status, 503, "acknowledged without its vault");
    std::fs::rename(site.path("away"), &vault).unwrap();
    assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    let shown = site.run(&["show", &format!("{:032x}", 7), "--content", "--identities"]).success().stdout;
    assert!(shown.contains("SAID-WITHOUT-IT") && shown.contains(ALICE), "{shown}");
    assert!(receiver.stop().success());
}
