//! Whether the store's locks hold: a canary is put and attacked in each mode that is configured ([`try_locks`]), and one on legal hold
//! ([`try_hold`]); what they showed is recorded where that is asked for.

use std::collections::BTreeSet;

use super::checks::is_lockable;
use super::{Report, State};
use crate::api::Act;
use crate::cli::DoctorArgs;
use crate::clock::SystemClock;
use crate::commands::way::Way;
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::{Deed, Trial, Wish};
use crate::serve::Promise;
use crate::worm::canary::{Attempt, Finding, Tried, try_hold, try_locks, try_mode};
use crate::worm::{self, Mode, WormStore};

const NAME: &str = "canary";

/// Runs all of it, or says why not. What was tried, of each canary.
pub(super) async fn check(config: &Config, store: Option<&dyn WormStore>, skip: bool, report: &mut Report) -> Vec<Trial> {
    if store.is_none() {
        return Vec::new();
    }
    if !is_lockable(config) {
        report.warning(NAME, "this store has no locks to try");
        return Vec::new();
    }
    if skip {
        report.warning(NAME, "skipped (--no-canary): whether the store enforces locks was not tried");
        return Vec::new();
    }
    // Opened anew: deleting is no part of the store's contract.
    let store = match worm::open_probed(&config.store.url, &config.store.options()).await {
        Ok(Some(store)) => store,
        Ok(None) => return Vec::new(),
        Err(error) => {
            report.unchecked(NAME, error.to_string());
            return Vec::new();
        }
    };
    // The strongest mode that is configured is the one to be sure of, and has everything tried.
    let modes: BTreeSet<Mode> = config.retention.classes.iter().map(|(_, class)| class.mode).collect();
    let strongest = modes.last().copied().unwrap_or(Mode::Governance);
    let mut all = try_locks(store.as_ref(), strongest, &SystemClock).await;
    let is_put = |tried: &Tried| tried.attempt == Attempt::Put && matches!(tried.finding, Finding::Good(_));
    // What could not be put once cannot be put again, and would only be said again.
    if !all.iter().any(is_put) {
        tell(&all, "", report);
        return vec![Trial::of(strongest, &all)];
    }
    all.extend(try_hold(store.as_ref(), &SystemClock).await);
    tell(&all, "", report);
    let mut trials = vec![Trial::of(strongest, &all)];
    for mode in modes.into_iter().rev().filter(|mode| *mode != strongest) {
        let all = try_mode(store.as_ref(), mode, &SystemClock).await;
        tell(&all, &format!("in {}: ", mode.as_str()), report);
        trials.push(Trial::of(mode, &all));
    }
    trials
}

fn tell(all: &[Tried], of: &str, report: &mut Report) {
    for tried in all {
        let (state, said) = match &tried.finding {
            Finding::Good(said) => (State::Ok, said),
            Finding::Odd(said) => (State::Warning, said),
            Finding::Bad(said) | Finding::NotPut(said) => (State::Problem, said),
            Finding::Unknown(said) => (State::Unchecked, said),
        };
        report.add(NAME, state, format!("{of}{said}"));
    }
}

/// Seals what the canary showed into the log of the configuration.
pub(super) async fn record(config: &Config, trials: Vec<Trial>, args: &DoctorArgs, report: &mut Report) {
    const NAME: &str = "record";
    if trials.is_empty() {
        return report.warning(NAME, "no canary was put, so nothing is recorded");
    }
    let promise = if args.offline { Promise::Ignored } else { Promise::Respected };
    let way = match Way::open(config, Act::Govern, promise, &args.client).await {
        Ok(way) => way,
        Err(why) => return report.problem(NAME, format!("what the canary showed is not recorded in the log: {why:#}")),
    };
    for trial in trials {
        let mode = trial.mode.as_str();
        match way.govern(&Wish::of(Deed::Canary(trial))).await {
            Ok(Sealed { record, seal }) => {
                let log = &config.log.name;
                report.ok(NAME, format!("what the canary in {mode} showed is record {record} in seal {seal} of the log `{log}`"));
            }
            Err(why) => report.problem(NAME, format!("what the canary in {mode} showed is not recorded in the log: {why:#}")),
        }
    }
    // Whatever came of it, a log that was opened for this is closed in good order.
    if let Err(why) = way.close().await {
        report.problem(NAME, format!("the log that was opened for the record could not be closed: {why:#}"));
    }
}
