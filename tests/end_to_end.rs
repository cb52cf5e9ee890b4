//! The whole way, with a real binary that is killed in between: what was acknowledged is found and verifies, always.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use serde_json::Value;

use crate::support::captures::Signal;
use crate::support::ledger::{AI_SPANS, Ledger, request, trace_id};
use crate::support::otlp::GrpcClient;
use crate::support::receiver::{Receiver, Site};
use crate::support::runtime;
use crate::support::s3::S3Server;

mod collector;

/// Requests in flight at once.
const SENDERS: usize = 6;

/// What was sent, and what became of it.
#[derive(Default)]
struct Load {
    next: AtomicU64,
    acknowledged: Ledger,
    open: Mutex<BTreeMap<u64, Vec<u8>>>,
    /// Newest root by seal, as receipts told: a log that was rolled back would contradict them.
    roots: Mutex<BTreeMap<u64, String>>,
}

impl Load {
    /// Sends until told to stop, new requests and those whose answer was lost. Ends at the first broken connection.
    async fn send(&self, client: &GrpcClient, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let body = request(number);
            self.open.lock().unwrap().insert(number, body.clone());
            if !self.deliver(client, number, body).await {
                return;
            }
        }
    }

    /// One request; true if it was acknowledged.
    async fn deliver(&self, client: &GrpcClient, number: u64, body: Vec<u8>) -> bool {
        let Ok(answer) = client.export(Signal::Traces, body, false).await else { return false };
        assert_eq!(answer.promoted(), AI_SPANS as u64, "promoted of request {number}");
        self.acknowledged.acknowledge(number);
        self.open.lock().unwrap().remove(&number);
        if let (Some(seal), Some(root)) = (answer.seal(), answer.headers.get("spanseal-root")) {
            self.roots.lock().unwrap().insert(seal, root.clone());
        }
        true
    }

    /// Sends again what was never acknowledged.
    async fn resend(&self, client: &GrpcClient) {
        let open = self.open.lock().unwrap().clone();
        for (number, body) in open {
            assert!(self.deliver(client, number, body).await, "request {number} is refused after a restart");
        }
    }
}

/// A small generator with its seed said, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn fresh() -> Dice {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        Dice(u64::from_le_bytes(seed) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Rounds of load, each cut by `kill -9` after a random number of acknowledged requests; restart on the same store in between; at the end
/// everything is sent again that got no answer. Every acknowledged span must then be found, once for the reader, and the log verify.
fn survives_kill_9(site: &Site, rounds: u64) {
    let mut dice = Dice::fresh();
    let seed = dice.0;
    let load = Arc::new(Load::default());
    for round in 0..rounds {
        let receiver = site.serve();
        let acknowledged_before = load.acknowledged.len();
        // Sometimes before the first answer, sometimes deep in the load.
        let enough = acknowledged_before + AI_SPANS * usize::try_from(dice.below(60)).unwrap();
        runtime().block_on(one_round(&load, receiver, enough));
        let report = site.run(&["verify", "--json"]);
        let verdict: Value = serde_json::from_str(&report.stdout).unwrap_or_else(|e| panic!("{e}: {report}"));
        // Before the first commit there may be no log to verify yet.
        if acknowledged_before > 0 {
            assert_eq!(verdict["verdict"], "verified", "round {round}, seed {seed}: {report}");
        }
    }
    let receiver = site.serve();
    runtime().block_on(async {
        let client = GrpcClient::connect(receiver.grpc).await.unwrap();
        load.resend(&client).await;
    });
    assert!(receiver.stop().success());

    let lines: Vec<Value> = site.sealed_lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    load.acknowledged.settle(&lines, &format!("seed {seed}"));
    assert!(load.acknowledged.len() >= AI_SPANS * usize::try_from(rounds).unwrap(), "hardly anything was sent");
    let report = site.verified();
    assert!(report["logs"][0]["records"].as_u64().unwrap() >= lines.len() as u64);
    // Receipts name seals that are still in the log.
    let seals = report["logs"][0]["seals"].as_u64().unwrap();
    assert!(load.roots.lock().unwrap().keys().all(|seal| *seal < seals), "seed {seed}: a receipt names a seal beyond {seals}");
}

