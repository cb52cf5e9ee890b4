//! The chain of seals: which stored version of each is the truth, under which key, and whether it extends the one before.

use bytes::Bytes;

use super::listing::Group;
use super::objects::foreign;
use super::report::{Item, Kind, Sink};
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SealFile;
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

/// The seal that stands at an index, as far as the chain is concerned.
pub(super) struct Standing {
    pub(super) seal: SealFile,
    pub(super) version: Option<VersionId>,
    /// The key that signed it.
    pub(super) key: VerifierKey,
}

/// Follows seals in order of their index.
pub(super) struct Chain {
    /// Keys to try while none is established, and again after a gap (which may have held a change of key).
    candidates: Vec<VerifierKey>,
    key: Option<VerifierKey>,
    /// Keys that signed or were announced, in order.
    pub(super) keys_seen: Vec<VerifierKey>,
    /// The last seal that stood.
    pub(super) before: Option<SealFile>,
    /// Seals since then that do not stand.
    gap: u64,
}

impl Chain {
    pub(super) fn new(candidates: Vec<VerifierKey>) -> Self {
        Chain { candidates, key: None, keys_seen: Vec::new(), before: None, gap: 0 }
    }

    /// The last seal, if it is the direct predecessor of the next.
    pub(super) fn direct(&self) -> Option<&SealFile> {
        self.before.as_ref().filter(|_| self.gap == 0)
    }

    /// Seals that are not there at all.
    pub(super) fn skip(&mut self, seals: u64) {
        self.gap = self.gap.saturating_add(seals);
    }

    /// Forgets the place, keeps nothing: for a start elsewhere.
    pub(super) fn restart(&mut self) {
        (self.key, self.before, self.gap) = (None, None, 0);
        self.keys_seen.clear();
    }

    /// Judges one seal's versions. Answers with the seal that stands, if one does.
    pub(super) fn follow(&mut self, fetched: &Fetched, sink: &mut Sink) -> Option<Standing> {
        let object = super::log::seal_object(fetched.index);
        let mut keys: Vec<VerifierKey> = self.key.iter().cloned().collect();
        if self.key.is_none() || self.gap > 0 {
            // Not a key that the log has left: behind the seal that announced its successor it signs nothing, whoever has it by now.
            let is_left = |key: &VerifierKey| self.keys_seen.contains(key);
            keys.extend(self.candidates.iter().filter(|key| !is_left(key)).cloned());
        }
        let mut judged: Option<(VerifierKey, Vec<Judgement>)> = None;
        for key in keys {
            let judgements = judge(fetched.index, &key, self.direct(), fetched.bodies.iter().map(|b| b.bytes.as_ref()));
            let signed = judgements.iter().any(|j| matches!(j, Judgement::Truth(_) | Judgement::Fork(_)));
            if signed || judged.is_none() {
                judged = Some((key, judgements));
            }
            if signed {
                break;
            }
        }
        let Some((key, judgements)) = judged else {
            sink.unchecked(&object, Some(fetched.index), "no key is known to check its signature with; bring one with --vkey");
            self.skip(1);
            return None;
        };
        let stands = judgements
            .iter()
            .position(|j| matches!(j, Judgement::Truth(_)))
            // Signed, but not an extension: reported below, and then followed, so that one break is one finding.
            .or_else(|| judgements.iter().position(|j| matches!(j, Judgement::Fork(_))));
        let Some(stands) = stands else {
            self.broken(fetched, &object, &key, &judgements, sink);
            self.skip(1);
            return None;
        };
        let mut standing = None;
        for (at, (judgement, body)) in judgements.into_iter().zip(&fetched.bodies).enumerate() {
            let name = body.version.as_ref().map_or("-", |id| id.0.as_str());
            match judgement {
                Judgement::Truth(seal) => standing = Some((seal, body)),
                Judgement::Fork(seal) if at == stands => {
                    let why = self.direct().and_then(|b| seal.extends(b).err());
                    sink.finding(broken_chain(&object, fetched.index, why.map_or_else(String::new, |e| e.to_string())));
                    standing = Some((seal, body));
                }
                Judgement::Fork(_) => sink.finding(fork(&object, fetched.index, name)),
                Judgement::Duplicate => {
                    let meaning = "The same bytes were stored once more: a repeated put. Harmless.";
                    sink.note(Item::new(Kind::Duplicate, &object, meaning).seal(fetched.index).found(format!("version {name}")).intact());
                }
                Judgement::Foreign(error) => match &body.unread {
                    Some(error) => sink.unchecked(&object, Some(fetched.index), error),
                    None => sink.finding(foreign(&object, fetched.index, name, &error.to_string())),
                },
            }
        }
        if fetched.more > 0 {
            let meaning = "Somebody wrote more versions over this seal than a reader looks at. The oldest count: the true one is among them and was \
                           verified. What the others are was not looked at. Find out who can write here.";
            sink.finding(flooded(fetched, &object, meaning).intact());
        }
        let (seal, body) = standing?;
        self.bridge(&seal, &object, sink);
        if !self.keys_seen.contains(&key) {
            self.keys_seen.push(key.clone());
        }
        self.key = Some(match &seal.statement.next_vkey {
            Some(next) => {
                self.keys_seen.push(next.clone());
                next.clone()
            }
            None => key.clone(),
        });
        self.gap = 0;
        self.before = Some((*seal).clone());
        Some(Standing { seal: *seal, version: body.version.clone(), key })
    }

