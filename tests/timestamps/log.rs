//! Tokens beside the seals of a log, and in proofs.

use spanseal::clock::UnixSeconds;
use spanseal::timestamp::Roots;
use spanseal::tlog::Hash;
use spanseal::tlog::note::VerifierKey;
use spanseal::verify::{Bound, Bundle, Evidence, Options, Others, RecordAt, Report, Verdict, Wanted, check_with, prove_published, verify};
use spanseal::worm::{Locks, ObjectKey, below, seal_key, timestamp_name};

use crate::support::forge::{Forge, LOG, NOW, Segment, honest, kinds, lines, notes};
use crate::support::token::Authority;

/// `NOW` plus so many seconds, as a token writes it.
fn time(after: i64) -> String {
    UnixSeconds(NOW + after).to_string().replace(['-', ':', 'T'], "")
}

fn stamped(forge: &Forge, seal: usize) -> [u8; 32] {
    Hash::of(forge.seals[seal].checkpoint.as_bytes()).0
}

fn name(seal: usize, token: &[u8]) -> ObjectKey {
    below(LOG, &timestamp_name(u64::try_from(seal).unwrap(), &Hash::of(token).to_string()))
}

async fn keep(forge: &Forge, seal: usize, token: Vec<u8>) -> ObjectKey {
    let key = name(seal, &token);
    forge.put(&key, token).await;
    key
}

fn roots(authority: &Authority) -> Roots {
    Roots::from_pem(authority.root_pem.as_bytes()).unwrap()
}

async fn verified(forge: &Forge, tsa_roots: Roots) -> Report {
    verify(&forge.store, &Options { tsa_roots, ..forge.options() }).await
}

/// A sound token of a trusted authority says up to which seal, when and by whom; others say nothing, and nothing is wrong with them.
#[tokio::test]
async fn a_trusted_token_tells_when_the_log_was_there() {
    let (authority, stranger) = (Authority::honest(), Authority::honest());
    for locks in [Locks::Enforced, Locks::None] {
        let forge = honest(locks).await;
        keep(&forge, 1, authority.token(stamped(&forge, 1), &time(5))).await;
        keep(&forge, 2, authority.token(stamped(&forge, 2), &time(60))).await;
        keep(&forge, 2, authority.token(stamped(&forge, 2), &time(30))).await;
        keep(&forge, 3, stranger.token(stamped(&forge, 3), &time(70))).await;
        let report = verified(&forge, roots(&authority)).await;
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        let told = serde_json::to_value(&report.logs[0].timestamped).unwrap();
        let expected = serde_json::json!({"up_to": 3, "time": UnixSeconds(NOW + 30).to_string(),
            "accuracy": "not stated", "authority": "CN=forged authority"});
        assert_eq!(told, expected);
        let text = report.to_text();
        assert!(
            text.contains("the first 3 seals existed not later than 2027-01-15T08:00:30Z (accuracy not stated), by `CN=forged authority`"),
            "{text}"
        );
        assert!(notes(&report).contains(&"timestamp_unknown") && !notes(&report).contains(&"timestamp_unchecked"), "{text}");
        // Nobody is trusted: the verdict stands, and the tokens count for nothing.
        let report = verified(&forge, Roots::default()).await;
        assert_eq!((report.verdict, &report.logs[0].timestamped), (Verdict::Verified, &None), "{}", report.to_text());
        let note = report.notes.iter().find(|n| n.kind.as_str() == "timestamp_unchecked").unwrap();
        assert!(note.found.as_ref().unwrap().ends_with("and 3 further time stamps"), "{note:?}");
    }
}

