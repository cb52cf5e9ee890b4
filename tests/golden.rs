//! Bytes by other hands: the sample log of `tests/golden/format` is accepted as it is, and our own writers arrive at the same bytes.

use crate::support::forge::{kinds, notes};
use sha2::{Digest, Sha256};
use spanseal::clock::UnixSeconds;
use spanseal::record::RecordId;
use spanseal::record::canonical::Json;
use spanseal::tlog::merkle::{CompactRange, inclusion_path, leaf_hash, root_of};
use spanseal::tlog::note::{NoteSigner, VerifierKey};
use spanseal::tlog::seal_file::{LogFile, SealFile};
use spanseal::tlog::tile::{Edge, add_entry, encode};
use spanseal::tlog::{LeafHash, LeafIndex};
use spanseal::verify::{Bound, KeyTrust, LockCheck, Options, RecordAt, Verdict, check, prove, read_segment, verify};
use spanseal::worm::local::{LocalOptions, LocalStore};
use std::path::{Path, PathBuf};

pub const VKEY: &str = "spanseal.example/vectors+845f03b5+AQUcAWj1wCuhANYeY8a1NnMSVIIV/8ssl8Yot9HFk1hE";

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format")
}

fn read(below: &str) -> Vec<u8> {
    std::fs::read(folder().join(below)).unwrap()
}

fn seals() -> Vec<SealFile> {
    (0..9).map(|i| SealFile::parse(&read(&format!("store/vectors/seals/{i:020}.json"))).unwrap()).collect()
}

fn store() -> LocalStore {
    LocalStore::open(folder().join("store"), LocalOptions::default()).unwrap()
}

fn now() -> UnixSeconds {
    UnixSeconds::parse("2026-11-21T00:00:00Z").unwrap()
}

fn pinned() -> Options<'static> {
    Options { pinned: vec![VerifierKey::parse(VKEY).unwrap()], ..Options::new(now()) }
}

#[tokio::test]
async fn the_whole_log_verifies() {
    let report = verify(&store(), &pinned()).await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert_eq!((report.key, report.locks), (KeyTrust::Pinned, LockCheck::None));
    let log = &report.logs[0];
    assert_eq!((log.origin.as_str(), log.tree_size, log.seals, log.segments, log.records), ("spanseal.example/vectors", 9, 9, 9, 39));
    assert_eq!(log.bytes, 4846);
    // Nothing to remark but that the store keeps no locks, and that the record of the configuration was left out: silence, restarts, tiles
    // and order are as promised.
    assert_eq!(notes(&report), ["not_worm", "config_unrecorded"], "{}", report.to_text());
}

#[tokio::test]
async fn any_part_verifies_by_itself() {
    for from in 0..9_u64 {
        for to in from..9 {
            let options = Options { from: Some(Bound::Seal(from)), to: Some(Bound::Seal(to)), ..pinned() };
            let report = verify(&store(), &options).await;
            assert_eq!(report.verdict, Verdict::Verified, "{from} to {to}: {}", report.to_text());
            assert_eq!(report.logs[0].seals, to - from + 1, "{from} to {to}");
            let at = |i| Some(Bound::Time(UnixSeconds::parse(&format!("2026-11-20T10:01:{i:02}Z")).unwrap()));
            let by_time = verify(&store(), &Options { from: at(from), to: at(to), ..pinned() }).await;
            assert_eq!(by_time.logs, report.logs, "{from} to {to}");
        }
    }
}

/// A range without a seal, at whichever end of the log, between two seals or backwards: nothing was read, so nothing is verified.
#[tokio::test]
async fn a_range_without_a_seal_is_never_verified() {
    let at = |text: &str| Some(Bound::Time(UnixSeconds::parse(text).unwrap()));
    let seal = |index| Some(Bound::Seal(index));
    for (from, to) in [
        (seal(9), None),
        (seal(3), seal(1)),
        (None, at("2026-11-20T10:00:59Z")),
        (at("2020-01-01T00:00:00Z"), at("2020-12-31T00:00:00Z")),
        (at("2030-01-01T00:00:00Z"), at("2030-12-31T00:00:00Z")),
        (at("2026-11-20T10:01:05Z"), at("2026-11-20T10:01:03Z")),
    ] {
        let report = verify(&store(), &Options { from, to, ..pinned() }).await;
        assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Unchecked, 0), "{from:?} to {to:?}: {}", report.to_text());
        assert!(report.to_text().starts_with("NOTHING CHECKED: "), "{}", report.to_text());
        assert_eq!(notes(&report), ["unchecked"], "{from:?} to {to:?}: {}", report.to_text());
    }
    let beyond = verify(&store(), &Options { from: seal(7), to: seal(100), ..pinned() }).await;
    // What was asked for and is not there was not checked; what is there was.
    assert_eq!((beyond.verdict, beyond.logs[0].seals), (Verdict::Unchecked, 2), "{}", beyond.to_text());
    assert_eq!(notes(&beyond), ["unchecked", "not_worm", "not_covered"], "{}", beyond.to_text());
    let last = verify(&store(), &Options { from: seal(7), to: seal(8), ..pinned() }).await;
    assert_eq!(last.verdict, Verdict::Verified, "{}", last.to_text());
    let item = &beyond.notes[0];
    assert_eq!((item.expected.as_deref(), item.found.as_deref()), (Some("seals up to 100"), Some("newest seal 8")));
}

