//! Dialects as tables: attribute key -> where its value goes. The next dialect is a table, not code.
//!
//! One hash table over all rows is built at start ([`Tables`]); a span's attribute costs one look into it. Indexed keys
//! (`llm.input_messages.0.message.role`) are found by what stands before the first number. Words that mean something in one dialect and
//! anything elsewhere (`events`, `decision`, `final_result`) stand in a second table, asked only where the name of the scope, the span or
//! the log event says that this dialect speaks.
//!
//! # Who wins where several speak on one span
//!
//! Stacked instrumentors (a framework's and a client's, a gateway and its callback) write the same fact under several keys. The row with
//! the lowest rank sets the member; a later row with the same value is silent, one with another value is named in `evidence.conflicts`
//! if it means the same ([`To::Member`]) and goes to `rest`. Within a rank the first sent counts. Ranks in use:
//!
//! | rank | rows |
//! |---|---|
//! | 0 | our own keys, current OpenTelemetry keys, and what only one dialect can say (content, kinds) |
//! | 1 | aliases of our own keys, OpenTelemetry's renamed keys |
//! | 2 | OpenInference; our own keys inside a carrier |
//! | 3 | current keys of flat vendor dialects: OpenLLMetry, Vercel |
//! | 4 | their older names; `session.id` and `user.id`, which many share |
//! | 5 | semconv 1.26's `prompt_tokens` and `completion_tokens`, which later emitters kept with another meaning |
//! | 6 | values inside JSON and of back ends that repeat what a client said: Langfuse, MLflow, LangSmith, LiteLLM |
//! | 7 | ids in an application's own metadata, and generic keys that mean something in one dialect only ([`To::When`]) |
//!
//! This keeps the study's order for token totals: `gen_ai.usage.input_tokens`, `llm.token_count.prompt`, `ai.usage.inputTokens`,
//! `gen_ai.usage.prompt_tokens`, JSON. The kind of a span is decided by a dialect's own word ([`To::Kind`]), then by
//! `gen_ai.operation.name`, then by a dialect's vague word (`task`), then by a model alone; of several native words the lower rank counts.
//! A provider that is a framework (`langchain`) stands only where nobody named another.

pub(crate) mod ag2;
pub(crate) mod ai_audit;
pub(crate) mod aws;
mod carriers;
pub(crate) mod coding_agents;
pub(crate) mod crewai;
mod delicate;
pub(crate) mod google_adk;
pub(crate) mod guardrails_ai;
pub(crate) mod haystack;
mod ids;
mod langfuse;
mod langsmith;
mod litellm;
mod logfire;
pub(crate) mod microsoft;
mod mlflow;
pub(crate) mod nemo_guardrails;
mod openinference;
mod otel_core;
mod otel_genai;
pub(crate) mod otel_mcp;
pub(crate) mod pydantic_ai;
mod servers;
mod traceloop;
pub(crate) mod vercel_ai;

pub(crate) use carriers::{Carried, carried_key};
pub(crate) use delicate::Delicate;
pub(crate) use ids::{Dialect, Dialects};
pub(crate) use litellm::raw_parameter;
pub(crate) use otel_core::{RESOURCE_KEEP, RESOURCE_MEMBERS, is_withheld as otel_core_is_withheld};
pub(crate) use otel_genai::{MEMORY_RECORDS, is_framework, is_memory_write, kind_of_operation, message_event, provider};
pub(crate) use traceloop::document_of_event;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::record::registry::{self as member, Kind, Member};

/// Content that a record holds by hash: which member a side becomes is decided when the record's kind is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Input,
    Output,
    Instructions,
    ToolArguments,
    ToolResult,
    ToolDefinitions,
    Query,
    ErrorMessage,
    Stacktrace,
    ReviewReason,
    LineageValue,
    ExplanationText,
    EvaluationExplanation,
}

impl Side {
    /// How many there are.
    pub(crate) const COUNT: usize = 13;

    /// All, in order.
    pub(crate) const ALL: [Side; Side::COUNT] = [
        Side::Input,
        Side::Output,
        Side::Instructions,
        Side::ToolArguments,
        Side::ToolResult,
        Side::ToolDefinitions,
        Side::Query,
        Side::ErrorMessage,
        Side::Stacktrace,
        Side::ReviewReason,
        Side::LineageValue,
        Side::ExplanationText,
        Side::EvaluationExplanation,
    ];

