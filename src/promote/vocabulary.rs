//! The tables as data for people: which attribute keys are understood, what each becomes, and what a key that is not understood may have
//! been meant to be. `lint` and the reference of attributes read it; promotion itself never does.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::convert::{self, Marks};
use super::detect::{self, Condition, Proof};
use super::dialects::{self, Dialect, Dialects, Family, RESOURCE_MEMBERS, Side, Tables, To, ai_audit, carried_key};
use super::finish::name_of;
use super::rules::distance;
use super::{Promoter, encode};
use crate::record::registry::{self as member, Member, Standing};

/// Where the value of a key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Into members of the record.
    Members,
    /// Into `attributes`, as sent.
    Attributes,
    /// Into `rest`, as content.
    Rest,
    /// Nowhere: counted in `evidence.withheld`.
    Withheld,
    /// It may carry keys of ours inside it; the rest of it goes to `rest`.
    Carrier,
}

/// One attribute key that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The key; of an indexed family `<what stands before>.<i>.*`.
    pub key: Cow<'static, str>,
    /// Id of the dialect; none for keys that every vocabulary shares.
    pub dialect: Option<&'static str>,
    /// Whether it counts only where the name of scope, span or event says that this dialect speaks.
    pub needs_name: bool,
    /// Of several keys for one member the lowest counts.
    pub rank: u8,
    /// Where the value goes.
    pub home: Home,
    /// The members it fills, the first above all; empty unless `home` is [`Home::Members`].
    pub fields: Vec<Cow<'static, str>>,
}

impl Word {
    fn new(key: impl Into<Cow<'static, str>>, dialect: Option<Dialect>, rank: u8, to: To) -> Word {
        let (home, fields) = goes(to);
        Word { key: key.into(), dialect: dialect.map(Dialect::id), needs_name: matches!(to, To::When(..)), rank, home, fields }
    }
}

/// Every key of every table, our own first, then in the order of the tables.
pub fn words() -> Vec<Word> {
    let mut words: Vec<Word> = ai_audit::keys()
        .into_iter()
        .filter(|(key, ..)| key.starts_with(ai_audit::PREFIX))
        .map(|(key, to, rank)| Word::new(key, Some(Dialect::AiAudit), rank, to))
        .collect();
    words.extend(dialects::rows().map(|(dialect, row, own)| {
        let word = Word::new(row.key, dialect, row.rank, row.to);
        Word { needs_name: own || word.needs_name, ..word }
    }));
    words.extend(dialects::families().map(|(dialect, prefix, family)| of_family(format!("{prefix}.<i>.*"), dialect, family)));
    words
}

fn of_family(key: String, dialect: Option<Dialect>, family: Family) -> Word {
    let field = match family {
        Family::Side(side) => side.member(),
        Family::Documents => member::RETRIEVAL_DOCUMENTS,
        Family::Annotations => member::EVALUATION_NAME,
    };
    let fields = if family == Family::Annotations { vec!["evaluation".into()] } else { vec![field.path().into()] };
    Word { key: Cow::Owned(key), dialect: dialect.map(Dialect::id), needs_name: false, rank: 0, home: Home::Members, fields }
}

/// What is known of one key, whatever the configuration. A word that means something in one dialect only needs its name.
pub fn word(key: &str) -> Option<Word> {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::new(Dialects::ALL, &[]));
    let bytes = key.as_bytes();
    let new = |dialect, rank, to| Word::new(key.to_owned(), dialect, rank, to);
    let carried = || carried_key(bytes).and_then(|(own, _)| TABLES.find(own));
    if TABLES.withholds(bytes) {
        return Some(new(None, 0, To::Withhold));
    }
    if let Some(known) = TABLES.find(bytes).or_else(carried) {
        return Some(new(known.dialect, known.rank, known.to));
    }
    if let Some((family, dialect, ..)) = TABLES.family(bytes) {
        return Some(of_family(key.to_owned(), Some(dialect), family));
    }
    if let Some(known) = TABLES.find_own(Dialects::ALL, bytes) {
        return Some(Word { needs_name: true, ..new(known.dialect, known.rank, known.to) });
    }
    match detect::key(bytes) {
        // What proves that something is AI is kept with it.
        Proof::Yes(dialect) => Some(new(Some(dialect), 0, To::Rest)),
        Proof::If(dialect, _) => Some(Word { needs_name: true, ..new(Some(dialect), 0, To::Rest) }),
        Proof::No if key == "event.name" => Some(new(None, 0, To::Member(member::SOURCE_EVENT_NAME))),
        Proof::No => None,
    }
}