/// Each false or disturbed token is a finding with its object and seal.
#[tokio::test]
async fn a_false_token_is_named() {
    let authority = Authority::honest();
    let of = async |seal: usize, token: Vec<u8>| {
        let forge = honest(Locks::Enforced).await;
        let key = keep(&forge, seal, token).await;
        (forge, key)
    };
    let forge = honest(Locks::Enforced).await;
    let (other, own) = (stamped(&forge, 0), stamped(&forge, 1));
    let good = authority.token(own, &time(5));
    let cases: [(&str, &str, usize, Vec<u8>); 6] = [
        ("over the checkpoint of another seal", "timestamp_foreign", 1, authority.token(other, &time(5))),
        ("over nothing of the log", "timestamp_foreign", 1, authority.token([9; 32], &time(5))),
        ("its digest is false", "timestamp_invalid", 1, authority.token_with(own, &time(5), |p| p.digest = Some(vec![0; 32]))),
        ("no token at all", "timestamp_foreign", 1, b"good morning".to_vec()),
        ("no token at all, behind the end", "timestamp_foreign", 9, b"good morning".to_vec()),
        ("of a seal that is not there", "timestamp_foreign", 4, authority.token(own, &time(5))),
    ];
    for (what, kind, seal, token) in cases {
        let (forge, key) = of(seal, token).await;
        let report = verified(&forge, roots(&authority)).await;
        assert_eq!(kinds(&report), [kind], "{what}: {}", report.to_text());
        let finding = &report.findings[0];
        assert_eq!((format!("{LOG}/{}", finding.object), finding.seal), (key.0, Some(u64::try_from(seal).unwrap())), "{what}");
        // Anybody can put it there, and whatever it is, nothing that was there is gone.
        assert_eq!(finding.evidence, Some(Evidence::Intact), "{what}");
        assert!(finding.found.as_ref().is_some_and(|found| found.contains("token") || found.contains("time stamp")), "{what}: {finding:?}");
    }
    // Changed bytes no longer fit the name, whoever is trusted; a newer version over it, a marker, a lifted lock.
    for offset in (0..good.len()).step_by(7) {
        let (forge, key) = of(1, good.clone()).await;
        forge.store.flip_byte(&key, None, offset);
        let report = verified(&forge, Roots::default()).await;
        assert_eq!(kinds(&report), ["timestamp_invalid"], "byte {offset}: {}", report.to_text());
    }
    let (forge, key) = of(1, good.clone()).await;
    forge.store.overwrite_foreign(&key, b"x".to_vec());
    assert_eq!(kinds(&verified(&forge, roots(&authority)).await), ["foreign_version"]);
    let (forge, key) = of(1, good.clone()).await;
    forge.store.delete(&key);
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!(kinds(&report), ["hidden"]);
    assert_eq!(report.logs[0].timestamped.as_ref().map(|t| t.up_to), Some(2));
    let (forge, key) = (honest(Locks::Enforced).await, name(1, &good));
    forge.store.overwrite_foreign(&key, good);
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!((kinds(&report), format!("{LOG}/{}", report.findings[0].object)), (vec!["lock_missing"], key.0), "{}", report.to_text());
}

/// A token that was put twice is one token; where nothing but a delete marker is left of it, that is said; and one whose seal does not stand
/// was not looked at, which is said as well.
#[tokio::test]
async fn what_became_of_a_token_is_told() {
    let authority = Authority::honest();
    let forge = honest(Locks::Enforced).await;
    let token = authority.token(stamped(&forge, 1), &time(5));
    let key = keep(&forge, 1, token.clone()).await;
    keep(&forge, 1, token).await;
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["duplicate"]), "{}", report.to_text());
    assert_eq!(report.logs[0].timestamped.as_ref().map(|t| t.up_to), Some(2));

    forge.store.purge(&key, None);
    forge.store.delete(&key);
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!(kinds(&report), ["hidden"], "{}", report.to_text());
    assert_eq!((report.findings[0].evidence, report.findings[0].seal), (Some(Evidence::Lost), Some(1)));
    assert_eq!(report.logs[0].timestamped, None);

    let forge = honest(Locks::Enforced).await;
    keep(&forge, 1, authority.token(stamped(&forge, 1), &time(5))).await;
    forge.store.flip_byte(&seal_key(LOG, 1), None, 0);
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!(kinds(&report), ["seal_broken"], "{}", report.to_text());
    let note = report.notes.iter().find(|n| n.object.starts_with("timestamps/0")).unwrap_or_else(|| panic!("{}", report.to_text()));
    assert_eq!((note.kind.as_str(), note.found.as_deref()), ("not_covered", Some("its seal does not stand")), "{note:?}");

    // Behind the end of the log nothing but a marker says nothing of it.
    let forge = honest(Locks::Enforced).await;
    let key = keep(&forge, 9, authority.token([9; 32], &time(5))).await;
    assert_eq!(kinds(&verified(&forge, roots(&authority)).await), ["timestamp_foreign"]);
    forge.store.purge(&key, None);
    forge.store.delete(&key);
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!((kinds(&report), report.verdict), (vec![], Verdict::Unchecked), "{}", report.to_text());
    assert_eq!(verified(&forge, Roots::default()).await.verdict, Verdict::Verified);
}

