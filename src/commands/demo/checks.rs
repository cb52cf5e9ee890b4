//! The auditor's part of the demo: verification of the store, of one proof, and of a forged copy.

use std::sync::Arc;

use anyhow::bail;
use indicatif::ProgressBar;

use crate::query::log::{KeySource, TrustedKey};
use crate::query::scan::{Request, scan};
use crate::tlog::note::VerifierKey;
use crate::worm::WormStore;

async fn read_all(store: &Arc<dyn WormStore>, vkey: &VerifierKey) -> anyhow::Result<crate::query::scan::Answer> {
    let request = Request { trusted: vec![TrustedKey { key: vkey.clone(), source: KeySource::Pinned }], ..Request::default() };
    Ok(scan(store, &request, &ProgressBar::hidden()).await?)
}

/// One line about a store that verifies; anything else is an error.
pub(super) async fn verified(store: &Arc<dyn WormStore>, vkey: &VerifierKey) -> anyhow::Result<String> {
    let answer = read_all(store, vkey).await?;
    if let Some(problem) = answer.problems.first() {
        bail!("the store does not verify: {problem}");
    }
    Ok(format!("verified: {} seals, {} segments, {} records", answer.totals.seals, answer.totals.segments, answer.totals.records))
}

/// One line about a proof that holds; anything else is an error.
pub(super) fn checked(_bundle: &[u8], _vkey: &VerifierKey) -> anyhow::Result<String> {
    Ok("(check is not built in yet)".to_owned())
}

/// What verification finds in a forged copy; finding nothing is an error.
pub(super) async fn found(copy: &Arc<dyn WormStore>, vkey: &VerifierKey) -> anyhow::Result<Vec<String>> {
    let answer = read_all(copy, vkey).await?;
    if answer.problems.is_empty() {
        bail!("the forgery was not found");
    }
    Ok(answer.problems.iter().map(ToString::to_string).collect())
}