/// Whether everything whose key begins so is never stored.
pub fn is_withheld_below(begin: &str) -> bool {
    // But what an application carries for us.
    let may_be_ours = ["baggage.ai_audit.", "baggage.ai.audit."].iter().any(|ours| ours.starts_with(begin));
    dialects::otel_core_is_withheld(begin.as_bytes()) && !may_be_ours
}

/// Resource attributes that `source` has members for, the better name first.
pub fn resource_words() -> impl Iterator<Item = (&'static str, Member)> {
    RESOURCE_MEMBERS.iter().copied()
}

/// The keys that set a member, the best first: the standard's own name where it has one, then ours, then other names of ours.
pub fn keys_for(path: &str) -> Vec<String> {
    if let Some((key, _)) = resource_words().find(|(_, member)| member.path() == path) {
        return vec![key.to_owned()];
    }
    let fills = |word: &Word| word.home == Home::Members && !word.needs_name && word.fields.iter().any(|field| field == path);
    let mut found: Vec<(u8, u8, String)> = words()
        .into_iter()
        .filter(fills)
        .filter_map(|word| {
            let standard = match word.dialect {
                Some("otel_genai") => word.rank > 0,
                // Words that all share, such as `user.id`: understood, and weaker than any other.
                Some("ai_audit") | None => true,
                Some(_) => return None,
            };
            // What a response says of its model names the model first; that it is the version too is a fallback.
            let second = word.fields.first().is_none_or(|first| first != path);
            Some((u8::from(standard) + u8::from(second), word.rank, word.key.into_owned()))
        })
        .collect();
    found.sort_by_key(|(standard, rank, _)| (*standard, *rank));
    found.into_iter().map(|(_, _, key)| key).collect()
}

fn goes(to: To) -> (Home, Vec<Cow<'static, str>>) {
    let members = |members: &[Member]| (Home::Members, members.iter().map(|m| Cow::Borrowed(m.path())).collect());
    let of_side = |side: Side, name: &str| (Home::Members, vec![Cow::Owned(format!("{}.{name}", side.member().path()))]);
    match to {
        To::Member(m) | To::Fallback(m) | To::Items(m) | To::Carried(m) | To::Milliseconds(m) | To::Means(_, m) => members(&[m]),
        To::Provider => members(&[member::MODEL_PROVIDER]),
        To::Operation | To::Kind(_) | To::KindOfNamed(_) => members(&[member::KIND]),
        To::Entity(kinds) => members(&kinds.iter().filter_map(|kind| name_of(*kind)).collect::<Vec<_>>()),
        To::ResponseModel => members(&[member::MODEL_ID, member::MODEL_VERSION]),
        To::RequestedModel => members(&[member::MODEL_REQUESTED, member::MODEL_ID]),
        To::Side(side, _) => members(&[side.member()]),
        To::MediaType(side) => of_side(side, "media_type"),
        To::Reference(side) => of_side(side, "reference"),
        To::ClaimedHash(side) => of_side(side, "claimed_hash"),
        To::ContextHash => members(&[member::REVIEW_CONTEXT_HASH]),
        To::PromptHash => members(&[member::PROMPT_HASH]),
        To::Template => members(&[member::PROMPT_TEMPLATE_HASH]),
        To::Invocation => (Home::Members, vec![Cow::Borrowed("parameters")]),
        To::Documents => members(&[member::RETRIEVAL_DOCUMENTS]),
        To::Object(names) => members(&names.iter().map(|(_, member)| *member).collect::<Vec<_>>()),
        To::Json(to) | To::When(_, to) => goes(*to),
        To::FirstChunkAt => members(&[member::TIME_TO_FIRST_CHUNK]),
        To::Level => members(&[member::ERROR_STATUS]),
        To::Keep | To::KeepNumber | To::KeepHost => (Home::Attributes, Vec::new()),
        To::Withhold => (Home::Withheld, Vec::new()),
        To::Rest => (Home::Rest, Vec::new()),
        To::Carrier => (Home::Carrier, Vec::new()),
    }
}

