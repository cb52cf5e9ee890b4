//! What witnesses and time stamping authorities said of the log, taken away, altered, invented, and put where it does not belong. The log stands
//! without it, so each row says besides how far the two still reach for an auditor who brought their keys and roots.

use spanseal::clock::UnixSeconds;
use spanseal::timestamp::Roots;
use spanseal::tlog::cosignature::Cosigner;
use spanseal::tlog::note::{UnverifiedCheckpoint, checkpoint_text};
use spanseal::tlog::{Hash, RootHash, TreeSize};
use spanseal::verify::{Options, Report, verify};
use spanseal::worm::{Condition, Lock, Mode, WormStore, cosignature_name, timestamp_name};

use super::{Found, Matrix, RICH, assert_all, at, intact, lost, options};
use crate::support::forge::{Forge, NOW, ORIGIN, lock, notes};
use crate::support::token::Authority;

/// The older of the two seals whose checkpoints outsiders saw; the newer is [`RICH`].
const EARLY: usize = 100;
/// Behind the end of the log.
const BEYOND: usize = 400;
/// How far they reach in the log as it was written, and without what they said of the newer seal.
const BOTH: Option<u64> = Some(RICH as u64 + 1);
const OLDER: Option<u64> = Some(EARLY as u64 + 1);

fn witness(n: u8) -> Cosigner {
    Cosigner::new(&format!("w.test/{n}"), &[40 + n; 32]).unwrap()
}

fn text(forge: &Forge, seal: usize) -> String {
    UnverifiedCheckpoint::parse(&forge.seals[seal].checkpoint).unwrap().note.text
}

/// An object below the log.
type Object = (String, Vec<u8>);

/// What a witness says of a text, beside a seal.
fn cosignature(beside: usize, text: &str, by: &Cosigner, after: i64) -> Object {
    let line = by.cosign(text, UnixSeconds(NOW + after)).unwrap();
    noted(beside, format!("{text}\n{line}"))
}

fn noted(beside: usize, note: String) -> Object {
    (cosignature_name(beside as u64, &Hash::of(note.as_bytes()).to_string()), note.into_bytes())
}

fn own(forge: &Forge, seal: usize, by: u8) -> Object {
    cosignature(seal, &text(forge, seal), &witness(by), seal as i64 + 1)
}

fn token(beside: usize, token: Vec<u8>) -> Object {
    (timestamp_name(beside as u64, &Hash::of(&token).to_string()), token)
}

/// `NOW` plus so many seconds, as a token writes it.
fn time(after: i64) -> String {
    UnixSeconds(NOW + after).to_string().replace(['-', ':', 'T'], "")
}

fn stamped(forge: &Forge, seal: usize) -> [u8; 32] {
    Hash::of(forge.seals[seal].checkpoint.as_bytes()).0
}

async fn put(forge: &Forge, (name, bytes): &Object) {
    forge.put(&at(name), bytes.clone()).await;
}

/// The version that holds data, lock or no lock.
async fn purge_data(forge: &Forge, name: &str) {
    let versions = forge.store.versions(&at(name)).await.unwrap();
    let data = versions.iter().find(|v| !v.is_delete_marker).unwrap();
    forge.store.purge(&at(name), data.id.as_ref());
}

/// What an auditor still has of outsiders: tree sizes up to which both witnesses cosigned and the authority stamped, and a note that must
/// be there.
struct Reach {
    cosigned: Option<u64>,
    stamped: Option<u64>,
    note: Option<&'static str>,
}

const UNTOUCHED: Reach = Reach { cosigned: BOTH, stamped: BOTH, note: None };

/// The log, cosigned by two witnesses and stamped by one authority at two seals.
struct Outsiders {
    m: Matrix,
    authority: Authority,
    stranger: Authority,
    tokens: [Object; 2],
}

impl Outsiders {
    async fn new() -> Self {
        let (m, authority, stranger) = (Matrix::new().await, Authority::honest(), Authority::honest());
        let tokens = [EARLY, RICH].map(|seal| token(seal, authority.token(stamped(&m.whole, seal), &time(seal as i64 + 30))));
        Outsiders { m, authority, stranger, tokens }
    }

    /// Name of what witness `by` said of a seal.
    fn said(&self, seal: usize, by: u8) -> String {
        own(&self.m.whole, seal, by).0
    }

    /// Name of the token of a seal.
    fn token(&self, seal: usize) -> String {
        self.tokens[usize::from(seal == RICH)].0.clone()
    }

