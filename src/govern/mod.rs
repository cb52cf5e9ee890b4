//! Acts that are records themselves (`signal: control`): what an operator or the receiver does to the evidence's conditions is
//! evidence too. Telemetry cannot make such records.

mod attestation;
mod attesting;
pub mod carry;
pub mod chain;
pub mod decrees;
pub mod enforce;
mod governor;
pub mod own;
mod places;
pub mod query;
pub mod register;
pub mod released;
mod trial;
mod wish;
mod words;

pub use attestation::{Attestation, FIRST_MAX, Found};
pub use attesting::{Attesting, Figures, Last, Parts};
pub(crate) use governor::seal_act;
pub use governor::{GovernError, Governor, SERVE, act_record};
pub use places::Expected;
pub use trial::Trial;
pub use wish::{Deed, FILTER_BYTES_MAX, Wish};
pub(crate) use words::Words;
pub use words::check_words;

use crate::clock::{UnixNanos, UnixSeconds};
use crate::record::canonical::Json;
use crate::record::{Batch, PendingRecord, RecordId, SCHEMA};
use crate::retain::{ClassIndex, Classes};

/// What this code calls itself in `evidence.writer`.
pub const WRITER: &str = concat!("spanseal/", env!("CARGO_PKG_VERSION"));

/// The record of a changed effective configuration (`store.md`: `config_sha256` is the SHA-256 of its `change.after`).
///
/// `after` and `before` are JCS texts of the redacted effective configuration. `random` makes the record's id. The record goes to the
/// class that keeps longest: it explains every seal made under it.
pub fn config_change(before: Option<&str>, after: &str, at: UnixNanos, random: [u8; 16], classes: &Classes) -> Batch {
    let mut change = vec![("object".to_owned(), Json::string("configuration")), ("after".to_owned(), Json::string(after))];
    if let Some(before) = before {
        change.push(("before".to_owned(), Json::string(before)));
    }
    control("config_change", ("change", change), at, random, classes)
}

/// A record of our own making, in the class that keeps longest.
fn control(kind: &str, (group, members): (&str, Vec<(String, Json)>), at: UnixNanos, random: [u8; 16], classes: &Classes) -> Batch {
    let class = longest(classes, at.ceil_seconds());
    let id = RecordId::derive("control", "", "", &hex::encode(random));
    let line = Json::object([
        ("schema", Json::string(SCHEMA)),
        ("id", Json::String(id.to_string())),
        ("kind", Json::string(kind)),
        ("time", Json::object([("start", Json::String(at.rfc3339()))])),
        ("source", Json::object([("signal", Json::string("control"))])),
        (group, Json::Object(members)),
        ("retention", Json::object([("class", Json::string(&classes.class(class).name))])),
        ("evidence", Json::object([("writer", Json::string(WRITER))])),
    ])
    .to_jcs();
    let record = PendingRecord {
        id,
        line: 0..line.len(),
        class,
        first: at,
        last: at,
        control: true,
        sameness: id.0,
        line_sameness: id.0,
        pieces: 0..0,
    };
    Batch { lines: line, records: vec![record], ..Batch::default() }
}

/// What an erasure says of itself. No person stands in it but by pseudonym, and no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Makes the record's id.
    pub random: [u8; 16],
    /// The person's pseudonym, or the record's id.
    pub target: String,
    /// Further pseudonyms of the person and how far it went, as JCS text.
    pub filter: Option<String>,
    /// Why.
    pub ground: String,
    /// The request that it answers.
    pub ticket: Option<String>,
    /// Whose content was erased: records.
    pub count: u64,
    /// Who asked for it, as evidence names persons.
    pub by: Option<String>,
}

/// The record of an erasure. It goes to the class that keeps longest: it explains what is missing for as long as anything is kept.
pub fn erasure(act: &Erasure, at: UnixNanos, classes: &Classes) -> Batch {
    let mut members = vec![
        ("act".to_owned(), Json::string("erase")),
        ("target".to_owned(), Json::string(&act.target)),
        ("ground".to_owned(), Json::string(&act.ground)),
        ("count".to_owned(), Json::String(act.count.to_string())),
    ];
    for (name, value) in [("filter", &act.filter), ("ticket", &act.ticket), ("by", &act.by)] {
        members.extend(value.as_ref().map(|value| (name.to_owned(), Json::string(value))));
    }
    control("erasure", ("control", members), at, act.random, classes)
}

