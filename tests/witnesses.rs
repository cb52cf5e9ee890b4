//! Promise: somebody else's process sees the log and says so. `serve`, `spanseal witness`, `verify`, `prove` and `check` as a user has them.

mod others;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use spanseal::tlog::cosignature::WitnessKey;
use spanseal::tlog::note::VerifierKey;

use crate::support::eventually;
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Options, Receiver, Site};
use crate::support::tools;
use crate::support::witness::{Witness, keygen};

/// `log` members of a site with these witnesses.
pub(crate) fn asked(witnesses: &[(&str, &str)], quorum: usize) -> String {
    let entries: Vec<String> = witnesses.iter().map(|(vkey, url)| format!("{{vkey: '{vkey}', url: '{url}'}}")).collect();
    format!("witnesses: [{}], witness_quorum: {quorum}, witness_interval: 1s, ", entries.join(", "))
}

/// A site whose log key exists, because witnesses must know it first.
pub(crate) fn site(log: String) -> (Site, String) {
    let site = Site::with(Options { log, ..Options::default() });
    let vkey = site.run(&["keygen"]).success().stdout.trim().to_owned();
    (site, vkey)
}

/// Other witnesses in the configuration.
pub(crate) fn ask_others(site: &Site, log: &str) {
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let lines = yaml.lines().map(|line| match line.strip_prefix("log: {") {
        Some(rest) => format!("log: {{{log}{}\n", &rest[rest.find("key_file").unwrap()..]),
        None => format!("{line}\n"),
    });
    let yaml: String = lines.collect();
    std::fs::write(&site.config, yaml).unwrap();
}

/// Sends one model call; answers with the record's seal.
pub(crate) fn send(receiver: &Receiver, n: u8) -> u64 {
    let span = json!({
        "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
    });
    let body = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!(status, 200);
    answer.seal().unwrap()
}

pub(crate) fn api(receiver: &Receiver, path: &str) -> String {
    let request = HttpRequest { method: "GET", path, headers: Vec::new(), body: b"", chunked: false };
    String::from_utf8(http(receiver.api, &request).unwrap().1.body).unwrap()
}

