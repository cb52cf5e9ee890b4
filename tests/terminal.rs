//! Promise: a reader's terminal shows what was found, and obeys nobody who wrote it. Whoever made a bundle, a store, a certificate or an error
//! may have put control characters, line breaks and what turns the direction of reading around into every text and name.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spanseal::clock::{Clock, SystemClock};
use spanseal::tlog::cosignature::Cosigner;
use spanseal::tlog::note::VerifierKey;
use spanseal::tlog::seal_file::SealFile;
use spanseal::verify::{Checked, Others, Proof};

use crate::support::eventually;
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Options, Site};
use crate::support::token::{Authority, tlv};
use crate::support::tsa::Server;

/// Clears the screen, colours it, goes up a line, ends lines, and turns what follows around.
const BAD: &str = "X\u{1b}[2J\u{1b}[31m\u{9b}1A\r\n  forged  seen by everybody\n\u{202e}\u{2066}\u{200b}\u{7f}";

/// Nothing in it acts, and no line is of anybody else's making.
#[track_caller]
fn is_calm(what: &str, text: &str) {
    let acts = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert_eq!(text.chars().find(acts), None, "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("forged")), "{what}: {text}");
}

#[track_caller]
fn said_calmly(what: &str, out: &Finished) {
    is_calm(what, &out.stdout);
    is_calm(what, &out.stderr);
}

/// One value for every text and every name in `json`, with that text or name replaced, begun or ended by [`BAD`], and with members of that name
/// added.
fn disturbed(json: &Value) -> Vec<(String, Value)> {
    fn walk(at: &Value, path: &str, whole: &Value, found: &mut Vec<(String, Value)>) {
        let mut put = |what: String, value: Value| {
            let mut whole = whole.clone();
            *whole.pointer_mut(path).unwrap() = value;
            found.push((what, whole));
        };
        match at {
            Value::String(text) => {
                for (n, text) in [BAD.to_owned(), format!("{BAD}{text}"), format!("{text}{BAD}")].into_iter().enumerate() {
                    put(format!("{path} #{n}"), text.into());
                }
            }
            Value::Object(members) => {
                let mut more = members.clone();
                more.insert(BAD.to_owned(), BAD.into());
                put(format!("{path} + member"), more.into());
                for (name, value) in members {
                    let mut named = members.clone();
                    named.remove(name);
                    named.insert(format!("{name}{BAD}"), value.clone());
                    put(format!("{path}/{name} renamed"), named.into());
                }
                members.iter().for_each(|(name, value)| walk(value, &format!("{path}/{name}"), whole, found));
            }
            Value::Array(items) => {
                let mut more = items.clone();
                more.push(BAD.into());
                put(format!("{path} + item"), more.into());
                items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{path}/{n}"), whole, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(json, "", json, &mut found);
    found
}

const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"SPAN","name":"chat","kind":3,"startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000001000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.prompt","value":{"stringValue":"why"}}]}]}]}]}"#;

/// A log of three records, its key, and a proof of one and of all.
fn site() -> (Site, String, [Value; 2]) {
    let site = Site::local();
    let receiver = site.serve();
    for n in 1..=3 {
        let body = SPAN.replace("SPAN", &format!("{n:016x}"));
        let request = HttpRequest {
            method: "POST",
            path: "/v1/traces",
            headers: vec![("content-type", "application/json")],
            body: body.as_bytes(),
            chunked: false,
        };
        assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    }
    assert!(receiver.stop().success());
    let key = site.run(&["keygen", "--public"]).success().stdout.trim().to_owned();
    let record: Value = serde_json::from_str(&site.sealed_lines()[0]).unwrap();
    let proofs = [vec!["prove", record["id"].as_str().unwrap()], vec!["prove", "--trace-id", "00000000000000000000000000000001"]];
    let proofs = proofs.map(|arguments| serde_json::from_str(&site.run(&arguments).success().stdout).unwrap());
    (site, key, proofs)
}

