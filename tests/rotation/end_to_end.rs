//! The operator's way, with the binary.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::erase::{ALICE, SUBJECT, everything, found, send, site, span};
use crate::support::receiver::{BINARY, Finished, Site};

/// Lets the configuration name these key files.
fn name(site: &Site, key: &str, next: Option<&str>) {
    let text = std::fs::read_to_string(&site.config).unwrap();
    let at = |name: &str| site.path(name).display().to_string();
    let next = next.map_or_else(String::new, |next| format!(", next_key_file: '{}'", at(next)));
    let line = format!("log: {{key_file: '{}'{next}}}", at(key));
    let text: Vec<&str> = text.lines().map(|old| if old.starts_with("log: ") { line.as_str() } else { old }).collect();
    std::fs::write(&site.config, text.join("\n") + "\n").unwrap();
}

/// A `serve` that should refuse to start; one that does not would serve for ever.
fn served(site: &Site) -> Finished {
    let mut command = Command::new("timeout");
    command.args(["60", BINARY, "serve", "--config", site.config.to_str().unwrap()]).current_dir(site.path(""));
    Finished::of(command)
}

fn key_word(report: &Finished) -> (Value, Value) {
    let json: Value = serde_json::from_str(&report.stdout).unwrap_or_else(|e| panic!("{e}: {report}"));
    (json["verdict"].clone(), json["key"].clone())
}

