//! The chain of seals: which stored version of each is the truth, under which key, and whether it extends the one before.
//!
//! A key is the log's from its first seal to the one that announces its successor. Behind a gap other keys are tried as well, so that what
//! lies there is still read; the gap may have held a change of key, or a stranger wrote what is behind it, and the two look alike. So a log
//! falls into *stretches*, each under keys of which one led to the next, and only those count that hold the key which the auditor trusts.

use bytes::Bytes;

use super::listing::Group;
use super::objects::foreign;
use super::report::{Item, Kind, Sink};
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::tlog::note::{Checkpoint, NoteError, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::{SealError, SealFile};
use crate::tlog::truth::{Judgement, judge, newer_format};
use crate::worm::{ReadError, SEAL_BYTES_MAX, VERSIONS_READ_MAX, VersionId, WormStore};

/// One seal's key with what its versions hold.
pub(super) struct Fetched {
    pub(super) index: u64,
    pub(super) group: Group,
    /// Data versions, oldest first.
    bodies: Vec<Body>,
    /// Versions that were not read, because there are too many.
    more: usize,
}

impl Fetched {
    /// Why a version could not be read, if one could not.
    pub(super) fn into_unread(self) -> Option<ReadError> {
        self.bodies.into_iter().find_map(|body| body.unread)
    }
}

struct Body {
    version: Option<VersionId>,
    /// Empty where the object is longer than a seal may be, or vanished: no seal either way.
    bytes: Bytes,
    unread: Option<ReadError>,
}

/// Reads all versions of a seal's key.
pub(super) async fn fetch(store: &dyn WormStore, index: u64, group: Group) -> Fetched {
    let mut bodies = Vec::new();
    for version in group.data().take(VERSIONS_READ_MAX) {
        let (bytes, unread) = match store.get(&group.key, version.id.as_ref(), SEAL_BYTES_MAX).await {
            Ok(bytes) => (bytes.unwrap_or_default(), None),
            Err(ReadError::TooLarge { .. }) => (Bytes::new(), None),
            Err(error) => (Bytes::new(), Some(error)),
        };
        bodies.push(Body { version: version.id.clone(), bytes, unread });
    }
    let more = group.data().count() - bodies.len();
    Fetched { index, group, bodies, more }
}

/// A key that signed, or that a seal announced.
#[derive(Clone)]
struct Seen {
    key: VerifierKey,
    /// The seal that announced its successor: behind it this key signs nothing, whoever has it by now.
    until: Option<u64>,
    /// Place among the stretches.
    stretch: usize,
}

/// Whose signature a checkpoint bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// A key of the log, for a tree that it could sign.
    Own,
    /// A key that the log had left by then: the seal that announced its successor.
    Left(u64),
    /// No key of the log.
    Nobody,
}

/// What the key of a seal holds.
pub(super) enum Followed {
    /// The seal.
    Stands(Box<Standing>),
    /// A seal of the log that cannot be taken: changed, or in a format that only a newer program reads.
    Broken,
    /// It could not be read.
    Unread,
    /// A seal behind a gap by another key, to which the auditor's does not lead.
    Stranger,
    /// Nothing that a key of the log signed.
    Foreign,
}

/// The seal that stands at an index, as far as the chain is concerned.
pub(super) struct Standing {
    pub(super) seal: SealFile,
    pub(super) version: Option<VersionId>,
    /// The key that signed it.
    pub(super) key: VerifierKey,
}

/// Follows seals in order of their index.
#[derive(Clone)]
pub(super) struct Chain {
    /// Keys to try while none is established, and again after a gap (which may have held a change of key).
    candidates: Vec<VerifierKey>,
    /// The key that the auditor trusts.
    anchor: Option<VerifierKey>,
    /// What would name the next key and could not be read, while nothing has stood since: the seal, 0 for `log.json`, which names the first.
    unread: Option<u64>,
    /// The first seal from which on the log may have had a key that is not known.
    unknown_from: Option<u64>,
    /// Nothing has stood yet without it.
    at: Option<At>,
    /// Keys that signed or were announced, in order.
    seen: Vec<Seen>,
    /// The first seal of each stretch, and whether seals right before it could not be read.
    stretches: Vec<(u64, bool)>,
    /// Changes of key: the seal that announced it, the key before and the new one.
    changes: Vec<(u64, VerifierKey, VerifierKey)>,
}

