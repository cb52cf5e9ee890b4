//! All instruments: name, unit, meaning, labels. What is not here is not measured; each alert that an operator needs has one row.

/// What kind of figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Values sorted into fixed buckets.
    Histogram,
}

/// One row of the table.
#[derive(Debug, PartialEq)]
pub struct Instrument {
    /// Name in OTLP.
    pub name: &'static str,
    /// Name in Prometheus text: the same with its unit and, for counters, `_total`.
    pub prometheus: &'static str,
    /// UCUM, as OpenTelemetry writes units.
    pub unit: &'static str,
    /// Kind.
    pub kind: Kind,
    /// What it says, in one sentence.
    pub meaning: &'static str,
    /// Label names.
    pub labels: &'static [&'static str],
}

macro_rules! table {
    ($($constant:ident: $kind:ident $name:literal $prometheus:literal $unit:literal [$($label:literal),*] $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $constant: Instrument = Instrument {
                name: $name,
                prometheus: $prometheus,
                unit: $unit,
                kind: Kind::$kind,
                meaning: $meaning,
                labels: &[$($label),*],
            };
        )*
        /// Every instrument, in the order in which they are printed.
        pub static ALL: &[&Instrument] = &[$(&$constant),*];
    };
}

table! {
    // Process. The Prometheus names are those that its client libraries agree on, so that dashboards for any process work.
    BUILD: Gauge "spanseal.build" "spanseal_build_info" "1" ["version"] "Always 1; the version stands in the label.";
    START_TIME: Gauge "process.start.time" "process_start_time_seconds" "s" [] "When this process started, in seconds since 1970.";
    UPTIME: Gauge "process.uptime" "process_uptime_seconds" "s" [] "How long this process has been running.";
    MEMORY: Gauge "process.memory.usage" "process_resident_memory_bytes" "By" [] "Resident memory.";
    OPEN_FDS: Gauge "process.unix.file_descriptor.count" "process_open_fds" "{file_descriptor}" [] "Open file descriptors.";
    READY: Gauge "spanseal.ready" "spanseal_ready" "1" [] "1 while /readyz says ready: the log is open, its writer runs, the newest commit is in time and not in doubt, and the vault takes what it is given.";

    // Receiving and promoting.
    REQUESTS: Counter "spanseal.receiver.requests" "spanseal_receiver_requests_total" "{request}" ["signal", "outcome"] "Requests that ended, by signal and outcome.";
    ITEMS: Counter "spanseal.receiver.items" "spanseal_receiver_items_total" "{item}" ["signal"] "Spans, log records and data points received.";
    PROMOTED: Counter "spanseal.promote.records" "spanseal_promote_records_total" "{record}" ["signal"] "Records that were promoted and have their receipt.";
    REJECTED: Counter "spanseal.promote.rejected" "spanseal_promote_rejected_total" "{item}" ["signal"] "Spans and log records that were refused as malformed; the answer said so.";
    SKIPPED: Counter "spanseal.promote.skipped" "spanseal_promote_skipped_total" "{item}" ["reason"] "Spans and log records that became no record, by reason.";
    UNDECIDED: Counter "spanseal.promote.undecided" "spanseal_promote_undecided_total" "{condition}" [] "Conditions of own rules and thresholds that could not be decided and so did not hold: a value was missing or of another type.";
    REFERENCES: Counter "spanseal.receiver.references" "spanseal_receiver_references_total" "{reference}" ["outcome"] "References to content kept elsewhere, where content.references is configured: fetched, or why not; then the record says by_reference.";
    REQUEST_BYTES: Counter "spanseal.receiver.size" "spanseal_receiver_bytes_total" "By" ["signal"] "Bytes of request bodies, decompressed.";
    IN_FLIGHT: Gauge "spanseal.receiver.in_flight" "spanseal_receiver_in_flight_requests" "{request}" [] "Requests between their first byte and their answer.";
    CONNECTIONS: Gauge "spanseal.receiver.connections" "spanseal_receiver_connections" "{connection}" [] "Open connections of the OTLP ports.";
    TIMED_OUT: Counter "spanseal.receiver.connections_timed_out" "spanseal_receiver_connections_timed_out_total" "{connection}" ["owed"] "Connections ended because the other end took too long with what it owed: its first bytes, the head of a request, reading our answers, the answer to a ping.";
    REFUSED: Counter "spanseal.receiver.connections_refused" "spanseal_receiver_connections_refused_total" "{connection}" [] "Connections closed at once because their address holds its share of a port's places and few are left.";
    HANDSHAKES_FAILED: Counter "spanseal.receiver.handshakes_failed" "spanseal_receiver_handshakes_failed_total" "{handshake}" [] "TLS handshakes that failed or took too long, clients without the certificate that is asked for among them.";

    // Asking for receipts later.
    RECEIPTS: Counter "spanseal.receipts.requests" "spanseal_receipts_requests_total" "{request}" ["outcome"] "Questions to /api/v1/receipts/ by what came of them: found, not_found, incomplete (something could not be searched), busy (many at once, or it took too long), unread (the store), wrong, gone (the asker hung up).";

    // Sealing: the one writer.
    SEALS: Counter "spanseal.seal.seals" "spanseal_seal_seals_total" "{seal}" ["content"] "Seals committed, with records or as heartbeats.";
    SEAL_RECORDS: Counter "spanseal.seal.records" "spanseal_seal_records_total" "{record}" [] "Records sealed.";
    SEAL_DUPLICATES: Counter "spanseal.seal.duplicates" "spanseal_seal_duplicates_total" "{record}" [] "Equal records that were sealed before and not stored again.";
    SEAL_LINE_BYTES: Counter "spanseal.seal.lines" "spanseal_seal_line_bytes_total" "By" [] "Bytes of record lines sealed.";
    SEAL_STORED_BYTES: Counter "spanseal.seal.segments" "spanseal_seal_stored_bytes_total" "By" [] "Bytes of the compressed segments that seals name.";
    SEAL_SECONDS: Histogram "spanseal.seal.duration" "spanseal_seal_duration_seconds" "s" [] "Time from the first record of a batch to its commit: how long senders wait for their receipts.";
    SEAL_COMMIT_SECONDS: Counter "spanseal.seal.commit.time" "spanseal_seal_commit_seconds_total" "s" [] "Time from the close of a batch to its commit, summed; divide by seals.";
    SEAL_FAILED: Counter "spanseal.seal.failed_batches" "spanseal_seal_failed_batches_total" "{batch}" [] "Batches that failed before they were signed; their senders were told to try again.";
    SEAL_SEGMENT_RETRIES: Counter "spanseal.seal.segment_retries" "spanseal_seal_segment_retries_total" "{put}" [] "Segment puts that were made again.";
    SEAL_DOUBTS: Counter "spanseal.seal.commit_doubts" "spanseal_seal_commit_doubts_total" "{commit}" [] "Seals of which it was not known at once whether they are committed.";
    SEAL_COMMIT_RETRIES: Counter "spanseal.seal.commit_retries" "spanseal_seal_commit_retries_total" "{put}" [] "Seal puts that were made again, refused ones among them.";
    SEAL_IN_DOUBT: Gauge "spanseal.seal.in_doubt" "spanseal_seal_in_doubt" "1" [] "1 while a signed seal is not known to be committed: nothing is acknowledged meanwhile.";
    LAST_SEAL_AGE: Gauge "spanseal.seal.age" "spanseal_seal_age_seconds" "s" [] "Age of the newest seal; with heartbeats on, more than twice `seal.heartbeat` means that nothing can be sealed.";
    TREE_SIZE: Gauge "spanseal.tlog.tree_size" "spanseal_tlog_tree_size" "{seal}" [] "Seals in the log.";
    CHECKPOINT_LAG: Gauge "spanseal.tlog.checkpoint.lag" "spanseal_tlog_checkpoint_lag_seals" "{seal}" [] "Committed seals that the published checkpoint does not cover yet.";
    PUBLISH_FAILURES: Counter "spanseal.tlog.publish_failures" "spanseal_tlog_publish_failures_total" "{publication}" [] "Publications of the checkpoint that failed; they are made up at the next interval.";
    STAMPED_LAG: Gauge "spanseal.tlog.timestamped.lag" "spanseal_tlog_timestamped_lag_seals" "{seal}" [] "Committed seals that no time stamp covers yet, where `log.timestamping` is configured.";
    STAMPED_AGE: Gauge "spanseal.tlog.timestamped.age" "spanseal_tlog_timestamped_age_seconds" "s" [] "Age of the newest time stamp; more than twice `log.timestamp_interval` means that no authority gives a good one.";
    STAMP_ATTEMPTS: Counter "spanseal.timestamp.attempts" "spanseal_timestamp_attempts_total" "{attempt}" ["authority", "outcome"] "Attempts to have a checkpoint or a token stamped; authorities are numbered as configured. bad_token, untrusted, early, late and too_short were not stored.";
    STAMP_RENEWALS: Counter "spanseal.timestamp.renewals" "spanseal_timestamp_renewals_total" "{token}" [] "Time stamps that were themselves stamped because their certificates end soon.";
    COSIGNED_LAG: Gauge "spanseal.tlog.cosigned.lag" "spanseal_tlog_cosigned_lag_seals" "{seal}" [] "Committed seals that `log.witness_quorum` witnesses have not cosigned yet, where witnesses are configured.";
    COSIGNED: Gauge "spanseal.witness.cosigned" "spanseal_witness_cosigned_tree_size" "{seal}" ["witness"] "Tree size that a witness has cosigned last, as stored; 0 while nothing of it is known. Witnesses are numbered as configured.";
    WITNESS_ATTEMPTS: Counter "spanseal.witness.attempts" "spanseal_witness_attempts_total" "{attempt}" ["witness", "outcome"] "Attempts to have a checkpoint cosigned; ahead and contradicted mean that the log was set back or rewritten.";
    WITNESS_LAST: Gauge "spanseal.witness.last" "spanseal_witness_last_outcome" "1" ["witness", "outcome"] "1 for the outcome of the newest attempt with a witness, 0 for the others.";
    RETENTION_OBJECTS: Gauge "spanseal.retention.objects" "spanseal_retention_objects" "{object}" ["lock"] "Objects of the log by what the store showed of their locks at the last attestation: governance, compliance and unlocked are all of them; held (on legal hold), over (date past) and due (ends within 30 days) are among these.";
    RETENTION_FINDINGS: Gauge "spanseal.retention.findings" "spanseal_retention_findings" "{finding}" ["kind"] "What the last attestation found, in the words of `spanseal verify`; above 0 a lock is shorter, weaker or missing, or something is hidden or gone.";
    ATTESTED_AGE: Gauge "spanseal.retention.attested.age" "spanseal_retention_attested_age_seconds" "s" [] "Age of the newest attestation of this process; more than twice `retention.attest_every` means that none can be sealed. Absent until the first.";
    ATTESTED_VERDICT: Gauge "spanseal.retention.verdict" "spanseal_retention_last_verdict" "1" ["verdict"] "1 for the verdict of the newest attestation, 0 for the others.";
    DEDUP_ENTRIES: Gauge "spanseal.dedup.entries" "spanseal_dedup_entries" "{record}" [] "Records in the window in which a resent one is recognised.";
    DEDUP_WINDOW: Gauge "spanseal.dedup.window" "spanseal_dedup_window_seconds" "s" [] "Age of the oldest of them at the newest seal; short on a quiet system and on a young log.";
    DEDUP_EVICTED: Counter "spanseal.dedup.evicted" "spanseal_dedup_evicted_total" "{record}" [] "Records forgotten before `seal.dedup_window` was over because `seal.dedup_bytes` was full; if sent again they are stored again.";

    // Holds and extensions.
    HOLDS_OPEN: Gauge "spanseal.hold.open" "spanseal_hold_open" "{hold}" [] "Holds and extensions that are open.";
    HOLDS_BEHIND: Gauge "spanseal.hold.behind" "spanseal_hold_behind_seals" "{seal}" [] "Committed seals that were not searched yet for what an open hold keeps; more than a minute's worth for long means that they cannot be put on hold.";
    HOLDS_HELD: Counter "spanseal.hold.segments" "spanseal_hold_segments_total" "{segment}" [] "Segments that this process has put on hold for holds that were open when they were sealed, or that found them so.";
    HOLDS_FAILURES: Counter "spanseal.hold.failures" "spanseal_hold_failures_total" "{round}" [] "Times that what should be on hold could not be searched or held; it is tried again every minute.";

    // The vault: what records keep apart.
    VAULT_BYTES: Counter "spanseal.vault.content" "spanseal_vault_content_bytes_total" "By" [] "Bytes of content that the vault has taken, before it compressed them.";
    VAULT_PIECES: Counter "spanseal.vault.pieces" "spanseal_vault_pieces_total" "{content}" [] "Contents (prompts, answers, documents, what else a record keeps apart) that the vault has taken.";
    VAULT_SECONDS: Histogram "spanseal.vault.put.duration" "spanseal_vault_put_duration_seconds" "s" [] "How long the vault takes for what the records of a seal keep apart; their seal waits for it.";
    VAULT_FAILED: Counter "spanseal.vault.failed_batches" "spanseal_vault_failed_batches_total" "{batch}" [] "Batches that failed because the vault did not take what they keep apart; their senders were told to try again.";
    VAULT_LOST_PERSONS: Gauge "spanseal.vault.lost.persons" "spanseal_vault_lost_persons" "{person}" [] "Persons, or objects of them, that must be in the vault and are gone without an erasure, until they are there again; above 0 somebody took them away. What is lost does not make the process unready: it still takes what it is given.";
    VAULT_LOST_PACKS: Gauge "spanseal.vault.lost.packs" "spanseal_vault_lost_packs" "{seal}" [] "Seals whose content must be in the vault and is gone or junk without an erasure or the end of its retention, by the last look (at the start and once a day); above 0 somebody took it away.";
    VAULT_HELD: Gauge "spanseal.vault.held" "spanseal_vault_held_packs" "{pack}" [] "Packs (what was said in the records of a seal) whose retention is over and that stay because of open legal holds, or because it is not known what is on hold.";
    VAULT_CLOCK: Gauge "spanseal.vault.clock.ahead" "spanseal_vault_clock_ahead_seconds" "s" [] "Seconds by which the newest seal is later than is believed where content of the vault expires; above 0 this machine's clock may run ahead, and content is kept longer.";

    // The pool: requests on their way to a seal.
    POOL_USED: Gauge "spanseal.pool.used" "spanseal_pool_used_bytes" "By" [] "Bytes of requests on their way to a seal, or of the records they become, whichever is more.";
    POOL_CAPACITY: Gauge "spanseal.pool.capacity" "spanseal_pool_capacity_bytes" "By" [] "Bytes that may be of each: `seal.pool_bytes`.";

    // The store.
    STORE_PUTS: Counter "spanseal.worm.puts" "spanseal_worm_puts_total" "{put}" ["kind", "outcome"] "Puts into the store by kind of object and outcome.";
    STORE_PUT_SECONDS: Histogram "spanseal.worm.put.duration" "spanseal_worm_put_duration_seconds" "s" ["kind"] "How long puts take by kind of object.";
    STORE_READS: Counter "spanseal.worm.reads" "spanseal_worm_reads_total" "{read}" ["outcome"] "Reads from the store (get, head, listings) by outcome.";
    STORE_SKEW: Gauge "spanseal.worm.clock.skew" "spanseal_worm_clock_skew_seconds" "s" [] "Seconds that the store's clock is ahead of ours; beyond 300 either way nothing is sealed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_are_unique() {
        for (i, row) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(i + 1).all(|o| o.name != row.name && o.prometheus != row.prometheus), "{}", row.name);
            // OpenMetrics leaves `_total` out of a counter's name: what is left must be nobody else's.
            let family = row.prometheus.trim_end_matches("_total");
            assert!(ALL.iter().all(|o| o.name == row.name || o.prometheus != family), "{family}");
            assert!(row.prometheus.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{}", row.prometheus);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.')), "{}", row.name);
            assert!(row.meaning.ends_with('.') && row.meaning.is_ascii(), "{}", row.meaning);
            assert_eq!(row.prometheus.ends_with("_total"), row.kind == Kind::Counter, "{}", row.name);
            match row.unit {
                "s" => assert!(row.prometheus.contains("_seconds"), "{}", row.name),
                "By" => assert!(row.prometheus.contains("_bytes"), "{}", row.name),
                _ => {}
            }
        }
    }
}
