//! The reference of attributes for application developers, out of the product's own tables: what to set, of which type, with an example, how
//! much it is wanted, which member of the record it becomes; and, dialect by dialect, every key that is understood.

use serde::Serialize;

use super::asked::{ASKED, FRAMEWORKS, When, asks_for};
use super::described::{Described, MEMBERS, RESOURCE};
use crate::promote::vocabulary::{Home, Word, keys_for, words};
use crate::record::registry::{Member, Type};

/// The command that renews the committed document.
pub const RENEW: &str = "cargo run -- attributes > src/lint/ATTRIBUTES.md";

/// Examples, which the tests run as they stand here.
const EXAMPLES: [(&str, &str, &str); 3] = [
    ("Python", "python", include_str!("examples/decision.py")),
    ("JavaScript", "js", include_str!("examples/decision.mjs")),
    ("Rust", "rs", include_str!("examples/decision.rs")),
];

/// A member that telemetry can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The attributes that set it, the best first.
    pub attributes: Vec<String>,
    /// Whether they belong on the resource.
    pub resource: bool,
    /// Type of the attribute's value.
    pub r#type: &'static str,
    /// Values with a listed spelling; others are kept as sent.
    pub listed: &'static [&'static str],
    /// A value as an example.
    pub example: &'static str,
    /// `required`, `recommended` or `optional`: the strongest of all kinds.
    pub level: &'static str,
    /// Kinds of records that are incomplete without it.
    pub required_for: Vec<&'static str>,
    /// Kinds of records of which somebody asks for it, with the condition where it depends on the case.
    pub recommended_for: Vec<String>,
    /// Path in the record.
    pub member: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Ids of the frameworks that ask for it.
    pub asked_by: Vec<&'static str>,
}

/// All members that telemetry can set: the resource's, then the others in the order of the record.
pub fn entries() -> Vec<Entry> {
    let entry = |described: &Described, resource: bool| {
        let (member, example, purpose) = *described;
        let spec = member.spec();
        let required_for: Vec<&str> = spec.required.iter().map(|kind| kind.as_str()).collect();
        let recommended_for = recommended_for(member);
        let level = match (required_for.is_empty(), recommended_for.is_empty()) {
            (false, _) => "required",
            (true, false) => "recommended",
            (true, true) => "optional",
        };
        let mut asked_by: Vec<&str> = asks_for(member.path(), None).into_iter().map(|(framework, _)| framework).collect();
        asked_by.sort_unstable();
        asked_by.dedup();
        let attributes = keys_for(member.path());
        let (r#type, listed) = (type_of(spec.kind), spec.listed);
        Entry {
            attributes,
            resource,
            r#type,
            listed,
            example,
            level,
            required_for,
            recommended_for,
            member: member.path(),
            purpose,
            asked_by,
        }
    };
    let resource = RESOURCE.iter().map(|described| entry(described, true));
    resource.chain(MEMBERS.iter().map(|described| entry(described, false))).collect()
}

fn recommended_for(member: Member) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for row in ASKED.iter().filter(|row| row.member == member) {
        let when = match row.when {
            When::Always => String::new(),
            When::With(other) => format!(" with `{}`", other.path()),
            When::Is(other, value) => format!(" where `{}` is {value}", other.path()),
            When::Case(case) => format!(" if {case}"),
        };
        for kind in row.kinds.iter().map(|kind| format!("{}{when}", kind.as_str())) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}

/// The type of an attribute in OTLP's words. Numbers, flags and lists are taken as text, too, if they read as one.
fn type_of(kind: Type) -> &'static str {
    match kind {
        Type::Text | Type::Person | Type::Ref => "string",
        Type::Content => "any",
        Type::Int => "int",
        Type::Num => "double",
        Type::Bool => "boolean",
        Type::Time => "string, RFC 3339",
        Type::Texts | Type::Refs => "string[]",
        Type::Items => "string, JSON list of objects",
        Type::Map => "map",
    }
}

/// The reference as JSON: `members` and `words`.
pub fn json() -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Understood {
        attribute: String,
        dialect: Option<&'static str>,
        only_where_it_speaks: bool,
        becomes: String,
    }
    let words: Vec<Understood> = words()
        .into_iter()
        .map(|word| {
            let becomes = becomes(&word);
            Understood { attribute: word.key.into_owned(), dialect: word.dialect, only_where_it_speaks: word.needs_name, becomes }
        })
        .collect();
    let json = serde_json::json!({"format": "spanseal.attributes/1", "members": entries(), "words": words});
    serde_json::to_string(&json).map(|json| json + "\n")
}

fn becomes(word: &Word) -> String {
    match word.home {
        Home::Members => word.fields.join(", "),
        Home::Attributes => "attributes".to_owned(),
        Home::Rest => "rest".to_owned(),
        Home::Withheld => "(never stored)".to_owned(),
        Home::Carrier => "(carrier)".to_owned(),
    }
}