/// Where the chain has come to.
#[derive(Clone)]
struct At {
    /// The last seal that stood.
    seal: SealFile,
    /// The key that signs behind it: the one that signed it, or that it announces.
    key: VerifierKey,
}

/// The versions of a seal, as one key judges them.
struct Judged {
    key: VerifierKey,
    versions: Vec<Judgement>,
}

impl Judged {
    fn is_signed(&self) -> bool {
        self.versions.iter().any(|version| matches!(version, Judgement::Truth(_) | Judgement::Fork(_)))
    }

    /// Which of them stands.
    fn standing(&self) -> Option<usize> {
        let truth = self.versions.iter().position(|version| matches!(version, Judgement::Truth(_)));
        // Signed, but not an extension: that is told, and then it is followed, so that one break is one finding.
        truth.or_else(|| self.versions.iter().position(|version| matches!(version, Judgement::Fork(_))))
    }
}

impl Chain {
    pub(super) fn new(candidates: Vec<VerifierKey>, anchor: Option<VerifierKey>, log_file_unread: bool) -> Self {
        Chain {
            candidates,
            anchor,
            unread: log_file_unread.then_some(0),
            unknown_from: None,
            at: None,
            seen: Vec::new(),
            stretches: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Keys that signed or were announced, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.seen.iter().map(|seen| &seen.key)
    }

    pub(super) fn has_seen(&self, key: &VerifierKey) -> bool {
        self.keys().any(|seen| seen == key)
    }

    /// Whether the key that the auditor trusts signed or was announced.
    pub(super) fn is_anchored(&self) -> bool {
        self.anchor.as_ref().is_some_and(|key| self.has_seen(key))
    }

    /// Whether a tree of so many seals may bear a key of the log that is not known, because what would name it could not be read.
    pub(super) fn may_miss_key_of(&self, size: u64) -> bool {
        self.unknown_from.or(self.unread).is_some_and(|from| from < size)
    }

    /// The first seal of each stretch that nothing joins to the auditor's key, with the key that begins it, and whether seals that could not be read may
    /// join it.
    pub(super) fn unjoined(&self) -> Vec<(u64, &VerifierKey, bool)> {
        let anchored = self.seen.iter().find(|seen| Some(&seen.key) == self.anchor.as_ref()).map(|seen| seen.stretch);
        let Some(anchored) = anchored else { return Vec::new() };
        let first = |at: usize| self.seen.iter().find(|seen| seen.stretch == at).map(|seen| &seen.key);
        let others = self.stretches.iter().enumerate().filter(|(at, _)| *at != anchored);
        let between = |at: usize| self.stretches.iter().take(at.max(anchored).saturating_add(1)).skip(at.min(anchored).saturating_add(1));
        others.filter_map(|(at, (seal, _))| Some((*seal, first(at)?, between(at).all(|(_, unread)| *unread)))).collect()
    }

    /// Whose signature a checkpoint bears. A key counts for trees up to the seal that announced its successor.
    pub(super) fn signer_of(&self, read: &UnverifiedCheckpoint) -> Signer {
        let mut signer = Signer::Nobody;
        for seen in self.seen.iter().filter(|seen| read.is_signed_by(&seen.key)) {
            match seen.until {
                Some(until) if read.checkpoint.size.0 > until.saturating_add(1) => signer = Signer::Left(until),
                _ => return Signer::Own,
            }
        }
        signer
    }

    /// Seals between the last that stood and this one.
    fn gap(&self, index: u64) -> u64 {
        self.at.as_ref().map_or(0, |at| index.saturating_sub(at.seal.statement.index).saturating_sub(1))
    }

    /// The last seal, if it is the direct predecessor of this one.
    pub(super) fn direct(&self, index: u64) -> Option<&SealFile> {
        self.at.as_ref().map(|at| &at.seal).filter(|before| before.statement.index.checked_add(1) == Some(index))
    }

    /// When the seal was made that stands there, behind those that were followed; `None`: none does.
    pub(super) fn would_stand(&self, fetched: &Fetched) -> Option<UnixSeconds> {
        match self.clone().follow(fetched, &mut Sink::default()) {
            Followed::Stands(standing) => Some(standing.seal.statement.sealed_at),
            _ => None,
        }
    }

    /// Judges one seal's versions. Answers with the seal that stands, if one does.
    pub(super) fn follow(&mut self, fetched: &Fetched, sink: &mut Sink) -> Followed {
        let index = fetched.index;
        let object = super::log::seal_object(index);
        let Some(judged) = self.judged(fetched) else {
            sink.unchecked(&object, Some(index), "no key is known to check its signature with; bring one with --vkey");
            return Followed::Unread;
        };
        let Some(stands) = judged.standing() else {
            return self.broken(fetched, &object, &judged.key, &judged.versions, sink);
        };
        // An older version may be the truth and this one a fork of it. Nobody is accused by what could not be read.
        // KNOWN GAP: where the seal behind it is read too, its `previous` would tell which of the two it is.
        if let Some(error) = fetched.bodies.iter().take(stands).find_map(|body| body.unread.as_ref()) {
            sink.unchecked(&object, Some(index), error);
            self.unread = self.unread.or(Some(index));
            return Followed::Unread;
        }
        let Judged { key, versions } = judged;
        if let Some(At { key: own, .. }) = self.at.as_ref().filter(|at| at.key != key && self.is_anchored()) {
            if self.unread.is_some() {
                sink.unchecked(&object, Some(index), MAY_BE_ANNOUNCED);
                return Followed::Unread;
            }
            let found = format!("a seal signed by {key}, to which the log's keys do not lead");
            sink.finding(unsigned(&object, index, own).found(found));
            return Followed::Stranger;
        }
        let Some((seal, version)) = self.tell(fetched, versions, stands, &object, sink) else { return Followed::Foreign };
        self.bridge(&seal, &object, sink);
        self.advance(&seal, &key, &object, sink);
        Followed::Stands(Box::new(Standing { seal: *seal, version, key }))
    }

    /// The versions as the first key judges them that signed one of them; where none did, the first that may have. `None`: no key is known.
    fn judged(&self, fetched: &Fetched) -> Option<Judged> {
        let index = fetched.index;
        let mut keys: Vec<&VerifierKey> = self.at.iter().map(|at| &at.key).collect();
        if self.at.is_none() || self.gap(index) > 0 {
            // Not a key that the log has left: behind the seal that announced its successor it signs nothing, whoever has it by now.
            keys.extend(self.candidates.iter().filter(|key| !self.has_seen(key)));
        }
        let mut first = None;
        for key in keys {
            let versions = judge(index, key, self.direct(index), fetched.bodies.iter().map(|b| b.bytes.as_ref()));
            let judged = Judged { key: key.clone(), versions };
            if judged.is_signed() {
                return Some(judged);
            }
            first.get_or_insert(judged);
        }
        first
    }

    /// Tells of every version. Answers with the one that stands.
    fn tell(
        &self,
        fetched: &Fetched,
        versions: Vec<Judgement>,
        stands: usize,
        object: &str,
        sink: &mut Sink,
    ) -> Option<(Box<SealFile>, Option<VersionId>)> {
        let index = fetched.index;
        let mut standing = None;
        for (at, (judgement, body)) in versions.into_iter().zip(&fetched.bodies).enumerate() {
            let name = body.version.as_ref().map_or("-", |id| id.0.as_str());
            match judgement {
                Judgement::Truth(seal) => standing = Some((seal, body.version.clone())),
                Judgement::Fork(seal) if at == stands => {
                    let why = self.direct(index).and_then(|b| seal.extends(b).err());
                    sink.finding(broken_chain(object, index, why.map_or_else(String::new, |e| e.to_string())));
                    standing = Some((seal, body.version.clone()));
                }
                Judgement::Fork(_) => sink.finding(fork(object, index, name)),
                Judgement::Duplicate => {
                    let meaning = "The same bytes were stored once more: a repeated put. Harmless.";
                    sink.note(Item::new(Kind::Duplicate, object, meaning).seal(index).found(format!("version {name}")).intact());
                }
                Judgement::Foreign(error) => match &body.unread {
                    Some(error) => sink.unchecked(object, Some(index), error),
                    None => sink.finding(foreign(object, index, name, &error.to_string())),
                },
            }
        }
        if fetched.more > 0 {
            let meaning = "Somebody wrote more versions over this seal than a reader looks at. The oldest count: the true one is among them and was \
                           verified. What the others are was not looked at. Find out who can write here.";
            sink.finding(flooded(fetched, object, meaning).intact());
        }
        standing
    }

    /// Goes on from a seal that stands, which this key signed.
    fn advance(&mut self, seal: &SealFile, key: &VerifierKey, object: &str, sink: &mut Sink) {
        let index = seal.statement.index;
        let signs_on = self.at.as_ref().map(|at| at.key == *key);
        if signs_on != Some(true) {
            self.stretches.push((index, self.unread.is_some()));
        }
        // What was not read announced no key where the one before signs on (a log never comes back to a key), or the first seal shows the first key.
        let knows = signs_on.unwrap_or(index == 0);
        self.unknown_from = self.unknown_from.or(self.unread.filter(|_| !knows));
        self.unread = None;
        let key = self.key_behind(seal, key, object, sink);
        self.at = Some(At { seal: seal.clone(), key });
    }

    /// The key that signs behind a seal: the one that signed it, or that it announces. Both are the log's from now on.
    fn key_behind(&mut self, seal: &SealFile, key: &VerifierKey, object: &str, sink: &mut Sink) -> VerifierKey {
        let (index, stretch) = (seal.statement.index, self.stretches.len().saturating_sub(1));
        if !self.has_seen(key) {
            self.seen.push(Seen { key: key.clone(), until: None, stretch });
        }
        let Some(next) = &seal.statement.next_vkey else { return key.clone() };
        if self.has_seen(next) {
            // Whoever was left the old key could go on from here. It is not followed: what that key signs behind this seal does not stand.
            sink.finding(broken_chain(object, index, format!("it announces a key that this log had before: {next}")));
            return key.clone();
        }
        for seen in self.seen.iter_mut().filter(|seen| seen.key == *key) {
            seen.until = Some(index);
        }
        self.seen.push(Seen { key: next.clone(), until: None, stretch });
        self.changes.push((index, key.clone(), next.clone()));
        next.clone()
    }

    /// The changes of key that seals announced, in order: the seal, the key before and the new one.
    pub(super) fn changes(&self) -> &[(u64, VerifierKey, VerifierKey)] {
        &self.changes
    }

    /// After a gap: over one seal, `previous` stands in for the leaf that is not there; over any, time does not run backwards, and the subtrees
    /// that both trees have are the same.
    fn bridge(&self, seal: &SealFile, object: &str, sink: &mut Sink) {
        let Some(At { seal: before, .. }) = self.at.as_ref().filter(|_| self.gap(seal.statement.index) > 0) else { return };
        let mut range = before.range_after();
        let why = if seal.statement.sealed_at < before.statement.sealed_at {
            Some("`sealed_at` goes backwards")
        } else if self.gap(seal.statement.index) == 1 {
            seal.statement.previous.and_then(|previous| {
                range.append(previous);
                (range != seal.frontier).then_some("the frontier is not the tree that the seal two before left")
            })
        } else if !range.may_begin(&seal.frontier) {
            Some("the frontier does not hold the tree that the seals before the gap left")
        } else {
            None
        };
        if let Some(why) = why {
            sink.finding(broken_chain(object, seal.statement.index, why.to_owned()));
        }
    }

    /// No version of the key is a seal of this log.
    fn broken(&mut self, fetched: &Fetched, object: &str, key: &VerifierKey, judgements: &[Judgement], sink: &mut Sink) -> Followed {
        let index = fetched.index;
        if fetched.bodies.is_empty() {
            let markers = fetched.group.markers();
            let found = if markers > 0 { "only delete markers" } else { "nothing" };
            sink.finding(missing(object, index, index).found(found));
            return Followed::Foreign;
        }
        if let Some(error) = fetched.bodies.iter().find_map(|b| b.unread.as_ref()) {
            sink.unchecked(object, Some(index), error);
            self.unread = self.unread.or(Some(index));
            return Followed::Unread;
        }
        // KNOWN GAP: where the key of the seal before signs on behind it, it is surely wrong, and stays unchecked. And where `log.json` was altered
        // or is gone, and the auditor brings a later key, true seals from before that key are called broken: nothing tells them from a stranger's.
        if self.unread.is_some() && fetched.bodies.iter().any(|body| is_of_another_key(&body.bytes, key)) {
            sink.unchecked(object, Some(index), MAY_BE_ANNOUNCED);
            return Followed::Unread;
        }
        if fetched.more > 0 {
            let meaning = "Somebody wrote more versions over this seal than a reader looks at, and none of the oldest, which count, is one that \
                           the log's key signed. Whether the true one is behind them was not looked at. Find out who can write here, and \
                           remove what is not locked.";
            sink.finding(flooded(fetched, object, meaning));
            return Followed::Foreign;
        }
        for (judgement, body) in judgements.iter().zip(&fetched.bodies) {
            if let Some(format) = newer_format(judgement, &body.bytes, index, key) {
                sink.unchecked(object, Some(index), format!("its statement has format `{format}`; a newer spanseal can read it"));
                return Followed::Broken;
            }
        }
        let error = judgements.iter().find_map(|j| if let Judgement::Foreign(error) = j { Some(error.to_string()) } else { None });
        sink.finding(unsigned(object, index, key).found(error.unwrap_or_default()));
        match fetched.bodies.iter().any(|body| bears_signature(&body.bytes, index, key)) {
            true => Followed::Broken,
            false => Followed::Foreign,
        }
    }
}

/// Nobody is accused by what could not be read.
const MAY_BE_ANNOUNCED: &str = "it is signed by another key of that name, and what would name the log's key by then could not be read: log.json for the \
                                first, a seal before this one for a later";

/// Whether a seal is of another key of the log, as far as itself says: one signed it that is not this one, or it announces this one.
fn is_of_another_key(bytes: &[u8], key: &VerifierKey) -> bool {
    let Ok(seal) = SealFile::parse(bytes) else { return false };
    seal.statement.next_vkey.as_ref() == Some(key) || matches!(seal.open(key), Err(SealError::Checkpoint(NoteError::OtherKey { .. })))
}

/// Whether a file that is no seal holds a checkpoint of this key that reaches over it: then the log was that long, whatever became of the rest. It need
/// not be JSON any more.
fn bears_signature(bytes: &[u8], index: u64, key: &VerifierKey) -> bool {
    const MEMBER: &[u8] = b"\"checkpoint\":";
    let Some(text) = memchr::memmem::find(bytes, MEMBER).and_then(|at| bytes.get(at + MEMBER.len()..)) else { return false };
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    let note = end.and_then(|end| text.get(..end + 2)).and_then(|text| Json::parse(text).ok());
    let note = note.as_ref().and_then(Json::as_str).and_then(|note| Checkpoint::open(note, key).ok());
    note.is_some_and(|checkpoint| checkpoint.size.0 > index)
}

/// The seal that was here is gone.
fn unsigned(object: &str, index: u64, key: &VerifierKey) -> Item {
    let meaning = "No stored version of this seal is one that the log's key signed. What it sealed cannot be proved from it. Restore the \
                   object from a copy (the key proves a true one) and find out who changed it.";
    let item = Item::new(Kind::SealBroken, object, meaning).seal(index);
    item.expected(format!("a seal signed by {}", key.name())).lost()
}

/// More versions than are read.
fn flooded(fetched: &Fetched, object: &str, meaning: &str) -> Item {
    let found = format!("{} versions, of which the {} oldest were read", fetched.bodies.len() + fetched.more, fetched.bodies.len());
    Item::new(Kind::Flooded, object, meaning).seal(fetched.index).expected("one version of a seal").found(found)
}

/// Seals that are not there.
pub(super) fn missing(object: &str, first: u64, last: u64) -> Item {
    let which = if first == last { format!("Seal {first} is") } else { format!("Seals {first} to {last} are") };
    let meaning = format!(
        "{which} gone, and with it the proof of what was sealed then. Restore from a copy (the key proves a true one) and find out who \
         could delete it."
    );
    Item::new(Kind::SealMissing, object, meaning).seal(first).expected("a seal for every index").lost()
}

fn broken_chain(object: &str, index: u64, why: String) -> Item {
    let meaning = "The log's key signed this seal, but it does not follow from the seal before: history was rewritten here, or the writer \
                   lost its state. Compare with checkpoints kept elsewhere and ask the operator.";
    Item::new(Kind::SealChain, object, meaning).seal(index).expected("a seal that extends the one before").found(why).lost()
}

fn fork(object: &str, index: u64, version: &str) -> Item {
    let meaning = "The log's key signed two different seals of this index: two writers, or a writer that was displaced. The oldest that \
                   extends the log is the truth and was verified; what the other names was never in the log. Ask the operator who else \
                   holds the key.";
    Item::new(Kind::Fork, object, meaning)
        .seal(index)
        .expected("one signed seal")
        .found(format!("version {version} is signed too"))
        .intact()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::note::NoteSigner;
    use crate::tlog::{Hash, RootHash, TreeSize};

    /// A file that is no seal any more shows that the log was as long, where it bears a checkpoint of the key that reaches over it; wherever in it
    /// that stands, and whatever the key's name is made of.
    #[test]
    fn a_checkpoint_is_found_in_what_is_left_of_a_seal() {
        for name in ["spanseal.test/log", "a\"b/log", "a\\/log", "a\\\"b\\/log"] {
            let signer = NoteSigner::new(name, &[3; 32]).unwrap();
            let note = Json::String(signer.checkpoint(TreeSize(8), RootHash(Hash([5; 32])))).to_jcs_string();
            let is_borne = |text: &str, index, key: &VerifierKey| bears_signature(text.as_bytes(), index, key);
            for text in [format!("{{\"checkpoint\":{note},\"frontier\":[\"00"), format!("\u{1}{{]\"checkpoint\":{note}")] {
                assert!(is_borne(&text, 7, signer.verifier()) && is_borne(&text, 0, signer.verifier()), "{text}");
                assert!(!is_borne(&text, 8, signer.verifier()), "a smaller tree: {text}");
                assert!(!is_borne(&text, 7, NoteSigner::new(name, &[4; 32]).unwrap().verifier()), "another key: {text}");
            }
            for text in [format!("{{\"checkpoin\":{note}}}"), format!("{{\"checkpoint\": {note}}}"), "\"checkpoint\":".into(), note.clone()]
            {
                assert!(!is_borne(&text, 7, signer.verifier()), "{text}");
            }
            let cut = format!("{{\"checkpoint\":{}", &note[..note.len() - 1]);
            assert!(!is_borne(&cut, 7, signer.verifier()), "{cut}");
        }
    }
}
