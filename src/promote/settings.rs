//! What a promoter is told (`promotion`, `identity` and `content` of the configuration), checked once.

use std::fmt;
use std::sync::Arc;

use super::confidence::Threshold;
use super::retention::Policy;
use super::rules::Rule;
use crate::record::content::ContentMode;
use crate::record::identity::{IdentityKey, IdentityMode, PersonBook, References};
use crate::retain::Classes;

/// Fills a buffer with bytes that nobody can guess.
pub type Randomness = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// Everything that decides how telemetry becomes records.
#[derive(Clone)]
pub struct Settings {
    /// Retention classes.
    pub classes: Arc<Classes>,
    /// K.
    pub identity_key: IdentityKey,
    /// `identity.mode`
    pub identity_mode: IdentityMode,
    /// `identity.acknowledge_plain`: without it, mode `plain` is refused.
    pub acknowledge_plain: bool,
    /// The vault's persons: where `identity_mode` says vault.
    pub persons: Option<Arc<dyn PersonBook>>,
    /// `content.mode` and `content.equality`
    pub content: ContentMode,
    /// Where salts and pseudonyms come from: the operating system.
    pub random: Randomness,
    /// `identity.references`
    pub references: References,
    /// `identity.realm`: the resource attribute whose value keeps equal ids of two applications apart.
    pub realm: String,
    /// `identity.scrub`: more patterns, see [`Settings::scrub`]'s grammar: literal text with `#` for a digit, `?` for a byte and `*` for
    /// a run without white space.
    pub scrub: Vec<String>,
    /// `promotion.keep_attributes`: exact keys that go to `attributes` (or `source.resource`) as sent.
    pub keep_attributes: Vec<String>,
    /// `confidence.thresholds`, in order.
    pub thresholds: Vec<Threshold>,
    /// `retention.policies`, then those that `retention.presets` make, each in order.
    pub policies: Vec<Policy>,
    /// `promotion.rules`, in order.
    pub rules: Vec<Rule>,
    /// `promotion.dialects`: ids; empty means all.
    pub dialects: Vec<String>,
    /// `evidence.writer`
    pub writer: String,
}

impl Settings {
    /// What holds where there is no vault, for these classes and this key.
    pub fn new(classes: Arc<Classes>, identity_key: IdentityKey) -> Self {
        Settings {
            classes,
            identity_key,
            identity_mode: IdentityMode::Keyed,
            acknowledge_plain: false,
            persons: None,
            content: ContentMode::Hash,
            random: getrandom::fill,
            references: References::Plain,
            realm: "service.namespace".to_owned(),
            scrub: Vec::new(),
            keep_attributes: Vec::new(),
            rules: Vec::new(),
            thresholds: Vec::new(),
            policies: Vec::new(),
            dialects: Vec::new(),
            writer: concat!("spanseal/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("identity_key", &self.identity_key)
            .field("identity_mode", &self.identity_mode)
            .field("content", &self.content)
            .field("references", &self.references)
            .field("realm", &self.realm)
            .field("dialects", &self.dialects)
            .finish_non_exhaustive()
    }
}
