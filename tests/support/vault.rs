//! What a site's vault holds, decrypted with the site's key: what its operator could read.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::Value;
use spanseal::record::RecordId;
use spanseal::serve::keys::load_vault_key;
use spanseal::tlog::seal_file::SealFile;
use spanseal::vault::{Entry, Options, Vault, open_place, parse_pseudonym};
use spanseal::worm::{StoreOptions, StoreUrl};

use super::receiver::Site;
use super::runtime;

/// The name of a site's log.
const LOG: &str = "spanseal";

/// Everything that a log keeps apart.
pub(crate) struct Kept {
    /// Contents by the id of their record, as the packs of its seal hold them.
    pub(crate) contents: BTreeMap<String, Vec<Entry>>,
    /// Realm and id by pseudonym.
    pub(crate) persons: BTreeMap<String, (String, String)>,
}

/// Reads the vault of a site on a local store. Its writer must have ended.
pub(crate) fn kept(site: &Site) -> Kept {
    let found: Vec<Value> = serde_json::from_str(&site.run(&["query", "--format", "json"]).success().stdout).unwrap();
    let key = load_vault_key(&site.path("spanseal-vault.key")).unwrap();
    runtime().block_on(async {
        let url = StoreUrl::File(site.path("store-vault"));
        let store = open_place(&url, &StoreOptions::default()).await.unwrap();
        let vault = Vault::new(Options { store, log: LOG.to_owned(), key });
        let mut kept = Kept { contents: BTreeMap::new(), persons: BTreeMap::new() };
        let mut pseudonyms = HashSet::new();
        for found in &found {
            let (index, record) = (found["seal"].as_u64().unwrap(), &found["record"]);
            let sealed_at = sealed(site, index).statement.sealed_at;
            let id = record["id"].as_str().unwrap();
            let entries = vault.content(index, sealed_at, RecordId::parse(id).unwrap()).await.unwrap().entries;
            kept.contents.insert(id.to_owned(), entries);
            strings(record, &mut |text| pseudonyms.extend(parse_pseudonym(text)));
        }
        for person in vault.resolve(&pseudonyms).await.unwrap() {
            let pseudonym = format!("ps:vault:{}", hex::encode(person.pseudonym));
            kept.persons.insert(pseudonym, (person.realm, person.id));
        }
        assert_eq!(kept.persons.len(), pseudonyms.len(), "a pseudonym that the vault does not know");
        kept
    })
}

fn sealed(site: &Site, index: u64) -> SealFile {
    let folder = site.path("store").join(LOG).join("seals");
    let name = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path());
    let is = |path: &std::path::PathBuf| path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok()) == Some(index);
    let path = name.into_iter().find(is).unwrap_or_else(|| panic!("no seal {index} in {}", folder.display()));
    SealFile::parse(&std::fs::read(path).unwrap()).unwrap()
}

/// Every scalar inside a JSON value, as text.
pub(crate) fn strings(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(values) => values.iter().for_each(|v| strings(v, each)),
        Value::Object(map) => map.values().for_each(|v| strings(v, each)),
        Value::Null => {}
        other => each(&other.to_string()),
    }
}

/// All bytes of all files below a folder; what is compressed is opened.
pub(crate) fn stored_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = std::fs::read(&path).unwrap();
            bytes.extend_from_slice(path.to_str().unwrap().as_bytes());
            bytes.push(b'\n');
            if path.extension().is_some_and(|e| e == "zst") {
                bytes.extend(zstd::decode_all(file.as_slice()).unwrap());
            } else {
                bytes.extend_from_slice(&file);
            }
            bytes.push(b'\n');
        }
    }
    bytes
}
