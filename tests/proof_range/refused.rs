//! What must be refused, each alone, with the sentence of the very check that refuses it; and a bundle of which any byte is another.

use serde_json::json;
use spanseal::tlog::merkle::subset_path;
use spanseal::tlog::seal_file::SealFile;

use super::*;
use crate::support::forge::ORIGIN;

/// From a record of seal 2 to one of seal 5, with one of seal 3 shown.
async fn honest_bundle(forge: &Forge) -> Value {
    let ends = Some(((2, "standard", 0), (5, "standard", 6)));
    json(bundle(forge, ends, these(forge, &[(3, "standard", 2)])).await)
}

#[track_caller]
fn says(forge: &Forge, what: &str, bundle: &Value, verdict: Verdict, why: &str) {
    let report = check_range(bundle.to_string().as_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 100));
    assert_eq!(report.verdict, verdict, "{what}: {}", report.to_text());
    assert!(report.to_text().contains(why), "{what}: {}", report.to_text());
}

fn list<'a>(bundle: &'a mut Value, path: &str) -> &'a mut Vec<Value> {
    bundle.pointer_mut(path).unwrap().as_array_mut().unwrap()
}

/// Members of another value or type.
#[tokio::test]
async fn altered_members() {
    let forge = log().await;
    let honest = honest_bundle(&forge).await;
    says(&forge, "as it is", &honest, Verdict::Verified, "states 17 records");
    let other = honest["from"]["segment"].as_str().unwrap().replace("standard", "high-risk");
    let refused = [
        ("/seals", json!([]), "it holds no seal"),
        ("/seals", json!({}), "`seals` is missing or not an array"),
        ("/seals/0", json!([]), "`seals.0` is not an object of exactly"),
        ("/seals/0/more", json!("x"), "`seals.0` is not an object of exactly"),
        ("/seals/0/statement", json!([]), "`seals.0.statement` is missing or not an object"),
        ("/seals/0/statement/more", json!("x"), "not all of these seals are in the log"),
        ("/seals/0/statement/more", json!(true), "statement: "),
        ("/seals/0/statement/counts/spans", json!("25"), "not all of these seals are in the log"),
        ("/seals/2/statement/index", json!("2"), "stands behind"),
        ("/seals/2/statement/index", json!("9"), "others are left out"),
        ("/seals/0/segments", json!({}), "`seals.0.segments` is missing or not an array"),
        ("/seals/0/segments/0/more", json!("x"), "is not an object of exactly records and path"),
        ("/seals/0/segments/0/path", json!(["00"]), "64 lower-case hex"),
        ("/seals/0/segments/0/path", json!(["00".repeat(32)]), "a path without a record"),
        ("/seals/1/segments/0/path", json!([]), "places and path do not fit"),
        ("/seals/1/segments/0/records/0/more", json!("x"), "is not an object of exactly leaf_index and record"),
        ("/seals/1/segments/0/records/0/record", json!(7), "missing or not a string"),
        ("/seals/1/segments/0/records/0/record", json!("{}"), "a record is not the one that was sealed there"),
        ("/seals/1/segments/0/records/0/leaf_index", json!(2), "not a decimal number"),
        ("/seals/1/segments/0/records/0/leaf_index", json!("02"), "not a decimal number"),
        ("/seals/1/segments/0/records/0/leaf_index", json!("3"), "a record is not the one that was sealed there"),
        ("/seals/1/segments/0/records/0/leaf_index", json!("4"), "places and path do not fit"),
        ("/seals/1/segments/0/records/0/leaf_index", json!("5"), "places and path do not fit"),
        ("/seals/1/segments/0/records/0/leaf_index", json!("18446744073709551615"), "places and path do not fit"),
        ("/log/path", json!([]), "the path does not fit the seals' indices"),
        ("/log/more", json!("x"), "`log` is not an object of exactly"),
        ("/log/tree_size", json!("7"), "log.tree_size is not the checkpoint's size"),
        ("/log/tree_size", json!("5"), "log.tree_size is not the checkpoint's size"),
        ("/log/tree_size", json!(6), "not a decimal number"),
        ("/from/index", json!("3"), "`from` is not in the first seal"),
        ("/to/index", json!("4"), "`to` is not in the last seal"),
        ("/from/leaf_index", json!("1"), "`from` is not among the records that are shown"),
        ("/to/leaf_index", json!("5"), "`to` is not among the records that are shown"),
        ("/from/segment", json!(other), "`from` is not among the records that are shown"),
        ("/from/segment", json!(7), "`segment` is missing or not a string"),
        ("/from/more", json!("x"), "`from` holds exactly"),
        ("/checkpoint", json!("spanseal.test/log\n9\n"), "checkpoint: "),
        ("/checkpoint", json!(forge.seals[6].checkpoint), "log.tree_size is not the checkpoint's size"),
        ("/cosignatures", json!(["no line"]), "cosignatures: "),
        ("/timestamps", json!(["AAB="]), "timestamps: "),
        ("/rotations", json!([{}]), "`statement` is missing"),
        ("/rotations", json!({}), "`rotations` is missing or not an array"),
    ];
    for (path, value, why) in refused {
        let mut bundle = honest.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        match bundle.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[name] = value.clone(),
        }
        says(&forge, &format!("{path} {value}"), &bundle, Verdict::Findings, why);
    }
    // A record that is shown, of another seal than the end names.
    let mut elsewhere = honest.clone();
    (elsewhere["from"]["segment"], elsewhere["from"]["leaf_index"]) = (json!(end(&forge, (3, "standard", 2)).segment), json!("2"));
    says(&forge, "an end in another seal", &elsewhere, Verdict::Findings, "`from` is not among the records that are shown");
    for name in ["from", "to"] {
        let mut bundle = honest.clone();
        bundle.as_object_mut().unwrap().remove(name);
        says(&forge, name, &bundle, Verdict::Findings, "stand together or not at all");
    }
    // A newer program may read a statement that this one cannot, so nothing is said of the rest: also where it stands in a rotation.
    let mut newer = honest.clone();
    newer["to"]["index"] = json!("4");
    newer["rotations"] = json!([{
        "statement": {"format": "spanseal.seal/2"},
        "log": {"index": "0", "tree_size": "1", "path": []},
        "checkpoint": "x",
    }]);
    says(&forge, "a newer rotation", &newer, Verdict::Unchecked, "which this version does not know");
    for (path, value, verdict, why) in [
        ("/format", json!("spanseal.proof-range/2"), Verdict::Unchecked, "which this version does not know"),
        ("/format", json!("spanseal.proof/1"), Verdict::Unchecked, ""),
        ("/seals/1/statement/format", json!("spanseal.seal/2"), Verdict::Unchecked, "which this version does not know"),
        ("/more", json!(7), Verdict::Verified, "the bundle's member `more`, which this version does not know"),
        ("/cosignatures", json!(["\u{2014} witness.example AAAAAAAAAAAA"]), Verdict::Verified, "1 cosignature in the bundle"),
        ("/timestamps", json!(["AAAA"]), Verdict::Verified, "Not counted: "),
    ] {
        let mut bundle = honest.clone();
        *bundle
            .pointer_mut(path.rsplit_once('/').unwrap().0)
            .unwrap()
            .get_mut(&path[path.rfind('/').unwrap() + 1..])
            .unwrap_or(&mut json!(0)) = value.clone();
        if path == "/more" {
            bundle["more"] = value;
        }
        let report = check_range_with(bundle.to_string().as_bytes(), forge.signer.verifier(), &Others::default(), UnixSeconds(NOW + 100));
        if path == "/format" && bundle["format"] == "spanseal.proof/1" {
            // A proof of one record, that lacks all that one has.
            assert!(report.result.is_err());
            continue;
        }
        assert!(report.to_text().contains(why), "{path}: {}", report.to_text());
        says(&forge, path, &bundle, verdict, why);
    }
}

