//! The second verifier (`tests/verifier/verify.py`): one process for the whole run, asked with a line, answering with a line.
//!
//! Every store that a test gives to [`verify`] is written to a folder, as a copy of a bucket is: the oldest version of what is evidence, the
//! newest of what is published. The second verifier and ours must say the same of that folder, and neither may pass what ours does not
//! pass in the store itself.

use std::any::Any;
use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;
use spanseal::clock::UnixSeconds;
use spanseal::tlog::Hash;
use spanseal::tlog::note::VerifierKey;
use spanseal::verify::{CheckReport, Kind, Options, Others, RangeProved, Report, Verdict, check_range_with};
use spanseal::worm::WormStore;
use spanseal::worm::local::{LocalOptions, LocalStore};
use spanseal::worm::memory::MemoryStore;

/// What nobody sees in a folder: locks, delete markers, and versions besides the oldest.
const NOT_IN_A_FOLDER: [Kind; 7] =
    [Kind::LockMissing, Kind::LockWeak, Kind::HoldMissing, Kind::Hidden, Kind::ForeignVersion, Kind::Flooded, Kind::Fork];

struct Second {
    child: Child,
    answers: BufReader<ChildStdout>,
}

/// The answer to these arguments; `None` where there is no Python with the two packages, which was said aloud.
pub(crate) fn ask(arguments: &[&str]) -> Option<Value> {
    static SECOND: OnceLock<Option<Mutex<Second>>> = OnceLock::new();
    let mut second = SECOND.get_or_init(|| start().map(Mutex::new)).as_ref()?.lock().unwrap();
    let mut question = serde_json::to_vec(arguments).unwrap();
    question.push(b'\n');
    second.child.stdin.as_mut().unwrap().write_all(&question).unwrap();
    let mut answer = String::new();
    second.answers.read_line(&mut answer).unwrap();
    Some(serde_json::from_str(&answer).unwrap_or_else(|e| panic!("the second verifier answered {arguments:?} with `{answer}`: {e}")))
}

fn start() -> Option<Second> {
    let interpreter = super::tools::tool("verifier", "the second verifier, in Python")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/many.py");
    let mut command = Command::new(interpreter);
    // It ends when this process does: nothing more can come in.
    let mut child = command.arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let answers = BufReader::new(child.stdout.take().unwrap());
    Some(Second { child, answers })
}

/// Verifies, and has the second verifier agree, where it is asked for what that one does: a whole log against one key.
pub(crate) async fn verify<S: WormStore + 'static>(store: &S, options: &Options<'_>) -> Report {
    let report = spanseal::verify::verify(store, options).await;
    let whole = options.from.is_none() && options.to.is_none() && options.since.is_none() && options.progress.is_none();
    let memory = (store as &dyn Any).downcast_ref::<MemoryStore>();
    if let (Some(store), [key], true) = (memory, options.pinned.as_slice(), whole) {
        agree(store, &key.to_string(), options, &report).await;
    }
    report
}

async fn agree(store: &MemoryStore, key: &str, options: &Options<'_>, report: &Report) {
    // A store that gives no answer is no matter of the format.
    let Some(objects) = copied(store).await else { return };
    static SEEN: Mutex<Option<HashSet<Hash>>> = Mutex::new(None);
    let of = [format!("{key} {}", options.now).into_bytes(), serde_json::to_vec(&objects).unwrap()].concat();
    if !SEEN.lock().unwrap().get_or_insert_default().insert(Hash::of(&of)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &objects {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let Some(theirs) = in_folder(folder.path(), key, options.now) else { return };
    let copy = LocalStore::open(folder.path(), LocalOptions::default()).unwrap();
    let ours = spanseal::verify::verify(&copy, options).await;
    same(&ours, &theirs);
    let seen = |kind: &Kind| !NOT_IN_A_FOLDER.contains(kind);
    if report.findings.iter().any(|f| seen(&f.kind)) {
        assert_eq!(theirs["verdict"], "findings", "passed a store with findings: {}", report.to_text());
    } else if report.verdict == Verdict::Verified {
        assert_eq!(theirs["verdict"], "verified", "{theirs:#}\n{}", report.to_text());
    }
}

/// What the second verifier says of a folder.
pub(crate) fn in_folder(folder: &Path, key: &str, now: UnixSeconds) -> Option<Value> {
    ask(&[folder.to_str().unwrap(), "--vkey", key, "--now", &now.to_string()])
}

/// Both say the same, and name the same kinds of findings in the same objects.
#[track_caller]
pub(crate) fn same(ours: &Report, theirs: &Value) {
    let mine: BTreeSet<(String, String)> = ours.findings.iter().map(|f| (f.kind.as_str().to_owned(), f.object.clone())).collect();
    let word = |f: &Value, name: &str| f[name].as_str().unwrap().to_owned();
    let others: BTreeSet<(String, String)> =
        theirs["findings"].as_array().unwrap().iter().map(|f| (word(f, "kind"), word(f, "object"))).collect();
    let verdict = serde_json::to_value(ours.verdict).unwrap();
    assert_eq!((&verdict, &mine), (&theirs["verdict"], &others), "the second verifier: {theirs:#}\nours: {}", ours.to_text());
}

/// What a copy holds; `None` where the store cannot be read.
async fn copied(store: &MemoryStore) -> Option<Vec<(String, Vec<u8>)>> {
    let mut objects = Vec::new();
    for key in store.keys() {
        let versions = store.versions(&key).await.ok()?;
        let published = key.as_str().ends_with("/checkpoint") || key.as_str().contains("/tile/");
        let oldest = versions.iter().rev().find(|v| !v.is_delete_marker);
        let Some(chosen) = (if published { versions.first().filter(|v| !v.is_delete_marker) } else { oldest }) else { continue };
        let bytes = store.get(&key, chosen.id.as_ref(), u64::MAX).await.ok()??;
        objects.push((key.as_str().to_owned(), bytes.to_vec()));
    }
    Some(objects)
}

/// Checks a proof; the second verifier must come to the same verdict.
#[track_caller]
pub(crate) fn check(bundle: &[u8], key: &VerifierKey, now: UnixSeconds) -> CheckReport {
    let report = spanseal::verify::check(bundle, key, now);
    agrees(bundle, key, now, report.verdict, &report.to_text());
    report
}

/// The same of a proof of several records; both must count alike what lies between the ends.
#[track_caller]
pub(crate) fn check_range(bundle: &[u8], key: &VerifierKey, now: UnixSeconds) -> CheckReport<RangeProved> {
    let report = check_range_with(bundle, key, &Others::default(), now);
    if let Some(theirs) = agrees(bundle, key, now, report.verdict, &report.to_text())
        && let Ok(Some(between)) = report.result.as_ref().map(|proved| proved.between.as_ref())
    {
        let counted = [&theirs["between"], &theirs["withheld"]].map(Value::to_string);
        assert_eq!(counted, [between.records.to_string(), between.withheld().to_string()], "{theirs:#}\n{}", report.to_text());
    }
    report
}

#[track_caller]
fn agrees(bundle: &[u8], key: &VerifierKey, now: UnixSeconds, verdict: Verdict, ours: &str) -> Option<Value> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bundle).unwrap();
    let theirs = ask(&["check", file.path().to_str().unwrap(), "--vkey", &key.to_string(), "--now", &now.to_string()])?;
    assert_eq!(theirs["verdict"], serde_json::to_value(verdict).unwrap(), "the second verifier: {theirs:#}\nours: {ours}");
    Some(theirs)
}
