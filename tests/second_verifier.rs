//! Promise: somebody who trusts none of our code can write a verifier from the format document (`src/format.rs`) alone, and it says what ours
//! says. `tests/verifier/verify.py` is that verifier; the stores of `tamper` go to it too (`support::second`).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spanseal::clock::UnixSeconds;
use spanseal::tlog::cosignature::WitnessKey;
use spanseal::tlog::note::{NoteSigner, VerifierKey};
use spanseal::tlog::{Hash, TreeSize};
use spanseal::verify::{Bundle, Opening, Options, Others, RecordAt, Verdict, check_with, prove};
use spanseal::worm::local::{LocalOptions, LocalStore};
use spanseal::worm::{
    ENTRY_BYTES_MAX, LINE_BYTES_MAX, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_DECODED_MAX, SEGMENT_WINDOW_MAX, SMALL_BYTES_MAX,
    VERSIONS_READ_MAX,
};

use crate::golden::{VKEY, folder};
use crate::support::forge::{Forge, LOG, NOW, Segment, lines};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::Site;
use crate::support::second::{ask, check, in_folder, same, verify};
use crate::tamper::{sample, sample_options};

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The whole sample log by other hands, under its key and under another.
#[tokio::test]
async fn it_accepts_the_sample_log_and_no_other_key() {
    let now = UnixSeconds::parse("2026-11-21T00:00:00Z").unwrap();
    let other = NoteSigner::new("spanseal.example/vectors", &[1; 32]).unwrap().verifier().to_string();
    for (key, verdict) in [(VKEY, "verified"), (&other, "findings")] {
        let options = Options { pinned: vec![VerifierKey::parse(key).unwrap()], ..Options::new(now) };
        let ours = spanseal::verify::verify(&LocalStore::open(folder().join("store"), LocalOptions::default()).unwrap(), &options).await;
        let Some(theirs) = in_folder(&folder().join("store"), key, now) else { return };
        same(&ours, &theirs);
        assert_eq!(theirs["verdict"], verdict, "{theirs:#}");
    }
}

/// A bit of every 97th byte of every seal, of `log.json`, of the checkpoint and the tiles: it says of each what ours says.
#[tokio::test]
async fn it_accepts_no_flipped_byte() {
    let store = sample().await;
    for key in store.keys().into_iter().filter(|k| !k.as_str().contains("/segments/")) {
        let length = spanseal::worm::WormStore::get(&store, &key, None, u64::MAX).await.unwrap().unwrap().len();
        for offset in (0..length).step_by(97) {
            store.flip_byte(&key, None, offset);
            let report = verify(&store, &sample_options()).await;
            assert_eq!(report.verdict, Verdict::Findings, "{key} byte {offset}: {}", report.to_text());
            store.flip_byte(&key, None, offset);
        }
    }
}

const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"TRACE","spanId":"00f067aa0ba902b7","name":"chat","kind":3,"startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000001000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.input.messages","value":{"stringValue":"[]"}}]}]}]}]}"#;

