//! When two records of one identity are one (`record.md` section 5, rule 9).
//!
//! Told by a keyed hash that never leaves the process: it is compared in memory only, and a writer that starts works it out anew from the
//! sealed lines. So it need not be one that others can check, only one for which nobody outside can make two different records look
//! alike: HighwayHash with 128 bits under a random key of 256, at a tenth of the cost of SHA-256.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use highway::{HighwayHash, HighwayHasher, Key};

use super::canonical::Json;
use super::{RecordId, SCHEMA};

/// Takes the parts of a line that count, in order; where one ends and the next begins makes no difference.
#[derive(Clone)]
pub(crate) struct Sameness(HighwayHasher);

impl Default for Sameness {
    fn default() -> Self {
        /// The key of this process.
        static KEYED: LazyLock<HighwayHasher> = LazyLock::new(|| {
            // The standard library seeds each of its own from the operating system.
            let word = || RandomState::new().hash_one(0_u8);
            HighwayHasher::new(Key([word(), word(), word(), word()]))
        });
        Sameness(KEYED.clone())
    }
}

impl Sameness {
    pub(crate) fn update(&mut self, part: &[u8]) {
        self.0.append(part);
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        let [low, high] = self.0.finalize128().map(u64::to_ne_bytes);
        let mut both = [0; 16];
        for (slot, byte) in both.iter_mut().zip(low.into_iter().chain(high)) {
            *slot = byte;
        }
        both
    }
}

/// Members that two records of one identity may differ in and still be one record (`record.md` section 5, rule 9).
const INDIFFERENT: [&str; 4] = ["time.received", "source.peer", "retention", "evidence"];

/// What two records of one identity must agree in to be one: the record without its [`INDIFFERENT`] members and without commitments,
/// which are salted anew each time. They stand in content objects, known by `captured`; what a sender called so is not touched.
pub fn comparable(record: &Json) -> Json {
    fn strip(json: &Json, path: &str) -> Json {
        let members = match json {
            Json::Object(members) => members,
            Json::Array(items) => return Json::Array(items.iter().map(|item| strip(item, "[]")).collect()),
            other => return other.clone(),
        };
        let content = members.iter().any(|(name, _)| name == "captured");
        let mut kept = Vec::with_capacity(members.len());
        for (name, value) in members {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if INDIFFERENT.contains(&at.as_str()) || content && name == "commitment" {
                continue;
            }
            kept.push((name.clone(), if at == "attributes" { value.clone() } else { strip(value, &at) }));
        }
        Json::Object(kept)
    }
    strip(record, "")
}

/// Sameness of one content that a record keeps in the vault.
pub fn sameness_of_content(member: &str, content: &[u8]) -> [u8; 16] {
    let mut sameness = Sameness::default();
    sameness.update(member.as_bytes());
    // No name of a member has this byte.
    sameness.update(&[0]);
    sameness.update(content);
    sameness.finish()
}

/// Sameness of a record: that of its line and of its contents, in whatever order these come. Without contents it is that of the line.
pub fn sameness_with(line: [u8; 16], contents: impl IntoIterator<Item = [u8; 16]>) -> [u8; 16] {
    let all = contents.into_iter().reduce(|mut all, one| {
        all.iter_mut().zip(one).for_each(|(all, one)| *all ^= one);
        all
    });
    let Some(all) = all else { return line };
    let mut sameness = Sameness::default();
    sameness.update(&line);
    sameness.update(&all);
    sameness.finish()
}

/// Identity and sameness of a sealed line, as the writer of this process would have told it. `None` for a line that is not a record of
/// this schema.
pub fn sameness_of_line(line: &[u8]) -> Option<(RecordId, [u8; 16])> {
    let json = Json::parse(line).ok()?;
    if json.get("schema")?.as_str()? != SCHEMA {
        return None;
    }
    let id = RecordId::parse(json.get("id")?.as_str()?)?;
    let mut sameness = Sameness::default();
    sameness.update(&comparable(&json).to_jcs());
    Some((id, sameness.finish()))
}
