//! One YAML file <-> one struct. The field docs are the manual; what is loaded is checked once and nothing validates it again.
//!
//! The form is the OpenTelemetry Collector's: the same key names for listeners, `${env:NAME:-default}` in values, relative paths from the
//! working directory. Unknown keys are refused with the nearest known one; every complaint names file, line and column. Secrets are never
//! values here but paths of files, so the whole of it can be printed ([`Config::redacted_json`]), and its hash stands in every seal
//! (with the identity key's id: [`Config::sha256`]).
//!
//! Which value wins: the command line, then `SPANSEAL_*`, then the file, then the default. `AWS_*` fills in the S3 endpoint and region where
//! the file has none.

mod check;
mod endpoint;
mod environment;
mod print;
mod read;
mod references;
mod retention;
mod rules;
mod section;
#[cfg(test)]
mod tests;
mod timestamping;
mod units;
mod vault;
mod witnesses;
pub(crate) mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use endpoint::Endpoint;
pub use environment::Environment;
pub use print::Format as PrintFormat;
pub use units::{DURATION_MIN, parse_duration, parse_size, show_duration, show_size};
pub use yaml::ConfigError;

use crate::clock::UnixSeconds;
use crate::elsewhere;
use crate::promote;
use crate::promote::retention::Policy;
use crate::receive::{TlsFiles, listen};
use crate::retain::presets::Preset;
use crate::retain::{ClassIndex, Classes, Period};
use crate::stamping;
use crate::tlog::Hash;
use crate::vault::Persons;
use crate::witness::client::Place;
use crate::worm::azure::AzureOptions;
use crate::worm::gcs::GcsOptions;
use crate::worm::local::LocalOptions;
use crate::worm::s3::S3Options;
use crate::worm::{ServiceEndpoint, StoreOptions, StoreUrl};

/// The whole effective configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `receivers.otlp.protocols`: where spans and logs come in.
    pub receivers: Receivers,
    /// `promotion`: what becomes a record.
    pub promotion: Promotion,
    /// `identity`: how persons and references are held.
    pub identity: Identity,
    /// `content`: how prompts, outputs and documents are held.
    pub content: Content,
    /// `confidence`: how sure a decision has to be.
    pub confidence: Confidence,
    /// `retention`: how long, and how strongly.
    pub retention: Retention,
    /// `store`: where evidence lies.
    pub store: Store,
    /// `log`: whose log it is and who signs.
    pub log: Log,
    /// `seal`: when a seal closes, and how much may wait for it.
    pub seal: Seal,
    /// `api`: health, metrics, checkpoint.
    pub api: Listener,
    /// `telemetry`: logs and metrics of our own.
    pub telemetry: Telemetry,
    /// What an operator should know though it is allowed; printed at start, shown by `doctor`.
    pub warnings: Vec<String>,
    /// The file it came from, if one was read. Not part of the effective configuration.
    pub file: Option<PathBuf>,
}

/// `receivers.otlp.protocols`. As in the Collector: without the key both listen, with it only the named ones do.
#[derive(Clone, Debug)]
pub struct Receivers {
    /// OTLP/gRPC; default endpoint 127.0.0.1:4317 (OTLP specification, "OTLP/gRPC Default Port").
    pub grpc: Option<Receiver>,
    /// OTLP/HTTP, protobuf and JSON; default endpoint 127.0.0.1:4318.
    pub http: Option<Receiver>,
}

/// One OTLP listener.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where and how it listens.
    pub listener: Listener,
    /// Largest request after decompression, bytes. `max_recv_msg_size_mib` (a number of MiB) for gRPC, `max_request_body_size` for HTTP;
    /// default 16 MiB: a Collector's default batch of 8192 spans at 2 KB each. 64 KiB to 128 MiB: a request becomes one seal where
    /// there is room for all of it, and a decoded segment may have 256 MiB.
    pub request_bytes_max: u64,
}

/// Where something listens, and who may talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `endpoint`: host and port. Port 0 takes a free one.
    pub endpoint: Endpoint,
    /// `tls`: without it plain text.
    pub tls: Option<Tls>,
    /// `auth.token_file`: a file of bearer tokens, one a line; without it anybody who reaches the port is let in.
    pub token_file: Option<PathBuf>,
}