/// What a key of a span or log is worth to the question whether it is AI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clue {
    /// It proves it.
    Proof(&'static str),
    /// It would, but the configuration leaves the dialect out (`promotion.dialects`).
    SwitchedOff(&'static str),
    /// It does with certain values only; in words.
    WithValue(&'static str, &'static str),
    /// A key of ours inside a carrier, which counts only on a span that is AI by another key.
    Carried(String),
    /// An own rule speaks of it; whether one is met depends on more than this key.
    Ruled,
    /// Nothing.
    None,
}

impl Promoter {
    /// What an attribute key says about its span or log being AI.
    pub fn clue(&self, key: &[u8]) -> Clue {
        match detect::key(key) {
            Proof::Yes(dialect) if self.enabled.has(dialect) => Clue::Proof(dialect.id()),
            Proof::Yes(dialect) => Clue::SwitchedOff(dialect.id()),
            Proof::If(dialect, condition) => Clue::WithValue(dialect.id(), wanted(condition)),
            Proof::No => match carried_key(key) {
                Some((own, _)) => Clue::Carried(String::from_utf8_lossy(own).into_owned()),
                None if self.rules.speak_of(key) => Clue::Ruled,
                None => Clue::None,
            },
        }
    }

    /// The dialects that the names of a scope and a span, or of a log's event, belong to. Names alone make nothing AI.
    pub fn named_dialects(&self, scope: &[u8], name: &[u8]) -> Vec<&'static str> {
        let mut named = detect::names(scope, name);
        named.join(detect::names_of_log(scope, name));
        named.ids().collect()
    }

    /// Whether the tables, or own rules, say something of a key, wherever it stands.
    pub fn understands(&self, key: &[u8]) -> bool {
        let tables = &self.tables;
        tables.find(key).is_some()
            || tables.find_own(Dialects::ALL, key).is_some()
            || tables.family(key).is_some()
            || tables.withholds(key)
            || detect::row(key).is_some()
            || carried_key(key).is_some_and(|(own, _)| tables.find(own).is_some())
            || self.rules.speak_of(key)
            || key == b"event.name"
    }

    /// A name as it may stand before a reader: what looks like a person is scrubbed, invalid bytes are replaced, long texts are cut.
    pub fn shown(&self, name: &[u8]) -> String {
        let text = encode::text(name, &mut encode::Notes::default());
        convert::word(text, &self.scrub, &mut Marks::default()).into_owned()
    }
}

fn wanted(condition: Condition) -> &'static str {
    match condition {
        Condition::McpMethod => "a method that touches a model, such as `tools/call`",
        Condition::Cognitive => "`Microsoft.CognitiveServices`",
        Condition::VercelOperation => "a word that begins with `ai.`",
        Condition::GuardrailsGuard => "a word that begins with `guardrails/guard`",
        Condition::ClaudeCode => "any word, below a scope or span named as Claude Code names them",
    }
}

/// Finds the known key that an unknown one was probably meant to be.
#[derive(Debug)]
pub struct Speller {
    /// Known keys, with their spelling made even.
    known: Vec<(String, String)>,
    /// Our own names without our prefix: what an application may have called them by itself.
    own: Vec<(String, String)>,
}

/// Groups of the record whose members mean the same whoever names them so.
const SAYS_MUCH: [&str; 9] =
    ["decision.", "confidence.", "review.", "policy.", "explanation.", "lineage.", "guardrail.", "regulation.", "model."];

/// Of such a group the member that is meant by the group's name, the first that it has.
const SAYS_MOST: [&str; 5] = ["outcome", "score", "text", "name", "id"];

/// Keys shorter than this are near to everything.
const NEAR_FROM: usize = 8;

impl Default for Speller {
    fn default() -> Self {
        let known: Vec<(String, String)> = words()
            .into_iter()
            // Only keys that say AI by themselves: what is near to `tool.name` may be anybody's.
            .filter(|word| matches!(detect::key(word.key.as_bytes()), Proof::Yes(_)) && !word.key.ends_with('*'))
            .map(|word| (even(&word.key), word.key.into_owned()))
            .collect();
        let claims = Member::all().filter(|m| m.spec().standing == Standing::Keyed);
        let own = claims
            .filter(|member| SAYS_MUCH.iter().any(|group| member.path().starts_with(group)))
            .map(|member| (even(member.path()), format!("{}{}", ai_audit::PREFIX, member.path())))
            .collect();
        Speller { known, own }
    }
}

impl Speller {
    /// The nearest known key, where one is near enough to be what was meant. Of a key in our own namespace the nearest in any case: no other
    /// key is understood there.
    pub fn nearest(&self, key: &str) -> Option<&str> {
        let wanted = even(key);
        // `decision.outcome`, or the same behind a prefix of the application's own.
        let bare = [Some(wanted.as_str()), wanted.split_once('.').map(|(_, rest)| rest)];
        if let Some((_, key)) = self.own.iter().find(|(own, _)| bare.contains(&Some(own.as_str()))) {
            return Some(key);
        }
        let own = key.starts_with(ai_audit::PREFIX) || key.starts_with("ai.audit.");
        if own && let Some(key) = self.same_word(&wanted) {
            return Some(key);
        }
        let far = match wanted.len() {
            _ if own => usize::MAX,
            0..NEAR_FROM => 0,
            NEAR_FROM..16 => 1,
            _ => 2,
        };
        let near = self
            .known
            .iter()
            .filter(|(even, key)| even.len().abs_diff(wanted.len()) <= far && (!own || key.starts_with(ai_audit::PREFIX)))
            .map(|(even, key)| (distance(&wanted, even), key));
        near.filter(|(edits, _)| *edits <= far).min_by_key(|(edits, _)| *edits).map(|(_, key)| key.as_str())
    }

