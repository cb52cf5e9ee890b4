//! What `hold` and `retention extend` have in common: which segments a query means, what of it may be recorded, and carrying it out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::interrupt::Interrupt;
use super::way::Way;
use super::{output, query, read};
use crate::api::Act;
use crate::cli::{KeyArgs, OrderArgs, SelectArgs};
use crate::config::{Config, IdentityMode, References};
use crate::erase::Sealed;
use crate::govern::carry::{Carried, Carrier, asked, want};
use crate::govern::chain;
use crate::govern::decrees::{Decree, Order};
use crate::govern::query::Query;
use crate::govern::register::Motion;
use crate::govern::{self, Deed, Expected, own};
use crate::promote::scrub::Scrub;
use crate::query::Problem;
use crate::query::filter::Filter;
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::query::person::{Incomparable, Label, Names, is_stored_form};
use crate::query::select::{Asked, Selector};
use crate::record::apart::as_kept;
use crate::record::canonical::Json;
use crate::record::identity::vault_pseudonym;
use crate::serve::Promise;
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::worm::{Lock, Locks, WormStore};

/// Problems that are told before a preview ends.
const PROBLEMS_MAX: usize = 100;

/// The log that is meant, as it is now.
pub(super) struct Scene<'c> {
    pub(super) config: &'c Config,
    pub(super) store: Arc<dyn WormStore>,
    pub(super) log: LogReader,
    pub(super) trusted: Vec<TrustedKey>,
}

impl<'c> Scene<'c> {
    /// Opens the configuration's log for reading.
    pub(super) async fn open(config: &'c Config, keys: &KeyArgs) -> anyhow::Result<Self> {
        let store = read::store(config).await?;
        let trusted = read::trusted(keys, config);
        // Without a configuration the key says which log is meant.
        let of_key = keys.vkey.first().filter(|_| config.file.is_none()).and_then(|key| key.name().rsplit('/').next());
        let name = of_key.unwrap_or(&config.log.name);
        let log = LogReader::open(Arc::clone(&store), name, &trusted).await?;
        log.problems().iter().for_each(read::tell);
        if log.size() == 0 && !log.problems().is_empty() {
            anyhow::bail!("no seal of the log `{name}` in {} could be trusted; see what was said above", store.describe());
        }
        if log.size() == 0 {
            anyhow::bail!("the log `{name}` has no seals in {}, so there is nothing to keep", store.describe());
        }
        if !keys.vkey.is_empty() && log.key_source() != KeySource::Pinned {
            let given: Vec<&str> = keys.vkey.iter().map(VerifierKey::name).collect();
            anyhow::bail!("--vkey gives no key of the log `{name}` (but of {}), so nothing was read; bring its key", given.join(", "));
        }
        Ok(Scene { config, store, log, trusted })
    }

    /// The same log, with what was sealed since.
    pub(super) async fn again(&self) -> anyhow::Result<Self> {
        let log = LogReader::open(Arc::clone(&self.store), self.log.name(), &self.trusted).await?;
        Ok(Scene { config: self.config, store: Arc::clone(&self.store), log, trusted: self.trusted.clone() })
    }

    /// Whether locks hold here.
    pub(super) fn has_locks(&self) -> bool {
        self.store.locks() == Locks::Enforced
    }

    /// From whom a word on each seal is to come.
    pub(super) fn expected(&self) -> Expected {
        let log = &self.config.log;
        Expected { cosigned: !log.witnesses.is_empty(), stamped: !log.timestamping.authorities.is_empty() }
    }
}

/// What a query means now.
#[derive(Default)]
pub(super) struct Preview {
    pub(super) records: u64,
    pub(super) segments: u64,
    pub(super) seals: u64,
    pub(super) bytes: u64,
    /// Segments that are promised at least the lock asked about.
    pub(super) covered: u64,
    /// Records of each, by SHA-256, and up to which seal.
    known: HashMap<Hash, u64>,
    upto: u64,
    /// As evidence names whom and what is asked for.
    forms: BTreeMap<&'static str, BTreeSet<String>>,
    pub(super) problems: Vec<Problem>,
}

