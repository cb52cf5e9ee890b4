//! What a thief of the disk, without the log's key, does to its objects.

use bytes::Bytes;
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::{Hash, RootHash, TreeSize};
use spanseal::worm::{Condition, ObjectKey, WormStore, below, checkpoint_key, log_key, segment_name};

use super::{HEARTBEAT, Matrix, NEWEST, RICH, SEALS, at, intact, lost, seal_at, seal_object, segment_object, segments};
use crate::support::forge::{Forge, LOG, ORIGIN, Segment, joined, line, lock, zstd};

async fn bytes(forge: &Forge, key: &ObjectKey) -> Vec<u8> {
    forge.store.get(key, None, u64::MAX).await.unwrap().unwrap().to_vec()
}

/// Flips a bit behind the first place where the object holds these words.
async fn flip_behind(forge: &Forge, key: &ObjectKey, words: &str) {
    let body = bytes(forge, key).await;
    let found = body.windows(words.len()).position(|w| w == words.as_bytes()).unwrap_or_else(|| panic!("no `{words}` in `{key}`"));
    forge.store.flip_byte(key, None, found + words.len());
}

#[tokio::test]
async fn a_byte_flipped_in_each_kind_of_object() {
    let mut m = Matrix::new().await;
    let segment = segment_object(&m.whole, RICH, "high-risk");
    m.row("a segment", async |f| f.store.flip_byte(&at(&segment), None, 30), vec![lost("segment_bytes", &segment, RICH)]).await;
    for (name, words) in [
        ("a seal's count", "\"promoted\":\""),
        ("a seal's date", "\"sealed_at\":\""),
        ("a segment's root in a seal", "\"merkle_root\":\""),
        ("a segment's hash in a seal", "\"sha256\":\""),
        ("a seal's frontier", "\"frontier\":[\""),
        ("a seal's signature", "\\u2014 spanseal.test/log "),
        ("a seal's form", "{\"checkpoint\""),
    ] {
        // A seal writes the dash of a note as it is.
        let words = words.replace("\\u2014", "\u{2014}");
        let act = async |f: &mut Forge| flip_behind(f, &seal_at(RICH), &words).await;
        m.row(name, act, vec![lost("seal_broken", seal_object(RICH), RICH)]).await;
    }
    for (name, words) in [("the log's name", "\"origin\":\""), ("the key in log.json", "spanseal.test/log+"), ("the form of log.json", "{")]
    {
        m.row(name, async |f| flip_behind(f, &log_key(LOG), words).await, vec![intact("log_file", "log.json", None)]).await;
    }
    for (name, words) in [("the checkpoint's size", "log\n"), ("the checkpoint's signature", "\u{2014} spanseal.test/log ")] {
        let act = async |f: &mut Forge| flip_behind(f, &checkpoint_key(LOG), words).await;
        m.row(name, act, vec![intact("checkpoint_invalid", "checkpoint", None)]).await;
    }
    for tile in ["tile/0/000", "tile/0/001.p/64", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/64"] {
        m.row(tile, async |f| f.store.flip_byte(&at(tile), None, 31), vec![intact("tile_wrong", tile, None)]).await;
    }
    m.end(18);
}