/// A log that the program wrote in two runs, and a proof of each record, with its content opened.
#[test]
fn it_accepts_what_the_program_writes() {
    let site = Site::local();
    for run in 0..2 {
        let receiver = site.serve();
        for n in 0..3 {
            let body = SPAN.replace("TRACE", &format!("{:032x}", 1 + run * 3 + n));
            let headers = vec![("content-type", "application/json")];
            let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
            let (status, answer) = http(receiver.http, &request).unwrap();
            assert_eq!((status, answer.promoted()), (200, 1));
        }
        receiver.stop();
    }
    site.verified();
    let log = std::fs::read_dir(site.path("store")).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("log.json").exists()).unwrap();
    let file: Value = serde_json::from_slice(&std::fs::read(log.join("log.json")).unwrap()).unwrap();
    let key = file["vkey"].as_str().unwrap();
    let now = "2100-01-01T00:00:00Z";
    let Some(theirs) = in_folder(&site.path("store"), key, UnixSeconds::parse(now).unwrap()) else { return };
    assert_eq!((&theirs["verdict"], theirs["findings"].as_array().unwrap().len()), (&json!("verified"), 0), "{theirs:#}");
    let (mut proved, mut opened) = (0, 0);
    for line in site.sealed_lines() {
        let record: Value = serde_json::from_str(&line).unwrap();
        let bundle = site.run(&["prove", "--content", record["id"].as_str().unwrap()]).success().stdout;
        opened += serde_json::from_str::<Value>(&bundle).unwrap()["openings"].as_array().map_or(0, Vec::len);
        let report = check(bundle.as_bytes(), &VerifierKey::parse(key).unwrap(), UnixSeconds::parse(now).unwrap());
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        proved += 1;
    }
    assert_eq!(proved, 6);
    assert!(opened >= 6, "{opened}");
}

/// What stands in a bundle and must be refused, each alone, and what may differ.
#[test]
fn it_refuses_the_bundles_that_ours_refuses() {
    let (key, now) = (VerifierKey::parse(VKEY).unwrap(), UnixSeconds::parse("2026-11-21T00:00:00Z").unwrap());
    let proof = text("tests/golden/format/proof.json");
    let cosignature = "\u{2014} witness.example AAAAAAAAAAAA";
    let cases: Vec<(&str, Value, Verdict)> = vec![
        ("/record", json!("{}"), Verdict::Findings),
        ("/record", json!(7), Verdict::Findings),
        ("/segment/leaf_index", json!("11"), Verdict::Findings),
        ("/segment/leaf_index", json!("21"), Verdict::Findings),
        ("/segment/leaf_index", json!(10), Verdict::Findings),
        ("/segment/leaf_index", json!("010"), Verdict::Findings),
        ("/segment/tree_size", json!("20"), Verdict::Findings),
        ("/segment/path/4", json!("00"), Verdict::Findings),
        ("/segment/path", json!([]), Verdict::Findings),
        ("/segment/more", json!("x"), Verdict::Findings),
        ("/log/index", json!("4"), Verdict::Findings),
        ("/log/tree_size", json!("8"), Verdict::Findings),
        ("/log/path", json!([]), Verdict::Findings),
        ("/statement/index", json!("4"), Verdict::Findings),
        ("/statement/counts/spans", json!("25"), Verdict::Findings),
        ("/statement/more", json!("x"), Verdict::Findings),
        ("/statement/more", json!(true), Verdict::Findings),
        ("/statement/format", json!("spanseal.seal/2"), Verdict::Unchecked),
        ("/statement", json!([]), Verdict::Findings),
        ("/checkpoint", json!("spanseal.example/vectors\n9\n"), Verdict::Findings),
        ("/format", json!("spanseal.proof/2"), Verdict::Unchecked),
        ("/format", json!("x"), Verdict::Unchecked),
        ("/cosignatures", json!([cosignature, format!("{cosignature}\n")]), Verdict::Verified),
        ("/cosignatures", json!(["no line"]), Verdict::Findings),
        ("/cosignatures", json!([7]), Verdict::Findings),
        ("/cosignatures", json!(vec![cosignature; 1001]), Verdict::Findings),
        ("/timestamps", json!(["AAAA"]), Verdict::Verified),
        ("/timestamps", json!(["AAB="]), Verdict::Findings),
        ("/timestamps", json!("AAAA"), Verdict::Findings),
        ("/rotations", json!({}), Verdict::Findings),
        ("/rotations", json!([{}]), Verdict::Findings),
        ("/openings", json!([]), Verdict::Verified),
        ("/openings", json!([{"member": "input", "salt": "00".repeat(32), "content": "x"}]), Verdict::Findings),
        ("/more", json!(7), Verdict::Verified),
    ];
    for (path, value, verdict) in cases {
        let mut bundle: Value = serde_json::from_str(&proof).unwrap();
        let (parent, name) = path.rsplit_once('/').unwrap();
        match bundle.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[name] = value.clone(),
        }
        let report = check(bundle.to_string().as_bytes(), &key, now);
        assert_eq!(report.verdict, verdict, "{path} {value}: {}", report.to_text());
    }
    let bare = proof.trim_end().trim_end_matches('}');
    for (what, bytes, verdict) in [
        ("nothing", String::new(), Verdict::Unchecked),
        ("a member twice", format!("{bare},\"rotations\":[]}}"), Verdict::Unchecked),
        ("a lone surrogate", format!("{bare},\"x\":\"\\ud800\"}}"), Verdict::Unchecked),
        ("too large a number", format!("{bare},\"x\":1e999}}"), Verdict::Unchecked),
        ("no number", format!("{bare},\"x\":NaN}}"), Verdict::Unchecked),
        ("nested to the limit", format!("{bare},\"x\":{}{}}}", "[".repeat(128), "]".repeat(128)), Verdict::Verified),
        ("nested too deep", format!("{bare},\"x\":{}{}}}", "[".repeat(129), "]".repeat(129)), Verdict::Unchecked),
        ("something behind", format!("{proof} x"), Verdict::Unchecked),
    ] {
        assert_eq!(check(bytes.as_bytes(), &key, now).verdict, verdict, "{what}");
    }
    let early = UnixSeconds::parse("2026-11-20T09:00:00Z").unwrap();
    assert_eq!(check(proof.as_bytes(), &key, early).verdict, Verdict::Findings, "sealed after now");
    let other = NoteSigner::new("spanseal.example/vectors", &[1; 32]).unwrap();
    assert_eq!(check(proof.as_bytes(), other.verifier(), now).verdict, Verdict::Findings, "another key");
}

