//! Erasing a person or a record: the one act that takes from the vault before its time. Evidence stays as it is, every proof with it; what
//! its pseudonyms and commitments stood for is gone.
//!
//! The log's one writer does it ([`Eraser`]), because a person may be reporting in this very moment. In this order:
//!
//! 1. the intent is written (a crash from here on is taken up by the next start, all of it again);
//! 2. the person is forgotten in memory: if they come back they get a new pseudonym;
//! 3. every request that may have been promoted before is waited for, until it is sealed or refused;
//! 4. evidence is searched for records that name the person, and for their traces ([`plan`]);
//! 5. the packs of those records are written again without them;
//! 6. so are the objects that hold the person's entry: from here on nobody can say whose the pseudonym was;
//! 7. an `erasure` record is sealed;
//! 8. the intent is removed.
//!
//! KNOWN GAP: what comes after step 4 for a trace that was erased, and names nobody itself, is sealed with its content, and the person no
//! longer leads to it. `--record` erases it; the outcome says so.

mod plan;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::ProgressBar;

pub use wish::{Kept, Outcome, Sealed, Wish, check_ground};

use crate::clock::Clock;
use crate::govern::{self, Erasure};
use crate::promote::scrub::Scrub;
use crate::query::filter::Filter;
use crate::query::log::{KeySource, TrustedKey};
use crate::query::person::{Label, Names, Wanted};
use crate::query::scan::{Answer, Copies, Request, scan};
use crate::record::RecordId;
use crate::record::apart::PersonEntry;
use crate::record::canonical::Json;
use crate::record::identity::{IdentityKey, IdentityMode, pseudonym, vault_pseudonym};
use crate::retain::Classes;
use crate::seal::{SealerHandle, SubmitError};
use crate::tlog::note::VerifierKey;
use crate::vault::{Erased, Intent, Scope, Vault, VaultError, parse_pseudonym, pseudonym_text};
use crate::worm::{ReadError, WormStore};
use plan::Plan;

/// Seals whose packs are written again at once; each is a few round trips and at most some 200 MiB in memory, usually a few KiB.
const PACKS_AT_ONCE: usize = 4;

