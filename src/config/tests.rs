//! What an operator sees: defaults, exact sentences, and the round trip of the printed configuration.

use super::*;
use crate::record::canonical::Json;

const NOW: UnixSeconds = UnixSeconds(1_795_000_000);
/// Of K all zero.
const ID: &str = "66687aad";

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::parse("spanseal.yaml", text, &Overrides::default(), &Environment::of([("PORT", "4444"), ("SECONDS", "5")]), NOW)
}

fn refused(text: &str) -> String {
    load(text).expect_err(text).to_string()
}

/// The sentence without the drawn line.
fn sentence(text: &str) -> String {
    refused(text).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_embedded_default_is_the_contract() {
    let config = load("").unwrap();
    let grpc = config.receivers.grpc.as_ref().unwrap();
    assert_eq!(grpc.listener.endpoint.to_string(), "127.0.0.1:4317");
    assert_eq!(grpc.request_bytes_max, 16 << 20);
    assert_eq!(config.receivers.http.as_ref().unwrap().listener.endpoint.to_string(), "127.0.0.1:4318");
    assert_eq!(config.api.endpoint.to_string(), "127.0.0.1:8720");
    assert_eq!(config.store.url.to_string(), "file://./spanseal-data");
    assert_eq!((config.log.name.as_str(), config.log.origin.as_str()), ("spanseal", "spanseal.local/spanseal"));
    assert_eq!(config.log.key_file, PathBuf::from("./spanseal.key"));
    assert_eq!(config.seal.max_delay, Duration::from_secs(1));
    assert_eq!(config.seal.heartbeat, Some(Duration::from_secs(60)));
    assert_eq!((config.identity.mode, config.content.mode), (IdentityMode::Vault, ContentMode::Vault));
    let vault = config.content.vault.as_ref().unwrap();
    assert_eq!(
        (vault.url.to_string().as_str(), vault.key_file.as_path()),
        ("file://./spanseal-data-vault", Path::new("./spanseal-vault.key"))
    );
    assert_eq!(vault.retention.to_string(), "180d");
    let class = config.retention.classes.class(config.retention.classes.default_class());
    assert_eq!((class.name.as_str(), class.period.to_string().as_str()), ("standard", "180d"));
    assert!(config.warnings.iter().any(|w| w.contains("not write-once")), "{:?}", config.warnings);
    for empty in ["# nothing\n\n  # here\n", "{}", "~", "seal:\n"] {
        assert_eq!(load(empty).unwrap().sha256(ID), config.sha256(ID), "{empty}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_place_line_and_the_nearest_known_key() {
    assert_eq!(
        refused("log:\n  name: audit\nseal:\n  max_dely: 2s\n"),
        "spanseal.yaml:4:3: unknown key `max_dely` in `seal`; the nearest known key is `max_delay`\n  |\n4 |   max_dely: 2s\n  |   ^"
    );
    assert_eq!(sentence("recievers: {}\n"), "spanseal.yaml:1:1: unknown key `recievers` at the top; the nearest known key is `receivers`");
    assert_eq!(
        sentence("receivers: {otlp: {protocols: {grcp: {}}}}"),
        "spanseal.yaml:1:32: unknown key `grcp` in `receivers.otlp.protocols`; the nearest known key is `grpc`"
    );
    assert_eq!(
        sentence("retention: {classes: [{name: standard, period: 1d, claimble: true}]}"),
        "spanseal.yaml:1:52: unknown key `claimble` in `retention.classes[0]`; the nearest known key is `claimable`"
    );
}

#[test]
fn wrong_values_name_key_place_and_remedy() {
    for (text, want) in [
        (
            "seal:\n  max_delay: 1 sec\n",
            "spanseal.yaml:2:14: `seal.max_delay`: `1 sec` is not a duration: write a number and a unit (ms, s, m, h), as in 500ms, 1s or 1h30m",
        ),
        ("seal: {max_delay: 5ms}", "spanseal.yaml:1:19: `seal.max_delay`: `5ms` is out of bounds: allowed is 10ms to 15s"),
        ("seal: {max_delay: 15001ms}", "spanseal.yaml:1:19: `seal.max_delay`: `15001ms` is out of bounds: allowed is 10ms to 15s"),
        ("seal: {heartbeat: 500ms}", "spanseal.yaml:1:19: `seal.heartbeat`: `500ms` is out of bounds: allowed is 1s to 24h"),
        (
            "seal: {acknowledge: journal}",
            "spanseal.yaml:1:21: `seal.acknowledge`: `journal` is not in this version; with `sealed` every success answer comes after the commit",
        ),
        (
            "seal: {pool_bytes: 64MB}",
            "spanseal.yaml:1:20: `seal.pool_bytes`: `64MB` is not a size: write bytes, or a whole number with KiB, MiB or GiB, as in 16MiB",
        ),
        ("seal: [1]", "spanseal.yaml:1:7: `seal` is a map of keys, and here stands a list"),
        ("seal: {max_delay: {a: 1}}", "spanseal.yaml:1:19: `seal.max_delay` is a single value, and here stands a map"),
        ("store: {not_worm: maybe}", "spanseal.yaml:1:19: `store.not_worm`: `maybe` is neither true nor false"),
        (
            "log: {name: audit, origin: example.com/other}",
            "spanseal.yaml:1:28: `log.origin`: `example.com/other` must end in `/audit`, the name of the log, as in spanseal.example.com/audit",
        ),
        (
            "promotion: {rules: [{name: r, match: {when: x}}]}",
            "spanseal.yaml:1:45: `promotion.rules[0].match.when` at character 1 of the condition: `x` is no variable here; the nearest is `span`",
        ),
        (
            "index: {url: x}",
            "spanseal.yaml:1:8: `index` comes later: this version answers from the sealed segments themselves; remove the key",
        ),
        (
            "retention: {classes: [{name: standard, period: 180}]}",
            "spanseal.yaml:1:48: `retention.classes[0].period`: `180` is not a period: write a whole number and d, w, mo or y, as in 180d or 7y",
        ),
        (
            "api: {endpoint: 8720}",
            "spanseal.yaml:1:17: `api.endpoint`: `8720` is not an endpoint: write host:port, as in 127.0.0.1:4317 or [::1]:4317",
        ),
        ("api: {tls: {cert_file: a}}", "spanseal.yaml:1:12: `tls` needs both `cert_file` and `key_file`"),
        (
            "receivers: {otlp: {protocols: {}}}",
            "spanseal.yaml:1:31: `receivers.otlp.protocols` names no protocol, so nothing would be received; write `grpc:` or `http:`",
        ),
        (
            "log: {name: \"${env:NOPE}\"}",
            "spanseal.yaml:1:13: `log.name`: the environment variable `NOPE` is not set; set it, or write `${env:NOPE:-default}`",
        ),
    ] {
        assert_eq!(sentence(text), want);
    }
    let syntax = sentence("log: {name: [}\n");
    assert!(syntax.starts_with("spanseal.yaml:1:") && syntax.contains("not readable as YAML"), "{syntax}");
    let twice = sentence("log: {name: a, name: b}");
    assert!(twice.contains("not readable as YAML") && twice.contains("name"), "{twice}");
}

#[test]
fn contradictions_are_one_sentence_each() {
    for (text, want) in [
        (
            "api: {endpoint: 0.0.0.0:4317}",
            "`receivers.otlp.protocols.grpc.endpoint` and `api.endpoint` both want port 4317; give each its own",
        ),
        (
            "retention: {classes: [{name: standard, mode: COMPLIANCE, period: 11y}]}",
            "spanseal.yaml:1:12: retention class `standard`: COMPLIANCE for 11y is longer than compliance_ceiling (10y); nobody can shorten it later, \
             so raise `retention.compliance_ceiling` only if that is really meant",
        ),
        ("retention: {default: long}", "spanseal.yaml:1:12: retention.default names `long`, which is none of retention.classes"),
        (
            "store: {url: 'az://account/audit', azure: {endpoint: 'http://azure.example'}}",
            "`store.azure.endpoint` `http://azure.example` is plain HTTP beyond this machine; use https, or set `store.azure.allow_http: true`",
        ),
        (
            "store: {url: 'gs://bucket', gcs: {endpoint: 'https://a:b@gcs'}}",
            "`store.gcs.endpoint` has credentials in it; they belong into the environment, never into a file",
        ),
        (
            "store: {url: 'gs://bucket', not_worm: true}",
            "`store.not_worm` is for s3:// alone: `gs://bucket` is used with its locks, or not at all",
        ),
        (
            "store: {url: s3://bucket, s3: {endpoint: 'http://minio:9000'}}",
            "`store.s3.endpoint` `http://minio:9000` is plain HTTP beyond this machine; use https, or set `store.s3.allow_http: true`",
        ),
        (
            "store: {url: s3://bucket, s3: {endpoint: 'https://a:b@minio'}}",
            "`store.s3.endpoint` has credentials in it; they belong into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), never into a file",
        ),
        (
            "identity: {mode: plain}",
            "spanseal.yaml:1:11: `identity.mode: plain` writes the ids of persons into storage that cannot be erased; if they are pseudonyms already, \
             add `acknowledge_plain: true`",
        ),
        (
            "identity: {key_file: ./x/../spanseal-data/id.key}",
            "`identity.key_file` `./x/../spanseal-data/id.key` lies inside the store `file://./spanseal-data`; whoever copies the evidence would copy \
             the key, so keep it elsewhere",
        ),
        (
            "identity: {key_file: spanseal.key}",
            "`log.key_file` and `identity.key_file` are the same file `./spanseal.key`; a key has one purpose",
        ),
        (
            "seal: {max_delay: 10s, heartbeat: 19s}",
            "`seal.max_delay` (10s) is more than half of `seal.heartbeat` (19s): every seal promises the next within a heartbeat, and a batch that \
             stays open for so long would break that; shorten `seal.max_delay` or lengthen `seal.heartbeat`",
        ),
        (
            "telemetry: {otlp: {endpoint: 'http://localhost:4317'}}",
            "`telemetry.otlp.endpoint` is our own listener `receivers.otlp.protocols.grpc`; metrics about receiving must not be received",
        ),
    ] {
        assert_eq!(sentence(text), want);
    }
    for fine in [
        "store: {url: s3://bucket, s3: {endpoint: 'http://127.0.0.1:9000'}}",
        "store: {url: s3://bucket, s3: {endpoint: 'http://minio:9000', allow_http: true}}",
        "retention: {classes: [{name: standard, mode: COMPLIANCE, period: 10y}]}",
        "telemetry: {otlp: {endpoint: 'http://localhost:14317'}}",
        "receivers: {otlp: {protocols: {grpc: }}}",
        "seal: {max_delay: 10s, heartbeat: 20s}",
        "seal: {max_delay: 15s, heartbeat: 0s}",
    ] {
        assert!(load(fine).is_ok(), "{fine}: {}", refused(fine));
    }
    assert!(load("receivers: {otlp: {protocols: {grpc: }}}").unwrap().receivers.http.is_none());
}

/// A key lies where its links lead, whatever they are called on the way.
#[test]
fn a_key_behind_a_link_into_the_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("store")).unwrap();
    std::os::unix::fs::symlink(at("store"), at("elsewhere")).unwrap();
    let with = |key: &str| format!("store: {{url: '{}'}}\nlog: {{key_file: '{}'}}\n", at("store").display(), at(key).display());
    assert!(sentence(&with("elsewhere/log.key")).contains("lies inside the store"));
    load(&with("keys/log.key")).unwrap_or_else(|e| panic!("{e}"));
}

/// Which vault there is, and what is in it, for every way to say so.
#[test]
fn where_there_is_a_vault_it_is_used() {
    use ContentMode::{Hash, Vault};
    let file = |text: &str| format!("store: {{url: ./a/data}}\n{text}");
    let s3 = |text: &str| format!("store: {{url: 's3://bucket/a'}}\n{text}");
    let bucket = "content: {vault: {url: 's3://vault-bucket'}}";
    for (text, content, identity, url) in [
        (file(""), Vault, IdentityMode::Vault, Some("file://./a/data-vault")),
        (file("content: {mode: hash}"), Hash, IdentityMode::Vault, Some("file://./a/data-vault")),
        (file("identity: {mode: keyed}"), Vault, IdentityMode::Keyed, Some("file://./a/data-vault")),
        (file("content: {mode: hash}\nidentity: {mode: keyed}"), Hash, IdentityMode::Keyed, None),
        (file("content: {vault: {url: /v}}"), Vault, IdentityMode::Vault, Some("file:///v")),
        (s3(""), Hash, IdentityMode::Keyed, None),
        (s3(bucket), Vault, IdentityMode::Vault, Some("s3://vault-bucket")),
        (s3("content: {vault: {url: ./v}}\nidentity: {mode: keyed}"), Vault, IdentityMode::Keyed, Some("file://./v")),
        ("store: {url: ..}\nlog: {key_file: /k/l}\nidentity: {key_file: /k/i}".to_owned(), Hash, IdentityMode::Keyed, None),
    ] {
        let config = load(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let vault = config.content.vault.as_ref().map(|v| v.url.to_string());
        assert_eq!((config.content.mode, config.identity.mode, vault.as_deref()), (content, identity, url), "{text}");
        let warned = config.warnings.iter().any(|w| w.contains("set `content.vault.url`"));
        assert_eq!(warned, url.is_none(), "{text}: {:?}", config.warnings);
    }
    let over = Overrides { store: Some("./there".into()), ..Overrides::default() };
    let config = Config::parse("f", &file(""), &over, &Environment::default(), NOW).unwrap();
    assert_eq!(config.content.vault.unwrap().url.to_string(), "file://./there-vault", "beside the store that is meant");
    let long = load("retention: {classes: [{name: long, period: 7y}], default: long}").unwrap();
    assert_eq!(long.content.vault.unwrap().retention.to_string(), "7y");
    for (text, want) in [
        (
            s3("content: {mode: vault}"),
            "spanseal.yaml:2:10: `content.mode: vault` needs `content.vault.url`: name a folder, or a bucket without versioning and without Object \
             Lock (what is erased must be gone), outside the store",
        ),
        (
            s3("content: {mode: hash}\nidentity: {mode: vault}"),
            "spanseal.yaml:2:10: `identity.mode: vault` needs `content.vault.url`: name a folder, or a bucket without versioning and without \
             Object Lock (what is erased must be gone), outside the store",
        ),
        (
            s3("content: {vault: {retention: 1y}}"),
            "spanseal.yaml:2:18: `content.vault` has no `url`: name a folder, or a bucket without versioning and without Object Lock (what is \
             erased must be gone), outside the store",
        ),
        (
            s3("content: {vault: {url: 'gs://vault-bucket'}}"),
            "spanseal.yaml:2:24: `content.vault.url`: `gs://vault-bucket`: a vault is a folder or an s3:// bucket in this version",
        ),
        (
            s3("content: {vault: {url: 's3://bucket/a/vault'}}"),
            "`content.vault.url` s3://bucket/a/vault and `store.url` s3://bucket/a lie one inside the other, and what lies with evidence cannot be \
             erased; let `content.vault.url` name a place of its own",
        ),
        (
            "content: {vault: {key_file: spanseal-data-vault/key}}".to_owned(),
            "`content.vault.key_file` `spanseal-data-vault/key` lies inside the vault `file://./spanseal-data-vault`; whoever copies the vault would \
             copy the key, so keep it elsewhere",
        ),
    ] {
        assert_eq!(sentence(&text), want);
    }
}

#[test]
fn the_environment_is_substituted_after_parsing_and_ranks_below_the_command_line() {
    let config =
        load("api: {endpoint: \"127.0.0.1:${env:PORT}\"}\nseal: {max_delay: \"${env:SECONDS}s\"}\nlog: {name: \"${env:NAME:-audit}\"}")
            .unwrap();
    assert_eq!(config.api.endpoint.port, 4444);
    assert_eq!(config.seal.max_delay, Duration::from_secs(5));
    assert_eq!(config.log.origin, "spanseal.local/audit");
    // A value cannot bring structure with it.
    let env = Environment::of([("EVIL", "a, key_file: b"), ("SPANSEAL_STORE", "s3://bucket/x"), ("AWS_REGION", "eu-west-1")]);
    let none = Overrides::default();
    assert!(Config::parse("f", "log: {name: \"${env:EVIL}\"}", &none, &env, NOW).is_err());
    let config = Config::parse("f", "store: {url: ./here}", &none, &env, NOW).unwrap();
    assert_eq!(config.store.url.to_string(), "s3://bucket/x");
    assert_eq!(config.store.s3.region.as_deref(), Some("eu-west-1"));
    let over = Overrides { store: Some("./there".into()), ..Overrides::default() };
    let config = Config::parse("f", "store: {url: ./here}", &over, &env, NOW).unwrap();
    assert_eq!(config.store.url.to_string(), "file://./there");
    assert_eq!(config.store.s3.region, None, "AWS_* counts only for S3");
    let over = Overrides { store: Some("gs://x".into()), ..Overrides::default() };
    let error = Config::parse("f", "", &over, &env, NOW).unwrap_err().to_string();
    assert!(error.starts_with("`--store`: store `gs://x`:"), "{error}");
}

/// Guarantee: who reads or starts a configuration with Azure or GCS is told that these were never run against the real services; nobody else
/// is, and nobody else's configuration has their sections.
#[test]
fn what_was_never_run_says_so() {
    for (url, section) in [("az://account/audit", "azure"), ("gs://bucket", "gcs")] {
        let config = load(&format!("store: {{url: '{url}'}}")).unwrap();
        let told = config.warnings.iter().filter(|w| w.contains(url) && w.contains("never run against the real service")).count();
        assert_eq!(told, 1, "{:?}", config.warnings);
        assert!(config.print(PrintFormat::Json).contains(&format!("\"{section}\":{{\"allow_http\":false}}")));
    }
    for text in ["", "store: {url: 's3://bucket'}"] {
        let config = load(text).unwrap();
        assert!(!config.warnings.iter().any(|w| w.contains("never run")), "{:?}", config.warnings);
        let printed = config.print(PrintFormat::Json);
        assert!(!printed.contains("azure") && !printed.contains("gcs"), "{printed}");
    }
}

#[test]
fn what_is_printed_loads_again_to_the_same() {
    let full = "
receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317', max_recv_msg_size_mib: 32, tls: {cert_file: a.pem, key_file: b.pem, client_ca_file: c.pem}},
                               http: {max_request_body_size: 1MiB, auth: {token_file: ./tokens}}}}}