    async fn row(&mut self, name: &str, act: impl AsyncFnOnce(&mut Forge), expected: Vec<Found>, reach: Reach) -> Report {
        let mut forge = self.m.whole.copy();
        for seal in [EARLY, RICH] {
            put(&forge, &own(&forge, seal, 1)).await;
            put(&forge, &own(&forge, seal, 2)).await;
        }
        for token in &self.tokens {
            put(&forge, token).await;
        }
        act(&mut forge).await;
        let witnesses = [1, 2].map(|n| witness(n).public().clone()).to_vec();
        let tsa_roots = Roots::from_pem(self.authority.root_pem.as_bytes()).unwrap();
        // Soon enough that nobody has to have seen the newest seals yet: the first behind the older of the two is ten minutes old.
        let now = UnixSeconds(NOW + EARLY as i64 + 1 + 600);
        let report = verify(&forge.store, &Options { witnesses, tsa_roots, now, ..options(&forge) }).await;
        // What both witnesses and an authority are still to say is no fault of the log.
        let exit = if !expected.is_empty() { 1 } else { u8::from(reach.cosigned.is_none() || reach.stamped.is_none()) * 2 };
        assert_all(name, &report, expected, exit);
        let log = &report.logs[0];
        let cosigned = log.cosigned.as_ref().unwrap().up_to;
        let stamped = log.timestamped.as_ref().map(|stamped| stamped.up_to);
        assert_eq!((cosigned, stamped), (reach.cosigned, reach.stamped), "{name}: {}", report.to_text());
        assert!(reach.note.is_none_or(|note| notes(&report).contains(&note)), "{name}: {}", report.to_text());
        self.m.rows += 1;
        report
    }
}

