//! The effective configuration written back: for `--print-config` and, with the identity key's id added, for `config_change` records and
//! `config_sha256`.
//!
//! It holds no secret, because the configuration holds none: keys, certificates and tokens are paths of files. Everything stands with its
//! default filled in and in one spelling (`1000ms` is `1s`), so equal configurations have equal bytes. It is itself a configuration that
//! loads again. Paths stand as they were written: where a process was started is not part of its configuration.

use super::units::{show_duration, show_size};
use super::{Config, ContentMode, IdentityMode, Level, Listener, LogFormat, Receiver, References};
use super::{retention, rules};
use crate::record::canonical::Json;
use crate::worm::{ServiceEndpoint, StoreUrl};

/// How `--print-config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As a file to start from.
    Yaml,
    /// As canonical JSON: what `config_change` records hold, but for `identity.key_id`.
    Json,
}

/// An object whose absent members are left out.
fn object(members: Vec<(&str, Option<Json>)>) -> Json {
    Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn text(value: impl ToString) -> Option<Json> {
    Some(Json::String(value.to_string()))
}

fn path(value: &std::path::Path) -> Option<Json> {
    text(value.display())
}

fn flag(value: bool) -> Option<Json> {
    Some(Json::Bool(value))
}

fn texts(values: &[String]) -> Option<Json> {
    Some(Json::Array(values.iter().map(Json::string).collect()))
}

fn listener(of: &Listener) -> Vec<(&'static str, Option<Json>)> {
    let tls = of.tls.as_ref().map(|tls| {
        object(vec![
            ("cert_file", path(&tls.cert_file)),
            ("key_file", path(&tls.key_file)),
            ("client_ca_file", tls.client_ca_file.as_deref().and_then(path)),
        ])
    });
    let auth = of.token_file.as_deref().map(|file| object(vec![("token_file", path(file))]));
    vec![("endpoint", text(&of.endpoint)), ("tls", tls), ("auth", auth)]
}

/// `store.azure` and `store.gcs`: where they are used or set, so that every other configuration keeps its hash.
fn endpoint(of: &ServiceEndpoint, used: bool) -> Option<Json> {
    (used || *of != ServiceEndpoint::default()).then(|| {
        object(vec![
            ("endpoint", of.url.as_ref().and_then(text)),
            ("allow_http", flag(of.allow_http)),
            ("ca_file", of.ca_file.as_deref().and_then(path)),
        ])
    })
}

fn grpc(of: &Receiver) -> Json {
    let mut members = listener(&of.listener);
    // A whole number of MiB from 1 to 128 (read.rs): exact as a double.
    let mib = u32::try_from(of.request_bytes_max / (1024 * 1024)).unwrap_or(u32::MAX);
    members.push(("max_recv_msg_size_mib", Some(Json::Number(f64::from(mib)))));
    object(members)
}

fn http(of: &Receiver) -> Json {
    let mut members = listener(&of.listener);
    members.push(("max_request_body_size", text(show_size(of.request_bytes_max))));
    object(members)
}

impl Config {
    /// [`redacted_json`](Self::redacted_json) with `identity.key_id`.
    pub(super) fn sealed_json(&self, identity_key_id: &str) -> Json {
        let mut json = self.redacted_json();
        if let Json::Object(members) = &mut json
            && let Some((_, Json::Object(identity))) = members.iter_mut().find(|(name, _)| name == "identity")
        {
            identity.push(("key_id".to_owned(), Json::string(identity_key_id)));
        }
        json
    }

    /// The effective configuration, redacted and stable.
    pub fn redacted_json(&self) -> Json {
        let protocols = object(vec![("grpc", self.receivers.grpc.as_ref().map(grpc)), ("http", self.receivers.http.as_ref().map(http))]);
        object(vec![
            ("receivers", Some(Json::object([("otlp", Json::object([("protocols", protocols)]))]))),
            ("promotion", Some(self.promotion_json())),
            ("identity", Some(self.identity_json())),
            ("content", Some(self.content_json())),
            ("confidence", Some(Json::object([("thresholds", rules::thresholds_json(&self.confidence.thresholds))]))),
            ("retention", Some(retention::json(&self.retention))),
            ("store", Some(self.store_json())),
            ("log", Some(self.log_json())),
            ("seal", Some(self.seal_json())),
            ("api", Some(object(listener(&self.api)))),
            ("telemetry", Some(self.telemetry_json())),
        ])
    }

    fn timestamping_json(&self) -> Option<Json> {
        let authorities = self.log.timestamping.authorities.iter().map(|authority| {
            object(vec![
                ("url", text(&authority.url)),
                ("ca_file", path(&authority.ca_file)),
                ("tls_ca_file", authority.tls_ca_file.as_deref().and_then(path)),
            ])
        });
        Some(Json::Array(authorities.collect()))
    }

    fn promotion_json(&self) -> Json {
        object(vec![
            ("dialects", self.promotion.dialects.as_deref().and_then(texts)),
            ("rules", rules::rules_json(&self.promotion.rules)),
            ("keep_attributes", texts(&self.promotion.keep_attributes)),
        ])
    }

    fn identity_json(&self) -> Json {
        let of = &self.identity;
        let mode = match of.mode {
            IdentityMode::Vault => "vault",
            IdentityMode::Keyed => "keyed",
            IdentityMode::Plain => "plain",
        };
        let references = match of.references {
            References::Plain => "plain",
            References::Keyed => "keyed",
        };
        object(vec![
            ("mode", text(mode)),
            ("acknowledge_plain", flag(of.mode == IdentityMode::Plain)),
            ("key_file", path(&of.key_file)),
            ("realm", text(&of.realm)),
            ("references", text(references)),
            ("scrub", texts(&of.scrub)),
        ])
    }

    fn content_json(&self) -> Json {
        let of = &self.content;
        let mode = match of.mode {
            ContentMode::Vault => "vault",
            ContentMode::Hash => "hash",
        };
        let vault = of.vault.as_ref().map(|vault| {
            object(vec![("url", text(&vault.url)), ("key_file", path(&vault.key_file)), ("retention", text(vault.retention))])
        });
        object(vec![("mode", text(mode)), ("equality", flag(of.equality)), ("vault", vault), ("references", self.references_json())])
    }

    fn references_json(&self) -> Option<Json> {
        let of = &self.content.references;
        let from =
            of.from.iter().map(|from| object(vec![("prefix", text(&from.place)), ("ca_file", from.ca_file.as_deref().and_then(path))]));
        // At most 256: exact as a double.
        let parallel = u32::try_from(of.parallel).unwrap_or(u32::MAX);
        Some(object(vec![
            ("from", Some(Json::Array(from.collect()))),
            ("max_bytes", text(show_size(u64::try_from(of.bytes_max).unwrap_or(u64::MAX)))),
            ("timeout", text(show_duration(of.timeout))),
            ("parallel", Some(Json::Number(f64::from(parallel)))),
        ]))
    }

    fn store_json(&self) -> Json {
        let (of, s3) = (&self.store, &self.store.s3);
        let s3 = object(vec![
            ("endpoint", s3.endpoint.as_ref().and_then(text)),
            ("region", s3.region.as_ref().and_then(text)),
            ("path_style", flag(s3.path_style)),
            ("allow_http", flag(s3.allow_http)),
            ("ca_file", s3.ca_file.as_deref().and_then(path)),
            ("sse_kms_key_id", s3.sse_kms_key_id.as_ref().and_then(text)),
        ]);
        object(vec![
            ("url", text(&of.url)),
            ("not_worm", flag(of.not_worm)),
            ("file", Some(object(vec![("immutable", flag(of.file_immutable))]))),
            ("s3", Some(s3)),
            ("azure", endpoint(&of.azure, matches!(of.url, StoreUrl::Azure { .. }))),
            ("gcs", endpoint(&of.gcs, matches!(of.url, StoreUrl::Gcs { .. }))),
        ])
    }

    fn log_json(&self) -> Json {
        let of = &self.log;
        let witnesses = of.witnesses.iter().map(|place| {
            object(vec![
                ("vkey", text(&place.key)),
                ("url", text(&place.url)),
                ("allow_http", flag(place.allow_http)),
                ("ca_file", place.ca_file.as_deref().and_then(path)),
            ])
        });
        // At most 16: exact as a double.
        let quorum = u32::try_from(of.witness_quorum).ok().filter(|quorum| *quorum > 0);
        object(vec![
            ("name", text(&of.name)),
            ("origin", text(&of.origin)),
            ("key_file", path(&of.key_file)),
            ("next_key_file", of.next_key_file.as_deref().and_then(path)),
            ("witnesses", Some(Json::Array(witnesses.collect()))),
            ("witness_quorum", quorum.map(|quorum| Json::Number(f64::from(quorum)))),
            ("witness_interval", text(show_duration(of.witness_interval))),
            ("timestamping", self.timestamping_json()),
            ("timestamp_interval", text(show_duration(of.timestamping.interval))),
        ])
    }

    fn seal_json(&self) -> Json {
        let of = &self.seal;
        object(vec![
            ("acknowledge", text("sealed")),
            ("max_delay", text(show_duration(of.max_delay))),
            ("max_bytes", text(show_size(of.max_bytes))),
            ("pool_bytes", text(show_size(of.pool_bytes))),
            ("admission_wait", text(show_duration(of.admission_wait))),
            ("dedup_window", text(show_duration(of.dedup_window))),
            ("dedup_bytes", text(show_size(of.dedup_bytes))),
            ("heartbeat", text(show_duration(of.heartbeat.unwrap_or_default()))),
        ])
    }

    fn telemetry_json(&self) -> Json {
        let of = &self.telemetry;
        let level = match of.level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        let format = match of.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let otlp = of.otlp.as_ref().map(|otlp| {
            object(vec![
                ("endpoint", text(&otlp.endpoint)),
                ("allow_http", flag(otlp.allow_http)),
                ("interval", text(show_duration(otlp.interval))),
            ])
        });
        object(vec![("logs", Some(object(vec![("level", text(level)), ("format", text(format))]))), ("otlp", otlp)])
    }

    /// The effective configuration as a file that loads again to the same. Dollar signs are doubled, as a file writes them.
    pub fn print(&self, format: Format) -> String {
        let json = escape(&self.redacted_json());
        match format {
            Format::Json => json.to_jcs_string() + "\n",
            Format::Yaml => {
                let mut out = format!(
                    "# Effective configuration of spanseal {}. Seals hold its hash with the identity key's id added (config_sha256).\n",
                    env!("CARGO_PKG_VERSION")
                );
                write_yaml(&mut out, &json, 0);
                out
            }
        }
    }
}

fn escape(json: &Json) -> Json {
    match json {
        Json::String(text) => Json::String(text.replace('$', "$$")),
        Json::Array(items) => Json::Array(items.iter().map(escape).collect()),
        Json::Object(members) => Json::Object(members.iter().map(|(n, v)| (n.clone(), escape(v))).collect()),
        other => other.clone(),
    }
}

/// YAML in block style. Strings that could be read as anything else stand in JSON's quotes, which are YAML's double quotes.
fn write_yaml(out: &mut String, json: &Json, depth: usize) {
    let Json::Object(members) = json else { return };
    for (name, value) in members {
        out.push_str(&"  ".repeat(depth));
        out.push_str(name);
        match value {
            Json::Object(inside) if !inside.is_empty() => {
                out.push_str(":\n");
                write_yaml(out, value, depth + 1);
            }
            Json::Array(items) if items.iter().any(|i| i.as_object().is_some()) => {
                out.push_str(":\n");
                for item in items {
                    out.push_str(&"  ".repeat(depth + 1));
                    out.push_str(&format!("- {}\n", flow(item)));
                }
            }
            other => out.push_str(&format!(": {}\n", flow(other))),
        }
    }
}

fn flow(json: &Json) -> String {
    match json {
        Json::String(text) => scalar(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            format!("{{{}}}", members.iter().map(|(n, v)| format!("{}: {}", scalar(n), flow(v))).collect::<Vec<_>>().join(", "))
        }
        other => other.to_jcs_string(),
    }
}

fn scalar(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    // `1h30m`, `16MiB` and `180d` are no numbers in any YAML; what ends in a digit or has an `e`, `x` or `_` may be.
    let unit = text.bytes().last().is_some_and(|b| b.is_ascii_alphabetic()) && !text.contains(['e', 'x', '_']);
    let first = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'.' | b'/') || (b.is_ascii_digit() && unit);
    let word = matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | ".nan");
    if text.as_bytes().first().is_some_and(first) && text.bytes().all(plain) && !word && !text.starts_with("..") {
        return text.to_owned();
    }
    let mut quoted = Vec::new();
    crate::record::canonical::write_string(&mut quoted, text);
    String::from_utf8(quoted).unwrap_or_default()
}
