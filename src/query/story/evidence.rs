//! What stands behind the story: what is missing, what is held only as a hash, who says so, how long it is kept, how it is proved.

use std::collections::{BTreeMap, BTreeSet};

use super::again::{behind_seal, from_others};
use super::words::{date, erased, list, list_some, moment, number, quote, sentence};
use super::{Item, Trust};
use crate::clock::UnixNanos;
use crate::query::Hit;
use crate::query::log::KeySource;
use crate::query::opening::Erasures;
use crate::record::canonical::Json;
use crate::record::content::referred;
use crate::worm::Mode;

/// Dotted paths in words, as they may stand in `evidence.missing`.
const PATHS: &[(&str, &str)] = &[
    ("action.name", "what was done"),
    ("actor.user_id", "who used the system"),
    ("confidence.method", "how the confidence was determined"),
    ("confidence.score", "how sure the model was"),
    ("confidence.of", "what the confidence is about"),
    ("confidence.threshold", "the threshold for the confidence"),
    ("confidence.threshold_source", "where the threshold comes from"),
    ("decision.authority", "in whose authority the decision was made"),
    ("decision.automation_level", "how far the decision was automatic"),
    ("decision.id", "an identifier of the decision"),
    ("decision.outcome", "the outcome of the decision"),
    ("decision.purpose", "the purpose of the decision"),
    ("decision.type", "what kind of decision it was"),
    ("explanation.method", "how the explanation was made"),
    ("explanation.text", "an explanation in words"),
    ("input", "what went in"),
    ("kind", "what kind of record it is"),
    ("lineage.data_sources", "where the data came from"),
    ("lineage.lawful_basis", "the lawful basis for using the data"),
    ("lineage.purpose", "the purpose for which the data was used"),
    ("model.checksum", "the checksum of the model"),
    ("model.id", "which model it was"),
    ("model.provider", "who provided the model"),
    ("model.version", "the version of the model"),
    ("output", "what came out"),
    ("policy.id", "the policy in force"),
    ("policy.name", "the name of the policy in force"),
    ("policy.outcome", "what the policy led to"),
    ("policy.version", "the version of the policy in force"),
    ("prompt.hash", "a hash of the instructions"),
    ("prompt.name", "the name of the prompt"),
    ("prompt.version", "the version of the prompt"),
    ("output.choices", "how many answers there were"),
    ("regulation.frameworks", "the laws that apply"),
    ("retrieval.documents", "which documents were found"),
    ("review.decision", "what the review concluded"),
    ("review.reviewer.id", "who reviewed it"),
    ("review.reviewer.kind", "whether a human reviewed it"),
    ("review.reviewer.role", "the role of the reviewer"),
    ("subject.id", "whom the decision is about"),
    ("system.id", "which AI system it was"),
    ("system.risk_class", "the risk class of the system"),
    ("system.use_case", "what the system is used for"),
    ("time.end", "when it ended"),
    ("time.start", "when it began"),
    ("time.to_first_chunk", "when the answer began"),
    ("trace.trace_id", "the trace it belongs to"),
    ("usage.aggregate", "whether the usage is a sum"),
    ("usage.input_tokens", "how much text went in"),
    ("usage.output_tokens", "how much text came out"),
];

/// Where content objects stand, in words.
const CONTENT: &[(&str, &str)] = &[
    ("prompt.instructions", "the instructions"),
    ("input", "the input"),
    ("output", "the answer"),
    ("retrieval.query", "the search query"),
    ("retrieval.documents", "the documents found"),
    ("tool.arguments", "what the tool was given"),
    ("tool.result", "what the tool gave back"),
    ("tool.definitions", "the description of the tools"),
    ("review.reason", "the reviewer's reason"),
    ("lineage.value", "the value of the data"),
    ("explanation.text", "the explanation in words"),
    ("evaluation.explanation", "the reason of the rating"),
    ("error.message", "the error message"),
    ("error.stacktrace", "where in the program the error arose"),
    ("change.reason", "the reason of the change"),
    ("rest", "further attributes"),
];

/// A single further attribute.
const NAMELESS: &str = "the value of one further attribute, whose name is not kept";