/// Searches the log; `lock`: what is asked about.
pub(super) async fn preview(scene: &Scene<'_>, filter: &Filter, lock: Option<Lock>) -> anyhow::Result<Preview> {
    let mut found = Preview { upto: scene.log.size(), ..Preview::default() };
    let mut incomparable: BTreeMap<Incomparable, u64> = BTreeMap::new();
    let bar = read::progress();
    bar.set_length(scene.log.size());
    let mut selector = Selector::new((&scene.store, &scene.log), vec![Asked::new(filter.clone(), 0)], 0..scene.log.size());
    let mut last = None;
    while let Some(step) = selector.step().await? {
        let room = PROBLEMS_MAX.saturating_sub(found.problems.len());
        found.problems.extend(step.problems.into_iter().take(room));
        for selected in step.selected {
            let Some(held) = selected.held.into_iter().next() else { continue };
            for (why, records) in held.incomparable {
                let sum = incomparable.entry(why).or_default();
                *sum = sum.saturating_add(records);
            }
            if held.records == 0 {
                continue;
            }
            let index = selected.seal.statement.index;
            // Who asks for everything is told what seals state: any number.
            found.records = found.records.saturating_add(held.records);
            found.segments += 1;
            found.bytes = found.bytes.saturating_add(selected.segment.bytes);
            found.seals += u64::from(last != Some(index));
            found.covered += u64::from(lock.is_some_and(|lock| selected.segment.lock.covers(lock)));
            found.known.insert(selected.segment.sha256, held.records);
            last = Some(index);
            for (name, forms) in held.forms {
                found.forms.entry(name).or_default().extend(forms);
            }
        }
        bar.set_position(step.upto);
    }
    bar.finish_and_clear();
    let unknown = incomparable.iter().filter(|(why, _)| matches!(why, Incomparable::Unknown(_)));
    let unknown = unknown.fold(0_u64, |sum, (_, records)| sum.saturating_add(*records));
    if unknown > 0 {
        output::tell(&format!(
            "Not among these: {} in which somebody is named whom the vault does not know (any more).",
            count(unknown, "record", "records")
        ));
    }
    let told = incomparable.iter().filter_map(|(why, records)| Some((words_of(why)?, records)));
    let told = told.map(|(why, records)| Problem {
        object: scene.log.name().to_owned(),
        what: format!("{}, not compared: {why}", count(*records, "record", "records")),
    });
    found.problems.extend(told);
    found.problems.iter().for_each(read::tell);
    Ok(found)
}

fn words_of(why: &Incomparable) -> Option<String> {
    match why {
        Incomparable::Key(id) => Some(format!("somebody is named by a pseudonym under key {id}, which was not given (identity.key_file)")),
        Incomparable::Realm => Some("somebody is named in a realm that it may not show as it was".to_owned()),
        Incomparable::Vault => Some("somebody is named by a pseudonym of the vault, which could not be asked (content.vault)".to_owned()),
        Incomparable::Unknown(_) => None,
    }
}

/// Brings a query into the form in which it is recorded: persons by pseudonym, references as they are sealed. `None`, and why: there is no
/// name under which later records could be known.
pub(super) fn recorded(
    config: &Config,
    select: &SelectArgs,
    (filter, names): (&Filter, &Names),
    found: &Preview,
) -> anyhow::Result<Result<Query, String>> {
    let mut forms = found.forms.clone();
    let realms = || std::iter::once("").chain(select.realm.iter().map(String::as_str));
    let literal = |asked: &str| is_stored_form(asked);
    let persons = [("user", &select.user), ("subject", &select.subject), ("person", &select.person)];
    for (name, asked) in persons.into_iter().filter_map(|(name, asked)| Some((name, asked.as_deref()?))) {
        let of = forms.entry(name).or_default();
        if literal(asked) && !select.as_sent {
            of.insert(asked.to_owned());
            continue;
        }
        let known = names.vault.iter().flatten().filter(|entry| entry.id == as_kept(asked));
        of.extend(known.map(|entry| vault_pseudonym(&entry.pseudonym)));
        match (config.identity.mode, &names.key) {
            (IdentityMode::Plain, _) => drop(of.insert(format!("id:{asked}"))),
            (IdentityMode::Keyed, Some(key)) => of.extend(realms().map(|realm| Label::Person.pseudonym(key, realm, asked))),
            (IdentityMode::Keyed, None) | (IdentityMode::Vault, _) => {}
        }
    }
    let scrub = Scrub::new(&config.identity.scrub).map_err(|why| anyhow!(why))?;
    for (name, asked) in [("session", &select.session), ("decision", &select.decision)] {
        let Some(asked) = asked.as_deref() else { continue };
        let of = forms.entry(name).or_default();
        let is_keyed = config.identity.references == References::Keyed || scrub.matches(asked);
        match &names.key {
            _ if literal(asked) || !is_keyed => drop(of.insert(asked.to_owned())),
            Some(key) => of.extend(realms().map(|realm| Label::Reference.pseudonym(key, realm, asked))),
            None => {}
        }
    }
    Ok(Query::new(filter, &forms))
}

/// What is asked for, and by which names it is known.
pub(super) async fn asked_for(config: &Config, store: &dyn WormStore, select: &SelectArgs) -> anyhow::Result<(Filter, Names)> {
    let names = read::names(config, store, &select.realm, &query::persons(select), select.as_sent).await?;
    Ok((query::filter(select, &names), names))
}

/// The way to the writer, and what is said with an order.
pub(super) struct Orders<'o> {
    way: Way,
    order: &'o OrderArgs,
}

