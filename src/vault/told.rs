//! What a sealed `erasure` record tells of what it took: enough to find the packs again, and to tell what an erasure took from what
//! somebody else deleted.
//!
//! It stands in `control.filter`, which is JCS text:
//!
//! ```text
//! {"part":"2",                                     absent in the first record of an erasure
//!  "persons":["ps:..."],                           further forms of the person besides control.target
//!  "records":[["20261121","17","<record id>",...]],  day of the pack, seal, records whose content was taken
//!  "scope":"person","shared":true,
//!  "despite_holds":["LH-2026-014"]}                legal holds that were open and mean something of it; absent where none did
//! ```
//!
//! Records of versions before this one have no `records`: what they took can only be inferred from whom they name.

use std::collections::{BTreeMap, BTreeSet};

use super::persons::parse_pseudonym;
use super::{Scope, pack};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::canonical::Json;

/// Records by the seal that holds them, and the day (UTC, its first second) under which the vault keeps the packs of that seal.
pub type Places = BTreeMap<(u64, UnixSeconds), BTreeSet<RecordId>>;

/// The day of a seal, under which the vault keeps its packs.
pub fn day_of(sealed_at: UnixSeconds) -> UnixSeconds {
    UnixSeconds(sealed_at.0.div_euclid(86_400).saturating_mul(86_400))
}

/// Most records that one `erasure` record names. Each takes some 37 bytes in the line, each seal some 35 at most, and a line has 1 MiB.
pub const RECORDS_MAX: usize = 10_000;

/// One `erasure` record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its own id; empty where it has none.
    pub id: String,
    /// Every form of the person, and a record's id where it is about one.
    pub targets: BTreeSet<String>,
    /// Pseudonyms whose entries were erased.
    pub persons: BTreeSet<[u8; 16]>,
    /// What was taken; `None`: it does not say.
    pub records: Option<Places>,
    /// What was meant too and was not in the vault then: it is not shown if it comes back.
    pub absent: Places,
    /// Names of the legal holds that it went before.
    pub despite: BTreeSet<String>,
}

impl Told {
    /// Reads an `erasure` record of the writer's own making; `None` where it is none, whatever telemetry calls so.
    pub fn parse(record: &Json) -> Option<Self> {
        let text = |path: &str| record.path(path).and_then(Json::as_str);
        if text("source.signal") != Some("control") || text("kind") != Some("erasure") {
            return None;
        }
        let filter = text("control.filter").and_then(|text| Json::parse(text.as_bytes()).ok());
        let texts = |name: &str| filter.as_ref().and_then(|f| f.get(name)).and_then(Json::as_array).unwrap_or_default();
        let persons = texts("persons");
        let targets: BTreeSet<String> =
            text("control.target").into_iter().chain(persons.iter().filter_map(Json::as_str)).map(str::to_owned).collect();
        Some(Told {
            id: text("id").unwrap_or_default().to_owned(),
            persons: targets.iter().filter_map(|form| parse_pseudonym(form)).collect(),
            records: filter.as_ref().and_then(|f| f.get("records")).and_then(Json::as_array).map(read_places),
            absent: filter.as_ref().and_then(|f| f.get("absent")).and_then(Json::as_array).map(read_places).unwrap_or_default(),
            despite: texts("despite_holds").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            targets,
        })
    }

    /// Whether it says that it took this record's content.
    pub fn took(&self, seal: u64, record: RecordId) -> bool {
        self.records.as_ref().is_some_and(|places| holds(places, seal, record))
    }

    /// Whether it means this record's content, which it took or did not find.
    pub fn meant(&self, seal: u64, record: RecordId) -> bool {
        self.took(seal, record) || holds(&self.absent, seal, record)
    }
}

/// Whether a record of a seal is among them, whatever the day.
pub(super) fn holds(places: &Places, seal: u64, record: RecordId) -> bool {
    places.range((seal, UnixSeconds(i64::MIN))..=(seal, UnixSeconds(i64::MAX))).any(|(_, ids)| ids.contains(&record))
}

/// What one `erasure` record says of content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What was taken.
    pub taken: Places,
    /// What was meant and not found.
    pub absent: Places,
}

