//! An act goes to the log that is meant, in the store that is meant, and what came of it is what that log's writer says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use spanseal::api::Whose;
use spanseal::worm::local::{LocalOptions, LocalStore};

use crate::access::{readings, recorded, trace};
use crate::erase::{ALICE, BOB, GONE, SUBJECT, everything, found, holds, send, site, site_and_port, span, vault_bytes};
use crate::support::receiver::{Finished, Options, Site};
use crate::support::runtime;

/// What a site's `serve` writes.
pub(crate) fn whose(site: &Site) -> Whose {
    let made: Value = serde_json::from_slice(&std::fs::read(site.path("store/spanseal/log.json")).unwrap()).unwrap();
    let store = LocalStore::open(site.path("store"), LocalOptions::default()).unwrap();
    runtime().block_on(Whose::of(&store, "spanseal", made["origin"].as_str().unwrap())).unwrap().unwrap()
}

fn erase(site: &Site, more: &[&str]) -> Finished {
    site.run(&[&["erase", "--person", ALICE, "--ground", "asked", "--yes"], more].concat())
}

fn show(site: &Site, more: &[&str]) -> Finished {
    site.run(&[&["show", &trace(1), "--content"], more].concat())
}

fn expect_refused(told: &Finished, words: &[&str]) {
    assert!(told.status.code() == Some(2) && told.stdout.is_empty(), "{told}");
    for words in words {
        assert!(told.stderr.contains(words), "{words}: {told}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { std::fs::copy(entry.path(), to).map(|_| ()).unwrap() }
    }
}

fn replace(site: &Site, from: &str, to: &str) {
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    assert!(yaml.contains(from), "{from}: {yaml}");
    std::fs::write(&site.config, yaml.replace(from, to)).unwrap();
}

/// Scenario: `serve` runs, and somebody means a copy of its store, which has the same vault key; then the store itself by other spellings.
/// Guarantee: the one that is served is not touched for the copy, both are named, and what now; the spellings are the same store.
#[test]
fn what_is_asked_of_a_copy_is_not_done_to_the_store_that_is_served() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    for folder in ["store", "store-vault"] {
        copy(&site.path(folder), &site.path(&folder.replace("store", "copy")));
    }
    let (store, other) = (site.path("store").display().to_string(), site.path("copy").display().to_string());
    for told in [erase(&site, &["--store", &other]), show(&site, &["--store", &other])] {
        expect_refused(
            &told,
            &["writes the log `spanseal`", &format!("in file://{store},"), &format!("in file://{other};"), "a copy of the other"],
        );
        assert!(!told.stderr.contains("alice"), "{told}");
    }
    let unrecorded = show(&site, &["--store", &other, "--unrecorded"]).success();
    assert!(unrecorded.stdout.contains(GONE[0]) && unrecorded.stderr.contains("not recorded in the log (--unrecorded): the `serve`"));
    assert!(readings(&site).is_empty() && found(&site, &["--kind", "erasure"]).is_empty() && holds(&vault_bytes(&site), ALICE));
    std::os::unix::fs::symlink(&store, site.path("link")).unwrap();
    for same in ["store", "./store/", "file://./copy/../store"] {
        assert!(recorded(&show(&site, &["--store", same]).success()).1 > 0, "{same}");
    }
    // Its vault lies beside it, whatever leads to the store.
    std::os::unix::fs::symlink(site.path("store-vault"), site.path("link-vault")).unwrap();
    erase(&site, &["--store", "link"]).success();
    assert_eq!((readings(&site).len(), found(&site, &["--kind", "erasure"]).len()), (3, 1));
    assert!(receiver.stop().success());
    site.verified();
}

/// Scenario: the `serve` at the configured port writes another log with the same vault key; then a log of somebody's own in the same store.
/// Guarantee: no act goes to a log that is not the one that is read.
#[test]
fn an_act_is_not_recorded_in_somebody_elses_log() {
    let (site, port) = site_and_port();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let decoy = Site::local();
    replace(&decoy, "127.0.0.1:0'}\n", &format!("127.0.0.1:{port}'}}\n"));
    std::fs::copy(site.path("spanseal-vault.key"), decoy.path("spanseal-vault.key")).unwrap();
    let served = decoy.serve();
    send(&served, &[span(9, 1, "OF-THE-DECOY", &[(SUBJECT, ALICE)])]);
    for told in [show(&site, &[]), erase(&site, &[])] {
        expect_refused(&told, &["writes the log `spanseal`", "and this configuration means", "the log that is meant"]);
    }
    assert!(served.stop().success());
    assert!(readings(&decoy).is_empty() && found(&decoy, &["--kind", "erasure"]).is_empty());
    // A log of one's own beside the one that is read.
    replace(&site, "log: {", "log: {name: mine, ");
    replace(&site, "log.key", "mine.key");
    let receiver = site.serve();
    let refused = show(&site, &[]);
    expect_refused(&refused, &["part of it is of the log `spanseal`", "that of `mine`"]);
    assert!(receiver.stop().success());
    assert!(readings(&site).is_empty());
}

