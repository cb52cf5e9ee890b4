//! The published checkpoint: a pointer that may lag behind the seals, but never name what they do not have.

use super::Walk;
use crate::tlog::note::{SignedNote, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::tlog::truth::{Judgement, judge};
use crate::verify::chain::Signer;
use crate::verify::listing::Group;
use crate::verify::objects::Scene;
use crate::verify::report::{Item, Kind};
use crate::worm::{NOTE_FILE_BYTES_MAX, ReadError, SEAL_BYTES_MAX, VERSIONS_READ_MAX, checkpoint_key, seal_key, unread};

/// The published checkpoint, as read: nobody has verified it yet.
pub(super) struct Published {
    pub(super) read: UnverifiedCheckpoint,
    pub(super) compared: bool,
}

impl Walk<'_> {
    pub(super) async fn read_published(&mut self) {
        let read = self.scene.store.get(&checkpoint_key(self.scene.log), None, NOTE_FILE_BYTES_MAX).await;
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let meaning = "No checkpoint is published. The writer makes one anew, and each seal carries its own; but until then nothing here shows \
                               whether newer seals were taken away. A checkpoint or receipt that was kept elsewhere does (--since-checkpoint, \
                               --receipt).";
                self.sink.note(Item::new(Kind::CheckpointAbsent, "checkpoint", meaning).intact());
                return;
            }
            Err(ReadError::TooLarge { size, .. }) => return self.sink.finding(bad_checkpoint(&format!("{size} bytes"))),
            Err(error) => return self.sink.unchecked("checkpoint", None, error),
        };
        let text = std::str::from_utf8(&bytes).map_err(|e| e.to_string());
        match text.and_then(|text| UnverifiedCheckpoint::parse(text).map_err(|e| e.to_string())) {
            Ok(read) => self.published = Some(Published { read, compared: false }),
            Err(why) => self.sink.finding(bad_checkpoint(&why)),
        }
    }

    /// Whether a stored seal carries just this note; an error says why that is not known. Proves nothing: the key is not known here.
    async fn is_a_seals_own(&self, published: &Published) -> Result<bool, String> {
        let Some(index) = published.read.checkpoint.size.0.checked_sub(1) else { return Ok(false) };
        let (store, key) = (self.scene.store, seal_key(self.scene.log, index));
        let versions = store.versions(&key).await.map_err(|error| error.to_string())?;
        let group = Group { key, versions };
        for version in group.data().take(VERSIONS_READ_MAX) {
            let bytes = match store.get(&group.key, version.id.as_ref(), SEAL_BYTES_MAX).await {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(ReadError::TooLarge { .. }) => continue,
                Err(error) => return Err(error.to_string()),
            };
            let note = SealFile::parse(&bytes).ok().and_then(|seal| SignedNote::parse(&seal.checkpoint).ok());
            if note.is_some_and(|note| note == published.read.note) {
                return Ok(true);
            }
        }
        match unread(&group.versions) {
            None => Ok(false),
            Some(_) => Err(format!(
                "{} versions lie over seal {index}, which it names; of the {VERSIONS_READ_MAX} oldest, which were read, none carries it",
                group.data().count()
            )),
        }
    }

    /// The published checkpoint against a seal that the walk did not pass.
    pub(super) async fn compare_published(&mut self) {
        let Some(published) = self.published.take().filter(|p| !p.compared) else { return };
        let Scene { store, log, .. } = self.scene;
        let mut keys: Vec<VerifierKey> = self.chain.keys().cloned().collect();
        if self.may_be_given() {
            keys.extend(self.given_keys().cloned());
        }
        let size = published.read.checkpoint.size.0;
        let signer = self.signer_of(&published.read);
        if let Signer::Left(until) = signer {
            // Whoever has that key by now. It is no proof that the log ever was that long.
            return self.sink.finding(bad_checkpoint(&format!("it is signed by a key that the log left with seal {until}")));
        }
        if signer == Signer::Nobody {
            let carried = if self.beyond { self.is_a_seals_own(&published).await } else { Ok(false) };
            return match carried {
                Ok(true) => {
                    let meaning = "The published checkpoint is that of a later seal, signed by a key that the range looked at does not lead to. It \
                                   was not checked; verify the whole log for that.";
                    self.sink.note(Item::new(Kind::NotCovered, "checkpoint", meaning).intact());
                }
                _ if self.chain.may_miss_key_of(size) => {
                    let why = "what would name the key that it is signed by could not be read";
                    self.sink.unchecked("checkpoint", None, why);
                }
                Ok(false) => self.sink.finding(bad_checkpoint("it is not signed by the log's key")),
                Err(why) => self.sink.unchecked("checkpoint", None, why),
            };
        }
        let Some(index) = size.checked_sub(1) else {
            if published.read.checkpoint.root != crate::tlog::merkle::empty_root() {
                self.sink.finding(bad_checkpoint("a root that is not that of the empty tree"));
            }
            return;
        };
        let key = seal_key(log, index);
        let versions = match store.versions(&key).await {
            Ok(versions) => versions,
            Err(error) => return self.sink.unchecked("checkpoint", None, error),
        };
        let group = Group { key, versions };
        if group.data().next().is_none() {
            let meaning = format!(
                "The log's key signed a tree of {size} seals, and seal {index} is not there: the end of the log was cut off, or an old copy \
                 was put in its place. Restore from a copy and find out who could delete seals."
            );
            let newest = self.expected.checked_sub(1).map_or_else(|| "no seal".to_owned(), |n| format!("newest seal {n}"));
            return self
                .sink
                .finding(Item::new(Kind::Rollback, "checkpoint", meaning).expected(format!("seal {index}")).found(newest).lost());
        }
        for version in group.data().take(VERSIONS_READ_MAX) {
            let bytes = match store.get(&group.key, version.id.as_ref(), SEAL_BYTES_MAX).await {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(ReadError::TooLarge { .. }) => continue,
                Err(error) => return self.sink.unchecked("checkpoint", None, error),
            };
            for key in &keys {
                let judged = judge(index, key, None, [bytes.as_ref()]);
                if let Some(Judgement::Truth(seal)) = judged.into_iter().next() {
                    if let Some(why) = published.differs(&seal, key) {
                        self.sink.finding(bad_checkpoint(&why));
                    }
                    return;
                }
            }
        }
        // The seal is broken: within the range that is a finding already, else it is said here.
        if index < self.from || index >= self.expected {
            let among = unread(&group.versions)
                .map_or_else(String::new, |_| format!(" among the {VERSIONS_READ_MAX} oldest of its {} versions", group.data().count()));
            self.sink.unchecked("checkpoint", None, format!("seal {index}, which it names, does not stand{among}"));
        }
    }
}

