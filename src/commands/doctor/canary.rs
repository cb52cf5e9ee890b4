//! Whether the store's locks hold: a canary is put and attacked ([`try_locks`]); what it showed is recorded where that is asked for.

use super::Report;
use super::checks::is_lockable;
use crate::api::Act;
use crate::cli::DoctorArgs;
use crate::clock::SystemClock;
use crate::commands::way::Way;
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::{Deed, Trial, Wish};
use crate::serve::Promise;
use crate::worm::canary::{Finding, try_locks};
use crate::worm::{self, Mode, WormStore};

const NAME: &str = "canary";

/// Runs all of it, or says why not. What was tried, if anything was.
pub(super) async fn check(config: &Config, store: Option<&dyn WormStore>, skip: bool, report: &mut Report) -> Option<Trial> {
    store?;
    if !is_lockable(config) {
        report.warning(NAME, "this store has no locks to try");
        return None;
    }
    if skip {
        report.warning(NAME, "skipped (--no-canary): whether the store enforces locks was not tried");
        return None;
    }
    // Opened anew: deleting is no part of the store's contract.
    let store = match worm::open_probed(&config.store.url, &config.store.options()).await {
        Ok(Some(store)) => store,
        Ok(None) => return None,
        Err(error) => {
            report.unchecked(NAME, error.to_string());
            return None;
        }
    };
    // The strongest mode that is configured is the one to be sure of.
    let mode = config.retention.classes.iter().map(|(_, c)| c.mode).max().unwrap_or(Mode::Governance);
    let all = try_locks(store.as_ref(), mode, &SystemClock).await;
    let trial = Trial::of(mode, &all);
    for tried in all {
        match tried.finding {
            Finding::Good(said) => report.ok(NAME, said),
            Finding::Odd(said) => report.warning(NAME, said),
            Finding::Bad(said) | Finding::NotPut(said) => report.problem(NAME, said),
            Finding::Unknown(said) => report.unchecked(NAME, said),
        }
    }
    Some(trial)
}

/// Seals what the canary showed into the log of the configuration.
pub(super) async fn record(config: &Config, trial: Option<Trial>, args: &DoctorArgs, report: &mut Report) {
    const NAME: &str = "record";
    let Some(trial) = trial else { return report.warning(NAME, "no canary was put, so nothing is recorded") };
    let promise = if args.offline { Promise::Ignored } else { Promise::Respected };
    let way = match Way::open(config, Act::Govern, promise, &args.client).await {
        Ok(way) => way,
        Err(why) => return report.problem(NAME, format!("what the canary showed is not recorded in the log: {why:#}")),
    };
    let sealed = way.govern(&Wish::of(Deed::Canary(trial))).await;
    // Whatever came of it, a log that was opened for this is closed in good order.
    let closed = way.close().await;
    match sealed {
        Ok(Sealed { record, seal }) => {
            report.ok(NAME, format!("what the canary showed is record {record} in seal {seal} of the log `{}`", config.log.name));
        }
        Err(why) => report.problem(NAME, format!("what the canary showed is not recorded in the log: {why:#}")),
    }
    if let Err(why) = closed {
        report.problem(NAME, format!("the log that was opened for the record could not be closed: {why:#}"));
    }
}