/// Why nothing, or not everything, was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// One id of several people.
    #[error(
        "this id is known in {} realms ({}), and they may be different people: say which with --realm (it may be repeated), or erase one by \
         its pseudonym", realms.len(), realms.join(", ")
    )]
    Ambiguous {
        /// In which; the empty one as `""`.
        realms: Vec<String>,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Wrong(String),
    /// Part of the evidence could not be searched.
    #[error("not everything could be searched, so not everything can be erased: {0}; when that is mended, ask again")]
    Incomplete(String),
    /// The vault.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// The store.
    #[error("{0}")]
    Store(#[from] ReadError),
    /// It is done but for its record.
    #[error("everything was erased, but the record of it could not be sealed ({0}); the next start of `serve` seals it, or ask again")]
    Unsealed(SubmitError),
}

/// What an eraser works with: a writer's own parts.
#[derive(Debug)]
pub struct Parts {
    /// Where evidence lies.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// The log's public key.
    pub vkey: VerifierKey,
    /// The vault, claimed.
    pub vault: Vault,
    /// Everybody's way to the writer.
    pub sealer: SealerHandle,
    /// K.
    pub identity: IdentityKey,
    /// `identity.mode`
    pub identity_mode: IdentityMode,
    /// `identity.realm`
    pub realm_attribute: String,
    /// `identity.scrub`
    pub scrub: Vec<String>,
    /// `retention.classes`
    pub classes: Arc<Classes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Erases, one wish at a time. Clones share it.
#[derive(Clone, Debug)]
pub struct Eraser {
    parts: Arc<Parts>,
    alone: Arc<tokio::sync::Mutex<()>>,
}

/// Who or what is meant: forms under which evidence names a person, or a record.
#[derive(Clone, Debug)]
enum Target {
    Person { scope: Scope, wanted: Wanted },
    Record(RecordId),
}

impl Eraser {
    /// An eraser of this writer.
    pub fn new(parts: Parts) -> Self {
        Eraser { parts: Arc::new(parts), alone: Arc::default() }
    }

    /// Does as it is wished, or says what would be done. It goes on when nobody waits for the answer any more only if it runs in a task of
    /// its own; broken off, it is finished at the next start.
    pub async fn erase(&self, wish: &Wish) -> Result<Outcome, EraseError> {
        let scrub = Scrub::new(&self.parts.scrub).map_err(EraseError::Wrong)?;
        wish.check(&scrub)?;
        let _alone = self.alone.lock().await;
        let (target, entries) = self.resolve(wish).await?;
        wish.expect_unnamed(entries.iter().map(|entry| entry.id.as_str()))?;
        let mut plan = self.plan(&target, wish.shared).await?;
        let forms = self.forms(&plan, &entries, wish)?;
        if plan.forms.keys().any(|form| !forms.contains(form)) {
            // Of another realm, which was not meant.
            plan = self.plan(&Target::Person { scope: wish.scope, wanted: Wanted::stored(forms.clone()) }, wish.shared).await?;
        }
        if wish.dry_run || plan.is_empty() && entries.is_empty() {
            return Ok(plan.outcome(forms, u64::try_from(entries.len()).unwrap_or(u64::MAX)));
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| VaultError::Randomness)?;
        let pseudonyms: Vec<[u8; 16]> = forms.iter().filter_map(|form| parse_pseudonym(form)).collect();
        let intent = Intent {
            random,
            scope: wish.scope,
            pseudonyms,
            forms: forms.iter().filter(|form| parse_pseudonym(form).is_none()).cloned().collect(),
            record: match &target {
                Target::Record(id) => Some(*id),
                Target::Person { .. } => None,
            },
            shared: wish.shared,
            by: match &wish.by {
                Some(by) => Some(self.name(by).await?),
                None => None,
            },
            ground: wish.ground.clone(),
            ticket: wish.ticket.clone(),
        };
        // Before the person is forgotten: from then on a resend makes records that look new.
        self.know(&plan);
        self.parts.vault.intend(&intent).await?;
        self.carry_out(&intent).await
    }

    /// Finishes what an earlier process began, and says how many erasures that were. An error is that of the first one that could not be
    /// finished; the others are.
    pub async fn finish(&self) -> Result<usize, EraseError> {
        let _alone = self.alone.lock().await;
        let intents = self.parts.vault.intents().await?;
        let mut first = None;
        for intent in &intents {
            match self.carry_out(intent).await {
                Ok(outcome) => {
                    tracing::info!(records = outcome.records, contents = outcome.contents, persons = outcome.persons, "erasure.finished");
                }
                // What keeps one from being finished is nothing to the others.
                Err(error) => {
                    tracing::warn!(record = %intent.record_id(), %error, "erasure.finish.failed");
                    first = first.or(Some(error));
                }
            }
        }
        first.map_or(Ok(intents.len()), Err)
    }

    /// Steps 3 to 8. All of them may be done twice.
    async fn carry_out(&self, intent: &Intent) -> Result<Outcome, EraseError> {
        let Parts { vault, sealer, .. } = self.parts.as_ref();
        let forms: BTreeSet<String> = intent.pseudonyms.iter().map(pseudonym_text).chain(intent.forms.iter().cloned()).collect();
        let target = match intent.record {
            Some(id) => Target::Record(id),
            None => {
                sealer.pool.barrier().await;
                Target::Person { scope: intent.scope, wanted: Wanted::stored(forms.clone()) }
            }
        };
        let plan = self.plan(&target, intent.shared).await?;
        self.know(&plan);
        let packs = plan.records.clone().into_iter().map(|((seal, sealed_at), records)| {
            let vault = vault.clone();
            async move { vault.erase(seal, sealed_at, &records).await }
        });
        let all: Vec<Erased> = stream::iter(packs).buffer_unordered(PACKS_AT_ONCE).try_collect().await?;
        let mut erased = Erased::default();
        all.into_iter().for_each(|of_seal| erased += of_seal);
        let persons = vault.erase_persons(&intent.pseudonyms.iter().copied().collect()).await?;
        let sealed = self.seal(intent, &plan).await?;
        vault.fulfilled(intent).await?;
        let mut outcome = plan.outcome(forms, persons);
        outcome.done = true;
        outcome.contents = erased.contents;
        outcome.bytes = erased.bytes;
        outcome.erasure = Some(sealed);
        Ok(outcome)
    }

    /// Has the writer take the records of a plan for sealed.
    fn know(&self, plan: &Plan) {
        let Parts { sealer, clock, .. } = self.parts.as_ref();
        sealer.erased.remember(plan.known.iter().copied(), clock.now().ceil_seconds());
    }

    /// Seals the record of an erasure, unless it is sealed already.
    async fn seal(&self, intent: &Intent, plan: &Plan) -> Result<Sealed, EraseError> {
        let Parts { sealer, clock, classes, .. } = self.parts.as_ref();
        let id = intent.record_id();
        let before = self.search(Filter { record_id: Some(id.to_string()), ..Filter::default() }).await?;
        if let Some(hit) = before.hits.first() {
            return Ok(Sealed { record: id.to_string(), seal: hit.place.seal.statement.index });
        }
        let mut names = intent.pseudonyms.iter().map(pseudonym_text).chain(intent.forms.iter().cloned());
        let target = intent.record.map(|id| id.to_string()).or_else(|| names.next()).unwrap_or_default();
        // A form that is the id itself is evidence's own fault (`identity.mode: plain`); it is not written once more.
        let further: Vec<Json> = names.filter(|name| name.starts_with("ps:")).map(Json::String).collect();
        let filter = (intent.scope != Scope::Record).then(|| {
            let mut members = vec![("scope".to_owned(), Json::string(intent.scope.as_str()))];
            if intent.shared {
                members.push(("shared".to_owned(), Json::Bool(true)));
            }
            if !further.is_empty() {
                members.push(("persons".to_owned(), Json::Array(further)));
            }
            Json::Object(members).to_jcs_string()
        });
        let act = Erasure {
            random: intent.random,
            target,
            filter,
            ground: intent.ground.clone(),
            ticket: intent.ticket.clone(),
            count: plan.count(),
            by: intent.by.clone(),
        };
        let batch = govern::erasure(&act, clock.now(), classes);
        let full = |e: crate::seal::Full| SubmitError::Stopped { reason: e.to_string() };
        let permit = sealer.pool.admit(batch.memory()).await.map_err(|e| EraseError::Unsealed(full(e)))?;
        let receipt = sealer.submit(batch, permit).await.map_err(EraseError::Unsealed)?;
        Ok(Sealed { record: id.to_string(), seal: receipt.seal })
    }

    /// Who is meant, and what the vault has of them.
    async fn resolve(&self, wish: &Wish) -> Result<(Target, Vec<PersonEntry>), EraseError> {
        let Parts { vault, identity, realm_attribute, .. } = self.parts.as_ref();
        let who = wish.who.trim();
        if wish.scope == Scope::Record {
            let id = RecordId::parse(&who.to_ascii_lowercase());
            let id = id.ok_or_else(|| EraseError::Wrong(format!("`{who}` is no record id: it has 32 hexadecimal digits")))?;
            return Ok((Target::Record(id), Vec::new()));
        }
        if who.is_empty() {
            return Err(EraseError::Wrong("nobody is named".to_owned()));
        }
        let entries = match parse_pseudonym(who) {
            Some(pseudonym) => vault.resolve(&HashSet::from([pseudonym])).await?,
            None if who.starts_with("ps:") || who.starts_with("id:") => Vec::new(),
            None => {
                let mut found = vault.find(&HashSet::from([who])).await?;
                found.retain(|entry| wish.realms.is_empty() || wish.realms.contains(&entry.realm));
                found
            }
        };
        let names = Names {
            key: Some(identity.clone()),
            realms: wish.realms.clone(),
            realm_attribute: realm_attribute.clone(),
            vault: Some(entries.clone()),
        };
        Ok((Target::Person { scope: wish.scope, wanted: Wanted::new(Label::Person, who, &names) }, entries))
    }

    /// Every form under which evidence or the vault has the person, who must be one.
    fn forms(&self, plan: &Plan, entries: &[PersonEntry], wish: &Wish) -> Result<BTreeSet<String>, EraseError> {
        let mut forms: BTreeSet<String> = entries.iter().map(|entry| vault_pseudonym(&entry.pseudonym)).collect();
        let mut realms: BTreeSet<&str> = entries.iter().map(|entry| entry.realm.as_str()).collect();
        for (form, realm) in &plan.forms {
            if let Some(realm) = realm {
                if !wish.realms.is_empty() && !wish.realms.contains(realm) {
                    continue;
                }
                realms.insert(realm);
            }
            forms.insert(form.clone());
        }
        if wish.realms.is_empty() && realms.len() > 1 {
            let shown = |realm: &&str| if realm.is_empty() { "\"\"".to_owned() } else { (*realm).to_owned() };
            return Err(EraseError::Ambiguous { realms: realms.iter().map(shown).collect() });
        }
        Ok(forms)
    }

    /// How evidence names who asked for an erasure; with persons in the vault they get an entry there.
    async fn name(&self, by: &str) -> Result<String, EraseError> {
        let Parts { vault, identity, identity_mode, .. } = self.parts.as_ref();
        if by.starts_with("ps:") {
            return Ok(by.to_owned());
        }
        let keyed = identity.keyed();
        match identity_mode {
            IdentityMode::Plain => Ok(format!("id:{by}")),
            IdentityMode::Keyed => Ok(pseudonym(&keyed, "person", "", by)),
            IdentityMode::Vault => {
                let key = keyed.texts("person", &["", by]);
                let mut fresh = [0; 16];
                getrandom::fill(&mut fresh).map_err(|_| VaultError::Randomness)?;
                let given = vault.persons().pseudonym(key, || fresh);
                if !given.stored {
                    let entry = PersonEntry { key, pseudonym: given.pseudonym, realm: String::new(), id: by.to_owned() };
                    vault.remember(&[entry]).await?;
                }
                Ok(vault_pseudonym(&given.pseudonym))
            }
        }
    }

    /// All of it, each copy by itself, or an error.
    async fn search(&self, filter: Filter) -> Result<Answer, EraseError> {
        let Parts { store, vkey, .. } = self.parts.as_ref();
        let trusted = vec![TrustedKey { key: vkey.clone(), source: KeySource::Configured }];
        let request = Request { filter, trusted, limit: None, copies: Copies::Each };
        let answer = scan(store, &request, &ProgressBar::hidden()).await?;
        // Other logs of the store are other writers'; what cannot be read of them is no reason not to erase here.
        let own = |p: &&crate::query::Problem| p.object == self.parts.log || p.object.starts_with(&format!("{}/", self.parts.log));
        // Who cannot be compared is told, and erased by the pseudonym if need be.
        let unsearched = answer.problems.iter().filter(|p| !answer.uncompared.contains(p));
        match unsearched.into_iter().find(own) {
            Some(problem) => Err(EraseError::Incomplete(problem.to_string())),
            None => Ok(answer),
        }
    }
}
