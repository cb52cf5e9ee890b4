//! A change of key before the eyes of a witness: it goes on from what it saw, under the keys that whoever runs it has named, and under no other.

use std::path::Path;

use spanseal::tlog::note::UnverifiedCheckpoint;
use spanseal::tlog::{RootHash, TreeSize};

use super::*;
use crate::support::eventually;
use crate::support::receiver::Site;
use crate::support::witness::{Witness, keygen};
use crate::witnesses::{api, asked, cosigned_by, outcome, send, verify as verified_by, wait_cosigned};

/// Lets the configuration name these key files and this witness.
fn name(site: &Site, key: &str, next: Option<&str>, witness: (&str, &str)) {
    let text = std::fs::read_to_string(&site.config).unwrap();
    let at = |name: &str| site.path(name).display().to_string();
    let next = next.map_or_else(String::new, |next| format!(", next_key_file: '{}'", at(next)));
    let line = format!("log: {{{}key_file: '{}'{next}}}", asked(&[witness], 1), at(key));
    let text: Vec<&str> = text.lines().map(|old| if old.starts_with("log: ") { line.as_str() } else { old }).collect();
    std::fs::write(&site.config, text.join("\n") + "\n").unwrap();
}

/// The longer tree that somebody with the key in this file would like to have cosigned, if the witness is at `size`.
fn forged(key: &Path, size: u64) -> String {
    let longer = stolen(key).checkpoint(TreeSize(size + 1), RootHash(spanseal::tlog::Hash([9; 32])));
    format!("old {size}\n\n{longer}")
}

/// Scenario: a log with a witness changes its key. The witness is not told, then told beside the old key, then is given the new one alone;
/// `serve` runs on meanwhile. Guarantee: sealing waits for nobody; the witness cosigns nothing under a key that it was not told, both sides
/// say what to do, and it goes on from the very tree that it saw, without a restart of `serve`; whoever holds only the old key gets nothing
/// cosigned any more; `verify` follows both changes.
#[test]
fn a_witness_follows_a_change_of_key() {
    let folder = tempfile::tempdir().unwrap();
    let one = keygen(folder.path(), "w.test/1");
    let site = Site::local();
    let first = site.run(&["keygen"]).success().stdout.trim().to_owned();
    let witness = Witness::start(folder.path(), "w.test/1", &[&first]);
    let (address, url) = (witness.address, witness.url());
    name(&site, "log.key", None, (&one, &url));
    let receiver = site.serve();
    let sealed = send(&receiver, 1);
    wait_cosigned(&receiver, 1, sealed + 1);
    assert!(receiver.stop().success());

    // The seal that announces the key is signed by both, so it is still cosigned; what comes after it is not.
    name(&site, "log.key", Some("next.key"), (&one, &url));
    let second = site.run(&["keygen", "--next"]).success().stdout.trim().to_owned();
    let receiver = site.serve();
    let sealed = send(&receiver, 2);
    eventually("the witness refuses the new key", || (outcome(&receiver, 1, "refused") > 0).then_some(()));
    assert!(receiver.stderr().contains("has to be given the new public key"), "{}", receiver.stderr());
    let checkpoint = api(&receiver, "/tlog/spanseal/checkpoint");
    let seen = cosigned_by(&receiver, 1);
    assert!(seen <= sealed && UnverifiedCheckpoint::parse(&checkpoint).is_ok());
    let status: serde_json::Value = serde_json::from_str(&api(&receiver, "/status")).unwrap();
    assert_eq!(status["cosigned"]["witnesses"][0]["last_outcome"], "refused", "{status:#}");
    let newest = receiver_checkpoint(&site);
    let (code, said) = witness.add(&format!("old {seen}\n\n{newest}"));
    assert!(code == 403 && String::from_utf8_lossy(&said.body).contains("starts it with the new one (`--log`)"), "{code}");

    // Told beside the old one, in the place where it was: it remembers, and `serve` goes on with it by itself.
    witness.kill();
    let witness = Witness::start_at(address, folder.path(), "w.test/1", &[&first, &second]);
    assert!(witness.stderr().contains(&format!("cosigned up to tree size {seen}")), "{}", witness.stderr());
    wait_cosigned(&receiver, 1, sealed + 1);
    let later = send(&receiver, 3);
    wait_cosigned(&receiver, 1, later + 1);
    let seen = cosigned_by(&receiver, 1);
    assert_eq!(witness.add(&forged(&site.path("log.key"), seen)).0, 422, "an old key that is still named must extend what was seen");

    // The new one alone.
    witness.kill();
    let witness = Witness::start_at(address, folder.path(), "w.test/1", &[&second]);
    assert!(witness.stderr().contains(&format!("cosigned up to tree size {seen}")), "{}", witness.stderr());
    assert_eq!(witness.add(&forged(&site.path("log.key"), seen)).0, 403, "the old key is nobody's");
    let last = send(&receiver, 4);
    wait_cosigned(&receiver, 1, last + 1);
    assert!(receiver.stop().success());
    name(&site, "next.key", None, (&one, &url));
    let receiver = site.serve();
    let last = send(&receiver, 5);
    wait_cosigned(&receiver, 1, last + 1);
    assert!(receiver.stop().success());
    for key in [&first, &second] {
        let (code, report) = verified_by(&site, key, &[&one], 1);
        let log = &report["logs"][0];
        assert_eq!((code, log["cosigned"]["up_to"].as_u64()), (Some(0), log["tree_size"].as_u64()), "{report:#}");
    }
}

/// The checkpoint of the newest seal in the store.
fn receiver_checkpoint(site: &Site) -> String {
    let mut seals: Vec<_> = std::fs::read_dir(site.path("store/spanseal/seals")).unwrap().map(|seal| seal.unwrap().path()).collect();
    seals.sort();
    SealFile::parse(&std::fs::read(seals.last().unwrap()).unwrap()).unwrap().checkpoint
}
