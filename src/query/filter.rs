//! What is looked for: all conditions given must hold. Each has two faces, a cheap look at the bytes of a line and an exact one at the
//! record; the first only ever rules out.

use std::collections::HashSet;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::person::{Incomparable, Label, Names, Wanted};
use super::{is_known, time_of};
use crate::clock::UnixNanos;
use crate::record::canonical::Json;
use crate::tlog::seal_file::Statement;

/// The conditions. Absent ones do not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these as the record's id, its trace id or its decision id, or else [`asked`](Self::asked). For `show`.
    pub related: Vec<String>,
    /// What the reader of a story asked for, as a decision id in any form in which it may be sealed. Widens `related`.
    pub asked: Option<Wanted>,
    /// `trace.trace_id`.
    pub trace_id: Option<String>,
    /// `trace.trace_id`, any of these, however many.
    pub traces: Option<Arc<HashSet<String>>>,
    /// `id`.
    pub record_id: Option<String>,
    /// Only records of the writer's own making (`source.signal` is `control`).
    pub own_acts: bool,
    /// `actor.user_id`.
    pub user: Option<Wanted>,
    /// `subject.id`.
    pub subject: Option<Wanted>,
    /// Anyone a record names: user, subject, reviewer, who changed or approved, who operated.
    pub person: Option<Wanted>,
    /// `actor.session_id` or `actor.conversation_id`.
    pub session: Option<Wanted>,
    /// `model.id`, `model.requested` or `model.version`, each also as `provider/...`.
    pub model: Option<String>,
    /// `kind`; `decision` selects every record that has a decision group.
    pub kind: Option<String>,
    /// `decision.id`; a reference, because an id that looks like a person is sealed as its pseudonym.
    pub decision: Option<Wanted>,
    /// `prompt.hash` or `prompt.template_hash`, whole or without the algorithm in front.
    pub prompt_hash: Option<String>,
    /// Not before (by [`time_of`]).
    pub from: Option<UnixNanos>,
    /// Not after; the moment itself is inside.
    pub to: Option<UnixNanos>,
}

/// Where persons stand in a record.
const USER: &[&str] = &["actor.user_id"];
const SUBJECT: &[&str] = &["subject.id"];
const PERSON: &[&str] = &["actor.user_id", "subject.id", "review.reviewer.id", "change.by", "change.approval.by", "control.by"];
const DECISION: &[&str] = &["decision.id"];
const SESSION: &[&str] = &["actor.session_id", "actor.conversation_id"];

/// Everyone a record names, as stored.
pub fn persons_of(record: &Json) -> impl Iterator<Item = &str> {
    PERSON.iter().filter_map(|path| record.path(path)?.as_str())
}

impl Filter {
    /// A condition on a person, as the command line gives it.
    pub fn person(asked: &str, names: &Names) -> Wanted {
        Wanted::new(Label::Person, asked, names)
    }

    /// A condition on a reference.
    pub fn reference(asked: &str, names: &Names) -> Wanted {
        Wanted::new(Label::Reference, asked, names)
    }

    /// Whether a seal can name an answer: what it says that it has promoted is all but the records of the writer's own making.
    pub fn may_be_in(&self, statement: &Statement) -> bool {
        let records = statement.segments.iter().fold(0_u64, |sum, segment| sum.saturating_add(segment.records));
        !self.own_acts || records != statement.counts.promoted
    }

    /// Whether a segment whose records lie between these times can hold an answer.
    pub fn may_hold(&self, first: UnixNanos, last: UnixNanos) -> bool {
        self.from.is_none_or(|from| last >= from) && self.to.is_none_or(|to| first <= to)
    }

    /// Whether nothing is asked for, so that every record is an answer.
    pub fn is_everything(&self) -> bool {
        let Filter { related, asked, trace_id, traces, record_id, own_acts, user, subject, person, session, model, kind, .. } = self;
        let texts = [trace_id, record_id, model, kind, &self.prompt_hash];
        let wanted = [asked, user, subject, person, session, &self.decision];
        related.is_empty()
            && !own_acts
            && traces.is_none()
            && (self.from, self.to) == (None, None)
            && texts.iter().all(|text| text.is_none())
            && wanted.iter().all(|wanted| wanted.is_none())
    }

