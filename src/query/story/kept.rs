//! What keeps the records of a story beyond the date of their class: legal holds that are open, and extensions.
//!
//! Both stand in records of the log (`crate::govern::decrees`), so this tells what is on record, as `hold list` does. Whether the store has it
//! on the objects is for `verify` to look at. Where those records are gone or cannot be read, that is said: silence would be an answer.

use std::collections::{BTreeMap, BTreeSet};

use super::Item;
use super::evidence::numbers;
use super::words::{count, date, quote, sentence};
use crate::clock::UnixSeconds;
use crate::govern::chain::{Link, Links, ledger};
use crate::govern::decrees::{Decree, Entry, Ledger, Order, SegmentId, Step};
use crate::govern::query::Query;
use crate::query::Hit;
use crate::query::filter::{Look, Matcher};
use crate::record::canonical::Json;
use crate::worm::{Lock, Mode};

/// What is on record of holds and extensions, by the log's name; the error says why that is not known.
pub type OnRecord = BTreeMap<String, Result<Links, String>>;

/// What keeps the records, told.
#[derive(Clone, Debug)]
pub struct Kept {
    /// For a reader, to stand under "How long it is kept".
    pub items: Vec<Item>,
    /// One entry a record, in the order of the story.
    pub json: Json,
}

/// How a hold comes to keep a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Its query means the record.
    Meant,
    /// It is the record of that hold.
    Own,
    /// It lies on whole files, and means another record in this one.
    File,
    /// Its query means the record, and the log does not say yet that it was carried out there.
    NotYet,
}

impl By {
    fn word(self) -> &'static str {
        match self {
            By::Meant => "record",
            By::Own => "hold_itself",
            By::File => "file",
            By::NotYet => "not_carried_out_yet",
        }
    }
}

/// What one log has on record.
struct Log<'l> {
    links: &'l [Link],
    ledger: Ledger,
    now: UnixSeconds,
}

impl<'l> Log<'l> {
    /// The record that ordered a decree.
    fn placed(&self, decree: &Decree) -> Option<&'l Link> {
        self.links.iter().find(|link| link.entry.step == Step::Open && link.is_of(decree))
    }

    /// The open holds that keep a record, and how.
    fn holds(&self, hit: &Hit) -> Vec<(&Decree, By)> {
        let (id, seal) = (segment_of(hit), hit.place.seal.statement.index);
        let keeping: BTreeSet<&str> = self.ledger.holds(id).collect();
        let own = Entry::of(&hit.record).and_then(Result::ok);
        let mut all = Vec::new();
        for decree in self.ledger.open().iter().filter(|open| open.order == Order::Hold) {
            let is_own = own.as_ref().is_some_and(|own| own.of.id == decree.id && own.of.since == decree.since);
            let by = match keeping.contains(decree.id.as_str()) {
                true if is_own => By::Own,
                true if is_meant(decree, hit) => By::Meant,
                true => By::File,
                false if seal >= decree.through && is_meant(decree, hit) => By::NotYet,
                false => continue,
            };
            all.push((decree, by));
        }
        all
    }

    /// The extensions in force that name the record's segment, each with its lock, and whether it was carried out there.
    fn extensions(&self, hit: &Hit) -> Vec<(&Decree, Lock, bool)> {
        let id = segment_of(hit);
        let mut all: Vec<(&Decree, Lock, bool)> = Vec::new();
        for link in self.links {
            let Order::Extend(lock) = link.entry.of.order else { continue };
            let is_done = matches!(link.entry.step, Step::Apply | Step::Close);
            let names = is_done && (link.segment == id || link.entry.segments.contains(&id));
            if names && lock.retain_until > self.now && !all.iter().any(|(decree, ..)| link.is_of(decree)) {
                all.push((&link.entry.of, lock, true));
            }
        }
        let statement = &hit.place.seal.statement;
        for decree in self.ledger.open() {
            let Order::Extend(lock) = decree.order else { continue };
            let is_next = statement.index >= decree.through && statement.sealed_at <= decree.since;
            if is_next && is_meant(decree, hit) && !all.iter().any(|(other, ..)| (&other.id, other.since) == (&decree.id, decree.since)) {
                all.push((decree, lock, false));
            }
        }
        all
    }
}