/// What a reading of what the vault keeps says of itself. No person stands in it but by pseudonym, and no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Makes the record's id.
    pub random: [u8; 16],
    /// What was read: `content`, `identities` ...
    pub act: &'static str,
    /// The trace or record that was asked for; `None`: several.
    pub target: Option<String>,
    /// Which records and persons, and what was asked for, as JCS text.
    pub filter: String,
    /// Why.
    pub ground: Option<String>,
    /// The request that it answers.
    pub ticket: Option<String>,
    /// Of how many records something was shown.
    pub count: u64,
    /// Who reads, as evidence names persons.
    pub by: Option<String>,
}

/// The record of a reading. It goes to the class that keeps longest: who read is asked long after.
pub fn access(act: &Access, at: UnixNanos, classes: &Classes) -> Batch {
    let mut members = vec![
        ("act".to_owned(), Json::string(act.act)),
        ("filter".to_owned(), Json::string(&act.filter)),
        ("count".to_owned(), Json::String(act.count.to_string())),
    ];
    for (name, value) in [("target", &act.target), ("ground", &act.ground), ("ticket", &act.ticket), ("by", &act.by)] {
        members.extend(value.as_ref().map(|value| (name.to_owned(), Json::string(value))));
    }
    control("access", ("control", members), at, act.random, classes)
}

/// What an operator's act, or one of the process itself, says of itself. No person stands in it but as evidence names persons, and no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governance {
    /// Makes the record's id.
    pub random: [u8; 16],
    /// `kind`: `retention`, `hold`.
    pub kind: &'static str,
    /// What was done, in a word.
    pub act: &'static str,
    /// What it was done to.
    pub target: Option<String>,
    /// What more there is to say, as JCS text.
    pub filter: Option<String>,
    /// Why.
    pub ground: Option<String>,
    /// The request that it answers.
    pub ticket: Option<String>,
    /// How much it was done to.
    pub count: Option<u64>,
    /// Who asked for it, as evidence names persons.
    pub by: Option<String>,
    /// [`SERVE`] where the log's writer did it itself, unasked; `None`: it is told on the word of whoever asked.
    pub from: Option<&'static str>,
}

/// The record of such an act. It goes to the class that keeps longest: it answers for as long as anything is kept.
pub fn governance(act: &Governance, at: UnixNanos, classes: &Classes) -> Batch {
    let mut members = vec![("act".to_owned(), Json::string(act.act))];
    members.extend(act.count.map(|count| ("count".to_owned(), Json::String(count.to_string()))));
    members.extend(act.from.map(|from| ("from".to_owned(), Json::string(from))));
    for (name, value) in
        [("target", &act.target), ("filter", &act.filter), ("ground", &act.ground), ("ticket", &act.ticket), ("by", &act.by)]
    {
        members.extend(value.as_ref().map(|value| (name.to_owned(), Json::string(value))));
    }
    control(act.kind, ("control", members), at, act.random, classes)
}

/// A step of a decree, with who ordered it and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decreed {
    /// Makes the record's id.
    pub random: [u8; 16],
    /// What it says.
    pub entry: decrees::Entry,
    /// Why; on a step that somebody orders.
    pub ground: Option<String>,
    /// The order or file that it answers.
    pub ticket: Option<String>,
    /// Who ordered it, as evidence names persons.
    pub by: Option<String>,
}