/// The records of a segment, changed by somebody who writes the segment anew.
#[tokio::test]
async fn records_that_are_not_those_that_were_sealed() {
    let mut m = Matrix::new().await;
    let segment = segment_object(&m.whole, RICH, "standard");
    let two = segments(RICH).swap_remove(0);
    let segment_two = m.whole.seals[RICH].statement.segments.iter().find(|s| s.records == 2).unwrap().key.clone();
    let edited = || {
        let text = String::from_utf8(two.lines[0].clone()).unwrap();
        vec![text.replace("inference", "embedding").into_bytes(), two.lines[1].clone()]
    };
    let (a, b) = (two.lines[0].clone(), two.lines[1].clone());
    for (name, lines) in [
        ("removed", vec![a.clone()]),
        ("duplicated", vec![a.clone(), a.clone(), b.clone()]),
        ("swapped", vec![b.clone(), a.clone()]),
        ("inserted", vec![a.clone(), line(9999, "span"), b.clone()]),
        ("edited and compressed again", edited()),
    ] {
        let act = async |f: &mut Forge| f.store.edit(&at(&segment_two), None, |body| *body = zstd(&joined(&lines)));
        m.row(name, act, vec![lost("segment_bytes", &segment_two, RICH)]).await;
    }
    let same = zstd::bulk::compress(&joined(&two.lines), 19).unwrap();
    assert_ne!(same, two.stored, "another level writes other bytes");
    let act = async |f: &mut Forge| f.store.edit(&at(&segment_two), None, |body| body.clone_from(&same));
    m.row("only compressed again", act, vec![lost("segment_bytes", &segment_two, RICH)]).await;

    // Under a name that fits the new bytes: the sealed one is missing, the new one is nobody's (a note, as after a crash).
    let renamed = async |f: &mut Forge| {
        let stored = zstd(&joined(&edited()));
        let sealed_at = f.seals[RICH].statement.sealed_at;
        f.store.purge(&at(&segment_two), None);
        let name = segment_name("standard", sealed_at, RICH as u64, &Hash::of(&stored).to_string());
        f.put(&below(LOG, &name), stored).await;
    };
    m.row("edited, under a name that fits", renamed, vec![lost("segment_missing", &segment_two, RICH)]).await;

    let other = segment_object(&m.whole, 100, "standard");
    let act = async |f: &mut Forge| {
        let body = bytes(f, &at(&other)).await;
        f.store.edit(&at(&segment), None, |b| *b = body);
    };
    m.row("replaced by a segment of another seal", act, vec![lost("segment_bytes", &segment, RICH)]).await;
    let stranger = Segment::of("standard", vec![line(7, "span"), line(8, "span")]).stored;
    let act = async |f: &mut Forge| f.store.edit(&at(&segment), None, |b| *b = stranger);
    m.row("replaced by a segment of another log", act, vec![lost("segment_bytes", &segment, RICH)]).await;
    let act = async |f: &mut Forge| f.store.edit(&at(&segment), None, |b| b.truncate(b.len() - 1));
    m.row("a segment cut off", act, vec![lost("segment_bytes", &segment, RICH)]).await;
    let act = async |f: &mut Forge| f.store.purge(&at(&segment), None);
    m.row("a segment removed", act, vec![lost("segment_missing", &segment, RICH)]).await;
    let act = async |f: &mut Forge| {
        let body = bytes(f, &at(&segment)).await;
        f.store.purge(&at(&segment), None);
        f.put(&at(&segment.replace("/standard/", "/zz-own/")), body).await;
    };
    m.row("a segment moved to another class", act, vec![lost("segment_missing", &segment, RICH)]).await;
    let planted = segment.replacen("segments/standard", "segments/high-risk", 1);
    let act = async |f: &mut Forge| {
        f.put(&at(&planted), "junk").await;
    };
    m.row("a segment planted", act, vec![intact("segment_unnamed", &planted, RICH)]).await;
    m.end(13);
}

#[tokio::test]
async fn seals_removed_reordered_and_replaced() {
    let mut m = Matrix::new().await;
    let broken = |seal: usize| lost("seal_broken", seal_object(seal), seal);
    for gone in [0, RICH, HEARTBEAT] {
        let act = async |f: &mut Forge| f.store.purge(&seal_at(gone), None);
        m.row(&format!("seal {gone} removed"), act, vec![lost("seal_missing", seal_object(gone), gone)]).await;
    }
    let act = async |f: &mut Forge| (RICH..RICH + 5).for_each(|seal| f.store.purge(&seal_at(seal), None));
    m.row("five seals removed", act, vec![lost("seal_missing", seal_object(RICH), RICH)]).await;
    let act = async |f: &mut Forge| {
        let (one, two) = (bytes(f, &seal_at(RICH)).await, bytes(f, &seal_at(RICH + 1)).await);
        f.store.edit(&seal_at(RICH), None, |b| *b = two);
        f.store.edit(&seal_at(RICH + 1), None, |b| *b = one);
    };
    m.row("two seals reordered", act, vec![broken(RICH), broken(RICH + 1)]).await;
    let act = async |f: &mut Forge| {
        let older = bytes(f, &seal_at(100)).await;
        f.store.edit(&seal_at(RICH), None, |b| *b = older);
    };
    m.row("an older seal in the place of a newer", act, vec![broken(RICH)]).await;
    let act = async |f: &mut Forge| f.store.edit(&seal_at(RICH), None, |b| *b = b"{}".to_vec());
    m.row("a seal emptied", act, vec![broken(RICH)]).await;
    let act = async |f: &mut Forge| f.store.edit(&seal_at(RICH), None, |b| *b = vec![b' '; 300 * 1024]);
    m.row("a seal longer than any", act, vec![broken(RICH)]).await;
    let resigned = async |f: &mut Forge| {
        let thief = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
        let mut seal = f.seals[RICH].clone();
        seal.checkpoint = thief.checkpoint(TreeSize(RICH as u64 + 1), seal.range_after().root());
        let forged = seal.to_bytes().unwrap();
        f.store.edit(&seal_at(RICH), None, |b| *b = forged);
    };
    m.row("a seal signed again by another key", resigned, vec![broken(RICH)]).await;
    let both = async |f: &mut Forge| {
        let thief = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
        let mut seal = f.seals[RICH].clone();
        let more = thief.checkpoint(TreeSize(RICH as u64 + 1), seal.range_after().root());
        seal.checkpoint.push_str(more.rsplit_once("\n\n").unwrap().1);
        let forged = seal.to_bytes().unwrap();
        f.store.edit(&seal_at(RICH), None, |b| *b = forged);
    };
    m.row("a second signature in a seal", both, vec![broken(RICH)]).await;
    let stranger = async |f: &mut Forge| {
        // Everything made anew by somebody else, under the log's name; the auditor has the key.
        let thief = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
        let ours = f.signer.verifier().to_string();
        for (index, seal) in f.seals.clone().into_iter().enumerate() {
            let checkpoint = thief.checkpoint(TreeSize(index as u64 + 1), seal.range_after().root());
            let forged = spanseal::tlog::seal_file::SealFile { checkpoint: checkpoint.clone(), ..seal }.to_bytes().unwrap();
            f.store.edit(&seal_at(index), None, |b| *b = forged);
            if index == NEWEST {
                f.put(&checkpoint_key(LOG), checkpoint).await;
            }
        }
        f.store.edit(&log_key(LOG), None, |b| {
            *b = String::from_utf8(b.clone()).unwrap().replace(&ours, &thief.verifier().to_string()).into_bytes();
        });
    };
    m.row("the whole log signed again by another key", stranger, vec![lost("wrong_key", "", None)]).await;
    m.end(11);
}

