//! The cosignatures beside the seals, listed in step with the walk, and what they come to at its end.

use super::Walk;
use super::tail::Behind;
use crate::clock::UnixSeconds;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::UnverifiedCheckpoint;
use crate::tlog::seal_file::SealFile;
use crate::verify::cosignatures::{Cosigned, Listed, PER_SEAL_MAX, Said, behind_the_end};
use crate::verify::listing::Pages;
use crate::verify::report::{Item, Kind, Sink};
use crate::worm::{ObjectKey, ReadError, parse_cosignature_name};

/// Cosignatures behind the end of the log that are looked at.
const BEHIND_MAX: u64 = 64;

impl<'a> Walk<'a> {
    /// Those of one seal. What lies below it belongs to seals that do not stand, which is said of them.
    pub(super) async fn cosignatures_of(&mut self, index: u64) -> Result<Listed, ReadError> {
        let log = self.scene.log;
        let mut listed = Listed::default();
        let pages = self.cosignatures.get_or_insert_with(|| {
            let prefix = format!("{log}/cosignatures/");
            let after = ObjectKey(format!("{prefix}{index:020}"));
            Pages::new(self.scene.store, prefix, Some(after))
        });
        loop {
            let Some(next) = pages.peek().await? else { return Ok(listed) };
            let at = named(next, log);
            if at.is_some_and(|at| at > index) {
                return Ok(listed);
            }
            let Some(group) = pages.next().await? else { return Ok(listed) };
            if at != Some(index) {
                continue;
            }
            if listed.groups.len() < PER_SEAL_MAX {
                listed.groups.push(group);
            } else {
                listed.more += 1;
            }
        }
    }

    /// What no seal of the log has: cosigned was a longer one.
    pub(super) async fn cosignatures_behind(&mut self) -> Result<(), ReadError> {
        let (scene, expected) = (self.scene, self.expected);
        let origin = self.chain.keys().next().map(|key| key.name().to_owned());
        let mut pages = match self.cosignatures.take() {
            Some(pages) => pages,
            None => Pages::new(
                scene.store,
                format!("{}/cosignatures/", scene.log),
                Some(ObjectKey(format!("{}/cosignatures/{expected:020}", scene.log))),
            ),
        };
        let (mut looked_at, mut more) = (0, 0_u64);
        while let Some(group) = pages.next().await? {
            if named(&group.key, scene.log).is_none_or(|at| at < expected) || group.data().next().is_none() {
                continue;
            }
            let behind = if looked_at == 0 { self.behind().await? } else { Behind::End };
            if behind != Behind::End {
                let meaning =
                    behind.meaning("Cosignatures behind the last seal that was read were not looked at; the next verification will.");
                self.sink.note(Item::new(Kind::NotCovered, "cosignatures/", meaning).intact());
                return Ok(());
            }
            if looked_at == BEHIND_MAX {
                more += 1;
                continue;
            }
            looked_at += 1;
            behind_the_end(scene, &mut self.sink, origin.as_deref(), &group, expected.checked_sub(1)).await;
        }
        if more > 0 {
            self.sink.unchecked("cosignatures/", None, format!("{more} further cosignatures behind the end of the log"));
        }
        Ok(())
    }
}

fn named(key: &ObjectKey, log: &str) -> Option<u64> {
    let below = key.as_str().strip_prefix(log)?.strip_prefix('/')?;
    parse_cosignature_name(below).map(|(index, _)| index)
}

/// The text of the checkpoint that a seal carries.
pub(super) fn text_of(seal: &SealFile) -> String {
    UnverifiedCheckpoint::parse(&seal.checkpoint).map(|read| read.note.text).unwrap_or_default()
}

/// Takes what one seal's cosignatures said.
pub(super) fn take(said: Said, cosigned: &mut Cosigned, strangers: &mut crate::verify::cosignatures::Strangers) {
    let (size, by) = said.by.unwrap_or_default();
    by.into_iter().for_each(|nth| cosigned.saw(nth, size));
    strangers.merge(said.strangers);
}

/// Which of them signed for the log what was at hand before the walk, the published checkpoint and the one that was kept: those show a key also where
/// no seal was read that does.
pub(super) fn signed_for_log(witnesses: &[WitnessKey], walk: &Walk<'_>) -> Vec<bool> {
    let origin = walk.chain.keys().next().map(|key| key.name().to_owned()).unwrap_or_default();
    let notes: Vec<&UnverifiedCheckpoint> = walk.published.iter().map(|published| &published.read).chain(&walk.options.since).collect();
    witnesses.iter().map(|witness| notes.iter().any(|note| note.is_signed_by(&witness.as_log(&origin)))).collect()
}