    fn people(&self) -> impl Iterator<Item = (&Wanted, &'static [&'static str])> {
        self.named().map(|(_, wanted, paths)| (wanted, paths))
    }

    /// The conditions on persons and references: each with its name and the members in which a record has them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Wanted, &'static [&'static str])> {
        let all = [
            ("user", &self.user, USER),
            ("subject", &self.subject, SUBJECT),
            ("person", &self.person, PERSON),
            ("session", &self.session, SESSION),
            ("decision", &self.decision, DECISION),
        ];
        all.into_iter().filter_map(|(name, wanted, paths)| wanted.as_ref().map(|wanted| (name, wanted, paths)))
    }
}

/// A filter made ready for one run over lines. Clone it for each segment: it learns realms as it reads.
#[derive(Clone, Debug)]
pub struct Matcher {
    filter: Filter,
    /// A line that lacks all needles of any group is no answer.
    needles: Vec<Arc<Vec<Finder<'static>>>>,
    /// Of [`Filter::related`], which [`Filter::asked`] widens.
    related: Arc<Vec<Finder<'static>>>,
    /// Where this is not in a line, no decision is named.
    decision: Arc<Finder<'static>>,
    /// What stands before every trace id.
    trace: Arc<Finder<'static>>,
}

/// What a line is to the asker.
#[derive(Debug)]
pub enum Look {
    /// No answer.
    No,
    /// An answer, read.
    Yes(Json),
    /// It names a person in a form that could not be compared, and nothing else ruled it out.
    Incomparable(Incomparable),
    /// The line is not JSON. It is sealed so; the asker must know.
    Unreadable(String),
}

/// Whether a record belongs to a story.
enum Relation {
    Related,
    Incomparable(Incomparable),
    None,
}

impl Matcher {
    /// Builds the searchers once.
    pub fn new(filter: Filter) -> Self {
        let mut needles = Vec::new();
        let mut group = |texts: Vec<Vec<u8>>| {
            if !texts.is_empty() {
                needles.push(Arc::new(texts.iter().map(|t| Finder::new(t).into_owned()).collect()));
            }
        };
        // Lines are canonical, so a string in them has exactly one spelling.
        let quoted = |text: &str| Json::string(text).to_jcs();
        for id in [&filter.trace_id, &filter.record_id].into_iter().flatten() {
            group(vec![quoted(id)]);
        }
        if let Some(model) = &filter.model {
            group(model_names(model).into_iter().map(|(_, name)| quoted(name)).collect());
        }
        if let Some(hash) = &filter.prompt_hash {
            // Without the opening quote: the algorithm may have been left out.
            group(vec![quoted(hash).split_off(1)]);
        }
        if let Some(kind) = &filter.kind {
            group(if kind == "decision" { vec![b"\"decision\":".to_vec(), b"\"kind\":\"decision\"".to_vec()] } else { vec![quoted(kind)] });
        }
        let related = Arc::new(filter.related.iter().map(|id| Finder::new(&quoted(id)).into_owned()).collect());
        let (decision, trace) = (Finder::new(b"\"decision\":{").into_owned(), Finder::new(TRACE_ID).into_owned());
        Matcher { filter, needles, related, decision: Arc::new(decision), trace: Arc::new(trace) }
    }

    /// Judges a line.
    pub fn look(&mut self, line: &[u8]) -> Look {
        if !self.needles.iter().all(|group| group.iter().any(|finder| finder.find(line).is_some())) {
            return Look::No;
        }
        if self.filter.traces.as_ref().is_some_and(|traces| !self.names_any(traces, line)) {
            return Look::No;
        }
        let Filter { user, subject, person, session, decision, asked, .. } = &mut self.filter;
        for wanted in [user, subject, person, session, decision, asked].into_iter().flatten() {
            wanted.see_realms(line);
        }
        if !self.filter.people().all(|(wanted, _)| wanted.may_be_in(line) || wanted.may_escape_in(line)) {
            return Look::No;
        }
        let related = self.related_in(line);
        if related == Some(false) && !self.asked_may_escape_in(line) {
            return Look::No;
        }
        let record = match Json::parse(line) {
            Ok(record) => record,
            Err(error) => return Look::Unreadable(error.to_string()),
        };
        if !is_known(&record) {
            // Its members may mean anything; the bytes are all there is to go by.
            return if self.in_range(&record) && related != Some(false) { Look::Yes(record) } else { Look::No };
        }
        if !self.matches_besides_people(&record) {
            return Look::No;
        }
        let mut incomparable = match self.relation(&record) {
            Relation::Related => None,
            Relation::Incomparable(why) => Some(why),
            Relation::None => return Look::No,
        };
        for (wanted, paths) in self.filter.people() {
            let mut stored = paths.iter().filter_map(|path| record.path(path)?.as_str());
            if stored.clone().any(|s| wanted.is(s)) {
                continue;
            }
            match stored.find_map(|s| wanted.incomparable(s, &record)) {
                Some(why) => incomparable = Some(why),
                None => return Look::No,
            }
        }
        incomparable.map_or(Look::Yes(record), Look::Incomparable)
    }