/// What is to be said, in parts of which each fits into one record.
pub fn parts(taken: &Places, absent: &Places) -> Vec<Part> {
    let count = |places: &Places| places.values().map(BTreeSet::len).sum::<usize>();
    let all = count(taken) + count(absent);
    if (1..=RECORDS_MAX).contains(&all) {
        return vec![Part { taken: taken.clone(), absent: absent.clone() }];
    }
    let of_taken = divide(taken, RECORDS_MAX).into_iter().map(|taken| Part { taken, ..Part::default() });
    of_taken.chain(divide(absent, RECORDS_MAX).into_iter().map(|absent| Part { absent, ..Part::default() })).collect()
}

/// `control.filter` of an erasure. `despite`: names of the legal holds that it goes before. `part` counts the records of one erasure from 0.
pub fn filter_text(
    (scope, shared): (Scope, bool),
    despite: &BTreeSet<String>,
    persons: impl Iterator<Item = String>,
    part: u64,
    says: &Part,
) -> String {
    let mut members = vec![("scope".to_owned(), Json::string(scope.as_str())), ("records".to_owned(), write_places(&says.taken))];
    if !says.absent.is_empty() {
        members.push(("absent".to_owned(), write_places(&says.absent)));
    }
    if shared {
        members.push(("shared".to_owned(), Json::Bool(true)));
    }
    if !despite.is_empty() {
        members.push(("despite_holds".to_owned(), Json::Array(despite.iter().map(Json::string).collect())));
    }
    let persons: Vec<Json> = persons.map(Json::String).collect();
    if !persons.is_empty() {
        members.push(("persons".to_owned(), Json::Array(persons)));
    }
    if part > 0 {
        members.push(("part".to_owned(), Json::String(part.saturating_add(1).to_string())));
    }
    Json::Object(members).to_jcs_string()
}

/// `[["20261121","17","<record id>",...],...]`
pub(super) fn write_places(places: &Places) -> Json {
    let one = |((seal, at), ids): (&(u64, UnixSeconds), &BTreeSet<RecordId>)| {
        let place = [Json::String(pack::day(*at)), Json::String(seal.to_string())];
        Json::Array(place.into_iter().chain(ids.iter().map(|id| Json::String(id.to_string()))).collect())
    };
    Json::Array(places.iter().map(one).collect())
}

/// What of it can be read; a later version may write more.
pub(super) fn read_places(places: &[Json]) -> Places {
    let one = |place: &Json| -> Option<((u64, UnixSeconds), BTreeSet<RecordId>)> {
        let (day, rest) = place.as_array()?.split_first()?;
        let (seal, ids) = rest.split_first()?;
        let ids = ids.iter().filter_map(|id| RecordId::parse(id.as_str()?)).collect();
        Some(((seal.as_str()?.parse().ok()?, pack::parse_day(day.as_str()?)?), ids))
    };
    let mut found = Places::new();
    for (place, ids) in places.iter().filter_map(one) {
        found.entry(place).or_default().extend(ids);
    }
    found
}

/// How many records they are.
pub fn count(places: &Places) -> u64 {
    places.values().map(|ids| u64::try_from(ids.len()).unwrap_or(u64::MAX)).sum()
}

/// The same places without what `known` names.
pub fn without(places: &Places, known: &Places) -> Places {
    let left = places.iter().map(|(place, ids)| {
        let left = known.get(place).map_or_else(|| ids.clone(), |known| ids.difference(known).copied().collect());
        (*place, left)
    });
    left.filter(|(_, ids): &(_, BTreeSet<RecordId>)| !ids.is_empty()).collect()
}

/// Adds `more` to `places`.
pub fn add(places: &mut Places, more: &Places) {
    for (place, ids) in more {
        places.entry(*place).or_default().extend(ids);
    }
}