impl<'o> Orders<'o> {
    /// Refuses words that no record could say, before anything is done; then looks for the writer.
    pub(super) async fn open(config: &Config, order: &'o OrderArgs) -> anyhow::Result<Self> {
        let promise = if order.offline { Promise::Ignored } else { Promise::Respected };
        let way = Way::open(config, Act::Govern, promise, &order.client).await?;
        Ok(Orders { way, order })
    }

    /// Whether a running `serve` is the writer.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.way, Way::Server(_))
    }

    /// Has an order recorded, with its reason.
    pub(super) async fn order(&self, motion: Motion) -> anyhow::Result<Sealed> {
        let OrderArgs { reason, ticket, by, .. } = self.order;
        let wish = govern::Wish { deed: Deed::Decree(motion), ground: Some(reason.clone()), ticket: ticket.clone(), by: by.clone() };
        self.way.govern(&wish).await
    }

    /// Has recorded how far it was carried out.
    pub(super) async fn tell(&self, motions: Vec<Motion>) -> anyhow::Result<()> {
        for motion in motions {
            self.way
                .govern(&govern::Wish::of(Deed::Decree(motion)))
                .await
                .context("what was done stays done, but could not be recorded")?;
        }
        Ok(())
    }

    /// Lets the writer go, whatever came of it.
    pub(super) async fn close<T>(self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        let closed = self.way.close().await;
        let value = result?;
        closed?;
        Ok(value)
    }
}

/// Refuses words that no record of an order could say.
pub(super) fn check_words(config: &Config, order: &OrderArgs) -> anyhow::Result<()> {
    let OrderArgs { reason, ticket, by, .. } = order;
    govern::check_words(Some(reason), ticket.as_deref(), by.as_deref(), &config.identity.scrub).map_err(|why| anyhow!(why))
}

/// A decree that was just recorded, as it stands in the log.
async fn standing(scene: &Scene<'_>, id: &str) -> anyhow::Result<Decree> {
    let open = chain::newest_link(&scene.store, &scene.log).await?.map(|link| link.entry.open).unwrap_or_default();
    open.into_iter().find(|open| open.id == id).with_context(|| format!("`{id}` is recorded, and was ended since; nothing was done for it"))
}

/// The same, in the log with what was sealed since.
pub(super) async fn placed<'c>(scene: Scene<'c>, id: &str) -> anyhow::Result<(Scene<'c>, Decree)> {
    let scene = scene.again().await?;
    let decree = standing(&scene, id).await?;
    Ok((scene, decree))
}