/// Scenario: an operator changes the log's key as the README says, while a vault holds content, and later uses the new key alone; then once
/// more. Guarantee: each step says what it does; content is still there and erased as before; whoever has any of the keys verifies, and a
/// proof begins with the key that its auditor has.
#[test]
fn an_operator_changes_the_key() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let first = site.run(&["keygen", "--public"]).success().stdout.trim().to_owned();

    let unnamed = site.run(&["keygen", "--next"]);
    assert!(unnamed.stderr.contains("set `log.next_key_file`"), "{unnamed}");
    name(&site, "log.key", Some("next.key"));
    let missing = served(&site);
    assert!(missing.stderr.contains("make it with `spanseal keygen --next`"), "{missing}");
    let second = site.run(&["keygen", "--next"]).success().stdout.trim().to_owned();
    assert_ne!(first, second);
    assert_eq!(site.run(&["keygen", "--next", "--public"]).success().stdout.trim(), second);
    assert_eq!(std::fs::metadata(site.path("next.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let made = std::fs::read_to_string(site.path("next.key")).unwrap();
    assert!(made.lines().any(|line| line.starts_with("log: bound file://")), "it belongs to the store of the first");
    assert!(site.run(&["keygen", "--next"]).stderr.contains("a key is never overwritten"));
    let doctor = site.run(&["doctor"]);
    assert!(doctor.stdout.contains("the next start of `serve` changes to the key in `log.next_key_file`, for good"), "{doctor}");

    let receiver = site.serve();
    send(&receiver, &[span(7, 1, "AFTER-THE-CHANGE", &[(SUBJECT, ALICE)])]);
    assert!(receiver.stderr().contains(&second), "{}", receiver.stderr());
    assert!(receiver.stop().success());
    let doctor = site.run(&["doctor"]).success();
    assert!(
        doctor.stdout.contains("`log.key_file` may now name that file") && doctor.stdout.contains("it is the vault of this log"),
        "{doctor}"
    );
    assert_eq!(key_word(&site.run(&["verify", "--json"])), ("verified".into(), "configured".into()));
    for key in [&first, &second] {
        let report = site.run(&["verify", "--json", "--vkey", key]);
        assert_eq!(key_word(&report), ("verified".into(), "pinned".into()));
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        let changes = report["logs"][0]["key_changes"].as_array().unwrap();
        assert_eq!((changes.len(), &changes[0]["from"], &changes[0]["to"]), (1, &first.as_str().into(), &second.as_str().into()));
        let told = site.run(&["verify", "--vkey", key]).success().stdout;
        let part =
            format!("seal {} announced `{second}`, which alone signs from the next seal on, in place of `{first}`", changes[0]["seal"]);
        assert!(told.contains(&part), "{told}");
    }

    name(&site, "log.key", None);
    let old_alone = served(&site);
    assert!(old_alone.stderr.contains(&format!("announced that {second} signs from then on")), "{old_alone}");
    name(&site, "next.key", None);
    assert!(site.serve().stop().success());
    assert_eq!(key_word(&site.run(&["verify", "--json"])), ("verified".into(), "configured".into()));
    let shown = site.run(&["show", &format!("{:032x}", 1), "--content", "--identities"]).success().stdout;
    assert!(shown.contains("ROOT-OF-ALICE") && shown.contains(ALICE), "{shown}");

    proofs(&site, &first, &second);

    let erased = site.run(&["erase", "--person", ALICE, "--ground", "asked for", "--yes"]);
    assert!(erased.status.success(), "{erased}");
    let gone = site.run(&["show", &format!("{:032x}", 7), "--content"]);
    assert!(!gone.stdout.contains("AFTER-THE-CHANGE"), "{gone}");

    name(&site, "next.key", Some("third.key"));
    site.run(&["keygen", "--next"]).success();
    assert!(site.serve().stop().success());
    for key in [&first, &second] {
        assert_eq!(key_word(&site.run(&["verify", "--json", "--vkey", key])), ("verified".into(), "pinned".into()));
    }
    name(&site, "third.key", None);
    assert!(site.serve().stop().success());
    site.verified();
}

/// Proofs of a record behind the change, for auditors with the first and with the second key.
fn proofs(site: &Site, first: &str, second: &str) {
    let record = found(site, &["--trace-id", &format!("{:032x}", 7)]).pop().unwrap();
    let id = record["id"].as_str().or(record["record"]["id"].as_str()).unwrap_or_else(|| panic!("{record}")).to_owned();
    let proof = |keys: &[&str]| {
        let mut arguments = vec!["prove", &id];
        keys.iter().for_each(|key| arguments.extend(["--vkey", key]));
        let bundle = site.run(&arguments).success().stdout;
        std::fs::write(site.path("proof.json"), &bundle).unwrap();
        serde_json::from_str::<Value>(&bundle).unwrap()["rotations"].as_array().unwrap().len()
    };
    let check = |key: &str| {
        let checked = site.run(&["check", "proof.json", "--json", "--vkey", key]);
        let json: Value = serde_json::from_str(&checked.stdout).unwrap_or_else(|e| panic!("{e}: {checked}"));
        (json["verdict"].clone(), json["rotations"].clone())
    };
    assert_eq!(proof(&[]), 1);
    assert_eq!(check(first), ("verified".into(), 1.into()));
    assert_eq!(check(second).0, "findings", "it begins with another key");
    let told = |keys: &[&str]| {
        let mut arguments = vec!["check", "proof.json"];
        keys.iter().for_each(|key| arguments.extend(["--vkey", key]));
        site.run(&arguments)
    };
    let short = |key: &str| key.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
    let ask = |key: &str| format!("ask for a proof for your key (spanseal prove RECORD_ID --vkey '{key}')");
    let older = told(&[second]).stdout;
    assert!(
        older.contains(&format!("it begins with an older key of the log, `{}`", short(first))) && older.contains(&ask(second)),
        "{older}"
    );
    for keys in [[first, second], [second, first]] {
        assert!(told(&keys).success().stdout.contains("over 1 announced change of key"), "either is tried");
    }
    let said = site.run(&["prove", &id]).success().stderr;
    assert!(said.contains(&format!("for whoever holds the key `{first}`")) && said.contains(&format!("(`{second}`)")), "{said}");
    assert_eq!(proof(&[first]), 1);
    assert_eq!(proof(&[second]), 0);
    assert_eq!(check(second), ("verified".into(), 0.into()));
    assert_eq!(check(first).0, "findings", "without the announcement");
    let later = told(&[first]).stdout;
    let part = format!("it begins with another key of that name, `{}`, than the one that you brought, `{}`", short(second), short(first));
    assert!(later.contains(&part) && later.contains(&ask(first)) && !later.contains("carries no signature"), "{later}");
    assert_eq!(told(&[first, second]).status.code(), Some(0), "either is tried");

    // Of a record from before the change, for an auditor who has the second key alone.
    let old = found(site, &["--vkey", first]).into_iter().min_by_key(|hit| hit["seal"].as_u64().unwrap()).unwrap();
    let (id, trace) = (old["record"]["id"].as_str().unwrap().to_owned(), format!("{:032x}", 1));
    for keys in [&[first][..], &[]] {
        let mut arguments = vec!["prove", &id];
        keys.iter().for_each(|key| arguments.extend(["--vkey", key]));
        std::fs::write(site.path("proof.json"), site.run(&arguments).success().stdout).unwrap();
        assert_eq!(check(first), ("verified".into(), 0.into()));
    }
    let bundle = site.run(&["prove", &id, "--vkey", second]).success().stdout;
    std::fs::write(site.path("proof.json"), &bundle).unwrap();
    assert_eq!(check(second), ("verified".into(), 0.into()), "under a later checkpoint");
    assert_eq!(check(first).0, "findings", "which the first key did not sign");
    let several = site.run(&["prove", "--trace-id", &trace, "--vkey", second]);
    assert!(several.status.code() == Some(2) && several.stderr.contains("were sealed before"), "{several}");
}
