use super::*;
use crate::clock::{UnixNanos, UnixSeconds};
use crate::tlog::merkle::{CompactRange, inclusion_path, root_of};
use crate::tlog::note::NoteSigner;
use crate::tlog::seal_file::{Counts, SegmentRef};
use crate::verify::report::Verdict;
use crate::worm::{Lock, Mode, segment_name};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const CONTENT: &str = "Why was I refused?";

fn signer() -> NoteSigner {
    NoteSigner::new("spanseal.test/log", &[3; 32]).unwrap()
}

/// A record with a commitment, second of three in its segment, in the first seal of a log.
fn bundle(change: impl FnOnce(&mut Statement)) -> Bundle {
    let commitment = hex::encode(Sha256::digest([&[5; 32][..], CONTENT.as_bytes()].concat()));
    let document = Json::object([("content", Json::object([("commitment", Json::String(format!("salted-sha256:{commitment}")))]))]);
    let sent = Json::object([("captured", Json::string("vault")), ("commitment", Json::String(format!("salted-sha256:{commitment}")))]);
    let attributes = Json::object([("sent", sent)]);
    let record = Json::object([
        ("attributes", attributes),
        ("id", Json::string("r1")),
        ("retrieval", Json::object([("documents", Json::Array(vec![document]))])),
    ]);
    let record = record.to_jcs_string();
    let leaves = [leaf_hash(b"{}"), leaf_hash(record.as_bytes()), leaf_hash(b"[]")];
    let (sealed_at, sha256) = (NOW, Hash::of(b"segment"));
    let mut statement = Statement {
        log: "spanseal.test/log".into(),
        index: 0,
        sealed_at,
        started: sealed_at,
        previous: None,
        segments: vec![SegmentRef {
            key: segment_name("standard", sealed_at, 0, &sha256.to_string()),
            version_id: None,
            sha256,
            bytes: 10,
            records: 3,
            merkle_root: root_of(&leaves),
            class: "standard".into(),
            lock: Lock { mode: Mode::Compliance, retain_until: UnixSeconds(1_900_000_000) },
            first: UnixNanos(1),
            last: UnixNanos(2),
        }],
        counts: Counts::default(),
        config_sha256: Hash([0; 32]),
        next_by: None,
        next_vkey: None,
        not_worm: false,
        decrees: None,
    };
    change(&mut statement);
    let mut range = CompactRange::new();
    range.append(leaf_hash(&statement.entry()));
    Bundle {
        record,
        segment: Inclusion { index: LeafIndex(1), size: TreeSize(3), path: inclusion_path(LeafIndex(1), &leaves).unwrap() },
        statement: statement.to_json(),
        log: Inclusion { index: LeafIndex(0), size: TreeSize(1), path: vec![] },
        checkpoint: signer().checkpoint(range.size(), range.root()),
        cosignatures: vec![],
        timestamps: vec![],
        rotations: vec![],
        openings: vec![],
        unknown: Unknown::default(),
    }
}

fn checked(bundle: &Bundle) -> CheckReport {
    check(&bundle.to_bytes(), signer().verifier(), NOW)
}

#[test]
fn written_and_read_back() {
    let bundle = bundle(|_| {});
    assert_eq!(Bundle::parse(&bundle.to_bytes()).unwrap(), {
        let mut sorted = bundle.clone();
        sorted.statement = Json::parse(&bundle.statement.to_jcs()).unwrap();
        sorted
    });
    let report = checked(&bundle);
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert!(report.to_text().contains("Not proved: that the log was published"));
}

/// Signed by the log's own key, and refused all the same.
#[test]
fn a_signature_does_not_excuse_a_statement_that_does_not_fit() {
    for (what, bundle) in [
        ("another count", bundle(|s| s.segments[0].records = 4)),
        ("another root", bundle(|s| s.segments[0].merkle_root.0 = Hash([1; 32]))),
        (
            "another index",
            bundle(|s| {
                (s.index, s.previous) = (1, Some(crate::tlog::LeafHash(Hash([1; 32]))));
                s.segments[0].key = segment_name("standard", s.sealed_at, 1, &s.segments[0].sha256.to_string());
            }),
        ),
        ("another log", bundle(|s| s.log = "spanseal.test/other".into())),
        (
            "a key that did not sign",
            bundle(|s| {
                s.next_vkey = Some(NoteSigner::new("spanseal.test/log", &[4; 32]).unwrap().verifier().clone());
            }),
        ),
    ] {
        assert_eq!(checked(&bundle).verdict, Verdict::Findings, "{what}");
    }
}