/// In parts of at most `most` records.
fn divide(places: &Places, most: usize) -> Vec<Places> {
    let mut parts: Vec<Places> = Vec::new();
    let mut room = 0;
    for (place, ids) in places {
        for id in ids {
            if room == 0 {
                parts.push(Places::new());
                room = most.max(1);
            }
            room -= 1;
            if let Some(part) = parts.last_mut() {
                part.entry(*place).or_default().insert(*id);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(of: &[(u64, &[u8])]) -> Places {
        let day = UnixSeconds::parse_strict("2026-11-21T00:00:00Z").unwrap();
        of.iter().map(|(seal, ids)| ((*seal, day), ids.iter().map(|n| RecordId([*n; 16])).collect())).collect()
    }

    fn record(signal: &str, filter: Option<&str>) -> Json {
        let target = "ps:vault:abababababababababababababababab";
        let mut control = vec![("target".to_owned(), Json::string(target))];
        control.extend(filter.map(|filter| ("filter".to_owned(), Json::string(filter))));
        Json::object([
            ("id", Json::string("e1")),
            ("kind", Json::string("erasure")),
            ("source", Json::object([("signal", Json::string(signal))])),
            ("control", Json::Object(control)),
        ])
    }

    #[test]
    fn what_was_taken_is_read_back_as_written() {
        let taken = places(&[(7, &[1, 2]), (9, &[1])]);
        let persons = ["ps:vault:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd".to_owned(), "ps:66687aad:00".to_owned()];
        let absent = places(&[(9, &[3])]);
        let says = Part { taken: taken.clone(), absent: absent.clone() };
        let text = filter_text((Scope::Person, true), &BTreeSet::from(["LH-1".to_owned()]), persons.into_iter(), 1, &says);
        assert!(
            text.starts_with("{\"absent\":[[")
                && text.contains("\"despite_holds\":[\"LH-1\"],")
                && text.contains("\"part\":\"2\",\"persons\":[\"ps:vault:cd")
                && text.ends_with("\"scope\":\"person\",\"shared\":true}"),
            "{text}"
        );
        let told = Told::parse(&record("control", Some(&text))).unwrap();
        assert_eq!((told.persons.len(), told.targets.len(), told.records.as_ref()), (2, 3, Some(&taken)));
        assert_eq!(told.despite, BTreeSet::from(["LH-1".to_owned()]));
        assert!(told.took(7, RecordId([2; 16])) && !told.took(9, RecordId([2; 16])) && !told.took(8, RecordId([1; 16])));
        let (third, ninth) = (RecordId([3; 16]), 9);
        assert!(told.absent == absent && told.meant(ninth, third) && !told.took(ninth, third) && told.meant(7, RecordId([2; 16])));
        assert_eq!(Told::parse(&record("span", Some(&text))), None, "telemetry erases nothing");
        let before = Told::parse(&record("control", None)).unwrap();
        assert_eq!((before.records.clone(), before.took(7, RecordId([1; 16]))), (None, false));
    }

    #[test]
    fn parts_hold_everything_once_and_fit_a_line() {
        let all = places(&[(1, &[1, 2, 3]), (2, &[4, 5])]);
        let divided = divide(&all, 2);
        assert_eq!(divided, [places(&[(1, &[1, 2])]), places(&[(1, &[3]), (2, &[4])]), places(&[(2, &[5])])]);
        assert_eq!(without(&all, &divided[0]), places(&[(1, &[3]), (2, &[4, 5])]));
        assert!(without(&all, &all).is_empty() && divide(&Places::new(), 2).is_empty());
        let day = UnixSeconds::parse_strict("2026-11-21T00:00:00Z").unwrap();
        let most: Places = (0..RECORDS_MAX).map(|n| ((u64::MAX - n as u64, day), BTreeSet::from([RecordId([7; 16])]))).collect();
        let most_holds: BTreeSet<String> = (0..crate::govern::decrees::OPEN_MAX).map(|n| format!("{n:064}")).collect();
        // As it stands inside a line, quoted once more.
        let said = parts(&most, &all);
        assert_eq!(said.iter().map(|says| (says.taken.len(), says.absent.len())).collect::<Vec<_>>(), [(RECORDS_MAX, 0), (0, 2)]);
        for says in [said[0].clone(), Part { taken: Places::new(), absent: most }] {
            let line = Json::String(filter_text((Scope::Person, true), &most_holds, std::iter::empty(), 0, &says)).to_jcs();
            assert!(line.len() < 1024 * 1024 - 16 * 1024, "{}", line.len());
        }
        assert_eq!(parts(&all, &all), [Part { taken: all.clone(), absent: all.clone() }]);
        assert!(parts(&Places::new(), &Places::new()).is_empty());
    }
}