promotion: {dialects: [openinference, otel_genai], keep_attributes: [b, a, b]}
identity: {mode: plain, acknowledge_plain: true, realm: app.id, references: keyed, scrub: ['$$ACME-####']}
content: {mode: hash, equality: true}
retention: {classes: [{name: long, mode: COMPLIANCE, period: 7y, claimable: true}, {name: no, period: 2w}], default: no, compliance_ceiling: 8y}
store: {url: 's3://bucket/a', not_worm: true, file: {immutable: true}, s3: {endpoint: 'https://s3.example.com', region: eu-central-1, path_style: true, ca_file: ca.pem, sse_kms_key_id: k}}
log: {name: audit, origin: example.com/audit, key_file: 'k ey'}
seal: {max_delay: 1500ms, heartbeat: 0s, dedup_window: 90m}
api: {endpoint: '[::1]:8720'}
telemetry: {logs: {level: debug, format: json}, otlp: {endpoint: 'http://127.0.0.1:9999', interval: 10s}}
";
    let vault = "store: {url: 's3://bucket'}\ncontent: {vault: {url: 's3://vault-bucket/x', key_file: v.key, retention: 30d}}";
    let azure = "store: {url: 'az://account/audit/x', azure: {endpoint: 'https://account.blob.core.usgovcloudapi.net', ca_file: a.pem}}";
    let gcs = "store: {url: 'gs://bucket/x', gcs: {endpoint: 'http://gcs.example', allow_http: true}}";
    for text in ["", full, vault, "content: {mode: hash}", "identity: {mode: keyed}", azure, gcs, "store: {url: 'gs://bucket/x'}"] {
        let config = load(text).unwrap();
        for format in [PrintFormat::Yaml, PrintFormat::Json] {
            let printed = config.print(format);
            let again = Config::parse("printed", &printed, &Overrides::default(), &Environment::default(), NOW);
            let again = again.unwrap_or_else(|e| panic!("{e}\n{printed}"));
            assert_eq!(again.redacted_json(), config.redacted_json(), "{printed}");
            assert_eq!(again.sha256(ID), config.sha256(ID));
        }
    }
    assert_eq!(load(full).unwrap().identity.scrub, ["$ACME-####"]);
    assert_eq!(load("seal: {max_delay: 1000ms}").unwrap().sha256(ID), load("").unwrap().sha256(ID));
    assert_ne!(load("seal: {max_delay: 2s}").unwrap().sha256(ID), load("").unwrap().sha256(ID));
    assert_ne!(load("").unwrap().sha256("00000000"), load("").unwrap().sha256(ID), "another key is another configuration");
    let sealed = Json::parse(load("").unwrap().sealed_text(ID).as_bytes()).unwrap();
    assert_eq!(sealed.path("identity.key_id").and_then(Json::as_str), Some(ID));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let over = Overrides { config: Some("does/not/exist.yaml".into()), ..Overrides::default() };
    let error = Config::load(&over, &Environment::default(), NOW).unwrap_err().to_string();
    assert_eq!(
        error,
        "configuration file `does/not/exist.yaml` cannot be read: No such file or directory (os error 2); check `--config` or SPANSEAL_CONFIG"
    );
}