/// What is left out, put in twice, or put in another order.
#[tokio::test]
async fn altered_lists() {
    let forge = log().await;
    let honest = honest_bundle(&forge).await;
    type Change = fn(&mut Value);
    let cases: Vec<(&str, Change, &str)> = vec![
        ("a seal left out", |b| drop(list(b, "/seals").remove(1)), "others are left out"),
        ("a heartbeat left out", |b| drop(list(b, "/seals").remove(2)), "others are left out"),
        ("the first seal left out", |b| drop(list(b, "/seals").remove(0)), "`from` is not in the first seal"),
        ("the last seal left out", |b| drop(list(b, "/seals").pop()), "`to` is not in the last seal"),
        (
            "a seal twice",
            |b| {
                let seals = list(b, "/seals");
                seals.insert(1, seals[1].clone());
            },
            "each once",
        ),
        ("seals in another order", |b| list(b, "/seals").swap(0, 1), "each once"),
        ("a segment left out", |b| drop(list(b, "/seals/0/segments").remove(0)), "the bundle holds 1 of it"),
        (
            "a segment more",
            |b| {
                let segments = list(b, "/seals/1/segments");
                segments.push(json!({"records": [], "path": []}));
            },
            "the bundle holds 2 of it",
        ),
        ("segments in another order", |b| list(b, "/seals/0/segments").swap(0, 1), "a record is not the one that was sealed there"),
        (
            "a record twice",
            |b| {
                let records = list(b, "/seals/1/segments/0/records");
                records.push(records[0].clone());
            },
            "places and path do not fit",
        ),
        (
            "a record once more, at another place",
            |b| {
                let records = list(b, "/seals/1/segments/0/records");
                let mut again = records[0].clone();
                again["leaf_index"] = json!("3");
                records.push(again);
            },
            "places and path do not fit",
        ),
        (
            "a withheld record that is shown elsewhere",
            |b| {
                let path = list(b, "/seals/1/segments/0/path");
                path[0] = path[1].clone();
            },
            "a record is not the one that was sealed there",
        ),
        ("a withheld subtree left out", |b| drop(list(b, "/seals/1/segments/0/path").pop()), "places and path do not fit"),
        (
            "a withheld subtree more",
            |b| {
                let path = list(b, "/seals/1/segments/0/path");
                path.push(path[0].clone());
            },
            "places and path do not fit",
        ),
        ("withheld subtrees in another order", |b| list(b, "/seals/1/segments/0/path").swap(0, 1), "a record is not the one"),
        ("another log path", |b| list(b, "/log/path")[0] = json!("00".repeat(32)), "the path does not lead"),
        (
            "a log path more",
            |b| {
                let path = list(b, "/log/path");
                path.push(path[0].clone());
            },
            "the path does not fit the seals' indices",
        ),
        (
            "the record of an end withheld",
            |b| b["seals"][3]["segments"][1] = json!({"records": [], "path": []}),
            "`to` is not among the records that are shown",
        ),
        (
            "no record shown, and no end",
            |b| {
                for seal in list(b, "/seals") {
                    for segment in seal["segments"].as_array_mut().unwrap() {
                        *segment = json!({"records": [], "path": []});
                    }
                }
                b.as_object_mut().unwrap().retain(|name, _| name != "from" && name != "to");
            },
            "it shows no record",
        ),
        (
            "the ends turned",
            |b| {
                let (from, to) = (b["from"].clone(), b["to"].clone());
                (b["from"], b["to"]) = (to, from);
            },
            "`from` is not in the first seal",
        ),
        (
            "too many records",
            |b| b["seals"][1]["segments"][0]["records"] = json!(vec![json!({"leaf_index": "0", "record": ""}); 200_001]),
            "200000 records",
        ),
        ("too many seals", |b| b["seals"] = json!(vec![json!({"segments": [], "statement": {}}); 100_001]), "more than 100000"),
    ];
    for (what, change, why) in cases {
        let mut bundle = honest.clone();
        change(&mut bundle);
        says(&forge, what, &bundle, Verdict::Findings, why);
    }
}