fn segment_of(hit: &Hit) -> SegmentId {
    SegmentId::new(hit.place.seal.statement.index, &hit.place.segment.sha256)
}

/// Whether the query of a decree means a record. One that cannot be asked, or compared, means nobody for sure.
fn is_meant(decree: &Decree, hit: &Hit) -> bool {
    Query::parse(&decree.query).is_ok_and(|query| matches!(Matcher::new(query.filter()).look(&hit.line), Look::Yes(_)))
}

/// Stand in a sentence for the records that it is told of, for the verb and for the word that follows. No text of others holds them: it is
/// told without control characters.
const WHO: char = '\u{1}';
const IS: char = '\u{2}';
const IT: char = '\u{3}';

/// What is to be told of one decree, of all records of which that is the same.
type Group = (String, BTreeSet<usize>);

/// Tells what keeps these records, in the order of the story (records of unknown formats stand last).
pub fn kept(hits: &[Hit], on_record: &OnRecord, now: UnixSeconds) -> Kept {
    let ordered: Vec<&Hit> = hits.iter().filter(|h| h.is_known()).chain(hits.iter().filter(|h| !h.is_known())).collect();
    let mut items = Vec::new();
    let mut json: Vec<Json> = Vec::with_capacity(ordered.len());
    let mut groups: Vec<Group> = Vec::new();
    let mut enforced = false;
    let mut add = |words: String, number: usize| match groups.iter_mut().find(|(told, _)| *told == words) {
        Some((_, of)) => drop(of.insert(number)),
        None => groups.push((words, BTreeSet::from([number]))),
    };
    let logs: BTreeMap<&str, Log<'_>> = on_record
        .iter()
        .filter_map(|(name, known)| Some((name.as_str(), known.as_ref().ok()?)))
        .map(|(name, links)| (name, Log { links: &links.all, ledger: ledger(&links.all), now }))
        .collect();
    for (number, hit) in (1..).zip(&ordered) {
        let (name, statement) = (hit.place.log.as_str(), &hit.place.seal.statement);
        let mut members = vec![
            ("record".to_owned(), hit.text("id").map_or(Json::Null, Json::string)),
            ("log".to_owned(), Json::string(name)),
            ("seal".to_owned(), Json::count(statement.index)),
        ];
        let Some(log) = logs.get(name) else {
            let why = on_record.get(name).and_then(|known| known.as_ref().err()).map_or("it was not looked at", String::as_str);
            add(format!("{WHO}: whether a legal hold or an extension keeps {IT} cannot be known here: {why}."), number);
            members.push(("unknown".to_owned(), Json::string(why)));
            json.push(Json::Object(members));
            continue;
        };
        let unenforced = if statement.not_worm { " This store does not enforce it." } else { "" };
        let mut holds = Vec::new();
        for (decree, by) in log.holds(hit) {
            enforced |= !statement.not_worm;
            add(format!("{}{unenforced}", hold_in_words(log, decree, by)), number);
            holds.push(hold_in_json(log, decree, by));
        }
        let mut extensions = Vec::new();
        for (decree, lock, done) in log.extensions(hit) {
            enforced |= !statement.not_worm;
            add(format!("{}{unenforced}", extension_in_words(log, decree, (lock, done), hit.place.segment.lock)), number);
            extensions.push(extension_in_json(log, decree, lock, done));
        }
        members.extend([("holds".to_owned(), Json::Array(holds)), ("extensions".to_owned(), Json::Array(extensions))]);
        json.push(Json::Object(members));
    }
    let nothing = groups.is_empty();
    for (words, of) in &groups {
        let (one, it) = if of.len() == 1 { (true, "it") } else { (false, "them") };
        let words = words.replace(WHO, &numbers(of, ordered.len())).replace(IT, it);
        let words = words.replace(IS, if one { "is" } else { "are" });
        items.push(Item::Point(sentence(&words)));
    }
    if nothing && !ordered.is_empty() {
        let them = if ordered.len() == 1 { "it" } else { "them" };
        items.push(Item::Text(format!("No legal hold that is open and no extension is on record that keeps {them} beyond that.")));
    }
    for (name, gone) in on_record.iter().filter_map(|(name, known)| Some((name, known.as_ref().ok()?.gone?))) {
        items.push(Item::Text(format!(
            "Records of holds and extensions up to seal {gone} of the log {} are gone since their date, as planned: what only they said is not known.",
            quote(name)
        )));
    }
    if enforced {
        let told = "That is what the log has on record. The objects were not looked at here; `spanseal verify` checks whether the store has it on them.";
        items.push(Item::Text(told.to_owned()));
    }
    Kept { items, json: Json::Array(json) }
}