    /// Position in [`Side::ALL`].
    #[expect(clippy::as_conversions, reason = "the discriminant of a small enum")]
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The content member that it becomes.
    pub(crate) fn member(self) -> Member {
        match self {
            Side::Input => member::INPUT,
            Side::Output => member::OUTPUT,
            Side::Instructions => member::PROMPT_INSTRUCTIONS,
            Side::ToolArguments => member::TOOL_ARGUMENTS,
            Side::ToolResult => member::TOOL_RESULT,
            Side::ToolDefinitions => member::TOOL_DEFINITIONS,
            Side::Query => member::RETRIEVAL_QUERY,
            Side::ErrorMessage => member::ERROR_MESSAGE,
            Side::Stacktrace => member::ERROR_STACKTRACE,
            Side::ReviewReason => member::REVIEW_REASON,
            Side::LineageValue => member::LINEAGE_VALUE,
            Side::ExplanationText => member::EXPLANATION_TEXT,
            Side::EvaluationExplanation => member::EVALUATION_EXPLANATION,
        }
    }
}

/// How a value that carries content is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Text or any value: it is content unless empty or a redaction marker.
    Whole,
    /// A list of messages or parts, as JSON or structured: a bare frame of roles and types is no content.
    Messages,
    /// The whole answer of a provider as JSON: content, from which finish reasons and the response's id can be read too.
    Response,
    /// Structure beside content (a role, a call id): goes with the side, but is no content by itself.
    Frame,
}

/// What a dialect's word for a span says of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// This is what the span did.
    Surely(Kind),
    /// A broad word (`task`): an operation name knows better.
    Vaguely(Kind),
    /// The span around calls of that kind, each with a span of its own: its tokens are counted there.
    Around(Kind),
    /// A word of the dialect that says nothing of what was done.
    Nothing,
}

/// The words of a dialect for kinds of spans, compared without case.
pub(crate) type Words = &'static [(&'static str, Says)];

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A member, converted by its type.
    Member(Member),
    /// A member for which this key is a weaker witness: a different value is no conflict.
    Fallback(Member),
    /// `model.provider`, old spellings renamed as the conventions document it.
    Provider,
    /// `gen_ai.operation.name`: decides `kind`, and is kept.
    Operation,
    /// A dialect's own word for what the span did: decides `kind`, and is kept.
    Kind(Words),
    /// The same, in a dialect where the span's name is the name of the tool or agent.
    KindOfNamed(Words),
    /// A member that only spans of this kind have: decides `kind` where nothing else does.
    Means(Kind, Member),
    /// The name of what the span is, which is a member for these kinds. Kept.
    Entity(&'static [Kind]),
    /// The model that answered: `model.id`, and `model.version` as fallback.
    ResponseModel,
    /// The model that was asked for: `model.requested`, and `model.id` as fallback.
    RequestedModel,
    /// Content.
    Side(Side, Look),
    /// `media_type` of a side.
    MediaType(Side),
    /// `reference` of a side.
    Reference(Side),
    /// `claimed_hash` of a side.
    ClaimedHash(Side),
    /// `review.context_hash`, keyed like a claimed hash.
    ContextHash,
    /// A prompt hash as the producer reported it.
    PromptHash,
    /// The text of a prompt template: `prompt.template_hash`.
    Template,
    /// JSON of a request's parameters.
    Invocation,
    /// A list of retrieved documents.
    Documents,
    /// The objects of a list member.
    Items(Member),
    /// A JSON object whose members, by their dotted names, are members of the record.
    Object(&'static [(&'static str, Member)]),
    /// A JSON scalar as text: what stands between its quotes goes there.
    Json(&'static To),
    /// A generic key that means this only where the dialect speaks by another key too; else `rest`.
    When(Dialect, &'static To),
    /// A member that an application put into its metadata, marked as `carrier:<key>`.
    Carried(Member),
    /// A JSON object of an application's metadata: our own keys inside it are claims, all else stays in `rest`.
    Carrier,
    /// A member in seconds, sent in milliseconds.
    Milliseconds(Member),
    /// The time at which the answer began.
    FirstChunkAt,
    /// A level: `ERROR` is a status where the span has none. Kept.
    Level,
    /// The allow-list: `attributes`.
    Keep,
    /// The allow-list, for a count, a cost or a flag: a text in its place goes to `rest`.
    KeepNumber,
    /// The allow-list, for a host: anything that may be a URL with more in it goes to `rest`.
    KeepHost,
    /// Never stored, counted.
    Withhold,
    /// A carrier without a member: `rest`.
    Rest,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Attribute key.
    pub(crate) key: &'static str,
    /// Where it goes.
    pub(crate) to: To,
    /// Of several keys for one member the lowest rank wins: 0 the current key, more for its older names.
    pub(crate) rank: u8,
}

/// Shorthand of the tables.
pub(crate) const fn row(key: &'static str, to: To) -> Row {
    Row { key, to, rank: 0 }
}

/// A row for an older or weaker name.
pub(crate) const fn later(rank: u8, key: &'static str, to: To) -> Row {
    Row { key, to, rank }
}

/// An indexed family of keys: `<prefix>.<i>.<leaf>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Messages or other content of a side, leaf by leaf.
    Side(Side),
    /// `<i>.document.{id,score,content}` of `retrieval.documents[]`.
    Documents,
    /// Annotations: the first fills `evaluation`.
    Annotations,
}