/// Removes the seals from `size` on, and their segments if `whole`.
fn cut(forge: &Forge, size: usize, whole: bool) {
    for index in size..SEALS {
        forge.store.purge(&seal_at(index), None);
        for segment in forge.seals[index].statement.segments.iter().filter(|_| whole) {
            forge.store.purge(&at(&segment.key), None);
        }
    }
}

#[tokio::test]
async fn the_end_cut_off_the_log_forked_and_an_old_checkpoint_put_back() {
    let mut m = Matrix::new().await;
    let size = 310;
    let rolled_back = || lost("rollback", "checkpoint", None);
    m.row_kept(
        "the end cut off",
        async |f| cut(f, size, true),
        vec![rolled_back()],
        vec![rolled_back(), lost("rollback", seal_object(NEWEST), NEWEST)],
    )
    .await;
    // The segments of the seals that are gone are two findings more than the checkpoint: one seal ahead could be a crash, more could not.
    let unnamed = |m: &Matrix| {
        let beyond = m.whole.seals[size + 1..].iter().enumerate();
        let of = beyond.flat_map(|(n, s)| s.statement.segments.iter().map(move |g| lost("segment_unnamed", &g.key, size + 1 + n)));
        of.collect::<Vec<_>>()
    };
    let mut expected = unnamed(&m);
    assert!(expected.len() >= 4);
    m.row(
        "the end cut off, the segments left, no checkpoint",
        async |f| {
            cut(f, size, false);
            f.store.purge(&checkpoint_key(LOG), None);
        },
        expected.clone(),
    )
    .await;
    expected.push(rolled_back());
    m.row("the end cut off, the segments left", async |f| cut(f, size, false), expected).await;
    let replayed = async |f: &mut Forge| {
        cut(f, size, true);
        f.put(&checkpoint_key(LOG), f.seals[size - 1].checkpoint.clone()).await;
    };
    m.row_kept("an old copy of the log", replayed, vec![], vec![lost("rollback", seal_object(NEWEST), NEWEST)]).await;
    // A pointer may lag. It hides nothing while the seals are there.
    let pointer = async |f: &mut Forge| {
        f.put(&checkpoint_key(LOG), f.seals[99].checkpoint.clone()).await;
    };
    m.row_kept("an old checkpoint put back", pointer, vec![], vec![]).await;

    let again = async |f: &mut Forge, from: usize| {
        cut(f, from, true);
        let mut forked = f.copy();
        forked.seals.truncate(from);
        (forked.range, forked.previous) = (f.seals[from - 1].range_after(), Some(f.seals[from - 1].leaf()));
        for index in from..SEALS {
            forked.seal(&[], |s| s.counts.spans = u64::from(index == from)).await;
        }
        for tile in ["tile/0/000", "tile/0/001.p/64", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/64"] {
            forked.store.purge(&at(tile), None);
        }
        forked.publish().await;
        *f = forked;
    };
    let name = "history written anew from a seal on, with the same key";
    m.row_kept(name, async |f| again(f, RICH).await, vec![], vec![lost("fork", seal_object(NEWEST), NEWEST)]).await;
    let other = |f: &Forge| {
        let mut statement = f.seals[RICH].statement.clone();
        statement.counts.logs += 1;
        let mut at_place = f.copy();
        (at_place.range, at_place.previous) = (f.seals[RICH - 1].range_after(), Some(f.seals[RICH - 1].leaf()));
        at_place.sign(statement).to_bytes().unwrap()
    };
    let act = async |f: &mut Forge| {
        let forged = other(f);
        f.store.edit(&seal_at(RICH), None, |b| *b = forged);
    };
    // The seal itself is signed and extends what is before it: it breaks where the true ones go on.
    m.row("one seal signed anew by the log's own key", act, vec![lost("seal_chain", seal_object(RICH + 1), RICH + 1)]).await;
    let act = async |f: &mut Forge| {
        let forged = other(f);
        f.put(&seal_at(RICH), forged).await;
    };
    m.row("two signed seals of one index", act, vec![intact("fork", seal_object(RICH), RICH)]).await;
    m.end(8);
}

