//! A reading of what the vault keeps is written into the log before anything of it is shown: by the running `serve`, or, where none runs, by
//! this process as the log's writer.
//!
//! What is to be shown was brought back already, so that the record names just that: records whose content is shown, persons who are named
//! and the records that name them. Where nothing would be shown, nothing is recorded.
//!
//! KNOWN GAP: reading sealed evidence alone, without the vault, makes no record; nor does asking for a person by id, which shows under which
//! pseudonym evidence has them. Whoever can read store and vault with other tools leaves none either.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::content::{Said, What};
use super::way::{Way, is_refusal};
use super::{output, read};
use crate::access::{Read, Wish};
use crate::api::Act;
use crate::cli::{QueryArgs, ReadingArgs};
use crate::config::Config;
use crate::query::filter::{Filter, persons_of};
use crate::query::story::clean;
use crate::query::{Again, Hit, Sameness};
use crate::record::RecordId;
use crate::serve::Promise;
use crate::vault::parse_pseudonym;

/// What would be shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Records whose content is among it.
    said: BTreeSet<String>,
    /// The same, by log and seal.
    places: BTreeSet<(String, u64, RecordId)>,
    /// Records that name somebody who is named.
    naming: BTreeSet<String>,
    /// Who is named, by pseudonym.
    persons: BTreeSet<String>,
    /// The logs of all these records.
    logs: BTreeSet<String>,
    /// Ids of persons that evidence has as they are.
    ids: BTreeSet<String>,
    /// Everybody else whom the records name, by log.
    named: BTreeMap<String, BTreeSet<[u8; 16]>>,
}

/// What is shown, and how it is recorded.
#[derive(Debug)]
pub(super) struct Reading {
    wish: Wish,
    shown: Shown,
    /// What was asked for, where that may be the id of a person.
    asked: Vec<String>,
}

impl Shown {
    /// What these records say is shown, as far as it is there.
    pub(super) fn says(&mut self, hits: &[Hit], said: &[Vec<Said>]) {
        let shown = hits.iter().zip(said).filter(|(_, said)| said.iter().any(|said| matches!(said.what, What::Content(_))));
        for (hit, said) in shown {
            let is_shown = |of: Option<u64>| said.iter().any(|said| said.again == of && matches!(said.what, What::Content(_)));
            let own = is_shown(None).then_some(&hit.place);
            // That it said the same when it was sealed again is shown, too.
            let of_copy = |again: &&Again| again.sameness == Sameness::Read || is_shown(Some(again.hit.place.seal.statement.index));
            let copies = hit.copies.iter().filter(of_copy).map(|again| &again.hit.place);
            if let Some(id) = hit.text("id").and_then(RecordId::parse) {
                let places = own.into_iter().chain(copies);
                self.places.extend(places.map(|place| (place.log.clone(), place.seal.statement.index, id)));
            }
            self.said.extend(id_of(hit));
            self.meets(hit);
            hit.copies.iter().filter(of_copy).for_each(|again| self.meets(&again.hit));
        }
    }

    /// These persons of the records are named.
    pub(super) fn names(&mut self, hits: &[Hit], persons: BTreeSet<String>) {
        for hit in hits.iter().filter(|hit| persons_of(&hit.record).any(|person| persons.contains(person))) {
            self.naming.extend(id_of(hit));
            self.meets(hit);
        }
        self.persons.extend(persons);
    }

    fn meets(&mut self, hit: &Hit) {
        self.logs.insert(hit.place.log.clone());
        for person in persons_of(&hit.record) {
            if let Some(pseudonym) = parse_pseudonym(person) {
                self.named.entry(hit.place.log.clone()).or_default().insert(pseudonym);
            } else if let Some(id) = person.strip_prefix("id:") {
                self.ids.insert(id.to_owned());
            }
        }
    }

    /// Of a story: `asked` is the id by which it was asked for, which may be anything, so only what evidence calls it is recorded.
    pub(super) fn of_story(self, asked: &str, hits: &[Hit]) -> Reading {
        let has = |hit: &Hit, paths: &[&str]| paths.iter().any(|path| hit.text(path) == Some(asked));
        let target = match hits.iter().any(|hit| has(hit, &["id", "trace.trace_id"])) {
            true => Some(asked.to_owned()),
            // A decision's own id.
            false => hits.iter().find(|hit| hit.text("decision.id").is_some()).and_then(id_of),
        };
        let read = match (self.said.is_empty(), self.persons.is_empty()) {
            (false, false) => Read::ContentAndIdentities,
            (true, false) => Read::Identities,
            (_, true) => Read::Content,
        };
        let is_in_evidence = hits.iter().any(|hit| has(hit, &["id", "trace.trace_id", "decision.id"]));
        let asked = if is_in_evidence { Vec::new() } else { vec![asked.to_owned()] };
        self.reading(read, (target, BTreeMap::new()), asked)
    }

