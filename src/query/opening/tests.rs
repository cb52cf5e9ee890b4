use std::sync::Arc;

use super::*;
use crate::query::fixtures::{SEALED, hit};
use crate::record::apart::{Apart, Piece, SALT_BYTES};
use crate::record::content::Scheme;
use crate::vault::{Options, Vault, VaultKey, open_place};
use crate::worm::{StoreOptions, StoreUrl};

const ID: &str = "1dba67c70ef7d7906342e3d531ba6ffd";

fn committed(content: &str) -> String {
    let text = commitment_text(&commitment(&[7; SALT_BYTES], content.as_bytes()));
    format!(r#"{{"bytes":"1","captured":"vault","commitment":"{text}","scheme":"utf8"}}"#)
}

fn record(members: &str) -> String {
    format!(r#"{{"id":"{ID}","kind":"inference",{members},"schema":"spanseal.record/1","trace":{{"trace_id":"t1"}}}}"#)
}

/// Vaults in a folder, with this content of the record in seal 3 of the log.
async fn vaults(folder: &tempfile::TempDir, content: &[(&'static str, &str)]) -> Vaults {
    let store = open_place(&StoreUrl::File(folder.path().join("vault")), &StoreOptions::default()).await.unwrap();
    let vaults = Vaults { store: Arc::clone(&store), key: VaultKey::new(&[7; 32]) };
    let vault = Vault::new(Options { store, log: "log".into(), key: vaults.key.clone() });
    let mut apart = Apart::default();
    for (member, text) in content {
        let from = apart.bytes.len();
        apart.bytes.extend_from_slice(text.as_bytes());
        let (record, content) = (RecordId::parse(ID).unwrap(), from..apart.bytes.len());
        apart.pieces.push(Piece { record, member: (*member).into(), scheme: Scheme::Utf8, salt: [7; SALT_BYTES], content });
    }
    let _packs = vault.put(3, UnixSeconds(SEALED + 3), vec![apart]).await.unwrap();
    vaults
}

fn states(opened: &[(Held, Opened)]) -> Vec<String> {
    let state = |opened: &Opened| match opened {
        Opened::Content(entry) => String::from_utf8(entry.content.to_vec()).unwrap(),
        Opened::Absent => "absent".to_owned(),
        Opened::Other => "other".to_owned(),
        Opened::Unasked(why) => why.clone(),
    };
    opened.iter().map(|(held, opened)| format!("{} {}", held.member, state(opened))).collect()
}

#[tokio::test]
async fn content_is_shown_only_where_it_is_what_was_committed_to() {
    let folder = tempfile::tempdir().unwrap();
    let vaults =
        vaults(&folder, &[("input", "hello"), ("retrieval.documents[1].content", "deux"), ("output", "forged"), ("rest", "x")]).await;
    let line = record(&format!(
        r#""attributes":{{"a":{},"captured":"vault"}},"input":{},"output":{},"prompt":{{"instructions":{{"captured":"hash","hash":"h"}}}},"retrieval":{{"documents":[{{"id":"a"}},{{"content":{}}},{{"content":{}}}]}}"#,
        committed("no content object"),
        committed("hello"),
        committed("genuine"),
        committed("deux"),
        committed("three"),
    ));
    let (found, problems) = open(&vaults, &hit(3, &line)).await;
    assert!(problems.is_empty());
    let shown = ["input hello", "output other", "retrieval.documents[1].content deux", "retrieval.documents[2].content absent"];
    assert_eq!(states(&found), shown);
    assert!(states(&open(&vaults, &hit(4, &line)).await.0).iter().all(|state| state.ends_with("absent")), "another seal");
    // Of two records of one id that say different things, each has its own; what is the other's is no forgery.
    let mut contradicted = hit(3, &line);
    contradicted.standing = Standing::Conflict;
    assert_eq!(states(&open(&vaults, &contradicted).await.0)[1], "output absent");
    let other = Vaults { key: VaultKey::new(&[8; 32]), ..vaults };
    assert!(states(&open(&other, &hit(3, &line)).await.0)[0].contains("bring the right key file"), "another key");
}

#[test]
fn what_is_gone_is_explained_by_an_erasure_or_by_time_or_not_at_all() {
    const ALICE: &str = "ps:vault:abababababababababababababababab";
    const BOB: &str = "ps:vault:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
    let erasure = |seal: u64, control: &str| {
        hit(
            seal,
            &format!(
                r#"{{"control":{{"act":"erase","ground":"Art. 17","target":{control}}},"id":"e1","kind":"erasure","schema":"spanseal.record/1","source":{{"signal":"control"}},"time":{{"start":"2026-11-21T10:00:00.000000000Z"}}}}"#
            ),
        )
    };
    let child = hit(3, &record(&format!(r#""input":{}"#, committed("x"))));
    let root = hit(3, &record(&format!(r#""subject":{{"id":"{ALICE}"}}"#)).replace(ID, "00"));
    let elsewhere = hit(3, &record(&format!(r#""subject":{{"id":"{BOB}"}}"#)).replace("\"t1\"", "\"t2\""));
    let of_traces = [root, elsewhere, child.clone()];
    let why = |erasures: &[Hit], retention: Option<&str>, now: i64| {
        let retention = retention.map(|r| r.parse().unwrap());
        let erasures = Erasures::new(erasures.to_vec());
        Reasons { erasures: &erasures, of_traces: &of_traces, retention, now: UnixSeconds(SEALED + now) }.of(&child)
    };
    let by = |record: &str| {
        Gone::Erased(Erasure {
            at: "2026-11-21T10:00:00.000000000Z".into(),
            ground: "Art. 17".into(),
            record: record.into(),
            later: Vec::new(),
        })
    };
    let erased = by("e1");
    assert_eq!(why(&[erasure(9, &format!("\"{ALICE}\""))], None, 0), erased, "the person stands in another record of the trace");
    assert_eq!(why(&[erasure(9, &format!("\"{ID}\""))], None, 0), erased);
    let of_record = erasure(10, &format!("\"{ID}\"")).line;
    let of_record = hit(10, &String::from_utf8(of_record.to_vec()).unwrap().replace("\"e1\"", "\"e2\""));
    let both = why(&[erasure(9, &format!("\"{ALICE}\"")), of_record], None, 0);
    assert_eq!(both, by("e2"), "the one that names the record itself");
    let further = format!(r#""ps:66687aad:00","filter":"{{\"persons\":[\"{ALICE}\"]}}""#);
    assert_eq!(why(&[erasure(9, &further)], None, 0), erased);
    for (erasures, what) in [
        (vec![], "none"),
        (vec![erasure(9, &format!("\"{BOB}\""))], "of somebody else"),
        (vec![erasure(2, &format!("\"{ALICE}\""))], "before it was sealed"),
    ] {
        assert_eq!(why(&erasures, Some("30d"), 0), Gone::Unexplained, "{what}");
        assert_eq!(why(&erasures, Some("30d"), 32 * 86_400), Gone::Expired("30d".parse().unwrap()), "{what}");
    }
    // One that says what it took, took that and nothing else, whomever the trace names.
    let saying = |records: &str| erasure(9, &format!(r#""{ALICE}","filter":"{{\"records\":[{records}],\"scope\":\"person\"}}""#));
    assert_eq!(why(&[saying(&format!(r#"[\"20261120\",\"3\",\"{ID}\"]"#))], None, 0), erased);
    for (records, what) in [
        (String::new(), "nothing"),
        (format!(r#"[\"20261120\",\"4\",\"{ID}\"]"#), "of another seal"),
        (r#"[\"20261120\",\"3\",\"00000000000000000000000000000000\"]"#.to_owned(), "another record"),
    ] {
        assert_eq!(why(&[saying(&records)], None, 0), Gone::Unexplained, "{what}");
    }
}

/// Scenario: a junk file, and one of ours that is damaged, lie beside a seal's true pack. Guarantee: what the true one holds is shown; what
/// it does not hold is not passed off as gone, and the file is named.
#[tokio::test]
async fn junk_beside_a_pack_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vaults = vaults(&folder, &[("input", "hello")]).await;
    let line = record(&format!(r#""input":{},"output":{}"#, committed("hello"), committed("lost")));
    let day = std::fs::read_dir(folder.path().join("vault/log/packs")).unwrap().next().unwrap().unwrap().path();
    let pack = std::fs::read_dir(&day).unwrap().next().unwrap().unwrap();
    let name = pack.file_name().into_string().unwrap();
    let seal = name.split_once('-').unwrap().0;
    std::fs::write(day.join(format!("{seal}-notes of mine")), "x").unwrap();
    let (found, problems) = open(&vaults, &hit(3, &line)).await;
    assert_eq!((states(&found), problems), (vec!["input hello".to_owned(), "output absent".to_owned()], Vec::<String>::new()));
    std::fs::write(day.join(format!("{seal}-0000000000000000")), std::fs::read(pack.path()).unwrap()).unwrap();
    let (found, problems) = open(&vaults, &hit(3, &line)).await;
    assert_eq!(states(&found)[0], "input hello");
    assert!(states(&found)[1].contains("-0000000000000000`: it does not open"), "{:?}", states(&found));
    assert_eq!(problems.len(), 1, "{problems:?}");
}

/// Scenario: three erasures concern a person, and were found in another order than they were sealed in. Guarantee: told is the first, which
/// made it true, and the later ones by their records.
#[test]
fn of_several_erasures_the_first_is_told_and_the_others_are_named() {
    const ALICE: &str = "ps:vault:abababababababababababababababab";
    let erasure = |seal: u64| {
        hit(
            seal,
            &format!(
                r#"{{"control":{{"act":"erase","filter":"{{\"records\":[[\"20261120\",\"3\",\"{ID}\"]]}}","ground":"of seal {seal}","target":"{ALICE}"}},"id":"e{seal}","kind":"erasure","schema":"spanseal.record/1","source":{{"signal":"control"}},"time":{{"start":"2026-11-21T10:00:00.000000000Z"}}}}"#
            ),
        )
    };
    let erasures = Erasures::new([9, 7, 8].map(erasure).to_vec());
    let log = erasure(7).place.log;
    let told = erasures.of_persons(&log).remove(&[0xab; 16]).unwrap();
    assert_eq!((told.ground.as_str(), told.record.as_str(), told.later), ("of seal 7", "e7", vec!["e8".to_owned(), "e9".to_owned()]));
    let content = hit(3, &record(&format!(r#""input":{}"#, committed("x"))));
    assert_eq!(erasures.that_took(&content).unwrap().record, "e7");
}
