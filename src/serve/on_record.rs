//! The configuration under which a command goes on with a log: the one that is on record, and no other.
//!
//! Only `serve` changes the configuration of a log. Whoever reads or erases while no `serve` runs has a file that says the same of what such
//! an act depends on: how persons are sealed, where the vault is, how long records are kept, whether the log changes its key. Then the act is
//! sealed under the configuration on record, whatever else differs in the reader's file (ports, paths of keys, how `store.url` is spelled), and
//! nothing of that file is. Where it says something else there, it is refused: else a mere reading would choose how long its own record is
//! kept.
//!
//! KNOWN GAP: a `serve` with a new configuration that starts and stops between the look and the opening of the log is not noticed: the act is
//! sealed under the configuration before.

use std::sync::Arc;

use super::ServeError;
use crate::clock::Clock;
use crate::config::Config;
use crate::record::canonical::Json;
use crate::seal::in_force;
use crate::seal::keys::LogKeys;
use crate::vault::resolved;
use crate::worm::{StoreUrl, WormStore};

/// What an act depends on, as it stands in `config_change` records. Of the identity key the id counts, wherever its file lies; of a vault the
/// place, however it is spelled.
const MATTERS: [&str; 13] = [
    "content.mode",
    "content.vault.retention",
    "content.vault.url",
    "identity.key_id",
    "identity.mode",
    "identity.realm",
    "identity.references",
    "identity.scrub",
    "log.next_key_file",
    "log.origin",
    "retention",
    "seal.dedup_window",
    "store.not_worm",
];

/// The text of the configuration in force, if `own`, which is what this configuration would seal, says the same of what matters.
pub(super) async fn on_record(
    config: &Config,
    store: &Arc<dyn WormStore>,
    keys: &mut LogKeys,
    clock: &dyn Clock,
    own: String,
) -> Result<String, ServeError> {
    let log = &config.log.name;
    let recorded = in_force(store, log, keys, &config.retention.classes, clock, &own).await?;
    let recorded = recorded.ok_or_else(|| ServeError::Unconfigured { log: log.clone() })?;
    let members = differing(&recorded, &own);
    if members.is_empty() {
        return Ok(recorded);
    }
    let members: Vec<String> = members.into_iter().map(|member| format!("`{member}`")).collect();
    Err(ServeError::OtherConfiguration { log: log.clone(), members: members.join(", ") })
}

/// How often the log is attested decides nothing of a record that somebody else makes, and no configuration of an earlier version says it.
const INDIFFERENT: &str = "attest_every";

/// The members in which two configurations differ, of those that matter.
fn differing(recorded: &str, own: &str) -> Vec<&'static str> {
    if recorded == own {
        return Vec::new();
    }
    let parsed = |text: &str| Json::parse(text.as_bytes()).unwrap_or(Json::Null);
    let (recorded, own) = (parsed(recorded), parsed(own));
    let same = |path: &str| match (recorded.path(path), own.path(path)) {
        (Some(Json::String(one)), Some(Json::String(other))) if path == "content.vault.url" => place(one) == place(other),
        (Some(Json::Object(one)), Some(Json::Object(other))) if path == "retention" => {
            let matters = |members: &[(String, Json)]| members.iter().filter(|(name, _)| name != INDIFFERENT).cloned().collect::<Vec<_>>();
            matters(one) == matters(other)
        }
        (one, other) => one == other,
    };
    MATTERS.into_iter().filter(|path| !same(path)).collect()
}

fn place(url: &str) -> String {
    match StoreUrl::parse(url) {
        Ok(StoreUrl::File(path)) => StoreUrl::File(resolved(&path)).to_string(),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixSeconds;
    use crate::config::{Environment, Overrides};

    const BASE: &str = "log: {name: audit, origin: example.com/audit, key_file: log.key}\nidentity: {key_file: id.key}\nstore: {url: ./data}\n\
                        content: {vault: {url: ./vault, key_file: vault.key, retention: 90d}}\nseal: {dedup_window: 10m}\napi: {endpoint: '127.0.0.1:1'}\n\
                        retention: {classes: [{name: standard, mode: GOVERNANCE, period: 180d}], default: standard}\n";

    fn sealed(from: &str, to: &str) -> String {
        assert!(BASE.contains(from), "{from}");
        let text = BASE.replace(from, to);
        let parsed = Config::parse("f", &text, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000));
        parsed.unwrap().sealed_text("00000000")
    }

    /// Guarantee: what decides how a record of an act is made and kept is compared; what does not is the reader's own affair.
    #[test]
    fn what_an_act_depends_on_is_compared_and_nothing_else() {
        let base = sealed("", "");
        let here = std::env::current_dir().unwrap();
        let absolute = format!("url: {}/vault,", here.display());
        for (from, to, differ) in [
            ("127.0.0.1:1", "127.0.0.1:2", None),
            ("key_file: log.key", "key_file: /keys/log.key", None),
            ("key_file: id.key", "key_file: other/id.key", None),
            ("url: ./data", "url: other/../data", None),
            ("url: ./vault,", absolute.as_str(), None),
            ("api:", "confidence: {thresholds: [{threshold: 0.1}]}\napi:", None),
            ("url: ./vault,", "url: ./vault2,", Some("content.vault.url")),
            ("retention: 90d", "retention: 7d", Some("content.vault.retention")),
            ("identity: {", "identity: {mode: keyed, ", Some("identity.mode")),
            ("identity: {", "identity: {scrub: ['A-###'], ", Some("identity.scrub")),
            ("identity: {", "identity: {realm: service.name, ", Some("identity.realm")),
            ("example.com/audit", "example.org/audit", Some("log.origin")),
            ("key_file: log.key", "key_file: log.key, next_key_file: next.key", Some("log.next_key_file")),
            ("period: 180d", "period: 1d", Some("retention")),
            ("retention: {", "retention: {attest_every: 7d, ", None),
            ("dedup_window: 10m", "dedup_window: 1m", Some("seal.dedup_window")),
        ] {
            assert_eq!(differing(&base, &sealed(from, to)), differ.into_iter().collect::<Vec<_>>(), "{to}");
        }
        let other_key = base.replace("\"key_id\":\"00000000\"", "\"key_id\":\"00000001\"");
        assert_eq!(differing(&base, &other_key), ["identity.key_id"]);
        // What every one of them is called in a configuration of today.
        let json = Json::parse(base.as_bytes()).unwrap();
        assert!(MATTERS.iter().all(|path| json.path(path).is_some() || *path == "log.next_key_file"), "{base}");
    }
}