async fn one_round(load: &Arc<Load>, receiver: Receiver, enough: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let client = GrpcClient::connect(receiver.grpc).await.unwrap();
    // First what the last kill left without an answer: the writer must recognise what it had sealed.
    if !load.open.lock().unwrap().is_empty() {
        load.resend(&client).await;
    }
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (load, client, stop) = (Arc::clone(load), client.clone(), Arc::clone(&stop));
            tokio::spawn(async move { load.send(&client, &stop).await })
        })
        .collect();
    let killer = tokio::task::spawn_blocking({
        let load = Arc::clone(load);
        move || {
            crate::support::eventually("some requests are acknowledged", || (load.acknowledged.len() >= enough).then_some(()));
            receiver.kill();
        }
    });
    killer.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    join_all(senders).await.into_iter().for_each(|ended| ended.unwrap());
}

/// Twenty kills on the local store.
#[test]
fn acknowledged_spans_survive_kill_9_on_the_local_store() {
    survives_kill_9(&Site::local(), 20);
}

/// The same against a server that ignores create-only writes, where the order of versions decides. Few rounds: there a writer that starts
/// waits a minute for what its predecessor may still have on the wire.
#[test]
fn acknowledged_spans_survive_kill_9_on_ceph_rgw() {
    // The server says by itself that it is skipped.
    let Some(server) = S3Server::rgw() else { return };
    survives_kill_9(&Site::with(server.site()), 2);
}

/// The same against the server that is closest to AWS.
#[test]
fn acknowledged_spans_survive_kill_9_on_minio() {
    let Some(server) = S3Server::minio() else { return };
    survives_kill_9(&Site::with(server.site()), 3);
}

/// SIGTERM under load: every request that was let in is answered before the process ends with 0, and nothing acknowledged is missing.
#[test]
fn a_drain_answers_what_it_let_in() {
    let site = Site::local();
    let receiver = site.serve();
    let load = Arc::new(Load::default());
    runtime().block_on(async {
        let client = GrpcClient::connect(receiver.grpc).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (load, client, stop) = (Arc::clone(&load), client.clone(), Arc::clone(&stop));
                tokio::spawn(async move { load.send(&client, &stop).await })
            })
            .collect();
        let status = tokio::task::spawn_blocking({
            let load = Arc::clone(&load);
            move || {
                let enough = || (load.acknowledged.len() > 10 * AI_SPANS).then_some(());
                crate::support::eventually("some requests are acknowledged", enough);
                receiver.stop()
            }
        });
        assert!(status.await.unwrap().success());
        stop.store(true, Ordering::Relaxed);
        join_all(senders).await.into_iter().for_each(|ended| ended.unwrap());
    });
    let found = site.sealed_lines().len();
    assert!(found >= load.acknowledged.len());
    site.verified();
}

/// What an auditor does with one record: find it, take its proof, check the proof away from the store with the key alone; and a proof in
/// which one byte of the record was changed is refused.
#[test]
fn a_record_is_found_proved_and_checked_offline() {
    let site = Site::local();
    let receiver = site.serve();
    runtime().block_on(async {
        let client = GrpcClient::connect(receiver.grpc).await.unwrap();
        client.export(Signal::Traces, request(0), false).await.unwrap();
    });
    let out = site.run(&["query", "--trace-id", &trace_id(0), "--format", "jsonl"]).success();
    assert_eq!(out.stdout.lines().count(), AI_SPANS, "{out}");
    let record: Value = serde_json::from_str(out.stdout.lines().next().unwrap()).unwrap();
    let bundle = site.run(&["prove", record["id"].as_str().unwrap()]).success().stdout;
    let vkey = log_vkey(&site);
    let check = |name: &str, text: &str| {
        std::fs::write(site.path(name), text).unwrap();
        // Without the configuration: an auditor has none.
        let mut command = std::process::Command::new(crate::support::receiver::BINARY);
        command.args(["check", &site.path(name).display().to_string(), "--vkey", &vkey]).current_dir(site.dir.path());
        crate::support::receiver::Finished::of(command)
    };
    check("proof.json", &bundle).success();
    let forged = bundle.replacen("inference", "embedding", 1);
    assert_ne!(forged, bundle);
    assert_eq!(check("forged.json", &forged).status.code(), Some(1), "a forged record is a finding");
}

/// The verifier key as the log states it; here the test is the auditor who got it by another way.
fn log_vkey(site: &Site) -> String {
    let store = site.path("store");
    let log = std::fs::read_dir(&store).unwrap().map(|e| e.unwrap().path().join("log.json")).find(|p| p.exists()).unwrap();
    let log: Value = serde_json::from_slice(&std::fs::read(log).unwrap()).unwrap();
    log["vkey"].as_str().unwrap().to_owned()
}