/// Carries an open decree out on the seals below `end`, from where the log says that it stands, and has that recorded.
pub(super) async fn carry_out(
    scene: &Scene<'_>,
    (orders, interrupt): (&Orders<'_>, &Interrupt),
    decree: &Decree,
    (end, found): (u64, Option<&Preview>),
) -> anyhow::Result<Carried> {
    let asked = asked(decree, decree.through).map_err(|why| anyhow!(why))?;
    let carrier = Carrier::new((&scene.store, &scene.log), vec![asked], decree.through..end, (want(decree.order), scene.expected()));
    // What could not be searched then is searched now.
    let mut carrier = match found.filter(|found| found.problems.is_empty()) {
        Some(found) => carrier.known(found.upto, &found.known),
        None => carrier,
    };
    let bar = read::progress();
    bar.set_length(end.min(scene.log.size()).saturating_sub(decree.through));
    let mut from = decree.through;
    let over = matches!(decree.order, Order::Extend(_));
    interrupt.stands(stands(decree, from));
    loop {
        // What a step had begun when it was dropped is found done when it is begun again.
        let (tell, failed) = match interrupt.or(async { Ok(carrier.step().await?) }).await {
            Ok(None) => break,
            Ok(Some(went)) => {
                bar.set_position(went.upto.saturating_sub(decree.through));
                (went.tell, None)
            }
            Err(error) => (carrier.untold(), Some(error)),
        };
        for (_, untold) in tell {
            let through = untold.through;
            orders.tell(Motion::told(&decree.id, untold, from, false)).await?;
            from = through;
            interrupt.stands(stands(decree, from));
        }
        if let Some(error) = failed {
            bar.finish_and_clear();
            return Err(error.context(format!("{} was not carried out to its end (`{}` goes on)", named(decree), again(decree))));
        }
    }
    bar.finish_and_clear();
    let mut carried = carrier.end();
    carried.problems.iter().for_each(read::tell);
    let untold = carried.untold.pop().unwrap_or_default();
    // What is left was told; to look at it again, an extension stays open, and a hold stands before it.
    let mut motions = Motion::told(&decree.id, untold, from, over && carried.is_whole());
    let close = motions.pop_if(|motion| matches!(motion, Motion::Close { .. }));
    orders.tell(motions).await?;
    // What says so is kept as long as it is in force; of what is over nobody would look whether it is.
    let keep = async || own::keep_of((&scene.store, scene.log.name(), &scene.trusted), decree, scene.expected()).await;
    interrupt.or(async { Ok(keep().await?) }).await.with_context(|| unkept(decree))?;
    if let Some(close) = close {
        orders.tell(vec![close]).await?;
        interrupt.stands(unkept(decree));
        interrupt.or(async { Ok(keep().await?) }).await.with_context(|| unkept(decree))?;
    }
    Ok(carried)
}

fn named(decree: &Decree) -> String {
    match decree.order {
        Order::Hold => format!("the hold `{}`", decree.id),
        Order::Extend(_) => format!("the extension `{}`", decree.id),
    }
}

/// The command that goes on with a decree.
fn again(decree: &Decree) -> String {
    match decree.order {
        Order::Hold => format!("spanseal hold place --matter {} --resume --reason TEXT", decree.id),
        Order::Extend(_) => format!("spanseal retention extend --resume {} --reason TEXT", decree.id),
    }
}

/// Where a decree stands that is carried out and told below a seal.
fn stands(decree: &Decree, through: u64) -> String {
    let how_far = match through {
        0 => "the log says of no seal yet that it was carried out there".to_owned(),
        n => format!("carried out below seal {n}"),
    };
    format!(
        "{} is on record and stays in force; {how_far}. A running `serve` finishes it within about two minutes, or `{}` does",
        named(decree),
        again(decree)
    )
}

/// What is not known while a decree is on its way to the log.
pub(super) fn on_its_way(what: &str, again: &str) -> String {
    format!(
        "no object was changed, and whether {what} was recorded is not known: `spanseal hold list` shows what is open, and if it is recorded `{again}` \
         goes on"
    )
}

/// That the records of a decree are not kept as long as it is in force, and what now.
pub(super) fn unkept(decree: &Decree) -> String {
    format!(
        "{} was carried out, and its own records are not all kept yet as long as it is in force; a running `serve` does that within about two minutes, \
         or `{}` does",
        named(decree),
        again(decree)
    )
}

/// What was, or would be, done, for people.
pub(super) fn sizes(found: &Preview) -> String {
    format!(
        "{} in {} of {} ({})",
        count(found.records, "record", "records"),
        count(found.segments, "segment", "segments"),
        count(found.seals, "seal", "seals"),
        count(found.bytes, "byte", "bytes")
    )
}

/// A number with its word.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// What a hold is to what the vault keeps of the records that it means. `None`: there is no vault.
pub(super) fn of_vault(config: &Config) -> Option<String> {
    let place = config.content.vault.as_ref()?;
    let mut said =
        "What was said in the records that it means, and in their traces, stays in the vault as long: `content.vault.retention` waits for \
                    it, and `erase` takes nothing of it unless it is told to by --despite-hold."
            .to_owned();
    if !place.url.is_folder() {
        said.push_str(" See that no lifecycle rule of the vault's bucket deletes; such a rule knows of no holds.");
    }
    Some(said)
}

/// What is to be known of what was carried out.
pub(super) fn remarks(scene: &Scene<'_>, carried: &Carried) -> Vec<String> {
    let mut said = Vec::new();
    if !scene.has_locks() {
        said.push(
            "This store has no locks: it is recorded, and nothing keeps these objects from being deleted by whoever can write there."
                .to_owned(),
        );
    }
    if carried.done.gone > 0 {
        said.push(format!(
            "{} gone: the time was over, or somebody deleted it; `spanseal verify` tells which.",
            count(carried.done.gone, "segment is", "segments are")
        ));
    }
    if carried.done.absent > 0 {
        said.push(format!(
            "Not there, of what belongs to them: {} (tiles, cosignatures, time stamps); `spanseal verify` tells which.",
            count(carried.done.absent, "object", "objects")
        ));
    }
    if carried.done.unjoined > 0 {
        said.push(format!(
            "Of {} the witnesses or authorities that are configured have not said a word yet.",
            count(carried.done.unjoined, "seal", "seals")
        ));
    }
    said
}

/// The same for machines.
pub(super) fn json_of(carried: &Carried) -> Vec<(String, Json)> {
    let done = &carried.done;
    [
        ("records", carried.records),
        ("segments", done.segments),
        ("bytes", carried.bytes),
        ("objects_changed", done.changed),
        ("objects_already", done.already),
        ("segments_gone", done.gone),
        ("objects_absent", done.absent),
        ("seals_unjoined", done.unjoined),
        ("problems", u64::try_from(carried.problems.len()).unwrap_or(u64::MAX)),
    ]
    .into_iter()
    .map(|(name, n)| (name.to_owned(), Json::count(n)))
    .collect()
}
