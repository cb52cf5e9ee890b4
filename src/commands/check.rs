//! `spanseal check`: a proof bundle against the key that an auditor brings. No store, no network.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, stdin};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::output;
use crate::cli::{CheckArgs, KeptFile};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::record::content::Referred;
use crate::tlog::note::VerifierKey;
use crate::tlog::{Hash, RootHash};
use crate::verify::{CheckReport, Checked, Doubt, Kept, Others, Proof, Proved, RangeBundle, SeenBy, Stamped, Under};

mod range;

/// Runs it.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    // Offline there is nothing else that a key could come from, and a proof without a key proves nothing.
    anyhow::ensure!(
        !args.keys.vkey.is_empty(),
        "nothing was checked: a proof is checked against the log's public key; bring it with `--vkey` or SPANSEAL_VKEY"
    );
    let bytes = read(&args.proof).with_context(|| format!("the proof `{}` cannot be read", args.proof.display()))?;
    if let Some(kept) = &args.checkpoint {
        expect_elsewhere(&args.proof, &bytes, kept)?;
    }
    let others = Others {
        tsa_roots: args.tsa_roots.joined(),
        witnesses: args.trust.witness.clone(),
        quorum: args.trust.quorum,
        kept: args.checkpoint.as_ref().map(|kept| kept.checkpoint.clone()),
        other_keys: Vec::new(),
    };
    let proof = Proof::parse(&bytes);
    // What is read of a long one is held once more in the proof.
    drop(bytes);
    let now = SystemClock.now().ceil_seconds();
    let mut checked: Option<Checked> = None;
    let keys = keys_for(proof.as_ref().ok(), &args.keys.vkey);
    for key in &keys {
        let other_keys = keys.iter().filter(|other| *other != key).map(|other| (*other).clone()).collect();
        let under = Checked::of(proof.as_ref().map_err(Clone::clone), key, &Others { other_keys, ..others.clone() }, now);
        if !under.is_refused() {
            checked = Some(under);
            break;
        }
        checked.get_or_insert(under);
    }
    let (text, verdict) = match checked.context("a proof is checked against the log's public key: bring it with `--vkey`")? {
        Checked::Record(report) => (if args.json { to_json(&report) } else { report.to_text() }, report.verdict),
        Checked::Range(report) => (if args.json { range::to_json(&report) } else { report.to_text() }, report.verdict),
    };
    if args.json {
        output::answer_json(&text)?
    } else {
        output::answer(&text)?
    }
    Ok(ExitCode::from(verdict.exit_code()))
}

/// A proof agrees with itself, whatever it says: it is no checkpoint that was kept. A copy in another form cannot be told from one.
fn expect_elsewhere(proof: &Path, bytes: &[u8], kept: &KeptFile) -> anyhow::Result<()> {
    let place = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let is_same = proof != Path::new("-") && place(proof).is_some() && place(proof) == place(&kept.path);
    anyhow::ensure!(
        !is_same && Hash::of(bytes) != kept.sha256,
        "nothing was checked: the checkpoint that you kept, `{}`, is the proof itself, which agrees with itself whatever it says; give one that you \
         had at another time, or from somebody else",
        kept.path.display()
    );
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let (mut bytes, most) = (Vec::new(), RangeBundle::bytes_max());
    let read = if path == Path::new("-") {
        stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    };
    anyhow::ensure!(u64::try_from(read?)? <= most, "it is longer than any proof ({most} bytes)");
    Ok(bytes)
}

/// Of several keys those of the log that the bundle names, which has several after a change of key; the one that it begins with first. The bundle
/// only chooses which of the auditor's keys must have signed it. As of verifiers of notes everywhere, any of them is enough: the answer says which,
/// and what it shows of the others.
fn keys_for<'k>(proof: Option<&Proof>, keys: &'k [VerifierKey]) -> Vec<&'k VerifierKey> {
    let named = proof.and_then(Proof::log);
    let mut fitting: Vec<&VerifierKey> = keys.iter().filter(|key| named == Some(key.name())).collect();
    fitting.sort_by_key(|key| !proof.is_some_and(|proof| proof.begins_with(key)));
    fitting.dedup();
    if fitting.is_empty() { keys.first().into_iter().collect() } else { fitting }
}

fn to_json(report: &CheckReport) -> String {
    let json = match &report.result {
        Ok(proved) => proved_json(report, proved),
        Err(error) => serde_json::json!({ "verdict": report.verdict, "reason": error.to_string() }),
    };
    format!("{json:#}\n")
}

fn doubt_json(doubt: &Doubt) -> serde_json::Value {
    serde_json::json!({
        "kind": doubt.kind,
        "member": doubt.member,
        "expected": doubt.expected,
        "found": doubt.found,
        "meaning": doubt.meaning,
    })
}

fn seen_json(seen: &SeenBy) -> serde_json::Value {
    serde_json::json!({"name": seen.name, "at": seen.at.to_string(), "doubt": seen.doubt})
}

/// How the checkpoint that the auditor kept stands to the bundle's, in one word; null where he brought none.
fn kept_json(kept: Option<Kept>) -> serde_json::Value {
    serde_json::json!(kept.map(|kept| match kept {
        Kept::Same => "same",
        Kept::Fork => "fork",
        Kept::OtherSize(_) => "other_size",
        Kept::NotSigned(_) => "not_signed",
    }))
}

