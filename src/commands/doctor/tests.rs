//! The local half; the canary is tried against real servers in `tests/`.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::clock::UnixSeconds;
use crate::config::{Environment, Overrides};

fn config(folder: &std::path::Path, more: &str) -> Config {
    let at = folder.display();
    let text = format!(
        "log: {{name: audit, origin: example.com/audit, key_file: {at}/log.key}}\nidentity: {{key_file: {at}/id.key}}\nstore: {{url: 'file://{at}/store'}}\n\
         content: {{vault: {{key_file: {at}/vault.key}}}}\n\
         receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}\n{more}"
    );
    Config::parse("f", &text, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).unwrap()
}

async fn examine(config: &Config) -> Report {
    let mut report = Report::default();
    checks::configuration(config, &mut report);
    checks::files(config, &mut report);
    let store = checks::store(config, &mut report).await;
    checks::keys(config, store.as_ref(), &mut report).await;
    vault::check(config, store.as_ref(), &mut report).await;
    checks::ports(config, &mut report).await;
    canary::check(config, store.as_deref(), false, &mut report).await;
    report
}

#[tokio::test]
async fn an_empty_place_is_fine_with_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let report = examine(&config(folder.path(), "api: {endpoint: '127.0.0.1:0'}")).await;
    assert_eq!(report.exit_code(), 0, "{}", report.to_text());
    assert!(report.has(State::Warning), "a folder is not write-once storage");
    let json = Json::parse(report.to_json().trim().as_bytes()).unwrap();
    assert_eq!(json.get("verdict").and_then(Json::as_str), Some("ok"));
}

#[tokio::test]
async fn each_fault_is_one_line_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = config(folder.path(), &format!("api: {{endpoint: '127.0.0.1:{port}', auth: {{token_file: /does/not/exist}}}}"));
    std::fs::write(&config.identity.key_file, "x").unwrap();
    std::fs::set_permissions(&config.identity.key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    crate::seal::keys::LogKey::generate(&config.log.key_file, "example.org/audit").unwrap();
    let report = examine(&config).await;
    assert_eq!(report.exit_code(), 1);
    let text = report.to_text();
    for line in [
        format!("problem   ports          `api.endpoint` 127.0.0.1:{port}: the port is in use by another program; stop that, or configure another port"),
        "problem   files          `api.auth.token_file` `/does/not/exist` cannot be read: No such file or directory (os error 2); check the path and who may read it".to_owned(),
        format!(
            "problem   keys           key file `{}`: an identity key is 64 hexadecimal digits; make one with `spanseal keygen`",
            config.identity.key_file.display()
        ),
        format!(
            "problem   keys           key file `{}` is the key of log `example.org/audit`, but the configuration says `example.com/audit`; one key signs for one log",
            config.log.key_file.display()
        ),
    ] {
        assert!(text.contains(&line), "{line}\n---\n{text}");
    }
}

/// Scenario: a token file that others can read, first with hashes alone, then with a token as it is beside them. Guarantee: only the second is
/// worth a word.
#[tokio::test]
async fn a_token_file_that_others_can_read_matters_where_it_holds_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let config = config(folder.path(), &format!("api: {{endpoint: '127.0.0.1:0', auth: {{token_file: '{}'}}}}", tokens.display()));
    let (_, hashed) = crate::receive::token::generate("agents").unwrap();
    for (text, state) in [(hashed.clone(), "ok       "), (format!("{hashed}\nother:secret"), "warning  ")] {
        std::fs::write(&tokens, text).unwrap();
        std::fs::set_permissions(&tokens, std::fs::Permissions::from_mode(0o644)).unwrap();
        let told = examine(&config).await.to_text();
        let line = format!("{state} files          `api.auth.token_file` `{}` can be read", tokens.display());
        assert!(told.contains(&line), "{line}\n---\n{told}");
    }
}

/// Every state of a vault and its key is one line with what to do.
#[tokio::test]
async fn the_vault_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "api: {endpoint: '127.0.0.1:0'}");
    let place = config.content.vault.clone().unwrap();
    let text = async |config: &Config| {
        let report = examine(config).await;
        report.to_text().lines().filter(|line| line.split_whitespace().nth(1) == Some("vault")).collect::<Vec<_>>().join("\n")
    };
    let told = text(&config).await;
    assert!(told.contains("does not exist yet and can be made") && told.contains("`serve` makes it"), "{told}");
    crate::serve::keys::make_secret(&place.key_file).unwrap();
    let key = crate::serve::keys::load_vault_key(&place.key_file).unwrap();
    let log_key = crate::seal::keys::LogKey::generate(&config.log.key_file, "example.com/audit").unwrap();
    assert!(text(&config).await.contains("keeps nothing of the log `audit` yet"));
    let store = crate::vault::open_place(&place.url, &config.store.options()).await.unwrap();
    let options = crate::vault::Options { store, log: "audit".into(), key };
    crate::vault::Vault::new(options).claim(&log_key.verifier().to_string()).await.unwrap();
    assert!(text(&config).await.contains("it is the vault of this log `audit`"));
    std::fs::remove_file(&place.key_file).unwrap();
    let told = text(&config).await;
    assert!(told.contains("problem") && told.contains("bring the file back"), "{told}");
    crate::serve::keys::make_secret(&place.key_file).unwrap();
    let told = text(&config).await;
    assert!(told.contains("problem") && told.contains("bring the right key file"), "{told}");
}

