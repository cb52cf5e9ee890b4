//! The auditor's part of the demo: verification of the store, of one proof, and of a forged copy.

use std::sync::Arc;

use anyhow::{Context, bail};

use crate::clock::{Clock, SystemClock};
use crate::commands::output;
use crate::tlog::note::VerifierKey;
use crate::verify::{self, Options, Report, Verdict};
use crate::worm::WormStore;

async fn report(store: &Arc<dyn WormStore>, log: &str, vkey: &VerifierKey) -> Report {
    let mut options = Options::new(SystemClock.now().ceil_seconds());
    options.logs = vec![log.to_owned()];
    options.pinned = vec![vkey.clone()];
    verify::verify(store.as_ref(), &options).await
}

/// One line about a store that verifies; anything else is an error.
pub(super) async fn verified(store: &Arc<dyn WormStore>, log: &str, vkey: &VerifierKey) -> anyhow::Result<String> {
    let report = report(store, log, vkey).await;
    if report.verdict != Verdict::Verified {
        output::tell_lines(&report.to_text());
        bail!("the store that the demo just wrote does not verify: see above");
    }
    let covered = report.logs.first().context("nothing was verified")?;
    Ok(format!("verified: {} seals, {} segments, {} records, every byte read", covered.seals, covered.segments, covered.records))
}

/// One line about a proof that holds; anything else is an error.
pub(super) fn checked(bundle: &[u8], vkey: &VerifierKey) -> anyhow::Result<String> {
    let report = verify::check(bundle, vkey, SystemClock.now().ceil_seconds());
    match (report.verdict, &report.result) {
        (Verdict::Verified, Ok(proved)) => Ok(format!(
            "proved by {} bytes, without the store: line {} of seal {}, signed by this key",
            bundle.len(),
            proved.leaf_index + 1,
            proved.statement.index
        )),
        _ => {
            output::tell_lines(&report.to_text());
            bail!("the proof that the demo just made does not hold: see above")
        }
    }
}

/// What verification finds in a forged copy, one line a finding; finding nothing is an error.
pub(super) async fn found(copy: &Arc<dyn WormStore>, log: &str, vkey: &VerifierKey) -> anyhow::Result<Vec<String>> {
    let report = report(copy, log, vkey).await;
    if report.verdict != Verdict::Findings {
        output::tell_lines(&report.to_text());
        bail!("verification did not find the forgery: see above");
    }
    Ok(report.findings.iter().map(|found| format!("found: {}: {}", found.object, found.meaning)).collect())
}
