//! The tree -> the typed configuration: one function a section, every key named once.

use std::path::PathBuf;
use std::time::Duration;

use super::section::{Reader, Section};
use super::units::{DURATION_MIN, duration_within, size_within};
use super::vault;
use super::witnesses;
use super::yaml::ConfigError;
use super::{
    Confidence, Config, Endpoint, Identity, IdentityMode, Level, Listener, Log, LogFormat, MAX_DELAY_MAX, OtlpExport, Overrides, Promotion,
    Receiver, Receivers, References, S3, Seal, Store, Telemetry, Tls,
};
use super::{retention, rules};
use crate::clock::UnixSeconds;
use crate::promote::rules::exposed;
use crate::tlog::note::is_key_name;
use crate::worm::{ServiceEndpoint, StoreUrl, is_name};

const KIB: u64 = 1024;
const MIB: u64 = KIB * KIB;
const GIB: u64 = KIB * MIB;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Most entries of a list that is looked through for each record, and longest entry.
const KEEP_ATTRIBUTES_MAX: usize = 256;
const SCRUB_MAX: usize = 64;
const PATTERN_BYTES_MAX: usize = 256;

pub(super) fn config(reader: Reader<'_>, overrides: &Overrides, now: UnixSeconds) -> Result<Config, ConfigError> {
    let mut top = reader.top(reader.source.parse()?)?;
    let (receivers, promotion) = (receivers(top.section("receivers")?)?, promotion(top.section("promotion")?)?);
    let (identity_at, content_at) = (top.section("identity")?, top.section("content")?);
    let retention = retention::read(top.section("retention")?, overrides.lift_ceiling, now)?;
    let store = store(top.section("store")?, reader, overrides)?;
    // Whether there is a vault, and for how long, decide others.
    let place = vault::place(content_at, &store.url, &retention)?;
    let identity = identity(identity_at, &place)?;
    let content = place.content(identity.mode)?;
    let config = Config {
        receivers,
        promotion,
        identity,
        content,
        confidence: confidence(top.section("confidence")?)?,
        retention,
        store,
        log: log(top.section("log")?)?,
        seal: seal(top.section("seal")?)?,
        api: api(top.section("api")?)?,
        telemetry: telemetry(top.section("telemetry")?)?,
        warnings: Vec::new(),
        file: None,
    };
    top.comes_later("index", "this version answers from the sealed segments themselves; remove the key")?;
    top.finish()?;
    Ok(config)
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("empty; write a path".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn receivers(mut at: Section<'_>) -> Result<Receivers, ConfigError> {
    let mut otlp = at.section("otlp")?;
    let mut protocols = otlp.section("protocols")?;
    let (grpc_at, http_at) = (protocols.section("grpc")?, protocols.section("http")?);
    let chosen = protocols.is_present();
    if chosen && !grpc_at.is_present() && !http_at.is_present() && protocols.is_empty() {
        return Err(protocols.error("`receivers.otlp.protocols` names no protocol, so nothing would be received; write `grpc:` or `http:`"));
    }
    let grpc = (!chosen || grpc_at.is_present()).then(|| grpc(grpc_at)).transpose()?;
    let http = (!chosen || http_at.is_present()).then(|| http(http_at)).transpose()?;
    protocols.finish()?;
    otlp.finish()?;
    at.finish()?;
    Ok(Receivers { grpc, http })
}

fn grpc(mut at: Section<'_>) -> Result<Receiver, ConfigError> {
    let listener = listener(&mut at, Endpoint::loopback(4317))?;
    let mib = at.value("max_recv_msg_size_mib", 16, |text| {
        let allowed = text.parse::<u64>().ok().filter(|n| (1..=128).contains(n));
        allowed.ok_or_else(|| format!("`{text}` is not a whole number of MiB from 1 to 128"))
    })?;
    at.finish()?;
    Ok(Receiver { listener, request_bytes_max: mib * MIB })
}

fn http(mut at: Section<'_>) -> Result<Receiver, ConfigError> {
    let listener = listener(&mut at, Endpoint::loopback(4318))?;
    let request_bytes_max = at.value("max_request_body_size", 16 * MIB, |t| size_within(t, 64 * KIB, 128 * MIB))?;
    at.finish()?;
    Ok(Receiver { listener, request_bytes_max })
}

fn api(mut at: Section<'_>) -> Result<Listener, ConfigError> {
    let listener = listener(&mut at, Endpoint::loopback(8720))?;
    at.finish()?;
    Ok(listener)
}

fn listener(at: &mut Section<'_>, default: Endpoint) -> Result<Listener, ConfigError> {
    let endpoint = at.value("endpoint", default, str::parse)?;
    let mut tls_at = at.section("tls")?;
    let cert_file = tls_at.optional("cert_file", path)?;
    let key_file = tls_at.optional("key_file", path)?;
    let client_ca_file = tls_at.optional("client_ca_file", path)?;
    let tls = match (cert_file, key_file) {
        (Some(cert_file), Some(key_file)) => Some(Tls { cert_file, key_file, client_ca_file }),
        (None, None) if client_ca_file.is_none() => None,
        _ => return Err(tls_at.error("`tls` needs both `cert_file` and `key_file`")),
    };
    tls_at.finish()?;
    let mut auth_at = at.section("auth")?;
    let token_file = auth_at.optional("token_file", path)?;
    auth_at.finish()?;
    Ok(Listener { endpoint, tls, token_file })
}

fn promotion(mut at: Section<'_>) -> Result<Promotion, ConfigError> {
    let dialects = match at.texts("dialects")? {
        None => None,
        Some(list) if list.is_empty() => {
            return Err(at.error("`promotion.dialects` is empty, so nothing would be understood; remove the key to understand all"));
        }
        Some(list) => {
            let mut ids = list.into_iter().map(|s| s.parse(dialect)).collect::<Result<Vec<_>, _>>()?;
            ids.sort();
            ids.dedup();
            Some(ids)
        }
    };
    let rules = rules::rules(&mut at)?;
    let mut keep_attributes = Vec::new();
    for scalar in at.texts("keep_attributes")?.unwrap_or_default() {
        let key = scalar.parse(|t| if t.is_empty() { Err("empty; write an attribute key".to_owned()) } else { Ok(t.to_owned()) })?;
        if let Some(exposed) = exposed(&rules, std::slice::from_ref(&key)) {
            return Err(scalar.error(format!("`{}`: {}", scalar.path, exposed.sentence())));
        }
        keep_attributes.push(key);
        if keep_attributes.len() > KEEP_ATTRIBUTES_MAX {
            return Err(scalar.error(format!("`promotion.keep_attributes` has more than {KEEP_ATTRIBUTES_MAX} keys")));
        }
    }
    // The order says nothing, so it must not change the hash of the configuration.
    keep_attributes.sort();
    keep_attributes.dedup();
    at.finish()?;
    Ok(Promotion { dialects, rules, keep_attributes })
}

fn dialect(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("empty; write the id of a dialect".to_owned()) } else { Ok(text.to_owned()) }
}

fn identity(mut at: Section<'_>, place: &vault::Wanted<'_>) -> Result<Identity, ConfigError> {
    let words = [("vault", IdentityMode::Vault), ("keyed", IdentityMode::Keyed), ("plain", IdentityMode::Plain)];
    let default = if place.is_there() { IdentityMode::Vault } else { IdentityMode::Keyed };
    let mode = at.word("mode", default, &words)?;
    let key_file = at.value("key_file", PathBuf::from("./spanseal-identity.key"), path)?;
    let realm = at.text("realm")?.unwrap_or_else(|| "service.namespace".to_owned());
    let references = at.word("references", References::Plain, &[("plain", References::Plain), ("keyed", References::Keyed)])?;
    at.comes_later("retention", "persons stay in the vault until they are erased; remove the key")?;
    let mut scrub = Vec::new();
    for scalar in at.texts("scrub")?.unwrap_or_default() {
        scrub.push(scalar.parse(|t| match t.len() {
            0 => Err("empty; write a pattern".to_owned()),
            n if n > PATTERN_BYTES_MAX => Err(format!("longer than {PATTERN_BYTES_MAX} bytes")),
            _ => Ok(t.to_owned()),
        })?);
        if scrub.len() > SCRUB_MAX {
            return Err(scalar.error(format!("`identity.scrub` has more than {SCRUB_MAX} patterns")));
        }
    }
    let acknowledged = at.flag("acknowledge_plain", false)?;
    if mode == IdentityMode::Plain && !acknowledged {
        return Err(at.error(
            "`identity.mode: plain` writes the ids of persons into storage that cannot be erased; if they are pseudonyms already, add \
             `acknowledge_plain: true`",
        ));
    }
    at.finish()?;
    Ok(Identity { mode, key_file, realm, references, scrub })
}

fn confidence(mut at: Section<'_>) -> Result<Confidence, ConfigError> {
    let thresholds = rules::thresholds(&mut at)?;
    at.finish()?;
    Ok(Confidence { thresholds })
}

fn store(mut at: Section<'_>, reader: Reader<'_>, overrides: &Overrides) -> Result<Store, ConfigError> {
    let url = |text: &str| StoreUrl::parse(text).map_err(|e| e.to_string());
    let written = at.optional("url", url)?;
    let chosen = match (&overrides.store, reader.environment.get("SPANSEAL_STORE")) {
        (Some(text), _) => Some(url(text).map_err(|e| ConfigError::new(format!("`--store`: {e}")))?),
        (None, Some(text)) => Some(url(text).map_err(|e| ConfigError::new(format!("SPANSEAL_STORE: {e}")))?),
        (None, None) => None,
    };
    let url = chosen.or(written).unwrap_or_else(|| StoreUrl::File(PathBuf::from("./spanseal-data")));
    let not_worm = at.flag("not_worm", false)?;
    let mut file_at = at.section("file")?;
    let file_immutable = file_at.flag("immutable", false)?;
    file_at.finish()?;
    let mut s3_at = at.section("s3")?;
    let is_s3 = matches!(url, StoreUrl::S3 { .. });
    let of_environment = |names: &[&str]| names.iter().find_map(|n| reader.environment.get(n)).filter(|_| is_s3).map(str::to_owned);
    let s3 = S3 {
        endpoint: s3_at.text("endpoint")?.or_else(|| of_environment(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])),
        region: s3_at.text("region")?.or_else(|| of_environment(&["AWS_REGION", "AWS_DEFAULT_REGION"])),
        path_style: s3_at.flag("path_style", false)?,
        allow_http: s3_at.flag("allow_http", false)?,
        ca_file: s3_at.optional("ca_file", path)?,
        sse_kms_key_id: s3_at.text("sse_kms_key_id")?,
    };
    s3_at.finish()?;
    let azure = endpoint(at.section("azure")?)?;
    let gcs = endpoint(at.section("gcs")?)?;
    at.finish()?;
    Ok(Store { url, not_worm, file_immutable, s3, azure, gcs })
}

