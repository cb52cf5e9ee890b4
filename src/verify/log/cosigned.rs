//! The cosignatures beside the seals, listed in step with the walk, and what they come to at its end.

use super::Walk;
use super::tail::Behind;
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

/// Takes out of the count whoever is a key of the log: it saw nothing that the log did not show itself. What keys the log has is known only
/// once it was read.
pub(super) fn leave_out_own(cosigned: &mut Cosigned, witnesses: &[WitnessKey], walk: &Walk<'_>, sink: &mut Sink) {
    for (nth, witness) in witnesses.iter().enumerate() {
        if walk.chain.keys().any(|key| witness.is_of_log(key)) && cosigned.forget(nth) {
            let why = format!(
                "`{}` is a key of the log itself, which is no witness of its own log; what it signed is not counted",
                witness.name()
            );
            sink.unchecked("cosignatures/", None, why);
        }
    }
}

/// Whether those whom the auditor trusts saw the log. They lag by design; that none did is no proof of anything, and not fine.
pub(super) fn end(cosigned: &Cosigned, sink: &mut Sink) {
    if cosigned.witnesses.is_empty() || cosigned.up_to.is_some() {
        return;
    }
    let (quorum, of) = (cosigned.quorum, cosigned.witnesses.len());
    let seen = |seen: &crate::verify::cosignatures::Seen| {
        let up_to = seen.up_to.map_or_else(|| "nothing".to_owned(), |size| format!("tree size {size}"));
        format!("`{}`: {up_to}", seen.name)
    };
    let found: Vec<String> = cosigned.witnesses.iter().map(seen).collect();
    let why = format!("not yet cosigned by {quorum} of your {of} witness(es), in the seals that were read");
    let item = Item::unchecked("cosignatures/", None, why).expected(format!("cosignatures by {quorum} of {of}"));
    sink.unchecked_item(item.found(found.join(", ")));
}