#[tokio::test]
async fn another_key_is_a_finding_and_no_key_is_said_to_be_none() {
    let other = NoteSigner::new("spanseal.example/vectors", &[1; 32]).unwrap();
    let report = verify(&store(), &Options { pinned: vec![other.verifier().clone()], ..pinned() }).await;
    assert_eq!((kinds(&report), report.key), (vec!["wrong_key"], KeyTrust::Unpinned));
    // Nobody who brought a key is told to bring one, nor that the evidence is gone.
    let text = report.to_text();
    assert!(text.contains("  key:   not the one that was given") && text.contains("Evidence: none under that key."), "{text}");
    assert!(!text.contains("bring the key with --vkey") && !text.contains("Evidence: lost"), "{text}");
    let report = verify(&store(), &Options { pinned: vec![], ..pinned() }).await;
    assert_eq!(report.logs[0].vkey.as_deref(), Some(VKEY));
    assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Unpinned));
    let configured = Some(VerifierKey::parse(VKEY).unwrap());
    let report = verify(&store(), &Options { pinned: vec![], configured, ..pinned() }).await;
    assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Configured));
    let elsewhere = NoteSigner::new("spanseal.example/elsewhere", &[1; 32]).unwrap();
    let report = verify(&store(), &Options { pinned: vec![elsewhere.verifier().clone()], ..pinned() }).await;
    assert_eq!(report.verdict, Verdict::Unchecked, "a log that is not there was not checked");
    // The log that is there is named, though nothing else was looked at.
    assert!(report.to_text().contains("not_covered vectors: Another log"), "{}", report.to_text());
    let named = verify(&store(), &Options { logs: vec!["elsewhere".into()], ..pinned() }).await;
    assert!(
        named.to_text().contains("no log `elsewhere` lies below") && named.to_text().contains("(there are `vectors`)"),
        "{}",
        named.to_text()
    );
}

/// The proof of record 30, and ours of every record, against their key.
#[tokio::test]
async fn their_proof_passes_and_so_do_ours() {
    let key = VerifierKey::parse(VKEY).unwrap();
    let report = check(&read("proof.json"), &key, now());
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    let proved = report.result.unwrap();
    assert_eq!((proved.statement.index, proved.leaf_index, proved.tree_size), (5, 10, 9));
    let ids: Vec<String> = serde_json::from_slice(&read("ids.json")).unwrap();
    let mut seen = Vec::new();
    for seal in seals() {
        for segment in &seal.statement.segments {
            for leaf_index in 0..segment.records {
                let at = RecordAt { seal: seal.statement.index, segment: segment.key.clone(), leaf_index, rotations: vec![] };
                let bundle = prove(&store(), "vectors", &key, &at).await.unwrap();
                let proved = check(&bundle.to_bytes(), &key, now()).result.unwrap();
                assert_eq!(proved.tree_size, seal.statement.index + 1);
                seen.push(proved.record_id.unwrap());
            }
        }
    }
    let (mut seen, mut ids) = (seen, ids);
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    let nowhere = RecordAt { seal: 0, segment: seals()[0].statement.segments[0].key.clone(), leaf_index: 1, rotations: vec![] };
    assert!(prove(&store(), "vectors", &key, &nowhere).await.is_err());
}

/// Given their statements, our writer's bytes are theirs: entries, frontiers, notes, files, tiles.
#[test]
fn our_writers_arrive_at_their_bytes() {
    let signer = NoteSigner::new("spanseal.example/vectors", &Sha256::digest(b"spanseal format vectors").into()).unwrap();
    assert_eq!(signer.verifier().to_string(), VKEY);
    let log_file = read("store/vectors/log.json");
    assert_eq!(LogFile::parse(&log_file).unwrap().to_bytes(), log_file);
    let mut range = CompactRange::new();
    let (mut edge, mut entries) = (Edge::default(), Vec::new());
    for (i, seal) in seals().iter().enumerate() {
        assert_eq!(seal.statement.entry(), seal.entry, "seal {i}");
        assert_eq!(seal.frontier, range, "seal {i}");
        range.append(leaf_hash(&seal.entry));
        assert_eq!(seal.checkpoint, signer.checkpoint(range.size(), range.root()), "seal {i}");
        assert_eq!(seal.to_bytes().unwrap(), read(&format!("store/vectors/seals/{i:020}.json")), "seal {i}");
        assert!(edge.push(seal.leaf()).is_empty());
        assert!(add_entry(&mut entries, &seal.entry));
    }
    let tiles: Vec<_> = edge.partials().map(|(tile, nodes)| (tile.path(), encode(nodes))).collect();
    assert_eq!(tiles, [("tile/0/000.p/9".to_owned(), read("store/vectors/tile/0/000.p/9"))]);
    assert_eq!(entries, read("store/vectors/tile/entries/000.p/9"));
    assert_eq!(seals()[8].checkpoint.as_bytes(), read("store/vectors/checkpoint"));
}

