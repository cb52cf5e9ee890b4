//! Receipts that senders kept (`spanseal-seal` and `spanseal-root` of an answer): each names the root of the tree that its seal completed, and the
//! log that is there now must hold that very tree as its beginning. As of a kept checkpoint the walk passes the place; but a receipt is not
//! signed, so it says something to who knows where it was kept.

use super::{Walk, seal_object};
use crate::tlog::RootHash;
use crate::tlog::seal_file::SealFile;
use crate::verify::Receipt;
use crate::verify::report::{Item, Kind};
use crate::worm::seal_key;

/// A receipt, and what the walk found at its place.
pub(super) struct KeptReceipt {
    receipt: Receipt,
    root: Option<RootHash>,
}

impl KeptReceipt {
    pub(super) fn new(receipt: Receipt) -> Self {
        KeptReceipt { receipt, root: None }
    }

    pub(super) fn seal(&self) -> u64 {
        self.receipt.seal
    }

    pub(super) fn is_passed(&self) -> bool {
        self.root.is_some()
    }

    /// Takes the root from the seal that it names or, where that one does not stand, from the one behind it.
    pub(super) fn pass(&mut self, seal: &SealFile) {
        if seal.statement.index == self.receipt.seal {
            self.root = Some(seal.range_after().root());
        } else if self.root.is_none() && self.receipt.seal.checked_add(1) == Some(seal.statement.index) {
            self.root = Some(seal.frontier.root());
        }
    }
}

impl Walk<'_> {
    /// Judges the receipts, when the walk is over. `sound`: nothing was found against the log.
    pub(super) async fn end_receipts(&mut self, sound: bool) {
        for KeptReceipt { receipt: Receipt { seal, root }, root: found } in std::mem::take(&mut self.receipts) {
            let object = seal_object(seal);
            let item =
                |kind, meaning: &str| Item::new(kind, &object, meaning).seal(seal).expected(format!("root {root}, as in the receipt"));
            let name = format!("receipt of seal {seal} that you brought");
            match found {
                Some(found) if found == root => {
                    if sound {
                        let covers = match self.first_walked {
                            0 => "no seal up to it was removed or changed since it was given.".to_owned(),
                            from if from <= seal => format!(
                                "no seal from {from} up to it was removed or changed since it was given. Those before were not looked at."
                            ),
                            _ => "what was sealed after it goes on from that tree. The seals up to it were not looked at.".to_owned(),
                        };
                        let meaning = format!("The {name} names the very tree that the log has at that place: {covers}");
                        self.sink.note(item(Kind::Extends, &meaning).found("the same root").intact());
                    }
                }
                Some(found) => {
                    let meaning = format!(
                        "The {name} names another tree than the one that is here. If the log gave it to you, its history was rewritten since: keep the \
                         receipt and where it was logged, and ask the operator. A receipt is not signed: it proves this to whoever trusts its \
                         keeper. Make sure that it is of this log (`spanseal-log` beside it)."
                    );
                    self.sink.finding(item(Kind::Fork, &meaning).found(format!("root {found}")).lost());
                }
                None => match self.scene.store.versions(&seal_key(self.scene.log, seal)).await {
                    Ok(versions) if self.expected <= seal && versions.iter().all(|version| version.is_delete_marker) => {
                        let meaning = format!(
                            "The {name} is of a longer log than the one that is here. If the log gave it to you, its end was cut off since, or an old copy \
                             was put in its place: keep the receipt and where it was logged, and ask the operator. Make sure that it is of this \
                             log (`spanseal-log` beside it)."
                        );
                        self.sink.finding(item(Kind::Rollback, &meaning).found(self.end_of_log()).lost());
                    }
                    Ok(_) => self.sink.unchecked(&object, Some(seal), format!("the {name}: its seal was not reached, or does not stand")),
                    Err(error) => self.sink.unchecked(&object, Some(seal), error),
                },
            }
        }
    }
}