/// Rows that hold only where a name says that their dialect speaks.
const OWN: &[(Dialect, &[Row])] = &[
    (Dialect::PydanticAi, pydantic_ai::OWN),
    (Dialect::Logfire, logfire::OWN),
    (Dialect::AwsStrands, aws::STRANDS_OWN),
    (Dialect::MsAgentFramework, microsoft::AGENT_FRAMEWORK_OWN),
    (Dialect::SemanticKernel, microsoft::SEMANTIC_KERNEL_OWN),
    (Dialect::NemoGuardrails, nemo_guardrails::OWN),
    (Dialect::GuardrailsAi, guardrails_ai::OWN),
    (Dialect::ClaudeCode, coding_agents::CLAUDE_CODE),
    (Dialect::Codex, coding_agents::CODEX),
];

/// What the tables say of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) to: To,
    pub(crate) rank: u8,
    /// None for keys that every vocabulary shares: they prove no dialect.
    pub(crate) dialect: Option<Dialect>,
    /// Whether it came inside another key.
    pub(crate) carried: Carried,
}

/// The tables, in the order in which they own a key that two of them name.
const TABLES: &[(Option<Dialect>, &[Row], Families)] = &[
    (Some(Dialect::OtelGenai), otel_genai::ROWS, &[]),
    (Some(Dialect::Openinference), openinference::ROWS, openinference::FAMILIES),
    (Some(Dialect::Traceloop), traceloop::ROWS, traceloop::FAMILIES),
    (Some(Dialect::VercelAi), vercel_ai::ROWS, &[]),
    (Some(Dialect::Langfuse), langfuse::ROWS, &[]),
    (Some(Dialect::Mlflow), mlflow::ROWS, &[]),
    (Some(Dialect::Litellm), litellm::ROWS, litellm::FAMILIES),
    (Some(Dialect::Langsmith), langsmith::ROWS, &[]),
    (Some(Dialect::OtelMcp), otel_mcp::ROWS, &[]),
    (Some(Dialect::PydanticAi), pydantic_ai::ROWS, &[]),
    (Some(Dialect::Logfire), logfire::ROWS, &[]),
    (Some(Dialect::AwsStrands), aws::STRANDS, &[]),
    (Some(Dialect::AwsAgentcore), aws::AGENTCORE, &[]),
    (Some(Dialect::AwsBedrock), aws::BEDROCK, &[]),
    (Some(Dialect::MsAgentFramework), microsoft::AGENT_FRAMEWORK, &[]),
    (Some(Dialect::SemanticKernel), microsoft::SEMANTIC_KERNEL, &[]),
    (Some(Dialect::GoogleAdk), google_adk::ROWS, &[]),
    (Some(Dialect::Haystack), haystack::ROWS, &[]),
    (Some(Dialect::Crewai), crewai::ROWS, &[]),
    (Some(Dialect::Ag2), ag2::ROWS, &[]),
    (Some(Dialect::Vllm), servers::VLLM, &[]),
    (Some(Dialect::Triton), servers::TRITON, &[]),
    (Some(Dialect::NemoGuardrails), nemo_guardrails::ROWS, &[]),
    (None, otel_core::ROWS, &[]),
    (None, carriers::ROWS, &[]),
];

