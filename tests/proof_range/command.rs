//! `spanseal prove --through`, `spanseal prove --trace-id` and `spanseal check`, as an auditor and an operator run them.

use serde_json::json;

use super::Value;
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Site};

const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"TRACE","spanId":"SPAN","name":"chat","kind":3,"startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000001000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]}]}]}]}"#;

/// Two traces, four and two records, taking turns; a seal each.
fn site() -> Site {
    let site = Site::local();
    let receiver = site.serve();
    for (n, trace) in [1, 2, 1, 1, 2, 1].into_iter().enumerate() {
        let body = SPAN.replace("TRACE", &format!("{trace:032x}")).replace("SPAN", &format!("{:016x}", n + 1));
        let headers = vec![("content-type", "application/json")];
        let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
        assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    }
    receiver.stop();
    site
}

fn key(site: &Site) -> String {
    let log = std::fs::read_dir(site.path("store")).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("log.json").exists()).unwrap();
    let file: Value = serde_json::from_slice(&std::fs::read(log.join("log.json")).unwrap()).unwrap();
    file["vkey"].as_str().unwrap().to_owned()
}

fn check(site: &Site, proof: &str) -> Value {
    std::fs::write(site.path("proof.json"), proof).unwrap();
    let out = site.run(&["check", "proof.json", "--vkey", &key(site), "--json"]);
    let json: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out}"));
    assert_eq!(out.status.code(), Some(if json["verdict"] == "verified" { 0 } else { 1 }), "{out}");
    json
}

/// Ids of the records in the order of the log, by what the proof of each alone says.
fn in_order(site: &Site) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for line in site.sealed_lines() {
        let record: Value = serde_json::from_str(&line).unwrap();
        let id = record["id"].as_str().unwrap().to_owned();
        let one = check(site, &site.run(&["prove", &id]).success().stdout);
        assert_eq!((&one["verdict"], &one["record_id"]), (&json!("verified"), &json!(id)));
        let trace = record["trace"]["trace_id"].as_str().unwrap().to_owned();
        all.push((one["seal"].as_u64().unwrap(), one["leaf_index"].as_u64().unwrap(), id, trace));
    }
    all.sort();
    all.into_iter().map(|(_, _, id, trace)| (id, trace)).collect()
}

#[track_caller]
fn says(out: &Finished, code: i32, part: &str) {
    assert_eq!(out.status.code(), Some(code), "{out}");
    assert!(out.stderr.contains(part), "{part}: {out}");
    assert_eq!(out.stdout, "", "no proof is written");
}