/// The first leaf's path is hashed alike in trees of 3 and of 4 leaves: the size must be the signed one.
#[test]
fn the_tree_size_is_the_signed_one() {
    let mut bundle = bundle(|_| {});
    let leaves = [leaf_hash(&bundle.statement.to_jcs()), leaf_hash(b"1"), leaf_hash(b"2")];
    bundle.checkpoint = signer().checkpoint(TreeSize(3), root_of(&leaves));
    bundle.log = Inclusion { index: LeafIndex(0), size: TreeSize(3), path: inclusion_path(LeafIndex(0), &leaves).unwrap() };
    assert_eq!(checked(&bundle).verdict, Verdict::Verified);
    bundle.log.size = TreeSize(4);
    assert_eq!(checked(&bundle).verdict, Verdict::Findings);
}

/// A seal that announces a key of another log, or its own once more, does not stand (`store.md`, "The seal"), though both keys signed it.
#[test]
fn a_key_that_is_announced_is_a_new_one_of_the_same_origin() {
    let stranger = NoteSigner::new("spanseal.test/other", &[4; 32]).unwrap();
    let new = NoteSigner::new("spanseal.test/log", &[4; 32]).unwrap();
    for (next, verdict) in [(&new, Verdict::Verified), (&stranger, Verdict::Findings), (&signer(), Verdict::Findings)] {
        let mut bundle = bundle(|s| s.next_vkey = Some(next.verifier().clone()));
        let root = root_of(&[leaf_hash(&bundle.statement.to_jcs())]);
        let text = crate::tlog::note::checkpoint_text("spanseal.test/log", TreeSize(1), root);
        bundle.checkpoint = signer().checkpoint(TreeSize(1), root);
        if next.verifier() != signer().verifier() {
            bundle.checkpoint.push_str(&next.signature_line(&text));
        }
        assert_eq!(checked(&bundle).verdict, verdict, "{}", checked(&bundle).to_text());
    }
}

/// A log of six seals, and the proof of a record in its last one. `announce` says which seals announce the key of which seed; the first key is
/// that of seed 3, as for [`bundle`].
struct Rotated {
    statements: Vec<Statement>,
    leaves: Vec<crate::tlog::LeafHash>,
    bundle: Bundle,
}

fn seed(n: u8) -> NoteSigner {
    NoteSigner::new("spanseal.test/log", &[n; 32]).unwrap()
}

impl Rotated {
    fn new(announce: &[(u64, u8)]) -> Self {
        let made = |index: u64, previous: Option<crate::tlog::LeafHash>| {
            bundle(|s| {
                (s.index, s.previous) = (index, previous);
                s.segments[0].key = segment_name("standard", s.sealed_at, index, &s.segments[0].sha256.to_string());
                s.next_vkey = announce.iter().find(|(at, _)| *at == index).map(|(_, n)| seed(*n).verifier().clone());
            })
        };
        let (mut statements, mut leaves) = (Vec::<Statement>::new(), Vec::<crate::tlog::LeafHash>::new());
        for index in 0..6 {
            let statement = Statement::parse(&made(index, leaves.last().copied()).statement).unwrap();
            leaves.push(leaf_hash(&statement.entry()));
            statements.push(statement);
        }
        let last = made(5, leaves.get(4).copied());
        Rotated { statements, leaves, bundle: last }
    }

    /// The place of a seal in the tree of this size, and a checkpoint of that tree signed by these.
    fn place(&self, index: usize, size: usize, seeds: &[u8]) -> (Inclusion, String) {
        let leaves = &self.leaves[..size];
        let (at, size) = (LeafIndex(index as u64), TreeSize(size as u64));
        let text = crate::tlog::note::checkpoint_text("spanseal.test/log", size, root_of(leaves));
        let lines: String = seeds.iter().map(|n| seed(*n).signature_line(&text)).collect();
        (Inclusion { index: at, size, path: inclusion_path(at, leaves).unwrap() }, format!("{text}\n{lines}"))
    }

