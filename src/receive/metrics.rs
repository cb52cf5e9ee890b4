//! Figures of the receiver: plain atomics by enum labels, written here, read by whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::elsewhere::Unfetched;
use crate::otlp::answer::Signal;
use crate::promote::{Skip, Tally};

/// How a request ended; of refusals see `status::Refusal::outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything was accepted; promoted records have their receipt.
    Accepted,
    /// Accepted, with some spans or logs rejected as malformed.
    Partial,
    /// Accepted as a whole, with a warning: it holds what is not kept where it was sent, or ids of wrong length.
    Warned,
    /// Not OTLP at all.
    Malformed,
    /// Beyond the size limit.
    TooLarge,
    /// The pool stayed full.
    Full,
    /// The store did not confirm.
    NotSealed,
    /// This process was draining, or its writer has stopped.
    Stopped,
    /// The body did not arrive in time.
    Slow,
    /// No token, or a wrong one.
    Unauthenticated,
    /// Method, path, content type or compression that OTLP does not have.
    Unsupported,
    /// A mistake of ours.
    Internal,
    /// Its sender did not wait for the answer; what the sealer had taken in by then is sealed.
    Gone,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 13] = [
        Outcome::Accepted,
        Outcome::Partial,
        Outcome::Warned,
        Outcome::Malformed,
        Outcome::TooLarge,
        Outcome::Full,
        Outcome::NotSealed,
        Outcome::Stopped,
        Outcome::Slow,
        Outcome::Unauthenticated,
        Outcome::Unsupported,
        Outcome::Internal,
        Outcome::Gone,
    ];

    /// Stable word for the label.
    pub fn label(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Partial => "partial",
            Outcome::Warned => "warned",
            Outcome::Malformed => "malformed",
            Outcome::TooLarge => "too_large",
            Outcome::Full => "full",
            Outcome::NotSealed => "not_sealed",
            Outcome::Stopped => "stopped",
            Outcome::Slow => "slow",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Unsupported => "unsupported",
            Outcome::Internal => "internal",
            Outcome::Gone => "gone",
        }
    }
}

/// What a connection owed when it was ended for taking too long. A slow body ends its request, as [`Outcome::Slow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overdue {
    /// Its first bytes.
    FirstBytes,
    /// The rest of the head of a request.
    Head,
    /// Room for what we write: it does not read.
    Write,
    /// The answer to an HTTP/2 ping.
    Ping,
}

impl Overdue {
    /// All of them.
    pub const ALL: [Overdue; 4] = [Overdue::FirstBytes, Overdue::Head, Overdue::Write, Overdue::Ping];

    /// Stable word for the label.
    pub fn label(self) -> &'static str {
        match self {
            Overdue::FirstBytes => "first_bytes",
            Overdue::Head => "head",
            Overdue::Write => "write",
            Overdue::Ping => "ping",
        }
    }
}

/// The receiver's figures. Cheap to update from anywhere.
#[derive(Debug, Default)]
pub struct ReceiveMetrics {
    requests: [[AtomicU64; Outcome::ALL.len()]; Signal::ALL.len()],
    /// Requests that ended before their signal was known.
    strays: [AtomicU64; Outcome::ALL.len()],
    items: [AtomicU64; Signal::ALL.len()],
    promoted: [AtomicU64; Signal::ALL.len()],
    rejected: [AtomicU64; Signal::ALL.len()],
    skipped: [AtomicU64; Skip::ALL.len()],
    bytes: [AtomicU64; Signal::ALL.len()],
    in_flight: AtomicU64,
    connections: AtomicU64,
    handshakes_failed: AtomicU64,
    crowded_out: AtomicU64,
    undecided: AtomicU64,
    overdue: [AtomicU64; Overdue::ALL.len()],
    fetched: AtomicU64,
    unfetched: [AtomicU64; Unfetched::ALL.len()],
}

/// A request that is being answered. Counted when it ends, however it ends.
#[derive(Debug)]
pub(super) struct Asked<'m> {
    metrics: &'m ReceiveMetrics,
    signal: Option<Signal>,
    outcome: Outcome,
    _in_flight: Occupied<'m>,
}

impl Asked<'_> {
    /// Its signal is known now.
    pub(super) fn of(&mut self, signal: Signal) {
        self.signal = Some(signal);
    }

    /// It has its answer.
    pub(super) fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.metrics.ended(self.signal, self.outcome);
    }
}

impl ReceiveMetrics {
    /// Requests that ended so; `None`: before their signal was known (wrong path, refused token).
    pub fn requests(&self, signal: Option<Signal>, outcome: Outcome) -> u64 {
        read(self.requests_of(signal, outcome))
    }

    /// Spans, log records or data points received.
    pub fn items(&self, signal: Signal) -> u64 {
        read(at(&self.items, &Signal::ALL, signal))
    }