/// When something was ordered and where that stands.
fn ordered(placed: Option<&Link>, decree: &Decree) -> String {
    let record =
        placed.map_or_else(|| "a record that is not there any more".to_owned(), |link| format!("record {}", super::clean(&link.record)));
    format!("since {}, by {record}", date(decree.since))
}

fn reason(placed: Option<&Link>) -> String {
    placed.and_then(|link| link.ground.as_deref()).map(|ground| format!(" The reason given is {}.", quote(ground))).unwrap_or_default()
}

fn hold_in_words(log: &Log<'_>, decree: &Decree, by: By) -> String {
    let placed = log.placed(decree);
    let (matter, since, reason) = (quote(&decree.id), ordered(placed, decree), reason(placed));
    let until = "until that is released, whatever the date above";
    match by {
        By::Meant => format!("{WHO} {IS} on legal hold for the matter {matter} {since}: not to be deleted {until}.{reason}"),
        By::Own => format!("{WHO} {IS} on legal hold with the matter {matter} {since}, of which it tells: kept {until}.{reason}"),
        By::File => format!(
            "{WHO} {IS} on legal hold for the matter {matter} {since}: not to be deleted {until}. The hold means another record in the same file, and \
             lies on whole files.{reason}"
        ),
        By::NotYet => format!(
            "{WHO} {IS} meant by the legal hold for the matter {matter} {since}, and the log does not say yet that it was carried out there (the first \
             {} were looked at): `serve` does that, or `spanseal hold place --matter {} --resume`.{reason}",
            count(decree.through, "seal"),
            super::clean(&decree.id)
        ),
    }
}

fn extension_in_words(log: &Log<'_>, decree: &Decree, (lock, done): (Lock, bool), sealed: Lock) -> String {
    let placed = log.placed(decree);
    let (id, since, reason) = (quote(&decree.id), ordered(placed, decree), reason(placed));
    let until = date(lock.retain_until);
    let mode = if lock.mode == Mode::Compliance && sealed.mode == Mode::Governance { ", under a lock that nobody can lift," } else { "" };
    match (done, sealed.covers(lock)) {
        (true, false) => format!("{WHO} {IS} kept longer: until {until} at least{mode} by the extension {id} {since}.{reason}"),
        (true, true) => {
            format!("{WHO}: the extension {id} {since} keeps {IT} until {until} at least, which the date above does already.{reason}")
        }
        (false, _) => format!(
            "{WHO} {IS} meant by the extension {id} {since}, to be kept until {until} at least{mode}, and that was not carried out there yet (the first \
             {} were looked at): `spanseal retention extend --resume {}` goes on.{reason}",
            count(decree.through, "seal"),
            super::clean(&decree.id)
        ),
    }
}

fn placed_in_json(log: &Log<'_>, decree: &Decree) -> Vec<(String, Json)> {
    let mut members = vec![("since".to_owned(), Json::String(decree.since.to_string()))];
    if let Some(link) = log.placed(decree) {
        members.push(("record".to_owned(), Json::string(&link.record)));
        members.push(("seal".to_owned(), Json::count(link.seal)));
        members.extend(link.ground.as_ref().map(|ground| ("reason".to_owned(), Json::string(ground))));
    }
    members
}