/// One figure of `/metrics`, by its name with labels.
pub(crate) fn metric(receiver: &Receiver, name: &str) -> Option<u64> {
    api(receiver, "/metrics").lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

pub(crate) fn cosigned_by(receiver: &Receiver, witness: usize) -> u64 {
    metric(receiver, &format!("spanseal_witness_cosigned_tree_size{{witness=\"{witness}\"}}")).unwrap_or(0)
}

pub(crate) fn outcome(receiver: &Receiver, witness: usize, word: &str) -> u64 {
    metric(receiver, &format!("spanseal_witness_attempts_total{{witness=\"{witness}\",outcome=\"{word}\"}}")).unwrap_or(0)
}

pub(crate) fn wait_cosigned(receiver: &Receiver, witness: usize, size: u64) {
    eventually(&format!("witness {witness} has cosigned {size} seals"), || (cosigned_by(receiver, witness) >= size).then_some(()));
}

pub(crate) fn json_of(out: &Finished) -> Value {
    serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {out}"))
}

/// `verify --json` with these witnesses.
pub(crate) fn verify(site: &Site, vkey: &str, witnesses: &[&str], quorum: usize) -> (Option<i32>, Value) {
    let quorum = quorum.to_string();
    let mut arguments = vec!["verify", "--json", "--vkey", vkey, "--quorum", &quorum];
    witnesses.iter().for_each(|witness| arguments.extend(["--witness", witness]));
    let out = site.run(&arguments);
    (out.status.code(), json_of(&out))
}

pub(crate) fn kinds(report: &Value, list: &str) -> Vec<String> {
    report[list].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

/// The id of the record of call `n`, and its proof in a file.
fn prove(site: &Site, n: u8) -> (Value, std::path::PathBuf) {
    let out = site.run(&["query", "--trace-id", &format!("{n:032x}"), "--format", "json"]).success();
    let id = json_of(&out)[0]["record"]["id"].as_str().unwrap().to_owned();
    let proof = site.run(&["prove", &id]).success();
    let path = site.path(&format!("proof-{n}.json"));
    std::fs::write(&path, &proof.stdout).unwrap();
    (json_of(&proof), path)
}

fn check(site: &Site, proof: &Path, vkey: &str, trust: &[&str]) -> Finished {
    let proof = proof.display().to_string();
    let mut arguments = vec!["check", &proof, "--vkey", vkey];
    arguments.extend_from_slice(trust);
    site.run(&arguments)
}

/// A port at which nobody answers, and one at which somebody listens and says nothing.
fn dead() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn cosignatures(site: &Site) -> Vec<std::path::PathBuf> {
    let folder = site.path("store/spanseal/cosignatures");
    let mut found = Vec::new();
    for seal in std::fs::read_dir(folder).into_iter().flatten() {
        found.extend(std::fs::read_dir(seal.unwrap().path()).unwrap().map(|note| note.unwrap().path()));
    }
    found.sort();
    found
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Scenario: two witnesses; one goes away (kill -9) and comes back on its own state; a third never answers. Guarantee: records are sealed
/// meanwhile as if nothing were; one of two is enough for a quorum of one and not yet for two; what is stored is cosigned, and `verify`,
/// `prove` and `check` say so to who brings the keys, and to nobody else; the witness that comes back remembers.
#[test]
fn a_log_is_seen_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (keygen(folder.path(), "w.test/1"), keygen(folder.path(), "w.test/2"));
    let silent = keygen(folder.path(), "w.test/3");
    let (site, vkey) = site(String::new());
    let (first, second) = (Witness::start(folder.path(), "w.test/1", &[&vkey]), Witness::start(folder.path(), "w.test/2", &[&vkey]));
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs_at = format!("http://{}", hangs.local_addr().unwrap());
    ask_others(&site, &asked(&[(&one, &first.url()), (&two, &second.url()), (&silent, &hangs_at)], 2));

    let receiver = site.serve();
    let sealed = send(&receiver, 1);
    wait_cosigned(&receiver, 1, sealed + 1);
    wait_cosigned(&receiver, 2, sealed + 1);
    assert_eq!(metric(&receiver, "spanseal_tlog_cosigned_lag_seals"), Some(0), "2 of 3");
    // The third has taken nothing and delays nothing.
    assert_eq!(cosigned_by(&receiver, 3), 0);

    second.kill();
    let later = send(&receiver, 2);
    wait_cosigned(&receiver, 1, later + 1);
    eventually("the witness that is away is told", || (outcome(&receiver, 2, "unreachable") > 0).then_some(()));
    assert!(metric(&receiver, "spanseal_tlog_cosigned_lag_seals").unwrap() > 0);
    assert!(api(&receiver, "/readyz").starts_with("ready"), "a witness that is away does not make a log unready");

    // The API says the same, and who is behind.
    let told: Value = serde_json::from_str(&api(&receiver, "/status")).unwrap();
    let newest = told["tree_size"].as_u64().unwrap();
    let reached = told["cosigned"]["up_to"].as_u64().unwrap();
    assert!(newest > later && told["ready"] == true && told["origin"] == "spanseal.local/spanseal", "{told:#}");
    assert!(reached > sealed && reached <= later && told["cosigned"]["lag"].as_u64() == Some(newest - reached), "{told:#}");
    assert_eq!((&told["cosigned"]["quorum"], told.get("timestamped")), (&json!(2), None), "{told:#}");
    let of = |n: usize| &told["cosigned"]["witnesses"][n];
    assert_eq!(
        (&of(0)["name"], of(0)["up_to"].as_u64(), &of(0)["last_outcome"]),
        (&json!("w.test/1"), Some(later + 1), &json!("cosigned"))
    );
    assert!(of(0)["at"].as_str().unwrap().starts_with("20") && of(1)["up_to"].as_u64() == Some(reached), "{told:#}");
    assert!(of(1)["last_outcome"] == "unreachable" && of(2)["up_to"].is_null() && of(2)["at"].is_null(), "{told:#}");

    // What both have cosigned is served with their lines, at the size of both.
    let (served, read) = eventually("a published checkpoint of both witnesses", || {
        let served = api(&receiver, "/tlog/spanseal/cosigned/checkpoint");
        spanseal::tlog::note::UnverifiedCheckpoint::parse(&served).ok().map(|read| (served, read))
    });
    assert!(read.is_signed_by(&VerifierKey::parse(&vkey).unwrap()), "{served}");
    assert!(read.checkpoint.size.0 <= reached, "{served}");
    for key in [&one, &two] {
        assert!(WitnessKey::parse(key).unwrap().cosigned(&read.note).unwrap().is_some(), "{served}");
    }

    let (code, report) = verify(&site, &vkey, &[&one, &two], 1);
    assert_eq!((code, &report["verdict"]), (Some(0), &json!("verified")), "{report:#}");
    let cosigned = &report["logs"][0]["cosigned"];
    assert_eq!((&cosigned["quorum"], cosigned["up_to"].as_u64()), (&json!(1), Some(later + 1)), "{cosigned}");
    assert_eq!(cosigned["witnesses"][0], json!({"name": "w.test/1", "up_to": later + 1}));
    let behind = cosigned["witnesses"][1]["up_to"].as_u64().unwrap();
    assert!(behind > sealed && behind <= later, "{cosigned}");
    let (_, report) = verify(&site, &vkey, &[&one, &two], 2);
    assert_eq!(report["logs"][0]["cosigned"]["up_to"].as_u64(), Some(behind), "two of two saw what the slower one saw");
    let (code, report) = verify(&site, &vkey, &[&silent], 1);
    assert_eq!((code, &report["verdict"], &report["logs"][0]["cosigned"]["up_to"]), (Some(2), &json!("unchecked"), &json!(null)));
    assert!(kinds(&report, "notes").contains(&"cosignature_unknown".to_owned()), "{report:#}");
    assert!(report["notes"][0]["meaning"].as_str().unwrap().contains("not yet cosigned by 1 of your 1"), "{report:#}");
    // Who brings no witness is told of them, and that they count for nothing.
    let plain = site.verified();
    assert!(plain["logs"][0].get("cosigned").is_none());
    let told = plain["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "cosignature_unknown").unwrap();
    assert!(told["found"].as_str().unwrap().contains("`w.test/1` (named in the configuration on record)"), "{told}");
    let out = site.run(&["verify", "--vkey", &vkey, "--witness", &one]).success();
    assert!(out.stdout.contains(&format!("seen:  up to tree size {}", later + 1)), "{out}");

    // The proof of the older record stands below a checkpoint that both cosigned, that of the newer below one of the first alone.
    let (bundle, proof) = prove(&site, 1);
    assert_eq!(bundle["cosignatures"].as_array().unwrap().len(), 2, "{bundle}");
    let out = check(&site, &proof, &vkey, &["--witness", &one, "--witness", &two]).success();
    assert!(out.stdout.starts_with("VERIFIED: this record was sealed, signed and published.\n"), "{out}");
    assert!(out.stdout.contains("seen by    w.test/1 at 20") && out.stdout.contains("seen by    w.test/2 at 20"), "{out}");
    let out = check(&site, &proof, &vkey, &[]).success();
    assert!(out.stdout.starts_with("VERIFIED: this record was sealed and signed.\n") && out.stdout.contains("2 cosignature(s)"), "{out}");
    let (bundle, proof) = prove(&site, 2);
    assert_eq!(bundle["cosignatures"].as_array().unwrap().len(), 1, "{bundle}");
    assert_eq!(check(&site, &proof, &vkey, &["--witness", &one, "--witness", &two, "--quorum", "1"]).status.code(), Some(0));
    let out = check(&site, &proof, &vkey, &["--witness", &one, "--witness", &two, "--quorum", "2", "--json"]);
    let said = json_of(&out);
    assert_eq!((out.status.code(), &said["verdict"], &said["published"]), (Some(2), &json!("unchecked"), &json!(false)), "{out}");
    assert_eq!((&said["seen"][0]["name"], &said["quorum"], said["seen"].as_array().unwrap().len()), (&json!("w.test/1"), &json!(2), 1));

    // It comes back, elsewhere, with what it remembers, and takes up from there.
    let checkpoint = api(&receiver, "/tlog/spanseal/checkpoint");
    assert!(receiver.stop().success());
    let second = Witness::start(folder.path(), "w.test/2", &[&vkey]);
    assert_eq!(second.size(&checkpoint), behind);
    ask_others(&site, &asked(&[(&one, &first.url()), (&two, &second.url())], 2));
    let receiver = site.serve();
    assert!(cosigned_by(&receiver, 1) > 0 || outcome(&receiver, 1, "cosigned") == 0, "what was stored is known before anybody is asked");
    let newest = send(&receiver, 3);
    wait_cosigned(&receiver, 2, newest + 1);
    wait_cosigned(&receiver, 1, newest + 1);
    assert!(receiver.stop().success());
    let (code, report) = verify(&site, &vkey, &[&one, &two], 2);
    let log = &report["logs"][0];
    assert_eq!((code, log["cosigned"]["up_to"].as_u64()), (Some(0), log["tree_size"].as_u64()), "the last seal too: {report:#}");
}

/// Scenario: a proof whose cosignatures were changed. Guarantee: a line in the name of a trusted witness that does not verify, and
/// lines of strangers, are told and count for nothing: whoever passes a proof on can add them.
#[test]
fn a_false_cosignature_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, stranger) = (keygen(folder.path(), "w.test/1"), keygen(folder.path(), "w.test/2"));
    let (site, vkey) = site(String::new());
    let witness = Witness::start(folder.path(), "w.test/1", &[&vkey]);
    ask_others(&site, &asked(&[(&one, &witness.url())], 1));
    let receiver = site.serve();
    let sealed = send(&receiver, 1);
    wait_cosigned(&receiver, 1, sealed + 1);
    let (bundle, proof) = prove(&site, 1);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut changed = bundle.clone();
        change(&mut changed);
        std::fs::write(&proof, changed.to_string()).unwrap();
    };
    let line = bundle["cosignatures"][0].as_str().unwrap();
    let flipped = line.replacen("AAA", "AAB", 1);
    assert_ne!(flipped, line);
    change(&|b| b["cosignatures"][0] = json!(flipped));
    let out = check(&site, &proof, &vkey, &["--witness", &one]);
    assert!(out.status.code() == Some(2) && out.stdout.contains("0 of 1 witnesses"), "{out}");
    assert!(out.stdout.contains("Not counted: 1 line(s) in the name of your witnesses"), "{out}");
    change(&|b| b["cosignatures"] = json!([flipped, line]));
    assert_eq!(check(&site, &proof, &vkey, &["--witness", &one]).status.code(), Some(0), "the good one beside it counts");
    assert_eq!(check(&site, &proof, &vkey, &[]).status.code(), Some(0), "nobody's line, as long as nobody trusts the witness");
    // The same line twice is one witness.
    change(&|b| b["cosignatures"] = json!([line, line]));
    let out = check(&site, &proof, &vkey, &["--witness", &one, "--witness", &stranger, "--quorum", "2"]);
    assert!(out.status.code() == Some(2) && out.stdout.contains("1 of 2 witnesses"), "{out}");
    change(&|b| b["cosignatures"] = json!([]));
    assert_eq!(check(&site, &proof, &vkey, &["--witness", &one]).status.code(), Some(2));
}