/// Guarantee: content is fetched from nowhere unless a place is named, and a place that would let in too much stops the start, with its line.
#[test]
fn places_of_content_are_named_with_their_limits() {
    let default = load("").unwrap().content.references;
    let limits = (default.bytes_max, default.timeout, default.parallel);
    assert!(default.from.is_empty() && limits == (1 << 20, Duration::from_secs(2), 8));
    let text = "content:\n  references:\n    from:\n      - {prefix: \"https://content.example.com/genai/\", ca_file: ./ca.pem}\n      \
                - prefix: s3://content/genai/\n    max_bytes: 4MiB\n    timeout: 500ms\n    parallel: 4\n";
    let config = load(text).unwrap();
    let of = &config.content.references;
    assert_eq!((of.from.len(), of.from[1].place.to_string().as_str(), of.bytes_max, of.parallel), (2, "s3://content/genai/", 4 << 20, 4));
    let again = Config::parse("x", &config.print(PrintFormat::Yaml), &Overrides::default(), &Environment::of([]), NOW).unwrap();
    assert_eq!(again.content.references, *of);
    for (inner, want) in [
        ("from: [{prefx: a}]", "1:32: unknown key `prefx` in `content.references.from[0]`; the nearest known key is `prefix`"),
        ("frm: []", "1:24: unknown key `frm` in `content.references`; the nearest known key is `from`"),
        (
            "from: [{}]",
            "1:31: an entry of `content.references.from` needs a `prefix`, as in s3://bucket/folder/, https://host/folder/ or file:///folder/",
        ),
        (
            "from: [{prefix: \"https://content.example.com/genai\"}]",
            "1:40: `content.references.from[0].prefix`: `https://content.example.com/genai` does not end in a slash: write \
             `https://content.example.com/genai/`, or it would let in everything that begins alike",
        ),
        (
            "from: [{prefix: \"http://169.254.169.254/\"}]",
            "1:40: `content.references.from[0].prefix`: `http://169.254.169.254/` is plain HTTP beyond this machine: who is on the way could put \
             anything in its place; use https",
        ),
        (
            "from: [{prefix: s3://content/, ca_file: a}]",
            "1:31: `ca_file` is for https://, and `s3://content/` is none (of buckets it is `store.s3.ca_file`)",
        ),
        ("from: [{prefix: s3://content/}, {prefix: s3://content/}]", "1:56: `s3://content/` stands twice in `content.references.from`"),
        ("timeout: 6s", "1:33: `content.references.timeout`: `6s` is out of bounds: allowed is 10ms to 5s"),
        ("parallel: 0", "1:34: `content.references.parallel`: `0` is not a whole number from 1 to 256"),
    ] {
        assert_eq!(sentence(&format!("content: {{references: {{{inner}}}}}")), format!("spanseal.yaml:{want}"), "{inner}");
    }
    let of_pool = "seal: {pool_bytes: 4MiB}\ncontent: {references: {from: [{prefix: s3://content/}], max_bytes: 1025KiB}}";
    assert!(sentence(of_pool).contains("more than a quarter of `seal.pool_bytes` (4MiB)"), "{}", sentence(of_pool));
    for (key, folder) in [
        ("log: {key_file: /keys/a/log.key}", "/keys/"),
        ("store: {url: /data/store}", "/data/store/spanseal/"),
        ("store: {url: /data/store}", "/data/"),
    ] {
        let why = sentence(&format!("{key}\ncontent: {{references: {{from: [{{prefix: \"file://{folder}\"}}]}}}}"));
        assert!(why.contains("name a folder that holds such content and nothing else"), "{why}");
    }
    load("store: {url: /data/store}\ncontent: {references: {from: [{prefix: \"file:///data/content/\"}]}}").unwrap();
}