/// Indexed keys by what stands before the index.
pub(crate) type Families = &'static [(&'static str, Family)];

/// A table by attribute keys.
type ByKey<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// All tables, ready for look-ups.
#[derive(Debug)]
pub(crate) struct Tables {
    /// With the key as text, so that a key that is found need not be checked to be one.
    rows: ByKey<Box<[u8]>, (Known, Box<str>)>,
    /// Rows of words that several use, with their dialects.
    own: ByKey<&'static [u8], Vec<(Dialect, Known)>>,
    /// Dialects that have such rows.
    owners: Dialects,
    families: ByKey<&'static [u8], (Family, Dialect)>,
}

impl Tables {
    /// Tables of the enabled dialects, plus the keys that the configuration keeps.
    pub(crate) fn new(enabled: Dialects, keep: &[String]) -> Self {
        let mut tables =
            Tables { rows: HashMap::default(), own: HashMap::default(), owners: Dialects::default(), families: HashMap::default() };
        for (dialect, rows, families) in TABLES.iter().filter(|(dialect, ..)| dialect.is_none_or(|d| enabled.has(d))) {
            for row in *rows {
                // A generic key proves nothing.
                let dialect = dialect.filter(|_| !matches!(row.to, To::When(..)));
                let known = Known { to: row.to, rank: row.rank, dialect, carried: Carried::No };
                // The first table that names a key owns it.
                tables.rows.entry(row.key.as_bytes().into()).or_insert((known, row.key.into()));
            }
            for (prefix, family) in *families {
                if let Some(dialect) = dialect {
                    tables.families.entry(prefix.as_bytes()).or_insert((*family, *dialect));
                }
            }
        }
        for (dialect, rows) in OWN.iter().copied().filter(|(d, _)| enabled.has(*d)) {
            tables.owners.add(dialect);
            for row in rows {
                let known = Known { to: row.to, rank: row.rank, dialect: Some(dialect), carried: Carried::No };
                tables.own.entry(row.key.as_bytes()).or_default().push((dialect, known));
            }
        }
        if enabled.has(Dialect::AiAudit) {
            for (key, to, rank) in ai_audit::keys() {
                let known = Known { to, rank, dialect: Some(Dialect::AiAudit), carried: Carried::No };
                tables.rows.insert(key.as_bytes().into(), (known, key.into()));
            }
        }
        for key in keep {
            let known = Known { to: To::Keep, rank: 0, dialect: None, carried: Carried::No };
            tables.rows.entry(key.as_bytes().into()).or_insert((known, key.as_str().into()));
        }
        tables
    }

    /// What a key means.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<Known> {
        self.find_named(key).map(|(known, _)| known)
    }

    /// The same, and the key as text.
    #[inline]
    pub(crate) fn find_named(&self, key: &[u8]) -> Option<(Known, &str)> {
        self.rows.get(key).map(|(known, name)| (*known, &**name))
    }

    /// What a key means in the words of the dialects that the names of scope, span or log event call.
    #[inline]
    pub(crate) fn find_own(&self, spoken: Dialects, key: &[u8]) -> Option<Known> {
        if spoken.both(self.owners).is_empty() {
            return None;
        }
        self.own.get(key)?.iter().find(|(dialect, _)| spoken.has(*dialect)).map(|(_, known)| *known)
    }

    /// Whether a key names what is never stored, whoever asks for it.
    pub(crate) fn withholds(&self, key: &[u8]) -> bool {
        otel_core_is_withheld(key) || self.find(key).is_some_and(|known| known.to == To::Withhold)
    }

    /// The family of an indexed key, its index and its leaf.
    pub(crate) fn family<'a>(&self, key: &'a [u8]) -> Option<(Family, Dialect, u32, &'a [u8])> {
        let dot = key.windows(2).position(|w| matches!(w, [b'.', b'0'..=b'9']))?;
        let (prefix, rest) = key.split_at_checked(dot)?;
        let (family, dialect) = self.families.get(prefix).copied()?;
        let digits = rest.get(1..)?;
        let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        let index = std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()?;
        let leaf = digits.get(length..)?;
        Some((family, dialect, index, leaf.strip_prefix(b".").unwrap_or(leaf)))
    }
}