/// Whether content is an attribute without the key under which it was sent: `record.md` section 4 keeps the bytes alone where one text
/// carried them. Of other content the member says what it is.
fn is_nameless(path: &str, scheme: Option<&str>) -> bool {
    path == "rest" && scheme == Some("utf8")
}

fn in_words(path: &str) -> String {
    PATHS.iter().chain(CONTENT).find(|(p, _)| *p == path).map_or_else(|| quote(path), |(_, words)| (*words).to_owned())
}

/// A content object's place, in words: `retrieval.documents[2].content` is the third document found. `scheme` is that of its preimage, where
/// it is known.
pub fn member_in_words(member: &str, scheme: Option<&str>) -> String {
    if is_nameless(member, scheme) {
        return NAMELESS.to_owned();
    }
    let document = member.strip_prefix("retrieval.documents[").and_then(|rest| rest.strip_suffix("].content"));
    match document.and_then(|n| n.parse::<u64>().ok()) {
        Some(n) => format!("document {} of those found", n.saturating_add(1)),
        None => in_words(member),
    }
}

pub(super) fn numbers(of: &BTreeSet<usize>, all: usize) -> String {
    match of.len() {
        n if n == all && n > 1 => "all records".to_owned(),
        1 => format!("record {}", list(&of.iter().map(usize::to_string).collect::<Vec<_>>())),
        _ => format!("records {}", list_some(&of.iter().map(usize::to_string).collect::<Vec<_>>(), 8)),
    }
}

/// What the records themselves say is missing, and what was lost or changed on the way.
pub(super) fn missing(known: &[&Hit]) -> Vec<Item> {
    let mut by_path: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut marks: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (i, hit) in known.iter().enumerate() {
        let listed = |name: &str| hit.record.path(&format!("evidence.{name}")).and_then(Json::as_array).unwrap_or_default();
        for path in listed("missing").iter().filter_map(Json::as_str) {
            by_path.entry(in_words(path)).or_default().insert(i + 1);
        }
        for (name, words) in [
            ("truncated", "Something was too long and was cut"),
            ("conflicts", "Something did not fit its place, or was stated twice, and was set aside"),
            ("scrubbed", "Something looked like personal data and was blacked out"),
        ] {
            // A score outside its range, and a hash that is another content's, stay where they stand; they were not set aside.
            let is_set_aside = |path: &str| out_of_range(hit, path).is_none() && hashed(path).is_none();
            if listed(name).iter().any(|path| name != "conflicts" || is_set_aside(path.as_str().unwrap_or_default())) {
                marks.entry(words).or_default().insert(i + 1);
            }
        }
        for (path, words) in [
            ("evidence.dropped", "The sender itself says that it left something out"),
            (
                "evidence.withheld",
                "Some attributes were left out on purpose: by a rule of the operator, or because they could identify a person or a machine",
            ),
        ] {
            if hit.record.path(path).is_some() {
                marks.entry(words).or_default().insert(i + 1);
            }
        }
    }
    // The same set of records is named once.
    let mut grouped_paths: BTreeMap<BTreeSet<usize>, Vec<String>> = BTreeMap::new();
    for (words, of) in by_path {
        grouped_paths.entry(of).or_default().push(words);
    }
    let paths = grouped_paths.into_iter().map(|(of, words)| format!("In {}: {}.", numbers(&of, known.len()), list(&words)));
    let marks = marks.into_iter().map(|(words, of)| format!("{words} (in {}).", numbers(&of, known.len())));
    let scores = known.iter().enumerate().flat_map(|(i, hit)| {
        let words = [("confidence.score", "confidence"), ("decision.score", "score of the decision")];
        words.into_iter().filter_map(move |(path, what)| {
            Some(format!("The {what} {} is not between 0 and 1 (in record {}).", number(out_of_range(hit, path)?), i + 1))
        })
    });
    let hashes = known.iter().enumerate().flat_map(|(i, hit)| {
        let conflicts = hit.record.path("evidence.conflicts").and_then(Json::as_array).unwrap_or_default();
        conflicts.iter().filter_map(Json::as_str).filter_map(hashed).map(move |member| {
            format!(
                "The hash that the application reported of {} is not that of what was fetched from where it said (in record {}): one of the two \
                 is another.",
                CONTENT.iter().find(|(path, _)| *path == member).map_or("a content", |(_, words)| *words),
                i + 1
            )
        })
    });
    paths.chain(marks).chain(scores).chain(hashes).map(Item::Point).collect()
}

