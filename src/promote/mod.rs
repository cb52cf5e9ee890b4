//! Span or log -> audit record (pure): what carries AI meaning is promoted, everything else is counted with its reason.
//!
//! The way of a span: `detect` looks at its keys (most spans end here), `draft` gives each attribute its home by the tables of
//! `dialects`, `finish` holds content (by commitment in the vault or by hash, `aside`), decides kind and fallbacks and names what is missing, `record::builder` writes the line.

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

pub use crate::record::content::ContentMode;
pub use crate::record::identity::{IdentityKey, IdentityMode, PersonBook, References};
pub use confidence::{THRESHOLDS_MAX, Threshold};
pub use elsewhere::{Fetched, REFERENCE_MARK};
pub use finish::Signal as RecordSignal;
pub use settings::{Randomness, Settings};

use std::fmt;

use crate::clock::UnixNanos;
use crate::otlp::view::{ResourceGroup, Scope, ScopeGroup, resource_groups};
use crate::otlp::wire::Malformed;
use crate::record::identity::Keyed;
use crate::record::registry::{EVERY, Kind, Member};
use crate::record::{Batch, PendingRecord};
use crate::tlog::seal_file::Counts;
use aside::Aside;
use dialects::{Dialects, Tables};
use draft::Draft;
use origin::{Below, Origin};
use records::Around;
use rules::{Matched, Rules, Within};
pub(crate) use scrub::Scrub;

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
        let before = (batch.lines.len(), batch.records.len());
        let aside = Aside::new(&self.settings, &self.keyed, std::mem::take(&mut batch.apart));
        let extent = aside.extent();
        let walked = self.walk_groups(request, context, (batch, &aside), items);
        if walked.is_err() {
            batch.lines.truncate(before.0);
            batch.records.truncate(before.1);
            aside.cut_back(extent);
        }
        batch.apart = aside.into_apart();
        // What was made ready for more than came: it may wait long for its seal.
        batch.lines.shrink_to_fit();
        batch.records.shrink_to_fit();
        let mut tally = walked?;
        tally.counts.promoted = u64::try_from(batch.records.len() - before.1).unwrap_or(u64::MAX);
        Ok(tally)
    }

    fn walk_groups<'a>(
        &'a self,
        request: &'a [u8],
        context: Context<'a>,
        (batch, aside): (&mut Batch, &Aside<'a>),
        items: Items,
    ) -> Result<Tally, Unpromoted> {
        let mut tally = Tally::default();
        let none_matched = Matched::default();
        let mut draft: Draft<'a> = Draft::default();
        let taken = |batch: &Batch| batch.lines.len() + aside.memory();
        let taken_before = taken(batch);
        let records_before = batch.records.len();
        let parts = context.room.parts();
        let mut passed = 0;
        for group in resource_groups(request) {
            let group = ResourceGroup::read(group?)?;
            // Resource and scope are read when the first record needs them.
            let mut origin: Option<Origin<'a>> = None;
            let within = self.rules.within(&group, items == Items::Logs)?;
            for scope_bytes in group.scopes() {
                let scope = ScopeGroup::read(scope_bytes?)?;
                let name = scope.scope()?.name;
                let mut below: Option<Below<'a>> = None;
                let possible = within.as_ref().map_or(0, |within| within.below(name));
                for item in scope.items() {
                    let item = item?;
                    passed += 1;
                    if passed <= context.from {
                        continue;
                    }
                    let is_ai = match items {
                        Items::Spans => {
                            tally.counts.spans += 1;
                            detect::is_ai_span(item, name, self.enabled)
                        }
                        Items::Logs => {
                            tally.counts.logs += 1;
                            detect::is_ai_log(item, name, self.enabled)
                        }
                    };
                    let mut matched: Option<Matched<'a>> = None;
                    let is_ai = match (&within, is_ai) {
                        (Some(within), Ok(is_ai)) if possible != 0 => matched_of(within, item, scope.scope()?, (items, possible, is_ai))
                            .map(|met| {
                                tally.undecided += met.undecided;
                                let promotes = met.promotes;
                                matched = Some(met);
                                is_ai || promotes
                            }),
                        (_, is_ai) => is_ai,
                    };
                    match is_ai {
                        Ok(false) => {
                            tally.counts.skipped += 1;
                            let [no_ai_meaning] = &mut tally.skipped;
                            *no_ai_meaning += 1;
                            continue;
                        }
                        Ok(true) => {}
                        Err(malformed) => {
                            tally.reject(malformed);
                            continue;
                        }
                    }
                    if origin.is_none() {
                        origin = Some(Origin::read(self, &group)?);
                    }
                    if below.is_none() {
                        below = Some(Below::read(self, &scope)?);
                    }
                    let (Some(origin), Some(below)) = (&origin, &below) else { continue };
                    let matched = matched.as_ref().unwrap_or(&none_matched);
                    let around = Around { promoter: self, origin, below, aside, context, matched, taken_before };
                    let before = (batch.lines.len(), batch.records.len(), aside.extent());
                    let made = match items {
                        Items::Spans => records::span(&around, &mut draft, item, batch),
                        Items::Logs => records::log(&around, &mut draft, item, batch),
                    };
                    let made = match made {
                        Ok(_) if aside.is_too_long(before.2) => Err(Malformed("a content in it is longer than the vault takes (160 MiB)")),
                        made => made,
                    };
                    match made {
                        Ok(_) if aside.is_predictable() => return Err(Unpromoted::NoRandomness),
                        Ok(made) if made.cut_off || !context.room.has(taken(batch) - taken_before) => {
                            let Some(parts) = parts else { return Err(Unpromoted::NoRoom) };
                            let needed = taken(batch) - taken_before;
                            batch.lines.truncate(before.0);
                            batch.records.truncate(before.1);
                            aside.cut_back(before.2);
                            if batch.records.len() > records_before {
                                // It is come back to when what there is so far is sealed.
                                tally.rest = Some(passed - 1);
                                items.uncount(&mut tally);
                                return Ok(tally);
                            }
                            if needed <= parts.most {
                                return Err(Unpromoted::NoRoom);
                            }
                            tally.reject(Malformed("it becomes more than there is room for (`seal.pool_bytes`)"));
                        }
                        Ok(made) => {
                            tally.counts.dropped_attributes += made.dropped_attributes;
                            tally.misshapen_ids += u64::from(made.misshapen_id);
                            tally.undecided += made.undecided;
                            if before.1 == 0 {
                                expect_more(batch, request.len(), item.len());
                            }
                            if parts.is_some_and(|parts| taken(batch) - taken_before >= parts.enough) {
                                tally.rest = Some(passed);
                                return Ok(tally);
                            }
                        }
                        Err(malformed) => {
                            batch.lines.truncate(before.0);
                            batch.records.truncate(before.1);
                            aside.cut_back(before.2);
                            tally.reject(malformed);
                        }
                    }
                }
            }
        }
        Ok(tally)
    }
}