/// A bundle with something in every list.
fn filled(proof: &Value) -> Value {
    let mut proof = proof.clone();
    let witness = Cosigner::new("w.test/1", &[9; 32]).unwrap();
    let text = proof["checkpoint"].as_str().unwrap().split_once("\n\n").unwrap().0.to_owned() + "\n";
    let line = witness.cosign(&text, SystemClock.now().ceil_seconds()).unwrap();
    proof["cosignatures"] = vec![line.trim_end()].into();
    proof["timestamps"] = vec!["AAAA"].into();
    proof
}

/// Every text and name of a proof of one record and of several.
#[test]
fn nothing_in_a_proof_acts_on_who_checks_it() {
    let (site, key, proofs) = site();
    let vkey = VerifierKey::parse(&key).unwrap();
    let others = Others { witnesses: vec![Cosigner::new("w.test/1", &[9; 32]).unwrap().public().clone()], ..Others::default() };
    let mut told = 0;
    for proof in &proofs {
        let mut cases = disturbed(&filled(proof));
        let rotation = serde_json::json!({"statement": proof["statement"], "log": proof["log"], "checkpoint": proof["checkpoint"]});
        let opening = serde_json::json!({"member": BAD, "salt": "0".repeat(64), "content": BAD});
        for (name, item) in [("rotations", rotation), ("openings", opening)] {
            let mut with = proof.clone();
            with[name] = vec![item].into();
            cases.push((name.to_owned(), with));
        }
        let record = proof["record"].as_str().unwrap_or_default().replacen("chat", &format!("chat{}", BAD.escape_default()), 1);
        cases.push(("record".to_owned(), {
            let mut with = proof.clone();
            with["record"] = record.into();
            with
        }));
        for (what, proof) in cases {
            let parsed = Proof::parse(proof.to_string().as_bytes());
            for others in [&Others::default(), &others] {
                let checked = Checked::of(parsed.as_ref().map_err(Clone::clone), &vkey, others, SystemClock.now().ceil_seconds());
                let text = match checked {
                    Checked::Record(report) => report.to_text(),
                    Checked::Range(report) => report.to_text(),
                };
                is_calm(&what, &text);
                told += usize::from(text.contains("\\u{1b}"));
            }
        }
    }
    assert!(told > 50, "{told}: what was put in is told, visibly");
    // As a user has it, and with a forged line where the verdict is good.
    for (n, proof) in proofs.iter().enumerate() {
        let mut proof = proof.clone();
        proof.as_object_mut().unwrap().insert(format!("x\u{1b}[5A\u{1b}[J\n{BAD}"), "1".into());
        let path = site.path("proof.json");
        std::fs::write(&path, proof.to_string()).unwrap();
        for more in [&[][..], &["--json"]] {
            let mut arguments = vec!["check", "proof.json", "--vkey", &key];
            arguments.extend(more);
            let out = site.run(&arguments).success();
            said_calmly(&format!("proof {n} {more:?}"), &out);
        }
        proof["format"] = format!("spanseal.proof/{BAD}").into();
        std::fs::write(&path, proof.to_string()).unwrap();
        said_calmly("format", &site.run(&["check", "proof.json", "--vkey", &key]));
    }
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    if path.exists() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::write(path, bytes).unwrap();
}

/// What an auditor and an operator run over a store.
fn commands(key: &str) -> Vec<Vec<&str>> {
    let id = "00000000000000000000000000000001";
    vec![
        vec!["verify", "--vkey", key],
        vec!["verify", "--json", "--vkey", key],
        vec!["query", "--unrecorded"],
        vec!["show", id, "--unrecorded"],
        vec!["prove", id],
        vec!["prove", "--trace-id", id],
        vec!["doctor"],
    ]
}