/// Hash of attribute keys: a multiply per eight bytes. The table's keys are ours and few; what a sender chooses is only looked up,
/// never inserted, so nobody can fill a bucket.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut hash = self.0;
        let (chunks, tail) = bytes.as_chunks::<8>();
        for chunk in chunks {
            hash = (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        let mut last = [0_u8; 8];
        for (slot, byte) in last.iter_mut().zip(tail) {
            *slot = *byte;
        }
        self.0 = (hash ^ u64::from_le_bytes(last)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        // The length prefix of a slice.
        self.0 ^= u64::try_from(length).unwrap_or(0);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Every row of every table with the dialect whose it is; of words that many use, `true`: they count only where that dialect speaks.
pub(crate) fn rows() -> impl Iterator<Item = (Option<Dialect>, &'static Row, bool)> {
    let shared = TABLES.iter().flat_map(|(dialect, rows, _)| rows.iter().map(move |row| (*dialect, row, false)));
    shared.chain(OWN.iter().flat_map(|(dialect, rows)| rows.iter().map(move |row| (Some(*dialect), row, true))))
}

/// Every indexed family of keys with its dialect.
pub(crate) fn families() -> impl Iterator<Item = (Option<Dialect>, &'static str, Family)> {
    TABLES.iter().flat_map(|(dialect, _, families)| families.iter().map(move |(prefix, family)| (*dialect, *prefix, *family)))
}

/// Every key of every table, for tests that try them all.
#[cfg(test)]
pub(crate) fn testing_keys() -> Vec<String> {
    let rows = TABLES.iter().flat_map(|(_, rows, _)| *rows).chain(OWN.iter().flat_map(|(_, rows)| *rows));
    rows.map(|r| r.key.to_owned()).chain(ai_audit::keys().into_iter().map(|(key, _, _)| key)).collect()
}

/// Every key that means something in one dialect's mouth only.
#[cfg(test)]
pub(crate) fn testing_own_keys() -> Vec<(Dialect, &'static str)> {
    OWN.iter().flat_map(|(dialect, rows)| rows.iter().map(|r| (*dialect, r.key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice() {
        let mut seen = std::collections::HashSet::new();
        for row in TABLES.iter().flat_map(|(_, rows, _)| *rows) {
            assert!(seen.insert(row.key), "{}", row.key);
        }
        for (dialect, rows) in OWN {
            let mut seen = std::collections::HashSet::new();
            rows.iter().for_each(|row| assert!(seen.insert(row.key), "{dialect:?}: {}", row.key));
        }
    }

    #[test]
    fn words_that_many_use_mean_something_only_where_their_dialect_speaks() {
        let tables = Tables::new(Dialects::ALL, &[]);
        let mut spoken = Dialects::default();
        assert!(tables.find(b"final_result").is_none() && tables.find_own(spoken, b"final_result").is_none());
        spoken.add(Dialect::OtelGenai);
        assert!(tables.find_own(spoken, b"final_result").is_none());
        spoken.add(Dialect::PydanticAi);
        assert_eq!(tables.find_own(spoken, b"final_result").unwrap().to, To::Side(Side::Output, Look::Whole));
        let mut others = Dialects::default();
        others.add(Dialect::OtelGenai);
        assert!(Tables::new(others, &[]).find_own(spoken, b"final_result").is_none());
    }

    #[test]
    fn indexed_keys_are_taken_apart() {
        let tables = Tables::new(Dialects::ALL, &["my.key".into()]);
        let (family, _, index, leaf) = tables.family(b"llm.input_messages.12.message.contents.0.message_content.text").unwrap();
        assert_eq!((family, index, leaf), (Family::Side(Side::Input), 12, &b"message.contents.0.message_content.text"[..]));
        assert!(tables.family(b"llm.input_messages.99999999999.message.role").is_none());
        assert!(tables.family(b"feature.100").is_none());
        assert_eq!(tables.find(b"my.key").unwrap().to, To::Keep);
        assert_eq!(tables.find(b"ai.audit.model.id").unwrap().to, tables.find(b"ai_audit.model.id").unwrap().to);
    }
}
