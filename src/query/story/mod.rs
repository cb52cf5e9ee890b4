//! A decision told as a story, for a reader who is no engineer.
//!
//! It says what the records say and nothing more: absent is "not recorded", a claim of the sender is called one, and what is held only
//! as a hash is said to be. It never judges whether anything conforms to a law.

mod access;
mod again;
mod change;
mod control;
mod decreed;
mod events;
mod evidence;
mod kept;
mod people;
mod phrases;
mod review;
mod short;
mod whole;
mod words;

pub use again::sealed_in;
pub(super) use change::in_a_cell;
pub use evidence::member_in_words;
pub(super) use evidence::out_of_range;
pub use kept::{Kept, OnRecord, kept};
pub(super) use review::is_done;
pub use whole::whole;
pub use words::{clean, erased, list, sentence};

use super::log::KeySource;
use super::opening::Erasures;
use super::{Hit, Standing};
use crate::record::canonical::Json;
use people::People;
use words::{day_and_time, wrap};

/// Breaks a paragraph into lines no wider than `width`.
pub fn paragraph(text: &str, width: usize) -> String {
    wrap(text, 1, width)
}

/// A story, told once, printed as text or as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What it is about.
    pub title: String,
    /// Its parts, in order.
    pub sections: Vec<Section>,
    /// The persons in it, as records name them (`ps:...`, `id:...`): the first is Person A.
    persons: Vec<String>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// What it says.
    pub items: Vec<Item>,
}

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Sentences.
    Text(String),
    /// One of several points.
    Point(String),
    /// Something that happened.
    Event {
        /// Its number in the story.
        number: usize,
        /// Time of day, UTC.
        time: String,
        /// What happened, in one sentence.
        lead: String,
        /// All else that is known of it, in paragraphs.
        rest: Vec<String>,
    },
    /// Not to be wrapped: commands, identifiers, raw records.
    Verbatim(String),
}

/// How far the reader may believe the seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust<'a> {
    /// Where the key came from.
    pub key: KeySource,
    /// Something could not be read: the story may lack a part.
    pub complete: bool,
    /// What the asker added to the command (`--config ...`), for the commands at the end; each with a space in front.
    pub flags: &'a str,
}

/// Heading of how content is held.
const SAID: &str = "What was said";

/// Heading of classes and dates.
const KEPT: &str = "How long it is kept";

/// Tells the story of these records, which are in order of time. `asked` is what the reader asked for; `erasures` are those of the logs
/// that hold them. The vault is not looked into: of what no erasure took it is only said where it was when it was sealed.
pub fn tell(hits: &[Hit], asked: &str, trust: Trust<'_>, erasures: &Erasures) -> Story {
    let known: Vec<&Hit> = hits.iter().filter(|h| h.is_known()).collect();
    let mut people = People::default();
    let mut sections = Vec::new();
    let mut section = |heading: &str, items: Vec<Item>| {
        if !items.is_empty() {
            sections.push(Section { heading: heading.to_owned(), items });
        }
    };
    let mut short = short::tell(&known, &mut people);
    if !trust.complete {
        short.insert(0, Item::Text("Part of the store could not be read, so this story may lack something.".to_owned()));
    }
    section("In short", short);
    section("What it was found by", identity(hits, asked));
    let (heading, events) = chronicle(&known, asked, &mut people);
    section(&heading, events);
    section("Records that contradict each other", contradictions(&known));
    section(again::HEADING, again::uncompared(&known));
    section("People in this story", people.tell(hits, erasures));
    section("Not recorded", evidence::missing(&known));
    section(SAID, evidence::content(&known, erasures));
    section("Who says so", evidence::claims(&known, trust.key));
    // Records of unknown formats have no place in the order of events; they stand last wherever records are numbered.
    let ordered: Vec<&Hit> = known.iter().copied().chain(hits.iter().filter(|h| !h.is_known())).collect();
    section(KEPT, evidence::retention(&ordered));
    section("How it is proved", evidence::proof(&ordered, trust));
    section("Records of another format, as they are", raw(hits));
    Story { title: title(&known, hits), sections, persons: people.ids() }
}

fn title(known: &[&Hit], hits: &[Hit]) -> String {
    let mut types: Vec<String> = known.iter().filter_map(|h| h.text("decision.type")).map(|t| format!("\"{}\"", clean(t))).collect();
    types.dedup();
    let decided = known.iter().any(|h| h.record.get("decision").is_some_and(|d| d.get("outcome").is_some()));
    match (types.as_slice(), decided) {
        ([], true) => "The story of a decision".to_owned(),
        ([one], _) => format!("The story of a decision: {one}"),
        (several @ [_, _, ..], _) => format!("The story of several decisions: {}", list(several)),
        ([], false) => format!("The story of {}", words::count(u64::try_from(hits.len()).unwrap_or(u64::MAX), "record")),
    }
}

/// More ids of one sort than this are counted.
const IDS_SHOWN: usize = 8;