/// Content that is opened against its commitment, and time stamps beside the seal's own checkpoint.
#[tokio::test]
async fn it_opens_what_ours_opens() {
    let commitment = hex::encode(Sha256::digest([&[5; 32][..], b"yes"].concat()));
    let content = format!(r#"{{"captured":"vault","commitment":"salted-sha256:{commitment}","scheme":"utf8"}}"#);
    let line = String::from_utf8(lines(0, 1).remove(0)).unwrap();
    let line = line.replace(r#""kind""#, &format!(r#""input":{content},"kind""#)).replacen(
        '{',
        &format!(r#"{{"attributes":{{"a":{content}}},"#),
        1,
    );
    let mut forge = Forge::new(spanseal::worm::Locks::None).await;
    forge.seal(&[Segment::of("standard", vec![line.into_bytes()])], |_| {}).await;
    let segment = forge.seals[0].statement.segments[0].key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    let bundle = prove(&forge.store, LOG, forge.signer.verifier(), &at).await.unwrap();
    let opening = |member: &str, salt: String, content: &str| Opening { member: member.into(), salt, content: content.into() };
    let right = || opening("input", "05".repeat(32), "yes");
    for (what, openings, tokens, verdict) in [
        ("right", vec![right()], vec!["AAAA".to_owned()], Verdict::Verified),
        ("twice", vec![right(), right()], vec![], Verdict::Findings),
        ("other content", vec![opening("input", "05".repeat(32), "no")], vec![], Verdict::Findings),
        ("another salt", vec![opening("input", "06".repeat(32), "yes")], vec![], Verdict::Findings),
        ("no salt", vec![opening("input", "05".to_owned(), "yes")], vec![], Verdict::Findings),
        ("no such member", vec![opening("output", "05".repeat(32), "yes")], vec![], Verdict::Findings),
        ("an attribute", vec![opening("attributes.a", "05".repeat(32), "yes")], vec![], Verdict::Findings),
        ("no base64", vec![], vec!["AAB=".to_owned()], Verdict::Findings),
    ] {
        let mut bundle = bundle.clone();
        (bundle.openings, bundle.timestamps) = (openings, tokens);
        let report = check(&bundle.to_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 10));
        assert_eq!(report.verdict, verdict, "{what}: {}", report.to_text());
    }
    attested(&bundle, &forge);
    // A checkpoint that others signed too.
    let mut cosigned = bundle;
    let witness = NoteSigner::new("witness.test", &[8; 32]).unwrap().checkpoint(TreeSize(1), forge.range.root());
    cosigned.checkpoint.push_str(witness.rsplit_once("\n\n").unwrap().1);
    assert_eq!(check(&cosigned.to_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 10)).verdict, Verdict::Verified);
}