/// Scenario: the token of a stranger, and one over it by somebody who is trusted. Guarantee: that the stranger's token was there says nothing of the
/// checkpoint under that trust, and no stamp of the checkpoint is told; many of a kind are one note, which counts them.
#[tokio::test]
async fn a_trusted_token_over_a_strangers_stamps_no_checkpoint() {
    let (authority, stranger) = (Authority::honest(), Authority::honest());
    let forge = honest(Locks::Enforced).await;
    let token = stranger.token(stamped(&forge, 2), &time(5));
    keep(&forge, 2, token.clone()).await;
    let by_stranger = Some("by `CN=forged authority`: a certificate on the way is not signed by the one that is named as its issuer");
    let report = verified(&forge, roots(&authority)).await;
    let note = report.notes.iter().find(|n| n.kind.as_str() == "timestamp_unknown").unwrap();
    assert_eq!((note.found.as_deref(), note.seal), (by_stranger, Some(2)), "{}", report.to_text());
    keep(&forge, 2, authority.token(Hash::of(&token).0, &time(60))).await;
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!((report.verdict, &report.logs[0].timestamped), (Verdict::Unchecked, &None), "{}", report.to_text());
    keep(&forge, 2, stranger.token(stamped(&forge, 2), &time(6))).await;
    let report = verified(&forge, roots(&authority)).await;
    let note = report.notes.iter().find(|n| n.kind.as_str() == "timestamp_unknown").unwrap();
    assert_eq!(note.found, by_stranger.map(|by| format!("{by}, and 1 further time stamps")), "{}", report.to_text());
}

/// Scenario: a DELETE over a token, before the date of its lock and after. Guarantee: after it that is housekeeping, as of everything else.
#[tokio::test]
async fn a_token_may_be_hidden_after_its_date() {
    let authority = Authority::honest();
    let forge = honest(Locks::Enforced).await;
    let key = keep(&forge, 1, authority.token(stamped(&forge, 1), &time(5))).await;
    forge.store.delete(&key);
    for (after, found, note) in [(86_400 * 180 - 1, vec!["hidden"], None), (86_400 * 180, vec![], Some("marker_past_date"))] {
        let options = Options { tsa_roots: roots(&authority), now: UnixSeconds(NOW + after), ..forge.options() };
        let report = verify(&forge.store, &options).await;
        assert_eq!(kinds(&report), found, "{after}: {}", report.to_text());
        assert!(note.is_none_or(|note| notes(&report).contains(&note)), "{after}: {}", report.to_text());
    }
}

/// Scenario: beside a seal lies a token over something else, and the next stamped checkpoint is a later seal's. Guarantee: the proof takes that one:
/// tokens are told apart by the seal that they lie beside.
#[tokio::test]
async fn a_stray_token_does_not_hide_a_later_one() {
    let authority = Authority::honest();
    let forge = long(5).await;
    keep(&forge, 2, authority.token([9; 32], &time(40))).await;
    keep(&forge, 4, authority.token(stamped(&forge, 4), &time(41))).await;
    let bundle = bundle(&forge, 1).await;
    assert_eq!((&bundle.checkpoint, bundle.timestamps.len()), (&forge.seals[4].checkpoint, 1));
    // Further tokens of the log's end, and what is no token's name, change nothing.
    forge.put(&below(LOG, "timestamps/notes.txt"), "x").await;
    assert_eq!(self::bundle(&forge, 1).await, bundle);
}