    /// Of a query.
    pub(super) fn of_query(self, args: &QueryArgs, filter: &Filter, hits: &[Hit]) -> Reading {
        let target = filter.record_id.clone().or_else(|| filter.trace_id.clone());
        let read = if args.proof { Read::Proof } else { Read::Content };
        self.reading(read, (target, conditions(args, filter, hits)), asked(args, filter, hits))
    }

    /// Of a proof that opens a record.
    pub(super) fn of_proof(self, hit: &Hit) -> Reading {
        self.reading(Read::Proof, (id_of(hit), BTreeMap::new()), Vec::new())
    }

    fn reading(
        self,
        read: Read,
        (target, conditions): (Option<String>, BTreeMap<String, BTreeSet<String>>),
        asked: Vec<String>,
    ) -> Reading {
        let wish = Wish {
            read,
            target: target.filter(|target| RecordId::parse(target).is_some()),
            asked: conditions,
            records: self.said.union(&self.naming).cloned().collect(),
            persons: self.persons.clone(),
            part: 1,
            ground: None,
            ticket: None,
            by: None,
        };
        Reading { wish, shown: self, asked }
    }
}

/// The ids that a query asked for, but those that evidence has as they are: a decision's own, say.
fn asked(args: &QueryArgs, filter: &Filter, hits: &[Hit]) -> Vec<String> {
    let given = [
        ("user", &args.select.user),
        ("subject", &args.select.subject),
        ("person", &args.select.person),
        ("session", &args.select.session),
        ("decision", &args.select.decision),
    ];
    let is_hidden = |name: &str, id: &str| {
        let paths = filter.named().find(|(condition, ..)| *condition == name).map_or(&[][..], |(_, _, paths)| paths);
        !hits.iter().any(|hit| paths.iter().any(|path| hit.text(path) == Some(id)))
    };
    let given = given.into_iter().filter_map(|(name, id)| Some((name, id.as_deref()?)));
    given.filter(|(name, id)| is_hidden(name, id)).map(|(_, id)| id.to_owned()).collect()
}

fn id_of(hit: &Hit) -> Option<String> {
    hit.text("id").filter(|id| RecordId::parse(id).is_some()).map(str::to_owned)
}

/// The conditions of a query, each with what evidence has in that place: what was asked for may be a person's id.
fn conditions(args: &QueryArgs, filter: &Filter, hits: &[Hit]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    let mut plain = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), BTreeSet::from([value]));
        }
    };
    plain("trace_id", filter.trace_id.clone());
    plain("record_id", filter.record_id.clone());
    plain("kind", filter.kind.clone());
    plain("model", filter.model.clone());
    plain("prompt_hash", filter.prompt_hash.clone());
    plain("from", filter.from.map(|at| at.rfc3339()));
    plain("to", filter.to.map(|at| at.rfc3339()));
    plain("limit", args.limit.map(|limit| limit.to_string()));
    for (name, wanted, paths) in filter.named() {
        let stored = hits.iter().flat_map(|hit| paths.iter().filter_map(move |path| Some((hit.text(path)?, hit))));
        let forms = stored.filter(|(stored, hit)| stored.starts_with("ps:") && wanted.is_in(stored, &hit.line));
        all.insert(name.to_owned(), forms.map(|(stored, _)| stored.to_owned()).collect());
    }
    all
}

/// Has a reading recorded, and says where; an error if it is not, and then nothing may be shown. With `--unrecorded` a log that nobody
/// serves is not opened, and that nothing was recorded is said; what is refused because of what was asked stays refused.
pub(super) async fn record(config: &Config, args: &ReadingArgs, reading: Reading) -> anyhow::Result<()> {
    if reading.wish.is_empty() {
        return Ok(());
    }
    let wish = Wish { ground: args.ground.clone(), ticket: args.ticket.clone(), by: args.by.clone(), ..reading.wish.clone() };
    let reading = Reading { wish, ..reading };
    record_or_say(config, args, &reading).await?;
    reading.expect_still_there(config).await
}

