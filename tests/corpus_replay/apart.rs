//! Of the whole corpus: what was said stands in no sealed byte, all of it is in the vault, and what the vault gives is what the records
//! commit to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{coordinates, identity_key, replayed, send_all};
use crate::support::captures::{self, Capture};
use crate::support::receiver::{Options, Site};
use crate::support::truth::{Said, leaves_of_text, pseudonym};
use crate::support::vault::{stored_bytes, strings};

/// Content objects of a record by their paths; those of an array by its index.
fn contents<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("captured") {
                found.push((path.to_owned(), value));
            }
            for (name, value) in members.iter().filter(|(name, _)| *name != "attributes") {
                contents(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| contents(item, &format!("{path}[{i}]"), found)),
        _ => {}
    }
}

/// Guarantee: each content object of each record is opened by exactly one entry of the vault, as anyone would with `sha256sum`, and the
/// vault has none that no record speaks of.
#[test]
fn every_commitment_opens() {
    let replayed = replayed();
    let mut opened = BTreeMap::<String, u32>::new();
    for (_, record) in &replayed.lines {
        let id = record["id"].as_str().unwrap();
        let entries = &replayed.kept.contents[id];
        let mut objects = Vec::new();
        contents(record, "", &mut objects);
        let objects: Vec<_> = objects.into_iter().filter(|(_, content)| content["captured"] == "vault").collect();
        assert_eq!(objects.len(), entries.len(), "{id}: contents in evidence and in the vault");
        for (path, content) in objects {
            let entry = entries.iter().find(|e| e.member == path).unwrap_or_else(|| panic!("{id}: the vault has no {path}"));
            let digest = Sha256::digest([entry.salt.as_slice(), &entry.content].concat());
            assert_eq!(content["commitment"], format!("salted-sha256:{}", hex::encode(digest)), "{id}: {path}");
            assert_eq!(content["bytes"], entry.content.len().to_string(), "{id}: {path}");
            assert_eq!(content["scheme"], entry.scheme.as_str(), "{id}: {path}");
            assert!(content["hash"].is_null(), "{id}: {path}: a hash that nobody asked for finds short content by trying");
            if entry.scheme.as_str() == "attributes" {
                let json: Value = serde_json::from_slice(&entry.content).unwrap_or_else(|e| panic!("{id}: {path}: {e}"));
                assert_eq!(serde_jcs::to_vec(&json).unwrap(), entry.content.as_slice(), "{id}: {path} is not canonical");
            }
            *opened.entry(path.split(['.', '[']).next().unwrap().to_owned()).or_default() += 1;
        }
    }
    for (group, least) in [("input", 300), ("output", 300), ("rest", 500), ("error", 20), ("tool", 30), ("prompt", 10), ("retrieval", 10)] {
        assert!(opened.get(group).is_some_and(|n| *n >= least), "{group} was opened {:?} times: {opened:?}", opened.get(group));
    }
    let salts: HashSet<_> = replayed.kept.contents.values().flatten().map(|e| e.salt).collect();
    assert_eq!(salts.len(), replayed.kept.contents.values().map(Vec::len).sum::<usize>(), "a salt was used twice");
}

/// Guarantee: every text that an AI span or AI log carried, wherever it carried it, stands in its record or is in the vault under its
/// record. Nothing that was said is lost.
#[test]
fn nothing_that_was_said_is_lost() {
    let replayed = replayed();
    // All that is held of a span, evidence and vault, as texts: JSON inside JSON is opened.
    let mut held: BTreeMap<(String, String), HashSet<String>> = BTreeMap::new();
    for (_, record) in &replayed.lines {
        let texts = held.entry(coordinates(record)).or_default();
        strings(record, &mut |text| {
            texts.insert(replayed.kept.persons.get(text).map_or(text, |(_, id)| id).to_owned());
            leaves_of_text(text, &mut |_, leaf| {
                texts.insert(leaf.to_owned());
            });
        });
        for entry in &replayed.kept.contents[record["id"].as_str().unwrap()] {
            let x = String::from_utf8_lossy(&entry.content);
            texts.insert(x.clone().into_owned());
            leaves_of_text(&x, &mut |_, leaf| {
                texts.insert(leaf.to_owned());
            });
        }
    }
    let is_kept_elsewhere = |said: &Said| {
        let (key, text) = (said.key.as_str(), said.text.trim());
        // Counted as withheld; held by the SHA-256 that a repository shows; renamed to the listed spelling; nothing; said by `redacted`.
        ["ai.request.headers.user-agent", "user_agent.original", "llm.prompt_template.template", "gen_ai.provider.name"].contains(&key)
            || ["", "__REDACTED__", "[masked]"].contains(&text)
    };
    let mut lost = BTreeMap::<&str, Vec<String>>::new();
    let mut found = 0;
    for said in &replayed.truth.said {
        let at = (said.trace_id.clone(), said.span_id.clone());
        // Numbers and truth values are members of their own type.
        if held.get(&at).is_some_and(|texts| texts.contains(&said.text) || texts.contains(&said.text.to_lowercase())) {
            found += 1;
        } else if !is_kept_elsewhere(said) {
            lost.entry(&said.key).or_default().push(format!("{}: {:?}", said.from, said.text.chars().take(80).collect::<String>()));
        }
    }
    let shown: Vec<String> = lost.iter().map(|(key, places)| format!("{key}: {} times, {}", places.len(), places[0])).collect();
    assert!(shown.is_empty(), "{} keys:\n{}", shown.len(), shown.join("\n"));
    assert!(found > 15_000, "only {found} texts were looked for");
}