/// `tls` of a listener, in the Collector's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `cert_file`: PEM, the server's certificate first, then its chain.
    pub cert_file: PathBuf,
    /// `key_file`: PEM, its private key.
    pub key_file: PathBuf,
    /// `client_ca_file`: PEM; clients must show a certificate signed by one of these (mutual TLS).
    pub client_ca_file: Option<PathBuf>,
}

/// `promotion`.
#[derive(Clone, Debug, PartialEq)]
pub struct Promotion {
    /// `dialects`: ids of the vocabularies that are understood; `None` (no key) is all of them.
    pub dialects: Option<Vec<String>>,
    /// `rules`: own rules, in order; at most 64. What they look like and decide stands in [`promote::rules`].
    pub rules: Vec<promote::rules::Rule>,
    /// `keep_attributes`: attribute keys that are kept in a record's `attributes` besides the built-in allow-list. Whoever lists a key here
    /// says that it holds no personal content. At most 256.
    pub keep_attributes: Vec<String>,
}

/// `identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `mode`: `vault` (default where there is a vault), `keyed` (default elsewhere) or `plain`.
    pub mode: IdentityMode,
    /// `key_file`: the 32-byte key K of this store, shared by its replicas, made at first start. Default `./spanseal-identity.key`.
    pub key_file: PathBuf,
    /// `realm`: the resource attribute whose value tells applications apart, so that "42" of two of them is two people.
    /// Default `service.namespace`.
    pub realm: String,
    /// `references`: whether session and request ids are kept as sent (`plain`, default) or as pseudonyms (`keyed`).
    pub references: References,
    /// `scrub`: further patterns of what looks like a person in names and references, besides e-mail, telephone and IP addresses: literal
    /// text, in which `#` stands for a digit, `?` for a byte and `*` for a run without white space. At most 64, each at most 256 bytes.
    pub scrub: Vec<String>,
}

/// How a person's id is held (`record.md`, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityMode {
    /// A random pseudonym; who it is stands in the vault and can be erased there.
    Vault,
    /// A keyed pseudonym. Only destroying the key erases, and it erases everybody.
    Keyed,
    /// As sent; needs `acknowledge_plain: true`.
    Plain,
}

/// How references are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// As sent, unless a scrub pattern matches.
    Plain,
    /// Always as pseudonyms.
    Keyed,
}

/// `content`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// `mode`: `vault` (default where there is a vault) or `hash`.
    pub mode: ContentMode,
    /// `equality`: whether the keyed hash is written also where a vault keeps the content; without a vault it always is. Default false.
    pub equality: bool,
    /// `vault`: where content and persons lie, if `content.mode` or `identity.mode` is `vault`.
    pub vault: Option<VaultPlace>,
    /// `references`: from where content is fetched that telemetry only names by reference. By default from nowhere.
    pub references: elsewhere::Options,
}

/// How prompts, outputs and documents are held (`record.md`, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentMode {
    /// In the vault, and in evidence by commitment.
    Vault,
    /// As keyed hash, and nowhere else.
    Hash,
}

/// `content.vault`. A bucket is reached with the options of `store.s3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultPlace {
    /// `url`: `file://./folder` or `s3://bucket/prefix`, never inside the store; a bucket without versioning and without Object Lock.
    /// Default on a file store: the folder `<store>-vault` beside it; elsewhere none, and then there is no vault.
    pub url: StoreUrl,
    /// `key_file`: the 32-byte key that everything in the vault is encrypted with, made at first start. Default `./spanseal-vault.key`.
    pub key_file: PathBuf,
    /// `retention`: how long content is kept, from the end of the day (UTC) on which it was sealed. Default the period of the default
    /// retention class. Content that an open legal hold means stays until the hold is released.
    pub retention: Period,
}

/// `confidence`.
#[derive(Clone, Debug, PartialEq)]
pub struct Confidence {
    /// `thresholds`: the first whose condition holds counts; at most 64. [`promote::Threshold`] says for what.
    pub thresholds: Vec<promote::Threshold>,
}

