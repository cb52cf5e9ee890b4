//! The Collector, spanseal and the store die while telemetry flows, one after the other and together: what the Collector acknowledged is
//! sealed, each span and each log once.
//!
//! Real processes, ended with SIGKILL (the Collector with SIGTERM too): the Collector with the files that we hand out and a disk of its
//! own, `spanseal serve`, and MinIO with Object Lock (a folder where there is none, which does not die). What dies when is told in
//! acknowledged requests, not in time.
//!
//! KNOWN GAP: senders wait until the Collector is ready before they send again, and nothing kills it before that. Collector 0.152 listens
//! as soon as one signal's way is open: while the queue on disk of another is being opened, it may forget what it acknowledges, or break
//! off. And killed in that moment, it may forget what it was sending when it was killed before. Both are lost, and nothing behind it can
//! know.
//!
//! KNOWN GAP: a killed process loses nothing that the kernel has taken, so `fsync: true` is not shown to be needed: that takes a power cut.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use serde_json::Value;
use tokio::sync::{RwLock, RwLockWriteGuard, Semaphore};

use crate::support::captures::Signal;
use crate::support::ledger::{self, AI_SPANS, Ledger};
use crate::support::otelcol::{self, Collector};
use crate::support::otlp::GrpcClient;
use crate::support::receiver::{Options, Receiver, Site};
use crate::support::s3::S3Server;
use crate::support::{PATIENCE, eventually, runtime, steady_address};

/// What can die.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Collector,
    /// Of the replicas, the first.
    Spanseal,
    /// All of them.
    EverySpanseal,
    Store,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Dies(Part),
    /// The Collector ends as it is asked to.
    Stops,
    Returns(Part),
}

use Act::{Dies, Returns, Stops};
use Part::{EverySpanseal, Spanseal, Store};

/// Each step is done when [`STEP`] more requests have been acknowledged. The Collector comes back in the step in which it dies, because
/// without it nothing is; `spanseal` needs a store to start on.
type Schedule = &'static [&'static [Act]];

const COLLECTOR: &[Act] = &[Dies(Part::Collector), Returns(Part::Collector)];
const COLLECTOR_STOPS: &[Act] = &[Stops, Returns(Part::Collector)];

/// For a Collector that answers when it has written to its disk: everything else may stay away while it goes on.
const FROM_A_DISK: Schedule = &[
    // The Collector.
    COLLECTOR,
    COLLECTOR,
    COLLECTOR,
    COLLECTOR_STOPS,
    // spanseal, for a moment and for longer.
    &[Dies(EverySpanseal), Returns(EverySpanseal)],
    &[Dies(Spanseal)],
    &[Returns(Spanseal)],
    &[Dies(EverySpanseal)],
    &[Returns(EverySpanseal)],
    // The store.
    &[Dies(Store), Returns(Store)],
    &[Dies(Store)],
    &[Returns(Store)],
    // One upon the other: what waits on the disk is taken up by a Collector that finds nobody, and dies again.
    &[Dies(Store)],
    COLLECTOR,
    COLLECTOR_STOPS,
    &[Dies(EverySpanseal)],
    COLLECTOR,
    &[Dies(Part::Collector), Returns(Store), Returns(EverySpanseal), Returns(Part::Collector)],
    &[Dies(Part::Collector), Dies(EverySpanseal), Dies(Store), Returns(Store), Returns(EverySpanseal), Returns(Part::Collector)],
];

/// For a Collector that answers when it is sealed: nothing is acknowledged while anything is away.
const SEALED: Schedule = &[
    COLLECTOR,
    COLLECTOR,
    COLLECTOR,
    COLLECTOR_STOPS,
    &[Dies(Spanseal), Returns(Spanseal)],
    &[Dies(Spanseal), Returns(Spanseal)],
    &[Dies(Spanseal), Returns(Spanseal)],
    &[Dies(Store), Returns(Store)],
    &[Dies(Store), Returns(Store)],
    &[Dies(Spanseal), Dies(Part::Collector), Returns(Part::Collector), Returns(Spanseal)],
    &[Dies(Store), Dies(Part::Collector), Returns(Part::Collector), Returns(Store)],
    &[Dies(Store), Dies(Spanseal), Dies(Part::Collector), Returns(Part::Collector), Returns(Store), Returns(Spanseal)],
];

/// Acknowledged requests from step to step.
const STEP: usize = 12;
/// How many more may be on their way while a step is done: the load goes on, and does not run out.
const MARGIN: usize = 12;
const SENDERS: usize = 4;
/// Sent once more at the end, as by senders who never saw the answer.
const RESENT: u64 = 6;

