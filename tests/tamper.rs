//! Promise: flip, drop, swap, truncate, sign again, hide any stored object, and the verifier names it. No accepted mutation, also where
//! the log's own key signed it.

use crate::golden::{VKEY, folder};
use crate::support::forge::{
    CONFIGURATION, Forge, LOG, NOW, ORIGIN, Segment, config_change, honest, joined, kinds, line, lines, lock, notes, zstd,
};
use crate::support::second::verify;
use spanseal::clock::{ManualClock, UnixNanos, UnixSeconds};
use spanseal::record::canonical::Json;
use spanseal::tlog::merkle::{CompactRange, leaf_hash};
use spanseal::tlog::note::{NoteSigner, UnverifiedCheckpoint, VerifierKey};
use spanseal::tlog::seal_file::{LogFile, SealFile, Statement};
use spanseal::tlog::{Hash, TreeSize};
use spanseal::verify::{Bound, Depth, Evidence, GapKind, KeyTrust, Kind, LockCheck, Options, RecordAt, Report, Verdict, prove};
use spanseal::worm::memory::{MemoryOptions, MemoryStore};
use spanseal::worm::{
    Condition, Lock, Locks, Mode, ObjectKey, VERSIONS_READ_MAX, WormStore, below, checkpoint_key, log_key, seal_key, segment_name,
};
use std::sync::Arc;

/// The sample log in memory, where bytes can be flipped.
pub async fn sample() -> MemoryStore {
    let now = UnixSeconds::parse("2026-11-21T00:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::new(UnixNanos(u64::try_from(now.0).unwrap() * 1_000_000_000)));
    let store = MemoryStore::new(clock, MemoryOptions { locks: Locks::None, versioned: false, ..MemoryOptions::default() });
    let mut folders = vec![folder().join("store")];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(folder().join("store")).unwrap().to_str().unwrap().to_owned();
            store.put(&ObjectKey(key), std::fs::read(&path).unwrap().into(), Condition::Any, None).await.unwrap();
        }
    }
    store
}

pub fn sample_options() -> Options<'static> {
    let now = UnixSeconds::parse("2026-11-21T00:00:00Z").unwrap();
    Options { pinned: vec![VerifierKey::parse(VKEY).unwrap()], ..Options::new(now) }
}

async fn bytes(store: &MemoryStore, key: &ObjectKey) -> Vec<u8> {
    store.get(key, None, u64::MAX).await.unwrap().unwrap().to_vec()
}

/// One bit of every byte of every seal and of the checkpoint (of the tiles, a sample): each alone is a finding.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_byte_of_the_small_objects_is_accepted() {
    let keys: Vec<ObjectKey> = sample().await.keys();
    let small = keys.into_iter().filter(|k| !k.as_str().contains("/segments/") && !k.as_str().ends_with("log.json"));
    let tasks: Vec<_> = small.map(|key| tokio::spawn(flip_every_byte(key))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn flip_every_byte(key: ObjectKey) {
    let store = sample().await;
    let seal = key.as_str().strip_suffix(".json").and_then(|k| k.rsplit('/').next()).and_then(|d| d.parse::<u64>().ok());
    // A part of the log is enough to see it, and the whole walk of every flip would take minutes.
    let bound = seal.map(Bound::Seal);
    let options = Options { from: bound, to: bound, ..sample_options() };
    assert_eq!(verify(&store, &options).await.verdict, Verdict::Verified, "{key} as it is");
    let step = if key.as_str().contains("/tile/") { 41 } else { 1 };
    for offset in (0..bytes(&store, &key).await.len()).step_by(step) {
        store.flip_byte(&key, None, offset);
        let report = verify(&store, &options).await;
        assert_eq!(report.verdict, Verdict::Findings, "{key} byte {offset}: {}", report.to_text());
        store.flip_byte(&key, None, offset);
    }
}

/// A sample of bytes of every segment, each bit; and every object dropped, truncated, lengthened, swapped with its neighbour.
#[tokio::test]
async fn no_changed_object_of_the_sample_is_accepted() {
    let store = sample().await;
    let keys: Vec<ObjectKey> = store.keys().into_iter().filter(|k| !k.as_str().contains("/tile/")).collect();
    for key in keys.iter().filter(|k| k.as_str().contains("/segments/")) {
        for offset in (0..bytes(&store, key).await.len()).step_by(29) {
            store.flip_byte(key, None, offset);
            let report = verify(&store, &sample_options()).await;
            assert_eq!(kinds(&report), ["segment_bytes"], "{key} byte {offset}");
            assert_eq!(report.findings[0].evidence, Some(Evidence::Lost));
            store.flip_byte(key, None, offset);
        }
    }
    for (i, key) in keys.iter().enumerate() {
        let original = bytes(&store, key).await;
        let neighbour = bytes(&store, &keys[(i + 1) % keys.len()]).await;
        type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
        let changes: [Change<'_>; 4] =
            [&|b| b.truncate(b.len() - 1), &|b| b.truncate(b.len() / 2), &|b| b.push(b'\n'), &|b| b.clone_from(&neighbour)];
        for change in changes {
            store.edit(key, None, change);
            let report = verify(&store, &sample_options()).await;
            assert_eq!(report.verdict, Verdict::Findings, "{key}: {}", report.to_text());
            store.edit(key, None, |b| b.clone_from(&original));
        }
        store.purge(key, None);
        let report = verify(&store, &sample_options()).await;
        let expected = if key.as_str().ends_with("/checkpoint") { Verdict::Verified } else { Verdict::Findings };
        assert_eq!(report.verdict, expected, "{key} gone: {}", report.to_text());
        if expected == Verdict::Verified {
            // A pointer that the writer makes anew: named, not a finding.
            assert!(notes(&report).contains(&"checkpoint_absent"));
        }
        store.put(key, original.into(), Condition::Any, None).await.unwrap();
    }
    assert_eq!(verify(&store, &sample_options()).await.verdict, Verdict::Verified);
}

#[tokio::test]
async fn an_honest_log_verifies_with_and_without_locks() {
    let forge = honest(Locks::Enforced).await;
    let report = forge.verify().await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert_eq!((report.key, report.locks), (KeyTrust::Pinned, LockCheck::Checked));
    assert_eq!((report.logs[0].seals, report.logs[0].segments, report.logs[0].records), (4, 5, 13));
    assert_eq!(notes(&report), Vec::<&str>::new(), "{}", report.to_text());
    let forge = honest(Locks::None).await;
    let report = forge.verify().await;
    assert_eq!((report.verdict, report.locks), (Verdict::Verified, LockCheck::None), "{}", report.to_text());
    assert!(notes(&report).contains(&"not_worm"));
}

/// Each statement is false or malformed, and signed by the log's own key.
#[tokio::test]
async fn what_the_key_itself_signed_falsely_is_refused() {
    type Change = fn(&mut Statement);
    let changes: [(&str, &str, Change); 22] = [
        ("wrong merkle_root", "segment_content", |s| s.segments[0].merkle_root.0 = Hash([7; 32])),
        ("too many records", "segment_content", |s| s.segments[0].records += 1),
        ("first too early", "segment_content", |s| s.segments[0].first.0 -= 1),
        ("first too late", "segment_content", |s| s.segments[0].first.0 += 1),
        ("last too late", "segment_content", |s| s.segments[0].last.0 += 1),
        ("last too early", "segment_content", |s| s.segments[0].last.0 -= 1),
        ("wrong promoted", "count_promoted", |s| s.counts.promoted += 1),
        ("promoted too low", "count_promoted", |s| s.counts.promoted = 0),
        ("wrong bytes", "segment_bytes", |s| s.segments[0].bytes += 1),
        ("segments out of order", "seal_broken", |s| s.segments.reverse()),
        ("a segment twice", "seal_broken", |s| s.segments[1] = s.segments[0].clone()),
        ("a key of another class", "seal_broken", |s| s.segments[1].class = "other".into()),
        ("a key of another date", "seal_broken", |s| s.segments[0].key = s.segments[0].key.replace("/2027/", "/2028/")),
        ("a key of another index", "seal_broken", |s| {
            let sha256 = s.segments[0].sha256.to_string();
            s.segments[0].key = segment_name(&s.segments[0].class, s.sealed_at, 9, &sha256);
        }),
        ("another log", "seal_broken", |s| s.log = "spanseal.test/other".into()),
        ("sealed_at backwards", "seal_chain", |s| {
            // Names derive from the date alone: a second earlier they are still right.
            s.sealed_at.0 -= 2;
        }),
        ("started after it was sealed", "statement_time", |s| s.started = UnixSeconds(s.sealed_at.0 + 1)),
        ("the next one promised for before", "statement_time", |s| s.next_by = Some(UnixSeconds(s.sealed_at.0 - 1))),
        ("more skipped than received", "count_received", |s| s.counts.skipped = s.counts.spans + s.counts.logs + 1),
        ("kept shorter than configured", "retention_short", |s| {
            s.segments[1].lock.retain_until = UnixSeconds(s.sealed_at.0 + 100 * 86_400 - 1);
        }),
        ("kept weaker than configured", "retention_short", |s| s.segments[0].lock.mode = Mode::Governance),
        ("kept until before it was sealed", "seal_broken", |s| s.segments[0].lock.retain_until = UnixSeconds(s.sealed_at.0 - 1)),
    ];
    for (what, kind, change) in changes {
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.seal(&[Segment::of("standard", lines(0, 2))], |_| {}).await;
        let segments = || [Segment::of("high-risk", lines(2, 3)), Segment::of("standard", lines(5, 2))];
        forge.seal(&segments(), change).await;
        forge.seal(&[], |_| {}).await;
        let report = forge.verify().await;
        assert_eq!(report.verdict, Verdict::Findings, "{what}");
        assert!(kinds(&report).contains(&kind), "{what}: {}", report.to_text());
        assert!(report.findings.iter().all(|f| f.seal == Some(1)), "{what}: {}", report.to_text());
    }
    for (what, previous) in [("previous wrong", Some(Hash([7; 32]))), ("previous absent", None)] {
        let mut forge = honest(Locks::Enforced).await;
        forge.seal(&[], |s| s.previous = previous.map(spanseal::tlog::LeafHash)).await;
        assert_eq!(forge.verify().await.verdict, Verdict::Findings, "{what}");
    }
}

/// Scenario: statements at the very limits. Guarantee: what can be true is not doubted.
#[tokio::test]
async fn what_is_just_possible_is_not_doubted() {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[Segment::of("standard", lines(0, 2))], |s| (s.started, s.next_by) = (s.sealed_at, Some(s.sealed_at))).await;
    let exact = |s: &mut Statement| {
        (s.counts.skipped, s.counts.rejected) = (s.counts.spans, 0);
        s.segments[0].lock = Lock { mode: Mode::Governance, retain_until: UnixSeconds(s.sealed_at.0 + 100 * 86_400) };
        s.started = UnixSeconds(NOW);
    };
    forge.seal(&[Segment::of("standard", lines(2, 2))], exact).await;
    let report = forge.verify().await;
    // A promise for the very second of the seal is one that was not kept, which is shown and no finding.
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["checkpoint_absent", "silence"]), "{}", report.to_text());
}