/// `retention`.
#[derive(Clone, Debug)]
pub struct Retention {
    /// `classes` (at most 64) and `default`, checked against `compliance_ceiling`. Default one class `standard`, GOVERNANCE, 180d: the six months of
    /// EU AI Act Art. 19(1) and 26(6), in a mode that a mistake can still be lifted from.
    ///
    /// Each of `presets` has a class of its own here, after those.
    pub classes: Classes,
    /// `policies`, in order, then one for each of `presets`; at most 64 together.
    pub policies: Vec<Policy>,
    /// `presets`, in order. Default none.
    pub presets: Vec<Chosen>,
    /// `compliance_ceiling`: longest period of a COMPLIANCE class, because nobody can shorten one. Default 10y.
    pub compliance_ceiling: Period,
    /// `attest_every`: how often `serve` looks at every lock of the log and seals what it found; the first time a while after its start.
    /// Default 1d; `None` (`off`) is never. 10s to 31d. Each look reads every seal and asks for the lock of every object.
    pub attest_every: Option<Duration>,
    /// Why `serve` refuses it, where the ceiling was lifted and is exceeded.
    pub beyond_ceiling: Option<String>,
}

/// One of `retention.presets`.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    /// What it is.
    pub preset: &'static Preset,
    /// Its class, with the mode and period that were chosen.
    pub class: ClassIndex,
}

/// `store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// `url`: `file://./folder`, `s3://bucket/prefix`, `az://account/container/prefix` or `gs://bucket/prefix` (the latter two were never
    /// run against the real services, see [`CAVEAT`](crate::worm::CAVEAT)). Default `file://./spanseal-data`. `--store` and `SPANSEAL_STORE` override it.
    pub url: StoreUrl,
    /// `not_worm`: allow a bucket without Object Lock; every seal, report and page then says so. Default false. A local folder never
    /// is write-once storage and always says so.
    pub not_worm: bool,
    /// `file.immutable`: set the immutable flag on every file (Linux, needs CAP_LINUX_IMMUTABLE). Default false.
    pub file_immutable: bool,
    /// `s3`.
    pub s3: S3,
    /// `azure`: for `az://`.
    pub azure: ServiceEndpoint,
    /// `gcs`: for `gs://`.
    pub gcs: ServiceEndpoint,
}

/// `store.s3`. Credentials never stand here: environment, web identity, container or instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3 {
    /// `endpoint`: of an S3-compatible server. Else `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, AWS itself.
    pub endpoint: Option<String>,
    /// `region`. Else `AWS_REGION`, `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `path_style`: `endpoint/bucket` instead of `bucket.endpoint`. Default false.
    pub path_style: bool,
    /// `allow_http`: plain `http://` beyond loopback. Default false.
    pub allow_http: bool,
    /// `ca_file`: PEM of the only certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// `sse_kms_key_id`: encrypt objects under this KMS key.
    pub sse_kms_key_id: Option<String>,
}

impl Listener {
    /// Whether others on the way can read what is sent there.
    pub fn is_in_the_clear(&self) -> bool {
        self.tls.is_none() && !self.endpoint.is_loopback()
    }

    /// For [`crate::receive::listen::bind`].
    pub fn to_endpoint(&self) -> listen::Endpoint {
        let tls = self.tls.as_ref().map(|tls| TlsFiles {
            cert_file: tls.cert_file.clone(),
            key_file: tls.key_file.clone(),
            client_ca_file: tls.client_ca_file.clone(),
        });
        listen::Endpoint { address: self.endpoint.to_string(), tls, token_file: self.token_file.clone() }
    }
}

impl Store {
    /// For [`crate::worm::open`].
    pub fn options(&self) -> StoreOptions {
        StoreOptions {
            local: LocalOptions { immutable: self.file_immutable, private: false },
            s3: S3Options {
                endpoint: self.s3.endpoint.clone(),
                region: self.s3.region.clone(),
                path_style: self.s3.path_style,
                allow_http: self.s3.allow_http,
                ca_file: self.s3.ca_file.clone(),
                sse_kms_key_id: self.s3.sse_kms_key_id.clone(),
                not_worm: self.not_worm,
                ..S3Options::default()
            },
            azure: AzureOptions { endpoint: self.azure.clone(), ..AzureOptions::default() },
            gcs: GcsOptions { endpoint: self.gcs.clone(), ..GcsOptions::default() },
        }
    }
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `name`: folder of the log below the store. Default `spanseal`.
    pub name: String,
    /// `origin`: the log's name in the world, ends in `/<name>`. Default `spanseal.local/<name>`.
    pub origin: String,
    /// `key_file`: the signing key, which belongs to this log alone. Default `./spanseal.key`.
    pub key_file: PathBuf,
    /// `next_key_file`: the key that the log changes to. The first seal of the next start announces it and is signed by both; from then on
    /// it signs alone, and `key_file` may name its file. Made with `spanseal keygen --next`. Without it the log keeps its key.
    pub next_key_file: Option<PathBuf>,
    /// `timestamping` and `timestamp_interval`: time stamping authorities (RFC 3161), at most 8, asked in their order; one good token is
    /// enough. Each has a `url` (plain `http://` is allowed: tokens are signed), a `ca_file` with the roots that its tokens must lead to, and for
    /// https an optional `tls_ca_file`. By default none. `timestamp_interval` is between two stamped checkpoints, 10s to 7 days (`168h`), default 1h: 8760 tokens of
    /// some 6 KB a year are 50 MB of locked objects, and authorities that are free ask for no more than a few requests an hour.
    pub timestamping: stamping::Options,
    /// `witnesses`: who is asked to cosign the log's checkpoints; nobody by default, at most 16.
    pub witnesses: Vec<Place>,
    /// `witness_quorum`: how many of them must have cosigned what counts as cosigned in the figures. Default all of them: a claim that is
    /// stronger than what was meant shows at once, a weaker one never. Nothing waits for it. 0 where there are none.
    pub witness_quorum: usize,
    /// `witness_interval`: between two checkpoints that are cosigned, if records were sealed in between; heartbeats alone are cosigned once an
    /// hour. Default 1m: a locked object of some 300 bytes a witness, at most 525,600 a year. 1s to 24h.
    pub witness_interval: Duration,
}

