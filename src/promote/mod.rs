//! Span or log -> audit record (pure): what carries AI meaning is promoted, everything else is counted with its reason.
//!
//! The way of a span: `detect` looks at its keys (most spans end here), `draft` gives each attribute its home by the tables of
//! `dialects`, `finish` holds content (by commitment in the vault or by hash, `aside`), decides kind and fallbacks and names what is missing,
//! `record::builder` writes the line. `walk` goes over a request and keeps to the room there is.

mod aside;
mod confidence;
mod content;
mod convert;
mod detect;
mod dialects;
mod draft;
mod elsewhere;
mod encode;
mod finish;
mod given;
mod lists;
mod origin;
pub mod ottl;
mod own_words;
mod place;
mod records;
pub mod retention;
pub mod rules;
mod scan;
pub(crate) mod scrub;
mod settings;
pub mod vocabulary;
mod walk;

pub use crate::record::content::ContentMode;
pub use crate::record::identity::{IdentityKey, IdentityMode, PersonBook, References};
pub use confidence::{THRESHOLDS_MAX, Threshold};
pub use elsewhere::{Fetched, REFERENCE_MARK};
pub use finish::Signal as RecordSignal;
pub use settings::{Randomness, Settings};

use std::fmt;

use crate::clock::UnixNanos;
use crate::otlp::wire::Malformed;
use crate::record::Batch;
use crate::record::identity::Keyed;
use crate::record::registry::{EVERY, Kind, Member};
use crate::tlog::seal_file::Counts;
use aside::Aside;
use dialects::{Dialects, Tables};
use rules::Rules;
pub(crate) use scrub::Scrub;
use walk::{Items, Walk};

/// Who sent a request, as the connection proved it (`source.peer`).
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// The certificate's subject alternative name or common name, or the token's name.
    pub id: String,
    /// `mtls`, `token` or `oidc`.
    pub method: &'static str,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Memory for what a request becomes: a small request may become records many times its size, and whoever admitted it must hear of that
/// while it happens.
pub trait Room: Sync + fmt::Debug {
    /// Whether lines, and what is kept apart from them, may take so many bytes in all. Asked after each record.
    fn has(&self, bytes: usize) -> bool;

    /// Where a request may be made into records part by part.
    fn parts(&self) -> Option<Parts> {
        None
    }
}

/// How large a part of a request becomes, in bytes as [`Room`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// From here on it is better sealed before more is made ([`Tally::rest`]).
    pub enough: usize,
    /// There never is more room than this: a span or log that becomes more by itself is rejected.
    pub most: usize,
}

/// As much as there is: for tests, and for requests of our own.
#[derive(Clone, Copy, Debug)]
pub struct Unbounded;

impl Room for Unbounded {
    fn has(&self, _: usize) -> bool {
        true
    }
}

/// What the receiver knows of a request besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `time.received` of its records.
    pub received: UnixNanos,
    /// `source.peer`.
    pub peer: Option<&'a Peer>,
    /// Where its records go.
    pub room: &'a dyn Room,
    /// Content that it only names by reference, and that was fetched.
    pub fetched: Option<&'a Fetched>,
    /// Spans or logs that were looked at before, and are passed over.
    pub from: usize,
}

impl Context<'_> {
    /// A request that comes from nobody in particular and has all the room there is.
    pub fn new(received: UnixNanos) -> Self {
        Context { received, peer: None, room: &Unbounded, fetched: None, from: 0 }
    }
}

/// Why a request as a whole became nothing. No record of it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpromoted {
    /// It is not protobuf.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its records need more memory than [`Room`] gave.
    #[error("there is no room for what the request becomes")]
    NoRoom,
    /// The system has no randomness to give, and a salt that can be guessed hides nothing.
    #[error("the system has no randomness to give for salts and pseudonyms")]
    NoRandomness,
}

/// Why a span or log was not promoted. The metric's label is [`Skip::label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// No attribute key, event name or rule with AI meaning.
    NoAiMeaning,
}

impl Skip {
    /// All reasons, in the order of [`Tally::skipped`].
    pub const ALL: [Skip; 1] = [Skip::NoAiMeaning];

    /// Stable word for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Skip::NoAiMeaning => "no_ai_meaning",
        }
    }
}

/// What became of the spans or logs of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// For the seal's `counts`; `promoted` is the number of records added to the batch.
    pub counts: Counts,
    /// By reason, in the order of [`Skip::ALL`].
    pub skipped: [u64; Skip::ALL.len()],
    /// The first reason why something was rejected as malformed, for `partial_success`.
    pub rejected_why: Option<String>,
    /// Promoted spans with a parent id, and logs with a trace or span id, of wrong length: their records are without it and name it as a
    /// conflict. Spans without an own id are rejected.
    pub misshapen_ids: u64,
    /// Conditions of rules and thresholds that could not be decided, because a value was missing or of another type.
    pub undecided: u64,
    /// Where the walk stopped because there was enough for a part ([`Parts`]): the spans or logs before it. What lies behind may be malformed.
    pub rest: Option<usize>,
}