fn hold_in_json(log: &Log<'_>, decree: &Decree, by: By) -> Json {
    let mut members = vec![("matter".to_owned(), Json::string(&decree.id)), ("means".to_owned(), Json::string(by.word()))];
    members.extend(placed_in_json(log, decree));
    Json::Object(members)
}

fn extension_in_json(log: &Log<'_>, decree: &Decree, lock: Lock, done: bool) -> Json {
    let mut members = vec![
        ("id".to_owned(), Json::string(&decree.id)),
        ("until".to_owned(), Json::String(lock.retain_until.to_string())),
        ("mode".to_owned(), Json::string(lock.mode.as_str())),
        ("carried_out".to_owned(), Json::Bool(done)),
    ];
    members.extend(placed_in_json(log, decree));
    Json::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixtures::{SEALED, hit};

    const NOW: UnixSeconds = UnixSeconds(SEALED + 1000);

    fn record(seal: u64, model: &str) -> Hit {
        hit(
            seal,
            &format!(
                r#"{{"id":"{seal:032x}","kind":"inference","model":{{"id":"{model}"}},"schema":"spanseal.record/1","source":{{"service":"s"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}}}}"#
            ),
        )
    }

    fn decree(id: &str, order: Order, through: u64) -> Decree {
        let query = Json::object([("model", Json::string("gpt"))]);
        Decree { id: id.to_owned(), order, query, since: UnixSeconds(SEALED + 100), through }
    }

    fn link(seal: u64, step: Step, of: &Decree, segments: &[&Hit], open: &[&Decree]) -> Link {
        let entry = Entry {
            step,
            of: of.clone(),
            segments: segments.iter().map(|hit| segment_of(hit)).collect(),
            open: open.iter().map(|decree| (*decree).clone()).collect(),
        };
        let ground = (step == Step::Open).then(|| "file 12".to_owned());
        let segment = SegmentId { seal, short: 1 };
        Link { seal, segment, sealed_at: NOW, entry, record: format!("r{seal}"), ground, ticket: None, by: None }
    }

    fn told(hits: &[Hit], known: Result<Links, String>) -> (String, String) {
        let kept = kept(hits, &OnRecord::from([("log".to_owned(), known)]), NOW);
        let text = |item: &Item| match item {
            Item::Text(text) | Item::Point(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        (kept.items.iter().map(text).collect::<Vec<_>>().join("\n"), kept.json.to_jcs_string())
    }

    fn links(all: Vec<Link>) -> Result<Links, String> {
        Ok(Links { all, gone: None })
    }

    /// Scenario: one record is meant by an open hold, one stands in a file that is held for another record, one is meant and was not reached
    /// yet, one has nothing to do with it; later the hold is released. Guarantee: each is told for what it is, with matter, since when and by
    /// which record, and a release ends it.
    #[test]
    fn a_hold_is_told_with_its_matter_and_its_record() {
        let hits = [record(1, "gpt"), record(2, "other"), record(9, "gpt"), record(3, "other")];
        let hold = decree("LH-1", Order::Hold, 8);
        let all = vec![
            link(5, Step::Open, &decree("LH-1", Order::Hold, 0), &[], &[&decree("LH-1", Order::Hold, 0)]),
            link(6, Step::Apply, &hold, &[&hits[0], &hits[1]], &[&hold]),
        ];
        let (text, json) = told(&hits, links(all.clone()));
        let expected = [
            "Record 1 is on legal hold for the matter \"LH-1\" since 20 November 2026, by record r5: not to be deleted until that is released, whatever \
             the date above. The reason given is \"file 12\". This store does not enforce it.",
            "Record 2 is on legal hold for the matter \"LH-1\" since 20 November 2026, by record r5: not to be deleted until that is released, whatever \
             the date above. The hold means another record in the same file, and lies on whole files. The reason given is \"file 12\". This store does \
             not enforce it.",
            "Record 3 is meant by the legal hold for the matter \"LH-1\" since 20 November 2026, by record r5, and the log does not say yet that it was \
             carried out there (the first 8 seals were looked at): `serve` does that, or `spanseal hold place --matter LH-1 --resume`. The reason given \
             is \"file 12\". This store does not enforce it.",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
        for part in [
            r#""holds":[{"matter":"LH-1","means":"record","reason":"file 12","record":"r5","seal":5,"since":"2026-11-20T"#,
            r#""means":"file""#,
            r#""means":"not_carried_out_yet""#,
            r#""holds":[],"log":"log","record":"00000000000000000000000000000003""#,
        ] {
            assert!(json.contains(part), "{part}: {json}");
        }
        let released = all.into_iter().chain([link(7, Step::Close, &hold, &[], &[])]).collect();
        let (text, json) = told(&hits[..1], links(released));
        assert_eq!(text, "No legal hold that is open and no extension is on record that keeps it beyond that.");
        assert!(json.contains(r#""extensions":[],"holds":[]"#), "{json}");
    }

    /// Scenario: an extension beyond the date of the class, one that asks for less, one whose date is past, one that was not carried out yet.
    /// Guarantee: until when and by what, only where it says more than the class does; what is past keeps nothing.
    #[test]
    fn an_extension_is_told_with_its_date() {
        let hits = [record(1, "gpt")];
        let until = |after: i64| Order::Extend(Lock { mode: Mode::Governance, retain_until: UnixSeconds(SEALED + after) });
        let years = decree("ext-1", until(2000 * 86_400), 2);
        let days = decree("ext-2", until(2 * 86_400), 2);
        let past = decree("ext-3", until(500), 2);
        let open = decree("ext-4", until(3000 * 86_400), 0);
        let mut all: Vec<Link> =
            [&years, &days, &past].iter().zip(10..).map(|(of, n)| link(n, Step::Close, of, &[&hits[0]], &[])).collect();
        all.insert(0, link(5, Step::Open, &years, &[], &[&years]));
        all.push(link(20, Step::Open, &open, &[], &[&open]));
        let (text, json) = told(&hits, links(all));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with(
            "Record 1 is kept longer: until 12 May 2032 at least by the extension \"ext-1\" since 20 November 2026, by record r5."
        ));
        assert!(
            lines[1].contains("\"ext-2\"") && lines[1].contains("a record that is not there any more") && lines[1].contains("does already")
        );
        assert!(lines[2].contains("\"ext-4\"") && lines[2].contains("`spanseal retention extend --resume ext-4` goes on"), "{text}");
        assert!(
            json.contains(r#"{"carried_out":true,"id":"ext-1","mode":"GOVERNANCE","reason":"file 12","record":"r5","seal":5,"#),
            "{json}"
        );
        assert!(!text.contains("ext-3") && json.contains(r#""carried_out":false,"id":"ext-4""#), "{text} {json}");
    }

    /// Guarantee: what was not read, or is gone, is never told as "no hold".
    #[test]
    fn what_cannot_be_known_is_said() {
        let (text, json) = told(&[record(1, "gpt")], Err("seals/5: missing".to_owned()));
        assert_eq!(text, "Record 1: whether a legal hold or an extension keeps it cannot be known here: seals/5: missing.");
        assert!(json.contains(r#""unknown":"seals/5: missing""#) && !json.contains("holds"), "{json}");
        let (text, _) = told(&[record(1, "gpt")], Ok(Links { all: Vec::new(), gone: Some(4) }));
        assert!(text.contains("up to seal 4 of the log \"log\" are gone since their date"), "{text}");
        let kept = kept(&[record(1, "gpt")], &OnRecord::new(), NOW);
        assert!(matches!(&kept.items[..], [Item::Point(text)] if text.contains("it was not looked at")), "{kept:?}");
    }
}