/// `seal`. `acknowledge` is `sealed`: a request is answered after its records are committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// `max_delay`: longest time a record waits for company. Default 1s: a seal a second is 31 million a year, which the log is made
    /// for; senders time out after 10 s. 10ms to 15s ([`MAX_DELAY_MAX`]), and at most half of `heartbeat`.
    pub max_delay: Duration,
    /// `max_bytes`: record lines, in bytes, at which a seal closes early. Default 8MiB: a second of 8000 records of 1 KB. 64KiB to 64MiB.
    pub max_bytes: u64,
    /// `pool_bytes`: bytes of requests that may be on their way to a seal, and as many again of the records they become. Default 64MiB: eight
    /// full seals, so that a store that needs eight seconds stalls nobody. 1MiB to 2GiB.
    pub pool_bytes: u64,
    /// `admission_wait`: how long a request waits for room in the pool before it is refused retryably. Default 5s: half of what senders
    /// wait. 10ms to 1m.
    pub admission_wait: Duration,
    /// `dedup_window`: for how long a resent span is recognised. Default 1h: longer than the retry queues of SDKs and Collectors.
    /// 10ms to 24h.
    pub dedup_window: Duration,
    /// `dedup_bytes`: memory for that, bytes. Default 64MiB: about half a million ids. Under load the window shrinks, and
    /// `spanseal_dedup_evicted_total` says so.
    /// 64KiB to 16GiB.
    pub dedup_bytes: u64,
    /// `heartbeat`: after so long without records an empty seal proves silence. Default 60s; `None` (`0s`) is off. 1s to 24h.
    pub heartbeat: Option<Duration>,
}

/// Longest `seal.max_delay`: half of what a request may wait for its receipt before its sender is told to try again, and less than open
/// requests are given when the process is told to stop (`serve` holds it to both).
pub const MAX_DELAY_MAX: Duration = Duration::from_secs(15);

/// `telemetry`: of this process itself, never routed into its own receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// `logs.level`: least severe level that is written to stderr. Default info.
    pub level: Level,
    /// `logs.format`: `text` (default) or `json`, one event a line.
    pub format: LogFormat,
    /// `otlp`: also push the metrics to a Collector.
    pub otlp: Option<OtlpExport>,
}

/// `telemetry.otlp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpExport {
    /// `endpoint`: OTLP/gRPC, `http://host:port`. Plain text: a Collector beside this process; further away needs `allow_http`.
    pub endpoint: String,
    /// `allow_http`: beyond loopback.
    pub allow_http: bool,
    /// `interval`: between two pushes. Default 1m. 1s to 1h.
    pub interval: Duration,
}

/// Level of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What failed.
    Error,
    /// What works but should not stay so.
    Warn,
    /// One line a batch.
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Form of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What the command line says about configuration; the same for every command.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
    /// Whether `retention.compliance_ceiling` is only told of ([`Retention::beyond_ceiling`]) and refuses nothing: for who plans.
    pub lift_ceiling: bool,
}