/// Scenario: roots are brought, and no token counts: there is none, or only those of others. Guarantee: neither `verify` nor `check` says that all
/// is well, and both say why; who brings no roots is not asked for any.
#[tokio::test]
async fn a_time_stamp_that_was_asked_for_and_is_not_there_is_told() {
    let (authority, stranger) = (Authority::honest(), Authority::honest());
    let now = UnixSeconds(NOW + 100);
    let others = Others { tsa_roots: roots(&authority), ..Others::default() };
    for strangers in 0..3 {
        let forge = honest(Locks::Enforced).await;
        for n in 0..strangers {
            keep(&forge, 2, stranger.token(stamped(&forge, 2), &time(5 + n))).await;
        }
        let (of_log, of_proof) = match strangers {
            0 => ("in the seals that were read there is none", "the proof holds none."),
            1 => ("the only one in the seals that were read leads to none of these roots", "the one in it does not count (see below)."),
            _ => ("of the 2 in the seals that were read none leads to these roots", "of the 2 in it none counts (see below)."),
        };
        let report = verified(&forge, roots(&authority)).await;
        assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
        assert!(report.to_text().contains(of_log), "{}", report.to_text());
        // Of a range that cannot be known, and is said.
        for (from, to) in [(Some(1), None), (None, Some(2))] {
            let range = Options { from: from.map(Bound::Seal), to: to.map(Bound::Seal), tsa_roots: roots(&authority), ..forge.options() };
            let report = verify(&forge.store, &range).await;
            let told = report.notes.iter().any(|n| n.kind.as_str() == "not_covered" && n.meaning.contains("No time stamp by an authority"));
            assert!(report.verdict == Verdict::Verified && told, "{}", report.to_text());
        }
        let bundle = bundle(&forge, 2).await;
        let report = check_with(&bundle.to_bytes(), key(&forge), &others, now);
        let part =
            format!("UNCHECKED: this record was sealed and signed, but no time stamp by an authority that you trust is on it: {of_proof}");
        assert!(report.verdict == Verdict::Unchecked && report.to_text().starts_with(&part), "{}", report.to_text());
        assert_eq!(verified(&forge, Roots::default()).await.verdict, Verdict::Verified);
        assert_eq!(check_with(&bundle.to_bytes(), key(&forge), &Others::default(), now).verdict, Verdict::Verified);
        keep(&forge, 2, authority.token(stamped(&forge, 2), &time(50))).await;
        assert_eq!(verified(&forge, roots(&authority)).await.verdict, Verdict::Verified);
    }
}

/// Whoever can write here can put any number of objects beside a seal: the first are looked at, and that there are more is one finding.
#[tokio::test]
async fn planted_tokens_are_bounded() {
    let forge = honest(Locks::Enforced).await;
    for n in 0..258 {
        keep(&forge, 2, format!("planted {n}").into_bytes()).await;
    }
    let report = verified(&forge, Roots::default()).await;
    let flooded: Vec<_> = report.findings.iter().filter(|f| f.kind.as_str() == "flooded").collect();
    assert_eq!(flooded.len(), 1, "{}", report.to_text());
    assert_eq!((flooded[0].seal, flooded[0].found.as_deref()), (Some(2), Some("2 further objects")));
    assert_eq!(kinds(&report).len(), 257);
}

/// The clock was set back, or ran ahead: a seal says that it closed after an authority had seen it. Five minutes are forgiven.
#[tokio::test]
async fn a_token_from_before_its_seal_is_found() {
    let authority = Authority::honest();
    for (before, expected) in [(300, vec![]), (301, vec!["timestamp_early"])] {
        let forge = honest(Locks::Enforced).await;
        keep(&forge, 2, authority.token(stamped(&forge, 2), &time(2 - before))).await;
        let report = verified(&forge, roots(&authority)).await;
        assert_eq!(kinds(&report), expected, "{before}: {}", report.to_text());
        assert_eq!(report.logs[0].timestamped.is_some(), expected.is_empty());
    }
    // An accuracy is what the authority's clock may be off.
    let forge = honest(Locks::Enforced).await;
    let inaccurate = authority.token_with(stamped(&forge, 2), &time(2 - 301), |p| p.info.push(vec![0x30, 3, 2, 1, 1]));
    keep(&forge, 2, inaccurate).await;
    let report = verified(&forge, roots(&authority)).await;
    assert_eq!(kinds(&report), Vec::<&str>::new());
    let text = report.to_text();
    assert!(text.contains("existed not later than 2027-01-15T07:55:02Z, by `CN") && !text.contains("not stated"), "{text}");
    assert_eq!(serde_json::to_value(&report.logs[0].timestamped).unwrap()["accuracy"], "1s");
}