    fn rotation(&self, index: usize, size: usize, seeds: &[u8]) -> Rotation {
        let (log, checkpoint) = self.place(index, size, seeds);
        Rotation { statement: self.statements[index].to_json(), log, checkpoint }
    }

    /// The proof of the record of a seal over these changes, under a checkpoint of this size that this key signed.
    fn verdict(&self, index: usize, (size, signer): (usize, u8), rotations: Vec<Rotation>) -> Verdict {
        let (log, checkpoint) = self.place(index, size, &[signer]);
        let statement = self.statements[index].to_json();
        let report = checked(&Bundle { statement, log, checkpoint, rotations, ..self.bundle.clone() });
        assert!(report.verdict != Verdict::Verified || report.to_text().contains("announced change"), "{}", report.to_text());
        report.verdict
    }
}

/// Scenario: the log's own keys sign every checkpoint here. Guarantee: changes of key are followed in the order of the log, each at the seal that
/// announces it, and a key that was left signs nothing that comes after.
#[test]
fn changes_of_key_are_followed_in_the_order_of_the_log() {
    let log = Rotated::new(&[(1, 4), (3, 5)]);
    let (first, second) = (|| log.rotation(1, 2, &[3, 4]), || log.rotation(3, 4, &[4, 5]));
    for index in [0, 2, 5] {
        assert_eq!(log.verdict(index, (6, 5), vec![first(), second()]), Verdict::Verified, "seal {index}");
    }
    assert_eq!(log.verdict(2, (3, 4), vec![first()]), Verdict::Verified);
    for (what, at, rotations) in [
        ("one is left out", (6, 5), vec![second()]),
        ("swapped", (6, 5), vec![second(), first()]),
        ("one twice", (6, 4), vec![first(), first()]),
        ("the new key did not sign", (6, 5), vec![log.rotation(1, 2, &[3]), second()]),
        ("not the announcing seal's own checkpoint", (6, 5), vec![log.rotation(1, 3, &[3, 4]), second()]),
        ("a seal that announces nothing", (6, 5), vec![log.rotation(0, 1, &[3, 4]), second()]),
        ("a checkpoint from before the changes", (1, 5), vec![first(), second()]),
    ] {
        let index = if at.0 == 1 { 0 } else { 5 };
        assert_eq!(log.verdict(index, at, rotations), Verdict::Findings, "{what}");
    }
    // The second key was announced behind the third.
    let log = Rotated::new(&[(1, 5), (3, 4)]);
    let rotations = vec![log.rotation(3, 4, &[3, 4]), log.rotation(1, 2, &[4, 5])];
    assert_eq!(log.verdict(5, (6, 5), rotations), Verdict::Findings);
    // A key of another log, which its holder signed with as well.
    let mut log = Rotated::new(&[(1, 4)]);
    let stranger = NoteSigner::new("spanseal.test/other", &[4; 32]).unwrap();
    log.statements[1].next_vkey = Some(stranger.verifier().clone());
    log.leaves = log.statements.iter().map(|s| leaf_hash(&s.entry())).collect();
    assert_eq!(log.verdict(5, (6, 4), vec![log.rotation(1, 2, &[3, 4])]), Verdict::Findings);
}

/// Only the seal that announces a key is signed by both: a line of the new key under a later checkpoint of the old one is a stranger's, and
/// what the old key signed behind the seal that replaced it proves nothing of that seal.
#[test]
fn a_new_key_beside_a_later_checkpoint_is_not_verified_and_said() {
    let log = Rotated::new(&[(1, 4)]);
    for (index, size, verdict) in [(1, 2, Verdict::Verified), (0, 4, Verdict::Verified), (1, 4, Verdict::Findings)] {
        let (place, checkpoint) = log.place(index, size, &[3, 4]);
        let report = checked(&Bundle { statement: log.statements[index].to_json(), log: place, checkpoint, ..log.bundle.clone() });
        assert_eq!(report.verdict, verdict, "{}", report.to_text());
        assert_eq!(report.result.map_or(0, |proved| proved.cosignatures), usize::from(index == 0), "{size}");
    }
}

