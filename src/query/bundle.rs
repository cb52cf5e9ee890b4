//! The proof bundle `spanseal.proof/1` of a record that was found (`store.md`, "The proof bundle").
//!
//! One segment and one seal are enough: the seal's own checkpoint has tree size `index + 1`, and its frontier, reversed, is the inclusion
//! path of its entry. So a bundle costs one read however long the log is.
//!
//! KNOWN GAP: cosignatures and time stamps are left out until this program writes them; a bundle proves *signed*, and *published* by
//! whatever checkpoint the auditor kept.

use std::sync::Arc;

use super::log::LogReader;
use super::{Hit, Problem, segment};
use crate::record::canonical::Json;
use crate::tlog::merkle::{inclusion_path, leaf_hash, root_from_inclusion, root_of};
use crate::tlog::seal_file::SealFile;
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::WormStore;

/// The format's name.
pub const FORMAT: &str = "spanseal.proof/1";

/// Makes the bundle of a hit. What it says is checked before it leaves: a bundle that does not hold is a problem, not an answer.
pub async fn bundle(store: &Arc<dyn WormStore>, log: &LogReader, hit: &Hit) -> Result<Json, Problem> {
    let place = &hit.place;
    let problem = |what: String| Problem { object: format!("{}/{}", place.log, place.segment.key), what };
    let stored = segment::fetch(store.as_ref(), &place.log, &place.segment).await?;
    let described = Arc::clone(&place.segment);
    let hashed = tokio::task::spawn_blocking(move || {
        let mut leaves = Vec::new();
        segment::lines(&stored, &described, |_, line| leaves.push(leaf_hash(line))).map(|()| leaves)
    });
    let leaves = hashed.await.map_err(|e| problem(e.to_string()))?.map_err(problem)?;
    let (index, size) = (LeafIndex(place.leaf_index), TreeSize(place.segment.records));
    let path = inclusion_path(index, &leaves).ok_or_else(|| problem("the record's line is not there any more".to_owned()))?;
    if root_of(&leaves) != place.segment.merkle_root
        || root_from_inclusion(leaf_hash(&hit.line), index, size, &path) != Some(place.segment.merkle_root)
    {
        return Err(problem("its lines do not lead to the root that the seal signed; run `spanseal verify`".to_owned()));
    }
    let mut rotations = Vec::new();
    for at in log.rotations().filter(|at| *at < place.seal.statement.index) {
        let seals = log.seals(at..at + 1).await.map_err(|e| problem(e.to_string()))?;
        let seal = seals.found.get(&at).ok_or_else(|| problem(format!("seal {at}, which changes the key, cannot be read")))?;
        rotations.push(Json::Object(sealed(seal).map_err(problem)?));
    }
    let number = |n: u64| Json::String(n.to_string());
    let line = std::str::from_utf8(&hit.line).map_err(|e| problem(e.to_string()))?;
    let mut members = vec![
        ("format".to_owned(), Json::string(FORMAT)),
        ("record".to_owned(), Json::string(line)),
        (
            "segment".to_owned(),
            Json::object([("leaf_index", number(index.0)), ("tree_size", number(size.0)), ("path", hashes(path.iter()))]),
        ),
        ("cosignatures".to_owned(), Json::Array(Vec::new())),
        ("timestamps".to_owned(), Json::Array(Vec::new())),
        ("rotations".to_owned(), Json::Array(rotations)),
    ];
    members.extend(sealed(&place.seal).map_err(problem)?);
    Ok(Json::Object(members))
}

/// `statement`, `log` and `checkpoint` of a seal.
fn sealed(seal: &SealFile) -> Result<Vec<(String, Json)>, String> {
    let statement = Json::parse(&seal.entry).map_err(|e| e.to_string())?;
    let index = seal.statement.index;
    let log = Json::object([
        ("index", Json::String(index.to_string())),
        ("tree_size", Json::String((index + 1).to_string())),
        ("path", hashes(seal.frontier.nodes().iter().rev())),
    ]);
    Ok(vec![("statement".to_owned(), statement), ("log".to_owned(), log), ("checkpoint".to_owned(), Json::string(&seal.checkpoint))])
}