/// A seal of a later time than now, and all behind it: one finding, where it begins. Where the store's clock says that it is the reader's
/// that is wrong, nothing is concluded.
#[tokio::test]
async fn a_seal_dated_after_now_is_found() {
    let ahead = async |seconds: i64, skew: i64| {
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.store = MemoryStore::new(
            Arc::new(forge.clock.clone()),
            MemoryOptions { locks: Locks::None, clock_skew_seconds: skew, ..MemoryOptions::default() },
        );
        forge.locks = Locks::None;
        forge
            .put(
                &log_key(LOG),
                LogFile { origin: ORIGIN.into(), vkey: forge.signer.verifier().clone(), created: UnixSeconds(NOW) }.to_bytes(),
            )
            .await;
        for seal in 0..4 {
            forge.seal(&[], |s| s.sealed_at = UnixSeconds(if seal == 0 { NOW } else { NOW + 100 + seconds })).await;
        }
        forge.verify().await
    };
    let report = ahead(300, 0).await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    let report = ahead(301, 300).await;
    assert_eq!(kinds(&report), ["sealed_ahead"], "{}", report.to_text());
    let finding = &report.findings[0];
    assert_eq!((finding.seal, finding.object.as_str()), (Some(1), "seals/00000000000000000001.json"));
    assert!(finding.found.as_ref().unwrap().ends_with("and 2 seals after it"), "{finding:?}");
    let report = ahead(301, 301).await;
    assert_eq!((report.verdict, report.notes[0].kind.as_str()), (Verdict::Unchecked, "unchecked"), "{}", report.to_text());
    assert!(report.notes[0].meaning.contains("301 s off the store's own"), "{}", report.to_text());
}

/// A change of configuration is a record of the first seal under it; a seal without it is noted, and what then could not be judged.
#[tokio::test]
async fn a_configuration_without_its_record_is_noted() {
    let other = CONFIGURATION.replace("100d", "7y");
    let build = async |recorded: Option<&str>| {
        let mut forge = honest(Locks::Enforced).await;
        let segments: Vec<Segment> = recorded.map(|after| Segment::of("standard", vec![config_change(after)])).into_iter().collect();
        forge.seal(&segments, |s| s.config_sha256 = Hash::of(other.as_bytes())).await;
        forge.seal(&[Segment::of("high-risk", lines(20, 1))], |s| s.config_sha256 = Hash::of(other.as_bytes())).await;
        forge
    };
    for (recorded, found) in [(None, "no such record"), (Some(CONFIGURATION), "the record of another configuration")] {
        let report = build(recorded).await.verify().await;
        let expected = (Verdict::Verified, vec!["not_covered", "config_unrecorded"]);
        assert_eq!((report.verdict, notes(&report)), expected, "{}", report.to_text());
        assert_eq!((report.notes[0].object.as_str(), report.notes[0].found.as_deref()), ("seals/", Some("2 objects")));
        assert_eq!((report.notes[1].seal, report.notes[1].found.as_deref()), (Some(4), Some(found)));
    }
    // With the record its periods are in force from that very seal on.
    let forge = build(Some(&other)).await;
    let report = forge.verify().await;
    let expected = vec!["lock_weak", "retention_short", "lock_weak"];
    assert_eq!((kinds(&report), notes(&report)), (expected, vec![]), "{}", report.to_text());
    assert_eq!(report.findings.iter().map(|f| f.seal).collect::<Vec<_>>(), [Some(4), Some(4), Some(5)]);
    // A range behind the record: the periods are not known, and that is said.
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(5)), ..forge.options() }).await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["not_covered"; 2]), "{}", report.to_text());
    // Telemetry cannot change a configuration.
    let mut forge = Forge::new(Locks::Enforced).await;
    let claimed = String::from_utf8(config_change(&other)).unwrap().replace("control", "span").into_bytes();
    let change = |s: &mut Statement| s.config_sha256 = Hash::of(other.as_bytes());
    forge.seal(&[], |_| {}).await;
    forge.seal(&[Segment::of("high-risk", vec![claimed])], change).await;
    assert_eq!(notes(&forge.verify().await), ["checkpoint_absent", "not_covered", "config_unrecorded"]);
}