impl Config {
    /// Loads the effective configuration. `now` is the moment from which `compliance_ceiling` is measured.
    pub fn load(overrides: &Overrides, environment: &Environment, now: UnixSeconds) -> Result<Self, ConfigError> {
        let file = overrides.config.clone().or_else(|| environment.get("SPANSEAL_CONFIG").map(PathBuf::from));
        let (name, text) = match &file {
            Some(path) => (path.display().to_string(), read_file(path)?),
            None => ("defaults".to_owned(), String::new()),
        };
        let mut config = Config::parse(&name, &text, overrides, environment, now)?;
        config.file = file;
        Ok(config)
    }

    /// The same from a text, for tests and embedded use.
    pub fn parse(name: &str, text: &str, overrides: &Overrides, environment: &Environment, now: UnixSeconds) -> Result<Self, ConfigError> {
        let source = yaml::Source { name: name.to_owned(), text: text.to_owned() };
        let mut config = read::config(section::Reader { source: &source, environment }, overrides, now)?;
        check::all(&config)?;
        config.warnings = check::warnings(&config);
        Ok(config)
    }

    /// Every listener with the key that names it.
    pub fn listeners(&self) -> Vec<(&'static str, &Listener)> {
        let grpc = self.receivers.grpc.as_ref().map(|r| ("receivers.otlp.protocols.grpc", &r.listener));
        let http = self.receivers.http.as_ref().map(|r| ("receivers.otlp.protocols.http", &r.listener));
        grpc.into_iter().chain(http).chain([("api", &self.api)]).collect()
    }

    /// What the promoter is told; `key` is K, and `persons` the vault's book, which counts only where persons are in the vault.
    pub fn promotion_settings(&self, key: promote::IdentityKey, persons: Persons) -> promote::Settings {
        let mut settings = promote::Settings::new(Arc::new(self.retention.classes.clone()), key);
        // The acknowledgement was asked for when the configuration was read.
        (settings.identity_mode, settings.acknowledge_plain) = match self.identity.mode {
            IdentityMode::Vault => (promote::IdentityMode::Vault, false),
            IdentityMode::Keyed => (promote::IdentityMode::Keyed, false),
            IdentityMode::Plain => (promote::IdentityMode::Plain, true),
        };
        if self.identity.mode == IdentityMode::Vault {
            settings.persons = Some(Arc::new(persons));
        }
        settings.content = match self.content.mode {
            ContentMode::Vault => crate::record::content::ContentMode::Vault { equality: self.content.equality },
            ContentMode::Hash => crate::record::content::ContentMode::Hash,
        };
        settings.references = match self.identity.references {
            References::Plain => promote::References::Plain,
            References::Keyed => promote::References::Keyed,
        };
        settings.realm.clone_from(&self.identity.realm);
        settings.scrub.clone_from(&self.identity.scrub);
        settings.keep_attributes.clone_from(&self.promotion.keep_attributes);
        settings.rules.clone_from(&self.promotion.rules);
        settings.thresholds.clone_from(&self.confidence.thresholds);
        settings.policies.clone_from(&self.retention.policies);
        settings.dialects = self.promotion.dialects.clone().unwrap_or_default();
        settings
    }

    /// What a Collector may pass on because `promotion` promotes it.
    pub fn collector_filter(&self) -> Result<promote::ottl::Filter, String> {
        promote::ottl::Filter::new(self.promotion.dialects.as_deref().unwrap_or_default(), &self.promotion.rules)
    }

    /// What stands in `config_change` records: the effective configuration and, as `identity.key_id`, which identity key it is used with
    /// (the first 8 hexadecimal digits of its SHA-256, no secret). Another key behind the same path is another configuration.
    pub fn sealed_text(&self, identity_key_id: &str) -> String {
        self.sealed_json(identity_key_id).to_jcs_string()
    }

    /// SHA-256 of [`sealed_text`](Self::sealed_text): `config_sha256` of every seal written under this configuration with this key.
    pub fn sha256(&self, identity_key_id: &str) -> Hash {
        Hash::of(self.sealed_text(identity_key_id).as_bytes())
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|e| {
        let what_now = match e.kind() {
            std::io::ErrorKind::NotFound => "check `--config` or SPANSEAL_CONFIG",
            _ => "check that the user who runs spanseal may read it",
        };
        ConfigError::new(format!("configuration file `{shown}` cannot be read: {e}; {what_now}"))
    })?;
    String::from_utf8(bytes).map_err(|_| ConfigError::new(format!("configuration file `{shown}` is not UTF-8 text")))
}
