//! Promise: an auditor's technician who has the README and the binary is told what was shown, what was not, and what to do now, as a process
//! answers him.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spanseal::clock::UnixSeconds;
use spanseal::tlog::cosignature::Cosigner;
use spanseal::worm::parse_seal_name;

use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{BINARY, Finished, Receiver, Site};

/// Sends one decision with a prompt; answers with its receipt, as `--receipt` takes it.
fn send(receiver: &Receiver, n: u8) -> String {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let said = json!([{"role": "user", "parts": [{"type": "text", "content": "SECRET-PROMPT"}]}]).to_string();
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.input.messages", &said),
        text("user.id", "alice@example.com"),
        text("ai_audit.decision.outcome", "declined"),
        text("ai_audit.decision.type", "credit"),
    ];
    let span = json!({
        "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat", "attributes": attributes,
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
    });
    let resource = json!({"attributes": [text("service.name", "credit-scoring")]});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!(status, 200);
    format!("{}:{}", answer.headers["spanseal-seal"], answer.headers["spanseal-root"])
}

/// A site with a key, and with so many decisions in it, a seal each; and their receipts.
fn site(decisions: u8) -> (Site, String, Vec<String>) {
    let site = Site::local();
    let receiver = site.serve();
    let receipts = (1..=decisions).map(|n| send(&receiver, n)).collect();
    assert!(receiver.stop().success());
    let vkey = site.run(&["keygen", "--public"]).success().stdout.trim().to_owned();
    (site, vkey, receipts)
}

/// Without any configuration, as an auditor runs it.
fn alone(folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE").env_remove("SPANSEAL_VKEY");
    Finished::of(command)
}

fn says(out: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(out.status.code(), Some(code), "{out}");
    let all = format!("{}{}", out.stdout, out.stderr);
    parts.iter().for_each(|part| assert!(all.contains(part), "{part}: {out}"));
}