/// Scenario: certificates ended since, and a further authority stamped the token itself, before or after that. Guarantee: what ended
/// is told and no finding, and a renewal in time holds on.
#[tokio::test]
async fn a_renewal_in_time_holds_a_token() {
    let ended = Authority::new(|p| p.not_after = rcgen::date_time_ymd(2027, 1, 16));
    let later = Authority::honest();
    let now = UnixSeconds(NOW + 5 * 86_400);
    let stranger = Authority::honest();
    for (renewed, by, expected) in
        [(None, &later, true), (Some(3600), &later, false), (Some(2 * 86_400), &later, true), (Some(3600), &stranger, true)]
    {
        let forge = honest(Locks::Enforced).await;
        let token = ended.token(stamped(&forge, 2), &time(60));
        keep(&forge, 2, token.clone()).await;
        if let Some(after) = renewed {
            keep(&forge, 2, by.token(Hash::of(&token).0, &time(after))).await;
        }
        let mut trusted = roots(&ended);
        trusted.join(roots(&later));
        let report = verify(&forge.store, &Options { tsa_roots: trusted.clone(), now, ..forge.options() }).await;
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        assert_eq!(notes(&report).contains(&"timestamp_expired"), expected, "{renewed:?}: {}", report.to_text());
        // The renewal is no time of the checkpoint.
        assert_eq!(report.logs[0].timestamped.as_ref().map(|t| t.time), Some(UnixSeconds(NOW + 60)));
        let bundle = bundle(&forge, 1).await;
        assert_eq!(bundle.timestamps.len(), 1 + usize::from(renewed.is_some()));
        let others = Others { tsa_roots: trusted, ..Others::default() };
        let proved = bundle.check_with(key(&forge), &others, now).unwrap();
        assert_eq!(proved.stamps.trusted.len(), 1);
        assert_eq!(proved.stamps.trusted[0].held_until <= now, expected);
        let told = check_with(&bundle.to_bytes(), key(&forge), &others, now).to_text();
        assert_eq!(told.contains("its certificates ended on 2027-01-16T00:00:00Z"), expected, "{told}");
    }
}

/// A token that is dated after now, however long. Guarantee: `verify` and `check` say that its date says nothing.
#[tokio::test]
async fn a_token_of_a_time_to_come_is_told() {
    let authority = Authority::honest();
    for (after, told) in [(300, false), (301, true), (86_400 * 3650, true)] {
        let forge = honest(Locks::Enforced).await;
        keep(&forge, 2, authority.token(stamped(&forge, 2), &time(after))).await;
        let now = UnixSeconds(NOW);
        let report = verify(&forge.store, &Options { tsa_roots: roots(&authority), now, ..forge.options() }).await;
        assert_eq!(notes(&report).contains(&"timestamp_ahead"), told, "{}", report.to_text());
        let others = Others { tsa_roots: roots(&authority), ..Others::default() };
        let text = check_with(&bundle(&forge, 1).await.to_bytes(), key(&forge), &others, now).to_text();
        assert_eq!(text.contains("The time stamp is dated after now"), told, "{text}");
    }
}

fn key(forge: &Forge) -> &VerifierKey {
    forge.signer.verifier()
}

/// A log of so many seals, each with a record of its own.
async fn long(seals: u64) -> Forge {
    let mut forge = Forge::new(Locks::Enforced).await;
    for seal in 0..seals {
        forge.seal(&[Segment::of("standard", lines(seal * 2, 2))], |_| {}).await;
    }
    forge
}

/// A proof of the first record of a seal.
async fn bundle(forge: &Forge, seal: usize) -> Bundle {
    // In seal 1 of an honest log nothing lies.
    let seal = if forge.seals[seal].statement.segments.is_empty() { seal - 1 } else { seal };
    let statement = &forge.seals[seal].statement;
    let segment = statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: statement.index, segment, leaf_index: 0, rotations: vec![] };
    prove_published(&forge.store, LOG, &[], (key(forge), &Wanted::default()), &at).await.unwrap().bundle
}

/// From every seal to every stamped one behind it: the proof holds, and says that the record existed by then, and not that it was published: an
/// authority gets one hash and shows it to nobody. Without a token behind it, it is of the seal's own checkpoint.
#[tokio::test]
async fn a_proof_reaches_the_next_stamped_checkpoint() {
    let authority = Authority::honest();
    let others = Others { tsa_roots: roots(&authority), ..Others::default() };
    let forge = long(21).await;
    let now = UnixSeconds(NOW + 100);
    let mut stamps = vec![];
    for stamp in (0..21_usize).rev() {
        keep(&forge, stamp, authority.token(stamped(&forge, stamp), &time(40))).await;
        stamps.push(stamp);
        for seal in 0..=stamp {
            let bundle = bundle(&forge, seal).await;
            let proved = bundle.check_with(key(&forge), &others, now).unwrap();
            assert!(!proved.is_published() && proved.stamps.trusted.len() == 1, "{seal} to {stamp}");
            assert_eq!(proved.tree_size, u64::try_from(stamp).unwrap() + 1);
            assert_eq!(bundle.checkpoint, forge.seals[stamp].checkpoint);
        }
    }
    let forge = long(3).await;
    keep(&forge, 1, authority.token(stamped(&forge, 1), &time(40))).await;
    let bundle = bundle(&forge, 2).await;
    let proved = bundle.check_with(key(&forge), &others, now).unwrap();
    assert!(!proved.is_published() && bundle.timestamps.is_empty() && proved.tree_size == 3);
}