/// Every text of a seal, of `log.json`, of a cosignature; objects that lie where nothing of the log does; names of files.
#[test]
fn nothing_in_a_store_acts_on_who_looks_into_it() {
    let (site, key, _) = site();
    let log: PathBuf = site.path("store/spanseal");
    let seal = log.join("seals/00000000000000000001.json");
    let file = log.join("log.json");
    let mut shown = 0;
    for (path, all) in [(&seal, false), (&file, true)] {
        let honest = std::fs::read(path).unwrap();
        for (what, json) in disturbed(&serde_json::from_slice(&honest).unwrap()) {
            write(path, json.to_string());
            // The others read a seal by the same code.
            let some = all || what.contains("format") || what.contains("class") || what.contains("/log");
            for arguments in commands(&key).into_iter().take(if some { 7 } else { 1 }) {
                let out = site.run(&arguments);
                said_calmly(&format!("{what} {arguments:?}"), &out);
                shown += usize::from(out.stdout.contains("\\u{1b}"));
            }
        }
        write(path, honest);
    }
    assert!(shown > 0, "something of it is told");

    let checkpoint = SealFile::parse(&std::fs::read(&seal).unwrap()).unwrap().checkpoint;
    let text = checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let witness = Cosigner::new("w.test/\u{202e}a", &[9; 32]).unwrap();
    let other = text.replacen("\n2\n", "\n3\n", 1);
    for (n, text) in [text.clone(), other, format!("{text}\u{202e}more\n")].into_iter().enumerate() {
        let note = format!("{text}\n{}", witness.cosign(&text, SystemClock.now().ceil_seconds()).unwrap());
        let name = &spanseal::tlog::Hash::of(note.as_bytes()).to_string()[..16];
        write(&log.join(format!("cosignatures/{n:020}/{name}.note")), note);
    }
    for folder in ["seals", "segments/standard/2026/11/21", "cosignatures/00000000000000000001", "timestamps/00000000000000000001", "tile"]
    {
        write(&log.join(folder).join(BAD), "x");
    }
    write(&site.path("store").join(BAD).join("log.json"), "x");
    write(&log.join("checkpoint"), format!("{BAD}\n\n{BAD}"));
    write(&log.join("timestamps/00000000000000000001/0123456789abcdef.tsr"), BAD);
    let witness = witness.public().to_string();
    let mut arguments = commands(&key);
    arguments.push(vec!["verify", "--vkey", &key, "--witness", &witness]);
    for arguments in arguments {
        said_calmly(&format!("strays {arguments:?}"), &site.run(&arguments));
    }
}

/// A store that answers every request with an error of its own words.
#[test]
fn nothing_that_a_store_answers_acts_on_who_asks_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process: it holds nothing but a port.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let body = format!("<?xml version=\"1.0\"?><Error><Code>Access{BAD}</Code><Message>{BAD}</Message></Error>");
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let env = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let store_lines = format!("  s3: {{endpoint: '{endpoint}', region: x, path_style: true}}");
    let site = Site::with(Options { store: "s3://bucket/prefix".into(), store_lines, env: env.to_vec(), ..Options::default() });
    let key = site.run(&["keygen"]).success().stdout.trim().to_owned();
    let mut told = false;
    for arguments in commands(&key) {
        let out = site.run(&arguments);
        said_calmly(&format!("{arguments:?}"), &out);
        told |= [&out.stdout, &out.stderr].iter().any(|text| text.contains("forged") && text.contains("\\u{202e}"));
    }
    assert!(told, "the store's words are told");
}

/// A time stamping authority that refuses in words of its own. Guarantee: the log of `serve` keeps its lines, as text and as JSON.
#[test]
fn nothing_that_an_authority_answers_acts_on_who_reads_the_log() {
    for format in ["text", "json"] {
        let server = Server::answering(|_, _| {
            let words = tlv(0x30, &[&tlv(0x0c, &[BAD.as_bytes()])]);
            tlv(0x30, &[&tlv(0x30, &[&[2, 1, 2], &words])])
        });
        let more = format!("telemetry: {{logs: {{format: {format}}}}}");
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, Authority::honest().root_pem).unwrap();
        let log = format!("timestamp_interval: 10s, timestamping: [{{url: '{}', ca_file: '{}'}}], ", server.url(), ca.display());
        let site = Site::with(Options { log, more, ..Options::default() });
        let receiver = site.serve();
        eventually("the refusal in the log", || receiver.stderr().contains("checkpoint.unstamped").then_some(()));
        let said = receiver.stderr();
        is_calm(format, &said);
        let line = said.lines().find(|line| line.contains("checkpoint.unstamped")).unwrap();
        assert!(line.contains("forged"), "{line}");
        if format == "json" {
            let json: Value = serde_json::from_str(line).unwrap();
            assert!(json["reason"].as_str().unwrap().contains("\u{202e}"), "the value is exact: {json}");
        }
        receiver.stop();
    }
}