/// Scenario: a log with content in its vault, and then the vault is not there (not mounted), nor its key; or an object of it does not open.
/// Guarantee: `serve`, `keygen` and `doctor` do not take it for a new vault, and `doctor` names what cannot be read.
#[tokio::test]
async fn a_vault_that_is_gone_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "api: {endpoint: '127.0.0.1:0'}");
    let clock = || -> std::sync::Arc<dyn crate::clock::Clock> { std::sync::Arc::new(crate::clock::SystemClock) };
    let start = async |config: &Config| match Box::pin(crate::serve::start(config, clock(), &|_, _| {})).await {
        Ok(serving) => serving.drain().await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    start(&config).await.unwrap();
    let place = config.content.vault.clone().unwrap();
    let crate::worm::StoreUrl::File(root) = &place.url else { panic!() };
    let key = crate::serve::keys::load_vault_key(&place.key_file).unwrap();
    let text = async |config: &Config| examine(config).await.to_text();

    // An object that does not open, and a folder that others can look into.
    std::fs::create_dir_all(root.join("audit/persons")).unwrap();
    std::fs::write(root.join("audit/persons/0123456789abcdef"), "x").unwrap();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let told = text(&config).await;
    assert!(told.contains("audit/persons/0123456789abcdef`: it is no object of a vault"), "{told}");
    assert!(told.contains("warning   vault") && told.contains("is open to others (mode 755)"), "{told}");
    std::fs::remove_file(root.join("audit/persons/0123456789abcdef")).unwrap();
    // What is not called as objects are is nobody's, and does not keep a log from being served.
    std::fs::create_dir_all(root.join("audit/erasures")).unwrap();
    for stray in ["audit/persons/notes\u{1b}[2J.txt", "audit/persons/.nfs0001", "audit/erasures/0123456789abcdef"] {
        std::fs::write(root.join(stray), "x").unwrap();
    }
    start(&config).await.unwrap();
    std::fs::write(root.join("audit/stray"), "x").unwrap();
    std::fs::write(root.join("_tmp/secret"), "x").unwrap();
    let told = text(&config).await;
    assert!(told.contains("warning   vault          `_tmp/secret` is no object of a vault"), "{told}");
    for stray in ["stray", "persons/notes\\u{1b}[2J.txt", "persons/.nfs0001", "erasures/0123456789abcdef"] {
        assert!(told.contains(&format!("warning   vault          `audit/{stray}` is no object of a vault")), "{told}");
    }
    assert!(told.contains("nothing that was erased is there") && !told.contains('\u{1b}'), "{told}");

    let keygen = crate::cli::KeygenArgs {
        token: None,
        only: Some(crate::cli::KeyKind::Vault),
        next: false,
        public: false,
        witness: None,
        key_file: Default::default(),
    };
    let (kept, away) = (folder.path().join("kept.key"), folder.path().join("away"));
    std::fs::rename(&place.key_file, &kept).unwrap();
    let refused = crate::commands::keygen::run(keygen, &config).await.unwrap_err().to_string();
    assert!(refused.contains("bring the file back") && !place.key_file.exists(), "{refused}");

    std::fs::rename(root, &away).unwrap();
    for with_key in [false, true] {
        if with_key {
            std::fs::rename(&kept, &place.key_file).unwrap();
        }
        let refused = start(&config).await.unwrap_err();
        assert!(refused.contains("nothing of that vault is there: mount it") && refused.contains("name another place"), "{refused}");
        assert!(!root.join("audit/owner").exists() && place.key_file.exists() == with_key);
        let told = text(&config).await;
        assert!(told.contains("problem   vault") && told.contains("nothing of that vault is there"), "{told}");
    }
    // Another place is the way out that is asked for; the old one may come back.
    let mut other = config.clone();
    if let Some(vault) = &mut other.content.vault {
        vault.url = crate::worm::StoreUrl::File(folder.path().join("other"));
    }
    start(&other).await.unwrap();
    std::fs::rename(&away, root).unwrap();
    start(&config).await.unwrap();
    assert_eq!(crate::serve::keys::load_vault_key(&place.key_file).unwrap().id(), key.id());
}

#[tokio::test]
async fn the_lock_of_evidence_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let classes = "retention: {classes: [{name: a, period: 7y}, {name: b, mode: COMPLIANCE, period: 1d}], default: a}\n";
    let report = examine(&config(folder.path(), &format!("{classes}api: {{endpoint: '127.0.0.1:0'}}"))).await;
    let line = "evidence (`log.json` and every seal): COMPLIANCE for 7y, the strongest mode and the longest period of all classes";
    assert!(report.to_text().contains(line), "{}", report.to_text());
}

#[test]
fn problems_beat_what_could_not_be_checked() {
    let mut report = Report::default();
    report.ok("a", "");
    report.warning("a", "");
    assert_eq!(report.exit_code(), 0);
    report.unchecked("a", "");
    assert_eq!(report.exit_code(), 2);
    report.problem("a", "");
    assert_eq!(report.exit_code(), 1);
}