/// Scenario: the log is set back to an older copy, key and all, and written anew. Guarantee: the witness cosigns none of it, says what it saw
/// (409 with its size), the figures say that the log is against its witnesses, and with the witness's key `verify` names it.
#[test]
fn a_log_that_was_set_back_or_rewritten_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = keygen(folder.path(), "w.test/1");
    let (site, vkey) = site(String::new());
    let witness = Witness::start(folder.path(), "w.test/1", &[&vkey]);
    let copy = site.path("copy");
    let copied = |from: &Path, to: &Path| {
        let mut command = Command::new("cp");
        command.arg("-a").arg(from).arg(to);
        Finished::of(command).success();
    };
    // The copy is of the unused key: whoever has it can write the log anew.
    copied(&site.path("log.key"), &copy);
    ask_others(&site, &asked(&[(&one, &witness.url())], 1));
    let receiver = site.serve();
    for n in 1..6 {
        send(&receiver, n);
    }
    let sealed = send(&receiver, 6);
    wait_cosigned(&receiver, 1, sealed + 1);
    let checkpoint = api(&receiver, "/tlog/spanseal/checkpoint");
    assert!(receiver.stop().success());
    let seen = witness.size(&checkpoint);

    // Another history under the same key: shorter at first, then as long.
    let genuine = site.path("genuine");
    for name in ["store", "store-vault", "log.key.mark"] {
        let kept = genuine.join(name);
        std::fs::create_dir_all(&genuine).unwrap();
        std::fs::rename(site.path(name), kept).ok();
    }
    std::fs::remove_file(site.path("log.key")).unwrap();
    copied(&copy, &site.path("log.key"));
    let receiver = site.serve();
    eventually("the witness is ahead of the log", || (outcome(&receiver, 1, "ahead") > 0).then_some(()));
    assert_eq!(metric(&receiver, "spanseal_witness_last_outcome{witness=\"1\",outcome=\"ahead\"}"), Some(1));
    let said = receiver.stderr();
    assert!(said.contains("checkpoint.refused") && said.contains("was set back to an older copy"), "{said}");
    let mut n = 100;
    let contradicted = || outcome(&receiver, 1, "contradicted");
    while contradicted() == 0 {
        n += 1;
        assert!(n < 250, "never contradicted");
        send(&receiver, n);
        // Each attempt waits longer for the next: a restart asks at once.
        if api(&receiver, "/tlog/spanseal/checkpoint").lines().nth(1).unwrap().parse::<u64>().unwrap() > seen {
            break;
        }
    }
    receiver.stop();
    let receiver = site.serve();
    eventually("the witness contradicts the log", || (outcome(&receiver, 1, "contradicted") > 0).then_some(()));
    assert_eq!(cosigned_by(&receiver, 1), 0);
    assert_eq!(cosignatures(&site), Vec::<std::path::PathBuf>::new(), "nothing of this history is cosigned");
    let forged = api(&receiver, "/tlog/spanseal/checkpoint");
    assert!(receiver.stop().success());
    assert_eq!(witness.size(&forged), seen, "the witness has not moved");

    // What the witness said of the true log, beside the false one: whoever brings its key sees the fork.
    let folder = site.path("store/spanseal/cosignatures");
    copied(&genuine.join("store/spanseal/cosignatures"), &folder);
    let (code, report) = verify(&site, &vkey, &[&one], 1);
    assert_eq!(code, Some(1));
    assert!(
        kinds(&report, "findings").iter().all(|kind| kind == "fork") && !report["findings"].as_array().unwrap().is_empty(),
        "{report:#}"
    );
}