/// `store.azure` and `store.gcs`.
fn endpoint(mut at: Section<'_>) -> Result<ServiceEndpoint, ConfigError> {
    let read =
        ServiceEndpoint { url: at.text("endpoint")?, allow_http: at.flag("allow_http", false)?, ca_file: at.optional("ca_file", path)? };
    at.finish()?;
    Ok(read)
}

fn log(mut at: Section<'_>) -> Result<Log, ConfigError> {
    let name = at.value("name", "spanseal".to_owned(), |text| {
        if is_name(text) {
            Ok(text.to_owned())
        } else {
            Err(format!("`{text}`: a log's name is 1 to 63 of a-z, 0-9 and `-`, and does not begin with `-`"))
        }
    })?;
    let suffix = format!("/{name}");
    let origin = at.value("origin", format!("spanseal.local/{name}"), |text| {
        if !is_key_name(text) {
            return Err(format!("`{text}`: an origin holds neither white space nor `+`"));
        }
        match text.strip_suffix(&suffix) {
            Some(before) if !before.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("`{text}` must end in `{suffix}`, the name of the log, as in spanseal.example.com{suffix}")),
        }
    })?;
    let key_file = at.value("key_file", PathBuf::from("./spanseal.key"), path)?;
    let next_key_file = at.optional("next_key_file", path)?;
    let (witnesses, witness_quorum, witness_interval) = witnesses::witnesses(&mut at)?;
    let timestamping = super::timestamping::timestamping(&mut at)?;
    at.finish()?;
    Ok(Log { name, origin, key_file, next_key_file, witnesses, witness_quorum, witness_interval, timestamping })
}