    /// Cheap look: whether a line names one of many traces, at whatever place.
    fn names_any(&self, traces: &HashSet<String>, line: &[u8]) -> bool {
        self.trace.find_iter(line).any(|at| {
            let rest = line.get(at + TRACE_ID.len()..).unwrap_or_default();
            let id = rest.split(|b| *b == b'"').next().and_then(|id| std::str::from_utf8(id).ok());
            id.is_some_and(|id| traces.contains(id))
        })
    }

    /// Cheap look: whether a line holds one of the related ids, in the forms that are known; `None` where none is asked for.
    fn related_in(&self, line: &[u8]) -> Option<bool> {
        if self.related.is_empty() && self.filter.asked.is_none() {
            return None;
        }
        let asked = || self.filter.asked.as_ref().is_some_and(|asked| asked.may_be_in(line));
        Some(self.related.iter().any(|finder| finder.find(line).is_some()) || asked())
    }

    /// Cheap look: whether a line may name the decision asked for in a form that cannot be compared.
    fn asked_may_escape_in(&self, line: &[u8]) -> bool {
        self.filter.asked.as_ref().is_some_and(|asked| self.decision.find(line).is_some() && asked.may_escape_in(line))
    }

    fn relation(&self, record: &Json) -> Relation {
        let Filter { related, asked, .. } = &self.filter;
        let text = |path: &str| record.path(path).and_then(Json::as_str);
        let ids = ["id", "trace.trace_id", "decision.id"];
        let decision = text("decision.id");
        if related.is_empty() && asked.is_none() || ids.iter().filter_map(|p| text(p)).any(|id| related.iter().any(|r| r == id)) {
            return Relation::Related;
        }
        match asked.as_ref().zip(decision) {
            Some((asked, id)) if asked.is(id) => Relation::Related,
            Some((asked, id)) => asked.incomparable(id, record).map_or(Relation::None, Relation::Incomparable),
            None => Relation::None,
        }
    }

    fn in_range(&self, record: &Json) -> bool {
        let Filter { from, to, .. } = self.filter;
        match time_of(record) {
            Some(time) => from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to),
            // A record without any time cannot be placed outside the range; it is shown rather than lost.
            None => true,
        }
    }

    fn matches_besides_people(&self, record: &Json) -> bool {
        let Filter { trace_id, traces, record_id, own_acts, model, kind, prompt_hash, .. } = &self.filter;
        let text = |path: &str| record.path(path).and_then(Json::as_str);
        let is = |path: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|w| text(path) == Some(w));
        is("trace.trace_id", trace_id)
            && traces.as_ref().is_none_or(|traces| text("trace.trace_id").is_some_and(|id| traces.contains(id)))
            && is("id", record_id)
            && (!own_acts || text("source.signal") == Some("control"))
            && kind.as_deref().is_none_or(|kind| text("kind") == Some(kind) || (kind == "decision" && record.get("decision").is_some()))
            && prompt_hash.as_deref().is_none_or(|hash| {
                let same = |stored: &str| stored == hash || stored.rsplit_once(':').is_some_and(|(_, hex)| hex == hash);
                ["prompt.hash", "prompt.template_hash"].iter().filter_map(|p| text(p)).any(same)
            })
            && model.as_deref().is_none_or(|model| {
                let provider = text("model.provider");
                model_names(model).into_iter().any(|(wanted_provider, name)| {
                    (wanted_provider.is_none() || wanted_provider == provider)
                        && ["model.id", "model.requested", "model.version"].iter().any(|p| text(p) == Some(name))
                })
            })
            && self.in_range(record)
    }
}