/// A proof with a time stamp says who and when; what anybody could have put beside it, be it false, of a stranger or over something else, is told
/// and not counted, and never makes a good proof a bad one.
#[tokio::test]
async fn a_proof_tells_what_its_time_stamps_are_worth() {
    let (authority, stranger) = (Authority::honest(), Authority::honest());
    let others = Others { tsa_roots: roots(&authority), ..Others::default() };
    let forge = long(5).await;
    let now = UnixSeconds(NOW + 100);
    // Somebody's token over something else lies beside it: it is left out, not handed on.
    keep(&forge, 2, authority.token([9; 32], &time(40))).await;
    keep(&forge, 3, authority.token([9; 32], &time(40))).await;
    keep(&forge, 3, authority.token_with(stamped(&forge, 3), &time(40), |p| p.digest = Some(vec![0; 32]))).await;
    keep(&forge, 3, authority.token(stamped(&forge, 3), &time(40))).await;
    keep(&forge, 3, stranger.token(stamped(&forge, 3), &time(41))).await;
    let good = bundle(&forge, 1).await;
    assert_eq!(good.timestamps.len(), 2);
    let told = |bundle: &Bundle, others: &Others| check_with(&bundle.to_bytes(), key(&forge), others, now);
    let text = told(&good, &others).to_text();
    for part in [
        "VERIFIED: this record was sealed and signed, and existed by 2027-01-15T08:00:40Z.",
        "Not proved: that the log was published, or shown alike to everyone (that needs cosignatures",
        "existed    not later than 2027-01-15T08:00:40Z (accuracy not stated) by `CN=forged authority` (root `CN=forged root`)",
        "Not counted: a time stamp by `CN=forged authority`, which leads to no root that you brought: a certificate on the way is not signed by",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = told(&good, &Others::default()).to_text();
    assert!(
        text.contains("VERIFIED: this record was sealed and signed.") && text.contains("bring the root of its authority with --tsa-roots"),
        "{text}"
    );
    let refuse = |change: &dyn Fn(&mut Bundle), part: &str| {
        let mut bundle = good.clone();
        change(&mut bundle);
        let report = told(&bundle, &others);
        assert_eq!(report.verdict, Verdict::Findings, "{}", report.to_text());
        assert!(report.to_text().contains(part), "{part}: {}", report.to_text());
    };
    use base64::Engine;
    let encoded = |token: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(token);
    refuse(&|b| b.timestamps.push("not base64!".into()), "not base64");
    // What anybody could have put there counts for nothing.
    for stray in [
        b"no token".to_vec(),
        // Longer than a token is, and as long as the bytes are that are decoded at all.
        vec![0; 64 * 1024 + 1],
        vec![0; 200_000],
        authority.token([9; 32], &time(40)),
        authority.token_with(stamped(&forge, 3), &time(40), |p| p.digest = Some(vec![0; 32])),
        stranger.token([9; 32], &time(40)),
        authority.token_with(stamped(&forge, 3), &time(40), |p| p.named = vec![0; 32]),
    ] {
        let mut bundle = good.clone();
        bundle.timestamps.push(encoded(stray));
        let report = told(&bundle, &others);
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        assert_eq!(report.result.unwrap().stamps.uncounted.len(), 2);
    }
    // The tokens bind the very text of the checkpoint, signatures included.
    let mut other = good.clone();
    other.checkpoint.push_str("\u{2014} other AAAAAAAA\n");
    let report = told(&other, &others);
    let part = "UNCHECKED: this record was sealed and signed, but no time stamp by an authority that you trust is on it: of the 2 in it none counts";
    assert!(report.to_text().contains(part), "{}", report.to_text());
    assert!(report.to_text().contains("the token is over"), "{}", report.to_text());
    refuse(&|b| b.timestamps = vec![encoded(authority.token(stamped(&forge, 3), &time(-400)))], "timestamp_early");
}