/// Scenario: stored cosignatures are changed, removed, planted. Guarantee: each is named; the log itself stands.
#[test]
fn changed_cosignatures_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let one = keygen(folder.path(), "w.test/1");
    let (site, vkey) = site(String::new());
    let witness = Witness::start(folder.path(), "w.test/1", &[&vkey]);
    ask_others(&site, &asked(&[(&one, &witness.url())], 1));
    let receiver = site.serve();
    let sealed = send(&receiver, 1);
    wait_cosigned(&receiver, 1, sealed + 1);
    assert!(receiver.stop().success());
    let notes = cosignatures(&site);
    let (newest, original) = (notes.last().unwrap(), std::fs::read(notes.last().unwrap()).unwrap());
    edit(newest, |bytes| bytes[3] ^= 1);
    let (code, report) = verify(&site, &vkey, &[&one], 1);
    assert_eq!((code, kinds(&report, "findings")), (Some(1), vec!["cosignature_broken".to_owned()]), "{report:#}");
    assert_eq!(report["findings"][0]["evidence"], "lost");
    assert!(newest.ends_with(Path::new(report["findings"][0]["object"].as_str().unwrap())));
    edit(newest, |bytes| bytes.clone_from(&original));
    assert_eq!(verify(&site, &vkey, &[&one], 1).0, Some(0));
    for note in &notes {
        std::fs::remove_file(note).unwrap();
    }
    let (code, report) = verify(&site, &vkey, &[&one], 1);
    assert_eq!((code, &report["notes"][0]["kind"]), (Some(2), &json!("unchecked")), "{report:#}");
}