/// Scenario: prompts, answers, tool arguments and results, documents, messages of exceptions and of statuses, URLs, bodies of logs, ids of
/// users and mail addresses, of all spans and logs. Guarantee: none of them, nor a part of a longer one, is found in any sealed byte; nor in
/// any byte of the vault as it is stored.
#[test]
fn no_content_and_no_person_stands_in_any_sealed_byte() {
    let replayed = replayed();
    let evidence = stored_bytes(&replayed.site.path("store"));
    let vault = stored_bytes(&replayed.site.path("store-vault"));
    assert!(evidence.len() > 1_000_000 && vault.len() > 100_000, "{} and {} bytes", evidence.len(), vault.len());
    let truth = &replayed.truth;
    assert!(truth.hidden().count() > 500 && truth.persons.len() > 1, "{} texts, {:?}", truth.hidden().count(), truth.persons);
    // An id may be as short as `u-1`: then it is looked for as a whole value.
    let persons = truth.persons.iter().map(|id| if id.len() > 5 { quoted(id) } else { format!("\"{}\"", quoted(id)) });
    let mut leaks = Vec::new();
    for once in truth.hidden().map(|(text, _)| quoted(text)).chain(persons) {
        // As it stands in JSON, and as it stands in JSON inside JSON.
        for needle in BTreeSet::from([quoted(&once), once]) {
            for (bytes, place) in [(&evidence, "evidence"), (&vault, "the vault's files")] {
                if memchr::memmem::find(bytes, needle.as_bytes()).is_some() {
                    leaks.push(format!("{place}: {needle}"));
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    // Short content is no value of any member; of numbers and of sequences at which a model is told to stop, some are members by right.
    let mut values = HashSet::new();
    for (_, record) in &replayed.lines {
        let mut record = record.clone();
        record["parameters"]["stop_sequences"].take();
        strings(&record, &mut |text| {
            values.insert(text.to_owned());
        });
    }
    let short: Vec<&str> = truth.hidden_values().filter(|text| text.parse::<f64>().is_err()).collect();
    assert!(short.len() > 100, "only {short:?}");
    let leaks: Vec<&&str> = short.iter().filter(|text| values.contains(**text)).collect();
    assert!(leaks.is_empty(), "short content stands in evidence: {leaks:?}");
}

/// Scenario: some of the corpus, sent to one that keeps nothing apart and to one that keeps everything. Guarantee: without a vault content is
/// held by keyed hash and persons by pseudonyms that can be computed, no vault is made, and the records say the same in all other respects.
#[test]
fn without_a_vault_the_records_say_the_same() {
    let (identity, more) = ("mode: keyed, ".to_owned(), "content: {mode: hash}".to_owned());
    let site = Site::with(Options { identity, more, ..Options::default() });
    let replayed = replayed();
    // One key, so that what is keyed is the same.
    std::fs::copy(replayed.site.path("identity.key"), site.path("identity.key")).unwrap();
    let receiver = site.serve();
    let captures: Vec<Capture> = captures::all()
        .into_iter()
        .filter(|c| c.name.starts_with("traceloop-") || c.name.starts_with("openinference-langchain."))
        .collect();
    send_all(&receiver, &captures);
    assert!(receiver.stop().success());
    assert!(!site.path("store-vault").exists() && !site.path("spanseal-vault.key").exists(), "a vault was made for nothing");
    let key = identity_key(&site);
    let with: BTreeMap<&str, &Value> = replayed.lines.iter().map(|(_, r)| (r["id"].as_str().unwrap(), r)).collect();
    let lines = site.sealed_lines();
    let (mut hashed, mut persons) = (0, 0);
    for line in &lines {
        let record: Value = serde_json::from_str(line).unwrap();
        let id = record["id"].as_str().unwrap();
        let Some(other) = with.get(id).filter(|_| record["source"]["signal"] == "span") else { continue };
        let (mut found, mut expected) = (record.clone(), (*other).clone());
        hashed += by_hash(&mut found);
        by_hash(&mut expected);
        for record in [&mut found, &mut expected] {
            record["time"]["received"].take();
            record["evidence"]["late_ms"].take();
        }
        if let Some((realm, person)) = expected["actor"]["user_id"].as_str().and_then(|p| replayed.kept.persons.get(p)) {
            expected["actor"]["user_id"] = Value::from(pseudonym(&key, realm, person));
            persons += 1;
        }
        assert_eq!(found, expected, "{id}");
    }
    assert!(hashed > 50 && persons > 3, "{hashed} contents, {persons} persons in {} records", lines.len());
}

/// Takes out of each content object what says how it is held; counts those that are held by hash.
fn by_hash(value: &mut Value) -> usize {
    match value {
        Value::Array(items) => items.iter_mut().map(by_hash).sum(),
        Value::Object(members) => {
            let mut count = 0;
            if members.get("captured").is_some_and(|c| c == "hash" || c == "vault") {
                members.insert("captured".to_owned(), Value::from("held"));
                members.remove("commitment");
                count = usize::from(members.remove("hash").is_some_and(|h| h.as_str().unwrap().starts_with("hmac-sha256:")));
            }
            count + members.values_mut().map(by_hash).sum::<usize>()
        }
        _ => 0,
    }
}

/// As in a JSON string, without the quotes around it.
fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}