fn says_json(says: &[(&'static str, String)]) -> serde_json::Value {
    serde_json::json!(says.iter().cloned().collect::<BTreeMap<_, _>>())
}

fn referred_json(named: &Referred) -> serde_json::Value {
    serde_json::json!({"member": named.member, "reference": named.reference, "fetched": named.is_fetched})
}

/// The auditor's keys of the log: the one that counted, and what is shown of the others.
fn under_json(under: &Under) -> serde_json::Value {
    let all = |keys: &[VerifierKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    serde_json::json!({"key": under.key.to_string(), "leads_to": all(&under.led_to), "not_shown": all(&under.not_shown)})
}

fn stamped_json(stamped: &Stamped, now: UnixSeconds) -> serde_json::Value {
    serde_json::json!({
        "not_later_than": stamped.not_later_than.to_string(),
        "accuracy": stamped.accuracy.to_string(),
        "authority": stamped.authority,
        "root": stamped.root,
        "held_until": stamped.held_until.to_string(),
        "is_ahead": stamped.is_ahead(now),
    })
}

fn proved_json(report: &CheckReport, proved: &Proved) -> serde_json::Value {
    serde_json::json!({
        "verdict": report.verdict,
        "record_id": proved.record_id,
        "kind": proved.kind,
        // The record's own words, as its sender reported them.
        "says": says_json(&proved.says),
        // False: what its members mean was not judged.
        "schema_known": proved.other_schema.is_none(),
        "log": proved.statement.log,
        "seal": proved.statement.index,
        "sealed_at": proved.statement.sealed_at.to_string(),
        "segment": proved.segment.key,
        "leaf_index": proved.leaf_index,
        "tree_size": proved.tree_size,
        "root": RootHash(proved.root).to_string(),
        "key": proved.key.to_string(),
        "rotations": proved.rotations,
        "under": under_json(&proved.under),
        "opened": proved.opened,
        "elsewhere": proved.referred.iter().map(referred_json).collect::<Vec<_>>(),
        // By witnesses whom the auditor brought (`quorum` is how many of them he asks for), or the checkpoint that he kept.
        "published": proved.is_published(),
        // By the earliest of the authorities whom he brought; that alone is no publication.
        "existed_by": proved.existed_by().map(|at| at.to_string()),
        "checkpoint": kept_json(proved.kept),
        "quorum": proved.asked,
        "seen": proved.seen.iter().map(seen_json).collect::<Vec<_>>(),
        "timestamps": proved.stamps.trusted.iter().map(|stamped| stamped_json(stamped, proved.now)).collect::<Vec<_>>(),
        "storage": proved.storage().iter().map(range::storage_json).collect::<Vec<_>>(),
        "not_worm": proved.statement.not_worm,
        "findings": proved.doubts.iter().map(doubt_json).collect::<Vec<_>>(),
        // Whatever stands here stands in the bundle and proves nothing: a script must not take the number of cosignatures for cosigned.
        "not_verified": {
            "cosignatures": proved.cosignatures.saturating_add(proved.false_cosignatures),
            "timestamps": proved.stamps.uncounted.len(),
            "members": proved.unknown.names,
            "members_more": proved.unknown.more,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::check;

    const VKEY: &str = "spanseal.example/vectors+845f03b5+AQUcAWj1wCuhANYeY8a1NnMSVIIV/8ssl8Yot9HFk1hE";

    fn json(change: impl FnOnce(&mut serde_json::Value), now: &str) -> serde_json::Value {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format/proof.json");
        let mut proof = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        change(&mut proof);
        let key = VerifierKey::parse(VKEY).unwrap();
        let report = check(proof.to_string().as_bytes(), &key, UnixSeconds::parse(now).unwrap());
        serde_json::from_str(&to_json(&report)).unwrap()
    }

    /// Scenario: a script reads the JSON of a proof to which somebody added cosignatures and members. Guarantee: they stand under
    /// `not_verified` and nowhere else.
    #[test]
    fn what_is_not_verified_stands_apart() {
        let json = json(
            |proof| {
                proof["cosignatures"] = serde_json::json!(["\u{2014} junk.example AAAAAAAAAAAA"]);
                proof["cosigned_by"] = "everybody".into();
            },
            "2026-11-21T00:00:00Z",
        );
        assert_eq!((&json["verdict"], &json["findings"]), (&"verified".into(), &serde_json::json!([])));
        let expected = serde_json::json!({"cosignatures": 1, "timestamps": 0, "members": ["cosigned_by"], "members_more": 0});
        assert_eq!(json["not_verified"], expected);
        let rest: Vec<&String> = json.as_object().unwrap().keys().filter(|name| name.contains("cosign")).collect();
        assert!(rest.is_empty(), "{rest:?}");
        assert_eq!((&json["published"], &json["timestamps"]), (&false.into(), &serde_json::json!([])));
    }

    #[test]
    fn what_cannot_be_true_is_a_finding_with_its_member() {
        let json = json(|_| {}, "2026-11-20T09:00:00Z");
        assert_eq!(json["verdict"], "findings");
        assert_eq!((&json["findings"][0]["kind"], &json["findings"][0]["member"]), (&"sealed_ahead".into(), &"sealed_at".into()), "{json}");
    }
}