/// The log writes no extension lines, so a checkpoint with one is not its own, whoever signed it.
#[test]
fn a_checkpoint_with_extension_lines_is_refused() {
    let mut bundle = bundle(|_| {});
    let text = bundle.checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\nmore\n";
    bundle.checkpoint = format!("{text}\n{}", signer().signature_line(&text));
    let report = checked(&bundle);
    assert!(report.verdict == Verdict::Findings && report.to_text().contains("extension lines"), "{}", report.to_text());
}

#[test]
fn openings_are_checked_against_the_commitment() {
    let with = |member: &str, salt: &str, content: &str| {
        let mut bundle = bundle(|_| {});
        bundle.openings.push(Opening { member: member.into(), salt: salt.into(), content: content.into() });
        checked(&bundle)
    };
    let (member, salt) = ("retrieval.documents.0.content", "05".repeat(32));
    let report = with(member, &salt, CONTENT);
    assert_eq!(report.result.as_ref().unwrap().opened, [member], "{}", report.to_text());
    for (member, salt, content) in [
        (member, salt.as_str(), "Why was I refused!"),
        (member, &"06".repeat(32), CONTENT),
        (member, "0505", CONTENT),
        ("retrieval.documents.1.content", &salt, CONTENT),
        ("retrieval.documents", &salt, CONTENT),
        ("input", &salt, CONTENT),
        // A sender's attribute that looks like a content object.
        ("attributes.sent", &salt, CONTENT),
    ] {
        assert_eq!(with(member, salt, content).verdict, Verdict::Findings, "{member} {salt} {content}");
    }
    // Twice the same says no more, and hides which is meant.
    let mut bundle = bundle(|_| {});
    bundle.openings = vec![Opening { member: member.into(), salt: salt.clone(), content: CONTENT.into() }; 2];
    assert_eq!(checked(&bundle).verdict, Verdict::Findings);
    // Content never reaches a log.
    assert!(!format!("{:?}", Opening { member: member.into(), salt, content: CONTENT.into() }).contains("refused"));
}

/// Scenario: cosignatures and members that nobody verifies, wherever a bundle has room for them. Guarantee: each is counted or
/// named as not verified, and none changes what is proved.
#[test]
fn what_is_not_verified_is_said() {
    let mut bundle = bundle(|_| {});
    let line = NoteSigner::new("witness.test", &[8; 32]).unwrap().checkpoint(TreeSize(1), root_of(&[])).lines().last().unwrap().to_owned();
    bundle.cosignatures.push(line.clone());
    bundle.checkpoint.push_str(&format!("{line}\n"));
    bundle.openings.push(Opening { member: "retrieval.documents.0.content".into(), salt: "05".repeat(32), content: CONTENT.into() });
    let mut text = String::from_utf8(bundle.to_bytes()).unwrap();
    text.insert_str(1, "\"zone\":\"eu\",");
    let text = text.replacen("\"openings\":[{", "\"openings\":[{\"witnessed\":\"yes\",", 1);
    let report = check(text.as_bytes(), signer().verifier(), NOW);
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    for part in ["2 cosignatures in the bundle", "the bundle's member `zone`", "the bundle's member `openings.0.witnessed`"] {
        assert!(report.to_text().contains(&format!("Not verified: {part}")), "{part}: {}", report.to_text());
    }
    let proved = report.result.unwrap();
    assert_eq!((proved.cosignatures, proved.unknown.names.len()), (2, 2));
    bundle.cosignatures = vec!["no line".into()];
    assert_eq!(checked(&bundle).verdict, Verdict::Findings);
}

#[test]
fn limits_hold() {
    let mut long = bundle(|_| {});
    long.segment.path = vec![Hash([0; 32]); PATH_MAX + 1];
    assert_eq!(checked(&long).verdict, Verdict::Findings);
    let mut many = bundle(|_| {});
    many.cosignatures = vec![String::new(); LIST_MAX + 1];
    assert_eq!(checked(&many).verdict, Verdict::Findings);
    // A whole proof, and white space up to one byte more than is read.
    let mut padded = bundle(|_| {}).to_bytes();
    padded.resize(BUNDLE_BYTES_MAX + 1, b' ');
    assert_eq!(check(&padded, signer().verifier(), NOW).verdict, Verdict::Unchecked);
}

