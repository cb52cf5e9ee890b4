//! What must come out of a request, read by other means than the code under test: OpenTelemetry's own generated messages, the rule of
//! promotion as it is written, and the table of dialects as data.

mod ids;
mod members;
mod rules;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::captures::{Recorded, Signal};
pub(crate) use ids::{log_ordinal, pseudonym, record_id};
pub(crate) use members::member;
pub(crate) use rules::Rules;
pub(crate) use values::leaves_of_text;

use ids::raw_log_records;
use members::fields;
use rules::{ACTS, PERSON_MEMBERS, PERSONS};
use values::{STRUCTURE, any, leaves, string};

/// What must be sealed of some requests.
#[derive(Default)]
pub(crate) struct Truth {
    /// Promoted spans by trace and span id (hex).
    pub(crate) spans: BTreeMap<(String, String), SpanTruth>,
    /// Spans that must never appear.
    pub(crate) plain_spans: BTreeSet<(String, String)>,
    /// Promoted logs.
    pub(crate) logs: Vec<LogTruth>,
    /// Logs that must never appear.
    pub(crate) plain_logs: u64,
    /// Text that must not stand in any sealed line, with the key it came from.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Content that is too short to be looked for inside other text.
    short: BTreeSet<String>,
    /// Ids of persons, which must not stand in any sealed line as a value.
    pub(crate) persons: BTreeSet<String>,
    /// Every text of promoted spans and logs.
    pub(crate) said: Vec<Said>,
    /// Every text value of promoted spans as it was sent, whole; attributes of event i stand under `<i>/<event name>/<key>`.
    pub(crate) whole: Vec<Said>,
    /// Text that stands in the clear by right.
    names: BTreeSet<String>,
}

/// One text that a promoted span or log carried, JSON opened.
pub(crate) struct Said {
    pub(crate) from: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) key: String,
    pub(crate) text: String,
}

/// A promoted span.
pub(crate) struct SpanTruth {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) fields: Vec<(&'static str, Expect)>,
    /// Indexes of span events that are records of their own.
    pub(crate) acts: Vec<usize>,
}

/// A promoted log.
pub(crate) struct LogTruth {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// SHA-256 of the `LogRecord` bytes as they were on the wire, hex.
    pub(crate) sha256: String,
}

/// What a member of a record must be.
#[derive(Debug)]
pub(crate) enum Expect {
    /// One of these; more than one where two dialects on one span disagree.
    OneOf(Vec<Value>),
    /// The pseudonym of this person.
    Person { realm: String, id: String },
}

impl Truth {
    /// Adds what one request must bring and returns how many records that is.
    pub(crate) fn read(&mut self, rules: &Rules, request: &Recorded) -> u64 {
        let from = request.file.display().to_string();
        match request.signal {
            Signal::Traces => {
                let message = if request.json {
                    serde_json::from_slice(&request.body).unwrap_or_else(|e| panic!("{from}: {e}"))
                } else {
                    ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap()
                };
                self.traces(rules, &from, &message)
            }
            Signal::Logs => {
                assert!(!request.json, "{from}: add a reading of JSON logs");
                self.logs(rules, &request.body)
            }
            Signal::Metrics => 0,
        }
    }

    /// The same for spans in memory.
    pub(crate) fn traces(&mut self, rules: &Rules, from: &str, request: &ExportTraceServiceRequest) -> u64 {
        let mut promoted = 0;
        let spans = request.resource_spans.iter().flat_map(|r| r.scope_spans.iter().flat_map(|s| &s.spans).map(|span| (realm(r), span)));
        for (realm, span) in spans {
            let key = (hex::encode(&span.trace_id), hex::encode(&span.span_id));
            self.learn(rules, &span.attributes);
            self.names.insert(span.name.clone());
            span.events.iter().for_each(|e| self.learn(rules, &e.attributes));
            if let Some(status) = &span.status {
                self.hide("status", &status.message);
            }
            if !rules.span_is_promoted(span) {
                self.plain_spans.insert(key);
                continue;
            }
            let acts: Vec<usize> =
                span.events.iter().enumerate().filter(|(_, e)| ACTS.contains(&e.name.as_str())).map(|(i, _)| i).collect();
            promoted += 1 + acts.len() as u64;
            let events = span.events.iter().flat_map(|e| &e.attributes).chain(span.links.iter().flat_map(|l| &l.attributes));
            span.attributes.iter().chain(events).for_each(|a| self.say(from, &key, &a.key, any(a)));
            if let Some(status) = &span.status {
                self.say(from, &key, "status", Some(&Any::StringValue(status.message.clone())));
            }
            self.say_whole(from, &key, span, &acts);
            let truth = SpanTruth { from: from.to_owned(), name: span.name.clone(), fields: fields(&span.attributes, realm), acts };
            assert!(self.spans.insert(key, truth).is_none(), "{from}: a span id twice; this truth has no rule for it");
        }
        promoted
    }

