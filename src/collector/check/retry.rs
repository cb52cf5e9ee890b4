//! How long an exporter waits for an answer, and whether it tries again.

use std::time::Duration;

use super::exporter::{At, Queue};
use super::{Kind, Notes, Receiving};
use crate::config::{parse_duration, show_duration};

/// Timeout of an exporter of OTLP/gRPC where none is written, and of the load-balancing one where that is none or zero.
pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// That of OTLP/HTTP.
pub(super) const TIMEOUT_DEFAULT_HTTP: Duration = Duration::from_secs(30);
/// How long they try where nothing is written.
pub(super) const RETRY_DEFAULT: &str = "300s";
/// Their pause before they try the first time again, where nothing is written.
pub(super) const PAUSE_DEFAULT: Duration = Duration::from_secs(5);
/// A retry that never gives up.
pub(super) const ENDLESS: &str = "`retry_on_failure: {enabled: true, max_elapsed_time: 0s}`";
/// The same for the load-balancing exporter, which has no defaults for it.
const ENDLESS_BALANCED: &str = "`retry_on_failure: {enabled: true, initial_interval: 1s, max_interval: 30s, multiplier: 1.5, \
                                randomization_factor: 0.5, max_elapsed_time: 0s}` on the load-balancing exporter itself";

pub(super) fn timeout(at: &At<'_, '_>, default: Duration, receiving: &Receiving, notes: &mut Notes) {
    let Some(timeout) = at.duration(&["timeout"], default, notes) else { return };
    // Zero waits for ever.
    if timeout.is_zero() || timeout >= receiving.receipt {
        return;
    }
    let (is, need) = (show_duration(timeout), show_duration(receiving.receipt));
    let by_default = if at.is_written(&["timeout"]) { "" } else { " by default" };
    notes.found(
        Kind::TimeoutShort,
        at.place(&["timeout"]),
        at.id(),
        format!("gives up after {is}{by_default}, and a busy spanseal may answer after {need} (`seal.admission_wait` and `seal.max_delay`): what was sealed is sent again"),
        "`timeout: 30s`",
    );
}

/// The load-balancing exporter's own timeout is around an attempt at all replicas, one after another. It has no "for ever": zero is the default.
pub(super) fn outer_timeout(own: &At<'_, '_>, replicas: u32, receiving: &Receiving, notes: &mut Notes) {
    let Some(written) = own.duration(&["timeout"], Duration::ZERO, notes) else { return };
    let timeout = if written.is_zero() { TIMEOUT_DEFAULT } else { written };
    let needed = receiving.receipt.saturating_mul(replicas);
    if timeout >= needed {
        return;
    }
    let by_default = if written.is_zero() { " (the default here, and what zero means)" } else { "" };
    let of = if replicas == 1 { "a busy spanseal".to_owned() } else { format!("{replicas} busy replicas, one after another,") };
    let (is, need) = (show_duration(timeout), show_duration(needed));
    notes.found(
        Kind::TimeoutShort,
        own.place(&["timeout"]),
        own.id(),
        format!("an attempt at all replicas ends after {is}{by_default}, and {of} may answer after {need}: what was sealed is sent again, or given up"),
        "`timeout: 60s` on the load-balancing exporter itself, or the `timeout` below it times the number of replicas",
    );
}

/// The load-balancing exporter's own retry is the one that counts: a replica's ends with the outer `timeout`, and when the resolver takes
/// the replica away, and what it had is dropped.
pub(super) fn outer_retry(own: &At<'_, '_>, inner: &At<'_, '_>, notes: &mut Notes) {
    let inner_on = inner.flag(&["retry_on_failure", "enabled"], true, true, notes);
    if inner_on {
        pause(inner, PAUSE_DEFAULT, ENDLESS, notes);
    }
    // Where it is not written, every number of it is zero.
    if own.flag(&["retry_on_failure", "enabled"], false, true, notes) {
        retry(own, "0s", ENDLESS_BALANCED, notes);
        pause(own, Duration::ZERO, ENDLESS_BALANCED, notes);
        return;
    }
    let (kind, says) = match inner_on {
        true => (
            Kind::RetryGivesUp,
            "only the exporters of the replicas try again: when the outer `timeout` is over, or the resolver takes a replica away, what they had is lost",
        ),
        false => (Kind::RetryOff, "what spanseal cannot take at the moment is not tried again, and is lost"),
    };
    notes.found(kind, own.place(&["retry_on_failure"]), own.id(), says, ENDLESS_BALANCED);
}

/// Tries again at once: it takes a processor and floods what it waits for.
pub(super) fn pause(at: &At<'_, '_>, default: Duration, instead: &str, notes: &mut Notes) {
    const INITIAL: [&str; 2] = ["retry_on_failure", "initial_interval"];
    const MOST: [&str; 2] = ["retry_on_failure", "max_interval"];
    /// Below it a Collector with a full queue asks thousands of times a second; above it, it has as good as given up.
    const SENSIBLE: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
    let Some(initial) = at.duration(&INITIAL, default, notes) else { return };
    let most = at.is_written(&MOST).then(|| at.duration(&MOST, Duration::MAX, notes)).flatten();
    // The largest pause is zero where it does not count, and then pauses stay as the first.
    let most = most.filter(|most| !most.is_zero());
    let (pause, place) = match most {
        Some(most) if most < initial => (most, MOST),
        _ => (initial, INITIAL),
    };
    if pause < *SENSIBLE.start() {
        let by_default = if at.node(&INITIAL).is_some() { "" } else { " (`initial_interval` is 0s by default here)" };
        let says =
            format!("tries again with hardly a pause{by_default}: up to thousands of times a second while spanseal or its store is away");
        notes.found(Kind::RetryWithoutPause, at.place(&place), at.id(), says, instead);
    }
    let longest = most.unwrap_or(initial);
    if longest > *SENSIBLE.end() {
        let place = if most.is_some() { MOST } else { INITIAL };
        let says = format!("may wait {} until it tries again, however short spanseal or its store was away", show_duration(longest));
        notes.found(Kind::RetryGivesUp, at.place(&place), at.id(), says, "`initial_interval: 1s, max_interval: 30s`");
    }
}

pub(super) fn retry(at: &At<'_, '_>, default: &str, instead: &str, notes: &mut Notes) {
    if !at.flag(&["retry_on_failure", "enabled"], true, true, notes) {
        let is_told = at.queue() == Queue::Off || at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
        let says = match is_told {
            true => {
                "what spanseal cannot take at the moment is not tried again: its sender is told, and what that does not send again is lost"
            }
            false => "what spanseal cannot take at the moment is not tried again, and is lost",
        };
        notes.found(Kind::RetryOff, at.place(&["retry_on_failure", "enabled"]), at.id(), says, instead);
        return;
    }
    const ELAPSED: [&str; 2] = ["retry_on_failure", "max_elapsed_time"];
    let default = parse_duration(default).unwrap_or_default();
    if let Some(elapsed) = at.duration(&ELAPSED, default, notes).filter(|elapsed| !elapsed.is_zero()) {
        let by_default = if at.is_written(&ELAPSED) { "" } else { " by default" };
        notes.found(
            Kind::RetryGivesUp,
            at.place(&ELAPSED),
            at.id(),
            format!("gives up after {}{by_default}: an outage of the store that is longer loses what waits", show_duration(elapsed)),
            format!("{instead}: it is tried for ever"),
        );
    }
}
