//! What the log's own key signed against the rules: the writer, or whoever holds its key, is not believed for that.

use spanseal::clock::UnixSeconds;
use spanseal::record::canonical::Json;
use spanseal::tlog::merkle::leaf_hash;
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::seal_file::{SealFile, Statement};
use spanseal::tlog::{Hash, LeafHash};
use spanseal::verify::verify;
use spanseal::worm::{ENTRY_BYTES_MAX, Mode, WormStore, below, checkpoint_key, segment_name};

use super::{Found, Matrix, SEALS, intact, lost, options, seal_object, segments};
use crate::support::forge::{Forge, LOG, ORIGIN, Segment, joined, kinds, line, lock, notes, zstd};

/// The seal that is false. One more follows it.
const FALSE: usize = SEALS;

/// The segments that it holds, as honest ones: high-risk, and two of the class standard.
fn honest() -> Vec<Segment> {
    let mut three = segments(FALSE);
    assert_eq!(three.len(), 3);
    three.swap(0, 1);
    three
}

/// Seals what the statement says falsely, and goes on.
async fn go_on(forge: &mut Forge, segments: &[Segment], change: impl FnOnce(&mut Statement)) {
    forge.seal(segments, change).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
}

#[tokio::test]
async fn statements_that_say_what_is_not_so() {
    type Change = fn(&mut Statement);
    /// What it is said of.
    #[derive(Clone, Copy, PartialEq)]
    enum Of {
        Seal,
        /// Its first segment, in the order of keys: high-risk.
        First,
        /// The seal after it.
        Next,
    }
    use Of::{First, Next, Seal};
    let mut m = Matrix::new().await;
    let rows: Vec<(&str, &str, &'static str, Of, Change)> = vec![
        // Counts.
        ("one more promoted", "count_promoted", "intact", Seal, |s| s.counts.promoted += 1),
        ("none promoted", "count_promoted", "intact", Seal, |s| s.counts.promoted = 0),
        ("more skipped than received", "count_received", "intact", Seal, |s| s.counts.skipped = s.counts.spans + s.counts.logs + 1),
        ("more rejected than received", "count_received", "intact", Seal, |s| s.counts.rejected = s.counts.spans + s.counts.logs + 1),
        ("counts beyond all numbers", "count_received", "intact", Seal, |s| (s.counts.skipped, s.counts.rejected) = (u64::MAX, 2)),
        ("one record more", "segment_content", "lost", First, |s| s.segments[0].records += 1),
        ("one byte more", "segment_bytes", "lost", First, |s| s.segments[0].bytes += 1),
        // Hashes.
        ("another root of the records", "segment_content", "lost", First, |s| s.segments[0].merkle_root.0 = Hash([7; 32])),
        ("another seal before", "seal_chain", "lost", Seal, |s| s.previous = Some(LeafHash(Hash([7; 32])))),
        ("no seal before", "seal_broken", "lost", Seal, |s| s.previous = None),
        // Dates.
        ("first too early", "segment_content", "lost", First, |s| s.segments[0].first.0 -= 1),
        ("first too late", "segment_content", "lost", First, |s| s.segments[0].first.0 += 1),
        ("last too early", "segment_content", "lost", First, |s| s.segments[0].last.0 -= 1),
        ("last too late", "segment_content", "lost", First, |s| s.segments[0].last.0 += 1),
        ("first after last", "seal_broken", "lost", Seal, |s| s.segments[0].first.0 = s.segments[0].last.0 + 1),
        ("dated before the seal before", "seal_chain", "lost", Seal, |s| s.sealed_at.0 -= 2),
        ("dated after the seal behind it", "seal_chain", "lost", Next, |s| s.sealed_at.0 += 2),
        ("started after it was sealed", "statement_time", "intact", Seal, |s| s.started.0 = s.sealed_at.0 + 1),
        ("the next one promised for before", "statement_time", "intact", Seal, |s| s.next_by = Some(UnixSeconds(s.sealed_at.0 - 1))),
        // Retention.
        ("kept until before it was sealed", "seal_broken", "lost", Seal, |s| s.segments[0].lock.retain_until.0 = s.sealed_at.0 - 1),
        ("kept shorter than configured", "retention_short", "intact", First, |s| {
            s.segments[0].lock.retain_until.0 = s.sealed_at.0 + 86_400
        }),
        ("kept weaker than configured", "retention_short", "intact", First, |s| s.segments[0].lock.mode = Mode::Governance),
        // Keys outside their place.
        ("a key of another date", "seal_broken", "lost", Seal, |s| s.segments[0].key = s.segments[0].key.replace("/2027/", "/2028/")),
        ("a key of another class", "seal_broken", "lost", Seal, |s| s.segments[0].class = "standard".into()),
        ("a class that is no name", "seal_broken", "lost", Seal, |s| s.segments[0].class = "High risk".into()),
        ("a key of another seal", "seal_broken", "lost", Seal, |s| {
            s.segments[0].key = segment_name("high-risk", s.sealed_at, 9, &s.segments[0].sha256.to_string());
        }),
        ("a key of another hash", "seal_broken", "lost", Seal, |s| s.segments[0].sha256 = Hash([7; 32])),
        ("a key above the log", "seal_broken", "lost", Seal, |s| s.segments[0].key = format!("../{}", s.segments[0].key)),
        ("segments out of order", "seal_broken", "lost", Seal, |s| s.segments.reverse()),
        ("a segment twice", "seal_broken", "lost", Seal, |s| s.segments[1] = s.segments[0].clone()),
        // Another log, another key, another place.
        ("another log", "seal_broken", "lost", Seal, |s| s.log = "spanseal.test/other".into()),
        ("another index", "seal_broken", "lost", Seal, |s| s.index += 1),
        ("a key announced that did not sign", "seal_broken", "lost", Seal, |s| {
            s.next_vkey = Some(NoteSigner::new(ORIGIN, &[4; 32]).unwrap().verifier().clone());
        }),
        ("its own key announced as new", "seal_broken", "lost", Seal, |s| {
            s.next_vkey = Some(NoteSigner::new(ORIGIN, &[3; 32]).unwrap().verifier().clone());
        }),
    ];
    let count = rows.len();
    for (name, kind, evidence, of, change) in rows {
        let made = m.whole.copy().statement(&honest()).await;
        let (object, seal) = match of {
            Seal => (seal_object(FALSE), FALSE),
            First => (made.segments[0].key.clone(), FALSE),
            Next => (seal_object(FALSE + 1), FALSE + 1),
        };
        m.row(name, async |f| go_on(f, &honest(), change).await, vec![super::found(kind, object, Some(seal), evidence)]).await;
    }
    // A class that is made up has no period to be judged by.
    let made = m.whole.copy().statement(&[Segment::of("brief", vec![line(9000, "span")])]).await;
    let brief = intact("retention_short", &made.segments[0].key, FALSE);
    m.row(
        "a class that is not configured",
        async |f| go_on(f, &[Segment::of("brief", vec![line(9000, "span")])], |_| {}).await,
        vec![brief],
    )
    .await;
    // Beyond five minutes after the auditor's clock: one finding, where it begins, though the seal behind it is dated so too.
    let ahead = async |f: &mut Forge| {
        f.seal(&honest(), |_| {}).await;
        f.seal(&[], |s| s.sealed_at = UnixSeconds(super::LATER.0 + 301)).await;
        f.seal(&[], |s| s.sealed_at = UnixSeconds(super::LATER.0 + 302)).await;
        f.publish().await;
    };
    m.row("dated after now", ahead, vec![intact("sealed_ahead", seal_object(FALSE + 1), FALSE + 1)]).await;
    // It says that there are no locks, and so none are demanded of it: shown, and no finding.
    let no_locks =
        m.row("a store without locks, where there are", async |f| go_on(f, &honest(), |s| s.not_worm = true).await, vec![]).await;
    assert!(notes(&verify(&no_locks.store, &options(&no_locks)).await).contains(&"not_worm"));
    // Of a configuration that no record holds it is noted that it is not known.
    let config = async |f: &mut Forge| go_on(f, &honest(), |s| s.config_sha256 = Hash([7; 32])).await;
    let forge = m.row("a configuration that is nowhere", config, vec![]).await;
    assert!(notes(&verify(&forge.store, &options(&forge)).await).contains(&"config_unrecorded"));
    m.end(count + 4);
}