/// Lines are canonical: no space, and a trace id is hexadecimal.
const TRACE_ID: &[u8] = b"\"trace_id\":\"";

/// How `--model` may be meant: as a whole (model ids hold slashes themselves), or as `provider/model`.
fn model_names(model: &str) -> Vec<(Option<&str>, &str)> {
    let mut names = vec![(None, model)];
    names.extend(model.split_once('/').map(|(provider, name)| (Some(provider), name)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::identity::IdentityKey;

    const RECORD: &str = r#"{"actor":{"session_id":"s-1","user_id":"id:alice"},"decision":{"id":"d-1","outcome":"declined"},"id":"1dba67c70ef7d7906342e3d531ba6ffd","kind":"inference","model":{"id":"org/gpt","provider":"acme","requested":"gpt","version":"gpt-1"},"prompt":{"hash":"sha256:00ff"},"review":{"reviewer":{"id":"id:rita"}},"schema":"spanseal.record/1","source":{"service":"credit"},"subject":{"id":"ps:0badc0de:00"},"time":{"received":"2026-11-20T10:01:00.000000000Z","start":"2026-11-20T10:00:08.000000001Z"},"trace":{"trace_id":"320191bebed45e1216cc9c6596d1cb45"}}"#;

    fn matches(build: impl FnOnce(&mut Filter)) -> bool {
        let mut filter = Filter::default();
        build(&mut filter);
        matches!(Matcher::new(filter).look(RECORD.as_bytes()), Look::Yes(_))
    }

    fn text(t: &str) -> Option<String> {
        Some(t.to_owned())
    }

    #[test]
    fn every_condition_finds_its_record_and_no_other() {
        assert!(matches(|_| {}));
        assert!(matches(|f| f.trace_id = text("320191bebed45e1216cc9c6596d1cb45")));
        assert!(!matches(|f| f.trace_id = text("1dba67c70ef7d7906342e3d531ba6ffd")), "an id at another place is no trace id");
        let traces = |ids: &[&str]| Some(Arc::new(ids.iter().map(|id| (*id).to_owned()).collect::<HashSet<_>>()));
        assert!(matches(|f| f.traces = traces(&["x", "320191bebed45e1216cc9c6596d1cb45"])));
        assert!(!matches(|f| f.traces = traces(&["x", "1dba67c70ef7d7906342e3d531ba6ffd"])) && !matches(|f| f.traces = traces(&[])));
        assert!(matches(|f| f.record_id = text("1dba67c70ef7d7906342e3d531ba6ffd")));
        assert!(!matches(|f| f.record_id = text("320191bebed45e1216cc9c6596d1cb45")));
        let decision = |id: &str| Some(Filter::reference(id, &Names::default()));
        assert!(matches(|f| f.decision = decision("d-1")) && !matches(|f| f.decision = decision("declined")));
        for (model, found) in [("org/gpt", true), ("gpt", true), ("gpt-1", true), ("acme/gpt", true), ("acme/org/gpt", true)] {
            assert_eq!(matches(|f| f.model = text(model)), found, "{model}");
        }
        for model in ["other/gpt", "gp", "acme", "declined"] {
            assert!(!matches(|f| f.model = text(model)), "{model}");
        }
        assert!(matches(|f| f.kind = text("inference")) && matches(|f| f.kind = text("decision")));
        assert!(!matches(|f| f.kind = text("review")) && !matches(|f| f.kind = text("credit")));
        assert!(matches(|f| f.prompt_hash = text("sha256:00ff")) && matches(|f| f.prompt_hash = text("00ff")));
        assert!(!matches(|f| f.prompt_hash = text("0ff")));
        assert!(matches(|f| f.related = vec!["x".to_owned(), "d-1".to_owned()]) && !matches(|f| f.related = vec!["x".to_owned()]));
    }

    /// Scenario: the decision's id was an e-mail address, and was sealed as a pseudonym. Guarantee: it is found by the address, and where
    /// the key is not at hand nobody says that there is none.
    #[test]
    fn a_story_is_found_by_an_id_that_looks_like_a_person() {
        let key = IdentityKey::new([7; 32]);
        let stored = Label::Reference.pseudonym(&key, "loans", "alice@example.com");
        let line =
            RECORD.replace("\"d-1\"", &format!("\"{stored}\"")).replace("\"service\"", "\"service_namespace\":\"loans\",\"service\"");
        let look = |asked: &str, related: &[&str], key: Option<&IdentityKey>| {
            let names = Names { key: key.cloned(), ..Names::default() };
            let related = related.iter().map(|id| (*id).to_owned()).collect();
            let asked = Some(Filter::reference(asked, &names));
            Matcher::new(Filter { related, asked, ..Filter::default() }).look(line.as_bytes())
        };
        let alice = "alice@example.com";
        assert!(matches!(look(alice, &[alice], Some(&key)), Look::Yes(_)));
        assert!(matches!(look(&stored, &[&stored], None), Look::Yes(_)));
        assert!(matches!(look(alice, &[alice], None), Look::Incomparable(Incomparable::Key(_))));
        assert!(matches!(look("bob@example.com", &["bob@example.com"], Some(&key)), Look::No));
        // What it leads to is found by other ids.
        assert!(matches!(look(alice, &[alice, "320191bebed45e1216cc9c6596d1cb45"], None), Look::Yes(_)));
    }

    #[test]
    fn people_are_found_where_they_stand() {
        let person = |name: &str| Some(Filter::person(name, &Names::default()));
        assert!(matches(|f| f.user = person("alice")) && !matches(|f| f.user = person("rita")));
        assert!(matches(|f| f.person = person("alice")) && matches(|f| f.person = person("rita")));
        assert!(!matches(|f| f.subject = person("alice")));
        assert!(matches(|f| f.subject = person("ps:0badc0de:00")));
        assert!(matches(|f| f.session = Some(Filter::reference("s-1", &Names::default()))));
        assert!(!matches(|f| f.session = Some(Filter::reference("s-2", &Names::default()))));
    }

    /// "Nothing found" would be a lie where a pseudonym under another key might be the person asked for.
    #[test]
    fn a_person_under_another_key_is_not_passed_over_in_silence() {
        let look = |build: &dyn Fn(&mut Filter)| {
            let mut filter = Filter { subject: Some(Filter::person("alice", &Names::default())), ..Filter::default() };
            build(&mut filter);
            Matcher::new(filter).look(RECORD.as_bytes())
        };
        assert!(matches!(look(&|_| {}), Look::Incomparable(Incomparable::Key(key)) if key == "0badc0de"));
        assert!(matches!(look(&|f| f.kind = text("review")), Look::No), "ruled out by something else");
    }

    #[test]
    fn ranges_hold_their_edges() {
        let at = |s: &str| UnixNanos::parse(s);
        let start = at("2026-11-20T10:00:08.000000001Z");
        assert!(matches(|f| (f.from, f.to) = (start, start)));
        assert!(!matches(|f| f.from = at("2026-11-20T10:00:08.000000002Z")));
        assert!(!matches(|f| f.to = at("2026-11-20T10:00:08.000000000Z")));
        let f = Filter { from: Some(UnixNanos(5)), to: Some(UnixNanos(7)), ..Filter::default() };
        assert!(f.may_hold(UnixNanos(0), UnixNanos(5)) && f.may_hold(UnixNanos(7), UnixNanos(9)));
        assert!(!f.may_hold(UnixNanos(0), UnixNanos(4)) && !f.may_hold(UnixNanos(8), UnixNanos(9)));
    }

    #[test]
    fn unknown_schemas_are_shown_and_unreadable_lines_named() {
        let mut all = Matcher::new(Filter { trace_id: text("t"), ..Filter::default() });
        assert!(matches!(all.look(br#"{"schema":"spanseal.record/9","where":"t"}"#), Look::Yes(_)));
        assert!(matches!(all.look(br#"{"schema":"spanseal.record/9","where":"u"}"#), Look::No));
        assert!(matches!(all.look(br#"{"x":"t""#), Look::Unreadable(_)));
    }
}