#[tokio::test]
async fn what_witnesses_said() {
    let mut o = Outsiders::new().await;
    let report = o.row("untouched", async |_| {}, vec![], UNTOUCHED).await;
    assert!(report.notes.is_empty(), "{}", report.to_text());
    let (first, second) = (o.said(RICH, 1), o.said(RICH, 2));
    let earlier = [o.said(EARLY, 1), o.said(EARLY, 2)];

    // Removed.
    let older = || Reach { cosigned: OLDER, ..UNTOUCHED };
    let none = |note| Reach { cosigned: None, note, ..UNTOUCHED };
    o.row("the newest of one witness removed", async |f| f.store.purge(&at(&first), None), vec![], older()).await;
    let all = [&first, &earlier[0]];
    let act = async |f: &mut Forge| all.iter().for_each(|name| f.store.purge(&at(name), None));
    o.row("all of one witness removed", act, vec![], none(Some("unchecked"))).await;
    let act = async |f: &mut Forge| [&first, &second].iter().for_each(|name| f.store.purge(&at(name), None));
    o.row("the newest of both removed: a stale one is left", act, vec![], older()).await;
    let act = async |f: &mut Forge| drop(f.store.delete(&at(&first)));
    o.row("a DELETE", act, vec![intact("hidden", &first, RICH)], UNTOUCHED).await;
    let act = async |f: &mut Forge| {
        f.store.delete(&at(&first));
        purge_data(f, &first).await;
    };
    o.row("a DELETE, and nothing below it", act, vec![lost("cosignature_broken", &first, RICH)], older()).await;

    // Altered.
    for byte in [3, 150] {
        let act = async |f: &mut Forge| f.store.flip_byte(&at(&first), None, byte);
        o.row(&format!("byte {byte} flipped"), act, vec![lost("cosignature_broken", &first, RICH)], older()).await;
    }
    let act = async |f: &mut Forge| drop(f.store.overwrite_foreign(&at(&first), b"x".to_vec()));
    o.row("a newer version over it", act, vec![intact("foreign_version", &first, RICH)], UNTOUCHED).await;
    for (name, kind, set) in [
        ("its lock removed", "lock_missing", None),
        ("its lock weakened", "lock_weak", Some(Lock { mode: Mode::Governance, ..lock() })),
        ("its lock shortened", "lock_weak", Some(Lock { retain_until: UnixSeconds(NOW + 86_400), ..lock() })),
    ] {
        let act = async |f: &mut Forge| f.store.relock(&at(&first), set);
        o.row(name, act, vec![intact(kind, &first, RICH)], UNTOUCHED).await;
    }

    // From an unknown witness.
    let (stranger, namesake) = (witness(9), Cosigner::new("w.test/1", &[77; 32]).unwrap());
    let unknown = |cosigned| Reach { cosigned, note: Some("cosignature_unknown"), ..UNTOUCHED };
    for (name, by) in [("a stranger's beside", &stranger), ("a stranger's under the name of a witness", &namesake)] {
        let theirs = cosignature(RICH, &text(&o.m.whole, RICH), by, 300);
        o.row(name, async |f| put(f, &theirs).await, vec![], unknown(BOTH)).await;
        let act = async |f: &mut Forge| {
            all.iter().for_each(|name| f.store.purge(&at(name), None));
            put(f, &theirs).await;
        };
        o.row(&format!("{name}, in place of a witness's"), act, vec![], unknown(None)).await;
    }
    let line = witness(1).cosign(&text(&o.m.whole, EARLY), UnixSeconds(NOW + 300)).unwrap();
    let made_up = noted(RICH, format!("{}\n{line}", text(&o.m.whole, RICH)));
    let expected = vec![intact("cosignature_broken", &made_up.0, RICH)];
    o.row("a line of a witness that it made over another seal", async |f| put(f, &made_up).await, expected, UNTOUCHED).await;
    let junk = noted(RICH, "no note at all".to_owned());
    let expected = vec![intact("cosignature_foreign", &junk.0, RICH)];
    o.row("no cosignature at all", async |f| put(f, &junk).await, expected, UNTOUCHED).await;

    // Stale, of another tree, and of another log.
    let stale = cosignature(RICH, &text(&o.m.whole, EARLY), &witness(1), 300);
    let expected = vec![intact("cosignature_foreign", &stale.0, RICH)];
    o.row("that of an older seal beside a newer one", async |f| put(f, &stale).await, expected, UNTOUCHED).await;
    let other = checkpoint_text(ORIGIN, TreeSize(RICH as u64 + 1), RootHash(Hash([9; 32])));
    let fork = cosignature(RICH, &other, &witness(1), 300);
    let expected = vec![lost("fork", &fork.0, RICH)];
    o.row("of another tree of the same size", async |f| put(f, &fork).await, expected, UNTOUCHED).await;
    let theirs = cosignature(RICH, &other, &stranger, 300);
    let expected = vec![intact("cosignature_foreign", &theirs.0, RICH)];
    o.row("of another tree, by a stranger", async |f| put(f, &theirs).await, expected, UNTOUCHED).await;
    let elsewhere = text(&o.m.whole, RICH).replace(ORIGIN, "spanseal.test/other");
    let foreign = cosignature(RICH, &elsewhere, &witness(1), 300);
    let expected = vec![intact("cosignature_foreign", &foreign.0, RICH)];
    o.row("of another log", async |f| put(f, &foreign).await, expected, UNTOUCHED).await;
    let longer = checkpoint_text(ORIGIN, TreeSize(BEYOND as u64 + 1), RootHash(Hash([9; 32])));
    for (name, by, expected) in [("a witness", witness(1), true), ("a stranger", witness(9), false)] {
        let seen = cosignature(BEYOND, &longer, &by, 300);
        let expected = if expected { lost("rollback", &seen.0, BEYOND) } else { intact("cosignature_foreign", &seen.0, BEYOND) };
        o.row(&format!("of a longer log, by {name}"), async |f| put(f, &seen).await, vec![expected], UNTOUCHED).await;
    }
    for (name, after) in [("long before its seal", -1000), ("long after now", 5000)] {
        let dated = cosignature(RICH, &text(&o.m.whole, RICH), &witness(1), after);
        let reach = Reach { note: Some("cosigned_time"), ..UNTOUCHED };
        o.row(&format!("dated {name}"), async |f| put(f, &dated).await, vec![], reach).await;
    }
    o.m.end(26);
}