/// Segments whose sha256, size and root are as sealed, but which are not what the format allows.
#[tokio::test]
async fn malformed_segments_are_refused_though_sealed() {
    let good = lines(0, 3);
    let data = joined(&good);
    let frame = zstd(&data);
    let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"skip"].concat();
    let half = data.len() / 2;
    let segment = |lines: Vec<Vec<u8>>| Segment::of("standard", lines);
    let stored = |stored: Vec<u8>| segment(good.clone()).stored(stored);
    let replaced = |from: &str, to: &str| {
        let mut lines = good.clone();
        lines[1] = String::from_utf8(lines[1].clone()).unwrap().replacen(from, to, 1).into_bytes();
        let mut segment = Segment::of("standard", lines);
        (segment.first, segment.last) = (Segment::of("standard", good.clone()).first, Segment::of("standard", good.clone()).last);
        segment
    };
    let encoder = |level: i32, set: &dyn Fn(&mut zstd::stream::write::Encoder<'_, Vec<u8>>)| {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).unwrap();
        set(&mut encoder);
        std::io::Write::write_all(&mut encoder, &data).unwrap();
        encoder.finish().unwrap()
    };
    // A raw dictionary leaves no id in the frame; a trained one does (put in by hand: the id follows the descriptor in such a frame).
    let mut raw = zstd::stream::write::Encoder::with_dictionary(Vec::new(), 3, &data).unwrap();
    std::io::Write::write_all(&mut raw, &data).unwrap();
    let raw_dictionary = raw.finish().unwrap();
    assert_eq!(frame[4] & 0b10_0011, 0b10_0000, "a single segment without a dictionary");
    let named_dictionary = [&frame[..4], &[frame[4] | 1, 7], &frame[5..]].concat();
    let long = |length: usize| {
        let empty = line(9, "span").len() + r#","x":"""#.len();
        let text = String::from_utf8(line(9, "span")).unwrap();
        format!("{}{}\"}}", text.replace(r#"Z"}}"#, r#"Z"},"x":""#), "x".repeat(length - empty)).into_bytes()
    };
    let mut deep = line(9, "span");
    deep.truncate(deep.len() - 1);
    deep.extend_from_slice(format!(",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200)).as_bytes());
    let cases: Vec<(&str, Segment)> = vec![
        ("two frames", stored([zstd(&data[..half]), zstd(&data[half..])].concat())),
        ("a skippable frame before", stored([skippable.clone(), frame.clone()].concat())),
        ("a skippable frame behind", stored([frame.clone(), skippable].concat())),
        ("bytes behind", stored([frame.clone(), b"x".to_vec()].concat())),
        ("a frame cut off", stored(frame[..frame.len() - 1].to_vec())),
        ("no zstd", stored(data.clone())),
        ("a dictionary", stored(raw_dictionary)),
        ("a dictionary's id", stored(named_dictionary)),
        (
            "a window of 16 MiB",
            stored(encoder(3, &|e| {
                e.window_log(24).unwrap();
                e.include_contentsize(false).unwrap();
            })),
        ),
        ("no newline at the end", stored(zstd(&data[..data.len() - 1]))),
        ("an empty line", segment(vec![line(0, "span"), Vec::new(), line(1, "span")])),
        ("no record", stored(zstd(b""))),
        ("a line over 1 MiB", segment(vec![long(1024 * 1024 + 1)])),
        ("a decoded bomb", stored(zstd(&vec![b' '; 300 * 1024 * 1024]))),
        ("nested too deep", segment(vec![deep])),
        ("a space", replaced("\"kind\":", "\"kind\": ")),
        (
            "another order",
            replaced(r#""kind":"inference","schema":"spanseal.record/1""#, r#""schema":"spanseal.record/1","kind":"inference""#),
        ),
        ("a name twice", replaced(r#""kind":"inference""#, r#""kind":"inference","kind":"tool""#)),
        ("an escape too many", replaced("inference", "\\u0069nference")),
        ("a number in another spelling", replaced(r#""kind":"inference""#, r#""kind":1.0"#)),
        ("a lone surrogate", replaced("inference", "\\ud800")),
        ("not an object", segment(vec![b"[]".to_vec()])),
        ("no time", segment(vec![br#"{"schema":"spanseal.record/1"}"#.to_vec()])),
        ("a time in another spelling", replaced(".000000001Z", ".1Z")),
        ("a carriage return", replaced("\"inference\"", "\"inference\"\r")),
        ("an id that is no string", replaced(r#""id":"00000000000000000000000000000001""#, r#""id":1"#)),
        ("a kind that is no string", replaced(r#""kind":"inference""#, r#""kind":["inference"]"#)),
        ("a signal that is no string", replaced(r#""signal":"span""#, r#""signal":{}"#)),
        ("a class that is no string", replaced(r#""kind":"inference""#, r#""kind":"inference","retention":{"class":7}"#)),
    ];
    for (what, segment) in cases {
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.seal(&[segment], |_| {}).await;
        let report = forge.verify().await;
        assert_eq!(kinds(&report), ["segment_form"], "{what}: {}", report.to_text());
    }
    // The limits themselves are allowed.
    let mut forge = Forge::new(Locks::Enforced).await;
    let window = stored(encoder(3, &|e| {
        e.window_log(23).unwrap();
        e.include_contentsize(false).unwrap();
    }));
    assert_eq!(long(1024 * 1024).len(), 1024 * 1024);
    forge.seal(&[Segment::of("high-risk", vec![long(1024 * 1024)]), window], |_| {}).await;
    let report = forge.verify().await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
}

#[tokio::test]
async fn a_record_of_another_class_is_found_and_other_schemas_are_counted() {
    let mut record = Json::parse(&line(0, "span")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    members.push(("retention".into(), Json::object([("class", Json::string("high-risk"))])));
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[Segment::of("standard", vec![record.to_jcs()])], |_| {}).await;
    assert_eq!(kinds(&forge.verify().await), ["segment_content"]);

    let newer = line(1, "span");
    let newer = String::from_utf8(newer).unwrap().replace("record/1", "record/2").into_bytes();
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[Segment::of("standard", vec![line(0, "span"), newer])], |_| {}).await;
    let report = forge.verify().await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert_eq!(notes(&report), ["checkpoint_absent", "other_schema"]);
}

#[tokio::test]
async fn hidden_foreign_and_doubled_versions_are_named_and_the_evidence_is_intact() {
    for (seal, object) in [(3, 0), (1, 0), (2, 1), (0, 1)] {
        let forge = honest(Locks::Enforced).await;
        let key = if object == 0 { seal_key(LOG, seal) } else { forge.segment_key(usize::try_from(seal).unwrap()) };
        let marker = forge.store.delete(&key).unwrap();
        let report = forge.verify().await;
        assert_eq!(kinds(&report), ["hidden"], "{key}: {}", report.to_text());
        assert_eq!(report.findings[0].evidence, Some(Evidence::Intact));
        assert_eq!(report.logs[0].records, 13, "hidden, and verified all the same");
        forge.store.delete_version(&key, &marker).unwrap();
        assert_eq!(forge.verify().await.verdict, Verdict::Verified);

        forge.store.overwrite_foreign(&key, "not ours");
        assert_eq!(kinds(&forge.verify().await), ["foreign_version"], "{key}");

        let forge = honest(Locks::Enforced).await;
        let same = bytes(&forge.store, &key).await;
        forge.put(&key, same).await;
        let report = forge.verify().await;
        assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["duplicate"]), "{key}: {}", report.to_text());
    }
    // What the disk's owner removes is lost, and said so.
    let forge = honest(Locks::Enforced).await;
    forge.store.purge(&forge.segment_key(2), None);
    let report = forge.verify().await;
    assert_eq!(kinds(&report), ["segment_missing"]);
    assert_eq!((report.findings[0].evidence, report.findings[0].found.as_deref()), (Some(Evidence::Lost), Some("nothing")));
    forge.store.delete(&forge.segment_key(2));
    let report = forge.verify().await;
    assert_eq!((kinds(&report), report.findings[0].found.as_deref()), (vec!["segment_missing"], Some("only delete markers")));
}

/// Scenario: somebody floods a seal's key, behind the true version or before it. Guarantee: verifier and proof look at the same oldest
/// versions, and that there are more is named.
#[tokio::test]
async fn a_flooded_key_is_named() {
    for before in [false, true] {
        let forge = honest(Locks::Enforced).await;
        let key = seal_key(LOG, 2);
        let truth = bytes(&forge.store, &key).await;
        if before {
            forge.store.purge(&key, None);
        }
        for _ in 0..VERSIONS_READ_MAX {
            // The same bytes once more are no finding by themselves.
            forge.store.overwrite_foreign(&key, if before { b"not ours".to_vec() } else { truth.clone() });
        }
        if before {
            forge.put(&key, truth).await;
        }
        let report = forge.verify().await;
        assert_eq!(kinds(&report), ["flooded"], "{}", report.to_text());
        assert_eq!(report.findings[0].evidence, (!before).then_some(Evidence::Intact));
        assert_eq!(report.findings[0].found.as_deref(), Some("257 versions, of which the 256 oldest were read"));
        let segment = forge.seals[2].statement.segments[0].key.clone();
        let at = RecordAt { seal: 2, segment, leaf_index: 0, rotations: vec![] };
        let proof = prove(&forge.store, LOG, forge.signer.verifier(), &at).await;
        assert_eq!(proof.is_err(), before);
        assert!(proof.err().is_none_or(|why| why.to_string().contains("1 further versions were not read")));
    }
}

/// The same of a segment, of which the seal names the version: what lies over it is bounded, and where the named one is gone and the true bytes lie
/// behind more than are looked at, nothing is concluded.
#[tokio::test]
async fn a_flooded_segment_is_named() {
    for (more, flooded) in [(VERSIONS_READ_MAX, vec![]), (VERSIONS_READ_MAX + 1, vec!["flooded"])] {
        let forge = honest(Locks::Enforced).await;
        let key = forge.segment_key(0);
        let truth = bytes(&forge.store, &key).await;
        for _ in 0..more {
            forge.store.overwrite_foreign(&key, truth.clone());
        }
        for depth in [Depth::Whole, Depth::Locks] {
            let report = verify(&forge.store, &Options { depth, ..forge.options() }).await;
            assert_eq!(kinds(&report), flooded, "{more}: {}", report.to_text());
            assert_eq!(notes(&report).iter().filter(|note| **note == "duplicate").count(), VERSIONS_READ_MAX, "{more}");
            assert!(report.findings.first().is_none_or(|f| f.found.as_deref() == Some("1 further version")), "{}", report.to_text());
        }
    }
    for (junk, exit) in [(VERSIONS_READ_MAX - 1, 1), (VERSIONS_READ_MAX, 2)] {
        let forge = honest(Locks::Enforced).await;
        let key = forge.segment_key(0);
        let truth = bytes(&forge.store, &key).await;
        forge.store.purge(&key, None);
        for _ in 0..junk {
            forge.store.overwrite_foreign(&key, b"not ours".to_vec());
        }
        forge.put(&key, truth).await;
        let report = spanseal::verify::verify(&forge.store, &forge.options()).await;
        assert_eq!(report.verdict.exit_code(), exit, "{junk}: {}", report.to_text());
        // As many as are looked at: the true one is among them, and the others are foreign.
        assert!(report.findings.iter().all(|f| f.kind.as_str() == "foreign_version"), "{junk}: {}", report.to_text());
        let why = format!("257 versions lie over it, of which {VERSIONS_READ_MAX} were read, and none of these is the segment");
        assert_eq!(report.notes.iter().any(|n| n.meaning.contains(&why)), exit == 2, "{junk}: {}", report.to_text());
    }
}

/// Scenario: somebody with the disk in hand makes a segment longer in its place, or changes it where the store has no versions. Guarantee: who looks at
/// locks alone sees its size, and reads what no version names.
#[tokio::test]
async fn a_segment_of_another_size_is_found_by_who_looks_at_locks() {
    let mut forge = Forge::new(Locks::None).await;
    let options = MemoryOptions { locks: Locks::None, versioned: false, ..MemoryOptions::default() };
    forge.store = MemoryStore::new(Arc::new(forge.clock.clone()), options);
    for n in 0..3 {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |_| {}).await;
    }
    forge.store.flip_byte(&forge.segment_key(2), None, 30);
    for depth in [Depth::Whole, Depth::Locks] {
        let report = spanseal::verify::verify(&forge.store, &Options { depth, ..forge.options() }).await;
        assert!(kinds(&report).contains(&"segment_bytes"), "{depth:?}: {}", report.to_text());
    }
    let forge = honest(Locks::Enforced).await;
    forge.store.edit(&forge.segment_key(3), None, |bytes| bytes.push(0));
    for depth in [Depth::Whole, Depth::Locks] {
        let report = verify(&forge.store, &Options { depth, ..forge.options() }).await;
        assert_eq!(kinds(&report), ["segment_bytes"], "{depth:?}: {}", report.to_text());
    }
}

#[tokio::test]
async fn log_json_is_watched_but_not_believed() {
    let forge = honest(Locks::Enforced).await;
    forge.store.overwrite_foreign(&log_key(LOG), "not ours");
    assert_eq!(kinds(&forge.verify().await), ["foreign_version"]);
    let forge = honest(Locks::Enforced).await;
    let same = bytes(&forge.store, &log_key(LOG)).await;
    forge.put(&log_key(LOG), same).await;
    let report = forge.verify().await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["duplicate"]), "{}", report.to_text());
    let forge = honest(Locks::Enforced).await;
    forge.store.purge(&log_key(LOG), None);
    let report = forge.verify().await;
    assert_eq!((kinds(&report), report.key), (vec!["log_file"], KeyTrust::Pinned), "{}", report.to_text());
    let forge = honest(Locks::Enforced).await;
    let other = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    let ours = forge.signer.verifier().to_string();
    forge.store.edit(&log_key(LOG), None, |b| {
        *b = String::from_utf8(b.clone()).unwrap().replace(&ours, &other.verifier().to_string()).into_bytes();
    });
    assert_eq!(kinds(&forge.verify().await), ["log_file"]);
    // Without a key of one's own, nothing verifies under the false one.
    let report = verify(&forge.store, &Options { pinned: vec![], ..forge.options() }).await;
    assert_eq!(report.verdict, Verdict::Findings);
}

#[tokio::test]
async fn missing_seals_and_a_cut_off_end_are_found() {
    for gone in [vec![0], vec![1], vec![1, 2], vec![2, 3], vec![3], vec![0, 1, 2, 3]] {
        let forge = honest(Locks::Enforced).await;
        for index in &gone {
            forge.store.purge(&seal_key(LOG, *index), None);
        }
        let report = forge.verify().await;
        assert_eq!(report.verdict, Verdict::Findings, "{gone:?}");
        assert!(report.findings.iter().any(|f| f.evidence == Some(Evidence::Lost)), "{gone:?}");
        let expected = if gone.contains(&3) { "rollback" } else { "seal_missing" };
        assert!(kinds(&report).contains(&expected), "{gone:?}: {}", report.to_text());
        // Only a marker is left where the seal was.
        for index in &gone {
            forge.store.delete(&seal_key(LOG, *index));
        }
        let report = forge.verify().await;
        assert_eq!(report.verdict, Verdict::Findings);
        if !gone.contains(&3) {
            let found: Vec<_> = report.findings.iter().map(|f| (f.kind.as_str(), f.seal, f.found.as_deref())).collect();
            let expected: Vec<_> = gone.iter().map(|index| ("seal_missing", Some(*index), Some("only delete markers"))).collect();
            assert_eq!(found, expected, "{gone:?}: {}", report.to_text());
        }
    }
    // Without a published checkpoint the segments still tell: one seal more could be a crash, two could not.
    let forge = honest(Locks::Enforced).await;
    forge.store.purge(&checkpoint_key(LOG), None);
    for index in [1, 2, 3] {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    let report = forge.verify().await;
    assert!(kinds(&report).contains(&"segment_unnamed"), "{}", report.to_text());
    assert_eq!(report.findings[0].evidence, Some(Evidence::Lost));
}

#[tokio::test]
async fn the_published_checkpoint_may_lag_but_not_differ() {
    let mut forge = honest(Locks::Enforced).await;
    forge.seal(&[], |_| {}).await;
    assert_eq!(forge.verify().await.verdict, Verdict::Verified, "a checkpoint that lags");
    for (what, text, kind) in [
        ("a larger tree", forge.checkpoint_at(9), "rollback"),
        ("another root", forge.signer.checkpoint(TreeSize(3), spanseal::tlog::RootHash(Hash([7; 32]))), "checkpoint_invalid"),
        ("another key", NoteSigner::new(ORIGIN, &[9; 32]).unwrap().checkpoint(TreeSize(9), forge.range.root()), "checkpoint_invalid"),
        (
            "another origin",
            NoteSigner::new("spanseal.test/b", &[3; 32]).unwrap().checkpoint(TreeSize(5), forge.range.root()),
            "checkpoint_invalid",
        ),
        ("no note", "hello".to_owned(), "checkpoint_invalid"),
    ] {
        forge.put(&checkpoint_key(LOG), text).await;
        assert_eq!(kinds(&forge.verify().await), [kind], "{what}");
        let options = Options { from: Some(Bound::Seal(3)), to: Some(Bound::Seal(3)), ..forge.options() };
        assert_eq!(kinds(&verify(&forge.store, &options).await), [kind], "{what}, seen from a part");
    }
}

fn kept(note: &str) -> Option<UnverifiedCheckpoint> {
    Some(UnverifiedCheckpoint::parse(note).unwrap())
}

/// Scenario: an auditor kept a checkpoint, of any size, and verifies any part of the log that went on. Guarantee: that the log extends it is
/// said each time, whatever part is asked for, and nothing more is covered than was asked for.
#[tokio::test]
async fn a_log_extends_every_checkpoint_that_was_kept() {
    let mut forge = honest(Locks::Enforced).await;
    for _ in 0..4 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    let bounds = [None, Some(0), Some(1), Some(3), Some(6), Some(7)].map(|b| b.map(Bound::Seal));
    for seal in &forge.seals {
        for from in bounds {
            for to in bounds {
                let options = Options { from, to, ..forge.options() };
                let without = verify(&forge.store, &options).await;
                let report = verify(&forge.store, &Options { since: kept(&seal.checkpoint), ..options }).await;
                let what = format!("{} from {from:?} to {to:?}: {}", seal.statement.index, report.to_text());
                // Who leaves out what the kept checkpoint covers goes on from it, and that is said; the rest is the same.
                let mut logs = report.logs.clone();
                let resumed = logs.iter_mut().find_map(|log| log.resumed.take());
                logs.iter_mut().for_each(|log| log.extends = None);
                let size = seal.statement.index + 1;
                let left_out = from.and_then(|from| match from {
                    Bound::Seal(first) if (1..=size).contains(&first) => Some(first),
                    _ => None,
                });
                if without.verdict == Verdict::Verified {
                    assert_eq!(resumed, left_out, "{what}");
                } else {
                    assert!(resumed.is_none() || resumed == left_out, "{what}");
                }
                assert_eq!((report.verdict, &logs), (without.verdict, &without.logs), "{what}");
                if without.verdict == Verdict::Verified {
                    let found: Vec<_> = report.notes.iter().filter(|n| n.kind.as_str() == "extends").map(|n| n.seal).collect();
                    assert_eq!(found, [Some(seal.statement.index)], "{what}");
                }
            }
        }
    }
    // The empty tree is the beginning of every log: that is no proof of anything, and said.
    let empty = forge.signer.checkpoint(TreeSize(0), spanseal::tlog::merkle::empty_root());
    let report = verify(&forge.store, &Options { since: kept(&empty), ..forge.options() }).await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["not_covered"]), "{}", report.to_text());
    assert!(report.notes[0].meaning.contains("proves nothing"), "{}", report.to_text());
    // A seal that cannot be read does not keep the next one's frontier from telling.
    forge.store.fail_reads("/seals/00000000000000000002", 1000);
    let report = verify(&forge.store, &Options { since: kept(&forge.seals[2].checkpoint), ..forge.options() }).await;
    assert_eq!((report.verdict, notes(&report).contains(&"extends")), (Verdict::Unchecked, false), "{}", report.to_text());
}

/// Scenario: the end of the log is cut off and the checkpoint of that time put back, so that the store agrees with itself; or its history is
/// written anew with its own key; or another log lies there. Guarantee: only the checkpoint that was kept tells, and it does.
#[tokio::test]
async fn a_kept_checkpoint_exposes_a_cut_off_and_a_rewritten_log() {
    let forge = honest(Locks::Enforced).await;
    let since = kept(&forge.seals[3].checkpoint);
    for index in [2, 3] {
        forge.store.purge(&seal_key(LOG, index), None);
        for segment in &forge.seals[usize::try_from(index).unwrap()].statement.segments {
            forge.store.purge(&below(LOG, &segment.key), None);
        }
    }
    forge.put(&checkpoint_key(LOG), forge.seals[1].checkpoint.clone()).await;
    assert_eq!(forge.verify().await.verdict, Verdict::Verified, "the store agrees with itself");
    for (from, to) in [(None, None), (Some(1), None), (None, Some(0)), (Some(9), None)] {
        let (from, to) = (from.map(Bound::Seal), to.map(Bound::Seal));
        let report = verify(&forge.store, &Options { from, to, since: since.clone(), ..forge.options() }).await;
        assert_eq!(kinds(&report), ["rollback"], "{from:?} {to:?} {}", report.to_text());
        let finding = &report.findings[0];
        assert_eq!((finding.seal, finding.object.as_str()), (Some(3), "seals/00000000000000000003.json"));
        assert_eq!((finding.expected.as_deref(), finding.evidence), (Some("at least 4 seals"), Some(Evidence::Lost)));
    }

    // Everything anew, with the same key: a whole log without a fault.
    let mut rewritten = Forge::new(Locks::Enforced).await;
    for n in 0..6 {
        rewritten.seal(&[Segment::of("standard", lines(n, 1))], |_| {}).await;
    }
    rewritten.publish().await;
    for (from, to) in [(None, None), (Some(5), None), (None, Some(1)), (Some(1), Some(2))] {
        let (from, to) = (from.map(Bound::Seal), to.map(Bound::Seal));
        let report = verify(&rewritten.store, &Options { from, to, since: since.clone(), ..rewritten.options() }).await;
        assert_eq!(kinds(&report), ["fork"], "{from:?} {to:?} {}", report.to_text());
        assert_eq!((report.findings[0].seal, report.findings[0].evidence), (Some(3), Some(Evidence::Lost)));
        assert!(!notes(&report).contains(&"extends"));
    }

    // Another key in its place, taken from the store itself.
    let mut stranger = Forge::new(Locks::None).await;
    stranger.signer = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    let file = LogFile { origin: ORIGIN.into(), vkey: stranger.signer.verifier().clone(), created: UnixSeconds(NOW) };
    stranger.store.purge(&log_key(LOG), None);
    stranger.put(&log_key(LOG), file.to_bytes()).await;
    for seal in &forge.seals {
        stranger.seal(&[], |s| s.sealed_at = seal.statement.sealed_at).await;
    }
    let unpinned = Options { pinned: vec![], ..stranger.options() };
    assert_eq!(verify(&stranger.store, &unpinned).await.verdict, Verdict::Verified);
    let report = verify(&stranger.store, &Options { since: since.clone(), ..unpinned }).await;
    assert_eq!(kinds(&report), ["kept_checkpoint"], "{}", report.to_text());

    // A checkpoint of a log that is not here was not looked at.
    let other = NoteSigner::new("spanseal.test/other", &[3; 32]).unwrap().checkpoint(TreeSize(1), forge.range.root());
    let forge = honest(Locks::Enforced).await;
    let report = verify(&forge.store, &Options { since: kept(&other), ..forge.options() }).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    assert!(report.notes[0].meaning.contains("`spanseal.test/other`, which is not here or was not looked at"), "{}", report.to_text());
    // What says its name and was never signed by it is no proof against it, nor for it.
    let mut unsigned = forge.seals[3].checkpoint.clone();
    unsigned = unsigned.replacen("\n4\n", "\n3\n", 1);
    let report = verify(&forge.store, &Options { since: kept(&unsigned), ..forge.options() }).await;
    assert_eq!(kinds(&report), ["kept_checkpoint"], "{}", report.to_text());
    assert!(report.findings[0].found.as_ref().unwrap().contains("does not verify"), "{}", report.to_text());
    // No answer from the store is no answer about the log.
    let since = kept(&forge.checkpoint_at(9));
    forge.store.fail_reads("/seals/", 1000);
    let report = verify(&forge.store, &Options { since, ..forge.options() }).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
}

/// Two seals of one index, both signed: the oldest that extends the log is the truth.
#[tokio::test]
async fn forks_are_explained_not_excused() {
    let mut forge = honest(Locks::Enforced).await;
    let (mut one, mut other) = (forge.statement(&[]).await, forge.statement(&[]).await);
    (one.counts.spans, other.counts.spans) = (1, 2);
    let (one, other) = (forge.sign(one), forge.sign(other));
    forge.commit(one).await;
    forge.put(&seal_key(LOG, 4), other.to_bytes().unwrap()).await;
    forge.seal(&[], |_| {}).await;
    let report = forge.verify().await;
    assert_eq!(kinds(&report), ["fork"], "{}", report.to_text());
    assert_eq!((report.logs[0].seals, report.findings[0].evidence), (6, Some(Evidence::Intact)));
}

#[tokio::test]
async fn a_rewritten_history_is_one_finding_where_it_begins() {
    let mut forge = honest(Locks::Enforced).await;
    // From seal 2 on everything is made anew with the log's own key, over another tree.
    let mut range = CompactRange::new();
    range.append(forge.seals[0].leaf());
    range.append(leaf_hash(b"another seal 1"));
    (forge.range, forge.previous) = (range, Some(leaf_hash(b"another seal 1")));
    for index in [2, 3] {
        forge.store.purge(&seal_key(LOG, index), None);
        forge.seal(&[], |s| s.sealed_at = UnixSeconds(NOW + 50)).await;
    }
    forge.publish().await;
    let report = forge.verify().await;
    assert_eq!(kinds(&report), ["seal_chain"], "{}", report.to_text());
    assert_eq!(report.findings[0].seal, Some(2));
}

/// A missing seal does not hide that the next one belongs to another history: `previous` stands in for its leaf.
#[tokio::test]
async fn a_gap_of_one_seal_is_bridged() {
    let forge = honest(Locks::Enforced).await;
    forge.store.purge(&seal_key(LOG, 2), None);
    assert_eq!(kinds(&forge.verify().await), ["seal_missing"], "the seal behind the gap extends the one before it");
    let mut forge = honest(Locks::Enforced).await;
    let mut range = CompactRange::new();
    for leaf in [leaf_hash(b"another 0"), leaf_hash(b"another 1"), leaf_hash(b"another 2")] {
        range.append(leaf);
    }
    (forge.range, forge.previous) = (range, Some(leaf_hash(b"another 2")));
    forge.store.purge(&seal_key(LOG, 2), None);
    forge.store.purge(&seal_key(LOG, 3), None);
    forge.seal(&[], |_| {}).await;
    forge.put(&checkpoint_key(LOG), forge.seals[4].checkpoint.clone()).await;
    let report = forge.verify().await;
    assert_eq!(kinds(&report), ["seal_missing", "seal_chain"], "{}", report.to_text());
}

/// Puts an object again with another lock, or with none, as if that had been the first put.
async fn relock(store: &MemoryStore, key: &ObjectKey, weak: Option<Lock>) {
    let body = bytes(store, key).await;
    store.purge(key, None);
    if weak.is_none() {
        store.fail_next(spanseal::worm::memory::Fault::LockDropped);
    }
    store.put(key, body.into(), Condition::Any, Some(weak.unwrap_or(lock()))).await.unwrap();
}

#[tokio::test]
async fn locks_are_read_back() {
    let later = UnixSeconds(NOW + 86_400 * 180);
    for object in ["seal", "segment", "log"] {
        let build = async |weak: Option<Lock>| {
            let forge = honest(Locks::Enforced).await;
            let key = match object {
                "seal" => seal_key(LOG, 0),
                "segment" => forge.segment_key(0),
                _ => log_key(LOG),
            };
            relock(&forge.store, &key, weak).await;
            forge.verify().await
        };
        let report = build(None).await;
        assert_eq!(kinds(&report), ["lock_missing"], "{object}: {}", report.to_text());
        assert_eq!((report.findings[0].evidence, report.locks), (Some(Evidence::Intact), LockCheck::Checked));
        if object != "log" {
            assert_eq!(kinds(&build(Some(Lock { mode: Mode::Governance, retain_until: later })).await), ["lock_weak"], "{object}: mode");
            let sooner = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(later.0 - 1) };
            assert_eq!(kinds(&build(Some(sooner)).await), ["lock_weak"], "{object}: date");
        }
        let longer = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(later.0 + 1) };
        let report = build(Some(longer)).await;
        assert_eq!(report.verdict, Verdict::Verified, "{object}: statements are minima: {}", report.to_text());
    }
}

/// Scenario: whoever may lift a lock cuts that of an object on which no segment's promise rests: a heartbeat, a seal of short-lived
/// records, `log.json`. Guarantee: each must hold as long and as strong as the longest class of the recorded configuration.
#[tokio::test]
async fn the_evidence_lock_is_that_of_the_longest_class_on_record() {
    let short = Lock { mode: Mode::Governance, retain_until: UnixSeconds(NOW + 8 * 86_400) };
    for (object, at) in [("heartbeat", NOW + 1), ("seal of a short class", NOW + 2), ("log.json", NOW)] {
        // COMPLIANCE for five months from the middle of January.
        let least = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(at + 151 * 86_400) };
        let build = async |weak: Lock| {
            let mut forge = Forge::new(Locks::Enforced).await;
            forge.seal(&[Segment::of("standard", lines(0, 2))], |_| {}).await;
            forge.seal(&[], |_| {}).await;
            forge.seal(&[Segment::of("zz-own", lines(2, 2))], |s| s.segments[0].lock = short).await;
            let key = match object {
                "heartbeat" => seal_key(LOG, 1),
                "log.json" => log_key(LOG),
                _ => seal_key(LOG, 2),
            };
            relock(&forge.store, &key, Some(weak)).await;
            forge
        };
        let verdict = async |weak: Lock| kinds(&build(weak).await.verify().await);
        assert_eq!(verdict(least).await, Vec::<&str>::new(), "{object}");
        assert_eq!(verdict(Lock { retain_until: UnixSeconds(NOW + 1), ..least }).await, ["lock_weak"], "{object}: cut to a second");
        assert_eq!(verdict(Lock { retain_until: UnixSeconds(least.retain_until.0 - 1), ..least }).await, ["lock_weak"], "{object}: date");
        assert_eq!(verdict(Lock { mode: Mode::Governance, ..least }).await, ["lock_weak"], "{object}: mode");
        let forge = build(short).await;
        let report = forge.verify().await;
        assert_eq!((kinds(&report), notes(&report)), (vec!["lock_weak"], vec!["checkpoint_absent"]), "{object}: {}", report.to_text());
        assert_eq!(report.findings[0].evidence, Some(Evidence::Intact));
        // Past that date nothing binds any more.
        let report = verify(&forge.store, &Options { now: least.retain_until, ..forge.options() }).await;
        assert_eq!(kinds(&report), Vec::<&str>::new(), "{object}: {}", report.to_text());
        // A range that does not hold the record of the configuration: what was not judged is said.
        let report = verify(&forge.store, &Options { from: Some(Bound::Seal(1)), ..forge.options() }).await;
        let said = report.notes.iter().find(|n| n.object == "seals/").and_then(|n| n.found.as_deref());
        assert_eq!((report.verdict, said), (Verdict::Verified, Some("3 objects")), "{object}: {}", report.to_text());
    }
}

/// Scenario: the recorded configuration names a class in words that this version cannot read. Guarantee: that no least lock is known is
/// said, and what the seals themselves name still counts.
#[tokio::test]
async fn a_configuration_that_is_not_understood_is_said_to_be() {
    let other = CONFIGURATION.replace("5mo", "a while");
    let build = async |weak: Lock| {
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.seal(&[], |_| {}).await;
        let change = |s: &mut Statement| s.config_sha256 = Hash::of(other.as_bytes());
        forge.seal(&[Segment::of("zz-own", vec![config_change(&other)])], change).await;
        relock(&forge.store, &seal_key(LOG, 1), Some(weak)).await;
        forge.verify().await
    };
    let report = build(lock()).await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["checkpoint_absent", "not_covered"]), "{}", report.to_text());
    assert_eq!(kinds(&build(Lock { mode: Mode::Governance, ..lock() }).await), ["lock_weak"]);
}

/// Scenario: a seal names a class that the configuration in force does not have, keeps its segment for no time at all, and the segment is
/// then removed. Guarantee: a class made up is a finding, before and after; a class that may stand among those not understood is none.
#[tokio::test]
async fn a_class_that_is_not_configured_is_found() {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[Segment::of("standard", lines(0, 2))], |_| {}).await;
    forge.seal(&[Segment::of("brief", lines(2, 2))], |s| s.segments[0].lock.retain_until = s.sealed_at).await;
    forge.publish().await;
    for gone in [false, true] {
        if gone {
            forge.store.purge(&forge.segment_key(1), None);
        }
        let report = forge.verify().await;
        assert_eq!(kinds(&report), ["retention_short"], "gone: {gone}: {}", report.to_text());
        let finding = &report.findings[0];
        assert!(finding.meaning.contains("has no such class"), "{}", report.to_text());
        assert_eq!((finding.seal, finding.evidence), (Some(1), (!gone).then_some(Evidence::Intact)), "{}", report.to_text());
        assert!(!notes(&report).contains(&"not_covered"), "judged: {}", report.to_text());
    }
    let other = CONFIGURATION.replace("5mo", "a while");
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[], |_| {}).await;
    let change = |s: &mut Statement| s.config_sha256 = Hash::of(other.as_bytes());
    forge.seal(&[Segment::of("brief", lines(2, 2)), Segment::of("zz-own", vec![config_change(&other)])], change).await;
    assert_eq!(kinds(&forge.verify().await), Vec::<&str>::new());
}

/// A record with another member.
fn with_member(name: &str, value: &str) -> Vec<u8> {
    let mut record = Json::parse(&line(0, "span")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    members.retain(|(n, _)| n != name);
    members.push((name.into(), Json::parse(value.as_bytes()).unwrap()));
    record.to_jcs()
}

/// Scenario: a record says that it was received after it was sealed. Guarantee: beyond what a step of the clock explains, it is a finding
/// that names the record.
#[tokio::test]
async fn a_record_received_after_its_seal_is_found() {
    for (nanos, found) in [("000000000", false), ("000000001", true)] {
        let received = UnixSeconds(NOW + 1 + 300).to_string().replace('Z', &format!(".{nanos}Z"));
        let early = UnixSeconds(NOW - 10).to_string().replace('Z', ".000000000Z");
        let record = with_member("time", &format!(r#"{{"received":"{received}","start":"{early}"}}"#));
        let in_time = with_member("time", &format!(r#"{{"received":"{early}","start":"{early}"}}"#));
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.seal(&[], |_| {}).await;
        // Behind it stands one that was received in time.
        forge.seal(&[Segment::of("standard", vec![line(1, "span"), record, in_time])], |_| {}).await;
        let report = forge.verify().await;
        let expected = if found { vec!["segment_content"] } else { vec![] };
        assert_eq!(kinds(&report), expected, "{nanos}: {}", report.to_text());
        if let Some(finding) = report.findings.first() {
            assert_eq!((finding.seal, finding.object.as_str()), (Some(1), forge.seals[1].statement.segments[0].key.as_str()));
            assert!(finding.found.as_ref().unwrap().contains("line 2"), "{finding:?}");
        }
    }
}

/// Scenario: what a query selects by stands in a record as another JSON type, where no query sees it. Guarantee: the segment is refused and
/// the member named.
#[tokio::test]
async fn a_record_that_hides_from_queries_is_refused() {
    for (name, value, named) in [
        ("subject", r#"{"id":["ps:x"]}"#, "subject.id"),
        ("subject", r#"["ps:x"]"#, "subject"),
        ("decision", r#"[{"id":"d-1"}]"#, "decision"),
        ("decision", r#"{"id":7}"#, "decision.id"),
        ("actor", r#"{"user_id":{"id":"x"}}"#, "actor.user_id"),
        ("actor", r#"{"session_id":null}"#, "actor.session_id"),
        ("actor", r#"{"conversation_id":true}"#, "actor.conversation_id"),
        ("review", r#"{"reviewer":"id:rita"}"#, "review.reviewer"),
        ("review", r#"{"reviewer":{"id":[]}}"#, "review.reviewer.id"),
        ("change", r#"{"by":1}"#, "change.by"),
        ("change", r#"{"approval":{"by":[]}}"#, "change.approval.by"),
        ("control", r#"{"by":[]}"#, "control.by"),
        ("trace", r#"{"trace_id":1}"#, "trace.trace_id"),
        ("model", r#"{"id":["gpt"]}"#, "model.id"),
        ("model", r#"{"version":1.5}"#, "model.version"),
        ("prompt", r#"{"hash":["00"]}"#, "prompt.hash"),
        ("prompt", r#"{"template_hash":{}}"#, "prompt.template_hash"),
        ("time", r#"{"received":1,"start":"2027-01-15T07:43:20.000000001Z"}"#, "a time is not"),
    ] {
        let (mut segment, good) = (Segment::of("standard", vec![with_member(name, value)]), Segment::of("standard", lines(0, 1)));
        (segment.first, segment.last) = (good.first, good.last);
        let mut forge = Forge::new(Locks::Enforced).await;
        forge.seal(&[segment], |_| {}).await;
        let report = forge.verify().await;
        assert_eq!(kinds(&report), ["segment_form"], "{name} {value}: {}", report.to_text());
        assert!(report.findings[0].found.as_ref().unwrap().contains(named), "{}", report.to_text());
    }
}

#[tokio::test]
async fn after_its_date_a_segment_may_go() {
    let forge = honest(Locks::Enforced).await;
    forge.store.delete(&forge.segment_key(0));
    forge.store.purge(&forge.segment_key(3), None);
    let options = Options { now: UnixSeconds(NOW + 86_400 * 181), ..forge.options() };
    let report = verify(&forge.store, &options).await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert_eq!(notes(&report), ["marker_past_date", "segment_expired"]);
}

#[tokio::test]
async fn unnamed_segments_are_judged_by_their_place() {
    let body = zstd(b"{}\n");
    let sha256 = Hash::of(&body).to_string();
    let name = |index: u64| below(LOG, &segment_name("standard", UnixSeconds(NOW), index, &sha256));
    for (index, bytes, expected) in [
        (0, &body, vec![]),
        (2, &body, vec![]),
        (4, &body, vec![]),
        (5, &body, vec!["segment_unnamed"]),
        (2, &b"x".to_vec(), vec!["segment_unnamed"]),
    ] {
        let forge = honest(Locks::Enforced).await;
        forge.put(&name(index), bytes.clone()).await;
        let report = forge.verify().await;
        assert_eq!(kinds(&report), expected, "{index}: {}", report.to_text());
        assert_eq!(notes(&report).contains(&"orphan"), expected.is_empty(), "{index}");
    }
    // However far behind the end: what does not even fit its name is no trace of seals that are gone.
    let junk = honest(Locks::Enforced).await;
    junk.put(&name(40), &b"x"[..]).await;
    let report = junk.verify().await;
    assert_eq!(kinds(&report), ["segment_unnamed"]);
    assert_eq!(report.findings[0].evidence, Some(Evidence::Intact), "{}", report.to_text());
    // What the format does not name is not ours to judge.
    let forge = honest(Locks::Enforced).await;
    for key in ["readme.txt", "segments/x.txt", "seals/notes.json", "_index/a", "segments/standard/2027/01/15/a.jsonl.zst"] {
        forge.put(&below(LOG, key), "hello").await;
    }
    assert_eq!(forge.verify().await.verdict, Verdict::Verified);
}

/// Scenario: a log is read while its writer goes on, or a part of it is, and unnamed segments lie there. Guarantee: those that the seals
/// that were read cannot miss are judged all the same, and what was left out is said.
#[tokio::test]
async fn unnamed_segments_of_a_log_that_goes_on_are_not_dropped() {
    let body = zstd(b"{}\n");
    let sha256 = Hash::of(&body).to_string();
    let earlier = UnixSeconds(NOW - 86_400);
    let left_out = Some("1 segments");
    for (index, at, bytes, finding, note, part) in [
        // Passed long before its seal, because it is dated before the log began.
        (3, earlier, &b"x"[..], true, None, false),
        (3, earlier, &body, false, None, false),
        (1, earlier, b"x", true, None, true),
        // Of the very seal that came meanwhile: nothing that it names has a wrong name.
        (4, UnixSeconds(NOW), b"x", true, None, false),
        (4, UnixSeconds(NOW), &body, false, left_out, false),
        (5, UnixSeconds(NOW), &body, false, left_out, false),
        (4, earlier, &body, false, left_out, false),
        (5, earlier, &body, false, left_out, false),
    ] {
        let forge = honest(Locks::Enforced).await;
        forge.put(&below(LOG, &segment_name("standard", at, index, &sha256)), bytes.to_vec()).await;
        let next = forge.sign(forge.statement(&[]).await).to_bytes().unwrap();
        let store = forge.store.clone();
        // The listing of seals was read when the first of them is done.
        let grow = move |progress: &spanseal::verify::Progress<'_>| {
            if progress.seals == 1 {
                store.overwrite_foreign(&seal_key(LOG, 4), next.clone());
            }
        };
        let to = part.then_some(Bound::Seal(2));
        let report = verify(&forge.store, &Options { progress: Some(&grow), to, ..forge.options() }).await;
        let what = format!("{index} at {at}: {}", report.to_text());
        assert_eq!(report.logs[0].tree_size, if part { 3 } else { 4 }, "the fifth came later: {what}");
        assert_eq!(kinds(&report), if finding { vec!["segment_unnamed"] } else { vec![] }, "{what}");
        assert_eq!(report.notes.iter().find(|n| n.object == "segments/").and_then(|n| n.found.as_deref()), note, "{what}");
    }
}

/// Scenario: the bytes of a segment were there, under a weaker lock, before the writer put them. Guarantee: the version that the seal names is the
/// segment, and its lock is the one that counts, for whoever reads everything and for whoever looks at locks alone.
#[tokio::test]
async fn the_version_that_a_seal_names_is_the_segment() {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[], |_| {}).await;
    let segment = Segment::of("standard", lines(0, 2));
    let key = below(LOG, &segment_name("standard", UnixSeconds(NOW + 1), 1, &Hash::of(&segment.stored).to_string()));
    let weak = Lock { mode: Mode::Governance, ..lock() };
    forge.store.put(&key, segment.stored.clone().into(), Condition::Any, Some(weak)).await.unwrap();
    forge.seal(&[segment], |_| {}).await;
    forge.publish().await;
    assert_eq!(forge.segment_key(1), key);
    for depth in [Depth::Whole, Depth::Locks] {
        let report = verify(&forge.store, &Options { depth, ..forge.options() }).await;
        assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["duplicate"]), "{depth:?}: {}", report.to_text());
    }
    // The other way round the weak one is the segment's.
    forge.store.relock(&key, Some(weak));
    for depth in [Depth::Whole, Depth::Locks] {
        let report = verify(&forge.store, &Options { depth, ..forge.options() }).await;
        assert_eq!(kinds(&report), ["lock_weak"], "{depth:?}: {}", report.to_text());
    }
}

/// Scenario: a store with locks holds seals which say that they were written to one without. Guarantee: no lock is demanded for them, and the report
/// neither says that locks were checked nor is silent about it.
#[tokio::test]
async fn seals_without_locks_in_a_store_with_locks_are_told() {
    let mut forge = Forge::new(Locks::Enforced).await;
    for n in 0..2 {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |s| s.not_worm = true).await;
    }
    forge.publish().await;
    let report = forge.verify().await;
    let told: Vec<_> = report.notes.iter().map(|n| (n.kind.as_str(), n.meaning.contains("though this store has locks"))).collect();
    assert_eq!(
        (report.verdict, report.locks, told),
        (Verdict::Verified, LockCheck::None, vec![("not_worm", true)]),
        "{}",
        report.to_text()
    );
}

/// `version_id` is a locator: any version with the sha256 is the segment, and its lock is the one that counts.
#[tokio::test]
async fn a_moved_version_is_found_by_its_hash() {
    let forge = honest(Locks::Enforced).await;
    let key = forge.segment_key(0);
    let body = bytes(&forge.store, &key).await;
    forge.store.purge(&key, None);
    let weak = Lock { mode: Mode::Governance, ..lock() };
    forge.store.put(&key, body.into(), Condition::Any, Some(weak)).await.unwrap();
    assert_eq!(kinds(&forge.verify().await), ["lock_weak"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_unchecked_and_findings_beat_it() {
    for part in ["/log.json", "/checkpoint", "/seals/00000000000000000001", "/seals/", "/segments/standard/2027", "/segments/"] {
        let forge = honest(Locks::Enforced).await;
        forge.store.fail_reads(part, 1000);
        for depth in [Depth::Whole, Depth::Locks] {
            let report = verify(&forge.store, &Options { depth, ..forge.options() }).await;
            assert_eq!(report.verdict, Verdict::Unchecked, "{part}: {}", report.to_text());
            assert_eq!(report.notes[0].kind.as_str(), "unchecked");
        }
        forge.store.clear_faults();
        assert_eq!(forge.verify().await.verdict, Verdict::Verified);
    }
    // Every single read failing once is never fine.
    for depth in [Depth::Whole, Depth::Locks] {
        for nth in 0.. {
            let forge = honest(Locks::Enforced).await;
            let store = crate::support::failing::FailNthRead::new(forge.store.clone(), nth);
            let report = verify(&store, &Options { depth, ..forge.options() }).await;
            assert_eq!(report.verdict == Verdict::Verified, !store.failed(), "read {nth}: {}", report.to_text());
            assert!(report.findings.is_empty(), "read {nth}: {}", report.to_text());
            if !store.failed() {
                break;
            }
        }
    }
    let forge = honest(Locks::Enforced).await;
    forge.store.fail_reads("/checkpoint", 1);
    forge.store.purge(&forge.segment_key(0), None);
    assert_eq!(forge.verify().await.verdict, Verdict::Findings);
}

#[tokio::test]
async fn an_empty_store_is_not_verified() {
    let store = MemoryStore::new(Arc::new(ManualClock::new(UnixNanos(0))), MemoryOptions::default());
    let report = verify(&store, &Options::new(UnixSeconds(NOW))).await;
    assert_eq!(report.verdict, Verdict::Unchecked);
    assert!(report.to_text().starts_with("NOTHING CHECKED: "), "{}", report.to_text());
    // Nor is a log that was made and never written to.
    let report = Forge::new(Locks::Enforced).await.verify().await;
    assert_eq!((report.verdict, report.notes[0].kind.as_str()), (Verdict::Unchecked, "unchecked"), "{}", report.to_text());
}

/// Whether tiles were ever published is asked only where none was found: that question may fail as well.
#[tokio::test]
async fn tiles_that_cannot_be_listed_are_unchecked() {
    for nth in 0.. {
        let forge = honest(Locks::Enforced).await;
        for path in ["tile/0/000.p/4", "tile/entries/000.p/4"] {
            forge.store.purge(&below(LOG, path), None);
        }
        let store = crate::support::failing::FailNthRead::new(forge.store.clone(), nth);
        let report = verify(&store, &forge.options()).await;
        assert_eq!(report.verdict == Verdict::Verified, !store.failed(), "read {nth}: {}", report.to_text());
        if !store.failed() {
            break;
        }
    }
}

#[tokio::test]
async fn silence_and_restarts_are_shown() {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[], |s| s.next_by = Some(UnixSeconds(NOW + 10))).await;
    forge.seal(&[], |s| (s.sealed_at, s.next_by) = (UnixSeconds(NOW + 11), Some(UnixSeconds(NOW + 20)))).await;
    forge.seal(&[], |s| (s.sealed_at, s.started) = (UnixSeconds(NOW + 20), UnixSeconds(NOW + 19))).await;
    forge
        .seal(&[], |s| (s.sealed_at, s.started, s.next_by) = (UnixSeconds(NOW + 90), UnixSeconds(NOW + 19), Some(UnixSeconds(NOW + 99))))
        .await;
    let report = forge.verify().await;
    assert_eq!(report.verdict, Verdict::Verified);
    let shown: Vec<_> = report.notes.iter().map(|n| (n.kind.as_str(), n.seal)).collect();
    let expected = [("checkpoint_absent", None), ("silence", Some(1)), ("restart", Some(2)), ("silence", Some(3))];
    assert_eq!(shown, expected, "{}", report.to_text());
    let gaps: Vec<_> = report.logs[0].completeness.gaps.iter().map(|g| (g.kind, g.count, g.first_seal, g.last_seal)).collect();
    assert_eq!(gaps, [(GapKind::Silence, 2, Some(1), Some(3)), (GapKind::Restart, 1, Some(2), Some(2))]);
    assert!(!report.logs[0].completeness.complete);
    let text = report.to_text();
    assert!(text.contains("    gaps: 2 times of silence, ") && !text.contains("    complete: "), "{text}");
    assert!(text.contains("1 seal does not say when the next one is due"), "{text}");

    // A log that is started often is one note.
    for n in 4..9 {
        forge.seal(&[], |s| (s.sealed_at, s.started) = (UnixSeconds(NOW + 90 + n), UnixSeconds(NOW + 90 + n))).await;
    }
    let report = forge.verify().await;
    let restarts: Vec<_> = report.notes.iter().filter(|n| n.kind.as_str() == "restart").collect();
    assert_eq!(restarts.len(), 1, "{}", report.to_text());
    let (found, time) = (restarts[0].found.as_ref().unwrap(), |after: i64| UnixSeconds(NOW + after).to_string());
    let part = format!("6 starts: seal 2: started {}, before it {}; seal 4: started {}, before", time(19), time(-60), time(94));
    assert!(found.starts_with(&part) && found.ends_with("; and 3 more"), "{found}");
    assert_eq!((restarts[0].seal, restarts[0].meaning.contains("before each of these seals")), (Some(2), true));
}

/// `next_vkey`: both keys sign that seal, later the new one alone. The auditor may hold either.
#[tokio::test]
async fn a_change_of_key_is_followed_and_only_an_announced_one() {
    let old = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    let build = async |both: bool, back: bool| {
        let mut forge = honest(Locks::Enforced).await;
        let new = NoteSigner::new(ORIGIN, &[4; 32]).unwrap();
        let mut statement = forge.statement(&[Segment::of("standard", lines(20, 2))]).await;
        statement.next_vkey = Some(new.verifier().clone());
        let mut seal = forge.sign(statement);
        let second = new.checkpoint(TreeSize(5), seal.range_after().root());
        if both {
            seal.checkpoint.push_str(second.rsplit_once("\n\n").unwrap().1);
        }
        forge.commit(seal).await;
        if !back {
            forge.signer = new;
        }
        forge.seal(&[Segment::of("standard", lines(30, 2))], |_| {}).await;
        forge.publish().await;
        forge
    };
    let forge = build(true, false).await;
    for pinned in [old.verifier(), forge.signer.verifier()] {
        let options = Options { pinned: vec![pinned.clone()], ..forge.options() };
        let report = verify(&forge.store, &options).await;
        assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Pinned), "{}", report.to_text());
        for part in 0..6 {
            let options = Options { from: Some(Bound::Seal(part)), to: Some(Bound::Seal(part)), ..options.clone() };
            let report = verify(&forge.store, &options).await;
            assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Pinned), "{part}: {}", report.to_text());
        }
    }
    // A checkpoint from before the change of key, kept by somebody who was later given the new key.
    let since = kept(&forge.seals[2].checkpoint);
    let options = Options { pinned: vec![forge.signer.verifier().clone()], from: Some(Bound::Seal(5)), since, ..forge.options() };
    let report = verify(&forge.store, &options).await;
    assert_eq!(
        (report.verdict, notes(&report)),
        (Verdict::Verified, vec!["not_covered", "not_covered", "extends"]),
        "{}",
        report.to_text()
    );
    let stranger = NoteSigner::new(ORIGIN, &[5; 32]).unwrap();
    let report = verify(&forge.store, &Options { pinned: vec![stranger.verifier().clone()], ..forge.options() }).await;
    assert_eq!(kinds(&report), ["wrong_key"]);
    let configured = Some(forge.signer.verifier().clone());
    let report = verify(&forge.store, &Options { pinned: vec![], configured, ..forge.options() }).await;
    assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Configured));
    let pinned = vec![old.verifier().clone()];
    for (what, forge) in [("not signed by the new key", build(false, false).await), ("the old key signs on", build(true, true).await)] {
        let report = verify(&forge.store, &Options { pinned: pinned.clone(), ..forge.options() }).await;
        assert_eq!(report.verdict, Verdict::Findings, "{what}: {}", report.to_text());
    }
    prove_over_a_change_of_key(&forge, &old).await;
}

async fn prove_over_a_change_of_key(forge: &Forge, old: &NoteSigner) {
    use crate::support::second::check;
    let segment = forge.seals[5].statement.segments[0].key.clone();
    let at = RecordAt { seal: 5, segment, leaf_index: 1, rotations: vec![4] };
    let bundle = prove(&forge.store, LOG, old.verifier(), &at).await.unwrap();
    let report = check(&bundle.to_bytes(), old.verifier(), UnixSeconds(NOW + 100));
    assert_eq!(report.result.unwrap().rotations, 1);
    let direct = prove(&forge.store, LOG, forge.signer.verifier(), &RecordAt { rotations: vec![], ..at.clone() }).await.unwrap();
    assert_eq!(check(&direct.to_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 100)).verdict, Verdict::Verified);
    assert_eq!(check(&direct.to_bytes(), old.verifier(), UnixSeconds(NOW + 100)).verdict, Verdict::Findings, "without the change of key");
    let mut one_signature = bundle.clone();
    one_signature.rotations[0].checkpoint = old.checkpoint(TreeSize(5), forge.seals[4].range_after().root());
    assert_eq!(check(&one_signature.to_bytes(), old.verifier(), UnixSeconds(NOW + 100)).verdict, Verdict::Findings);
    let mut twice = bundle;
    twice.rotations.push(twice.rotations[0].clone());
    assert_eq!(check(&twice.to_bytes(), old.verifier(), UnixSeconds(NOW + 100)).verdict, Verdict::Findings);
}

/// A newer format, truly signed: nothing is concluded. The same word by a stranger is a finding.
#[tokio::test]
async fn an_unknown_format_is_unchecked_only_when_signed() {
    let mut forge = honest(Locks::Enforced).await;
    let statement = forge.statement(&[]).await;
    let mut json = statement.to_json();
    let Json::Object(members) = &mut json else { panic!() };
    members.iter_mut().find(|(n, _)| n == "format").unwrap().1 = Json::string("spanseal.seal/2");
    let entry = json.to_jcs();
    let mut range = forge.range.clone();
    range.append(leaf_hash(&entry));
    let seal =
        SealFile { statement, entry, checkpoint: forge.signer.checkpoint(range.size(), range.root()), frontier: forge.range.clone() };
    forge.commit(seal).await;
    forge.seal(&[], |_| {}).await;
    let report = forge.verify().await;
    assert_eq!(report.verdict, Verdict::Unchecked, "{}", report.to_text());

    let forge = honest(Locks::Enforced).await;
    forge.store.edit(&seal_key(LOG, 1), None, |b| {
        *b = String::from_utf8(b.clone()).unwrap().replace("spanseal.seal/1", "spanseal.seal/2").into_bytes();
    });
    assert_eq!(kinds(&forge.verify().await), ["seal_broken"]);
}

/// Past 256 seals there are full tiles and a second level.
#[tokio::test]
async fn tiles_of_a_longer_log_are_compared() {
    let mut forge = Forge::new(Locks::Enforced).await;
    for _ in 0..300 {
        forge.seal(&[], |_| {}).await;
    }
    forge.put(&checkpoint_key(LOG), forge.seals[299].checkpoint.clone()).await;
    let hashes = |from: usize, to: usize| forge.seals[from..to].iter().flat_map(|s| s.leaf().0.0).collect::<Vec<u8>>();
    let entry = |s: &SealFile| [&u16::try_from(s.entry.len()).unwrap().to_be_bytes()[..], &s.entry].concat();
    let entries = |from: usize, to: usize| forge.seals[from..to].iter().flat_map(entry).collect::<Vec<u8>>();
    let leaves: Vec<_> = forge.seals[..256].iter().map(SealFile::leaf).collect();
    let tiles = [
        ("tile/0/000", hashes(0, 256)),
        ("tile/0/001.p/44", hashes(256, 300)),
        ("tile/1/000.p/1", spanseal::tlog::merkle::root_of(&leaves).0.0.to_vec()),
        ("tile/entries/000", entries(0, 256)),
        ("tile/entries/001.p/44", entries(256, 300)),
    ];
    let report = forge.verify().await;
    let absent = |report: &Report| {
        report.notes.iter().find(|note| note.kind == Kind::TileAbsent).map(|note| note.meaning.contains("no tile at all"))
    };
    assert_eq!((report.verdict, absent(&report)), (Verdict::Verified, Some(true)), "a log need not have tiles, and a reader is told");
    // One of an older size is enough to see that they were published.
    forge.put(&below(LOG, "tile/0/000.p/7"), hashes(0, 7)).await;
    for (path, tile) in &tiles {
        let report = forge.verify().await;
        assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["tile_absent"]), "before {path}");
        forge.put(&below(LOG, path), tile.clone()).await;
    }
    let report = forge.verify().await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec![]), "{}", report.to_text());
    for (path, tile) in &tiles {
        let key = below(LOG, path);
        for offset in [0, tile.len() / 2, tile.len() - 1] {
            forge.store.flip_byte(&key, None, offset);
            let report = forge.verify().await;
            assert_eq!(kinds(&report), ["tile_wrong"], "{path} {offset}");
            assert_eq!(report.findings[0].object, *path);
            forge.store.flip_byte(&key, None, offset);
        }
    }
    // Full tiles are evidence, partial ones are not.
    for path in ["tile/0/000", "tile/entries/000"] {
        let cut = Lock { retain_until: UnixSeconds(NOW + 86_400), ..lock() };
        for (weak, expected) in [(None, "lock_missing"), (Some(cut), "lock_weak"), (Some(lock()), "")] {
            relock(&forge.store, &below(LOG, path), weak).await;
            let report = forge.verify().await;
            assert_eq!(kinds(&report).join(" "), expected, "{path}: {}", report.to_text());
        }
    }
}

/// Members that a later version adds are covered by the leaf and change nothing.
#[tokio::test]
async fn unknown_statement_members_are_ignored() {
    let mut forge = honest(Locks::Enforced).await;
    let statement = forge.statement(&[]).await;
    let mut json = statement.to_json();
    let Json::Object(members) = &mut json else { panic!() };
    members.push(("zone".into(), Json::string("eu")));
    let entry = json.to_jcs();
    let mut range = forge.range.clone();
    range.append(leaf_hash(&entry));
    let seal =
        SealFile { statement, entry, checkpoint: forge.signer.checkpoint(range.size(), range.root()), frontier: forge.range.clone() };
    forge.commit(seal).await;
    forge.seal(&[], |_| {}).await;
    assert_eq!(forge.verify().await.verdict, Verdict::Verified);
}

/// A bucket copied to a disk: verifiable, and the reader is told that locks cannot be seen there.
#[tokio::test]
async fn a_copy_without_locks_verifies_and_says_so() {
    let forge = honest(Locks::Enforced).await;
    let copy =
        MemoryStore::new(Arc::new(forge.clock.clone()), MemoryOptions { locks: Locks::None, versioned: false, ..MemoryOptions::default() });
    for key in forge.store.keys() {
        copy.put(&key, bytes(&forge.store, &key).await.into(), Condition::Any, None).await.unwrap();
    }
    let report: Report = verify(&copy, &forge.options()).await;
    assert_eq!((report.verdict, report.locks, notes(&report)), (Verdict::Verified, LockCheck::None, vec!["copy"]), "{}", report.to_text());
}

/// Scenario: somebody without the key forges what lies inside the range that an auditor asks for, and leaves true seals outside it.
/// Guarantee: the key outside vouches for the range only through an unbroken chain; what breaks it is said.
#[tokio::test]
async fn a_forged_range_is_not_vouched_for_by_true_seals_outside_it() {
    let evil = || NoteSigner::new(ORIGIN, &[4; 32]).unwrap();
    let log_file = |forge: &Forge| LogFile { origin: ORIGIN.into(), vkey: forge.signer.verifier().clone(), created: UnixSeconds(NOW) };

    // The beginning is forged, the end is true.
    let forge = honest(Locks::None).await;
    let mut forged = Forge::new(Locks::None).await;
    forged.signer = evil();
    for n in 0..2 {
        forged.seal(&[Segment::of("standard", lines(n, 1))], |_| {}).await;
    }
    forge.put(&log_key(LOG), log_file(&forged).to_bytes()).await;
    for (index, seal) in forged.seals.iter().enumerate() {
        forge.store.purge(&seal_key(LOG, index as u64), None);
        forge.put(&seal_key(LOG, index as u64), seal.to_bytes().unwrap()).await;
        for segment in &seal.statement.segments {
            let key = below(LOG, &segment.key);
            let body = forged.store.get(&key, None, 1 << 20).await.unwrap().unwrap();
            forge.put(&key, body).await;
        }
    }
    let report = verify(&forge.store, &Options { to: Some(Bound::Seal(1)), ..forge.options() }).await;
    assert_ne!(report.verdict, Verdict::Verified, "{}", report.to_text());

    // The beginning is true, then one seal is no seal, and the end is forged over an invented tree.
    let mut forge = honest(Locks::None).await;
    let trusted = forge.options();
    forge.store.purge(&seal_key(LOG, 3), None);
    forge.put(&seal_key(LOG, 3), "{}").await;
    forge.range.append(leaf_hash(b"invented"));
    forge.previous = Some(leaf_hash(b"invented"));
    forge.signer = evil();
    for n in 0..2 {
        forge.seal(&[Segment::of("standard", lines(n, 1))], |_| {}).await;
    }
    forge.store.purge(&log_key(LOG), None);
    forge.put(&log_key(LOG), log_file(&forge).to_bytes()).await;
    forge.put(&checkpoint_key(LOG), forge.seals.last().unwrap().checkpoint.clone()).await;
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(4)), ..trusted }).await;
    assert_ne!(report.verdict, Verdict::Verified, "{}", report.to_text());

    // Seals are removed, and a later one is made to look earlier, so that a range of time would begin behind the hole.
    let forge = honest(Locks::None).await;
    forge.store.purge(&seal_key(LOG, 1), None);
    let early = String::from_utf8(forge.seals[2].to_bytes().unwrap()).unwrap();
    let at = forge.seals[2].statement.sealed_at.to_string();
    let early = early.replace(&format!("\"sealed_at\":\"{at}\""), "\"sealed_at\":\"2020-01-01T00:00:00Z\"");
    forge.store.purge(&seal_key(LOG, 2), None);
    forge.put(&seal_key(LOG, 2), early).await;
    let from = forge.seals[1].statement.sealed_at;
    let report = verify(&forge.store, &Options { from: Some(Bound::Time(from)), ..forge.options() }).await;
    assert_eq!(report.verdict, Verdict::Findings, "{}", report.to_text());
}