/// Takes out of the count whoever is a key of the log: it saw nothing that the log did not show itself. What keys the log has is known only
/// once it was read; of keys that it has in seals which were not, it is said that they are not known. `signed`: by [`signed_for_log`].
pub(super) fn leave_out_own(cosigned: &mut Cosigned, (witnesses, signed): (&[WitnessKey], &[bool]), walk: &Walk<'_>, sink: &mut Sink) {
    for ((nth, witness), signed) in witnesses.iter().enumerate().zip(signed) {
        // Whoever could make `log.json` name another key could only take a witness away.
        let named = walk.chain.keys().chain(walk.given_keys()).any(|key| witness.is_of_log(key));
        if (named || *signed) && cosigned.forget(nth) {
            let why = format!(
                "`{}` is a key of the log itself, which is no witness of its own log; what it signed is not counted",
                witness.name()
            );
            sink.unchecked("cosignatures/", None, why);
        }
    }
    let unread = match (walk.first_walked, walk.beyond) {
        (0, false) => return,
        (0, true) => "behind this part".to_owned(),
        (from, false) => format!("before seal {from}"),
        (from, true) => format!("before seal {from} or behind this part"),
    };
    if cosigned.witnesses.iter().any(|seen| seen.up_to.is_some()) {
        let meaning = format!(
            "Whether one of your witnesses is a key that the log itself had {unread} is not known: those seals were not read. The whole log, verified \
             without a checkpoint that you kept, shows all its keys."
        );
        sink.note(Item::new(Kind::NotCovered, "cosignatures/", meaning).intact());
    }
}

/// How long a seal that names segments may be without a cosignature before that is told as unchecked, seconds: where records were sealed, witnesses
/// are asked every `log.witness_interval` (a minute, unless configured), and one that was away for a moment is asked again within minutes.
const RECORDS_UNSEEN_MAX_SECONDS: i64 = 10 * 60;
/// The same of any seal, seconds: heartbeats alone are cosigned once an hour, and the second hour is for one that came late.
const SEALS_UNSEEN_MAX_SECONDS: i64 = 2 * 60 * 60;

/// Whether those whom the auditor trusts saw the log. They lag by design, a little; what they should have seen long ago and did not is no proof
/// of anything, and not fine: a witness that is shown a second history refuses, and says nothing here. `open`: the range ends before the log.
pub(super) fn end(cosigned: &Cosigned, (now, open): (UnixSeconds, bool), sink: &mut Sink) {
    if cosigned.witnesses.is_empty() {
        return;
    }
    let (quorum, of) = (cosigned.quorum, cosigned.brought());
    let seen = |seen: &crate::verify::cosignatures::Seen| {
        let up_to = seen.up_to.map_or_else(|| "nothing".to_owned(), |size| format!("tree size {size}"));
        format!("`{}`: {up_to}", seen.name)
    };
    let found = cosigned.witnesses.iter().map(seen).collect::<Vec<_>>().join(", ");
    let Some(since) = cosigned.since() else {
        let why = format!("not yet cosigned by {quorum} of your {of}, in the seals that were read");
        let item = Item::unchecked("cosignatures/", None, why).expected(format!("cosignatures by {quorum} of your {of}"));
        return sink.unchecked_item(item.found(found));
    };
    let is_old = |at: UnixSeconds, most: i64| now.0.saturating_sub(at.0) > most;
    let records = since.records.filter(|(_, at)| is_old(*at, RECORDS_UNSEEN_MAX_SECONDS));
    let Some((first, last, at)) = since.seals.filter(|(.., at)| records.is_some() || is_old(*at, SEALS_UNSEEN_MAX_SECONDS)) else { return };
    let which = if first == last { format!("Seal {first} is") } else { format!("Seals {first} to {last} are") };
    let held = match records {
        Some((seal, at)) => format!("seal {seal}, of {at}, holds records, which witnesses see within minutes"),
        None => "witnesses see also a log without records within two hours".to_owned(),
    };
    let now_what = if open {
        "A later cosignature would cover them: verify without --to, or up to a later seal."
    } else {
        "Ask whoever runs the witnesses what they saw last, and whether they refused, which they do where a log has two histories; and ask the \
         operator why nobody was asked, or answered."
    };
    let meaning = format!(
        "{which} not yet cosigned by {quorum} of your {of}, the first of them since {at}, and {held}. Only the log's key vouches for these \
         seals: whoever has it could show others something else. {now_what}"
    );
    let item = Item::new(Kind::Unchecked, "cosignatures/", meaning).seal(first);
    sink.unchecked_item(
        item.expected(format!("cosignatures by {quorum} of your {of} over a tree of {} seals", last.saturating_add(1))).found(found),
    );
}