/// Records that are truly sealed, and do not lie between the ends.
#[tokio::test]
async fn ends_that_are_none() {
    let forge = log().await;
    let shown = these(&forge, &[(3, "standard", 1), (3, "standard", 2), (3, "standard", 4)]);
    let honest = json(bundle(&forge, None, shown).await);
    let with = |from: u64, to: u64| {
        let mut bundle = honest.clone();
        for (name, leaf) in [("from", from), ("to", to)] {
            let end = end(&forge, (3, "standard", leaf));
            bundle[name] = json!({"index": "3", "segment": end.segment, "leaf_index": leaf.to_string()});
        }
        bundle
    };
    says(&forge, "the right ends", &with(1, 4), Verdict::Verified, "states 2 records");
    says(&forge, "one before the first", &with(2, 4), Verdict::Findings, "line 2 of");
    says(&forge, "one behind the last", &with(1, 2), Verdict::Findings, "lies outside of the range");
    says(&forge, "turned", &with(4, 1), Verdict::Findings, "`from` does not stand before `to`");
    says(&forge, "one record", &with(2, 2), Verdict::Findings, "`from` does not stand before `to`");
    says(&forge, "a withheld end", &with(1, 3), Verdict::Findings, "`to` is not among the records that are shown");
}

/// A statement of another log, signed into this one.
#[tokio::test]
async fn statements_of_two_logs() {
    for (log_of_seal_7, verdict, why) in
        [("spanseal.test/other", Verdict::Findings, "seal 7 is of log `spanseal.test/other`"), (ORIGIN, Verdict::Verified, "")]
    {
        let mut forge = log().await;
        forge.seal(&[], |s| s.log = log_of_seal_7.into()).await;
        forge.seal(&[Segment::of("standard", lines(24, 1))], |_| {}).await;
        let leaves: Vec<LeafHash> = forge.seals.iter().map(SealFile::leaf).collect();
        let path = subset_path(&[LeafIndex(7), LeafIndex(8)], &leaves).unwrap();
        let statement = |n: usize| serde_json::from_slice::<Value>(&forge.seals[n].entry).unwrap();
        let record = json!({"leaf_index": "0", "record": String::from_utf8(line(24, "span")).unwrap()});
        let made = json!({
            "format": "spanseal.proof-range/1",
            "seals": [
                {"statement": statement(7), "segments": []},
                {"statement": statement(8), "segments": [{"records": [record], "path": []}]},
            ],
            "log": {"tree_size": "9", "path": path.iter().map(ToString::to_string).collect::<Vec<_>>()},
            "checkpoint": forge.seals[8].checkpoint,
            "cosignatures": [], "timestamps": [], "rotations": [],
        });
        says(&forge, log_of_seal_7, &made, verdict, why);
    }
}