    fn logs(&mut self, rules: &Rules, body: &[u8]) -> u64 {
        let message = ExportLogsServiceRequest::decode(body).unwrap();
        let decoded = message.resource_logs.iter().flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records);
        let raw = raw_log_records(body);
        let mut promoted = 0;
        assert_eq!(decoded.clone().count(), raw.len());
        for (log, bytes) in decoded.zip(raw) {
            self.learn(rules, &log.attributes);
            if let Some(value) = log.body.as_ref().and_then(|b| b.value.as_ref()) {
                self.hide_value("body", value);
            }
            if !rules.log_is_promoted(log) {
                self.plain_logs += 1;
                continue;
            }
            promoted += 1;
            let at = (hex::encode(&log.trace_id), hex::encode(&log.span_id));
            log.attributes.iter().for_each(|a| self.say("a log", &at, &a.key, any(a)));
            self.say("a log", &at, "body", log.body.as_ref().and_then(|b| b.value.as_ref()));
            self.logs.push(LogTruth {
                trace_id: hex::encode(&log.trace_id),
                span_id: hex::encode(&log.span_id),
                sha256: hex::encode(Sha256::digest(bytes)),
            });
        }
        promoted
    }

    /// Sorts the strings of some attributes into what must be hidden and what may be said.
    fn learn(&mut self, rules: &Rules, attributes: &[KeyValue]) {
        for attribute in attributes {
            let Some(value) = any(attribute) else { continue };
            if PERSONS.contains(&attribute.key.as_str()) {
                self.persons.extend(string(attribute).filter(|id| !id.is_empty()).map(str::to_owned));
            }
            leaves(value, &mut |name, text| {
                if PERSON_MEMBERS.contains(&name) && !text.is_empty() {
                    self.persons.insert(text.to_owned());
                }
            });
            if rules.content_keys.iter().any(|p| p.matches(&attribute.key)) {
                self.hide_value(&attribute.key, value);
            } else if rules.name_keys.iter().any(|p| p.matches(&attribute.key)) || attribute.key.ends_with("document.id") {
                leaves(value, &mut |_, text| {
                    self.names.insert(text.to_owned());
                });
            } else if let Any::StringValue(text) = value {
                text.split(|c: char| c.is_whitespace() || "\"<>(),;:{}[]".contains(c)).filter(|w| is_mail(w)).for_each(|w| {
                    self.secrets.insert(w.to_owned(), attribute.key.clone());
                });
            }
        }
    }

    fn say(&mut self, from: &str, at: &(String, String), key: &str, value: Option<&Any>) {
        let Some(value) = value else { return };
        leaves(value, &mut |_, text| {
            self.said.push(Said {
                from: from.to_owned(),
                trace_id: at.0.clone(),
                span_id: at.1.clone(),
                key: key.to_owned(),
                text: text.to_owned(),
            });
        });
    }

    /// What the record of a span holds whole; events that are records of their own are not part of it.
    fn say_whole(&mut self, from: &str, at: &(String, String), span: &Span, acts: &[usize]) {
        let own = span.attributes.iter().map(|a| (a.key.clone(), a));
        let events = span.events.iter().enumerate().filter(|(i, _)| !acts.contains(i));
        let of_events = events.flat_map(|(i, e)| e.attributes.iter().map(move |a| (format!("{i}/{}/{}", e.name, a.key), a)));
        for (key, attribute) in own.chain(of_events) {
            let Some(text) = string(attribute) else { continue };
            self.whole.push(Said { from: from.to_owned(), trace_id: at.0.clone(), span_id: at.1.clone(), key, text: text.to_owned() });
        }
    }

    fn hide_value(&mut self, key: &str, value: &Any) {
        let mut found = Vec::new();
        leaves(value, &mut |name, text| {
            if STRUCTURE.contains(&name) {
                self.names.insert(text.to_owned());
            } else {
                found.push(text.to_owned());
            }
        });
        found.iter().for_each(|text| self.hide(key, text));
        if let Any::StringValue(text) = value {
            self.hide(key, text);
        }
    }

    fn hide(&mut self, key: &str, text: &str) {
        const SHORTEST: usize = 13;
        const WINDOW: usize = 40;
        let chars: Vec<char> = text.trim().chars().collect();
        if chars.len() < SHORTEST {
            self.short.insert(text.to_owned());
            return;
        }
        // A long text counts as leaked when a part of it is found.
        let middle = chars.len() / 2;
        for start in [0, middle.saturating_sub(WINDOW / 2), chars.len().saturating_sub(WINDOW)] {
            let part: String = chars.iter().skip(start).take(WINDOW).collect();
            self.secrets.insert(part, key.to_owned());
        }
    }

    /// Short content that must not stand as a whole value, without what may: names, and the words of the format.
    pub(crate) fn hidden_values(&self) -> impl Iterator<Item = &str> {
        self.short.iter().map(String::as_str).filter(|text| text.len() > 2 && !self.names.contains(*text))
    }

    /// The texts that must not occur, without those that are part of a name that may.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = (&str, &str)> {
        let may = |text: &str| self.names.iter().any(|name| name.contains(text));
        self.secrets.iter().filter(move |(text, _)| !may(text)).map(|(text, key)| (text.as_str(), key.as_str()))
    }
}