/// An address is refused for the credentials in it, and they are not repeated: not in the sentence, and not in the line that is shown.
#[test]
fn no_secret_of_an_address_is_shown() {
    for text in [
        "store: {url: 's3://AKIA:hush@bucket/x'}",
        "store: {url: 's3://bucket/x?X-Amz-Security-Token=hush'}",
        "store: {url: s3://bucket, s3: {endpoint: 'ftp://s3.example.com?token=hush'}}",
        "telemetry: {otlp: {endpoint: 'https://me:hush@127.0.0.1:1'}}",
        "recievers: 'https://me:hush@127.0.0.1:1'",
        "log: {witnesses: [{url: 'https://me:hush@w.example', a: b}]}",
    ] {
        let error = load(text).unwrap_err();
        assert!(!error.to_string().contains("hush") && error.to_string().contains("***"), "{text}: {error}");
    }
}

/// A secret key where the name of its file belongs is refused, and not repeated.
#[test]
fn a_secret_key_is_no_file() {
    let key = "PRIVATE+KEY+spanseal.local/log+1234abcd+AWhc2g+/h1s=";
    for (name, text) in [
        ("log.key_file", format!("log: {{key_file: '{key}'}}")),
        ("log.next_key_file", format!("log: {{next_key_file: './keys/{key}'}}")),
        ("identity.key_file", format!("identity: {{key_file: '{key}'}}")),
    ] {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` names a file")) && !error.contains("AWhc2g"), "{name}: {error}");
    }
}

/// Scenario: a line that is refused holds a secret, under the names of our own configuration, of a Collector's and of others, in one line
/// with the mistake or further down. Guarantee: its place is told, and nothing of the line.
#[test]
fn a_line_that_may_hold_a_secret_is_not_shown() {
    for text in [
        "headers: {x-honeycomb-team: hush}, compression",
        "{apikey: hush, apikey: x}",
        "log:\n  key_pem: \"-----BEGIN PRIVATE KEY-----hush",
        "-----BEGIN: hush: x",
        "x-dsn: hush: x",
        "headers: {x-hook: \"hush",
        "log: {key: hush}",
        "log: {KEY: [hush}",
        "telemetry: {otlp: {headers: {x-a: hush}}}",
        "telemetry:\n  otlp:\n    headers:\n      x-team: hush: x\n",
        "telemetry:\n  otlp:\n    headers:\n    - hush: [x\n",
        "telemetry:\n  otlp:\n    headers:\n\tx-team: hush\n",
        "pwd: [hush\n",
        "client_pw: [hush\n",
        "a:\n- header: x-team\n  value: hush: x\n",
        "log:\n  key_pem: |\n    hush-a\n  hush b\n",
        "Authorization: Bearer hush: y",
        "store:\n  cookie: hush: y",
        "api: {auth: {password: hush, token_file: a: b}}",
    ] {
        let error = load(text).unwrap_err();
        assert!(error.place.is_some() && error.snippet.is_none() && !error.to_string().contains("hush"), "{text}: {error}");
    }
    // What is no secret is shown, also behind one, and the name of a file with one.
    for text in ["headers:\n  x: hush\nseal: {max_dely: 1s}", "seal: [key_file: 1\n", "store:\n  # the key\n  urll: ./x\n"] {
        assert!(load(text).unwrap_err().snippet.is_some(), "{text}");
    }
}

#[test]
fn content_that_outlives_its_evidence_is_warned_of() {
    let warned = |kept: &str, class: &str| {
        let text = format!(
            "store: {{url: ./x}}\ncontent: {{vault: {{url: ./v{kept}}}}}\nretention: {{classes: [{{name: a, mode: GOVERNANCE, period: {class}}}], default: a}}"
        );
        load(&text).unwrap().warnings.iter().any(|warning| warning.contains("longer than the retention of class `a`"))
    };
    assert!(warned(", retention: 180d", "10d") && !warned(", retention: 180d", "180d") && !warned("", "10d"));
    assert!(!warned(", retention: 30d", "1mo"), "not in February alone");
}

#[test]
fn a_small_pool_beside_large_requests_is_warned_of() {
    let warned = |text: &str| load(text).unwrap().warnings.iter().any(|warning| warning.contains("eight pools are rejected"));
    assert!(warned("seal: {pool_bytes: 3MiB}") && !warned("seal: {pool_bytes: 4MiB}") && !warned(""));
    assert!(warned("receivers: {otlp: {protocols: {http: {max_request_body_size: 128MiB}}}}\nseal: {pool_bytes: 31MiB}"));
}

/// Each of the two is said once, with every listener that it is about.
#[test]
fn open_listeners_are_warned_of_in_one_line_each() {
    let open =
        "receivers: {otlp: {protocols: {grpc: {endpoint: '0.0.0.0:4317'}, http: {endpoint: '0.0.0.0:4318', auth: {token_file: t}}}}}\n";
    let warnings = load(&format!("{open}api: {{endpoint: '0.0.0.0:8720'}}\n")).unwrap().warnings;
    let of = |part: &str| warnings.iter().filter(|warning| warning.contains(part)).collect::<Vec<_>>();
    let (plain, anybody) = (of("without TLS: "), of("anybody is let in: "));
    assert_eq!((plain.len(), anybody.len()), (1, 1), "{warnings:?}");
    for name in ["protocols.grpc` (0.0.0.0:4317)", "protocols.http` (0.0.0.0:4318)", "`api` (0.0.0.0:8720)"] {
        assert!(plain[0].contains(name), "{plain:?}");
    }
    assert!(anybody[0].contains("grpc") && anybody[0].contains("`api`") && !anybody[0].contains("http`"), "{anybody:?}");
    assert!(!load("").unwrap().warnings.iter().any(|warning| warning.contains("without TLS") || warning.contains("anybody")));
}
