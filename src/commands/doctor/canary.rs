//! Whether the store's locks hold: a canary is put and attacked ([`try_locks`]).

use super::Report;
use super::checks::is_lockable;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::worm::canary::{Finding, try_locks};
use crate::worm::{self, Mode, WormStore};

const NAME: &str = "canary";

/// Runs all of it, or says why not.
pub(super) async fn check(config: &Config, store: Option<&dyn WormStore>, skip: bool, report: &mut Report) {
    let Some(_) = store else { return };
    if !is_lockable(config) {
        return report.warning(NAME, "this store has no locks to try");
    }
    if skip {
        return report.warning(NAME, "skipped (--no-canary): whether the store enforces locks was not tried");
    }
    // Opened anew: deleting is no part of the store's contract.
    let store = match worm::open_probed(&config.store.url, &config.store.options()).await {
        Ok(Some(store)) => store,
        Ok(None) => return,
        Err(error) => return report.unchecked(NAME, error.to_string()),
    };
    // The strongest mode that is configured is the one to be sure of.
    let mode = config.retention.classes.iter().map(|(_, c)| c.mode).max().unwrap_or(Mode::Governance);
    for finding in try_locks(store.as_ref(), mode, &SystemClock).await {
        match finding {
            Finding::Good(said) => report.ok(NAME, said),
            Finding::Odd(said) => report.warning(NAME, said),
            Finding::Bad(said) | Finding::NotPut(said) => report.problem(NAME, said),
            Finding::Unknown(said) => report.unchecked(NAME, said),
        }
    }
}