/// Turns requests into records. Immutable; one for the process.
#[derive(Debug)]
pub struct Promoter {
    settings: Settings,
    keyed: Keyed,
    scrub: Scrub,
    enabled: Dialects,
    tables: Tables,
    rules: Rules,
    /// Members that each kind of record requires, in canonical order.
    required: Vec<(Kind, Vec<Member>)>,
}

impl Promoter {
    /// Checks the settings and builds the tables.
    pub fn new(settings: Settings) -> Result<Promoter, String> {
        match settings.identity_mode {
            IdentityMode::Plain if !settings.acknowledge_plain => {
                return Err(
                    "identity.mode: `plain` writes ids of persons into storage that nobody can erase; if they are pseudonyms already, \
                            say `acknowledge_plain: true`"
                        .to_owned(),
                );
            }
            IdentityMode::Vault if settings.persons.is_none() => {
                return Err("identity.mode: `vault` needs a vault; set `content.vault.url`, or use `keyed`".to_owned());
            }
            IdentityMode::Plain | IdentityMode::Keyed | IdentityMode::Vault => {}
        }
        let enabled = if settings.dialects.is_empty() { Dialects::ALL } else { Dialects::parse(&settings.dialects)? };
        let required_of = |kind: &Kind| Member::all().filter(|m| m.spec().required.contains(kind)).collect();
        let required = EVERY.iter().map(|kind| (*kind, required_of(kind))).collect();
        let tables = Tables::new(enabled, &[]);
        let asked = settings.keep_attributes.iter().map(|key| ("promotion.keep_attributes", key));
        // What a key holds does not depend on which dialects may speak.
        let every = Tables::new(Dialects::ALL, &[]);
        if let Some(says) = every.says_who_or_what(settings.realm.as_bytes()) {
            return Err(format!(
                "identity.realm: `{}` holds {}, and a realm is kept in clear; name an attribute of the resource that tells applications apart",
                settings.realm,
                says.in_words()
            ));
        }
        let delicate = |key: &String| Some((key.clone(), every.says_who_or_what(key.as_bytes())?));
        if let Some((key, says)) = settings.keep_attributes.iter().find_map(delicate) {
            return Err(format!(
                "promotion.keep_attributes: `{key}` holds {}, and `attributes` are kept in clear; leave the key away, or let a rule read it \
                 into the member that it is",
                says.in_words()
            ));
        }
        if let Some((option, key)) = asked.chain([("identity.realm", &settings.realm)]).find(|(_, key)| tables.withholds(key.as_bytes())) {
            return Err(format!(
                "{option}: `{key}` is never stored (client addresses, user agents, headers, cookies, processes, hosts and their users); name another attribute"
            ));
        }
        let scrub = Scrub::new(&settings.scrub)?;
        Ok(Promoter {
            keyed: settings.identity_key.keyed(),
            scrub,
            tables: Tables::new(enabled, &settings.keep_attributes),
            rules: Rules::new(&settings.rules, &settings.keep_attributes)?,
            enabled,
            required,
            settings,
        })
    }

    /// Walks an `ExportTraceServiceRequest` and appends the records of its AI spans to `batch`. The error means that the request as a
    /// whole is not protobuf (nothing was appended then); a malformed span alone is counted as rejected.
    pub fn traces(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        self.walk(request, context, batch, Items::Spans)
    }

    /// The same for an `ExportLogsServiceRequest`.
    pub fn logs(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        self.walk(request, context, batch, Items::Logs)
    }

    fn walk(&self, request: &[u8], context: Context<'_>, batch: &mut Batch, items: Items) -> Result<Tally, Unpromoted> {
        let aside = Aside::new(&self.settings, &self.keyed, std::mem::take(&mut batch.apart));
        let walked = Walk::new(self, context, items, batch, &aside).over(request);
        batch.apart = aside.into_apart();
        // What was made ready for more than came: it may wait long for its seal.
        batch.lines.shrink_to_fit();
        batch.records.shrink_to_fit();
        walked
    }
}

impl Tally {
    /// Takes in what became of the rest of the same request.
    pub fn go_on(&mut self, rest: Tally) {
        self.counts = self.counts.plus(rest.counts);
        for (sum, more) in self.skipped.iter_mut().zip(rest.skipped) {
            *sum += more;
        }
        self.rejected_why = self.rejected_why.take().or(rest.rejected_why);
        self.misshapen_ids += rest.misshapen_ids;
        self.undecided += rest.undecided;
        self.rest = rest.rest;
    }

    fn reject(&mut self, malformed: Malformed) {
        self.counts.rejected += 1;
        self.rejected_why.get_or_insert_with(|| malformed.to_string());
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
