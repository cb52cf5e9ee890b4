//! **spanseal** is an OTLP receiver that turns AI spans into evidence: it promotes spans and log events that carry AI meaning into
//! audit records, seals the records into write-once storage (S3 Object Lock first), finds them again, tells them in plain words, and
//! proves them to people who trust nobody.
//!
//! # The way of a span
//!
//! ```text
//! SDK / Collector --OTLP--> receive -> promote -> seal -> worm (store)
//! auditor <-- query, show, verify, prove <-- sealed segments + seals + checkpoint
//! ```
//!
//! Modules stand below in that order, and import downwards only:
//!
//! | folder | is | may import |
//! |---|---|---|
//! | [`otlp`] | the wire, as borrowed views (pure) | nothing |
//! | [`record`] | `spanseal.record/1`: registry of members, canonical form, ids (pure) | `otlp` |
//! | [`elsewhere`] | content that telemetry names by reference, fetched from configured places | `worm` |
//! | [`promote`] | span or log -> record (pure) | `otlp`, `record`, `retain` |
//! | [`vault`] | content and persons apart from evidence, encrypted and erasable | `record`, `retain`, `worm` |
//! | [`retain`] | record -> retention class, date arithmetic (pure) | `worm` types |
//! | [`seal`] | records -> durable, ordered seals: the only writer | `record`, `retain`, `tlog`, `worm`, `govern` |
//! | [`tlog`] | RFC 6962 trees, C2SP notes and checkpoints, the seal file (pure) | names and limits of `worm` |
//! | [`timestamp`] | RFC 3161 time stamp tokens: reading and verifying them (pure) | `tlog` |
//! | [`worm`] | write-once storage: contract, local folder, S3, Azure, GCS, strict twin | nothing |
//! | [`verify`] | proof for an outsider: whole-log check, findings, proof bundle | `record`, `tlog`, `worm` |
//! | [`govern`] | acts that are records themselves, who seals those of operators, and holds and extensions carried out in the store | `record`, `retain`; the second also `seal`, `vault`, `verify` (what was found); the third `query`, `worm` |
//! | [`verify`] | proof for an outsider: whole logs, one record; findings | `record`, `tlog`, `worm` |
//! | [`query`] | finding records, telling them as stories, proof bundles | `tlog`, `worm`, `record` |
//! | [`erase`] | forgetting a person or the content of a record: the one act that takes from the vault | `query`, `seal`, `vault`, `govern` |
//! | [`access`] | the record of who reads what the vault keeps, sealed before it is shown | `erase`, `seal`, `vault`, `govern` |
//! | [`stamping`] | has checkpoints stamped by time stamping authorities, in the background | `timestamp`, `tlog`, `worm`, `seal` (the newest commit), `elsewhere` (its web client) |
//! | [`witness`] | who else saw the log: a witness that others run, and the log's way to ask any | `tlog`, `worm`, `seal` (key files, figures), `elsewhere` (its web client) |
//! | [`lint`] | what telemetry would become, what is missing for whom, reference of attributes (pure) | `promote`, `record`, `otlp` |
//! | [`collector`] | the OpenTelemetry Collector before us: its filter, what its configuration would lose (pure) | `promote`, `config` (its YAML) |
//! | [`guides`] | how applications that run already come to have evidence: one page a situation (text) | nothing |
//! | [`api`] | health, metrics, checkpoint over HTTP | `metrics`, `seal` (figures), `worm` |
//! | [`serve`] | wiring only: builds the stages, supervises, drains in order | all of them |
//! | [`plain`] | text of others as it may stand before a reader (pure) | nothing |
//! | [`config`], [`metrics`], [`telemetry`] | the one file that configures all this; figures; logs | |
//! | [`cli`], [`commands`] | the command line, and one small file a command | all of them |
//!
//! [`verify`] shares nothing with `seal` but the mathematics and the formats. [`mod@format`] is the document of these formats, from which
//! somebody else can write a verifier.
//!
//! # Three sentences that every change keeps true
//!
//! 1. **A success answer is a receipt.** OTLP success is sent only after every promoted record of the request is durable.
//! 2. **There is one commit point**: the create-only put of the next seal. All before it may be redone, all after it is replayed by
//!    the function that recovery uses.
//! 3. **The verifier trusts nothing it did not re-derive** from stored bytes and a public key that the auditor brings.
#![cfg_attr(test, allow(clippy::as_conversions, reason = "small numbers that tests make themselves"))]

pub mod cli;
pub mod clock;
pub mod plain;
pub mod commands;
pub mod config;
mod http_client;
pub mod metrics;
pub mod telemetry;
pub mod otlp;
pub mod record;
pub mod receive;
pub mod elsewhere;
pub mod promote;
pub mod vault;
pub mod retain;
pub mod seal;
pub mod tlog;
pub mod timestamp;
pub mod worm;
pub mod verify;
pub mod format;
pub mod query;
pub mod lint;
pub mod collector;
pub mod guides;
pub mod govern;
pub mod erase;
pub mod access;
pub mod stamping;
pub mod witness;
pub mod api;
pub mod serve;