/// Passes everything between a command and a `serve` on, but for a request that would have something done: `met` is told of it, and may
/// answer it instead.
struct Relay {
    port: u16,
    done: Arc<AtomicBool>,
}

impl Relay {
    fn to(serve: u16, met: impl Fn() -> Option<String> + Send + Sync + 'static) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, done, met) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default(), Arc::new(met));
        let ended = Arc::clone(&done);
        std::thread::spawn(move || {
            for asker in listener.incoming().map(Result::unwrap).take_while(|_| !ended.load(Ordering::SeqCst)) {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, serve)).unwrap();
                let (mut from, mut to) = (server.try_clone().unwrap(), asker.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let met = Arc::clone(&met);
                std::thread::spawn(move || pass(asker, server, met.as_ref()));
            }
        });
        Relay { port, done }
    }
}

fn pass(mut asker: TcpStream, mut server: TcpStream, met: &dyn Fn() -> Option<String>) {
    let (mut buffer, mut swallowing) = ([0; 4096], false);
    while let Ok(n @ 1..) = asker.read(&mut buffer) {
        if buffer.starts_with(b"POST ")
            && let Some(answer) = met()
        {
            swallowing = true;
            asker.write_all(answer.as_bytes()).unwrap();
        }
        if !swallowing {
            server.write_all(&buffer[..n]).unwrap();
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Scenario: somebody has the configured port, passes on what each side shows of the key, and makes up an answer. Guarantee: nothing is shown
/// or said to be erased, and a refusal that anybody may have written is not told as one of `serve`.
#[test]
fn an_answer_without_proof_counts_for_nothing() {
    let (site, port) = site_and_port();
    let receiver = site.serve();
    everything(&receiver);
    let erased = json!({"done": true, "pseudonyms": [], "persons": 1, "records": 1, "contents": 1, "bytes": 3, "named": 1, "hashed": 0,
        "elsewhere": 0, "kept": [], "erasure": {"record": "00".repeat(16), "seal": 2}});
    let read = json!({"record": "00".repeat(16), "seal": 1});
    let refusal = json!({"error": "ask your neighbour"});
    for (status, body, show_it) in
        [("200 OK", &erased, false), ("200 OK", &read, true), ("400 Bad Request", &refusal, false), ("400 Bad Request", &refusal, true)]
    {
        let body = body.to_string();
        for proof in [String::new(), format!("spanseal-answer: {}\r\n", "00".repeat(32))] {
            let answer = format!("HTTP/1.1 {status}\r\n{proof}content-length: {}\r\n\r\n{body}", body.len());
            let relay = Relay::to(port, move || Some(answer.clone()));
            replace(&site, &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", relay.port));
            let told = if show_it { show(&site, &[]) } else { erase(&site, &[]) };
            replace(&site, &format!("127.0.0.1:{}", relay.port), &format!("127.0.0.1:{port}"));
            expect_refused(&told, &["does not show that its answer comes from the `serve`", "is not known"]);
            assert!(!told.stderr.contains("from the running spanseal") && !told.stderr.contains("this reading is record"), "{told}");
            assert_eq!(told.stderr.contains("which anybody could: \"ask your neighbour\""), status.starts_with('4'), "{told}");
        }
    }
    assert!(readings(&site).is_empty() && holds(&vault_bytes(&site), ALICE));
    // One that only passes on changes nothing.
    let relay = Relay::to(port, || None);
    replace(&site, &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", relay.port));
    assert!(show(&site, &[]).success().stdout.contains(GONE[0]));
    assert!(receiver.stop().success());
}

/// Scenario: somebody is erased after a reader has read the vault, and before the reading is recorded. Guarantee: what was erased is not
/// shown after it.
#[test]
fn what_is_erased_while_it_is_read_is_not_shown() {
    for (who, asked) in [(ALICE, "--content"), (BOB, "--identities")] {
        let (site, port) = site_and_port();
        let receiver = site.serve();
        everything(&receiver);
        let site = Arc::new(site);
        let (to_serve, in_between) = (format!("127.0.0.1:{port}"), Arc::clone(&site));
        let relay = Relay::to(port, move || {
            let yaml = std::fs::read_to_string(&in_between.config).unwrap();
            let api = yaml.find("api: {endpoint: '").unwrap() + "api: {endpoint: '".len();
            let end = api + yaml[api..].find('\'').unwrap();
            std::fs::write(&in_between.config, format!("{}{to_serve}{}", &yaml[..api], &yaml[end..])).unwrap();
            in_between.run(&["erase", "--person", who, "--ground", "asked", "--yes"]).success();
            None
        });
        replace(&site, &format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", relay.port));
        let told = site.run(&["show", &trace(3), asked]);
        expect_refused(&told, &["part of it was erased while it was read", "ask again"]);
        assert!(!told.stderr.contains("BOB") && !told.stderr.contains("example.com"), "{told}");
        assert_eq!((readings(&site).len(), found(&site, &["--kind", "erasure"]).len()), (1, 1));
        let left = site.run(&["show", &trace(3), asked]).success();
        assert!(left.stdout.contains(if who == ALICE { "BETWEEN-THEM" } else { ALICE }), "{left}");
        assert!(receiver.stop().success());
    }
}

const CUSTOMER: &str = "cust77";

/// Scenario: a ground or a ticket holds the id of somebody whom the records name, or by whom they were asked for, where nobody is named to the
/// reader. Guarantee: it is not sealed, by `serve` nor without, and --unrecorded does not help; what evidence has in the clear may be said.
#[test]
fn no_id_of_a_person_is_sealed_with_a_reading() {
    for mode in ["vault", "keyed"] {
        let site = site();
        replace(&site, "identity: {", &format!("identity: {{mode: {mode}, "));
        let receiver = site.serve();
        send(&receiver, &[span(1, 1, "SAID-BY-CUSTOMER", &[(SUBJECT, CUSTOMER), ("decision.id", "loan-1")])]);
        let one = found(&site, &["--subject", CUSTOMER])[0]["record"]["id"].as_str().unwrap().to_owned();
        let refuse = |ask: &[&str]| {
            for (flag, text) in [("--ground", "complaint of CUST77."), ("--ticket", "C/cust77")] {
                let told = site.run(&[ask, &["--content", flag, text]].concat());
                let what = format!("the {} holds the id of a person", &flag[2..]);
                expect_refused(&told, &[&what, "as it was asked for", "say it without"]);
                assert!(!told.stderr.to_lowercase().contains("cust77") && !told.stderr.contains("--unrecorded"), "{told}");
            }
        };
        refuse(&["query", "--subject", CUSTOMER, "--format", "json"]);
        if mode == "vault" {
            refuse(&["show", &trace(1)]);
            refuse(&["prove", &one]);
            refuse(&["show", &trace(1), "--unrecorded"]);
        }
        let shown = site.run(&["show", "loan-1", "--content", "--ground", "appeal against loan-1"]).success();
        assert!(shown.stdout.contains("SAID-BY-CUSTOMER"), "{shown}");
        // Nobody's pseudonym.
        let nobody = format!("ps:vault:{}", "0".repeat(32));
        expect_refused(&show(&site, &["--by", &nobody, "--unrecorded"]), &["as it was asked for"]);
        assert!(receiver.stop().success());
        refuse(&["query", "--subject", CUSTOMER, "--format", "json"]);
        expect_refused(&show(&site, &["--by", &nobody]), &["as it was asked for"]);
        assert_eq!(readings(&site).len(), 1);
        site.verified();
    }
}

/// Scenario: no `serve` runs, and whoever reads or erases has a configuration that says something else. Guarantee: no command changes the
/// configuration of a log: where the difference matters it is refused and named, else the act is sealed under the one on record.
#[test]
fn only_serve_changes_a_configuration() {
    let site = Site::with(Options { more: "retention: {classes: [{name: standard, period: 180d}]}".into(), ..Options::default() });
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let changes = |site: &Site| found(site, &["--kind", "config_change"]).len();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    for (from, to, member) in [
        ("period: 180d", "period: 1d", "`content.vault.retention`, `retention`"),
        ("identity: {", "identity: {realm: service.name, ", "`identity.realm`"),
    ] {
        replace(&site, from, to);
        for told in [show(&site, &[]), erase(&site, &[])] {
            expect_refused(&told, &[&format!("is written, in {member}, and only `serve` changes that"), "start `serve`"]);
        }
        std::fs::write(&site.config, &yaml).unwrap();
    }
    assert_eq!((changes(&site), readings(&site).len()), (1, 0));
    let harmless = "confidence: {thresholds: [{threshold: 0.1}]}\nretention:";
    replace(&site, "retention:", harmless);
    replace(&site, &format!("file://{}", site.path("store").display()), "./store");
    assert!(show(&site, &[]).success().stdout.contains(GONE[0]));
    erase(&site, &[]).success();
    assert_eq!((changes(&site), readings(&site).len(), found(&site, &["--kind", "erasure"]).len()), (1, 1, 1));
    site.verified();
    // And `serve` does.
    assert!(site.serve().stop().success());
    assert_eq!(changes(&site), 2);
    site.verified();
}

/// Scenario: a record of which the vault has nothing is named: one of the log's own making. Guarantee: nobody is told that something was
/// erased, and nothing is sealed.
#[test]
fn there_is_nothing_to_erase_of_a_record_that_keeps_nothing() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let (record, _) = recorded(&show(&site, &[]).success());
    let configuration = found(&site, &["--kind", "config_change"])[0]["record"]["id"].as_str().unwrap().to_owned();
    for id in [&record, &configuration] {
        for how in ["--yes", "--dry-run"] {
            let told = site.run(&["erase", "--record", id, "--ground", "asked", how]);
            assert_eq!(
                (told.status.code(), told.stdout.as_str()),
                (Some(1), "Evidence has this record, and the vault keeps nothing of it: nothing to erase.\n")
            );
        }
    }
    let unknown = site.run(&["erase", "--record", &"f".repeat(32), "--ground", "asked", "--yes"]);
    assert!(unknown.status.code() == Some(1) && unknown.stdout.starts_with("Neither the vault"), "{unknown}");
    assert!(found(&site, &["--kind", "erasure"]).is_empty());
    assert!(receiver.stop().success());
}