/// Scenario: an auditor asks for a trace, and for what lies between two of its records. Guarantee: he is shown what was asked for and nothing of
/// others, `check` counts what is withheld, and every question that cannot be answered says why.
#[test]
fn an_auditor_asks_for_a_trace_and_for_what_is_between() {
    let site = site();
    let all = in_order(&site);
    let [ids, traces]: [Vec<&str>; 2] = [all.iter().map(|r| r.0.as_str()).collect(), all.iter().map(|r| r.1.as_str()).collect()];
    let one = format!("{:032x}", 1);
    let of_one: Vec<&str> = ids.iter().zip(&traces).filter(|(_, t)| **t == one).map(|(id, _)| *id).collect();
    assert_eq!((ids.len(), of_one.len()), (6, 4));

    let proof = site.run(&["prove", "--trace-id", &one]).success().stdout;
    let json = check(&site, &proof);
    let shown =
        |json: &Value| json["records"].as_array().unwrap().iter().map(|r| r["record_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((shown(&json), &json["between"]), (of_one.iter().map(ToString::to_string).collect(), &Value::Null));
    assert!(ids.iter().filter(|id| !of_one.contains(id)).all(|id| !proof.contains(*id)), "others' records are not in it");

    let ends = [ids[0], ids[5]];
    for (more, inside) in [(&[][..], 0), (&["--trace-id", &one], of_one.iter().filter(|id| !ends.contains(id)).count()), (&["--all"], 4)] {
        let proof = site.run(&[&["prove", ends[0], "--through", ends[1]], more].concat()).success().stdout;
        let json = check(&site, &proof);
        let between = &json["between"];
        assert_eq!(json["verdict"], "verified", "{json:#}");
        assert_eq!(
            [&between["records"], &between["shown"], &between["withheld"]],
            [&json!(4), &json!(inside), &json!(4 - inside)],
            "{json:#}"
        );
        assert_eq!([&between["silences"], &between["restarts"]].map(|list| list.as_array().map(Vec::len)), [Some(0); 2], "{json:#}");
        let text = site.run(&["check", "proof.json", "--vkey", &key(&site)]).success().stdout;
        assert!(text.contains(if inside == 4 { "sealed 4 records, all shown" } else { "states 4 records" }), "{text}");
    }
    // No key, and a changed byte.
    let out = site.run(&["check", "proof.json", "--vkey", &key(&site)]).success();
    assert!(out.stdout.starts_with("VERIFIED: these 6 records"), "{out}");
    says(&site.run(&["check", "proof.json"]), 2, "nothing was checked");
    assert_eq!(check(&site, &proof.replacen("chat", "chap", 1))["verdict"], "findings");

    // The class, the lock and the store of what is shown, as in the proof of one record.
    let told = check(&site, &proof);
    assert_eq!((&told["storage"][0]["segments"], &told["not_worm_seals"]), (&json!(null), &told["seals"]), "{told:#}");
    // By what its sender said a reader knows a record again.
    assert!(told["records"].as_array().unwrap().iter().all(|record| record["says"]["trace"].is_string()), "{told:#}");
    assert!(out.stdout.contains("says trace `"), "{out}");

    // A checkpoint that the auditor kept: of this very tree, of another tree of the same size, and of another size.
    let kept = |change: &dyn Fn(&str) -> String| {
        let checkpoint = serde_json::from_str::<Value>(&proof).unwrap()["checkpoint"].as_str().unwrap().to_owned();
        std::fs::write(site.path("kept"), change(&checkpoint)).unwrap();
        std::fs::write(site.path("proof.json"), &proof).unwrap();
        let out = site.run(&["check", "proof.json", "--vkey", &key(&site), "--checkpoint", "kept", "--json"]);
        (out.status.code(), serde_json::from_str::<Value>(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out}")))
    };
    let (code, same) = kept(&str::to_owned);
    assert_eq!((code, &same["published"], &same["checkpoint"]), (Some(0), &json!(true), &json!("same")), "{same:#}");
    let (code, longer) = kept(&|note| note.replacen('\n', "\n1", 1));
    assert_eq!((code, &longer["checkpoint"], &longer["published"]), (Some(2), &json!("not_signed"), &json!(false)), "{longer:#}");
    let earlier = std::fs::read(site.path("store/spanseal/seals/00000000000000000002.json")).unwrap();
    let earlier = serde_json::from_slice::<Value>(&earlier).unwrap()["checkpoint"].as_str().unwrap().to_owned();
    let (code, shorter) = kept(&|_| earlier.clone());
    assert_eq!((code, &shorter["checkpoint"], &shorter["published"]), (Some(2), &json!("other_size"), &json!(false)), "{shorter:#}");
    let (code, stranger) = kept(&|note| note.replacen("\n\n", "\nmore\n\n", 1));
    assert_eq!((code, &stranger["checkpoint"]), (Some(2), &json!("not_signed")), "{stranger:#}");

    // The proof itself is none that was kept, by whatever name.
    std::fs::copy(site.path("proof.json"), site.path("copy.json")).unwrap();
    std::fs::hard_link(site.path("proof.json"), site.path("link.json")).unwrap();
    for kept in ["proof.json", "./proof.json", "copy.json", "link.json"] {
        let own = site.run(&["check", "proof.json", "--vkey", &key(&site), "--checkpoint", kept]);
        says(&own, 2, "is the proof itself, which agrees with itself whatever it says");
    }

    says(&site.run(&["prove", ids[5], "--through", ids[0]]), 2, "was sealed before");
    says(&site.run(&["prove", ids[0], "--through", ids[0]]), 2, "are one record");
    says(&site.run(&["prove", ids[0], "--through", &"0".repeat(32)]), 1, "No record has the id");
    says(&site.run(&["prove", "--trace-id", &"0".repeat(32)]), 1, "No record has the trace id");
    for (usage, part) in [
        (&["prove", ids[0], "--trace-id", &one][..], "need --through"),
        (&["prove", "--trace-id", &one, "--content"], "--content is for the proof of one record"),
        (&["prove", ids[0], "--through", ids[5], "--content"], "--content is for the proof of one record"),
        (&["prove", "--through", ids[0]], "RECORD_ID"),
        (&["prove", ids[0], "--all"], "--through"),
        (&["prove"], "RECORD_ID"),
    ] {
        says(&site.run(usage), 64, part);
    }
}