impl Published {
    /// Why it is not the checkpoint of the tree that this seal left.
    pub(super) fn differs(&self, seal: &SealFile, key: &VerifierKey) -> Option<String> {
        let UnverifiedCheckpoint { note, checkpoint } = &self.read;
        let signed = self.read.is_signed_by(key) || seal.statement.next_vkey.as_ref().is_some_and(|next| self.read.is_signed_by(next));
        if !signed {
            return Some(match note.verify(key) {
                Err(error) => error.to_string(),
                Ok(()) => format!("origin `{}`", checkpoint.origin),
            });
        }
        let root = seal.range_after().root();
        if checkpoint.root != root {
            return Some(format!("root {}, where the seals have {root}", checkpoint.root));
        }
        (!checkpoint.extensions.is_empty()).then(|| "extension lines, which this log does not write".to_owned())
    }
}

pub(super) fn bad_checkpoint(why: &str) -> Item {
    let meaning = "The published checkpoint is not what the log signed for its seals. The seals carry their own checkpoints and were checked \
                   by those. If this one is signed, somebody was shown another log: keep it and ask the operator; else let the writer \
                   publish anew.";
    Item::new(Kind::CheckpointInvalid, "checkpoint", meaning)
        .expected("a signed checkpoint of a tree that the seals have")
        .found(why)
        .intact()
}
