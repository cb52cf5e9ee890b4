//! A reading of what the vault keeps is written into the log before anything of it is shown: by the running `serve`, or, where none runs, by
//! this process as the log's writer.
//!
//! What is to be shown was brought back already, so that the record names just that: records whose content is shown, persons who are named
//! and the records that name them. Where nothing would be shown, nothing is recorded.
//!
//! KNOWN GAP: reading sealed evidence alone, without the vault, makes no record; nor does asking for a person by id, which shows under which
//! pseudonym evidence has them. Whoever can read store and vault with other tools leaves none either.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::content::{Said, What};
use super::output;
use super::way::Way;
use crate::access::{Read, Wish};
use crate::api::Act;
use crate::cli::{QueryArgs, ReadingArgs};
use crate::config::Config;
use crate::query::Hit;
use crate::query::filter::{Filter, persons_of};
use crate::record::RecordId;
use crate::serve::Promise;

/// What would be shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Records whose content is among it.
    said: BTreeSet<String>,
    /// Records that name somebody who is named.
    naming: BTreeSet<String>,
    /// Who is named, by pseudonym.
    persons: BTreeSet<String>,
}

impl Shown {
    /// What these records say is shown, as far as it is there.
    pub(super) fn says(&mut self, hits: &[Hit], said: &[Vec<Said>]) {
        let shown = hits.iter().zip(said).filter(|(_, said)| said.iter().any(|said| matches!(said.what, What::Content(_))));
        self.said.extend(shown.filter_map(|(hit, _)| id_of(hit)));
    }

    /// These persons of the records are named.
    pub(super) fn names(&mut self, hits: &[Hit], persons: BTreeSet<String>) {
        let naming = hits.iter().filter(|hit| persons_of(&hit.record).any(|person| persons.contains(person)));
        self.naming.extend(naming.filter_map(id_of));
        self.persons.extend(persons);
    }

    /// Of a story: `asked` is the id by which it was asked for, which may be anything, so only what evidence calls it is recorded.
    pub(super) fn of_story(self, asked: &str, hits: &[Hit]) -> Wish {
        let of_record = |hit: &Hit| ["id", "trace.trace_id"].iter().any(|path| hit.text(path) == Some(asked));
        let target = match hits.iter().any(of_record) {
            true => Some(asked.to_owned()),
            // A decision's own id.
            false => hits.iter().find(|hit| hit.text("decision.id").is_some()).and_then(id_of),
        };
        let read = match (self.said.is_empty(), self.persons.is_empty()) {
            (false, false) => Read::ContentAndIdentities,
            (true, false) => Read::Identities,
            (_, true) => Read::Content,
        };
        self.wish(read, target, BTreeMap::new())
    }

    /// Of a query.
    pub(super) fn of_query(self, args: &QueryArgs, filter: &Filter, hits: &[Hit]) -> Wish {
        let target = filter.record_id.clone().or_else(|| filter.trace_id.clone());
        let read = if args.proof { Read::Proof } else { Read::Content };
        self.wish(read, target, conditions(args, filter, hits))
    }

    /// Of a proof that opens a record.
    pub(super) fn of_proof(self, hit: &Hit) -> Wish {
        self.wish(Read::Proof, id_of(hit), BTreeMap::new())
    }

    fn wish(self, read: Read, target: Option<String>, asked: BTreeMap<String, BTreeSet<String>>) -> Wish {
        let Shown { said, naming, persons } = self;
        let target = target.filter(|target| RecordId::parse(target).is_some());
        let records = said.into_iter().chain(naming).collect();
        Wish { read, target, asked, records, persons, part: 1, ground: None, ticket: None, by: None }
    }
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
/// serves is not opened, and that nothing was recorded is said.
pub(super) async fn record(config: &Config, args: &ReadingArgs, wish: Wish) -> anyhow::Result<()> {
    if wish.is_empty() {
        return Ok(());
    }
    let wish = Wish { ground: args.ground.clone(), ticket: args.ticket.clone(), by: args.by.clone(), ..wish };
    let way = if args.unrecorded {
        match Way::running(config, Act::Access, &args.client).await {
            Ok(Some(way)) => way,
            Ok(None) => return unrecorded("no `serve` answers at `api.endpoint`"),
            Err(why) => return unrecorded(&format!("{why:#}")),
        }
    } else {
        Way::open(config, Act::Access, Promise::Respected, &args.client).await.context(REFUSED)?
    };
    let recorded = record_by(&way, wish).await;
    // Whatever came of it, a log that was opened for this is closed in good order.
    let closed = way.close().await;
    match recorded {
        Err(why) if args.unrecorded => return unrecorded(&format!("{why:#}")),
        other => other.context(REFUSED)?,
    }
    closed.context("the reading is recorded, but the log that was opened for that could not be closed, so nothing is shown; ask again")
}

const REFUSED: &str = "nothing is shown, because this reading cannot be written into the log (--unrecorded shows it all the same)";

async fn record_by(way: &Way, wish: Wish) -> anyhow::Result<()> {
    for part in wish.parts() {
        let sealed = way.record(&part).await?;
        output::tell(&format!("this reading is record {} in seal {}", sealed.record, sealed.seal));
    }
    Ok(())
}

fn unrecorded(why: &str) -> anyhow::Result<()> {
    output::tell(&format!("this reading is not recorded in the log (--unrecorded): {why}"));
    Ok(())
}