/// The export request with this number: of spans and of logs by turns, which have queues of their own. Its AI logs stand in the ledger by
/// the trace and span that they name, as many as the AI spans would be.
fn request(number: u64) -> (Signal, Vec<u8>) {
    if number.is_multiple_of(2) {
        return (Signal::Traces, ledger::request(number));
    }
    let log = |index: usize| {
        let key = if index < AI_SPANS { "gen_ai.operation.name" } else { "http.request.method" };
        LogRecord {
            time_unix_nano: 1_790_000_000_000_000_000 + number,
            trace_id: hex::decode(ledger::trace_id(number)).unwrap(),
            span_id: hex::decode(ledger::span_id(index)).unwrap(),
            attributes: vec![KeyValue {
                key: key.to_owned(),
                value: Some(AnyValue { value: Some(Any::StringValue("chat".to_owned())) }),
                ..KeyValue::default()
            }],
            ..LogRecord::default()
        }
    };
    let scope_logs = vec![ScopeLogs { log_records: (0..=AI_SPANS).map(log).collect(), ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    (Signal::Logs, ExportLogsServiceRequest { resource_logs }.encode_to_vec())
}

/// What is sent, and by when.
struct Load {
    collector: std::net::SocketAddr,
    requests: u64,
    next: AtomicU64,
    quota: Semaphore,
    ledger: Ledger,
    acknowledged: Mutex<usize>,
    more: Condvar,
    /// Senders hold it while they send; whoever starts the Collector holds it alone until that is ready.
    ready: RwLock<()>,
}

impl Load {
    /// Sends requests until there are no more, each until it is acknowledged.
    async fn send(self: Arc<Self>) {
        let mut client = None;
        loop {
            self.quota.acquire().await.unwrap().forget();
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number >= self.requests {
                return;
            }
            while !self.deliver(&mut client, number).await {
                // Whoever starts the Collector again comes first.
                tokio::task::yield_now().await;
            }
            self.ledger.acknowledge(number);
            *self.acknowledged.lock().unwrap() += 1;
            self.more.notify_all();
        }
    }

    async fn deliver(&self, client: &mut Option<GrpcClient>, number: u64) -> bool {
        let _ready = self.ready.read().await;
        if client.is_none() {
            *client = GrpcClient::connect(self.collector).await.ok();
        }
        let Some(connected) = client else { return false };
        let (signal, body) = request(number);
        let answer = connected.export(signal, body, false).await;
        if answer.is_err() {
            *client = None;
        }
        answer.is_ok()
    }

    /// At once when so many are acknowledged: others are on their way at that moment.
    fn wait_for(&self, requests: usize, rig: &Rig) {
        let deadline = Instant::now() + PATIENCE;
        let mut acknowledged = self.acknowledged.lock().unwrap();
        while *acknowledged < requests {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {requests} requests acknowledged in {PATIENCE:?}\n{}", *acknowledged, rig.said());
            acknowledged = self.more.wait_timeout(acknowledged, left).unwrap().0;
        }
    }
}

/// Everything that runs, or is dead for the moment.
struct Rig {
    store: Option<S3Server>,
    sites: Vec<Site>,
    receivers: Vec<Option<Receiver>>,
    collector: Collector,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// Starts all of it: this file of ours in front of so many replicas on one store.
    fn start(file: &str, replicas: usize) -> Option<Rig> {
        let program = otelcol::program(&format!("kills around a real Collector with collector-config/{file}"))?;
        let folder = tempfile::tempdir().unwrap();
        // The server says by itself that it is skipped.
        let store = S3Server::own_minio();
        let sites: Vec<Site> = (0..replicas)
            .map(|_| {
                let options = store.as_ref().map_or_else(Options::default, S3Server::site);
                Site::with(Options { grpc: Some(steady_address()), ..options })
            })
            .collect();
        let receivers: Vec<Receiver> = sites.iter().map(Site::serve).collect();
        let second = receivers.get(1).map_or_else(steady_address, |receiver| receiver.grpc);
        let env = [
            ("SPANSEAL_GRPC_ENDPOINT", receivers[0].grpc.to_string()),
            ("SPANSEAL_GRPC_ENDPOINT_2", second.to_string()),
            // Nothing listens there: what our files do for evidence does not hang on the backend.
            ("BACKEND_GRPC_ENDPOINT", steady_address().to_string()),
        ];
        let files = [otelcol::configuration(file), otelcol::sooner(file, 300, folder.path())];
        let collector = Collector::start(&program, &files.each_ref().map(AsRef::as_ref), &env, folder.path());
        Some(Rig { store, sites, receivers: receivers.into_iter().map(Some).collect(), collector, _folder: folder })
    }

    fn does(&mut self, act: Act) {
        match act {
            Dies(Part::Collector) => self.collector.kill(),
            Stops => self.collector.stop(),
            Returns(Part::Collector) => self.collector.start_again(),
            Dies(Spanseal) => self.replica_dies(0),
            Returns(Spanseal) => self.replica_returns(0),
            Dies(EverySpanseal) => (0..self.sites.len()).for_each(|at| self.replica_dies(at)),
            Returns(EverySpanseal) => (0..self.sites.len()).for_each(|at| self.replica_returns(at)),
            Dies(Store) => self.store.iter().for_each(S3Server::kill),
            Returns(Store) => self.store.iter().for_each(S3Server::start_again),
        }
    }

    fn replica_dies(&mut self, at: usize) {
        let mut receiver = self.receivers[at].take().unwrap();
        // What happened around it has not ended it already.
        receiver.assert_healthy();
        receiver.kill();
    }

    fn replica_returns(&mut self, at: usize) {
        let receiver = self.sites[at].serve();
        assert!(self.receivers[at].replace(receiver).is_none());
    }

    /// Every record that is not the product's own, as a reader gets it.
    fn rows(&self) -> Vec<Value> {
        let rows = self.sites.iter().flat_map(Site::rows);
        rows.filter(|row| row["record"]["source"]["signal"] != "control").collect()
    }

    fn figure(&self, name: &str) -> u64 {
        self.receivers.iter().flatten().map(|receiver| receiver.figure(name)).sum()
    }

    fn said(&self) -> String {
        let receivers = self.receivers.iter().flatten().map(|r| format!("--- spanseal\n{}", r.stderr()));
        format!("--- the Collector since its last start\n{}\n{}", self.collector.said(), receivers.collect::<String>())
    }
}

/// Load through the Collector while the schedule goes on; then everything runs again, and what was acknowledged must be where it belongs.
fn nothing_is_lost(file: &str, replicas: usize, schedule: Schedule) {
    let Some(mut rig) = Rig::start(file, replicas) else { return };
    let requests = (schedule.len() + 1) * STEP + MARGIN;
    let load = Arc::new(Load {
        collector: rig.collector.grpc,
        requests: u64::try_from(requests).unwrap(),
        next: AtomicU64::new(0),
        quota: Semaphore::new(STEP + MARGIN),
        ledger: Ledger::default(),
        acknowledged: Mutex::new(0),
        more: Condvar::new(),
        ready: RwLock::new(()),
    });
    let senders_at_work = runtime();
    let senders: Vec<_> = (0..SENDERS).map(|_| senders_at_work.spawn(Arc::clone(&load).send())).collect();
    for (done, acts) in schedule.iter().enumerate() {
        load.wait_for((done + 1) * STEP, &rig);
        let mut not_ready: Option<RwLockWriteGuard<'_, ()>> = None;
        for act in *acts {
            rig.does(*act);
            match act {
                // Whoever was sending has heard that it is dead, and nobody begins again.
                Dies(Part::Collector) | Stops => not_ready = Some(load.ready.blocking_write()),
                Returns(Part::Collector) => not_ready = None,
                _ => {}
            }
        }
        assert!(not_ready.is_none(), "{acts:?}");
        load.quota.add_permits(STEP);
    }
    load.wait_for(requests, &rig);
    load.quota.add_permits(SENDERS);
    senders_at_work.block_on(join_all(senders)).into_iter().for_each(|ended| ended.unwrap());
    assert_eq!(load.ledger.len(), requests * AI_SPANS);

    // The queue drains: whoever waited hears of everybody again.
    let deadline = Instant::now() + PATIENCE;
    while !load.ledger.lost(rig.rows().iter().map(|row| &row["record"])).is_empty() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    load.ledger.settle(rig.rows().iter().map(|row| &row["record"]), &format!("{file}\n{}", rig.said()));

    // What comes again is known, and counted.
    let again = "spanseal_seal_duplicates_total";
    let before = rig.figure(again);
    senders_at_work.block_on(async {
        let client = GrpcClient::connect(rig.collector.grpc).await.unwrap();
        for number in 0..RESENT {
            let (signal, body) = request(number * 7);
            client.export(signal, body, false).await.unwrap();
        }
    });
    eventually("what is sealed and came again is counted", || {
        (rig.figure(again) >= before + RESENT * u64::try_from(AI_SPANS).unwrap()).then_some(())
    });
    let receivers: Vec<Receiver> = rig.receivers.iter_mut().map(|receiver| receiver.take().unwrap()).collect();
    for receiver in receivers {
        assert!(receiver.stop().success());
    }

    let rows = rig.rows();
    load.ledger.settle(rows.iter().map(|row| &row["record"]), file);
    for row in &rows {
        assert!(row["copies"].is_null() && row["conflict"].is_null(), "{file}: a record was stored more than once: {row}");
    }
    for site in &rig.sites {
        let report = site.verified();
        if rig.store.is_some() {
            assert_eq!(report["locks"], "checked", "{file}: {report}");
        }
        assert!(!site.sealed_lines().is_empty(), "{file}: a replica got nothing");
    }
}

/// Acknowledged from the agent's disk.
#[test]
fn the_agent_loses_nothing_whatever_dies() {
    nothing_is_lost("agent.yaml", 1, FROM_A_DISK);
}

/// Acknowledged from the gateway's disk: spans before a replica is chosen, logs on their way to one.
#[test]
fn the_gateway_loses_nothing_whatever_dies() {
    nothing_is_lost("gateway.yaml", 2, FROM_A_DISK);
}

/// Acknowledged from the disk of a Collector that feeds a backend as well, which is away all the time.
#[test]
fn the_tap_loses_nothing_whatever_dies() {
    nothing_is_lost("tap.yaml", 1, FROM_A_DISK);
}

/// Acknowledged only when it is sealed.
#[test]
fn what_is_acknowledged_when_it_is_sealed_is_not_lost_whatever_dies() {
    nothing_is_lost("minimal.yaml", 1, SEALED);
}