/// What is no bundle is neither proved nor refused: it may be the wrong file.
#[test]
fn what_is_no_proof_is_not_refused() {
    let whole = bundle(|_| {}).to_bytes();
    let cut_off = &whole[..whole.len() / 2];
    for no_proof in [&b""[..], b" \n", b"hello", b"[]", b"{}", b"{\"format\":1}", b"{\"format\":\"spanseal.log/1\"}", b"\xff", cut_off] {
        let report = check(no_proof, signer().verifier(), NOW);
        assert_eq!(report.verdict, Verdict::Unchecked, "{}", String::from_utf8_lossy(no_proof));
        assert!(report.to_text().starts_with("NOT A PROOF: "), "{}", report.to_text());
    }
    for (ours, verdict) in [("spanseal.proof/1", Verdict::Findings), ("spanseal.proof/2", Verdict::Unchecked)] {
        let report = check(format!("{{\"format\":\"{ours}\"}}").as_bytes(), signer().verifier(), NOW);
        assert_eq!(report.verdict, verdict, "{ours}: a bundle that lacks all else does not hold");
        assert!(!report.to_text().starts_with("NOT A PROOF"), "{}", report.to_text());
    }
}

/// Scenario: the log's own key signed a statement that cannot be true. Guarantee: the record is shown to be signed, and the verdict is not
/// `verified`; the member is named.
#[test]
fn what_cannot_be_true_is_a_finding() {
    type Change = fn(&mut Statement);
    let cases: [(&[&str], Change); 5] = [
        (&["started"], |s| s.started.0 += 1),
        (&["next_by"], |s| s.next_by = Some(UnixSeconds(NOW.0 - 1))),
        (&["counts"], |s| s.counts.rejected = 1),
        (&["sealed_at"], |s| {
            (s.sealed_at.0, s.started.0) = (NOW.0 + 301, NOW.0);
            s.segments[0].key = segment_name("standard", s.sealed_at, 0, &s.segments[0].sha256.to_string());
        }),
        (&[], |s| s.sealed_at.0 += 300),
    ];
    for (members, change) in cases {
        let report = checked(&bundle(change));
        let (text, proved) = (report.to_text(), report.result.unwrap());
        let doubted: Vec<&str> = proved.doubts.iter().map(|d| d.member).collect();
        assert_eq!(doubted, members, "{text}");
        let (verdict, word) = if members.is_empty() { (Verdict::Verified, "VERIFIED: ") } else { (Verdict::Findings, "FINDINGS: ") };
        assert!(report.verdict == verdict && text.starts_with(word), "{text}");
        assert_eq!(text.matches("Finding: ").count(), members.len(), "{text}");
    }
}