/// The content whose claimed hash a conflict names.
fn hashed(path: &str) -> Option<&str> {
    path.strip_suffix(".claimed_hash")
}

/// A score that is kept as sent although it is not between 0 and 1.
pub(in crate::query) fn out_of_range<'a>(hit: &'a Hit, path: &str) -> Option<&'a Json> {
    if !matches!(path, "confidence.score" | "decision.score") {
        return None;
    }
    hit.record.path(path).filter(|score| matches!(score, Json::Number(n) if !(0.0..=1.0).contains(n)))
}

/// How one piece of content is held, to follow "is ...".
pub(super) fn held(content: Option<&Json>) -> &'static str {
    match content.and_then(|c| c.get("captured")).and_then(Json::as_str) {
        Some("hash") => "held only as a hash",
        // Whether it is there still, nobody has looked.
        Some("vault") => "not in the evidence; it was put into the vault",
        Some("by_reference") => "kept elsewhere by the application; the evidence holds only where",
        Some("redacted") => "blacked out by the application",
        Some("absent") => "not in what was sent",
        _ => "not recorded",
    }
}

fn content_at<'a>(record: &'a Json, path: &str) -> Vec<&'a Json> {
    match record.path(path) {
        Some(Json::Array(items)) => items.iter().filter_map(|i| i.get("content")).collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// Content that is held, and was not sent: no word of `captured`.
const FETCHED: &str = "(fetched)";

/// What was said is not in the evidence; how it is held instead, or that it was erased.
pub(super) fn content(known: &[&Hit], erasures: &Erasures) -> Vec<Item> {
    let mut by_way: BTreeMap<&str, BTreeMap<&str, BTreeSet<usize>>> = BTreeMap::new();
    let mut by_erasure: BTreeMap<String, BTreeMap<&str, BTreeSet<usize>>> = BTreeMap::new();
    for (i, hit) in known.iter().enumerate() {
        let erasure = erasures.that_took(hit).map(|erasure| sentence(&erased(&erasure)));
        for (path, words) in CONTENT {
            for content in content_at(&hit.record, path) {
                if let Some(way) = content.get("captured").and_then(Json::as_str) {
                    let words = if is_nameless(path, content.get("scheme").and_then(Json::as_str)) { NAMELESS } else { words };
                    let of = match &erasure {
                        Some(erasure) if way == "vault" => by_erasure.entry(erasure.clone()).or_default(),
                        _ => by_way.entry(way).or_default(),
                    };
                    of.entry(words).or_default().insert(i + 1);
                }
            }
        }
        for named in referred(&hit.record).iter().filter(|named| named.is_fetched) {
            if let Some((_, words)) = CONTENT.iter().find(|(path, _)| *path == named.member) {
                by_way.entry(FETCHED).or_default().entry(words).or_default().insert(i + 1);
            }
        }
    }
    let ways = [
        (
            "hash",
            "Held only as a keyed hash: {}. Whoever has a copy can check, with the store's identity key, that it is the same; from the hash \
             it cannot be read.",
        ),
        ("vault", "Kept in the vault when it was sealed, from where it can be erased without harm to any proof: {}."),
        (
            "by_reference",
            "Kept elsewhere by the application, and not fetched from there when it was received: {}. The evidence holds where it lay, and \
             nothing by which to see whether what lies there now is the same.",
        ),
        (FETCHED, "Not sent but only named by the application, and fetched from where it said when it was received: {}."),
        ("redacted", "Blacked out by the application before it was sent: {}."),
        ("absent", "Not in what was sent, which does not mean that there was none: {}."),
    ];
    let mut items = Vec::new();
    let named = |pieces: &BTreeMap<&str, BTreeSet<usize>>| {
        let of = |of: &BTreeSet<usize>| if known.len() == 1 { String::new() } else { format!(" ({})", numbers(of, known.len())) };
        list(&pieces.iter().map(|(words, records)| format!("{words}{}", of(records))).collect::<Vec<_>>())
    };
    for (way, sentence) in ways {
        if let Some(pieces) = by_way.get(way) {
            items.push(Item::Point(sentence.replace("{}", &named(pieces))));
        }
    }
    items.extend(by_erasure.iter().map(|(erasure, pieces)| Item::Point(format!("{erasure}: {}.", named(pieces)))));
    if !items.is_empty() {
        items.insert(0, Item::Text("Prompts, answers and documents themselves are not in the evidence.".to_owned()));
    }
    items
}

/// What is a claim of the sender and what a fact of the receiver, as far as the key that checked the seals lets it be one.
pub(super) fn claims(known: &[&Hit], key: KeySource) -> Vec<Item> {
    if known.is_empty() {
        return Vec::new();
    }
    let mut items = Vec::new();
    let control = known.iter().filter(|h| h.text("source.signal") == Some("control")).count();
    if control < known.len() {
        let claim = "What happened in the application is told as the application reported it. Spanseal did not watch it happen, and does \
                     not vouch that it is true.";
        let fact = match key {
            KeySource::Pinned | KeySource::Configured => "What spanseal itself vouches for:",
            // Whoever can write the store can put a key there that fits seals of their own making.
            KeySource::Unpinned => {
                "What spanseal itself states stands below; that the seals are its own is not shown here, because the key that checks them \
                 came from the store:"
            }
        };
        items.push(Item::Text(format!("{claim} {fact}")));
    }
    let mut received: Vec<&str> =
        known.iter().filter(|h| control < known.len() && !is_after_seal(h)).filter_map(|h| h.text("time.received")).collect();
    received.sort_unstable();
    match (received.first(), received.last()) {
        (Some(first), Some(last)) if moment(first) == moment(last) => {
            items.push(Item::Point(format!("the reports arrived on {};", moment(first))))
        }
        (Some(first), Some(last)) => {
            items.push(Item::Point(format!("the reports arrived between {} and {};", moment(first), moment(last))))
        }
        _ => {}
    }
    items.extend(late(known));
    items.push(Item::Point(match (control == known.len(), control) {
        (true, 1) => "spanseal made the record itself: no application sent it;".to_owned(),
        (true, _) => "spanseal made the records itself: no application sent them;".to_owned(),
        (false, _) => sender(known),
    }));
    items.extend(from_others(known));
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for hit in known {
        for (path, how) in hit.record.path("evidence.derived").and_then(Json::as_object).unwrap_or_default() {
            found.entry(how.as_str().unwrap_or_default()).or_default().insert(derived_in_words(path));
        }
    }
    for (how, words) in [("computed", "it worked out itself"), ("configured", "it took from the operator's configuration")] {
        if let Some(what) = found.remove(how) {
            items.push(Item::Point(format!("{words}: {};", list(&what.into_iter().collect::<Vec<_>>()))));
        }
    }
    let whole = match key {
        KeySource::Pinned | KeySource::Configured => "since they were sealed, the records are the same to the byte (see the proof below).",
        KeySource::Unpinned => {
            "the records are those that the seals name: the store agrees with itself; pin the log's key with --vkey to know more."
        }
    };
    items.push(Item::Point(whole.to_owned()));
    items
}

/// Whether a record's time of receipt is later than the seal that holds it: what a seal holds had arrived before.
fn is_after_seal(hit: &Hit) -> bool {
    // Seals state whole seconds, rounded up.
    hit.text("time.received").and_then(UnixNanos::parse).is_some_and(|at| at.ceil_seconds() > hit.place.seal.statement.sealed_at)
}

/// Of which records nothing can be said of their arrival, because the time stated for it is impossible.
fn late(known: &[&Hit]) -> Option<Item> {
    let late: Vec<(usize, &&Hit)> = (1..).zip(known).filter(|(_, hit)| is_after_seal(hit)).collect();
    let (_, first) = late.first()?;
    let who = numbers(&late.iter().map(|(number, _)| *number).collect(), known.len());
    let stated = moment(first.text("time.received").unwrap_or_default());
    let sealed = moment(&first.place.seal.statement.sealed_at.to_string());
    Some(Item::Point(match late.len() {
        1 => format!("not when {who} arrived: the time stated for it ({stated}) is later than its seal ({sealed}), which cannot be;"),
        _ => format!(
            "not when {who} arrived: the times stated for them are later than their seals, which cannot be; for the first of them {stated}, \
             sealed {sealed};"
        ),
    }))
}

fn derived_in_words(path: &str) -> String {
    match path {
        "confidence.threshold_met" => "whether the confidence met its threshold".to_owned(),
        "review.deadline_met" => "whether the review met its deadline".to_owned(),
        "decision.id" => "an identifier for the decision".to_owned(),
        other => in_words(other),
    }
}

/// Who sent them; where that were several, which of them: a trace id joins records whoever sent them.
fn sender(known: &[&Hit]) -> String {
    // Those that are known come first.
    let mut by_peer: BTreeMap<(bool, &str, &str), BTreeSet<usize>> = BTreeMap::new();
    for (number, hit) in (1..).zip(known).filter(|(_, hit)| hit.text("source.signal") != Some("control")) {
        let (method, id) = hit.sender().unwrap_or(("none", ""));
        by_peer.entry((method == "none", method, id)).or_default().insert(number);
    }
    let mut peers = by_peer.keys();
    match (peers.next(), peers.next()) {
        (None | Some((true, ..)), None) => "nothing about who sent them: the sender did not have to identify itself;".to_owned(),
        (Some((false, method, id)), None) => format!("they came from {};", named(method, id)),
        _ => {
            let parts = by_peer.iter().map(|((is_unknown, method, id), of)| match is_unknown {
                true => format!("{} from senders that did not have to identify themselves", numbers(of, known.len())),
                false => format!("{} from {}", numbers(of, known.len()), named(method, id)),
            });
            format!("they came from several senders, {};", list_some(&parts.collect::<Vec<_>>(), SENDERS_SHOWN))
        }
    }
}

/// A sender that showed who it is.
pub(super) fn named(method: &str, id: &str) -> String {
    let proof = match method {
        "mtls" => "a certificate",
        "token" => "a token",
        other => other,
    };
    format!("{} (shown by {proof})", quote(id))
}

/// Senders that a story names.
const SENDERS_SHOWN: usize = 8;

/// Policies that a story names for a record.
const POLICIES_SHOWN: usize = 8;

/// Which retention class until when.
pub(super) fn retention(hits: &[&Hit]) -> Vec<Item> {
    let mut groups: BTreeMap<(String, String, Mode2, String), BTreeSet<usize>> = BTreeMap::new();
    for (i, hit) in hits.iter().enumerate() {
        let segment = &hit.place.segment;
        let not_worm = hit.place.seal.statement.not_worm;
        let why = format!("{}{}{}", chosen_by(hit), asked_for(hit), of_own(hit));
        let key = (segment.class.clone(), date(segment.lock.retain_until), Mode2(segment.lock.mode, not_worm), why);
        groups.entry(key).or_default().insert(i + 1);
    }
    groups
        .into_iter()
        .map(|((class, until, Mode2(mode, not_worm), chosen), of)| {
            let who = numbers(&of, hits.len());
            let class = quote(&class);
            // What the seal states. The lock itself stands in the store, where `verify` reads it.
            let words = match (not_worm, mode) {
                (true, _) => {
                    let verb = if of.len() == 1 { "is" } else { "are" };
                    format!(
                        "{who} {verb} to be kept at least until {until}, in the class {class}. This store does not enforce it: the date is an \
                         intention, not a lock."
                    )
                }
                (false, mode) => {
                    let verb = if of.len() == 1 { "was" } else { "were" };
                    let meant = match mode {
                        Mode::Compliance => "COMPLIANCE, by which nobody may delete earlier",
                        Mode::Governance => "GOVERNANCE, by which only somebody with a special permission may delete earlier",
                    };
                    format!(
                        "{who} {verb} sealed with a lock until {until}, in the class {class} (mode {meant}). The lock was not looked at \
                         here; `spanseal verify` checks whether the store still holds it."
                    )
                }
            };
            Item::Point(format!("{}{chosen}", sentence(&words)))
        })
        .collect()
}

/// Which policies matched a record when it was sealed; nothing where none did.
fn chosen_by(hit: &Hit) -> String {
    let policies = hit.record.path("retention.policies").and_then(Json::as_array).unwrap_or_default();
    let names: Vec<String> = policies.iter().filter_map(Json::as_str).map(quote).collect();
    match names.len() {
        0 => String::new(),
        1 => format!(" The policy that matched was {}.", list(&names)),
        _ => format!(" The policies that matched were {}.", list_some(&names, POLICIES_SHOWN)),
    }
}

/// The class that the sender asked for, and that it is not the one that the record has. The record does not say why: what may be asked for
/// stands in the configuration of its day.
fn asked_for(hit: &Hit) -> String {
    let Some(asked) = hit.text("retention.claimed") else { return String::new() };
    let class = &hit.place.segment.class;
    if asked == class.as_str() {
        return " The sender asked for that class.".to_owned();
    }
    format!(
        " The sender asked for the class {}, which was not given: either no sender may ask for it (it is not marked as claimable, or there was no \
         such class), or the class {} keeps it as long and as strongly at least; what a sender asks for only ever lengthens.",
        quote(asked),
        quote(class)
    )
}

/// Why a record of the writer's own making has its class, whose name may speak of something else altogether.
fn of_own(hit: &Hit) -> String {
    if hit.text("source.signal") != Some("control") {
        return String::new();
    }
    let class = quote(&hit.place.segment.class);
    format!(" Spanseal's own acts are kept as long as the longest class, which was {class}, whatever that is named after.")
}

/// [`Mode`] with "not enforced", as a sorting key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mode2(Mode, bool);

/// In which seals the records stand, and how anybody can check that.
pub(super) fn proof(hits: &[&Hit], trust: Trust<'_>) -> Vec<Item> {
    let Some(any) = hits.first() else { return Vec::new() };
    let mut items = Vec::new();
    items.push(Item::Text(
        match trust.key {
            KeySource::Pinned => {
                "Each record stands in a segment, each segment in a signed seal. The seals were checked with the key you brought."
            }
            KeySource::Configured => {
                "Each record stands in a segment, each segment in a signed seal. The seals were checked with this installation's own key."
            }
            KeySource::Unpinned => {
                "Each record stands in a segment, each segment in a signed seal. The key came from the store itself, which shows only that \
             the store agrees with itself; bring the key that you were given (--vkey) to know more."
            }
        }
        .to_owned(),
    ));
    for (i, hit) in hits.iter().enumerate() {
        let number = if hit.is_known() { format!("{:>3}", i + 1) } else { "  -".to_owned() };
        let statement = &hit.place.seal.statement;
        let id = hit.text("id").map_or_else(|| "(no id)".to_owned(), super::clean);
        let copies = behind_seal(hit);
        items.push(Item::Verbatim(format!(
            "{number}  {id}  seal {} of {}, line {} of {}{copies}",
            statement.index,
            statement.log,
            hit.place.leaf_index + 1,
            hit.place.segment.records
        )));
    }
    let id = hits.iter().find(|h| h.text("decision.outcome").is_some()).or(Some(any)).and_then(|h| h.text("id")).unwrap_or("ID");
    items.push(Item::Text("To give somebody a proof of one record, which they can check without access to this store:".to_owned()));
    items.push(Item::Verbatim(format!("spanseal prove {}{} > proof.json", super::clean(id), trust.flags)));
    items.push(Item::Verbatim("spanseal check proof.json --vkey KEY".to_owned()));
    items.push(Item::Text("To check the whole store:".to_owned()));
    items.push(Item::Verbatim(format!("spanseal verify{} --vkey KEY", trust.flags)));
    if !trust.complete {
        items.push(Item::Text("Part of the store could not be read, so this story may lack something.".to_owned()));
    }
    items
}