    /// Records that were promoted and have their receipt.
    pub fn promoted(&self, signal: Signal) -> u64 {
        read(at(&self.promoted, &Signal::ALL, signal))
    }

    /// Spans and logs that were malformed.
    pub fn rejected(&self, signal: Signal) -> u64 {
        read(at(&self.rejected, &Signal::ALL, signal))
    }

    /// Spans and logs that were not promoted, by reason.
    pub fn skipped(&self, reason: Skip) -> u64 {
        read(at(&self.skipped, &Skip::ALL, reason))
    }

    /// Bytes of bodies as they were walked: decompressed, JSON as JSON.
    pub fn bytes(&self, signal: Signal) -> u64 {
        read(at(&self.bytes, &Signal::ALL, signal))
    }

    /// Requests between their first byte and their answer.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Conditions of rules and thresholds that could not be decided.
    pub fn undecided(&self) -> u64 {
        self.undecided.load(Ordering::Relaxed)
    }

    /// Open connections of the OTLP listeners.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed or took too long: also clients without the certificate that is asked for.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once because their address held its share of the places.
    pub fn connections_refused(&self) -> u64 {
        self.crowded_out.load(Ordering::Relaxed)
    }

    /// Connections that were ended for taking too long, by what they owed.
    pub fn timed_out(&self, owed: Overdue) -> u64 {
        read(at(&self.overdue, &Overdue::ALL, owed))
    }

    /// Contents that were fetched by their reference.
    pub fn fetched_contents(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// References whose content was not fetched, by reason.
    pub fn unfetched(&self, why: Unfetched) -> u64 {
        read(at(&self.unfetched, &Unfetched::ALL, why))
    }

    pub(super) fn fetched(&self, not: Option<Unfetched>) {
        match not {
            Some(why) => add(at(&self.unfetched, &Unfetched::ALL, why), 1),
            None => add(Some(&self.fetched), 1),
        }
    }

    pub(super) fn overdue(&self, owed: Overdue) {
        add(at(&self.overdue, &Overdue::ALL, owed), 1);
    }

    pub(super) fn ended(&self, signal: Option<Signal>, outcome: Outcome) {
        add(self.requests_of(signal, outcome), 1);
    }

    pub(super) fn received(&self, signal: Signal, bytes: usize) {
        add(at(&self.bytes, &Signal::ALL, signal), u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(super) fn tallied(&self, signal: Signal, tally: &Tally) {
        add(at(&self.items, &Signal::ALL, signal), tally.counts.spans + tally.counts.logs);
        add(at(&self.rejected, &Signal::ALL, signal), tally.counts.rejected);
        add(Some(&self.undecided), tally.undecided);
        for (slot, count) in self.skipped.iter().zip(tally.skipped) {
            add(Some(slot), count);
        }
    }

    pub(super) fn counted_points(&self, points: u64) {
        add(at(&self.items, &Signal::ALL, Signal::Metrics), points);
    }

    pub(super) fn sealed(&self, signal: Signal, records: u64) {
        add(at(&self.promoted, &Signal::ALL, signal), records);
    }

    pub(super) fn handshake_failed(&self) {
        add(Some(&self.handshakes_failed), 1);
    }

    pub(super) fn crowded_out(&self) {
        add(Some(&self.crowded_out), 1);
    }

    /// A request that is being answered, in flight until it has ended.
    pub(super) fn asked(&self, signal: Option<Signal>) -> Asked<'_> {
        Asked { metrics: self, signal, outcome: Outcome::Gone, _in_flight: Occupied::new(&self.in_flight) }
    }

    /// Counts a connection as open until the guard goes.
    pub(super) fn connected(&self) -> Occupied<'_> {
        Occupied::new(&self.connections)
    }

    fn requests_of(&self, signal: Option<Signal>, outcome: Outcome) -> Option<&AtomicU64> {
        let row = match signal {
            Some(signal) => at(&self.requests, &Signal::ALL, signal),
            None => Some(&self.strays),
        };
        at(row?, &Outcome::ALL, outcome)
    }
}

/// Holds a gauge one higher.
#[derive(Debug)]
pub(super) struct Occupied<'a>(&'a AtomicU64);

impl<'a> Occupied<'a> {
    fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Occupied(gauge)
    }
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn at<'a, T, L: PartialEq>(slots: &'a [T], labels: &[L], label: L) -> Option<&'a T> {
    labels.iter().position(|l| *l == label).and_then(|at| slots.get(at))
}

fn add(slot: Option<&AtomicU64>, n: u64) {
    if let Some(slot) = slot.filter(|_| n > 0) {
        slot.fetch_add(n, Ordering::Relaxed);
    }
}

fn read(slot: Option<&AtomicU64>) -> u64 {
    slot.map_or(0, |slot| slot.load(Ordering::Relaxed))
}