/// Tessera's own client has its checkpoints cosigned by our witness, twice, so that the second goes on from the first with a proof of its own
/// making. What Go made, and accepts, is an oracle for the wire and for the cosignature at once.
#[test]
fn a_go_log_is_cosigned_by_our_witness() {
    const TOOL: &str = "posix-oneshot";
    const MODULE: &str = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot@v1.0.4";
    let program = tools::folder().join("bin").join(TOOL);
    if !program.exists() {
        let how = format!("GOBIN={} go install {MODULE}", tools::folder().join("bin").display());
        return tools::skip("go", "our witness with Tessera's client", "posix-oneshot is not there", &how);
    }
    let folder = tempfile::tempdir().unwrap();
    let one = keygen(folder.path(), "w.test/1");
    // A key as Go writes it: seed 32 times 7, type 1.
    let signer = spanseal::tlog::note::NoteSigner::new("go.test/log", &[7; 32]).unwrap();
    let vkey = signer.verifier().to_string();
    let secret = {
        use base64::Engine;
        let id = vkey.split('+').nth(1).unwrap().to_owned();
        let bytes = [vec![1], vec![7; 32]].concat();
        format!("PRIVATE+KEY+go.test/log+{id}+{}", base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    let witness = Witness::start(folder.path(), "w.test/1", &[&vkey]);
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("go.key"), secret).unwrap();
    std::fs::write(at("policy"), format!("witness w1 {one} {}\nquorum w1\n", witness.url())).unwrap();
    for (round, entries) in [(1_u64, 3_u64), (2, 5)] {
        let names = at(&format!("entries-{round}"));
        std::fs::create_dir(&names).unwrap();
        for entry in 0..entries {
            std::fs::write(names.join(format!("{entry}")), format!("entry {round} {entry}\n")).unwrap();
        }
        let mut command = Command::new(&program);
        command.arg("--storage_dir").arg(at("log")).arg("--private_key").arg(at("go.key")).arg("--witness_policy_file").arg(at("policy"));
        command.arg(format!("--entries={}/*", names.display()));
        Finished::of(command).success();
        let note = std::fs::read_to_string(at("log").join("checkpoint")).unwrap();
        let read = spanseal::tlog::note::UnverifiedCheckpoint::parse(&note).unwrap();
        let key = WitnessKey::parse(&one).unwrap();
        assert!(key.cosigned(&read.note).unwrap().is_some() && read.is_signed_by(signer.verifier()), "{note}");
        assert_eq!(witness.size(&note), read.checkpoint.size.0);
    }
    // Nothing was refused but our own question after the size, once a round. Its lines come by a pipe.
    let said = eventually("both are in the log", || Some(witness.stderr()).filter(|said| said.matches("checkpoint.refused").count() >= 2));
    assert_eq!((said.matches("checkpoint.refused").count(), said.matches("checkpoint.refused.stale").count()), (2, 2), "{said}");
}
