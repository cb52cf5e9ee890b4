//! `spanseal check`: a proof bundle against the key that an auditor brings. No store, no network.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::output;
use crate::cli::CheckArgs;
use crate::tlog::note::VerifierKey;
use crate::verify::{Bundle, CheckReport, Proved, check};

/// Longest bundle that is read, bytes: a record of 1 MiB and its openings are far below.
const BUNDLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs it.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    // Offline there is nothing else that a key could come from, and a proof without a key proves nothing.
    anyhow::ensure!(
        !args.keys.vkey.is_empty(),
        "nothing was checked: a proof is checked against the log's public key; bring it with `--vkey` or SPANSEAL_VKEY"
    );
    let bytes = read(&args.proof).with_context(|| format!("the proof `{}` cannot be read", args.proof.display()))?;
    let report = check(&bytes, key_for(&bytes, &args.keys.vkey)?);
    output::answer(&if args.json { to_json(&report) } else { report.to_text() })?;
    Ok(ExitCode::from(report.verdict.exit_code()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        stdin().lock().take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    anyhow::ensure!(u64::try_from(read?)? <= BUNDLE_BYTES_MAX, "it is longer than any proof ({BUNDLE_BYTES_MAX} bytes)");
    Ok(bytes)
}

/// Of several keys the one of the log that the bundle names. The bundle only chooses which of the auditor's keys must have signed it.
fn key_for<'k>(bundle: &[u8], keys: &'k [VerifierKey]) -> anyhow::Result<&'k VerifierKey> {
    let named = Bundle::parse(bundle).ok().and_then(|b| b.statement.get("log")?.as_str().map(str::to_owned));
    let fitting = keys.iter().find(|key| named.as_deref() == Some(key.name()));
    fitting.or(keys.first()).context("a proof is checked against the log's public key: bring it with `--vkey`")
}

fn to_json(report: &CheckReport) -> String {
    let json = match &report.result {
        Ok(proved) => proved_json(report, proved),
        Err(error) => serde_json::json!({ "verdict": report.verdict, "reason": error.to_string() }),
    };
    format!("{json:#}\n")
}

fn proved_json(report: &CheckReport, proved: &Proved) -> serde_json::Value {
    serde_json::json!({
        "verdict": report.verdict,
        "record_id": proved.record_id,
        "kind": proved.kind,
        "log": proved.statement.log,
        "seal": proved.statement.index,
        "sealed_at": proved.statement.sealed_at.to_string(),
        "segment": proved.segment.key,
        "leaf_index": proved.leaf_index,
        "tree_size": proved.tree_size,
        "root": proved.root.to_string(),
        "key": proved.key.to_string(),
        "rotations": proved.rotations,
        "cosignatures": proved.cosignatures,
        "timestamps": proved.timestamps,
        "opened": proved.opened,
        "not_worm": proved.statement.not_worm,
    })
}