/// Who cosigned is told for the witness that is asked for, and a token over this very checkpoint is told from one over another; both by the
/// bytes that the page gives.
fn attested(bundle: &Bundle, forge: &Forge) {
    let witness = SigningKey::from_bytes(&[8; 32]);
    let public = [&[4][..], witness.verifying_key().as_bytes()].concat();
    let id = Sha256::digest([b"witness.test\n", &public[..]].concat())[..4].to_vec();
    let key = format!("witness.test+{}+{}", hex::encode(&id), STANDARD.encode(&public));
    let body = bundle.checkpoint.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    let line = |time: u64| {
        let signature = witness.sign(format!("cosignature/v1\ntime {NOW}\n{body}").as_bytes()).to_bytes();
        format!("\u{2014} witness.test {}", STANDARD.encode([&id[..], &time.to_be_bytes(), &signature].concat()))
    };
    let token = |over: &str| {
        let oid = [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
        STANDARD.encode([&oid[..], &Sha256::digest(over.as_bytes())].concat())
    };
    let right = u64::try_from(NOW).unwrap();
    let other = NoteSigner::new("other.test", &[9; 32]).unwrap();
    let other = [&[4][..], &STANDARD.decode(other.verifier().to_string().rsplit('+').next().unwrap()).unwrap()[1..]].concat();
    let other_id = hex::encode(&Sha256::digest([b"other.test\n", &other[..]].concat())[..4]);
    let second = format!("other.test+{other_id}+{}", STANDARD.encode(&other));
    // The same key under another name: what it says for one of them is not said by two.
    let renamed_id = Sha256::digest([b"renamed.test\n", &public[..]].concat())[..4].to_vec();
    let renamed = format!("renamed.test+{}+{}", hex::encode(&renamed_id), STANDARD.encode(&public));
    let again = line(right).replace("witness.test", "renamed.test");
    let again = format!("{} {}", again.rsplit_once(' ').unwrap().0, {
        let raw = STANDARD.decode(again.rsplit(' ').next().unwrap()).unwrap();
        STANDARD.encode([&renamed_id, &raw[4..]].concat())
    });
    let (whole, alone) = (bundle.checkpoint.as_str(), [key.as_str()]);
    // A line that does not verify, though it bears a witness's name, counts for nothing and takes nothing from the good one beside it; fewer
    // than were asked for leave the proof unchecked.
    for (lines, over, witnesses, quorum, (verdict, by, tokens)) in [
        (vec![line(right)], whole, &alone[..], None, ("verified", json!(["witness.test"]), 1)),
        (vec![line(right + 1)], body.as_str(), &alone[..], None, ("unchecked", json!([]), 0)),
        (vec![line(right + 1), line(right)], whole, &alone[..], Some("1"), ("verified", json!(["witness.test"]), 1)),
        (vec![line(right)], whole, &[&key, &second], None, ("unchecked", json!(["witness.test"]), 1)),
        (vec![line(right)], whole, &[&key, &second], Some("1"), ("verified", json!(["witness.test"]), 1)),
        (vec![line(right)], whole, &[&key, &key], None, ("verified", json!(["witness.test"]), 1)),
        (vec![line(right), again.clone()], whole, &[&key, &renamed], None, ("verified", json!(["renamed.test", "witness.test"]), 1)),
        (vec![line(right)], whole, &[&key, &renamed], None, ("verified", json!(["witness.test"]), 1)),
        (vec![line(right), again.clone()], whole, &[&key, &renamed], Some("2"), ("unchecked", json!(["renamed.test", "witness.test"]), 1)),
        (vec![line(right), again], whole, &[&key, &renamed, &second], None, ("unchecked", json!(["renamed.test", "witness.test"]), 1)),
    ] {
        let mut bundle = bundle.clone();
        // Longer than any token, and counted for as little.
        (bundle.cosignatures, bundle.timestamps) = (lines, vec![token(over), STANDARD.encode(vec![0; 100_000])]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bundle.to_bytes()).unwrap();
        let others = Others {
            witnesses: witnesses.iter().map(|key| WitnessKey::parse(key).unwrap()).collect(),
            quorum: quorum.map(|n: &str| n.parse().unwrap()),
            ..Others::default()
        };
        let ours = check_with(&bundle.to_bytes(), forge.signer.verifier(), &others, UnixSeconds(NOW + 10));
        assert_eq!(serde_json::to_value(ours.verdict).unwrap(), verdict, "{}", ours.to_text());
        let mut seen: Vec<&str> = ours.result.as_ref().unwrap().seen.iter().map(|seen| seen.name.as_str()).collect();
        seen.sort_unstable();
        assert_eq!(json!(seen), by, "{}", ours.to_text());
        let (path, vkey, now) = (file.path().to_str().unwrap(), forge.signer.verifier().to_string(), UnixSeconds(NOW + 10).to_string());
        let mut words = vec!["check", path, "--vkey", &vkey, "--now", &now];
        words.extend(witnesses.iter().flat_map(|key| ["--witness", key]));
        words.extend(quorum.iter().flat_map(|n| ["--quorum", *n]));
        let Some(theirs) = ask(&words) else { return };
        assert_eq!((&theirs["verdict"], &theirs["cosigned_by"]), (&json!(verdict), &by), "{theirs:#}");
        assert_eq!(theirs["unverified_tokens"], tokens, "{theirs:#}");
    }
}

/// A key that is a point of the curve and no more: beside the prime-order subgroup, or in bytes that an encoder would not make. Two programs
/// may come to two answers under such a key, so neither takes it.
#[test]
fn no_key_is_taken_that_two_programs_may_read_in_two_ways() {
    let name = "spanseal.test/log";
    // A good key plus the point of order two, (0, -1).
    let good = NoteSigner::new(name, &[3; 32]).unwrap().verifier().to_string();
    let point = STANDARD.decode(good.rsplit('+').next().unwrap()).unwrap();
    let edwards = |bytes: &[u8]| ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().unwrap()).unwrap().to_edwards();
    let mut two = [0xff_u8; 32];
    (two[0], two[31]) = (0xec, 0x7f);
    let mixed = edwards(&point[1..]) + edwards(&two);
    // y = 2^255 - 19 + 3, which is 3 (a point that exists), is not reduced.
    let mut unreduced = [0xff_u8; 32];
    (unreduced[0], unreduced[31]) = (0xf0, 0x7f);
    for (what, public, allowed) in [
        ("good", point[1..].to_vec(), true),
        ("mixed order", mixed.compress().to_bytes().to_vec(), false),
        ("not reduced", unreduced.to_vec(), false),
    ] {
        let key = [&[1][..], &public].concat();
        let id = hex::encode(&Sha256::digest([name.as_bytes(), b"\n", &key].concat())[..4]);
        let text = format!("{name}+{id}+{}", STANDARD.encode(&key));
        assert_eq!(VerifierKey::parse(&text).is_ok(), allowed, "{what}");
    }
}

