//! Erasing a person or a record: the one act that takes from the vault before its time. Evidence stays as it is, every proof with it; what
//! its pseudonyms and commitments stood for is gone.
//!
//! The log's one writer does it ([`Eraser`]), because a person may be reporting in this very moment. In this order:
//!
//! 1. the intent is written (a crash from here on is taken up by the next start, all of it again);
//! 2. the person is forgotten in memory: if they come back they get a new pseudonym;
//! 3. every request that may have been promoted before is waited for, until it is sealed or refused;
//! 4. evidence is searched for records that name the person, and for their traces ([`plan`]);
//! 5. the packs of those records are looked into, and the intent says what of them is there;
//! 6. they are written again without it;
//! 7. so are the objects that hold the person's entry: from here on nobody can say whose the pseudonym was;
//! 8. an `erasure` record is sealed, which names what was taken ([`record`]);
//! 9. the vault's state takes note of it, so that whatever comes back of it is noticed ([`again`]);
//! 10. the intent is marked as done, and stays for `seal.dedup_window`: what is sent again until then is a duplicate, and what still comes of
//!     the same traces and names nobody is erased too.
//!
//! KNOWN GAP: what comes later than that for a trace that was erased, and names nobody itself, is sealed with its content, and the person no
//! longer leads to it. `--record` erases it; the outcome says so.
//!
//! Nothing that an open legal hold means is taken, unless the hold is named ([`held`]): that is asked before the first step, and again behind the
//! fourth, where an intent is taken back for it. What is under way beyond that goes on, as does what is taken in step 10.

mod again;
mod already;
mod held;
mod keep;
mod lost;
mod plan;
mod record;
mod who;
mod wish;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::stream::{self, StreamExt};
use indicatif::ProgressBar;

pub use again::{Undone, undone};
pub use held::{OnHold, on_hold_in_words};
pub use lost::{Evident, evident, is_old};
pub(crate) use who::{Naming, UNKNOWN_BY};
pub(crate) use wish::has_word;
pub use wish::{Earlier, FromOther, Kept, Outcome, Sealed, Text, Wish};

use crate::clock::{Clock, UnixSeconds};
use crate::govern::register::Register;
use crate::promote::scrub::Scrub;
use crate::query::filter::Filter;
use crate::query::log::{KeySource, TrustedKey};
use crate::query::person::Wanted;
use crate::query::scan::{Answer, Copies, Part, Request, scan};
use crate::record::RecordId;
use crate::record::identity::{IdentityKey, IdentityMode};
use crate::retain::Classes;
use crate::seal::{SealerHandle, SubmitError};
use crate::tlog::note::VerifierKey;
use crate::vault::{Erased, Intent, Places, Scope, Vault, VaultError, parse_pseudonym, pseudonym_text, told};
use crate::worm::{ReadError, WormStore};
use held::{Holds, expect_free, on_hold};
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
    /// Open holds mean something of it, and it was not told to go before them.
    #[error("nothing was erased, because on legal hold is what it would take: {}; {}", held::on_hold_in_words(_0), held::what_now(_0))]
    OnHold(Vec<OnHold>),
    /// Which holds are open is not known.
    #[error("nothing was erased, because it is not known what is on legal hold: {0}; when that is mended, ask again")]
    HoldsUnknown(String),
    /// The vault.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// Part of the vault could not be read.
    #[error(
        "everything was erased that can be read, but what one object of the vault holds cannot be told ({0}); take it away, or bring it back \
         from a backup: the erasure is finished then"
    )]
    Unread(VaultError),
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
    /// The holds that are open.
    pub register: Register,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Erases, one wish at a time. Clones share it.
#[derive(Clone, Debug)]
pub struct Eraser {
    parts: Arc<Parts>,
    alone: Arc<tokio::sync::Mutex<()>>,
    kept: Arc<tokio::sync::Mutex<keep::Kept>>,
    /// Whether the vault's state knows of every erasure of the log.
    informed: Arc<AtomicBool>,
}

/// Who or what is meant: forms under which evidence names a person, or a record.
#[derive(Clone, Debug)]
enum Target {
    Person { scope: Scope, wanted: Wanted },
    Record(RecordId),
}

impl Target {
    /// By which forms evidence has the person whose entry goes.
    fn forms<'f>(&self, forms: &'f BTreeSet<String>) -> Option<&'f BTreeSet<String>> {
        match self {
            Target::Person { .. } => Some(forms),
            Target::Record(_) => None,
        }
    }
}

impl Eraser {
    /// An eraser of this writer.
    pub fn new(parts: Parts) -> Self {
        Eraser { parts: Arc::new(parts), alone: Arc::default(), kept: Arc::default(), informed: Arc::default() }
    }