/// The record of a step of a decree (kind `hold`, or `retention` for an extension). It goes to the class that keeps longest: as long as
/// anything is kept, it explains for how long.
pub fn decree(step: &Decreed, at: UnixNanos, classes: &Classes) -> Batch {
    use decrees::{Order, Step};
    let entry = &step.entry;
    let (kind, act) = match (entry.of.order, entry.step) {
        (Order::Hold, Step::Open) => ("hold", "place"),
        (Order::Hold, Step::Apply) => ("hold", "apply"),
        (Order::Hold, Step::Close | Step::GiveUp) => ("hold", "release"),
        (Order::Extend(_), Step::Open) => ("retention", "extend"),
        (Order::Extend(_), Step::Apply | Step::Close) => ("retention", "extended"),
        (Order::Extend(_), Step::GiveUp) => ("retention", "give_up"),
    };
    let mut members = vec![
        ("act".to_owned(), Json::string(act)),
        ("target".to_owned(), Json::string(&entry.of.id)),
        ("filter".to_owned(), Json::String(entry.to_text())),
        ("count".to_owned(), Json::String(entry.segments.len().to_string())),
    ];
    for (name, value) in [("ground", &step.ground), ("ticket", &step.ticket), ("by", &step.by)] {
        members.extend(value.as_ref().map(|value| (name.to_owned(), Json::string(value))));
    }
    Batch { decree: true, ..control(kind, ("control", members), at, step.random, classes) }
}

/// The class that keeps longest what is sealed at this moment: that of acts of our own.
pub(crate) fn longest(classes: &Classes, from: UnixSeconds) -> ClassIndex {
    // The period first: a day of COMPLIANCE keeps nothing for as long as a year of GOVERNANCE does.
    let all = classes.iter().max_by_key(|(_, c)| (c.period.after(from), c.mode));
    all.map_or(classes.default_class(), |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retain::Class;
    use crate::worm::Mode;

    #[test]
    fn a_configuration_change_is_a_canonical_control_record_in_the_longest_class() {
        let class = |name: &str, mode, period: &str| Class { name: name.into(), mode, period: period.parse().unwrap(), claimable: false };
        let classes = vec![
            class("standard", Mode::Governance, "180d"),
            class("long", Mode::Governance, "7y"),
            class("strict", Mode::Compliance, "1d"),
        ];
        let classes = Classes::new(classes, "standard", "10y".parse().unwrap(), UnixNanos(0).ceil_seconds()).unwrap();
        let batch = config_change(Some("{\"a\":1}"), "{\"a\":2}", UnixNanos(1), [7; 16], &classes);
        let record = &batch.records[0];
        let json = Json::parse_canonical(batch.line(record)).unwrap();
        assert_eq!(json.path("change.after").and_then(Json::as_str), Some("{\"a\":2}"));
        assert_eq!(json.path("change.before").and_then(Json::as_str), Some("{\"a\":1}"));
        assert_eq!(json.path("retention.class").and_then(Json::as_str), Some("long"));
        assert_eq!(json.path("id").and_then(Json::as_str), Some(record.id.to_string().as_str()));
        assert!(record.control);
        let act = Erasure {
            random: [9; 16],
            target: "ps:vault:00".into(),
            filter: None,
            ground: "Art. 17 GDPR".into(),
            ticket: Some("DSR-7".into()),
            count: 3,
            by: None,
        };
        let batch = erasure(&act, UnixNanos(1), &classes);
        let json = Json::parse_canonical(batch.line(&batch.records[0])).unwrap();
        let text = |path: &str| json.path(path).and_then(Json::as_str);
        assert_eq!((text("kind"), text("control.act"), text("control.count")), (Some("erasure"), Some("erase"), Some("3")));
        assert_eq!((text("retention.class"), text("control.ticket"), text("control.by")), (Some("long"), Some("DSR-7"), None));
        let of = decrees::Decree {
            id: "LH-7".into(),
            order: decrees::Order::Hold,
            query: Json::object([]),
            since: UnixNanos(1).ceil_seconds(),
            through: 0,
        };
        let entry = decrees::Entry { step: decrees::Step::Open, of: of.clone(), segments: vec![], open: vec![of] };
        let step = Decreed { random: [8; 16], entry: entry.clone(), ground: Some("litigation".into()), ticket: None, by: None };
        let batch = decree(&step, UnixNanos(1), &classes);
        let json = Json::parse_canonical(batch.line(&batch.records[0])).unwrap();
        let text = |path: &str| json.path(path).and_then(Json::as_str);
        assert_eq!((text("kind"), text("control.act"), text("control.target")), (Some("hold"), Some("place"), Some("LH-7")));
        assert_eq!((decrees::Entry::of(&json), batch.decree), (Some(Ok(entry)), true));
    }
}