/// Puts a seal whose entry is these very bytes, signed by the log's key, and one behind it.
async fn raw(forge: &mut Forge, entry: Vec<u8>) {
    let mut range = forge.range.clone();
    range.append(leaf_hash(&entry));
    let checkpoint = forge.signer.checkpoint(range.size(), range.root());
    let frontier = forge.range.nodes().iter().map(|n| Json::String(n.to_string())).collect();
    let bytes = [
        br#"{"checkpoint":"#.to_vec(),
        Json::string(&checkpoint).to_jcs(),
        br#","frontier":"#.to_vec(),
        Json::Array(frontier).to_jcs(),
        br#","statement":"#.to_vec(),
        entry.clone(),
        b"}".to_vec(),
    ]
    .concat();
    forge.put(&spanseal::worm::seal_key(LOG, FALSE as u64), bytes).await;
    // Of the seal that follows only leaf and range matter; what is not a statement cannot be one here either.
    let statement = forge.statement(&[]).await;
    forge.seals.push(SealFile { statement, entry, checkpoint, frontier: forge.range.clone() });
    (forge.previous, forge.range) = (Some(forge.seals[FALSE].leaf()), range);
    forge.seal(&[], |_| {}).await;
    // What is longer than an entry may be has no place in a tile.
    if forge.seals[FALSE].entry.len() <= ENTRY_BYTES_MAX {
        forge.publish().await;
    }
}

