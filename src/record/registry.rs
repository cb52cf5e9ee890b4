//! The one registry of the members of `spanseal.record/1` (`record.md` sections 1, 2 and 6): path, type, standing, since when, which
//! kinds require it. Writers write registered members only; readers keep what they do not know.
//!
//! The table stands in canonical (JCS) order, so that a [`Member`], its position, is also its place in the line.

mod table;

pub(crate) use table::TABLE;
pub use table::*;

/// What a record speaks of (`kind`). Those that only the receiver itself writes (control records) come with the work that writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A model was asked and answered.
    Inference,
    /// A text became a vector.
    Embedding,
    /// Documents were looked up.
    Retrieval,
    /// Documents were ordered anew.
    Rerank,
    /// A tool ran.
    Tool,
    /// An agent ran.
    Agent,
    /// A chain or workflow ran.
    Workflow,
    /// A guard looked at input or output.
    Guardrail,
    /// A result was judged.
    Evaluation,
    /// A decision was stated.
    Decision,
    /// A person, or who stands for one, looked at a decision.
    Review,
    /// Why a decision came out as it did.
    Explanation,
    /// Where data came from and on what basis.
    Lineage,
    /// What was done because of a decision.
    Action,
    /// None of the others.
    Event,
}

impl Kind {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Inference => "inference",
            Kind::Embedding => "embedding",
            Kind::Retrieval => "retrieval",
            Kind::Rerank => "rerank",
            Kind::Tool => "tool",
            Kind::Agent => "agent",
            Kind::Workflow => "workflow",
            Kind::Guardrail => "guardrail",
            Kind::Evaluation => "evaluation",
            Kind::Decision => "decision",
            Kind::Review => "review",
            Kind::Explanation => "explanation",
            Kind::Lineage => "lineage",
            Kind::Action => "action",
            Kind::Event => "event",
        }
    }
}

/// All kinds that this registry speaks of: a member that every record should have.
pub(crate) const EVERY: &[Kind] = &[
    Kind::Inference,
    Kind::Embedding,
    Kind::Retrieval,
    Kind::Rerank,
    Kind::Tool,
    Kind::Agent,
    Kind::Workflow,
    Kind::Guardrail,
    Kind::Evaluation,
    Kind::Decision,
    Kind::Review,
    Kind::Explanation,
    Kind::Lineage,
    Kind::Action,
    Kind::Event,
];

/// The type of a member (`record.md` section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `s`
    Text,
    /// `i`: a 64-bit integer as decimal string.
    Int,
    /// `n`: a JSON number.
    Num,
    /// `b`
    Bool,
    /// `t`: RFC 3339, UTC, nine decimals.
    Time,
    /// `P`: a person, as pseudonym.
    Person,
    /// `R`: a reference.
    Ref,
    /// `C`: content, never itself; its members are [`CONTENT`].
    Content,
    /// `[]` of `s`.
    Texts,
    /// `[]` of `R`.
    Refs,
    /// `[]` of objects, whose members are the rows `path[].name`.
    Items,
    /// An object with open names (`attributes`, `source.resource`, `evidence.derived`).
    Map,
}

/// Whose word a member is (`record.md`, end of section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The receiver's.
    Fact,
    /// The sender's.
    Claim,
    /// The sender's, and `ai_audit.<path>` sets it directly.
    Keyed,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Dotted path; `[]` marks the objects of a list.
    pub path: &'static str,
    /// How many bytes of the path name the object that holds the member: what stands before the last dot.
    pub(crate) parent: usize,
    /// Type.
    pub kind: Type,
    /// Claim or fact.
    pub standing: Standing,
    /// The minor version of the schema that brought it.
    pub since: u16,
    /// Kinds of record that are incomplete without it (`evidence.missing`). These are the levels R of `gaps.md` and what every entry
    /// must show by the checklist K1 to K8 and L1 to L4; what a law asks beyond is found when a report is made. `input` and `output`
    /// are required as *held*: `captured: absent` leaves them missing, and so does `prompt.hash` where no instructions were seen.
    pub required: &'static [Kind],
    /// Values with a listed spelling. The enumeration stays open: what is not listed is kept as sent.
    pub listed: &'static [&'static str],
}

/// [`Spec::parent`] of a path.
const fn parent_of(path: &str) -> usize {
    let mut rest = path.as_bytes();
    while let [head @ .., last] = rest {
        if *last == b'.' {
            return head.len();
        }
        rest = head;
    }
    0
}

/// Members of every content object.
pub const CONTENT: [&str; 9] =
    ["bytes", "captured", "claimed_hash", "commitment", "hash", "media_type", "reference", "scheme", "truncated"];

/// A member, by its position in the registry: greater stands later in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub(crate) u16);

static NOTHING: Spec = Spec { path: "", parent: 0, kind: Type::Text, standing: Standing::Fact, since: 1, required: &[], listed: &[] };

impl Member {
    /// Its row.
    pub fn spec(self) -> &'static Spec {
        // A member is only made from the table, so the fallback is never met.
        TABLE.get(usize::from(self.0)).unwrap_or(&NOTHING)
    }

    /// Its dotted path.
    pub fn path(self) -> &'static str {
        self.spec().path
    }

    /// The path of the object that holds it (empty at the top), and its name there.
    #[inline]
    pub(crate) fn split(self) -> (&'static str, &'static str) {
        let spec = self.spec();
        match spec.path.split_at_checked(spec.parent) {
            Some(("", name)) => ("", name),
            Some((parent, name)) => (parent, name.get(1..).unwrap_or_default()),
            None => ("", spec.path),
        }
    }

    /// The member with this path.
    pub fn find(path: &str) -> Option<Member> {
        let at = TABLE.binary_search_by(|spec| spec.path.cmp(path)).ok()?;
        u16::try_from(at).ok().map(Member)
    }

    /// Every member, in order.
    pub fn all() -> impl Iterator<Item = Member> {
        (0..TABLE.len()).filter_map(|i| u16::try_from(i).ok().map(Member))
    }
}

/// Whether a record may hold a value at this path (objects on the way are no members; list items are written `[]`).
pub fn is_registered(path: &str) -> bool {
    if Member::find(path).is_some() {
        return true;
    }
    let Some((parent, name)) = path.rsplit_once('.') else { return false };
    CONTENT.contains(&name) && Member::find(parent).is_some_and(|m| m.spec().kind == Type::Content)
}

#[cfg(test)]
mod tests;