async fn record_or_say(config: &Config, args: &ReadingArgs, reading: &Reading) -> anyhow::Result<()> {
    let way = if args.unrecorded {
        let running = match reading.expect_own_log(config) {
            Ok(()) => Way::running(config, Act::Access, &args.client).await,
            Err(why) => Err(why),
        };
        match running {
            Ok(Some(way)) => way,
            Ok(None) => return unrecorded("no `serve` answers at `api.endpoint`"),
            Err(why) => return unrecorded(&format!("{why:#}")),
        }
    } else {
        reading.expect_own_log(config).context(REFUSED)?;
        Way::open(config, Act::Access, Promise::Respected, &args.client).await.context(REFUSED)?
    };
    let recorded = record_by(&way, config, reading).await;
    // Whatever came of it, a log that was opened for this is closed in good order.
    let closed = way.close().await;
    match recorded {
        Err(why) if is_refusal(&why) => return Err(why.context(REFUSED_AS_ASKED)),
        Err(why) if args.unrecorded => return unrecorded(&format!("{why:#}")),
        other => other.context(REFUSED)?,
    }
    closed.context("the reading is recorded, but the log that was opened for that could not be closed, so nothing is shown; ask again")
}

const REFUSED: &str = "nothing is shown, because this reading cannot be written into the log (--unrecorded shows it all the same)";
const REFUSED_AS_ASKED: &str = "nothing is shown, because this reading cannot be written into the log as it was asked for";

async fn record_by(way: &Way, config: &Config, reading: &Reading) -> anyhow::Result<()> {
    reading.expect_unnamed(config).await?;
    for part in reading.wish.clone().parts() {
        let sealed = way.record(&part).await?;
        output::tell(&format!("this reading is record {} in seal {} of the log `{}`", sealed.record, sealed.seal, config.log.name));
    }
    Ok(())
}

impl Reading {
    /// A reading stands in the log that is read, where whoever answers for that log looks.
    fn expect_own_log(&self, config: &Config) -> anyhow::Result<()> {
        let own = &config.log.name;
        match self.shown.logs.iter().find(|log| *log != own) {
            None => Ok(()),
            Some(other) => bail!(
                "part of it is of the log `{}`, and this configuration (`log.name`) is that of `{own}`: ask with the configuration of that \
                 log, or for records of `{own}` alone",
                clean(other)
            ),
        }
    }

    /// Refuses a ground or ticket that names anybody whom the records name, or who was asked for.
    async fn expect_unnamed(&self, config: &Config) -> anyhow::Result<()> {
        if !self.wish.says_anything() {
            return Ok(());
        }
        let asked = self.asked.iter().filter(|asked| parse_pseudonym(asked).is_none());
        let asked = asked.map(|asked| asked.strip_prefix("id:").unwrap_or(asked));
        self.wish.expect_unnamed(asked.chain(self.shown.ids.iter().map(String::as_str)))?;
        if let Some(vaults) = read::vaults(config).await? {
            for (log, named) in &self.shown.named {
                let known = vaults.of(log).resolve(&named.iter().copied().collect()).await?;
                self.wish.expect_unnamed(known.iter().map(|entry| entry.id.as_str()))?;
            }
        }
        Ok(())
    }

    /// An erasure may have been finished since the vault was read; whoever it took is not shown after it.
    async fn expect_still_there(&self, config: &Config) -> anyhow::Result<()> {
        let Some(vaults) = read::vaults(config).await? else { return Ok(()) };
        let persons: Vec<[u8; 16]> = self.wish.persons.iter().filter_map(|person| parse_pseudonym(person)).collect();
        for log in &self.shown.logs {
            let asked = "nothing is shown, because what was erased meanwhile cannot be told; ask again";
            let state = vaults.of(log).stored_state().await.context(asked)?;
            let mut said = self.shown.places.iter().filter(|(of, ..)| of == log);
            if said.any(|(_, seal, id)| state.means(*seal, *id)) || persons.iter().any(|person| state.persons.contains(person)) {
                bail!("nothing is shown, because part of it was erased while it was read; ask again for what is left")
            }
        }
        Ok(())
    }
}

fn unrecorded(why: &str) -> anyhow::Result<()> {
    output::tell(&format!("this reading is not recorded in the log (--unrecorded): {why}"));
    Ok(())
}