/// The statement's text, changed.
async fn entry(forge: &Forge, change: impl FnOnce(String) -> String) -> Vec<u8> {
    change(String::from_utf8(forge.statement(&[]).await.entry()).unwrap()).into_bytes()
}

/// Takes a member away, wherever it stands.
fn without(json: &mut Json, name: &str) -> bool {
    match json {
        Json::Object(members) => {
            let before = members.len();
            members.retain(|(n, _)| n != name);
            members.len() < before || members.iter_mut().any(|(_, value)| without(value, name))
        }
        Json::Array(items) => items.iter_mut().any(|item| without(item, name)),
        _ => false,
    }
}

#[tokio::test]
async fn statements_in_a_form_that_two_readers_would_read_differently() {
    let mut m = Matrix::new().await;
    let broken = || vec![lost("seal_broken", seal_object(FALSE), FALSE)];
    for (name, from, to) in [
        ("a raw integer", r#""spans":"0""#, r#""spans":0"#),
        ("a truth value", r#""format":"#, r#""extra":true,"format":"#),
        ("no value", r#""format":"#, r#""extra":null,"format":"#),
        ("a member twice", r#""format":"#, r#""format":"spanseal.seal/1","format":"#),
        ("a count twice", r#""spans":"0""#, r#""spans":"0","spans":"0""#),
        ("leading zeros", r#""index":"3"#, r#""index":"03"#),
        ("a sign", r#""spans":"0""#, r#""spans":"+0""#),
        ("a space", r#""format":"#, r#""format": "#),
        ("an escape too many", "spanseal.seal/1", "spanseal.seal\\/1"),
        ("members in another order", r#"{"config_sha256":"#, r#"{"zone":"eu","config_sha256":"#),
        ("a date with a zone", r#"Z","segments""#, r#"+00:00","segments""#),
        ("a date with a fraction", r#"Z","segments""#, r#".0Z","segments""#),
        ("a hash of another length", r#""config_sha256":""#, r#""config_sha256":"A"#),
        ("not_worm that is not \"true\"", r#""previous":"#, r#""not_worm":"false","previous":"#),
        ("segments that are no list", r#""segments":[]"#, r#""segments":{}"#),
        ("a promise that is no time", r#""previous":"#, r#""next_by":"soon","previous":"#),
        ("an announced key that is none", r#""previous":"#, r#""next_vkey":"key","previous":"#),
    ] {
        let act = async |f: &mut Forge| {
            let text = entry(f, |text| {
                assert!(text.contains(from), "{name}: `{from}` in {text}");
                text.replacen(from, to, 1)
            })
            .await;
            raw(f, text).await;
        };
        m.row(name, act, broken()).await;
    }
    let long = |text: String| text.replacen(r#""format":"#, &format!(r#""extra":"{}","format":"#, "x".repeat(65_535)), 1);
    m.row("longer than an entry may be", async |f| raw(f, entry(f, long).await).await, broken()).await;
    // Every member that the format demands, of the statement, of its counts and of a segment.
    let demanded = [
        "format",
        "log",
        "index",
        "sealed_at",
        "started",
        "previous",
        "segments",
        "counts",
        "config_sha256", // the statement's
        "spans",
        "logs",
        "promoted",
        "skipped",
        "rejected",
        "duplicates",
        "dropped_attributes", // counts
        "key",
        "sha256",
        "bytes",
        "records",
        "merkle_root",
        "class",
        "mode",
        "retain_until",
        "first",
        "last", // a segment's
    ];
    for name in demanded {
        let act = async |f: &mut Forge| {
            let mut json = f.statement(&honest()).await.to_json();
            assert!(without(&mut json, name), "{name}");
            raw(f, json.to_jcs()).await;
        };
        m.row(&format!("without `{name}`"), act, broken()).await;
    }
    for name in ["records", "bytes"] {
        let act = async |f: &mut Forge| {
            let mut statement = f.statement(&honest()).await;
            if name == "records" {
                statement.segments[0].records = 0
            } else {
                statement.segments[0].bytes = 64 * 1024 * 1024 + 1
            }
            raw(f, statement.entry()).await;
        };
        m.row(&format!("a number of {name} that no segment has"), act, broken()).await;
    }
    // The file around the statement.
    type Change = fn(&mut SealFile, &NoteSigner);
    let files: [(&str, Change); 4] = [
        ("a frontier of another tree", |seal, _| {
            let nodes = seal.frontier.nodes().iter().map(|_| Hash([7; 32])).collect();
            seal.frontier = spanseal::tlog::merkle::CompactRange::from_nodes(seal.frontier.size(), nodes).unwrap();
        }),
        ("a checkpoint of another size", |seal, signer| {
            let after = seal.range_after();
            seal.checkpoint = signer.checkpoint(spanseal::tlog::TreeSize(after.size().0 + 1), after.root());
        }),
        ("a checkpoint of another root", |seal, signer| {
            seal.checkpoint = signer.checkpoint(seal.range_after().size(), spanseal::tlog::RootHash(Hash([7; 32])));
        }),
        ("a checkpoint signed twice", |seal, _| {
            let line = seal.checkpoint.rsplit_once("\n\n").unwrap().1.to_owned();
            seal.checkpoint.push_str(&line);
        }),
    ];
    for (name, change) in files {
        let act = async |f: &mut Forge| {
            let mut seal = f.sign(f.statement(&[]).await);
            change(&mut seal, &f.signer);
            f.put(&spanseal::worm::seal_key(LOG, FALSE as u64), seal.to_bytes().unwrap()).await;
        };
        m.row(name, act, broken()).await;
    }
    let extended = async |f: &mut Forge| {
        let mut seal = f.sign(f.statement(&[]).await);
        let after = seal.range_after();
        let text = format!("{}extension\n", spanseal::tlog::note::checkpoint_text(ORIGIN, after.size(), after.root()));
        seal.checkpoint = format!("{text}\n{}", f.signer.signature_line(&text));
        f.put(&spanseal::worm::seal_key(LOG, FALSE as u64), seal.to_bytes().unwrap()).await;
    };
    m.row("a checkpoint with an extension line", extended, broken()).await;
    // Members that nobody knows may be added: the leaf covers them.
    let more = async |f: &mut Forge| {
        let text = entry(f, |t| t.replacen(r#""format":"#, r#""extra":"x","format":"#, 1)).await;
        raw(f, text).await;
    };
    m.row("a member that is not known yet", more, vec![]).await;
    // A newer format, truly signed: nothing is concluded, and it is not verified.
    let newer = async |f: &mut Forge| raw(f, entry(f, |t| t.replacen("seal/1", "seal/2", 1)).await).await;
    let mut forge = m.whole.copy();
    newer(&mut forge).await;
    let report = verify(&forge.store, &options(&forge)).await;
    assert_eq!((report.verdict.exit_code(), kinds(&report)), (2, vec![]), "{}", report.to_text());
    m.end(17 + 1 + demanded.len() + 2 + 4 + 1 + 1);
}

/// Segments with the very bytes that were sealed, which are not what the format allows, or not what the statement says.
#[tokio::test]
async fn segments_in_another_form() {
    let mut m = Matrix::new().await;
    let good = [line(9000, "span"), line(9001, "span"), line(9002, "span")];
    let data = joined(&good);
    let frame = zstd(&data);
    let half = joined(&good[..1]).len();
    let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"skip"].concat();
    let stored = |bytes: Vec<u8>| Segment::of("standard", good.to_vec()).stored(bytes);
    let replaced = |from: &str, to: &str| {
        let mut lines = good.to_vec();
        let text = String::from_utf8(lines[1].clone()).unwrap();
        assert!(text.contains(from), "{from}");
        lines[1] = text.replacen(from, to, 1).into_bytes();
        let honest = Segment::of("standard", good.to_vec());
        Segment { first: honest.first, last: honest.last, ..Segment::of("standard", lines) }
    };
    let wide = {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(24).unwrap();
        encoder.include_contentsize(false).unwrap();
        std::io::Write::write_all(&mut encoder, &data).unwrap();
        encoder.finish().unwrap()
    };
    let rows: Vec<(&str, Segment, &str, &'static str)> = vec![
        ("two frames", stored([zstd(&data[..half]), zstd(&data[half..])].concat()), "segment_form", "lost"),
        ("a skippable frame", stored([frame.clone(), skippable].concat()), "segment_form", "lost"),
        ("bytes behind the frame", stored([frame.clone(), b"x".to_vec()].concat()), "segment_form", "lost"),
        ("a frame cut off", stored(frame[..frame.len() - 1].to_vec()), "segment_form", "lost"),
        ("no frame", stored(data.clone()), "segment_form", "lost"),
        ("too wide a window", stored(wide), "segment_form", "lost"),
        ("a last line that does not end", stored(zstd(&data[..data.len() - 1])), "segment_form", "lost"),
        ("no record", stored(zstd(b"")), "segment_form", "lost"),
        (
            "a raw integer beyond what all readers hold",
            replaced(r#""kind":"inference""#, r#""kind":9007199254740993"#),
            "segment_form",
            "lost",
        ),
        ("a member twice", replaced(r#""kind":"inference""#, r#""kind":"inference","kind":"tool""#), "segment_form", "lost"),
        ("members in another order", replaced(r#"{"id""#, r#"{"zone":"eu","id""#), "segment_form", "lost"),
        ("a record that is no object", replaced(&String::from_utf8(good[1].clone()).unwrap(), "[]"), "segment_form", "lost"),
        (
            "a record without an id",
            replaced(r#""id":"0000000000000000000000000000232"#, r#""id":"x000000000000000000000000000232"#),
            "segment_form",
            "lost",
        ),
        ("a record without a kind", replaced(r#""kind":"inference""#, r#""kind":"""#), "segment_form", "lost"),
        ("a record that no query finds", replaced(r#""signal":"span""#, r#""signal":["span"]"#), "segment_form", "lost"),
        (
            "a group that hides its members",
            replaced(r#""kind":"inference","#, r#""kind":"inference","model":"gpt","#),
            "segment_form",
            "lost",
        ),
        ("a time in another spelling", replaced(".000000001Z", ".1Z"), "segment_form", "lost"),
        (
            "a record of another class",
            replaced(r#""kind":"inference","#, r#""kind":"inference","retention":{"class":"high-risk"},"#),
            "segment_content",
            "lost",
        ),
        (
            "received after it was sealed",
            replaced(r#","start":"#, r#","received":"2100-01-01T00:00:00.000000000Z","start":"#),
            "segment_content",
            "intact",
        ),
    ];
    let count = rows.len();
    for (name, segment, kind, evidence) in rows {
        let object = m.whole.copy().statement(std::slice::from_ref(&segment)).await.segments[0].key.clone();
        let expected: Vec<Found> = vec![super::found(kind, object, Some(FALSE), evidence)];
        m.row(name, async |f| go_on(f, std::slice::from_ref(&segment), |_| {}).await, expected).await;
    }
    // A schema that is not known yet says nothing that could be contradicted, and is counted.
    let newer = replaced("spanseal.record/1", "spanseal.record/2");
    let forge = m.row("a schema that is not known yet", async |f| go_on(f, std::slice::from_ref(&newer), |_| {}).await, vec![]).await;
    assert!(notes(&verify(&forge.store, &options(&forge)).await).contains(&"other_schema"));
    // The very limit of what the writer may seal, and the store's own minima, are no fault.
    let longer = async |f: &mut Forge| {
        go_on(f, &honest(), |_| {}).await;
        let key = below(LOG, &f.seals[FALSE].statement.segments[0].key);
        f.store.extend(&key, None, spanseal::worm::Lock { retain_until: UnixSeconds(lock().retain_until.0 + 1), ..lock() }).await.unwrap();
        assert!(f.store.get(&checkpoint_key(LOG), None, 1 << 16).await.unwrap().is_some());
    };
    m.row("a lock that was extended", longer, vec![]).await;
    m.end(count + 2);
}