/// The limits that the page tells are those of the code, and its script's; its examples are the sample's.
#[test]
fn the_page_tells_the_limits_and_the_examples_of_the_code() {
    let page = text("src/format.rs");
    let script = text("tests/verifier/verify.py");
    for (name, limit) in [
        ("small file", SMALL_BYTES_MAX),
        ("seal", SEAL_BYTES_MAX),
        ("entry", ENTRY_BYTES_MAX as u64),
        ("segment", SEGMENT_BYTES_MAX),
        ("decoded", SEGMENT_DECODED_MAX),
        ("window", SEGMENT_WINDOW_MAX),
        ("line", LINE_BYTES_MAX as u64),
        ("depth", spanseal::record::canonical::DEPTH_MAX as u64),
        ("note", spanseal::tlog::note::NOTE_BYTES_MAX as u64),
    ] {
        let told = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|word| word == limit.to_string());
        assert!(told(&page) && told(&script), "{name}: {limit}");
    }

    let words: String = page.lines().map(|l| l.trim_start_matches("//!").trim()).collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("the first {VERSIONS_READ_MAX} versions")));
    let log = text("tests/golden/format/store/vectors/log.json");
    let seal = |n: u64| text(&format!("tests/golden/format/store/vectors/seals/{n:020}.json"));
    assert!(words.contains(VKEY) && log.contains(VKEY));
    let first: Value = serde_json::from_str(&seal(0)).unwrap();
    assert!(page.contains(&first["checkpoint"].to_string().replace('\u{2014}', "\\u2014")));
    assert!(words.contains(first["statement"]["segments"][0]["merkle_root"].as_str().unwrap()));
    for n in [1, 2] {
        let seal: Value = serde_json::from_str(&seal(n)).unwrap();
        assert!(words.contains(seal["frontier"][0].as_str().unwrap()), "{n}");
    }
    assert!(words.contains(&hex::encode(Sha256::digest([&[0; 32][..], b"yes"].concat()))));
}