#[tokio::test]
async fn a_published_checkpoint_that_is_none() {
    let mut m = Matrix::new().await;
    let root = m.whole.range.root();
    let signer = || NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    let text = |m: &Matrix| m.whole.seals[NEWEST].checkpoint.clone();
    for (name, note) in [
        ("of another key", NoteSigner::new(ORIGIN, &[9; 32]).unwrap().checkpoint(TreeSize(SEALS as u64), root)),
        ("of another log", NoteSigner::new("spanseal.test/other", &[3; 32]).unwrap().checkpoint(TreeSize(SEALS as u64), root)),
        ("of another root, which the log's key signed", signer().checkpoint(TreeSize(SEALS as u64), RootHash(Hash([7; 32])))),
        ("of another root of an older size", signer().checkpoint(TreeSize(RICH as u64), root)),
        ("of an empty tree that is not empty", signer().checkpoint(TreeSize(0), root)),
        ("no note", "hello".to_owned()),
        ("a note cut off", text(&m).trim_end().to_owned()),
    ] {
        let act = async |f: &mut Forge| {
            f.put(&checkpoint_key(LOG), note).await;
        };
        m.row(name, act, vec![intact("checkpoint_invalid", "checkpoint", None)]).await;
    }
    let act = async |f: &mut Forge| {
        f.put(&checkpoint_key(LOG), vec![b'x'; 1 << 20]).await;
    };
    m.row("longer than any", act, vec![intact("checkpoint_invalid", "checkpoint", None)]).await;
    let act = async |f: &mut Forge| {
        f.put(&checkpoint_key(LOG), signer().checkpoint(TreeSize(999), root)).await;
    };
    m.row("of a larger tree, which the log's key signed", act, vec![lost("rollback", "checkpoint", None)]).await;
    // A pointer that the writer makes anew.
    m.row("none", async |f| f.store.purge(&checkpoint_key(LOG), None), vec![]).await;
    m.end(10);
}

/// A copy of a log.json over ours, or none.
#[tokio::test]
async fn log_json_swapped() {
    use spanseal::clock::UnixSeconds;
    use spanseal::tlog::seal_file::LogFile;
    let mut m = Matrix::new().await;
    let file = |origin: &str, seed: u8| {
        let key = NoteSigner::new(origin, &[seed; 32]).unwrap();
        let created = UnixSeconds(crate::support::forge::NOW);
        LogFile { origin: origin.into(), vkey: key.verifier().clone(), created }.to_bytes()
    };
    let wrong = || intact("log_file", "log.json", None);
    for (name, body, expected) in [
        ("with another key", file(ORIGIN, 9), vec![wrong()]),
        // It names another log, and another key than the one that signed the first seal.
        ("of another log", file("spanseal.test/other", 9), vec![wrong(), wrong()]),
        ("emptied", b"{}".to_vec(), vec![wrong()]),
    ] {
        m.row(name, async |f| f.store.edit(&log_key(LOG), None, |b| *b = body), expected).await;
    }
    m.row("removed", async |f| f.store.purge(&log_key(LOG), None), vec![wrong()]).await;
    let put = async |f: &mut Forge| {
        let body = file(ORIGIN, 9);
        f.store.put(&log_key(LOG), Bytes::from(body), Condition::Any, Some(lock())).await.unwrap();
    };
    m.row("another put over it", put, vec![intact("foreign_version", "log.json", None)]).await;
    m.end(5);
}