/// Two applications' user 42 are two people: a person's realm is the namespace of the service.
fn realm(of: &ResourceSpans) -> &str {
    let attributes = of.resource.iter().flat_map(|r| &r.attributes);
    attributes.filter(|a| a.key == "service.namespace").find_map(string).unwrap_or_default()
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod checks {
    //! The truth is checked against what an outside hand wrote down, so that it cannot be wrong in the same way as the code.
    use super::rules::Pattern;
    use super::{Rules, Truth, pseudonym, record_id};

    /// The id of a span is that of a sample log that another implementation wrote, a pseudonym that of the format's test vector.
    #[test]
    fn ids_agree_with_an_outside_implementation() {
        let id = record_id("span", "30cccc93df147169c2801a662fd1d0fc", "1fa399f938cecf2f", "0");
        assert_eq!(id, "1b6400ff075c0bdab72a2e973160f586");
        assert_eq!(pseudonym(&[0; 32], "", "alice@example.com"), "ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8");
    }

    /// The whole corpus can be read, and the counts are those of a third reading (a Python script over the same bodies).
    #[test]
    fn the_corpus_is_read_completely() {
        let rules = Rules::load();
        let mut truth = Truth::default();
        for request in super::super::captures::all().iter().flat_map(|c| &c.requests) {
            truth.read(&rules, request);
        }
        assert_eq!((truth.spans.len(), truth.plain_spans.len()), (982, 2271));
        assert_eq!((truth.logs.len() as u64, truth.plain_logs), (268, 279));
        assert_eq!(truth.spans.values().map(|s| s.acts.len()).sum::<usize>(), 0);
    }

    /// A pattern of the table matches its keys and nothing beside them.
    #[test]
    fn patterns_of_the_table_match_what_they_name() {
        let content = Pattern::new("llm.input_messages.{i}.message.content");
        assert!(content.matches("llm.input_messages.0.message.content"));
        assert!(content.matches("llm.input_messages.12.message.content"));
        assert!(!content.matches("llm.input_messages.0.message.content_type"));
        assert!(!content.matches("llm.input_messages..message.role"));
        let two = Pattern::new("a.{i}.b.{j}.c");
        assert!(two.matches("a.0.b.1.c") && !two.matches("a.0.b.c") && !two.matches("a.0.c"));
        assert!(Pattern::new("claude_code.{event}").matches("claude_code.api_request"));
        assert!(!Pattern::new("claude_code.{event}").matches("claude_code."));
    }
}