fn seal(mut at: Section<'_>) -> Result<Seal, ConfigError> {
    at.value("acknowledge", (), |text| match text {
        "sealed" => Ok(()),
        "journal" => Err("`journal` is not in this version; with `sealed` every success answer comes after the commit".to_owned()),
        _ => Err(format!("`{text}` is not one of `sealed`")),
    })?;
    at.comes_later("journal", "the local journal is not in this version; remove the key")?;
    let seal = Seal {
        max_delay: at.value("max_delay", Duration::from_secs(1), |t| duration_within(t, DURATION_MIN, MAX_DELAY_MAX))?,
        max_bytes: at.value("max_bytes", 8 * MIB, |t| size_within(t, 64 * KIB, 64 * MIB))?,
        pool_bytes: at.value("pool_bytes", 64 * MIB, |t| size_within(t, MIB, 2 * GIB))?,
        admission_wait: at.value("admission_wait", Duration::from_secs(5), |t| duration_within(t, DURATION_MIN, MINUTE))?,
        dedup_window: at.value("dedup_window", Duration::from_secs(3600), |t| duration_within(t, DURATION_MIN, DAY))?,
        dedup_bytes: at.value("dedup_bytes", 64 * MIB, |t| size_within(t, 64 * KIB, 16 * GIB))?,
        heartbeat: at.value("heartbeat", Some(MINUTE), |t| match super::parse_duration(t)? {
            Duration::ZERO => Ok(None),
            _ => duration_within(t, Duration::from_secs(1), DAY).map(Some),
        })?,
    };
    at.finish()?;
    Ok(seal)
}

fn telemetry(mut at: Section<'_>) -> Result<Telemetry, ConfigError> {
    let mut logs = at.section("logs")?;
    let levels = [("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug), ("trace", Level::Trace)];
    let level = logs.word("level", Level::Info, &levels)?;
    let format = logs.word("format", LogFormat::Text, &[("text", LogFormat::Text), ("json", LogFormat::Json)])?;
    logs.finish()?;
    let mut otlp_at = at.section("otlp")?;
    let endpoint = otlp_at.text("endpoint")?;
    let allow_http = otlp_at.flag("allow_http", false)?;
    let interval = otlp_at.value("interval", MINUTE, |t| duration_within(t, Duration::from_secs(1), Duration::from_secs(3600)))?;
    let otlp = endpoint.map(|endpoint| OtlpExport { endpoint, allow_http, interval });
    otlp_at.finish()?;
    at.finish()?;
    Ok(Telemetry { level, format, otlp })
}