/// The same of the record: its form, and what its segment is said to hold.
#[test]
fn a_record_is_held_to_its_own_form_and_its_segment() {
    let with = |record: &str| {
        let mut bundle = bundle(|_| {});
        let leaves = [leaf_hash(record.as_bytes())];
        record.clone_into(&mut bundle.record);
        bundle.segment = Inclusion { index: LeafIndex(0), size: TreeSize(1), path: vec![] };
        let Ok(mut statement) = Statement::parse(&bundle.statement) else { panic!() };
        (statement.segments[0].records, statement.segments[0].merkle_root) = (1, root_of(&leaves));
        let mut range = CompactRange::new();
        range.append(leaf_hash(&statement.entry()));
        bundle.statement = statement.to_json();
        bundle.checkpoint = signer().checkpoint(range.size(), range.root());
        checked(&bundle)
    };
    let good = r#"{"id":"00112233445566778899aabbccddeeff","kind":"event","retention":{"class":"standard"},"schema":"spanseal.record/1","time":{"start":"1970-01-01T00:00:00.000000001Z"}}"#;
    assert_eq!(with(good).verdict, Verdict::Verified);
    for (from, to, member) in
        [("\"standard\"", "\"other\"", "retention.class"), ("000000001Z", "000000003Z", "time"), ("000000001Z", "000000000Z", "time")]
    {
        let report = with(&good.replacen(from, to, 1));
        assert_eq!(report.result.unwrap().doubts.iter().map(|d| d.member).collect::<Vec<_>>(), [member], "{to}");
        assert_eq!(report.verdict, Verdict::Findings);
    }
    // Received after it was sealed: five minutes are forgiven, as a step of the clock.
    for (seconds, doubted) in [(300, false), (301, true)] {
        let received = UnixSeconds(NOW.0 + seconds).to_string().replace('Z', ".000000000Z");
        let report = with(&good.replacen(r#"{"start""#, &format!(r#"{{"received":"{received}","start""#), 1));
        let members: Vec<&str> = report.result.as_ref().unwrap().doubts.iter().map(|d| d.member).collect();
        assert_eq!(members, if doubted { vec!["time.received"] } else { vec![] }, "{}", report.to_text());
    }
    for (from, to) in [
        ("\"event\"", r#""event","model":{"id":[]}"#),
        ("\"event\"", "7"),
        ("\"00112233445566778899aabbccddeeff\"", "[]"),
        ("\"standard\"", "true"),
    ] {
        let report = with(&good.replacen(from, to, 1));
        assert!(report.to_text().starts_with("REFUSED: ") && report.to_text().contains("record: "), "{to}: {}", report.to_text());
    }
    // Sealed and signed, and no record: no object, or longer than a line may be.
    for (no_record, why) in [("[]".to_owned(), "not a JSON object"), (format!("{{\"a\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX)), "at most")] {
        let report = with(&no_record);
        assert!(report.to_text().starts_with("REFUSED: ") && report.to_text().contains(why), "{}", report.to_text());
    }
    // What another schema means by them is not known.
    assert_eq!(with(&good.replacen("record/1", "record/2", 1).replacen("\"event\"", "7", 1)).verdict, Verdict::Verified);
}

/// A statement is objects, arrays and strings alone, also in members that this version does not know.
#[test]
fn a_statement_holds_no_numbers() {
    for (extra, verdict) in [
        (Json::string("1"), Verdict::Verified),
        (Json::Number(1.0), Verdict::Findings),
        (Json::Bool(true), Verdict::Findings),
        (Json::Null, Verdict::Findings),
    ] {
        let mut bundle = bundle(|_| {});
        let Json::Object(members) = &mut bundle.statement else { panic!() };
        members.push(("zone".into(), extra));
        let mut range = CompactRange::new();
        range.append(leaf_hash(&bundle.statement.to_jcs()));
        bundle.checkpoint = signer().checkpoint(range.size(), range.root());
        assert_eq!(checked(&bundle).verdict, verdict);
    }
}

/// Scenario: a record of content that was only named, by a reference that would move a terminal's cursor. Guarantee: the auditor hears where it
/// lay and whether it was fetched, and the terminal is left alone.
#[test]
fn content_that_was_only_named_is_said() {
    let record = Json::object([
        ("evidence", Json::object([("derived", Json::object([("input", Json::string("fallback:gen_ai.input.messages_ref"))]))])),
        ("input", Json::object([("captured", Json::string("hash")), ("reference", Json::string("s3://content/a"))])),
        ("output", Json::object([("captured", Json::string("by_reference")), ("reference", Json::string("s3://content/\u{1b}[2J"))])),
    ]);
    let named = referred(&record);
    let of = |member: &str| named.iter().find(|named| named.member == member).unwrap();
    assert_eq!((of("input").is_fetched, of("output").is_fetched, named.len()), (true, false, 2));
    let mut report = checked(&bundle(|_| {}));
    report.result.as_mut().unwrap().referred = named;
    let text = report.to_text();
    assert!(text.contains("`input`: kept by the application at s3://content/a; what the record holds was fetched"), "{text}");
    assert!(text.contains("not fetched when it was received, so the record does not say what it was"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

/// Scenario: a witness with a wrong clock, or one that lies. Guarantee: `check` says of the times which cannot be, as `verify` does; and the
/// log's own key is nobody's witness.
#[test]
fn a_witness_of_an_impossible_time_is_told() {
    use crate::tlog::cosignature::Cosigner;
    let witness = Cosigner::new("w.test/1", &[9; 32]).unwrap();
    let mut bundle = bundle(|_| {});
    let text = SignedNote::parse(&bundle.checkpoint).unwrap().text;
    let mut checked = |cosigner: &Cosigner, at: i64| {
        bundle.cosignatures = vec![cosigner.cosign(&text, UnixSeconds(at)).unwrap()];
        let others = Others { witnesses: vec![cosigner.public().clone()], ..Others::default() };
        check_with(&bundle.to_bytes(), signer().verifier(), &others, NOW)
    };
    for (at, doubt) in [
        (0, Some("before the log says")),
        (NOW.0 - 301, Some("before the log says")),
        (NOW.0 - 300, None),
        (NOW.0 + 300, None),
        (NOW.0 + 301, Some("dated after now")),
        (i64::MAX, Some("dated after now")),
    ] {
        let report = checked(&witness, at);
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        let told = report.result.as_ref().unwrap().seen[0].doubt;
        assert_eq!(told.is_some(), doubt.is_some(), "{at}");
        for said in ["before the log says", "dated after now"] {
            assert_eq!(report.to_text().contains(said), doubt == Some(said), "{at}: {}", report.to_text());
        }
    }
    let own = Cosigner::new("w.test/2", &[3; 32]).unwrap();
    let report = checked(&own, NOW.0);
    assert!(report.verdict == Verdict::Findings && report.to_text().contains("no witness of its own log"), "{}", report.to_text());
}

/// Scenario: somebody puts very many members into a bundle, or very long ones. Guarantee: the report names some and counts the rest.
#[test]
fn unknown_members_are_counted_and_not_repeated_without_end() {
    let Json::Object(mut members) = Json::parse(&bundle(|_| {}).to_bytes()).unwrap() else { panic!() };
    members.extend((0..5000).map(|n| (format!("{n:05}{}", "x".repeat(1000)), Json::string("1"))));
    let report = check(&Json::Object(members).to_jcs(), signer().verifier(), NOW);
    let unknown = &report.result.as_ref().unwrap().unknown;
    assert_eq!((unknown.names.len(), unknown.more, unknown.names[0].len()), (16, 4984, 123));
    let text = report.to_text();
    assert!(text.contains("Not verified: 4984 more members of that sort.") && text.len() < 10_000, "{text}");
    let long = check(format!(r#"{{"format":"spanseal.proof/{}"}}"#, "9".repeat(1_000_000)).as_bytes(), signer().verifier(), NOW);
    assert!(long.verdict == Verdict::Unchecked && long.to_text().len() < 400 && long.result.unwrap_err().to_string().len() < 300);
}

/// What a change of key holds besides what is known is named, too.
#[test]
fn what_is_not_known_in_a_change_of_key_is_named() {
    let log = Rotated::new(&[(1, 4), (3, 5)]);
    let (place, checkpoint) = log.place(5, 6, &[5]);
    let rotations = vec![log.rotation(1, 2, &[3, 4]), log.rotation(3, 4, &[4, 5])];
    let Json::Object(mut members) = Json::parse(&Bundle { log: place, checkpoint, rotations, ..log.bundle.clone() }.to_bytes()).unwrap()
    else {
        panic!()
    };
    let of = |members: &[(String, Json)]| check(&Json::Object(members.to_vec()).to_jcs(), signer().verifier(), NOW);
    assert_eq!(of(&members).result.unwrap().unknown, Unknown::default());
    let Some((_, Json::Array(rotations))) = members.iter_mut().find(|(name, _)| name == "rotations") else { panic!() };
    let Some(Json::Object(second)) = rotations.get_mut(1) else { panic!() };
    second.push(("zone".into(), Json::string("eu")));
    let report = of(&members);
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert!(report.to_text().contains("Not verified: the bundle's member `rotations.1.zone`"), "{}", report.to_text());
    assert_eq!(report.result.unwrap().unknown, Unknown { names: vec!["rotations.1.zone".into()], more: 0 });
}