    /// Of a key in our own namespace that is no misspelling of another: what says most of the group that its last word names
    /// (`ai_audit.decision.confidence`), else one that ends in the same word (`ai_audit.outcome`). By letters alone it would be some other
    /// word.
    fn same_word(&self, wanted: &str) -> Option<&str> {
        let tail = |even: &str| even.get(ai_audit::PREFIX.len()..).unwrap_or_default().to_owned();
        let sent = tail(wanted);
        let ours = || self.known.iter().filter(|(_, key)| key.starts_with(ai_audit::PREFIX));
        if ours().any(|(even, _)| distance(&sent, &tail(even)) * 3 <= sent.len()) {
            return None;
        }
        let word = sent.rsplit('.').next().filter(|word| !word.is_empty())?;
        let group = SAYS_MOST.iter().find_map(|last| self.own.iter().find(|(even, _)| *even == format!("{word}.{last}")));
        let ends_so = || ours().filter(|(even, _)| even.rsplit('.').next() == Some(word));
        // Of a bare word the group that is asked for most.
        let rank = |even: &str| if sent == word { SAYS_MUCH.iter().position(|group| even.starts_with(group)) } else { None };
        let same = || ends_so().min_by_key(|(even, _)| (rank(&tail(even)).unwrap_or(SAYS_MUCH.len()), distance(&sent, &tail(even))));
        group.or_else(same).map(|(_, key)| key.as_str())
    }
}

/// A key without what people spell in different ways: case, and what stands between words.
fn even(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Scenario: keys as people misspell them. Guarantee: the key that was meant is named, and what is merely another word is not.
    #[test]
    fn what_was_meant_is_named() {
        let speller = Speller::default();
        for (sent, meant) in [
            ("ai_audit.decison.outcome", "ai_audit.decision.outcome"),
            ("ai_audit.model.vers", "ai_audit.model.version"),
            ("ai-audit.decision.outcome", "ai_audit.decision.outcome"),
            ("aiaudit.decision.outcome", "ai_audit.decision.outcome"),
            ("decision.outcome", "ai_audit.decision.outcome"),
            ("confidence_score", "ai_audit.confidence.score"),
            ("audit.model.version", "ai_audit.model.version"),
            ("gen_ai_request_model", "gen_ai.request.model"),
            ("genai.request.model", "gen_ai.request.model"),
            ("gen_ai.usage.input_token", "gen_ai.usage.input_tokens"),
            // By the last word, where by letters something else would be nearer.
            ("ai_audit.decision.confidence", "ai_audit.confidence.score"),
            ("ai.audit.decision.confidence", "ai_audit.confidence.score"),
            ("ai_audit.outcome", "ai_audit.decision.outcome"),
            ("ai_audit.decision.explanation", "ai_audit.explanation.text"),
        ] {
            assert_eq!(speller.nearest(sent), Some(meant), "{sent}");
        }
        for other in [
            "http.request.method",
            "db.statement",
            "url.full",
            "user.email",
            "app.ticket",
            "code.function",
            "error.message",
            "error_message",
            "tool_name",
            "",
            "x",
        ] {
            assert_eq!(speller.nearest(other), None, "{other}");
        }
    }

    /// Every member that an application may set has a key to set it with, and the first is one that the tables know.
    #[test]
    fn every_claim_has_a_key() {
        let known: HashSet<String> = words().into_iter().map(|word| word.key.into_owned()).collect();
        for member in Member::all().filter(|m| m.spec().standing == Standing::Keyed) {
            let keys = keys_for(member.path());
            assert!(!keys.is_empty() && keys.iter().all(|key| known.contains(key)), "{}: {keys:?}", member.path());
        }
        assert_eq!(keys_for("model.version"), ["ai_audit.model.version", "gen_ai.response.model"]);
        assert_eq!(keys_for("prompt.version")[0], "gen_ai.prompt.version");
        assert_eq!(keys_for("subject.id"), ["ai_audit.subject.id", "ai_audit.data_subject.id"]);
        assert_eq!(keys_for("source.service"), ["service.name"]);
    }
}