fn hashes<'a>(path: impl Iterator<Item = &'a Hash>) -> Json {
    Json::Array(path.map(|hash| Json::String(hash.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::filter::Filter;
    use super::super::fixtures::TestLog;
    use super::super::scan::{Request, scan};
    use super::*;
    use crate::tlog::note::Checkpoint;
    use crate::tlog::seal_file::Statement;
    use indicatif::ProgressBar;

    async fn bundles(log: &TestLog, id: &str) -> Vec<Result<Json, Problem>> {
        let store: Arc<dyn WormStore> = Arc::new(log.store.clone());
        let filter = Filter { record_id: Some(id.to_owned()), ..Filter::default() };
        let answer = scan(&store, &Request { filter, ..Request::default() }, &ProgressBar::hidden()).await.unwrap();
        let mut all = Vec::new();
        for hit in &answer.hits {
            all.push(bundle(&store, &answer.logs[0], hit).await);
        }
        all
    }

    /// Follows a bundle by hand, from the line to the signed root.
    #[tokio::test]
    async fn a_bundle_leads_from_the_line_to_the_signed_root() {
        let lines: Vec<String> = (0..7)
            .map(|i| format!(r#"{{"id":"a{i}","schema":"spanseal.record/1","time":{{"start":"2026-11-20T10:00:0{i}.000000000Z"}}}}"#))
            .collect();
        let mut log = TestLog::new(TestLog::store(), "log").await;
        log.seal(&[]).await;
        log.seal_with(&[], Some([8; 32])).await;
        log.seal(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        log.seal(&[]).await;
        let key = log.vkey();
        for (i, line) in lines.iter().enumerate() {
            let made = bundles(&log, &format!("a{i}")).await.pop().unwrap().unwrap();
            let text = |path: &str| made.path(path).and_then(Json::as_str).unwrap().to_owned();
            let path = |path: &str| -> Vec<Hash> {
                made.path(path).and_then(Json::as_array).unwrap().iter().map(|h| Hash::parse_hex(h.as_str().unwrap()).unwrap()).collect()
            };
            assert_eq!(&text("record"), line);
            let statement = Statement::parse(made.get("statement").unwrap()).unwrap();
            let leaf = LeafIndex(text("segment.leaf_index").parse().unwrap());
            let root = root_from_inclusion(leaf_hash(line.as_bytes()), leaf, TreeSize(7), &path("segment.path"));
            assert_eq!(root, Some(statement.segments[0].merkle_root));
            let checkpoint = Checkpoint::open(&text("checkpoint"), &key).unwrap();
            let entry = leaf_hash(&made.get("statement").unwrap().to_jcs());
            assert_eq!(root_from_inclusion(entry, LeafIndex(2), checkpoint.size, &path("log.path")), Some(checkpoint.root));
            assert_eq!(text("log.tree_size"), "3");
            let rotations = made.get("rotations").and_then(Json::as_array).unwrap();
            assert_eq!(rotations.len(), 1);
            assert!(rotations[0].path("statement.next_vkey").is_some());
        }
    }

    /// A seal whose root does not fit its segment gives no bundle.
    #[tokio::test]
    async fn a_record_that_does_not_lead_to_the_root_gets_no_proof() {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        log.seal(&[r#"{"id":"aa","schema":"spanseal.record/1"}"#]).await;
        let store: Arc<dyn WormStore> = Arc::new(log.store.clone());
        let answer = scan(&store, &Request::default(), &ProgressBar::hidden()).await.unwrap();
        let mut hit = answer.hits[0].clone();
        hit.line = bytes::Bytes::from_static(br#"{"id":"bb","schema":"spanseal.record/1"}"#);
        let refused = bundle(&store, &answer.logs[0], &hit).await.unwrap_err();
        assert!(refused.what.contains("do not lead to the root"), "{refused}");
    }
}