#[tokio::test]
async fn what_authorities_stamped() {
    let mut o = Outsiders::new().await;
    let (newest, earlier) = (o.token(RICH), o.token(EARLY));
    let (of_rich, of_early) = (stamped(&o.m.whole, RICH), stamped(&o.m.whole, EARLY));
    let reach = |stamped| Reach { stamped, ..UNTOUCHED };

    // Removed.
    o.row("the newest removed", async |f| f.store.purge(&at(&newest), None), vec![], reach(OLDER)).await;
    let act = async |f: &mut Forge| [&newest, &earlier].iter().for_each(|name| f.store.purge(&at(name), None));
    o.row("all removed", act, vec![], reach(None)).await;
    let act = async |f: &mut Forge| drop(f.store.delete(&at(&newest)));
    o.row("a DELETE", act, vec![intact("hidden", &newest, RICH)], UNTOUCHED).await;
    let act = async |f: &mut Forge| {
        f.store.delete(&at(&newest));
        purge_data(f, &newest).await;
    };
    o.row("a DELETE, and nothing below it", act, vec![lost("hidden", &newest, RICH)], reach(OLDER)).await;

    // Altered.
    for byte in [0, 100, 500] {
        let act = async |f: &mut Forge| f.store.flip_byte(&at(&newest), None, byte);
        o.row(&format!("byte {byte} flipped"), act, vec![lost("timestamp_invalid", &newest, RICH)], reach(OLDER)).await;
    }
    let act = async |f: &mut Forge| drop(f.store.overwrite_foreign(&at(&newest), b"x".to_vec()));
    o.row("a newer version over it", act, vec![intact("foreign_version", &newest, RICH)], UNTOUCHED).await;
    for (name, kind, set) in [
        ("its lock removed", "lock_missing", None),
        ("its lock weakened", "lock_weak", Some(Lock { mode: Mode::Governance, ..lock() })),
        ("its lock shortened", "lock_weak", Some(Lock { retain_until: UnixSeconds(NOW + 86_400), ..lock() })),
    ] {
        let act = async |f: &mut Forge| f.store.relock(&at(&newest), set);
        o.row(name, act, vec![intact(kind, &newest, RICH)], UNTOUCHED).await;
    }

    // Over something else.
    let at_time = time(RICH as i64 + 60);
    let taken_along = token(RICH, o.tokens[0].1.clone());
    let expected = vec![intact("timestamp_foreign", &taken_along.0, RICH)];
    o.row("the token of an older seal beside a newer one", async |f| put(f, &taken_along).await, expected, UNTOUCHED).await;
    let over_next = token(EARLY, o.authority.token(of_rich, &at_time));
    let expected = vec![intact("timestamp_foreign", &over_next.0, EARLY)];
    o.row("a token over a newer seal beside an older one", async |f| put(f, &over_next).await, expected, UNTOUCHED).await;
    let over_nothing = token(RICH, o.authority.token([9; 32], &at_time));
    let expected = vec![intact("timestamp_foreign", &over_nothing.0, RICH)];
    o.row("a token over nothing of the log", async |f| put(f, &over_nothing).await, expected, UNTOUCHED).await;
    let beyond = token(BEYOND, o.authority.token(of_rich, &at_time));
    let expected = vec![intact("timestamp_foreign", &beyond.0, BEYOND)];
    o.row("a token of a seal that is not there", async |f| put(f, &beyond).await, expected, UNTOUCHED).await;

    // Of nobody whom the auditor trusts, unsound, and at a time that cannot be.
    let strange = token(RICH, o.stranger.token(of_rich, &at_time));
    let unknown = |stamped| Reach { stamped, note: Some("timestamp_unknown"), ..UNTOUCHED };
    o.row("a foreign authority's beside", async |f| put(f, &strange).await, vec![], unknown(BOTH)).await;
    let act = async |f: &mut Forge| {
        [&newest, &earlier].iter().for_each(|name| f.store.purge(&at(name), None));
        put(f, &strange).await;
    };
    o.row("a foreign authority's alone", act, vec![], unknown(None)).await;
    let unsound = token(RICH, o.authority.token_with(of_rich, &at_time, |parts| parts.digest = Some(vec![0; 32])));
    let expected = vec![intact("timestamp_invalid", &unsound.0, RICH)];
    o.row("a token whose digest is false", async |f| put(f, &unsound).await, expected, UNTOUCHED).await;
    let junk = token(RICH, b"no token at all".to_vec());
    let expected = vec![intact("timestamp_foreign", &junk.0, RICH)];
    o.row("no token at all", async |f| put(f, &junk).await, expected, UNTOUCHED).await;
    let early = token(RICH, o.authority.token(of_rich, &time(RICH as i64 - 301)));
    let expected = vec![intact("timestamp_early", &early.0, RICH)];
    o.row("a token from before its seal", async |f| put(f, &early).await, expected, UNTOUCHED).await;
    let renewal = token(EARLY, o.authority.token(Hash::of(&o.tokens[0].1).0, &at_time));
    o.row("a renewal, which is none of these", async |f| put(f, &renewal).await, vec![], UNTOUCHED).await;
    let unlocked = token(EARLY, o.authority.token(of_early, &at_time));
    let act = async |f: &mut Forge| {
        f.store.put(&at(&unlocked.0), unlocked.1.clone().into(), Condition::CreateOnly, Some(lock())).await.unwrap();
        f.store.relock(&at(&unlocked.0), None);
    };
    o.row("a sound one that is not locked", act, vec![intact("lock_missing", &unlocked.0, EARLY)], UNTOUCHED).await;
    o.m.end(22);
}