/// The reference as a document.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for (language, mark, text) in EXAMPLES {
        out.push_str(&format!("\n### {language}\n\n```{mark}\n{}```\n", text));
    }
    out.push_str(MEMBERS_HEAD);
    let mut group = "";
    for entry in entries() {
        let of = if entry.resource { "resource" } else { entry.member.split('.').next().unwrap_or_default() };
        if of != group {
            group = of;
            out.push_str(&format!("\n### {group}\n\n| attribute | type | example | level | member | for |\n|---|---|---|---|---|---|\n"));
        }
        out.push_str(&row(&entry));
    }
    out.push_str(FRAMEWORKS_HEAD);
    for (id, name) in FRAMEWORKS {
        out.push_str(&format!("| `{id}` | {name} |\n"));
    }
    out.push_str(WORDS_HEAD);
    let words = words();
    let mut dialects: Vec<Option<&str>> = words.iter().map(|word| word.dialect).filter(|dialect| *dialect != Some("ai_audit")).collect();
    dialects.dedup();
    let mut said: Vec<Option<&str>> = Vec::new();
    for dialect in dialects {
        if said.contains(&dialect) {
            continue;
        }
        said.push(dialect);
        out.push_str(&format!("\n### {}\n\n| attribute | becomes |\n|---|---|\n", dialect.unwrap_or("shared by all")));
        for word in words.iter().filter(|word| word.dialect == dialect) {
            let own = if word.needs_name { " (only where this dialect speaks)" } else { "" };
            out.push_str(&format!("| `{}`{own} | `{}` |\n", word.key, becomes(word).replace(", ", "`, `")));
        }
    }
    out
}

fn row(entry: &Entry) -> String {
    let attributes = entry.attributes.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join("<br>or ");
    let mut kind = entry.r#type.to_owned();
    if !entry.listed.is_empty() {
        kind.push_str(&format!(": {}", entry.listed.join(", ")));
    }
    let mut level = Vec::new();
    if !entry.required_for.is_empty() {
        level.push(format!(
            "**required**: {}",
            if entry.required_for.len() == EVERY { "every record".to_owned() } else { entry.required_for.join(", ") }
        ));
    }
    if !entry.recommended_for.is_empty() {
        level.push(format!("recommended: {}", entry.recommended_for.join(", ")));
    }
    if level.is_empty() {
        level.push("optional".to_owned());
    }
    let example = if entry.example.contains('|') { entry.example.replace('|', "\\|") } else { entry.example.to_owned() };
    format!("| {attributes} | {kind} | `{example}` | {} | `{}` | {} |\n", level.join("<br>"), entry.member, entry.purpose)
}

/// How many kinds there are.
const EVERY: usize = crate::record::registry::EVERY.len();

const INTRODUCTION: &str = "\
<!-- Generated by `spanseal attributes`; do not edit. -->

# Attributes

What an application tells about its AI steps, as attributes of spans, span events and logs. Instrumentation libraries send most of it by
themselves; what a decision was, how sure the model was and who reviewed it only the application knows. Set it on the span of the step.

- Keys of our own begin with `ai_audit.` (also accepted: `ai.audit.`). Where OpenTelemetry has a name, that is the first one.
- Claims about a whole service (model version, policy, risk class) may stand on its resource; a span's own word counts first. A resource alone
  makes no span AI.
- Where an instrumentation lets no attributes of yours through, the same keys count inside its metadata: Traceloop association properties,
  OpenInference `metadata`, Langfuse, LangSmith, Vercel, LiteLLM and MLflow metadata, and baggage copied to spans.
- A review comes hours later: send it as a log event or a span event named `ai_audit.review.completed` with `ai_audit.decision.id` of the
  decision, or as a span of its own.
- Texts (prompts, answers, reasons, explanations) and persons never stand in evidence: they are held by hash, or apart where they can be erased.

`spanseal lint` says of your own telemetry what is promoted and what is missing.

## Examples

Each reports a decision with its confidence, and a human's review of it, with the official SDK. The argument is where `spanseal serve`
listens: OTLP/HTTP for Python and JavaScript, OTLP/gRPC for Rust.

The receipt is the receiver's success answer (its headers or metadata name the seal: `spanseal-seal`), not the end of a flush: in Python
`force_flush()` returns true after a failed export, in JavaScript the flush of logs resolves after one, and no flush speaks of batches that
went out before it or were dropped from a full queue. So the examples ask the exporter, and fail where no receipt came. What a receiver
sealed, its metrics count.
";

const MEMBERS_HEAD: &str = "
## Members

`level`: **required** of these kinds of records (a record that lacks it says so in `evidence.missing`), recommended where somebody asks for
it besides, else optional. Numbers, flags, times and lists are also taken as text. Types `any`: what was said, held as content.
";

const FRAMEWORKS_HEAD: &str = "
## Who asks

`spanseal lint --framework ID` reports what one of these asks for. Records give evidence for such duties; whether a duty applies, and whether
it is met, they do not say.

| id | |
|---|---|
";

const WORDS_HEAD: &str = "
## Keys of other vocabularies

Every attribute key that is understood, by dialect (the id is that of `promotion.dialects` and `source.dialects`). `<i>` is an index. What
is not listed goes to `rest`, as content.
";