/// The seals of the only log below this folder, oldest first.
fn seals(store: &Path) -> Vec<(u64, std::path::PathBuf)> {
    let mut seals: Vec<_> = std::fs::read_dir(store.join("spanseal/seals"))
        .unwrap()
        .filter_map(|file| {
            let path = file.unwrap().path();
            Some((parse_seal_name(&format!("seals/{}", path.file_name()?.to_str()?))?, path))
        })
        .collect();
    seals.sort();
    seals
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Scenario: nothing was sealed yet, or the address is wrong. Guarantee: nothing was checked, whether it is a configuration that names the log
/// or a key; nobody is accused.
#[test]
fn what_is_not_there_was_not_checked() {
    let site = Site::local();
    let empty: &[&[&str]] = &[&["verify"], &["retention", "status"]];
    for command in empty {
        let out = site.run(command);
        says(&out, 2, &["NOTHING CHECKED", "no log `spanseal` lies below"]);
        assert!(!out.stdout.contains("Findings") && !out.stdout.contains("found:"), "{out}");
    }
    let json: Value = serde_json::from_str(&site.run(&["verify", "--json"]).stdout).unwrap();
    assert_eq!((&json["verdict"], &json["findings"]), (&json!("unchecked"), &json!([])), "{json:#}");
}

/// Scenario: an auditor kept the checkpoint of a log that is put back shorter, and goes on from it. Guarantee: it is a rollback, as without going
/// on, under the key that he brought.
#[test]
fn a_log_that_was_cut_shorter_than_what_was_kept_is_a_rollback() {
    let (site, vkey, receipts) = site(3);
    let (store, cut) = (site.path("store"), site.path("cut"));
    let newest = seals(&store).pop().unwrap();
    let kept: Value = serde_json::from_slice(&std::fs::read(&newest.1).unwrap()).unwrap();
    std::fs::write(site.path("kept"), kept["checkpoint"].as_str().unwrap()).unwrap();
    copy(&store, &cut);
    let place = cut.display().to_string();
    let ask = |more: &[&str]| alone(site.dir.path(), &[&["verify", "--store", &place, "--vkey", &vkey][..], more].concat());
    let receipt = receipts.last().unwrap();
    says(
        &ask(&["--resume-from", "kept"]),
        0,
        &["VERIFIED", "  kept:  the log begins with the tree of", "rests on the earlier verification"],
    );
    let since = ask(&["--since-checkpoint", "kept"]);
    says(&since, 0, &["VERIFIED", "  kept:  the log begins with the tree of", "what lies behind the checkpoint that you kept"]);
    assert!(!since.stdout.contains("or a checkpoint you kept"), "{since}");
    says(
        &ask(&["--receipt", receipt]),
        0,
        &["VERIFIED", "names the very tree that the log has at that place", receipt.split(':').nth(1).unwrap()],
    );
    says(&ask(&["--receipt", &format!("0:{}", receipt.split(':').nth(1).unwrap())]), 1, &["names another tree", "fork"]);
    says(&ask(&["--receipt", "0:AAAA"]), 64, &["is no receipt"]);

    let last: u64 = receipt.split(':').next().unwrap().parse().unwrap();
    for (index, path) in seals(&cut) {
        if index >= last {
            std::fs::remove_file(path).unwrap();
        }
    }
    let _ = std::fs::remove_file(cut.join("spanseal/checkpoint"));
    for kept in [&["--resume-from", "kept"][..], &["--since-checkpoint", "kept"]] {
        let out = ask(kept);
        says(&out, 1, &["rollback seals/", "  key:   pinned: you brought it"]);
        assert!(!out.stdout.contains("went on while it was read") && !out.stdout.contains(" or spanseal.local"), "{out}");
    }
    says(&ask(&["--receipt", receipt]), 1, &["rollback", "is of a longer log than the one that is here"]);
}

/// Scenario: the technician reads what `verify` and `check` say. Guarantee: what a range left out, what a store without locks keeps, what a
/// record says of itself is told; content and persons are not.
#[test]
fn what_is_told_is_what_was_looked_at() {
    let (site, vkey, _) = site(3);
    let range = site.run(&["verify", "--from", "1", "--to", "2"]).success();
    says(&range, 0, &["seals 1 to 2 (tree size 3 with the last of them; the log goes on)"]);
    says(&site.run(&["verify", "--from", "gestern"]), 64, &["neither the index of a seal (17) nor a date"]);
    let status = site.run(&["retention", "status"]);
    says(&status, 0, &["This store has no locks", "Nothing that was sealed is gone before its time", "Looked at was whether"]);
    assert!(!status.stdout.contains("No lock is shorter") && !status.stdout.contains("Locks were read"), "{status}");

    let found: Value = serde_json::from_str(&site.run(&["query", "--kind", "decision", "--format", "json"]).success().stdout).unwrap();
    let id = found[0]["record"]["id"].as_str().unwrap();
    std::fs::write(site.path("proof.json"), site.run(&["prove", id]).success().stdout).unwrap();
    let told = alone(site.dir.path(), &["check", "proof.json", "--vkey", &vkey]);
    let part =
        "service `credit-scoring`, model `gpt-4o`, type `credit`, outcome `declined` (the record's own words, as its sender reported them)";
    says(&told, 0, &["  it says    trace `00000000000000000000000000000001`, time `2026-", part, "line 1 of 1 in its segment"]);
    assert!(!told.stdout.contains("alice") && !told.stdout.contains("ps:vault") && !told.stdout.contains("SECRET-PROMPT"), "{told}");
    let json: Value = serde_json::from_str(&alone(site.dir.path(), &["check", "proof.json", "--vkey", &vkey, "--json"]).stdout).unwrap();
    assert_eq!((&json["says"]["outcome"], &json["leaf_index"]), (&json!("declined"), &json!(0)), "{json:#}");
    let own: Value = serde_json::from_str(&site.run(&["query", "--kind", "config_change", "--format", "json"]).success().stdout).unwrap();
    let without = site.run(&["prove", "--content", own[0]["record"]["id"].as_str().unwrap()]);
    says(&without, 0, &["the record names no content, so nothing is opened"]);

    // A key that cannot be read is said once.
    std::fs::rename(site.path("log.key"), site.path("elsewhere.key")).unwrap();
    for ids in [&["prove", id][..], &["prove", id, "--through", own[0]["record"]["id"].as_str().unwrap()]] {
        let out = site.run(ids);
        assert_eq!(out.stderr.matches("problem: the configured key").count(), 1, "{out}");
    }
}

/// Scenario: the keys of a log and of a witness are mixed up, or lost. Guarantee: each is named for what it is, and what to do now is said.
#[test]
fn keys_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| alone(folder.path(), arguments);
    let made = run(&["keygen", "--witness", "w.test/1", "--key-file", "w.key"]).success();
    assert!(!made.stderr.contains("\\u{a}") && made.stderr.lines().count() == 2, "{made}");
    let again = run(&["keygen", "--public", "--key-file", "w.key"]).success();
    assert_eq!(again.stdout, made.stdout);
    assert_eq!(run(&["keygen", "--key-file", "w.key"]).status.code(), Some(64));
    let log = run(&["keygen"]).success().stdout;
    says(&run(&["check", "p", "--vkey", "w.key"]), 64, &["is the secret key file", "cosigns as a witness"]);
    says(&run(&["verify", "--witness", "spanseal.key"]), 64, &["is the secret key file", "the log's secret key"]);
    says(&run(&["witness", "--state", "s", "--log", log.trim(), "--key-file", "spanseal.key"]), 2, &["it is the key of a log"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = run(&["witness", "--state", "s", "--log", log.trim(), "--key-file", "w.key", "--listen", &address]);
    says(&busy, 2, &["cannot listen on", "`--listen HOST:PORT`"]);
    assert!(!busy.stderr.contains("endpoint"), "{busy}");
    std::fs::write(folder.path().join("c.yaml"), "log: {next_key_file: ./next.key}\n").unwrap();
    says(&run(&["keygen", "--public", "--next", "--config", "c.yaml"]), 2, &["make it with `spanseal keygen --next`"]);
}

/// Whoever has the binary alone has the format.
#[test]
fn the_format_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let document = alone(folder.path(), &["format"]).success().stdout;
    assert!(document.starts_with("The format of a log: ") && document.contains("# 13. ") && !document.contains("//!"));
}

/// Scenario: a proof is asked for with a witness, whose cosignature lies behind more junk than is read, or is the log's own key under another name.
/// Guarantee: the proof is written, why the witness is missing is said, and the exit code says that something is.
#[test]
fn a_proof_without_its_witness_says_why() {
    let (site, _, _) = site(1);
    let witness = alone(site.dir.path(), &["keygen", "--witness", "w.test/1", "--key-file", "w.key"]).success().stdout;
    let found: Value = serde_json::from_str(&site.run(&["query", "--kind", "decision", "--format", "json"]).success().stdout).unwrap();
    let (id, seal) = (found[0]["record"]["id"].as_str().unwrap(), found[0]["seal"].as_u64().unwrap());
    let folder = site.path("store").join(format!("spanseal/cosignatures/{seal:020}"));
    let ask = |more: &[&str]| site.run(&[&["prove", id, "--witness", witness.trim()][..], more].concat());
    let left_out = "more cosignatures lie in the store than are looked at";
    let before = ask(&[]);
    says(&before, 2, &["is not yet cosigned by enough of the witnesses that you named, 0 of 1"]);
    assert!(!before.stderr.contains(left_out), "{before}");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..1001 {
        std::fs::write(folder.join(format!("{n:016x}.note")), "junk").unwrap();
    }
    says(&ask(&[]), 2, &[left_out, "is not yet cosigned by enough of the witnesses that you named, 0 of 1", "spanseal.proof/1"]);
    let own: Value = serde_json::from_str(&site.run(&["query", "--kind", "config_change", "--format", "json"]).success().stdout).unwrap();
    let other = own[0]["record"]["id"].as_str().unwrap();
    let several = site.run(&["prove", other, "--through", id, "--witness", witness.trim()]);
    says(&several, 2, &[left_out, "spanseal.proof-range/1"]);

    // The log's own key, as a witness's under another name: no key was brought that would tell.
    let file = std::fs::read_to_string(site.path("log.key")).unwrap();
    let secret = file.lines().find(|line| line.starts_with("PRIVATE+KEY+")).unwrap().splitn(5, '+').last().unwrap();
    let own = Cosigner::new("w.test/own", STANDARD.decode(secret).unwrap()[1..].try_into().unwrap()).unwrap();
    for n in 0..1001 {
        std::fs::remove_file(folder.join(format!("{n:016x}.note"))).unwrap();
    }
    let proof: Value = serde_json::from_str(&before.stdout).unwrap();
    let text = proof["checkpoint"].as_str().unwrap().split("\n\n").next().unwrap().to_owned() + "\n";
    let line = own.cosign(&text, UnixSeconds(1_800_000_000)).unwrap();
    std::fs::write(folder.join(format!("{}.note", "0".repeat(16))), format!("{text}\n{line}")).unwrap();
    let key = own.public().to_string();
    says(
        &site.run(&["prove", id, "--witness", &key]),
        2,
        &["with the witnesses that you named `check` will refuse it", "spanseal.proof/1"],
    );
}