/// A record that is no JSON, one that is not canonical, one that is no object and one that is too long: the log's own key signed them.
#[tokio::test]
async fn records_that_are_none() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024));
    for (text, why) in [
        ("x", "not a JSON value"),
        (r#"{"b":1,"a":2}"#, "not the canonical form"),
        ("[]", "not a JSON object"),
        (r#"{"schema":"spanseal.record/1"}"#, "record: "),
        (long.as_str(), "a record is at most"),
    ] {
        let mut forge = log().await;
        let segment = Segment::of("standard", vec![line(30, "span"), text.as_bytes().to_vec()]);
        forge.seal(&[segment], |_| {}).await;
        let statement: Value = serde_json::from_slice(&forge.seals[7].entry).unwrap();
        let record = |leaf: &str, line: &[u8]| json!({"leaf_index": leaf, "record": String::from_utf8(line.to_vec()).unwrap()});
        let records = json!([record("0", &line(30, "span")), record("1", text.as_bytes())]);
        let path: Vec<String> = forge.seals[7].frontier.nodes().iter().rev().map(ToString::to_string).collect();
        let made = json!({
            "format": "spanseal.proof-range/1",
            "seals": [{"statement": statement, "segments": [{"records": records, "path": []}]}],
            "log": {"tree_size": "8", "path": path},
            "checkpoint": forge.seals[7].checkpoint,
            "cosignatures": [], "timestamps": [], "rotations": [],
        });
        says(&forge, text.get(..40).unwrap_or(text), &made, Verdict::Findings, why);
    }
}

/// Any one byte of a bundle is another (every third is tried). Guarantee: it is not verified; nothing in it is beyond the signature but what is told as such.
#[tokio::test]
async fn no_other_byte_is_accepted() {
    let forge = log().await;
    let bytes = honest_bundle(&forge).await.to_string().into_bytes();
    for at in (0..bytes.len()).step_by(3) {
        let mut other = bytes.clone();
        other[at] ^= 1;
        // The second verifier is asked of some.
        let report = if at % 13 == 0 {
            check_range(&other, forge.signer.verifier(), UnixSeconds(NOW + 100))
        } else {
            check_range_with(&other, forge.signer.verifier(), &Others::default(), UnixSeconds(NOW + 100))
        };
        assert_ne!(report.verdict, Verdict::Verified, "byte {at}: {}", String::from_utf8_lossy(&other[at.saturating_sub(30)..at + 10]));
    }
}
