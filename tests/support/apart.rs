//! Records that keep something apart, and the invariant that holds over what is stored of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use spanseal::record::apart::{PersonEntry, Piece};
use spanseal::record::canonical::Json;
use spanseal::record::content::{Scheme, commitment, commitment_text};
use spanseal::record::identity::vault_pseudonym;
use spanseal::record::{Batch, RecordId, sameness_of_content, sameness_of_line, sameness_with};
use spanseal::vault::parse_pseudonym;

use super::log::{Process, TestLog, batch, id};

/// What record `n` says.
pub(crate) fn said(n: u64) -> String {
    format!("the secret of record {n}, said once")
}

/// A batch like [`batch`], whose records keep something apart, salted by `attempt`, and name one person.
pub(crate) fn batch_apart(process: &Process, numbers: impl IntoIterator<Item = u64>, attempt: u8) -> Batch {
    batch_saying(process, numbers, attempt, said)
}

/// The same, whose records say what `said` has them say.
pub(crate) fn batch_saying(process: &Process, numbers: impl IntoIterator<Item = u64>, attempt: u8, said: impl Fn(u64) -> String) -> Batch {
    let mut out = Batch::default();
    for n in numbers {
        let key = [u8::try_from(n).unwrap() % 2; 32];
        let given =
            process.vault.as_ref().unwrap().persons().pseudonym(key, || [n as u8, attempt, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        if !given.stored && out.apart.persons.iter().all(|p| p.key != key) {
            let id = format!("person{}@example.com", n % 2);
            out.apart.persons.push(PersonEntry { key, pseudonym: given.pseudonym, realm: String::new(), id });
        }
        let (one, salt, text) = (batch([n], u16::try_from(n % 2).unwrap()), [attempt; 32], said(n));
        let mut record = one.records[0].clone();
        let mut json = Json::parse(one.line(&record)).unwrap();
        let Json::Object(members) = &mut json else { panic!() };
        members.push((
            "input".to_owned(),
            Json::object([
                ("captured", Json::string("vault")),
                ("scheme", Json::string("utf8")),
                ("commitment", Json::String(commitment_text(&commitment(&salt, text.as_bytes())))),
                ("bytes", Json::String(text.len().to_string())),
            ]),
        ));
        members.push(("actor".to_owned(), Json::object([("user_id", Json::String(vault_pseudonym(&given.pseudonym)))])));
        let line = json.to_jcs();
        (_, record.line_sameness) = sameness_of_line(&line).unwrap();
        record.sameness = sameness_with(record.line_sameness, [sameness_of_content("input", text.as_bytes())]);
        record.line = out.lines.len()..out.lines.len() + line.len();
        out.lines.extend_from_slice(&line);
        let (start, at) = (out.apart.bytes.len(), out.apart.pieces.len());
        out.apart.bytes.extend_from_slice(text.as_bytes());
        let content = start..out.apart.bytes.len();
        out.apart.pieces.push(Piece { record: record.id, member: Cow::Borrowed("input"), scheme: Scheme::Utf8, salt, content });
        record.pieces = at..at + 1;
        out.records.push(record);
    }
    out
}

/// The invariant, over everything that is stored: each record of the log has exactly its content, which opens its commitment, and a person
/// who can be resolved; each pack is of a seal of the log and holds content of its records only.
pub(crate) async fn expect_whole(log: &TestLog, what: &str) -> BTreeMap<RecordId, u64> {
    let vault = log.place.as_ref().unwrap().vault();
    let mut found = BTreeMap::new();
    let contents = log.check_log().await;
    let mut packs = 0;
    for (record, line) in &contents.lines {
        let json = Json::parse(line).unwrap();
        if json.path("source.signal").and_then(Json::as_str) == Some("control") {
            continue;
        }
        let seal = contents.records[record][0];
        let sealed_at = contents.files[usize::try_from(seal).unwrap()].statement.sealed_at;
        let entries = vault.content(seal, sealed_at, *record).await.unwrap().entries;
        let [entry] = entries.as_slice() else { panic!("{what}: {record} of seal {seal} has {} contents", entries.len()) };
        let committed = json.path("input.commitment").and_then(Json::as_str);
        assert_eq!(committed, Some(commitment_text(&commitment(&entry.salt, &entry.content)).as_str()), "{what}: {record}");
        let person = json.path("actor.user_id").and_then(Json::as_str).and_then(parse_pseudonym).unwrap();
        assert_eq!(vault.resolve(&HashSet::from([person])).await.unwrap().len(), 1, "{what}: {record} names somebody unknown");
        found.insert(*record, seal);
    }
    for seal in found.values().collect::<HashSet<_>>() {
        let named: Vec<String> =
            log.place.as_ref().unwrap().keys("packs/").into_iter().filter(|k| k.contains(&format!("/{seal:020}-"))).collect();
        assert_eq!(named.len(), 1, "{what}: packs of seal {seal}: {named:?}");
        packs += 1;
    }
    assert_eq!(log.place.as_ref().unwrap().keys("packs/").len(), packs, "{what}: packs of no seal");
    found
}

/// Everything that was acknowledged is in the log, and its content in the vault.
pub(crate) async fn acknowledged_are_whole(log: &TestLog, acknowledged: &[u64], what: &str) {
    let vault = log.place.as_ref().unwrap().vault();
    let contents = log.check_log().await;
    for n in acknowledged {
        let seal = contents.records.get(&id(*n)).unwrap_or_else(|| panic!("{what}: record {n} is not in the log"))[0];
        let sealed_at = contents.files[usize::try_from(seal).unwrap()].statement.sealed_at;
        let entries = vault.content(seal, sealed_at, id(*n)).await.unwrap().entries;
        assert!(
            entries.iter().any(|e| e.content.as_slice() == said(*n).as_bytes()),
            "{what}: record {n} was acknowledged without its content"
        );
    }
}