/// Makes room for the records that a request may still become, told by what its first became: lines that grow step by step are copied at
/// every step.
fn expect_more(batch: &mut Batch, request: usize, item: usize) {
    /// Requests of SDKs and Collectors become about as much as they are; what a stranger's first span promises is not believed.
    const LINES_MAX: usize = 4 * 1024 * 1024;
    let items = request / item.max(1);
    let lines = batch.lines.len().saturating_mul(items).min(LINES_MAX).min(request.saturating_mul(4));
    batch.lines.reserve(lines);
    batch.records.reserve(items.min(LINES_MAX / size_of::<PendingRecord>()));
}

/// The rules that an item meets; of one that no dialect knows only where one of them may promote it.
fn matched_of<'a>(
    within: &Within<'a>,
    item: &'a [u8],
    scope: Scope<'a>,
    (items, possible, is_ai): (Items, u64, bool),
) -> Result<Matched<'a>, Malformed> {
    let logs = items == Items::Logs;
    if !is_ai && !within.may_promote(item, possible, logs)? {
        return Ok(Matched::default());
    }
    if logs { within.log(item, scope, possible) } else { within.span(item, scope, possible) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Items {
    Spans,
    Logs,
}

impl Items {
    /// The last one is counted when it is come back to.
    fn uncount(self, tally: &mut Tally) {
        match self {
            Items::Spans => tally.counts.spans -= 1,
            Items::Logs => tally.counts.logs -= 1,
        }
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