/// The ids by which this story and its records are found again: as asked for, of decisions, of traces, of logs.
fn identity(hits: &[Hit], asked: &str) -> Vec<Item> {
    let mut items = vec![Item::Verbatim(format!("{:<10} {}", "asked for", clean(asked)))];
    let texts = |path: &str| hits.iter().filter(|h| h.is_known()).filter_map(|h| h.text(path)).map(clean).collect::<Vec<_>>();
    let logs = hits.iter().map(|h| clean(&h.place.seal.statement.log)).collect();
    for (what, ids) in [("decision", texts("decision.id")), ("trace", texts("trace.trace_id")), ("log", logs)] {
        let mut seen: Vec<String> = Vec::new();
        for id in ids {
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        items.extend(seen.iter().take(IDS_SHOWN).map(|id| Item::Verbatim(format!("{what:<10} {id}"))));
        if let Some(more) = seen.len().checked_sub(IDS_SHOWN).filter(|more| *more > 0) {
            items.push(Item::Verbatim(format!("{what:<10} and {more} more")));
        }
    }
    items
}

/// All events in order, under a heading that names the day (or each new day at its event).
fn chronicle(known: &[&Hit], asked: &str, people: &mut People) -> (String, Vec<Item>) {
    let day_of = |hit: &Hit| hit.time().map(|t| day_and_time(t).0);
    let first_day = known.iter().find_map(|h| day_of(h));
    let mut today = first_day.clone();
    let mut items = Vec::new();
    for (i, hit) in known.iter().enumerate() {
        let day = day_of(hit);
        if day.is_some() && day != today {
            items.push(Item::Text(format!("{}:", day.clone().unwrap_or_default())));
            today = day;
        }
        let time = hit.time().map_or_else(|| "no time".to_owned(), |t| day_and_time(t).1);
        let (lead, mut rest) = events::tell(hit, people);
        if hit.text("id") == Some(asked) && known.len() > 1 {
            rest.push("This is the record that was asked for.".to_owned());
        }
        items.push(Item::Event { number: i + 1, time, lead, rest });
    }
    let heading = first_day.map_or_else(|| "What happened".to_owned(), |day| format!("What happened, in order ({day}, times in UTC)"));
    (heading, items)
}

fn contradictions(known: &[&Hit]) -> Vec<Item> {
    let numbers: Vec<String> =
        known.iter().enumerate().filter(|(_, h)| h.standing == Standing::Conflict).map(|(i, _)| (i + 1).to_string()).collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let text = format!(
        "Records {} carry the same identity as another record but say something else. Both are kept and shown. Which of them is right \
         cannot be told from the evidence.",
        list(&numbers)
    );
    vec![Item::Text(text)]
}

fn raw(hits: &[Hit]) -> Vec<Item> {
    let unknown: Vec<&Hit> = hits.iter().filter(|h| !h.is_known()).collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let mut items = vec![Item::Text("This version of the program does not know their format, so they are shown and not told.".to_owned())];
    items.extend(unknown.iter().map(|h| Item::Verbatim(clean(&String::from_utf8_lossy(&h.line)))));
    items
}

impl Story {
    /// What the story calls a person (`Person A`), by the id in the record. `None`: it does not speak of them.
    pub fn name_of(&self, id: &str) -> Option<String> {
        self.persons.iter().position(|person| person == id).map(people::person)
    }

    /// Puts a section behind the one that says how content is held, or at the end.
    pub fn insert(&mut self, section: Section) {
        let at = self.sections.iter().position(|s| s.heading == SAID).map_or(self.sections.len(), |at| at + 1);
        self.sections.insert(at, section);
    }

    /// Adds to what is said of how long the records are kept.
    pub fn keep(&mut self, items: Vec<Item>) {
        match self.sections.iter_mut().find(|section| section.heading == KEPT) {
            Some(section) => section.items.extend(items),
            None => self.sections.push(Section { heading: KEPT.to_owned(), items }),
        }
    }

    /// As text, no line wider than `width` where that is possible.
    pub fn to_text(&self, width: usize) -> String {
        let width = width.clamp(50, 110);
        let mut out = format!("{}\n", self.title);
        out.push_str(&"=".repeat(self.title.chars().count().min(width)));
        out.push('\n');
        for section in &self.sections {
            out.push_str(&format!("\n{}\n", section.heading));
            let mut before: Option<&Item> = None;
            for item in &section.items {
                let loose = |i: &Item| matches!(i, Item::Event { .. } | Item::Text(_));
                if before.is_some_and(|b| loose(b) && loose(item)) {
                    out.push('\n');
                }
                out.push_str(&item.to_text(width));
                out.push('\n');
                before = Some(item);
            }
        }
        out
    }

    /// As JSON.
    pub fn to_json(&self) -> Json {
        let sections = self.sections.iter().map(|section| {
            let items = section.items.iter().map(Item::to_json).collect();
            Json::object([("heading", Json::string(&section.heading)), ("items", Json::Array(items))])
        });
        Json::object([("title", Json::string(&self.title)), ("sections", Json::Array(sections.collect()))])
    }
}

impl Item {
    fn to_text(&self, width: usize) -> String {
        const HANGING: usize = 16;
        match self {
            Item::Text(text) => wrap(text, 2, width),
            Item::Point(text) => {
                let wrapped = wrap(text, 4, width);
                format!("  - {}", wrapped.trim_start())
            }
            Item::Event { number, time, lead, rest } => {
                let label = format!("  {number:>3}  {time:<9}");
                let wrapped = wrap(lead, HANGING, width);
                let mut out = format!("{label:<HANGING$}{}", wrapped.trim_start());
                for paragraph in rest {
                    out.push('\n');
                    out.push_str(&wrap(paragraph, HANGING, width));
                }
                out
            }
            Item::Verbatim(text) => format!("    {text}"),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Item::Text(text) | Item::Point(text) => Json::object([("text", Json::string(text))]),
            Item::Verbatim(text) => Json::object([("verbatim", Json::string(text))]),
            Item::Event { number, time, lead, rest } => Json::object([
                ("number", Json::Number(u32::try_from(*number).map_or(0.0, f64::from))),
                ("time", Json::string(time)),
                ("lead", Json::string(lead)),
                ("text", Json::Array(rest.iter().map(Json::string).collect())),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