/// It is short enough to be read by whoever is to believe it.
#[test]
fn it_is_at_most_300_lines_of_plain_python() {
    let script = text("tests/verifier/verify.py");
    assert!(script.lines().count() <= 300, "{} lines", script.lines().count());
    assert!(script.lines().all(|l| l.chars().count() <= 140));
    let code = script.splitn(3, "\"\"\"").nth(2).unwrap();
    assert!(!code.contains(';'), "two statements in a line");
}

/// Scenario: the log's key signed a seal that says something false of the one before it. Guarantee: where the path of a proof shows that one's leaf, which
/// it does of every second seal, both verifiers find it.
#[tokio::test]
async fn it_holds_a_seal_to_the_one_before_where_the_path_shows_it() {
    for (seal, verdict) in [(1, Verdict::Findings), (2, Verdict::Verified), (3, Verdict::Findings)] {
        let mut forge = Forge::new(spanseal::worm::Locks::None).await;
        for n in 0..5 {
            let change = |statement: &mut spanseal::tlog::seal_file::Statement| {
                if n == seal {
                    statement.previous = Some(spanseal::tlog::LeafHash(Hash([7; 32])));
                }
            };
            forge.seal(&[Segment::of("standard", lines(n, 1))], change).await;
        }
        for other in 0..5 {
            let segment = forge.seals[other as usize].statement.segments[0].key.clone();
            let at = RecordAt { seal: other, segment, leaf_index: 0, rotations: vec![] };
            let bundle = prove(&forge.store, LOG, forge.signer.verifier(), &at).await.unwrap();
            let report = check(&bundle.to_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 100));
            let verdict = if other == seal { verdict } else { Verdict::Verified };
            assert_eq!(report.verdict, verdict, "{seal} {other}: {}", report.to_text());
            let kinds: Vec<&str> = report.result.unwrap().doubts.iter().map(|doubt| doubt.kind.as_str()).collect();
            assert_eq!(kinds, if verdict == Verdict::Findings { vec!["seal_chain"] } else { vec![] }, "{seal} {other}");
        }
    }
}