    /// Does as it is wished, or says what would be done. It goes on when nobody waits for the answer any more only if it runs in a task of
    /// its own; broken off, it is finished at the next start.
    pub async fn erase(&self, wish: &Wish) -> Result<Outcome, EraseError> {
        let scrub = Scrub::new(&self.parts.scrub).map_err(EraseError::Wrong)?;
        wish.check(&scrub)?;
        let _alone = self.alone.lock().await;
        let (target, entries) = self.resolve(wish).await?;
        wish.expect_unnamed(entries.iter().map(|entry| entry.id.as_str()))?;
        let mut holds = self.holds().await?;
        let despite: BTreeSet<String> = wish.despite_holds.iter().cloned().collect();
        if let Some(unknown) = holds.unknown(despite.iter()) {
            return Err(EraseError::Wrong(format!("no hold of the name `{unknown}` is open; `spanseal hold list` shows those that are")));
        }
        let mut plan = self.plan(&target, wish.shared, &mut holds).await?;
        let forms = self.forms(&plan, &entries, wish)?;
        if plan.forms.keys().any(|form| !forms.contains(form)) {
            // Of another realm, which was not meant.
            plan = self.plan(&Target::Person { scope: wish.scope, wanted: Wanted::stored(forms.clone()) }, wish.shared, &mut holds).await?;
        }
        let by = match &wish.by {
            Some(by) => Some(self.known(by, wish, (&forms, &entries)).await?),
            None => None,
        };
        // A record of our own making, say, or one that said nothing.
        if matches!(target, Target::Record(_)) && plan.records.is_empty() {
            return Ok(plan.outcome(forms, 0));
        }
        let already = if entries.is_empty() && !plan.is_empty() { self.already(&target, &plan, &forms).await? } else { Vec::new() };
        let persons = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if !already.is_empty() {
            let absent = self.untaken(&plan.records).await?;
            let records = told::count(&plan.records).saturating_sub(absent);
            return Ok(Outcome { already, records, absent, ..plan.outcome(forms, persons) });
        }
        let on_hold = on_hold(&holds, &plan, target.forms(&forms), &despite);
        if wish.dry_run || plan.is_empty() && entries.is_empty() {
            let (there, unread) = self.parts.vault.holding(&plan.records).await?;
            let (records, unread) = (told::count(&there), unread.map(|error| error.to_string()));
            // What cannot be read may hold what is not found elsewhere.
            let absent = if unread.is_none() { self.untaken(&told::without(&plan.records, &there)).await? } else { 0 };
            return Ok(Outcome { records, absent, unread, on_hold, ..plan.outcome(forms, persons) });
        }
        expect_free(&on_hold)?;
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
            by: match by {
                Some(by) => Some(self.name(by).await?),
                None => None,
            },
            asked: Some(self.parts.clock.now().ceil_seconds()),
            begun: Some(plan.searched),
            ground: wish.ground.clone(),
            ticket: wish.ticket.clone(),
            despite,
            taking: Places::new(),
            absent: Places::new(),
            known: plan.known.iter().copied().collect(),
            traces: BTreeSet::new(),
            searched: None,
            done: None,
        };
        // Before the person is forgotten: from then on a resend makes records that look new.
        self.know(&intent);
        self.parts.vault.intend(&intent).await?;
        self.carry_out(intent).await
    }

    /// Finishes what an earlier process began, and says how many erasures that were. An error is that of the first one that could not be
    /// finished; the others are.
    pub async fn finish(&self) -> Result<usize, EraseError> {
        let _alone = self.alone.lock().await;
        for error in self.parts.vault.refused().await? {
            tracing::error!(%error, "erasure.refused");
        }
        let intents = self.parts.vault.intents().await?;
        let mut first = None;
        let all = intents.len();
        for intent in intents {
            let record = intent.record_id();
            match self.take_up(intent).await {
                Ok(outcome) => {
                    tracing::info!(records = outcome.records, contents = outcome.contents, persons = outcome.persons, "erasure.finished");
                }
                // What keeps one from being finished is nothing to the others.
                Err(error) => {
                    tracing::warn!(%record, %error, "erasure.finish.failed");
                    first = first.or(Some(error));
                }
            }
        }
        first.map_or(Ok(all), Err)
    }

    /// Goes on with what an earlier process began. Where a record of it is sealed it only wants finishing, and its intent may be an older copy
    /// that somebody put back: nothing is searched any more, and nothing of what was sealed since is taken for its own.
    async fn take_up(&self, mut intent: Intent) -> Result<Outcome, EraseError> {
        let before = self.before(&intent).await?;
        let Some((sealed, sealed_at)) = before.first.clone() else { return self.carry_out(intent).await };
        let Parts { vault, .. } = self.parts.as_ref();
        for places in [&mut intent.taking, &mut intent.absent] {
            places.retain(|(seal, _), _| *seal < sealed.seal);
        }
        told::add(&mut intent.taking, &before.named);
        let mut all = before.meant();
        told::add(&mut all, &intent.taking);
        told::add(&mut all, &intent.absent);
        intent.absent = told::without(&all, &intent.taking);
        let (there, unread) = vault.holding(&all).await?;
        let (erased, failed) = self.empty(there).await;
        let persons = vault.erase_persons(&intent.pseudonyms.iter().copied().collect()).await?;
        match unread.or(failed) {
            Some(error) if !error.is_of_one_object() => return Err(error.into()),
            Some(error) => return Err(EraseError::Unread(error)),
            None => {}
        }
        let records = told::count(&intent.taking);
        self.seal(&intent).await?;
        self.end(intent, sealed_at).await?;
        let Erased { contents, bytes } = erased;
        Ok(Outcome { done: true, persons, records, contents, bytes, erasure: Some(sealed), ..Outcome::default() })
    }

    /// Marks an erasure as done, at this time, for as long as that is to be remembered.
    async fn end(&self, mut intent: Intent, done: UnixSeconds) -> Result<(), EraseError> {
        let Parts { vault, sealer, .. } = self.parts.as_ref();
        intent.done = Some(done);
        match sealer.erased.window().is_zero() {
            true => vault.fulfilled(&intent).await?,
            false => vault.intend(&intent).await?,
        }
        Ok(())
    }

    /// Steps 3 to 10. All of them may be done twice.
    async fn carry_out(&self, mut intent: Intent) -> Result<Outcome, EraseError> {
        let Parts { vault, sealer, clock, .. } = self.parts.as_ref();
        let forms = forms_of(&intent);
        let target = match intent.record {
            Some(id) => Target::Record(id),
            None => {
                sealer.pool.barrier().await;
                Target::Person { scope: intent.scope, wanted: Wanted::stored(forms.clone()) }
            }
        };
        let (plan, on_hold) = self.plan_of(&intent, (&target, &forms)).await?;
        let stored = intent.clone();
        if let Some(on_hold) = &on_hold {
            if let Err(error) = expect_free(on_hold) {
                let matters = on_hold_in_words(on_hold);
                let advice = "a hold was placed since it was asked for, and nothing was taken yet; it is to be asked for again";
                tracing::error!(record = %intent.record_id(), matters, advice, "erasure.withdrawn");
                vault.take_back(&intent).await?;
                return Err(error);
            }
            intent.despite = on_hold.iter().map(|hold| hold.matter.clone()).collect();
        }
        // What was sealed since an earlier search is searched for records of this erasure, and for what still came of its traces.
        intent.searched = Some(intent.searched.map_or(plan.searched, |before| before.min(plan.searched)));
        intent.traces.extend(plan.whole.iter().cloned());
        let (erased, unread) = self.take(&mut intent, &plan, &stored).await?;
        let persons = vault.erase_persons(&intent.pseudonyms.iter().copied().collect()).await?;
        if let Some(error) = unread {
            return Err(EraseError::Unread(error));
        }
        let records = told::count(&intent.taking);
        let absent = self.untaken(&intent.absent).await?;
        let sealed = self.seal(&intent).await?;
        self.end(intent, clock.now().ceil_seconds()).await?;
        let Erased { contents, bytes } = erased;
        let on_hold = on_hold.unwrap_or_default();
        Ok(Outcome { done: true, records, absent, contents, bytes, on_hold, erasure: Some(sealed), ..plan.outcome(forms, persons) })
    }

    /// What an intent takes, as the log is now; and what holds that are open now mean of it, as long as nothing of it was taken.
    async fn plan_of(
        &self,
        intent: &Intent,
        (target, forms): (&Target, &BTreeSet<String>),
    ) -> Result<(Plan, Option<Vec<OnHold>>), EraseError> {
        if intent.searched.is_some() {
            return Ok((self.plan(target, intent.shared, &mut Holds::default()).await?, None));
        }
        loop {
            let mut holds = self.holds().await?;
            let plan = self.plan(target, intent.shared, &mut holds).await?;
            // A search may take minutes.
            if self.are_open(&holds).await? {
                let on_hold = on_hold(&holds, &plan, target.forms(forms), &intent.despite);
                return Ok((plan, Some(on_hold)));
            }
        }
    }

    /// Takes what a plan says out of the vault, after the intent, which is `stored` as it was before, says what of it was there. What cannot
    /// be read is told last, so that it keeps nothing else from being erased.
    async fn take(&self, intent: &mut Intent, plan: &Plan, stored: &Intent) -> Result<(Erased, Option<VaultError>), EraseError> {
        let vault = &self.parts.vault;
        intent.known.extend(plan.known.iter().copied());
        self.know(intent);
        let (there, mut unread) = vault.holding(&plan.records).await?;
        told::add(&mut intent.taking, &there);
        told::add(&mut intent.absent, &plan.records);
        intent.absent = told::without(&intent.absent, &intent.taking);
        if intent != stored {
            vault.intend(intent).await?;
        }
        let (erased, failed) = self.empty(there).await;
        unread = unread.or(failed);
        match unread {
            Some(error) if !error.is_of_one_object() => Err(error.into()),
            unread => Ok((erased, unread)),
        }
    }

    /// Writes the packs of these records again without them, all that can be; the error is the first one.
    async fn empty(&self, places: Places) -> (Erased, Option<VaultError>) {
        let packs = places.into_iter().map(|((seal, day), records)| {
            let vault = self.parts.vault.clone();
            async move { vault.erase(seal, day, &records.into_iter().collect()).await }
        });
        let all: Vec<Result<Erased, VaultError>> = stream::iter(packs).buffer_unordered(PACKS_AT_ONCE).collect().await;
        let (mut erased, mut failed) = (Erased::default(), None);
        for of_seal in all {
            match of_seal {
                Ok(of_seal) => erased += of_seal,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        (erased, failed)
    }

    /// Has the writer take the records of an erasure for sealed.
    fn know(&self, intent: &Intent) {
        let Parts { sealer, clock, .. } = self.parts.as_ref();
        sealer.erased.remember(intent.known.iter().copied(), intent.done.unwrap_or_else(|| clock.now().ceil_seconds()));
    }

    /// All of it, each copy by itself, or an error.
    async fn search(&self, filter: Filter) -> Result<Answer, EraseError> {
        self.search_in(filter, None).await
    }

    /// The same in the seals of the own log from this one on.
    async fn search_since(&self, filter: Filter, since: u64) -> Result<Answer, EraseError> {
        self.search_in(filter, Some(Part { log: self.parts.log.clone(), since })).await
    }

    async fn search_in(&self, filter: Filter, part: Option<Part>) -> Result<Answer, EraseError> {
        let Parts { store, log, vkey, vault, .. } = self.parts.as_ref();
        let of_content = !filter.own_acts;
        let answer = search(store, (log, vkey), filter, part).await?;
        let gone: Vec<&crate::query::scan::Expired> = answer.expired.iter().filter(|e| e.log == *log && of_content).collect();
        let seals: Vec<(u64, u64)> = gone.iter().map(|expired| expired.seals).collect();
        // KNOWN GAP: what was said in records that are gone since their date may still be in the vault, and nobody knows any more whose it is. So it
        // is not said that all of somebody was erased, and nothing is. What else was sealed between such seals counts as theirs.
        if let Some(first) = gone.first()
            && vault.keeps_any(&seals).await?
        {
            return Err(EraseError::Incomplete(format!(
                "{first}, and of that time something is in the vault, of which nobody knows any more whose it is; it goes when \
                 `content.vault.retention` is over"
            )));
        }
        Ok(answer)
    }
}

/// Searches for one log, or says why not all of that was.
async fn search(
    store: &Arc<dyn WormStore>,
    (log, vkey): (&str, &VerifierKey),
    filter: Filter,
    part: Option<Part>,
) -> Result<Answer, EraseError> {
    let trusted = vec![TrustedKey { key: vkey.clone(), source: KeySource::Configured }];
    let request = Request { filter, trusted, copies: Copies::Each, part, ..Request::default() };
    let answer = scan(store, &request, &ProgressBar::hidden()).await?;
    // Other logs of the store are other writers'; what cannot be read of them is no reason not to erase here.
    let own = |p: &&crate::query::Problem| p.object == log || p.object.starts_with(&format!("{log}/"));
    // Who cannot be compared is told, and erased by the pseudonym if need be.
    let unsearched = answer.problems.iter().filter(|p| !answer.uncompared.contains(p));
    match unsearched.into_iter().find(own).map(ToString::to_string) {
        Some(problem) => Err(EraseError::Incomplete(problem)),
        None => Ok(answer),
    }
}

/// Every form under which evidence names whom an erasure is about.
fn forms_of(intent: &Intent) -> BTreeSet<String> {
    intent.pseudonyms.iter().map(pseudonym_text).chain(intent.forms.iter().cloned()).collect()
}
