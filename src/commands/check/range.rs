//! The JSON of a proof of several records.

use serde_json::{Value, json};

use super::{doubt_json, kept_json, says_json, seen_json, stamped_json, under_json};
use crate::tlog::RootHash;
use crate::verify::{Between, CheckReport, End, Lapse, RangeDoubt, RangeProved, ShownRecord, Storage};

pub(super) fn to_json(report: &CheckReport<RangeProved>) -> String {
    let json = match &report.result {
        Ok(proved) => proved_json(report, proved),
        Err(error) => json!({ "verdict": report.verdict, "reason": error.to_string() }),
    };
    format!("{json:#}\n")
}

fn proved_json(report: &CheckReport<RangeProved>, proved: &RangeProved) -> Value {
    let doubts = proved.doubts.iter().map(|RangeDoubt { seal, doubt }| {
        let mut found = doubt_json(doubt);
        if let Some(members) = found.as_object_mut() {
            members.insert("seal".to_owned(), json!(seal));
        }
        found
    });
    json!({
        "verdict": report.verdict,
        "log": proved.log,
        "records": proved.shown.iter().map(record_json).collect::<Vec<_>>(),
        // Of a proof with two ends; all else that the log sealed is outside of them.
        "between": proved.between.as_ref().map(between_json),
        "first_seal": proved.seals.0,
        "last_seal": proved.seals.1,
        "seals": proved.seal_count,
        "first_sealed_at": proved.sealed.0.to_string(),
        "last_sealed_at": proved.sealed.1.to_string(),
        "tree_size": proved.tree_size,
        "root": RootHash(proved.root).to_string(),
        "key": proved.key.to_string(),
        "rotations": proved.rotations,
        "under": under_json(&proved.under),
        "elsewhere": proved.referred,
        // Records of which only bytes and places were judged.
        "schema_not_known": proved.other_schema,
        // As in the JSON of one record's proof.
        "published": proved.is_published(),
        "existed_by": proved.existed_by().map(|at| at.to_string()),
        "checkpoint": kept_json(proved.kept),
        "quorum": proved.asked,
        "seen": proved.seen.iter().map(seen_json).collect::<Vec<_>>(),
        "timestamps": proved.stamps.trusted.iter().map(|stamped| stamped_json(stamped, proved.now)).collect::<Vec<_>>(),
        "storage": proved.storage.iter().map(storage_json).collect::<Vec<_>>(),
        "not_worm": proved.not_worm > 0,
        "not_worm_seals": proved.not_worm,
        // By whoever made the bundle; no signature covers it.
        "incomplete": proved.incomplete,
        "findings": doubts.collect::<Vec<_>>(),
        "findings_more": proved.doubts_more,
        // Whatever stands here stands in the bundle and proves nothing: a script must not take the number of cosignatures for cosigned.
        "not_verified": {
            "cosignatures": proved.cosignatures.saturating_add(proved.false_cosignatures),
            "timestamps": proved.stamps.uncounted.len(),
            "members": proved.unknown.names,
            "members_more": proved.unknown.more,
        },
    })
}

fn record_json(record: &ShownRecord) -> Value {
    json!({
        "record_id": record.record_id,
        "kind": record.kind,
        "says": says_json(&record.says),
        "seal": record.seal,
        "segment": record.segment,
        "leaf_index": record.leaf_index,
    })
}

pub(super) fn storage_json(storage: &Storage) -> Value {
    json!({
        "class": storage.class,
        "mode": storage.mode.as_str(),
        "retain_until": storage.retain_until.to_string(),
        "segments": storage.segments,
    })
}

fn gap_json(gap: &Lapse) -> Value {
    json!({ "seal": gap.seal, "from": gap.from.to_string(), "to": gap.to.to_string() })
}

fn end_json(end: &End) -> Value {
    json!({ "seal": end.seal, "segment": end.segment, "leaf_index": end.leaf_index.0 })
}

fn between_json(between: &Between) -> Value {
    // Sums of what a log says may be beyond what JSON readers take for a whole number.
    let count = |n: u128| u64::try_from(n).map_or_else(|_| json!(n.to_string()), |n| json!(n));
    json!({
        "from": end_json(&between.from),
        "to": end_json(&between.to),
        "records": count(between.records),
        "shown": between.shown,
        "withheld": count(between.withheld()),
        "unordered": count(between.unordered),
        "heartbeats": between.heartbeats,
        "silences": between.silences.iter().map(gap_json).collect::<Vec<_>>(),
        "unpromised": between.unpromised,
        "restarts": between.restarts.iter().map(gap_json).collect::<Vec<_>>(),
        "counts": between.counts,
    })
}