/// Their lines are our canonical form, their ids our derivation, their roots our trees.
#[test]
fn records_ids_and_roots_are_reproduced() {
    let ids: Vec<String> = serde_json::from_slice(&read("ids.json")).unwrap();
    let mut found = Vec::new();
    for seal in seals() {
        for segment in &seal.statement.segments {
            let stored = read(&format!("store/vectors/{}", segment.key));
            let mut leaves: Vec<LeafHash> = Vec::new();
            let contents = read_segment(&stored, &segment.class, |_, line, leaf| {
                let record = Json::parse(line).unwrap();
                assert_eq!(record.to_jcs(), line);
                let text = |path: &str| record.path(path).and_then(Json::as_str).unwrap_or_default().to_owned();
                let id = RecordId::derive(&text("source.signal"), &text("trace.trace_id"), &text("trace.span_id"), "0");
                assert_eq!(id.to_string(), text("id"));
                found.push(text("id"));
                leaves.push(leaf);
            })
            .unwrap();
            assert_eq!(root_of(&leaves), segment.merkle_root);
            assert_eq!((contents.first, contents.last), (Some(segment.first), Some(segment.last)));
        }
    }
    assert_eq!(found.len(), ids.len());
    assert!(found.iter().all(|id| ids.contains(id)));
}

/// `tlog_tiles` (Rust port of Go's sumdb/tlog) accepts our inclusion paths, `signed_note` our notes.
#[test]
fn independent_implementations_agree() {
    let leaves: Vec<LeafHash> = seals().iter().map(SealFile::leaf).collect();
    for (i, seal) in seals().iter().enumerate() {
        let path = inclusion_path(LeafIndex(i as u64), &leaves).unwrap();
        let theirs: Vec<tlog_tiles::Hash> = path.iter().map(|h| tlog_tiles::Hash(h.0)).collect();
        let root = tlog_tiles::Hash(root_of(&leaves).0.0);
        assert_eq!(tlog_tiles::record_hash(&seal.entry).0, leaves[i].0.0);
        tlog_tiles::check_record(&theirs, leaves.len() as u64, root, i as u64, tlog_tiles::record_hash(&seal.entry)).unwrap();
        let note = signed_note::Note::from_bytes(seal.checkpoint.as_bytes()).unwrap();
        let verifier = signed_note::StandardVerifier::new(VKEY).unwrap();
        assert_eq!(note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).unwrap().0.len(), 1);
    }
}

/// Every leaf of the bundle changed, one at a time: none of them proves anything.
#[test]
fn a_changed_proof_is_refused() {
    let key = VerifierKey::parse(VKEY).unwrap();
    let proof: serde_json::Value = serde_json::from_slice(&read("proof.json")).unwrap();
    let mut pointers = Vec::new();
    collect(&proof, String::new(), &mut pointers);
    assert!(pointers.len() > 40, "{}", pointers.len());
    for pointer in &pointers {
        for change in [flip as fn(&str) -> String, |t: &str| format!("{t}0"), |_: &str| String::new()] {
            let mut changed = proof.clone();
            let text = changed.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            *changed.pointer_mut(pointer).unwrap() = change(&text).into();
            let report = check(changed.to_string().as_bytes(), &key, now());
            assert_ne!(report.verdict, Verdict::Verified, "{pointer}: {}", changed.pointer(pointer).unwrap());
        }
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap() = 1.into();
        assert_ne!(check(changed.to_string().as_bytes(), &key, now()).verdict, Verdict::Verified, "{pointer}: another type");
    }
    for member in proof.as_object().unwrap().keys() {
        let mut changed = proof.clone();
        changed.as_object_mut().unwrap().remove(member);
        assert_ne!(check(changed.to_string().as_bytes(), &key, now()).verdict, Verdict::Verified, "without {member}");
    }
    let text = proof.to_string();
    let twice = text.replacen('{', "{\"format\":\"spanseal.proof/1\",", 1);
    assert_ne!(check(twice.as_bytes(), &key, now()).verdict, Verdict::Verified, "a name twice");
    let other = NoteSigner::new("spanseal.example/vectors", &[1; 32]).unwrap();
    assert_eq!(check(text.as_bytes(), other.verifier(), now()).verdict, Verdict::Findings, "another key");
    let newer = text.replace("spanseal.proof/1", "spanseal.proof/2");
    assert_eq!(check(newer.as_bytes(), &key, now()).verdict, Verdict::Unchecked, "another format");
}

/// Changes one character to another of its class.
fn flip(text: &str) -> String {
    let at = text.len() / 2;
    text.char_indices().map(|(i, c)| if i == at { if c == '1' { '2' } else { '1' } } else { c }).collect()
}

fn collect(value: &serde_json::Value, at: String, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(_) => out.push(at),
        serde_json::Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| collect(v, format!("{at}/{i}"), out)),
        serde_json::Value::Object(members) => members.iter().for_each(|(n, v)| collect(v, format!("{at}/{n}"), out)),
        _ => {}
    }
}
