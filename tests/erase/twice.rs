//! Erasing what is gone already, wholly or in part: what is left is still erased, and what somebody else took is not called erased.

use super::again::{copy, flat};
use super::*;

fn erasures(site: &Site) -> usize {
    found(site, &["--kind", "erasure"]).len()
}

/// Scenario: somebody deletes the packs, and then a record is erased, twice, and a person. Guarantee: what was not there is said to be
/// missing and not erased, also before; where nothing at all was taken the exit code says so.
#[test]
fn what_somebody_else_took_is_said_to_be_missing() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let record = found(&site, &["--user", BOB, "--trace-id", &format!("{:032x}", 3)])[0]["record"]["id"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(site.path("store-vault/spanseal/packs")).unwrap();
    let erase = |arguments: &[&str]| {
        let run = site.run(&[&["erase", "--ground", "asked"], arguments].concat());
        (run.status.code().unwrap(), flat(&run.stdout))
    };
    let missing = "Missing from the vault: what was said in 1 record. No erasure took it";
    let (code, told) = erase(&["--record", &record, "--dry-run"]);
    assert!(code == 1 && told.contains("Would be erased from the vault: what was said in 0 records") && told.contains(missing), "{told}");
    let (code, told) = erase(&["--record", &record, "--yes"]);
    assert!(code == 1 && told.contains("Erased from the vault: what was said in 0 records (0 contents"), "{told}");
    assert!(told.contains(missing) && told.contains("not erased by this, and its record names it as absent"), "{told}");
    let (code, told) = erase(&["--record", &record, "--yes"]);
    assert!(code == 1 && told.starts_with("Erased already: nothing.") && told.contains(missing) && erasures(&site) == 1, "{told}");
    let (code, told) = erase(&["--person", ALICE, "--yes"]);
    assert!(code == 0 && told.contains("what was said in 0 records (0 contents, 0), and 1 entry of the person"), "{told}");
    assert!(told.contains("Missing from the vault: what was said in 3 records"), "{told}");
    assert!(receiver.stop().success());
}

/// Scenario: of a person who has no entry in the vault a record is erased, and then they are. Guarantee: no erasure names them before, so this
/// one is sealed; after that they are erased already. What the first one took is not called missing.
#[test]
fn a_person_is_not_erased_because_their_record_is() {
    let site = site();
    let yaml = std::fs::read_to_string(&site.config).unwrap().replace("identity: {", "identity: {mode: keyed, ");
    std::fs::write(&site.config, yaml).unwrap();
    let receiver = site.serve();
    send(&receiver, &[span(2, 1, "SAID-TO-BOB", &[(SUBJECT, BOB)])]);
    let record = found(&site, &["--person", BOB])[0]["record"]["id"].as_str().unwrap().to_owned();
    let erase = |arguments: &[&str]| site.run(&[&["erase", "--ground", "asked", "--yes"], arguments].concat());
    erase(&["--record", &record]).success();
    let second = erase(&["--person", BOB]);
    assert!(erasures(&site) == 2 && second.stdout.contains("Recorded: erasure") && !second.stdout.contains("Missing"), "{second}");
    let third = erase(&["--person", BOB]);
    assert!(third.stdout.starts_with("Erased already") && erasures(&site) == 2, "{third}");
    assert!(receiver.stop().success());
}

/// Scenario: a person is erased as whom it is about only, and is erased by the pseudonym then; at last somebody puts the packs back, and they
/// are erased once more. Guarantee: what the first one left is taken, and so is what came back; and what somebody else took of what was left
/// is not called erased.
#[test]
fn what_is_left_and_what_comes_back_is_still_erased() {
    let site = site();
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "ABOUT-ALICE", &[(SUBJECT, ALICE)])]);
    send(&receiver, &[span(2, 1, "ASKED-BY-ALICE", &[(USER, ALICE)])]);
    let alice = found(&site, &["--subject", ALICE])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();
    let (packs, backup) = (site.path("store-vault/spanseal/packs"), site.path("backup"));
    copy(&packs, &backup);
    let erase = |arguments: &[&str]| site.run(&[&["erase", "--ground", "asked", "--yes"], arguments].concat());
    let left = || ["ABOUT-ALICE", "ASKED-BY-ALICE"].map(|text| holds(&vault_bytes(&site), text));
    erase(&["--subject", ALICE]).success();
    assert_eq!(left(), [false, true]);
    erase(&["--person", &alice]).success();
    assert_eq!((left(), erasures(&site)), ([false, false], 2));
    assert!(erase(&["--person", &alice]).stdout.starts_with("Erased already"));
    copy(&backup, &packs);
    assert_eq!(left(), [true, true]);
    let again = erase(&["--person", &alice]).success();
    assert!(left() == [false, false] && again.stdout.contains("what was said in 2 records (2 contents"), "{again}");
    // What the first one left and somebody else took was never erased.
    send(&receiver, &[span(4, 1, "ABOUT-BOB", &[(SUBJECT, BOB)])]);
    send(&receiver, &[span(5, 1, "ASKED-BY-BOB", &[(USER, BOB)])]);
    let bob = found(&site, &["--subject", BOB])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();
    erase(&["--subject", BOB]).success();
    std::fs::remove_dir_all(&packs).unwrap();
    let taken = erase(&["--person", &bob]);
    assert!(taken.stdout.starts_with("Erased from the vault: what was said in 0 records"), "{taken}");
    assert!(flat(&taken.stdout).contains("Missing from the vault: what was said in 1 record."), "{taken}");
    assert!(receiver.stop().success());
}