    /// After a gap: over one seal, `previous` stands in for the leaf that is not there; over any, time does not run backwards.
    fn bridge(&self, seal: &SealFile, object: &str, sink: &mut Sink) {
        let Some(before) = self.before.as_ref().filter(|_| self.gap > 0) else { return };
        let mut range = before.range_after();
        let why = if seal.statement.sealed_at < before.statement.sealed_at {
            Some("`sealed_at` goes backwards")
        } else if self.gap == 1 {
            seal.statement.previous.and_then(|previous| {
                range.append(previous);
                (range != seal.frontier).then_some("the frontier is not the tree that the seal two before left")
            })
        } else {
            None
        };
        if let Some(why) = why {
            sink.finding(broken_chain(object, seal.statement.index, why.to_owned()));
        }
    }

    /// No version of the key is a seal of this log.
    fn broken(&self, fetched: &Fetched, object: &str, key: &VerifierKey, judgements: &[Judgement], sink: &mut Sink) {
        let index = fetched.index;
        if fetched.bodies.is_empty() {
            let markers = fetched.group.markers();
            let found = if markers > 0 { "only delete markers" } else { "nothing" };
            sink.finding(missing(object, index, index).found(found));
            return;
        }
        if let Some(error) = fetched.bodies.iter().find_map(|b| b.unread.as_ref()) {
            sink.unchecked(object, Some(index), error);
            return;
        }
        if fetched.more > 0 {
            let meaning = "Somebody wrote more versions over this seal than a reader looks at, and none of the oldest, which count, is one that \
                           the log's key signed. Whether the true one is behind them was not looked at. Find out who can write here, and \
                           remove what is not locked.";
            sink.finding(flooded(fetched, object, meaning));
            return;
        }
        for (judgement, body) in judgements.iter().zip(&fetched.bodies) {
            if let Some(format) = newer_format(judgement, &body.bytes, index, key) {
                sink.unchecked(object, Some(index), format!("its statement has format `{format}`; a newer spanseal can read it"));
                return;
            }
        }
        let error = judgements.iter().find_map(|j| if let Judgement::Foreign(error) = j { Some(error.to_string()) } else { None });
        let meaning = "No stored version of this seal is one that the log's key signed. What it sealed cannot be proved from it. Restore the \
                       object from a copy (the key proves a true one) and find out who changed it.";
        let item = Item::new(Kind::SealBroken, object, meaning).seal(index);
        sink.finding(item.expected(format!("a seal signed by {}", key.name())).found(error.unwrap_or_default()).lost());
    }
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
